//! HTTP API over the real application and an in-memory SQLite store: only Stripe is scripted.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set itself up fails")]

mod actors;
mod audit_trail;
mod auth;
mod books;
mod captures_and_refunds;
mod description;
mod edges;
mod event_examples;
mod events;
mod key_sets;
mod limits;
mod payment;
mod refusals;
mod shop;
mod spree;
mod tokens;
mod unchanged;
mod webhook_endpoints;
mod webhooks;

use std::sync::{Arc, LazyLock};

use actix_web::body::MessageBody;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{App as WebApp, test};
use paywright_app::{
    ApiKey, ApiKeys, App, BooksAccess, Monitor, PaymentGateway, Ports, ProviderEvent, ProviderRecords, Publisher,
    PublisherPorts, Scope, Settings, Store, StorePorts, Storefront, WebhookError, Webhooks,
};
use paywright_domain::id::CustomerId;
use paywright_domain::{Currency, Timestamp};
use paywright_http_api::{
    Api, ApiKeyText, Bodies, EventPages, Metrics, RateLimits, Shutdown, SpreeFormat, Tokens, configure, identify,
};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};
use paywright_testkit::openapi::{Exchange, OpenApi};
use paywright_testkit::{
    Cards, CountedIds, CountingWaker, HandClock, NoRecords, Provider, ScriptedSender, at, audit_entry,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const NOW: i64 = 1_743_415_050;
pub(crate) const ORDERS: &str = "/api/v1/shop/orders";

/// Client address of all requests (RFC 5737).
const CLIENT: std::net::Ipv4Addr = std::net::Ipv4Addr::new(192, 0, 2, 1);

/// Paths that the description does not have: the Spree dialect, the pages, and the description itself.
const OTHER_PATHS: [&str; 5] = ["/api/v2/", "/spree_oauth/", "/demo", "/docs", "/openapi.json"];

/// Description that every answer of the shop dialect must match.
static DESCRIPTION: LazyLock<OpenApi> = LazyLock::new(|| OpenApi::new(paywright_http_api::description()));

/// Service of one test.
pub(crate) struct Service {
    pub(crate) api: Api,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) cards: Cards,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) key: String,
}

/// Answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: actix_web::http::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|it| it.to_str().ok())
    }
}

/// Accepts webhooks that are signed `good`, and makes their events with a function of the test.
struct ScriptedWebhooks(fn(&[u8]) -> ProviderEvent);

impl Webhooks for ScriptedWebhooks {
    fn open(&self, body: &[u8], signature: &str, _: Timestamp) -> Result<ProviderEvent, WebhookError> {
        match signature {
            "good" => Ok((self.0)(body)),
            "thin" => Err(WebhookError::Thin),
            _ => Err(WebhookError::BadSignature("forged")),
        }
    }
}

impl Service {
    pub(crate) async fn with(gateway: impl PaymentGateway + 'static) -> Self {
        Self::opening(gateway, webhooks::event).await
    }

    pub(crate) async fn opening(gateway: impl PaymentGateway + 'static, open: fn(&[u8]) -> ProviderEvent) -> Self {
        Self::over(SqliteStore::open(IN_MEMORY, Options::default()).unwrap(), gateway, open).await
    }

    pub(crate) async fn over(
        store: SqliteStore,
        gateway: impl PaymentGateway + 'static,
        open: fn(&[u8]) -> ProviderEvent,
    ) -> Self {
        let clock = Arc::new(HandClock::at(at(NOW)));
        let sender = ScriptedSender::default();
        Self::of(store, Arc::new(gateway), Arc::new(NoRecords), clock, (open, sender)).await
    }

    /// Service over a stateful stand-in for Stripe.
    pub(crate) async fn open() -> (Self, Provider) {
        Self::sending_by(ScriptedSender::default()).await
    }

    /// Service as [`Self::open`], with this sender of webhooks.
    pub(crate) async fn sending_by(sender: ScriptedSender) -> (Self, Provider) {
        let store = SqliteStore::open(IN_MEMORY, Options::default()).unwrap();
        let clock = Arc::new(HandClock::at(at(NOW)));
        let provider = Provider::by(&clock);
        let (gateway, records) = (Arc::new(provider.clone()), Arc::new(provider.clone()));
        (Self::of(store, gateway, records, clock, (webhooks::event, sender)).await, provider)
    }

    async fn of(
        store: SqliteStore,
        gateway: Arc<dyn PaymentGateway>,
        records: Arc<dyn ProviderRecords>,
        clock: Arc<HandClock>,
        (open, sender): (fn(&[u8]) -> ProviderEvent, ScriptedSender),
    ) -> Self {
        let (store, sender) = (Arc::new(store), Arc::new(sender));
        let shared: Arc<dyn Store> = Arc::<SqliteStore>::clone(&store);
        let (books, hands) = (Arc::<SqliteStore>::clone(&store), Arc::<HandClock>::clone(&clock));
        let ports = Ports {
            store: StorePorts::of(shared),
            background: Arc::clone(&gateway),
            gateway,
            records,
            clock: Arc::<HandClock>::clone(&clock),
            ids: Arc::new(CountedIds::default()),
            waker: Arc::new(CountingWaker::default()),
        };
        let publisher = Publisher::new(PublisherPorts {
            feed: Arc::<SqliteStore>::clone(&store),
            endpoints: Arc::<SqliteStore>::clone(&store),
            sender: Arc::<ScriptedSender>::clone(&sender),
            spree_format: Arc::new(SpreeFormat),
            clock: Arc::clone(&ports.clock),
            ids: Arc::clone(&ports.ids),
            waker: Arc::clone(&ports.waker),
        });
        let app = App::new(ports, Settings::default());
        let wallet = Cards::default();
        let secret = SecretString::from("s".repeat(32));
        let tokens = Arc::new(Tokens::new(&secret).unwrap());
        let (carts, prices) = (Arc::<SqliteStore>::clone(&store), Arc::<SqliteStore>::clone(&store));
        let monitor = Monitor::new(app.clone(), Arc::<SqliteStore>::clone(&store), None);
        let api = Api {
            storefront: Storefront::new(app.clone(), carts, prices, Arc::new(wallet.clone()), Currency::Usd),
            publishable_key: Some("pk_test_1".into()),
            allowed_origins: vec!["https://shop.example".into()],
            demo: None,
            console: None,
            app,
            publisher,
            books: BooksAccess::new(books, hands, Arc::new(CountedIds::default())),
            webhooks: Arc::new(ScriptedWebhooks(open)),
            tokens,
            bodies: Bodies::default(),
            event_pages: EventPages::default(),
            rate_limits: RateLimits::none(),
            shutdown: Shutdown::default(),
            monitor,
            metrics: Some(Metrics::record(vec!["0.0.0.0/0".parse().unwrap()], "0.0.0").unwrap()),
            trusted_proxies: Arc::default(),
        };
        let mut service = Self { api, store, clock, cards: wallet, sender, key: String::new() };
        service.key = service.key_with(1, &Scope::ALL).await;
        service
    }

    pub(crate) async fn key_with(&self, n: u8, scopes: &[Scope]) -> String {
        let text = ApiKeyText::from_random([n; 32]);
        let key = Self::new_key(n, scopes);
        self.store
            .add_api_key(&ApiKey { expires_at: (n == 99).then(|| at(NOW + 60)), ..key }, &audit_entry())
            .await
            .unwrap();
        text.expose().to_owned()
    }

    /// Key of the text that is made of the bytes `n`.
    pub(crate) fn new_key(n: u8, scopes: &[Scope]) -> ApiKey {
        let digest = ApiKeyText::from_random([n; 32]).digest();
        ApiKey::new(Uuid::from_u128(u128::from(n)), "shop".into(), digest, scopes.to_vec(), at(NOW))
    }

    pub(crate) fn token(&self, customer: &str) -> String {
        self.api.tokens.customer_token(&CustomerId::new(customer).unwrap(), at(NOW), at(NOW + 600)).unwrap()
    }

    /// Sends a request with exactly these headers and this body.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let api = self.api.clone();
        let app = WebApp::new().wrap(from_fn(identify)).configure(move |config| configure(config, api));
        let app = test::init_service(app).await;
        let called = method.clone();
        let mut request = test::TestRequest::with_uri(path).method(method).peer_addr((CLIENT, 40_000).into());
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = test::call_service(&app, request.set_payload(body.to_vec()).to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().try_into_bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if (200..300).contains(&status) && !bytes.is_empty() {
            spree::description::check(path, body, &serde_json::from_slice(&bytes).unwrap_or_default());
        }
        if !OTHER_PATHS.iter().any(|it| path.starts_with(it)) {
            let content_type = headers.get("content-type").and_then(|it| it.to_str().ok());
            // The answer to HEAD is that to GET, whose body the server does not send.
            let method = if called == Method::HEAD { "GET" } else { called.as_str() };
            let received = text.as_str();
            // The events of these tests are read by a function, whatever their bytes.
            let sent = if path == "/webhooks/stripe" { b"{}" } else { body };
            let exchange = Exchange { method, path, sent, status, content_type, received };
            DESCRIPTION.check(&exchange).unwrap_or_else(|problem| panic!("{problem}"));
        }
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default(), text }
    }

    /// Sends JSON with the shop's API key.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("x-api-key", self.key.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, text.as_bytes()).await
    }

    /// Gives all committed facts their positions in the feed, and fills the queues of the endpoints.
    pub(crate) async fn relay(&self) {
        while self.api.publisher.run_feed().await.unwrap() {}
    }

    /// Order that was placed.
    pub(crate) async fn placed(&self) -> Value {
        let answer = self.call(Method::POST, ORDERS, &order()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["data"].clone()
    }
}

/// Body of an order of 112.00 usd.
pub(crate) fn order() -> Value {
    json!({ "currency": "usd", "customer": "cus-ada",
        "line_items": [{ "name": "Main product 2", "amount": 5600, "quantity": 2 }] })
}
