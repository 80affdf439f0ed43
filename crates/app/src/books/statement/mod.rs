//! Statements of days and months.

mod csv;
mod json;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::str::FromStr;

use paywright_domain::books::Day;
use paywright_domain::variant_names;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::json::StatementView;
use super::summary::{StatementError, Sums};
use super::{BalanceSummary, DaySummary};
use crate::ports::books::ClosedDay;

/// Day or month of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    first: Day,
    last: Day,
}

impl Period {
    /// Period of one day.
    pub const fn day(day: Day) -> Self {
        Self { first: day, last: day }
    }

    /// Period of the month of a day.
    pub fn month(day: Day) -> Self {
        Self { first: day.first_of_month(), last: day.last_of_month() }
    }

    /// First day.
    pub const fn first(self) -> Day {
        self.first
    }

    /// Last day.
    pub const fn last(self) -> Day {
        self.last
    }
}

/// The day or the month as ISO 8601 has it: `2026-11-24` or `2026-11`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.first.to_string();
        let shown = if self.first == self.last { Some(day.as_str()) } else { day.get(..7) };
        f.write_str(shown.unwrap_or(&day))
    }
}

/// Error of a text that is neither a day nor a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a day such as 2026-11-24 or a month such as 2026-11")]
pub struct PeriodError;

impl FromStr for Period {
    type Err = PeriodError;

    /// Parses `YYYY-MM-DD` or `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        match text.len() {
            7 => format!("{text}-01").parse().map(Self::month).map_err(|_| PeriodError),
            _ => text.parse().map(Self::day).map_err(|_| PeriodError),
        }
    }
}

/// Whether the figures of a statement may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementStatus {
    /// A day of it is not closed: more balance transactions may come, and it has no hash.
    Open,
    /// All its days are closed: it never changes.
    Closed,
}

variant_names! {
    /// Name of the status.
    StatementStatus {
        Open => "open",
        Closed => "closed",
    }
}

/// Statement of a day or a month. The same figures give the same text to the byte.
///
/// The hash is the SHA-256, in hexadecimal, of the hash before it (nothing on the first day), a line break, and the text
/// of the statement without the lines that start with `Hash`. Anybody can repeat it:
/// `(echo "$hash_before"; grep -v '^Hash' statement.txt) | sha256sum`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    period: Period,
    timezone: String,
    status: StatementStatus,
    summary: DaySummary,
    previous: Option<String>,
    totals: Vec<Totals>,
    hash: Option<String>,
}

/// Totals of one balance in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Totals {
    activity: Sums,
    payouts: Sums,
}

impl Statement {
    /// Makes a statement of its figures. `previous` is the hash of the closed day before the first one of the period.
    /// [`StatementError::Footing`] if the figures do not add up.
    pub fn new(
        period: Period,
        timezone: impl Into<String>,
        status: StatementStatus,
        summary: DaySummary,
        previous: Option<String>,
    ) -> Result<Self, StatementError> {
        summary.check()?;
        let totals = summary.balances.iter().map(|it| {
            let currency = it.opening.currency();
            Ok(Totals { activity: Sums::of(&it.categories, currency)?, payouts: Sums::of(&it.payouts, currency)? })
        });
        let totals = totals.collect::<Result<_, StatementError>>()?;
        let open = Self { period, timezone: timezone.into(), status, summary, previous, totals, hash: None };
        let hash = match status {
            StatementStatus::Open => None,
            StatementStatus::Closed => {
                let before = open.previous.as_deref().unwrap_or_default();
                Some(hex::encode(Sha256::digest(format!("{before}\n{}", text::without_hashes(&open)))))
            }
        };
        Ok(Self { hash, ..open })
    }

    /// Makes the statement of a closed day again. The day was changed if its hash is not the stored one.
    pub fn of_closed_day(closed: &ClosedDay) -> Result<Self, StatementError> {
        let (period, timezone) = (Period::day(closed.day), closed.timezone.clone());
        Self::new(period, timezone, StatementStatus::Closed, closed.summary.clone(), closed.previous.clone())
    }

    /// Period of the statement.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Whether the figures may change.
    pub const fn status(&self) -> StatementStatus {
        self.status
    }

    /// Figures of the statement.
    pub const fn summary(&self) -> &DaySummary {
        &self.summary
    }

    /// Hash of the statement; `None` while it is open.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    /// Balances with their totals.
    fn balances(&self) -> impl Iterator<Item = (&BalanceSummary, &Totals)> {
        self.summary.balances.iter().zip(&self.totals)
    }
}

/// The text with control characters escaped, so that it stays on its line.
fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for it in text.chars() {
        if it.is_control() { printed.extend(it.escape_default()) } else { printed.push(it) }
    }
    printed
}
