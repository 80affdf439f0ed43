//! `/checkout`: who pays, where to, how, and by what.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use paywright_app::{PaymentIntentParams, RateChoice, StorefrontError};
use paywright_domain::{Address, Cart, CheckoutStep, CouponCode, Email, PaymentMethodId, Terms, Text, Timestamp};
use serde_json::json;

use super::cart::{cart, changed, coupon, resource};
use super::document::answer;
use super::params::Params;
use super::refusal::Refusal;
use super::resources::{self, PAYMENT_METHOD};
use super::run;
use super::shopper::Call;
use super::sold::Sold;
use crate::Api;
use crate::reader::FieldProblems;

/// What becomes of a field.
#[derive(Debug, Clone, Default)]
enum Change<T> {
    /// It stays.
    #[default]
    None,
    /// It is this from now on, or nothing.
    To(Option<T>),
}

/// What a checkout changes: what is `None` stays.
#[derive(Debug, Clone, Default)]
struct Edit {
    email: Option<Email>,
    special_instructions: Change<Text<1, 1000>>,
    billing_address: Change<Address>,
    shipping_address: Change<Address>,
    use_billing: bool,
    use_shipping: bool,
    coupon: Option<CouponCode>,
    shipping_rate: Option<String>,
    payment_method: Option<PaymentMethodId>,
    /// A card that must be a saved one of the cart's customer.
    saved_card: Option<PaymentMethodId>,
    keeps_step: bool,
}

impl Edit {
    /// Reads all fields, and then what they name.
    fn of(params: &Params) -> Result<Self, Refusal> {
        let mut problems = FieldProblems::default();
        let given = Self::fields(params, &mut problems);
        let mut edit = problems.done(given)?;
        let order = params.under_root("order")?.unwrap_or_default();
        if let Some(code) = order.text("coupon_code")?.filter(|it| !it.trim().is_empty()) {
            edit.coupon = Some(coupon(&code)?);
        }
        for payment in order.each("payments_attributes")? {
            check_payment_method(&payment)?;
            let source = payment.under("source_attributes")?.unwrap_or_default();
            edit.payment_method = profile(&source)?.or(edit.payment_method);
        }
        if let Some(source) = params.under("payment_source")?.unwrap_or_default().under(PAYMENT_METHOD)? {
            edit.payment_method = profile(&source)?.or(edit.payment_method);
        }
        if let Some(card) = order.text("existing_card")? {
            let card = card_id(&card)?;
            edit.saved_card = Some(card.clone());
            edit.payment_method = Some(card);
        }
        Ok(edit)
    }

    /// Reads the fields that stand for themselves, and notes every problem of them.
    fn fields(params: &Params, problems: &mut FieldProblems) -> Option<Self> {
        let keeps_step = problems.keep(params.flag("do_not_change_state"));
        let order = problems.keep(params.under_root("order"))?.unwrap_or_default();
        let email = problems.keep(order.text("email")).flatten();
        let email = email.and_then(|it| problems.take("email", Email::new(it)));
        let special_instructions = if order.names("special_instructions") {
            let text = problems.keep(order.text("special_instructions")).flatten();
            let text = text.filter(|it| !it.trim().is_empty());
            Change::To(text.and_then(|it| problems.take("special_instructions", Text::new(it))))
        } else {
            Change::None
        };
        let billing_address = problems.merge(address(&order, "bill_address"));
        let shipping_address = problems.merge(address(&order, "ship_address"));
        let use_billing = problems.keep(order.flag("use_billing"));
        let use_shipping = problems.keep(order.flag("use_shipping"));
        // There is one shipment: the last that is said of it stands.
        let mut shipping_rate = None;
        for shipment in problems.keep(order.each("shipments_attributes"))? {
            shipping_rate = problems.keep(shipment.text("selected_shipping_rate_id")).flatten().or(shipping_rate);
        }
        Some(Self {
            email,
            special_instructions,
            billing_address: billing_address?,
            shipping_address: shipping_address?,
            use_billing: use_billing?,
            use_shipping: use_shipping?,
            shipping_rate,
            keeps_step: keeps_step?,
            ..Self::default()
        })
    }

    fn apply(&self, before: &Cart, terms: &Terms, now: Timestamp) -> Result<Cart, StorefrontError> {
        let mut cart = before.clone();
        if let Some(email) = &self.email {
            cart = cart.with_email(email.clone());
        }
        if let Change::To(text) = &self.special_instructions {
            cart = cart.with_special_instructions(text.clone());
        }
        if let Change::To(address) = &self.billing_address {
            cart = cart.with_billing_address(address.clone());
        }
        if let Change::To(address) = &self.shipping_address {
            cart = cart.with_shipping_address(address.clone());
        }
        if self.use_billing {
            let address = cart.billing_address.clone();
            cart = cart.with_shipping_address(address);
        }
        if self.use_shipping {
            let address = cart.shipping_address.clone();
            cart = cart.with_billing_address(address);
        }
        if let Some(code) = &self.coupon {
            cart = cart.with_coupon(code.clone(), terms, now)?;
        }
        if let Some(rate) = &self.shipping_rate {
            cart = cart.with_shipping_rate(rate, terms)?;
        }
        if self.payment_method.is_some() {
            cart = cart.with_payment_method(self.payment_method.clone());
        }
        Ok(if self.keeps_step { cart.at_step_of(before) } else { cart })
    }
}

/// An address in full, or `CLEAR` in the place of the name of a saved one. We keep no saved ones.
fn address(order: &Params, name: &str) -> Result<Change<Address>, FieldProblems> {
    let id = format!("{name}_id");
    match order.text(&id)?.as_deref() {
        Some("CLEAR") => return Ok(Change::To(None)),
        Some(_) => return Err(order.problem(&id, "is not known: give the whole address").into()),
        None => {}
    }
    let Some(given) = order.under(&format!("{name}_attributes"))? else { return Ok(Change::None) };
    Ok(Change::To(Some(given.at(name).address()?)))
}

fn check_payment_method(params: &Params) -> Result<(), Refusal> {
    match params.text("payment_method_id")?.as_deref() {
        Some(PAYMENT_METHOD) => Ok(()),
        Some(_) | None => Err(Refusal::failed("payment_method_not_found")),
    }
}

fn card_id(text: &str) -> Result<PaymentMethodId, Refusal> {
    let is_ours = text.starts_with("pm_");
    PaymentMethodId::new(text).ok().filter(|_| is_ours).ok_or_else(|| Refusal::failed("source_not_found"))
}

/// What the browser has made of a card at Stripe.
fn profile(source: &Params) -> Result<Option<PaymentMethodId>, Refusal> {
    source.text("gateway_payment_profile_id")?.map(|it| card_id(&it)).transpose()
}

/// `PATCH /checkout`.
pub(super) async fn update(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let edit = Edit::of(&call.params)?;
    if let Some(card) = &edit.saved_card {
        api.storefront.check_saved_card(&call.shopper, card).await?;
    }
    changed(&api, call, move |cart, terms, now| edit.apply(&cart, terms, now)).await
}

/// `PATCH /checkout/next`.
pub(super) async fn next(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = run(async move { storefront.next(&shopper).await }).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /checkout/advance`, up to `state` if it is given.
pub(super) async fn advance(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let goal = call.params.text("state")?;
    let unknown = || Refusal::invalid("state", "must be address, delivery or payment");
    let goal = goal.map(|it| CheckoutStep::named(&it).ok_or_else(unknown)).transpose()?;
    let or_first = call.params.flag("quick_checkout")?;
    let rate = call.params.text("shipping_method_id")?.map(|id| RateChoice { id, or_first });
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = run(async move { storefront.advance(&shopper, goal, rate.as_ref()).await }).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `PATCH /checkout/complete`.
pub(super) async fn complete(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = run(async move { storefront.complete(&shopper).await }).await?;
    cart(&api, StatusCode::OK, &session, &call.show).await
}

/// `POST /checkout/validate_order_for_payment`: takes out what is not sold any more, and says so.
pub(super) async fn validate(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let any_step = call.params.flag("skip_state")?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let (session, unsold) = run(async move { storefront.drop_unsold(&shopper).await }).await?;
    let mut messages: Vec<String> =
        unsold.iter().map(|it| format!("{it} was removed because it was sold out")).collect();
    if !any_step && session.cart.step != CheckoutStep::Payment {
        messages.push("Cart changed".to_owned());
    }
    if messages.is_empty() {
        return cart(&api, StatusCode::OK, &session, &call.show).await;
    }
    let mut document = call.show.one(&resource(&api, &session, &call.show).await?);
    if let Some(document) = document.as_object_mut() {
        document.insert("meta".to_owned(), json!({ "messages": messages }));
    }
    Err(Refusal::showing(document))
}

/// `GET /checkout/payment_methods`.
pub(super) async fn payment_methods(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    api.storefront.current(&call.shopper).await?;
    let method = resources::payment_method(api.publishable_key.as_deref());
    Ok(answer(StatusCode::OK, &call.show.many(&[method])))
}

/// `GET /checkout/shipping_rates`: the shipment, with the ways to ship it.
pub(super) async fn shipping_rates(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let cart = api.storefront.current(&call.shopper).await?.cart;
    let terms = api.storefront.terms().await?;
    let shipments: Vec<_> = resources::shipment(&cart, &Sold::of_cart(&cart)?, Some(&terms))?.into_iter().collect();
    let show = call.show.including(&["shipping_rates", "stock_location", "line_items"]);
    Ok(answer(StatusCode::OK, &show.many(&shipments)))
}

/// `PATCH /checkout/select_shipping_method`: `shipping_method_id`.
pub(super) async fn select_shipping_method(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let rate = call.params.required("shipping_method_id")?;
    let shipment = call.params.text("shipment_id")?;
    changed(&api, call, move |cart, terms, _| {
        if cart.shipping_address.is_none() || shipment.as_ref().is_some_and(|it| *it != cart.id.to_string()) {
            return Err(StorefrontError::NoShipment);
        }
        Ok(cart.with_shipping_rate(&rate, terms)?)
    })
    .await
}

/// `POST /checkout/create_payment`: chooses a card, and makes the payment intent that it is to pay. The customer's
/// browser confirms it.
pub(super) async fn create_payment(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    check_payment_method(&call.params)?;
    let saved = call.params.text("source_id")?.map(|it| card_id(&it)).transpose()?;
    let source = call.params.under("source_attributes")?.unwrap_or_default();
    let wanted = PaymentIntentParams {
        payment_method: saved.clone().or(profile(&source)?),
        amount: call.params.text("amount")?,
    };
    if saved.is_some() {
        call.customer()?;
    }
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let session = run(async move {
        if let Some(card) = &saved {
            storefront.check_saved_card(&shopper, card).await?;
        }
        storefront.payment_intent(&shopper, &wanted).await?;
        storefront.current(&shopper).await
    })
    .await?;
    cart(&api, StatusCode::CREATED, &session, &call.show).await
}
