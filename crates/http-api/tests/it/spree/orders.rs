//! Completed orders of a customer, by page.

use paywright_domain::IntentId;
use paywright_domain::storefront::Terms;
use serde_json::{Value, json};

use super::*;

impl Service {
    async fn listed(&self, customer: &str, query: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token(customer));
        self.send(Method::GET, &format!("{STORE}/account/orders{query}"), &[("authorization", &bearer)], b"").await
    }
}

/// Pays a cart of `customer`, and answers with the number of its order.
async fn paid_order(service: &Service, provider: &Provider, customer: &str) -> String {
    let bearer = format!("Bearer {}", service.token(customer));
    let call = async |method: Method, path: &str, body: Value| {
        let headers = [("authorization", bearer.as_str())];
        let answer = service.send(method, &format!("{STORE}{path}"), &headers, body.to_string().as_bytes()).await;
        assert!(answer.status < 300, "{answer:?}");
        answer.body["data"]["attributes"].clone()
    };
    let number = call(Method::POST, "/cart", json!({})).await["number"].as_str().unwrap().to_owned();
    call(Method::POST, "/cart/add_item", json!({ "variant_id": "bone" })).await;
    call(Method::PATCH, "/checkout", json!({ "order": { "email": "ada@example.com" } })).await;
    let params = json!({ "payment_intent": { "off_session": false } });
    let intent = call(Method::POST, "/stripe/payment_intents", params).await;
    provider.pay(&IntentId::new(intent["stripe_id"].as_str().unwrap()).unwrap());
    call(Method::PATCH, "/checkout/complete", json!({})).await;
    service.clock.advance_seconds(60);
    number
}

#[actix_web::test]
async fn a_customers_completed_orders_are_listed_by_page_and_counted() {
    let (service, provider) = open_with_provider().await;
    service.api.storefront.put_terms(&Terms::default()).await.unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(paid_order(&service, &provider, "ada").await);
        paid_order(&service, &provider, "eve").await;
        // Placed by the shop, and not paid.
        let mut open = crate::order();
        open["customer"] = json!("ada");
        assert_eq!(service.call(Method::POST, "/api/v1/shop/orders", &open).await.status, 201);
    }
    let newest_first = [&numbers[2], &numbers[1], &numbers[0]];
    let base = format!("{STORE}/account/orders");
    for (query, shown, pages, [this, next, previous, last]) in [
        ("?page=1&per_page=2", &newest_first[..2], 2, [1, 2, 1, 2]),
        ("?page=2&per_page=2", &newest_first[2..], 2, [2, 2, 1, 2]),
        ("?page=3&per_page=2", &[], 2, [3, 2, 2, 2]),
        ("?page=1&per_page=3", &newest_first[..], 1, [1, 1, 1, 1]),
        ("?page=4294967295&per_page=3", &[], 1, [4_294_967_295_u32, 1, 1, 1]),
        ("?sort=completed_at&page=1&per_page=2", &[&numbers[0], &numbers[1]][..], 2, [1, 2, 1, 2]),
    ] {
        let answer = service.listed("ada", query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let orders = answer.body["data"].as_array().unwrap();
        let found: Vec<_> = orders.iter().map(|it| it["attributes"]["number"].as_str().unwrap()).collect();
        assert_eq!(found, shown, "{query}");
        let meta = json!({ "count": shown.len(), "total_count": 3, "total_pages": pages });
        assert_eq!(answer.body["meta"], meta, "{query}");
        let per_page = query.rsplit('=').next().unwrap();
        let sort = if query.contains("sort") { "&sort=completed_at" } else { "" };
        for (name, page) in [("self", this), ("next", next), ("prev", previous), ("last", last), ("first", 1)] {
            let link = answer.body["links"][name].as_str().unwrap();
            assert!(
                link.ends_with(&format!("{base}?page={page}&per_page={per_page}{sort}")),
                "{query}: {name}: {link}"
            );
        }
    }
    let none = service.listed("bob", "").await;
    assert_eq!(none.body["meta"], json!({ "count": 0, "total_count": 0, "total_pages": 1 }));
}

#[actix_web::test]
async fn a_page_of_orders_out_of_its_limits_is_the_default_one() {
    let service = open().await;
    for (query, page, per_page) in [
        ("?page=0", 1, 25),
        ("?page=-1", 1, 25),
        ("?page=4294967296", 1, 25),
        ("?page=99999999999999999999", 1, 25),
        ("?per_page=0", 1, 25),
        ("?per_page=501", 1, 25),
        ("?per_page=-99999999999999999999", 1, 25),
        ("?page=2&per_page=500", 2, 500),
    ] {
        let answer = service.listed("ada", query).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let link = answer.body["links"]["self"].as_str().unwrap();
        assert!(link.ends_with(&format!("?page={page}&per_page={per_page}")), "{query}: {link}");
    }
    for query in ["?page=one", "?page=-", "?page=1.0", "?page="] {
        let answer = service.listed("ada", query).await;
        assert_eq!((answer.status, &answer.body["error"]), (422, &json!("Page must be an integer")), "{query}");
    }
}
