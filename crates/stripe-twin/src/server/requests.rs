//! Requests over HTTP: routing, faults, and idempotency keys in flight.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use serde_json::json;

use super::Shared;
use crate::answers::{Dropped, Text, page, preflight, refuse, respond};
use crate::error::Refusal;
use crate::faults::{Fault, FaultKind};
use crate::params::Params;
use crate::request::{Method, Request, Response};
use crate::three_d_secure;

/// Largest request body that is read, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

pub(super) async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Text>, Dropped> {
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
        // hyper sends the head of an answer to HEAD without its body.
        "GET" | "HEAD" => Method::Get,
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
    if method == Method::Post && !body.is_empty() && !is_form(&head.headers) {
        return Ok(refuse(&Refusal::not_a_form()));
    }
    let (request, form) = parsed(&head, &body, method);
    if let Some(id) = path.strip_prefix("/_twin/3ds/") {
        return Ok(three_d_secure_page(&shared, id, request));
    }
    let mut faults = shared.lock().faults.matching(head.method.as_str(), &path);
    if let Some(named) = head.headers.get("twin-fault").and_then(|it| it.to_str().ok()) {
        let Some(fault) = Fault::from_header(named) else {
            let message = format!("Invalid header Twin-Fault: {named}. docs/twin.md lists the faults.");
            return Ok(refuse(&Refusal::parameter_less("parameter_invalid", message)));
        };
        faults.push(fault);
    }
    perform(&shared, &request, &form, &faults).await
}

/// The request, and its parameters as a form.
fn parsed(head: &Parts, body: &[u8], method: Method) -> (Request, Vec<u8>) {
    let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let query = head.uri.query().unwrap_or_default().as_bytes();
    // Stripe takes parameters of a query and of a form together.
    let form = match (method, query) {
        (Method::Get, _) => query.to_vec(),
        (Method::Post | Method::Delete, []) => body.to_vec(),
        (Method::Post | Method::Delete, _) => [query, body].join(&b'&'),
    };
    let request = Request {
        method,
        path: head.uri.path().to_owned(),
        params: Params::parse(&form),
        key: head.headers.get(AUTHORIZATION).and_then(api_key),
        idempotency_key: header("idempotency-key"),
        version: header("stripe-version"),
        account: header("stripe-account"),
        host: header("host"),
    };
    (request, form)
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
    // A client that keeps books by Stripe's clock learns it from here.
    headers.push(("Date", shared.date()));
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

/// Whether a body is a form, by its content type. Without one it counts as a form.
fn is_form(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
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
    let task = inner.twin.authentication(id, &secret);
    let ended = || page(404, &three_d_secure::ended(task.as_ref(), &secret));
    let Some(task) = task.as_ref().filter(|it| it.is_waiting) else { return ended() };
    if request.method == Method::Get {
        return page(200, &three_d_secure::page(task, &secret));
    }
    let outcome = if request.params.text("outcome") == Some("succeeded") { "succeeded" } else { "failed" };
    let path = format!("/_twin/{}/{id}/finish", task.collection);
    let params = [("outcome", outcome), ("client_secret", &secret)].into_iter().collect();
    let finish = Request { path, params, key: Some("pk_test_page".to_owned()), ..request };
    let (response, events) = inner.twin.handle(&finish, now);
    inner.changed = true;
    shared.send(&mut inner, events, &[]);
    if response.status != 200 {
        return ended();
    }
    match three_d_secure::back(task, &secret, Some(outcome)) {
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
