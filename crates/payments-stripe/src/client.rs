use std::sync::Arc;
use std::time::Duration;

use paywright_app::WorkId;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::API_VERSION;
use crate::error::{ApiError, ErrorEnvelope, NoAnswer, NotSent, StripeError};
use crate::limiter::{Caller, Limiter, Pace};
use crate::requests::{Get, Post};
use crate::stripe_time::StripeTime;

/// Where and how Stripe is reached.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `https://api.stripe.com`, or where a stand-in listens. Without a slash at the end.
    pub base_url: String,
    /// `sk_…` or `rk_…`. Not shown by `Debug`.
    pub secret_key: SecretString,
    /// How long one attempt may take, its connection included.
    pub attempt_timeout: Duration,
    /// How long all attempts together may take; none begins after it.
    pub deadline: Duration,
    /// How many attempts at most.
    pub attempts_max: u32,
    /// The wait before the second attempt; it doubles up to 5 seconds, and a random part of it is taken.
    pub backoff: Duration,
    /// How fast requests are sent.
    pub pace: Pace,
}

impl ClientSettings {
    /// Stripe itself, with the patience that its own libraries have.
    pub fn new(secret_key: SecretString) -> Self {
        Self {
            base_url: "https://api.stripe.com".into(),
            secret_key,
            attempt_timeout: Duration::from_secs(25),
            deadline: Duration::from_secs(60),
            attempts_max: 3,
            backoff: Duration::from_millis(500),
            pace: Pace::default(),
        }
    }
}

/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long an answer may take before it is logged as slow, all attempts included.
const SLOW: Duration = Duration::from_secs(5);
/// This program in the `User-Agent` of its requests.
const AGENT: &str = concat!("Paywright/", env!("CARGO_PKG_VERSION"));
/// Stripe's limit of an idempotency key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// Why there is no client.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The key cannot be a header's value.
    #[error("the Stripe key contains characters that no key has")]
    BadKey,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

/// Sends requests to Stripe.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: ClientSettings,
    limiter: Arc<Limiter>,
    caller: Caller,
    pub(crate) stripe_time: Arc<StripeTime>,
}

/// An answer, with what is said about it.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// What was answered.
    pub value: T,
    /// Stripe's name for the request, for its support and its dashboard.
    pub request_id: Option<String>,
    /// Whether it is the saved answer of an earlier request with the same key: how things stood then.
    pub replayed: bool,
}

/// What one attempt came to.
enum Attempt<T> {
    Answer(T),
    /// A definite no.
    Refusal(ApiError),
    /// Not sent, or not known; may be repeated with the same key.
    Again(Lost),
    /// Stripe failed, and a repeat would be told the same.
    KeyExhausted(ApiError),
}

enum Lost {
    NoConnection(reqwest::Error),
    /// A definite no that passes: the object is locked, or the first request with this key is still running.
    Busy(ApiError),
    Unknown(NoAnswer),
}

impl Client {
    /// Makes a client with its own pool of connections.
    pub fn new(settings: ClientSettings) -> Result<Self, BuildError> {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", settings.secret_key.expose_secret());
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| BuildError::BadKey)?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
        let mut http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.attempt_timeout);
        if settings.base_url.starts_with("http://") {
            // A stand-in on this machine or network: a proxy for the way out could not reach it.
            http = http.no_proxy();
        }
        let http = http.build()?;
        let limiter = Arc::new(Limiter::new(settings.pace));
        Ok(Self { http, settings, limiter, caller: Caller::Application, stripe_time: Arc::default() })
    }

    /// The same client for committed tasks, which nobody waits for.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { caller: Caller::Worker, ..self.clone() }
    }

    /// The same client for shoppers, who have a share of the rate that leaves others theirs.
    #[must_use]
    pub fn for_shoppers(&self) -> Self {
        Self { caller: Caller::Shopper, ..self.clone() }
    }

    /// Sends a request that changes something. Every attempt carries the same `key`, so that it is done at
    /// most once however often it is sent; dropping the future is an unknown outcome.
    pub async fn post<R: Post>(&self, request: &R, key: &str) -> Result<Answer<R::Reply>, StripeError> {
        let printable = key.bytes().all(|it| it.is_ascii_graphic() || it == b' ');
        if key.is_empty() || key.len() > KEY_CHARS_MAX || !printable {
            return Err(StripeError::NotSent(NotSent::BadKey));
        }
        let path = request.path();
        let url = format!("{}{path}", self.settings.base_url);
        let form = encode(request)?;
        self.send(&Call::new("POST", &path), || {
            let mut builder = self
                .http
                .request(Method::POST, &url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("idempotency-key", key)
                .body(form.clone());
            if let Some(version) = request.api_version() {
                builder = builder.header("stripe-version", version);
            }
            builder
        })
        .await
    }

    /// Sends a request that reads.
    pub async fn get<R: Get>(&self, request: &R) -> Result<Answer<R::Reply>, StripeError> {
        let query = encode(request)?;
        let mark = if query.is_empty() { "" } else { "?" };
        let path = request.path();
        let url = format!("{}{path}{mark}{query}", self.settings.base_url);
        let read = self.send(&Call::new("GET", &path), || self.http.request(Method::GET, &url)).await;
        // A question has no key to be remembered by: it may be asked again as if it were new.
        read.map_err(|error| match error {
            StripeError::KeyExhausted(error) => {
                StripeError::Unknown { call: error.call.clone(), attempts: 1, cause: NoAnswer::Server(error) }
            }
            error @ (StripeError::Api(_) | StripeError::Unknown { .. } | StripeError::NotSent(_)) => error,
        })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Answer<T>, StripeError> {
        let begun = tokio::time::Instant::now();
        let agent = agent_for(WorkId::current().as_ref());
        let sent = self.send_until_answered(call, || request().header(USER_AGENT, agent.clone())).await;
        call.log(begun.elapsed(), &sent);
        sent
    }

    async fn send_until_answered<T: DeserializeOwned>(
        &self,
        call: &Call,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Answer<T>, StripeError> {
        let begun = tokio::time::Instant::now();
        let mut attempts = 1;
        // Once an attempt may have reached Stripe, no later one can make the outcome known by failing.
        let mut unknown: Option<NoAnswer> = None;
        loop {
            let leave = match self.limiter.wait(&call.endpoint, self.caller).await {
                Ok(leave) => leave,
                Err(queue) => {
                    return Err(match unknown {
                        Some(cause) => StripeError::Unknown { call: call.name(), attempts, cause },
                        None => StripeError::NotSent(NotSent::Queue { call: call.name(), queue }),
                    });
                }
            };
            let attempted = self.attempt(call, request()).await;
            drop(leave);
            let lost = match attempted {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Refusal(error) => {
                    if error.status == StatusCode::TOO_MANY_REQUESTS {
                        self.limiter.slow_down();
                    }
                    return Err(StripeError::Api(error));
                }
                Attempt::KeyExhausted(error) => return Err(StripeError::KeyExhausted(error)),
                Attempt::Again(lost) => lost,
            };
            let wait = self.wait_before(attempts);
            let may_retry = attempts < self.settings.attempts_max && begun.elapsed() + wait < self.settings.deadline;
            if !may_retry {
                return Err(match (lost, unknown) {
                    (Lost::Unknown(cause), _) | (Lost::NoConnection(_) | Lost::Busy(_), Some(cause)) => {
                        StripeError::Unknown { call: call.name(), attempts, cause }
                    }
                    (Lost::NoConnection(error), None) => {
                        StripeError::NotSent(NotSent::NoConnection { call: call.name(), error })
                    }
                    (Lost::Busy(error), None) => StripeError::Api(error),
                });
            }
            if let Lost::Unknown(cause) = lost {
                tracing::warn!(call = %call.name, attempts, %cause, "no answer from Stripe; sending the same request again");
                unknown = Some(cause);
            }
            tokio::time::sleep(wait).await;
            attempts += 1;
        }
    }

    /// Half to all of the doubled wait: full jitter with a floor, so that a retry is never immediate.
    fn wait_before(&self, attempts: u32) -> Duration {
        let doubled = self.settings.backoff.saturating_mul(1 << (attempts - 1).min(16)).min(BACKOFF_MAX);
        let half = u64::try_from(doubled.as_micros() / 2).unwrap_or(u64::MAX / 2);
        Duration::from_micros(half + fastrand::u64(0..=half))
    }

    async fn attempt<T: DeserializeOwned>(&self, call: &Call, request: reqwest::RequestBuilder) -> Attempt<Answer<T>> {
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Attempt::Again(Lost::NoConnection(error)),
            Err(error) => return Attempt::Again(Lost::Unknown(NoAnswer::Transport(error))),
        };
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        self.stripe_time.heard(header("date").as_deref());
        let should_retry = header("stripe-should-retry");
        let request_id = header("request-id");
        let replayed = header("idempotent-replayed").as_deref() == Some("true");
        if let Some(notice) = header("stripe-notice") {
            tracing::warn!(notice, "Stripe asks to be noticed");
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                    let reason = format!("more than {BODY_BYTES_MAX} bytes");
                    return Attempt::Again(Lost::Unknown(NoAnswer::Unreadable { status, reason }));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Attempt::Again(Lost::Unknown(NoAnswer::Transport(error))),
            }
        }
        if status.is_success() {
            return match serde_json::from_slice(&body) {
                Ok(value) => Attempt::Answer(Answer { value, request_id, replayed }),
                Err(error) => {
                    // Not the body itself: it holds secrets.
                    let reason = error.to_string();
                    Attempt::Again(Lost::Unknown(NoAnswer::Unreadable { status, reason }))
                }
            };
        }
        // A gateway in between may answer with HTML or nothing: then the status alone counts.
        let ErrorEnvelope { error: body } = serde_json::from_slice(&body).unwrap_or_default();
        let error = ApiError { call: call.name(), status, body, request_id };
        after_failure(error, should_retry.as_deref(), replayed)
    }
}

/// A call of Stripe's API.
struct Call {
    /// Method and path.
    name: String,
    /// What Stripe counts requests of: without the ids in the path.
    endpoint: String,
}

impl Call {
    fn new(method: &str, path: &str) -> Self {
        Self { name: format!("{method} {path}"), endpoint: endpoint(method, path) }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    /// Logs how the call ended: what fails or is slow to everybody, the rest for those who look into it. That another
    /// request with the same key is being answered is no failure.
    fn log<T>(&self, took: Duration, sent: &Result<Answer<T>, StripeError>) {
        let (call, ms) = (self.name.as_str(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        match sent {
            Ok(Answer { request_id, .. }) if took >= SLOW => {
                tracing::warn!(call, ms, stripe_request = request_id, "Stripe was slow");
            }
            Ok(Answer { request_id, replayed, .. }) => {
                tracing::debug!(call, ms, replayed, stripe_request = request_id, "Stripe answered");
            }
            Err(StripeError::Api(error)) if error.status == StatusCode::CONFLICT => {
                tracing::debug!(call, ms, stripe_request = error.request_id, "Stripe is still answering");
            }
            Err(StripeError::Api(error) | StripeError::KeyExhausted(error)) => {
                let ApiError { status, body, request_id, .. } = error;
                let (code, param, reason) = (&body.code, &body.param, &body.message);
                let (status, stripe_request) = (status.as_u16(), request_id);
                tracing::warn!(call, ms, status, code, param, stripe_request, reason, "Stripe refused a call");
            }
            Err(error @ (StripeError::Unknown { .. } | StripeError::NotSent(_))) => {
                tracing::warn!(call, ms, %error, "no answer from Stripe");
            }
        }
    }
}

/// The `User-Agent` of a request that is made for this work. Stripe shows it in its own log of requests, and compares
/// parameters alone under an idempotency key: other work may repeat a request.
fn agent_for(work: Option<&WorkId>) -> HeaderValue {
    let named = work.and_then(|it| HeaderValue::from_str(&format!("{AGENT} ({it})")).ok());
    named.unwrap_or(HeaderValue::from_static(AGENT))
}

/// The part of a path that Stripe counts requests of: without the ids in it.
fn endpoint(method: &str, path: &str) -> String {
    let mut parts = path.split('/').skip(2);
    let (object, verb) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{method} {object} {verb}")
}

/// Sorts a failure ("Error handling", "Idempotent requests"): `Stripe-Should-Retry` outranks the status on
/// whether to repeat; a server error leaves the outcome unknown, and for as long as the key is remembered where
/// Stripe says so or has begun to repeat it; a conflict or a lock passes; the rest is definite.
fn after_failure<T>(error: ApiError, should_retry: Option<&str>, replayed: bool) -> Attempt<T> {
    let is_lock = error.status == StatusCode::TOO_MANY_REQUESTS && error.body.code.as_deref() == Some("lock_timeout");
    if error.status.is_server_error() {
        // Stripe saves a 500 under its key and repeats it; still, what was done before it is not known.
        return if replayed || should_retry == Some("false") {
            Attempt::KeyExhausted(error)
        } else {
            Attempt::Again(Lost::Unknown(NoAnswer::Server(error)))
        };
    }
    if error.status.is_redirection() || error.status.is_informational() {
        let (status, reason) = (error.status, "not an answer of the API".into());
        return Attempt::Again(Lost::Unknown(NoAnswer::Unreadable { status, reason }));
    }
    let passes = match should_retry {
        Some("true") => true,
        Some("false") => false,
        _ => error.status == StatusCode::CONFLICT || error.status == StatusCode::FAILED_DEPENDENCY || is_lock,
    };
    if passes { Attempt::Again(Lost::Busy(error)) } else { Attempt::Refusal(error) }
}

/// Encodes a request as Stripe reads it: `metadata[order_id]=…&expand[0]=…`.
fn encode(request: &impl Serialize) -> Result<String, StripeError> {
    serde_qs::to_string(request).map_err(|error| StripeError::NotSent(NotSent::Form(error.to_string())))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
