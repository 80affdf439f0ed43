//! Every call of the shop dialect and of the Platform API with every kind of key and bearer token: each does only what
//! these allow, and a refused call reveals and changes nothing.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::program::{Answer, answer, two_lines};
use crate::served::Served;

/// One call; `{order}` in its path is replaced by Ada's order.
struct Route {
    method: Method,
    path: &'static str,
    scope: &'static str,
    /// Use of a bearer token by the call.
    bearer: Bearer,
    body: Option<fn() -> Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bearer {
    /// Optional; restricts the call to the token's customer or order.
    Narrows,
    /// As [`Self::Narrows`], for lists: those of the token's customer; the token of an order is refused.
    NarrowsList,
    /// As [`Self::Narrows`], for a new order, which must be the token's customer's.
    NarrowsNew,
    /// Required.
    Needed,
    /// Not read.
    Ignored,
}

fn routes() -> Vec<Route> {
    let on_order = |method, path, scope, body| Route { method, path, scope, bearer: Bearer::Narrows, body };
    let refund: fn() -> Value = || json!({ "amount": "1.00" });
    let edit: fn() -> Value = || json!({ "email": "eve@example.com" });
    let mug: fn() -> Value = || json!({ "variant": { "name": "Mug", "prices": { "USD": "14.00" } } });
    let mugs: fn() -> Value = || json!({ "variants": [{ "id": "mug", "name": "Mug", "prices": { "USD": "14.00" } }] });
    let terms: fn() -> Value = || json!({ "terms": {} });
    let edit_in_spree: fn() -> Value = || json!({ "order": { "email": "eve@example.com" } });
    let priced = |method, path, scope, body| Route { method, path, scope, bearer: Bearer::Ignored, body };
    vec![
        Route {
            method: Method::POST,
            path: "/api/v1/shop/orders",
            scope: "orders:write",
            bearer: Bearer::NarrowsNew,
            body: Some(two_lines),
        },
        Route {
            method: Method::GET,
            path: "/api/v1/shop/orders",
            scope: "orders:read",
            bearer: Bearer::NarrowsList,
            body: None,
        },
        on_order(Method::GET, "/api/v1/shop/orders/{order}", "orders:read", None),
        on_order(Method::GET, "/api/v1/shop/orders/{order}/refunds", "orders:read", None),
        on_order(Method::GET, "/api/v1/shop/orders/{order}/explain", "orders:read", None),
        on_order(Method::PATCH, "/api/v1/shop/orders/{order}", "orders:write", Some(edit)),
        on_order(Method::POST, "/api/v1/shop/orders/{order}/capture", "payments:write", None),
        on_order(Method::POST, "/api/v1/shop/orders/{order}/refunds", "payments:write", Some(refund)),
        on_order(Method::POST, "/api/v1/shop/orders/{order}/payment", "payments:write", None),
        Route {
            method: Method::POST,
            path: "/api/v1/shop/orders/{order}/payment-intent",
            scope: "orders:write",
            bearer: Bearer::Needed,
            body: None,
        },
        on_order(Method::POST, "/api/v1/shop/orders/{order}/cancel", "orders:write", None),
        priced(Method::GET, "/api/v2/platform/orders", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/orders/{order}", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/payments?filter[order_id_eq]={order}", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/payments/pi_1", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/line_items?filter[order_id_eq]={order}", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/line_items/{order}_1", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/adjustments?filter[order_id_eq]={order}", "orders:read", None),
        priced(Method::GET, "/api/v2/platform/adjustments/{order}_1", "orders:read", None),
        priced(Method::PATCH, "/api/v2/platform/orders/{order}", "orders:write", Some(edit_in_spree)),
        priced(Method::PATCH, "/api/v2/platform/orders/{order}/approve", "orders:write", None),
        priced(Method::PATCH, "/api/v2/platform/orders/{order}/cancel", "orders:write", None),
        priced(Method::GET, "/api/v2/platform/variants", "prices:read", None),
        priced(Method::PUT, "/api/v2/platform/variants", "prices:write", Some(mugs)),
        priced(Method::PUT, "/api/v2/platform/variants/mug", "prices:write", Some(mug)),
        priced(Method::GET, "/api/v2/platform/variants/mug", "prices:read", None),
        priced(Method::GET, "/api/v2/platform/terms", "prices:read", None),
        priced(Method::PUT, "/api/v2/platform/terms", "prices:write", Some(terms)),
        priced(Method::DELETE, "/api/v2/platform/variants/mug", "prices:write", None),
    ]
}

const SCOPES: [&str; 5] = ["orders:read", "orders:write", "payments:write", "prices:read", "prices:write"];

/// An API key as sent, with its scope if it is valid.
type Key = (String, Option<&'static str>);

fn keys(served: &Served) -> Vec<Option<Key>> {
    let created = |arguments: &[&str]| {
        let (done, printed, said) = served.run(&[&["keys", "create", "--name", "attacker"], arguments].concat());
        assert!(done, "{said}");
        printed
    };
    let text = |printed: &str| printed.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
    let mut keys: Vec<Option<Key>> =
        SCOPES.iter().map(|scope| Some((text(&created(&["--scope", scope])), Some(*scope)))).collect();
    let revoked = created(&["--scope", "orders:read", "--scope", "orders:write"]);
    let id = revoked.split_whitespace().find(|it| it.len() == 36 && it.matches('-').count() == 4).unwrap();
    assert!(served.run(&["keys", "revoke", id]).0, "{revoked}");
    keys.push(Some((text(&revoked), None)));
    keys.push(Some((format!("pwk_{}", "0".repeat(64)), None)));
    keys.push(Some(("x".repeat(4000), None)));
    keys.push(None);
    keys
}

/// Owner of a bearer token; [`Self::Nobody`] if the token is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Owner,
    OwnersOrder,
    Another,
    AnothersOrder,
    Nobody,
}

fn bearers(served: &Served, order: &Value, other: &Value) -> Vec<Option<(String, Whose)>> {
    let token = |customer: &str| served.run(&["token", "--customer", customer]).1.trim().to_owned();
    let forged = |it: &str| format!("{}A", &it[..it.len() - 1]);
    let of = |order: &Value| order["token"].as_str().unwrap().to_owned();
    let ada = token("cus-ada");
    vec![
        None,
        Some((ada.clone(), Whose::Owner)),
        Some((of(order), Whose::OwnersOrder)),
        Some((token("cus-eve"), Whose::Another)),
        Some((of(other), Whose::AnothersOrder)),
        // `{"alg":"none"}` and `{"sub":"cus-ada","exp":9999999999}`.
        Some(("eyJhbGciOiJub25lIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjo5OTk5OTk5OTk5fQ.".into(), Whose::Nobody)),
        Some((forged(&forged(&ada)) + "AA", Whose::Nobody)),
        Some((format!("pwo_{}_x", "0".repeat(32)), Whose::Nobody)),
    ]
}

/// The status with which a call must be refused, or `None` if it must reach its use case.
fn refusal(route: &Route, key: Option<&Key>, bearer: Option<Whose>) -> Option<u16> {
    let Some((_, Some(scope))) = key else { return Some(401) };
    if *scope != route.scope {
        return Some(403);
    }
    match (route.bearer, bearer) {
        (Bearer::Ignored, _) | (Bearer::Narrows | Bearer::NarrowsList | Bearer::NarrowsNew, None) => None,
        (Bearer::Needed, None) | (_, Some(Whose::Nobody)) => Some(401),
        (Bearer::NarrowsList | Bearer::NarrowsNew, Some(Whose::OwnersOrder | Whose::AnothersOrder))
        | (Bearer::NarrowsNew, Some(Whose::Another)) => Some(403),
        (Bearer::NarrowsList, Some(Whose::Owner | Whose::Another)) | (_, Some(Whose::Owner | Whose::OwnersOrder)) => {
            None
        }
        (_, Some(Whose::Another | Whose::AnothersOrder)) => Some(404),
    }
}

struct Matrix {
    served: Served,
    base: String,
}

impl Matrix {
    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> RequestBuilder {
        let request = self.served.http.request(method, format!("{}{path}", self.base));
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    }

    async fn as_shop(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        answer(self.request(method, path, body).header("x-api-key", &self.served.key)).await
    }

    /// All state that a call could change.
    async fn state(&self) -> [Value; 3] {
        let mut state = [const { Value::Null }; 3];
        for (n, path) in
            ["/api/v1/shop/orders?limit=100", "/api/v2/platform/variants", "/api/v2/platform/terms"].iter().enumerate()
        {
            let read = self.as_shop(Method::GET, path, None).await;
            assert_eq!(read.status, 200, "{read:?}");
            state[n] = read.body;
        }
        state
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_does_only_what_its_key_and_bearer_token_allow() {
    let served = Served::start("sqlite:orders.db", 1, false, "0").await;
    let base = format!("http://{}", served.address(0));
    let keys = keys(&served);
    let matrix = Matrix { served, base };
    let placed = |customer: &'static str| {
        let mut order = two_lines();
        order["customer"] = json!(customer);
        order
    };
    let order =
        matrix.as_shop(Method::POST, "/api/v1/shop/orders", Some(&placed("cus-ada"))).await.body["data"].clone();
    let other =
        matrix.as_shop(Method::POST, "/api/v1/shop/orders", Some(&placed("cus-eve"))).await.body["data"].clone();
    let bearers = bearers(&matrix.served, &order, &other);
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for route in routes() {
        let path = route.path.replace("{order}", order["id"].as_str().unwrap());
        let body = route.body.map(|it| it());
        for key in &keys {
            let mut state = matrix.state().await;
            for bearer in &bearers {
                let mut request = matrix.request(route.method.clone(), &path, body.as_ref());
                if let Some((text, _)) = key {
                    request = request.header("x-api-key", text);
                }
                if let Some((text, _)) = bearer {
                    request = request.bearer_auth(text);
                }
                let got = answer(request).await;
                let whose = bearer.as_ref().map(|(_, whose)| *whose);
                let what =
                    format!("{} {} {:?} {whose:?}: {got:?}", route.method, route.path, key.as_ref().map(|it| it.1));
                if let Some(status) = refusal(&route, key.as_ref(), whose) {
                    assert_eq!(got.status, status, "{what}");
                    let told = got.body.to_string();
                    assert!(!told.contains("ada@example.com") && !told.contains("Main product"), "{what}");
                    assert_eq!(matrix.state().await, state, "{what}");
                } else {
                    assert!(![400, 401, 403, 405, 415].contains(&got.status) && got.status < 500, "{what}");
                    if whose == Some(Whose::Another) && route.bearer == Bearer::NarrowsList {
                        assert!(!got.body.to_string().contains(order["id"].as_str().unwrap()), "{what}");
                    }
                    state = matrix.state().await;
                }
                *met.entry(format!("{}", got.status)).or_default() += 1;
            }
        }
    }
    let calls: usize = met.values().sum();
    println!(
        "{calls} calls: {} routes, {} keys, {} bearers; by status: {met:?}",
        routes().len(),
        keys.len(),
        bearers.len()
    );
}
