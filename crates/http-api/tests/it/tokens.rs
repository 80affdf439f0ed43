//! Tokens of customers, orders and carts: rules of the settings, two token secrets, and age.

use std::sync::Arc;

use actix_web::http::Method;
use jsonwebtoken::{EncodingKey, Header};
use paywright_http_api::{TokenRules, Tokens};
use paywright_testkit::MockGateway;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{NOW, ORDERS, Service, order};

const STORE: &str = "/api/v2/storefront";
const PLATFORM: &str = "/api/v2/platform";
const HOUR: i64 = 3600;
const DAY: u32 = 24 * 3600;

fn secret(letter: &str) -> SecretString {
    SecretString::from(letter.repeat(32))
}

/// Token of `cus-ada` with these claims too, signed as a shop signs it.
fn jwt(letter: &str, more: &Value) -> String {
    let mut claims = json!({ "sub": "cus-ada", "exp": NOW + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(letter.repeat(32).as_bytes())).unwrap()
}

impl Service {
    fn use_tokens(&mut self, tokens: Tokens) {
        self.api.tokens = Arc::new(tokens);
    }

    fn use_rules(&mut self, rules: TokenRules) {
        self.use_tokens(Tokens::new(&secret("s")).unwrap().with_rules(rules));
    }

    /// Status and code of a read of an order by a bearer token, and the status of a call in the Spree dialect.
    async fn by_bearer(&self, path: &str, bearer: &str) -> (u16, String, u16) {
        let bearer = format!("Bearer {bearer}");
        let headers = [("x-api-key", self.key.as_str()), ("authorization", bearer.as_str())];
        let read = self.send(Method::GET, path, &headers, b"").await;
        let listed = self.send(Method::GET, &format!("{STORE}/account/orders"), &headers[1..], b"").await;
        (read.status, read.code().to_owned(), listed.status)
    }

    /// Status of a call with the token of a cart or an order.
    async fn held(&self, method: Method, path: &str, token: &str) -> u16 {
        let headers = [("x-spree-order-token", token), ("content-type", "application/json")];
        self.send(method, &format!("{STORE}{path}"), &headers, b"").await.status
    }

    /// Token of a new cart.
    async fn cart_token(&self) -> String {
        let made = self.send(Method::POST, &format!("{STORE}/cart"), &[], b"{}").await;
        made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned()
    }
}

#[actix_web::test]
async fn a_customers_token_needs_the_issuer_and_the_audience_that_are_set() {
    let mut service = Service::with(MockGateway::new()).await;
    let path = format!("{ORDERS}/{}", service.placed().await["id"].as_str().unwrap());
    let (issuer, audience) = (Some("https://shop.example".to_owned()), Some("pay".to_owned()));
    let both = json!({ "iss": "https://shop.example", "aud": "pay" });
    for (rules, claims, detail) in [
        ((&None, &None), json!({}), ""),
        ((&None, &None), json!({ "iss": 7, "aud": { "of": "any form" } }), ""),
        ((&issuer, &None), json!({ "iss": "https://shop.example" }), ""),
        ((&issuer, &None), json!({}), "(`iss`)"),
        ((&issuer, &None), json!({ "iss": "https://shop.example/" }), "(`iss`)"),
        ((&issuer, &None), json!({ "iss": ["https://shop.example"] }), "(`iss`)"),
        ((&None, &audience), json!({ "aud": "pay" }), ""),
        ((&None, &audience), json!({ "aud": ["other", "pay"] }), ""),
        ((&None, &audience), json!({}), "(`aud`)"),
        ((&None, &audience), json!({ "aud": "Pay" }), "(`aud`)"),
        ((&None, &audience), json!({ "aud": ["other", 7] }), "(`aud`)"),
        ((&None, &audience), json!({ "aud": [] }), "(`aud`)"),
        ((&issuer, &audience), both, ""),
        ((&issuer, &audience), json!({ "iss": "https://shop.example" }), "(`aud`)"),
    ] {
        let (issuer, audience) = (rules.0.clone(), rules.1.clone());
        service.use_rules(TokenRules { issuer, audience, ..TokenRules::default() });
        let bearer = jwt("s", &claims);
        let expected = if detail.is_empty() { (200, String::new(), 200) } else { (401, "token_invalid".into(), 401) };
        assert_eq!(service.by_bearer(&path, &bearer).await, expected, "{rules:?} {claims}");
        let authorization = format!("Bearer {bearer}");
        let headers = [("x-api-key", service.key.as_str()), ("authorization", authorization.as_str())];
        let answer = service.send(Method::GET, &path, &headers, b"").await;
        let said = answer.body["error"]["detail"].as_str().unwrap_or_default();
        assert!(said.contains(detail) && !said.contains("shop.example"), "{claims}: {said}");
    }
    // What the service signs itself is accepted by its own rules.
    assert_eq!(service.by_bearer(&path, &service.token("cus-ada")).await.0, 200);
}

#[actix_web::test]
async fn a_customers_token_that_is_valid_for_too_long_is_refused() {
    let mut service = Service::with(MockGateway::new()).await;
    let path = format!("{ORDERS}/{}", service.placed().await["id"].as_str().unwrap());
    let long = "token_valid_too_long";
    for (hours_max, claims, code) in [
        // The default: thirty days.
        (Some(720), json!({ "iat": NOW, "exp": NOW + 720 * HOUR }), ""),
        (Some(720), json!({ "iat": NOW, "exp": NOW + 721 * HOUR }), long),
        (Some(1), json!({ "iat": NOW - 10, "exp": NOW + HOUR + 20 }), ""),
        (Some(1), json!({ "iat": NOW - 10, "exp": NOW + HOUR + 21 }), long),
        // Old, although it expires soon.
        (Some(1), json!({ "iat": NOW - 5 * HOUR, "exp": NOW + 60 }), long),
        // Without a time of issue, and with one in the future.
        (Some(1), json!({ "exp": NOW + HOUR }), ""),
        (Some(1), json!({ "exp": NOW + 2 * HOUR }), long),
        (Some(1), json!({ "iat": NOW + 9 * HOUR, "exp": NOW + 10 * HOUR }), long),
        (Some(1), json!({ "iat": "now", "exp": NOW + 60 }), "token_invalid"),
        // An expired token is that, however long it was valid.
        (Some(1), json!({ "iat": NOW - 5 * HOUR, "exp": NOW - 31 }), "token_invalid"),
        (None, json!({ "iat": NOW - 9 * HOUR, "exp": NOW + 99_999 * HOUR }), ""),
    ] {
        service.use_rules(TokenRules { customer_hours_max: hours_max, ..TokenRules::default() });
        let status = if code.is_empty() { 200 } else { 401 };
        let got = service.by_bearer(&path, &jwt("s", &claims)).await;
        assert_eq!(got, (status, code.to_owned(), status), "{hours_max:?} {claims}");
    }
}

#[actix_web::test]
async fn tokens_of_the_previous_secret_are_accepted_until_it_is_removed() {
    let mut service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let path = format!("{ORDERS}/{}", placed["id"].as_str().unwrap());
    let (order_token, cart_token) = (placed["token"].as_str().unwrap(), service.cart_token().await);
    let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", uuid(1), service.key);
    let type_of_form = [("content-type", "application/x-www-form-urlencoded")];
    let login = service.send(Method::POST, "/spree_oauth/token", &type_of_form, form.as_bytes()).await;
    let access_token = format!("Bearer {}", login.body["access_token"].as_str().unwrap_or_else(|| panic!("{login:?}")));
    let customer = jwt("s", &json!({}));
    let mut shown = Vec::new();
    for (previous, accepted) in [(Some("s"), true), (None, false)] {
        let current = Tokens::new(&secret("n")).unwrap();
        service.use_tokens(match previous {
            Some(letter) => current.with_previous(&secret(letter)).unwrap(),
            None => current,
        });
        let status = if accepted { 200 } else { 401 };
        assert_eq!(service.by_bearer(&path, &customer).await.0, status, "{previous:?}");
        assert_eq!(service.by_bearer(&path, order_token).await.0, status, "{previous:?}");
        let by_application = [("authorization", access_token.as_str())];
        let listed = service.send(Method::GET, &format!("{PLATFORM}/orders"), &by_application, b"").await;
        assert_eq!(listed.status, status, "{previous:?}");
        assert_eq!(service.held(Method::GET, "/cart", &cart_token).await, if accepted { 200 } else { 404 });
        // The current secret signs, and is the only one for what comes new.
        assert_eq!(service.by_bearer(&path, &jwt("n", &json!({}))).await.0, 200);
        assert_eq!(service.by_bearer(&path, &jwt("x", &json!({}))).await.0, 401);
        let headers = [("x-spree-order-token", cart_token.as_str())];
        let cart = service.send(Method::GET, &format!("{STORE}/cart"), &headers, b"").await;
        shown.push(cart.body["data"]["attributes"]["token"].as_str().unwrap_or_default().to_owned());
    }
    // While both were accepted, the cart was shown with a token that the current secret has signed.
    assert_ne!(shown[0], cart_token);
    assert_eq!(service.held(Method::GET, "/cart", &shown[0]).await, 200);
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

#[actix_web::test]
async fn the_token_of_an_order_ends_some_time_after_the_order_was_placed() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let (path, token) = (format!("{ORDERS}/{}", placed["id"].as_str().unwrap()), placed["token"].as_str().unwrap());
    service.clock.advance_seconds(89 * DAY);
    assert_eq!(service.by_bearer(&path, token).await.0, 200);
    service.clock.advance_seconds(DAY);
    let (status, code, in_spree) = service.by_bearer(&path, token).await;
    assert_eq!((status, code.as_str(), in_spree), (401, "token_too_old", 401));
    assert_eq!(service.held(Method::GET, "/stripe/payment_intents", token).await, 404);
    // The application itself and the customer still have access.
    assert_eq!(service.call(Method::GET, &path, &Value::Null).await.status, 200);
    let customer = jwt("s", &json!({ "exp": NOW + 91 * i64::from(DAY) }));
    assert_eq!(service.by_bearer(&path, &customer).await.0, 200);
}

#[actix_web::test]
async fn the_token_of_a_cart_ends_some_time_after_the_carts_last_change() {
    let mut service = Service::with(MockGateway::new()).await;
    service.api.storefront = service.api.storefront.clone().with_token_days(Some(90));
    let token = service.cart_token().await;
    let show = async |service: &Service| service.held(Method::GET, "/cart", &token).await;
    service.clock.advance_seconds(60 * DAY);
    let headers = [("x-spree-order-token", token.as_str()), ("content-type", "application/json")];
    let note = json!({ "order": { "special_instructions": "Ring twice" } }).to_string();
    let edited = service.send(Method::PATCH, &format!("{STORE}/checkout"), &headers, note.as_bytes()).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    service.clock.advance_seconds(90 * DAY - 1);
    assert_eq!(show(&service).await, 200);
    service.clock.advance_seconds(1);
    assert_eq!(show(&service).await, 404);
    let bearer = format!("Bearer {}", jwt("s", &json!({ "exp": NOW + 151 * i64::from(DAY) })));
    let named = json!({ "guest_order_token": token }).to_string();
    let by_ada = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let taken = service.send(Method::PATCH, &format!("{STORE}/cart/associate"), &by_ada, named.as_bytes()).await;
    assert_eq!(taken.status, 404, "nobody can assign a cart by a token that gives no access: {taken:?}");
    // A customer's own bearer token gives access to a cart of any age.
    let made = service.send(Method::POST, &format!("{STORE}/cart"), &by_ada, b"{}").await;
    let own = made.body["data"]["attributes"]["token"].as_str().unwrap();
    service.clock.advance_seconds(90 * DAY);
    let bearer = format!("Bearer {}", jwt("s", &json!({ "exp": NOW + 241 * i64::from(DAY) })));
    let headers = [("authorization", bearer.as_str()), ("x-spree-order-token", own)];
    assert_eq!(service.send(Method::GET, &format!("{STORE}/cart"), &headers, b"").await.status, 200);
    assert_eq!(service.held(Method::GET, "/cart", own).await, 404);
}

#[actix_web::test]
async fn an_order_is_placed_by_the_bearer_token_of_its_own_customer_alone() {
    let service = Service::with(MockGateway::new()).await;
    let of_another = service.placed().await;
    let (ada, eve) = (service.token("cus-ada"), service.token("cus-eve"));
    let mut of_nobody = order();
    of_nobody.as_object_mut().unwrap().remove("customer");
    let count = async || service.call(Method::GET, ORDERS, &Value::Null).await.body["data"]["orders"].clone();
    for (bearer, body, status, code) in [
        (ada.as_str(), order(), 201, ""),
        (eve.as_str(), order(), 403, "customer_mismatch"),
        (ada.as_str(), of_nobody.clone(), 403, "customer_mismatch"),
        (of_another["token"].as_str().unwrap(), order(), 403, "customer_mismatch"),
        ("nonsense", order(), 401, "token_invalid"),
    ] {
        let before = count().await;
        let authorization = format!("Bearer {bearer}");
        let headers = [
            ("x-api-key", service.key.as_str()),
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let placed = service.send(Method::POST, ORDERS, &headers, body.to_string().as_bytes()).await;
        assert_eq!((placed.status, placed.code()), (status, code), "{bearer}");
        assert_eq!(count().await == before, status != 201, "what is refused places no order");
    }
    assert_eq!(service.call(Method::POST, ORDERS, &of_nobody).await.status, 201, "an application places any order");
}
