use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::{ApiKey, App, StoreError};

impl App {
    /// The active key whose text has this SHA-256 digest.
    pub async fn authenticate(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let now = self.clock.now();
        Ok(self.store.api_key(digest).await?.filter(|it| it.is_active(now)))
    }

    /// Keeps a new key.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.store.add_api_key(key).await
    }

    /// Every key, the newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys().await
    }

    /// Revokes a key for good. Says whether there is such a key.
    pub async fn revoke_api_key(&self, id: Uuid) -> Result<bool, StoreError> {
        self.store.revoke_api_key(id, self.clock.now()).await
    }

    /// This moment, as the use cases see it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
