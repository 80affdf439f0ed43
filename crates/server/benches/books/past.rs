//! Reading back the past of a shop.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paywright_app::{Changes, Orders, Version};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use paywright_domain::{Decision, IntentId, IntentSnapshot, Order, OrderId};
use paywright_store_postgres::{Options, PostgresStore};
use paywright_stripe_twin as twin;
use paywright_testkit::postgres::connect;
use paywright_testkit::{Cluster, new_order, request_intent};
use serde_json::Value;
use uuid::{NoContext, Uuid};

use crate::rig::{self, Shop};
use crate::{DAY_SECONDS, midnight, real_seconds, time};

const PAYMENTS_A_DAY: i64 = 1000;
/// Number of tasks that make payments and place orders at the same time.
const TASKS: usize = 8;
/// Amount of each order in cents.
const CENTS: i64 = 12_185;

/// Time at Stripe; the real one if zero.
static CLOCK: AtomicI64 = AtomicI64::new(0);

fn clock() -> i64 {
    match CLOCK.load(Ordering::Relaxed) {
        0 => real_seconds(),
        set => set,
    }
}

/// Numbers of days that are read back: `DAYS`, separated by commas, or a month and a quarter.
fn days() -> Vec<i64> {
    let given = std::env::var("DAYS").unwrap_or_else(|_| "30,90".into());
    given.split(',').map(|it| it.parse().unwrap()).collect()
}

pub(crate) async fn measure(cluster: &Cluster) {
    println!("\nreading back {PAYMENTS_A_DAY} payments a day by `paywright books reconcile` on PostgreSQL");
    println!(
        "{:<28} {:>9} {:>9} {:>12} {:>9} {:>9} {:>9}",
        "row", "payments", "calls", "calls a day", "seconds", "calls/s", "peak MB"
    );
    for days in days() {
        of_days(cluster, days).await;
    }
}

async fn of_days(cluster: &Cluster, days: i64) {
    let start = midnight() - days * DAY_SECONDS;
    CLOCK.store(start, Ordering::Relaxed);
    let options = twin::Options {
        state_file: None,
        seed_file: None,
        latency: Duration::ZERO,
        endpoints: vec![],
        keep: 1_000_000,
        clock,
        record: None,
    };
    let server = twin::Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await.unwrap();
    let address = server.address().unwrap().to_string();
    let running = tokio::spawn(server.run(std::future::pending()));
    let stripe = Stripe { http: reqwest::Client::builder().no_proxy().build().unwrap(), address: address.clone() };

    let name = format!("past_{days}");
    let database = crate::created(cluster, &name).await;
    let more = format!("books.start = \"{}\"", crate::day_of(time(start)));
    let shop = Shop::open(&database, &address, &more);
    stripe.call("/_twin/account", "payouts=daily").await;
    let store = Arc::new(PostgresStore::open(&database, Options::default()).await.unwrap());
    for day in 0..days {
        sell(&stripe, &store, start + day * DAY_SECONDS).await;
    }
    drop(store);
    CLOCK.store(0, Ordering::Relaxed);
    let admin = connect(&cluster.url("postgres")).await;
    connect(&database).await.batch_execute("VACUUM ANALYZE").await.unwrap();
    // Connections of the shop's commands end a moment after them.
    tokio::time::sleep(Duration::from_secs(1)).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}_limited TEMPLATE {name}")).await.unwrap();

    read_back(&format!("{days} days, without a limit"), days, &stripe, &shop, &[]).await;
    let limited = cluster.url(&format!("{name}_limited"));
    let at_the_limit = [
        ("PAYWRIGHT__DATABASE__URL", limited.as_str()),
        ("PAYWRIGHT__STRIPE__ENDPOINT_PER_SECOND", "25"),
        ("PAYWRIGHT__STRIPE__ACCOUNT_PER_SECOND", "25"),
    ];
    if days <= 31 {
        read_back(&format!("{days} days, 25 calls a second"), days, &stripe, &shop, &at_the_limit).await;
    }
    running.abort();
}

/// The stand-in for Stripe.
struct Stripe {
    http: reqwest::Client,
    address: String,
}

impl Stripe {
    async fn call(&self, path: &str, form: &str) -> Value {
        let url = format!("http://{}{path}", self.address);
        let request = self.http.post(url).bearer_auth("sk_test_x").body(form.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// Number of `GET` calls that it has answered.
    async fn calls(&self) -> u64 {
        let url = format!("http://{}/_twin/requests", self.address);
        let counted = self.http.get(url).bearer_auth("sk_test_x").send().await.unwrap().bytes().await.unwrap();
        let counted: Value = serde_json::from_slice(&counted).unwrap();
        let of_books = counted.as_object().unwrap().iter().filter(|(kind, _)| kind.starts_with("GET /v1/"));
        of_books.map(|(_, number)| number.as_u64().unwrap()).sum()
    }
}

/// Sells the orders of a day: pays for them at Stripe, and stores them as paid.
async fn sell(stripe: &Stripe, store: &Arc<PostgresStore>, day: i64) {
    // A payment each minute or so.
    let next = AtomicI64::new(0);
    let tasks = (0..TASKS).map(|_| async {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= PAYMENTS_A_DAY {
                return;
            }
            let at = day + n * 80;
            CLOCK.fetch_max(at, Ordering::Relaxed);
            let form = format!(
                "amount={CENTS}&currency=usd&confirm=true&payment_method=pm_card_visa&payment_method_types[0]=card"
            );
            let paid = stripe.call("/v1/payment_intents", &form).await;
            let intent = IntentId::new(paid["id"].as_str().unwrap()).unwrap();
            store_paid_order(store, intent, at).await;
        }
    });
    join_all(tasks).await;
}

/// Stores an order that an intent has paid for.
async fn store_paid_order(store: &Arc<PostgresStore>, intent: IntentId, at: i64) {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = time(at);
    let mut settled: Option<Decision> = None;
    // An order's number may be taken.
    while settled.is_none() {
        let nanos = u32::try_from(COUNTER.fetch_add(1000, Ordering::Relaxed) % 1_000_000_000).unwrap();
        let id = OrderId(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, u64::try_from(at).unwrap(), nanos)));
        let placed = Order::place(id, new_order(), now).unwrap();
        let requested = request_intent(&placed.order, now).order;
        assert_eq!(requested.total.minor(), CENTS);
        if store.commit(Changes::of(Version::NEW, placed, now, |_, _| None)).await.is_ok() {
            let mut snapshot = IntentSnapshot::new(intent.clone(), id, requested.total, now);
            snapshot.status = IntentStatus::Succeeded;
            snapshot.received = requested.total;
            settled = Some(requested.settle(&snapshot, &Policies::DEFAULT, now).unwrap());
        }
    }
    store.commit(Changes::of(Version(1), settled.unwrap(), now, |_, _| None)).await.unwrap();
}

/// Reads the past back by a process of its own, and prints what it took.
async fn read_back(name: &str, days: i64, stripe: &Stripe, shop: &Shop, environment: &[(&str, &str)]) {
    let (before, begun) = (stripe.calls().await, Instant::now());
    let mut reader = shop.start(&["books", "reconcile"], environment);
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(rig::resident(reader.id()).1);
        if let Some(status) = reader.try_wait().unwrap() {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let seconds = begun.elapsed().as_secs_f64();
    let mut text = String::new();
    reader.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), status.success()), ("0 breaks\n", true), "{name}");
    let calls = stripe.calls().await - before;
    println!(
        "{name:<28} {:>9} {calls:>9} {:>12.1} {seconds:>9.1} {:>9.1} {peak:>9.1}",
        days * PAYMENTS_A_DAY,
        calls as f64 / days as f64,
        calls as f64 / seconds,
    );
}
