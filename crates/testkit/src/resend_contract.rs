//! Contract tests of events that are sent again on request, a part of
//! [`endpoint_contract!`](macro@crate::endpoint_contract).

use paywright_app::{Act, EndpointState, Position, RESENDS_MAX, ResendOutcome};

use crate::contract::NOW;
use crate::contract::audit_trail::{entries, entry};
use crate::endpoint_contract::{change, disabled, endpoint_id};
use crate::feed_contract::{FeedStore, FeedSubject, lease};
use crate::queue_contract::{drain, fail, fill, lease_all, lease_only, next, one_more_event, one_order, pass, passed};
use crate::{at, audit_entry, subject_of};

/// Requests to send an event of the first order to the first endpoint again.
async fn resend(store: &dyn FeedStore, position: u64, now: i64) -> ResendOutcome {
    store.resend(endpoint_id(1), subject_of(1), Position(position), at(now), &audit_entry()).await.unwrap()
}

/// Asserts that an event is accepted to be sent again.
async fn accept(store: &dyn FeedStore, position: u64, now: i64) {
    assert_eq!(resend(store, position, now).await, ResendOutcome::Accepted, "{position}");
}

/// Stores four events, of which the first two are delivered and the third one has failed once.
async fn third_fails(store: &dyn FeedStore, again_at: i64) {
    one_order(store, 3).await;
    fill(store).await;
    for _ in 0..2 {
        pass(store, &lease_only(store, NOW).await).await;
    }
    fail(store, &lease_only(store, NOW).await, again_at).await;
}

/// A request that is refused leaves no entry; one that is repeated leaves one each time.
pub async fn a_resend_is_stored_with_its_audit_entry(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 1000).await;
    let resend = async |position: u64, n: u8| {
        let entry = entry(n, "hook", Act::EndpointEventResent { position });
        store.resend(endpoint_id(1), subject_of(1), Position(position), at(NOW), &entry).await.unwrap()
    };
    assert_eq!(resend(1, 1).await, ResendOutcome::Accepted);
    assert!(matches!(resend(3, 2).await, ResendOutcome::StillWaits { .. }));
    assert!(matches!(resend(9, 3).await, ResendOutcome::StillWaits { .. }));
    assert_eq!(resend(1, 4).await, ResendOutcome::Accepted);
    assert_eq!(entries(store).await, [4, 1]);
}

/// The event that waits keeps its failed attempts and its time.
pub async fn an_event_is_sent_again_before_the_rest(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 1000).await;
    accept(store, 1, NOW + 5).await;
    assert_eq!(lease_all(store, NOW + 4).await, []);
    let queue = lease_only(store, NOW + 5).await;
    assert_eq!((next(&queue), queue.done), ((1, 0, true), Position(2)));
    store.release_queues(&[passed(&queue, NOW + 6)]).await.unwrap();
    assert_eq!(lease_all(store, NOW + 999).await, []);
    accept(store, 2, NOW + 7).await;
    let queue = lease_only(store, NOW + 1000).await;
    assert_eq!(next(&queue), (2, 0, true), "a resend that is due comes first");
    store.release_queues(&[passed(&queue, NOW + 1000)]).await.unwrap();
    assert_eq!(next(&lease_only(store, NOW + 1000).await), (3, 1, false));
}

/// A resend has failed attempts of its own.
pub async fn a_resend_that_fails_delays_no_other_event(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 20).await;
    accept(store, 1, NOW).await;
    fail(store, &lease_only(store, NOW).await, NOW + 50).await;
    let third = lease_only(store, NOW + 20).await;
    assert_eq!(next(&third), (3, 1, false));
    store.release_queues(&[passed(&third, NOW + 21)]).await.unwrap();
    let fourth = lease_only(store, NOW + 21).await;
    assert_eq!(next(&fourth), (4, 0, false));
    fail(store, &fourth, NOW + 1000).await;
    assert_eq!(lease_all(store, NOW + 49).await, []);
    let first = lease_only(store, NOW + 50).await;
    assert_eq!(next(&first), (1, 1, true));
    fail(store, &first, NOW + 2000).await;
    let fourth = lease_only(store, NOW + 1000).await;
    assert_eq!(next(&fourth), (4, 1, false));
    store.release_queues(&[passed(&fourth, NOW + 1000)]).await.unwrap();
    assert_eq!(lease_all(store, NOW + 1999).await, [], "the queue has a resend left");
    assert_eq!(next(&lease_only(store, NOW + 2000).await), (1, 2, true));
}

/// The rest became due during the resend: a walk through the due queues may be at a later place already.
pub async fn the_rest_of_a_queue_is_due_since_before_the_end_of_a_resend(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 0).await;
    fill(store).await;
    drain(store, NOW).await;
    accept(store, 1, NOW).await;
    let resent = lease_only(store, NOW).await;
    one_more_event(store, 1).await;
    store.fill_queues(at(NOW + 1), 10).await.unwrap();
    store.release_queues(&[passed(&resent, NOW + 8)]).await.unwrap();
    let due = store.due_queues(&lease(1, NOW + 8, NOW + 68), None, None).await.unwrap();
    assert_eq!(due.iter().map(|it| (it.subject, it.due_at)).collect::<Vec<_>>(), [(subject_of(1), at(NOW + 1))]);
}

/// A request while the event waits to be sent again changes nothing, and one that has passed leaves the next one no
/// failed attempts.
pub async fn resends_are_sent_in_the_order_of_their_requests(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 1000).await;
    for (position, now) in [(2, NOW + 5), (1, NOW + 6), (2, NOW + 7)] {
        accept(store, position, now).await;
    }
    let queue = lease_only(store, NOW + 5).await;
    assert_eq!(next(&queue), (2, 0, true));
    fail(store, &queue, NOW + 50).await;
    accept(store, 2, NOW + 8).await;
    assert_eq!(lease_all(store, NOW + 49).await, [], "the later request waits for the earlier one");
    let queue = lease_only(store, NOW + 50).await;
    assert_eq!(next(&queue), (2, 1, true));
    store.release_queues(&[passed(&queue, NOW + 51)]).await.unwrap();
    let queue = lease_only(store, NOW + 51).await;
    assert_eq!(next(&queue), (1, 0, true));
    store.release_queues(&[passed(&queue, NOW + 52)]).await.unwrap();
    assert_eq!(lease_all(store, NOW + 999).await, []);
}

/// Sent now, the event would come before the earlier ones of its order. The answer has the time of the next attempt.
pub async fn an_event_that_waits_is_not_sent_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 1000).await;
    let still_waits = |at: Option<i64>| ResendOutcome::StillWaits { next_attempt_at: at.map(crate::at) };
    for position in [3, 4] {
        assert_eq!(resend(store, position, NOW).await, still_waits(Some(NOW + 1000)), "{position}");
    }
    one_more_event(store, 4).await;
    assert_eq!(resend(store, 5, NOW).await, still_waits(Some(NOW + 1000)), "the endpoint has not reached it");
    accept(store, 2, NOW).await;
    pass(store, &lease_only(store, NOW).await).await;
    assert_eq!(lease_all(store, NOW + 999).await, [], "nothing was changed");
    change(store, 1, NOW, |it| it.state = disabled()).await;
    assert_eq!(resend(store, 3, NOW).await, still_waits(None), "a disabled endpoint has no next attempt");
    change(store, 1, NOW, |it| it.state = EndpointState::Enabled).await;
    assert_eq!(drain(store, NOW).await, [3, 4]);
    assert_eq!(resend(store, 5, NOW).await, still_waits(None), "the order has no queue");
    accept(store, 4, NOW).await;
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [4, 5]);
}

/// Neither with nor without a queue of its order.
pub async fn a_deleted_event_is_not_sent_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    pass(store, &lease_only(store, NOW).await).await;
    assert_eq!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap().count, 1);
    assert_eq!(resend(store, 1, NOW).await, ResendOutcome::Deleted);
    assert_eq!(drain(store, NOW).await, [2, 3]);
    assert_eq!(store.delete_feed_events(at(NOW + 1), 1).await.unwrap().count, 1);
    assert_eq!(resend(store, 2, NOW).await, ResendOutcome::Deleted);
    assert_eq!(lease_all(store, NOW).await, []);
    accept(store, 3, NOW).await;
    assert!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap().is_held);
    assert_eq!(drain(store, NOW).await, [3]);
}

/// Events are sent again in their order, and those that were requested before that.
pub async fn resends_stay_in_a_queue_that_is_set_back(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    third_fails(store, NOW + 1000).await;
    accept(store, 2, NOW).await;
    let second = lease_only(store, NOW).await;
    store.set_endpoint_back(endpoint_id(1), Position::START, None).await.unwrap();
    let waits = ResendOutcome::StillWaits { next_attempt_at: Some(at(NOW + 1000)) };
    assert_eq!(resend(store, 1, NOW).await, waits);
    fill(store).await;
    fail(store, &second, NOW + 50).await;
    let first = lease_only(store, NOW).await;
    assert_eq!((next(&first), first.done), ((1, 0, false), Position::START));
    pass(store, &first).await;
    assert_eq!(drain(store, NOW).await, [2, 3, 4]);
    assert_eq!(next(&lease_only(store, NOW + 50).await), (2, 1, true));
}

/// The events after it are not sent again.
pub async fn an_event_of_a_drained_queue_is_sent_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    drain(store, NOW).await;
    accept(store, 2, NOW + 5).await;
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
    let max = u64::from(max);
    for position in 1..=max {
        accept(store, position, NOW).await;
    }
    assert_eq!(resend(store, max + 1, NOW).await, ResendOutcome::TooMany);
    accept(store, max, NOW).await;
    pass(store, &lease_only(store, NOW).await).await;
    accept(store, max + 1, NOW).await;
    assert_eq!(drain(store, NOW).await, (2..=max + 1).collect::<Vec<_>>());
}

/// Neither for the retry of the event that is under way.
pub async fn an_event_sent_again_during_a_delivery_does_not_wait(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    pass(store, &lease_only(store, NOW).await).await;
    let second = lease_only(store, NOW).await;
    accept(store, 1, NOW).await;
    assert_eq!(lease_all(store, NOW).await, [], "the lease goes on");
    fail(store, &second, NOW + 1000).await;
    let first = lease_only(store, NOW).await;
    assert_eq!(next(&first), (1, 0, true));
    pass(store, &first).await;
    assert_eq!(drain(store, NOW + 1000).await, [2, 3]);
    // The same while an event is being sent again.
    accept(store, 3, NOW).await;
    let third = lease_only(store, NOW).await;
    accept(store, 1, NOW).await;
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
    accept(store, 2, NOW).await;
    assert_eq!(lease_all(store, NOW + 1_000_000).await, []);
    change(store, 1, NOW, |it| it.state = EndpointState::Enabled).await;
    assert_eq!(drain(store, NOW).await, [2]);
}
