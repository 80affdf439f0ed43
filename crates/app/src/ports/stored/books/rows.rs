use std::borrow::Cow;

use paywright_domain::books::{BalanceTransaction, Entry, Posting, SignedMoney};
use paywright_domain::id::BalanceTransactionId;
use paywright_domain::{IntentId, OrderId};
use uuid::Uuid;

use super::super::{Column, ColumnError, text};
use super::{code, day_text, minor, restore_day, restore_source, signed, source_columns};
use crate::{BookedEntry, BookedTransaction};

/// Row of the table `balance_transactions`.
#[expect(missing_docs, reason = "each field is the column of its name, and `BookedTransaction` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBalanceTransaction<'a> {
    pub id: Cow<'a, str>,
    pub created: i64,
    pub day: Option<Cow<'a, str>>,
    pub category: Cow<'a, str>,
    pub balance: Cow<'a, str>,
    pub currency: Cow<'a, str>,
    pub amount: i64,
    pub fee: i64,
    pub net: i64,
    pub fees: Cow<'a, str>,
    pub description: Cow<'a, str>,
    pub source_kind: Cow<'a, str>,
    pub source_id: Cow<'a, str>,
    pub intent_id: Option<Cow<'a, str>>,
    pub order_id: Option<Uuid>,
    pub presented_currency: Option<Cow<'a, str>>,
    pub presented_amount: Option<i64>,
    pub recorded_at: i64,
}

impl<'a> StoredBalanceTransaction<'a> {
    /// Row of a balance transaction.
    pub fn of(booked: &'a BookedTransaction) -> Result<Self, ColumnError> {
        let column = |name| Column("balance_transactions", name);
        let transaction = &booked.transaction;
        let (kind, id) = source_columns(&transaction.source)?;
        let currency = transaction.amount.currency();
        Ok(Self {
            id: text(transaction.id.as_str()),
            created: transaction.created.unix_micros(),
            day: booked.day.map(day_text),
            category: text(transaction.category.as_str()),
            balance: text(transaction.balance.name()),
            currency: code(transaction.amount),
            amount: transaction.amount.minor(),
            fee: minor(column("fee"), transaction.fee, currency)?,
            net: minor(column("net"), transaction.net, currency)?,
            fees: Cow::Owned(column("fees").document(&transaction.fees)?),
            description: text(&transaction.description),
            source_kind: text(kind),
            source_id: Cow::Owned(id),
            intent_id: booked.intent.as_ref().map(|it| text(it.as_str())),
            order_id: booked.order.map(|it| it.0),
            presented_currency: transaction.presented.map(code),
            presented_amount: transaction.presented.map(SignedMoney::minor),
            recorded_at: booked.recorded_at.unix_micros(),
        })
    }

    /// Restores the balance transaction.
    pub fn restore(self) -> Result<BookedTransaction, ColumnError> {
        let column = |name| Column("balance_transactions", name);
        let currency = column("currency").read(self.currency.parse())?;
        let presented = match (self.presented_currency, self.presented_amount) {
            (Some(currency), Some(amount)) => {
                Some(signed(amount, column("presented_currency").read(currency.parse())?))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return column("(row)").found(None),
        };
        let transaction = BalanceTransaction {
            id: column("id").read(BalanceTransactionId::new(self.id))?,
            created: column("created").time(self.created)?,
            category: column("category").read(self.category.parse())?,
            balance: column("balance").read(self.balance.parse())?,
            amount: signed(self.amount, currency),
            fee: signed(self.fee, currency),
            net: signed(self.net, currency),
            fees: column("fees").json(&self.fees)?,
            description: self.description.into_owned(),
            source: restore_source("balance_transactions", &self.source_kind, self.source_id)?,
            presented,
        };
        Ok(BookedTransaction {
            transaction,
            intent: self.intent_id.map(|it| column("intent_id").read(IntentId::new(it))).transpose()?,
            order: self.order_id.map(OrderId),
            day: restore_day(column("day"), self.day)?,
            recorded_at: column("recorded_at").time(self.recorded_at)?,
        })
    }
}

/// Row of the table `book_entries`.
#[expect(missing_docs, reason = "each field is the column of its name, and `BookedEntry` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry<'a> {
    pub id: Cow<'a, str>,
    pub order_id: Uuid,
    pub at: i64,
    pub day: Option<Cow<'a, str>>,
    pub source_kind: Cow<'a, str>,
    pub source_id: Cow<'a, str>,
    pub postings: Cow<'a, str>,
}

impl<'a> StoredEntry<'a> {
    /// Row of an entry.
    pub fn of(booked: &'a BookedEntry) -> Result<Self, ColumnError> {
        let (kind, id) = source_columns(&booked.source)?;
        Ok(Self {
            id: text(&booked.id),
            order_id: booked.order.0,
            at: booked.at.unix_micros(),
            day: booked.day.map(day_text),
            source_kind: text(kind),
            source_id: Cow::Owned(id),
            postings: Cow::Owned(Column("book_entries", "postings").document(&booked.entry.postings())?),
        })
    }

    /// Restores the entry. Postings that do not add up to zero are a value that is never written.
    pub fn restore(self) -> Result<BookedEntry, ColumnError> {
        let column = |name| Column("book_entries", name);
        let postings: Vec<Posting> = column("postings").json(&self.postings)?;
        Ok(BookedEntry {
            id: self.id.into_owned(),
            order: OrderId(self.order_id),
            at: column("at").time(self.at)?,
            day: restore_day(column("day"), self.day)?,
            source: restore_source("book_entries", &self.source_kind, self.source_id)?,
            entry: column("postings").read(Entry::new(postings))?,
        })
    }
}
