//! Nested objects that a request sets and an answer shows, like an address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::Refusal;
use crate::params::Params;

/// Names of the fields of an address.
const ADDRESS: &[&str] = &["city", "country", "line1", "line2", "postal_code", "state"];

/// Texts of a nested object, by their dotted names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Fields below a prefix of a request.
    pub(crate) fn of(params: &Params, prefix: &str) -> Self {
        let mut fields = Self::default();
        fields.merge(params, prefix);
        fields
    }

    /// Sets the fields that a request has below a prefix; an empty value unsets one field, or all of them.
    pub(crate) fn merge(&mut self, params: &Params, prefix: &str) {
        if params.given(prefix) == Some("") {
            self.0.clear();
        }
        for (name, value) in params.below(prefix) {
            if value.is_empty() {
                let below = format!("{name}.");
                self.0.retain(|it, _| it != name && !it.starts_with(&below));
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Replaces all fields if a request has any of them. `needed` are the names of which each must be given.
    pub(crate) fn replace(&mut self, params: &Params, prefix: &str, needed: &[&str]) -> Result<(), Refusal> {
        if !params.has(prefix) {
            return Ok(());
        }
        let replaced = Self::of(params, prefix);
        let missing = needed.iter().find(|it| !params.has(&format!("{prefix}.{it}")));
        match missing {
            Some(name) if params.given(prefix) != Some("") => Err(Refusal::required(&format!("{prefix}[{name}]"))),
            Some(_) | None => {
                *self = replaced;
                Ok(())
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// These fields as JSON, with null for each absent one.
    pub(crate) fn to_json(&self, names: &[&str]) -> Value {
        Value::Object(names.iter().map(|name| ((*name).to_owned(), json!(self.0.get(*name)))).collect())
    }

    /// The address below a prefix as JSON; null if it has no field and `is_optional`.
    fn address(&self, prefix: &str) -> Value {
        let field = |name: &&str| ((*name).to_owned(), json!(self.0.get(&format!("{prefix}{name}"))));
        Value::Object(ADDRESS.iter().map(field).collect::<Map<_, _>>())
    }

    /// `address` of a customer.
    pub(crate) fn to_address(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.address("") }
    }

    /// `shipping` of a PaymentIntent, a charge or a customer.
    pub(crate) fn to_shipping(&self, names: &[&str]) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        let mut json = self.to_json(names);
        super::set(&mut json, "address", self.address("address."));
        json
    }

    /// `billing_details` of a payment method or a charge.
    pub(crate) fn to_billing_details(&self) -> Value {
        let mut json = self.to_json(&["email", "name", "phone", "tax_id"]);
        super::set(&mut json, "address", self.address("address."));
        json
    }
}

/// Names of the fields of `shipping` of a payment, without the address.
pub(crate) const SHIPPING: &[&str] = &["carrier", "name", "phone", "tracking_number"];
