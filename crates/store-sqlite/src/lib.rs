//! Embedded store: one SQLite file, no server to set up.
//!
//! All writes go to one thread, which runs the waiting ones together in one transaction and answers after its
//! commit (group commit): each is durable when it is answered, one `fsync` serves many, and no write of this process
//! causes `SQLITE_BUSY` for another. Reads use a small pool of read-only connections; in WAL mode they see the last
//! commit while the next is being made.

mod api_keys;
mod audit_trail;
mod backup;
mod books;
mod columns;
mod console_sessions;
mod daily_totals;
mod deliveries;
mod endpoints;
mod failure;
mod feed;
mod feed_rows;
mod installation;
mod monitoring;
mod orders;
mod parts;
mod place;
#[cfg(test)]
mod plans;
mod probe;
mod queue;
mod read;
mod reserve;
mod retention;
mod rows;
mod schema;
mod search;
mod setup;
mod storefront;
mod write;
mod writer;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use diesel::SqliteConnection;
use paywright_app::{
    ApiKey, ApiKeys, AuditEntry, Changes, CompletedOrdersQuery, Cursor, CursorDue, Cursors, Diagnostics, EventClosing,
    IdempotencyKey, IdempotencyRecord, Inbox, Installation, Installations, KeyReplacement, KeyUse, LateTasks, Lease,
    LeasedEvent, LeasedTask, LostOrderDecision, OrderFilter, OrderQuery, OrderRef, OrderSearch, Orders, ReceivedEvent,
    RecordedFact, Rescheduled, StoreError, StoredTask, TaskQueue, TaskRelease, Versioned,
};
use paywright_domain::id::{CustomerId, Epoch};
use paywright_domain::{Order, OrderId, Timestamp};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use crate::backup::{BackupError, backup};
use crate::failure::Failure;
pub use crate::failure::OpenError;
use crate::probe::Place;
use crate::writer::Writer;

/// Treatment of the schema when a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrate {
    /// Migrates the file to the schema of this version.
    #[default]
    Auto,
    /// Creates the schema in a missing or empty file, and refuses a file with another version's schema.
    Create,
    /// Refuses a file with another version's schema.
    Check,
    /// Accepts any schema.
    Off,
}

/// Options for opening a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Number of long reads (lists) that run at once.
    pub readers: u8,
    /// Maximum size of the file in bytes; a write that would exceed it is refused as if the disk were full.
    pub bytes_max: Option<u64>,
    /// Treatment of its schema.
    pub migrate: Migrate,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 4, bytes_max: None, migrate: Migrate::Auto }
    }
}

/// Store of orders in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Option<Arc<Readers>>,
}

/// Pool of read-only connections, opened when first needed.
struct Readers {
    path: String,
    place: Place,
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

/// Path that stands for a database in memory, which ends with its store.
pub const IN_MEMORY: &str = ":memory:";

impl SqliteStore {
    /// Opens the file at `path`, creating or migrating it as [`Options::migrate`] says; for [`IN_MEMORY`] no file. Only
    /// its owner may read a file that is created here; on an existing one, permissions of users outside its group are
    /// removed.
    pub fn open(path: &str, options: Options) -> Result<Self, OpenError> {
        let mut connection = setup::open_for_writing(path, options)?;
        let place = Place::of(&mut connection)
            .map_err(|error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() })?;
        let writer = Writer::start(connection, place.clone(), {
            let path = path.to_owned();
            move || setup::open_for_writing(&path, options)
        })?;
        let readers = place.map(|place| {
            place.reserve().fill();
            Arc::new(Readers {
                path: path.to_owned(),
                place,
                idle: Mutex::new(Vec::new()),
                permits: Semaphore::new(usize::from(options.readers.max(1))),
            })
        });
        Ok(Self { writer, readers })
    }

    /// Reads a few rows on the calling thread. In WAL mode a read never waits for a writer and its pages are mostly in
    /// memory, so handing it to another thread would cost more than the read (`docs/performance.md`).
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.readers {
            Some(readers) => Ok(readers.run(work)?),
            None => self.writer.run(work).await,
        }
    }

    /// Reads a list that may be long, on a blocking thread.
    async fn read_many<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(readers) = self.readers.clone() else {
            return self.writer.run(work).await;
        };
        // This call holds the permit, not the blocking work: a dropped call can let one read more run than there are
        // permits.
        let _permit = readers.permits.acquire().await.map_err(|_| Failure::Stopped)?;
        let done = tokio::task::spawn_blocking({
            let readers = Arc::clone(&readers);
            move || readers.run(work)
        });
        Ok(done.await.map_err(|_| Failure::Stopped)??)
    }
}

impl Readers {
    /// Runs `work` on an idle connection, or on a new one. There are never more connections than reading threads.
    fn run<T>(&self, work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = self.idle.lock().map_err(|_| Failure::Stopped)?.pop();
        let mut connection = if let Some(connection) = idle {
            connection
        } else {
            // Without this flag SQLite would create a missing file.
            self.place.check()?;
            setup::open_for_reading(&self.path)?
        };
        let result = work(&mut connection);
        self.idle.lock().map_err(|_| Failure::Stopped)?.push(connection);
        result
    }
}

#[async_trait]
impl Orders for SqliteStore {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        let which = which.clone();
        self.read(move |db| read::order(db, &which)).await
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::orders(db, &query)).await
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::completed_orders(db, &query)).await
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        let customer = customer.clone();
        self.read_many(move |db| read::count_completed_orders(db, &customer)).await
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        let search = search.clone();
        self.read_many(move |db| search::orders(db, &search)).await
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        let filter = filter.clone();
        self.read_many(move |db| search::count(db, &filter)).await
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.read_many(move |db| read::facts(db, order)).await
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = key.clone();
        self.read(move |db| read::idempotency_record(db, &key)).await
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.writer.run(move |db| retention::delete_idempotency_records(db, before, limit)).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.writer.run(move |db| write::changes(db, &changes)).await
    }
}

#[async_trait]
impl TaskQueue for SqliteStore {
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        let lease = *lease;
        self.writer.run(move |db| queue::lease_tasks(db, &lease)).await
    }

    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError> {
        let release = release.clone();
        self.writer.run(move |db| queue::release_task(db, &release)).await
    }

    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError> {
        let late = late.clone();
        self.writer.run(move |db| queue::reschedule_tasks(db, &late)).await
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError> {
        self.read_many(move |db| read::tasks(db, order)).await
    }
}

#[async_trait]
impl Inbox for SqliteStore {
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError> {
        let event = event.clone();
        self.writer.run(move |db| queue::record_event(db, &event)).await
    }

    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let ids = ids.to_vec();
        self.read_many(move |db| read::known_events(db, &ids)).await
    }

    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError> {
        let lease = *lease;
        self.writer.run(move |db| queue::lease_events(db, &lease)).await
    }

    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError> {
        let closing = closing.clone();
        self.writer.run(move |db| queue::close_event(db, &closing)).await
    }

    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.writer.run(move |db| retention::delete_events(db, before, limit)).await
    }
}

#[async_trait]
impl Cursors for SqliteStore {
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError> {
        let (name, lease) = (name.to_owned(), *lease);
        self.writer.run(move |db| queue::lease_cursor(db, &name, &lease, due)).await
    }

    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, cursor) = (name.to_owned(), cursor.clone());
        self.writer.run(move |db| queue::move_cursor(db, &name, owner, &cursor, due_at)).await
    }
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let digest = *digest;
        self.read(move |db| api_keys::by_digest(db, &digest)).await
    }

    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError> {
        let (key, entry) = (key.clone(), entry.clone());
        self.writer.run(move |db| api_keys::add(db, &key, &entry)).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read_many(api_keys::all).await
    }

    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        let entry = entry.clone();
        self.writer.run_by_reserve(move |db| api_keys::revoke(db, id, &entry)).await
    }

    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let (replacement, entries) = (replacement.clone(), entries.to_vec());
        self.writer.run(move |db| api_keys::replace(db, &replacement, &entries)).await
    }

    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.writer.run(move |db| api_keys::record_uses(db, &uses)).await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.read_many(api_keys::uses).await
    }
}

#[async_trait]
impl Installations for SqliteStore {
    async fn installation(&self) -> Result<Installation, StoreError> {
        self.read(installation::read).await
    }

    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.writer.run(move |db| installation::begin_epoch(db, epoch)).await
    }

    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |db| installation::add_lost_order(db, order, at)).await
    }

    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError> {
        self.read(move |db| installation::lost_order(db, like)).await
    }

    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError> {
        self.writer.run(move |db| installation::decide_on_lost_order(db, order, decision)).await
    }
}

#[async_trait]
impl Diagnostics for SqliteStore {
    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.run(probe::run).await?;
        // The disk has room: restore what was used of the reserve.
        if let Some(readers) = &self.readers {
            readers.place.reserve().fill();
        }
        self.read(|_| Ok(())).await
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
