//! Statements over a million balance transactions.

use std::time::Instant;

use paywright_app::{
    Books, BooksChanges, BooksState, ClosedDay, ClosedRef, Period, RowFilter, RowQuery, Statement, StatementBuilder,
    StatementStatus, Version,
};
use paywright_domain::Currency;
use paywright_domain::books::{Day, Fee, SignedMoney};
use paywright_store_postgres::{Options, PostgresStore};
use paywright_testkit::postgres::connect;

use crate::rig::{Running, Shop};
use crate::{DAY_SECONDS, day_of, midnight, time};

const ROWS: i64 = 1_000_000;
/// Number of days over which the rows are spread, today included.
const DAYS: i64 = 365;
/// Number of times that each thing is measured.
const ROUNDS: usize = 5;

pub(crate) async fn measure(database: &str) {
    let twin = Running::twin(0);
    let shop = Shop::open(database, &twin.address, "");
    let store = PostgresStore::open(database, Options::default()).await.unwrap();
    load(database).await;
    let today = midnight();
    let first = day_of(time(today - (DAYS - 1) * DAY_SECONDS));
    let state = begun(first);
    store.commit_books(&BooksChanges::new(Version::NEW, state.clone())).await.unwrap();
    // The last month that is over, and all twelve months to today's.
    let months = months(first, day_of(time(today)));
    let month = months[months.len() - 2].clone();
    println!(
        "statements over {ROWS} balance transactions of {DAYS} days, by `paywright books statement` on PostgreSQL"
    );
    println!("{:<44} {:>9} {:>9} {:>9}", "row", "ms", "floor ms", "of floor");
    print("a month, with no day closed", &shop, database, std::slice::from_ref(&month)).await;
    close(&store, state, first, today).await;
    print("a month of closed days", &shop, database, std::slice::from_ref(&month)).await;
    print("this month, with today open", &shop, database, &months[months.len() - 1..]).await;
    print("a year: each month by a command of its own", &shop, database, &months).await;
}

/// Rows of a shop, one in twenty of which is a refund.
async fn load(database: &str) {
    let db = connect(database).await;
    let from = midnight() - (DAYS - 1) * DAY_SECONDS;
    let part = Fee { kind: "stripe_fee".into(), amount: SignedMoney::new(391, Currency::Usd) };
    let fees = serde_json::to_string(&[part]).unwrap();
    let rows = format!(
        "INSERT INTO balance_transactions (
             id, created, day, category, balance, currency, amount, fee, net, fees, description, source_kind, source_id,
             recorded_at
         )
         SELECT
             'txn_' || lpad(n::text, 9, '0'), at, (at AT TIME ZONE 'UTC')::date, category, 'payments', 'usd', amount, fee,
             amount - fee,
             CASE fee WHEN 0 THEN '[]' ELSE '{fees}' END::jsonb, '', kind, name || lpad(n::text, 9, '0'), at
         FROM (
             SELECT n, to_timestamp({from} + n::bigint * {DAYS} * {DAY_SECONDS} / {ROWS}) AS at
             FROM generate_series(0, {ROWS} - 1) AS n
         ) AS row, LATERAL (
             SELECT 'refund' AS category, -1250 AS amount, 0 AS fee, 'refund' AS kind, 're_' AS name WHERE n % 20 = 19
             UNION ALL SELECT 'charge', 12450, 391, 'payment', 'pi_' WHERE n % 20 <> 19
         ) AS values"
    );
    db.batch_execute(&rows).await.unwrap();
    db.batch_execute("VACUUM ANALYZE balance_transactions").await.unwrap();
}

/// Books that are begun and read to today, with no day closed.
fn begun(first: Day) -> BooksState {
    let today = time(midnight());
    BooksState {
        timezone: "UTC".into(),
        first_day: first,
        start: time(midnight() - (DAYS - 1) * DAY_SECONDS),
        opening: Some(vec![]),
        closed: None,
        transactions_until: today,
        payouts_until: today,
        orders_until: today,
        reading: None,
    }
}

/// Closes each day before today, as the bookkeeper does.
async fn close(store: &PostgresStore, mut state: BooksState, first: Day, today: i64) {
    let (mut day, mut opening, mut version) = (first, Vec::new(), Version(1));
    while day < day_of(time(today)) {
        let mut builder = StatementBuilder::new(&opening, day_of).unwrap();
        let (filter, mut after) = (RowFilter::Days { from: day, to: day }, None);
        loop {
            let query = RowQuery { filter: filter.clone(), after, limit: 500 };
            let rows = store.transactions(&query).await.unwrap();
            for row in &rows {
                builder.add(row).unwrap();
            }
            let Some(last) = rows.last() else { break };
            after = Some((last.day, last.transaction.created, last.transaction.id.to_string()));
        }
        let summary = builder.finish().unwrap();
        opening = summary
            .balances
            .iter()
            .map(|it| paywright_app::BalanceAmount { balance: it.balance, amount: it.closing })
            .collect();
        let previous = state.closed.as_ref().map(|it| it.hash.clone());
        let status = StatementStatus::Closed;
        let statement =
            Statement::new(Period::day(day), "UTC".to_owned(), status, summary.clone(), previous.clone()).unwrap();
        let hash = statement.hash().unwrap().to_owned();
        state.closed = Some(ClosedRef { day, hash: hash.clone() });
        let (timezone, closed_at) = ("UTC".to_owned(), time(today));
        let days = vec![ClosedDay { day, hash, previous, timezone, closed_at, summary }];
        store.commit_books(&BooksChanges { days, ..BooksChanges::new(version, state.clone()) }).await.unwrap();
        (version, day) = (version.next(), day.next().unwrap());
    }
}

/// Months from that of one day to that of another, each with its first and last day in the range.
fn months(first: Day, last: Day) -> Vec<(String, Day, Day)> {
    let (mut months, mut day) = (Vec::<(String, Day, Day)>::new(), first);
    while day <= last {
        let name: String = day.to_string().chars().take(7).collect();
        match months.last_mut() {
            Some(month) if month.0 == name => month.2 = day,
            Some(_) | None => months.push((name, day, day)),
        }
        day = day.next().unwrap();
    }
    months
}

/// Measures the statements of months in turn with the floor, and prints the medians.
async fn print(name: &str, shop: &Shop, database: &str, months: &[(String, Day, Day)]) {
    let db = connect(database).await;
    let (from, to) = (months[0].1, months[months.len() - 1].2);
    let sums = format!(
        "SELECT balance, currency, category, count(*), sum(amount), sum(fee), sum(net) FROM balance_transactions
         WHERE day >= '{from}' AND day <= '{to}' GROUP BY balance, currency, category"
    );
    let (mut times, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for (month, _, _) in months {
            let text = shop.command(&["books", "statement", "--month", month]);
            assert!(text.contains("closing balance"), "{month}: {text}");
        }
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        let begun = Instant::now();
        assert_eq!(db.query(&sums, &[]).await.unwrap().len(), 2);
        let floor = begun.elapsed().as_secs_f64() * 1000.0;
        times.push(took);
        floors.push(floor);
        ratios.push(took / floor);
    }
    println!("{name:<44} {:>9.0} {:>9.1} {:>9.1}", median(&mut times), median(&mut floors), median(&mut ratios));
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
