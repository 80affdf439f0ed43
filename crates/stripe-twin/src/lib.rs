//! A stateful stand-in for Stripe, for development and tests, with faults on demand.
//!
//! [`Twin`] is the core without a network: `handle(request, now)` changes the state and returns the response and the
//! events. It has no clock, no randomness and no I/O, so that a simulator can drive it. `Server` (feature `server`, on
//! by default) serves it over HTTP, delivers its webhooks and injects faults.
//!
//! The twin shares no code with the client that is tested against it: both follow Stripe's own documentation.

mod access;
mod account;
mod amount_details;
#[cfg(feature = "server")]
mod answers;
mod balance;
mod body;
mod books;
mod calls;
mod card_options;
mod cards;
mod charges;
mod collection;
mod customers;
#[cfg(feature = "server")]
mod deliveries;
mod disputes;
mod error;
mod expand;
#[cfg(feature = "server")]
mod faults;
mod intents;
mod keeping;
mod kinds;
mod lists;
mod objects;
mod params;
mod payment_methods;
mod payouts;
#[cfg(feature = "program")]
pub mod program;
#[cfg(feature = "server")]
mod record;
mod refunds;
mod report;
mod request;
mod seed;
#[cfg(feature = "server")]
mod server;
mod setup_intents;
mod state;
mod test_cards;
#[cfg(feature = "server")]
mod three_d_secure;
mod twin;
mod webhooks;

pub use body::Body;
pub use books::{BalanceView, DisputeView, IntentView, ObjectView, PayoutView, RefundView, TransactionView};
pub use calls::{CallListing, ParameterListing, Treatment, calls, calls_table};
#[cfg(feature = "server")]
pub use deliveries::sign;
pub use error::Refusal;
#[cfg(feature = "server")]
pub use faults::{Fault, FaultKind};
pub use objects::{Event, WebhookEndpoint};
pub use params::Params;
pub use request::{Method, Request, Response};
pub use seed::Seed;
#[cfg(feature = "server")]
pub use server::{Options, Server, StartError};
pub use state::Twin;
