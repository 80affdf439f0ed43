//! Reads of the books: breaks, payouts, and pages of rows in the order of the books.

use std::collections::BTreeMap;
use std::sync::Arc;

use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber, PayoutId};
use paywright_domain::text::Note;
use paywright_domain::{OrderId, Timestamp};

use super::Break;
use super::bookkeeper::BooksError;
use super::breaks::Resolution;
use crate::{
    Act, AuditEntry, BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, BreakPage,
    BreakPlace, BreakQuery, Clock, Ids, PayoutQuery, RowFilter, RowQuery, StoreError, Versioned,
};

/// Number of rows that are read at once.
const ROWS_AT_ONCE: u16 = 500;

/// Number of breaks that are read at once.
const BREAKS_AT_ONCE: u16 = 500;

/// A payout with what it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutContent {
    /// The payout, with the sum of its members.
    pub payout: BookedPayout,
    /// The balance transactions that it contains, as far as they are in the books, by day, creation time and id: all, or a
    /// page of them.
    pub members: Vec<BookedTransaction>,
    /// Place of the last one, if there are more after it.
    pub next: Option<RowPlace>,
    /// Numbers of their orders.
    pub numbers: BTreeMap<OrderId, OrderNumber>,
}

/// Place of a balance transaction in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// Day of the books; `None` if it is before the first.
    pub day: Option<Day>,
    /// Time at which Stripe created it.
    pub created: Timestamp,
    /// Id.
    pub id: BalanceTransactionId,
}

impl RowPlace {
    fn of(row: &BookedTransaction) -> Self {
        Self { day: row.day, created: row.transaction.created, id: row.transaction.id.clone() }
    }

    fn key(self) -> (Option<Day>, Timestamp, String) {
        (self.day, self.created, self.id.to_string())
    }
}

/// Access to the books: reads them, and records how people resolve breaks. It needs no access to Stripe.
#[derive(Clone)]
pub struct BooksAccess {
    pub(super) books: Arc<dyn Books>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

impl BooksAccess {
    /// Access to the books in a database.
    pub const fn new(books: Arc<dyn Books>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { books, clock, ids }
    }

    /// State of the books; `None` before they are begun.
    pub async fn state(&self) -> Result<Option<BooksState>, BooksError> {
        Ok(self.books.books().await?.map(|it| it.value))
    }

    /// The time at Stripe, as far as it is known here: ages of breaks count to it.
    pub async fn time(&self) -> Result<Timestamp, BooksError> {
        let now = self.clock.now();
        Ok(self.state().await?.map_or(now, |it| self.time_at_stripe(&it)))
    }

    /// Reads breaks: a page of a list, or some by their names.
    pub async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, BooksError> {
        Ok(self.books.breaks(query).await?)
    }

    /// Reads all breaks of a list, page by page: `list` makes the query for a page, and is a variant of [`BreakQuery`].
    pub async fn all_breaks(&self, list: fn(BreakPage) -> BreakQuery) -> Result<Vec<Break>, BooksError> {
        let (mut all, mut after): (Vec<Break>, _) = (Vec::new(), None);
        loop {
            let page = self.books.breaks(&list(BreakPage { after, limit: BREAKS_AT_ONCE })).await?;
            let is_last = page.len() < usize::from(BREAKS_AT_ONCE);
            after = page.last().map(BreakPlace::of);
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Resolves a break with a note of who explains it, which is an act in the audit trail. Returns the break; `None` if there
    /// is none with this name. A break that is gone or resolved stays as it is.
    pub async fn resolve(&self, id: &str, by: &str, note: &Note) -> Result<Option<Break>, BooksError> {
        let mut attempt = 1;
        loop {
            // Before the break: of two resolutions at once the one that commits second has a stale version.
            let Some(Versioned { version, value }) = self.books.books().await? else { return Ok(None) };
            let found = self.books.breaks(&BreakQuery::Named(vec![id.to_owned()])).await?;
            let Some(found) = found.into_iter().next() else { return Ok(None) };
            if !found.is_open() {
                return Ok(Some(found));
            }
            let (at, note) = (self.clock.now(), note.to_string());
            let act = Act::BreakResolved { note: note.clone() };
            let audit = Some(AuditEntry::of_current_work(self.ids.as_ref(), at, id, act));
            let resolution = Resolution { at, by: by.to_owned(), note };
            let resolved = Break { resolution: Some(resolution), ..found };
            let breaks = vec![resolved.clone()];
            match self.books.commit_books(&BooksChanges { breaks, audit, ..BooksChanges::new(version, value) }).await {
                Err(StoreError::Conflict) if attempt < crate::ATTEMPTS_MAX => {
                    self.clock.pause(attempt).await;
                    attempt += 1;
                }
                done => return Ok(done.map(|()| Some(resolved))?),
            }
        }
    }

    /// Reads a payout with all that it contains. `None` if the books have none with this id.
    pub async fn payout(&self, id: &PayoutId) -> Result<Option<PayoutContent>, BooksError> {
        let Some(payout) = self.payout_alone(id).await? else { return Ok(None) };
        let mut members = Vec::new();
        let mut pages = Pages::of(RowFilter::Payout(id.clone()));
        while let Some(page) = self.next_transactions(&mut pages).await? {
            members.extend(page);
        }
        Ok(Some(self.content(payout, members, None).await?))
    }

    /// Reads a payout with a page of what it contains: at most `limit` balance transactions after a place. `None` if the
    /// books have none with this id.
    pub async fn payout_page(
        &self,
        id: &PayoutId,
        after: Option<RowPlace>,
        limit: u16,
    ) -> Result<Option<PayoutContent>, BooksError> {
        let Some(payout) = self.payout_alone(id).await? else { return Ok(None) };
        let (filter, with_one_more) = (RowFilter::Payout(id.clone()), limit.saturating_add(1));
        let query = RowQuery { filter, after: after.map(RowPlace::key), limit: with_one_more };
        let mut members = self.books.transactions(&query).await?;
        let has_more = members.len() > usize::from(limit);
        members.truncate(limit.into());
        let next = members.last().filter(|_| has_more).map(RowPlace::of);
        Ok(Some(self.content(payout, members, next).await?))
    }

    async fn payout_alone(&self, id: &PayoutId) -> Result<Option<BookedPayout>, BooksError> {
        Ok(self.books.payouts(&PayoutQuery::Id(id.clone())).await?.into_iter().next())
    }

    async fn content(
        &self,
        payout: BookedPayout,
        members: Vec<BookedTransaction>,
        next: Option<RowPlace>,
    ) -> Result<PayoutContent, BooksError> {
        let numbers = self.order_numbers(members.iter().filter_map(|it| it.order)).await?;
        Ok(PayoutContent { payout, members, next, numbers })
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
