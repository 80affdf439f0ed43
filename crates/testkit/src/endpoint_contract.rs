//! Contract tests of the port [`Endpoints`](paywright_app::Endpoints). `endpoint_contract!(fresh())` makes a test of
//! each function here, in [`queue_contract`](crate::queue_contract),
//! [`part_contract`](crate::part_contract) and in [`resend_contract`](crate::resend_contract).

use paywright_app::{
    Act, Attempt, AttemptOutcome, AttemptQuery, DisabledReason, Endpoint, EndpointFormat, EndpointId, EndpointState,
    EndpointUrl, Failing, Position, SecretGeneration, SendErrorClass, StoredEndpoint, TroubledEndpoints, Version,
    Versioned,
};
use paywright_domain::fact::FeedEventType;
use uuid::Uuid;

use crate::contract::audit_trail::{entries, entry};
use crate::contract::{NOW, is_conflict};
use crate::feed_contract::{FeedStore, FeedSubject};
use crate::{at, subject_of};

pub use crate::part_contract::*;
pub use crate::queue_contract::*;
pub use crate::resend_contract::*;

/// Makes a test of each function of the contract. `$fresh` is an expression of a
/// [`FeedSubject`](crate::feed_contract::FeedSubject); it may `.await`.
#[macro_export]
macro_rules! endpoint_contract {
    ($fresh:expr) => {
        $crate::endpoint_contract! { $fresh;
            an_endpoint_is_read_unchanged
            endpoints_are_listed_in_the_order_of_their_ids
            a_change_of_a_stale_endpoint_is_a_conflict
            endpoints_that_get_no_events_are_read_up_to_a_limit
            an_endpoint_is_deleted_with_its_queues_and_attempts
            a_change_of_an_endpoint_is_stored_with_its_audit_entry
            a_resend_is_stored_with_its_audit_entry
            attempts_are_read_from_the_newest_on
            an_attempt_is_read_unchanged
            attempts_are_deleted_by_age_and_limit
            each_endpoint_moves_ahead_by_a_limit
            a_queue_has_the_types_that_its_endpoint_wants
            a_disabled_endpoint_goes_on_from_its_position
            one_event_of_an_order_is_leased_at_a_time
            queues_are_leased_in_the_order_of_their_due_times
            due_queues_are_read_by_pages_and_by_endpoint
            a_queue_lease_that_has_ended_or_ends_too_late_is_ignored
            a_passed_event_is_followed_by_the_next_one
            a_failed_event_is_due_again_later
            a_stale_release_stores_its_attempt_alone
            an_event_added_during_a_delivery_is_delivered
            an_endpoint_that_is_set_back_gets_events_again
            an_endpoint_is_never_set_ahead
            a_queue_that_is_set_back_during_a_delivery_stays_so
            the_queues_of_a_disabled_endpoint_are_due_at_no_time
            a_change_of_an_enabled_endpoint_keeps_its_retries
            the_orders_that_wait_for_an_endpoint_are_counted
            what_waits_for_an_endpoint_is_made_due
            the_parts_of_an_event_are_sent_one_after_another
            a_resend_has_parts_of_its_own
            a_queue_that_is_set_back_begins_with_the_first_part
            a_queue_that_is_set_back_during_the_delivery_of_a_part_stays_so
            parts_are_those_of_one_event_alone
            attempts_of_several_endpoints_are_searched
            no_event_waits_for_an_endpoint_that_was_never_enabled
            an_event_is_sent_again_before_the_rest
            a_resend_that_fails_delays_no_other_event
            the_rest_of_a_queue_is_due_since_before_the_end_of_a_resend
            resends_are_sent_in_the_order_of_their_requests
            an_event_that_waits_is_not_sent_again
            a_deleted_event_is_not_sent_again
            resends_stay_in_a_queue_that_is_set_back
            an_event_of_a_drained_queue_is_sent_again
            a_limited_number_of_events_is_sent_again
            an_event_sent_again_during_a_delivery_does_not_wait
            an_event_is_sent_again_once_its_endpoint_is_enabled
            a_queue_whose_rest_is_not_wanted_has_no_next_event
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod endpoints {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::endpoint_contract::$case(&subject).await;
            })*
        }
    };
}

/// Makes the `n`th endpoint id: a higher `n` is a newer endpoint.
pub fn endpoint_id(n: u32) -> EndpointId {
    EndpointId(Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0000 + (u128::from(n) << 64) + u128::from(n)))
}

/// Makes the `n`th endpoint, enabled and for all types.
pub fn endpoint(n: u32) -> Endpoint {
    Endpoint {
        id: endpoint_id(n),
        url: EndpointUrl::parse(&format!("https://shop.example/webhooks/{n}")).unwrap(),
        description: String::new(),
        format: EndpointFormat::Standard,
        types: Vec::new(),
        subscriptions: Vec::new(),
        secret: SecretGeneration { current: 1, previous_until: None, key_id: "key-1".into() },
        created_at: at(NOW),
        updated_at: at(NOW),
        state: EndpointState::Enabled,
        failing: None,
    }
}

pub(crate) fn disabled() -> EndpointState {
    EndpointState::Disabled { reason: DisabledReason::Requested, at: at(NOW) }
}

/// Stores the `n`th endpoint, from the start of the feed.
pub(crate) async fn add_endpoint(store: &dyn FeedStore, n: u32) {
    store.add_endpoint(&endpoint(n), Position::START, None).await.unwrap();
}

pub(crate) async fn stored(store: &dyn FeedStore, n: u32) -> StoredEndpoint {
    store.endpoint(endpoint_id(n)).await.unwrap().expect("the endpoint is stored")
}

/// Changes a stored endpoint at `now`.
pub(crate) async fn change(store: &dyn FeedStore, n: u32, now: i64, edit: impl FnOnce(&mut Endpoint)) {
    let mut changed = stored(store, n).await.endpoint;
    edit(&mut changed.value);
    store.change_endpoint(&changed, at(now), None).await.unwrap();
}

pub(crate) fn attempt(n: u32, time: i64, event: u128, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        endpoint: endpoint_id(n),
        at: at(time),
        event: Uuid::from_u128(event),
        kind: "order.paid".into(),
        source: Some((Position(7), subject_of(1))),
        number: 1,
        duration_ms: 12,
        status: Some(200),
        error: None,
        answer: "Kaffee für Zoë ☕".into(),
        outcome,
    }
}

pub(crate) fn attempts_of(n: u32) -> AttemptQuery {
    AttemptQuery { endpoint: endpoint_id(n), older_than: None, outcome: None, limit: 100 }
}

/// All fields of an endpoint are written and read, at first and after a change.
pub async fn an_endpoint_is_read_unchanged(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    assert_eq!(store.endpoint(endpoint_id(1)).await.unwrap(), None);
    add_endpoint(store, 1).await;
    let full = Endpoint {
        description: "Kaffee für Zoë ☕".into(),
        format: EndpointFormat::Spree,
        types: vec![FeedEventType::RefundChanged, FeedEventType::OrderPaid],
        subscriptions: vec!["refund.create".into(), "order.paid".into()],
        updated_at: at(NOW + 7),
        secret: SecretGeneration { current: u32::MAX, previous_until: Some(at(NOW + 9)), key_id: "k2".into() },
        failing: Some(Failing { since: at(NOW - 5), told: 3 }),
        ..endpoint(2)
    };
    store.add_endpoint(&full, Position(7), None).await.unwrap();
    let versioned = |version, value| Versioned { version: Version(version), value };
    let expected = StoredEndpoint { endpoint: versioned(1, endpoint(1)), position: Position::START };
    assert_eq!(stored(store, 1).await, expected);
    assert_eq!(stored(store, 2).await, StoredEndpoint { endpoint: versioned(1, full.clone()), position: Position(7) });
    assert!(is_conflict(&store.add_endpoint(&endpoint(2), Position(9), None).await));
    let states = DisabledReason::ALL.map(|reason| EndpointState::Disabled { reason, at: at(NOW + 1) });
    let mut version = 1;
    for state in states.into_iter().chain([EndpointState::Enabled]) {
        let changed = Endpoint { state, ..full.clone() };
        store.change_endpoint(&versioned(version, changed.clone()), at(NOW + 1), None).await.unwrap();
        version += 1;
        let expected = StoredEndpoint { endpoint: versioned(version, changed), position: Position(7) };
        assert_eq!(stored(store, 2).await, expected);
    }
    let url = EndpointUrl::parse("http://10.0.0.1:8080/a?b=c").unwrap();
    let emptied = Endpoint { url, format: full.format, ..endpoint(2) };
    store.change_endpoint(&versioned(version, emptied.clone()), at(NOW), None).await.unwrap();
    assert_eq!(stored(store, 2).await.endpoint.value, emptied);
    assert_eq!(stored(store, 1).await, expected, "another endpoint is unchanged");
}

/// The oldest endpoint has the lowest id.
pub async fn endpoints_are_listed_in_the_order_of_their_ids(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in [300, 2, 1] {
        add_endpoint(store, n).await;
    }
    let list = async |after: Option<u32>, limit| {
        let page = store.endpoints(after.map(endpoint_id), limit).await.unwrap();
        page.into_iter().map(|it| it.endpoint.value).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, [endpoint(1), endpoint(2), endpoint(300)]);
    assert_eq!(list(None, 2).await, [endpoint(1), endpoint(2)]);
    assert_eq!(list(Some(1), 10).await, [endpoint(2), endpoint(300)]);
    assert_eq!(list(Some(3), 10).await, [endpoint(300)]);
    assert_eq!(list(Some(300), 10).await, []);
}

/// Neither is one of an endpoint that does not exist stored.
pub async fn a_change_of_a_stale_endpoint_is_a_conflict(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    let described = |text: &str| Endpoint { description: text.into(), ..endpoint(1) };
    let change = async |version, value| {
        store.change_endpoint(&Versioned { version: Version(version), value }, at(NOW), None).await
    };
    change(1, described("a")).await.unwrap();
    for version in [0, 1, 3] {
        assert!(is_conflict(&change(version, described("b")).await), "{version}");
    }
    assert_eq!(stored(store, 1).await.endpoint.value, described("a"));
    assert!(is_conflict(&change(1, endpoint(2)).await));
    assert_eq!(store.endpoint(endpoint_id(2)).await.unwrap(), None);
}

/// Endpoints that an operator has disabled are not among them, and neither are those that fail for a short time.
pub async fn endpoints_that_get_no_events_are_read_up_to_a_limit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let failing = |since| Some(Failing { since: at(since), told: 0 });
    let disabled_by = |reason| EndpointState::Disabled { reason, at: at(NOW) };
    let mut expected = Vec::new();
    for (n, state, failing, key, is_expected) in [
        (1, EndpointState::Enabled, None, "key-1", false),
        (2, disabled_by(DisabledReason::Requested), failing(NOW - 9), "key-1", false),
        (3, disabled_by(DisabledReason::Gone), None, "key-1", true),
        (4, disabled_by(DisabledReason::Failing), failing(NOW - 9), "key-1", true),
        (5, EndpointState::Enabled, failing(NOW - 5), "key-1", true),
        (6, EndpointState::Enabled, failing(NOW - 4), "key-1", false),
        (7, EndpointState::Enabled, None, "key-2", true),
        (8, disabled_by(DisabledReason::Requested), None, "key-2", false),
        (9, EndpointState::Enabled, failing(NOW - 8), "key-1", true),
        (10, EndpointState::Enabled, None, "key-1.spree", false),
    ] {
        let secret = SecretGeneration { current: 1, previous_until: None, key_id: key.into() };
        let endpoint = Endpoint { state, failing, secret, ..endpoint(n) };
        store.add_endpoint(&endpoint, Position::START, None).await.unwrap();
        expected.extend(is_expected.then_some(endpoint));
    }
    let troubled = async |limit| {
        let keys = ["key-1", "key-1.spree"].map(String::from);
        let TroubledEndpoints { first, count } = store.troubled_endpoints(at(NOW - 5), &keys, limit).await.unwrap();
        assert_eq!(count, 5);
        first
    };
    assert_eq!(troubled(10).await, expected);
    assert_eq!(troubled(2).await, expected[..2]);
    change(store, 3, NOW, |it| it.state = EndpointState::Enabled).await;
    let left = store.troubled_endpoints(at(NOW - 10), &["key-2".to_owned()], 10).await.unwrap();
    let ids: Vec<_> = left.first.iter().map(|it| it.id).collect();
    assert_eq!(ids, [1, 3, 4, 5, 6, 9, 10].map(endpoint_id));
}

/// An endpoint with the same id has neither afterwards.
pub async fn an_endpoint_is_deleted_with_its_queues_and_attempts(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    one_order(store, 2).await;
    add_endpoint(store, 2).await;
    fill(store).await;
    for n in [1, 2] {
        store.add_attempt(&attempt(n, NOW, 1, AttemptOutcome::Failed)).await.unwrap();
    }
    let leased = lease_all(store, NOW).await;
    let late = leased.iter().find(|it| it.endpoint == endpoint_id(1)).expect("a queue of the endpoint is leased");
    assert!(store.delete_endpoint(endpoint_id(1), None).await.unwrap());
    assert!(!store.delete_endpoint(endpoint_id(1), None).await.unwrap());
    assert_eq!(store.endpoint(endpoint_id(1)).await.unwrap(), None);
    // A delivery was under way.
    fail(store, late, NOW + 5).await;
    store.add_attempt(&attempt(1, NOW, 2, AttemptOutcome::Failed)).await.unwrap();
    store.add_endpoint(&endpoint(1), Position(3), None).await.unwrap();
    fill(store).await;
    assert_eq!(store.attempts(&attempts_of(1)).await.unwrap(), []);
    assert_eq!(store.attempts(&attempts_of(2)).await.unwrap().len(), 1);
    let leased = lease_all(store, NOW + 60).await;
    assert_eq!(leased.iter().map(|it| it.endpoint).collect::<Vec<_>>(), [endpoint_id(2)]);
}

/// A call that changes no endpoint leaves no entry.
pub async fn a_change_of_an_endpoint_is_stored_with_its_audit_entry(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let act = |n: u8| entry(n, "hook", Act::EndpointDeleted);
    store.add_endpoint(&endpoint(1), Position(3), Some(&act(1))).await.unwrap();
    assert!(is_conflict(&store.add_endpoint(&endpoint(1), Position(3), Some(&act(2))).await));
    let changed = Endpoint { description: "changed".into(), ..endpoint(1) };
    let changed = |version| Versioned { version: Version(version), value: changed.clone() };
    store.change_endpoint(&changed(1), at(NOW), Some(&act(3))).await.unwrap();
    assert!(is_conflict(&store.change_endpoint(&changed(1), at(NOW), Some(&act(4))).await));
    store.change_endpoint(&changed(2), at(NOW), None).await.unwrap();
    assert!(store.set_endpoint_back(endpoint_id(1), Position(1), Some(&act(5))).await.unwrap());
    assert!(!store.set_endpoint_back(endpoint_id(2), Position(1), Some(&act(6))).await.unwrap());
    assert!(store.delete_endpoint(endpoint_id(1), Some(&act(7))).await.unwrap());
    assert!(!store.delete_endpoint(endpoint_id(1), Some(&act(8))).await.unwrap());
    assert_eq!(entries(store).await, [7, 5, 3, 1]);
}

/// Pages miss no attempt and repeat none, also of one time.
pub async fn attempts_are_read_from_the_newest_on(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    let (delivered, failed) = (AttemptOutcome::Delivered, AttemptOutcome::Failed);
    let mut expected = Vec::new();
    for (time, event, outcome) in
        [(5, 2, delivered), (9, 1, failed), (5, 3, failed), (5, 1, delivered), (7, u128::MAX, AttemptOutcome::Retried)]
    {
        expected.push(attempt(1, NOW + time, event, outcome));
    }
    add_endpoint(store, 2).await;
    for attempt in expected.iter().chain([&attempt(2, NOW, 9, failed)]) {
        store.add_attempt(attempt).await.unwrap();
    }
    expected.sort_by_key(|it| std::cmp::Reverse((it.at, it.event)));
    assert_eq!(store.attempts(&attempts_of(1)).await.unwrap(), expected);
    for limit in [1, 2, 4] {
        let mut pages = Vec::new();
        loop {
            let older_than = pages.last().map(|it: &Attempt| (it.at, it.event));
            let page = store.attempts(&AttemptQuery { older_than, limit, ..attempts_of(1) }).await.unwrap();
            assert!(page.len() <= usize::from(limit));
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, expected, "{limit}");
    }
    for outcome in AttemptOutcome::ALL {
        let with = store.attempts(&AttemptQuery { outcome: Some(outcome), ..attempts_of(1) }).await.unwrap();
        assert_eq!(with, expected.iter().filter(|it| it.outcome == outcome).cloned().collect::<Vec<_>>());
    }
    assert_eq!(store.attempts(&attempts_of(3)).await.unwrap(), []);
}

/// A test event has no source, and an attempt without an answer has an error.
pub async fn an_attempt_is_read_unchanged(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    let mut test = attempt(1, NOW, 1, AttemptOutcome::Delivered);
    test.source = None;
    test.kind = "endpoint.test".into();
    let mut expected = vec![test];
    for (n, class) in (2..).zip(SendErrorClass::ALL) {
        let failed = attempt(1, NOW, n, AttemptOutcome::Failed);
        let (number, duration_ms) = (u32::MAX, u32::MAX);
        expected.push(Attempt { status: None, error: Some(class), number, duration_ms, ..failed });
    }
    for attempt in &expected {
        store.add_attempt(attempt).await.unwrap();
    }
    expected.reverse();
    assert_eq!(store.attempts(&attempts_of(1)).await.unwrap(), expected);
}

/// The attempts of all endpoints are deleted together.
pub async fn attempts_are_deleted_by_age_and_limit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in [1, 2] {
        add_endpoint(store, n).await;
    }
    for (n, time) in [(1, 0), (1, 1), (2, 2), (2, 3), (1, 4)] {
        store.add_attempt(&attempt(n, NOW + time, 1, AttemptOutcome::Delivered)).await.unwrap();
    }
    assert_eq!(store.delete_attempts(at(NOW), 10).await.unwrap(), 0);
    assert_eq!(store.delete_attempts(at(NOW + 3), 2).await.unwrap(), 2);
    assert_eq!(store.delete_attempts(at(NOW + 3), 2).await.unwrap(), 1);
    assert_eq!(store.delete_attempts(at(NOW + 3), 2).await.unwrap(), 0);
    for (n, time) in [(1, 4), (2, 3)] {
        let left = store.attempts(&attempts_of(n)).await.unwrap();
        assert_eq!(left.iter().map(|it| it.at).collect::<Vec<_>>(), [at(NOW + time)]);
    }
}
