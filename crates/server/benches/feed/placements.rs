//! Orders placed over HTTP, with the feed and without: the service with its adapters, in this process.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paywright_app::{
    ApiKey, App, Books, BooksAccess, Carts, Changes, CompletedOrdersQuery, Endpoints, Feed, IdempotencyKey,
    IdempotencyRecord, Monitor, Monitoring, OrderFilter, OrderQuery, OrderRef, OrderSearch, Orders, Ports, PriceList,
    Publisher, RecordedFact, Scope, Settings, Store, StoreError, StorePorts, Storefront, Versioned,
};
use paywright_domain::id::CustomerId;
use paywright_domain::{Currency, Order, OrderId, Timestamp};
use paywright_http_api::{Api, ApiKeyText, Bodies, EventPages, ListenOptions, RateLimits, Shutdown, Tokens, serve};
use paywright_payments_stripe::{Client, ClientSettings, StripeGateway, StripeWebhooks};
use paywright_testkit::{CountingWaker, audit_entry};
use secrecy::SecretString;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::TASKS;
use crate::rig::{self, ORDER};
use crate::world::{FreshIds, Rates, RealClock, now, publisher, relay, unpublished};

/// Time within which a stopped server finishes, in seconds.
const FINISH_SECONDS: u64 = 5;

pub(crate) fn head() {
    println!("\n{:<12} {:>14} {:>14} {:>7}", "placed", "without /s", "with feed /s", "ratio");
}

/// Compares orders placed over HTTP without and with the feed, in turn.
pub(crate) async fn measure<S>(name: &str, store: &Arc<S>, rounds: usize, seconds: u64)
where
    S: Store + Carts + PriceList + Feed + Endpoints + Books + Monitoring + 'static,
{
    let key = ApiKeyText::from_random([1; 32]);
    let scopes = vec![Scope::OrdersWrite];
    let of_key = ApiKey::new(Uuid::from_u128(1), "load".into(), key.digest(), scopes, now());
    store.add_api_key(&of_key, &audit_entry()).await.unwrap();
    let publisher = publisher(Arc::<S>::clone(store), Arc::<S>::clone(store));
    let with_feed = listening(store, Arc::<S>::clone(store), &publisher);
    let without_feed = listening(store, Arc::new(Unpublished(Arc::<S>::clone(store))), &publisher);
    let mut rates = Rates::default();
    for _ in 0..rounds {
        let before = rate(&without_feed, key.expose(), seconds).await;
        let stop = Arc::new(AtomicBool::new(false));
        let relay = relay(publisher.clone(), Arc::clone(&stop));
        let after = rate(&with_feed, key.expose(), seconds).await;
        stop.store(true, Ordering::Relaxed);
        relay.await.unwrap();
        rates.add(before, after);
    }
    println!("{name:<12} {}", rates.columns());
}

/// Serves the API with these orders, and returns the address.
fn listening<S>(store: &Arc<S>, orders: Arc<dyn Orders>, publisher: &Publisher) -> String
where
    S: Store + Carts + PriceList + Feed + Endpoints + Books + Monitoring + 'static,
{
    let secret = SecretString::from("s".repeat(32));
    let stripe = Client::new(ClientSettings::new(SecretString::from("sk_test_x"))).unwrap();
    let gateway = Arc::new(StripeGateway::new(stripe, now));
    let shared: Arc<dyn Store> = Arc::<S>::clone(store);
    let app = App::new(
        Ports {
            store: StorePorts { orders, ..StorePorts::of(shared) },
            gateway: Arc::<StripeGateway>::clone(&gateway),
            background: Arc::<StripeGateway>::clone(&gateway),
            records: Arc::<StripeGateway>::clone(&gateway),
            clock: Arc::new(RealClock),
            ids: Arc::new(FreshIds),
            waker: Arc::new(CountingWaker::default()),
        },
        Settings::default(),
    );
    let (carts, prices) = (Arc::<S>::clone(store), Arc::<S>::clone(store));
    let api = Api {
        storefront: Storefront::new(app.clone(), carts, prices, gateway, Currency::Usd),
        monitor: Monitor::new(app.clone(), Arc::<S>::clone(store), None),
        app,
        publisher: publisher.clone(),
        books: BooksAccess::new(Arc::<S>::clone(store), Arc::new(RealClock), Arc::new(FreshIds)),
        publishable_key: None,
        allowed_origins: Vec::new(),
        demo: None,
        console: None,
        webhooks: Arc::new(StripeWebhooks::new(Vec::new())),
        tokens: Arc::new(Tokens::new(&secret).unwrap()),
        bodies: Bodies::default(),
        event_pages: EventPages::default(),
        rate_limits: RateLimits::none(),
        shutdown: Shutdown::default(),
        metrics: None,
        trusted_proxies: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = ListenOptions { workers: 2, connections_max: 1000, finish_seconds: FINISH_SECONDS };
    tokio::spawn(serve(api, listener, options).unwrap());
    address
}

/// Places orders from [`TASKS`] connections for some seconds. Returns the orders per second.
async fn rate(address: &str, key: &str, seconds: u64) -> f64 {
    let head = format!("host: {address}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n");
    let bytes = ORDER.len();
    let path = "/api/v1/shop/orders";
    let request: Arc<str> = format!("POST {path} HTTP/1.1\r\n{head}content-length: {bytes}\r\n\r\n{ORDER}").into();
    let (count, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let end = begun + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (address, request, count) = (address.to_owned(), Arc::clone(&request), Arc::clone(&count));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = Vec::with_capacity(8192);
                while Instant::now() < end {
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let status = rig::answer(&mut stream, &mut buffer).await;
                    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&buffer));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Orders whose commits publish nothing.
struct Unpublished<S>(Arc<S>);

#[async_trait]
impl<S: Store> Orders for Unpublished<S> {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        self.0.order(which).await
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        self.0.orders(query).await
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        self.0.completed_orders(query).await
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.0.count_completed_orders(customer).await
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        self.0.search_orders(search).await
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        self.0.count_orders(filter).await
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.0.facts(order).await
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.0.idempotency_record(key).await
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.0.delete_idempotency_records(before, limit).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.0.commit(unpublished(changes)).await
    }
}
