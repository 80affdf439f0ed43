//! JSON of Stripe, without the character U+0000.

use serde::de::DeserializeOwned;
use serde_json::{Error, Map, Value};

/// U+0000 as JSON writes it.
const NUL: &[u8] = br"\u0000";

/// Reads an answer or an event of Stripe. Each U+0000 in its texts is replaced by U+FFFD: PostgreSQL cannot store it, Stripe
/// does not promise that a text which a customer typed has none, and to refuse the whole would refuse its payment. A name
/// with U+FFFD is no id of Stripe's, and is refused as one.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    if !json.windows(NUL.len()).any(|it| it == NUL) {
        return serde_json::from_slice(json);
    }
    serde_json::from_value(without_nul(serde_json::from_slice(json)?))
}

fn without_nul(json: Value) -> Value {
    match json {
        Value::String(text) => Value::String(replaced(&text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            let fields: Map<_, _> = fields.into_iter().map(|(name, it)| (replaced(&name), without_nul(it))).collect();
            Value::Object(fields)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => json,
    }
}

fn replaced(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_u0000_is_replaced_in_names_and_texts() {
        let text = r#"{ "a\u0000": ["\u0000b", 1, true, null, { "c": "\\u0000" }], "d": "\u0001" }"#;
        let read: Value = read(text.as_bytes()).unwrap();
        assert_eq!(read, json!({ "a\u{fffd}": ["\u{fffd}b", 1, true, null, { "c": "\\u0000" }], "d": "\u{1}" }));
    }
}
