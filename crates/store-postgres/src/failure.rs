use std::time::Duration;

use deadpool::managed::PoolError;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error::DatabaseError;
use paywright_app::StoreError;
use thiserror::Error;

use crate::timeline::Refusal;
use crate::timeline_file::TimelineFileError;

/// Why a database cannot be used as a store. It is left as it was.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address cannot be read. What is wrong with it is said without its password.
    #[error("the database address cannot be read: {problem}")]
    Address {
        /// What is wrong.
        problem: String,
    },
    /// Nobody answers there.
    #[error("no PostgreSQL answers at {place}: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// What the network says.
        reason: String,
    },
    /// It answers, and does not let us in: a wrong password, no such database, too many connections.
    #[error("PostgreSQL at {place} refuses the connection: {reason}")]
    Refused {
        /// Where.
        place: String,
        /// What it says.
        reason: String,
    },
    /// It cannot be written to: a standby, or a primary that is set so.
    #[error("PostgreSQL at {place} is read-only (a standby?): give the address of the primary")]
    ReadOnly {
        /// Where.
        place: String,
    },
    /// It does not say which timeline it is on.
    #[error(
        "PostgreSQL at {place} does not say its system identifier and timeline: {reason}. The role of Paywright must be \
         able to call pg_control_system, pg_control_checkpoint, pg_control_recovery, pg_walfile_name and \
         pg_current_wal_lsn; where there are none, set `database.timeline_file` to an empty text"
    )]
    NoTimeline {
        /// Where.
        place: String,
        /// What it says.
        reason: String,
    },
    /// It was replaced by a promotion, is another cluster, or takes writes beside another.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// Its timeline cannot be remembered.
    #[error(transparent)]
    TimelineFile(#[from] TimelineFileError),
    /// It is older than we know how to use.
    #[error("PostgreSQL at {place} is of version {version}: Paywright needs {} or later", crate::VERSION_MIN)]
    TooOld {
        /// Where.
        place: String,
        /// Its version.
        version: String,
    },
    /// A newer version of Paywright has migrated it.
    #[error(
        "the database at {place} was migrated by a newer version of Paywright ({migration}): start that version, or, \
         while the new one is being rolled out, start this one with --migrate=off"
    )]
    NewerSchema {
        /// Where.
        place: String,
        /// The first migration that this version does not know.
        migration: String,
    },
    /// It was not migrated yet, and we were told not to.
    #[error("the database at {place} lacks {missing} migration(s), first {migration}: run `paywright migrate`")]
    OlderSchema {
        /// Where.
        place: String,
        /// How many.
        missing: usize,
        /// The first one.
        migration: String,
    },
    /// A migration was not made. Those before it were.
    #[error("the database at {place} cannot be migrated: {reason}")]
    Migration {
        /// Where.
        place: String,
        /// What PostgreSQL says.
        reason: String,
    },
}

/// What goes wrong inside: ours, so that diesel's errors stay in this crate.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error("{table} {column}: {problem}")]
    BadRow { table: &'static str, column: &'static str, problem: String },
    #[error("no connection to the database: {0}")]
    Connection(#[from] OpenError),
    #[error("no connection to the database: {0}")]
    Pool(#[from] PoolError<OpenError>),
    #[error("the database server was replaced by a promotion while it answered")]
    Replaced,
    #[error("no connection to the database was free within {0:?}")]
    NoConnection(Duration),
    #[error("{0} commits wait for the database already (for a synchronous standby?): no more are sent")]
    LeftWaiting(usize),
    #[error("the database has not the schema of this version: a table or a migration is missing")]
    Schema,
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
}

impl Failure {
    /// What a failed question means.
    pub(crate) fn of_read(self) -> StoreError {
        match self {
            Self::BadRow { .. } => StoreError::Corrupt(Box::new(self)),
            Self::Database(_)
            | Self::Connection(_)
            | Self::Pool(_)
            | Self::NoConnection(_)
            | Self::LeftWaiting(_)
            | Self::Schema
            | Self::Replaced
            | Self::TimedOut(_) => StoreError::Unavailable(Box::new(self)),
        }
    }

    /// Whether the server had no room to make a table or an index longer (SQLSTATE 53100). That is found while the statement
    /// runs and never in its commit, so that nothing was written. A disk that is full at the commit ends the server
    /// instead, and leaves the outcome open.
    ///
    /// diesel passes on no SQLSTATE, so the text tells: `mdextend` and `mdzeroextend` alone have it (PostgreSQL,
    /// `src/backend/storage/smgr/md.c`). A server that speaks another language than English leaves the outcome open.
    fn is_a_full_disk(&self) -> bool {
        self.says("could not extend file ")
    }

    /// Whether it is an error of the server whose text begins so. One that comes in a commit, or afterwards, is a warning
    /// or ends the connection; only what cannot be either may be looked for here.
    fn says(&self, beginning: &str) -> bool {
        match self {
            Self::Database(DatabaseError(DatabaseErrorKind::Unknown, said)) => said.message().starts_with(beginning),
            Self::Database(_)
            | Self::BadRow { .. }
            | Self::Connection(_)
            | Self::Pool(_)
            | Self::Replaced
            | Self::NoConnection(_)
            | Self::LeftWaiting(_)
            | Self::Schema
            | Self::TimedOut(_) => false,
        }
    }

    /// What a failed statement that writes means. Where the database has refused it, nothing was written; where
    /// its answer did not come, nobody knows.
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
            Self::Connection(_) | Self::Pool(_) | Self::NoConnection(_) | Self::LeftWaiting(_) | Self::Schema => {
                StoreError::Unavailable(Box::new(self))
            }
            Self::Database(DatabaseError(kind, _)) => match kind {
                UniqueViolation | ForeignKeyViolation | SerializationFailure => StoreError::Conflict,
                CheckViolation | NotNullViolation => StoreError::Corrupt(Box::new(self)),
                ReadOnlyTransaction => StoreError::Unavailable(Box::new(self)),
                // A statement that waits for itself is ended while it runs, long before its commit.
                _ if self.says("deadlock detected") => StoreError::Conflict,
                _ => StoreError::Unknown(Box::new(self)),
            },
            Self::Database(_) | Self::TimedOut(_) | Self::Replaced => StoreError::Unknown(Box::new(self)),
        }
    }

    /// Whether the connection that failed so is of no more use. A refusal says nothing of it, but that the server
    /// has become one that takes no writes; and where a refusal was the server's last word, the next finds out.
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
            | Self::LeftWaiting(_)
            | Self::Schema => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the server for what may come at a commit or after it, a full disk included, leave the outcome open.
    #[test]
    fn only_what_is_found_before_the_commit_is_told_as_a_refusal() {
        for (said, told) in [
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
            let failed = DatabaseError(DatabaseErrorKind::Unknown, Box::new(said.to_owned()));
            let found = match Failure::from(failed).of_write() {
                error if error.is_disk_full() => "full",
                StoreError::Conflict => "conflict",
                StoreError::Unknown(_) => "unknown",
                StoreError::Unavailable(_) | StoreError::Corrupt(_) => "other",
            };
            assert_eq!(found, told, "{said}");
        }
    }
}
