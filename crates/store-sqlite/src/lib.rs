//! The embedded store: one SQLite file, nothing to set up.
//!
//! All writes go to one thread, which runs those that wait together in one transaction and answers after its
//! commit (group commit): each is durable when it is answered, one `fsync` serves many, and no writer ever
//! meets `SQLITE_BUSY` from another of this process. Reads go to a small pool of connections that cannot
//! write; WAL lets them see the last commit while the next is being made.

mod failure;
mod read;
mod rows;
mod schema;
mod setup;
mod write;
mod writer;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use diesel::SqliteConnection;
use paywright_app::{
    ApiKey, Changes, IdempotencyKey, IdempotencyRecord, Lease, LeasedTask, OrderQuery, OrderRef,
    RecordedFact, Store, StoreError, Versioned,
};
use paywright_domain::{Order, OrderId, Timestamp};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::failure::Failure;
pub use crate::failure::OpenError;
use crate::writer::Writer;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many reads run at once.
    pub readers: u8,
    /// The size in bytes that the file may grow to; what would make it larger is refused as if the disk were
    /// full.
    pub bytes_max: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 4, bytes_max: None }
    }
}

/// Orders in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Option<Arc<Readers>>,
}

/// Connections that cannot write, made when first needed.
struct Readers {
    path: String,
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

/// The path of a database that lives in memory and ends with its store.
pub const IN_MEMORY: &str = ":memory:";

impl SqliteStore {
    /// Opens the file at `path`, making or migrating it as needed; or, for [`IN_MEMORY`], none.
    pub fn open(path: &str, options: Options) -> Result<Self, OpenError> {
        let connection = setup::open_for_writing(path, options)?;
        let writer = Writer::start(connection, {
            let path = path.to_owned();
            move || setup::open_for_writing(&path, options)
        })?;
        let readers = (path != IN_MEMORY).then(|| {
            Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::new(Vec::new()),
                permits: Semaphore::new(usize::from(options.readers.max(1))),
            })
        });
        Ok(Self { writer, readers })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(readers) = self.readers.clone() else {
            return self.writer.run(work).await;
        };
        // The permit is held by this call, not by the blocking work: at the worst a dropped call lets one
        // read more run than there are permits.
        let _permit = readers.permits.acquire().await.map_err(|_| Failure::Stopped)?;
        let done = tokio::task::spawn_blocking({
            let readers = Arc::clone(&readers);
            move || {
                let mut connection = readers.take()?;
                let result = work(&mut connection);
                readers.put_back(connection);
                result
            }
        });
        Ok(done.await.map_err(|_| Failure::Stopped)??)
    }
}

impl Readers {
    fn take(&self) -> Result<SqliteConnection, Failure> {
        let idle = self.idle.lock().map_err(|_| Failure::Stopped)?.pop();
        match idle {
            Some(connection) => Ok(connection),
            None => setup::open_for_reading(&self.path),
        }
    }

    fn put_back(&self, connection: SqliteConnection) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(connection);
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        let which = which.clone();
        self.read(move |db| read::order(db, &which)).await
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        let query = query.clone();
        self.read(move |db| read::orders(db, &query)).await
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.read(move |db| read::facts(db, order)).await
    }

    async fn idempotency_record(
        &self,
        key: &IdempotencyKey,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = key.clone();
        self.read(move |db| read::idempotency_record(db, &key)).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.writer.run(move |db| write::changes(db, &changes)).await
    }

    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        let lease = *lease;
        self.writer.run(move |db| write::lease_tasks(db, &lease)).await
    }

    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let digest = *digest;
        self.read(move |db| read::api_key(db, &digest)).await
    }

    async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.writer.run(move |db| write::add_api_key(db, &key)).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read(read::api_keys).await
    }

    async fn revoke_api_key(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
        self.writer.run(move |db| write::revoke_api_key(db, id, at)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.run(|_| Ok(())).await?;
        self.read(|_| Ok(())).await
    }
}
