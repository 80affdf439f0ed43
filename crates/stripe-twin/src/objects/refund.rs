use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Metadata, set};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) failure_balance_transaction: Option<String>,
    pub(crate) instructions_email: Option<String>,
    pub(crate) balance_transaction: Option<String>,
    /// Whether the money goes to a card.
    pub(crate) is_to_card: bool,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl Refund {
    pub(crate) fn to_json(&self) -> Value {
        let mut refund = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": self.balance_transaction,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": self.status,
            "transfer_reversal": null,
        });
        if self.is_to_card {
            let card = json!({ "reference_status": "pending", "reference_type": "acquirer_reference_number",
                "type": "refund" });
            set(&mut refund, "destination_details", json!({ "card": card, "type": "card" }));
        }
        let optional = [
            ("failure_reason", &self.failure_reason),
            ("failure_balance_transaction", &self.failure_balance_transaction),
            ("instructions_email", &self.instructions_email),
        ];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            set(&mut refund, name, json!(value));
        }
        if self.status == "pending" {
            set(&mut refund, "pending_reason", json!("processing"));
        }
        refund
    }
}
