//! Exports of the books: rows of Stripe's balance for a spreadsheet, and journals for programs that keep books.

mod accounts;
mod beancount;
mod hledger;
mod itemized;
mod journal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};

use paywright_domain::Currency;
use paywright_domain::books::{Account, Day, Entry, EntryError, SalesPart, SignedMoney, Source};
use paywright_domain::id::{OrderNumber, PayoutId};
use paywright_domain::variant_names;
use thiserror::Error;

pub use self::accounts::{AccountNameError, AccountNames};
use self::beancount::Beancount;
use self::hledger::Hledger;
use self::itemized::Itemized;
use self::journal::Journal;
use super::DaySummary;
use crate::ports::books::{BookedEntry, BookedTransaction};

/// Format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// CSV of the balance transactions, with the columns of Stripe's itemized reports.
    Csv,
    /// CSV of all postings.
    Journal,
    /// Journal of hledger and ledger, which checks the balances.
    Hledger,
    /// File of beancount, which checks the balances.
    Beancount,
}

variant_names! {
    /// Name of the format.
    ExportFormat {
        Csv => "csv",
        Journal => "journal",
        Hledger => "hledger",
        Beancount => "beancount",
    }
}

/// Balance transaction in an export.
#[derive(Debug, Clone, Copy)]
pub struct ExportRow<'a> {
    /// The balance transaction.
    pub booked: &'a BookedTransaction,
    /// Automatic payout that contains it, if that is known.
    pub payout: Option<&'a PayoutId>,
    /// Number of its order.
    pub order_number: Option<&'a OrderNumber>,
}

/// Entry of an order in an export.
#[derive(Debug, Clone, Copy)]
pub struct ExportEntry<'a> {
    /// The entry.
    pub booked: &'a BookedEntry,
    /// Number of its order.
    pub order_number: Option<&'a OrderNumber>,
}

/// Why an export cannot be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The output failed.
    #[error("the export cannot be written")]
    Io(#[from] io::Error),
    /// The output of CSV failed.
    #[error("the export cannot be written")]
    Csv(#[from] csv::Error),
    /// The amounts of a balance transaction cannot be added.
    #[error("balance transaction {id} cannot be booked")]
    Row {
        /// Id of the balance transaction.
        id: String,
        /// Why.
        source: EntryError,
    },
    /// A row or an entry is of another day than the one that was started, or a day is not after the one before it.
    #[error("`{id}` is out of the order of the days")]
    Order {
        /// Id of the row, name of the entry, or the day.
        id: String,
    },
}

/// Writer of an export. For each day in its order, it is given the figures of the day's statement and then the day's
/// balance transactions and entries. The balances that a journal asserts are those of the statements: a row that is lost
/// on the way makes the journal invalid.
pub struct Exporter<W: Write> {
    output: Output<W>,
    names: AccountNames,
    day: Option<StartedDay>,
}

enum Output<W: Write> {
    Csv(Itemized<W>),
    Journal(Journal<W>),
    Hledger(Hledger<W>),
    Beancount(Beancount<W>),
}

/// Day whose rows are being written, with the balances of its statement.
struct StartedDay {
    day: Day,
    /// Amount of the balance after each balance transaction of a payout.
    after_payouts: BTreeMap<String, SignedMoney>,
    closing: Vec<Line>,
}

/// Transaction of a journal.
struct JournalEntry<'a> {
    day: Day,
    /// Id of the balance transaction, or name of the entry.
    id: &'a str,
    /// Category, or what the order expects.
    kind: &'a str,
    description: &'a str,
    order: Option<String>,
    /// Whether it is a balance transaction.
    is_row: bool,
    payout: Option<&'a PayoutId>,
    lines: Vec<Line>,
}

/// Posting of a journal.
struct Line {
    account: String,
    amount: SignedMoney,
    /// Object of a clearing account.
    object: Option<String>,
    /// Balance that the account has after it.
    asserted: Option<SignedMoney>,
}

impl Line {
    const fn new(account: String, amount: SignedMoney) -> Self {
        Self { account, amount, object: None, asserted: None }
    }
}

impl<W: Write> Exporter<W> {
    /// Starts an export in `format` to `output`.
    pub fn new(format: ExportFormat, output: W, names: AccountNames) -> Result<Self, ExportError> {
        let output = match format {
            ExportFormat::Csv => Output::Csv(Itemized::new(output)?),
            ExportFormat::Journal => Output::Journal(Journal::new(output)?),
            ExportFormat::Hledger => Output::Hledger(Hledger::new(output)),
            ExportFormat::Beancount => Output::Beancount(Beancount::new(output)),
        };
        Ok(Self { output, names, day: None })
    }

    /// Starts a day with the figures of its statement, after the day before has ended.
    pub fn start_day(&mut self, day: Day, summary: &DaySummary) -> Result<(), ExportError> {
        match self.day.as_ref().map(|it| it.day) {
            Some(before) if before >= day => return Err(ExportError::Order { id: day.to_string() }),
            Some(_) => self.end_day()?,
            None => self.open(day, summary)?,
        }
        let lines = |of: fn(&super::BalanceSummary) -> SignedMoney| {
            summary.balances.iter().map(move |it| (Account::Balance(it.balance), of(it)))
        };
        let after = summary.payouts.iter().map(|it| (it.id.to_string(), it.after));
        let closing = lines(|it| it.closing).map(|(account, amount)| Line {
            asserted: Some(amount),
            ..Line::new(self.names.name(&account), SignedMoney::zero(amount.currency()))
        });
        self.day = Some(StartedDay { day, after_payouts: after.collect(), closing: closing.collect() });
        Ok(())
    }

    /// Writes the opening balances as a transaction of the first day.
    fn open(&mut self, day: Day, summary: &DaySummary) -> Result<(), ExportError> {
        let mut lines = Vec::new();
        for of in summary.balances.iter().filter(|it| !it.opening.is_zero()) {
            let refused =
                |it: paywright_domain::money::MoneyError| ExportError::Row { id: OPENING_ID.into(), source: it.into() };
            lines.push(Line::new(self.names.name(&Account::Balance(of.balance)), of.opening));
            lines.push(Line::new(self.names.opening(), of.opening.negated().map_err(refused)?));
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.write(&JournalEntry {
            day,
            id: OPENING_ID,
            kind: OPENING_ID,
            description: "Balances at Stripe at the start of the day",
            order: None,
            is_row: false,
            payout: None,
            lines,
        })
    }

    /// Writes a balance transaction of the day.
    pub fn transaction(&mut self, row: &ExportRow<'_>) -> Result<(), ExportError> {
        let ExportRow { booked, payout, order_number } = row;
        let id = booked.transaction.id.as_str();
        let day = self.started(booked.day, id)?;
        let asserted = day.after_payouts.get(id).copied();
        let day = day.day;
        if let Output::Csv(itemized) = &mut self.output {
            return Ok(itemized.row(day, row)?);
        }
        let row = &booked.transaction;
        let entry = Entry::of_balance_transaction(row);
        let entry = entry.map_err(|source| ExportError::Row { id: id.to_owned(), source })?;
        let mut lines = self.lines(&entry);
        let balance = self.names.name(&Account::Balance(row.balance));
        if let Some(line) = lines.iter_mut().find(|it| it.account == balance) {
            line.asserted = asserted;
        }
        let of_payout = if let Source::Payout { payout } = &row.source { Some(payout) } else { *payout };
        self.write(&JournalEntry {
            day,
            id,
            kind: row.category.as_str(),
            description: &row.description,
            order: order_number.map(ToString::to_string).or(booked.order.map(|it| it.to_string())),
            is_row: true,
            payout: of_payout,
            lines,
        })
    }

    /// Writes an entry of an order of the day. The format [`ExportFormat::Csv`] has none.
    pub fn entry(&mut self, entry: &ExportEntry<'_>) -> Result<(), ExportError> {
        let ExportEntry { booked, order_number } = entry;
        let day = self.started(booked.day, &booked.id)?.day;
        let has = |is_it: fn(&Account) -> bool| booked.entry.postings().iter().any(|it| is_it(&it.account));
        let kind = if matches!(booked.source, Source::Payment { .. }) {
            if !has(|it| matches!(it, Account::Clearing(_))) {
                "accepted payment"
            } else if has(|it| matches!(it, Account::Sales(part) if *part != SalesPart::Unexpected)) {
                "sale"
            } else {
                "unexpected payment"
            }
        } else if matches!(booked.source, Source::Refund { .. }) {
            "refund"
        } else {
            "dispute"
        };
        let lines = self.lines(&booked.entry);
        self.write(&JournalEntry {
            day,
            id: &booked.id,
            kind: &format!("{kind} of an order"),
            description: "",
            order: Some(order_number.map_or_else(|| booked.order.to_string(), ToString::to_string)),
            is_row: false,
            payout: None,
            lines,
        })
    }

    /// Ends the last day and the export, and returns its output.
    pub fn finish(mut self) -> Result<W, ExportError> {
        self.end_day()?;
        match self.output {
            Output::Csv(it) => Ok(it.finish()?),
            Output::Journal(it) => Ok(it.finish()?),
            Output::Hledger(it) => Ok(it.finish()?),
            Output::Beancount(it) => Ok(it.finish()?),
        }
    }

    fn started(&self, day: Option<Day>, id: &str) -> Result<&StartedDay, ExportError> {
        let started = self.day.as_ref().filter(|it| Some(it.day) == day);
        started.ok_or_else(|| ExportError::Order { id: id.to_owned() })
    }

    fn lines(&self, entry: &Entry) -> Vec<Line> {
        let line = |it: &paywright_domain::books::Posting| {
            let object = if let Account::Clearing(source) = &it.account { Some(source.to_string()) } else { None };
            Line { object, ..Line::new(self.names.name(&it.account), it.amount) }
        };
        entry.postings().iter().map(line).collect()
    }

    fn write(&mut self, entry: &JournalEntry<'_>) -> Result<(), ExportError> {
        match &mut self.output {
            Output::Csv(_) => Ok(()),
            Output::Journal(it) => Ok(it.entry(entry)?),
            Output::Hledger(it) => Ok(it.entry(entry)?),
            Output::Beancount(it) => Ok(it.entry(entry)?),
        }
    }

    fn end_day(&mut self) -> Result<(), ExportError> {
        let Some(StartedDay { day, closing, .. }) = &self.day else { return Ok(()) };
        match &mut self.output {
            Output::Csv(_) | Output::Journal(_) => Ok(()),
            Output::Hledger(it) => Ok(it.balances(*day, closing)?),
            Output::Beancount(it) => Ok(it.balances(*day, closing)?),
        }
    }
}

/// Name of the entry of the opening balances.
const OPENING_ID: &str = "opening";

/// Code of a currency in journals.
fn code(currency: Currency) -> String {
    currency.code().to_ascii_uppercase()
}

/// The text on one line: control characters are spaces.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|it: char| it.is_control() || it == ' ').filter(|it| !it.is_empty()).collect();
    words.join(" ")
}
