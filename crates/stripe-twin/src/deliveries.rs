//! Webhook deliveries: events are sent to the endpoints that are registered for their type.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::objects::{Event, WebhookEndpoint};

/// Waits after each failed delivery; after the last one the delivery is given up. Stripe's waits add up to days.
const WAITS: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// Time in which an endpoint must answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `User-Agent` of Stripe's deliveries.
const USER_AGENT: &str = "Stripe/1.0 (+https://stripe.com/docs/webhooks)";
/// Most deliveries that are under way or wait for their next attempt; more are given up at once.
const WAITING_MAX: usize = 10_000;
/// Most deliveries that run at the same time.
const CONCURRENT_MAX: usize = 32;

#[expect(clippy::missing_panics_doc, reason = "HMAC takes a key of any length: it never panics")]
/// Computes the `Stripe-Signature` header of a body at a time: HMAC-SHA256 over `{timestamp}.{body}`.
pub fn sign(body: &[u8], secret: &str, timestamp: i64) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    format!("t={timestamp},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[derive(Debug, Clone)]
pub(crate) struct Deliveries {
    http: reqwest::Client,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    clock: fn() -> i64,
}

impl Deliveries {
    pub(crate) fn new(clock: fn() -> i64) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let (running, waiting) = (Semaphore::new(CONCURRENT_MAX), Semaphore::new(WAITING_MAX));
        Ok(Self { http, running: Arc::new(running), waiting: Arc::new(waiting), clock })
    }

    /// Delivers an event in the background, with retries until the endpoint answers 2xx, when `delivered` is
    /// called, or the delivery is given up. It is given up without a word if the endpoint is no longer `wanted` when an
    /// attempt is due ("Disable or delete an endpoint" of Stripe's documentation on webhooks).
    pub(crate) fn send(
        &self,
        endpoint: WebhookEndpoint,
        event: &Event,
        wanted: impl Fn() -> bool + Send + 'static,
        delivered: impl FnOnce() + Send + 'static,
    ) {
        let this = self.clone();
        let (id, kind, body) = (event.id.clone(), event.kind.clone(), event.to_json().to_string());
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::warn!(event = id, url = endpoint.url, "a webhook delivery was given up: too many are waiting");
            return;
        };
        tokio::spawn(async move {
            let _place = place;
            for wait in WAITS.into_iter().map(Some).chain([None]) {
                let problem = match this.attempt(&endpoint, &body).await {
                    Ok(status) if status.is_success() => return delivered(),
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                let Some(wait) = wait else {
                    tracing::warn!(
                        event = id,
                        event_type = kind,
                        url = endpoint.url,
                        problem,
                        "a webhook delivery was given up"
                    );
                    return;
                };
                tracing::info!(
                    event = id,
                    event_type = kind,
                    url = endpoint.url,
                    problem,
                    ?wait,
                    "a webhook delivery failed"
                );
                tokio::time::sleep(wait).await;
                if !wanted() {
                    return;
                }
            }
        });
    }

    async fn attempt(&self, endpoint: &WebhookEndpoint, body: &str) -> Result<reqwest::StatusCode, reqwest::Error> {
        let _permit = self.running.acquire().await;
        let signature = sign(body.as_bytes(), &endpoint.secret, (self.clock)());
        let request = self.http.post(&endpoint.url).header("content-type", "application/json; charset=utf-8");
        let response = request.header("stripe-signature", signature).body(body.to_owned()).send().await?;
        Ok(response.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_equals_that_of_stripes_official_libraries() {
        assert_eq!(
            sign(br#"{"id":"evt_1","object":"event"}"#, "whsec_test_secret", 1_492_774_577),
            "t=1492774577,v1=654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543"
        );
    }
}
