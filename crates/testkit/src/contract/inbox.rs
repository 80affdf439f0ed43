//! Cases of the port [`Inbox`](paywright_app::Inbox).

use paywright_app::{Changes, EventClosing, EventStatus, Lease, LeasedEvent, ReceivedEvent, Version};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use tokio::join;
use uuid::Uuid;

use super::{NOW, Subject, event, is_conflict, stored, then, update, with_task};
use crate::at;

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

/// Parked events are kept, and those that Stripe created or sent at the time or later.
pub async fn closed_events_are_deleted_by_age(subject: &impl Subject) {
    let store = subject.store();
    for (id, status) in
        [("evt_1", EventStatus::Parked), ("evt_2", EventStatus::Applied), ("evt_3", EventStatus::Foreign)]
    {
        store.record_event(&event(id, status)).await.unwrap();
    }
    let of_clock_behind = ReceivedEvent { received_at: at(NOW - 9), ..event("evt_4", EventStatus::Ignored) };
    store.record_event(&of_clock_behind).await.unwrap();
    let last = ReceivedEvent { received_at: at(NOW + 3), ..event("evt_5", EventStatus::Ignored) };
    store.record_event(&last).await.unwrap();
    assert_eq!(store.delete_events(at(NOW), 10).await.unwrap(), 0, "created at the time");
    assert_eq!(store.delete_events(at(NOW + 1), 10).await.unwrap(), 1, "the others were received at the time");
    assert_eq!(store.delete_events(at(NOW + 2), 1).await.unwrap(), 1);
    assert_eq!(store.delete_events(at(NOW + 2), 10).await.unwrap(), 1);
    let ids = ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5"].map(str::to_owned);
    let mut kept = store.known_events(&ids).await.unwrap();
    kept.sort();
    assert_eq!(kept, ["evt_1", "evt_5"]);
}
