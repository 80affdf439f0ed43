//! Cases of clearing accounts.

use paywright_app::{BookedEntry, BookedTransaction, ClearingItem, ClearingKey, OpenItemQuery};
use paywright_domain::books::{ReportingCategory, SignedMoney, Source};
use paywright_domain::{Currency, Timestamp};

use super::{BooksStore, BooksSubject, EUR, USD, charge, commit, expectation, on, open_items, payment};
use crate::order_id;

fn item(source: &Source, currency: Currency, expected: i64, moved: i64) -> ClearingItem {
    ClearingItem {
        source: source.clone(),
        order: None,
        expected: SignedMoney::new(expected, currency),
        moved: SignedMoney::new(moved, currency),
        entries: 0,
        transactions: 1,
        latest: on(1, 43_200),
        has_day: true,
    }
}

/// An account is an open item from the first side on until the other one is equal, whichever comes first.
pub async fn an_account_with_two_equal_sides_is_no_open_item(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let order = Some(order_id(1));
    commit(store, |it| it.transactions = vec![charge(1, 1, 100, USD)]).await;
    assert_eq!(open_items(store).await, [item(&payment(1), USD, 0, 100)]);
    commit(store, |it| it.entries = vec![expectation("pi_2", 1, 70, USD, &payment(2))]).await;
    let (entries, transactions, latest) = (1, 0, on(1, 60));
    let second = ClearingItem { order, entries, transactions, latest, ..item(&payment(2), USD, 70, 0) };
    assert_eq!(open_items(store).await, [item(&payment(1), USD, 0, 100), second]);
    commit(store, |it| {
        it.transactions = vec![charge(2, 1, 70, USD)];
        it.entries = vec![expectation("pi_1", 1, 99, USD, &payment(1))];
    })
    .await;
    let first = ClearingItem { order, entries: 1, ..item(&payment(1), USD, 99, 100) };
    assert_eq!(open_items(store).await, [first]);
    commit(store, |it| it.entries = vec![expectation("pi_1:2", 1, 1, USD, &payment(1))]).await;
    assert_eq!(open_items(store).await, []);
    // A return in both, within one commit, closes it again.
    commit(store, |it| {
        let mut failed = charge(3, 1, -100, USD);
        failed.transaction.category = ReportingCategory::ChargeFailure;
        failed.transaction.source = payment(1);
        it.transactions = vec![failed];
        it.entries = vec![expectation("pi_1:3", 1, -100, USD, &payment(1))];
    })
    .await;
    assert_eq!(open_items(store).await, []);
}

/// Amounts of two currencies do not meet, though they are equal. What a balance transaction moves in the currency of the
/// payment is what counts, where the balance has another one.
pub async fn each_currency_of_an_object_is_an_account_of_its_own(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let mut converted = charge(2, 1, 108, USD);
    converted.transaction.presented = Some(SignedMoney::new(100, EUR));
    commit(store, |it| {
        it.transactions = vec![charge(1, 1, 100, USD), converted];
        it.entries = vec![expectation("pi_1", 1, 100, EUR, &payment(1)), expectation("pi_2", 1, 100, EUR, &payment(2))];
    })
    .await;
    let (order, entries, transactions, latest) = (Some(order_id(1)), 1, 0, on(1, 60));
    let expected = ClearingItem { order, entries, transactions, latest, ..item(&payment(1), EUR, 100, 0) };
    assert_eq!(open_items(store).await, [expected, item(&payment(1), USD, 0, 100)]);
}

/// The first known order stays; the latest time is that of the latest row, whenever it was stored.
pub async fn an_account_has_its_order_latest_time_and_day(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let read = async |store: &dyn BooksStore| -> (Option<_>, Timestamp, bool, u64, u64) {
        let item = open_items(store).await.remove(0);
        (item.order, item.latest, item.has_day, item.entries, item.transactions)
    };
    let row = |n, of_day, day, order| {
        let mut row = BookedTransaction { day, order, ..charge(n, of_day, 100, USD) };
        row.transaction.source = payment(1);
        row
    };
    commit(store, |it| it.transactions = vec![row(1, 7, None, None)]).await;
    assert_eq!(read(store).await, (None, on(7, 43_200), false, 0, 1));
    let entry = |id: &str, n| BookedEntry { order: order_id(n), day: None, ..expectation(id, 5, 10, USD, &payment(1)) };
    commit(store, |it| it.entries = vec![entry("a", 1), entry("b", 1)]).await;
    assert_eq!(read(store).await, (Some(order_id(1)), on(7, 43_200), false, 2, 1));
    commit(store, |it| it.entries = vec![entry("c", 2)]).await;
    let later = row(2, 9, Some(super::day(9)), Some(order_id(2)));
    commit(store, |it| it.transactions = vec![later, row(3, 8, None, None)]).await;
    assert_eq!(read(store).await, (Some(order_id(1)), on(9, 43_200), true, 3, 3));
}

/// Pages are in the order of objects and currencies.
pub async fn open_items_are_read_in_pages(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |it| {
        it.transactions = (1..=12).map(|n| charge(n, 1, 100, USD)).collect();
        it.entries = (1..=3).map(|n| expectation(&format!("pi_{n}"), 1, 100, EUR, &payment(n))).collect();
        it.entries.push(expectation("pi_7", 1, 100, USD, &payment(7)));
    })
    .await;
    let key = |it: &ClearingItem| ClearingKey { object: it.source.to_string(), currency: it.moved.currency() };
    let mut expected: Vec<_> = (1..=12).filter(|it| *it != 7).map(|it| (it, USD)).collect();
    expected.extend((1..=3).map(|it| (it, EUR)));
    let mut expected: Vec<_> =
        expected.into_iter().map(|(n, currency)| ClearingKey { object: format!("pi_{n}"), currency }).collect();
    expected.sort();
    for limit in [1, 3, 14, 20] {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = store.open_items(&OpenItemQuery { after, of_orders: false, limit }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(key(last));
            read.extend(page.iter().map(key));
        }
        assert_eq!(read, expected, "by {limit}");
    }
}

/// An account gets its order from the first row that knows it, whichever side that is of.
pub async fn open_items_of_no_order_are_left_out_if_they_are_not_wanted(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    commit(store, |it| {
        it.transactions = (1..=6).map(|n| charge(n, 1, 100, USD)).collect();
        it.entries = vec![expectation("pi_2", 1, 99, USD, &payment(2)), expectation("pi_3", 1, 100, USD, &payment(3))];
    })
    .await;
    let of_orders = async |after: Option<u32>, limit| -> Vec<String> {
        let after = after.map(|n| ClearingKey { object: format!("pi_{n}"), currency: USD });
        let items = store.open_items(&OpenItemQuery { after, of_orders: true, limit }).await.unwrap();
        items.iter().map(|it| it.source.to_string()).collect()
    };
    assert_eq!(of_orders(None, 10).await, ["pi_2"]);
    commit(store, |it| it.entries = vec![expectation("pi_5", 1, 99, USD, &payment(5))]).await;
    let mut of_an_order = BookedTransaction { order: Some(order_id(1)), ..charge(7, 1, 1, USD) };
    of_an_order.transaction.source = payment(4);
    commit(store, |it| it.transactions = vec![of_an_order]).await;
    assert_eq!(of_orders(None, 10).await, ["pi_2", "pi_4", "pi_5"]);
    assert_eq!((of_orders(None, 1).await, of_orders(Some(2), 1).await), (vec!["pi_2".into()], vec!["pi_4".into()]));
    assert_eq!(of_orders(Some(5), 10).await, Vec::<String>::new());
}

/// A charge without an object stays visible, as an account of the name `none`. A movement that no clearing account is for
/// is no open item.
pub async fn a_movement_without_an_object_is_an_open_item(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let mut charge_of_nothing = charge(1, 1, 100, USD);
    charge_of_nothing.transaction.source = Source::None;
    let mut fee = charge(2, 1, -100, USD);
    fee.transaction.category = ReportingCategory::Fee;
    let mut payout = charge(3, 1, -100, USD);
    payout.transaction.category = ReportingCategory::Payout;
    commit(store, |it| it.transactions = vec![charge_of_nothing, fee, payout]).await;
    assert_eq!(open_items(store).await, [item(&Source::None, USD, 0, 100)]);
    let after = Some(ClearingKey { object: "none".into(), currency: USD });
    assert_eq!(store.open_items(&OpenItemQuery { after, of_orders: false, limit: 10 }).await.unwrap(), []);
}
