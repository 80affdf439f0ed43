//! A hand-written client of Stripe's REST API: typed requests, bracketed forms, retries that are safe because each
//! carries an idempotency key, and webhook signatures.
//!
//! A request type defines its path, its form and its reply. [`Client`] sends it, retries a bounded number of times
//! under one idempotency key, and distinguishes a definite answer from no answer. [`StripeGateway`] implements the use
//! cases' ports on top of it. Requests and answers follow the "Stripe API Reference", version [`API_VERSION`].

mod amount_details;
mod balance;
mod call;
mod client;
mod error;
mod events;
mod gateway;
mod id;
mod json;
mod key_access;
mod limiter;
mod metadata;
mod metrics;
mod objects;
mod open_enum;
mod records;
mod requests;
mod snapshots;
mod stripe_time;
mod traces;
mod wallet;
pub mod webhook;
mod webhook_endpoints;
mod webhook_secrets;

pub use balance::{CreatedBetween, ListBalanceTransactions, ListPayouts, RetrieveBalance, RetrievePayout};
pub use client::{Answer, BuildError, Client, ClientSettings};
pub use error::{ApiError, ErrorBody, StripeError};
pub use events::StripeWebhooks;
pub use gateway::StripeGateway;
pub use id::{BadId, StripeId};
pub use key_access::{Access, Resource};
pub use limiter::{CALLS_IN_FLIGHT_MAX, Pace, QueueTooLong};
pub use metrics::describe_metrics;
pub use objects::{
    BalanceTransaction, Charge, ChargeOfIntent, Customer, Dispute, EphemeralKey, Event, EventData, Expandable, List,
    MethodOfIntent, PaymentIntent, PaymentMethod, Refund, SetupIntent,
};
pub use open_enum::{
    CancellationReason, CaptureMethod, IntentStatus, RefundReason, RefundStatus, SetupIntentStatus, SetupUsage,
};
pub use requests::{
    AmountDetails, AutomaticPaymentMethods, CancelPaymentIntent, CapturePaymentIntent, ConfirmPaymentIntent,
    CreateCustomer, CreateEphemeralKey, CreatePaymentIntent, CreateRefund, CreateSetupIntent, DetachPaymentMethod,
    DetailLine, DetailShipping, DetailTax, Empty, Get, IntentMetadata, ListDisputes, ListEvents, ListPaymentIntents,
    ListPaymentMethods, ListRefunds, Post, Replaced, RetrieveCharge, RetrieveMethodOfIntent, RetrievePaymentIntent,
    RetrievePaymentMethod, RetrieveRefund, Since, UpdatePaymentIntent,
};
pub use webhook_endpoints::{ENDPOINT_SPEC, WEBHOOK_EVENTS, WebhookEndpoint};
pub use webhook_secrets::{FixedSecrets, SecretSet, WebhookSecrets};

/// Stripe API version that every request names in `Stripe-Version`, and with which webhook endpoints must be created.
pub const API_VERSION: &str = "2026-05-27.dahlia";
