//! The boundary to Stripe: amounts sent to it add up, and its events are interpreted correctly.

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::background_work::shop;
use crate::program::{Answer, answer, two_lines};
use crate::served::Served;

/// An order of 44.90: two items of 20.00, shipping 5.90, a discount of 4.00, and 3.00 of added tax.
fn with_adjustments() -> Value {
    json!({ "currency": "usd", "customer": "cus-ada", "email": "ada@example.com",
        "line_items": [{ "name": "Collar", "amount": 2000, "quantity": 2 }],
        "adjustments": [
            { "kind": "shipping", "label": "Post", "amount": 590 },
            { "kind": "discount", "label": "Welcome", "amount": 400 },
            { "kind": "tax", "label": "Sales tax", "amount": 300 },
        ] })
}

impl Served {
    /// Reads an intent at the twin.
    async fn intent(&self, id: &str) -> Value {
        let url = format!("{}/v1/payment_intents/{id}", self.twin_url);
        answer(self.http.get(url).bearer_auth("sk_test_twin")).await.body
    }

    /// Sends an event as Stripe does, with the fields of `change` replaced.
    #[expect(clippy::disallowed_methods, reason = "the served program has the system's clock")]
    async fn send_event(&self, name: &str, kind: &str, object: &Value, change: &Value) -> Answer {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut event = json!({ "id": format!("evt_{}", name.replace(' ', "_")), "object": "event", "created": now,
            "api_version": "2026-05-27.dahlia", "livemode": false, "type": kind, "data": { "object": object } });
        for (field, value) in change.as_object().unwrap() {
            event[field] = value.clone();
        }
        let body = event.to_string();
        let signature = paywright_stripe_twin::sign(body.as_bytes(), &self.webhook_secrets[0], now.cast_signed());
        let url = self.replicas[0].1.replace("/api/v1/shop", "/webhooks/stripe");
        answer(self.http.post(url).header("stripe-signature", signature).body(body)).await
    }

    /// Runs an audit, and returns whether the books agree with Stripe's, and the output.
    fn audit(&self) -> (bool, String) {
        let (agree, printed, _) = self.run(&["audit"]);
        (agree, printed)
    }

    async fn make_at_stripe(&self, form: &str, key: &str) -> Value {
        let request = self.http.post(format!("{}/v1/payment_intents", self.twin_url)).bearer_auth("sk_test_twin");
        answer(request.header("idempotency-key", key).body(form.to_owned())).await.body
    }
}

#[tokio::test]
async fn an_order_with_shipping_a_discount_and_tax_is_edited_and_captured() {
    let shop = shop(None, true, "").await;
    let (order, intent) = shop.payable(&with_adjustments()).await;
    let shown = shop.intent(&intent).await;
    assert_eq!(shown["amount"], 4490);
    let details = &shown["amount_details"];
    assert_eq!(
        (&details["shipping"]["amount"], &details["discount_amount"], &details["tax"]["total_tax_amount"]),
        (&json!(590), &json!(400), &json!(300))
    );
    // An edit clears removed parts of the amount.
    let edit = json!({ "adjustments": [{ "kind": "shipping", "label": "Post", "amount": 590 }] });
    let edited = shop.call(Method::PATCH, &format!("/orders/{order}"), &edit).await;
    assert_eq!((edited.status, &edited.body["data"]["amount"]), (200, &json!("45.90")), "{edited:?}");
    let shown = shop.intent(&intent).await;
    assert_eq!(
        shown["amount_details"],
        json!({ "tip": {}, "shipping": { "amount": 590, "from_postal_code": null,
        "to_postal_code": null } })
    );
    shop.pay(&intent, "pm_card_visa").await;
    shop.until_paid(&order).await;

    for (amount, expected) in [(json!({}), "44.90"), (json!({ "amount": "20.00" }), "20.00")] {
        let (held, _) = shop.authorized(with_adjustments()).await;
        let taken = shop.call(Method::POST, &format!("/orders/{held}/capture"), &amount).await;
        assert_eq!((taken.status, &taken.body["data"]["payment_status"]), (200, &json!("paid")), "{taken:?}");
        assert_eq!(taken.body["data"]["payment_intent"]["amount_received"], expected);
    }
}

/// The previous version sent other parameters under the committed key: Stripe refuses a repeat with those of this
/// version.
#[tokio::test]
async fn an_intent_in_doubt_from_the_previous_version_is_found_or_created() {
    let database = Database::empty().await;
    for database in [None, Some(&database)] {
        let shop = shop(database, false, "").await;
        for (is_there, attempt) in [(true, "1"), (false, "2")] {
            let placed = shop.call(Method::POST, "/orders", &with_adjustments()).await.body["data"].clone();
            let (id, number) = (placed["id"].as_str().unwrap(), placed["number"].as_str().unwrap());
            let names = if is_there { format!("&metadata[order_id]={id}&metadata[revision]=1") } else { String::new() };
            let before =
                shop.make_at_stripe(&format!("amount=4490&currency=usd{names}"), &format!("pi:{id}:1:1")).await;
            let path = format!("/orders/{number}/payment-intent");
            let made = shop.call(Method::POST, &path, &Value::Null).await;
            assert_eq!(made.status, 200, "{made:?}");
            let intent = made.body["data"]["id"].as_str().unwrap();
            assert_eq!(intent == before["id"], is_there, "the next attempt has another key: {attempt}");
            shop.pay(intent, "pm_card_visa").await;
            let paid = shop.call(Method::POST, &format!("/orders/{number}/payment"), &Value::Null).await;
            assert_eq!(paid.status, 200, "{paid:?}");
        }
    }
}

/// The bank changes its decision on a partial dispute; money that is not disputed can be refunded throughout.
#[tokio::test]
async fn a_partial_dispute_is_lost_then_won_and_the_rest_is_refunded() {
    let shop = shop(None, true, "").await;
    let (order, intent) = shop.payable(&two_lines()).await;
    shop.pay(&intent, "pm_card_visa").await;
    shop.until_paid(&order).await;
    let dispute = shop.at_stripe(&format!("/_twin/payment_intents/{intent}/dispute"), "amount=4000").await;
    let close = format!("/_twin/disputes/{}/close", dispute["id"].as_str().unwrap());
    shop.until(&order, |it| it["payment_status"] == "disputed").await;
    shop.at_stripe(&close, "outcome=lost").await;
    shop.until(&order, |it| it["disputes"][0]["status"] == "lost").await;
    let refunds = format!("/orders/{order}/refunds");
    let refused = shop.call(Method::POST, &refunds, &json!({ "amount": "84.51" })).await;
    assert_eq!((refused.status, refused.code()), (409, "payment_disputed"), "{refused:?}");
    assert!(refused.body["error"]["detail"].as_str().unwrap().contains("at most 84.50"), "{refused:?}");
    let refund = shop.call(Method::POST, &refunds, &json!({})).await;
    assert_eq!((refund.status, &refund.body["data"]["amount"]), (201, &json!("84.50")), "{refund:?}");
    shop.at_stripe(&close, "outcome=won").await;
    shop.until(&order, |it| it["disputes"][0]["status"] == "won").await;
    let refund = shop.call(Method::POST, &refunds, &json!({})).await;
    assert_eq!((refund.status, &refund.body["data"]["amount"]), (201, &json!("40.00")), "{refund:?}");
    assert!(shop.audit().0, "{}", shop.audit().1);
}

#[tokio::test]
async fn a_partial_capture_in_the_dashboard_pays_the_order_and_notes_the_released_amount() {
    let shop = shop(None, true, "").await;
    let (order, intent) = shop.authorized(two_lines()).await;
    let form = "amount_to_capture=5000&amount_details=";
    shop.at_stripe(&format!("/v1/payment_intents/{intent}/capture"), form).await;
    let read = shop.until(&order, |it| it["payment_status"] == "paid").await;
    assert_eq!(read["anomalies"][0]["kind"], "partially_captured", "{read}");
    let explained = shop.call(Method::GET, &format!("/orders/{order}/explain"), &Value::Null).await.body.to_string();
    assert!(explained.contains("50.00 usd of") && explained.contains("74.50 usd was released"), "{explained}");
    // The caller's own capture is not reported as done.
    let capture = format!("/orders/{order}/capture");
    for body in [json!({}), json!({ "amount": "60.00" })] {
        let refused = shop.call(Method::POST, &capture, &body).await;
        assert_eq!((refused.status, refused.code()), (409, "order_paid"), "{refused:?}");
        assert!(refused.body["error"]["detail"].as_str().unwrap().starts_with("50.00 was captured before"));
    }
    assert_eq!(shop.call(Method::POST, &capture, &json!({ "amount": "50.00" })).await.status, 200);
    let refund = shop.call(Method::POST, &format!("/orders/{order}/refunds"), &json!({})).await;
    assert_eq!((refund.status, &refund.body["data"]["amount"]), (201, &json!("50.00")), "{refund:?}");
    assert!(shop.audit().0, "{}", shop.audit().1);
}

/// Events that concern no order here are acknowledged, so that Stripe does not repeat them for three days.
#[tokio::test]
async fn events_of_other_versions_accounts_modes_and_programs_change_only_what_stripe_confirms() {
    let shop = shop(None, false, "").await;
    let (order, intent) = shop.payable(&two_lines()).await;
    let told = shop.intent(&intent).await;
    let succeeded = || {
        let mut object = told.clone();
        (object["status"], object["amount_received"]) = (json!("succeeded"), told["amount"].clone());
        object
    };
    let with = |field: &str, value: Value| {
        let mut object = succeeded();
        object[field] = value;
        object
    };
    let refund = |currency: &str, amount: i64, status: &str| {
        json!({ "id": "re_x", "object": "refund", "amount": amount, "currency": currency, "status": status,
            "payment_intent": "pi_theirs", "charge": "ch_x", "created": 1, "metadata": {} })
    };
    let dispute = |status: &str| {
        json!({ "id": "du_x", "object": "dispute", "amount": 500, "currency": "usdc", "status": status,
            "reason": "fraudulent", "payment_intent": "pi_theirs", "charge": "ch_x", "created": 1 })
    };
    for (name, kind, object, change, outcome) in [
        ("connected", "payment_intent.succeeded", succeeded(), json!({ "account": "acct_theirs" }), "foreign"),
        ("live", "payment_intent.succeeded", succeeded(), json!({ "livemode": true }), "foreign"),
        ("old", "payment_intent.succeeded", succeeded(), json!({ "api_version": "2024-06-20" }), "parked"),
        ("enum", "payment_intent.succeeded", with("status", json!("requires_moonlight")), json!({}), "parked"),
        ("usdc", "payment_intent.succeeded", with("currency", json!("usdc")), json!({}), "foreign"),
        ("isk", "refund.created", refund("isk", 105, "succeeded"), json!({}), "foreign"),
        ("usdc refund", "refund.updated", refund("usdc", 5, "succeeded"), json!({}), "foreign"),
        ("usdc dispute", "charge.dispute.created", dispute("needs_response"), json!({}), "foreign"),
        ("refund enum", "refund.updated", refund("usd", 5, "pondering"), json!({}), "parked"),
        ("dispute enum", "charge.dispute.updated", dispute("appeal_under_review"), json!({}), "parked"),
    ] {
        let answer = shop.send_event(name, kind, &object, &change).await;
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!(outcome)), "{name}: {answer:?}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let read = shop.call(Method::GET, &format!("/orders/{order}"), &Value::Null).await.body["data"].clone();
    assert_eq!((&read["payment_status"], &read["anomalies"]), (&json!("unpaid"), &json!([])), "{read}");
    let ready = shop.replicas[0].1.replace("/api/v1/shop", "/readyz?verbose");
    let warnings = answer(shop.http.get(ready)).await.body["warnings"].clone();
    let warnings: Vec<_> = warnings.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("API version 2024-06-20") && warnings[1].contains("live mode"), "{warnings:?}");
}
