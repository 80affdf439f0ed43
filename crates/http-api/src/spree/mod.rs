//! The Spree dialect: Spree's Storefront API v2 for carts, checkouts, orders and Stripe, and of its Platform API the
//! price list. `docs/spree.md` says what is the same, what differs on purpose, and what is not ours.

mod account;
mod amount;
mod cart;
mod checkout;
mod country;
mod document;
mod params;
mod platform;
mod refusal;
mod resources;
mod shopper;
mod sold;
mod stripe;

use actix_cors::Cors;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};
pub(crate) use amount::display;
use paywright_app::StorefrontError;
use paywright_domain::OrderId;
pub(crate) use refusal::Refusal;
pub(crate) use shopper::Call;

use crate::Api;
use crate::requests::run_to_completion;

/// The path that all calls of a storefront begin with.
const STOREFRONT: &str = "/api/v2/storefront";
/// The media type of every answer.
const MEDIA_TYPE: &str = "application/vnd.api+json";
/// How long a browser remembers what it may ask.
const PREFLIGHT_SECONDS: usize = 3600;

/// Puts every route of the dialect in its place.
pub(crate) fn configure(config: &mut ServiceConfig, origins: &[String]) {
    let nothing_here = || web::route().to(|| async { Err::<HttpResponse, _>(Refusal::not_found()) });
    let at = |path: &str| -> Resource { web::resource(path.to_owned()).default_service(nothing_here()) };
    let (get, post, patch, put, delete) = (web::get, web::post, web::patch, web::put, web::delete);
    config.service(
        web::scope(STOREFRONT)
            .wrap(cross_origin(origins))
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
            .service(at("/cart/change_currency").route(patch().to(cart::change_currency)))
            .service(at("/checkout").route(patch().to(checkout::update)))
            .service(at("/checkout/next").route(patch().to(checkout::next)))
            .service(at("/checkout/advance").route(patch().to(checkout::advance)))
            .service(at("/checkout/complete").route(patch().to(checkout::complete)))
            .service(at("/checkout/validate_order_for_payment").route(post().to(checkout::validate)))
            .service(at("/checkout/payment_methods").route(get().to(checkout::payment_methods)))
            .service(at("/checkout/shipping_rates").route(get().to(checkout::shipping_rates)))
            .service(at("/checkout/select_shipping_method").route(patch().to(checkout::select_shipping_method)))
            .service(at("/checkout/create_payment").route(post().to(checkout::create_payment)))
            .service(at("/order_status/{number}").route(get().to(account::order_status)))
            .service(at("/account/orders").route(get().to(account::orders)))
            .service(at("/account/orders/{number}").route(get().to(account::order)))
            .service(at("/account/credit_cards").route(get().to(account::credit_cards)))
            .service(at("/account/credit_cards/default").route(get().to(account::default_credit_card)))
            .service(
                at("/account/credit_cards/{card}")
                    .route(get().to(account::credit_card))
                    .route(delete().to(account::remove_credit_card)),
            )
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
            .service(at("/stripe/setup_intents").route(post().to(stripe::setup_intent)))
            .default_service(nothing_here()),
    );
    // Spree's own login, which storefronts try first.
    config.service(
        web::scope("/spree_oauth")
            .wrap(cross_origin(origins))
            .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Refusal::no_passwords()) })),
    );
    config.service(
        web::scope("/api/v2/platform")
            .service(at("/variants").route(get().to(platform::variants)).route(put().to(platform::put_variants)))
            .service(
                at("/variants/{variant}")
                    .route(get().to(platform::variant))
                    .route(put().to(platform::put_variant))
                    .route(delete().to(platform::remove_variant)),
            )
            .service(at("/terms").route(get().to(platform::terms)).route(put().to(platform::put_terms)))
            .default_service(nothing_here()),
    );
}

/// Lets pages of these origins call. Nobody is known here by a cookie, so that a page can do no more than the tokens that
/// it has.
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

/// Runs a use case to its end, whatever becomes of the client's connection.
pub(super) fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, StorefrontError>> + Send + 'static,
) -> impl Future<Output = Result<T, Refusal>> {
    // What a use case holds on to is much; boxed here once, no handler holds it.
    let work = Box::pin(work);
    async { Ok(run_to_completion(work).await??) }
}

/// The order that the token of a cart opens, once it is placed.
pub(crate) async fn opened_order(api: &Api, call: &Call) -> Result<OrderId, Refusal> {
    let session = cart::opened(api, &call.shopper).await?;
    session.order.map(|it| it.id).ok_or_else(Refusal::not_found)
}
