use paywright_domain::{IntentSnapshot, Timestamp};
use thiserror::Error;

/// Tells the provider's own messages from forgeries. Pure: no answer depends on anything but the arguments
/// and the secrets in use.
pub trait Webhooks: Send + Sync {
    /// Checks `signature` over the raw bytes of `body`, and only then reads them.
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError>;
}

/// A message of the provider, known to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// Its name, the same in every delivery.
    pub id: String,
    /// Its type, like `payment_intent.succeeded`.
    pub kind: String,
    /// What it says.
    pub news: ProviderNews,
}

/// What a message says, as far as it concerns an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderNews {
    /// How an intent stood when the message was made.
    Intent(Box<IntentSnapshot>),
    /// Nothing that changes an order.
    Nothing,
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookError {
    /// It is not signed by a secret in use, or too long ago.
    #[error("the signature does not match: {0}")]
    BadSignature(&'static str),
    /// It is signed but cannot be read.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
    /// It is one of those that carry no object: the endpoint is set up for thin events.
    #[error("thin events are not taken: set the endpoint up for snapshot events of API v1")]
    Thin,
}
