//! Shop dialect, version 1: `/api/v1/shop`.

mod body;
mod endpoints;
mod event_pages;
mod events;
mod orders;
mod view;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig, get};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, App, GetOrderError, OrderRef, OrderRefError, Scope};

use crate::Api;
use crate::auth::{application, bearer_access_or_all};
use crate::problem::Problem;
use crate::reader::Reader;
use crate::routes::{delete, patch, post, resource};
use view::Envelope;

pub use event_pages::EventPages;
pub(crate) use view::ExplanationView;

/// Number of items on a page without a `limit`.
const PAGE_DEFAULT: u16 = 20;

/// Adds every route of the dialect.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let scope = web::scope("/api/v1/shop")
        .service(resource("/orders").route(post(orders::place)).route(get().to(orders::list)))
        .service(resource("/orders/{order}").route(get().to(orders::read)).route(patch(orders::edit)))
        .service(resource("/orders/{order}/cancel").route(post(orders::cancel)))
        .service(resource("/orders/{order}/capture").route(post(orders::capture)))
        .service(resource("/orders/{order}/refunds").route(post(orders::refund)).route(get().to(orders::refunds)))
        .service(resource("/orders/{order}/explain").route(get().to(orders::explain)))
        .service(resource("/orders/{order}/payment-intent").route(post(orders::payment_intent)))
        .service(resource("/orders/{order}/payment").route(post(orders::confirm_payment)))
        .service(resource("/events").route(get().to(events::list)))
        .service(resource("/webhook_endpoints").route(post(endpoints::create)).route(get().to(endpoints::list)))
        .service(
            resource("/webhook_endpoints/{endpoint}")
                .route(get().to(endpoints::read))
                .route(patch(endpoints::update))
                .route(delete(endpoints::delete)),
        )
        .service(resource("/webhook_endpoints/{endpoint}/rotate_secret").route(post(endpoints::rotate_secret)))
        .service(resource("/webhook_endpoints/{endpoint}/disable").route(post(endpoints::disable)))
        .service(resource("/webhook_endpoints/{endpoint}/enable").route(post(endpoints::enable)))
        .service(resource("/webhook_endpoints/{endpoint}/test").route(post(endpoints::test)))
        .service(resource("/webhook_endpoints/{endpoint}/resend").route(post(endpoints::resend)))
        .service(resource("/webhook_endpoints/{endpoint}/replay").route(post(endpoints::replay)))
        .service(resource("/webhook_endpoints/{endpoint}/attempts").route(get().to(endpoints::attempts)));
    config.service(scope);
}

/// Reads an order's id or number in a path or a query.
fn order_ref(text: &str) -> Result<OrderRef, Problem> {
    match OrderRef::parse(text) {
        Ok(which @ (OrderRef::Id(_) | OrderRef::Number(_))) => Ok(which),
        Err(OrderRefError::NoSuchNumber) => Err(GetOrderError::NotFound.into()),
        Ok(OrderRef::Intent(_)) | Err(OrderRefError::Malformed) => {
            let detail = "the order must be an id (a UUID) or an order number (ORD-...)";
            Err(Problem::bad_request("order_id_malformed", detail))
        }
    }
}

/// Authenticates a call about an order. Gives the order in the path, and the orders that the caller has access to.
async fn named_order(
    api: &Api,
    request: &HttpRequest,
    order: &str,
    scope: Scope,
) -> Result<(OrderRef, Access), Problem> {
    application(api, request, scope).await?;
    let access = bearer_access_or_all(api, request)?;
    Ok((order_ref(order)?, access))
}

/// Answer of a successful call.
fn success(status: StatusCode, message: &'static str, data: impl serde::Serialize) -> HttpResponse {
    HttpResponse::build(status).json(Envelope { message, data })
}

/// Reads the `limit` of a list; [`PAGE_DEFAULT`] if there is none.
fn page_limit(query: &mut Reader<'_>) -> u16 {
    let limit = query.optional("limit", |it| {
        let limit = it.as_str().and_then(|it| it.parse().ok()).filter(|it| (1..=App::PAGE_MAX).contains(it));
        Ok(limit.ok_or_else(|| format!("must be 1 to {}", App::PAGE_MAX))?)
    });
    limit.unwrap_or(PAGE_DEFAULT)
}
