use paywright_app::{
    Access, IdempotencyKey, IdempotentRequest, LostOrderDecision, OrderRef, PlaceOrderError, PlacedOrder,
    RecordedOrder, StorePorts,
};
use paywright_domain::id::Epoch;
use paywright_domain::intent::{IntentPlan, IntentStatus};
use paywright_domain::order::PaymentState;
use paywright_domain::refund::NewRefund;
use paywright_domain::{IntentId, IntentSnapshot, Order, OrderId};
use paywright_testkit::{at, new_order, usd};
use uuid::Uuid;

use crate::{NOW, Shop};

fn request(key: &str) -> IdempotentRequest {
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: key.into() };
    IdempotentRequest { key, fingerprint: [1; 32], answer: |order: &Order| order.number.to_string() }
}

fn refund_key() -> (IdempotencyKey, [u8; 32]) {
    (IdempotencyKey { scope: Uuid::from_u128(1), key: "refund".into() }, [2; 32])
}

fn of(minor: i64) -> NewRefund {
    NewRefund { amount: Some(usd(minor)), ..NewRefund::default() }
}

impl Shop {
    /// Places an order with this idempotency key, and pays it.
    async fn paid_under(&self, key: &str) -> Order {
        let PlacedOrder::Now(order) = self.app.place_order(new_order(), Some(request(key))).await.unwrap() else {
            panic!("a first request places an order")
        };
        self.pay(&order).await
    }

    /// The same shop after a restore from a backup that has no order.
    async fn restored(&self) -> (Self, crate::DatabaseGuard) {
        let (store, kept) = crate::fresh_store().await;
        (self.another_over(StorePorts::of(store)), kept)
    }

    async fn recover(&self, decision: Option<LostOrderDecision>) -> paywright_app::Recovery {
        self.app.recover(at(NOW - 3600), |_: &RecordedOrder| decision).await.unwrap()
    }
}

fn all(order: OrderId) -> OrderRef {
    OrderRef::Id(order)
}

#[tokio::test]
async fn a_lost_order_is_listed_created_again_and_found_by_its_request() {
    let shop = Shop::open().await;
    let order = shop.paid_under("k").await;
    let refunded = shop.app.refund_payment(&all(order.id), &Access::All, &of(500), Some(refund_key())).await.unwrap();
    let (shop, _kept) = shop.restored().await;

    let listed = shop.recover(None).await;
    let lost: Vec<_> = listed.lost.iter().map(|it| (it.id, it.order.is_some())).collect();
    assert_eq!(lost, [(order.id, false)]);
    let repeated = shop.app.place_order(new_order(), Some(request("k"))).await;
    assert!(matches!(repeated, Err(PlaceOrderError::Lost(id)) if id == order.id), "{repeated:?}");
    // A request with another key places another order.
    assert!(matches!(shop.app.place_order(new_order(), Some(request("other"))).await, Ok(PlacedOrder::Now(_))));

    for _ in 0..2 {
        let made = shop.recover(Some(LostOrderDecision::Recreate)).await;
        let again = made.lost[0].order.clone().unwrap();
        assert_eq!(
            (again.id, again.total, again.payment_state()),
            (order.id, order.total, PaymentState::PartiallyRefunded)
        );
        assert_eq!((again.refunds.len(), again.anomalies.len()), (1, 0));
    }
    let repeated = shop.app.place_order(new_order(), Some(request("k"))).await.unwrap();
    assert!(matches!(repeated, PlacedOrder::Before { order: id, .. } if id == order.id), "{repeated:?}");
    let repeated = shop.app.refund_payment(&all(order.id), &Access::All, &of(500), Some(refund_key())).await.unwrap();
    assert_eq!((repeated.replayed, repeated.refund.provider_id), (true, refunded.refund.provider_id));
    let other = shop.app.refund_payment(&all(order.id), &Access::All, &of(500), None).await.unwrap();
    assert_eq!((other.replayed, other.refund.status.name()), (false, "succeeded"));
    assert_eq!(shop.provider().refunds_now().len(), 2);
}

#[tokio::test]
async fn the_payment_of_a_lost_order_is_refunded_once() {
    let shop = Shop::open().await;
    let order = shop.paid_under("k").await;
    let (shop, _kept) = shop.restored().await;
    for _ in 0..2 {
        let undone = shop.recover(Some(LostOrderDecision::Refund)).await;
        let again = undone.lost[0].order.clone().unwrap();
        assert_eq!((again.id, again.payment_state()), (order.id, PaymentState::Refunded));
        assert_eq!(shop.provider().refunds_now().len(), 1);
    }
}

#[tokio::test]
async fn each_recovery_begins_an_epoch_which_later_keys_contain() {
    let shop = Shop::open().await;
    let begun = shop.recover(None).await.epoch;
    assert_eq!(begun, Epoch(u32::try_from(NOW).unwrap()));
    shop.clock.advance_seconds(10);
    let later = shop.recover(None).await.epoch;
    assert_eq!(later, Epoch(begun.0 + 10));
    let order = shop.placed().await;
    let read = shop.order(&order).await;
    let IntentPlan::Create { request, .. } = read.request_intent(at(NOW)).unwrap() else {
        panic!("no intent exists yet")
    };
    assert_eq!(request.idempotency_key(order.id), format!("pi:{}:1:1:e{}", order.id, later.0));
    // A restored database begins in the first epoch again, and its recovery begins another one.
    let (restored, _kept) = shop.restored().await;
    assert_eq!(restored.store.installations.installation().await.unwrap().epoch, Epoch::FIRST);
    shop.clock.advance_seconds(10);
    assert_eq!(restored.recover(None).await.epoch, Epoch(later.0 + 10));
}

/// The shop may have shipped an order that was created again: a later `--refund all` does not refund it.
#[tokio::test]
async fn the_first_decision_on_a_lost_order_is_final() {
    let shop = Shop::open().await;
    let order = shop.paid_under("k").await;
    let (shop, _kept) = shop.restored().await;
    shop.recover(Some(LostOrderDecision::Recreate)).await;
    let later = shop.recover(Some(LostOrderDecision::Refund)).await;
    assert_eq!(later.lost[0].decision, Some(LostOrderDecision::Recreate));
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Paid);
    assert_eq!(shop.provider().refunds_now().len(), 0);
}

/// An authorization ended that is older than the recovery's list of intents, and another intent took its place.
#[tokio::test]
async fn an_intent_that_ended_since_the_backup_is_read_however_old_it_is() {
    const DAYS: u32 = 9;
    let shop = Shop::open().await;
    let order = shop.placed().await;
    let made = shop.app.create_payment_intent(&all(order.id), &Access::All).await.unwrap();
    let first = made.order.payable_intent().unwrap().clone();
    shop.clock.advance_seconds(DAYS * 24 * 3600);
    let now = NOW + i64::from(DAYS) * 24 * 3600;
    shop.provider().change(&first.id, |it| it.status = IntentStatus::Canceled);
    let later = IntentId::new("pi_later").unwrap();
    let requested = IntentSnapshot::new(later.clone(), order.id, order.total, at(now));
    shop.provider().adds(IntentSnapshot { revision: Some(1), ..requested });
    shop.app.recover(at(now - 60), |_: &RecordedOrder| None).await.unwrap();
    let known = shop.order(&order).await;
    assert_eq!(known.intent(&first.id).map(|it| it.status), Some(IntentStatus::Canceled));
    assert_eq!(known.payable_intent().map(|it| &it.id), Some(&later));
}
