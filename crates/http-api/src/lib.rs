//! HTTP adapter. A handler parses a request, calls a use case and renders its outcome; it decides nothing.
//!
//! A dialect has a folder of its own, `shop` or `spree`; the root has what both share. `routes` lets the handlers
//! that may change something run to their end, whatever their client does.

mod access_tokens;
mod auth;
mod client_address;
mod connection;
mod console;
mod demo;
mod health;
mod listener;
mod masking;
mod metrics;
mod openapi;
mod problem;
mod rate_limits;
mod reader;
mod receiving;
mod requests;
mod routes;
mod shop;
mod shutdown;
mod spree;
mod tokens;
mod traces;
mod webhook;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use paywright_app::{App, BooksAccess, Monitor, Publisher, Storefront, Webhooks};

pub use auth::ApiKeyText;
pub use client_address::{ClientAddress, NetworkError, TrustedProxies, TrustedProxiesError, parse_network};
pub use console::{ConsolePages, ConsoleToken, GivenSetting};
pub use demo::Demo;
pub use listener::{CLOSING_MAX, ListenOptions, serve};
pub use masking::without_secrets;
pub use metrics::{Metrics, MetricsError};
pub use openapi::description;
use problem::Problem;
pub use rate_limits::{AddressLimits, CartLimits, PerMinute, RateLimits, private_networks};
pub use receiving::Bodies;
pub use requests::identify;
use routes::{get, post, resource};
pub use shop::EventPages;
pub use shutdown::Shutdown;
pub use spree::{SpreeFormat, parse_terms};
pub use tokens::{
    KEY_SET_BYTES_MAX, KEY_SET_PAUSE_SECONDS, KeySet, KeySetError, KeySetIssuer, KeySetRead, KeySetSource, TokenRules,
    Tokens, TokensError,
};

/// Dependencies of the handlers. Cheap to clone: clones share everything.
#[derive(Clone)]
pub struct Api {
    /// Use cases of orders and payments.
    pub app: App,
    /// Use cases of carts and checkouts.
    pub storefront: Storefront,
    /// Use cases of the feed of events and of outgoing webhooks.
    pub publisher: Publisher,
    /// Books, without Stripe.
    pub books: BooksAccess,
    /// Stripe's publishable key (`pk_…`) that storefronts are given, if any. Not a secret.
    pub publishable_key: Option<String>,
    /// Origins whose pages may call the Spree dialect, like `https://shop.example`; `*` for all.
    pub allowed_origins: Vec<String>,
    /// Settings of the demo shop front at `/demo`; `None` switches it off.
    pub demo: Option<Demo>,
    /// Console at `/console`; `None` switches it off.
    pub console: Option<ConsolePages>,
    /// Verifies the signatures of webhooks and reads their events.
    pub webhooks: Arc<dyn Webhooks>,
    /// Signs and verifies the tokens of customers, orders and carts.
    pub tokens: Arc<Tokens>,
    /// Memory limit that all request bodies share.
    pub bodies: Bodies,
    /// Limit of the pages of the feed that are in memory.
    pub event_pages: EventPages,
    /// Rate limits of carts and of client addresses.
    pub rate_limits: RateLimits,
    /// Shutdown stage of the process.
    pub shutdown: Shutdown,
    /// Stored state, for metrics and warnings.
    pub monitor: Monitor,
    /// Metrics at `/metrics`; `None` switches the path off.
    pub metrics: Option<Metrics>,
    /// Proxies whose `X-Forwarded-*` headers are used.
    pub trusted_proxies: Arc<TrustedProxies>,
}

/// Registers every route. Wrap the application in [`identify`] too.
pub fn configure(config: &mut web::ServiceConfig, api: Api) {
    let (origins, has_console) = (api.allowed_origins.clone(), api.console.is_some());
    config
        .app_data(web::Data::new(api))
        .configure(shop::configure)
        .configure(|config| spree::configure(config, &origins))
        .service(resource("/openapi.json", &["get"]).route(get(openapi::document)))
        .service(resource("/docs", &["get"]).route(get(openapi::page)))
        .service(resource("/docs/{file:[^/]*}", &["get"]).route(get(openapi::file)))
        .configure(|config| {
            if has_console {
                console::configure(config);
            }
        })
        .service(resource("/demo", &["get"]).route(get(demo::page)))
        .service(resource("/demo/explain", &["get"]).route(get(demo::explain)))
        .service(resource("/webhooks/stripe", &["post"]).route(post(webhook::stripe)))
        .service(resource("/metrics", &["get"]).route(get(metrics::page)))
        .service(resource("/healthz", &["get"]).route(get(health::healthz)))
        .service(resource("/readyz", &["get"]).route(get(health::readyz)))
        .default_service(web::route().to(|| async { Err::<HttpResponse, _>(Problem::no_such_path()) }));
}
