//! The use cases over PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod cases;

use std::sync::Arc;

use cases::{NOW, PATIENCE, Shop, news};
use paywright_app::Store;
use paywright_store_postgres::{Options, PostgresStore};
use paywright_testkit::postgres::Database;

/// What must outlive the store.
type Kept = Database;

async fn fresh_store() -> (Arc<dyn Store>, Kept) {
    let database = Database::migrated(async |url| assert!(PostgresStore::migrate(url).await.unwrap() > 0)).await;
    (Arc::new(PostgresStore::open(&database.url(), Options::default()).await.unwrap()), database)
}
