//! Retention of idempotency records and of stored events.

use crate::stripe_clock::moved_by;
use crate::{App, StoreError};

/// Largest number of rows that are deleted in one transaction.
pub(crate) const DELETED_AT_ONCE: u16 = 500;

/// Shortest time for which an event is kept, in seconds: a day longer than a walk through Stripe's list of events goes
/// back. A walk that met an event which was deleted would process it again.
pub const EVENTS_KEPT_SECONDS_MIN: u32 = 31 * 86_400;

/// Times for which records of requests and of events are kept, in seconds; for ever if `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordRetention {
    /// Time for which the record of a request with an idempotency key is kept.
    pub idempotency_seconds: Option<u32>,
    /// Time for which an event that is not parked is kept; at least [`EVENTS_KEPT_SECONDS_MIN`].
    pub events_seconds: Option<u32>,
}

impl App {
    /// Deletes some idempotency records and events that are older than `keep` says. Returns whether there are more.
    /// Nothing is deleted before Stripe has answered for the first time: if this machine's clock is ahead, Stripe's
    /// counts, so that nothing is deleted too early.
    pub async fn delete_old_records(&self, keep: RecordRetention) -> Result<bool, StoreError> {
        let Some(at_stripe) = self.stripe_ahead_seconds().map(|ahead| moved_by(self.clock.now(), ahead)) else {
            return Ok(false);
        };
        let now = self.clock.now().min(at_stripe);
        let mut is_more = false;
        if let Some(seconds) = keep.idempotency_seconds {
            let before = now.minus_seconds(seconds);
            let deleted = self.store.orders.delete_idempotency_records(before, DELETED_AT_ONCE).await?;
            is_more |= deleted == DELETED_AT_ONCE;
        }
        if let Some(seconds) = keep.events_seconds {
            let before = now.minus_seconds(seconds.max(EVENTS_KEPT_SECONDS_MIN));
            let deleted = self.store.inbox.delete_events(before, DELETED_AT_ONCE).await?;
            is_more |= deleted == DELETED_AT_ONCE;
        }
        Ok(is_more)
    }
}
