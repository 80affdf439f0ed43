//! Actors, in the log of the built program and in its explanation of an order.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::background_work::shop;
use crate::logs::{lines, sale, settled_log, text, with_message};
use crate::program::{Dev, answer, two_lines};
use crate::secrets::storefront;

/// Log filter that includes use cases and calls to Stripe.
const DETAILED: &str = "info,paywright_app=debug,paywright_payments_stripe=debug";
const OWN: &str = "127.0.0.1";

/// Log lines from inside use cases: changes, and calls to Stripe except background ones.
fn from_inside(all: &[Value]) -> Vec<&Value> {
    let is_inside = |it: &&Value| {
        let call = text(it, "call");
        text(it, "message").starts_with("order ") || (!call.is_empty() && !call.ends_with("/v1/events"))
    };
    all.iter().filter(is_inside).collect()
}

#[tokio::test]
async fn every_log_line_of_a_request_has_its_id_key_and_client() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::logging(DETAILED, &folder, &["--log", "json"]);
    let (order, _) = sale(&dev).await;
    let path = format!("{}/orders/{}/refunds", dev.api, text(&order, "id"));
    let refund = dev.http.post(&path).header("x-api-key", &dev.key).header("x-request-id", "refund-1");
    let refund = refund.header("content-type", "application/json").body(json!({ "amount": "1.00" }).to_string());
    assert_eq!(answer(refund).await.status, 201);
    // With a key that lacks the scope, and without a key.
    let unknown = dev.http.get(&path).header("x-api-key", "pwk_00").header("x-request-id", "unknown-key");
    assert_eq!(answer(unknown).await.status, 401);
    let all = lines(&settled_log(&dev).await);

    let inside = from_inside(&all);
    let is_known = |it: &Value| ["request", "task", "event"].iter().any(|name| !text(it, name).is_empty());
    assert_eq!(inside.iter().find(|it| !is_known(it)), None, "each line has its cause");
    for (request, messages, calls) in [
        ("sale-1", ["order changed", "answered"].as_slice(), [].as_slice()),
        ("sale-2", &["order changed", "Stripe answered", "answered"], &["POST /v1/payment_intents"]),
        ("refund-1", &["order changed", "Stripe answered", "answered"], &["POST /v1/refunds"]),
    ] {
        let of_request: Vec<_> = all.iter().filter(|it| it["request"] == request).collect();
        for line in &of_request {
            assert_eq!(
                (text(line, "actor"), text(line, "key_name"), text(line, "client")),
                ("api_key", "dev", OWN),
                "{line}"
            );
            assert!(uuid_like(text(line, "key")), "{line}");
        }
        for message in messages {
            assert!(of_request.iter().any(|it| it["message"] == *message), "{request}: no {message}: {of_request:#?}");
        }
        for call in calls {
            assert!(of_request.iter().any(|it| it["call"] == *call), "{request}: no {call}: {of_request:#?}");
        }
    }
    let paid =
        with_message(&all, "order changed").into_iter().find(|it| text(it, "facts").contains("order.paid")).unwrap();
    // `payment_intent.succeeded`, or the read that an earlier event of the same payment has asked for.
    assert!(["stripe", "worker"].contains(&text(paid, "actor")) && text(paid, "key").is_empty(), "{paid}");
    assert!(["webhook", "worker"].contains(&text(paid, "source")), "{paid}");
    assert!(text(paid, "event").starts_with("evt_"), "{paid}");
    let refused = with_message(&all, "answered").into_iter().find(|it| it["request"] == "unknown-key").unwrap();
    assert_eq!((&refused["key"], &refused["actor"], text(refused, "client")), (&Value::Null, &Value::Null, OWN));
    assert!(!all.iter().any(|it| it.to_string().contains("cus-ada")), "which customer it is stays with the order");
}

fn uuid_like(text: &str) -> bool {
    text.len() == 36 && text.split('-').count() == 5
}

#[tokio::test]
async fn every_log_line_of_a_storefront_request_has_its_id_and_kind_of_shopper() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::logging(DETAILED, &folder, &["--log", "json"]);
    storefront(&dev).await;
    let all = lines(&settled_log(&dev).await);
    let inside = from_inside(&all);
    let of = |wanted: &str| {
        let is_wanted = |it: &&&Value| text(it, "facts").contains(wanted) || text(it, "call") == wanted;
        inside.iter().find(is_wanted).unwrap_or_else(|| panic!("no {wanted}: {inside:#?}"))
    };
    for wanted in ["order.placed", "payment_intent.requested", "POST /v1/payment_intents", "POST /v1/setup_intents"] {
        let line = of(wanted);
        assert!(text(line, "request").starts_with("req_"), "{line}");
        assert_eq!(
            (text(line, "actor"), text(line, "client"), &line["key"]),
            ("customer", OWN, &Value::Null),
            "{line}"
        );
    }
    assert!(!all.iter().any(|it| it.to_string().contains("cus-ada")), "which customer it is stays with the order");
}

#[tokio::test]
async fn no_token_in_a_path_or_in_a_request_id_is_logged() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::logging("trace", &folder, &["--log", "json"]);
    let order = dev.place().await;
    let made = dev.intent(&order).await;
    let cart = storefront(&dev).await.remove(0).1;
    let (token, secret) = (text(&order, "token"), made.body["data"]["client_secret"].as_str().unwrap());
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    for word in [token, cart.as_str(), dev.key.as_str(), secret, dev.token.as_str(), "ada@example.com"] {
        let encoded = word.replacen('_', "%5F", 1).replace('@', "%40");
        for path in ["/api/v1/shop/orders/", "/api/v2/storefront/order_status/", "/nowhere/"] {
            for word in [word, encoded.as_str()] {
                let request = dev.http.get(format!("{base}{path}{word}/x?order_token={word}")).bearer_auth(&dev.token);
                let request = request.header("x-request-id", word).header("referer", format!("{base}/?token={word}"));
                assert!(answer(request.header("user-agent", word)).await.status >= 400);
            }
        }
    }
    // A short Stripe test key.
    let request = dev.http.get(format!("{}/orders", dev.api)).header("x-request-id", "sk_test_4eC39HqLyjW");
    let answered = request.send().await.unwrap();
    assert!(answered.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    let log = settled_log(&dev).await;
    let masked = log.lines().filter(|it| it.contains("\"answered\"") && it.contains("***")).count();
    assert_eq!(masked, 6 * 3 * 2, "each is logged, with its path");
    for (name, word) in [
        ("order's token", token),
        ("cart's token", cart.as_str()),
        ("API key", dev.key.as_str()),
        ("client secret", secret),
        ("customer's token", dev.token.as_str()),
        ("email address", "ada@example"),
        ("email address", "ada%40example"),
        ("Stripe's key", "4eC39HqLyjW"),
    ] {
        // The end of the word, which percent-encoding does not change.
        let end = word.get(word.len().saturating_sub(20)..).unwrap();
        assert_eq!(log.lines().find(|it| it.contains(end)), None, "the {name} is logged");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_can_name_the_client() {
    for (trusted, expected) in [("", OWN), ("10.0.0.0/8", OWN), ("127.0.0.0/8, ::1", "203.0.113.7")] {
        let served = shop(None, false, &format!("http.trusted_proxies = \"{trusted}\"")).await;
        let api = served.replicas[0].1.clone();
        let request = served.http.get(format!("{api}/orders")).header("x-api-key", &served.key);
        let request = request.header("x-forwarded-for", "198.51.100.1, 203.0.113.7").header("x-request-id", "proxied");
        assert_eq!(answer(request).await.status, 200);
        let dev = served.into_dev();
        let log = settled_log(&dev).await;
        let line = log.lines().find(|it| it.contains("request=proxied")).unwrap_or_else(|| panic!("{log}"));
        for field in [format!("client={expected}").as_str(), "key_name=shop", "actor=api_key"] {
            assert!(line.split(' ').any(|it| it == field), "{trusted:?}: no {field} in {line}");
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_logged() {
    let served = shop(None, false, "").await;
    let (done, printed, told) = served.run(&["keys", "create", "--name", "reader", "--scope", "orders:read"]);
    assert!(done, "{told}");
    let key = printed.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
    let request = served.http.post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &key);
    assert_eq!(answer(request.header("x-request-id", "may-not").body("{}")).await.code(), "scope_missing");
    let log = settled_log(&served.into_dev()).await;
    let line = log.lines().find(|it| it.contains("request=may-not")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(" status=403 ") && line.contains(" key_name=reader ") && !line.contains("pwk_"), "{line}");
}

#[tokio::test]
async fn explain_names_a_key_after_it_was_revoked() {
    let shop = shop(None, false, "").await;
    let (number, _) = shop.payable(&two_lines()).await;
    let explained = shop.call(Method::GET, &format!("/orders/{number}/explain"), &Value::Null).await.body;
    let actor = explained["data"]["timeline"][0]["actor"].clone();
    assert_eq!((text(&actor, "kind"), text(&actor, "key_name")), ("api_key", "shop"), "{explained}");
    let key = text(&actor, "key");
    let (done, _, told) = shop.run(&["keys", "revoke", key]);
    assert!(done, "{told}");
    let (done, printed, told) = shop.run(&["explain", &number]);
    assert!(done && printed.contains(&format!("[by API key shop ({key})]")), "{printed}{told}");
    assert!(printed.contains(&format!(", by API key shop ({key})]")), "what Stripe answered too: {printed}");
}
