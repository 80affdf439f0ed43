use std::path::PathBuf;
use std::sync::Arc;

use diesel::result::DatabaseErrorKind::{ForeignKeyViolation, UniqueViolation};
use diesel::result::Error::DatabaseError;
use paywright_app::StoreError;
use paywright_app::stored::ColumnError;
use thiserror::Error;

/// Why a file cannot be used as a store. The file is left unchanged.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file is not an SQLite database.
    #[error("{path} is not an SQLite database: give the path of another file, or move this one away")]
    NotADatabase {
        /// Path of the file.
        path: String,
    },
    /// The file is an SQLite database of another program.
    #[error("{path} is the database of another program: give another file")]
    OtherProgram {
        /// Path of the file.
        path: String,
    },
    /// A newer version of Paywright has migrated the file.
    #[error(
        "{path} was migrated by a newer version of Paywright ({migration}): start that version, or give another file"
    )]
    NewerSchema {
        /// Path of the file.
        path: String,
        /// First migration that this version does not know.
        migration: String,
    },
    /// The file was migrated by an older version, or not at all, and migrating it was not requested.
    #[error("{path} lacks {missing} migration(s), first {migration}: run `paywright migrate`")]
    OlderSchema {
        /// Path of the file.
        path: String,
        /// Number of missing migrations.
        missing: usize,
        /// First missing migration.
        migration: String,
    },
    /// The file does not exist, and creating one was not requested.
    #[error(
        "{path} does not exist, and this command creates no database: run `paywright migrate`, or if it had orders, put it back or restore a backup"
    )]
    Missing {
        /// Path of the file.
        path: String,
    },
    /// The path is a directory, a device or the like, where what is written may be lost.
    #[error("{path} is not a regular file: give the path of a file")]
    NotAFile {
        /// Path that was given.
        path: String,
    },
    /// The file cannot be written.
    #[error("{path} is read-only: Paywright must be able to write to it")]
    ReadOnly {
        /// Path of the file.
        path: String,
    },
    /// The file cannot be opened or created.
    #[error("{path} cannot be opened: {reason}")]
    Unusable {
        /// Path of the file.
        path: String,
        /// Error of SQLite.
        reason: String,
    },
}

/// Error inside this crate; it keeps diesel's errors from crossing the port.
#[derive(Debug, Clone, Error)]
pub(crate) enum Failure {
    #[error("the version is stale")]
    StaleVersion,
    #[error(transparent)]
    Database(Arc<diesel::result::Error>),
    #[error(transparent)]
    BadRow(#[from] ColumnError),
    #[error("the file cannot be opened: {0}")]
    Connection(Arc<diesel::ConnectionError>),
    #[error("the file does not have the schema of this version: a table or a migration is missing")]
    Schema,
    #[error("{} is not the file that was opened: put it back, or start the server again", .0.display())]
    Moved(PathBuf),
    #[error("the store has stopped")]
    Stopped,
}

impl Failure {
    /// Whether SQLite reports that the disk is full. Its error texts are part of its API.
    pub(crate) fn is_a_full_disk(&self) -> bool {
        matches!(self, Self::Database(error) if error.to_string().contains(NO_ROOM))
    }

    /// As [`Self::is_a_full_disk`], or that the `-shm` file cannot grow: for that SQLite has only the text that it also
    /// uses for a broken disk.
    pub(crate) fn may_be_a_full_disk(&self) -> bool {
        matches!(self, Self::Database(error) if DISK.iter().any(|it| error.to_string().contains(it)))
    }
}

/// Text of SQLite for a write to a full disk.
const NO_ROOM: &str = "database or disk is full";

/// Texts of SQLite that may mean a full disk, on a write or when it opens a file.
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
