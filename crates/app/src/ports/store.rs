//! Database as a whole: the ports that it implements, their errors, and versions of stored values.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use super::api_keys::ApiKeys;
use super::audit_trail::AuditTrail;
use super::cursors::Cursors;
use super::inbox::Inbox;
use super::installations::Installations;
use super::orders::Orders;
use super::tasks::TaskQueue;

/// Database of the orders: all of its ports. Each call of one is one transaction, and none outlives its call.
/// `testkit::store_contract!` checks each store against the docs of the ports.
pub trait Store: Orders + TaskQueue + Inbox + Cursors + ApiKeys + AuditTrail + Installations + Diagnostics {}

impl<S: Orders + TaskQueue + Inbox + Cursors + ApiKeys + AuditTrail + Installations + Diagnostics + ?Sized> Store
    for S
{
}

/// Ports to the database, one for each role.
#[derive(Clone)]
pub struct StorePorts {
    /// Orders, with their facts.
    pub orders: Arc<dyn Orders>,
    /// Task queue of the worker.
    pub tasks: Arc<dyn TaskQueue>,
    /// Inbox of Stripe's events.
    pub inbox: Arc<dyn Inbox>,
    /// Cursors of periodic work.
    pub cursors: Arc<dyn Cursors>,
    /// API keys of applications.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Audit trail.
    pub audit_trail: Arc<dyn AuditTrail>,
    /// Installation and its epoch.
    pub installations: Arc<dyn Installations>,
    /// State of the database.
    pub diagnostics: Arc<dyn Diagnostics>,
}

impl StorePorts {
    /// Ports that one store implements.
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self {
            orders: Arc::<dyn Store>::clone(&store),
            tasks: Arc::<dyn Store>::clone(&store),
            inbox: Arc::<dyn Store>::clone(&store),
            cursors: Arc::<dyn Store>::clone(&store),
            api_keys: Arc::<dyn Store>::clone(&store),
            audit_trail: Arc::<dyn Store>::clone(&store),
            installations: Arc::<dyn Store>::clone(&store),
            diagnostics: store,
        }
    }
}

/// Port to the state of the database.
#[async_trait]
pub trait Diagnostics: Send + Sync {
    /// Checks that a commit would succeed: writes a row of its own to the database of the orders, and checks that this
    /// version supports the schema.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Problems of the store that an operator should solve now, in whole sentences without secrets.
    fn warnings(&self) -> Vec<String>;
}

/// Why a call to the store failed. Nothing was changed, except perhaps with [`StoreError::Unknown`].
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another writer committed first: the caller must read and decide again.
    #[error("another writer committed first")]
    Conflict,
    /// The store cannot be used now; the same call may succeed later.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The store did not answer whether the call was carried out: the caller must read again and decide on that.
    #[error("the store did not confirm whether it committed: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
    /// A stored row has values that no step of Paywright writes: an operator must examine it.
    #[error("a stored row is corrupt: {0}")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
}

/// Cause of a [`StoreError::Unavailable`]: the disk of the database is full.
#[derive(Debug, Error)]
#[error("the disk of the database is full: {0}")]
pub struct DiskFull(#[source] Box<dyn StdError + Send + Sync>);

impl StoreError {
    /// Error for a full disk of the database, with the database's own error.
    pub fn disk_full(cause: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Unavailable(Box::new(DiskFull(cause)))
    }

    /// Whether the cause is a full disk of the database.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Unavailable(cause) => cause.is::<DiskFull>(),
            Self::Conflict | Self::Unknown(_) | Self::Corrupt(_) => false,
        }
    }
}

/// Version of an order or a cart: the number of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// Version of something that is not stored yet.
    pub const NEW: Self = Self(0);

    /// Version after a commit that names this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A value with the version that a commit of it must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Version that was read.
    pub version: Version,
    /// Value in that version.
    pub value: T,
}
