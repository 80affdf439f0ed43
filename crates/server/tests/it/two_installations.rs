//! Two shops on one Stripe account, each with its own database.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use paywright_app::{Inbox, Lease};
use paywright_domain::Timestamp;
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use uuid::Uuid;

use crate::program::{Answer, TIMEOUT, answer, two_lines};
use crate::served::Served;

/// Setting for a short back-fill period.
const OFTEN: &str = "payments.back_fill_seconds = 1";

/// Two shops on one Stripe account, one on SQLite and one on PostgreSQL.
struct Account {
    shops: [Served; 2],
    file: String,
    database: Database,
    _folder: TempDir,
}

impl Account {
    /// Starts both shops and imports their prices.
    async fn open() -> Self {
        let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
        let file = folder.path().join("orders.db").to_str().unwrap().to_owned();
        let first = Served::start_with(&format!("sqlite:{file}"), 1, true, "0", OFTEN).await;
        let second = first.beside(&database.url(), OFTEN).await;
        let mut account = Self { shops: [first, second], file, database, _folder: folder };
        account.restart();
        for shop in &account.shops {
            let variants = json!({ "variants": [{ "id": "mug", "name": "Enamel mug", "prices": { "USD": "14.00" } }] });
            for (path, body) in [("/variants", variants), ("/terms", json!({ "terms": terms() }))] {
                let put = shop.platform(path, &body).await;
                assert_eq!(put.status, 200, "{put:?}");
            }
        }
        account
    }

    /// Restarts both shops, with a log line for each call to Stripe.
    fn restart(&mut self) {
        for shop in &mut self.shops {
            shop.replicas[0].0 = None;
            let log = ("RUST_LOG", "info,paywright_payments_stripe=debug");
            shop.replicas[0].0 = Some(shop.serve_in(0, &[log]));
        }
    }

    /// Waits until both shops have stored every event.
    async fn until_all_stored(&self) {
        let (begun, db) = (Instant::now(), self.database.client().await);
        let store = SqliteStore::open(&self.file, Options::default()).unwrap();
        loop {
            let events = self.shops[0].listed("/v1/events").await;
            let ids: Vec<_> = events.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
            let on_server =
                db.query("SELECT FROM webhook_inbox WHERE event_id = ANY($1)", &[&ids]).await.unwrap().len();
            let in_file = store.known_events(&ids).await.unwrap().len();
            if (on_server, in_file) == (ids.len(), ids.len()) {
                return;
            }
            assert!(begun.elapsed() < TIMEOUT, "{on_server} and {in_file} of {} events", ids.len());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Types, statuses and errors of events on the PostgreSQL shop that are parked or were given up.
    async fn unsettled(&self) -> Vec<String> {
        let unsettled = "SELECT kind || ' ' || verdict || ' ' || coalesce(error, '') FROM webhook_inbox \
                         WHERE verdict IN ('parked', 'given_up')";
        let rows = self.database.client().await.query(unsettled, &[]).await.unwrap();
        rows.iter().map(|it| it.get(0)).collect()
    }

    async fn until_settled(&self) {
        let begun = Instant::now();
        loop {
            let left = self.unsettled().await;
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < TIMEOUT, "{left:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let store = SqliteStore::open(&self.file, Options::default()).unwrap();
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        // In the year 2096 every parked event is due. The lease is over at once, so that the worker can still process
        // them.
        let lease = Lease { owner: Uuid::from_u128(1), now: at(4_000_000_000), until: at(1), limit: 1000 };
        loop {
            let left = store.lease_events(&lease).await.unwrap();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < TIMEOUT, "{left:?}");
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
    }
}

fn terms() -> Value {
    serde_json::from_str(include_str!("../../src/demo/terms.json")).unwrap()
}

impl Served {
    fn log(&self) -> String {
        self.replicas[0].0.as_ref().unwrap().logged()
    }

    /// Number of calls to Stripe so far that read `intent`.
    fn reads_of(&self, intent: &str) -> usize {
        let call = format!("GET /v1/payment_intents/{intent}");
        self.log().lines().filter(|it| it.contains("Stripe answered") && it.contains(&call)).count()
    }

    async fn platform(&self, path: &str, body: &Value) -> Answer {
        let url = format!("{}{path}", self.replicas[0].1.replace("/api/v1/shop", "/api/v2/platform"));
        let request = self.http.put(url).header("x-api-key", &self.key).header("content-type", "application/json");
        answer(request.body(body.to_string())).await
    }

    async fn storefront(&self, method: Method, path: &str, cart: Option<&str>, body: &Value) -> Answer {
        let url = format!("{}{path}", self.replicas[0].1.replace("/api/v1/shop", "/api/v2/storefront"));
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(cart) = cart {
            request = request.header("x-spree-order-token", cart);
        }
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Saves a card of the customer who has the same id in both shops, and returns Stripe's ids of the customer and the
    /// card.
    async fn save_card(&self, token: &str) -> (String, String) {
        let saving = self.storefront(Method::POST, "/stripe/setup_intents", None, &json!({})).await;
        assert_eq!(saving.status, 200, "{saving:?}");
        let secret = saving.body["setup_intent_client_secret"].as_str().unwrap();
        let setup = secret.split("_secret").next().unwrap();
        let form = format!("payment_method={token}&return_url=https://shop.example/");
        self.at_stripe(&format!("/v1/setup_intents/{setup}/confirm"), &form).await;
        let cards = self.saved_cards().await;
        assert_eq!(cards.len(), 1, "{cards:?}");
        (saving.body["customer_id"].as_str().unwrap().to_owned(), cards[0].clone())
    }

    /// Stripe's ids of the customer's cards.
    async fn saved_cards(&self) -> Vec<String> {
        let cards = self.storefront(Method::GET, "/account/credit_cards", None, &Value::Null).await;
        let cards = cards.body["data"].as_array().unwrap_or_else(|| panic!("{cards:?}")).clone();
        let name = |it: &Value| it["attributes"]["gateway_payment_profile_id"].as_str().unwrap().to_owned();
        cards.iter().map(name).collect()
    }

    /// Sends the shop an event of a type that the twin does not create.
    async fn send_event_of(&self, kind: &str, object: &Value) -> Answer {
        let at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let event = json!({ "id": format!("evt_{kind}"), "object": "event", "api_version": "2026-05-27.dahlia",
            "created": at, "livemode": false, "type": kind, "data": { "object": object } })
        .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.webhook_secrets[0].as_bytes()).unwrap();
        mac.update(format!("{at}.{event}").as_bytes());
        let signature = format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()));
        let url = self.replicas[0].1.replace("/api/v1/shop", "/webhooks/stripe");
        answer(self.http.post(url).header("stripe-signature", signature).body(event)).await
    }

    /// Makes four sales (paid, refunded by the shop, refunded in the dashboard, disputed), and returns their intents.
    async fn sell(&self) -> Vec<String> {
        let (paid, first) = self.payable(&two_lines()).await;
        self.pay(&first, "pm_card_visa").await;
        self.until_paid(&paid).await;
        let (refunded, second) = self.payable(&two_lines()).await;
        self.pay(&second, "pm_card_visa").await;
        self.until_paid(&refunded).await;
        let refund =
            self.call(Method::POST, &format!("/orders/{refunded}/refunds"), &json!({ "amount": "7.00" })).await;
        assert_eq!(refund.status, 201, "{refund:?}");
        self.at_stripe("/v1/refunds", &format!("payment_intent={first}&amount=1000")).await;
        self.until(&paid, |it| it["amount_refunded"] == "10.00").await;
        let (disputed, third) = self.payable(&two_lines()).await;
        self.pay(&third, "pm_card_createDispute").await;
        let read = self.until(&disputed, |it| it["payment_status"] == "disputed").await;
        let dispute = read["disputes"][0]["id"].as_str().unwrap_or_else(|| panic!("{read}"));
        self.at_stripe(&format!("/_twin/disputes/{dispute}/close"), "outcome=lost").await;
        vec![first, second, third]
    }
}
#[tokio::test]
async fn two_shops_on_one_account_ignore_each_others_objects() {
    let account = Account::open().await;
    let [first, second] = &account.shops;
    let began = now();
    let (ours, our_card) = first.save_card("pm_card_visa").await;
    let (theirs, their_card) = second.save_card("pm_card_mastercard").await;
    assert_ne!(ours, theirs, "one customer at Stripe for each shop");
    let mut intents = Vec::new();
    for (shop, card, other_card) in [(first, &our_card, &their_card), (second, &their_card, &our_card)] {
        let customer = shop.pays_by_saved_card(card, other_card).await;
        assert_eq!(customer, *if card == &our_card { &ours } else { &theirs }, "the ephemeral key is for it");
        intents.push(shop.sell().await);
        assert_eq!(shop.saved_cards().await, [card.as_str()], "and of no other shop");
    }
    account.until_all_stored().await;
    for (shop, others) in [(first, &intents[1]), (second, &intents[0])] {
        for (kind, object) in [
            ("radar.early_fraud_warning.created", json!({ "id": "issfr_1", "fraud_type": "misc" })),
            ("review.opened", json!({ "id": "prv_1", "reason": "rule" })),
            ("review.closed", json!({ "id": "prv_1", "reason": "rule", "closed_reason": "approved" })),
        ] {
            let mut object = object;
            object["payment_intent"] = json!(others[0]);
            let told = shop.send_event_of(kind, &object).await;
            assert_eq!((told.status, &told.body["outcome"]), (200, &json!("foreign")), "{kind}: {told:?}");
        }
        let payout =
            shop.send_event_of("payout.paid", &json!({ "id": "po_1", "object": "payout", "amount": 500 })).await;
        assert_eq!(payout.body["outcome"], "ignored", "{payout:?}");
    }
    account.until_settled().await;
    let ids = account.audited(&began);
    assert_ne!(ids[0], ids[1]);
    for (shop, others) in [(first, &intents[1]), (second, &intents[0])] {
        let reads: Vec<_> = others.iter().map(|it| shop.reads_of(it)).collect();
        assert!(reads.iter().all(|it| *it <= 1), "each of the other's payments is read once at most: {reads:?}");
        let wrong: Vec<_> = shop.log().lines().filter(|it| it.contains("ERROR")).map(str::to_owned).collect();
        assert_eq!(wrong, [""; 0]);
    }
    account.assert_every_object_names_its_shop(&ids, [&ours, &theirs]).await;
}

/// A dispute does not name its shop, and comes long after the events of its payment, which the process no longer
/// remembers.
#[tokio::test]
async fn a_restarted_shop_reads_each_disputed_payment_of_another_shop_once() {
    let mut account = Account::open().await;
    let intents = account.shops[0].sell().await;
    account.until_all_stored().await;
    account.until_settled().await;
    account.restart();
    let [first, second] = &account.shops;
    let dispute = first.at_stripe(&format!("/_twin/payment_intents/{}/dispute", intents[1]), "amount=500").await;
    let dispute = dispute["id"].as_str().unwrap_or_else(|| panic!("{dispute}"));
    first.at_stripe(&format!("/_twin/disputes/{dispute}/close"), "outcome=won").await;
    for _ in 0..3 {
        first.at_stripe("/v1/refunds", &format!("payment_intent={}&amount=100", intents[0])).await;
    }
    account.until_all_stored().await;
    account.until_settled().await;
    let reads: Vec<_> = intents.iter().map(|it| second.reads_of(it)).collect();
    // The installation is known from a charge among the events of refunds.
    assert!(reads[0] <= 1 && reads[1..] == [1, 0], "{reads:?} {}", second.log());
    assert!(!second.log().contains("ERROR"), "{}", second.log());
}

fn now() -> String {
    let seconds = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    Timestamp::from_unix_seconds(seconds).unwrap().to_string()
}

impl Served {
    /// Pays a cart with the saved card, checks that a card of the other shop is refused, and returns Stripe's id of the
    /// customer.
    async fn pays_by_saved_card(&self, saved: &str, other: &str) -> String {
        let made = self.storefront(Method::POST, "/cart", None, &json!({})).await;
        let cart = made.body["data"]["attributes"]["token"].as_str().unwrap_or_else(|| panic!("{made:?}"));
        let call = async |method: Method, path: &str, body: Value| {
            let answered = self.storefront(method, path, Some(cart), &body).await;
            assert!(answered.status == 200 || answered.status == 201, "{path}: {answered:?}");
            answered.body
        };
        call(Method::POST, "/cart/add_item", json!({ "variant_id": "mug", "quantity": 1 })).await;
        let ada = json!({ "firstname": "Ada", "lastname": "Lovelace", "address1": "1 Analytical Way",
            "city": "New York", "zipcode": "10001", "phone": "555-0100", "state_name": "New York", "country_iso": "US" });
        let order =
            json!({ "email": "ada@example.com", "bill_address_attributes": ada, "ship_address_attributes": ada });
        call(Method::PATCH, "/checkout", json!({ "order": order })).await;
        call(Method::PATCH, "/checkout/advance", json!({})).await;
        let by = |card: &str| json!({ "payment_intent": { "off_session": false, "stripe_payment_method_id": card } });
        let refused = self.storefront(Method::POST, "/stripe/payment_intents", Some(cart), &by(other)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let issued = call(Method::POST, "/stripe/payment_intents", by(saved)).await;
        let attributes = &issued["data"]["attributes"];
        assert!(attributes["ephemeral_key_secret"].as_str().unwrap().starts_with("ek_"));
        self.pay(attributes["stripe_id"].as_str().unwrap(), saved).await;
        call(Method::PATCH, "/checkout/complete", json!({})).await;
        attributes["customer_id"].as_str().unwrap().to_owned()
    }
}

impl Account {
    /// Audits both shops, recovers both as after a restore, and returns their installation ids.
    fn audited(&self, since: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for shop in &self.shops {
            let (same, printed, said) = shop.run(&["audit"]);
            assert!(same && printed.contains("Nothing differs."), "{printed}{said}");
            let id = printed.lines().find_map(|it| it.strip_prefix("Installation ")).unwrap().trim_end_matches('.');
            ids.push(id.to_owned());
        }
        for shop in &self.shops {
            let (complete, printed, said) = shop.run(&["recover", "--since", since]);
            assert!(
                complete && printed.contains("Stripe lists 4 PaymentIntents of this installation"),
                "{printed}{said}"
            );
            assert!(printed.contains("No order is missing."), "{printed}");
        }
        ids
    }

    /// Asserts that every object at Stripe names the shop that created it.
    async fn assert_every_object_names_its_shop(&self, ids: &[String], customers: [&String; 2]) {
        let shop = &self.shops[0];
        for (path, each) in [("/v1/payment_intents", 4), ("/v1/refunds", 1)] {
            let listed = shop.listed(path).await;
            for id in ids {
                let named = listed.iter().filter(|it| it["metadata"]["installation_id"] == **id).count();
                assert_eq!(named, each, "{path}: {listed:?}");
            }
        }
        for (id, customer) in ids.iter().zip(customers) {
            let url = format!("{}/v1/customers/{customer}", shop.twin_url);
            let found = answer(shop.http.get(url).bearer_auth("sk_test_twin")).await.body;
            assert_eq!(found["metadata"], json!({ "customer_id": "cus-ada", "installation_id": id }));
        }
    }
}
