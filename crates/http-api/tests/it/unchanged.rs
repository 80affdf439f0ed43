//! Every route of both dialects with every flaw that a request can have: a refused request has written nothing and has
//! sent nothing to Stripe, and its answer is short, whatever was sent.

mod flaws;
mod routes;
mod worlds;

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::{Answer, ORDERS};
use flaws::flaws;
use routes::{Dialect, Route, routes};
use worlds::World;

/// Request to be sent.
#[derive(Clone, Debug)]
struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Valid request of a route.
    fn good(route: &Route, world: &World) -> Self {
        let body = if route.body.is_null() { String::new() } else { world.named(&route.body.to_string()) };
        let mut headers = world.headers(route.dialect);
        headers.retain(|(name, _)| name != "authorization" || !route.refuses_bearers());
        Self { method: route.method.clone(), path: world.named(route.path), headers, body: body.into_bytes() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(it, _)| it != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(it, _)| it != name);
        self
    }

    fn query(mut self, query: &str) -> Self {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{joint}{query}", self.path);
        self
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }
}

impl World {
    async fn send(&self, request: &Request) -> Answer {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.service.send(request.method.clone(), &request.path, &headers, &request.body).await
    }
}

/// Maximum size of a refusal, in bytes. The largest request has 4 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Sends flawed requests and a valid one to all routes of some dialects. Gives the number of refused requests, and of
/// valid ones that wrote something.
async fn walk(dialects: &[Dialect]) -> (usize, usize) {
    let (mut refused, mut wrote) = (0, 0);
    for route in routes().into_iter().filter(|it| dialects.contains(&it.dialect)) {
        let world = World::of(route.stage).await;
        let good = Request::good(&route, &world);
        let before = world.state();
        for (name, bad) in flaws(&route, &good) {
            let answer = world.send(&bad).await;
            let (method, path) = (&route.method, route.path);
            assert!((400..500).contains(&answer.status), "{method} {path}, {name}: {bad:?} {answer:?}");
            assert!(world.state() == before, "{method} {path}, {name} changed something: {bad:?} {answer:?}");
            assert!(answer.text.len() <= ANSWER_BYTES_MAX, "{method} {path}, {name}: {} bytes", answer.text.len());
            assert!(!answer.text.contains(&"x".repeat(201)), "{method} {path}, {name} repeats much: {answer:?}");
            for word in ["struct ", "i64", "u32", "invalid type", "expected a", "sequence"] {
                assert!(!answer.text.contains(word), "{method} {path}, {name}: {answer:?}");
            }
            refused += 1;
        }
        let granted = world.send(&good).await;
        assert!((200..300).contains(&granted.status), "{} {}: {good:?} {granted:?}", route.method, route.path);
        wrote += usize::from(world.state() != before);
    }
    (refused, wrote)
}

#[actix_web::test]
async fn no_refused_call_of_the_shop_changes_anything() {
    let (refused, wrote) = walk(&[Dialect::Shop, Dialect::Other]).await;
    assert!(refused > 200, "{refused}");
    assert_eq!(wrote, 21, "all but the reads, and enabling what is enabled; /readyz and /metrics try a write");
}

#[actix_web::test]
async fn no_refused_call_of_a_storefront_changes_anything() {
    let (refused, wrote) = walk(&[Dialect::Storefront]).await;
    assert!(refused > 500, "{refused}");
    assert!(wrote >= 20, "{wrote}");
}

#[actix_web::test]
async fn no_refused_call_of_the_platform_changes_anything() {
    let (refused, wrote) = walk(&[Dialect::Platform]).await;
    assert!(refused > 100, "{refused}");
    assert_eq!(wrote, 10, "all but the reads, and the approval of what is approved");
}

/// Compares the table of routes with those that the sources register, and with the description of the shop dialect,
/// which has those that it registers.
#[test]
fn every_registered_route_is_tested() {
    let mut declared = declared(include_str!("../../src/lib.rs"));
    // Files of the program, which read no request.
    declared.retain(|(_, path)| !path.starts_with("/docs") && path != "/openapi.json");
    let description: Value = serde_json::from_str(paywright_http_api::description()).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        declared.extend(item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    declared.extend(self::declared(include_str!("../../src/spree/mod.rs")));
    let walked: BTreeSet<_> = routes()
        .iter()
        .map(|it| (it.method.as_str().to_lowercase(), it.path.split('?').next().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(declared.difference(&walked).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not walked");
    assert_eq!(walked.difference(&declared).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not there");
    assert!(walked.len() >= 74, "{}", walked.len());
}

/// Methods and paths of a source that registers routes as `resource("/path").route(get().to(…)).route(post(…))`.
fn declared(source: &str) -> BTreeSet<(String, String)> {
    // A scope that a function returns is a part of its own, too.
    let text = source.split_whitespace().collect::<String>().replace("web::scope(", ".service(web::scope(");
    let (mut scope, mut path, mut found) = (String::new(), String::new(), BTreeSet::new());
    for part in text.split(".service(") {
        let quoted = |after: &str| part.split_once(after).and_then(|(_, rest)| rest.split_once('"')).map(|it| it.0);
        if part.contains("web::scope(") {
            scope = quoted("web::scope(\"").map_or_else(|| "/api/v2/storefront".to_owned(), str::to_owned);
        }
        let named = quoted("at(\"").or_else(|| quoted("resource(\""));
        if let Some(named) = named.filter(|it| it.starts_with('/')) {
            let is_outside = ["/demo", "/docs", "/openapi.json", "/webhooks/stripe", "/healthz", "/readyz", "/metrics"]
                .iter()
                .any(|it| named.starts_with(it));
            path = if is_outside { named.to_owned() } else { format!("{scope}{named}") };
        }
        for route in part.split(".route(").skip(1) {
            let method = route.trim_start_matches("web::").split('(').next().unwrap_or_default();
            found.insert((method.to_owned(), path.clone()));
        }
    }
    found
}

/// The answer to a body of maximum size with only invalid fields has a few kilobytes, and counts what it leaves out.
#[actix_web::test]
async fn the_answer_to_a_large_invalid_body_is_short() {
    let world = World::of(worlds::Stage::Placed).await;
    let before = world.state();
    let many = |count: usize, name: &dyn Fn(usize) -> String| -> Value {
        (0..count).map(|it| (name(it), json!(1))).collect::<serde_json::Map<_, _>>().into()
    };
    let lines = json!({ "currency": "usd", "line_items": vec![json!({ "amount": "x" }); 12_000] });
    let notes = json!({ "currency": "usd", "line_items": [], "metadata": many(20_000, &|it| format!("k{it}")) });
    let long_names = many(250, &|it| format!("{it}{}", "x".repeat(990)));
    let one_name = many(1, &|_| "x".repeat(250_000));
    let one_text = json!({ "currency": "x".repeat(250_000) });
    for body in [lines, notes, long_names, one_name, one_text] {
        let text = body.to_string();
        assert!((180_000..256 * 1024).contains(&text.len()), "{}", text.len());
        for (method, path) in
            [(Method::POST, ORDERS.to_owned()), (Method::PATCH, world.named("/api/v1/shop/orders/{order}"))]
        {
            let answer = world.service.call(method, &path, &body).await;
            assert_eq!((answer.status, answer.code()), (422, "invalid_order"));
            assert!(answer.text.len() <= ANSWER_BYTES_MAX, "{} bytes: {answer:?}", answer.text.len());
        }
    }
    let variants = json!({ "variants": vec![json!({ "id": "a b", "color": 1 }); 8_000] });
    let terms = json!({ "terms": { "coupons": vec![json!({ "code": 1 }); 15_000] } });
    let include = json!({ "include": "x".repeat(250_000) });
    let fields = json!({ "fields": { "x".repeat(250_000): 1 } });
    for (method, path, body) in [
        (Method::PUT, "/api/v2/platform/variants", variants),
        (Method::PUT, "/api/v2/platform/terms", terms),
        (Method::POST, "/api/v2/storefront/cart", include),
        (Method::POST, "/api/v2/storefront/cart", fields),
    ] {
        let answer = world.service.call(method, path, &body).await;
        assert!([400, 422].contains(&answer.status), "{answer:?}");
        assert!(answer.text.len() <= ANSWER_BYTES_MAX, "{} bytes: {answer:?}", answer.text.len());
    }
    let lines =
        json!({ "currency": "usd", "line_items": vec![json!({ "name": "x", "amount": 1, "quantity": 0 }); 5000] });
    let answer = world.service.call(Method::POST, ORDERS, &lines).await;
    let fields = answer.body["error"]["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 50, "{answer:?}");
    assert!(answer.text.len() < 6_000, "{} bytes", answer.text.len());
    assert!(answer.body["error"]["detail"].as_str().unwrap().ends_with("; 4990 more"), "{answer:?}");
    assert!(world.state() == before);
}
