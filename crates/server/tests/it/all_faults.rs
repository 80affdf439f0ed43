//! All faults at once: Stripe fails, hangs up and is slow, webhooks arrive twice, late or never, and processes are
//! killed repeatedly. When the faults end, the books agree with Stripe's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;
use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::{Customer, Seen, customer};
use crate::program::{Process, TIMEOUT, answer, two_lines};
use crate::served::{SHORT_TIMEOUTS, Served};

const CLIENTS: usize = 12;
/// Number of orders of each client: each story twice.
const ORDERS_EACH: usize = 2 * STORIES;
const STORIES: usize = 8;

/// Percentage of all requests at Stripe that have a fault, for each kind of fault.
const PERCENT: u8 = 5;

/// Maximum time until all work is complete after the faults have ended: the longest lease, and some polls.
const BOUND: Duration = Duration::from_secs(120);

fn troubles() -> Vec<Value> {
    let chance = |more: Value| {
        let mut fault = json!({ "percent": PERCENT, "path": "/v1/" });
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fault
    };
    vec![
        chance(json!({ "kind": "status_before", "status": 500 })),
        chance(json!({ "kind": "status_after", "status": 500 })),
        chance(json!({ "kind": "status_before", "status": 429 })),
        chance(json!({ "kind": "drop_before" })),
        chance(json!({ "kind": "drop_after" })),
        chance(json!({ "kind": "truncate" })),
        chance(json!({ "kind": "delay", "delay_ms": 300 })),
        chance(json!({ "kind": "webhook_duplicate" })),
        chance(json!({ "kind": "webhook_reorder" })),
        chance(json!({ "kind": "webhook_drop" })),
    ]
}

impl Customer {
    async fn change(&self, method: Method, order: &str, path: &str, body: Value) -> u16 {
        self.ask(method, &format!("/orders/{order}{path}"), Some(&body), None).await.status
    }

    async fn refund(&self, order: &str, amount: Option<&str>, key: &str) {
        let body = amount.map_or_else(|| json!({}), |it| json!({ "amount": it }));
        let path = format!("/orders/{order}/refunds");
        let ask = || self.ask(Method::POST, &path, Some(&body), Some(key));
        let (one, two) = tokio::join!(ask(), ask());
        assert_eq!((one.status, two.status), (201, 201), "{one:?} {two:?}");
        assert_eq!(one.body["data"]["number"], two.body["data"]["number"], "one key is one refund");
    }

    async fn until(&self, order: &str, states: &[&str]) {
        let begun = Instant::now();
        loop {
            let read = self.ask(Method::GET, &format!("/orders/{order}"), None, None).await.body["data"].clone();
            let state = read["payment_status"].as_str().unwrap_or_default();
            if states.contains(&state) || (states.contains(&"canceled") && read["status"] == "canceled") {
                return;
            }
            assert!(begun.elapsed() < TIMEOUT * 3, "{states:?} is never reached: {read}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Plays one story with an order, with several calls at the same time.
    async fn play(&self, story: usize, cart: &str) -> String {
        let mut body = two_lines();
        if [5, 6].contains(&story) {
            body["capture"] = json!("manual");
        }
        let order = self.place_this(cart, &body).await;
        let intent = self.intent(&order).await.expect("nothing is paid yet");
        match story {
            0 => self.pay(&intent, "pm_card_visa").await,
            1 => {
                let path = format!("/v1/payment_intents/{intent}/confirm");
                self.stripe(
                    Method::POST,
                    &path,
                    "payment_method=pm_card_chargeDeclined&return_url=https://shop.example/",
                )
                .await;
                self.pay(&intent, "pm_card_visa").await;
            }
            2 => {
                self.pay(&intent, "pm_card_visa").await;
                self.until(&order, &["paid"]).await;
                self.refund(&order, Some("24.50"), &format!("{cart}-1")).await;
                self.refund(&order, None, &format!("{cart}-2")).await;
            }
            3 => {
                let edit = json!({ "line_items": [{ "name": "Leash", "amount": 1250, "quantity": 1 }] });
                let edit = self.change(Method::PATCH, &order, "", edit);
                let ((), status) = tokio::join!(self.pay(&intent, "pm_card_visa"), edit);
                assert!([200, 202, 409].contains(&status), "{status}");
            }
            4 => {
                let cancel = self.change(Method::POST, &order, "/cancel", json!({}));
                let ((), status) = tokio::join!(self.pay(&intent, "pm_card_visa"), cancel);
                assert!([200, 202, 409].contains(&status), "{status}");
            }
            5 => {
                self.pay(&intent, "pm_card_visa").await;
                self.until(&order, &["authorized"]).await;
                let captured = self.change(Method::POST, &order, "/capture", json!({ "amount": "50.00" })).await;
                assert!([200, 202].contains(&captured), "{captured}");
            }
            6 => {
                self.pay(&intent, "pm_card_visa").await;
                self.until(&order, &["authorized"]).await;
                let canceled = self.change(Method::POST, &order, "/cancel", json!({})).await;
                assert!([200, 202].contains(&canceled), "{canceled}");
            }
            _ => {
                self.pay(&intent, "pm_card_visa").await;
                // A refund in the dashboard, repeated if it was not answered: it may be made more than once.
                self.stripe(Method::POST, "/v1/refunds", &format!("payment_intent={intent}&amount=1000")).await;
            }
        }
        order
    }
}

/// Kills processes and starts them again until `done`.
async fn kill_repeatedly(
    served: Arc<Served>,
    mut processes: Vec<Process>,
    done: Arc<AtomicBool>,
) -> (u32, Vec<Process>) {
    let mut kills = 0;
    while !done.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(300..1200))).await;
        let n = fastrand::usize(..processes.len());
        processes[n].signal("-KILL");
        kills += 1;
        let serving = Arc::clone(&served);
        processes[n] = tokio::task::spawn_blocking(move || serving.serve(n)).await.unwrap();
    }
    (kills, processes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn the_books_agree_after_faults_of_every_kind_at_once() {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let mut served = Served::start_with(&cluster.url("postgres"), 3, true, "5", SHORT_TIMEOUTS).await;
    let processes: Vec<_> = served.replicas.iter_mut().map(|it| it.0.take().unwrap()).collect();
    let served = Arc::new(served);
    for fault in troubles() {
        let added = answer(served.http.post(format!("{}/_twin/faults", served.twin_url)).body(fault.to_string())).await;
        assert_eq!(added.status, 200, "{added:?}");
    }
    let done = Arc::<AtomicBool>::default();
    let killer = tokio::spawn(kill_repeatedly(Arc::clone(&served), processes, Arc::clone(&done)));
    let seen = Arc::<Seen>::default();
    let lived = Arc::<AtomicU32>::default();
    let customers: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (customer, lived) = (customer(&served, &seen), Arc::clone(&lived));
            tokio::spawn(async move {
                let mut orders = Vec::new();
                for round in 0..ORDERS_EACH {
                    let story = (n + round) % STORIES;
                    orders.push((story, customer.play(story, &format!("cart-{n}-{round}")).await));
                    lived.fetch_add(1, Ordering::SeqCst);
                }
                orders
            })
        })
        .collect();
    let mut orders = BTreeMap::new();
    for customer in customers {
        orders.extend(customer.await.unwrap().into_iter().map(|(story, order)| (order, story)));
    }
    done.store(true, Ordering::SeqCst);
    let (kills, _processes) = killer.await.unwrap();
    answer(served.http.delete(format!("{}/_twin/faults", served.twin_url))).await;

    let db = connect(&cluster.url("postgres")).await;
    let number = async |sql: &str| db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    // At rest, nothing is under way, and the only tasks left are polls and expiries of unpaid orders.
    let under_way = "SELECT concat_ws(' ', 'task', key, due_at, error) FROM tasks
            WHERE key !~ '^(poll_intent|expire_order)'
        UNION ALL SELECT concat_ws(' ', 'order', id, requested_revision, operation) FROM orders
            WHERE requested_revision IS NOT NULL OR operation IS NOT NULL
        UNION ALL SELECT concat_ws(' ', 'refund', order_id, number, status) FROM refunds
            WHERE status IN ('requested', 'pending')
        UNION ALL SELECT concat_ws(' ', 'event', kind, due_at, error) FROM webhook_inbox
            WHERE verdict = 'parked'";
    let ended = Instant::now();
    let audit = loop {
        let (agree, printed, error) = served.run(&["audit", "--days", "1"]);
        let left = db.query(under_way, &[]).await.unwrap();
        if agree && left.is_empty() {
            break printed;
        }
        let left: Vec<String> = left.iter().map(|it| it.get(0)).collect();
        assert!(ended.elapsed() < BOUND, "after {BOUND:?} still under way: {left:#?}\n{printed}{error}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let rest = ended.elapsed();

    // I2, I5: an order is paid exactly when a settled intent paid it, with one fact.
    assert_eq!(number("SELECT count(*) FROM orders").await, i64::try_from(orders.len()).unwrap());
    let paid = number("SELECT count(*) FROM orders WHERE state = 'paid'").await;
    assert_eq!(number("SELECT count(*) FROM facts WHERE kind = 'order.paid'").await, paid);
    assert_eq!(number("SELECT count(DISTINCT order_id) FROM facts WHERE kind = 'order.paid'").await, paid);
    let wrong = "SELECT count(*) FROM orders JOIN payment_intents ON order_id = id AND provider_id = paid_by
        WHERE status <> 'succeeded' OR received <> coalesce(capture_asked, total)";
    assert_eq!(number(wrong).await, 0, "the payment is the amount due");
    // I1, I3: compared with Stripe's own records.
    let intents = served.listed("/v1/payment_intents").await;
    let refunds = served.listed("/v1/refunds").await;
    let mut kept: BTreeMap<&str, i64> = BTreeMap::new();
    for intent in &intents {
        let order = intent["metadata"]["order_id"].as_str().unwrap();
        let gone = refunds.iter().filter(|it| it["payment_intent"] == intent["id"] && it["status"] != "failed");
        let gone: i64 = gone.map(|it| it["amount"].as_i64().unwrap()).sum();
        let left = intent["amount_received"].as_i64().unwrap() - gone;
        assert!(left >= 0, "more was refunded than received: {intent}");
        *kept.entry(order).or_default() += left;
    }
    for row in db.query("SELECT id::text, total, state FROM orders", &[]).await.unwrap() {
        let (id, total, state): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
        let (left, story) = (kept.get(id.as_str()).copied().unwrap_or_default(), orders[&id]);
        let fits = match (story, state.as_str()) {
            (0 | 1 | 4, "paid") => left == 12_450,
            // The new amount or the old one, depending on which the customer paid.
            (3, "paid") => left == total && [1_250, 12_450].contains(&total),
            (2, "paid") | (4 | 6, "canceled") => left == 0,
            (5, "paid") => left == 5_000,
            // Refunded once or more often in the dashboard.
            (7, "paid") => left < 12_450 && (12_450 - left) % 1000 == 0,
            _ => false,
        };
        assert!(fits, "story {story} of {id} ended {state}, and {left} of {total} were kept");
    }
    // I7: one refund of ours is one refund at Stripe.
    let names: Vec<_> = refunds.iter().filter_map(|it| it["metadata"]["refund_id"].as_str()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a refund was made twice");
    let count = |it: &std::sync::atomic::AtomicUsize| it.load(Ordering::SeqCst);
    println!(
        "{} orders, {paid} of them paid, {} refunds; {kills} kills, {} requests without an answer, {} answered with \
         Retry-After; at rest {:.1} s after the last fault. {}",
        orders.len(),
        refunds.len(),
        count(&seen.unanswered),
        count(&seen.retried_later),
        rest.as_secs_f32(),
        audit.lines().next().unwrap_or_default(),
    );
}
