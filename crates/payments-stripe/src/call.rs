//! Calls: their names, and their lines in the log.

use std::time::Duration;

use reqwest::StatusCode;

use crate::client::Answer;
use crate::error::{ApiError, StripeError};

/// Time, all attempts included, from which an answer is logged as slow.
const SLOW: Duration = Duration::from_secs(5);

/// Method and path of a request, for logs and for the rate limiter.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    /// Method and path.
    pub(crate) name: String,
    /// Method and path without the ids: the endpoint that Stripe's rate limit counts.
    pub(crate) endpoint: String,
}

impl Call {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self { method, name: format!("{method} {path}"), endpoint: endpoint(method, path) }
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// Logs the outcome: failures and slow answers as warnings, the rest for debugging. A conflict, because Stripe is
    /// still answering an earlier request with the same key, is not a failure.
    pub(crate) fn log<T>(&self, host: &str, took: Duration, sent: &Result<Answer<T>, StripeError>) {
        let (call, ms) = (self.name.as_str(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        match sent {
            Ok(Answer { request_id, .. }) if took >= SLOW => {
                tracing::warn!(call, ms, stripe_request = request_id, "Stripe was slow");
            }
            Ok(Answer { request_id, replayed, .. }) => {
                tracing::debug!(call, ms, replayed, stripe_request = request_id, "Stripe answered");
            }
            Err(StripeError::Api(error)) if error.status == StatusCode::CONFLICT => {
                tracing::debug!(
                    call,
                    ms,
                    stripe_request = error.request_id,
                    "Stripe is still answering an earlier request with this key"
                );
            }
            Err(StripeError::Api(error) | StripeError::KeyExhausted(error)) => {
                let ApiError { status, body, request_id, .. } = error;
                let (code, param, reason) = (&body.code, &body.param, &body.message);
                let (status, stripe_request) = (status.as_u16(), request_id);
                tracing::warn!(call, ms, status, code, param, stripe_request, reason, "Stripe refused a request");
            }
            Err(error @ (StripeError::Unknown { .. } | StripeError::NotSent(_))) => {
                tracing::warn!(call, host, ms, %error, "no answer from Stripe");
            }
        }
    }
}

/// Endpoint that Stripe's rate limit counts: method and path without the ids.
fn endpoint(method: &str, path: &str) -> String {
    let mut parts = path.split('/').skip(2);
    let (object, verb) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{method} {object} {verb}").trim_end().to_owned()
}
