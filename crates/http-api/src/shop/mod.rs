//! Shop dialect, version 1: `/api/v1/shop`.

mod audit_trail;
mod body;
mod books;
mod endpoints;
mod event_pages;
mod events;
mod orders;
mod view;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, App, GetOrderError, OrderRef, OrderRefError, Scope};
use utoipa::openapi::KnownFormat;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::OneOfBuilder;

use crate::Api;
use crate::auth::{application, bearer_access_or_all};
use crate::openapi::schema::{in_path, integer, parameters, query, string, string_in};
use crate::problem::Problem;
use crate::reader::Reader;
use crate::routes::{delete, get, patch, post, resource};
use view::Envelope;

pub(crate) use body::{cancel_reason, capture_amount, new_acceptance, new_closing, new_refund};
pub use event_pages::EventPages;
pub(crate) use view::ExplanationView;

/// Number of items on a page without a `limit`.
const PAGE_DEFAULT: u16 = 20;

/// Beginning of all paths of the dialect.
pub(crate) const PREFIX: &str = "/api/v1/shop";

/// Registers the routes, and collects the descriptions of their handlers: a handler without one does not compile.
macro_rules! routes {
    ($($path:literal: $($method:ident $($handler:ident)::+),+;)+) => {
        /// Adds every route of the dialect.
        pub(crate) fn configure(config: &mut ServiceConfig) {
            let scope = web::scope(PREFIX)
                $(.service(resource($path, &[$(stringify!($method)),+])$(.route($method($($handler)::+)))+))+;
            config.service(scope);
        }

        /// Methods and paths of all routes.
        #[cfg(test)]
        pub(crate) const ROUTES: &[(&str, &str)] = &[$($((stringify!($method), $path)),+),+];

        /// Description of the handlers of all routes.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($($handler)::+),+),+))]
        pub(crate) struct Description;
    };
}

routes! {
    "/orders": post orders::place, get orders::list;
    "/orders/{order}": get orders::read, patch orders::edit;
    "/orders/{order}/cancel": post orders::cancel;
    "/orders/{order}/accept": post orders::accept;
    "/orders/{order}/capture": post orders::capture;
    "/orders/{order}/refunds": post orders::refund, get orders::refunds;
    "/orders/{order}/refunds/{refund}/close": post orders::close_refund;
    "/orders/{order}/explain": get orders::explain;
    "/orders/{order}/ledger": get books::ledger;
    "/orders/{order}/payment-intent": post orders::payment_intent;
    "/orders/{order}/payment": post orders::confirm_payment;
    "/books/statement": get books::statement;
    "/books/payouts": get books::payouts;
    "/books/payouts/{payout}": get books::payout;
    "/books/breaks": get books::breaks;
    "/books/breaks/resolve": post books::resolve;
    "/audit_entries": get audit_trail::list;
    "/events": get events::list;
    "/webhook_endpoints": post endpoints::create, get endpoints::list;
    "/webhook_endpoints/{endpoint}": get endpoints::read, patch endpoints::update, delete endpoints::delete;
    "/webhook_endpoints/{endpoint}/rotate_secret": post endpoints::rotate_secret;
    "/webhook_endpoints/{endpoint}/disable": post endpoints::disable;
    "/webhook_endpoints/{endpoint}/enable": post endpoints::enable;
    "/webhook_endpoints/{endpoint}/test": post endpoints::test;
    "/webhook_endpoints/{endpoint}/resend": post endpoints::resend;
    "/webhook_endpoints/{endpoint}/replay": post endpoints::replay;
    "/webhook_endpoints/{endpoint}/attempts": get endpoints::attempts;
}

parameters! {
    /// Order in the path, which [`order_ref`] reads.
    OrderPath = [in_path("order", "Id or number of the order.", order_schema())];
}

/// Id or number of an order, in letters of either case.
fn order_schema() -> OneOfBuilder {
    let number = "^[Oo][Rr][Dd]-[0-9]{8}-[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{6}$";
    OneOfBuilder::new().item(string_in(KnownFormat::Uuid)).item(string().pattern(Some(number)))
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
    let access = bearer_access_or_all(api, request).await?;
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

/// First `limit` items, and the last of them if more follow.
pub(crate) fn page_of<T>(found: &[T], limit: u16) -> (&[T], Option<&T>) {
    match found.split_at_checked(limit.into()) {
        Some((page, [_, ..])) => (page, page.last()),
        Some((page, [])) => (page, None),
        None => (found, None),
    }
}

/// Parameter that [`page_limit`] reads.
fn limit_parameter() -> Parameter {
    let schema = integer(1, App::PAGE_MAX).default(Some(PAGE_DEFAULT.into()));
    query("limit", "Number of items on the page.", schema)
}
