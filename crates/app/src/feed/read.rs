//! Reads of the feed.

use paywright_domain::OrderId;
use paywright_domain::fact::FeedEventType;
use thiserror::Error;

use crate::{FeedEvent, FeedQuery, Position, Publisher, StoreError};

/// Largest number of positions that one page looks through for events of the requested types. The next page begins
/// after them, whether or not any was found.
const SCANNED_MAX: u64 = 10_000;

/// Largest size of the events of one page, in bytes of their JSON. A page has at least one event.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes that an event's JSON has at most beside those of its order, as a rule.
const EVENT_BYTES: usize = 1024;

/// Largest number of times that a page is read because its events are deleted meanwhile.
const READS_MAX: u32 = 5;

/// Largest number of events that are read at once: of large ones, not many more than fit into a page.
const READ_AT_ONCE: u16 = 20;

/// Age up to which the position of the last event is used again, in microseconds: readers that wait for an event read
/// it often.
const LAST_FRESH_MICROS: i64 = 50_000;

/// Request for a page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPageRequest {
    /// Position after which the page begins; `None` for the oldest event that is kept.
    pub after: Option<Position>,
    /// Largest number of events, from 1 to [`Publisher::FEED_PAGE_MAX`].
    pub limit: u16,
    /// Types of the events; all types if empty.
    pub types: Vec<FeedEventType>,
    /// Order of the events; all orders if `None`.
    pub order: Option<OrderId>,
}

/// Page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Events in the order of their positions.
    pub events: Vec<FeedEvent>,
    /// Position after which the next page begins.
    pub next: Position,
    /// Whether there are positions after `next`.
    pub has_more: bool,
}

/// Why no page of the feed is read.
#[derive(Debug, Error)]
pub enum FeedPageError {
    /// The position is after the last event: it is of another installation, or of a time before a restore.
    #[error("the position is beyond the end of the feed: the last event has position {}", last.0)]
    BeyondEnd {
        /// Position of the last event.
        last: Position,
    },
    /// Events after the position were deleted because of their age.
    #[error("events after the position were deleted because of their age: the oldest one kept has position {}", first.0)]
    Deleted {
        /// Position of the oldest event that is kept.
        first: Position,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Publisher {
    /// Largest number of events of one page.
    pub const FEED_PAGE_MAX: u16 = 100;

    /// Reads a page of the feed. It ends early where its JSON would exceed 4 MiB. A page whose events are all deleted
    /// meanwhile is read again, a limited number of times.
    pub async fn feed_page(&self, request: FeedPageRequest) -> Result<FeedPage, FeedPageError> {
        for _ in 1..READS_MAX {
            let (page, is_deleted) = self.read_page(request.clone()).await?;
            if !(page.events.is_empty() && is_deleted && page.has_more) {
                return Ok(page);
            }
        }
        Ok(self.read_page(request).await?.0)
    }

    /// Reads a page, and returns whether events of it were deleted meanwhile.
    async fn read_page(&self, request: FeedPageRequest) -> Result<(FeedPage, bool), FeedPageError> {
        let FeedPageRequest { after, limit, types, order } = request;
        let is_from_oldest = after.is_none_or(|it| it == Position::START);
        let range = self.feed.feed_range().await?;
        let after = range.resolve(after.unwrap_or(Position::START))?;
        // The events of one order, and those of all types, are found without looking through others.
        let is_scan = order.is_none() && !types.is_empty();
        let until = if is_scan { after.plus(SCANNED_MAX).min(range.last) } else { range.last };
        let limit = limit.clamp(1, Self::FEED_PAGE_MAX);
        let (mut events, is_full) = self.read_events(FeedQuery { after, until, types, order, limit }).await?;
        let next = events.last().filter(|_| is_full).map_or(until, |it| it.position);
        // Events that were deleted meanwhile may be missing from the page, and none after them is.
        let deleted = self.feed.feed_range().await?.deleted;
        if deleted > after {
            if !is_from_oldest {
                return Err(FeedPageError::Deleted { first: deleted.plus(1) });
            }
            events.retain(|it| it.position > deleted);
        }
        let next = next.max(deleted);
        Ok((FeedPage { events, next, has_more: next < range.last }, deleted > after))
    }

    /// Reads the events of a page in parts, and returns whether it is full. The query's limit is that of the page.
    async fn read_events(&self, mut query: FeedQuery) -> Result<(Vec<FeedEvent>, bool), StoreError> {
        let (limit, mut events, mut bytes) = (usize::from(query.limit), Vec::new(), 0);
        while events.len() < limit {
            let left = u16::try_from(limit - events.len()).unwrap_or(READ_AT_ONCE);
            query.limit = left.min(READ_AT_ONCE);
            let part = self.feed.feed_events(&query).await?;
            let is_last = part.len() < usize::from(query.limit);
            for event in part {
                bytes += EVENT_BYTES + event.bytes();
                if bytes > PAGE_BYTES_MAX && !events.is_empty() {
                    return Ok((events, true));
                }
                query.after = event.position;
                events.push(event);
            }
            if is_last {
                return Ok((events, false));
            }
        }
        Ok((events, true))
    }

    /// Position after which the last `count` events that are kept begin.
    pub async fn before_last(&self, count: u64) -> Result<Position, StoreError> {
        let range = self.feed.feed_range().await?;
        Ok(Position(range.last.0.saturating_sub(count)).max(range.deleted))
    }

    /// Position of the last event, as it was at most 50 ms ago.
    pub async fn last_position(&self) -> Result<Position, StoreError> {
        let now = self.clock.now();
        if let Some(last) = self.feed_state.known_last(now, LAST_FRESH_MICROS) {
            return Ok(last);
        }
        let last = self.feed.feed_range().await?.last;
        self.feed_state.learn_last(last, now);
        Ok(last)
    }
}

impl crate::FeedRange {
    /// Checks that every event after `after` is in the feed. The start stands for the oldest event that is kept.
    pub(crate) fn resolve(self, after: Position) -> Result<Position, FeedPageError> {
        if after == Position::START {
            return Ok(self.deleted);
        }
        if after > self.last {
            return Err(FeedPageError::BeyondEnd { last: self.last });
        }
        if after < self.deleted {
            return Err(FeedPageError::Deleted { first: self.deleted.plus(1) });
        }
        Ok(after)
    }
}
