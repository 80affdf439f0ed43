//! Middleware of all requests: request id, log line, body limits.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, VARY};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use paywright_app::{Actor, Work};
use paywright_domain::OrderId;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use crate::Api;
use crate::client_address::ClientAddress;
use crate::connection::ConnectionState;
use crate::console;
use crate::masking::{holds_secret, path_without_secrets};
use crate::metrics;
use crate::problem::Problem;
use crate::rate_limits::RateLimits;
use crate::receiving::limited;
use crate::spree::Refusal;
use crate::traces::RequestTrace;

/// Maximum size of a JSON body from a shopper, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 256 * 1024;
/// Maximum size of a JSON body from an application, in bytes: an order in which every field has its maximum, with each
/// character escaped as two surrogates (`\ud835\udcb3`), has 3.5 MiB.
pub(crate) const JSON_BYTES_WITH_KEY_MAX: usize = 4 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Paths of the probes and of the metrics, which are called every few seconds: their successes are logged at debug level.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// Path prefixes of the Spree dialect, whose error answers have their own shape.
const SPREE_PATHS: [&str; 2] = ["/api/v2/", "/spree_oauth"];
/// Path prefix of the console, whose error answers are pages.
const CONSOLE_PATHS: &str = "/console";
/// Maximum length of a caller's request id, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Middleware: gives each request an id (the caller's `X-Request-Id` if it is plain) and puts it into the answer, into
/// refusals and into every log line of the request. Once the process is shutting down, an answer is the last on its
/// connection.
pub async fn identify(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let given = request.headers().get(&REQUEST_ID).and_then(|it| it.to_str().ok()).filter(|it| is_plain(it));
    let id = given.map_or_else(|| format!("req_{:016x}", fastrand::u64(..)), str::to_owned);
    let api = request.app_data::<Data<Api>>().cloned();
    let client = api.as_ref().and_then(|it| ClientAddress::attach(&request, request.peer_addr(), &it.trusted_proxies));
    let span = span_of(&id, client);
    let (method, path) = (request.method().clone(), path_without_secrets(request.path()));
    let trace = RequestTrace::begin(&request, api.as_ref().map(|it| it.app.traces()), PROBES.contains(&request.path()));
    let started = Instant::now();
    let (shutdown, bodies) = api.as_ref().map(|it| (it.shutdown.clone(), it.bodies.clone())).unwrap_or_default();
    let form = ErrorForm::at(request.path(), api.as_ref());
    let rate_limits = api.map_or_else(RateLimits::none, |it| it.rate_limits.clone());
    let connection = request.conn_data::<Arc<ConnectionState>>().cloned();
    let body = request.take_payload();
    if let Some(connection) = &connection {
        connection.head_arrived(!matches!(body, Payload::None)).await;
    }
    // Held until the request is answered.
    let memory = bodies.reservation(request.path());
    request.set_payload(limited(body, Rc::clone(&memory), connection.clone(), &shutdown));
    let work = Work::requested(id.clone(), started, client.map(ClientAddress::ip)).in_trace(trace.span());
    let answer = async move {
        let response = next.call(request).await;
        drop(memory);
        if let Some(connection) = connection {
            connection.answered();
        }
        let response = response?;
        let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
        let too_many =
            is_unauthorized.then(|| rate_limits.wrong_credentials(client).err()).flatten().map(Problem::from);
        let refused = too_many.as_ref().or(response.response().error().and_then(|it| it.as_error::<Problem>()));
        let of_spree = response.response().error().and_then(|it| it.as_error::<Refusal>()).and_then(Refusal::code);
        let code = refused.map(Problem::code).or(of_spree);
        if let Some(code) = code {
            Span::current().record("code", code);
        }
        let mut response = match refused.map(|it| form.render(it, &id)) {
            Some(rendered) => rendered_again(response, rendered),
            None => response.map_into_boxed_body(),
        };
        // An answer may have personal data or a secret: no cache stores it, unless its handler says otherwise.
        if !response.headers().contains_key(CACHE_CONTROL) {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if shutdown.has_begun() {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        let (status, took) = (response.status(), started.elapsed());
        metrics::answered(response.request().match_pattern(), &method, status.as_u16(), took);
        trace.answered(|| response.request().match_pattern(), status, code);
        log_answer(&method, &path, status, took);
        Ok(response)
    };
    work.scope(answer).instrument(span).await
}

/// Form of the error answers at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorForm {
    /// JSON of the shop dialect.
    Shop,
    /// JSON of the Spree dialect.
    Spree,
    /// Page of the console.
    Page,
}

impl ErrorForm {
    fn at(path: &str, api: Option<&Data<Api>>) -> Self {
        if SPREE_PATHS.iter().any(|it| path.starts_with(it)) {
            Self::Spree
        } else if path.starts_with(CONSOLE_PATHS) && api.is_some_and(|it| it.console.is_some()) {
            Self::Page
        } else {
            Self::Shop
        }
    }

    fn render(self, problem: &Problem, request_id: &str) -> HttpResponse {
        match self {
            Self::Shop => problem.respond(Some(request_id)),
            Self::Spree => Refusal::of(problem).error_response(),
            Self::Page => console::refused(problem),
        }
    }
}

/// Logs an answer: a success of a probe at debug level.
fn log_answer(method: &Method, path: &str, status: StatusCode, took: Duration) {
    let (status_code, ms) = (status.as_u16(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    if PROBES.contains(&path) && status.is_success() {
        tracing::debug!(%method, path, status = status_code, ms, "answered");
    } else {
        tracing::info!(%method, path, status = status_code, ms, "answered");
    }
}

/// The refusal in place of an answer, with the headers of the answer by which a page of another origin may read it.
fn rendered_again<B>(answer: ServiceResponse<B>, mut refusal: HttpResponse) -> ServiceResponse<BoxBody> {
    let is_of_cors = |name: &HeaderName| *name == VARY || name.as_str().starts_with("access-control-");
    for (name, value) in answer.headers().iter().filter(|(name, _)| is_of_cors(name)) {
        refusal.headers_mut().append(name.clone(), value.clone());
    }
    answer.into_response(refusal)
}

/// Span of all log lines of a request: its id, its client, and fields that are recorded once they are known.
fn span_of(id: &str, client: Option<ClientAddress>) -> Span {
    tracing::error_span!(
        "request",
        request = id,
        client = client.map(display),
        actor = Empty,
        key = Empty,
        key_name = Empty,
        code = Empty,
        limit = Empty,
        order = Empty,
        number = Empty,
        intent = Empty,
        event = Empty,
        event_type = Empty,
        outcome = Empty,
        reason = Empty,
    )
}

/// Records the order of a request in its span, where no use case has read the order.
pub(crate) fn log_order(id: OrderId, number: &str) {
    Span::current().record("order", display(id)).record("number", number);
}

/// Records the actor of a request, for its log lines and for the facts that it causes.
pub(crate) fn record_actor(actor: Actor) {
    let span = Span::current();
    span.record("actor", actor.kind());
    if let Some((key, name)) = actor.api_key() {
        span.record("key", display(key)).record("key_name", name);
    }
    actor.record();
}

/// Whether a caller's request id may be logged and passed on: it has plain characters only, and no secret in it.
fn is_plain(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
        && !holds_secret(text)
}
