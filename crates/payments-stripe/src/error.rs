use std::error::Error as StdError;
use std::fmt;

use paywright_domain::intent::IntentError;
use reqwest::StatusCode;
use serde::Deserialize;
use thiserror::Error;

use crate::StripeId;
use crate::id::BadId;
use crate::limiter::QueueTooLong;

/// Why a request to Stripe has no successful answer.
#[derive(Debug, Error)]
pub enum StripeError {
    /// Stripe refused the request: a definite answer that nothing was done, or that names what was done.
    #[error(transparent)]
    Api(ApiError),
    /// The outcome is unknown: no answer arrived, or none that can be read. Not a failure: sending the same request
    /// again under the same key is safe and reveals the outcome.
    #[error("{call}: outcome unknown after {attempts} attempts: {cause}")]
    Unknown {
        /// Method and path of the request.
        call: String,
        /// Number of times the request was sent.
        attempts: u32,
        /// Why the last attempt had no readable answer.
        cause: NoAnswer,
    },
    /// Stripe failed, and repeats that answer for as long as it remembers the idempotency key. A repeat under the same
    /// key is safe and reveals nothing: the outcome must be looked up.
    #[error("Stripe failed and repeats this answer under the same idempotency key: {0}")]
    KeyExhausted(ApiError),
    /// The request never reached Stripe.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
}

/// Why an attempt has no readable answer.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// The connection failed or the request timed out.
    #[error("{}", with_causes(.0))]
    Transport(reqwest::Error),
    /// Stripe answered a server error (5xx).
    #[error("{}", Answered(.0))]
    Server(ApiError),
    /// Stripe's answer has a body that is cut off, too large or of an unexpected form.
    #[error("status {status} with a body that cannot be read: {reason}")]
    Unreadable {
        /// HTTP status of the answer.
        status: StatusCode,
        /// Fault of the body.
        reason: String,
    },
}

/// Why a request was not sent.
#[derive(Debug, Error)]
pub enum NotSent {
    /// An id is not of the expected type.
    #[error(transparent)]
    BadId(#[from] BadId),
    /// The form cannot be encoded.
    #[error("the form cannot be encoded: {0}")]
    Form(String),
    /// The idempotency key is empty, longer than 255 characters, or not printable ASCII.
    #[error("an idempotency key must have 1 to 255 printable characters")]
    BadKey,
    /// The rate limiter would have delayed the request for too long.
    #[error("{call}: {queue}")]
    Queue {
        /// Method and path of the request.
        call: String,
        /// Time that the request would have waited.
        queue: QueueTooLong,
    },
    /// Stripe cannot be reached: no connection was made.
    #[error("{call}: no connection to {host}: {}", with_causes(error))]
    NoConnection {
        /// Method and path of the request.
        call: String,
        /// Host that should have been connected to, and its port unless that is the usual one.
        host: String,
        /// Error of the HTTP client.
        error: reqwest::Error,
    },
    /// The customer for whom the request was to be sent has waited for Stripe too long already.
    #[error("{call}: not sent, because the customer's request has waited too long already")]
    OutOfTime {
        /// Method and path of the request.
        call: String,
    },
}

/// Stripe's answer with an error status.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// Method and path of the request.
    pub call: String,
    /// HTTP status of the answer.
    pub status: StatusCode,
    /// Error object of the body; empty if the body was not Stripe's JSON.
    pub body: ErrorBody,
    /// Stripe's id of the request (`req_…`), for its support and its dashboard.
    pub request_id: Option<String>,
}

impl ApiError {
    /// Whether Stripe says that an object which the request names does not exist.
    pub fn is_resource_missing(&self) -> bool {
        self.body.code.as_deref() == Some(IntentError::RESOURCE_MISSING)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, Answered(self))
    }
}

/// Displays an error without the method and path of its request.
struct Answered<'a>(&'a ApiError);

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ApiError { status, body, request_id, .. }) = self;
        write!(f, "Stripe answered {}", status.as_u16())?;
        for (name, value) in [("code", &body.code), ("param", &body.param), ("request", request_id)] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        if let Some(message) = &body.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl StdError for ApiError {}

/// An error of the HTTP client with its causes. The URL is left out, so that no query is shown; callers name the
/// request.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "the request took too long" } else { "the connection failed" }.to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Message of the innermost cause, such as that this machine has no certificates of authorities.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// `error` of an answer, and `last_payment_error` of a PaymentIntent. Of the objects inside, which hold secrets, only
/// the ids are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ErrorBody {
    /// Type of the error: `card_error`, `invalid_request_error`, `idempotency_error`, `api_error` or a newer one.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Error code, like `card_declined`.
    pub code: Option<String>,
    /// Decline code of the card's bank, like `insufficient_funds`.
    pub decline_code: Option<String>,
    /// Advice for a retry: `do_not_try_again`, `try_again_later`, `confirm_card_data`.
    pub advice_code: Option<String>,
    /// Message for people.
    pub message: Option<String>,
    /// Name of the parameter that caused the error.
    pub param: Option<String>,
    /// PaymentIntent that the error concerns.
    pub payment_intent: Option<IntentReference>,
}

/// PaymentIntent inside an error, reduced to its id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IntentReference {
    /// Stripe's id of the PaymentIntent (`pi_…`).
    pub id: StripeId,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorEnvelope {
    #[serde(default)]
    pub(crate) error: ErrorBody,
}
