use paywright_domain::{OrderId, Timestamp, variant_names};
use uuid::Uuid;

use super::EndpointId;
use crate::ports::feed::Position;
use crate::ports::webhook_sender::SendErrorClass;

/// Attempt to deliver an event to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Endpoint of the attempt.
    pub endpoint: EndpointId,
    /// Time at which the attempt began.
    pub at: Timestamp,
    /// Id of the event, its `webhook-id`.
    pub event: Uuid,
    /// Type of the event.
    pub kind: String,
    /// Position and order of the event; `None` for a test event.
    pub source: Option<(Position, OrderId)>,
    /// Number of the attempt for this event, from 1. It begins again with a resend.
    pub number: u32,
    /// Duration, in milliseconds.
    pub duration_ms: u32,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Class of the error, if there was no answer.
    pub error: Option<SendErrorClass>,
    /// Beginning of the answer, at most [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) bytes, or the error's message.
    pub answer: String,
    /// Outcome of the attempt.
    pub outcome: AttemptOutcome,
}

/// Outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The endpoint accepted the event.
    Delivered,
    /// The event is tried again.
    Retried,
    /// The event was given up after its last attempt. It can be sent again on request.
    Failed,
}

variant_names! {
    /// Name of the outcome in answers and stored rows.
    AttemptOutcome {
        Delivered => "delivered",
        Retried => "retried",
        Failed => "failed",
    }
}

/// Query for the attempts of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptQuery {
    /// Endpoint of the attempts.
    pub endpoint: EndpointId,
    /// Time and event of the last attempt of the page before, after which the page begins; `None` for the first page.
    pub older_than: Option<(Timestamp, Uuid)>,
    /// Outcome of the attempts; every outcome if `None`.
    pub outcome: Option<AttemptOutcome>,
    /// Largest number of attempts to read.
    pub limit: u16,
}
