//! Several processes on one database serve one shop, even while processes and the database crash.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use paywright_testkit::postgres::{Database, connect};
use paywright_testkit::{Cluster, PgBouncer};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;

use crate::customer::{Customer, Seen, customer};
use crate::program::{TIMEOUT, answer, run};
use crate::served::Served;

const CLIENTS: usize = 16;
/// Number of orders that each client places alone.
const ORDERS_EACH: usize = 12;
/// Number of orders that all clients place at the same time with the same keys.
const SHARED: usize = 8;

impl Customer {
    /// Buys one order from placing to payment, with some calls made twice, as customers do.
    async fn buy(&self, key: &str) -> String {
        let (order, again) = tokio::join!(self.place(key), self.place(key));
        assert_eq!(order, again, "one key is one order");
        let (intent, same) = tokio::join!(self.intent(&order), self.intent(&order));
        if let (Some(intent), Some(same)) = (&intent, &same) {
            assert_eq!(intent, same, "one order has one intent");
        }
        if let Some(intent) = intent.or(same) {
            if fastrand::u8(..8) == 0 {
                self.confirm(&intent, "pm_card_chargeDeclined").await;
            }
            self.confirm(&intent, "pm_card_visa").await;
        }
        let callback = format!("/orders/{order}/payment");
        if fastrand::bool() {
            let (one, two) = tokio::join!(
                self.ask(Method::POST, &callback, None, None),
                self.ask(Method::POST, &callback, None, None)
            );
            assert_eq!((one.status, two.status), (200, 200), "{one:?} {two:?}");
        }
        let begun = Instant::now();
        loop {
            let read = self.ask(Method::GET, &format!("/orders/{order}"), None, None).await;
            if read.body["data"]["payment_status"] == "paid" {
                break;
            }
            assert!(begun.elapsed() < TIMEOUT, "no webhook came through: {read:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.seen.paid.fetch_add(1, Ordering::SeqCst);
        order
    }
}

async fn until_paid(seen: &Seen, count: usize) {
    let begun = Instant::now();
    while seen.paid.load(Ordering::SeqCst) < count {
        assert!(begun.elapsed() < TIMEOUT * 4, "too little happens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_sell_while_one_is_killed_and_the_database_crashes() {
    let cluster = Arc::new(Cluster::of_one_test(&[]));
    cluster.start();
    let served = Served::start(&cluster.url("postgres"), 3, true, "5").await;
    sell(&cluster, served).await;
}

/// The connections of all processes are those of PgBouncer, which gives each transaction one of three to the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_behind_a_pooler_sell_while_one_is_killed_and_the_database_crashes() {
    let cluster = Arc::new(Cluster::of_one_test(&[]));
    cluster.start();
    let pooler = PgBouncer::before(&cluster.url("postgres"));
    let (at_server, at_pooler) = (cluster.url("postgres"), pooler.url("postgres"));
    let folder = TempDir::new().unwrap();
    let settings = |url| [("PAYWRIGHT__DATABASE__URL", url), ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x")];
    let pooling = [("PAYWRIGHT__DATABASE__TRANSACTION_POOLING", "true"), ("PAYWRIGHT__DATABASE__TIMELINE_FILE", "")];
    let by_pooler = [settings(at_pooler.as_str()), pooling].concat();
    for command in [&["review"][..], &["keys", "list"]] {
        let (done, _, said) = run(command, &by_pooler, folder.path());
        assert!(!done && said.contains("with the address of the server itself"), "{command:?}: {said}");
    }
    let (done, _, said) = run(&["migrate"], &by_pooler, folder.path());
    assert!(!done && said.contains("a pooler in transaction mode cannot migrate"), "{said}");
    let (done, _, said) = run(&["migrate"], &settings(at_server.as_str()), folder.path());
    assert!(done, "{said}");
    let served = Served::start_with(&at_pooler, 3, true, "5", "database.transaction_pooling = true").await;
    sell(&cluster, served).await;
}

/// Has customers buy, and meanwhile kills a process and crashes the database.
#[expect(clippy::too_many_lines, clippy::print_stdout, reason = "one story from beginning to end, and its figures")]
async fn sell(cluster: &Arc<Cluster>, mut served: Served) {
    let seen = Arc::<Seen>::default();
    let customers: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let customer = customer(&served, &seen);
            tokio::spawn(async move {
                let mut orders = BTreeSet::new();
                for round in 0..ORDERS_EACH {
                    orders.insert(customer.buy(&format!("cart-{n}-{round}")).await);
                    if round < SHARED {
                        orders.insert(customer.buy(&format!("shared-{round}")).await);
                    }
                }
                orders
            })
        })
        .collect();
    let all = CLIENTS * (ORDERS_EACH + SHARED);
    until_paid(&seen, all / 4).await;
    served.replicas[2].0.take().unwrap().signal("-KILL");
    until_paid(&seen, all / 2).await;
    let crashing = Arc::clone(cluster);
    let crash = tokio::task::spawn_blocking(move || {
        crashing.stop("immediate");
        crashing.start();
    });
    crash.await.unwrap();
    let mut orders = BTreeSet::new();
    for customer in customers {
        orders.extend(customer.await.unwrap());
    }
    assert_eq!(orders.len(), CLIENTS * ORDERS_EACH + SHARED, "each key is one order");

    let db = connect(&cluster.url("postgres")).await;
    let number = async |sql: &str| db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let placed = number("SELECT count(*) FROM orders").await;
    assert_eq!(usize::try_from(placed), Ok(orders.len()), "no order but those that were answered");
    let paid = number("SELECT count(*) FROM orders WHERE state = 'paid'").await;
    assert_eq!(paid, placed, "each is paid");
    let told = number("SELECT count(*) FROM facts WHERE kind = 'order.paid'").await;
    let orders_told = number("SELECT count(DISTINCT order_id) FROM facts WHERE kind = 'order.paid'").await;
    assert_eq!((told, orders_told), (placed, placed), "each order has one fact");
    let payable = "SELECT count(*) FROM payment_intents WHERE status NOT IN ('succeeded', 'canceled')";
    assert_eq!(number(payable).await, 0, "nothing is left to be paid");
    assert_eq!(number("SELECT count(*) FROM anomalies").await, 0);
    // The last payments that a webhook reported are read from Stripe two seconds later.
    let begun = Instant::now();
    while number("SELECT count(*) FROM tasks").await > 0 {
        assert!(begun.elapsed() < TIMEOUT, "something is left to be done");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let intents = served.intents().await;
    let at_stripe: BTreeSet<_> = intents.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    let rows = db.query("SELECT provider_id FROM payment_intents", &[]).await.unwrap();
    let known: BTreeSet<String> = rows.iter().map(|it| it.get(0)).collect();
    assert_eq!(known, at_stripe, "every intent at Stripe is known, and no other");
    let succeeded = intents.iter().filter(|it| it["status"] == "succeeded").count();
    assert_eq!(succeeded, orders.len(), "each order was charged once");
    let count = |it: &AtomicUsize| it.load(Ordering::SeqCst);
    println!(
        "{placed} orders paid once each by {} intents: {} answers, {} requests without one, {} answers with Retry-After",
        intents.len(),
        count(&seen.answers),
        count(&seen.unanswered),
        count(&seen.retried_later),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_simultaneous_calls_give_one_intent_and_one_payment() {
    let database = Database::empty().await;
    let served = Served::start(&database.url(), 3, false, "100").await;
    let seen = Arc::<Seen>::default();
    let customer = Arc::new(customer(&served, &seen));
    let order = customer.place("cart").await;
    let url = |n: usize, path: &str| format!("{}/orders/{order}/{path}", served.replicas[n % 3].1);
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let request = served.http.post(url(n, "payment-intent"));
            tokio::spawn(answer(request.header("x-api-key", &served.key).bearer_auth(&served.token)))
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
    assert!(answers.iter().all(|it| it.body == answers[0].body), "{answers:?}");
    assert_eq!(served.intents().await.len(), 1);

    let intent = answers[0].body["data"]["id"].as_str().unwrap();
    customer.confirm(intent, "pm_card_visa").await;
    let events = served.http.get(format!("{}/v1/events?type=payment_intent.succeeded", served.twin_url));
    let events = answer(events.bearer_auth("sk_test_twin")).await;
    let event = events.body["data"][0].to_string();
    let deliveries: Vec<_> = (0..64)
        .map(|n| {
            let at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
            let mut mac = Hmac::<Sha256>::new_from_slice(served.webhook_secrets[n % 3].as_bytes()).unwrap();
            mac.update(format!("{at}.{event}").as_bytes());
            let signature = format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()));
            let url = served.replicas[n % 3].1.replace("/api/v1/shop", "/webhooks/stripe");
            tokio::spawn(answer(served.http.post(url).header("stripe-signature", signature).body(event.clone())))
        })
        .collect();
    for delivery in deliveries {
        let taken = delivery.await.unwrap();
        assert_eq!((taken.status, &taken.body["outcome"]), (200, &json!("applied")), "{taken:?}");
    }
    let db = database.client().await;
    let told = db.query_one("SELECT count(*) FROM facts WHERE kind = 'order.paid'", &[]).await.unwrap();
    assert_eq!(told.get::<_, i64>(0), 1);
    // The first update was stored; the other 63 changed nothing.
    let version: i64 = db.query_one("SELECT version FROM orders", &[]).await.unwrap().get(0);
    assert_eq!(version, 4, "placed, requested, issued, paid");
}
