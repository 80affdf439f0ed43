//! Use cases of Paywright, one file each, and the ports they need.
//!
//! Every use case has three beats: load an order and let the domain *decide*; *commit* the whole decision in
//! one transaction that names the version decided on; *perform* outside what was committed. Nothing here
//! knows a runtime, a database or a protocol: the world is reached through [`Store`], [`PaymentGateway`],
//! [`Clock`] and [`Ids`] alone, so that a simulator can stand in for all of it.

mod access;
mod asked;
mod cancel_order;
mod change;
mod check_payment;
mod create_payment_intent;
mod edit_order;
mod get_order;
mod keys;
mod list_orders;
mod place_order;
mod ports;
mod settle_from_provider;

use std::sync::Arc;

pub use access::Access;
pub use cancel_order::CancelOrderError;
pub use check_payment::{CheckPaymentError, CheckedPayment};
pub use create_payment_intent::{CreatePaymentIntentError, PayableIntent};
pub use edit_order::EditOrderError;
pub use get_order::GetOrderError;
pub use keys::KEY_BELIEVED_SECONDS;
pub use list_orders::OrderPage;
pub use place_order::{IdempotentRequest, PlaceOrderError, PlacedOrder};
pub use ports::gateway::{GatewayError, IssuedIntent, NewIntent, PaymentGateway};
pub use ports::ids_and_clock::{Clock, Ids};
pub use ports::store::{
    ApiKey, Changes, IdempotencyKey, IdempotencyRecord, Lease, LeasedTask, OrderQuery, OrderRef, RecordedFact,
    ScheduledTask, Scope, Store, StoreError, UnknownScope, Version, Versioned,
};
pub use ports::webhooks::{ProviderEvent, ProviderNews, WebhookError, Webhooks};
pub use settle_from_provider::SettleFromProviderError;

/// How often a use case decides again after another writer came first.
pub const ATTEMPTS_MAX: u32 = 16;

/// How long a committed task is left to the request that committed it, in seconds, before it is due for
/// anybody: longer than every retry towards the provider takes.
pub const INLINE_SECONDS: u32 = 120;

/// The use cases, over whatever stands behind the ports.
#[derive(Clone)]
pub struct App {
    store: Arc<dyn Store>,
    gateway: Arc<dyn PaymentGateway>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    livemode: bool,
    known_keys: Arc<keys::KnownKeys>,
    asked: Arc<asked::Asked>,
}

impl App {
    /// Puts the use cases on their ports. `livemode` says whether orders are about real money: it must be
    /// the mode of the gateway's key.
    pub fn new(
        store: Arc<dyn Store>,
        gateway: Arc<dyn PaymentGateway>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        livemode: bool,
    ) -> Self {
        Self { store, gateway, clock, ids, livemode, known_keys: Arc::default(), asked: Arc::default() }
    }

    /// Whether requests can be served: the store answers.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}
