//! Days: when one is closed, and its statement.

use paywright_domain::Timestamp;
use paywright_domain::books::Day;

use super::bookkeeper::{Bookkeeper, BooksError};
use super::statement::{Period, Statement, StatementStatus};
use crate::{BooksChanges, BooksState, ClosedDay, ClosedRef, CreatedRange, Versioned};

/// Time after a day's end at which it is closed, in seconds: until then Stripe may list more of its movements.
const CLOSED_AFTER_SECONDS: u32 = 3600;

impl Bookkeeper {
    /// The first open day, if it is over, everything of it is read, and its opening balances are known.
    pub(super) fn day_to_close(&self, state: &BooksState, now: Timestamp) -> Option<Day> {
        let day = state.first_open_day();
        let end = self.settings.zone.start_of(day.next()?);
        let is_read = state.opening.is_some() && state.transactions_until >= end;
        (is_read && now >= end.plus_seconds(CLOSED_AFTER_SECONDS)).then_some(day)
    }

    /// Closes the first open day. Its movements, and those of the day before, are read once more: what is found later is
    /// a correction.
    pub(super) async fn close(&self, books: Versioned<BooksState>, day: Day) -> Result<(), BooksError> {
        let zone = &self.settings.zone;
        let from = zone.start_of(day.previous().unwrap_or(day));
        let until = day.next().map_or(books.value.transactions_until, |it| zone.start_of(it));
        let books = self.read_range(books, CreatedRange { from, until }).await?;
        let access = self.access();
        let opening = access.before_open_days(&books.value).await?;
        let summary = access.summary_of_rows(&opening.amounts(), zone, day, day).await?;
        let previous = books.value.closed.as_ref().map(|it| it.hash.clone());
        let (period, status) = (Period::day(day), StatementStatus::Closed);
        let statement = Statement::new(period, zone.name(), status, summary.clone(), previous.clone())?;
        let hash = statement.hash().unwrap_or_default().to_owned();
        let (timezone, closed_at) = (zone.name().to_owned(), self.clock.now());
        let closed = ClosedDay { day, hash: hash.clone(), previous, timezone, closed_at, summary };
        let state = BooksState { closed: Some(ClosedRef { day, hash }), ..books.value };
        self.commit(BooksChanges { days: vec![closed], ..BooksChanges::new(books.version, state) }).await?;
        Ok(())
    }
}

impl BooksState {
    /// First day that is not closed.
    pub fn first_open_day(&self) -> Day {
        self.closed.as_ref().map_or(self.first_day, |it| it.day.next().unwrap_or(it.day))
    }
}
