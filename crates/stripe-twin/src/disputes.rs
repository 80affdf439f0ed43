//! Disputes: opened by the bank, answered with evidence, and decided by the bank.

use serde_json::Value;

use crate::calls::Sent;
use crate::cards;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::{BalanceTransaction, Dispute, Fields, Metadata};
use crate::state::Twin;

pub(crate) const DISPUTING: &[Spec] = &[param("amount", Kind::Int)];
pub(crate) const CLOSING: &[Spec] = &[param("outcome", Kind::Word(&["won", "lost"]))];
pub(crate) const UPDATE: &[Spec] = &[
    param("evidence.access_activity_log", Kind::Text(20_000)),
    param("evidence.billing_address", Kind::Text(5000)),
    param("evidence.cancellation_policy_disclosure", Kind::Text(20_000)),
    param("evidence.cancellation_rebuttal", Kind::Text(20_000)),
    param("evidence.customer_email_address", Kind::Text(5000)),
    param("evidence.customer_name", Kind::Text(5000)),
    param("evidence.customer_purchase_ip", Kind::Text(5000)),
    param("evidence.duplicate_charge_explanation", Kind::Text(20_000)),
    param("evidence.duplicate_charge_id", Kind::Text(5000)),
    param("evidence.product_description", Kind::Text(20_000)),
    param("evidence.refund_policy_disclosure", Kind::Text(20_000)),
    param("evidence.refund_refusal_explanation", Kind::Text(20_000)),
    param("evidence.service_date", Kind::Text(5000)),
    param("evidence.shipping_address", Kind::Text(5000)),
    param("evidence.shipping_carrier", Kind::Text(5000)),
    param("evidence.shipping_date", Kind::Text(5000)),
    param("evidence.shipping_tracking_number", Kind::Text(5000)),
    param("evidence.uncategorized_text", Kind::Text(20_000)),
    param("submit", Kind::Bool),
];

/// Fee of a dispute, in minor units of its currency: $15.00 ("Pricing", United States).
const DISPUTE_FEE: i64 = 1500;

impl Twin {
    /// Disputes a charge, in full or in part. An inquiry withdraws no money.
    pub(crate) fn dispute(&mut self, charge_id: &str, amount: i64, reason: &str, is_inquiry: bool, now: i64) {
        let id = self.draw("du_");
        let Some(charge) = self.charges.get_mut(charge_id) else { return };
        charge.disputed = true;
        let dispute = Dispute {
            id: id.clone(),
            charge: charge_id.to_owned(),
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status: if is_inquiry { "warning_needs_response" } else { "needs_response" }.into(),
            reason: reason.to_owned(),
            brand: cards::by_token(&charge.token).map_or("visa", |it| it.brand).to_owned(),
            movements: Vec::new(),
            evidence: Fields::default(),
            submissions: 0,
            metadata: Metadata::new(),
            created: now,
        };
        self.emit("charge.dispute.created", &dispute, now);
        self.disputes.insert(dispute);
        if !is_inquiry {
            self.move_disputed(&id, -amount, "charge.dispute.funds_withdrawn", now);
        }
    }

    /// Withdraws or reinstates the money of a dispute, and emits an event of `kind`.
    fn move_disputed(&mut self, id: &str, amount: i64, kind: &str, now: i64) {
        let transaction = self.draw("txn_");
        let Some(dispute) = self.disputes.get(id) else { return };
        let movement = self.movement(transaction, "adjustment", amount, &dispute.currency, now);
        let movement = BalanceTransaction {
            source: Some(id.to_owned()),
            intent: dispute.intent.clone(),
            // The dispute fee stays withdrawn when the money is reinstated.
            fee: if amount < 0 { DISPUTE_FEE } else { 0 },
            ..movement
        };
        let Some(dispute) = self.disputes.get_mut(id) else { return };
        dispute.movements.push(movement.clone());
        let dispute = dispute.clone();
        self.book(movement);
        self.emit(kind, &dispute, now);
    }

    pub(crate) fn list_disputes(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Dispute| {
            is(sent.params, "payment_intent", &it.intent)
                && is(sent.params, "charge", &it.charge)
                && is_created(it.created, sent.params)
        };
        page("/v1/disputes", "dispute", &self.disputes, sent.params, wanted, Dispute::to_json)
    }

    pub(crate) fn retrieve_dispute(&self, id: &str) -> Result<Value, Refusal> {
        self.disputes.get(id).map(Dispute::to_json).ok_or_else(|| Refusal::no_such("dispute", id))
    }

    /// Opens a dispute of a payment, of all of it or a part, as the cardholder's bank does. Stripe has no such call.
    pub(crate) fn dispute_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let intent = self.intent(sent.id)?;
        let charge = intent.latest_charge.as_ref().filter(|_| intent.status == "succeeded");
        let charge = charge.and_then(|it| self.charges.get(it)).filter(|it| !it.disputed);
        let charge = charge.ok_or_else(|| {
            let message = format!("{} has no payment that can be disputed", sent.id);
            Refusal::state("charge_not_disputable", message)
        })?;
        let (charge_id, amount) = (charge.id.clone(), sent.params.int("amount").unwrap_or(charge.amount_captured));
        if amount < 1 || amount > charge.amount_captured {
            let message = format!("The amount must be between 1 and {}", charge.amount_captured);
            return Err(Refusal::invalid("amount", &message));
        }
        self.dispute(&charge_id, amount, "fraudulent", false, sent.now);
        let opened = self.disputes.iter().rev().find(|it| it.charge == charge_id && it.is_open());
        Ok(opened.map(Dispute::to_json).unwrap_or_default())
    }

    /// `POST /v1/disputes/{id}`: submits evidence to the bank immediately, unless `submit=false` ("Update a dispute").
    /// `winning_evidence` or `losing_evidence` as `evidence[uncategorized_text]` decides the dispute, and
    /// `escalate_inquiry_evidence` makes an inquiry a dispute ("Testing").
    pub(crate) fn update_dispute(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (params, now) = (sent.params, sent.now);
        let dispute = self.disputes.get_mut(sent.id).ok_or_else(|| Refusal::no_such("dispute", sent.id))?;
        let before = dispute.clone();
        params.merge_metadata(&mut dispute.metadata);
        if params.has("evidence") || params.has("submit") {
            if !dispute.is_open() {
                return Err(Refusal::invalid("evidence", "This dispute is already closed"));
            }
            dispute.evidence.merge(params, "evidence");
            if !dispute.evidence.is_empty() && params.bool("submit") != Some(false) {
                dispute.submissions += 1;
                dispute.status = if before.is_inquiry() { "warning_under_review" } else { "under_review" }.into();
            }
        }
        let dispute = dispute.clone();
        if before.status == "needs_response" && dispute.status == "under_review" {
            self.charge_countering(&dispute, -DISPUTE_FEE, "Dispute countered fee", now);
        }
        self.emit_updated("charge.dispute.updated", &before, &dispute, now);
        match dispute.evidence.get("uncategorized_text").filter(|_| dispute.status.ends_with("under_review")) {
            Some("winning_evidence") => self.decide_dispute(sent.id, true, now),
            Some("losing_evidence") => self.decide_dispute(sent.id, false, now),
            Some("escalate_inquiry_evidence") if dispute.is_inquiry() => self.escalate_inquiry(sent.id, now),
            Some(_) | None => Ok(dispute.to_json()),
        }
    }

    /// Charges the fee for countering a dispute, or refunds it: a movement of its own ("Dispute fees").
    fn charge_countering(&mut self, dispute: &Dispute, amount: i64, description: &str, now: i64) {
        let id = self.draw("txn_");
        let (_, currency, _) = self.account.settle(0, &dispute.currency);
        let row = BalanceTransaction::new(id, "stripe_fee", amount, &currency, now);
        let description = Some(format!("{description} ({})", dispute.id));
        self.book(BalanceTransaction { description, intent: dispute.intent.clone(), ..row });
    }

    /// Makes an inquiry a dispute, which withdraws the money and needs a new response.
    fn escalate_inquiry(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let dispute = self.disputes.get_mut(id).ok_or_else(|| Refusal::no_such("dispute", id))?;
        let before = dispute.clone();
        dispute.status = "needs_response".into();
        let dispute = dispute.clone();
        self.emit_updated("charge.dispute.updated", &before, &dispute, now);
        self.move_disputed(id, -dispute.amount, "charge.dispute.funds_withdrawn", now);
        self.retrieve_dispute(id)
    }

    /// `POST /v1/disputes/{id}/close`: accepts the loss.
    pub(crate) fn accept_dispute(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let dispute = self.disputes.get(sent.id).ok_or_else(|| Refusal::no_such("dispute", sent.id))?;
        if !dispute.is_open() {
            return Err(Refusal { code: None, ..Refusal::state("", "This dispute is already closed".to_owned()) });
        }
        self.decide_dispute(sent.id, false, sent.now)
    }

    /// Closes a dispute as the bank decides, or reverses an earlier decision. Stripe has no such call. Won money is
    /// reinstated; money lost after a reversal is withdrawn again ("How disputes work").
    pub(crate) fn close_dispute(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        self.decide_dispute(sent.id, sent.params.text("outcome") != Some("lost"), sent.now)
    }

    fn decide_dispute(&mut self, id: &str, won: bool, now: i64) -> Result<Value, Refusal> {
        let dispute = self.disputes.get_mut(id).ok_or_else(|| Refusal::no_such("dispute", id))?;
        let before = dispute.clone();
        dispute.status = match (won, before.is_inquiry()) {
            (_, true) => "warning_closed",
            (true, false) => "won",
            (false, false) => "lost",
        }
        .into();
        let dispute = dispute.clone();
        let is_other = |it: &&Dispute| it.charge == dispute.charge && it.id != id;
        let is_disputed = !won || self.disputes.iter().filter(is_other).any(|it| it.is_open() || it.status == "lost");
        if let Some(charge) = self.charges.get_mut(&dispute.charge) {
            charge.disputed = is_disputed;
        }
        // A reversed decision finds the dispute closed already.
        if before.is_open() {
            self.emit("charge.dispute.closed", &dispute, now);
        } else {
            self.emit_updated("charge.dispute.updated", &before, &dispute, now);
        }
        // The fee for countering is refunded with the disputed amount.
        if won && before.status == "under_review" {
            self.charge_countering(&dispute, DISPUTE_FEE, "Dispute countered fee refund", now);
        }
        match (won, dispute.withdrawn() > 0) {
            (true, true) => self.move_disputed(id, dispute.amount, "charge.dispute.funds_reinstated", now),
            (false, false) if dispute.status == "lost" => {
                self.move_disputed(id, -dispute.amount, "charge.dispute.funds_withdrawn", now);
            }
            (true, false) | (false, true | false) => {}
        }
        self.retrieve_dispute(id)
    }

    /// Amount of a charge that was withdrawn by disputes and not reinstated. `None` while a dispute is open: then the
    /// charge cannot be refunded.
    pub(crate) fn lost_by_disputes(&self, charge: &str) -> Option<i64> {
        let mut lost = 0;
        for dispute in self.disputes.iter().filter(|it| it.charge == charge) {
            if dispute.is_open() && !dispute.is_inquiry() {
                return None;
            }
            lost += dispute.withdrawn();
        }
        Some(lost)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twin::tests::post;

    /// A payment with a card that is disputed, and the path of its dispute.
    fn disputed(twin: &mut Twin, card: &str) -> String {
        post(twin, "/v1/payment_intents", &format!("amount=500&currency=usd&confirm=true&payment_method={card}"));
        format!("/v1/disputes/{}", twin.disputes.iter().last().unwrap().id)
    }

    #[test]
    fn evidence_is_kept_submitted_and_decides_the_dispute() {
        let mut twin = Twin::default();
        let path = disputed(&mut twin, "pm_card_createDisputeProductNotReceived");
        let draft = post(&mut twin, &path, "evidence[customer_name]=Ada&submit=false&metadata[a]=1").body;
        assert_eq!((&draft["status"], &draft["reason"]), (&json!("needs_response"), &json!("product_not_received")));
        assert_eq!((&draft["evidence"]["customer_name"], &draft["metadata"]["a"]), (&json!("Ada"), &json!("1")));
        let submitted = post(&mut twin, &path, "evidence[service_date]=today").body;
        assert_eq!(
            (&submitted["status"], &submitted["evidence_details"]["submission_count"]),
            (&json!("under_review"), &json!(1))
        );
        let won = post(&mut twin, &path, "evidence[uncategorized_text]=winning_evidence").body;
        assert_eq!(won["status"], "won");
        let amounts: Vec<_> =
            won["balance_transactions"].as_array().unwrap().iter().map(|it| it["amount"].clone()).collect();
        assert_eq!(amounts, [-500, 500]);
        assert_eq!(post(&mut twin, &path, "evidence[customer_name]=x").status, 400, "it is closed");
    }

    #[test]
    fn each_card_opens_its_disputes() {
        for (card, amounts, reason, case_type) in [
            ("pm_card_createDispute", vec![501], "fraudulent", "chargeback"),
            ("pm_card_createMultipleDisputes", vec![251, 250], "fraudulent", "chargeback"),
            ("pm_card_createDisputeInquiry", vec![501], "fraudulent", "inquiry"),
            ("pm_card_createComplianceDispute", vec![501], "noncompliant", "compliance"),
        ] {
            let mut twin = Twin::default();
            let form = format!("amount=501&currency=usd&confirm=true&payment_method={card}");
            post(&mut twin, "/v1/payment_intents", &form);
            let opened: Vec<Value> = twin.disputes.iter().map(Dispute::to_json).collect();
            let values = |field: &str| opened.iter().map(|it| it[field].clone()).collect::<Vec<_>>();
            assert_eq!(values("amount"), amounts, "{card}");
            assert!(values("reason").iter().all(|it| it == reason), "{card}");
            assert_eq!(opened[0]["payment_method_details"]["card"]["case_type"], case_type);
        }
    }

    #[test]
    fn a_charge_stays_disputed_until_each_of_its_disputes_is_won() {
        let mut twin = Twin::default();
        disputed(&mut twin, "pm_card_createMultipleDisputes");
        let ids: Vec<String> = twin.disputes.iter().map(|it| it.id.clone()).collect();
        for (id, is_disputed) in ids.iter().zip([true, false]) {
            post(&mut twin, &format!("/_twin/disputes/{id}/close"), "outcome=won");
            assert_eq!(twin.charges.iter().last().unwrap().disputed, is_disputed);
        }
    }

    #[test]
    fn evidence_may_escalate_an_inquiry_to_a_dispute() {
        let mut twin = Twin::default();
        let path = disputed(&mut twin, "pm_card_createDisputeInquiry");
        let escalated = post(&mut twin, &path, "evidence[uncategorized_text]=escalate_inquiry_evidence").body;
        assert_eq!(
            (&escalated["status"], &escalated["is_charge_refundable"]),
            (&json!("needs_response"), &json!(false))
        );
        assert_eq!(escalated["balance_transactions"][0]["amount"], -500);
        assert_eq!(twin.events().last().unwrap().kind, "charge.dispute.funds_withdrawn");
    }

    #[test]
    fn a_dispute_is_accepted_and_an_inquiry_withdraws_nothing() {
        let mut twin = Twin::default();
        let path = disputed(&mut twin, "pm_card_createDispute");
        assert_eq!(post(&mut twin, &format!("{path}/close"), "").body["status"], "lost");
        assert_eq!(post(&mut twin, &format!("{path}/close"), "").status, 400);
        let path = disputed(&mut twin, "pm_card_createDisputeInquiry");
        let inquiry = post(&mut twin, &path, "metadata[a]=1").body;
        assert_eq!(
            (&inquiry["status"], &inquiry["balance_transactions"]),
            (&json!("warning_needs_response"), &json!([]))
        );
        assert_eq!(inquiry["is_charge_refundable"], true);
    }
}
