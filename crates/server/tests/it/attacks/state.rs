//! All state of a shop that a call could change.

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{Answer, answer, two_lines};
use crate::served::Served;

/// A shop with an order, a price list and a cart.
pub(crate) struct State {
    http: reqwest::Client,
    pub(crate) base: String,
    key: String,
    twin: String,
    /// The id of the order.
    pub(crate) order: String,
    /// The token of the cart.
    pub(crate) cart: String,
}

impl State {
    pub(crate) async fn of(served: &Served) -> Self {
        let base = format!("http://{}", served.address(0));
        let (key, twin) = (served.key.clone(), served.twin_url.clone());
        let mut state = Self { http: served.http.clone(), base, key, twin, order: String::new(), cart: String::new() };
        let mugs = json!({ "variants": [{ "id": "mug", "name": "Mug", "prices": { "USD": "14.00" } }] });
        assert_eq!(state.call(Method::PUT, "/api/v2/platform/variants", Some(&mugs)).await.status, 200);
        let placed = state.call(Method::POST, "/api/v1/shop/orders", Some(&two_lines())).await;
        state.order = placed.body["data"]["id"].as_str().unwrap().to_owned();
        let cart = state.call(Method::POST, "/api/v2/storefront/cart", None).await;
        cart.body["data"]["attributes"]["token"].as_str().unwrap().clone_into(&mut state.cart);
        state
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("x-api-key", &self.key);
        let request = request.header("x-spree-order-token", &self.cart).header("content-type", "application/json");
        answer(request.body(body.map(Value::to_string).unwrap_or_default())).await
    }

    /// As [`Self::read`], after the cart has been updated to the current price list and terms by a call.
    pub(crate) async fn settled(&self) -> Vec<Value> {
        self.call(Method::POST, "/api/v2/storefront/checkout/validate_order_for_payment", None).await;
        self.read().await
    }

    /// The order, the newest orders, prices, terms, the cart, and the newest PaymentIntents at Stripe. A call can change
    /// no other order than this one, and one that it places is the newest.
    pub(crate) async fn read(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for path in [
            &format!("/api/v1/shop/orders/{}", self.order),
            "/api/v1/shop/orders?limit=3",
            "/api/v2/platform/variants",
            "/api/v2/platform/terms",
            "/api/v2/storefront/cart",
        ] {
            let read = self.call(Method::GET, path, None).await;
            assert_eq!(read.status, 200, "{path}: {read:?}");
            all.push(read.body);
        }
        all.push(self.objects_at_stripe().await);
        all
    }

    /// The newest PaymentIntents at Stripe: the last part of the state.
    pub(crate) async fn objects_at_stripe(&self) -> Value {
        let intents = self.http.get(format!("{}/v1/payment_intents?limit=10", self.twin)).bearer_auth("sk_test_twin");
        answer(intents).await.body
    }
}
