use std::borrow::Cow;

use super::super::{Column, ColumnError, text};
use super::{day_text, signed};
use crate::{CategorySum, ClosedDay};

/// Row of the table `closed_days`.
#[expect(missing_docs, reason = "each field is the column of its name, and `ClosedDay` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClosedDay<'a> {
    pub day: Cow<'a, str>,
    pub hash: Cow<'a, str>,
    pub previous: Option<Cow<'a, str>>,
    pub timezone: Cow<'a, str>,
    pub closed_at: i64,
    pub summary: Cow<'a, str>,
}

impl<'a> StoredClosedDay<'a> {
    /// Row of a closed day.
    pub fn of(closed: &'a ClosedDay) -> Result<Self, ColumnError> {
        Ok(Self {
            day: day_text(closed.day),
            hash: text(&closed.hash),
            previous: closed.previous.as_deref().map(text),
            timezone: text(&closed.timezone),
            closed_at: closed.closed_at.unix_micros(),
            summary: Cow::Owned(Column("closed_days", "summary").document(&closed.summary)?),
        })
    }

    /// Restores the closed day.
    pub fn restore(self) -> Result<ClosedDay, ColumnError> {
        let column = |name| Column("closed_days", name);
        Ok(ClosedDay {
            day: column("day").read(self.day.parse())?,
            hash: self.hash.into_owned(),
            previous: self.previous.map(Cow::into_owned),
            timezone: self.timezone.into_owned(),
            closed_at: column("closed_at").time(self.closed_at)?,
            summary: column("summary").json(&self.summary)?,
        })
    }
}

/// Sum of the rows of one balance, currency and category.
#[expect(missing_docs, reason = "each field is the column that it groups or adds up, and `CategorySum` describes it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCategorySum<'a> {
    pub balance: Cow<'a, str>,
    pub currency: Cow<'a, str>,
    pub category: Cow<'a, str>,
    pub count: i64,
    pub gross: i64,
    pub fee: i64,
    pub net: i64,
}

impl StoredCategorySum<'_> {
    /// Restores sums, and puts them in the order of balances, currencies and categories.
    pub fn restore_all(rows: impl IntoIterator<Item = Self>) -> Result<Vec<CategorySum>, ColumnError> {
        let sums: Result<Vec<_>, _> = rows.into_iter().map(Self::restore).collect();
        sums.map(CategorySum::sorted)
    }

    fn restore(self) -> Result<CategorySum, ColumnError> {
        let column = |name| Column("balance_transactions", name);
        let currency = column("currency").read(self.currency.parse())?;
        Ok(CategorySum {
            balance: column("balance").read(self.balance.parse())?,
            category: column("category").read(self.category.parse())?,
            count: column("id").read(u64::try_from(self.count))?,
            gross: signed(self.gross, currency),
            fee: signed(self.fee, currency),
            net: signed(self.net, currency),
        })
    }
}
