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

    /// What a failed statement that writes means. Where the database has refused it, nothing was written; where
    /// its answer did not come, nobody knows.
    #[expect(clippy::wildcard_enum_match_arm, reason = "diesel's errors are many, and those not named leave it open")]
    pub(crate) fn of_write(self) -> StoreError {
        use DatabaseErrorKind::{
            CheckViolation, ForeignKeyViolation, NotNullViolation, ReadOnlyTransaction, SerializationFailure,
            UniqueViolation,
        };
        match &self {
            Self::BadRow { .. } => StoreError::Corrupt(Box::new(self)),
            Self::Connection(_) | Self::Pool(_) | Self::NoConnection(_) | Self::LeftWaiting(_) | Self::Schema => {
                StoreError::Unavailable(Box::new(self))
            }
            Self::Database(DatabaseError(kind, _)) => match kind {
                UniqueViolation | ForeignKeyViolation | SerializationFailure => StoreError::Conflict,
                CheckViolation | NotNullViolation => StoreError::Corrupt(Box::new(self)),
                ReadOnlyTransaction => StoreError::Unavailable(Box::new(self)),
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
