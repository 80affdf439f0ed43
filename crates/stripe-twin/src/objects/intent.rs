use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fields, Metadata, SHIPPING, set};
use crate::amount_details::AmountDetails;
use crate::card_options::CardOptions;
use crate::params::Params;

/// `automatic_payment_methods` of an intent that accepts the methods enabled at the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AutomaticMethods {
    /// Whether methods that redirect are accepted.
    pub(crate) redirects: bool,
}

impl AutomaticMethods {
    /// Automatic methods of a new intent: the default if the request names no types.
    pub(crate) fn of(params: &Params) -> Option<Self> {
        let is_on = params.bool("automatic_payment_methods.enabled").unwrap_or(!params.has("payment_method_types"));
        let redirects = params.text("automatic_payment_methods.allow_redirects") != Some("never");
        is_on.then_some(Self { redirects })
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "allow_redirects": if self.redirects { "always" } else { "never" }, "enabled": true })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) client_secret: String,
    pub(crate) amount: i64,
    pub(crate) amount_capturable: i64,
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) capture_method: String,
    /// Whether `confirmation_method` is `manual`: after an authentication the server confirms again.
    pub(crate) confirms_manually: bool,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) automatic_payment_methods: Option<AutomaticMethods>,
    pub(crate) customer: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) latest_charge: Option<String>,
    pub(crate) last_payment_error: Option<Value>,
    pub(crate) next_action: Option<Value>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) authorized_at: Option<i64>,
    /// Whether the customer has authenticated, and the server must confirm again.
    pub(crate) is_authenticated: bool,
    pub(crate) description: Option<String>,
    pub(crate) receipt_email: Option<String>,
    pub(crate) setup_future_usage: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) statement_descriptor: Option<String>,
    pub(crate) statement_descriptor_suffix: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) shipping: Fields,
    pub(crate) payment_details: Fields,
    pub(crate) card_options: CardOptions,
    pub(crate) metadata: Metadata,
    pub(crate) amount_details: AmountDetails,
    pub(crate) created: i64,
}

impl Intent {
    /// Whether the payment is not confirmed yet, or waits for the customer.
    pub(crate) fn is_open(&self) -> bool {
        ["requires_payment_method", "requires_confirmation", "requires_action"].contains(&self.status.as_str())
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.amount_capturable,
            "amount_details": self.amount_details.to_json(),
            "amount_received": self.amount_received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": self.automatic_payment_methods.map(AutomaticMethods::to_json),
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": if self.confirms_manually { "manual" } else { "automatic" },
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": self.card_options.of_types(&self.payment_method_types),
            "payment_method_types": self.payment_method_types,
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": self.setup_future_usage,
            "shipping": self.shipping.to_shipping(SHIPPING),
            "statement_descriptor": self.statement_descriptor,
            "statement_descriptor_suffix": self.statement_descriptor_suffix,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": self.transfer_group,
        });
        if !self.payment_details.is_empty() {
            set(&mut json, "payment_details", self.payment_details.to_json(&["customer_reference", "order_reference"]));
        }
        json
    }
}
