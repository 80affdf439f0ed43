use std::sync::Arc;

use paywright_app::{AcceptPaymentError, Access, AuditQuery, OrderRef, SettleFromProviderError};
use paywright_domain::intent::{AcceptError, IntentStatus, NewAcceptance};
use paywright_domain::order::{OrderState, PaymentState};
use paywright_domain::text::Note;
use paywright_domain::{Fact, IntentId};
use paywright_testkit::{at, issuing_gateway, order_id, usd};

use crate::{NOW, Shop, update};

async fn issued(shop: &Shop) -> (paywright_domain::Order, IntentId) {
    let order = shop.placed().await;
    let made = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
    let intent = made.order.payable_intent().unwrap().id.clone();
    (made.order, intent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_event_pays_once() {
    let shop = Arc::new(Shop::with(issuing_gateway(at(NOW))).await);
    let (order, intent) = issued(&shop).await;
    let deliveries: Vec<_> = (0..64)
        .map(|_| {
            let (shop, event) = (Arc::clone(&shop), update(&order, &intent, IntentStatus::Succeeded));
            tokio::spawn(async move { shop.app.settle_from_provider(&event).await.unwrap() })
        })
        .collect();
    for delivery in deliveries {
        assert_eq!(delivery.await.unwrap().payment_state(), PaymentState::Paid);
    }
    let paid = shop.facts(&order).await.into_iter().filter(|it| *it == "order.paid").count();
    assert_eq!(paid, 1);
}

#[tokio::test]
async fn events_in_any_sequence_pay_the_order() {
    use IntentStatus::{Processing, RequiresAction, RequiresPaymentMethod, Succeeded};
    for sequence in [
        [Succeeded, Processing, RequiresAction],
        [Processing, Succeeded, RequiresPaymentMethod],
        [RequiresAction, RequiresPaymentMethod, Succeeded],
    ] {
        let shop = Shop::with(issuing_gateway(at(NOW))).await;
        let (order, intent) = issued(&shop).await;
        for status in sequence {
            shop.app.settle_from_provider(&update(&order, &intent, status)).await.unwrap();
        }
        assert_eq!(shop.order(&order).await.state, OrderState::Paid { by: intent, at: at(NOW) }, "{sequence:?}");
    }
}

#[tokio::test]
async fn an_intent_whose_answer_was_lost_is_found_by_its_event() {
    let mut gateway = paywright_testkit::MockGateway::new();
    gateway.expect_create_intent().returning(|_, _| Err(paywright_app::GatewayError::Unknown("lost".into())));
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let lost = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await;
    assert!(lost.is_err());
    let intent = IntentId::new("pi_lost").unwrap();
    let paid = shop.app.settle_from_provider(&update(&order, &intent, IntentStatus::Succeeded)).await.unwrap();
    assert_eq!((paid.payment_state(), paid.requested), (PaymentState::Paid, None));
}

#[tokio::test]
async fn an_intent_settles_its_own_order_whatever_order_its_metadata_names() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    let (other, _) = shop.payable().await;
    let mut event = update(&order, &intent, IntentStatus::Succeeded);
    event.order = Some(other.id);
    let paid = shop.app.settle_from_provider(&event).await.unwrap();
    assert_eq!((paid.id, paid.payment_state()), (order.id, PaymentState::Paid));
    assert_eq!(shop.order(&other).await, other);
}

#[tokio::test]
async fn foreign_and_unknown_intents_change_nothing() {
    let shop = Shop::with(issuing_gateway(at(NOW))).await;
    let (order, _) = issued(&shop).await;
    let mut foreign = update(&order, &IntentId::new("pi_foreign").unwrap(), IntentStatus::Succeeded);
    foreign.order = None;
    let reported = shop.app.settle_from_provider(&foreign).await;
    assert!(matches!(reported, Err(SettleFromProviderError::Foreign)), "{reported:?}");
    foreign.order = Some(order_id(99));
    let reported = shop.app.settle_from_provider(&foreign).await;
    assert!(matches!(reported, Err(SettleFromProviderError::UnknownOrder)), "{reported:?}");
    assert_eq!(shop.order(&order).await, order);
}

#[tokio::test]
async fn a_payment_of_another_amount_is_held_for_review_once() {
    let shop = Shop::with(issuing_gateway(at(NOW))).await;
    let (order, intent) = issued(&shop).await;
    let mut short = update(&order, &intent, IntentStatus::Succeeded);
    short.received = usd(1);
    for _ in 0..2 {
        let held = shop.app.settle_from_provider(&short).await.unwrap();
        assert_eq!(held.payment_state(), PaymentState::Review);
    }
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    let anomalies = facts.iter().filter(|it| matches!(it.fact, Fact::AnomalyFound { .. })).count();
    assert_eq!(anomalies, 1);
}

/// Two people accept the same money at once, and Stripe's event is delivered again: it pays the order once.
#[tokio::test]
async fn money_of_another_amount_is_accepted_once_and_on_record() {
    let shop = Shop::with(issuing_gateway(at(NOW))).await;
    let (order, intent) = issued(&shop).await;
    let mut short = update(&order, &intent, IntentStatus::Succeeded);
    short.received = usd(10_000);
    shop.app.settle_from_provider(&short).await.unwrap();
    let which = OrderRef::Id(order.id);
    let new = |minor| NewAcceptance { intent: None, amount: Some(usd(minor)), note: Note::new("a coupon").unwrap() };
    let other = shop.app.accept_payment(&which, &new(11_200)).await;
    let received = usd(10_000);
    assert!(matches!(other, Err(AcceptPaymentError::Refused(AcceptError::Amount { received: it })) if it == received));
    let one = new(10_000);
    let (first, second) = tokio::join!(shop.app.accept_payment(&which, &one), shop.app.accept_payment(&which, &one));
    let accepted = first.unwrap().order;
    assert_eq!(accepted.payment_state(), PaymentState::Paid);
    let second = second.unwrap();
    assert_eq!((second.order, second.is_note_stored), (accepted.clone(), true), "the same note");
    let other = NewAcceptance { note: Note::new("a voucher").unwrap(), ..new(10_000) };
    assert!(!shop.app.accept_payment(&which, &other).await.unwrap().is_note_stored);
    let again = shop.app.settle_from_provider(&short).await.unwrap();
    assert_eq!(again.payment_state(), PaymentState::Paid);
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    for kind in ["payment_intent.accepted", "order.paid"] {
        assert_eq!(facts.iter().filter(|it| it.fact.kind() == kind).count(), 1, "{kind}");
    }
    let query = AuditQuery { older_than: None, subject: Some(order.id.to_string()), key: None, limit: 10 };
    let entries = shop.store.audit_trail.audit_entries(&query).await.unwrap();
    let acts: Vec<_> = entries.iter().map(|it| (it.act.name(), it.act.to_string())).collect();
    let what = format!("100.00 USD of {intent} accepted, where {} was due: \"a coupon\"", order.total);
    assert_eq!(acts, [("payment_intent.accepted", what)]);
    let explained = shop.app.explain(&which, &Access::All).await.unwrap();
    assert!(explained.because.iter().any(|it| it.contains("a person accepted it as the payment")), "{explained:?}");
}
