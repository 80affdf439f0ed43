//! Recovery after a restore, where Stripe has more of a stored order than the backup.

use paywright_app::{Access, LostOrderDecision, OrderRef, Recovery, StorePorts};
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::{OrderEdit, PaymentState};
use paywright_domain::refund::{NewRefund, RefundStatus};
use paywright_domain::{IntentId, IntentSnapshot, LineItem, Order};
use paywright_testkit::{at, usd};

use crate::{NOW, Shop};

/// Seconds between the placement of the orders and the backup.
const LATER: u32 = 10_000;

impl Shop {
    /// Takes the backup: what happens at Stripe alone from now on is missing in it.
    fn backs_up(&self) {
        self.clock.advance_seconds(LATER);
    }

    async fn recovers(&self) -> Recovery {
        let backup = at(NOW).plus_seconds(LATER);
        self.app.recover(backup, |_| None).await.unwrap()
    }
}

fn ids(orders: &[Order]) -> Vec<String> {
    orders.iter().map(|it| it.id.to_string()).collect()
}

#[tokio::test]
async fn a_payment_of_an_intent_from_before_the_backup_is_imported_with_its_refunds() {
    let shop = Shop::open().await;
    let ((order, intent), (other, second)) = (shop.payable().await, shop.payable().await);
    shop.backs_up();
    shop.provider().pay(&intent);
    shop.provider().refund_at_dashboard(&intent, usd(500));
    shop.provider().pay(&second);
    let mut updated = ids(&shop.recovers().await.updated);
    updated.dedup();
    assert!(updated.contains(&order.id.to_string()) && updated.contains(&other.id.to_string()), "{updated:?}");
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::PartiallyRefunded);
    assert_eq!(shop.order(&other).await.payment_state(), PaymentState::Paid);
    assert_eq!(ids(&shop.recovers().await.updated), Vec::<String>::new(), "there is nothing new");
}

#[tokio::test]
async fn an_edit_after_a_lost_edit_reaches_stripe() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.backs_up();
    shop.provider().change(&intent, |it| {
        it.revision = Some(3);
        it.amount = usd(1300);
    });
    shop.recovers().await;
    let edit = OrderEdit {
        lines: Some(vec![LineItem::new("Bone", usd(900), 1).unwrap()]),
        adjustments: Some(Vec::new()),
        ..OrderEdit::default()
    };
    shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, edit).await.unwrap();
    let order = shop.order(&order).await;
    let made = shop.provider().intent_now(&intent);
    assert_eq!((order.total, order.revision), (usd(900), 4));
    assert_eq!((made.amount, made.revision), (usd(900), Some(4)));
    assert_eq!(order.payable_intent().unwrap().amount, usd(900));
}

#[tokio::test]
async fn a_failed_refund_and_a_new_one_at_stripe_are_both_imported() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let refund = NewRefund { amount: Some(usd(10_000)), ..NewRefund::default() };
    let first = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &refund, None).await.unwrap();
    shop.backs_up();
    let (intent, id) = (first.refund.intent, first.refund.provider_id.unwrap());
    shop.provider().decide_refund(&id, RefundStatus::Failed);
    shop.provider().refund_at_dashboard(&intent, order.total);
    shop.recovers().await;
    let order = shop.order(&order).await;
    let statuses: Vec<_> = order.refunds.iter().map(|it| it.status.name()).collect();
    assert_eq!((statuses, order.payment_state()), (vec!["failed", "succeeded"], PaymentState::Refunded));
}

#[tokio::test]
async fn an_open_intent_is_imported_after_those_that_have_ended() {
    let shop = Shop::open().await;
    let (order, first) = shop.payable().await;
    let second = IntentId::new("pi_2").unwrap();
    shop.provider().change(&first, |it| it.status = IntentStatus::Canceled);
    let made = IntentSnapshot::new(second.clone(), order.id, order.total, at(NOW));
    shop.provider().adds(IntentSnapshot { revision: Some(1), ..made });
    shop.app.recover(at(NOW), |_| None).await.unwrap();
    let shown = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
    assert_eq!(shown.order.payable_intent().map(|it| &it.id), Some(&second));
    assert_eq!(shop.provider().made_now(), 1, "no second intent was created");
}

/// A PaymentIntent of another program for the same order does not have the order's content.
#[tokio::test]
async fn a_lost_order_is_created_again_from_the_intent_that_paywright_created() {
    let shop = Shop::open().await;
    let (order, own) = shop.payable().await;
    let (store, _kept) = crate::fresh_store().await;
    let shop = shop.another_over(StorePorts::of(store));
    let other = IntentSnapshot::new(IntentId::new("pi_0").unwrap(), order.id, usd(700), at(NOW));
    let other = IntentSnapshot { revision: None, status: IntentStatus::Succeeded, received: usd(700), ..other };
    shop.provider().adds(other);
    let recovery = shop.app.recover(at(NOW), |_| Some(LostOrderDecision::Recreate)).await.unwrap();
    let lost = &recovery.lost[0];
    assert_eq!((&lost.payment.intent, lost.order.as_ref().map(|it| it.total)), (&own, Some(order.total)));
}
