//! Approval of a payment, its capture, cancellation and expiry.

use super::method_types::check_descriptor;
use super::unexpected_state;
use crate::calls::Sent;
use crate::cards::{self, Aftermath};
use crate::error::Refusal;
use crate::objects::{BalanceTransaction, Charge, Intent, Snapshot};
use crate::state::Twin;

/// Time until the money of a payment can be paid out, in seconds: two days, as in the United States.
const AVAILABLE_AFTER_SECONDS: i64 = 2 * 24 * 3600;

impl Twin {
    /// Approves a confirmation: the payment is captured, or authorized for a later capture.
    pub(super) fn approve(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let charge_id = self.draw("ch_");
        self.save_method_of(id, now)?;
        self.use_up_method_of(id)?;
        let intent = self.intent(id)?;
        let method = intent.payment_method.as_ref().and_then(|it| self.payment_methods.get(it));
        let charge = Charge::of(intent, method, charge_id.clone(), now);
        let intent = self.intent_mut(id)?;
        intent.latest_charge = Some(charge_id.clone());
        let amount = intent.amount;
        if intent.capture_method != "manual" {
            self.charges.insert(charge);
            return self.capture_charge(id, &charge_id, amount, "charge.succeeded", now);
        }
        intent.status = "requires_capture".into();
        intent.amount_capturable = amount;
        intent.authorized_at = Some(now);
        let intent = intent.clone();
        self.emit("charge.succeeded", &charge, now);
        self.emit("payment_intent.amount_capturable_updated", intent, now);
        self.charges.insert(charge);
        self.watch_authorization(now);
        Ok(())
    }

    /// Saves the payment method of an intent with `setup_future_usage` for its customer.
    pub(super) fn save_method_of(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let intent = self.intent(id)?;
        if intent.setup_future_usage.is_some()
            && let Some((method, customer)) = intent.payment_method.clone().zip(intent.customer.clone())
        {
            self.save_method(&method, customer, now);
        }
        Ok(())
    }

    /// Marks the payment method of an intent as used up, unless it is saved for a customer.
    pub(super) fn use_up_method_of(&mut self, id: &str) -> Result<(), Refusal> {
        let method = self.intent(id)?.payment_method.clone().unwrap_or_default();
        if let Some(method) = self.payment_methods.get_mut(&method) {
            method.is_used_up = method.customer.is_none();
        }
        Ok(())
    }

    pub(crate) fn capture_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (id, params, now) = (sent.id, sent.params, sent.now);
        let intent = self.intent_mut(id)?;
        if intent.status != "requires_capture" {
            let message = format!(
                "This PaymentIntent could not be captured because it has a status of {}. Only a PaymentIntent with one of \
                 the following statuses may be captured: requires_capture.",
                intent.status
            );
            return Err(unexpected_state(intent, message));
        }
        let amount = params.int("amount_to_capture").unwrap_or(intent.amount_capturable);
        if amount < 1 {
            return Err(Refusal::not_positive("amount_to_capture"));
        }
        if amount > intent.amount_capturable {
            let message = "The payment could not be captured because the requested capture amount is greater than the \
                           authorized amount. If you are trying to collect a tip or over-capture, your account might not \
                           be configured for those features. Contact us via https://support.stripe.com/contact/";
            return Err(Refusal::parameter("amount_too_large", "amount_to_capture", message));
        }
        let is_final = params.bool("final_capture") != Some(false) || amount == intent.amount_capturable;
        if !is_final && !intent.card_options.requests_multicapture() {
            let message = "`final_capture=false` needs multicapture, which this payment does not have: create the \
                           PaymentIntent with `payment_method_options[card][request_multicapture]=if_available`.";
            return Err(Refusal::invalid("final_capture", message));
        }
        check_descriptor(params.text("statement_descriptor"), &intent.payment_method_types)?;
        intent.amount_details = intent.amount_details.captured(params, amount)?;
        params.merge_metadata(&mut intent.metadata);
        intent.payment_details.merge(params, "payment_details");
        params.replace("statement_descriptor", &mut intent.statement_descriptor);
        params.replace("statement_descriptor_suffix", &mut intent.statement_descriptor_suffix);
        let charge = intent.latest_charge.clone().unwrap_or_default();
        if let Some(charge) = self.charges.get_mut(&charge) {
            params.replace("statement_descriptor_suffix", &mut charge.statement_descriptor_suffix);
        }
        if is_final {
            self.capture_charge(id, &charge, amount, "charge.captured", now)?;
        } else {
            self.capture_part(id, &charge, amount, now)?;
        }
        self.show_intent(id)
    }

    /// Captures a part of an authorized charge, and leaves the rest to be captured later.
    fn capture_part(&mut self, id: &str, charge_id: &str, amount: i64, now: i64) -> Result<(), Refusal> {
        let transaction = self.add_proceeds(id, charge_id, (amount, 0), now)?;
        let charge = self.charges.get_mut(charge_id).ok_or_else(|| Refusal::no_such("charge", charge_id))?;
        let before = charge.clone();
        charge.amount_captured += amount;
        charge.balance_transaction = Some(transaction);
        let charge = charge.clone();
        let intent = self.intent_mut(id)?;
        intent.amount_received += amount;
        intent.amount_capturable -= amount;
        let intent = intent.clone();
        self.emit("payment_intent.amount_capturable_updated", intent, now);
        self.emit_updated("charge.updated", before, charge, now);
        Ok(())
    }

    /// Adds the balance transaction of a capture, and returns its id. `reversed` is added to the amount, and taken off by
    /// a balance transaction of its own.
    pub(super) fn add_proceeds(
        &mut self,
        intent: &str,
        charge_id: &str,
        (amount, reversed): (i64, i64),
        now: i64,
    ) -> Result<String, Refusal> {
        let id = self.draw("txn_");
        let charge = self.charges.get(charge_id).ok_or_else(|| Refusal::no_such("charge", charge_id))?;
        // Cards of the section "Available balance" of Stripe's test cards.
        let is_at_once = charge.token.starts_with("pm_card_bypassPending");
        let currency = charge.currency.clone();
        let request = self.cause.request.clone();
        let row = |movement: BalanceTransaction, fee: i64| BalanceTransaction {
            source: Some(charge_id.to_owned()),
            intent: intent.to_owned(),
            fee,
            request: request.clone(),
            available_on: now + if is_at_once { 0 } else { AVAILABLE_AFTER_SECONDS },
            ..movement
        };
        let kind = if charge_id.starts_with("py_") { "payment" } else { "charge" };
        let whole = self.movement(id.clone(), kind, amount + reversed, &currency, now);
        let (settled, fee_of_whole) = (whole.amount, fee(whole.amount));
        self.book(row(whole, fee_of_whole));
        if reversed > 0 {
            let reversal_id = self.draw("txn_");
            let reversal = self.movement(reversal_id, "refund", -reversed, &currency, now);
            // The fee of what is not captured is returned.
            let fee_back = fee(settled + reversal.amount) - fee_of_whole;
            let category = Some("partial_capture_reversal".to_owned());
            self.book(row(BalanceTransaction { category, ..reversal }, fee_back));
        }
        Ok(id)
    }

    /// Captures an authorized charge for the last time, and emits an event of `charge_event` type for the charge. What
    /// is not captured is released.
    fn capture_charge(
        &mut self,
        id: &str,
        charge_id: &str,
        amount: i64,
        charge_event: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        let whole = self.charges.get(charge_id).filter(|it| it.amount_captured == 0).map_or(amount, |it| it.amount);
        let reversed = if self.account.reverses_partial_captures { whole - amount } else { 0 };
        let transaction = self.add_proceeds(id, charge_id, (amount, reversed), now)?;
        let charge = self.charges.get_mut(charge_id).ok_or_else(|| Refusal::no_such("charge", charge_id))?;
        charge.captured = true;
        charge.amount_captured += amount;
        // The fee is known a moment later: in the first events the balance transaction is null.
        let without_fee = charge.clone();
        charge.balance_transaction = Some(transaction);
        let with_fee = charge.clone();
        let intent = self.intent_mut(id)?;
        intent.status = "succeeded".into();
        intent.amount_received += amount;
        intent.amount_capturable = 0;
        let intent = intent.clone();
        self.emit(charge_event, &without_fee, now);
        self.emit("payment_intent.succeeded", intent, now);
        let captured = with_fee.amount_captured;
        let aftermath = cards::by_token(&with_fee.token).map_or(Aftermath::None, |it| it.aftermath);
        self.emit_updated("charge.updated", without_fee, with_fee, now);
        match aftermath {
            Aftermath::Disputed(reason) => self.dispute(charge_id, captured, reason, false, now),
            Aftermath::DisputedTwice(reason) => {
                let second = captured / 2;
                self.dispute(charge_id, captured - second, reason, false, now);
                self.dispute(charge_id, second, reason, false, now);
            }
            Aftermath::Inquiry => self.dispute(charge_id, captured, "fraudulent", true, now),
            Aftermath::None | Aftermath::RefundFails | Aftermath::RefundPending => {}
        }
        Ok(())
    }

    pub(crate) fn cancel_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (id, now) = (sent.id, sent.now);
        let intent = self.intent_mut(id)?;
        if !intent.is_open() && intent.status != "requires_capture" {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
                 following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
                 requires_action.",
                intent.status
            );
            return Err(unexpected_state(intent, message));
        }
        intent.cancellation_reason = sent.params.owned("cancellation_reason");
        let intent = self.release(id, now)?;
        self.emit("payment_intent.canceled", &intent, now);
        Ok(Snapshot::from(intent))
    }

    /// Cancels an intent and releases what is authorized.
    fn release(&mut self, id: &str, now: i64) -> Result<Intent, Refusal> {
        let intent = self.intent_mut(id)?;
        let was_authorized = intent.status == "requires_capture";
        intent.status = "canceled".into();
        intent.canceled_at = Some(now);
        intent.amount_capturable = 0;
        intent.next_action = None;
        let intent = intent.clone();
        let charge = intent.latest_charge.as_ref().filter(|_| was_authorized);
        if let Some(charge) = charge.and_then(|it| self.charges.get_mut(it)) {
            charge.is_released = charge.amount_captured == 0;
        }
        Ok(intent)
    }

    /// Cancels an intent whose authorization has expired, as Stripe does by itself. The reason is `expired`, which Stripe's
    /// description has since version 2025-03-31.basil; an answer recorded in 2023 has the older `automatic`.
    pub(crate) fn lapse(&mut self, id: &str, now: i64) {
        if let Some(intent) = self.intents.get_mut(id) {
            intent.cancellation_reason = Some("expired".into());
        }
        let Ok(intent) = self.release(id, now) else { return };
        let charge = intent.latest_charge.as_ref().and_then(|it| self.charges.get(it)).cloned();
        if let Some(charge) = charge {
            self.emit("charge.expired", &charge, now);
        }
        self.emit("payment_intent.canceled", intent, now);
    }
}

/// Fee of a charge: 2.9 % rounded down, plus 30.
fn fee(amount: i64) -> i64 {
    amount * 29 / 1000 + 30
}
