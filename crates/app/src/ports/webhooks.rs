use paywright_domain::anomaly::NoticeKind;
use paywright_domain::dispute::Dispute;
use paywright_domain::refund::RefundSnapshot;
use paywright_domain::{IntentId, IntentSnapshot, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Port that verifies webhook signatures. Pure: a result depends on the arguments and the configured secrets alone.
pub trait Webhooks: Send + Sync {
    /// Verifies `signature`, the `Stripe-Signature` header, over the raw bytes of `body`, and only then parses the
    /// event.
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError>;
}

/// A Stripe event that is authentic: its signature was verified, or it was read from Stripe's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// Stripe's id of the event (`evt_…`), the same in every delivery.
    pub id: String,
    /// Type of the event, such as `payment_intent.succeeded`.
    pub kind: String,
    /// Time at which Stripe created the event, in whole seconds.
    pub created_at: Timestamp,
    /// Whether the event is of live mode.
    pub livemode: bool,
    /// Stripe's id of the API request that caused the event (`req_…`), if one did.
    pub request: Option<String>,
    /// Update that the event carries: what it says about an order.
    pub update: ProviderUpdate,
    /// Reason why the event concerns no order of this installation, where the event itself shows that: another account,
    /// another installation, or an amount that no order can have.
    pub foreign: Option<ForeignEvent>,
    /// API version of the event, where its objects may mean something else than in the supported versions. Such objects
    /// are not parsed: they are read from Stripe again.
    pub other_version: Option<OtherVersion>,
}

/// Reason why an event concerns no order of this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignEvent {
    /// Reason as text, for the inbox.
    pub reason: String,
    /// PaymentIntent of the event, where another installation created it, so that its other events are foreign too.
    pub intent: Option<IntentId>,
}

impl From<String> for ForeignEvent {
    /// Reason that says nothing about other events of the same PaymentIntent.
    fn from(reason: String) -> Self {
        Self { reason, intent: None }
    }
}

/// API version of an event whose objects were not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherVersion {
    /// API version of the event.
    pub version: String,
    /// API version that this program was written for.
    pub expected: &'static str,
}

/// Update: what an event says about an order's PaymentIntent, refund or dispute, or about the balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderUpdate {
    /// Snapshot of a PaymentIntent at the time of the event.
    Intent(Box<IntentSnapshot>),
    /// Snapshot of a refund at the time of the event.
    Refund(Box<RefundSnapshot>),
    /// Snapshot of a dispute at the time of the event.
    Dispute(Box<Dispute>),
    /// Something that a person should know, such as an early fraud warning.
    Notice {
        /// PaymentIntent that it is about.
        intent: IntentId,
        /// Kind of the notice.
        kind: NoticeKind,
        /// Reason as Stripe spells it.
        reason: Option<String>,
    },
    /// The proceeds of a PaymentIntent on the Stripe balance can be read now.
    Proceeds(IntentId),
    /// A PaymentIntent, its refunds or its disputes changed in a way that the event does not say in full, or that this
    /// version does not understand: they must be read from Stripe.
    #[serde(rename = "look")]
    ReadRequired(IntentId),
    /// The balance at Stripe or a payout changed, and no order did: the books can read what is new.
    Balance,
    /// The event changes no order.
    Nothing,
}

impl ProviderUpdate {
    /// The same update, marked as delivered by a webhook: an answer of Stripe to a request outranks it.
    #[must_use]
    pub fn delivered_by_webhook(self) -> Self {
        match self {
            Self::Intent(snapshot) => Self::Intent(Box::new(snapshot.delivered_by_webhook())),
            update @ (Self::Refund(_)
            | Self::Dispute(_)
            | Self::Notice { .. }
            | Self::Proceeds(_)
            | Self::ReadRequired(_)
            | Self::Balance
            | Self::Nothing) => update,
        }
    }

    /// PaymentIntent that the update is about.
    pub fn intent(&self) -> Option<&IntentId> {
        match self {
            Self::Intent(snapshot) => Some(&snapshot.intent),
            Self::Refund(refund) => Some(&refund.intent),
            Self::Dispute(dispute) => Some(&dispute.intent),
            Self::Notice { intent, .. } | Self::Proceeds(intent) | Self::ReadRequired(intent) => Some(intent),
            Self::Balance | Self::Nothing => None,
        }
    }
}

/// Why a webhook is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookError {
    /// The signature is missing, malformed, or made with none of the configured secrets.
    #[error("the signature does not match: {0}")]
    BadSignature(&'static str),
    /// The signature is made with a configured secret, but too long before or after the current time.
    #[error(
        "the webhook was signed {} seconds {} this machine's clock, and at most {tolerance} are allowed; check it",
        seconds.abs(),
        if *seconds < 0 { "behind" } else { "ahead of" }
    )]
    OutsideTolerance {
        /// Seconds by which the time of the signature is ahead of this machine's clock; negative where it is behind.
        seconds: i64,
        /// Seconds that are accepted, either way.
        tolerance: i64,
    },
    /// The signature is valid, but the body is not an event that can be parsed.
    #[error("the event cannot be parsed: {0}")]
    Unreadable(String),
    /// The event is a thin event, which has no object: the endpoint at Stripe is set up for thin events.
    #[error("thin events are not supported: set the endpoint up for snapshot events of API v1")]
    Thin,
}
