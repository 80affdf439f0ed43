//! Background work of a served shop, and its `explain` and `audit`.

use std::time::{Duration, Instant};

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{Answer, TIMEOUT, answer, two_lines};
use crate::served::Served;

/// A shop of one process, on a SQLite file if `database` is `None`.
pub(crate) async fn shop(database: Option<&Database>, webhooks: bool, more: &str) -> Served {
    let url = database.map_or_else(|| "sqlite:orders.db".to_owned(), Database::url);
    Served::start_with(&url, 1, webhooks, "0", more).await
}

impl Served {
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.replicas[0].1));
        let request = request.header("x-api-key", &self.key).bearer_auth(&self.token);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    pub(crate) async fn at_stripe(&self, path: &str, form: &str) -> Value {
        let request = self.http.post(format!("{}{path}", self.twin_url)).bearer_auth("sk_test_twin");
        answer(request.body(form.to_owned())).await.body
    }

    /// Places an order and creates its intent; returns the order's number and the intent's id.
    pub(crate) async fn payable(&self, body: &Value) -> (String, String) {
        let placed = self.call(Method::POST, "/orders", body).await;
        let number = placed.body["data"]["number"].as_str().unwrap().to_owned();
        let made = self.call(Method::POST, &format!("/orders/{number}/payment-intent"), &Value::Null).await;
        (number, made.body["data"]["id"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn pay(&self, intent: &str, card: &str) {
        let path = format!("/v1/payment_intents/{intent}/confirm");
        self.at_stripe(&path, &format!("payment_method={card}&return_url=https://shop.example/")).await;
    }

    /// Places an order with manual capture and authorizes its payment; returns the order's number and the intent's id.
    pub(crate) async fn authorized(&self, mut body: Value) -> (String, String) {
        body["capture"] = json!("manual");
        let (order, intent) = self.payable(&body).await;
        self.pay(&intent, "pm_card_visa").await;
        self.until(&order, |it| it["payment_status"] == "authorized").await;
        (order, intent)
    }

    pub(crate) async fn until(&self, order: &str, expected: impl Fn(&Value) -> bool) -> Value {
        self.until_within(TIMEOUT, order, expected).await
    }

    /// Reads an order until it is as expected, for `limit` at most.
    pub(crate) async fn until_within(&self, limit: Duration, order: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let read = self.call(Method::GET, &format!("/orders/{order}"), &Value::Null).await.body["data"].clone();
            if expected(&read) {
                return read;
            }
            assert!(begun.elapsed() < limit, "the expected state is not reached: {read}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn until_paid(&self, order: &str) {
        self.until(order, |it| it["payment_status"] == "paid").await;
    }
}

/// I4, and row 24 of `docs/guarantees.md`: the worker is always on, so that webhooks may be turned off completely.
#[tokio::test]
async fn payments_are_found_without_webhook_or_callback() {
    let database = Database::empty().await;
    for database in [None, Some(&database)] {
        let shop = shop(database, false, "payments.back_fill_seconds = 1").await;
        let (order, intent) = shop.payable(&two_lines()).await;
        shop.pay(&intent, "pm_card_visa").await;
        shop.until_paid(&order).await;
        shop.at_stripe("/v1/refunds", &format!("payment_intent={intent}&amount=1000")).await;
        let read = shop.until(&order, |it| it["payment_status"] == "partially_refunded").await;
        assert_eq!((&read["amount_refunded"], &read["refunds"][0]["origin"]), (&json!("10.00"), &json!("provider")));
        let (disputed, intent) = shop.payable(&two_lines()).await;
        shop.pay(&intent, "pm_card_createDispute").await;
        shop.until(&disputed, |it| it["payment_status"] == "disputed").await;
    }
}

/// With webhooks: authorization, capture, refund and dispute, each by its test card.
#[tokio::test]
async fn money_is_authorized_captured_refunded_and_disputed() {
    let shop = shop(None, true, "").await;
    let (held, _) = shop.authorized(two_lines()).await;
    let taken = shop.call(Method::POST, &format!("/orders/{held}/capture"), &json!({ "amount": "100.00" })).await;
    assert_eq!((taken.status, &taken.body["data"]["payment_status"]), (200, &json!("paid")), "{taken:?}");

    let (failing, intent) = shop.payable(&two_lines()).await;
    shop.pay(&intent, "pm_card_refundFail").await;
    shop.until_paid(&failing).await;
    shop.call(Method::POST, &format!("/orders/{failing}/refunds"), &json!({})).await;
    let read = shop.until(&failing, |it| it["refunds"][0]["status"] == "failed").await;
    assert_eq!((&read["payment_status"], &read["anomalies"][0]["kind"]), (&json!("paid"), &json!("refund_failed")));

    let (pending, intent) = shop.payable(&two_lines()).await;
    shop.pay(&intent, "pm_card_pendingRefund").await;
    shop.until_paid(&pending).await;
    let refund = shop.call(Method::POST, &format!("/orders/{pending}/refunds"), &json!({})).await.body["data"].clone();
    assert_eq!(refund["status"], "pending");
    shop.at_stripe(&format!("/_twin/refunds/{}/finish", refund["id"].as_str().unwrap()), "outcome=succeeded").await;
    shop.until(&pending, |it| it["refunds"][0]["status"] == "succeeded").await;

    let (disputed, intent) = shop.payable(&two_lines()).await;
    shop.pay(&intent, "pm_card_createDispute").await;
    let read = shop.until(&disputed, |it| it["payment_status"] == "disputed").await;
    let refused = shop.call(Method::POST, &format!("/orders/{disputed}/refunds"), &json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "payment_disputed"));
    let dispute = read["disputes"][0]["id"].as_str().unwrap();
    shop.at_stripe(&format!("/_twin/disputes/{dispute}/close"), "outcome=won").await;
    shop.until_paid(&disputed).await;
    // The fee is known after the payment: 2.9 % and 30 at the twin.
    let read = shop.until(&disputed, |it| it["payment_intent"]["balance"].is_object()).await;
    assert_eq!(read["payment_intent"]["balance"], json!({ "currency": "usd", "gross": "124.50", "fee": "3.91" }));
    let (agree, told, said) = shop.run(&["audit"]);
    assert!(agree && told.contains("Nothing differs."), "{told}{said}");
}

/// Charges for the order by another channel: with an intent that the shop did not create.
async fn pay_by_another_channel(shop: &Served, order: &Value) {
    let form = format!(
        "amount=12450&currency=usd&confirm=true&payment_method=pm_card_visa&return_url=https://shop.example/&metadata[order_id]={}",
        order["id"].as_str().unwrap()
    );
    assert_eq!(shop.at_stripe("/v1/payment_intents", &form).await["status"], "succeeded");
}

/// Rows 1, 13 and 19 of `docs/guarantees.md`: the policy of the settings is applied at once.
#[tokio::test]
async fn money_after_a_cancellation_is_refunded_or_held_by_policy() {
    for (policy, more) in [("refund", ""), ("hold_for_review", "payments.paid_after_cancel = \"hold_for_review\"")] {
        let shop = shop(None, true, more).await;
        let placed = shop.call(Method::POST, "/orders", &two_lines()).await.body["data"].clone();
        let number = placed["number"].as_str().unwrap();
        shop.call(Method::POST, &format!("/orders/{number}/cancel"), &json!({})).await;
        pay_by_another_channel(&shop, &placed).await;
        let read = shop.until(number, |it| it["anomalies"][0]["kind"] == "paid_after_cancel").await;
        assert_eq!((&read["status"], &read["anomalies"][0]["policy"]), (&json!("canceled"), &json!(policy)));
        if policy == "hold_for_review" {
            assert_eq!((&read["payment_status"], &read["refunds"]), (&json!("review"), &json!([])));
            // The operator decides to refund it.
            let refund = shop.call(Method::POST, &format!("/orders/{number}/refunds"), &json!({})).await;
            assert_eq!((refund.status, &refund.body["data"]["amount"]), (201, &json!("124.50")), "{refund:?}");
            assert_eq!(shop.until(number, |_| true).await["payment_status"], "unpaid");
        } else {
            let read = shop.until(number, |it| it["refunds"][0]["status"] == "succeeded").await;
            let refund = &read["refunds"][0];
            assert_eq!((&refund["origin"], &refund["amount"]), (&json!("policy"), &json!("124.50")));
            let (paid, intent) = shop.payable(&two_lines()).await;
            shop.pay(&intent, "pm_card_visa").await;
            let read = shop.until(&paid, |it| it["payment_status"] == "paid").await;
            pay_by_another_channel(&shop, &read).await;
            let read = shop.until(&paid, |it| it["refunds"][0]["status"] == "succeeded").await;
            assert_ne!(read["refunds"][0]["payment_intent"], intent.as_str(), "the first payment is not refunded");
            assert_eq!(
                (&read["payment_status"], &read["anomalies"][0]["kind"]),
                (&json!("paid"), &json!("second_payment"))
            );
        }
        let (agree, told, said) = shop.run(&["audit"]);
        assert!(agree, "{told}{said}");
    }
}

#[tokio::test]
async fn an_audit_fails_while_there_are_differences() {
    let shop = shop(None, false, "payments.back_fill_seconds = 3600").await;
    let (order, intent) = shop.payable(&two_lines()).await;
    let (agree, told, said) = shop.run(&["audit"]);
    assert!(agree && told.ends_with("Nothing differs.\n"), "{told}{said}");
    shop.pay(&intent, "pm_card_visa").await;
    let (agree, told, _) = shop.run(&["audit"]);
    let detail = format!("  {order}: {intent} is requires_payment_method here, and succeeded at Stripe\n");
    assert!(!agree && told.contains("\nstatus (1):\n") && told.contains(&detail), "{told}");
    assert!(
        told.contains(&format!("received (1):\n  {order}: {intent} received 0.00 here, and 124.50 at Stripe")),
        "{told}"
    );
    let hint = shop.call(Method::POST, &format!("/orders/{order}/payment"), &Value::Null).await;
    assert_eq!(hint.status, 200);
    let (agree, told, _) = shop.run(&["audit", "--days", "1"]);
    assert!(agree && told.contains("1 orders here; 1 PaymentIntents, 0 refunds and 0 disputes at Stripe"), "{told}");
}

#[tokio::test]
async fn an_order_is_explained_by_its_number_and_by_its_intent() {
    let shop = shop(None, true, "").await;
    let (order, intent) = shop.payable(&two_lines()).await;
    shop.pay(&intent, "pm_card_chargeDeclined").await;
    shop.until(&order, |it| it["payment_intent"]["last_error"].is_object()).await;
    for name in [order.as_str(), intent.as_str()] {
        let (done, told, said) = shop.run(&["explain", name]);
        assert!(done, "{said}");
        let why =
            format!("The order is not paid: the last payment attempt with {intent} failed: Your card was declined.");
        assert!(told.starts_with(&format!("{order} (")) && told.contains(&why), "{told}");
        assert!(told.contains("[webhook, evt_") && told.contains(", req_"), "{told}");
        assert!(told.contains(", by Stripe]") && told.contains("[by API key shop ("), "{told}");
        assert!(told.contains(&format!("The status of {intent} is read from Stripe")), "{told}");
    }
    for (name, expected) in
        [("ORD-20200101-000000", "there is no order ORD-20200101-000000"), ("x", "an order is named by")]
    {
        let (done, _, said) = shop.run(&["explain", name]);
        assert!(!done && said.contains(expected), "{said}");
    }
}

/// The queue for calls to Stripe is bounded: a request that would wait too long is answered with `Retry-After`.
#[tokio::test]
async fn requests_above_stripes_rate_get_503_and_retry_after() {
    let shop = shop(None, false, "stripe.endpoint_per_second = 1\nstripe.queue_wait_ms = 50").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let placed = shop.call(Method::POST, "/orders", &two_lines()).await;
        let number = placed.body["data"]["number"].as_str().unwrap().to_owned();
        let url = format!("{}/orders/{number}/payment-intent", shop.replicas[0].1);
        let request = shop.http.post(&url).header("x-api-key", &shop.key).bearer_auth(&shop.token);
        let response = request.send().await.unwrap();
        let later = response.headers().contains_key("retry-after");
        answers.push((response.status().as_u16(), later, url));
    }
    assert_eq!((answers[0].0, answers[0].1), (200, false), "{answers:?}");
    let refused: Vec<_> = answers.iter().filter(|it| it.0 == 503).collect();
    assert!(!refused.is_empty() && refused.iter().all(|it| it.1), "{answers:?}");
    // A repeated request gets its turn.
    let begun = Instant::now();
    loop {
        let request = shop.http.post(&refused[0].2).header("x-api-key", &shop.key).bearer_auth(&shop.token);
        let made = answer(request).await;
        if made.status == 200 {
            break;
        }
        assert_eq!((made.status, made.code()), (503, "payment_provider_busy"));
        assert!(begun.elapsed() < TIMEOUT);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
