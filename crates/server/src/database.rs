//! Which store there is, by the address of its database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paywright_app::{Carts, PriceList, Store};
use paywright_domain::InstallationId;
use paywright_store_postgres::{Migrate, PostgresStore};
use paywright_store_sqlite::SqliteStore;
use secrecy::{ExposeSecret, SecretString};

use crate::Failure;

/// A database that was chosen.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// One file.
    Sqlite {
        /// Where.
        path: String,
    },
    /// A server.
    Postgres {
        /// Its address, which may hold a password.
        url: SecretString,
        /// The most connections of this process.
        connections: u16,
        /// How long to wait for one.
        wait: Duration,
    },
}

/// All that a database keeps, by port.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) orders: Arc<dyn Store>,
    pub(crate) carts: Arc<dyn Carts>,
    pub(crate) prices: Arc<dyn PriceList>,
    pub(crate) installation: InstallationId,
}

impl Stores {
    async fn of<T: Store + Carts + PriceList + 'static>(store: T) -> Result<Self, Failure> {
        let store = Arc::new(store);
        let (orders, carts) = (Arc::<T>::clone(&store), Arc::<T>::clone(&store));
        let installation = store.installation().await?.id;
        Ok(Self { orders, carts, prices: store, installation })
    }
}

impl Database {
    /// Opens it for `lanes` threads, and does about its schema what is to be done.
    pub(crate) async fn open(&self, lanes: usize, migrate: Migrate) -> Result<Stores, Failure> {
        match self {
            Self::Sqlite { path } => {
                if migrate != Migrate::Auto {
                    return Err(
                        "a file is always brought up to date when it is opened: --migrate is for PostgreSQL".into()
                    );
                }
                Stores::of(SqliteStore::open(path, paywright_store_sqlite::Options::default())?).await
            }
            Self::Postgres { url, connections, wait } => {
                let lanes = u16::try_from(lanes).unwrap_or(u16::MAX);
                let (connections, wait) = (*connections, *wait);
                let options = paywright_store_postgres::Options { connections, lanes, wait, migrate };
                Stores::of(PostgresStore::open(url.expose_secret(), options).await?).await
            }
        }
    }

    /// Opens it for a look. A server's schema is left as it is, since others may be serving from it.
    pub(crate) async fn open_for_a_look(&self) -> Result<Stores, Failure> {
        match self {
            Self::Sqlite { .. } => self.open(1, Migrate::Auto).await,
            Self::Postgres { .. } => self.open(1, Migrate::Check).await,
        }
    }

    /// Copies a file to a new one while it is in use; says how many bytes that has.
    pub(crate) fn backup(&self, to: &Path) -> Result<u64, Failure> {
        match self {
            Self::Sqlite { path } => Ok(paywright_store_sqlite::backup(path, to)?),
            Self::Postgres { .. } => Err(
                "PostgreSQL has backups of its own (pg_dump, pg_basebackup): docs/operations.md says how to make one and \
                 what to do after a restore; `paywright backup` copies a file of SQLite"
                    .into(),
            ),
        }
    }

    /// Brings its schema up to date, and says what that was.
    pub(crate) async fn migrate(&self) -> Result<String, Failure> {
        match self {
            Self::Sqlite { .. } => {
                drop(self.open(1, Migrate::Auto).await?);
                Ok("The file is up to date.".into())
            }
            Self::Postgres { url, .. } => Ok(match PostgresStore::migrate(url.expose_secret()).await? {
                0 => "The database is up to date.".into(),
                1 => "The database is up to date: one migration was made.".into(),
                many => format!("The database is up to date: {many} migrations were made."),
            }),
        }
    }
}
