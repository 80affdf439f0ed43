//! API keys of applications, and their scopes.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use paywright_domain::{Timestamp, variant_names};
use thiserror::Error;
use uuid::Uuid;

use super::store::StoreError;

/// Port to the API keys of applications.
///
/// Each call is one transaction.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Reads an API key by the SHA-256 digest of its text.
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Stores a new API key. [`StoreError::Conflict`] if its id or digest exists.
    async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Reads all API keys, the newest first.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes an API key from `at` on, unless it is revoked already. Returns whether there is such a key.
    async fn revoke_api_key(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError>;
}

/// API key of an application. Only its holder knows the text; the store has the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Id of the key, by which it is revoked, and the scope of its idempotency keys.
    pub id: Uuid,
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
}

impl ApiKey {
    /// Whether the key is valid at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
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
     webhooks:write, books:read, books:write or metrics:read"
)]
pub struct UnknownScope;
