//! `/cart`: lines, coupons, currency and owner of a cart.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use paywright_app::{AccountCard, CartEdit, Session, Shopper, StorefrontError};
use paywright_domain::Order;
use paywright_domain::id::CustomerId;
use paywright_domain::order::QUANTITY_MAX;
use paywright_domain::storefront::{Address, CouponCode, LineId, VariantId};
use serde_json::json;

use super::country::country;
use super::document::{Resource, Show, answer};
use super::params::{NO_COUNTRY, Params};
use super::refusal::Refusal;
use super::resources;
use super::shopper::Call;
use crate::Api;

/// Answers with the cart, as almost every call does.
pub(super) async fn cart(
    api: &Api,
    status: StatusCode,
    session: &Session,
    show: &Show,
) -> Result<HttpResponse, Refusal> {
    Ok(answer(status, &show.one(&resource(api, session, show).await?)))
}

pub(super) async fn resource(api: &Api, session: &Session, show: &Show) -> Result<Resource, Refusal> {
    let token = api.tokens.cart_token(session.cart.id, session.cart.was_guests);
    let terms = if show.includes("shipments") { Some(api.storefront.terms().await?) } else { None };
    let mut cart = resources::cart(session, &token, api.publishable_key.as_deref(), terms.as_ref())?;
    read_included(api, &mut cart, (session.cart.customer.as_ref(), session.order.as_ref()), show).await?;
    Ok(cart)
}

/// Reads what included resources of a cart or an order need: how many orders its user has completed, and the card that paid
/// it.
pub(super) async fn read_included(
    api: &Api,
    resource: &mut Resource,
    (customer, order): (Option<&CustomerId>, Option<&Order>),
    show: &Show,
) -> Result<(), Refusal> {
    if let Some(customer) = customer.filter(|_| show.names("user")) {
        let completed = api.storefront.completed_order_count(customer).await?;
        resource.related_mut("user").for_each(|it| it.set("completed_orders", json!(completed)));
    }
    let card = match order.filter(|_| show.names("source")) {
        Some(order) => api.storefront.card_of_payment(order).await,
        None => None,
    };
    if let Some(card) = card {
        let card = resources::credit_card(&AccountCard { card, is_default: false }, api.publishable_key.as_deref());
        // A cart and an order have payments, an intent has one.
        for name in ["payments", "payment"] {
            resource.related_mut(name).for_each(|it| it.relate("source", card.clone()));
        }
    }
    Ok(())
}

/// Edits the cart of a call and answers with it.
async fn edit_cart(api: &Api, call: Call, edit: CartEdit) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.edit_cart(&shopper, &edit).await?;
    cart(api, StatusCode::OK, &session, &call.show).await
}

/// `POST /cart`: creates a cart, or returns the shopper's.
pub(super) async fn create(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let metadata = call.params.metadata("public_metadata")?;
    check_private_metadata(&call.params)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.create_cart(&shopper, &metadata).await?;
    cart(&api, StatusCode::CREATED, &session, &call.show).await
}

/// `GET /cart`: the shopper's open cart.
pub(super) async fn show(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let session = api.storefront.current(&call.shopper).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `DELETE /cart`: deletes the cart, and cancels its order.
pub(super) async fn remove(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    storefront.remove_cart(&shopper).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn variant_id(params: &Params) -> Result<VariantId, Refusal> {
    // A text that cannot be an id is the id of no variant.
    VariantId::new(params.required("variant_id")?).map_err(|_| Refusal::not_found())
}

/// Reads `quantity`. One below 1 is refused in Spree's words.
fn quantity(params: &Params) -> Result<Option<u32>, Refusal> {
    if params.is_below("quantity", 1)? {
        return Err(not_positive());
    }
    Ok(params.integer_in("quantity", 1..=QUANTITY_MAX)?)
}

fn not_positive() -> Refusal {
    Refusal::failed("Quantity has to be greater than 0")
}

/// Refuses `private_metadata`, which is not stored: nobody could read it.
fn check_private_metadata(params: &Params) -> Result<(), Refusal> {
    let is_empty = params.metadata("private_metadata")?.is_empty();
    if is_empty { Ok(()) } else { Err(Refusal::invalid("private_metadata", "is not stored: use public_metadata")) }
}

/// `POST /cart/add_item`: adds `quantity` (by default 1) of `variant_id`, with `public_metadata` of its line.
pub(super) async fn add_item(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (variant, quantity) = (variant_id(&call.params)?, quantity(&call.params)?.unwrap_or(1));
    let metadata = call.params.metadata("public_metadata")?;
    let metadata = call.params.get("public_metadata").map(|_| metadata);
    check_private_metadata(&call.params)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.add_item(&shopper, &variant, quantity, metadata.as_ref()).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /cart/set_quantity`: sets the `quantity` of `line_item_id`.
pub(super) async fn set_quantity(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let line: LineId = call.params.required("line_item_id")?.parse().map_err(Refusal::from)?;
    let quantity = quantity(&call.params)?.ok_or_else(not_positive)?;
    edit_cart(&api, call, CartEdit::SetQuantity { line, quantity }).await
}

/// `DELETE /cart/remove_line_item/{line}`: removes a line.
pub(super) async fn remove_line_item(api: Data<Api>, call: Call, path: Path<String>) -> Result<HttpResponse, Refusal> {
    let line: LineId = path.parse().map_err(Refusal::from)?;
    edit_cart(&api, call, CartEdit::RemoveLine(line)).await
}

/// `PATCH /cart/empty`: removes all lines.
pub(super) async fn empty(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    edit_cart(&api, call, CartEdit::Empty).await
}

/// Reads a coupon code. A text that cannot be one is refused as an unknown code.
pub(super) fn coupon(text: &str) -> Result<CouponCode, Refusal> {
    CouponCode::new(text)
        .map_err(|_| StorefrontError::Cart(paywright_domain::storefront::CartError::NoSuchCoupon).into())
}

/// `PATCH /cart/apply_coupon_code`: applies `coupon_code`.
pub(super) async fn apply_coupon_code(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let code = coupon(&call.params.text("coupon_code")?.unwrap_or_default())?;
    edit_cart(&api, call, CartEdit::ApplyCoupon(code)).await
}

/// `DELETE /cart/remove_coupon_code/{code}`: removes a coupon.
pub(super) async fn remove_coupon_code(
    api: Data<Api>,
    call: Call,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let code = coupon(&path)?;
    edit_cart(&api, call, CartEdit::RemoveCoupon(code)).await
}

/// `DELETE /cart/remove_coupon_code`: removes the coupon `coupon_code`, or every coupon where the request names none.
pub(super) async fn remove_coupon_codes(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let edit = match call.params.text("coupon_code")?.filter(|it| !it.trim().is_empty()) {
        Some(code) => CartEdit::RemoveCoupon(coupon(&code)?),
        None => CartEdit::RemoveAllCoupons,
    };
    edit_cart(&api, call, edit).await
}

/// `GET /cart/estimate_shipping_rates?country_iso=`: the shipping rates to a country; by default, to that of the shipping
/// address, and else to the default country of the storefront.
pub(super) async fn estimate_shipping_rates(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let given = call.params.text("country_iso")?.filter(|it| !it.trim().is_empty());
    let given =
        given.map(|it| country(&it).ok_or_else(|| call.params.problem("country_iso", NO_COUNTRY))).transpose()?;
    let cart = api.storefront.current(&call.shopper).await?.cart;
    let of_address = || cart.shipping_address.as_ref().map(|it| it.country);
    let country = given.or_else(of_address).unwrap_or_else(|| api.storefront.country());
    let terms = api.storefront.terms().await?;
    let rates = resources::shipping_rates(&cart, &Address::of(country), &terms)?;
    Ok(answer(StatusCode::OK, &call.show.many(&rates)))
}

/// `PATCH /cart/associate`: assigns the cart of `guest_order_token` to the customer of the bearer token.
pub(super) async fn associate(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let named = call.params.text("guest_order_token")?.and_then(|it| api.tokens.holder(&it, api.app.now()));
    let guest = named.unwrap_or(Shopper { customer: None, currency: None, ..call.shopper });
    if guest.subject.is_none() {
        return Err(Refusal::not_found());
    }
    let storefront = api.storefront.for_request();
    let session = storefront.associate(&guest, &customer).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /cart/change_currency`: changes the currency to `new_currency`.
pub(super) async fn change_currency(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let unsupported = |_| Refusal::failed("Currency not supported");
    let currency = call.params.required("new_currency")?.parse().map_err(unsupported)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.change_currency(&shopper, currency).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// Reads the cart of the shopper's token, in whatever state it is.
pub(super) async fn cart_of_token(api: &Api, shopper: &Shopper) -> Result<Session, Refusal> {
    api.storefront.opened(shopper).await?.ok_or_else(Refusal::not_found)
}
