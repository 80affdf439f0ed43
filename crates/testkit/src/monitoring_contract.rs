//! Contract tests of the port [`Monitoring`]. `monitoring_contract!(fresh())` makes a test of each function.

use std::sync::Arc;

use paywright_app::{
    Backlog, Case, EventStatus, Lease, Monitoring, OrderQuery, OrderRef, Position, Store, StoredTask, TaskRelease,
    Version, Waiting, cases_of,
};
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::fact::FeedEventType;
use paywright_domain::id::{DisputeId, RefundId};
use paywright_domain::intent::IntentStatus;
use paywright_domain::refund::{NewClosing, NewRefund, Refund, RefundSnapshot, RefundStatus};
use paywright_domain::task::TaskKind;
use paywright_domain::text::Note;
use paywright_domain::{Decision, IntentId, Money, Order, OrderId};
use uuid::Uuid;

use crate::contract::order_lists::{Step, WAYS, walk};
use crate::contract::{NOW, event, then, with_task};
use crate::endpoint_contract::{add_endpoint, change, disabled, endpoint};
use crate::feed_contract::{FeedStore, append_all, edited};
use crate::queue_contract::{drain, fill};
use crate::{at, order_id};

/// A store that is monitored.
pub trait MonitoredStore: FeedStore + Monitoring {}

impl<S: FeedStore + Monitoring> MonitoredStore for S {}

/// Store under test, empty at first.
pub trait MonitoredSubject: Send + Sync {
    /// The ports of the store.
    fn monitored_store(&self) -> Arc<dyn MonitoredStore>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`MonitoredSubject`]; it may `.await`.
#[macro_export]
macro_rules! monitoring_contract {
    ($fresh:expr) => {
        $crate::monitoring_contract! { $fresh;
            orders_in_review_are_read_from_the_oldest_on
            orders_with_cases_are_those_that_wait_for_a_person
            tasks_count_from_the_time_at_which_they_are_due
            a_task_whose_attempt_failed_counts_until_it_succeeds
            parked_events_count_by_the_time_of_their_receipt
            an_event_waits_for_its_position_and_then_for_its_delivery
            the_oldest_event_that_an_endpoint_wants_is_found
            endpoints_count_by_their_state
            the_version_of_the_database_has_its_name
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod monitoring {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::monitoring_contract::$case(&subject).await;
            })*
        }
    };
}

async fn backlog(store: &dyn MonitoredStore, now: i64) -> Backlog {
    store.backlog(at(now)).await.unwrap()
}

fn waiting(count: u64, oldest: i64) -> Waiting {
    Waiting { count, oldest: Some(at(oldest)) }
}

/// Orders of every completion and balance are stored, several of which are held.
pub async fn orders_in_review_are_read_from_the_oldest_on(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    assert_eq!(store.orders_in_review(10).await.unwrap(), []);
    for (n, steps) in (1..).zip(WAYS) {
        walk(store, n, "ada", steps).await;
    }
    let all = store.orders(&OrderQuery::newest(100)).await.unwrap();
    let held: Vec<&Order> = all.iter().rev().filter(|it| it.is_held_for_review()).collect();
    assert!(held.len() >= 2 && held.len() < all.len(), "{} of {}", held.len(), all.len());
    assert_eq!(store.orders_in_review(100).await.unwrap().iter().collect::<Vec<_>>(), held);
    assert_eq!(store.orders_in_review(1).await.unwrap().iter().collect::<Vec<_>>(), held[..1]);
}

/// Of each status of a dispute and of a refund, alone, before a later refund, and closed, among orders in every state.
pub async fn orders_with_cases_are_those_that_wait_for_a_person(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    assert_eq!(store.orders_with_cases(10).await.unwrap(), []);
    for (n, steps) in (1..).zip(WAYS) {
        walk(store, n, "ada", steps).await;
    }
    let mut n = 100;
    for status in DisputeStatus::ALL {
        n += 1;
        let order = paid(store, n).await;
        let dispute = Dispute {
            id: DisputeId::new(format!("du_{n}")).unwrap(),
            intent: IntentId::new(format!("pi_{n}")).unwrap(),
            amount: order.total,
            status,
            reason: "fraudulent".into(),
            due_by: None,
            withdrawn: false,
            reinstated: false,
        };
        save(store, order.update_dispute(&dispute, at(NOW + 9)).unwrap()).await;
    }
    // All or a part of the money; and then, a second refund or none, which fails or does not. Failed ones are closed or not.
    for (minor, closes) in [None, Some(100)].into_iter().flat_map(|it| [(it, false), (it, true)]) {
        for (first, second) in RefundStatus::ALL.into_iter().flat_map(|first| {
            let seconds = [None, Some(RefundStatus::Failed), Some(RefundStatus::Succeeded)];
            seconds.into_iter().map(move |second| (first, second))
        }) {
            n += 1;
            let mut order = paid(store, n).await;
            for (number, status) in (1..).zip([Some(first), second].into_iter().flatten()) {
                let amount = minor.map(|it| Money::new(it, order.total.currency()).unwrap());
                let new = NewRefund { amount, ..NewRefund::default() };
                let Ok((decided, _)) = order.refund(&new, at(NOW + 9)) else { continue };
                order = save(store, decided).await;
                order = update_refund(store, &order, number, status).await;
            }
            let closing = |order: &Order, refund: &Refund| {
                let note = Note::new("paid back in cash").unwrap();
                let new = NewClosing { amount: Some(order.most_to_close(refund)), note };
                order.close_refund(refund.number, &new, at(NOW + 10)).unwrap()
            };
            while let Some(Case::RefundFailed(refund)) = cases_of(&order).into_iter().next().filter(|_| closes) {
                order = save(store, closing(&order, refund)).await;
            }
        }
    }
    let all = store.orders(&OrderQuery::newest(1000)).await.unwrap();
    let waiting: Vec<&Order> = all.iter().rev().filter(|it| !cases_of(it).is_empty()).collect();
    let kinds = |is: fn(&Case<'_>) -> bool| waiting.iter().filter(|it| cases_of(it).iter().any(is)).count();
    assert_eq!(kinds(|it| matches!(it, Case::DisputeToAnswer(_))), 2);
    assert!(kinds(|it| matches!(it, Case::RefundFailed(_))) >= 3);
    assert!(kinds(|it| matches!(it, Case::Review(_))) >= 2);
    assert!(waiting.len() < all.len());
    assert_eq!(store.orders_with_cases(1000).await.unwrap().iter().collect::<Vec<_>>(), waiting);
    assert_eq!(store.orders_with_cases(1).await.unwrap().iter().collect::<Vec<_>>(), waiting[..1]);
}

/// The `n`th order, paid.
pub(crate) async fn paid(store: &dyn Store, n: u32) -> Order {
    walk(store, n, "ada", &[Step::Answered(IntentStatus::Succeeded)]).await;
    store.order(&OrderRef::Id(order_id(n))).await.unwrap().unwrap().value
}

/// Commits a decision on the stored version of its order.
pub(crate) async fn save(store: &dyn Store, decision: Decision) -> Order {
    let order = decision.order.clone();
    let Version(version) = store.order(&OrderRef::Id(order.id)).await.unwrap().unwrap().version;
    store.commit(then(version, decision)).await.unwrap();
    order
}

/// Stripe's answer that a refund has a status.
pub(crate) async fn update_refund(store: &dyn Store, order: &Order, number: u32, status: RefundStatus) -> Order {
    let refund = order.refund_numbered(number).unwrap();
    let update = RefundSnapshot {
        id: RefundId::new(format!("re_{}_{number}", order.number.as_str().replace('-', ""))).unwrap(),
        name: Some(refund.name(order.id)),
        intent: refund.intent.clone(),
        amount: refund.amount,
        reason: None,
        status,
        failure: None,
        request: None,
    };
    save(store, order.update_refund(&update, at(NOW + 10)).unwrap()).await
}

/// Two tasks are due, and one is not yet. A task under a lease is still due.
pub async fn tasks_count_from_the_time_at_which_they_are_due(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    assert_eq!(backlog(store, NOW).await, Backlog::default());
    for (n, due) in [(1, NOW + 5), (2, NOW + 3), (3, NOW + 60)] {
        with_task(store, n, due).await;
    }
    for (now, expected) in [
        (NOW + 2, None),
        (NOW + 3, Some(waiting(1, NOW + 3))),
        (NOW + 10, Some(waiting(2, NOW + 3))),
        (NOW + 60, Some(waiting(3, NOW + 3))),
    ] {
        assert_eq!(backlog(store, now).await.due_tasks.get(&TaskKind::CreateIntent).copied(), expected, "{now}");
    }
    lease_tasks(store, NOW + 10).await;
    assert_eq!(backlog(store, NOW + 10).await.due_tasks, [(TaskKind::CreateIntent, waiting(2, NOW + 3))].into());
}

async fn lease_tasks(store: &dyn MonitoredStore, now: i64) -> Vec<(OrderId, StoredTask, u32)> {
    let lease = Lease { owner: Uuid::from_u128(1), now: at(now), until: at(now + 60), limit: 10 };
    let mut leased = Vec::new();
    for it in store.lease_tasks(&lease).await.unwrap() {
        let stored = store.tasks(it.order).await.unwrap().remove(0);
        leased.push((it.order, stored, it.taken));
    }
    leased
}

/// The task is due again later, and then no longer stored.
pub async fn a_task_whose_attempt_failed_counts_until_it_succeeds(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    with_task(store, 1, NOW).await;
    for (again_at, error, due, failing) in [(Some(NOW + 60), Some("no answer"), 0, 1), (None, None, 0, 0)] {
        let now = if error.is_some() { NOW } else { NOW + 60 };
        let (order, stored, taken) = lease_tasks(store, now).await.remove(0);
        let release = TaskRelease {
            owner: Uuid::from_u128(1),
            order,
            key: stored.task.key(),
            taken,
            again_at: again_at.map(at),
            error: error.map(str::to_owned),
        };
        assert!(store.release_task(&release).await.unwrap());
        let found = backlog(store, now).await;
        let count = |it: Option<&Waiting>| it.map_or(0, |it| it.count);
        assert_eq!(count(found.due_tasks.get(&TaskKind::CreateIntent)), due);
        let expected = (failing > 0).then_some(Waiting { count: failing, oldest: None });
        assert_eq!(found.failing_tasks.get(&TaskKind::CreateIntent).copied(), expected);
    }
}

/// Events with another status do not count.
pub async fn parked_events_count_by_the_time_of_their_receipt(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    for (id, status) in
        [("evt_1", EventStatus::Applied), ("evt_2", EventStatus::Parked), ("evt_3", EventStatus::Parked)]
    {
        store.record_event(&event(id, status)).await.unwrap();
    }
    assert_eq!(backlog(store, NOW + 5).await, Backlog { parked_events: waiting(2, NOW + 1), ..Backlog::default() });
}

/// The commits have no position, then one, and are then delivered.
pub async fn an_event_waits_for_its_position_and_then_for_its_delivery(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    edited(store, 1, 2).await;
    edited(store, 2, 0).await;
    let without_tasks = async || Backlog { due_tasks: [].into(), ..backlog(store, NOW + 9).await };
    assert_eq!(without_tasks().await, Backlog { unpositioned_events: waiting(4, NOW), ..Backlog::default() });
    append_all(store).await;
    let positioned = Backlog { feed_position: Position(4), ..Backlog::default() };
    assert_eq!(without_tasks().await, positioned);
    add_endpoint(store, 1).await;
    let enabled = Backlog { endpoints_enabled: 1, ..positioned };
    assert_eq!(without_tasks().await, Backlog { deliveries: waiting(1, NOW), ..enabled.clone() });
    fill(store).await;
    assert_eq!(without_tasks().await, Backlog { deliveries: waiting(2, NOW), ..enabled.clone() });
    assert_eq!(drain(store, NOW).await.len(), 4);
    assert_eq!(without_tasks().await, enabled);
}

/// The queue begins before the first event that is wanted, and a disabled endpoint waits for nothing.
pub async fn the_oldest_event_that_an_endpoint_wants_is_found(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    let mut edits = endpoint(1);
    edits.types = vec![FeedEventType::OrderEdited];
    store.add_endpoint(&edits, Position::START, None).await.unwrap();
    edited(store, 1, 0).await;
    append_all(store).await;
    fill(store).await;
    assert_eq!(backlog(store, NOW).await.deliveries, Waiting::default());
    let order = store.order(&paywright_app::OrderRef::Id(order_id(1))).await.unwrap().unwrap();
    let edit = order.value.edit(crate::edit_of_lines(700), at(NOW + 30)).unwrap();
    store.commit(crate::changes(order.version, edit, at(NOW + 30), at(NOW + 30))).await.unwrap();
    append_all(store).await;
    fill(store).await;
    assert_eq!(backlog(store, NOW + 60).await.deliveries, waiting(1, NOW + 30));
    change(store, 1, NOW, |it| it.state = disabled()).await;
    let after = backlog(store, NOW + 60).await;
    assert_eq!((after.deliveries, after.endpoints_disabled), (Waiting::default(), 1));
}

/// One endpoint of each state.
pub async fn endpoints_count_by_their_state(subject: &impl MonitoredSubject) {
    let store = &*subject.monitored_store();
    for n in 1..=4 {
        add_endpoint(store, n).await;
    }
    change(store, 1, NOW, |it| it.state = disabled()).await;
    change(store, 2, NOW, |it| it.failing = Some(paywright_app::Failing { since: at(NOW), told: 0 })).await;
    let expected = Backlog { endpoints_enabled: 2, endpoints_failing: 1, endpoints_disabled: 1, ..Backlog::default() };
    assert_eq!(backlog(store, NOW).await, expected);
}

/// The name is followed by a number.
pub async fn the_version_of_the_database_has_its_name(subject: &impl MonitoredSubject) {
    let version = subject.monitored_store().version().await.unwrap();
    let (_, number) = version.split_once(' ').unwrap();
    assert!(number.starts_with(|it: char| it.is_ascii_digit()), "{version}");
}
