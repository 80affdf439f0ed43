//! Endpoints: other programs that receive events of the feed as webhooks.

mod attempt;
mod deliver;
mod endpoint;
mod health;
mod manage;
mod render;
mod retry;
mod share;

pub use attempt::{Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch};
pub use deliver::{DeliveryBatch, QUEUES_AT_ONCE, WEBHOOKS_AT_ONCE};
pub use endpoint::{
    DisabledReason, Endpoint, EndpointFormat, EndpointId, EndpointState, EndpointUrl, EndpointUrlError, Failing,
    SecretGeneration,
};
pub use health::DISABLED_AFTER_SECONDS;
pub use manage::{EndpointEdit, EndpointError, NewEndpoint, NewSecret};
pub(crate) use share::{DueWalk, InDelivery};
