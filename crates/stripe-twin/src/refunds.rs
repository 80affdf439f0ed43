//! Refunds: creation, update, cancellation, listing and their later outcome at the bank.

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::cards::{self, Aftermath};
use crate::error::Refusal;
use crate::intents::written;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::{BalanceTransaction, Charge, Refund, Snapshot};
use crate::params::Params;
use crate::state::Twin;

const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];
/// Most refunds that a charge shows when its refunds are expanded.
const SHOWN_MAX: usize = 10;

pub(crate) const CREATION: &[Spec] = &[
    param("payment_intent", Kind::Id),
    param("charge", Kind::Id),
    param("amount", Kind::Int),
    param("reason", Kind::Word(REASONS)),
    param("instructions_email", Kind::Text(5000)),
];

impl Twin {
    pub(crate) fn create_refund(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (params, now) = (sent.params, sent.now);
        let charge_id = self.charge_to_refund(params)?;
        let amount = self.amount_to_refund(&charge_id, params)?;
        let (id, transaction_id) = (self.draw("re_"), self.draw("txn_"));
        let charge = self.charges.get_mut(&charge_id).ok_or_else(|| Refusal::no_such("charge", &charge_id))?;
        let card = cards::by_token(&charge.token);
        let aftermath = card.map_or(Aftermath::None, |it| it.aftermath);
        let before = charge.clone();
        charge.amount_refunded += amount;
        let charge = charge.clone();
        let refund = Refund {
            id: id.clone(),
            charge: charge_id,
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status: if aftermath == Aftermath::RefundPending { "pending" } else { "succeeded" }.into(),
            reason: params.owned("reason"),
            failure_reason: None,
            failure_balance_transaction: None,
            instructions_email: params.owned("instructions_email"),
            balance_transaction: Some(transaction_id.clone()),
            is_to_card: card.is_none_or(|it| it.kind() == "card"),
            metadata: params.metadata(),
            created: now,
        };
        self.add_transaction(&refund, transaction_id, "refund", now);
        let answer = Snapshot::from(&refund);
        self.emit("refund.created", &refund, now);
        self.emit_updated("charge.refunded", before, charge, now);
        self.refunds.insert(refund);
        if aftermath == Aftermath::RefundFails {
            // The customer's bank rejects the refund after Stripe has answered `succeeded`.
            self.fail_refund(&id, now);
        }
        Ok(answer)
    }

    fn add_transaction(&mut self, refund: &Refund, id: String, kind: &str, now: i64) {
        let amount = if kind == "refund" { -refund.amount } else { refund.amount };
        let movement = self.movement(id, kind, amount, &refund.currency, now);
        self.book(BalanceTransaction { source: Some(refund.id.clone()), intent: refund.intent.clone(), ..movement });
    }

    /// Returns the id of the charge that the request names, by itself or by its PaymentIntent.
    fn charge_to_refund(&self, params: &Params) -> Result<String, Refusal> {
        match (params.text("payment_intent"), params.text("charge")) {
            (Some(intent), None) => {
                let missing = || Refusal::no_such("payment_intent", intent).of_param("payment_intent");
                let found = self.intents.get(intent).ok_or_else(missing)?;
                let charge = found.latest_charge.clone().filter(|_| found.amount_received > 0);
                charge.ok_or_else(|| {
                    let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
                    Refusal::state("payment_intent_unexpected_state", message)
                })
            }
            (None, Some(charge)) => {
                let missing = || Refusal::no_such("charge", charge).of_param("charge");
                self.charges.get(charge).map(|it| it.id.clone()).ok_or_else(missing)
            }
            (None, None) => {
                let message =
                    "One of the following params should be provided for this request: payment_intent or charge.";
                Err(Refusal::parameter_less("parameter_missing", message.to_owned()))
            }
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: payment_intent, charge.";
                Err(Refusal::parameter("parameters_exclusive", "charge", message))
            }
        }
    }

    /// Amount that a request refunds of a charge: all that is left by default.
    fn amount_to_refund(&self, charge_id: &str, params: &Params) -> Result<i64, Refusal> {
        let charge = self.charges.get(charge_id).ok_or_else(|| Refusal::no_such("charge", charge_id))?;
        let Some(lost) = self.lost_by_disputes(charge_id) else {
            let message = format!("Charge {charge_id} has been charged back; cannot issue a refund.");
            return Err(Refusal::state("charge_disputed", message));
        };
        if charge.amount_captured == 0 {
            let message = format!("Charge {charge_id} has no captured amount that could be refunded.");
            return Err(Refusal::state("charge_not_refundable", message));
        }
        let rest = (charge.unrefunded() - lost).max(0);
        if rest == 0 {
            let message = format!("Charge {charge_id} has already been refunded.");
            return Err(Refusal::state("charge_already_refunded", message));
        }
        let amount = params.int("amount").unwrap_or(rest);
        if amount < 1 {
            return Err(Refusal::not_positive("amount"));
        }
        if amount > rest {
            let of = |amount| written(amount, &charge.currency);
            let whole = charge.amount_refunded == 0 && lost == 0;
            let what = if whole { "charge amount" } else { "unrefunded amount on charge" };
            let message = format!("Refund amount ({}) is greater than {what} ({})", of(amount), of(rest));
            return Err(Refusal::invalid("amount", &message));
        }
        Ok(amount)
    }

    /// Fails a refund: the customer's bank has rejected it, and the money is on the balance again.
    fn fail_refund(&mut self, id: &str, now: i64) {
        let transaction_id = self.draw("txn_");
        let Some(refund) = self.refunds.get_mut(id) else { return };
        refund.status = "failed".into();
        refund.failure_reason = Some("expired_or_canceled_card".into());
        refund.failure_balance_transaction = Some(transaction_id.clone());
        let refund = refund.clone();
        if let Some(charge) = self.charges.get_mut(&refund.charge) {
            charge.amount_refunded -= refund.amount;
        }
        self.add_transaction(&refund, transaction_id, "refund_failure", now);
        self.emit("refund.failed", refund, now);
    }

    /// Finishes a refund as the customer's bank decides, possibly much later. Stripe has no such call. A refund that
    /// has succeeded may still fail.
    pub(crate) fn finish_refund(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let before = self.refund(sent.id)?.clone();
        match (before.status.as_str(), sent.params.text("outcome")) {
            ("pending" | "succeeded", Some("failed")) => self.fail_refund(sent.id, sent.now),
            ("pending", _) => {
                let refund = Refund { status: "succeeded".into(), ..before.clone() };
                self.emit_updated("refund.updated", &before, &refund, sent.now);
                self.refunds.insert(refund);
            }
            (_, _) => {}
        }
        self.refund(sent.id).map(Refund::to_json)
    }

    fn refund(&self, id: &str) -> Result<&Refund, Refusal> {
        self.refunds.get(id).ok_or_else(|| Refusal::no_such("refund", id))
    }

    pub(crate) fn retrieve_refund(&self, id: &str) -> Result<Snapshot, Refusal> {
        self.refund(id).map(Snapshot::from)
    }

    pub(crate) fn update_refund(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let before = self.refund(sent.id)?.clone();
        let mut refund = before.clone();
        sent.params.merge_metadata(&mut refund.metadata);
        self.emit_updated("refund.updated", &before, &refund, sent.now);
        let json = refund.to_json();
        self.refunds.insert(refund);
        Ok(json)
    }

    /// Only a refund that waits for the customer can be canceled; those to cards and bank accounts never do.
    pub(crate) fn cancel_refund(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let refund = self.refund(sent.id)?;
        let message = format!(
            "You cannot cancel this refund because it has a status of {}. Only a refund with the status requires_action \
             may be canceled.",
            refund.status
        );
        Err(Refusal { code: None, ..Refusal::state("", message) })
    }

    pub(crate) fn list_refunds(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Refund| {
            is(sent.params, "payment_intent", &it.intent)
                && is(sent.params, "charge", &it.charge)
                && is_created(it.created, sent.params)
        };
        page("/v1/refunds", "refund", &self.refunds, sent.params, wanted, Refund::to_json)
    }

    /// Refunds of the charge that the path names.
    pub(crate) fn list_refunds_of_charge(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let missing = || Refusal { param: Some("charge".to_owned()), ..Refusal::no_such("charge", sent.id) };
        let charge = self.charges.get(sent.id).map(|it: &Charge| &it.id).ok_or_else(missing)?;
        page(&sent.request.path, "refund", &self.refunds, sent.params, |it| it.charge == *charge, Refund::to_json)
    }

    pub(crate) fn retrieve_refund_of_charge(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let id = sent.request.path.rsplit('/').next().unwrap_or_default();
        self.refund(id)
            .ok()
            .filter(|it| it.charge == sent.id)
            .map(Refund::to_json)
            .ok_or_else(|| Refusal::no_such("refund", id))
    }

    /// `refunds` of a charge, as it shows them if they are expanded.
    pub(crate) fn refunds_of(&self, charge: &str) -> Value {
        let mut of_it = self.refunds.iter().rev().filter(|it| it.charge == charge);
        let data: Vec<Value> = of_it.by_ref().take(SHOWN_MAX).map(Refund::to_json).collect();
        let has_more = of_it.next().is_some();
        json!({ "object": "list", "data": data, "has_more": has_more, "url": format!("/v1/charges/{charge}/refunds") })
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

    #[test]
    fn a_refund_is_updated_and_found_at_its_charge() {
        let mut twin = Twin::default();
        let id = paid(&mut twin, "pm_card_visa");
        let refund = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}&amount=300")).body;
        let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
        let updated = post(&mut twin, &path, "metadata[a]=1").body;
        assert_eq!((&updated["metadata"], &updated["amount"]), (&json!({ "a": "1" }), &json!(300)));
        let event = twin.events().last().unwrap().to_json();
        assert_eq!(event["type"], "refund.updated");
        assert_eq!(event["data"]["previous_attributes"], json!({ "metadata": { "a": null } }));
        let refused = post(&mut twin, &format!("{path}/cancel"), "");
        assert_eq!((refused.status, &refused.body["error"]["type"]), (400, &json!("invalid_request_error")));
        let of_charge = format!("/v1/charges/{}/refunds", refund["charge"].as_str().unwrap());
        let list = twin.handle(&request(Method::Get, &of_charge, ""), NOW).0.body;
        assert_eq!(list["data"][0]["id"], refund["id"]);
        let one =
            twin.handle(&request(Method::Get, &format!("{of_charge}/{}", refund["id"].as_str().unwrap()), ""), NOW).0;
        assert_eq!(one.body["id"], refund["id"]);
    }
}
