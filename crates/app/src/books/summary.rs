//! Figures of a day's statement.

use paywright_domain::books::{BalanceType, Day, ReportingCategory, SignedMoney};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use serde::{Deserialize, Serialize};

use crate::ports::books::CategorySum;

/// Figures of a statement of one or more days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DaySummary {
    /// Figures of each balance in each currency, by balance and currency.
    pub balances: Vec<BalanceSummary>,
    /// Balance transactions of days that were closed before these were read, by creation time and id.
    pub corrections: Vec<Correction>,
    /// Amounts that went through the exchange account in each currency.
    pub exchange: Vec<ExchangeSum>,
    /// SHA-256 over the balance transactions of the days, in hexadecimal: with it, the hash of a statement changes with
    /// each of them.
    pub rows_hash: String,
}

/// Figures of one balance in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceSummary {
    /// Balance.
    pub balance: BalanceType,
    /// Amount at the start of the first day.
    pub opening: SignedMoney,
    /// Sums of each category other than payouts and their returns, by category. `opening`, their net amounts and those
    /// of `payouts` add up to `closing`.
    pub categories: Vec<CategorySum>,
    /// Sums of payouts and of their returns.
    pub payouts: Vec<CategorySum>,
    /// Amount at the end of the last day.
    pub closing: SignedMoney,
}

/// Balance transaction of a day that was closed before it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Day on which Stripe created it.
    pub day: Day,
    /// Its id.
    pub id: BalanceTransactionId,
    /// Balance that it moves.
    pub balance: BalanceType,
    /// Its category.
    pub category: ReportingCategory,
    /// Its net amount.
    pub net: SignedMoney,
    /// Payout, where it is one of a payout.
    pub payout: Option<PayoutId>,
}

/// Sum of the exchange account in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeSum {
    /// Sum; a debit is positive.
    pub amount: SignedMoney,
}
