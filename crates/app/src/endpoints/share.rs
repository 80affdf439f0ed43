//! Share of each endpoint in the webhooks that a process sends at the same time, and the walk through the due queues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use paywright_domain::Timestamp;

use super::{EndpointId, WEBHOOKS_AT_ONCE};
use crate::{DueQueue, Lease, Publisher, StoreError};

/// Largest number of webhooks that are sent at the same time to an endpoint that answers soon, while less than half of
/// [`WEBHOOKS_AT_ONCE`] is in use.
const AT_ONCE_PER_PROMPT_ENDPOINT: usize = 32;
/// The same, while more is in use, and for an endpoint that accepts late.
const AT_ONCE_PER_ENDPOINT: usize = 8;
/// The same, for an endpoint whose last attempt failed late.
const AT_ONCE_PER_HANGING_ENDPOINT: usize = 2;
/// The same, for an endpoint that has not answered this process yet: many of these may hang, and each other one is found
/// by its first answer.
const AT_ONCE_PER_UNKNOWN_ENDPOINT: usize = 1;
/// Largest number of webhooks to all endpoints together that do not answer soon, half of [`WEBHOOKS_AT_ONCE`]. The rest is
/// for the others.
const AT_ONCE_TO_SLOW_ENDPOINTS: usize = 32;
/// The same with those that have not answered this process yet: slow endpoints keep no new one waiting.
const AT_ONCE_TO_UNKNOWN_ENDPOINTS: usize = 48;

/// Time within which an endpoint answers soon, in seconds.
const PROMPT_SECONDS: u32 = 2;

/// Largest number of due queues that are read at once.
const PAGE: u16 = 256;

/// Age of a due time, in seconds, from which no other process makes a queue due at that time or before.
const SETTLED_SECONDS: u32 = 5;

/// Interval in which the walk through the due queues begins again, in seconds: a lease may have ended, or a clock may be
/// behind.
const WALK_SECONDS: u32 = 10;
/// Number of pages that a walk reads for each second by which its next beginning is put off.
const PAGES_PER_SECOND: u32 = 8;

/// Pace at which an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// The last attempt ended soon, whatever the outcome.
    Prompt,
    /// The last event was accepted late, or an attempt is under way for long.
    Slow,
    /// The last attempt failed late.
    Hanging,
}

impl Pace {
    /// Pace by an attempt that took this time.
    pub(super) fn of(duration_ms: u32, is_accepted: bool) -> Self {
        match (duration_ms / 1000 < PROMPT_SECONDS, is_accepted) {
            (true, _) => Self::Prompt,
            (false, true) => Self::Slow,
            (false, false) => Self::Hanging,
        }
    }
}

/// Webhooks that this process is sending.
#[derive(Debug, Default)]
pub(crate) struct InDelivery(Mutex<Shares>);

#[derive(Debug, Default)]
struct Shares {
    batches: Vec<Batch>,
    /// Number of batches so far.
    count: u64,
    paces: BTreeMap<EndpointId, Pace>,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    endpoint: EndpointId,
    webhooks: usize,
    since: Timestamp,
}

impl Shares {
    /// Pace of an endpoint at `now`; `None` if it has not answered yet.
    fn pace(&self, endpoint: EndpointId, now: Timestamp) -> Option<Pace> {
        let known = self.paces.get(&endpoint).copied();
        let is_late = |it: &Batch| it.endpoint == endpoint && it.since.plus_seconds(PROMPT_SECONDS) <= now;
        match known {
            Some(Pace::Prompt) if self.batches.iter().any(is_late) => Some(Pace::Slow),
            Some(Pace::Prompt | Pace::Slow | Pace::Hanging) | None => known,
        }
    }

    fn usage(&self, now: Timestamp) -> Usage {
        let mut usage = Usage::default();
        for batch in &self.batches {
            usage.add(batch.endpoint, self.pace(batch.endpoint, now), batch.webhooks);
        }
        usage
    }
}

/// Number of webhooks under way.
#[derive(Debug, Default)]
struct Usage {
    all: usize,
    /// Number of webhooks to endpoints that do not answer soon.
    slow: usize,
    own: BTreeMap<EndpointId, usize>,
}

impl Usage {
    fn add(&mut self, endpoint: EndpointId, pace: Option<Pace>, webhooks: usize) {
        self.all += webhooks;
        if pace != Some(Pace::Prompt) {
            self.slow += webhooks;
        }
        *self.own.entry(endpoint).or_default() += webhooks;
    }

    /// Number of webhooks that may be sent to an endpoint beside those that are under way.
    fn room(&self, endpoint: EndpointId, pace: Option<Pace>) -> usize {
        let own = self.own.get(&endpoint).copied().unwrap_or_default();
        let slow_left = |most: usize| most.saturating_sub(self.slow);
        match pace {
            Some(Pace::Prompt) if self.all < usize::from(WEBHOOKS_AT_ONCE) / 2 => {
                AT_ONCE_PER_PROMPT_ENDPOINT.saturating_sub(own)
            }
            Some(Pace::Prompt) => AT_ONCE_PER_ENDPOINT.saturating_sub(own),
            Some(Pace::Slow) => AT_ONCE_PER_ENDPOINT.saturating_sub(own).min(slow_left(AT_ONCE_TO_SLOW_ENDPOINTS)),
            Some(Pace::Hanging) => {
                AT_ONCE_PER_HANGING_ENDPOINT.saturating_sub(own).min(slow_left(AT_ONCE_TO_SLOW_ENDPOINTS))
            }
            None => AT_ONCE_PER_UNKNOWN_ENDPOINT.saturating_sub(own).min(slow_left(AT_ONCE_TO_UNKNOWN_ENDPOINTS)),
        }
    }
}

impl InDelivery {
    fn with<T>(&self, work: impl FnOnce(&mut Shares) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records that webhooks are being sent to an endpoint from `now` on.
    pub(super) fn begin(self: &Arc<Self>, endpoint: EndpointId, webhooks: usize, now: Timestamp) -> Reservation {
        let number = self.with(|it| {
            it.count = it.count.wrapping_add(1);
            it.batches.push(Batch { number: it.count, endpoint, webhooks, since: now });
            it.count
        });
        Reservation { of: Arc::clone(self), number }
    }

    /// Records how soon an endpoint has answered.
    pub(super) fn note(&self, endpoint: EndpointId, pace: Pace) {
        self.with(|it| it.paces.insert(endpoint, pace));
    }
}

/// Webhooks of a batch that are under way, until this value is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    of: Arc<InDelivery>,
    number: u64,
}

impl Reservation {
    /// Records that this many webhooks were answered.
    pub(super) fn release(&mut self, webhooks: usize) {
        self.of.with(|it| {
            if let Some(batch) = it.batches.iter_mut().find(|it| it.number == self.number) {
                batch.webhooks = batch.webhooks.saturating_sub(webhooks);
            }
            it.batches.retain(|it| it.webhooks > 0);
        });
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.of.with(|it| it.batches.retain(|it| it.number != self.number));
    }
}

/// Walk through the due queues of all endpoints, in the order of their due times. It passes the queues of an endpoint
/// that is sent as many webhooks as it may: these are read apart once the endpoint has room, so that however many there
/// are, they are not read again and again.
#[derive(Debug, Clone, Default)]
pub(crate) struct DueWalk {
    /// Place of the walk.
    after: Option<DueQueue>,
    /// Endpoints with due queues before that place.
    passed: BTreeSet<EndpointId>,
    /// The last of these whose queues were read: the next one has its turn.
    turn: Option<EndpointId>,
    /// Number of pages since the walk began.
    pages: u32,
    /// Time at which it begins again; at once if `None`.
    begins_at: Option<Timestamp>,
}

impl DueWalk {
    /// Endpoints that were passed, beginning with the one whose turn it is.
    fn turns(&self) -> Vec<EndpointId> {
        let (before, after): (Vec<_>, Vec<_>) = self.passed.iter().partition(|it| Some(**it) <= self.turn);
        after.into_iter().chain(before).copied().collect()
    }
}

/// Choice of the queues to lease.
struct Choice<'a> {
    lease: &'a Lease,
    in_delivery: &'a InDelivery,
    usage: Usage,
    queues: Vec<DueQueue>,
}

impl Choice<'_> {
    /// Number of queues that may still be chosen.
    fn left(&self) -> usize {
        usize::from(self.lease.limit).saturating_sub(self.queues.len())
    }

    fn pace(&self, endpoint: EndpointId) -> Option<Pace> {
        self.in_delivery.with(|it| it.pace(endpoint, self.lease.now))
    }

    /// Number of queues of an endpoint that may still be chosen.
    fn room(&self, endpoint: EndpointId) -> usize {
        self.usage.room(endpoint, self.pace(endpoint)).min(self.left())
    }

    fn add(&mut self, queue: DueQueue) {
        let pace = self.pace(queue.endpoint);
        self.usage.add(queue.endpoint, pace, 1);
        self.queues.push(queue);
    }
}

impl Publisher {
    /// Chooses at most `lease.limit` due queues to lease, as many of each endpoint as it has room for.
    pub(super) async fn choose_queues(&self, lease: &Lease) -> Result<Vec<DueQueue>, StoreError> {
        let mut walk = self.walk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if walk.begins_at.is_none_or(|it| it <= lease.now) {
            let seconds = WALK_SECONDS.saturating_add(walk.pages / PAGES_PER_SECOND);
            walk = DueWalk { after: None, pages: 0, begins_at: Some(lease.now.plus_seconds(seconds)), ..walk };
        }
        let usage = self.in_delivery.with(|it| it.usage(lease.now));
        let mut choice = Choice { lease, in_delivery: &self.in_delivery, usage, queues: Vec::new() };
        self.choose_passed(&mut walk, &mut choice).await?;
        self.walk_on(&mut walk, &mut choice).await?;
        *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = walk;
        Ok(choice.queues)
    }

    /// Begins the walk again with the next step.
    pub(super) fn walk_again(&self) {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner).begins_at = None;
    }

    /// Chooses queues of endpoints that were passed and have room now.
    async fn choose_passed(&self, walk: &mut DueWalk, choice: &mut Choice<'_>) -> Result<(), StoreError> {
        for endpoint in walk.turns() {
            let room = choice.room(endpoint);
            if room == 0 {
                continue;
            }
            let of_endpoint = Lease { limit: u16::try_from(room).unwrap_or(u16::MAX), ..*choice.lease };
            let found = self.endpoints.due_queues(&of_endpoint, None, Some(endpoint)).await?;
            if found.len() < room {
                walk.passed.remove(&endpoint);
            }
            walk.turn = Some(endpoint);
            for queue in found {
                choice.add(queue);
            }
        }
        Ok(())
    }

    /// Walks on until enough queues are chosen, or to the end of what is due.
    async fn walk_on(&self, walk: &mut DueWalk, choice: &mut Choice<'_>) -> Result<(), StoreError> {
        let page_of = Lease { limit: PAGE, ..*choice.lease };
        let settled = page_of.now.minus_seconds(SETTLED_SECONDS);
        let mut after = walk.after;
        let mut is_more = true;
        while is_more && choice.left() > 0 {
            let page = self.endpoints.due_queues(&page_of, after, None).await?;
            walk.pages = walk.pages.saturating_add(1);
            is_more = page.len() >= usize::from(PAGE);
            for queue in page {
                if choice.left() == 0 {
                    break;
                }
                let is_chosen = choice.queues.contains(&queue);
                if !is_chosen && !walk.passed.contains(&queue.endpoint) && choice.room(queue.endpoint) > 0 {
                    choice.add(queue);
                } else if !is_chosen {
                    walk.passed.insert(queue.endpoint);
                }
                after = Some(queue);
                if queue.due_at <= settled {
                    walk.after = after;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn endpoint(n: u128) -> EndpointId {
        EndpointId(Uuid::from_u128(n))
    }

    fn at(seconds: u32) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(seconds)
    }

    fn room(shares: &InDelivery, n: u128, now: u32) -> usize {
        shares.with(|it| it.usage(at(now)).room(endpoint(n), it.pace(endpoint(n), at(now))))
    }

    #[test]
    fn the_room_of_an_endpoint_depends_on_how_soon_it_answers() {
        for (duration_ms, is_accepted, expected) in
            [(1, true, 32), (1999, false, 32), (2000, true, 8), (20_000, false, 2)]
        {
            let shares = InDelivery::default();
            assert_eq!(room(&shares, 1, 0), 1, "it has not answered yet");
            shares.note(endpoint(1), Pace::of(duration_ms, is_accepted));
            assert_eq!(room(&shares, 1, 0), expected, "{duration_ms} {is_accepted}");
        }
    }

    #[test]
    fn an_endpoint_that_begins_to_hang_has_less_room() {
        let shares = Arc::<InDelivery>::default();
        shares.note(endpoint(1), Pace::Prompt);
        let mut sending = shares.begin(endpoint(1), 5, at(0));
        assert_eq!((room(&shares, 1, 1), room(&shares, 1, 2)), (27, 3));
        sending.release(4);
        assert_eq!(room(&shares, 1, 2), 7);
        drop(sending);
        assert_eq!(room(&shares, 1, 2), 32);
    }

    #[test]
    fn slow_endpoints_leave_half_of_the_webhooks_to_others() {
        let shares = Arc::<InDelivery>::default();
        let mut sending = Vec::new();
        for n in 1..=4 {
            shares.note(endpoint(n), Pace::Slow);
            assert_eq!(room(&shares, n, 0), 8, "{n}");
            sending.push(shares.begin(endpoint(n), 8, at(0)));
        }
        shares.note(endpoint(5), Pace::Slow);
        shares.note(endpoint(6), Pace::Hanging);
        shares.note(endpoint(7), Pace::Prompt);
        assert_eq!([5, 6, 7, 8].map(|n| room(&shares, n, 0)), [0, 0, 8, 1]);
        sending.pop();
        assert_eq!([5, 6, 7].map(|n| room(&shares, n, 0)), [8, 2, 32]);
    }
}
