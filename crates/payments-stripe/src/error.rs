use std::error::Error as StdError;
use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;
use thiserror::Error;

use crate::StripeId;
use crate::id::BadId;
use crate::limiter::QueueTooLong;

/// Why a request has no answer of the expected kind.
#[derive(Debug, Error)]
pub enum StripeError {
    /// Stripe answered, definitely: nothing was done, or what was done is in the answer.
    #[error(transparent)]
    Api(ApiError),
    /// Nobody knows whether it was done: no answer came, or none that can be read. Never a failure; the same
    /// request with the same key is safe and tells.
    #[error("{call}: no answer that tells what was done, after {attempts} attempts: {cause}")]
    Unknown {
        /// Method and path.
        call: String,
        /// How often it was sent.
        attempts: u32,
        /// What came of the last attempt.
        cause: NoAnswer,
    },
    /// Stripe failed, and repeats that for as long as it remembers the key. Whether the work was done must be looked
    /// up; a repeat with the same key is safe and tells nothing.
    #[error("Stripe failed, and repeats that for this key: {0}")]
    KeyExhausted(ApiError),
    /// The request was never sent.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
}

/// What came instead of an answer.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// The connection failed or took too long.
    #[error("{}", with_causes(.0))]
    Transport(reqwest::Error),
    /// Stripe's servers failed on it.
    #[error("{}", Answered(.0))]
    Server(ApiError),
    /// A success whose body is cut off, too large or not what it should be.
    #[error("status {status} with a body that cannot be read: {reason}")]
    Unreadable {
        /// The HTTP status.
        status: StatusCode,
        /// What is wrong with the body.
        reason: String,
    },
}

/// Why a request was not sent.
#[derive(Debug, Error)]
pub enum NotSent {
    /// An id does not fit into a path.
    #[error(transparent)]
    BadId(#[from] BadId),
    /// A form cannot be encoded.
    #[error("the form cannot be encoded: {0}")]
    Form(String),
    /// An idempotency key is empty or longer than 255 characters.
    #[error("an idempotency key must have 1 to 255 printable characters")]
    BadKey,
    /// Too many requests wait to be sent.
    #[error("{call}: {queue}")]
    Queue {
        /// Method and path.
        call: String,
        /// How long it would have waited.
        queue: QueueTooLong,
    },
    /// The server cannot be reached at all: no connection was made.
    #[error("{call}: no connection: {}", with_causes(error))]
    NoConnection {
        /// Method and path.
        call: String,
        /// Why there was none.
        error: reqwest::Error,
    },
}

/// Stripe's definite no.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// Method and path of the call that it answers.
    pub call: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the body says; empty where it was not Stripe's JSON.
    pub body: ErrorBody,
    /// Stripe's name for the request, for its support and its dashboard.
    pub request_id: Option<String>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, Answered(self))
    }
}

/// An answer without the call that it answers.
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

/// An error of the HTTP client with what caused it. Its address is left out: the call is named, and a query is not shown.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "the request took too long" } else { "the connection failed" }.to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The `error` of an answer, and `last_payment_error` of an intent. The objects inside, which hold secrets,
/// are read by their ids alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ErrorBody {
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error` or newer.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Like `card_declined`.
    pub code: Option<String>,
    /// The bank's, like `insufficient_funds`.
    pub decline_code: Option<String>,
    /// What to do about it: `do_not_try_again`, `try_again_later`, `confirm_card_data`.
    pub advice_code: Option<String>,
    /// A sentence for people.
    pub message: Option<String>,
    /// The parameter it is about.
    pub param: Option<String>,
    /// The intent it is about: its true state is to be read.
    pub payment_intent: Option<IntentReference>,
}

/// The id of an intent inside an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IntentReference {
    /// `pi_…`.
    pub id: StripeId,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorEnvelope {
    #[serde(default)]
    pub(crate) error: ErrorBody,
}
