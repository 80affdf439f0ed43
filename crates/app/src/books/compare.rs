//! Comparison of the books with themselves and with Stripe: which breaks there are.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::Timestamp;
use paywright_domain::books::{ReportingCategory, SignedMoney, Source};
use paywright_domain::intent::IntentStatus;
use paywright_domain::money::MoneyError;

use super::amounts::Balances;
use super::bookkeeper::{Bookkeeper, BooksError};
use super::{Break, BreakClass};
use crate::{
    BalanceAmount, BookedPayout, BooksChanges, BooksState, BreakQuery, ClearingItem, ClearingKey, OrderRef,
    PAYOUT_CHANGES_SECONDS, PayoutQuery, RowFilter, RowQuery, Versioned,
};

/// Number of clearing accounts that are read at once.
const ITEMS_AT_ONCE: u16 = 200;

/// Largest number of breaks that are compared: beyond it, breaks are stored but not ended.
const BREAKS_MAX: u16 = 10_000;

/// Largest number of balance transactions of one object that are read to explain a break.
const ROWS_MAX: u16 = 100;

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Breaks that are neither resolved nor gone, by the time at which they were first seen.
    pub breaks: Vec<Break>,
    /// Objects whose two sides differ, and are younger than the time of grace.
    pub expected: u64,
}

/// Meaning of a clearing account whose sides differ.
enum Finding {
    /// Not a break yet: it is too young.
    Expected,
    /// A break.
    Break(Break),
    /// Part of another break.
    Told,
}

impl Bookkeeper {
    /// Compares what the orders expect with what Stripe moved, the payouts with what they contain, and the balances. Stores
    /// breaks that are new, and ends those that are gone.
    pub(super) async fn compare(&self, now: Timestamp) -> Result<Comparison, BooksError> {
        let Some(books) = self.books.books().await? else { return Ok(Comparison::default()) };
        let mut found = Vec::new();
        let expected = self.compare_clearing(now, &mut found).await?;
        for payout in self.books.payouts(&PayoutQuery::Unequal).await? {
            found.extend(break_of_payout(&payout, &books.value, now));
        }
        found.extend(breaks_of_balances(&books.value, now)?);
        self.store_breaks(books, found, now).await?;
        let breaks = self.books.breaks(&BreakQuery::Open { limit: BREAKS_MAX }).await?;
        Ok(Comparison { breaks, expected })
    }

    /// Adds the breaks of clearing accounts to `found`, and returns the number of those that are too young to be one.
    async fn compare_clearing(&self, now: Timestamp, found: &mut Vec<Break>) -> Result<u64, BooksError> {
        let (mut expected, mut after) = (0_u64, None);
        loop {
            let items = self.books.open_items(after.as_ref(), ITEMS_AT_ONCE).await?;
            let is_last = items.len() < usize::from(ITEMS_AT_ONCE);
            after = items.last().map(ClearingKey::of);
            for item in items.iter().filter(|it| it.has_day) {
                match self.finding(item, now).await? {
                    Finding::Expected => expected = expected.saturating_add(1),
                    Finding::Break(each) => found.push(each),
                    Finding::Told => {}
                }
            }
            if is_last {
                return Ok(expected);
            }
        }
    }

    async fn finding(&self, item: &ClearingItem, now: Timestamp) -> Result<Finding, BooksError> {
        let is_young = item.latest.plus_seconds(self.settings.grace_seconds) > now;
        let new = |class, ours, theirs| {
            let of = Break::new(class, &item.source.to_string(), item.latest, now);
            Finding::Break(Break { order: item.order, ours, theirs, ..of })
        };
        let (ours, theirs) = (Some(item.expected), Some(item.moved));
        if item.order.is_none() {
            return Ok(match (self.settings.shared_account, is_young) {
                (true, _) => Finding::Told,
                (false, true) => Finding::Expected,
                (false, false) => new(BreakClass::Link, None, theirs),
            });
        }
        if let Some(other) = self.in_another_currency(item).await? {
            // One break for both accounts, told by the one that the order expects.
            let is_ours = item.transactions == 0;
            return Ok(if is_ours { new(BreakClass::Currency, ours, Some(other)) } else { Finding::Told });
        }
        if self.is_duplicate(item).await? {
            return Ok(new(BreakClass::Duplicate, ours, theirs));
        }
        if is_young || (item.entries == 0 && self.is_processing(item).await?) {
            return Ok(Finding::Expected);
        }
        Ok(match (item.entries, item.transactions) {
            (_, 0) => new(BreakClass::MissingThere, ours, None),
            (0, _) => new(BreakClass::MissingHere, None, theirs),
            _ => new(BreakClass::Amount, ours, theirs),
        })
    }

    /// Amount that was moved for the object in another currency than its order has, or the reverse.
    async fn in_another_currency(&self, item: &ClearingItem) -> Result<Option<SignedMoney>, BooksError> {
        if item.entries > 0 && item.transactions > 0 {
            return Ok(None);
        }
        let query = |after| RowQuery { filter: RowFilter::Source(item.source.clone()), after, limit: ROWS_MAX };
        if item.entries == 0 {
            let entries = self.books.entries(&query(None)).await?;
            return Ok((!entries.is_empty()).then_some(item.moved));
        }
        let rows = self.books.transactions(&query(None)).await?;
        let of = |row: &crate::BookedTransaction| row.transaction.presented.unwrap_or(row.transaction.amount);
        Ok(rows.first().map(of))
    }

    /// Whether two balance transactions of one category were made for the object.
    async fn is_duplicate(&self, item: &ClearingItem) -> Result<bool, BooksError> {
        if item.transactions < 2 {
            return Ok(false);
        }
        let filter = RowFilter::Source(item.source.clone());
        let rows = self.books.transactions(&RowQuery { filter, after: None, limit: ROWS_MAX }).await?;
        let mut categories = BTreeMap::<&ReportingCategory, u32>::new();
        for row in &rows {
            *categories.entry(&row.transaction.category).or_default() += 1;
        }
        Ok(categories.values().any(|it| *it > 1))
    }

    /// Whether the item is of a payment that a bank is still processing: Stripe books a bank debit before it has
    /// succeeded, and reverses it if it fails.
    async fn is_processing(&self, item: &ClearingItem) -> Result<bool, BooksError> {
        let Source::Payment { intent } = &item.source else { return Ok(false) };
        let order = self.orders.order(&OrderRef::Intent(intent.clone())).await?;
        let status = order.and_then(|it| it.value.intent(intent).map(|it| it.status));
        Ok(status == Some(IntentStatus::Processing))
    }

    /// Stores the breaks that are new or have changed, and ends those that are gone. A resolved break whose amounts have
    /// changed is open again.
    async fn store_breaks(
        &self,
        books: Versioned<BooksState>,
        found: Vec<Break>,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let present = self.books.breaks(&BreakQuery::Present { limit: BREAKS_MAX }).await?;
        let names: BTreeSet<&str> = found.iter().map(|it| it.id.as_str()).collect();
        let absent: Vec<String> = found.iter().map(|it| it.id.clone()).collect();
        let stored = if absent.is_empty() { vec![] } else { self.books.breaks(&BreakQuery::Named(absent)).await? };
        let stored: BTreeMap<&str, &Break> = stored.iter().map(|it| (it.id.as_str(), it)).collect();
        let is_gone = |it: &&Break| it.class.is_compared() && !names.contains(it.id.as_str());
        let gone = present.iter().filter(is_gone).map(|it| Break { gone_at: Some(now), ..it.clone() });
        let next = |it: &Break| stored.get(it.id.as_str()).map_or_else(|| it.clone(), |known| it.after(known));
        let context = self.event_context();
        let is_new = |it: &&Break| stored.get(it.id.as_str()).is_none_or(|known| known.gone_at.is_some());
        let events = found.iter().filter(is_new).map(|it| context.break_found(it)).collect();
        let differing = found.iter().map(next).filter(|it| stored.get(it.id.as_str()) != Some(&it));
        let breaks: Vec<Break> = differing.chain(gone).collect();
        if breaks.is_empty() {
            return Ok(());
        }
        let changes = BooksChanges { breaks, events, ..BooksChanges::new(books.version, books.value) };
        self.commit(changes).await.map(drop)
    }
}

/// Break of a payout whose balance transactions add up to another amount. Movements from before the books are not known
/// one by one: a payout that may contain some proves nothing.
fn break_of_payout(booked: &BookedPayout, state: &BooksState, now: Timestamp) -> Option<Break> {
    let payout = &booked.payout;
    let members = booked.members?;
    if members.known < members.count && payout.created < state.start.plus_seconds(PAYOUT_CHANGES_SECONDS) {
        return None;
    }
    let of = Break::new(BreakClass::PayoutSum, payout.id.as_str(), payout.created, now);
    Some(Break { ours: Some(members.net), theirs: Some(payout.amount), ..of })
}

/// Breaks of balances that differ from the last reading of Stripe's.
fn breaks_of_balances(state: &BooksState, now: Timestamp) -> Result<Vec<Break>, MoneyError> {
    let Some(reading) = &state.reading else { return Ok(vec![]) };
    let (ours, theirs) = (Balances::of(&reading.ours)?, Balances::reported(&reading.sums)?);
    let difference = theirs.clone().less(&ours)?;
    let of = |BalanceAmount { balance, amount }| {
        let object = format!("{}:{}", balance.name(), amount.currency().code().to_lowercase());
        let (ours, theirs) = (ours.sum_like(balance, amount), theirs.sum_like(balance, amount));
        Break { ours: Some(ours), theirs: Some(theirs), ..Break::new(BreakClass::Balance, &object, reading.until, now) }
    };
    Ok(difference.amounts().into_iter().map(of).collect())
}
