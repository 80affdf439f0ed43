//! Figures of the books for metrics.

use std::collections::BTreeMap;

use paywright_domain::Timestamp;

use super::amounts::Balances;
use super::bookkeeper::BooksError;
use super::reads::BooksAccess;
use super::{BooksZone, BreakClass};
use crate::{BalanceAmount, BreakPage, BreakQuery};

/// Largest number of open breaks that are counted.
const BREAKS_MAX: u16 = 1000;

/// Figures of the books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BooksFigures {
    /// Number of open breaks by class, of the 1,000 oldest ones.
    pub open_breaks: BTreeMap<BreakClass, u64>,
    /// End of the last closed day, or before the first is closed, the beginning of the books; `None` before they are begun.
    pub closed_until: Option<Timestamp>,
    /// Time of the last reading of Stripe's balance.
    pub balance_read_at: Option<Timestamp>,
    /// Stripe's balances less those of the books at that reading, those of zero included.
    pub balance_differences: Vec<BalanceAmount>,
}

impl BooksAccess {
    /// Reads the figures for metrics.
    pub async fn figures(&self) -> Result<BooksFigures, BooksError> {
        let Some(state) = self.state().await? else { return Ok(BooksFigures::default()) };
        let mut open_breaks = BTreeMap::new();
        for found in self.breaks(&BreakQuery::Open(BreakPage::first(BREAKS_MAX))).await? {
            *open_breaks.entry(found.class).or_default() += 1;
        }
        let zone = BooksZone::parse(&state.timezone).map_err(BooksError::Zone)?;
        let end = |day: paywright_domain::books::Day| day.next().map(|it| zone.start_of(it));
        let closed_until = state.closed.as_ref().and_then(|it| end(it.day)).or(Some(state.start));
        let (balance_read_at, balance_differences) = match &state.reading {
            Some(reading) => {
                let theirs = Balances::reported(&reading.sums)?;
                (Some(reading.until), theirs.less(&Balances::of(&reading.ours)?)?.all())
            }
            None => (None, Vec::new()),
        };
        Ok(BooksFigures { open_breaks, closed_until, balance_read_at, balance_differences })
    }
}
