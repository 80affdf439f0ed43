//! CSV of a statement, with the names of the columns of Stripe's reports ("Balance summary" and "Balance change from
//! activity"): amounts in major units, one row for each figure.

use paywright_domain::books::{BalanceType, SignedMoney};
use paywright_domain::id::PayoutId;

use super::Statement;
use crate::books::csv_output::CsvOutput;
use crate::books::{Correction, PayoutMovement, Sums};
use crate::ports::books::CategorySum;

/// Names of the columns. Those of the statement itself are the first one and the last three.
const COLUMNS: [&str; 16] = [
    "period",
    "section",
    "balance_type",
    "reporting_category",
    "currency",
    "count",
    "gross",
    "fee",
    "net",
    "balance_after",
    "day",
    "balance_transaction_id",
    "payout_id",
    "status",
    "previous_hash",
    "hash",
];

/// Figures of one row. Those that its section does not have are empty.
#[derive(Debug, Default)]
struct Row {
    section: &'static str,
    balance: &'static str,
    category: String,
    currency: &'static str,
    sums: [String; 4],
    after: String,
    day: String,
    transaction: String,
    payout: String,
}

impl Statement {
    /// The statement as CSV by RFC 4180. The sections of a balance are `starting_balance`, `activity_by_category`,
    /// `activity` (their total), `payouts_by_category`, `payouts` (their total) and `ending_balance`. The sections
    /// `payout`, `correction` (with the day on which Stripe created the balance transaction) and `exchange` follow.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut csv = CsvOutput::new(Vec::new(), COLUMNS)?;
        let period = self.period.to_string();
        let ends = [self.status.name(), self.previous.as_deref().unwrap_or_default(), self.hash().unwrap_or_default()];
        for row in self.rows() {
            let [count, gross, fee, net] = &row.sums;
            let figures = [count, gross, fee, net, &row.after, &row.day, &row.transaction, &row.payout];
            let names = [period.as_str(), row.section, row.balance, &row.category, row.currency];
            csv.row(names.into_iter().chain(figures.map(String::as_str)).chain(ends))?;
        }
        String::from_utf8(csv.finish()?).map_err(|it| std::io::Error::other(it).into())
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (of, totals) in self.balances() {
            let category = |section, it| category_row(section, of.balance, it);
            rows.push(amount_row("starting_balance", of.balance, of.opening));
            rows.extend(of.categories.iter().map(|it| category("activity_by_category", it)));
            rows.push(sums_row("activity", of.balance, &totals.activity));
            rows.extend(of.payouts.iter().map(|it| category("payouts_by_category", it)));
            rows.push(sums_row("payouts", of.balance, &totals.payouts));
            rows.push(amount_row("ending_balance", of.balance, of.closing));
        }
        rows.extend(self.summary.payouts.iter().map(payout_row));
        rows.extend(self.summary.corrections.iter().map(correction_row));
        rows.extend(self.summary.exchange.iter().map(|it| Row {
            section: "exchange",
            currency: it.amount.currency().code(),
            sums: net_alone(it.amount),
            ..Row::default()
        }));
        rows
    }
}

fn amount_row(section: &'static str, balance: BalanceType, amount: SignedMoney) -> Row {
    let (balance, currency) = (balance.name(), amount.currency().code());
    Row { section, balance, currency, sums: net_alone(amount), ..Row::default() }
}

fn sums_row(section: &'static str, balance: BalanceType, sums: &Sums) -> Row {
    let Sums { count, gross, fee, net } = sums;
    let sums = [count.to_string(), gross.to_decimal(), fee.to_decimal(), net.to_decimal()];
    Row { sums, ..amount_row(section, balance, *net) }
}

fn category_row(section: &'static str, balance: BalanceType, it: &CategorySum) -> Row {
    Row { category: it.category.to_string(), ..sums_row(section, balance, &Sums::from(it)) }
}

fn payout_row(it: &PayoutMovement) -> Row {
    Row {
        category: it.category.to_string(),
        after: it.after.to_decimal(),
        day: it.day.to_string(),
        transaction: it.id.to_string(),
        payout: it.payout.as_ref().map(PayoutId::to_string).unwrap_or_default(),
        ..amount_row("payout", it.balance, it.net)
    }
}

fn correction_row(it: &Correction) -> Row {
    Row {
        category: it.category.to_string(),
        day: it.day.to_string(),
        transaction: it.id.to_string(),
        payout: it.payout.as_ref().map(PayoutId::to_string).unwrap_or_default(),
        ..amount_row("correction", it.balance, it.net)
    }
}

fn net_alone(amount: SignedMoney) -> [String; 4] {
    [String::new(), String::new(), String::new(), amount.to_decimal()]
}
