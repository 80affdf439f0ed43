use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use paywright_domain::{
    CustomerId, Decision, Epoch, Fact, FeedEventType, InstallationId, IntentId, Order, OrderId, OrderNumber, Task,
    TaskKey, TaskKind, Timestamp, variant_names,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::feed::OrderSnapshot;
use super::idempotency::IdempotencyOutcome;
use super::inbox::{EventClosing, LeasedEvent, ReceivedEvent};
use crate::Actor;

/// Port to the database. Each call is one transaction, and none outlives its call. `testkit::store_contract!` checks
/// each store against these docs.
///
/// Dropping the future of a `commit` leaves it committed or not, never half. Which of the two may be decided a moment
/// later; a commit that would conflict with it waits until then.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads an order, with the version that a commit of it must name. `None` if there is no such order.
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError>;

    /// Reads a page of orders, the newest first. Reading page after page misses no order that was stored when the first
    /// page was read, and repeats none, whatever is placed or changed meanwhile.
    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError>;

    /// Reads a page of the orders that a customer has completed, as [`is_completed`](crate::is_completed) defines it.
    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError>;

    /// Counts the orders that a customer has completed.
    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError>;

    /// Reads the facts of an order, the oldest first.
    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError>;

    /// Reads the record of an earlier request with this key.
    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Writes all of `changes`, or nothing. [`StoreError::Conflict`] if the order's version is stale, if the id or
    /// number of a new order or the idempotency key exists, or if the key placed an order that was lost
    /// ([`Self::add_lost_order`]).
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// Leases at most `lease.limit` tasks that are due and under no lease until `lease.until`, in the order of their
    /// due times. A lease that has ended, or that ends later than [`Lease::until_max`], counts as none.
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError>;

    /// Ends the lease of a task, and deletes the task or makes it due again later. Returns whether the task was still
    /// under this lease; if it was not, nothing is changed.
    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError>;

    /// Reads at most `late.limit` tasks that are due after `late.after`, in the order of their due times, and makes
    /// those of them due at `late.now` that are due later than a task of their kind can be.
    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError>;

    /// Reads the tasks of an order, in the order of their due times.
    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError>;

    /// Stores an event that changes no order now. Returns whether it was new; an event that is stored already stays
    /// unchanged.
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError>;

    /// Returns those of these event ids that are in the inbox.
    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError>;

    /// Leases parked events that are due, as [`Self::lease_tasks`] leases tasks. An event that is due later than
    /// [`Lease::event_due_max`] counts as due.
    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError>;

    /// Stores the result of processing a parked event, and ends its lease. Returns whether the event was still under
    /// this lease; if it was not, nothing is changed.
    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError>;

    /// Deletes events that are not parked and arrived before `before`, up to a limit of the store's own. Returns their
    /// number.
    async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Leases the cursor with this name, and creates it where there is none. `None` if it is not due at `due.by`, or is
    /// under a lease. A cursor that is due later than `due.latest` counts as due, and a lease that ends later than
    /// [`Lease::until_max`] as none: a clock that ran ahead wrote them.
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError>;

    /// Moves a cursor that `owner` has leased, ends the lease, and makes the cursor due at `due_at`. Returns whether it
    /// was under a lease of `owner`; if it was not, nothing is changed.
    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Reads an API key by the SHA-256 digest of its text.
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Stores a new API key. [`StoreError::Conflict`] if its id or digest exists.
    async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Reads all API keys, the newest first.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes an API key from `at` on, unless it is revoked already. Returns whether there is such a key.
    async fn revoke_api_key(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError>;

    /// Reads the id of this installation, and its epoch.
    async fn installation(&self) -> Result<Installation, StoreError>;

    /// Begins an epoch, which orders that are read from then on have. An epoch that is not later than the current one
    /// changes nothing.
    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Stores the id of an order that a restore from a backup has lost. From then on, a commit conflicts that would
    /// place an order with an idempotency key under an id with the same random bits ([`IdempotencyKey::order_id`]).
    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError>;

    /// Finds the lost order whose id equals `like` in all bits after the time.
    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError>;

    /// Stores the decision on a lost order, unless there is one already, and returns the stored one. `None` if there is
    /// none, or if the order is not stored as lost.
    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError>;

    /// Checks that a commit would succeed: writes a row of its own to the database of the orders, and checks that this
    /// version supports the schema.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Problems of the store that an operator should solve now, in whole sentences without secrets.
    fn warnings(&self) -> Vec<String>;
}

/// Why a call to the store failed. Nothing was changed, except perhaps with [`StoreError::Unknown`].
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another writer committed first: the caller must read and decide again.
    #[error("another writer committed first")]
    Conflict,
    /// The store cannot be used now; the same call may succeed later.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The store did not answer whether the call was carried out: the caller must read again and decide on that.
    #[error("the store did not confirm whether it committed: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
    /// A stored row has values that no step of Paywright writes: an operator must examine it.
    #[error("a stored row is corrupt: {0}")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
}

/// Cause of a [`StoreError::Unavailable`]: the disk of the database is full.
#[derive(Debug, Error)]
#[error("the disk of the database is full: {0}")]
pub struct DiskFull(#[source] Box<dyn StdError + Send + Sync>);

impl StoreError {
    /// Error for a full disk of the database, with the database's own error.
    pub fn disk_full(cause: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Unavailable(Box::new(DiskFull(cause)))
    }

    /// Whether the cause is a full disk of the database.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Unavailable(cause) => cause.is::<DiskFull>(),
            Self::Conflict | Self::Unknown(_) | Self::Corrupt(_) => false,
        }
    }
}

/// Version of an order or a cart: the number of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// Version of something that is not stored yet.
    pub const NEW: Self = Self(0);

    /// Version after a commit that names this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A value with the version that a commit of it must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Version that was read.
    pub version: Version,
    /// Value in that version.
    pub value: T,
}

/// Reference to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRef {
    /// Id of the order.
    Id(OrderId),
    /// Number of the order.
    Number(OrderNumber),
    /// Id of any PaymentIntent of the order, past ones included.
    Intent(IntentId),
}

impl OrderRef {
    /// Parses the id (a UUID) or the number (`ORD-...`) of an order, or the id of one of its PaymentIntents (`pi_...`).
    pub fn parse(text: &str) -> Result<Self, OrderRefError> {
        let id = || Uuid::try_parse(text).ok().map(|it| Self::Id(OrderId(it)));
        let number = || OrderNumber::parse(text).ok().map(Self::Number);
        let intent = || IntentId::new(text).ok().map(Self::Intent);
        id().or_else(number).or_else(intent).ok_or_else(|| {
            if OrderNumber::is_like(text) { OrderRefError::NoSuchNumber } else { OrderRefError::Malformed }
        })
    }
}

/// Why a text is no reference to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrderRefError {
    /// The text begins with `ORD-`, but no order can have such a number.
    #[error("no order has this number")]
    NoSuchNumber,
    /// The text is neither a UUID, nor an order number, nor a PaymentIntent id.
    #[error("an order is named by its id (a UUID), its number (ORD-...) or a PaymentIntent (pi_...)")]
    Malformed,
}

/// Changes to one order that are written in one transaction.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Version of the order that was decided on; [`Version::NEW`] for an order that is placed.
    pub expected: Version,
    /// The order after the changes.
    pub order: Order,
    /// Facts to append.
    pub facts: Vec<Fact>,
    /// Tasks to insert. A task whose key is stored for the order already stays unchanged.
    pub tasks: Vec<ScheduledTask>,
    /// Keys of tasks to delete.
    pub finished: Vec<TaskKey>,
    /// Record with which a repetition of the request is answered.
    pub idempotency: Option<IdempotencyRecord>,
    /// Cause of the changes, stored with each fact.
    pub cause: Option<Cause>,
    /// The order after the changes as events of the feed show it; `None` if no fact is public.
    pub snapshot: Option<OrderSnapshot>,
    /// Event that is applied, to be stored in the inbox. An event that is stored already stays unchanged.
    pub received: Option<ReceivedEvent>,
    /// Time of the decision.
    pub at: Timestamp,
}

/// Cause of a change: its source, actor and request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// Source of the update: `webhook`, `back_fill`, `answer`, `callback`, `poll`, `worker` or `recover`. Empty where
    /// the actor alone caused the change.
    pub source: String,
    /// Stripe's id of the event (`evt_…`), where the change came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Stripe's id of the request (`req_…`) that was answered, or that caused the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Actor who caused the change; `None` in facts from before actors were stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

impl Cause {
    /// Adds the actor to `cause`: Stripe where the change came from an event, otherwise `current`.
    pub(crate) fn with_actor(cause: Option<Self>, current: Option<Actor>) -> Option<Self> {
        let is_by_event = cause.as_ref().is_some_and(|it| it.event.is_some());
        match if is_by_event { Some(Actor::Stripe) } else { current } {
            None => cause,
            actor @ Some(_) => Some(Self { actor, ..cause.unwrap_or_default() }),
        }
    }
}

impl Cause {
    /// Cause with this source alone.
    pub(crate) fn of(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }
}

impl Changes {
    /// Changes of `decision`, decided at `at` on version `expected`. `due_at` returns the time from which the worker
    /// may perform a task; a task without a time is not stored.
    pub fn of(
        expected: Version,
        decision: Decision,
        at: Timestamp,
        due_at: impl Fn(&Order, &Task) -> Option<Timestamp>,
    ) -> Self {
        let order = decision.order;
        let scheduled = |task: Task| due_at(&order, &task).map(|due_at| ScheduledTask { task, due_at });
        Self {
            expected,
            tasks: decision.tasks.into_iter().filter_map(scheduled).collect(),
            snapshot: OrderSnapshot::of_change(&order, &decision.facts),
            order,
            facts: decision.facts,
            finished: decision.finished,
            idempotency: None,
            cause: None,
            received: None,
            at,
        }
    }

    /// Index and type of each fact that becomes an event of the feed.
    pub fn public_facts(&self) -> impl Iterator<Item = (u16, FeedEventType)> {
        (0..).zip(&self.facts).filter_map(|(index, fact)| Some((index, FeedEventType::of(fact)?)))
    }

    /// Whether the changes edit the content of a stored order, such as its lines, adjustments or notes.
    pub fn edits_content(&self) -> bool {
        self.expected != Version::NEW && self.facts.iter().any(|it| matches!(it, Fact::OrderEdited { .. }))
    }
}

/// A task, with the time from which the worker may perform it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledTask {
    /// Task to perform.
    pub task: Task,
    /// Time from which the worker may perform it.
    pub due_at: Timestamp,
}

/// A stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFact {
    /// Version of the order after the commit that stored the fact.
    pub version: Version,
    /// The fact.
    pub fact: Fact,
    /// Time of the decision.
    pub at: Timestamp,
    /// Cause of the change; `None` where none was stored.
    pub cause: Option<Cause>,
}

/// Request for a lease: a time-limited exclusive claim on tasks, events or a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Id of the owner, different in every process.
    pub owner: Uuid,
    /// Current time: what is due by now is leased.
    pub now: Timestamp,
    /// Time at which the lease ends.
    pub until: Timestamp,
    /// Largest number of tasks or events to lease.
    pub limit: u16,
}

/// Longest pause of a process between reading its clock and calling the store, in seconds.
const PROCESS_PAUSE_SECONDS: u32 = 3600;

/// Largest difference between the clocks of two processes on one store, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: u32 = 300;

/// Longest wait of a parked event before the next attempt, in seconds.
pub(crate) const EVENT_WAIT_SECONDS_MAX: u32 = 86_400;

impl Lease {
    /// Latest time at which a parked event can be due, whichever process parked it.
    pub fn event_due_max(&self) -> Timestamp {
        self.now.plus_seconds(EVENT_WAIT_SECONDS_MAX + CLOCK_TOLERANCE_SECONDS)
    }

    /// Latest time at which a lease of the same length can end, whichever process took it. It allows for differences
    /// between clocks, and for a process that was paused after it read its clock.
    pub fn until_max(&self) -> Timestamp {
        self.until.plus_seconds(CLOCK_TOLERANCE_SECONDS + PROCESS_PAUSE_SECONDS)
    }
}

/// Condition under which a cursor may be leased: it is due at `by`, or later than it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorDue {
    /// Time by which the cursor must be due.
    pub by: Timestamp,
    /// Latest time at which it can be due, whichever process moved it.
    pub latest: Timestamp,
}

impl CursorDue {
    /// Condition for a cursor with this period, in seconds: it is due at `now`.
    pub fn now(now: Timestamp, period_seconds: u32) -> Self {
        let latest = now.plus_seconds(period_seconds.saturating_add(CLOCK_TOLERANCE_SECONDS));
        Self { by: now, latest }
    }
}

/// Query for tasks that are due later than any of their kind can be: a process with a clock that ran ahead wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateTasks {
    /// Current time, at which late tasks become due.
    pub now: Timestamp,
    /// Latest time at which a task of each kind can be due, whichever process wrote it.
    pub due_max: Vec<(TaskKind, Timestamp)>,
    /// Time after which tasks are read: those due at it or before are not.
    pub after: Timestamp,
    /// Largest number of tasks to read.
    pub limit: u16,
}

impl LateTasks {
    /// Whether a task that is due at `due_at` is late. A task of an unknown kind never is: a newer version may have
    /// written it.
    pub fn is_late(&self, key: &TaskKey, due_at: Timestamp) -> bool {
        self.due_max.iter().any(|(kind, due_max)| kind.name() == key.kind() && due_at > *due_max)
    }
}

/// Result of [`Store::reschedule_tasks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rescheduled {
    /// Number of late tasks that are due now.
    pub count: u32,
    /// Time at which the last task that was read was due, where there may be more after it; `None` at the end.
    pub next: Option<Timestamp>,
}

/// A task under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTask {
    /// Order of the task.
    pub order: OrderId,
    /// Task to perform.
    pub task: Task,
    /// Number of leases of the task so far, this one included.
    pub taken: u32,
}

/// End of the lease of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRelease {
    /// Owner of the lease.
    pub owner: Uuid,
    /// Order of the task.
    pub order: OrderId,
    /// Key of the task within the order.
    pub key: TaskKey,
    /// [`LeasedTask::taken`] of the lease: with the owner, it identifies the lease.
    pub taken: u32,
    /// Time at which the task is due again; `None` deletes it.
    pub again_at: Option<Timestamp>,
    /// Error of this attempt, if it failed.
    pub error: Option<String>,
}

/// A task in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTask {
    /// Task to perform.
    pub task: Task,
    /// Time from which the worker may perform it.
    pub due_at: Timestamp,
    /// Number of leases of the task so far.
    pub taken: u32,
    /// Time at which the current lease ends; `None` without a lease.
    pub leased_until: Option<Timestamp>,
    /// Error of the last attempt, if it failed.
    pub error: Option<String>,
}

/// Position in a list that is read in steps, such as Stripe's events. It is stored under a name and leased by one
/// process at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Last item seen; `None` before the first.
    pub value: Option<String>,
}

/// Query for a page of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Customer whose orders are read; `None` reads all.
    pub customer: Option<CustomerId>,
    /// Last order of the page before, after which the page begins; `None` for the first page.
    pub older_than: Option<OrderId>,
    /// Largest number of orders to read.
    pub limit: u16,
}

/// Page of a customer's completed orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedOrdersQuery {
    /// Customer who completed the orders.
    pub customer: CustomerId,
    /// Whether the oldest order comes first; otherwise the newest does.
    pub oldest_first: bool,
    /// Number of orders before the page.
    pub offset: u64,
    /// Most orders on the page.
    pub limit: u16,
}

/// Idempotency key of a caller's request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Id of the application whose key it is: two applications may choose the same text.
    pub scope: Uuid,
    /// Text that the caller chose.
    pub key: String,
}

impl IdempotencyKey {
    /// Digest of scope and text, as a UUID of version 5 (RFC 9562, section 5.5).
    pub fn digest(&self) -> Uuid {
        Uuid::new_v5(&self.scope, self.key.as_bytes())
    }

    /// Id of an order that is placed with this key at `now`: a UUID of version 7 whose random bits are those of the
    /// digest. If a restore loses the order, a repeated request gets an id with the same random bits, by which the lost
    /// order is recognized in Stripe's metadata.
    pub fn order_id(&self, now: Timestamp) -> OrderId {
        /// Bits after the milliseconds, the version among them.
        const TAIL: u128 = (1 << 80) - 1;
        /// Bits of the version, 7, and those that it replaces.
        const VERSION: (u128, u128) = (7 << 76, 15 << 76);
        let millis = u128::try_from(now.unix_micros() / 1000).unwrap_or_default();
        OrderId(Uuid::from_u128((millis << 80) | (self.digest().as_u128() & TAIL & !VERSION.1) | VERSION.0))
    }
}

/// Decision on an order that a restore has lost. The first decision on an order is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostOrderDecision {
    /// Creates the order again, from its PaymentIntent.
    Recreate,
    /// Creates the order again and refunds its payment, or cancels the order where it is not paid.
    Refund,
}

variant_names! {
    /// Name of the decision in stored rows.
    LostOrderDecision {
        Recreate => "recreate",
        Refund => "refund",
    }
}

/// Id and epoch of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Id of the installation.
    pub id: InstallationId,
    /// Epoch in which requests are decided now.
    pub epoch: Epoch,
}

/// Idempotency record: an earlier request with an idempotency key, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Key of the request.
    pub key: IdempotencyKey,
    /// Digest of the whole request: a repetition with another digest is refused.
    pub fingerprint: [u8; 32],
    /// Order that the request placed or changed.
    pub order: OrderId,
    /// Outcome of the request.
    pub outcome: IdempotencyOutcome,
    /// Time of the commit.
    pub at: Timestamp,
}

/// API key of an application. Only its holder knows the text; the store has the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Id of the key, by which it is revoked, and the scope of its idempotency keys.
    pub id: Uuid,
    /// Name of the key, for people.
    pub name: String,
    /// SHA-256 digest of the key's text.
    pub digest: [u8; 32],
    /// Scopes of the key; never changed.
    pub scopes: Vec<Scope>,
    /// Time at which the key was created.
    pub created_at: Timestamp,
    /// Time from which the key is invalid; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
    /// Time from which the key is revoked; `None` if it is not.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key is valid at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Scope of an API key: a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read orders.
    OrdersRead,
    /// Place, edit and cancel orders, and start their payments.
    OrdersWrite,
    /// Move money: the payment callback, captures and refunds.
    PaymentsWrite,
    /// Read the price list and the terms of sale.
    PricesRead,
    /// Change the price list and the terms of sale.
    PricesWrite,
    /// Read the feed of events.
    EventsRead,
    /// Read the endpoints of outgoing webhooks, and their attempts.
    WebhooksRead,
    /// Create and change endpoints of outgoing webhooks, and send events again.
    WebhooksWrite,
}

variant_names! {
    /// Name of the scope in settings, in answers and in stored rows.
    Scope {
        OrdersRead => "orders:read",
        OrdersWrite => "orders:write",
        PaymentsWrite => "payments:write",
        PricesRead => "prices:read",
        PricesWrite => "prices:write",
        EventsRead => "events:read",
        WebhooksRead => "webhooks:read",
        WebhooksWrite => "webhooks:write",
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Error of a text that is not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be orders:read, orders:write, payments:write, prices:read, prices:write, events:read, webhooks:read or \
     webhooks:write"
)]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::named(text).ok_or(UnknownScope)
    }
}
