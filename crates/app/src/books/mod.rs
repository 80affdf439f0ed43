//! Books of the installation: walks through Stripe's balance, statements of days, and what does not agree.

mod breaks;
mod summary;

pub use self::breaks::{Break, BreakClass, Resolution};
pub use self::summary::{BalanceSummary, Correction, DaySummary, ExchangeSum};
