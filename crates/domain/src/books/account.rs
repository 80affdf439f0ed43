use std::fmt;

use super::{BalanceType, ReportingCategory, Source};
use crate::order::{Adjustment, TaxRateDetails};
use crate::text::Text;

/// Account of the books. With a currency, it has a balance of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Account {
    /// Asset: a balance at Stripe.
    Balance(BalanceType),
    /// Asset: amount that automatic payouts leave at Stripe.
    MinimumBalance,
    /// Amounts between balances at Stripe: zero when both sides of a transfer are booked.
    Reserves,
    /// Amounts that an order expects to be moved, less those that were moved for its object: zero when both agree.
    Clearing(Source),
    /// Asset: payouts that are on their way to the shop's bank.
    PayoutsInTransit,
    /// Revenue and the taxes in it.
    Sales(SalesPart),
    /// Reductions of revenue and taxes by refunds.
    Refunds(SalesPart),
    /// Expense: what was due and not received of payments that were accepted all the same, less what was received above
    /// the amount due.
    PaymentDifferences,
    /// Expense: amounts lost in disputes.
    Disputes,
    /// Expense: fees of Stripe.
    Fees(FeeKind),
    /// Asset: tax on Stripe's fees, which the shop may reclaim.
    TaxOnFees,
    /// Expense: tax that Stripe withholds.
    TaxWithheld,
    /// Amounts between an order's currency and that of the balance. What is left, valued at today's rates, is the gain
    /// or loss of the exchange.
    Exchange,
    /// Any other movement at Stripe, by its category.
    Other(ReportingCategory),
    /// Amounts by which balance transactions contradict themselves.
    Unexplained,
}

impl Account {
    /// The tax of sales or refunds that the account is of.
    pub const fn tax(&self) -> Option<&TaxName> {
        match self {
            Self::Sales(part) | Self::Refunds(part) => part.tax(),
            Self::Balance(_)
            | Self::MinimumBalance
            | Self::Reserves
            | Self::Clearing(_)
            | Self::PayoutsInTransit
            | Self::PaymentDifferences
            | Self::Disputes
            | Self::Fees(_)
            | Self::TaxOnFees
            | Self::TaxWithheld
            | Self::Exchange
            | Self::Other(_)
            | Self::Unexplained => None,
        }
    }
}

/// Part of a sale or of a refund.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SalesPart {
    /// Goods at their prices, without taxes and before discounts.
    Goods,
    /// Shipping at its price, without taxes and before discounts.
    Shipping,
    /// Discounts.
    Discounts,
    /// A tax.
    Tax(TaxName),
    /// Money that paid for nothing on the order: a second payment, or one of another amount.
    Unexpected,
}

impl SalesPart {
    /// The tax that it is.
    pub const fn tax(&self) -> Option<&TaxName> {
        match self {
            Self::Tax(tax) => Some(tax),
            Self::Goods | Self::Shipping | Self::Discounts | Self::Unexpected => None,
        }
    }
}

/// Name of a tax in the books: its label on the order, and its rate and country, if they are known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaxName {
    /// Label of the tax on the order.
    pub label: Text<1, 250>,
    /// Rate of the tax and the country that it is due in.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub rate: Option<TaxRateDetails>,
}

impl TaxName {
    /// Name of the tax that an adjustment of an order is.
    pub(super) fn of(adjustment: &Adjustment) -> Self {
        Self { label: adjustment.label.clone(), rate: adjustment.tax_rate_details }
    }
}

/// Kind of a fee of Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FeeKind {
    /// Fee for a payment.
    Payment,
    /// Fee for a refund.
    Refund,
    /// Fee for a dispute, or for countering one.
    Dispute,
    /// Cost of a card network or a payment method, passed on by Stripe.
    Network,
    /// Fee of a Connect platform.
    Application,
    /// Fee of a payout.
    Payout,
    /// Fee of a service, such as Radar.
    Service,
}

variant_names! {
    /// Name of the kind in the account's name.
    FeeKind {
        Payment => "payment",
        Refund => "refund",
        Dispute => "dispute",
        Network => "network",
        Application => "application",
        Payout => "payout",
        Service => "service",
    }
}

/// Name of the account, from the general to the particular, with colons between: `fees:payment`.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balance(balance) => write!(f, "stripe:{}", balance.name()),
            Self::MinimumBalance => f.write_str("stripe:minimum_balance"),
            Self::Reserves => f.write_str("stripe:reserves"),
            Self::Clearing(source) => write!(f, "clearing:{source}"),
            Self::PayoutsInTransit => f.write_str("payouts_in_transit"),
            Self::Sales(part) => write!(f, "sales:{part}"),
            Self::Refunds(part) => write!(f, "refunds:{part}"),
            Self::PaymentDifferences => f.write_str("payment_differences"),
            Self::Disputes => f.write_str("disputes"),
            Self::Fees(kind) => write!(f, "fees:{}", kind.name()),
            Self::TaxOnFees => f.write_str("tax_on_fees"),
            Self::TaxWithheld => f.write_str("tax_withheld"),
            Self::Exchange => f.write_str("exchange"),
            Self::Other(category) => write!(f, "other:{category}"),
            Self::Unexplained => f.write_str("unexplained"),
        }
    }
}

impl fmt::Display for SalesPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goods => f.write_str("goods"),
            Self::Shipping => f.write_str("shipping"),
            Self::Discounts => f.write_str("discounts"),
            Self::Tax(tax) => write!(f, "tax:{tax}"),
            Self::Unexpected => f.write_str("unexpected"),
        }
    }
}

/// Label, rate and country, as far as they are known: `VAT:19:DE`.
impl fmt::Display for TaxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.label.fmt(f)?;
        if let Some(rate) = &self.rate {
            write!(f, ":{}", rate.percent)?;
            if let Some(country) = rate.country {
                write!(f, ":{country}")?;
            }
        }
        Ok(())
    }
}

/// Stripe's id of the object; `none` if there is none.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payment { intent } => intent.fmt(f),
            Self::Refund { refund } => refund.fmt(f),
            Self::Dispute { dispute } => dispute.fmt(f),
            Self::Payout { payout } => payout.fmt(f),
            Self::Other { id } => f.write_str(id),
            Self::None => f.write_str("none"),
        }
    }
}
