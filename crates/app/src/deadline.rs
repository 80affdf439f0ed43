//! The deadline of a request: how long it may wait for the store, over all its attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paywright_domain::Timestamp;

use crate::{Clock, StoreError};

/// Longest wait for the store, in seconds, after which a request begins no other call to it. A call itself ends after ten
/// seconds at the most, so that no caller waits for the store for longer than twenty.
pub const STORE_WAIT_SECONDS: u32 = 10;

/// Time that a request has waited for the store. The wait for the provider is not counted: the provider's answer is
/// stored however late it comes.
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    waited_micros: AtomicU64,
}

impl Deadline {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waited_micros: AtomicU64::new(0) }
    }

    /// Whether nothing more is begun.
    pub(crate) fn is_over(&self) -> bool {
        self.waited_micros.load(Ordering::Relaxed) >= u64::from(STORE_WAIT_SECONDS) * 1_000_000
    }

    /// Refuses a call to the store once the request has waited too long. It was not sent.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.is_over() {
            return Err(StoreError::Unavailable("this request has waited too long for the store".into()));
        }
        Ok(())
    }

    /// Waits for `what`, and counts how long that took.
    pub(crate) async fn counted<T>(&self, what: impl Future<Output = T> + Send) -> T {
        let begun = self.clock.now();
        let done = what.await;
        self.waited_micros.fetch_add(micros_between(begun, self.clock.now()), Ordering::Relaxed);
        done
    }
}

/// None where the clock was set back meanwhile.
fn micros_between(begun: Timestamp, ended: Timestamp) -> u64 {
    u64::try_from(ended.unix_micros().saturating_sub(begun.unix_micros())).unwrap_or(0)
}
