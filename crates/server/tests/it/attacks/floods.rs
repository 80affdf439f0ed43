//! Floods of requests by shoppers: they are limited, and other callers are served meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::program::{Answer, Dev, answer, two_lines};
use crate::served::Served;

/// Number of flooded carts, and of connections that flood each.
const CARTS: usize = 30;
const CONNECTIONS: usize = 10;
/// Number of sales by an application meanwhile.
const SALES: usize = 10;

async fn call(http: &Client, base: &str, method: Method, path: &str, token: &str, body: &Value) -> Answer {
    let request = http.request(method, format!("{base}/api/v2/storefront{path}"));
    let request = request.header("x-spree-order-token", token).header("content-type", "application/json");
    answer(request.body(body.to_string())).await
}

/// Creates a guest's cart with a payment intent, and returns its token.
async fn cart_to_be_paid(http: Client, base: String) -> String {
    let made = call(&http, &base, Method::POST, "/cart", "", &json!({})).await;
    let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    let address = json!({
        "firstname": "Ada", "lastname": "Lovelace", "address1": "1 Analytical Way", "city": "New York",
        "state_name": "New York", "zipcode": "10001", "country_iso": "US",
    });
    let checkout = json!({ "order": {
        "email": "ada@example.com", "ship_address_attributes": address, "bill_address_attributes": address,
    } });
    for (method, path, body) in [
        (Method::POST, "/cart/add_item", json!({ "variant_id": "mug", "quantity": 1 })),
        (Method::PATCH, "/checkout", checkout),
        (Method::PATCH, "/checkout/advance", json!({})),
    ] {
        let done = call(&http, &base, method, path, &token, &body).await;
        assert_eq!(done.status, 200, "{path}: {done:?}");
    }
    // All carts request one at the same time, and Stripe accepts 25 per second.
    loop {
        let wanted = json!({ "payment_intent": { "off_session": false } });
        let made = call(&http, &base, Method::POST, "/stripe/payment_intents", &token, &wanted).await;
        match made.status {
            200 | 201 => return token,
            429 | 503 => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            _ => panic!("{made:?}"),
        }
    }
}

/// Makes an application's sale, from the order to its payment.
async fn sale(dev: &Dev) {
    let order = dev.call(Method::POST, "/orders", Some(&two_lines())).await;
    assert_eq!(order.status, 201, "{order:?}");
    let order = &order.body["data"];
    let made = dev.intent(order).await;
    assert_eq!(made.status, 200, "{made:?}");
    let paid = dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
    assert_eq!(paid.status, 200, "{paid:?}");
    let told = dev.payment(order).await;
    assert_eq!(told.status, 200, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_shoppers_does_not_keep_applications_from_stripe() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("orders.db").display());
    let served = Served::start(&database, 1, false, "100").await;
    let (http, base) = (served.http.clone(), format!("http://{}", served.address(0)));
    let dev = served.into_dev();
    let priced = json!({ "variants": [{ "id": "mug", "name": "Mug", "prices": { "USD": "14.00" } }] });
    let terms: Value = serde_json::from_str(include_str!("../../../src/demo/terms.json")).unwrap();
    for (path, body) in [("variants", priced), ("terms", json!({ "terms": terms }))] {
        let put = http.put(format!("{base}/api/v2/platform/{path}")).header("x-api-key", &dev.key);
        let put = answer(put.header("content-type", "application/json").body(body.to_string())).await;
        assert_eq!(put.status, 200, "{put:?}");
    }
    let making: Vec<_> = (0..CARTS).map(|_| tokio::spawn(cart_to_be_paid(http.clone(), base.clone()))).collect();
    let mut carts = Vec::new();
    for cart in making {
        carts.push(cart.await.unwrap());
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut flood = JoinSet::new();
    for cart in carts.iter().cycle().take(CARTS * CONNECTIONS) {
        let (http, base, cart, is_over) = (http.clone(), base.clone(), cart.clone(), Arc::clone(&is_over));
        flood.spawn(async move {
            let mut met = BTreeMap::<u16, usize>::new();
            while !is_over.load(Ordering::Relaxed) {
                let read = call(&http, &base, Method::GET, "/stripe/payment_intents", &cart, &Value::Null).await;
                *met.entry(read.status).or_default() += 1;
            }
            met
        });
    }
    for _ in 0..SALES {
        sale(&dev).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut met = BTreeMap::<u16, usize>::new();
    while let Some(one) = flood.join_next().await {
        one.unwrap().into_iter().for_each(|(status, many)| *met.entry(status).or_default() += many);
    }
    println!("{} connections on {CARTS} carts; by status: {met:?}; {SALES} sales of others", CARTS * CONNECTIONS);
    assert!(met.keys().all(|it| [200, 429, 503].contains(it)), "{met:?}");
    assert!(met.contains_key(&429), "the flood is limited: {met:?}");
    // A shopper with a flooded cart can still pay, a little later.
    let mut cart = carts.remove(0);
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let read = call(&http, &base, Method::GET, "/stripe/payment_intents", &cart, &Value::Null).await;
        assert_eq!(read.status, 200, "{read:?}");
        cart = carts.remove(0);
    }
}
