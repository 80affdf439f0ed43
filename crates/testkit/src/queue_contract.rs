//! Contract tests of the queues of endpoints, a part of [`endpoint_contract!`](macro@crate::endpoint_contract).

use paywright_app::{
    Attempt, AttemptOutcome, DueQueue, EndpointState, Lease, LeasedQueue, Position, QueueNext, QueueRelease, SubjectId,
    WaitingOrders,
};
use paywright_domain::fact::FeedEventType;
use tokio::join;
use uuid::Uuid;

use crate::contract::{NOW, first};
use crate::endpoint_contract::{add_endpoint, attempts_of, change, disabled, endpoint, endpoint_id, stored};
use crate::feed_contract::{FeedStore, FeedSubject, all, append_all, edit, edited, lease, read};
use crate::{at, place, subject_of};

/// Owner of the leases here.
const OWNER: u128 = 1;

/// Puts the whole feed into queues that are due at [`NOW`].
pub(crate) async fn fill(store: &dyn FeedStore) {
    while store.fill_queues(at(NOW), 1000).await.unwrap() {}
}

/// Stores the first endpoint, from the start of the feed, and the first order, with the positions from 1 to
/// `edits` + 1.
pub(crate) async fn one_order(store: &dyn FeedStore, edits: u32) {
    add_endpoint(store, 1).await;
    edited(store, 1, edits).await;
    append_all(store).await;
}

/// Adds the next event of the first order, which has `version`.
pub(crate) async fn one_more_event(store: &dyn FeedStore, version: u32) {
    let order = crate::contract::stored(store, 1).await.value;
    edit(store, &order, version, 1).await;
    append_all(store).await;
}

pub(crate) async fn lease_all(store: &dyn FeedStore, now: i64) -> Vec<LeasedQueue> {
    lease_due(store, &lease(OWNER, now, now + 60)).await
}

/// Leases the first due queues.
async fn lease_due(store: &dyn FeedStore, lease: &Lease) -> Vec<LeasedQueue> {
    let due = store.due_queues(lease, None, None).await.unwrap();
    store.lease_queues(lease, &due).await.unwrap()
}

/// Leases the only queue that is due.
pub(crate) async fn lease_only(store: &dyn FeedStore, now: i64) -> LeasedQueue {
    let [queue] = <[_; 1]>::try_from(lease_all(store, now).await).expect("one queue is due");
    queue
}

/// Leases the queue of an order, and no other.
pub(crate) async fn lease_one(store: &dyn FeedStore, subject: SubjectId) -> LeasedQueue {
    let (mut own, others): (Vec<_>, Vec<_>) =
        lease_all(store, NOW).await.into_iter().partition(|it| it.subject == subject);
    let again = |it: &LeasedQueue| release(it, QueueNext::Again { tries: it.tries, at: at(NOW) });
    store.release_queues(&others.iter().map(again).collect::<Vec<_>>()).await.unwrap();
    own.pop().expect("the order's queue is due")
}

pub(crate) fn release(queue: &LeasedQueue, next: QueueNext) -> QueueRelease {
    let LeasedQueue { endpoint, subject, taken, done, part, is_resend, .. } = *queue;
    QueueRelease { owner: Uuid::from_u128(OWNER), endpoint, subject, taken, done, part, is_resend, next, attempt: None }
}

pub(crate) fn passed(queue: &LeasedQueue, now: i64) -> QueueRelease {
    release(queue, QueueNext::Passed { position: queue.position, now: at(now) })
}

fn attempt(queue: &LeasedQueue, time: i64, outcome: AttemptOutcome) -> Attempt {
    let event = queue.next.as_ref().expect("an event is next");
    Attempt {
        endpoint: queue.endpoint,
        at: at(time),
        event: event.id(),
        kind: event.kind.name().into(),
        source: Some((queue.position, queue.subject)),
        number: queue.tries + 1,
        duration_ms: 12,
        status: Some(500),
        error: None,
        answer: String::new(),
        outcome,
    }
}

/// Passes the event of a lease.
pub(crate) async fn pass(store: &dyn FeedStore, queue: &LeasedQueue) {
    store.release_queues(&[passed(queue, NOW)]).await.unwrap();
}

/// Ends a lease after a failed attempt, the next of which is at `again_at`.
pub(crate) async fn fail(store: &dyn FeedStore, queue: &LeasedQueue, again_at: i64) {
    let attempt = Some(attempt(queue, NOW, AttemptOutcome::Retried));
    let next = QueueNext::Again { tries: queue.tries + 1, at: at(again_at) };
    store.release_queues(&[QueueRelease { attempt, ..release(queue, next) }]).await.unwrap();
}

/// Position, number of failed attempts, and whether it is sent again on request.
pub(crate) fn next(queue: &LeasedQueue) -> (u64, u32, bool) {
    assert!(
        queue.next.as_ref().is_none_or(|it| (it.position, it.reference().subject) == (queue.position, queue.subject))
    );
    (queue.position.0, queue.tries, queue.is_resend)
}

/// Delivers what is due at `now`, and returns the positions.
pub(crate) async fn drain(store: &dyn FeedStore, now: i64) -> Vec<u64> {
    let mut delivered = Vec::new();
    loop {
        let queues = lease_all(store, now).await;
        if queues.is_empty() {
            return delivered;
        }
        delivered.extend(queues.iter().filter(|it| it.next.is_some()).map(|it| it.position.0));
        store.release_queues(&queues.iter().map(|it| passed(it, now)).collect::<Vec<_>>()).await.unwrap();
    }
}

/// An endpoint that is at the end of the feed does not move.
pub async fn each_endpoint_moves_ahead_by_a_limit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    assert!(!store.fill_queues(at(NOW), 2).await.unwrap());
    one_order(store, 4).await;
    store.add_endpoint(&endpoint(2), Position(4), None).await.unwrap();
    store.add_endpoint(&endpoint(3), Position(5), None).await.unwrap();
    for (is_behind, expected) in [(true, [2, 5, 5]), (true, [4, 5, 5]), (false, [5, 5, 5]), (false, [5, 5, 5])] {
        assert_eq!(store.fill_queues(at(NOW), 2).await.unwrap(), is_behind);
        for (n, position) in (1..).zip(expected) {
            assert_eq!(stored(store, n).await.position, Position(position));
        }
    }
    assert_eq!(lease_all(store, NOW - 1).await, [], "queues are due at the time of the call");
    let mut delivered = drain(store, NOW).await;
    delivered.sort_unstable();
    assert_eq!(delivered, [1, 2, 3, 4, 5, 5]);
    one_more_event(store, 5).await;
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [6, 6, 6]);
}

/// The endpoint's position moves past the others.
pub async fn a_queue_has_the_types_that_its_endpoint_wants(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let mut placed = endpoint(1);
    placed.types = vec![FeedEventType::OrderPaid, FeedEventType::OrderPlaced];
    store.add_endpoint(&placed, Position::START, None).await.unwrap();
    for n in 1..=2 {
        edited(store, n, 2).await;
    }
    append_all(store).await;
    assert!(store.fill_queues(at(NOW), 3).await.unwrap());
    assert!(!store.fill_queues(at(NOW), 3).await.unwrap());
    assert_eq!(stored(store, 1).await.position, Position(6));
    let mut delivered = drain(store, NOW).await;
    delivered.sort_unstable();
    assert_eq!(delivered, [1, 4]);
    one_more_event(store, 3).await;
    fill(store).await;
    assert_eq!(lease_all(store, NOW).await, []);
}

/// No event is lost while the endpoint is disabled.
pub async fn a_disabled_endpoint_goes_on_from_its_position(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    change(store, 1, NOW, |it| it.state = disabled()).await;
    assert!(!store.fill_queues(at(NOW), 1).await.unwrap(), "a disabled endpoint is not behind");
    assert_eq!(stored(store, 1).await.position, Position::START);
    one_more_event(store, 2).await;
    assert_eq!(lease_all(store, NOW).await, []);
    change(store, 1, NOW, |it| it.state = EndpointState::Enabled).await;
    assert!(store.fill_queues(at(NOW), 1).await.unwrap());
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [1, 2, 3]);
}

/// Two processes lease; two endpoints have a queue of their own each, and so have two orders.
pub async fn one_event_of_an_order_is_leased_at_a_time(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    edited(store, 2, 0).await;
    append_all(store).await;
    add_endpoint(store, 2).await;
    fill(store).await;
    let (left, right) = (lease(1, NOW, NOW + 60), lease(2, NOW, NOW + 60));
    let (mut leased, right) = join!(lease_due(store, &left), lease_due(store, &right));
    leased.extend(right);
    let mut keys: Vec<_> = leased.iter().map(|it| (it.endpoint, it.subject, next(it), it.taken, it.done)).collect();
    keys.sort_unstable();
    let mut expected = Vec::new();
    for n in 1..=2 {
        expected.push((endpoint_id(n), subject_of(1), (1, 0, false), 1, Position(0)));
        // The queue of the second order begins before its own first position.
        expected.push((endpoint_id(n), subject_of(2), (3, 0, false), 1, Position(2)));
    }
    assert_eq!(keys, expected);
    let events = read(store, &all()).await;
    for queue in &leased {
        let event = events.iter().find(|it| it.position == queue.position);
        assert_eq!(queue.next.as_ref(), event);
    }
    assert_eq!(lease_all(store, NOW + 1).await, []);
}

/// Orders are queued in another order than that of their ids.
pub async fn queues_are_leased_in_the_order_of_their_due_times(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    for (n, time) in [(3, NOW), (1, NOW + 1), (2, NOW + 2), (4, NOW + 11)] {
        store.commit(first(place(n))).await.unwrap();
        append_all(store).await;
        store.fill_queues(at(time), 10).await.unwrap();
    }
    let mut orders = Vec::new();
    for limit in [2, 2, 2] {
        let due = lease_due(store, &Lease { limit, ..lease(OWNER, NOW + 10, NOW + 60) }).await;
        orders.push(due.iter().map(|it| it.subject).collect::<Vec<_>>());
    }
    assert_eq!(orders, [vec![subject_of(3), subject_of(1)], vec![subject_of(2)], vec![]]);
}

/// Pages miss none and repeat none, also of one due time; those of one endpoint are read apart.
pub async fn due_queues_are_read_by_pages_and_by_endpoint(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in [2, 1] {
        add_endpoint(store, n).await;
    }
    for (n, time) in [(5, NOW), (1, NOW), (3, NOW), (2, NOW + 1), (4, NOW + 11)] {
        store.commit(first(place(n))).await.unwrap();
        append_all(store).await;
        store.fill_queues(at(time), 10).await.unwrap();
    }
    let lease = |limit| Lease { limit, ..lease(OWNER, NOW + 10, NOW + 60) };
    let all = store.due_queues(&lease(100), None, None).await.unwrap();
    let of = |time: i64, endpoint, order| DueQueue {
        due_at: at(time),
        endpoint: endpoint_id(endpoint),
        subject: subject_of(order),
    };
    let mut expected: Vec<_> = [1, 2].into_iter().flat_map(|it| [1, 3, 5].map(|n| of(NOW, it, n))).collect();
    expected.extend([of(NOW + 1, 1, 2), of(NOW + 1, 2, 2)]);
    assert_eq!(all, expected);
    for limit in [1, 2, 3, 7] {
        let mut pages = Vec::new();
        loop {
            let page = store.due_queues(&lease(limit), pages.last().copied(), None).await.unwrap();
            assert!(page.len() <= usize::from(limit));
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, expected, "{limit}");
    }
    let second: Vec<_> = expected.into_iter().filter(|it| it.endpoint == endpoint_id(2)).collect();
    let mut found = store.due_queues(&lease(100), None, Some(endpoint_id(2))).await.unwrap();
    assert_eq!(found.last(), second.last());
    found.sort_unstable();
    assert_eq!(found, second);
    let one = store.due_queues(&lease(1), None, Some(endpoint_id(2))).await.unwrap();
    assert_eq!(one.len(), 1);
    let leased = store.lease_queues(&lease(100), &second[1..]).await.unwrap();
    assert_eq!(leased.iter().map(|it| it.subject).collect::<Vec<_>>(), [3, 5, 2].map(subject_of));
    assert_eq!(store.due_queues(&lease(100), None, Some(endpoint_id(2))).await.unwrap(), second[..1]);
    assert_eq!(store.due_queues(&lease(100), None, None).await.unwrap().len(), 5);
    let leased = store.lease_queues(&lease(100), &second).await.unwrap();
    assert_eq!(leased.iter().map(|it| it.subject).collect::<Vec<_>>(), [subject_of(1)], "the others are under a lease");
}

/// A process whose clock ran ahead may have taken the lease that ends too late.
pub async fn a_queue_lease_that_has_ended_or_ends_too_late_is_ignored(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    assert_eq!(lease_only(store, NOW).await.taken, 1);
    assert_eq!(lease_all(store, NOW + 59).await, []);
    let ahead = lease(2, NOW + 1_000_000, NOW + 1_000_060);
    assert_eq!(lease_due(store, &ahead).await[0].taken, 2);
    let usual = lease_only(store, NOW + 60).await;
    assert_eq!((usual.taken, next(&usual)), (3, (1, 0, false)));
    assert_eq!(lease_all(store, NOW + 119).await, []);
}

/// A queue with nothing left is deleted, and holds no event of the feed.
pub async fn a_passed_event_is_followed_by_the_next_one(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    for (n, time) in [(1, NOW), (2, NOW + 1), (3, NOW + 2)] {
        assert_eq!(lease_all(store, time - 1).await, [], "the rest is due at the time of the release");
        let queue = lease_only(store, time).await;
        assert_eq!((next(&queue), queue.done), ((n, 0, false), Position(n - 1)));
        assert!(store.delete_feed_events(at(NOW + 1), 10).await.unwrap().is_held);
        store.release_queues(&[passed(&queue, time + 1)]).await.unwrap();
    }
    assert_eq!(lease_all(store, NOW + 100).await, []);
    assert!(!store.delete_feed_events(at(NOW + 1), 10).await.unwrap().is_held);
    one_more_event(store, 3).await;
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [4]);
}

/// The events after it wait too, and failed attempts are counted for each event.
pub async fn a_failed_event_is_due_again_later(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    let mut time = NOW;
    for tries in 0..3 {
        let queue = lease_only(store, time).await;
        assert_eq!((next(&queue), queue.done), ((1, tries, false), Position(0)));
        fail(store, &queue, time + 30).await;
        assert_eq!(lease_all(store, time + 29).await, []);
        time += 30;
    }
    let queue = lease_only(store, time).await;
    assert_eq!(queue.taken, 4);
    pass(store, &queue).await;
    assert_eq!(next(&lease_only(store, time).await), (2, 0, false));
}

/// The lease was taken by another process, by the same one again, or its queue was deleted.
pub async fn a_stale_release_stores_its_attempt_alone(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    let stale = lease_only(store, NOW).await;
    let held = lease_only(store, NOW + 60).await;
    let mut expected = Vec::new();
    let late = async |n: i64| {
        let outcome = AttemptOutcome::Delivered;
        let attempts = [n, n + 1].map(|it| attempt(&stale, NOW + it, outcome));
        let [one, two] = attempts.clone().map(Some);
        let again = release(&stale, QueueNext::Again { tries: 7, at: at(NOW) });
        let (again, passed) = (QueueRelease { attempt: one, ..again }, passed(&stale, NOW));
        let passed = QueueRelease { attempt: two, ..passed };
        let foreign = QueueRelease { owner: Uuid::from_u128(9), taken: held.taken, attempt: None, ..passed.clone() };
        store.release_queues(&[again, passed, foreign]).await.unwrap();
        attempts
    };
    expected.extend(late(1).await);
    assert_eq!(lease_all(store, NOW + 61).await, [], "the lease is not ended");
    pass(store, &held).await;
    expected.extend(late(3).await);
    let second = lease_only(store, NOW + 61).await;
    assert_eq!(next(&second), (2, 0, false));
    pass(store, &second).await;
    expected.extend(late(5).await);
    assert_eq!(lease_all(store, NOW + 1000).await, [], "no queue is made");
    expected.reverse();
    assert_eq!(store.attempts(&attempts_of(1)).await.unwrap(), expected);
}

/// The delivery of the last event in the queue is under way.
pub async fn an_event_added_during_a_delivery_is_delivered(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 0).await;
    fill(store).await;
    let queue = lease_only(store, NOW).await;
    one_more_event(store, 1).await;
    fill(store).await;
    assert_eq!(lease_all(store, NOW).await, [], "the lease goes on");
    pass(store, &queue).await;
    assert_eq!(drain(store, NOW).await, [2]);
}

/// Also those that wait for a retry are delivered from the first event on, at once.
pub async fn an_endpoint_that_is_set_back_gets_events_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [1, 2, 3]);
    assert!(store.set_endpoint_back(endpoint_id(1), Position(1), None).await.unwrap());
    assert_eq!(stored(store, 1).await.position, Position(1));
    assert!(!store.set_endpoint_back(endpoint_id(2), Position(1), None).await.unwrap());
    fill(store).await;
    pass(store, &lease_only(store, NOW).await).await;
    let third = lease_only(store, NOW).await;
    assert_eq!(next(&third), (3, 0, false));
    fail(store, &third, NOW + 1000).await;
    store.set_endpoint_back(endpoint_id(1), Position::START, None).await.unwrap();
    assert!(!store.fill_queues(at(NOW + 5), 10).await.unwrap());
    assert_eq!(lease_all(store, NOW + 4).await, []);
    let again = lease_only(store, NOW + 5).await;
    assert_eq!(next(&again), (1, 0, false));
    pass(store, &again).await;
    assert_eq!(drain(store, NOW + 5).await, [2, 3]);
}

/// Events that it has not received would be left out.
pub async fn an_endpoint_is_never_set_ahead(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 3).await;
    store.fill_queues(at(NOW), 2).await.unwrap();
    store.set_endpoint_back(endpoint_id(1), Position(3), None).await.unwrap();
    assert_eq!(stored(store, 1).await.position, Position(2));
    fill(store).await;
    assert_eq!(drain(store, NOW).await, [1, 2, 3, 4]);
}

/// Whether the delivery succeeds or fails.
pub async fn a_queue_that_is_set_back_during_a_delivery_stays_so(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    for succeeds in [true, false] {
        for _ in 0..2 {
            pass(store, &lease_only(store, NOW).await).await;
        }
        let third = lease_only(store, NOW).await;
        assert_eq!(next(&third), (3, 0, false));
        store.set_endpoint_back(endpoint_id(1), Position::START, None).await.unwrap();
        fill(store).await;
        assert_eq!(lease_all(store, NOW).await, [], "the lease goes on");
        if succeeds {
            pass(store, &third).await;
        } else {
            fail(store, &third, NOW + 1000).await;
        }
    }
    assert_eq!(drain(store, NOW).await, [1, 2, 3]);
}

/// A delivery may be under way meanwhile. Once the endpoint is enabled, its queues have no failed attempts.
pub async fn the_queues_of_a_disabled_endpoint_are_due_at_no_time(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    edited(store, 2, 1).await;
    append_all(store).await;
    fill(store).await;
    let failing = lease_one(store, subject_of(1)).await;
    let passing = lease_one(store, subject_of(2)).await;
    change(store, 1, NOW, |it| it.state = disabled()).await;
    fail(store, &failing, NOW + 1).await;
    pass(store, &passing).await;
    assert_eq!(lease_all(store, NOW + 1_000_000).await, []);
    change(store, 1, NOW + 5, |it| it.description = "still disabled".into()).await;
    assert_eq!(lease_all(store, NOW + 1_000_000).await, []);
    change(store, 1, NOW + 5, |it| it.state = EndpointState::Enabled).await;
    assert_eq!(lease_all(store, NOW + 4).await, []);
    let mut leased: Vec<_> = lease_all(store, NOW + 5).await.iter().map(next).collect();
    leased.sort_unstable();
    assert_eq!(leased, [(1, 0, false), (4, 0, false)]);
}

/// A first failure is stored with the endpoint while its queues wait.
pub async fn a_change_of_an_enabled_endpoint_keeps_its_retries(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    fill(store).await;
    fail(store, &lease_only(store, NOW).await, NOW + 100).await;
    change(store, 1, NOW + 1, |it| it.description = "changed".into()).await;
    assert_eq!(lease_all(store, NOW + 99).await, []);
    assert_eq!(next(&lease_only(store, NOW + 100).await), (1, 1, false));
}

/// Events that are not in queues yet are among them, if the endpoint wants them.
pub async fn the_orders_that_wait_for_an_endpoint_are_counted(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    edited(store, 2, 1).await;
    append_all(store).await;
    add_endpoint(store, 2).await;
    let waiting = async |n| {
        let WaitingOrders { count, next_attempt_at } = store.waiting_orders(endpoint_id(n)).await.unwrap();
        (count, next_attempt_at)
    };
    assert_eq!(waiting(1).await, (2, None));
    fill(store).await;
    assert_eq!(waiting(1).await, (2, Some(at(NOW))));
    let leased = lease_all(store, NOW).await;
    for queue in leased.iter().filter(|it| it.endpoint == endpoint_id(1)) {
        fail(store, queue, NOW + if queue.subject == subject_of(1) { 50 } else { 20 }).await;
    }
    assert_eq!(waiting(1).await, (2, Some(at(NOW + 20))));
    let queue = lease_only(store, NOW + 20).await;
    store.release_queues(&[passed(&queue, NOW + 20)]).await.unwrap();
    assert_eq!(drain(store, NOW + 20).await, [4]);
    assert_eq!(waiting(1).await, (1, Some(at(NOW + 50))));
    change(store, 1, NOW, |it| it.state = disabled()).await;
    assert_eq!(waiting(1).await, (1, None));
    one_more_event(store, 2).await;
    edited(store, 3, 1).await;
    append_all(store).await;
    assert_eq!(waiting(1).await, (2, None), "an order counts once");
    change(store, 1, NOW, |it| it.types = vec![FeedEventType::OrderPaid]).await;
    assert_eq!(waiting(1).await, (1, None), "the types are those of the endpoint now");
    fill(store).await;
    assert_eq!(waiting(1).await, (1, None), "a disabled endpoint stays where it is");
    store.delete_endpoint(endpoint_id(1), None).await.unwrap();
    assert_eq!(waiting(2).await.0, 3, "another endpoint has queues of its own");
    assert_eq!(waiting(3).await, (0, None));
}

/// Some orders at a time. What is due earlier stays so.
pub async fn what_waits_for_an_endpoint_is_made_due(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 1).await;
    for n in 2..=5 {
        edited(store, n, 0).await;
    }
    append_all(store).await;
    add_endpoint(store, 2).await;
    fill(store).await;
    for queue in lease_all(store, NOW).await {
        fail(store, &queue, NOW + if queue.subject == subject_of(5) { 10 } else { 1000 }).await;
    }
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        after = store.make_queues_due(endpoint_id(1), after, at(NOW + 20), 2).await.unwrap();
        pages.push(after);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [Some(subject_of(2)), Some(subject_of(4)), None]);
    let due = async |now| {
        let due = lease_all(store, now).await;
        let mut due: Vec<_> = due.iter().map(|it| (it.endpoint, it.subject, it.tries)).collect();
        due.sort_unstable();
        due
    };
    let one = endpoint_id(1);
    assert_eq!(due(NOW + 19).await, [(one, subject_of(5), 1), (endpoint_id(2), subject_of(5), 1)]);
    assert_eq!(due(NOW + 20).await, [1, 2, 3, 4].map(|n| (one, subject_of(n), 0)));
}

/// The endpoint was changed after its queue was filled.
pub async fn a_queue_whose_rest_is_not_wanted_has_no_next_event(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    fill(store).await;
    change(store, 1, NOW, |it| it.types = vec![FeedEventType::OrderPlaced]).await;
    let queue = lease_only(store, NOW).await;
    assert_eq!(next(&queue), (1, 0, false));
    pass(store, &queue).await;
    let queue = lease_only(store, NOW).await;
    assert_eq!((next(&queue), queue.next, queue.done), ((3, 0, false), None, Position(1)));
    store.release_queues(&[passed(&LeasedQueue { next: None, ..queue }, NOW)]).await.unwrap();
    assert_eq!(lease_all(store, NOW).await, []);
    change(store, 1, NOW, |it| it.types = Vec::new()).await;
    assert_eq!(lease_all(store, NOW).await, [], "the queue is deleted");
    assert!(!store.delete_feed_events(at(NOW + 1), 10).await.unwrap().is_held);
}
