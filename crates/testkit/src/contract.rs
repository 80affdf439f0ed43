//! Contract tests of the port [`Store`]. `store_contract!(fresh())` makes a test of each function, on the store that
//! `fresh()` returns.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{
    Actor, ApiKey, Cause, Changes, Cursor, CursorDue, EventClosing, EventStatus, IdempotencyKey, IdempotencyOutcome,
    IdempotencyRecord, LateTasks, Lease, LeasedEvent, OrderQuery, OrderRef, ProviderUpdate, ReceivedEvent, Rescheduled,
    Scope, Store, StoreError, StoredTask, TaskRelease, Version, Versioned,
};
use paywright_domain::{
    CancelReason, Currency, Decision, Dispute, DisputeId, DisputeStatus, Email, IntentError, IntentId, IntentSnapshot,
    IntentStatus, LineItem, Money, NewOrder, NewRefund, Order, OrderData, OrderEdit, OrderId, Payer, Policies,
    Proceeds, ProviderCustomerId, ProviderFailure, RefundError, RefundId, RefundReason, RefundSnapshot, RefundStatus,
    SnapshotSource, Task, TaskKind,
};
use tokio::join;
use uuid::Uuid;

use crate::{at, changes, edit_of_lines, new_order, order_id, place, usd};

/// Store under test, empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The port of the store.
    fn store(&self) -> Arc<dyn Store>;
    /// Opens the same data again, as another process would.
    async fn reopened(&self) -> Arc<dyn Store>;
    /// Writes an unknown currency into an order's row, without the store.
    async fn damage(&self, order: OrderId);
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`Subject`]; it may `.await`.
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr) => {
        $crate::store_contract! { $fresh;
            a_stored_order_is_read_unchanged
            an_order_stored_before_the_present_limits_is_read_unchanged
            a_notice_without_an_intent_is_read_unchanged
            an_order_in_every_state_is_read_unchanged
            the_confirmation_of_a_payment_is_read_unchanged
            an_order_is_found_by_id_number_and_any_of_its_intents
            a_missing_row_is_read_as_none
            a_commit_of_a_stale_version_writes_nothing
            an_order_with_a_used_id_or_number_is_a_conflict
            one_of_many_concurrent_commits_of_a_version_succeeds
            a_failed_commit_does_not_affect_commits_of_other_orders
            an_idempotency_record_is_stored_in_the_same_commit
            one_of_many_concurrent_requests_with_the_same_key_succeeds
            a_task_is_leased_once_until_its_lease_expires
            a_lease_or_due_time_beyond_the_maximum_is_ignored
            a_task_due_after_the_maximum_of_its_kind_is_rescheduled
            a_finished_task_is_deleted
            a_task_with_a_stored_key_is_not_stored_twice
            only_the_holder_of_a_lease_releases_a_task
            concurrent_refunds_do_not_exceed_the_received_amount
            refunds_and_disputes_are_read_unchanged
            a_cause_is_stored_with_its_facts
            the_actor_of_a_change_is_stored_with_its_facts
            an_event_is_stored_once_in_the_commit_of_its_change
            a_parked_event_is_leased_when_due_by_one_owner_at_a_time
            closed_events_are_deleted_by_age
            a_cursor_is_leased_when_due_by_one_owner_at_a_time
            paging_through_orders_misses_and_repeats_none
            a_customers_list_has_only_that_customers_orders
            the_completed_orders_of_a_customer_are_read_by_page_and_counted
            facts_are_stored_in_order_and_never_change
            a_commit_whose_caller_is_dropped_is_complete_or_absent
            a_corrupt_row_is_reported_as_corrupt
            an_api_key_is_found_by_its_digest_and_can_be_revoked
            a_commit_is_visible_to_another_process
            an_installation_keeps_its_id_and_its_epochs_only_grow
            an_order_is_read_in_the_present_epoch_and_its_requests_keep_theirs
            the_idempotency_key_of_a_lost_order_places_no_other_order
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let subject = $fresh;
            $crate::contract::$case(&subject).await;
        })*
    };
}

pub use crate::account_contract::*;
pub use crate::installation_contract::*;

pub(crate) const NOW: i64 = 1_743_415_050;

pub(crate) fn first(decision: Decision) -> Changes {
    changes(Version::NEW, decision, at(NOW), at(NOW))
}

pub(crate) fn then(version: u32, decision: Decision) -> Changes {
    changes(Version(version), decision, at(NOW), at(NOW))
}

pub(crate) fn by_id(n: u32) -> OrderRef {
    OrderRef::Id(order_id(n))
}

pub(crate) fn requested(order: &Order) -> Decision {
    crate::request_intent(order, at(NOW))
}

pub(crate) fn update(order: &Order, intent: &str, status: IntentStatus) -> IntentSnapshot {
    let created = IntentSnapshot::new(IntentId::new(intent).unwrap(), order.id, order.total, at(NOW));
    let received = if status == IntentStatus::Succeeded { order.total } else { Money::zero(order.total.currency()) };
    IntentSnapshot { status, received, revision: Some(order.revision), ..created }
}

pub(crate) async fn stored(store: &dyn Store, n: u32) -> Versioned<Order> {
    store.order(&by_id(n)).await.unwrap().expect("the order is stored")
}

pub(crate) fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}

/// All fields of an order are written and read.
pub async fn a_stored_order_is_read_unchanged(subject: &impl Subject) {
    let store = subject.store();
    let decision = place(1);
    let order = decision.order.clone();
    store.commit(first(decision)).await.unwrap();
    assert_eq!(stored(&*store, 1).await, Versioned { version: Version(1), value: order });
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
    let query = OrderQuery { customer: None, older_than: None, limit: 10 };
    assert_eq!(store.orders(&query).await.unwrap(), []);
    assert_eq!(store.api_key(&[0; 32]).await.unwrap(), None);
    let key = IdempotencyKey { scope: Uuid::nil(), key: "k".into() };
    assert_eq!(store.idempotency_record(&key).await.unwrap(), None);
    assert!(!store.revoke_api_key(Uuid::nil(), at(NOW)).await.unwrap());
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

pub(crate) fn record(key: &IdempotencyKey, order: OrderId) -> IdempotencyRecord {
    let outcome = IdempotencyOutcome::Order { answer: "{\"é\":1}".into() };
    IdempotencyRecord { key: key.clone(), fingerprint: [7; 32], order, outcome, at: at(NOW) }
}

/// Order and record are stored together or not at all. The same key of two callers is two keys.
pub async fn an_idempotency_record_is_stored_in_the_same_commit(subject: &impl Subject) {
    let store = subject.store();
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: "k".into() };
    let mut changes = first(place(1));
    changes.idempotency = Some(record(&key, order_id(1)));
    store.commit(changes).await.unwrap();
    assert_eq!(store.idempotency_record(&key).await.unwrap(), Some(record(&key, order_id(1))));

    let mut repeat = first(place(2));
    repeat.idempotency = Some(record(&key, order_id(2)));
    assert!(is_conflict(&store.commit(repeat).await));
    assert_eq!(store.order(&by_id(2)).await.unwrap(), None);

    let other = IdempotencyKey { scope: Uuid::from_u128(2), ..key };
    let mut changes = first(place(3));
    let refund = IdempotencyRecord { outcome: IdempotencyOutcome::Refund { number: 3 }, ..record(&other, order_id(3)) };
    changes.idempotency = Some(refund.clone());
    store.commit(changes).await.unwrap();
    assert_eq!(store.idempotency_record(&other).await.unwrap(), Some(refund));
}

/// 24 requests with the same key each place an order at the same time.
pub async fn one_of_many_concurrent_requests_with_the_same_key_succeeds(subject: &impl Subject) {
    let store = subject.store();
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: "k".into() };
    let racers: Vec<_> = (1..=24)
        .map(|n| {
            let store = Arc::clone(&store);
            let mut changes = first(place(n));
            changes.idempotency = Some(record(&key, order_id(n)));
            tokio::spawn(async move { store.commit(changes).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    let orders = store.orders(&OrderQuery { customer: None, older_than: None, limit: 100 }).await.unwrap();
    assert_eq!((won, orders.len()), (1, 1));
    let kept = store.idempotency_record(&key).await.unwrap().map(|it| it.order);
    assert_eq!(kept, orders.first().map(|it| it.id));
}

async fn lease(store: &dyn Store, owner: u128, now: i64, until: i64) -> Vec<(OrderId, Task, u32)> {
    let lease = Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 10 };
    let taken = store.lease_tasks(&lease).await.unwrap();
    taken.into_iter().map(|it| (it.order, it.task, it.taken)).collect()
}

async fn with_task(store: &dyn Store, n: u32, due: i64) -> (Order, Task) {
    let order = place(n).order;
    store.commit(first(place(n))).await.unwrap();
    let decision = requested(&order);
    let task = decision.tasks[0].clone();
    let after = decision.order.clone();
    store.commit(changes(Version(1), decision, at(NOW), at(due))).await.unwrap();
    (after, task)
}

/// A task is leased only when due, by one owner at a time, and by another after the lease has expired.
pub async fn a_task_is_leased_once_until_its_lease_expires(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW + 100).await;
    let (later, later_task) = with_task(&*store, 2, NOW + 101).await;
    assert_eq!(lease(&*store, 1, NOW + 99, NOW + 200).await, [], "nothing is due");
    let (left, right) = join!(lease(&*store, 1, NOW + 100, NOW + 200), lease(&*store, 2, NOW + 100, NOW + 200));
    assert_eq!([left, right].concat(), [(order.id, task.clone(), 1)], "one of two owners leases it");
    let next = lease(&*store, 3, NOW + 199, NOW + 300).await;
    assert_eq!(next, [(later.id, later_task, 1)], "a leased task is not leased again");
    assert_eq!(
        lease(&*store, 4, NOW + 200, NOW + 300).await,
        [(order.id, task, 2)],
        "a task whose lease has expired is"
    );
}

/// While a clock ran two days ahead, a task and an event were leased, and another event was parked.
pub async fn a_lease_or_due_time_beyond_the_maximum_is_ignored(subject: &impl Subject) {
    let store = subject.store();
    let ahead = NOW + 2 * 86_400;
    let (order, task) = with_task(&*store, 1, NOW).await;
    assert_eq!(lease(&*store, 1, ahead, ahead + 180).await.len(), 1);
    assert_eq!(
        lease(&*store, 2, NOW + 10, NOW + 190).await,
        [(order.id, task.clone(), 2)],
        "the lease is longer than the maximum"
    );
    assert_eq!(lease(&*store, 3, NOW + 20, NOW + 200).await, [], "a lease of the maximum is respected");
    let events = |owner, now| {
        let lease = Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(now + 180), limit: 10 };
        let store = Arc::clone(&store);
        async move { store.lease_events(&lease).await.unwrap().len() }
    };
    store.record_event(&event("evt_1", EventStatus::Parked)).await.unwrap();
    assert_eq!(events(1, ahead).await, 1);
    assert_eq!(events(2, NOW + 20).await, 1, "the lease is longer than the maximum");
    assert_eq!(events(3, NOW + 30).await, 0, "a lease of the maximum is respected");
    let parked = |id: &str, due| ReceivedEvent { due_at: Some(at(due)), ..event(id, EventStatus::Parked) };
    store.record_event(&parked("evt_2", ahead)).await.unwrap();
    store.record_event(&parked("evt_3", NOW + 86_400)).await.unwrap();
    assert_eq!(events(4, NOW + 40).await, 1, "a due time of a day is respected, a later one is not");
}

/// A due time was written while a clock ran two days ahead. The tasks are examined in pages.
pub async fn a_task_due_after_the_maximum_of_its_kind_is_rescheduled(subject: &impl Subject) {
    let store = subject.store();
    let mut tasks = Vec::new();
    for (n, due) in (1..).zip([NOW + 600, NOW + 900, NOW + 901, NOW + 2 * 86_400, NOW + 400 * 86_400]) {
        let (order, task) = with_task(&*store, n, due).await;
        tasks.push((order.id, task, 1));
    }
    let reschedule = |after, limit, kind| {
        let due_max = vec![(kind, at(NOW + 900)), (TaskKind::ExpireOrder, at(NOW))];
        let (store, late) = (Arc::clone(&store), LateTasks { now: at(NOW), due_max, after: at(after), limit });
        async move { store.reschedule_tasks(&late).await.unwrap() }
    };
    let of = |count, next: Option<i64>| Rescheduled { count, next: next.map(at) };
    let create = TaskKind::CreateIntent;
    assert_eq!(reschedule(NOW, 10, TaskKind::Refund).await, of(0, None), "the tasks are of another kind");
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await, []);
    assert_eq!(reschedule(NOW, 3, create).await, of(1, Some(NOW + 901)));
    assert_eq!(reschedule(NOW + 901, 1, create).await, of(1, Some(NOW + 2 * 86_400)));
    assert_eq!(reschedule(NOW + 2 * 86_400, 2, create).await, of(1, None), "the last page");
    let late = &tasks[2..];
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await, late, "tasks within the maximum keep their due time");
    assert_eq!(reschedule(NOW, 10, create).await, of(0, None));
}

/// The task is deleted in the commit of its outcome.
pub async fn a_finished_task_is_deleted(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW).await;
    let done = order.settle(&update(&order, "pi_1", IntentStatus::Processing), &Policies::DEFAULT, at(NOW)).unwrap();
    assert_eq!(done.finished, [task.key()]);
    store.commit(then(2, done)).await.unwrap();
    let remaining: Vec<_> = store.tasks(order.id).await.unwrap().into_iter().map(|it| it.task).collect();
    assert_eq!(remaining, [Task::PollIntent { intent: IntentId::new("pi_1").unwrap() }]);
}

/// The second decision keeps the lease of the stored task.
pub async fn a_task_with_a_stored_key_is_not_stored_twice(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW).await;
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await.len(), 1);
    let again = Decision { order, facts: vec![], tasks: vec![task], finished: vec![] };
    store.commit(then(2, again)).await.unwrap();
    assert_eq!(lease(&*store, 2, NOW + 50, NOW + 60).await, []);
    assert_eq!(lease(&*store, 2, NOW + 100, NOW + 160).await.len(), 1);
}

/// A lease that has expired and was replaced does not release the task.
pub async fn only_the_holder_of_a_lease_releases_a_task(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW).await;
    assert_eq!(lease(&*store, 1, NOW, NOW + 10).await.len(), 1);
    assert_eq!(lease(&*store, 2, NOW + 10, NOW + 20).await, [(order.id, task.clone(), 2)]);
    let release = |owner, taken, again_at| TaskRelease {
        owner: Uuid::from_u128(owner),
        order: order.id,
        key: task.key(),
        taken,
        again_at,
        error: Some("busy".into()),
    };
    assert!(!store.release_task(&release(1, 1, None)).await.unwrap(), "the first lease has expired");
    assert!(!store.release_task(&release(2, 1, None)).await.unwrap(), "another lease of the same owner");
    let waiting = store.tasks(order.id).await.unwrap();
    assert_eq!(waiting[0].leased_until, Some(at(NOW + 20)));
    assert!(store.release_task(&release(2, 2, Some(at(NOW + 100)))).await.unwrap());
    let waiting = store.tasks(order.id).await.unwrap();
    let expected = StoredTask {
        task: task.clone(),
        due_at: at(NOW + 100),
        taken: 2,
        leased_until: None,
        error: Some("busy".into()),
    };
    assert_eq!(waiting, [expected]);
    assert_eq!(lease(&*store, 3, NOW + 99, NOW + 200).await, []);
    assert_eq!(lease(&*store, 3, NOW + 100, NOW + 200).await, [(order.id, task.clone(), 3)]);
    assert!(store.release_task(&release(3, 3, None)).await.unwrap());
    assert_eq!(store.tasks(order.id).await.unwrap(), []);
}

/// Stores a paid order, as version 2.
pub(crate) async fn paid(store: &dyn Store, n: u32) -> Order {
    store.commit(first(place(n))).await.unwrap();
    let order = place(n).order;
    let paid = order.settle(&update(&order, &format!("pi_{n}"), IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW));
    let paid = paid.unwrap();
    let after = paid.order.clone();
    store.commit(then(1, paid)).await.unwrap();
    after
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

fn event(id: &str, status: EventStatus) -> ReceivedEvent {
    ReceivedEvent {
        id: id.into(),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        received_at: at(NOW + 1),
        via: "webhook",
        headers: [("user-agent".to_owned(), "é".to_owned())].into(),
        update: ProviderUpdate::ReadRequired(IntentId::new("pi_1").unwrap()),
        status,
        error: Some("why".into()),
        order: None,
        due_at: (status == EventStatus::Parked).then(|| at(NOW + 10)),
    }
}

/// Event and change are stored together or not at all. A second delivery neither fails nor replaces the event.
pub async fn an_event_is_stored_once_in_the_commit_of_its_change(subject: &impl Subject) {
    let store = subject.store();
    let (order, _) = with_task(&*store, 1, NOW).await;
    let succeeded = update(&order, "pi_1", IntentStatus::Succeeded);
    let with_event = |version, decision| Changes {
        received: Some(ReceivedEvent { order: Some(order.id), ..event("evt_1", EventStatus::Applied) }),
        ..then(version, decision)
    };
    let decide = || order.settle(&succeeded, &Policies::DEFAULT, at(NOW)).unwrap();
    assert!(is_conflict(&store.commit(with_event(7, decide())).await));
    let ids = ["evt_1".to_owned(), "evt_2".to_owned()];
    assert!(store.known_events(&ids).await.unwrap().is_empty());
    store.commit(with_event(2, decide())).await.unwrap();
    assert_eq!(store.known_events(&ids).await.unwrap(), ["evt_1"]);
    assert!(!store.record_event(&event("evt_1", EventStatus::Ignored)).await.unwrap());
    assert!(store.record_event(&event("evt_2", EventStatus::Ignored)).await.unwrap());
    let paid = stored(&*store, 1).await.value;
    let second = paid.settle(&update(&order, "pi_2", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW)).unwrap();
    store.commit(with_event(3, second)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.version, Version(4), "a known event does not fail the commit");
}

/// Only the holder of the lease closes the event.
pub async fn a_parked_event_is_leased_when_due_by_one_owner_at_a_time(subject: &impl Subject) {
    let store = subject.store();
    store.record_event(&event("evt_1", EventStatus::Parked)).await.unwrap();
    store.record_event(&event("evt_2", EventStatus::Ignored)).await.unwrap();
    let lease = |owner, now, until| Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 10 };
    assert_eq!(store.lease_events(&lease(1, NOW + 9, NOW + 20)).await.unwrap(), []);
    let (left, right) = (lease(1, NOW + 10, NOW + 20), lease(2, NOW + 10, NOW + 20));
    let (left, right) = join!(store.lease_events(&left), store.lease_events(&right));
    let taken = [left.unwrap(), right.unwrap()].concat();
    let parked = event("evt_1", EventStatus::Parked);
    let expected = LeasedEvent {
        id: parked.id,
        kind: parked.kind,
        received_at: parked.received_at,
        update: parked.update,
        taken: 1,
    };
    assert_eq!(taken, [expected]);
    assert_eq!(store.lease_events(&lease(3, NOW + 20, NOW + 30)).await.unwrap().len(), 1, "the lease has expired");
    let closing = |owner, taken, status, again_at| EventClosing {
        owner: Uuid::from_u128(owner),
        id: "evt_1".into(),
        taken,
        status,
        error: None,
        order: None,
        again_at,
    };
    assert!(!store.close_event(&closing(1, 1, EventStatus::Applied, None)).await.unwrap());
    assert!(store.close_event(&closing(3, 2, EventStatus::Parked, Some(at(NOW + 50)))).await.unwrap());
    assert_eq!(store.lease_events(&lease(3, NOW + 49, NOW + 60)).await.unwrap(), []);
    assert_eq!(store.lease_events(&lease(3, NOW + 50, NOW + 60)).await.unwrap().len(), 1);
    assert!(store.close_event(&closing(3, 3, EventStatus::Foreign, None)).await.unwrap());
    assert_eq!(store.lease_events(&lease(3, NOW + 500, NOW + 600)).await.unwrap(), []);
}

/// Parked events are kept.
pub async fn closed_events_are_deleted_by_age(subject: &impl Subject) {
    let store = subject.store();
    for (id, status) in
        [("evt_1", EventStatus::Parked), ("evt_2", EventStatus::Applied), ("evt_3", EventStatus::Foreign)]
    {
        store.record_event(&event(id, status)).await.unwrap();
    }
    assert_eq!(store.forget_events(at(NOW + 1)).await.unwrap(), 0);
    assert_eq!(store.forget_events(at(NOW + 2)).await.unwrap(), 2);
    let ids = ["evt_1", "evt_2", "evt_3"].map(str::to_owned);
    assert_eq!(store.known_events(&ids).await.unwrap(), ["evt_1"]);
}

/// Two owners lease the cursor at once.
pub async fn a_cursor_is_leased_when_due_by_one_owner_at_a_time(subject: &impl Subject) {
    let store = subject.store();
    let lease = |owner, now, until| Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 1 };
    let due = |by| CursorDue::now(at(by), 600);
    let (left, right) = (lease(1, NOW, NOW + 10), lease(2, NOW, NOW + 10));
    let (left, right) =
        join!(store.lease_cursor("walk", &left, due(NOW)), store.lease_cursor("walk", &right, due(NOW)));
    let (left, right) = (left.unwrap(), right.unwrap());
    let first = Cursor { value: None };
    assert!(left.as_ref().xor(right.as_ref()) == Some(&first), "{left:?} {right:?}");
    let (winner, loser) = if left.is_some() { (1, 2) } else { (2, 1) };
    let moved = Cursor { value: Some("evt_7".into()) };
    let owner = Uuid::from_u128;
    assert!(!store.move_cursor("walk", owner(loser), &moved, at(NOW + 50)).await.unwrap());
    assert!(store.move_cursor("walk", owner(winner), &moved, at(NOW + 50)).await.unwrap());
    assert!(!store.move_cursor("walk", owner(winner), &first, at(NOW)).await.unwrap(), "the lease was released");
    let lease_due = async |owner, now, until| store.lease_cursor("walk", &lease(owner, now, until), due(now)).await;
    assert_eq!(lease_due(1, NOW + 49, NOW + 60).await.unwrap(), None);
    assert_eq!(lease_due(1, NOW + 50, NOW + 60).await.unwrap(), Some(moved.clone()));
    assert_eq!(lease_due(2, NOW + 59, NOW + 70).await.unwrap(), None, "leased");
    assert_eq!(lease_due(2, NOW + 60, NOW + 70).await.unwrap(), Some(moved), "the lease has expired");
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 500)).await.unwrap());
    let early = lease(1, NOW + 70, NOW + 80);
    assert_eq!(store.lease_cursor("walk", &early, due(NOW + 500)).await.unwrap(), Some(first.clone()), "due by then");
    // While a clock ran two days ahead, the cursor was moved and then leased.
    let ahead = NOW + 2 * 86_400;
    assert!(store.move_cursor("walk", owner(1), &first, at(ahead)).await.unwrap());
    assert_eq!(
        lease_due(2, NOW + 90, NOW + 100).await.unwrap(),
        Some(first.clone()),
        "the due time is later than the maximum"
    );
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 90)).await.unwrap());
    assert!(lease_due(1, ahead, ahead + 10).await.unwrap().is_some());
    assert_eq!(lease_due(2, NOW + 100, NOW + 110).await.unwrap(), Some(first), "the lease is longer than the maximum");
}

/// Orders are placed and changed between the pages.
pub async fn paging_through_orders_misses_and_repeats_none(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=23 {
        store.commit(first(place(n))).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut older_than = None;
    loop {
        let query = OrderQuery { customer: None, older_than, limit: 5 };
        let page = store.orders(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 5);
        older_than = Some(last.id);
        seen.extend(page.iter().map(|it| it.id));
        let fresh = 100 + u32::try_from(seen.len()).unwrap();
        store.commit(first(place(fresh))).await.unwrap();
        let changed = place(23).order.edit(edit_of_lines(i64::from(fresh)), at(NOW)).unwrap();
        drop(store.commit(then(1, changed)).await);
    }
    assert_eq!(seen, (1..=23).rev().map(order_id).collect::<Vec<_>>());
}

/// Other customers' and guests' orders are not returned.
pub async fn a_customers_list_has_only_that_customers_orders(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=6 {
        let customer = (n % 2 == 0).then(|| paywright_domain::CustomerId::new("cus-bob").unwrap());
        let new = paywright_domain::NewOrder { customer, ..new_order() };
        store.commit(first(Order::place(order_id(n), new, at(NOW)).unwrap())).await.unwrap();
    }
    let query = OrderQuery {
        customer: Some(paywright_domain::CustomerId::new("cus-bob").unwrap()),
        older_than: None,
        limit: 2,
    };
    let page = store.orders(&query).await.unwrap();
    assert_eq!(page.iter().map(|it| it.id).collect::<Vec<_>>(), [order_id(6), order_id(4)]);
    let rest = store.orders(&OrderQuery { older_than: Some(order_id(4)), ..query }).await.unwrap();
    assert_eq!(rest.iter().map(|it| it.id).collect::<Vec<_>>(), [order_id(2)]);
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

/// A revoked key is still found, with the time of its first revocation.
pub async fn an_api_key_is_found_by_its_digest_and_can_be_revoked(subject: &impl Subject) {
    let store = subject.store();
    let key = |n: u8| ApiKey {
        id: Uuid::from_u128(u128::from(n)),
        name: format!("shop {n}"),
        digest: [n; 32],
        scopes: vec![Scope::OrdersRead, Scope::OrdersWrite],
        created_at: at(NOW + i64::from(n)),
        expires_at: (n == 2).then(|| at(NOW + 100)),
        revoked_at: None,
    };
    store.add_api_key(&key(1)).await.unwrap();
    store.add_api_key(&key(2)).await.unwrap();
    assert!(is_conflict(&store.add_api_key(&key(1)).await));
    assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(key(1)));
    assert_eq!(store.api_key(&[2; 32]).await.unwrap(), Some(key(2)));
    assert_eq!(store.api_keys().await.unwrap(), [key(2), key(1)]);
    assert!(store.revoke_api_key(key(1).id, at(NOW + 7)).await.unwrap());
    assert!(store.revoke_api_key(key(1).id, at(NOW + 9)).await.unwrap());
    let revoked = store.api_key(&[1; 32]).await.unwrap();
    assert_eq!(revoked, Some(ApiKey { revoked_at: Some(at(NOW + 7)), ..key(1) }));
}

/// A second store on the same data reads and changes the order.
pub async fn a_commit_is_visible_to_another_process(subject: &impl Subject) {
    subject.store().commit(first(place(1))).await.unwrap();
    let other = subject.reopened().await;
    assert_eq!(stored(&*other, 1).await.value, place(1).order);
    other.commit(then(1, requested(&place(1).order))).await.unwrap();
    assert_eq!(stored(&*subject.store(), 1).await.version, Version(2));
    let ids: BTreeSet<_> = [order_id(1)].into();
    let query = OrderQuery { customer: None, older_than: None, limit: 10 };
    let listed: BTreeSet<_> = other.orders(&query).await.unwrap().iter().map(|it| it.id).collect();
    assert_eq!(listed, ids);
}
