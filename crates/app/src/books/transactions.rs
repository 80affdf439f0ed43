//! Walk through Stripe's balance transactions.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::books::{BalanceTransaction, Entry, EntryError, RowError};
use paywright_domain::id::BalanceTransactionId;
use paywright_domain::{IntentId, OrderId, Timestamp};

use super::bookkeeper::{Bookkeeper, BooksError};
use super::{Break, BreakClass};
use crate::{
    BalancePage, BookedTransaction, BooksChanges, BooksState, BreakQuery, CreatedRange, RefusedObject,
    ReportedTransaction, Versioned,
};

/// Age below which the next walk reads balance transactions again, in seconds: one may be listed later than another that
/// was created after it.
const SETTLED_SECONDS: u32 = 900;

/// Largest part of the past that is read before the walk's progress is committed, in seconds.
const SLICE_SECONDS: u32 = 86_400;

impl Bookkeeper {
    /// Reads the balance transactions that were created since the last walk, at most those of a day. Returns also whether
    /// there are later ones.
    pub(super) async fn read_transactions(
        &self,
        books: Versioned<BooksState>,
        now: Timestamp,
    ) -> Result<(Versioned<BooksState>, bool), BooksError> {
        let from = books.value.transactions_until;
        let until = from.plus_seconds(SLICE_SECONDS).min(now.plus_seconds(1));
        let books = self.read_range(books, CreatedRange { from, until }).await?;
        let read_until = until.min(now.minus_seconds(SETTLED_SECONDS)).max(from);
        let state = BooksState { transactions_until: read_until, ..books.value };
        let books = self.commit(BooksChanges::new(books.version, state)).await?;
        Ok((books, until <= now))
    }

    /// Reads the balance transactions that were created in `range`, and stores those that are new.
    pub(super) async fn read_range(
        &self,
        mut books: Versioned<BooksState>,
        range: CreatedRange,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let mut after = None;
        loop {
            let page = self.balance.transactions(range, after.as_deref()).await?;
            after = page.next.clone();
            books = self.store_transactions(books, page).await?;
            if after.is_none() {
                return Ok(books);
            }
        }
    }

    /// Stores those of a page that are new, with what they break, and tells those that cannot be booked.
    pub(super) async fn store_transactions(
        &self,
        books: Versioned<BooksState>,
        page: BalancePage<ReportedTransaction>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let BalancePage { items, mut refused, next: _ } = page;
        let mut reported = Vec::new();
        for it in items {
            match Entry::of_balance_transaction(&it.transaction) {
                Ok(_) => reported.push(it),
                Err(error) => refused.push(refused_row(&it, error)),
            }
        }
        let books = self.store_reported(books, reported).await?;
        self.tell_refused(books, refused).await
    }

    async fn store_reported(
        &self,
        books: Versioned<BooksState>,
        reported: Vec<ReportedTransaction>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let ids: Vec<BalanceTransactionId> = reported.iter().map(|it| it.transaction.id.clone()).collect();
        let known: BTreeSet<_> = self.books.known_transactions(&ids).await?.into_iter().collect();
        let new: Vec<_> = reported.into_iter().filter(|it| !known.contains(&it.transaction.id)).collect();
        if new.is_empty() {
            return Ok(books);
        }
        let intents: BTreeSet<IntentId> = new.iter().filter_map(|it| it.intent.clone()).collect();
        let orders = self.books.orders_of_intents(&intents.into_iter().collect::<Vec<_>>()).await?;
        let orders: BTreeMap<IntentId, OrderId> = orders.into_iter().collect();
        let recorded_at = self.clock.now();
        let booked = |it: ReportedTransaction| BookedTransaction {
            order: it.intent.as_ref().and_then(|intent| orders.get(intent)).copied(),
            day: self.day_in_books(&books.value, it.transaction.created),
            intent: it.intent,
            transaction: it.transaction,
            recorded_at,
        };
        let transactions: Vec<BookedTransaction> = new.into_iter().map(booked).collect();
        let breaks = self.breaks_of_rows(&transactions).await?;
        let context = self.event_context();
        let events = breaks.iter().map(|it| context.break_found(it)).collect();
        let state = books.value.clone();
        let changes = BooksChanges { transactions, breaks, events, ..BooksChanges::new(books.version, state) };
        self.commit(changes).await
    }

    /// Breaks that balance transactions are by themselves, and that are not stored yet.
    async fn breaks_of_rows(&self, rows: &[BookedTransaction]) -> Result<Vec<Break>, BooksError> {
        let in_books = rows.iter().filter(|it| it.day.is_some());
        let mut found: BTreeMap<String, Break> = BTreeMap::new();
        for each in in_books.flat_map(breaks_of_row) {
            found.entry(each.id.clone()).or_insert(each);
        }
        if found.is_empty() {
            return Ok(vec![]);
        }
        for known in self.books.breaks(&BreakQuery::Named(found.keys().cloned().collect())).await? {
            found.remove(&known.id);
        }
        Ok(found.into_values().collect())
    }
}

/// A balance transaction of which no entry can be made.
fn refused_row(reported: &ReportedTransaction, error: EntryError) -> RefusedObject {
    let BalanceTransaction { id, created, .. } = &reported.transaction;
    RefusedObject { id: id.to_string(), created: Some(*created), problem: format!("{id}: {error}") }
}

/// Breaks that a balance transaction is by itself.
fn breaks_of_row(row: &BookedTransaction) -> Vec<Break> {
    let transaction = &row.transaction;
    let new = |class, object: &str| Break::new(class, object, transaction.created, row.recorded_at);
    let mut breaks = Vec::new();
    if let Err(error) = transaction.check() {
        let (ours, theirs) = match error {
            RowError::Net { amount, fee, net } => (amount.minus(fee).ok(), Some(net)),
            RowError::Fees { parts, fee } => (Some(parts), Some(fee)),
            RowError::Money(_) | _ => (None, None),
        };
        breaks.push(Break { order: row.order, ours, theirs, ..new(BreakClass::FeeSum, transaction.id.as_str()) });
    }
    if !transaction.category.is_documented() {
        let of = new(BreakClass::UnknownCategory, transaction.category.as_str());
        breaks.push(Break { theirs: Some(transaction.net), ..of });
    }
    breaks
}
