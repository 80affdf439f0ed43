use std::sync::Arc;

use paywright_app::{
    Access, AuditQuery, Case, IdempotencyKey, OrderRef, PaymentGateway, ProviderRefund, RefundPaymentError, cases_of,
};
use paywright_domain::Order;
use paywright_domain::anomaly::{AnomalyKind, NoticeKind};
use paywright_domain::id::{Epoch, RefundId};
use paywright_domain::order::PaymentState;
use paywright_domain::refund::{NewClosing, NewRefund, Refund, RefundError, RefundOrigin, RefundStatus};
use paywright_domain::text::Note;
use paywright_testkit::{Trouble, usd};
use uuid::Uuid;

use crate::{PROVIDER_TIMEOUT_SECONDS, Shop};

fn of(minor: i64) -> NewRefund {
    NewRefund { amount: Some(usd(minor)), ..NewRefund::default() }
}

fn key(text: &str) -> (IdempotencyKey, [u8; 32]) {
    (IdempotencyKey { scope: Uuid::nil(), key: text.into() }, [7; 32])
}

fn statuses(order: &Order) -> Vec<&'static str> {
    order.refunds.iter().map(|it| it.status.name()).collect()
}

#[tokio::test]
async fn a_refund_is_created_once_after_each_fault() {
    for trouble in Trouble::none_and_each_passing() {
        let shop = Shop::open().await;
        let order = shop.paid().await;
        shop.provider().will(trouble);
        shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let after = shop.order(&order).await;
        assert_eq!(statuses(&after), ["succeeded"], "{trouble:?}");
        assert_eq!(shop.provider().refunds_now().len(), 1, "{trouble:?}");
        assert_eq!(shop.tasks(&order).await, Vec::<String>::new(), "{trouble:?}");
        assert_eq!(after.payment_state(), PaymentState::PartiallyRefunded);
    }
}

/// A process dies between the commit and the call, or after the call: the next one finds the refund or creates it, even
/// when Stripe no longer has the key.
#[tokio::test]
async fn a_refund_whose_process_died_is_completed_by_another() {
    const TWO_DAYS: u32 = 2 * 86_400;
    for (trouble, pause) in [
        (Trouble::LostBefore, PROVIDER_TIMEOUT_SECONDS),
        (Trouble::LostAfter, PROVIDER_TIMEOUT_SECONDS),
        (Trouble::LostBefore, TWO_DAYS),
        (Trouble::LostAfter, TWO_DAYS),
    ] {
        let shop = Shop::open().await;
        let order = shop.paid().await;
        shop.provider().will([trouble]);
        shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
        shop.another().after(pause).await;
        assert_eq!(statuses(&shop.order(&order).await), ["succeeded"], "{trouble:?} {pause}");
        assert_eq!(shop.provider().refunds_now().len(), 1, "{trouble:?} {pause}");
    }
}

fn lost(order: &Order, number: u32, minor: i64) -> (ProviderRefund, String) {
    let name = format!("{}:{number}", order.id);
    let key = format!("refund:{name}");
    let intent = order.paid_by().unwrap().id.clone();
    (ProviderRefund { intent, amount: usd(minor), reason: None, name, epoch: None, request: None }, key)
}

/// A restore from a backup has lost a refund, and no epoch was begun: its number is given again.
#[tokio::test]
async fn a_refund_at_stripe_with_our_name_and_another_amount_is_stored_beside_ours() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let (refund, key) = lost(&order, 1, 500);
    shop.provider().create_refund(&refund, &key).await.unwrap();
    let made = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(700), None).await.unwrap();
    assert_eq!((made.refund.amount, made.refund.number), (usd(700), 1));
    shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    let after = shop.order(&order).await;
    let amounts: Vec<_> = after.refunds.iter().map(|it| (it.amount, it.status.name(), it.origin.name())).collect();
    assert_eq!(amounts, [(usd(700), "succeeded", "shop"), (usd(500), "succeeded", "provider")]);
    let kinds: Vec<_> = after.anomalies.iter().map(|it| it.kind).collect();
    let differs = NoticeKind::RefundDiffers { refund: 1, requested: usd(700), made: usd(500) };
    assert_eq!(kinds, [AnomalyKind::Notice(differs)]);
    assert_eq!(shop.provider().refunds_now().len(), 2);
}

#[tokio::test]
async fn a_refund_of_a_later_epoch_is_not_a_lost_one_with_the_same_number_and_amount() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let (refund, key) = lost(&order, 1, 500);
    shop.provider().create_refund(&refund, &key).await.unwrap();
    shop.store.installations.begin_epoch(Epoch(7)).await.unwrap();
    let made = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
    assert_eq!((made.refund.status.name(), made.refund.epoch), ("succeeded", Some(Epoch(7))));
    assert_eq!(shop.provider().refunds_now().len(), 2);
}

/// Pain 2, over the store: many concurrent refunds.
#[tokio::test]
async fn concurrent_refunds_never_exceed_the_amount_received() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let (app, id) = (shop.app.clone(), order.id);
            tokio::spawn(async move { app.refund_payment(&OrderRef::Id(id), &Access::All, &of(6000), None).await })
        })
        .collect();
    let mut given = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => given += 1,
            Err(error) => assert!(matches!(error, RefundPaymentError::Refused(RefundError::Amount { .. })), "{error}"),
        }
    }
    assert_eq!((given, shop.provider().refunds_now().len()), (2, 2), "two 60s of 121.85");
}

#[tokio::test]
async fn a_repeated_request_is_one_refund_and_a_different_one_with_its_key_is_refused() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let which = OrderRef::Id(order.id);
    let racers: Vec<_> = (0..6)
        .map(|_| {
            let (app, which) = (shop.app.clone(), which.clone());
            tokio::spawn(
                async move { app.refund_payment(&which, &Access::All, &of(500), Some(key("r-1"))).await.unwrap() },
            )
        })
        .collect();
    let mut numbers = Vec::new();
    for racer in racers {
        numbers.push(racer.await.unwrap().refund.number);
    }
    assert_eq!(numbers, [1; 6]);
    assert_eq!(shop.provider().refunds_now().len(), 1);
    let again = shop.app.refund_payment(&which, &Access::All, &NewRefund::default(), Some(key("r-1"))).await.unwrap();
    assert!(again.replayed);
    let other = Some((key("r-1").0, [8; 32]));
    let reused = shop.app.refund_payment(&which, &Access::All, &of(600), other).await;
    assert!(matches!(reused, Err(RefundPaymentError::KeyReused)), "{reused:?}");
    let elsewhere = shop.paid().await;
    let reused = shop.app.refund_payment(&OrderRef::Id(elsewhere.id), &Access::All, &of(500), Some(key("r-1"))).await;
    assert!(matches!(reused, Err(RefundPaymentError::KeyReused)), "{reused:?}");
}

#[tokio::test]
async fn a_pending_refund_is_polled_to_its_end() {
    let shop = Shop::open().await;
    shop.provider().refunds_slowly();
    let order = shop.paid().await;
    let requested = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
    assert_eq!(requested.refund.status, RefundStatus::Pending);
    assert_eq!(shop.tasks(&order).await, ["refund:1"]);
    shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    shop.provider().decide_refund(&RefundId::new("re_1").unwrap(), RefundStatus::Succeeded);
    shop.after(86_400).await;
    assert_eq!(statuses(&shop.order(&order).await), ["succeeded"]);
    assert_eq!(shop.tasks(&order).await, Vec::<String>::new());
    // Days later the bank returns it, and no webhook is delivered.
    shop.provider().decide_refund(&RefundId::new("re_1").unwrap(), RefundStatus::Failed);
    shop.after(600).await;
    let after = shop.order(&order).await;
    assert_eq!((statuses(&after), after.payment_state()), (vec!["failed"], PaymentState::Paid));
    let failed = AnomalyKind::Notice(NoticeKind::RefundFailed { refund: 1 });
    assert_eq!(after.anomalies.iter().map(|it| it.kind).collect::<Vec<_>>(), [failed]);
}

/// Two people close the same refund at once: it is closed once, on record, and no longer waits for anyone.
#[tokio::test]
async fn a_failed_refund_is_closed_once_and_on_record() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    shop.provider().will([Trouble::Refuses("expired_or_canceled_card")]);
    let which = OrderRef::Id(order.id);
    shop.app.refund_payment(&which, &Access::All, &of(500), None).await.unwrap();
    let failed = shop.order(&order).await;
    assert!(matches!(cases_of(&failed)[..], [Case::RefundFailed(Refund { number: 1, .. })]), "{failed:?}");
    let new = |note: &str| NewClosing { amount: None, note: Note::new(note).unwrap() };
    let cash = new("in cash");
    let (one, two) = tokio::join!(shop.app.close_refund(&which, 1, &cash), shop.app.close_refund(&which, 1, &cash));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.is_note_stored && one == two, "the same note: {one:?}, {two:?}");
    let other = shop.app.close_refund(&which, 1, &new("by transfer")).await.unwrap();
    assert_eq!((other.refund, other.is_note_stored), (one.refund, false));
    let closed = shop.order(&order).await;
    assert_eq!((cases_of(&closed).len(), closed.payment_state()), (0, PaymentState::Paid));
    let query = AuditQuery { older_than: None, subject: Some(order.id.to_string()), key: None, limit: 10 };
    let entries = shop.store.audit_trail.audit_entries(&query).await.unwrap();
    let closings: Vec<_> = entries.iter().filter(|it| it.act.name() == "refund.closed").collect();
    let intent = &order.paid_by().unwrap().id;
    let what = format!("failed refund 1 from {intent} closed, 5.00 USD went back in another way: \"in cash\"");
    assert_eq!(closings.iter().map(|it| it.act.to_string()).collect::<Vec<_>>(), [what]);
    let explained = shop.app.explain(&which, &Access::All).await.unwrap();
    assert!(explained.because.iter().any(|it| it.contains("; it was closed at ")), "{explained:?}");
    let moment = explained.timeline.iter().find(|it| it.kind == "refund.closed").unwrap();
    assert_eq!(moment.note.as_deref(), Some("in cash"));
    assert!(!moment.sentence.contains("cash"), "the note is for the shop alone: {}", moment.sentence);
}

/// Pain 18: also where it refunds the whole payment while a refund of the shop is requested.
#[tokio::test]
async fn a_refund_made_in_the_dashboard_is_stored() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    shop.provider().refund_at_dashboard(&intent, order.total);
    // No event has reported it yet: Stripe refuses the shop's refund, and its list says why.
    let requested = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
    assert_eq!(requested.refund.status, RefundStatus::Failed);
    let after = shop.order(&order).await;
    let origins: Vec<_> = after.refunds.iter().map(|it| (it.origin, it.status)).collect();
    let expected = [(RefundOrigin::Shop, RefundStatus::Failed), (RefundOrigin::Provider, RefundStatus::Succeeded)];
    assert_eq!(origins, expected);
    assert_eq!(after.payment_state(), PaymentState::Refunded);
    let more = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(1), None).await;
    assert!(matches!(more, Err(RefundPaymentError::Refused(RefundError::NothingLeft))), "{more:?}");
}

#[tokio::test]
async fn a_refund_that_the_balance_cannot_cover_is_requested_again_later() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    shop.provider().will([Trouble::Refuses("balance_insufficient"), Trouble::Refuses("balance_insufficient")]);
    let requested = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &of(500), None).await.unwrap();
    assert_eq!((requested.refund.status, requested.refund.attempt), (RefundStatus::Requested, 2));
    for _ in 0..3 {
        shop.after(2 * 3600).await;
    }
    let after = shop.order(&order).await;
    assert_eq!((statuses(&after), after.anomalies.len()), (vec!["succeeded"], 1));
    let keys: std::collections::BTreeSet<_> = shop.provider().calls().into_iter().collect();
    assert_eq!(keys.iter().filter(|it| it.starts_with("refund")).count(), 3, "{keys:?}");
}

/// Pain 1 and 13: the second payment is refunded once, however often it is reported, and the first stays.
#[tokio::test]
async fn a_second_payment_is_refunded_automatically_and_once() {
    let shop = Arc::new(Shop::open().await);
    let order = shop.paid().await;
    let first = order.paid_by().unwrap().id.clone();
    // Another channel created an intent of its own for the same order, which was paid too.
    let stray = shop.app.create_payment_intent(&OrderRef::Id(shop.placed().await.id), &Access::All).await.unwrap();
    let intent = stray.order.payable_intent().unwrap().id.clone();
    shop.provider().pay(&intent);
    let second = paywright_domain::IntentSnapshot {
        intent: paywright_domain::IntentId::new("pi_second").unwrap(),
        order: Some(order.id),
        ..shop.provider().intent_now(&intent)
    };
    shop.provider().adds(second.clone());
    for _ in 0..3 {
        shop.app.settle_from_provider(&second).await.unwrap();
    }
    assert_eq!(shop.waker.woken(), 1, "the worker is woken for it");
    shop.after(0).await;
    shop.after(86_400).await;
    let after = shop.order(&order).await;
    let refunds: Vec<_> = after.refunds.iter().map(|it| (it.origin, &it.intent, it.status)).collect();
    assert_eq!(refunds, [(RefundOrigin::Policy, &second.intent, RefundStatus::Succeeded)]);
    assert_eq!((after.payment_state(), after.refunded_of(&first)), (PaymentState::Paid, 0));
    assert_eq!(shop.provider().refunds_now().len(), 1);
}
