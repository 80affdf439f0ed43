use std::path::PathBuf;
use std::sync::Arc;

use diesel::result::DatabaseErrorKind::{ForeignKeyViolation, UniqueViolation};
use diesel::result::Error::DatabaseError;
use paywright_app::StoreError;
use thiserror::Error;

/// Why a file cannot be used as a store. It is left as it was.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It is not of SQLite.
    #[error("{path} is not an SQLite database: give another file, or move this one away")]
    NotADatabase {
        /// Which file.
        path: String,
    },
    /// It is of SQLite, but another program's.
    #[error("{path} is the database of another program: give another file")]
    OtherProgram {
        /// Which file.
        path: String,
    },
    /// A newer version of Paywright has migrated it.
    #[error(
        "{path} was migrated by a newer version of Paywright ({migration}): start that version, or give another file"
    )]
    NewerSchema {
        /// Which file.
        path: String,
        /// The first migration that this version does not know.
        migration: String,
    },
    /// It was migrated by an older version, or not at all, and we were told not to migrate it.
    #[error("{path} lacks {missing} migration(s), first {migration}: run `paywright migrate`")]
    OlderSchema {
        /// Which file.
        path: String,
        /// How many.
        missing: usize,
        /// The first one.
        migration: String,
    },
    /// It is not there, and we were told to make none.
    #[error("{path} is not there: no new database is made here (`paywright migrate` makes one)")]
    Missing {
        /// Which file.
        path: String,
    },
    /// It is a folder, a device or the like: what is written there may be lost.
    #[error("{path} is not a regular file: give the path of a file")]
    NotAFile {
        /// Which one.
        path: String,
    },
    /// It cannot be written to.
    #[error("{path} is read-only: Paywright must be able to write to it")]
    ReadOnly {
        /// Which file.
        path: String,
    },
    /// It cannot be opened or made.
    #[error("{path} cannot be opened: {reason}")]
    Unusable {
        /// Which file.
        path: String,
        /// What SQLite says.
        reason: String,
    },
}

/// What goes wrong inside: ours, so that diesel's errors stay in this crate.
#[derive(Debug, Clone, Error)]
pub(crate) enum Failure {
    #[error("the version is stale")]
    StaleVersion,
    #[error(transparent)]
    Database(Arc<diesel::result::Error>),
    #[error("{table} {column}: {problem}")]
    BadRow { table: &'static str, column: &'static str, problem: String },
    #[error("the file cannot be opened: {0}")]
    Connection(Arc<diesel::ConnectionError>),
    #[error("the file has not the schema of this version: a table or a migration is missing")]
    Schema,
    #[error("{} is not the file that was opened: put it back, or start the server again", .0.display())]
    Moved(PathBuf),
    #[error("the store has stopped")]
    Stopped,
}

impl Failure {
    /// Whether SQLite says that there is no room for what is written. Its texts are part of its API.
    pub(crate) fn is_a_full_disk(&self) -> bool {
        matches!(self, Self::Database(error) if error.to_string().contains(NO_ROOM))
    }

    /// As [`Self::is_a_full_disk`], or that the `-shm` cannot grow: SQLite has no other text for that than for a disk
    /// that is broken.
    pub(crate) fn may_be_a_full_disk(&self) -> bool {
        matches!(self, Self::Database(error) if DISK.iter().any(|it| error.to_string().contains(it)))
    }
}

/// What SQLite says where a write meets a disk without room.
const NO_ROOM: &str = "database or disk is full";

/// What it may say where there is no room, at a write or when it opens a file.
pub(crate) const DISK: [&str; 3] = [NO_ROOM, "disk I/O error", "unable to open database file"];

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<Failure> for StoreError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "diesel's errors are many, and two of them are conflicts")]
    fn from(failure: Failure) -> Self {
        if failure.is_a_full_disk() {
            return Self::disk_full(Box::new(failure));
        }
        match &failure {
            Failure::StaleVersion => Self::Conflict,
            Failure::Database(error) => match error.as_ref() {
                DatabaseError(UniqueViolation | ForeignKeyViolation, _) => Self::Conflict,
                _ => Self::Unavailable(Box::new(failure)),
            },
            Failure::BadRow { .. } => Self::Corrupt(Box::new(failure)),
            Failure::Connection(_) | Failure::Schema | Failure::Moved(_) | Failure::Stopped => {
                Self::Unavailable(Box::new(failure))
            }
        }
    }
}
