//! Use cases of Paywright, one file each, and the ports they need.
//!
//! Every use case has three beats: load an order and let the domain *decide*; *commit* the whole decision in
//! one transaction that names the version decided on; *perform* outside what was committed. Nothing here
//! knows a runtime, a database or a protocol: the world is reached through [`Store`], [`PaymentGateway`],
//! [`Clock`] and [`Ids`] alone, so that a simulator can stand in for all of it.

mod access;
mod actor;
mod audit;
mod back_fill;
mod cancel_order;
mod capture_payment;
mod change;
mod check_payment;
mod create_payment_intent;
mod deadline;
mod doubt;
mod edit_order;
mod explain;
#[cfg(test)]
mod fixtures;
mod foreign;
mod get_order;
mod in_flight;
mod intent_reads;
mod keys;
mod list_orders;
mod log;
mod perform;
mod place_order;
mod ports;
mod readiness;
mod recover;
mod refund_payment;
mod reschedule;
mod run_due_tasks;
mod schedule;
mod settle_from_provider;
mod storefront;
mod take_event;
mod warnings;
mod work_id;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use paywright_domain::Policies;
use uuid::Uuid;

pub use access::Access;
pub use actor::Actor;
pub use audit::{Audit, Difference, DifferenceClass};
pub use cancel_order::CancelOrderError;
pub use capture_payment::CapturePaymentError;
pub use check_payment::{CheckPaymentError, CheckedPayment};
pub use create_payment_intent::{CreatePaymentIntentError, PayableIntent};
pub use deadline::STORE_WAIT_SECONDS;
pub use edit_order::{Changed, EditOrderError};
pub use explain::{Explanation, Moment, NextStep, explain_order};
pub use get_order::GetOrderError;
pub use keys::KEY_BELIEVED_SECONDS;
pub use list_orders::{ListOrdersError, OrderPage};
pub use perform::PerformError;
pub use place_order::{IdempotentRequest, PlaceOrderError, PlacedOrder};
pub use ports::gateway::{
    GatewayError, IssuedIntent, IssuedRefund, NewIntent, PaymentGateway, ProviderRefund, ReadPayment,
};
pub use ports::ids_and_clock::{Clock, Ids, WorkerWaker};
pub use ports::inbox::{EventClosing, EventStatus, LeasedEvent, ReceivedEvent};
pub use ports::records::{EventPage, Page, ProviderRecords, RecordedOrder, UnknownStatus};
pub use ports::store::{
    ApiKey, CLOCK_TOLERANCE_SECONDS, Cause, Changes, CompletedOrdersQuery, Cursor, CursorDue, DiskFull, IdempotencyKey,
    IdempotencyRecord, Installation, LateTasks, Lease, LeasedTask, LostOrderDecision, OrderQuery, OrderRef,
    OrderRefError, RecordedFact, Rescheduled, ScheduledTask, Scope, Store, StoreError, StoredTask, TaskRelease,
    UnknownScope, Version, Versioned,
};
pub use ports::storefront::{CartRef, Carts, PriceList};
pub use ports::wallet::{SavedCard, Wallet};
pub use ports::webhooks::{ForeignEvent, OtherVersion, ProviderEvent, ProviderUpdate, WebhookError, Webhooks};
pub use recover::{RecoveredOrder, Recovery};
pub use refund_payment::{RefundPaymentError, Refunded};
pub use schedule::EXPIRE_SECONDS_MAX;
pub use settle_from_provider::SettleFromProviderError;
pub use storefront::{
    AccountCard, AccountOrder, AccountOrders, CardSetup, CartChange, OrdersPage, Paying, PaymentIntentParams,
    RateChoice, Session, Shopper, Storefront, StorefrontError, TokenSubject, is_completed,
};
pub use work_id::{Work, WorkId};

/// How often a use case decides again after another writer came first.
pub const ATTEMPTS_MAX: u32 = 16;

/// What stands behind the use cases.
#[derive(Clone)]
pub struct Ports {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// The payment provider, as customers reach it.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The payment provider, as the worker reaches it: after the customers.
    pub background: Arc<dyn PaymentGateway>,
    /// What the provider has on record.
    pub records: Arc<dyn ProviderRecords>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh names.
    pub ids: Arc<dyn Ids>,
    /// Wakes the worker.
    pub waker: Arc<dyn WorkerWaker>,
}

/// What a shop may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether orders are about real money: the mode of the gateway's key.
    pub livemode: bool,
    /// What is done about money that does not fit.
    pub policies: Policies,
    /// After how many seconds an order that nobody has paid is given up; never if `None`. Those placed earlier keep
    /// the time that they were placed with.
    pub expire_after_seconds: Option<u32>,
    /// How often the provider's list of messages is walked, in seconds.
    pub back_fill_seconds: u32,
    /// How long a request to the provider takes at the most, with all its retries, in seconds. So long a committed
    /// task is left to the request that committed it, before it is due for anybody.
    pub provider_timeout_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            livemode: false,
            policies: Policies::DEFAULT,
            expire_after_seconds: None,
            back_fill_seconds: 300,
            provider_timeout_seconds: 90,
        }
    }
}

/// The use cases, over whatever stands behind the ports.
#[derive(Clone)]
pub struct App {
    store: Arc<dyn Store>,
    gateway: Arc<dyn PaymentGateway>,
    background: Arc<dyn PaymentGateway>,
    records: Arc<dyn ProviderRecords>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    waker: Arc<dyn WorkerWaker>,
    settings: Settings,
    /// Who this process is where it holds leases.
    owner: Uuid,
    /// Whether this process has walked the provider's messages yet.
    has_walked: Arc<AtomicBool>,
    /// Whether this process has looked for tasks that are due too late yet.
    has_rescheduled: Arc<AtomicBool>,
    known_keys: Arc<keys::KnownKeys>,
    in_flight: Arc<in_flight::InFlightRequests>,
    reads: Arc<intent_reads::IntentReads>,
    readiness: Arc<readiness::Readiness>,
    warnings: Arc<warnings::Warnings>,
    foreign: Arc<foreign::ForeignIntents>,
    /// Doubt about this request's own writes; none for work that answers nobody.
    doubt: Option<Arc<doubt::Doubt>>,
}

impl App {
    /// Puts the use cases on their ports.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        let Ports { store, gateway, background, records, clock, ids, waker } = ports;
        let owner = ids.owner();
        Self {
            store,
            gateway,
            background,
            records,
            clock,
            ids,
            waker,
            settings,
            owner,
            has_walked: Arc::default(),
            has_rescheduled: Arc::default(),
            known_keys: Arc::default(),
            in_flight: Arc::default(),
            reads: Arc::default(),
            readiness: Arc::default(),
            warnings: Arc::default(),
            foreign: Arc::default(),
            doubt: None,
        }
    }

    /// The same use cases for one request: once it has written anything, or the store has left open whether it did, no
    /// failure of the store is told to its caller as one that changed nothing. It waits for the store for
    /// [`STORE_WAIT_SECONDS`] over all its attempts. Whatever answers a caller goes through this, once.
    #[must_use]
    pub fn for_request(&self) -> Self {
        let doubt = Arc::new(doubt::Doubt::new(Arc::clone(&self.clock)));
        let store = Arc::new(doubt::Remembering::new(Arc::clone(&self.store), Arc::clone(&doubt)));
        Self { store, doubt: Some(doubt), ..self.clone() }
    }

    /// The same use cases for callers of another gateway to the provider: one with another share of its rate.
    #[must_use]
    pub fn through(&self, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self { gateway, ..self.clone() }
    }

    /// The same use cases for those whom nobody waits for: customers come first at the provider.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { gateway: Arc::clone(&self.background), ..self.clone() }
    }
}
