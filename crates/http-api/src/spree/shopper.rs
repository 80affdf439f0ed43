//! Requests of a storefront, and their shopper.

use std::pin::Pin;

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Payload};
use actix_web::{FromRequest, HttpRequest, dev};
use paywright_app::{Access, Actor, Shopper, TokenSubject};
use paywright_domain::id::CustomerId;

use super::STOREFRONT;
use super::document::Show;
use super::params::Params;
use super::refusal::Refusal;
use crate::Api;
use crate::auth::access_by;
use crate::client_address::ClientAddress;
use crate::problem::Problem;
use crate::rate_limits::{self, CallKind};
use crate::requests::record_actor;

/// Headers of a storefront token; the first that is present counts.
pub(super) const TOKEN_HEADERS: [&str; 2] = ["x-vendo-order-token", "x-spree-order-token"];

/// Request of a storefront. Everything that shapes its answer is checked when it is read, before the use case runs.
pub(crate) struct Call {
    pub(super) params: Params,
    pub(super) shopper: Shopper,
    pub(super) show: Show,
    /// Version of Stripe's API that the app's SDK needs an ephemeral key for (`Stripe-Version`).
    pub(super) stripe_version: Option<String>,
}

impl FromRequest for Call {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    /// Reads a request with its body.
    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, body) = (request.clone(), Payload::from_request(request, payload));
        Box::pin(async move {
            let body = body.await.map_err(|problem| Refusal::bad_request(problem.to_string()))?;
            let api = request.app_data::<Data<Api>>().ok_or_else(Refusal::not_found)?;
            let kind = call_kind(&request);
            api.rate_limits.storefront_call(ClientAddress::of(&request), kind).map_err(Problem::from)?;
            // An invalid bearer token, and a missing one where it is needed, is refused before the body is received.
            let bearer = bearer_access(api, &request).await?;
            if bearer.is_none() && needs_customer(&request) {
                return Err(Refusal::not_allowed());
            }
            let params = Params::read(&request, body).await?;
            let shopper = shopper(api, &request, bearer, &params)?;
            if let Some(actor) = actor(&shopper) {
                record_actor(actor);
            }
            let kind = match kind {
                _ if tries_coupon(&params)? => CallKind::Coupon,
                CallKind::Other if chooses_method(&params)? => CallKind::Payment,
                kind @ (CallKind::NewCart | CallKind::Coupon | CallKind::Payment | CallKind::Other) => kind,
            };
            if let Some(counted) = counted_shopper(&shopper) {
                api.rate_limits.cart_call(&counted, kind).map_err(Problem::from)?;
            }
            if kind == CallKind::Coupon {
                api.rate_limits.coupon_tried(ClientAddress::of(&request)).map_err(Problem::from)?;
            }
            let show = Show::of(&params, resource_type(&request))?;
            let stripe_version = stripe_version(&request)?;
            Ok(Self { params, shopper, show, stripe_version })
        })
    }
}

/// Most characters of a `Stripe-Version`.
const STRIPE_VERSION_CHARS_MAX: usize = 100;

/// Reads `Stripe-Version`: a date, followed by the names of a release and of betas.
fn stripe_version(request: &HttpRequest) -> Result<Option<String>, Refusal> {
    let Some(header) = request.headers().get("stripe-version") else { return Ok(None) };
    let text = header.to_str().unwrap_or_default();
    let is_date = |it: &str| {
        let places = it.bytes().enumerate();
        it.len() == 10
            && places.into_iter().all(|(at, it)| if [4, 7].contains(&at) { it == b'-' } else { it.is_ascii_digit() })
    };
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"-._; =".contains(&it);
    if text.len() <= STRIPE_VERSION_CHARS_MAX && text.get(..10).is_some_and(is_date) && text.bytes().all(is_allowed) {
        return Ok(Some(text.to_owned()));
    }
    Err(Refusal::bad_request("Stripe-Version must be a version of Stripe's API, like 2026-05-27.dahlia"))
}

impl Call {
    /// Customer of the request; refused where it has no customer's bearer token.
    pub(super) fn customer(&self) -> Result<CustomerId, Refusal> {
        self.shopper.customer.clone().ok_or_else(Refusal::not_allowed)
    }
}

/// Type of the primary resources in the answer.
fn resource_type(request: &HttpRequest) -> &'static str {
    let path = request.path().strip_prefix(STOREFRONT).unwrap_or_default();
    let begins = |prefix: &str| path.starts_with(prefix);
    match path {
        "/cart/estimate_shipping_rates" => "shipping_rate",
        "/checkout/shipping_rates" => "shipment",
        "/checkout/payment_methods" => "payment_method",
        _ if begins("/stripe/payment_intents") => "payment_intent",
        _ if begins("/account/orders") => "order",
        _ if begins("/account/credit_cards") => "credit_card",
        _ => "cart",
    }
}

/// Kind of a call, by which its rate is limited.
fn call_kind(request: &HttpRequest) -> CallKind {
    let path = request.path().strip_prefix(STOREFRONT).unwrap_or_default();
    match path {
        "/cart" if request.method() == Method::POST => CallKind::NewCart,
        "/checkout/complete" | "/checkout/create_payment" => CallKind::Payment,
        _ if path.starts_with("/stripe/") || path.starts_with("/account/credit_cards") => CallKind::Payment,
        _ => CallKind::Other,
    }
}

/// Whether a call names a coupon code, on any path.
fn tries_coupon(params: &Params) -> Result<bool, Refusal> {
    Ok(params.names("coupon_code") || params.under("order")?.is_some_and(|it| it.names("coupon_code")))
}

/// Whether a call chooses a payment method, which is read from Stripe, on any path.
fn chooses_method(params: &Params) -> Result<bool, Refusal> {
    let names = ["payments_attributes", "existing_card"];
    let in_order = params.under("order")?.is_some_and(|it| names.iter().any(|name| it.names(name)));
    Ok(in_order || params.names("payment_source"))
}

/// Shopper whose calls the rate limit counts: that of the token, else the customer.
fn counted_shopper(shopper: &Shopper) -> Option<rate_limits::Shopper> {
    let customer = || shopper.customer.clone().map(rate_limits::Shopper::Customer);
    shopper.subject.map(rate_limits::Shopper::Holder).or_else(customer)
}

/// Whether a path needs a customer's bearer token.
fn needs_customer(request: &HttpRequest) -> bool {
    let path = request.path().strip_prefix(STOREFRONT).unwrap_or_default();
    path.starts_with("/account/") || path == "/stripe/setup_intents"
}

/// Access that the bearer token of a request gives, if it has one.
async fn bearer_access(api: &Api, request: &HttpRequest) -> Result<Option<Access>, Refusal> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    Ok(Some(access_by(api, header).await?))
}

/// Actor of a request, by the kind of its token; `None` without a token. The customer's id is kept with the order alone.
fn actor(shopper: &Shopper) -> Option<Actor> {
    match (&shopper.customer, shopper.subject) {
        (Some(_), _) => Some(Actor::Customer),
        (None, Some(TokenSubject::Cart(_))) => Some(Actor::CartToken),
        (None, Some(TokenSubject::Order(_))) => Some(Actor::OrderToken),
        (None, None) => None,
    }
}

fn shopper(api: &Api, request: &HttpRequest, bearer: Option<Access>, params: &Params) -> Result<Shopper, Refusal> {
    let header = |name: &&str| request.headers().get(*name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let token = match TOKEN_HEADERS.iter().find_map(header) {
        Some(token) => Some(token),
        None => params.text("order_token")?,
    };
    let mut shopper = token.and_then(|it| api.tokens.holder(&it, api.app.now())).unwrap_or_default();
    match bearer {
        Some(Access::Customer(customer)) => shopper.customer = Some(customer),
        Some(Access::Order(order)) => shopper.subject = shopper.subject.or(Some(TokenSubject::Order(order))),
        Some(Access::All) => return Err(Refusal::token_invalid()),
        None => {}
    }
    if let Some(currency) = params.text("currency")? {
        let problem = |_| Refusal::failed("Currency not supported");
        shopper.currency = Some(currency.parse().map_err(problem)?);
    }
    Ok(shopper)
}
