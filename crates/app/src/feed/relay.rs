//! Relay: gives committed facts their positions in the feed, and puts events into the queues of the endpoints.

use std::sync::{Mutex, PoisonError};

use paywright_domain::Timestamp;

use crate::{FeedAppend, FeedLease, Lease, Position, Publisher, StoreError};

/// Largest number of facts that get their positions in one transaction.
const FACTS_AT_ONCE: u16 = 500;

/// Largest number of positions by which one step moves an endpoint ahead.
const EVENTS_AT_ONCE: u16 = 1000;

/// Length of the relay's lease, in seconds. Each append extends it.
const LEASE_SECONDS: u32 = 20;

/// Longest time between two checks for endpoints that are behind the feed, in seconds. They are checked at once after an
/// append by this process.
const FILL_SECONDS: u32 = 1;

/// State of the relay in this process.
#[derive(Debug, Default)]
pub(crate) struct FeedState(Mutex<Relay>);

#[derive(Debug, Clone, Copy, Default)]
struct Relay {
    /// Lease that this process holds, and the time at which it ends.
    lease: Option<(FeedLease, Timestamp)>,
    /// Time of the next check for endpoints that are behind; `None` for at once.
    fill_at: Option<Timestamp>,
    /// Position of the last event, and the time at which it was read.
    last: Option<(Position, Timestamp)>,
}

impl FeedState {
    fn change<T>(&self, change: impl FnOnce(&mut Relay) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Position of the last event, if it was read less than `age_micros` before `now`.
    pub(super) fn known_last(&self, now: Timestamp, age_micros: i64) -> Option<Position> {
        let (last, at) = self.change(|it| it.last)?;
        (0..age_micros).contains(&(now.unix_micros() - at.unix_micros())).then_some(last)
    }

    /// Remembers the position of the last event.
    pub(super) fn learn_last(&self, last: Position, now: Timestamp) {
        self.change(|it| it.last = Some((last, now)));
    }

    /// Makes the next step check for endpoints that are behind.
    pub(crate) fn fill_at_once(&self) {
        self.change(|it| it.fill_at = None);
    }
}

impl Publisher {
    /// Performs one step of the feed: gives committed facts their positions, unless another process does, and puts
    /// events into the queues of endpoints that are behind. Returns whether there is more to do at once. A step that
    /// finds nothing only reads.
    ///
    /// If this process dies meanwhile, another one goes on when the lease is over: nothing is lost or put twice.
    pub async fn run_feed(&self) -> Result<bool, StoreError> {
        let appended = self.relay().await?;
        let now = self.clock.now();
        let fill_at = self.feed_state.change(|it| it.fill_at);
        if appended == 0 && fill_at.is_some_and(|at| at > now) {
            return Ok(false);
        }
        // The last part of what the step before has left.
        let was_behind = fill_at.is_none();
        let is_behind = self.endpoints.fill_queues(now, EVENTS_AT_ONCE).await?;
        let fill_at = (!is_behind).then(|| now.plus_seconds(FILL_SECONDS));
        self.feed_state.change(|it| it.fill_at = fill_at);
        if appended > 0 || was_behind || is_behind {
            self.waker.wake_deliverer();
        }
        Ok(is_behind || appended == usize::from(FACTS_AT_ONCE))
    }

    /// Whether this process gives facts their positions, as far as it knows.
    pub fn is_relay(&self) -> bool {
        self.held_lease().is_some()
    }

    /// Ends the lease of the relay at the end of the process, so that another one goes on at once.
    pub async fn stop_feed(&self) -> Result<(), StoreError> {
        match self.feed_state.change(|it| it.lease.take()) {
            Some((lease, _)) => self.feed.release_feed(lease).await,
            None => Ok(()),
        }
    }

    /// Gives facts their positions. Returns their number.
    async fn relay(&self) -> Result<usize, StoreError> {
        let held = self.held_lease();
        let found = self.feed.unpositioned_events(FACTS_AT_ONCE).await?;
        if found.is_empty() {
            return Ok(0);
        }
        let (lease, events) = match held {
            Some(lease) => (lease, found),
            None => match self.lease_feed().await? {
                // Another process may have given positions to the facts since they were read.
                Some(lease) => (lease, self.feed.unpositioned_events(FACTS_AT_ONCE).await?),
                None => return Ok(0),
            },
        };
        if events.is_empty() {
            return Ok(0);
        }
        let (count, now) = (events.len(), self.clock.now());
        let until = now.plus_seconds(LEASE_SECONDS);
        // While it is unknown whether the append was done, no lease is held: the next one makes a late append fail.
        self.feed_state.change(|it| it.lease = None);
        let Some(last) = self.feed.append_to_feed(&FeedAppend { lease, until, events }).await? else {
            return Ok(0);
        };
        self.feed_state.change(|it| it.lease = Some((lease, until)));
        self.feed_state.learn_last(last, now);
        Ok(count)
    }

    /// Lease that this process has, until its end: from then on it can be leased anew. An append under a lease that has
    /// just ended is still correct, since it fails if another process has leased the feed.
    fn held_lease(&self) -> Option<FeedLease> {
        let now = self.clock.now();
        self.feed_state.change(|it| it.lease).filter(|(_, until)| now < *until).map(|(lease, _)| lease)
    }

    async fn lease_feed(&self) -> Result<Option<FeedLease>, StoreError> {
        let now = self.clock.now();
        let until = now.plus_seconds(LEASE_SECONDS);
        self.feed.lease_feed(&Lease { owner: self.owner, now, until, limit: 1 }).await
    }
}
