//! Tags of our own tokens: HMAC-SHA256 with a token secret.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Tags of one kind of token. The current secret makes them, and the previous one is accepted too, if there is one. Not
/// `Debug`: its state is the secret.
pub(crate) struct Signatures {
    kind: &'static str,
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl Signatures {
    /// Takes the current token secret, and the kind of token.
    pub(crate) fn new(secret: &[u8], kind: &'static str) -> Self {
        Self { kind, current: mac_of(secret, kind), previous: None }
    }

    /// Accepts the tags of a previous token secret too.
    pub(crate) fn accept(&mut self, secret: &[u8]) {
        self.previous = Some(mac_of(secret, self.kind));
    }

    /// Tag of `bytes`, in base64.
    pub(crate) fn tag(&self, bytes: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.current.clone().chain_update(bytes).finalize().into_bytes())
    }

    /// Whether `tag` is one of `bytes`. The comparison takes constant time.
    pub(crate) fn verifies(&self, bytes: &[u8], tag: &str) -> bool {
        let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(tag) else { return false };
        let is_of = |mac: &Hmac<Sha256>| mac.clone().chain_update(bytes).verify_slice(&tag).is_ok();
        is_of(&self.current) || self.previous.as_ref().is_some_and(is_of)
    }
}

/// HMAC-SHA256 with a token secret, over a prefix that names the kind of token, so that a tag made for another kind never
/// verifies.
fn mac_of(secret: &[u8], kind: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.chain_update(format!("paywright {kind} token v1:").as_bytes())
}

/// Tokens of one kind of object: its id and a tag of the id.
pub(crate) struct ObjectTokens {
    signatures: Signatures,
    prefix: &'static str,
}

impl ObjectTokens {
    /// Takes the current token secret, and the kind of object that the tokens are for.
    pub(crate) fn new(secret: &[u8], kind: &'static str, prefix: &'static str) -> Self {
        Self { signatures: Signatures::new(secret, kind), prefix }
    }

    /// Accepts tokens of a previous token secret too.
    pub(crate) fn accept(&mut self, secret: &[u8]) {
        self.signatures.accept(secret);
    }

    /// Token of the object with this id.
    pub(crate) fn token(&self, id: Uuid) -> String {
        format!("{}{}_{}", self.prefix, id.as_simple(), self.signatures.tag(id.as_bytes()))
    }

    /// Id in a token whose tag verifies.
    pub(crate) fn read(&self, token: &str) -> Option<Uuid> {
        let (id, tag) = token.strip_prefix(self.prefix)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok()?;
        self.signatures.verifies(id.as_bytes(), tag).then_some(id)
    }
}
