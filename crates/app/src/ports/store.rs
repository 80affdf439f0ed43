use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use paywright_domain::{
    CustomerId, Decision, Epoch, Fact, InstallationId, IntentId, Order, OrderId, OrderNumber, Task, TaskKey, TaskKind,
    Timestamp, variant_names,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::inbox::{EventClosing, LeasedEvent, ReceivedEvent};
use crate::Actor;

/// Where orders are kept. One `commit` is one transaction, and no transaction outlives a call.
///
/// Dropping the future of a `commit` leaves it done or not done, never half done. Which of the two may be settled
/// a moment later; a commit that would contradict it waits until it is. `testkit::store_contract!` holds every
/// store to this page.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads an order, with the version that a commit of it must name.
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError>;

    /// Reads a page of orders, the newest first. Walking from page to page misses no order that was there
    /// when the walk began, and repeats none, whatever is placed or changed meanwhile.
    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError>;

    /// Reads a page of the orders that a customer has completed, as [`is_completed`](crate::is_completed) defines it.
    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError>;

    /// Counts the orders that a customer has completed.
    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError>;

    /// Reads what happened to an order, oldest first.
    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError>;

    /// Reads what an earlier request with this key led to.
    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Writes all of `changes`, or nothing. [`StoreError::Conflict`] if the order's version is stale, if its id, its
    /// number or the idempotency key is taken, or if the key placed an order that was lost ([`Self::add_lost_order`]).
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// Takes tasks that are due and that no other owner holds, oldest first, and holds them until
    /// `lease.until`. A task that is not finished by then may be taken by another.
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError>;

    /// Lets go of a task: ends it, or has it due again later. Says whether it was still held by this very
    /// lease; if another has taken it since, nothing is changed.
    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError>;

    /// Looks at tasks that are not due yet, those due first first, and makes those due now that are due later than a task
    /// of their kind can be.
    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError>;

    /// Reads the tasks of an order, the one due first first.
    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError>;

    /// Keeps a message of the provider that changes no order now. Says whether it is new; one that is known
    /// stays as it is.
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError>;

    /// Which of these messages are known.
    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError>;

    /// Takes parked messages that are due, as [`Store::lease_tasks`] takes tasks.
    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError>;

    /// Says what became of a message that was taken. Says whether it was still held by this very lease.
    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError>;

    /// Forgets messages that are done with and came before `before`; how many at most is the store's to say.
    /// Says how many those were.
    async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Takes the mark with this name, if it is due and nobody holds it; it is made where there is none. One that is due
    /// later than it can be, or held for longer, was moved by a clock that ran ahead: it is due, and free.
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError>;

    /// Moves a mark that `owner` holds, and lets go of it until it is due again. Says whether it was held.
    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Finds an application's key by the SHA-256 digest of its text.
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Keeps a new key. [`StoreError::Conflict`] if its id or digest is taken.
    async fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Reads every key, the newest first.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key from `at` on; the first revocation stands. Says whether there is such a key.
    async fn revoke_api_key(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError>;

    /// Reads which installation's orders these are, and in which epoch.
    async fn installation(&self) -> Result<Installation, StoreError>;

    /// Begins an epoch. Orders that are read from now on have it. An epoch that is not later than the present one changes
    /// nothing.
    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Keeps the id of an order that was placed once and is not here: a restore from a backup has lost it. From now on no
    /// order with an idempotency key is placed under an id that ends as this one does.
    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError>;

    /// Finds the lost order whose id ends as `like` does: what follows the time in both is equal.
    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError>;

    /// Keeps what is to be done about a lost order, unless that was decided before; says what is decided. `None` where the
    /// order is not kept as lost.
    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError>;

    /// Checks that an order would be kept: writes a row of its own where orders are written, and looks whether the schema
    /// is one that this version can work on.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Settings or states of the store that an operator should change now, in whole sentences without secrets.
    fn warnings(&self) -> Vec<String>;
}

/// Why the store did not do what was asked. It changed nothing, unless that is [`StoreError::Unknown`].
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another writer came first: read again and decide again.
    #[error("another writer came first")]
    Conflict,
    /// The store cannot be used now; later it may.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The store did not say whether it was done: read, and decide on what is there.
    #[error("the store did not say whether it was done: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
    /// A stored row is not what any step could have written: a person must look.
    #[error("a stored row is corrupt: {0}")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
}

/// Cause of a [`StoreError::Unavailable`]: the store has no room for what is written.
#[derive(Debug, Error)]
#[error("the disk of the database is full: {0}")]
pub struct DiskFull(#[source] Box<dyn StdError + Send + Sync>);

impl StoreError {
    /// The store has no room for what is written; with room again it may be used.
    pub fn disk_full(cause: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Unavailable(Box::new(DiskFull(cause)))
    }

    /// Whether nothing was changed since there is no room for it.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Unavailable(cause) => cause.is::<DiskFull>(),
            Self::Conflict | Self::Unknown(_) | Self::Corrupt(_) => false,
        }
    }
}

/// How often an order was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// The version of an order that is not stored yet.
    pub const NEW: Self = Self(0);

    /// The version that a commit naming this one makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A value with the version that a commit of it must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The version it was read in.
    pub version: Version,
    /// The value.
    pub value: T,
}

/// The ways to name an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRef {
    /// By its id.
    Id(OrderId),
    /// By its number.
    Number(OrderNumber),
    /// By any intent ever issued for it.
    Intent(IntentId),
}

impl OrderRef {
    /// Reads the name of an order: its id (a UUID), its number (`ORD-...`) or an intent of it (`pi_...`).
    pub fn parse(text: &str) -> Result<Self, OrderRefError> {
        let id = || Uuid::try_parse(text).ok().map(|it| Self::Id(OrderId(it)));
        let number = || OrderNumber::parse(text).ok().map(Self::Number);
        let intent = || IntentId::new(text).ok().map(Self::Intent);
        id().or_else(number).or_else(intent).ok_or_else(|| {
            if OrderNumber::is_like(text) { OrderRefError::NoSuchNumber } else { OrderRefError::Malformed }
        })
    }
}

/// Why a text names no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrderRefError {
    /// It begins as numbers do (`ORD-`), and no order has such a number.
    #[error("no order has this number")]
    NoSuchNumber,
    /// Text that cannot name an order.
    #[error("an order is named by its id (a UUID), its number (ORD-...) or a payment intent (pi_...)")]
    Malformed,
}

/// What is written in one transaction, about one order.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The version decided on.
    pub expected: Version,
    /// The order from now on.
    pub order: Order,
    /// What happened.
    pub facts: Vec<Fact>,
    /// What must now be done outside. A task whose key is there already stays as it is.
    pub tasks: Vec<ScheduledTask>,
    /// Tasks that need not be done any more.
    pub finished: Vec<TaskKey>,
    /// What a repeat of the request is to be told.
    pub idempotency: Option<IdempotencyRecord>,
    /// What it was that made it happen.
    pub cause: Option<Cause>,
    /// The message of the provider that this takes in. One that is known already stays as it is.
    pub received: Option<ReceivedEvent>,
    /// When it was decided.
    pub at: Timestamp,
}

/// What made something happen, for whoever asks later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// Where the news came from: `webhook`, `back_fill`, `answer`, `poll`, `worker`. Empty where nobody but the actor made
    /// it happen.
    pub source: String,
    /// The provider's name for its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The provider's name for the request that it answered, or that caused its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Who asked for the change; unknown of what was stored before actors were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

impl Cause {
    /// `cause` with who asked: Stripe for what one of its events brought, else `current`.
    pub(crate) fn with_actor(cause: Option<Self>, current: Option<Actor>) -> Option<Self> {
        let is_by_event = cause.as_ref().is_some_and(|it| it.event.is_some());
        match if is_by_event { Some(Actor::Stripe) } else { current } {
            None => cause,
            actor @ Some(_) => Some(Self { actor, ..cause.unwrap_or_default() }),
        }
    }
}

impl Cause {
    /// News from `source`, without a name of the provider's.
    pub(crate) fn of(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }
}

impl Changes {
    /// All that `decision` says, decided at `at` on version `expected`. `due_at` says when each of its tasks
    /// becomes due for anybody; those that it gives no time are not kept.
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
            order,
            facts: decision.facts,
            finished: decision.finished,
            idempotency: None,
            cause: None,
            received: None,
            at,
        }
    }

    /// Whether lines, adjustments, notes or the address of the receipt are others than before.
    pub fn edits_content(&self) -> bool {
        self.expected != Version::NEW && self.facts.iter().any(|it| matches!(it, Fact::OrderEdited { .. }))
    }
}

/// A task and when it becomes due for anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledTask {
    /// What is to be done.
    pub task: Task,
    /// From when on.
    pub due_at: Timestamp,
}

/// A fact as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFact {
    /// The version of the order that it led to.
    pub version: Version,
    /// What happened.
    pub fact: Fact,
    /// When that was decided.
    pub at: Timestamp,
    /// What made it happen.
    pub cause: Option<Cause>,
}

/// A claim on tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Who takes them.
    pub owner: Uuid,
    /// This moment: tasks due by now are taken.
    pub now: Timestamp,
    /// Until when they are held.
    pub until: Timestamp,
    /// How many at most.
    pub limit: u16,
}

/// Longest standstill of a process between looking at its clock and asking the store, in seconds.
const STANDSTILL_SECONDS: u32 = 3600;

/// Largest difference between the clocks of two processes on one store, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: u32 = 300;

/// Longest wait of a parked event before it is looked at again, in seconds.
pub(crate) const EVENT_WAIT_SECONDS_MAX: u32 = 86_400;

impl Lease {
    /// The latest moment at which a parked event can be due, whoever parked it.
    pub fn event_due_max(&self) -> Timestamp {
        self.now.plus_seconds(EVENT_WAIT_SECONDS_MAX + CLOCK_TOLERANCE_SECONDS)
    }

    /// The latest moment at which a lease like this can end, whoever took it: also where this one was decided on some time
    /// ago, since a process may stand still before it asks.
    pub fn until_max(&self) -> Timestamp {
        self.until.plus_seconds(CLOCK_TOLERANCE_SECONDS + STANDSTILL_SECONDS)
    }
}

/// When a mark may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorDue {
    /// Moment by which the mark has to be due.
    pub by: Timestamp,
    /// The latest moment at which it can be due, whoever moved it.
    pub latest: Timestamp,
}

impl CursorDue {
    /// A mark that is moved on by `period_seconds` each time, and is due by `now`.
    pub fn now(now: Timestamp, period_seconds: u32) -> Self {
        let latest = now.plus_seconds(period_seconds.saturating_add(CLOCK_TOLERANCE_SECONDS));
        Self { by: now, latest }
    }
}

/// Tasks that are due later than any of their kind can be: a clock that ran ahead has written them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateTasks {
    /// This moment: they become due now.
    pub now: Timestamp,
    /// The latest moment at which a task of each kind can be due, whoever wrote it.
    pub due_max: Vec<(TaskKind, Timestamp)>,
    /// Tasks due until then are not looked at.
    pub after: Timestamp,
    /// Most tasks that are looked at.
    pub limit: u16,
}

impl LateTasks {
    /// Whether a task that is due at `due_at` is one of them. One of an unknown kind is not: it may be a newer version's.
    pub fn is_late(&self, key: &TaskKey, due_at: Timestamp) -> bool {
        self.due_max.iter().any(|(kind, due_max)| kind.name() == key.kind() && due_at > *due_max)
    }
}

/// Result of a look at tasks that are not due yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rescheduled {
    /// Number of tasks that are due now and were not.
    pub count: u32,
    /// When the last one that was looked at was due, where there may be more after it.
    pub next: Option<Timestamp>,
}

/// A task that its owner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTask {
    /// The order it is about.
    pub order: OrderId,
    /// What is to be done.
    pub task: Task,
    /// How often it was taken, this time included.
    pub taken: u32,
}

/// The end of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRelease {
    /// Who held it.
    pub owner: Uuid,
    /// The order it is about.
    pub order: OrderId,
    /// Which task.
    pub key: TaskKey,
    /// How often it had been taken: with the owner, what tells this lease from every other.
    pub taken: u32,
    /// When it is due again; never again if `None`.
    pub again_at: Option<Timestamp>,
    /// Why it was not done, if it was not.
    pub error: Option<String>,
}

/// A task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTask {
    /// What is to be done.
    pub task: Task,
    /// From when on.
    pub due_at: Timestamp,
    /// How often it was taken.
    pub taken: u32,
    /// Until when somebody holds it.
    pub leased_until: Option<Timestamp>,
    /// Why it was not done the last time.
    pub error: Option<String>,
}

/// Position in a list that is walked in steps, such as Stripe's events; stored under a name, leased by one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Last item seen; `None` before the first.
    pub value: Option<String>,
}

/// Which orders, from where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only this customer's.
    pub customer: Option<CustomerId>,
    /// Only those older than this one: the last of the page before.
    pub older_than: Option<OrderId>,
    /// How many at most.
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

/// Names a request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Whose key it is: two applications may choose the same text.
    pub scope: Uuid,
    /// The text that the caller chose.
    pub key: String,
}

impl IdempotencyKey {
    /// Digest of scope and text, the same wherever it is made: a UUID of version 5 (RFC 9562, section 5.5).
    pub fn digest(&self) -> Uuid {
        Uuid::new_v5(&self.scope, self.key.as_bytes())
    }

    /// Id of an order that is placed under this key at `now`: a UUID of version 7 whose random bits are those of the
    /// digest. A database that has lost the order makes an id with the same end of a repeated request, and knows it by
    /// that from what Stripe has on record.
    pub fn order_id(&self, now: Timestamp) -> OrderId {
        /// Bits after the milliseconds, the version among them.
        const TAIL: u128 = (1 << 80) - 1;
        /// Bits of the version, 7, and those that it replaces.
        const VERSION: (u128, u128) = (7 << 76, 15 << 76);
        let millis = u128::try_from(now.unix_micros() / 1000).unwrap_or_default();
        OrderId(Uuid::from_u128((millis << 80) | (self.digest().as_u128() & TAIL & !VERSION.1) | VERSION.0))
    }
}

/// Decision on an order that a restore has lost. The first one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostOrderDecision {
    /// Makes it again, of what its payment says.
    Recreate,
    /// Makes it again and gives back what was paid; cancels it where nothing was.
    Refund,
}

variant_names! {
    /// Its name in stored rows.
    LostOrderDecision {
        Recreate => "recreate",
        Refund => "refund",
    }
}

/// Name and epoch of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Which one.
    pub id: InstallationId,
    /// The epoch in which requests are decided now.
    pub epoch: Epoch,
}

/// What a request led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Which request.
    pub key: IdempotencyKey,
    /// A digest of all that the request said: a repeat must say the same.
    pub fingerprint: [u8; 32],
    /// The order it was about.
    pub order: OrderId,
    /// What the caller was told, in the words of its dialect, without secrets.
    pub answer: String,
    /// When.
    pub at: Timestamp,
}

/// A key of an application. Its text is known to its holder alone; the store has the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name for revocation and for idempotency scopes.
    pub id: Uuid,
    /// Its name for people.
    pub name: String,
    /// The SHA-256 digest of its text.
    pub digest: [u8; 32],
    /// What it may do; never changed.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer taken.
    pub expires_at: Option<Timestamp>,
    /// Since when it is no longer taken.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is taken at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What an application may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read orders.
    OrdersRead,
    /// Place, edit and cancel orders, and start their payments.
    OrdersWrite,
    /// Move money: the payment callback, and later captures and refunds.
    PaymentsWrite,
    /// Read the price list and the terms of sale.
    PricesRead,
    /// Change them.
    PricesWrite,
}

variant_names! {
    /// Its name in settings, in answers and in stored rows.
    Scope {
        OrdersRead => "orders:read",
        OrdersWrite => "orders:write",
        PaymentsWrite => "payments:write",
        PricesRead => "prices:read",
        PricesWrite => "prices:write",
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be orders:read, orders:write, payments:write, prices:read or prices:write")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::named(text).ok_or(UnknownScope)
    }
}
