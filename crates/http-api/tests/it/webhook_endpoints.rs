//! Endpoints of outgoing webhooks, over HTTP.

use actix_web::http::Method;
use paywright_app::{Scope, SendErrorClass};
use paywright_testkit::ScriptedSender;
use serde_json::{Value, json};

use crate::{Answer, Service};

const ENDPOINTS: &str = "/api/v1/shop/webhook_endpoints";
const URL: &str = "https://example.com/webhooks";

async fn get(service: &Service, path: &str) -> Answer {
    service.call(Method::GET, &format!("{ENDPOINTS}{path}"), &Value::Null).await
}

async fn post(service: &Service, path: &str, body: Value) -> Answer {
    service.call(Method::POST, &format!("{ENDPOINTS}{path}"), &body).await
}

/// Creates an endpoint. Gives its path below [`ENDPOINTS`], and the answer's data.
async fn create(service: &Service, body: Value) -> (String, Value) {
    let created = post(service, "", body).await;
    assert_eq!((created.status, &created.body["message"]), (201, &json!("Webhook endpoint created successfully")));
    let data = created.body["data"].clone();
    (format!("/{}", data["id"].as_str().unwrap()), data)
}

/// Delivers all that is due.
async fn deliver(service: &Service) {
    service.relay().await;
    while service.api.publisher.run_deliveries().await.unwrap() > 0 {}
}

/// Types of the webhooks that were sent.
fn sent(service: &Service) -> Vec<String> {
    let kind = |it: &str| serde_json::from_str::<Value>(it).unwrap()["type"].as_str().unwrap().to_owned();
    service.sender.sent().iter().map(|it| kind(&it.body)).collect()
}

#[actix_web::test]
async fn an_endpoint_is_created_read_listed_changed_and_deleted() {
    let (service, _) = Service::open().await;
    let (path, created) = create(&service, json!({ "url": URL })).await;
    let mut expected = json!({
        "id": &path[1..], "url": URL, "description": "", "types": ["*"], "status": "enabled", "disabled_reason": null,
        "disabled_at": null, "failing_since": null, "format": "standard", "position": 0, "created_at": "2025-03-31T09:57:30Z",
        "previous_secret_until": null, "secret": created["secret"],
    });
    assert_eq!(created, expected);
    assert!(created["secret"].as_str().unwrap().starts_with("whsec_"));
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(get(&service, "").await.body["data"], json!({ "endpoints": [expected], "next_cursor": null }));
    let mut read = expected.clone();
    read["waiting"] = json!({ "orders": 0, "next_attempt_at": null });
    assert_eq!(get(&service, &path).await.body["data"], read);

    let edit = json!({ "description": "Warehouse", "types": ["order.paid", "refund.changed"] });
    let changed = service.call(Method::PATCH, &format!("{ENDPOINTS}{path}"), &edit).await;
    expected["description"] = json!("Warehouse");
    expected["types"] = json!(["order.paid", "refund.changed"]);
    assert_eq!((changed.status, &changed.body["data"]), (200, &expected));
    let all = service.call(Method::PATCH, &format!("{ENDPOINTS}{path}"), &json!({ "types": ["*"] })).await;
    assert_eq!((&all.body["data"]["types"], &all.body["data"]["description"]), (&json!(["*"]), &json!("Warehouse")));

    let deleted = service.call(Method::DELETE, &format!("{ENDPOINTS}{path}"), &Value::Null).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    let gone = get(&service, &path).await;
    assert_eq!((gone.status, gone.code()), (404, "webhook_endpoint_not_found"));
}

#[actix_web::test]
async fn a_list_of_endpoints_is_paged_by_its_cursor() {
    let (service, _) = Service::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(create(&service, json!({ "url": URL })).await.1["id"].clone());
    }
    let (mut query, mut pages) = ("?limit=2".to_owned(), Vec::new());
    loop {
        let page = get(&service, &query).await.body["data"].clone();
        pages.push(page["endpoints"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!((pages.concat(), pages.len()), (ids, 3));
}

#[actix_web::test]
async fn a_rotation_gives_a_new_secret_and_says_how_long_the_previous_one_signs() {
    let (service, _) = Service::open().await;
    let (path, created) = create(&service, json!({ "url": URL })).await;
    let rotated = post(&service, &format!("{path}/rotate_secret"), Value::Null).await;
    assert_eq!((rotated.status, &rotated.body["data"]["previous_secret_until"]), (200, &json!("2025-04-01T09:57:30Z")));
    assert_ne!(rotated.body["data"]["secret"], created["secret"]);
    let read = get(&service, &path).await.body["data"].clone();
    assert_eq!((read.get("secret"), &read["previous_secret_until"]), (None, &json!("2025-04-01T09:57:30Z")));
    service.clock.advance_seconds(86_400);
    assert_eq!(get(&service, &path).await.body["data"]["previous_secret_until"], Value::Null);
    let at_once = post(&service, &format!("{path}/rotate_secret"), json!({ "overlap_seconds": 0 })).await;
    assert_eq!(at_once.body["data"]["previous_secret_until"], Value::Null);
}

#[actix_web::test]
async fn a_disabled_endpoint_gets_what_it_missed_once_it_is_enabled() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    let disabled = post(&service, &format!("{path}/disable"), Value::Null).await.body["data"].clone();
    assert_eq!((&disabled["status"], &disabled["disabled_reason"]), (&json!("disabled"), &json!("requested")));
    assert_eq!(disabled["disabled_at"], "2025-03-31T09:57:30Z");
    service.placed().await;
    deliver(&service).await;
    assert_eq!(sent(&service), [""; 0]);
    let waiting = get(&service, &path).await.body["data"]["waiting"].clone();
    assert_eq!(waiting, json!({ "orders": 1, "next_attempt_at": null }));
    let enabled = post(&service, &format!("{path}/enable"), Value::Null).await.body["data"].clone();
    assert_eq!((&enabled["status"], &enabled["disabled_at"]), (&json!("enabled"), &Value::Null));
    deliver(&service).await;
    assert_eq!(sent(&service), ["order.placed"]);
    assert_eq!(get(&service, &path).await.body["data"]["position"], 1);
}

#[actix_web::test]
async fn a_failing_endpoint_shows_what_waits_and_gets_it_once_it_is_enabled() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    service.sender.will([ScriptedSender::answer(500), ScriptedSender::answer(500)]);
    for _ in 0..2 {
        service.placed().await;
    }
    deliver(&service).await;
    let read = get(&service, &path).await.body["data"].clone();
    assert_eq!(read["waiting"], json!({ "orders": 2, "next_attempt_at": "2025-03-31T09:57:35Z" }));
    assert_eq!(read["failing_since"], "2025-03-31T09:57:30Z");
    service.clock.advance_seconds(3600);
    let warned = async || {
        let ready = service.send(Method::GET, "/readyz?verbose", &[], b"").await;
        ready.body["warnings"].as_array().unwrap().clone()
    };
    assert!(warned().await[0].as_str().unwrap().contains("accepts nothing since 2025-03-31T09:57:30Z"));
    let enabled = post(&service, &format!("{path}/enable"), Value::Null).await.body["data"].clone();
    assert_eq!((enabled["failing_since"].as_str(), enabled.get("waiting")), (Some("2025-03-31T09:57:30Z"), None));
    deliver(&service).await;
    // What is stored is read every five seconds at most.
    service.clock.advance_seconds(5);
    assert_eq!(warned().await, [Value::Null; 0]);
    assert_eq!(sent(&service).len(), 4);
    assert_eq!(get(&service, &path).await.body["data"]["waiting"]["orders"], 0);
}

#[actix_web::test]
async fn a_test_event_is_answered_with_its_attempt() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    service.sender.will([ScriptedSender::answer(204), ScriptedSender::error(SendErrorClass::Timeout)]);
    let sent_at = "2025-03-31T09:57:30Z";
    let first = post(&service, &format!("{path}/test"), Value::Null).await;
    let event = first.body["data"]["event"].clone();
    let expected = json!({ "event": event, "type": "webhook.test", "position": null, "order": null, "number": 1,
        "at": sent_at, "duration_ms": 3, "status": 204, "error": null, "answer": "", "outcome": "delivered" });
    assert_eq!((first.status, &first.body["data"]), (200, &expected));
    let second = post(&service, &format!("{path}/test"), Value::Null).await;
    let failed = &second.body["data"];
    assert_eq!((second.status, &failed["status"], &failed["error"]), (200, &Value::Null, &json!("timeout")));
    assert_eq!((&failed["outcome"], &failed["answer"]), (&json!("failed"), &json!("scripted: timeout")));
    assert_eq!(sent(&service), ["webhook.test", "webhook.test"]);
    let listed = get(&service, &format!("{path}/attempts?outcome=delivered")).await.body["data"].clone();
    assert_eq!(listed, json!({ "attempts": [expected], "next_cursor": null }));
}

#[actix_web::test]
async fn one_event_is_sent_again_and_all_are_after_a_position() {
    let (service, _) = Service::open().await;
    for _ in 0..2 {
        service.placed().await;
    }
    service.relay().await;
    let (path, created) = create(&service, json!({ "url": URL, "after": 1 })).await;
    assert_eq!(created["position"], 1);
    deliver(&service).await;
    assert_eq!(service.sender.sent().len(), 1);
    let again = post(&service, &format!("{path}/resend"), json!({ "position": 1 })).await;
    assert_eq!((again.status, &again.body["data"]), (202, &json!({ "position": 1 })));
    deliver(&service).await;
    assert_eq!(service.sender.sent().len(), 2);
    let replayed = post(&service, &format!("{path}/replay"), json!({ "after": 0 })).await;
    assert_eq!((replayed.status, &replayed.body["data"]["position"]), (202, &json!(0)));
    deliver(&service).await;
    let ids: Vec<_> = service.sender.sent().iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids[2..].contains(&ids[0]) && ids[2..].contains(&ids[1]), "the ids are the same: {ids:?}");
}

#[actix_web::test]
async fn an_event_that_waits_is_not_sent_again_and_the_answer_says_when_it_is() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    service.sender.will([ScriptedSender::answer(500)]);
    service.placed().await;
    deliver(&service).await;
    let resend = async || post(&service, &format!("{path}/resend"), json!({ "position": 1 })).await;
    let refused = resend().await;
    assert_eq!((refused.status, refused.code()), (409, "event_still_waits"));
    assert!(refused.text.contains("its next attempt is at 2025-03-31T09:57:35Z"), "{refused:?}");
    post(&service, &format!("{path}/disable"), Value::Null).await;
    let refused = resend().await;
    assert_eq!((refused.status, refused.code()), (409, "event_still_waits"));
    assert!(refused.text.contains("once it is enabled"), "{refused:?}");
}

#[actix_web::test]
async fn attempts_are_paged_from_the_newest_on() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    for status in [200, 500, 204, 404, 200] {
        service.sender.will([ScriptedSender::answer(status)]);
        assert_eq!(post(&service, &format!("{path}/test"), Value::Null).await.status, 200);
        service.clock.advance_seconds(1);
    }
    let (mut query, mut pages) = ("?limit=2".to_owned(), Vec::new());
    loop {
        let page = get(&service, &format!("{path}/attempts{query}")).await.body["data"].clone();
        let statuses = page["attempts"].as_array().unwrap().iter().map(|it| it["status"].as_u64().unwrap());
        pages.push(statuses.collect::<Vec<_>>());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(pages, [vec![200, 404], vec![204, 500], vec![200]]);
    let failed = get(&service, &format!("{path}/attempts?outcome=failed")).await.body["data"].clone();
    assert_eq!(failed["attempts"].as_array().unwrap().len(), 2);
}

/// Each refusal has a code and names its field.
#[actix_web::test]
async fn a_refused_call_names_its_field_and_changes_nothing() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    service.placed().await;
    service.relay().await;
    let before = get(&service, "").await.body;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "url": URL });
        body[field] = value;
        body
    };
    let invalid = "invalid_webhook_endpoint";
    for (to, body, status, code, field, says) in [
        ("", json!({}), 422, invalid, "url", "is missing"),
        ("", with("url", json!("example.com/x")), 422, invalid, "url", "must be an absolute URL"),
        ("", with("url", json!("ftp://example.com/x")), 422, invalid, "url", "must begin with https://"),
        ("", with("url", json!("https://example.com")), 422, invalid, "url", "must have a path"),
        ("", with("url", json!("https://u:p@example.com/x")), 422, invalid, "url", "no user name and no password"),
        ("", with("url", json!("https://example.com/x#y")), 422, invalid, "url", "must have no fragment"),
        ("", with("url", json!(format!("https://example.com/{}", "x".repeat(2048)))), 422, invalid, "url", "2048"),
        ("", with("url", json!("https://@example.com/x")), 422, invalid, "url", "no user name and no password"),
        ("", with("url", json!("https://example.com/x%0A")), 422, invalid, "url", "no control characters"),
        ("", with("url", json!("https://example..com/x")), 422, invalid, "url", "must have a host name"),
        ("", with("types", json!(["order.payed"])), 422, invalid, "types[0]", "unknown type"),
        ("", with("types", json!([])), 422, invalid, "types", "must name a type"),
        ("", with("types", json!(["*", "order.paid"])), 422, invalid, "types", "alone"),
        ("", with("types", json!(["order.paid", "order.paid"])), 422, invalid, "types", "once"),
        ("", with("types", json!("order.paid")), 422, invalid, "types", "must be an array"),
        ("", with("description", json!("x".repeat(201))), 422, invalid, "description", "at most 200"),
        ("", with("after", json!(-1)), 422, invalid, "after", "at least 0"),
        ("", with("after", json!(2)), 409, "cursor_beyond_end", "after", "the last position is 1"),
        ("", with("secret", json!("whsec_x")), 422, invalid, "secret", "is not a known field"),
        ("/rotate_secret", json!({ "overlap_seconds": 604_801 }), 422, invalid, "overlap_seconds", "0 to 604800"),
        ("/disable", json!({ "reason": "x" }), 422, invalid, "reason", "is not a known field"),
        ("/enable", json!({ "after": 1 }), 422, invalid, "after", "is not a known field"),
        ("/test", json!({ "type": "order.paid" }), 422, invalid, "type", "is not a known field"),
        ("/resend", json!({}), 422, invalid, "position", "is missing"),
        ("/resend", json!({ "position": 0 }), 404, "event_not_found", "position", "is not the position"),
        ("/resend", json!({ "position": 2 }), 404, "event_not_found", "position", "is not the position"),
        ("/replay", json!({ "after": 2 }), 409, "cursor_beyond_end", "after", "the last position is 1"),
    ] {
        let to = if to.is_empty() { String::new() } else { format!("{path}{to}") };
        let refused = post(&service, &to, body.clone()).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body}: {refused:?}");
        let first = &refused.body["error"]["fields"][0];
        assert_eq!(first["field"], field, "{body}: {refused:?}");
        assert!(first["problem"].as_str().unwrap().contains(says), "{body}: {refused:?}");
        assert_eq!(get(&service, "").await.body, before, "{body}");
    }
    service.sender.allows_no_url("must be https");
    for (method, to) in [(Method::POST, ENDPOINTS.to_owned()), (Method::PATCH, format!("{ENDPOINTS}{path}"))] {
        let refused = service.call(method, &to, &json!({ "url": "http://example.com/x" })).await;
        assert_eq!((refused.status, refused.code()), (422, "webhook_url_not_allowed"));
        assert_eq!(refused.body["error"]["fields"], json!([{ "field": "url", "problem": "must be https" }]));
    }
    assert_eq!(get(&service, "").await.body, before);
    for (to, status, code) in [
        ("/x", 400, "webhook_endpoint_id_malformed"),
        ("/00000000-0000-4000-8000-000000000000", 404, "webhook_endpoint_not_found"),
        ("/00000000-0000-4000-8000-000000000000/attempts", 404, "webhook_endpoint_not_found"),
    ] {
        let refused = get(&service, to).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{to}");
    }
    assert_eq!(service.sender.sent().len(), 0);
}

#[actix_web::test]
async fn without_a_key_of_the_service_no_endpoint_is_created() {
    let (service, _) = Service::sending_by(ScriptedSender::without_key()).await;
    let refused = post(&service, "", json!({ "url": URL })).await;
    assert_eq!((refused.status, refused.code()), (503, "webhooks_not_configured"), "{refused:?}");
    assert!(refused.text.contains("webhooks.secret_key"), "{refused:?}");
    assert_eq!(get(&service, "").await.body["data"]["endpoints"], json!([]));
}

#[actix_web::test]
async fn endpoints_are_for_applications_with_their_scopes() {
    let (service, _) = Service::open().await;
    let (path, _) = create(&service, json!({ "url": URL })).await;
    let (reader, writer) =
        (service.key_with(2, &[Scope::WebhooksRead]).await, service.key_with(3, &[Scope::WebhooksWrite]).await);
    for (key, method, to, expected) in [
        (&reader, Method::GET, path.clone(), 200),
        (&reader, Method::GET, format!("{path}/attempts"), 200),
        (&reader, Method::POST, format!("{path}/disable"), 403),
        (&writer, Method::GET, path.clone(), 403),
        (&writer, Method::POST, format!("{path}/disable"), 200),
    ] {
        let to = format!("{ENDPOINTS}{to}");
        let answer = service.send(method.clone(), &to, &[("x-api-key", key)], b"").await;
        assert_eq!(answer.status, expected, "{method} {to}: {answer:?}");
        let bearer = format!("Bearer {}", service.token("cus-ada"));
        let answer = service.send(method, &to, &[("x-api-key", key), ("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 403, "{to}");
    }
}
