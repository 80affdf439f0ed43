//! Rules of HTTP for every answer: methods, encodings, caches, and pages of other origins.

use std::collections::BTreeSet;

use actix_web::http::Method;
use paywright_domain::IntentId;
use paywright_http_api::{AddressLimits, CartLimits, RateLimits};
use serde_json::{Value, json};

use crate::{ORDERS, Service, order};

const JSON: (&str, &str) = ("content-type", "application/json");
const CART: &str = "/api/v2/storefront/cart";

#[actix_web::test]
async fn head_is_answered_as_get_in_every_dialect() {
    let (service, _) = Service::open().await;
    let order = service.placed().await;
    let one = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    for path in [
        &one,
        ORDERS,
        "/api/v1/shop/events",
        "/api/v1/shop/webhook_endpoints",
        "/api/v2/platform/orders",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/",
    ] {
        let headers = [("x-api-key", service.key.as_str())];
        let got = service.send(Method::GET, path, &headers, b"").await;
        let head = service.send(Method::HEAD, path, &headers, b"").await;
        assert!((200..400).contains(&got.status), "{path}: {got:?}");
        assert_eq!(head.status, got.status, "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
    }
    let made = service.send(Method::POST, CART, &[JSON], b"{}").await;
    let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    let head = service.send(Method::HEAD, CART, &[("x-spree-order-token", &token)], b"").await;
    assert_eq!(head.status, 200, "{head:?}");
}

#[actix_web::test]
async fn an_unknown_path_or_method_is_refused_in_the_shape_of_its_dialect() {
    let (service, _) = Service::open().await;
    for (method, path, status, code) in [
        (Method::GET, "/api/v1/shop/nothing", 404, "path_not_found"),
        (Method::GET, "/nothing", 404, "path_not_found"),
        (Method::PUT, ORDERS, 405, "method_not_allowed"),
        (Method::DELETE, "/webhooks/stripe", 405, "method_not_allowed"),
        (Method::POST, "/openapi.json", 405, "method_not_allowed"),
        (Method::POST, "/docs/", 405, "method_not_allowed"),
        (Method::POST, "/demo", 405, "method_not_allowed"),
    ] {
        let refused = service.send(method.clone(), path, &[], b"").await;
        assert_eq!((refused.status, refused.code()), (status, code), "{method} {path}: {refused:?}");
        let allowed = refused.header("allow");
        assert_eq!(
            allowed.is_some_and(|it| it.contains("GET, HEAD")),
            status == 405 && !path.contains("stripe"),
            "{path}"
        );
        assert_eq!(allowed.is_some(), status == 405, "{path}");
    }
    // As Rails does, Spree knows a path by its method too.
    for (method, path) in [
        (Method::GET, "/api/v2/nothing"),
        (Method::GET, "/api/v2/storefront/nothing"),
        (Method::PUT, CART),
        (Method::GET, "/api/v2/platform/nothing"),
        (Method::DELETE, "/api/v2/platform/terms"),
        (Method::GET, "/spree_oauth/token"),
    ] {
        let refused = service.send(method.clone(), path, &[], b"").await;
        assert_eq!(refused.status, 404, "{method} {path}: {refused:?}");
        let error = json!({ "error": "The resource you were looking for could not be found." });
        assert_eq!(refused.body, error, "{method} {path}");
    }
}

#[actix_web::test]
async fn an_encoded_body_is_refused_with_the_encoding_that_is_accepted() {
    let (service, _) = Service::open().await;
    let body = order().to_string();
    let key = ("x-api-key", service.key.as_str());
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        for (method, path, identity) in [
            (Method::POST, ORDERS, key),
            (Method::POST, "/webhooks/stripe", ("stripe-signature", "good")),
            (Method::POST, CART, ("accept", "*/*")),
            (Method::PUT, "/api/v2/platform/terms", key),
            (Method::POST, "/spree_oauth/token", ("accept", "*/*")),
        ] {
            let headers = [JSON, identity, ("content-encoding", encoding)];
            let refused = service.send(method, path, &headers, body.as_bytes()).await;
            assert_eq!(
                (refused.status, refused.header("accept-encoding")),
                (415, Some("identity")),
                "{path} {refused:?}"
            );
            if path.starts_with("/api/v2") || path.starts_with("/spree") {
                assert!(refused.body["error"].as_str().unwrap().contains("Content-Encoding"), "{refused:?}");
            } else {
                assert_eq!(refused.code(), "content_encoding_not_supported", "{refused:?}");
            }
        }
    }
    for encoding in ["identity", "Identity"] {
        let headers = [JSON, key, ("content-encoding", encoding)];
        assert_eq!(service.send(Method::POST, ORDERS, &headers, body.as_bytes()).await.status, 201);
    }
}

#[actix_web::test]
async fn a_page_of_an_allowed_origin_may_read_the_id_of_a_request_and_when_to_repeat_it() {
    let (mut service, _) = Service::open().await;
    service.api.allowed_origins = vec!["https://Shop.Example".into(), "https://other.example".into()];
    service.api.rate_limits = RateLimits::new(CartLimits::default(), Some(AddressLimits::default()));
    for origin in ["https://shop.example", "HTTPS://shop.example", "https://other.example"] {
        let answer = service.send(Method::GET, CART, &[("origin", origin)], b"").await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
        let exposed = answer.header("access-control-expose-headers").unwrap().to_lowercase();
        let exposed: BTreeSet<_> = exposed.split(',').map(str::trim).collect();
        assert_eq!(exposed, BTreeSet::from(["retry-after", "x-request-id"]));
    }
    let stranger = service.send(Method::GET, CART, &[("origin", "https://shop.example.evil")], b"").await;
    assert_eq!(stranger.header("access-control-allow-origin"), None, "{stranger:?}");
    // The limit replaces the answer of the handler, and the page can still read it.
    let headers = [("origin", "https://shop.example"), ("authorization", "Bearer wrong")];
    let refused = loop {
        let answer = service.send(Method::GET, "/api/v2/storefront/account/orders", &headers, b"").await;
        if answer.status != 401 {
            break answer;
        }
    };
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://shop.example"), "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
}

#[actix_web::test]
async fn no_cache_stores_an_answer_that_may_have_a_secret() {
    let (service, _) = Service::open().await;
    let order = service.call(Method::POST, ORDERS, &order()).await;
    assert!(order.body["data"]["token"].is_string(), "{order:?}");
    let path = format!("{ORDERS}/{}/payment-intent", order.body["data"]["id"].as_str().unwrap());
    let token = format!("Bearer {}", service.token("cus-ada"));
    let headers = [("x-api-key", service.key.as_str()), ("authorization", token.as_str())];
    let intent = service.send(Method::POST, &path, &headers, b"").await;
    assert!(intent.body["data"]["client_secret"].is_string(), "{intent:?}");
    let cart = service.send(Method::POST, CART, &[JSON], b"{}").await;
    assert!(cart.body["data"]["attributes"]["token"].is_string(), "{cart:?}");
    let login = service.send(Method::POST, "/spree_oauth/token", &[JSON], b"{}").await;
    let list = service.call(Method::GET, ORDERS, &Value::Null).await;
    let subscribers = service.call(Method::GET, "/api/v2/platform/webhooks/subscribers", &Value::Null).await;
    let missing = service.call(Method::GET, "/nothing", &Value::Null).await;
    for answer in [order, intent, cart, login, list, subscribers, missing] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
}

/// Names that look like another text, or like none, are refused in every dialect.
#[actix_web::test]
async fn a_name_that_is_not_what_it_looks_like_is_refused() {
    let (service, _) = Service::open().await;
    for name in ["a\u{202e}b", "\u{2066}x\u{2069}", "\u{200b}\u{feff}", "a\nb", "a\u{7f}"] {
        for field in ["name", "sku"] {
            let mut body = order();
            body["line_items"][0][field] = json!(name);
            let refused = service.call(Method::POST, ORDERS, &body).await;
            assert_eq!((refused.status, refused.code()), (422, "invalid_order"), "{name:?}");
            let path = format!("line_items[0].{field}");
            assert_eq!(refused.body["error"]["fields"][0]["field"], json!(path), "{refused:?}");
        }
        let variant = json!({ "variant": { "name": name, "sku": name, "prices": { "usd": "1.00" } } });
        let refused = service.call(Method::PUT, "/api/v2/platform/variants/mug", &variant).await;
        assert_eq!(refused.status, 422, "{name:?}: {refused:?}");
        assert!(refused.body["errors"]["name"].is_array() && refused.body["errors"]["sku"].is_array(), "{refused:?}");
    }
    let mut body = order();
    body["line_items"][0]["name"] = json!("\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{1f469}\u{200d}\u{1f4bb}\u{fe0f}");
    assert_eq!(service.call(Method::POST, ORDERS, &body).await.status, 201);
}

#[actix_web::test]
async fn a_price_list_that_contradicts_itself_is_refused() {
    let (service, _) = Service::open().await;
    let mug = |usd: &str, more: &str| json!({ "id": "mug", "name": "Mug", "prices": { "usd": usd, more: "2.00" } });
    let put =
        async |path: &str, body: Value| service.call(Method::PUT, &format!("/api/v2/platform/{path}"), &body).await;
    let twice =
        put("variants/mug", json!({ "variant": { "name": "Mug", "prices": { "USD": "1.00", "usd": "2.00" } } }));
    let twice = twice.await;
    assert_eq!(
        (twice.status, &twice.body["errors"]["prices"][0]),
        (422, &json!("has a price in usd twice")),
        "{twice:?}"
    );
    let same = put("variants", json!({ "variants": [mug("1.00", "eur"), mug("3.00", "eur")] })).await;
    assert_eq!((same.status, same.body["errors"]["variants"].is_array()), (422, true), "{same:?}");
    let terms = json!({ "terms": { "shipping": [
        { "id": "post", "name": "Post", "countries": ["DE"], "prices": { "usd": 100, "USD": 999 } }] } });
    assert_eq!(put("terms", terms).await.status, 422);
    assert_eq!(put("variants", json!({ "variants": [mug("1.00", "eur")] })).await.status, 200);
}

/// Spree's paginator takes its defaults for numbers out of its limits, which clients of the storefront rely on.
#[actix_web::test]
async fn numbers_of_pages_beyond_all_limits_are_defaults_or_refused() {
    let (service, _) = Service::open().await;
    let token = format!("Bearer {}", service.token("cus-ada"));
    let customer = [("authorization", token.as_str())];
    let of_order = format!("&filter[order_id_eq]={}", service.placed().await["number"].as_str().unwrap());
    for (query, page) in [
        ("page=99999999999", "page=1"),
        ("page=99999999999999999999999", "page=1"),
        ("page=4294967295&per_page=500", "page=4294967295"),
        ("page=-99999999999999999999999", "page=1"),
        ("per_page=501", "per_page=25"),
        ("per_page=99999999999", "per_page=25"),
    ] {
        for list in ["orders", "credit_cards"] {
            let path = format!("/api/v2/storefront/account/{list}?{query}");
            let answer = service.send(Method::GET, &path, &customer, b"").await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(answer.body["links"]["self"].as_str().unwrap().contains(page), "{path}: {answer:?}");
        }
        for (list, filter) in [
            ("orders", ""),
            ("payments", &of_order),
            ("line_items", &of_order),
            ("adjustments", &of_order),
            ("webhooks/subscribers", ""),
            ("webhooks/events", ""),
        ] {
            let path = format!("/api/v2/platform/{list}?{query}{filter}");
            let answer = service.call(Method::GET, &path, &Value::Null).await;
            let is_within = query.starts_with("page=4294967295");
            assert_eq!(answer.status, if is_within { 200 } else { 422 }, "{path}: {answer:?}");
        }
        let path = format!("/api/v2/platform/variants?{query}");
        let answer = service.call(Method::GET, &path, &Value::Null).await;
        assert!([200, 422].contains(&answer.status), "{path}: {answer:?}");
    }
}

/// An order in which every field has its maximum, of these characters.
fn largest_order(of: &str) -> String {
    let text = |count: usize| of.repeat(count);
    let line = format!(
        r#"{{"name":"{}","description":"{}","sku":"{}","amount":100,"quantity":1}}"#,
        text(250),
        text(1000),
        text(100)
    );
    let adjustment = format!(
        r#"{{"kind":"tax","label":"{}","amount":100,"tax_rate_details":{{"percentage_decimal":"19.1234","country":"DE"}}}}"#,
        text(250)
    );
    let metadata: Vec<_> = (10..30).map(|it| format!(r#""{}{it}":"{}""#, text(38), text(500))).collect();
    format!(
        r#"{{"currency":"usd","capture":"automatic","customer":"{}","line_items":[{}],"adjustments":[{}],"metadata":{{{}}}}}"#,
        "c".repeat(255),
        vec![line; 200].join(","),
        vec![adjustment; 50].join(","),
        metadata.join(",")
    )
}

#[actix_web::test]
async fn an_order_with_every_maximum_is_within_the_limit_of_bodies() {
    let (service, _) = Service::open().await;
    let headers = [("x-api-key", service.key.as_str()), JSON];
    for (of, bytes_min) in [("\u{1d4b3}", 1_100_000), ("\\ud835\\udcb3", 3_400_000)] {
        let body = largest_order(of);
        assert!(body.len() > bytes_min, "{}", body.len());
        let placed = service.send(Method::POST, ORDERS, &headers, body.as_bytes()).await;
        assert_eq!(placed.status, 201, "{:.500}", placed.text);
        assert_eq!(placed.body["data"]["line_items"].as_array().unwrap().len(), 200);
    }
}

/// As Stripe does: a key names one request, whatever the request is.
#[actix_web::test]
async fn an_idempotency_key_of_placing_is_refused_for_refunding_and_the_reverse() {
    let (service, provider) = Service::open().await;
    let send = async |path: &str, key: &str, body: &Value| {
        let headers = [("x-api-key", service.key.as_str()), JSON, ("idempotency-key", key)];
        service.send(Method::POST, path, &headers, body.to_string().as_bytes()).await
    };
    let placed = send(ORDERS, "key-1", &order()).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let path = format!("{ORDERS}/{}", placed.body["data"]["id"].as_str().unwrap());
    let token = format!("Bearer {}", service.token("cus-ada"));
    let headers = [("x-api-key", service.key.as_str()), ("authorization", token.as_str())];
    let intent = service.send(Method::POST, &format!("{path}/payment-intent"), &headers, b"").await;
    provider.pay(&IntentId::new(intent.body["data"]["id"].as_str().unwrap()).unwrap());
    let paid = service.send(Method::POST, &format!("{path}/payment"), &headers, b"").await;
    assert_eq!(paid.status, 200, "{paid:?}");

    let refunds = format!("{path}/refunds");
    let refund = json!({ "amount": "1.00" });
    let refused = send(&refunds, "key-1", &refund).await;
    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"), "{refused:?}");
    assert_eq!(send(&refunds, "key-2", &refund).await.status, 201);
    let refused = send(ORDERS, "key-2", &order()).await;
    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"), "{refused:?}");
    let listed = service.call(Method::GET, &refunds, &Value::Null).await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        service.call(Method::GET, ORDERS, &Value::Null).await.body["data"]["orders"].as_array().unwrap().len(),
        1
    );
}

/// PostgreSQL stores no text with the character U+0000.
#[actix_web::test]
async fn the_character_that_a_database_cannot_store_is_refused_in_every_dialect() {
    let (service, _) = Service::open().await;
    let order = order().to_string().replacen("Main", "Ma\\u0000in", 1);
    let key = ("x-api-key", service.key.as_str());
    for (method, path, body) in [
        (Method::POST, ORDERS, order.as_str()),
        (Method::GET, "/api/v1/shop/orders?customer=a%00", ""),
        (Method::GET, "/api/v2/platform/orders?filter[email_eq]=a%00b", ""),
        (Method::GET, "/api/v2/platform/orders?filter[%00]=b", ""),
        (Method::POST, CART, r#"{"public_metadata":{"a":"\u0000"}}"#),
        (Method::PUT, "/api/v2/platform/terms", r#"{"terms":{"coupons":[{"code":"\u0000"}]}}"#),
    ] {
        let refused = service.send(method, path, &[key, JSON], body.as_bytes()).await;
        assert!([400, 422].contains(&refused.status), "{path}: {refused:?}");
        assert!(refused.text.contains("must not contain the character U+0000"), "{path}: {refused:?}");
    }
}
