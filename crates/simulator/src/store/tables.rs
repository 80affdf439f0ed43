//! Tables of the store in memory, and the effect of each write on them, as plain values.

use std::collections::{BTreeMap, BTreeSet};

use paywright_app::{
    Actor, ApiKey, AuditEntry, AuditQuery, Changes, CompletedOrdersQuery, Cursor, CursorDue, EventClosing, EventStatus,
    IdempotencyKey, IdempotencyRecord, Installation, KeyReplacement, KeyUse, LateTasks, Lease, LeasedEvent, LeasedTask,
    LostOrderDecision, OrderFilter, OrderQuery, OrderRef, OrderSearch, OrderSort, ReceivedEvent, RecordedFact,
    Rescheduled, Scope, StoreError, StoredTask, TaskRelease, Version, Versioned, is_completed,
};
use paywright_domain::id::{CustomerId, Epoch, InstallationId};
use paywright_domain::task::TaskKey;
use paywright_domain::{IntentId, Order, OrderId, Task, Timestamp};
use uuid::Uuid;

use super::books::BooksTables;
use super::endpoints::EndpointTables;
use super::feed::FeedTables;

/// Installation whose store it is.
pub(crate) const INSTALLATION: InstallationId = InstallationId(Uuid::nil());

/// Name of the cursor of the books.
pub(crate) const BOOKS_CURSOR: &str = "books";

/// Tables of the store.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Tables {
    pub(crate) orders: BTreeMap<OrderId, Versioned<Order>>,
    numbers: BTreeMap<String, OrderId>,
    pub(super) intents: BTreeMap<IntentId, OrderId>,
    pub(crate) facts: BTreeMap<OrderId, Vec<RecordedFact>>,
    pub(crate) tasks: BTreeMap<(OrderId, TaskKey), TaskRow>,
    idempotency: BTreeMap<(Uuid, String), IdempotencyRecord>,
    pub(crate) events: BTreeMap<String, EventRow>,
    cursors: BTreeMap<String, CursorRow>,
    keys: BTreeMap<Uuid, ApiKey>,
    key_uses: BTreeMap<(Uuid, Scope), Timestamp>,
    pub(crate) audit: Vec<AuditEntry>,
    damaged: BTreeSet<OrderId>,
    epoch: Epoch,
    /// Lost orders, by the end of their ids.
    lost: BTreeMap<u128, (OrderId, Option<LostOrderDecision>)>,
    pub(crate) feed: FeedTables,
    pub(crate) endpoints: EndpointTables,
    pub(crate) books: BooksTables,
}

/// Lease on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(super) by: Uuid,
    pub(super) until: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskRow {
    pub(crate) task: Task,
    pub(crate) due_at: Timestamp,
    taken: u32,
    pub(crate) held: Option<Held>,
    error: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRow {
    pub(crate) event: ReceivedEvent,
    taken: u32,
    pub(crate) held: Option<Held>,
}

#[derive(Debug, Clone, PartialEq)]
struct CursorRow {
    cursor: Cursor,
    due_at: Timestamp,
    held: Option<Held>,
}

/// End of an order's id, without its time.
fn tail_of(id: OrderId) -> u128 {
    id.0.as_u128() << 48
}

/// Whether a row can be leased: no unexpired lease is on it.
pub(super) fn is_free_for(held: Option<Held>, lease: &Lease) -> bool {
    held.is_none_or(|it| it.until <= lease.now || it.until > lease.until_max())
}

/// Time at which a row is both due and free of its lease.
pub(super) fn free_at(due_at: Timestamp, held: Option<Held>) -> Timestamp {
    held.map_or(due_at, |it| it.until.max(due_at))
}

impl Tables {
    pub(crate) fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        let id = match which {
            OrderRef::Id(id) => Some(id),
            OrderRef::Number(number) => self.numbers.get(number.as_str()),
            OrderRef::Intent(intent) => self.intents.get(intent),
        };
        if id.is_some_and(|it| self.damaged.contains(it)) {
            return Err(StoreError::Corrupt("the row was damaged".into()));
        }
        let read = |it: &Versioned<Order>| {
            let Versioned { version, value } = it.clone();
            Versioned { version, value: value.in_epoch(self.epoch) }
        };
        Ok(id.and_then(|it| self.orders.get(it)).map(read))
    }

    pub(crate) fn orders(&self, query: &OrderQuery) -> Vec<Order> {
        let wanted = |it: &&Order| query.admits(it);
        let newest_first = self.orders.values().rev().map(|it| &it.value);
        newest_first.filter(wanted).take(usize::from(query.limit)).map(|it| it.clone().in_epoch(self.epoch)).collect()
    }

    fn completed<'a>(&'a self, customer: &'a CustomerId) -> impl DoubleEndedIterator<Item = &'a Order> {
        let facts = |id| self.facts.get(id).map(Vec::as_slice).unwrap_or_default();
        let orders = self.orders.iter().map(|(id, it)| (id, &it.value));
        let own = orders.filter(move |(_, it)| it.customer.as_ref() == Some(customer));
        own.filter(move |(id, it)| is_completed(it, facts(id))).map(|(_, it)| it)
    }

    pub(crate) fn completed_orders(&self, query: &CompletedOrdersQuery) -> Vec<Order> {
        let mut orders: Vec<&Order> = self.completed(&query.customer).collect();
        if !query.oldest_first {
            orders.reverse();
        }
        let page = orders.into_iter().skip(usize::try_from(query.offset).unwrap_or(usize::MAX));
        page.take(usize::from(query.limit)).map(|it| it.clone().in_epoch(self.epoch)).collect()
    }

    pub(crate) fn count_completed_orders(&self, customer: &CustomerId) -> u64 {
        self.completed(customer).fold(0, |count, _| count + 1)
    }

    pub(crate) fn search_orders(&self, search: &OrderSearch) -> Vec<Order> {
        let mut orders: Vec<&Order> = self.admitted(&search.filter).collect();
        match search.sort {
            OrderSort::Id | OrderSort::IdDescending => {}
            OrderSort::Number | OrderSort::NumberDescending => orders.sort_by_key(|it| it.number.as_str()),
            OrderSort::UpdatedAt | OrderSort::UpdatedAtDescending => orders.sort_by_key(|it| (it.updated_at, it.id)),
        }
        match search.sort {
            OrderSort::Id | OrderSort::Number | OrderSort::UpdatedAt => {}
            OrderSort::IdDescending | OrderSort::NumberDescending | OrderSort::UpdatedAtDescending => orders.reverse(),
        }
        let page = orders.into_iter().skip(usize::try_from(search.offset).unwrap_or(usize::MAX));
        page.take(usize::from(search.limit)).map(|it| it.clone().in_epoch(self.epoch)).collect()
    }

    pub(crate) fn count_orders(&self, filter: &OrderFilter) -> u64 {
        self.admitted(filter).fold(0, |count, _| count + 1)
    }

    fn admitted<'a>(&'a self, filter: &'a OrderFilter) -> impl Iterator<Item = &'a Order> {
        self.orders.values().map(|it| &it.value).filter(|it| filter.admits(it))
    }

    pub(crate) fn facts(&self, order: OrderId) -> Vec<RecordedFact> {
        self.facts.get(&order).cloned().unwrap_or_default()
    }

    pub(crate) fn idempotency_record(&self, key: &IdempotencyKey) -> Option<IdempotencyRecord> {
        self.idempotency.get(&(key.scope, key.key.clone())).cloned()
    }

    pub(crate) fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let order = &changes.order;
        if self.is_stale(changes) {
            return Err(StoreError::Conflict);
        }
        if let Some(record) = &changes.idempotency {
            let key = (record.key.scope, record.key.key.clone());
            let is_lost = changes.expected == Version::NEW && self.lost.contains_key(&tail_of(order.id));
            if is_lost || self.idempotency.contains_key(&key) {
                return Err(StoreError::Conflict);
            }
            self.idempotency.insert(key, record.clone());
        }
        let version = changes.expected.next();
        self.numbers.insert(order.number.as_str().to_owned(), order.id);
        for intent in &order.intents {
            self.intents.insert(intent.id.clone(), order.id);
        }
        let cause = &changes.cause;
        let facts = changes.facts.iter();
        let facts =
            facts.map(|fact| RecordedFact { version, fact: fact.clone(), at: changes.at, cause: cause.clone() });
        self.facts.entry(order.id).or_default().extend(facts);
        for scheduled in &changes.tasks {
            let row = || TaskRow {
                task: scheduled.task.clone(),
                due_at: scheduled.due_at,
                taken: 0,
                held: None,
                error: None,
            };
            self.tasks.entry((order.id, scheduled.task.key())).or_insert_with(row);
        }
        for key in &changes.finished {
            self.tasks.remove(&(order.id, key.clone()));
        }
        if let Some(event) = &changes.received {
            self.record_event(event);
        }
        self.feed.commit(changes);
        self.audit.extend(changes.audit.iter().cloned());
        self.orders.insert(order.id, Versioned { version, value: order.clone() });
        Ok(())
    }

    /// Whether `changes` were decided on a version that is no longer the stored one.
    fn is_stale(&self, changes: &Changes) -> bool {
        let order = &changes.order;
        match self.orders.get(&order.id) {
            None => changes.expected != Version::NEW || self.numbers.contains_key(order.number.as_str()),
            Some(stored) => stored.version != changes.expected,
        }
    }

    pub(crate) fn lease_tasks(&mut self, lease: &Lease) -> Vec<LeasedTask> {
        let is_due = |it: &TaskRow| it.due_at <= lease.now && is_free_for(it.held, lease);
        let mut due: Vec<_> =
            self.tasks.iter().filter(|(_, row)| is_due(row)).map(|(key, row)| (row.due_at, key.clone())).collect();
        due.sort();
        due.truncate(usize::from(lease.limit));
        let taken = due.into_iter().filter_map(|(_, key)| {
            let row = self.tasks.get_mut(&key)?;
            row.taken += 1;
            row.held = Some(Held { by: lease.owner, until: lease.until });
            Some(LeasedTask { order: key.0, task: row.task.clone(), taken: row.taken })
        });
        taken.collect()
    }

    pub(crate) fn release_task(&mut self, release: &TaskRelease) -> bool {
        let key = (release.order, release.key.clone());
        let Some(row) = self.tasks.get_mut(&key) else { return false };
        if row.held.is_none_or(|it| it.by != release.owner) || row.taken != release.taken {
            return false;
        }
        match release.again_at {
            None => drop(self.tasks.remove(&key)),
            Some(again_at) => {
                row.due_at = again_at;
                row.held = None;
                row.error.clone_from(&release.error);
            }
        }
        true
    }

    pub(crate) fn reschedule_tasks(&mut self, late: &LateTasks) -> Rescheduled {
        let later = self.tasks.iter().filter(|(_, row)| row.due_at > late.after);
        let mut page: Vec<_> = later.map(|(key, row)| (row.due_at, key.clone())).collect();
        page.sort();
        let more = page.len() >= usize::from(late.limit);
        page.truncate(usize::from(late.limit));
        let mut done = Rescheduled { count: 0, next: page.last().filter(|_| more).map(|it| it.0) };
        for (due_at, key) in page {
            if late.is_late(&key.1, due_at)
                && let Some(row) = self.tasks.get_mut(&key)
            {
                row.due_at = late.now;
                done.count += 1;
            }
        }
        done
    }

    pub(crate) fn tasks(&self, order: OrderId) -> Vec<StoredTask> {
        let of_order = self.tasks.iter().filter(|((id, _), _)| *id == order);
        let mut tasks: Vec<_> = of_order
            .map(|(_, row)| StoredTask {
                task: row.task.clone(),
                due_at: row.due_at,
                taken: row.taken,
                leased_until: row.held.map(|it| it.until),
                error: row.error.clone(),
            })
            .collect();
        tasks.sort_by_key(|it| it.due_at);
        tasks
    }

    pub(crate) fn record_event(&mut self, event: &ReceivedEvent) -> bool {
        if self.events.contains_key(&event.id) {
            return false;
        }
        self.events.insert(event.id.clone(), EventRow { event: event.clone(), taken: 0, held: None });
        true
    }

    pub(crate) fn known_events(&self, ids: &[String]) -> Vec<String> {
        ids.iter().filter(|it| self.events.contains_key(*it)).cloned().collect()
    }

    pub(crate) fn lease_events(&mut self, lease: &Lease) -> Vec<LeasedEvent> {
        let is_due = |it: &EventRow| {
            it.event.status == EventStatus::Parked
                && it.event.due_at.is_some_and(|due| due <= lease.now || due > lease.event_due_max())
                && is_free_for(it.held, lease)
        };
        let mut due: Vec<_> =
            self.events.values().filter(|it| is_due(it)).map(|it| (it.event.due_at, it.event.id.clone())).collect();
        due.sort();
        due.truncate(usize::from(lease.limit));
        let taken = due.into_iter().filter_map(|(_, id)| {
            let row = self.events.get_mut(&id)?;
            row.taken += 1;
            row.held = Some(Held { by: lease.owner, until: lease.until });
            let event = &row.event;
            Some(LeasedEvent {
                id,
                kind: event.kind.clone(),
                received_at: event.received_at,
                update: event.update.clone(),
                taken: row.taken,
            })
        });
        taken.collect()
    }

    pub(crate) fn close_event(&mut self, closing: &EventClosing) -> bool {
        let Some(row) = self.events.get_mut(&closing.id) else { return false };
        if row.held.is_none_or(|it| it.by != closing.owner) || row.taken != closing.taken {
            return false;
        }
        row.event.status = closing.status;
        row.event.error.clone_from(&closing.error);
        row.event.due_at = closing.again_at;
        row.event.order = closing.order.or(row.event.order);
        row.held = None;
        true
    }

    pub(crate) fn delete_events(&mut self, before: Timestamp, limit: u16) -> u16 {
        let is_old = |it: &ReceivedEvent| it.received_at < before && it.created_at < before;
        let done_with = |it: &&EventRow| is_old(&it.event) && it.event.status != EventStatus::Parked;
        let mut old: Vec<_> =
            self.events.values().filter(done_with).map(|it| (it.event.received_at, it.event.id.clone())).collect();
        old.sort();
        old.truncate(limit.into());
        for (_, id) in &old {
            self.events.remove(id);
        }
        u16::try_from(old.len()).unwrap_or(limit)
    }

    pub(crate) fn delete_idempotency_records(&mut self, before: Timestamp, limit: u16) -> u16 {
        let records = self.idempotency.iter().filter(|(_, it)| it.at < before);
        let mut old: Vec<_> = records.map(|(key, it)| (it.at, key.clone())).collect();
        old.sort();
        old.truncate(limit.into());
        for (_, key) in &old {
            self.idempotency.remove(key);
        }
        u16::try_from(old.len()).unwrap_or(limit)
    }

    pub(crate) fn lease_cursor(&mut self, name: &str, lease: &Lease, due: CursorDue) -> Option<Cursor> {
        let new = || CursorRow { cursor: Cursor::default(), due_at: lease.now, held: None };
        let row = self.cursors.entry(name.to_owned()).or_insert_with(new);
        let is_due = row.due_at <= due.by || row.due_at > due.latest;
        if !is_due || !is_free_for(row.held, lease) {
            return None;
        }
        row.held = Some(Held { by: lease.owner, until: lease.until });
        Some(row.cursor.clone())
    }

    /// Whether the stored cursor is already at this position.
    pub(crate) fn is_at(&self, name: &str, cursor: &Cursor) -> bool {
        self.cursors.get(name).is_some_and(|it| it.cursor == *cursor)
    }

    pub(crate) fn move_cursor(&mut self, name: &str, owner: Uuid, cursor: &Cursor, due_at: Timestamp) -> bool {
        let held = self.cursors.get_mut(name).filter(|it| it.held.is_some_and(|it| it.by == owner));
        let Some(row) = held else { return false };
        *row = CursorRow { cursor: cursor.clone(), due_at, held: None };
        true
    }

    pub(crate) fn api_key(&self, digest: &[u8; 32]) -> Option<ApiKey> {
        self.keys.values().find(|it| it.digest == *digest).cloned()
    }

    pub(crate) fn add_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        if self.keys.values().any(|it| it.id == key.id || it.digest == key.digest) {
            return Err(StoreError::Conflict);
        }
        self.keys.insert(key.id, key.clone());
        Ok(())
    }

    pub(crate) fn api_keys(&self) -> Vec<ApiKey> {
        let mut keys: Vec<_> = self.keys.values().cloned().collect();
        keys.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.id)));
        keys
    }

    pub(crate) fn revoke_api_key(&mut self, id: Uuid, entry: &AuditEntry) -> bool {
        let Some(key) = self.keys.get_mut(&id) else { return false };
        if key.revoked_at.is_none() {
            key.revoked_at = Some(entry.at);
            self.audit.push(entry.clone());
        }
        true
    }

    /// Performs a change with its entries of the audit trail.
    pub(crate) fn recorded(
        &mut self,
        entries: &[AuditEntry],
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.audit.iter().any(|it| entries.iter().any(|entry| it.id == entry.id)) {
            return Err(StoreError::Conflict);
        }
        change(self)?;
        self.audit.extend_from_slice(entries);
        Ok(())
    }

    pub(crate) fn audit_entries(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let admits = |it: &&AuditEntry| {
            query.older_than.is_none_or(|end| it.id < end)
                && query.subject.as_ref().is_none_or(|subject| it.subject == *subject)
                && query
                    .key
                    .is_none_or(|key| it.actor.as_ref().and_then(Actor::api_key).is_some_and(|(id, _)| id == key))
        };
        let mut found: Vec<_> = self.audit.iter().filter(admits).cloned().collect();
        found.sort_by_key(|it| std::cmp::Reverse(it.id));
        found.truncate(usize::from(query.limit));
        found
    }

    pub(crate) fn replace_api_key(&mut self, replacement: &KeyReplacement) -> Result<(), StoreError> {
        let KeyReplacement { old, old_until, new } = replacement;
        if self.keys.get(old).is_none_or(|it| it.replaced_by.is_some()) {
            return Err(StoreError::Conflict);
        }
        self.add_api_key(new)?;
        if let Some(key) = self.keys.get_mut(old) {
            key.expires_at = Some(key.expires_at.map_or(*old_until, |it| it.min(*old_until)));
            key.replaced_by = Some(new.id);
        }
        Ok(())
    }

    pub(crate) fn record_key_uses(&mut self, uses: &[KeyUse]) {
        for it in uses.iter().filter(|it| self.keys.contains_key(&it.key)) {
            let last_used = self.key_uses.entry((it.key, it.scope)).or_insert(it.last_used);
            *last_used = (*last_used).max(it.last_used);
        }
    }

    pub(crate) fn key_uses(&self) -> Vec<KeyUse> {
        self.key_uses.iter().map(|(&(key, scope), &last_used)| KeyUse { key, scope, last_used }).collect()
    }

    pub(crate) const fn installation(&self) -> Installation {
        Installation { id: INSTALLATION, epoch: self.epoch }
    }

    pub(crate) fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    pub(crate) fn add_lost_order(&mut self, order: OrderId) {
        self.lost.entry(tail_of(order)).or_insert((order, None));
    }

    pub(crate) fn lost_order(&self, like: OrderId) -> Option<OrderId> {
        self.lost.get(&tail_of(like)).map(|it| it.0)
    }

    pub(crate) fn decide_on_lost_order(
        &mut self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Option<LostOrderDecision> {
        let (_, decided) = self.lost.get_mut(&tail_of(order)).filter(|it| it.0 == order)?;
        *decided = decided.or(decision);
        *decided
    }

    pub(crate) fn damage(&mut self, order: OrderId) {
        self.damaged.insert(order);
    }

    /// Time at which the next task, event or cursor is due for a worker.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let tasks = self.tasks.values().map(|it| free_at(it.due_at, it.held));
        let parked = self.events.values().filter(|it| it.event.status == EventStatus::Parked);
        let events = parked.filter_map(|it| Some(free_at(it.event.due_at?, it.held)));
        let of_worker = self.cursors.iter().filter(|(name, _)| *name != BOOKS_CURSOR);
        let cursors = of_worker.map(|(_, it)| free_at(it.due_at, it.held));
        tasks.chain(events).chain(cursors).min()
    }

    /// Time at which the books are due; at once if nobody has kept them yet.
    pub(crate) fn books_due(&self) -> Timestamp {
        self.cursors.get(BOOKS_CURSOR).map_or(Timestamp::EPOCH, |it| free_at(it.due_at, it.held))
    }

    /// The tables with empty books and an empty feed.
    pub(super) fn without_books(&self) -> Self {
        let (books, feed, cursors) = (BooksTables::default(), FeedTables::default(), BTreeMap::new());
        Self { cursors, feed, books, ..self.clone() }
    }
}
