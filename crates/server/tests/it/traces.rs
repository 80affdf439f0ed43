//! Traces, as a collector in another language receives them: OpenTelemetry's package for Python decodes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::program::{Answer, Process, TIMEOUT, address_of, answer, two_lines};
use crate::receiver::Receiver;
use crate::secrets::storefront;
use crate::served::{Served, free_ports};

const SQLITE: &str = "sqlite:orders.db";

/// The collector of `tests/traces`, which keeps what it has received.
struct Collector {
    _process: Process,
    url: String,
    file: PathBuf,
    _folder: TempDir,
}

impl Collector {
    fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/traces");
        let interpreter = program.join(".venv/bin/python");
        assert!(interpreter.is_file(), "its environment is missing: run scripts/test ({})", interpreter.display());
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("requests");
        let mut python = Command::new(interpreter);
        python.arg("collector.py").arg(&file).current_dir(program).env("PYTHONDONTWRITEBYTECODE", "1");
        python.stdin(Stdio::null());
        let process = Process::start(python);
        Self { url: address_of(&process), _process: process, file, _folder: folder }
    }

    /// Lines of the settings that name the collector.
    fn settings(&self) -> String {
        format!("traces.endpoint = \"{}\"", self.url)
    }

    /// Requests that have arrived, each decoded.
    fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let requests: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        assert!(requests.iter().all(|it| it["problem"].is_null()), "{requests:#?}");
        requests
    }

    fn spans(&self) -> Vec<Value> {
        self.requests().iter().flat_map(|it| it["spans"].as_array().unwrap().clone()).collect()
    }
}

fn text<'a>(span: &'a Value, field: &str) -> &'a str {
    span[field].as_str().unwrap_or_default()
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    &span["attributes"][name]
}

/// The one span of `spans` that is as expected.
fn only<'a>(spans: &'a [Value], what: &str, expected: impl Fn(&Value) -> bool) -> &'a Value {
    let found: Vec<_> = spans.iter().filter(|it| expected(it)).collect();
    assert_eq!(found.len(), 1, "{what}: {found:#?} of {spans:#?}");
    found[0]
}

/// Calls the shop dialect of a shop with its key.
async fn call(shop: &Served, method: Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let api = &shop.replicas[0].1;
    let mut request = shop.http.request(method, format!("{api}{path}")).header("x-api-key", &shop.key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_null() {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    answer(request).await
}

async fn place(shop: &Served, headers: &[(&str, &str)]) -> Value {
    let placed = call(shop, Method::POST, "/orders", &two_lines(), headers).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    placed.body["data"].clone()
}

/// Creates the PaymentIntent of an order and confirms it at the twin. Returns the id and the client secret.
async fn pay_at_stripe(shop: &Served, order: &Value) -> (String, String) {
    let url = format!("{}/orders/{}/payment-intent", shop.replicas[0].1, text(order, "id"));
    let made = answer(shop.http.post(url).header("x-api-key", &shop.key).bearer_auth(&shop.token)).await;
    assert_eq!(made.status, 200, "{made:?}");
    let (intent, secret) = (text(&made.body["data"], "id"), text(&made.body["data"], "client_secret"));
    let url = format!("{}/v1/payment_intents/{intent}/confirm", shop.twin_url);
    let confirm = shop.http.post(url).bearer_auth("sk_test_twin");
    let confirmed = answer(confirm.body("payment_method=pm_card_visa&return_url=https://shop.example/")).await;
    assert_eq!(confirmed.body["status"], "succeeded");
    (intent.to_owned(), secret.to_owned())
}

/// Stops the first process, which sends what it has recorded.
fn stop(shop: &mut Served) {
    assert_eq!(shop.replicas[0].0.take().unwrap().terminate(), Some(0));
}

async fn until_logged(process: &Process, line: &str) {
    let begun = Instant::now();
    while !process.logged().contains(line) {
        assert!(begun.elapsed() < TIMEOUT, "{line} is not logged: {}", process.logged());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_trace_holds_the_request_the_commit_the_call_to_stripe_and_the_delivery() {
    let collector = Collector::start();
    let database = Database::empty().await;
    // Without webhooks: the payment callback reads Stripe.
    let mut shop = Served::start_with(&database.url(), 1, false, "0", &collector.settings()).await;
    let (receiver, url) = Receiver::start().await;
    let endpoint = json!({ "url": url, "types": ["order.paid"] });
    let created = call(&shop, Method::POST, "/webhook_endpoints", &endpoint, &[]).await;
    receiver.secrets.lock().unwrap().push(text(&created.body["data"], "secret").to_owned());
    receiver.is_down.store(true, Ordering::SeqCst);
    let order = place(&shop, &[]).await;
    pay_at_stripe(&shop, &order).await;
    let callback = format!("/orders/{}/payment", text(&order, "id"));
    assert_eq!(call(&shop, Method::POST, &callback, &Value::Null, &[]).await.status, 200);
    // The first attempt fails in one process, and the next one succeeds in another.
    until_logged(shop.replicas[0].0.as_ref().unwrap(), "an event was not delivered").await;
    stop(&mut shop);
    receiver.is_down.store(false, Ordering::SeqCst);
    shop.replicas[0].0 = Some(shop.serve(0));
    receiver.until("the event arrives", |it| it.len() == 1).await;
    stop(&mut shop);

    let spans = collector.spans();
    let request = only(&spans, "the callback", |it| it["name"] == "POST /api/v1/shop/orders/{order}/payment");
    let trace = text(request, "trace");
    let of_trace: Vec<Value> = spans.iter().filter(|it| text(it, "trace") == trace).cloned().collect();
    assert_eq!((&request["kind"], &request["parent"]), (&json!("SPAN_KIND_SERVER"), &json!("")));
    assert_eq!(attribute(request, "http.response.status_code"), 200);
    let below = |it: &Value, parent: &Value| it["parent"] == parent["id"];
    let is_paid = |it: &Value| attribute(it, "paywright.facts").as_str().is_some_and(|it| it.contains("order.paid"));
    let commit = only(&of_trace, "the commit", |it| it["name"] == "commit" && is_paid(it));
    assert!(below(commit, request), "{of_trace:#?}");
    let read = only(&of_trace, "the call to Stripe", |it| it["name"] == "Stripe GET payment_intents");
    assert!(below(read, request) && read["kind"] == "SPAN_KIND_CLIENT", "{of_trace:#?}");
    assert!(attribute(read, "stripe.request_id").as_str().unwrap().starts_with("req_"), "{read}");
    assert_eq!(
        (attribute(read, "stripe.attempts"), attribute(read, "http.response.status_code")),
        (&json!(1), &json!(200))
    );
    let mut deliveries: Vec<_> = of_trace.iter().filter(|it| it["name"] == "delivery").collect();
    deliveries.sort_by_key(|it| attribute(it, "paywright.attempt").as_u64());
    let outcomes: Vec<_> = deliveries
        .iter()
        .map(|it| (attribute(it, "http.response.status_code").as_u64().unwrap(), text(it, "status")))
        .collect();
    assert_eq!(outcomes, [(503, "STATUS_CODE_ERROR"), (204, "STATUS_CODE_UNSET")]);
    for delivery in deliveries {
        assert!(below(delivery, commit), "{of_trace:#?}");
        assert_eq!(attribute(delivery, "paywright.order.id"), &order["id"]);
        assert_eq!(attribute(delivery, "paywright.event.type"), "order.paid");
    }
    // The creation of the PaymentIntent is a trace of its own, with Stripe's answer committed after the call.
    let request = only(&spans, "the intent", |it| it["name"] == "POST /api/v1/shop/orders/{order}/payment-intent");
    let create = only(&spans, "the creation", |it| it["name"] == "Stripe POST payment_intents");
    assert!(below(create, request) && text(create, "trace") == text(request, "trace"));
    assert_ne!(text(create, "trace"), trace);
    let commits = spans.iter().filter(|it| it["name"] == "commit" && below(it, request)).count();
    assert_eq!(commits, 2, "the request to Stripe and its answer: {spans:#?}");
}

/// Page that lists the attributes.
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

#[tokio::test]
async fn no_span_has_a_name_an_address_or_a_secret() {
    let collector = Collector::start();
    let folder = TempDir::new().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "authorization: Bearer hush-collector\n").unwrap();
    let settings = format!("{}\ntraces.headers_file = \"{}\"", collector.settings(), headers.display());
    let database = Database::empty().await;
    let shop = Served::start_with(&database.url(), 1, true, "0", &settings).await;
    std::fs::write(shop.folder().join("prices.csv"), "id,name,price_usd\nmug,Mug,9.50\n").unwrap();
    assert!(shop.run(&["prices", "import", "prices.csv"]).0);
    let order = place(&shop, &[("x-request-id", "sale-of-ada-lovelace")]).await;
    let (_, client_secret) = pay_at_stripe(&shop, &order).await;
    let stripes_secrets = shop.webhook_secrets.clone();
    let dev = shop.into_dev();
    dev.read_until_settled(&order).await;
    let mut secrets = storefront(&dev).await;
    // Paths and queries with secrets and addresses, refused and not found.
    for path in ["/orders/ada@example.com", "/nowhere/pi_1_secret_2?email=ada@example.com", "/orders?token=pwk_hush"] {
        dev.http.get(format!("{}{path}", dev.api)).header("x-api-key", &dev.key).send().await.unwrap();
    }
    let log = dev.process.logged();
    let key_id = dev.key.clone();
    secrets.extend([
        ("API key", key_id),
        ("customer's token", dev.token.clone()),
        ("order's token", text(&order, "token").to_owned()),
        ("client secret", client_secret),
        ("Stripe key", "sk_test_x".to_owned()),
        ("token secret", "s".repeat(32)),
        ("webhook key", "w".repeat(32)),
        ("collector's secret", "hush-collector".to_owned()),
    ]);
    secrets.extend(stripes_secrets.into_iter().map(|it| ("webhook secret", it)));
    for word in
        ["ada@", "lovelace", "analytical", "new york", "example.com", "cus-ada", "_secret_", "pwk_", "127.0.0.1"]
    {
        secrets.push(("personal text", word.to_owned()));
    }
    assert_eq!(dev.process.terminate(), Some(0));

    assert!(!log.contains("hush-collector"), "{log}");
    assert!(collector.requests().iter().all(|it| it["headers"]["authorization"] == "Bearer hush-collector"));
    let spans = collector.spans();
    let names: BTreeSet<_> = spans.iter().map(|it| text(it, "name")).collect();
    for name in ["POST /webhooks/stripe", "event", "commit", "Stripe POST payment_intents", "Stripe POST setup_intents"]
    {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    let mut used = BTreeMap::new();
    for span in &spans {
        let received = text(span, "text").to_lowercase();
        for (what, secret) in &secrets {
            assert!(!received.contains(&secret.to_lowercase()), "the {what} is in {received}");
        }
        assert_eq!((&span["events"], &span["links"]), (&json!(0), &json!(0)), "no log line is in a trace");
        let resource = json!({ "service.name": "paywright", "service.version": env!("CARGO_PKG_VERSION") });
        assert_eq!(span["resource"], resource);
        used.extend(span["attributes"].as_object().unwrap().keys().map(|it| (it.clone(), text(span, "name"))));
    }
    for (name, span) in used {
        assert!(OPERATIONS.contains(&format!("`{name}`")), "{name} of {span} is not in docs/operations.md");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_or_hangs_stops_nothing() {
    let nowhere = format!("http://127.0.0.1:{}/v1/traces", free_ports(1)[0]);
    // Accepts connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}/v1/traces", hanging.local_addr().unwrap());
    for endpoint in [nowhere, hangs] {
        let settings = format!("traces.endpoint = \"{endpoint}\"");
        let mut shop = Served::start_with(SQLITE, 1, true, "0", &settings).await;
        let line = "traces cannot be sent to their collector";
        let order = place(&shop, &[]).await;
        pay_at_stripe(&shop, &order).await;
        until_logged(shop.replicas[0].0.as_ref().unwrap(), line).await;
        // More spans than one batch has: further batches fail too.
        let many: Vec<_> = (0..16)
            .map(|_| async {
                for _ in 0..20 {
                    place(&shop, &[]).await;
                }
            })
            .collect();
        futures_util::future::join_all(many).await;
        let begun = Instant::now();
        let path = format!("/orders/{}", text(&order, "id"));
        while call(&shop, Method::GET, &path, &Value::Null, &[]).await.body["data"]["payment_status"] != "paid" {
            assert!(begun.elapsed() < TIMEOUT, "the sale goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let process = shop.replicas[0].0.take().unwrap();
        process.signal("-TERM");
        until_logged(&process, "the listener closes").await;
        let logged = process.logged();
        assert_eq!(logged.matches(line).count(), 1, "{logged}");
        assert_eq!(process.ended(), Some(0), "it stops although the last batch cannot be sent");
    }
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn a_callers_trace_is_continued_and_a_malformed_one_is_not() {
    let collector = Collector::start();
    let mut shop = Served::start_with(SQLITE, 1, false, "0", &collector.settings()).await;
    let header = |trace: &str, flags: &str| format!("00-{trace}-b7ad6b7169203331-{flags}");
    let good = header(TRACE, "00");
    place(&shop, &[("traceparent", &good), ("tracestate", "vendor=ada@example.com")]).await;
    let zeros = "0".repeat(32);
    for hostile in [
        header(&zeros, "01"),
        header(&TRACE.to_uppercase(), "01"),
        header(TRACE, "01-more"),
        format!("ff-{TRACE}-b7ad6b7169203331-01"),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-b7ad6b7169203331"),
        format!("00-{TRACE}-' OR 1=1 --{}", "-".repeat(4000)),
        String::new(),
    ] {
        place(&shop, &[("traceparent", &hostile)]).await;
    }
    place(&shop, &[("traceparent", &good), ("traceparent", &good)]).await;
    stop(&mut shop);
    let spans = collector.spans();
    let requests: Vec<Value> = spans.iter().filter(|it| it["name"] == "POST /api/v1/shop/orders").cloned().collect();
    let continued = only(&requests, "the continued trace", |it| text(it, "trace") == TRACE);
    assert_eq!(text(continued, "parent"), "b7ad6b7169203331");
    let own: BTreeSet<_> =
        requests.iter().filter(|it| text(it, "parent").is_empty()).map(|it| text(it, "trace")).collect();
    assert_eq!(own.len(), requests.len() - 1, "each other one has a trace of its own");
    assert_eq!(own.len(), 9);
}

#[tokio::test]
async fn no_caller_decides_that_a_trace_is_exported() {
    let collector = Collector::start();
    let settings = format!("{}\ntraces.sample_ratio = 0", collector.settings());
    let database = Database::empty().await;
    let mut shop = Served::start_with(&database.url(), 1, true, "0", &settings).await;
    let order = place(&shop, &[("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"))]).await;
    pay_at_stripe(&shop, &order).await;
    stop(&mut shop);
    assert!(collector.requests().is_empty());
}

#[tokio::test]
async fn a_log_line_has_the_same_fields_with_traces_and_without() {
    let collector = Collector::start();
    let mut fields = Vec::new();
    for settings in [String::new(), collector.settings()] {
        let mut shop = Served::start_with(SQLITE, 1, false, "0", &settings).await;
        shop.replicas[0].0 = None;
        let process = shop.serve_logging(0, "debug");
        let order = place(&shop, &[]).await;
        pay_at_stripe(&shop, &order).await;
        let callback = format!("/orders/{}/payment", text(&order, "id"));
        assert_eq!(call(&shop, Method::POST, &callback, &Value::Null, &[]).await.status, 200);
        let mut of_lines = BTreeSet::new();
        let logged = process.logged();
        assert_eq!(process.terminate(), Some(0));
        for line in logged.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            // Whether the worker has had its turn is chance.
            let is_of_request = line["request"].is_string();
            if is_of_request && ["answered", "order changed", "Stripe answered"].contains(&text(&line, "message")) {
                let names: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
                of_lines.insert((text(&line, "message").to_owned(), names));
            }
        }
        assert!(of_lines.len() >= 3, "{logged}");
        fields.push(of_lines);
    }
    assert_eq!(fields[0], fields[1]);
}
