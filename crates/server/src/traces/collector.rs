//! Client of the collector. It runs on the runtime of this program, while the batches come from a thread of their own.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect;
use tokio::runtime::Handle;
use url::Url;

use crate::Failure;

/// Time limit of a request with all its attempts.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a connection, TLS included, within the time limit of the request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest part of an answer that is read, in bytes: it has at most a sentence about refused spans.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Name and version of this program in the `User-Agent` header.
const AGENT: &str = concat!("Paywright/", env!("CARGO_PKG_VERSION"));

/// Client of the collector. It logs once that nothing can be sent, and once that it can be sent again.
#[derive(Debug)]
pub(super) struct Collector {
    http: reqwest::Client,
    endpoint: Url,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Collector {
    /// Makes a client, within a runtime. rustls must have a default provider.
    pub(super) fn new(endpoint: Url, headers: HeaderMap) -> Result<Self, Failure> {
        let mut http = reqwest::Client::builder()
            .user_agent(AGENT)
            .default_headers(headers)
            // The headers have secrets for this collector, and for no other.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        if endpoint.scheme() == "http" {
            // A collector on this machine or network, which an outgoing proxy could not reach.
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, endpoint, runtime: Handle::current(), is_failing: AtomicBool::new(false) })
    }

    /// Logs a failure, unless the request before failed too.
    fn failed(&self, error: &dyn std::fmt::Display) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "traces cannot be sent to their collector: they are dropped until that is possible");
        }
    }

    fn succeeded(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("traces are sent to their collector again");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Only the body and its type: variables of the environment could add headers.
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let mut post = self.http.post(self.endpoint.clone()).body(request.into_body());
        if let Some(content_type) = content_type {
            post = post.header(CONTENT_TYPE, content_type);
        }
        let sent = self.runtime.spawn(answer(post)).await;
        match sent.map_err(HttpError::from).and_then(|it| it.map_err(|it| HttpError::from(reason(&it)))) {
            Ok(response) => {
                if response.status().is_success() {
                    self.succeeded();
                } else {
                    self.failed(&format_args!("it answers with status {}", response.status().as_u16()));
                }
                Ok(response)
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }
}

/// Sends a request, and reads the status and the beginning of the answer.
async fn answer(post: reqwest::RequestBuilder) -> reqwest::Result<Response<Bytes>> {
    let mut answer = post.send().await?;
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend(chunk.iter().take(ANSWER_BYTES_MAX - body.len()));
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = answer.status();
    if let Some(wait) = answer.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    Ok(response)
}

/// Innermost cause of an error. The outer ones have the URL, whose query may be a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() }
}
