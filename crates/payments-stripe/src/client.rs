use std::sync::Arc;
use std::time::Duration;

use paywright_app::WorkId;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::call::Call;
use crate::error::{ApiError, ErrorEnvelope, NoAnswer, NotSent, StripeError, root_cause};
use crate::limiter::{Caller, Limiter, Pace, SendPermit};
use crate::requests::{Get, Post};
use crate::stripe_time::StripeTime;
use crate::traces::CallTrace;
use crate::{API_VERSION, json, metrics};

/// Settings of the Stripe client.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Base URL without a final slash: `https://api.stripe.com`, or the address of a Stripe twin.
    pub base_url: String,
    /// API key (`sk_…` or `rk_…`). `Debug` does not show it.
    pub secret_key: SecretString,
    /// Timeout of one attempt, including its connection.
    pub attempt_timeout: Duration,
    /// Time after the first attempt after which no other attempt begins.
    pub deadline: Duration,
    /// Longest time for which a customer waits for Stripe, over all requests that are sent for the customer's. The
    /// last attempt is ended then, and the worker repeats the request under its key.
    pub customer_deadline: Duration,
    /// Most attempts for one request.
    pub attempts_max: u32,
    /// Wait before the second attempt. It doubles for each further one, up to 5 seconds; half to all of it is waited.
    pub backoff: Duration,
    /// Limits of the request rate.
    pub pace: Pace,
}

impl ClientSettings {
    /// Settings for Stripe itself, with timeouts and retries like those of its own libraries.
    pub fn new(secret_key: SecretString) -> Self {
        Self {
            base_url: "https://api.stripe.com".into(),
            secret_key,
            attempt_timeout: Duration::from_secs(25),
            deadline: Duration::from_secs(60),
            customer_deadline: Duration::from_secs(20),
            attempts_max: 3,
            backoff: Duration::from_millis(500),
            pace: Pace::default(),
        }
    }

    /// Whether the API key is of live mode.
    pub fn livemode(&self) -> bool {
        ["sk_live_", "rk_live_"].iter().any(|it| self.secret_key.expose_secret().starts_with(it))
    }
}

/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Timeout of making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Name and version of this program in the `User-Agent` header.
const AGENT: &str = concat!("Paywright/", env!("CARGO_PKG_VERSION"));
/// Stripe's limit of an idempotency key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The API key contains characters that a header value cannot have.
    #[error("the Stripe API key contains invalid characters")]
    BadKey,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be made: {}", root_cause(.0))]
    Http(#[from] reqwest::Error),
}

/// Sends requests to Stripe.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: ClientSettings,
    /// Host of the base URL, for errors.
    host: String,
    limiter: Arc<Limiter>,
    caller: Caller,
    pub(crate) stripe_time: Arc<StripeTime>,
}

/// A successful answer, with information from its headers.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// Object that Stripe answered.
    pub value: T,
    /// Stripe's id of the request (`req_…`), for its support and its dashboard.
    pub request_id: Option<String>,
    /// Whether Stripe replayed the saved answer of an earlier request with the same key, which may be out of date.
    pub replayed: bool,
}

/// Outcome of one attempt.
enum Attempt<T> {
    Answer(T),
    /// Stripe refused the request definitely.
    Refusal(ApiError),
    /// The request may be repeated under the same key.
    Retry(RetryReason),
    /// Stripe failed, and repeats that answer under the same key.
    KeyExhausted(ApiError),
}

/// Why an attempt may be repeated.
enum RetryReason {
    /// No connection was made, so nothing was sent.
    NoConnection(reqwest::Error),
    /// A temporary refusal: the object is locked, or the first request with this key is still running.
    Busy(ApiError),
    /// The request may have reached Stripe, and has no readable answer.
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
            // A Stripe twin on this machine or network, which an outgoing proxy could not reach.
            http = http.no_proxy();
        }
        let http = http.build()?;
        let limiter = Arc::new(Limiter::new(settings.pace));
        let host = host_of(&settings.base_url);
        Ok(Self { http, settings, host, limiter, caller: Caller::Application, stripe_time: Arc::default() })
    }

    /// The same client for the worker, whose requests may wait longer for the rate limiter.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { caller: Caller::Worker, ..self.clone() }
    }

    /// The same client for the books, whose requests are sent only while the others leave most of the rate unused.
    #[must_use]
    pub fn for_books(&self) -> Self {
        Self { caller: Caller::Books, ..self.clone() }
    }

    /// The same client for shoppers, whose requests are limited to their share of Stripe's rate.
    #[must_use]
    pub fn for_shoppers(&self) -> Self {
        Self { caller: Caller::Shopper, ..self.clone() }
    }

    /// Sends a `POST` request. Every attempt carries the same idempotency `key`, so that Stripe performs the request at
    /// most once. Dropping the future leaves the outcome unknown.
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

    /// Sends a `GET` request.
    pub async fn get<R: Get>(&self, request: &R) -> Result<Answer<R::Reply>, StripeError> {
        let query = encode(request)?;
        let separator = if query.is_empty() { "" } else { "?" };
        let path = request.path();
        let url = format!("{}{path}{separator}{query}", self.settings.base_url);
        let read = self.send(&Call::new("GET", &path), || self.http.request(Method::GET, &url)).await;
        // A read has no idempotency key that could be exhausted: it may be sent again as a new request.
        read.map_err(|error| match error {
            StripeError::KeyExhausted(error) => {
                StripeError::Unknown { call: error.call.clone(), attempts: 1, cause: NoAnswer::Server(error) }
            }
            error @ (StripeError::Api(_) | StripeError::Unknown { .. } | StripeError::NotSent(_)) => error,
        })
    }

    /// Sends a `DELETE` request. It has no idempotency key: a repeat finds the object missing (404).
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, StripeError> {
        let url = format!("{}{path}", self.settings.base_url);
        self.send(&Call::new("DELETE", path), || self.http.request(Method::DELETE, &url)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Answer<T>, StripeError> {
        let begun = Instant::now();
        let agent = agent_for(WorkId::current().as_ref());
        let mut trace = CallTrace::begin(call);
        let sent = self.send_until_answered(call, &mut trace, || request().header(USER_AGENT, agent.clone())).await;
        trace.end(&sent);
        let took = begun.elapsed();
        call.log(&self.host, took, &sent);
        metrics::call(&call.endpoint, took, &sent);
        sent
    }

    async fn send_until_answered<T: DeserializeOwned>(
        &self,
        call: &Call,
        trace: &mut CallTrace,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Answer<T>, StripeError> {
        let begun = Instant::now();
        let customer = self.customer_deadline(begun);
        let mut attempts = 1;
        // Once an attempt may have reached Stripe, a later failure leaves the outcome unknown.
        let mut unknown: Option<NoAnswer> = None;
        loop {
            let (permit, timeout) = match self.turn(call, customer).await {
                Ok(turn) => turn,
                Err(not_sent) => {
                    return Err(match unknown {
                        Some(cause) => StripeError::Unknown { call: call.name(), attempts, cause },
                        None => StripeError::NotSent(not_sent),
                    });
                }
            };
            let attempted = self.attempt(call, trace, request().timeout(timeout)).await;
            drop(permit);
            let reason = match attempted {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Refusal(error) => {
                    if error.status == StatusCode::TOO_MANY_REQUESTS {
                        self.limiter.slow_down();
                    }
                    return Err(StripeError::Api(error));
                }
                Attempt::KeyExhausted(error) => return Err(StripeError::KeyExhausted(error)),
                Attempt::Retry(reason) => reason,
            };
            let wait = self.wait_before(attempts);
            let is_in_time = begun.elapsed() + wait < self.settings.deadline
                && customer.is_none_or(|deadline| Instant::now() + wait < deadline);
            let may_retry = attempts < self.settings.attempts_max && is_in_time;
            if !may_retry {
                return Err(match (reason, unknown) {
                    (RetryReason::Unknown(cause), _)
                    | (RetryReason::NoConnection(_) | RetryReason::Busy(_), Some(cause)) => {
                        StripeError::Unknown { call: call.name(), attempts, cause }
                    }
                    (RetryReason::NoConnection(error), None) => StripeError::NotSent(NotSent::NoConnection {
                        call: call.name(),
                        host: self.host.clone(),
                        error,
                    }),
                    (RetryReason::Busy(error), None) => StripeError::Api(error),
                });
            }
            if let RetryReason::Unknown(cause) = reason {
                tracing::warn!(call = %call.name, attempts, %cause, "no answer from Stripe; sending the same request again");
                unknown = Some(cause);
            }
            tokio::time::sleep(wait).await;
            attempts += 1;
        }
    }

    /// Time by which a customer's request must be answered; `None` for other work, for which nobody waits. A request to
    /// Stripe that belongs to no HTTP request counts from its own beginning, `begun`.
    fn customer_deadline(&self, begun: Instant) -> Option<Instant> {
        let since = match (WorkId::requested_at(), self.caller) {
            (Some(requested_at), _) => Instant::from_std(requested_at),
            (None, Caller::Application | Caller::Shopper) => begun,
            (None, Caller::Worker | Caller::Books) => return None,
        };
        Some(since + self.settings.customer_deadline)
    }

    /// Waits until the rate limiter lets an attempt begin, and returns the attempt's timeout too: at most the time that
    /// is left to the customer.
    async fn turn(&self, call: &Call, customer: Option<Instant>) -> Result<(SendPermit, Duration), NotSent> {
        let out_of_time = || NotSent::OutOfTime { call: call.name() };
        let begun = Instant::now();
        let turn = self.limiter.wait(&call.endpoint, self.caller);
        let permit = match customer {
            Some(deadline) => timeout_at(deadline, turn).await.map_err(|_| out_of_time())?,
            None => turn.await,
        };
        metrics::waited(begun.elapsed());
        let permit = permit.map_err(|queue| NotSent::Queue { call: call.name(), queue })?;
        let left = customer.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(self.settings.attempt_timeout, |it| it.min(self.settings.attempt_timeout));
        if timeout.is_zero() { Err(out_of_time()) } else { Ok((permit, timeout)) }
    }

    /// Random wait between half and all of the doubled backoff, so that a retry is never immediate.
    fn wait_before(&self, attempts: u32) -> Duration {
        let doubled = self.settings.backoff.saturating_mul(1 << (attempts - 1).min(16)).min(BACKOFF_MAX);
        let half = u64::try_from(doubled.as_micros() / 2).unwrap_or(u64::MAX / 2);
        Duration::from_micros(half + fastrand::u64(0..=half))
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        call: &Call,
        trace: &mut CallTrace,
        request: reqwest::RequestBuilder,
    ) -> Attempt<Answer<T>> {
        trace.attempted();
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Attempt::Retry(RetryReason::NoConnection(error)),
            Err(error) => return Attempt::unknown(NoAnswer::Transport(error)),
        };
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        self.stripe_time.record(header("date").as_deref());
        let should_retry = header("stripe-should-retry");
        let request_id = header("request-id");
        trace.answered(status, request_id.as_deref());
        let replayed = header("idempotent-replayed").as_deref() == Some("true");
        if let Some(notice) = header("stripe-notice") {
            tracing::warn!(notice, "Stripe sent a Stripe-Notice header");
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                    let reason = format!("more than {BODY_BYTES_MAX} bytes");
                    return Attempt::unknown(NoAnswer::Unreadable { status, reason });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Attempt::unknown(NoAnswer::Transport(error)),
            }
        }
        if status.is_success() {
            return match json::read(&body) {
                Ok(value) => Attempt::Answer(Answer { value, request_id, replayed }),
                Err(error) => {
                    // The body itself is not logged: it holds secrets.
                    let reason = error.to_string();
                    Attempt::unknown(NoAnswer::Unreadable { status, reason })
                }
            };
        }
        // A proxy may answer HTML or an empty body: then only the status counts.
        let ErrorEnvelope { error: body } = json::read(&body).unwrap_or_default();
        let error = ApiError { call: call.name(), status, body, request_id };
        after_failure(error, should_retry.as_deref(), replayed)
    }
}

impl<T> Attempt<T> {
    const fn unknown(cause: NoAnswer) -> Self {
        Self::Retry(RetryReason::Unknown(cause))
    }
}

/// Host of a base URL, and its port unless that is the usual one of the scheme.
fn host_of(base_url: &str) -> String {
    let url = Url::parse(base_url).ok();
    let host = url.as_ref().and_then(|it| Some((it.host_str()?, it.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => base_url.to_owned(),
    }
}

/// `User-Agent` that names the work for which a request is sent. Stripe shows it in its request log. Under an
/// idempotency key Stripe compares only the parameters, so that other work may repeat a request.
fn agent_for(work: Option<&WorkId>) -> HeaderValue {
    let named = work.and_then(|it| HeaderValue::from_str(&format!("{AGENT} ({it})")).ok());
    named.unwrap_or(HeaderValue::from_static(AGENT))
}

/// Classifies an error answer ("Error handling", "Idempotent requests"). `Stripe-Should-Retry` outranks the status on
/// whether to retry. A server error leaves the outcome unknown; if Stripe says not to retry, or already replays it, the
/// key is exhausted. A conflict or a lock is temporary; the rest is definite.
fn after_failure<T>(error: ApiError, should_retry: Option<&str>, replayed: bool) -> Attempt<T> {
    let is_lock = error.status == StatusCode::TOO_MANY_REQUESTS && error.body.code.as_deref() == Some("lock_timeout");
    if error.status.is_server_error() {
        // Stripe saves a 500 under the key and repeats it, but the request may have been performed before it failed.
        return if replayed || should_retry == Some("false") {
            Attempt::KeyExhausted(error)
        } else {
            Attempt::unknown(NoAnswer::Server(error))
        };
    }
    if error.status.is_redirection() || error.status.is_informational() {
        let (status, reason) = (error.status, "not an answer of Stripe's API".into());
        return Attempt::unknown(NoAnswer::Unreadable { status, reason });
    }
    let is_temporary = match should_retry {
        Some("true") => true,
        Some("false") => false,
        _ => error.status == StatusCode::CONFLICT || error.status == StatusCode::FAILED_DEPENDENCY || is_lock,
    };
    if is_temporary { Attempt::Retry(RetryReason::Busy(error)) } else { Attempt::Refusal(error) }
}

/// Encodes a request in Stripe's bracketed form: `metadata[order_id]=…&expand[0]=…`.
fn encode(request: &impl Serialize) -> Result<String, StripeError> {
    serde_qs::to_string(request).map_err(|error| StripeError::NotSent(NotSent::Form(error.to_string())))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
