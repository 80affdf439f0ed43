//! Contract tests of the port [`Feed`]. `feed_contract!(fresh())` makes a test of each function
//! here, in [`account_event_contract`](crate::account_event_contract) and in
//! [`retention_contract`](crate::retention_contract).

use std::sync::Arc;
use std::time::Duration;

use paywright_app::{
    Books, Cause, Changes, Endpoints, EventContent, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery,
    FeedRange, Lease, OrderEvent, Position, RecordedFact, Store, Version,
};
use paywright_domain::anomaly::Policies;
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::IntentStatus;
use paywright_domain::{Decision, Order};
use tokio::join;
use uuid::Uuid;

use crate::contract::{NOW, first, is_conflict, requested, then, update};
use crate::{at, changes, edit_of_lines, order_id, place, subject_of};

pub use crate::account_event_contract::*;
pub use crate::retention_contract::*;

/// A store with its feed, its endpoints, and the books that tell events of the account.
pub trait FeedStore: Store + Feed + Endpoints + Books {}

impl<S: Store + Feed + Endpoints + Books> FeedStore for S {}

/// Store with a feed under test, empty at first.
pub trait FeedSubject: Send + Sync {
    /// The ports of the store.
    fn feed_store(&self) -> Arc<dyn FeedStore>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`FeedSubject`]; it may `.await`.
#[macro_export]
macro_rules! feed_contract {
    ($fresh:expr) => {
        $crate::feed_contract! { $fresh;
            a_public_fact_has_no_position_until_it_is_appended
            internal_facts_stay_out_of_the_feed
            the_unpositioned_facts_of_an_order_are_read_by_version_and_index
            positions_have_no_gaps
            concurrent_commits_each_get_one_position
            the_events_of_an_order_follow_its_versions
            an_append_extends_the_lease_of_the_relay
            an_append_by_a_lost_lease_changes_nothing
            an_append_by_an_earlier_lease_of_the_same_owner_changes_nothing
            a_positioned_fact_is_not_appended_again
            one_of_two_relays_leases_the_feed
            a_feed_lease_that_has_ended_or_ends_too_late_is_ignored
            events_are_read_by_range_type_order_and_limit
            an_event_has_the_fact_and_the_snapshot_of_its_commit
            the_oldest_events_are_deleted_up_to_a_time_and_a_limit
            an_event_of_a_partly_deleted_version_keeps_its_snapshot
            events_after_an_endpoints_position_are_not_deleted
            events_in_a_queue_are_not_deleted
            account_events_get_positions_among_facts
            account_events_are_read_by_type_and_not_by_order
            an_account_event_is_stored_once
            an_account_event_gets_one_position_after_a_relay_died
            the_account_events_of_a_subject_are_delivered_in_order
            old_account_events_are_deleted
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod feed {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::feed_contract::$case(&subject).await;
            })*
        }
    };
}

pub(crate) fn lease(owner: u128, now: i64, until: i64) -> Lease {
    Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 100 }
}

/// Query for the whole feed.
pub(crate) fn all() -> FeedQuery {
    let until = Position(1_000_000);
    FeedQuery { after: Position::START, until, types: Vec::new(), order: None, limit: 1000 }
}

pub(crate) async fn read(store: &dyn FeedStore, query: &FeedQuery) -> Vec<FeedEvent> {
    store.feed_events(query).await.unwrap()
}

pub(crate) fn positions(events: &[FeedEvent]) -> Vec<u64> {
    events.iter().map(|it| it.position.0).collect()
}

/// Commits changes, and returns the names of their events.
pub(crate) async fn commit(store: &dyn FeedStore, changes: Changes) -> Vec<EventRef> {
    let (subject, version) = (changes.order.id.into(), changes.expected.next());
    let facts = changes.public_facts().map(|(index, _)| EventRef { subject, version, index }).collect();
    store.commit(changes).await.unwrap();
    facts
}

/// Stores an order and `edits` edits of it, which are one event each.
pub(crate) async fn edited(store: &dyn FeedStore, n: u32, edits: u32) {
    store.commit(first(place(n))).await.unwrap();
    edit(store, &place(n).order, 1, edits).await;
}

/// Edits an order `edits` times from `version` on, and returns it.
pub(crate) async fn edit(store: &dyn FeedStore, order: &Order, version: u32, edits: u32) -> Order {
    let mut order = order.clone();
    for version in version..version + edits {
        let decision = order.edit(edit_of_lines(100 + i64::from(version)), at(NOW)).unwrap();
        order = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
    }
    order
}

/// Payment of an order, with several public facts.
pub(crate) fn payment(order: &Order) -> Decision {
    let intent = format!("pi_{}", order.number.as_str().replace('-', ""));
    order.settle(&update(order, &intent, IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW)).unwrap()
}

pub(crate) async fn take_feed(store: &dyn FeedStore, owner: u128) -> FeedLease {
    store.lease_feed(&lease(owner, NOW, NOW + 60)).await.unwrap().expect("the feed is free")
}

pub(crate) async fn append(store: &dyn FeedStore, lease: FeedLease, facts: &[EventRef]) -> Option<Position> {
    let append = FeedAppend { lease, until: at(NOW + 60), events: facts.to_vec() };
    store.append_to_feed(&append).await.unwrap()
}

/// Gives all facts their positions, as the relay does, and returns the last one.
pub(crate) async fn append_all(store: &dyn FeedStore) -> Position {
    let lease = take_feed(store, 99).await;
    let facts = store.unpositioned_events(1000).await.unwrap();
    let last = append(store, lease, &facts).await.expect("the lease is held");
    store.release_feed(lease).await.unwrap();
    last
}

/// The commit stores the fact; a transaction of the relay gives it a position.
pub async fn a_public_fact_has_no_position_until_it_is_appended(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    assert_eq!(store.unpositioned_events(10).await.unwrap(), []);
    let facts = commit(store, first(place(1))).await;
    assert_eq!(store.unpositioned_events(10).await.unwrap(), facts);
    assert_eq!((read(store, &all()).await, store.feed_range().await.unwrap()), (Vec::new(), FeedRange::default()));
    let lease = take_feed(store, 1).await;
    assert_eq!(append(store, lease, &facts).await, Some(Position(1)));
    assert_eq!(store.unpositioned_events(10).await.unwrap(), []);
    let events = read(store, &all()).await;
    assert_eq!(events[0].kind, FeedEventType::OrderPlaced);
    assert_eq!((positions(&events), events[0].reference()), (vec![1], facts[0]));
    assert_eq!(store.feed_range().await.unwrap(), FeedRange { deleted: Position::START, last: Position(1) });
}

/// An internal fact counts in the index of the facts after it. A failed commit has no facts.
pub async fn internal_facts_stay_out_of_the_feed(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let mut expected = commit(store, first(place(1))).await;
    assert_eq!(commit(store, then(1, requested(&place(1).order))).await, []);
    let mut both = payment(&place(2).order);
    expected.extend(commit(store, first(place(2))).await);
    both.facts.insert(0, requested(&place(2).order).facts.remove(0));
    let facts = commit(store, then(1, both)).await;
    assert_eq!(facts[0].index, 1);
    expected.extend(facts);
    let stale = store.commit(then(1, place(1).order.edit(edit_of_lines(100), at(NOW)).unwrap())).await;
    assert!(is_conflict(&stale));
    assert_eq!(store.unpositioned_events(10).await.unwrap(), expected);
    append_all(store).await;
    let events = read(store, &all()).await;
    assert_eq!(events.iter().map(FeedEvent::reference).collect::<Vec<_>>(), expected);
}

/// A limit leaves out the last facts, so that of one order the first ones are read.
pub async fn the_unpositioned_facts_of_an_order_are_read_by_version_and_index(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let mut expected = Vec::new();
    for n in [3, 1, 2] {
        expected.extend(commit(store, first(place(n))).await);
    }
    for n in [2, 3] {
        expected.extend(commit(store, then(1, payment(&place(n).order))).await);
    }
    assert!(expected.len() > 6, "a commit has several facts: {expected:?}");
    let all = store.unpositioned_events(100).await.unwrap();
    for n in 1..=3 {
        let of_order =
            |facts: &[EventRef]| facts.iter().copied().filter(|it| it.subject == subject_of(n)).collect::<Vec<_>>();
        assert_eq!(of_order(&all), of_order(&expected));
    }
    assert_eq!(all.len(), expected.len());
    for limit in [1, 3, 5] {
        let facts = store.unpositioned_events(limit).await.unwrap();
        assert_eq!(facts, all[..usize::from(limit)], "{limit}");
    }
}

/// An append that fails or is too late uses no position.
pub async fn positions_have_no_gaps(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in 1..=3 {
        edited(store, n, 2).await;
    }
    let lease = take_feed(store, 1).await;
    for expected in [4, 8, 9] {
        let facts = store.unpositioned_events(4).await.unwrap();
        let late = FeedLease { taken: lease.taken + 1, ..lease };
        assert_eq!(append(store, late, &facts).await, None);
        assert_eq!(append(store, lease, &facts).await, Some(Position(expected)));
        assert_eq!(append(store, lease, &[]).await, Some(Position(expected)), "nothing is no position");
        let twice = FeedAppend { lease, until: at(NOW + 60), events: facts };
        assert!(store.append_to_feed(&twice).await.is_err());
    }
    assert_eq!(positions(&read(store, &all()).await), (1..=9).collect::<Vec<_>>());
    assert_eq!(store.feed_range().await.unwrap().last, Position(9));
}

/// Commits go on while two relays append.
pub async fn concurrent_commits_each_get_one_position(subject: &impl FeedSubject) {
    let store = subject.feed_store();
    let writers: Vec<_> = (1..=4)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { edited(&*store, n, 9).await })
        })
        .collect();
    let relays: Vec<_> = (1..=2)
        .map(|owner| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                while store.feed_range().await.unwrap().last < Position(40) {
                    if let Some(lease) = store.lease_feed(&lease(owner, NOW, NOW + 60)).await.unwrap() {
                        let facts = store.unpositioned_events(3).await.unwrap();
                        append(&*store, lease, &facts).await.expect("the lease is held");
                        store.release_feed(lease).await.unwrap();
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let done = async {
        for task in writers.into_iter().chain(relays) {
            task.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("each fact gets a position");
    let events = read(&*store, &all()).await;
    assert_eq!(positions(&events), (1..=40).collect::<Vec<_>>());
    for n in 1..=4 {
        let versions =
            events.iter().map(FeedEvent::reference).filter(|it| it.subject == subject_of(n)).map(|it| it.version.0);
        assert_eq!(versions.collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    }
}

/// Versions of two orders, appended with limits that cut through them.
pub async fn the_events_of_an_order_follow_its_versions(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    for n in 1..=2 {
        edited(store, n, 1).await;
    }
    let lease = take_feed(store, 1).await;
    let facts = store.unpositioned_events(3).await.unwrap();
    append(store, lease, &facts).await.unwrap();
    for n in 1..=2 {
        let order = place(n).order.edit(edit_of_lines(101), at(NOW)).unwrap().order;
        commit(store, then(2, payment(&order))).await;
    }
    store.release_feed(lease).await.unwrap();
    append_all(store).await;
    for n in 1..=2 {
        let query = FeedQuery { order: Some(order_id(n)), ..all() };
        let facts: Vec<_> = read(store, &query).await.iter().map(FeedEvent::reference).collect();
        assert!(facts.len() > 3 && facts.is_sorted(), "{facts:?}");
    }
}

/// Also an append without facts does, and it returns the last position.
pub async fn an_append_extends_the_lease_of_the_relay(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let held = store.lease_feed(&lease(1, NOW, NOW + 10)).await.unwrap().unwrap();
    assert_eq!(append(store, held, &[]).await, Some(Position::START));
    assert_eq!(store.lease_feed(&lease(2, NOW + 59, NOW + 100)).await.unwrap(), None);
    let next = store.lease_feed(&lease(2, NOW + 60, NOW + 100)).await.unwrap();
    assert_eq!(next, Some(FeedLease { owner: Uuid::from_u128(2), taken: held.taken + 1 }));
}

/// The lease has ended, and another process has taken the next one.
pub async fn an_append_by_a_lost_lease_changes_nothing(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let facts = commit(store, first(place(1))).await;
    let lost = store.lease_feed(&lease(1, NOW, NOW + 10)).await.unwrap().unwrap();
    let held = store.lease_feed(&lease(2, NOW + 11, NOW + 20)).await.unwrap().unwrap();
    assert_eq!(append(store, lost, &facts).await, None);
    store.release_feed(lost).await.unwrap();
    assert_eq!(store.unpositioned_events(10).await.unwrap(), facts);
    assert_eq!((read(store, &all()).await, store.feed_range().await.unwrap()), (Vec::new(), FeedRange::default()));
    assert_eq!(store.lease_feed(&lease(1, NOW + 19, NOW + 60)).await.unwrap(), None, "the lease is not released");
    assert!(store.lease_feed(&lease(3, NOW + 20, NOW + 60)).await.unwrap().is_some(), "the lease is not extended");
    assert_eq!(append(store, held, &facts).await, None);
}

/// The owner alone does not identify a lease.
pub async fn an_append_by_an_earlier_lease_of_the_same_owner_changes_nothing(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let facts = commit(store, first(place(1))).await;
    let earlier = take_feed(store, 1).await;
    store.release_feed(earlier).await.unwrap();
    assert_eq!(append(store, earlier, &facts).await, None, "a released lease is none");
    let later = take_feed(store, 1).await;
    assert_eq!((later.owner, later.taken), (earlier.owner, earlier.taken + 1));
    assert_eq!(append(store, earlier, &facts).await, None);
    store.release_feed(earlier).await.unwrap();
    assert_eq!(store.unpositioned_events(10).await.unwrap(), facts);
    assert_eq!(append(store, later, &facts).await, Some(Position(1)));
}

/// None of the facts is appended then.
pub async fn a_positioned_fact_is_not_appended_again(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let one = commit(store, first(place(1))).await;
    let two = commit(store, first(place(2))).await;
    let lease = take_feed(store, 1).await;
    append(store, lease, &one).await.unwrap();
    for facts in [[two[0], one[0]], [one[0], two[0]]] {
        let append = FeedAppend { lease, until: at(NOW + 60), events: facts.to_vec() };
        assert!(store.append_to_feed(&append).await.is_err());
        assert_eq!(store.unpositioned_events(10).await.unwrap(), two);
        assert_eq!(store.feed_range().await.unwrap().last, Position(1));
    }
    assert_eq!(append(store, lease, &two).await, Some(Position(2)));
}

/// A process does not lease what it has leased already, either.
pub async fn one_of_two_relays_leases_the_feed(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let (left, right) = (lease(1, NOW, NOW + 60), lease(2, NOW, NOW + 60));
    let (left, right) = join!(store.lease_feed(&left), store.lease_feed(&right));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert!(left.is_some() != right.is_some(), "{left:?} {right:?}");
    for owner in [1, 2] {
        assert_eq!(store.lease_feed(&lease(owner, NOW + 1, NOW + 61)).await.unwrap(), None);
    }
    store.release_feed(left.or(right).unwrap()).await.unwrap();
    assert_eq!(take_feed(store, 3).await.owner, Uuid::from_u128(3));
}

/// A process whose clock ran ahead may have taken the lease that ends too late.
pub async fn a_feed_lease_that_has_ended_or_ends_too_late_is_ignored(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    store.lease_feed(&lease(1, NOW, NOW + 10)).await.unwrap().unwrap();
    let ahead = lease(2, NOW + 1_000_000, NOW + 1_000_060);
    store.lease_feed(&ahead).await.unwrap().expect("the lease has ended");
    let usual = lease(3, NOW + 20, NOW + 80);
    assert!(usual.until_max() < ahead.until);
    assert_eq!(store.lease_feed(&usual).await.unwrap().map(|it| it.taken), Some(3));
    assert_eq!(store.lease_feed(&lease(1, NOW + 20, NOW + 80)).await.unwrap(), None);
}

/// Each part of a query alone, and all together.
pub async fn events_are_read_by_range_type_order_and_limit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    // Order 1 has the positions 1 to 3, order 2 those from 4 to 6, order 3 the last one.
    for n in 1..=2 {
        edited(store, n, 2).await;
    }
    edited(store, 3, 0).await;
    assert_eq!(append_all(store).await, Position(7));
    let (placed, changed) = (FeedEventType::OrderPlaced, FeedEventType::OrderEdited);
    let range = |after, until| FeedQuery { after: Position(after), until: Position(until), ..all() };
    let types = |types: &[FeedEventType]| FeedQuery { types: types.to_vec(), ..all() };
    let order = |n| FeedQuery { order: Some(order_id(n)), ..all() };
    for (query, expected) in [
        (all(), vec![1, 2, 3, 4, 5, 6, 7]),
        (range(0, 7), vec![1, 2, 3, 4, 5, 6, 7]),
        (range(2, 5), vec![3, 4, 5]),
        (range(5, 5), vec![]),
        (range(7, 100), vec![]),
        (types(&[placed]), vec![1, 4, 7]),
        (types(&[changed]), vec![2, 3, 5, 6]),
        (types(&[changed, placed]), vec![1, 2, 3, 4, 5, 6, 7]),
        (types(&[FeedEventType::OrderPaid]), vec![]),
        (order(2), vec![4, 5, 6]),
        (order(9), vec![]),
        (FeedQuery { limit: 2, ..all() }, vec![1, 2]),
        (FeedQuery { limit: 2, ..types(&[placed]) }, vec![1, 4]),
        (FeedQuery { limit: 1, types: vec![changed], order: Some(order_id(2)), ..range(4, 6) }, vec![5]),
        (FeedQuery { types: vec![placed], order: Some(order_id(2)), ..range(4, 6) }, vec![]),
    ] {
        assert_eq!(positions(&read(store, &query).await), expected, "{query:?}");
    }
}

/// Later commits of the order change neither.
pub async fn an_event_has_the_fact_and_the_snapshot_of_its_commit(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok();
    let cause = Cause { source: "worker".into(), trace, ..Cause::default() };
    let mut placed = first(place(1));
    placed.cause = Some(cause.clone());
    placed.snapshot.as_mut().unwrap().livemode = true;
    let (snapshot, fact) = (placed.snapshot.clone().unwrap(), placed.facts[0].clone());
    assert!(snapshot.view.len() > 100 && snapshot.personal.as_ref().is_some_and(|it| it.contains("ada@example.com")));
    store.commit(placed).await.unwrap();
    let erased = place(1).order.edit(edit_of_lines(101), at(NOW + 1)).unwrap();
    let mut erased = changes(Version(1), erased, at(NOW + 1), at(NOW + 1));
    erased.snapshot.as_mut().unwrap().personal = None;
    let later = erased.snapshot.clone().unwrap();
    store.commit(erased).await.unwrap();
    append_all(store).await;
    let recorded = RecordedFact { version: Version(1), fact, at: at(NOW), cause: Some(cause) };
    let kind = FeedEventType::OrderPlaced;
    let content = EventContent::Order(Box::new(OrderEvent { order: order_id(1), index: 0, recorded, snapshot }));
    let expected = FeedEvent { position: Position(1), kind, content };
    for _ in 0..2 {
        let events = read(store, &all()).await;
        assert_eq!(events[0], expected);
        assert_eq!((events[1].of_order().map(|it| &it.snapshot), events[1].at()), (Some(&later), at(NOW + 1)));
        let order = place(1).order.edit(edit_of_lines(101), at(NOW)).unwrap().order;
        if events.len() == 2 {
            edit(store, &order, 2, 1).await;
            append_all(store).await;
        }
    }
}
