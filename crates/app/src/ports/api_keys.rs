//! API keys of applications, and their scopes.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use async_trait::async_trait;
use ipnet::IpNet;
use paywright_domain::{Timestamp, variant_names};
use thiserror::Error;
use uuid::Uuid;

use super::audit_trail::AuditEntry;
use super::store::StoreError;

/// Port to the API keys of applications.
///
/// Each call is one transaction. A change of keys is stored with its entry of the audit trail.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Reads an API key by the SHA-256 digest of its text.
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Stores a new API key. [`StoreError::Conflict`] if its id or digest exists.
    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Reads all API keys, the newest first.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes an API key from the time of `entry` on, unless it is revoked already: then nothing is stored. Returns whether
    /// there is such a key.
    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError>;

    /// Stores a new API key, and ends the one that it replaces, which may have ended before. [`StoreError::Conflict`] if that
    /// one does not exist or was replaced before, or if the new key's id or digest exists.
    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// Stores the days on which keys have used scopes. A day before the stored one changes nothing, and neither does a
    /// key that does not exist.
    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError>;

    /// Reads the last use of every scope of every key, by key and scope.
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError>;
}

/// Replacement of an API key by a new one, while both are valid for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReplacement {
    /// Id of the key that is replaced.
    pub old: Uuid,
    /// Time from which the old key is invalid, unless it expires before.
    pub old_until: Timestamp,
    /// The new key.
    pub new: ApiKey,
}

/// Last use of a scope by an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// Id of the key.
    pub key: Uuid,
    /// Scope that a call required.
    pub scope: Scope,
    /// Start of the day of the last such call, in UTC.
    pub last_used: Timestamp,
}

/// API key of an application. Only its holder knows the text; the store has the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Id of the key, by which it is revoked.
    pub id: Uuid,
    /// Id of the application, which is that of its first key: a key that replaces another one keeps it. Idempotency keys
    /// belong to the application, so that a request which is repeated with the new key is known.
    pub application: Uuid,
    /// Name of the key, for people.
    pub name: String,
    /// SHA-256 digest of the key's text.
    pub digest: [u8; 32],
    /// Scopes of the key; never changed.
    pub scopes: Vec<Scope>,
    /// Time at which the key was created.
    pub created_at: Timestamp,
    /// Time from which the key is invalid; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
    /// Time from which the key is revoked; `None` if it is not.
    pub revoked_at: Option<Timestamp>,
    /// Id of the key that replaces this one, which expires then; `None` if there is none.
    pub replaced_by: Option<Uuid>,
    /// Networks from which the key may be used; every address if there are none.
    pub networks: Vec<IpNet>,
    /// Maximum number of calls per minute with the key to one process; unlimited if `None`.
    pub calls_per_minute: Option<NonZeroU32>,
}

impl ApiKey {
    /// Makes the first key of an application, valid without end, from every address and without a limit of calls.
    pub fn new(id: Uuid, name: String, digest: [u8; 32], scopes: Vec<Scope>, created_at: Timestamp) -> Self {
        Self {
            id,
            application: id,
            name,
            digest,
            scopes,
            created_at,
            expires_at: None,
            revoked_at: None,
            replaced_by: None,
            networks: Vec::new(),
            calls_per_minute: None,
        }
    }

    /// Reason for which the key is invalid at `now`; `None` if it is valid.
    pub fn refusal(&self, now: Timestamp) -> Option<KeyRefusal> {
        match (self.revoked_at, self.expires_at) {
            (Some(at), _) => Some(KeyRefusal::Revoked(at)),
            (None, Some(end)) if end <= now => Some(match self.replaced_by {
                Some(_) => KeyRefusal::Rotated(end),
                None => KeyRefusal::Expired(end),
            }),
            (None, Some(_) | None) => None,
        }
    }

    /// Whether the key may be used from `address`: an IPv4 address in its own form, and not mapped to IPv6. A key with
    /// networks may not be used from an unknown address.
    pub fn may_be_used_from(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty() || address.is_some_and(|it| self.networks.iter().any(|network| network.contains(&it)))
    }
}

/// Reason for which an API key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyRefusal {
    /// No key has this text.
    #[error("the API key is unknown")]
    Unknown,
    /// The key has expired.
    #[error("the API key has expired ({0})")]
    Expired(Timestamp),
    /// The key is revoked.
    #[error("the API key is revoked ({0})")]
    Revoked(Timestamp),
    /// The key was replaced by another one, and the time in which both were valid is over.
    #[error("the API key was rotated, and only the new one is valid (from {0} on)")]
    Rotated(Timestamp),
}

/// Scope of an API key: a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read orders.
    OrdersRead,
    /// Place, edit and cancel orders, and start their payments.
    OrdersWrite,
    /// Move money: the payment callback, captures and refunds.
    PaymentsWrite,
    /// Read the price list and the terms of sale.
    PricesRead,
    /// Change the price list and the terms of sale.
    PricesWrite,
    /// Read the feed of events.
    EventsRead,
    /// Read the endpoints of outgoing webhooks, and their attempts.
    WebhooksRead,
    /// Create and change endpoints of outgoing webhooks, and send events again.
    WebhooksWrite,
    /// Read the books: statements, payouts, breaks and the ledgers of orders.
    BooksRead,
    /// Resolve breaks of the books.
    BooksWrite,
    /// Read the metrics.
    MetricsRead,
    /// Read the audit trail.
    AuditRead,
}

variant_names! {
    /// Name of the scope in settings, in answers and in stored rows.
    Scope {
        OrdersRead => "orders:read",
        OrdersWrite => "orders:write",
        PaymentsWrite => "payments:write",
        PricesRead => "prices:read",
        PricesWrite => "prices:write",
        EventsRead => "events:read",
        WebhooksRead => "webhooks:read",
        WebhooksWrite => "webhooks:write",
        BooksRead => "books:read",
        BooksWrite => "books:write",
        MetricsRead => "metrics:read",
        AuditRead => "audit:read",
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::named(text).ok_or(UnknownScope)
    }
}

/// Error of a text that is not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be orders:read, orders:write, payments:write, prices:read, prices:write, events:read, webhooks:read, \
     webhooks:write, books:read, books:write, metrics:read or audit:read"
)]
pub struct UnknownScope;
