//! `/order_status` and `/account`: completed orders, and the saved cards of a customer.

use std::ops::RangeInclusive;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{AccountOrder, OrderRef, OrdersPage, Storefront};
use paywright_domain::id::PaymentMethodId;
use paywright_domain::storefront::Cart;
use serde_json::json;

use super::cart;
use super::document::{Resource, answer};
use super::pages::{Page, list_answer};
use super::params::Params;
use super::refusal::Refusal;
use super::resources::{self, PAYMENT_METHOD};
use super::shopper::Call;
use crate::Api;

/// Orders on a page where the request names no number.
const PAGE_DEFAULT: u16 = 25;
/// Numbers that a page may have.
const PAGE_NUMBERS: RangeInclusive<u32> = 1..=u32::MAX;

/// `GET /order_status/{number}`: a completed order, for the holder of its cart's token, and for its customer.
pub(super) async fn order_status(api: Data<Api>, call: Call, number: Path<String>) -> Result<HttpResponse, Refusal> {
    let session = api.storefront.order_status(&call.shopper, &number).await?;
    cart::cart(&api, StatusCode::OK, &session, &call.show).await
}

/// Resource of a completed order, or of one that is being paid.
pub(super) fn order_resource(api: &Api, found: &AccountOrder) -> Result<Resource, Refusal> {
    let (order, cart) = (&found.order, found.cart.as_ref());
    let of_cart = |it: &Cart| api.tokens.cart_token(it.id, it.was_guests);
    let token = cart.map_or_else(|| api.tokens.order_token(order.id), of_cart);
    Ok(resources::order(order, cart, &token, api.publishable_key.as_deref())?)
}

/// Reads the number and the size of a page.
fn page(params: &Params) -> Result<Page, Refusal> {
    // As Spree does: an integer out of its limits means the default, and clients rely on it.
    let number = params.integer_or("page", PAGE_NUMBERS, 1)?;
    Ok(Page { number, size: params.integer_or("per_page", 1..=Storefront::ORDERS_PAGE_MAX, PAGE_DEFAULT)? })
}

/// Reads `page`, `per_page` and `sort`.
fn orders_page(params: &Params) -> Result<OrdersPage, Refusal> {
    let Page { number, size } = page(params)?;
    let oldest_first = match params.text("sort")?.as_deref() {
        None | Some("-completed_at" | "-created_at") => false,
        Some("completed_at" | "created_at") => true,
        Some(_) => return Err(Refusal::bad_request("sort must be completed_at or -completed_at")),
    };
    Ok(OrdersPage { number, size, oldest_first })
}

/// `GET /account/orders?page=&per_page=&sort=`: completed orders.
pub(super) async fn orders(api: Data<Api>, request: HttpRequest, call: Call) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let wanted = orders_page(&call.params)?;
    let found = api.storefront.completed_orders(&customer, &wanted).await?;
    let mut shown = found.orders.iter().map(|it| order_resource(&api, it)).collect::<Result<Vec<_>, _>>()?;
    for user in shown.iter_mut().flat_map(|it| it.related_mut("user")) {
        user.set("completed_orders", json!(found.total));
    }
    let page = Page { number: wanted.number, size: wanted.size };
    Ok(list_answer(&api, &request, page, &call.show, (&shown, found.total)))
}

/// `GET /account/orders/{number}`: a completed order of the customer.
pub(super) async fn order(api: Data<Api>, call: Call, number: Path<String>) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let which = OrderRef::parse(&number).map_err(|_| Refusal::not_found())?;
    let order = api.storefront.completed_order(&which, &customer).await?;
    let mut shown = order_resource(&api, &order)?;
    cart::read_included(&api, &mut shown, (Some(&customer), Some(&order.order)), &call.show).await?;
    Ok(answer(StatusCode::OK, &call.show.one(&shown)))
}

/// `GET /account/credit_cards?page=&per_page=&filter[payment_method_id]=`: the saved cards of the customer.
pub(super) async fn credit_cards(api: Data<Api>, request: HttpRequest, call: Call) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let page = page(&call.params)?;
    let method = call.params.under("filter")?.unwrap_or_default().text("payment_method_id")?;
    let mut cards = api.storefront.account_cards(&customer).await?;
    cards.retain(|_| method.as_deref().is_none_or(|it| it == PAYMENT_METHOD));
    let total = u64::try_from(cards.len()).unwrap_or(u64::MAX);
    let key = api.publishable_key.as_deref();
    let shown: Vec<_> = page.of(cards).iter().map(|it| resources::credit_card(it, key)).collect();
    Ok(list_answer(&api, &request, page, &call.show, (&shown, total)))
}

/// `GET /account/credit_cards/default`: the customer's default card.
pub(super) async fn default_credit_card(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let card = api.storefront.account_card(&call.customer()?, None).await?;
    Ok(answer(StatusCode::OK, &call.show.one(&resources::credit_card(&card, api.publishable_key.as_deref()))))
}

/// `GET /account/credit_cards/{card}`: a saved card of the customer.
pub(super) async fn credit_card(api: Data<Api>, call: Call, card: Path<String>) -> Result<HttpResponse, Refusal> {
    let card = api.storefront.account_card(&call.customer()?, Some(&card)).await?;
    Ok(answer(StatusCode::OK, &call.show.one(&resources::credit_card(&card, api.publishable_key.as_deref()))))
}

/// `DELETE /account/credit_cards/{card}`: removes a saved card of the customer.
pub(super) async fn remove_credit_card(
    api: Data<Api>,
    call: Call,
    card: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let card = PaymentMethodId::new(card.into_inner()).map_err(|_| Refusal::not_found())?;
    let storefront = api.storefront.for_request();
    storefront.forget_card(&customer, &card).await?;
    Ok(HttpResponse::NoContent().finish())
}
