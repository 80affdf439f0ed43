//! Rows of the books.

mod breaks;
mod changes;
mod clearing;
mod days;
mod payouts;
mod rows;

use std::borrow::Cow;

use paywright_domain::books::{Day, SignedMoney, Source};
use paywright_domain::id::{DisputeId, PayoutId, RefundId};
use paywright_domain::{Currency, IntentId};

pub use self::breaks::{StoredBreak, stored_break_place};
pub use self::changes::{StoredBooksChanges, WithClearing};
pub use self::clearing::{StoredClearingAccount, clearing_sums};
pub use self::days::{StoredCategorySum, StoredClosedDay};
pub use self::payouts::{StoredBookedPayout, StoredMembers, StoredPayout, StoredPayoutSum};
pub use self::rows::{StoredBalanceTransaction, StoredEntry};
use super::{Column, ColumnError};
use crate::{BooksState, RowFilter, RowQuery, Versioned};

/// Restores the state of the books from the columns of its row.
pub fn restore_books(version: i64, state: &str) -> Result<Versioned<BooksState>, ColumnError> {
    let column = |name| Column("books", name);
    Ok(Versioned { version: column("version").version(version)?, value: column("state").json(state)? })
}

/// Text of a day, by which days are compared in SQLite; PostgreSQL has a type for it.
pub fn day_text(day: Day) -> Cow<'static, str> {
    Cow::Owned(day.to_string())
}

/// Values of the columns `source_kind` and `source_id`: the kind of the object, and Stripe's id of it.
pub fn source_columns(source: &Source) -> Result<(&'static str, String), ColumnError> {
    let kind = match source {
        Source::Payment { .. } => "payment",
        Source::Refund { .. } => "refund",
        Source::Dispute { .. } => "dispute",
        Source::Payout { .. } => "payout",
        Source::Other { .. } => "other",
        Source::None => "none",
        _ => return Column("(any)", "source_kind").read(Err("is a kind that cannot be stored")),
    };
    Ok((kind, source.to_string()))
}

/// Restores a source from its columns in `table`.
fn restore_source(table: &'static str, kind: &str, id: Cow<'_, str>) -> Result<Source, ColumnError> {
    let column = Column(table, "source_id");
    Ok(match kind {
        "payment" => Source::Payment { intent: column.read(IntentId::new(id))? },
        "refund" => Source::Refund { refund: column.read(RefundId::new(id))? },
        "dispute" => Source::Dispute { dispute: column.read(DisputeId::new(id))? },
        "payout" => Source::Payout { payout: column.read(PayoutId::new(id))? },
        "other" => Source::Other { id: id.into_owned() },
        "none" => Source::None,
        _ => return Column(table, "source_kind").found(None),
    })
}

/// Restores a day from its text.
fn restore_day(column: Column, text: Option<Cow<'_, str>>) -> Result<Option<Day>, ColumnError> {
    column.read(text.map(|it| it.parse()).transpose())
}

/// Amount of a signed number of minor units.
fn signed(minor: i64, currency: Currency) -> SignedMoney {
    SignedMoney::new(minor, currency)
}

/// Minor units of an amount that must have `currency`, because the row has one currency.
fn minor(column: Column, amount: SignedMoney, currency: Currency) -> Result<i64, ColumnError> {
    let is_same = amount.currency() == currency;
    column.read(is_same.then_some(amount.minor()).ok_or("is in another currency than the rest of the row"))
}

/// Code of the currency of an amount.
fn code(amount: SignedMoney) -> Cow<'static, str> {
    Cow::Borrowed(amount.currency().code())
}

/// Key of the row after which a page begins, in the columns by which rows are ordered. A row without a day comes before
/// those with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRowKey {
    /// Day, if it has one.
    pub day: Option<String>,
    /// Time, or one before all times.
    pub time: i64,
    /// Id, or a text before all ids.
    pub id: String,
}

impl StoredRowKey {
    /// Row after which the page of a query begins: the last one of the page before or, if that is not within the days of
    /// the query, one before the first day.
    pub fn of(query: &RowQuery) -> Self {
        let first = match &query.filter {
            RowFilter::Days { from, .. } => Some(*from),
            RowFilter::Order(_) | RowFilter::Source(_) | RowFilter::Payout(_) => None,
        };
        match &query.after {
            Some((day, time, id)) if *day >= first => {
                Self { day: day.map(|it| it.to_string()), time: time.unix_micros(), id: id.clone() }
            }
            Some(_) | None => Self { day: first.map(|it| it.to_string()), time: i64::MIN, id: String::new() },
        }
    }
}
