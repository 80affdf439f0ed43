//! Endpoints in Spree's format: an event is sent in several parts.

use paywright_app::EndpointFormat;

use super::*;

const URL: &str = "https://books.example/spree";

impl Published {
    /// Subscriber of these names, in the format of the tests.
    async fn subscriber(&self, names: &[&str], is_enabled: bool) -> EndpointId {
        let new = NewEndpoint {
            format: EndpointFormat::Spree,
            subscriptions: names.iter().map(|it| (*it).to_owned()).collect(),
            is_enabled,
            ..NewEndpoint::at(EndpointUrl::parse(URL).unwrap())
        };
        self.publisher.create_endpoint(new).await.unwrap().endpoint.endpoint.value.id
    }

    async fn position(&self, id: EndpointId) -> Option<Position> {
        self.publisher.endpoint(id).await.unwrap().reached()
    }
}

const PARTS: [&str; 3] = ["order.paid.0", "order.paid.1", "order.paid.2"];

#[tokio::test]
async fn the_parts_of_an_event_arrive_in_their_order_each_with_an_id_of_its_own() {
    let it = Published::open().await;
    it.subscriber(&PARTS, true).await;
    it.endpoint(&[FeedEventType::OrderPaid]).await;
    it.shop.paid().await;
    it.deliver().await;
    let (spree, standard): (Vec<_>, Vec<_>) =
        it.sender.sent().into_iter().partition(|it| it.format == EndpointFormat::Spree);
    assert_eq!(spree.iter().map(type_of).collect::<Vec<_>>(), PARTS);
    assert_eq!(standard.iter().map(type_of).collect::<Vec<_>>(), ["order.paid"]);
    let events = it.feed().await;
    let paid = events.iter().find(|it| it.kind == FeedEventType::OrderPaid).unwrap();
    let ids: Vec<_> = spree.iter().map(|it| it.id).collect();
    assert_eq!(ids, [0, 1, 2].map(|index| paid.part_id(index)));
    assert!(!ids.contains(&paid.id()) && standard[0].id == paid.id());
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again_and_those_before_it_are_not() {
    let it = Published::open().await;
    let id = it.subscriber(&["order.paid.0", "order.paid.2"], true).await;
    it.shop.paid().await;
    it.sender.will([ScriptedSender::answer(200), ScriptedSender::answer(500), ScriptedSender::answer(500)]);
    it.deliver().await;
    assert_eq!(it.sent(), ["order.paid.0", "order.paid.2"]);
    for _ in 0..2 {
        it.shop.clock.advance_seconds(HOUR);
        it.deliver().await;
    }
    assert_eq!(it.sent(), ["order.paid.0", "order.paid.2", "order.paid.2", "order.paid.2"]);
    let stored = it.publisher.endpoint(id).await.unwrap();
    let part = |index: usize| PARTS[index].to_owned();
    let expected =
        [(part(2), 3, "delivered"), (part(2), 2, "retried"), (part(2), 1, "retried"), (part(0), 1, "delivered")];
    assert_eq!(it.attempts(&stored).await, expected);
    let sent = it.sender.sent();
    assert!(sent[1..].iter().all(|it| it.id == sent[1].id && it.id != sent[0].id), "each attempt has the part's id");
}

#[tokio::test]
async fn an_event_is_sent_again_in_all_its_parts() {
    let it = Published::open().await;
    let id = it.subscriber(&["*"], true).await;
    it.shop.paid().await;
    it.deliver().await;
    let first = it.sent();
    let events = it.feed().await;
    let paid = events.iter().find(|it| it.kind == FeedEventType::OrderPaid).unwrap();
    it.publisher.resend_event(id, paid.position).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent()[first.len()..], PARTS);
    it.publisher.replay_events(id, Position::START).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent()[first.len() + 3..], first);
}

#[tokio::test]
async fn an_endpoint_that_is_created_disabled_gets_the_events_from_its_first_enabling_on() {
    let it = Published::open().await;
    let id = it.subscriber(&["*"], false).await;
    it.shop.paid().await;
    it.deliver().await;
    assert_eq!((it.sent().len(), it.position(id).await), (0, None));
    it.publisher.enable_endpoint(id).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().len(), 0, "nothing of before is sent");
    it.shop.placed().await;
    it.deliver().await;
    assert_eq!(it.sent(), ["order.placed.0"]);
    it.publisher.disable_endpoint(id).await.unwrap();
    it.shop.placed().await;
    it.deliver().await;
    assert_eq!(it.sent().len(), 1);
    it.publisher.enable_endpoint(id).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().len(), 2, "what came while it was disabled is sent");
}

#[tokio::test]
async fn what_is_requested_of_an_endpoint_that_was_never_enabled_waits_for_it() {
    let it = Published::open().await;
    it.shop.placed().await;
    it.relay().await;
    let [resent, replayed] = [it.subscriber(&["*"], false).await, it.subscriber(&["*"], false).await];
    it.publisher.resend_event(resent, Position(1)).await.unwrap();
    it.publisher.replay_events(replayed, Position::START).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().len(), 0);
    for id in [resent, replayed] {
        it.publisher.enable_endpoint(id).await.unwrap();
        it.deliver().await;
    }
    assert_eq!(it.sent(), ["order.placed.0", "order.placed.0"]);
    it.shop.placed().await;
    it.deliver().await;
    assert_eq!(it.sent().len(), 4, "both go on");
}

/// An endpoint whose secret has the id of a key that such a process does not have.
#[tokio::test]
async fn a_process_that_does_not_know_the_format_sends_nothing() {
    let it = Published::open().await;
    let id = it.subscriber(&["*"], true).await;
    let key_id = it.publisher.endpoint(id).await.unwrap().endpoint.value.secret.key_id;
    assert_eq!(key_id, "key-1.spree");
    assert_eq!(it.publisher.warnings().await.unwrap(), Vec::<String>::new());
    let rotated = it.publisher.rotate_secret(id, 60).await.unwrap().endpoint.endpoint.value.secret;
    assert_eq!((rotated.key_id.as_str(), rotated.current), ("key-1.spree", 2));
    assert!(rotated.previous_until.is_some());
}

#[tokio::test]
async fn the_types_of_a_subscriber_change_with_its_subscriptions_alone() {
    let it = Published::open().await;
    let id = it.subscriber(&["*"], true).await;
    let edit = EndpointEdit { types: Some(Vec::new()), ..EndpointEdit::default() };
    let refused = it.publisher.update_endpoint(id, edit).await.unwrap_err();
    assert!(matches!(refused, EndpointError::TypesFollowSubscriptions), "{refused}");
    it.shop.paid().await;
    it.relay().await;
    let subscriptions = Some((vec!["order.paid.1".to_owned()], vec![FeedEventType::OrderPaid]));
    let edit = EndpointEdit { subscriptions, ..EndpointEdit::default() };
    it.publisher.update_endpoint(id, edit).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent(), ["order.paid.1"], "parts that wait are judged by the new names");
    let test = it.publisher.send_test_event(id).await.unwrap();
    assert_eq!((test.kind.as_str(), test.outcome), ("webhook.test", AttemptOutcome::Delivered));
}
