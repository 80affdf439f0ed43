//! Deadline of a request: the time that it may wait for the store, over all its attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paywright_domain::Timestamp;

use crate::{Clock, StoreError};

/// Wait for the store after which a request begins no other call to it, in seconds. A call itself ends after ten
/// seconds at most, so that no caller waits for the store for longer than twenty.
pub const STORE_WAIT_SECONDS: u32 = 10;

/// Time that a request has waited for the store. The wait for Stripe is not counted: Stripe's answer is stored however
/// late it arrives.
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    waited_micros: AtomicU64,
}

impl Deadline {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waited_micros: AtomicU64::new(0) }
    }

    /// Whether the request may begin no further call to the store.
    pub(crate) fn is_over(&self) -> bool {
        self.waited_micros.load(Ordering::Relaxed) >= u64::from(STORE_WAIT_SECONDS) * 1_000_000
    }

    /// Refuses a call to the store, before it is sent, once the request has waited too long.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.is_over() {
            return Err(StoreError::Unavailable("this request has waited too long for the store".into()));
        }
        Ok(())
    }

    /// Waits for `call`, and counts the time that it took.
    pub(crate) async fn counted<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let begun = self.clock.now();
        let done = call.await;
        self.waited_micros.fetch_add(micros_between(begun, self.clock.now()), Ordering::Relaxed);
        done
    }
}

/// Microseconds from `begun` to `ended`; 0 where the clock was set back meanwhile.
fn micros_between(begun: Timestamp, ended: Timestamp) -> u64 {
    u64::try_from(ended.unix_micros().saturating_sub(begun.unix_micros())).unwrap_or(0)
}
