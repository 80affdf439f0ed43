//! The Spree dialect: Spree's Storefront API v2 for carts, checkouts, orders and Stripe, and the price list of its Platform
//! API. `docs/spree.md` lists what is the same, what differs on purpose, and what is left out.

mod account;
mod amount;
mod cart;
mod checkout;
mod content;
mod country;
mod document;
mod params;
mod platform;
mod refusal;
mod resources;
mod shopper;
mod stripe;

use actix_cors::Cors;
use actix_web::web::{self, ServiceConfig, delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource, Route, Scope};
pub(crate) use amount::display;
use paywright_app::StorefrontError;
use paywright_domain::OrderId;
pub(crate) use refusal::Refusal;
pub(crate) use shopper::Call;

use crate::Api;
use crate::requests::run_to_completion;

/// Path prefix of the Storefront API.
const STOREFRONT: &str = "/api/v2/storefront";
/// Media type of every answer.
const MEDIA_TYPE: &str = "application/vnd.api+json";
/// Time for which a browser may cache a CORS preflight answer, in seconds.
const PREFLIGHT_SECONDS: usize = 3600;

/// Adds every route of the dialect.
pub(crate) fn configure(config: &mut ServiceConfig, origins: &[String]) {
    config.service(storefront().wrap(cross_origin(origins)));
    // Spree's own login, which Spree's client calls first.
    config.service(
        web::scope("/spree_oauth")
            .wrap(cross_origin(origins))
            .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Refusal::no_passwords()) })),
    );
    config.service(platform());
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
        .service(
            at("/cart").route(post().to(cart::create)).route(get().to(cart::show)).route(delete().to(cart::remove)),
        )
        .service(at("/cart/add_item").route(post().to(cart::add_item)))
        .service(at("/cart/set_quantity").route(patch().to(cart::set_quantity)))
        .service(at("/cart/remove_line_item/{line}").route(delete().to(cart::remove_line_item)))
        .service(at("/cart/empty").route(patch().to(cart::empty)))
        .service(at("/cart/apply_coupon_code").route(patch().to(cart::apply_coupon_code)))
        .service(at("/cart/remove_coupon_code").route(delete().to(cart::remove_coupon_codes)))
        .service(at("/cart/remove_coupon_code/{code}").route(delete().to(cart::remove_coupon_code)))
        .service(at("/cart/estimate_shipping_rates").route(get().to(cart::estimate_shipping_rates)))
        .service(at("/cart/associate").route(patch().to(cart::associate)))
        .service(at("/cart/change_currency").route(patch().to(cart::change_currency)));
}

fn checkout_routes(config: &mut ServiceConfig) {
    config
        .service(at("/checkout").route(patch().to(checkout::update)))
        .service(at("/checkout/next").route(patch().to(checkout::next)))
        .service(at("/checkout/advance").route(patch().to(checkout::advance)))
        .service(at("/checkout/complete").route(patch().to(checkout::complete)))
        .service(at("/checkout/validate_order_for_payment").route(post().to(checkout::validate)))
        .service(at("/checkout/payment_methods").route(get().to(checkout::payment_methods)))
        .service(at("/checkout/shipping_rates").route(get().to(checkout::shipping_rates)))
        .service(at("/checkout/select_shipping_method").route(patch().to(checkout::select_shipping_method)))
        .service(at("/checkout/create_payment").route(post().to(checkout::create_payment)));
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
                .route(delete().to(account::remove_credit_card)),
        );
}

fn stripe_routes(config: &mut ServiceConfig) {
    config
        .service(at("/stripe/payment_intents").route(post().to(stripe::create)).route(get().to(stripe::current)))
        .service(
            at("/stripe/payment_intents/{intent}")
                .route(get().to(stripe::show))
                .route(patch().to(stripe::update))
                .route(put().to(stripe::update)),
        )
        .service(
            at("/stripe/payment_intents/{intent}/confirm")
                .route(patch().to(stripe::confirm))
                .route(post().to(stripe::confirm)),
        )
        .service(at("/stripe/setup_intents").route(post().to(stripe::setup_intent)));
}

fn platform() -> Scope {
    web::scope("/api/v2/platform")
        .service(at("/variants").route(get().to(platform::variants)).route(put().to(platform::put_variants)))
        .service(
            at("/variants/{variant}")
                .route(get().to(platform::variant))
                .route(put().to(platform::put_variant))
                .route(delete().to(platform::remove_variant)),
        )
        .service(at("/terms").route(get().to(platform::terms)).route(put().to(platform::put_terms)))
        .default_service(not_found())
}

/// CORS for pages of these origins. No caller is authenticated by a cookie, so that a page can do no more than its tokens
/// permit.
fn cross_origin(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PATCH", "PUT", "DELETE"])
        .allowed_headers(["authorization", "content-type", "stripe-version"])
        .allowed_headers(shopper::TOKEN_HEADERS)
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_SECONDS);
    origins.iter().fold(cors, |cors, origin| match origin.as_str() {
        "*" => cors.allow_any_origin().send_wildcard(),
        origin => cors.allowed_origin(origin),
    })
}

/// Runs a use case to its end, even if the client closes its connection.
pub(super) fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, StorefrontError>> + Send + 'static,
) -> impl Future<Output = Result<T, Refusal>> {
    // The future of a use case is large: boxed once here, it does not enlarge every handler.
    let work = Box::pin(work);
    async { Ok(run_to_completion(work).await??) }
}

/// Id of the order of the cart that the token gives access to, once the order is placed.
pub(crate) async fn opened_order(api: &Api, call: &Call) -> Result<OrderId, Refusal> {
    let session = cart::cart_of_token(api, &call.shopper).await?;
    session.order.map(|it| it.id).ok_or_else(Refusal::not_found)
}
