//! Sender of webhooks to the endpoints of other programs, signed as Standard Webhooks 1.0 demands.
//!
//! The URL of an endpoint is chosen by a caller of the API, so a webhook could be aimed at a service that only this
//! machine reaches (server-side request forgery). [`HttpWebhookSender`] therefore connects to public addresses only,
//! and to the networks that its settings allow. [`AllowedAddresses`] says which those are; names are resolved by a
//! resolver that leaves out every other address, so a connection is made to the very address that was checked. Secrets
//! of endpoints follow from a key of the service ([`ServiceKey`]) and are not stored.

mod addresses;
mod error;
mod resolver;
mod sender;
mod signature;

pub use addresses::AllowedAddresses;
pub use resolver::{Lookup, SystemLookup};
pub use sender::{BuildError, HttpWebhookSender, SenderSettings};
pub use signature::{EndpointSecret, KeyError, SERVICE_KEY_BYTES_MIN, ServiceKey, signature_header};
