use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AutomaticMethods, Metadata};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SetupIntent {
    pub(crate) id: String,
    pub(crate) client_secret: String,
    pub(crate) status: String,
    pub(crate) usage: String,
    pub(crate) customer: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) automatic_payment_methods: Option<AutomaticMethods>,
    pub(crate) description: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) last_setup_error: Option<Value>,
    pub(crate) next_action: Option<Value>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl SetupIntent {
    /// Types of payment methods that the SetupIntent accepts; `None` if its payment methods are automatic.
    pub(crate) fn accepted_types(&self) -> Option<&[String]> {
        self.automatic_payment_methods.is_none().then_some(&self.payment_method_types)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "setup_intent",
            "application": null,
            "automatic_payment_methods": self.automatic_payment_methods.map(AutomaticMethods::to_json),
            "cancellation_reason": self.cancellation_reason,
            "client_secret": self.client_secret,
            "created": self.created,
            "customer": self.customer,
            "description": self.description,
            "flow_directions": null,
            "last_setup_error": self.last_setup_error,
            "latest_attempt": null,
            "livemode": false,
            "mandate": null,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": { "card": { "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic" } },
            "payment_method_types": self.payment_method_types,
            "single_use_mandate": null,
            "status": self.status,
            "usage": self.usage,
        })
    }
}
