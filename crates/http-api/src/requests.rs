//! What is common to all requests: a name in the logs, a line in them, bodies within limits, and an end.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{Error, HttpMessage, HttpRequest};
use tracing::Instrument;

use crate::Api;
use crate::body::JsonBody;
use crate::problem::{FieldProblem, Problem};
use crate::shutdown::ShuttingDown;

/// The largest JSON body that is read, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 256 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
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
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.path());
    let begun = Instant::now();
    let shutdown = request.app_data::<Data<Api>>().map(|it| it.shutdown.clone()).unwrap_or_default();
    let body = request.take_payload();
    request.set_payload(shutdown.bound(body));
    async move {
        let response = next.call(request).await?;
        let refused = response.response().error().and_then(|it| it.as_error::<Problem>());
        let worded = refused.map(|it| it.respond(Some(&id)));
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
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
        Ok(response)
    }
    .instrument(span)
    .await
}

fn is_plain(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
}

/// Runs a use case to its end, whatever becomes of the client's connection.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    actix_web::rt::spawn(work).await.map_err(|error| {
        tracing::error!(%error, "a use case did not come to its end");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request did not come to its end")
    })
}

/// Reads a whole body, if it is not too large.
pub(crate) async fn read_body(payload: Payload, bytes_max: usize) -> Result<Bytes, Problem> {
    match payload.to_bytes_limited(bytes_max).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.as_error::<PayloadError>().is_some_and(ShuttingDown::is_cause_of) => {
            Err(Problem::shutting_down("the body did not arrive before the process shut down; nothing was changed"))
        }
        Ok(Err(error)) => Err(Problem::bad_request("body_incomplete", format!("the body did not arrive: {error}"))),
        Err(_) => {
            let detail = format!("the body must have at most {bytes_max} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
    }
}

/// Reads a body as JSON of the expected form, and names the field where it is not.
pub(crate) fn parse_json<T: JsonBody>(request: &HttpRequest, body: &[u8]) -> Result<T, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "the Content-Type must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_not_supported", detail));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let problem = error.into_inner();
        if problem.is_data() {
            Problem::invalid::<T>(vec![FieldProblem { field, problem: problem.to_string() }])
        } else {
            Problem::bad_request("json_malformed", format!("the body is not JSON: {problem}"))
        }
    })?;
    json.end().map_err(|error| Problem::bad_request("json_malformed", format!("the body is not JSON: {error}")))?;
    Ok(parsed)
}

/// As [`parse_json`], of a body that need not be there.
pub(crate) fn parse_json_if_any<T: JsonBody + Default>(request: &HttpRequest, body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { parse_json(request, body) }
}
