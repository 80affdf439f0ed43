//! Migrations: embedded, one process at a time, each in a transaction of its own.

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::Connection;
use crate::failure::OpenError;
use crate::pooler::Pooler;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Number of the advisory lock that is held while the schema changes: "Payw" in ASCII.
const LOCK: i64 = 0x5061_7977;

/// Lock timeouts. A migration waits only a few seconds for the locks of its tables, because all requests queue behind it.
/// It waits longer for another process's migration, which blocks no requests.
const WAIT_FOR_TURN: &str = "SET lock_timeout = '60s'";
const WAIT_FOR_TABLES: &str = "SET lock_timeout = '5s'; SET statement_timeout = '15min'";

/// Query whether any migration was applied, and query for those that were.
const EXISTS: &str = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS exists";
const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations ORDER BY version";

/// Last migration that this version knows.
pub(crate) fn newest() -> String {
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap_or_default();
    known.iter().map(|it| it.name().version().to_string()).max().unwrap_or_default()
}

/// Treatment of the schema at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrate {
    /// Migrates the database to the schema of this version.
    #[default]
    Auto,
    /// Creates the schema in an empty database, and refuses another version's schema.
    Create,
    /// Refuses another version's schema.
    Check,
    /// Accepts any schema, for a rollout of a newer version.
    Off,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

/// Checks or migrates the schema over `connection`, which it consumes, and returns the number of migrations that were
/// run.
///
/// Over a pooler in transaction mode the schema is checked and never changed: the lock under which migrations are run belongs
/// to a session.
pub(crate) async fn run(connection: Connection, place: String, migrate: Migrate) -> Result<usize, OpenError> {
    let connection = match connection {
        Connection::Server(connection) => connection,
        Connection::Pooler(pooler) if migrate != Migrate::Off => return check_over(&pooler, place).await,
        Connection::Pooler(_) => return Ok(0),
    };
    let panicked = OpenError::Migration { place: place.clone(), reason: "it did not come to its end".into() };
    let work = move || {
        let mut schema = Schema { db: AsyncConnectionWrapper::from(connection), place };
        match migrate {
            Migrate::Auto => schema.bring_up(),
            Migrate::Create => schema.create(),
            Migrate::Check => schema.check(),
            Migrate::Off => Ok(0),
        }
    };
    // Diesel runs migrations synchronously, so this needs a blocking thread.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(panicked))
}

/// Fails if the schema of the database behind a pooler is older or newer than this version's.
async fn check_over(pooler: &Pooler, place: String) -> Result<usize, OpenError> {
    let failed = |error| failed(&place, &error);
    let exists = pooler.column(EXISTS, "exists").await.map_err(failed)? == ["t"];
    let applied = if exists { pooler.column(APPLIED, "version").await.map_err(failed)? } else { Vec::new() };
    match missing_of(&applied, &place)?.first() {
        None => Ok(0),
        Some(first) => Err(OpenError::SchemaBehindPooler { place, migration: first.clone() }),
    }
}

/// Schema of a database.
struct Schema {
    db: AsyncConnectionWrapper<AsyncPgConnection>,
    place: String,
}

impl Schema {
    /// Fails if the schema is older or newer than this version's.
    fn check(&mut self) -> Result<usize, OpenError> {
        let pending = self.pending()?;
        match pending.first() {
            None => Ok(0),
            Some(first) => Err(OpenError::OlderSchema {
                place: self.place.clone(),
                missing: pending.len(),
                migration: first.clone(),
            }),
        }
    }

    /// Runs the missing migrations, under the advisory lock, which ends with the connection.
    fn bring_up(&mut self) -> Result<usize, OpenError> {
        if self.pending()?.is_empty() {
            return Ok(0);
        }
        self.take_turn()?;
        // Another process may have run them meanwhile, and a newer version more than these.
        if self.pending()?.is_empty() {
            return Ok(0);
        }
        self.make_pending()
    }

    /// Creates the schema in an empty database, under the advisory lock; leaves any other unchanged.
    fn create(&mut self) -> Result<usize, OpenError> {
        if self.pending()?.is_empty() {
            return Ok(0);
        }
        // Another process may be creating it, and may have created a part.
        self.take_turn()?;
        if self.pending()?.len() == known(&self.place)?.len() { self.make_pending() } else { self.check() }
    }

    /// Takes the advisory lock, which waits until no other process migrates. It ends with the connection.
    fn take_turn(&mut self) -> Result<(), OpenError> {
        self.run(WAIT_FOR_TURN)?;
        let turn = self.db.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"));
        turn.map_err(|error| failed(&self.place, &format!("another process is still migrating it: {error}")))?;
        self.run(WAIT_FOR_TABLES)
    }

    fn make_pending(&mut self) -> Result<usize, OpenError> {
        let made = self.db.run_pending_migrations(MIGRATIONS).map_err(|error| failed(&self.place, &error))?;
        for migration in &made {
            tracing::info!(%migration, "the database was migrated");
        }
        Ok(made.len())
    }

    /// Migrations of this version that the database lacks. Fails on a migration that only a newer version knows.
    fn pending(&mut self) -> Result<Vec<String>, OpenError> {
        let Self { db, place } = self;
        let exists = diesel::sql_query(EXISTS).get_result::<Exists>(db).map_err(|error| failed(place, &error))?.exists;
        let applied: Vec<Applied> = if exists {
            diesel::sql_query(APPLIED).load(db).map_err(|error| failed(place, &error))?
        } else {
            Vec::new()
        };
        missing_of(&applied.into_iter().map(|it| it.version).collect::<Vec<_>>(), place)
    }

    fn run(&mut self, sql: &str) -> Result<(), OpenError> {
        self.db.batch_execute(sql).map_err(|error| failed(&self.place, &error))
    }
}

/// Migrations of this version that are not applied. Fails on one that only a newer version knows.
fn missing_of(applied: &[String], place: &str) -> Result<Vec<String>, OpenError> {
    let mut known = known(place)?;
    if let Some(unknown) = applied.iter().find(|it| !known.contains(it)) {
        return Err(OpenError::NewerSchema { place: place.to_owned(), migration: unknown.clone() });
    }
    known.retain(|it| !applied.contains(it));
    Ok(known)
}

/// Migrations of this version.
fn known(place: &str) -> Result<Vec<String>, OpenError> {
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(|error| failed(place, &error))?;
    Ok(known.iter().map(|it| it.name().version().to_string()).collect())
}

fn failed(place: &str, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::Migration { place: place.to_owned(), reason: error.to_string() }
}
