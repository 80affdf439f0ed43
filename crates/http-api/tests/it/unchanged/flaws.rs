//! Flaws of requests.

use serde_json::{Value, json};

use super::Request;
use super::routes::{Dialect, Route};

/// Flawed variants of a valid request, each with its name.
#[expect(clippy::too_many_lines, reason = "a table of requests")]
pub(super) fn flaws(route: &Route, good: &Request) -> Vec<(String, Request)> {
    let mut flaws = Vec::new();
    let mut add = |name: &str, request: Request| flaws.push((name.to_owned(), request));
    let long = "x".repeat(5_000);
    match route.dialect {
        Dialect::Shop => {
            add("no key", good.clone().without("x-api-key"));
            add("an unknown key", good.clone().header("x-api-key", "pwk_0"));
            add("a key without a scope", good.clone().header("x-api-key", powerless_key()));
            if route.path != "/api/v1/shop/orders" || route.body.is_null() {
                add("an unknown bearer", good.clone().header("authorization", &format!("Bearer {long}")));
            }
            if route.path.contains("{order}") {
                add("another order", replaced(good, "ORD-20250331-ZZZZZZ"));
                add("no order", replaced(good, &long));
            }
            if route.path.contains("{endpoint}") {
                add("another endpoint", replaced(good, "00000000-0000-4000-8000-000000000000"));
                add("no endpoint", replaced(good, &long));
            }
            if route.keyed {
                add("an empty idempotency key", good.clone().header("idempotency-key", ""));
                add("a long idempotency key", good.clone().header("idempotency-key", &long));
            }
        }
        Dialect::Storefront => {
            add("an unknown bearer", good.clone().header("authorization", "Bearer x"));
            add("a scheme that is none", good.clone().header("authorization", &long));
            add("a currency that is none", good.clone().query(&format!("currency={long}")));
            for version in ["x/y", "", "latest", "2026-5-27", "2026-05-27\"", &long] {
                add("a Stripe-Version that is none", good.clone().header("stripe-version", version));
            }
        }
        Dialect::Platform => {
            add("no key", good.clone().without("x-api-key"));
            add("an unknown key", good.clone().header("x-api-key", "pwk_0"));
            add("a key without a scope", good.clone().header("x-api-key", powerless_key()));
        }
        Dialect::Other => {}
    }
    for (name, value) in &route.headers {
        add(&format!("the header {name} as {value}"), good.clone().header(name, value));
    }
    for query in &route.queries {
        add(&format!("the query {query}"), good.clone().query(query));
    }
    if matches!(route.dialect, Dialect::Storefront | Dialect::Platform) || route.path == "/demo/explain" {
        for query in
            [format!("include={long}"), "include=line_items.x,x".into(), "include[]=x".into(), "fields=x".into()]
        {
            add("an include or fields that is none", good.clone().query(&query));
        }
        add("too many names to include", good.clone().query(&format!("include={}", vec!["x"; 51].join(","))));
        if route.body.is_null() {
            add("fields of no names", good.clone().body("{\"fields\":{\"cart\":1,\"variant\":1}}"));
        }
        body_flaws(&mut add, good);
    } else if !route.body.is_null() {
        body_flaws(&mut add, good);
        add("no content type", good.clone().without("content-type"));
        add("a form", good.clone().header("content-type", "application/x-www-form-urlencoded"));
        for body in ["null", "\"x\"", "1"] {
            add("a body that is no object", good.clone().body(body));
        }
    }
    if !route.body.is_null() {
        field_flaws(&mut add, route, good);
    }
    flaws
}

/// Request with another order or endpoint in its path.
fn replaced(good: &Request, id: &str) -> Request {
    let mut parts: Vec<_> = good.path.split('/').collect();
    parts[5] = id;
    Request { path: parts.join("/"), ..good.clone() }
}

/// Text of the API key without scopes: see [`super::worlds`].
fn powerless_key() -> &'static str {
    super::worlds::powerless_key()
}

fn body_flaws(add: &mut impl FnMut(&str, Request), good: &Request) {
    for body in ["{", "{\"a\":1}}", "{\"a\":01}", "\u{0}", "{\"a\":1e999}", "a=b", &"[".repeat(500)] {
        add("a body that is not JSON", good.clone().body(body));
    }
    for body in ["[]", "[[],[],[]]", "{\"x\":1,\"x\":2}", "{\"x\":[{\"y\":{},\"y\":{}}]}"] {
        add("a body that is no object, or has a name twice", good.clone().body(body));
    }
    add("a body that is not UTF-8", good.clone().body(*b"{\"a\":\"\xff\"}"));
    add("a body that is too large", good.clone().body(format!("{{\"x\":\"{}\"}}", "x".repeat(4 * 1024 * 1024))));
}

/// Requests with one field as an array, as a long text or missing, one object as an array, or one array as an object.
fn field_flaws(add: &mut impl FnMut(&str, Request), route: &Route, good: &Request) {
    let body: Value = serde_json::from_slice(&good.body).unwrap();
    let mut pointers = Vec::new();
    collect_paths(&body, "", &mut pointers);
    for pointer in pointers {
        let mut with = |name: &str, value: Value| {
            let mut body = body.clone();
            *body.pointer_mut(&pointer).unwrap() = value;
            add(&format!("{pointer} {name}"), good.clone().body(body.to_string()));
        };
        match body.pointer(&pointer).unwrap() {
            Value::Object(fields) => with("as an array", fields.values().cloned().collect()),
            Value::Array(items) => with("as an object", json!({ "0": items })),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                with("as a list", json!([[1]]));
                with("as an object", json!({ "x": 1 }));
                with("as a long text", json!("x".repeat(5_000)));
            }
        }
    }
    for pointer in &route.required {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut body = body.clone();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        add(&format!("no {pointer}"), good.clone().body(body.to_string()));
    }
    if route.closed {
        let mut body = body;
        body["x".repeat(5_000).as_str()] = json!(1);
        add("an unknown field", good.clone().body(body.to_string()));
    }
}

/// Collects the paths of all values within one, without its own.
fn collect_paths(value: &Value, at: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (format!("{at}/{name}"), it)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(place, it)| (format!("{at}/{place}"), it)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (pointer, child) in children {
        collect_paths(child, &pointer, into);
        into.push(pointer);
    }
}
