//! Cases of breaks and closed days.

use paywright_app::{
    BalanceSummary, Break, BreakClass, BreakPage, BreakPlace, BreakQuery, CategorySum, ClosedDay, Correction,
    DaySummary, ExchangeSum, Resolution,
};
use paywright_domain::books::{BalanceType, ReportingCategory, SignedMoney};

use super::{BooksStore, BooksSubject, EUR, USD, commit, day, on, po, txn};
use crate::order_id;

pub(super) fn found(n: u32, first_seen: i64) -> Break {
    Break {
        id: format!("amount:pi_{n}"),
        class: BreakClass::Amount,
        object: format!("pi_{n}"),
        order: None,
        ours: None,
        theirs: None,
        since: on(1, 0),
        first_seen: on(2, first_seen),
        gone_at: None,
        resolution: None,
    }
}

async fn read(store: &dyn BooksStore, query: BreakQuery) -> Vec<Break> {
    store.breaks(&query).await.unwrap()
}

/// A break is stored under its name; each query has the breaks of its states.
pub async fn breaks_are_updated_and_read_by_their_state(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let plain = found(3, 1);
    let resolution = Resolution { at: on(3, 0), by: "Zoë".into(), note: "wrong \"amount\"".into() };
    let gone = Break { gone_at: Some(on(4, 0)), ..found(2, 3) };
    let resolved = Break {
        class: BreakClass::UnknownCategory,
        order: Some(order_id(1)),
        ours: Some(SignedMoney::new(-5, EUR)),
        theirs: Some(SignedMoney::new(7, USD)),
        resolution: Some(resolution),
        ..found(1, 2)
    };
    commit(store, |it| it.breaks = vec![found(2, 3), plain.clone(), found(1, 2), found(4, 3)]).await;
    assert_eq!(read(store, BreakQuery::Open(BreakPage::first(3))).await, [plain.clone(), found(1, 2), found(2, 3)]);
    let last = Break { ours: Some(SignedMoney::new(1, USD)), ..found(4, 3) };
    commit(store, |it| it.breaks = vec![gone.clone(), resolved.clone(), found(4, 3), last.clone()]).await;
    assert_eq!(read(store, BreakQuery::Open(BreakPage::first(10))).await, [plain.clone(), last.clone()]);
    assert_eq!(read(store, BreakQuery::Open(BreakPage::first(1))).await, std::slice::from_ref(&plain));
    let present = [plain.clone(), resolved.clone(), last.clone()];
    assert_eq!(read(store, BreakQuery::Present(BreakPage::first(10))).await, present);
    assert_eq!(read(store, BreakQuery::Present(BreakPage::first(2))).await, present[..2]);
    let latest = [last, gone.clone(), resolved.clone(), plain.clone()];
    assert_eq!(read(store, BreakQuery::Latest(BreakPage::first(10))).await, latest);
    assert_eq!(read(store, BreakQuery::Latest(BreakPage::first(3))).await, latest[..3]);
    let next = |after: &Break| BreakPage { after: Some(BreakPlace::of(after)), limit: 2 };
    assert_eq!(read(store, BreakQuery::Open(next(&plain))).await, latest[..1]);
    assert_eq!(read(store, BreakQuery::Open(next(&latest[0]))).await, []);
    assert_eq!(read(store, BreakQuery::Present(next(&plain))).await, present[1..]);
    assert_eq!(read(store, BreakQuery::Latest(next(&latest[0]))).await, latest[1..3]);
    assert_eq!(read(store, BreakQuery::Latest(next(&gone))).await, latest[2..]);
    assert_eq!(read(store, BreakQuery::Latest(next(&plain))).await, []);
    let names = ["amount:pi_2", "amount:pi_9", "amount:pi_1"].map(str::to_owned).to_vec();
    assert_eq!(read(store, BreakQuery::Named(names)).await, [resolved, gone]);
    assert_eq!(read(store, BreakQuery::Named(Vec::new())).await, []);
}

pub(super) fn closed(n: u8) -> ClosedDay {
    let (balance, amount) = (BalanceType::Payments, SignedMoney::new(-5, USD));
    let category = ReportingCategory::Refund;
    let sum = CategorySum { balance, category: category.clone(), count: 1, gross: amount, fee: amount, net: amount };
    ClosedDay {
        day: day(n),
        hash: format!("hash {n}"),
        previous: (n > 1).then(|| format!("hash {}", n - 1)),
        timezone: "Europe/Berlin".into(),
        closed_at: on(n, 90_000),
        summary: DaySummary {
            balances: vec![BalanceSummary {
                balance,
                opening: amount,
                categories: vec![sum.clone()],
                payouts: vec![sum],
                closing: amount,
            }],
            corrections: vec![Correction {
                day: day(1),
                id: txn(1),
                balance,
                category,
                net: amount,
                payout: (n > 2).then(|| po(1)),
            }],
            exchange: vec![ExchangeSum { amount }],
            payouts: Vec::new(),
            rows_hash: "é".into(),
        },
    }
}

/// A second closing of a day changes nothing, in the same commit or in another.
pub async fn a_closed_day_stays_unchanged(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let again = |n| ClosedDay { hash: "another".into(), ..closed(n) };
    commit(store, |it| it.days = vec![closed(1), closed(2), again(2)]).await;
    commit(store, |it| it.days = vec![again(1), closed(4), closed(3)]).await;
    assert_eq!(store.closed_days(day(1), day(28)).await.unwrap(), [closed(1), closed(2), closed(3), closed(4)]);
    assert_eq!(store.closed_days(day(2), day(3)).await.unwrap(), [closed(2), closed(3)]);
    assert_eq!(store.closed_days(day(3), day(2)).await.unwrap(), []);
}
