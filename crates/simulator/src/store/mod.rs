//! A store in memory, with the same port and the same contract as the real stores.
//!
//! Every write is appended to a journal in the step in which it is performed. A replay of the journal gives the stored
//! state, and nothing else survives [`MemoryStore::power_cut`].

mod books;
mod endpoints;
mod feed;
mod tables;

use std::slice::from_ref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
pub(crate) use books::BooksTables;
pub(crate) use endpoints::{is_enabled, wants};
use paywright_app::{
    ApiKey, ApiKeys, AuditEntry, AuditQuery, AuditTrail, Changes, CompletedOrdersQuery, Cursor, CursorDue, Cursors,
    Diagnostics, EventClosing, IdempotencyKey, IdempotencyRecord, Inbox, Installation, Installations, KeyReplacement,
    KeyUse, LateTasks, Lease, LeasedEvent, LeasedTask, LostOrderDecision, OrderFilter, OrderQuery, OrderRef,
    OrderSearch, Orders, ReceivedEvent, RecordedFact, Rescheduled, StoreError, StoredTask, TaskQueue, TaskRelease,
    Versioned,
};
use paywright_domain::id::{CustomerId, Epoch};
use paywright_domain::{Order, OrderId, Timestamp};
pub use tables::Tables;
pub(crate) use tables::{BOOKS_CURSOR, INSTALLATION};
use uuid::Uuid;

/// A write of the journal, which is performed again after a power cut.
type Write = Box<dyn Fn(&mut Tables) + Send>;

#[derive(Default)]
struct Disk {
    journal: Vec<Write>,
    tables: Tables,
}

/// Store in memory. Clones share their content.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Disk>>);

impl MemoryStore {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tables.
    pub fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> T {
        read(&self.disk().tables)
    }

    fn write<T>(&self, work: impl Fn(&mut Tables) -> T + Send + 'static) -> T {
        let mut disk = self.disk();
        let done = work(&mut disk.tables);
        disk.journal.push(Box::new(move |tables| drop(work(tables))));
        done
    }

    /// Simulates a power cut: rebuilds the tables from the journal.
    pub fn power_cut(&self) {
        let mut disk = self.disk();
        let mut tables = Tables::default();
        for write in &disk.journal {
            write(&mut tables);
        }
        disk.tables = tables;
    }

    /// Takes a backup; returns its length in entries of the journal.
    pub fn backup(&self) -> usize {
        self.disk().journal.len()
    }

    /// Restores a backup: drops everything written since.
    pub fn restore(&self, backup: usize) {
        self.disk().journal.truncate(backup);
        self.power_cut();
    }

    /// Makes a store with the orders of `tables`, and without books and events.
    pub(crate) fn without_books(tables: &Tables) -> Self {
        let store = Self::default();
        store.disk().tables = tables.without_books();
        store
    }

    /// Makes an order's row unreadable, for tests of damaged rows.
    pub fn damage(&self, order: OrderId) {
        self.write(move |tables| tables.damage(order));
    }
}

#[async_trait]
impl Orders for MemoryStore {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        self.read(|it| it.order(which))
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        Ok(self.read(|it| it.orders(query)))
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        Ok(self.read(|it| it.completed_orders(query)))
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        Ok(self.read(|it| it.count_completed_orders(customer)))
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        Ok(self.read(|it| it.search_orders(search)))
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        Ok(self.read(|it| it.count_orders(filter)))
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        Ok(self.read(|it| it.facts(order)))
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        Ok(self.read(|it| it.idempotency_record(key)))
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        Ok(self.write(move |it| it.delete_idempotency_records(before, limit)))
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.write(move |it| it.commit(&changes))
    }
}

#[async_trait]
impl TaskQueue for MemoryStore {
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        let lease = *lease;
        Ok(self.write(move |it| it.lease_tasks(&lease)))
    }

    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError> {
        let release = release.clone();
        Ok(self.write(move |it| it.release_task(&release)))
    }

    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError> {
        let late = late.clone();
        Ok(self.write(move |it| it.reschedule_tasks(&late)))
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError> {
        Ok(self.read(|it| it.tasks(order)))
    }
}

#[async_trait]
impl Inbox for MemoryStore {
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError> {
        let event = event.clone();
        Ok(self.write(move |it| it.record_event(&event)))
    }

    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(self.read(|it| it.known_events(ids)))
    }

    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError> {
        let lease = *lease;
        Ok(self.write(move |it| it.lease_events(&lease)))
    }

    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError> {
        let closing = closing.clone();
        Ok(self.write(move |it| it.close_event(&closing)))
    }

    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        Ok(self.write(move |it| it.delete_events(before, limit)))
    }
}

#[async_trait]
impl Cursors for MemoryStore {
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError> {
        let (name, lease) = (name.to_owned(), *lease);
        Ok(self.write(move |it| it.lease_cursor(&name, &lease, due)))
    }

    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, cursor) = (name.to_owned(), cursor.clone());
        Ok(self.write(move |it| it.move_cursor(&name, owner, &cursor, due_at)))
    }
}

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.read(|it| it.api_key(digest)))
    }

    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError> {
        let (key, entry) = (key.clone(), entry.clone());
        self.write(move |it| it.recorded(from_ref(&entry), |it| it.add_api_key(&key)))
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.read(Tables::api_keys))
    }

    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        let entry = entry.clone();
        Ok(self.write(move |it| it.revoke_api_key(id, &entry)))
    }

    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let (replacement, entries) = (replacement.clone(), entries.to_vec());
        self.write(move |it| it.recorded(&entries, |it| it.replace_api_key(&replacement)))
    }

    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.write(move |it| it.record_key_uses(&uses));
        Ok(())
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        Ok(self.read(Tables::key_uses))
    }
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        self.write(move |it| it.recorded(from_ref(&entry), |_| Ok(())))
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.read(|it| it.audit_entries(query)))
    }
}

#[async_trait]
impl Installations for MemoryStore {
    async fn installation(&self) -> Result<Installation, StoreError> {
        Ok(self.read(Tables::installation))
    }

    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.write(move |it| it.begin_epoch(epoch));
        Ok(())
    }

    async fn add_lost_order(&self, order: OrderId, _at: Timestamp) -> Result<(), StoreError> {
        self.write(move |it| it.add_lost_order(order));
        Ok(())
    }

    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError> {
        Ok(self.read(|it| it.lost_order(like)))
    }

    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError> {
        Ok(self.write(move |it| it.decide_on_lost_order(order, decision)))
    }
}

#[async_trait]
impl Diagnostics for MemoryStore {
    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
