use actix_web::http::Method;
use paywright_app::{OrderQuery, Orders};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::MockGateway;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{ORDERS, Service, order};

async fn stored(service: &Service) -> usize {
    let query = OrderQuery::newest(100);
    service.store.orders(&query).await.unwrap().len()
}

/// Valid order with one change.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = order();
    change(&mut body);
    body
}

fn line(field: &str, value: Value) -> Value {
    with(|it| it["line_items"][0][field] = value)
}

const PERCENTAGE: &str = "adjustments[0].tax_rate_details.percentage_decimal";

/// Each refusal names the field and the limit.
#[actix_web::test]
async fn a_field_beyond_its_limits_is_named_and_nothing_is_stored() {
    let service = Service::with(MockGateway::new()).await;
    let adjustment = |kind: &str, amount: i64| json!([{ "kind": kind, "label": "x", "amount": amount }]);
    let details = json!({ "percentage_decimal": "19", "country": "DE" });
    let rated = |kind: &str, details: Value| {
        let adjustment = json!({ "kind": kind, "label": "x", "amount": 1, "tax_rate_details": details });
        with(|it| it["adjustments"] = json!([adjustment]))
    };
    let many = |count: usize| vec![json!({ "name": "x", "amount": 1, "quantity": 1 }); count];
    let notes: serde_json::Map<_, _> = (0..21).map(|it| (format!("k{it}"), json!("v"))).collect();
    for (name, body, field, says) in [
        ("a zero amount", line("amount", json!(0)), "line_items[0].amount", "must be at least 1"),
        ("a negative amount", line("amount", json!(-1)), "line_items[0].amount", "negative"),
        ("a huge amount", line("amount", json!(1_000_000_000_000_i64)), "line_items[0].amount", "999999999999"),
        ("beyond all integers", line("amount", json!(1e30)), "line_items[0].amount", "must be an integer"),
        (
            "beyond 64 bits",
            line("amount", json!(u64::MAX)),
            "line_items[0].amount",
            "must be at most 999999999999 minor units",
        ),
        ("a fraction", line("amount", json!(56.5)), "line_items[0].amount", "must be an integer"),
        ("an amount in words", line("amount", json!("56")), "line_items[0].amount", "must be an integer"),
        ("no amount", line("amount", Value::Null), "line_items[0].amount", "is missing"),
        ("a zero quantity", line("quantity", json!(0)), "line_items[0].quantity", "must be 1 to 10000"),
        ("a negative quantity", line("quantity", json!(-2)), "line_items[0].quantity", "must be 1 to 10000"),
        ("a huge quantity", line("quantity", json!(10_001)), "line_items[0].quantity", "must be 1 to 10000"),
        ("a quantity in words", line("quantity", json!("2")), "line_items[0].quantity", "must be an integer"),
        ("no name", line("name", json!("")), "line_items[0].name", "at least 1 character"),
        ("a long name", line("name", json!("x".repeat(251))), "line_items[0].name", "at most 250"),
        ("a control character", line("name", json!("a\u{7}")), "line_items[0].name", "control"),
        ("a long description", line("description", json!("x".repeat(1001))), "line_items[0].description", "1000"),
        ("an unknown field of a line", line("price", json!(1)), "line_items[0].price", "is not a known field"),
        ("an unknown field", with(|it| it["color"] = json!("red")), "color", "is not a known field"),
        ("no lines", with(|it| it["line_items"] = json!([])), "line_items", "at least one line"),
        (
            "no line_items",
            with(|it| drop(it.as_object_mut().unwrap().remove("line_items"))),
            "line_items",
            "is missing",
        ),
        ("too many lines", with(|it| it["line_items"] = json!(many(201))), "line_items", "at most 200"),
        ("an unknown currency", with(|it| it["currency"] = json!("xxx")), "currency", "ISO 4217"),
        ("no currency", with(|it| it["currency"] = Value::Null), "currency", "is missing"),
        ("a currency that is no string", with(|it| it["currency"] = json!(1)), "currency", "must be a string"),
        ("below Stripe's minimum", with(|it| it["line_items"] = json!(many(49))), "amount", "at least 0.50 usd"),
        ("above Stripe's maximum", line("amount", json!(60_000_000)), "amount", "at most 999999.99 usd"),
        ("an odd customer", with(|it| it["customer"] = json!("a b")), "customer", "255"),
        ("an odd email", with(|it| it["email"] = json!("ada")), "email", "email"),
        ("an odd capture", with(|it| it["capture"] = json!("later")), "capture", "automatic or manual"),
        ("an odd adjustment", with(|it| it["adjustments"] = adjustment("gift", 1)), "adjustments[0].kind", "discount"),
        (
            "a negative discount",
            with(|it| it["adjustments"] = adjustment("discount", -1)),
            "adjustments[0].amount",
            "negative",
        ),
        (
            "too large a discount",
            with(|it| it["adjustments"] = adjustment("discount", 11_201)),
            "adjustments",
            "exceed",
        ),
        (
            "more included tax than the prices",
            with(|it| it["adjustments"] = adjustment("tax_included", 11_201)),
            "adjustments",
            "tax_included must be at most 112.00 usd",
        ),
        ("a rate of a discount", rated("discount", details.clone()), "adjustments[0].tax_rate_details", "only tax and"),
        ("a rate of the shipping", rated("shipping", details), "adjustments[0].tax_rate_details", "only tax and"),
        ("a plain rate", rated("tax", json!("19")), "adjustments[0].tax_rate_details", "must be an object"),
        ("no percentage", rated("tax", json!({ "country": "DE" })), PERCENTAGE, "is missing"),
        ("an odd percentage", rated("tax", json!({ "percentage_decimal": "19%" })), PERCENTAGE, "like 19 or 8.875"),
        ("a float", rated("tax", json!({ "percentage_decimal": 19.5 })), PERCENTAGE, "must be a string"),
        ("above 100 %", rated("tax", json!({ "percentage_decimal": "100.0001" })), PERCENTAGE, "from 0 to 100"),
        ("five decimals", rated("tax", json!({ "percentage_decimal": "1.00001" })), PERCENTAGE, "four decimals"),
        (
            "an odd country",
            rated("tax_included", json!({ "percentage_decimal": "19", "country": "Germany" })),
            "adjustments[0].tax_rate_details.country",
            "two letters",
        ),
        (
            "an unknown field of a rate",
            rated("tax", json!({ "percentage_decimal": "19", "state": "NY" })),
            "adjustments[0].tax_rate_details.state",
            "not a known field",
        ),
        ("too many notes", with(|it| it["metadata"] = Value::Object(notes)), "metadata", "at most 20"),
        ("a long note", with(|it| it["metadata"] = json!({ "k": "x".repeat(501) })), "metadata.k", "500"),
    ] {
        let refused = service.call(Method::POST, ORDERS, &body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_order"), "{name}: {refused:?}");
        let fields = refused.body["error"]["fields"].as_array().cloned().unwrap_or_default();
        let named = fields.iter().find(|it| it["field"] == field);
        let problem = named.and_then(|it| it["problem"].as_str()).unwrap_or_default();
        assert!(problem.contains(says), "{name}: {fields:?}");
    }
    let in_currency = |code: &str, amount: i64| {
        with(|it| {
            it["currency"] = json!(code);
            it["line_items"] = json!([{ "name": "x", "amount": amount, "quantity": 1 }]);
        })
    };
    for (code, amount, says) in [
        ("jpy", 10_000_000_000, "the total must be at most 9999999999 jpy"),
        ("inr", 1_000_000_000, "the total must be at most 9999999.99 inr"),
        ("zar", 49, "the total must be at least 0.50 zar"),
        ("kwd", 4_505, "the total must be a multiple of 0.010 kwd"),
    ] {
        let refused = service.call(Method::POST, ORDERS, &in_currency(code, amount)).await;
        assert_eq!(refused.body["error"]["fields"][0]["problem"], says, "{refused:?}");
    }
    for email in ["x@gmail", "root@localhost", "a@example,com", "<a@example.com>", "a@example..com"] {
        let refused = service.call(Method::POST, ORDERS, &with(|it| it["email"] = json!(email))).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_order"), "{email}: {refused:?}");
        assert_eq!(refused.body["error"]["fields"][0]["field"], "email", "{email}");
    }
    assert_eq!(stored(&service).await, 0);
    for (code, amount, shown) in [
        ("idr", 999_999_999_999, "9999999999.99"),
        ("lbp", 99_999_999_999, "999999999.99"),
        ("jpy", 9_999_999_999, "9999999999"),
    ] {
        let placed = service.call(Method::POST, ORDERS, &in_currency(code, amount)).await;
        assert_eq!((placed.status, &placed.body["data"]["amount"]), (201, &json!(shown)), "{placed:?}");
    }
}

#[actix_web::test]
async fn all_problems_of_a_body_are_reported_together() {
    let service = Service::with(MockGateway::new()).await;
    let body = json!({ "currency": "usd", "email": "ada", "line_items": [
        { "name": "a", "amount": -1, "quantity": 1 }, { "name": "", "amount": 1, "quantity": 1 },
    ] });
    let refused = service.call(Method::POST, ORDERS, &body).await;
    let fields: Vec<_> = refused.body["error"]["fields"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["email", "line_items[0].amount", "line_items[1].name"]);
}

/// Missing fields, wrong types, values beyond their limits and unknown fields.
#[actix_web::test]
async fn problems_of_every_kind_are_reported_together_in_terms_of_json() {
    let service = Service::with(MockGateway::new()).await;
    let body = json!({ "customer": 7, "email": "ada", "line_items": [
        { "name": ["x"], "amount": "1", "quantity": 0, "price": 1 }, ["Mug", 1, 1], { "name": "Mug" },
    ], "adjustments": { "kind": "tax" }, "metadata": [["k", "v"]], "capture": true });
    let refused = service.call(Method::POST, ORDERS, &body).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid_order"), "{refused:?}");
    let fields: Vec<_> = refused.body["error"]["fields"].as_array().unwrap().iter().map(sentence).collect();
    let expected = [
        "currency is missing",
        "customer must be a string",
        "email must be an email address like ada@example.com",
        "line_items[0].price is not a known field",
        "line_items[0].name must be a string",
        "line_items[0].amount must be an integer",
        "line_items[0].quantity must be 1 to 10000",
        "line_items[1] must be an object",
        "line_items[2].amount is missing",
        "line_items[2].quantity is missing",
        "adjustments must be an array",
        "capture must be a string",
        "metadata must be an object",
    ];
    assert_eq!(fields, expected);
    assert!(refused.body["error"]["detail"].as_str().unwrap().ends_with("line_items[2].quantity is missing; 3 more"));
    let twice = br#"{"currency": "usd", "metadata": {"k": "a", "k": "b"}, "line_items": []}"#;
    let headers = [("x-api-key", service.key.as_str()), ("content-type", "application/json")];
    let refused = service.send(Method::POST, ORDERS, &headers, twice).await;
    assert_eq!(sentence(&refused.body["error"]["fields"][0]), "metadata.k appears twice", "{refused:?}");
    assert_eq!(stored(&service).await, 0);
}

fn sentence(problem: &Value) -> String {
    format!("{} {}", problem["field"].as_str().unwrap(), problem["problem"].as_str().unwrap())
}

/// The arrays have the values of an object, in the order in which its fields are documented.
#[actix_web::test]
async fn an_array_in_place_of_an_object_is_refused_in_every_body() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let path = format!("{ORDERS}/{}", placed["id"].as_str().unwrap());
    let before = service.store.orders(&OrderQuery::newest(100)).await.unwrap();
    let line = json!({ "name": "Mug", "amount": 1200, "quantity": 1 });
    for (method, path, body, code, field) in [
        (Method::POST, ORDERS, json!(["usd", "cus-ada", null, [line], [], null, {}]), "invalid_order", "body"),
        (
            Method::POST,
            ORDERS,
            json!({ "currency": "usd", "line_items": [["Mug", 1200, 1]] }),
            "invalid_order",
            "line_items[0]",
        ),
        (Method::POST, ORDERS, json!({ "currency": "usd", "line_items": line }), "invalid_order", "line_items"),
        (Method::PATCH, path.as_str(), json!([null, null, null, { "k": "v" }]), "invalid_order", "body"),
        (Method::PATCH, path.as_str(), json!({ "metadata": [["k", "v"]] }), "invalid_order", "metadata"),
        (Method::POST, &format!("{path}/cancel"), json!(["fraudulent"]), "invalid_order", "body"),
        (Method::POST, &format!("{path}/cancel"), Value::String("fraudulent".into()), "invalid_order", "body"),
        (Method::POST, &format!("{path}/capture"), json!(["1.00"]), "invalid_capture", "body"),
        (Method::POST, &format!("{path}/refunds"), json!([]), "invalid_refund", "body"),
    ] {
        let refused = service.call(method.clone(), path, &body).await;
        let answered = (refused.status, refused.code(), refused.body["error"]["fields"][0]["field"].as_str());
        assert_eq!(answered, (422, code, Some(field)), "{method} {path} {body}: {refused:?}");
    }
    let after = service.store.orders(&OrderQuery::newest(100)).await.unwrap();
    assert_eq!(after, before);
}

#[actix_web::test]
async fn an_invalid_query_is_refused_with_its_fields() {
    let service = Service::with(MockGateway::new()).await;
    for (query, fields) in [
        ("limit=0", &["limit must be 1 to 100"][..]),
        ("limit=x", &["limit must be 1 to 100"]),
        ("limit=1&limit=2", &["limit appears twice"]),
        (
            "color=red&cursor=x&limit=101&customer=a%20b",
            &[
                "color is not a known field",
                "customer must be 1 to 255 letters, digits or any of `_-.:@|`",
                "cursor must be the next_cursor of an earlier answer",
                "limit must be 1 to 100",
            ],
        ),
    ] {
        let refused = service.call(Method::GET, &format!("{ORDERS}?{query}"), &Value::Null).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{refused:?}");
        let named: Vec<_> = refused.body["error"]["fields"].as_array().unwrap().iter().map(sentence).collect();
        assert_eq!(named, fields, "{query}");
    }
    let refused = service.send(Method::GET, "/readyz?verbose&verbose", &[], b"").await;
    assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{refused:?}");
    assert_eq!(sentence(&refused.body["error"]["fields"][0]), "verbose appears twice");
    assert_eq!(service.send(Method::GET, "/readyz?verbose", &[], b"").await.status, 200);
}

#[actix_web::test]
async fn a_malformed_request_is_refused() {
    let service = Service::with(MockGateway::new()).await;
    let good = order().to_string();
    let large = format!("{{\"currency\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    let json_type = Some("application/json");
    for (name, body, media_type, status, code) in [
        ("malformed JSON", "{\"currency\":", json_type, 400, "json_malformed"),
        ("no body", "", json_type, 400, "json_malformed"),
        ("two documents", "{} {}", json_type, 400, "json_malformed"),
        (
            "not UTF-8 sentence",
            good.as_str(),
            Some("application/x-www-form-urlencoded"),
            415,
            "content_type_not_supported",
        ),
        ("no content type", good.as_str(), None, 415, "content_type_not_supported"),
        ("over the limit", large.as_str(), json_type, 413, "body_too_large"),
        ("a charset", good.as_str(), Some("application/json; charset=utf-8"), 201, ""),
    ] {
        let mut headers = vec![("x-api-key", service.key.as_str())];
        headers.extend(media_type.map(|it| ("content-type", it)));
        let answer = service.send(Method::POST, ORDERS, &headers, body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{name}: {answer:?}");
    }
    assert_eq!(stored(&service).await, 1);
    let headers =
        |key| [("x-api-key", service.key.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
    let long = "x".repeat(256);
    for key in ["", long.as_str(), "t\tb"] {
        let answer = service.send(Method::POST, ORDERS, &headers(key), good.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (400, "idempotency_key_malformed"), "{key:?}");
    }
}

#[actix_web::test]
async fn unknown_paths_queries_and_methods_are_refused() {
    let service = Service::with(MockGateway::new()).await;
    let known = service.placed().await["id"].as_str().unwrap().to_owned();
    for (method, path, status, code) in [
        (Method::GET, format!("{ORDERS}/9"), 400, "order_id_malformed"),
        // A number in the format of another system is a 404 on each route.
        (Method::GET, format!("{ORDERS}/ORD-20250331-5XZF"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}/ord-%C3%A4"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}/ORD-20250331-5XZF/refunds"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}/ORD-20250331-5XZF/explain"), 404, "order_not_found"),
        (Method::POST, format!("{ORDERS}/ORD-20250331-5XZF/payment"), 404, "order_not_found"),
        (Method::POST, format!("{ORDERS}/ORD-20250331-5XZF/cancel"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}/pi_1"), 400, "order_id_malformed"),
        (Method::GET, format!("{ORDERS}/%00"), 400, "order_id_malformed"),
        (Method::GET, format!("{ORDERS}/ORD-20250331-ZZZZZZ"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}/00000000-0000-7000-8000-000000000000"), 404, "order_not_found"),
        (Method::GET, format!("{ORDERS}?limit=0"), 400, "query_malformed"),
        (Method::GET, format!("{ORDERS}?limit=101"), 400, "query_malformed"),
        (Method::GET, format!("{ORDERS}?cursor=x"), 400, "query_malformed"),
        (Method::GET, format!("{ORDERS}?color=red"), 400, "query_malformed"),
        (Method::DELETE, format!("{ORDERS}/{known}"), 405, "method_not_allowed"),
        (Method::GET, "/api/v1/shop/anything".to_owned(), 404, "path_not_found"),
        (Method::GET, "/webhooks/stripe".to_owned(), 405, "method_not_allowed"),
    ] {
        let answer = service.call(method.clone(), &path, &Value::Null).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {answer:?}");
    }
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    for path in ["/account/orders/ORD-20250331-5XZF", "/order_status/ORD-20250331-5XZF"] {
        let path = format!("/api/v2/storefront{path}");
        let answer = service.send(Method::GET, &path, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[actix_web::test]
async fn an_edit_is_checked_like_an_order_and_changes_nothing_when_refused() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let path = format!("{ORDERS}/{}", placed["id"].as_str().unwrap());
    for body in [
        json!({ "line_items": [] }),
        json!({ "line_items": [{ "name": "x", "amount": 1, "quantity": 1 }] }),
        json!({ "currency": "eur" }),
        json!({ "email": "x@gmail" }),
        json!({ "adjustments": [{ "kind": "tax_included", "label": "VAT", "amount": 11_201 }] }),
    ] {
        let refused = service.call(Method::PATCH, &path, &body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_order"), "{body}");
    }
    let refused = service.call(Method::POST, &format!("{path}/cancel"), &json!({ "reason": "bored" })).await;
    assert_eq!(refused.status, 422);
    let after = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
    assert_eq!((&after["revision"], &after["status"]), (&json!(1), &json!("open")));
}

#[actix_web::test]
async fn a_full_disk_refuses_writes_and_still_serves_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db");
    let small = Options { bytes_max: Some(300 * 1024), ..Options::default() };
    let store = SqliteStore::open(path.to_str().unwrap(), small).unwrap();
    let service = Service::over(store, MockGateway::new(), crate::webhooks::event).await;
    let mut placed = Vec::new();
    let refused = loop {
        let answer = service.call(Method::POST, ORDERS, &order()).await;
        if answer.status != 201 {
            break answer;
        }
        placed.push(answer.body["data"]["id"].as_str().unwrap().to_owned());
        assert!(placed.len() < 10_000, "the limit is never met");
    };
    assert_eq!((refused.status, refused.code()), (503, "store_unavailable"));
    assert!(refused.header("retry-after").is_some());
    // A webhook that cannot be stored is not acknowledged, so that Stripe delivers it again.
    let headers = [("stripe-signature", "good")];
    let event = service.send(Method::POST, "/webhooks/stripe", &headers, &vec![b'x'; 60_000]).await;
    assert_eq!((event.status, event.code()), (503, "store_unavailable"));
    for id in placed {
        assert_eq!(service.call(Method::GET, &format!("{ORDERS}/{id}"), &Value::Null).await.status, 200);
    }
}
