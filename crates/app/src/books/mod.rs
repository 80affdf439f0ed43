//! Books of the installation: walks through Stripe's balance, statements of days, and what does not agree.

mod breaks;
mod days;
mod summary;

pub use self::breaks::{Break, BreakClass, Resolution};
pub use self::days::{BooksZone, UnknownZone};
pub use self::summary::{BalanceSummary, Correction, DaySummary, ExchangeSum};
