//! Which store there is, by the address of its database.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::Store;
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

impl Database {
    /// Opens it for `lanes` threads, and does about its schema what is to be done.
    pub(crate) async fn open(&self, lanes: usize, migrate: Migrate) -> Result<Arc<dyn Store>, Failure> {
        match self {
            Self::Sqlite { path } => {
                if migrate != Migrate::Auto {
                    return Err(
                        "a file is always brought up to date when it is opened: --migrate is for PostgreSQL".into()
                    );
                }
                Ok(Arc::new(SqliteStore::open(path, paywright_store_sqlite::Options::default())?))
            }
            Self::Postgres { url, connections, wait } => {
                let lanes = u16::try_from(lanes).unwrap_or(u16::MAX);
                let (connections, wait) = (*connections, *wait);
                let options = paywright_store_postgres::Options { connections, lanes, wait, migrate };
                Ok(Arc::new(PostgresStore::open(url.expose_secret(), options).await?))
            }
        }
    }

    /// Opens it for a look. A server's schema is left as it is, since others may be serving from it.
    pub(crate) async fn open_for_a_look(&self) -> Result<Arc<dyn Store>, Failure> {
        match self {
            Self::Sqlite { .. } => self.open(1, Migrate::Auto).await,
            Self::Postgres { .. } => self.open(1, Migrate::Check).await,
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
