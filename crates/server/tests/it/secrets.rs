//! I8: no key, token or client secret is in a log or in a stored row.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Dev, answer, two_lines};

#[tokio::test]
async fn no_secret_is_logged_at_any_level_or_stored() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::logging("trace", &folder, &["--log", "json"]);
    let order = dev.place().await;
    let made = dev.intent(&order).await;
    let intent = made.body["data"]["id"].as_str().unwrap();
    dev.confirm(intent, "pm_card_visa_chargeDeclinedInsufficientFunds").await;
    dev.confirm(intent, "pm_card_visa").await;
    dev.read_until(&order, |it| it["payment_status"] == "paid").await;
    assert_eq!(dev.payment(&order).await.status, 200);
    let front = storefront(&dev).await;
    // Stripe repeats an address that it refuses.
    let mut odd = two_lines();
    odd["email"] = json!("zoë@example.com");
    let odd = dev.call(Method::POST, "/orders", Some(&odd)).await.body["data"].clone();
    assert_eq!(dev.intent(&odd).await.status, 200);
    let taken_for_an_id = format!("/orders/{}/explain", made.body["data"]["client_secret"].as_str().unwrap());
    assert_eq!(dev.call(Method::GET, &taken_for_an_id, None).await.code(), "order_id_malformed");
    let secrets: serde_json::Value = {
        let text = std::fs::read_to_string(folder.path().join(".paywright/secrets.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let logged = dev.process.logged();
    assert!(logged.lines().count() > 100 && logged.contains(order["id"].as_str().unwrap()), "it does log");
    assert!(logged.contains("Stripe refused a request"), "it does log refusals");
    for (name, word) in [
        ("email address", "ada@example.com"),
        ("refused email address", "zo\u{eb}@example.com"),
        ("customer's name", "Lovelace"),
        ("customer's street", "Analytical"),
        ("query with a token", "order_token="),
    ] {
        assert_eq!(logged.lines().find(|it| it.contains(word)), None, "the {name} is logged");
    }
    let file = |name: &str| std::fs::read(folder.path().join(".paywright").join(name)).unwrap_or_default();
    let stored = [file("orders.db"), file("orders.db-wal")].concat();
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains(intent), "it does store");
    for (name, secret) in [
        ("API key", dev.key.as_str()),
        ("customer's token", dev.token.as_str()),
        ("order's token", order["token"].as_str().unwrap()),
        ("client secret", made.body["data"]["client_secret"].as_str().unwrap()),
        ("webhook secret", secrets["webhook"].as_str().unwrap()),
        ("token secret", secrets["token"].as_str().unwrap()),
        ("Stripe key", "sk_test_twin"),
    ]
    .into_iter()
    .chain(front.iter().map(|(name, secret)| (*name, secret.as_str())))
    {
        let line = logged.lines().find(|it| it.contains(secret));
        assert_eq!(line, None, "the {name} is logged");
        assert!(!stored.contains(secret), "the {name} is stored");
    }
}

/// Makes a customer's payment in the Spree dialect, and returns every secret in its answers.
pub(crate) async fn storefront(dev: &Dev) -> Vec<(&'static str, String)> {
    let base = format!("{}/api/v2/storefront", dev.api.strip_suffix("/api/v1/shop").unwrap());
    let call = async |method: Method, path: &str, body: Value| {
        let request = dev.http.request(method, format!("{base}{path}")).bearer_auth(&dev.token);
        let answered = answer(request.header("content-type", "application/json").body(body.to_string())).await;
        assert!((200..300).contains(&answered.status), "{path}: {answered:?}");
        answered.body
    };
    let cart = call(Method::POST, "/cart", json!({})).await["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    call(Method::POST, "/cart/add_item", json!({ "variant_id": "mug", "order_token": cart })).await;
    call(Method::GET, &format!("/cart?order_token={cart}"), Value::Null).await;
    let address = json!({ "firstname": "Ada", "lastname": "Lovelace", "address1": "1 Analytical Way",
        "city": "New York", "state_name": "New York", "country_iso": "US" });
    let order = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address } });
    call(Method::PATCH, "/checkout", order).await;
    call(Method::PATCH, "/checkout/advance", json!({})).await;
    let wish = json!({ "payment_intent": { "off_session": false } });
    let intent = call(Method::POST, "/stripe/payment_intents", wish).await["data"]["attributes"].clone();
    let setup = call(Method::POST, "/stripe/setup_intents", json!({})).await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    vec![
        ("cart's token", cart),
        ("cart's client secret", text(&intent["client_secret"])),
        ("ephemeral key", text(&intent["ephemeral_key_secret"])),
        ("setup intent's secret", text(&setup["setup_intent_client_secret"])),
        ("setup's ephemeral key", text(&setup["ephemeral_key_secret"])),
    ]
}
