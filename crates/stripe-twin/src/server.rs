//! HTTP server of the twin.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::answers::{Dropped, Text, page, preflight, refuse, respond};
use crate::deliveries::Deliveries;
use crate::error::Refusal;
use crate::faults::{Fault, FaultKind, Faults};
use crate::objects::{Event, WebhookEndpoint};
use crate::params::Params;
use crate::record::Recorder;
use crate::request::{Method, Request, Response};
use crate::seed::Seed;
use crate::state::{FORM, Twin};
use crate::three_d_secure;

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
    /// File of requests that are performed at the start, unless the state file exists.
    pub seed_file: Option<PathBuf>,
    /// Time by which each answer is delayed.
    pub latency: Duration,
    /// Webhook endpoints that are registered at the start.
    pub endpoints: Vec<WebhookEndpoint>,
    /// Most objects of each kind, events and saved answers that are kept; the oldest are removed.
    pub keep: usize,
    /// Clock, in seconds since 1970.
    pub clock: fn() -> i64,
    /// File to which answers and delivered events are appended, each shape once, for a check against Stripe's API
    /// description.
    pub record: Option<PathBuf>,
}

/// State file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved<T> {
    /// Form of the file.
    form: u32,
    twin: T,
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
    /// The seed file cannot be read, or one of its requests was refused.
    #[error("the seed file {}: {reason}", path.display())]
    Seed {
        /// Path of the seed file.
        path: PathBuf,
        /// Why the file cannot be read, or the refusal.
        reason: String,
    },
    /// The file of recorded answers cannot be opened.
    #[error("the file of recorded answers {} cannot be opened: {source}", path.display())]
    Record {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
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
    recorder: Option<Recorder>,
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

impl Server {
    /// Makes a server that listens on `address` (port 0 for any free port).
    pub async fn bind(address: SocketAddr, options: Options) -> Result<Self, StartError> {
        let mut twin = match &options.state_file {
            Some(path) if path.exists() => load(path)?,
            Some(_) | None => sown(&options)?,
        };
        for endpoint in &options.endpoints {
            twin.register(endpoint.clone());
        }
        let open =
            |path: &PathBuf| Recorder::open(path).map_err(|source| StartError::Record { path: path.clone(), source });
        let recorder = options.record.as_ref().map(open).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let deliveries = Deliveries::new(options.clock)?;
        let inner = Mutex::new(Inner { twin, ..Inner::default() });
        Ok(Self { listener, shared: Arc::new(Shared { inner, deliveries, options, recorder }) })
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

/// State of a new twin, with the objects of the seed file.
fn sown(options: &Options) -> Result<Twin, StartError> {
    let mut twin = Twin::default();
    let Some(path) = &options.seed_file else { return Ok(twin) };
    let wrong = |reason: String| StartError::Seed { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let seeds: Vec<Seed> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    twin.sow(&seeds, (options.clock)()).map_err(wrong)?;
    Ok(twin)
}

fn load(path: &PathBuf) -> Result<Twin, StartError> {
    let wrong = |reason: String| StartError::State { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let read: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if read.get("form").and_then(Value::as_u64) != Some(u64::from(FORM)) {
        return Err(wrong("it was written by another version of the twin".to_owned()));
    }
    let saved: Saved<Twin> = serde_json::from_value(read).map_err(|error| wrong(error.to_string()))?;
    Ok(saved.twin)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time of the account's clock.
    fn now(&self, twin: &Twin) -> i64 {
        twin.time_at((self.options.clock)())
    }

    /// Writes the state to a new file and renames it, so that a crash leaves either the old or the new state.
    fn save(&self) {
        let Some(path) = &self.options.state_file else { return };
        let text = {
            let mut inner = self.lock();
            if !std::mem::take(&mut inner.changed) {
                return;
            }
            serde_json::to_string(&Saved { form: FORM, twin: &inner.twin })
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
            if let Some(recorder) = &self.recorder {
                recorder.event(event);
            }
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
        return Ok(respond(
            413,
            Vec::new(),
            &json!({ "error": { "type": "invalid_request_error", "message": "The request body is larger than 1 MiB." } }),
            false,
        ));
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
    let query = head.uri.query().unwrap_or_default().as_bytes();
    // Stripe takes parameters of a query and of a form together.
    let form = match (is_get, query) {
        (true, _) => query.to_vec(),
        (false, []) => body.to_vec(),
        (false, _) => [query, &body].join(&b'&'),
    };
    let request = Request {
        method,
        path: path.clone(),
        params: Params::parse(&form),
        key: head.headers.get(AUTHORIZATION).and_then(api_key),
        idempotency_key: header("idempotency-key"),
        version: header("stripe-version"),
        account: header("stripe-account"),
        host: header("host"),
    };
    if let Some(id) = path.strip_prefix("/_twin/3ds/") {
        return Ok(three_d_secure_page(&shared, id, request));
    }
    let mut faults = shared.lock().faults.matching(head.method.as_str(), &path);
    if let Some(named) = header("twin-fault") {
        let Some(fault) = Fault::from_header(&named) else {
            let message = format!("Invalid header Twin-Fault: {named}. docs/twin.md lists the faults.");
            return Ok(refuse(&Refusal::parameter_less("parameter_invalid", message)));
        };
        faults.push(fault);
    }
    perform(&shared, &request, &form, &faults).await
}

async fn perform(
    shared: &Arc<Shared>,
    request: &Request,
    form: &[u8],
    faults: &[Fault],
) -> Result<hyper::Response<Text>, Dropped> {
    let fault = |kind| faults.iter().find(|it| it.kind == kind);
    if fault(FaultKind::DropBefore).is_some() {
        return Err(Dropped);
    }
    if let Some(fault) = fault(FaultKind::StatusBefore) {
        let mut inner = shared.lock();
        inner.changed = true;
        let now = shared.now(&inner.twin);
        let before = inner.twin.next_event();
        let response = inner.twin.fail_before(request, now, fault.status);
        let events = inner.twin.events_from(before).cloned().collect();
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
        let now = shared.now(&inner.twin);
        let (response, events) = inner.twin.handle_with(request, now, fails);
        inner.changed |= request.method != Method::Get || !events.is_empty();
        shared.send(&mut inner, events, faults);
        inner.twin.keep_newest(shared.options.keep);
        response
    };
    if let Some(recorder) = &shared.recorder {
        recorder.answer(request, form, &response);
    }
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

/// Page of an authentication, and its two buttons: they finish it and lead back to the shop.
fn three_d_secure_page(shared: &Arc<Shared>, id: &str, request: Request) -> hyper::Response<Text> {
    let mut inner = shared.lock();
    let secret = request.params.text("client_secret").unwrap_or_default().to_owned();
    let now = shared.now(&inner.twin);
    let Some(task) = inner.twin.authentication(id, &secret) else {
        return page(404, &three_d_secure::gone());
    };
    if request.method == Method::Get {
        return page(200, &three_d_secure::page(&task, &secret));
    }
    let outcome = if request.params.text("outcome") == Some("succeeded") { "succeeded" } else { "failed" };
    let path = format!("/_twin/{}/{id}/finish", task.collection);
    let params = [("outcome", outcome), ("client_secret", &secret)].into_iter().collect();
    let finish = Request { path, params, key: Some("pk_test_page".to_owned()), ..request };
    let (response, events) = inner.twin.handle(&finish, now);
    inner.changed = true;
    shared.send(&mut inner, events, &[]);
    if response.status != 200 {
        return page(404, &three_d_secure::gone());
    }
    match three_d_secure::back(&task, &secret, outcome) {
        Some(url) => {
            let mut response = page(303, "");
            if let Ok(value) = HeaderValue::from_str(&url) {
                response.headers_mut().insert(hyper::header::LOCATION, value);
            }
            response
        }
        None => page(200, &three_d_secure::done(outcome)),
    }
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
