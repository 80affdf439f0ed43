//! I8: no key, token or client secret is in a log or in a stored row.

use tempfile::TempDir;

use crate::program::Dev;

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
    let secrets: serde_json::Value = {
        let text = std::fs::read_to_string(folder.path().join(".paywright/secrets.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let logged = dev.process.logged();
    assert!(logged.lines().count() > 100 && logged.contains(order["id"].as_str().unwrap()), "it does log");
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
    ] {
        let line = logged.lines().find(|it| it.contains(secret));
        assert_eq!(line, None, "the {name} is logged");
        assert!(!stored.contains(secret), "the {name} is stored");
    }
}
