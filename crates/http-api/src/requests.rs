//! What is common to all requests: a name in the logs, a line in them, bodies within limits, and an end.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, ResponseError};
use paywright_app::{Actor, Work, WorkId};
use paywright_domain::OrderId;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use crate::Api;
use crate::client_address::ClientAddress;
use crate::connection::Line;
use crate::masking::{holds_secret, path_without_secrets};
use crate::problem::Problem;
use crate::rate_limits::RateLimits;
use crate::receiving::limited;
use crate::spree::Refusal;

/// The largest JSON body that is read, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 256 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The paths by which it is asked every few seconds whether the process is well: a success is no news.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// The paths of the Spree dialect, whose refusals have a shape of their own.
const SPREE_PATHS: [&str; 3] = ["/api/v2/storefront", "/api/v2/platform", "/spree_oauth"];
/// The most characters of a request id that a caller may give.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Middleware: gives each request a name (the caller's `X-Request-Id`, if it has a plain one), puts it into
/// the answer, into refusals and into every log line about it. Once the process is stopping, an answer is the last on
/// its connection.
pub async fn identify(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let given = request.headers().get(&REQUEST_ID).and_then(|it| it.to_str().ok()).filter(|it| is_plain(it));
    let id = given.map_or_else(|| format!("req_{:016x}", fastrand::u64(..)), str::to_owned);
    let api = request.app_data::<Data<Api>>().cloned();
    let client = api.as_ref().and_then(|it| ClientAddress::keep(&request, request.peer_addr(), &it.trusted_proxies));
    let span = span_of(&id, client);
    let (method, path) = (request.method().clone(), path_without_secrets(request.path()));
    let begun = Instant::now();
    let (shutdown, bodies) = api.as_ref().map(|it| (it.shutdown.clone(), it.bodies.clone())).unwrap_or_default();
    let rate_limits = api.map_or_else(RateLimits::none, |it| it.rate_limits.clone());
    let line = request.conn_data::<Arc<Line>>().cloned();
    let body = request.take_payload();
    if let Some(line) = &line {
        line.head_arrived(!matches!(body, Payload::None)).await;
    }
    // Held until the request is answered.
    let memory = bodies.hold_nothing(request.path());
    request.set_payload(limited(body, Rc::clone(&memory), line.clone(), &shutdown));
    let work = WorkId::Request(id.clone());
    let is_spree = SPREE_PATHS.iter().any(|it| request.path().starts_with(it));
    let is_probe = PROBES.contains(&request.path());
    let answer = async move {
        let response = next.call(request).await;
        drop(memory);
        if let Some(line) = line {
            line.answered();
        }
        let response = response?;
        let is_wrong = response.status() == StatusCode::UNAUTHORIZED;
        let too_many = is_wrong.then(|| rate_limits.wrong_credentials(client).err()).flatten().map(Problem::from);
        let refused = too_many.as_ref().or(response.response().error().and_then(|it| it.as_error::<Problem>()));
        let of_spree = response.response().error().and_then(|it| it.as_error::<Refusal>()).and_then(Refusal::code);
        if let Some(code) = refused.map(Problem::code).or(of_spree) {
            Span::current().record("code", code);
        }
        let worded = refused.map(|it| if is_spree { Refusal::of(it).error_response() } else { it.respond(Some(&id)) });
        let mut response = match worded {
            Some(worded) => response.into_response(worded),
            None => response.map_into_boxed_body(),
        };
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if shutdown.has_begun() {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        let (status, ms) = (response.status(), u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        let status_code = status.as_u16();
        if is_probe && status.is_success() {
            tracing::debug!(%method, path, status = status_code, ms, "answered");
        } else {
            tracing::info!(%method, path, status = status_code, ms, "answered");
        }
        Ok(response)
    };
    work.scope(answer).instrument(span).await
}

/// The span that every line about a request inherits: its id, its client, and what is recorded once it is known.
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

/// Records which order a request is about, where no use case has read it.
pub(crate) fn log_order(id: OrderId, number: &str) {
    Span::current().record("order", display(id)).record("number", number);
}

/// Records who asks: for the log lines about the request, and for the facts that it leads to.
pub(crate) fn asked_by(actor: Actor) {
    let span = Span::current();
    span.record("actor", actor.kind());
    if let Some((key, name)) = actor.api_key() {
        span.record("key", display(key)).record("key_name", name);
    }
    actor.record();
}

/// Whether a caller's request id may be logged and sent on: it is plain, and no secret that somebody took for one.
fn is_plain(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
        && !holds_secret(text)
}

/// Runs a use case to its end, whatever becomes of the client's connection: a task of its own, which inherits the span,
/// the id and the actor of the request.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    let work = work.in_current_span();
    let spawned = match Work::current() {
        Some(request) => actix_web::rt::spawn(request.scope(work)),
        None => actix_web::rt::spawn(work),
    };
    spawned.await.map_err(|error| {
        tracing::error!(%error, "a use case did not come to its end");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request did not come to its end")
    })
}
