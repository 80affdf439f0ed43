//! Expansion of references to objects ("Expanding responses" in Stripe's API reference).

use serde_json::Value;

use crate::error::Refusal;
use crate::objects::{Charge, Customer, Dispute, Intent, PaymentMethod, Payout, Refund};
use crate::state::Twin;

/// Levels that a request may expand.
const LEVELS_MAX: usize = 4;

/// An expandable field: the object that has it, its dotted name, and the objects to which it may refer. A field without
/// such objects is always null in the twin, or is shown in full without an expansion.
type Field = (&'static str, &'static str, &'static [&'static str]);

/// Expandable fields, by Stripe's description of each object.
const FIELDS: &[Field] = &[
    ("payment_intent", "application", &[]),
    ("payment_intent", "customer", &["customer"]),
    ("payment_intent", "latest_charge", &["charge"]),
    ("payment_intent", "on_behalf_of", &[]),
    ("payment_intent", "payment_method", &["payment_method"]),
    ("payment_intent", "review", &[]),
    ("payment_intent", "transfer_data.destination", &[]),
    ("payment_intent", "amount_details.line_items", &["amount_details_line_items"]),
    ("payment_intent", "last_payment_error.payment_method.customer", &["customer"]),
    ("charge", "application", &[]),
    ("charge", "application_fee", &[]),
    ("charge", "balance_transaction", &["balance_transaction"]),
    ("charge", "customer", &["customer"]),
    ("charge", "failure_balance_transaction", &["balance_transaction"]),
    ("charge", "on_behalf_of", &[]),
    ("charge", "outcome.rule", &[]),
    ("charge", "payment_intent", &["payment_intent"]),
    ("charge", "refunds", &["refund"]),
    ("charge", "review", &[]),
    ("charge", "source_transfer", &[]),
    ("charge", "transfer", &[]),
    ("refund", "balance_transaction", &["balance_transaction"]),
    ("refund", "charge", &["charge"]),
    ("refund", "failure_balance_transaction", &["balance_transaction"]),
    ("refund", "payment_intent", &["payment_intent"]),
    ("refund", "source_transfer_reversal", &[]),
    ("refund", "transfer_reversal", &[]),
    ("dispute", "charge", &["charge"]),
    ("dispute", "payment_intent", &["payment_intent"]),
    ("balance_transaction", "source", &["charge", "refund", "dispute", "payout"]),
    ("payout", "application_fee", &[]),
    ("payout", "balance_transaction", &["balance_transaction"]),
    ("payout", "destination", &[]),
    ("payout", "failure_balance_transaction", &["balance_transaction"]),
    ("payout", "original_payout", &[]),
    ("payout", "reversed_by", &[]),
    ("customer", "cash_balance", &[]),
    ("customer", "default_source", &[]),
    ("customer", "invoice_settings.default_payment_method", &["payment_method"]),
    ("customer", "sources", &[]),
    ("customer", "subscriptions", &[]),
    ("customer", "tax", &[]),
    ("customer", "tax_ids", &[]),
    ("customer", "test_clock", &[]),
    ("payment_method", "customer", &["customer"]),
    ("setup_intent", "application", &[]),
    ("setup_intent", "customer", &["customer"]),
    ("setup_intent", "latest_attempt", &[]),
    ("setup_intent", "mandate", &[]),
    ("setup_intent", "on_behalf_of", &[]),
    ("setup_intent", "payment_method", &["payment_method"]),
    ("setup_intent", "single_use_mandate", &[]),
];

/// Field of one of some objects at the start of a path, and the rest of the path.
fn field<'a>(objects: &[&str], path: &'a str) -> Option<(&'static Field, &'a str)> {
    let found = FIELDS.iter().filter(|(object, _, _)| objects.contains(object));
    found.into_iter().find_map(|it| {
        let rest = path.strip_prefix(it.1)?;
        if rest.is_empty() { Some((it, "")) } else { rest.strip_prefix('.').map(|rest| (it, rest)) }
    })
}

/// Checks the expansions that a request asks for, before it is performed. `objects` are the kinds of its answer.
pub(crate) fn check(paths: &[String], object: &'static str, is_list: bool) -> Result<(), Refusal> {
    for path in paths {
        if path.split('.').count() > LEVELS_MAX {
            let message = format!("You cannot expand more than {LEVELS_MAX} levels of a property. Property: {path}");
            return Err(Refusal::parameter_less("property_expansion_max_depth", message));
        }
        let mut rest = match (is_list, path.strip_prefix("data.")) {
            (false, _) => path.as_str(),
            (true, Some(rest)) => rest,
            (true, None) => return Err(cannot(path)),
        };
        let mut objects: &[&str] = &[object];
        while !rest.is_empty() {
            let Some((found, after)) = field(objects, rest) else { return Err(cannot(path)) };
            let after = if found.1 == "refunds" { after.strip_prefix("data.").unwrap_or(after) } else { after };
            (objects, rest) = (found.2, after);
            // Through a reference that is always null nothing is expanded.
            if objects.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

fn cannot(path: &str) -> Refusal {
    let property = path.rsplit('.').next().unwrap_or(path);
    Refusal::invalid("expand", &format!("This property cannot be expanded ({property})."))
}

impl Twin {
    /// Expands the references of an answer that a request asks for.
    pub(crate) fn expand(&self, answer: &mut Value, paths: &[String]) {
        for path in paths {
            match (path.strip_prefix("data."), answer.get_mut("data").and_then(Value::as_array_mut)) {
                (Some(rest), Some(data)) => data.iter_mut().for_each(|it| self.expand_path(it, rest)),
                (_, _) => self.expand_path(answer, path),
            }
        }
    }

    fn expand_path(&self, object: &mut Value, path: &str) {
        let kind = object.get("object").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some((found, rest)) = field(&[&kind], path) else { return };
        if (found.0, found.1) == ("charge", "refunds") {
            self.expand_refunds(object, rest);
            return;
        }
        if found.1 == "amount_details.line_items" {
            let id = object.get("id").and_then(Value::as_str).and_then(|it| self.intents.get(it));
            if let (Some(intent), Some(details)) = (id, object.pointer_mut("/amount_details")) {
                crate::objects::set(details, "line_items", intent.amount_details.lines_json(&intent.id));
            }
            return;
        }
        let pointer = format!("/{}", found.1.replace('.', "/"));
        let Some(reference) = object.pointer_mut(&pointer) else { return };
        if let Some(expanded) = reference.as_str().and_then(|id| self.object(id)) {
            *reference = expanded;
        }
        if !rest.is_empty() {
            self.expand_path(reference, rest);
        }
    }

    /// Shows the refunds of a charge inside it; Stripe leaves them out unless they are expanded.
    fn expand_refunds(&self, charge: &mut Value, rest: &str) {
        let Some(id) = charge.get("id").and_then(Value::as_str).map(str::to_owned) else { return };
        let mut list = self.refunds_of(&id);
        let rest = rest.strip_prefix("data.").unwrap_or(rest);
        for refund in list.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
            self.expand_path(refund, rest);
        }
        crate::objects::set(charge, "refunds", list);
    }

    /// A charge inside the answer to the request that captured it: its fee is known a moment later.
    fn charge_for_answer(&self, charge: &Charge) -> Value {
        let transaction = charge.balance_transaction.as_ref().and_then(|it| self.balance_transactions.get(it));
        if transaction.is_none_or(|it| it.request.is_none() || it.request != self.cause.request) {
            return charge.to_json();
        }
        Charge { balance_transaction: None, ..charge.clone() }.to_json()
    }

    /// Object of any kind as JSON, by the prefix of its id.
    fn object(&self, id: &str) -> Option<Value> {
        match id.split('_').next().unwrap_or_default() {
            "pi" => self.intents.get(id).map(Intent::to_json),
            "ch" | "py" => self.charges.get(id).map(|it| self.charge_for_answer(it)),
            "txn" => self.balance_transactions.get(id).map(|it| it.to_json(self.cause.at)),
            "re" => self.refunds.get(id).map(Refund::to_json),
            "du" => self.disputes.get(id).map(Dispute::to_json),
            "po" => self.payouts.get(id).map(Payout::to_json),
            "cus" => self.customers.get(id).map(Customer::to_json),
            "pm" => self.payment_methods.get(id).map(PaymentMethod::to_json),
            _ => None,
        }
    }
}
