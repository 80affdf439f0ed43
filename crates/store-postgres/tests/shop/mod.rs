//! Store under the contract tests.

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
use paywright_testkit::{BooksStore, FeedStore, PgBouncer};

/// Store in a database of its own.
pub(crate) struct Shop {
    // The store is dropped first, because its connections would keep the database in use, and then the pooler.
    store: Arc<PostgresStore>,
    pooler: Option<PgBouncer>,
    database: Database,
}

impl Shop {
    /// Opens a store over connections to the server, or to a PgBouncer in transaction mode before it.
    pub(crate) async fn open(is_behind_pooler: bool) -> Self {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        let pooler = is_behind_pooler.then(|| PgBouncer::before(&database.url()));
        Self { store: open(&database, pooler.as_ref()).await, pooler, database }
    }
}

async fn open(database: &Database, pooler: Option<&PgBouncer>) -> Arc<PostgresStore> {
    let url = pooler.map_or_else(|| database.url(), |it| it.url(database.name()));
    let options = Options { transaction_pooling: pooler.is_some(), ..Options::default() };
    Arc::new(PostgresStore::open(&url, options).await.unwrap())
}

#[async_trait]
impl Subject for Shop {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    async fn reopened(&self) -> Arc<dyn Store> {
        open(&self.database, self.pooler.as_ref()).await
    }

    async fn damage(&self, order: OrderId) {
        let sql = "UPDATE orders SET currency = 'xyz' WHERE id::text = $1";
        let changed = self.database.client().await.execute(sql, &[&order.0.to_string()]).await;
        assert_eq!(changed.unwrap(), 1);
    }
}

impl Shelf for Shop {
    fn carts(&self) -> Arc<dyn Carts> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    fn prices(&self) -> Arc<dyn PriceList> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

impl FeedSubject for Shop {
    fn feed_store(&self) -> Arc<dyn FeedStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

impl MonitoredSubject for Shop {
    fn monitored_store(&self) -> Arc<dyn MonitoredStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

impl TotalsSubject for Shop {
    fn totals_store(&self) -> Arc<dyn TotalsStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

impl ConsoleSubject for Shop {
    fn console_store(&self) -> Arc<dyn ConsoleStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}

impl BooksSubject for Shop {
    fn books_store(&self) -> Arc<dyn BooksStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }
}
