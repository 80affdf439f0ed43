//! Complete sales: by webhook, by callback, after a declined card, by a guest, across a crash.

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::program::{Dev, answer, two_lines};
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    a_sale_is_made_and_the_webhook_marks_it_paid
    without_webhooks_the_callback_marks_an_order_paid
    an_order_can_be_paid_after_a_declined_card
    a_repeated_placement_is_one_order
    a_guest_pays_by_the_token_of_the_order
    an_order_can_be_paid_when_stripe_refuses_its_email_address
}

async fn a_sale_is_made_and_the_webhook_marks_it_paid(stand: &Stand) {
    let dev = stand.start(true).await;
    let order = dev.place().await;
    assert_eq!((&order["amount"], &order["payment_status"]), (&json!("124.50"), &json!("unpaid")));
    let made = dev.intent(&order).await;
    assert_eq!(made.status, 200, "{made:?}");
    let data = &made.body["data"];
    assert_eq!((&data["amount"], &data["currency"]), (&json!("124.50"), &json!("usd")));
    let id = data["id"].as_str().unwrap();
    assert!(data["client_secret"].as_str().unwrap().starts_with(&format!("{id}_secret_")));
    // Repeated calls give the same intent, and nothing new at Stripe.
    assert_eq!(dev.intent(&order).await.body["data"], *data);
    assert_eq!(dev.confirm(id, "pm_card_visa").await.body["status"], "succeeded");
    let paid = dev.read_until_settled(&order).await;
    assert_eq!(paid["payment_intent"]["amount_received"], "124.50");
    for _ in 0..2 {
        let said = dev.payment(&order).await;
        assert_eq!((said.status, &said.body["data"]["status"]), (200, &json!("succeeded")), "{said:?}");
    }
    let again = dev.intent(&order).await;
    assert_eq!((again.status, again.code()), (409, "order_paid"));
    assert_eq!(dev.read(&order).await, paid, "repeats change nothing");
    assert_eq!(dev.intents().await, (1, 1));
}

async fn without_webhooks_the_callback_marks_an_order_paid(stand: &Stand) {
    let dev = stand.start(false).await;
    let order = dev.place().await;
    let early = dev.payment(&order).await;
    assert_eq!((early.status, early.code()), (409, "payment_not_completed"));
    let made = dev.intent(&order).await;
    let id = made.body["data"]["id"].as_str().unwrap();
    let early = dev.payment(&order).await;
    assert_eq!((early.status, early.code()), (409, "payment_not_completed"), "a hint is not believed");
    dev.confirm(id, "pm_card_visa").await;
    assert_eq!(dev.read(&order).await["payment_status"], "unpaid", "the payment is not reported yet");
    for _ in 0..2 {
        let said = dev.payment(&order).await;
        assert_eq!((said.status, &said.body["message"]), (200, &json!("Order marked as paid")), "{said:?}");
    }
    assert_eq!(dev.read(&order).await["payment_status"], "paid");
}

async fn an_order_can_be_paid_after_a_declined_card(stand: &Stand) {
    let dev = stand.start(true).await;
    let order = dev.place().await;
    let id = dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
    let declined = dev.confirm(&id, "pm_card_visa_chargeDeclinedInsufficientFunds").await;
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    let told = dev.read_until(&order, |it| !it["payment_intent"]["last_error"].is_null()).await;
    assert_eq!(
        (&told["status"], &told["payment_intent"]["last_error"]["code"]),
        (&json!("open"), &json!("card_declined"))
    );
    let hint = dev.payment(&order).await;
    assert_eq!((hint.status, hint.code()), (409, "payment_not_completed"));
    assert_eq!(dev.intent(&order).await.body["data"]["id"], json!(id), "the same intent is there to be paid");
    // A card that requires authentication.
    dev.confirm(&id, "pm_card_authenticationRequired").await;
    dev.read_until(&order, |it| it["payment_status"] == "requires_action").await;
    let finish = format!("{}/_twin/payment_intents/{id}/finish", dev.twin);
    answer(dev.http.post(finish).bearer_auth("sk_test_twin").body("outcome=succeeded")).await;
    dev.read_until(&order, |it| it["payment_status"] == "paid").await;
    assert_eq!(dev.intents().await, (1, 1));
}

async fn a_repeated_placement_is_one_order(stand: &Stand) {
    let dev = stand.start(true).await;
    let place = async || {
        let request = dev.http.post(format!("{}/orders", dev.api)).header("x-api-key", &dev.key);
        let request = request.header("idempotency-key", "cart-7").header("content-type", "application/json");
        answer(request.body(two_lines().to_string())).await
    };
    let (first, again) = (place().await, place().await);
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!((first.status, first.body), (again.status, again.body));
    let list = dev.call(Method::GET, "/orders", None).await;
    assert_eq!(list.body["data"]["orders"].as_array().map(Vec::len), Some(1));
}

async fn a_guest_pays_by_the_token_of_the_order(stand: &Stand) {
    let dev = stand.start(true).await;
    let mut body = two_lines();
    body.as_object_mut().unwrap().remove("customer");
    let order = dev.call(Method::POST, "/orders", Some(&body)).await.body["data"].clone();
    assert_eq!(dev.intent(&order).await.code(), "order_not_found", "it is not cus-ada's");
    let url = format!("{}/orders/{}/payment-intent", dev.api, order["id"].as_str().unwrap());
    let token = order["token"].as_str().unwrap();
    let made = answer(dev.http.post(url).header("x-api-key", &dev.key).bearer_auth(token)).await;
    assert_eq!(made.status, 200, "{made:?}");
}

/// An address that is well-formed, but that the twin refuses because it has non-ASCII characters.
async fn an_order_can_be_paid_when_stripe_refuses_its_email_address(stand: &Stand) {
    let dev = stand.start(true).await;
    let mut body = two_lines();
    body["email"] = json!("zoë@example.com");
    let order = dev.call(Method::POST, "/orders", Some(&body)).await.body["data"].clone();
    let made = dev.intent(&order).await;
    assert_eq!(made.status, 200, "{made:?}");
    let edited = dev
        .call(
            Method::PATCH,
            &format!("/orders/{}", order["number"].as_str().unwrap()),
            Some(&json!({ "email": "zoé@example.com" })),
        )
        .await;
    assert_eq!((edited.status, &edited.body["data"]["email"]), (200, &json!("zoé@example.com")), "{edited:?}");
    dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
    let paid = dev.read_until_settled(&order).await;
    let told: Vec<_> =
        paid["anomalies"].as_array().unwrap().iter().map(|it| (it["kind"].as_str(), it["reason"].as_str())).collect();
    let kind = Some("receipt_email_refused");
    assert_eq!(told, [(kind, Some("zoë@example.com")), (kind, Some("zoé@example.com"))]);
    assert_eq!(dev.intents().await, (1, 1));
}

#[tokio::test]
async fn sales_survive_a_crash_and_a_restart() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &[]);
    let order = dev.place().await;
    let id = dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
    // Waits until the twin has written its state.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    dev.process.signal("-KILL");
    drop(dev);
    let dev = Dev::start(&folder, &[]);
    assert_eq!(dev.intent(&order).await.body["data"]["id"], json!(id));
    dev.confirm(&id, "pm_card_visa").await;
    let paid = dev.read_until_settled(&order).await;
    assert_eq!(dev.process.terminate(), Some(0));
    let dev = Dev::start(&folder, &[]);
    assert_eq!(dev.read(&order).await, paid);
    assert_eq!(dev.intents().await, (1, 1));
    assert_eq!(dev.process.terminate(), Some(0));
    let dev = Dev::start(&folder, &["--fresh"]);
    let list = dev.call(Method::GET, "/orders", None).await;
    assert_eq!(list.body["data"]["orders"], json!([]), "--fresh starts over");
    assert_eq!(dev.intents().await, (0, 0));
}
