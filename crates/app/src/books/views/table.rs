//! Tables as text and CSV.

use crate::books::csv_output::CsvOutput;

/// Table with a heading for each column.
pub(crate) struct Table<const N: usize> {
    headings: [&'static str; N],
    /// Whether the column has amounts, which are aligned at the right.
    is_amount: [bool; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Makes an empty table. The heading of a column with amounts begins with `>`.
    pub(crate) fn new(headings: [&'static str; N]) -> Self {
        let is_amount = headings.map(|it| it.starts_with('>'));
        let headings = headings.map(|it| it.trim_start_matches('>'));
        Self { headings, is_amount, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// The table with aligned columns, each line with a line break.
    pub(crate) fn to_text(&self) -> String {
        let headings = self.headings.map(str::to_owned);
        let mut widths = headings.each_ref().map(|it| it.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let cells = row.iter().zip(widths).zip(self.is_amount).map(|((cell, width), is_amount)| {
                if is_amount { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The table as CSV, with the headings in the first line, words joined by `_`.
    pub(crate) fn to_csv(&self) -> String {
        let headings = self.headings.map(|it| it.replace(' ', "_"));
        // A write to memory does not fail.
        self.csv(&headings).ok().and_then(|it| String::from_utf8(it).ok()).unwrap_or_default()
    }

    fn csv(&self, headings: &[String; N]) -> Result<Vec<u8>, csv::Error> {
        let mut csv = CsvOutput::new(Vec::new(), headings.iter().map(String::as_str))?;
        for row in &self.rows {
            csv.row(row.iter().map(String::as_str))?;
        }
        csv.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_as_text_and_quoted_as_csv() {
        let mut table = Table::new(["order", "note here", ">net"]);
        table.push(["ORD-1".into(), "a, \"b\"".into(), "-0.50".into()]);
        table.push(["none".into(), String::new(), "1234.00".into()]);
        let text = "order  note here      net\nORD-1  a, \"b\"       -0.50\nnone              1234.00\n";
        assert_eq!(table.to_text(), text);
        let csv = "order,note_here,net\r\nORD-1,\"a, \"\"b\"\"\",-0.50\r\nnone,,1234.00\r\n";
        assert_eq!(table.to_csv(), csv);
    }
}
