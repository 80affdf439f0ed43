use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fields, Intent, Metadata, PaymentMethod, SHIPPING};
use crate::cards::{self, Risk};

#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own in Stripe's charge")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) amount_captured: i64,
    pub(crate) amount_refunded: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) captured: bool,
    pub(crate) disputed: bool,
    /// Whether the authorization was released without a capture.
    pub(crate) is_released: bool,
    /// Whether the customer authenticated with 3-D Secure.
    pub(crate) is_authenticated: bool,
    pub(crate) payment_method: String,
    /// Token of the test card with which it was paid.
    pub(crate) token: String,
    pub(crate) billing_details: Fields,
    pub(crate) customer: Option<String>,
    pub(crate) balance_transaction: Option<String>,
    /// Row that took a failed bank debit off the balance.
    #[serde(default)]
    pub(crate) failure_balance_transaction: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    /// Code with which the bank declined, like `insufficient_funds`.
    pub(crate) decline_code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) receipt_email: Option<String>,
    pub(crate) statement_descriptor: Option<String>,
    pub(crate) statement_descriptor_suffix: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) shipping: Fields,
    pub(crate) created: i64,
    /// Copy of the intent's metadata at the time the charge was created ("Metadata").
    pub(crate) metadata: Metadata,
}

impl Charge {
    /// Makes an authorized, uncaptured charge of the intent's whole amount.
    pub(crate) fn of(intent: &Intent, method: Option<&PaymentMethod>, id: String, now: i64) -> Self {
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
            is_released: false,
            is_authenticated: intent.is_authenticated,
            payment_method: method.map(|it| it.id.clone()).unwrap_or_default(),
            token: method.map(|it| it.token.clone()).unwrap_or_default(),
            billing_details: method.map(|it| it.billing_details.clone()).unwrap_or_default(),
            customer: intent.customer.clone(),
            balance_transaction: None,
            failure_balance_transaction: None,
            failure_code: None,
            failure_message: None,
            decline_code: None,
            description: intent.description.clone(),
            receipt_email: intent.receipt_email.clone(),
            statement_descriptor: intent.statement_descriptor.clone(),
            statement_descriptor_suffix: intent.statement_descriptor_suffix.clone(),
            transfer_group: intent.transfer_group.clone(),
            shipping: intent.shipping.clone(),
            created: now,
            metadata: intent.metadata.clone(),
        }
    }

    /// Amount that was captured and not refunded.
    pub(crate) fn unrefunded(&self) -> i64 {
        self.amount_captured - self.amount_refunded
    }

    fn outcome(&self) -> Value {
        let risk = cards::by_token(&self.token).map_or(Risk::Normal, |it| it.risk);
        let (level, score) = risk.level();
        if self.status != "failed" {
            return json!({ "network_status": "approved_by_network", "reason": null, "risk_level": level,
                "risk_score": score, "seller_message": "Payment complete.", "type": "authorized" });
        }
        if risk == Risk::Blocked {
            return json!({ "network_status": "not_sent_to_network", "reason": "highest_risk_level",
                "risk_level": level, "risk_score": score, "seller_message": "Stripe blocked this payment as too risky.",
                "type": "blocked" });
        }
        let reason = self.decline_code.as_deref().or(self.failure_code.as_deref());
        json!({ "network_status": "declined_by_network", "reason": reason, "risk_level": level, "risk_score": score,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined" })
    }

    pub(crate) fn to_json(&self) -> Value {
        let is_paid = self.status == "succeeded";
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount_captured,
            "amount_refunded": self.amount_refunded,
            "application": null,
            "application_fee": null,
            "application_fee_amount": null,
            "balance_transaction": self.balance_transaction,
            "billing_details": self.billing_details.to_billing_details(),
            "calculated_statement_descriptor": null,
            "captured": self.captured,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "disputed": self.disputed,
            "failure_balance_transaction": self.failure_balance_transaction,
            "failure_code": self.failure_code,
            "failure_message": self.failure_message,
            "fraud_details": {},
            "livemode": false,
            "metadata": self.metadata,
            "on_behalf_of": null,
            "outcome": self.outcome(),
            "paid": is_paid,
            "payment_intent": self.intent,
            "payment_method": self.payment_method,
            "payment_method_details": cards::details(&self.token, self.amount, self.is_authenticated),
            "receipt_email": self.receipt_email,
            "receipt_number": null,
            "receipt_url": is_paid.then(|| format!("https://pay.stripe.com/receipts/{}", self.id)),
            "refunded": self.is_released || (self.amount_captured > 0 && self.unrefunded() == 0),
            "review": null,
            "shipping": self.shipping.to_shipping(SHIPPING),
            "source_transfer": null,
            "statement_descriptor": self.statement_descriptor,
            "statement_descriptor_suffix": self.statement_descriptor_suffix,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": self.transfer_group,
        })
    }
}
