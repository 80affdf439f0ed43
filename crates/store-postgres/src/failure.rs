use std::time::Duration;

use deadpool::managed::PoolError;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error::DatabaseError;
use paywright_app::StoreError;
use paywright_app::stored::ColumnError;
use thiserror::Error;

use crate::timeline::Refusal;
use crate::timeline_file::TimelineFileError;

/// Why a database cannot be used as a store. The database is left unchanged.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address cannot be parsed. The problem is described without the password.
    #[error("the database address cannot be read: {problem}")]
    Address {
        /// Description of the problem.
        problem: String,
    },
    /// No server answers at the address.
    #[error("no PostgreSQL answers at {place}: {reason}")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// Error of the network.
        reason: String,
    },
    /// The server refuses the connection: wrong password, no such database, too many connections.
    #[error("PostgreSQL at {place} refuses the connection: {reason}")]
    Refused {
        /// Host, port and database.
        place: String,
        /// Error of the server.
        reason: String,
    },
    /// The server is read-only: a standby, or a primary that is configured so.
    #[error("PostgreSQL at {place} is read-only (a standby?): give the address of the primary")]
    ReadOnly {
        /// Host, port and database.
        place: String,
    },
    /// The server does not report its timeline.
    #[error(
        "PostgreSQL at {place} does not report its system identifier and timeline: {reason}. The role of Paywright must be \
         able to call pg_control_system, pg_control_checkpoint, pg_control_recovery, pg_walfile_name and \
         pg_current_wal_lsn; if the server does not have these functions, set `database.timeline_file` to an empty text"
    )]
    NoTimeline {
        /// Host, port and database.
        place: String,
        /// Error of the server.
        reason: String,
    },
    /// The server was replaced by a promotion, is another cluster, or accepts writes beside another server.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The timeline file cannot be used.
    #[error(transparent)]
    TimelineFile(#[from] TimelineFileError),
    /// The server is older than PostgreSQL 13.
    #[error("PostgreSQL at {place} has version {version}: Paywright needs {} or later", crate::VERSION_MIN)]
    TooOld {
        /// Host, port and database.
        place: String,
        /// Version of the server.
        version: String,
    },
    /// A newer version of Paywright has migrated the database.
    #[error(
        "the database at {place} was migrated by a newer version of Paywright ({migration}): start that version, or, \
         while the new one is being rolled out, start this one with --migrate=off"
    )]
    NewerSchema {
        /// Host, port and database.
        place: String,
        /// First migration that this version does not know.
        migration: String,
    },
    /// The database is not migrated yet, and migrating it was not requested.
    #[error("the database at {place} lacks {missing} migration(s), first {migration}: run `paywright migrate`")]
    OlderSchema {
        /// Host, port and database.
        place: String,
        /// Number of missing migrations.
        missing: usize,
        /// First missing migration.
        migration: String,
    },
    /// The database behind a pooler is not migrated yet, and a pooler in transaction mode cannot migrate it.
    #[error(
        "the database behind {place} lacks migrations, first {migration}: run `paywright migrate` with the address of the \
         server itself, and without database.transaction_pooling"
    )]
    SchemaBehindPooler {
        /// Host, port and database of the pooler.
        place: String,
        /// First missing migration.
        migration: String,
    },
    /// A migration failed. The migrations before it were run.
    #[error("the database at {place} cannot be migrated: {reason}")]
    Migration {
        /// Host, port and database.
        place: String,
        /// Error of PostgreSQL.
        reason: String,
    },
}

/// Error inside this crate; it keeps diesel's errors from crossing the port.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    BadRow(#[from] ColumnError),
    #[error("no connection to the database: {0}")]
    Connection(#[from] OpenError),
    #[error("no connection to the database: {0}")]
    Pool(#[from] PoolError<OpenError>),
    #[error("the database server was replaced by a promotion while it answered")]
    Replaced,
    #[error("no connection to the database was free within {0:?}")]
    NoConnection(Duration),
    #[error("{0} commits are waiting for the database (for a synchronous standby?): no more are sent")]
    TooManyAbandoned(usize),
    #[error("the database does not have the schema of this version: a table or a migration is missing")]
    Schema,
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
}

impl Failure {
    /// Converts the failure of a read.
    pub(crate) fn of_read(self) -> StoreError {
        match self {
            Self::BadRow { .. } => StoreError::Corrupt(Box::new(self)),
            Self::Database(_)
            | Self::Connection(_)
            | Self::Pool(_)
            | Self::NoConnection(_)
            | Self::TooManyAbandoned(_)
            | Self::Schema
            | Self::Replaced
            | Self::TimedOut(_) => StoreError::Unavailable(Box::new(self)),
        }
    }

    /// Whether the server had no disk space to extend a table or an index (SQLSTATE 53100). It reports that while the
    /// statement runs and never in its commit, so nothing was written. A disk that is full at the commit stops the server
    /// instead, and leaves the outcome unknown.
    ///
    /// Diesel passes no SQLSTATE, so this compares the text, which only `mdextend` and `mdzeroextend` use (PostgreSQL,
    /// `src/backend/storage/smgr/md.c`). With a server language other than English the outcome stays unknown.
    fn is_a_full_disk(&self) -> bool {
        self.says("could not extend file ")
    }

    /// Whether the server's error text starts like this. Use it only for errors that cannot occur in or after a commit:
    /// those are warnings, or end the connection.
    fn says(&self, beginning: &str) -> bool {
        match self {
            Self::Database(DatabaseError(DatabaseErrorKind::Unknown, error)) => error.message().starts_with(beginning),
            Self::Database(_)
            | Self::BadRow { .. }
            | Self::Connection(_)
            | Self::Pool(_)
            | Self::Replaced
            | Self::NoConnection(_)
            | Self::TooManyAbandoned(_)
            | Self::Schema
            | Self::TimedOut(_) => false,
        }
    }

    /// Converts the failure of a write. If the database refused it, nothing was written; if no answer arrived, the outcome
    /// is unknown.
    #[expect(clippy::wildcard_enum_match_arm, reason = "diesel's errors are many, and those not named leave it open")]
    pub(crate) fn of_write(self) -> StoreError {
        use DatabaseErrorKind::{
            CheckViolation, ForeignKeyViolation, NotNullViolation, ReadOnlyTransaction, SerializationFailure,
            UniqueViolation,
        };
        if self.is_a_full_disk() {
            return StoreError::disk_full(Box::new(self));
        }
        match &self {
            Self::BadRow { .. } => StoreError::Corrupt(Box::new(self)),
            Self::Connection(_) | Self::Pool(_) | Self::NoConnection(_) | Self::TooManyAbandoned(_) | Self::Schema => {
                StoreError::Unavailable(Box::new(self))
            }
            Self::Database(DatabaseError(kind, _)) => match kind {
                UniqueViolation | ForeignKeyViolation | SerializationFailure => StoreError::Conflict,
                CheckViolation | NotNullViolation => StoreError::Corrupt(Box::new(self)),
                ReadOnlyTransaction => StoreError::Unavailable(Box::new(self)),
                // PostgreSQL cancels a deadlocked statement while it runs, long before its commit.
                _ if self.says("deadlock detected") => StoreError::Conflict,
                _ => StoreError::Unknown(Box::new(self)),
            },
            Self::Database(_) | Self::TimedOut(_) | Self::Replaced => StoreError::Unknown(Box::new(self)),
        }
    }

    /// Whether the connection must be closed after this failure. A refused statement leaves the connection usable, unless
    /// the server has become read-only; if the server closed it after the refusal, the next statement finds out.
    pub(crate) fn ends_connection(&self) -> bool {
        use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
        match self {
            Self::TimedOut(_)
            | Self::Replaced
            | Self::Database(DatabaseError(ClosedConnection | ReadOnlyTransaction | UnableToSendCommand, _)) => true,
            Self::Database(_)
            | Self::BadRow { .. }
            | Self::Connection(_)
            | Self::Pool(_)
            | Self::NoConnection(_)
            | Self::TooManyAbandoned(_)
            | Self::Schema => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of the server that may occur at or after a commit, a full disk included, leave the outcome unknown.
    #[test]
    fn only_an_error_before_the_commit_is_a_refusal() {
        for (text, expected) in [
            ("could not extend file \"base/5/16402\": No space left on device", "full"),
            ("could not extend file \"base/5/16402\": wrote only 4096 of 8192 bytes at block 7", "full"),
            ("deadlock detected", "conflict"),
            ("could not write to file \"pg_wal/xlogtemp.7\": No space left on device", "unknown"),
            ("could not write to log file 000000010000000000000003: No space left on device", "unknown"),
            ("could not resize shared memory segment \"/PostgreSQL.1\": No space left on device", "unknown"),
            ("canceling statement due to statement timeout", "unknown"),
            ("canceling statement due to user request", "unknown"),
            ("terminating connection due to administrator command", "unknown"),
            ("out of memory", "unknown"),
            ("kein Platz mehr", "unknown"),
        ] {
            let failed = DatabaseError(DatabaseErrorKind::Unknown, Box::new(text.to_owned()));
            let found = match Failure::from(failed).of_write() {
                error if error.is_disk_full() => "full",
                StoreError::Conflict => "conflict",
                StoreError::Unknown(_) => "unknown",
                StoreError::Unavailable(_) | StoreError::Corrupt(_) => "other",
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
