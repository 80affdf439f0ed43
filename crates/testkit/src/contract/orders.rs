//! Cases of commits and reads of the port [`Orders`](paywright_app::Orders).

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use paywright_app::{Actor, Cause, Changes, IdempotencyKey, OrderQuery, OrderRef, StoreError, Version, Versioned};
use paywright_domain::anomaly::{NoticeKind, Policies};
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::id::{DisputeId, ProviderCustomerId, RefundId};
use paywright_domain::intent::{IntentError, IntentStatus, NewAcceptance, Proceeds, SnapshotSource};
use paywright_domain::money::Percent;
use paywright_domain::order::{CancelReason, OrderData, OrderEdit, Payer, TaxRateDetails};
use paywright_domain::refund::{NewClosing, NewRefund, RefundError, RefundReason, RefundSnapshot, RefundStatus};
use paywright_domain::task::ProviderFailure;
use paywright_domain::text::{Email, Note};
use paywright_domain::{Currency, Decision, Fact, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId};
use uuid::Uuid;

use super::{NOW, Subject, by_id, first, is_conflict, lease, paid, record, requested, stored, then, update, with_task};
use crate::{at, audit_entry_at, edit_of_lines, new_order, order_id, place, usd};

pub use super::idempotency::*;
pub use super::order_lists::*;

/// All fields of an order are written and read.
pub async fn a_stored_order_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let decision = place(1);
    let order = decision.order.clone();
    store.commit(first(decision)).await.unwrap();
    assert_eq!(stored(&*store, 1).await, Versioned { version: Version(1), value: order });
}

/// An edit of nothing but the rate of a tax is written; one that removes it, too.
pub async fn an_edited_rate_of_a_tax_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let decision = place(1);
    let mut order = decision.order.clone();
    store.commit(first(decision)).await.unwrap();
    let details = |percent: &str| TaxRateDetails { percent: Percent::parse(percent).unwrap(), country: None };
    for (version, rate) in [(1, Some(details("0"))), (2, Some(details("100"))), (3, None), (4, Some(details("6.3875")))]
    {
        let mut adjustments = order.adjustments.clone();
        for tax in adjustments.iter_mut().filter(|it| it.kind.is_tax()) {
            tax.tax_rate_details = rate;
        }
        let edit = OrderEdit { adjustments: Some(adjustments.clone()), ..OrderEdit::default() };
        let edited = order.edit(edit, at(NOW + 1)).unwrap();
        assert_eq!(edited.order.adjustments, adjustments);
        order = edited.order.clone();
        store.commit(then(version, edited)).await.unwrap();
        assert_eq!(stored(&*store, 1).await.value, order);
    }
}

/// New orders are checked, stored ones are not: the rules may have been others when they were stored.
pub async fn an_order_stored_before_the_present_limits_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let placed = place(1);
    let mut data = OrderData::clone(&placed.order);
    data.lines = vec![LineItem::new("Bone", usd(100_000_000), 1).unwrap()];
    data.adjustments = Vec::new();
    data.total = usd(100_000_000);
    assert!(Email::new("x@gmail").is_err());
    data.email = Some(Email::restore("x@gmail").unwrap());
    let order = Order::restore(data).unwrap();
    let new = NewOrder { lines: order.lines.clone(), ..NewOrder::empty(Currency::Usd) };
    assert!(Order::place(order.id, new, at(NOW)).is_err(), "it is above Stripe's maximum");
    store.commit(first(Decision { order: order.clone(), ..placed })).await.unwrap();
    assert_eq!(stored(&*store, 1).await.value, order);
}

/// A notice is recorded for an order before it has an intent.
pub async fn a_notice_without_an_intent_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    let asked = requested(&place(1).order);
    let request = asked.order.requested.unwrap();
    store.commit(then(1, asked.clone())).await.unwrap();
    let failure = ProviderFailure::Refused(IntentError::of_code(IntentError::EMAIL_INVALID));
    let refused = asked.order.intent_request_failed(request, &failure, at(NOW + 1));
    let after = refused.order.clone();
    assert_eq!(after.anomalies.iter().map(|it| &it.intent).collect::<Vec<_>>(), [&None]);
    store.commit(then(2, refused)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.value, after);
}

/// An order is edited, requested, created at Stripe, declined, paid and held; another one is canceled.
pub async fn an_order_in_every_state_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let mut order = place(1).order;
    let mut version = 0;
    let mut commit = async |decision: Decision| {
        let after = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
        version += 1;
        assert_eq!(stored(&*store, 1).await, Versioned { version: Version(version), value: after.clone() });
        after
    };
    commit(place(1)).await;
    order = commit(order.edit(edit_of_lines(700), at(NOW + 1)).unwrap()).await;
    let payer = Some(Payer { customer: Some(ProviderCustomerId::new("cus_eve").unwrap()), payment_method: None });
    order = commit(order.edit(OrderEdit { payer, ..OrderEdit::default() }, at(NOW + 2)).unwrap()).await;
    order = commit(requested(&order)).await;
    let error = IntentError { code: Some("card_declined".into()), decline_code: None, message: Some("No.".into()) };
    let declined =
        IntentSnapshot { last_error: Some(error), ..update(&order, "pi_1", IntentStatus::RequiresPaymentMethod) };
    order = commit(order.settle(&declined, &Policies::DEFAULT, at(NOW + 2)).unwrap()).await;
    order =
        commit(order.settle(&update(&order, "pi_1", IntentStatus::Canceled), &Policies::DEFAULT, at(NOW + 3)).unwrap())
            .await;
    order = commit(requested(&order)).await;
    let authorized = IntentSnapshot { capturable: usd(700), ..update(&order, "pi_2", IntentStatus::RequiresCapture) };
    order = commit(order.settle(&authorized, &Policies::DEFAULT, at(NOW + 4)).unwrap()).await;
    order = commit(
        order.settle(&update(&order, "pi_2", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW + 5)).unwrap(),
    )
    .await;
    order = commit(
        order.settle(&update(&order, "pi_3", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW + 6)).unwrap(),
    )
    .await;
    assert_eq!((order.intents.len(), order.anomalies.len(), order.state.name()), (3, 1, "paid"));

    let canceled = place(2).order.cancel(CancelReason::Abandoned, at(NOW + 7)).unwrap();
    store.commit(first(place(2))).await.unwrap();
    let after = canceled.order.clone();
    store.commit(then(1, canceled)).await.unwrap();
    assert_eq!(stored(&*store, 2).await.value, after);
}

/// Money of other amounts is held, with a notice after it, and accepted; more money is held again.
pub async fn an_accepted_payment_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    store.commit(first(place(1))).await.unwrap();
    let received = |seconds, minor| IntentSnapshot {
        received: usd(minor),
        as_of: at(NOW + seconds),
        as_of_max: at(NOW + seconds),
        ..update(&order, "pi_1", IntentStatus::Succeeded)
    };
    let short = order.settle(&received(1, 100), &Policies::DEFAULT, at(NOW + 1)).unwrap();
    let intent = IntentId::new("pi_1").unwrap();
    let warned = short.order.notice(&intent, NoticeKind::EarlyFraudWarning, None, at(NOW + 2));
    let note = Note::new("the customer\npays the rest in cash").unwrap();
    let new = NewAcceptance { intent: None, amount: Some(usd(100)), note };
    let accepted = warned.order.accept_payment(&new, at(NOW + 3)).unwrap();
    let grown = accepted.order.settle(&received(4, 200), &Policies::DEFAULT, at(NOW + 4)).unwrap();
    let new = NewAcceptance { amount: Some(usd(200)), ..new };
    let again = grown.order.accept_payment(&new, at(NOW + 5)).unwrap();
    for ((decision, version), is_held) in
        [short, warned, accepted, grown, again].into_iter().zip(1..).zip([true, true, false, true, false])
    {
        let after = decision.order.clone();
        assert_eq!(after.is_held_for_review(), is_held, "{version}");
        store.commit(then(version, decision)).await.unwrap();
        assert_eq!(stored(&*store, 1).await.value, after, "{version}");
    }
    let facts: Vec<_> = store.facts(order_id(1)).await.unwrap().into_iter().map(|it| it.fact.kind()).collect();
    assert_eq!(facts.iter().filter(|it| **it == "payment_intent.accepted").count(), 2, "{facts:?}");
}

/// Of two refunds, the first fails and is closed.
pub async fn a_closed_refund_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let paid =
        place(1).order.settle(&update(&place(1).order, "pi_1", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW));
    let paid = paid.unwrap();
    store.commit(first(place(1))).await.unwrap();
    let refunded = |order: &Order, minor| {
        let new = NewRefund { amount: Some(usd(minor)), ..NewRefund::default() };
        order.refund(&new, at(NOW + 1)).unwrap().0
    };
    let (one, refused) = (refunded(&paid.order, 200), ProviderFailure::Refused(IntentError::default()));
    let two = refunded(&one.order, 100);
    let failed = two.order.refund_request_failed(1, 1, &refused, at(NOW + 2));
    let note = Note::new("sent to the bank account\nof the customer").unwrap();
    let new = NewClosing { amount: Some(usd(60)), note: note.clone() };
    let closed = failed.order.close_refund(1, &new, at(NOW + 3)).unwrap();
    for (decision, version) in [paid, one, two, failed, closed].into_iter().zip(1..) {
        let after = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
        assert_eq!(stored(&*store, 1).await.value, after, "{version}");
    }
    let last = store.facts(order_id(1)).await.unwrap().pop().unwrap().fact;
    let intent = IntentId::new("pi_1").unwrap();
    assert_eq!(last, Fact::RefundClosed { refund: 1, provider_id: None, intent, amount: usd(60), note });
}

/// An event reports a payment, a first read from Stripe does not confirm it, and a later one does.
pub async fn the_confirmation_of_a_payment_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    store.commit(first(place(1))).await.unwrap();
    let reported = update(&order, "pi_1", IntentStatus::Succeeded);
    let answer = IntentSnapshot { source: SnapshotSource::Answer, ..reported.clone() };
    let paid = order.settle(&reported.delivered_by_webhook(), &Policies::DEFAULT, at(NOW)).unwrap();
    let read = |order: &Order, answer: Option<&IntentSnapshot>, seconds| {
        order.payment_read(&IntentId::new("pi_1").unwrap(), answer, &Policies::DEFAULT, at(NOW + seconds)).unwrap()
    };
    let held = read(&paid.order, None, 1);
    let confirmed = read(&held.order, Some(&answer), 2);
    for (version, decision, confirmed_at) in [(1, paid, None), (2, held, None), (3, confirmed, Some(at(NOW + 2)))] {
        let after = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
        let stored = stored(&*store, 1).await.value;
        assert_eq!((stored.intents[0].confirmed_at, &stored), (confirmed_at, &after));
        let tasks = store.tasks(order.id).await.unwrap();
        let is_task_stored = tasks.iter().any(|it| it.task.key().as_str() == "confirm_payment:pi_1");
        assert_eq!(is_task_stored, confirmed_at.is_none());
    }
}

/// Each reference finds the same order.
pub async fn an_order_is_found_by_id_number_and_any_of_its_intents(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    store.commit(first(place(2))).await.unwrap();
    let order = place(1).order;
    let issued = order.settle(&update(&order, "pi_1", IntentStatus::Canceled), &Policies::DEFAULT, at(NOW)).unwrap();
    let order = issued.order.clone();
    store.commit(then(1, issued)).await.unwrap();
    let second = order.settle(&update(&order, "pi_2", IntentStatus::Processing), &Policies::DEFAULT, at(NOW)).unwrap();
    store.commit(then(2, second)).await.unwrap();
    let intent = |id: &str| OrderRef::Intent(IntentId::new(id).unwrap());
    for name in [by_id(1), OrderRef::Number(order.number.clone()), intent("pi_1"), intent("pi_2")] {
        let found = store.order(&name).await.unwrap().map(|it| (it.value.id, it.version));
        assert_eq!(found, Some((order.id, Version(3))), "{name:?}");
    }
}

/// A missing row is not an error.
pub async fn a_missing_row_is_read_as_none(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    assert_eq!(store.order(&by_id(1)).await.unwrap(), None);
    assert_eq!(store.order(&OrderRef::Number(order.number.clone())).await.unwrap(), None);
    assert_eq!(store.order(&OrderRef::Intent(IntentId::new("pi_1").unwrap())).await.unwrap(), None);
    assert_eq!(store.facts(order.id).await.unwrap(), []);
    let query = OrderQuery::newest(10);
    assert_eq!(store.orders(&query).await.unwrap(), []);
    assert_eq!(store.api_key(&[0; 32]).await.unwrap(), None);
    let key = IdempotencyKey { scope: Uuid::nil(), key: "k".into() };
    assert_eq!(store.idempotency_record(&key).await.unwrap(), None);
    assert!(!store.revoke_api_key(Uuid::nil(), &audit_entry_at(at(NOW))).await.unwrap());
    store.probe().await.unwrap();
}

/// Order, facts, tasks and idempotency record stay as they were.
pub async fn a_commit_of_a_stale_version_writes_nothing(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    store.commit(first(place(1))).await.unwrap();
    let key = IdempotencyKey { scope: Uuid::nil(), key: "k".into() };
    for stale in [2, 7] {
        let mut changes = then(stale, requested(&order));
        changes.idempotency = Some(record(&key, order.id));
        assert!(is_conflict(&store.commit(changes).await), "{stale}");
    }
    let mut missing = then(1, requested(&place(2).order));
    missing.idempotency = Some(record(&key, order_id(2)));
    assert!(is_conflict(&store.commit(missing).await), "an order that is not stored has no version");
    assert_eq!(stored(&*store, 1).await, Versioned { version: Version(1), value: order.clone() });
    assert_eq!(store.facts(order.id).await.unwrap().len(), 1);
    assert_eq!(store.idempotency_record(&key).await.unwrap(), None);
    assert_eq!(lease(&*store, 1, NOW + 1_000_000, NOW + 2_000_000).await, []);
}

/// A new order never replaces a stored one.
pub async fn an_order_with_a_used_id_or_number_is_a_conflict(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    assert!(is_conflict(&store.commit(first(place(1))).await));
    // Another id with the same last bits, on the same day, makes the same number.
    let similar = OrderId(Uuid::from_u128(order_id(1).0.as_u128() ^ (1 << 40)));
    let same_number = Order::place(similar, new_order(), at(NOW)).unwrap();
    assert_eq!(same_number.order.number, place(1).order.number);
    assert!(is_conflict(&store.commit(first(same_number)).await));
    assert_eq!(store.order(&OrderRef::Id(similar)).await.unwrap(), None);
}

/// 32 commits name the same version.
pub async fn one_of_many_concurrent_commits_of_a_version_succeeds(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    let order = place(1).order;
    let racers: Vec<_> = (0..32)
        .map(|n| {
            let store = Arc::clone(&store);
            let changes = then(1, order.edit(edit_of_lines(100 + n), at(NOW)).unwrap());
            let total = changes.order.total;
            tokio::spawn(async move { (store.commit(changes).await, total) })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        let (result, total) = racer.await.unwrap();
        assert!(result.is_ok() || is_conflict(&result), "{result:?}");
        if result.is_ok() {
            winners.push(total);
        }
    }
    let after = stored(&*store, 1).await;
    assert_eq!(winners, [after.value.total]);
    assert_eq!(after.version, Version(2));
}

/// Of commits that a store groups, one may fail without the others.
pub async fn a_failed_commit_does_not_affect_commits_of_other_orders(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1000))).await.unwrap();
    let racers: Vec<_> = (0..60)
        .map(|n| {
            let store = Arc::clone(&store);
            // Every third commit places an order that is stored already.
            let id = if n % 3 == 0 { 1000 } else { n };
            tokio::spawn(async move { (n, store.commit(first(place(id))).await) })
        })
        .collect();
    for racer in racers {
        let (n, result) = racer.await.unwrap();
        assert_eq!(is_conflict(&result), n % 3 == 0, "{n}: {result:?}");
        assert_eq!(store.order(&by_id(n)).await.unwrap().is_some(), n % 3 != 0, "{n}");
    }
}

/// 16 refunds of more than half the amount are decided on the same version.
pub async fn concurrent_refunds_do_not_exceed_the_received_amount(subject: &impl Subject) {
    let store = subject.store();
    let order = paid(&*store, 1).await;
    let racers: Vec<_> = (0..16)
        .map(|n| {
            let (store, order) = (Arc::clone(&store), order.clone());
            let new = NewRefund { amount: Some(usd(7000)), ..NewRefund::default() };
            tokio::spawn(async move { store.commit(then(2, order.refund(&new, at(NOW + n)).unwrap().0)).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    let after = stored(&*store, 1).await.value;
    assert_eq!((won, after.refunds.len()), (1, 1));
    assert_eq!(
        after.refund(&NewRefund { amount: Some(usd(7000)), ..NewRefund::default() }, at(NOW)).map(drop),
        Err(RefundError::Amount { left: after.left_of(&IntentId::new("pi_1").unwrap()) },)
    );
}

/// Each change of the proceeds, refunds and disputes of an order is written and read.
pub async fn refunds_and_disputes_are_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let mut order = paid(&*store, 1).await;
    let mut version = 2;
    let mut commit = async |decision: Decision| {
        let after = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
        version += 1;
        assert_eq!(stored(&*store, 1).await, Versioned { version: Version(version), value: after.clone() });
        after
    };
    let intent = IntentId::new("pi_1").unwrap();
    let balance = |minor| Money::new(minor, Currency::Eur).unwrap();
    let proceeds = Proceeds { gross: balance(11_200), fee: balance(350) };
    order = commit(order.proceeds_known(&intent, proceeds, at(NOW + 1))).await;
    let new = NewRefund { amount: Some(usd(700)), reason: Some(RefundReason::Duplicate), ..NewRefund::default() };
    order = commit(order.refund(&new, at(NOW + 1)).unwrap().0).await;
    let failure = ProviderFailure::Refused(IntentError::of_code("balance_insufficient"));
    order = commit(order.refund_request_failed(1, 1, &failure, at(NOW + 2))).await;
    order = commit(order.refund_request_failed(1, 2, &ProviderFailure::KeyExhausted, at(NOW + 2))).await;
    let name = order.refunds[0].name(order.id);
    let refund = |id: &str, name: Option<String>, status| RefundSnapshot {
        id: RefundId::new(id).unwrap(),
        name,
        intent: IntentId::new("pi_1").unwrap(),
        amount: usd(700),
        reason: None,
        status,
        failure: None,
        request: None,
    };
    order = commit(order.update_refund(&refund("re_1", Some(name), RefundStatus::Pending), at(NOW + 3)).unwrap()).await;
    order = commit(order.update_refund(&refund("re_2", None, RefundStatus::Succeeded), at(NOW + 4)).unwrap()).await;
    order = commit(order.update_refund(&refund("re_1", None, RefundStatus::Failed), at(NOW + 5)).unwrap()).await;
    let dispute = |status, due_by| Dispute {
        id: DisputeId::new("du_1").unwrap(),
        intent: IntentId::new("pi_1").unwrap(),
        amount: usd(700),
        status,
        reason: "fraudulent".into(),
        due_by,
        withdrawn: true,
        reinstated: status == DisputeStatus::Won,
    };
    let opened = dispute(DisputeStatus::NeedsResponse, Some(at(NOW + 900)));
    order = commit(order.update_dispute(&opened, at(NOW + 6)).unwrap()).await;
    order = commit(order.update_dispute(&dispute(DisputeStatus::Won, None), at(NOW + 7)).unwrap()).await;
    assert_eq!((order.refunds.len(), order.disputes.len(), order.anomalies.len()), (2, 1, 2));
}

/// An operation is stored with the content of its edit, too.
pub async fn a_cause_is_stored_with_its_facts(subject: &impl Subject) {
    let store = subject.store();
    let (order, _) = with_task(&*store, 1, NOW).await;
    let open = update(&order, "pi_1", IntentStatus::RequiresPaymentMethod);
    let issued = order.settle(&open, &Policies::DEFAULT, at(NOW)).unwrap();
    let order = issued.order.clone();
    let cause = Cause { source: "answer".into(), request: Some("req_1".into()), ..Cause::default() };
    store.commit(Changes { cause: Some(cause.clone()), ..then(2, issued) }).await.unwrap();
    let causes: Vec<_> = store.facts(order.id).await.unwrap().into_iter().map(|it| it.cause).collect();
    assert_eq!(causes, [None, None, Some(cause)]);
    let begun = order.edit(edit_of_lines(700), at(NOW + 1)).unwrap();
    let after = begun.order.clone();
    store.commit(then(3, begun)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.value, after);
    assert!(after.operation.is_some());
}

/// Each kind of actor is stored in the cause of an order's first fact.
pub async fn the_actor_of_a_change_is_stored_with_its_facts(subject: &impl Subject) {
    let store = subject.store();
    let actors = [
        Actor::ApiKey { key: Uuid::from_u128(7), key_name: "Kasse \u{1F6D2} \"1\"".into() },
        Actor::Operator { operator: "root".into() },
        Actor::Customer,
        Actor::CartToken,
        Actor::OrderToken,
        Actor::Stripe,
        Actor::Worker,
    ];
    for (id, actor) in (1..).zip(actors) {
        let cause = Some(Cause { actor: Some(actor), ..Cause::default() });
        let placed = place(id);
        let order = placed.order.id;
        store.commit(Changes { cause: cause.clone(), ..first(placed) }).await.unwrap();
        let facts = store.facts(order).await.unwrap();
        assert!(!facts.is_empty() && facts.iter().all(|it| it.cause == cause), "{cause:?}: {facts:?}");
    }
}

/// Facts are read in order, with the version of their commit, as they were decided.
pub async fn facts_are_stored_in_order_and_never_change(subject: &impl Subject) {
    let store = subject.store();
    let (order, _) = with_task(&*store, 1, NOW).await;
    let paid = order.settle(&update(&order, "pi_1", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW + 5)).unwrap();
    let decided = paid.facts.clone();
    let mut changes = then(2, paid);
    changes.at = at(NOW + 5);
    store.commit(changes).await.unwrap();
    let facts = store.facts(order.id).await.unwrap();
    let kinds: Vec<_> = facts.iter().map(|it| (it.version.0, it.fact.kind())).collect();
    assert_eq!(
        kinds,
        [
            (1, "order.placed"),
            (2, "payment_intent.requested"),
            (3, "payment_intent.created"),
            (3, "payment_intent.changed"),
            (3, "order.paid"),
        ]
    );
    let last: Vec<_> = facts.iter().filter(|it| it.version == Version(3)).map(|it| it.fact.clone()).collect();
    assert_eq!(last, decided);
    assert_eq!(facts.last().map(|it| it.at), Some(at(NOW + 5)));
}

/// The future of the commit is dropped before, while and after it runs.
pub async fn a_commit_whose_caller_is_dropped_is_complete_or_absent(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=40 {
        let key = IdempotencyKey { scope: Uuid::nil(), key: n.to_string() };
        let mut changes = first(place(n));
        changes.idempotency = Some(record(&key, order_id(n)));
        {
            let mut commit = pin!(store.commit(changes));
            let polled = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(()))));
            if polled.is_pending() && n % 2 == 0 {
                drop(tokio::time::timeout(Duration::from_micros(u64::from(n) * 20), commit).await);
            }
        }
        // The same order again, without the key: the commit waits for the end of the first.
        let done = is_conflict(&store.commit(first(place(n))).await);
        let order = store.order(&by_id(n)).await.unwrap().is_some();
        let facts = store.facts(order_id(n)).await.unwrap().len();
        let kept = store.idempotency_record(&key).await.unwrap().is_some();
        assert_eq!((order, facts, kept), (true, 1, done), "{n}");
    }
}

/// The error is `Corrupt`, and other orders can still be read.
pub async fn a_corrupt_row_is_reported_as_corrupt(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    store.commit(first(place(2))).await.unwrap();
    subject.damage(order_id(1)).await;
    let read = store.order(&by_id(1)).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert!(stored(&*store, 2).await.value == place(2).order);
}

/// A second store on the same data reads and changes the order.
pub async fn a_commit_is_visible_to_another_process(subject: &impl Subject) {
    subject.store().commit(first(place(1))).await.unwrap();
    let other = subject.reopened().await;
    assert_eq!(stored(&*other, 1).await.value, place(1).order);
    other.commit(then(1, requested(&place(1).order))).await.unwrap();
    assert_eq!(stored(&*subject.store(), 1).await.version, Version(2));
    let ids: BTreeSet<_> = [order_id(1)].into();
    let query = OrderQuery::newest(10);
    let listed: BTreeSet<_> = other.orders(&query).await.unwrap().iter().map(|it| it.id).collect();
    assert_eq!(listed, ids);
}
