//! The Spree dialect: refusals, their words, and that they change nothing. Successes are tested by Spree's own client on the
//! built program.

mod as_rails;
mod cards;
mod checkout;
mod delayed;
pub(crate) mod description;
mod forged;
mod include;
mod orders;
mod owner;
mod platform;
mod taxes;
mod wallet;
mod who;

use actix_web::http::Method;
use paywright_app::{PriceList, Scope, Storefront};
use paywright_testkit::storefront_contract::{terms, variant};
use serde_json::{Value, json};

use crate::{Answer, Service};
use paywright_testkit::Provider;

const STORE: &str = "/api/v2/storefront";
const PLATFORM: &str = "/api/v2/platform";
const NOT_FOUND: &str = "The resource you were looking for could not be found.";
const NO_EMAIL: &str = "Email must be an email address like ada@example.com";
const NOT_ALLOWED: &str = "You are not authorized to access this page.";

impl Service {
    /// Calls as a storefront does, with the token of a cart if it is not empty.
    async fn store(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let headers = [("x-spree-order-token", token), ("content-type", "application/json")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(method, &format!("{STORE}{path}"), &headers, text.as_bytes()).await;
        let type_of_nothing = answer.status == 204 && answer.header("content-type").is_none();
        assert!(type_of_nothing || answer.header("content-type") == Some("application/vnd.api+json"), "{answer:?}");
        answer
    }

    /// A cart with a bone and a toy at 35.00.
    async fn cart(&self) -> String {
        let made = self.store(Method::POST, "/cart", "", &json!({})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
        for id in ["bone", "toy"] {
            let added = self.store(Method::POST, "/cart/add_item", &token, &json!({ "variant_id": id })).await;
            assert_eq!(added.status, 200, "{added:?}");
        }
        token
    }

    /// A cart with a bone and a toy that goes to the United States by post, at the step of paying: 39.90.
    async fn cart_to_pay(&self) -> String {
        let token = self.cart().await;
        let order = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address("US") } });
        for (path, body) in [("/checkout", order), ("/checkout/advance", json!({ "state": "payment" }))] {
            let done = self.store(Method::PATCH, path, &token, &body).await;
            assert_eq!(done.status, 200, "{done:?}");
        }
        token
    }

    async fn shown(&self, token: &str) -> Value {
        let mut shown = self.store(Method::GET, "/cart", token, &Value::Null).await.body["data"].clone();
        shown["attributes"]["updated_at"] = Value::Null;
        shown
    }
}

/// Complete address.
fn address(country: &str) -> Value {
    json!({ "country_iso": country, "firstname": "Ada", "lastname": "Lovelace", "address1": "1 Analytical Way",
        "city": "New York", "zipcode": "10001", "state_name": "New York", "phone": "555-0100" })
}

/// Service with the variants `bone` and `toy`.
async fn open() -> Service {
    open_with_provider().await.0
}

async fn open_with_provider() -> (Service, Provider) {
    let (service, provider) = Service::open().await;
    service.store.put_variants(&[variant("bone", 1000), variant("toy", 2500)]).await.unwrap();
    service.store.put_terms(&terms()).await.unwrap();
    (service, provider)
}

#[actix_web::test]
async fn a_refusal_is_worded_as_in_spree_and_changes_nothing() {
    let service = open().await;
    let token = service.cart().await;
    let before = service.shown(&token).await;
    let order = |order: Value| json!({ "order": order });
    let line = |number: u32| format!("{}_{number}", before["id"].as_str().unwrap());
    // A line of another cart of the same guest.
    let other = format!("{}_1", service.shown(&service.cart().await).await["id"].as_str().unwrap());
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let address = |field: &str, value: Value| {
        let mut address = json!({ "country_iso": "DE" });
        address[field] = value;
        order(json!({ "ship_address_attributes": address }))
    };
    for (method, path, body, status, error) in [
        (&post, "/cart/add_item", json!({}), 400, "param is missing or the value is empty: variant_id"),
        (&post, "/cart/add_item", json!({ "variant_id": "none" }), 404, NOT_FOUND),
        (&post, "/cart/add_item", json!({ "variant_id": "a b" }), 404, NOT_FOUND),
        (&post, "/cart/add_item", json!({ "variant_id": ["bone"] }), 422, "Variant id must be a string"),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": "two" }),
            422,
            "Quantity must be an integer",
        ),
        (&post, "/cart/add_item", json!({ "variant_id": "bone", "quantity": 1.5 }), 422, "Quantity must be an integer"),
        (&post, "/cart/add_item", json!(["bone", 1]), 400, "the body must be a JSON object"),
        (&post, "/cart", json!({ "public_metadata": [["k", "v"]] }), 422, "Public metadata must be an object"),
        (&patch, "/checkout", json!({ "order": ["ada@example.com"] }), 422, "Order must be an object"),
        (&patch, "/checkout", order(json!({ "use_billing": "maybe" })), 422, "Use billing must be true or false"),
        (
            &patch,
            "/checkout",
            order(json!({ "email": 7, "special_instructions": [], "shipments_attributes": [["post"]],
                "ship_address_attributes": { "country_iso": "ZZ", "city": {} } })),
            422,
            "Email must be an email address like ada@example.com, Special instructions must be a string, \
             Ship address country iso must be the two or three letters of a country, like DE or DEU, \
             Ship address city must be a string, and Shipments attributes[0] must be an object",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": 0 }),
            422,
            "Quantity has to be greater than 0",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": "-1" }),
            422,
            "Quantity has to be greater than 0",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": "-99999999999999999999" }),
            422,
            "Quantity has to be greater than 0",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": 10_000 }),
            422,
            "Quantity must be 1 to 10000",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "quantity": "99999999999999999999" }),
            422,
            "Quantity must be 1 to 10000",
        ),
        (
            &patch,
            "/cart/set_quantity",
            json!({ "line_item_id": line(1), "quantity": 4_294_967_296_u64 }),
            422,
            "Quantity must be 1 to 10000",
        ),
        (&patch, "/cart/set_quantity", json!({ "line_item_id": "1", "quantity": 1 }), 404, NOT_FOUND),
        (&patch, "/cart/set_quantity", json!({ "line_item_id": line(9), "quantity": 1 }), 404, NOT_FOUND),
        (&patch, "/cart/set_quantity", json!({ "line_item_id": other, "quantity": 1 }), 404, NOT_FOUND),
        (&patch, "/cart/set_quantity", json!({ "line_item_id": line(1) }), 422, "Quantity has to be greater than 0"),
        (&delete, "/cart/remove_line_item/1", json!({}), 404, NOT_FOUND),
        (&delete, &format!("/cart/remove_line_item/{}", line(9)), json!({}), 404, NOT_FOUND),
        (&delete, &format!("/cart/remove_line_item/{other}"), json!({}), 404, NOT_FOUND),
        (
            &patch,
            "/cart/apply_coupon_code",
            json!({ "coupon_code": "x" }),
            422,
            "The coupon code you entered doesn't exist. Please try again.",
        ),
        (
            &delete,
            "/cart/remove_coupon_code/ten",
            json!({}),
            422,
            "The coupon code you entered doesn't exist. Please try again.",
        ),
        (
            &delete,
            "/cart/remove_coupon_code",
            json!({}),
            422,
            "No coupon code provided and the Order doesn't have any coupon code promotions applied",
        ),
        (
            &get,
            "/checkout/shipping_rates",
            Value::Null,
            422,
            "To generate Shipping Rates Order needs to have a Shipping Address",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "private_metadata": { "k": "v" } }),
            422,
            "Private metadata is not stored: use public_metadata",
        ),
        (
            &post,
            "/cart/add_item",
            json!({ "variant_id": "bone", "public_metadata": { "k": [] } }),
            422,
            "Public metadata k must be a string, a number, true or false",
        ),
        (&patch, "/cart/change_currency", json!({ "new_currency": "XXX" }), 422, "Currency not supported"),
        (&patch, "/cart/associate", json!({}), 403, NOT_ALLOWED),
        (&get, "/cart?include=nonsense", Value::Null, 400, "nonsense is not specified as a relationship on cart"),
        (
            &get,
            "/cart/estimate_shipping_rates?country_iso=x",
            Value::Null,
            422,
            "Country iso must be the two or three letters",
        ),
        (&patch, "/checkout", order(json!({ "email": "ada" })), 422, NO_EMAIL),
        (&patch, "/checkout", order(json!({ "email": "x@gmail" })), 422, NO_EMAIL),
        (&patch, "/checkout", order(json!({ "email": "a@example,com" })), 422, NO_EMAIL),
        (&patch, "/checkout", order(json!({ "email": "<a@example.com>" })), 422, NO_EMAIL),
        (
            &patch,
            "/checkout",
            address("country_iso", json!("ZZ")),
            422,
            "Ship address country iso must be the two or three letters",
        ),
        (&patch, "/checkout", address("city", json!("x".repeat(101))), 422, "Ship address city must have at most 100"),
        (
            &patch,
            "/checkout",
            address("company", json!("Analytical Ltd")),
            422,
            "Ship address firstname can't be blank, Ship address lastname can't be blank, Ship address address1 can't be \
             blank, and Ship address city can't be blank",
        ),
        (&patch, "/checkout", address("quick_checkout", json!(true)), 422, "Ship address city can't be blank"),
        (&patch, "/checkout", order(json!({ "ship_address_id": "7" })), 422, "Ship address id is not known"),
        (
            &patch,
            "/checkout",
            order(json!({ "payments_attributes": [{ "payment_method_id": "7" }] })),
            422,
            "payment_method_not_found",
        ),
        (&patch, "/checkout", order(json!({ "existing_card": "7" })), 422, "source_not_found"),
        (&patch, "/checkout/complete", json!({}), 422, "Email can't be blank"),
        (&patch, "/checkout/advance", json!({ "state": "paid" }), 422, "State must be address, delivery or payment"),
        (
            &patch,
            "/checkout/select_shipping_method",
            json!({ "shipping_method_id": "post" }),
            422,
            "shipment_not_found",
        ),
        (&post, "/checkout/create_payment", json!({ "payment_method_id": "1" }), 422, "payment_method_not_found"),
        (&get, "/order_status/ORD-20250331-000000", Value::Null, 404, NOT_FOUND),
        (&get, "/account/orders", Value::Null, 403, NOT_ALLOWED),
        (&get, "/account/credit_cards", Value::Null, 403, NOT_ALLOWED),
        (&delete, "/account/credit_cards/pm_1", json!({}), 403, NOT_ALLOWED),
        (&get, "/stripe/payment_intents", Value::Null, 404, NOT_FOUND),
        (&get, "/stripe/payment_intents/pi_1", Value::Null, 404, NOT_FOUND),
        (&patch, "/stripe/payment_intents/pi_1/confirm", json!({}), 404, NOT_FOUND),
        (
            &post,
            "/stripe/payment_intents",
            json!({ "payment_intent": {} }),
            400,
            "param is missing or the value is empty: payment_intent",
        ),
        (
            &post,
            "/stripe/payment_intents",
            json!({ "payment_intent": { "amount": 1 } }),
            422,
            "Email can't be blank, Ship address can't be blank, and Shipping method can't be blank",
        ),
        (
            &post,
            "/stripe/payment_intents",
            json!({ "payment_intent": { "off_session": true } }),
            422,
            "Off session must be false",
        ),
        (
            &post,
            "/stripe/payment_intents",
            json!({ "payment_intent": { "stripe_payment_method_id": "pm/1" } }),
            422,
            "Stripe payment method id must be a payment method",
        ),
        (&post, "/stripe/setup_intents", json!({}), 403, NOT_ALLOWED),
        (&get, "/nowhere", Value::Null, 404, NOT_FOUND),
        (&delete, "/checkout", json!({}), 404, NOT_FOUND),
    ] {
        let refused = service.store(method.clone(), path, &token, &body).await;
        let said = refused.body["error"].as_str().unwrap_or_default();
        assert!(refused.status == status && said.starts_with(error), "{method} {path} {body}: {refused:?}");
        for problems in refused.body["errors"].as_object().into_iter().flat_map(|it| it.values()) {
            assert!(problems.as_array().is_some_and(|it| it.iter().all(Value::is_string)), "{refused:?}");
        }
        assert_eq!(service.shown(&token).await, before, "{method} {path} {body}");
    }
    let login = service.send(Method::POST, "/spree_oauth/token", &[], b"{}").await;
    assert!(login.status == 400 && login.body["error"] == "invalid_request", "{login:?}");
    let broken = service.send(Method::POST, &format!("{STORE}/cart"), &[], b"[1]").await;
    assert_eq!(broken.status, 400);
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(300_000));
    let refused = service.send(Method::POST, &format!("{STORE}/cart"), &[], large.as_bytes()).await;
    assert_eq!(
        (refused.status, refused.body["error"].as_str().unwrap()),
        (413, "the body must have at most 262144 bytes")
    );
}

#[actix_web::test]
async fn a_token_gives_access_to_its_own_cart_alone_wherever_it_is_sent() {
    let service = open().await;
    let (token, other) = (service.cart().await, service.cart().await);
    let id = service.shown(&token).await["id"].clone();
    assert_ne!(service.shown(&other).await["id"], id);
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let answer = service.send(Method::GET, &format!("{STORE}{path}"), headers, b"").await;
        (answer.status, answer.body["data"]["id"].clone())
    };
    let found = (200, id.clone());
    assert_eq!(get("/cart", &[("x-vendo-order-token", &token), ("x-spree-order-token", &other)]).await, found);
    assert_eq!(get(&format!("/cart?order_token={token}"), &[]).await, found);
    let in_body = json!({ "order_token": token }).to_string();
    let emptied = service.send(Method::PATCH, &format!("{STORE}/cart/empty"), &[], in_body.as_bytes()).await;
    assert_eq!((emptied.status, emptied.body["data"]["id"].clone()), found);
    let forged = format!("{}A", &token[..token.len() - 1]);
    for wrong in ["", "x", &forged, &token.replace("pwc_", "pwo_")] {
        assert_eq!(get("/cart", &[("x-spree-order-token", wrong)]).await.0, 404, "{wrong}");
    }
    // A customer's bearer token gives access to the customer's cart; an invalid one is refused.
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    assert_eq!(get("/cart", &[("authorization", &bearer)]).await.0, 404);
    let associate = json!({ "guest_order_token": token }).to_string();
    let headers = [("authorization", bearer.as_str())];
    let own = service.send(Method::PATCH, &format!("{STORE}/cart/associate"), &headers, associate.as_bytes()).await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(get("/cart", &headers).await, found);
    let eve = format!("Bearer {}", service.token("cus-eve"));
    let taken = service
        .send(Method::PATCH, &format!("{STORE}/cart/associate"), &[("authorization", &eve)], associate.as_bytes())
        .await;
    assert_eq!((taken.status, &taken.body["error"]), (422, &json!("Already assigned to a user")));
    let refused = service.send(Method::GET, &format!("{STORE}/cart"), &[("authorization", "Bearer x")], b"").await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &json!("The access token is invalid")));
    // The token of an order of the shop dialect gives access to its payment, too.
    let placed = service.placed().await;
    let order_token = placed["token"].as_str().unwrap();
    let params = json!({ "payment_intent": { "off_session": false } });
    let intent = service.store(Method::POST, "/stripe/payment_intents", order_token, &params).await;
    assert_eq!((intent.status, &intent.body["data"]["attributes"]["amount"]), (200, &json!("112.0")));
    assert_eq!(intent.body["data"]["id"], placed["id"]);
}

/// An ephemeral key gives access to everything that a customer has saved. It is created for the app's version of Stripe's
/// API.
#[actix_web::test]
async fn an_ephemeral_key_is_created_for_the_customers_bearer_token_alone() {
    let service = open().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let send = async |method: Method, path: &str, headers: &[(&str, &str)], body: &Value| {
        service.send(method, &format!("{STORE}{path}"), headers, body.to_string().as_bytes()).await
    };
    let own = [("authorization", bearer.as_str()), ("stripe-version", "2024-06-20")];
    let cart = send(Method::POST, "/cart", &own, &json!({})).await.body;
    let token = cart["data"]["attributes"]["token"].as_str().unwrap();
    send(Method::POST, "/cart/add_item", &own, &json!({ "variant_id": "bone" })).await;
    let order = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address("US") } });
    send(Method::PATCH, "/checkout", &own, &order).await;
    send(Method::PATCH, "/checkout/advance", &own, &json!({})).await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let key = |answer: &Answer| answer.body["data"]["attributes"]["ephemeral_key_secret"].clone();
    let made = send(Method::POST, "/stripe/payment_intents", &own, &params).await;
    assert_eq!((made.status, key(&made)), (200, json!("ek_cus_ada_2024-06-20_1")), "{made:?}");
    let again = send(Method::GET, "/stripe/payment_intents", &own[..1], &Value::Null).await;
    assert_eq!(key(&again), json!("ek_cus_ada_ours_2"), "another one, each time");
    let holder = service.store(Method::POST, "/stripe/payment_intents", token, &params).await;
    assert_eq!((key(&holder), &holder.body["data"]["attributes"]["customer_id"]), (Value::Null, &json!("cus_ada")));
    let eve = format!("Bearer {}", service.token("eve"));
    let both = [("authorization", eve.as_str()), ("x-spree-order-token", token)];
    assert_eq!(send(Method::GET, "/stripe/payment_intents", &both, &Value::Null).await.status, 404);
    // A well-formed version that Stripe refuses: the intent is shown without a key.
    service.cards.does_not_know("2099-01-01");
    let newer = [("authorization", bearer.as_str()), ("stripe-version", "2099-01-01")];
    let shown = send(Method::POST, "/stripe/payment_intents", &newer, &params).await;
    let id = &shown.body["data"]["attributes"]["stripe_id"];
    assert_eq!((shown.status, id, key(&shown)), (200, &made.body["data"]["attributes"]["stripe_id"], Value::Null));
    let odd = [("authorization", bearer.as_str()), ("stripe-version", "a\"b")];
    assert_eq!(send(Method::POST, "/stripe/setup_intents", &odd, &json!({})).await.status, 400);
}

/// A storefront of another origin calls from the browser.
#[actix_web::test]
async fn cors_admits_pages_of_configured_origins_alone() {
    let mut service = open().await;
    let ask = async |service: &Service, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "x-spree-order-token,content-type"),
        ];
        let asked = service.send(Method::OPTIONS, &format!("{STORE}/checkout"), &headers, b"").await;
        let done = service.send(Method::GET, &format!("{STORE}/cart"), &[("origin", origin)], b"").await;
        [asked, done].map(|it| it.header("access-control-allow-origin").map(str::to_owned))
    };
    let shop = Some("https://shop.example".to_owned());
    assert_eq!(ask(&service, "https://shop.example").await, [shop.clone(), shop]);
    assert_eq!(ask(&service, "https://evil.example").await, [None, None]);
    service.api.allowed_origins = vec!["*".into()];
    let any = Some("*".to_owned());
    assert_eq!(ask(&service, "https://evil.example").await, [any.clone(), any]);
    let headers = [("origin", "https://shop.example")];
    let platform = service.send(Method::GET, &format!("{PLATFORM}/variants"), &headers, b"").await;
    assert_eq!(platform.header("access-control-allow-origin"), None, "an API key has no place in a page");
}

#[actix_web::test]
async fn a_document_has_the_requested_includes_and_fields() {
    let service = open().await;
    let token = service.cart().await;
    let shown =
        service.store(Method::GET, "/cart?include=line_items.variant&fields[cart]=number,total", &token, &Value::Null);
    let shown = shown.await.body;
    let names: Vec<_> = shown["data"]["attributes"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["number", "total"]);
    let kinds: Vec<_> = shown["included"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["line_item", "variant", "line_item", "variant"]);
    let first = &shown["included"][0];
    assert_eq!(
        (&first["attributes"]["price"], &first["attributes"]["display_price"]),
        (&json!("10.0"), &json!("$10.00"))
    );
    assert_eq!(shown["data"]["relationships"]["line_items"]["data"][0]["id"], first["id"]);
    // Relationships of the catalog are empty, and accepted.
    let catalog = "line_items.variant.product.images,line_items.variant.option_values,variants.images,user";
    let asked = service.store(Method::GET, &format!("/cart?include={catalog}"), &token, &Value::Null).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    // Shares of a discount add up: 10 % of 35.00 on 10.00 and 25.00.
    service.store(Method::PATCH, "/cart/apply_coupon_code", &token, &json!({ "coupon_code": "ten" })).await;
    let body = json!({ "include": "line_items,promotions", "order": { "email": "ada@example.com" } });
    let updated = service.store(Method::PATCH, "/checkout", &token, &body).await.body;
    let promos: Vec<_> =
        updated["included"].as_array().unwrap().iter().map(|it| &it["attributes"]["promo_total"]).collect();
    assert_eq!(promos, [&json!("-1.0"), &json!("-2.5"), &Value::Null]);
    assert_eq!(updated["data"]["attributes"]["promo_total"], "-3.5");
    let methods = service.store(Method::GET, "/checkout/payment_methods", &token, &Value::Null).await.body;
    assert_eq!(methods["data"][0]["attributes"]["publishable_key"], "pk_test_1");
}

#[actix_web::test]
async fn the_demo_page_is_served_where_enabled_and_loads_only_what_it_needs() {
    let mut service = open().await;
    let get = async |service: &Service, path: &str, token: &str| {
        service.send(Method::GET, path, &[("x-spree-order-token", token)], b"").await
    };
    for path in ["/demo", "/demo/explain"] {
        assert_eq!(get(&service, path, "").await.status, 404, "{path}");
    }
    let stripe_url = "http://127.0.0.1:4242".to_owned();
    service.api.demo = Some(paywright_http_api::Demo { stripe_url: stripe_url.clone() });
    for (key, may, may_not) in [
        (Some("pk_test_</script>"), "https://js.stripe.com", stripe_url.as_str()),
        (None, stripe_url.as_str(), "https://js.stripe.com"),
    ] {
        service.api.publishable_key = key.map(str::to_owned);
        let page = get(&service, "/demo", "").await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(page.status == 200 && policy.contains(may) && !policy.contains(may_not), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert_eq!(page.text.matches("</script>").count(), 2, "nothing that it is told ends its script");
        assert!(page.text.contains("Für Zoë"), "what is on the shelves is told");
    }
    // The explanation of an order is shown to the holder of its cart's token alone.
    let token = service.cart_to_pay().await;
    assert_eq!(get(&service, "/demo/explain", &token).await.status, 404, "there is none yet");
    let params = json!({ "payment_intent": { "off_session": false } });
    service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
    let explained = get(&service, "/demo/explain", &token).await;
    assert_eq!((explained.status, &explained.body["payment_status"]), (200, &json!("unpaid")));
    assert_eq!(get(&service, "/demo/explain", &service.cart().await).await.status, 404);
}

#[actix_web::test]
async fn only_applications_with_the_scope_read_or_write_the_price_list() {
    let (service, _) = Service::open().await;
    let reader = service.key_with(2, &[Scope::PricesRead]).await;
    let outsider = service.key_with(3, &[Scope::OrdersRead]).await;
    let call = async |method: &Method, path: &str, key: &str, body: &Value| {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        service.send(method.clone(), &format!("{PLATFORM}{path}"), &[("x-api-key", key)], text.as_bytes()).await
    };
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    let mug = json!({ "name": "Mug", "sku": "MUG-1", "prices": { "USD": "12.00", "jpy": "1500" } });
    let key = service.key.clone();
    for (who, method, status) in [
        ("none", &get, 401),
        (outsider.as_str(), &get, 403),
        (reader.as_str(), &put, 403),
        (reader.as_str(), &delete, 403),
    ] {
        let refused = call(method, "/variants/mug", who, &json!({ "variant": mug })).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.body["error"].is_string());
    }
    let made = call(&put, "/variants/mug", &key, &json!({ "variant": mug })).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.body["data"]["attributes"]["prices"], json!({ "JPY": "1500", "USD": "12.00" }));
    assert_eq!(call(&get, "/variants/mug", &reader, &Value::Null).await.body, made.body);
    let bearer = format!("Bearer {reader}");
    let by_bearer =
        service.send(Method::GET, &format!("{PLATFORM}/variants/mug"), &[("authorization", &bearer)], b"").await;
    assert_eq!(by_bearer.body, made.body);
    let wrong = json!({ "name": "", "prices": { "USD": 12, "XXX": "1", "eur": "0" }, "active": "yes", "color": "red" });
    let refused = call(&put, "/variants/mug", &key, &json!({ "variant": wrong })).await;
    assert_eq!(refused.status, 422);
    let fields: Vec<_> = refused.body["errors"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["active", "color", "name", "prices.USD", "prices.XXX", "prices.eur"]);
    let rupiah = json!({ "id": "car", "name": "Car", "prices": { "IDR": "9999999999.99", "USD": "999999.99" } });
    let listed = call(&put, "/variants/car", &key, &json!({ "variant": rupiah })).await;
    assert_eq!((listed.status, &listed.body["data"]["attributes"]["prices"]["IDR"]), (200, &json!("9999999999.99")));
    assert_eq!(call(&delete, "/variants/car", &key, &Value::Null).await.status, 204);
    // Three-decimal currencies are charged in steps of ten: the refusal quotes the price as it was written.
    let dinars = json!({ "name": "Mug", "prices": { "KWD": "4.505" } });
    let why = json!(["must be a multiple of 0.010 kwd: 4.505 kwd cannot be charged"]);
    let refused = call(&put, "/variants/mug", &key, &json!({ "variant": dinars })).await;
    assert_eq!((refused.status, &refused.body["errors"]["prices.KWD"]), (422, &why), "{refused:?}");
    let one = json!({ "variants": [{ "id": "v0", "name": "V", "prices": { "kwd": "4.505" } }] });
    let refused = call(&put, "/variants", &key, &one).await;
    assert_eq!((refused.status, &refused.body["errors"]["variants[0].prices.kwd"]), (422, &why), "{refused:?}");
    assert_eq!(call(&get, "/variants/mug", &reader, &Value::Null).await.body, made.body, "nothing was changed");
    let shipping = json!({ "shipping": [{ "id": "post", "name": "Post", "prices": { "kwd": 4505 } }] });
    let refused = call(&put, "/terms", &key, &json!({ "terms": shipping })).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text.contains("the price of post must be a multiple of 0.010 kwd"), "{refused:?}");
    let many: Vec<_> =
        (0..3).map(|it| json!({ "id": format!("v{it}"), "name": "V", "prices": { "usd": "1" } })).collect();
    let mut one_wrong = many.clone();
    one_wrong[1]["id"] = json!("a b");
    let refused = call(&put, "/variants", &key, &json!({ "variants": one_wrong })).await;
    assert_eq!((refused.status, refused.body["errors"]["variants[1].id"].is_array()), (422, true), "{refused:?}");
    assert_eq!(call(&put, "/variants", &key, &json!({ "variants": many })).await.status, 200);
    let page = call(&get, "/variants?after=mug&per_page=2", &reader, &Value::Null).await.body;
    let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["v0", "v1"]);
    let too_many = format!("/variants?per_page={}", Storefront::VARIANTS_MAX + 1);
    assert_eq!(call(&get, &too_many, &reader, &Value::Null).await.status, 422);
    assert_eq!(call(&delete, "/variants/mug", &key, &Value::Null).await.status, 204);
    assert_eq!(call(&delete, "/variants/mug", &key, &Value::Null).await.status, 404);
    let terms = json!({ "shipping": [], "taxes": [], "coupons": [
        { "code": "Ten", "name": "Ten", "discount": { "percent": "10" }, "expires_at": 1_743_415_050 }] });
    let kept = call(&put, "/terms", &key, &json!({ "terms": terms })).await;
    assert_eq!(kept.body["terms"]["coupons"][0]["code"], "ten", "{kept:?}");
    assert_eq!(call(&get, "/terms", &reader, &Value::Null).await.body, kept.body);
    let wrong = json!({ "terms": { "taxes": [{ "name": "VAT", "country": "D", "percent": "19" }] } });
    let refused = call(&put, "/terms", &key, &wrong).await;
    assert_eq!(
        (refused.status, refused.body["errors"]["terms.taxes[0].country"].is_array()),
        (422, true),
        "{refused:?}"
    );
    for (wrong, field) in [
        (json!([[], [], []]), "terms"),
        (json!({ "shipping": [["post", "Post", [], {}]] }), "terms.shipping[0]"),
        (json!({ "shipping": {} }), "terms.shipping"),
        (json!({ "coupons": [{ "code": "x", "name": "X", "discount": ["10"] }] }), "terms.coupons[0].discount"),
        (json!({ "taxes": [{ "name": "VAT", "country": "DE", "percent": 19 }] }), "terms.taxes[0].percent"),
        (json!({ "coupon": [] }), "terms.coupon"),
    ] {
        let refused = call(&put, "/terms", &key, &json!({ "terms": wrong })).await;
        assert_eq!((refused.status, refused.body["errors"][field].is_array()), (422, true), "{field}: {refused:?}");
    }
    for wrong in [json!([["v9", "V"]]), json!({ "id": "v9" }), json!([{ "id": "v9", "name": "V", "prices": [] }])] {
        let refused = call(&put, "/variants", &key, &json!({ "variants": wrong })).await;
        assert_eq!(refused.status, 422, "{refused:?}");
    }
    assert_eq!(call(&get, "/variants/v9", &reader, &Value::Null).await.status, 404);
    assert_eq!(call(&get, "/terms", &reader, &Value::Null).await.body, kept.body, "what was refused changed nothing");
}
