use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::{Act, ApiKey, App, KeyRefusal, KeyUse, Scope, StoreError};

/// Time for which an API key is cached, in seconds: a revocation by another process takes effect here by then at the
/// latest.
pub const KEY_CACHED_SECONDS: u32 = 1;
/// Seconds of a day in UTC.
const SECONDS_PER_DAY: i64 = 86_400;
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

/// Uses of API keys in this process: the start of the last day of each scope, and whether the store has it.
#[derive(Debug, Default)]
pub(crate) struct UsedScopes(Mutex<HashMap<(Uuid, Scope), (Timestamp, bool)>>);

impl UsedScopes {
    fn note(&self, key: Uuid, scope: Scope, day: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, is_stored) = known.entry((key, scope)).or_insert((day, false));
        if *last < day {
            (*last, *is_stored) = (day, false);
        }
    }

    fn not_stored(&self) -> Vec<KeyUse> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = known.iter().filter(|(_, (_, is_stored))| !is_stored);
        left.map(|(&(key, scope), &(last_used, _))| KeyUse { key, scope, last_used }).collect()
    }

    fn are_stored(&self, uses: &[KeyUse]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for it in uses {
            if let Some((day, is_stored)) = known.get_mut(&(it.key, it.scope)) {
                *is_stored |= *day == it.last_used;
            }
        }
    }
}

impl App {
    /// Finds the valid API key whose text has this SHA-256 digest, or why there is none. A key that another process has
    /// revoked may be accepted for [`KEY_CACHED_SECONDS`] more.
    pub async fn authenticate(&self, digest: &[u8; 32]) -> Result<Result<ApiKey, KeyRefusal>, StoreError> {
        let now = self.clock.now();
        let found = match self.known_keys.fresh(digest, now) {
            Some(key) => Some(key),
            None => self.store.api_keys.api_key(digest).await?.inspect(|it| self.known_keys.remember(it, now)),
        };
        let Some(key) = found else { return Ok(Err(KeyRefusal::Unknown)) };
        Ok(key.refusal(now).map_or(Ok(key), Err))
    }

    /// Stores a new API key, with an entry of the audit trail.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let entry = self.audit_entry(key.id, Act::key_created(key));
        self.store.api_keys.add_api_key(key, &entry).await
    }

    /// Reads all API keys, the newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys.api_keys().await
    }

    /// Revokes an API key for good, in this process at once, with an entry of the audit trail. Returns whether there is
    /// such a key.
    pub async fn revoke_api_key(&self, id: Uuid) -> Result<bool, StoreError> {
        let entry = self.audit_entry(id, Act::KeyRevoked);
        let known = self.store.api_keys.revoke_api_key(id, &entry).await;
        self.known_keys.forget_all();
        known
    }

    /// Reads the last use of every scope of every key that is stored.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.store.api_keys.key_uses().await
    }

    /// Notes that a call has used a scope of an API key. Nothing is written until [`Self::record_key_uses`].
    pub fn note_key_use(&self, key: Uuid, scope: Scope) {
        let now = self.clock.now();
        let seconds = now.unix_seconds();
        let day = Timestamp::from_unix_seconds(seconds - seconds.rem_euclid(SECONDS_PER_DAY)).unwrap_or(now);
        self.used_scopes.note(key, scope, day);
    }

    /// Stores the uses of API keys that this process has noted and not stored yet: at most one for each key, scope and
    /// day.
    pub async fn record_key_uses(&self) -> Result<(), StoreError> {
        let uses = self.used_scopes.not_stored();
        if uses.is_empty() {
            return Ok(());
        }
        self.store.api_keys.record_key_uses(&uses).await?;
        self.used_scopes.are_stored(&uses);
        Ok(())
    }

    /// Current time of the clock that the use cases use.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
