//! JSON views of endpoints of outgoing webhooks, and of attempts to deliver to them.

use paywright_app::view_value::Time;
use paywright_app::{Attempt, DisabledReason, EndpointState, NewSecret, SendErrorClass, StoredEndpoint, WaitingOrders};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::{ALL_TYPES, cursor_of_attempt};
use crate::shop::page_of;

/// Endpoint without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(super) struct EndpointView<'a> {
    /// Id of the endpoint.
    id: Uuid,
    url: &'a str,
    description: &'a str,
    /// `standard`, or `spree`: Spree's bodies and signature too.
    format: &'static str,
    /// Types of the events; `*` alone for all.
    types: Vec<&'static str>,
    /// `enabled` or `disabled`.
    status: &'static str,
    /// `requested`, `gone` (the endpoint answered 410) or `failing`.
    disabled_reason: Option<&'static str>,
    disabled_at: Option<Time>,
    /// Time of the first failure of the run of failures that is going on.
    failing_since: Option<Time>,
    /// Position up to which events have been delivered or queued; `None` for an endpoint that was never enabled.
    position: Option<u64>,
    created_at: Time,
    /// Time until which the previous secret signs too.
    previous_secret_until: Option<Time>,
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
            id: endpoint.id.0,
            url: endpoint.url.as_str(),
            description: &endpoint.description,
            format: endpoint.format.name(),
            types,
            status,
            disabled_reason: disabled.map(|(reason, _)| DisabledReason::name(reason)),
            disabled_at: disabled.map(|(_, at)| Time(at)),
            failing_since: endpoint.failing.map(|it| Time(it.since)),
            position: stored.reached().map(|it| it.0),
            created_at: Time(endpoint.created_at),
            previous_secret_until: endpoint.secret.previous_until.filter(|it| now < *it).map(Time),
        }
    }
}

/// Endpoint, and what waits for it.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithWaiting)]
pub(super) struct EndpointWithWaitingView<'a> {
    #[serde(flatten)]
    endpoint: EndpointView<'a>,
    waiting: WaitingView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WaitingEvents)]
struct WaitingView {
    /// Number of orders; that of the largest number that is counted means that many or more.
    orders: u32,
    /// Time of the next attempt; null if none is due.
    next_attempt_at: Option<Time>,
}

impl<'a> EndpointWithWaitingView<'a> {
    pub(super) fn of(stored: &'a StoredEndpoint, waiting: WaitingOrders, now: Timestamp) -> Self {
        let next_attempt_at = waiting.next_attempt_at.map(Time);
        let waiting = WaitingView { orders: waiting.count, next_attempt_at };
        Self { endpoint: EndpointView::of(stored, now), waiting }
    }
}

/// Endpoint with its new secret, which no other answer has.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub(super) struct NewSecretView<'a> {
    #[serde(flatten)]
    endpoint: EndpointView<'a>,
    /// Secret with which webhooks are signed: `whsec_` and base64.
    secret: &'a str,
}

impl<'a> NewSecretView<'a> {
    pub(super) fn of(new: &'a NewSecret, now: Timestamp) -> Self {
        Self { endpoint: EndpointView::of(&new.endpoint, now), secret: new.secret.expose_secret() }
    }
}

/// Page of endpoints.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpointsPage)]
pub(super) struct EndpointsView<'a> {
    endpoints: Vec<EndpointView<'a>>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<Uuid>,
}

impl<'a> EndpointsView<'a> {
    /// View of the first `limit` of `found`; any further one shows that there is a next page.
    pub(super) fn of(found: &'a [StoredEndpoint], limit: u16, now: Timestamp) -> Self {
        let (page, next) = page_of(found, limit);
        Self {
            endpoints: page.iter().map(|it| EndpointView::of(it, now)).collect(),
            next_cursor: next.map(|it| it.endpoint.value.id.0),
        }
    }
}

/// Attempt to deliver an event to an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub(super) struct AttemptView<'a> {
    /// Id of the event: the `webhook-id`.
    event: Uuid,
    /// Type of the event.
    #[serde(rename = "type")]
    kind: &'a str,
    /// Position of the event; null for a test event.
    position: Option<u64>,
    /// Id of the event's order; null for an event about the account, and for a test event.
    order: Option<Uuid>,
    /// Number of the attempt, from 1 for each event.
    number: u32,
    at: Time,
    duration_ms: u32,
    /// HTTP status of the answer.
    status: Option<u16>,
    /// Class of the error, if there was no answer.
    error: Option<&'static str>,
    /// Beginning of the answer, or a sentence about the error.
    answer: &'a str,
    /// `delivered`, `retried` or `failed`.
    outcome: &'static str,
}

impl<'a> AttemptView<'a> {
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        Self {
            event: attempt.event,
            kind: &attempt.kind,
            position: attempt.position().map(|it| it.0),
            order: attempt.order().map(|it| it.0),
            number: attempt.number,
            at: Time(attempt.at),
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.map(SendErrorClass::name),
            answer: &attempt.answer,
            outcome: attempt.outcome.name(),
        }
    }
}

/// Page of attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookAttemptsPage)]
pub(super) struct AttemptsView<'a> {
    attempts: Vec<AttemptView<'a>>,
    /// `cursor` of the next page; null on the last one.
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
#[derive(Serialize, ToSchema)]
#[schema(as = ResentEvent)]
pub(super) struct ResendView {
    pub(super) position: u64,
}
