//! Actors of facts, and the host in links.

use actix_web::http::Method;
use paywright_app::{Actor, OrderRef, Orders};
use serde_json::{Value, json};

use super::{STORE, open};
use crate::Service;

impl Service {
    /// Actor of the last fact of a kind.
    async fn actor_of(&self, number: &str, kind: &str) -> Option<Actor> {
        let order = self.store.order(&OrderRef::parse(number).unwrap()).await.unwrap().unwrap().value;
        let facts = self.store.facts(order.id).await.unwrap();
        facts.into_iter().rfind(|it| it.fact.kind() == kind).unwrap().cause.and_then(|it| it.actor)
    }
}

#[actix_web::test]
async fn the_actor_of_a_shopper_is_the_kind_of_token_and_never_the_token() {
    let mut service = open().await;
    service.api.demo = Some(paywright_http_api::Demo { stripe_url: "http://127.0.0.1:4242".to_owned() });
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    let params = json!({ "payment_intent": { "off_session": false } }).to_string();
    for (by_customer, expected) in [(false, Actor::CartToken), (true, Actor::Customer)] {
        let token = service.cart_to_pay().await;
        let mut headers = vec![("x-spree-order-token", token.as_str()), ("content-type", "application/json")];
        if by_customer {
            headers.push(("authorization", bearer.as_str()));
        }
        let path = format!("{STORE}/stripe/payment_intents");
        let made = service.send(Method::POST, &path, &headers, params.as_bytes()).await;
        assert_eq!(made.status, 200, "{made:?}");
        let number = service.shown(&token).await["attributes"]["number"].as_str().unwrap().to_owned();
        for kind in ["order.placed", "payment_intent.requested", "payment_intent.created"] {
            assert_eq!(service.actor_of(&number, kind).await, Some(expected.clone()), "{kind}");
        }
        // A shopper sees what happened to the order, and not which actor of the shop did it.
        let which = OrderRef::parse(&number).unwrap();
        let order = service.store.order(&which).await.unwrap().unwrap().value.id;
        let canceled = service.call(Method::POST, &format!("/api/v1/shop/orders/{order}/cancel"), &Value::Null).await;
        assert_eq!(canceled.status, 200, "{canceled:?}");
        assert!(matches!(service.actor_of(&number, "order.canceled").await, Some(Actor::ApiKey { .. })));
        let explained = service.send(Method::GET, "/demo/explain", &headers, b"").await;
        assert!(explained.text.contains("order.canceled") && !explained.text.contains("actor"), "{}", explained.text);
        assert!(!explained.text.contains("key_name"), "{}", explained.text);
    }
}

#[actix_web::test]
async fn the_actor_distinguishes_an_order_token_from_a_cart_token() {
    let service = open().await;
    let order = service.placed().await;
    let headers = [("x-spree-order-token", order["token"].as_str().unwrap()), ("content-type", "application/json")];
    let params = json!({ "payment_intent": { "off_session": false } }).to_string();
    let made =
        service.send(Method::POST, &format!("{STORE}/stripe/payment_intents"), &headers, params.as_bytes()).await;
    assert_eq!(made.status, 200, "{made:?}");
    let number = order["number"].as_str().unwrap();
    assert_eq!(service.actor_of(number, "payment_intent.created").await, Some(Actor::OrderToken));
}

/// Only the caller's own `Host` and trusted proxies name the host.
#[actix_web::test]
async fn page_links_use_the_callers_host_whatever_untrusted_clients_forward() {
    let service = open().await;
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    let headers = [
        ("authorization", bearer.as_str()),
        ("host", "shop.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    let listed = service.send(Method::GET, &format!("{STORE}/account/orders?page=1"), &headers, b"").await;
    let expected = format!("http://shop.example{STORE}/account/orders?page=1&per_page=25");
    for link in ["self", "next", "prev", "first", "last"] {
        assert_eq!(listed.body["links"][link], expected, "{listed:?}");
    }
}
