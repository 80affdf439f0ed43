//! Calls about webhook endpoints: what is sent, and how each answer is read.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_app::{
    NewProviderEndpoint, ProviderEndpointEdit, ProviderEndpointUrl, ProviderEndpoints, ProviderEndpointsError,
    SecretDigest,
};
use paywright_domain::Timestamp;
use paywright_payments_stripe::{Client, ClientSettings};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const PATH: &str = "/v1/webhook_endpoints";
const URL: &str = "https://shop.example/webhooks/stripe";

async fn fresh() -> (MockServer, Client) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    let key = SecretString::from("rk_test_hush");
    let client = Client::new(ClientSettings { base_url: server.uri(), attempts_max: 1, ..ClientSettings::new(key) });
    (server, client.unwrap())
}

fn new() -> NewProviderEndpoint {
    NewProviderEndpoint {
        url: ProviderEndpointUrl(URL.into()),
        events: &["charge.updated", "refund.created"],
        api_version: "2026-05-27.dahlia",
        description: "Ours",
        installation: "i-1".into(),
    }
}

/// Forms that were sent, with the characters of URLs and lists decoded.
async fn forms(server: &MockServer) -> Vec<String> {
    let decoded = |it: &wiremock::Request| {
        let form = String::from_utf8(it.body.clone()).unwrap();
        form.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")
    };
    server.received_requests().await.unwrap().iter().map(decoded).collect()
}

fn error(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "type": "x", "message": message } }))
}

#[tokio::test]
async fn an_endpoint_is_created_with_a_key_and_its_secret_is_not_shown_by_debug() {
    let (server, client) = fresh().await;
    let form = "url=https://shop.example/webhooks/stripe&enabled_events[0]=charge.updated&\
                enabled_events[1]=refund.created&api_version=2026-05-27.dahlia&description=Ours&metadata[paywright]=i-1";
    let answer = json!({ "id": "we_1", "object": "webhook_endpoint", "secret": "whsec_hush" });
    let expected = Mock::given(method("POST")).and(path(PATH)).and(header("idempotency-key", "key-1"));
    let replay = ResponseTemplate::new(200).set_body_json(answer).insert_header("idempotent-replayed", "true");
    expected.respond_with(replay).expect(1).mount(&server).await;
    let created = client.create_endpoint(&new(), "key-1").await.unwrap();
    assert_eq!(forms(&server).await, [form]);
    assert_eq!((created.id.as_str(), created.replayed), ("we_1", true));
    assert_eq!(created.secret.expose_secret(), "whsec_hush");
    assert!(!format!("{created:?}{client:?}{:?}", new()).contains("hush"));
}

#[tokio::test]
async fn a_replayed_answer_without_its_secret_exhausts_the_key() {
    let (server, client) = fresh().await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "id": "we_1", "object": "webhook_endpoint" }));
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let refused = client.create_endpoint(&new(), "key-1").await;
    assert!(matches!(refused, Err(ProviderEndpointsError::KeyExhausted(_))), "{refused:?}");
}

#[tokio::test]
async fn an_update_sends_only_what_changes() {
    let (server, client) = fresh().await;
    let digest = |text: &str| SecretDigest::of(&SecretString::from(text));
    let (one, two) = (digest("a"), digest("b"));
    let marks = format!(
        "metadata[paywright_replaced_secrets]={0},{1}&metadata[paywright_retire_after]=1790000000&metadata[paywright_secret]={0}",
        one.as_str(),
        two.as_str()
    );
    let marks_edit = ProviderEndpointEdit {
        secret: Some(one.clone()),
        replaced: Some(vec![one, two]),
        retire_after: Some(Timestamp::from_unix_seconds(1_790_000_000).unwrap()),
        ..ProviderEndpointEdit::default()
    };
    let enabled = ProviderEndpointEdit {
        events: Some(&["charge.updated"]),
        disabled: Some(false),
        ..ProviderEndpointEdit::default()
    };
    for (form, edit) in [(marks.as_str(), marks_edit), ("enabled_events[0]=charge.updated&disabled=false", enabled)] {
        let expected = Mock::given(method("POST")).and(path(format!("{PATH}/we_1")));
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "id": "we_1" }));
        expected.respond_with(answer).mount(&server).await;
        client.update_endpoint("we_1", &edit, "key").await.unwrap();
        assert_eq!(forms(&server).await.last().map(String::as_str), Some(form));
    }
}

#[tokio::test]
async fn each_refusal_is_told_by_what_can_be_done() {
    let denied = "Having the 'rak_webhook_write' permission would allow this request to continue.";
    for (answer, expected) in [
        (error(403, denied), "the API key lacks the permission rak_webhook_write"),
        (error(404, "No such webhook endpoint"), "the endpoint does not exist at Stripe"),
        (error(400, "hush"), "Stripe refused: POST /v1/webhook_endpoints/we_1: the answer is 400"),
        (
            error(500, "hush").insert_header("stripe-should-retry", "false"),
            "Stripe failed: POST /v1/webhook_endpoints/we_1: the answer is 500",
        ),
        (error(500, "hush"), "no answer of Stripe: POST /v1/webhook_endpoints/we_1: the answer is 500"),
    ] {
        let (server, client) = fresh().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let refused = client.update_endpoint("we_1", &ProviderEndpointEdit::default(), "key").await.unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    let (_server, client) = fresh().await;
    let odd = client.update_endpoint("../balance", &ProviderEndpointEdit::default(), "key").await;
    assert!(matches!(odd, Err(ProviderEndpointsError::Refused(_))), "{odd:?}");
}

#[tokio::test]
async fn a_deletion_of_a_missing_endpoint_is_done() {
    for (answer, is_done) in [
        (ResponseTemplate::new(200).set_body_json(json!({ "id": "we_1", "deleted": true })), true),
        (error(404, "No such webhook endpoint"), true),
        (error(403, ""), false),
    ] {
        let (server, client) = fresh().await;
        Mock::given(method("DELETE")).and(path(format!("{PATH}/we_1"))).respond_with(answer).mount(&server).await;
        assert_eq!(client.delete_endpoint("we_1").await.is_ok(), is_done);
    }
}

#[tokio::test]
async fn listed_endpoints_have_their_marks() {
    let (server, client) = fresh().await;
    let endpoint = |metadata: Value| {
        json!({ "id": "we_1", "url": URL, "status": "enabled", "api_version": null, "created": 1_790_000_000,
            "description": null, "enabled_events": ["*"], "metadata": metadata })
    };
    let digest = SecretDigest::of(&SecretString::from("whsec_1"));
    let marks =
        json!({ "paywright": "i-1", "paywright_secret": digest.as_str(), "paywright_retire_after": "1790000001" });
    let body = json!({ "object": "list", "has_more": false, "data": [endpoint(marks), endpoint(json!({}))] });
    Mock::given(path(PATH)).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(&server).await;
    let listed = client.endpoints().await.unwrap();
    let [ours, other] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((ours.installation.as_deref(), other.installation.as_deref()), (Some("i-1"), None));
    assert_eq!((ours.marks.secret.as_ref(), other.marks.secret.as_ref()), (Some(&digest), None));
    assert_eq!(ours.marks.retire_after.map(Timestamp::unix_seconds), Some(1_790_000_001));
    assert_eq!((ours.is_enabled, ours.url.0.as_str()), (true, URL));
}
