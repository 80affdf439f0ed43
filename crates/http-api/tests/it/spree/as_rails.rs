//! Requests in every form that Rails reads, and answers with everything that Spree shows.

use paywright_domain::IntentId;
use serde_json::{Value, json};

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

impl Service {
    /// Calls as a page does that submits a form.
    async fn submitted(&self, method: Method, path: &str, token: &str, form: &str) -> Answer {
        let headers = [("x-spree-order-token", token), ("content-type", FORM)];
        self.send(method, &format!("{STORE}{path}"), &headers, form.as_bytes()).await
    }

    /// First resource of this type that an answer includes.
    fn included<'a>(answer: &'a Answer, kind: &str) -> &'a Value {
        let included = answer.body["included"].as_array().into_iter().flatten();
        included.into_iter().find(|it| it["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {answer:?}"))
    }
}

#[actix_web::test]
async fn a_form_is_read_as_json_is() {
    let service = open().await;
    let made = service.submitted(Method::POST, "/cart", "", "public_metadata[source]=form").await;
    assert_eq!((made.status, &made.body["data"]["attributes"]["public_metadata"]), (201, &json!({ "source": "form" })));
    let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
    let item = "variant_id=bone&quantity=2&public_metadata[engraving]=For+Rex&include=line_items";
    let added = service.submitted(Method::POST, "/cart/add_item", &token, item).await;
    assert_eq!(added.status, 200, "{added:?}");
    let line = Service::included(&added, "line_item");
    assert_eq!(
        (&line["attributes"]["quantity"], &line["attributes"]["public_metadata"]["engraving"]),
        (&json!(2), &json!("For Rex"))
    );
    let order = "order%5Bemail%5D=ada%40example.com&order[ship_address_attributes][firstname]=Ada\
                 &order[ship_address_attributes][lastname]=Lovelace&order[ship_address_attributes][city]=Albany\
                 &order[ship_address_attributes][address1]=1+Way&order[ship_address_attributes][state_name]=ny\
                 &order[ship_address_attributes][country_iso]=usa&include=shipping_address";
    let updated = service.submitted(Method::PATCH, "/checkout", &token, order).await;
    let address = Service::included(&updated, "address")["attributes"].clone();
    for (name, value) in [
        ("city", "Albany"),
        ("country_iso", "US"),
        ("country_iso3", "USA"),
        ("state_name", "New York"),
        ("state_code", "NY"),
    ] {
        assert_eq!(address[name], value, "{address}");
    }
    assert_eq!(updated.body["data"]["attributes"]["email"], "ada@example.com");
    // Forms number what they list.
    for chosen in [
        "order[shipments_attributes][0][selected_shipping_rate_id]=post",
        "order[shipments_attributes][][selected_shipping_rate_id]=post",
    ] {
        let chosen = service.submitted(Method::PUT, "/checkout", &token, chosen).await;
        assert_eq!(
            (chosen.status, &chosen.body["data"]["attributes"]["ship_total"]),
            (200, &json!("4.9")),
            "{chosen:?}"
        );
    }
    for (form, error) in [
        ("order[email]=a&order=1", "order is both a value and something that has values"),
        ("order[email]=%FF", "the parameters must be UTF-8"),
    ] {
        let refused = service.submitted(Method::PATCH, "/checkout", &token, form).await;
        assert_eq!((refused.status, refused.body["error"].as_str()), (400, Some(error)));
    }
    // Some clients send JSON with the type of a form.
    let json = service.submitted(Method::PATCH, "/checkout", &token, r#"{"order":{"email":"eve@example.com"}}"#).await;
    assert_eq!(json.body["data"]["attributes"]["email"], "eve@example.com");
}

#[actix_web::test]
async fn a_slash_at_the_end_is_ignored_and_head_is_answered_as_get() {
    let service = open().await;
    let token = service.cart().await;
    for path in ["/cart/", "/cart//?include=line_items", "/checkout/payment_methods/"] {
        let answer = service.store(Method::GET, path, &token, &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let line = format!("{}_1", service.shown(&token).await["id"].as_str().unwrap());
    let removed = service.store(Method::DELETE, &format!("/cart/remove_line_item/{line}/"), &token, &json!({})).await;
    assert_eq!((removed.status, &removed.body["data"]["attributes"]["item_count"]), (200, &json!(1)));
    for (path, status) in [("/cart", 200), ("/cart/", 200), ("/cart?include=x", 400), ("/order_status/R1", 404)] {
        let headers = [("x-spree-order-token", token.as_str())];
        let answer = service.send(Method::HEAD, &format!("{STORE}{path}"), &headers, b"").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/vnd.api+json")),
            "{path}"
        );
    }
    let prices =
        service.send(Method::HEAD, &format!("{PLATFORM}/variants/"), &[("x-api-key", &service.key)], b"").await;
    assert_eq!(prices.status, 200);
}

#[actix_web::test]
async fn shipping_rates_are_estimated_for_a_country_or_the_default_one() {
    let service = open().await;
    let token = service.cart().await;
    let rates = async |query: &str| {
        let answer =
            service.store(Method::GET, &format!("/cart/estimate_shipping_rates{query}"), &token, &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["data"].as_array().unwrap().len()
    };
    // The terms of these tests deliver to Germany and the United States.
    for (query, found) in [("", 1), ("?country_iso=", 1), ("?country_iso=deu", 1), ("?country_iso=FRA", 0)] {
        assert_eq!(rates(query).await, found, "{query}");
    }
    let order = json!({ "order": { "ship_address_attributes": address("FRA") } });
    assert_eq!(service.store(Method::PATCH, "/checkout", &token, &order).await.status, 200);
    assert_eq!(rates("").await, 0, "by default the country of the cart's address");
}

#[actix_web::test]
async fn the_metadata_of_a_line_is_shown_with_the_cart_and_its_order() {
    let (service, provider) = open_with_provider().await;
    service.api.storefront.put_terms(&paywright_domain::storefront::Terms::default()).await.unwrap();
    let token = service.cart().await;
    let shown = async |method: Method, path: &str, body: &Value| {
        let answer = service.store(method, path, &token, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Service::included(&answer, "line_item")["attributes"]["public_metadata"].clone()
    };
    let (engraved, include) = (json!({ "engraving": "Rex", "size": "4", "gift": "true" }), json!("line_items"));
    for (metadata, kept) in [
        (json!({ "engraving": "Rex", "size": 4, "gift": true }), &engraved),
        (Value::Null, &engraved),
        (json!({}), &json!({})),
        (json!({ "engraving": "Rex", "size": 4, "gift": true }), &engraved),
    ] {
        let item = json!({ "variant_id": "bone", "public_metadata": metadata, "include": include });
        assert_eq!(&shown(Method::POST, "/cart/add_item", &item).await, kept, "{metadata}");
    }
    let many: serde_json::Map<_, _> = (0..60).map(|n| (format!("k{n}"), json!("v"))).collect();
    let item = json!({ "variant_id": "bone", "public_metadata": many });
    assert_eq!(service.store(Method::POST, "/cart/add_item", &token, &item).await.status, 422);
    let order = json!({ "order": { "email": "ada@example.com" } });
    assert_eq!(service.store(Method::PATCH, "/checkout", &token, &order).await.status, 200);
    let params = json!({ "payment_intent": { "off_session": false } });
    let intent = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
    let intent = IntentId::new(intent.body["data"]["attributes"]["stripe_id"].as_str().unwrap()).unwrap();
    provider.pay(&intent);
    let complete = json!({ "include": include });
    assert_eq!(shown(Method::PATCH, "/checkout/complete", &complete).await, engraved);
}

#[actix_web::test]
async fn an_intent_includes_its_order_and_its_payment() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    let include = "order,order.line_items,payment,payment.payment_method,payment_method";
    let params = json!({ "payment_intent": { "off_session": false }, "include": include });
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
    assert_eq!(made.status, 200, "{made:?}");
    let order = Service::included(&made, "order");
    assert_eq!((&order["id"], &order["attributes"]["total"]), (&made.body["data"]["id"], &json!("39.9")));
    assert_eq!(order["attributes"]["state"], "payment");
    let method = Service::included(&made, "payment_method");
    assert_eq!(method["attributes"]["publishable_key"], "pk_test_1");
    assert_eq!(Service::included(&made, "line_item")["attributes"]["slug"], "bone");
    assert_eq!(made.body["data"]["relationships"]["payment"]["data"], Value::Null, "as long as nothing is paid");
    let id = made.body["data"]["attributes"]["stripe_id"].as_str().unwrap();
    provider.pay(&IntentId::new(id).unwrap());
    let path = format!("/stripe/payment_intents/{id}/confirm?include={include}");
    let paid = service.store(Method::PATCH, &path, &token, &json!({})).await;
    let payment = Service::included(&paid, "payment");
    assert_eq!(payment["id"], paid.body["data"]["relationships"]["payment"]["data"]["id"]);
    assert_eq!(
        (&payment["attributes"]["state"], &payment["attributes"]["response_code"]),
        (&json!("completed"), &json!(id))
    );
    assert_eq!(Service::included(&paid, "order")["attributes"]["state"], "complete");
    let alone = service.store(Method::GET, &format!("/stripe/payment_intents/{id}"), &token, &Value::Null).await;
    assert!(alone.body.get("included").is_none(), "{alone:?}");
}

#[actix_web::test]
async fn the_card_that_paid_is_the_source_of_a_payment() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let made = service.store(Method::POST, "/stripe/payment_intents", &token, &params).await;
    let id = made.body["data"]["attributes"]["stripe_id"].as_str().unwrap();
    let path = |include: &str| format!("/stripe/payment_intents/{id}/confirm?include={include}");
    service.cards.pays(id, "pm_of_ada");
    let unpaid = service.store(Method::GET, "/cart?include=payments.source", &token, &Value::Null).await;
    assert_eq!(Service::included(&unpaid, "payment")["relationships"]["source"]["data"], Value::Null);
    provider.pay(&IntentId::new(id).unwrap());
    let number =
        service.store(Method::GET, "/cart", &token, &Value::Null).await.body["data"]["attributes"]["number"].clone();
    let paid = service.store(Method::PATCH, &path("payment.source,order.payments.source"), &token, &json!({})).await;
    let status = format!("/order_status/{}?include=payments.source", number.as_str().unwrap());
    let status = service.store(Method::GET, &status, &token, &Value::Null).await;
    for answer in [&paid, &status] {
        let source = &Service::included(answer, "payment")["relationships"]["source"]["data"];
        assert_eq!(source, &json!({ "id": "pm_of_ada", "type": "credit_card" }), "{answer:?}");
        let card = &Service::included(answer, "credit_card")["attributes"];
        assert_eq!(
            (&card["cc_type"], &card["last_digits"], &card["month"], &card["year"]),
            (&json!("visa"), &json!("4242"), &json!(12), &json!(2034))
        );
        assert_eq!(card["gateway_payment_profile_id"], "pm_of_ada");
    }
    // It is read from Stripe only where it is asked for.
    let without = service.store(Method::PATCH, &path("payment"), &token, &json!({})).await;
    assert_eq!(Service::included(&without, "payment")["relationships"]["source"]["data"], Value::Null);
}

#[actix_web::test]
async fn saved_cards_are_listed_by_page() {
    let service = open().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let headers = [("authorization", bearer.as_str())];
    let call = async |method: Method, path: &str| service.send(method, &format!("{STORE}{path}"), &headers, b"").await;
    let none = call(Method::GET, "/account/credit_cards").await;
    assert_eq!(none.body["meta"], json!({ "count": 0, "total_count": 0, "total_pages": 1 }));
    // Makes the customer known at Stripe. The newest card comes first.
    assert_eq!(call(Method::POST, "/stripe/setup_intents").await.status, 200);
    for card in ["pm_3", "pm_2", "pm_1"] {
        service.cards.save("cus_ada", card);
    }
    for (query, cards, links) in [
        ("", &["pm_1", "pm_2", "pm_3"][..], [1, 1, 1, 1]),
        ("?per_page=2", &["pm_1", "pm_2"], [1, 2, 1, 2]),
        ("?page=2&per_page=2", &["pm_3"], [2, 2, 1, 2]),
        ("?page=9&per_page=2", &[], [9, 2, 2, 2]),
        ("?filter[payment_method_id]=stripe&per_page=1", &["pm_1"], [1, 2, 1, 3]),
        ("?filter[payment_method_id]=7", &[], [1, 1, 1, 1]),
    ] {
        let answer = call(Method::GET, &format!("/account/credit_cards{query}")).await;
        let data = answer.body["data"].as_array().unwrap();
        assert!(data.iter().map(|it| it["id"].as_str().unwrap()).eq(cards.iter().copied()), "{query}: {answer:?}");
        assert_eq!(answer.body["meta"]["count"], json!(cards.len()));
        for (name, page) in ["self", "next", "prev", "last"].into_iter().zip(links) {
            let link = answer.body["links"][name].as_str().unwrap();
            assert!(link.contains(&format!("/account/credit_cards?page={page}&per_page=")), "{query} {name}: {link}");
        }
    }
}

/// Spree takes `true`, `"true"` and `"1"`, which a checkbox of Rails sends.
#[actix_web::test]
async fn a_checkbox_is_true_in_every_form_that_rails_sends() {
    let service = open().await;
    for (value, is_shipped) in [
        (json!("1"), true),
        (json!("true"), true),
        (json!(true), true),
        (json!(1), true),
        (json!("0"), false),
        (json!("false"), false),
        (json!(""), false),
        (json!(false), false),
    ] {
        let made = service.submitted(Method::POST, "/cart", "", "").await;
        let token = made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned();
        let order = json!({ "order": { "bill_address_attributes": address("US"), "use_billing": value } });
        let updated = service.store(Method::PATCH, "/checkout", &token, &order).await;
        assert_eq!(updated.status, 200, "{value}: {updated:?}");
        let shipping = &updated.body["data"]["relationships"]["shipping_address"]["data"];
        assert_eq!(shipping.is_object(), is_shipped, "{value}: {updated:?}");
    }
}
