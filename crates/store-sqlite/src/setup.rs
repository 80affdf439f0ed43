//! Opening of a file: checks which program it belongs to, migrates it, and configures the connection.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::failure::{DISK, Failure, OpenError};
use crate::reserve::Reserve;
use crate::{IN_MEMORY, Migrate, Options, place};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// `PRAGMA application_id` of our files: "Payw" in ASCII.
const APPLICATION_ID: i64 = 0x5061_7977;

/// Time to wait for a writer of another process, such as `paywright keys` beside a server, in milliseconds.
const BUSY_MILLISECONDS: u32 = 5_000;

const PAGE_BYTES: u64 = 4096;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// Opens or creates a file. On a full disk it uses the reserve: the file is then open for reading, and for writes that may
/// use the rest of the reserve.
pub(crate) fn open_for_writing(path: &str, options: Options) -> Result<SqliteConnection, OpenError> {
    let name = path.strip_prefix("file:").unwrap_or(path).split('?').next().unwrap_or(path);
    let reserve = Reserve::beside(Path::new(name));
    match open_at_once(path, options) {
        Err(OpenError::Unusable { reason, .. }) if DISK.iter().any(|it| reason.contains(it)) && reserve.free() => {
            let opened = open_at_once(path, options);
            reserve.fill();
            opened
        }
        opened => opened,
    }
}

fn open_at_once(path: &str, options: Options) -> Result<SqliteConnection, OpenError> {
    place::prepare(path, options.migrate)?;
    let mut db = SqliteConnection::establish(path).map_err(|error| explain(path, &error))?;
    let explain = |error: diesel::result::Error| explain(path, &error);
    db.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MILLISECONDS}; PRAGMA foreign_keys = ON;"))
        .map_err(explain)?;
    check_owner(&mut db, path).map_err(|error| error.unwrap_or_else(explain))?;
    place::close_to_others(path);
    // Only one process at a time migrates it.
    db.batch_execute("BEGIN IMMEDIATE").map_err(explain)?;
    // Fails if the file cannot be written. Rolled back below if the schema is up to date.
    db.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID};")).map_err(explain)?;
    let migrated = match options.migrate {
        Migrate::Off => Ok(false),
        Migrate::Auto | Migrate::Create | Migrate::Check => migrate(&mut db, path, options.migrate),
    };
    // An up-to-date file is opened without a write, because its disk may be full.
    db.batch_execute(if matches!(migrated, Ok(true)) { "COMMIT" } else { "ROLLBACK" }).map_err(explain)?;
    migrated?;
    if path != IN_MEMORY {
        db.batch_execute("PRAGMA journal_mode = WAL;").map_err(explain)?;
    }
    // Each write of a group has a savepoint, and more than 16 pages of it would go through a temporary file.
    db.batch_execute(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384; \
         PRAGMA temp_store = MEMORY;",
    )
    .map_err(explain)?;
    if let Some(bytes) = options.bytes_max {
        db.batch_execute(&format!("PRAGMA max_page_count = {};", (bytes / PAGE_BYTES).max(1))).map_err(explain)?;
    }
    Ok(db)
}

/// Opens an existing database of Paywright for a copy.
pub(crate) fn open_for_copying(path: &str) -> Result<SqliteConnection, OpenError> {
    if let Err(error) = std::fs::metadata(path) {
        return Err(explain(path, &error));
    }
    let mut db = SqliteConnection::establish(path).map_err(|error| explain(path, &error))?;
    let explain = |error: diesel::result::Error| explain(path, &error);
    db.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MILLISECONDS};")).map_err(explain)?;
    check_owner(&mut db, path).map_err(|error| error.unwrap_or_else(explain))?;
    Ok(db)
}

pub(crate) fn open_for_reading(path: &str) -> Result<SqliteConnection, Failure> {
    let mut db = SqliteConnection::establish(path).map_err(|error| Failure::Connection(std::sync::Arc::new(error)))?;
    db.batch_execute(&format!(
        "PRAGMA busy_timeout = {BUSY_MILLISECONDS}; PRAGMA query_only = ON; PRAGMA cache_size = -8192;"
    ))?;
    Ok(db)
}

/// Failure of a check: an [`OpenError`], or an error of SQLite that is still to be explained.
enum CheckError {
    Refused(OpenError),
    Sqlite(diesel::result::Error),
}

impl CheckError {
    fn unwrap_or_else(self, explain: impl FnOnce(diesel::result::Error) -> OpenError) -> OpenError {
        match self {
            Self::Refused(error) => error,
            Self::Sqlite(error) => explain(error),
        }
    }
}

impl From<diesel::result::Error> for CheckError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Runs `sql` and returns the one number in its column `value`.
pub(crate) fn number(db: &mut SqliteConnection, sql: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(sql).get_result::<Number>(db)?.value)
}

fn check_owner(db: &mut SqliteConnection, path: &str) -> Result<(), CheckError> {
    let id = number(db, "SELECT application_id AS value FROM pragma_application_id")?;
    let tables = number(db, "SELECT count(*) AS value FROM sqlite_schema")?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return Ok(());
    }
    Err(CheckError::Refused(OpenError::OtherProgram { path: path.to_owned() }))
}

/// Runs the missing migrations, if [`Migrate`] allows it, and returns whether there were any.
fn migrate(db: &mut SqliteConnection, path: &str, mode: Migrate) -> Result<bool, OpenError> {
    let applied = db.applied_migrations().map_err(|error| explain(path, &error))?;
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(|error| explain(path, &error))?;
    if let Some(unknown) = applied.iter().find(|it| !known.iter().any(|known| known.name().version() == **it)) {
        return Err(OpenError::NewerSchema { path: path.to_owned(), migration: unknown.to_string() });
    }
    let pending: Vec<_> = known.iter().filter(|it| !applied.contains(&it.name().version().as_owned())).collect();
    let Some(first) = pending.first() else { return Ok(false) };
    let may_be_made = match mode {
        Migrate::Auto => true,
        Migrate::Create => applied.is_empty(),
        Migrate::Check | Migrate::Off => false,
    };
    if !may_be_made {
        let (path, migration) = (path.to_owned(), first.name().version().to_string());
        return Err(OpenError::OlderSchema { path, missing: pending.len(), migration });
    }
    for migration in pending {
        // `run_pending_migrations` would open a transaction for each migration, and this is one already.
        migration.run(db).map_err(|error| explain(path, &error))?;
        diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES (?)")
            .bind::<Text, _>(migration.name().version().to_string())
            .execute(db)
            .map_err(|error| explain(path, &error))?;
    }
    Ok(true)
}

/// Whether every migration that this version knows was run.
pub(crate) fn is_migrated(db: &mut SqliteConnection) -> bool {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).unwrap_or_default();
    let applied = db.applied_migrations().unwrap_or_default();
    known.iter().all(|it| applied.contains(&it.name().version().as_owned()))
}

/// Converts an error of SQLite to what it means for the file. Diesel passes no code that distinguishes these, but
/// SQLite's texts for them are part of its API.
fn explain(path: &str, error: &dyn std::fmt::Display) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    if reason.contains("not a database") {
        OpenError::NotADatabase { path }
    } else if reason.contains("readonly") {
        OpenError::ReadOnly { path }
    } else {
        OpenError::Unusable { path, reason }
    }
}
