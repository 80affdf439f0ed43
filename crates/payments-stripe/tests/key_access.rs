//! Access of a key, found out by reads that change nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_payments_stripe::{Access, Client, ClientSettings, Resource, StripeError};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn fresh() -> (MockServer, Client) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    let key = SecretString::from("rk_test_hush");
    let client = Client::new(ClientSettings { base_url: server.uri(), attempts_max: 1, ..ClientSettings::new(key) });
    (server, client.unwrap())
}

fn refusal(status: u16, error: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

#[tokio::test]
async fn a_missing_permission_is_told_from_a_refused_key_and_a_missing_call() {
    let (server, client) = fresh().await;
    let denied = "The provided key 'rk_test_*********hush' does not have the required permissions for this endpoint on account \
                  'acct_1'. Having the 'rak_charge_read' permission would allow this request to continue.";
    let missing = json!({ "type": "invalid_request_error", "code": "resource_missing", "message": "No such customer" });
    let unknown = json!({ "type": "invalid_request_error", "message": "Unrecognized request URL" });
    for (collection, answer) in [
        ("refunds", ResponseTemplate::new(200).set_body_json(json!({ "data": [], "has_more": false }))),
        ("charges", refusal(403, &json!({ "type": "invalid_request_error", "message": denied }))),
        ("disputes", refusal(403, &json!({ "type": "invalid_request_error" }))),
        ("events", refusal(401, &json!({ "type": "invalid_request_error", "message": "Invalid API Key: rk_hush" }))),
        ("payouts", refusal(404, &unknown)),
        ("customers", refusal(500, &json!({ "type": "api_error", "message": "hush" }))),
    ] {
        let expected = Mock::given(method("GET")).and(path(format!("/v1/{collection}"))).and(query_param("limit", "1"));
        expected.respond_with(answer).mount(&server).await;
    }
    let of_customer = Mock::given(path("/v1/payment_methods")).and(query_param("limit", "1"));
    of_customer.respond_with(refusal(400, &missing)).mount(&server).await;
    for (resource, expected) in [
        (Resource::Refunds, Access::Allowed(json!({ "data": [], "has_more": false }))),
        (Resource::Charges, Access::Denied(Some("rak_charge_read".into()))),
        (Resource::Disputes, Access::Denied(None)),
        (Resource::Events, Access::KeyRefused),
        (Resource::Payouts, Access::NoSuchCall),
        (Resource::PaymentMethods, Access::NothingThere),
    ] {
        assert_eq!(client.access(resource).await.unwrap(), expected, "{resource:?}");
    }
    let failed = client.access(Resource::Customers).await.unwrap_err();
    assert!(matches!(failed, StripeError::Unknown { .. }), "{failed}");
    assert_eq!(failed.without_message(), "GET /v1/customers: the answer is 500");
}

#[tokio::test]
async fn webhook_endpoints_are_read_without_their_urls() {
    let (server, client) = fresh().await;
    let body = json!({ "object": "list", "has_more": false, "data": [
        { "id": "we_1", "url": "https://hush.example/hush", "status": "enabled", "api_version": null, "enabled_events": ["*"] },
    ] });
    Mock::given(path("/v1/webhook_endpoints"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server)
        .await;
    let found = client.webhook_endpoints().await.unwrap();
    let Access::Allowed(list) = &found else { panic!("{found:?}") };
    assert!(list.data[0].is_enabled() && list.data[0].missing_events().is_empty());
    assert!(!format!("{found:?}").contains("hush"));
}
