//! The store, chosen by the URL of its database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paywright_app::{
    Books, Carts, ConsoleSessions, DailyTotals, Endpoints, Feed, Monitoring, OrderRef, OrderRefError, PriceList, Store,
    Versioned,
};
use paywright_domain::Order;
use paywright_domain::id::InstallationId;
use paywright_store_postgres::{Known, PostgresStore};
use paywright_store_sqlite::SqliteStore;
use secrecy::{ExposeSecret, SecretString};

use crate::Failure;

/// The database that the settings name.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// A SQLite file.
    Sqlite {
        /// Path of the file.
        path: String,
    },
    /// A PostgreSQL server.
    Postgres {
        /// URL of the server, which may contain a password.
        url: SecretString,
        /// Maximum number of connections of this process.
        connections: u16,
        /// Time for which a request waits for a connection.
        wait: Duration,
        /// File in which the highest timeline is remembered; `None` turns the comparison off.
        timeline_file: Option<PathBuf>,
        /// Whether the URL is that of a pooler in transaction mode.
        transaction_pooling: bool,
    },
}

/// Handling of a database's schema when the database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Missing migrations are applied.
    Migrate,
    /// The schema is created in an empty database, and must be this version's in any other.
    Create,
    /// The schema must be this version's.
    Check,
    /// The schema is not checked.
    Any,
}

impl From<Schema> for paywright_store_postgres::Migrate {
    fn from(schema: Schema) -> Self {
        match schema {
            Schema::Migrate => Self::Auto,
            Schema::Create => Self::Create,
            Schema::Check => Self::Check,
            Schema::Any => Self::Off,
        }
    }
}

impl From<Schema> for paywright_store_sqlite::Migrate {
    fn from(schema: Schema) -> Self {
        match schema {
            Schema::Migrate => Self::Auto,
            Schema::Create => Self::Create,
            Schema::Check => Self::Check,
            Schema::Any => Self::Off,
        }
    }
}

/// The ports of one database.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) orders: Arc<dyn Store>,
    pub(crate) carts: Arc<dyn Carts>,
    pub(crate) prices: Arc<dyn PriceList>,
    pub(crate) feed: Arc<dyn Feed>,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) books: Arc<dyn Books>,
    pub(crate) totals: Arc<dyn DailyTotals>,
    pub(crate) monitoring: Arc<dyn Monitoring>,
    pub(crate) console: Arc<dyn ConsoleSessions>,
    pub(crate) installation: InstallationId,
}

impl Stores {
    async fn of<T>(store: T) -> Result<Self, Failure>
    where
        T: Store + Carts + PriceList + Feed + Endpoints + Books + DailyTotals + Monitoring + ConsoleSessions + 'static,
    {
        let store = Arc::new(store);
        let installation = store.installation().await?.id;
        Ok(Self {
            orders: Arc::<T>::clone(&store),
            carts: Arc::<T>::clone(&store),
            prices: Arc::<T>::clone(&store),
            feed: Arc::<T>::clone(&store),
            endpoints: Arc::<T>::clone(&store),
            books: Arc::<T>::clone(&store),
            totals: Arc::<T>::clone(&store),
            monitoring: Arc::<T>::clone(&store),
            console: store,
            installation,
        })
    }
}

/// Whether a database could not be opened because its schema is that of another version.
pub(crate) fn is_of_the_schema(failure: &Failure) -> bool {
    use paywright_store_postgres::OpenError as Postgres;
    use paywright_store_sqlite::OpenError as Sqlite;
    matches!(failure.downcast_ref(), Some(Sqlite::OlderSchema { .. } | Sqlite::NewerSchema { .. }))
        || matches!(failure.downcast_ref(), Some(Postgres::OlderSchema { .. } | Postgres::NewerSchema { .. }))
}

/// Parses the name that an operator gives an order: its id, its number, or one of its PaymentIntents.
pub(crate) fn order_ref(name: &str) -> Result<OrderRef, Failure> {
    OrderRef::parse(name).map_err(|error| match error {
        OrderRefError::NoSuchNumber => no_order(name),
        OrderRefError::Malformed => error.to_string().into(),
    })
}

/// Reads the order that an operator has named `name`.
pub(crate) async fn order_named(store: &dyn Store, which: &OrderRef, name: &str) -> Result<Versioned<Order>, Failure> {
    store.order(which).await?.ok_or_else(|| no_order(name))
}

fn no_order(name: &str) -> Failure {
    format!("there is no order {name}").into()
}

impl Database {
    /// Maximum number of connections or files that are open at once.
    pub(crate) fn connections(&self) -> u16 {
        match self {
            // A writer and four readers, each with the file and its log, and room for a backup.
            Self::Sqlite { .. } => 32,
            Self::Postgres { connections, .. } => *connections,
        }
    }

    /// Checks the form of the address, without connecting to it.
    pub(crate) fn check_address(&self) -> Result<(), Failure> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { url, .. } => Ok(PostgresStore::check_url(url.expose_secret())?),
        }
    }

    /// Opens the database for `lanes` threads, and handles its schema as `schema` says.
    pub(crate) async fn open(&self, lanes: usize, schema: Schema) -> Result<Stores, Failure> {
        match self {
            Self::Sqlite { path } => {
                let options = paywright_store_sqlite::Options { migrate: schema.into(), ..Default::default() };
                Stores::of(SqliteStore::open(path, options)?).await
            }
            Self::Postgres { url, connections, wait, timeline_file, transaction_pooling } => {
                let lanes = u16::try_from(lanes).unwrap_or(u16::MAX);
                let (connections, wait, timeline_file) = (*connections, *wait, timeline_file.clone());
                let migrate = schema.into();
                let transaction_pooling = *transaction_pooling;
                let options = paywright_store_postgres::Options {
                    connections,
                    lanes,
                    wait,
                    migrate,
                    timeline_file,
                    transaction_pooling,
                };
                Stores::of(PostgresStore::open(url.expose_secret(), options).await?).await
            }
        }
    }

    /// Copies a SQLite file to a new one while it is in use, and returns the size of the copy in bytes.
    pub(crate) fn backup(&self, to: &Path) -> Result<u64, Failure> {
        match self {
            Self::Sqlite { path } => Ok(paywright_store_sqlite::backup(path, to)?),
            Self::Postgres { .. } => Err(
                "PostgreSQL has its own backups (pg_dump, pg_basebackup): docs/operations.md describes how to make one and \
                 what to do after a restore; `paywright backup` copies a SQLite file"
                    .into(),
            ),
        }
    }

    /// Applies missing migrations, and returns a sentence that says what was done.
    pub(crate) async fn migrate(&self) -> Result<String, Failure> {
        match self {
            Self::Sqlite { path } => {
                let is_new = !Path::new(path).exists();
                drop(self.open(1, Schema::Migrate).await?);
                let created = if is_new { ": it was created" } else { "" };
                Ok(format!("The file is up to date{created}."))
            }
            Self::Postgres { transaction_pooling: true, .. } => Err(
                "a pooler in transaction mode cannot migrate: run this with database.url naming the server itself, and with \
                 database.transaction_pooling set to false"
                    .into(),
            ),
            Self::Postgres { url, timeline_file, .. } => {
                let made = PostgresStore::migrate(url.expose_secret(), timeline_file.as_deref()).await?;
                Ok(match made {
                    0 => "The database is up to date.".into(),
                    1 => "The database is up to date: one migration was applied.".into(),
                    many => format!("The database is up to date: {many} migrations were applied."),
                })
            }
        }
    }

    /// Remembers the timeline of the server that accepts writes as the highest, and returns a sentence that says so.
    pub(crate) async fn trust_timeline(&self) -> Result<String, Failure> {
        let Self::Postgres { url, timeline_file, .. } = self else {
            return Err("a SQLite file has no timeline: this command is for PostgreSQL".into());
        };
        let file = timeline_file.as_deref().ok_or("no timeline is remembered: database.timeline_file is empty")?;
        let (now, before) = PostgresStore::trust_timeline(url.expose_secret(), file).await?;
        let named = |it: &Known| format!("timeline {} of cluster {} at {}", it.timeline, it.system, it.seen_at);
        let before = before.map_or_else(|| "nothing readable".into(), |it| named(&it));
        Ok(format!(
            "Remembered in {}: {}. Before: {before}. Restart the serving processes.",
            file.display(),
            named(&now)
        ))
    }
}
