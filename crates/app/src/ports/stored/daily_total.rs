use std::borrow::Cow;

use super::{Column, ColumnError, day_text};
use crate::{CountableFact, CountedSum, DailyTotal, Position};

/// Row of the table `daily_totals`.
#[expect(missing_docs, reason = "each field is the column of its name, and `DailyTotal` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDailyTotal<'a> {
    pub day: Cow<'a, str>,
    pub livemode: bool,
    pub currency: Cow<'a, str>,
    pub placed: i64,
    pub placed_amount: i64,
    pub paid: i64,
    pub paid_amount: i64,
    pub refunded: i64,
    pub refunded_amount: i64,
}

impl StoredDailyTotal<'_> {
    /// Row of the totals of a day.
    pub fn of(total: &DailyTotal) -> Self {
        Self {
            day: day_text(total.day),
            livemode: total.livemode,
            currency: Cow::Borrowed(total.currency.code()),
            placed: total.placed.count,
            placed_amount: total.placed.minor,
            paid: total.paid.count,
            paid_amount: total.paid.minor,
            refunded: total.refunded.count,
            refunded_amount: total.refunded.minor,
        }
    }

    /// Restores the totals.
    pub fn restore(self) -> Result<DailyTotal, ColumnError> {
        let column = |name| Column("daily_totals", name);
        Ok(DailyTotal {
            day: column("day").read(self.day.parse())?,
            livemode: self.livemode,
            currency: column("currency").read(self.currency.parse())?,
            placed: CountedSum { count: self.placed, minor: self.placed_amount },
            paid: CountedSum { count: self.paid, minor: self.paid_amount },
            refunded: CountedSum { count: self.refunded, minor: self.refunded_amount },
        })
    }
}

/// Fact that totals count: its position in `feed`, its columns in `facts`, the mode of its order, and the amount of the refund
/// in `refunds` that it is about.
#[expect(missing_docs, reason = "each field is a column, and `CountableFact` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCountableFact<'a> {
    pub position: i64,
    pub at: i64,
    pub livemode: bool,
    pub payload: Cow<'a, str>,
    pub refund_currency: Option<Cow<'a, str>>,
    pub refund_amount: Option<i64>,
}

impl StoredCountableFact<'_> {
    /// Restores the fact.
    pub fn restore(self) -> Result<CountableFact, ColumnError> {
        let refund = |name| Column("refunds", name);
        let amount = |currency: Cow<'_, str>| {
            let minor = refund("amount").found(self.refund_amount)?;
            refund("amount").money(minor, refund("currency").read(currency.parse())?)
        };
        Ok(CountableFact {
            position: Column("feed", "position").read(u64::try_from(self.position).map(Position))?,
            at: Column("feed", "at").time(self.at)?,
            livemode: self.livemode,
            fact: Column("facts", "payload").json(&self.payload)?,
            refund: self.refund_currency.map(amount).transpose()?,
        })
    }
}
