use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::{ApiKey, App, StoreError};

/// Time for which an API key is cached, in seconds: a revocation by another process takes effect here by then at the
/// latest.
pub const KEY_CACHED_SECONDS: u32 = 1;
/// Largest number of cached keys; a shop has a handful.
const KEYS_MAX: usize = 1024;

/// Cache of API keys, so that the store is not read for each call of a busy application.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys(Mutex<HashMap<[u8; 32], (Timestamp, ApiKey)>>);

impl KnownKeys {
    fn fresh(&self, digest: &[u8; 32], now: Timestamp) -> Option<ApiKey> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, key) = known.get(digest)?;
        (*read_at <= now && now < read_at.plus_seconds(KEY_CACHED_SECONDS)).then(|| key.clone())
    }

    fn remember(&self, key: &ApiKey, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(key.digest, (now, key.clone()));
    }

    fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl App {
    /// Finds the active API key whose text has this SHA-256 digest. A key that another process has revoked may be
    /// accepted for [`KEY_CACHED_SECONDS`] more.
    pub async fn authenticate(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let now = self.clock.now();
        let found = match self.known_keys.fresh(digest, now) {
            Some(key) => Some(key),
            None => self.store.api_keys.api_key(digest).await?.inspect(|it| self.known_keys.remember(it, now)),
        };
        Ok(found.filter(|it| it.is_active(now)))
    }

    /// Stores a new API key.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.store.api_keys.add_api_key(key).await
    }

    /// Reads all API keys, the newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys.api_keys().await
    }

    /// Revokes an API key for good, in this process at once. Returns whether there is such a key.
    pub async fn revoke_api_key(&self, id: Uuid) -> Result<bool, StoreError> {
        let known = self.store.api_keys.revoke_api_key(id, self.clock.now()).await;
        self.known_keys.forget_all();
        known
    }

    /// Current time of the clock that the use cases use.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
