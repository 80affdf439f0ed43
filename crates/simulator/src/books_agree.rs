//! Comparisons of the double-entry books with Stripe, with themselves, and with books that are read anew.

use std::collections::BTreeMap;

use paywright_app::{BookedEntry, BooksState, BooksZone, ClosedDay};
use paywright_domain::books::{BalanceType, Day, SignedMoney};
use paywright_domain::id::BalanceTransactionId;
use paywright_stripe_twin::Twin;
use serde_json::Value;

use crate::invariants::{Checked, fail};
use crate::store::BooksTables;
use crate::stripe_balance::{is_member, money, payout_of};

/// Each movement of the balance at Stripe is booked once, as it is there.
pub(crate) fn each_movement_is_booked(kept: &BooksTables, twin: &Twin) -> Checked {
    let mut count = 0;
    for made in twin.balance_transactions() {
        count += 1;
        let booked = kept.transactions.values().find(|it| it.transaction.id.as_str() == made.id);
        let Some(booked) = booked.map(|it| &it.transaction) else {
            return fail("books", format!("{} is not booked", made.id));
        };
        let amounts = [made.amount, made.fee, made.net].map(|it| money(it, made.currency));
        if amounts != [booked.amount, booked.fee, booked.net].map(Some) || booked.category.as_str() != made.category {
            return fail("books", format!("{} is booked with other amounts than it has", made.id));
        }
    }
    if count != kept.transactions.len() {
        return fail("books", format!("{} movements are booked, and Stripe has {count}", kept.transactions.len()));
    }
    Ok(())
}

/// The balances of the books are those at Stripe.
pub(crate) fn balances_agree(kept: &BooksTables, state: &BooksState, twin: &Twin) -> Checked {
    let mut sums: BTreeMap<(BalanceType, &str), i64> = BTreeMap::new();
    let mut add = |balance: BalanceType, amount: SignedMoney| {
        *sums.entry((balance, amount.currency().code())).or_default() += amount.minor();
    };
    for each in state.opening.iter().flatten() {
        add(each.balance, each.amount);
    }
    for row in kept.transactions.values().filter(|it| it.day.is_some()).map(|it| &it.transaction) {
        add(row.balance, row.net);
    }
    for view in twin.balances(i64::MAX) {
        let (Ok(balance), Some(theirs)) = (view.balance.parse(), money(view.available + view.pending, &view.currency))
        else {
            return fail("books", format!("the balance {view:?} cannot be read"));
        };
        let ours = sums.get(&(balance, theirs.currency().code())).copied().unwrap_or(0);
        if ours != theirs.minor() {
            return fail("books", format!("the balance is {ours} by the books, and {theirs} at Stripe"));
        }
    }
    Ok(())
}

/// The figures of a closed day are those of its rows, and each day follows the one before it.
pub(crate) fn closed_days_have_their_rows(kept: &BooksTables) -> Checked {
    let mut previous: Option<&ClosedDay> = None;
    for (day, closed) in &kept.days {
        let of_statement = closed.summary.balances.iter().flat_map(|it| it.categories.iter().chain(&it.payouts));
        let rows = kept.transactions.values().filter(|it| it.day == Some(*day));
        let net = |sum: i64, amount: SignedMoney| sum + amount.minor();
        let (ours, of_day) = (
            of_statement.clone().map(|it| it.net).fold(0, net),
            rows.clone().map(|it| it.transaction.net).fold(0, net),
        );
        let counted: u64 = of_statement.map(|it| it.count).sum();
        if ours != of_day || usize::try_from(counted) != Ok(rows.count()) {
            return fail("books", format!("the statement of {day} has other movements than the day"));
        }
        let is_next =
            previous.is_none_or(|it| it.day.next() == Some(*day) && closed.previous.as_ref() == Some(&it.hash));
        if !is_next {
            return fail("books", format!("the statement of {day} does not follow that of the day before"));
        }
        previous = Some(closed);
    }
    Ok(())
}

/// Each payout is stored as it is at Stripe, with all that it contains.
pub(crate) fn payouts_agree(kept: &BooksTables, twin: &Twin) -> Checked {
    for made in twin.payouts() {
        let known = kept.payouts.values().find(|it| it.id.as_str() == made.id);
        if known.cloned() != payout_of(&made) {
            return fail("books", format!("payout {} is stored as {known:?}, and is {made:?} at Stripe", made.id));
        }
        let mut members: Vec<&str> =
            twin.balance_transactions().filter(|it| is_member(&made, it)).map(|it| it.id).collect();
        members.sort_unstable();
        let read = known
            .and_then(|it| kept.members.get(&it.id))
            .map(|it| it.iter().map(BalanceTransactionId::as_str).collect());
        // What is in a payout that failed early is not read.
        let may_be_unread = made.status == "failed";
        if made.is_reconciled && read != Some(members) && !(read.is_none() && may_be_unread) {
            return fail("books", format!("payout {} is stored with other members than it has", made.id));
        }
    }
    Ok(())
}

/// The sums of each category are those of Stripe's own report.
pub(crate) fn categories_agree(kept: &BooksTables, report: &Value) -> Checked {
    type Sums = BTreeMap<(String, String, String), [i64; 4]>;
    let mut ours = Sums::new();
    for row in kept.transactions.values().map(|it| &it.transaction) {
        let currency = row.net.currency().code().to_owned();
        let key = (row.balance.name().to_owned(), currency, row.category.as_str().to_owned());
        let sums = ours.entry(key).or_default();
        let amounts = [1, row.amount.minor(), row.fee.minor(), row.net.minor()];
        sums.iter_mut().zip(amounts).for_each(|(sum, it)| *sum += it);
    }
    let mut theirs = Sums::new();
    for of_currency in report.get("currencies").and_then(Value::as_array).into_iter().flatten() {
        let text = |it: &Value, field: &str| it.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (balance, currency) = (text(of_currency, "balance_type"), text(of_currency, "currency"));
        for list in ["activity_by_category", "payouts_by_category"] {
            for line in of_currency.get(list).and_then(Value::as_array).into_iter().flatten() {
                let number = |field: &str| line.get(field).and_then(Value::as_i64).unwrap_or_default();
                let key = (balance.clone(), currency.clone(), text(line, "reporting_category"));
                theirs.insert(key, ["count", "gross", "fee", "net"].map(number));
            }
        }
    }
    if ours != theirs {
        return fail("books", format!("the sums are {ours:?}, and {theirs:?} in Stripe's report"));
    }
    Ok(())
}

/// PaymentIntents of other programs that were paid.
pub(crate) fn foreign_payments(twin: &Twin) -> impl Iterator<Item = &str> {
    let foreign = twin.intents().filter(|it| it.received > 0 && !it.metadata.contains_key("order_id"));
    foreign.map(|it| it.id)
}

/// Checks that books that were read anew from Stripe are those that were kept: byte for byte, but for the times of
/// reading, and for movements whose orders were not known when they were read.
pub(crate) fn are_repeated(kept: &BooksTables, again: &BooksTables, is_late: bool) -> Checked {
    let differs = |what: &str| fail("books", format!("{what} of the books differs when they are read anew"));
    let rows = |tables: &BooksTables| -> Vec<_> {
        let rows = tables.transactions.values();
        rows.map(|it| (it.transaction.clone(), it.intent.clone(), it.day.filter(|_| !is_late))).collect()
    };
    if rows(kept) != rows(again) {
        return differs("a balance transaction");
    }
    let other_order = kept
        .transactions
        .iter()
        .find(|(id, it)| it.order.is_some() && again.transactions.get(*id).is_none_or(|again| again.order != it.order));
    if other_order.is_some() {
        return differs("the order of a balance transaction");
    }
    // A fact that was learned after its day was closed is booked in the first open day, and on its own day anew.
    let on_its_day = |it: &BookedEntry| it.day.filter(|day| *day <= BooksZone::default().day_of(it.at));
    let is_repeated = |(id, it): (&String, &BookedEntry)| {
        again
            .entries
            .get(id)
            .is_some_and(|other| BookedEntry { day: on_its_day(it).or(other.day), ..it.clone() } == *other)
    };
    if kept.entries.len() != again.entries.len() || !kept.entries.iter().all(is_repeated) {
        return differs("an entry");
    }
    if kept.clearing != again.clearing {
        return differs("a clearing account");
    }
    let paid: fn(&BooksTables) -> Vec<_> = |it| it.payouts.values().cloned().collect();
    if paid(kept) != paid(again) {
        return differs("a payout");
    }
    if kept.members.iter().any(|(payout, members)| again.members.get(payout).is_some_and(|it| it != members)) {
        return differs("what a payout contains");
    }
    let opening = |it: &BooksTables| it.state.as_ref().map(|it| it.value.opening.clone());
    if opening(kept) != opening(again) {
        return differs("the opening balance");
    }
    let is_other = |(day, closed): (&Day, &ClosedDay)| {
        again.days.get(day).is_none_or(|it| (&it.hash, &it.summary) != (&closed.hash, &closed.summary))
    };
    if !is_late && kept.days.iter().any(is_other) {
        return differs("the statement of a closed day");
    }
    Ok(())
}
