//! `include` and `fields`, which are checked before the use case runs.

use serde_json::{Value, json};

use super::*;

#[actix_web::test]
async fn a_call_with_a_wrong_include_or_fields_changes_nothing() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
    let params = json!({ "payment_intent": { "off_session": false } });
    let before = service.shown(&token).await;
    let line = before["relationships"]["line_items"]["data"][0]["id"].as_str().unwrap().to_owned();
    for (method, path, body, kind) in [
        (&post, "/cart", json!({}), "cart"),
        (&post, "/cart/add_item", json!({ "variant_id": "bone" }), "cart"),
        (&patch, "/cart/set_quantity", json!({ "line_item_id": line, "quantity": 9 }), "cart"),
        (&delete, &format!("/cart/remove_line_item/{line}"), json!({}), "cart"),
        (&patch, "/cart/empty", json!({}), "cart"),
        (&patch, "/cart/apply_coupon_code", json!({ "coupon_code": "ten" }), "cart"),
        (&delete, "/cart/remove_coupon_code", json!({}), "cart"),
        (&patch, "/cart/change_currency", json!({ "new_currency": "EUR" }), "cart"),
        (&delete, "/cart", json!({}), "cart"),
        (&patch, "/checkout", json!({ "order": { "email": "eve@example.com" } }), "cart"),
        (&patch, "/checkout/next", json!({}), "cart"),
        (&patch, "/checkout/advance", json!({}), "cart"),
        (&patch, "/checkout/complete", json!({}), "cart"),
        (&post, "/checkout/validate_order_for_payment", json!({}), "cart"),
        (&patch, "/checkout/select_shipping_method", json!({ "shipping_method_id": "courier" }), "cart"),
        (&post, "/checkout/create_payment", json!({ "payment_method_id": "stripe" }), "cart"),
        (&post, "/stripe/payment_intents", params.clone(), "payment_intent"),
        (&patch, "/stripe/payment_intents/pi_1", params.clone(), "payment_intent"),
        (&patch, "/stripe/payment_intents/pi_1/confirm", json!({}), "payment_intent"),
    ] {
        for (name, value, error) in [
            ("include", json!("bogus"), format!("bogus is not specified as a relationship on {kind}")),
            ("fields", json!({ "cart": 1 }), "fields[cart] must be names".to_owned()),
        ] {
            let mut body = body.clone();
            body[name] = value;
            let refused = service.store(method.clone(), path, &token, &body).await;
            let said = refused.body["error"].as_str().unwrap_or_default();
            assert!(refused.status == 400 && said.starts_with(&error), "{method} {path} {body}: {refused:?}");
            assert_eq!(service.shown(&token).await, before, "{method} {path} {body}");
        }
    }
    assert_eq!(provider.made_now(), 0, "no intent was made");
    // The version of an app's SDK is checked as well.
    let headers = [("x-spree-order-token", token.as_str()), ("stripe-version", "a\"b")];
    let path = format!("{STORE}/stripe/payment_intents");
    assert_eq!(service.send(post, &path, &headers, params.to_string().as_bytes()).await.status, 400);
    assert_eq!((provider.made_now(), service.shown(&token).await), (0, before));
}

#[actix_web::test]
async fn an_include_is_checked_where_there_is_nothing_to_include() {
    let service = open().await;
    let made = service.store(Method::POST, "/cart", "", &json!({})).await;
    let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    let none = json!({});
    for (method, path, include, error) in [
        (Method::GET, "/cart", "line_items.vendor,variants.vendor,shipments.vendor.logo,gift_card", None),
        (Method::GET, "/cart", "line_items.variant.product.taxons,shipments.shipping_rates.shipping_method", None),
        (Method::GET, "/cart", "payments.payment_method,payments.source,user.default_billing_address", None),
        (Method::GET, "/cart", "", None),
        (Method::GET, "/cart", "line_items.bogus", Some("bogus is not specified as a relationship on line_item")),
        (Method::GET, "/cart", "shipments.line_items.x", Some("x is not specified as a relationship on line_item")),
        (Method::GET, "/cart", "promotions.x", Some("x is not specified as a relationship on promotion")),
        (Method::PATCH, "/cart/empty", "shipments.x", Some("x is not specified as a relationship on shipment")),
        (Method::GET, "/checkout/shipping_rates", "x", Some("x is not specified as a relationship on shipment")),
        (Method::GET, "/checkout/payment_methods", "x", Some("x is not specified as a relationship on payment_method")),
        (
            Method::GET,
            "/cart/estimate_shipping_rates?country_iso=DE",
            "x",
            Some("x is not specified as a relationship on shipping_rate"),
        ),
    ] {
        let (path, body) = if method == Method::GET {
            let joint = if path.contains('?') { '&' } else { '?' };
            (format!("{path}{joint}include={include}"), Value::Null)
        } else {
            (format!("{path}?include={include}"), none.clone())
        };
        let answer = service.store(method, &path, &token, &body).await;
        let expected = (if error.is_some() { 400 } else { 200 }, error);
        assert_eq!((answer.status, answer.body["error"].as_str()), expected, "{path}");
    }
}
