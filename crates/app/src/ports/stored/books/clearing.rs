use std::borrow::Cow;
use std::collections::BTreeMap;

use paywright_domain::books::{Account, Entry, Posting, SignedMoney, Source};
use paywright_domain::{Currency, OrderId};
use uuid::Uuid;

use super::super::{Column, ColumnError};
use super::{code, restore_source, signed, source_columns};
use crate::{BookedEntry, BookedTransaction, ClearingItem};

/// Adds up the postings of an entry to clearing accounts, for each object and currency.
pub fn clearing_sums(entry: &Entry) -> Vec<(Source, SignedMoney)> {
    let mut accounts = BTreeMap::new();
    for Posting { account, amount } in entry.postings() {
        if let Account::Clearing(source) = account {
            accounts.insert((source, amount.currency()), account);
        }
    }
    let sum = |((source, currency), account): ((&Source, Currency), &Account)| {
        (source.clone(), entry.sum_of(account, currency))
    };
    accounts.into_iter().map(sum).collect()
}

/// Row of the table `clearing_accounts`, or what one entry or balance transaction adds to it.
#[expect(missing_docs, reason = "each field is the column of its name, and `ClearingItem` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClearingAccount<'a> {
    pub object: Cow<'a, str>,
    pub currency: Cow<'a, str>,
    pub source_kind: Cow<'a, str>,
    pub order_id: Option<Uuid>,
    pub expected: i64,
    pub moved: i64,
    pub entries: i64,
    pub transactions: i64,
    pub latest: i64,
    pub has_day: bool,
}

impl StoredClearingAccount<'static> {
    /// Parts that a balance transaction adds: what it moved. Its posting to the account is the opposite of that.
    pub fn of_transaction(booked: &BookedTransaction) -> Result<Vec<Self>, ColumnError> {
        let column = Column("clearing_accounts", "moved");
        let entry = column.read(Entry::of_balance_transaction(&booked.transaction))?;
        let parts = clearing_sums(&entry).into_iter().map(|(source, sum)| {
            Ok(Self {
                moved: column.read(sum.negated())?.minor(),
                transactions: 1,
                latest: booked.transaction.created.unix_micros(),
                has_day: booked.day.is_some(),
                ..Self::empty(&source, sum, booked.order)?
            })
        });
        parts.collect()
    }

    /// Parts that an entry of an order adds: what it expects to be moved.
    pub fn of_entry(booked: &BookedEntry) -> Result<Vec<Self>, ColumnError> {
        let parts = clearing_sums(&booked.entry).into_iter().map(|(source, sum)| {
            Ok(Self {
                expected: sum.minor(),
                entries: 1,
                latest: booked.at.unix_micros(),
                has_day: booked.day.is_some(),
                ..Self::empty(&source, sum, Some(booked.order))?
            })
        });
        parts.collect()
    }

    fn empty(source: &Source, amount: SignedMoney, order: Option<OrderId>) -> Result<Self, ColumnError> {
        let (kind, object) = source_columns(source)?;
        Ok(Self {
            object: Cow::Owned(object),
            currency: code(amount),
            source_kind: Cow::Borrowed(kind),
            order_id: order.map(|it| it.0),
            expected: 0,
            moved: 0,
            entries: 0,
            transactions: 0,
            latest: 0,
            has_day: false,
        })
    }
}

impl StoredClearingAccount<'_> {
    /// Restores the clearing account.
    pub fn restore(self) -> Result<ClearingItem, ColumnError> {
        let column = |name| Column("clearing_accounts", name);
        let currency = column("currency").read(self.currency.parse())?;
        Ok(ClearingItem {
            source: restore_source("clearing_accounts", &self.source_kind, self.object)?,
            order: self.order_id.map(OrderId),
            expected: signed(self.expected, currency),
            moved: signed(self.moved, currency),
            entries: column("entries").read(u64::try_from(self.entries))?,
            transactions: column("transactions").read(u64::try_from(self.transactions))?,
            latest: column("latest").time(self.latest)?,
            has_day: self.has_day,
        })
    }
}
