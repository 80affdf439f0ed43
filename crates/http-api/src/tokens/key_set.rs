//! Key set by which the tokens of an issuer are verified, as it was last read from its source.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jsonwebtoken::Header;
use paywright_domain::Timestamp;
use thiserror::Error;
use tokio::sync::Mutex;

use super::TokenRefusal;
use super::customer::Claims;
use super::public_keys::{ALGORITHMS, NotASet, NotVerified, PublicKeys};

/// Largest JWK Set, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Shortest time between two reads of the source, in seconds.
pub const KEY_SET_PAUSE_SECONDS: u32 = 60;

/// Place where an issuer publishes its JWK Set.
#[async_trait]
pub trait KeySetSource: Send + Sync {
    /// Reads the set: JSON of at most [`KEY_SET_BYTES_MAX`] bytes. A source has a time limit of its own.
    async fn read(&self) -> Result<Vec<u8>, KeySetError>;
}

/// Why a key set cannot be read.
#[derive(Debug, Error)]
pub enum KeySetError {
    /// The source did not give it.
    #[error("{0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A set of more than [`KEY_SET_BYTES_MAX`] bytes.
    #[error("it has more than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// A text that is no key set.
    #[error("{0}")]
    NotASet(#[source] Box<dyn Error + Send + Sync>),
}

impl From<NotASet> for KeySetError {
    fn from(error: NotASet) -> Self {
        Self::NotASet(Box::new(error))
    }
}

/// Issuer of customers' tokens that signs them with its own keys, and publishes the public ones as a key set.
pub struct KeySetIssuer {
    /// Required `iss` of tokens that the key set verifies. Tokens of this issuer are never verified by the token secret.
    pub issuer: String,
    /// Audience that these tokens must name (`aud`).
    pub audience: String,
    /// Keys of the issuer.
    pub keys: Arc<KeySet>,
}

/// Public keys of an issuer. They are read again when a token names an unknown key, at most once a minute; if that fails,
/// the keys that were read last stay.
pub struct KeySet {
    source: Arc<dyn KeySetSource>,
    current: RwLock<Option<Arc<Current>>>,
    /// Time at which the source was last asked; locked while it is asked, so that this happens once at a time.
    asked_at: Mutex<Option<Timestamp>>,
}

/// Set that was read last.
struct Current {
    text: Vec<u8>,
    keys: PublicKeys,
}

/// Outcome of a read of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySetRead {
    /// The set was read, and has this number of usable keys.
    Read {
        /// Number of usable keys.
        keys: usize,
    },
    /// The source was asked less than [`KEY_SET_PAUSE_SECONDS`] ago, and was not asked again.
    TooSoon,
}

impl KeySet {
    /// Set of a source that was not read yet.
    pub fn new(source: Arc<dyn KeySetSource>) -> Self {
        Self { source, current: RwLock::default(), asked_at: Mutex::default() }
    }

    /// Counts the usable keys of a set.
    pub fn count_keys(text: &[u8]) -> Result<usize, KeySetError> {
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        Ok(PublicKeys::read(text)?.keys.len())
    }

    /// Whether there is a key that verifies tokens.
    pub(super) fn has_keys(&self) -> bool {
        self.current().is_some_and(|it| !it.keys.is_empty())
    }

    /// Reads the source. Concurrent callers wait for the one read. If it fails, the keys that were read last stay.
    pub async fn refresh(&self, now: Timestamp) -> Result<KeySetRead, KeySetError> {
        let mut asked_at = self.asked_at.lock().await;
        // A clock that was set back by more than the pause is no reason to wait for longer.
        let is_soon = |it: Timestamp| now.unix_seconds().abs_diff(it.unix_seconds()) < u64::from(KEY_SET_PAUSE_SECONDS);
        if asked_at.is_some_and(is_soon) {
            return Ok(KeySetRead::TooSoon);
        }
        *asked_at = Some(now);
        let text = self.source.read().await?;
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        if let Some(current) = self.current().filter(|it| it.text == text) {
            return Ok(KeySetRead::Read { keys: current.keys.len() });
        }
        let read = PublicKeys::read(&text)?;
        for (position, reason) in read.unused {
            tracing::warn!(position, "a key of the key set of customers' tokens is not used: {reason}");
        }
        let keys = read.keys.len();
        tracing::info!(keys, "the key set of customers' tokens was read");
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(Current { text, keys: read.keys }));
        Ok(KeySetRead::Read { keys })
    }

    /// As [`Self::refresh`], with a warning if it fails. Says whether the set was read.
    pub async fn refresh_or_warn(&self, now: Timestamp) -> bool {
        match self.refresh(now).await {
            Ok(KeySetRead::Read { keys: 0 }) => {
                tracing::warn!("the key set of customers' tokens has no usable key: none of their tokens is accepted");
                true
            }
            Ok(KeySetRead::Read { .. }) => true,
            Ok(KeySetRead::TooSoon) => false,
            Err(error) => {
                let kept = if self.current().is_some() {
                    "the keys that were read last are kept"
                } else {
                    "there are no keys yet"
                };
                tracing::warn!(%error, "the key set of customers' tokens cannot be read; {kept}");
                false
            }
        }
    }

    fn current(&self) -> Option<Arc<Current>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Claims of a token with this header that one of the keys has signed. An unknown key lets the source be read.
    pub(super) async fn claims(
        self: &Arc<Self>,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Result<Claims, TokenRefusal> {
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenRefusal::Invalid);
        }
        let verified = self.verified(token, header);
        if !matches!(verified, Err(TokenRefusal::UnknownKey | TokenRefusal::KeysUnavailable)) {
            return verified;
        }
        let this = Arc::clone(self);
        // In a task of its own: a request whose client disconnects must not end a read that others wait for.
        drop(tokio::spawn(async move { this.refresh_or_warn(now).await }).await);
        self.verified(token, header)
    }

    /// Claims of a token that one of the present keys has signed.
    fn verified(&self, token: &str, header: &Header) -> Result<Claims, TokenRefusal> {
        let Some(current) = self.current().filter(|it| !it.keys.is_empty()) else {
            return Err(TokenRefusal::KeysUnavailable);
        };
        current.keys.claims(token, header).map_err(|error| match error {
            NotVerified::UnknownKey => TokenRefusal::UnknownKey,
            NotVerified::Invalid => TokenRefusal::Invalid,
        })
    }
}
