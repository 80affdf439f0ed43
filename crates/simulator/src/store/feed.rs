//! Feed of the store in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paywright_app::{
    AccountEvent, Changes, DeletedFeedEvents, EventContent, EventRef, Feed, FeedAppend, FeedEvent, FeedLease,
    FeedQuery, FeedRange, Lease, OrderEvent, OrderSnapshot, Position, StoreError, SubjectId, Version,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;

use super::MemoryStore;
use super::tables::{Held, Tables, is_free_for};

/// Name of an event, and its type.
pub(crate) type EventRow = (EventRef, FeedEventType);

/// Tables of the feed.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct FeedTables {
    /// Events without a position, in the order of their commits.
    unpositioned: Vec<EventRow>,
    pub(super) events: BTreeMap<Position, EventRow>,
    snapshots: BTreeMap<(SubjectId, Version), OrderSnapshot>,
    /// Events of the account, by their subjects and numbers.
    account_events: BTreeMap<(SubjectId, Version), AccountEvent>,
    pub(super) range: FeedRange,
    taken: u32,
    held: Option<Held>,
}

impl FeedTables {
    /// Stores the public facts of a commit without positions, and the snapshot for them.
    pub(super) fn commit(&mut self, changes: &Changes) {
        let (subject, version) = (changes.order.id.into(), changes.expected.next());
        let fact = |(index, kind)| (EventRef { subject, version, index }, kind);
        self.unpositioned.extend(changes.public_facts().map(fact));
        if let Some(snapshot) = &changes.snapshot {
            self.snapshots.insert((subject, version), snapshot.clone());
        }
    }

    /// Stores events of the account without positions, each after the earlier ones of its subject.
    pub(super) fn add_account_events(&mut self, events: &[AccountEvent]) {
        for event in events {
            if self.account_events.values().any(|it| it.id == event.id) {
                continue;
            }
            let of_subject = self.account_events.keys().filter(|(subject, _)| *subject == event.subject);
            let number = of_subject.map(|(_, number)| *number).max().unwrap_or(Version::NEW).next();
            let name = EventRef { subject: event.subject, version: number, index: 0 };
            self.unpositioned.push((name, event.kind));
            self.account_events.insert((event.subject, number), event.clone());
        }
    }

    fn unpositioned_events(&self, limit: u16) -> Vec<EventRef> {
        self.unpositioned.iter().take(limit.into()).map(|(event, _)| *event).collect()
    }

    fn lease(&mut self, lease: &Lease) -> Option<FeedLease> {
        if !is_free_for(self.held, lease) {
            return None;
        }
        self.taken += 1;
        self.held = Some(Held { by: lease.owner, until: lease.until });
        Some(FeedLease { owner: lease.owner, taken: self.taken })
    }

    /// Whether the feed is under this lease.
    fn is_under(&self, lease: FeedLease) -> bool {
        self.held.is_some_and(|it| it.by == lease.owner) && self.taken == lease.taken
    }

    fn append(&mut self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        if !self.is_under(append.lease) {
            return Ok(None);
        }
        if !self.unpositioned.iter().take(append.events.len()).map(|(event, _)| event).eq(&append.events) {
            return Err(StoreError::Corrupt("the events are not the first ones without a position".into()));
        }
        let row_of = |event: &EventRef| {
            let mut rows = self.unpositioned.iter().chain(self.events.values());
            rows.find(|(it, _)| it == event).copied()
        };
        let rows: Vec<EventRow> = append.events.iter().filter_map(row_of).collect();
        self.unpositioned.retain(|(event, _)| !append.events.contains(event));
        for row in rows {
            self.range.last = self.range.last.plus(1);
            self.events.insert(self.range.last, row);
        }
        self.held = Some(Held { by: append.lease.owner, until: append.until });
        Ok(Some(self.range.last))
    }

    fn release(&mut self, lease: FeedLease) {
        if self.is_under(lease) {
            self.held = None;
        }
    }

    /// Position of the last event.
    pub(super) const fn last(&self) -> Position {
        self.range.last
    }

    /// Events at the positions after `after` up to `until`.
    pub(super) fn between(&self, after: Position, until: Position) -> impl Iterator<Item = (Position, EventRow)> {
        let wanted = (after < until).then(|| self.events.range(after.plus(1)..=until));
        wanted.into_iter().flatten().map(|(position, row)| (*position, *row))
    }

    fn delete_first(&mut self) -> Option<()> {
        let (position, (deleted, _)) = self.events.pop_first()?;
        self.range.deleted = position;
        let version = (deleted.subject, deleted.version);
        if !self.unpositioned.iter().chain(self.events.values()).any(|(it, _)| (it.subject, it.version) == version) {
            self.snapshots.remove(&version);
            self.account_events.remove(&version);
        }
        Some(())
    }
}

impl Tables {
    /// Events without a position, in the order of their commits.
    pub(crate) fn unpositioned(&self) -> impl Iterator<Item = EventRef> {
        self.feed.unpositioned.iter().map(|(event, _)| *event)
    }

    /// Whether events have no positions, or an enabled endpoint is behind the feed.
    pub(crate) fn has_work_for_relay(&self) -> bool {
        !self.feed.unpositioned.is_empty() || self.endpoint_behind().is_some()
    }

    /// Names and types of the events of the feed, with their positions.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Position, EventRow)> {
        self.feed.events.iter().map(|(position, row)| (*position, *row))
    }

    /// Event at a position.
    pub(crate) fn feed_event(&self, position: Position) -> Option<FeedEvent> {
        let (event, kind) = *self.feed.events.get(&position)?;
        let Some(order) = event.subject.order() else {
            let number = event.version;
            let event = self.feed.account_events.get(&(event.subject, number))?.clone();
            return Some(FeedEvent { position, kind, content: EventContent::Account { number, event } });
        };
        let mut of_version = self.facts.get(&order)?.iter().filter(|it| it.version == event.version);
        let recorded = of_version.nth(usize::from(event.index))?.clone();
        let snapshot = self.feed.snapshots.get(&(event.subject, event.version)).cloned().unwrap_or_default();
        let content = EventContent::Order(Box::new(OrderEvent { order, index: event.index, recorded, snapshot }));
        Some(FeedEvent { position, kind, content })
    }

    /// Account events that are stored.
    pub(crate) fn account_events(&self) -> impl Iterator<Item = &AccountEvent> {
        self.feed.account_events.values()
    }

    fn feed_events(&self, query: &FeedQuery) -> Vec<FeedEvent> {
        let is_wanted = |(event, kind): EventRow| {
            (query.types.is_empty() || query.types.contains(&kind))
                && query.order.is_none_or(|order| event.subject.order() == Some(order))
        };
        let wanted = self.feed.between(query.after, query.until).filter(|(_, row)| is_wanted(*row));
        wanted.take(usize::from(query.limit)).filter_map(|(position, _)| self.feed_event(position)).collect()
    }

    fn delete_feed_events(&mut self, before: Timestamp, limit: u16) -> DeletedFeedEvents {
        let mut deleted = DeletedFeedEvents::default();
        while let Some((position, (event, _))) = self.feed.events.first_key_value().map(|(at, row)| (*at, *row)) {
            if self.feed_event(position).is_none_or(|it| it.at() >= before) {
                break;
            }
            deleted.is_held = self.endpoints.awaits(position, event.subject);
            if deleted.is_held || deleted.count == limit || self.feed.delete_first().is_none() {
                break;
            }
            deleted.count += 1;
        }
        deleted
    }
}

#[async_trait]
impl Feed for MemoryStore {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        Ok(self.read(|it| it.feed.unpositioned_events(limit)))
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        let lease = *lease;
        Ok(self.write(move |it| it.feed.lease(&lease)))
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let append = append.clone();
        self.write(move |it| it.feed.append(&append))
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.write(move |it| it.feed.release(lease));
        Ok(())
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        Ok(self.read(|it| it.feed.range))
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        Ok(self.read(|it| it.feed_events(query)))
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        Ok(self.write(move |it| it.delete_feed_events(before, limit)))
    }
}
