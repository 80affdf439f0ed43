//! The HTTP adapter. A handler reads a request, calls a use case and words its outcome; it decides nothing.
//!
//! Use cases that move money run as tasks of their own: a handler is dropped when its client resets the
//! connection, and what was begun must come to its end all the same.

mod auth;
mod body;
mod client_address;
mod connection;
mod demo;
mod health;
mod listener;
mod masking;
mod problem;
mod rate_limits;
mod reader;
mod receiving;
mod requests;
mod shop;
mod shutdown;
mod spree;
mod terms;
mod view;
mod webhook;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use paywright_app::{App, Storefront, Webhooks};

pub use auth::{ApiKeyText, Tokens, TokensError};
pub use client_address::{ClientAddress, TrustedProxies, TrustedProxiesError};
pub use demo::Demo;
pub use listener::{CLOSING_MAX, ListenOptions, serve};
pub use masking::without_secrets;
use problem::Problem;
pub use rate_limits::{AddressLimits, CartLimits, PerMinute, RateLimits, private_networks};
pub use receiving::Bodies;
pub use requests::identify;
pub use shutdown::Shutdown;
pub use terms::parse_terms;

/// What the handlers need. Cheap to clone: all of it is shared.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub app: App,
    /// The use cases of a storefront.
    pub storefront: Storefront,
    /// The key by which browsers speak to Stripe, if storefronts are to be told one. Not a secret.
    pub publishable_key: Option<String>,
    /// The origins whose pages may call the Spree dialect, like `https://shop.example`; `*` for all.
    pub allowed_origins: Vec<String>,
    /// Whether there is a demo shop front, and what it needs to know.
    pub demo: Option<Demo>,
    /// Tells the provider's messages from forgeries.
    pub webhooks: Arc<dyn Webhooks>,
    /// Tells whose orders a caller may see.
    pub tokens: Arc<Tokens>,
    /// The memory that request bodies share.
    pub bodies: Bodies,
    /// How often carts and addresses may call.
    pub rate_limits: RateLimits,
    /// Whether the process is stopping.
    pub shutdown: Shutdown,
    /// Proxies that are believed what they say of a client.
    pub trusted_proxies: Arc<TrustedProxies>,
}

/// Puts every route in its place. Wrap the application in [`identify`] too.
pub fn configure(config: &mut web::ServiceConfig, api: Api) {
    let wrong_method = || web::route().to(|| async { Err::<HttpResponse, _>(Problem::method_not_allowed()) });
    let resource = |path: &str| web::resource(path.to_owned()).default_service(wrong_method());
    let origins = api.allowed_origins.clone();
    config
        .app_data(web::Data::new(api))
        .service(
            web::scope("/api/v1/shop")
                .service(resource("/orders").route(web::post().to(shop::place)).route(web::get().to(shop::list)))
                .service(
                    resource("/orders/{order}").route(web::get().to(shop::read)).route(web::patch().to(shop::edit)),
                )
                .service(resource("/orders/{order}/cancel").route(web::post().to(shop::cancel)))
                .service(resource("/orders/{order}/capture").route(web::post().to(shop::capture)))
                .service(
                    resource("/orders/{order}/refunds")
                        .route(web::post().to(shop::refund))
                        .route(web::get().to(shop::refunds)),
                )
                .service(resource("/orders/{order}/explain").route(web::get().to(shop::explain)))
                .service(resource("/orders/{order}/payment-intent").route(web::post().to(shop::payment_intent)))
                .service(resource("/orders/{order}/payment").route(web::post().to(shop::confirm_payment))),
        )
        .configure(|config| spree::configure(config, &origins))
        .service(resource("/demo").route(web::get().to(demo::page)))
        .service(resource("/demo/explain").route(web::get().to(demo::explain)))
        .service(resource("/webhooks/stripe").route(web::post().to(webhook::stripe)))
        .service(resource("/healthz").route(web::get().to(health::healthz)))
        .service(resource("/readyz").route(web::get().to(health::readyz)))
        .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Problem::no_such_path()) }));
}
