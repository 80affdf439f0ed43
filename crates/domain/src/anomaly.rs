//! Anomalies: money that does not match its order, the policies on it, and notices for a person.

#[cfg(doc)]
use crate::Order;
use crate::{IntentId, Money, Timestamp};

/// Anomaly of an order: money that does not match it, or a notice for a person. Each is recorded once for its intent
/// and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "stored::StoredAnomaly", into = "stored::StoredAnomaly"))]
pub struct Anomaly {
    /// PaymentIntent that the anomaly is about; `None` where it is about the order itself.
    pub intent: Option<IntentId>,
    /// Kind of the anomaly, with the policy on mismatched money.
    pub kind: AnomalyKind,
    /// Details for a person, in most cases a text of Stripe's.
    pub reason: Option<String>,
    /// Time at which it was recorded.
    pub found_at: Timestamp,
    /// Time at which a person accepted the money as the payment of its order ([`Order::accept_payment`]); `None` if nobody
    /// did. [`Mismatch::AmountDiffers`] has the amount that was accepted from then on.
    pub accepted_at: Option<Timestamp>,
}

impl Anomaly {
    /// Anomaly that nobody has decided on yet.
    pub const fn new(intent: Option<IntentId>, kind: AnomalyKind, reason: Option<String>, found_at: Timestamp) -> Self {
        Self { intent, kind, reason, found_at, accepted_at: None }
    }

    /// Amount that was accepted as the payment of the order; `None` if nobody has accepted it.
    pub fn accepted_amount(&self) -> Option<Money> {
        self.accepted_at?;
        self.kind.differing_amounts().map(|(_, received)| received)
    }
}

/// Kind of an [`Anomaly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnomalyKind {
    /// Money that does not match the order, and the policy on it.
    Mismatch {
        /// Difference between the money and the order.
        mismatch: Mismatch,
        /// Policy that was in force when the mismatch was found.
        policy: Policy,
    },
    /// Information for a person. Nothing waits for it, and it has no policy.
    Notice(NoticeKind),
}

/// Money that does not match its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum Mismatch {
    /// The order was canceled before the money was received.
    PaidAfterCancel {
        /// Amount received.
        received: Money,
    },
    /// Another intent had already paid the order.
    SecondPayment {
        /// Amount received by the second payment.
        received: Money,
    },
    /// The amount received is not the order's total.
    AmountDiffers {
        /// Amount due.
        expected: Money,
        /// Amount received.
        received: Money,
    },
    /// The money was received in another currency than the order's.
    WrongCurrency {
        /// Amount due.
        expected: Money,
        /// Amount received.
        received: Money,
    },
    /// The payment is a test payment of a live order, or a live payment of a test order.
    WrongLivemode {
        /// Livemode of the intent.
        live: bool,
    },
    /// Stripe has received less than an event reported: nothing at all where it does not know the intent.
    PaymentNotConfirmed {
        /// Amount received according to events.
        #[cfg_attr(feature = "serde", serde(rename = "told"))]
        reported: Money,
        /// Amount received according to Stripe's answer.
        received: Money,
    },
}

/// Kind of a notice: an occurrence in an order's payments that a person should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum NoticeKind {
    /// A refund was not made, or the customer's bank returned it.
    RefundFailed {
        /// Number of the refund within the order.
        refund: u32,
    },
    /// A refund waits until the shop's balance at Stripe covers it.
    RefundDelayed {
        /// Number of the refund within the order.
        refund: u32,
    },
    /// Stripe has a refund of another amount under the name of one that was requested here, as after a restore from a
    /// backup. It is recorded as a refund of its own; the requested one is still to be made.
    RefundDiffers {
        /// Number of the requested refund.
        refund: u32,
        /// Amount that was requested here.
        requested: Money,
        /// Amount of the refund that Stripe has made.
        made: Money,
    },
    /// Stripe has made a refund that counted as failed and was closed, since its money had gone back in another way: the
    /// customer may have it twice.
    ClosedRefundMade {
        /// Number of the refund within the order.
        refund: u32,
    },
    /// Money that is authorized and not captured will be released within a day.
    AuthorizationExpiring,
    /// Less was captured than is due, in Stripe's dashboard or by another program: the rest of the authorization was
    /// released.
    PartiallyCaptured {
        /// Amount captured, which paid the order.
        captured: Money,
        /// Amount released: the rest of the total.
        released: Money,
    },
    /// Stripe refused to capture the authorized money.
    CaptureFailed,
    /// Stripe no longer knows the intent.
    IntentLost,
    /// The card network or the bank suspects the payment to be fraudulent, before any dispute.
    EarlyFraudWarning,
    /// Stripe or the shop has opened a review of the payment.
    UnderReview,
    /// The review of the payment was closed; the reason says with which result.
    ReviewClosed,
    /// Stripe refused the email address that the reason names: it sends no receipt.
    ReceiptEmailRefused,
}

/// Treatment of money that does not match its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Policy {
    /// The money is refunded, by a task of its own.
    Refund,
    /// The order waits for a person, who refunds the money or accepts it as the payment: until then it does not pay the
    /// order, and the order takes no other payment.
    #[default]
    HoldForReview,
}

variant_names! {
    /// Name in settings, in stored rows and in the API.
    Policy {
        Refund => "refund",
        HoldForReview => "hold_for_review",
    }
}

parsed_by_name! { Policy: "a policy" }

/// Policy on each kind of mismatched money that a shop may choose one for. Money of the wrong mode cannot be refunded
/// with this account's key, so that it is always held for review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// Policy on money for an order that was canceled before.
    pub paid_after_cancel: Policy,
    /// Policy on money for an order that another intent has paid.
    pub second_payment: Policy,
    /// Policy on money of another amount than is due.
    pub amount_differs: Policy,
    /// Policy on money of another currency than is due.
    pub wrong_currency: Policy,
}

impl Policies {
    /// Default policies: money that is not due is refunded, and money of an unexpected amount is held for review.
    pub const DEFAULT: Self = Self {
        paid_after_cancel: Policy::Refund,
        second_payment: Policy::Refund,
        amount_differs: Policy::HoldForReview,
        wrong_currency: Policy::HoldForReview,
    };

    /// Policy on `mismatch`.
    pub const fn on(&self, mismatch: Mismatch) -> Policy {
        match mismatch {
            Mismatch::PaidAfterCancel { .. } => self.paid_after_cancel,
            Mismatch::SecondPayment { .. } => self.second_payment,
            Mismatch::AmountDiffers { .. } => self.amount_differs,
            Mismatch::WrongCurrency { .. } => self.wrong_currency,
            Mismatch::WrongLivemode { .. } | Mismatch::PaymentNotConfirmed { .. } => Policy::HoldForReview,
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::DEFAULT
    }
}

variant_names! {
    /// Name in the API, in stored rows and in logs.
    pub Mismatch::name, NAMES {
        PaidAfterCancel => "paid_after_cancel",
        SecondPayment => "second_payment",
        AmountDiffers => "amount_differs",
        WrongCurrency => "wrong_currency",
        WrongLivemode => "wrong_livemode",
        PaymentNotConfirmed => "payment_not_confirmed",
    }
}

variant_names! {
    /// Name in the API, in stored rows and in logs.
    pub NoticeKind::name, NAMES {
        RefundFailed => "refund_failed",
        RefundDelayed => "refund_delayed",
        RefundDiffers => "refund_differs",
        ClosedRefundMade => "closed_refund_made",
        AuthorizationExpiring => "authorization_expiring",
        PartiallyCaptured => "partially_captured",
        CaptureFailed => "capture_failed",
        IntentLost => "intent_lost",
        EarlyFraudWarning => "early_fraud_warning",
        UnderReview => "under_review",
        ReviewClosed => "review_closed",
        ReceiptEmailRefused => "receipt_email_refused",
    }
}

impl NoticeKind {
    /// Number of the refund that the notice is about.
    pub const fn refund(self) -> Option<u32> {
        match self {
            Self::RefundFailed { refund }
            | Self::RefundDelayed { refund }
            | Self::RefundDiffers { refund, .. }
            | Self::ClosedRefundMade { refund } => Some(refund),
            Self::AuthorizationExpiring
            | Self::PartiallyCaptured { .. }
            | Self::CaptureFailed
            | Self::IntentLost
            | Self::EarlyFraudWarning
            | Self::UnderReview
            | Self::ReviewClosed
            | Self::ReceiptEmailRefused => None,
        }
    }
}

/// Policy of a notice in stored rows and in the API, where notices and mismatches have the same columns and fields.
const TELL: &str = "tell";

impl AnomalyKind {
    /// Name in the API, in stored rows and in logs.
    pub const fn name(self) -> &'static str {
        self.details().name()
    }

    /// Name of the policy in the API and in stored rows: `tell` for a notice.
    pub const fn policy_name(self) -> &'static str {
        match self {
            Self::Mismatch { policy, .. } => policy.name(),
            Self::Notice(_) => TELL,
        }
    }

    /// Stored form of the kind, beside [`Self::policy_name`].
    pub const fn details(self) -> AnomalyDetails {
        match self {
            Self::Mismatch { mismatch, .. } => AnomalyDetails::Mismatch(mismatch),
            Self::Notice(notice) => AnomalyDetails::Notice(notice),
        }
    }

    /// Restores the kind from its stored form; `None` where no policy has that name.
    ///
    /// A mismatch under `tell` and a notice under another policy are read too, although no version has stored them: the
    /// first neither holds its order nor is it refunded again, and the second is a notice.
    pub fn restore(details: AnomalyDetails, policy: &str) -> Option<Self> {
        let policy = if policy == TELL { Policy::Refund } else { Policy::named(policy)? };
        Some(match details {
            AnomalyDetails::Mismatch(mismatch) => Self::Mismatch { mismatch, policy },
            AnomalyDetails::Notice(notice) => Self::Notice(notice),
        })
    }

    /// Number of the refund that the anomaly is about: see [`NoticeKind::refund`].
    pub const fn refund(self) -> Option<u32> {
        match self {
            Self::Mismatch { .. } => None,
            Self::Notice(notice) => notice.refund(),
        }
    }

    /// Amounts due and received of money that differs in its amount alone.
    pub(crate) const fn differing_amounts(self) -> Option<(Money, Money)> {
        match self {
            Self::Mismatch { mismatch: Mismatch::AmountDiffers { expected, received }, .. } => {
                Some((expected, received))
            }
            Self::Mismatch {
                mismatch:
                    Mismatch::PaidAfterCancel { .. }
                    | Mismatch::SecondPayment { .. }
                    | Mismatch::WrongCurrency { .. }
                    | Mismatch::WrongLivemode { .. }
                    | Mismatch::PaymentNotConfirmed { .. },
                ..
            }
            | Self::Notice(_) => None,
        }
    }

    /// Whether `other` is a repetition of the same anomaly. Amounts and policies may differ.
    pub(crate) fn is_same(self, other: Self) -> bool {
        self.name() == other.name() && self.refund() == other.refund()
    }
}

/// Stored form of an [`AnomalyKind`], without the policy, which has a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum AnomalyDetails {
    /// Money that does not match the order.
    Mismatch(Mismatch),
    /// Information for a person.
    Notice(NoticeKind),
}

impl AnomalyDetails {
    /// Name in the API, in stored rows and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mismatch(mismatch) => mismatch.name(),
            Self::Notice(notice) => notice.name(),
        }
    }
}

#[cfg(feature = "serde")]
mod stored {
    use super::{Anomaly, AnomalyDetails, AnomalyKind, IntentId, Policy, TELL, Timestamp};

    /// Stored form of an anomaly in a fact.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct StoredAnomaly {
        intent: Option<IntentId>,
        kind: AnomalyDetails,
        /// Absent in facts that were stored before there was a choice of policies.
        #[serde(default = "hold_for_review")]
        policy: String,
        #[serde(default)]
        reason: Option<String>,
        found_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted_at: Option<Timestamp>,
    }

    fn hold_for_review() -> String {
        Policy::default().name().to_owned()
    }

    impl From<Anomaly> for StoredAnomaly {
        fn from(anomaly: Anomaly) -> Self {
            let Anomaly { intent, kind, reason, found_at, accepted_at } = anomaly;
            Self { intent, kind: kind.details(), policy: kind.policy_name().to_owned(), reason, found_at, accepted_at }
        }
    }

    impl TryFrom<StoredAnomaly> for Anomaly {
        type Error = String;

        fn try_from(stored: StoredAnomaly) -> Result<Self, String> {
            let StoredAnomaly { intent, kind, policy, reason, found_at, accepted_at } = stored;
            let unknown = || {
                let [refund, hold] = [Policy::Refund, Policy::HoldForReview].map(Policy::name);
                format!("the policy of an anomaly must be `{refund}`, `{hold}` or `{TELL}`")
            };
            let kind = AnomalyKind::restore(kind, &policy).ok_or_else(unknown)?;
            Ok(Self { intent, kind, reason, found_at, accepted_at })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::usd;

    #[test]
    fn every_stored_policy_is_restored_and_an_unknown_one_is_refused() {
        let mismatch = Mismatch::AmountDiffers { expected: usd(2), received: usd(1) };
        let money = AnomalyDetails::Mismatch(mismatch);
        let under = |policy| Some(AnomalyKind::Mismatch { mismatch, policy });
        let notice = AnomalyDetails::Notice(NoticeKind::CaptureFailed);
        let is_notice = Some(AnomalyKind::Notice(NoticeKind::CaptureFailed));
        for (details, policy, expected) in [
            (money, "refund", under(Policy::Refund)),
            (money, "hold_for_review", under(Policy::HoldForReview)),
            (money, "tell", under(Policy::Refund)),
            (money, "", None),
            (notice, "tell", is_notice),
            (notice, "hold_for_review", is_notice),
            (notice, "refund", is_notice),
            (notice, "Tell", None),
        ] {
            assert_eq!(AnomalyKind::restore(details, policy), expected, "{details:?} {policy}");
        }
    }
}
