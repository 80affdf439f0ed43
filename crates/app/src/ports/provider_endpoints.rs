//! Webhook endpoints at Stripe, to which Stripe sends its events, and the secrets with which it signs them.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use paywright_domain::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Largest number of secrets with which webhooks may be signed: two for each of several endpoints.
pub const WEBHOOK_SECRETS_MAX: usize = 16;

/// Port to the webhook endpoints of the Stripe account, in the mode of the API key. Those of other programs are listed too.
#[async_trait]
pub trait ProviderEndpoints: Send + Sync {
    /// Lists every endpoint of the account.
    async fn endpoints(&self) -> Result<Vec<ProviderEndpoint>, ProviderEndpointsError>;

    /// Creates an endpoint, which sends events at once. A repeat with the same `key` within a day gets the answer of the
    /// first call, even if the endpoint was deleted since.
    async fn create_endpoint(
        &self,
        new: &NewProviderEndpoint,
        key: &str,
    ) -> Result<CreatedEndpoint, ProviderEndpointsError>;

    /// Changes an endpoint. [`ProviderEndpointsError::NotFound`] if it does not exist.
    async fn update_endpoint(
        &self,
        id: &str,
        edit: &ProviderEndpointEdit,
        key: &str,
    ) -> Result<(), ProviderEndpointsError>;

    /// Deletes an endpoint. One that does not exist counts as deleted.
    async fn delete_endpoint(&self, id: &str) -> Result<(), ProviderEndpointsError>;
}

/// Port to the place of the secrets with which Stripe signs its webhooks.
#[async_trait]
pub trait WebhookSecretStore: Send + Sync {
    /// Reads the secrets, the newest first; none if the place is empty or does not exist yet.
    async fn secrets(&self) -> Result<Vec<SecretString>, SecretStoreError>;

    /// Checks that secrets can be written, and changes nothing. Stripe shows the secret of a new endpoint once, so the
    /// check comes before its creation.
    async fn check_writable(&self) -> Result<(), SecretStoreError>;

    /// Replaces all secrets at once: a reader sees those before or those after.
    async fn replace_secrets(&self, secrets: &[SecretString]) -> Result<(), SecretStoreError>;
}

/// Why the secrets cannot be read or written. The message contains no secret.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct SecretStoreError(pub Box<dyn StdError + Send + Sync>);

/// Why a call about the endpoints has no successful answer.
#[derive(Debug, Error)]
pub enum ProviderEndpointsError {
    /// The API key lacks a permission: its name at Stripe, if the answer has it.
    #[error("the API key lacks the permission {}", .0.as_deref().unwrap_or("for Webhook Endpoints"))]
    Denied(Option<String>),
    /// The endpoint does not exist.
    #[error("the endpoint does not exist at Stripe")]
    NotFound,
    /// Stripe refused the call: nothing was changed.
    #[error("Stripe refused: {0}")]
    Refused(#[source] Box<dyn StdError + Send + Sync>),
    /// Stripe failed, or its answer has no secret, and repeats that under the same idempotency key.
    #[error("Stripe failed: {0}")]
    KeyExhausted(#[source] Box<dyn StdError + Send + Sync>),
    /// Stripe cannot be reached or did not answer: the outcome is unknown.
    #[error("no answer of Stripe: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
}

/// URL of an endpoint at Stripe. It may contain a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderEndpointUrl(pub String);

impl fmt::Debug for ProviderEndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderEndpointUrl(hidden)")
    }
}

/// Digest of a webhook secret: the first 64 bits of its SHA-256, in hexadecimal. It tells which endpoint a secret is of, and
/// does not reveal it, because Stripe's secrets are random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretDigest(String);

impl SecretDigest {
    const CHARS: usize = 16;

    /// Digest of a secret.
    pub fn of(secret: &SecretString) -> Self {
        let mut hex = hex::encode(Sha256::digest(secret.expose_secret().as_bytes()));
        hex.truncate(Self::CHARS);
        Self(hex)
    }

    /// Reads a digest from the metadata of an endpoint; `None` if the text cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        (text.len() == Self::CHARS && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A webhook endpoint at Stripe, as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEndpoint {
    /// Stripe's id (`we_…`).
    pub id: String,
    /// Time of its creation, in whole seconds.
    pub created_at: Timestamp,
    /// URL to which it sends events.
    pub url: ProviderEndpointUrl,
    /// Whether it sends events.
    pub is_enabled: bool,
    /// API version of its events; `None` for that of the account.
    pub api_version: Option<String>,
    /// Types of its events, or `*` for all.
    pub events: Vec<String>,
    /// Description for people.
    pub description: Option<String>,
    /// Installation that its metadata names.
    pub installation: Option<String>,
    /// Other marks of Paywright in its metadata.
    pub marks: EndpointMarks,
}

/// Marks of Paywright in the metadata of one of its endpoints. They are all the state of a rotation, so that a process that
/// dies in it leaves nothing behind that the next one cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointMarks {
    /// Digest of its secret, set after the secret was stored. Without it nobody may know the secret.
    pub secret: Option<SecretDigest>,
    /// Digests of the secrets of the endpoints that it replaces: these secrets are removed with the endpoints.
    pub replaced: Vec<SecretDigest>,
    /// Time from which the endpoint can be deleted, because another one has replaced it; in whole seconds.
    pub retire_after: Option<Timestamp>,
}

/// Parameters of a new endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProviderEndpoint {
    /// URL to which events are sent.
    pub url: ProviderEndpointUrl,
    /// Types of the events.
    pub events: &'static [&'static str],
    /// API version of the events, which cannot be changed later.
    pub api_version: &'static str,
    /// Description for people.
    pub description: &'static str,
    /// Installation that the metadata names.
    pub installation: String,
}

/// A new endpoint with its secret, which no later answer of Stripe has.
#[derive(Debug)]
pub struct CreatedEndpoint {
    /// Stripe's id.
    pub id: String,
    /// Secret with which its events are signed.
    pub secret: SecretString,
    /// Whether this is the answer of an earlier call with the same key.
    pub replayed: bool,
}

/// Changes of an endpoint. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderEndpointEdit {
    /// New URL.
    pub url: Option<ProviderEndpointUrl>,
    /// New types of events.
    pub events: Option<&'static [&'static str]>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// New description.
    pub description: Option<&'static str>,
    /// Digest of its secret.
    pub secret: Option<SecretDigest>,
    /// Digests of the secrets that it replaces.
    pub replaced: Option<Vec<SecretDigest>>,
    /// Time from which it can be deleted.
    pub retire_after: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_secrets_apart_without_showing_them() {
        let digest = |text: &str| SecretDigest::of(&SecretString::from(text));
        assert_eq!(digest("whsec_hush").as_str().len(), SecretDigest::CHARS);
        assert_ne!(digest("whsec_hush"), digest("whsec_hush2"));
        assert_eq!(SecretDigest::parse(digest("whsec_hush").as_str()), Some(digest("whsec_hush")));
        for text in ["", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdeg"] {
            assert_eq!(SecretDigest::parse(text), None, "{text}");
        }
        let url = ProviderEndpointUrl("https://shop.example/hush".into());
        assert!(!format!("{url:?}").contains("hush"));
    }
}
