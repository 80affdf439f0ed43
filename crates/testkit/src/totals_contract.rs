//! Contract tests of the port [`DailyTotals`]. `totals_contract!(fresh())` makes a test of each function.

use std::sync::Arc;

use paywright_app::{BooksZone, CountedSum, DailyTotal, DailyTotals, OrderRef, Position, Totals, TotalsAddition};
use paywright_domain::books::Day;
use paywright_domain::intent::IntentStatus;
use paywright_domain::refund::{NewRefund, RefundStatus};
use paywright_domain::{Currency, Money};
use tokio::join;

use crate::contract::NOW;
use crate::contract::order_lists::{Step, walk};
use crate::feed_contract::{FeedStore, append_all, edited};
use crate::monitoring_contract::{paid, save, update_refund};
use crate::{at, order_id, usd};

/// A store with daily totals.
pub trait TotalsStore: FeedStore + DailyTotals {}

impl<S: FeedStore + DailyTotals> TotalsStore for S {}

/// Store under test, empty at first.
pub trait TotalsSubject: Send + Sync {
    /// The ports of the store.
    fn totals_store(&self) -> Arc<dyn TotalsStore>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`TotalsSubject`]; it may `.await`.
#[macro_export]
macro_rules! totals_contract {
    ($fresh:expr) => {
        $crate::totals_contract! { $fresh;
            totals_are_what_has_happened_to_the_orders
            events_are_counted_once_by_any_number_of_processes
            only_facts_that_count_are_read_by_range_and_limit
            what_was_counted_meanwhile_is_not_added
            totals_are_read_by_days_and_mode
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod totals {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::totals_contract::$case(&subject.totals_store()).await;
            })*
        }
    };
}

fn totals_of(store: &Arc<dyn TotalsStore>) -> Totals {
    Totals::new(Arc::<dyn TotalsStore>::clone(store), Arc::<dyn TotalsStore>::clone(store), BooksZone::default())
}

fn day(n: u8) -> Day {
    Day::new(2026, 11, n).unwrap()
}

fn sum(count: i64, minor: i64) -> CountedSum {
    CountedSum { count, minor }
}

/// Total of one placed order.
fn one_placed(n: u8, livemode: bool, currency: Currency) -> DailyTotal {
    DailyTotal { placed: sum(1, 500), ..DailyTotal::empty(day(n), livemode, currency) }
}

async fn refund(store: &Arc<dyn TotalsStore>, n: u32, minor: i64, statuses: &[RefundStatus]) -> Money {
    let mut order = paid(&**store, n).await;
    let new = NewRefund { amount: Some(usd(minor)), ..NewRefund::default() };
    order = save(&**store, order.refund(&new, at(NOW + 9)).unwrap().0).await;
    for status in statuses {
        order = update_refund(&**store, &order, 1, *status).await;
    }
    order.total
}

/// Refunds of each outcome, one of which fails after it has succeeded, and an order that is not paid.
pub async fn totals_are_what_has_happened_to_the_orders(store: &Arc<dyn TotalsStore>) {
    use RefundStatus::{Failed, Pending, Succeeded};
    let totals = totals_of(store);
    assert!(!totals.count().await.unwrap());
    walk(&**store, 1, "ada", &[Step::Answered(IntentStatus::Processing)]).await;
    let total = refund(store, 2, 100, &[Succeeded]).await;
    refund(store, 3, 200, &[Pending]).await;
    refund(store, 4, 400, &[Pending, Succeeded]).await;
    refund(store, 5, 800, &[Failed]).await;
    refund(store, 6, 1600, &[Succeeded, Failed]).await;
    edited(&**store, 7, 3).await;
    // A second payment of an order is refunded by a policy.
    walk(&**store, 8, "ada", &[Step::Answered(IntentStatus::Succeeded), Step::HeldOfAnother]).await;
    let twice = store.order(&OrderRef::Id(order_id(8))).await.unwrap().unwrap().value;
    update_refund(&**store, &twice, 1, Succeeded).await;
    let of_today = || async { totals.recent(at(NOW), 30, false).await.unwrap() };
    append_all(&**store).await;
    assert!(!of_today().await.is_complete);
    while totals.count().await.unwrap() {}
    let found = of_today().await;
    assert!(found.is_complete);
    assert_eq!((found.zone.as_str(), found.today), ("UTC", BooksZone::default().day_of(at(NOW))));
    let [of_day] = found.totals.as_slice() else { panic!("{found:?}") };
    assert_eq!(of_day.placed, sum(8, 8 * total.minor()));
    assert_eq!(of_day.paid, sum(6, 6 * total.minor()));
    assert_eq!(of_day.refunded, sum(2, 500));
    assert_eq!(of_day.net_minor(), 6 * total.minor() - 500);
    assert_eq!(totals.recent(at(NOW), 30, true).await.unwrap().totals, []);
}

/// Two processes count at the same time, in several steps.
pub async fn events_are_counted_once_by_any_number_of_processes(store: &Arc<dyn TotalsStore>) {
    let (one, other) = (totals_of(store), totals_of(store));
    for n in 1..=20 {
        edited(&**store, n, 0).await;
        append_all(&**store).await;
        let (first, second) = join!(one.count(), other.count());
        assert!(!first.unwrap() && !second.unwrap());
    }
    one.count().await.unwrap();
    let found = other.recent(at(NOW), 1, false).await.unwrap();
    assert_eq!(found.totals.iter().map(|it| it.placed.count).collect::<Vec<_>>(), [20]);
    assert_eq!(store.counted_until().await.unwrap(), Position(20));
}

/// An order is placed, edited and paid between others.
pub async fn only_facts_that_count_are_read_by_range_and_limit(store: &Arc<dyn TotalsStore>) {
    edited(&**store, 1, 2).await;
    append_all(&**store).await;
    let total = paid(&**store, 2).await.total;
    let last = append_all(&**store).await;
    let all = store.countable_facts(Position::START, last, 100).await.unwrap();
    assert_eq!(all.iter().map(|it| it.fact.kind()).collect::<Vec<_>>(), ["order.placed", "order.placed", "order.paid"]);
    assert!(all.iter().all(|it| !it.livemode && it.refund.is_none()));
    assert_eq!((all[1].position, all[1].at), (Position(4), at(NOW)));
    assert_eq!(total, usd(total.minor()));
    assert_eq!(store.countable_facts(Position::START, last, 2).await.unwrap(), all[..2]);
    assert_eq!(store.countable_facts(Position(1), Position(4), 100).await.unwrap(), all[1..2]);
}

/// Of two additions to the same position, the second is refused, and one from an earlier position too.
pub async fn what_was_counted_meanwhile_is_not_added(store: &Arc<dyn TotalsStore>) {
    let totals = vec![one_placed(1, false, Currency::Usd), one_placed(1, false, Currency::Eur)];
    let first = TotalsAddition { after: Position::START, until: Position(7), totals };
    assert!(store.add_to_totals(&first).await.unwrap());
    assert!(!store.add_to_totals(&first).await.unwrap());
    let second = TotalsAddition { after: Position(7), until: Position(9), totals: Vec::new() };
    assert!(store.add_to_totals(&second).await.unwrap());
    assert!(!store.add_to_totals(&TotalsAddition { until: Position(8), ..second }).await.unwrap());
    assert_eq!(store.counted_until().await.unwrap(), Position(9));
    let placed = store.daily_totals(day(1), day(1), false).await.unwrap();
    assert_eq!(placed, [one_placed(1, false, Currency::Eur), one_placed(1, false, Currency::Usd)]);
}

/// Days and currencies are in order, and each mode is read alone.
pub async fn totals_are_read_by_days_and_mode(store: &Arc<dyn TotalsStore>) {
    for (position, n) in (0..).zip([3, 1, 2]) {
        let totals =
            [(false, Currency::Usd), (true, Currency::Usd), (false, Currency::Eur)].map(|(livemode, currency)| {
                DailyTotal {
                    paid: sum(n, 10),
                    refunded: sum(-1, -20),
                    ..one_placed(u8::try_from(n).unwrap(), livemode, currency)
                }
            });
        let until = Position(position + 1);
        let addition = TotalsAddition { after: Position(position), until, totals: totals.to_vec() };
        assert!(store.add_to_totals(&addition).await.unwrap());
    }
    let found = store.daily_totals(day(2), day(3), false).await.unwrap();
    let names: Vec<_> = found.iter().map(|it| (it.day, it.currency, it.paid.count)).collect();
    assert_eq!(
        names,
        [
            (day(2), Currency::Eur, 2),
            (day(2), Currency::Usd, 2),
            (day(3), Currency::Eur, 3),
            (day(3), Currency::Usd, 3)
        ]
    );
    assert!(found.iter().all(|it| it.refunded == sum(-1, -20)));
    assert_eq!(store.daily_totals(day(1), day(30), true).await.unwrap().len(), 3);
    assert_eq!(store.daily_totals(day(4), day(30), false).await.unwrap(), []);
}
