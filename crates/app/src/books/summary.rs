//! Figures of a day's statement.

use paywright_domain::Currency;
use paywright_domain::books::{BalanceType, Day, EntryError, ReportingCategory, SignedMoney};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::money::MoneyError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::amounts::Balances;
use crate::ports::books::CategorySum;

/// Figures of a statement of one or more days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DaySummary {
    /// Figures of each balance in each currency, by balance and currency.
    pub balances: Vec<BalanceSummary>,
    /// Payouts and their returns, by day, creation time and id.
    pub payouts: Vec<PayoutMovement>,
    /// Balance transactions of days that were closed before these were read, by the day of the statement, creation time
    /// and id.
    pub corrections: Vec<Correction>,
    /// Amounts that went through the exchange account, by currency.
    pub exchange: Vec<ExchangeSum>,
    /// SHA-256 over the balance transactions of the days, in hexadecimal: with it, the hash of a statement changes with
    /// each of them. Of several days, SHA-256 over the hash of the days before and that of the last one; days without
    /// balance transactions do not count.
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

/// Balance transaction of a payout, or of its return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutMovement {
    /// Day of whose statement it is part.
    pub day: Day,
    /// Id of the balance transaction.
    pub id: BalanceTransactionId,
    /// Payout, where Stripe names it.
    pub payout: Option<PayoutId>,
    /// Balance that it moves.
    pub balance: BalanceType,
    /// Category of the balance transaction.
    pub category: ReportingCategory,
    /// Net amount of the balance transaction.
    pub net: SignedMoney,
    /// Amount of the balance after it and all balance transactions before it.
    pub after: SignedMoney,
}

/// Balance transaction of a day that was closed before it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Day on which Stripe created it.
    pub day: Day,
    /// Id of the balance transaction.
    pub id: BalanceTransactionId,
    /// Balance that it moves.
    pub balance: BalanceType,
    /// Category of the balance transaction.
    pub category: ReportingCategory,
    /// Net amount of the balance transaction.
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

/// Count and sums of balance transactions of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Number of balance transactions.
    pub count: u64,
    /// Sum of their gross amounts.
    pub gross: SignedMoney,
    /// Sum of their fees.
    pub fee: SignedMoney,
    /// Sum of their net amounts.
    pub net: SignedMoney,
}

/// Why a statement cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatementError {
    /// The amounts of a balance transaction cannot be added.
    #[error("balance transaction {id} cannot be booked: {source}")]
    Row {
        /// Id of the balance transaction.
        id: BalanceTransactionId,
        /// Why.
        source: EntryError,
    },
    /// A balance transaction is of the time before the first day.
    #[error("balance transaction {id} is part of the opening balance")]
    BeforeFirstDay {
        /// Id of the balance transaction.
        id: BalanceTransactionId,
    },
    /// Balance transactions are not in the order of their days, creation times and ids, or one was given twice.
    #[error("balance transaction {id} is not after the one before it")]
    Order {
        /// Id of the second one.
        id: BalanceTransactionId,
    },
    /// A sum does not fit, or has two currencies.
    #[error("the sums of the statement cannot be made: {0}")]
    Money(#[from] MoneyError),
    /// The opening balance and the net amounts do not add up to the closing balance.
    #[error("the balance {} adds up to {sum}, and its closing balance is {closing}", balance.name())]
    Footing {
        /// Balance.
        balance: BalanceType,
        /// Sum of the opening balance and of the net amounts.
        sum: SignedMoney,
        /// Closing balance.
        closing: SignedMoney,
    },
    /// The opening balance of a day is not the closing balance of the days before it.
    #[error("the balance {} opens with {opening}, and closed with {closing} before", balance.name())]
    Gap {
        /// Balance.
        balance: BalanceType,
        /// Closing balance of the days before.
        closing: SignedMoney,
        /// Opening balance of the day.
        opening: SignedMoney,
    },
}

impl DaySummary {
    /// Adds the figures of the day that follows the days of this one. [`StatementError::Gap`] if a balance does not open
    /// with what it closed with.
    pub fn followed_by(&self, next: &Self) -> Result<Self, StatementError> {
        let mut balances = Vec::new();
        for (balance, currency) in self.keys_with(next) {
            let zero = SignedMoney::zero(currency);
            let (before, after) = (self.balance(balance, currency), next.balance(balance, currency));
            let closing = before.map_or(zero, |it| it.closing);
            let opening = after.map_or(zero, |it| it.opening);
            if closing != opening {
                return Err(StatementError::Gap { balance, closing, opening });
            }
            let both =
                |of: fn(&BalanceSummary) -> &[CategorySum]| merged(before.map_or(&[], of), after.map_or(&[], of));
            balances.push(BalanceSummary {
                balance,
                opening: before.map_or(opening, |it| it.opening),
                categories: both(|it| &it.categories)?,
                payouts: both(|it| &it.payouts)?,
                closing: after.map_or(closing, |it| it.closing),
            });
        }
        let mut exchange = self.exchange.clone();
        for ExchangeSum { amount } in &next.exchange {
            match exchange.iter_mut().find(|it| it.amount.currency() == amount.currency()) {
                Some(sum) => sum.amount = sum.amount.plus(*amount)?,
                None => exchange.push(ExchangeSum { amount: *amount }),
            }
        }
        exchange.sort_by_key(|it| it.amount.currency());
        Ok(Self {
            balances,
            payouts: [self.payouts.as_slice(), &next.payouts].concat(),
            corrections: [self.corrections.as_slice(), &next.corrections].concat(),
            exchange,
            rows_hash: joined_hashes(&self.rows_hash, &next.rows_hash),
        })
    }

    /// Checks that each balance opens with an amount that adds up, with its net amounts, to its closing balance.
    pub fn check(&self) -> Result<(), StatementError> {
        for of in &self.balances {
            let movements = of.categories.iter().chain(&of.payouts);
            let sum = movements.map(|it| it.net).try_fold(of.opening, SignedMoney::plus)?;
            if sum != of.closing {
                return Err(StatementError::Footing { balance: of.balance, sum, closing: of.closing });
            }
        }
        Ok(())
    }

    /// Closing balances.
    pub(super) fn closing(&self) -> Result<Balances, MoneyError> {
        let mut balances = Balances::default();
        for of in &self.balances {
            balances.add(of.balance, of.closing)?;
        }
        Ok(balances)
    }

    /// Figures of a balance in a currency.
    pub fn balance(&self, balance: BalanceType, currency: Currency) -> Option<&BalanceSummary> {
        self.balances.iter().find(|it| it.key() == (balance, currency))
    }

    fn keys_with(&self, other: &Self) -> Vec<(BalanceType, Currency)> {
        let mut keys: Vec<_> = self.balances.iter().chain(&other.balances).map(BalanceSummary::key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl BalanceSummary {
    pub(super) const fn key(&self) -> (BalanceType, Currency) {
        (self.balance, self.opening.currency())
    }
}

impl Sums {
    /// Adds up sums of categories.
    pub fn of(sums: &[CategorySum], currency: Currency) -> Result<Self, MoneyError> {
        let zero = SignedMoney::zero(currency);
        let none = Self { count: 0, gross: zero, fee: zero, net: zero };
        sums.iter().try_fold(none, |all, it| {
            Ok(Self {
                count: all.count.saturating_add(it.count),
                gross: all.gross.plus(it.gross)?,
                fee: all.fee.plus(it.fee)?,
                net: all.net.plus(it.net)?,
            })
        })
    }
}

impl From<&CategorySum> for Sums {
    fn from(sum: &CategorySum) -> Self {
        Self { count: sum.count, gross: sum.gross, fee: sum.fee, net: sum.net }
    }
}

/// Sums by category of two lists that are sorted by it.
fn merged(left: &[CategorySum], right: &[CategorySum]) -> Result<Vec<CategorySum>, MoneyError> {
    let mut all = left.to_vec();
    for it in right {
        match all.iter_mut().find(|sum| sum.category == it.category) {
            Some(sum) => add(sum, it.count, [it.gross, it.fee, it.net])?,
            None => all.push(it.clone()),
        }
    }
    all.sort_by(|one, other| one.category.cmp(&other.category));
    Ok(all)
}

/// Adds a gross amount, a fee and a net amount of `count` balance transactions.
pub(super) fn add(sum: &mut CategorySum, count: u64, [gross, fee, net]: [SignedMoney; 3]) -> Result<(), MoneyError> {
    sum.count = sum.count.saturating_add(count);
    sum.gross = sum.gross.plus(gross)?;
    sum.fee = sum.fee.plus(fee)?;
    sum.net = sum.net.plus(net)?;
    Ok(())
}

/// Hash over no balance transactions.
pub(super) fn hash_of_none() -> String {
    hex::encode(Sha256::digest([]))
}

/// Hash over days and the day after them.
pub(super) fn joined_hashes(days: &str, next: &str) -> String {
    let none = hash_of_none();
    if next == none {
        days.to_owned()
    } else if days == none {
        next.to_owned()
    } else {
        hex::encode(Sha256::digest(format!("{days}\n{next}\n")))
    }
}
