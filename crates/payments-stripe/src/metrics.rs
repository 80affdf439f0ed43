//! Metrics of the calls to Stripe.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use reqwest::StatusCode;

use crate::client::Answer;
use crate::error::{NotSent, StripeError};

const REQUESTS: &str = "paywright_stripe_requests_total";
const DURATION: &str = "paywright_stripe_request_duration_seconds";
const QUEUE_WAIT: &str = "paywright_stripe_queue_wait_seconds";
const RATE_LIMITED: &str = "paywright_stripe_rate_limited_total";

/// Describes the metrics of the calls to Stripe.
pub fn describe_metrics() {
    describe_counter!(
        REQUESTS,
        "Calls to Stripe, retries included in one, by endpoint and outcome: ok, refused, unknown (no answer), limited \
         (refused by Stripe's rate limit, or not sent because of our own), not_sent."
    );
    describe_histogram!(DURATION, "Duration of calls to Stripe with all their attempts and waits, in seconds.");
    describe_histogram!(QUEUE_WAIT, "Time for which attempts waited for the rate limiter, in seconds.");
    describe_counter!(RATE_LIMITED, "Calls that Stripe refused because of its rate limits.");
    counter!(RATE_LIMITED).increment(0);
}

/// Counts a call to an endpoint.
pub(crate) fn call<T>(endpoint: &str, took: Duration, sent: &Result<Answer<T>, StripeError>) {
    let outcome = outcome(sent);
    if outcome == LIMITED && is_by_stripe(sent) {
        counter!(RATE_LIMITED).increment(1);
    }
    counter!(REQUESTS, "endpoint" => endpoint.to_owned(), "outcome" => outcome).increment(1);
    histogram!(DURATION, "endpoint" => endpoint.to_owned()).record(took);
}

/// Records the wait of an attempt for the rate limiter.
pub(crate) fn waited(time: Duration) {
    histogram!(QUEUE_WAIT).record(time);
}

const LIMITED: &str = "limited";

fn outcome<T>(sent: &Result<Answer<T>, StripeError>) -> &'static str {
    match sent {
        Ok(_) => "ok",
        Err(StripeError::Api(error)) if error.status == StatusCode::TOO_MANY_REQUESTS => LIMITED,
        Err(StripeError::Api(_)) => "refused",
        Err(StripeError::Unknown { .. } | StripeError::KeyExhausted(_)) => "unknown",
        Err(StripeError::NotSent(NotSent::Queue { .. })) => LIMITED,
        Err(StripeError::NotSent(_)) => "not_sent",
    }
}

/// Whether Stripe itself refused the call.
fn is_by_stripe<T>(sent: &Result<Answer<T>, StripeError>) -> bool {
    match sent {
        Err(StripeError::Api(_)) => true,
        Ok(_) | Err(StripeError::Unknown { .. } | StripeError::KeyExhausted(_) | StripeError::NotSent(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, ErrorBody, NoAnswer};
    use crate::limiter::QueueTooLong;

    fn error(status: StatusCode) -> ApiError {
        ApiError { call: "GET /v1/x".into(), status, body: ErrorBody::default(), request_id: None }
    }

    #[test]
    fn every_outcome_of_a_call_has_its_name() {
        let queue = QueueTooLong { wait: Duration::ZERO };
        let server = NoAnswer::Server(error(StatusCode::BAD_GATEWAY));
        for (sent, expected, by_stripe) in [
            (Ok(Answer { value: (), request_id: None, replayed: false }), "ok", false),
            (Err(StripeError::Api(error(StatusCode::PAYMENT_REQUIRED))), "refused", true),
            (Err(StripeError::Api(error(StatusCode::TOO_MANY_REQUESTS))), "limited", true),
            (Err(StripeError::KeyExhausted(error(StatusCode::INTERNAL_SERVER_ERROR))), "unknown", false),
            (Err(StripeError::Unknown { call: "x".into(), attempts: 3, cause: server }), "unknown", false),
            (Err(StripeError::NotSent(NotSent::Queue { call: "x".into(), queue })), "limited", false),
            (Err(StripeError::NotSent(NotSent::OutOfTime { call: "x".into() })), "not_sent", false),
        ] {
            assert_eq!((outcome(&sent), is_by_stripe(&sent)), (expected, by_stripe), "{sent:?}");
        }
    }
}
