//! Objects that the twin stores, and their JSON as Stripe renders it.

mod balance_transaction;
mod charge;
mod customer;
mod dispute;
mod event;
mod fields;
mod intent;
mod payment_method;
mod payout;
mod refund;
mod setup_intent;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use balance_transaction::{BalanceTransaction, Rate};
pub(crate) use charge::Charge;
pub(crate) use customer::{Customer, EphemeralKey};
pub(crate) use dispute::Dispute;
pub(crate) use event::Snapshot;
pub use event::{Event, WebhookEndpoint};
pub(crate) use fields::{Fields, SHIPPING};
pub(crate) use intent::{AutomaticMethods, Intent};
pub(crate) use payment_method::PaymentMethod;
pub(crate) use payout::Payout;
pub(crate) use refund::Refund;
pub(crate) use setup_intent::SetupIntent;

use crate::collection::Stored;

/// API version in which objects are rendered.
pub(crate) const API_VERSION: &str = "2026-05-27.dahlia";

/// Sets a field of a JSON object.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

pub(crate) type Metadata = BTreeMap<String, String>;

macro_rules! stored {
    ($($kind:ty),*) => { $(impl Stored for $kind {
        fn id(&self) -> &str {
            &self.id
        }
    })* };
}

stored!(Intent, Charge, BalanceTransaction, Refund, Dispute, Customer, EphemeralKey, PaymentMethod, SetupIntent, Event);
stored!(Payout, WebhookEndpoint);
