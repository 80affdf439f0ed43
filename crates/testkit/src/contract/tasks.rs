//! Cases of the port [`TaskQueue`](paywright_app::TaskQueue).

use std::sync::Arc;

use paywright_app::{EventStatus, LateTasks, Lease, ReceivedEvent, Rescheduled, StoredTask, TaskRelease};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use paywright_domain::task::TaskKind;
use paywright_domain::{Decision, IntentId, Task};
use tokio::join;
use uuid::Uuid;

use super::{NOW, Subject, event, lease, then, update, with_task};
use crate::at;

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
