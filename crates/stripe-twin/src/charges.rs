//! Charges with their fees, and disputes.

use serde_json::{Value, json};

use crate::cards::{self, Aftermath};
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::objects::{BalanceTransaction, Charge, Dispute, Intent, set};
use crate::params::Params;
use crate::state::Twin;

pub(crate) const DISPUTING: &[Spec] = &[param("amount", Kind::Int)];
pub(crate) const EVIDENCE: &[Spec] = &[param("evidence.*", Kind::Text(20_000)), param("submit", Kind::Bool)];
pub(crate) const CLOSING: &[Spec] = &[param("outcome", Kind::Word(&["won", "lost"]))];

impl Twin {
    /// Approves a confirmation: the payment is captured, or authorized for a later capture.
    pub(crate) fn approve(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let charge_id = self.draw("ch_");
        let intent = self.intent_mut(id)?;
        let manual = intent.capture_method == "manual";
        let charge = Charge::of(intent, charge_id.clone(), now);
        intent.latest_charge = Some(charge_id.clone());
        let amount = intent.amount;
        let is_saved = intent.setup_future_usage.is_some();
        let saved = intent.payment_method.clone().zip(intent.customer.clone()).filter(|_| is_saved);
        if let Some((method, customer)) = saved {
            self.save_method(&method, customer, now);
        }
        let intent = self.intent_mut(id)?;
        if manual {
            intent.status = "requires_capture".into();
            intent.amount_capturable = amount;
            intent.authorized_at = Some(now);
            let json = intent.to_json();
            self.emit("charge.succeeded", charge.to_json(), now);
            self.emit("payment_intent.amount_capturable_updated", json, now);
            self.charges.insert(charge_id, charge);
            self.watch_authorization(now);
            return Ok(());
        }
        self.charges.insert(charge_id.clone(), charge);
        self.capture_charge(id, &charge_id, amount, "charge.succeeded", now)
    }

    /// Captures an authorized charge, fully or in part, and emits an event of `charge_event` type for the charge.
    pub(crate) fn capture_charge(
        &mut self,
        id: &str,
        charge_id: &str,
        amount: i64,
        charge_event: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        let transaction_id = self.draw("txn_");
        let charge = self.charges.get_mut(charge_id).ok_or_else(|| Refusal::missing("charge", charge_id))?;
        charge.captured = true;
        charge.amount_captured = amount;
        // The fee is known a moment later: in the first events the balance transaction is null.
        let without_fee = charge.to_json();
        charge.balance_transaction = Some(transaction_id.clone());
        let with_fee = charge.to_json();
        let token = self.payment_methods.get(&charge.payment_method).map(|it| it.token.clone()).unwrap_or_default();
        let transaction = BalanceTransaction {
            id: transaction_id.clone(),
            source: charge_id.to_owned(),
            kind: "charge".into(),
            amount,
            fee: fee(amount),
            currency: charge.currency.clone(),
            created: now,
        };
        self.balance_transactions.insert(transaction_id, transaction);
        let intent = self.intent_mut(id)?;
        intent.status = "succeeded".into();
        intent.amount_received = amount;
        intent.amount_capturable = 0;
        let json = intent.to_json();
        self.emit(charge_event, without_fee, now);
        self.emit("payment_intent.succeeded", json, now);
        self.emit("charge.updated", with_fee, now);
        if cards::by_token(&token).is_some_and(|it| it.aftermath == Aftermath::Disputed) {
            self.dispute(charge_id, amount, now);
        }
        Ok(())
    }

    fn dispute(&mut self, charge_id: &str, amount: i64, now: i64) {
        let id = self.draw("du_");
        let Some(charge) = self.charges.get_mut(charge_id) else { return };
        charge.disputed = true;
        let mut dispute = Dispute {
            id: id.clone(),
            charge: charge_id.to_owned(),
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status: "needs_response".into(),
            movements: Vec::new(),
            created: now,
        };
        self.emit("charge.dispute.created", dispute.to_json(), now);
        dispute.movements.push(-amount);
        self.emit("charge.dispute.funds_withdrawn", dispute.to_json(), now);
        self.disputes.insert(id, dispute);
    }

    /// Opens a dispute of a payment, of all of it or a part, as the cardholder's bank does. Stripe has no such call.
    pub(crate) fn dispute_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let intent = self.intent_mut(id)?;
        let charge = intent.latest_charge.clone().filter(|_| intent.status == "succeeded");
        let charge = charge.and_then(|it| self.charges.get(&it)).filter(|it| !it.disputed);
        let charge = charge.ok_or_else(|| {
            let message = format!("{id} has no payment that can be disputed");
            Refusal::state("charge_not_disputable", message)
        })?;
        let (charge_id, amount) = (charge.id.clone(), params.int("amount").unwrap_or(charge.amount_captured));
        if amount < 1 || amount > charge.amount_captured {
            let message = format!("The amount must be between 1 and {}", charge.amount_captured);
            return Err(Refusal::invalid("amount", &message));
        }
        self.dispute(&charge_id, amount, now);
        let disputed = |it: &&Dispute| it.charge == charge_id && it.is_open();
        Ok(self.disputes.values().find(disputed).map(Dispute::to_json).unwrap_or_default())
    }

    /// `POST /v1/disputes/{id}`: submits evidence to the bank immediately, unless `submit=false` ("Update a dispute").
    pub(crate) fn update_dispute(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let dispute = self.disputes.get_mut(id).ok_or_else(|| Refusal::missing("dispute", id))?;
        if !dispute.is_open() {
            let message = format!("This dispute is closed: it is {}", dispute.status);
            return Err(Refusal::state("dispute_closed", message));
        }
        if params.has("evidence") && params.bool("submit") != Some(false) {
            dispute.status = "under_review".into();
        }
        let json = dispute.to_json();
        self.emit("charge.dispute.updated", json.clone(), now);
        Ok(json)
    }

    /// Closes a dispute as the bank decides, or reverses an earlier decision. Stripe has no such call. Won money is
    /// reinstated; money lost after a reversal is withdrawn again ("How disputes work").
    pub(crate) fn close_dispute(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let dispute = self.disputes.get_mut(id).ok_or_else(|| Refusal::missing("dispute", id))?;
        let won = params.text("outcome") != Some("lost");
        let was_open = dispute.is_open();
        dispute.status = if won { "won" } else { "lost" }.into();
        let is_withdrawn = dispute.movements.iter().sum::<i64>() < 0;
        let moved = match (won, is_withdrawn) {
            (true, true) => Some((dispute.amount, "charge.dispute.funds_reinstated")),
            (false, false) => Some((-dispute.amount, "charge.dispute.funds_withdrawn")),
            (true, false) | (false, true) => None,
        };
        dispute.movements.extend(moved.map(|(amount, _)| amount));
        let (json, charge) = (dispute.to_json(), dispute.charge.clone());
        if let Some(charge) = self.charges.get_mut(&charge) {
            charge.disputed = !won;
        }
        // A reversed decision finds the dispute closed already.
        let event = if was_open { "charge.dispute.closed" } else { "charge.dispute.updated" };
        self.emit(event, json.clone(), now);
        if let Some((_, event)) = moved {
            self.emit(event, json.clone(), now);
        }
        Ok(json)
    }

    /// Amount of a charge that was withdrawn by disputes and not reinstated. `None` while a dispute is open: then the
    /// charge cannot be refunded.
    pub(crate) fn lost_by_disputes(&self, charge: &str) -> Option<i64> {
        let mut lost = 0;
        for dispute in self.disputes.values().filter(|it| it.charge == charge) {
            if dispute.is_open() {
                return None;
            }
            lost -= dispute.movements.iter().sum::<i64>();
        }
        Some(lost)
    }

    /// Declines a confirmation: the intent requires another payment method.
    pub(crate) fn decline(
        &mut self,
        id: &str,
        code: &str,
        decline_code: &str,
        message: &str,
        now: i64,
    ) -> Result<Refusal, Refusal> {
        let charge_id = self.draw("ch_");
        let intent = self.intent_mut(id)?;
        let charge = Charge {
            status: "failed".into(),
            failure_code: Some(code.to_owned()),
            failure_message: Some(message.to_owned()),
            ..Charge::of(intent, charge_id.clone(), now)
        };
        let mut refusal = Refusal::declined(code, decline_code, message);
        if decline_code.is_empty() {
            refusal.decline_code = None;
        }
        let mut error = refusal.to_json();
        set(&mut error, "charge", json!(charge_id));
        intent.status = "requires_payment_method".into();
        intent.payment_method = None;
        intent.latest_charge = Some(charge_id.clone());
        intent.last_payment_error = Some(error);
        let json = intent.to_json();
        refusal.with = vec![("charge", json!(charge_id)), ("payment_intent", json.clone())];
        self.emit("charge.failed", charge.to_json(), now);
        self.emit("payment_intent.payment_failed", json, now);
        self.charges.insert(charge_id, charge);
        Ok(refusal)
    }
}

impl Charge {
    /// Makes an authorized, uncaptured charge of the intent's whole amount.
    fn of(intent: &Intent, id: String, now: i64) -> Self {
        Self {
            id,
            intent: intent.id.clone(),
            amount: intent.amount,
            amount_captured: 0,
            amount_refunded: 0,
            currency: intent.currency.clone(),
            status: "succeeded".into(),
            captured: false,
            disputed: false,
            payment_method: intent.payment_method.clone().unwrap_or_default(),
            customer: intent.customer.clone(),
            balance_transaction: None,
            failure_code: None,
            failure_message: None,
            created: now,
            metadata: intent.metadata.clone(),
        }
    }
}

/// Fee of a charge: 2.9 % rounded down, plus 30.
fn fee(amount: i64) -> i64 {
    amount * 29 / 1000 + 30
}
