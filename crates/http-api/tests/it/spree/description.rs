//! Answers compared with Spree's official description of the Storefront API (`tests/spree-description`).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use paywright_domain::IntentId;
use serde_json::{Map, Value, json};

use super::*;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../../tests/spree-description/storefront.json")).unwrap()
});

/// Declared differences: type, attribute and kind.
static DIFFERENCES: LazyLock<BTreeSet<Difference>> = LazyLock::new(|| {
    let listed: Vec<Value> =
        serde_json::from_str(include_str!("../../../../../tests/spree-description/differences.json")).unwrap();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    listed.iter().map(|it| (text(it, "type"), text(it, "attribute"), text(it, "is"))).collect()
});

type Difference = (String, String, String);

/// Asserts that a successful answer of the storefront has what the description names, or a declared difference.
pub(crate) fn check(path: &str, request: &[u8], answer: &Value) {
    let Some(path) = path.strip_prefix(STORE) else { return };
    let is_sparse = [path, &String::from_utf8_lossy(request)].iter().any(|it| it.contains("fields"));
    let undeclared: Vec<_> = differences(path, answer, is_sparse).difference(&DIFFERENCES).cloned().collect();
    assert!(undeclared.is_empty(), "{path} differs from Spree's description: {undeclared:?} in {answer:#}");
}

/// Differences of an answer to the description.
fn differences(path: &str, answer: &Value, is_sparse: bool) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    let data = &answer["data"];
    let primary = data.as_array().map_or(std::slice::from_ref(data), Vec::as_slice);
    let included = answer["included"].as_array().map_or(&[][..], Vec::as_slice);
    for resource in primary.iter().chain(included).filter(|it| !it.is_null()) {
        compare(resource, is_sparse, &mut found);
    }
    let pages = &DESCRIPTION["pages"];
    let is_paged =
        pages["paths"].as_array().unwrap().iter().any(|it| Some(path.split('?').next().unwrap()) == it.as_str());
    for part in ["meta", "links"] {
        for (name, kind) in pages[part].as_object().unwrap().iter().filter(|_| is_paged) {
            let value = answer[part].get(name);
            note(&mut found, part, name, value, kind);
        }
    }
    found
}

fn compare(resource: &Value, is_sparse: bool, found: &mut BTreeSet<Difference>) {
    let kind = resource["type"].as_str().unwrap();
    assert!(resource["id"].is_string(), "{resource}");
    let described = &DESCRIPTION["resources"][if kind == "order" { "cart" } else { kind }];
    assert!(!described.is_null(), "the description has no {kind}");
    let (named, none) = (described["attributes"].as_object().unwrap(), Map::new());
    let attributes = resource["attributes"].as_object().unwrap();
    for (name, kind_of) in named.iter().filter(|(name, _)| !is_sparse || attributes.contains_key(*name)) {
        note(found, kind, name, attributes.get(name), kind_of);
    }
    for name in attributes.keys().filter(|it| !named.contains_key(*it)) {
        found.insert((kind_of_answer(kind).to_owned(), name.clone(), "more".to_owned()));
    }
    let relationships = resource["relationships"].as_object().unwrap_or(&none);
    for (name, to) in described["relationships"].as_object().unwrap() {
        let is_described =
            relationships.get(name).and_then(|it| it.get("data")).is_some_and(|it| it.is_array() == (to == "many"));
        assert!(is_described, "{kind} has no relationship {name} to {to}: {resource}");
    }
}

/// A customer's completed order has the attributes of a cart.
fn kind_of_answer(kind: &str) -> &str {
    if kind == "order" { "cart" } else { kind }
}

/// Whether a value is of a described type.
fn is_of(value: &Value, described: &str) -> bool {
    match described {
        "string" => value.is_string(),
        "time" => value.as_str().is_some_and(|it| it.len() == 24 && it.ends_with('Z')),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        unknown => panic!("the description has a type {unknown}"),
    }
}

/// Notes how a value differs from its described type.
fn note(found: &mut BTreeSet<Difference>, kind: &str, name: &str, value: Option<&Value>, described: &Value) {
    let described = described.as_str().unwrap();
    let (described, may_be_null) = described.strip_suffix('?').map_or((described, false), |it| (it, true));
    let difference = match (value, described) {
        (None, _) => "absent",
        (Some(Value::Null), _) if may_be_null => return,
        (Some(Value::Null), _) => "null",
        (Some(value), _) if is_of(value, described) => return,
        (Some(Value::String(_)), _) => "string",
        (Some(_), _) => "of another type",
    };
    found.insert((kind_of_answer(kind).to_owned(), name.to_owned(), difference.to_owned()));
}

#[test]
fn an_undeclared_difference_is_found() {
    let card = json!({ "id": "pm_1", "type": "credit_card", "attributes": {
        "cc_type": "visa", "last_digits": "4242", "month": "12", "year": 2034, "name": null, "default": true, "new": 1 },
        "relationships": { "payment_method": { "data": null } } });
    let found = differences("/account/credit_cards?page=1", &json!({ "data": [card], "meta": { "count": 1 } }), false);
    let found: Vec<_> = found.iter().map(|(kind, name, is)| format!("{kind} {name} {is}")).collect();
    assert_eq!(
        found,
        [
            "credit_card gateway_payment_profile_id absent",
            "credit_card month string",
            "credit_card name null",
            "credit_card new more",
            "links first absent",
            "links last absent",
            "links next absent",
            "links prev absent",
            "links self absent",
            "meta total_count absent",
            "meta total_pages absent",
        ]
    );
}

/// Every relationship of a cart.
const ALL: &str = "line_items.variant,variants,promotions,payments.payment_method,payments.source,shipments.shipping_rates,\
                   user,billing_address,shipping_address";

#[actix_web::test]
async fn every_declared_difference_to_the_description_is_needed() {
    let (service, provider) = open_with_provider().await;
    let bearer = format!("Bearer {}", service.token("ada"));
    let headers = [("authorization", bearer.as_str())];
    let found = std::cell::RefCell::new(BTreeSet::new());
    let call = async |method: Method, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = service.send(method, &format!("{STORE}{path}"), &headers, body.as_bytes()).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        found.borrow_mut().extend(differences(path, &answer.body, false));
        answer.body
    };
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    call(post.clone(), "/cart", json!({})).await;
    call(post.clone(), "/cart/add_item", json!({ "variant_id": "bone" })).await;
    call(patch.clone(), "/cart/apply_coupon_code", json!({ "coupon_code": "ten" })).await;
    let order = json!({ "email": "ada@example.com", "ship_address_attributes": address("DE"), "use_shipping": true });
    call(patch.clone(), "/checkout", json!({ "order": order })).await;
    call(patch.clone(), "/checkout/advance", json!({ "state": "payment", "include": ALL })).await;
    call(get.clone(), "/checkout/shipping_rates", Value::Null).await;
    call(get.clone(), "/cart/estimate_shipping_rates", Value::Null).await;
    call(get.clone(), "/checkout/payment_methods", Value::Null).await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let intent = call(post, "/stripe/payment_intents?include=order,payment,payment_method", params).await;
    let intent = intent["data"]["attributes"]["stripe_id"].as_str().unwrap();
    service.cards.pays(intent, "pm_1");
    provider.pay(&IntentId::new(intent).unwrap());
    let paid = call(patch.clone(), &format!("/checkout/complete?include={ALL}"), json!({})).await;
    call(patch, &format!("/stripe/payment_intents/{intent}/confirm"), json!({})).await;
    let number = paid["data"]["attributes"]["number"].as_str().unwrap();
    service.cards.save("cus_ada", "pm_1");
    for path in ["/account/orders", &format!("/account/orders/{number}"), &format!("/order_status/{number}")] {
        call(get.clone(), &format!("{path}?include={ALL}"), Value::Null).await;
    }
    call(get.clone(), "/account/credit_cards?include=payment_method", Value::Null).await;
    call(get, "/account/credit_cards/default", Value::Null).await;
    assert_eq!(*found.borrow(), *DIFFERENCES);
}

#[test]
fn every_difference_to_the_description_is_documented() {
    let documented = include_str!("../../../../../docs/spree.md");
    for (kind, attribute, _) in DIFFERENCES.iter() {
        assert!(documented.contains(&format!("`{attribute}`")), "docs/spree.md does not name {attribute} of {kind}");
    }
}
