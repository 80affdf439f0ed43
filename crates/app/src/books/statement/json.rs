//! JSON of a statement.

use paywright_domain::books::SignedMoney;
use paywright_domain::id::PayoutId;
use serde::Serialize;

use super::{Statement, Totals};
use crate::books::{BalanceSummary, Correction, PayoutMovement, Sums};
use crate::ports::books::CategorySum;

/// JSON form of a statement. Amounts are in minor units of ISO 4217, negative or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookStatement))]
pub struct StatementView {
    /// Day or month: `2026-11-24` or `2026-11`.
    pub period: String,
    /// Time zone of the days, by its IANA name.
    pub timezone: String,
    /// `closed`, or `open` while figures may still be added.
    pub status: &'static str,
    /// Balances at Stripe, each in one currency.
    pub balances: Vec<BalanceView>,
    /// Payouts and their returns.
    pub payouts: Vec<PayoutMovementView>,
    /// Balance transactions of days that were closed before these were read.
    pub corrections: Vec<CorrectionView>,
    /// Amounts between the currencies of the orders and those of the balances.
    pub exchange: Vec<ExchangeView>,
    /// SHA-256 over the balance transactions, in hexadecimal.
    pub rows_hash: String,
    /// Hash of the closed day before; `null` on the first day.
    pub previous_hash: Option<String>,
    /// Hash of the statement; `null` while it is open.
    pub hash: Option<String>,
}

/// JSON form of the figures of a balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookBalance))]
pub struct BalanceView {
    /// Stripe's name of the balance.
    pub balance_type: &'static str,
    /// Code of the currency, in lower case.
    pub currency: &'static str,
    /// Amount at the start.
    pub opening: i64,
    /// Sums of each category other than payouts and their returns.
    pub activity: Vec<CategoryView>,
    /// Sums of all these categories.
    pub total_activity: SumsView,
    /// Sums of payouts and of their returns.
    pub payouts: Vec<CategoryView>,
    /// Sums of payouts and their returns together.
    pub total_payouts: SumsView,
    /// Amount at the end.
    pub closing: i64,
}

/// JSON form of the sums of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookCategorySums))]
pub struct CategoryView {
    /// Stripe's name of the category.
    pub reporting_category: String,
    /// Sums.
    #[serde(flatten)]
    pub sums: SumsView,
}

/// JSON form of sums of balance transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookSums))]
pub struct SumsView {
    /// Number of balance transactions.
    pub count: u64,
    /// Sum of the gross amounts.
    pub gross: i64,
    /// Sum of the fees.
    pub fee: i64,
    /// Sum of the net amounts.
    pub net: i64,
}

/// JSON form of a balance transaction of a payout, or of its return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookPayoutMovement))]
pub struct PayoutMovementView {
    /// Day of whose statement it is part.
    pub day: String,
    /// Id of the balance transaction.
    pub balance_transaction: String,
    /// Id of the payout; `null` if Stripe does not name it.
    pub payout: Option<String>,
    /// Stripe's name of the category.
    pub reporting_category: String,
    /// Stripe's name of the balance.
    pub balance_type: &'static str,
    /// Code of the currency, in lower case.
    pub currency: &'static str,
    /// Net amount.
    pub net: i64,
    /// Amount of the balance after it.
    pub balance_after: i64,
}

/// JSON form of a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookCorrection))]
pub struct CorrectionView {
    /// Day on which Stripe created the balance transaction.
    pub created_day: String,
    /// Id of the balance transaction.
    pub balance_transaction: String,
    /// Id of the payout, where it is one of a payout.
    pub payout: Option<String>,
    /// Stripe's name of the category.
    pub reporting_category: String,
    /// Stripe's name of the balance.
    pub balance_type: &'static str,
    /// Code of the currency, in lower case.
    pub currency: &'static str,
    /// Net amount.
    pub net: i64,
}

/// JSON form of the sum of the exchange account in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookExchange))]
pub struct ExchangeView {
    /// Code of the currency, in lower case.
    pub currency: &'static str,
    /// Sum; a debit is positive.
    pub amount: i64,
}

impl Statement {
    /// The statement in its JSON form.
    pub fn view(&self) -> StatementView {
        let Self { period, timezone, status, summary, previous, totals: _, hash } = self;
        let exchange = summary.exchange.iter().map(|it| it.amount);
        StatementView {
            period: period.to_string(),
            timezone: timezone.clone(),
            status: status.name(),
            balances: self.balances().map(|(of, totals)| BalanceView::of(of, totals)).collect(),
            payouts: summary.payouts.iter().map(PayoutMovementView::from).collect(),
            corrections: summary.corrections.iter().map(CorrectionView::from).collect(),
            exchange: exchange.map(|it| ExchangeView { currency: code(it), amount: it.minor() }).collect(),
            rows_hash: summary.rows_hash.clone(),
            previous_hash: previous.clone(),
            hash: hash.clone(),
        }
    }

    /// The statement as JSON, in lines.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(&self.view())? + "\n")
    }
}

impl BalanceView {
    fn of(of: &BalanceSummary, totals: &Totals) -> Self {
        Self {
            balance_type: of.balance.name(),
            currency: code(of.opening),
            opening: of.opening.minor(),
            activity: of.categories.iter().map(CategoryView::from).collect(),
            total_activity: totals.activity.into(),
            payouts: of.payouts.iter().map(CategoryView::from).collect(),
            total_payouts: totals.payouts.into(),
            closing: of.closing.minor(),
        }
    }
}

impl From<&CategorySum> for CategoryView {
    fn from(sum: &CategorySum) -> Self {
        Self { reporting_category: sum.category.to_string(), sums: Sums::from(sum).into() }
    }
}

impl From<Sums> for SumsView {
    fn from(Sums { count, gross, fee, net }: Sums) -> Self {
        Self { count, gross: gross.minor(), fee: fee.minor(), net: net.minor() }
    }
}

impl From<&PayoutMovement> for PayoutMovementView {
    fn from(it: &PayoutMovement) -> Self {
        Self {
            day: it.day.to_string(),
            balance_transaction: it.id.to_string(),
            payout: it.payout.as_ref().map(PayoutId::to_string),
            reporting_category: it.category.to_string(),
            balance_type: it.balance.name(),
            currency: code(it.net),
            net: it.net.minor(),
            balance_after: it.after.minor(),
        }
    }
}

impl From<&Correction> for CorrectionView {
    fn from(it: &Correction) -> Self {
        Self {
            created_day: it.day.to_string(),
            balance_transaction: it.id.to_string(),
            payout: it.payout.as_ref().map(PayoutId::to_string),
            reporting_category: it.category.to_string(),
            balance_type: it.balance.name(),
            currency: code(it.net),
            net: it.net.minor(),
        }
    }
}

fn code(amount: SignedMoney) -> &'static str {
    amount.currency().code()
}
