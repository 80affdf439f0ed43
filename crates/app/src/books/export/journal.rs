//! CSV of all postings.

use std::io::Write;

use csv::Writer;

use super::itemized::{csv_writer, output_of};
use super::{ExportError, JournalEntry, code};

/// Names of the columns.
const COLUMNS: [&str; 9] = ["date", "entry", "account", "currency", "debit", "credit", "order", "txn", "payout"];

/// Writer of the CSV.
pub(super) struct Journal<W: Write>(Writer<W>);

impl<W: Write> Journal<W> {
    pub(super) fn new(output: W) -> Result<Self, csv::Error> {
        let mut writer = csv_writer(output);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
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
            self.0.write_record([&date, entry.id, &line.account, &currency, debit, credit, order, txn, &payout])?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<W, ExportError> {
        output_of(self.0)
    }
}
