//! The use cases over PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set itself up fails")]

mod cases;

use std::sync::Arc;

use cases::{NOW, PROVIDER_TIMEOUT_SECONDS, Shop, update};
use paywright_store_postgres::{Options, PostgresStore};
use paywright_testkit::postgres::Database;

/// Database that must outlive the store.
type DatabaseGuard = Database;

/// Store under test.
type Kind = PostgresStore;

async fn fresh_store() -> (Arc<Kind>, DatabaseGuard) {
    let database = Database::migrated(async |url| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0)).await;
    (Arc::new(PostgresStore::open(&database.url(), Options::default()).await.unwrap()), database)
}
