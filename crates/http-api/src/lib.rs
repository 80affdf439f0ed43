//! HTTP adapter. A handler parses a request, calls a use case and renders its outcome; it decides nothing.
//!
//! A use case that writes runs as a task of its own: actix-web drops a handler when its client resets the connection,
//! and a use case that was started must finish.

mod auth;
mod body;
mod client_address;
mod connection;
mod demo;
mod endpoints;
mod events;
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
use paywright_app::{App, Publisher, Storefront, Webhooks};

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

/// Dependencies of the handlers. Cheap to clone: clones share everything.
#[derive(Clone)]
pub struct Api {
    /// Use cases of orders and payments.
    pub app: App,
    /// Use cases of carts and checkouts.
    pub storefront: Storefront,
    /// Use cases of the feed of events and of outgoing webhooks.
    pub publisher: Publisher,
    /// Stripe's publishable key (`pk_…`) that storefronts are given, if any. Not a secret.
    pub publishable_key: Option<String>,
    /// Origins whose pages may call the Spree dialect, like `https://shop.example`; `*` for all.
    pub allowed_origins: Vec<String>,
    /// Settings of the demo shop front at `/demo`; `None` switches it off.
    pub demo: Option<Demo>,
    /// Verifies the signatures of webhooks and reads their events.
    pub webhooks: Arc<dyn Webhooks>,
    /// Signs and verifies the tokens of customers, orders and carts.
    pub tokens: Arc<Tokens>,
    /// Memory limit that all request bodies share.
    pub bodies: Bodies,
    /// Rate limits of carts and of client addresses.
    pub rate_limits: RateLimits,
    /// Shutdown stage of the process.
    pub shutdown: Shutdown,
    /// Proxies whose `X-Forwarded-*` headers are used.
    pub trusted_proxies: Arc<TrustedProxies>,
}

/// Registers every route. Wrap the application in [`identify`] too.
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
                .service(resource("/orders/{order}/payment").route(web::post().to(shop::confirm_payment)))
                .service(resource("/events").route(web::get().to(events::list)))
                .service(
                    resource("/webhook_endpoints")
                        .route(web::post().to(endpoints::create))
                        .route(web::get().to(endpoints::list)),
                )
                .service(
                    resource("/webhook_endpoints/{endpoint}")
                        .route(web::get().to(endpoints::read))
                        .route(web::patch().to(endpoints::update))
                        .route(web::delete().to(endpoints::delete)),
                )
                .service(
                    resource("/webhook_endpoints/{endpoint}/rotate_secret")
                        .route(web::post().to(endpoints::rotate_secret)),
                )
                .service(resource("/webhook_endpoints/{endpoint}/disable").route(web::post().to(endpoints::disable)))
                .service(resource("/webhook_endpoints/{endpoint}/enable").route(web::post().to(endpoints::enable)))
                .service(resource("/webhook_endpoints/{endpoint}/test").route(web::post().to(endpoints::test)))
                .service(resource("/webhook_endpoints/{endpoint}/resend").route(web::post().to(endpoints::resend)))
                .service(resource("/webhook_endpoints/{endpoint}/replay").route(web::post().to(endpoints::replay)))
                .service(resource("/webhook_endpoints/{endpoint}/attempts").route(web::get().to(endpoints::attempts))),
        )
        .configure(|config| spree::configure(config, &origins))
        .service(resource("/demo").route(web::get().to(demo::page)))
        .service(resource("/demo/explain").route(web::get().to(demo::explain)))
        .service(resource("/webhooks/stripe").route(web::post().to(webhook::stripe)))
        .service(resource("/healthz").route(web::get().to(health::healthz)))
        .service(resource("/readyz").route(web::get().to(health::readyz)))
        .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Problem::no_such_path()) }));
}
