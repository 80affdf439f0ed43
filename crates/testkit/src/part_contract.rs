//! Contract tests of events that are sent in several parts, and of searches for attempts, a part of
//! [`endpoint_contract!`](macro@crate::endpoint_contract).

use paywright_app::{
    Attempt, AttemptOutcome, AttemptPage, AttemptSearch, EndpointState, FeedRange, LeasedQueue, Position, QueueNext,
    ResendOutcome, SendErrorClass, StoredEndpoint,
};
use paywright_domain::fact::FeedEventType;

use crate::contract::NOW;
use crate::endpoint_contract::{add_endpoint, attempt, change, disabled, endpoint, endpoint_id, stored};
use crate::feed_contract::{FeedStore, FeedSubject, append_all, edited};
use crate::queue_contract::{drain, fail, fill, lease_all, lease_only, next, one_more_event, one_order, pass, release};
use crate::{at, audit_entry, subject_of};

/// Position, number of parts that are done, number of failed attempts, and whether it is sent again on request.
fn part(queue: &LeasedQueue) -> (u64, u32, u32, bool) {
    let (position, tries, is_resend) = next(queue);
    (position, queue.part, tries, is_resend)
}

/// Ends a lease after a delivered part; then `done` parts are done.
async fn pass_part(store: &dyn FeedStore, queue: &LeasedQueue, done: u32) {
    let next = QueueNext::Part { position: queue.position, done, now: at(NOW) };
    store.release_queues(&[release(queue, next)]).await.unwrap();
}

/// A part has failed attempts of its own, and a failure sends no part again that is done.
pub async fn the_parts_of_an_event_are_sent_one_after_another(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    let first = lease_only(store, NOW).await;
    assert_eq!(part(&first), (1, 0, 0, false));
    fail(store, &first, NOW).await;
    let first = lease_only(store, NOW).await;
    assert_eq!(part(&first), (1, 0, 1, false));
    pass_part(store, &first, 1).await;
    let second = lease_only(store, NOW).await;
    assert_eq!(part(&second), (1, 1, 0, false), "the next part has no failed attempts");
    fail(store, &second, NOW + 9).await;
    assert_eq!(lease_all(store, NOW + 8).await, []);
    let second = lease_only(store, NOW + 9).await;
    assert_eq!(part(&second), (1, 1, 1, false));
    pass_part(store, &second, 7).await;
    let last = lease_only(store, NOW + 9).await;
    assert_eq!(part(&last), (1, 7, 0, false));
    pass(store, &last).await;
    let later = lease_only(store, NOW + 9).await;
    assert_eq!(part(&later), (2, 0, 0, false), "the next event begins with its first part");
    pass_part(store, &later, 1).await;
    pass(store, &lease_only(store, NOW + 9).await).await;
    assert_eq!(lease_all(store, NOW + 1000).await, []);
}

/// The parts of the event that waits stay as they are.
pub async fn a_resend_has_parts_of_its_own(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    for _ in 0..2 {
        pass(store, &lease_only(store, NOW).await).await;
    }
    pass_part(store, &lease_only(store, NOW).await, 1).await;
    let third = lease_only(store, NOW).await;
    assert_eq!(part(&third), (3, 1, 0, false));
    fail(store, &third, NOW + 50).await;
    for position in [2, 1] {
        let resent =
            store.resend(endpoint_id(1), subject_of(1), Position(position), at(NOW), &audit_entry()).await.unwrap();
        assert_eq!(resent, ResendOutcome::Accepted);
    }
    let still_waits = store.resend(endpoint_id(1), subject_of(1), Position(3), at(NOW), &audit_entry()).await.unwrap();
    assert_eq!(still_waits, ResendOutcome::StillWaits { next_attempt_at: Some(at(NOW + 50)) });
    for position in [2, 1] {
        pass_part(store, &lease_only(store, NOW).await, 2).await;
        let resent = lease_only(store, NOW).await;
        assert_eq!(part(&resent), (position, 2, 0, true));
        fail(store, &resent, NOW).await;
        let resent = lease_only(store, NOW).await;
        assert_eq!(part(&resent), (position, 2, 1, true));
        pass(store, &resent).await;
    }
    assert_eq!(part(&lease_only(store, NOW + 50).await), (3, 1, 1, false));
}

/// Set back before the event of which parts are done, or before an earlier one. Later events set nothing back.
pub async fn a_queue_that_is_set_back_begins_with_the_first_part(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    pass(store, &lease_only(store, NOW).await).await;
    pass_part(store, &lease_only(store, NOW).await, 3).await;
    one_more_event(store, 2).await;
    fill(store).await;
    for (position, expected) in [(2, (2, 3, 1, false)), (1, (2, 0, 0, false)), (0, (1, 0, 0, false))] {
        let second = lease_only(store, NOW).await;
        assert_eq!(second.position, Position(2));
        if second.part == 0 {
            pass_part(store, &second, 3).await;
        } else {
            fail(store, &second, NOW).await;
        }
        assert!(store.set_endpoint_back(endpoint_id(1), Position(position), None).await.unwrap());
        fill(store).await;
        let queue = lease_only(store, NOW).await;
        assert_eq!(part(&queue), expected);
        store.release_queues(&[release(&queue, QueueNext::Again { tries: queue.tries, at: at(NOW) })]).await.unwrap();
    }
}

/// The part is sent again, and so are those before it.
pub async fn a_queue_that_is_set_back_during_the_delivery_of_a_part_stays_so(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 0).await;
    fill(store).await;
    pass_part(store, &lease_only(store, NOW).await, 1).await;
    let under_way = lease_only(store, NOW).await;
    assert!(store.set_endpoint_back(endpoint_id(1), Position::START, None).await.unwrap());
    fill(store).await;
    pass_part(store, &under_way, 2).await;
    let again = lease_only(store, NOW).await;
    assert_eq!(part(&again), (1, 0, 0, false));
    pass(store, &again).await;
    assert_eq!(lease_all(store, NOW + 1000).await, []);
}

/// The event of which parts are done is not wanted any more.
pub async fn parts_are_those_of_one_event_alone(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    pass_part(store, &lease_only(store, NOW).await, 2).await;
    change(store, 1, NOW, |it| it.types = vec![FeedEventType::OrderEdited]).await;
    let second = lease_only(store, NOW).await;
    assert_eq!(part(&second), (2, 0, 0, false));
    pass_part(store, &second, 1).await;
    let second = lease_only(store, NOW).await;
    assert_eq!(part(&second), (2, 1, 0, false));
    pass(store, &second).await;
    assert_eq!(part(&lease_only(store, NOW).await), (3, 0, 0, false));
}

/// Attempts of other endpoints are not found.
pub async fn attempts_of_several_endpoints_are_searched(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in 1..=3 {
        add_endpoint(store, n).await;
    }
    let (delivered, failed) = (AttemptOutcome::Delivered, AttemptOutcome::Failed);
    let without_answer = |n, time, message: &str| {
        let error = Some(SendErrorClass::Connect);
        Attempt { status: None, error, answer: message.into(), ..attempt(n, NOW + time, 1, failed) }
    };
    let all = [
        attempt(1, NOW + 5, 2, delivered),
        without_answer(2, 4, "Connection REFUSED"),
        Attempt { kind: "order.placed".into(), status: Some(404), ..attempt(1, NOW + 3, 1, failed) },
        without_answer(1, 2, "timed out"),
        Attempt { status: Some(500), ..attempt(2, NOW + 1, 1, AttemptOutcome::Retried) },
    ];
    for attempt in all.iter().chain([&attempt(3, NOW + 9, 1, failed)]) {
        store.add_attempt(attempt).await.unwrap();
    }
    let of_both = AttemptSearch { endpoints: [1, 2].map(endpoint_id).into(), limit: 10, ..AttemptSearch::default() };
    let search = async |search: AttemptSearch| store.search_attempts(&search).await.unwrap();
    for (search_of, expected) in [
        (AttemptSearch { is_delivered: Some(true), ..of_both.clone() }, [0].as_slice()),
        (AttemptSearch { is_delivered: Some(false), ..of_both.clone() }, &[1, 2, 3, 4]),
        (AttemptSearch { kind: Some("order.placed".into()), ..of_both.clone() }, &[2]),
        (AttemptSearch { status: Some(Some(500)), ..of_both.clone() }, &[4]),
        (AttemptSearch { status: Some(None), ..of_both.clone() }, &[1, 3]),
        (AttemptSearch { error_contains: Some("refused".into()), ..of_both.clone() }, &[1]),
        (AttemptSearch { error_contains: Some("Ka%".into()), ..of_both.clone() }, &[]),
        (AttemptSearch { endpoints: vec![endpoint_id(2)], ..of_both.clone() }, &[1, 4]),
        (AttemptSearch { endpoints: Vec::new(), ..of_both.clone() }, &[]),
        (of_both.clone(), &[0, 1, 2, 3, 4]),
    ] {
        let attempts: Vec<_> = expected.iter().map(|it: &usize| all[*it].clone()).collect();
        let count = u16::try_from(attempts.len()).unwrap();
        assert_eq!(search(search_of.clone()).await, AttemptPage { attempts, count }, "{search_of:?}");
    }
    let page = search(AttemptSearch { offset: 3, limit: 1, ..of_both.clone() }).await;
    assert_eq!((page.attempts, page.count), (vec![all[3].clone()], 5));
    let beyond = search(AttemptSearch { offset: 9, ..of_both }).await;
    assert_eq!((beyond.attempts, beyond.count), (Vec::new(), 5));
}

/// Once it is enabled, it gets the events after the position that it is set to.
pub async fn no_event_waits_for_an_endpoint_that_was_never_enabled(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let mut never = endpoint(1);
    never.state = disabled();
    store.add_endpoint(&never, StoredEndpoint::NOT_STARTED, None).await.unwrap();
    edited(store, 1, 1).await;
    append_all(store).await;
    fill(store).await;
    assert_eq!(stored(store, 1).await.reached(), None);
    assert_eq!(store.waiting_orders(endpoint_id(1)).await.unwrap().count, 0);
    assert_eq!(store.delete_feed_events(at(NOW + 1_000_000), 1).await.unwrap().count, 1);
    assert_eq!(store.feed_range().await.unwrap(), FeedRange { deleted: Position(1), last: Position(2) });
    assert!(store.set_endpoint_back(endpoint_id(1), Position(2), None).await.unwrap());
    change(store, 1, NOW, |it| it.state = EndpointState::Enabled).await;
    one_more_event(store, 2).await;
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [3]);
    assert_eq!(stored(store, 1).await.reached(), Some(Position(3)));
}
