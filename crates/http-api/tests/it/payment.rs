use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use paywright_app::{GatewayError, IssuedIntent, PaymentGateway, WorkId};
use paywright_domain::intent::{IntentError, IntentStatus};
use paywright_domain::{IntentId, IntentSnapshot, OrderId};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::{MockGateway, at, issued, order_id, usd};
use serde_json::{Value, json};

use crate::{Answer, NOW, ORDERS, Service};

const INTENT: &str = "pi_3R8f5yQ9LjHruSyq1ofjdVY5";

fn read(id: &IntentId, order: OrderId, status: IntentStatus) -> IssuedIntent {
    let asked = IntentSnapshot::new(id.clone(), order, usd(11_200), at(NOW + 1));
    let received = if status == IntentStatus::Succeeded { usd(11_200) } else { usd(0) };
    IssuedIntent {
        snapshot: IntentSnapshot { status, received, ..asked },
        client_secret: Some("pi_secret".into()),
        request: None,
    }
}

/// Gateway that creates [`INTENT`], and reads it in `status` from then on.
fn gateway(status: IntentStatus) -> MockGateway {
    let mut gateway = MockGateway::new();
    gateway.expect_create_intent().returning(|new, _| Ok(issued(INTENT, new, at(NOW))));
    gateway.expect_intent().returning(move |id| Ok(read(id, order_id(1), status)));
    gateway
}

async fn intent(service: &Service, order: &Value) -> Answer {
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    let headers = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
    let path = format!("{ORDERS}/{}/payment-intent", order["id"].as_str().unwrap());
    service.send(Method::POST, &path, &headers, b"").await
}

async fn payment(service: &Service, order: &Value) -> Answer {
    service.call(Method::POST, &format!("{ORDERS}/{}/payment", order["id"].as_str().unwrap()), &Value::Null).await
}

fn body(message: &str, secret: impl Into<Value>, status: &str) -> Value {
    let secret = secret.into();
    json!({ "message": message, "data": {
        "id": INTENT, "client_secret": secret, "amount": "112.00", "currency": "usd", "status": status,
        "line_items": [
            { "name": "Main product 2", "amount": 5600, "currency": "usd", "quantity": 2, "description": "" },
        ] } })
}

#[actix_web::test]
async fn an_intent_and_a_payment_are_answered_field_for_field() {
    let service = Service::with(gateway(IntentStatus::Succeeded)).await;
    let order = service.placed().await;
    let made = intent(&service, &order).await;
    let secret = format!("{INTENT}_secret_x");
    let expected = body("Payment intent created successfully", secret.as_str(), "requires_payment_method");
    assert_eq!((made.status, made.body), (200, expected));
    // A confirmed payment is answered from the store, which has no client secret.
    for secret in [json!("pi_secret"), Value::Null] {
        let paid = payment(&service, &order).await;
        assert_eq!((paid.status, paid.body), (200, body("Order marked as paid", secret, "succeeded")));
    }
    let again = intent(&service, &order).await;
    assert_eq!((again.status, again.code()), (409, "order_paid"));
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let shown = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
    assert_eq!((&shown["status"], &shown["payment_status"]), (&json!("paid"), &json!("paid")));
    assert_eq!(shown["payment_intent"]["amount_received"], "112.00");
    for (method, path) in [(Method::PATCH, path.clone()), (Method::POST, format!("{path}/cancel"))] {
        let refused = service.call(method, &path, &json!({})).await;
        assert_eq!((refused.status, refused.code()), (409, "order_paid"));
    }
}

#[actix_web::test]
async fn a_callback_before_the_payment_gets_its_status() {
    let service = Service::with(gateway(IntentStatus::Processing)).await;
    let order = service.placed().await;
    let early = payment(&service, &order).await;
    assert_eq!((early.status, early.code()), (409, "payment_not_completed"));
    intent(&service, &order).await;
    let early = payment(&service, &order).await;
    assert_eq!((early.status, early.code()), (409, "payment_processing"), "a status that a page can show");
    let again = intent(&service, &order).await;
    assert_eq!((again.status, &again.body["data"]["status"]), (200, &json!("processing")), "no second intent to pay");
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let shown = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
    assert_eq!((&shown["status"], &shown["payment_status"]), (&json!("open"), &json!("processing")));
    let edit = service.call(Method::PATCH, &path, &json!({ "email": "bob@example.com" })).await;
    assert_eq!((edit.status, edit.code()), (409, "payment_in_progress"));
}

#[actix_web::test]
async fn a_request_to_stripe_has_the_id_of_the_http_request() {
    let seen = Arc::<Mutex<Vec<Option<WorkId>>>>::default();
    let mut gateway = MockGateway::new();
    let asked = Arc::clone(&seen);
    gateway.expect_create_intent().returning(move |_, _| {
        asked.lock().unwrap().push(WorkId::current());
        Err(GatewayError::Busy("429".into()))
    });
    let service = Service::with(gateway).await;
    let order = service.placed().await;
    let path = format!("{ORDERS}/{}/payment-intent", order["id"].as_str().unwrap());
    let headers = [
        ("x-api-key", service.key.as_str()),
        ("authorization", &format!("Bearer {}", service.token("cus-ada"))),
        ("x-request-id", "req-of-a-shop"),
    ];
    assert_eq!(service.send(Method::POST, &path, &headers, b"").await.code(), "payment_provider_busy");
    assert_eq!(*seen.lock().unwrap(), [Some(WorkId::Request("req-of-a-shop".into()))]);
}

#[actix_web::test]
async fn each_gateway_error_has_its_status_and_code() {
    fn failing(error: fn() -> GatewayError) -> impl PaymentGateway {
        let mut gateway = MockGateway::new();
        gateway.expect_create_intent().returning(move |_, _| Err(error()));
        gateway
    }
    let refused: fn() -> GatewayError = || {
        let message = Some("Amount must be at least 50 cents".into());
        GatewayError::Refused(IntentError { message, ..IntentError::default() })
    };
    for (error, status, code, later) in [
        (refused, 422, "payment_provider_refused", false),
        (|| GatewayError::NotFound("hush".into()), 502, "payment_intent_lost", false),
        (|| GatewayError::Busy("429".into()), 503, "payment_provider_busy", true),
        (|| GatewayError::Misconfigured("sk_test_hush".into()), 503, "payment_provider_misconfigured", false),
        (|| GatewayError::Unreachable("hush".into()), 503, "payment_provider_unreachable", true),
        (|| GatewayError::Unknown("hush".into()), 503, "payment_provider_unreachable", true),
        (|| GatewayError::KeyExhausted("hush".into()), 503, "payment_provider_failed", true),
    ] {
        let service = Service::with(failing(error)).await;
        let order = service.placed().await;
        let answer = intent(&service, &order).await;
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(answer.header("retry-after").is_some(), later, "{code}");
        assert!(!answer.body.to_string().contains("hush"), "{answer:?}");
    }
}

/// actix-web drops the future of a request whose connection is reset.
#[actix_web::test]
async fn a_payment_whose_client_disconnects_is_begun_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // A store in a file answers from another thread, so that the request waits for it.
    let store = SqliteStore::open(folder.path().join("orders.db").to_str().unwrap(), Options::default()).unwrap();
    let service = Service::over(store, gateway(IntentStatus::RequiresPaymentMethod), crate::webhooks::event).await;
    let order = service.placed().await;
    let mut request = Box::pin(intent(&service, &order));
    assert!(poll_fn(|it| Poll::Ready(request.as_mut().poll(it))).await.is_pending());
    drop(request);
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    while service.call(Method::GET, &path, &Value::Null).await.body["data"]["payment_intent"].is_null() {
        assert!(Instant::now() < deadline, "no PaymentIntent was created");
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
}
