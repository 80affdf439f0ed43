//! Endpoints of other programs, to which events of the feed are delivered, and the deliveries that are left to do.

use async_trait::async_trait;
use paywright_domain::Timestamp;
use uuid::Uuid;

use super::audit_trail::{AuditEntry, AuditTrail};
use super::feed::{FeedEvent, Position};
use super::lease::Lease;
use super::store::{StoreError, Versioned};
use super::subject::SubjectId;
use crate::endpoints::{Attempt, AttemptPage, AttemptQuery, AttemptSearch, Endpoint, EndpointId};

/// Port to endpoints and their deliveries.
///
/// An endpoint has a position: every event up to it that the endpoint wants has been delivered, or is in a *queue*. A
/// queue has what is left to deliver of one subject to one endpoint: a range of positions, and events to send again on
/// request (resends), in the order of the requests. One event at a time is delivered under a lease. The next event of the
/// range and the first resend have failed attempts and a due time of their own. A queue without anything left is deleted,
/// so that the number of queues is the backlog.
///
/// An event may be sent in several *parts*, one webhook each. The next event and the first resend each have a number of
/// parts that are done.
///
/// Each call is one transaction. A change that a caller has asked for is stored with its entry of the audit trail; one that
/// stores nothing stores no entry. `testkit::endpoint_contract!` checks each store against these docs.
#[async_trait]
pub trait Endpoints: AuditTrail {
    /// Stores a new endpoint that gets the events after `position`. [`StoreError::Conflict`] if its id exists.
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError>;

    /// Reads an endpoint.
    async fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError>;

    /// Reads at most `limit` endpoints whose ids are greater than `after`, in the order of their ids: the oldest first.
    async fn endpoints(&self, after: Option<EndpointId>, limit: u16) -> Result<Vec<StoredEndpoint>, StoreError>;

    /// Replaces the endpoint with this id, except its position and its format. [`StoreError::Conflict`] if its version is not
    /// `endpoint.version`, or if there is none. If it is disabled afterwards, its queues are due at no time; if it is
    /// enabled, those are due at `now`, with no failed attempts.
    async fn change_endpoint(
        &self,
        endpoint: &Versioned<Endpoint>,
        now: Timestamp,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError>;

    /// Reads at most `limit` endpoints that an operator should look at, in the order of their ids, and the number of all
    /// of them: those that the service has disabled, those that accept nothing since `failing_since` or longer, and
    /// enabled ones whose secret follows from a key that is none of `key_ids`.
    async fn troubled_endpoints(
        &self,
        failing_since: Timestamp,
        key_ids: &[String],
        limit: u16,
    ) -> Result<TroubledEndpoints, StoreError>;

    /// Reads what waits for an endpoint: the subjects of its queues, and those of the events after its position that it
    /// wants, of the first [`WAITING_EVENTS_MAX`] of these positions.
    async fn waiting_orders(&self, id: EndpointId) -> Result<WaitingOrders, StoreError>;

    /// Goes through at most `limit` queues of an endpoint, in the order of their subjects after `after`, and makes what
    /// is due later than `now` due at `now`, with no failed attempts. Returns the last subject, if there may be more.
    async fn make_queues_due(
        &self,
        id: EndpointId,
        after: Option<SubjectId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Option<SubjectId>, StoreError>;

    /// Deletes an endpoint with its queues and attempts. Returns whether there was one.
    async fn delete_endpoint(&self, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, StoreError>;

    /// Sets the position of an endpoint back, so that every event after it is delivered, again if it was before. Events
    /// before it that are left in queues stay there. A position that is not before the endpoint's changes nothing: what
    /// the endpoint has not received would be left out. Returns whether there is such an endpoint.
    async fn set_endpoint_back(
        &self,
        id: EndpointId,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError>;

    /// Moves each enabled endpoint that is behind the feed ahead by at most `events` positions, and puts what it wants
    /// of them into its queues, due at `now`. Of a queue that has delivered a later position already, because the
    /// endpoint's position was set back, delivery begins again at the first of these; with the first part, if that is the
    /// event of which parts were done. Returns whether an enabled endpoint is still behind.
    async fn fill_queues(&self, now: Timestamp, events: u16) -> Result<bool, StoreError>;

    /// Reads at most `lease.limit` queues of enabled endpoints that are due at `lease.now` and under no lease: all after
    /// `after`, or those of one endpoint. They are in the order of their due times, endpoints and subjects; those of one
    /// endpoint with the same due time are in any order. A lease that has ended, or that ends later than
    /// [`Lease::until_max`], counts as none. Nothing is leased.
    async fn due_queues(
        &self,
        lease: &Lease,
        after: Option<DueQueue>,
        of: Option<EndpointId>,
    ) -> Result<Vec<DueQueue>, StoreError>;

    /// Leases those of these queues that are still due and under no lease, in their order, with the first resend of each
    /// if it is due, else with the next event.
    async fn lease_queues(&self, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, StoreError>;

    /// Stores attempts, and ends the leases of their queues. Of a queue that is no longer under this lease, only the
    /// attempt is stored; of an endpoint that was deleted, nothing. A queue of a disabled endpoint is due at no time.
    async fn release_queues(&self, releases: &[QueueRelease]) -> Result<(), StoreError>;

    /// Puts an event at the end of the resends of its subject's queue, due at `now` unless another one is before it.
    /// Nothing is changed if it is there already. [`StoreError::Conflict`] if there is no such endpoint. From then on
    /// the event is not deleted until it has been sent. `entry` is stored if the event will be sent again.
    async fn resend(
        &self,
        endpoint: EndpointId,
        subject: SubjectId,
        position: Position,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<ResendOutcome, StoreError>;

    /// Stores an attempt that belongs to no queue, unless its endpoint was deleted.
    async fn add_attempt(&self, attempt: &Attempt) -> Result<(), StoreError>;

    /// Reads attempts, the newest first.
    async fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Attempt>, StoreError>;

    /// Reads a page of the newest attempts of some endpoints, the newest first, and their number.
    async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, StoreError>;

    /// Deletes at most `limit` attempts from before `before`. Returns their number.
    async fn delete_attempts(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError>;
}

/// Largest number of events of one subject that wait to be sent to an endpoint again.
pub const RESENDS_MAX: usize = 100;

/// Outcome of a request to send an event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResendOutcome {
    /// The event will be sent again.
    Accepted,
    /// [`RESENDS_MAX`] events of the subject wait to be sent again.
    TooMany,
    /// The event was deleted because of its age. Nothing was changed.
    Deleted,
    /// The event is after the endpoint's position, or after what the queue has delivered while it has more: sent now, it
    /// could come before earlier events of its subject. Nothing was changed.
    StillWaits {
        /// Time of the next attempt of the queue; `None` if the endpoint is disabled, or has no queue of the subject yet.
        next_attempt_at: Option<Timestamp>,
    },
}

/// Endpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEndpoint {
    /// The endpoint with its version.
    pub endpoint: Versioned<Endpoint>,
    /// Position up to which events have been put into its queues.
    pub position: Position,
}

impl StoredEndpoint {
    /// Position of an endpoint that was never enabled: after every event, so that no event waits for it.
    pub const NOT_STARTED: Position = Position(1 << 62);

    /// Position up to which events have been put into its queues; `None` if the endpoint was never enabled.
    pub fn reached(&self) -> Option<Position> {
        Some(self.position).filter(|it| *it < Self::NOT_STARTED)
    }
}

/// Endpoints that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TroubledEndpoints {
    /// The first of them.
    pub first: Vec<Endpoint>,
    /// Number of all of them.
    pub count: u32,
}

/// Largest number of waiting orders that are counted: a larger number is shown as this one.
pub const WAITING_ORDERS_MAX: u32 = 10_000;

/// Number of positions after that of an endpoint whose events are counted among those that wait. A disabled endpoint may
/// have more.
pub const WAITING_EVENTS_MAX: u32 = 20_000;

/// Orders with events that wait for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingOrders {
    /// Number of subjects with events that wait, at most [`WAITING_ORDERS_MAX`].
    pub count: u32,
    /// Time at which the first of them is due; `None` if none waits, or if the endpoint is disabled.
    pub next_attempt_at: Option<Timestamp>,
}

/// A queue that is due, in the order in which queues are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueQueue {
    /// Time at which it is due.
    pub due_at: Timestamp,
    /// Endpoint of the queue.
    pub endpoint: EndpointId,
    /// Subject of the queue.
    pub subject: SubjectId,
}

/// A queue under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedQueue {
    /// Endpoint of the queue.
    pub endpoint: EndpointId,
    /// Subject of the queue.
    pub subject: SubjectId,
    /// Number of leases of the queue so far: with the owner, it identifies the lease.
    pub taken: u32,
    /// Number of failed attempts of the next part of `next`.
    pub tries: u32,
    /// Number of parts of `next` that are done.
    pub part: u32,
    /// Position up to which the queue is delivered.
    pub done: Position,
    /// Position to pass next: that of `next`. Without a next event it is the last one in the queue: the endpoint wants
    /// none of the rest any more, or it was deleted.
    pub position: Position,
    /// Event to deliver next.
    pub next: Option<FeedEvent>,
    /// Whether `next` is a resend: the range of the queue stays as it is.
    pub is_resend: bool,
}

/// End of the lease of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRelease {
    /// Owner of the lease.
    pub owner: Uuid,
    /// Endpoint of the queue.
    pub endpoint: EndpointId,
    /// Subject of the queue.
    pub subject: SubjectId,
    /// [`LeasedQueue::taken`] of the lease.
    pub taken: u32,
    /// [`LeasedQueue::done`] of the lease: a queue that was set back meanwhile stays so.
    pub done: Position,
    /// [`LeasedQueue::part`] of the lease, for the same reason.
    pub part: u32,
    /// [`LeasedQueue::is_resend`] of the lease: the rest of the queue keeps its failed attempts and its due time.
    pub is_resend: bool,
    /// Change of the queue.
    pub next: QueueNext,
    /// Attempt that was made, if one was.
    pub attempt: Option<Attempt>,
}

/// Change of a queue at the end of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueNext {
    /// The event was delivered, has failed for good, or is not wanted: the queue goes on after it, without a wait. A
    /// queue with nothing left is deleted.
    Passed {
        /// Position of the event, [`LeasedQueue::position`].
        position: Position,
        /// Time of the release, at which the rest of the queue is due.
        now: Timestamp,
    },
    /// A part of the event was delivered, or has failed for good: the queue goes on with a later part of the same event,
    /// without a wait.
    Part {
        /// Position of the event, [`LeasedQueue::position`].
        position: Position,
        /// Number of parts that are done, greater than [`LeasedQueue::part`].
        done: u32,
        /// Time of the release, at which the rest of the queue is due.
        now: Timestamp,
    },
    /// The part is tried again.
    Again {
        /// Number of failed attempts.
        tries: u32,
        /// Time of the next attempt.
        at: Timestamp,
    },
}
