//! Sales while Stripe fails: one order, one intent, one payment.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{Dev, answer};

async fn fault(dev: &Dev, fault: serde_json::Value) {
    let set = answer(dev.http.post(format!("{}/_twin/faults", dev.twin)).body(fault.to_string())).await;
    assert_eq!(set.status, 200, "{set:?}");
}

#[tokio::test]
async fn a_lost_answer_ends_in_one_intent() {
    for kind in ["drop_before", "drop_after", "truncate"] {
        let folder = TempDir::new().unwrap();
        let dev = Dev::start(&folder, &["--no-webhooks"]);
        let order = dev.place().await;
        fault(&dev, json!({ "kind": kind, "path": "/v1/payment_intents", "method": "POST" })).await;
        let made = dev.intent(&order).await;
        assert_eq!(made.status, 200, "{kind}: the retry finds it: {made:?}");
        let id = made.body["data"]["id"].as_str().unwrap();
        dev.confirm(id, "pm_card_visa").await;
        assert_eq!(dev.payment(&order).await.status, 200, "{kind}");
        assert_eq!(dev.intents().await, (1, 1), "{kind}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_reported_and_a_later_call_or_event_finds_the_intent() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &["--no-webhooks"]);
    let order = dev.place().await;
    fault(&dev, json!({ "kind": "drop_after", "path": "/v1/payment_intents", "method": "POST", "times": 6 })).await;
    let lost = dev.intent(&order).await;
    assert_eq!((lost.status, lost.code()), (503, "payment_provider_unreachable"));
    // While the outcome is unknown the order may not change, because the customer may be paying.
    let path = format!("/orders/{}/cancel", order["id"].as_str().unwrap());
    let refused = dev.call(reqwest::Method::POST, &path, None).await;
    assert_eq!((refused.status, refused.code()), (503, "payment_provider_unreachable"));
    let made = dev.intent(&order).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(dev.intents().await, (1, 0));
}

#[tokio::test]
async fn repeated_and_reordered_webhooks_pay_once() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &[]);
    for kind in ["webhook_duplicate", "webhook_reorder"] {
        fault(&dev, json!({ "kind": kind, "percent": 100, "path": "/v1/payment_intents" })).await;
        let order = dev.place().await;
        let id = dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
        dev.confirm(&id, "pm_card_visa").await;
        let paid = dev.read_until_settled(&order).await;
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        assert_eq!(dev.read(&order).await, paid, "{kind}");
        answer(dev.http.delete(format!("{}/_twin/faults", dev.twin))).await;
    }
}

#[tokio::test]
async fn simultaneous_customers_each_get_one_intent() {
    let folder = TempDir::new().unwrap();
    let dev = Arc::new(Dev::start(&folder, &["--twin-latency-ms", "50"]));
    let order = dev.place().await;
    let clicks: Vec<_> = (0..16)
        .map(|_| {
            let (dev, order) = (Arc::clone(&dev), order.clone());
            tokio::spawn(async move { dev.intent(&order).await })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for click in clicks {
        let made = click.await.unwrap();
        // While Stripe is processing the key, a call may have to be repeated; it never gets another intent.
        assert!(made.status == 200 || made.code() == "payment_provider_busy", "{made:?}");
        ids.extend(made.body["data"]["id"].as_str().map(str::to_owned));
    }
    assert_eq!((ids.len(), dev.intents().await), (1, (1, 0)));
}
