use paywright_app::{Access, CapturePaymentError, Changed, OrderRef};
use paywright_domain::intent::IntentStatus;
use paywright_domain::operation::CaptureError;
use paywright_domain::order::CancelReason;
use paywright_domain::{Money, Order};
use paywright_testkit::{Trouble, usd};

use crate::{PROVIDER_TIMEOUT_SECONDS, Shop};

const DAY: u32 = 86_400;

/// Shop with an order whose payment is authorized.
async fn authorized() -> (Shop, Order) {
    let shop = Shop::open().await;
    shop.provider().holds_money();
    let (_, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    let order = shop.app.settle_from_provider(&shop.provider().intent_now(&intent)).await.unwrap();
    assert_eq!(order.payment_state().name(), "authorized");
    (shop, order)
}

#[tokio::test]
async fn a_full_or_partial_capture_pays_the_order() {
    for amount in [None, Some(usd(5000))] {
        let (shop, order) = authorized().await;
        let which = OrderRef::Id(order.id);
        for _ in 0..2 {
            let captured = shop.app.capture_payment(&which, &Access::All, amount).await.unwrap();
            assert!(matches!(&captured, Changed::Done(it) if it.state.name() == "paid"), "{captured:?}");
        }
        let after = shop.order(&order).await;
        assert_eq!(after.paid_by().map(|it| it.received), Some(amount.unwrap_or(order.total)));
        assert_eq!(shop.provider().calls().len(), 2, "one capture was sent");
        assert_eq!(shop.tasks(&order).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_capture_is_carried_out_once_after_each_fault() {
    for trouble in Trouble::PASSING {
        let (shop, order) = authorized().await;
        shop.provider().will([trouble]);
        shop.app.capture_payment(&OrderRef::Id(order.id), &Access::All, Some(usd(5000))).await.unwrap();
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let after = shop.order(&order).await;
        let received = after.paid_by().map(|it| it.received);
        assert_eq!((received, after.anomalies.len()), (Some(usd(5000)), 0), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refused_capture_leaves_the_authorization() {
    let (shop, order) = authorized().await;
    let which = OrderRef::Id(order.id);
    let too_much = Money::new(order.total.minor() + 1, order.total.currency()).unwrap();
    let refused = shop.app.capture_payment(&which, &Access::All, Some(too_much)).await;
    assert!(matches!(refused, Err(CapturePaymentError::Refused(CaptureError::Amount { .. }))), "{refused:?}");
    shop.provider().will([Trouble::Refuses("capture_charge_authorization_expired")]);
    let refused = shop.app.capture_payment(&which, &Access::All, None).await;
    assert!(matches!(refused, Err(CapturePaymentError::Provider(_))), "{refused:?}");
    let after = shop.order(&order).await;
    assert_eq!(after.payment_state().name(), "authorized");
    assert_eq!(after.anomalies.iter().map(|it| it.kind.name()).collect::<Vec<_>>(), ["capture_failed"]);
    let second = shop.app.capture_payment(&which, &Access::All, None).await.unwrap();
    assert_eq!(second.order().state.name(), "paid", "under another key: the first one was refused");
}

#[tokio::test]
async fn a_cancellation_releases_the_authorization() {
    let (shop, order) = authorized().await;
    let canceled = shop.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await.unwrap();
    assert_eq!(canceled.order().state.name(), "canceled");
    assert!(shop.facts(&order).await.contains(&"payment_intent.authorization_ended"));
}

/// Seen in the field: an authorization expired unnoticed, and the goods were shipped.
#[tokio::test]
async fn an_authorization_is_announced_a_day_before_it_ends_and_its_end_is_a_fact() {
    let (shop, order) = authorized().await;
    let intent = order.payable_intent().unwrap().id.clone();
    shop.after(6 * DAY - 60).await;
    assert_eq!(shop.order(&order).await.anomalies, []);
    shop.after(60).await;
    let reported = shop.order(&order).await;
    assert_eq!(reported.anomalies.iter().map(|it| it.kind.name()).collect::<Vec<_>>(), ["authorization_expiring"]);
    // No webhook reports the end: a poll finds it.
    shop.provider().change(&intent, |it| it.status = IntentStatus::Canceled);
    shop.after(2 * DAY).await;
    let after = shop.order(&order).await;
    assert_eq!((after.state.name(), after.payment_state().name()), ("open", "unpaid"));
    assert!(shop.facts(&order).await.contains(&"payment_intent.authorization_ended"));
    assert_eq!(shop.tasks(&order).await, Vec::<String>::new());
}

/// Pain 3: the guard is in the commit, not before it.
#[tokio::test]
async fn of_concurrent_captures_and_cancellations_one_succeeds() {
    let (shop, order) = authorized().await;
    let which = OrderRef::Id(order.id);
    let captures = [1000, 2000, 3000, 4000].map(|minor| {
        let (app, which) = (shop.app.clone(), which.clone());
        tokio::spawn(async move { app.capture_payment(&which, &Access::All, Some(usd(minor))).await.is_ok() })
    });
    let cancel = {
        let (app, which) = (shop.app.clone(), which.clone());
        tokio::spawn(async move { app.cancel_order(&which, &Access::All, CancelReason::Duplicate).await.is_ok() })
    };
    let mut done = u32::from(cancel.await.unwrap());
    for capture in captures {
        done += u32::from(capture.await.unwrap());
    }
    let after = shop.order(&order).await;
    assert_eq!((done, after.anomalies.len()), (1, 0));
    let operations = shop.provider().calls().into_iter().filter(|it| !it.starts_with("create")).count();
    assert_eq!(operations, 1, "one of them was sent to Stripe");
}
