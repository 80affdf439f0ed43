//! HTTP server of the twin.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION,
    CONTENT_TYPE, HeaderValue,
};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::deliveries::Deliveries;
use crate::error::Refusal;
use crate::faults::{Fault, FaultKind, Faults};
use crate::objects::{Event, WebhookEndpoint};
use crate::params::Params;
use crate::request::{Method, Request, Response};
use crate::state::Twin;

/// Most kinds of requests (method and path prefix) that are counted.
const REQUEST_KINDS_MAX: usize = 1000;
/// Largest request body that is read, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for which a reordered event is held back for later ones.
const REORDER_WAIT: Duration = Duration::from_millis(500);
/// Interval at which a changed state is written to its file.
const SAVE_EVERY: Duration = Duration::from_millis(300);

/// Options of a twin server.
#[derive(Debug, Clone)]
pub struct Options {
    /// File that keeps the state across restarts; without one the state is lost when the server ends.
    pub state_file: Option<PathBuf>,
    /// Time by which each answer is delayed.
    pub latency: Duration,
    /// Webhook endpoints that are registered at the start.
    pub endpoints: Vec<WebhookEndpoint>,
    /// Clock, in seconds since 1970.
    pub clock: fn() -> i64,
}

/// Why a twin server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The server cannot listen, for example because the address is in use.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Address to listen on.
        address: SocketAddr,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The state file is not one that this version of the twin wrote.
    #[error("the twin's state file {} cannot be read ({reason}): move it away to start over", path.display())]
    State {
        /// Path of the state file.
        path: PathBuf,
        /// Why the file cannot be read.
        reason: String,
    },
    /// The HTTP client for webhooks cannot be built.
    #[error("the HTTP client for webhooks cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

/// A twin that listens on a TCP address.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    deliveries: Deliveries,
    options: Options,
}

#[derive(Debug, Default)]
struct Inner {
    twin: Twin,
    faults: Faults,
    /// Number of requests by method and the first two segments of the path.
    requests: BTreeMap<String, u64>,
    /// Idempotency keys of requests in flight.
    in_flight: HashSet<String>,
    /// Events held back for reordering.
    held_back: Vec<Event>,
    /// Whether the state has changed since it was last written.
    changed: bool,
}

/// Error that drops the connection without an answer.
#[derive(Debug, Error)]
#[error("the connection is dropped on demand")]
struct Dropped;

impl Server {
    /// Makes a server that listens on `address` (port 0 for any free port).
    pub async fn bind(address: SocketAddr, options: Options) -> Result<Self, StartError> {
        let mut twin = match &options.state_file {
            Some(path) if path.exists() => load(path)?,
            Some(_) | None => Twin::default(),
        };
        for endpoint in &options.endpoints {
            twin.register(endpoint.clone());
        }
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let deliveries = Deliveries::new(options.clock)?;
        let inner = Mutex::new(Inner { twin, ..Inner::default() });
        Ok(Self { listener, shared: Arc::new(Shared { inner, deliveries, options }) })
    }

    /// Address on which the server listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves requests until `stop` completes, then writes the state.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut save = tokio::time::interval(SAVE_EVERY);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = save.tick() => self.shared.save(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&self.shared);
                        tokio::spawn(async move {
                            drop(stream.set_nodelay(true));
                            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                            let connection = hyper::server::conn::http1::Builder::new()
                                .serve_connection(TokioIo::new(stream), service);
                            // Errors are clients that disconnected and connections dropped by a fault.
                            drop(connection.await);
                        });
                    }
                    Err(error) => tracing::warn!(%error, "a connection was not accepted"),
                },
            }
        }
        self.shared.save();
    }
}

fn load(path: &PathBuf) -> Result<Twin, StartError> {
    let wrong = |reason: String| StartError::State { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state to a new file and renames it, so that a crash leaves either the old or the new state.
    fn save(&self) {
        let Some(path) = &self.options.state_file else { return };
        let text = {
            let mut inner = self.lock();
            if !std::mem::take(&mut inner.changed) {
                return;
            }
            serde_json::to_string(&inner.twin)
        };
        let new_file = path.with_extension("new");
        let written = text.map_err(std::io::Error::other).and_then(|text| {
            std::fs::write(&new_file, text)?;
            std::fs::rename(&new_file, path)
        });
        if let Err(error) = written {
            tracing::error!(path = %path.display(), %error, "the twin's state could not be written");
        }
    }

    fn deliver(&self, twin: &Twin, events: &[Event]) {
        for event in events {
            for endpoint in twin.endpoints().filter(|it| it.is_enabled_for(&event.kind)) {
                self.deliveries.send(endpoint.clone(), event);
            }
        }
    }

    /// Delivers the events of a request, subject to the request's faults.
    fn send(self: &Arc<Self>, inner: &mut Inner, events: Vec<Event>, faults: &[Fault]) {
        let has = |kind| faults.iter().any(|it| it.kind == kind);
        if events.is_empty() || has(FaultKind::WebhookDrop) {
            return;
        }
        if has(FaultKind::WebhookReorder) {
            inner.held_back.extend(events);
            let this = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(REORDER_WAIT).await;
                this.deliver_held_back(&mut this.lock());
            });
            return;
        }
        self.deliver(&inner.twin, &events);
        if has(FaultKind::WebhookDuplicate) {
            self.deliver(&inner.twin, &events);
        }
        self.deliver_held_back(inner);
    }

    fn deliver_held_back(&self, inner: &mut Inner) {
        let mut late = std::mem::take(&mut inner.held_back);
        late.reverse();
        self.deliver(&inner.twin, &late);
    }
}

impl Inner {
    fn count(&mut self, method: &str, path: &str) {
        let parts: Vec<_> = path.split('/').take(3).collect();
        let kind = format!("{method} {}", parts.join("/"));
        if self.requests.len() < REQUEST_KINDS_MAX || self.requests.contains_key(&kind) {
            *self.requests.entry(kind).or_default() += 1;
        }
    }
}

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> Result<hyper::Response<Text>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(respond(413, Vec::new(), &json!({ "error": { "type": "invalid_request_error" } }), false));
    };
    let body = body.to_bytes();
    let path = head.uri.path().to_owned();
    if head.method == hyper::Method::OPTIONS {
        return Ok(preflight());
    }
    let method = match head.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => return Ok(refuse(&Refusal::url(head.method.as_str(), &path))),
    };
    if path == "/_twin/requests" {
        let requests = json!(shared.lock().requests);
        return Ok(respond(200, Vec::new(), &requests, false));
    }
    shared.lock().count(head.method.as_str(), &path);
    if path == "/_twin/faults" {
        return Ok(set_faults(&shared, method, &body));
    }
    let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let is_get = method == Method::Get;
    let form: &[u8] = if is_get { head.uri.query().unwrap_or_default().as_bytes() } else { &body };
    let request = Request {
        method,
        path: path.clone(),
        params: Params::parse(form),
        key: head.headers.get(AUTHORIZATION).and_then(api_key),
        idempotency_key: header("idempotency-key"),
        version: header("stripe-version"),
    };
    let mut faults = shared.lock().faults.matching(head.method.as_str(), &path);
    faults.extend(header("twin-fault").and_then(|it| Fault::from_header(&it)));
    perform(&shared, &request, &faults).await
}

async fn perform(shared: &Arc<Shared>, request: &Request, faults: &[Fault]) -> Result<hyper::Response<Text>, Dropped> {
    let fault = |kind| faults.iter().find(|it| it.kind == kind);
    let now = (shared.options.clock)();
    if fault(FaultKind::DropBefore).is_some() {
        return Err(Dropped);
    }
    if let Some(fault) = fault(FaultKind::StatusBefore) {
        let mut inner = shared.lock();
        inner.changed = true;
        let before = inner.twin.events().len();
        let response = inner.twin.fail_before(request, now, fault.status);
        let events = inner.twin.events().get(before..).unwrap_or_default().to_vec();
        shared.send(&mut inner, events, &[]);
        return Ok(respond(response.status, response.headers, &response.body, false));
    }
    let delay = fault(FaultKind::Delay).map_or(Duration::ZERO, |it| Duration::from_millis(it.delay_ms));
    let wait = shared.options.latency + delay;
    // A key is in flight from the arrival of its request to its answer.
    let _key_in_flight = match request.effective_key() {
        Some(key) => match KeyInFlight::new(shared, key.to_owned()) {
            Some(it) => Some(it),
            None => return Ok(refuse(&Refusal::key_in_use())),
        },
        None => None,
    };
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let response: Response = {
        let mut inner = shared.lock();
        let fails = fault(FaultKind::StatusAfter).map(|it| it.status);
        let (response, events) = inner.twin.handle_with(request, now, fails);
        inner.changed |= request.method != Method::Get || !events.is_empty();
        shared.send(&mut inner, events, faults);
        response
    };
    if fault(FaultKind::DropAfter).is_some() {
        return Err(Dropped);
    }
    let mut headers = response.headers;
    if let Some(key) = &request.idempotency_key {
        headers.push(("Idempotency-Key", key.clone()));
    }
    Ok(respond(response.status, headers, &response.body, fault(FaultKind::Truncate).is_some()))
}

/// Guard of an idempotency key in flight; its drop releases the key, also when the client disconnects.
struct KeyInFlight {
    shared: Arc<Shared>,
    key: String,
}

impl KeyInFlight {
    fn new(shared: &Arc<Shared>, key: String) -> Option<Self> {
        let fresh = shared.lock().in_flight.insert(key.clone());
        fresh.then(|| Self { shared: Arc::clone(shared), key })
    }
}

impl Drop for KeyInFlight {
    fn drop(&mut self) {
        self.shared.lock().in_flight.remove(&self.key);
    }
}

/// API key of an `Authorization` header: the token of `Bearer`, or the user of `Basic` as `curl -u` sends it.
fn api_key(value: &HeaderValue) -> Option<String> {
    let (scheme, given) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(given.to_owned());
    }
    let given = scheme.eq_ignore_ascii_case("basic").then_some(given)?;
    let user = BASE64_STANDARD.decode(given).ok()?;
    let user = String::from_utf8(user).ok()?;
    Some(user.split(':').next().unwrap_or_default().to_owned())
}

fn set_faults(shared: &Shared, method: Method, body: &[u8]) -> hyper::Response<Text> {
    match method {
        Method::Delete => {
            shared.lock().faults.clear();
            respond(200, Vec::new(), &json!({ "faults": "cleared" }), false)
        }
        Method::Post => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => {
                shared.lock().faults.add(fault);
                respond(200, Vec::new(), &json!({ "faults": "added" }), false)
            }
            Err(error) => refuse(&Refusal::invalid("fault", &error.to_string())),
        },
        Method::Get => refuse(&Refusal::url("GET", "/_twin/faults")),
    }
}

/// Answer to a CORS preflight. As at Stripe, pages of every origin may send requests; the API key limits what they can
/// do.
fn preflight() -> hyper::Response<Text> {
    let mut response = respond(200, Vec::new(), &json!({}), false);
    let fields = response.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    fields
        .insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type, stripe-version"));
    response
}

fn refuse(refusal: &Refusal) -> hyper::Response<Text> {
    respond(refusal.status, Vec::new(), &json!({ "error": refusal.to_json() }), false)
}

fn respond(status: u16, headers: Vec<(&'static str, String)>, body: &Value, truncated: bool) -> hyper::Response<Text> {
    let text = Bytes::from(format!("{body:#}\n"));
    let mut response = hyper::Response::new(Text { rest: Some(text), truncated, failed: false });
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert("stripe-version", HeaderValue::from_static(crate::objects::API_VERSION));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<hyper::header::HeaderName>(), HeaderValue::from_str(&value)) {
            fields.insert(name, value);
        }
    }
    response
}

/// Response body that can be cut off in the middle.
struct Text {
    rest: Option<Bytes>,
    truncated: bool,
    failed: bool,
}

impl Body for Text {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.rest.take() {
            Some(text) if self.truncated => {
                self.failed = true;
                Poll::Ready(Some(Ok(Frame::data(text.slice(..text.len() / 2)))))
            }
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text)))),
            None if self.failed => Poll::Ready(Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.rest
            .as_ref()
            .map_or_else(SizeHint::default, |it| SizeHint::with_exact(u64::try_from(it.len()).unwrap_or(u64::MAX)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.failed
    }
}
