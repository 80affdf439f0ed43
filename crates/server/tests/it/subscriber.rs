//! A subscriber of Spree's Platform API: the example receiver in Node, which verifies both signatures of each webhook.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Dev, TIMEOUT};
use crate::publish::{feed, sell};
use crate::served::{Stand, free_ports, on_both_stores};
use crate::spree::platform;

on_both_stores! {
    a_sale_arrives_at_a_subscriber_of_spree
    a_subscriber_that_was_down_gets_each_payment_once
}

/// The example receiver in Node, ended with the value.
struct Subscriber(Child);

impl Drop for Subscriber {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Place of a receiver: its port, its secret and its file, which stay when it is started again.
struct Place {
    port: u16,
    secret: String,
    file: PathBuf,
    _folder: TempDir,
}

impl Place {
    /// Creates a subscriber for a receiver. Returns its place and its id.
    async fn subscribed(dev: &Dev, subscriptions: &[&str]) -> (Self, String) {
        let folder = TempDir::new().unwrap();
        let port = free_ports(1)[0];
        let subscriber = json!({ "url": format!("http://127.0.0.1:{port}/spree"), "subscriptions": subscriptions });
        let body = json!({ "subscriber": subscriber });
        let created = platform(dev, Method::POST, "/webhooks/subscribers", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        let data = &created.body["data"];
        assert_eq!(data["attributes"]["active"], false);
        let secret = data["attributes"]["secret_key"].as_str().unwrap().to_owned();
        (
            Self { port, secret, file: folder.path().join("events"), _folder: folder },
            data["id"].as_str().unwrap().into(),
        )
    }

    fn start(&self) -> Subscriber {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook-receiver/node");
        let installed = folder.join("node_modules").is_dir();
        assert!(installed, "its packages are missing: run scripts/test, or `npm ci` in {}", folder.display());
        let mut process = Command::new("node")
            .arg("receiver.mjs")
            .current_dir(folder)
            .envs([("WEBHOOK_SECRET", self.secret.as_str()), ("PORT", &self.port.to_string()), ("SPREE", "1")])
            .env("EVENTS_FILE", &self.file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs: scripts/test installs what it needs");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        // The output stays open: the receiver prints each stored event.
        std::thread::spawn(move || output.lines().for_each(drop));
        Subscriber(process)
    }

    /// Stored events with their `webhook-id`s.
    fn stored(&self) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let event = |line: &str| {
            let stored: Value = serde_json::from_str(line).unwrap();
            (stored["webhook_id"].as_str().unwrap().to_owned(), stored["event"].clone())
        };
        whole.lines().map(event).collect()
    }

    /// Waits until there are so many stored events.
    async fn until(&self, count: usize) -> Vec<(String, Value)> {
        let begun = Instant::now();
        loop {
            let stored = self.stored();
            if stored.len() >= count {
                return stored;
            }
            assert!(begun.elapsed() < TIMEOUT, "{count} are expected: {stored:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn set_active(dev: &Dev, id: &str) -> Answer {
    let body = json!({ "subscriber": { "active": true } });
    let changed = platform(dev, Method::PATCH, &format!("/webhooks/subscribers/{id}"), &body).await;
    assert_eq!((changed.status, &changed.body["data"]["attributes"]["active"]), (200, &json!(true)));
    changed
}

fn kinds(stored: &[(String, Value)]) -> Vec<&str> {
    stored.iter().map(|(_, it)| it["event_type"].as_str().unwrap()).collect()
}

async fn a_sale_arrives_at_a_subscriber_of_spree(stand: &Stand) {
    let dev = stand.start(true).await;
    let wanted = ["order.placed", "payment.paid", "order.paid", "refund.create"];
    let (place, id) = Place::subscribed(&dev, &wanted).await;
    let _receiver = place.start();
    sell(&dev).await;
    let begun = Instant::now();
    while !feed(&dev).await.iter().any(|it| it["type"] == "order.paid") {
        assert!(begun.elapsed() < TIMEOUT, "the first sale is in the feed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    set_active(&dev, &id).await;
    let order = sell(&dev).await;
    let path = format!("/orders/{}/refunds", order["id"].as_str().unwrap());
    dev.call(Method::POST, &path, Some(&json!({ "amount": "12.50" }))).await;
    let stored = place.until(4).await;
    assert_eq!(kinds(&stored), wanted, "nothing of the sale before the activation");
    let ids: Vec<_> = stored.iter().map(|(_, it)| it["event_id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(stored[2].1["data"]["attributes"]["payment_state"], "paid");
    assert_eq!(stored[3].1["data"]["attributes"]["amount"], "12.5");
    let failed = platform(&dev, Method::GET, "/webhooks/events?filter[success_eq]=false", &Value::Null).await;
    assert_eq!((failed.status, &failed.body["data"]), (200, &json!([])));
    let all = platform(&dev, Method::GET, "/webhooks/events?filter[success_eq]=true", &Value::Null).await;
    assert_eq!(all.body["meta"]["total_count"], 4, "{all:?}");
}

async fn a_subscriber_that_was_down_gets_each_payment_once(stand: &Stand) {
    let dev = stand.start(true).await;
    let (place, id) = Place::subscribed(&dev, &["order.paid"]).await;
    let receiver = place.start();
    set_active(&dev, &id).await;
    sell(&dev).await;
    place.until(1).await;
    drop(receiver);
    for _ in 0..5 {
        sell(&dev).await;
    }
    let begun = Instant::now();
    let path = "/webhooks/events?filter[success_eq]=false&filter[response_code_eq]=0";
    while platform(&dev, Method::GET, path, &Value::Null).await.body["meta"]["total_count"].as_u64() < Some(5) {
        assert!(begun.elapsed() < TIMEOUT, "the attempts fail while it is down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _receiver = place.start();
    // What waits for a retry is sent at once.
    set_active(&dev, &id).await;
    let stored = place.until(6).await;
    assert_eq!(kinds(&stored), ["order.paid"; 6]);
    let distinct = |of: fn(&(String, Value)) -> Value| {
        let mut all: Vec<_> = stored.iter().map(|it| of(it).to_string()).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert_eq!(distinct(|it| it.1["data"]["id"].clone()), 6, "one for each order");
    assert_eq!(distinct(|it| it.1["event_id"].clone()), 6);
    assert_eq!(distinct(|it| json!(it.0)), 6);
}
