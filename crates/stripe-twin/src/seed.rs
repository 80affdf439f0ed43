//! Requests that a twin performs when it starts with an empty state, so that a test finds its objects.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::params::Params;
use crate::request::{Method, Request};
use crate::state::Twin;

/// One request of a seed file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Path of the call, which is a `POST`, like `/v1/customers`.
    pub path: String,
    /// Parameters, nested as in JSON.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Name under which later requests refer to the id of the answer, as `{name}`.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

impl Twin {
    /// Performs the requests of a seed file; the first refusal is the error.
    pub fn sow(&mut self, seeds: &[Seed], now: i64) -> Result<(), String> {
        let mut ids = BTreeMap::new();
        for seed in seeds {
            let named = |text: &str| {
                ids.iter().fold(text.to_owned(), |text, (name, id): (&String, &String)| {
                    text.replace(&format!("{{{name}}}"), id)
                })
            };
            let mut pairs = Vec::new();
            flatten("", &Value::Object(seed.params.clone()), &mut pairs);
            let request = Request {
                method: Method::Post,
                path: named(&seed.path),
                params: pairs.iter().map(|(name, value)| (name.clone(), named(value))).collect::<Params>(),
                key: Some("sk_test_seed".to_owned()),
                idempotency_key: None,
                version: Some(crate::objects::API_VERSION.to_owned()),
                account: None,
                host: None,
            };
            let (answer, _) = self.handle(&request, now);
            if answer.status != 200 {
                let message = answer.body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
                return Err(format!("{} was refused: {message}", request.path));
            }
            let id = answer.body.get("id").and_then(Value::as_str);
            if let (Some(name), Some(id)) = (&seed.name, id) {
                ids.insert(name.clone(), id.to_owned());
            }
        }
        Ok(())
    }
}

/// Parameters of nested JSON, by dotted names.
fn flatten(name: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => {
            for (key, it) in fields {
                flatten(&below(key), it, pairs);
            }
        }
        Value::Array(items) => {
            for (at, it) in items.iter().enumerate() {
                flatten(&below(&at.to_string()), it, pairs);
            }
        }
        Value::String(text) => pairs.push((name.to_owned(), text.clone())),
        Value::Null => pairs.push((name.to_owned(), String::new())),
        Value::Bool(_) | Value::Number(_) => pairs.push((name.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::tests::NOW;

    #[test]
    fn a_seed_file_makes_objects_that_name_each_other() {
        let seeds = r#"[
            { "path": "/v1/customers", "params": { "email": "ada@example.com", "metadata": { "a": 1 } }, "as": "ada" },
            { "path": "/v1/payment_methods/pm_card_visa/attach", "params": { "customer": "{ada}" } },
            { "path": "/v1/payment_intents", "params": { "amount": 500, "currency": "usd", "customer": "{ada}" } }
        ]"#;
        let seeds: Vec<Seed> = serde_json::from_str(seeds).unwrap();
        let mut twin = Twin::default();
        assert_eq!(twin.sow(&seeds, NOW), Ok(()));
        let customer = twin.customers.iter().next().unwrap();
        assert_eq!(twin.intents.iter().next().unwrap().customer.as_ref(), Some(&customer.id));
        assert_eq!(twin.payment_methods.iter().next().unwrap().customer.as_ref(), Some(&customer.id));
        let refused = twin.sow(&[Seed { path: "/v1/refunds".into(), params: Map::new(), name: None }], NOW);
        assert!(refused.unwrap_err().starts_with("/v1/refunds was refused: One of"));
    }
}
