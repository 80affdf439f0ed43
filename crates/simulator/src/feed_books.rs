//! Books of the feed and of the endpoints: what got a position, what is leased, and what the receivers of the webhooks
//! have accepted. Receivers are other programs: they survive crashes and restores of Paywright.

use std::collections::{BTreeMap, BTreeSet};

use paywright_app::{
    AccountEvent, AttemptOutcome, EndpointFormat, EndpointId, EventRef, FeedAppend, FeedEvent, FeedLease, FeedPage,
    Lease, LeasedQueue, OutgoingWebhook, Position, QueueRelease, SecretGeneration, SubjectId,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use paywright_domain::order::OrderState;
use uuid::Uuid;

use crate::books::Violation;
use crate::invariants::{Checked, fail};
use crate::ports::parts_of;
use crate::store::{Tables, is_enabled, wants};

/// Lease on a queue, as its holder sees it.
#[derive(Debug, Clone, Copy)]
struct QueueLease {
    process: usize,
    owner: Uuid,
    taken: u32,
    since: Timestamp,
    until: Timestamp,
    /// Number of secret generations of the endpoint that had been stored by the time of the lease.
    generations: usize,
}

/// An event, or a part of one, that was leased for a delivery.
#[derive(Debug, Clone, Copy)]
struct Leased {
    place: Place,
    subject: SubjectId,
}

/// Position of an event, and index of a part of it.
type Place = (Position, u32);

/// Record of the feed, of the deliveries, and of what the receivers have accepted.
#[derive(Debug, Default)]
pub(crate) struct FeedBooks {
    /// Facts in the order of their positions.
    positions: Vec<EventRef>,
    /// The same facts.
    positioned: BTreeSet<EventRef>,
    /// Ids of the account events that were stored.
    account_events: BTreeSet<Uuid>,
    /// Lease of the relay, and its end.
    relay: Option<(FeedLease, Timestamp)>,
    queues: BTreeMap<(EndpointId, SubjectId), QueueLease>,
    /// Events that were leased for a delivery, by their ids.
    leased: BTreeMap<Uuid, Leased>,
    /// Secret generations of each endpoint, in the order in which they were stored.
    generations: BTreeMap<EndpointId, Vec<SecretGeneration>>,
    /// Endpoints in the order of their creation, with their first positions.
    pub(crate) endpoints: Vec<(EndpointId, Position)>,
    /// Events that were given up after their last attempt.
    given_up: BTreeSet<(EndpointId, Uuid)>,
    /// Events that a receiver has accepted, since the last replay.
    received: BTreeSet<(EndpointId, Uuid)>,
    /// First receipts of the events of one order by one endpoint, in the order of their arrival, with their places.
    receipts: BTreeMap<(EndpointId, SubjectId), Vec<(Uuid, Place)>>,
    /// Furthest place of each order that was sent to an endpoint, since the last restore from a backup.
    furthest: BTreeMap<(EndpointId, SubjectId), Place>,
    /// Endpoints that got events again by a replay.
    replayed: BTreeSet<EndpointId>,
    /// Events that an endpoint got again on request.
    resent: BTreeSet<(EndpointId, Position)>,
    /// Webhooks that arrive after their senders have timed out.
    pub(crate) late: Vec<OutgoingWebhook>,
    /// Position up to which a program has read the feed page by page.
    pub(crate) cursor: Position,
    /// Number of changes that may be work for a relay or a deliverer.
    pub(crate) changes: u32,
}

impl FeedBooks {
    /// Records that the feed was leased; a violation if another lease on it has not ended.
    pub(crate) fn lease_feed(&mut self, lease: &Lease, taken: FeedLease) -> Checked {
        let before = self.relay.replace((taken, lease.until));
        match before.filter(|(_, until)| *until > lease.now) {
            Some((_, until)) => fail(
                "lease",
                format!("the feed was leased to a second relay, and the first has its lease until {until}"),
            ),
            None => Ok(()),
        }
    }

    /// Records that a relay ends its lease.
    pub(crate) fn release_feed(&mut self, lease: FeedLease) {
        self.relay.take_if(|(held, _)| *held == lease);
    }

    /// I5: records that facts got positions; a violation if a fact has one already, or is before another one of its
    /// order that has.
    pub(crate) fn append(&mut self, append: &FeedAppend, last: Position) -> Checked {
        self.changes += 1;
        if let Some((_, until)) = self.relay.as_mut().filter(|(held, _)| *held == append.lease) {
            *until = append.until;
        }
        for fact in append.events.iter().copied() {
            let later = EventRef { subject: fact.subject, version: paywright_app::Version(u32::MAX), index: u16::MAX };
            if !self.positioned.insert(fact) {
                return fail("I5", format!("fact {} of version {} has two positions", fact.index, fact.version.0));
            }
            if self.positioned.range(fact..=later).nth(1).is_some() {
                return fail("I5", format!("a fact of version {} got its position after later ones", fact.version.0));
            }
            self.positions.push(fact);
        }
        if last != end_of(&self.positions) {
            return fail(
                "I5",
                format!("the feed ends at {}, and {} facts have positions", last.0, self.positions.len()),
            );
        }
        Ok(())
    }

    /// I5: records that a program reads a page of the feed after its cursor.
    pub(crate) fn read(&mut self, after: Position, page: &FeedPage) -> Checked {
        let mut at = after;
        for event in &page.events {
            at = at.plus(1);
            let known = usize::try_from(at.0 - 1).ok().and_then(|it| self.positions.get(it));
            if event.position != at || known != Some(&event.reference()) {
                return fail("I5", format!("a reader of the feed got another event than the one at {}", at.0));
            }
        }
        if page.next != at || (page.has_more && at == end_of(&self.positions)) {
            return fail("I5", format!("a page of the feed that ends at {} is followed by {}", at.0, page.next.0));
        }
        self.cursor = self.cursor.max(at);
        Ok(())
    }

    /// Records that account events were stored.
    pub(crate) fn add_account_events(&mut self, events: &[AccountEvent]) {
        self.changes += 1;
        self.account_events.extend(events.iter().map(|it| it.id));
    }

    /// Records a change that may be work for a relay or a deliverer.
    pub(crate) const fn note_change(&mut self) {
        self.changes += 1;
    }

    /// Records that an endpoint exists.
    pub(crate) fn add_endpoint(&mut self, id: EndpointId, position: Position) {
        if self.endpoints.iter().all(|(known, _)| *known != id) {
            self.endpoints.push((id, position));
        }
    }

    /// Records the secret generation that is stored now.
    pub(crate) fn store_generation(&mut self, id: EndpointId, stored: &SecretGeneration) {
        self.changes += 1;
        let of_endpoint = self.generations.entry(id).or_default();
        if of_endpoint.last().is_none_or(|known| known != stored) {
            of_endpoint.push(stored.clone());
        }
    }

    /// Records that an endpoint gets every event again on request: those that are not left in a queue must be received
    /// once more.
    pub(crate) fn replay(&mut self, endpoint: EndpointId, tables: &Tables) {
        self.changes += 1;
        self.replayed.insert(endpoint);
        let Self { received, leased, .. } = self;
        let is_sent_again = |id: &Uuid| {
            let event = leased.get(id);
            event.is_some_and(|it| tables.endpoints.has_passed(endpoint, it.subject, it.place.0))
        };
        received.retain(|(of, id)| *of != endpoint || !is_sent_again(id));
    }

    /// Records leases on queues; a violation if another lease on one has not ended, or if its endpoint is disabled.
    pub(crate) fn lease_queues(
        &mut self,
        process: usize,
        lease: &Lease,
        leased: &[LeasedQueue],
        tables: &Tables,
    ) -> Checked {
        for queue in leased {
            let (endpoint, subject) = (queue.endpoint, queue.subject);
            let stored = tables.endpoints.endpoints.get(&endpoint).map(|it| &it.endpoint.value);
            let Some(stored) = stored.filter(|it| is_enabled(it)) else {
                return fail("I5", format!("a delivery to endpoint {endpoint} was begun, which is disabled"));
            };
            if let Some(next) = &queue.next {
                let parts = webhooks_of(stored.format, next).into_iter().zip(0..);
                let parts = parts.map(|(id, part)| (id, Leased { place: (next.position, part), subject }));
                self.leased.extend(parts);
            }
            let (owner, since, until) = (lease.owner, lease.now, lease.until);
            let generations = self.generations.get(&queue.endpoint).map_or(0, Vec::len);
            let held = QueueLease { process, owner, taken: queue.taken, since, until, generations };
            let before = self.queues.insert((endpoint, subject), held);
            if let Some(before) = before.filter(|it| it.until > lease.now) {
                let until = before.until;
                let detail = format!("a queue was leased a second time, and its first lease ends at {until}");
                return fail("lease", detail);
            }
        }
        Ok(())
    }

    /// Records that holders end their leases of queues.
    pub(crate) fn release_queues(&mut self, releases: &[QueueRelease]) {
        self.changes += 1;
        for release in releases {
            let key = (release.endpoint, release.subject);
            let is_it = |it: &QueueLease| (it.owner, it.taken) == (release.owner, release.taken);
            if self.queues.get(&key).is_some_and(is_it) {
                self.queues.remove(&key);
            }
            if let Some(attempt) = release.attempt.as_ref().filter(|it| it.outcome == AttemptOutcome::Failed) {
                self.given_up.insert((attempt.endpoint, attempt.event));
            }
        }
    }

    /// I5: a deliverer sends a webhook; a violation if another process has a lease on the queue, or if the webhook is
    /// not signed as it must be.
    pub(crate) fn send(&mut self, process: usize, webhook: &OutgoingWebhook, now: Timestamp) -> Checked {
        let endpoint = webhook.endpoint;
        let Some(leased) = self.leased.get(&webhook.id).copied() else {
            return fail("I5", format!("a webhook has the id {}, which no event has", webhook.id));
        };
        self.advance(endpoint, leased)?;
        let lease = self.queues.get(&(endpoint, leased.subject));
        if let Some(other) = lease.filter(|it| it.process != process && it.until > now) {
            let detail = format!("a webhook is sent while process {} has the lease of its queue", other.process);
            return fail("I5", format!("{detail} until {}", other.until));
        }
        let own = lease.filter(|it| it.process == process);
        let since = own.map_or(now, |it| it.since);
        let stored = self.generations.get(&endpoint).map(Vec::as_slice).unwrap_or_default();
        // Generations that were stored at some time of the lease. Several may be of one moment.
        let first = own.map_or(stored.len(), |it| it.generations).saturating_sub(1);
        let mut meanwhile = stored.iter().skip(first);
        let is_right = |it: &SecretGeneration| [since, now].map(|at| signing(it, at)).contains(&webhook.generations);
        if !meanwhile.any(is_right) {
            let detail = format!("a webhook is signed with the secrets {:?} of {stored:?}", webhook.generations);
            return fail("I5", detail);
        }
        Ok(())
    }

    /// I5: an event, or a part of one, is sent; a violation if a later one of its order was sent already, and it is not
    /// sent again on request.
    fn advance(&mut self, endpoint: EndpointId, Leased { place, subject }: Leased) -> Checked {
        let furthest = self.furthest.entry((endpoint, subject)).or_insert(place);
        let is_requested = self.replayed.contains(&endpoint) || self.resent.contains(&(endpoint, place.0));
        if place < *furthest && !is_requested {
            let ((Position(at), part), (Position(later), later_part)) = (place, *furthest);
            let detail = format!("part {part} of event {at} is sent after part {later_part} of event {later}");
            return fail("I5", detail);
        }
        *furthest = place.max(*furthest);
        Ok(())
    }

    /// Records that an event is sent again on request.
    pub(crate) fn resend(&mut self, endpoint: EndpointId, position: Position) {
        self.changes += 1;
        self.resent.insert((endpoint, position));
    }

    /// A receiver accepts a webhook.
    pub(crate) fn receive(&mut self, webhook: &OutgoingWebhook) {
        let Some(leased) = self.leased.get(&webhook.id) else { return };
        self.received.insert((webhook.endpoint, webhook.id));
        let receipts = self.receipts.entry((webhook.endpoint, leased.subject)).or_default();
        if receipts.iter().all(|(id, _)| *id != webhook.id) {
            receipts.push((webhook.id, leased.place));
        }
    }

    /// Removes what a restore from a backup loses: positions, endpoints and secrets since the backup, and all leases.
    /// Events that the restored feed does not have were not received: they are others.
    pub(crate) fn forget(&mut self, tables: &Tables) {
        self.positions = tables.positions().map(|(_, (event, _))| event).collect();
        self.positioned = self.positions.iter().copied().collect();
        self.relay = None;
        self.queues.clear();
        self.furthest.clear();
        self.generations.clear();
        let stored = &tables.endpoints.endpoints;
        for (id, it) in stored {
            self.store_generation(*id, &it.endpoint.value.secret);
        }
        self.endpoints.retain(|(id, _)| stored.contains_key(id));
        self.account_events = tables.account_events().map(|it| it.id).collect();
        let events = tables.positions().filter_map(|(position, _)| tables.feed_event(position));
        let in_each = |event: FeedEvent| EndpointFormat::ALL.map(|it| webhooks_of(it, &event)).concat();
        let kept: BTreeSet<Uuid> = events.flat_map(in_each).collect();
        self.leased.retain(|id, _| kept.contains(id));
        self.given_up.retain(|(_, id)| kept.contains(id));
        self.received.retain(|(_, id)| kept.contains(id));
        self.receipts.values_mut().for_each(|it| it.retain(|(id, _)| kept.contains(id)));
        self.cursor = self.cursor.min(end_of(&self.positions));
        self.changes += 1;
    }

    /// I5: checks the feed and the receipts once the run is at rest.
    pub(crate) fn at_rest(&self, tables: &Tables) -> Checked {
        let expected = (1..).map(Position).zip(self.positions.iter().copied());
        if !tables.positions().map(|(position, (event, _))| (position, event)).eq(expected) {
            return fail("I5", "the feed has other events than those that got its positions".to_owned());
        }
        self.every_public_fact_is_in_the_feed(tables)?;
        self.endpoints.iter().try_for_each(|(id, first)| self.everything_is_received(*id, *first, tables))
    }

    /// The feed has each public fact, and one `order.paid` for each paid order and for no other.
    fn every_public_fact_is_in_the_feed(&self, tables: &Tables) -> Checked {
        let mut count = 0;
        for (order, facts) in &tables.facts {
            let mut before = None;
            let mut index = 0;
            for recorded in facts {
                index = if before == Some(recorded.version) { index + 1 } else { 0 };
                before = Some(recorded.version);
                let fact = EventRef { subject: (*order).into(), version: recorded.version, index };
                let is_public = FeedEventType::of(&recorded.fact).is_some();
                count += usize::from(is_public);
                if is_public != self.positioned.contains(&fact) {
                    let (kind, version) = (recorded.fact.kind(), recorded.version.0);
                    let detail = format!("{kind} of version {version} is not in the feed as it should be");
                    return fail("I5", detail);
                }
            }
        }
        let of_account = tables.positions().filter(|(_, (event, _))| event.subject.order().is_none());
        let told = of_account.filter_map(|(position, _)| tables.feed_event(position)).map(|it| it.id());
        let told: Vec<Uuid> = told.collect();
        if told.len() != self.account_events.len() || !told.iter().all(|it| self.account_events.contains(it)) {
            let stored = self.account_events.len();
            return fail("I5", format!("the feed has {} account events, and {stored} were stored", told.len()));
        }
        count += told.len();
        if count != self.positions.len() {
            return fail("I5", format!("the feed has {} events, and {count} were committed", self.positions.len()));
        }
        for (order, stored) in &tables.orders {
            let is_it = |kind: FeedEventType| kind == FeedEventType::OrderPaid;
            let paid = tables
                .positions()
                .filter(|(_, (event, kind))| event.subject.order() == Some(*order) && is_it(*kind))
                .count();
            if paid != usize::from(matches!(stored.value.state, OrderState::Paid { .. })) {
                let state = stored.value.state.name();
                return fail("I5", format!("the feed has {paid} order.paid of an order that is {state}"));
            }
        }
        Ok(())
    }

    /// An enabled endpoint has received what it wants. Each event was received for the first time after the earlier ones
    /// of its order, also while events were replayed and sent again; those before the endpoint's first position and those
    /// that were given up do not count.
    fn everything_is_received(&self, id: EndpointId, first: Position, tables: &Tables) -> Checked {
        let stored = tables.endpoints.endpoints.get(&id).map(|it| &it.endpoint.value);
        let Some(endpoint) = stored.filter(|it| is_enabled(it)) else { return Ok(()) };
        for (position, _) in tables.positions().filter(|(position, it)| *position > first && wants(endpoint, *it)) {
            let Some(event) = tables.feed_event(position) else { continue };
            for (webhook, part) in webhooks_of(endpoint.format, &event).into_iter().zip(0_u32..) {
                let key = (id, webhook);
                if !self.received.contains(&key) && !self.given_up.contains(&key) {
                    let what = format!("part {part} of event {} ({})", position.0, event.kind.name());
                    let version = event.reference().version.0;
                    return fail("I5", format!("endpoint {id} never received {what} of version {version}"));
                }
            }
        }
        for receipts in self.receipts.iter().filter(|((endpoint, _), _)| *endpoint == id).map(|(_, it)| it) {
            let counts = |(event, (at, _)): &&(Uuid, Place)| *at > first && !self.given_up.contains(&(id, *event));
            let positions: Vec<_> = receipts.iter().filter(counts).map(|(_, at)| *at).collect();
            if !positions.is_sorted() {
                let positions: Vec<_> = positions.iter().map(|(at, part)| (at.0, *part)).collect();
                return fail("I5", format!("endpoint {id} received the events of one order as {positions:?}"));
            }
        }
        Ok(())
    }

    /// Something of the feed that is still under way.
    pub(crate) fn unfinished(tables: &Tables) -> Option<Violation> {
        let detail = if let Some(fact) = tables.unpositioned().next() {
            format!("fact {} of version {} has no position", fact.index, fact.version.0)
        } else if let Some(endpoint) = tables.endpoint_behind() {
            format!("endpoint {endpoint} is behind the feed")
        } else {
            let (endpoint, _) = tables.endpoints.first_queue()?;
            format!("events for endpoint {endpoint} are left in a queue")
        };
        Some(Violation::of("I6", detail))
    }
}

/// Generations that must sign at a time: the current one, and the one before until its end.
fn signing(stored: &SecretGeneration, at: Timestamp) -> Vec<u32> {
    let before = stored.previous_until.filter(|it| *it > at).map(|_| stored.current - 1);
    [stored.current].into_iter().chain(before).collect()
}

/// Ids of the webhooks that an event becomes in a format.
fn webhooks_of(format: EndpointFormat, event: &FeedEvent) -> Vec<Uuid> {
    match format {
        EndpointFormat::Standard => vec![event.id()],
        EndpointFormat::Spree => (0..parts_of(event.kind)).map(|it| event.part_id(it)).collect(),
    }
}

/// Position of the last of these facts.
fn end_of(positions: &[EventRef]) -> Position {
    Position(u64::try_from(positions.len()).unwrap_or(u64::MAX))
}
