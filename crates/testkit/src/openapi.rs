//! Checks of answers over HTTP against an OpenAPI description.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// OpenAPI description against which requests and answers are checked. An answer may have no field that is not
/// described.
pub struct OpenApi {
    document: Value,
    /// Validators of schemas, by their place in the document.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Request and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Path of the request, with its query.
    pub path: &'a str,
    /// Body of the request.
    pub sent: &'a [u8],
    /// Status of the answer.
    pub status: u16,
    /// `Content-Type` of the answer.
    pub content_type: Option<&'a str>,
    /// Body of the answer.
    pub received: &'a str,
}

impl OpenApi {
    /// Reads a description.
    pub fn new(document: &str) -> Self {
        let mut document = serde_json::from_str(document).expect("a description in JSON");
        refuse_unknown_fields(&mut document, false);
        Self { document, validators: Mutex::default() }
    }

    /// Checks that the description has the route, the status and the fields of an answer, and the fields of a request
    /// that was accepted. The error says what differs.
    pub fn check(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let Exchange { method, path, status, .. } = *exchange;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some((template, item)) = self.item(path) else {
            return self.refusal(exchange, 404, "path_not_found");
        };
        let method = method.to_ascii_lowercase();
        let Some(operation) = item.get(&method) else {
            return self.refusal(exchange, 405, "method_not_allowed");
        };
        let pointer = format!("/paths/{}/{method}", escaped(template));
        let statuses = operation["responses"].as_object().unwrap();
        let response = statuses
            .get(&status.to_string())
            .ok_or_else(|| format!("{method} {template} has no answer {status}: {}", exchange.received))?;
        self.check_answer(exchange, response, &format!("{pointer}/responses/{status}"))?;
        if status < 300 { self.check_request(exchange, operation, query, &pointer) } else { Ok(()) }
    }

    /// Path of the description that matches, and its operations. A literal segment comes before a parameter.
    fn item(&self, path: &str) -> Option<(&str, &Map<String, Value>)> {
        let matching = |template: &str| {
            let (left, right) = (template.split('/'), path.split('/'));
            left.clone().count() == right.clone().count()
                && left.zip(right).all(|(left, right)| left.starts_with('{') && !right.is_empty() || left == right)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let mut found: Vec<_> = paths.iter().filter(|(template, _)| matching(template)).collect();
        found.sort_by_key(|(template, _)| template.matches('{').count());
        found.first().map(|(template, item)| (template.as_str(), item.as_object().unwrap()))
    }

    /// Checks the refusal of a call that is not in the description.
    fn refusal(&self, exchange: &Exchange<'_>, status: u16, code: &str) -> Result<(), String> {
        let body: Value = serde_json::from_str(exchange.received).unwrap_or_default();
        // An answer to HEAD has no body.
        if exchange.status != status || exchange.method != "HEAD" && body["error"]["code"] != code {
            return Err(format!("{} {} is not in the description", exchange.method, exchange.path));
        }
        if exchange.method == "HEAD" { Ok(()) } else { self.validate("/components/schemas/Refusal", &body) }
    }

    fn check_answer(&self, exchange: &Exchange<'_>, response: &Value, pointer: &str) -> Result<(), String> {
        let Some(content) = response.get("content") else {
            let is_empty = exchange.received.is_empty();
            return is_empty.then_some(()).ok_or_else(|| format!("{pointer} has no body: {}", exchange.received));
        };
        // The description names the type with its parameters or without them.
        let with_parameters = exchange.content_type.unwrap_or_default();
        let plain = with_parameters.split(';').next().unwrap_or_default();
        let media_type = if content.get(with_parameters).is_some() { with_parameters } else { plain };
        if content.get(media_type).is_none() {
            return Err(format!("{pointer} is not of the type {media_type:?}: {}", exchange.received));
        }
        let is_text = media_type.starts_with("text/");
        let body = if is_text {
            Value::from(exchange.received)
        } else {
            serde_json::from_str(exchange.received).map_err(|error| format!("{pointer}: {error}"))?
        };
        self.validate(&format!("{pointer}/content/{}/schema", escaped(media_type)), &body)
    }

    /// Checks the body and the names of the query of a request that was accepted.
    fn check_request(
        &self,
        exchange: &Exchange<'_>,
        operation: &Value,
        query: &str,
        pointer: &str,
    ) -> Result<(), String> {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for name in query.split('&').filter(|it| !it.is_empty()).filter_map(|it| it.split('=').next()) {
            if !parameters.iter().any(|it| it["in"] == "query" && it["name"] == name) {
                return Err(format!("{pointer} has no parameter {name}"));
            }
        }
        let Some(body) = operation.get("requestBody") else { return Ok(()) };
        if exchange.sent.is_empty() && body["required"] == false {
            return Ok(());
        }
        let sent = serde_json::from_slice(exchange.sent).map_err(|error| format!("{pointer}: {error}"))?;
        self.validate(&format!("{pointer}/requestBody/content/application~1json/schema"), &sent)
    }

    /// Validates a value against the schema at a place of the document.
    fn validate(&self, pointer: &str, value: &Value) -> Result<(), String> {
        let validator = self.validator(pointer);
        let problems: Vec<_> = validator.iter_errors(value).map(|it| format!("{}: {it}", it.instance_path())).collect();
        if problems.is_empty() { Ok(()) } else { Err(format!("{pointer}: {}\n{value}", problems.join("; "))) }
    }

    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(pointer.to_owned()).or_insert_with(|| {
            let schema = self.document.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer}"));
            let schema = json!({ "allOf": [schema], "components": self.document["components"] });
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("{pointer}: {error}")))
        });
        Arc::clone(validator)
    }
}

/// Text as a part of a JSON pointer (RFC 6901).
fn escaped(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// Lets the objects of a description have described fields only, other than those of which a schema tells a part.
fn refuse_unknown_fields(schema: &mut Value, is_part: bool) {
    match schema {
        Value::Object(fields) => {
            if !is_part && fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            for (name, field) in fields {
                refuse_unknown_fields(field, is_part || name == "allOf");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| refuse_unknown_fields(it, is_part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> OpenApi {
        let cat = json!({ "type": "object", "required": ["id"],
            "properties": { "id": { "type": "integer" }, "born": { "type": "string", "format": "date-time" } } });
        let response =
            json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Cat" } } } });
        let tale = json!({ "content": { "text/plain": { "schema": { "type": "string", "maxLength": 4 } } } });
        let body = json!({ "required": true, "content": { "application/json": { "schema": {
            "type": "object", "properties": { "name": { "type": "string" } }, "additionalProperties": false } } } });
        let limit = json!([{ "name": "limit", "in": "query" }]);
        OpenApi::new(
            &json!({
                "paths": {
                    "/cats": { "post": { "requestBody": body, "responses": { "201": response } } },
                    "/cats/{id}/tale": { "get": { "responses": { "200": tale } } },
                    "/cats/{id}": {
                        "get": { "parameters": limit, "responses": { "200": response } },
                        "delete": { "responses": { "204": {} } },
                    },
                },
                "components": { "schemas": { "Cat": cat, "Refusal": { "type": "object", "required": ["error"] } } },
            })
            .to_string(),
        )
    }

    #[test]
    fn an_exchange_that_differs_from_the_description_is_reported() {
        let (json, problem) = (Some("application/json"), "{\"error\":{\"code\":\"path_not_found\"}}");
        let wrong_method = "{\"error\":{\"code\":\"method_not_allowed\"}}";
        for (method, path, sent, status, content_type, received, problem) in [
            ("GET", "/cats/1", "", 200, json, "{\"id\":1}", ""),
            ("GET", "/cats/1?limit=2", "", 200, json, "{\"id\":1,\"born\":\"2025-03-31T09:57:30Z\"}", ""),
            ("DELETE", "/cats/1", "", 204, None, "", ""),
            ("GET", "/cats/1/tale", "", 200, Some("text/plain"), "once", ""),
            ("GET", "/cats/1/tale", "", 200, Some("text/plain"), "twice", "longer than 4"),
            ("POST", "/cats", "{\"name\":\"x\"}", 201, json, "{\"id\":1}", ""),
            ("GET", "/dogs", "", 404, json, problem, ""),
            ("PUT", "/cats", "", 405, json, wrong_method, ""),
            ("HEAD", "/cats", "", 405, None, "", ""),
            ("GET", "/dogs", "", 200, json, "{}", "is not in the description"),
            ("PUT", "/cats", "", 200, json, "{}", "is not in the description"),
            ("GET", "/cats/1", "", 409, json, "{}", "has no answer 409"),
            ("GET", "/cats/1", "", 200, Some("text/html"), "{\"id\":1}", "is not of the type"),
            ("GET", "/cats/1", "", 200, json, "{}", "required"),
            ("GET", "/cats/1", "", 200, json, "{\"id\":\"1\"}", "/id"),
            ("GET", "/cats/1", "", 200, json, "{\"id\":1,\"born\":\"today\"}", "/born"),
            ("GET", "/cats/1", "", 200, json, "{\"id\":1,\"age\":1}", "age"),
            ("GET", "/cats/1?page=2", "", 200, json, "{\"id\":1}", "has no parameter page"),
            ("DELETE", "/cats/1", "", 204, None, "x", "has no body"),
            ("POST", "/cats", "{\"age\":1}", 201, json, "{\"id\":1}", "age"),
            ("POST", "/cats", "", 201, json, "{\"id\":1}", "EOF"),
        ] {
            let exchange = Exchange { method, path, sent: sent.as_bytes(), status, content_type, received };
            let found = description().check(&exchange).err().unwrap_or_default();
            assert!(found.contains(problem) && found.is_empty() == problem.is_empty(), "{exchange:?}: {found}");
        }
    }
}
