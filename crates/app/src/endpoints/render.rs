//! Webhooks of an event, in the format of an endpoint.

use uuid::Uuid;

use super::{Endpoint, EndpointFormat};
use crate::{EventPart, FeedEvent, Publisher};

/// Webhook of an event, or of a part of it.
#[derive(Debug)]
pub(super) struct Rendered {
    /// `webhook-id`, the same in each attempt.
    pub(super) id: Uuid,
    /// Type of the event, or name of Spree's event.
    pub(super) kind: String,
    /// JSON body.
    pub(super) body: String,
    /// Number of parts that are done once this one is; `None` if it is the last one.
    pub(super) then_done: Option<u32>,
}

impl Publisher {
    /// Next webhook of `event` for an endpoint, after `done` parts of it; `None` if there is none.
    pub(super) fn rendered(&self, endpoint: &Endpoint, event: &FeedEvent, done: u32) -> Option<Rendered> {
        match endpoint.format {
            EndpointFormat::Standard => Some(Rendered {
                id: event.id(),
                kind: event.kind.name().to_owned(),
                body: event.to_json(),
                then_done: None,
            }),
            EndpointFormat::Spree => {
                let EventPart { index, name, body, next } =
                    self.spree_format.part(event, &endpoint.subscriptions, done)?;
                Some(Rendered { id: event.part_id(index), kind: name, body, then_done: next })
            }
        }
    }
}
