//! `/stripe`: PaymentIntents of carts and orders, and SetupIntents of customers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use paywright_app::{AccountOrder, OrderPayment, PaymentIntentParams};
use paywright_domain::id::{CustomerId, PaymentMethodId};
use paywright_domain::storefront::PaymentMethodChoice;
use secrecy::ExposeSecret;
use serde_json::json;

use super::document::{Show, answer};
use super::params::Params;
use super::refusal::Refusal;
use super::resources;
use super::shopper::Call;
use super::{account, cart};
use crate::Api;
use crate::reader::FieldProblems;

/// Reads `payment_intent`, which must not be empty.
fn intent_params(params: &Params) -> Result<PaymentIntentParams, Refusal> {
    let root = params.root("payment_intent")?;
    let mut problems = FieldProblems::default();
    if problems.keep(root.flag("off_session")) == Some(true) {
        problems.note("off_session", "must be false: the customer's browser or app confirms the payment");
    }
    let method = problems.keep(root.text("stripe_payment_method_id")).flatten().map(PaymentMethodId::new).transpose();
    let method = method.map_err(|_| "must be a payment method of Stripe, like pm_1Q2w3E");
    let method = problems.take("stripe_payment_method_id", method).flatten().map(PaymentMethodChoice::New);
    let amount = problems.keep(root.text("amount")).flatten();
    let amount = amount.filter(|it| !is_empty_or_zero(it));
    Ok(problems.done(Some(PaymentIntentParams { payment_method: method, amount }))?)
}

/// Whether an amount is empty or zero, which Spree's storefront sends in place of the amount due.
fn is_empty_or_zero(amount: &str) -> bool {
    let amount = amount.trim();
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let is_zero = |digits: &str| !digits.is_empty() && digits.bytes().all(|it| it == b'0');
    amount.is_empty() || (is_zero(whole) && is_zero(fraction))
}

/// Answers with an intent. By a customer's own bearer token, it has an ephemeral key for the customer's app.
async fn intent(
    api: &Api,
    paying: &OrderPayment,
    show: &Show,
    caller: Option<&CustomerId>,
    version: Option<&str>,
) -> Result<HttpResponse, Refusal> {
    let key = api.storefront.ephemeral_key_of_owner(&paying.order, caller, version).await?;
    let key = key.as_ref().map(ExposeSecret::expose_secret);
    let secret = paying.client_secret.as_ref().map(ExposeSecret::expose_secret);
    let order = &paying.order;
    let mut shown = resources::payment_intent(order, secret, key).ok_or_else(Refusal::not_found)?;
    let publishable_key = api.publishable_key.as_deref();
    shown.relate("payment_method", resources::payment_method(publishable_key));
    if show.includes("order") {
        let cart = api.storefront.cart_of(order.id).await?;
        let mut resource = account::order_resource(api, &AccountOrder { order: order.clone(), cart })?;
        cart::read_included(api, &mut resource, (order.customer.as_ref(), Some(order)), show).await?;
        shown.relate("order", resource);
    }
    if let Some(payment) = resources::payment(order, publishable_key).filter(|_| order.is_complete()) {
        shown.relate("payment", payment);
    }
    if show.includes("payment") {
        cart::read_included(api, &mut shown, (None, Some(order)), show).await?;
    }
    Ok(answer(StatusCode::OK, &show.one(&shown)))
}

/// `POST /stripe/payment_intents`: the payable intent of the cart, created if there is none.
pub(super) async fn create(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let params = intent_params(&call.params)?;
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = storefront.payment_intent(&shopper, &params).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `GET /stripe/payment_intents`: the current intent of the cart's order.
pub(super) async fn current(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = storefront.shown_intent(&shopper, None).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `GET /stripe/payment_intents/{id}`: an intent by the id of its order or by Stripe's (`pi_…`).
pub(super) async fn show(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = storefront.shown_intent(&shopper, Some(&id)).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `PATCH /stripe/payment_intents/{id}`: chooses a payment method.
pub(super) async fn update(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let params = intent_params(&call.params)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let paying = storefront.update_intent(&shopper, &id, &params).await?;
    intent(&api, &paying, &call.show, None, None).await
}

/// `PATCH` and `POST /stripe/payment_intents/{id}/confirm`: the browser has confirmed the intent, which is read from Stripe.
pub(super) async fn confirm(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let paying = storefront.confirm_intent(&shopper, &id).await?;
    intent(&api, &paying, &call.show, None, None).await
}

/// `POST /stripe/setup_intents`: creates a SetupIntent, with which a customer's app saves a card. Answers with flat JSON.
pub(super) async fn setup_intent(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (customer, version) = (call.customer()?, call.stripe_version);
    let storefront = api.storefront.for_request();
    let setup = storefront.save_card(&customer, version.as_deref()).await?;
    let body = json!({
        "customer_id": setup.customer.as_str(),
        "ephemeral_key_secret": setup.ephemeral_key.expose_secret(),
        "setup_intent_client_secret": setup.setup_intent.expose_secret(),
    });
    Ok(answer(StatusCode::OK, &body))
}
