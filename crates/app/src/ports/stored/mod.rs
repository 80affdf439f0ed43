//! Stored form of what the stores save: rows of plain columns, with checked conversions from and to the domain.
//!
//! A struct is named for what a row stores, and a field for its column. `of` makes the row, and `restore` checks each
//! column; a value that no step of Paywright writes is a [`ColumnError`], never a guess. An adapter maps the columns to
//! the types of its database. It adds what only it needs: the order of rows, versions and leases.
//!
//! Times are microseconds since 1970, amounts are minor units, counters are `i64` as in both databases, and documents are
//! JSON. Texts of a row that is written are borrowed.

mod audit_entry;
mod books;
mod cart;
mod column;
mod console;
mod daily_total;
mod dispute;
mod fact;
mod intent;
mod order;
mod records;
mod refund;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use paywright_domain::Money;

pub use self::audit_entry::StoredAuditEntry;
pub use self::books::{
    StoredBalanceTransaction, StoredBookedPayout, StoredBooksChanges, StoredBreak, StoredCategorySum,
    StoredClearingAccount, StoredClosedDay, StoredEntry, StoredMembers, StoredPayout, StoredPayoutSum, StoredRowKey,
    WithClearing, clearing_sums, day_text, restore_books, source_columns, stored_break_place,
};
pub use self::cart::{StoredCart, StoredVariant};
pub use self::column::{Column, ColumnError, document};
pub use self::console::{StoredConsoleLink, StoredConsoleSession};
pub use self::daily_total::{StoredCountableFact, StoredDailyTotal};
pub use self::dispute::{StoredAnomaly, StoredDispute};
pub use self::fact::{StoredFact, StoredFeedEvent, StoredTaskRow};
pub use self::intent::StoredIntent;
pub use self::order::{StoredAdjustment, StoredLine, StoredOrder, StoredParts};
pub use self::records::{StoredApiKey, StoredIdempotencyRecord, StoredKeyUse};
pub use self::refund::StoredRefund;

/// Text of a row that is written.
fn text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Code of the currency of an amount.
const fn currency(amount: Money) -> Cow<'static, str> {
    Cow::Borrowed(amount.currency().code())
}
