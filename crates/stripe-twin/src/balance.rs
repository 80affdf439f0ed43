//! The account's balance: its movements, its sums, and a summary by category as a second opinion.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::BalanceTransaction;
use crate::state::Twin;

pub(crate) const FILTERS: &[Spec] = &[
    param("currency", Kind::Text(3)),
    param("payout", Kind::Id),
    param("source", Kind::Id),
    param("type", Kind::Text(5000)),
];
pub(crate) const INTERVAL: &[Spec] = &[param("interval_start", Kind::Int), param("interval_end", Kind::Int)];
pub(crate) const MOVEMENT: &[Spec] = &[
    param("amount", Kind::Int),
    param("currency", Kind::Text(3)),
    param("fee", Kind::Int),
    param("type", Kind::Text(100)),
    param("reporting_category", Kind::Text(100)),
    param("description", Kind::Text(5000)),
    param("source", Kind::Id),
    param("payout", Kind::Text(255)),
];
pub(crate) const TAMPERING: &[Spec] = &[param("deleted", Kind::Bool)];

impl Twin {
    /// Movement of the balance by an amount of a payment, a refund or a dispute, in the currency in which the account is
    /// settled.
    pub(crate) fn movement(&self, id: String, kind: &str, amount: i64, currency: &str, now: i64) -> BalanceTransaction {
        let (amount, currency, rate) = self.account.settle(amount, currency);
        BalanceTransaction { rate, ..BalanceTransaction::new(id, kind, amount, &currency, now) }
    }

    /// Amount of a currency that can be paid out at `now`.
    pub(crate) fn available(&self, currency: &str, now: i64) -> i64 {
        let of_it = self.balance_transactions.iter().filter(|it| it.currency == currency && it.available_on <= now);
        of_it.map(BalanceTransaction::net).sum::<i64>() + self.account.removed.get(currency).copied().unwrap_or(0)
    }

    /// `GET /v1/balance`.
    pub(crate) fn show_balance(&self, sent: &Sent<'_>) -> Value {
        let currencies = self.currencies();
        let of = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } });
        let pending = |currency: &str| {
            let of_it = |it: &&BalanceTransaction| it.currency == currency && it.available_on > sent.now;
            self.balance_transactions.iter().filter(of_it).map(BalanceTransaction::net).sum::<i64>()
        };
        json!({
            "object": "balance",
            "available": currencies.iter().map(|it| of(self.available(it, sent.now), it)).collect::<Vec<_>>(),
            "livemode": false,
            "pending": currencies.iter().map(|it| of(pending(it), it)).collect::<Vec<_>>(),
        })
    }

    /// Currencies in which the account has or had a balance; US dollars if there are none yet.
    fn currencies(&self) -> Vec<String> {
        let of_rows = self.balance_transactions.iter().map(|it| it.currency.clone());
        let mut all: Vec<String> = of_rows.chain(self.account.removed.keys().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() { vec!["usd".to_owned()] } else { all }
    }

    pub(crate) fn list_transactions(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let payout = params.text("payout").and_then(|it| self.payouts.get(it));
        if payout.is_some_and(|it| !it.automatic) {
            let message = "Only the balance transactions of an automatic payout can be listed.";
            return Err(Refusal::invalid("payout", message));
        }
        let is_of_payout =
            |row: &BalanceTransaction| payout.is_none_or(|it| it.is_reconciled && row.payout.as_ref() == Some(&it.id));
        let wanted = |it: &BalanceTransaction| {
            is(params, "source", it.source.as_deref().unwrap_or_default())
                && is(params, "type", &it.kind)
                && is(params, "currency", &it.currency)
                && is_created(it.created, params)
                && is_of_payout(it)
        };
        let (noun, url) = ("balance transaction", "/v1/balance_transactions");
        page(url, noun, &self.balance_transactions, params, wanted, |it| it.to_json(sent.now))
    }

    pub(crate) fn retrieve_transaction(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let found = self.balance_transactions.get(sent.id).map(|it| it.to_json(sent.now));
        found.ok_or_else(|| Refusal::no_such("balance transaction", sent.id))
    }

    /// Sums by reporting category of what was created in an interval (its end excluded), with the balance before and
    /// after it, in each currency: as Stripe's reports `balance.summary.1` and
    /// `balance_change_from_activity.summary.1` have them, but in wire units.
    pub(crate) fn report(&self, sent: &Sent<'_>) -> Value {
        let from = sent.params.int("interval_start").unwrap_or(0);
        let to = sent.params.int("interval_end").unwrap_or(sent.now + 1);
        let summary = |currency: &String| {
            let rows = || self.balance_transactions.iter().filter(|it| it.currency == *currency);
            let removed = self.account.removed.get(currency).copied().unwrap_or(0);
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
                "currency": currency,
                "starting_balance": starting,
                "activity": moved,
                "payouts": paid_out,
                "ending_balance": starting + moved + paid_out,
                "activity_by_category": lines(&activity),
                "payouts_by_category": lines(&payouts),
            })
        };
        json!({
            "object": "twin.report",
            "interval_start": from,
            "interval_end": to,
            "currencies": self.currencies().iter().map(summary).collect::<Vec<_>>(),
        })
    }

    /// Adds a movement of any kind. Stripe has no such call.
    pub(crate) fn add_movement(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let currency = params.required("currency")?.to_lowercase();
        params.required("amount")?;
        let amount = params.int("amount").unwrap_or(0);
        let id = self.draw("txn_");
        let kind = params.text("type").unwrap_or("adjustment");
        let row = BalanceTransaction::new(id, kind, amount, &currency, sent.now);
        let category = params.owned("reporting_category");
        let row = BalanceTransaction {
            category: category.or_else(|| (kind == "adjustment").then(|| "other_adjustment".to_owned())),
            fee: params.int("fee").unwrap_or(0),
            description: params.owned("description"),
            source: params.owned("source"),
            payout: params.owned("payout"),
            ..row
        };
        let json = row.to_json(sent.now);
        self.book(row);
        self.check_at(sent.now);
        Ok(json)
    }

    /// Falsifies a movement, or deletes it, to test a program that keeps books. A changed fee leaves the parts of the fee
    /// as they were. Stripe has no such call.
    pub(crate) fn tamper(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (id, params) = (sent.id, sent.params);
        let missing = || Refusal::no_such("balance transaction", id);
        if params.flag("deleted") {
            self.balance_transactions.remove(id).ok_or_else(missing)?;
            return Ok(json!({ "id": id, "object": "balance_transaction", "deleted": true }));
        }
        let row = self.balance_transactions.get_mut(id).ok_or_else(missing)?;
        if let Some(fee) = params.int("fee") {
            row.sum_of_fees = Some(row.sum_of_fees.unwrap_or(row.fee));
            row.fee = fee;
        }
        row.amount = params.int("amount").unwrap_or(row.amount);
        if let Some(currency) = params.text("currency") {
            row.currency = currency.to_lowercase();
        }
        if let Some(kind) = params.text("type") {
            kind.clone_into(&mut row.kind);
        }
        params.replace("reporting_category", &mut row.category);
        params.replace("description", &mut row.description);
        params.replace("source", &mut row.source);
        params.replace("payout", &mut row.payout);
        Ok(row.to_json(sent.now))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::DAY;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn read(twin: &mut Twin, path: &str, query: &str, now: i64) -> Value {
        let answer = twin.handle(&request(Method::Get, path, query), now).0;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["error"].is_null().then(|| serde_json::from_str(&answer.body.to_string()).unwrap()).unwrap()
    }

    fn pay(twin: &mut Twin, amount: i64, card: &str, currency: &str) -> String {
        let form = format!("amount={amount}&currency={currency}&confirm=true&payment_method={card}");
        post(twin, "/v1/payment_intents", &form).body["id"].as_str().unwrap().to_owned()
    }

    fn lines(summary: &Value, name: &str) -> Vec<(String, [i64; 4])> {
        let numbers = |it: &Value| ["count", "gross", "fee", "net"].map(|name| it[name].as_i64().unwrap());
        let line = |it: &Value| (it["reporting_category"].as_str().unwrap().to_owned(), numbers(it));
        summary[name].as_array().unwrap().iter().map(line).collect()
    }

    /// Three payments, a refund, one that fails, and a lost dispute; then everything is paid out.
    #[test]
    fn a_report_has_the_sums_of_each_category() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        let first = pay(&mut twin, 12_450, "pm_card_visa", "usd");
        let second = pay(&mut twin, 1_000, "pm_card_refundFail", "usd");
        pay(&mut twin, 2_000, "pm_card_createDispute", "usd");
        post(&mut twin, "/v1/refunds", &format!("payment_intent={first}&amount=1250"));
        post(&mut twin, "/v1/refunds", &format!("payment_intent={second}"));
        let dispute = twin.disputes.iter().next().unwrap().id.clone();
        post(&mut twin, &format!("/_twin/disputes/{dispute}/close"), "outcome=lost");
        let report = read(&mut twin, "/_twin/report", "", NOW);
        let usd = &report["currencies"][0];
        let line = |name: &str, numbers: [i64; 4]| (name.to_owned(), numbers);
        assert_eq!(
            lines(usd, "activity_by_category"),
            [
                line("charge", [3, 15_450, 538, 14_912]),
                line("dispute", [1, -2_000, 1_500, -3_500]),
                line("refund", [2, -2_250, 0, -2_250]),
                line("refund_failure", [1, 1_000, 0, 1_000]),
            ]
        );
        assert_eq!((&usd["activity"], &usd["ending_balance"]), (&json!(10_162), &json!(10_162)));
        let balance = read(&mut twin, "/v1/balance", "", NOW);
        assert_eq!(balance["available"][0]["amount"], -4_750, "refunds and disputes are taken at once");
        assert_eq!(balance["pending"][0]["amount"], 14_912);

        let later = read(&mut twin, "/_twin/report", "", NOW + 3 * DAY);
        let usd = &later["currencies"][0];
        assert_eq!(lines(usd, "payouts_by_category"), [line("payout", [1, -10_162, 0, -10_162])]);
        assert_eq!(usd["ending_balance"], 0);
        let next = read(&mut twin, "/_twin/report", &format!("interval_start={}", NOW + 1), NOW + 3 * DAY);
        assert_eq!(next["currencies"][0]["starting_balance"], 10_162);
    }

    #[test]
    fn a_payment_in_another_currency_is_settled_at_the_rate_of_the_account() {
        let mut twin = Twin::default();
        let set = post(&mut twin, "/_twin/account", "settlement_currency=usd&exchange_rates[eur]=1.0837");
        assert_eq!(set.body["exchange_rates"]["eur"], 1.0837);
        let paid = pay(&mut twin, 10_000, "pm_card_visa", "eur");
        post(&mut twin, "/v1/refunds", &format!("payment_intent={paid}&amount=5000"));
        let list = read(&mut twin, "/v1/balance_transactions", "", NOW);
        let row = |at: usize| {
            let row = &list["data"][at];
            (row["currency"].clone(), row["amount"].clone(), row["fee"].clone(), row["exchange_rate"].clone())
        };
        assert_eq!(row(1), (json!("usd"), json!(10_837), json!(344), json!(1.0837)));
        assert_eq!(row(0), (json!("usd"), json!(-5_419), json!(0), json!(1.0837)), "rounded half away from zero");
        let refused = post(&mut twin, "/_twin/account", "exchange_rates[eur]=x");
        assert_eq!((refused.status, &refused.body["error"]["param"]), (400, &json!("exchange_rates[eur]")));
    }

    #[test]
    fn countering_a_dispute_has_a_fee_that_is_refunded_when_it_is_won() {
        let mut twin = Twin::default();
        pay(&mut twin, 2_000, "pm_card_createDispute", "usd");
        let path = format!("/v1/disputes/{}", twin.disputes.iter().next().unwrap().id);
        post(&mut twin, &path, "evidence[service_date]=today");
        post(&mut twin, &path, "evidence[uncategorized_text]=winning_evidence");
        let fees = read(&mut twin, "/v1/balance_transactions", "type=stripe_fee", NOW);
        let shown: Vec<_> = fees["data"].as_array().unwrap().iter().map(|it| it["amount"].clone()).collect();
        assert_eq!(shown, [1_500, -1_500]);
        assert_eq!((&fees["data"][1]["reporting_category"], &fees["data"][1]["source"]), (&json!("fee"), &json!(null)));
    }

    #[test]
    fn a_movement_is_added_falsified_and_deleted() {
        let mut twin = Twin::default();
        let form = "amount=-700&currency=usd&reporting_category=climate_order_purchase&type=climate_order_purchase";
        let row = post(&mut twin, "/_twin/balance_transactions", form).body;
        assert_eq!((&row["net"], &row["reporting_category"]), (&json!(-700), &json!("climate_order_purchase")));
        pay(&mut twin, 12_450, "pm_card_visa", "usd");
        let charge = read(&mut twin, "/v1/balance_transactions", "type=charge", NOW)["data"][0].clone();
        let path = format!("/_twin/balance_transactions/{}", charge["id"].as_str().unwrap());
        let wrong = post(&mut twin, &path, "fee=392").body;
        assert_eq!(
            (&wrong["fee"], &wrong["net"], &wrong["fee_details"][0]["amount"]),
            (&json!(392), &json!(12_058), &json!(391))
        );
        assert_eq!(post(&mut twin, &path, "deleted=true").body["deleted"], true);
        assert_eq!(post(&mut twin, &path, "fee=392").status, 404);
        let balance = read(&mut twin, "/v1/balance", "", NOW);
        assert_eq!((&balance["available"][0]["amount"], &balance["pending"][0]["amount"]), (&json!(-700), &json!(0)));
    }

    #[test]
    fn movements_that_are_removed_for_their_number_stay_on_the_balance() {
        let mut twin = Twin::default();
        let mut expected = 0;
        for amount in 500..600 {
            pay(&mut twin, amount, "pm_card_visa", "usd");
            expected += amount - (amount * 29 / 1000 + 30);
            twin.keep_newest(3);
        }
        let balance = read(&mut twin, "/v1/balance", "", NOW + 3 * DAY);
        assert_eq!(balance["available"][0]["amount"], expected);
        assert!(twin.balance_transactions.len() <= 30);
    }
}
