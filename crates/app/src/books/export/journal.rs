//! CSV of all postings.

use std::io::Write;

use super::{JournalEntry, code};
use crate::books::csv_output::CsvOutput;

/// Names of the columns.
const COLUMNS: [&str; 9] = ["date", "entry", "account", "currency", "debit", "credit", "order", "txn", "payout"];

/// Writer of the CSV.
pub(super) struct Journal<W: Write>(CsvOutput<W>);

impl<W: Write> Journal<W> {
    pub(super) fn new(output: W) -> Result<Self, csv::Error> {
        Ok(Self(CsvOutput::new(output, COLUMNS)?))
    }

    pub(super) fn entry(&mut self, entry: &JournalEntry<'_>) -> Result<(), csv::Error> {
        let date = entry.day.to_string();
        let payout = entry.payout.map(ToString::to_string).unwrap_or_default();
        let order = entry.order.as_deref().unwrap_or_default();
        let txn = if entry.is_row { entry.id } else { "" };
        for line in &entry.lines {
            let amount = line.amount.to_decimal();
            let (debit, credit) = match amount.strip_prefix('-') {
                Some(credit) => ("", credit),
                None => (amount.as_str(), ""),
            };
            let currency = code(line.amount.currency());
            self.0.row([date.as_str(), entry.id, &line.account, &currency, debit, credit, order, txn, &payout])?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<W, csv::Error> {
        self.0.finish()
    }
}
