//! Orders as they are stored: commits of changes, with facts and their causes, and reads.

use async_trait::async_trait;
use paywright_domain::fact::FeedEventType;
use paywright_domain::id::{CustomerId, OrderNumber};
#[cfg(doc)]
use paywright_domain::order::OrderState;
use paywright_domain::task::TaskKey;
use paywright_domain::{Currency, Decision, Fact, IntentId, Order, OrderId, Task, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::audit_trail::{Act, AuditEntry};
use super::feed::OrderSnapshot;
use super::idempotency::{IdempotencyKey, IdempotencyRecord};
use super::ids_and_clock::Ids;
use super::inbox::ReceivedEvent;
use super::order_list::{OrderFilter, OrderSearch, TimeRange};
use super::store::{StoreError, Version, Versioned};
use super::traces::TraceParent;
use crate::Actor;

/// Port to the orders: reads them with their facts, and commits changes of one order at a time.
///
/// An order's id is drawn for its idempotency key, where it has one, and its number and its cart end as the id does
/// ([`ENDING_BITS`](crate::ENDING_BITS)): a store may divide its orders among databases by that ending.
///
/// Each call is one transaction. Dropping the future of a `commit` leaves it committed or not, never half. Which of the
/// two may be decided a moment later; a commit that would conflict with it waits until then.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Reads an order, with the version that a commit of it must name. `None` if there is no such order.
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError>;

    /// Reads a page of orders, the newest first. Reading page after page misses no order that was stored when the first
    /// page was read, and repeats none, whatever is placed or changed meanwhile.
    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError>;

    /// Reads a page of the orders that a customer has completed, as [`is_completed`](crate::is_completed) defines it.
    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError>;

    /// Counts the orders that a customer has completed.
    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError>;

    /// Reads a page of the orders that a filter admits, as [`OrderFilter::admits`] defines it. Orders by the time of their
    /// last change are found by an index: the time of a search that starts there grows with what was changed since.
    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError>;

    /// Counts the orders that a filter admits.
    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError>;

    /// Reads the facts of an order, the oldest first.
    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError>;

    /// Reads the record of an earlier request with this key.
    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Deletes records that were committed before `before`: the oldest ones, up to `limit` of them. Returns their
    /// number.
    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError>;

    /// Writes all of `changes`, or nothing. [`StoreError::Conflict`] if the order's version is stale, if the id or
    /// number of a new order or the idempotency key exists, or if the key placed an order that was lost
    /// ([`Installations::add_lost_order`](crate::Installations::add_lost_order)).
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;
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

/// Query for a page of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Customer whose orders are read; `None` reads those of all.
    pub customer: Option<CustomerId>,
    /// Email address of the orders, whose ASCII letters may be of either case; `None` for any.
    pub email: Option<String>,
    /// Stored state of the orders, one of [`OrderState::NAMES`]; `None` for any.
    pub state: Option<&'static str>,
    /// Currency of the orders; `None` for any.
    pub currency: Option<Currency>,
    /// Times at which the orders may have been placed.
    pub placed: TimeRange,
    /// Last order of the page before, after which the page begins; `None` for the first page.
    pub older_than: Option<OrderId>,
    /// Largest number of orders to read.
    pub limit: u16,
}

impl OrderQuery {
    /// Query for the newest orders, at most `limit` of them.
    pub const fn newest(limit: u16) -> Self {
        let placed = TimeRange { from: None, until: None };
        Self { customer: None, email: None, state: None, currency: None, placed, older_than: None, limit }
    }

    /// Whether `order` fulfils every condition.
    pub fn admits(&self, order: &Order) -> bool {
        self.customer.as_ref().is_none_or(|it| order.customer.as_ref() == Some(it))
            && self
                .email
                .as_ref()
                .is_none_or(|it| order.email.as_ref().is_some_and(|own| own.as_str().eq_ignore_ascii_case(it)))
            && self.state.is_none_or(|it| it == order.state.name())
            && self.currency.is_none_or(|it| it == order.total.currency())
            && self.placed.contains(order.placed_at)
            && self.older_than.is_none_or(|it| order.id < it)
    }
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
    /// Entries of the audit trail: what moves money or ends a payment. The first commit of an order has none.
    pub audit: Vec<AuditEntry>,
    /// Time of the decision.
    pub at: Timestamp,
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
            audit: Vec::new(),
            at,
        }
    }

    /// Adds an entry to the audit trail for each fact that is an act of this cause, done by the work that is being polled.
    pub(crate) fn record_acts(&mut self, ids: &dyn Ids) {
        let acts = self.facts.iter().filter_map(|it| Act::of_fact(it, self.cause.as_ref()));
        self.audit = acts.map(|act| AuditEntry::of_current_work(ids, self.at, self.order.id, act)).collect();
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
    /// Context of the commit in the traces, which a delivery of its facts continues; `None` if the commit is not exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

impl Cause {
    /// Adds the context of the commit in the traces to `cause`.
    pub(crate) fn with_trace(cause: Option<Self>, trace: Option<TraceParent>) -> Option<Self> {
        match trace {
            None => cause,
            trace @ Some(_) => Some(Self { trace, ..cause.unwrap_or_default() }),
        }
    }

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
