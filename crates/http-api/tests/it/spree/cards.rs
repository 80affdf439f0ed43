//! Payment methods that a shopper chooses: whose they are, and what is left when one is refused.

use paywright_app::{OrderRef, Orders};
use paywright_testkit::Trouble;
use serde_json::{Value, json};

use super::*;

/// Each way to name a payment method, whether it must be saved, and the field of the cart or the intent.
fn ways(card: &str, intent: Option<&str>) -> Vec<(Method, String, Value, bool)> {
    let (patch, post) = (Method::PATCH, Method::POST);
    let source = json!({ "gateway_payment_profile_id": card });
    let attributes = json!([{ "payment_method_id": "stripe", "source_attributes": source }]);
    let params = json!({ "payment_intent": { "stripe_payment_method_id": card, "off_session": false } });
    let mut ways = vec![
        (&patch, "/checkout".to_owned(), json!({ "order": { "existing_card": card } }), true),
        (&patch, "/checkout".into(), json!({ "order": { "payments_attributes": attributes } }), false),
        (&patch, "/checkout".into(), json!({ "payment_source": { "stripe": source } }), false),
        (&post, "/checkout/create_payment".into(), json!({ "payment_method_id": "stripe", "source_id": card }), true),
        (
            &post,
            "/checkout/create_payment".into(),
            json!({ "payment_method_id": "stripe", "source_attributes": source }),
            false,
        ),
        (&post, "/stripe/payment_intents".into(), params.clone(), false),
    ];
    ways.extend(intent.map(|it| (&patch, format!("/stripe/payment_intents/{it}"), params, false)));
    ways.into_iter().map(|(method, path, body, is_saved)| (method.clone(), path, body, is_saved)).collect()
}

#[actix_web::test]
async fn another_customers_payment_method_is_refused_however_it_is_named() {
    let (service, provider) = open_with_provider().await;
    service.cards.does_not_know_method("pm_none");
    let bearers = ["ada", "eve"].map(|it| format!("Bearer {}", service.token(it)));
    for (who, bearer) in ["ada", "eve"].iter().zip(&bearers) {
        service.shop(&Method::POST, "/stripe/setup_intents", &[("authorization", bearer)], &json!({})).await;
        service.cards.save(&format!("cus_{who}"), &format!("pm_{who}"));
    }
    let by_ada = [("authorization", bearers[0].as_str())];
    let (guest, of_ada) = (service.cart_to_pay().await, service.cart_to_pay().await);
    let named = json!({ "guest_order_token": of_ada });
    assert_eq!(service.shop(&Method::PATCH, "/cart/associate", &by_ada, &named).await.status, 200);
    let by_guest = [("x-spree-order-token", guest.as_str())];
    let both = [by_ada[0], by_guest[0]];
    let params = json!({ "payment_intent": { "off_session": false } });
    for has_intent in [false, true] {
        for (headers, cards) in [
            (&by_ada[..], &["pm_eve", "pm_none"][..]),
            (&by_guest[..], &["pm_eve", "pm_ada", "pm_none"]),
            (&both[..], &["pm_ada"]),
        ] {
            let mut intent = None;
            if has_intent {
                let made = service.shop(&Method::POST, "/stripe/payment_intents", headers, &params).await;
                intent = made.body["data"]["attributes"]["stripe_id"].as_str().map(str::to_owned);
                assert!(intent.is_some(), "{made:?}");
            }
            let before = service.shop(&Method::GET, "/cart", headers, &Value::Null).await.body;
            let calls = provider.calls();
            for card in cards {
                for (method, path, body, is_saved) in ways(card, intent.as_deref()) {
                    let refused = service.shop(&method, &path, headers, &body).await;
                    let needs_bearer = path.ends_with("create_payment") && *headers == by_guest[..];
                    let expected = match is_saved {
                        true if needs_bearer => (403, NOT_ALLOWED.to_owned()),
                        true => (404, NOT_FOUND.to_owned()),
                        // Whether it exists is not told.
                        false => (422, format!("No such PaymentMethod: '{card}'")),
                    };
                    let said = refused.body["error"].as_str().unwrap_or_default().to_owned();
                    assert_eq!((refused.status, said), expected, "{method} {path} {body} by {headers:?}");
                }
            }
            assert_eq!(provider.calls(), calls, "Stripe was asked to pay nothing");
            let after = service.shop(&Method::GET, "/cart", headers, &Value::Null).await.body;
            assert_eq!(after, before, "what is refused changes nothing");
        }
    }
    // The customer's own one, and one that is nobody's, pay by each way that can name them.
    for (card, of) in [("pm_ada", true), ("pm_fresh", false)] {
        for (method, path, body, is_saved) in ways(card, None) {
            let chosen = service.shop(&method, &path, &by_ada, &body).await;
            let expected = if of || !is_saved { vec![200, 201] } else { vec![404] };
            assert!(expected.contains(&chosen.status), "{method} {path} {body}: {chosen:?}");
        }
        let shown = service.shop(&Method::GET, "/stripe/payment_intents", &by_ada, &Value::Null).await;
        assert_eq!(shown.body["data"]["attributes"]["stripe_payment_method_id"], json!(card));
    }
}

/// The PaymentIntent of an order of the shop dialect has no customer at Stripe: no saved card pays it.
#[actix_web::test]
async fn an_order_of_the_shop_dialect_is_paid_by_no_ones_saved_card() {
    let (service, provider) = open_with_provider().await;
    service.cards.does_not_know_method("pm_none");
    let bearer = format!("Bearer {}", service.token("ada"));
    service.shop(&Method::POST, "/stripe/setup_intents", &[("authorization", &bearer)], &json!({})).await;
    service.cards.save("cus_ada", "pm_ada");
    let mut order = crate::order();
    order["customer"] = json!("ada");
    let placed = service.call(Method::POST, crate::ORDERS, &order).await.body["data"].clone();
    let token = ("x-spree-order-token", placed["token"].as_str().unwrap());
    let which = OrderRef::parse(placed["id"].as_str().unwrap()).unwrap();
    let by = |card: &str| json!({ "payment_intent": { "stripe_payment_method_id": card, "off_session": false } });
    for headers in [&[token][..], &[token, ("authorization", bearer.as_str())]] {
        for card in ["pm_ada", "pm_none"] {
            let before = service.store.order(&which).await.unwrap();
            let calls = provider.calls();
            let refused = service.shop(&Method::POST, "/stripe/payment_intents", headers, &by(card)).await;
            let said = json!(format!("No such PaymentMethod: '{card}'"));
            assert_eq!((refused.status, &refused.body["error"]), (422, &said));
            let saved = json!({ "payment_method_id": "stripe", "source_id": card });
            let refused = service.shop(&Method::POST, "/checkout/create_payment", headers, &saved).await;
            assert_eq!(refused.status, if headers.len() == 1 { 403 } else { 404 }, "{refused:?}");
            assert_eq!((service.store.order(&which).await.unwrap(), provider.calls()), (before, calls));
        }
    }
    let made = service.shop(&Method::POST, "/stripe/payment_intents", &[token], &by("pm_1")).await;
    assert_eq!((made.status, &made.body["data"]["attributes"]["stripe_payment_method_id"]), (200, &json!("pm_1")));
    // A later choice that Stripe refuses leaves the present one.
    provider.will([Trouble::Refuses("payment_method_unexpected_state")]);
    let refused = service.shop(&Method::POST, "/stripe/payment_intents", &[token], &by("pm_2")).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let shown = service.shop(&Method::GET, "/stripe/payment_intents", &[token], &Value::Null).await;
    assert_eq!(shown.body["data"]["attributes"]["stripe_payment_method_id"], json!("pm_1"));
}

#[actix_web::test]
async fn a_refused_card_leaves_the_one_that_was_chosen_before() {
    let (service, provider) = open_with_provider().await;
    service.cards.does_not_know_method("pm_none");
    let by = |card: &str| json!({ "payment_intent": { "stripe_payment_method_id": card, "off_session": false } });
    let source = json!({ "gateway_payment_profile_id": "pm_1" });
    let chosen =
        json!({ "order": { "payments_attributes": [{ "payment_method_id": "stripe", "source_attributes": source }] } });
    for card in ["pm_none", "pm_used"] {
        let token = service.cart_to_pay().await;
        assert_eq!(service.store(Method::PATCH, "/checkout", &token, &chosen).await.status, 200);
        for _ in ["before the first intent", "of an intent"] {
            if card == "pm_used" {
                provider.will([Trouble::Refuses("payment_method_unexpected_state")]);
            }
            let refused = service.store(Method::POST, "/stripe/payment_intents", &token, &by(card)).await;
            assert_eq!(refused.status, 422, "{refused:?}");
            let without = json!({ "payment_intent": { "off_session": false } });
            let made = service.store(Method::POST, "/stripe/payment_intents", &token, &without).await;
            let kept = &made.body["data"]["attributes"]["stripe_payment_method_id"];
            assert_eq!((made.status, kept), (200, &json!("pm_1")), "after {card}: {made:?}");
        }
    }
}
