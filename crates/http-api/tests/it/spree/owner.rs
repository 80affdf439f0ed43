//! Owners of carts, and access by line ids, storefront tokens and bearer tokens.

use paywright_app::Orders;
use serde_json::{Value, json};

use super::*;

impl Service {
    /// Calls as a storefront does, with these headers.
    pub(super) async fn shop(&self, method: &Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method.clone(), &format!("{STORE}{path}"), headers, text.as_bytes()).await
    }
}

/// Every call that uses the token of a cart.
fn calls(number: &str, intent: &str, line: &str) -> Vec<(Method, String, Value)> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let params = json!({ "payment_intent": { "off_session": false } });
    let order = json!({ "order": { "email": "eve@example.com" } });
    [
        (&get, "/cart".to_owned(), Value::Null),
        (&post, "/cart/add_item".into(), json!({ "variant_id": "bone" })),
        (&patch, "/cart/set_quantity".into(), json!({ "line_item_id": line, "quantity": 9 })),
        (&delete, format!("/cart/remove_line_item/{line}"), json!({})),
        (&patch, "/cart/empty".into(), json!({})),
        (&patch, "/cart/apply_coupon_code".into(), json!({ "coupon_code": "ten" })),
        (&delete, "/cart/remove_coupon_code".into(), json!({})),
        (&delete, "/cart/remove_coupon_code/ten".into(), json!({})),
        (&get, "/cart/estimate_shipping_rates?country_iso=DE".into(), Value::Null),
        (&patch, "/cart/change_currency".into(), json!({ "new_currency": "EUR" })),
        (&patch, "/checkout".into(), order),
        (&patch, "/checkout/next".into(), json!({})),
        (&patch, "/checkout/advance".into(), json!({})),
        (&patch, "/checkout/complete".into(), json!({})),
        (&post, "/checkout/validate_order_for_payment".into(), json!({})),
        (&get, "/checkout/payment_methods".into(), Value::Null),
        (&get, "/checkout/shipping_rates".into(), Value::Null),
        (&patch, "/checkout/select_shipping_method".into(), json!({ "shipping_method_id": "post" })),
        (&post, "/checkout/create_payment".into(), json!({ "payment_method_id": "stripe" })),
        (&get, format!("/order_status/{number}"), Value::Null),
        (&get, "/stripe/payment_intents".into(), Value::Null),
        (&post, "/stripe/payment_intents".into(), params.clone()),
        (&get, format!("/stripe/payment_intents/{intent}"), Value::Null),
        (&patch, format!("/stripe/payment_intents/{intent}"), params),
        (&patch, format!("/stripe/payment_intents/{intent}/confirm"), json!({})),
        (&post, format!("/stripe/payment_intents/{intent}/confirm"), json!({})),
        (&delete, "/cart".into(), json!({})),
    ]
    .map(|(method, path, body)| (method.clone(), path, body))
    .into()
}

#[actix_web::test]
async fn a_customers_cart_does_not_exist_for_another_customer() {
    let (service, provider) = open_with_provider().await;
    service.api.storefront.put_terms(&paywright_domain::storefront::Terms::default()).await.unwrap();
    let [ada, eve] = ["ada", "eve"].map(|it| format!("Bearer {}", service.token(it)));
    let own = [("authorization", ada.as_str())];
    let order = json!({ "order": { "email": "ada@example.com" } });
    let params = json!({ "payment_intent": { "off_session": false } });
    for is_paid in [false, true] {
        let made = service.shop(&Method::POST, "/cart", &own, &json!({})).await.body["data"].clone();
        let token = made["attributes"]["token"].as_str().unwrap();
        service.shop(&Method::POST, "/cart/add_item", &own, &json!({ "variant_id": "bone" })).await;
        assert_eq!(service.shop(&Method::PATCH, "/checkout", &own, &order).await.status, 200);
        let intent = service.shop(&Method::POST, "/stripe/payment_intents", &own, &params).await;
        let intent = intent.body["data"]["attributes"]["stripe_id"].as_str().unwrap_or_else(|| panic!("{intent:?}"));
        if is_paid {
            provider.pay(&paywright_domain::IntentId::new(intent).unwrap());
            assert_eq!(service.shop(&Method::PATCH, "/checkout/complete", &own, &json!({})).await.status, 200);
        }
        let number = made["attributes"]["number"].as_str().unwrap();
        let line = format!("{}_1", made["id"].as_str().unwrap());
        let with_token = |name: &'static str| [("authorization", eve.as_str()), (name, token)];
        let before = service.store.order(&paywright_app::OrderRef::parse(number).unwrap()).await.unwrap().unwrap();
        for (method, path, body) in calls(number, intent, &line) {
            for name in ["x-spree-order-token", "x-vendo-order-token"] {
                let refused = service.shop(&method, &path, &with_token(name), &body).await;
                assert_eq!((refused.status, &refused.body["error"]), (404, &json!(NOT_FOUND)), "{method} {path}");
            }
            let mut given = if body.is_null() { json!({}) } else { body };
            given["order_token"] = json!(token);
            let by_eve = [("authorization", eve.as_str())];
            let refused = service.shop(&method, &path, &by_eve, &given).await;
            assert_eq!((refused.status, &refused.body["error"]), (404, &json!(NOT_FOUND)), "{method} {path} {given}");
        }
        let taken = json!({ "guest_order_token": token });
        let taken = service.shop(&Method::PATCH, "/cart/associate", &[("authorization", &eve)], &taken).await;
        assert_eq!(taken.status, if is_paid { 404 } else { 422 }, "{taken:?}");
        let path = format!("/account/orders/{number}");
        assert_eq!(service.shop(&Method::GET, &path, &[("authorization", &eve)], &Value::Null).await.status, 404);
        let other = service.shop(&Method::POST, "/cart", &with_token("x-spree-order-token"), &json!({})).await;
        assert_eq!(other.status, 201);
        assert_ne!(other.body["data"]["id"], made["id"], "a customer who has a wrong token gets a cart of their own");
        let after = service.store.order(&paywright_app::OrderRef::parse(number).unwrap()).await.unwrap().unwrap();
        assert_eq!(after, before, "nothing was changed");
        // The token gives access alone, and with the owner's bearer token.
        for headers in [&[("x-spree-order-token", token)][..], &[own[0], ("x-spree-order-token", token)]] {
            let path = format!("/stripe/payment_intents/{intent}");
            assert_eq!(service.shop(&Method::GET, &path, headers, &Value::Null).await.status, 200);
        }
        // Another customer's order of the shop dialect.
        let placed = service.placed().await;
        let headers = [("authorization", eve.as_str()), ("x-spree-order-token", placed["token"].as_str().unwrap())];
        assert_eq!(service.shop(&Method::POST, "/stripe/payment_intents", &headers, &params).await.status, 404);
    }
}

#[actix_web::test]
async fn a_guests_cart_stays_a_guests_until_it_is_associated() {
    let service = open().await;
    service.api.storefront.put_terms(&paywright_domain::storefront::Terms::default()).await.unwrap();
    let token = service.cart().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let both = [("authorization", bearer.as_str()), ("x-spree-order-token", token.as_str())];
    let order = json!({ "order": { "email": "guest@example.com" } });
    assert_eq!(service.shop(&Method::PATCH, "/checkout", &both, &order).await.status, 200);
    let params = json!({ "payment_intent": { "off_session": false } });
    let made = service.shop(&Method::POST, "/stripe/payment_intents", &both, &params).await;
    let attributes = &made.body["data"]["attributes"];
    let of_customer = (&attributes["customer_id"], &attributes["ephemeral_key_secret"]);
    assert_eq!((made.status, of_customer), (200, (&Value::Null, &Value::Null)), "no card is saved: {made:?}");
    let saved = json!({ "payment_method_id": "stripe", "source_id": "pm_1" });
    assert_eq!(service.shop(&Method::POST, "/checkout/create_payment", &both, &saved).await.status, 404);
    let alone = [("authorization", bearer.as_str())];
    assert_eq!(service.shop(&Method::GET, "/cart", &alone, &Value::Null).await.status, 404);
    let shown = service.shop(&Method::GET, "/cart?include=user", &both, &Value::Null).await.body;
    assert_eq!(shown["data"]["relationships"]["user"]["data"], Value::Null);
    let guest = json!({ "guest_order_token": token });
    assert_eq!(service.shop(&Method::PATCH, "/cart/associate", &alone, &guest).await.status, 200);
    let made = service.shop(&Method::POST, "/stripe/payment_intents", &alone, &params).await;
    assert_eq!(made.body["data"]["attributes"]["customer_id"], json!("cus_ada"), "{made:?}");
}

/// Spree keeps the token as it is, so that a later user of the guest's browser reads the customer's addresses.
#[actix_web::test]
async fn a_guests_token_gives_no_access_after_the_cart_was_associated() {
    let (service, provider) = open_with_provider().await;
    let guests = service.cart_to_pay().await;
    let [ada, eve] = ["ada", "eve"].map(|it| format!("Bearer {}", service.token(it)));
    let (by_ada, by_eve) = ([("authorization", ada.as_str())], [("authorization", eve.as_str())]);
    let named = json!({ "guest_order_token": guests });
    let associated = service.shop(&Method::PATCH, "/cart/associate", &by_ada, &named).await;
    let cart = &associated.body["data"];
    let token = cart["attributes"]["token"].as_str().unwrap_or_else(|| panic!("{associated:?}")).to_owned();
    assert_ne!(token, guests, "the customer gets another token");
    let params = json!({ "payment_intent": { "off_session": false } });
    let made = service.shop(&Method::POST, "/stripe/payment_intents", &by_ada, &params).await;
    let intent = made.body["data"]["attributes"]["stripe_id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    let (number, line) =
        (cart["attributes"]["number"].as_str().unwrap(), format!("{}_1", cart["id"].as_str().unwrap()));
    for is_paid in [false, true] {
        if is_paid {
            provider.pay(&paywright_domain::IntentId::new(intent.as_str()).unwrap());
            assert_eq!(service.shop(&Method::PATCH, "/checkout/complete", &by_ada, &json!({})).await.status, 200);
        }
        let before = service.store.order(&paywright_app::OrderRef::parse(number).unwrap()).await.unwrap();
        for (method, path, body) in calls(number, &intent, &line) {
            for name in ["x-spree-order-token", "x-vendo-order-token"] {
                let refused = service.shop(&method, &path, &[(name, &guests)], &body).await;
                assert_eq!((refused.status, &refused.body["error"]), (404, &json!(NOT_FOUND)), "{method} {path}");
            }
            let refused = service.shop(&method, &path, &[by_eve[0], ("x-spree-order-token", &guests)], &body).await;
            assert_eq!(refused.status, 404, "{method} {path}");
        }
        let after = service.store.order(&paywright_app::OrderRef::parse(number).unwrap()).await.unwrap();
        assert_eq!(after, before, "nothing was changed");
        // The customer's token gives access alone, and the guest's with the customer's bearer token.
        let path = format!("/stripe/payment_intents/{intent}");
        for headers in [&[("x-spree-order-token", token.as_str())][..], &[by_ada[0], ("x-spree-order-token", &guests)]]
        {
            assert_eq!(service.shop(&Method::GET, &path, headers, &Value::Null).await.status, 200);
        }
        // A repeat is answered as the first request, and another customer's as in Spree.
        let again = service.shop(&Method::PATCH, "/cart/associate", &by_ada, &named).await;
        assert_eq!(again.status, if is_paid { 404 } else { 200 }, "{again:?}");
        let taken = service.shop(&Method::PATCH, "/cart/associate", &by_eve, &named).await;
        assert_eq!(taken.status, if is_paid { 404 } else { 422 }, "{taken:?}");
    }
    let guest = service.shop(&Method::POST, "/cart", &[("x-spree-order-token", &guests)], &json!({})).await;
    assert_eq!(guest.status, 201);
    assert_ne!(guest.body["data"]["id"], cart["id"], "the guest gets a new cart");
}

#[actix_web::test]
async fn eight_parallel_cart_requests_of_a_customer_create_one_cart() {
    let service = open().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let headers = [("authorization", bearer.as_str())];
    let ask = || async {
        let made = service.shop(&Method::POST, "/cart", &headers, &json!({})).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["data"]["id"].as_str().unwrap().to_owned()
    };
    let at_once = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    let made = std::collections::BTreeSet::from(<[String; 8]>::from(at_once));
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(Some(&ask().await), made.first());
}

#[actix_web::test]
async fn a_completed_order_is_shown_to_its_token_and_its_customer_every_time() {
    let (service, provider) = open_with_provider().await;
    service.api.storefront.put_terms(&paywright_domain::storefront::Terms::default()).await.unwrap();
    let bearer = format!("Bearer {}", service.token("ada"));
    let own = [("authorization", bearer.as_str())];
    let made = service.shop(&Method::POST, "/cart", &own, &json!({})).await.body["data"].clone();
    let token = made["attributes"]["token"].as_str().unwrap();
    let number = made["attributes"]["number"].as_str().unwrap();
    service.shop(&Method::POST, "/cart/add_item", &own, &json!({ "variant_id": "bone" })).await;
    service.shop(&Method::PATCH, "/checkout", &own, &json!({ "order": { "email": "ada@example.com" } })).await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let intent = service.shop(&Method::POST, "/stripe/payment_intents", &own, &params).await.body["data"].clone();
    let id = paywright_domain::IntentId::new(intent["attributes"]["stripe_id"].as_str().unwrap()).unwrap();
    provider.pay(&id);
    // The webhook comes first.
    service.api.app.settle_from_provider(&provider.intent_now(&id)).await.unwrap();
    let by_token = [("x-spree-order-token", token)];
    for headers in [&own[..], &by_token, &[own[0], by_token[0]], &own] {
        for (method, path) in [
            (Method::PATCH, "/checkout/complete".to_owned()),
            (Method::GET, format!("/order_status/{number}")),
            (Method::GET, "/stripe/payment_intents".to_owned()),
            (Method::GET, format!("/stripe/payment_intents/{id}")),
            (Method::PATCH, format!("/stripe/payment_intents/{id}/confirm")),
            (Method::POST, format!("/stripe/payment_intents/{id}/confirm")),
        ] {
            let body = if method == Method::GET { Value::Null } else { json!({}) };
            let answer = service.shop(&method, &path, headers, &body).await;
            assert_eq!(answer.status, 200, "{method} {path} by {headers:?}: {answer:?}");
            if answer.body["data"]["type"] == "cart" {
                let shown = &answer.body["data"]["attributes"];
                assert_eq!((&shown["state"], &shown["number"]), (&json!("complete"), &json!(number)));
            }
        }
    }
    // From then on the new cart is the current one, and the order is still found by its number.
    service.shop(&Method::POST, "/cart", &own, &json!({})).await;
    assert_eq!(service.shop(&Method::PATCH, "/checkout/complete", &own, &json!({})).await.status, 422);
    let path = format!("/order_status/{number}");
    assert_eq!(service.shop(&Method::GET, &path, &own, &Value::Null).await.status, 200);
    let path = "/order_status/ORD-20250331-000000";
    assert_eq!(service.shop(&Method::GET, path, &own, &Value::Null).await.status, 404);
}

#[actix_web::test]
async fn an_existing_card_must_be_saved_by_the_carts_customer() {
    let service = open().await;
    let bearers = ["ada", "eve"].map(|it| format!("Bearer {}", service.token(it)));
    for (who, bearer) in ["ada", "eve"].iter().zip(&bearers) {
        let own = [("authorization", bearer.as_str())];
        service.shop(&Method::POST, "/stripe/setup_intents", &own, &json!({})).await;
        service.cards.save(&format!("cus_{who}"), &format!("pm_{who}"));
        service.shop(&Method::POST, "/cart", &own, &json!({})).await;
    }
    let guest = service.cart().await;
    let of_guest = [("x-spree-order-token", guest.as_str()), ("authorization", &bearers[0])];
    let of_ada = [("authorization", bearers[0].as_str())];
    for (headers, card, status) in [
        (&of_guest[..1], "pm_ada", 404),
        (&of_guest[..], "pm_ada", 404),
        (&of_ada[..], "pm_eve", 404),
        (&of_ada[..], "pm_fresh", 404),
        (&of_ada[..], "pm_ada", 200),
    ] {
        let body = json!({ "order": { "existing_card": card, "special_instructions": card } });
        let answer = service.shop(&Method::PATCH, "/checkout", headers, &body).await;
        assert_eq!(answer.status, status, "{card}: {answer:?}");
        let shown = service.shop(&Method::GET, "/cart", headers, &Value::Null).await;
        let kept = &shown.body["data"]["attributes"]["special_instructions"];
        assert_eq!(kept == &json!(card), status == 200, "what is refused changes nothing");
    }
}
