//! Bank debits, which the customer's bank decides days after the confirmation.

use crate::cards::Decline;
use crate::error::Refusal;
use crate::objects::{BalanceTransaction, Charge};
use crate::state::Twin;

const FAILED: Decline =
    Decline { code: "payment_intent_payment_attempt_failed", decline_code: "", message: "The payment failed." };

impl Twin {
    /// Submits a payment to the customer's bank. Its amount is on the balance from now on, though the bank may decline.
    pub(super) fn submit_to_bank(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let charge_id = self.draw("py_");
        let method = self.method_of(id)?.cloned();
        let intent = self.intent_mut(id)?;
        intent.status = "processing".into();
        intent.latest_charge = Some(charge_id.clone());
        let intent = intent.clone();
        let charge = Charge::of(&intent, method.as_ref(), charge_id.clone(), now);
        self.charges.insert(Charge { status: "pending".into(), ..charge.clone() });
        let transaction = self.add_proceeds(id, &charge_id, (intent.amount, 0), now)?;
        let charge = Charge { status: "pending".into(), balance_transaction: Some(transaction), ..charge };
        self.emit("payment_intent.processing", intent, now);
        self.emit("charge.pending", &charge, now);
        self.charges.insert(charge);
        Ok(())
    }

    /// Charge of a payment that the bank has not decided yet.
    fn pending_charge(&self, id: &str) -> Result<Option<Charge>, Refusal> {
        let charge = self.intent(id)?.latest_charge.as_ref().and_then(|it| self.charges.get(it));
        Ok(charge.filter(|it| it.status == "pending").cloned())
    }

    /// Completes a payment that the bank has approved.
    pub(super) fn approve_by_bank(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        // Intents of older state files have no charge while they are processing.
        let Some(charge) = self.pending_charge(id)? else { return self.approve(id, now) };
        self.save_method_of(id, now)?;
        self.use_up_method_of(id)?;
        let charge = Charge { status: "succeeded".into(), captured: true, amount_captured: charge.amount, ..charge };
        let intent = self.intent_mut(id)?;
        intent.status = "succeeded".into();
        intent.amount_received = charge.amount;
        let intent = intent.clone();
        self.emit("charge.succeeded", &charge, now);
        self.emit("payment_intent.succeeded", intent, now);
        self.charges.insert(charge);
        Ok(())
    }

    /// Fails a payment that the bank has declined, and takes its amount off the balance. The fee is not given back.
    pub(super) fn decline_by_bank(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let Some(charge) = self.pending_charge(id)? else { return self.decline(id, FAILED, now).map(drop) };
        let row_id = self.draw("txn_");
        let charged = charge.balance_transaction.as_ref().and_then(|it| self.balance_transactions.get(it));
        let available_on = charged.map_or(now, |it| it.available_on.max(now));
        let row = self.movement(row_id.clone(), "payment_failure_refund", -charge.amount, &charge.currency, now);
        let (source, intent) = (Some(charge.id.clone()), id.to_owned());
        self.book(BalanceTransaction { source, intent, available_on, ..row });
        let charge = Charge {
            status: "failed".into(),
            failure_code: Some(FAILED.code.to_owned()),
            failure_message: Some(FAILED.message.to_owned()),
            failure_balance_transaction: Some(row_id),
            ..charge
        };
        self.emit("charge.failed", &charge, now);
        self.charges.insert(charge);
        self.fail_declined(id, FAILED, now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::account::DAY;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn read(twin: &mut Twin, path: &str, query: &str) -> Value {
        let answer = twin.handle(&request(Method::Get, path, query), NOW).0;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body.to_string()).unwrap()
    }

    fn submitted(twin: &mut Twin) -> String {
        let form = "amount=10000&currency=usd&confirm=true&payment_method=pm_usBankAccount_success&\
                    payment_method_types[]=us_bank_account";
        let intent = post(twin, "/v1/payment_intents", form).body;
        assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("processing"), &json!(0)));
        intent["id"].as_str().unwrap().to_owned()
    }

    /// Amounts, types and categories of all rows, the newest first.
    fn rows(twin: &mut Twin) -> Vec<(i64, String, String)> {
        let list = read(twin, "/v1/balance_transactions", "");
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        let row = |it: &Value| (it["amount"].as_i64().unwrap(), text(it, "type"), text(it, "reporting_category"));
        list["data"].as_array().unwrap().iter().map(row).collect()
    }

    fn row(amount: i64, kind: &str, category: &str) -> (i64, String, String) {
        (amount, kind.to_owned(), category.to_owned())
    }

    #[test]
    fn a_bank_debit_is_on_the_balance_while_the_bank_decides() {
        let mut twin = Twin::default();
        let id = submitted(&mut twin);
        assert_eq!(rows(&mut twin), [row(10_000, "payment", "charge")]);
        let charge = read(&mut twin, "/v1/charges", "")["data"][0].clone();
        assert_eq!(
            (&charge["status"], &charge["paid"], &charge["captured"]),
            (&json!("pending"), &json!(false), &json!(false))
        );
        let refund = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}"));
        assert_eq!(refund.status, 400, "nothing is received yet");
        let paid = post(&mut twin, &format!("/_twin/payment_intents/{id}/finish"), "outcome=succeeded").body;
        assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(10_000)));
        assert_eq!(paid["latest_charge"], charge["id"]);
        assert_eq!(rows(&mut twin).len(), 1, "the bank's answer moves nothing");
        let charge = read(&mut twin, &format!("/v1/charges/{}", charge["id"].as_str().unwrap()), "");
        assert_eq!((&charge["status"], &charge["amount_captured"]), (&json!("succeeded"), &json!(10_000)));
        let kinds: Vec<_> = twin.events().map(|it| it.kind.as_str()).collect();
        let expected = ["created", "processing"].map(|it| format!("payment_intent.{it}"));
        assert_eq!(kinds[..2], expected);
        assert_eq!(kinds[2..], ["charge.pending", "charge.succeeded", "payment_intent.succeeded"]);
    }

    #[test]
    fn a_bank_debit_that_fails_is_taken_off_the_balance() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        let id = submitted(&mut twin);
        let failed = post(&mut twin, &format!("/_twin/payment_intents/{id}/finish"), "outcome=failed").body;
        assert_eq!(failed["status"], "requires_payment_method");
        assert_eq!(failed["last_payment_error"]["code"], "payment_intent_payment_attempt_failed");
        let path = format!("/v1/charges/{}", failed["latest_charge"].as_str().unwrap());
        let charge = read(&mut twin, &path, "expand[]=failure_balance_transaction");
        let back = &charge["failure_balance_transaction"];
        assert_eq!((&charge["status"], &charge["amount_captured"]), (&json!("failed"), &json!(0)));
        assert_eq!(
            (&back["amount"], &back["source"], &back["status"]),
            (&json!(-10_000), &charge["id"], &json!("pending"))
        );
        let expected = [row(-10_000, "payment_failure_refund", "charge_failure"), row(10_000, "payment", "charge")];
        assert_eq!(rows(&mut twin), expected);
        let later = twin.handle(&request(Method::Get, "/v1/payouts", ""), NOW + 4 * DAY).0.body;
        assert_eq!(later["data"], json!([]), "only its fee is left");
        assert_eq!(twin.available("usd", NOW + 4 * DAY), -320);
    }
}
