//! Requests as Stripe receives them, to the letter, and the results made of its answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::time::Duration;

use paywright_app::{GatewayError, NewIntent, PaymentGateway, ProviderRecords, ProviderRefund, Wallet, WorkId};
use paywright_domain::id::{CustomerId, Epoch, InstallationId, PaymentMethodId, ProviderCustomerId};
use paywright_domain::intent::CaptureMethod as Capture;
use paywright_domain::order::{CancelReason, Payer};
use paywright_domain::text::Email;
use paywright_domain::{Currency, IntentId, LineItem, Money, NewOrder, Order, OrderId, Task, Timestamp};
use paywright_payments_stripe::{
    API_VERSION, AutomaticPaymentMethods, CancelPaymentIntent, CancellationReason, CapturePaymentIntent, Client,
    ClientSettings, ConfirmPaymentIntent, CreateCustomer, CreateEphemeralKey, CreateRefund, CreateSetupIntent,
    ListEvents, ListRefunds, Post, RefundReason, RetrieveCharge, RetrieveMethodOfIntent, RetrievePaymentIntent,
    RetrieveRefund, SetupUsage, StripeError, StripeGateway, StripeId, UpdatePaymentIntent,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const KEY: &str = "sk_test_hush";

async fn stripe() -> (MockServer, Client) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    let client = Client::new(ClientSettings {
        base_url: server.uri(),
        backoff: Duration::from_millis(2),
        attempt_timeout: Duration::from_millis(1500),
        ..ClientSettings::new(SecretString::from(KEY))
    });
    (server, client.unwrap())
}

async fn answers(server: &MockServer, template: ResponseTemplate) {
    Mock::given(wiremock::matchers::any()).respond_with(template).mount(server).await;
}

async fn only(server: &MockServer) -> Request {
    let mut all = server.received_requests().await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).and_then(|it| it.to_str().ok())
}

fn intent_json(status: &str) -> Value {
    json!({ "id": "pi_1", "object": "payment_intent", "amount": 11_200, "amount_capturable": 0, "amount_received": 0,
        "currency": "usd", "status": status, "client_secret": "pi_1_secret_2", "livemode": false,
        "created": 1_743_415_050, "customer": null, "latest_charge": null, "last_payment_error": null,
        "metadata": { "order_id": "0195ead7-0000-7000-8000-000000000009", "revision": "3" } })
}

fn refund_json() -> Value {
    json!({ "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "pending", "reason": null,
        "payment_intent": "pi_1", "charge": "ch_1", "created": 1, "metadata": {} })
}

fn id(prefix: &'static str, text: &str) -> StripeId {
    StripeId::new(prefix, text).unwrap()
}

fn new_intent() -> NewIntent {
    let usd = |minor| Money::new(minor, Currency::Usd).unwrap();
    let lines = vec![LineItem::new("Main product 2 & more", usd(5600), 2).unwrap()];
    let order_id = OrderId(uuid::Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0009));
    let now = Timestamp::from_unix_seconds(1_743_415_050).unwrap();
    let new = NewOrder { email: Some(Email::new("ada@example.com").unwrap()), lines, ..NewOrder::empty(Currency::Usd) };
    let order = Order::place(order_id, new, now).unwrap().order;
    NewIntent {
        order: order.id,
        number: order.number.clone(),
        customer: None,
        revision: 3,
        epoch: None,
        amount: order.total,
        capture: Capture::Automatic,
        email: order.email.clone(),
        payer: Payer::default(),
        lines: order.lines.clone(),
        adjustments: order.adjustments.clone(),
    }
}

fn gateway(client: Client) -> StripeGateway {
    StripeGateway::new(client, || Timestamp::from_unix_seconds(1_743_415_060).unwrap())
}

#[tokio::test]
async fn the_creation_request_has_exactly_these_headers_and_fields() {
    let (server, client) = stripe().await;
    Mock::given(method("POST"))
        .and(path("/v1/payment_intents"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent_json("requires_payment_method")))
        .mount(&server)
        .await;
    let issued = gateway(client).create_intent(&new_intent(), "pi:order:3:1").await.unwrap();
    let request = only(&server).await;
    assert_eq!(header(&request, "authorization"), Some("Bearer sk_test_hush"));
    assert_eq!(header(&request, "stripe-version"), Some(API_VERSION));
    assert_eq!(header(&request, "idempotency-key"), Some("pi:order:3:1"));
    assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
    let expected = [
        "amount=11200",
        "currency=usd",
        "automatic_payment_methods[enabled]=true",
        "capture_method=automatic_async",
        "description=Payment+for+Order+%23ORD-20250331-000009",
        "receipt_email=ada@example.com",
        "metadata[order_id]=0195ead7-0000-7000-8000-000000000009",
        "metadata[order_number]=ORD-20250331-000009",
        "metadata[revision]=3",
        "amount_details[line_items][0][product_name]=Main+product+2+%26+more",
        "amount_details[line_items][0][quantity]=2",
        "amount_details[line_items][0][unit_cost]=5600",
    ];
    assert_eq!(String::from_utf8(request.body).unwrap(), expected.join("&"));
    assert_eq!(issued.client_secret.unwrap().expose_secret(), "pi_1_secret_2");
    assert_eq!(issued.snapshot.revision, Some(3));
    assert_eq!(issued.snapshot.as_of.unix_seconds(), 1_743_415_050, "as it stood when it was made");
}

#[tokio::test]
async fn a_customer_who_has_chosen_no_saved_card_has_the_next_one_saved() {
    let customer = Some(ProviderCustomerId::new("cus_1").unwrap());
    let card = Some(PaymentMethodId::new("pm_1").unwrap());
    for (payer, form) in [
        (Payer { customer: customer.clone(), payment_method: None }, "&customer=cus_1&setup_future_usage=off_session&"),
        (Payer { customer, payment_method: card.clone() }, "&customer=cus_1&payment_method=pm_1&"),
        (Payer { customer: None, payment_method: card }, "&payment_method=pm_1&"),
    ] {
        let (server, client) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(intent_json("requires_payment_method"))).await;
        let new = NewIntent { payer, ..new_intent() };
        let gateway = gateway(client);
        gateway.create_intent(&new, "pi:order:3:1").await.unwrap();
        gateway.update_intent(&IntentId::new("pi_1").unwrap(), &new, "edit:order:1").await.unwrap();
        for sent in server.received_requests().await.unwrap() {
            let sent = String::from_utf8(sent.body).unwrap();
            assert!(sent.contains(form), "{form} in {sent}");
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of requests")]
async fn each_post_has_its_path_and_form() {
    async fn posted<R: Post>(request: R, answer: Value) -> (String, String, Option<String>) {
        let (server, client) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(answer)).await;
        assert!(client.post(&request, "k").await.is_ok());
        let seen = only(&server).await;
        let version = header(&seen, "stripe-version").map(str::to_owned);
        (seen.url.path().to_owned(), String::from_utf8(seen.body).unwrap(), version)
    }
    let intent = || id("pi_", "pi_1");
    let update = UpdatePaymentIntent {
        intent: intent(),
        amount: Some(500),
        customer: None,
        payment_method: None,
        setup_future_usage: None,
        receipt_email: Some(String::new()),
        metadata: None,
        amount_details: None,
    };
    let (path, form, _) = posted(update, intent_json("requires_payment_method")).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/payment_intents/pi_1", "amount=500&receipt_email="));
    let confirm = ConfirmPaymentIntent {
        intent: intent(),
        payment_method: Some(id("pm_", "pm_card_visa")),
        return_url: None,
        off_session: None,
    };
    let (path, form, _) = posted(confirm, intent_json("succeeded")).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/payment_intents/pi_1/confirm", "payment_method=pm_card_visa"));
    let capture = CapturePaymentIntent { intent: intent(), amount_to_capture: Some(700), amount_details: None };
    let (path, form, _) = posted(capture, intent_json("succeeded")).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/payment_intents/pi_1/capture", "amount_to_capture=700"));
    let cancel = CancelPaymentIntent { intent: intent(), cancellation_reason: Some(CancellationReason::Abandoned) };
    let (path, form, _) = posted(cancel, intent_json("canceled")).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/payment_intents/pi_1/cancel", "cancellation_reason=abandoned"));
    let refund = CreateRefund {
        payment_intent: intent(),
        amount: Some(500),
        reason: Some(RefundReason::Duplicate),
        metadata: [("refund_id".to_owned(), "7".to_owned())].into(),
    };
    let (path, form, _) = posted(refund, refund_json()).await;
    let expected = "payment_intent=pi_1&amount=500&reason=duplicate&metadata[refund_id]=7";
    assert_eq!((path.as_str(), form.as_str()), ("/v1/refunds", expected));
    let customer =
        CreateCustomer { email: Some("a+b@example.com".into()), name: Some("Zoë".into()), metadata: [].into() };
    let (path, form, _) = posted(customer, json!({ "id": "cus_1", "object": "customer" })).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/customers", "email=a%2Bb@example.com&name=Zo%C3%AB"));
    let key = CreateEphemeralKey { customer: id("cus_", "cus_1"), sdk_version: "2024-06-20".into() };
    let answer = json!({ "id": "ephkey_1", "object": "ephemeral_key", "expires": 3600, "secret": "ek_test_hush" });
    let (path, form, version) = posted(key, answer).await;
    assert_eq!((path.as_str(), form.as_str()), ("/v1/ephemeral_keys", "customer=cus_1"));
    assert_eq!(version.as_deref(), Some("2024-06-20"), "the app's version, not ours");
    let setup = CreateSetupIntent {
        customer: Some(id("cus_", "cus_1")),
        usage: Some(SetupUsage::OffSession),
        automatic_payment_methods: AutomaticPaymentMethods { enabled: true },
        metadata: [].into(),
    };
    let answer = json!({ "id": "seti_1", "object": "setup_intent", "status": "requires_payment_method" });
    let (path, form, _) = posted(setup, answer).await;
    let expected = "customer=cus_1&usage=off_session&automatic_payment_methods[enabled]=true";
    assert_eq!((path.as_str(), form.as_str()), ("/v1/setup_intents", expected));
}

#[tokio::test]
async fn the_payment_method_of_an_intent_is_read_whole() {
    for (method, last4) in [
        (
            json!({ "id": "pm_1", "card": { "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034 } }),
            Some("4242"),
        ),
        (json!({ "id": "pm_1", "type": "sepa_debit", "billing_details": { "name": null } }), None),
        (Value::Null, None),
    ] {
        let (server, client) = stripe().await;
        let answer = json!({ "id": "pi_1", "object": "payment_intent", "payment_method": method });
        answers(&server, ResponseTemplate::new(200).set_body_json(answer)).await;
        let read = client.get(&RetrieveMethodOfIntent::new(id("pi_", "pi_1"))).await.unwrap().value;
        assert_eq!(read.payment_method.and_then(|it| it.card).map(|it| it.last4).as_deref(), last4);
        let requests = server.received_requests().await.unwrap();
        let asked = requests.last().unwrap();
        assert_eq!(
            (asked.url.path(), asked.url.query().unwrap_or_default().replace("%5B", "[").replace("%5D", "]")),
            ("/v1/payment_intents/pi_1", "expand[0]=payment_method".to_owned())
        );
    }
}

#[tokio::test]
async fn each_read_has_its_path_and_query() {
    let list = json!({ "object": "list", "data": [], "has_more": false, "url": "/" });
    let (server, client) = stripe().await;
    Mock::given(path("/v1/payment_intents/pi_1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent_json("processing")))
        .mount(&server)
        .await;
    Mock::given(path("/v1/charges/ch_1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "payment_intent": "pi_1" })))
        .mount(&server)
        .await;
    Mock::given(path("/v1/refunds/re_1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(refund_json()))
        .mount(&server)
        .await;
    answers(&server, ResponseTemplate::new(200).set_body_json(list)).await;
    let expand = vec!["latest_charge.balance_transaction"];
    client.get(&RetrievePaymentIntent { intent: id("pi_", "pi_1"), expand }).await.unwrap();
    client.get(&RetrieveRefund { refund: id("re_", "re_1") }).await.unwrap();
    client.get(&RetrieveCharge { charge: id("ch_", "ch_1") }).await.unwrap();
    let refunds = ListRefunds {
        payment_intent: Some(id("pi_", "pi_1")),
        created: None,
        limit: 100,
        starting_after: Some(id("re_", "re_1")),
    };
    client.get(&refunds).await.unwrap();
    let types = vec!["payment_intent.succeeded", "charge.refunded"];
    let events = ListEvents {
        limit: 50,
        types,
        created: None,
        starting_after: None,
        ending_before: None,
        delivery_success: Some(false),
    };
    client.get(&events).await.unwrap();
    let seen = server.received_requests().await.unwrap();
    let urls: Vec<_> = seen.iter().map(|it| (it.url.path(), it.url.query().unwrap_or_default())).collect();
    assert_eq!(
        urls,
        [
            ("/v1/payment_intents/pi_1", "expand[0]=latest_charge.balance_transaction"),
            ("/v1/refunds/re_1", ""),
            ("/v1/charges/ch_1", ""),
            ("/v1/refunds", "payment_intent=pi_1&limit=100&starting_after=re_1"),
            (
                "/v1/events",
                "limit=50&types[0]=payment_intent.succeeded&types[1]=charge.refunded&delivery_success=false"
            ),
        ]
    );
    assert!(seen.iter().all(|it| header(it, "idempotency-key").is_none()), "reads need no key");
}

fn cancel() -> CancelPaymentIntent {
    CancelPaymentIntent { intent: id("pi_", "pi_1"), cancellation_reason: None }
}

fn api_error(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": body })).insert_header("request-id", "req_7")
}

#[tokio::test]
async fn the_user_agent_names_the_work_and_the_rest_of_the_request_is_the_same() {
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(200).set_body_json(intent_json("requires_payment_method"))).await;
    let (gateway, new) = (gateway(client), new_intent());
    let request = WorkId::Request("req-of-a-shop".into());
    let task = WorkId::Task { order: new.order, key: Task::CancelIntent { operation: 2 }.key() };
    gateway.create_intent(&new, "k").await.unwrap();
    for work in [request, task, WorkId::Event("evt_1".into()), WorkId::Background("back_fill")] {
        work.scope(gateway.create_intent(&new, "k")).await.unwrap();
    }
    WorkId::Request("not\na header".into()).scope(gateway.create_intent(&new, "k")).await.unwrap();
    let seen = server.received_requests().await.unwrap();
    let agents: Vec<_> = seen.iter().map(|it| header(it, "user-agent").unwrap()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "",
        " (request req-of-a-shop)",
        " (task 0195ead7-0000-7000-8000-000000000009/cancel_intent:2)",
        " (event evt_1)",
        " (back_fill)",
        "",
    ];
    assert_eq!(agents, expected.map(|it| format!("Paywright/{version}{it}")));
    assert!(seen.iter().all(|it| it.body == seen[0].body && it.url == seen[0].url), "one key, one set of parameters");
}

#[tokio::test]
async fn the_error_of_a_refused_list_names_the_request() {
    let body = json!({ "type": "invalid_request_error", "code": "no_rights", "message": "No." });
    for status in [400, 401, 403, 404, 429] {
        let (server, client) = stripe().await;
        answers(&server, api_error(status, &body)).await;
        let error = gateway(client).intents(None, Timestamp::EPOCH).await.unwrap_err().to_string();
        let expected = format!("GET /v1/payment_intents: Stripe answered {status}, code no_rights, request req_7: No.");
        assert!(error.contains(&expected), "{error}");
    }
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(503)).await;
    let error = gateway(client).events(None, Timestamp::EPOCH).await.unwrap_err().to_string();
    assert!(error.contains("GET /v1/events: outcome unknown after 3 attempts"), "{error}");
    assert!(!error.contains("created"), "a query is not shown: {error}");
    // A cursor that Stripe no longer lists is reported as such.
    let (server, client) = stripe().await;
    answers(&server, api_error(400, &json!({ "type": "x", "code": "resource_missing" }))).await;
    let expired = gateway(client).events(Some("evt_1"), Timestamp::EPOCH).await;
    assert!(matches!(expired, Err(GatewayError::NotFound(_))), "{expired:?}");
}

/// Sends one request to a Stripe that answers `first` and later `then`; the number of attempts and the result.
async fn outcome(first: ResponseTemplate, then: ResponseTemplate) -> (usize, Result<(), StripeError>) {
    let (server, client) = stripe().await;
    Mock::given(method("POST")).respond_with(first).up_to_n_times(1).mount(&server).await;
    answers(&server, then).await;
    let result = client.post(&cancel(), "the-key").await.map(drop);
    let seen = server.received_requests().await.unwrap();
    assert!(seen.iter().all(|it| header(it, "idempotency-key") == Some("the-key")), "one key for all attempts");
    (seen.len(), result)
}

#[tokio::test]
async fn a_transient_failure_is_retried_under_the_same_key() {
    let good = || ResponseTemplate::new(200).set_body_json(intent_json("canceled"));
    let lock = json!({ "type": "invalid_request_error", "code": "lock_timeout" });
    let limit = json!({ "type": "invalid_request_error", "code": "rate_limit" });
    for (name, first, attempts) in [
        ("a server error", ResponseTemplate::new(500), 2),
        ("a gateway's HTML", ResponseTemplate::new(502).set_body_string("<html>"), 2),
        ("a conflict", api_error(409, &json!({ "type": "idempotency_error" })), 2),
        ("a lock", api_error(429, &lock), 2),
        ("Stripe-Should-Retry: true", api_error(429, &limit).insert_header("stripe-should-retry", "true"), 2),
        ("a body cut off", ResponseTemplate::new(200).set_body_string("{\"id\":\"pi_"), 2),
        ("too slow", good().set_delay(Duration::from_secs(5)), 2),
    ] {
        let (sent, result) = outcome(first, good()).await;
        assert_eq!((sent, result.is_ok()), (attempts, true), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_definite_refusal_is_not_retried() {
    let good = || ResponseTemplate::new(200).set_body_json(intent_json("canceled"));
    let limit = json!({ "type": "invalid_request_error", "code": "rate_limit" });
    for (name, first) in [
        ("a refusal", api_error(400, &json!({ "type": "invalid_request_error" }))),
        ("a decline", api_error(402, &json!({ "type": "card_error", "code": "card_declined" }))),
        ("a wrong key", api_error(401, &json!({ "type": "invalid_request_error" }))),
        ("the rate limit", api_error(429, &limit)),
        (
            "Stripe-Should-Retry: false",
            api_error(409, &json!({ "type": "x" })).insert_header("stripe-should-retry", "false"),
        ),
    ] {
        let (sent, result) = outcome(first, good()).await;
        assert!(sent == 1 && matches!(result, Err(StripeError::Api(_))), "{name}: {sent} {result:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_readable_answer_is_unknown_and_not_failed() {
    for (name, template) in [
        ("a server error", ResponseTemplate::new(503)),
        ("a body cut off", ResponseTemplate::new(200).set_body_string("{")),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/")),
        ("too large", ResponseTemplate::new(200).set_body_bytes(vec![b' '; 5 * 1024 * 1024])),
    ] {
        let (sent, result) = outcome(template.clone(), template).await;
        assert!(sent == 3 && matches!(result, Err(StripeError::Unknown { attempts: 3, .. })), "{name}: {result:?}");
    }
    let no_retry = ResponseTemplate::new(500).insert_header("stripe-should-retry", "false");
    let (sent, result) = outcome(no_retry.clone(), no_retry).await;
    assert!(sent == 1 && matches!(result, Err(StripeError::KeyExhausted(_))), "no retry: {result:?}");
    // A read has no idempotency key.
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(500).insert_header("stripe-should-retry", "false")).await;
    let read = client.get(&RetrieveRefund { refund: id("re_", "re_1") }).await;
    assert!(matches!(read, Err(StripeError::Unknown { .. })), "{read:?}");
    // Stripe repeats a saved failure for as long as it remembers the key.
    let saved = ResponseTemplate::new(500).insert_header("idempotent-replayed", "true");
    let (sent, result) = outcome(ResponseTemplate::new(500), saved).await;
    assert!(sent == 2 && matches!(result, Err(StripeError::KeyExhausted(_))), "{result:?}");
    // An outcome stays unknown if a later attempt is refused temporarily.
    let busy = api_error(409, &json!({ "type": "idempotency_error" }));
    let (_, result) = outcome(ResponseTemplate::new(500), busy).await;
    assert!(matches!(result, Err(StripeError::Unknown { .. })), "{result:?}");
}

#[tokio::test]
async fn a_refused_connection_is_not_an_unknown_outcome() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = ClientSettings {
        base_url: format!("http://{free}"),
        backoff: Duration::from_millis(1),
        ..ClientSettings::new(SecretString::from(KEY))
    };
    let result = Client::new(settings).unwrap().post(&cancel(), "k").await;
    assert!(matches!(result, Err(StripeError::NotSent(_))), "{result:?}");
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_not_sent() {
    let (server, client) = stripe().await;
    for key in [String::new(), "x".repeat(256), "a\nb".into()] {
        assert!(matches!(client.post(&cancel(), &key).await, Err(StripeError::NotSent(_))), "{key:?}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn each_failure_becomes_the_gateway_error_that_says_who_can_act() {
    let kind = |error: &GatewayError| match error {
        GatewayError::Refused(_) => "refused",
        GatewayError::NotFound(_) => "not found",
        GatewayError::Busy(_) => "busy",
        GatewayError::Unreachable(_) => "unreachable",
        GatewayError::InFlight => "in flight",
        GatewayError::Misconfigured(_) => "misconfigured",
        GatewayError::NotUnderstood(_) => "not understood",
        GatewayError::Foreign(_) => "foreign",
        GatewayError::Unknown(_) => "unknown",
        GatewayError::KeyExhausted(_) => "key exhausted",
    };
    let invalid = json!({ "type": "invalid_request_error", "code": "amount_too_small", "message": "No." });
    let missing = json!({ "type": "invalid_request_error", "code": "resource_missing", "message": "No such intent." });
    for (template, expected) in [
        (api_error(400, &invalid), "misconfigured"),
        (api_error(400, &json!({ "type": "idempotency_error" })), "key exhausted"),
        (api_error(401, &invalid), "misconfigured"),
        (api_error(403, &invalid), "misconfigured"),
        (api_error(404, &missing), "not found"),
        // An answer of a program in between, or of a wrong `stripe.api_base`.
        (api_error(404, &invalid), "misconfigured"),
        (api_error(429, &json!({ "type": "x", "code": "rate_limit" })), "busy"),
        (api_error(409, &json!({ "type": "idempotency_error", "code": "idempotency_key_in_use" })), "in flight"),
        (ResponseTemplate::new(500), "unknown"),
        (ResponseTemplate::new(200).set_body_json(intent_json("requires_moonlight")), "not understood"),
    ] {
        let (server, client) = stripe().await;
        answers(&server, template).await;
        let error = gateway(client).intent(&IntentId::new("pi_1").unwrap()).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error:?}");
        if ["not found", "misconfigured", "unknown"].contains(&expected) {
            assert!(error.to_string().contains("GET /v1/payment_intents/pi_1: "), "the call is named: {error}");
        }
    }
    // An object that a creation names and that does not exist is a refusal: the next attempt is a new request.
    for (status, expected) in [(404, "refused"), (400, "refused"), (429, "busy"), (500, "unknown")] {
        let (server, client) = stripe().await;
        answers(&server, api_error(status, &json!({ "type": "x" }))).await;
        let error = gateway(client).create_intent(&new_intent(), "k").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error:?}");
    }
}

#[tokio::test]
async fn stripes_clock_is_read_from_the_date_of_any_answer() {
    let (server, client) = stripe().await;
    let gateway = gateway(client);
    assert_eq!(gateway.clock_difference_seconds(), None);
    let dated = ResponseTemplate::new(404).insert_header("date", "Mon, 31 Mar 2025 09:59:30 GMT");
    answers(&server, dated).await;
    assert!(gateway.in_background().intent(&IntentId::new("pi_1").unwrap()).await.is_err());
    // The gateway's own clock shows 09:57:40.
    assert!((110..=111).contains(&gateway.clock_difference_seconds().unwrap()), "{gateway:?}");
}

#[tokio::test]
async fn u0000_is_replaced_in_an_error_message() {
    let (server, client) = stripe().await;
    let mut declined = intent_json("requires_payment_method");
    declined["last_payment_error"] = json!({ "type": "card_error", "code": "card_declined", "message": "N\0o." });
    answers(&server, ResponseTemplate::new(200).set_body_json(declined)).await;
    let read = gateway(client).intent(&IntentId::new("pi_1").unwrap()).await.unwrap();
    assert_eq!(read.snapshot.last_error.and_then(|it| it.message).as_deref(), Some("N\u{fffd}o."));
}

#[tokio::test]
async fn no_secret_is_shown_by_debug_or_in_errors() {
    let (server, client) = stripe().await;
    let hushed = json!({ "type": "card_error", "code": "card_declined",
        "payment_intent": { "id": "pi_1", "client_secret": "pi_1_secret_hush" } });
    answers(&server, api_error(402, &hushed)).await;
    let error = client.post(&cancel(), "k").await.unwrap_err();
    let shown = format!("{client:?} {error:?} {error}");
    assert!(!shown.contains("hush"), "{shown}");
    assert!(shown.contains("req_7"), "the request id is for Stripe's support: {shown}");
}

#[tokio::test]
async fn each_change_of_an_intent_has_its_form_and_a_replayed_answer_is_read_anew() {
    for (replayed, requests) in [(false, 1), (true, 2)] {
        let (server, client) = stripe().await;
        let mut answer = ResponseTemplate::new(200).set_body_json(intent_json("canceled"));
        answer = answer.insert_header("request-id", "req_1");
        if replayed {
            answer = answer.insert_header("idempotent-replayed", "true");
        }
        answers(&server, answer).await;
        let intent = IntentId::new("pi_1").unwrap();
        let canceled = gateway(client).cancel_intent(&intent, CancelReason::Abandoned, "cancel:o:1").await.unwrap();
        assert_eq!((canceled.snapshot.status.name(), canceled.request.as_deref()), ("canceled", Some("req_1")));
        let seen = server.received_requests().await.unwrap();
        assert_eq!(seen.len(), requests, "a replayed answer may be out of date");
        assert_eq!(seen[0].url.path(), "/v1/payment_intents/pi_1/cancel");
        assert_eq!(seen[0].body, b"cancellation_reason=abandoned");
    }
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(200).set_body_json(intent_json("succeeded"))).await;
    let (gateway, intent) = (gateway(client), IntentId::new("pi_1").unwrap());
    let new = NewIntent { email: None, ..new_intent() };
    gateway.update_intent(&intent, &new, "edit:o:1").await.unwrap();
    let many = NewIntent { lines: vec![new.lines[0].clone(); 101], ..new.clone() };
    gateway.update_intent(&intent, &many, "edit:o:3").await.unwrap();
    gateway.capture_intent(&intent, Money::new(700, Currency::Usd).unwrap(), &new, "capture:o:2").await.unwrap();
    gateway.capture_intent(&intent, new.amount, &new, "capture:o:4").await.unwrap();
    let seen = server.received_requests().await.unwrap();
    let forms: Vec<_> = seen.iter().map(|it| String::from_utf8(it.body.clone()).unwrap()).collect();
    assert!(forms[0].starts_with("amount=11200&receipt_email=&metadata[order_id]="), "{}", forms[0]);
    assert!(forms[0].contains("&amount_details[line_items][0][product_name]="), "{}", forms[0]);
    assert!(
        forms[1].ends_with("&metadata[revision]=3&amount_details="),
        "parts that cannot be sent are cleared: {}",
        forms[1]
    );
    let none = "amount_details[line_items]=&amount_details[discount_amount]=&amount_details[shipping]=&\
                amount_details[tax]=";
    assert_eq!(forms[2], format!("amount_to_capture=700&{none}"), "a part of the order has no lines of its own");
    assert!(forms[3].starts_with("amount_to_capture=11200&amount_details[line_items][0]"), "{}", forms[3]);
    assert!(forms[3].ends_with("[discount_amount]=&amount_details[shipping]=&amount_details[tax]="), "{}", forms[3]);
}

/// A request committed before installations had ids may have reached Stripe under its key: it must not change by a
/// letter.
#[tokio::test]
async fn the_installation_is_named_only_in_requests_that_have_an_epoch() {
    let id = "0195ead7-0000-4000-8000-00000000000a";
    let name = InstallationId(id.parse().unwrap());
    let forms = async |installation: Option<InstallationId>, epoch: Option<Epoch>| {
        let (server, client) = stripe().await;
        Mock::given(path("/v1/refunds"))
            .respond_with(ResponseTemplate::new(200).set_body_json(refund_json()))
            .mount(&server)
            .await;
        answers(&server, ResponseTemplate::new(200).set_body_json(intent_json("requires_payment_method"))).await;
        let gateway = gateway(client);
        let gateway = installation.map_or(gateway.clone(), |it| gateway.of_installation(it));
        let (intent, new) = (IntentId::new("pi_1").unwrap(), NewIntent { epoch, ..new_intent() });
        let digest = Some(uuid::Uuid::from_u128(0xd1));
        let refund = ProviderRefund {
            intent: intent.clone(),
            amount: Money::new(500, Currency::Usd).unwrap(),
            reason: None,
            name: "0195ead7:1".into(),
            epoch,
            request: digest.filter(|_| epoch.is_some()),
        };
        gateway.create_intent(&new, "k").await.unwrap();
        gateway.update_intent(&intent, &new, "k").await.unwrap();
        gateway.capture_intent(&intent, new.amount, &new, "k").await.unwrap();
        gateway.cancel_intent(&intent, CancelReason::Abandoned, "k").await.unwrap();
        gateway.create_refund(&refund, "k").await.unwrap();
        let seen = server.received_requests().await.unwrap();
        seen.into_iter().map(|it| String::from_utf8(it.body).unwrap()).collect::<Vec<_>>()
    };
    let before = forms(None, None).await;
    assert_eq!(forms(Some(name), None).await, before);
    assert_eq!(forms(None, Some(Epoch::FIRST)).await, before, "no installation to name");
    for epoch in [Epoch::FIRST, Epoch(1_743_415_050)] {
        let since = forms(Some(name), Some(epoch)).await;
        let of_intent = |form: &String| {
            form.replace("metadata[revision]=3", &format!("metadata[revision]=3&metadata[installation_id]={id}"))
        };
        let expected = [
            of_intent(&before[0]),
            of_intent(&before[1]),
            before[2].clone(),
            before[3].clone(),
            format!(
                "payment_intent=pi_1&amount=500&metadata[installation_id]={id}&metadata[refund_id]=0195ead7:1&\
                 metadata[request_digest]=00000000-0000-0000-0000-0000000000d1"
            ),
        ];
        assert_eq!(since, expected, "{epoch}");
    }
}

#[tokio::test]
async fn customers_and_saved_cards_name_their_installation() {
    let id = "0195ead7-0000-4000-8000-00000000000a";
    let (server, client) = stripe().await;
    let gateway = gateway(client).of_installation(InstallationId(id.parse().unwrap()));
    let customer = json!({ "id": "cus_1", "object": "customer" });
    let setup = json!({ "id": "seti_1", "object": "setup_intent", "status": "requires_payment_method",
        "client_secret": "seti_1_secret_2" });
    for (at, body) in [("/v1/customers", customer), ("/v1/setup_intents", setup)] {
        Mock::given(path(at)).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(&server).await;
    }
    let made = gateway.create_customer(&CustomerId::new("cus-ada").unwrap(), "k").await.unwrap();
    gateway.setup_intent(&made, "k").await.unwrap();
    let seen = server.received_requests().await.unwrap();
    let forms: Vec<_> = seen.into_iter().map(|it| String::from_utf8(it.body).unwrap()).collect();
    assert_eq!(forms[0], format!("metadata[customer_id]=cus-ada&metadata[installation_id]={id}"));
    assert!(forms[1].ends_with(&format!("&metadata[installation_id]={id}")), "{}", forms[1]);
}

#[tokio::test]
async fn the_owner_of_a_payment_method_is_read_in_each_form() {
    for (status, body, expected) in [
        (200, json!({ "id": "pm_1", "customer": null }), "nobody"),
        (200, json!({ "id": "pm_1", "customer": "cus_1" }), "cus_1"),
        (200, json!({ "id": "pm_1", "customer": { "id": "cus_2", "object": "customer" } }), "cus_2"),
        (404, json!({ "error": { "type": "invalid_request_error", "code": "resource_missing" } }), "none"),
        (403, json!({ "error": { "type": "invalid_request_error" } }), "not allowed"),
    ] {
        let (server, client) = stripe().await;
        let answer = ResponseTemplate::new(status).set_body_json(&body);
        Mock::given(path("/v1/payment_methods/pm_1")).respond_with(answer).mount(&server).await;
        let read = gateway(client).owner_of_method(&PaymentMethodId::new("pm_1").unwrap()).await;
        let read = match read {
            Ok(owner) => owner.map_or_else(|| "nobody".to_owned(), |it| it.to_string()),
            Err(GatewayError::NotFound(_)) => "none".to_owned(),
            Err(GatewayError::Misconfigured(_)) => "not allowed".to_owned(),
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(read, expected, "{body}");
    }
}

/// Another program on the account may create payments with any values that Stripe allows.
#[tokio::test]
async fn an_intent_that_no_order_can_have_is_foreign() {
    let ours = InstallationId("0195ead7-0000-4000-8000-00000000000a".parse().unwrap());
    let theirs = json!({ "installation_id": "0195ead7-0000-4000-8000-00000000000b" });
    let with = |field: &str, value: Value| {
        let mut intent = intent_json("succeeded");
        intent["metadata"] = json!({});
        intent[field] = value;
        intent
    };
    let mut newer = with("status", json!("appeal_under_moonlight"));
    let unknown = newer.clone();
    newer["metadata"] = theirs.clone();
    for (intent, expected) in [
        (with("currency", json!("usdc")), "foreign"),
        (with("amount", json!(i64::MAX)), "foreign"),
        (newer, "foreign"),
        (unknown, "not understood"),
        (with("metadata", theirs), "of no order"),
    ] {
        let (server, client) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(&intent)).await;
        let read = gateway(client).of_installation(ours).intent(&IntentId::new("pi_1").unwrap()).await;
        let result = match &read {
            Err(GatewayError::Foreign(_)) => "foreign",
            Err(GatewayError::NotUnderstood(_)) => "not understood",
            Ok(issued) if issued.snapshot.order.is_none() => "of no order",
            other => panic!("{other:?}"),
        };
        assert_eq!(result, expected, "{intent}");
    }
}

#[tokio::test]
async fn a_refund_request_carries_the_refunds_name_in_its_metadata() {
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(200).set_body_json(refund_json())).await;
    let new = ProviderRefund {
        intent: IntentId::new("pi_1").unwrap(),
        amount: Money::new(500, Currency::Usd).unwrap(),
        reason: None,
        name: "0195ead7:1".into(),
        epoch: None,
        request: None,
    };
    let made = gateway(client).create_refund(&new, "refund:0195ead7:1").await.unwrap();
    assert_eq!((made.snapshot.id.as_str(), made.snapshot.status.name()), ("re_1", "pending"));
    let request = only(&server).await;
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        "payment_intent=pi_1&amount=500&metadata[refund_id]=0195ead7:1"
    );
}

#[tokio::test]
async fn a_refused_email_address_is_distinguished_from_other_refusals() {
    for (code, param, is_of_email) in [
        (Some("email_invalid"), Some("receipt_email"), true),
        (Some("email_invalid"), None, true),
        (None, Some("receipt_email"), true),
        (Some("parameter_invalid_empty"), Some("amount"), false),
    ] {
        let (server, client) = stripe().await;
        let body = json!({ "type": "invalid_request_error", "code": code, "param": param, "message": "No." });
        answers(&server, api_error(400, &body)).await;
        let refused = gateway(client).create_intent(&new_intent(), "k").await;
        let recognized = matches!(&refused, Err(GatewayError::Refused(error)) if error.is_of_email());
        assert_eq!(recognized, is_of_email, "{refused:?}");
    }
}

/// `client_secret` of a PaymentIntent and `secret` of an EphemeralKey may be null or absent by Stripe's OpenAPI
/// description.
#[tokio::test]
async fn an_answer_without_its_secret_is_read_and_no_secret_is_invented() {
    let mut without = intent_json("succeeded");
    without["client_secret"] = Value::Null;
    let (server, client) = stripe().await;
    answers(&server, ResponseTemplate::new(200).set_body_json(without)).await;
    let read = gateway(client).intent(&IntentId::new("pi_1").unwrap()).await.unwrap();
    assert!(read.client_secret.is_none());
    let customer = ProviderCustomerId::new("cus_1").unwrap();
    for (body, is_setup) in [
        (json!({ "id": "ephkey_1", "object": "ephemeral_key", "created": 1, "expires": 2, "livemode": false }), false),
        (
            json!({ "id": "seti_1", "object": "setup_intent", "status": "requires_payment_method",
            "client_secret": null }),
            true,
        ),
    ] {
        let (server, client) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(body)).await;
        let gateway = gateway(client);
        let made = if is_setup {
            gateway.setup_intent(&customer, "k").await
        } else {
            gateway.ephemeral_key(&customer, None, "k").await
        };
        assert!(matches!(made, Err(GatewayError::KeyExhausted(_))), "{made:?}");
    }
}

/// Stripe's enumerations are open: an object of unknown status is reported, unless no order can have it.
#[tokio::test]
async fn a_list_reports_objects_of_unknown_status() {
    let list = |objects: Vec<Value>| json!({ "object": "list", "data": objects, "has_more": false, "url": "/" });
    let with = |mut object: Value, field: &str, value: Value| {
        object[field] = value;
        object
    };
    let dispute = || {
        json!({ "id": "du_1", "object": "dispute", "amount": 500, "currency": "usd", "status": "lost",
            "reason": "general", "payment_intent": "pi_1", "charge": "ch_1", "created": 1 })
    };
    let (server, client) = stripe().await;
    for (at, object) in
        [("/v1/payment_intents", intent_json("succeeded")), ("/v1/refunds", refund_json()), ("/v1/disputes", dispute())]
    {
        let objects = vec![
            object.clone(),
            with(object.clone(), "status", json!("appeal_under_moonlight")),
            with(object, "currency", json!("usdc")),
        ];
        Mock::given(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(list(objects)))
            .mount(&server)
            .await;
    }
    let (gateway, since) = (gateway(client), Timestamp::EPOCH);
    let intent = IntentId::new("pi_1").unwrap();
    let (intents, refunds) = (gateway.intents(None, since).await.unwrap(), gateway.refunds(None, since).await.unwrap());
    let (disputes, of_intent) =
        (gateway.disputes(None, since).await.unwrap(), gateway.disputes_of(&intent, None).await.unwrap());
    assert_eq!(
        (intents.items.len(), refunds.items.len(), disputes.items.len(), of_intent.items.len()),
        (1, 1, 1, 1),
        "objects of other programs are left out"
    );
    for (unknown, id) in
        [(intents.unknown, "pi_1"), (refunds.unknown, "re_1"), (disputes.unknown, "du_1"), (of_intent.unknown, "du_1")]
    {
        let reported: Vec<_> = unknown.iter().map(|it| (it.id.as_str(), it.status.as_str(), &it.intent)).collect();
        assert_eq!(reported, [(id, "appeal_under_moonlight", &intent)]);
        assert_eq!(unknown[0].order.is_some(), id == "pi_1", "an intent names its order");
    }
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen.last().and_then(|it| it.url.query()), Some("payment_intent=pi_1&limit=100"));
}
