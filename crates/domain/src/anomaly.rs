use crate::{IntentId, Money, Timestamp};

/// Money that does not fit its order, and what is done about it. Each is recorded once for an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Anomaly {
    /// The intent that the money came by.
    pub intent: IntentId,
    /// What does not fit.
    pub kind: AnomalyKind,
    /// When it was found.
    pub found_at: Timestamp,
}

/// The ways in which money does not fit its order.
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
        /// The order's total.
        expected: Money,
        /// What was received.
        received: Money,
    },
    /// It was received in another currency than the order's.
    WrongCurrency {
        /// The order's total.
        expected: Money,
        /// What was received.
        received: Money,
    },
    /// A test payment for a live order, or the reverse.
    WrongLivemode {
        /// Whether the intent was live.
        live: bool,
    },
}

/// What is done about an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The money goes back, by a task of its own.
    Refund,
    /// A person decides; the order is not paid, and takes no other payment meanwhile.
    HoldForReview,
}

impl AnomalyKind {
    /// What is done about it.
    pub const fn policy(self) -> Policy {
        match self {
            Self::PaidAfterCancel { .. } | Self::SecondPayment { .. } => Policy::Refund,
            Self::AmountDiffers { .. } | Self::WrongCurrency { .. } | Self::WrongLivemode { .. } => {
                Policy::HoldForReview
            }
        }
    }

    /// Its name in the API, in stored rows and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaidAfterCancel { .. } => "paid_after_cancel",
            Self::SecondPayment { .. } => "second_payment",
            Self::AmountDiffers { .. } => "amount_differs",
            Self::WrongCurrency { .. } => "wrong_currency",
            Self::WrongLivemode { .. } => "wrong_livemode",
        }
    }
}
