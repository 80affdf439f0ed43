//! The Platform API. Every answer is checked against the attributes that Spree's description names.

mod login;
mod subscribers;

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::IntentId;

use super::*;
use crate::ORDERS;

/// Attributes and relationships of Spree's description, by resource type.
#[derive(serde::Deserialize)]
struct Description {
    types: BTreeMap<String, Described>,
}

#[derive(serde::Deserialize)]
struct Described {
    attributes: BTreeMap<String, String>,
    relationships: BTreeSet<String>,
}

fn description() -> Description {
    serde_json::from_str(include_str!("../../../../../tests/spree-description/platform.json")).unwrap()
}

/// Types of resources that Spree's description of these calls does not show; `docs/spree.md` lists their attributes.
const NOT_DESCRIBED: [&str; 5] = ["refund", "payment_capture_event", "payment_method", "variant", "country"];

/// Whether a value has a type of the description.
fn is_of(value: &Value, kind: &str) -> bool {
    let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let is_decimal = |it: &str| {
        let digits = it.strip_prefix('-').unwrap_or(it);
        digits.split_once('.').is_some_and(|(whole, fraction)| {
            !fraction.is_empty() && (whole.to_owned() + fraction).bytes().all(|it| it.is_ascii_digit())
        })
    };
    let is_time = |it: &str| it.len() == "2022-11-08T19:34:40.155Z".len() && it.ends_with('Z') && it.contains('.');
    match (kind, value) {
        (_, Value::Null) => nullable,
        ("decimal", Value::String(text)) => is_decimal(text),
        ("time", Value::String(text)) => is_time(text),
        ("string" | "display", Value::String(_)) | ("boolean", Value::Bool(_)) | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => number.is_i64(),
        _ => false,
    }
}

/// Panics unless each resource of a document has exactly the attributes and relationships of Spree's description.
fn judge(document: &Value) {
    let description = description();
    let data = document["data"].as_array().cloned().unwrap_or_else(|| vec![document["data"].clone()]);
    let included = document["included"].as_array().cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for resource in data.iter().chain(&included) {
        let kind = resource["type"].as_str().unwrap();
        assert!(seen.insert((kind, resource["id"].as_str().unwrap())), "twice in a document: {resource}");
        let Some(described) = description.types.get(kind) else {
            assert!(NOT_DESCRIBED.contains(&kind), "{kind} is not described: {resource}");
            continue;
        };
        let attributes = resource["attributes"].as_object().unwrap();
        let names: BTreeSet<_> = attributes.keys().collect();
        assert_eq!(names, described.attributes.keys().collect(), "{kind}");
        for (name, value) in attributes {
            let expected = &described.attributes[name];
            assert!(is_of(value, expected), "{kind}.{name} must be {expected}: {value}");
        }
        let relations: BTreeSet<_> = resource["relationships"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(relations, described.relationships, "{kind}");
    }
    if document["data"].is_array() {
        assert_eq!(document["meta"]["count"], data.len());
        for name in ["self", "next", "prev", "last", "first"] {
            assert!(document["links"][name].as_str().is_some_and(|it| it.contains("page=")), "{name}");
        }
    }
}

impl Service {
    /// Calls the Platform API with the shop's API key.
    async fn platform(&self, method: Method, path: &str, body: &Value) -> Answer {
        let answer = self.call(method, &format!("{PLATFORM}{path}"), body).await;
        assert_eq!(answer.header("content-type"), Some("application/vnd.api+json"), "{answer:?}");
        if answer.status < 300 && !path.contains("fields") {
            judge(&answer.body);
        }
        answer
    }

    /// Body of a successful read.
    async fn read(&self, path: &str) -> Value {
        let answer = self.platform(Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Ids of the resources in a list.
    async fn ids(&self, path: &str) -> Vec<String> {
        let body = self.read(path).await;
        body["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Places an order of the shop for this email address, and returns its id.
    async fn placed_for(&self, email: &str) -> String {
        let body = json!({ "currency": "usd", "customer": "cus-ada", "email": email,
            "line_items": [{ "name": "Mug", "amount": 1200, "quantity": 2, "sku": "MUG-1" }],
            "adjustments": [{ "kind": "discount", "label": "Five", "amount": 500 },
                { "kind": "shipping", "label": "Post", "amount": 490 },
                { "kind": "tax", "label": "Tax", "amount": 100 }] });
        let placed = self.call(Method::POST, ORDERS, &body).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        placed.body["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates the PaymentIntent of an order.
    async fn intent_of(&self, order: &str) -> String {
        let bearer = format!("Bearer {}", self.token("cus-ada"));
        let headers = [("x-api-key", self.key.as_str()), ("authorization", bearer.as_str())];
        let made = self.send(Method::POST, &format!("{ORDERS}/{order}/payment-intent"), &headers, b"").await;
        made.body["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Pays an order, and returns the id of its PaymentIntent.
    async fn pay(&self, provider: &Provider, order: &str) -> String {
        let intent = self.intent_of(order).await;
        provider.pay(&IntentId::new(intent.clone()).unwrap());
        let paid = self.call(Method::POST, &format!("{ORDERS}/{order}/payment"), &Value::Null).await;
        assert_eq!(paid.status, 200, "{paid:?}");
        intent
    }
}

#[actix_web::test]
async fn an_order_has_the_attributes_of_spree_and_the_amounts_of_the_shop() {
    let (service, provider) = Service::open().await;
    let id = service.placed_for("ada@example.com").await;
    let before = service.read(&format!("/orders/{id}")).await["data"].clone();
    assert_eq!(before["attributes"]["state"], "payment");
    let intent = service.pay(&provider, &id).await;
    let refund = json!({ "amount": "2.00" });
    assert_eq!(service.call(Method::POST, &format!("{ORDERS}/{id}/refunds"), &refund).await.status, 201);
    let include =
        "line_items.variant,payments.refunds,payments.payment_capture_events,adjustments,all_adjustments,user";
    let number = before["attributes"]["number"].as_str().unwrap();
    let shown = service.read(&format!("/orders/{number}?include={include}")).await;
    let it = &shown["data"]["attributes"];
    assert_eq!(shown["data"]["id"], id.as_str());
    for (name, expected) in [
        ("state", "complete"),
        ("payment_state", "balance_due"),
        ("email", "ada@example.com"),
        ("item_total", "24.0"),
        ("adjustment_total", "-4.0"),
        ("promo_total", "-5.0"),
        ("additional_tax_total", "1.0"),
        ("included_tax_total", "0.0"),
        ("shipment_total", "4.9"),
        ("total", "24.9"),
        ("payment_total", "22.9"),
        ("display_outstanding_balance", "$2.00"),
        ("display_promo_total", "-$5.00"),
        ("display_pre_tax_item_amount", "$19.00"),
        ("display_total", "$24.90"),
    ] {
        assert_eq!(it[name], expected, "{name}");
    }
    assert_eq!((&it["item_count"], &it["completed_at"]), (&json!(2), &it["approved_at"]));
    let included = shown["included"].as_array().unwrap();
    let of = |kind: &str| included.iter().filter(|it| it["type"] == kind).collect::<Vec<_>>();
    assert_eq!(of("variant")[0]["attributes"]["sku"], "MUG-1");
    assert_eq!(of("payment")[0]["id"], intent.as_str());
    assert_eq!(of("payment")[0]["attributes"]["state"], "completed");
    assert_eq!(of("payment_capture_event")[0]["attributes"]["amount"], "24.9");
    assert_eq!(of("refund")[0]["attributes"]["display_amount"], "$2.00");
    let adjusted: Vec<_> = of("adjustment").iter().map(|it| it["attributes"]["amount"].clone()).collect();
    assert_eq!(adjusted, ["-5.0", "1.0"], "the shipping price is no adjustment in Spree");
    assert_eq!(shown["data"]["relationships"]["user"]["data"], json!({ "id": "cus-ada", "type": "user" }));
    let fields = service.read(&format!("/orders/{id}?fields[order]=number")).await;
    assert_eq!(fields["data"]["attributes"], json!({ "number": number }));
}

#[actix_web::test]
async fn an_order_of_a_cart_shows_its_addresses_and_variants() {
    let (service, provider) = open_with_provider().await;
    let token = service.cart_to_pay().await;
    let engraved = json!({ "variant_id": "bone", "quantity": 1, "public_metadata": { "engraving": "Rex" } });
    let added = service.store(Method::POST, "/cart/add_item", &token, &engraved).await;
    assert_eq!(added.status, 200, "{added:?}");
    let made = service
        .store(Method::POST, "/stripe/payment_intents", &token, &json!({ "payment_intent": { "off_session": false } }))
        .await;
    provider.pay(&IntentId::new(made.body["data"]["attributes"]["stripe_id"].as_str().unwrap()).unwrap());
    let paid = service.store(Method::PATCH, "/checkout/complete", &token, &json!({})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    let include = "ship_address.country,bill_address,line_items.variant,payments.payment_method,payments.source";
    let shown = service.read(&format!("/orders?include={include}")).await;
    let included = shown["included"].as_array().unwrap();
    let of = |kind: &str| included.iter().find(|it| it["type"] == kind).unwrap();
    assert_eq!(of("address")["attributes"]["city"], "New York");
    assert_eq!(of("country")["attributes"]["iso3"], "USA");
    assert_eq!(of("variant")["id"], "bone");
    assert_eq!(of("line_item")["attributes"]["public_metadata"], json!({ "engraving": "Rex" }));
    let order = &shown["data"][0];
    let status = format!("/order_status/{}", order["attributes"]["number"].as_str().unwrap());
    let stored = service.store(Method::GET, &status, &token, &Value::Null).await.body;
    for name in ["item_total", "total", "included_tax_total", "display_total", "payment_state", "state", "completed_at"]
    {
        assert_eq!(order["attributes"][name], stored["data"]["attributes"][name], "{name}");
    }
}

#[actix_web::test]
async fn orders_are_listed_by_filters_and_polled_by_the_time_of_their_change() {
    let (service, provider) = Service::open().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(service.placed_for(&format!("{number}@example.com")).await);
    }
    service.clock.advance_seconds(10);
    service.pay(&provider, &ids[1]).await;
    service.pay(&provider, &ids[3]).await;
    service.clock.advance_seconds(10);
    let canceled = service.platform(Method::PATCH, &format!("/orders/{}/cancel", ids[4]), &Value::Null).await;
    assert_eq!((canceled.status, &canceled.body["data"]["attributes"]["state"]), (200, &json!("canceled")));
    let number = service.read(&format!("/orders/{}", ids[2])).await["data"]["attributes"]["number"].clone();
    let number = number.as_str().unwrap();
    // The orders were placed at NOW, 2025-03-31T09:57:30Z.
    for (query, expected) in [
        ("sort=updated_at", &[0, 2, 1, 3, 4][..]),
        ("sort=-updated_at", &[4, 3, 1, 2, 0]),
        ("", &[4, 3, 1, 2, 0]),
        ("sort=id", &[0, 1, 2, 3, 4]),
        ("sort=id&page=&per_page=&include=&filter[email_eq]=", &[0, 1, 2, 3, 4]),
        ("sort=updated_at&filter[updated_at_gteq]=2025-03-31T09:57:31Z", &[1, 3, 4]),
        ("sort=updated_at&filter[updated_at_gt]=2025-03-31T09:57:40.000Z", &[4]),
        ("sort=updated_at&filter[updated_at_gteq]=2025-03-31T09:57:40.000Z", &[1, 3, 4]),
        ("sort=updated_at&filter[updated_at_lteq]=2025-03-31T09:57:40.000Z", &[0, 2, 1, 3]),
        ("sort=updated_at&filter[updated_at_lt]=2025-03-31T09:57:40.000Z", &[0, 2]),
        ("sort=id&filter[created_at_gteq]=2025-03-31", &[0, 1, 2, 3, 4]),
        ("sort=id&filter[created_at_gt]=2025-04-01", &[]),
        ("sort=id&filter[completed_at_gteq]=2025-03-31", &[1, 3]),
        ("sort=id&filter[payment_state_eq]=paid", &[1, 3]),
        ("sort=id&filter[payment_state_eq]=void", &[4]),
        ("sort=id&filter[payment_state_eq]=balance_due", &[0, 2]),
        ("sort=id&filter[state_eq]=complete", &[1, 3]),
        ("sort=id&filter[state_eq]=payment", &[0, 2]),
        ("sort=id&filter[state_eq]=canceled", &[4]),
        ("filter[email_eq]=2%40example.com", &[2]),
        (&format!("filter[number_eq]={number}"), &[2]),
        (&format!("filter[number_eq]={number}&filter[state_eq]=complete"), &[]),
        ("filter[number_eq]=R123456789", &[]),
        ("sort=id&per_page=2", &[0, 1]),
        ("sort=id&per_page=2&page=3", &[4]),
        ("sort=id&per_page=2&page=9", &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|it| ids[*it].clone()).collect();
        assert_eq!(service.ids(&format!("/orders?{query}")).await, expected, "{query}");
    }
    let page = service.read("/orders?filter[payment_state_eq]=paid&per_page=1&page=2&sort=id").await;
    assert_eq!(page["meta"], json!({ "count": 1, "total_count": 2, "total_pages": 2 }));
    let next = page["links"]["next"].as_str().unwrap();
    assert!(next.contains("?page=2&") && next.contains("&filter%5Bpayment_state_eq%5D=paid"), "{next}");
    let first = page["links"]["first"].as_str().unwrap().split_once(PLATFORM).unwrap().1;
    assert_eq!(service.ids(first).await, [ids[1].clone()], "a link leads to its page");
}

#[actix_web::test]
async fn payments_line_items_and_adjustments_are_read_by_their_order() {
    let (service, provider) = Service::open().await;
    let (id, other) = (service.placed_for("ada@example.com").await, service.placed_for("eve@example.com").await);
    let intent = service.pay(&provider, &id).await;
    let waiting = service.intent_of(&other).await;
    for (query, expected) in [
        (format!("filter[response_code_eq]={intent}"), Some(&intent)),
        (format!("filter[response_code_eq]={intent}&filter[state_eq]=completed"), Some(&intent)),
        (format!("filter[response_code_eq]={intent}&filter[state_eq]=checkout"), None),
        (format!("filter[response_code_eq]={waiting}&filter[state_eq]=checkout"), Some(&waiting)),
        (format!("filter[order_id_eq]={id}&filter[amount_gteq]=24.9"), Some(&intent)),
        (format!("filter[order_id_eq]={id}&filter[amount_gteq]=24.91"), None),
        (format!("filter[order_id_eq]={id}&filter[payment_method_id_eq]=stripe"), Some(&intent)),
        (format!("filter[order_id_eq]={id}&filter[payment_method_id_eq]=1"), None),
        (format!("filter[order_id_eq]={id}&filter[response_code_eq]={waiting}"), None),
        (format!("filter[number_eq]=P{}", intent.strip_prefix("pi_").unwrap()), Some(&intent)),
        ("filter[response_code_eq]=pi_unknown".to_owned(), None),
        ("filter[order_id_eq]=7".to_owned(), None),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(service.ids(&format!("/payments?{query}")).await, expected, "{query}");
    }
    let payment = service.read(&format!("/payments/{intent}?include=order,payment_method")).await;
    let number = payment["data"]["attributes"]["number"].as_str().unwrap();
    assert_eq!(service.read(&format!("/payments/{number}")).await["data"], payment["data"]);
    assert_eq!(payment["included"].as_array().unwrap().len(), 2);
    let lines = service.read(&format!("/line_items?filter[order_id_eq]={id}&include=order,variant")).await;
    assert_eq!(lines["data"][0]["id"], format!("{id}_1"));
    assert_eq!(lines["data"][0]["attributes"]["display_final_amount"], "$19.79");
    let line = service.read(&format!("/line_items/{id}_1")).await;
    assert_eq!(line["data"], lines["data"][0]);
    assert_eq!(
        service.ids(&format!("/adjustments?filter[order_id]={id}")).await,
        [format!("{id}_1"), format!("{id}_3")]
    );
    let tax = service.read(&format!("/adjustments/{id}_3?include=adjustable")).await;
    assert_eq!(tax["data"]["attributes"]["source_type"], "Spree::TaxRate");
    assert_eq!(tax["included"][0]["id"], id.as_str());
    for path in [
        format!("/orders/{}", "R1"),
        format!("/orders/{intent}"),
        "/payments/pi_unknown".to_owned(),
        "/payments/1".to_owned(),
        format!("/line_items/{id}_2"),
        format!("/line_items/{id}"),
        format!("/adjustments/{id}_2"),
    ] {
        let answer = service.platform(Method::GET, &path, &Value::Null).await;
        assert_eq!((answer.status, answer.body), (404, json!({ "error": NOT_FOUND })), "{path}");
    }
}

#[actix_web::test]
async fn an_order_is_edited_in_its_email_address_and_its_metadata_alone() {
    let service = Service::open().await.0;
    let id = service.placed_for("ada@example.com").await;
    let path = format!("/orders/{id}");
    let body = json!({ "order": { "email": "bob@example.com", "public_metadata": { "erp": "7" }, "internal_note": null,
        "private_metadata": {} } });
    let edited = service.platform(Method::PATCH, &path, &body).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let before = service.read(&path).await;
    assert_eq!(before["data"]["attributes"]["email"], "bob@example.com");
    assert_eq!(before["data"]["attributes"]["public_metadata"], json!({ "erp": "7" }));
    for (field, value) in [
        ("total", json!("0.0")),
        ("item_total", json!("0.0")),
        ("state", json!("complete")),
        ("payment_state", json!("paid")),
        ("payment_total", json!("24.9")),
        ("completed_at", json!("2025-03-31T00:00:00Z")),
        ("internal_note", json!("a note")),
        ("private_metadata", json!({ "a": "b" })),
        ("line_items_attributes", json!([])),
        ("email", json!("nobody")),
        ("public_metadata", json!({ "a": [] })),
    ] {
        let refused = service.platform(Method::PATCH, &path, &json!({ "order": { field: value } })).await;
        assert_eq!(refused.status, 422, "{field}: {refused:?}");
        let named = refused.body["errors"].as_object().unwrap().keys().next().unwrap().clone();
        assert!(named.starts_with(field), "{refused:?}");
        assert_eq!(service.read(&path).await, before, "{field}");
    }
}

#[actix_web::test]
async fn an_order_is_canceled_or_approved_by_the_rules_of_the_shop() {
    let (service, provider) = Service::open().await;
    let (paid, open) = (service.placed_for("ada@example.com").await, service.placed_for("eve@example.com").await);
    service.pay(&provider, &paid).await;
    let patch = async |id: &str, call: &str| {
        service.platform(Method::PATCH, &format!("/orders/{id}/{call}"), &Value::Null).await
    };
    let approved = patch(&paid, "approve").await;
    assert_eq!(approved.status, 200, "{approved:?}");
    assert!(approved.body["data"]["attributes"]["approved_at"].is_string());
    for (id, call, error) in [
        (&open, "approve", "the order is not paid: its payment approves it"),
        (&paid, "cancel", "the order is paid"),
        (&paid, "next", "PATCH is not offered for this resource"),
        (&paid, "apply_coupon_code", "PATCH is not offered for this resource"),
    ] {
        let refused = patch(id, call).await;
        let said = refused.body["error"].as_str().unwrap();
        assert!(refused.status == 422 && said.to_lowercase().starts_with(&error.to_lowercase()), "{call}: {refused:?}");
    }
    let canceled = patch(&open, "cancel").await;
    assert_eq!(canceled.body["data"]["attributes"]["display_outstanding_balance"], "$0.00", "{canceled:?}");
    assert_eq!(patch(&open, "cancel").await.status, 200, "a repeat changes nothing");
}

#[actix_web::test]
async fn what_this_api_does_not_serve_is_refused_by_name() {
    let service = Service::open().await.0;
    let id = service.placed_for("ada@example.com").await;
    for (path, status, error) in [
        ("/orders?filter[total_gteq]=1", 422, "Filter total gteq is not a known field"),
        ("/orders?filter[state_eq]=cart", 422, "Filter state eq must be payment, complete or canceled"),
        ("/orders?filter[payment_state_eq]=failed", 422, "Filter payment state eq must be balance_due, paid"),
        ("/orders?filter[updated_at_gteq]=yesterday", 422, "Filter updated at gteq must be a time like"),
        ("/orders?filter[state_in][]=complete", 422, "Filter state in is not a known field"),
        ("/orders?sort=completed_at", 422, "Sort must be updated_at, id or number"),
        ("/orders?per_page=501", 422, "Per page must be 1 to 500"),
        ("/orders?page=0", 422, "Page must be 1 to"),
        ("/orders?q[state_eq]=complete", 422, "Q is not a known field"),
        ("/orders?filter=x", 422, "Filter must be an object"),
        ("/orders?include=nonsense", 400, "nonsense is not specified as a relationship on order"),
        ("/orders?include=payments.nonsense", 400, "nonsense is not specified as a relationship on payment"),
        ("/orders/1?odd=1", 422, "Odd is not a known field"),
        ("/payments", 422, "Filter order id eq is required, or response_code_eq or number_eq"),
        ("/payments?filter[order_id_eq]=1&filter[state_eq]=paid", 422, "Filter state eq must be one of"),
        ("/payments?filter[order_id_eq]=1&sort=id", 422, "Sort is not offered"),
        ("/line_items", 422, "Filter order id eq is required"),
        ("/adjustments", 422, "Filter order id eq is required"),
    ] {
        let refused = service.platform(Method::GET, path, &Value::Null).await;
        let said = refused.body["error"].as_str().unwrap();
        assert!(refused.status == status && said.starts_with(error), "{path}: {refused:?}");
    }
    let order = format!("/orders/{id}");
    for (method, path) in [
        (Method::POST, "/orders"),
        (Method::DELETE, order.as_str()),
        (Method::POST, "/payments"),
        (Method::DELETE, "/payments/pi_1"),
        (Method::POST, "/line_items"),
        (Method::PATCH, "/line_items/1"),
        (Method::DELETE, "/line_items/1"),
        (Method::POST, "/adjustments"),
        (Method::PATCH, "/adjustments/1"),
        (Method::DELETE, "/adjustments/1"),
    ] {
        let refused = service.platform(method.clone(), path, &json!({})).await;
        let said = refused.body["error"].as_str().unwrap();
        assert!(refused.status == 422 && said.starts_with(&format!("{method} is not offered")), "{path}: {refused:?}");
    }
}
