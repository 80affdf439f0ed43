use actix_web::http::Method;
use paywright_app::{Inbox, ProviderEvent, ProviderUpdate};
use paywright_domain::intent::IntentStatus;
use paywright_domain::{IntentId, IntentSnapshot};
use paywright_testkit::{MockGateway, at, order_id, usd};
use serde_json::{Value, json};

use crate::{Answer, NOW, ORDERS, Service};

/// Event of a test, whose body is only the number of the order that it pays.
pub(crate) fn event(body: &[u8]) -> ProviderEvent {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let update = match text.parse::<u32>() {
        Ok(n) => {
            let intent = IntentId::new("pi_1").unwrap();
            let mut snapshot = IntentSnapshot::new(intent, order_id(n), usd(11_200), at(NOW));
            snapshot.order = snapshot.order.filter(|_| n > 0);
            snapshot.status = IntentStatus::Succeeded;
            snapshot.received = usd(11_200);
            ProviderUpdate::Intent(Box::new(snapshot))
        }
        Err(_) => ProviderUpdate::Nothing,
    };
    ProviderEvent {
        id: format!("evt_{text}"),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        livemode: false,
        request: None,
        update,
        foreign: None,
        other_version: None,
    }
}

async fn deliver(service: &Service, signature: Option<&str>, body: &[u8]) -> Answer {
    let headers: Vec<_> = signature.map(|it| ("stripe-signature", it)).into_iter().collect();
    service.send(Method::POST, "/webhooks/stripe", &headers, body).await
}

#[actix_web::test]
async fn a_repeated_event_pays_its_order_once() {
    let service = Service::with(MockGateway::new()).await;
    let order = service.placed().await;
    for _ in 0..3 {
        let answer = deliver(&service, Some("good"), b"1").await;
        assert_eq!((answer.status, answer.body), (200, json!({ "received": true, "outcome": "applied" })));
    }
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let shown = service.call(Method::GET, &path, &Value::Null).await;
    assert_eq!(shown.body["data"]["payment_status"], "paid");
}

/// With a stolen endpoint secret, a signed event proves no payment: the callback reads the PaymentIntent from Stripe.
#[actix_web::test]
async fn the_callback_detects_a_forged_payment_event() {
    let (service, _) = Service::open().await;
    let order = service.placed().await;
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    assert_eq!(deliver(&service, Some("good"), b"1").await.status, 200);
    for _ in 0..2 {
        let refused = service.call(Method::POST, &format!("{path}/payment"), &Value::Null).await;
        assert_eq!((refused.status, refused.code()), (409, "payment_not_completed"), "{refused:?}");
    }
    let shown = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
    assert_eq!((&shown["status"], &shown["payment_status"]), (&json!("open"), &json!("review")));
    assert_eq!((&shown["paid_at"], &shown["payment_intent"]["amount_received"]), (&Value::Null, &json!("0.00")));
    let anomaly = &shown["anomalies"][0];
    assert_eq!((&anomaly["kind"], &anomaly["policy"]), (&json!("payment_not_confirmed"), &json!("hold_for_review")));
    for (method, more, body, code) in [
        (Method::POST, "/cancel", Value::Null, "order_in_review"),
        (Method::PATCH, "", json!({ "email": "ada@example.com" }), "order_in_review"),
        (Method::POST, "/capture", Value::Null, "order_in_review"),
        (Method::POST, "/refunds", Value::Null, "payment_not_received"),
    ] {
        let refused = service.call(method, &format!("{path}{more}"), &body).await;
        assert_eq!((refused.status, refused.code()), (409, code), "{more}: {refused:?}");
    }
    let explained = service.call(Method::GET, &format!("{path}/explain"), &Value::Null).await.body["data"].clone();
    let because = explained["because"].to_string();
    assert_eq!(explained["status"], "open");
    assert!(because.contains("The order counts as not paid") && because.contains("do not ship"), "{because}");
}

/// Whatever is acknowledged is stored, with its status.
#[actix_web::test]
async fn every_event_is_stored_before_it_is_acknowledged() {
    let service = Service::with(MockGateway::new()).await;
    for (body, outcome) in [("hello", "ignored"), ("0", "foreign"), ("77", "parked")] {
        let answer = deliver(&service, Some("good"), body.as_bytes()).await;
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!(outcome)));
        let id = format!("evt_{body}");
        assert_eq!(service.store.known_events(std::slice::from_ref(&id)).await.unwrap(), [id]);
    }
}

#[actix_web::test]
async fn an_invalid_webhook_is_refused_and_changes_nothing() {
    let service = Service::with(MockGateway::new()).await;
    let order = service.placed().await;
    let large = vec![b'1'; 1024 * 1024 + 1];
    for (signature, body, status, code) in [
        (None, b"1".as_slice(), 400, "webhook_signature_missing"),
        (Some("forged"), b"1".as_slice(), 400, "webhook_signature_invalid"),
        (Some("thin"), b"1".as_slice(), 400, "webhook_thin_event"),
        (Some("good"), large.as_slice(), 413, "body_too_large"),
    ] {
        let refused = deliver(&service, signature, body).await;
        assert_eq!((refused.status, refused.code()), (status, code));
    }
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let shown = service.call(Method::GET, &path, &Value::Null).await;
    assert_eq!(shown.body["data"]["payment_status"], "unpaid");
}
