//! Text of a statement, for people. It is what a statement's hash is made of: a change of its form changes the hash of
//! each day that is closed.

use paywright_domain::books::SignedMoney;

use super::{Statement, Totals, printable};
use crate::books::{BalanceSummary, Sums};
use crate::ports::books::CategorySum;

impl Statement {
    /// The statement as text: amounts in major units, in columns.
    pub fn text(&self) -> String {
        let hash = |it: &Option<String>| it.clone().unwrap_or("none".into());
        format!("{}Hash before  {}\nHash         {}\n", without_hashes(self), hash(&self.previous), hash(&self.hash))
    }
}

/// The text without the lines of the hashes.
pub(super) fn without_hashes(statement: &Statement) -> String {
    let Statement { period, timezone, status, summary, .. } = statement;
    let mut text =
        format!("Balance statement {period}\nTime zone    {}\nStatus       {}\n", printable(timezone), status.name());
    text += &figures(statement);
    text += &payouts(statement);
    text += &corrections(statement);
    let exchange = summary.exchange.iter().map(|it| [code(it.amount), it.amount.to_decimal()]);
    text += &list("Exchange", ["currency", "sum"], exchange, 1);
    text + &format!("\nRows         {}\n", summary.rows_hash)
}

/// Figures of the balances, in columns of one width.
fn figures(statement: &Statement) -> String {
    let sections: Vec<Vec<_>> = statement.balances().map(|(of, totals)| section(of, totals)).collect();
    if sections.is_empty() {
        return "\nBalances\n  none\n".into();
    }
    let widths = widths(sections.iter().flatten());
    sections.iter().flat_map(|rows| ["\n".to_owned(), lines(rows, widths, 1)]).collect()
}

fn section(of: &BalanceSummary, totals: &Totals) -> Vec<[String; 5]> {
    let BalanceSummary { balance, opening, categories, payouts, closing } = of;
    let name = format!("{} {}", balance.name(), code(*opening));
    let mut rows = vec![[name, "count".into(), "gross".into(), "fee".into(), "net".into()]];
    rows.push(amount_row("opening balance", *opening));
    rows.extend(categories.iter().map(category_row));
    rows.push(sums_row("total activity", &totals.activity));
    rows.extend(payouts.iter().map(category_row));
    rows.push(sums_row("total payouts", &totals.payouts));
    rows.push(amount_row("closing balance", *closing));
    rows
}

fn payouts(statement: &Statement) -> String {
    let rows = statement.summary.payouts.iter().map(|it| {
        let payout = it.payout.as_ref().map_or("none", |it| it.as_str());
        [
            it.day.to_string(),
            printable(it.category.as_str()),
            payout.to_owned(),
            it.id.to_string(),
            format!("{} {}", it.balance.name(), code(it.net)),
            it.net.to_decimal(),
            it.after.to_decimal(),
        ]
    });
    let names = ["day", "category", "payout", "balance transaction", "balance", "net", "balance after"];
    list("Payouts", names, rows, 5)
}

fn corrections(statement: &Statement) -> String {
    let rows = statement.summary.corrections.iter().map(|it| {
        let payout = it.payout.as_ref().map_or("", |it| it.as_str());
        [
            it.day.to_string(),
            printable(it.category.as_str()),
            payout.to_owned(),
            it.id.to_string(),
            format!("{} {}", it.balance.name(), code(it.net)),
            it.net.to_decimal(),
        ]
    });
    let names = ["created", "category", "payout", "balance transaction", "balance", "net"];
    list("Corrections of closed days", names, rows, 5)
}

fn category_row(it: &CategorySum) -> [String; 5] {
    sums_row(&printable(it.category.as_str()), &Sums::from(it))
}

fn sums_row(name: &str, it: &Sums) -> [String; 5] {
    let Sums { count, gross, fee, net } = it;
    [format!("  {name}"), count.to_string(), gross.to_decimal(), fee.to_decimal(), net.to_decimal()]
}

fn amount_row(name: &str, amount: SignedMoney) -> [String; 5] {
    [format!("  {name}"), String::new(), String::new(), String::new(), amount.to_decimal()]
}

fn code(amount: SignedMoney) -> String {
    amount.currency().code().to_ascii_uppercase()
}

/// Indented lines of the rows under a title and the names of their columns, or `none`. The columns from `right` on are aligned to the right.
fn list<const N: usize>(
    title: &str,
    names: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    right: usize,
) -> String {
    let names = std::iter::once(names.map(str::to_owned));
    let rows: Vec<_> = names
        .chain(rows)
        .map(|mut it| {
            if let Some(first) = it.first_mut() {
                first.insert_str(0, "  ");
            }
            it
        })
        .collect();
    let shown = if rows.len() == 1 { "  none\n".into() } else { lines(&rows, widths(&rows), right) };
    format!("\n{title}\n{shown}")
}

/// Largest number of characters in each column.
fn widths<'a, const N: usize>(rows: impl IntoIterator<Item = &'a [String; N]>) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

fn lines<const N: usize>(rows: &[[String; N]], widths: [usize; N], right: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let spaces = " ".repeat(width - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            let parts = if column < right { [gap, cell, &spaces] } else { [gap, &spaces, cell] };
            line.extend(parts);
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}
