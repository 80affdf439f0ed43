//! A Stripe that cannot be reached, or stays silent: what shoppers and operators are told, and what goes on.

use std::time::{Duration, Instant};

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::background_work::shop;
use crate::program::{Answer, TIMEOUT, answer, two_lines};
use crate::served::{Served, free_ports};

impl Served {
    /// Places an order and requests its intent; returns the order's number and the answer.
    async fn requested(&self) -> (String, Answer) {
        let placed = self.call(Method::POST, "/orders", &two_lines()).await;
        let number = placed.body["data"]["number"].as_str().unwrap().to_owned();
        let made = self.call(Method::POST, &format!("/orders/{number}/payment-intent"), &Value::Null).await;
        (number, made)
    }
}

fn detail(answer: &Answer) -> &str {
    answer.body["error"]["detail"].as_str().unwrap()
}

#[tokio::test]
async fn a_shopper_is_answered_while_stripe_is_silent_and_the_worker_goes_on() {
    let database = Database::empty().await;
    let more = "stripe.customer_deadline_ms = 500\nstripe.attempt_timeout_ms = 3000\nstripe.deadline_ms = 3000";
    let shop = shop(Some(&database), false, more).await;
    let fault = json!({ "kind": "delay", "delay_ms": 8000, "path": "/v1/payment_intents", "method": "POST" });
    let set = answer(shop.http.post(format!("{}/_twin/faults", shop.twin_url)).body(fault.to_string())).await;
    assert_eq!(set.status, 200, "{set:?}");
    let begun = Instant::now();
    let (order, made) = shop.requested().await;
    assert_eq!((made.status, made.code()), (503, "payment_provider_unreachable"));
    assert!(detail(&made).contains("the outcome is unknown") && detail(&made).contains("is safe"), "{made:?}");
    assert!(begun.elapsed() < Duration::from_millis(2900), "{:?}", begun.elapsed());
    // Nobody repeats the request: the worker does, under the same key.
    shop.until(&order, |it| !it["payment_intent"].is_null()).await;
    assert_eq!(shop.intents().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_stripe_refuses_is_logged_with_its_host_and_its_reason() {
    let database = Database::empty().await;
    let mut shop = shop(Some(&database), false, "").await;
    drop(shop.replicas[0].0.take());
    let host = format!("127.0.0.1:{}", free_ports(1)[0]);
    let process = shop.serve_in(0, &[("PAYWRIGHT__STRIPE__API_BASE", &format!("http://{host}"))]);
    let (order, made) = shop.requested().await;
    assert_eq!((made.status, made.code()), (503, "payment_provider_unreachable"));
    assert!(detail(&made).contains("nothing was done there") && !made.body.to_string().contains(&host), "{made:?}");
    let begun = Instant::now();
    // The line may be written a moment after the answer.
    let line = loop {
        let logged = process.logged();
        let line = logged.lines().find(|it| it.contains("Stripe cannot be reached") && it.contains(&order));
        if let Some(line) = line {
            break line.to_owned();
        }
        assert!(begun.elapsed() < TIMEOUT, "it is not logged: {logged}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let expected = format!("POST /v1/payment_intents: no connection to {host}");
    assert!(line.contains(&expected) && line.contains("Connection refused"), "{line}");
    // The commands say the same.
    for command in [&["audit"][..], &["recover", "--since", "2026-01-01T00:00:00Z"], &["books", "reconcile"]] {
        let (_, _, said) = shop.run_with(command, &[("PAYWRIGHT__STRIPE__API_BASE", &format!("http://{host}"))]);
        let last = said.lines().find(|it| it.starts_with("paywright: ")).unwrap_or_default();
        assert!(last.contains(&format!("no connection to {host}")), "{command:?}: {said}");
        assert!(last.contains("Stripe cannot be reached: GET /v1/"), "{command:?}: {said}");
    }
}
