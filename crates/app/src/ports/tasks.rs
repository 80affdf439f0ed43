//! Task queue: work that commits have stored, to be done by the worker.

use async_trait::async_trait;
use paywright_domain::task::{TaskKey, TaskKind};
use paywright_domain::{OrderId, Task, Timestamp};
use uuid::Uuid;

use super::lease::Lease;
use super::store::StoreError;

/// Port to the task queue: the tasks that commits have stored, leased by the worker when they are due.
///
/// Each call is one transaction.
#[async_trait]
pub trait TaskQueue: Send + Sync {
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

/// Result of [`TaskQueue::reschedule_tasks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rescheduled {
    /// Number of late tasks that are due now.
    pub count: u32,
    /// Time at which the last task that was read was due, where there may be more after it; `None` at the end.
    pub next: Option<Timestamp>,
}
