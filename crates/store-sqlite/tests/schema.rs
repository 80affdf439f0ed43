//! Names of tables and columns in comparison with those in PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::Text;
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::postgres::Database;
use tempfile::TempDir;

/// Columns that PostgreSQL alone has: facts and snapshots by version, because commits on several connections do not know
/// their positions in the feed.
const POSTGRES_ONLY: [&str; 12] = [
    "account_events.at",
    "account_events.is_positioned",
    "account_events.kind",
    "order_snapshots.livemode",
    "order_snapshots.order_id",
    "order_snapshots.personal",
    "order_snapshots.version",
    "order_snapshots.view",
    "unpositioned_facts.kind",
    "unpositioned_facts.order_id",
    "unpositioned_facts.position",
    "unpositioned_facts.version",
];

/// Columns that SQLite alone has: a commit knows its positions, so its snapshot is in the row of its last public fact.
const SQLITE_ONLY: [&str; 4] = ["feed.livemode", "feed.personal", "feed.snapshot_after", "feed.view"];

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
}

fn columns_in_sqlite() -> BTreeSet<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db").to_str().unwrap().to_owned();
    let _store = SqliteStore::open(&path, Options::default()).unwrap();
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT it.name || '.' || c.name AS name FROM sqlite_schema AS it, pragma_table_xinfo(it.name) AS c
         WHERE it.type = 'table' AND it.name NOT IN ('__diesel_schema_migrations')",
    )
    .load(&mut SqliteConnection::establish(&path).unwrap())
    .unwrap();
    columns.into_iter().map(|it| it.name).collect()
}

async fn columns_in_postgres() -> BTreeSet<String> {
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    let mut folders: Vec<PathBuf> = fs::read_dir(migrations).unwrap().map(|it| it.unwrap().path()).collect();
    folders.sort();
    let database = Database::empty().await;
    let db = database.client().await;
    for folder in folders {
        db.batch_execute(&fs::read_to_string(folder.join("up.sql")).unwrap()).await.unwrap();
    }
    let all = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'";
    db.query(all, &[]).await.unwrap().iter().map(|it| it.get(0)).collect()
}

#[tokio::test]
async fn a_table_or_column_has_the_same_name_in_both_databases() {
    let (sqlite, postgres) = (columns_in_sqlite(), columns_in_postgres().await);
    assert_eq!(postgres.difference(&sqlite).collect::<Vec<_>>(), POSTGRES_ONLY);
    assert_eq!(sqlite.difference(&postgres).collect::<Vec<_>>(), SQLITE_ONLY);
}
