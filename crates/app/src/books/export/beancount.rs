//! File for beancount. Accounts and commodities are declared before their first use.

use std::collections::BTreeSet;
use std::io::{self, Write};

use paywright_domain::books::{Day, SignedMoney};

use super::{JournalEntry, Line, code};

/// Writer of the file.
pub(super) struct Beancount<W: Write> {
    output: W,
    declared: BTreeSet<String>,
}

impl<W: Write> Beancount<W> {
    pub(super) const fn new(output: W) -> Self {
        Self { output, declared: BTreeSet::new() }
    }

    pub(super) fn entry(&mut self, entry: &JournalEntry<'_>) -> io::Result<()> {
        self.declare(entry.day, &entry.lines)?;
        write!(self.output, "{} * {} {}", entry.day, quoted(entry.kind), quoted(entry.description))?;
        if let Some(order) = &entry.order {
            write!(self.output, " ^{order}")?;
        }
        writeln!(self.output)?;
        writeln!(self.output, "  {}: {}", if entry.is_row { "txn" } else { "entry" }, quoted(entry.id))?;
        if let Some(payout) = entry.payout {
            writeln!(self.output, "  payout: {}", quoted(payout.as_str()))?;
        }
        for Line { account, amount, object, .. } in &entry.lines {
            writeln!(self.output, "  {account}  {} {}", amount.to_decimal(), code(amount.currency()))?;
            if let Some(object) = object {
                writeln!(self.output, "    object: {}", quoted(object))?;
            }
        }
        writeln!(self.output)
    }

    /// Asserts balances at the end of a day: beancount compares them at the start of the day after it. The tolerance of
    /// zero is written, because by default a balance may be off by one unit of its last digit.
    pub(super) fn balances(&mut self, day: Day, closing: &[Line]) -> io::Result<()> {
        self.declare(day, closing)?;
        let Some(next) = day.next() else { return Ok(()) };
        for (account, balance) in closing.iter().filter_map(|it| Some((&it.account, it.asserted?))) {
            let (amount, zero) = (balance.to_decimal(), SignedMoney::zero(balance.currency()).to_decimal());
            writeln!(self.output, "{next} balance {account}  {amount} ~ {zero} {}", code(balance.currency()))?;
        }
        writeln!(self.output)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    fn declare(&mut self, day: Day, lines: &[Line]) -> io::Result<()> {
        let declared = self.declared.len();
        for Line { account, amount, .. } in lines {
            let currency = code(amount.currency());
            if self.declared.insert(currency.clone()) {
                let digits = amount.currency().iso_exponent();
                writeln!(self.output, "option \"operating_currency\" \"{currency}\"")?;
                writeln!(self.output, "{day} commodity {currency}\n  precision: {digits}")?;
            }
            if self.declared.insert(account.clone()) {
                writeln!(self.output, "{day} open {account}")?;
            }
        }
        if self.declared.len() > declared { writeln!(self.output) } else { Ok(()) }
    }
}

/// The text as a string of beancount.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for it in text.chars() {
        match it {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ if it.is_control() => quoted.push(' '),
            _ => quoted.push(it),
        }
    }
    quoted + "\""
}
