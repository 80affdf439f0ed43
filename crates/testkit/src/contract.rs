//! The contract of [`Store`], one function a promise. `store_contract!(fresh())` makes a test of each, on the
//! store that `fresh()` gives.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{
    Actor, ApiKey, Cause, Changes, Cursor, CursorDue, EventClosing, EventStatus, IdempotencyKey, IdempotencyRecord,
    LateTasks, Lease, LeasedEvent, OrderQuery, OrderRef, ProviderUpdate, ReceivedEvent, Rescheduled, Scope, Store,
    StoreError, StoredTask, TaskRelease, Version, Versioned,
};
use paywright_domain::{
    CancelReason, Currency, Decision, Dispute, DisputeId, DisputeStatus, Email, IntentError, IntentId, IntentSnapshot,
    IntentStatus, LineItem, Money, NewOrder, NewRefund, Order, OrderData, OrderEdit, OrderId, Payer, Policies,
    Proceeds, ProviderCustomerId, RefundError, RefundId, RefundReason, RefundSnapshot, RefundStatus, SnapshotSource,
    Task, TaskKind,
};
use tokio::join;
use uuid::Uuid;

use crate::{at, changes, edit_of_lines, new_order, order_id, place, usd};

/// A store to be held to the contract, empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Another way into the same data, as another process has it.
    async fn reopened(&self) -> Arc<dyn Store>;
    /// Writes nonsense into the stored currency of an order, behind the store's back.
    async fn damage(&self, order: OrderId);
}

/// Makes a test of each promise. `$fresh` is an expression of a [`Subject`]; it may `.await`.
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr) => {
        $crate::store_contract! { $fresh;
            an_order_comes_back_as_it_was_written
            an_order_of_before_todays_limits_comes_back
            a_notice_about_no_intent_comes_back
            every_state_of_an_order_comes_back
            what_stripe_has_confirmed_of_a_payment_comes_back
            an_order_is_found_by_id_number_and_any_of_its_intents
            what_is_not_there_is_none
            a_stale_version_writes_nothing
            a_taken_id_or_number_is_a_conflict
            of_many_racing_writers_one_wins
            writers_of_different_orders_do_not_disturb_each_other
            an_idempotency_record_is_in_the_same_commit
            of_racing_requests_with_one_key_one_wins
            a_task_is_leased_once_until_its_lease_expires
            a_lease_or_a_time_later_than_any_can_be_holds_up_nothing
            a_task_that_is_due_later_than_any_of_its_kind_can_be_is_due
            a_finished_task_is_gone
            a_task_decided_twice_is_one_task
            only_the_holder_of_a_lease_lets_go_of_a_task
            of_racing_refunds_no_more_goes_back_than_came
            what_is_told_of_refunds_and_disputes_comes_back
            a_cause_is_kept_with_its_facts
            who_asked_is_kept_with_a_fact
            a_message_is_kept_once_with_what_it_changes
            a_parked_message_waits_for_its_time_and_for_one_at_a_time
            messages_that_are_done_with_are_forgotten
            a_mark_is_held_by_one_and_moves_when_it_is_due
            a_walk_through_the_list_misses_and_repeats_nothing
            a_list_of_one_customer_shows_no_others
            the_completed_orders_of_a_customer_are_read_by_page_and_counted
            facts_are_kept_in_order_and_never_change
            a_commit_whose_caller_left_is_whole_or_absent
            a_corrupt_row_is_reported_as_such
            an_api_key_is_found_by_its_digest_until_revoked
            what_was_committed_is_there_for_another_process
            an_installation_has_one_name_and_its_epochs_grow
            an_order_is_read_in_the_epoch_and_its_requests_keep_theirs
            the_key_of_a_lost_order_places_no_other
        }
    };
    ($fresh:expr; $($promise:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let subject = $fresh;
            $crate::contract::$promise(&subject).await;
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
    let asked = IntentSnapshot::new(IntentId::new(intent).unwrap(), order.id, order.total, at(NOW));
    let received = if status == IntentStatus::Succeeded { order.total } else { Money::zero(order.total.currency()) };
    IntentSnapshot { status, received, revision: Some(order.revision), ..asked }
}

pub(crate) async fn stored(store: &dyn Store, n: u32) -> Versioned<Order> {
    store.order(&by_id(n)).await.unwrap().expect("the order is stored")
}

pub(crate) fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}

/// Every field of an order, written and read.
pub async fn an_order_comes_back_as_it_was_written(subject: &impl Subject) {
    let store = subject.store();
    let decision = place(1);
    let order = decision.order.clone();
    store.commit(first(decision)).await.unwrap();
    assert_eq!(stored(&*store, 1).await, Versioned { version: Version(1), value: order });
}

/// Rules for what comes in may have been others when an order was stored: it is read as it was.
pub async fn an_order_of_before_todays_limits_comes_back(subject: &impl Subject) {
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
    assert!(Order::place(order.id, new, at(NOW)).is_err(), "it is above what Stripe charges");
    store.commit(first(Decision { order: order.clone(), ..placed })).await.unwrap();
    assert_eq!(stored(&*store, 1).await.value, order);
}

/// What a person should know of an order before it has an intent.
pub async fn a_notice_about_no_intent_comes_back(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    let asked = requested(&place(1).order);
    let request = asked.order.requested.unwrap();
    store.commit(then(1, asked.clone())).await.unwrap();
    let error = IntentError { code: Some(IntentError::EMAIL_INVALID.into()), ..IntentError::default() };
    let refused = asked.order.intent_refused(request, error, at(NOW + 1));
    let after = refused.order.clone();
    assert_eq!(after.anomalies.iter().map(|it| &it.intent).collect::<Vec<_>>(), [&None]);
    store.commit(then(2, refused)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.value, after);
}

/// An order along its ways: edited, requested, issued, declined, paid, held; and canceled.
pub async fn every_state_of_an_order_comes_back(subject: &impl Subject) {
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
    let authorised = IntentSnapshot { capturable: usd(700), ..update(&order, "pi_2", IntentStatus::RequiresCapture) };
    order = commit(order.settle(&authorised, &Policies::DEFAULT, at(NOW + 4)).unwrap()).await;
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

/// A payment that an event told of, that Stripe did not confirm when it was read, and that it confirmed later.
pub async fn what_stripe_has_confirmed_of_a_payment_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let order = place(1).order;
    store.commit(first(place(1))).await.unwrap();
    let told = update(&order, "pi_1", IntentStatus::Succeeded);
    let answer = IntentSnapshot { source: SnapshotSource::Answer, ..told.clone() };
    let paid = order.settle(&told.delivered_by_webhook(), &Policies::DEFAULT, at(NOW)).unwrap();
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
        let is_to_be_read = tasks.iter().any(|it| it.task.key().as_str() == "confirm_payment:pi_1");
        assert_eq!(is_to_be_read, confirmed_at.is_none());
    }
}

/// By each of its names.
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

/// Nothing is an answer, not an error.
pub async fn what_is_not_there_is_none(subject: &impl Subject) {
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

/// Neither order nor facts nor tasks nor the idempotency record.
pub async fn a_stale_version_writes_nothing(subject: &impl Subject) {
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
    assert!(is_conflict(&store.commit(missing).await), "an order that is not there has no version");
    assert_eq!(stored(&*store, 1).await, Versioned { version: Version(1), value: order.clone() });
    assert_eq!(store.facts(order.id).await.unwrap().len(), 1);
    assert_eq!(store.idempotency_record(&key).await.unwrap(), None);
    assert_eq!(lease(&*store, 1, NOW + 1_000_000, NOW + 2_000_000).await, []);
}

/// A new order never replaces another.
pub async fn a_taken_id_or_number_is_a_conflict(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    assert!(is_conflict(&store.commit(first(place(1))).await));
    // Another id with the same last bits, on the same day, makes the same number.
    let twin = OrderId(Uuid::from_u128(order_id(1).0.as_u128() ^ (1 << 40)));
    let same_number = Order::place(twin, new_order(), at(NOW)).unwrap();
    assert_eq!(same_number.order.number, place(1).order.number);
    assert!(is_conflict(&store.commit(first(same_number)).await));
    assert_eq!(store.order(&OrderRef::Id(twin)).await.unwrap(), None);
}

/// However many decide on one version, one commit goes through.
pub async fn of_many_racing_writers_one_wins(subject: &impl Subject) {
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

/// A failure in a group of commits is one caller's alone.
pub async fn writers_of_different_orders_do_not_disturb_each_other(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1000))).await.unwrap();
    let racers: Vec<_> = (0..60)
        .map(|n| {
            let store = Arc::clone(&store);
            // Every third one names an order that is there already.
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
    IdempotencyRecord { key: key.clone(), fingerprint: [7; 32], order, answer: "{\"é\":1}".into(), at: at(NOW) }
}

/// Both or neither, and one text of two callers is two keys.
pub async fn an_idempotency_record_is_in_the_same_commit(subject: &impl Subject) {
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
    changes.idempotency = Some(record(&other, order_id(3)));
    store.commit(changes).await.unwrap();
}

/// The double click.
pub async fn of_racing_requests_with_one_key_one_wins(subject: &impl Subject) {
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

/// Not before it is due, by one owner at a time, and by another once the owner has let it lapse.
pub async fn a_task_is_leased_once_until_its_lease_expires(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW + 100).await;
    let (later, later_task) = with_task(&*store, 2, NOW + 101).await;
    assert_eq!(lease(&*store, 1, NOW + 99, NOW + 200).await, [], "nothing is due");
    let (left, right) = join!(lease(&*store, 1, NOW + 100, NOW + 200), lease(&*store, 2, NOW + 100, NOW + 200));
    assert_eq!([left, right].concat(), [(order.id, task.clone(), 1)], "one of two owners gets it");
    let next = lease(&*store, 3, NOW + 199, NOW + 300).await;
    assert_eq!(next, [(later.id, later_task, 1)], "what is held is not taken");
    assert_eq!(lease(&*store, 4, NOW + 200, NOW + 300).await, [(order.id, task, 2)], "what has lapsed is");
}

/// A clock that ran two days ahead for a moment has taken a task and a message, and has parked another.
pub async fn a_lease_or_a_time_later_than_any_can_be_holds_up_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ahead = NOW + 2 * 86_400;
    let (order, task) = with_task(&*store, 1, NOW).await;
    assert_eq!(lease(&*store, 1, ahead, ahead + 180).await.len(), 1);
    assert_eq!(lease(&*store, 2, NOW + 10, NOW + 190).await, [(order.id, task.clone(), 2)], "nobody holds it so long");
    assert_eq!(lease(&*store, 3, NOW + 20, NOW + 200).await, [], "a lease as long as any is held");
    let events = |owner, now| {
        let lease = Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(now + 180), limit: 10 };
        let store = Arc::clone(&store);
        async move { store.lease_events(&lease).await.unwrap().len() }
    };
    store.record_event(&message("evt_1", EventStatus::Parked)).await.unwrap();
    assert_eq!(events(1, ahead).await, 1);
    assert_eq!(events(2, NOW + 20).await, 1, "nobody holds it so long");
    assert_eq!(events(3, NOW + 30).await, 0, "a lease as long as any is held");
    let parked = |id: &str, due| ReceivedEvent { due_at: Some(at(due)), ..message(id, EventStatus::Parked) };
    store.record_event(&parked("evt_2", ahead)).await.unwrap();
    store.record_event(&parked("evt_3", NOW + 86_400)).await.unwrap();
    assert_eq!(events(4, NOW + 40).await, 1, "nothing is due so late, but what waits for a day waits");
}

/// A clock that ran two days ahead for a moment has written its time. It is looked at in pages.
pub async fn a_task_that_is_due_later_than_any_of_its_kind_can_be_is_due(subject: &impl Subject) {
    let store = subject.store();
    let mut tasks = Vec::new();
    for (n, due) in (1..).zip([NOW + 600, NOW + 900, NOW + 901, NOW + 2 * 86_400, NOW + 400 * 86_400]) {
        let (order, task) = with_task(&*store, n, due).await;
        tasks.push((order.id, task, 1));
    }
    let look = |after, limit, kind| {
        let due_max = vec![(kind, at(NOW + 900)), (TaskKind::ExpireOrder, at(NOW))];
        let (store, late) = (Arc::clone(&store), LateTasks { now: at(NOW), due_max, after: at(after), limit });
        async move { store.reschedule_tasks(&late).await.unwrap() }
    };
    let of = |count, next: Option<i64>| Rescheduled { count, next: next.map(at) };
    let create = TaskKind::CreateIntent;
    assert_eq!(look(NOW, 10, TaskKind::Refund).await, of(0, None), "they are of another kind");
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await, []);
    assert_eq!(look(NOW, 3, create).await, of(1, Some(NOW + 901)));
    assert_eq!(look(NOW + 901, 1, create).await, of(1, Some(NOW + 2 * 86_400)));
    assert_eq!(look(NOW + 2 * 86_400, 2, create).await, of(1, None), "the last page");
    let late = &tasks[2..];
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await, late, "and those that wait as long as any may go on waiting");
    assert_eq!(look(NOW, 10, create).await, of(0, None));
}

/// In the commit that its outcome is in.
pub async fn a_finished_task_is_gone(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW).await;
    let done = order.settle(&update(&order, "pi_1", IntentStatus::Processing), &Policies::DEFAULT, at(NOW)).unwrap();
    assert_eq!(done.finished, [task.key()]);
    store.commit(then(2, done)).await.unwrap();
    let left: Vec<_> = store.tasks(order.id).await.unwrap().into_iter().map(|it| it.task).collect();
    assert_eq!(left, [Task::PollIntent { intent: IntentId::new("pi_1").unwrap() }]);
}

/// By its key; and the lease of the first is not lost.
pub async fn a_task_decided_twice_is_one_task(subject: &impl Subject) {
    let store = subject.store();
    let (order, task) = with_task(&*store, 1, NOW).await;
    assert_eq!(lease(&*store, 1, NOW, NOW + 100).await.len(), 1);
    let again = Decision { order, facts: vec![], tasks: vec![task], finished: vec![] };
    store.commit(then(2, again)).await.unwrap();
    assert_eq!(lease(&*store, 2, NOW + 50, NOW + 60).await, []);
    assert_eq!(lease(&*store, 2, NOW + 100, NOW + 160).await.len(), 1);
}

/// A lease that another has taken over since lets go of nothing.
pub async fn only_the_holder_of_a_lease_lets_go_of_a_task(subject: &impl Subject) {
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
    assert!(!store.release_task(&release(1, 1, None)).await.unwrap(), "the lease of the first is over");
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

/// Puts a paid order into the store, as its second version.
pub(crate) async fn paid(store: &dyn Store, n: u32) -> Order {
    store.commit(first(place(n))).await.unwrap();
    let order = place(n).order;
    let paid = order.settle(&update(&order, &format!("pi_{n}"), IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW));
    let paid = paid.unwrap();
    let after = paid.order.clone();
    store.commit(then(1, paid)).await.unwrap();
    after
}

/// I3: each decides on one version, and of those one is written.
pub async fn of_racing_refunds_no_more_goes_back_than_came(subject: &impl Subject) {
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

/// Each in its rows, along its way.
pub async fn what_is_told_of_refunds_and_disputes_comes_back(subject: &impl Subject) {
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
    let error = IntentError { code: Some("balance_insufficient".into()), ..IntentError::default() };
    order = commit(order.refund_refused(1, 1, &error, at(NOW + 2))).await;
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

/// And an operation, with the content that waits in it.
pub async fn a_cause_is_kept_with_its_facts(subject: &impl Subject) {
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

/// Each kind of actor, in the cause of an order's first fact.
pub async fn who_asked_is_kept_with_a_fact(subject: &impl Subject) {
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

fn message(id: &str, status: EventStatus) -> ReceivedEvent {
    ReceivedEvent {
        id: id.into(),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        received_at: at(NOW + 1),
        via: "webhook",
        headers: [("user-agent".to_owned(), "é".to_owned())].into(),
        update: ProviderUpdate::Look(IntentId::new("pi_1").unwrap()),
        status,
        error: Some("why".into()),
        order: None,
        due_at: (status == EventStatus::Parked).then(|| at(NOW + 10)),
    }
}

/// With the change or not at all; and a second delivery neither fails nor takes its place.
pub async fn a_message_is_kept_once_with_what_it_changes(subject: &impl Subject) {
    let store = subject.store();
    let (order, _) = with_task(&*store, 1, NOW).await;
    let succeeded = update(&order, "pi_1", IntentStatus::Succeeded);
    let with_message = |version, decision| Changes {
        received: Some(ReceivedEvent { order: Some(order.id), ..message("evt_1", EventStatus::Applied) }),
        ..then(version, decision)
    };
    let decide = || order.settle(&succeeded, &Policies::DEFAULT, at(NOW)).unwrap();
    assert!(is_conflict(&store.commit(with_message(7, decide())).await));
    let ids = ["evt_1".to_owned(), "evt_2".to_owned()];
    assert!(store.known_events(&ids).await.unwrap().is_empty());
    store.commit(with_message(2, decide())).await.unwrap();
    assert_eq!(store.known_events(&ids).await.unwrap(), ["evt_1"]);
    assert!(!store.record_event(&message("evt_1", EventStatus::Ignored)).await.unwrap());
    assert!(store.record_event(&message("evt_2", EventStatus::Ignored)).await.unwrap());
    let paid = stored(&*store, 1).await.value;
    let second = paid.settle(&update(&order, "pi_2", IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW)).unwrap();
    store.commit(with_message(3, second)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.version, Version(4), "a message that is known holds nothing up");
}

/// And is closed by whoever holds it.
pub async fn a_parked_message_waits_for_its_time_and_for_one_at_a_time(subject: &impl Subject) {
    let store = subject.store();
    store.record_event(&message("evt_1", EventStatus::Parked)).await.unwrap();
    store.record_event(&message("evt_2", EventStatus::Ignored)).await.unwrap();
    let lease = |owner, now, until| Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 10 };
    assert_eq!(store.lease_events(&lease(1, NOW + 9, NOW + 20)).await.unwrap(), []);
    let (left, right) = (lease(1, NOW + 10, NOW + 20), lease(2, NOW + 10, NOW + 20));
    let (left, right) = join!(store.lease_events(&left), store.lease_events(&right));
    let taken = [left.unwrap(), right.unwrap()].concat();
    let parked = message("evt_1", EventStatus::Parked);
    let expected = LeasedEvent {
        id: parked.id,
        kind: parked.kind,
        received_at: parked.received_at,
        update: parked.update,
        taken: 1,
    };
    assert_eq!(taken, [expected]);
    assert_eq!(store.lease_events(&lease(3, NOW + 20, NOW + 30)).await.unwrap().len(), 1, "the lease was over");
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

/// But never one that waits.
pub async fn messages_that_are_done_with_are_forgotten(subject: &impl Subject) {
    let store = subject.store();
    for (id, status) in
        [("evt_1", EventStatus::Parked), ("evt_2", EventStatus::Applied), ("evt_3", EventStatus::Foreign)]
    {
        store.record_event(&message(id, status)).await.unwrap();
    }
    assert_eq!(store.forget_events(at(NOW + 1)).await.unwrap(), 0);
    assert_eq!(store.forget_events(at(NOW + 2)).await.unwrap(), 2);
    let ids = ["evt_1", "evt_2", "evt_3"].map(str::to_owned);
    assert_eq!(store.known_events(&ids).await.unwrap(), ["evt_1"]);
}

/// However many want it.
pub async fn a_mark_is_held_by_one_and_moves_when_it_is_due(subject: &impl Subject) {
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
    assert!(!store.move_cursor("walk", owner(winner), &first, at(NOW)).await.unwrap(), "it was let go of");
    let take = async |owner, now, until| store.lease_cursor("walk", &lease(owner, now, until), due(now)).await;
    assert_eq!(take(1, NOW + 49, NOW + 60).await.unwrap(), None);
    assert_eq!(take(1, NOW + 50, NOW + 60).await.unwrap(), Some(moved.clone()));
    assert_eq!(take(2, NOW + 59, NOW + 70).await.unwrap(), None, "held");
    assert_eq!(take(2, NOW + 60, NOW + 70).await.unwrap(), Some(moved), "its holder is gone");
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 500)).await.unwrap());
    let early = lease(1, NOW + 70, NOW + 80);
    assert_eq!(store.lease_cursor("walk", &early, due(NOW + 500)).await.unwrap(), Some(first.clone()), "due by then");
    // A clock that ran two days ahead for a moment has moved it, and another one has taken it.
    let ahead = NOW + 2 * 86_400;
    assert!(store.move_cursor("walk", owner(1), &first, at(ahead)).await.unwrap());
    assert_eq!(take(2, NOW + 90, NOW + 100).await.unwrap(), Some(first.clone()), "nothing is due as late as that");
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 90)).await.unwrap());
    assert!(take(1, ahead, ahead + 10).await.unwrap().is_some());
    assert_eq!(take(2, NOW + 100, NOW + 110).await.unwrap(), Some(first), "nobody holds it for as long as that");
}

/// While orders are placed and changed under the walk.
pub async fn a_walk_through_the_list_misses_and_repeats_nothing(subject: &impl Subject) {
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

/// I9.
pub async fn a_list_of_one_customer_shows_no_others(subject: &impl Subject) {
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

/// With the version that each led to.
pub async fn facts_are_kept_in_order_and_never_change(subject: &impl Subject) {
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

/// The caller is dropped before, while and after the commit runs.
pub async fn a_commit_whose_caller_left_is_whole_or_absent(subject: &impl Subject) {
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
        // The same order again, without the key: it waits for the first to be settled, if need be.
        let done = is_conflict(&store.commit(first(place(n))).await);
        let order = store.order(&by_id(n)).await.unwrap().is_some();
        let facts = store.facts(order_id(n)).await.unwrap().len();
        let kept = store.idempotency_record(&key).await.unwrap().is_some();
        assert_eq!((order, facts, kept), (true, 1, done), "{n}");
    }
}

/// Neither a guess nor a panic, and the other orders are there.
pub async fn a_corrupt_row_is_reported_as_such(subject: &impl Subject) {
    let store = subject.store();
    store.commit(first(place(1))).await.unwrap();
    store.commit(first(place(2))).await.unwrap();
    subject.damage(order_id(1)).await;
    let read = store.order(&by_id(1)).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert!(stored(&*store, 2).await.value == place(2).order);
}

/// And by nothing else.
pub async fn an_api_key_is_found_by_its_digest_until_revoked(subject: &impl Subject) {
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

/// Durable means that a fresh look sees it.
pub async fn what_was_committed_is_there_for_another_process(subject: &impl Subject) {
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
