//! The program is killed while customers place and pay orders: acknowledged orders are kept, and none exists twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Dev, TIMEOUT, two_lines};

const CLIENTS: usize = 8;
/// Minimum number of orders that are acknowledged before the kill.
const ANSWERED_MIN: usize = 50;

/// Places one order; `None` if the program does not answer.
async fn place(http: &Client, api: &str, key: &str, idempotency: &str) -> Option<Value> {
    let request = http.post(format!("{api}/orders")).header("x-api-key", key).header("idempotency-key", idempotency);
    let response =
        request.header("content-type", "application/json").body(two_lines().to_string()).send().await.ok()?;
    let placed: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
    placed["data"]["id"].is_string().then(|| placed["data"].clone())
}

async fn start_paying(http: &Client, dev: &(String, String, String), order: &Value) -> Option<String> {
    let (api, key, token) = dev;
    let url = format!("{api}/orders/{}/payment-intent", order["id"].as_str()?);
    let response = http.post(url).header("x-api-key", key).bearer_auth(token).send().await.ok()?;
    let made: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
    made["data"]["id"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn acknowledged_orders_survive_a_kill() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &["--no-webhooks"]);
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let count = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (http, stop, sent) = (dev.http.clone(), Arc::clone(&stop), Arc::clone(&sent));
            let count = Arc::clone(&count);
            let caller = (dev.api.clone(), dev.key.clone(), dev.token.clone());
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for n in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let key = format!("cart-{client}-{n}");
                    sent.lock().unwrap().insert(key.clone());
                    let Some(order) = place(&http, &caller.0, &caller.1, &key).await else { break };
                    let intent = start_paying(&http, &caller, &order).await;
                    answered.push((key, order, intent));
                    count.fetch_add(1, Ordering::SeqCst);
                }
                answered
            })
        })
        .collect();
    let begun = Instant::now();
    while count.load(Ordering::SeqCst) < ANSWERED_MIN {
        assert!(begun.elapsed() < TIMEOUT, "too few orders are acknowledged");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dev.process.signal("-KILL");
    stop.store(true, Ordering::SeqCst);
    let mut answered = Vec::new();
    for client in clients {
        answered.extend(client.await.unwrap());
    }
    drop(dev);
    assert!(answered.len() >= ANSWERED_MIN);

    let dev = Dev::start(&folder, &["--no-webhooks"]);
    for (key, order, intent) in &answered {
        let there = dev.read(order).await;
        assert_eq!(there["number"], order["number"], "an answered order is lost");
        if let Some(intent) = intent {
            assert_eq!(there["payment_intent"]["id"], json!(intent), "an answered intent is lost");
        }
        let again = place(&dev.http, &dev.api, &dev.key, key).await.unwrap();
        assert_eq!(again["id"], order["id"], "a repeat places another order");
    }
    // A request without an answer may have placed its order; repeated, it gives exactly one.
    let keys = sent.lock().unwrap().clone();
    for key in &keys {
        place(&dev.http, &dev.api, &dev.key, key).await.unwrap();
    }
    let mut orders = BTreeSet::new();
    let mut path = "/orders?limit=100".to_owned();
    loop {
        let page = dev.call(Method::GET, &path, None).await.body["data"].clone();
        orders.extend(page["orders"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/orders?limit=100&cursor={cursor}");
    }
    assert_eq!(orders.len(), keys.len(), "each key is one order");
}
