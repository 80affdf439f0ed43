//! A stolen webhook secret: forged events with a valid signature.

use std::time::{SystemTime, UNIX_EPOCH};

use paywright_testkit::postgres::Database;
use serde_json::{Value, json};

use crate::program::{Dev, answer};
use crate::served::{Served, Stand, on_both_stores};

on_both_stores! {
    a_payment_reported_by_a_webhook_is_read_once
}

/// Sends a forged event that reports that `intent` has received the total of an order.
async fn forge(dev: &Dev, secret: &str, order: &Value, intent: &str) {
    let event = json!({
        "id": format!("evt_forged_{intent}"), "object": "event", "type": "payment_intent.succeeded", "created": now(), "livemode": false,
        "api_version": "2026-05-27.dahlia", "data": { "object": {
            "id": intent, "object": "payment_intent", "amount": 12450, "amount_received": 12450, "amount_capturable": 0,
            "currency": "usd", "status": "succeeded", "livemode": false, "created": now(),
            "metadata": { "order_id": order["id"], "revision": "1" },
        } } });
    let body = event.to_string();
    let signature = paywright_stripe_twin::sign(body.as_bytes(), secret, now());
    let url = dev.api.replace("/api/v1/shop", "/webhooks/stripe");
    let taken = answer(dev.http.post(url).header("stripe-signature", signature).body(body)).await;
    assert_eq!((taken.status, &taken.body["outcome"]), (200, &json!("applied")), "{taken:?}");
}

#[expect(clippy::disallowed_methods, reason = "the program has the real time")]
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Number of reads of intents at the twin.
async fn reads(dev: &Dev) -> u64 {
    let counted = answer(dev.http.get(format!("{}/_twin/requests", dev.twin))).await.body;
    counted["GET /v1/payment_intents"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_forged_payment_event_is_found_by_the_callback_and_by_the_worker() {
    let database = Database::empty().await;
    let served = Served::start(&database.url(), 1, true, "0").await;
    let secret = served.webhook_secrets[0].clone();
    let dev = served.into_dev();
    for by_callback in [true, false] {
        let order = dev.place().await;
        let made = dev.intent(&order).await;
        let intent = made.body["data"]["id"].as_str().unwrap();
        forge(&dev, &secret, &order, intent).await;
        if by_callback {
            let refused = dev.payment(&order).await;
            assert_eq!((refused.status, refused.code()), (409, "payment_not_completed"), "{refused:?}");
        }
        let held = dev.read_until(&order, |it| it["payment_status"] == "review").await;
        assert_eq!((&held["status"], &held["paid_at"]), (&json!("open"), &Value::Null));
        assert_eq!(held["anomalies"][0]["kind"], "payment_not_confirmed");
        let refused = dev.payment(&order).await;
        assert_eq!((refused.status, refused.code()), (409, "payment_not_completed"), "{refused:?}");
        // The customer pays the intent, which is still open at Stripe.
        dev.confirm(intent, "pm_card_visa").await;
        let paid = dev.read_until_settled(&order).await;
        assert_eq!((&paid["status"], &paid["payment_intent"]["amount_received"]), (&json!("paid"), &json!("124.50")));
        assert_eq!(dev.payment(&order).await.status, 200);
    }
}

async fn a_payment_reported_by_a_webhook_is_read_once(stand: &Stand) {
    let dev = stand.start(true).await;
    let order = dev.place().await;
    let made = dev.intent(&order).await;
    let before = reads(&dev).await;
    dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
    let paid = dev.read_until_settled(&order).await;
    assert_eq!(reads(&dev).await, before + 1, "together with its balance transaction");
    for _ in 0..3 {
        assert_eq!(dev.payment(&order).await.status, 200);
    }
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(reads(&dev).await, before + 1, "what Stripe has confirmed is stored");
    assert_eq!(dev.read(&order).await, paid);
}
