//! Comparison of the books with themselves and with Stripe: which breaks there are.

use std::collections::BTreeMap;

use paywright_domain::Timestamp;
use paywright_domain::books::{SignedMoney, Source};
use paywright_domain::intent::IntentStatus;
use paywright_domain::money::MoneyError;

use super::amounts::Balances;
use super::bookkeeper::{Bookkeeper, BooksError};
use super::duplicates::has_duplicate;
use super::{Break, BreakClass};
use crate::{
    AccountEvent, BalanceAmount, BookedPayout, BooksChanges, BooksState, BreakQuery, ClearingItem, ClearingKey,
    OpenItemQuery, OrderRef, PAYOUT_CHANGES_SECONDS, PayoutQuery, RowFilter, RowQuery, Versioned,
};

/// Number of clearing accounts that are read at once.
const ITEMS_AT_ONCE: u16 = 200;

/// Number of breaks that are stored in one commit: of a Stripe account that another program uses too, and that is not set as
/// shared, each payment of the other program is one.
const BREAKS_AT_ONCE: usize = 500;

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

/// Breaks of one comparison, which are stored as they are found: their number has no bound.
struct Findings {
    /// Books after the last commit.
    books: Versioned<BooksState>,
    /// Stored breaks that are not gone, and have not been found again yet.
    not_found: BTreeMap<String, Break>,
    /// Breaks that have been found, and are not stored yet.
    found: Vec<Break>,
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
        let mut findings = self.findings(books, |it| it.class.is_compared()).await?;
        let expected = self.compare_clearing(now, &mut findings).await?;
        for payout in self.books.payouts(&PayoutQuery::Unequal).await? {
            if let Some(found) = break_of_payout(&payout, &findings.books.value, now) {
                self.add(&mut findings, found).await?;
            }
        }
        for found in breaks_of_balances(&findings.books.value, now)? {
            self.add(&mut findings, found).await?;
        }
        self.store_found(&mut findings).await?;
        self.end_others(&mut findings, now).await?;
        Ok(Comparison { breaks: self.open_breaks().await?, expected })
    }

    /// Reads the breaks that are neither resolved nor gone.
    pub(super) async fn open_breaks(&self) -> Result<Vec<Break>, BooksError> {
        self.access().all_breaks(BreakQuery::Open).await
    }

    /// Reads the breaks that are not gone.
    pub(super) async fn present_breaks(&self) -> Result<Vec<Break>, BooksError> {
        self.access().all_breaks(BreakQuery::Present).await
    }

    /// Adds the breaks of clearing accounts, and returns the number of those that are too young to be one.
    async fn compare_clearing(&self, now: Timestamp, findings: &mut Findings) -> Result<u64, BooksError> {
        // On a shared account, an item of no order is of another program. They are never closed, and become ever more.
        let of_orders = self.settings.shared_account;
        let mut query = OpenItemQuery { after: None, of_orders, limit: ITEMS_AT_ONCE };
        let mut expected = 0_u64;
        loop {
            let items = self.books.open_items(&query).await?;
            let is_last = items.len() < usize::from(ITEMS_AT_ONCE);
            query.after = items.last().map(ClearingKey::of);
            for item in items.iter().filter(|it| it.has_day) {
                match self.finding(item, now).await? {
                    Finding::Expected => expected = expected.saturating_add(1),
                    Finding::Break(found) => self.add(findings, found).await?,
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
            return Ok(if is_young { Finding::Expected } else { new(BreakClass::Link, None, theirs) });
        }
        if let Some(other) = self.in_another_currency(item).await? {
            // One break for both accounts, told by the one that the order expects.
            let is_ours = item.transactions == 0;
            return Ok(if is_ours { new(BreakClass::Currency, ours, Some(other)) } else { Finding::Told });
        }
        if is_young || (item.entries == 0 && self.is_processing(item).await?) {
            return Ok(Finding::Expected);
        }
        // Not before: Stripe may list a movement between two others after both.
        if self.is_duplicate(item).await? {
            return Ok(new(BreakClass::Duplicate, ours, theirs));
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

    /// Whether a balance transaction was made twice for the object.
    async fn is_duplicate(&self, item: &ClearingItem) -> Result<bool, BooksError> {
        if item.transactions < 2 {
            return Ok(false);
        }
        let filter = RowFilter::Source(item.source.clone());
        let rows = self.books.transactions(&RowQuery { filter, after: None, limit: ROWS_MAX }).await?;
        Ok(has_duplicate(&rows.iter().map(|it| &it.transaction.category).collect::<Vec<_>>()))
    }

    /// Whether the item is of a payment that a bank is still processing: Stripe books a bank debit before it has
    /// succeeded, and reverses it if it fails.
    async fn is_processing(&self, item: &ClearingItem) -> Result<bool, BooksError> {
        let Source::Payment { intent } = &item.source else { return Ok(false) };
        let order = self.orders.order(&OrderRef::Intent(intent.clone())).await?;
        let status = order.and_then(|it| it.value.intent(intent).map(|it| it.status));
        Ok(status == Some(IntentStatus::Processing))
    }

    /// Stores the breaks that are new or have changed, and ends those that were looked for and are gone.
    pub(super) async fn store_breaks(
        &self,
        books: Versioned<BooksState>,
        found: Vec<Break>,
        is_looked_for: impl Fn(&Break) -> bool,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let mut findings = self.findings(books, is_looked_for).await?;
        for one in found {
            self.add(&mut findings, one).await?;
        }
        self.store_found(&mut findings).await?;
        self.end_others(&mut findings, now).await
    }

    /// Findings before the first one: the present breaks that are looked for are not found yet.
    async fn findings(
        &self,
        books: Versioned<BooksState>,
        is_looked_for: impl Fn(&Break) -> bool,
    ) -> Result<Findings, BooksError> {
        let present = self.present_breaks().await?.into_iter().filter(is_looked_for);
        let not_found = present.map(|it| (it.id.clone(), it)).collect();
        Ok(Findings { books, not_found, found: Vec::new() })
    }

    /// Adds a break, and stores those that were added when they are many. A name that was added is not added again: a
    /// commit has each break once.
    async fn add(&self, findings: &mut Findings, found: Break) -> Result<(), BooksError> {
        findings.not_found.remove(&found.id);
        if findings.found.iter().all(|it| it.id != found.id) {
            findings.found.push(found);
        }
        if findings.found.len() < BREAKS_AT_ONCE { Ok(()) } else { self.store_found(findings).await }
    }

    /// Stores the breaks that were added and are new or have changed. A resolved break whose amounts have changed is open
    /// again.
    async fn store_found(&self, findings: &mut Findings) -> Result<(), BooksError> {
        let found = std::mem::take(&mut findings.found);
        if found.is_empty() {
            return Ok(());
        }
        let names = found.iter().map(|it| it.id.clone()).collect();
        let stored = self.books.breaks(&BreakQuery::Named(names)).await?;
        let stored: BTreeMap<&str, &Break> = stored.iter().map(|it| (it.id.as_str(), it)).collect();
        let next = |it: &Break| stored.get(it.id.as_str()).map_or_else(|| it.clone(), |known| it.after(known));
        let context = self.event_context();
        let is_new = |it: &&Break| stored.get(it.id.as_str()).is_none_or(|known| known.gone_at.is_some());
        let events: Vec<_> = found.iter().filter(is_new).map(|it| context.break_found(it)).collect();
        let differing = found.iter().map(next).filter(|it| stored.get(it.id.as_str()) != Some(&it));
        let breaks: Vec<Break> = differing.collect();
        self.commit_breaks(findings, breaks, events).await
    }

    /// Ends the breaks that were not found.
    async fn end_others(&self, findings: &mut Findings, now: Timestamp) -> Result<(), BooksError> {
        let gone = std::mem::take(&mut findings.not_found).into_values();
        let gone: Vec<Break> = gone.map(|it| Break { gone_at: Some(now), ..it }).collect();
        for some in gone.chunks(BREAKS_AT_ONCE) {
            self.commit_breaks(findings, some.to_vec(), vec![]).await?;
        }
        Ok(())
    }

    async fn commit_breaks(
        &self,
        findings: &mut Findings,
        breaks: Vec<Break>,
        events: Vec<AccountEvent>,
    ) -> Result<(), BooksError> {
        if breaks.is_empty() {
            return Ok(());
        }
        let Versioned { version, value } = findings.books.clone();
        findings.books = self.commit(BooksChanges { breaks, events, ..BooksChanges::new(version, value) }).await?;
        Ok(())
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
