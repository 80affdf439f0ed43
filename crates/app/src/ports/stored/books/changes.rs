use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::{Column, ColumnError};
use super::{
    StoredBalanceTransaction, StoredBreak, StoredClearingAccount, StoredClosedDay, StoredEntry, StoredMembers,
    StoredPayout,
};
use crate::BooksChanges;

/// Rows of a commit of the books. No two rows of a table have the same key: of rows that are never changed, the first one
/// counts, and of others the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBooksChanges<'a> {
    /// Version that was decided on.
    pub expected: i64,
    /// State after the commit.
    pub state: Cow<'a, str>,
    /// Balance transactions, with what they add to clearing accounts.
    pub transactions: Vec<WithClearing<'a, StoredBalanceTransaction<'a>>>,
    /// Entries of orders, with what they add to clearing accounts.
    pub entries: Vec<WithClearing<'a, StoredEntry<'a>>>,
    /// Payouts.
    pub payouts: Vec<StoredPayout<'a>>,
    /// Members of payouts.
    pub members: Vec<StoredMembers<'a>>,
    /// Closed days.
    pub days: Vec<StoredClosedDay<'a>>,
    /// Breaks.
    pub breaks: Vec<StoredBreak<'a>>,
}

/// Row, and what it adds to clearing accounts if it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithClearing<'a, R> {
    /// The row.
    pub row: R,
    /// Parts, each of another account.
    pub parts: Vec<StoredClearingAccount<'a>>,
}

impl<'a> StoredBooksChanges<'a> {
    /// Rows of the changes.
    pub fn of(changes: &'a BooksChanges) -> Result<Self, ColumnError> {
        let transactions = first_of_each(&changes.transactions, |it| it.transaction.id.as_str());
        let entries = first_of_each(&changes.entries, |it| it.id.as_str());
        let members = first_of_each(&changes.members, |(payout, _)| payout.as_str());
        let days = first_of_each(&changes.days, |it| it.day);
        Ok(Self {
            expected: i64::from(changes.expected.0),
            state: Cow::Owned(Column("books", "state").document(&changes.state)?),
            transactions: transactions
                .map(|it| {
                    let parts = StoredClearingAccount::of_transaction(it)?;
                    Ok(WithClearing { row: StoredBalanceTransaction::of(it)?, parts })
                })
                .collect::<Result<_, ColumnError>>()?,
            entries: entries
                .map(|it| {
                    let parts = StoredClearingAccount::of_entry(it)?;
                    Ok(WithClearing { row: StoredEntry::of(it)?, parts })
                })
                .collect::<Result<_, ColumnError>>()?,
            payouts: last_of_each(&changes.payouts, |it| it.id.as_str()).map(StoredPayout::of).collect(),
            members: members.map(|(payout, members)| StoredMembers::of(payout, members)).collect(),
            days: days.map(StoredClosedDay::of).collect::<Result<_, _>>()?,
            breaks: last_of_each(&changes.breaks, |it| it.id.as_str())
                .map(StoredBreak::of)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// First value of each key, in the order of the values.
fn first_of_each<'a, T, K: Ord>(values: &'a [T], key: impl Fn(&'a T) -> K) -> impl Iterator<Item = &'a T> {
    let mut keys = BTreeSet::new();
    values.iter().filter(move |it| keys.insert(key(it)))
}

/// Last value of each key.
fn last_of_each<'a, T, K: Ord>(values: &'a [T], key: impl Fn(&'a T) -> K) -> impl Iterator<Item = &'a T> {
    let mut keys = BTreeSet::new();
    values.iter().rev().filter(move |it| keys.insert(key(it)))
}
