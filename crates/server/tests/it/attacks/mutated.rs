//! Valid requests with mutated bytes, by a fixed seed: each is answered, no answer is an internal error or large, and
//! refused requests change nothing.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use crate::attacks::state::State;
use crate::program::{answer, two_lines};
use crate::served::Served;

const SEED: u64 = 15;
/// Number of mutated bodies.
const BODIES: usize = 3000;
const UNLIMITED: &str =
    "limits.cart_per_minute = 0\nlimits.cart_payment_per_minute = 0\nlimits.cart_coupons_per_minute = 0";
/// Maximum length of a refusal, in bytes.
const REFUSAL_BYTES_MAX: usize = 32 * 1024;

/// Valid bodies, each with its call.
fn valid() -> Vec<(Method, &'static str, Value)> {
    let mug = json!({ "id": "mug", "name": "Mug", "sku": "M-1", "active": true, "prices": { "USD": "14.00", "JPY": "1500" } });
    let terms: Value = serde_json::from_str(include_str!("../../../src/demo/terms.json")).unwrap();
    let address = json!({
        "firstname": "Ada", "lastname": "L", "address1": "1 Main St", "city": "Bath", "zipcode": "BA1",
        "country_iso": "GB", "phone": "1",
    });
    let checkout = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address, "bill_address_attributes": address } });
    let mut order = two_lines();
    order["adjustments"] = json!([{ "kind": "tax", "label": "VAT", "amount": 100 }]);
    order["metadata"] = json!({ "note": "x" });
    vec![
        (Method::POST, "/api/v1/shop/orders", order),
        (
            Method::PATCH,
            "/api/v1/shop/orders/{order}",
            json!({ "email": null, "line_items": two_lines()["line_items"], "metadata": {} }),
        ),
        (Method::POST, "/api/v1/shop/orders/{order}/capture", json!({ "amount": "1.00" })),
        (
            Method::POST,
            "/api/v1/shop/orders/{order}/refunds",
            json!({ "amount": "1.00", "reason": "duplicate", "payment_intent": "pi_1" }),
        ),
        (Method::PUT, "/api/v2/platform/variants", json!({ "variants": [mug] })),
        (Method::PUT, "/api/v2/platform/terms", json!({ "terms": terms })),
        (Method::POST, "/api/v2/storefront/cart", json!({ "currency": "USD", "public_metadata": { "a": "b" } })),
        (Method::POST, "/api/v2/storefront/cart/add_item", json!({ "variant_id": "mug", "quantity": 2 })),
        (Method::PATCH, "/api/v2/storefront/cart/apply_coupon_code", json!({ "coupon_code": "WELCOME" })),
        (Method::PATCH, "/api/v2/storefront/checkout", checkout),
        (
            Method::POST,
            "/api/v2/storefront/checkout/create_payment",
            json!({ "payment_method_id": "stripe", "source_attributes": { "gateway_payment_profile_id": "pm_x" } }),
        ),
        (
            Method::POST,
            "/api/v2/storefront/stripe/payment_intents",
            json!({ "payment_intent": { "stripe_payment_method_id": "pm_x", "amount": "14.00" } }),
        ),
        (
            Method::POST,
            "/webhooks/stripe",
            json!({ "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": { "object": {} } }),
        ),
    ]
}

/// A value that is invalid in most places.
fn odd(rng: &mut Rng) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(""),
        json!("\u{0}"),
        json!("\u{202e}x"),
        json!("x".repeat(5000)),
        json!("☕".repeat(300)),
        json!([]),
        json!({}),
        json!([[]]),
        json!([[[[[[[[]]]]]]]]),
        json!({ "": { "": {} } }),
        json!("'; DROP TABLE orders; --"),
        json!("NaN"),
        json!("1e400"),
        json!(["usd", "cus-ada", null, [], [], "automatic", {}]),
    ];
    rng.choice(all).unwrap()
}

/// Changes a random part of a value.
fn mutate(value: &mut Value, rng: &mut Rng) {
    let into = rng.u8(..4) > 0;
    match value {
        Value::Object(fields) if into && !fields.is_empty() => {
            let name = rng.choice(fields.keys().cloned().collect::<Vec<_>>()).unwrap();
            match rng.u8(..8) {
                0 => drop(fields.remove(&name)),
                1 => {
                    fields.insert(rng.choice(["", "x", "__proto__", "amount\u{0}"]).unwrap().to_owned(), odd(rng));
                }
                _ => mutate(fields.get_mut(&name).unwrap(), rng),
            }
        }
        Value::Array(items) if into && !items.is_empty() => {
            let at = rng.usize(..items.len());
            match rng.u8(..8) {
                0 => drop(items.remove(at)),
                1 => *items = vec![items[at].clone(); 300],
                _ => mutate(&mut items[at], rng),
            }
        }
        // The fields of an object as an array, which some parsers accept as an object.
        Value::Object(fields) if rng.bool() => *value = fields.values().cloned().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            *value = odd(rng);
        }
    }
}

fn body(valid: &Value, rng: &mut Rng) -> Vec<u8> {
    let mut value = valid.clone();
    for _ in 0..rng.usize(0..4) {
        mutate(&mut value, rng);
    }
    let mut bytes = value.to_string().into_bytes();
    match rng.u8(..6) {
        0 => bytes.truncate(rng.usize(..=bytes.len())),
        1 => {
            let at = rng.usize(..=bytes.len());
            bytes.insert(at, rng.u8(..));
        }
        2 => bytes
            .splice(..0, rng.choice([&b"\xef\xbb\xbf"[..], b"[", b"{\"a\":", b"\xff"]).unwrap().iter().copied())
            .for_each(drop),
        _ => {}
    }
    bytes
}

/// Commits to a database file, as another connection sees them: while none is made, the state need not be read.
struct Commits(SqliteConnection);

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

impl Commits {
    fn of(file: &Path) -> Self {
        Self(SqliteConnection::establish(file.to_str().unwrap()).unwrap())
    }

    /// Number that changes with each commit (SQLite: `PRAGMA data_version`).
    fn number(&mut self) -> i64 {
        let found: DataVersion = diesel::sql_query("PRAGMA data_version").get_result(&mut self.0).unwrap();
        found.data_version
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_bodies_get_bounded_answers_and_refused_ones_change_nothing() {
    // One cart is read after every call.
    let served = Served::start_with("sqlite:orders.db", 1, false, "0", UNLIMITED).await;
    let state = State::of(&served).await;
    let mut rng = Rng::with_seed(SEED);
    let (mut met, mut longest) = (BTreeMap::<u16, usize>::new(), 0);
    let mut commits = Commits::of(&served.folder().join("orders.db"));
    let (mut before, mut seen) = (state.settled().await, commits.number());
    for _ in 0..BODIES {
        let (method, path, valid) = rng.choice(valid()).unwrap();
        let body = body(&valid, &mut rng);
        let url = format!("{}{}", state.base, path.replace("{order}", &state.order));
        let mut request = served.http.request(method.clone(), url).header("content-type", "application/json");
        if !path.contains("/storefront/") {
            request = request.header("x-api-key", &served.key);
        }
        request = request.header("x-spree-order-token", &state.cart).header("stripe-signature", "t=1,v1=00");
        let said = String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
        let response = request.body(body).send().await.unwrap_or_else(|error| panic!("{path} {said}: {error}"));
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        let what = format!("{method} {path} {said}: {status} {text}");
        assert!(status < 500, "{what}");
        // After a refusal by Stripe the order is placed, and stores the refusal.
        let is_stripes = text.contains("No such PaymentMethod");
        if status >= 400 && !is_stripes {
            assert!(text.len() <= REFUSAL_BYTES_MAX, "{} bytes: {what}", text.len());
            assert!(serde_json::from_str::<Value>(&text).is_ok_and(|it| it.is_object()), "{what}");
            let number = commits.number();
            if number != seen || state.objects_at_stripe().await != *before.last().unwrap() {
                let now = state.read().await;
                let changed: Vec<_> = now.iter().zip(&before).filter(|(now, before)| now != before).collect();
                assert!(changed.is_empty(), "{what}\n{changed:#?}");
                seen = number;
            }
        } else {
            (before, seen) = (state.settled().await, commits.number());
        }
        longest = longest.max(if status >= 400 { text.len() } else { 0 });
        *met.entry(status).or_default() += 1;
    }
    println!("{BODIES} bodies of seed {SEED}; by status: {met:?}; the longest refusal has {longest} bytes");
    assert!(met.keys().any(|it| *it < 300) && met.contains_key(&422), "{met:?}");
    let log = served.replicas[0].0.as_ref().unwrap().logged();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(answer(served.http.get(format!("{}/healthz", state.base))).await.status, 200);
}
