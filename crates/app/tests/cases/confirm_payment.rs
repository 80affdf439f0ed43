//! Payments that an event reported, which are then read from Stripe.

use std::collections::BTreeMap;

use paywright_app::{Access, CheckPaymentError, EventStatus, Lease, OrderRef, ProviderEvent, ProviderUpdate, Version};
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::{CancelReason, OrderData, PaymentState};
use paywright_domain::refund::{NewRefund, RefundError, RefundStatus};
use paywright_domain::{IntentId, IntentSnapshot, Order, Timestamp};
use paywright_testkit::{at, changes};

use crate::{NOW, Shop, update};

async fn deliver(shop: &Shop, id: &str, snapshot: IntentSnapshot, via: &'static str) -> EventStatus {
    let event = ProviderEvent {
        id: id.into(),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        livemode: false,
        request: None,
        update: ProviderUpdate::Intent(Box::new(snapshot)),
        foreign: None,
        other_version: None,
    };
    shop.app.take_event(event, via, BTreeMap::new()).await.unwrap()
}

async fn forge(shop: &Shop, order: &Order, intent: &IntentId) {
    let status = deliver(shop, "evt_forged", update(order, intent, IntentStatus::Succeeded), "webhook").await;
    assert_eq!(status, EventStatus::Applied);
}

/// Calls the payment callback; `Ok` where it says that the order is paid.
async fn check(shop: &Shop, order: &Order) -> Result<(), PaymentState> {
    match shop.app.check_payment(&OrderRef::Id(order.id), &Access::All).await {
        Ok(_) => Ok(()),
        Err(CheckPaymentError::NotCompleted { payment, .. }) => Err(payment),
        Err(error) => panic!("{error:?}"),
    }
}

fn anomalies(order: &Order) -> Vec<&'static str> {
    order.anomalies.iter().map(|it| it.kind.name()).collect()
}

const REVIEW: (&str, PaymentState) = ("open", PaymentState::Review);
const PAID: (&str, PaymentState) = ("paid", PaymentState::Paid);

fn stands(order: &Order) -> (&'static str, PaymentState) {
    (order.status_name(), order.payment_state())
}

#[tokio::test]
async fn a_forged_event_is_detected_by_the_callback_and_by_the_worker() {
    for by_worker in [false, true] {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        forge(&shop, &order, &intent).await;
        assert_eq!(stands(&shop.order(&order).await), PAID, "the order is paid before Stripe is read");
        if by_worker {
            shop.after(3).await;
        } else {
            assert_eq!(check(&shop, &order).await, Err(PaymentState::Review));
        }
        let held = shop.order(&order).await;
        assert_eq!((stands(&held), anomalies(&held)), (REVIEW, vec!["payment_not_confirmed"]));
        for _ in 0..2 {
            assert_eq!(check(&shop, &order).await, Err(PaymentState::Review), "{by_worker}");
        }
        assert_eq!(shop.order(&order).await, held, "the anomaly is recorded once");
    }
}

#[tokio::test]
async fn a_payment_reported_by_an_event_is_read_once_and_repeated_callbacks_read_nothing() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    let reported = shop.provider().intent_now(&intent);
    assert_eq!(deliver(&shop, "evt_1", reported, "webhook").await, EventStatus::Applied);
    assert_eq!(shop.provider().reads(), 0, "an event alone reads nothing from Stripe");
    shop.after(3).await;
    assert_eq!(shop.provider().reads(), 1);
    let paid = shop.order(&order).await;
    assert!(paid.paid_by().unwrap().confirmed_at.is_some() && paid.paid_by().unwrap().proceeds.is_some());
    for _ in 0..3 {
        assert_eq!(check(&shop, &order).await, Ok(()));
    }
    shop.after(86_400).await;
    assert_eq!((shop.provider().reads(), stands(&paid)), (1, PAID));
    let facts = shop.facts(&order).await;
    assert_eq!(facts.iter().filter(|it| **it == "order.paid").count(), 1);
    assert!(facts.contains(&"payment_intent.confirmed"), "{facts:?}");
}

#[tokio::test]
async fn a_callback_that_reads_first_finishes_the_confirmation_task() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    deliver(&shop, "evt_1", shop.provider().intent_now(&intent), "webhook").await;
    assert_eq!(check(&shop, &order).await, Ok(()));
    assert!(!shop.tasks(&order).await.contains(&format!("confirm_payment:{intent}")));
    // The proceeds are known already, so that their event needs no read.
    shop.after(60).await;
    assert_eq!(shop.provider().reads(), 1);
}

#[tokio::test]
async fn an_event_from_stripes_list_confirms_the_payment() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    deliver(&shop, "evt_1", shop.provider().intent_now(&intent), "back_fill").await;
    assert!(shop.order(&order).await.paid_by().unwrap().confirmed_at.is_some());
    assert_eq!((check(&shop, &order).await, shop.provider().reads()), (Ok(()), 0));
}

/// An older version marked it as paid without a read from Stripe.
#[tokio::test]
async fn an_order_paid_by_an_older_version_is_read_by_the_first_callback_alone() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let mut data = OrderData::clone(&order);
    data.intents[0].confirmed_at = None;
    let mut version = 0;
    while shop.store.orders.order(&OrderRef::Id(order.id)).await.unwrap().unwrap().version != Version(version) {
        version += 1;
    }
    let decision = order.proceeds_known(&order.intents[0].id, proceeds(&order), at(NOW));
    let before = paywright_domain::Decision { order: Order::restore(data).unwrap(), ..decision };
    shop.store.orders.commit(changes(Version(version), before, at(NOW), at(NOW))).await.unwrap();
    let reads = shop.provider().reads();
    assert_eq!(stands(&shop.order(&order).await), PAID);
    for _ in 0..3 {
        assert_eq!(check(&shop, &order).await, Ok(()));
    }
    assert_eq!(shop.provider().reads(), reads + 1);
}

fn proceeds(order: &Order) -> paywright_domain::intent::Proceeds {
    paywright_domain::intent::Proceeds {
        gross: order.total,
        fee: paywright_domain::Money::zero(order.total.currency()),
    }
}

#[tokio::test]
async fn money_received_after_a_forged_event_pays_the_order() {
    for heard in ["callback", "webhook", "worker"] {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        forge(&shop, &order, &intent).await;
        shop.after(3).await;
        assert_eq!(stands(&shop.order(&order).await), REVIEW);
        shop.provider().pay(&intent);
        match heard {
            "callback" => assert_eq!(check(&shop, &order).await, Ok(())),
            "webhook" => {
                let reported = shop.provider().intent_now(&intent);
                let status = deliver(&shop, "evt_true", reported, "webhook").await;
                assert_eq!(status, EventStatus::Parked, "it is read again");
                shop.after(0).await;
            }
            _ => shop.after(86_400).await,
        }
        let paid = shop.order(&order).await;
        assert_eq!((stands(&paid), anomalies(&paid)), (PAID, vec!["payment_not_confirmed"]), "{heard}");
        assert!(!paid.is_held_for_review(), "{heard}");
        assert_eq!(check(&shop, &order).await, Ok(()));
        let facts = shop.facts(&order).await;
        assert_eq!(facts.iter().filter(|it| **it == "order.paid").count(), 1, "{heard}");
    }
}

#[tokio::test]
async fn money_that_stripe_does_not_have_is_not_refunded() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    forge(&shop, &order, &intent).await;
    let new = NewRefund::default();
    let refunded = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &new, None).await.unwrap();
    assert_eq!(refunded.refund.status, RefundStatus::Failed);
    assert_eq!(stands(&refunded.order), REVIEW);
    let again = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &new, None).await;
    assert!(
        matches!(again, Err(paywright_app::RefundPaymentError::Refused(RefundError::NothingReceived))),
        "{again:?}"
    );
    assert!(shop.provider().calls().iter().all(|it| !it.contains("refund")), "{:?}", shop.provider().calls());
}

#[tokio::test]
async fn a_forged_payment_of_a_canceled_order_causes_no_refund() {
    let shop = Shop::open().await;
    let (order, _) = shop.payable().await;
    shop.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await.unwrap();
    forge(&shop, &order, &IntentId::new("pi_forged").unwrap()).await;
    assert_eq!(shop.order(&order).await.refunds.len(), 1, "the policy refunds it");
    shop.after(600).await;
    let order = shop.order(&order).await;
    assert_eq!(order.refunds[0].status, RefundStatus::Failed);
    assert!(shop.provider().refunds_now().is_empty());
    assert_eq!(anomalies(&order), ["paid_after_cancel", "payment_not_confirmed"]);
}

/// The attacker names an intent that does not exist; the customer pays the real one.
#[tokio::test]
async fn the_only_payment_of_an_order_is_not_refunded_because_of_a_forged_one() {
    for read_first in [false, true] {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        forge(&shop, &order, &IntentId::new("pi_forged").unwrap()).await;
        if read_first {
            shop.after(3).await;
        }
        shop.provider().pay(&intent);
        deliver(&shop, "evt_true", shop.provider().intent_now(&intent), "webhook").await;
        shop.after(600).await;
        let paid = shop.order(&order).await;
        assert_eq!((stands(&paid), paid.paid_by().map(|it| &it.id)), (PAID, Some(&intent)), "{read_first}");
        assert!(shop.provider().refunds_now().is_empty(), "{read_first}");
        assert_eq!(check(&shop, &order).await, Ok(()));
    }
}

/// A task that fails waits, and the order stays unchanged.
#[tokio::test]
async fn a_payment_is_read_again_when_stripe_did_not_answer() {
    let mut gateway = paywright_testkit::issuing_gateway(at(NOW));
    let mut calls = 0;
    gateway.expect_payment().times(2).returning(move |id| {
        calls += 1;
        if calls == 1 {
            return Err(paywright_app::GatewayError::Busy("429".into()));
        }
        let order = paywright_testkit::place(1).order;
        let snapshot = update(&order, id, IntentStatus::Succeeded);
        let issued = paywright_app::IssuedIntent { snapshot, client_secret: None, request: Some("req_1".into()) };
        Ok(paywright_app::ReadPayment { issued, proceeds: None })
    });
    let shop = Shop::with(gateway).await;
    let (order, intent) = shop.payable().await;
    deliver(&shop, "evt_1", update(&order, &intent, IntentStatus::Succeeded), "webhook").await;
    let tasks = async |now: Timestamp| shop.store.tasks.lease_tasks(&lease(now)).await.unwrap();
    assert!(tasks(at(NOW)).await.is_empty(), "the callback has usually read it by then");
    shop.after(3).await;
    assert!(shop.tasks(&order).await.contains(&format!("confirm_payment:{intent}")));
    shop.after(60).await;
    assert!(!shop.tasks(&order).await.contains(&format!("confirm_payment:{intent}")));
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    let confirmed = facts.iter().find(|it| it.fact.kind() == "payment_intent.confirmed").unwrap();
    let cause = confirmed.cause.clone().unwrap();
    assert_eq!((cause.source.as_str(), cause.request.as_deref()), ("worker", Some("req_1")));
}

fn lease(now: Timestamp) -> Lease {
    Lease { owner: uuid::Uuid::from_u128(77), now, until: now.plus_seconds(1), limit: 8 }
}
