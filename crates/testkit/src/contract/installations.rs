//! Cases of the port [`Installations`](paywright_app::Installations).

use paywright_app::{IdempotencyKey, LostOrderDecision, OrderRef, Version};
use paywright_domain::id::Epoch;
use paywright_domain::refund::NewRefund;
use paywright_domain::{Decision, Order, OrderId};
use uuid::Uuid;

use super::{NOW, Subject, by_id, first, is_conflict, paid, record, requested, stored, then};
use crate::{at, new_order, order_id, place, usd};

fn place_as(id: OrderId) -> Decision {
    Order::place(id, new_order(), at(NOW)).unwrap()
}

/// The installation id never changes, and only a later epoch replaces an epoch.
pub async fn an_installation_keeps_its_id_and_its_epochs_only_grow(subject: &impl Subject) {
    let store = subject.store();
    let before = store.installation().await.unwrap();
    assert_eq!(before.epoch, Epoch::FIRST);
    for (begun, expected) in [(7, 7), (5, 7), (7, 7), (u32::MAX, u32::MAX)] {
        store.begin_epoch(Epoch(begun)).await.unwrap();
        let after = store.installation().await.unwrap();
        assert_eq!((after.id, after.epoch), (before.id, Epoch(expected)));
    }
}

/// Requests and refunds of an earlier epoch keep it, and so their idempotency keys.
pub async fn an_order_is_read_in_the_present_epoch_and_its_requests_keep_theirs(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    store.commit(first(place(1))).await.unwrap();
    store.commit(then(1, requested(&order))).await.unwrap();
    let refunded = paid(&*store, 2).await;
    let new = NewRefund { amount: Some(usd(100)), request: Some(Uuid::from_u128(5)), ..NewRefund::default() };
    store.commit(then(2, refunded.refund(&new, at(NOW)).unwrap().0)).await.unwrap();
    store.begin_epoch(Epoch(9)).await.unwrap();
    let order = stored(&*store, 1).await.value;
    assert_eq!((order.epoch, order.requested.unwrap().epoch), (Epoch(9), Some(Epoch::FIRST)));
    let order = stored(&*store, 2).await.value;
    let refund = &order.refunds[0];
    assert_eq!((refund.epoch, refund.request), (Some(Epoch::FIRST), Some(Uuid::from_u128(5))));
    let (again, number) = order.refund(&new, at(NOW)).unwrap();
    store.commit(then(3, again)).await.unwrap();
    let order = stored(&*store, 2).await.value;
    assert_eq!(order.refund_numbered(number).unwrap().epoch, Some(Epoch(9)));
}

/// The store finds a lost order by the end of its id, so that a repeated request with its key places no other order.
pub async fn the_idempotency_key_of_a_lost_order_places_no_other_order(subject: &impl Subject) {
    let store = subject.store();
    let key = |text: &str| IdempotencyKey { scope: Uuid::from_u128(1), key: text.into() };
    let lost = key("k").order_id(at(NOW - 3600));
    assert_eq!(store.lost_order(lost).await.unwrap(), None);
    for _ in 0..2 {
        store.add_lost_order(lost, at(NOW)).await.unwrap();
    }
    let again = key("k").order_id(at(NOW));
    assert_ne!(again, lost);
    assert_eq!(store.lost_order(again).await.unwrap(), Some(lost));
    assert_eq!(store.lost_order(key("other").order_id(at(NOW))).await.unwrap(), None);
    let (recreate, refund) = (Some(LostOrderDecision::Recreate), Some(LostOrderDecision::Refund));
    for (decision, expected) in [(None, None), (refund, refund), (recreate, refund), (None, refund)] {
        assert_eq!(store.decide_on_lost_order(lost, decision).await.unwrap(), expected);
    }
    assert_eq!(store.decide_on_lost_order(again, recreate).await.unwrap(), None);
    let under = |id: OrderId, text: &str| {
        let mut changes = first(place_as(id));
        changes.idempotency = Some(record(&key(text), id));
        changes
    };
    assert!(is_conflict(&store.commit(under(again, "k")).await));
    assert_eq!(store.idempotency_record(&key("k")).await.unwrap(), None);
    store.commit(under(order_id(2), "other")).await.unwrap();
    // The order can be created again under its own id, without the key.
    store.commit(first(place_as(lost))).await.unwrap();
    let recreated = store.order(&OrderRef::Id(lost)).await.unwrap().unwrap();
    assert_eq!(recreated.version, Version(1));
    assert!(store.order(&by_id(2)).await.unwrap().is_some());
}
