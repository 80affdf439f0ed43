//! Charges, which only payments, refunds and disputes change.

use serde_json::Value;

use crate::calls::Sent;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::Charge;
use crate::state::Twin;

pub(crate) const FILTERS: &[Spec] =
    &[param("customer", Kind::Id), param("payment_intent", Kind::Id), param("transfer_group", Kind::Text(5000))];
pub(crate) const UPDATE: &[Spec] = &[
    param("description", Kind::Text(40_000)),
    param("receipt_email", Kind::Text(5000)),
    param("transfer_group", Kind::Text(5000)),
];

impl Twin {
    pub(crate) fn list_charges(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Charge| {
            is(sent.params, "payment_intent", &it.intent)
                && is(sent.params, "customer", it.customer.as_deref().unwrap_or_default())
                && is(sent.params, "transfer_group", it.transfer_group.as_deref().unwrap_or_default())
                && is_created(it.created, sent.params)
        };
        page("/v1/charges", "charge", &self.charges, sent.params, wanted, Charge::to_json)
    }

    pub(crate) fn retrieve_charge(&self, id: &str) -> Result<Value, Refusal> {
        self.charges.get(id).map(Charge::to_json).ok_or_else(|| Refusal::no_such("charge", id))
    }

    pub(crate) fn update_charge(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let charge = self.charges.get_mut(sent.id).ok_or_else(|| Refusal::no_such("charge", sent.id))?;
        let before = charge.clone();
        params.replace("description", &mut charge.description);
        params.replace("receipt_email", &mut charge.receipt_email);
        params.replace("transfer_group", &mut charge.transfer_group);
        charge.shipping.replace(params, "shipping", &["address", "name"])?;
        params.merge_metadata(&mut charge.metadata);
        let charge = charge.clone();
        self.emit_updated("charge.updated", &before, &charge, sent.now);
        Ok(charge.to_json())
    }
}
