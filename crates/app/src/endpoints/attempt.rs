use paywright_domain::{OrderId, Timestamp, variant_names};
use uuid::Uuid;

use super::EndpointId;
use crate::ports::feed::Position;
use crate::ports::subject::SubjectId;
use crate::ports::webhook_sender::SendErrorClass;

/// Attempt to deliver an event to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Endpoint of the attempt.
    pub endpoint: EndpointId,
    /// Time at which the attempt began.
    pub at: Timestamp,
    /// Id of the event, its `webhook-id`. Each of Spree's events has one of its own.
    pub event: Uuid,
    /// Type of the event, or name of Spree's event.
    pub kind: String,
    /// Position and subject of the event; `None` for a test event.
    pub source: Option<(Position, SubjectId)>,
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

impl Attempt {
    /// Position of the event; `None` for a test event.
    pub fn position(&self) -> Option<Position> {
        self.source.map(|(position, _)| position)
    }

    /// Order of the event; `None` for a test event and for one about the account.
    pub fn order(&self) -> Option<OrderId> {
        self.source.and_then(|(_, subject)| subject.order())
    }
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

/// Search for attempts of several endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptSearch {
    /// Endpoints of the attempts.
    pub endpoints: Vec<EndpointId>,
    /// Type of the events, or name of Spree's event; every type if `None`.
    pub kind: Option<String>,
    /// Whether the attempts have delivered their events; both if `None`.
    pub is_delivered: Option<bool>,
    /// HTTP status of the answers, or no answer (`Some(None)`); every status if `None`.
    pub status: Option<Option<u16>>,
    /// Text that the messages of errors contain, in lower case. Attempts with an answer have no error.
    pub error_contains: Option<String>,
    /// Number of attempts before the page.
    pub offset: u32,
    /// Largest number of attempts to read.
    pub limit: u16,
}

impl AttemptSearch {
    /// Largest number of attempts that are counted, and found on pages. Older ones are not found without a filter.
    pub const COUNTED_MAX: u16 = 10_000;
}

/// Page of a search for attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptPage {
    /// Attempts of the page, the newest first.
    pub attempts: Vec<Attempt>,
    /// Number of attempts that the search finds, at most [`AttemptSearch::COUNTED_MAX`].
    pub count: u16,
}
