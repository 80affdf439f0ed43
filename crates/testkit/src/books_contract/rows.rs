//! Cases of balance transactions and entries.

use paywright_app::{BookedEntry, BookedTransaction, CategorySum, RowFilter, RowQuery, Version};
use paywright_domain::anomaly::Policies;
use paywright_domain::books::{
    Account, BalanceTransaction, BalanceType, Day, Entry, Fee, FeeKind, Posting, SalesPart, SignedMoney, Source,
    TaxName,
};
use paywright_domain::id::{DisputeId, RefundId};
use paywright_domain::intent::IntentStatus;
use paywright_domain::money::Percent;
use paywright_domain::order::TaxRateDetails;
use paywright_domain::text::Text;
use paywright_domain::{Currency, IntentId};

use super::{
    BooksSubject, EUR, USD, all_days, charge, commit, day, entry_ids, everything, expectation, on, payment, payout, po,
    query, transaction_ids, txn,
};
use crate::contract::{NOW, first, then, update};
use crate::{at, order_id, place};

/// Every kind of source.
fn sources() -> [Source; 6] {
    [
        payment(1),
        Source::Refund { refund: RefundId::new("re_1").unwrap() },
        Source::Dispute { dispute: DisputeId::new("du_1").unwrap() },
        Source::Payout { payout: po(1) },
        Source::Other { id: "ch_é".into() },
        Source::None,
    ]
}

/// All fields of balance transactions are written and read, each kind of source, balance and category among them.
pub async fn a_balance_transaction_is_read_unchanged(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let fees = |parts: &[(&str, i64)]| {
        let fee = |(kind, minor): &(&str, i64)| Fee { kind: (*kind).into(), amount: SignedMoney::new(*minor, EUR) };
        parts.iter().map(fee).collect()
    };
    let mut rows: Vec<BookedTransaction> = Vec::new();
    for (n, source) in (1..).zip(sources()) {
        let row = charge(n, 2, -10_000, EUR);
        let transaction = BalanceTransaction {
            balance: BalanceType::ALL[usize::try_from(n).unwrap() % BalanceType::ALL.len()],
            category: ["payout", "refund", "climate_order_purchase"][usize::try_from(n).unwrap() % 3].parse().unwrap(),
            fees: fees(&[("stripe_fee", -900), ("tax", -100)]),
            description: "Kaffee für Zoë ☕, \"10 %\"".into(),
            source,
            presented: (n % 2 == 0).then(|| SignedMoney::new(-12_345, Currency::Jpy)),
            ..row.transaction.clone()
        };
        let (intent, order) = (Some(IntentId::new("pi_1").unwrap()), Some(order_id(n)));
        rows.push(if n < 4 {
            BookedTransaction { transaction, intent, order, ..row }
        } else {
            BookedTransaction { transaction, ..row }
        });
    }
    rows[0].transaction.net = SignedMoney::new(7, EUR);
    rows[2].transaction.fees[1].amount = SignedMoney::new(-100, Currency::Jpy);
    rows[1].recorded_at = at(NOW);
    commit(store, |it| it.transactions.clone_from(&rows)).await;
    assert_eq!(store.transactions(&all_days()).await.unwrap(), rows);
}

/// All fields of entries are written and read, each kind of account among them.
pub async fn an_entry_is_read_unchanged(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let rate = TaxRateDetails { percent: Percent::parse("7").unwrap(), country: Some("DE".parse().unwrap()) };
    let tax = SalesPart::Tax(TaxName { label: Text::new("MwSt. 7 % é").unwrap(), rate: Some(rate) });
    let accounts = [
        Account::Sales(SalesPart::Goods),
        Account::Sales(tax.clone()),
        Account::Refunds(tax),
        Account::PaymentDifferences,
        Account::Disputes,
        Account::Fees(FeeKind::Network),
        Account::Other("climate_order_purchase".parse().unwrap()),
        Account::Unexplained,
    ];
    let mut rows = Vec::new();
    for (n, source) in (1..).zip(sources()) {
        let posting = |account, minor| Posting { account, amount: SignedMoney::new(minor, USD) };
        let mut postings: Vec<_> = accounts.iter().map(|it| posting(it.clone(), -3)).collect();
        postings.push(posting(Account::Clearing(source.clone()), 24));
        postings.extend([Account::Exchange, Account::Exchange].map(|it| posting(it, 0)));
        let entry = Entry::new(postings).unwrap();
        rows.push(BookedEntry { order: order_id(n), entry, ..expectation(&format!("e{n}:2"), 3, 1, USD, &source) });
    }
    commit(store, |it| it.entries.clone_from(&rows)).await;
    assert_eq!(store.entries(&all_days()).await.unwrap(), rows);
}

/// Any number of ids may be asked for; each known one is returned once.
pub async fn known_balance_transactions_are_those_that_are_stored(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    assert_eq!(store.known_transactions(&[]).await.unwrap(), []);
    commit(store, |it| it.transactions = vec![charge(7, 1, 100, USD), charge(1200, 1, 100, USD)]).await;
    let mut asked: Vec<_> = (1..=1500).rev().map(txn).collect();
    asked.push(txn(7));
    let mut known = store.known_transactions(&asked).await.unwrap();
    known.sort();
    assert_eq!(known, [txn(7), txn(1200)]);
}

/// The same rows again, and other rows with stored ids, change nothing; in one commit, the first row of an id counts.
pub async fn rows_that_are_stored_stay_unchanged(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let entry = |minor| expectation("pi_1", 2, minor, USD, &payment(1));
    let first = |it: &mut paywright_app::BooksChanges| {
        it.transactions = vec![charge(1, 1, 100, USD), charge(2, 1, 200, USD), charge(1, 3, 900, USD)];
        it.entries = vec![entry(50), entry(70)];
    };
    commit(store, first).await;
    let before = everything(store).await;
    assert_eq!(before.transactions, [charge(1, 1, 100, USD), charge(2, 1, 200, USD)]);
    assert_eq!(before.entries, [entry(50)]);
    let open: Vec<_> = before.open.iter().map(|it| (it.expected.minor(), it.moved.minor())).collect();
    assert_eq!(open, [(50, 100), (0, 200)]);
    commit(store, first).await;
    let others = |it: &mut paywright_app::BooksChanges| {
        it.transactions = vec![BookedTransaction { recorded_at: on(29, 0), ..charge(2, 5, 777, EUR) }];
        it.entries = vec![BookedEntry { order: order_id(9), ..entry(90) }];
    };
    commit(store, others).await;
    assert_eq!(everything(store).await, before);
}

/// Pages of any size have all rows in the order of days, times and ids.
pub async fn rows_of_one_time_are_read_in_pages_by_their_ids(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let ids = ["txn_B", "txn_a", "txn_0", "txn_Z", "txn_10", "txn_9", "txn_b"];
    let mut rows: Vec<BookedTransaction> = Vec::new();
    for (n, id) in (0_u8..).zip(ids) {
        let mut row = charge(1, 4 + n / 4, 100, USD);
        row.transaction.id = id.parse().unwrap();
        row.transaction.source = payment(n.into());
        row.day = (n != 2).then(|| day(4 + n / 4));
        row.order = Some(order_id(1));
        rows.push(row);
    }
    // A late one: created before the others, and part of the last day.
    rows[6].transaction.created = on(1, 0);
    let entries = |it: &BookedTransaction| BookedEntry {
        id: it.transaction.id.as_str().to_owned(),
        at: it.transaction.created,
        day: it.day,
        ..expectation("", 1, 100, USD, &it.transaction.source)
    };
    commit(store, |it| {
        it.entries = rows.iter().map(entries).collect();
        it.transactions.clone_from(&rows);
    })
    .await;
    let of_days = RowFilter::Days { from: day(1), to: day(28) };
    let in_order = ["txn_B", "txn_Z", "txn_a", "txn_b", "txn_10", "txn_9"];
    let of_order = ["txn_0", "txn_B", "txn_Z", "txn_a", "txn_b", "txn_10", "txn_9"];
    for (filter, expected) in [(of_days, in_order.as_slice()), (RowFilter::Order(order_id(1)), &of_order)] {
        for limit in 1..=8 {
            let (mut read, mut entries) = (Vec::new(), Vec::new());
            let mut after = None;
            loop {
                let page = RowQuery { filter: filter.clone(), after: after.clone(), limit };
                let rows = store.transactions(&page).await.unwrap();
                entries.extend(entry_ids(store, &page).await);
                let Some(last) = rows.last() else { break };
                after = Some((last.day, last.transaction.created, last.transaction.id.as_str().to_owned()));
                read.extend(rows.iter().map(|it| it.transaction.id.as_str().to_owned()));
            }
            assert_eq!(read, expected, "{filter:?} by {limit}");
            assert_eq!(entries, expected, "{filter:?} by {limit}");
        }
    }
}

/// Each filter has the rows of its own alone.
pub async fn rows_are_found_by_day_order_source_and_payout(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let rows: Vec<_> = (1..=5_u8)
        .map(|n| {
            let order = (n % 2 == 0).then(|| order_id(2));
            BookedTransaction { order, ..charge(n.into(), n, 100, USD) }
        })
        .collect();
    let entry = |n: u8| {
        let id = format!("pi_{n}");
        BookedEntry { order: order_id(n.into()), ..expectation(&id, n, 100, USD, &payment(n.into())) }
    };
    commit(store, |it| {
        it.transactions = rows;
        it.entries = (1..=5).map(entry).collect();
        it.payouts = vec![payout(1, 6, 180), payout(2, 6, 0)];
        it.members = vec![(po(1), vec![txn(5), txn(1), txn(99)]), (po(2), vec![])];
    })
    .await;
    let other = Source::Other { id: "pi_3".into() };
    for (filter, transactions, entries) in [
        (RowFilter::Days { from: day(2), to: day(4) }, "234", "234"),
        (RowFilter::Days { from: day(5), to: day(5) }, "5", "5"),
        (RowFilter::Days { from: day(4), to: day(3) }, "", ""),
        (RowFilter::Order(order_id(2)), "24", "2"),
        (RowFilter::Order(order_id(7)), "", ""),
        (RowFilter::Source(payment(3)), "3", "3"),
        (RowFilter::Source(other), "", ""),
        (RowFilter::Payout(po(1)), "15", ""),
        (RowFilter::Payout(po(2)), "", ""),
        (RowFilter::Payout(po(3)), "", ""),
    ] {
        let ids = |prefix: &str, ids: &str| ids.chars().map(|it| format!("{prefix}{it}")).collect::<Vec<_>>();
        let query = query(filter);
        assert_eq!(transaction_ids(store, &query).await, ids("txn_000", transactions), "{query:?}");
        assert_eq!(entry_ids(store, &query).await, ids("pi_", entries), "{query:?}");
    }
}

/// Rows without a day are part of the opening balance: no query for days has them, and no sum.
pub async fn rows_before_the_first_day_belong_to_no_day(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let before = BookedTransaction { day: None, ..charge(1, 1, 100, USD) };
    let entry = BookedEntry { day: None, ..expectation("pi_1", 1, 100, USD, &payment(1)) };
    commit(store, |it| {
        it.transactions = vec![before.clone()];
        it.entries = vec![entry.clone()];
    })
    .await;
    let (from, to) = (Day::new(1970, 1, 1).unwrap(), Day::new(9999, 12, 31).unwrap());
    let days = query(RowFilter::Days { from, to });
    assert_eq!(store.transactions(&days).await.unwrap(), []);
    assert_eq!(store.entries(&days).await.unwrap(), []);
    assert_eq!(store.category_sums(from, to).await.unwrap(), []);
    let of_source = query(RowFilter::Source(payment(1)));
    assert_eq!(store.transactions(&of_source).await.unwrap(), [before]);
    assert_eq!(store.entries(&of_source).await.unwrap(), [entry]);
}

/// Sums are in the order of balances, currencies and categories, and have both days of their range.
pub async fn sums_are_of_each_balance_currency_and_category(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let row = |n, of_day, minor, currency, category: &str, balance| {
        let mut row = charge(n, of_day, minor, currency);
        row.transaction.category = category.parse().unwrap();
        row.transaction.balance = balance;
        row
    };
    let (payments, reserved) = (BalanceType::Payments, BalanceType::RiskReserved);
    commit(store, |it| {
        it.transactions = vec![
            row(1, 1, 999, USD, "charge", payments),
            row(2, 2, 1000, USD, "charge", payments),
            row(3, 3, 500, USD, "charge", payments),
            row(4, 3, -300, USD, "refund", payments),
            row(5, 3, 700, EUR, "topup", payments),
            row(6, 2, 700, EUR, "advance", payments),
            row(7, 2, 200, EUR, "charge", reserved),
            row(8, 4, 999, USD, "charge", payments),
        ];
    })
    .await;
    let sum = |balance, currency, category: &str, count, gross, fee| CategorySum {
        balance,
        category: category.parse().unwrap(),
        count,
        gross: SignedMoney::new(gross, currency),
        fee: SignedMoney::new(fee, currency),
        net: SignedMoney::new(gross - fee, currency),
    };
    let expected = [
        sum(payments, EUR, "advance", 1, 700, 70),
        sum(payments, EUR, "topup", 1, 700, 70),
        sum(payments, USD, "charge", 2, 1500, 150),
        sum(payments, USD, "refund", 1, -300, -30),
        sum(reserved, EUR, "charge", 1, 200, 20),
    ];
    assert_eq!(store.category_sums(day(2), day(3)).await.unwrap(), expected);
    assert_eq!(store.category_sums(day(5), day(9)).await.unwrap(), []);
}

/// The order of a PaymentIntent is found after another one replaced it.
pub async fn orders_are_found_by_any_of_their_intents(subject: &impl BooksSubject) {
    let store = &*subject.books_store();
    let intent = |id: &str| IntentId::new(id).unwrap();
    for n in 1..=2 {
        let order = place(n).order;
        store.commit(first(place(n))).await.unwrap();
        let canceled = update(&order, &format!("pi_{n}a"), IntentStatus::Canceled);
        let issued = order.settle(&canceled, &Policies::DEFAULT, at(NOW)).unwrap();
        let order = issued.order.clone();
        store.commit(then(1, issued)).await.unwrap();
        let processing = update(&order, &format!("pi_{n}b"), IntentStatus::Processing);
        store.commit(then(2, order.settle(&processing, &Policies::DEFAULT, at(NOW)).unwrap())).await.unwrap();
        assert_eq!(store.order(&paywright_app::OrderRef::Id(order.id)).await.unwrap().unwrap().version, Version(3));
    }
    let asked = ["pi_2b", "pi_1a", "pi_9", "pi_1b", "pi_1a"].map(intent);
    let mut found = store.orders_of_intents(&asked).await.unwrap();
    found.sort();
    assert_eq!(found, [("pi_1a", 1), ("pi_1b", 1), ("pi_2b", 2)].map(|(id, n)| (intent(id), order_id(n))));
    assert_eq!(store.orders_of_intents(&[]).await.unwrap(), []);
    let mut numbers = store.order_numbers(&[9, 2, 1].map(order_id)).await.unwrap();
    numbers.sort();
    assert_eq!(numbers, [1, 2].map(|n| (order_id(n), place(n).order.number.clone())));
}
