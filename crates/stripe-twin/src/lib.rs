//! A stateful stand-in for Stripe, for development and tests, with faults on demand.
//!
//! [`Twin`] is the core without a network: `handle(request, now)` changes the state and returns the response and the
//! events. It has no clock, no randomness and no I/O, so that a simulator can drive it. `Server` (feature `server`, on
//! by default) serves it over HTTP, delivers its webhooks and injects faults.
//!
//! The twin shares no code with the client that is tested against it: both follow Stripe's own documentation.

mod amount_details;
mod books;
mod calls;
mod card_options;
mod cards;
mod catalog;
mod charges;
#[cfg(feature = "server")]
mod deliveries;
mod error;
#[cfg(feature = "server")]
mod faults;
mod kinds;
mod lists;
mod objects;
mod params;
mod payment_intents;
mod refunds;
mod request;
#[cfg(feature = "server")]
mod server;
mod state;
mod twin;

pub use books::{DisputeView, IntentView, RefundView};
pub use calls::{CallListing, ParameterListing, Treatment, calls, calls_table};
#[cfg(feature = "server")]
pub use deliveries::sign;
pub use error::Refusal;
#[cfg(feature = "server")]
pub use faults::{Fault, FaultKind};
pub use objects::{Event, WebhookEndpoint};
pub use params::Params;
pub use request::{Method, Request, Response};
#[cfg(feature = "server")]
pub use server::{Options, Server, StartError};
pub use state::Twin;
