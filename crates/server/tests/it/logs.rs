//! The log has one line for each request and one for each change of an order, with the order's id and number.

use std::collections::BTreeMap;
use std::time::Instant;

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Dev, TIMEOUT, answer, two_lines};
use crate::secrets::storefront;
use crate::served::Served;

/// The lines of a JSON log.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|it| serde_json::from_str(it).unwrap_or_else(|error| panic!("{error}: {it}"))).collect()
}

pub(crate) fn with_message<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|it| it["message"] == message).collect()
}

pub(crate) fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

/// The log after every request has ended.
pub(crate) async fn settled_log(dev: &Dev) -> String {
    let begun = Instant::now();
    loop {
        let log = dev.process.logged();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if log == dev.process.logged() {
            return log;
        }
        assert!(begun.elapsed() < TIMEOUT, "requests do not end: {log}");
    }
}

/// Makes a sale, with known request ids.
pub(crate) async fn sale(dev: &Dev) -> (Value, String) {
    let placing = dev.http.post(format!("{}/orders", dev.api)).header("x-api-key", &dev.key);
    let placing = placing.header("content-type", "application/json").header("x-request-id", "sale-1");
    let order = answer(placing.body(two_lines().to_string())).await.body["data"].clone();
    let url = format!("{}/orders/{}/payment-intent", dev.api, order["number"].as_str().unwrap());
    let paying = dev.http.post(url).header("x-api-key", &dev.key).bearer_auth(&dev.token);
    let made = answer(paying.header("x-request-id", "sale-2")).await;
    let intent = made.body["data"]["id"].as_str().unwrap().to_owned();
    dev.confirm(&intent, "pm_card_visa").await;
    dev.read_until_settled(&order).await;
    (order, intent)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn a_sale_logs_one_line_per_request_and_per_change_with_id_and_number() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &["--log", "json"]);
    let (order, intent) = sale(&dev).await;
    let (id, number) = (text(&order, "id"), text(&order, "number"));
    let log = settled_log(&dev).await;
    let all = lines(&log);

    let requests = with_message(&all, "answered");
    let mut by_id = BTreeMap::<&str, u32>::new();
    for request in &requests {
        *by_id.entry(text(request, "request")).or_default() += 1;
    }
    assert!(by_id.values().all(|it| *it == 1) && !by_id.contains_key(""), "one line each: {by_id:?}");
    let posted = |path: &str| requests.iter().filter(|it| text(it, "path") == path && it["method"] == "POST").count();
    assert_eq!(
        (posted("/api/v1/shop/orders"), posted(&format!("/api/v1/shop/orders/{number}/payment-intent"))),
        (1, 1)
    );
    let list = dev.http.get(format!("{}/v1/events?limit=100", dev.twin)).bearer_auth("sk_test_twin");
    let mut events: Vec<_> =
        answer(list).await.body["data"].as_array().unwrap().iter().map(|it| text(it, "id").to_owned()).collect();
    let webhooks = requests.iter().filter(|it| text(it, "path") == "/webhooks/stripe");
    let mut told: Vec<_> = webhooks.map(|it| text(it, "event").to_owned()).collect();
    events.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, events, "one line for each event");

    let mut changes = with_message(&all, "order changed");
    changes.sort_by_key(|it| it["version"].as_u64());
    let versions: Vec<_> = changes.iter().filter_map(|it| it["version"].as_u64()).collect();
    assert_eq!(versions, (1..=u64::try_from(changes.len()).unwrap()).collect::<Vec<_>>(), "one line for each change");
    let facts: Vec<_> = changes.iter().flat_map(|it| text(it, "facts").split(',')).collect();
    let explained = dev.call(Method::GET, &format!("/orders/{id}/explain"), None).await.body;
    let happened = explained["data"]["timeline"].as_array().unwrap_or_else(|| panic!("{explained}")).len();
    assert_eq!(facts.len(), happened, "every fact is in a line: {facts:?}");
    assert_eq!(facts[..3], ["order.placed", "payment_intent.requested", "payment_intent.created"]);
    for expected in ["order.paid", "payment_intent.proceeds_known"] {
        assert!(facts.contains(&expected), "{facts:?}");
    }
    let requests_of: Vec<_> = changes.iter().map(|it| text(it, "request")).take(2).collect();
    assert_eq!(requests_of, ["sale-1", "sale-2"]);
    for change in &changes {
        assert_eq!((text(change, "order"), text(change, "number")), (id, number));
        assert!(change["version"].as_u64() < Some(3) || text(change, "intent") == intent, "{change}");
        let by_event = ["webhook", "worker"].contains(&text(change, "source"));
        assert_eq!(by_event, text(change, "event").starts_with("evt_"), "{change}");
    }
    // The intent is reported by the answer to the request, or by an event that arrived earlier.
    let created = changes[2];
    let is_answer = created["source"] == "answer";
    assert_eq!(text(created, "request") == "sale-2", is_answer, "{created}");
    assert!(is_answer || text(created, "event").starts_with("evt_"), "{created}");
    assert!(!is_answer || text(created, "stripe_request").starts_with("req_"), "{created}");

    let found = |name: &str| log.lines().filter(|it| it.contains(name)).collect::<Vec<_>>();
    assert_eq!(found(id), found(number), "both find the same history");
    let story: Vec<_> = lines(&found(id).join("\n"));
    let order_of = |message: &str, field: &str, value: &str| {
        story.iter().position(|it| it["message"] == message && text(it, field).contains(value)).unwrap()
    };
    let (requested, created, answered) = (
        order_of("order changed", "facts", "payment_intent.requested"),
        order_of("order changed", "facts", "payment_intent.created"),
        order_of("answered", "request", "sale-2"),
    );
    let by_calls = [
        order_of("order changed", "facts", "order.placed"),
        order_of("answered", "request", "sale-1"),
        requested,
        answered,
    ];
    let by_facts = [
        requested,
        created,
        order_of("order changed", "facts", "order.paid"),
        order_of("answered", "event_type", "payment_intent.succeeded"),
    ];
    assert!(by_calls.is_sorted() && by_facts.is_sorted(), "{by_calls:?} {by_facts:?}: {story:?}");
    // A webhook that reports the intent is handled, and logged, on a thread of its own.
    assert!(!is_answer || created < answered, "{created} {answered}: {story:?}");
}

/// The order of a cart has its id before it is placed.
#[tokio::test]
async fn a_storefront_sale_is_logged_with_its_order_id_from_the_cart_on() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &[]);
    storefront(&dev).await;
    let orders = dev.call(Method::GET, "/orders", None).await.body;
    let order = &orders["data"]["orders"][0];
    let log = settled_log(&dev).await;
    for name in [text(order, "id"), text(order, "number")] {
        let story: Vec<_> = log.lines().filter(|it| it.contains(name)).collect();
        for expected in [
            "POST path=/api/v2/storefront/cart ",
            "POST path=/api/v2/storefront/cart/add_item ",
            "GET path=/api/v2/storefront/cart ",
            "PATCH path=/api/v2/storefront/checkout/advance ",
            "order changed",
            "facts=order.placed ",
            "POST path=/api/v2/storefront/stripe/payment_intents ",
            "facts=payment_intent.created ",
        ] {
            assert!(story.iter().any(|it| it.contains(expected)), "{name}: {expected} is not in {story:#?}");
        }
    }
}

#[tokio::test]
async fn a_repeated_placement_and_a_refusal_are_logged_with_the_order_id() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &["--log", "json"]);
    let place = async |id: &str| {
        let request = dev.http.post(format!("{}/orders", dev.api)).header("x-api-key", &dev.key);
        let request = request.header("idempotency-key", "cart-7").header("content-type", "application/json");
        answer(request.header("x-request-id", id).body(two_lines().to_string())).await.body["data"].clone()
    };
    let (order, _) = (place("first").await, place("again").await);
    let path = format!("/orders/{}/payment", text(&order, "id"));
    assert_eq!(dev.call(Method::POST, &path, None).await.code(), "payment_not_completed");
    let all = lines(&settled_log(&dev).await);
    let line =
        |field: &str, value: &str| with_message(&all, "answered").into_iter().find(|it| it[field] == value).cloned();
    for (field, value) in [("request", "first"), ("request", "again"), ("code", "payment_not_completed")] {
        let line = line(field, value).unwrap_or_else(|| panic!("no line has the {field} {value}: {all:?}"));
        let (id, number) = (text(&line, "order"), text(&line, "number"));
        assert_eq!((id, number), (text(&order, "id"), text(&order, "number")), "{line}");
    }
    assert_eq!(with_message(&all, "order changed").len(), 1);
}

#[tokio::test]
async fn warnings_have_order_ids_when_only_warnings_are_logged() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::logging("warn", &folder, &["--log", "json"]);
    let order = dev.place().await;
    let fault = json!({ "kind": "drop_after", "path": "/v1/payment_intents", "method": "POST", "times": 3 });
    answer(dev.http.post(format!("{}/_twin/faults", dev.twin)).body(fault.to_string())).await;
    assert_eq!(dev.intent(&order).await.code(), "payment_provider_unreachable");
    let all = lines(&settled_log(&dev).await);
    let failed = with_message(&all, "no answer from Stripe");
    assert_eq!(failed.len(), 1, "{all:?}");
    for line in failed {
        assert_eq!((text(line, "order"), text(line, "number")), (text(&order, "id"), text(&order, "number")), "{line}");
        assert!(
            text(line, "request").starts_with("req_") && text(line, "call") == "POST /v1/payment_intents",
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_command_that_stripe_refuses_names_the_call() {
    let database = Database::empty().await;
    let served = Served::start(&database.url(), 1, false, "0").await;
    let recover = ["recover", "--since", "2026-01-01T00:00:00Z"];
    for (command, path) in [
        (&["audit"][..], "/v1/payment_intents"),
        (&["audit"], "/v1/refunds"),
        (&["audit"], "/v1/disputes"),
        (&recover, "/v1/payment_intents"),
        (&recover, "/v1/refunds"),
        (&["books", "reconcile"], "/v1/balance"),
        (&["books", "reconcile"], "/v1/balance_transactions"),
        (&["books", "reconcile"], "/v1/payouts"),
    ] {
        for (status, code) in [(401, "401"), (403, "403"), (404, "404"), (400, "400"), (429, "429")] {
            let fault = json!({ "kind": "status_before", "status": status, "path": path, "method": "GET" });
            let set =
                answer(served.http.post(format!("{}/_twin/faults", served.twin_url)).body(fault.to_string())).await;
            assert_eq!(set.status, 200, "{set:?}");
            let (agrees, printed, said) = served.run(command);
            let refusal = said.lines().find(|it| it.starts_with("paywright: ")).unwrap_or_default();
            assert!(!agrees, "{command:?} {path}: {printed}{said}");
            for expected in [&format!("GET {path}"), ": Stripe answered", code, "request req_"] {
                assert!(refusal.contains(expected), "{command:?} {path}: {expected} is not in {said}");
            }
        }
    }
}

#[tokio::test]
async fn a_back_fill_that_stripe_refuses_logs_the_call() {
    let database = Database::empty().await;
    let more = "payments.back_fill_seconds = 1";
    let dev = Served::start_with(&database.url(), 1, false, "0", more).await.into_dev();
    for status in [401, 403, 404] {
        let fault = json!({ "kind": "status_before", "status": status, "path": "/v1/events", "percent": 100 });
        answer(dev.http.post(format!("{}/_twin/faults", dev.twin)).body(fault.to_string())).await;
        let expected = format!("GET /v1/events: Stripe answered {status}");
        let begun = Instant::now();
        let is_told = |it: &str| it.contains("list of events cannot be read") && it.contains(&expected);
        while !dev.process.logged().lines().any(is_told) {
            assert!(begun.elapsed() < TIMEOUT, "{expected} is not told: {}", dev.process.logged());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        answer(dev.http.delete(format!("{}/_twin/faults", dev.twin))).await;
    }
}
