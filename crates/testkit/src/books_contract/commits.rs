//! Cases of commits as a whole.

use paywright_app::{
    AccountEvent, Act, BalanceAmount, BalanceReading, BalanceSum, BooksChanges, BooksState, ClosedRef, SubjectId,
    Version, Versioned,
};
use paywright_domain::books::{BalanceType, SignedMoney};
use paywright_domain::fact::FeedEventType;
use tokio::join;
use uuid::Uuid;

use super::{
    BooksSubject, USD, all_days, changes, charge, day, expectation, on, open_items, payment, payout, po, state, txn,
};
use crate::contract::audit_trail::{entries, entry};
use crate::contract::is_conflict;

/// All fields of the state are written and read, and each commit makes the next version.
pub async fn the_state_is_read_as_it_was_committed(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    assert_eq!(store.books().await.unwrap(), None);
    store.commit_books(&changes(0)).await.unwrap();
    assert_eq!(store.books().await.unwrap(), Some(Versioned { version: Version(1), value: state() }));
    let (balance, amount) = (BalanceType::RiskReserved, SignedMoney::new(-5, USD));
    let reading = BalanceReading {
        until: on(3, 9),
        sums: vec![BalanceSum { balance, available: amount, pending: amount }],
        ours: vec![BalanceAmount { balance, amount }],
    };
    let full = BooksState {
        opening: Some(vec![BalanceAmount { balance, amount }]),
        closed: Some(ClosedRef { day: day(2), hash: "é".into() }),
        transactions_until: on(3, 1),
        payouts_until: on(3, 2),
        orders_until: on(3, 3),
        reading: Some(reading),
        ..state()
    };
    let mut second = changes(1);
    second.state = full.clone();
    store.commit_books(&second).await.unwrap();
    assert_eq!(store.books().await.unwrap(), Some(Versioned { version: Version(2), value: full }));
}

/// Nothing of a commit is written if its version is not that of the books.
pub async fn a_commit_of_stale_books_writes_nothing(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let full = |version| {
        let mut changes = changes(version);
        changes.state.timezone = "UTC".into();
        changes.transactions = vec![charge(1, 1, 100, USD)];
        changes.entries = vec![expectation("pi_9", 1, 100, USD, &payment(9))];
        changes.payouts = vec![payout(1, 1, 90)];
        changes.members = vec![(po(1), vec![txn(1)])];
        changes
    };
    assert!(is_conflict(&store.commit_books(&full(1)).await), "the books have no commit");
    assert_eq!(store.books().await.unwrap(), None);
    store.commit_books(&changes(0)).await.unwrap();
    for stale in [0, 2] {
        assert!(is_conflict(&store.commit_books(&full(stale)).await), "{stale}");
    }
    assert_eq!(store.books().await.unwrap(), Some(Versioned { version: Version(1), value: state() }));
    assert_eq!(store.transactions(&all_days()).await.unwrap(), []);
    assert_eq!(store.entries(&all_days()).await.unwrap(), []);
    assert_eq!(open_items(store).await, []);
    assert_eq!(store.payouts(&paywright_app::PayoutQuery::Id(po(1))).await.unwrap(), []);
    store.commit_books(&full(1)).await.unwrap();
    assert_eq!(store.transactions(&all_days()).await.unwrap(), [charge(1, 1, 100, USD)]);
    assert_eq!(open_items(store).await.len(), 2);
}

/// The rows of the commit that loses are not written.
pub async fn one_of_two_racing_commits_of_the_books_succeeds(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    store.commit_books(&changes(0)).await.unwrap();
    for version in 1..=20 {
        let write = |n| {
            let mut changes = changes(version);
            changes.transactions = vec![charge(version * 2 + n, 1, 100, USD)];
            changes.entries = vec![expectation("pi_1", 1, 100, USD, &payment(1))];
            changes
        };
        let (left, right) = (write(0), write(1));
        let (left, right) = join!(store.commit_books(&left), store.commit_books(&right));
        assert!(left.is_ok() != right.is_ok(), "{left:?} {right:?}");
        assert!(is_conflict(&left) || is_conflict(&right), "{left:?} {right:?}");
    }
    assert_eq!(store.books().await.unwrap().unwrap().version, Version(21));
    assert_eq!(store.transactions(&all_days()).await.unwrap().len(), 20);
    assert_eq!(open_items(store).await.len(), 21);
}

/// Two processes may begin the books at once.
pub async fn one_of_two_racing_first_commits_succeeds(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let write = |n| {
        let mut changes = changes(0);
        changes.transactions = vec![charge(n, 1, 100, USD)];
        changes
    };
    let (left, right) = (write(1), write(2));
    let (left, right) = join!(store.commit_books(&left), store.commit_books(&right));
    assert!(left.is_ok() != right.is_ok(), "{left:?} {right:?}");
    assert_eq!(store.books().await.unwrap().unwrap().version, Version(1));
    assert_eq!(store.transactions(&all_days()).await.unwrap().len(), 1);
}

/// An amount that does not fit is an error, and the rows before it are not written.
pub async fn a_commit_that_fails_in_part_writes_nothing(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    store.commit_books(&changes(0)).await.unwrap();
    let mut too_large = changes(1);
    too_large.transactions = vec![charge(1, 1, 100, USD)];
    too_large.entries =
        vec![expectation("a", 1, i64::MAX, USD, &payment(9)), expectation("b", 1, i64::MAX, USD, &payment(9))];
    assert!(store.commit_books(&too_large).await.is_err());
    assert_eq!(store.books().await.unwrap().unwrap().version, Version(1));
    assert_eq!(store.transactions(&all_days()).await.unwrap(), []);
    assert_eq!(open_items(store).await, []);
}

/// Account events of a commit are stored with it, and those of a commit that another one has overtaken are not.
pub async fn account_events_are_stored_by_the_commit(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let event = |n: u128| AccountEvent {
        id: Uuid::from_u128(n),
        subject: SubjectId(Uuid::from_u128(100 + n)),
        kind: FeedEventType::PayoutPaid,
        at: on(1, 0),
        livemode: false,
        data: "{}".to_owned(),
    };
    let with_event = |version, n| BooksChanges { events: vec![event(n)], ..changes(version) };
    store.commit_books(&with_event(0, 1)).await.unwrap();
    assert!(is_conflict(&store.commit_books(&with_event(0, 2)).await));
    store.commit_books(&with_event(1, 3)).await.unwrap();
    let stored = store.unpositioned_events(10).await.unwrap();
    let subjects: Vec<SubjectId> = stored.iter().map(|it| it.subject).collect();
    assert_eq!(subjects, [event(1).subject, event(3).subject]);
}

/// The entry of a commit is stored with it, and that of a commit that another one has overtaken is not.
pub async fn an_audit_entry_is_stored_by_the_commit(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let with_entry = |version, n| {
        let act = Act::BreakResolved { note: "paid in cash \u{1F4B6}".to_owned() };
        BooksChanges { audit: Some(entry(n, "missing_there:pi_1", act)), ..changes(version) }
    };
    store.commit_books(&with_entry(0, 1)).await.unwrap();
    assert!(is_conflict(&store.commit_books(&with_entry(0, 2)).await));
    store.commit_books(&with_entry(1, 3)).await.unwrap();
    store.commit_books(&changes(2)).await.unwrap();
    assert_eq!(entries(store).await, [3, 1]);
}
