use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::{ApiKey, App, StoreError};

/// How long a key is believed to be as it was read, in seconds: what another process revokes ends here by
/// then at the latest.
pub const KEY_BELIEVED_SECONDS: u32 = 1;
/// The most keys that are remembered; a shop has a handful.
const KEYS_MAX: usize = 1024;

/// Keys as they were last read, so that a busy application is not looked up for each of its calls.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys(Mutex<HashMap<[u8; 32], (Timestamp, ApiKey)>>);

impl KnownKeys {
    fn fresh(&self, digest: &[u8; 32], now: Timestamp) -> Option<ApiKey> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, key) = known.get(digest)?;
        (*read_at <= now && now < read_at.plus_seconds(KEY_BELIEVED_SECONDS)).then(|| key.clone())
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
    /// The active key whose text has this SHA-256 digest. A key that another process has revoked may be taken
    /// for [`KEY_BELIEVED_SECONDS`] more.
    pub async fn authenticate(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let now = self.clock.now();
        let found = match self.known_keys.fresh(digest, now) {
            Some(key) => Some(key),
            None => self.store.api_key(digest).await?.inspect(|it| self.known_keys.remember(it, now)),
        };
        Ok(found.filter(|it| it.is_active(now)))
    }

    /// Keeps a new key.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.store.add_api_key(key).await
    }

    /// Every key, the newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys().await
    }

    /// Revokes a key for good, at once in this process. Says whether there is such a key.
    pub async fn revoke_api_key(&self, id: Uuid) -> Result<bool, StoreError> {
        let known = self.store.revoke_api_key(id, self.clock.now()).await;
        self.known_keys.forget_all();
        known
    }

    /// This moment, as the use cases see it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
