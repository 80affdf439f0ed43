//! `payment_method_options[card]` of a PaymentIntent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::kinds::{Kind, Spec, as_flag, clearable, param};
use crate::objects::set;
use crate::params::Params;

const PREFIX: &str = "payment_method_options.card";
const NETWORKS: &[&str] = &[
    "amex",
    "cartes_bancaires",
    "diners",
    "discover",
    "eftpos_au",
    "girocard",
    "interac",
    "jcb",
    "link",
    "mastercard",
    "unionpay",
    "unknown",
    "visa",
];
const IF_AVAILABLE: Kind = Kind::Word(&["if_available", "never"]);

/// Parameters that the twin accepts and shows. They have no effect on a payment.
pub(crate) const SPECS: &[Spec] = &[
    param("payment_method_options.card.installments.enabled", Kind::Bool),
    clearable("payment_method_options.card.network", Kind::Word(NETWORKS)),
    param("payment_method_options.card.request_extended_authorization", IF_AVAILABLE),
    param("payment_method_options.card.request_incremental_authorization", IF_AVAILABLE),
    param("payment_method_options.card.request_multicapture", IF_AVAILABLE),
    param("payment_method_options.card.request_overcapture", IF_AVAILABLE),
    param("payment_method_options.card.request_three_d_secure", Kind::Word(&["any", "automatic", "challenge"])),
    param("payment_method_options.card.require_cvc_recollection", Kind::Bool),
    clearable("payment_method_options.card.setup_future_usage", Kind::Word(&["none", "off_session", "on_session"])),
    param("payment_method_options.card.statement_descriptor_suffix_kana", Kind::Text(22)),
    param("payment_method_options.card.statement_descriptor_suffix_kanji", Kind::Text(17)),
];

/// Options of card payments, by their names below `payment_method_options[card]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CardOptions(BTreeMap<String, String>);

impl CardOptions {
    /// Sets the options that a request names; an empty value unsets an option.
    pub(crate) fn replace(&mut self, params: &Params) {
        for (name, value) in params.under(PREFIX) {
            if value.is_empty() {
                self.0.remove(&name);
            } else {
                self.0.insert(name, value);
            }
        }
    }

    /// Whether a payment must be authenticated if the card supports it.
    pub(crate) fn requests_three_d_secure(&self) -> bool {
        self.0.get("request_three_d_secure").is_some_and(|it| it != "automatic")
    }

    /// Whether a payment may be captured in several parts.
    pub(crate) fn requests_multicapture(&self) -> bool {
        self.0.get("request_multicapture").is_some_and(|it| it == "if_available")
    }

    /// The options as JSON, as a PaymentIntent shows them under `card`.
    pub(crate) fn to_json(&self) -> Value {
        let mut shown = json!({ "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" });
        for (name, value) in &self.0 {
            match (name.as_str(), value.as_str()) {
                ("installments.enabled", enabled) => {
                    let enabled = as_flag(enabled) == Some(true);
                    let installments = json!({ "available_plans": [], "enabled": enabled, "plan": null });
                    set(&mut shown, "installments", if enabled { installments } else { Value::Null });
                }
                (name, "true" | "True") => set(&mut shown, name, json!(true)),
                (name, "false" | "False") => set(&mut shown, name, json!(false)),
                (name, text) => set(&mut shown, name, json!(text)),
            }
        }
        shown
    }

    /// `payment_method_options` as JSON, for the payment method types that an intent accepts.
    pub(crate) fn of_types(&self, types: &[String]) -> Value {
        let card = types.iter().filter(|it| *it == "card").map(|it| (it.clone(), self.to_json()));
        Value::Object(card.collect::<Map<_, _>>())
    }
}
