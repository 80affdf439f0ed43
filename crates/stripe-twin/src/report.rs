//! A summary of the balances by category, as a second opinion for books.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::balance::BALANCES;
use crate::calls::Sent;
use crate::kinds::{Kind, Spec, param};
use crate::objects::BalanceTransaction;
use crate::state::Twin;

pub(crate) const INTERVAL: &[Spec] = &[param("interval_start", Kind::Int), param("interval_end", Kind::Int)];

impl Twin {
    /// Sums by reporting category of what was created in an interval (its end excluded), with the balance before and
    /// after it, in each currency of each balance: as Stripe's reports `balance.summary.1` and
    /// `balance_change_from_activity.summary.1` have them, but in wire units.
    pub(crate) fn report(&self, sent: &Sent<'_>) -> Value {
        let from = sent.params.int("interval_start").unwrap_or(0);
        let to = sent.params.int("interval_end").unwrap_or(sent.now + 1);
        let summary = |balance: &str, currency: &str| {
            let rows = || self.balance_transactions.iter().filter(|it| it.is_of(balance, currency));
            let removed = self.removed(balance, currency);
            let before: i64 = rows().filter(|it| it.created < from).map(BalanceTransaction::net).sum();
            let mut categories: BTreeMap<&str, [i64; 4]> = BTreeMap::new();
            for row in rows().filter(|it| (from..to).contains(&it.created)) {
                let [count, gross, fee, net] = categories.entry(row.category()).or_default();
                *count += 1;
                *gross += row.amount;
                *fee += row.fee;
                *net += row.net();
            }
            let (payouts, activity): (Vec<_>, Vec<_>) =
                categories.into_iter().partition(|(category, _)| ["payout", "payout_reversal"].contains(category));
            let (starting, paid_out, moved) = (removed + before, total(&payouts), total(&activity));
            json!({
                "balance_type": balance,
                "currency": currency,
                "starting_balance": starting,
                "activity": moved,
                "payouts": paid_out,
                "ending_balance": starting + moved + paid_out,
                "activity_by_category": lines(&activity),
                "payouts_by_category": lines(&payouts),
            })
        };
        let of_balance = |balance: &'static str| self.currencies(balance).into_iter().map(move |it| (balance, it));
        let all = BALANCES.iter().flat_map(|it| of_balance(it));
        json!({
            "object": "twin.report",
            "interval_start": from,
            "interval_end": to,
            "currencies": all.map(|(balance, currency)| summary(balance, &currency)).collect::<Vec<_>>(),
        })
    }
}

/// A reporting category with count, gross, fee and net of its rows.
type Line<'a> = (&'a str, [i64; 4]);

fn total(lines: &[Line<'_>]) -> i64 {
    lines.iter().map(|(_, [_, _, _, net])| net).sum()
}

fn lines(lines: &[Line<'_>]) -> Vec<Value> {
    let line = |(category, [count, gross, fee, net]): &Line<'_>| json!({ "reporting_category": category, "count": count, "gross": gross, "fee": fee, "net": net });
    lines.iter().map(line).collect()
}
