use paywright_domain::Currency;
use paywright_domain::books::{BalanceType, SignedMoney};
use proptest::prelude::*;

use super::*;
use crate::books::StatementBuilder;
use crate::books::samples::{a_month, day, day_of, opening, row, summary};
use crate::ports::books::{BalanceAmount, BookedTransaction};

fn closed(period: &str, summary: DaySummary, previous: Option<&str>) -> Statement {
    let previous = previous.map(Into::into);
    Statement::new(period.parse().unwrap(), "UTC", StatementStatus::Closed, summary, previous).unwrap()
}

/// Charge in euros that settles in dollars, a category with a line break, and the correction of a day before.
fn a_strange_day() -> Statement {
    let mut euros = row("1", "2026-11-24T09:00:00Z", "charge", Currency::Usd, [10_837, 344]);
    euros.transaction.presented = Some(SignedMoney::new(10_000, Currency::Eur));
    let mut late = row("2", "2026-11-23T09:00:00Z", "payout_reversal", Currency::Jpy, [10_837, 0]);
    late.day = Some(day("2026-11-24"));
    let strange = row("3", "2026-11-24T09:00:00Z", "other\nthing", Currency::Kwd, [10_837, 344]);
    let opening = opening(&[(BalanceType::RiskReserved, -5, Currency::Kwd)]);
    closed("2026-11-24", summary(&opening, &[late, euros, strange]), None)
}

#[test]
fn the_statement_of_a_month_is_this_text() {
    let statement = closed("2026-11", summary(&[], &a_month()), Some("ab12"));
    assert_eq!(statement.text(), include_str!("golden/month.txt"));
    // The files have the line ends of the repository.
    assert_eq!(statement.csv().unwrap(), include_str!("golden/month.csv").replace('\n', "\r\n"));
    assert_eq!(statement.json().unwrap(), include_str!("golden/month.json"));
}

#[test]
fn other_currencies_and_a_correction_have_their_places() {
    let statement = a_strange_day();
    assert_eq!(statement.text(), include_str!("golden/day.txt"));
    let csv = include_str!("golden/day.csv").replace('\n', "\r\n").replace("other\r\nthing", "other\nthing");
    assert_eq!(statement.csv().unwrap(), csv);
    assert_eq!(statement.json().unwrap(), include_str!("golden/day.json"));
}

#[test]
fn a_day_without_balances_has_a_statement_too() {
    let none = closed("2026-11-24", summary(&[], &[]), None);
    assert_eq!(none.text(), include_str!("golden/empty.txt"));
    assert_eq!(none.csv().unwrap().lines().count(), 1);
}

#[test]
fn anybody_can_repeat_the_hash_from_the_text() {
    for (statement, before) in
        [(closed("2026-11", summary(&[], &a_month()), Some("ab12")), "ab12"), (a_strange_day(), "")]
    {
        let text = statement.text();
        let lines: Vec<_> = text.split_inclusive('\n').filter(|it| !it.starts_with("Hash")).collect();
        let hash = hex::encode(Sha256::digest(format!("{before}\n{}", lines.concat())));
        assert_eq!(statement.hash(), Some(hash.as_str()));
        assert!(text.ends_with(&format!("\nHash         {hash}\n")), "{text}");
    }
}

#[test]
fn an_open_statement_has_no_hash() {
    let period = Period::day(day("2026-11-24"));
    let open = Statement::new(period, "UTC", StatementStatus::Open, summary(&[], &a_month()), Some("ab12".into()));
    let open = open.unwrap();
    assert_eq!(open.hash(), None);
    assert!(
        open.text().contains("Status       open\n") && open.text().ends_with("Hash before  ab12\nHash         none\n")
    );
}

#[test]
fn the_hash_changes_with_each_part_of_each_row() {
    let hash = |rows: &[BookedTransaction]| closed("2026-11", summary(&[], rows), None).hash().unwrap().to_owned();
    let rows = a_month();
    let first = hash(&rows);
    let changes: [fn(&mut BookedTransaction); 7] = [
        |it| it.transaction.description.push('x'),
        |it| it.transaction.fees.clear(),
        |it| it.transaction.id = "txn_1x".parse().unwrap(),
        |it| it.transaction.created = it.transaction.created.plus_seconds(1),
        |it| it.transaction.source = paywright_domain::books::Source::None,
        |it| it.transaction.presented = Some(SignedMoney::new(1, Currency::Usd)),
        |it| it.transaction.fee = SignedMoney::new(392, Currency::Usd),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = rows.clone();
        change(&mut other[0]);
        assert_ne!(hash(&other), first, "{number}");
    }
    // Not with what is ours: books that are read again are the same.
    let mut again = rows.clone();
    again[0].recorded_at = again[0].recorded_at.plus_seconds(1);
    assert_eq!(hash(&again), first);
}

#[test]
fn a_stored_day_that_was_changed_has_another_hash() {
    let summary = summary(&[], &a_month()[..4]);
    let day = day("2026-11-24");
    let (timezone, previous) = ("Europe/Berlin".to_owned(), Some("ab12".to_owned()));
    let made = Statement::new(Period::day(day), &timezone, StatementStatus::Closed, summary.clone(), previous.clone());
    let hash = made.unwrap().hash().unwrap().to_owned();
    let closed_at = paywright_domain::Timestamp::EPOCH;
    let stored = ClosedDay { day, hash: hash.clone(), previous, timezone, closed_at, summary };
    assert_eq!(Statement::of_closed_day(&stored).unwrap().hash(), Some(hash.as_str()));
    let mut changed = stored.clone();
    changed.summary.balances[0].categories[0].fee = SignedMoney::new(0, Currency::Usd);
    assert_ne!(Statement::of_closed_day(&changed).unwrap().hash(), Some(hash.as_str()));
    let mut changed = stored;
    changed.summary.balances[0].closing = SignedMoney::new(0, Currency::Usd);
    assert!(matches!(Statement::of_closed_day(&changed), Err(StatementError::Footing { .. })));
}

#[test]
fn rows_that_no_statement_can_have_are_refused() {
    let add = |rows: &[BookedTransaction]| {
        let mut builder = StatementBuilder::new(&[], day_of).unwrap();
        rows.iter().try_for_each(|it| builder.add(it))
    };
    let rows = a_month();
    let order = StatementError::Order { id: rows[0].transaction.id.clone() };
    assert_eq!(add(&[rows[1].clone(), rows[0].clone()]), Err(order.clone()));
    assert_eq!(add(&[rows[0].clone(), rows[0].clone()]), Err(order));
    let before = BookedTransaction { day: None, ..rows[0].clone() };
    assert!(matches!(add(&[before]), Err(StatementError::BeforeFirstDay { .. })));
    let mut other = rows[0].clone();
    other.transaction.fee = SignedMoney::new(1, Currency::Eur);
    assert!(matches!(add(&[other]), Err(StatementError::Row { .. })));
    let mut most = rows[..2].to_vec();
    most[0].transaction.net = SignedMoney::new(i64::MAX, Currency::Usd);
    assert!(matches!(add(&most), Err(StatementError::Row { .. })));
}

#[test]
fn a_row_that_contradicts_itself_moves_the_balance_by_its_net_amount() {
    let mut rows = a_month();
    rows[0].transaction.net = SignedMoney::new(12_060, Currency::Usd);
    let summary = summary(&[], &rows);
    assert_eq!(summary.balances[0].closing.minor(), 1);
    assert_eq!(summary.check(), Ok(()));
}

#[test]
fn a_day_follows_only_the_days_that_it_opens_with() {
    let rows = a_month();
    let first = summary(&[], &rows[..4]);
    let second = summary(&opening(&[(BalanceType::Payments, 13_661, Currency::Usd)]), &rows[4..]);
    assert!(matches!(first.followed_by(&second), Err(StatementError::Gap { .. })));
    assert!(matches!(first.followed_by(&summary(&[], &[])), Err(StatementError::Gap { .. })));
}

#[test]
fn a_period_is_read_as_it_is_written() {
    for text in ["2026-11", "2026-11-24", "2024-02"] {
        assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
    }
    let month: Period = "2024-02".parse().unwrap();
    assert_eq!((month.first(), month.last()), (day("2024-02-01"), day("2024-02-29")));
    for bad in ["", "2026", "2026-13", "2026-11-31", "2026-1-01", "november"] {
        assert_eq!(bad.parse::<Period>(), Err(PeriodError), "{bad}");
    }
}

fn rows() -> impl Strategy<Value = Vec<BookedTransaction>> {
    let categories = ["charge", "refund", "payout", "payout_reversal", "dispute", "fee", "x"];
    let category = prop::sample::select(categories.to_vec());
    let currency = prop::sample::select(vec![Currency::Usd, Currency::Eur, Currency::Jpy]);
    let balance = prop::sample::select(BalanceType::ALL.to_vec());
    let presented = prop::option::of((-9_000_i64..9_000, currency.clone()));
    let amounts = (-9_000_i64..9_000, -100_i64..100, -1_i64..2);
    let one = (category, currency, balance, presented, amounts, 0_u32..4, 0_u32..86_400, any::<bool>());
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let mut rows: Vec<_> = all
            .into_iter()
            .enumerate()
            .map(|(number, it)| {
                let (category, currency, balance, presented, (amount, fee, wrong), days, second, late) = it;
                let mut row = row(&number.to_string(), "2026-11-24T00:00:00Z", category, currency, [amount, fee]);
                row.transaction.created = row.transaction.created.plus_seconds(days * 86_400 + second);
                row.day = Some(day_of(row.transaction.created.plus_seconds(if late { 86_400 } else { 0 })));
                row.transaction.balance = balance;
                row.transaction.net = SignedMoney::new(row.transaction.net.minor() + wrong, currency);
                row.transaction.presented = presented.map(|(minor, of)| SignedMoney::new(minor, of));
                row
            })
            .collect();
        rows.sort_by_key(|it| (it.day, it.transaction.created, it.transaction.id.clone()));
        rows
    })
}

proptest! {
    #[test]
    fn any_rows_foot_and_days_together_are_what_they_are_at_once(rows in rows(), start in -500_i64..500) {
        let opening = opening(&[(BalanceType::Payments, start, Currency::Usd), (BalanceType::Payments, 0, Currency::Jpy)]);
        let at_once = summary(&opening, &rows);
        for of in &at_once.balances {
            let is_of = |it: &&BookedTransaction| (it.transaction.balance, it.transaction.net.currency()) == of.key();
            let net: i64 = rows.iter().filter(is_of).map(|it| it.transaction.net.minor()).sum();
            prop_assert_eq!(of.opening.minor() + net, of.closing.minor());
        }
        let late = rows.iter().filter(|it| it.day != Some(day_of(it.transaction.created))).count();
        prop_assert_eq!(at_once.corrections.len(), late);

        let mut together = summary(&opening, &[]);
        let mut date = day("2026-11-24");
        while date <= day("2026-11-28") {
            let of_day: Vec<_> = rows.iter().filter(|it| it.day == Some(date)).cloned().collect();
            let closing = |it: &BalanceSummary| BalanceAmount { balance: it.balance, amount: it.closing };
            let opening: Vec<_> = together.balances.iter().map(closing).collect();
            together = together.followed_by(&summary(&opening, &of_day)).unwrap();
            date = date.next().unwrap();
        }
        prop_assert_eq!(&together, &at_once);
        let [one, other] = [together, at_once].map(|it| closed("2026-11", it, None).text());
        prop_assert_eq!(one, other);
    }
}
