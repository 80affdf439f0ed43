//! Cases of payouts and their members.

use paywright_app::{BookedPayout, MemberSum, PAYOUT_CHANGES_SECONDS, PayoutQuery, Version};
use paywright_domain::books::{Payout, PayoutStatus, Reconciliation, SignedMoney};

use super::{BooksStore, BooksSubject, EUR, USD, charge, commit, everything, on, payout, po, transaction_ids, txn};

const fn sum(count: u64, known: u64, net: i64) -> MemberSum {
    MemberSum { count, known, net: SignedMoney::new(net, USD) }
}

async fn found(store: &dyn BooksStore, query: &PayoutQuery) -> Vec<String> {
    store.payouts(query).await.unwrap().iter().map(|it| it.payout.id.as_str().to_owned()).collect()
}

async fn members(store: &dyn BooksStore, n: u32) -> Option<MemberSum> {
    store.payouts(&PayoutQuery::Id(po(n))).await.unwrap().remove(0).members
}

/// All fields are written and read, at first and after an update.
pub async fn a_payout_is_read_unchanged_and_updated(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let first = payout(1, 1, -100);
    let failed = Payout {
        arrival: on(9, 0),
        status: PayoutStatus::Failed,
        reconciliation: Reconciliation::NotApplicable,
        balance_transaction: Some(txn(1)),
        failure_balance_transaction: Some(txn(2)),
        failure_code: Some("account_closed".into()),
        trace_id: Some("é 123".into()),
        ..first.clone()
    };
    for version in [first.clone(), failed.clone(), Payout { trace_id: None, ..failed }] {
        commit(store, |it| it.payouts = vec![version.clone(), Payout { automatic: false, ..payout(2, 1, 5) }]).await;
        let read = store.payouts(&PayoutQuery::Id(po(1))).await.unwrap();
        assert_eq!(read, [BookedPayout { payout: version, members: None }]);
    }
    assert_eq!(store.payouts(&PayoutQuery::Id(po(3))).await.unwrap(), []);
    let second = store.payouts(&PayoutQuery::Id(po(2))).await.unwrap().remove(0);
    assert_eq!(second.payout, Payout { automatic: false, ..payout(2, 1, 5) });
}

/// Payouts are read by creation time and id: the first time of the range is in it, the last one is not.
pub async fn payouts_are_found_by_their_creation_time(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |it| it.payouts = [(4, 3), (2, 2), (1, 3), (3, 4)].map(|(n, day)| payout(n, day, 1)).to_vec()).await;
    for (from, until, expected) in [(2, 4, "214"), (1, 9, "2143"), (3, 3, ""), (4, 5, "3")] {
        let query = PayoutQuery::Created { from: on(from, 0), until: on(until, 0) };
        let expected: Vec<_> = expected.chars().map(|it| format!("po_{it}")).collect();
        assert_eq!(found(store, &query).await, expected, "{query:?}");
    }
}

/// The sum has the members that are stored, whether they came before their list or after it; a second list for a payout
/// changes nothing.
pub async fn members_are_stored_once_and_added_up(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |it| {
        it.transactions = vec![charge(1, 1, 100, USD)];
        it.payouts = vec![payout(1, 2, 360)];
    })
    .await;
    assert_eq!(members(store, 1).await, None);
    commit(store, |it| {
        it.transactions = vec![charge(2, 1, 100, USD)];
        it.payouts = vec![Payout { status: PayoutStatus::Paid, ..payout(1, 2, 360) }, payout(2, 2, 0)];
        it.members =
            vec![(po(1), vec![txn(3), txn(1), txn(2), txn(1), txn(4)]), (po(2), vec![]), (po(1), vec![txn(5)])];
    })
    .await;
    assert_eq!((members(store, 1).await, members(store, 2).await), (Some(sum(4, 2, 180)), Some(sum(0, 0, 0))));
    commit(store, |it| it.transactions = vec![charge(3, 2, 100, USD), charge(5, 2, 100, USD)]).await;
    assert_eq!(members(store, 1).await, Some(sum(4, 3, 270)));
    let before = everything(store).await;
    commit(store, |it| {
        it.transactions = vec![charge(3, 2, 100, USD)];
        it.members = vec![(po(1), vec![txn(5), txn(6)]), (po(2), vec![txn(5)])];
    })
    .await;
    assert_eq!(everything(store).await, before);
    // A member in another currency than the payout is known, and adds nothing to the sum.
    commit(store, |it| it.transactions = vec![charge(4, 2, 100, EUR)]).await;
    assert_eq!(members(store, 1).await, Some(sum(4, 4, 270)));
    let of_payout = super::query(paywright_app::RowFilter::Payout(po(1)));
    assert_eq!(transaction_ids(store, &of_payout).await, ["txn_0001", "txn_0002", "txn_0003", "txn_0004"]);
}

/// Members are of a payout that is stored, or is stored by the same commit.
pub async fn members_of_a_payout_that_is_not_stored_are_refused(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |_| {}).await;
    let mut changes = super::changes(1);
    changes.transactions = vec![charge(1, 1, 100, USD)];
    changes.members = vec![(po(1), vec![txn(1)])];
    assert!(store.commit_books(&changes).await.is_err());
    assert_eq!(store.books().await.unwrap().unwrap().version, Version(1));
    assert_eq!(transaction_ids(store, &super::all_days()).await, Vec::<String>::new());
    changes.payouts = vec![payout(1, 1, 90)];
    store.commit_books(&changes).await.unwrap();
    assert_eq!(members(store, 1).await, Some(sum(1, 1, 90)));
}

/// Unsettled payouts may still change, or have members that are not read.
pub async fn payouts_are_unsettled_by_age_status_and_members(subject: &impl BooksSubject) {
    use PayoutStatus::{Canceled, Failed, InTransit, Paid, Pending};
    use Reconciliation::{Completed, InProgress, NotApplicable};
    let store = &*subject.books_store();
    let all = [
        (1, 1, Paid, Completed, true),
        (2, 2, Paid, Completed, false),
        (3, 2, Paid, InProgress, false),
        (4, 2, Paid, NotApplicable, false),
        (5, 2, Failed, InProgress, false),
        (6, 2, Canceled, NotApplicable, false),
        (7, 20, Paid, Completed, true),
        (8, 20, InTransit, NotApplicable, false),
        (9, 21, Pending, InProgress, false),
        (10, 22, Failed, Completed, true),
        (11, 22, Canceled, NotApplicable, false),
    ];
    commit(store, |it| {
        for (n, day, status, reconciliation, is_read) in all {
            it.payouts.push(Payout { status, reconciliation, ..payout(n, day, 0) });
            it.members.extend(is_read.then(|| (po(n), vec![])));
        }
    })
    .await;
    let two_weeks = i64::from(PAYOUT_CHANGES_SECONDS);
    for (since, now, expected) in [
        (on(1, 0), on(23, 0), vec![2, 3, 7, 8, 9]),
        (on(2, 1), on(23, 0), vec![7, 8, 9]),
        (on(20, 0), on(20, two_weeks - 1), vec![7, 8, 9]),
        (on(20, 0), on(20, two_weeks), vec![9]),
        (on(1, 0), on(1, two_weeks - 1), vec![1, 2, 3, 4, 7, 8, 9]),
        (on(1, 0), on(28, 0).plus_seconds(PAYOUT_CHANGES_SECONDS), vec![2, 3, 9]),
    ] {
        let query = PayoutQuery::Unsettled { since, now };
        let expected: Vec<_> = expected.into_iter().map(|it| format!("po_{it}")).collect();
        assert_eq!(found(store, &query).await, expected, "{query:?}");
    }
}

/// Only payouts whose members are read may be unequal; one that lacks members is, until they are stored.
pub async fn a_payout_is_unequal_to_members_of_another_sum(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |it| {
        it.transactions = vec![charge(1, 1, 100, USD), charge(2, 1, 200, USD)];
        it.payouts = vec![payout(1, 3, 90), payout(2, 2, 181), payout(3, 2, 77), payout(4, 2, 360), payout(5, 1, 1)];
        it.members = vec![(po(1), vec![txn(1)]), (po(2), vec![txn(2)]), (po(4), vec![txn(1), txn(3)]), (po(5), vec![])];
    })
    .await;
    assert_eq!(found(store, &PayoutQuery::Unequal).await, ["po_5", "po_2", "po_4"]);
    commit(store, |it| it.transactions = vec![charge(3, 1, 300, USD)]).await;
    assert_eq!(found(store, &PayoutQuery::Unequal).await, ["po_5", "po_2"]);
}
