use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use paywright_app::{Access, CreatePaymentIntentError, GatewayError, GetOrderError, IssuedIntent, OrderRef};
use paywright_domain::OrderId;
use paywright_domain::id::CustomerId;
use paywright_domain::intent::{IntentError, IntentStatus, RequestIntentError};
use paywright_testkit::{MockGateway, at, issued, issuing_gateway};
use secrecy::ExposeSecret;

use crate::{NOW, Shop, update};

fn by_id(id: OrderId) -> OrderRef {
    OrderRef::Id(id)
}

#[tokio::test]
async fn the_first_call_creates_an_intent_and_later_calls_return_it() {
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().times(1).returning(|id| {
        let mut new = IssuedIntent { client_secret: Some("again".into()), ..first_answer(id) };
        new.snapshot.intent = id.clone();
        Ok(new)
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let made = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    let intent = made.order.payable_intent().unwrap().clone();
    assert!(made.client_secret.unwrap().expose_secret().starts_with(intent.id.as_str()));
    let again = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    assert_eq!(again.order.payable_intent().map(|it| &it.id), Some(&intent.id));
    assert_eq!(again.client_secret.unwrap().expose_secret(), "again");
    let expected = ["order.placed", "payment_intent.requested", "payment_intent.created"];
    assert_eq!(shop.facts(&order).await, expected);
}

fn first_answer(id: &paywright_domain::IntentId) -> IssuedIntent {
    let order = paywright_testkit::place(1).order;
    IssuedIntent {
        snapshot: update(&order, id, IntentStatus::RequiresPaymentMethod),
        client_secret: Some("x".into()),
        request: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_send_one_key_and_get_one_intent() {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let mut gateway = MockGateway::new();
    gateway.expect_create_intent().returning({
        let keys = Arc::clone(&keys);
        move |new, key| {
            keys.lock().unwrap().push(key.to_owned());
            Ok(issued("pi_one", new, at(NOW)))
        }
    });
    gateway.expect_intent().returning(|id| Ok(first_answer(id)));
    let shop = Arc::new(Shop::with(gateway).await);
    let order = shop.placed().await;
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let (shop, id) = (Arc::clone(&shop), order.id);
            tokio::spawn(async move { shop.app.create_payment_intent(&by_id(id), &Access::All).await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().order.payable_intent().map(|it| it.id.as_str()), Some("pi_one"));
    }
    keys.lock().unwrap().dedup();
    assert_eq!(*keys.lock().unwrap(), [format!("pi:{}:1:1", order.id)]);
    assert_eq!(shop.order(&order).await.intents.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_one_intent_within_a_second_share_one_read_at_stripe() {
    let reads = Arc::new(AtomicU32::new(0));
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().returning({
        let reads = Arc::clone(&reads);
        move |id| {
            reads.fetch_add(1, Ordering::SeqCst);
            // Longer than the other callers take to arrive.
            std::thread::sleep(std::time::Duration::from_millis(50));
            let mut read = first_answer(id);
            read.snapshot.intent = id.clone();
            Ok(read)
        }
    });
    let shop = Arc::new(Shop::with(gateway).await);
    let order = shop.placed().await;
    let id = order.id;
    let ask = move |shop: Arc<Shop>| async move { shop.app.create_payment_intent(&by_id(id), &Access::All).await };
    ask(Arc::clone(&shop)).await.unwrap();
    let at_once: Vec<_> = (0..20).map(|_| tokio::spawn(ask(Arc::clone(&shop)))).collect();
    for requested in at_once {
        requested.await.unwrap().unwrap();
    }
    ask(Arc::clone(&shop)).await.unwrap();
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    shop.clock.advance_seconds(1);
    ask(Arc::clone(&shop)).await.unwrap();
    assert_eq!(reads.load(Ordering::SeqCst), 2, "after a second the intent is read again");
}

#[tokio::test]
async fn a_request_with_an_unknown_outcome_is_sent_again_with_the_same_key() {
    let mut gateway = MockGateway::new();
    let calls = AtomicU32::new(0);
    gateway.expect_create_intent().times(2).returning(move |new, key| {
        assert!(key.ends_with(":1:1"), "{key}");
        match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(GatewayError::Unknown("the line went dead".into())),
            _ => Ok(issued("pi_one", new, at(NOW))),
        }
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let lost = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await;
    assert!(matches!(lost, Err(CreatePaymentIntentError::Gateway(GatewayError::Unknown(_)))), "{lost:?}");
    assert!(shop.order(&order).await.requested.is_some(), "the request is still open");
    shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    assert_eq!(shop.order(&order).await.requested, None);
}

#[tokio::test]
async fn a_definite_refusal_is_stored_and_the_next_call_is_a_new_attempt() {
    let mut gateway = MockGateway::new();
    let calls = AtomicU32::new(0);
    gateway.expect_create_intent().times(2).returning(move |new, key| {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            let code = Some("amount_too_small".into());
            return Err(GatewayError::Refused(IntentError { code, ..IntentError::default() }));
        }
        assert!(key.ends_with(":1:2"), "{key}");
        Ok(issued("pi_two", new, at(NOW)))
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let refused = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await;
    assert!(matches!(refused, Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(_)))), "{refused:?}");
    let last = shop.facts(&order).await.pop();
    assert_eq!(last, Some("payment_intent.refused"));
    shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
}

#[tokio::test]
async fn an_intent_that_was_canceled_at_stripe_is_followed_by_another() {
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().times(1).returning(|id| {
        let order = paywright_testkit::place(1).order;
        Ok(IssuedIntent {
            snapshot: update(&order, id, IntentStatus::Canceled),
            client_secret: Some("x".into()),
            request: None,
        })
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let first = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    let second = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    assert_eq!(second.order.intents.len(), 2, "the first intent stays with the order");
    assert_ne!(second.order.payable_intent().map(|it| &it.id), first.order.payable_intent().map(|it| &it.id));
}

#[tokio::test]
async fn an_intent_that_was_paid_meanwhile_pays_the_order_and_is_not_returned() {
    let mut gateway = issuing_gateway(at(NOW));
    gateway.expect_intent().times(1).returning(|id| {
        let order = paywright_testkit::place(1).order;
        Ok(IssuedIntent {
            snapshot: update(&order, id, IntentStatus::Succeeded),
            client_secret: Some("x".into()),
            request: None,
        })
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    let again = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await;
    assert!(matches!(again, Err(CreatePaymentIntentError::Request(RequestIntentError::Paid))), "{again:?}");
    assert_eq!(shop.order(&order).await.state.name(), "paid");
}

#[tokio::test]
async fn an_order_of_another_customer_is_not_found_and_makes_no_call_to_stripe() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    for access in [Access::Customer(CustomerId::new("cus-eve").unwrap()), Access::Order(paywright_testkit::order_id(9))]
    {
        let refused = shop.app.create_payment_intent(&by_id(order.id), &access).await;
        assert!(matches!(refused, Err(CreatePaymentIntentError::Order(GetOrderError::NotFound))), "{access:?}");
    }
}

/// An address that Stripe refuses must not prevent a payment.
#[tokio::test]
async fn an_email_that_stripe_refuses_is_left_out_with_a_notice() {
    let shop = Shop::open().await;
    shop.provider().refuses_emails();
    let order = shop.placed().await;
    let made = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    assert!(made.order.payable_intent().is_some());
    let keys = [format!("create pi:{}:1:1", order.id), format!("create pi:{}:1:2", order.id)];
    assert_eq!(shop.provider().calls(), keys);
    let reported: Vec<_> = made.order.anomalies.iter().map(|it| (it.kind.name(), it.reason.as_deref())).collect();
    assert_eq!(reported, [("receipt_email_refused", Some("ada@example.com"))]);
    assert_eq!(made.order.email, order.email, "the order keeps it");
    assert_eq!(made.order.payment_state().name(), "unpaid", "the payment is not prevented");
    let explained = shop.app.explain(&by_id(order.id), &Access::All).await.unwrap();
    let sentence = "Stripe refused the email address, so it sends no receipt (ada@example.com).";
    assert!(explained.because.contains(&sentence.to_owned()), "{:?}", explained.because);
    let facts = [
        "order.placed",
        "payment_intent.requested",
        "payment_intent.refused",
        "order.anomaly",
        "payment_intent.requested",
        "payment_intent.created",
    ];
    assert_eq!(shop.facts(&order).await, facts);
}

/// The answer to the refused request may be lost: its repetition is identical, and the next request has no address.
#[tokio::test]
async fn an_email_whose_refusal_was_lost_is_left_out_by_the_next_request() {
    let shop = Shop::open().await;
    shop.provider().refuses_emails();
    shop.provider().will([paywright_testkit::Trouble::LostAfter]);
    let order = shop.placed().await;
    assert!(shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.is_err());
    shop.after(crate::PROVIDER_TIMEOUT_SECONDS).await;
    let known = shop.order(&order).await;
    assert_eq!((known.requested, known.anomalies.len()), (None, 1), "the worker has found the refusal");
    let made = shop.app.create_payment_intent(&by_id(order.id), &Access::All).await.unwrap();
    assert_eq!((made.order.intents.len(), made.order.anomalies.len()), (1, 1));
}
