//! Books of the installation: walks through Stripe's balance, statements of days, and what does not agree.

mod breaks;
mod builder;
mod days;
#[cfg(test)]
mod samples;
mod statement;
mod summary;

pub use self::breaks::{Break, BreakClass, Resolution};
pub use self::builder::StatementBuilder;
pub use self::days::{BooksZone, UnknownZone};
pub use self::statement::{Period, PeriodError, Statement, StatementStatus, StatementView};
pub use self::summary::{BalanceSummary, Correction, DaySummary, ExchangeSum, PayoutMovement, StatementError, Sums};
