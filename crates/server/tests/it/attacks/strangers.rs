//! Every storefront call by callers without access to Ada's cart: no answer contains her data, and her cart is
//! unchanged.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::program::{Answer, answer};
use crate::served::Served;

/// Texts that only Ada's cart contains.
const ADAS: [&str; 2] = ["ada@example.com", "Analytical"];

struct Front {
    http: Client,
    base: String,
}

/// Credentials of a caller: a bearer token, and the token of a cart or an order.
#[derive(Clone, Default)]
struct Caller {
    name: &'static str,
    bearer: Option<String>,
    token: Option<String>,
}

impl Front {
    async fn call(&self, caller: &Caller, method: Method, path: &str, body: &Value) -> Answer {
        let mut request = self.http.request(method, format!("{}/api/v2/storefront{path}", self.base));
        if let Some(bearer) = &caller.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(token) = &caller.token {
            request = request.header("x-spree-order-token", token);
        }
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Creates a cart with a line, an email address and an address.
    async fn cart(&self, caller: &mut Caller, email: &str, street: &str) -> Value {
        let made = self.call(caller, Method::POST, "/cart", &json!({})).await;
        let token = made.body["data"]["attributes"]["token"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
        caller.token = Some(token);
        let address = json!({
            "firstname": "A", "lastname": "L", "address1": street, "city": "New York", "state_name": "New York",
            "zipcode": "10001", "country_iso": "US",
        });
        let order = json!({ "order": {
            "email": email, "ship_address_attributes": address,
        } });
        for (method, path, body) in [
            (Method::POST, "/cart/add_item", json!({ "variant_id": "mug", "quantity": 1 })),
            (Method::PATCH, "/checkout", order),
            (Method::PATCH, "/checkout/advance", json!({})),
        ] {
            let done = self.call(caller, method, path, &body).await;
            assert_eq!(done.status, 200, "{path}: {done:?}");
        }
        self.call(caller, Method::GET, "/cart", &Value::Null).await.body
    }
}

/// Every call, with `{line}` for a line of Ada's cart, `{order}` for her order's number and `{intent}` for her payment
/// intent.
fn calls() -> Vec<(Method, &'static str, Value)> {
    let line = json!({ "line_item_id": "{line}", "quantity": 5 });
    let eve = json!({ "order": { "email": "eve@example.com" } });
    let intent = json!({ "payment_intent": { "off_session": false } });
    vec![
        (Method::GET, "/cart", Value::Null),
        (Method::POST, "/cart/add_item", json!({ "variant_id": "mug", "quantity": 3 })),
        (Method::PATCH, "/cart/set_quantity", line),
        (Method::DELETE, "/cart/remove_line_item/{line}", Value::Null),
        (Method::PATCH, "/cart/empty", json!({})),
        (Method::PATCH, "/cart/apply_coupon_code", json!({ "coupon_code": "WELCOME" })),
        (Method::DELETE, "/cart/remove_coupon_code/WELCOME", Value::Null),
        (Method::GET, "/cart/estimate_shipping_rates?country_iso=US", Value::Null),
        (Method::PATCH, "/cart/associate?guest_order_token={token}", json!({})),
        (Method::PATCH, "/cart/change_currency", json!({ "new_currency": "USD" })),
        (Method::PATCH, "/checkout", eve),
        (Method::PATCH, "/checkout/next", json!({})),
        (Method::PATCH, "/checkout/advance", json!({})),
        (Method::PATCH, "/checkout/complete", json!({})),
        (Method::POST, "/checkout/validate_order_for_payment", json!({})),
        (Method::GET, "/checkout/payment_methods", Value::Null),
        (Method::GET, "/checkout/shipping_rates", Value::Null),
        (Method::PATCH, "/checkout/select_shipping_method", json!({ "shipping_method_id": "post" })),
        (Method::GET, "/order_status/{order}", Value::Null),
        (Method::GET, "/account/orders", Value::Null),
        (Method::GET, "/account/orders/{order}", Value::Null),
        (Method::GET, "/account/credit_cards", Value::Null),
        (Method::GET, "/stripe/payment_intents", Value::Null),
        (Method::GET, "/stripe/payment_intents/{intent}", Value::Null),
        (Method::PATCH, "/stripe/payment_intents/{intent}", intent.clone()),
        (Method::PATCH, "/stripe/payment_intents/{intent}/confirm", json!({})),
        (Method::POST, "/stripe/payment_intents", intent),
        (Method::DELETE, "/cart", Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_read_or_change_a_cart_order_or_payment() {
    let unlimited =
        "limits.cart_per_minute = 0\nlimits.cart_payment_per_minute = 0\nlimits.cart_coupons_per_minute = 0";
    let served = Served::start_with("sqlite:orders.db", 1, false, "0", unlimited).await;
    let front = Front { http: served.http.clone(), base: format!("http://{}", served.address(0)) };
    let mugs = json!({ "variants": [{ "id": "mug", "name": "Mug", "prices": { "USD": "14.00" } }] });
    let terms: Value = serde_json::from_str(include_str!("../../../src/demo/terms.json")).unwrap();
    for (path, body) in [("variants", mugs), ("terms", json!({ "terms": terms }))] {
        let put = front.http.put(format!("{}/api/v2/platform/{path}", front.base)).header("x-api-key", &served.key);
        assert_eq!(answer(put.header("content-type", "application/json").body(body.to_string())).await.status, 200);
    }
    let bearer = |customer: &str| Some(served.run(&["token", "--customer", customer]).1.trim().to_owned());
    let mut ada = Caller { name: "ada", bearer: bearer("cus-ada"), token: None };
    let cart = front.cart(&mut ada, "ada@example.com", "1 Analytical Way").await;
    let wanted = json!({ "payment_intent": { "off_session": false } });
    let intent = front.call(&ada, Method::POST, "/stripe/payment_intents", &wanted).await;
    let intent =
        intent.body["data"]["attributes"]["stripe_id"].as_str().unwrap_or_else(|| panic!("{intent:?}")).to_owned();
    let before = front.call(&ada, Method::GET, "/cart", &Value::Null).await.body;
    let (token, line) =
        (ada.token.clone().unwrap(), cart["data"]["relationships"]["line_items"]["data"][0]["id"].clone());
    let number = cart["data"]["attributes"]["number"].as_str().unwrap();

    let mut eve = Caller { name: "eve", bearer: bearer("cus-eve"), token: None };
    front.cart(&mut eve, "eve@example.com", "2 Main St").await;
    let mut guest = Caller { name: "a guest", ..Caller::default() };
    front.cart(&mut guest, "guest@example.com", "3 Main St").await;
    // Another code for the same cart. Its kind and its id have no `_` in them, and the code may have some.
    let parts: Vec<_> = token.splitn(3, '_').collect();
    let forged = format!("{}_{}_{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());
    assert_ne!(forged, token);
    let strangers = [
        Caller { name: "nobody", ..Caller::default() },
        Caller { name: "a forger", token: Some(forged.clone()), ..Caller::default() },
        Caller { name: "eve alone", token: None, ..eve.clone() },
        Caller { name: "eve with ada's token", token: Some(token.clone()), ..eve.clone() },
        Caller { name: "eve with a forged token", token: Some(forged), ..eve.clone() },
        guest,
        eve,
    ];
    let mut met = BTreeMap::<u16, usize>::new();
    for (method, path, body) in calls() {
        let of_ada = |text: &str| {
            let text = text.replace("{line}", line.as_str().unwrap()).replace("{order}", number);
            text.replace("{intent}", &intent).replace("{token}", &token)
        };
        let body: Value = serde_json::from_str(&of_ada(&body.to_string())).unwrap();
        for stranger in &strangers {
            // A guest's cart can be associated with its token; Ada's cart is not a guest's.
            let got = front.call(stranger, method.clone(), &of_ada(path), &body).await;
            let what = format!("{} {method} {path}: {got:?}", stranger.name);
            assert!(got.status < 500, "{what}");
            let told = got.body.to_string();
            assert!(!ADAS.iter().any(|it| told.contains(it)), "{what}");
            assert!(!told.contains(&token) && !told.contains(&intent), "{what}");
            *met.entry(got.status).or_default() += 1;
        }
        assert_eq!(front.call(&ada, Method::GET, "/cart", &Value::Null).await.body, before, "{method} {path}");
    }
    println!("{} calls of {} strangers; by status: {met:?}", calls().len() * strangers.len(), strangers.len());
}
