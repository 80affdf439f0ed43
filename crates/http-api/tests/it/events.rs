//! Feed of events, over HTTP.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use paywright_app::{FeedRetention, Scope};
use paywright_domain::books::PayoutStatus;
use paywright_domain::fact::FeedEventType;
use paywright_testkit::MockGateway;
use paywright_testkit::account_event_contract::{account_at, add_account_events, found_break, payout};
use serde_json::{Value, json};

use crate::{Answer, NOW, ORDERS, Service};

const EVENTS: &str = "/api/v1/shop/events";

async fn read(service: &Service, query: &str) -> Answer {
    service.call(Method::GET, &format!("{EVENTS}{query}"), &Value::Null).await
}

/// Positions and types of the events in an answer.
fn listed(answer: &Answer) -> Vec<(u64, &str)> {
    let events = answer.body["data"]["events"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    events.iter().map(|it| (it["position"].as_u64().unwrap(), it["type"].as_str().unwrap())).collect()
}

/// Service with an order that was placed and canceled, and one that was placed, with their ids.
async fn with_events() -> (Service, Value, Value) {
    let service = Service::with(MockGateway::new()).await;
    let (first, second) = (service.placed().await, service.placed().await);
    let cancel = format!("{ORDERS}/{}/cancel", first["id"].as_str().unwrap());
    assert_eq!(service.call(Method::POST, &cancel, &Value::Null).await.status, 200);
    service.relay().await;
    (service, first, second)
}

#[actix_web::test]
async fn events_are_read_page_by_page_from_a_position() {
    let (service, first, second) = with_events().await;
    let all = read(&service, "").await;
    assert_eq!((all.status, &all.body["message"]), (200, &json!("Events")), "{all:?}");
    assert_eq!(listed(&all).iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&all.body["data"]["next"], &all.body["data"]["has_more"]), (&json!(3), &json!(false)));
    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let page = read(&service, &format!("?after={after}&limit=2")).await;
        pages.extend(page.body["data"]["events"].as_array().unwrap().clone());
        after = page.body["data"]["next"].as_u64().unwrap();
        if page.body["data"]["has_more"] == false {
            break;
        }
    }
    assert_eq!((&Value::from(pages), after), (&all.body["data"]["events"], 3));
    let of_first = read(&service, &format!("?order={}", first["number"].as_str().unwrap())).await;
    assert_eq!(listed(&of_first).iter().map(|it| it.1).collect::<Vec<_>>(), ["order.placed", "order.canceled"]);
    let placed = read(&service, "?types=order.placed,order.paid").await;
    assert_eq!(listed(&placed).len(), 2, "{placed:?}");
    let both = read(&service, &format!("?types=order.canceled&order={}", second["id"].as_str().unwrap())).await;
    assert_eq!((listed(&both).len(), &both.body["data"]["next"]), (0, &json!(3)));
}

/// Positions among the others, of no order.
#[actix_web::test]
async fn events_of_the_account_are_read_by_their_types() {
    let (service, first, _) = with_events().await;
    let account = account_at(NOW + 5);
    let paid = account.payout_changed(&payout("po_1", PayoutStatus::Paid)).unwrap();
    let subject = paid.subject.0;
    add_account_events(&*service.store, &[account.break_found(&found_break()), paid]).await;
    service.relay().await;
    let all = read(&service, "").await;
    assert_eq!(listed(&all)[3..], [(4, "books.break"), (5, "payout.paid")]);
    let payouts = read(&service, "?types=payout.paid,payout.failed").await;
    assert_eq!(listed(&payouts), [(5, "payout.paid")]);
    let event = &payouts.body["data"]["events"][0];
    assert_eq!((&event["order"], &event["version"]), (&Value::Null, &Value::Null));
    assert_eq!(event["data"]["payout"]["arrival_date"], "2025-04-02");
    let of_first = read(&service, &format!("?order={}", first["id"].as_str().unwrap())).await;
    assert_eq!(listed(&of_first).iter().map(|it| it.1).collect::<Vec<_>>(), ["order.placed", "order.canceled"]);
    let of_subject = read(&service, &format!("?order={subject}")).await;
    assert_eq!((of_subject.status, of_subject.code()), (404, "order_not_found"));
}

#[actix_web::test]
async fn an_event_has_the_order_as_it_was_at_that_version() {
    let (service, first, _) = with_events().await;
    let mut placed = first.clone();
    placed.as_object_mut().unwrap().remove("token").unwrap();
    let path = format!("{ORDERS}/{}", first["id"].as_str().unwrap());
    let canceled = service.call(Method::GET, &path, &Value::Null).await.body["data"].clone();
    let events = read(&service, &format!("?order={}", first["id"].as_str().unwrap())).await;
    let orders: Vec<_> =
        events.body["data"]["events"].as_array().unwrap().iter().map(|it| it["data"]["order"].clone()).collect();
    assert_eq!(orders, [placed, canceled]);
}

/// Time after which a wait of 30 seconds cannot have ended by itself.
const EARLY: Duration = Duration::from_secs(20);

#[actix_web::test]
async fn a_waiting_call_is_answered_once_there_is_an_event() {
    let (service, _, _) = with_events().await;
    let began = Instant::now();
    let place = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        service.placed().await;
        service.relay().await;
    };
    let (answer, ()) = tokio::join!(read(&service, "?after=3&wait=30"), place);
    assert_eq!(
        (listed(&answer).as_slice(), &answer.body["data"]["next"]),
        ([(4, "order.placed")].as_slice(), &json!(4))
    );
    assert!((Duration::from_millis(250)..EARLY).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_waiting_call_passes_events_of_other_types() {
    let (service, first, _) = with_events().await;
    let place = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let edit = format!("{ORDERS}/{}", service.placed().await["id"].as_str().unwrap());
        service.relay().await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        service.call(Method::PATCH, &edit, &json!({ "email": "ada@example.com" })).await;
        service.relay().await;
    };
    let began = Instant::now();
    let (answer, ()) = tokio::join!(read(&service, "?after=3&wait=30&types=order.edited"), place);
    assert_eq!(listed(&answer), [(5, "order.edited")], "{first}");
    assert!(began.elapsed() < EARLY, "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_wait_ends_with_its_time_and_with_the_shutdown() {
    let (service, _, _) = with_events().await;
    let began = Instant::now();
    let answer = read(&service, "?after=3&wait=1").await;
    assert_eq!((listed(&answer).len(), &answer.body["data"]["next"]), (0, &json!(3)));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    let began = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        service.api.shutdown.drain();
    };
    let (answer, ()) = tokio::join!(read(&service, "?after=3&wait=30"), stop);
    assert_eq!((answer.status, listed(&answer).len()), (200, 0));
    assert!(began.elapsed() < EARLY, "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_position_outside_the_feed_is_refused() {
    let (service, _, _) = with_events().await;
    let beyond = read(&service, "?after=4").await;
    assert_eq!((beyond.status, beyond.code()), (409, "cursor_beyond_end"), "{beyond:?}");
    assert_eq!(beyond.body["error"]["fields"][0]["field"], "after");
    assert!(beyond.text.contains("the last position is 3"), "{beyond:?}");
    service.clock.advance_seconds(60);
    service.placed().await;
    service.relay().await;
    let keep = FeedRetention { events_seconds: Some(30), attempts_seconds: None };
    while service.api.publisher.delete_old_events(keep).await.unwrap() {}
    let deleted = read(&service, "?after=2").await;
    assert_eq!((deleted.status, deleted.code()), (410, "events_deleted"), "{deleted:?}");
    assert_eq!(deleted.body["error"]["fields"][0]["field"], "after");
    assert!(deleted.text.contains("the first one kept is at position 4"), "{deleted:?}");
    for query in ["", "?after=3"] {
        assert_eq!(listed(&read(&service, query).await), [(4, "order.placed")]);
    }
}

#[actix_web::test]
async fn a_wrong_query_names_the_parameter() {
    let (service, _, _) = with_events().await;
    for (query, field) in [
        ("?after=x", "after"),
        ("?after=-1", "after"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?wait=31", "wait"),
        ("?types=order.payed", "types"),
        ("?types=", "types"),
        ("?since=1", "since"),
    ] {
        let refused = read(&service, query).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{query}: {refused:?}");
        assert_eq!(refused.body["error"]["fields"][0]["field"], field, "{query}: {refused:?}");
    }
    let unknown = read(&service, "?types=order.payed").await.body["error"]["detail"].to_string();
    assert!(unknown.contains("order.payed") && FeedEventType::ALL.iter().all(|it| unknown.contains(it.name())));
    for query in ["?types=", "?types=order.paid,", "?types=,order.paid"] {
        let refused = read(&service, query).await;
        assert!(refused.text.contains("has an empty item"), "{query}: {refused:?}");
    }
    for (query, status, code) in
        [("?order=x", 400, "order_id_malformed"), ("?order=ORD-20250331-ZZZZZZ", 404, "order_not_found")]
    {
        let refused = read(&service, query).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{refused:?}");
    }
}

#[actix_web::test]
async fn the_feed_is_for_applications_with_its_scope() {
    let (service, first, _) = with_events().await;
    let other = service.key_with(2, &[Scope::OrdersRead, Scope::WebhooksRead]).await;
    let refused = service.send(Method::GET, EVENTS, &[("x-api-key", &other)], b"").await;
    assert_eq!((refused.status, refused.code()), (403, "scope_missing"));
    let own = service.key_with(3, &[Scope::EventsRead]).await;
    for token in [service.token("cus-ada"), first["token"].as_str().unwrap().to_owned()] {
        let headers = [("x-api-key", own.as_str()), ("authorization", &format!("Bearer {token}"))];
        let refused = service.send(Method::GET, EVENTS, &headers, b"").await;
        assert_eq!((refused.status, refused.code()), (403, "bearer_not_allowed"));
    }
    assert_eq!(service.send(Method::GET, EVENTS, &[("x-api-key", &own)], b"").await.status, 200);
}
