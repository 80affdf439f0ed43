//! Recording of answers and delivered events, for a check against Stripe's OpenAPI description.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::objects::Event;
use crate::request::{Request, Response};

/// Most shapes of records that are remembered; further ones are not recorded.
const SHAPES_MAX: usize = 20_000;
/// Longest text that counts as a word of an enumeration, in characters.
const WORD_CHARS_MAX: usize = 40;

/// File to which records are appended, one JSON object a line, each shape of record once.
///
/// The shape is what the description can judge: methods, names of fields and parameters, types of values, and values
/// of enumerations. Two answers that differ in ids, amounts or times have the same shape.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: Mutex<File>,
    shapes: Mutex<HashSet<u64>>,
}

impl Recorder {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), shapes: Mutex::default() })
    }

    /// Records the answer to a request, whose parameters are `form`.
    pub(crate) fn answer(&self, request: &Request, form: &[u8], response: &Response) {
        let mut shape = DefaultHasher::new();
        (request.method.name(), response.status).hash(&mut shape);
        for segment in request.path.split('/') {
            // A segment with a digit is an id.
            if segment == "v1" || !segment.bytes().any(|it| it.is_ascii_digit()) {
                segment.hash(&mut shape);
            }
        }
        for (name, value) in form_urlencoded::parse(form) {
            (name, word(&value)).hash(&mut shape);
        }
        hash_value(&response.body, &mut shape);
        if self.is_new(&shape) {
            self.append(&json!({
                "method": request.method.name(),
                "path": request.path,
                "form": String::from_utf8_lossy(form),
                "status": response.status,
                "body": **response.body,
            }));
        }
    }

    /// Records an event that is delivered.
    pub(crate) fn event(&self, event: &Event) {
        let event = event.to_json();
        let mut shape = DefaultHasher::new();
        hash_value(&event, &mut shape);
        if self.is_new(&shape) {
            self.append(&json!({ "event": event }));
        }
    }

    fn is_new(&self, shape: &DefaultHasher) -> bool {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.len() < SHAPES_MAX && shapes.insert(shape.finish())
    }

    /// Appends a line by one write, so that several processes can share the file.
    fn append(&self, record: &Value) {
        let written =
            self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{record}\n").as_bytes());
        if let Err(error) = written {
            tracing::warn!(%error, "an answer was not recorded");
        }
    }
}

fn hash_value(value: &Value, shape: &mut DefaultHasher) {
    match value {
        Value::Null => 0.hash(shape),
        Value::Bool(_) => 1.hash(shape),
        Value::Number(_) => 2.hash(shape),
        Value::String(text) => (3, word(text)).hash(shape),
        Value::Array(items) => {
            4.hash(shape);
            // Equal neighbours count once, so that lists of different lengths have one shape.
            let mut before = None;
            for item in items {
                let mut one = DefaultHasher::new();
                hash_value(item, &mut one);
                let one = Some(one.finish());
                if one != before {
                    one.hash(shape);
                }
                before = one;
            }
        }
        Value::Object(fields) => {
            (5, fields.len()).hash(shape);
            for (name, field) in fields {
                name.hash(shape);
                hash_value(field, shape);
            }
        }
    }
}

/// The text if it may be a value of an enumeration.
fn word(text: &str) -> Option<&str> {
    let is_word = text.len() <= WORD_CHARS_MAX && text.bytes().all(|it| it.is_ascii_lowercase() || b"_.".contains(&it));
    is_word.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;
    use crate::request::Method;

    #[test]
    fn each_shape_of_answer_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        let recorder = Recorder::open(&path).unwrap();
        for (path, form, status, body) in [
            ("/v1/refunds/re_1", "", 200, json!({ "id": "re_1", "status": "pending", "amount": 5 })),
            ("/v1/refunds/re_2", "", 200, json!({ "id": "re_2", "status": "pending", "amount": 70 })),
            ("/v1/refunds/re_2", "", 200, json!({ "id": "re_2", "status": "failed", "amount": 70 })),
            ("/v1/refunds/re_2", "", 200, json!({ "id": "re_2", "status": "failed", "amount": null })),
            ("/v1/refunds/re_2", "limit=1", 200, json!({ "id": "re_2", "status": "failed", "amount": null })),
            ("/v1/refunds/re_2", "limit=2", 200, json!({ "id": "re_2", "status": "failed", "amount": null })),
        ] {
            let request = Request {
                method: Method::Get,
                path: path.into(),
                params: Params::parse(form.as_bytes()),
                key: None,
                idempotency_key: None,
                version: None,
                account: None,
                host: None,
            };
            recorder.answer(
                &request,
                form.as_bytes(),
                &Response { status, headers: Vec::new(), body: std::sync::Arc::new(body.into()) },
            );
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let expected = json!({ "method": "GET", "path": "/v1/refunds/re_1", "form": "", "status": 200,
            "body": { "id": "re_1", "status": "pending", "amount": 5 } });
        assert_eq!((lines.lines().count(), first), (4, expected), "{lines}");
    }
}
