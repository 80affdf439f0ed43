//! Check of the past: the statements of the closed days, made again from the rows that are stored.

use paywright_domain::books::Day;

use super::amounts::Balances;
use super::bookkeeper::{Bookkeeper, BooksError};
use super::reads::BooksAccess;
use super::{BooksZone, Break, BreakClass, DaySummary, Period, Statement, StatementStatus};
use crate::{BooksState, ClosedDay, ClosedRef, StoreError};

/// State that a day's statement follows from, besides the day's own rows.
struct Before {
    /// Closing balances of the day before.
    closing: Balances,
    /// Hash of the day before; `None` on the first day.
    hash: Option<String>,
}

impl Bookkeeper {
    /// Makes the chain of the closed days' hashes again, day by day from `since` on, and stores a break for the first day
    /// whose statement no longer gives its stored hash. An earlier break of a day that is whole again is gone.
    pub(super) async fn check_history(&self, since: Option<Day>) -> Result<(), BooksError> {
        let Some(books) = self.books.books().await? else { return Ok(()) };
        let from = since.unwrap_or(books.value.first_day).max(books.value.first_day);
        let changed = self.access().first_changed_day(&books.value, from).await?;
        let now = self.stripe_now();
        let of_day = |day| Break::new(BreakClass::History, &day_name(day), self.settings.zone.start_of(day), now);
        let is_checked = |it: &Break| it.class == BreakClass::History && it.object >= day_name(from);
        let mut attempt = 0;
        loop {
            let Some(books) = self.books.books().await? else { return Ok(()) };
            let found = changed.map(of_day).into_iter().collect();
            match self.store_breaks(books, found, is_checked, now).await {
                Ok(()) => return Ok(()),
                Err(error) => self.pause_after(error, &mut attempt).await?,
            }
        }
    }
}

/// Name of a day as the object of a break; names of later days are greater.
fn day_name(day: Day) -> String {
    day.to_string()
}

impl BooksAccess {
    /// First closed day from `from` on that is not as it was when it was closed: its row is gone, or its hash, its figures,
    /// its balance transactions or the hash before it were changed. `None` if all days are unchanged.
    async fn first_changed_day(&self, state: &BooksState, from: Day) -> Result<Option<Day>, BooksError> {
        let Some(ClosedRef { day: last, hash: last_hash }) = &state.closed else { return Ok(None) };
        // A later day is not closed, and has nothing to be checked.
        let from = last.next().map_or(from, |it| from.min(it));
        let mut before = match from.previous().filter(|it| *it >= state.first_day) {
            Some(day) => match self.closed_day(day).await? {
                Some(closed) => Before::next_of(closed)?,
                None => return Ok(Some(day)),
            },
            None => Before { closing: Balances::of(state.opening.as_deref().unwrap_or_default())?, hash: None },
        };
        let mut next = Some(from);
        while let Some(day) = next.filter(|it| it <= last) {
            let Some(closed) = self.closed_day(day).await? else { return Ok(Some(day)) };
            if !self.is_unchanged(&closed, &before).await? {
                return Ok(Some(day));
            }
            before = Before::next_of(closed)?;
            next = day.next();
        }
        let is_whole = from > *last || before.hash.as_ref() == Some(last_hash);
        Ok((!is_whole).then_some(*last))
    }

    async fn closed_day(&self, day: Day) -> Result<Option<ClosedDay>, BooksError> {
        Ok(self.books.closed_days(day, day).await?.into_iter().next())
    }

    /// Whether the rows of a closed day give its figures, and these its hash.
    async fn is_unchanged(&self, closed: &ClosedDay, before: &Before) -> Result<bool, BooksError> {
        match self.made_again(closed, before).await {
            Ok((summary, hash)) => {
                Ok(summary == closed.summary && closed.previous == before.hash && hash.as_ref() == Some(&closed.hash))
            }
            // Rows that no statement can be made of were not there when the day was closed.
            Err(
                BooksError::Summary(_)
                | BooksError::Money(_)
                | BooksError::Zone(_)
                | BooksError::Store(StoreError::Corrupt(_)),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Figures and hash of a closed day, from its rows and the day before it.
    async fn made_again(
        &self,
        closed: &ClosedDay,
        before: &Before,
    ) -> Result<(DaySummary, Option<String>), BooksError> {
        let (day, timezone) = (closed.day, closed.timezone.as_str());
        let zone = BooksZone::parse(timezone).map_err(BooksError::Zone)?;
        let summary = self.summary_of_rows(&before.closing.amounts(), &zone, day, day).await?;
        let (period, status) = (Period::day(day), StatementStatus::Closed);
        let statement = Statement::new(period, timezone, status, summary.clone(), before.hash.clone())?;
        Ok((summary, statement.hash().map(str::to_owned)))
    }
}

impl Before {
    /// Returns the state that the day after `closed` follows from.
    fn next_of(closed: ClosedDay) -> Result<Self, BooksError> {
        Ok(Self { closing: closed.summary.closing()?, hash: Some(closed.hash) })
    }
}
