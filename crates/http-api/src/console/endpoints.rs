//! Pages of the endpoints to which events are sent, with their attempts.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{
    Attempt, AttemptOutcome, AttemptQuery, DISABLED_AFTER_SECONDS, DisabledReason, Endpoint, EndpointId, EndpointState,
    Position, Scope, StoredEndpoint, WAITING_ORDERS_MAX,
};
use paywright_domain::Timestamp;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::{Operator, posted, signed_in, text};
use super::{Frame, Section, When, page, see_other, when};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{Fields, parse_query};
use crate::shop::page_of;

/// Attempts on a page.
const PAGE: u16 = 25;
/// Endpoints on the page of all.
const ENDPOINTS: u16 = 200;
/// Time for which the secret before a rotation goes on signing, in seconds.
const OVERLAP_SECONDS: u32 = 86_400;

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    frame: Frame,
    last: u64,
    endpoints: Vec<EndpointRow>,
    has_more: bool,
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    frame: Frame,
    notice: Option<(&'static str, String, String)>,
    endpoint: EndpointRow,
    /// Number of orders whose events wait, in words, and the time of the next attempt.
    waiting: String,
    next_attempt: Option<When>,
    attempts: Vec<AttemptRow>,
    older: Option<String>,
    may_change: bool,
    days_to_disabled: u32,
}

/// Page with the new secret of an endpoint, shown once.
#[derive(Template)]
#[template(path = "secret.html")]
struct SecretPage<'a> {
    frame: Frame,
    endpoint: EndpointRow,
    secret: &'a str,
}

pub(super) struct EndpointRow {
    pub(super) id: String,
    /// Description, or the host of the URL if there is none.
    pub(super) name: String,
    /// Host of the URL: the rest may be a secret.
    url: String,
    pub(super) state: String,
    pub(super) class: &'static str,
    is_enabled: bool,
    pub(super) failing_since: Option<When>,
    position: Option<u64>,
    generation: u32,
    types: Vec<String>,
}

impl EndpointRow {
    /// Whether the endpoint fails, or was disabled by the service.
    pub(super) fn is_in_trouble(&self) -> bool {
        matches!(self.class, "warn" | "bad")
    }

    pub(super) fn of(stored: &StoredEndpoint) -> Self {
        let endpoint: &Endpoint = &stored.endpoint.value;
        let (state, class) = match (endpoint.state, endpoint.failing) {
            (EndpointState::Enabled, None) => ("enabled".to_owned(), "ok"),
            (EndpointState::Enabled, Some(_)) => ("failing".to_owned(), "warn"),
            (EndpointState::Disabled { reason, .. }, _) => {
                let why = match reason {
                    DisabledReason::Requested => "disabled",
                    DisabledReason::Gone => "disabled: it answered 410 Gone",
                    DisabledReason::Failing => "disabled after days of failures",
                };
                (why.to_owned(), if reason == DisabledReason::Requested { "" } else { "bad" })
            }
        };
        let host = endpoint.url.host().to_owned();
        Self {
            id: endpoint.id.to_string(),
            name: if endpoint.description.is_empty() { host.clone() } else { endpoint.description.clone() },
            url: host,
            state,
            class,
            is_enabled: endpoint.state == EndpointState::Enabled,
            failing_since: endpoint.failing.map(|it| when(it.since)),
            position: stored.reached().map(|it| it.0),
            generation: endpoint.secret.current,
            types: endpoint.types.iter().map(|it| it.name().to_owned()).collect(),
        }
    }
}

struct AttemptRow {
    at: When,
    number: u32,
    duration_ms: u32,
    kind: String,
    position: Option<u64>,
    order: Option<String>,
    outcome: &'static str,
    class: &'static str,
    answered: String,
    answer: String,
    /// Whether the event may be sent again: one that still waits is sent by itself.
    may_resend: bool,
}

impl AttemptRow {
    fn of(attempt: &Attempt) -> Self {
        let status = attempt.status.map(|it| it.to_string());
        Self {
            at: when(attempt.at),
            number: attempt.number,
            duration_ms: attempt.duration_ms,
            kind: attempt.kind.clone(),
            position: attempt.position().map(|it| it.0),
            order: attempt.order().map(|it| it.to_string()),
            outcome: attempt.outcome.name(),
            class: match attempt.outcome {
                AttemptOutcome::Delivered => "ok",
                AttemptOutcome::Retried => "wait",
                AttemptOutcome::Failed => "bad",
            },
            answered: status.unwrap_or_else(|| attempt.error.map_or("no answer", |it| it.name()).to_owned()),
            answer: attempt.answer.chars().take(200).collect(),
            may_resend: attempt.outcome != AttemptOutcome::Retried && attempt.position().is_some(),
        }
    }
}

/// `GET /console/endpoints`: all endpoints, the oldest first.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::WebhooksRead).await?;
    let found = api.publisher.list_endpoints(None, ENDPOINTS + 1).await?;
    let shown = EndpointsPage {
        frame: Frame::of(&api, &operator, Section::Events),
        last: api.publisher.last_position().await?.0,
        endpoints: found.iter().take(ENDPOINTS.into()).map(EndpointRow::of).collect(),
        has_more: found.len() > usize::from(ENDPOINTS),
    };
    Ok(page(StatusCode::OK, &shown))
}

/// Endpoint that the path of a page names.
fn named(text: &str) -> Result<EndpointId, Refusal> {
    Uuid::try_parse(text).map(EndpointId).map_err(|_| Refusal::NoSuch("endpoint"))
}

/// Time and event of the attempt after which a page begins, as the link to the page has them.
fn place(text: &str) -> Option<(Timestamp, Uuid)> {
    let (micros, event) = text.split_once('.')?;
    Some((Timestamp::from_unix_micros(micros.parse().ok()?).ok()?, Uuid::try_parse(event).ok()?))
}

/// `GET /console/endpoints/{endpoint}`: an endpoint with its attempts, the newest first.
pub(super) async fn read(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::WebhooksRead).await?;
    let query = parse_query(&request)?;
    let before = text(&query, "before");
    let older_than = if before.is_empty() { None } else { Some(place(before).ok_or(Refusal::NoSuch("page"))?) };
    let notice = match text(&query, "done") {
        "resent" => Some((
            "The event will be sent again",
            "Its attempt appears below: soon if the endpoint is enabled, else once it is.",
        )),
        "enabled" => Some(("The endpoint is enabled", "What waits is sent now.")),
        "disabled" => Some(("The endpoint is disabled", "Events wait, and are sent when it is enabled again.")),
        "replayed" => {
            Some(("Events are sent again", "The endpoint gets every event after the position, once it is enabled."))
        }
        _ => None,
    };
    let notice = notice.map(|(title, text)| ("notice", title.to_owned(), text.to_owned()));
    shown(&api, &operator, named(&id)?, older_than, (StatusCode::OK, notice)).await
}

/// Answer with the page of an endpoint.
async fn shown(
    api: &Api,
    operator: &Operator,
    id: EndpointId,
    older_than: Option<(Timestamp, Uuid)>,
    (status, notice): (StatusCode, Option<(&'static str, String, String)>),
) -> Result<HttpResponse, Refusal> {
    let (found, waiting) = api.publisher.endpoint_with_waiting(id).await?;
    let query = AttemptQuery { endpoint: id, older_than, outcome: None, limit: PAGE + 1 };
    let attempts = api.publisher.attempts(query).await?;
    let (rows, older) = page_of(&attempts, PAGE);
    let waiting_text = match waiting.count {
        0 => "Nothing waits.".to_owned(),
        1 => "Events of one order wait.".to_owned(),
        WAITING_ORDERS_MAX => format!("Events of {WAITING_ORDERS_MAX} orders or more wait."),
        count => format!("Events of {count} orders wait."),
    };
    let shown = EndpointPage {
        frame: Frame::of(api, operator, Section::Events),
        notice,
        endpoint: EndpointRow::of(&found),
        waiting: waiting_text,
        next_attempt: waiting.next_attempt_at.map(when),
        attempts: rows.iter().map(AttemptRow::of).collect(),
        older: older.map(|it| format!("/console/endpoints/{id}?before={}.{}", it.at.unix_micros(), it.event)),
        may_change: operator.may(Scope::WebhooksWrite),
        days_to_disabled: DISABLED_AFTER_SECONDS / 86_400,
    };
    Ok(page(status, &shown))
}

/// `GET` of the address of an act: leads to the endpoint.
pub(super) async fn of_act(path: Path<(String, String)>) -> Result<HttpResponse, Refusal> {
    let id = named(&path.0)?;
    Ok(see_other(&format!("/console/endpoints/{id}")))
}

/// Number in a field of a form.
fn number(form: &Fields, name: &'static str) -> Result<u64, Refusal> {
    let wrong =
        || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_position", format!("{name} must be a whole number"));
    text(form, name).parse().map_err(|_| wrong().into())
}

/// `POST /console/endpoints/{endpoint}/{act}`: an act on an endpoint.
pub(super) async fn act(
    api: Data<Api>,
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, form) = posted(&api, &request, payload, Scope::WebhooksWrite).await?;
    let (id, act) = path.into_inner();
    let id = named(&id)?;
    let done = match act.as_str() {
        "test" => return test(&api, &operator, id).await,
        "rotate" => return rotate(&api, &operator, id, number(&form, "generation")?).await,
        "enable" => api.publisher.enable_endpoint(id).await.map(|_| "enabled")?,
        "disable" => api.publisher.disable_endpoint(id).await.map(|_| "disabled")?,
        "resend" => {
            let position = Position(number(&form, "position")?);
            api.publisher.resend_event(id, position).await.map(|()| "resent")?
        }
        "replay" => {
            let after = Position(number(&form, "after")?);
            api.publisher.replay_events(id, after).await.map(|_| "replayed")?
        }
        _ => return Err(Problem::no_such_path().into()),
    };
    Ok(see_other(&format!("/console/endpoints/{id}?done={done}#result")))
}

/// Sends a test event, and shows the answer.
async fn test(api: &Api, operator: &Operator, id: EndpointId) -> Result<HttpResponse, Refusal> {
    let attempt = AttemptRow::of(&api.publisher.send_test_event(id).await?);
    let is_delivered = attempt.class == "ok";
    let (class, title) = if is_delivered {
        ("notice", "The endpoint accepted the test event")
    } else {
        ("error", "The endpoint did not accept the test event")
    };
    let text = format!("Answer after {} ms: {} {}", attempt.duration_ms, attempt.answered, attempt.answer);
    shown(api, operator, id, None, (StatusCode::OK, Some((class, title.to_owned(), text)))).await
}

/// Gives the endpoint a new secret, and shows it once.
///
/// `generation` is that of the secret that the page has shown: a reload of the answer would make another secret, and end the
/// one that the receiver has.
async fn rotate(api: &Api, operator: &Operator, id: EndpointId, generation: u64) -> Result<HttpResponse, Refusal> {
    let generation = u32::try_from(generation).unwrap_or_default();
    let Some(new) = api.publisher.rotate_shown_secret(id, OVERLAP_SECONDS, generation).await? else {
        let text =
            "The secret was rotated since this page was loaded, and is shown only once. Nothing was done.".to_owned();
        let notice = ("error", "There is a new secret already".to_owned(), text);
        return shown(api, operator, id, None, (StatusCode::CONFLICT, Some(notice))).await;
    };
    let frame = Frame::of(api, operator, Section::Events);
    let endpoint = EndpointRow::of(&new.endpoint);
    Ok(page(StatusCode::OK, &SecretPage { frame, endpoint, secret: new.secret.expose_secret() }))
}
