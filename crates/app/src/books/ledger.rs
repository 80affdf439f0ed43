//! Ledger of one order: what its facts expect, and what Stripe moved for it.

use std::collections::BTreeMap;

use paywright_domain::books::{Account, Day, Entry, EntryError, Posting, SignedMoney, Source};
use paywright_domain::id::BalanceTransactionId;
use paywright_domain::{OrderId, Timestamp};

use super::bookkeeper::BooksError;
use super::reads::{BooksAccess, Pages};
use crate::{BookedEntry, BookedTransaction, RowFilter, RowQuery};

/// Largest number of balance transactions, and of entries, of one order or object that are read: an order has a few
/// payments, refunds and disputes.
const ROWS_MAX: usize = 10_000;

/// Ledger of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Entries, by time and name.
    pub lines: Vec<LedgerLine>,
    /// Sum of each account in each currency, by account; accounts of zero are left out, so that a clearing account that
    /// is listed is open.
    pub balances: Vec<Posting>,
    /// Whether the order has more rows than are read: entries are left out then, and of the balances too.
    pub has_more: bool,
}

/// An entry of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// Time of the fact, or at which Stripe created the balance transaction.
    pub at: Timestamp,
    /// Day of the books; `None` if it is before the first.
    pub day: Option<Day>,
    /// Name of the entry: that of the expected entry, or Stripe's id of the balance transaction.
    pub id: String,
    /// Category of the balance transaction; `None` for an entry that the order's facts expect.
    pub category: Option<String>,
    /// Object.
    pub source: Source,
    /// Balance transaction, if it is one.
    pub transaction: Option<BalanceTransactionId>,
    /// The entry.
    pub entry: Entry,
}

impl BooksAccess {
    /// Reads the ledger of an order. Empty if nothing of it is booked yet.
    pub async fn ledger(&self, order: OrderId) -> Result<Ledger, BooksError> {
        let (entries, mut has_more) = self.entries_of_order(order).await?;
        let (mut rows, more) = self.rows_of(RowFilter::Order(order)).await?;
        has_more |= more;
        // A balance transaction that was read before its PaymentIntent was known to be of this order names none.
        let mut sources: Vec<&Source> = entries.iter().map(|it| &it.source).collect();
        sources.sort();
        sources.dedup();
        for source in sources {
            let (of_source, more) = self.rows_of(RowFilter::Source(source.clone())).await?;
            has_more |= more;
            rows.extend(of_source);
        }
        rows.sort_by(|left, right| left.transaction.id.cmp(&right.transaction.id));
        rows.dedup_by(|left, right| left.transaction.id == right.transaction.id);
        let ledger = Ledger::of(entries, rows).map_err(|error| BooksError::Order { order, error })?;
        Ok(Ledger { has_more, ..ledger })
    }

    /// Finds the order that a refund, a dispute or another object belongs to. `None` if nothing of it is booked yet.
    pub async fn order_of(&self, source: Source) -> Result<Option<OrderId>, BooksError> {
        let query = RowQuery { filter: RowFilter::Source(source), after: None, limit: 1 };
        let expected = self.books.entries(&query).await?.into_iter().next().map(|it| it.order);
        match expected {
            Some(order) => Ok(Some(order)),
            None => Ok(self.books.transactions(&query).await?.into_iter().find_map(|it| it.order)),
        }
    }

    /// Entries of an order, and whether there are more than are read.
    async fn entries_of_order(&self, order: OrderId) -> Result<(Vec<BookedEntry>, bool), BooksError> {
        let (mut entries, mut pages) = (Vec::new(), Pages::of(RowFilter::Order(order)));
        while entries.len() < ROWS_MAX {
            match self.next_entries(&mut pages).await? {
                Some(page) => entries.extend(page),
                None => return Ok((entries, false)),
            }
        }
        Ok((entries, true))
    }

    /// Balance transactions of an order or an object, and whether there are more than are read.
    async fn rows_of(&self, filter: RowFilter) -> Result<(Vec<BookedTransaction>, bool), BooksError> {
        let (mut rows, mut pages) = (Vec::new(), Pages::of(filter));
        while rows.len() < ROWS_MAX {
            match self.next_transactions(&mut pages).await? {
                Some(page) => rows.extend(page),
                None => return Ok((rows, false)),
            }
        }
        Ok((rows, true))
    }
}

impl Ledger {
    pub(super) fn of(entries: Vec<BookedEntry>, rows: Vec<BookedTransaction>) -> Result<Self, EntryError> {
        let mut lines: Vec<LedgerLine> = entries.into_iter().map(LedgerLine::of_entry).collect();
        for row in rows {
            lines.push(LedgerLine::of_transaction(row)?);
        }
        lines.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
        let mut sums: BTreeMap<(Account, &'static str), SignedMoney> = BTreeMap::new();
        for Posting { account, amount } in lines.iter().flat_map(|it| it.entry.postings()) {
            let key = (account.clone(), amount.currency().code());
            let sum = sums.entry(key).or_insert(SignedMoney::zero(amount.currency()));
            *sum = sum.plus(*amount)?;
        }
        let balances = sums.into_iter().filter(|(_, sum)| !sum.is_zero());
        let balances = balances.map(|((account, _), amount)| Posting { account, amount }).collect();
        Ok(Self { lines, balances, has_more: false })
    }
}

impl LedgerLine {
    fn of_entry(it: BookedEntry) -> Self {
        let BookedEntry { id, at, day, source, entry, .. } = it;
        Self { at, day, id, category: None, source, transaction: None, entry }
    }

    fn of_transaction(it: BookedTransaction) -> Result<Self, EntryError> {
        let BookedTransaction { transaction, day, .. } = it;
        Ok(Self {
            at: transaction.created,
            day,
            id: transaction.id.to_string(),
            category: Some(transaction.category.to_string()),
            source: transaction.source.clone(),
            entry: Entry::of_balance_transaction(&transaction)?,
            transaction: Some(transaction.id),
        })
    }
}
