use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use paywright_app::{Access, CheckPaymentError, GatewayError, IssuedIntent, OrderRef};
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::PaymentState;
use paywright_testkit::{MockGateway, at, issued, issuing_gateway, place};

use crate::{NOW, Shop, update};

/// Gateway that creates intents and then reads them with `status`.
fn gateway_reading(status: IntentStatus) -> MockGateway {
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().returning(move |id| {
        Ok(IssuedIntent {
            snapshot: update(&place(1).order, id, status),
            client_secret: Some("x".into()),
            request: None,
        })
    });
    gateway
}

#[tokio::test]
async fn a_callback_marks_the_order_paid_when_stripe_confirms() {
    let shop = Shop::with(gateway_reading(IntentStatus::Succeeded)).await;
    let which = OrderRef::Id(shop.placed().await.id);
    shop.app.create_payment_intent(&which, &Access::All).await.unwrap();
    for _ in 0..2 {
        let checked = shop.app.check_payment(&which, &Access::All).await.unwrap();
        assert_eq!(checked.order.payment_state(), PaymentState::Paid);
    }
    let paid = shop.facts(&place(1).order).await.into_iter().filter(|it| *it == "order.paid").count();
    assert_eq!(paid, 1);
}

#[tokio::test]
async fn a_callback_that_stripe_contradicts_reports_the_intent_status() {
    for status in [IntentStatus::RequiresPaymentMethod, IntentStatus::Processing, IntentStatus::RequiresCapture] {
        let shop = Shop::with(gateway_reading(status)).await;
        let which = OrderRef::Id(shop.placed().await.id);
        shop.app.create_payment_intent(&which, &Access::All).await.unwrap();
        let denied = shop.app.check_payment(&which, &Access::All).await;
        assert!(
            matches!(denied, Err(CheckPaymentError::NotCompleted { intent: Some(it), .. }) if it == status),
            "{denied:?}"
        );
    }
}

#[tokio::test]
async fn a_callback_for_an_order_without_an_intent_makes_no_call_to_stripe() {
    let shop = Shop::with(MockGateway::new()).await;
    let which = OrderRef::Id(shop.placed().await.id);
    let denied = shop.app.check_payment(&which, &Access::All).await;
    assert!(matches!(denied, Err(CheckPaymentError::NotCompleted { intent: None, .. })), "{denied:?}");
}

#[tokio::test]
async fn a_callback_finds_an_intent_whose_answer_was_lost() {
    let mut gateway = MockGateway::new();
    let lost = std::sync::atomic::AtomicBool::new(true);
    gateway.expect_create_intent().times(2).returning(move |new, key| {
        assert!(key.ends_with(":1:1"), "{key}");
        if lost.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Err(GatewayError::Unknown("lost".into()));
        }
        let mut made = issued("pi_one", new, at(NOW));
        made.snapshot.status = IntentStatus::Succeeded;
        made.snapshot.received = new.amount;
        Ok(made)
    });
    let shop = Shop::with(gateway).await;
    let which = OrderRef::Id(shop.placed().await.id);
    assert!(shop.app.create_payment_intent(&which, &Access::All).await.is_err());
    let checked = shop.app.check_payment(&which, &Access::All).await.unwrap();
    assert_eq!(checked.order.payment_state(), PaymentState::Paid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callbacks_for_one_order_read_stripe_one_at_a_time() {
    let (reading, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().returning({
        let (reading, most) = (Arc::clone(&reading), Arc::clone(&most));
        move |id| {
            most.fetch_max(reading.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
            reading.fetch_sub(1, Ordering::SeqCst);
            let snapshot = update(&place(1).order, id, IntentStatus::RequiresPaymentMethod);
            Ok(IssuedIntent { snapshot, client_secret: Some("x".into()), request: None })
        }
    });
    let shop = Arc::new(Shop::with(gateway).await);
    let id = shop.placed().await.id;
    shop.app.create_payment_intent(&OrderRef::Id(id), &Access::All).await.unwrap();
    let hints: Vec<_> = (0..8)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { shop.app.check_payment(&OrderRef::Id(id), &Access::All).await })
        })
        .collect();
    for hint in hints {
        let reported = hint.await.unwrap();
        assert!(matches!(reported, Err(CheckPaymentError::NotCompleted { .. })), "{reported:?}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
