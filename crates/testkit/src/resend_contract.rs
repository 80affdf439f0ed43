//! Contract tests of events that are sent again on request, a part of
//! [`endpoint_contract!`](macro@crate::endpoint_contract).

use paywright_app::{EndpointState, Position, RESENDS_MAX};

use crate::contract::NOW;
use crate::endpoint_contract::{change, disabled, endpoint_id};
use crate::feed_contract::FeedSubject;
use crate::queue_contract::{drain, fail, fill, lease_all, lease_only, next, one_more_event, one_order, pass, passed};
use crate::{at, order_id};

/// A request while the event waits for that already changes nothing.
pub async fn an_event_is_sent_again_before_the_rest(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 3).await;
    fill(store).await;
    for _ in 0..2 {
        pass(store, &lease_only(store, NOW).await).await;
    }
    fail(store, &lease_only(store, NOW).await, NOW + 1000).await;
    for position in [1, 2, 1] {
        let resent = store.resend(endpoint_id(1), order_id(1), Position(position), at(NOW + 5)).await;
        assert!(resent.unwrap());
    }
    assert_eq!(lease_all(store, NOW + 4).await, []);
    let queue = lease_only(store, NOW + 5).await;
    assert_eq!((next(&queue), queue.done), ((1, 0, true), Position(2)));
    fail(store, &queue, NOW + 50).await;
    assert_eq!(lease_all(store, NOW + 49).await, []);
    let queue = lease_only(store, NOW + 50).await;
    assert_eq!(next(&queue), (1, 1, true));
    store.release_queues(&[passed(&queue, NOW + 50)]).await.unwrap();
    let queue = lease_only(store, NOW + 50).await;
    assert_eq!((next(&queue), queue.done), ((2, 0, true), Position(2)));
    store.release_queues(&[passed(&queue, NOW + 50)]).await.unwrap();
    assert_eq!(drain(store, NOW + 50).await, [3, 4]);
}

/// The events after it are not sent again.
pub async fn an_event_of_a_drained_queue_is_sent_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    drain(store, NOW).await;
    assert!(store.resend(endpoint_id(1), order_id(1), Position(2), at(NOW + 5)).await.unwrap());
    assert_eq!(lease_all(store, NOW + 4).await, []);
    assert_eq!(next(&lease_only(store, NOW + 5).await), (2, 0, true));
    one_more_event(store, 3).await;
    fill(store).await;
    assert_eq!(drain(store, NOW + 65).await, [2, 4]);
}

/// An event that waits already is not counted again.
pub async fn a_limited_number_of_events_is_sent_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let max = u32::try_from(RESENDS_MAX).unwrap();
    one_order(store, max).await;
    while store.fill_queues(at(NOW), 50).await.unwrap() {}
    drain(store, NOW).await;
    let resend = async |position: u32| {
        store.resend(endpoint_id(1), order_id(1), Position(u64::from(position)), at(NOW)).await.unwrap()
    };
    for position in 1..=max {
        assert!(resend(position).await, "{position}");
    }
    assert!(!resend(max + 1).await);
    assert!(resend(max).await);
    pass(store, &lease_only(store, NOW).await).await;
    assert!(resend(max + 1).await);
    assert_eq!(drain(store, NOW).await, (2..=u64::from(max) + 1).collect::<Vec<_>>());
}

/// Neither for the retry of the event that is under way.
pub async fn an_event_sent_again_during_a_delivery_does_not_wait(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    pass(store, &lease_only(store, NOW).await).await;
    let resend = async |position| {
        assert!(store.resend(endpoint_id(1), order_id(1), Position(position), at(NOW)).await.unwrap());
    };
    let second = lease_only(store, NOW).await;
    resend(1).await;
    assert_eq!(lease_all(store, NOW).await, [], "the lease goes on");
    fail(store, &second, NOW + 1000).await;
    let first = lease_only(store, NOW).await;
    assert_eq!(next(&first), (1, 0, true));
    // The same while an event is being sent again.
    resend(2).await;
    pass(store, &first).await;
    assert_eq!(drain(store, NOW).await, [2, 2, 3]);
    resend(3).await;
    let third = lease_only(store, NOW).await;
    resend(1).await;
    pass(store, &third).await;
    assert_eq!(drain(store, NOW).await, [1]);
}

/// The request is stored meanwhile.
pub async fn an_event_is_sent_again_once_its_endpoint_is_enabled(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    drain(store, NOW).await;
    change(store, 1, NOW, |it| it.state = disabled()).await;
    assert!(store.resend(endpoint_id(1), order_id(1), Position(2), at(NOW)).await.unwrap());
    assert_eq!(lease_all(store, NOW + 1_000_000).await, []);
    change(store, 1, NOW, |it| it.state = EndpointState::Enabled).await;
    assert_eq!(drain(store, NOW).await, [2]);
}
