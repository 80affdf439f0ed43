use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fields, Metadata};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) address: Fields,
    pub(crate) shipping: Fields,
    pub(crate) preferred_locales: Vec<String>,
    pub(crate) tax_exempt: String,
    /// `invoice_settings[default_payment_method]`.
    pub(crate) default_method: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) deleted: bool,
    pub(crate) created: i64,
}

impl Customer {
    pub(crate) fn to_json(&self) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        json!({
            "id": self.id,
            "object": "customer",
            "address": self.address.to_address(),
            "balance": 0,
            "created": self.created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": self.description,
            "discount": null,
            "email": self.email,
            "invoice_prefix": null,
            "invoice_settings": { "custom_fields": null, "default_payment_method": self.default_method,
                "footer": null, "rendering_options": null },
            "livemode": false,
            "metadata": self.metadata,
            "name": self.name,
            "phone": self.phone,
            "preferred_locales": self.preferred_locales,
            "shipping": self.shipping.to_shipping(&["name", "phone"]),
            "tax_exempt": self.tax_exempt,
            "test_clock": null,
        })
    }
}

/// A key with which an app reads and saves the payment methods of one customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EphemeralKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) customer: String,
    pub(crate) created: i64,
    pub(crate) expires: i64,
}

impl EphemeralKey {
    /// The key as JSON; Stripe shows the secret only at creation.
    pub(crate) fn to_json(&self, with_secret: bool) -> Value {
        let mut json = json!({ "id": self.id, "object": "ephemeral_key", "created": self.created,
            "expires": self.expires, "livemode": false });
        if with_secret {
            super::set(&mut json, "secret", json!(self.secret));
        }
        json
    }
}
