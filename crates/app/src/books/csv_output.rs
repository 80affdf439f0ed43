//! CSV of the program: RFC 4180, and no text that a spreadsheet takes for a formula.

use std::borrow::Cow;
use std::io::Write;

use csv::{Terminator, Writer, WriterBuilder};

/// First characters of texts that spreadsheets run as formulas, some of them after leading white space that they drop
/// (OWASP, "CSV Injection").
const FORMULA_STARTS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Writer of CSV. A text that a spreadsheet would run as a formula gets a single quotation mark before it; numbers stay
/// numbers.
pub(crate) struct CsvOutput<W: Write>(Writer<W>);

impl<W: Write> CsvOutput<W> {
    /// Starts with these headings.
    pub(crate) fn new<'a>(output: W, headings: impl IntoIterator<Item = &'a str>) -> Result<Self, csv::Error> {
        let mut csv = Self(WriterBuilder::new().terminator(Terminator::CRLF).from_writer(output));
        csv.row(headings)?;
        Ok(csv)
    }

    /// Writes a row.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> Result<(), csv::Error> {
        for cell in cells {
            self.0.write_field(as_text(cell).as_bytes())?;
        }
        self.0.write_record(None::<&[u8]>)
    }

    /// Returns the output, after all is written.
    pub(crate) fn finish(self) -> Result<W, csv::Error> {
        self.0.into_inner().map_err(|it| it.into_error().into())
    }
}

/// The cell as a spreadsheet may open it.
fn as_text(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA_STARTS) && !is_number(cell) { format!("'{cell}").into() } else { cell.into() }
}

/// Whether a text is a decimal number, such as `-149.12`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, decimals].iter().all(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_quoted_and_a_number_is_not() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("=HYPERLINK(\"http://example\",\"x\")", "\"'=HYPERLINK(\"\"http://example\"\",\"\"x\"\")\""),
            ("+49 30 1234", "'+49 30 1234"),
            ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
            ("-", "'-"),
            ("-1.", "'-1."),
            ("-.5", "'-.5"),
            ("--5", "'--5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("-149.12", "-149.12"),
            ("-5", "-5"),
            ("0.00", "0.00"),
            ("Order = 1", "Order = 1"),
            ("2026-11-24 09:00:00", "2026-11-24 09:00:00"),
        ] {
            let mut csv = CsvOutput::new(Vec::new(), ["a", "b"]).unwrap();
            csv.row([cell, "x"]).unwrap();
            let written = String::from_utf8(csv.finish().unwrap()).unwrap();
            assert_eq!(written, format!("a,b\r\n{expected},x\r\n"), "{cell:?}");
        }
    }
}
