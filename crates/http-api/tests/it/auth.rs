use std::num::NonZeroU32;

use actix_web::http::Method;
use paywright_app::{ApiKey, ApiKeys, KEY_CACHED_SECONDS, KeyReplacement, KeyUse, Scope};
use paywright_http_api::ApiKeyText;
use paywright_testkit::{MockGateway, at, audit_entry, audit_entry_at};
use serde_json::Value;
use uuid::Uuid;

use crate::{CLIENT, NOW, ORDERS, Service, order};

#[actix_web::test]
async fn a_call_requires_an_active_key_with_the_scope_of_the_call() {
    let service = Service::with(MockGateway::new()).await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    let reader = service.key_with(2, &[Scope::OrdersRead]).await;
    let writer = service.key_with(3, &[Scope::OrdersWrite]).await;
    let revoked = service.key_with(4, &Scope::ALL).await;
    service.store.revoke_api_key(Uuid::from_u128(4), &audit_entry_at(at(NOW))).await.unwrap();
    let read = format!("{ORDERS}/{order}");
    let (cancel, payment) = (format!("{read}/cancel"), format!("{read}/payment"));
    for (key, method, path, status, code) in [
        (None, Method::GET, &read, 401, "api_key_missing"),
        (Some("pwk_0"), Method::GET, &read, 401, "api_key_invalid"),
        (Some(""), Method::GET, &read, 401, "api_key_invalid"),
        (Some(revoked.as_str()), Method::GET, &read, 401, "api_key_revoked"),
        (Some(reader.as_str()), Method::GET, &read, 200, ""),
        (Some(reader.as_str()), Method::POST, &cancel, 403, "scope_missing"),
        (Some(writer.as_str()), Method::GET, &read, 403, "scope_missing"),
        (Some(writer.as_str()), Method::POST, &payment, 403, "scope_missing"),
        (Some(writer.as_str()), Method::POST, &cancel, 200, ""),
    ] {
        let headers: Vec<_> = key.map(|it| ("x-api-key", it)).into_iter().collect();
        let answer = service.send(method.clone(), path, &headers, b"").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path} with {key:?}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
}

#[actix_web::test]
async fn an_expired_key_is_refused() {
    let service = Service::with(MockGateway::new()).await;
    let brief = service.key_with(99, &Scope::ALL).await;
    let headers = [("x-api-key", brief.as_str())];
    assert_eq!(service.send(Method::GET, ORDERS, &headers, b"").await.status, 200);
    service.clock.advance_seconds(60);
    let refused = service.send(Method::GET, ORDERS, &headers, b"").await;
    assert_eq!((refused.status, refused.code()), (401, "api_key_expired"));
}

/// Calls of both dialects with a key, and what they answer: the status and the code, or the sentence in Spree.
async fn answers(service: &Service, key: &str) -> [(u16, String); 2] {
    let shop = service.send(Method::GET, ORDERS, &[("x-api-key", key)], b"").await;
    let platform = service.send(Method::GET, "/api/v2/platform/orders", &[("x-api-key", key)], b"").await;
    let sentence = platform.body["error"].as_str().unwrap_or_default().to_owned();
    [(shop.status, shop.code().to_owned()), (platform.status, sentence)]
}

#[actix_web::test]
async fn a_replaced_key_is_valid_until_the_end_of_the_overlap_and_keeps_idempotency_keys() {
    let service = Service::with(MockGateway::new()).await;
    let old = service.key_with(2, &Scope::ALL).await;
    let keyed = async |key: &str| {
        let headers = [("x-api-key", key), ("idempotency-key", "one"), ("content-type", "application/json")];
        service.send(Method::POST, ORDERS, &headers, order().to_string().as_bytes()).await
    };
    let first = keyed(&old).await;
    assert_eq!(first.status, 201, "{first:?}");
    let new = ApiKey { application: Uuid::from_u128(2), ..Service::new_key(3, &Scope::ALL) };
    let replacement = KeyReplacement { old: Uuid::from_u128(2), old_until: at(NOW + 60), new };
    service.store.replace_api_key(&replacement, &[audit_entry()]).await.unwrap();
    let new = ApiKeyText::from_random([3; 32]);
    for key in [old.as_str(), new.expose()] {
        let again = keyed(key).await;
        assert_eq!((again.status, &again.body["data"]["id"]), (201, &first.body["data"]["id"]), "{again:?}");
    }
    service.clock.advance_seconds(60);
    assert_eq!(answers(&service, new.expose()).await.map(|it| it.0), [200, 200]);
    let [shop, platform] = answers(&service, &old).await;
    assert_eq!(shop, (401, "api_key_rotated".to_owned()));
    assert!(platform.0 == 401 && platform.1.contains("rotated"), "{platform:?}");
}

#[actix_web::test]
async fn a_key_with_networks_is_accepted_from_them_alone() {
    let service = Service::with(MockGateway::new()).await;
    let key = ApiKeyText::from_random([2; 32]);
    let networks = vec!["203.0.113.0/24".parse().unwrap()];
    service.store.add_api_key(&ApiKey { networks, ..Service::new_key(2, &Scope::ALL) }, &audit_entry()).await.unwrap();
    let [shop, platform] = answers(&service, key.expose()).await;
    assert_eq!(shop, (403, "api_key_network_not_allowed".to_owned()));
    assert!(platform.0 == 403 && platform.1.contains("may not be used from"), "{platform:?}");
    let here = ApiKeyText::from_random([3; 32]);
    let networks = vec!["203.0.113.0/24".parse().unwrap(), format!("{CLIENT}/32").parse().unwrap()];
    service.store.add_api_key(&ApiKey { networks, ..Service::new_key(3, &Scope::ALL) }, &audit_entry()).await.unwrap();
    assert_eq!(answers(&service, here.expose()).await.map(|it| it.0), [200, 200]);
    // A proxy that is not trusted says that the call is another's.
    for header in ["x-forwarded-for", "forwarded", "via"] {
        let headers = [("x-api-key", here.expose()), (header, "203.0.113.9")];
        let told = service.send(Method::GET, ORDERS, &headers, b"").await;
        assert_eq!((told.status, told.code()), (403, "api_key_network_not_allowed"), "{header}");
    }
}

#[actix_web::test]
async fn a_key_with_a_limit_is_refused_beyond_it_and_others_are_not() {
    let service = Service::with(MockGateway::new()).await;
    let key = ApiKeyText::from_random([2; 32]);
    let calls_per_minute = NonZeroU32::new(1);
    service
        .store
        .add_api_key(&ApiKey { calls_per_minute, ..Service::new_key(2, &Scope::ALL) }, &audit_entry())
        .await
        .unwrap();
    for _ in 0..5 {
        assert_eq!(answers(&service, key.expose()).await.map(|it| it.0), [200, 200]);
    }
    let headers = [("x-api-key", key.expose())];
    let refused = service.send(Method::GET, ORDERS, &headers, b"").await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    assert!(refused.header("retry-after").is_some_and(|it| it.parse::<u32>().is_ok_and(|it| it >= 1)), "{refused:?}");
    assert_eq!(answers(&service, key.expose()).await[1].0, 429);
    assert_eq!(answers(&service, &service.key).await.map(|it| it.0), [200, 200]);
}

#[actix_web::test]
async fn the_use_of_a_scope_is_stored_once_a_day_and_not_by_refused_calls() {
    let service = Service::with(MockGateway::new()).await;
    let key = service.key_with(2, &[Scope::OrdersRead, Scope::PricesRead]).await;
    let app = &service.api.app;
    let used = async || {
        app.record_key_uses().await.unwrap();
        service.store.key_uses().await.unwrap()
    };
    assert_eq!(answers(&service, "pwk_0").await.map(|it| it.0), [401, 401]);
    let refund = format!("{ORDERS}/x/refunds");
    assert_eq!(service.send(Method::POST, &refund, &[("x-api-key", key.as_str())], b"").await.status, 403);
    assert_eq!(used().await, []);
    let day = at(NOW - NOW.rem_euclid(86_400));
    let read = KeyUse { key: Uuid::from_u128(2), scope: Scope::OrdersRead, last_used: day };
    for _ in 0..2 {
        assert_eq!(answers(&service, &key).await.map(|it| it.0), [200, 200]);
        assert_eq!(used().await, [read]);
    }
    service.clock.advance_seconds(86_400);
    assert_eq!(used().await, [read]);
    assert_eq!(answers(&service, &key).await.map(|it| it.0), [200, 200]);
    assert_eq!(used().await, [KeyUse { last_used: day.plus_seconds(86_400), ..read }]);
}

#[actix_web::test]
async fn a_revoked_key_is_refused_here_at_once_and_elsewhere_within_a_second() {
    let service = Service::with(MockGateway::new()).await;
    let (elsewhere, here) = (service.key_with(2, &Scope::ALL).await, service.key_with(3, &Scope::ALL).await);
    let code = async |key: &str| service.send(Method::GET, ORDERS, &[("x-api-key", key)], b"").await.code().to_owned();
    assert_eq!((code(&elsewhere).await, code(&here).await), (String::new(), String::new()));
    service.store.revoke_api_key(Uuid::from_u128(2), &audit_entry_at(at(NOW))).await.unwrap();
    service.clock.advance_seconds(KEY_CACHED_SECONDS);
    assert_eq!(code(&elsewhere).await, "api_key_revoked");
    service.api.app.revoke_api_key(Uuid::from_u128(3)).await.unwrap();
    assert_eq!(code(&here).await, "api_key_revoked");
}

#[actix_web::test]
async fn a_customer_has_access_to_their_own_orders_only() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let other = service.placed().await;
    let path = format!("{ORDERS}/{}", placed["id"].as_str().unwrap());
    let (ada, eve) = (service.token("cus-ada"), service.token("cus-eve"));
    let (token, wrong_token) = (placed["token"].as_str().unwrap(), other["token"].as_str().unwrap());
    for (bearer, status, code) in [
        (ada.as_str(), 200, ""),
        (token, 200, ""),
        (eve.as_str(), 404, "order_not_found"),
        (wrong_token, 404, "order_not_found"),
        ("nonsense", 401, "token_invalid"),
    ] {
        let bearer = format!("Bearer {bearer}");
        let headers = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
        let answer = service.send(Method::GET, &path, &headers, b"").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{bearer}");
    }
    let list = async |bearer: &str, query: &str| {
        let bearer = format!("Bearer {bearer}");
        let headers = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
        service.send(Method::GET, &format!("{ORDERS}{query}"), &headers, b"").await
    };
    let count = |answer: &crate::Answer| answer.body["data"]["orders"].as_array().map(Vec::len);
    assert_eq!(count(&list(&ada, "").await), Some(2));
    assert_eq!(count(&list(&eve, "").await), Some(0));
    assert_eq!(list(&eve, "?customer=cus-ada").await.code(), "list_not_allowed");
    assert_eq!(list(token, "").await.code(), "list_not_allowed");
}

#[actix_web::test]
async fn a_payment_intent_requires_a_bearer_token() {
    let service = Service::with(MockGateway::new()).await;
    let path = format!("{ORDERS}/{}/payment-intent", service.placed().await["id"].as_str().unwrap());
    let anonymous = service.call(Method::POST, &path, &Value::Null).await;
    assert_eq!((anonymous.status, anonymous.code()), (401, "token_missing"));
    let basic = [("x-api-key", service.key.as_str()), ("authorization", "Basic YTpi")];
    assert_eq!(service.send(Method::POST, &path, &basic, b"").await.code(), "token_invalid");
    let eve = format!("Bearer {}", service.token("cus-eve"));
    let headers = [("x-api-key", service.key.as_str()), ("authorization", eve.as_str())];
    assert_eq!(service.send(Method::POST, &path, &headers, b"").await.code(), "order_not_found");
    service.clock.advance_seconds(3600);
    let ada = format!("Bearer {}", service.token("cus-ada"));
    let headers = [("x-api-key", service.key.as_str()), ("authorization", ada.as_str())];
    assert_eq!(service.send(Method::POST, &path, &headers, b"").await.code(), "token_invalid", "expired");
}

/// RFC 9110, section 11.1: a scheme is case-insensitive. RFC 7515, section 4.1.11: `crit`.
#[actix_web::test]
async fn the_bearer_scheme_is_case_insensitive_and_a_critical_header_is_refused() {
    let service = Service::with(MockGateway::new()).await;
    let path = format!("{ORDERS}/{}", service.placed().await["id"].as_str().unwrap());
    // Signed by PyJWT 2.15.1 with the key "s" * 32: `exp` is NOW + 600.5.
    let fractional = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwLjV9.\
                      GmVLv8A9x84snfct5ofbjzE-jb46qkvwH2l7N9JfOz0";
    // The same with the header `"crit": ["exp"], "exp": 1`.
    let critical = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl0sImV4cCI6MSwidHlwIjoiSldUIn0.\
                    eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.z2mmxpywciuzx-MdUEmTuD3ToXR3FTUFQ0YvCdOxR98";
    for (authorization, status) in [
        (format!("Bearer {fractional}"), 200),
        (format!("bearer {}", service.token("cus-ada")), 200),
        (format!("BEARER {}", service.token("cus-ada")), 200),
        (format!("Token {}", service.token("cus-ada")), 401),
        (format!("Bearer {critical}"), 401),
    ] {
        let headers = [("x-api-key", service.key.as_str()), ("authorization", authorization.as_str())];
        let answer = service.send(Method::GET, &path, &headers, b"").await;
        assert_eq!(answer.status, status, "{authorization}: {answer:?}");
        let spree = service.send(Method::GET, "/api/v2/storefront/account/orders", &headers[1..], b"").await;
        assert_eq!(spree.status, status, "{authorization}: {spree:?}");
    }
    let bearer = format!("bearer {}", service.key);
    let listed = service.send(Method::GET, "/api/v2/platform/variants", &[("authorization", &bearer)], b"").await;
    assert_eq!(listed.status, 200, "{listed:?}");
}
