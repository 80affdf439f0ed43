//! A stateful Stripe for development and tests, with faults on demand.
//!
//! [`Twin`] is the whole of it without a network: `handle(request, now)` changes the state and gives the
//! response and the events. It has no clock, no randomness and no I/O, so that a simulator can drive it.
//! `Server` (feature `server`, on by default) puts it behind HTTP, delivers its webhooks, and breaks on demand.
//!
//! It shares no code with the client it is tested against: what both agree on, they agree on by Stripe's own
//! documentation.

mod amount_details;
mod books;
mod card_options;
mod cards;
mod catalog;
mod charges;
#[cfg(feature = "server")]
mod deliveries;
mod error;
#[cfg(feature = "server")]
mod faults;
mod objects;
mod params;
mod payment_intents;
mod refunds;
#[cfg(feature = "server")]
mod server;
mod twin;

pub use books::{DisputeView, IntentView, RefundView};
#[cfg(feature = "server")]
pub use deliveries::sign;
pub use error::Refusal;
#[cfg(feature = "server")]
pub use faults::{Fault, FaultKind};
pub use objects::{Event, WebhookEndpoint};
pub use params::Params;
#[cfg(feature = "server")]
pub use server::{Options, Server, StartError};
pub use twin::{Method, Request, Response, Twin};
