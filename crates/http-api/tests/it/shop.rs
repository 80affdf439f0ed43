use actix_web::http::Method;
use paywright_testkit::MockGateway;
use serde_json::{Value, json};

use crate::{ORDERS, Service, order};

#[actix_web::test]
async fn a_tax_has_the_rate_and_the_country_that_the_shop_gives() {
    let service = Service::with(MockGateway::new()).await;
    let mut body = order();
    let tax = |rate: Value| json!({ "kind": "tax", "label": "VAT", "amount": 7, "tax_rate_details": rate });
    let rates = [
        (
            json!({ "percentage_decimal": "19.000", "country": "de" }),
            json!({ "percentage_decimal": "19", "country": "DE" }),
        ),
        (json!({ "percentage_decimal": "8.8755" }), json!({ "percentage_decimal": "8.8755", "country": null })),
        (json!({ "percentage_decimal": "0", "country": null }), json!({ "percentage_decimal": "0", "country": null })),
        (Value::Null, Value::Null),
    ];
    body["adjustments"] = rates.iter().map(|(given, _)| tax(given.clone())).collect();
    let placed = service.call(Method::POST, ORDERS, &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let path = format!("{ORDERS}/{}", placed.body["data"]["id"].as_str().unwrap());
    let shown = service.call(Method::GET, &path, &Value::Null).await.body["data"]["adjustments"].clone();
    for (place, (_, rate)) in rates.iter().enumerate() {
        // An adjustment without a rate has no such field.
        assert_eq!(shown[place].get("tax_rate_details"), Some(rate).filter(|it| !it.is_null()), "{shown}");
    }
    let edit = json!({ "adjustments": [tax(json!({ "percentage_decimal": "7", "country": "FR" }))] });
    let edited = service.call(Method::PATCH, &path, &edit).await;
    let expected = json!({ "percentage_decimal": "7", "country": "FR" });
    assert_eq!((edited.status, &edited.body["data"]["adjustments"][0]["tax_rate_details"]), (200, &expected));
}

#[actix_web::test]
async fn an_order_is_placed_read_and_listed() {
    let service = Service::with(MockGateway::new()).await;
    let body = json!({ "currency": "USD", "customer": "cus-ada", "email": "ada@example.com", "capture": "manual",
        "line_items": [
            { "name": "Main product 2", "amount": 5600, "quantity": 2, "description": "Zoë ☕", "sku": "M-2" },
            { "name": "Leash", "amount": 1250, "quantity": 1 },
        ],
        "adjustments": [
            { "kind": "discount", "label": "Spring", "amount": 450 },
            { "kind": "shipping", "label": "Post", "amount": 700 },
            { "kind": "tax_included", "label": "VAT", "amount": 100 },
        ],
        "metadata": { "channel": "web" } });
    let placed = service.call(Method::POST, ORDERS, &body).await;
    assert_eq!((placed.status, &placed.body["message"]), (201, &json!("Order placed successfully")));
    let mut data = placed.body["data"].clone();
    let token = data.as_object_mut().unwrap().remove("token").unwrap();
    assert!(token.as_str().unwrap().starts_with("pwo_"));
    let number = data["number"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": data["id"], "number": number, "status": "open", "payment_status": "unpaid",
        "amount": "127.00", "currency": "usd", "customer": "cus-ada", "email": "ada@example.com", "capture": "manual",
        "line_items": [
            { "name": "Main product 2", "amount": 5600, "currency": "usd", "quantity": 2, "description": "Zoë ☕",
                "sku": "M-2" },
            { "name": "Leash", "amount": 1250, "currency": "usd", "quantity": 1, "description": "", "sku": null },
        ],
        "adjustments": [
            { "kind": "discount", "label": "Spring", "amount": 450, "currency": "usd" },
            { "kind": "shipping", "label": "Post", "amount": 700, "currency": "usd" },
            { "kind": "tax_included", "label": "VAT", "amount": 100, "currency": "usd" },
        ],
        "metadata": { "channel": "web" }, "payment_intent": null, "pending_change": null,
        "amount_refunded": "0.00", "refunds": [], "disputes": [], "anomalies": [], "livemode": false, "revision": 1,
        "cancel_reason": null, "placed_at": "2025-03-31T09:57:30Z", "updated_at": "2025-03-31T09:57:30Z",
        "paid_at": null, "canceled_at": null,
    });
    assert_eq!(data, expected);
    for name in [data["id"].as_str().unwrap(), number.as_str(), &number.to_lowercase()] {
        let read = service.call(Method::GET, &format!("{ORDERS}/{name}"), &Value::Null).await;
        assert_eq!((read.status, &read.body["data"]), (200, &expected), "{name}");
    }
    let list = service.call(Method::GET, &format!("{ORDERS}?customer=cus-ada"), &Value::Null).await;
    assert_eq!(list.body["data"], json!({ "orders": [expected], "next_cursor": null }));
}

#[actix_web::test]
async fn a_list_is_paged_by_its_cursor() {
    let service = Service::with(MockGateway::new()).await;
    for _ in 0..5 {
        service.placed().await;
    }
    let mut path = format!("{ORDERS}?limit=2");
    let mut sizes = Vec::new();
    loop {
        let page = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
        sizes.push(page["orders"].as_array().unwrap().len());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{ORDERS}?limit=2&cursor={cursor}");
    }
    assert_eq!(sizes, [2, 2, 1]);
}

#[actix_web::test]
async fn a_repeated_idempotency_key_gets_the_first_answer_and_a_different_request_is_refused() {
    let service = Service::with(MockGateway::new()).await;
    let send = async |key: &str, idempotency: &str, body: &Value| {
        let headers = [("x-api-key", key), ("content-type", "application/json"), ("idempotency-key", idempotency)];
        service.send(Method::POST, ORDERS, &headers, body.to_string().as_bytes()).await
    };
    let first = send(&service.key, "k-1", &order()).await;
    // A repeat gets the first answer even after the order has changed.
    let path = format!("{ORDERS}/{}/cancel", first.body["data"]["id"].as_str().unwrap());
    assert_eq!(service.call(Method::POST, &path, &Value::Null).await.status, 200);
    let again = send(&service.key, "k-1", &order()).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    let mut other = order();
    other["line_items"][0]["quantity"] = json!(3);
    let refused = send(&service.key, "k-1", &other).await;
    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"));
    // The same idempotency key of another application is a different key.
    let stranger = service.key_with(2, &paywright_app::Scope::ALL).await;
    assert_eq!(send(&stranger, "k-1", &other).await.header("idempotent-replayed"), None);
}

#[actix_web::test]
async fn an_order_without_an_intent_is_edited_and_canceled() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let path = format!("{ORDERS}/{}", placed["number"].as_str().unwrap());
    let edit = json!({ "line_items": [{ "name": "Bone", "amount": 300, "quantity": 3 }], "email": "bob@example.com" });
    let edited = service.call(Method::PATCH, &path, &edit).await;
    assert_eq!((edited.status, &edited.body["data"]["amount"]), (200, &json!("9.00")));
    assert_eq!(edited.body["data"]["email"], "bob@example.com");
    let cleared = service.call(Method::PATCH, &path, &json!({ "email": null })).await;
    assert_eq!((&cleared.body["data"]["email"], &cleared.body["data"]["revision"]), (&Value::Null, &json!(3)));
    let cancel = format!("{path}/cancel");
    let canceled = service.call(Method::POST, &cancel, &json!({ "reason": "abandoned" })).await;
    assert_eq!(canceled.body["data"]["status"], "canceled");
    assert_eq!(canceled.body["data"]["cancel_reason"], "abandoned");
    let late = service.call(Method::PATCH, &path, &edit).await;
    assert_eq!((late.status, late.code()), (409, "order_canceled"));
}

#[actix_web::test]
async fn a_draining_process_is_not_ready_and_still_answers_requests() {
    let service = Service::with(MockGateway::new()).await;
    assert_eq!(service.send(Method::GET, "/readyz", &[], b"").await.status, 200);
    service.api.shutdown.drain();
    let ready = service.send(Method::GET, "/readyz", &[], b"").await;
    assert_eq!((ready.status, ready.code(), ready.header("retry-after")), (503, "shutting_down", Some("1")));
    assert_eq!(service.send(Method::GET, "/healthz", &[], b"").await.status, 200);
    assert_eq!(service.call(Method::POST, ORDERS, &order()).await.status, 201);
}

#[actix_web::test]
async fn every_answer_has_a_request_id() {
    let service = Service::with(MockGateway::new()).await;
    let answer = service.send(Method::GET, "/healthz", &[], b"").await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("ok")));
    assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(service.send(Method::GET, "/readyz", &[], b"").await.status, 200);
    let named = [("x-request-id", "mine-7")];
    let refused = service.send(Method::GET, "/nowhere", &named, b"").await;
    assert_eq!(
        (refused.status, refused.code(), refused.header("x-request-id")),
        (404, "path_not_found", Some("mine-7"))
    );
    assert_eq!(refused.body["error"]["request_id"], "mine-7");
    let odd = [("x-request-id", "a b")];
    let answer = service.send(Method::GET, "/healthz", &odd, b"").await;
    assert_ne!(answer.header("x-request-id"), Some("a b"));
}
