//! Contract of every store, tested on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::Arc;

use async_trait::async_trait;
use paywright_app::{Carts, PriceList, Store};
use paywright_domain::OrderId;
use paywright_store_postgres::{Options, PostgresStore};
use paywright_testkit::books_contract::BooksSubject;
use paywright_testkit::console_contract::{ConsoleStore, ConsoleSubject};
use paywright_testkit::contract::Subject;
use paywright_testkit::feed_contract::FeedSubject;
use paywright_testkit::monitoring_contract::{MonitoredStore, MonitoredSubject};
use paywright_testkit::postgres::Database;
use paywright_testkit::storefront_contract::Shelf;
use paywright_testkit::totals_contract::{TotalsStore, TotalsSubject};
use paywright_testkit::{BooksStore, FeedStore};

struct Shop {
    // The store is dropped first, because its connections would keep the database in use.
    store: Arc<PostgresStore>,
    database: Database,
}

#[async_trait]
impl Subject for Shop {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    async fn reopened(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.database.url(), Options::default()).await.unwrap())
    }

    async fn damage(&self, order: OrderId) {
        let sql = "UPDATE orders SET currency = 'xyz' WHERE id::text = $1";
        let changed = self.database.client().await.execute(sql, &[&order.0.to_string()]).await;
        assert_eq!(changed.unwrap(), 1);
    }
}

async fn fresh() -> Shop {
    let database = Database::migrated(async |url| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0)).await;
    let store = Arc::new(PostgresStore::open(&database.url(), Options::default()).await.unwrap());
    Shop { store, database }
}

paywright_testkit::store_contract!(fresh().await);

impl Shelf for Shop {
    fn carts(&self) -> Arc<dyn Carts> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    fn prices(&self) -> Arc<dyn PriceList> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::storefront_contract!(fresh().await);

impl FeedSubject for Shop {
    fn feed_store(&self) -> Arc<dyn FeedStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::feed_contract!(fresh().await);
paywright_testkit::endpoint_contract!(fresh().await);

impl MonitoredSubject for Shop {
    fn monitored_store(&self) -> Arc<dyn MonitoredStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::monitoring_contract!(fresh().await);

impl TotalsSubject for Shop {
    fn totals_store(&self) -> Arc<dyn TotalsStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::totals_contract!(fresh().await);

impl ConsoleSubject for Shop {
    fn console_store(&self) -> Arc<dyn ConsoleStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::console_contract!(fresh().await);

impl BooksSubject for Shop {
    fn books_store(&self) -> Arc<dyn BooksStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

paywright_testkit::books_contract!(fresh().await);
