//! A customer of a shop of several processes, with retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::Value;

use crate::program::{Answer, TIMEOUT, answer, two_lines};
use crate::served::Served;

/// A customer who knows several addresses of the shop and retries when one does not answer.
pub(crate) struct Customer {
    pub(crate) http: Client,
    pub(crate) apis: Vec<String>,
    pub(crate) twin: String,
    pub(crate) key: String,
    pub(crate) token: String,
    pub(crate) seen: Arc<Seen>,
}

/// Counts of all customers' requests.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) answers: AtomicUsize,
    pub(crate) unanswered: AtomicUsize,
    pub(crate) retried_later: AtomicUsize,
    pub(crate) paid: AtomicUsize,
}

impl Customer {
    /// Sends a request to one process after the other until one gives a definite answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Answer {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < TIMEOUT * 2, "{path}: no answer");
            let Some(got) = self.ask_once(method.clone(), path, body, key).await else {
                self.seen.unanswered.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            if got.status == 503 || got.code() == "busy" {
                self.seen.retried_later.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            assert_ne!(got.status, 500, "{path}: {got:?}");
            self.seen.answers.fetch_add(1, Ordering::SeqCst);
            return got;
        }
    }

    /// Sends a request to one of the processes; `None` if no complete answer came.
    pub(crate) async fn ask_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Option<Answer> {
        let api = &self.apis[fastrand::usize(..self.apis.len())];
        let mut request = self.http.request(method, format!("{api}{path}"));
        request = request.header("x-api-key", &self.key).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let body = serde_json::from_str(&response.text().await.ok()?).ok()?;
        Some(Answer { status, replayed: false, body })
    }

    pub(crate) async fn place(&self, key: &str) -> String {
        self.place_this(key, &two_lines()).await
    }

    pub(crate) async fn place_this(&self, key: &str, order: &Value) -> String {
        let placed = self.ask(Method::POST, "/orders", Some(order), Some(key)).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        placed.body["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates or reads the intent of an order; `None` if the order is paid already.
    pub(crate) async fn intent(&self, order: &str) -> Option<String> {
        let made = self.ask(Method::POST, &format!("/orders/{order}/payment-intent"), None, None).await;
        match (made.status, made.code()) {
            (200, _) => Some(made.body["data"]["id"].as_str().unwrap().to_owned()),
            (409, "order_paid") => None,
            _ => panic!("{made:?}"),
        }
    }

    pub(crate) async fn confirm(&self, intent: &str, card: &str) {
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.twin);
        // Another client may have paid it.
        answer(self.http.post(url).bearer_auth("sk_test_twin").body(confirmation(card))).await;
    }

    /// Calls Stripe until it answers.
    pub(crate) async fn stripe(&self, method: Method, path: &str, form: &str) -> Value {
        loop {
            let request = self.http.request(method.clone(), format!("{}{path}", self.twin)).bearer_auth("sk_test_twin");
            let sent = request.timeout(Duration::from_secs(3)).body(form.to_owned()).send().await;
            let text = match sent {
                Ok(response) if response.status().as_u16() < 500 && response.status() != 429 => {
                    response.text().await.ok()
                }
                Ok(_) | Err(_) => None,
            };
            if let Some(body) = text.and_then(|it| serde_json::from_str(&it).ok()) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Confirms an intent until Stripe says that it cannot be paid any more.
    pub(crate) async fn pay(&self, intent: &str, card: &str) {
        loop {
            let path = format!("/v1/payment_intents/{intent}");
            self.stripe(Method::POST, &format!("{path}/confirm"), &confirmation(card)).await;
            let now = self.stripe(Method::GET, &path, "").await;
            if ["succeeded", "canceled", "requires_capture"].contains(&now["status"].as_str().unwrap_or_default()) {
                return;
            }
        }
    }
}

pub(crate) fn customer(served: &Served, seen: &Arc<Seen>) -> Customer {
    Customer {
        http: served.http.clone(),
        apis: served.replicas.iter().map(|it| it.1.clone()).collect(),
        twin: served.twin_url.clone(),
        key: served.key.clone(),
        token: served.token.clone(),
        seen: Arc::clone(seen),
    }
}

/// Form of a confirmation with a test card.
fn confirmation(card: &str) -> String {
    format!("payment_method={card}&return_url=https://shop.example/")
}
