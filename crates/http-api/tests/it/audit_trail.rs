//! Audit trail, as applications read it.

use actix_web::http::Method;
use paywright_app::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CLIENT, ORDERS, Service};

const TRAIL: &str = "/api/v1/shop/audit_entries";
const ENDPOINTS: &str = "/api/v1/shop/webhook_endpoints";

async fn trail(service: &Service, query: &str) -> Value {
    let answer = service.call(Method::GET, &format!("{TRAIL}{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].clone()
}

fn acts(page: &Value) -> Vec<(&str, &str)> {
    let entries = page["audit_entries"].as_array().unwrap();
    entries.iter().map(|it| (it["act"].as_str().unwrap(), it["subject"].as_str().unwrap())).collect()
}

#[actix_web::test]
async fn an_act_is_shown_with_who_did_it_from_where_and_by_which_request() {
    let (service, _) = Service::open().await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    let till = service.key_with(7, &[Scope::OrdersWrite]).await;
    let headers =
        [("x-api-key", till.as_str()), ("x-request-id", "till-1.canceled"), ("content-type", "application/json")];
    let canceled = service.send(Method::POST, &format!("{ORDERS}/{order}/cancel"), &headers, b"{}").await;
    assert_eq!(canceled.status, 200, "{canceled:?}");
    let page = trail(&service, &format!("?subject={order}")).await;
    let entry = &page["audit_entries"][0];
    assert_eq!(page["audit_entries"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(entry["act"], "cancellation.requested");
    assert_eq!(entry["what"], "cancellation");
    assert_eq!(entry["actor"], json!({ "kind": "api_key", "key": Uuid::from_u128(7), "key_name": "shop" }));
    assert_eq!((&entry["address"], &entry["request_id"]), (&json!(CLIENT), &json!("till-1.canceled")));
    assert_eq!(acts(&trail(&service, &format!("?key={}", Uuid::from_u128(7))).await), acts(&page));
    assert_eq!(acts(&trail(&service, &format!("?key={}", Uuid::from_u128(8))).await), []);
}

#[actix_web::test]
async fn changes_of_endpoints_are_listed_newest_first_by_page() {
    let (service, _) = Service::open().await;
    let body = json!({ "url": "https://example.com/secret-path", "description": "x" });
    let made = service.call(Method::POST, ENDPOINTS, &body).await;
    let id = made.body["data"]["id"].as_str().unwrap().to_owned();
    let path = format!("{ENDPOINTS}/{id}");
    for (method, below, body) in [
        (Method::PATCH, "", json!({ "description": "y" })),
        (Method::PATCH, "", json!({ "description": "y" })),
        (Method::POST, "/rotate_secret", json!({ "overlap_seconds": 60 })),
        (Method::POST, "/disable", Value::Null),
        (Method::POST, "/enable", Value::Null),
        (Method::POST, "/replay", json!({ "after": 0 })),
        (Method::POST, "/test", Value::Null),
        (Method::DELETE, "", Value::Null),
    ] {
        let answer = service.call(method, &format!("{path}{below}"), &body).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    let all = trail(&service, &format!("?subject={id}")).await;
    let expected = ["deleted", "test_begun", "replayed", "enabled", "disabled", "secret_rotated", "changed", "created"];
    let expected: Vec<_> = expected.iter().map(|it| format!("webhook_endpoint.{it}")).collect();
    assert_eq!(acts(&all).iter().map(|it| it.0).collect::<Vec<_>>(), expected);
    assert_eq!(all["audit_entries"][6]["what"], "description changed, at example.com");
    assert!(!all.to_string().contains("secret-path"), "a URL may have a secret: {all}");
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = trail(&service, &format!("?subject={id}&limit=3{cursor}")).await;
        found.extend(page["audit_entries"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(found), all["audit_entries"]);
}

#[actix_web::test]
async fn the_audit_trail_requires_a_scope_of_its_own_and_no_customer_reads_it() {
    let (service, _) = Service::open().await;
    let others: Vec<_> = Scope::ALL.into_iter().filter(|it| *it != Scope::AuditRead).collect();
    let (others, reader) = (service.key_with(2, &others).await, service.key_with(3, &[Scope::AuditRead]).await);
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    for (headers, status, code) in [
        (vec![("x-api-key", others.as_str())], 403, "scope_missing"),
        (vec![("x-api-key", reader.as_str()), ("authorization", &bearer)], 403, "bearer_not_allowed"),
        (vec![], 401, "api_key_missing"),
    ] {
        let answer = service.send(Method::GET, TRAIL, &headers, b"").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    }
    let read = service.send(Method::GET, TRAIL, &[("x-api-key", reader.as_str())], b"").await;
    assert_eq!(read.status, 200, "{read:?}");
}
