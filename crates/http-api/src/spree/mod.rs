//! The Spree dialect: Spree's Storefront API v2 for carts, checkouts, orders and Stripe, and of its Platform API the orders
//! and the price list. `docs/spree.md` lists what is the same, what differs on purpose, and what is left out.

mod account;
mod amount;
mod cart;
mod checkout;
mod content;
mod country;
mod document;
mod form;
mod pages;
mod params;
mod platform;
mod refusal;
mod resources;
mod shopper;
mod stripe;
mod symbol;
mod terms;

use actix_cors::Cors;
use actix_web::middleware::{NormalizePath, TrailingSlash};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route, Scope};
pub(crate) use amount::display;
use paywright_domain::OrderId;
pub use platform::SpreeFormat;
use platform::{orders, payments, prices, subscribers, webhook_events};
pub(crate) use refusal::Refusal;
pub(crate) use shopper::Call;
pub use terms::parse_terms;

use crate::Api;
use crate::routes::{completed, delete, patch, post, put, read as get};

/// Path prefix of the Storefront API.
const STOREFRONT: &str = "/api/v2/storefront";
/// Path prefix of the Platform API.
const PLATFORM: &str = "/api/v2/platform";
/// Media type of every answer.
const MEDIA_TYPE: &str = "application/vnd.api+json";
/// Headers of answers that the script of a page may read: to name a request, and to repeat it at the right time.
const EXPOSED_HEADERS: [&str; 2] = ["x-request-id", "retry-after"];
/// Time for which a browser may cache a CORS preflight answer, in seconds.
const PREFLIGHT_SECONDS: usize = 3600;

/// Adds every route of the dialect.
pub(crate) fn configure(config: &mut ServiceConfig, origins: &[String]) {
    // Rails ignores a slash at the end of a path.
    let slashes = || NormalizePath::new(TrailingSlash::Trim);
    config.service(storefront().wrap(cross_origin(origins)).wrap(slashes()));
    // Spree's own login, which Spree's client calls first.
    config.service(
        web::scope("/spree_oauth")
            .wrap(cross_origin(origins))
            .wrap(slashes())
            .service(at("/token").route(post(platform::oauth::token)))
            .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Refusal::no_passwords()) })),
    );
    config.service(platform().wrap(slashes()));
}

fn not_found() -> Route {
    web::route().to(|| async { Err::<HttpResponse, _>(Refusal::not_found()) })
}

/// Resource at a path, which answers 404 to other methods than those of its routes.
fn at(path: &str) -> Resource {
    web::resource(path.to_owned()).default_service(not_found())
}

fn storefront() -> Scope {
    let scope = web::scope(STOREFRONT).default_service(not_found());
    scope.configure(cart_routes).configure(checkout_routes).configure(account_routes).configure(stripe_routes)
}

fn cart_routes(config: &mut ServiceConfig) {
    config
        .service(at("/cart").route(post(cart::create)).route(get().to(cart::show)).route(delete(cart::remove)))
        .service(at("/cart/add_item").route(post(cart::add_item)))
        .service(at("/cart/set_quantity").route(patch(cart::set_quantity)))
        .service(at("/cart/remove_line_item/{line}").route(delete(cart::remove_line_item)))
        .service(at("/cart/empty").route(patch(cart::empty)))
        .service(at("/cart/apply_coupon_code").route(patch(cart::apply_coupon_code)))
        .service(at("/cart/remove_coupon_code").route(delete(cart::remove_coupon_codes)))
        .service(at("/cart/remove_coupon_code/{code}").route(delete(cart::remove_coupon_code)))
        .service(at("/cart/estimate_shipping_rates").route(get().to(cart::estimate_shipping_rates)))
        .service(at("/cart/associate").route(patch(cart::associate)))
        .service(at("/cart/change_currency").route(patch(cart::change_currency)));
}

fn checkout_routes(config: &mut ServiceConfig) {
    config
        .service(at("/checkout").route(patch(checkout::update)).route(put(checkout::update)))
        .service(at("/checkout/next").route(patch(checkout::next)))
        .service(at("/checkout/advance").route(patch(checkout::advance)))
        .service(at("/checkout/complete").route(patch(checkout::complete)))
        .service(at("/checkout/validate_order_for_payment").route(post(checkout::validate)))
        .service(at("/checkout/payment_methods").route(get().to(checkout::payment_methods)))
        .service(at("/checkout/shipping_rates").route(get().to(checkout::shipping_rates)))
        .service(at("/checkout/select_shipping_method").route(patch(checkout::select_shipping_method)))
        .service(at("/checkout/create_payment").route(post(checkout::create_payment)));
}

fn account_routes(config: &mut ServiceConfig) {
    config
        .service(at("/order_status/{number}").route(get().to(account::order_status)))
        .service(at("/account/orders").route(get().to(account::orders)))
        .service(at("/account/orders/{number}").route(get().to(account::order)))
        .service(at("/account/credit_cards").route(get().to(account::credit_cards)))
        .service(at("/account/credit_cards/default").route(get().to(account::default_credit_card)))
        .service(
            at("/account/credit_cards/{card}")
                .route(get().to(account::credit_card))
                .route(delete(account::remove_credit_card)),
        );
}

fn stripe_routes(config: &mut ServiceConfig) {
    config
        .service(at("/stripe/payment_intents").route(post(stripe::create)).route(get().to(completed(stripe::current))))
        .service(
            at("/stripe/payment_intents/{intent}")
                .route(get().to(completed(stripe::show)))
                .route(patch(stripe::update))
                .route(put(stripe::update)),
        )
        .service(
            at("/stripe/payment_intents/{intent}/confirm").route(patch(stripe::confirm)).route(post(stripe::confirm)),
        )
        .service(at("/stripe/setup_intents").route(post(stripe::setup_intent)));
}

fn platform() -> Scope {
    web::scope("/api/v2/platform")
        .configure(platform_order_routes)
        .configure(webhook_routes)
        .service(at("/variants").route(get().to(prices::variants)).route(put(prices::put_variants)))
        .service(
            at("/variants/{variant}")
                .route(get().to(prices::variant))
                .route(put(prices::put_variant))
                .route(delete(prices::remove_variant)),
        )
        .service(at("/terms").route(get().to(prices::terms)).route(put(prices::put_terms)))
        .default_service(not_found())
}

/// Resource at a path of the Platform API, which refuses the methods that Spree has and this API does not.
fn platform_resource(path: &str) -> Resource {
    at(path).default_service(web::route().to(platform::not_offered))
}

fn platform_order_routes(config: &mut ServiceConfig) {
    config
        .service(platform_resource("/orders").route(get().to(orders::list)))
        .service(platform_resource("/orders/{order}").route(get().to(orders::show)).route(patch(orders::update)))
        .service(platform_resource("/orders/{order}/cancel").route(patch(orders::cancel)))
        .service(platform_resource("/orders/{order}/approve").route(patch(orders::approve)))
        .service(platform_resource("/orders/{order}/{move}"))
        .service(platform_resource("/payments").route(get().to(payments::payments)))
        .service(platform_resource("/payments/{payment}").route(get().to(payments::payment)))
        .service(platform_resource("/line_items").route(get().to(payments::line_items)))
        .service(platform_resource("/line_items/{line}").route(get().to(payments::line_item)))
        .service(platform_resource("/adjustments").route(get().to(payments::adjustments)))
        .service(platform_resource("/adjustments/{adjustment}").route(get().to(payments::adjustment)));
}

fn webhook_routes(config: &mut ServiceConfig) {
    config
        .service(at("/webhooks/subscribers").route(get().to(subscribers::list)).route(post(subscribers::create)))
        .service(
            at("/webhooks/subscribers/{subscriber}")
                .route(get().to(subscribers::show))
                .route(patch(subscribers::update))
                .route(put(subscribers::update))
                .route(delete(subscribers::remove)),
        )
        .service(at("/webhooks/events").route(get().to(webhook_events::list)));
}

/// CORS for pages of these origins. No caller is authenticated by a cookie, so that a page can do no more than its tokens
/// permit. Scheme and host of an origin have no case (RFC 6454, section 4).
fn cross_origin(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"])
        .allowed_headers(["authorization", "content-type", "stripe-version"])
        .allowed_headers(shopper::TOKEN_HEADERS)
        .expose_headers(EXPOSED_HEADERS)
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_SECONDS);
    if origins.iter().any(|it| it == "*") {
        return cors.allow_any_origin().send_wildcard();
    }
    let origins = origins.to_vec();
    cors.allowed_origin_fn(move |given, _| {
        origins.iter().any(|it| given.as_bytes().eq_ignore_ascii_case(it.as_bytes()))
    })
}

/// Id of the order of the cart that the token gives access to, once the order is placed.
pub(crate) async fn opened_order(api: &Api, call: &Call) -> Result<OrderId, Refusal> {
    let session = cart::cart_of_token(api, &call.shopper).await?;
    session.order.map(|it| it.id).ok_or_else(Refusal::not_found)
}
