use paywright_domain::{AnomalyKind, Dispute, IntentId, IntentSnapshot, RefundSnapshot, Timestamp};
use serde::{Deserialize, Serialize};
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
    /// When it was made; the provider counts in whole seconds.
    pub created_at: Timestamp,
    /// Whether it is about real money.
    pub livemode: bool,
    /// The provider's name for the request that caused it, if one did.
    pub request: Option<String>,
    /// What it says.
    pub update: ProviderUpdate,
    /// Why it concerns no order of this installation, where it says so by itself: it is of another account, of another
    /// installation, or of an amount that no order can have.
    pub foreign: Option<ForeignEvent>,
    /// The API version that it is rendered in, where its objects may mean something else than in the versions that are
    /// known here; they were not read then.
    pub other_version: Option<OtherVersion>,
}

/// A message that concerns no order of this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignEvent {
    /// Why it does not.
    pub reason: String,
    /// The intent that it is about, where its other messages concern no order here either: another installation made it.
    pub intent: Option<IntentId>,
}

impl From<String> for ForeignEvent {
    /// A message whose reason says nothing of its intent's other messages.
    fn from(reason: String) -> Self {
        Self { reason, intent: None }
    }
}

/// The API version of an event whose objects were not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherVersion {
    /// The event's.
    pub version: String,
    /// The one that this program was made for.
    pub expected: &'static str,
}

/// What a message says, as far as it concerns an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderUpdate {
    /// How an intent stood when the message was made.
    Intent(Box<IntentSnapshot>),
    /// How a refund stood when the message was made.
    Refund(Box<RefundSnapshot>),
    /// How a dispute stood when the message was made.
    Dispute(Box<Dispute>),
    /// Something that a person should know of.
    Notice {
        /// The intent that it is about.
        intent: IntentId,
        /// What it is.
        kind: AnomalyKind,
        /// The provider's word for it.
        reason: Option<String>,
    },
    /// What came of an intent's payment on the shop's balance can be read now.
    Proceeds(IntentId),
    /// Something happened to an intent, its refunds or its disputes that the message does not tell in full, or that this
    /// program does not understand: they must be read.
    Look(IntentId),
    /// Nothing that changes an order.
    Nothing,
}

impl ProviderUpdate {
    /// The same, as a webhook has delivered it: not the provider's answer to a request of ours.
    #[must_use]
    pub fn delivered_by_webhook(self) -> Self {
        match self {
            Self::Intent(snapshot) => Self::Intent(Box::new(snapshot.delivered_by_webhook())),
            update @ (Self::Refund(_)
            | Self::Dispute(_)
            | Self::Notice { .. }
            | Self::Proceeds(_)
            | Self::Look(_)
            | Self::Nothing) => update,
        }
    }

    /// The intent that it is about.
    pub fn intent(&self) -> Option<&IntentId> {
        match self {
            Self::Intent(snapshot) => Some(&snapshot.intent),
            Self::Refund(refund) => Some(&refund.intent),
            Self::Dispute(dispute) => Some(&dispute.intent),
            Self::Notice { intent, .. } | Self::Proceeds(intent) | Self::Look(intent) => Some(intent),
            Self::Nothing => None,
        }
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookError {
    /// It is not signed by a secret in use, or too long ago.
    #[error("the signature does not match: {0}")]
    BadSignature(&'static str),
    /// It is signed by a secret in use, at another time than now.
    #[error(
        "it was signed {} seconds {} of this machine's clock, and at most {tolerance} are accepted; is the clock right?",
        seconds.abs(),
        if *seconds < 0 { "behind" } else { "ahead" }
    )]
    OutsideTolerance {
        /// How far the signature's time is ahead of now, in seconds.
        seconds: i64,
        /// How far it may be, either way.
        tolerance: i64,
    },
    /// It is signed but cannot be read.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
    /// It is one of those that carry no object: the endpoint is set up for thin events.
    #[error("thin events are not taken: set the endpoint up for snapshot events of API v1")]
    Thin,
}
