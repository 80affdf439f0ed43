//! Contract of every store, tested on SQLite in a file.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use paywright_app::{Carts, PriceList, Store};
use paywright_domain::OrderId;
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::books_contract::BooksSubject;
use paywright_testkit::console_contract::{ConsoleStore, ConsoleSubject};
use paywright_testkit::contract::Subject;
use paywright_testkit::feed_contract::FeedSubject;
use paywright_testkit::monitoring_contract::{MonitoredStore, MonitoredSubject};
use paywright_testkit::storefront_contract::Shelf;
use paywright_testkit::totals_contract::{TotalsStore, TotalsSubject};
use paywright_testkit::{BooksStore, FeedStore};
use tempfile::TempDir;

struct File {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl File {
    fn path(folder: &TempDir) -> String {
        folder.path().join("orders.db").to_str().unwrap().to_owned()
    }
}

#[async_trait]
impl Subject for File {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<SqliteStore>::clone(&self.store)
    }

    async fn reopened(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&Self::path(&self.folder), Options::default()).unwrap())
    }

    async fn damage(&self, order: OrderId) {
        let mut db = SqliteConnection::establish(&Self::path(&self.folder)).unwrap();
        let changed = diesel::sql_query("UPDATE orders SET currency = 'xyz' WHERE id = ?")
            .bind::<diesel::sql_types::Binary, _>(order.0.as_bytes().as_slice())
            .execute(&mut db);
        assert_eq!(changed.unwrap(), 1);
    }
}

fn fresh() -> File {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(&File::path(&folder), Options::default()).unwrap());
    File { folder, store }
}

paywright_testkit::store_contract!(fresh());

impl Shelf for File {
    fn carts(&self) -> Arc<dyn Carts> {
        Arc::<SqliteStore>::clone(&self.store)
    }

    fn prices(&self) -> Arc<dyn PriceList> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::storefront_contract!(fresh());

impl FeedSubject for File {
    fn feed_store(&self) -> Arc<dyn FeedStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::feed_contract!(fresh());
paywright_testkit::endpoint_contract!(fresh());

impl MonitoredSubject for File {
    fn monitored_store(&self) -> Arc<dyn MonitoredStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::monitoring_contract!(fresh());

impl TotalsSubject for File {
    fn totals_store(&self) -> Arc<dyn TotalsStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::totals_contract!(fresh());

impl ConsoleSubject for File {
    fn console_store(&self) -> Arc<dyn ConsoleStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::console_contract!(fresh());

impl BooksSubject for File {
    fn books_store(&self) -> Arc<dyn BooksStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }
}

paywright_testkit::books_contract!(fresh());
