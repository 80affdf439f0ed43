use std::fmt;
use std::str::FromStr;

use crate::text::{Text, TextProblem};

/// Reporting category of a balance transaction, by which accountants group them (Stripe's documentation, "Reporting
/// categories"). Categories that Stripe adds are [`Self::Other`]: they are booked under their own name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum ReportingCategory {
    /// Captured payment.
    Charge,
    /// Bank payment that failed after it was on the balance.
    ChargeFailure,
    /// Part of an authorization that was not captured. Stripe's API has had none since its version 2025-03-31.basil.
    PartialCaptureReversal,
    /// Refund.
    Refund,
    /// Refund that failed: its amount is on the balance again.
    RefundFailure,
    /// Disputed amount that was withdrawn.
    Dispute,
    /// Disputed amount that was reinstated.
    DisputeReversal,
    /// Fee that belongs to no other movement.
    Fee,
    /// Cost of a card network, passed on by Stripe.
    NetworkCost,
    /// Tax on Stripe's fees.
    Tax,
    /// Payout to the shop's bank.
    Payout,
    /// Payout that failed or was canceled: its amount is on the balance again.
    PayoutReversal,
    /// Amount that automatic payouts leave on the balance.
    PayoutMinimumBalanceHold,
    /// End of a hold for a minimum balance.
    PayoutMinimumBalanceRelease,
    /// Amount that Stripe holds as a reserve, or releases.
    RiskReservedFunds,
    /// Any other category.
    Other(OtherCategory),
}

/// Name of a category that has no variant of its own: 1 to 100 characters. Made by parsing a [`ReportingCategory`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherCategory(Text<1, 100>);

impl OtherCategory {
    /// Stripe's name of the category.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Categories with a variant of their own.
const KNOWN: [ReportingCategory; 15] = [
    ReportingCategory::Charge,
    ReportingCategory::ChargeFailure,
    ReportingCategory::PartialCaptureReversal,
    ReportingCategory::Refund,
    ReportingCategory::RefundFailure,
    ReportingCategory::Dispute,
    ReportingCategory::DisputeReversal,
    ReportingCategory::Fee,
    ReportingCategory::NetworkCost,
    ReportingCategory::Tax,
    ReportingCategory::Payout,
    ReportingCategory::PayoutReversal,
    ReportingCategory::PayoutMinimumBalanceHold,
    ReportingCategory::PayoutMinimumBalanceRelease,
    ReportingCategory::RiskReservedFunds,
];

/// Categories without a variant that Stripe's API documents (the parameter `reporting_category` of "Create a report
/// run", API version 2026-05-27.dahlia).
const DOCUMENTED: [&str; 24] = [
    "advance",
    "advance_funding",
    "anticipation_repayment",
    "climate_order_purchase",
    "climate_order_refund",
    "connect_collection_transfer",
    "connect_reserved_funds",
    "contribution",
    "financing_paydown",
    "financing_paydown_reversal",
    "financing_payout",
    "financing_payout_reversal",
    "issuing_authorization_hold",
    "issuing_authorization_release",
    "issuing_dispute",
    "issuing_transaction",
    "other_adjustment",
    "platform_earning",
    "platform_earning_refund",
    "topup",
    "topup_reversal",
    "transfer",
    "transfer_reversal",
    "unreconciled_customer_funds",
];

impl ReportingCategory {
    /// Whether Stripe documents the category. One that it does not was added later: a person should decide what it means
    /// for the books.
    pub fn is_documented(&self) -> bool {
        match self {
            Self::Other(name) => DOCUMENTED.contains(&name.as_str()),
            Self::Charge
            | Self::ChargeFailure
            | Self::PartialCaptureReversal
            | Self::Refund
            | Self::RefundFailure
            | Self::Dispute
            | Self::DisputeReversal
            | Self::Fee
            | Self::NetworkCost
            | Self::Tax
            | Self::Payout
            | Self::PayoutReversal
            | Self::PayoutMinimumBalanceHold
            | Self::PayoutMinimumBalanceRelease
            | Self::RiskReservedFunds => true,
        }
    }

    /// Stripe's name of the category.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Charge => "charge",
            Self::ChargeFailure => "charge_failure",
            Self::PartialCaptureReversal => "partial_capture_reversal",
            Self::Refund => "refund",
            Self::RefundFailure => "refund_failure",
            Self::Dispute => "dispute",
            Self::DisputeReversal => "dispute_reversal",
            Self::Fee => "fee",
            Self::NetworkCost => "network_cost",
            Self::Tax => "tax",
            Self::Payout => "payout",
            Self::PayoutReversal => "payout_reversal",
            Self::PayoutMinimumBalanceHold => "payout_minimum_balance_hold",
            Self::PayoutMinimumBalanceRelease => "payout_minimum_balance_release",
            Self::RiskReservedFunds => "risk_reserved_funds",
            Self::Other(name) => name.as_str(),
        }
    }
}

impl FromStr for ReportingCategory {
    type Err = TextProblem;

    /// Finds the category with this name of Stripe's, or makes one of a new name. [`TextProblem`] if the name is empty,
    /// too long or has control characters.
    fn from_str(name: &str) -> Result<Self, TextProblem> {
        match KNOWN.into_iter().find(|it| it.as_str() == name) {
            Some(known) => Ok(known),
            None => Ok(Self::Other(OtherCategory(Text::new(name)?))),
        }
    }
}

impl fmt::Display for ReportingCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for ReportingCategory {
    type Error = TextProblem;
    fn try_from(name: String) -> Result<Self, TextProblem> {
        name.parse()
    }
}

impl From<ReportingCategory> for String {
    fn from(category: ReportingCategory) -> Self {
        category.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_known_by_its_name_or_keeps_a_new_one() {
        for known in KNOWN {
            assert_eq!(known.as_str().parse(), Ok(known.clone()), "{known}");
        }
        let new: ReportingCategory = "climate_order_purchase".parse().unwrap();
        assert!(matches!(new, ReportingCategory::Other(_)) && new.is_documented());
        assert!(!"space_travel".parse::<ReportingCategory>().unwrap().is_documented());
        assert_eq!(new.as_str(), "climate_order_purchase");
        for bad in [String::new(), "x".repeat(101), "a\u{7}".into()] {
            assert!(bad.parse::<ReportingCategory>().is_err(), "{bad:?}");
        }
    }
}
