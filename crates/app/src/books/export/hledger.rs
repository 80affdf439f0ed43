//! Journal for hledger and ledger. Accounts and commodities are declared before their first use.

use std::collections::BTreeSet;
use std::io::{self, Write};

use paywright_domain::books::{Day, SignedMoney};

use super::{JournalEntry, Line, code, one_line};

/// Writer of the journal.
pub(super) struct Hledger<W: Write> {
    output: W,
    declared: BTreeSet<String>,
}

impl<W: Write> Hledger<W> {
    pub(super) const fn new(output: W) -> Self {
        Self { output, declared: BTreeSet::new() }
    }

    pub(super) fn entry(&mut self, entry: &JournalEntry<'_>) -> io::Result<()> {
        self.declare(&entry.lines)?;
        let mut title = comment_free(entry.kind);
        if !entry.description.is_empty() {
            title = format!("{title} | {}", comment_free(entry.description));
        }
        write!(self.output, "{} * ({}) {title}", entry.day, comment_free(entry.id).replace([')', '('], " "))?;
        let tags = [("order", entry.order.clone()), ("payout", entry.payout.map(ToString::to_string))];
        let tags = tags.into_iter().filter_map(|(name, value)| Some(format!("{name}:{}", tag_value(&value?))));
        let tags: Vec<_> = tags.collect();
        if !tags.is_empty() {
            write!(self.output, "  ; {}", tags.join(", "))?;
        }
        writeln!(self.output)?;
        self.lines(&entry.lines)
    }

    /// Asserts balances at the end of a day, by postings of zero.
    pub(super) fn balances(&mut self, day: Day, closing: &[Line]) -> io::Result<()> {
        if closing.is_empty() {
            return Ok(());
        }
        self.declare(closing)?;
        writeln!(self.output, "{day} * balances at Stripe at the end of the day")?;
        self.lines(closing)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    fn lines(&mut self, lines: &[Line]) -> io::Result<()> {
        for Line { account, amount, object, asserted } in lines {
            write!(self.output, "    {account}  {}", written(*amount))?;
            if let Some(balance) = asserted {
                write!(self.output, " = {}", written(*balance))?;
            }
            match object {
                Some(object) => writeln!(self.output, "  ; object:{}", tag_value(object))?,
                None => writeln!(self.output)?,
            }
        }
        writeln!(self.output)
    }

    fn declare(&mut self, lines: &[Line]) -> io::Result<()> {
        let declared = self.declared.len();
        for Line { account, amount, .. } in lines {
            let currency = code(amount.currency());
            if self.declared.insert(currency.clone()) {
                let digits = usize::try_from(amount.currency().iso_exponent()).unwrap_or(0);
                // The decimal mark is needed without decimals, too.
                writeln!(self.output, "commodity 1000.{} {currency}", "0".repeat(digits))?;
            }
            if self.declared.insert(account.clone()) {
                writeln!(self.output, "account {account}  ; type: {}", type_of(account))?;
            }
        }
        if self.declared.len() > declared { writeln!(self.output) } else { Ok(()) }
    }
}

/// Letter of an account's type.
fn type_of(account: &str) -> char {
    match account.split(':').next().unwrap_or_default() {
        "Assets" => 'A',
        "Liabilities" => 'L',
        "Income" => 'R',
        "Expenses" => 'X',
        _ => 'E',
    }
}

fn written(amount: SignedMoney) -> String {
    format!("{} {}", amount.to_decimal(), code(amount.currency()))
}

/// The text on one line, without what would start a comment or divide a description.
fn comment_free(text: &str) -> String {
    one_line(text).replace(';', ",").replace('|', "/")
}

/// The text without what would end the value of a tag.
fn tag_value(text: &str) -> String {
    comment_free(text).replace(',', " ")
}
