//! `/checkout`: addresses, delivery, payment method and completion.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use paywright_app::{CartChange, RateChoice};
use paywright_domain::id::PaymentMethodId;
use paywright_domain::storefront::{Address, CheckoutEdit, CheckoutStep, FieldEdit, PaymentMethodChoice};
use paywright_domain::text::{Email, Text};
use serde_json::json;

use super::cart::{cart, coupon, resource};
use super::content::PricedContent;
use super::document::answer;
use super::params::Params;
use super::refusal::Refusal;
use super::resources::{self, PAYMENT_METHOD};
use super::shopper::Call;
use crate::Api;
use crate::reader::FieldProblems;

/// Reads an edit of the checkout: first every field on its own, then the coupon and the payment method.
fn checkout_edit(params: &Params) -> Result<CheckoutEdit, Refusal> {
    let mut problems = FieldProblems::default();
    let given = fields(params, &mut problems);
    let mut edit = problems.done(given)?;
    let order = params.under_root("order")?.unwrap_or_default();
    if let Some(code) = order.text("coupon_code")?.filter(|it| !it.trim().is_empty()) {
        edit.coupon = Some(coupon(&code)?);
    }
    for payment in order.each("payments_attributes")? {
        check_payment_method(&payment)?;
        let source = payment.under("source_attributes")?.unwrap_or_default();
        edit.payment_method = new_card(&source)?.or(edit.payment_method);
    }
    if let Some(source) = params.under("payment_source")?.unwrap_or_default().under(PAYMENT_METHOD)? {
        edit.payment_method = new_card(&source)?.or(edit.payment_method);
    }
    if let Some(card) = order.text("existing_card")? {
        edit.payment_method = Some(PaymentMethodChoice::Saved(card_id(&card)?));
    }
    Ok(edit)
}

/// Reads the fields that do not depend on each other, and notes every problem of them.
fn fields(params: &Params, problems: &mut FieldProblems) -> Option<CheckoutEdit> {
    let keeps_step = problems.keep(params.flag("do_not_change_state"));
    let order = problems.keep(params.under_root("order"))?.unwrap_or_default();
    let email = problems.keep(order.text("email")).flatten();
    let email = email.and_then(|it| problems.take("email", Email::new(it)));
    let special_instructions = special_instructions(&order, problems);
    let billing_address = problems.merge(address(&order, "bill_address"));
    let shipping_address = problems.merge(address(&order, "ship_address"));
    let use_billing = problems.keep(order.flag("use_billing"));
    let use_shipping = problems.keep(order.flag("use_shipping"));
    // A cart has one shipment: the last rate that is named is chosen.
    let mut shipping_rate = None;
    for shipment in problems.keep(order.each("shipments_attributes"))? {
        shipping_rate = problems.keep(shipment.text("selected_shipping_rate_id")).flatten().or(shipping_rate);
    }
    Some(CheckoutEdit {
        email,
        special_instructions,
        billing_address: billing_address?,
        shipping_address: shipping_address?,
        use_billing: use_billing?,
        use_shipping: use_shipping?,
        shipping_rate,
        keeps_step: keeps_step?,
        ..CheckoutEdit::default()
    })
}

fn special_instructions(order: &Params, problems: &mut FieldProblems) -> FieldEdit<Text<1, 1000>> {
    if !order.names("special_instructions") {
        return FieldEdit::Keep;
    }
    let text = problems.keep(order.text("special_instructions")).flatten().filter(|it| !it.trim().is_empty());
    let text = text.and_then(|it| problems.take("special_instructions", Text::new(it)));
    text.map_or(FieldEdit::Clear, FieldEdit::Set)
}

/// Reads a whole address, or `CLEAR` in place of the id of a saved one: no saved addresses are kept.
fn address(order: &Params, name: &str) -> Result<FieldEdit<Address>, FieldProblems> {
    let id = format!("{name}_id");
    match order.text(&id)?.as_deref() {
        Some("CLEAR") => return Ok(FieldEdit::Clear),
        Some(_) => return Err(order.problem(&id, "is not known: give the whole address").into()),
        None => {}
    }
    let Some(given) = order.under(&format!("{name}_attributes"))? else { return Ok(FieldEdit::Keep) };
    Ok(FieldEdit::Set(given.at(name).address()?))
}

fn check_payment_method(params: &Params) -> Result<(), Refusal> {
    match params.text("payment_method_id")?.as_deref() {
        Some(PAYMENT_METHOD) => Ok(()),
        Some(_) | None => Err(Refusal::failed("payment_method_not_found")),
    }
}

fn card_id(text: &str) -> Result<PaymentMethodId, Refusal> {
    let is_payment_method = text.starts_with("pm_");
    PaymentMethodId::new(text).ok().filter(|_| is_payment_method).ok_or_else(|| Refusal::failed("source_not_found"))
}

/// Reads the PaymentMethod that the browser has created at Stripe.
fn new_card(source: &Params) -> Result<Option<PaymentMethodChoice>, Refusal> {
    let id = source.text("gateway_payment_profile_id")?;
    id.map(|it| Ok(PaymentMethodChoice::New(card_id(&it)?))).transpose()
}

/// `PATCH /checkout`: edits the cart at checkout.
pub(super) async fn update(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let edit = checkout_edit(&call.params)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.edit_checkout(&shopper, &edit).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /checkout/next`: proceeds one step.
pub(super) async fn next(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.next(&shopper).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /checkout/advance`: to `state`, or as far as nothing is missing.
pub(super) async fn advance(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let goal = call.params.text("state")?;
    let unknown = || Refusal::invalid("state", "must be address, delivery or payment");
    let goal = goal.map(|it| CheckoutStep::named(&it).ok_or_else(unknown)).transpose()?;
    let or_first = call.params.flag("quick_checkout")?;
    let rate = call.params.text("shipping_method_id")?.map(|id| RateChoice { id, or_first });
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.advance(&shopper, goal, rate.as_ref()).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /checkout/complete`: completes the checkout of a paid order.
pub(super) async fn complete(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.complete(&shopper).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

fn message(change: &CartChange) -> String {
    match change {
        CartChange::Removed(name) => format!("{name} was removed because it was sold out"),
        CartChange::NotAtPayment => "Cart changed".to_owned(),
    }
}

/// `POST /checkout/validate_order_for_payment`: removes lines that are not sold any more, and lists them.
pub(super) async fn validate(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let at_any_step = call.params.flag("skip_state")?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let (session, changes) = storefront.validate_for_payment(&shopper, at_any_step).await?;
    if changes.is_empty() {
        return cart(&api, StatusCode::OK, &session, &call.show).await;
    }
    let mut document = call.show.one(&resource(&api, &session, &call.show).await?);
    if let Some(document) = document.as_object_mut() {
        let messages: Vec<String> = changes.iter().map(message).collect();
        document.insert("meta".to_owned(), json!({ "messages": messages }));
    }
    Err(Refusal::showing(document))
}

/// `GET /checkout/payment_methods`: the one payment method, Stripe.
pub(super) async fn payment_methods(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    api.storefront.current(&call.shopper).await?;
    let method = resources::payment_method(api.publishable_key.as_deref());
    Ok(answer(StatusCode::OK, &call.show.many(&[method])))
}

/// `GET /checkout/shipping_rates`: the shipment with its shipping rates. Refused, in Spree's words, for a cart without a
/// shipping address or without lines.
pub(super) async fn shipping_rates(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let cart = api.storefront.current(&call.shopper).await?.cart;
    if cart.shipping_address.is_none() {
        return Err(Refusal::failed("To generate Shipping Rates Order needs to have a Shipping Address"));
    }
    if cart.lines.is_empty() {
        return Err(Refusal::failed("To generate Shipping Rates you need to add some Line Items to Order"));
    }
    let terms = api.storefront.terms().await?;
    let shipments: Vec<_> =
        resources::shipment(&cart, &PricedContent::of_cart(&cart)?, Some(&terms))?.into_iter().collect();
    let show = call.show.including(&["shipping_rates", "stock_location", "line_items"]);
    Ok(answer(StatusCode::OK, &show.many(&shipments)))
}

/// `PATCH /checkout/select_shipping_method`: chooses `shipping_method_id`, for `shipment_id` if the caller names it.
pub(super) async fn select_shipping_method(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let rate = call.params.required("shipping_method_id")?;
    let shipment = call.params.text("shipment_id")?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.choose_shipping_rate(&shopper, shipment.as_deref(), &rate).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `POST /checkout/create_payment`: chooses a card and creates the PaymentIntent. The customer's browser confirms it.
pub(super) async fn create_payment(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    check_payment_method(&call.params)?;
    let saved = call.params.text("source_id")?.map(|it| card_id(&it)).transpose()?;
    let new = new_card(&call.params.under("source_attributes")?.unwrap_or_default())?;
    let amount = call.params.text("amount")?;
    if saved.is_some() {
        call.customer()?;
    }
    let choice = saved.map(PaymentMethodChoice::Saved).or(new);
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = storefront.create_payment(&shopper, choice.as_ref(), amount).await?;
    cart(&api, StatusCode::CREATED, &session, &call.show).await
}
