//! The provider's messages as they are kept: each once, with what became of it.

use std::collections::BTreeMap;

use paywright_domain::{OrderId, Timestamp, variant_names};
use uuid::Uuid;

use super::webhooks::ProviderUpdate;

/// A message of the provider, kept without the secrets that it may have carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Its name, the same in every delivery.
    pub id: String,
    /// Its type, like `payment_intent.succeeded`.
    pub kind: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came first.
    pub received_at: Timestamp,
    /// By which way: `webhook` or `back_fill`.
    pub via: &'static str,
    /// What came with it, as far as it may help to find out what happened.
    pub headers: BTreeMap<String, String>,
    /// What it says of an order.
    pub update: ProviderUpdate,
    /// What became of it.
    pub status: EventStatus,
    /// Why, where it was not simply taken in.
    pub error: Option<String>,
    /// The order that it is about, once that is known.
    pub order: Option<OrderId>,
    /// When a parked one is looked at again.
    pub due_at: Option<Timestamp>,
}

/// Status of an event in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventStatus {
    /// It was taken into its order, which may have known it already.
    Applied,
    /// Its type concerns no order.
    Ignored,
    /// It is about an object of another program on the same account.
    Foreign,
    /// It waits: for an order that is not known yet, or for a look at the provider.
    Parked,
    /// It was given up after its last attempt; the error says why.
    GivenUp,
}

variant_names! {
    /// Its name in stored rows and in answers.
    EventStatus {
        Applied => "applied",
        Ignored => "ignored",
        Foreign => "foreign",
        Parked => "parked",
        GivenUp => "given_up",
    }
}

/// A parked message that its owner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedEvent {
    /// Its name.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// When it came first.
    pub received_at: Timestamp,
    /// What it says.
    pub update: ProviderUpdate,
    /// How often it was taken, this time included.
    pub taken: u32,
}

/// What became of a message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventClosing {
    /// Who held it.
    pub owner: Uuid,
    /// Which.
    pub id: String,
    /// How often it had been taken.
    pub taken: u32,
    /// What became of it.
    pub status: EventStatus,
    /// Why.
    pub error: Option<String>,
    /// The order that it is about, if that is known now.
    pub order: Option<OrderId>,
    /// When it is looked at again, if it stays parked.
    pub again_at: Option<Timestamp>,
}
