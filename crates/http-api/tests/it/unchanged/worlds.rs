//! Shops at each stage of a sale, with all state that a request could change.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::Method;
use paywright_domain::IntentId;
use paywright_http_api::{ApiKeyText, Demo};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::{HandClock, Provider, ScriptedSender, Trouble, at, usd};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::routes::Dialect;
use crate::{NOW, ORDERS, Service, order};

const STORE: &str = "/api/v2/storefront";
const PLATFORM: &str = "/api/v2/platform";

/// Stage of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Order of the shop dialect.
    Placed,
    /// Order whose events are in the feed, and an endpoint of outgoing webhooks.
    Endpoint,
    /// Order, and books that have its movements.
    Books,
    /// Order that was paid at Stripe, which Paywright does not know yet.
    Paying,
    /// Paid order.
    Paid,
    /// Order whose payment is held for review, because another amount was received.
    Held,
    /// Paid order whose first refund has failed.
    RefundFailed,
    /// Order with an authorized payment.
    Authorized,
    /// Customer's cart with an address.
    Address,
    /// Customer's cart that can be paid.
    Cart,
    /// Customer's cart with a coupon.
    Coupon,
    /// Guest's cart, and a customer without a cart.
    Guest,
    /// Cart with a PaymentIntent.
    Intent,
    /// Cart that was paid at Stripe, which Paywright does not know yet.
    IntentPaid,
    /// Cart that is a complete order.
    Complete,
}

/// Service over a database file, with the ids of what is in it.
pub(super) struct World {
    pub(super) service: Service,
    provider: Provider,
    folder: TempDir,
    names: BTreeMap<&'static str, String>,
    bearer: String,
}

/// Text of an API key without scopes.
pub(super) fn powerless_key() -> &'static str {
    // Made of the bytes 7: see `World::of`.
    "pwk_0707070707070707070707070707070707070707070707070707070707070707"
}

impl World {
    pub(super) async fn of(stage: Stage) -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(folder.path().join("orders.db").to_str().unwrap(), Options::default()).unwrap();
        let clock = Arc::new(HandClock::at(at(NOW)));
        let (provider, sender) = (Provider::by(&clock), ScriptedSender::default());
        let (gateway, records) = (Arc::new(provider.clone()), Arc::new(provider.clone()));
        let mut service = Service::of(store, gateway, records, clock, (crate::webhooks::event, sender)).await;
        service.api.demo = Some(Demo { stripe_url: "http://127.0.0.1:4242".to_owned() });
        assert_eq!(service.key_with(7, &[]).await, powerless_key());
        assert_eq!(ApiKeyText::from_random([7; 32]).expose(), powerless_key());
        let bearer = format!("Bearer {}", service.token("ada"));
        let mut world = Self { service, provider, folder, names: BTreeMap::new(), bearer };
        match stage {
            Stage::Placed
            | Stage::Endpoint
            | Stage::Books
            | Stage::Paying
            | Stage::Paid
            | Stage::Held
            | Stage::RefundFailed
            | Stage::Authorized => world.sell(stage).await,
            Stage::Address
            | Stage::Cart
            | Stage::Coupon
            | Stage::Guest
            | Stage::Intent
            | Stage::IntentPaid
            | Stage::Complete => world.fill(stage).await,
        }
        world
    }

    /// Everything that a call can change: the bytes of the database and of its log, the calls to Stripe and the webhooks
    /// to endpoints.
    pub(super) fn state(&self) -> (Vec<Option<Vec<u8>>>, Vec<String>, Vec<String>) {
        let files = ["orders.db", "orders.db-wal"].map(|it| std::fs::read(PathBuf::from(self.folder.path()).join(it)));
        let webhooks = self.service.sender.sent().into_iter().map(|it| it.id.to_string());
        let calls = self.provider.calls().into_iter().chain(webhooks).collect();
        (files.map(Result::ok).to_vec(), calls, self.service.cards.keys())
    }

    /// Replaces the names in braces in a text.
    pub(super) fn named(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, it)| text.replace(&format!("{{{name}}}"), it))
    }

    /// Headers of a valid request.
    pub(super) fn headers(&self, dialect: Dialect) -> Vec<(String, String)> {
        let token = self.names.get("token").map(|it| ("x-spree-order-token", it.as_str()));
        let bearer = ("authorization", self.bearer.as_str());
        let (key, json) = (("x-api-key", self.service.key.as_str()), ("content-type", "application/json"));
        let headers = match dialect {
            Dialect::Shop => vec![key, bearer, json],
            Dialect::Storefront => [bearer, json].into_iter().chain(token).collect(),
            Dialect::Platform => vec![key, json],
            Dialect::Other => [("stripe-signature", "good"), json].into_iter().chain(token).collect(),
        };
        headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn name(&mut self, name: &'static str, value: &Value) {
        self.names.insert(name, value.as_str().unwrap().to_owned());
    }

    async fn sell(&mut self, stage: Stage) {
        let keys = self.service.api.app.api_keys().await.unwrap();
        let key_id = keys.iter().find(|it| !it.scopes.is_empty()).unwrap().id;
        self.names.extend([("key_id", key_id.to_string()), ("key", self.service.key.clone())]);
        let mut body = order();
        body["customer"] = json!("ada");
        body["adjustments"] = json!([{ "kind": "tax_included", "label": "VAT", "amount": 100 }]);
        if stage == Stage::Authorized {
            body["capture"] = json!("manual");
            self.provider.holds_money();
        }
        let placed = self.service.call(Method::POST, ORDERS, &body).await.body["data"].clone();
        self.name("order", &placed["id"]);
        for name in ["line", "adjustment"] {
            self.names.insert(name, self.named("{order}_1"));
        }
        if stage == Stage::Endpoint {
            self.service.relay().await;
            let body = json!({ "url": "https://example.com/webhooks", "types": ["order.placed"] });
            let made = self.service.call(Method::POST, "/api/v1/shop/webhook_endpoints", &body).await;
            self.name("endpoint", &made.body["data"]["id"]);
            let body = json!({ "subscriber": { "url": "https://example.com/spree", "active": true } });
            let made = self.service.call(Method::POST, "/api/v2/platform/webhooks/subscribers", &body).await;
            self.name("subscriber", &made.body["data"]["id"]);
        }
        if stage == Stage::Books {
            crate::books::keep_books(&self.service.store, &self.named("{order}")).await;
            self.names.insert("payout", "po_1".to_owned());
        }
        if matches!(stage, Stage::Placed | Stage::Endpoint | Stage::Books) {
            return;
        }
        let path = self.named("/api/v1/shop/orders/{order}/payment");
        let headers = [("x-api-key", self.service.key.as_str()), ("authorization", self.bearer.as_str())];
        let made = self.service.send(Method::POST, &format!("{path}-intent"), &headers, b"").await;
        self.name("intent", &made.body["data"]["id"]);
        self.name("payment", &made.body["data"]["id"]);
        let intent = IntentId::new(self.named("{intent}")).unwrap();
        self.provider.pay(&intent);
        if stage == Stage::Held {
            self.provider.change(&intent, |it| it.received = usd(100));
        }
        if stage != Stage::Paying {
            let answer = self.service.call(Method::POST, &path, &Value::Null).await;
            let expected = if matches!(stage, Stage::Paid | Stage::RefundFailed) { 200 } else { 409 };
            assert!(answer.status == expected || stage == Stage::Authorized, "{answer:?}");
        }
        if stage == Stage::RefundFailed {
            self.provider.will([Trouble::Refuses("expired_or_canceled_card")]);
            let path = self.named("/api/v1/shop/orders/{order}/refunds");
            let refund = self.service.call(Method::POST, &path, &Value::Null).await;
            assert_eq!(refund.body["data"]["status"], "failed", "{refund:?}");
            self.names.insert("refund", refund.body["data"]["number"].to_string());
        }
    }

    /// Sends a request of the customer, with the token of the cart if there is one.
    async fn store(&self, method: Method, path: &str, body: &Value) -> Value {
        let headers = self.headers(Dialect::Storefront);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.service.send(method, &format!("{STORE}{path}"), &headers, body.to_string().as_bytes()).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        answer.body
    }

    async fn fill(&mut self, stage: Stage) {
        let variant = |id: &str, price: &str| json!({ "id": id, "name": id, "prices": { "usd": price, "eur": price } });
        let variants = json!({ "variants": [variant("bone", "10.00"), variant("toy", "25.00")] });
        let terms = json!({ "terms": paywright_testkit::storefront_contract::terms() });
        for (path, body) in [("/variants", variants), ("/terms", terms)] {
            let put = self.service.call(Method::PUT, &format!("{PLATFORM}{path}"), &body).await;
            assert_eq!(put.status, 200, "{put:?}");
        }
        for (name, value) in [("variant", "toy"), ("code", "ten"), ("card", "pm_ada")] {
            self.names.insert(name, value.to_owned());
        }
        self.store(Method::POST, "/stripe/setup_intents", &json!({})).await;
        self.service.cards.save("cus_ada", "pm_ada");
        if stage == Stage::Guest {
            let made = self.service.send(Method::POST, &format!("{STORE}/cart"), &[], b"{}").await;
            return self.name("guest", &made.body["data"]["attributes"]["token"]);
        }
        let made = self.store(Method::POST, "/cart", &json!({})).await["data"].clone();
        self.name("token", &made["attributes"]["token"]);
        self.name("number", &made["attributes"]["number"]);
        self.name("cart", &made["id"]);
        for id in ["bone", "toy"] {
            self.store(Method::POST, "/cart/add_item", &json!({ "variant_id": id })).await;
        }
        if stage == Stage::Coupon {
            self.store(Method::PATCH, "/cart/apply_coupon_code", &json!({ "coupon_code": "ten" })).await;
        }
        let address = json!({ "country_iso": "US", "firstname": "Ada", "lastname": "Lovelace", "city": "New York",
            "address1": "1 Analytical Way", "zipcode": "10001", "state_name": "New York", "phone": "555-0100" });
        let order = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address } });
        self.store(Method::PATCH, "/checkout", &order).await;
        if stage == Stage::Address {
            return;
        }
        let cart = self.store(Method::PATCH, "/checkout/advance", &json!({ "state": "payment" })).await;
        self.name("line", &cart["data"]["relationships"]["line_items"]["data"][0]["id"]);
        if matches!(stage, Stage::Intent | Stage::IntentPaid | Stage::Complete) {
            let wish = json!({ "payment_intent": { "off_session": false } });
            let made = self.store(Method::POST, "/stripe/payment_intents", &wish).await;
            self.name("intent", &made["data"]["attributes"]["stripe_id"]);
        }
        if matches!(stage, Stage::IntentPaid | Stage::Complete) {
            self.provider.pay(&IntentId::new(self.named("{intent}")).unwrap());
        }
        if stage == Stage::Complete {
            let done = self.store(Method::PATCH, "/checkout/complete", &json!({})).await;
            self.name("number", &done["data"]["attributes"]["number"]);
        }
    }
}
