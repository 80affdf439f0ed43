//! The shop's other programs are told what happened: by the feed, and by webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::{Seen, customer};
use crate::program::{Dev, TIMEOUT};
use crate::receiver::Receiver;
use crate::served::{Served, Stand, on_both_stores};

/// Events of a sale that is paid by card, in their order.
const SALE: [&str; 4] = ["order.placed", "payment_intent.created", "payment_intent.changed", "order.paid"];

/// All events of the feed.
pub(crate) async fn feed(dev: &Dev) -> Vec<Value> {
    let (mut events, mut after): (Vec<Value>, u64) = (Vec::new(), 0);
    loop {
        let page = dev.call(Method::GET, &format!("/events?after={after}&limit=100"), None).await;
        assert_eq!(page.status, 200, "{page:?}");
        let data = &page.body["data"];
        events.extend(data["events"].as_array().unwrap().iter().cloned());
        after = data["next"].as_u64().unwrap();
        if data["has_more"] == false {
            return events;
        }
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|it| it["type"].as_str().unwrap()).collect()
}

/// Creates an endpoint of `receiver`, which accepts its secret from then on. Returns its id.
async fn endpoint(dev: &Dev, receiver: &Receiver, url: &str, body: Value) -> String {
    let mut body = body;
    body["url"] = json!(url);
    let created = dev.call(Method::POST, "/webhook_endpoints", Some(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let data = &created.body["data"];
    receiver.secrets.lock().unwrap().push(data["secret"].as_str().unwrap().to_owned());
    data["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn sell(dev: &Dev) -> Value {
    let order = dev.place().await;
    let intent = dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
    dev.confirm(&intent, "pm_card_visa").await;
    dev.read_until(&order, |it| it["payment_status"] == "paid").await
}

/// Checks positions, and the order of each order's events.
fn check_feed(events: &[Value]) {
    let positions: Vec<_> = events.iter().map(|it| it["position"].as_u64().unwrap()).collect();
    let first = positions.first().copied().unwrap_or(1);
    assert!((first..).zip(&positions).all(|(expected, it)| expected == *it), "gaps: {positions:?}");
    let mut versions = BTreeMap::<&str, u64>::new();
    for event in events {
        let version = event["version"].as_u64().unwrap();
        let before = versions.insert(event["order"].as_str().unwrap(), version).unwrap_or_default();
        assert!(before <= version, "{event} comes after version {before}");
    }
}

/// Ids of the events that the receiver has not accepted.
fn missing(events: &[Value], accepted: &[Value]) -> Vec<String> {
    let ids = |events: &[Value]| events.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    ids(events).difference(&ids(accepted)).cloned().collect()
}

/// Checks that the receiver accepted every event, and those of each order in their order.
fn check_received(events: &[Value], accepted: &[Value]) {
    assert_eq!(missing(events, accepted), Vec::<String>::new(), "not every event arrived");
    let mut seen = BTreeSet::new();
    let mut positions = BTreeMap::<&str, u64>::new();
    for event in accepted.iter().filter(|it| seen.insert(it["id"].as_str().unwrap())) {
        let position = event["position"].as_u64().unwrap();
        let before = positions.insert(event["order"].as_str().unwrap(), position).unwrap_or_default();
        assert!(before < position, "{event} comes after position {before}");
    }
}

on_both_stores! {
    a_sale_is_in_the_feed_and_arrives_at_an_endpoint
    an_endpoint_that_was_down_gets_what_it_missed
    secrets_are_rotated_without_a_refused_webhook
    a_reader_that_waits_gets_a_new_event_soon
}

async fn a_sale_is_in_the_feed_and_arrives_at_an_endpoint(stand: &Stand) {
    let dev = stand.start(true).await;
    let (receiver, url) = Receiver::start().await;
    endpoint(&dev, &receiver, &url, json!({"types": ["order.placed", "order.paid", "refund.changed"]})).await;
    let order = sell(&dev).await;
    let path = format!("/orders/{}/refunds", order["id"].as_str().unwrap());
    dev.call(Method::POST, &path, Some(&json!({"amount": "12.50"}))).await;
    receiver.until("three events arrive", |it| it.len() >= 3).await;
    let accepted = receiver.accepted();
    assert_eq!(types(&accepted), ["order.placed", "order.paid", "refund.changed"]);
    assert_eq!(accepted[1]["data"]["order"]["payment_status"], "paid");
    assert_eq!(accepted[2]["data"]["order"]["amount_refunded"], "12.50");
    let events = feed(&dev).await;
    check_feed(&events);
    assert_eq!(types(&events)[..4], SALE);
    assert_eq!(events[0], accepted[0], "a webhook has the event of the feed");
    assert_eq!(receiver.forged.load(Ordering::SeqCst), 0);
}

async fn an_endpoint_that_was_down_gets_what_it_missed(stand: &Stand) {
    let dev = stand.start(true).await;
    let (receiver, url) = Receiver::start().await;
    let id = endpoint(&dev, &receiver, &url, json!({})).await;
    receiver.is_down.store(true, Ordering::SeqCst);
    sell(&dev).await;
    let begun = Instant::now();
    loop {
        let attempts = dev.call(Method::GET, &format!("/webhook_endpoints/{id}/attempts"), None).await;
        if attempts.body["data"]["attempts"][0]["status"] == 503 {
            break;
        }
        assert!(begun.elapsed() < TIMEOUT, "{attempts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    dev.call(Method::POST, &format!("/webhook_endpoints/{id}/disable"), None).await;
    let second = sell(&dev).await;
    receiver.is_down.store(false, Ordering::SeqCst);
    let enabled = dev.call(Method::POST, &format!("/webhook_endpoints/{id}/enable"), None).await;
    assert_eq!(enabled.body["data"]["status"], "enabled", "{enabled:?}");
    let of_second = second["id"].clone();
    let is_paid = move |it: &Value| it["order"] == of_second && it["type"] == "order.paid";
    receiver.until("the second order is paid", |it| it.iter().any(&is_paid)).await;
    let events = feed(&dev).await;
    assert!(events.len() >= 8, "both orders are told");
    receiver.until("every event arrives", |it| missing(&events, it).is_empty()).await;
    check_received(&events, &receiver.accepted());
}

async fn secrets_are_rotated_without_a_refused_webhook(stand: &Stand) {
    let dev = stand.start(true).await;
    let (receiver, url) = Receiver::start().await;
    let id = endpoint(&dev, &receiver, &url, json!({"types": ["order.placed"]})).await;
    let rotated = dev.call(Method::POST, &format!("/webhook_endpoints/{id}/rotate_secret"), Some(&json!({}))).await;
    let secret = rotated.body["data"]["secret"].as_str().unwrap_or_else(|| panic!("{rotated:?}")).to_owned();
    dev.place().await;
    receiver.until("the old secret signs too", |it| it.len() == 1).await;
    *receiver.secrets.lock().unwrap() = vec![secret];
    dev.place().await;
    receiver.until("the new secret signs", |it| it.len() == 2).await;
    assert_eq!(receiver.forged.load(Ordering::SeqCst), 0);
}

async fn a_reader_that_waits_gets_a_new_event_soon(stand: &Stand) {
    let dev = stand.start(true).await;
    dev.place().await;
    let begun = Instant::now();
    while feed(&dev).await.is_empty() {
        assert!(begun.elapsed() < TIMEOUT);
    }
    let waiting = dev.call(Method::GET, "/events?after=1&wait=30", None);
    let placing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        dev.place().await
    };
    let begun = Instant::now();
    let (page, order) = tokio::join!(waiting, placing);
    assert!(begun.elapsed() < Duration::from_secs(20), "the reader waited to the end");
    assert_eq!(page.body["data"]["events"][0]["order"], order["id"], "{page:?}");
    let empty = dev.call(Method::GET, "/events?after=2&wait=1", None).await;
    assert_eq!(empty.body["data"], json!({"events": [], "next": 2, "has_more": false}), "{empty:?}");
}

/// The command line shows and changes what the API does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_and_events_are_managed_on_the_command_line() {
    let database = paywright_testkit::postgres::Database::empty().await;
    let served = Served::start(&database.url(), 1, true, "0").await;
    let (receiver, url) = Receiver::start().await;
    let printed = |arguments: &[&str]| {
        let (done, printed, said) = served.run(arguments);
        assert!(done, "{arguments:?}: {said}");
        printed
    };
    let created = printed(&["webhooks", "create", &url, "--type", "order.placed", "--description", "the books"]);
    let id = created.split_whitespace().next().unwrap().to_owned();
    receiver.secrets.lock().unwrap().push(created.lines().last().unwrap().to_owned());
    let said = printed(&["webhooks", "test", &id]);
    assert!(said.contains("webhook.test") && said.contains("204"), "{said}");
    receiver.until("the test event arrives", |it| it[0]["type"] == "webhook.test").await;
    let list = printed(&["webhooks", "list"]);
    assert!(list.contains(&url) && list.contains("[order.placed]") && list.contains("enabled  the books"), "{list}");
    let shown = printed(&["webhooks", "show", &id]);
    assert!(shown.contains(&url) && shown.contains("orders with events that wait: 0"), "{shown}");
    for (arguments, says) in [
        (["webhooks", "create", "https://ada:hush@books.example/x"].as_slice(), "must have no user name"),
        (&["webhooks", "create", "https://books.example"], "must have a path"),
        (&["webhooks", "create", "http://169.254.169.254/x"], "169.254.169.254"),
        (&["webhooks", "create", "https://[::ffff:10.0.0.1]/"], "10.0.0.1"),
        (&["webhooks", "create", &url, "--type", "order.shipped"], "order.placed, "),
        (&["webhooks", "create", &url, "--after", "99"], "--after: the position is beyond the end of the feed"),
        (&["webhooks", "create", &url, "--type", "order.paid", "--type", "order.paid"], "is given twice"),
        (&["webhooks", "update", &id], "nothing to change"),
        (&["webhooks", "test", "books"], "it must be an id (a UUID)"),
        (&["webhooks", "enable", "00000000-0000-0000-0000-000000000000"], "there is no such webhook endpoint"),
        (&["webhooks", "resend", &id, "1"], "there is no event at this position"),
        (&["events", "tail", "--after", "99", "--no-follow"], "the last event has position 0"),
    ] {
        let (done, _, said) = served.run(arguments);
        assert!(!done && said.contains(says) && !said.contains("hush"), "{arguments:?}: {said}");
    }
    let dev = served.into_dev();
    let order = dev.place().await;
    receiver.until("the order arrives", |it| it.len() == 2).await;
    assert_eq!(receiver.accepted()[1]["order"], order["id"]);
}

/// Processes are killed, and the receiver loses answers: every event arrives, in order for each order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_arrives_although_processes_are_killed() {
    let database = paywright_testkit::postgres::Database::empty().await;
    let mut served = Served::start(&database.url(), 2, true, "0").await;
    let seen = Arc::<Seen>::default();
    let (receiver, url) = Receiver::start().await;
    receiver.drops_every.store(7, Ordering::SeqCst);
    let (done, created, said) = served.run(&["webhooks", "create", &url]);
    assert!(done, "{said}");
    receiver.secrets.lock().unwrap().push(created.lines().last().unwrap().to_owned());
    for round in 0..4 {
        let killed = round % 2;
        let customer = customer(&served, &seen);
        for n in 0..10 {
            customer.place(&format!("order-{round}-{n}")).await;
        }
        drop(served.replicas[killed].0.take());
        for n in 10..15 {
            customer.place(&format!("order-{round}-{n}")).await;
        }
        served.replicas[killed].0 = Some(served.serve(killed));
    }
    let dev = served.into_dev();
    let all = || async { feed(&dev).await.len() == 60 };
    let begun = Instant::now();
    while !all().await {
        assert!(begun.elapsed() < TIMEOUT * 3, "the relay does not go on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let events = feed(&dev).await;
    check_feed(&events);
    receiver.drops_every.store(0, Ordering::SeqCst);
    let count = |it: &[Value]| it.iter().map(|it| it["id"].as_str().unwrap()).collect::<BTreeSet<_>>().len();
    // The leases of a killed deliverer end after a minute.
    let begun = Instant::now();
    while count(&receiver.accepted()) < 60 {
        assert!(begun.elapsed() < TIMEOUT * 4, "{} arrived", count(&receiver.accepted()));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    check_received(&events, &receiver.accepted());
}
