//! Figures of a statement, made of its balance transactions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

use paywright_domain::books::{
    Account, BalanceTransaction, BalanceType, Day, Entry, ReportingCategory, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::money::MoneyError;
use paywright_domain::{Currency, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::summary::{add, hash_of_none, joined_hashes};
use super::{BalanceSummary, Correction, DaySummary, ExchangeSum, PayoutMovement, StatementError};
use crate::ports::books::{BalanceAmount, BookedTransaction, CategorySum};

/// Builder of the figures of one or more days. It is given their balance transactions one at a time, by day, creation
/// time and id, and keeps sums alone, with the payouts and the corrections.
pub struct StatementBuilder<F> {
    day_of: F,
    balances: BTreeMap<(BalanceType, Currency), Amounts>,
    payouts: Vec<PayoutMovement>,
    corrections: Vec<Correction>,
    exchange: BTreeMap<Currency, SignedMoney>,
    /// Hash over the days before that of the last row.
    days_hash: String,
    /// Hash over the rows of the day of the last row.
    day_hash: Sha256,
    /// Last row.
    last: Option<(Day, Timestamp, BalanceTransactionId)>,
}

/// Amounts of one balance in one currency.
struct Amounts {
    opening: SignedMoney,
    categories: BTreeMap<ReportingCategory, CategorySum>,
    closing: SignedMoney,
}

impl Amounts {
    const fn opening_with(opening: SignedMoney) -> Self {
        Self { opening, categories: BTreeMap::new(), closing: opening }
    }

    fn add(&mut self, row: &BalanceTransaction) -> Result<(), MoneyError> {
        let closing = self.closing.plus(row.net)?;
        let sum = match self.categories.entry(row.category.clone()) {
            MapEntry::Occupied(sum) => sum.into_mut(),
            MapEntry::Vacant(place) => place.insert(CategorySum {
                balance: row.balance,
                category: row.category.clone(),
                count: 0,
                gross: SignedMoney::zero(row.net.currency()),
                fee: SignedMoney::zero(row.net.currency()),
                net: SignedMoney::zero(row.net.currency()),
            }),
        };
        add(sum, 1, [row.amount, row.fee, row.net])?;
        self.closing = closing;
        Ok(())
    }
}

impl<F: Fn(Timestamp) -> Day> StatementBuilder<F> {
    /// Starts with the balances at the start of the first day. `day_of` gives the day of the books on which a time is.
    pub fn new(opening: &[BalanceAmount], day_of: F) -> Result<Self, StatementError> {
        let mut balances: BTreeMap<_, Amounts> = BTreeMap::new();
        for BalanceAmount { balance, amount } in opening {
            let key = (*balance, amount.currency());
            let before = balances.get(&key).map_or(SignedMoney::zero(amount.currency()), |it| it.opening);
            balances.insert(key, Amounts::opening_with(before.plus(*amount)?));
        }
        Ok(Self {
            day_of,
            balances,
            payouts: Vec::new(),
            corrections: Vec::new(),
            exchange: BTreeMap::new(),
            days_hash: hash_of_none(),
            day_hash: Sha256::new(),
            last: None,
        })
    }

    /// Adds the next balance transaction. After an error, the builder must not be used.
    pub fn add(&mut self, booked: &BookedTransaction) -> Result<(), StatementError> {
        let row = &booked.transaction;
        let id = &row.id;
        let day = booked.day.ok_or_else(|| StatementError::BeforeFirstDay { id: id.clone() })?;
        self.follow(day, row)?;
        let refused = |source| StatementError::Row { id: id.clone(), source };
        let key = (row.balance, row.net.currency());
        let amounts = self.balances.entry(key).or_insert_with(|| Amounts::opening_with(SignedMoney::zero(key.1)));
        amounts.add(row).map_err(|it| refused(it.into()))?;
        let (id, category, payout) = (row.id.clone(), row.category.clone(), payout_of(row));
        if is_of_payouts(&row.category) {
            let (payout, after) = (payout.clone(), amounts.closing);
            let (id, category) = (id.clone(), category.clone());
            self.payouts.push(PayoutMovement { day, id, payout, balance: row.balance, category, net: row.net, after });
        }
        let created = (self.day_of)(row.created);
        if created < day {
            let correction = Correction { day: created, id, balance: row.balance, category, net: row.net, payout };
            self.corrections.push(correction);
        }
        self.exchange(row)
    }

    /// Checks the order of the rows and hashes them.
    fn follow(&mut self, day: Day, row: &BalanceTransaction) -> Result<(), StatementError> {
        let place = (day, row.created, row.id.clone());
        if let Some(last) = self.last.as_ref() {
            if *last >= place {
                return Err(StatementError::Order { id: row.id.clone() });
            }
            if last.0 != day {
                let ended = hex::encode(std::mem::take(&mut self.day_hash).finalize());
                self.days_hash = joined_hashes(&self.days_hash, &ended);
            }
        }
        self.last = Some(place);
        self.day_hash.update(canonical_line(day, row));
        Ok(())
    }

    fn exchange(&mut self, row: &BalanceTransaction) -> Result<(), StatementError> {
        if row.presented.is_none_or(|it| it.currency() == row.amount.currency()) {
            return Ok(());
        }
        let refused = |source| StatementError::Row { id: row.id.clone(), source };
        let entry = Entry::of_balance_transaction(row).map_err(refused)?;
        for posting in entry.postings().iter().filter(|it| it.account == Account::Exchange) {
            let currency = posting.amount.currency();
            let sum = self.exchange.entry(currency).or_insert(SignedMoney::zero(currency));
            *sum = sum.plus(posting.amount)?;
        }
        Ok(())
    }

    /// Returns the figures. [`StatementError::Footing`] if they do not add up.
    pub fn finish(self) -> Result<DaySummary, StatementError> {
        let balances = self.balances.into_iter().map(|((balance, _), it)| {
            let (payouts, categories) = it.categories.into_values().partition(|it| is_of_payouts(&it.category));
            BalanceSummary { balance, opening: it.opening, categories, payouts, closing: it.closing }
        });
        let summary = DaySummary {
            balances: balances.collect(),
            payouts: self.payouts,
            corrections: self.corrections,
            exchange: self.exchange.into_values().map(|amount| ExchangeSum { amount }).collect(),
            rows_hash: joined_hashes(&self.days_hash, &hex::encode(self.day_hash.finalize())),
        };
        summary.check()?;
        Ok(summary)
    }
}

/// Whether a category is that of payouts or of their returns.
fn is_of_payouts(category: &ReportingCategory) -> bool {
    matches!(category, ReportingCategory::Payout | ReportingCategory::PayoutReversal)
}

/// Payout that caused the balance transaction.
fn payout_of(row: &BalanceTransaction) -> Option<PayoutId> {
    if let Source::Payout { payout } = &row.source { Some(payout.clone()) } else { None }
}

/// Line of a balance transaction under the hash: a JSON array of all that Stripe said of it, amounts in minor units. A
/// change of this line changes the hash of each day that is closed.
fn canonical_line(day: Day, row: &BalanceTransaction) -> String {
    let amount = |it: SignedMoney| json!([it.minor(), it.currency().code()]);
    let source = (row.source != Source::None).then(|| row.source.to_string());
    let fees: Vec<_> = row.fees.iter().map(|it| json!([it.kind, amount(it.amount)])).collect();
    let line = json!([
        day.to_string(),
        row.created.unix_micros(),
        row.id.as_str(),
        row.balance.name(),
        row.category.as_str(),
        amount(row.amount),
        amount(row.fee),
        amount(row.net),
        fees,
        row.description,
        source,
        row.presented.map(amount),
    ]);
    format!("{line}\n")
}
