//! Books of one order.

use paywright_app::{
    BalanceAmount, BookedEntry, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakClass, ClosedDay,
    ClosedRef, Period, Resolution, Statement, StatementBuilder, StatementStatus, Version,
};
use paywright_domain::books::{
    Account, BalanceTransaction, BalanceType, Day, Entry, Payout, PayoutStatus, Posting, Reconciliation,
    ReportingCategory, SalesPart, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::{Currency, IntentId, OrderId, Timestamp};
use paywright_store_sqlite::SqliteStore;
use uuid::Uuid;

/// Break that is open.
pub(crate) const OPEN_BREAK: &str = "missing_there:pi_9";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

const fn usd(minor: i64) -> SignedMoney {
    SignedMoney::new(minor, Currency::Usd)
}

fn txn(n: u32) -> BalanceTransactionId {
    BalanceTransactionId::new(format!("txn_{n}")).unwrap()
}

fn po(n: u32) -> PayoutId {
    PayoutId::new(format!("po_{n}")).unwrap()
}

/// PaymentIntent of the sale.
fn sale() -> Source {
    Source::Payment { intent: IntentId::new("pi_1").unwrap() }
}

/// Balance transactions of an order in Berlin time: the sale of 112.00 on 29 March, the refund of 12.00 on the 30th, and
/// the payout of what was left after the fee on the 31st.
fn rows(order: OrderId) -> Vec<BookedTransaction> {
    let refund = Source::Refund { refund: "re_1".parse().unwrap() };
    let payout = Source::Payout { payout: po(1) };
    let rows = [
        (1, "2025-03-29T10:00:00Z", "2025-03-29", ReportingCategory::Charge, [11_200, 355], sale()),
        (2, "2025-03-29T23:30:00Z", "2025-03-30", ReportingCategory::Refund, [-1200, 0], refund),
        (3, "2025-03-31T06:00:00Z", "2025-03-31", ReportingCategory::Payout, [-9645, 0], payout),
    ];
    rows.map(|(n, created, of_day, category, [gross, fee], source)| {
        let of_order = matches!(source, Source::Payment { .. } | Source::Refund { .. });
        let row = BalanceTransaction::new(txn(n), time(created), category, usd(gross), usd(fee));
        BookedTransaction {
            transaction: row.with_source(source),
            intent: None,
            order: of_order.then_some(order),
            day: Some(day(of_day)),
            recorded_at: time("2025-03-31T07:00:00Z"),
        }
    })
    .to_vec()
}

/// Entry of the sale, as the facts of the order expect it.
fn expected(order: OrderId) -> BookedEntry {
    let postings = vec![
        Posting { account: Account::Clearing(sale()), amount: usd(11_200) },
        Posting { account: Account::Sales(SalesPart::Goods), amount: usd(-11_200) },
    ];
    BookedEntry {
        id: "payment:pi_1".into(),
        order,
        at: time("2025-03-29T10:00:01Z"),
        day: Some(day("2025-03-29")),
        source: sale(),
        entry: Entry::new(postings).unwrap(),
    }
}

/// Statement of 29 March, which is closed.
pub(super) fn closed_day(order: OrderId) -> ClosedDay {
    let opening = BalanceAmount { balance: BalanceType::Payments, amount: usd(0) };
    let mut builder = StatementBuilder::new(&[opening], |_| day("2025-03-29")).unwrap();
    builder.add(&rows(order)[0]).unwrap();
    let summary = builder.finish().unwrap();
    let period = Period::day(day("2025-03-29"));
    let statement = Statement::new(period, "Europe/Berlin", StatementStatus::Closed, summary.clone(), None).unwrap();
    ClosedDay {
        day: day("2025-03-29"),
        hash: statement.hash().unwrap().to_owned(),
        previous: None,
        timezone: "Europe/Berlin".into(),
        closed_at: time("2025-03-30T00:30:00Z"),
        summary,
    }
}

fn payout(n: u32, created: &str, minor: i64, automatic: bool) -> Payout {
    Payout {
        id: po(n),
        amount: usd(minor),
        created: time(created),
        arrival: time("2025-04-01T00:00:00Z"),
        status: PayoutStatus::Paid,
        automatic,
        reconciliation: if automatic { Reconciliation::Completed } else { Reconciliation::NotApplicable },
        balance_transaction: None,
        failure_balance_transaction: None,
        failure_code: None,
        trace_id: None,
    }
}

fn found_break(class: BreakClass, object: &str, first_seen: &str) -> Break {
    Break {
        id: format!("{}:{object}", class.name()),
        class,
        object: object.into(),
        order: None,
        ours: Some(usd(500)),
        theirs: None,
        since: time("2025-03-30T08:00:00Z"),
        first_seen: time(first_seen),
        gone_at: None,
        resolution: None,
    }
}

fn breaks(order: OrderId) -> Vec<Break> {
    let open = found_break(BreakClass::MissingThere, "pi_9", "2025-03-30T09:00:00Z");
    let resolved = found_break(BreakClass::Link, "pi_8", "2025-03-30T10:00:00Z");
    let resolution = Resolution { at: time("2025-03-30T12:00:00Z"), by: "ada".into(), note: "another shop".into() };
    let gone = found_break(BreakClass::Amount, "pi_1", "2025-03-30T11:00:00Z");
    vec![
        open,
        Break { resolution: Some(resolution), ..resolved },
        Break { order: Some(order), theirs: Some(usd(400)), gone_at: Some(time("2025-03-30T13:00:00Z")), ..gone },
    ]
}

/// State of books that began on 29 March, in a time zone.
pub(super) fn state(timezone: &str) -> BooksState {
    BooksState {
        timezone: timezone.into(),
        first_day: day("2025-03-29"),
        start: time("2025-03-28T23:00:00Z"),
        opening: Some(vec![BalanceAmount { balance: BalanceType::Payments, amount: usd(0) }]),
        closed: None,
        transactions_until: time("2025-03-31T07:00:00Z"),
        payouts_until: time("2025-03-31T07:00:00Z"),
        orders_until: time("2025-03-31T07:00:00Z"),
        reading: None,
    }
}

/// Commits the books of an order: its movements, three payouts, a closed day, and a break of each status.
pub(crate) async fn keep_books(store: &SqliteStore, order: &str) {
    let order = OrderId(Uuid::parse_str(order).unwrap());
    let closed = closed_day(order);
    let closed_ref = ClosedRef { day: closed.day, hash: closed.hash.clone() };
    let state = BooksState { closed: Some(closed_ref), ..state("Europe/Berlin") };
    let changes = BooksChanges {
        transactions: rows(order),
        entries: vec![expected(order)],
        payouts: vec![
            payout(1, "2025-03-31T06:00:00Z", 9645, true),
            payout(2, "2025-03-29T23:00:00Z", 700, false),
            payout(3, "2025-02-01T00:00:00Z", 300, false),
        ],
        members: vec![(po(1), vec![txn(1), txn(2)])],
        days: vec![closed],
        breaks: breaks(order),
        ..BooksChanges::new(Version::NEW, state)
    };
    store.commit_books(&changes).await.unwrap();
}
