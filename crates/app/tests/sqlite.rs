//! The use cases over SQLite.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set itself up fails")]

mod cases;

use std::sync::Arc;

use cases::{NOW, PROVIDER_TIMEOUT_SECONDS, Shop, update};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};

/// Nothing must outlive this store.
type DatabaseGuard = ();

/// Store under test.
type Kind = SqliteStore;

#[expect(clippy::unused_async, reason = "other stores open asynchronously")]
async fn fresh_store() -> (Arc<Kind>, DatabaseGuard) {
    (Arc::new(SqliteStore::open(IN_MEMORY, Options::default()).unwrap()), ())
}
