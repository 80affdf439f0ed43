//! Actors of facts, as explanations show them, and request ids.

use actix_web::http::Method;
use paywright_app::{OrderRef, Scope};
use paywright_testkit::Trouble;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{ORDERS, Service};

/// Kinds of an order's facts with their actors, from its explanation.
async fn actors(service: &Service, order: &str) -> Vec<(String, Value)> {
    let explained = service.call(Method::GET, &format!("{ORDERS}/{order}/explain"), &Value::Null).await;
    let timeline = explained.body["data"]["timeline"].as_array().unwrap_or_else(|| panic!("{explained:?}")).clone();
    timeline.iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it["actor"].clone())).collect()
}

/// Actor of the last fact of a kind.
fn actor_of<'a>(actors: &'a [(String, Value)], kind: &str) -> &'a Value {
    actors.iter().rfind(|it| it.0 == kind).map_or_else(|| panic!("no {kind}: {actors:?}"), |it| &it.1)
}

fn key(n: u32) -> Value {
    json!({ "kind": "api_key", "key": Uuid::from_u128(n.into()), "key_name": "shop" })
}

#[actix_web::test]
async fn a_refund_performed_by_the_worker_keeps_its_actor_after_the_key_is_revoked() {
    let (service, provider) = Service::open().await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    let path = format!("{ORDERS}/{order}/payment-intent");
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    let by_customer = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
    let made = service.send(Method::POST, &path, &by_customer, b"").await;
    provider.pay(&paywright_domain::IntentId::new(made.body["data"]["id"].as_str().unwrap()).unwrap());
    service.call(Method::POST, &format!("{ORDERS}/{order}/payment"), &Value::Null).await;

    let refunder = service.key_with(7, &[Scope::PaymentsWrite]).await;
    let headers = [("x-api-key", refunder.as_str()), ("content-type", "application/json")];
    provider.will([Trouble::LostBefore]);
    let body = json!({ "amount": "5.00" }).to_string();
    let refund = service.send(Method::POST, &format!("{ORDERS}/{order}/refunds"), &headers, body.as_bytes()).await;
    assert_eq!(refund.status, 201, "{refund:?}");
    assert!(service.api.app.revoke_api_key(Uuid::from_u128(7)).await.unwrap());
    service.clock.advance_seconds(90);
    while service.api.app.run_due_tasks(service.api.app.now()).await.unwrap() > 0 {}

    let actors = actors(&service, &order).await;
    for (kind, expected) in [
        ("order.placed", key(1)),
        ("payment_intent.created", key(1)),
        ("order.paid", key(1)),
        ("refund.requested", key(7)),
        ("refund.changed", json!({ "kind": "worker" })),
    ] {
        assert_eq!(actor_of(&actors, kind), &expected, "{kind}");
    }
}

#[actix_web::test]
async fn a_fact_without_a_recorded_actor_is_shown_without_one() {
    let (service, _) = Service::open().await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    // Called without a request, so that the fact has no actor, like facts of earlier versions.
    let which = OrderRef::parse(&order).unwrap();
    let reason = paywright_domain::order::CancelReason::Abandoned;
    service.api.app.cancel_order(&which, &paywright_app::Access::All, reason).await.unwrap();
    let actors = actors(&service, &order).await;
    assert_eq!((actor_of(&actors, "order.placed"), actor_of(&actors, "order.canceled")), (&key(1), &Value::Null));
    let explained = service.call(Method::GET, &format!("{ORDERS}/{order}/explain"), &Value::Null).await.body;
    let sources: Vec<_> =
        explained["data"]["timeline"].as_array().unwrap().iter().map(|it| it["source"].clone()).collect();
    assert_eq!(sources, [Value::Null, Value::Null], "an actor alone gives no source: {explained}");
}

#[actix_web::test]
async fn stripe_is_the_actor_of_facts_from_a_webhook() {
    let service = Service::with(paywright_testkit::MockGateway::new()).await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    let headers = [("stripe-signature", "good"), ("x-api-key", service.key.as_str())];
    let taken = service.send(Method::POST, "/webhooks/stripe", &headers, b"1").await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let actors = actors(&service, &order).await;
    assert_eq!(actor_of(&actors, "order.placed"), &key(1));
    assert_eq!(actor_of(&actors, "order.paid"), &json!({ "kind": "stripe" }));
}

#[actix_web::test]
async fn a_request_id_in_the_form_of_a_secret_is_not_accepted() {
    let (service, _) = Service::open().await;
    for (given, is_taken) in [
        ("sale-1", true),
        ("pi_1_secret_abc", false),
        ("sk_test_abc", false),
        ("pwc_0195ead7", false),
        ("my-pwk_00ff", false),
    ] {
        let answer = service.send(Method::GET, ORDERS, &[("x-request-id", given)], b"").await;
        assert_eq!((answer.status, answer.header("x-request-id") == Some(given)), (401, is_taken), "{given}");
        assert_eq!(answer.text.contains(given), is_taken, "{}", answer.text);
    }
}
