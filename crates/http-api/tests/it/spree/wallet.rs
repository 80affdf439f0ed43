//! Wallets: the calls of `spree_stripe`'s quick checkout, and the steps that they take.

use paywright_domain::IntentId;
use paywright_domain::storefront::ShippingRate;
use paywright_domain::text::Text;
use serde_json::{Value, json};

use super::*;

const ADVANCE: &str = "/checkout/advance?state=delivery&include=shipments.shipping_rates,line_items.vendor";

/// Post and courier to Germany and the United States, and the courier alone to Austria.
async fn open_with_rates() -> (Service, Provider) {
    let (service, provider) = open_with_provider().await;
    let mut terms = terms();
    let post = terms.shipping[0].clone();
    let countries = ["DE", "US", "AT"].map(|it| it.parse().unwrap()).into();
    let (id, name) = (Text::new("courier").unwrap(), Text::new("Courier").unwrap());
    terms.shipping.push(ShippingRate { id, name, countries, ..post });
    service.store.put_terms(&terms).await.unwrap();
    (service, provider)
}

/// Address as a wallet sends it before its customer has confirmed.
fn partial(country: &str) -> Value {
    json!({ "order": { "bill_address_id": "CLEAR", "ship_address_attributes":
        { "quick_checkout": true, "city": "Town", "zipcode": "10001", "country_iso": country } } })
}

/// The included shipping rates, each with whether it is selected.
fn rates(answer: &Answer) -> Vec<(String, bool)> {
    let included = answer.body["included"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    let rates = included.iter().filter(|it| it["type"] == "shipping_rate");
    rates.map(|it| (it["id"].as_str().unwrap().to_owned(), it["attributes"]["selected"] == json!(true))).collect()
}

#[actix_web::test]
async fn a_wallet_gets_all_rates_after_each_change_of_address_and_then_pays() {
    let (service, provider) = open_with_rates().await;
    let token = service.cart().await;
    let (post, patch) = (Method::POST, Method::PATCH);
    let quick = |rate: Value| json!({ "quick_checkout": true, "shipping_method_id": rate });
    let named = |rates: &[(&str, bool)]| rates.iter().map(|(id, it)| ((*id).to_owned(), *it)).collect::<Vec<_>>();
    for round in 0..2 {
        for (country, chosen, expected) in [
            // The first rate, or the one that was chosen for the same country.
            ("US", Value::Null, &[("post", round == 0), ("courier", round == 1)][..]),
            ("US", json!("courier"), &[("post", false), ("courier", true)]),
            ("DE", json!("post"), &[("post", true), ("courier", false)]),
            // The rate that the wallet showed before does not go there.
            ("AT", json!("post"), &[("courier", true)]),
            ("US", json!("courier"), &[("post", false), ("courier", true)]),
        ] {
            let updated = service.store(patch.clone(), "/checkout", &token, &partial(country)).await;
            assert_eq!(updated.status, 200, "{updated:?}");
            for _ in 0..2 {
                let advanced = service.store(patch.clone(), ADVANCE, &token, &quick(chosen.clone())).await;
                let state = &advanced.body["data"]["attributes"]["state"];
                assert_eq!((advanced.status, state), (200, &json!("delivery")), "{country}: {advanced:?}");
                assert_eq!(rates(&advanced), named(expected), "{round} {country} {chosen}");
            }
        }
        let validated = "/checkout/validate_order_for_payment?skip_state=true";
        assert_eq!(service.store(post.clone(), validated, &token, &json!({})).await.status, 200);
        let early = service
            .store(post.clone(), "/stripe/payment_intents", &token, &json!({ "payment_intent": { "amount": 0 } }))
            .await;
        let fields: Vec<_> = early.body["errors"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut missing = vec!["ship_address.address1", "ship_address.firstname", "ship_address.lastname"];
        missing.push("ship_address.state");
        if round == 0 {
            missing.insert(0, "email");
        }
        assert_eq!((early.status, fields), (422, missing), "{early:?}");
        let goal = "/checkout/advance?state=payment";
        let before = service.shown(&token).await;
        let early = service.store(patch.clone(), goal, &token, &json!({})).await;
        let error = early.body["error"].as_str().unwrap();
        assert!(early.status == 422 && error.contains("Ship address firstname can't be blank"), "{early:?}");
        assert_eq!(service.shown(&token).await, before, "a goal that is not reached changes nothing");
        // The customer has confirmed, and the wallet sends the rest.
        let full = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address("US"),
            "bill_address_attributes": address("US") }, "do_not_change_state": true });
        let confirmed = service.store(patch.clone(), "/checkout", &token, &full).await;
        assert_eq!(confirmed.body["data"]["attributes"]["state"], "delivery", "{confirmed:?}");
        for _ in 0..2 {
            let reached = service.store(patch.clone(), goal, &token, &json!({})).await;
            let state = &reached.body["data"]["attributes"]["state"];
            assert_eq!((reached.status, state), (200, &json!("payment")), "{reached:?}");
        }
        let params = json!({ "payment_intent": { "off_session": false } });
        let made = service.store(post.clone(), "/stripe/payment_intents", &token, &params).await;
        let intent = &made.body["data"]["attributes"];
        assert_eq!((made.status, &intent["amount"]), (200, &json!("39.9")), "{made:?}");
        if round == 0 {
            continue; // The customer closes the sheet and opens it again.
        }
        provider.pay(&IntentId::new(intent["stripe_id"].as_str().unwrap()).unwrap());
        let done = service.store(patch.clone(), "/checkout/complete", &token, &json!({})).await;
        assert_eq!(done.body["data"]["attributes"]["payment_state"], "paid", "{done:?}");
    }
}

#[actix_web::test]
async fn advance_succeeds_at_or_past_its_goal_and_else_lists_what_is_missing() {
    let service = open().await;
    let token = service.cart().await;
    let advance = async |goal: &str, rate: Value| {
        let body = json!({ "shipping_method_id": rate });
        let answer = service.store(Method::PATCH, &format!("/checkout/advance?state={goal}"), &token, &body).await;
        let said = [&answer.body["error"], &answer.body["data"]["attributes"]["state"]];
        (answer.status, said.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned())
    };
    let says = |status: u16, said: &str| (status, said.to_owned());
    assert_eq!(advance("address", Value::Null).await, says(200, "address"));
    assert_eq!(advance("delivery", Value::Null).await, says(422, "Ship address can't be blank"));
    let both = "Email can't be blank and Ship address can't be blank";
    assert_eq!(advance("payment", Value::Null).await, says(422, both));
    let order = json!({ "order": { "ship_address_attributes": address("US") } });
    service.store(Method::PATCH, "/checkout", &token, &order).await;
    assert_eq!(advance("delivery", json!("none")).await, says(422, "shipping_method_not_found"));
    assert_eq!(advance("delivery", json!("post")).await, says(200, "delivery"));
    assert_eq!(advance("payment", Value::Null).await, says(422, "Email can't be blank"));
    let order = json!({ "order": { "email": "ada@example.com" } });
    service.store(Method::PATCH, "/checkout", &token, &order).await;
    for goal in ["payment", "payment", "delivery", "address"] {
        assert_eq!(advance(goal, Value::Null).await, says(200, "payment"), "{goal}");
    }
}

#[actix_web::test]
async fn do_not_change_state_keeps_the_step_as_far_as_nothing_is_missing() {
    let service = open().await;
    let token = service.cart_to_pay().await;
    let params = json!({ "payment_intent": { "off_session": false } });
    for (given, keeps, state, payable) in [
        (address("US"), true, "payment", true),
        (address("DE"), true, "delivery", false),
        (address("US"), false, "address", false),
    ] {
        let body = json!({ "order": { "ship_address_attributes": given }, "do_not_change_state": keeps });
        let updated = service.store(Method::PATCH, "/checkout", &token, &body).await;
        assert_eq!(updated.body["data"]["attributes"]["state"], state, "{updated:?}");
        let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
        assert_eq!(made.status, if payable { 200 } else { 422 }, "{made:?}");
    }
}
