//! Forged events about payments that Stripe does not have.

use paywright_domain::intent::IntentStatus;
use paywright_domain::{IntentId, IntentSnapshot};
use serde_json::{Value, json};

use super::*;

#[actix_web::test]
async fn a_cart_paid_by_a_forged_event_alone_is_not_complete() {
    // The first of the two calls detects the forgery.
    for complete_first in [false, true] {
        forged_and_paid_after_all(complete_first).await;
    }
}

async fn forged_and_paid_after_all(complete_first: bool) {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await.body["data"].clone();
    let id = IntentId::new(made["attributes"]["stripe_id"].as_str().unwrap()).unwrap();
    let true_one = provider.intent_now(&id);
    let told = IntentSnapshot { status: IntentStatus::Succeeded, received: true_one.amount, ..true_one };
    service.api.app.settle_from_provider(&told.delivered_by_webhook()).await.unwrap();
    let confirm = format!("/stripe/payment_intents/{id}/confirm");
    let confirm_first = [confirm.as_str(), "/checkout/complete", confirm.as_str()];
    for path in confirm_first.into_iter().skip(usize::from(complete_first)) {
        let refused = service.store(Method::PATCH, path, &token, &json!({})).await;
        assert_eq!((refused.status, &refused.body["error"]), (422, &json!("Payment is under review")), "{path}");
    }
    let shown = service.shown(&token).await["attributes"].clone();
    let states = ["state", "payment_state", "completed_at"].map(|it| shown[it].clone());
    assert_eq!(states, [json!("payment"), json!("balance_due"), Value::Null]);
    // The customer pays the intent that is still open at Stripe.
    provider.pay(&id);
    let reads = provider.reads();
    for path in confirm_first.into_iter().skip(usize::from(complete_first)) {
        let paid = service.store(Method::PATCH, path, &token, &json!({})).await;
        assert_eq!(paid.status, 200, "{path}: {paid:?}");
    }
    assert_eq!(provider.reads(), reads + 1, "what Stripe has confirmed is stored");
}
