//! Where the program meets Stripe: what is sent adds up, what is told by others is taken for what it is.

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::by_itself::shop;
use crate::program::answer;
use crate::served::Served;

/// Two of 20.00, shipping 5.90, a discount of 4.00, and 3.00 of tax on top: 44.90.
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
    /// What the twin shows of an intent.
    async fn intent(&self, id: &str) -> Value {
        let url = format!("{}/v1/payment_intents/{id}", self.twin_url);
        answer(self.http.get(url).bearer_auth("sk_test_twin")).await.body
    }

    async fn make_at_stripe(&self, form: &str, key: &str) -> Value {
        let request = self.http.post(format!("{}/v1/payment_intents", self.twin_url)).bearer_auth("sk_test_twin");
        answer(request.header("idempotency-key", key).body(form.to_owned())).await.body
    }
}

#[tokio::test]
async fn an_order_with_shipping_a_discount_and_tax_is_paid_edited_and_captured() {
    let shop = shop(None, true, "").await;
    let (order, intent) = shop.payable(&with_adjustments()).await;
    let shown = shop.intent(&intent).await;
    assert_eq!(shown["amount"], 4490);
    let details = &shown["amount_details"];
    assert_eq!(
        (&details["shipping"]["amount"], &details["discount_amount"], &details["tax"]["total_tax_amount"]),
        (&json!(590), &json!(400), &json!(300))
    );
    // An edit clears the parts that are gone.
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
        let mut manual = with_adjustments();
        manual["capture"] = json!("manual");
        let (held, intent) = shop.payable(&manual).await;
        shop.pay(&intent, "pm_card_visa").await;
        shop.until(&held, |it| it["payment_status"] == "authorized").await;
        let taken = shop.call(Method::POST, &format!("/orders/{held}/capture"), &amount).await;
        assert_eq!((taken.status, &taken.body["data"]["payment_status"]), (200, &json!("paid")), "{taken:?}");
        assert_eq!(taken.body["data"]["payment_intent"]["amount_received"], expected);
    }
}

/// The version before sent other parameters under the key that is committed: Stripe refuses a repeat with ours.
#[tokio::test]
async fn an_intent_in_doubt_from_the_version_before_is_found_or_asked_for_anew() {
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
            assert_eq!(intent == before["id"], is_there, "the next attempt has a key of its own: {attempt}");
            shop.pay(intent, "pm_card_visa").await;
            let paid = shop.call(Method::POST, &format!("/orders/{number}/payment"), &Value::Null).await;
            assert_eq!(paid.status, 200, "{paid:?}");
        }
    }
}
