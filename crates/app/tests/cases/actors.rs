use std::collections::BTreeMap;

use paywright_app::{
    Access, Act, Actor, App, AuditEntry, AuditQuery, OrderRef, PlacedOrder, ProviderEvent, ProviderUpdate, StorePorts,
    Work, WorkId,
};
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::CancelReason;
use paywright_domain::refund::{NewRefund, RefundOrigin};
use paywright_domain::{IntentId, IntentSnapshot, Order, OrderId};
use paywright_testkit::{Trouble, at, edit_of_lines, new_order, usd};
use uuid::Uuid;

use crate::{NOW, PROVIDER_TIMEOUT_SECONDS, Shop, update};

fn key(name: &str) -> Actor {
    Actor::ApiKey { key: Uuid::from_u128(7), key_name: name.to_owned() }
}

async fn by<T>(actor: Actor, work: impl Future<Output = T>) -> T {
    Work::by(actor, WorkId::Request("a".to_owned())).scope(work).await
}

impl Shop {
    /// Order for which the request with this name is possible.
    async fn order_for(&self, what: &str) -> Order {
        match what {
            "refund" => self.paid().await,
            "capture" => {
                self.provider().holds_money();
                let (_, intent) = self.payable().await;
                self.provider().pay(&intent);
                self.app.settle_from_provider(&self.provider().intent_now(&intent)).await.unwrap()
            }
            _ => self.payable().await.0,
        }
    }

    /// Last facts of an order, each with its actor.
    async fn last_facts(&self, order: &Order, count: usize) -> Vec<(&'static str, Option<Actor>)> {
        let facts = self.store.orders.facts(order.id).await.unwrap();
        let all = facts.iter().map(|it| (it.fact.kind(), it.cause.as_ref().and_then(|it| it.actor.clone())));
        all.skip(facts.len() - count).collect()
    }
}

/// Performs the request with this name.
async fn request(app: &App, what: &str, order: OrderId) {
    let which = OrderRef::Id(order);
    match what {
        "edit" => drop(app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap()),
        "cancel" => drop(app.cancel_order(&which, &Access::All, CancelReason::Duplicate).await.unwrap()),
        "capture" => drop(app.capture_payment(&which, &Access::All, None).await.unwrap()),
        _ => {
            let refund = NewRefund { amount: Some(usd(500)), ..NewRefund::default() };
            app.refund_payment(&which, &Access::All, &refund, None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_change_names_the_api_key_that_requested_it_even_when_the_worker_completes_it() {
    for (what, requested, done) in [
        ("edit", "operation.requested", ["order.edited"].as_slice()),
        ("cancel", "operation.requested", &["payment_intent.changed", "order.canceled"]),
        ("capture", "operation.requested", &["payment_intent.changed", "order.paid"]),
        ("refund", "refund.requested", &["refund.changed"]),
    ] {
        for trouble in [None, Some(Trouble::LostBefore)] {
            let shop = Shop::open().await;
            let order = shop.order_for(what).await;
            shop.provider().will(trouble);
            by(key("till"), request(&shop.app, what, order.id)).await;
            shop.another().after(PROVIDER_TIMEOUT_SECONDS).await;
            let performer = if trouble.is_some() { Actor::Worker } else { key("till") };
            let expected: Vec<_> = std::iter::once((requested, Some(key("till"))))
                .chain(done.iter().map(|it| (*it, Some(performer.clone()))))
                .collect();
            assert_eq!(shop.last_facts(&order, expected.len()).await, expected, "{what} {trouble:?}");
        }
    }
}

#[tokio::test]
async fn each_fact_names_the_actor_of_its_request_or_stripe() {
    let shop = Shop::open().await;
    let PlacedOrder::Now(order) = by(key("shop"), shop.app.place_order(new_order(), None)).await.unwrap() else {
        panic!("a first request places an order")
    };
    let which = OrderRef::Id(order.id);
    let made = by(Actor::CartToken, shop.app.create_payment_intent(&which, &Access::All)).await.unwrap();
    let intent = made.order.payable_intent().unwrap().id.clone();
    shop.provider().pay(&intent);
    let event = ProviderEvent {
        id: "evt_1".into(),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        livemode: false,
        request: None,
        update: ProviderUpdate::Intent(Box::new(update(&order, &intent, IntentStatus::Succeeded))),
        foreign: None,
        other_version: None,
    };
    // Stripe is the actor of an event's changes, not the caller of the use case.
    by(key("shop"), shop.app.take_event(event, "webhook", BTreeMap::new())).await.unwrap();
    let stripe = || Some(Actor::Stripe);
    assert_eq!(
        shop.last_facts(&order, 5).await,
        [
            ("order.placed", Some(key("shop"))),
            ("payment_intent.requested", Some(Actor::CartToken)),
            ("payment_intent.created", Some(Actor::CartToken)),
            ("payment_intent.changed", stripe()),
            ("order.paid", stripe()),
        ]
    );
}

#[tokio::test]
async fn facts_of_a_recovered_order_name_the_operator() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let (store, _kept) = crate::fresh_store().await;
    let shop = shop.another_over(StorePorts::of(store));
    let operator = || Actor::Operator { operator: "ada".to_owned() };
    let recreate = |_: &paywright_app::RecordedOrder| Some(paywright_app::LostOrderDecision::Recreate);
    let recovery =
        Work::by(operator(), WorkId::Background("recover")).scope(shop.app.recover(at(NOW - 3600), recreate));
    assert_eq!(recovery.await.unwrap().lost.len(), 1);
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    assert!(!facts.is_empty());
    for fact in facts {
        let cause = fact.cause.unwrap();
        assert_eq!((cause.source.as_str(), cause.actor), ("recover", Some(operator())), "{:?}", fact.fact);
    }
}

/// Entries of the audit trail about an order, the oldest first.
async fn trail(shop: &Shop, order: &Order) -> Vec<AuditEntry> {
    let query = AuditQuery { older_than: None, subject: Some(order.id.to_string()), key: None, limit: 100 };
    let mut found = shop.app.audit_entries(&query).await.unwrap();
    found.reverse();
    found
}

/// A lost answer, and the worker that completes the act, add nothing.
#[tokio::test]
async fn an_act_of_an_application_is_in_the_audit_trail_once() {
    for what in ["cancel", "capture", "refund", "edit"] {
        for trouble in [None, Some(Trouble::LostBefore), Some(Trouble::LostAfter)] {
            let shop = Shop::open().await;
            let order = shop.order_for(what).await;
            let intent = order.intents[0].id.clone();
            shop.provider().will(trouble);
            let address = Some("203.0.113.7".parse().unwrap());
            let work = async {
                key("till").record();
                request(&shop.app, what, order.id).await;
            };
            Work::requested("req_1".to_owned(), std::time::Instant::now(), address).scope(work).await;
            shop.another().after(PROVIDER_TIMEOUT_SECONDS).await;
            let act = match what {
                "cancel" => Some(Act::CancellationRequested),
                "capture" => Some(Act::CaptureRequested { intent, amount: Some(order.total) }),
                "refund" => {
                    Some(Act::RefundRequested { refund: 1, intent, amount: usd(500), origin: RefundOrigin::Shop })
                }
                _ => None,
            };
            let entries = trail(&shop, &order).await;
            let found: Vec<_> = entries.iter().map(|it| (it.act.clone(), it.actor.clone(), it.address)).collect();
            let expected: Vec<_> = act.into_iter().map(|it| (it, Some(key("till")), address)).collect();
            assert_eq!(found, expected, "{what} {trouble:?}");
            assert!(entries.iter().all(|it| it.request.as_deref() == Some("req_1") && it.at == at(NOW)), "{entries:?}");
        }
    }
}

#[tokio::test]
async fn a_customers_cancellation_is_no_act_and_a_refund_by_policy_is_one_of_stripe() {
    let shop = Shop::open().await;
    let (order, _) = shop.payable().await;
    by(Actor::Customer, request(&shop.app, "cancel", order.id)).await;
    assert_eq!(trail(&shop, &order).await, []);
    // Another program was paid for a paid order: the policy refunds that.
    let paid = shop.paid().await;
    let (_, stray) = shop.payable().await;
    shop.provider().pay(&stray);
    let intent = IntentId::new("pi_second").unwrap();
    let second = IntentSnapshot { intent: intent.clone(), order: Some(paid.id), ..shop.provider().intent_now(&stray) };
    shop.provider().adds(second.clone());
    by(Actor::Stripe, shop.app.settle_from_provider(&second)).await.unwrap();
    let entries = trail(&shop, &paid).await;
    let found: Vec<_> = entries.iter().map(|it| (it.act.clone(), it.actor.clone())).collect();
    let amount = second.received;
    let refund = Act::RefundRequested { refund: 1, intent, amount, origin: RefundOrigin::Policy };
    assert_eq!(found, [(refund, Some(Actor::Stripe))]);
}
