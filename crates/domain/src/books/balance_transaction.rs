use thiserror::Error;

use super::{ReportingCategory, SignedMoney};
use crate::id::{BalanceTransactionId, DisputeId, PayoutId, RefundId};
use crate::money::MoneyError;
use crate::{IntentId, Timestamp};

/// Movement of the shop's balance at Stripe, as Stripe's API reports it ("The Balance Transaction object"). Only the
/// availability of a balance transaction changes later; it is not part of this value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BalanceTransaction {
    /// Stripe's id of the balance transaction (`txn_…`).
    pub id: BalanceTransactionId,
    /// Time at which Stripe created it, in whole seconds.
    pub created: Timestamp,
    /// Category for accounting.
    pub category: ReportingCategory,
    /// Balance that it moves.
    pub balance: BalanceType,
    /// Gross amount in the currency of the balance; positive if the balance grows.
    pub amount: SignedMoney,
    /// Fee, in the same currency; positive if Stripe charges it.
    pub fee: SignedMoney,
    /// Net amount, by which the balance moves: `amount` less `fee`.
    pub net: SignedMoney,
    /// Parts of the fee; they add up to `fee`.
    pub fees: Vec<Fee>,
    /// Description by Stripe; may be empty. Only the description tells kinds of [`ReportingCategory::Fee`] apart.
    pub description: String,
    /// Object that caused it.
    pub source: Source,
    /// Gross amount in the currency of the payment, refund or dispute, if that is another one than that of the balance.
    pub presented: Option<SignedMoney>,
}

/// Balance of an account at Stripe. Each has a sum of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BalanceType {
    /// Ordinary balance, from which payouts are made.
    Payments,
    /// Reserve that Stripe holds against losses.
    RiskReserved,
    /// Amounts that the shop has added for future refunds and disputes.
    RefundAndDisputePrefunding,
    /// Balance of issued cards.
    Issuing,
}

variant_names! {
    /// Stripe's name of the balance.
    BalanceType {
        Payments => "payments",
        RiskReserved => "risk_reserved",
        RefundAndDisputePrefunding => "refund_and_dispute_prefunding",
        Issuing => "issuing",
    }
}

parsed_by_name! { BalanceType: "a balance of Stripe" }

/// Object that caused a balance transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Source {
    /// Charge of a PaymentIntent.
    Payment {
        /// Id of the PaymentIntent.
        intent: IntentId,
    },
    /// Refund.
    Refund {
        /// Stripe's id of the refund (`re_…`).
        refund: RefundId,
    },
    /// Dispute.
    Dispute {
        /// Stripe's id of the dispute (`du_…`).
        dispute: DisputeId,
    },
    /// Payout.
    Payout {
        /// Stripe's id of the payout (`po_…`).
        payout: PayoutId,
    },
    /// Any other object, such as a charge without a PaymentIntent.
    Other {
        /// Stripe's id of the object.
        id: String,
    },
    /// No object: some fees and adjustments.
    None,
}

/// Part of the fee of a balance transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fee {
    /// Stripe's type of the part: `stripe_fee`, `application_fee`, `payment_method_passthrough_fee`, `tax`,
    /// `withheld_tax`, or one that Stripe adds.
    pub kind: String,
    /// Amount; positive if Stripe charges it.
    pub amount: SignedMoney,
}

/// Why a balance transaction contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// The amount less the fee is not the net amount.
    #[error("the amount {amount} less the fee {fee} is not the net amount {net}")]
    Net {
        /// Gross amount.
        amount: SignedMoney,
        /// Fee.
        fee: SignedMoney,
        /// Net amount.
        net: SignedMoney,
    },
    /// The parts of the fee do not add up to it.
    #[error("the parts of the fee add up to {parts}, not to {fee}")]
    Fees {
        /// Sum of the parts.
        parts: SignedMoney,
        /// Fee.
        fee: SignedMoney,
    },
    /// Two of its amounts have different currencies, or a sum does not fit.
    #[error("its amounts cannot be added: {0}")]
    Money(#[from] MoneyError),
}

impl BalanceTransaction {
    /// Makes a movement of the ordinary balance without a source, whose fee is one part of the type `stripe_fee`.
    ///
    /// The net amount is `amount` less `fee`, or zero if they cannot be subtracted: [`Self::check`] refuses that.
    pub fn new(
        id: BalanceTransactionId,
        created: Timestamp,
        category: ReportingCategory,
        amount: SignedMoney,
        fee: SignedMoney,
    ) -> Self {
        let fees = if fee.is_zero() { vec![] } else { vec![Fee { kind: "stripe_fee".into(), amount: fee }] };
        let net = amount.minus(fee).unwrap_or(SignedMoney::zero(amount.currency()));
        let (description, source) = (String::new(), Source::None);
        let balance = BalanceType::Payments;
        Self { id, created, category, balance, amount, fee, net, fees, description, source, presented: None }
    }

    /// Returns the balance transaction with this source.
    #[must_use]
    pub fn with_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Checks that the amount less the fee is the net amount, and that the parts of the fee add up to it.
    pub fn check(&self) -> Result<(), RowError> {
        let Self { amount, fee, net, .. } = *self;
        if amount.minus(fee)? != net {
            return Err(RowError::Net { amount, fee, net });
        }
        let mut parts = SignedMoney::zero(fee.currency());
        for part in &self.fees {
            parts = parts.plus(part.amount)?;
        }
        if parts == fee { Ok(()) } else { Err(RowError::Fees { parts, fee }) }
    }
}
