//! JSON views of endpoints of outgoing webhooks, and of attempts to deliver to them.

use paywright_app::{Attempt, DisabledReason, EndpointState, NewSecret, SendErrorClass, StoredEndpoint, WaitingOrders};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::body::{ALL_TYPES, cursor_of_attempt};

/// Endpoint without its secret.
#[derive(Serialize)]
pub(super) struct EndpointView<'a> {
    id: String,
    url: &'a str,
    description: &'a str,
    format: &'static str,
    types: Vec<&'static str>,
    status: &'static str,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    /// Time of the first failure of the run of failures that is going on.
    failing_since: Option<String>,
    /// Position up to which events have been delivered or queued; `None` for an endpoint that was never enabled.
    position: Option<u64>,
    created_at: String,
    /// Time until which the previous secret signs too.
    previous_secret_until: Option<String>,
}

impl<'a> EndpointView<'a> {
    pub(super) fn of(stored: &'a StoredEndpoint, now: Timestamp) -> Self {
        let endpoint = &stored.endpoint.value;
        let (status, disabled) = match endpoint.state {
            EndpointState::Enabled => ("enabled", None),
            EndpointState::Disabled { reason, at } => ("disabled", Some((reason, at))),
        };
        let types = match endpoint.types.as_slice() {
            [] => vec![ALL_TYPES],
            types => types.iter().copied().map(FeedEventType::name).collect(),
        };
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.as_str(),
            description: &endpoint.description,
            format: endpoint.format.name(),
            types,
            status,
            disabled_reason: disabled.map(|(reason, _)| DisabledReason::name(reason)),
            disabled_at: disabled.map(|(_, at)| at.to_string()),
            failing_since: endpoint.failing.map(|it| it.since.to_string()),
            position: stored.reached().map(|it| it.0),
            created_at: endpoint.created_at.to_string(),
            previous_secret_until: endpoint.secret.previous_until.filter(|it| now < *it).map(|it| it.to_string()),
        }
    }
}

/// Endpoint, and what waits for it.
#[derive(Serialize)]
pub(super) struct EndpointWithWaitingView<'a> {
    #[serde(flatten)]
    endpoint: EndpointView<'a>,
    waiting: WaitingView,
}

#[derive(Serialize)]
struct WaitingView {
    /// Number of orders; that of the largest number that is counted means that many or more.
    orders: u32,
    next_attempt_at: Option<String>,
}

impl<'a> EndpointWithWaitingView<'a> {
    pub(super) fn of(stored: &'a StoredEndpoint, waiting: WaitingOrders, now: Timestamp) -> Self {
        let next_attempt_at = waiting.next_attempt_at.map(|it| it.to_string());
        let waiting = WaitingView { orders: waiting.count, next_attempt_at };
        Self { endpoint: EndpointView::of(stored, now), waiting }
    }
}

/// Endpoint with its new secret, which no other answer has.
#[derive(Serialize)]
pub(super) struct NewSecretView<'a> {
    #[serde(flatten)]
    endpoint: EndpointView<'a>,
    secret: &'a str,
}

impl<'a> NewSecretView<'a> {
    pub(super) fn of(new: &'a NewSecret, now: Timestamp) -> Self {
        Self { endpoint: EndpointView::of(&new.endpoint, now), secret: new.secret.expose_secret() }
    }
}

/// Page of endpoints.
#[derive(Serialize)]
pub(super) struct EndpointsView<'a> {
    endpoints: Vec<EndpointView<'a>>,
    next_cursor: Option<String>,
}

impl<'a> EndpointsView<'a> {
    /// View of the first `limit` of `found`; any further one shows that there is a next page.
    pub(super) fn of(found: &'a [StoredEndpoint], limit: u16, now: Timestamp) -> Self {
        let (page, next) = page_of(found, limit);
        Self {
            endpoints: page.iter().map(|it| EndpointView::of(it, now)).collect(),
            next_cursor: next.map(|it| it.endpoint.value.id.to_string()),
        }
    }
}

/// First `limit` items, and the last of them if more follow.
fn page_of<T>(found: &[T], limit: u16) -> (&[T], Option<&T>) {
    match found.split_at_checked(limit.into()) {
        Some((page, [_, ..])) => (page, page.last()),
        Some((page, [])) => (page, None),
        None => (found, None),
    }
}

/// Attempt to deliver an event to an endpoint.
#[derive(Serialize)]
pub(super) struct AttemptView<'a> {
    event: String,
    #[serde(rename = "type")]
    kind: &'a str,
    position: Option<u64>,
    order: Option<String>,
    number: u32,
    at: String,
    duration_ms: u32,
    status: Option<u16>,
    error: Option<&'static str>,
    answer: &'a str,
    outcome: &'static str,
}

impl<'a> AttemptView<'a> {
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        let (position, order) = attempt.source.unzip();
        Self {
            event: attempt.event.to_string(),
            kind: &attempt.kind,
            position: position.map(|it| it.0),
            order: order.map(|it| it.to_string()),
            number: attempt.number,
            at: attempt.at.to_string(),
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.map(SendErrorClass::name),
            answer: &attempt.answer,
            outcome: attempt.outcome.name(),
        }
    }
}

/// Page of attempts.
#[derive(Serialize)]
pub(super) struct AttemptsView<'a> {
    attempts: Vec<AttemptView<'a>>,
    next_cursor: Option<String>,
}

impl<'a> AttemptsView<'a> {
    /// View of the first `limit` of `found`; any further one shows that there is a next page.
    pub(super) fn of(found: &'a [Attempt], limit: u16) -> Self {
        let (page, next) = page_of(found, limit);
        Self {
            attempts: page.iter().map(AttemptView::of).collect(),
            next_cursor: next.map(|it| cursor_of_attempt(it.at, it.event)),
        }
    }
}

/// Event that will be sent again.
#[derive(Serialize)]
pub(super) struct ResendView {
    pub(super) position: u64,
}
