use crate::Fact;

/// Type of an event in the feed: a kind of fact that other programs receive, or of an event about the account, which is a
/// fact of no order. Facts of other kinds are internal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedEventType {
    /// The order was placed.
    OrderPlaced,
    /// The order's content changed.
    OrderEdited,
    /// The order was paid in full.
    OrderPaid,
    /// The order was canceled.
    OrderCanceled,
    /// An anomaly was recorded.
    OrderAnomaly,
    /// A PaymentIntent was created.
    IntentCreated,
    /// A PaymentIntent's status changed.
    IntentChanged,
    /// Stripe's answer confirmed a payment that only events of Stripe had reported.
    IntentConfirmed,
    /// Money of another amount than was due was accepted as the payment.
    PaymentAccepted,
    /// An authorization ended without a capture.
    AuthorizationEnded,
    /// A refund was requested.
    RefundRequested,
    /// A refund's status changed.
    RefundChanged,
    /// A failed refund was closed.
    RefundClosed,
    /// A payment was disputed.
    DisputeOpened,
    /// A dispute's status changed, or its money was moved.
    DisputeChanged,
    /// The books and Stripe say different things.
    BooksBreak,
    /// A payout is expected to have arrived at the bank.
    PayoutPaid,
    /// The bank returned a payout.
    PayoutFailed,
}

variant_names! {
    /// Name of the type in the feed: [`Fact::kind`] of its facts, if it has any.
    FeedEventType {
        OrderPlaced => "order.placed",
        OrderEdited => "order.edited",
        OrderPaid => "order.paid",
        OrderCanceled => "order.canceled",
        OrderAnomaly => "order.anomaly",
        IntentCreated => "payment_intent.created",
        IntentChanged => "payment_intent.changed",
        IntentConfirmed => "payment_intent.confirmed",
        PaymentAccepted => "payment_intent.accepted",
        AuthorizationEnded => "payment_intent.authorization_ended",
        RefundRequested => "refund.requested",
        RefundChanged => "refund.changed",
        RefundClosed => "refund.closed",
        DisputeOpened => "dispute.opened",
        DisputeChanged => "dispute.changed",
        BooksBreak => "books.break",
        PayoutPaid => "payout.paid",
        PayoutFailed => "payout.failed",
    }
}

parsed_by_name! { FeedEventType: "a type of feed event" }

impl FeedEventType {
    /// Whether events of this type are about the account, and not about an order.
    pub const fn is_of_account(self) -> bool {
        match self {
            Self::BooksBreak | Self::PayoutPaid | Self::PayoutFailed => true,
            Self::OrderPlaced
            | Self::OrderEdited
            | Self::OrderPaid
            | Self::OrderCanceled
            | Self::OrderAnomaly
            | Self::IntentCreated
            | Self::IntentChanged
            | Self::IntentConfirmed
            | Self::PaymentAccepted
            | Self::AuthorizationEnded
            | Self::RefundRequested
            | Self::RefundChanged
            | Self::RefundClosed
            | Self::DisputeOpened
            | Self::DisputeChanged => false,
        }
    }

    /// Type of the event that `fact` is in the feed; `None` if the fact is internal.
    pub fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::OrderPlaced { .. } => Some(Self::OrderPlaced),
            Fact::OrderEdited { .. } => Some(Self::OrderEdited),
            Fact::OrderPaid { .. } => Some(Self::OrderPaid),
            Fact::OrderCanceled { .. } => Some(Self::OrderCanceled),
            Fact::AnomalyFound { .. } => Some(Self::OrderAnomaly),
            Fact::IntentCreated { .. } => Some(Self::IntentCreated),
            // Another error with the same status is not a change for other programs.
            Fact::IntentChanged { before, status, .. } => (before != status).then_some(Self::IntentChanged),
            Fact::PaymentConfirmed { .. } => Some(Self::IntentConfirmed),
            Fact::PaymentAccepted { .. } => Some(Self::PaymentAccepted),
            Fact::AuthorizationEnded { .. } => Some(Self::AuthorizationEnded),
            Fact::RefundRequested { .. } => Some(Self::RefundRequested),
            Fact::RefundChanged { .. } => Some(Self::RefundChanged),
            Fact::RefundClosed { .. } => Some(Self::RefundClosed),
            Fact::DisputeOpened { .. } => Some(Self::DisputeOpened),
            Fact::DisputeChanged { .. } => Some(Self::DisputeChanged),
            Fact::IntentRequested { .. }
            | Fact::IntentRefused { .. }
            | Fact::OperationRequested { .. }
            | Fact::OperationDropped { .. }
            | Fact::RequestFailed { .. }
            | Fact::ProceedsKnown { .. } => None,
        }
    }
}
