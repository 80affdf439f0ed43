//! Use cases of Paywright, one file each, and the ports they need.
//!
//! Each use case has three steps: load an order and let the domain *decide*; *commit* the whole decision in one
//! transaction that names the version decided on; *perform* the committed tasks outside. Nothing here depends on a
//! runtime, a database or a protocol: everything outside is reached through ports such as [`Store`],
//! [`PaymentGateway`], [`Clock`] and [`Ids`], so that a simulator can replace all of it.

mod accept_payment;
mod access;
mod actor;
mod attention;
mod audit;
mod audit_trail;
mod back_fill;
mod books;
mod cancel_order;
mod capture_payment;
mod change;
mod check_payment;
mod close_refund;
mod console;
mod create_payment_intent;
mod deadline;
mod doubt;
mod edit_order;
mod endpoints;
mod explain;
mod feed;
#[cfg(test)]
mod fixtures;
mod foreign;
mod get_order;
mod in_flight;
mod intent_reads;
mod keys;
mod list_orders;
mod log;
mod metrics;
mod monitor;
mod order_view;
mod perform;
mod place_order;
mod ports;
mod publisher;
mod readiness;
mod recover;
mod refund_payment;
mod reschedule;
mod retention;
mod run_due_tasks;
mod schedule;
mod search_orders;
mod settle_from_provider;
mod storefront;
mod stripe_clock;
mod stripe_endpoints;
mod take_event;
mod totals;
mod traces;
pub mod view_value;
mod warnings;
mod work_id;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use paywright_domain::anomaly::Policies;
use uuid::Uuid;

pub use accept_payment::{AcceptPaymentError, AcceptedPayment};
pub use access::Access;
pub use actor::Actor;
pub use attention::{Case, awaits_answer, cases_of};
pub use audit::{Audit, Difference, DifferenceClass};
pub use audit_trail::audit_subject;
pub use books::{
    AccountNameError, AccountNames, BalanceSummary, Bookkeeper, BookkeeperPorts, BooksAccess, BooksError, BooksFigures,
    BooksSettings, BooksZone, Break, BreakClass, BreakList, BreakView, Comparison, Correction, DaySummary, ExchangeSum,
    ExportEntry, ExportError, ExportFormat, ExportRow, Exporter, Ledger, LedgerLine, LedgerLineView, LedgerSummaryView,
    LedgerView, NoExport, NoStatement, PayoutContent, PayoutMemberView, PayoutMovement, PayoutView, Period,
    PeriodError, PostingView, Resolution, ResolutionView, RowPlace, SignedAmountView, Statement, StatementBuilder,
    StatementError, StatementStatus, StatementView, Sums, TaxFigures, TaxLine, TaxLineView, TaxReport, TaxReportView,
    TaxTotal, TaxTotalView, UnknownZone,
};
pub use cancel_order::CancelOrderError;
pub use capture_payment::CapturePaymentError;
pub use check_payment::CheckPaymentError;
pub use close_refund::{CloseRefundError, ClosedRefund};
pub use console::{Console, SESSION_IDLE_SECONDS};
pub use create_payment_intent::{CreatePaymentIntentError, OrderPayment};
pub use deadline::STORE_WAIT_SECONDS;
pub use edit_order::{Changed, EditOrderError};
pub use endpoints::{
    Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch, DISABLED_AFTER_SECONDS, DeliveryBatch,
    DisabledReason, Endpoint, EndpointEdit, EndpointError, EndpointFormat, EndpointId, EndpointState, EndpointUrl,
    EndpointUrlError, Failing, NewEndpoint, NewSecret, QUEUES_AT_ONCE, SecretGeneration, WEBHOOKS_AT_ONCE,
};
pub use explain::{Explanation, Moment, NextStep, anomaly_reason, explain_order};
#[cfg(feature = "openapi")]
pub use feed::event_schema;
pub use feed::{AccountEventContext, FeedPage, FeedPageError, FeedPageRequest, FeedRetention};
pub use get_order::{GetOrderError, OrderOfChargeError};
pub use keys::KEY_CACHED_SECONDS;
pub use list_orders::{ListOrdersError, OrderPage};
pub use metrics::{DB_WAIT, describe_metrics};
pub use monitor::{Monitor, WorkState};
pub use order_view::{LineView, OrderView, PersonalView, RefundView};
pub use perform::PerformError;
pub use place_order::{IdempotentRequest, PlaceOrderError, PlacedOrder};
pub use ports::api_keys::{ApiKey, ApiKeys, KeyRefusal, KeyReplacement, KeyUse, Scope, UnknownScope};
pub use ports::audit_trail::{Act, AuditEntry, AuditQuery, AuditTrail};
pub use ports::books::{
    BalanceAmount, BalanceReading, BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState,
    BreakPage, BreakPlace, BreakQuery, CategorySum, ClearingItem, ClearingKey, ClosedDay, ClosedRef, MemberSum,
    OpenItemQuery, PAYOUT_CHANGES_SECONDS, PayoutQuery, RowFilter, RowQuery,
};
pub use ports::console_sessions::{
    ConsoleLink, ConsoleRole, ConsoleSession, ConsoleSessions, OperatorName, OperatorNameError, UnknownRole,
};
pub use ports::cursors::{Cursor, CursorDue, Cursors};
pub use ports::daily_totals::{CountableFact, CountedSum, DailyTotal, DailyTotals, TotalsAddition};
pub use ports::endpoints::{
    DueQueue, Endpoints, LeasedQueue, QueueNext, QueueRelease, RESENDS_MAX, ResendOutcome, StoredEndpoint,
    TroubledEndpoints, WAITING_EVENTS_MAX, WAITING_ORDERS_MAX, WaitingOrders,
};
pub use ports::event_format::{EventFormat, EventPart};
pub use ports::feed::{
    AccountEvent, DeletedFeedEvents, EventContent, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery,
    FeedRange, OrderEvent, OrderSnapshot, Position,
};
pub use ports::gateway::{
    GatewayError, IssuedIntent, IssuedRefund, NewIntent, PaymentGateway, ProviderRefund, ReadPayment,
};
pub use ports::idempotency::{IdempotencyKey, IdempotencyOutcome, IdempotencyRecord};
pub use ports::ids_and_clock::{Clock, ENDING_BITS, Ids, WorkerWaker};
pub use ports::inbox::{EventClosing, EventStatus, Inbox, LeasedEvent, ReceivedEvent};
pub use ports::installations::{Installation, Installations, LostOrderDecision};
pub use ports::lease::{CLOCK_TOLERANCE_SECONDS, Lease};
pub use ports::monitoring::{BACKLOG_COUNT_MAX, BACKLOG_QUEUES_MAX, Backlog, ConnectionUse, Monitoring, Waiting};
pub use ports::order_list::{Balance, Completion, OrderFilter, OrderSearch, OrderSort, TimeRange};
pub use ports::orders::{
    Cause, Changes, CompletedOrdersQuery, OrderQuery, OrderRef, OrderRefError, Orders, RecordedFact, ScheduledTask,
};
pub use ports::provider_balance::{
    BalancePage, BalanceSum, CreatedRange, PayoutMember, ProviderBalance, RefusedObject, ReportedTransaction,
};
pub use ports::provider_endpoints::{
    CreatedEndpoint, EndpointMarks, NewProviderEndpoint, ProviderEndpoint, ProviderEndpointEdit, ProviderEndpointUrl,
    ProviderEndpoints, ProviderEndpointsError, SecretDigest, SecretStoreError, WEBHOOK_SECRETS_MAX, WebhookSecretStore,
};
pub use ports::records::{EventPage, Page, ProviderRecords, RecordedOrder, UnknownStatus};
pub use ports::store::{Diagnostics, DiskFull, Store, StoreError, StorePorts, Version, Versioned};
pub use ports::stored;
pub use ports::storefront::{CartRef, Carts, PriceList};
pub use ports::subject::SubjectId;
pub use ports::tasks::{LateTasks, LeasedTask, Rescheduled, StoredTask, TaskQueue, TaskRelease};
pub use ports::traces::{MalformedTraceParent, NoTraces, TraceParent, Traces};
pub use ports::wallet::{SavedCard, Wallet};
pub use ports::webhook_sender::{
    ANSWER_BYTES_MAX, EndpointAnswer, OutgoingWebhook, SendError, SendErrorClass, SendResult, UrlNotAllowed,
    WebhookSender,
};
pub use ports::webhooks::{ForeignEvent, OtherVersion, ProviderEvent, ProviderUpdate, WebhookError, Webhooks};
pub use publisher::{Publisher, PublisherPorts};
pub use recover::{RecoveredOrder, Recovery};
pub use refund_payment::{RefundPaymentError, Refunded};
pub use retention::{EVENTS_KEPT_SECONDS_MIN, RecordRetention};
pub use schedule::EXPIRE_SECONDS_MAX;
pub use search_orders::FoundOrders;
pub use settle_from_provider::SettleFromProviderError;
pub use storefront::{
    AccountCard, AccountOrder, AccountOrders, CardSetup, CartChange, CartEdit, OrdersPage, PaymentIntentParams,
    RateChoice, Session, Shopper, Storefront, StorefrontError, TokenSubject, is_completed,
};
pub use stripe_endpoints::{
    EndpointDifference, EndpointDrift, EndpointSpec, EndpointStep, EndpointWatch, EndpointWatchPorts, ReplaceReason,
    Rotation, STRIPE_ENDPOINTS_MAX, StripeEndpoints, StripeEndpointsError, StripeEndpointsPorts, UselessReason,
    WatchError,
};
pub use totals::{RecentTotals, Totals};
pub use traces::TRACES;
pub use work_id::{Work, WorkId};

/// Largest number of attempts of a use case that decides again because another writer committed first.
pub const ATTEMPTS_MAX: u32 = 16;

/// Adapters behind the use cases, one for each port.
#[derive(Clone)]
pub struct Ports {
    /// Database of the orders.
    pub store: StorePorts,
    /// Stripe, for requests that callers wait for.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Stripe, for the worker: requests that callers wait for are sent before its own.
    pub background: Arc<dyn PaymentGateway>,
    /// Stripe's lists.
    pub records: Arc<dyn ProviderRecords>,
    /// Clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Source of fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Waker of the worker.
    pub waker: Arc<dyn WorkerWaker>,
}

/// Settings of the use cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether orders are in live mode, as Stripe's API key is.
    pub livemode: bool,
    /// Policies on money that does not match its order.
    pub policies: Policies,
    /// Age at which an unpaid order is canceled, in seconds; `None` for never. Orders that were placed with another
    /// setting keep theirs.
    pub expire_after_seconds: Option<u32>,
    /// Period of the back-fill from Stripe's list of events, in seconds.
    pub back_fill_seconds: u32,
    /// Longest time that a call to Stripe takes with all its retries, in seconds. For this long, only the request that
    /// committed a task performs it; then the worker may.
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

/// Use cases of orders, with their ports and settings.
#[derive(Clone)]
pub struct App {
    store: StorePorts,
    gateway: Arc<dyn PaymentGateway>,
    background: Arc<dyn PaymentGateway>,
    records: Arc<dyn ProviderRecords>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    waker: Arc<dyn WorkerWaker>,
    traces: Arc<dyn Traces>,
    settings: Settings,
    /// Id of this process as an owner of leases.
    owner: Uuid,
    /// Whether this process has run the back-fill yet.
    has_walked: Arc<AtomicBool>,
    /// Time at which this process has last completed the back-fill, in microseconds since 1970; that of its start before.
    back_filled_at: Arc<AtomicI64>,
    /// Whether this process has searched for tasks that are due too late yet.
    has_rescheduled: Arc<AtomicBool>,
    known_keys: Arc<keys::KnownKeys>,
    used_scopes: Arc<keys::UsedScopes>,
    in_flight: Arc<in_flight::InFlightRequests>,
    reads: Arc<intent_reads::IntentReads>,
    readiness: Arc<readiness::Readiness>,
    warnings: Arc<warnings::Warnings>,
    foreign: Arc<foreign::ForeignIntents>,
    /// Doubt about this request's own writes; `None` for work without a caller.
    doubt: Option<Arc<doubt::Doubt>>,
}

impl App {
    /// Use cases with these ports and settings.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        let Ports { store, gateway, background, records, clock, ids, waker } = ports;
        let owner = ids.lease_owner();
        let started_at = clock.now().unix_micros();
        Self {
            store,
            gateway,
            background,
            records,
            clock,
            ids,
            waker,
            traces: Arc::new(NoTraces),
            settings,
            owner,
            has_walked: Arc::default(),
            back_filled_at: Arc::new(AtomicI64::new(started_at)),
            has_rescheduled: Arc::default(),
            known_keys: Arc::default(),
            used_scopes: Arc::default(),
            in_flight: Arc::default(),
            reads: Arc::default(),
            readiness: Arc::default(),
            warnings: Arc::default(),
            foreign: Arc::default(),
            doubt: None,
        }
    }

    /// Use cases whose traces are exported.
    #[must_use]
    pub fn with_traces(self, traces: Arc<dyn Traces>) -> Self {
        Self { traces, ..self }
    }

    /// Whether orders are in live mode, as Stripe's API key is.
    pub const fn livemode(&self) -> bool {
        self.settings.livemode
    }

    /// Exporter of traces.
    pub fn traces(&self) -> &dyn Traces {
        &*self.traces
    }

    /// Use cases for one request of a caller: once a write has or may have been committed, every failure of the store
    /// becomes [`StoreError::Unknown`], and the request waits for the store for [`STORE_WAIT_SECONDS`] over all its
    /// attempts. Each request that is answered must call this once.
    #[must_use]
    pub fn for_request(&self) -> Self {
        let doubt = Arc::new(doubt::Doubt::new(Arc::clone(&self.clock)));
        let store = doubt::remembering(&self.store, &doubt);
        Self { store, doubt: Some(doubt), ..self.clone() }
    }

    /// Use cases with another gateway to Stripe, such as one with another share of Stripe's rate limit.
    #[must_use]
    pub fn through(&self, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self { gateway, ..self.clone() }
    }

    /// Use cases for work that no caller waits for: they use the background gateway, behind the callers.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { gateway: Arc::clone(&self.background), ..self.clone() }
    }
}
