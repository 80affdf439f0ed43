//! Orders of the shop dialect: `/api/v1/shop/orders`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{
    Access, Changed, IdempotencyKey, IdempotentRequest, OrderQuery, OrderView, PlacedOrder, RefundView, Scope,
};
use paywright_domain::id::CustomerId;
use paywright_domain::{Order, OrderId};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use utoipa::openapi::KnownFormat;
use uuid::Uuid;

use super::body::{
    CancellationBody, CaptureBody, INVALID_ACCEPTANCE, INVALID_CAPTURE, INVALID_REFUND, NewAcceptanceBody,
    NewClosingBody, NewOrderBody, NewRefundBody, OrderEditBody, cancel_reason, capture_amount, customer_schema,
    new_acceptance, new_closing, new_order, new_refund, order_edit,
};
use super::view::{Envelope, ExplanationView, PageView, PaymentView, PlacedOrder as PlacedOrderView};
use super::{OrderPath, limit_parameter, named_order, order_ref, page_limit, success};
use crate::Api;
use crate::auth::{application, application_alone, bearer_access, bearer_access_or_all, has_scope};
use crate::openapi::refusals;
use crate::openapi::schema::{header, in_path, integer, parameters, query, string, string_in};
use crate::problem::{INVALID_ORDER, Problem, REFUND_NOT_FOUND};
use crate::reader::{FieldProblems, Fields, Reader, parse_json, parse_json_if_any, parse_query, string as read_string};
use crate::receiving::read_body;
use crate::requests::{JSON_BYTES_WITH_KEY_MAX, log_order};

/// Maximum length of an `Idempotency-Key`, in characters.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

parameters! {
    /// Header that [`idempotency_key`] reads.
    IdempotencyKeyHeader = [header(
        "Idempotency-Key",
        "Name of the request, of printable ASCII characters: a repeat with it gets the first answer.",
        string().min_length(Some(1)).max_length(Some(IDEMPOTENCY_KEY_CHARS_MAX)).pattern(Some("^[ -~]+$")),
    )];
    /// Refund in the path, which [`refund_number`] reads.
    RefundPath = [in_path("refund", "Number of the refund within its order.", integer(1, u32::MAX))];
    /// Query that [`list_query`] reads.
    OrdersParameters = [
        query("customer", "Customer of the orders.", customer_schema()),
        query("cursor", "`next_cursor` of an earlier answer.", string_in(KnownFormat::Uuid)),
        limit_parameter(),
    ];
}

/// Places an order.
///
/// A repeat with the same `Idempotency-Key` gets the first answer. With a customer's bearer token, the order must be that
/// customer's.
#[utoipa::path(
    post, path = "/orders", tag = "Orders", operation_id = "placeOrder",
    params(IdempotencyKeyHeader),
    request_body = NewOrderBody,
    responses(
        (status = 201, description = "The order is placed.", body = Envelope<PlacedOrderView>),
        refusals::PlaceOrder,
    ),
    security(("api_key" = ["orders:write"]), ("api_key" = ["orders:write"], "bearer" = [])),
)]
pub(crate) async fn place(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let key = application(&api, &request, Scope::OrdersWrite).await?;
    let access = bearer_access_or_all(&api, &request).await?;
    let body = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let new = new_order(&parse_json(&request, &body, INVALID_ORDER)?)?;
    check_customer(&access, new.customer.as_ref())?;
    let idempotent = idempotency_key(&request)?.map(|text| IdempotentRequest {
        key: IdempotencyKey { scope: key.application, key: text },
        fingerprint: Sha256::digest(&body).into(),
        answer: placed_answer,
    });
    let app = api.app.for_request();
    let placed = app.place_order(new, idempotent).await?;
    let message = "Order placed successfully";
    let (order, answer, replayed) = match placed {
        PlacedOrder::Now(order) => (order.id, placed_answer(&order), false),
        PlacedOrder::Before { order, answer } => {
            log_order(order, &number_in(&answer));
            (order, answer, true)
        }
    };
    // The token is computed again for a repeat: secrets are not stored.
    let data = with_token(&answer, &api.tokens.order_token(order))?;
    let mut response = success(StatusCode::CREATED, message, data);
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Refuses to place an order of `customer` for a caller whose bearer token gives no access to it.
fn check_customer(access: &Access, customer: Option<&CustomerId>) -> Result<(), Problem> {
    let detail = match access {
        Access::All => return Ok(()),
        Access::Customer(bearer) if customer == Some(bearer) => return Ok(()),
        Access::Customer(_) => "the customer of the order must be that of the bearer token",
        Access::Order(_) => "the token of one order cannot place another one",
    };
    Err(Problem::new(StatusCode::FORBIDDEN, "customer_mismatch", detail))
}

/// Answer of a placed order, as it is stored for repeats.
fn placed_answer(order: &Order) -> String {
    // A view is plain data, for which this cannot fail.
    serde_json::to_string(&OrderView::of(order)).unwrap_or_default()
}

/// Order number in a stored answer.
fn number_in(answer: &str) -> String {
    #[derive(Deserialize)]
    struct Numbered {
        number: String,
    }
    serde_json::from_str(answer).map(|it: Numbered| it.number).unwrap_or_default()
}

/// Appends the order's token to a stored answer as its last field, so that a repeat is the same byte for byte.
fn with_token(answer: &str, token: &str) -> Result<Box<RawValue>, Problem> {
    let fields = answer.strip_suffix('}').unwrap_or_default();
    RawValue::from_string(format!("{fields},\"token\":\"{token}\"}}")).map_err(|error| {
        tracing::error!(%error, "a stored answer cannot be read");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the stored answer of the request that placed the order cannot be read",
        )
    })
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let text = header.to_str().unwrap_or_default();
    // A header may have tabs too.
    let is_printable = text.bytes().all(|it| it == b' ' || it.is_ascii_graphic());
    if is_printable && (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    let detail = format!("the Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters");
    Err(Problem::bad_request("idempotency_key_malformed", detail))
}

/// Reads the query of a list of orders.
fn list_query(query: &Fields) -> Result<OrderQuery, Problem> {
    let mut problems = FieldProblems::default();
    let mut it = Reader::new(query, &["customer", "cursor", "limit"], &mut problems);
    let customer = it.optional("customer", |it| Ok(CustomerId::new(read_string(it)?)?));
    let older_than = it.optional("cursor", |it| {
        let cursor = Uuid::try_parse(read_string(it)?).map_err(|_| "must be the next_cursor of an earlier answer")?;
        Ok(OrderId(cursor))
    });
    let limit = page_limit(&mut it);
    let query = OrderQuery { customer, older_than, ..OrderQuery::newest(limit) };
    problems.done(Some(query)).map_err(Problem::query)
}

/// Lists orders, newest first.
#[utoipa::path(
    get, path = "/orders", tag = "Orders", operation_id = "listOrders",
    params(OrdersParameters),
    responses(
        (status = 200, description = "A page of orders.", body = Envelope<PageView>),
        refusals::ListOrders,
    ),
    security(("api_key" = ["orders:read"]), ("api_key" = ["orders:read"], "bearer" = [])),
)]
pub(crate) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application(&api, &request, Scope::OrdersRead).await?;
    let query = list_query(&parse_query(&request)?)?;
    let access = bearer_access_or_all(&api, &request).await?;
    let page = api.app.list_orders(query, &access).await?;
    Ok(success(StatusCode::OK, "Orders", PageView::of(&page)))
}

/// Reads an order.
#[utoipa::path(
    get, path = "/orders/{order}", tag = "Orders", operation_id = "readOrder",
    params(OrderPath),
    responses(
        (status = 200, description = "The order.", body = Envelope<OrderView>),
        refusals::ReadOrder,
    ),
    security(("api_key" = ["orders:read"]), ("api_key" = ["orders:read"], "bearer" = [])),
)]
pub(crate) async fn read(api: Data<Api>, request: HttpRequest, order: Path<String>) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::OrdersRead).await?;
    let order = api.app.get_order(&which, &access).await?;
    Ok(success(StatusCode::OK, "Order", OrderView::of(&order)))
}

/// Changes the given fields of an unpaid order.
#[utoipa::path(
    patch, path = "/orders/{order}", tag = "Orders", operation_id = "editOrder",
    params(OrderPath),
    request_body = OrderEditBody,
    responses(
        (status = 200, description = "The order is changed.", body = Envelope<OrderView>),
        (status = 202, description = "The change is stored and waits for Stripe.", body = Envelope<OrderView>),
        refusals::EditOrder,
    ),
    security(("api_key" = ["orders:write"]), ("api_key" = ["orders:write"], "bearer" = [])),
)]
pub(crate) async fn edit(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::OrdersWrite).await?;
    let body = parse_json(&request, &read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?, INVALID_ORDER)?;
    // An order's currency never changes, so it can be read before the edit is decided.
    let currency = api.app.get_order(&which, &access).await?.total.currency();
    let edit = order_edit(&body, currency)?;
    let app = api.app.for_request();
    let changed = app.edit_order(&which, &access, edit).await?;
    Ok(changed_order(&changed, "Order updated successfully"))
}

/// Answers 200 for a change that is done, and 202 for one that is committed and waits for Stripe.
fn changed_order(changed: &Changed, message: &'static str) -> HttpResponse {
    match changed {
        Changed::Done(order) => success(StatusCode::OK, message, OrderView::of(order)),
        Changed::UnderWay(order) => success(StatusCode::ACCEPTED, "Accepted; waiting for Stripe", OrderView::of(order)),
    }
}

/// Cancels an unpaid order, at Stripe first.
#[utoipa::path(
    post, path = "/orders/{order}/cancel", tag = "Orders", operation_id = "cancelOrder",
    params(OrderPath),
    request_body = Option<CancellationBody>,
    responses(
        (status = 200, description = "The order is canceled.", body = Envelope<OrderView>),
        (status = 202, description = "The cancellation is stored and waits for Stripe.", body = Envelope<OrderView>),
        refusals::CancelOrder,
    ),
    security(("api_key" = ["orders:write"]), ("api_key" = ["orders:write"], "bearer" = [])),
)]
pub(crate) async fn cancel(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::OrdersWrite).await?;
    let body = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let reason = cancel_reason(&parse_json_if_any(&request, &body, INVALID_ORDER)?)?;
    let app = api.app.for_request();
    let changed = app.cancel_order(&which, &access, reason).await?;
    Ok(changed_order(&changed, "Order canceled successfully"))
}

/// Captures authorized money.
///
/// All that is due without an amount; the rest is released.
#[utoipa::path(
    post, path = "/orders/{order}/capture", tag = "Orders", operation_id = "captureOrder",
    params(OrderPath),
    request_body = Option<CaptureBody>,
    responses(
        (status = 200, description = "The money is captured.", body = Envelope<OrderView>),
        (status = 202, description = "The capture is stored and waits for Stripe.", body = Envelope<OrderView>),
        refusals::CaptureOrder,
    ),
    security(("api_key" = ["payments:write"]), ("api_key" = ["payments:write"], "bearer" = [])),
)]
pub(crate) async fn capture(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::PaymentsWrite).await?;
    let body = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let body = parse_json_if_any(&request, &body, INVALID_CAPTURE)?;
    let currency = api.app.get_order(&which, &access).await?.total.currency();
    let amount = capture_amount(&body, currency)?;
    let app = api.app.for_request();
    let changed = app.capture_payment(&which, &access, amount).await?;
    Ok(changed_order(&changed, "Payment captured successfully"))
}

/// Accepts money of another amount than is due as the payment.
///
/// It must be held for review (`amount_differs`). An open order becomes paid; its total stays as it is, and the books have the
/// difference. A repeat changes nothing.
#[utoipa::path(
    post, path = "/orders/{order}/accept", tag = "Orders", operation_id = "acceptPayment",
    params(OrderPath),
    request_body = NewAcceptanceBody,
    responses(
        (status = 200, description = "The money is accepted.", body = Envelope<OrderView>),
        refusals::AcceptPayment,
    ),
    security(("api_key" = ["payments:write"])),
)]
pub(crate) async fn accept(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::PaymentsWrite).await?;
    let which = order_ref(&order)?;
    let body = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let body = parse_json(&request, &body, INVALID_ACCEPTANCE)?;
    let currency = api.app.get_order(&which, &Access::All).await?.total.currency();
    let new = new_acceptance(&body, currency)?;
    let accepted = api.app.for_request().accept_payment(&which, &new).await?;
    let message = if accepted.is_note_stored {
        "Payment accepted successfully"
    } else {
        "The payment was accepted before, with another note"
    };
    Ok(success(StatusCode::OK, message, OrderView::of(&accepted.order)))
}

/// Refunds money.
///
/// All that can still be refunded without an amount. A repeat with the same `Idempotency-Key` gets the first refund.
#[utoipa::path(
    post, path = "/orders/{order}/refunds", tag = "Orders", operation_id = "refundOrder",
    params(OrderPath, IdempotencyKeyHeader),
    request_body = Option<NewRefundBody>,
    responses(
        (status = 201, description = "The refund is requested.", body = Envelope<RefundView>),
        refusals::RefundOrder,
    ),
    security(("api_key" = ["payments:write"]), ("api_key" = ["payments:write"], "bearer" = [])),
)]
pub(crate) async fn refund(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let key = application(&api, &request, Scope::PaymentsWrite).await?;
    let (which, access) = (order_ref(&order)?, bearer_access_or_all(&api, &request).await?);
    let raw = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let body = parse_json_if_any(&request, &raw, INVALID_REFUND)?;
    let found = api.app.get_order(&which, &access).await?;
    let new = new_refund(&body, found.total.currency())?;
    let idempotent = idempotency_key(&request)?.map(|text| {
        // The order's id is part of the request, whether its id or its number is in the path.
        let digest = Sha256::new_with_prefix(found.id.0.as_bytes()).chain_update(&raw).finalize();
        (IdempotencyKey { scope: key.application, key: text }, digest.into())
    });
    let app = api.app.for_request();
    let refunded = app.refund_payment(&which, &access, &new, idempotent).await?;
    let mut response = success(StatusCode::CREATED, "Refund requested successfully", RefundView::of(&refunded.refund));
    if refunded.replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Closes a failed refund.
///
/// Records that its money went back in another way, so that it no longer waits for a person. Nothing is moved, and what
/// Stripe still holds can be refunded if the amount is named. A repeat changes nothing.
#[utoipa::path(
    post, path = "/orders/{order}/refunds/{refund}/close", tag = "Orders", operation_id = "closeRefund",
    params(OrderPath, RefundPath),
    request_body = NewClosingBody,
    responses(
        (status = 200, description = "The refund is closed.", body = Envelope<RefundView>),
        refusals::CloseRefund,
    ),
    security(("api_key" = ["payments:write"])),
)]
pub(crate) async fn close_refund(
    api: Data<Api>,
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::PaymentsWrite).await?;
    let (order, number) = path.into_inner();
    let (which, number) = (order_ref(&order)?, refund_number(&number)?);
    let body = read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?;
    let body = parse_json(&request, &body, INVALID_REFUND)?;
    let currency = api.app.get_order(&which, &Access::All).await?.total.currency();
    let new = new_closing(&body, currency)?;
    let closed = api.app.for_request().close_refund(&which, number, &new).await?;
    let message = if closed.is_note_stored {
        "Refund closed successfully"
    } else {
        "The refund was closed before, with another note"
    };
    Ok(success(StatusCode::OK, message, RefundView::of(&closed.refund)))
}

/// Reads the number of a refund in a path. No refund has one that is not a number.
pub(crate) fn refund_number(text: &str) -> Result<u32, Problem> {
    let detail = "the order has no such refund: refunds are numbered from 1";
    let is_number = |it: &u32| it.to_string() == text;
    text.parse().ok().filter(is_number).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, REFUND_NOT_FOUND, detail))
}

/// Lists the refunds of an order, including those made at Stripe.
#[utoipa::path(
    get, path = "/orders/{order}/refunds", tag = "Orders", operation_id = "listRefunds",
    params(OrderPath),
    responses(
        (status = 200, description = "All refunds of the order.", body = Envelope<Vec<RefundView>>),
        refusals::ReadOrder,
    ),
    security(("api_key" = ["orders:read"]), ("api_key" = ["orders:read"], "bearer" = [])),
)]
pub(crate) async fn refunds(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::OrdersRead).await?;
    let order = api.app.get_order(&which, &access).await?;
    Ok(success(StatusCode::OK, "Refunds", RefundView::all(&order)))
}

/// Explains why an order is in its state, with what it has in the books for an application that may read them.
#[utoipa::path(
    get, path = "/orders/{order}/explain", tag = "Orders", operation_id = "explainOrder",
    params(OrderPath),
    responses(
        (status = 200, description = "Reasons, what happened, and what happens next.", body = Envelope<ExplanationView>),
        refusals::ExplainOrder,
    ),
    security(("api_key" = ["orders:read"]), ("api_key" = ["orders:read"], "bearer" = [])),
)]
pub(crate) async fn explain(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let key = application(&api, &request, Scope::OrdersRead).await?;
    let (which, access) = (order_ref(&order)?, bearer_access_or_all(&api, &request).await?);
    let explanation = api.app.explain(&which, &access).await?;
    let sees_books = matches!(access, Access::All) && has_scope(&api, &key, Scope::BooksRead);
    if !sees_books {
        return Ok(success(StatusCode::OK, "Explanation", ExplanationView::of(&explanation)));
    }
    let ledger = api.books.ledger(explanation.order.id).await?;
    Ok(success(StatusCode::OK, "Explanation", ExplanationView::with_books(&explanation, &ledger)))
}

/// Creates or returns the one PaymentIntent that the customer can pay.
#[utoipa::path(
    post, path = "/orders/{order}/payment-intent", tag = "Orders", operation_id = "createPaymentIntent",
    params(OrderPath),
    responses(
        (status = 200, description = "The PaymentIntent, with the client secret for the browser.", body = Envelope<PaymentView>),
        refusals::CreatePaymentIntent,
    ),
    security(("api_key" = ["orders:write"], "bearer" = [])),
)]
pub(crate) async fn payment_intent(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    application(&api, &request, Scope::OrdersWrite).await?;
    let access = bearer_access(&api, &request).await?;
    let which = order_ref(&order)?;
    let app = api.app.for_request();
    let payable = app.create_payment_intent(&which, &access).await?;
    payment(&payable.order, payable.client_secret.as_ref(), "Payment intent created successfully")
}

/// Confirms a payment: callback of a payment system that says the order is paid.
///
/// The PaymentIntent is read from Stripe.
#[utoipa::path(
    post, path = "/orders/{order}/payment", tag = "Orders", operation_id = "confirmPayment",
    params(OrderPath),
    responses(
        (status = 200, description = "The order is paid.", body = Envelope<PaymentView>),
        refusals::ConfirmPayment,
    ),
    security(("api_key" = ["payments:write"]), ("api_key" = ["payments:write"], "bearer" = [])),
)]
pub(crate) async fn confirm_payment(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (which, access) = named_order(&api, &request, &order, Scope::PaymentsWrite).await?;
    let app = api.app.for_request();
    let checked = app.check_payment(&which, &access).await?;
    payment(&checked.order, checked.client_secret.as_ref(), "Order marked as paid")
}

fn payment(
    order: &Order,
    client_secret: Option<&SecretString>,
    message: &'static str,
) -> Result<HttpResponse, Problem> {
    let view = PaymentView::of(order, client_secret.map(ExposeSecret::expose_secret))
        .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the order has no PaymentIntent"))?;
    Ok(success(StatusCode::OK, message, view))
}
