//! Inbox: Stripe's events as they are stored, each once, with its status.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paywright_domain::{OrderId, Timestamp, variant_names};
use uuid::Uuid;

use super::lease::Lease;
use super::store::StoreError;
use super::webhooks::ProviderUpdate;

/// Port to the inbox, which has each of Stripe's events once. A commit stores the event that it applies
/// ([`Changes::received`](crate::Changes::received)); this port stores the others, and leases the parked ones.
///
/// Each call is one transaction.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores an event that changes no order now. Returns whether it was new; an event that is stored already stays
    /// unchanged.
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError>;

    /// Returns those of these event ids that are in the inbox.
    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError>;

    /// Leases parked events that are due, as [`TaskQueue::lease_tasks`](crate::TaskQueue::lease_tasks) leases tasks. An event that is due later than
    /// [`Lease::event_due_max`] counts as due.
    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError>;

    /// Stores the result of processing a parked event, and ends its lease. Returns whether the event was still under
    /// this lease; if it was not, nothing is changed.
    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError>;

    /// Deletes events that are not parked and were both created and received before `before`: the first received ones,
    /// up to `limit` of them. Returns their number.
    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError>;
}

/// A Stripe event in the inbox, without the secrets that it may have carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Stripe's id of the event (`evt_…`), the same in every delivery.
    pub id: String,
    /// Type of the event, such as `payment_intent.succeeded`.
    pub kind: String,
    /// Time at which Stripe created the event, in whole seconds.
    pub created_at: Timestamp,
    /// Time of its first delivery, or of the back-fill that found it.
    pub received_at: Timestamp,
    /// Source of the event: `webhook` or `back_fill`.
    pub via: &'static str,
    /// HTTP headers of the delivery that may help in an investigation.
    pub headers: BTreeMap<String, String>,
    /// Update that the event carries: what it says about an order.
    pub update: ProviderUpdate,
    /// Status in the inbox.
    pub status: EventStatus,
    /// Reason of the status, unless the event was applied or ignored.
    pub error: Option<String>,
    /// Order that the event is about, once that is known.
    pub order: Option<OrderId>,
    /// Time from which the worker may process a parked event; `None` for every other status.
    pub due_at: Option<Timestamp>,
}

/// Status of an event in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventStatus {
    /// The event was applied to its order, whether or not that changed the order.
    Applied,
    /// The type of the event concerns no order.
    Ignored,
    /// The event is about an object of another installation or program on the same Stripe account.
    Foreign,
    /// The event waits for the worker: its order is not known yet, or Stripe must be read first.
    Parked,
    /// The event was given up after its last attempt; the error says why.
    GivenUp,
}

variant_names! {
    /// Name of the status in stored rows and in answers.
    EventStatus {
        Applied => "applied",
        Ignored => "ignored",
        Foreign => "foreign",
        Parked => "parked",
        GivenUp => "given_up",
    }
}

/// A parked event under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedEvent {
    /// Stripe's id of the event.
    pub id: String,
    /// Type of the event.
    pub kind: String,
    /// Time of its first delivery, or of the back-fill that found it.
    pub received_at: Timestamp,
    /// Update that the event carries: what it says about an order.
    pub update: ProviderUpdate,
    /// Number of leases of the event so far, this one included.
    pub taken: u32,
}

/// Result of processing a parked event, which ends its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventClosing {
    /// Owner of the lease.
    pub owner: Uuid,
    /// Stripe's id of the event.
    pub id: String,
    /// [`LeasedEvent::taken`] of the lease: with the owner, it identifies the lease.
    pub taken: u32,
    /// New status of the event.
    pub status: EventStatus,
    /// Reason of the status, unless the event was applied.
    pub error: Option<String>,
    /// Order that the event is about, if that is known now.
    pub order: Option<OrderId>,
    /// Time at which the event is due again, if it stays parked.
    pub again_at: Option<Timestamp>,
}
