//! Signature check of webhooks ("Verify webhook signatures manually").

use hmac::{Hmac, KeyInit, Mac};
use paywright_domain::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Largest difference between a signature's time and now, in seconds. Stripe's libraries accept signatures up to this
/// old; here the limit holds for the future too, so that an event signed ahead of time is refused.
pub const TOLERANCE_SECONDS: i64 = 300;

/// Most signatures of one header that are checked: Stripe sends one for each active secret.
const SIGNATURES_MAX: usize = 16;

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// No webhook secret is configured.
    #[error("no webhook secret is set")]
    NoSecret,
    /// The header has no `t=` with a number, or more than one `t=`.
    #[error("the header has no single timestamp")]
    NoTimestamp,
    /// The header has no `v1=` signature.
    #[error("the header has no v1 signature")]
    NoSignature,
    /// No signature was made with one of the secrets over this body.
    #[error("no signature matches the body")]
    Mismatch,
    /// The signature's time is too far in the past or in the future.
    #[error("the signature was made {} seconds {} of this machine's clock; at most {TOLERANCE_SECONDS} are accepted",
        seconds.abs(), if *seconds < 0 { "behind" } else { "ahead" })]
    OutsideTolerance {
        /// Seconds by which the signature's time is ahead of now; negative if it is behind.
        seconds: i64,
    },
}

/// Verifies the `Stripe-Signature` header over the raw bytes of a body with any of the secrets. A pure function, whose
/// time does not depend on where a wrong signature differs.
pub fn verify(body: &[u8], header: &str, secrets: &[SecretString], now: Timestamp) -> Result<(), SignatureError> {
    let mut timestamp = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => {
                if timestamp.replace(value).is_some() {
                    return Err(SignatureError::NoTimestamp);
                }
            }
            Some(("v1", value)) if signatures.len() < SIGNATURES_MAX => signatures.push(value),
            // Other schemes are ignored; `v0` is a fake signature of test mode.
            Some(_) | None => {}
        }
    }
    let digits = timestamp.filter(|it| !it.is_empty() && it.bytes().all(|digit| digit.is_ascii_digit()));
    let timestamp = digits.ok_or(SignatureError::NoTimestamp)?;
    let signed_at: i64 = timestamp.parse().map_err(|_| SignatureError::NoTimestamp)?;
    if signatures.is_empty() {
        return Err(SignatureError::NoSignature);
    }
    let usable = secrets.iter().filter(|it| !it.expose_secret().trim().is_empty());
    let mut any_secret = false;
    let mut matches = false;
    for secret in usable {
        any_secret = true;
        let expected = signature(body, timestamp, secret);
        for given in &signatures {
            matches |= bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
        }
    }
    if !any_secret {
        return Err(SignatureError::NoSecret);
    }
    if !matches {
        return Err(SignatureError::Mismatch);
    }
    if signed_at.abs_diff(now.unix_seconds()) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(SignatureError::OutsideTolerance { seconds: signed_at.saturating_sub(now.unix_seconds()) });
    }
    Ok(())
}

/// Computes the `v1` signature of a body: HMAC-SHA256 over `{timestamp}.{body}`, keyed with the whole text of the
/// secret (`whsec_` included), in lower-case hexadecimal.
fn signature(body: &[u8], timestamp: &str, secret: &SecretString) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S1: (&str, i64) = ("whsec_test_secret", 1_492_774_577);
    const S2: (&str, i64) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_700_000_000);
    const PLAIN: &str = r#"{"id":"evt_1","object":"event"}"#;
    const PLAIN_V1: &str = "654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|it| SecretString::from(*it)).collect()
    }

    #[test]
    fn signatures_of_the_official_libraries_are_accepted() {
        for (payload, first, second) in [
            (PLAIN, PLAIN_V1, "1e58533e9136e20e64d0cc6a7d309ac7aeb8c42d5cfa02e63055723957723ba6"),
            (
                "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\",\n  \"type\": \"payment_intent.succeeded\"\n}",
                "21896ddb5769e08af4e2062963fe61c0b92ea52b2486086e78e85196543a62c8",
                "5650c734f74baf22cd58afaa7d84615727b4e7cf6cdca801dbae14fc3e686c15",
            ),
            (
                r#"{"id":"evt_u","object":"event","data":{"object":{"description":"Kaffee für Zoë ☕ – 10€"}}}"#,
                "9504416e250035b661ac13f1fbb38885697463255e55a49cf237db184888558f",
                "2830a970bb4bde9299c6d77de6328bc5eb344c03c5bd7953adf9dc4b5116efe9",
            ),
            (
                "{\"amount\":1099, \"currency\":\"usd\"}\n",
                "753f38393e0a05ed761b991d814b6337c34b144c0c1427a06a11a3cded137474",
                "3766fb03465c4ebd3240b0e5c6be116844000b30dcc674e80e18a694efbfa074",
            ),
        ] {
            for ((secret, time), v1) in [(S1, first), (S2, second)] {
                let header = format!("t={time},v1={v1}");
                assert_eq!(verify(payload.as_bytes(), &header, &secrets(&[secret]), at(time)), Ok(()), "{payload}");
            }
        }
    }

    #[test]
    fn each_kind_of_wrong_signature_is_refused() {
        use SignatureError::{Mismatch, NoSecret, NoSignature, NoTimestamp, OutsideTolerance};
        let (secret, t) = S1;
        let v1 = PLAIN_V1;
        let good = format!("t={t},v1={v1}");
        let wrong = "0".repeat(64);
        let upper = v1.to_uppercase();
        let short = &v1[..63];
        for (name, header, expected) in [
            ("as it should be", good.clone(), Ok(())),
            ("a wrong one first", format!("t={t},v1={wrong},v1={v1}"), Ok(())),
            ("v0 before", format!("t={t},v0=bad,v1={v1}"), Ok(())),
            ("unknown parts", format!("t={t},foo,bar=baz=1,v2=zz,v1={v1}"), Ok(())),
            ("a space after the comma", format!("t={t}, v1={v1}"), Ok(())),
            ("only v0", format!("t={t},v0={v1}"), Err(NoSignature)),
            ("no t", format!("v1={v1}"), Err(NoTimestamp)),
            ("empty", String::new(), Err(NoTimestamp)),
            ("63 characters", format!("t={t},v1={short}"), Err(Mismatch)),
            ("upper case", format!("t={t},v1={upper}"), Err(Mismatch)),
            ("trailing junk in t", format!("t={t}x,v1={v1}"), Err(NoTimestamp)),
            ("a sign in t", format!("t=+{t},v1={v1}"), Err(NoTimestamp)),
            ("two t, the right one last", format!("t=1,t={t},v1={v1}"), Err(NoTimestamp)),
            ("another t", format!("t={},v1={v1}", t + 1), Err(Mismatch)),
            ("a t beyond all numbers", format!("t={},v1={v1}", "9".repeat(40)), Err(NoTimestamp)),
        ] {
            assert_eq!(verify(PLAIN.as_bytes(), &header, &secrets(&[secret]), at(t)), expected, "{name}");
        }
        for (name, payload, keys, expected) in [
            ("another secret", PLAIN.to_owned(), vec!["whsec_other"], Err(Mismatch)),
            ("one more space", format!("{PLAIN} "), vec![secret], Err(Mismatch)),
            ("an empty secret", PLAIN.to_owned(), vec![""], Err(NoSecret)),
            ("a blank secret", PLAIN.to_owned(), vec!["  "], Err(NoSecret)),
            ("no secret", PLAIN.to_owned(), vec![], Err(NoSecret)),
            ("two secrets during a roll", PLAIN.to_owned(), vec!["whsec_new", secret], Ok(())),
        ] {
            assert_eq!(verify(payload.as_bytes(), &good, &secrets(&keys), at(t)), expected, "{name}");
        }
        for (away, expected) in [
            (0, Ok(())),
            (300, Ok(())),
            (301, Err(OutsideTolerance { seconds: -301 })),
            (-300, Ok(())),
            (-301, Err(OutsideTolerance { seconds: 301 })),
            (-3600, Err(OutsideTolerance { seconds: 3600 })),
        ] {
            assert_eq!(verify(PLAIN.as_bytes(), &good, &secrets(&[secret]), at(t + away)), expected, "{away} s");
        }
    }
}
