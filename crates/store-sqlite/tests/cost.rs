//! Costs of a commit: options of the library, and checks of tables that need no table of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::Text;
use paywright_app::{OrderRef, Orders, Version};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use paywright_domain::refund::NewRefund;
use paywright_domain::{IntentId, IntentSnapshot};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};
use paywright_testkit::{at, changes, place, usd};
use tempfile::TempDir;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(db: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let found: Vec<Line> = diesel::sql_query(sql).load(db).unwrap();
    found.into_iter().map(|it| it.line).collect()
}

/// Number of statements that wrote a refund in this process.
static REFUND_WRITES: AtomicUsize = AtomicUsize::new(0);

/// Counts the statements that write a refund.
struct Counter;

impl Instrumentation for Counter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            if text.starts_with("UPDATE `refunds`") || text.starts_with("INSERT INTO `refunds`") {
                REFUND_WRITES.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Otherwise the 300th refund of an order would write 300 rows at each of its commits.
#[tokio::test]
async fn a_refund_writes_no_other_refund_of_its_order() {
    set_default_instrumentation(|| Some(Box::new(Counter))).unwrap();
    let store = SqliteStore::open(IN_MEMORY, Options::default()).unwrap();
    store.commit(changes(Version::NEW, place(2), at(1), at(1))).await.unwrap();
    let order = place(2).order;
    let created = IntentSnapshot::new(IntentId::new("pi_2").unwrap(), order.id, order.total, at(1));
    let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
    let mut decision = order.settle(&paid, &Policies::DEFAULT, at(2)).unwrap();
    for version in 1..60 {
        let order = decision.order.clone();
        let before = REFUND_WRITES.load(Ordering::Relaxed);
        store.commit(changes(Version(version), decision, at(3), at(3))).await.unwrap();
        let written = REFUND_WRITES.load(Ordering::Relaxed) - before;
        assert!(written <= 2, "commit {version} wrote {written} times");
        assert_eq!(store.order(&OrderRef::Id(order.id)).await.unwrap().unwrap().value, order);
        let new = NewRefund { amount: Some(usd(1)), ..NewRefund::default() };
        decision = order.refund(&new, at(3)).unwrap().0;
    }
}

/// Otherwise each `LIMIT ?` makes SQLite compile its statement again, at a tenth of a commit's cost.
#[test]
fn a_statement_is_not_compiled_again_for_another_value() {
    let mut db = SqliteConnection::establish(":memory:").unwrap();
    let options = lines(&mut db, "SELECT compile_options AS line FROM pragma_compile_options");
    assert!(options.iter().any(|it| it == "ENABLE_QPSG"), "LIBSQLITE3_FLAGS of .cargo/config.toml: {options:?}");
}

#[tokio::test]
async fn a_check_of_several_values_compares_them_and_refuses_others() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db").to_str().unwrap().to_owned();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    store.commit(changes(Version::NEW, place(1), at(1), at(1))).await.unwrap();
    let mut db = SqliteConnection::establish(&path).unwrap();
    let tables = lines(&mut db, "SELECT sql AS line FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL");
    for table in &tables {
        for list in table.split(" IN (").skip(1) {
            let list = list.split(')').next().unwrap();
            assert!(list.matches(',').count() < 2, "{list}: {table}");
        }
    }
    db.batch_execute("UPDATE orders SET state = 'open'").unwrap();
    let refused = db.batch_execute("UPDATE orders SET state = 'opened'").unwrap_err().to_string();
    assert!(refused.starts_with("CHECK constraint failed"), "{refused}");
    assert_eq!(lines(&mut db, "SELECT integrity_check AS line FROM pragma_integrity_check"), ["ok"]);
}
