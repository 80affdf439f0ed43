//! Statements of days and months, from the closed days and the rows of the open ones.

use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use thiserror::Error;

use super::amounts::Balances;
use super::bookkeeper::BooksError;
use super::reads::{BooksAccess, Pages};
use super::{BooksZone, DaySummary, Period, Statement, StatementBuilder, StatementStatus};
use crate::{BalanceAmount, BooksState, ClosedDay};

/// Why there is no statement of a period.
#[derive(Debug, Error)]
pub enum NoStatement {
    /// The books have not been begun.
    #[error("the books have not been begun: `paywright serve` or `paywright books reconcile` begins them")]
    NotBegun,
    /// The period ends before the first day of the books.
    #[error("the books begin on {first}")]
    BeforeStart {
        /// First day of the books.
        first: Day,
    },
    /// The first day is after the last.
    #[error("the first day, {first}, is after the last, {last}")]
    Reversed {
        /// First day.
        first: Day,
        /// Last day.
        last: Day,
    },
    /// The period begins after today.
    #[error("the period has not begun: today is {today}")]
    NotBegunYet {
        /// Today in the time zone of the books.
        today: Day,
    },
    /// The books cannot be read.
    #[error(transparent)]
    Books(#[from] BooksError),
}

impl BooksAccess {
    /// Makes the statement of a day or a month. It is open as long as one of its days is.
    pub async fn statement(&self, period: Period) -> Result<Statement, NoStatement> {
        let (state, zone) = self.begun().await?;
        let days = self.days_of(period.first(), period.last()).await?;
        Ok(self.statement_of(&state, &zone, period, days).await?)
    }

    /// Days of a period that the books have: from their first day and to today.
    pub(super) async fn days_of(&self, first: Day, last: Day) -> Result<(Day, Day), NoStatement> {
        let (state, zone) = self.begun().await?;
        let today = self.today(&state, &zone);
        if first > last && first > state.first_day {
            return Err(NoStatement::Reversed { first, last });
        }
        if last < state.first_day {
            return Err(NoStatement::BeforeStart { first: state.first_day });
        }
        if first > today {
            return Err(NoStatement::NotBegunYet { today });
        }
        Ok((first.max(state.first_day), last.min(today)))
    }

    /// Today: the day of the latest reading, if Stripe's clock is ahead.
    pub(super) fn today(&self, state: &BooksState, zone: &BooksZone) -> Day {
        zone.day_of(self.time_at_stripe(state)).max(state.first_open_day())
    }

    /// The time here, or that of the latest reading of Stripe's balance, if Stripe's clock is ahead.
    pub(super) fn time_at_stripe(&self, state: &BooksState) -> Timestamp {
        self.clock.now().max(state.reading.as_ref().map_or(state.start, |it| it.until))
    }

    /// Time zone of the books, and the time; [`NoStatement::NotBegun`] before they are begun.
    pub async fn zone_and_time(&self) -> Result<(BooksZone, Timestamp), NoStatement> {
        let (state, zone) = self.begun().await?;
        Ok((zone, self.time_at_stripe(&state)))
    }

    /// Time zone of the books; [`NoStatement::NotBegun`] before they are begun.
    pub async fn zone(&self) -> Result<BooksZone, NoStatement> {
        Ok(self.begun().await?.1)
    }

    /// State of the books and their time zone.
    pub(super) async fn begun(&self) -> Result<(BooksState, BooksZone), NoStatement> {
        let state = self.state().await?.ok_or(NoStatement::NotBegun)?;
        let zone = BooksZone::parse(&state.timezone).map_err(BooksError::Zone)?;
        Ok((state, zone))
    }

    async fn statement_of(
        &self,
        state: &BooksState,
        zone: &BooksZone,
        period: Period,
        (first, last): (Day, Day),
    ) -> Result<Statement, BooksError> {
        let closed = self.books.closed_days(first, last).await?;
        let previous = closed.first().and_then(|it| it.previous.clone());
        let (mut summary, mut next): (Option<DaySummary>, Day) = (None, first);
        for ClosedDay { day, summary: of_day, .. } in closed {
            summary = Some(match summary {
                Some(before) => before.followed_by(&of_day)?,
                None => of_day,
            });
            next = day.next().unwrap_or(day);
        }
        let is_open = period.last() >= state.first_open_day();
        if is_open && next <= last {
            let opening = self.opening_of_open(state, next).await?;
            let of_open = self.summary_of_rows(&opening, zone, next, last).await?;
            summary = Some(match summary {
                Some(before) => before.followed_by(&of_open)?,
                None => of_open,
            });
        }
        let previous = previous.or_else(|| state.closed.as_ref().filter(|it| it.day < first).map(|it| it.hash.clone()));
        let status = if is_open { StatementStatus::Open } else { StatementStatus::Closed };
        Ok(Statement::new(period, state.timezone.clone(), status, summary.unwrap_or_default(), previous)?)
    }

    /// Balances at the start of an open day.
    pub(super) async fn opening_of_open(&self, state: &BooksState, day: Day) -> Result<Vec<BalanceAmount>, BooksError> {
        let mut balances = self.before_open_days(state).await?;
        let from = state.first_open_day();
        if let Some(to) = day.previous().filter(|it| *it >= from) {
            for each in self.books.category_sums(from, to).await? {
                balances.add(each.balance, each.net)?;
            }
        }
        Ok(balances.amounts())
    }

    /// Balances at the start of the first open day. Before the opening balances are known, nothing.
    pub(super) async fn before_open_days(&self, state: &BooksState) -> Result<Balances, BooksError> {
        let Some(closed) = &state.closed else {
            return Ok(Balances::of(state.opening.as_deref().unwrap_or_default())?);
        };
        let days = self.books.closed_days(closed.day, closed.day).await?;
        Ok(days.first().map(|it| it.summary.closing()).transpose()?.unwrap_or_default())
    }

    /// Figures of the rows of the days from `from` to `to`, both included.
    pub(super) async fn summary_of_rows(
        &self,
        opening: &[BalanceAmount],
        zone: &BooksZone,
        from: Day,
        to: Day,
    ) -> Result<DaySummary, BooksError> {
        let mut builder = StatementBuilder::new(opening, |at: Timestamp| zone.day_of(at))?;
        let mut pages = Pages::of_days(from, to);
        while let Some(rows) = self.next_transactions(&mut pages).await? {
            for row in &rows {
                builder.add(row)?;
            }
        }
        Ok(builder.finish()?)
    }
}
