//! Balance transactions for the tests of statements and exports.

use paywright_domain::books::{BalanceTransaction, BalanceType, Day, ReportingCategory, SignedMoney, Source};
use paywright_domain::{Currency, Timestamp};

use super::{DaySummary, StatementBuilder};
use crate::ports::books::{BalanceAmount, BookedTransaction};

pub(super) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Day in UTC.
pub(super) fn day_of(at: Timestamp) -> Day {
    day(&at.to_string()[..10])
}

/// Balance transaction of the day on which it was created, with a fee of one part.
pub(super) fn row(
    id: &str,
    at: &str,
    category: &str,
    currency: Currency,
    [amount, fee]: [i64; 2],
) -> BookedTransaction {
    let created: Timestamp = at.parse().unwrap();
    let money = |minor| SignedMoney::new(minor, currency);
    let category: ReportingCategory = category.parse().unwrap();
    let transaction =
        BalanceTransaction::new(format!("txn_{id}").parse().unwrap(), created, category, money(amount), money(fee));
    let day = Some(day_of(created));
    BookedTransaction { transaction, intent: None, order: None, day, recorded_at: created }
}

pub(super) fn with_source(row: BookedTransaction, source: Source) -> BookedTransaction {
    BookedTransaction { transaction: row.transaction.with_source(source), ..row }
}

pub(super) fn payment(name: &str) -> Source {
    Source::Payment { intent: format!("pi_{name}").parse().unwrap() }
}

pub(super) fn payout(name: &str) -> Source {
    Source::Payout { payout: format!("po_{name}").parse().unwrap() }
}

pub(super) fn opening(amounts: &[(BalanceType, i64, Currency)]) -> Vec<BalanceAmount> {
    let amount =
        |it: &(BalanceType, i64, Currency)| BalanceAmount { balance: it.0, amount: SignedMoney::new(it.1, it.2) };
    amounts.iter().map(amount).collect()
}

pub(super) fn summary(opening: &[BalanceAmount], rows: &[BookedTransaction]) -> DaySummary {
    let mut builder = StatementBuilder::new(opening, day_of).unwrap();
    for row in rows {
        builder.add(row).unwrap();
    }
    builder.finish().unwrap()
}

/// Three sales of 124.50, 10.00 and 20.00; a refund of 12.50 of the first, one of the second that fails later, and a lost
/// dispute of the third with a fee of 15.00; then a payout of all that is left.
pub(super) fn a_month() -> Vec<BookedTransaction> {
    let usd = |id, at, category, amounts| row(id, at, category, Currency::Usd, amounts);
    vec![
        with_source(usd("1", "2026-11-24T09:00:00Z", "charge", [12_450, 391]), payment("a")),
        with_source(usd("2", "2026-11-24T09:10:00Z", "charge", [1_000, 59]), payment("b")),
        with_source(usd("3", "2026-11-24T09:20:00Z", "charge", [2_000, 88]), payment("c")),
        usd("4", "2026-11-24T12:00:00Z", "refund", [-1_250, 0]),
        usd("5", "2026-11-25T12:00:00Z", "refund", [-1_000, 0]),
        usd("6", "2026-11-25T13:00:00Z", "refund_failure", [1_000, 0]),
        usd("7", "2026-11-26T08:00:00Z", "dispute", [-2_000, 1_500]),
        with_source(usd("8", "2026-11-27T03:00:00Z", "payout", [-10_162, 0]), payout("1")),
    ]
}
