use crate::{Anomaly, CancelReason, IntentError, IntentId, IntentRequest, IntentStatus, Money};

/// Something that happened to an order. Facts are stored with the state they led to, never changed, and
/// told to whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind"))]
pub enum Fact {
    /// The order came in.
    #[cfg_attr(feature = "serde", serde(rename = "order.placed"))]
    OrderPlaced {
        /// What is due.
        total: Money,
    },
    /// Its content changed.
    #[cfg_attr(feature = "serde", serde(rename = "order.edited"))]
    OrderEdited {
        /// What was due.
        before: Money,
        /// What is due now.
        total: Money,
        /// The revision that the edit made.
        revision: u32,
    },
    /// It was canceled.
    #[cfg_attr(feature = "serde", serde(rename = "order.canceled"))]
    OrderCanceled {
        /// Why.
        reason: CancelReason,
    },
    /// It is paid in full. Happens once at most.
    #[cfg_attr(feature = "serde", serde(rename = "order.paid"))]
    OrderPaid {
        /// The intent that paid it.
        by: IntentId,
        /// What was received.
        amount: Money,
    },
    /// Stripe is about to be asked for an intent.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.requested"))]
    IntentRequested {
        /// What it is asked for.
        request: IntentRequest,
    },
    /// Stripe refused to make an intent.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.refused"))]
    IntentRefused {
        /// What it was asked for.
        request: IntentRequest,
        /// What it said.
        error: IntentError,
    },
    /// An intent became known.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.created"))]
    IntentCreated {
        /// Which.
        intent: IntentId,
        /// What it asks for.
        amount: Money,
    },
    /// An intent's status moved.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.changed"))]
    IntentChanged {
        /// Which.
        intent: IntentId,
        /// Its status before.
        before: IntentStatus,
        /// Its status now.
        status: IntentStatus,
        /// Why the last attempt to pay failed, if one did.
        last_error: Option<IntentError>,
    },
    /// Money came that does not fit.
    #[cfg_attr(feature = "serde", serde(rename = "order.anomaly"))]
    AnomalyFound {
        /// What does not fit.
        anomaly: Anomaly,
    },
}

impl Fact {
    /// Its name in the feed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderPlaced { .. } => "order.placed",
            Self::OrderEdited { .. } => "order.edited",
            Self::OrderCanceled { .. } => "order.canceled",
            Self::OrderPaid { .. } => "order.paid",
            Self::IntentRequested { .. } => "payment_intent.requested",
            Self::IntentRefused { .. } => "payment_intent.refused",
            Self::IntentCreated { .. } => "payment_intent.created",
            Self::IntentChanged { .. } => "payment_intent.changed",
            Self::AnomalyFound { .. } => "order.anomaly",
        }
    }
}
