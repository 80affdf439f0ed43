//! Signatures of webhooks (Standard Webhooks 1.0, "Webhook metadata" and "Signature scheme"), and the secrets that make
//! them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

/// Shortest key of the service, in bytes.
pub const SERVICE_KEY_BYTES_MIN: usize = 32;

/// First bytes of what is authenticated to derive a secret.
const SECRET_LABEL: &[u8] = b"paywright webhook secret 1\n";
/// First bytes of what is authenticated to derive the key's id.
const KEY_ID_LABEL: &[u8] = b"paywright webhook key id 1\n";

/// The service's own key, from which the secrets of all endpoints follow.
#[derive(Debug, Clone)]
pub struct ServiceKey(SecretString);

/// Why a text is no key of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The key is shorter than [`SERVICE_KEY_BYTES_MIN`].
    #[error("must have at least {SERVICE_KEY_BYTES_MIN} bytes, drawn at random (openssl rand -base64 32)")]
    TooShort,
    /// The key begins or ends with white space, which an editor may have added or a shell may remove.
    #[error("must not begin or end with white space")]
    WhiteSpace,
}

impl ServiceKey {
    /// Checks the text of a key. Its bytes are the key as they are: they are not decoded.
    pub fn new(text: SecretString) -> Result<Self, KeyError> {
        let exposed = text.expose_secret();
        if exposed.trim() != exposed {
            return Err(KeyError::WhiteSpace);
        }
        if exposed.len() < SERVICE_KEY_BYTES_MIN {
            return Err(KeyError::TooShort);
        }
        Ok(Self(text))
    }

    /// Id of the key, not secret: the first 8 bytes of HMAC-SHA256(key, `"paywright webhook key id 1\n"`), in
    /// hexadecimal.
    pub fn id(&self) -> String {
        let mut id = hex::encode(hmac(self.0.expose_secret().as_bytes(), &[KEY_ID_LABEL]));
        id.truncate(16);
        id
    }

    /// Secret of an endpoint in a generation: HMAC-SHA256(key, `"paywright webhook secret 1\n"` ‖ the endpoint's id in
    /// 16 bytes ‖ the generation in 4 bytes, big-endian). All parts have a fixed length, so no two inputs are alike.
    pub fn secret(&self, endpoint: Uuid, generation: u32) -> EndpointSecret {
        let key = self.0.expose_secret().as_bytes();
        EndpointSecret(hmac(key, &[SECRET_LABEL, endpoint.as_bytes(), &generation.to_be_bytes()]))
    }
}

/// Secret of an endpoint in one generation: 32 bytes.
#[derive(Clone)]
pub struct EndpointSecret([u8; 32]);

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret([REDACTED])")
    }
}

impl EndpointSecret {
    /// Text of the secret for its receiver: `whsec_` and the bytes in Base64.
    pub fn to_text(&self) -> SecretString {
        SecretString::from(format!("whsec_{}", STANDARD.encode(self.0)))
    }

    /// Signature of a webhook: `v1,` and HMAC-SHA256 of `{id}.{timestamp}.{body}` in Base64. The id contains no dot.
    fn sign(&self, id: Uuid, timestamp: i64, body: &str) -> String {
        let head = format!("{}.{timestamp}.", id.as_hyphenated());
        format!("v1,{}", STANDARD.encode(hmac(&self.0, &[head.as_bytes(), body.as_bytes()])))
    }
}

/// Value of Spree's `X-Spree-Hmac-SHA256`: HMAC-SHA256 of the body in Base64. The key is the text of the secret, as Spree's
/// receivers have it.
pub(crate) fn spree_signature(secret: &EndpointSecret, body: &str) -> String {
    STANDARD.encode(hmac(secret.to_text().expose_secret().as_bytes(), &[body.as_bytes()]))
}

/// Value of `webhook-signature`: a signature by each secret, separated by single spaces. `timestamp` is in seconds
/// since 1970.
pub fn signature_header(secrets: &[EndpointSecret], id: Uuid, timestamp: i64, body: &str) -> String {
    let signatures: Vec<_> = secrets.iter().map(|it| it.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: Uuid = Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0009);

    fn key() -> ServiceKey {
        ServiceKey::new(SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
    }

    /// Values computed by Python's `hmac` from the descriptions above. If they change, every endpoint's secret changes.
    #[test]
    fn secrets_and_the_id_of_the_key_follow_from_the_key() {
        assert_eq!(key().id(), "b06bf920fd958328");
        for (generation, secret) in [
            (1, "whsec_jODOpt+vZso4dTgTx0zBAWiryjQ3p28TT/RP8oHswBY="),
            (2, "whsec_EIWANPVAnGcIzFvEf0dB5Ox0GFB30BqpjpgN6ondHUE="),
        ] {
            assert_eq!(key().secret(ENDPOINT, generation).to_text().expose_secret(), secret);
        }
        let others = [
            key().secret(Uuid::from_u128(1), 1),
            ServiceKey::new(SecretString::from("1123456789abcdef0123456789abcdef")).unwrap().secret(ENDPOINT, 1),
        ];
        for other in others {
            assert_ne!(other.0, key().secret(ENDPOINT, 1).0);
        }
    }

    #[test]
    fn the_signature_header_lists_a_signature_by_each_secret() {
        let (id, body) = (Uuid::from_u128(7), r#"{"type":"order.paid"}"#);
        let secrets = [key().secret(ENDPOINT, 2), key().secret(ENDPOINT, 1)];
        let header = signature_header(&secrets, id, 1_743_415_050, body);
        assert_eq!(
            header,
            "v1,s1znp6CMBqqY+5veTzDYPXsKdXFenrAmXOByGMailpc= v1,+ALi8cIqsHUMUny1OsiebNbduakOSsUvImXIKHBvndM="
        );
        assert_eq!(
            signature_header(&secrets[..1], id, 1_743_415_050, body),
            "v1,s1znp6CMBqqY+5veTzDYPXsKdXFenrAmXOByGMailpc="
        );
    }

    #[test]
    fn the_official_verifier_accepts_both_signatures_and_no_others() {
        let secrets = [key().secret(ENDPOINT, 2), key().secret(ENDPOINT, 1)];
        let other = key().secret(ENDPOINT, 3);
        let id = Uuid::from_u128(7);
        let header = signature_header(&secrets, id, 1_743_415_050, "{\"ü\":1}");
        let verify = |secret: &EndpointSecret, body: &str| {
            let judge = standardwebhooks::Webhook::new(secret.to_text().expose_secret()).unwrap();
            let signed = judge.sign(&id.to_string(), 1_743_415_050, body.as_bytes()).unwrap();
            header.split(' ').any(|it| it == signed)
        };
        assert!(secrets.iter().all(|it| verify(it, "{\"ü\":1}")));
        assert!(!verify(&other, "{\"ü\":1}") && !verify(&secrets[0], "{\"ü\":2}"));
    }

    /// The value was computed by Python's `hmac`.
    #[test]
    fn spree_signs_the_body_with_the_text_of_the_secret() {
        let secret = key().secret(ENDPOINT, 1);
        assert_eq!(spree_signature(&secret, "{\"ü\":1}"), "frUt2iu8o0zRrnxwNosBND7YgAUZsyhEsldJVS/egKY=");
    }

    #[test]
    fn a_short_key_and_white_space_are_refused() {
        for (text, expected) in [
            ("0123456789abcdef0123456789abcde", KeyError::TooShort),
            ("", KeyError::TooShort),
            ("0123456789abcdef0123456789abcdef\n", KeyError::WhiteSpace),
        ] {
            assert_eq!(ServiceKey::new(SecretString::from(text)).unwrap_err(), expected, "{text:?}");
        }
        assert!(!format!("{:?} {:?}", key(), key().secret(ENDPOINT, 1)).contains("0123"));
    }
}
