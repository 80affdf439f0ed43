//! Costs of a commit: options of the library, and checks of tables that need no table of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use paywright_app::{Orders, Version};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::{at, changes, place};
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
