//! Entries of what the facts of orders expect.

use paywright_domain::books::{Entry, Expected, expected_by};
use paywright_domain::{Order, OrderId, Timestamp};

use super::bookkeeper::{BEFORE_START_SECONDS, Bookkeeper, BooksError};
use crate::{
    BookedEntry, BooksChanges, BooksState, OrderFilter, OrderRef, OrderSearch, OrderSort, TimeRange, Versioned,
};

/// Number of orders that are read at once.
const ORDERS_AT_ONCE: u16 = 100;

/// Time before the end of the last walk from which orders are read again, in seconds: a change is decided a moment before
/// it is committed, and the clocks of processes differ.
const OVERLAP_SECONDS: u32 = 600;

/// Place in the list of orders by the time of their last change.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Time of the last change.
    from: Timestamp,
    /// Number of orders of that time that are read already.
    offset: u64,
}

impl Place {
    /// Place after `page`, which began here.
    fn after(self, page: &[Order]) -> Self {
        let Some(last) = page.last().map(|it| it.updated_at) else { return self };
        let of_last = u64::try_from(page.iter().filter(|it| it.updated_at == last).count()).unwrap_or(0);
        let before = if last == self.from { self.offset } else { 0 };
        Self { from: last, offset: before.saturating_add(of_last) }
    }
}

impl Bookkeeper {
    /// Books the facts of all orders that have changed since the last walk, page by page. What changes meanwhile is left to
    /// the next one: where orders change as fast as they are read, a walk would have no end.
    pub(super) async fn book_orders(
        &self,
        mut books: Versioned<BooksState>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let began = self.clock.now();
        // Those of the moment at which it began are in it.
        let end = began.plus_seconds(1);
        let mut place = Place { from: books.value.orders_until.minus_seconds(OVERLAP_SECONDS), offset: 0 };
        loop {
            let filter = OrderFilter {
                updated: TimeRange { from: Some(place.from), until: Some(end) },
                // The facts of others expect nothing.
                has_intent: true,
                ..OrderFilter::default()
            };
            let (sort, limit) = (OrderSort::UpdatedAt, ORDERS_AT_ONCE);
            let search = OrderSearch { filter, sort, offset: place.offset, limit };
            let page = self.orders.search_orders(&search).await?;
            let mut entries = Vec::new();
            for order in &page {
                entries.extend(self.entries_of(order.id, &books.value).await?);
            }
            place = place.after(&page);
            let is_last = page.len() < usize::from(ORDERS_AT_ONCE);
            let until = if is_last { began } else { place.from };
            let orders_until = until.max(books.value.orders_until);
            let state = BooksState { orders_until, ..books.value };
            books = self.commit(BooksChanges { entries, ..BooksChanges::new(books.version, state) }).await?;
            if is_last {
                return Ok(books);
            }
        }
    }

    /// Entries that the facts of an order expect, from the first day on and somewhat before it. An order whose amounts
    /// cannot be booked is told, and its movements at Stripe become breaks.
    async fn entries_of(&self, id: OrderId, state: &BooksState) -> Result<Vec<BookedEntry>, BooksError> {
        let Some(Versioned { version, value: order }) = self.orders.order(&OrderRef::Id(id)).await? else {
            return Ok(vec![]);
        };
        let facts = self.orders.facts(id).await?;
        // Facts of changes after the order was read would be booked for an order that does not know what they are about.
        let known = facts.iter().filter(|it| it.version <= version);
        let expected = match expected_by(&order, known.map(|it| (it.at, &it.fact))) {
            Ok(expected) => expected,
            Err(error) => {
                self.warnings.warn(format!("The order {} cannot be booked: {error}.", order.number));
                return Ok(vec![]);
            }
        };
        // Half of the time for which movements are read: an entry at its start would miss a movement just before.
        let from = state.start.minus_seconds(BEFORE_START_SECONDS / 2);
        let entry = |it: Expected| BookedEntry {
            day: self.day_in_books(state, it.at),
            id: it.id,
            order: order.id,
            at: it.at,
            source: it.source,
            entry: it.entry,
        };
        let has_amount = |it: &Entry| !it.postings().is_empty();
        Ok(expected.into_iter().filter(|it| it.at >= from && has_amount(&it.entry)).map(entry).collect())
    }
}
