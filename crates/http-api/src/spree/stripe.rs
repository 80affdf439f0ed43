//! `/stripe`: payment intents of carts and orders, and setup intents of customers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use paywright_app::{OrderPayment, PaymentIntentParams};
use paywright_domain::{CustomerId, PaymentMethodId};
use secrecy::ExposeSecret;
use serde_json::json;

use super::document::{Show, answer};
use super::params::Params;
use super::refusal::Refusal;
use super::resources;
use super::run;
use super::shopper::Call;
use crate::Api;
use crate::reader::FieldProblems;

/// What is wanted of an intent: `payment_intent` with at least something in it.
fn intent_params(params: &Params) -> Result<PaymentIntentParams, Refusal> {
    let root = params.root("payment_intent")?;
    let mut problems = FieldProblems::default();
    if problems.keep(root.flag("off_session")) == Some(true) {
        problems.note("off_session", "must be false: the customer's browser or app confirms the payment");
    }
    let method = problems.keep(root.text("stripe_payment_method_id")).flatten().map(PaymentMethodId::new).transpose();
    let method = method.map_err(|_| "must be a payment method of Stripe, like pm_1Q2w3E");
    let method = problems.take("stripe_payment_method_id", method).flatten();
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
    let resource = resources::payment_intent(&paying.order, secret, key);
    Ok(answer(StatusCode::OK, &show.one(&resource.ok_or_else(Refusal::not_found)?)))
}

/// `POST /stripe/payment_intents`: the one intent that the cart can be paid by, made if there is none.
pub(super) async fn create(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let wanted = intent_params(&call.params)?;
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = run(async move { storefront.payment_intent(&shopper, &wanted).await }).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `GET /stripe/payment_intents`: the order's current intent, without naming it.
pub(super) async fn current(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = run(async move { storefront.shown_intent(&shopper, None).await }).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `GET /stripe/payment_intents/{id}`, by our id or by Stripe's.
pub(super) async fn show(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper, caller) = (api.storefront.for_request(), call.shopper.clone(), call.shopper.customer);
    let paying = run(async move { storefront.shown_intent(&shopper, Some(&id)).await }).await?;
    intent(&api, &paying, &call.show, caller.as_ref(), call.stripe_version.as_deref()).await
}

/// `PATCH /stripe/payment_intents/{id}`.
pub(super) async fn update(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let wanted = intent_params(&call.params)?;
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let paying = run(async move { storefront.update_intent(&shopper, &id, &wanted).await }).await?;
    intent(&api, &paying, &call.show, None, None).await
}

/// `PATCH` and `POST /stripe/payment_intents/{id}/confirm`: the browser says that it has paid. Stripe is asked.
pub(super) async fn confirm(api: Data<Api>, call: Call, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let (storefront, shopper) = (api.storefront.for_request(), call.shopper);
    let paying = run(async move { storefront.confirm_intent(&shopper, &id).await }).await?;
    intent(&api, &paying, &call.show, None, None).await
}

/// `POST /stripe/setup_intents`: lets a customer's app save a card without paying. Flat, not JSON:API.
pub(super) async fn setup_intent(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let (customer, version) = (call.customer()?, call.stripe_version);
    let storefront = api.storefront.for_request();
    let saving = run(async move { storefront.save_card(&customer, version.as_deref()).await }).await?;
    let body = json!({
        "customer_id": saving.customer.as_str(),
        "ephemeral_key_secret": saving.ephemeral_key.expose_secret(),
        "setup_intent_client_secret": saving.setup_intent.expose_secret(),
    });
    Ok(answer(StatusCode::OK, &body))
}
