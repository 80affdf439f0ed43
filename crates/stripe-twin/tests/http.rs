//! The twin over HTTP: faults, idempotency keys in flight, webhooks, and restarts.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set itself up fails")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paywright_stripe_twin::{Options, Server, WebhookEndpoint, sign};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SECRET: &str = "whsec_test";

struct Running {
    base: String,
    http: Client,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

fn options() -> Options {
    Options {
        state_file: None,
        seed_file: None,
        latency: Duration::ZERO,
        endpoints: Vec::new(),
        keep: 1000,
        clock: || 1_743_415_050,
        record: std::env::var_os("STRIPE_TWIN_RECORD").map(PathBuf::from),
    }
}

async fn start(options: Options) -> Running {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap();
    let base = format!("http://{}", server.address().unwrap());
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(server.run(async move { drop(stopped.await) }));
    Running { base, http: Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap(), stop, done }
}

impl Running {
    async fn post(
        &self,
        path: &str,
        form: &'static str,
        headers: &[(&'static str, &str)],
    ) -> reqwest::Result<Response> {
        let mut request = self.http.post(format!("{}{path}", self.base)).basic_auth("sk_test_x", Some("")).body(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await
    }

    async fn intents(&self) -> usize {
        let list = self.http.get(format!("{}/v1/payment_intents", self.base)).bearer_auth("sk_test_x");
        let list: Value = serde_json::from_str(&list.send().await.unwrap().text().await.unwrap()).unwrap();
        list["data"].as_array().unwrap().len()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.done.await.unwrap();
    }
}

const CREATE: (&str, &str) = ("/v1/payment_intents", "amount=500&currency=usd");

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn each_fault_has_its_effect_and_a_retry_gets_the_true_outcome() {
    for (fault, answered, made, retry) in [
        ("status_before=429", Some(429), 0, 200),
        ("status_before=500", Some(500), 0, 500),
        ("status_after=503", Some(503), 1, 503),
        ("drop_before", None, 0, 200),
        ("drop_after", None, 1, 200),
        ("truncate", None, 1, 200),
        ("delay=20", Some(200), 1, 200),
    ] {
        let twin = start(options()).await;
        let key = ("idempotency-key", "k");
        let first = twin.post(CREATE.0, CREATE.1, &[key, ("twin-fault", fault)]).await;
        let status = match first {
            Ok(response) => {
                let status = response.status().as_u16();
                response.bytes().await.ok().map(|_| status)
            }
            Err(_) => None,
        };
        assert_eq!((status, twin.intents().await), (answered, made), "{fault}");
        let again = twin.post(CREATE.0, CREATE.1, &[key]).await.unwrap();
        let replayed = again.headers().contains_key("idempotent-replayed");
        assert_eq!((again.status().as_u16(), replayed), (retry, made == 1 || retry == 500), "{fault}");
        assert!(twin.intents().await <= 1, "{fault}");
        twin.stop().await;
    }
}

/// Stripe compares only the parameters under a key, so the `User-Agent` may name other work.
#[tokio::test]
async fn a_repeat_under_one_key_may_have_another_user_agent() {
    let twin = start(options()).await;
    let key = ("idempotency-key", "k");
    let mut ids = Vec::new();
    for agent in ["Paywright/0.1 (request a)", "Paywright/0.1 (request b)", "Paywright/0.2 (task c)"] {
        let answered = twin.post(CREATE.0, CREATE.1, &[key, ("user-agent", agent)]).await.unwrap();
        assert_eq!(answered.status(), 200, "{agent}");
        ids.push(json(answered).await["id"].clone());
    }
    ids.dedup();
    assert_eq!((ids.len(), twin.intents().await), (1, 1));
    let other = twin.post(CREATE.0, "amount=501&currency=usd", &[key]).await.unwrap();
    assert_eq!(other.status(), 400, "other parameters are another request");
    twin.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_method_and_path() {
    let twin = start(options()).await;
    for path in ["/v1/events?limit=1", "/v1/events", "/v1/refunds", "/_twin/requests"] {
        twin.http.get(format!("{}{path}", twin.base)).bearer_auth("sk_test_x").send().await.unwrap();
    }
    let counted = twin.http.get(format!("{}/_twin/requests", twin.base)).send().await.unwrap().text().await.unwrap();
    let counted: Value = serde_json::from_str(&counted).unwrap();
    assert_eq!(counted, serde_json::json!({ "GET /v1/events": 2, "GET /v1/refunds": 1 }));
}

#[tokio::test]
async fn faults_are_set_counted_and_cleared() {
    let twin = start(options()).await;
    let fault = r#"{"kind":"status_before","status":503,"path":"/v1/payment_intents","times":2}"#;
    assert_eq!(twin.post("/_twin/faults", fault, &[]).await.unwrap().status(), 200);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(twin.post(CREATE.0, CREATE.1, &[]).await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [503, 503, 200]);
    let always = r#"{"kind":"status_before","percent":100}"#;
    twin.post("/_twin/faults", always, &[]).await.unwrap();
    assert_eq!(twin.post(CREATE.0, CREATE.1, &[]).await.unwrap().status(), 500);
    twin.http.delete(format!("{}/_twin/faults", twin.base)).send().await.unwrap();
    assert_eq!(twin.post(CREATE.0, CREATE.1, &[]).await.unwrap().status(), 200);
    let nonsense = twin.post("/_twin/faults", r#"{"kind":"explode"}"#, &[]).await.unwrap();
    assert_eq!(nonsense.status(), 400);
    twin.stop().await;
}

#[tokio::test]
async fn a_key_in_flight_is_refused_until_its_first_request_is_answered() {
    let twin = Arc::new(start(Options { latency: Duration::from_millis(1500), ..options() }).await);
    let first = tokio::spawn({
        let twin = Arc::clone(&twin);
        async move { twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap().status() }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let second = twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap();
    assert_eq!(second.status(), 409);
    assert_eq!(json(second).await["error"]["code"], "idempotency_key_in_use");
    assert_eq!(first.await.unwrap(), 200);
    let third = twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap();
    assert!(third.headers().contains_key("idempotent-replayed"));
}

type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// Starts an endpoint that answers 500 to the first `failures` deliveries.
async fn endpoint(failures: usize) -> (WebhookEndpoint, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let received: Received = Arc::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        let mut left = failures;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut chunk = [0; 4096];
            let (head, body) = loop {
                let count = stream.read(&mut chunk).await.unwrap();
                text.extend_from_slice(&chunk[..count]);
                let all = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
                let length: usize =
                    head.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap().parse().unwrap();
                if body.len() >= length {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let status = if left > 0 { "500 No" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            if left > 0 {
                left -= 1;
                continue;
            }
            assert!(head.contains("user-agent: Stripe/1.0"), "{head}");
            let signature = head.lines().find_map(|it| it.strip_prefix("stripe-signature: ")).unwrap();
            assert_eq!(signature, sign(body.as_bytes(), SECRET, 1_743_415_050));
            let event: Value = serde_json::from_str(&body).unwrap();
            seen.lock().unwrap().push((event["type"].as_str().unwrap().to_owned(), event));
        }
    });
    let all = vec!["*".into()];
    let endpoint = WebhookEndpoint {
        id: "we_1".into(),
        url,
        secret: SECRET.into(),
        enabled_events: all,
        ..WebhookEndpoint::default()
    };
    (endpoint, received)
}

async fn kinds(received: &Received, at_least: usize) -> Vec<String> {
    for _ in 0..200 {
        if received.lock().unwrap().len() >= at_least {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    received.lock().unwrap().iter().map(|it| it.0.clone()).collect()
}

#[tokio::test]
async fn an_event_is_signed_and_sent_until_it_is_accepted() {
    let (endpoint, received) = endpoint(1).await;
    let twin = start(Options { endpoints: vec![endpoint], ..options() }).await;
    let made = json(twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap()).await;
    assert_eq!(kinds(&received, 1).await, ["payment_intent.created"]);
    let event = received.lock().unwrap()[0].1.clone();
    assert_eq!(event["data"]["object"]["id"], made["id"]);
    assert_eq!(event["request"]["idempotency_key"], "k");
    twin.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_was_disabled_meanwhile_gets_no_further_attempt() {
    let (endpoint, received) = endpoint(1).await;
    let twin = start(Options { endpoints: vec![endpoint], ..options() }).await;
    twin.post(CREATE.0, CREATE.1, &[]).await.unwrap();
    twin.post("/v1/webhook_endpoints/we_1", "disabled=true", &[]).await.unwrap();
    // The second attempt would be made after 200 ms.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kinds(&received, 0).await, [""; 0]);
    twin.stop().await;
}

#[tokio::test]
async fn webhooks_are_dropped_duplicated_and_reordered_on_demand() {
    let (endpoint, received) = endpoint(0).await;
    let twin = start(Options { endpoints: vec![endpoint], ..options() }).await;
    twin.post(CREATE.0, CREATE.1, &[("twin-fault", "webhook_drop")]).await.unwrap();
    twin.post(CREATE.0, CREATE.1, &[("twin-fault", "webhook_duplicate")]).await.unwrap();
    assert_eq!(kinds(&received, 2).await, ["payment_intent.created"; 2]);
    let ids: Vec<_> = received.lock().unwrap().iter().map(|it| it.1["id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    received.lock().unwrap().clear();
    let paying = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&return_url=https://shop.example/";
    twin.post(CREATE.0, paying, &[("twin-fault", "webhook_reorder")]).await.unwrap();
    assert_eq!(kinds(&received, 4).await.len(), 4, "all of them are delivered");
    twin.stop().await;
}

#[tokio::test]
async fn the_state_survives_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let file: PathBuf = folder.path().join("twin.json");
    let kept = || Options { state_file: Some(file.clone()), ..options() };
    let twin = start(kept()).await;
    let made = json(twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap()).await;
    twin.stop().await;
    let twin = start(kept()).await;
    let again = twin.post(CREATE.0, CREATE.1, &[("idempotency-key", "k")]).await.unwrap();
    assert!(again.headers().contains_key("idempotent-replayed"));
    assert_eq!(json(again).await["id"], made["id"]);
    twin.stop().await;
    std::fs::write(&file, "{").unwrap();
    let refused = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), kept()).await.unwrap_err();
    assert!(refused.to_string().contains("twin.json"), "{refused}");
}

/// As at Stripe: a page of another origin may pay an intent whose client secret it has, and nothing else.
#[tokio::test]
async fn a_browser_of_any_origin_pays_only_an_intent_whose_client_secret_it_has() {
    let twin = start(options()).await;
    let made = json(twin.post(CREATE.0, CREATE.1, &[]).await.unwrap()).await;
    let url = format!("{}/v1/payment_intents/{}/confirm", twin.base, made["id"].as_str().unwrap());
    let asked = twin.http.request(reqwest::Method::OPTIONS, &url).send().await.unwrap();
    assert_eq!(
        (asked.status().as_u16(), &asked.headers()["access-control-allow-origin"]),
        (200, &"*".parse().unwrap())
    );
    assert!(asked.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    let pay = async |secret: &str| {
        let form = format!("client_secret={secret}&payment_method=pm_card_visa");
        let sent = twin.http.post(&url).bearer_auth("pk_test_page").body(form).send().await.unwrap();
        assert_eq!(sent.headers()["access-control-allow-origin"], "*", "or the page could not read the answer");
        sent.status().as_u16()
    };
    assert_eq!(pay("pi_other_secret").await, 401);
    assert_eq!(pay(made["client_secret"].as_str().unwrap()).await, 200);
    twin.stop().await;
}

/// The page of Stripe's test cards: two buttons, and the way back to the shop.
#[tokio::test]
async fn a_customer_authenticates_on_a_page_and_returns_to_the_shop() {
    let twin = start(options()).await;
    let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (outcome, status) in [("succeeded", "succeeded"), ("failed", "requires_payment_method")] {
        let form = "amount=500&currency=usd&confirm=true&payment_method=pm_card_threeDSecure2Required\
                    &return_url=https://shop.example/done";
        let made = json(twin.post(CREATE.0, form, &[]).await.unwrap()).await;
        let url = made["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        assert!(url.starts_with(&twin.base), "{url} is absolute");
        let page = http.get(url).send().await.unwrap();
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let shown = page.text().await.unwrap();
        assert!(shown.contains("Complete authentication") && shown.contains("a payment of $5.00"), "{shown}");
        let secret = made["client_secret"].as_str().unwrap();
        let sent = http.post(url).body(format!("client_secret={secret}&outcome={outcome}")).send().await.unwrap();
        assert_eq!(sent.status(), 303);
        let back = sent.headers()["location"].to_str().unwrap().to_owned();
        assert!(back.starts_with("https://shop.example/done?payment_intent=pi_"), "{back}");
        assert!(back.ends_with(&format!("&redirect_status={outcome}")), "{back}");
        let read = format!("{}{}/{}", twin.base, CREATE.0, made["id"].as_str().unwrap());
        let read = json(http.get(read).bearer_auth("sk_test_x").send().await.unwrap()).await;
        assert_eq!(read["status"], status);
        let again = http.get(url).send().await.unwrap();
        assert_eq!(again.status(), 404, "the authentication is done");
        assert!(again.text().await.unwrap().contains("Return to the shop"));
    }
    twin.stop().await;
}

#[tokio::test]
async fn a_state_file_of_another_form_is_refused_in_words() {
    let folder = tempfile::TempDir::new().unwrap();
    let file: PathBuf = folder.path().join("twin.json");
    std::fs::write(&file, r#"{"intents":{},"events":[]}"#).unwrap();
    let kept = Options { state_file: Some(file), ..options() };
    let refused = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), kept).await.unwrap_err();
    assert!(refused.to_string().contains("another version of the twin"), "{refused}");
}

async fn get(twin: &Running, path: &str) -> Value {
    json(twin.http.get(format!("{}{path}", twin.base)).bearer_auth("sk_test_x").send().await.unwrap()).await
}

/// Types of the events of a list.
fn types(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_event_counts_the_endpoints_that_have_not_received_it() {
    let (endpoint, received) = endpoint(0).await;
    let twin = start(Options { endpoints: vec![endpoint], ..options() }).await;
    twin.post(CREATE.0, CREATE.1, &[("twin-fault", "webhook_drop")]).await.unwrap();
    twin.post("/v1/customers", "", &[]).await.unwrap();
    kinds(&received, 1).await;
    assert_eq!(received.lock().unwrap()[0].1["pending_webhooks"], 1, "this delivery is pending");
    let missed = get(&twin, "/v1/events?delivery_success=false").await;
    assert_eq!((types(&missed), &missed["data"][0]["pending_webhooks"]), (vec!["payment_intent.created"], &1.into()));
    let delivered = get(&twin, "/v1/events?delivery_success=true").await;
    assert_eq!((types(&delivered), &delivered["data"][0]["pending_webhooks"]), (vec!["customer.created"], &0.into()));
    twin.stop().await;
}

#[tokio::test]
async fn events_of_a_seed_file_are_delivered_at_the_first_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let (state, seeds) = (folder.path().join("twin.json"), folder.path().join("seed.json"));
    std::fs::write(&seeds, r#"[{ "path": "/v1/customers", "params": { "email": "ada@example.com" } }]"#).unwrap();
    let (endpoint, received) = endpoint(0).await;
    for _ in 0..2 {
        let (state_file, seed_file) = (Some(state.clone()), Some(seeds.clone()));
        let twin = start(Options { state_file, seed_file, endpoints: vec![endpoint.clone()], ..options() }).await;
        assert_eq!(kinds(&received, 1).await, ["customer.created"]);
        let list = get(&twin, "/v1/events?delivery_success=true").await;
        assert_eq!(types(&list), ["customer.created"]);
        twin.stop().await;
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let twin = start(options()).await;
    let json_type = ("content-type", "application/json");
    let refused = twin.post(CREATE.0, r#"{"amount":500,"currency":"usd"}"#, &[json_type]).await.unwrap();
    assert_eq!(refused.status(), 400);
    let error = json(refused).await["error"].clone();
    assert_eq!((&error["type"], error.get("code")), (&"invalid_request_error".into(), None));
    assert!(error["message"].as_str().unwrap().contains("POST content type is application/x-www-form-urlencoded"));
    for accepted in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
        let made = twin.post(CREATE.0, CREATE.1, &[("content-type", accepted)]).await.unwrap();
        assert_eq!(made.status(), 200, "{accepted}");
    }
    assert_eq!(twin.post("/v1/customers", "", &[json_type]).await.unwrap().status(), 200, "there is no body");
    twin.stop().await;
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let twin = start(options()).await;
    let made = json(twin.post(CREATE.0, CREATE.1, &[]).await.unwrap()).await;
    for (path, status) in [(format!("{}/{}", CREATE.0, made["id"].as_str().unwrap()), 200), ("/v1/x".to_owned(), 404)] {
        let sent = twin.http.head(format!("{}{path}", twin.base)).bearer_auth("sk_test_x").send().await.unwrap();
        assert_eq!(
            (sent.status().as_u16(), &sent.headers()["content-type"]),
            (status, &"application/json".parse().unwrap())
        );
        assert!(sent.headers().contains_key("request-id") || status == 404);
        assert_eq!(sent.bytes().await.unwrap().len(), 0);
    }
    twin.stop().await;
}

#[tokio::test]
async fn a_twin_that_keeps_nothing_or_cannot_write_its_state_is_refused_at_the_start() {
    let folder = tempfile::TempDir::new().unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let nowhere = folder.path().join("missing").join("twin.json");
    for (options, message) in [
        (Options { keep: 0, ..options() }, "--keep must be at least 1"),
        (Options { state_file: Some(nowhere), ..options() }, "twin.json cannot be written"),
    ] {
        let refused = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap_err();
        assert!(refused.to_string().contains(message), "{refused}");
    }
}
