//! Facts of an order, and the facts that are public in a feed.

mod feed_event;

pub use self::feed_event::FeedEventType;

use crate::anomaly::Anomaly;
use crate::dispute::DisputeStatus;
use crate::id::{DisputeId, RefundId};
use crate::intent::{IntentError, IntentRequest, IntentStatus};
use crate::order::CancelReason;
use crate::refund::{RefundFailure, RefundOrigin, RefundStatus};
use crate::task::{ProviderFailure, ProviderRequest};
use crate::text::Note;
use crate::{IntentId, Money};

/// Entry in the history of an order: something that happened to it. Facts are stored in the commit of the state that
/// they led to, and never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", remote = "Self"))]
pub enum Fact {
    /// The order was placed.
    #[cfg_attr(feature = "serde", serde(rename = "order.placed"))]
    OrderPlaced {
        /// Amount due.
        total: Money,
    },
    /// The order's content changed.
    #[cfg_attr(feature = "serde", serde(rename = "order.edited"))]
    OrderEdited {
        /// Amount due before.
        before: Money,
        /// Amount due now.
        total: Money,
        /// Revision that the edit made.
        revision: u32,
    },
    /// The order was canceled.
    #[cfg_attr(feature = "serde", serde(rename = "order.canceled"))]
    OrderCanceled {
        /// Reason of the cancellation.
        reason: CancelReason,
    },
    /// The order was paid in full. Recorded once at most.
    #[cfg_attr(feature = "serde", serde(rename = "order.paid"))]
    OrderPaid {
        /// PaymentIntent that paid the order.
        by: IntentId,
        /// Amount received.
        amount: Money,
    },
    /// A person accepted the money of a PaymentIntent as the payment of the order, although it is not the amount due.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.accepted"))]
    PaymentAccepted {
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// Amount due.
        expected: Money,
        /// Amount received, which was accepted.
        received: Money,
        /// Why it was accepted.
        note: Note,
    },
    /// A PaymentIntent request was committed; it is sent to Stripe next.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.requested"))]
    IntentRequested {
        /// Committed request.
        request: IntentRequest,
    },
    /// Stripe refused to create a PaymentIntent.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.refused"))]
    IntentRefused {
        /// Refused request.
        request: IntentRequest,
        /// Error of Stripe's answer.
        error: IntentError,
    },
    /// A PaymentIntent became known.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.created"))]
    IntentCreated {
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// Amount of the PaymentIntent.
        amount: Money,
    },
    /// A PaymentIntent's status or its last error changed.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.changed"))]
    IntentChanged {
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// Status before.
        before: IntentStatus,
        /// Status now.
        status: IntentStatus,
        /// Error of the last attempt to pay, if it failed.
        last_error: Option<IntentError>,
    },
    /// An operation on a PaymentIntent was committed; it is sent to Stripe next.
    #[cfg_attr(feature = "serde", serde(rename = "operation.requested"))]
    OperationRequested {
        /// Number of the operation within the order.
        operation: u32,
        /// Kind of the operation: `edit`, `cancel` or `capture`.
        name: String,
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// New amount of an edit, or amount to capture.
        amount: Option<Money>,
    },
    /// An operation was refused, or overtaken by another change of the PaymentIntent: the order stays as it was.
    #[cfg_attr(feature = "serde", serde(rename = "operation.dropped"))]
    OperationDropped {
        /// Number of the operation within the order.
        operation: u32,
        /// Kind of the operation: `edit`, `cancel` or `capture`.
        name: String,
        /// Error of Stripe's answer, or the change that overtook the operation.
        error: IntentError,
    },
    /// Stripe definitely failed at a request, which is made again under a new idempotency key. A refusal that ends a
    /// request is another fact: [`Self::IntentRefused`], [`Self::OperationDropped`] or [`Self::RefundChanged`].
    ///
    /// Stored in the form of that other fact, with the code of an exhausted key, so that every release reads it.
    #[cfg_attr(feature = "serde", serde(skip))]
    RequestFailed {
        /// Request that failed.
        request: ProviderRequest,
        /// Failure, as Stripe answered it.
        failure: ProviderFailure,
    },
    /// An authorization ended without a capture: it expired, or was released.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.authorization_ended"))]
    AuthorizationEnded {
        /// Id of the PaymentIntent.
        intent: IntentId,
    },
    /// Stripe's answer confirmed a payment that only events had reported until then.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.confirmed"))]
    PaymentConfirmed {
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// Amount received.
        received: Money,
    },
    /// The balance transaction of a payment became known: its amount and fee on the shop's balance at Stripe.
    #[cfg_attr(feature = "serde", serde(rename = "payment_intent.proceeds_known"))]
    ProceedsKnown {
        /// Id of the PaymentIntent.
        intent: IntentId,
        /// Amount paid, in the currency of the balance.
        gross: Money,
        /// Stripe's fee, in the same currency.
        fee: Money,
    },
    /// A refund was committed, and is sent to Stripe next; or one that was made elsewhere became known.
    #[cfg_attr(feature = "serde", serde(rename = "refund.requested"))]
    RefundRequested {
        /// Number of the refund within the order.
        refund: u32,
        /// PaymentIntent that is refunded.
        intent: IntentId,
        /// Amount to refund.
        amount: Money,
        /// Origin of the refund.
        origin: RefundOrigin,
    },
    /// A refund's status changed.
    #[cfg_attr(feature = "serde", serde(rename = "refund.changed"))]
    RefundChanged {
        /// Number of the refund within the order.
        refund: u32,
        /// Stripe's id of the refund (`re_…`), once it is known.
        provider_id: Option<RefundId>,
        /// Status before.
        before: RefundStatus,
        /// Status now.
        status: RefundStatus,
        /// Reason of a failure.
        failure: Option<RefundFailure>,
    },
    /// A person closed a failed refund: its money went back in another way than by Stripe.
    #[cfg_attr(feature = "serde", serde(rename = "refund.closed"))]
    RefundClosed {
        /// Number of the refund within the order.
        refund: u32,
        /// Stripe's id of the refund (`re_…`), if it has one.
        provider_id: Option<RefundId>,
        /// PaymentIntent whose money it was.
        intent: IntentId,
        /// Amount that went back in another way.
        amount: Money,
        /// Note of where it went.
        note: Note,
    },
    /// The cardholder disputed a payment.
    #[cfg_attr(feature = "serde", serde(rename = "dispute.opened"))]
    DisputeOpened {
        /// Stripe's id of the dispute (`du_…`).
        dispute: DisputeId,
        /// PaymentIntent that is disputed.
        intent: IntentId,
        /// Disputed amount.
        amount: Money,
        /// Reason that the cardholder's bank gave.
        reason: String,
        /// Status of the dispute.
        status: DisputeStatus,
    },
    /// A dispute's status changed, or its money was moved.
    #[cfg_attr(feature = "serde", serde(rename = "dispute.changed"))]
    DisputeChanged {
        /// Stripe's id of the dispute (`du_…`).
        dispute: DisputeId,
        /// Status before.
        before: DisputeStatus,
        /// Status now.
        status: DisputeStatus,
        /// Whether the disputed amount was withdrawn from the shop's balance.
        withdrawn: bool,
        /// Whether the disputed amount was reinstated.
        reinstated: bool,
    },
    /// An anomaly was recorded: money that does not match the order, or a notice.
    #[cfg_attr(feature = "serde", serde(rename = "order.anomaly"))]
    AnomalyFound {
        /// Recorded anomaly.
        anomaly: Anomaly,
    },
}

impl Fact {
    /// Stored name of the fact, also shown in the API.
    pub const fn kind(&self) -> &'static str {
        let Self::RequestFailed { request, .. } = self else { return self.variant_name() };
        match request {
            ProviderRequest::PaymentIntent(_) => "payment_intent.refused",
            ProviderRequest::Operation { .. } => "operation.dropped",
            ProviderRequest::Refund { .. } => "refund.changed",
        }
    }
}

variant_names! {
    /// Name of the variant: [`Self::kind`] of each fact that is stored under a name of its own.
    Fact::variant_name {
        OrderPlaced => "order.placed",
        OrderEdited => "order.edited",
        OrderCanceled => "order.canceled",
        OrderPaid => "order.paid",
        PaymentAccepted => "payment_intent.accepted",
        IntentRequested => "payment_intent.requested",
        IntentRefused => "payment_intent.refused",
        IntentCreated => "payment_intent.created",
        IntentChanged => "payment_intent.changed",
        OperationRequested => "operation.requested",
        OperationDropped => "operation.dropped",
        RequestFailed => "request_failed",
        AuthorizationEnded => "payment_intent.authorization_ended",
        PaymentConfirmed => "payment_intent.confirmed",
        ProceedsKnown => "payment_intent.proceeds_known",
        RefundRequested => "refund.requested",
        RefundChanged => "refund.changed",
        RefundClosed => "refund.closed",
        DisputeOpened => "dispute.opened",
        DisputeChanged => "dispute.changed",
        AnomalyFound => "order.anomaly",
    }
}

#[cfg(feature = "serde")]
mod stored {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Fact, IntentError, ProviderFailure, ProviderRequest, RefundFailure, RefundStatus};

    /// Fact of a failed request in the form of a fact that the releases before it know.
    fn form_of(request: &ProviderRequest, failure: &ProviderFailure) -> Fact {
        let error = IntentError::from(failure.clone());
        match request.clone() {
            ProviderRequest::PaymentIntent(request) => Fact::IntentRefused { request, error },
            ProviderRequest::Operation { operation, name } => Fact::OperationDropped { operation, name, error },
            ProviderRequest::Refund { refund } => Fact::RefundChanged {
                refund,
                provider_id: None,
                before: RefundStatus::Requested,
                status: RefundStatus::Requested,
                failure: Some(RefundFailure::from(failure)),
            },
        }
    }

    /// The fact that was stored in this form.
    fn restored(form: Fact) -> Fact {
        let is_exhausted = |error: &IntentError| {
            let failure = ProviderFailure::from(error.clone());
            matches!(failure, ProviderFailure::KeyExhausted)
        };
        let is_of_refund = |status: RefundStatus, failure: &Option<RefundFailure>| {
            (status, failure) == (RefundStatus::Requested, &Some(RefundFailure::KeyExhausted))
        };
        let request = if let Fact::IntentRefused { request, error } = &form
            && is_exhausted(error)
        {
            ProviderRequest::PaymentIntent(*request)
        } else if let Fact::OperationDropped { operation, name, error } = &form
            && is_exhausted(error)
        {
            ProviderRequest::Operation { operation: *operation, name: name.clone() }
        } else if let Fact::RefundChanged { refund, status, failure, .. } = &form
            && is_of_refund(*status, failure)
        {
            ProviderRequest::Refund { refund: *refund }
        } else {
            return form;
        };
        Fact::RequestFailed { request, failure: ProviderFailure::KeyExhausted }
    }

    impl Serialize for Fact {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if let Self::RequestFailed { request, failure } = self {
                return Fact::serialize(&form_of(request, failure), serializer);
            }
            Fact::serialize(self, serializer)
        }
    }

    impl<'de> Deserialize<'de> for Fact {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Fact::deserialize(deserializer).map(restored)
        }
    }
}
