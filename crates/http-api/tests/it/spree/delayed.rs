//! Bank debits: orders whose payment is processing.

use paywright_domain::IntentId;
use paywright_domain::intent::{IntentError, IntentStatus};
use serde_json::{Value, json};

use super::*;

#[actix_web::test]
async fn a_delayed_payment_is_a_complete_order_with_a_balance_due() {
    let (service, provider) = open_with_provider().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let stranger = format!("Bearer {}", service.token("eve"));
    let token = service.cart_to_pay().await;
    let own = [("authorization", bearer.as_str())];
    let guest = json!({ "guest_order_token": token }).to_string();
    let associated = service.send(Method::PATCH, &format!("{STORE}/cart/associate"), &own, guest.as_bytes()).await;
    let token = associated.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    let params = json!({ "payment_intent": { "off_session": false } });
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await.body["data"].clone();
    let id = IntentId::new(made["attributes"]["stripe_id"].as_str().unwrap()).unwrap();
    let number = service.shown(&token).await["attributes"]["number"].as_str().unwrap().to_owned();
    let says = async |status: IntentStatus| {
        service.clock.advance_seconds(60);
        provider.change(&id, |it| {
            it.status = status;
            let failed = status == IntentStatus::RequiresPaymentMethod;
            it.last_error = failed.then(IntentError::default);
            it.received = if status == IntentStatus::Succeeded { it.amount } else { it.received };
        });
        service.api.app.settle_from_provider(&provider.intent_now(&id)).await.unwrap();
    };
    let shown = async |method: Method, path: String| {
        let body = if method == Method::GET { Value::Null } else { json!({ "include": "payments" }) };
        let path = if method == Method::GET { format!("{path}?include=payments") } else { path };
        let answer = if path.starts_with("/account") {
            service.send(method, &format!("{STORE}{path}"), &own, b"").await
        } else {
            service.store(method, &path, &token, &body).await
        };
        let data = answer.body["data"].as_array().and_then(|it| it.first()).unwrap_or(&answer.body["data"]).clone();
        let payment = &answer.body["included"][0]["attributes"]["state"];
        (answer.status, [&data["attributes"]["state"], &data["attributes"]["payment_state"], payment].map(Value::clone))
    };
    let everywhere = || {
        [
            (Method::PATCH, "/checkout/complete".to_owned()),
            (Method::GET, format!("/order_status/{number}")),
            (Method::GET, "/account/orders".to_owned()),
            (Method::GET, format!("/account/orders/{number}")),
        ]
    };
    says(IntentStatus::Processing).await;
    let confirm = format!("/stripe/payment_intents/{id}/confirm");
    let confirmed = service.store(Method::PATCH, &confirm, &token, &json!({})).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    assert!(confirmed.body["data"]["relationships"]["payment"]["data"].is_object());
    let states = |payment_state: &str, payment: &str| {
        (200, ["complete", payment_state, payment].map(|it| Value::String(it.to_owned())))
    };
    for (method, path) in everywhere().into_iter().chain([(Method::GET, "/cart".to_owned())]) {
        assert_eq!(shown(method, path.clone()).await, states("balance_due", "processing"), "{path}");
    }
    for path in ["/checkout/next", "/checkout/advance"] {
        let refused = service.store(Method::PATCH, path, &token, &json!({})).await;
        assert_eq!((refused.status, &refused.body["error"]), (422, &json!("Payment is being processed")), "{path}");
    }
    let passed = service.store(Method::PATCH, "/checkout/advance?state=payment", &token, &json!({})).await;
    assert_eq!((passed.status, &passed.body["data"]["attributes"]["state"]), (200, &json!("complete")));
    // A payment that the bank is processing is not changed.
    for (path, body) in [
        ("/cart/add_item", json!({ "variant_id": "bone" })),
        ("/checkout", json!({ "order": { "ship_address_attributes": address("DE") } })),
    ] {
        let method = if path == "/checkout" { Method::PATCH } else { Method::POST };
        assert_eq!(service.store(method, path, &token, &body).await.status, 422, "{path}");
    }
    // The customer creates another cart meanwhile.
    let other = service.send(Method::POST, &format!("{STORE}/cart"), &own, b"{}").await;
    assert_eq!(other.status, 201, "{other:?}");
    // The debit fails: the cart is open again, and is paid by the same intent.
    says(IntentStatus::RequiresPaymentMethod).await;
    assert_eq!(service.store(Method::PATCH, &confirm, &token, &json!({})).await.status, 422);
    assert_eq!(shown(Method::PATCH, "/checkout/complete".to_owned()).await.0, 422);
    assert_eq!(shown(Method::GET, "/cart".to_owned()).await.1[0], "payment");
    // The order is still listed, with its balance due.
    for (method, path) in everywhere().into_iter().skip(1) {
        let expected = ["payment", "balance_due", "failed"].map(|it| Value::String(it.to_owned()));
        assert_eq!(shown(method, path.clone()).await, (200, expected), "{path}");
    }
    for headers in [&own[..], &[("authorization", stranger.as_str())]] {
        let path = format!("{STORE}/order_status/{number}");
        let status = service.send(Method::GET, &path, headers, b"").await.status;
        assert_eq!(status, if headers == own { 200 } else { 404 }, "by bearer token alone");
    }
    let by_bearer = format!("{STORE}/stripe/payment_intents/{id}");
    let named = service.send(Method::PATCH, &by_bearer, &own, params.to_string().as_bytes()).await;
    assert_eq!((named.status, &named.body["data"]["attributes"]["stripe_id"]), (200, &json!(id.as_str())), "{named:?}");
    let again = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
    assert_eq!(again.body["data"]["attributes"]["stripe_id"], json!(id.as_str()));
    says(IntentStatus::Succeeded).await;
    for (method, path) in everywhere() {
        assert_eq!(shown(method, path.clone()).await, states("paid", "completed"), "{path}");
    }
}
