//! Reads of the books: breaks, payouts, and pages of rows in the order of the books.

use std::collections::BTreeMap;
use std::sync::Arc;

use paywright_domain::books::Day;
use paywright_domain::id::{OrderNumber, PayoutId};
use paywright_domain::{OrderId, Timestamp};

use super::Break;
use super::bookkeeper::BooksError;
use super::breaks::Resolution;
use crate::{
    BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, BreakQuery, Clock, PayoutQuery,
    RowFilter, RowQuery, StoreError, Versioned,
};

/// Number of rows that are read at once.
const ROWS_AT_ONCE: u16 = 500;

/// Largest number of characters of a note.
pub const NOTE_LEN_MAX: usize = 2000;

/// A payout with what it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutContent {
    /// The payout, with the sum of its members.
    pub payout: BookedPayout,
    /// The balance transactions that it contains, as far as they are in the books, by creation time and id.
    pub members: Vec<BookedTransaction>,
    /// Numbers of their orders.
    pub numbers: BTreeMap<OrderId, OrderNumber>,
}

/// Access to the books: reads them, and records how people resolve breaks. It needs no access to Stripe.
#[derive(Clone)]
pub struct BooksAccess {
    pub(super) books: Arc<dyn Books>,
    pub(super) clock: Arc<dyn Clock>,
}

impl BooksAccess {
    /// Access to the books in a database.
    pub const fn new(books: Arc<dyn Books>, clock: Arc<dyn Clock>) -> Self {
        Self { books, clock }
    }

    /// State of the books; `None` before they are begun.
    pub async fn state(&self) -> Result<Option<BooksState>, BooksError> {
        Ok(self.books.books().await?.map(|it| it.value))
    }

    /// Reads the latest breaks: the open ones, or all.
    pub async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, BooksError> {
        Ok(self.books.breaks(query).await?)
    }

    /// Resolves a break with a note of who explains it. Returns the break; `None` if there is none with this name. A break
    /// that is gone or resolved stays as it is.
    pub async fn resolve(&self, id: &str, by: &str, note: &str) -> Result<Option<Break>, BooksError> {
        let mut attempt = 1;
        loop {
            let found = self.books.breaks(&BreakQuery::Named(vec![id.to_owned()])).await?;
            let Some(found) = found.into_iter().next() else { return Ok(None) };
            let Some(Versioned { version, value }) = self.books.books().await? else { return Ok(None) };
            if !found.is_open() {
                return Ok(Some(found));
            }
            let resolution = Resolution { at: self.clock.now(), by: by.to_owned(), note: note.to_owned() };
            let resolved = Break { resolution: Some(resolution), ..found };
            let breaks = vec![resolved.clone()];
            match self.books.commit_books(&BooksChanges { breaks, ..BooksChanges::new(version, value) }).await {
                Err(StoreError::Conflict) if attempt < crate::ATTEMPTS_MAX => {
                    self.clock.pause(attempt).await;
                    attempt += 1;
                }
                done => return Ok(done.map(|()| Some(resolved))?),
            }
        }
    }

    /// Reads a payout with what it contains. `None` if the books have none with this id.
    pub async fn payout(&self, id: &PayoutId) -> Result<Option<PayoutContent>, BooksError> {
        let found = self.books.payouts(&PayoutQuery::Id(id.clone())).await?;
        let Some(payout) = found.into_iter().next() else { return Ok(None) };
        let mut members = Vec::new();
        let mut pages = Pages::of(RowFilter::Payout(id.clone()));
        while let Some(page) = self.next_transactions(&mut pages).await? {
            members.extend(page);
        }
        let numbers = self.order_numbers(members.iter().filter_map(|it| it.order)).await?;
        Ok(Some(PayoutContent { payout, members, numbers }))
    }

    /// Reads the payouts that were created in a range of times, without what they contain.
    pub async fn payouts(&self, from: Timestamp, until: Timestamp) -> Result<Vec<BookedPayout>, BooksError> {
        Ok(self.books.payouts(&PayoutQuery::Created { from, until }).await?)
    }

    /// Reads the next page of balance transactions; `None` after the last.
    pub(super) async fn next_transactions(
        &self,
        pages: &mut Pages,
    ) -> Result<Option<Vec<BookedTransaction>>, BooksError> {
        let Some(query) = pages.query() else { return Ok(None) };
        let rows = self.books.transactions(&query).await?;
        let last = rows.last().map(|it| (it.day, it.transaction.created, it.transaction.id.to_string()));
        Ok(pages.read(rows, last))
    }

    /// Reads the next page of entries; `None` after the last.
    pub(super) async fn next_entries(&self, pages: &mut Pages) -> Result<Option<Vec<BookedEntry>>, BooksError> {
        let Some(query) = pages.query() else { return Ok(None) };
        let rows = self.books.entries(&query).await?;
        let last = rows.last().map(|it| (it.day, it.at, it.id.clone()));
        Ok(pages.read(rows, last))
    }
}

/// Pages of balance transactions or entries, from the first to the last.
pub(super) struct Pages {
    filter: RowFilter,
    after: Option<(Option<Day>, Timestamp, String)>,
    is_over: bool,
}

impl Pages {
    pub(super) const fn of(filter: RowFilter) -> Self {
        Self { filter, after: None, is_over: false }
    }

    pub(super) const fn of_days(from: Day, to: Day) -> Self {
        Self::of(RowFilter::Days { from, to })
    }

    fn query(&self) -> Option<RowQuery> {
        let query = || RowQuery { filter: self.filter.clone(), after: self.after.clone(), limit: ROWS_AT_ONCE };
        (!self.is_over).then(query)
    }

    fn read<T>(&mut self, rows: Vec<T>, last: Option<(Option<Day>, Timestamp, String)>) -> Option<Vec<T>> {
        self.is_over = rows.len() < usize::from(ROWS_AT_ONCE);
        self.after = last;
        (!rows.is_empty()).then_some(rows)
    }
}
