//! Migrations: embedded, one process at a time, each in a transaction of its own.

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connect::Source;
use crate::failure::OpenError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Names the lock that is held while the schema changes: "Payw" in ASCII.
const LOCK: i64 = 0x5061_7977;

/// A migration waits for the locks it needs for a few seconds at most: what waits behind it is every customer.
/// For the process that migrates before us we wait longer, since that is nobody's trouble but ours.
const WAIT_FOR_TURN: &str = "SET lock_timeout = '60s'";
const WAIT_FOR_TABLES: &str = "SET lock_timeout = '5s'; SET statement_timeout = '15min'";

/// What is done about the schema at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrate {
    /// Bring it up to what this version needs.
    #[default]
    Auto,
    /// Refuse to start on any other schema than this version's.
    Check,
    /// Start whatever it is: while a newer version is being rolled out.
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

type Connection = AsyncConnectionWrapper<AsyncPgConnection>;

/// Does what is to be done about the schema, and says how many migrations were made.
pub(crate) async fn run(source: &Source, migrate: Migrate) -> Result<usize, OpenError> {
    if migrate == Migrate::Off {
        return Ok(0);
    }
    let connection = source.establish().await?;
    let place = source.place();
    let failed = {
        let place = place.clone();
        move |reason: String| OpenError::Migration { place: place.clone(), reason }
    };
    let work = {
        let failed = failed.clone();
        move || {
            let mut db = Connection::from(connection);
            let pending = pending(&mut db, &place, &failed)?;
            match (migrate, pending.first()) {
                (_, None) | (Migrate::Off, _) => Ok(0),
                (Migrate::Check, Some(first)) => Err(OpenError::OlderSchema {
                    place: place.clone(),
                    missing: pending.len(),
                    migration: first.clone(),
                }),
                (Migrate::Auto, Some(_)) => make_all(&mut db, &place, &failed),
            }
        }
    };
    // The migrations are diesel's, which waits for each; so this is a thread that may wait.
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.to_string()))?
}

/// The migrations that this version knows and the database has not seen. An unknown one is a newer version's.
fn pending(db: &mut Connection, place: &str, failed: &impl Fn(String) -> OpenError) -> Result<Vec<String>, OpenError> {
    let told = |error: diesel::result::Error| failed(error.to_string());
    let exists = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS exists";
    let applied = if diesel::sql_query(exists).get_result::<Exists>(db).map_err(told)?.exists {
        let all = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
        diesel::sql_query(all).load::<Applied>(db).map_err(told)?.into_iter().map(|it| it.version).collect()
    } else {
        Vec::new()
    };
    let known: Vec<String> = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(|error| failed(error.to_string()))?
        .iter()
        .map(|it| it.name().version().to_string())
        .collect();
    if let Some(unknown) = applied.iter().find(|it| !known.contains(it)) {
        return Err(OpenError::NewerSchema { place: place.to_owned(), migration: unknown.clone() });
    }
    Ok(known.into_iter().filter(|it| !applied.contains(it)).collect())
}

/// Waits for its turn, and makes what is still to be made. The lock ends with the connection.
fn make_all(db: &mut Connection, place: &str, failed: &impl Fn(String) -> OpenError) -> Result<usize, OpenError> {
    use diesel::connection::SimpleConnection;
    let told = |error: diesel::result::Error| failed(error.to_string());
    db.batch_execute(WAIT_FOR_TURN).map_err(told)?;
    db.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))
        .map_err(|error| failed(format!("another process is still migrating it: {error}")))?;
    db.batch_execute(WAIT_FOR_TABLES).map_err(told)?;
    // Another process may have made them meanwhile, and a newer version more than that.
    if pending(db, place, failed)?.is_empty() {
        return Ok(0);
    }
    let made = db.run_pending_migrations(MIGRATIONS).map_err(|error| failed(error.to_string()))?;
    for migration in &made {
        tracing::info!(%migration, "the database was migrated");
    }
    Ok(made.len())
}
