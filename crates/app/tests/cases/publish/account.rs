//! Events of the account, in the feed and as webhooks.

use paywright_app::EndpointFormat;
use paywright_domain::books::PayoutStatus;
use paywright_testkit::account_event_contract::{account_at, add_account_events, found_break, payout};

use super::*;

#[tokio::test]
async fn an_event_of_the_account_is_about_no_order() {
    let it = Published::open().await;
    it.endpoint(&[FeedEventType::PayoutPaid, FeedEventType::BooksBreak]).await;
    it.shop.placed().await;
    let account = account_at(1_743_415_060);
    let paid = account.payout_changed(&payout("po_1", PayoutStatus::Paid)).unwrap();
    let failed = account.payout_changed(&payout("po_1", PayoutStatus::Failed)).unwrap();
    let events = [paid, failed, account.break_found(&found_break())];
    add_account_events(&*it.store, &events).await;
    it.deliver().await;
    let feed = it.feed().await;
    assert_eq!(positions(&feed), [1, 2, 3, 4]);
    let mut sent = it.sender.sent();
    sent.sort_by_key(type_of);
    assert_eq!(sent.iter().map(type_of).collect::<Vec<_>>(), ["books.break", "payout.paid"]);
    for webhook in &sent {
        let event = feed.iter().find(|event| event.id() == webhook.id).unwrap();
        assert_eq!(webhook.body, event.to_json());
        let body = json(webhook);
        assert_eq!((&body["order"], &body["version"], &body["livemode"]), (&().into(), &().into(), &false.into()));
        assert_eq!(body["timestamp"], "2025-03-31T09:57:40Z");
    }
    assert_eq!(json(&sent[0])["data"]["break"]["difference"], "-0.01");
    assert_eq!(json(&sent[1])["data"]["payout"]["amount"], "101.62");
}

/// The queue of its subject goes on to the end without a webhook.
#[tokio::test]
async fn an_event_of_the_account_becomes_nothing_in_another_format() {
    let it = Published::open().await;
    let new = NewEndpoint {
        format: EndpointFormat::Spree,
        subscriptions: vec!["*".to_owned()],
        ..NewEndpoint::at(EndpointUrl::parse("https://books.example/spree").unwrap())
    };
    let id = it.publisher.create_endpoint(new).await.unwrap().endpoint.endpoint.value.id;
    let event = account_at(1_743_415_060).break_found(&found_break());
    add_account_events(&*it.store, &[event]).await;
    it.deliver().await;
    assert_eq!(it.sent(), [""; 0]);
    let (stored, waiting) = it.publisher.endpoint_with_waiting(id).await.unwrap();
    assert_eq!((stored.reached(), waiting.count), (Some(Position(1)), 0));
}

#[tokio::test]
async fn a_resent_event_of_the_account_has_the_same_id_and_no_order() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let event = account_at(1_743_415_060).break_found(&found_break());
    add_account_events(&*it.store, std::slice::from_ref(&event)).await;
    it.deliver().await;
    it.shop.clock.advance_seconds(1);
    it.publisher.resend_event(endpoint.endpoint.value.id, Position(1)).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sender.sent().iter().map(|it| it.id).collect::<Vec<_>>(), [event.id; 2]);
    let query = AttemptQuery { endpoint: endpoint.endpoint.value.id, older_than: None, outcome: None, limit: 10 };
    let attempts = it.publisher.attempts(query).await.unwrap();
    let shown: Vec<_> = attempts.iter().map(|it| (it.position(), it.order(), it.kind.as_str())).collect();
    assert_eq!(shown, [(Some(Position(1)), None, "books.break"); 2]);
}
