//! Payouts: made once a day from what is available, or by a request; paid a day later, and possibly failed after that.

use serde_json::Value;

use crate::account::{DAY, next_day};
use crate::calls::Sent;
use crate::error::Refusal;
use crate::intents::written;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::{BalanceTransaction, Payout};
use crate::state::Twin;

pub(crate) const FILTERS: &[Spec] =
    &[param("status", Kind::Word(&["canceled", "failed", "in_transit", "paid", "pending"]))];
pub(crate) const CREATION: &[Spec] = &[
    param("amount", Kind::Int),
    param("currency", Kind::Text(3)),
    param("description", Kind::Text(5000)),
    param("method", Kind::Word(&["standard"])),
    param("statement_descriptor", Kind::Text(22)),
];
pub(crate) const FAILURE: &[Spec] = &[param("failure_code", Kind::Text(5000))];

/// Time from the creation of an automatic payout until its balance transactions can be listed, in seconds.
const RECONCILED_AFTER: i64 = 3600;

/// Something that happens to payouts by itself.
enum Step {
    /// Automatic payouts are made.
    Make,
    /// The balance transactions of a payout can be listed.
    Reconcile(String),
    /// A payout arrives at the bank.
    Arrive(String),
}

impl Twin {
    /// Performs all steps of payouts until `now`, in their order, and returns the time of the next one.
    pub(crate) fn pass_payouts(&mut self, now: i64) -> Option<i64> {
        loop {
            let (at, step) = self.next_step()?;
            if at > now {
                return Some(at);
            }
            match step {
                Step::Make => self.pay_out(at),
                Step::Reconcile(id) => {
                    self.change_payout(&id, at, "payout.reconciliation_completed", |it| it.is_reconciled = true);
                }
                Step::Arrive(id) => self.change_payout(&id, at, "payout.paid", |it| it.status = "paid".into()),
            }
        }
    }

    fn next_step(&self) -> Option<(i64, Step)> {
        let of_payout = self.payouts.iter().flat_map(|it| {
            let open = it.automatic && !it.is_reconciled;
            let reconcile = open.then(|| (it.created + RECONCILED_AFTER, Step::Reconcile(it.id.clone())));
            let arrive = it.is_under_way().then(|| (it.arrival_date, Step::Arrive(it.id.clone())));
            reconcile.into_iter().chain(arrive)
        });
        let make = self.account.next_payouts.and_then(|next| {
            let unpaid = self.balance_transactions.iter().filter(|it| it.is_unpaid());
            let available = unpaid.map(|it| it.available_on).min()?;
            Some((next.max(next_day(available - 1)), Step::Make))
        });
        of_payout.chain(make).min_by_key(|(at, _)| *at)
    }

    /// Makes a payout in each currency of all that is available at `at` and not paid out yet, if it is more than zero.
    fn pay_out(&mut self, at: i64) {
        self.account.next_payouts = Some(at + DAY);
        let unpaid = |it: &&BalanceTransaction| it.is_unpaid() && it.available_on <= at;
        let mut currencies: Vec<String> =
            self.balance_transactions.iter().filter(unpaid).map(|it| it.currency.clone()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        for currency in currencies {
            let members: Vec<(String, i64)> = self
                .balance_transactions
                .iter()
                .filter(|it| unpaid(it) && it.currency == currency)
                .map(|it| (it.id.clone(), it.net()))
                .collect();
            let amount = members.iter().map(|(_, net)| net).sum();
            if amount <= 0 {
                continue;
            }
            let payout = self.new_payout(amount, &currency, true, at);
            for (id, _) in members {
                if let Some(row) = self.balance_transactions.get_mut(&id) {
                    row.payout = Some(payout.id.clone());
                }
            }
            self.emit("payout.created", &payout, at);
            self.payouts.insert(payout);
        }
    }

    /// Takes the amount of a new payout off the balance.
    fn new_payout(&mut self, amount: i64, currency: &str, automatic: bool, now: i64) -> Payout {
        let (id, row) = (self.draw("po_"), self.draw("txn_"));
        let payout = Payout {
            id: id.clone(),
            amount,
            currency: currency.to_owned(),
            automatic,
            status: if automatic { "in_transit" } else { "pending" }.into(),
            is_reconciled: false,
            balance_transaction: row.clone(),
            failure_balance_transaction: None,
            failure_code: None,
            description: Some("STRIPE PAYOUT".into()),
            statement_descriptor: None,
            metadata: std::collections::BTreeMap::new(),
            created: now,
            arrival_date: next_day(now),
        };
        let row = BalanceTransaction::new(row, "payout", -amount, currency, now);
        let payout_of_row = automatic.then(|| id.clone());
        self.book(BalanceTransaction { source: Some(id), payout: payout_of_row, ..row });
        payout
    }

    fn change_payout(&mut self, id: &str, now: i64, kind: &str, change: impl FnOnce(&mut Payout)) {
        let Some(payout) = self.payouts.get_mut(id) else { return };
        change(payout);
        let payout = payout.clone();
        self.emit(kind, &payout, now);
    }

    /// Puts the amount of a payout on the balance again.
    fn return_payout(&mut self, id: &str, kind: &str, now: i64) {
        let row = self.draw("txn_");
        let Some(payout) = self.payouts.get_mut(id) else { return };
        payout.failure_balance_transaction = Some(row.clone());
        let row = BalanceTransaction::new(row, kind, payout.amount, &payout.currency, now);
        self.book(BalanceTransaction { source: Some(id.to_owned()), ..row });
    }

    fn payout(&self, id: &str) -> Result<&Payout, Refusal> {
        self.payouts.get(id).ok_or_else(|| Refusal::no_such("payout", id))
    }

    pub(crate) fn list_payouts(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Payout| is(sent.params, "status", &it.status) && is_created(it.created, sent.params);
        page("/v1/payouts", "payout", &self.payouts, sent.params, wanted, Payout::to_json)
    }

    pub(crate) fn retrieve_payout(&self, id: &str) -> Result<Value, Refusal> {
        self.payout(id).map(Payout::to_json)
    }

    /// `POST /v1/payouts`: pays out a part of the available balance, for an account whose payouts are manual.
    pub(crate) fn create_payout(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (params, now) = (sent.params, sent.now);
        let currency = params.required("currency")?.to_lowercase();
        params.required("amount")?;
        let amount = params.int("amount").unwrap_or(0);
        if self.account.next_payouts.is_some() {
            let message = "The twin makes payouts every day: set `payouts=manual` at `POST /_twin/account` first.";
            return Err(Refusal::state("payouts_not_allowed", message.to_owned()));
        }
        if amount < 1 {
            let message = "This value must be greater than or equal to 1.";
            return Err(Refusal::parameter("parameter_invalid_integer", "amount", message));
        }
        let available = self.available(&currency, now);
        if amount > available {
            let message = format!(
                "You have insufficient funds in your Stripe account for this transfer: {} available.",
                written(available, &currency)
            );
            return Err(Refusal::state("balance_insufficient", message));
        }
        let mut payout = self.new_payout(amount, &currency, false, now);
        payout.description = params.owned("description");
        payout.statement_descriptor = params.owned("statement_descriptor");
        payout.metadata = params.metadata();
        self.emit("payout.created", &payout, now);
        let json = payout.to_json();
        self.payouts.insert(payout);
        self.check_at(now);
        Ok(json)
    }

    pub(crate) fn update_payout(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let before = self.payout(sent.id)?.clone();
        let mut payout = before.clone();
        sent.params.merge_metadata(&mut payout.metadata);
        if payout != before {
            self.emit_updated("payout.updated", &before, &payout, sent.now);
        }
        let json = payout.to_json();
        self.payouts.insert(payout);
        Ok(json)
    }

    /// Cancels a payout that a request made and that has not arrived.
    pub(crate) fn cancel_payout(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let payout = self.payout(sent.id)?;
        if payout.automatic || payout.status != "pending" {
            let message = format!("Payouts can be canceled only while they are pending; {} is not.", sent.id);
            return Err(Refusal::state("payout_not_cancelable", message));
        }
        self.return_payout(sent.id, "payout_cancel", sent.now);
        self.change_payout(sent.id, sent.now, "payout.canceled", |it| it.status = "canceled".into());
        self.retrieve_payout(sent.id)
    }

    /// Lets a payout fail, as the bank may do even after it was paid. Stripe has no such call.
    pub(crate) fn fail_payout(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let payout = self.payout(sent.id)?;
        if payout.status == "failed" || payout.status == "canceled" {
            let message = format!("{} is {} already.", sent.id, payout.status);
            return Err(Refusal::state("payout_not_failable", message));
        }
        let code = sent.params.text("failure_code").unwrap_or("account_closed").to_owned();
        self.return_payout(sent.id, "payout_failure", sent.now);
        self.change_payout(sent.id, sent.now, "payout.failed", |it| {
            it.status = "failed".into();
            it.failure_code = Some(code);
        });
        self.check_at(sent.now);
        self.retrieve_payout(sent.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn read(twin: &mut Twin, path: &str, query: &str, now: i64) -> Value {
        let answer = twin.handle(&request(Method::Get, path, query), now).0;
        serde_json::from_str(&answer.body.to_string()).unwrap()
    }

    fn pay(twin: &mut Twin, amount: i64) {
        let form = format!("amount={amount}&currency=usd&confirm=true&payment_method=pm_card_visa");
        post(twin, "/v1/payment_intents", &form);
    }

    /// Kinds of the newest events, the oldest first.
    fn newest(twin: &Twin, count: usize) -> Vec<String> {
        let mut kinds: Vec<_> = twin.events().rev().take(count).map(|it| it.kind.clone()).collect();
        kinds.reverse();
        kinds
    }

    fn sum_of(twin: &mut Twin, payout: &str, now: i64) -> (usize, i64) {
        let rows = read(twin, "/v1/balance_transactions", &format!("payout={payout}"), now);
        let rows = rows["data"].as_array().unwrap();
        (rows.len(), rows.iter().map(|it| it["net"].as_i64().unwrap()).sum())
    }

    #[test]
    fn what_is_available_is_paid_out_at_the_next_midnight() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        pay(&mut twin, 1_000);
        pay(&mut twin, 2_000);
        let at = next_day(NOW + 2 * DAY);
        assert_eq!(read(&mut twin, "/v1/payouts", "", at - 1)["data"], json!([]));
        let payouts = read(&mut twin, "/v1/payouts", "", at);
        let payout = &payouts["data"][0];
        let id = payout["id"].as_str().unwrap().to_owned();
        assert_eq!(
            (&payout["amount"], &payout["status"], &payout["reconciliation_status"]),
            (&json!(941 + 1_912), &json!("in_transit"), &json!("in_progress"))
        );
        assert_eq!(sum_of(&mut twin, &id, at), (0, 0), "its members are not known yet");
        let path = format!("/v1/payouts/{id}");
        assert_eq!(read(&mut twin, &path, "", at + RECONCILED_AFTER)["reconciliation_status"], "completed");
        assert_eq!(sum_of(&mut twin, &id, at + RECONCILED_AFTER), (3, 0), "with its own row they add up to zero");
        let paid = read(&mut twin, &path, "", at + DAY);
        assert_eq!((&paid["status"], &paid["trace_id"]["status"]), (&json!("paid"), &json!("supported")));
        assert_eq!(newest(&twin, 3), ["payout.created", "payout.reconciliation_completed", "payout.paid"]);
        assert_eq!(read(&mut twin, "/v1/payouts", "", at + 30 * DAY)["data"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn a_payout_that_failed_after_it_was_paid_is_paid_out_again() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        pay(&mut twin, 1_000);
        let advanced = post(&mut twin, "/_twin/clock", &format!("advance={}", 5 * DAY)).body;
        assert_eq!((&advanced["now"], twin.time_at(NOW)), (&json!(NOW + 5 * DAY), NOW + 5 * DAY));
        let payout = twin.payouts.iter().next().unwrap().clone();
        assert_eq!(payout.status, "paid");
        let now = twin.time_at(NOW);
        let fail = request(Method::Post, &format!("/_twin/payouts/{}/fail", payout.id), "");
        let failed = twin.handle(&fail, now).0.body;
        assert_eq!((&failed["status"], &failed["failure_code"]), (&json!("failed"), &json!("account_closed")));
        assert!(failed["failure_balance_transaction"].as_str().is_some_and(|it| it.starts_with("txn_")));
        assert_eq!(newest(&twin, 1), ["payout.failed"]);
        assert_eq!(twin.available("usd", now), 941);
        assert_eq!(twin.handle(&fail, now).0.status, 400, "it has failed already");
        let payouts = read(&mut twin, "/v1/payouts", "", next_day(now) + RECONCILED_AFTER);
        let again = payouts["data"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!((&payouts["data"][0]["amount"], again == payout.id), (&json!(941), false));
        assert_eq!(sum_of(&mut twin, &again, next_day(now) + RECONCILED_AFTER), (2, 0));
    }

    #[test]
    fn a_payout_by_a_request_is_limited_to_what_is_available() {
        let mut twin = Twin::default();
        pay(&mut twin, 1_000);
        let create = |twin: &mut Twin, amount: i64, now: i64| {
            let form = format!("amount={amount}&currency=usd&metadata[a]=1");
            twin.handle(&request(Method::Post, "/v1/payouts", &form), now).0
        };
        assert_eq!(create(&mut twin, 941, NOW).body["error"]["code"], "balance_insufficient", "it is pending");
        let later = NOW + 2 * DAY;
        assert_eq!(create(&mut twin, 942, later).body["error"]["code"], "balance_insufficient");
        let payout = create(&mut twin, 900, later).body;
        assert_eq!(
            (&payout["automatic"], &payout["reconciliation_status"], &payout["status"]),
            (&json!(false), &json!("not_applicable"), &json!("pending"))
        );
        let path = format!("/v1/payouts/{}", payout["id"].as_str().unwrap());
        let members = format!("payout={}", payout["id"].as_str().unwrap());
        let refused = read(&mut twin, "/v1/balance_transactions", &members, later);
        assert_eq!(refused["error"]["param"], "payout", "Stripe does not know what it consists of");
        let canceled = twin.handle(&request(Method::Post, &format!("{path}/cancel"), ""), later).0;
        assert_eq!(canceled.body["status"], "canceled");
        assert_eq!(twin.available("usd", later), 941);
        assert_eq!(twin.handle(&request(Method::Post, &format!("{path}/cancel"), ""), later).0.status, 400);
        post(&mut twin, "/_twin/account", "payouts=daily");
        assert_eq!(create(&mut twin, 1, later).body["error"]["code"], "payouts_not_allowed");
    }

    #[test]
    fn the_clock_only_moves_ahead() {
        let mut twin = Twin::default();
        for bad in ["advance=-1", "", "advance=1&to=2", &format!("to={}", NOW - 1), "advance=999999999999"] {
            assert_eq!(post(&mut twin, "/_twin/clock", bad).status, 400, "{bad}");
        }
        assert_eq!(post(&mut twin, "/_twin/clock", &format!("to={}", NOW + 60)).body["now"], NOW + 60);
    }
}
