//! Requirements of a checkout before its payment, as in Spree.

use paywright_testkit::Trouble;
use serde_json::{Value, json};

use super::*;

fn params() -> Value {
    json!({ "payment_intent": { "off_session": false } })
}

fn ship_to(address: &Value) -> Value {
    json!({ "order": { "ship_address_attributes": address } })
}

#[actix_web::test]
async fn an_address_has_what_spree_requires() {
    let service = open().await;
    let token = service.cart().await;
    for kind in ["ship_address", "bill_address"] {
        for (country, blank, problems) in [
            (
                "DE",
                &["firstname", "lastname", "address1", "city"][..],
                &["firstname", "lastname", "address1", "city"][..],
            ),
            ("DE", &["state_name", "phone", "zipcode"], &[]),
            ("US", &["state_name"], &["state"]),
            ("US", &["address1", "state_name"], &["address1", "state"]),
            ("US", &[], &[]),
        ] {
            let mut given = address(country);
            for field in blank {
                given[*field] = json!(" ");
            }
            let body = json!({ "order": { format!("{kind}_attributes"): given } });
            let answer = service.store(Method::PATCH, "/checkout", &token, &body).await;
            assert_eq!(answer.status, if problems.is_empty() { 200 } else { 422 }, "{body}: {answer:?}");
            for field in problems {
                assert_eq!(answer.body["errors"][format!("{kind}.{field}")], json!(["can't be blank"]), "{answer:?}");
            }
            let named = answer.body["errors"].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(named, problems.len(), "{answer:?}");
        }
    }
    let nowhere = service.store(Method::PATCH, "/checkout", &token, &ship_to(&json!({ "firstname": "Ada" }))).await;
    assert_eq!(nowhere.body["errors"]["ship_address.country_iso"], json!(["can't be blank"]));
}

#[actix_web::test]
async fn an_intent_is_refused_by_every_call_until_the_checkout_is_complete() {
    let service = open().await;
    let token = service.cart().await;
    let refuses = async |fields: &[&str]| {
        for (path, body) in [
            ("/stripe/payment_intents", params()),
            ("/checkout/create_payment", json!({ "payment_method_id": "stripe" })),
        ] {
            let refused = service.store(Method::POST, path, &token, &body).await;
            let errors = refused.body["errors"].as_object().unwrap_or_else(|| panic!("{path}: {refused:?}"));
            assert_eq!((refused.status, errors.keys().map(String::as_str).collect::<Vec<_>>()), (422, fields.to_vec()));
        }
        assert_eq!(service.store(Method::GET, "/stripe/payment_intents", &token, &Value::Null).await.status, 404);
    };
    refuses(&["email", "ship_address", "shipping_method"]).await;
    let email = json!({ "order": { "email": "ada@example.com" } });
    assert_eq!(service.store(Method::PATCH, "/checkout", &token, &email).await.status, 200);
    refuses(&["ship_address", "shipping_method"]).await;
    service.store(Method::PATCH, "/checkout", &token, &ship_to(&address("US"))).await;
    refuses(&["shipping_method"]).await;
    service.store(Method::PATCH, "/checkout/advance", &token, &json!({})).await;
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params()).await;
    assert_eq!((made.status, &made.body["data"]["attributes"]["amount"]), (200, &json!("39.9")));
    let one = json!({ "payment_intent": { "amount": 1 } });
    let wrong = service.store(Method::POST, "/stripe/payment_intents", &token, &one).await;
    assert_eq!((wrong.status, &wrong.body["error"]), (422, &json!("Amount must be 39.90, the amount due")));

    // A country without a chosen rate cancels the intent.
    let named = format!("/stripe/payment_intents/{}", made.body["data"]["id"].as_str().unwrap());
    let moved = service.store(Method::PATCH, "/checkout", &token, &ship_to(&address("DE"))).await;
    let attributes = &moved.body["data"]["attributes"];
    assert_eq!((&attributes["state"], &attributes["payment_state"]), (&json!("address"), &Value::Null), "{moved:?}");
    refuses(&["shipping_method"]).await;
    for path in [&named, "/stripe/payment_intents/pi_1"] {
        assert_eq!(service.store(Method::PATCH, path, &token, &params()).await.status, 404);
    }
    service.store(Method::PATCH, "/checkout/advance", &token, &json!({})).await;
    let again = service.store(Method::POST, "/stripe/payment_intents", &token, &params()).await;
    assert_eq!(again.status, 200);
    assert_ne!(again.body["data"]["id"], made.body["data"]["id"]);
}

/// Calls of Spree's own storefront for a wallet, in their order.
#[actix_web::test]
async fn a_wallet_pays_through_sprees_quick_checkout() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart().await;
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    // Address that the wallet sends before its customer has confirmed.
    let partial = json!({ "quick_checkout": true, "firstname": "Ada", "lastname": "Lovelace", "city": "New York",
        "zipcode": "10001", "country_iso": "US" });
    let body = json!({ "order": { "ship_address_attributes": partial }, "include": "shipping_address" });
    let shown = service.store(patch.clone(), "/checkout", &token, &body).await;
    assert_eq!((shown.status, &shown.body["included"][0]["attributes"]["city"]), (200, &json!("New York")));
    let validated = "/checkout/validate_order_for_payment?skip_state=true";
    assert_eq!(
        service.store(post.clone(), validated, &token, &json!({})).await.status,
        200,
        "before there is an email"
    );
    let rates = service.store(get, "/checkout/shipping_rates", &token, &Value::Null).await.body;
    let rate = rates["included"].as_array().unwrap().iter().find(|it| it["type"] == "shipping_rate").unwrap();
    let chosen = json!({ "shipping_method_id": rate["attributes"]["shipping_method_id"] });
    let selected = service.store(patch.clone(), "/checkout/select_shipping_method", &token, &chosen).await;
    assert_eq!(selected.body["data"]["attributes"]["total"], "39.9", "{selected:?}");
    // An intent is refused, since the address is not complete.
    let early = service.store(post.clone(), "/stripe/payment_intents", &token, &params()).await;
    let fields: Vec<_> = early.body["errors"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((early.status, fields), (422, vec!["email", "ship_address.address1", "ship_address.state"]));
    // The customer has confirmed, and the wallet sends the rest.
    let full = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address("US"),
        "bill_address_attributes": address("US") } });
    assert_eq!(service.store(patch.clone(), "/checkout", &token, &full).await.status, 200);
    let advance = "/checkout/advance?state=payment";
    let at_payment = service.store(patch.clone(), advance, &token, &json!({})).await;
    assert_eq!(at_payment.body["data"]["attributes"]["state"], "payment", "{at_payment:?}");
    let made = service.store(post, "/stripe/payment_intents", &token, &params()).await;
    let intent = &made.body["data"]["attributes"];
    assert_eq!((made.status, &intent["amount"]), (200, &json!("39.9")));
    provider.pay(&paywright_domain::IntentId::new(intent["stripe_id"].as_str().unwrap()).unwrap());
    let path = format!("/stripe/payment_intents/{}/confirm", made.body["data"]["id"].as_str().unwrap());
    // The call that reads the payment from Stripe has its client secret; a repeat is answered from what is stored.
    for secret in [&intent["client_secret"], &Value::Null] {
        let confirmed = service.store(patch.clone(), &path, &token, &json!({})).await;
        assert_eq!((confirmed.status, &confirmed.body["data"]["attributes"]["client_secret"]), (200, secret));
    }
    let done = service.store(patch, "/checkout/complete", &token, &json!({})).await;
    assert_eq!(done.body["data"]["attributes"]["payment_state"], "paid", "{done:?}");
}

#[actix_web::test]
async fn an_unreachable_stripe_is_told_from_a_busy_one() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    for (trouble, says) in [
        (Trouble::Unreachable, "Stripe cannot be reached, so nothing was done there"),
        (Trouble::Busy, "Stripe did not accept the request (rate limit)"),
        (Trouble::LostBefore, "Stripe did not answer in time, so the outcome is unknown"),
    ] {
        provider.will([trouble]);
        let failed = service.store(Method::POST, "/stripe/payment_intents", &token, &params()).await;
        let error = failed.body["error"].as_str().unwrap_or_default();
        assert!(failed.status == 503 && error.starts_with(says), "{trouble:?}: {failed:?}");
        assert!(failed.header("retry-after").is_some() && !error.contains("hush"), "{failed:?}");
    }
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params()).await;
    assert_eq!(made.status, 200, "{made:?}");
}
