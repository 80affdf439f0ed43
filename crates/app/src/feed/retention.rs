//! Retention: deletes old events and attempts.

use crate::retention::DELETED_AT_ONCE;
use crate::{Publisher, StoreError};

/// Times for which events and attempts are kept, in seconds; for ever if `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedRetention {
    /// Time for which an event is kept in the feed.
    pub events_seconds: Option<u32>,
    /// Time for which an attempt to deliver an event is kept.
    pub attempts_seconds: Option<u32>,
}

impl Publisher {
    /// Deletes some events and attempts that are older than `keep` says. Returns whether there are more. An event that
    /// an endpoint still waits for is kept, whatever its age, and the operator is told so.
    pub async fn delete_old_events(&self, keep: FeedRetention) -> Result<bool, StoreError> {
        let (now, mut is_more) = (self.clock.now(), false);
        if let Some(seconds) = keep.events_seconds {
            let deleted = self.feed.delete_feed_events(now.minus_seconds(seconds), DELETED_AT_ONCE).await?;
            is_more |= deleted.count == DELETED_AT_ONCE;
            if deleted.is_held {
                let days = seconds / 86_400;
                self.warnings.warn(format!(
                    "Events that are older than {days} days are kept, because a webhook endpoint still waits for them: \
                     enable or delete it (`paywright webhooks list`)."
                ));
            }
        }
        if let Some(seconds) = keep.attempts_seconds {
            let deleted = self.endpoints.delete_attempts(now.minus_seconds(seconds), DELETED_AT_ONCE).await?;
            is_more |= deleted == DELETED_AT_ONCE;
        }
        Ok(is_more)
    }
}
