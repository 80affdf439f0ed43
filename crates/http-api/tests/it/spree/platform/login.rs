//! Login of applications by client credentials, and the access tokens that they get.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::*;

/// Requests a token, and returns status and body.
async fn login(service: &Service, headers: &[(&str, &str)], body: &str) -> Answer {
    let answer = service.send(Method::POST, "/spree_oauth/token", headers, body.as_bytes()).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    answer
}

#[actix_web::test]
async fn a_client_logs_in_with_the_id_and_the_text_of_its_api_key() {
    let service = Service::open().await.0;
    let secret = service.key.clone();
    let id = service.api.app.api_keys().await.unwrap()[0].id.to_string();
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let body =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret, "scope": "admin" });
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let (as_json, as_form) =
        (("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded"));
    for (headers, body, scope) in [
        (vec![as_json], body.to_string(), "admin"),
        (vec![as_form], form.clone(), "admin"),
        (
            vec![as_form, ("authorization", basic.as_str())],
            "grant_type=client_credentials&scope=read+write".to_owned(),
            "read write",
        ),
    ] {
        let token = login(&service, &headers, &body).await;
        assert_eq!(token.status, 200, "{token:?}");
        let fields: BTreeSet<_> = token.body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["access_token", "created_at", "expires_in", "scope", "token_type"].into());
        assert_eq!((&token.body["token_type"], &token.body["expires_in"]), (&json!("Bearer"), &json!(7200)));
        assert_eq!((&token.body["scope"], &token.body["created_at"]), (&json!(scope), &json!(crate::NOW)));
    }
    let other = service.key_with(9, &[Scope::OrdersRead]).await;
    for (headers, body, status, error) in [
        (vec![as_form], form.replace(&secret, "pwk_0"), 401, "invalid_client"),
        (vec![as_form], form.replace(&secret, &other), 401, "invalid_client"),
        (vec![as_form], form.replace(&id, "1"), 401, "invalid_client"),
        (vec![as_form], "grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        (
            vec![as_form, ("authorization", "Basic eA==")],
            "grant_type=client_credentials".to_owned(),
            401,
            "invalid_client",
        ),
        (vec![as_form, ("authorization", basic.as_str())], form.clone(), 400, "invalid_request"),
        (vec![as_form], "grant_type=password&username=a&password=b".to_owned(), 400, "unsupported_grant_type"),
        (vec![as_form], "grant_type=refresh_token&refresh_token=b".to_owned(), 400, "unsupported_grant_type"),
        (vec![as_json], "{\"grant_type\": 1}".to_owned(), 400, "unsupported_grant_type"),
        (vec![as_json], "{".to_owned(), 400, "invalid_request"),
        (vec![as_form], String::new(), 400, "invalid_request"),
        (vec![as_form], format!("{form}&scope=all"), 400, "invalid_scope"),
    ] {
        let refused = login(&service, &headers, &body).await;
        assert_eq!((refused.status, &refused.body["error"]), (status, &json!(error)), "{body}: {refused:?}");
        assert!(refused.body["error_description"].is_string() && !refused.text.contains(&secret), "{refused:?}");
        let by_header = status == 401 && headers.iter().any(|(name, _)| *name == "authorization");
        assert_eq!(refused.header("www-authenticate").is_some(), by_header, "{refused:?}");
    }
}

#[actix_web::test]
async fn an_access_token_gives_its_scope_of_its_keys_scopes_until_it_expires_or_the_key_is_revoked() {
    let service = Service::open().await.0;
    let order = service.placed_for("ada@example.com").await;
    let secret = service.key_with(9, &[Scope::OrdersRead, Scope::OrdersWrite]).await;
    let reader = service.key_with(10, &[Scope::OrdersRead]).await;
    let keys = service.api.app.api_keys().await.unwrap();
    let id = keys.iter().find(|it| it.scopes.len() == 2).unwrap().id;
    let id_of_reader = keys.iter().find(|it| it.scopes.len() == 1).unwrap().id;
    let nothing = format!("grant_type=client_credentials&client_id={id_of_reader}&client_secret={reader}&scope=write");
    let refused = login(&service, &[("content-type", "application/x-www-form-urlencoded")], &nothing).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_scope")), "{refused:?}");
    let token = async |scope: &str| {
        let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}");
        login(&service, &[("content-type", "application/x-www-form-urlencoded")], &body).await.body["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let status = async |token: &str, method: Method, path: &str| {
        let bearer = format!("Bearer {token}");
        service.send(method, &format!("{PLATFORM}{path}"), &[("authorization", &bearer)], b"").await.status
    };
    let (get, patch) = (Method::GET, Method::PATCH);
    let cancel = format!("/orders/{order}/cancel");
    let (read, write, admin) = (token("read").await, token("write").await, token("admin").await);
    for (token, method, path, expected) in [
        (&read, &get, "/orders", 200),
        (&read, &patch, cancel.as_str(), 403),
        (&write, &get, "/orders", 403),
        (&admin, &get, "/orders", 200),
        (&admin, &get, "/variants", 403),
        (&admin, &patch, cancel.as_str(), 200),
    ] {
        assert_eq!(status(token, method.clone(), path).await, expected, "{method} {path}");
    }
    let forged = format!("{}A", admin.strip_suffix(|_: char| true).unwrap());
    let wider = read.replacen("pwt_", "pwt_A", 1);
    for bad in ["pwt_", "pwt_.", "pwt_AAAA.AAAA", wider.as_str(), if forged == admin { "pwt_" } else { &forged }] {
        assert_eq!(status(bad, get.clone(), "/orders").await, 401, "{bad}");
    }
    service.clock.advance_seconds(7199);
    assert_eq!(status(&admin, get.clone(), "/orders").await, 200);
    service.clock.advance_seconds(1);
    assert_eq!(status(&admin, get.clone(), "/orders").await, 401, "expired");
    let fresh = token("admin").await;
    assert_eq!(status(&fresh, get.clone(), "/orders").await, 200);
    service.api.app.revoke_api_key(id).await.unwrap();
    assert_eq!(status(&fresh, get.clone(), "/orders").await, 401, "revoked");
    let shop = service.send(get, ORDERS, &[("x-api-key", &fresh)], b"").await;
    assert_eq!(shop.status, 401, "the shop dialect takes API keys alone");
}
