//! Outside judges of exports: hledger and beancount check the balances, and CSV adds up to the statement.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot set itself up fails"
)]

mod month;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use month::Month;
use paywright_app::{AccountNames, ExportFormat};
use paywright_domain::books::{BalanceType, SignedMoney};
use tempfile::TempDir;

/// Whether a program accepts a file, with all that it printed.
struct Judgment {
    accepts: bool,
    printed: String,
}

fn judgment(mut command: Command, input: &str) -> Judgment {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut judge = command.spawn().expect("scripts/test installs the judges");
    // A judge that refuses its arguments may not read.
    let _ = judge.stdin.take().unwrap().write_all(input.as_bytes());
    let output = judge.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    Judgment { accepts: output.status.success(), printed }
}

fn hledger(journal: &str, arguments: &[&str]) -> Judgment {
    let mut command = Command::new("hledger");
    // It reads UTF-8 in this locale only.
    command.args(["-f", "-"]).args(arguments).env("LC_ALL", "C.UTF-8");
    judgment(command, journal)
}

fn bean_check(file: &str) -> Judgment {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("books.beancount");
    std::fs::write(&path, file).unwrap();
    let program: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/books/.venv/bin/bean-check");
    assert!(program.is_file(), "it is not installed: run scripts/test ({})", program.display());
    let mut command = Command::new(program);
    command.arg(path);
    judgment(command, "")
}

/// Judgement of the two programs of the exports of a month.
fn judgments(month: &Month, names: &AccountNames) -> [Judgment; 2] {
    [
        hledger(&month.export(ExportFormat::Hledger, names), &["check", "--strict"]),
        bean_check(&month.export(ExportFormat::Beancount, names)),
    ]
}

/// Checks that both programs find a balance that is not the asserted one.
fn refused_by_both(what: &str, month: &Month) {
    for (message, it) in ["balance assertion", "Balance failed"].iter().zip(judgments(month, &AccountNames::default()))
    {
        assert!(!it.accepts && it.printed.contains(message), "{what}: {}", it.printed);
    }
}

fn chart() -> AccountNames {
    let names = [
        ("stripe:payments", "Assets:1360-Stripe"),
        ("sales", "Income:Erlöse"),
        ("sales:tax", "Liabilities:Umsatzsteuer"),
        ("fees", "Expenses:4970"),
        ("equity:opening", "Equity:9000"),
    ];
    AccountNames::new(names.iter().map(|(key, name)| ((*key).into(), (*name).into())).collect()).unwrap()
}

#[test]
fn hledger_and_beancount_accept_a_month() {
    let month = Month::new();
    for names in [AccountNames::default(), chart()] {
        for it in judgments(&month, &names) {
            assert!(it.accepts && it.printed.is_empty(), "{}", it.printed);
        }
    }
}

#[test]
fn hledger_and_beancount_refuse_a_posting_that_is_off_by_one_cent() {
    let month = Month::new();
    let names = AccountNames::default();
    let account = "Expenses:Fees:Payment  0.30 USD";
    let changed = |format| {
        let export = month.export(format, &names);
        let (before, after) = export.split_once(account).unwrap();
        format!("{before}Expenses:Fees:Payment  0.31 USD{after}")
    };
    let it = hledger(&changed(ExportFormat::Hledger), &["check", "--strict"]);
    assert!(!it.accepts && it.printed.contains("could not balance this transaction"), "{}", it.printed);
    let it = bean_check(&changed(ExportFormat::Beancount));
    assert!(!it.accepts && it.printed.contains("does not balance"), "{}", it.printed);
}

#[test]
fn hledger_and_beancount_refuse_a_month_without_one_of_its_rows() {
    for (day, row) in [(0, 0), (6, 0), (13, 3), (7, 9), (29, 6)] {
        let mut month = Month::new();
        let lost = month.days[day].rows.remove(row);
        assert!(!lost.transaction.net.is_zero());
        refused_by_both(&format!("without {}", lost.transaction.id), &month);
    }
    let mut month = Month::new();
    let of_day = &mut month.days[14].rows;
    let payout = of_day.iter().position(|it| it.transaction.category.as_str() == "payout").unwrap();
    of_day.remove(payout);
    refused_by_both("without a payout", &month);
}

#[test]
fn hledger_and_beancount_refuse_a_row_that_is_off_by_one_cent() {
    for place in 1..5 {
        let mut month = Month::new();
        let row = &mut month.days[9].rows[place].transaction;
        let one = SignedMoney::new(1, row.net.currency());
        (row.amount, row.net) = (row.amount.plus(one).unwrap(), row.net.plus(one).unwrap());
        refused_by_both(&format!("{one} more"), &month);
    }
}

#[test]
fn hledger_and_beancount_refuse_a_balance_that_is_off_by_one_cent() {
    let balances = Month::new().days[20].summary.balances.len();
    assert!(balances >= 5, "{balances}");
    for balance in 0..balances {
        let mut month = Month::new();
        let of = &mut month.days[20].summary.balances[balance];
        of.closing = SignedMoney::new(of.closing.minor() - 1, of.closing.currency());
        refused_by_both(&format!("{of:?}"), &month);
    }
}

#[test]
fn hledger_refuses_a_payout_that_leaves_another_balance() {
    let mut month = Month::new();
    let payout = &mut month.days[20].summary.payouts[0];
    payout.after = SignedMoney::new(payout.after.minor() + 1, payout.after.currency());
    let it = hledger(&month.export(ExportFormat::Hledger, &AccountNames::default()), &["check", "--strict"]);
    assert!(!it.accepts && it.printed.contains("balance assertion"), "{}", it.printed);
}

/// Amounts by currency that hledger's `balance` reports of one account.
fn reported(journal: &str, query: &[&str]) -> BTreeMap<String, String> {
    let answer = hledger(journal, &[&["balance", "--no-total", "--output-format", "csv"], query].concat());
    assert!(answer.accepts, "{}", answer.printed);
    let mut reader = csv::Reader::from_reader(answer.printed.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.len() <= 1, "{rows:?}");
    let amounts = rows.first().map(|it| it[1].to_owned()).unwrap_or_default();
    let amounts = amounts.split(", ").filter_map(|it| it.split_once(' '));
    amounts.map(|(amount, currency)| (currency.to_lowercase(), amount.to_owned())).collect()
}

#[test]
fn hledgers_figures_are_those_of_the_statement() {
    let month = Month::new();
    let journal = month.export(ExportFormat::Hledger, &AccountNames::default());
    let summary = month.summary();
    for (balance, account) in [
        (BalanceType::Payments, "^Assets:Stripe:Payments$"),
        (BalanceType::RiskReserved, "^Assets:Stripe:Risk-reserved$"),
    ] {
        let of = || summary.balances.iter().filter(|it| it.balance == balance);
        let closing = of().filter(|it| !it.closing.is_zero());
        let closing = closing.map(|it| (it.closing.currency().code().to_owned(), it.closing.to_decimal())).collect();
        assert_eq!(reported(&journal, &[account]), closing);
        for category in ["charge", "refund", "dispute", "topup", "payout", "risk_reserved_funds"] {
            let sums = of().flat_map(|it| it.categories.iter().chain(&it.payouts));
            let sums = sums.filter(|it| it.category.as_str() == category && !it.net.is_zero());
            let net = sums.map(|it| (it.net.currency().code().to_owned(), it.net.to_decimal())).collect();
            let description = format!("desc:^{category}( [|]|$)");
            assert_eq!(reported(&journal, &[account, &description]), net, "{category}");
        }
    }
}

/// Rows of CSV, each by the names of its columns.
fn read(text: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// Amount in minor units of a decimal number; zero of none.
fn minor(decimal: &str) -> i64 {
    if decimal.is_empty() { 0 } else { decimal.replace('.', "").parse().unwrap() }
}

#[test]
fn the_itemized_csv_adds_up_to_the_statement() {
    let month = Month::new();
    let rows = read(&month.export(ExportFormat::Csv, &AccountNames::default()));
    let booked: Vec<_> = month.days.iter().flat_map(|it| &it.rows).collect();
    assert_eq!(rows.len(), booked.len());
    for (row, booked) in rows.iter().zip(booked) {
        assert_eq!(row["balance_transaction_id"], booked.transaction.id.as_str());
        let description = &booked.transaction.description;
        let quote = if description.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
        assert_eq!(row["description"], format!("{quote}{description}"));
        assert_eq!(row["gross"], booked.transaction.amount.to_decimal());
    }
    for of in &month.summary().balances {
        let is_of = |row: &&BTreeMap<String, String>| {
            row["balance_type"] == of.balance.name() && row["currency"] == of.opening.currency().code()
        };
        for sum in of.categories.iter().chain(&of.payouts) {
            let of_category =
                || rows.iter().filter(is_of).filter(|it| it["reporting_category"] == sum.category.as_str());
            let total = |column: &str| of_category().map(|it| minor(&it[column])).sum::<i64>();
            assert_eq!(of_category().count(), usize::try_from(sum.count).unwrap());
            assert_eq!(
                [total("gross"), total("fee"), total("net")],
                [sum.gross, sum.fee, sum.net].map(SignedMoney::minor)
            );
        }
    }
}

#[test]
fn the_journal_csv_adds_up_to_the_statement() {
    let month = Month::new();
    let rows = read(&month.export(ExportFormat::Journal, &AccountNames::default()));
    let (mut entries, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let amount = minor(&row["debit"]) - minor(&row["credit"]);
        assert!(row["debit"].is_empty() != row["credit"].is_empty(), "{row:?}");
        *entries.entry((&row["date"], &row["entry"], &row["txn"], &row["currency"])).or_insert(0) += amount;
        *accounts.entry((row["account"].as_str(), row["currency"].to_lowercase())).or_insert(0) += amount;
    }
    assert!(entries.values().all(|it| *it == 0), "{entries:?}");
    for of in &month.summary().balances {
        let account =
            if of.balance == BalanceType::Payments { "Assets:Stripe:Payments" } else { "Assets:Stripe:Risk-reserved" };
        let sum = accounts.get(&(account, of.opening.currency().code().to_owned())).copied().unwrap_or_default();
        assert_eq!(sum, of.closing.minor(), "{of:?}");
    }
}
