//! A stateful Stripe for development and tests, with faults on demand.
//!
//! [`Twin`] is the whole of it without a network: `handle(request, now)` changes the state and gives the
//! response and the events. It has no clock, no randomness and no I/O, so that a simulator can drive it.
//! [`Server`] puts it behind HTTP, delivers its webhooks, and breaks on demand.
//!
//! It shares no code with the client it is tested against: what both agree on, they agree on by Stripe's own
//! documentation.

mod cards;
mod catalog;
mod charges;
mod deliveries;
mod error;
mod faults;
mod objects;
mod params;
mod payment_intents;
mod refunds;
mod server;
mod twin;

pub use deliveries::sign;
pub use error::Refusal;
pub use faults::{Fault, FaultKind};
pub use objects::{Event, WebhookEndpoint};
pub use params::Params;
pub use server::{Options, Server, StartError};
pub use twin::{Method, Request, Response, Twin};
