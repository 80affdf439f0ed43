use crate::{
    Anomaly, CancelReason, DisputeId, DisputeStatus, IntentError, IntentId, IntentRequest, IntentStatus, Money,
    ProviderFailure, ProviderRequest, RefundFailure, RefundId, RefundOrigin, RefundStatus,
};

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
    /// Stripe is about to be asked to do something to an intent.
    #[cfg_attr(feature = "serde", serde(rename = "operation.requested"))]
    OperationRequested {
        /// Its number.
        operation: u32,
        /// What: `edit`, `cancel` or `capture`.
        name: String,
        /// To which intent.
        intent: IntentId,
        /// The new amount of an edit, or what is to be captured.
        amount: Option<Money>,
    },
    /// What was to be done to an intent was refused, or came too late: the order stays as it was.
    #[cfg_attr(feature = "serde", serde(rename = "operation.dropped"))]
    OperationDropped {
        /// Its number.
        operation: u32,
        /// What: `edit`, `cancel` or `capture`.
        name: String,
        /// Why.
        error: IntentError,
    },
    /// Stripe definitely failed at a request, which is made again under a new idempotency key. A refusal that ends a
    /// request is another fact: [`Self::IntentRefused`], [`Self::OperationDropped`] or [`Self::RefundChanged`].
    #[cfg_attr(feature = "serde", serde(rename = "stripe.request_failed"))]
    RequestFailed {
        /// Request that failed.
        request: ProviderRequest,
        /// Failure, as Stripe answered it.
        failure: ProviderFailure,
    },
    /// Money that was authorised is no longer: it was not captured in time, or was released.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.authorization_ended"))]
    AuthorizationEnded {
        /// By which intent.
        intent: IntentId,
    },
    /// Stripe has answered that a payment was received that only an event had told of.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.confirmed"))]
    PaymentConfirmed {
        /// By which intent.
        intent: IntentId,
        /// What was received.
        received: Money,
    },
    /// What came of a payment on the shop's balance at Stripe is known.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.proceeds_known"))]
    ProceedsKnown {
        /// By which intent.
        intent: IntentId,
        /// What was paid, in the currency of the balance.
        gross: Money,
        /// What Stripe keeps of it.
        fee: Money,
    },
    /// Money is to go back, or was found to go back.
    #[cfg_attr(feature = "serde", serde(rename = "refund.requested"))]
    RefundRequested {
        /// Its number.
        refund: u32,
        /// Whose money.
        intent: IntentId,
        /// How much.
        amount: Money,
        /// Who wanted it.
        origin: RefundOrigin,
    },
    /// A refund moved.
    #[cfg_attr(feature = "serde", serde(rename = "refund.changed"))]
    RefundChanged {
        /// Its number.
        refund: u32,
        /// Its name at Stripe.
        provider_id: Option<RefundId>,
        /// Its status before.
        before: RefundStatus,
        /// Its status now.
        status: RefundStatus,
        /// Why it failed, if it did.
        failure: Option<RefundFailure>,
    },
    /// A card holder disputes the payment.
    #[cfg_attr(feature = "serde", serde(rename = "dispute.opened"))]
    DisputeOpened {
        /// Its name at Stripe.
        dispute: DisputeId,
        /// Whose money.
        intent: IntentId,
        /// How much.
        amount: Money,
        /// Why, in the bank's word.
        reason: String,
        /// Where it stands.
        status: DisputeStatus,
    },
    /// A dispute moved.
    #[cfg_attr(feature = "serde", serde(rename = "dispute.changed"))]
    DisputeChanged {
        /// Its name at Stripe.
        dispute: DisputeId,
        /// Its status before.
        before: DisputeStatus,
        /// Its status now.
        status: DisputeStatus,
        /// Whether its money was taken from the shop's balance.
        withdrawn: bool,
        /// Whether it was put back.
        reinstated: bool,
    },
    /// Something about the money is not as it should be.
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
            Self::OperationRequested { .. } => "operation.requested",
            Self::OperationDropped { .. } => "operation.dropped",
            Self::RequestFailed { .. } => "stripe.request_failed",
            Self::AuthorizationEnded { .. } => "payment_intent.authorization_ended",
            Self::PaymentConfirmed { .. } => "payment_intent.confirmed",
            Self::ProceedsKnown { .. } => "payment_intent.proceeds_known",
            Self::RefundRequested { .. } => "refund.requested",
            Self::RefundChanged { .. } => "refund.changed",
            Self::DisputeOpened { .. } => "dispute.opened",
            Self::DisputeChanged { .. } => "dispute.changed",
            Self::AnomalyFound { .. } => "order.anomaly",
        }
    }
}
