//! Store for production: PostgreSQL 13 or later, over tokio-postgres, without libpq.
//!
//! A commit is one statement: one round trip and one transaction, which a caller that is dropped cannot leave open.
//! Loading an order is one statement too. The texts of all statements are constant: each is parsed and planned once for
//! each connection.

mod abandoned;
mod account_events;
mod address;
mod api_keys;
mod ask;
mod attempt_search;
mod audit_trail;
mod books;
mod columns;
mod connect;
mod connection;
mod console_sessions;
mod daily_totals;
#[cfg(test)]
mod deletions;
mod delivery;
mod endpoint_rows;
mod endpoints;
mod failure;
mod feed;
mod installation;
mod migrate;
mod monitoring;
mod orders;
mod parts;
#[cfg(test)]
mod plans;
mod pool;
mod pooler;
mod probe;
mod queue;
mod read;
mod retention;
mod rows;
mod search;
pub mod sql;
mod statement;
mod storefront;
mod timeline;
mod timeline_file;
mod timelines;
mod tls;
mod write;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use paywright_app::{
    ApiKey, ApiKeys, AuditEntry, Changes, CompletedOrdersQuery, Cursor, CursorDue, Cursors, Diagnostics, EventClosing,
    IdempotencyKey, IdempotencyRecord, Inbox, Installation, Installations, KeyReplacement, KeyUse, LateTasks, Lease,
    LeasedEvent, LeasedTask, LostOrderDecision, OrderFilter, OrderQuery, OrderRef, OrderSearch, OrderSort, Orders,
    ReceivedEvent, RecordedFact, Rescheduled, StoreError, StoredTask, TaskQueue, TaskRelease, Versioned,
};
use paywright_domain::id::{CustomerId, Epoch};
use paywright_domain::{Order, OrderId, Timestamp};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::abandoned::{AbandonedConnections, InUse};
use crate::api_keys::{ApiKeyRow, KeyUseRow};
use crate::ask::Shared;
use crate::connect::Source;
use crate::failure::Failure;
pub use crate::failure::OpenError;
pub use crate::migrate::Migrate;
use crate::orders::OrderRow;
use crate::pool::{Connections, Lent, Pool};
use crate::probe::Probe;
use crate::queue::{Claim, EventColumns};
use crate::rows::{Column, FactRow, IdempotencyRow, LeasedEventRow, LeasedTaskRow, RescheduledRow, TaskRow, pg_time};
use crate::statement::PreparedStatement;
pub use crate::timeline::{Known, Refusal};
pub use crate::timeline_file::TimelineFileError;
use crate::timelines::Timelines;
use crate::write::Commit;

/// Oldest supported major version of PostgreSQL.
const VERSION_MIN: u32 = 13;

/// Timeout for an answer of the database. It is longer than `statement_timeout`, so it only ends what the network has
/// lost.
const ANSWER: Duration = Duration::from_secs(8);

/// Pause between two checks of which server is the primary.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Options for using a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Maximum number of connections, over all lanes; each lane has at least two. 4 to 8 for each core of the database
    /// server work best.
    pub connections: u16,
    /// Number of threads that use the store. Each has connections of its own, so an answer wakes the thread that waits for
    /// it; 1 for one pool that all threads share.
    pub lanes: u16,
    /// Timeout for a free connection when all are in use.
    pub wait: Duration,
    /// Treatment of the schema at the start.
    pub migrate: Migrate,
    /// File that remembers the highest timeline of the database, so that nothing is written to a server that a promotion
    /// has replaced; `None` to compare no timelines.
    pub timeline_file: Option<PathBuf>,
    /// Whether the URL is that of a pooler in transaction mode: statements are not prepared, their settings are set in each
    /// transaction, the schema is checked and never changed, and no timelines are compared.
    pub transaction_pooling: bool,
}

impl Default for Options {
    fn default() -> Self {
        let wait = Duration::from_secs(2);
        Self {
            connections: 16,
            lanes: 1,
            wait,
            migrate: Migrate::Auto,
            timeline_file: None,
            transaction_pooling: false,
        }
    }
}

/// Store of orders in a PostgreSQL database.
pub struct PostgresStore {
    lanes: Vec<Lane>,
    abandoned: Arc<AbandonedConnections>,
    wait: Duration,
    source: Source,
    _watch: Option<Watch>,
}

/// Connections of one thread.
struct Lane {
    shared: Arc<Shared>,
    pool: Pool,
}

impl PostgresStore {
    /// Connects to the database at `url`, a `postgres://` URL in libpq's form, and treats its schema as the options say.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let source =
            if options.transaction_pooling { Source::of_poolers(url)? } else { source(url, options.timeline_file)? };
        // Fails here, not at the first order, if the database cannot be used.
        migrate::run(source.establish().await?, source.place(), options.migrate).await?;
        let lanes = options.lanes.clamp(1, options.connections.max(1));
        // One connection of each lane is shared by its reads.
        let pooled = usize::from((options.connections / lanes).saturating_sub(1).max(1));
        let lane = |_| {
            let shared = Arc::new(Shared::of(source.clone(), options.wait));
            Ok(Lane { shared, pool: Connections::pool(&source, pooled)? })
        };
        let abandoned = Arc::new(AbandonedConnections::of(pooled * usize::from(lanes)));
        let lanes = (0..lanes).map(lane).collect::<Result<_, OpenError>>()?;
        Ok(Self { lanes, abandoned, wait: options.wait, _watch: Watch::of(&source), source })
    }

    /// Checks the form of `url`, and the certificates that it names, without connecting to a server.
    pub fn check_url(url: &str) -> Result<(), OpenError> {
        source(url, None).map(drop)
    }

    /// Migrates the database at `url`, and returns the number of migrations that were run. The server is compared with the
    /// timeline in `timeline_file`, as by [`Self::open`].
    pub async fn migrate(url: &str, timeline_file: Option<&Path>) -> Result<usize, OpenError> {
        let source = source(url, timeline_file.map(Path::to_owned))?;
        migrate::run(source.establish().await?, source.place(), Migrate::Auto).await
    }

    /// Writes the timeline of the server at `url` that accepts writes to `timeline_file` as the highest of this installation,
    /// whatever the file contains. Returns the new content, and the old one if it can be read.
    pub async fn trust_timeline(url: &str, timeline_file: &Path) -> Result<(Known, Option<Known>), OpenError> {
        let timelines = Arc::new(Timelines::remembered_in(timeline_file.to_owned()));
        let source = Source::of(url, Some(Arc::clone(&timelines)))?;
        let writer = source.writer().await?;
        let before = timelines.trust(&writer)?;
        Ok((Known::of(&writer), before))
    }

    fn lane(&self) -> Result<&Lane, Failure> {
        let lane = lane().checked_rem(self.lanes.len()).unwrap_or(0);
        self.lanes.get(lane).ok_or(Failure::NoConnection(self.wait))
    }

    async fn connection(&self) -> Result<InUse, Failure> {
        let lane = self.lane()?;
        let begun = Instant::now();
        let connection = timeout(self.wait, lane.pool.get()).await;
        monitoring::waited(begun.elapsed());
        match connection {
            Ok(connection) => Ok(InUse::of(connection?, &self.abandoned, &lane.shared)),
            Err(_) => Err(Failure::NoConnection(self.wait)),
        }
    }

    /// Reads rows that may be many, over a pooled connection; over the shared one while commits may be waiting without
    /// end.
    async fn rows<T, R>(&self, question: T) -> Result<Vec<R>, Failure>
    where
        T: PreparedStatement + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        if self.abandoned.is_any() {
            self.lane()?.shared.ask_once(question).await
        } else {
            self.answered(question).await
        }
    }

    /// Runs a write that returns rows.
    async fn written<T, R>(&self, statement: T) -> Result<Vec<R>, Failure>
    where
        T: PreparedStatement + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        self.abandoned.check()?;
        self.answered(statement).await
    }

    async fn answered<T, R>(&self, statement: T) -> Result<Vec<R>, Failure>
    where
        T: PreparedStatement + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        let mut connection = self.connection().await?;
        let lent = connection.get()?;
        let answer = in_time(lent.connection.run(statement)).await;
        let answer = self.of_this_timeline(lent, answer);
        connection.give_back(&answer);
        answer
    }

    /// Reads at most one row.
    async fn row<T, R>(&self, question: T) -> Result<Option<R>, Failure>
    where
        T: PreparedStatement + Clone + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        Ok(self.lane()?.shared.ask(question).await?.pop())
    }

    /// Runs a write to the end of its transaction, and returns the number of rows that it returned.
    async fn write<T: PreparedStatement + Send>(&self, statement: T) -> Result<usize, Failure> {
        self.abandoned.check()?;
        let mut connection = self.connection().await?;
        let lent = connection.get()?;
        let answer = in_time(lent.connection.count(statement)).await;
        let answer = self.of_this_timeline(lent, answer);
        connection.give_back(&answer);
        answer
    }
}

impl PostgresStore {
    /// Returns the result of a statement, unless its server is known to be replaced by now: then the write is lost, and
    /// the caller reads again from the new server.
    fn of_this_timeline<T>(&self, connection: &Lent, answer: Result<T, Failure>) -> Result<T, Failure> {
        if answer.is_ok() && self.source.is_replaced(connection.timeline) { Err(Failure::Replaced) } else { answer }
    }

    /// Runs a write, and returns whether it wrote anything.
    async fn wrote<T: PreparedStatement + Send>(&self, statement: T) -> Result<bool, StoreError> {
        self.write(statement).await.map(|rows| rows > 0).map_err(Failure::of_write)
    }
}

/// Leased rows that can be read. The others may be of a newer version, which takes them when this lease ends; they must
/// not block the rest.
fn readable<T>(rows: impl Iterator<Item = Result<T, Failure>>) -> Vec<T> {
    rows.filter_map(|row| row.map_err(|error| tracing::error!(%error, "a leased row cannot be read")).ok()).collect()
}

/// Waits for an answer of the database, at most [`ANSWER`].
async fn in_time<T>(answer: impl Future<Output = diesel::QueryResult<T>>) -> Result<T, Failure> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::TimedOut(ANSWER)),
    }
}

/// Number of this thread's lane, assigned at its first use of the store.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    MINE.get().unwrap_or_else(|| {
        let lane = NEXT.fetch_add(1, Ordering::Relaxed);
        MINE.set(Some(lane));
        lane
    })
}

fn source(url: &str, timeline_file: Option<PathBuf>) -> Result<Source, OpenError> {
    Source::of(url, timeline_file.map(|path| Arc::new(Timelines::remembered_in(path))))
}

/// Checks periodically which server is the primary: connections to a replaced one may last for days, and a name or an
/// address may later belong to another server.
struct Watch(AbortHandle);

impl Watch {
    fn of(source: &Source) -> Option<Self> {
        let source = source.timelines().is_some().then(|| source.clone())?;
        let watching = tokio::spawn(async move {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                // Problems are logged where they are found; a missing server fails every request anyway.
                drop(source.refresh().await);
            }
        });
        Some(Self(watching.abort_handle()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn whole_orders(rows: Result<Vec<OrderRow>, Failure>) -> Result<Vec<Order>, StoreError> {
    let orders = rows.and_then(|rows| rows.into_iter().map(|it| Ok(it.restore()?.value)).collect());
    orders.map_err(Failure::of_read)
}

#[async_trait]
impl Orders for PostgresStore {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        let row: Result<Option<OrderRow>, Failure> = match which {
            OrderRef::Id(id) => self.row(read::OrderById(id.0)).await,
            OrderRef::Number(number) => self.row(read::OrderByNumber(number.as_str().to_owned())).await,
            OrderRef::Intent(intent) => self.row(read::OrderByIntent(intent.as_str().to_owned())).await,
        };
        row.and_then(|it| Ok(it.map(OrderRow::restore).transpose()?)).map_err(Failure::of_read)
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        let page = read::Orders::of(query);
        let customer = query.customer.as_ref().map(|it| it.as_str().to_owned());
        let rows: Result<Vec<OrderRow>, Failure> = match (query.email.clone(), customer, read::Conditions::of(query)) {
            (Some(email), customer, _) => {
                let conditions = read::Conditions::all_of(query);
                self.rows(read::OrdersOfEmail { email, customer, conditions }).await
            }
            (None, Some(customer), None) => self.rows(read::OrdersOfCustomer { customer, page }).await,
            (None, Some(customer), Some(conditions)) => {
                self.rows(read::OrdersOfCustomerWith { customer, conditions }).await
            }
            (None, None, None) => self.rows(page).await,
            (None, None, Some(conditions)) => self.rows(read::OrdersWith(conditions)).await,
        };
        whole_orders(rows)
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        let customer = query.customer.as_str().to_owned();
        let (offset, limit) = (i64::try_from(query.offset).unwrap_or(i64::MAX), i64::from(query.limit));
        let page = read::CompletedPage { customer, offset, limit };
        whole_orders(if query.oldest_first {
            self.rows(read::OldestCompletedOrders(page)).await
        } else {
            self.rows(read::NewestCompletedOrders(page)).await
        })
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        let count: Result<Option<i64>, Failure> =
            self.row(read::CountCompletedOrders(customer.as_str().to_owned())).await;
        let count = count.map(|it| it.and_then(|it| u64::try_from(it).ok()));
        count.and_then(|it| Column("orders", "count").found(it)).map_err(Failure::of_read)
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        let (offset, limit) = (i64::try_from(search.offset).unwrap_or(i64::MAX), i64::from(search.limit));
        let page = search::Page { offset, limit, filter: search::Filter::of(&search.filter) };
        whole_orders(match search.sort {
            OrderSort::Id => self.rows(search::ById(page)).await,
            OrderSort::IdDescending => self.rows(search::ByIdDescending(page)).await,
            OrderSort::Number => self.rows(search::ByNumber(page)).await,
            OrderSort::NumberDescending => self.rows(search::ByNumberDescending(page)).await,
            OrderSort::UpdatedAt => self.rows(search::ByUpdate(page)).await,
            OrderSort::UpdatedAtDescending => self.rows(search::ByUpdateDescending(page)).await,
        })
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        let count: Result<Option<i64>, Failure> = self.row(search::Count(search::Filter::of(filter))).await;
        let count = count.map(|it| it.and_then(|it| u64::try_from(it).ok()));
        count.and_then(|it| Column("orders", "count").found(it)).map_err(Failure::of_read)
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        let rows: Result<Vec<FactRow>, Failure> = self.rows(read::Facts(order.0)).await;
        rows.and_then(|rows| rows.into_iter().map(|FactRow(it)| Ok(it.restore()?)).collect()).map_err(Failure::of_read)
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        let question = read::IdempotencyRecordOf { scope: key.scope, key: key.key.clone() };
        let row: Result<Option<IdempotencyRow>, Failure> = self.row(question).await;
        row.and_then(|it| Ok(it.map(|it| it.0.restore()).transpose()?)).map_err(Failure::of_read)
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        let delete = retention::DeleteIdempotencyRecords::of(before, limit);
        let deleted = self.write(delete).await.map_err(Failure::of_write)?;
        Ok(u16::try_from(deleted).unwrap_or(limit))
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let written = match Commit::of(&changes).map_err(Failure::of_write)? {
            Commit::Place(place) => self.write(*place).await,
            Commit::Change(change) => self.write(*change).await,
            Commit::ChangeAll(change) => self.write(*change).await,
        };
        match written.map_err(Failure::of_write)? {
            0 => Err(StoreError::Conflict),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl TaskQueue for PostgresStore {
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        let rows: Result<Vec<LeasedTaskRow>, Failure> = self.written(queue::LeaseTasks(Claim::of(lease))).await;
        Ok(readable(rows.map_err(Failure::of_write)?.into_iter().map(LeasedTaskRow::restore)))
    }

    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError> {
        self.wrote(queue::ReleaseTask::of(release)).await
    }

    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError> {
        let rows: Result<Vec<RescheduledRow>, Failure> = self.written(queue::RescheduleTasks::of(late)).await;
        let row = rows.map_err(Failure::of_write)?.into_iter().next();
        row.map_or(Ok(Rescheduled::default()), RescheduledRow::restore).map_err(Failure::of_write)
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError> {
        let rows: Result<Vec<TaskRow>, Failure> = self.rows(read::Tasks(order.0)).await;
        rows.and_then(|rows| rows.into_iter().map(|TaskRow(it)| Ok(it.restore()?)).collect()).map_err(Failure::of_read)
    }
}

#[async_trait]
impl Inbox for PostgresStore {
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError> {
        let columns = EventColumns::of(event).map_err(Failure::of_write)?;
        self.wrote(queue::RecordEvent(columns)).await
    }

    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        self.rows(read::KnownEvents(ids.to_vec())).await.map_err(Failure::of_read)
    }

    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError> {
        let rows: Result<Vec<LeasedEventRow>, Failure> = self.written(queue::LeaseEvents(Claim::of(lease))).await;
        Ok(readable(rows.map_err(Failure::of_write)?.into_iter().map(LeasedEventRow::restore)))
    }

    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError> {
        self.wrote(queue::CloseEvent::of(closing)).await
    }

    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        let deleted = self.write(retention::DeleteEvents::of(before, limit)).await.map_err(Failure::of_write)?;
        Ok(u16::try_from(deleted).unwrap_or(limit))
    }
}

#[async_trait]
impl Cursors for PostgresStore {
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError> {
        let take = queue::LeaseCursor {
            name: name.to_owned(),
            claim: Claim::of(lease),
            due_by: pg_time(due.by),
            due_max: pg_time(due.latest),
        };
        let rows: Vec<Option<String>> = self.written(take).await.map_err(Failure::of_write)?;
        Ok(rows.into_iter().next().map(|value| Cursor { value }))
    }

    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.wrote(queue::MoveCursor { name, owner, cursor, due_at: pg_time(due_at) }).await
    }
}

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let row: Result<Option<ApiKeyRow>, Failure> = self.row(api_keys::ByDigest(digest.to_vec())).await;
        row.and_then(|it| Ok(it.map(|it| it.0.restore()).transpose()?)).map_err(Failure::of_read)
    }

    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError> {
        let add = api_keys::Add::of(key, entry).map_err(|error| Failure::from(error).of_write())?;
        self.write(add).await.map(drop).map_err(Failure::of_write)
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows: Result<Vec<ApiKeyRow>, Failure> = self.rows(api_keys::All).await;
        rows.and_then(|rows| rows.into_iter().map(|ApiKeyRow(it)| Ok(it.restore()?)).collect())
            .map_err(Failure::of_read)
    }

    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        let revoke = api_keys::Revoke::of(id, entry).map_err(|error| Failure::from(error).of_write())?;
        self.wrote(revoke).await
    }

    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let replace = api_keys::Replace::of(replacement, entries).map_err(|error| Failure::from(error).of_write())?;
        if self.wrote(replace).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        let record = api_keys::RecordUses::of(uses).map_err(|error| Failure::from(error).of_write())?;
        self.wrote(record).await.map(drop)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        let rows: Result<Vec<KeyUseRow>, Failure> = self.rows(api_keys::AllUses).await;
        rows.and_then(|rows| rows.into_iter().map(|KeyUseRow(it)| Ok(it.restore()?)).collect())
            .map_err(Failure::of_read)
    }
}

#[async_trait]
impl Installations for PostgresStore {
    async fn installation(&self) -> Result<Installation, StoreError> {
        let row: Result<Option<(Uuid, i64)>, Failure> = self.row(installation::Read).await;
        row.and_then(installation::restore).map_err(Failure::of_read)
    }

    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.write(installation::BeginEpoch(i64::from(epoch.0))).await.map(drop).map_err(Failure::of_write)
    }

    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError> {
        let lost = installation::AddLostOrder { order: order.0, at: pg_time(at) };
        self.write(lost).await.map(drop).map_err(Failure::of_write)
    }

    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError> {
        let found: Result<Option<Uuid>, Failure> = self.row(installation::LostOrder(like.0)).await;
        found.map(|it| it.map(OrderId)).map_err(Failure::of_read)
    }

    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError> {
        let decide =
            installation::DecideOnLostOrder { order: order.0, decision: decision.map(LostOrderDecision::name) };
        let decided: Result<Vec<Option<String>>, Failure> = self.written(decide).await;
        decided.and_then(|it| installation::decision(it.into_iter().next().flatten())).map_err(Failure::of_write)
    }
}

#[async_trait]
impl Diagnostics for PostgresStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let fits: Vec<bool> = self.written(Probe::of_this_version()).await.map_err(Failure::of_read)?;
        if fits.as_slice() == [true] { Ok(()) } else { Err(Failure::Schema.of_read()) }
    }

    fn warnings(&self) -> Vec<String> {
        self.source.timelines().map(Timelines::warnings).unwrap_or_default()
    }
}
