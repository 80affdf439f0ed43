//! Span of a call to Stripe, with all its attempts, in the traces.

use paywright_app::{TRACES, Work};
use reqwest::StatusCode;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::call::Call;
use crate::client::Answer;
use crate::error::StripeError;

/// Span of a call, and what its last attempt has brought. The span is complete even if the call is dropped midway.
pub(crate) struct CallTrace {
    span: Span,
    attempts: u32,
    status: Option<StatusCode>,
    request_id: Option<String>,
}

impl CallTrace {
    /// Begins the span of `call`, below that of the current work.
    pub(crate) fn begin(call: &Call) -> Self {
        let span = info_span!(
            target: TRACES, parent: Work::trace(), "stripe",
            "otel.kind" = "client",
            "http.request.method" = call.method,
            "http.response.status_code" = Empty,
            "stripe.call" = call.endpoint,
            "stripe.attempts" = Empty,
            "stripe.request_id" = Empty,
            "error.type" = Empty,
            "otel.status_code" = Empty,
        );
        Self { span, attempts: 0, status: None, request_id: None }
    }

    /// Counts an attempt, which has no answer yet.
    pub(crate) fn attempted(&mut self) {
        self.attempts += 1;
        self.status = None;
    }

    /// Remembers the answer to an attempt. Stripe's id of the request stays that of the last answer.
    pub(crate) fn answered(&mut self, status: StatusCode, request_id: Option<&str>) {
        self.status = Some(status);
        if !self.span.is_disabled() {
            self.request_id = request_id.map(str::to_owned).or(self.request_id.take());
        }
    }

    /// Records the outcome of the call.
    pub(crate) fn end<T>(self, sent: &Result<Answer<T>, StripeError>) {
        let error = match sent {
            Ok(_) => return,
            Err(StripeError::Api(error) | StripeError::KeyExhausted(error)) => error.status.as_str().to_owned(),
            Err(StripeError::Unknown { .. }) => "unknown".to_owned(),
            Err(StripeError::NotSent(_)) => "not_sent".to_owned(),
        };
        self.span.record("error.type", error).record("otel.status_code", "ERROR");
    }
}

impl Drop for CallTrace {
    fn drop(&mut self) {
        self.span.record("stripe.attempts", i64::from(self.attempts));
        if let Some(status) = self.status {
            self.span.record("http.response.status_code", i64::from(status.as_u16()));
        }
        if let Some(id) = &self.request_id {
            self.span.record("stripe.request_id", display(id));
        }
    }
}
