//! The feed and outgoing webhooks, from the commit of an order to the answer of an endpoint.

mod account;
mod pages;
mod parts;
mod traces;

use std::sync::Arc;

use paywright_app::{
    Access, AttemptOutcome, AttemptQuery, Clock, DeliveryBatch, DisabledReason, EndpointEdit, EndpointError,
    EndpointId, EndpointState, EndpointUrl, Feed, FeedEvent, FeedPageError, FeedPageRequest, FeedRetention,
    NewEndpoint, NewSecret, OrderRef, OutgoingWebhook, Position, Publisher, PublisherPorts, SendErrorClass,
    StoredEndpoint,
};
use paywright_domain::Order;
use paywright_domain::fact::FeedEventType;
use paywright_testkit::{CountedIds, CountingWaker, HandClock, PartsFormat, ScriptedSender, edit_of_lines};
use secrecy::ExposeSecret;

use crate::{Kind, Shop};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// A shop with the publisher of its process.
struct Published {
    shop: Shop,
    store: Arc<Kind>,
    publisher: Publisher,
    sender: Arc<ScriptedSender>,
}

impl Published {
    async fn open() -> Self {
        let (store, guard) = crate::fresh_store().await;
        let shop = Shop::open_on(Arc::clone(&store), guard, paywright_app::Settings::default());
        let sender = Arc::new(ScriptedSender::default());
        let publisher = publisher(&store, &sender, &shop.clock);
        Self { shop, store, publisher, sender }
    }

    /// Publisher of another process on the same store.
    fn another(&self) -> Publisher {
        publisher(&self.store, &self.sender, &self.shop.clock)
    }

    /// Runs the relay until it has nothing to do.
    async fn relay(&self) {
        while self.publisher.run_feed().await.unwrap() {}
    }

    /// Runs the relay and the deliverer until nothing is due.
    async fn deliver(&self) {
        self.relay().await;
        let mut steps = 0;
        while self.publisher.run_deliveries().await.unwrap() > 0 {
            steps += 1;
            assert!(steps < 1000, "the deliverer never comes to an end");
        }
    }

    async fn endpoint(&self, types: &[FeedEventType]) -> StoredEndpoint {
        self.endpoint_at("https://books.example/webhooks", types).await
    }

    async fn endpoint_at(&self, url: &str, types: &[FeedEventType]) -> StoredEndpoint {
        let url = EndpointUrl::parse(url).unwrap();
        let new = NewEndpoint { types: types.to_vec(), ..NewEndpoint::at(url) };
        self.publisher.create_endpoint(new).await.unwrap().endpoint
    }

    async fn feed(&self) -> Vec<FeedEvent> {
        let request = FeedPageRequest { after: None, limit: 100, types: Vec::new(), order: None };
        self.publisher.feed_page(request).await.unwrap().events
    }

    /// Types and orders of the webhooks that were sent so far.
    fn sent(&self) -> Vec<String> {
        self.sender.sent().iter().map(type_of).collect()
    }

    async fn attempts(&self, endpoint: &StoredEndpoint) -> Vec<(String, u32, &'static str)> {
        let query = AttemptQuery { endpoint: endpoint.endpoint.value.id, older_than: None, outcome: None, limit: 100 };
        let attempts = self.publisher.attempts(query).await.unwrap();
        attempts.into_iter().map(|it| (it.kind, it.number, it.outcome.name())).collect()
    }
}

fn publisher(store: &Arc<Kind>, sender: &Arc<ScriptedSender>, clock: &Arc<HandClock>) -> Publisher {
    publisher_of(Arc::<Kind>::clone(store), store, sender, clock)
}

/// Publisher of another feed than that of its store.
fn publisher_of(
    feed: Arc<dyn Feed>,
    store: &Arc<Kind>,
    sender: &Arc<ScriptedSender>,
    clock: &Arc<HandClock>,
) -> Publisher {
    Publisher::new(PublisherPorts {
        feed,
        endpoints: Arc::<Kind>::clone(store),
        sender: Arc::<ScriptedSender>::clone(sender),
        spree_format: Arc::new(PartsFormat),
        clock: Arc::<HandClock>::clone(clock),
        ids: Arc::new(CountedIds::default()),
        waker: Arc::new(CountingWaker::default()),
    })
}

fn json(webhook: &OutgoingWebhook) -> serde_json::Value {
    serde_json::from_str(&webhook.body).unwrap()
}

fn type_of(webhook: &OutgoingWebhook) -> String {
    json(webhook)["type"].as_str().unwrap().to_owned()
}

fn types(events: &[FeedEvent]) -> Vec<&'static str> {
    events.iter().map(|it| it.kind.name()).collect()
}

fn positions(events: &[FeedEvent]) -> Vec<u64> {
    events.iter().map(|it| it.position.0).collect()
}

#[tokio::test]
async fn a_sale_is_told_in_the_order_in_which_it_happened() {
    let it = Published::open().await;
    let order = it.shop.paid().await;
    it.relay().await;
    let events = it.feed().await;
    assert_eq!(
        types(&events),
        ["order.placed", "payment_intent.created", "payment_intent.changed", "order.paid"],
        "requests to Stripe are internal"
    );
    assert_eq!(positions(&events), [1, 2, 3, 4]);
    assert!(events.iter().all(|event| event.of_order().is_some_and(|it| it.order == order.id)));
    assert!(events.is_sorted_by_key(|event| event.reference().version));
}

#[tokio::test]
async fn an_event_shows_the_order_as_it_was_then() {
    let it = Published::open().await;
    let order = it.shop.placed().await;
    it.shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, edit_of_lines(700)).await.unwrap();
    it.relay().await;
    let events: Vec<serde_json::Value> =
        it.feed().await.iter().map(|event| serde_json::from_str(&event.to_json()).unwrap()).collect();
    let amounts: Vec<_> = events.iter().map(|event| event["data"]["order"]["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, [order.total.to_decimal().as_str(), "7.00"]);
    assert_eq!(events[0]["data"]["order"]["email"], "ada@example.com");
    assert_eq!(events[1]["data"]["amount_before"], order.total.to_decimal());
    assert_eq!((&events[1]["position"], &events[1]["version"]), (&2.into(), &2.into()));
}

#[tokio::test]
async fn the_id_of_an_event_follows_from_its_fact() {
    let it = Published::open().await;
    it.shop.paid().await;
    it.relay().await;
    let (first, again) = (it.feed().await, it.feed().await);
    let ids: std::collections::BTreeSet<_> = first.iter().map(FeedEvent::id).collect();
    assert_eq!(ids.len(), first.len(), "each event has an id of its own");
    assert_eq!(first, again);
}

/// The relay dies after the commit, or after it has leased the feed: another process goes on.
#[tokio::test]
async fn facts_of_a_process_that_died_get_their_positions_from_another() {
    let it = Published::open().await;
    it.shop.paid().await;
    it.publisher.run_feed().await.unwrap();
    it.shop.paid().await;
    let other = it.another();
    other.run_feed().await.unwrap();
    assert_eq!(positions(&it.feed().await), [1, 2, 3, 4], "the first process has the lease");
    it.shop.clock.advance_seconds(60);
    other.run_feed().await.unwrap();
    assert_eq!(positions(&it.feed().await), [1, 2, 3, 4, 5, 6, 7, 8]);
    it.publisher.run_feed().await.unwrap();
    assert_eq!(it.feed().await.len(), 8, "nothing is put twice");
}

/// No time after an append is without a relay, whatever is left of its lease.
#[tokio::test]
async fn a_relay_appends_at_any_time_after_its_last_append() {
    for pause_seconds in [1, 14, 16, 19, 20, 21, 3600] {
        let it = Published::open().await;
        it.shop.placed().await;
        it.relay().await;
        it.shop.clock.advance_seconds(pause_seconds);
        it.shop.placed().await;
        it.relay().await;
        assert_eq!(it.feed().await.len(), 2, "{pause_seconds}");
    }
}

#[tokio::test]
async fn a_stopped_relay_leaves_the_feed_to_others_at_once() {
    let it = Published::open().await;
    it.shop.placed().await;
    it.publisher.run_feed().await.unwrap();
    assert!(it.publisher.is_relay());
    it.publisher.stop_feed().await.unwrap();
    it.shop.placed().await;
    let other = it.another();
    other.run_feed().await.unwrap();
    assert_eq!(it.feed().await.len(), 2);
    assert!(other.is_relay() && !it.publisher.is_relay());
}

#[tokio::test]
async fn pages_follow_each_other_and_refuse_positions_that_are_not_in_the_feed() {
    let it = Published::open().await;
    for _ in 0..3 {
        it.shop.placed().await;
    }
    it.relay().await;
    let page = |after: Option<u64>, limit| {
        let request = FeedPageRequest { after: after.map(Position), limit, types: Vec::new(), order: None };
        it.publisher.feed_page(request)
    };
    let first = page(None, 2).await.unwrap();
    assert_eq!((positions(&first.events), first.next, first.has_more), (vec![1, 2], Position(2), true));
    let last = page(Some(2), 2).await.unwrap();
    assert_eq!((positions(&last.events), last.next, last.has_more), (vec![3], Position(3), false));
    let empty = page(Some(3), 2).await.unwrap();
    assert_eq!((empty.events.len(), empty.next), (0, Position(3)));
    let refused = page(Some(4), 2).await.unwrap_err();
    assert!(matches!(refused, FeedPageError::BeyondEnd { last: Position(3) }), "{refused}");
}

#[tokio::test]
async fn a_page_of_a_type_or_an_order_goes_on_after_what_it_left_out() {
    let it = Published::open().await;
    let order = it.shop.paid().await;
    it.shop.placed().await;
    it.relay().await;
    let page = |types: Vec<FeedEventType>, order: Option<&Order>| {
        let request = FeedPageRequest { after: None, limit: 10, types, order: order.map(|it| it.id) };
        it.publisher.feed_page(request)
    };
    let placed = page(vec![FeedEventType::OrderPlaced], None).await.unwrap();
    assert_eq!((positions(&placed.events), placed.next), (vec![1, 5], Position(5)));
    let of_one = page(Vec::new(), Some(&order)).await.unwrap();
    assert_eq!((positions(&of_one.events), of_one.next), (vec![1, 2, 3, 4], Position(5)));
}

#[tokio::test]
async fn an_endpoint_gets_the_events_that_it_wants_from_its_creation_on() {
    let it = Published::open().await;
    it.shop.paid().await;
    it.relay().await;
    it.endpoint(&[FeedEventType::OrderPaid]).await;
    let order = it.shop.paid().await;
    it.deliver().await;
    let sent = it.sender.sent();
    assert_eq!(it.sent(), ["order.paid"]);
    let body = json(&sent[0]);
    assert_eq!(body["order"], order.id.to_string());
    assert_eq!(body["id"], sent[0].id.to_string());
    assert_eq!(body["data"]["order"]["status"], "paid");
    assert_eq!(sent[0].generations, [1]);
    it.deliver().await;
    assert_eq!(it.sent().len(), 1, "an accepted event is not sent again");
}

#[tokio::test]
async fn a_failing_order_holds_up_its_own_events_alone() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[FeedEventType::OrderPlaced, FeedEventType::OrderPaid]).await;
    let (first, second) = (it.shop.placed().await, it.shop.placed().await);
    let poisoned = first.id.to_string();
    it.sender.answers_by(move |webhook| {
        let is_poisoned = json(webhook)["order"] == poisoned.as_str();
        ScriptedSender::answer(if is_poisoned { 500 } else { 200 })
    });
    it.shop.pay(&first).await;
    it.shop.pay(&second).await;
    it.deliver().await;
    let mut orders: Vec<_> = it.sender.sent().iter().map(|it| (json(it)["order"].to_string(), type_of(it))).collect();
    orders.retain(|(order, _)| *order == format!("\"{}\"", second.id));
    assert_eq!(orders.iter().map(|(_, kind)| kind.as_str()).collect::<Vec<_>>(), ["order.placed", "order.paid"]);
    assert_eq!(it.sent().len(), 3, "the paid event of the first order waits for its placed event");
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    it.shop.clock.advance_seconds(5);
    it.deliver().await;
    assert_eq!(it.sent().len(), 5);
    let attempts = it.attempts(&endpoint).await;
    assert_eq!(attempts[1], ("order.placed".into(), 2, "delivered"), "{attempts:?}");
}

#[tokio::test]
async fn an_endpoint_that_has_not_answered_leaves_the_deliverer_to_others() {
    let it = Published::open().await;
    let busy = it.endpoint(&[FeedEventType::OrderPlaced]).await.endpoint.value.id;
    for _ in 0..40 {
        it.shop.placed().await;
    }
    it.relay().await;
    let other = it.endpoint(&[FeedEventType::OrderPlaced]).await.endpoint.value.id;
    it.shop.placed().await;
    it.relay().await;
    let (count, batches) = it.publisher.lease_deliveries(16).await.unwrap();
    assert_eq!((count, batches.iter().map(DeliveryBatch::webhooks).collect::<Vec<_>>()), (2, vec![1, 1]));
    let (count, _) = it.publisher.lease_deliveries(16).await.unwrap();
    assert_eq!(count, 0, "the other orders wait for the answers");
    for batch in batches {
        it.publisher.deliver(batch, |_| ()).await.unwrap();
    }
    let (count, batches) = it.publisher.lease_deliveries(16).await.unwrap();
    assert_eq!((count, batches.len()), (16, 1));
    drop(batches);
    it.shop.clock.advance_seconds(60);
    it.deliver().await;
    let sent_to = |id| it.sender.sent().iter().filter(|it| it.endpoint == id).count();
    assert_eq!((sent_to(busy), sent_to(other)), (41, 1));
}

/// Leases what may be sent now. Gives the number of webhooks to each endpoint, in the order of the endpoints.
async fn leased(it: &Published) -> (Vec<(EndpointId, usize)>, Vec<DeliveryBatch>) {
    let mut all = Vec::new();
    loop {
        let (count, batches) = it.publisher.lease_deliveries(16).await.unwrap();
        if count == 0 {
            break;
        }
        all.extend(batches);
    }
    let mut webhooks: Vec<_> = all.iter().map(|it| (it.endpoint(), it.webhooks())).collect();
    webhooks.sort_unstable();
    (webhooks, all)
}

/// The queues of many endpoints are filled in several steps.
#[tokio::test]
async fn the_deliverer_is_woken_after_each_step_that_fills_queues() {
    let it = Published::open().await;
    for _ in 0..25 {
        it.endpoint(&[FeedEventType::OrderPlaced]).await;
    }
    it.shop.placed().await;
    let waker = Arc::new(CountingWaker::default());
    let publisher = Publisher::new(PublisherPorts {
        feed: Arc::<Kind>::clone(&it.store),
        endpoints: Arc::<Kind>::clone(&it.store),
        sender: Arc::<ScriptedSender>::clone(&it.sender),
        spree_format: Arc::new(PartsFormat),
        clock: Arc::<HandClock>::clone(&it.shop.clock),
        ids: Arc::new(CountedIds::default()),
        waker: Arc::<CountingWaker>::clone(&waker),
    });
    assert!(publisher.run_feed().await.unwrap(), "20 endpoints at a time");
    assert_eq!(waker.deliverer_woken(), 1);
    assert!(!publisher.run_feed().await.unwrap());
    assert_eq!(waker.deliverer_woken(), 2);
    publisher.run_feed().await.unwrap();
    assert_eq!(waker.deliverer_woken(), 2, "nothing was filled");
}

/// Neither a new endpoint nor one that has answered before waits for the hanging ones.
#[tokio::test]
async fn many_endpoints_that_hang_delay_no_other_one() {
    let it = Published::open().await;
    let mut hanging = Vec::new();
    let prompt = it.endpoint(&[FeedEventType::OrderPlaced]).await.endpoint.value.id;
    it.shop.placed().await;
    it.deliver().await;
    for _ in 0..30 {
        hanging.push(it.endpoint(&[FeedEventType::OrderPlaced]).await.endpoint.value.id);
    }
    for _ in 0..4 {
        it.shop.placed().await;
    }
    let new = it.endpoint(&[FeedEventType::OrderPlaced]).await.endpoint.value.id;
    it.shop.placed().await;
    it.relay().await;
    let (webhooks, waiting) = leased(&it).await;
    let mut expected: Vec<_> = hanging.iter().map(|it| (*it, 1)).chain([(prompt, 5), (new, 1)]).collect();
    expected.sort_unstable();
    assert_eq!(webhooks, expected);
    // The answers of the two others come, and further events.
    let (answered, _unanswered): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|it| [prompt, new].contains(&it.endpoint()));
    for batch in answered {
        it.publisher.deliver(batch, |_| ()).await.unwrap();
    }
    it.shop.placed().await;
    it.relay().await;
    assert_eq!(leased(&it).await.0, [(prompt, 1), (new, 5)], "the endpoints that hang have their one webhook");
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_a_fresh_timestamp() {
    let it = Published::open().await;
    it.endpoint(&[]).await;
    it.shop.placed().await;
    it.sender.will([ScriptedSender::error(SendErrorClass::Timeout)]);
    it.deliver().await;
    it.shop.clock.advance_seconds(5);
    it.deliver().await;
    let sent = it.sender.sent();
    assert_eq!((sent.len(), sent[0].id, &sent[0].body), (2, sent[1].id, &sent[1].body));
    assert!(sent[0].at < sent[1].at);
}

#[tokio::test]
async fn an_event_is_given_up_after_its_last_attempt_and_can_be_sent_again() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let order = it.shop.placed().await;
    it.sender.answers_by(|webhook| ScriptedSender::answer(if type_of(webhook) == "order.placed" { 500 } else { 200 }));
    it.deliver().await;
    it.shop.pay(&order).await;
    for wait_seconds in [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR] {
        it.shop.clock.advance_seconds(wait_seconds);
        it.deliver().await;
    }
    let failed = it.attempts(&endpoint).await.into_iter().filter(|(_, _, outcome)| *outcome == "failed");
    assert_eq!(failed.collect::<Vec<_>>(), [("order.placed".into(), 10, "failed")]);
    assert_eq!(
        it.sent()[10..],
        ["payment_intent.created", "payment_intent.changed", "order.paid"],
        "the order goes on"
    );
    let id = endpoint.endpoint.value.id;
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    it.publisher.resend_event(id, Position(1)).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().last().unwrap(), "order.placed");
    assert_eq!(it.sent().len(), 14);
    let unknown = it.publisher.resend_event(id, Position(99)).await.unwrap_err();
    assert!(matches!(unknown, EndpointError::EventNotFound), "{unknown}");
}

#[tokio::test]
async fn a_resend_keeps_no_waiting_event_alive() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let order = it.shop.placed().await;
    it.deliver().await;
    it.sender.answers_by(|webhook| ScriptedSender::answer(if type_of(webhook) == "order.placed" { 200 } else { 500 }));
    it.shop.pay(&order).await;
    it.deliver().await;
    let id = endpoint.endpoint.value.id;
    for wait_seconds in [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR] {
        it.publisher.resend_event(id, Position(1)).await.unwrap();
        it.deliver().await;
        it.shop.clock.advance_seconds(wait_seconds);
        it.deliver().await;
    }
    let attempts = it.attempts(&endpoint).await;
    let failed: Vec<_> = attempts.iter().filter(|(_, _, outcome)| *outcome == "failed").collect();
    assert_eq!(failed, [&("payment_intent.created".into(), 10, "failed")]);
    assert_eq!(it.sent().iter().filter(|it| *it == "order.placed").count(), 10);
}

/// The walk through the due queues has passed the time since when the rest is due.
#[tokio::test]
async fn the_rest_of_a_queue_is_sent_at_once_after_a_resend() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let order = it.shop.placed().await;
    it.deliver().await;
    it.publisher.resend_event(endpoint.endpoint.value.id, Position(1)).await.unwrap();
    let (_, mut resending) = it.publisher.lease_deliveries(16).await.unwrap();
    it.shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, edit_of_lines(700)).await.unwrap();
    it.relay().await;
    it.shop.clock.advance_seconds(1);
    it.shop.placed().await;
    it.relay().await;
    it.shop.clock.advance_seconds(6);
    it.deliver().await;
    assert_eq!(it.sent(), ["order.placed", "order.placed"], "the edited order waits for its resend");
    it.publisher.deliver(resending.remove(0), |_| ()).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent()[2..], ["order.placed", "order.edited"]);
}

/// The waiting events go on, and so does the next request.
#[tokio::test]
async fn a_resend_is_given_up_after_its_last_attempt() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let order = it.shop.placed().await;
    it.deliver().await;
    it.sender.answers_by(|webhook| ScriptedSender::answer(if type_of(webhook) == "order.placed" { 500 } else { 200 }));
    let id = endpoint.endpoint.value.id;
    it.publisher.resend_event(id, Position(1)).await.unwrap();
    it.deliver().await;
    it.shop.pay(&order).await;
    it.deliver().await;
    assert_eq!(it.sent()[2..], ["payment_intent.created", "payment_intent.changed", "order.paid"]);
    it.publisher.resend_event(id, Position(4)).await.unwrap();
    for wait_seconds in [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR] {
        it.deliver().await;
        it.shop.clock.advance_seconds(wait_seconds);
    }
    assert_eq!(it.sent().len(), 5 + 8, "the second request waits for the first");
    it.deliver().await;
    assert_eq!(it.sent()[13..], ["order.placed", "order.paid"]);
    let attempts = it.attempts(&endpoint).await;
    let failed: Vec<_> = attempts.iter().filter(|(_, _, outcome)| *outcome == "failed").collect();
    assert_eq!(failed, [&("order.placed".into(), 10, "failed")]);
}

#[tokio::test]
async fn an_event_that_waits_is_not_sent_out_of_its_order() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    it.sender.answers_by(|_| ScriptedSender::answer(500));
    it.shop.paid().await;
    it.deliver().await;
    let id = endpoint.endpoint.value.id;
    for position in [1, 4] {
        let refused = it.publisher.resend_event(id, Position(position)).await.unwrap_err();
        let at = Some(it.shop.clock.now().plus_seconds(5));
        assert!(matches!(refused, EndpointError::EventStillWaits { next_attempt_at } if next_attempt_at == at));
    }
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    it.shop.clock.advance_seconds(5);
    it.deliver().await;
    assert_eq!(it.sent()[1..], ["order.placed", "payment_intent.created", "payment_intent.changed", "order.paid"]);
}

#[tokio::test]
async fn gone_disables_an_endpoint_and_nothing_is_lost() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[FeedEventType::OrderPlaced]).await;
    let id = endpoint.endpoint.value.id;
    it.sender.will([ScriptedSender::answer(410)]);
    it.shop.placed().await;
    it.deliver().await;
    let state = it.publisher.endpoint(id).await.unwrap().endpoint.value.state;
    assert!(matches!(state, EndpointState::Disabled { reason: DisabledReason::Gone, .. }), "{state:?}");
    it.shop.placed().await;
    it.shop.clock.advance_seconds(30 * DAY);
    it.deliver().await;
    assert_eq!(it.sent().len(), 1, "a disabled endpoint gets nothing");
    it.publisher.enable_endpoint(id).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().len(), 3, "the refused event and the one that came meanwhile");
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled_and_goes_on_where_it_stopped() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[FeedEventType::OrderPlaced]).await;
    it.sender.answers_by(|_| ScriptedSender::error(SendErrorClass::Connect));
    for _ in 0..6 {
        it.shop.placed().await;
        it.deliver().await;
        it.shop.clock.advance_seconds(DAY);
    }
    let id = endpoint.endpoint.value.id;
    let state = it.publisher.endpoint(id).await.unwrap().endpoint.value.state;
    assert!(matches!(state, EndpointState::Disabled { reason: DisabledReason::Failing, .. }), "{state:?}");
    let before = it.sent().len();
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    it.publisher.enable_endpoint(id).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent().len() - before, 6, "no event was given up within these days");
}

/// Warnings follow from what is stored: every process gives the same ones.
#[tokio::test]
async fn warnings_name_the_endpoints_that_get_no_events() {
    let it = Published::open().await;
    let wants = [FeedEventType::OrderPlaced];
    let (failing, gone) = (it.endpoint(&wants).await, it.endpoint_at("https://gone.example/x", &wants).await);
    it.sender.answers_by(|webhook| {
        let is_gone = webhook.url.host() == "gone.example";
        ScriptedSender::answer(if is_gone { 410 } else { 500 })
    });
    it.shop.placed().await;
    it.deliver().await;
    let [failing_id, gone_id] = [&failing, &gone].map(|it| it.endpoint.value.id);
    let warnings = it.publisher.warnings().await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with(&format!("Webhook endpoint {gone_id} at gone.example was disabled at")));
    assert!(warnings[0].contains("(gone)"), "{warnings:?}");
    it.shop.clock.advance_seconds(HOUR);
    let warnings = it.another().warnings().await.unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with(&format!("Webhook endpoint {failing_id} at books.example accepts nothing since")));
    it.publisher.delete_endpoint(gone_id).await.unwrap();
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    it.deliver().await;
    assert_eq!(it.publisher.warnings().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn warnings_name_ten_endpoints_and_count_the_rest() {
    let it = Published::open().await;
    for _ in 0..12 {
        it.endpoint(&[FeedEventType::OrderPlaced]).await;
    }
    it.sender.answers_by(|_| ScriptedSender::answer(410));
    it.shop.placed().await;
    it.deliver().await;
    let warnings = it.publisher.warnings().await.unwrap();
    assert_eq!((warnings.len(), warnings[10].starts_with("2 more webhook endpoints")), (11, true), "{warnings:?}");
}

#[tokio::test]
async fn an_enabled_endpoint_that_is_enabled_gets_what_waits_at_once() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[FeedEventType::OrderPlaced]).await;
    let id = endpoint.endpoint.value.id;
    it.sender.answers_by(|_| ScriptedSender::answer(500));
    for _ in 0..3 {
        it.shop.placed().await;
    }
    it.deliver().await;
    let (failing, waiting) = it.publisher.endpoint_with_waiting(id).await.unwrap();
    let next_attempt_at = Some(it.shop.clock.now().plus_seconds(5));
    assert_eq!((waiting.count, waiting.next_attempt_at), (3, next_attempt_at));
    assert!(failing.endpoint.value.failing.is_some());
    it.sender.answers_by(|_| ScriptedSender::answer(200));
    let enabled = it.publisher.enable_endpoint(id).await.unwrap();
    // Nothing has been accepted yet, and operators are warned on.
    assert_eq!(enabled.endpoint.value.failing, failing.endpoint.value.failing);
    it.deliver().await;
    assert_eq!(it.sent().len(), 6);
    let (accepting, waiting) = it.publisher.endpoint_with_waiting(id).await.unwrap();
    assert_eq!((waiting.count, waiting.next_attempt_at), (0, None));
    assert_eq!(accepting.endpoint.value.failing, None);
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation_and_one_after_it() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[FeedEventType::OrderPlaced]).await;
    let id = endpoint.endpoint.value.id;
    let NewSecret { secret, .. } = it.publisher.rotate_secret(id, HOUR).await.unwrap();
    assert!(secret.expose_secret().starts_with("whsec_"));
    it.shop.placed().await;
    it.deliver().await;
    it.shop.clock.advance_seconds(HOUR);
    it.shop.placed().await;
    it.deliver().await;
    it.publisher.rotate_secret(id, 0).await.unwrap();
    it.shop.placed().await;
    it.deliver().await;
    let generations: Vec<_> = it.sender.sent().into_iter().map(|it| it.generations).collect();
    assert_eq!(generations, [vec![2, 1], vec![2], vec![3]]);
}

#[tokio::test]
async fn a_replay_sends_every_event_again_in_order() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    it.shop.paid().await;
    it.deliver().await;
    it.publisher.replay_events(endpoint.endpoint.value.id, Position(2)).await.unwrap();
    it.deliver().await;
    let all = ["order.placed", "payment_intent.created", "payment_intent.changed", "order.paid"];
    assert_eq!(it.sent(), [all.as_slice(), &all[2..]].concat());
    let refused = it.publisher.replay_events(endpoint.endpoint.value.id, Position(99)).await.unwrap_err();
    assert!(matches!(refused, EndpointError::Position(FeedPageError::BeyondEnd { .. })), "{refused}");
}

#[tokio::test]
async fn a_test_event_is_sent_once_and_is_not_in_the_feed() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    it.sender.will([503, 410, 204].map(ScriptedSender::answer));
    let id = endpoint.endpoint.value.id;
    let refused = it.publisher.send_test_event(id).await.unwrap();
    assert_eq!((refused.outcome, refused.status), (AttemptOutcome::Failed, Some(503)));
    let gone = it.publisher.send_test_event(id).await.unwrap();
    assert_eq!((gone.outcome, gone.status), (AttemptOutcome::Failed, Some(410)));
    assert_eq!(it.publisher.endpoint(id).await.unwrap(), endpoint, "a test event changes nothing of its endpoint");
    assert_eq!(it.publisher.send_test_event(id).await.unwrap().outcome, AttemptOutcome::Delivered);
    it.deliver().await;
    assert_eq!(it.sent(), ["webhook.test"; 3]);
    assert_eq!(it.feed().await.len(), 0);
}

#[tokio::test]
async fn changed_types_decide_on_what_waits_already() {
    let it = Published::open().await;
    let endpoint = it.endpoint(&[]).await;
    let id = endpoint.endpoint.value.id;
    it.publisher.disable_endpoint(id).await.unwrap();
    it.shop.paid().await;
    it.relay().await;
    let edit = EndpointEdit { types: Some(vec![FeedEventType::OrderPaid]), ..EndpointEdit::default() };
    it.publisher.update_endpoint(id, edit).await.unwrap();
    it.publisher.enable_endpoint(id).await.unwrap();
    it.deliver().await;
    assert_eq!(it.sent(), ["order.paid"]);
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_signed() {
    let it = Published::open().await;
    it.endpoint(&[]).await;
    it.shop.placed().await;
    it.relay().await;
    let without_key = Arc::new(ScriptedSender::without_key());
    let other = publisher(&it.store, &without_key, &it.shop.clock);
    assert_eq!(other.run_deliveries().await.unwrap(), 0);
    let url = EndpointUrl::parse("https://books.example/webhooks").unwrap();
    let refused = other.create_endpoint(NewEndpoint::at(url)).await.unwrap_err();
    assert!(matches!(refused, EndpointError::NotConfigured), "{refused}");
    it.deliver().await;
    assert_eq!(it.sent().len(), 1);
}

#[tokio::test]
async fn two_deliverers_send_each_event_once() {
    let it = Published::open().await;
    it.endpoint(&[]).await;
    for _ in 0..40 {
        it.shop.placed().await;
    }
    it.relay().await;
    let other = it.another();
    let run = |publisher: Publisher| async move { while publisher.run_deliveries().await.unwrap() > 0 {} };
    tokio::join!(run(it.publisher.clone()), run(other));
    let mut ids: Vec<_> = it.sender.sent().iter().map(|it| it.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), it.sent().len()), (40, 40));
}

#[tokio::test]
async fn old_events_are_deleted_unless_an_endpoint_waits_for_them() {
    let it = Published::open().await;
    let keep = FeedRetention { events_seconds: Some(10 * DAY), attempts_seconds: Some(DAY) };
    let endpoint = it.endpoint(&[]).await;
    let id = endpoint.endpoint.value.id;
    it.shop.paid().await;
    it.deliver().await;
    it.publisher.disable_endpoint(id).await.unwrap();
    it.shop.placed().await;
    it.relay().await;
    it.shop.clock.advance_seconds(11 * DAY);
    it.publisher.delete_old_events(keep).await.unwrap();
    assert_eq!(positions(&it.feed().await), [5], "the endpoint waits for the fifth");
    assert_eq!(it.attempts(&endpoint).await, []);
    let request = FeedPageRequest { after: Some(Position(2)), limit: 9, types: Vec::new(), order: None };
    let refused = it.publisher.feed_page(request).await.unwrap_err();
    assert!(matches!(refused, FeedPageError::Deleted { first: Position(5) }), "{refused}");
    it.publisher.delete_endpoint(id).await.unwrap();
    it.publisher.delete_old_events(keep).await.unwrap();
    assert_eq!(it.feed().await, []);
    it.shop.placed().await;
    it.relay().await;
    assert_eq!(positions(&it.feed().await), [6], "positions go on");
    assert!(it.shop.clock.now() > it.feed().await[0].at().minus_seconds(1));
}
