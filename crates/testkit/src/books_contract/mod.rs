//! Contract tests of the port [`Books`]. `books_contract!(fresh())` makes a test of each function
//! here.

mod breaks_and_days;
mod clearing;
mod commits;
mod payouts;
mod rows;
mod splits;

use std::sync::Arc;

use paywright_app::{
    BookedEntry, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakPage, BreakQuery, CategorySum,
    ClearingItem, ClosedDay, Feed, OpenItemQuery, PayoutQuery, RowFilter, RowQuery, Store, Version,
};
use paywright_domain::books::{
    Account, BalanceTransaction, Day, Entry, Payout, PayoutStatus, Posting, Reconciliation, ReportingCategory,
    SalesPart, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::{Currency, IntentId};

pub use self::breaks_and_days::*;
use self::breaks_and_days::{closed, found};
pub use self::clearing::*;
pub use self::commits::*;
pub use self::payouts::*;
pub use self::rows::*;
pub use self::splits::*;
use crate::{at, order_id};

/// A store with its books.
pub trait BooksStore: Store + Books + Feed {}

impl<S: Store + Books + Feed> BooksStore for S {}

/// Store with books under test, empty at first.
pub trait BooksSubject: Send + Sync {
    /// The ports of the store.
    fn books_store(&self) -> Arc<dyn BooksStore>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`BooksSubject`]; it may `.await`.
#[macro_export]
macro_rules! books_contract {
    ($fresh:expr) => {
        $crate::books_contract! { $fresh;
            the_state_is_read_as_it_was_committed
            a_commit_of_stale_books_writes_nothing
            one_of_two_racing_commits_of_the_books_succeeds
            one_of_two_racing_first_commits_succeeds
            a_commit_that_fails_in_part_writes_nothing
            account_events_are_stored_by_the_commit
            an_audit_entry_is_stored_by_the_commit
            a_balance_transaction_is_read_unchanged
            an_entry_is_read_unchanged
            known_balance_transactions_are_those_that_are_stored
            rows_that_are_stored_stay_unchanged
            rows_of_one_time_are_read_in_pages_by_their_ids
            rows_are_found_by_day_order_source_and_payout
            rows_before_the_first_day_belong_to_no_day
            sums_are_of_each_balance_currency_and_category
            orders_are_found_by_any_of_their_intents
            an_account_with_two_equal_sides_is_no_open_item
            each_currency_of_an_object_is_an_account_of_its_own
            an_account_has_its_order_latest_time_and_day
            open_items_are_read_in_pages
            open_items_of_no_order_are_left_out_if_they_are_not_wanted
            a_movement_without_an_object_is_an_open_item
            a_payout_is_read_unchanged_and_updated
            payouts_are_found_by_their_creation_time
            members_are_stored_once_and_added_up
            members_of_a_payout_that_is_not_stored_are_refused
            payouts_are_unsettled_by_age_status_and_members
            a_payout_is_unequal_to_members_of_another_sum
            breaks_are_updated_and_read_by_their_state
            a_closed_day_stays_unchanged
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod books {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::books_contract::$case(&subject).await;
            })*

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn commits_in_any_parts_give_the_same_books() {
                let subjects = [$fresh, $fresh, $fresh, $fresh];
                $crate::books_contract::commits_in_any_parts_give_the_same_books(&subjects).await;
            }
        }
    };
}

pub(crate) const USD: Currency = Currency::Usd;
pub(crate) const EUR: Currency = Currency::Eur;

/// Makes the `n`th day of March 2025.
pub(crate) fn day(n: u8) -> Day {
    Day::new(2025, 3, n).unwrap()
}

/// Makes a time of `seconds` after the start of the `n`th day of March 2025 in UTC.
pub(crate) fn on(n: u8, seconds: i64) -> paywright_domain::Timestamp {
    at(1_740_787_200 + i64::from(n - 1) * 86_400 + seconds)
}

pub(crate) fn txn(n: u32) -> BalanceTransactionId {
    BalanceTransactionId::new(format!("txn_{n:04}")).unwrap()
}

pub(crate) fn po(n: u32) -> PayoutId {
    PayoutId::new(format!("po_{n}")).unwrap()
}

pub(crate) fn payment(n: u32) -> Source {
    Source::Payment { intent: IntentId::new(format!("pi_{n}")).unwrap() }
}

pub(crate) fn state() -> BooksState {
    BooksState {
        timezone: "Europe/Berlin".into(),
        first_day: day(1),
        start: on(1, 0),
        opening: None,
        closed: None,
        transactions_until: on(1, 0),
        payouts_until: on(1, 0),
        orders_until: on(1, 0),
        reading: None,
    }
}

/// Makes changes of the books in a version.
pub(crate) fn changes(version: u32) -> BooksChanges {
    BooksChanges::new(Version(version), state())
}

/// Commits changes of the books in the version in which they are.
pub(crate) async fn commit(store: &dyn BooksStore, edit: impl FnOnce(&mut BooksChanges)) {
    let version = store.books().await.unwrap().map_or(Version::NEW, |it| it.version);
    let mut changes = BooksChanges::new(version, state());
    edit(&mut changes);
    store.commit_books(&changes).await.unwrap();
}

/// Makes the `n`th balance transaction: a charge on a day, at its noon, with a fee of a tenth.
pub(crate) fn charge(n: u32, of_day: u8, minor: i64, currency: Currency) -> BookedTransaction {
    let (amount, fee) = (SignedMoney::new(minor, currency), SignedMoney::new(minor / 10, currency));
    let created = on(of_day, 43_200);
    let row = BalanceTransaction::new(txn(n), created, ReportingCategory::Charge, amount, fee);
    BookedTransaction {
        transaction: row.with_source(payment(n)),
        intent: None,
        order: None,
        day: Some(day(of_day)),
        recorded_at: on(28, 0),
    }
}

/// Makes an entry that expects a movement for an object.
pub(crate) fn expectation(id: &str, of_day: u8, minor: i64, currency: Currency, source: &Source) -> BookedEntry {
    let posting = |account, minor| Posting { account, amount: SignedMoney::new(minor, currency) };
    let postings =
        vec![posting(Account::Clearing(source.clone()), minor), posting(Account::Sales(SalesPart::Goods), -minor)];
    BookedEntry {
        id: id.into(),
        order: order_id(1),
        at: on(of_day, 60),
        day: Some(day(of_day)),
        source: source.clone(),
        entry: Entry::new(postings).unwrap(),
    }
}

/// Makes the `n`th payout, created on a day of March.
pub(crate) fn payout(n: u32, of_day: u8, minor: i64) -> Payout {
    Payout {
        id: po(n),
        amount: SignedMoney::new(minor, USD),
        created: on(of_day, 0),
        arrival: on(of_day, 86_400),
        status: PayoutStatus::Pending,
        automatic: true,
        reconciliation: Reconciliation::InProgress,
        balance_transaction: None,
        failure_balance_transaction: None,
        failure_code: None,
        trace_id: None,
    }
}

/// State of new books.
pub fn a_state() -> BooksState {
    state()
}

/// Makes the `n`th balance transaction: a charge of 100 cents.
pub fn a_charge(n: u32) -> BookedTransaction {
    charge(n, 1, 100, USD)
}

/// Makes the `n`th payout.
pub fn a_payout(n: u32) -> Payout {
    payout(n, 1, 90)
}

/// Makes a first commit with a row of each table.
pub fn a_commit_with_all_rows() -> BooksChanges {
    BooksChanges {
        transactions: vec![a_charge(1)],
        entries: vec![expectation("pi_1", 1, 100, USD, &payment(1))],
        payouts: vec![a_payout(1)],
        members: vec![(po(1), vec![txn(1)])],
        days: vec![closed(1)],
        breaks: vec![found(1, 1)],
        ..changes(0)
    }
}

pub(crate) fn query(filter: RowFilter) -> RowQuery {
    RowQuery { filter, after: None, limit: 1000 }
}

/// Query for the rows of all days.
pub(crate) fn all_days() -> RowQuery {
    query(RowFilter::Days { from: day(1), to: Day::new(9999, 12, 31).unwrap() })
}

pub(crate) async fn transaction_ids(store: &dyn BooksStore, query: &RowQuery) -> Vec<String> {
    let rows = store.transactions(query).await.unwrap();
    rows.iter().map(|it| it.transaction.id.as_str().to_owned()).collect()
}

pub(crate) async fn entry_ids(store: &dyn BooksStore, query: &RowQuery) -> Vec<String> {
    store.entries(query).await.unwrap().into_iter().map(|it| it.id).collect()
}

pub(crate) async fn open_items(store: &dyn BooksStore) -> Vec<ClearingItem> {
    store.open_items(&OpenItemQuery { after: None, of_orders: false, limit: 1000 }).await.unwrap()
}

/// All that the books have, other than their version.
#[derive(Debug, PartialEq)]
pub(crate) struct Everything {
    state: BooksState,
    transactions: Vec<BookedTransaction>,
    entries: Vec<BookedEntry>,
    sums: Vec<CategorySum>,
    open: Vec<ClearingItem>,
    payouts: Vec<paywright_app::BookedPayout>,
    unequal: Vec<paywright_app::BookedPayout>,
    days: Vec<ClosedDay>,
    breaks: Vec<Break>,
}

impl Everything {
    /// Whether no list of rows is empty, other than days and breaks.
    pub(crate) fn has_all_kinds(&self) -> bool {
        !(self.transactions.is_empty()
            || self.entries.is_empty()
            || self.open.is_empty()
            || self.payouts.is_empty()
            || self.unequal.is_empty())
    }
}

pub(crate) async fn everything(store: &dyn BooksStore) -> Everything {
    let (from, to) = (Day::new(1970, 1, 1).unwrap(), Day::new(9999, 12, 31).unwrap());
    let days = query(RowFilter::Days { from, to });
    let created = PayoutQuery::Created { from: at(0), until: at(4_000_000_000) };
    Everything {
        state: store.books().await.unwrap().unwrap().value,
        transactions: store.transactions(&days).await.unwrap(),
        entries: store.entries(&days).await.unwrap(),
        sums: store.category_sums(from, to).await.unwrap(),
        open: open_items(store).await,
        payouts: store.payouts(&created).await.unwrap(),
        unequal: store.payouts(&PayoutQuery::Unequal).await.unwrap(),
        days: store.closed_days(from, to).await.unwrap(),
        breaks: store.breaks(&BreakQuery::Latest(BreakPage::first(1000))).await.unwrap(),
    }
}
