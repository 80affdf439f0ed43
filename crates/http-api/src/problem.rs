//! Error answers of the shop dialect: `{"message", "error": {"code", "detail", "fields"?, "request_id"}}`.

use std::error::Error as StdError;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use paywright_app::{
    AcceptPaymentError, CancelOrderError, CapturePaymentError, CheckPaymentError, CloseRefundError,
    CreatePaymentIntentError, DiskFull, EditOrderError, GatewayError, GetOrderError, ListOrdersError, PlaceOrderError,
    RefundPaymentError, SettleFromProviderError, StoreError, WebhookError,
};
use paywright_domain::intent::AcceptError;
use paywright_domain::intent::{RequestIntentError, SettleError};
use paywright_domain::operation::{CancelError, CaptureError, EditError, NotNow};
use paywright_domain::order::{ContentError, PaymentState};
use paywright_domain::refund::{CloseError, RefundError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::reader::{FieldProblem, FieldProblems, sentence};

/// Error code for invalid fields of an order, an edit or a cancellation.
pub(crate) const INVALID_ORDER: &str = "invalid_order";
/// Error code for a number that no refund of the order has.
pub(crate) const REFUND_NOT_FOUND: &str = "refund_not_found";

/// Refusal of a request: a status, a code and a sentence for the shop's engineers. A refused request has changed
/// nothing, unless the detail says that the outcome is unknown.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fields: FieldProblems,
    /// Value of the `Retry-After` header, in seconds.
    retry_after: Option<u32>,
    /// Header that belongs to the status: `Allow` of a 405, `Accept-Encoding` of a 415.
    header: Option<(HeaderName, String)>,
}

/// Answer of a refused request.
#[derive(Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct Envelope<'a> {
    /// Sentence for people.
    message: &'static str,
    error: ErrorView<'a>,
}

/// Reason of a refusal.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusalError)]
struct ErrorView<'a> {
    /// Stable name of the reason.
    code: &'static str,
    /// Sentence about what is wrong, for engineers.
    detail: &'a str,
    /// Fields of the request that are wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(max_items = 50)]
    fields: &'a [FieldProblem],
    /// Id of the request, as in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, fields) = (sentence(detail.into()), FieldProblems::default());
        Self { status, code, detail, fields, retry_after: None, header: None }
    }

    /// HTTP status in the shop dialect.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Stable code, like `order_not_found`.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// Sentence that says what is wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Value of the `Retry-After` header, in seconds.
    pub(crate) const fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    fn retry_in(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Appends sentences to the detail.
    pub(crate) fn with_sentences(self, sentences: &[String]) -> Self {
        let detail = [std::slice::from_ref(&self.detail), sentences].concat().join(". ");
        Self { detail, ..self }
    }

    /// Header that belongs to the status.
    pub(crate) const fn header(&self) -> Option<&(HeaderName, String)> {
        self.header.as_ref()
    }

    /// Refusal of a method at a path that supports `allowed`.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let detail = format!("this path does not support this HTTP method, only {allowed}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        Self { header: Some((ALLOW, allowed.to_owned())), ..refusal }
    }

    /// Refusal of a body that is compressed or otherwise encoded (RFC 9110, section 15.5.16).
    pub(crate) fn encoding_not_supported() -> Self {
        let detail = "the body must be sent without Content-Encoding";
        let refusal = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding_not_supported", detail);
        Self { header: Some((ACCEPT_ENCODING, "identity".to_owned())), ..refusal }
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "path_not_found", "there is no endpoint at this path")
    }

    /// Refusal by a process that is shutting down; another one may answer.
    pub(crate) fn shutting_down(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", detail).retry_in(1)
    }

    /// Refusal by a rate limit, which `what` names.
    pub(crate) fn too_many_requests(what: &str, retry_after_seconds: u32) -> Self {
        let detail = format!("{what}; nothing was changed: try again in {retry_after_seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_in(retry_after_seconds)
    }

    /// Refusal of a request for which resources are missing at the moment.
    pub(crate) fn server_busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_busy", detail).retry_in(1)
    }

    pub(crate) fn unauthorized(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// Refusal of a token that cannot be verified at the moment, through no fault of its sender.
    pub(crate) fn keys_unavailable(code: &'static str, detail: &str, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_in(retry_after_seconds)
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Refusal of the fields of a body.
    pub(crate) fn invalid(code: &'static str, fields: FieldProblems) -> Self {
        Self::of_fields(StatusCode::UNPROCESSABLE_ENTITY, code, fields)
    }

    /// Refusal of the parameters of a query.
    pub(crate) fn query(fields: FieldProblems) -> Self {
        Self::of_fields(StatusCode::BAD_REQUEST, "query_malformed", fields)
    }

    fn of_fields(status: StatusCode, code: &'static str, fields: FieldProblems) -> Self {
        let detail = fields.summary(|it| format!("{} {}", it.field(), it.problem())).join("; ");
        Self { fields, ..Self::new(status, code, detail) }
    }

    /// Refusal of one field that is well formed, with a code of its own.
    pub(crate) fn field(status: StatusCode, code: &'static str, field: &str, problem: impl fmt::Display) -> Self {
        let detail = format!("{field} {problem}");
        Self { fields: FieldProblem::new(field, problem).into(), ..Self::new(status, code, detail) }
    }

    /// The same refusal with another detail.
    pub(crate) fn with_detail(self, detail: &str) -> Self {
        Self { detail: sentence(detail.to_owned()), ..self }
    }

    fn content(error: &ContentError) -> Self {
        let field = match error {
            ContentError::NoLines | ContentError::TooManyLines => "line_items",
            ContentError::TooManyAdjustments
            | ContentError::TaxRateOfNoTax { .. }
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

    /// Refusal of a well-formed amount that the state of the order does not allow.
    fn amount(error: &dyn fmt::Display) -> Self {
        Self {
            fields: FieldProblem::new("amount", error).into(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_amount", error.to_string())
        }
    }

    /// Refusal of a call that is not possible in the current state.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Renders the answer, with the id that the request has in the logs.
    pub(crate) fn respond(&self, request_id: Option<&str>) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.as_str()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"paywright\""));
        }
        let message = match self.status {
            StatusCode::UNAUTHORIZED => "Not authenticated",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::GONE => "No longer available",
            StatusCode::CONFLICT => "Not possible in the current state",
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
            StoreError::Conflict => {
                Self::conflict("busy", "other requests are changing this order at the same time: try again").retry_in(1)
            }
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the database is unavailable");
                let detail = if cause.is::<DiskFull>() {
                    "the disk of the database is full: reads still work, writes are refused; nothing was changed"
                } else {
                    "the database is unavailable; nothing was changed: try again"
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_in(2)
            }
            StoreError::Unknown(cause) => {
                tracing::error!(%cause, "the outcome of a commit is unknown");
                let detail = "the database did not confirm whether the change was committed: read the order, or repeat \
                              the request with the same Idempotency-Key";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_outcome_unknown", detail).retry_in(2)
            }
            StoreError::Corrupt(cause) => {
                tracing::error!(%cause, "a stored row is corrupt");
                let detail = "a stored row is corrupt and cannot be read; nothing was changed: the service's log has the details";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "order_corrupt", detail)
            }
        }
    }
}

impl From<GetOrderError> for Problem {
    fn from(error: GetOrderError) -> Self {
        match error {
            GetOrderError::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                "order_not_found",
                "there is no such order, or this caller has no access to it",
            ),
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
                let detail = "this Idempotency-Key was already used with a different request; nothing was changed: use \
                              a new key for a new order";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            PlaceOrderError::Lost(order) => {
                let detail = format!(
                    "an earlier request with this Idempotency-Key placed the order {order}, which was lost when the \
                     database was restored from a backup; nothing was changed: the operator recreates the order or \
                     refunds its payment with `paywright recover`; use a new key for a new order"
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
            EditOrderError::Order(error) => error.into(),
            EditOrderError::Refused(EditError::Content(error)) => Self::content(&error),
            EditOrderError::Refused(error @ EditError::Paid) => Self::conflict("order_paid", error.to_string()),
            EditOrderError::Refused(error @ EditError::Canceled) => Self::conflict("order_canceled", error.to_string()),
            EditOrderError::Refused(EditError::NotNow(reason)) => reason.into(),
            EditOrderError::Provider(error) => GatewayError::Refused(error).into(),
            EditOrderError::Gateway(error) => error.into(),
        }
    }
}

impl From<CancelOrderError> for Problem {
    fn from(error: CancelOrderError) -> Self {
        match error {
            CancelOrderError::Order(error) => error.into(),
            CancelOrderError::Refused(error @ CancelError::Paid) => Self::conflict("order_paid", error.to_string()),
            CancelOrderError::Refused(CancelError::NotNow(reason)) => reason.into(),
            CancelOrderError::Gateway(error) => error.into(),
        }
    }
}

impl From<CapturePaymentError> for Problem {
    fn from(error: CapturePaymentError) -> Self {
        match error {
            CapturePaymentError::Order(error) => error.into(),
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
        }
    }
}

impl From<AcceptPaymentError> for Problem {
    fn from(error: AcceptPaymentError) -> Self {
        match error {
            AcceptPaymentError::Order(error) => error.into(),
            AcceptPaymentError::Refused(error) => match error {
                AcceptError::NotHeld => Self::conflict("payment_not_in_review", error.to_string()),
                AcceptError::Several => Self::conflict("payment_intent_not_named", error.to_string()),
                AcceptError::Paid => Self::conflict("order_paid", error.to_string()),
                AcceptError::Canceled => Self::conflict("order_canceled", error.to_string()),
                AcceptError::Disputed => Self::conflict("payment_disputed", error.to_string()),
                AcceptError::NotConfirmed => Self::conflict("payment_not_confirmed", error.to_string()).retry_in(2),
                AcceptError::Amount { .. } => Self::amount(&error),
                AcceptError::NotNow(reason) => reason.into(),
            },
            // Only a page is out of date.
            AcceptPaymentError::OutOfDate => StoreError::Conflict.into(),
        }
    }
}

impl From<RefundPaymentError> for Problem {
    fn from(error: RefundPaymentError) -> Self {
        match error {
            RefundPaymentError::Order(error) => error.into(),
            RefundPaymentError::Refused(error) => match error {
                RefundError::NothingReceived => Self::conflict("payment_not_received", error.to_string()),
                RefundError::NothingLeft => Self::conflict("payment_already_refunded", error.to_string()),
                RefundError::Disputed { .. } => Self::conflict("payment_disputed", error.to_string()),
                RefundError::Amount { .. } | RefundError::NotOnTheWire(_) => Self::amount(&error),
            },
            // Only a page is out of date.
            RefundPaymentError::OutOfDate => StoreError::Conflict.into(),
            RefundPaymentError::KeyReused => {
                let detail = "this Idempotency-Key was already used with a different request; nothing was changed: use \
                              a new key for a new refund";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
        }
    }
}

impl From<CloseRefundError> for Problem {
    fn from(error: CloseRefundError) -> Self {
        match error {
            CloseRefundError::Order(error) => error.into(),
            CloseRefundError::Refused(error) => match error {
                CloseError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, REFUND_NOT_FOUND, error.to_string()),
                CloseError::NotFailed { .. } => Self::conflict("refund_not_failed", error.to_string()),
                CloseError::MadeUpFor => Self::conflict("refund_made_up_for", error.to_string()),
                CloseError::Amount { .. } | CloseError::AmountNotNamed => Self::amount(&error),
            },
            // Only a page is out of date.
            CloseRefundError::OutOfDate => StoreError::Conflict.into(),
        }
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        let unavailable = |code, detail: &str| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_in(2);
        match error {
            GatewayError::Refused(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "payment_provider_refused", error.to_string())
            }
            GatewayError::NotFound(cause) => {
                tracing::error!(cause, "Stripe does not know an object that it created");
                let detail = "Stripe does not know this order's PaymentIntent, or the customer's account there: check \
                              that the Stripe API key is of the account and of the mode (test or live) in which it was \
                              made";
                Self::new(StatusCode::BAD_GATEWAY, "payment_intent_lost", detail)
            }
            GatewayError::KeyExhausted(cause) => {
                tracing::error!(%cause, "Stripe repeats a saved failure, or has this key with other parameters");
                let detail =
                    "Stripe failed to process the request: try again, which is safe and never creates a second payment";
                unavailable("payment_provider_failed", detail)
            }
            GatewayError::Busy(cause) => {
                tracing::warn!(cause, "Stripe did not accept a request");
                let detail =
                    "Stripe did not accept the request (rate limit); nothing was done at Stripe: try again later";
                unavailable("payment_provider_busy", detail)
            }
            GatewayError::Unreachable(cause) => {
                tracing::error!(%cause, "Stripe cannot be reached");
                let detail = "Stripe cannot be reached, so nothing was done there: try again later. The service's log \
                              has the reason";
                unavailable("payment_provider_unreachable", detail)
            }
            GatewayError::InFlight => {
                let detail = "Stripe is still processing an earlier request for this order: try again later";
                unavailable("payment_provider_busy", detail)
            }
            GatewayError::Misconfigured(cause) => {
                tracing::error!(cause, "Stripe does not accept the API key, its permissions or the account");
                let detail = "Stripe does not accept the API key of this service, its permissions or the account: the \
                              operator must correct the settings";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "payment_provider_misconfigured", detail)
            }
            GatewayError::NotUnderstood(problem) | GatewayError::Foreign(problem) => {
                tracing::error!(
                    problem,
                    "an answer of Stripe cannot be used: it has an unknown value, or an object of another installation"
                );
                let detail = "Stripe's answer has a value that this version does not support, or an object of another \
                              installation: the service's log has the details";
                unavailable("payment_provider_failed", detail)
            }
            GatewayError::Unknown(cause) => {
                tracing::warn!(%cause, "the outcome of a request to Stripe is unknown");
                let detail = "Stripe did not answer in time, so the outcome is unknown, and the service goes on with the \
                              request: repeat it, with its Idempotency-Key if it had one, which is safe and never \
                              creates a second payment";
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
            CreatePaymentIntentError::Order(error) => error.into(),
            CreatePaymentIntentError::Request(error) => error.into(),
            CreatePaymentIntentError::Gateway(error) => error.into(),
            CreatePaymentIntentError::Settle(error) => error.into(),
        }
    }
}

impl From<CheckPaymentError> for Problem {
    fn from(error: CheckPaymentError) -> Self {
        match error {
            CheckPaymentError::Order(error) => error.into(),
            CheckPaymentError::NotCompleted { payment: PaymentState::Processing, .. } => {
                let detail = "the order is not paid yet: the bank is still processing the payment, which may take days";
                Self::conflict("payment_processing", detail)
            }
            CheckPaymentError::NotCompleted { payment, intent } => {
                let status = intent.map_or_else(String::new, |it| format!(", the status of its PaymentIntent is {it}"));
                let detail =
                    format!("the payment is not completed: the order's payment_status is {}{status}", payment.name());
                Self::conflict("payment_not_completed", detail)
            }
            CheckPaymentError::Gateway(error) => error.into(),
            CheckPaymentError::Settle(error) => error.into(),
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
    async fn temporary_problems_have_a_retry_after_header() {
        let cause = || "connection reset by peer".into();
        for (problem, status, code) in [
            (Problem::from(StoreError::Conflict), 409, "busy"),
            (StoreError::Unavailable(cause()).into(), 503, "store_unavailable"),
            (StoreError::Unknown(cause()).into(), 503, "store_outcome_unknown"),
            (GatewayError::Busy("connection reset by peer".into()).into(), 503, "payment_provider_busy"),
            (GatewayError::Unreachable(cause()).into(), 503, "payment_provider_unreachable"),
            (GatewayError::InFlight.into(), 503, "payment_provider_busy"),
            (GatewayError::Unknown(cause()).into(), 503, "payment_provider_unreachable"),
            (GatewayError::KeyExhausted(cause()).into(), 503, "payment_provider_failed"),
            (GatewayError::NotUnderstood("connection reset by peer".into()).into(), 503, "payment_provider_failed"),
            (StoreError::disk_full(cause()).into(), 503, "store_unavailable"),
        ] {
            let response = problem.respond(None);
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert!(response.headers().contains_key(RETRY_AFTER), "{code}");
            let body = to_bytes(response.into_body()).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains(&format!("\"code\":\"{code}\"")), "{body}");
            assert!(!body.contains("reset by peer"), "the cause is for the log only: {body}");
        }
    }
}
