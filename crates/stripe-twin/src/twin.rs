//! Requests to the twin: an answer and events follow from a request, a time and the state, the same every time.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::reduce;
use crate::body::Body;
use crate::error::Refusal;
use crate::objects::{API_VERSION, Event, Intent};
use crate::request::{Method, Request, Response};
use crate::state::{AUTHORIZATION_SECONDS, Cause, SavedAnswer, Twin};

/// Time for which an answer is saved under its idempotency key, in seconds: 24 hours.
const KEY_SECONDS: i64 = 24 * 3600;
/// Largest length of an idempotency key, in characters ("Idempotent requests").
const KEY_CHARS_MAX: usize = 255;
/// Oldest version that a request may name: since it, an intent has `latest_charge` in place of `charges`.
const OLDEST_VERSION: &str = "2022-11-15";

impl Twin {
    /// Handles a request received at `now` (seconds since 1970); returns the answer and the events that it caused, in
    /// order.
    pub fn handle(&mut self, request: &Request, now: i64) -> (Response, Vec<Event>) {
        self.handle_with(request, now, None)
    }

    /// Handles a request as [`Self::handle`], but answers the error status `fails`, if given, after the request was
    /// performed. A server error is saved under the idempotency key, so that a retry gets it too.
    pub fn handle_with(&mut self, request: &Request, now: i64, fails: Option<u16>) -> (Response, Vec<Event>) {
        let before = self.next_event();
        let response = self.apply(request, now, fails);
        (response, self.events_from(before).cloned().collect())
    }

    /// Handles a request as [`Self::handle_with`], but leaves the events that it caused at the end of [`Self::events`].
    pub fn apply(&mut self, request: &Request, now: i64, fails: Option<u16>) -> Response {
        let id = self.draw("req_");
        self.cause = Cause::default();
        self.pass_time(now);
        self.cause = Cause {
            request: Some(id.clone()),
            idempotency_key: request.idempotency_key.clone(),
            host: request.host.clone(),
            at: now,
        };
        let mut response = self.answer(request, &id, now, fails);
        response.headers.push(("Request-Id", id));
        response
    }

    fn answer(&mut self, request: &Request, id: &str, now: i64, fails: Option<u16>) -> Response {
        if let Err(refusal) = self.authenticate(request, now).and_then(|()| check_headers(request)) {
            return refuse(&refusal);
        }
        if let Some((key, saved)) = request.effective_key().and_then(|key| Some((key, self.answers.get(key)?))) {
            if saved.path != request.path || saved.fingerprint != request.params.fingerprint() {
                return refuse(&Refusal::other_parameters(key));
            }
            let headers = vec![("Idempotent-Replayed", "true".to_owned()), ("Original-Request", saved.request.clone())];
            return Response { status: saved.status, headers, body: Arc::clone(&saved.body) };
        }
        let performed = self.perform(request, now);
        let (mut response, mut is_saved) = match performed {
            Ok(body) => (Response { status: 200, headers: Vec::new(), body: Arc::new(body) }, true),
            Err(refusal) => (refuse(&refusal), refusal.saved),
        };
        if request.has_publishable_key() {
            let mut json = Value::clone(&response.body);
            reduce(&mut json);
            response.body = Arc::new(Body::from(json));
        }
        if let Some(status) = fails {
            let refusal = Refusal::server(status);
            is_saved = refusal.saved;
            response = refuse(&refusal);
        }
        if is_saved {
            self.save_answer(request, &response, id, now);
        }
        if request.method == Method::Post {
            response.headers.push(("Original-Request", id.to_owned()));
            response.headers.push(("Stripe-Should-Retry", "false".to_owned()));
        }
        response
    }

    /// Answers an error status without performing the request; a server error is saved under the idempotency key.
    /// Events of authorizations that have expired by `now` are at the end of [`Self::events`].
    pub fn fail_before(&mut self, request: &Request, now: i64, status: u16) -> Response {
        let refusal = Refusal::server(status);
        let id = self.draw("req_");
        self.cause = Cause::default();
        self.pass_time(now);
        let mut response = refuse(&refusal);
        if refusal.saved {
            self.save_answer(request, &response, &id, now);
        }
        response.headers.push(("Request-Id", id));
        response
    }

    /// Saves an answer under the request's idempotency key, unless one is already saved.
    fn save_answer(&mut self, request: &Request, response: &Response, id: &str, now: i64) {
        let Some(key) = request.effective_key() else { return };
        if self.answers.get(key).is_none() {
            self.answers.insert(SavedAnswer {
                key: key.to_owned(),
                path: request.path.clone(),
                fingerprint: request.params.fingerprint(),
                status: response.status,
                body: Arc::clone(&response.body),
                request: id.to_owned(),
                at: now,
            });
        }
        self.check_at(now + KEY_SECONDS);
    }

    /// Performs what Stripe does by itself until `now`, in seconds since 1970. Its events are at the end of
    /// [`Self::events`].
    pub fn advance(&mut self, now: i64) {
        self.cause = Cause::default();
        self.pass_time(now);
    }

    /// Expires idempotency keys and authorizations, and makes payouts, as Stripe does by itself.
    pub(crate) fn pass_time(&mut self, now: i64) {
        if now < self.quiet_until {
            return;
        }
        while self.answers.iter().next().is_some_and(|oldest| now - oldest.at >= KEY_SECONDS) {
            self.answers.remove_oldest();
        }
        while self.ephemeral_keys.iter().next().is_some_and(|oldest| now >= oldest.expires + KEY_SECONDS) {
            self.ephemeral_keys.remove_oldest();
        }
        let is_expired = |it: &&Intent| {
            it.status == "requires_capture" && it.authorized_at.is_some_and(|at| now - at >= AUTHORIZATION_SECONDS)
        };
        let expired: Vec<String> = self.intents.iter().filter(is_expired).map(|it| it.id.clone()).collect();
        for id in expired {
            self.lapse(&id, now);
        }
        let payouts = self.pass_payouts(now);
        let key = self.answers.iter().next().map(|it| it.at + KEY_SECONDS);
        let authorized = self.intents.iter().filter(|it| it.status == "requires_capture");
        let authorizations = authorized.filter_map(|it| it.authorized_at).map(|at| at + AUTHORIZATION_SECONDS);
        self.quiet_until = key.into_iter().chain(authorizations).chain(payouts).min().unwrap_or(i64::MAX);
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let body = Arc::new(Body::from(json!({ "error": refusal.to_json() })));
    Response { status: refusal.status, headers: Vec::new(), body }
}

/// Refuses the headers of Connect, keys that are too long, and versions whose shapes differ from those of the twin.
fn check_headers(request: &Request) -> Result<(), Refusal> {
    if let Some(account) = &request.account {
        let message = format!(
            "The provided key does not have access to account '{account}' (or that account does not exist). The twin \
             models no connected accounts: send no Stripe-Account header."
        );
        return Err(Refusal { status: 403, ..Refusal::parameter_less("account_invalid", message) });
    }
    if request.effective_key().is_some_and(|it| it.chars().count() > KEY_CHARS_MAX) {
        let message = format!("Idempotency keys can be up to {KEY_CHARS_MAX} characters");
        return Err(Refusal {
            kind: "idempotency_error",
            ..Refusal::parameter_less("idempotency_key_invalid", message)
        });
    }
    let Some(version) = &request.version else { return Ok(()) };
    let date = version.split(['.', ';']).next().unwrap_or_default().trim();
    let is_date = date.len() == 10
        && date.bytes().enumerate().all(|(at, it)| if at == 4 || at == 7 { it == b'-' } else { it.is_ascii_digit() });
    if !is_date {
        let message = format!("Invalid Stripe API version: {version}");
        return Err(Refusal::parameter_less("api_version_invalid", message));
    }
    // The version of an ephemeral key is that of a mobile SDK, to which the key's answers go.
    if date < OLDEST_VERSION && request.path != "/v1/ephemeral_keys" {
        let message = format!(
            "The twin answers in the shapes of version {API_VERSION}. Those of {version} differ too much: the oldest \
             version that it accepts is {OLDEST_VERSION}."
        );
        return Err(Refusal::parameter_less("api_version_not_modelled", message));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::params::Params;

    pub(crate) const NOW: i64 = 1_743_415_050;

    pub(crate) fn request(method: Method, path: &str, form: &str) -> Request {
        Request {
            method,
            path: path.into(),
            params: Params::parse(form.as_bytes()),
            key: Some("sk_test_x".into()),
            idempotency_key: None,
            version: None,
            account: None,
            host: None,
        }
    }

    /// Sends a form. A confirmation by a server needs a `return_url`, which this adds.
    pub(crate) fn post(twin: &mut Twin, path: &str, form: &str) -> Response {
        let confirms = path.ends_with("/confirm") || form.to_lowercase().contains("confirm=true");
        let more = if confirms && !form.contains("return_url") { "&return_url=https://shop.example/" } else { "" };
        twin.handle(&request(Method::Post, path, &format!("{form}{more}")), NOW).0
    }

    #[test]
    fn a_list_is_paged_backwards_and_forwards() {
        let mut twin = Twin::default();
        for amount in 500..507 {
            post(&mut twin, "/v1/payment_intents", &format!("amount={amount}&currency=usd"));
        }
        let list = |twin: &mut Twin, more: &str| {
            let path = request(Method::Get, "/v1/events", &format!("limit=3{more}"));
            let body = twin.handle(&path, NOW).0.body;
            let ids: Vec<_> = body["data"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
            (ids, body["has_more"] == true)
        };
        let all: Vec<_> = twin.events().rev().map(|it| json!(it.id)).collect();
        let (newest, more) = list(&mut twin, "");
        assert_eq!((newest.as_slice(), more), (&all[..3], true));
        let after = format!("&starting_after={}", all[2].as_str().unwrap());
        assert_eq!(list(&mut twin, &after), (all[3..6].to_vec(), true));
        let oldest = format!("&ending_before={}", all[6].as_str().unwrap());
        assert_eq!(list(&mut twin, &oldest), (all[3..6].to_vec(), true), "the three events directly newer");
        let newer = format!("&ending_before={}", all[3].as_str().unwrap());
        assert_eq!(list(&mut twin, &newer), (all[..3].to_vec(), false));
        let unknown = twin.handle(&request(Method::Get, "/v1/events", "ending_before=evt_x"), NOW).0;
        assert_eq!(unknown.body["error"]["code"], "resource_missing");
    }

    #[test]
    fn an_idempotency_key_replays_its_answer_until_it_expires() {
        let mut twin = Twin::default();
        let keyed = Request {
            idempotency_key: Some("k".into()),
            ..request(Method::Post, "/v1/payment_intents", "amount=500&currency=usd")
        };
        let (first, events) = twin.handle(&keyed, NOW);
        assert_eq!((first.status, events.len()), (200, 1));
        let (again, events) = twin.handle(&keyed, NOW + KEY_SECONDS - 1);
        assert_eq!((&again.body, events.len()), (&first.body, 0));
        assert!(again.headers.contains(&("Idempotent-Replayed", "true".into())));

        let other = Request { params: Params::parse(b"amount=501&currency=usd"), ..keyed.clone() };
        let (refused, _) = twin.handle(&other, NOW);
        assert_eq!((refused.status, &refused.body["error"]["type"]), (400, &json!("idempotency_error")));
        let elsewhere = Request { path: "/v1/customers".into(), params: Params::default(), ..keyed.clone() };
        assert_eq!(twin.handle(&elsewhere, NOW).0.status, 400);

        let (fresh, _) = twin.handle(&keyed, NOW + KEY_SECONDS);
        assert_ne!(fresh.body["id"], first.body["id"], "an expired key makes another intent");
    }

    #[test]
    fn a_refusal_before_the_work_began_is_not_saved_under_the_key() {
        let mut twin = Twin::default();
        let wrong = Request {
            idempotency_key: Some("k".into()),
            ..request(Method::Post, "/v1/payment_intents", "amount=500&currency=usd&color=red")
        };
        assert_eq!(twin.handle(&wrong, NOW).0.body["error"]["code"], "parameter_unknown");
        let right = Request { params: Params::parse(b"amount=500&currency=usd"), ..wrong };
        assert_eq!(twin.handle(&right, NOW).0.status, 200);
    }

    #[test]
    fn a_server_error_is_saved_under_the_key() {
        let mut twin = Twin::default();
        let keyed = |key: &str| Request {
            idempotency_key: Some(key.into()),
            ..request(Method::Post, "/v1/payment_intents", "amount=500&currency=usd")
        };
        let (failed, _) = twin.handle_with(&keyed("a"), NOW, Some(500));
        assert_eq!((failed.status, twin.intents.len()), (500, 1), "the request was performed before the error");
        assert_eq!(twin.handle(&keyed("a"), NOW).0.status, 500, "a retry gets the saved error");
        assert_eq!(twin.fail_before(&keyed("b"), NOW, 500).status, 500);
        assert_eq!(twin.handle(&keyed("b"), NOW).0.status, 500);
        assert_eq!(twin.intents.len(), 1);
        assert_eq!(twin.fail_before(&keyed("c"), NOW, 429).status, 429);
        assert_eq!(twin.handle(&keyed("c"), NOW).0.status, 200, "a 429 is not saved under the key");
    }

    #[test]
    fn a_request_needs_a_test_mode_api_key() {
        let mut twin = Twin::default();
        for key in [None, Some("sk_live_x"), Some("pk_test_x"), Some("")] {
            let mut sent = request(Method::Post, "/v1/customers", "");
            sent.key = key.map(str::to_owned);
            assert_eq!(twin.handle(&sent, NOW).0.status, 401, "{key:?}");
        }
    }

    #[test]
    fn the_same_requests_give_the_same_state_and_answers() {
        let run = || {
            let mut twin = Twin::default();
            let intent = post(&mut twin, "/v1/payment_intents", "amount=500&currency=usd");
            let id = intent.body["id"].as_str().unwrap().to_owned();
            let paid = post(&mut twin, &format!("/v1/payment_intents/{id}/confirm"), "payment_method=pm_card_visa");
            (twin, paid)
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn a_list_is_read_completely_page_by_page() {
        let mut twin = Twin::default();
        for amount in 100..125 {
            post(&mut twin, "/v1/payment_intents", &format!("amount={amount}&currency=usd"));
        }
        let mut seen = Vec::new();
        let mut form = "limit=10".to_owned();
        loop {
            let list = twin.handle(&request(Method::Get, "/v1/events", &form), NOW).0.body;
            let data = list["data"].as_array().unwrap().clone();
            seen.extend(data.iter().map(|it| it["data"]["object"]["amount"].as_i64().unwrap()));
            if list["has_more"] == false {
                break;
            }
            form = format!("limit=10&starting_after={}", data.last().unwrap()["id"].as_str().unwrap());
        }
        assert_eq!(seen, (100..125).rev().collect::<Vec<_>>());
        assert_eq!(twin.handle(&request(Method::Get, "/v1/events", "limit=101"), NOW).0.status, 400);
    }

    /// Found by the simulator: the error was not saved while an expired answer was still stored under the key.
    #[test]
    fn a_failure_is_saved_again_after_its_key_expired() {
        let mut twin = Twin::default();
        let keyed = Request {
            idempotency_key: Some("k".into()),
            ..request(Method::Post, "/v1/payment_intents", "amount=500&currency=usd")
        };
        twin.fail_before(&keyed, NOW, 500);
        twin.fail_before(&keyed, NOW + KEY_SECONDS, 500);
        assert_eq!(twin.handle(&keyed, NOW + KEY_SECONDS + 1).0.status, 500);
    }
}
