//! Contract tests of the feed's retention, a part of [`feed_contract!`](macro@crate::feed_contract).

use paywright_app::{DeletedFeedEvents, EventRef, FeedAppend, FeedRange, Position, ResendOutcome, Version};

use crate::contract::{NOW, first, then};
use crate::endpoint_contract::{add_endpoint, disabled, endpoint, endpoint_id};
use crate::feed_contract::{FeedSubject, all, append, append_all, commit, edited, payment, positions, read, take_feed};
use crate::queue_contract::{fill, lease_one, pass};
use crate::{at, audit_entry, changes, order_id, place, subject_of};

/// Positions go on after a deletion, and the facts of the orders stay.
pub async fn the_oldest_events_are_deleted_up_to_a_time_and_a_limit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for (n, time) in [(1, NOW), (2, NOW + 1), (3, NOW + 9), (4, NOW + 2)] {
        store.commit(changes(Version::NEW, place(n), at(time), at(time))).await.unwrap();
    }
    assert_eq!(append_all(store).await, Position(4));
    let delete = |before: i64, limit| store.delete_feed_events(at(before), limit);
    let deleted = |count| DeletedFeedEvents { count, is_held: false };
    assert_eq!(delete(NOW, 10).await.unwrap(), deleted(0), "an event at the time is not older");
    assert_eq!(delete(NOW + 5, 1).await.unwrap(), deleted(1));
    assert_eq!(positions(&read(store, &all()).await), [2, 3, 4]);
    assert_eq!(delete(NOW + 5, 10).await.unwrap(), deleted(1), "only the first events are deleted");
    assert_eq!(delete(NOW + 5, 10).await.unwrap(), deleted(0));
    assert_eq!(positions(&read(store, &all()).await), [3, 4]);
    assert_eq!(store.feed_range().await.unwrap(), FeedRange { deleted: Position(2), last: Position(4) });
    assert_eq!(delete(NOW + 50, 10).await.unwrap(), deleted(2));
    assert_eq!(store.feed_range().await.unwrap(), FeedRange { deleted: Position(4), last: Position(4) });
    for n in 1..=4 {
        assert_eq!(store.facts(order_id(n)).await.unwrap().len(), 1);
    }
    commit(store, first(place(5))).await;
    assert_eq!(append_all(store).await, Position(5));
    assert_eq!(positions(&read(store, &all()).await), [5]);
    // A deleted event keeps its fact's position.
    let events = vec![EventRef { subject: subject_of(1), version: Version(1), index: 0 }];
    let append = FeedAppend { lease: take_feed(store, 1).await, until: at(NOW + 60), events };
    assert!(store.append_to_feed(&append).await.is_err());
}

/// The events of one commit have one snapshot, which stays until the last of them is deleted.
pub async fn an_event_of_a_partly_deleted_version_keeps_its_snapshot(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    commit(store, first(place(1))).await;
    let paid = then(1, payment(&place(1).order));
    let snapshot = paid.snapshot.clone().unwrap();
    let count = u16::try_from(commit(store, paid).await.len()).unwrap();
    // The relay has positioned all but the last fact.
    let lease = take_feed(store, 1).await;
    let facts = store.unpositioned_events(count).await.unwrap();
    append(store, lease, &facts).await.unwrap();
    store.release_feed(lease).await.unwrap();
    assert_eq!(store.delete_feed_events(at(NOW + 1), 2).await.unwrap().count, 2);
    store.delete_feed_events(at(NOW + 1), 10).await.unwrap();
    append_all(store).await;
    let events = read(store, &all()).await;
    assert_eq!(
        events.iter().map(|it| (it.position.0, it.of_order().map(|it| &it.snapshot))).collect::<Vec<_>>(),
        [(u64::from(count) + 1, Some(&snapshot))]
    );
}

/// A disabled endpoint goes on from its position later.
pub async fn events_after_an_endpoints_position_are_not_deleted(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    edited(store, 1, 3).await;
    append_all(store).await;
    store.add_endpoint(&endpoint(1), Position(2), None).await.unwrap();
    let mut second = endpoint(2);
    second.state = disabled();
    store.add_endpoint(&second, Position(1), None).await.unwrap();
    let held = |count| DeletedFeedEvents { count, is_held: true };
    assert_eq!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap(), held(1));
    assert_eq!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap(), held(0));
    assert!(store.delete_endpoint(endpoint_id(2), None).await.unwrap());
    assert_eq!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap(), held(1));
    assert!(!store.delete_feed_events(at(NOW), 10).await.unwrap().is_held, "the next event is not older");
    assert!(store.delete_endpoint(endpoint_id(1), None).await.unwrap());
    assert_eq!(
        store.delete_feed_events(at(NOW + 1), 10).await.unwrap(),
        DeletedFeedEvents { count: 2, is_held: false }
    );
}

/// An event that is sent again on request is held as well.
pub async fn events_in_a_queue_are_not_deleted(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    // Order 1 has the positions 1 to 3, and order 2 those from 4 on.
    edited(store, 1, 2).await;
    edited(store, 2, 1).await;
    append_all(store).await;
    fill(store).await;
    let delete = async || store.delete_feed_events(at(NOW + 1), 10).await.unwrap();
    let held = |count| DeletedFeedEvents { count, is_held: true };
    assert_eq!(delete().await, held(0));
    pass(store, &lease_one(store, subject_of(1)).await).await;
    assert_eq!(delete().await, held(1));
    let second = lease_one(store, subject_of(1)).await;
    assert_eq!(delete().await, held(0));
    pass(store, &second).await;
    pass(store, &lease_one(store, subject_of(1)).await).await;
    let resent = store.resend(endpoint_id(1), subject_of(1), Position(3), at(NOW), &audit_entry()).await.unwrap();
    assert_eq!(resent, ResendOutcome::Accepted);
    assert_eq!(delete().await, held(1));
    pass(store, &lease_one(store, subject_of(1)).await).await;
    assert_eq!(delete().await, held(1));
    for _ in 0..2 {
        pass(store, &lease_one(store, subject_of(2)).await).await;
    }
    assert_eq!(delete().await, DeletedFeedEvents { count: 2, is_held: false });
}
