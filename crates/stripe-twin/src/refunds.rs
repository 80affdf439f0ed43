//! Refunds: creation, listing and their later outcome at the bank.

use serde_json::Value;

use crate::cards::{self, Aftermath};
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is_created, page};
use crate::objects::{BalanceTransaction, Refund};
use crate::params::Params;
use crate::state::Twin;

const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];

pub(crate) const CREATION: &[Spec] = &[
    param("payment_intent", Kind::Id),
    param("charge", Kind::Id),
    param("amount", Kind::Int),
    param("reason", Kind::Word(REASONS)),
    param("instructions_email", Kind::Text(512)),
];

pub(crate) const FINISH: &[Spec] = &[param("outcome", Kind::Word(&["succeeded", "failed"]))];

impl Twin {
    pub(crate) fn create_refund(&mut self, params: &Params, now: i64) -> Result<Value, Refusal> {
        let charge_id = self.charge_to_refund(params)?;
        let (id, transaction_id) = (self.draw("re_"), self.draw("txn_"));
        let lost = self.lost_by_disputes(&charge_id);
        let charge = self.charges.get_mut(&charge_id).ok_or_else(|| Refusal::missing("charge", &charge_id))?;
        let lost = lost
            .ok_or_else(|| Refusal::state("charge_disputed", "The charge is disputed and cannot be refunded".into()))?;
        let rest = (charge.amount_captured - charge.amount_refunded - lost).max(0);
        if rest == 0 {
            return Err(Refusal::state(
                "charge_already_refunded",
                format!("Charge {charge_id} has already been refunded."),
            ));
        }
        let amount = params.int("amount").unwrap_or(rest);
        if amount < 1 || amount > rest {
            let message = format!("Refund amount ({amount}) must be between 1 and the unrefunded amount ({rest})");
            return Err(Refusal::invalid("amount", &message));
        }
        let token = self.payment_methods.get(&charge.payment_method).map(|it| it.token.as_str()).unwrap_or_default();
        let aftermath = cards::by_token(token).map_or(Aftermath::None, |it| it.aftermath);
        let status = if aftermath == Aftermath::RefundPending { "pending" } else { "succeeded" };
        charge.amount_refunded += amount;
        let mut refund = Refund {
            id: id.clone(),
            charge: charge_id,
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status: status.into(),
            reason: params.owned("reason"),
            failure_reason: None,
            balance_transaction: Some(transaction_id.clone()),
            metadata: params.metadata(),
            created: now,
        };
        let transaction = BalanceTransaction {
            id: transaction_id.clone(),
            source: id.clone(),
            kind: "refund".into(),
            amount: -amount,
            fee: 0,
            currency: refund.currency.clone(),
            created: now,
        };
        let charge_json = charge.to_json();
        let answer = refund.to_json();
        self.balance_transactions.insert(transaction_id, transaction);
        self.emit("refund.created", answer.clone(), now);
        self.emit("charge.refunded", charge_json, now);
        if aftermath == Aftermath::RefundFails {
            // The customer's bank rejects the refund after Stripe has answered `succeeded`.
            self.fail_refund(&mut refund, now);
        }
        self.refunds.insert(id, refund);
        Ok(answer)
    }

    /// Returns the id of the charge that the request names, by itself or by its PaymentIntent.
    fn charge_to_refund(&self, params: &Params) -> Result<String, Refusal> {
        match (params.text("payment_intent"), params.text("charge")) {
            (Some(intent), None) => {
                let found = self.intents.get(intent).ok_or_else(|| Refusal::missing("payment_intent", intent))?;
                let charge = found.latest_charge.clone().filter(|_| found.status == "succeeded");
                charge.ok_or_else(|| {
                    let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
                    Refusal::state("payment_intent_unexpected_state", message)
                })
            }
            (None, Some(charge)) => Ok(charge.to_owned()),
            (_, _) => {
                let message = "Exactly one of payment_intent and charge must be given";
                Err(Refusal::invalid("payment_intent", message))
            }
        }
    }

    /// Fails a refund: the customer's bank has rejected it, and the money is on the balance again.
    fn fail_refund(&mut self, refund: &mut Refund, now: i64) {
        refund.status = "failed".into();
        refund.failure_reason = Some("expired_or_canceled_card".into());
        if let Some(charge) = self.charges.get_mut(&refund.charge) {
            charge.amount_refunded -= refund.amount;
        }
        self.emit("refund.failed", refund.to_json(), now);
    }

    /// Finishes a refund as the customer's bank decides, possibly much later. Stripe has no such call. A refund that
    /// has succeeded may still fail.
    pub(crate) fn finish_refund(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let mut refund = self.refunds.remove(id).ok_or_else(|| Refusal::missing("refund", id))?;
        match (refund.status.as_str(), params.text("outcome")) {
            ("pending" | "succeeded", Some("failed")) => self.fail_refund(&mut refund, now),
            ("pending", _) => {
                refund.status = "succeeded".into();
                self.emit("refund.updated", refund.to_json(), now);
            }
            (_, _) => {}
        }
        let json = refund.to_json();
        self.refunds.insert(id.to_owned(), refund);
        Ok(json)
    }

    pub(crate) fn retrieve_refund(&self, id: &str) -> Result<Value, Refusal> {
        self.refunds.get(id).map(Refund::to_json).ok_or_else(|| Refusal::missing("refund", id))
    }

    pub(crate) fn list_refunds(&self, params: &Params) -> Result<Value, Refusal> {
        let wanted = |it: &&Refund| {
            params.text("payment_intent").is_none_or(|id| it.intent == id)
                && params.text("charge").is_none_or(|id| it.charge == id)
                && is_created(it.created, params)
        };
        let mut found: Vec<&Refund> = self.refunds.values().filter(wanted).collect();
        found.sort_by(|a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)));
        page("/v1/refunds", found.into_iter(), params, |it| &it.id, Refund::to_json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn paid(twin: &mut Twin, card: &str) -> String {
        let form = format!("amount=1000&currency=usd&confirm=true&payment_method={card}");
        post(twin, "/v1/payment_intents", &form).body["id"].as_str().unwrap().to_owned()
    }

    #[test]
    fn refunds_add_up_to_the_captured_amount_and_no_more() {
        let mut twin = Twin::default();
        let id = paid(&mut twin, "pm_card_visa");
        let refund = |twin: &mut Twin, more: &str| post(twin, "/v1/refunds", &format!("payment_intent={id}{more}"));
        assert_eq!(refund(&mut twin, "&amount=600&reason=duplicate&metadata[refund_id]=7").body["amount"], 600);
        assert_eq!(refund(&mut twin, "&amount=401").body["error"]["param"], "amount");
        assert_eq!(refund(&mut twin, "").body["amount"], 400, "the rest by default");
        assert_eq!(refund(&mut twin, "").body["error"]["code"], "charge_already_refunded");
        let list = twin.handle(&request(Method::Get, "/v1/refunds", &format!("payment_intent={id}")), NOW).0.body;
        assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
        let intent = twin.handle(&request(Method::Get, &format!("/v1/payment_intents/{id}"), ""), NOW).0.body;
        assert_eq!(intent["status"], "succeeded", "a refunded payment stays succeeded");
    }

    #[test]
    fn a_refund_may_stay_pending_or_fail_later() {
        let mut twin = Twin::default();
        let id = paid(&mut twin, "pm_card_pendingRefund");
        assert_eq!(post(&mut twin, "/v1/refunds", &format!("payment_intent={id}")).body["status"], "pending");
        let id = paid(&mut twin, "pm_card_refundFail");
        let sent = request(Method::Post, "/v1/refunds", &format!("payment_intent={id}"));
        let (answer, events) = twin.handle(&sent, NOW);
        assert_eq!(answer.body["status"], "succeeded");
        assert_eq!(events.last().map(|it| it.kind.as_str()), Some("refund.failed"));
        let refund = answer.body["id"].as_str().unwrap();
        let shown = twin.handle(&request(Method::Get, &format!("/v1/refunds/{refund}"), ""), NOW).0.body;
        assert_eq!(
            (&shown["status"], &shown["failure_reason"]),
            (&json!("failed"), &json!("expired_or_canceled_card"))
        );
    }

    #[test]
    fn a_pending_refund_is_finished_by_the_bank_later() {
        let mut twin = Twin::default();
        let id = paid(&mut twin, "pm_card_pendingRefund");
        let refund = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}")).body;
        let path = format!("/_twin/refunds/{}/finish", refund["id"].as_str().unwrap());
        for (outcome, status) in [("succeeded", "succeeded"), ("failed", "failed"), ("succeeded", "failed")] {
            assert_eq!(post(&mut twin, &path, &format!("outcome={outcome}")).body["status"], status);
        }
        let again = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}"));
        assert_eq!(again.status, 200, "the failed refund's money can be refunded again");
    }

    #[test]
    fn an_unpaid_or_disputed_charge_is_not_refunded() {
        let mut twin = Twin::default();
        let open = post(&mut twin, "/v1/payment_intents", "amount=1000&currency=usd").body;
        let open = open["id"].as_str().unwrap();
        assert_eq!(post(&mut twin, "/v1/refunds", &format!("payment_intent={open}")).status, 400);
        let disputed = paid(&mut twin, "pm_card_createDispute");
        let refused = post(&mut twin, "/v1/refunds", &format!("payment_intent={disputed}"));
        assert_eq!(refused.body["error"]["code"], "charge_disputed");
        assert_eq!(post(&mut twin, "/v1/refunds", "").status, 400);
    }
}
