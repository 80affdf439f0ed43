//! State of the work in the database, for metrics: what waits, since when, and what a person must decide.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paywright_domain::task::TaskKind;
use paywright_domain::{Order, Timestamp};

use super::feed::Position;
use super::store::StoreError;

/// Port to the state of the work in the database, for an operator who monitors it.
///
/// Each call reads a limited number of rows by indexes, whatever the number of orders. `testkit::monitoring_contract!`
/// checks each store against these docs.
#[async_trait]
pub trait Monitoring: Send + Sync {
    /// Reads what waits at `now`.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;

    /// Reads at most `limit` orders that are held for review ([`Order::is_held_for_review`]), by their ids: the oldest
    /// first.
    async fn orders_in_review(&self, limit: u16) -> Result<Vec<Order>, StoreError>;

    /// Reads at most `limit` orders with a case that waits for a person ([`cases_of`](crate::cases_of)), by their ids: the
    /// oldest first.
    async fn orders_with_cases(&self, limit: u16) -> Result<Vec<Order>, StoreError>;

    /// Name and version of the database, such as "PostgreSQL 15.4".
    async fn version(&self) -> Result<String, StoreError>;

    /// Use of the connections of this process.
    fn connections(&self) -> ConnectionUse;
}

/// Use of the connections of a process for commits and lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionUse {
    /// Number of connections in use.
    pub in_use: usize,
    /// Largest number of connections.
    pub max: usize,
}

/// Largest number of waiting rows of one kind that a store counts: beyond it, a count is this number, and the oldest row is
/// that of those it has counted.
pub const BACKLOG_COUNT_MAX: u16 = 10_000;

/// Largest number of queues in which a store looks for the oldest event that waits for its delivery: those whose delivered
/// events are the oldest.
pub const BACKLOG_QUEUES_MAX: u16 = 1000;

/// Waiting work in the database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Tasks that are due, those under a lease included, by the time from which they are due.
    pub due_tasks: BTreeMap<TaskKind, Waiting>,
    /// Tasks whose last attempt failed; without a time.
    pub failing_tasks: BTreeMap<TaskKind, Waiting>,
    /// Stripe's events that are parked, by the time at which they were received.
    pub parked_events: Waiting,
    /// Events without a position in the feed, by the time of their commit.
    pub unpositioned_events: Waiting,
    /// Queues of enabled endpoints, by the time of the oldest event that is not delivered. The number is that of the queues
    /// that were looked at, and of endpoints behind the feed.
    pub deliveries: Waiting,
    /// Enabled endpoints that accept what is sent to them.
    pub endpoints_enabled: u64,
    /// Enabled endpoints that have accepted nothing since their last failure.
    pub endpoints_failing: u64,
    /// Endpoints that are disabled, by a person or by the service.
    pub endpoints_disabled: u64,
    /// Last position of the feed.
    pub feed_position: Position,
}

/// Rows of one kind that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Number of the rows, at most [`BACKLOG_COUNT_MAX`].
    pub count: u64,
    /// Time since which the oldest of them waits; `None` if there is none.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// Adds a row of a store's answer: what it counts, the name within that, the number, and the oldest time. A row that
    /// this version does not know, such as a kind of task of a newer one, is left out.
    pub fn add(&mut self, what: &str, name: &str, count: u64, oldest: Option<Timestamp>) {
        let waiting = Waiting { count, oldest };
        match (what, name) {
            ("due_task" | "failing_task", kind) => {
                let tasks = if what == "due_task" { &mut self.due_tasks } else { &mut self.failing_tasks };
                if let Some(kind) = TaskKind::named(kind) {
                    tasks.insert(kind, waiting);
                }
            }
            ("parked_event", _) => self.parked_events = waiting,
            ("unpositioned_event", _) => {
                let of_both = [self.unpositioned_events.oldest, oldest].into_iter().flatten().min();
                self.unpositioned_events = Waiting { count: self.unpositioned_events.count + count, oldest: of_both };
            }
            ("delivery", _) => {
                let of_both = [self.deliveries.oldest, oldest].into_iter().flatten().min();
                self.deliveries = Waiting { count: self.deliveries.count + count, oldest: of_both };
            }
            ("endpoint", "enabled") => self.endpoints_enabled = count,
            ("endpoint", "failing") => self.endpoints_failing = count,
            ("endpoint", "disabled") => self.endpoints_disabled = count,
            ("feed", _) => self.feed_position = Position(count),
            _ => {}
        }
    }
}
