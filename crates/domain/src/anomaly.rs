use crate::{IntentId, Money, Timestamp};

/// Something about an order's money that is not as it should be, and what is done about it. Each is recorded
/// once for its intent and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Anomaly {
    /// The intent that it is about; none where it is about the order as such.
    pub intent: Option<IntentId>,
    /// What is wrong.
    pub kind: AnomalyKind,
    /// What is done about it, by the policies in force when it was found.
    #[cfg_attr(feature = "serde", serde(default))]
    pub policy: Policy,
    /// More about it, for people: Stripe's own word mostly.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason: Option<String>,
    /// When it was found.
    pub found_at: Timestamp,
}

/// What can be wrong with an order's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum AnomalyKind {
    /// The order was canceled before the money came.
    PaidAfterCancel {
        /// What was received.
        received: Money,
    },
    /// Another intent had paid the order already.
    SecondPayment {
        /// What was received the second time.
        received: Money,
    },
    /// More or less was received than the order's total.
    AmountDiffers {
        /// What should have been received.
        expected: Money,
        /// What was received.
        received: Money,
    },
    /// It was received in another currency than the order's.
    WrongCurrency {
        /// What should have been received.
        expected: Money,
        /// What was received.
        received: Money,
    },
    /// A test payment for a live order, or the reverse.
    WrongLivemode {
        /// Whether the intent was live.
        live: bool,
    },
    /// A refund was not made, or the customer's bank has sent it back.
    RefundFailed {
        /// Its number.
        refund: u32,
    },
    /// A refund waits for the shop's balance at Stripe.
    RefundDelayed {
        /// Its number.
        refund: u32,
    },
    /// Stripe has made a refund under the name of one that was requested here with another amount, as after a restore
    /// from a backup. It is in the books as a refund of its own; the requested one is still to be made.
    RefundDiffers {
        /// Number of the requested refund.
        refund: u32,
        /// Amount that was requested here.
        requested: Money,
        /// Amount of the refund that Stripe has made.
        made: Money,
    },
    /// Stripe has less of a payment than an event told: none at all where it does not know the payment.
    PaymentNotConfirmed {
        /// What an event told to be received.
        told: Money,
        /// What Stripe has answered to be received.
        received: Money,
    },
    /// Money that is authorised and not captured will be released within a day.
    AuthorizationExpiring,
    /// Less was captured than is due, in Stripe's dashboard or by another program: the rest of the authorisation was
    /// released.
    PartiallyCaptured {
        /// What was captured, and paid the order.
        captured: Money,
        /// What was released: the rest of the total.
        released: Money,
    },
    /// Stripe would not capture what was authorised.
    CaptureFailed,
    /// Stripe does not know the intent any more.
    IntentLost,
    /// The bank warns that the payment may be a fraud, before any dispute.
    EarlyFraudWarning,
    /// Stripe holds the payment for a look of its own or of the shop.
    UnderReview,
    /// That look is over; the reason says how.
    ReviewClosed,
    /// Stripe does not take the e-mail address that the reason names: no receipt is sent to it.
    ReceiptEmailRefused,
}

/// What is done about an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Policy {
    /// The money goes back, by a task of its own.
    Refund,
    /// A person decides; the order is not paid by it, and takes no other payment until the money has gone back.
    #[default]
    HoldForReview,
    /// A person is told; nothing waits.
    Tell,
}

impl Policy {
    /// Its name in settings and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::HoldForReview => "hold_for_review",
            Self::Tell => "tell",
        }
    }

    /// The policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Refund, Self::HoldForReview, Self::Tell].into_iter().find(|it| it.name() == name)
    }
}

/// What is done about each kind of money that does not fit. A shop may choose for all but money of the wrong
/// mode, which this account cannot give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// Money for an order that was canceled before.
    pub paid_after_cancel: Policy,
    /// Money for an order that another intent has paid.
    pub second_payment: Policy,
    /// Money of another amount than was due.
    pub amount_differs: Policy,
    /// Money of another currency than was due.
    pub wrong_currency: Policy,
}

impl Policies {
    /// What nobody wants goes back; what nobody expected waits for a person.
    pub const DEFAULT: Self = Self {
        paid_after_cancel: Policy::Refund,
        second_payment: Policy::Refund,
        amount_differs: Policy::HoldForReview,
        wrong_currency: Policy::HoldForReview,
    };

    /// What is done about `kind`.
    pub const fn on(&self, kind: AnomalyKind) -> Policy {
        match kind {
            AnomalyKind::PaidAfterCancel { .. } => self.paid_after_cancel,
            AnomalyKind::SecondPayment { .. } => self.second_payment,
            AnomalyKind::AmountDiffers { .. } => self.amount_differs,
            AnomalyKind::WrongCurrency { .. } => self.wrong_currency,
            AnomalyKind::WrongLivemode { .. } | AnomalyKind::PaymentNotConfirmed { .. } => Policy::HoldForReview,
            AnomalyKind::RefundFailed { .. }
            | AnomalyKind::RefundDelayed { .. }
            | AnomalyKind::RefundDiffers { .. }
            | AnomalyKind::AuthorizationExpiring
            | AnomalyKind::PartiallyCaptured { .. }
            | AnomalyKind::CaptureFailed
            | AnomalyKind::IntentLost
            | AnomalyKind::EarlyFraudWarning
            | AnomalyKind::UnderReview
            | AnomalyKind::ReviewClosed
            | AnomalyKind::ReceiptEmailRefused => Policy::Tell,
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AnomalyKind {
    /// Its name in the API, in stored rows and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaidAfterCancel { .. } => "paid_after_cancel",
            Self::SecondPayment { .. } => "second_payment",
            Self::AmountDiffers { .. } => "amount_differs",
            Self::WrongCurrency { .. } => "wrong_currency",
            Self::WrongLivemode { .. } => "wrong_livemode",
            Self::RefundFailed { .. } => "refund_failed",
            Self::RefundDelayed { .. } => "refund_delayed",
            Self::RefundDiffers { .. } => "refund_differs",
            Self::PaymentNotConfirmed { .. } => "payment_not_confirmed",
            Self::AuthorizationExpiring => "authorization_expiring",
            Self::PartiallyCaptured { .. } => "partially_captured",
            Self::CaptureFailed => "capture_failed",
            Self::IntentLost => "intent_lost",
            Self::EarlyFraudWarning => "early_fraud_warning",
            Self::UnderReview => "under_review",
            Self::ReviewClosed => "review_closed",
            Self::ReceiptEmailRefused => "receipt_email_refused",
        }
    }

    /// Whether `other` is the same trouble, told again: amounts may have grown.
    pub(crate) fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::RefundFailed { refund }, Self::RefundFailed { refund: again })
            | (Self::RefundDelayed { refund }, Self::RefundDelayed { refund: again })
            | (Self::RefundDiffers { refund, .. }, Self::RefundDiffers { refund: again, .. }) => refund == again,
            (_, _) => self.name() == other.name(),
        }
    }
}
