//! Every refusal, in one shape: `{"message", "error": {"code", "detail", "fields"?, "request_id"}}`.

use std::error::Error as StdError;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use paywright_app::{
    CancelOrderError, CapturePaymentError, CheckPaymentError, CreatePaymentIntentError, DiskFull, EditOrderError,
    GatewayError, GetOrderError, ListOrdersError, PlaceOrderError, RefundPaymentError, SettleFromProviderError,
    StoreError, WebhookError,
};
use paywright_domain::{
    CancelError, CaptureError, ContentError, EditError, NotNow, PaymentState, RefundError, RequestIntentError,
    SettleError,
};
use serde::Serialize;

use crate::body::INVALID_ORDER;
use crate::reader::{FieldProblem, FieldProblems, sentence};

/// A request that was not done, and why. What is refused has changed nothing, unless the detail says that it
/// is unknown.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fields: FieldProblems,
    /// In seconds.
    retry_after: Option<u32>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    message: &'static str,
    error: ErrorView<'a>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldProblem],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: sentence(detail.into()), fields: FieldProblems::default(), retry_after: None }
    }

    /// Its status here.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// When to come again, in seconds.
    pub(crate) const fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    fn later(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same with more sentences of what is wrong.
    pub(crate) fn with_sentences(self, sentences: &[String]) -> Self {
        let detail = [std::slice::from_ref(&self.detail), sentences].concat().join(". ");
        Self { detail, ..self }
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method")
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "path_not_found", "there is nothing at this path")
    }

    /// The process is stopping, and another one should be asked.
    pub(crate) fn shutting_down(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", detail).later(1)
    }

    /// A rate limit was reached.
    pub(crate) fn too_many_requests(what: &str, retry_after_seconds: u32) -> Self {
        let detail = format!("{what}; nothing was changed");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).later(retry_after_seconds)
    }

    /// There is too much to do at once.
    pub(crate) fn server_busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_busy", detail).later(1)
    }

    pub(crate) fn unauthorized(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// What is wrong with the fields of a body.
    pub(crate) fn invalid(code: &'static str, fields: FieldProblems) -> Self {
        Self::of_fields(StatusCode::UNPROCESSABLE_ENTITY, code, fields)
    }

    /// What is wrong with the parameters of a query.
    pub(crate) fn query(fields: FieldProblems) -> Self {
        Self::of_fields(StatusCode::BAD_REQUEST, "query_malformed", fields)
    }

    fn of_fields(status: StatusCode, code: &'static str, fields: FieldProblems) -> Self {
        let detail = fields.told(|it| format!("{} {}", it.field(), it.problem())).join("; ");
        Self { fields, ..Self::new(status, code, detail) }
    }

    fn content(error: &ContentError) -> Self {
        let field = match error {
            ContentError::NoLines | ContentError::TooManyLines => "line_items",
            ContentError::TooManyAdjustments
            | ContentError::DiscountsExceedTotal
            | ContentError::TaxIncludedExceedsPrices { .. } => "adjustments",
            ContentError::TooMuchMetadata => "metadata",
            ContentError::Total(_) | ContentError::NotChargeable(_) => "amount",
        };
        Self {
            fields: FieldProblem::new(field, error).into(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID_ORDER, error.to_string())
        }
    }

    /// An amount that is asked for and cannot be had.
    fn amount(error: &dyn fmt::Display) -> Self {
        Self {
            fields: FieldProblem::new("amount", error).into(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_amount", error.to_string())
        }
    }

    fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// The answer, with the name that the request has in the logs.
    pub(crate) fn respond(&self, request_id: Option<&str>) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"paywright\""));
        }
        let message = match self.status {
            StatusCode::UNAUTHORIZED => "Not authenticated",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::CONFLICT => "Not possible as things stand",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            status if status.is_server_error() => "Not possible now",
            _ => "The request is not valid",
        };
        let error = ErrorView { code: self.code, detail: &self.detail, fields: self.fields.listed(), request_id };
        response.json(Envelope { message, error })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }
    fn error_response(&self) -> HttpResponse {
        self.respond(None)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::conflict("busy", "the order is being changed by others; try again").later(1),
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the store is unavailable");
                let detail = if cause.is::<DiskFull>() {
                    "the disk of the store is full: it can be read and not be written to; nothing was changed"
                } else {
                    "the store cannot be used now; nothing was changed"
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).later(2)
            }
            StoreError::Unknown(cause) => {
                tracing::error!(%cause, "the store did not say whether it committed");
                let detail = "the store did not say whether this was done: read the order, or repeat the request with \
                              the same Idempotency-Key";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_outcome_unknown", detail).later(2)
            }
            StoreError::Corrupt(cause) => {
                tracing::error!(%cause, "a stored row is corrupt");
                let detail = "what is stored of this order cannot be read; nothing was changed";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "order_corrupt", detail)
            }
        }
    }
}

impl From<GetOrderError> for Problem {
    fn from(error: GetOrderError) -> Self {
        match error {
            GetOrderError::NotFound => {
                Self::new(StatusCode::NOT_FOUND, "order_not_found", "there is no such order for this caller")
            }
            GetOrderError::Store(error) => error.into(),
        }
    }
}

impl From<ListOrdersError> for Problem {
    fn from(error: ListOrdersError) -> Self {
        match error {
            ListOrdersError::NotAllowed => Self::new(StatusCode::FORBIDDEN, "list_not_allowed", error.to_string()),
            ListOrdersError::Store(error) => error.into(),
        }
    }
}

impl From<PlaceOrderError> for Problem {
    fn from(error: PlaceOrderError) -> Self {
        match error {
            PlaceOrderError::Content(error) => Self::content(&error),
            PlaceOrderError::KeyReused => {
                let detail = "this Idempotency-Key was used with another request: use a new one for a new order";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            PlaceOrderError::Lost(order) => {
                let detail = format!(
                    "an earlier request with this Idempotency-Key placed the order {order}, which a restore from a backup \
                     has lost: the shop recovers it, or gives back what was paid; use a new key for a new order"
                );
                Self::new(StatusCode::CONFLICT, "order_lost", detail)
            }
            PlaceOrderError::Store(error) => error.into(),
        }
    }
}

impl From<NotNow> for Problem {
    fn from(reason: NotNow) -> Self {
        let code = match reason {
            NotNow::IntentRequested | NotNow::PaymentInProgress => "payment_in_progress",
            NotNow::OperationUnderWay(_) => "change_in_progress",
            NotNow::HeldForReview => "order_in_review",
        };
        Self::conflict(code, reason.to_string())
    }
}

impl From<EditOrderError> for Problem {
    fn from(error: EditOrderError) -> Self {
        match error {
            EditOrderError::NotFound => GetOrderError::NotFound.into(),
            EditOrderError::Refused(EditError::Content(error)) => Self::content(&error),
            EditOrderError::Refused(error @ EditError::Paid) => Self::conflict("order_paid", error.to_string()),
            EditOrderError::Refused(error @ EditError::Canceled) => Self::conflict("order_canceled", error.to_string()),
            EditOrderError::Refused(EditError::NotNow(reason)) => reason.into(),
            EditOrderError::Provider(error) => GatewayError::Refused(error).into(),
            EditOrderError::Gateway(error) => error.into(),
            EditOrderError::Store(error) => error.into(),
        }
    }
}

impl From<CancelOrderError> for Problem {
    fn from(error: CancelOrderError) -> Self {
        match error {
            CancelOrderError::NotFound => GetOrderError::NotFound.into(),
            CancelOrderError::Refused(error @ CancelError::Paid) => Self::conflict("order_paid", error.to_string()),
            CancelOrderError::Refused(CancelError::NotNow(reason)) => reason.into(),
            CancelOrderError::Gateway(error) => error.into(),
            CancelOrderError::Store(error) => error.into(),
        }
    }
}

impl From<CapturePaymentError> for Problem {
    fn from(error: CapturePaymentError) -> Self {
        match error {
            CapturePaymentError::NotFound => GetOrderError::NotFound.into(),
            CapturePaymentError::Refused(error) => match error {
                CaptureError::Paid | CaptureError::OtherAmountCaptured { .. } => {
                    Self::conflict("order_paid", error.to_string())
                }
                CaptureError::Canceled => Self::conflict("order_canceled", error.to_string()),
                CaptureError::NotAuthorized => Self::conflict("payment_not_authorized", error.to_string()),
                CaptureError::Amount { .. } | CaptureError::NotOnTheWire(_) => Self::amount(&error),
                CaptureError::NotNow(reason) => reason.into(),
            },
            CapturePaymentError::Provider(error) => GatewayError::Refused(error).into(),
            CapturePaymentError::Store(error) => error.into(),
        }
    }
}

impl From<RefundPaymentError> for Problem {
    fn from(error: RefundPaymentError) -> Self {
        match error {
            RefundPaymentError::Get(error) => error.into(),
            RefundPaymentError::Refused(error) => match error {
                RefundError::NothingReceived => Self::conflict("payment_not_received", error.to_string()),
                RefundError::NothingLeft => Self::conflict("payment_already_refunded", error.to_string()),
                RefundError::Disputed { .. } => Self::conflict("payment_disputed", error.to_string()),
                RefundError::Amount { .. } | RefundError::NotOnTheWire(_) => Self::amount(&error),
            },
            RefundPaymentError::KeyReused => {
                let detail = "this Idempotency-Key was used with another request: use a new one for a new refund";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            RefundPaymentError::Store(error) => error.into(),
        }
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        let unavailable = |code, detail: &str| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).later(2);
        match error {
            GatewayError::Refused(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "payment_provider_refused", error.to_string())
            }
            GatewayError::NotFound => {
                tracing::error!("the payment provider does not know an intent that it issued");
                let detail =
                    "the payment provider does not know this order's payment intent; are key and order of one mode?";
                Self::new(StatusCode::BAD_GATEWAY, "payment_intent_lost", detail)
            }
            GatewayError::KeyExhausted(cause) => {
                tracing::error!(%cause, "the payment provider fails at a request and repeats that");
                let detail = "the payment provider failed; repeating this request is safe and gives one payment";
                unavailable("payment_provider_failed", detail)
            }
            GatewayError::Busy(cause) => {
                tracing::warn!(cause, "the payment provider is busy");
                unavailable("payment_provider_busy", "the payment provider wants to be asked later; nothing was done")
            }
            GatewayError::InFlight => {
                let detail = "the payment provider is still answering an earlier request for this order";
                unavailable("payment_provider_busy", detail)
            }
            GatewayError::Misconfigured(cause) => {
                tracing::error!(cause, "the payment provider cannot be used with these settings");
                let detail = "the payment provider does not accept the service's settings; its operator must look";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "payment_provider_misconfigured", detail)
            }
            GatewayError::NotUnderstood(problem) | GatewayError::Foreign(problem) => {
                tracing::error!(problem, "an answer of the payment provider is newer than this program");
                let detail =
                    "the payment provider's answer has a value that this version does not know; its operator must look";
                unavailable("payment_provider_failed", detail)
            }
            GatewayError::Unknown(cause) => {
                tracing::warn!(%cause, "the outcome of a request to the payment provider is unknown");
                let detail =
                    "the payment provider did not answer; repeating this request is safe and gives one payment";
                unavailable("payment_provider_unreachable", detail)
            }
        }
    }
}

impl From<SettleFromProviderError> for Problem {
    fn from(error: SettleFromProviderError) -> Self {
        match error {
            SettleFromProviderError::Foreign
            | SettleFromProviderError::UnknownOrder
            | SettleFromProviderError::Settle(SettleError::NotOurs) => {
                Self::new(StatusCode::NOT_FOUND, "payment_intent_unknown", error.to_string())
            }
            SettleFromProviderError::Settle(SettleError::NotConfirmed) => {
                Self::conflict("order_in_review", error.to_string())
            }
            SettleFromProviderError::Store(error) => error.into(),
        }
    }
}

impl From<RequestIntentError> for Problem {
    fn from(error: RequestIntentError) -> Self {
        let code = match error {
            RequestIntentError::Paid => "order_paid",
            RequestIntentError::Canceled | RequestIntentError::BeingCanceled => "order_canceled",
            RequestIntentError::HeldForReview => "order_in_review",
        };
        Self::conflict(code, error.to_string())
    }
}

impl From<CreatePaymentIntentError> for Problem {
    fn from(error: CreatePaymentIntentError) -> Self {
        match error {
            CreatePaymentIntentError::Get(error) => error.into(),
            CreatePaymentIntentError::Request(error) => error.into(),
            CreatePaymentIntentError::Gateway(error) => error.into(),
            CreatePaymentIntentError::Settle(error) => error.into(),
            CreatePaymentIntentError::Store(error) => error.into(),
        }
    }
}

impl From<CheckPaymentError> for Problem {
    fn from(error: CheckPaymentError) -> Self {
        match error {
            CheckPaymentError::Get(error) => error.into(),
            CheckPaymentError::NotCompleted { payment: PaymentState::Processing, .. } => {
                let detail = "the bank is processing the payment, which may take days: the order is not paid yet";
                Self::conflict("payment_processing", detail)
            }
            CheckPaymentError::NotCompleted { payment, intent } => {
                let stands = intent.map_or_else(String::new, |it| format!("; its payment intent is {it}"));
                let detail = format!("the order is {}{stands}", payment.name());
                Self::conflict("payment_not_completed", detail)
            }
            CheckPaymentError::Gateway(error) => error.into(),
            CheckPaymentError::Settle(error) => error.into(),
            CheckPaymentError::Request(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let code = match error {
            WebhookError::BadSignature(_) | WebhookError::OutsideTolerance { .. } => "webhook_signature_invalid",
            WebhookError::Unreadable(_) => "webhook_unreadable",
            WebhookError::Thin => "webhook_thin_event",
        };
        Self::bad_request(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn what_passes_says_when_to_come_again() {
        let line = || "the line went dead".into();
        for (problem, status, code) in [
            (Problem::from(StoreError::Conflict), 409, "busy"),
            (StoreError::Unavailable(line()).into(), 503, "store_unavailable"),
            (StoreError::Unknown(line()).into(), 503, "store_outcome_unknown"),
            (GatewayError::Busy("the line went dead".into()).into(), 503, "payment_provider_busy"),
            (GatewayError::InFlight.into(), 503, "payment_provider_busy"),
            (GatewayError::Unknown(line()).into(), 503, "payment_provider_unreachable"),
            (GatewayError::KeyExhausted(line()).into(), 503, "payment_provider_failed"),
            (GatewayError::NotUnderstood("the line went dead".into()).into(), 503, "payment_provider_failed"),
            (StoreError::disk_full(line()).into(), 503, "store_unavailable"),
        ] {
            let response = problem.respond(None);
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert!(response.headers().contains_key(RETRY_AFTER), "{code}");
            let body = to_bytes(response.into_body()).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains(&format!("\"code\":\"{code}\"")), "{body}");
            assert!(!body.contains("line went dead"), "what went wrong inside is for the log: {body}");
        }
    }
}
