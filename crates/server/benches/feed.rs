//! The feed and outgoing webhooks under load, on both stores.
//!
//! 1. Commits of placed orders from 16 tasks, in turn without their snapshots, as before there was a feed, and with them,
//!    while the relay gives them positions: the ratio of the rates, and the time from a commit to its position.
//! 2. A backlog of events, delivered by the built program to one receiver, beside the receiver's own floor: the same
//!    requests from a plain HTTP client.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints ratios, and one that cannot run fails; not every one uses all of the rig"
)]

mod rig;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paywright_app::{
    Changes, Clock, DeletedFeedEvents, Endpoints, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery,
    FeedRange, Ids, Lease, Position, Publisher, PublisherPorts, Store, StoreError, Version,
};
use paywright_domain::{Fact, IntentId, Order, OrderId, Timestamp};
use paywright_http_api::SpreeFormat;
use paywright_store_postgres::PostgresStore;
use paywright_store_sqlite::SqliteStore;
use paywright_testkit::postgres::connect;
use paywright_testkit::{Cluster, CountingWaker, ScriptedSender, new_order, usd};
use rig::{ORDER, Running, Shop};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use uuid::{NoContext, Uuid};

/// Number of tasks that place orders at the same time.
const TASKS: usize = 16;
/// Pause of the relay after a step, as in the program.
const RELAY_PAUSE: Duration = Duration::from_millis(10);
/// Number of events in the backlog of the second part.
const BACKLOG: u64 = 20_000;
/// Requests in flight of the plain HTTP client.
const IN_FLIGHT: usize = 64;

fn main() {
    rig::run(benchmark(rig::seconds_a_row()));
}

async fn benchmark(seconds: u64) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let cluster = Cluster::on_disk(&["shared_buffers = '512MB'", "max_wal_size = '4GB'"]);
    cluster.start();
    let admin = connect(&cluster.url("postgres")).await;
    for database in ["commits", "shop"] {
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    }
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("orders.db").display().to_string();
    let sqlite = Arc::new(SqliteStore::open(&file, paywright_store_sqlite::Options::default()).unwrap());
    let options = paywright_store_postgres::Options::default();
    let postgres = Arc::new(PostgresStore::open(&cluster.url("commits"), options).await.unwrap());
    println!(
        "{:<12} {:>14} {:>14} {:>7}  {:>9} {:>9}",
        "store", "without /s", "with feed /s", "ratio", "p50 ms", "p99 ms"
    );
    commits("SQLite", &sqlite, rounds, seconds).await;
    commits("PostgreSQL", &postgres, rounds, seconds).await;
    println!("\n{:<12} {:>14} {:>14} {:>7}", "store", "floor /s", "delivered /s", "ratio");
    deliveries("SQLite", "sqlite:orders.db").await;
    deliveries("PostgreSQL", &cluster.url("shop")).await;
}

/// Compares commits without and with the feed, in turn.
async fn commits<S: Store + Feed + Endpoints + 'static>(name: &str, store: &Arc<S>, rounds: usize, seconds: u64) {
    let timed = Arc::new(Timed { store: Arc::clone(store), committed: Mutex::default(), waits: Mutex::default() });
    let publisher = Publisher::new(PublisherPorts {
        feed: Arc::<Timed<S>>::clone(&timed),
        endpoints: Arc::<S>::clone(store),
        sender: Arc::new(ScriptedSender::without_key()),
        spree_format: Arc::new(SpreeFormat),
        clock: Arc::new(RealClock),
        ids: Arc::new(FreshIds),
        waker: Arc::new(CountingWaker::default()),
    });
    let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = rate(&timed, None, seconds).await;
        let after = rate(&timed, Some(&publisher), seconds).await;
        without.push(before);
        with.push(after);
        ratios.push(after / before);
    }
    let mut waits = std::mem::take(&mut *timed.waits.lock().unwrap());
    waits.sort();
    let wait = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "{name:<12} {:>14.0} {:>14.0} {:>7.3}  {:>9.1} {:>9.1}",
        median(&mut without),
        median(&mut with),
        median(&mut ratios),
        wait(0.5),
        wait(0.99)
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Commits placed orders for some seconds; with the feed, runs the relay meanwhile. Returns the commits per second.
async fn rate<S: Store + Feed + 'static>(timed: &Arc<Timed<S>>, publisher: Option<&Publisher>, seconds: u64) -> f64 {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let relay = publisher.cloned().map(|publisher| {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) || publisher.run_feed().await.unwrap() {
                publisher.run_feed().await.unwrap();
                tokio::time::sleep(RELAY_PAUSE).await;
            }
        })
    });
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (timed, stop, count) = (Arc::clone(timed), Arc::clone(&stop), Arc::clone(&count));
            let is_published = relay.is_some();
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let mut changes = placed();
                    let order = changes.order.id;
                    if !is_published {
                        changes.snapshot = None;
                        changes.facts = vec![internal_fact()];
                    }
                    match timed.store.commit(changes).await {
                        Ok(()) => {}
                        // The order's number is not free.
                        Err(StoreError::Conflict) => continue,
                        Err(error) => panic!("{error}"),
                    }
                    if is_published {
                        timed.committed.lock().unwrap().insert(order, Instant::now());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let rate = count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    if let Some(relay) = relay {
        relay.await.unwrap();
    }
    rate
}

/// Fact that stays out of the feed, in place of the public one: a commit stored a fact before there was a feed, too.
fn internal_fact() -> Fact {
    Fact::ProceedsKnown { intent: IntentId::new("pi_12345678").unwrap(), gross: usd(12_450), fee: usd(391) }
}

fn placed() -> Changes {
    let now = now();
    let decision = Order::place(FreshIds.order_id(now), new_order(), now).unwrap();
    Changes::of(Version::NEW, decision, now, |_, _| Some(now))
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap()).unwrap()
}

struct RealClock;

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn pause(&self, _attempt: u32) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

struct FreshIds;

impl Ids for FreshIds {
    fn order_id(&self, now: Timestamp) -> OrderId {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let seconds = u64::try_from(now.unix_seconds()).unwrap();
        let nanos = COUNTER.fetch_add(1000, Ordering::Relaxed) % 1_000_000_000;
        OrderId(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos)))
    }

    fn random(&self) -> Uuid {
        Uuid::from_u128(fastrand::u128(..))
    }

    fn spread(&self, _seconds: u32) -> u32 {
        0
    }
}

/// A feed that measures the time from each commit to its position.
struct Timed<S> {
    store: Arc<S>,
    committed: Mutex<HashMap<OrderId, Instant>>,
    waits: Mutex<Vec<Duration>>,
}

#[async_trait]
impl<S: Feed> Feed for Timed<S> {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        self.store.unpositioned_events(limit).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        self.store.lease_feed(lease).await
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let done = self.store.append_to_feed(append).await;
        let (mut committed, mut waits) = (self.committed.lock().unwrap(), self.waits.lock().unwrap());
        for order in append.events.iter().filter_map(|it| it.subject.order()) {
            // A commit whose caller has not noticed it yet waited for no time.
            waits.push(committed.remove(&order).map_or(Duration::ZERO, |it| it.elapsed()));
        }
        done
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.store.release_feed(lease).await
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        self.store.feed_range().await
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        self.store.feed_events(query).await
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        self.store.delete_feed_events(before, limit).await
    }
}

/// Places orders while an endpoint is disabled, enables it, and measures the rate at which it receives the events.
async fn deliveries(name: &str, database: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let received = Arc::new(AtomicU64::new(0));
    tokio::spawn(receive(listener, Arc::clone(&received)));
    let twin = Running::twin(0);
    let more = format!(
        "webhooks.secret_key = \"{}\"\nwebhooks.allow_http = true\nwebhooks.allowed_networks = \"127.0.0.1\"",
        "w".repeat(32)
    );
    let shop = Shop::open(database, &twin.address, &more);
    let id = shop.command(&["webhooks", "create", &url]).split_whitespace().next().unwrap().to_owned();
    shop.command(&["webhooks", "disable", &id]);
    let server = Arc::new(shop.serve().0);
    let make = |it: &rig::Server, n: u64| (n < BACKLOG).then(|| it.request("POST", "/api/v1/shop/orders", "", ORDER));
    server.load(TASKS, 600, 201, make).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let floor = floor(&url, &received).await;
    received.store(0, Ordering::Relaxed);
    shop.command(&["webhooks", "enable", &id]);
    let mut begun = Instant::now();
    while received.load(Ordering::Relaxed) < BACKLOG {
        if received.load(Ordering::Relaxed) == 0 {
            begun = Instant::now();
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{} arrived", received.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let delivered = BACKLOG as f64 / begun.elapsed().as_secs_f64();
    println!("{name:<12} {floor:>14.0} {delivered:>14.0} {:>7.2}", delivered / floor);
}

/// Rate at which a plain HTTP client sends requests of the same size to the receiver.
async fn floor(url: &str, received: &Arc<AtomicU64>) -> f64 {
    received.store(0, Ordering::Relaxed);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = "x".repeat(1200);
    let begun = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (client, url, body, received) = (client.clone(), url.to_owned(), body.clone(), Arc::clone(received));
            tokio::spawn(async move {
                while received.load(Ordering::Relaxed) < BACKLOG {
                    client.post(&url).body(body.clone()).send().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    received.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Accepts every webhook.
async fn receive(listener: TcpListener, received: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            let (mut stream, mut line, mut body) = (BufReader::new(stream), String::new(), Vec::new());
            loop {
                let mut length = 0;
                loop {
                    line.clear();
                    if stream.read_line(&mut line).await.ok().is_none_or(|it| it == 0) {
                        return;
                    }
                    let lower = line.to_ascii_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.trim_end().is_empty() {
                        break;
                    }
                }
                body.resize(length, 0);
                stream.read_exact(&mut body).await.unwrap();
                received.fetch_add(1, Ordering::Relaxed);
                if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                    return;
                }
            }
        });
    }
}
