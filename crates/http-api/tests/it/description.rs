use actix_web::http::Method;
use serde_json::Value;

use crate::Service;

#[actix_web::test]
async fn the_description_and_its_page_need_no_key_and_load_nothing_from_elsewhere() {
    let (service, _) = Service::open().await;
    let document = service.send(Method::GET, "/openapi.json", &[], b"").await;
    assert_eq!((document.status, document.header("content-type")), (200, Some("application/json")));
    assert_eq!((&document.body["openapi"], &document.body["info"]["title"]), (&"3.1.0".into(), &"Paywright".into()));
    let redirect = service.send(Method::GET, "/docs", &[], b"").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("/docs/")));
    for (file, media_type) in [
        ("", "text/html"),
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-initializer.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
    ] {
        let found = service.send(Method::GET, &format!("/docs/{file}"), &[], b"").await;
        assert_eq!((found.status, found.header("content-type")), (200, Some(media_type)), "{file}");
        let policy = found.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
    }
    for unknown in ["x", "swagger-ui.js", "..%2findex.html", "index.html/x"] {
        let missing = service.send(Method::GET, &format!("/docs/{unknown}"), &[], b"").await;
        assert_eq!((missing.status, missing.code()), (404, "path_not_found"), "{unknown}");
    }
}

#[actix_web::test]
async fn a_method_that_a_path_does_not_support_is_refused_with_those_that_it_does() {
    let (service, _) = Service::open().await;
    let document: Value = serde_json::from_str(paywright_http_api::description()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        let refused = service.send(Method::TRACE, path, &[], b"").await;
        assert_eq!((refused.status, refused.code()), (405, "method_not_allowed"), "{path}");
        let mut allowed: Vec<_> = refused.header("allow").unwrap().split(", ").map(str::to_lowercase).collect();
        assert_eq!(allowed.iter().any(|it| it == "get"), allowed.iter().any(|it| it == "head"), "{path}");
        allowed.retain(|it| it != "head");
        allowed.sort();
        let described: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, described, "{path}");
    }
}
