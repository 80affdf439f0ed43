use actix_web::http::Method;
use paywright_app::{ApiKeys, KEY_CACHED_SECONDS, Scope};
use paywright_testkit::{MockGateway, at};
use serde_json::Value;
use uuid::Uuid;

use crate::{NOW, ORDERS, Service};

#[actix_web::test]
async fn a_call_requires_an_active_key_with_the_scope_of_the_call() {
    let service = Service::with(MockGateway::new()).await;
    let order = service.placed().await["id"].as_str().unwrap().to_owned();
    let reader = service.key_with(2, &[Scope::OrdersRead]).await;
    let writer = service.key_with(3, &[Scope::OrdersWrite]).await;
    let revoked = service.key_with(4, &Scope::ALL).await;
    service.store.revoke_api_key(Uuid::from_u128(4), at(NOW)).await.unwrap();
    let read = format!("{ORDERS}/{order}");
    let (cancel, payment) = (format!("{read}/cancel"), format!("{read}/payment"));
    for (key, method, path, status, code) in [
        (None, Method::GET, &read, 401, "api_key_missing"),
        (Some("pwk_0"), Method::GET, &read, 401, "api_key_invalid"),
        (Some(""), Method::GET, &read, 401, "api_key_invalid"),
        (Some(revoked.as_str()), Method::GET, &read, 401, "api_key_invalid"),
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
    assert_eq!(service.send(Method::GET, ORDERS, &headers, b"").await.code(), "api_key_invalid");
}

#[actix_web::test]
async fn a_revoked_key_is_refused_here_at_once_and_elsewhere_within_a_second() {
    let service = Service::with(MockGateway::new()).await;
    let (elsewhere, here) = (service.key_with(2, &Scope::ALL).await, service.key_with(3, &Scope::ALL).await);
    let code = async |key: &str| service.send(Method::GET, ORDERS, &[("x-api-key", key)], b"").await.code().to_owned();
    assert_eq!((code(&elsewhere).await, code(&here).await), (String::new(), String::new()));
    service.store.revoke_api_key(Uuid::from_u128(2), at(NOW)).await.unwrap();
    service.clock.advance_seconds(KEY_CACHED_SECONDS);
    assert_eq!(code(&elsewhere).await, "api_key_invalid");
    service.api.app.revoke_api_key(Uuid::from_u128(3)).await.unwrap();
    assert_eq!(code(&here).await, "api_key_invalid");
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
