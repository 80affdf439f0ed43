//! Contract tests of the events of the account, a part of [`feed_contract!`](macro@crate::feed_contract).

use paywright_app::{
    AccountEvent, AccountEventContext, Books, BooksChanges, Break, BreakClass, DeletedFeedEvents, EventContent,
    EventRef, FeedAppend, FeedEvent, FeedQuery, FeedRange, Position, ResendOutcome, Version,
};
use paywright_domain::Currency;
use paywright_domain::books::{Payout, PayoutStatus, Reconciliation, SignedMoney};
use paywright_domain::fact::FeedEventType;
use paywright_domain::id::{InstallationId, PayoutId};
use uuid::Uuid;

use crate::books_contract::a_state;
use crate::contract::{NOW, first};
use crate::endpoint_contract::{add_endpoint, endpoint_id};
use crate::feed_contract::{
    FeedStore, FeedSubject, all, append, append_all, commit, edited, lease, positions, read, take_feed,
};
use crate::queue_contract::{drain, fail, fill, lease_all, lease_only, next, pass};
use crate::{at, audit_entry, order_id, place, subject_of};

/// Account of the tests, at a time.
pub fn account_at(seconds: i64) -> AccountEventContext {
    AccountEventContext { installation: InstallationId(Uuid::from_u128(0xacc0)), livemode: false, at: at(seconds) }
}

/// Payout of 101.62 USD with this status.
pub fn payout(id: &str, status: PayoutStatus) -> Payout {
    let has_failed = status == PayoutStatus::Failed;
    Payout {
        id: PayoutId::new(id).unwrap(),
        amount: SignedMoney::new(10_162, Currency::Usd),
        created: at(NOW),
        arrival: at(1_743_552_000),
        status,
        automatic: true,
        reconciliation: Reconciliation::Completed,
        balance_transaction: None,
        failure_balance_transaction: None,
        failure_code: has_failed.then(|| "account_closed".to_owned()),
        trace_id: Some("021000021234567".to_owned()),
    }
}

/// Break of the first order: its fee is off by a cent.
pub fn found_break() -> Break {
    let usd = |minor| Some(SignedMoney::new(minor, Currency::Usd));
    Break {
        id: "amount:pi_1".to_owned(),
        class: BreakClass::Amount,
        object: "pi_1".to_owned(),
        order: Some(order_id(1)),
        ours: usd(12_450),
        theirs: usd(12_449),
        since: at(NOW),
        first_seen: at(NOW),
        gone_at: None,
        resolution: None,
    }
}

fn paid(id: &str) -> AccountEvent {
    account_at(NOW).payout_changed(&payout(id, PayoutStatus::Paid)).unwrap()
}

fn failed(id: &str) -> AccountEvent {
    account_at(NOW).payout_changed(&payout(id, PayoutStatus::Failed)).unwrap()
}

/// Name of the `number`th event of the subject of `event`.
fn named(event: &AccountEvent, number: u32) -> EventRef {
    EventRef { subject: event.subject, version: Version(number), index: 0 }
}

/// Stores account events, by a commit of the books.
pub async fn add_account_events(store: &(impl Books + ?Sized), events: &[AccountEvent]) {
    let books = store.books().await.unwrap();
    let (version, state) = books.map_or_else(|| (Version::NEW, a_state()), |it| (it.version, it.value));
    let changes = BooksChanges { events: events.to_vec(), ..BooksChanges::new(version, state) };
    store.commit_books(&changes).await.unwrap();
}

async fn add(store: &dyn FeedStore, events: &[AccountEvent]) {
    add_account_events(store, events).await;
}

/// Commits of orders and of the books, in turn, and appends that cut through them. Those of one subject stay in order.
pub async fn account_events_get_positions_among_facts(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    let found = account_at(NOW).break_found(&found_break());
    let mut expected = commit(store, first(place(1))).await;
    add(store, &[paid("po_1"), paid("po_2"), failed("po_1")]).await;
    expected.extend(commit(store, first(place(2))).await);
    add(store, &[found.clone(), failed("po_2")]).await;
    for (event, number) in
        [(paid("po_1"), 1), (failed("po_1"), 2), (paid("po_2"), 1), (failed("po_2"), 2), (found.clone(), 1)]
    {
        expected.push(named(&event, number));
    }
    let relay = take_feed(store, 1).await;
    for last in [2, 4, 6, 7] {
        let part = store.unpositioned_events(2).await.unwrap();
        assert_eq!(append(store, relay, &part).await, Some(Position(last)));
    }
    assert_eq!(store.unpositioned_events(10).await.unwrap(), []);
    let events = read(store, &all()).await;
    assert_eq!(positions(&events), (1..=7).collect::<Vec<_>>());
    let mut names: Vec<_> = events.iter().map(FeedEvent::reference).collect();
    for payout in [paid("po_1"), paid("po_2")] {
        let versions: Vec<_> = names.iter().filter(|it| it.subject == payout.subject).map(|it| it.version.0).collect();
        assert_eq!(versions, [1, 2]);
    }
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let told = events.iter().find(|it| it.kind == FeedEventType::BooksBreak).unwrap();
    let content = EventContent::Account { number: Version(1), event: found.clone() };
    assert_eq!((&told.content, told.id(), told.of_order()), (&content, found.id, None));
}

/// A lookup by an order finds none of them.
pub async fn account_events_are_read_by_type_and_not_by_order(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    commit(store, first(place(1))).await;
    add(store, &[account_at(NOW).break_found(&found_break()), paid("po_1")]).await;
    append_all(store).await;
    edited(store, 2, 0).await;
    append_all(store).await;
    let kinds = async |query: FeedQuery| {
        let mut kinds: Vec<_> = read(store, &query).await.iter().map(|it| it.kind.name()).collect();
        kinds.sort_unstable();
        kinds
    };
    let types = |types: &[FeedEventType]| FeedQuery { types: types.to_vec(), ..all() };
    assert_eq!(kinds(all()).await, ["books.break", "order.placed", "order.placed", "payout.paid"]);
    assert_eq!(kinds(types(&[FeedEventType::PayoutPaid])).await, ["payout.paid"]);
    assert_eq!(kinds(types(&[FeedEventType::PayoutFailed])).await, [""; 0]);
    let both = types(&[FeedEventType::BooksBreak, FeedEventType::OrderPlaced]);
    assert_eq!(kinds(both).await, ["books.break", "order.placed", "order.placed"]);
    assert_eq!(kinds(FeedQuery { order: Some(order_id(1)), ..all() }).await, ["order.placed"]);
}

/// Also after it got its position, and together with others.
pub async fn an_account_event_is_stored_once(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add(store, &[]).await;
    add(store, &[paid("po_1")]).await;
    add(store, &[paid("po_2"), paid("po_1"), paid("po_2")]).await;
    append_all(store).await;
    add(store, &[paid("po_1")]).await;
    let later = account_at(NOW + 60).payout_changed(&payout("po_1", PayoutStatus::Paid)).unwrap();
    add(store, &[later]).await;
    assert_eq!(store.unpositioned_events(10).await.unwrap(), []);
    let mut ids: Vec<_> = read(store, &all()).await.iter().map(FeedEvent::id).collect();
    let mut expected = [paid("po_1").id, paid("po_2").id];
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

/// The process that leased the feed dies before its append, or its append comes too late.
pub async fn an_account_event_gets_one_position_after_a_relay_died(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add(store, &[paid("po_1")]).await;
    commit(store, first(place(1))).await;
    let lost = store.lease_feed(&lease(1, NOW, NOW + 10)).await.unwrap().unwrap();
    let found = store.unpositioned_events(10).await.unwrap();
    let relay = store.lease_feed(&lease(2, NOW + 11, NOW + 60)).await.unwrap().unwrap();
    assert_eq!(append(store, lost, &found).await, None);
    assert_eq!(store.unpositioned_events(10).await.unwrap(), found);
    assert_eq!(append(store, relay, &found).await, Some(Position(2)));
    let twice = FeedAppend { lease: relay, until: at(NOW + 60), events: found };
    assert!(store.append_to_feed(&twice).await.is_err());
    assert_eq!(store.feed_range().await.unwrap(), FeedRange { deleted: Position::START, last: Position(2) });
    assert_eq!(positions(&read(store, &all()).await), [1, 2]);
}

/// While an event is retried, the later ones of its subject wait, and other subjects go on.
pub async fn the_account_events_of_a_subject_are_delivered_in_order(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    // The positions are in the order of the commits of each subject alone, so each is appended by itself.
    for event in [paid("po_1"), paid("po_2"), failed("po_1")] {
        add(store, &[event]).await;
        append_all(store).await;
    }
    commit(store, first(place(1))).await;
    append_all(store).await;
    fill(store).await;
    assert_eq!(store.waiting_orders(endpoint_id(1)).await.unwrap().count, 3, "two payouts and an order");
    let (mut first, others): (Vec<_>, Vec<_>) =
        lease_all(store, NOW).await.into_iter().partition(|it| it.subject == paid("po_1").subject);
    let first = first.pop().unwrap();
    assert_eq!((next(&first), first.subject.order()), ((1, 0, false), None));
    assert_eq!(first.next.as_ref().map(FeedEvent::id), Some(paid("po_1").id));
    let mut done: Vec<_> = others.iter().map(|it| (it.position.0, it.subject)).collect();
    done.sort_unstable();
    assert_eq!(done, [(2, paid("po_2").subject), (4, subject_of(1))]);
    for queue in &others {
        pass(store, queue).await;
    }
    fail(store, &first, NOW + 30).await;
    assert_eq!(lease_all(store, NOW + 29).await, []);
    assert_eq!(drain(store, NOW + 30).await, [1, 3]);
    let resent =
        store.resend(endpoint_id(1), paid("po_1").subject, Position(1), at(NOW + 40), &audit_entry()).await.unwrap();
    assert_eq!(resent, ResendOutcome::Accepted);
    let again = lease_only(store, NOW + 40).await;
    assert_eq!((next(&again), again.next.as_ref().map(|it| it.kind)), ((1, 0, true), Some(FeedEventType::PayoutPaid)));
}

/// An endpoint that waits for one holds it. Afterwards nothing of it is left, and the subject may have events again.
pub async fn old_account_events_are_deleted(subject: &impl FeedSubject) {
    let store = &*subject.feed_store();
    add_endpoint(store, 1).await;
    add(store, &[paid("po_1")]).await;
    append_all(store).await;
    let delete = async |before: i64| store.delete_feed_events(at(before), 10).await.unwrap();
    assert_eq!(delete(NOW + 1).await, DeletedFeedEvents { count: 0, is_held: true }, "the endpoint is behind");
    fill(store).await;
    assert_eq!(delete(NOW + 1).await, DeletedFeedEvents { count: 0, is_held: true }, "it is in a queue");
    assert_eq!(drain(store, NOW).await, [1]);
    assert_eq!(delete(NOW).await, DeletedFeedEvents::default(), "an event at the time is not older");
    assert_eq!(delete(NOW + 1).await, DeletedFeedEvents { count: 1, is_held: false });
    assert_eq!(read(store, &all()).await, []);
    add(store, &[failed("po_1"), account_at(NOW).break_found(&found_break())]).await;
    assert_eq!(append_all(store).await, Position(3));
    let mut told: Vec<_> = read(store, &all()).await.iter().map(|it| (it.kind, it.reference().version)).collect();
    told.sort_unstable();
    assert_eq!(told, [(FeedEventType::BooksBreak, Version(1)), (FeedEventType::PayoutFailed, Version(1))]);
}
