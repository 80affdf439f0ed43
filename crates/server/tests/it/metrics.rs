//! Metrics at `/metrics`, and the alerts and the dashboard that are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use paywright_testkit::postgres::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, answer};
use crate::served::Served;

fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../monitoring").join(name)
}

/// Runs `promtool`, Prometheus's own checker.
fn promtool(arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new("promtool");
    command
        .args(arguments)
        .current_dir(monitoring(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().expect("scripts/test installs promtool");
    let mut stdin = running.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.unwrap_or_default().as_bytes()).unwrap();
    drop(stdin);
    running.wait_with_output().unwrap()
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat()
}

async fn metrics_of(shop: &Served, n: usize) -> String {
    let url = format!("http://{}/metrics", shop.address(n));
    let response = shop.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let of_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(of_type.starts_with("text/plain"), "{of_type}");
    response.text().await.unwrap()
}

/// Names of the time series, with their labels.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|it| !it.starts_with('#') && !it.is_empty());
    lines.map(|it| it.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|it| it.strip_prefix(series).is_some_and(|it| it.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("{series} is not in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Names of metrics in a text, such as rules.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| it.starts_with("paywright_")).map(str::to_owned).collect()
}

/// Number of orders over which the number of series must not grow. The same holds for 10,000, which take half a minute.
const ORDERS: u32 = 1000;

async fn place(shop: &Served, n: u32) -> Value {
    let api = &shop.replicas[0].1;
    let body = json!({
        "email": format!("shopper{n}@example.com"), "currency": "usd",
        "line_items": [{ "name": "Coffee", "amount": 1250, "quantity": 2 }],
    });
    let request = shop.http.post(format!("{api}/orders")).header("x-api-key", &shop.key);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let placed: Answer = answer(request).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    placed.body["data"].clone()
}

/// Sells an order: it is paid when this returns.
async fn sell(shop: &Served, n: u32) -> Value {
    let (api, order) = (shop.replicas[0].1.clone(), place(shop, n).await);
    let url = format!("{api}/orders/{}", order["id"].as_str().unwrap());
    let guest = order["token"].as_str().unwrap();
    let of_order =
        |path: &str| shop.http.post(format!("{url}{path}")).header("x-api-key", &shop.key).bearer_auth(guest);
    let intent = answer(of_order("/payment-intent")).await;
    let id = intent.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{intent:?}")).to_owned();
    let confirm = shop.http.post(format!("{}/v1/payment_intents/{id}/confirm", shop.twin_url)).bearer_auth("sk_test_x");
    let form = "payment_method=pm_card_visa&return_url=https://shop.example/";
    assert_eq!(answer(confirm.body(form)).await.body["status"], "succeeded");
    let paid = answer(of_order("/payment")).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    order
}

#[tokio::test]
async fn metrics_are_clean_and_every_name_that_alerts_and_the_dashboard_use_exists() {
    let database = Database::empty().await;
    let shop = Served::start_with(&database.url(), 1, true, "0", "books.walk_seconds = 1").await;
    sell(&shop, 1).await;
    let forged = shop.http.post(format!("http://{}/webhooks/stripe", shop.address(0)));
    let forged = answer(forged.header("stripe-signature", "t=1,v1=00").body("{}")).await;
    assert_eq!(forged.status, 400, "{forged:?}");
    // The books are begun and the balance is read within seconds.
    let mut text = metrics_of(&shop, 0).await;
    for _ in 0..60 {
        if text.contains("paywright_books_balance_difference_minor{") && text.contains("_clock_difference_seconds ") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        text = metrics_of(&shop, 0).await;
    }
    let checked = promtool(&["check", "metrics"], Some(&text));
    assert!(checked.status.success() && printed(&checked).trim().is_empty(), "{}", printed(&checked));
    let names: BTreeSet<_> = series(&text).iter().map(|it| it.split('{').next().unwrap().trim().to_owned()).collect();
    let dashboard = std::fs::read_to_string(monitoring("dashboard.json")).unwrap();
    serde_json::from_str::<Value>(&dashboard).expect("the dashboard is JSON");
    let rules = std::fs::read_to_string(monitoring("paywright.rules.yml")).unwrap();
    let runbook = std::fs::read_to_string(monitoring("../docs/runbook.md")).unwrap();
    for (file, used) in [("dashboard", named(&dashboard)), ("rules", named(&rules)), ("runbook", named(&runbook))] {
        let missing = |it: &&String| !names.contains(*it) && !names.contains(&format!("{it}_bucket"));
        assert_eq!(used.iter().find(missing), None, "{file}");
    }
    assert!(names.iter().all(|it| it.starts_with("paywright_")), "{names:?}");
    for (series, expected) in [
        ("paywright_orders_total{state=\"open\"}", 1.0),
        ("paywright_orders_total{state=\"paid\"}", 1.0),
        ("paywright_store_up", 1.0),
        ("paywright_webhooks_refused_total{code=\"webhook_signature_invalid\"}", 1.0),
        ("paywright_money_anomalies_open{name=\"amount_differs\"}", 0.0),
        ("paywright_books_breaks_open{class=\"balance\"}", 0.0),
    ] {
        let found = value(&text, series);
        assert!((found - expected).abs() < f64::EPSILON, "{series}: {found}");
    }
}

#[tokio::test]
async fn the_number_of_series_does_not_grow_with_the_orders() {
    let database = Database::empty().await;
    let shop = Served::start(&database.url(), 1, true, "0").await;
    for n in 0..3 {
        sell(&shop, n).await;
    }
    let unknown = async || {
        for n in 0..3 {
            let url = format!("http://{}/nothing/{}", shop.address(0), fastrand::u32(..));
            assert_eq!(shop.http.get(url).send().await.unwrap().status(), 404, "{n}");
        }
    };
    unknown().await;
    // The endpoint at Stripe is checked within seconds of the start.
    while !metrics_of(&shop, 0).await.contains("endpoint=\"GET webhook_endpoints\"") {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The first answer is not counted in itself.
    metrics_of(&shop, 0).await;
    let before = series(&metrics_of(&shop, 0).await);
    let tasks = (0..8).map(|task| {
        let shop = &shop;
        async move {
            for n in 0..ORDERS / 8 {
                place(shop, task * ORDERS + n).await;
            }
        }
    });
    futures_util::future::join_all(tasks).await;
    for n in 0..3 {
        sell(&shop, n).await;
    }
    unknown().await;
    let text = metrics_of(&shop, 0).await;
    let placed = value(&text, "paywright_orders_total{state=\"open\"}");
    assert!((placed - f64::from(ORDERS + 6)).abs() < f64::EPSILON, "{placed}");
    let after = series(&text);
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn only_this_machine_and_keys_with_the_scope_read_metrics() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop = Served::start_with(&database, 1, false, "0", "metrics.networks = \"192.0.2.0/24\"").await;
    let url = format!("http://{}/metrics", shop.address(0));
    let (_, other, _) = shop.run(&["keys", "create", "--name", "other", "--scope", "orders:read"]);
    let other = other.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
    for (name, header, status, code) in [
        ("x-none", String::new(), 401, Some("api_key_missing")),
        ("x-api-key", shop.key.clone(), 200, None),
        ("authorization", format!("Bearer {}", shop.key), 200, None),
        ("x-api-key", other.clone(), 403, Some("scope_missing")),
        ("authorization", format!("Bearer {other}"), 403, Some("scope_missing")),
        ("authorization", "Bearer pwk_00".to_owned(), 401, Some("api_key_invalid")),
    ] {
        let response = shop.http.get(&url).header(name, &header).send().await.unwrap();
        assert_eq!(response.status(), status, "{name} {header}");
        if let Some(code) = code {
            assert!(response.text().await.unwrap().contains(code), "{code}");
        }
    }
}

#[tokio::test]
async fn a_call_that_a_proxy_has_forwarded_is_not_one_of_this_machine() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop = Served::start_with(&database, 1, false, "0", "http.trusted_proxies = \"127.0.0.1\"").await;
    let url = format!("http://{}/metrics", shop.address(0));
    assert_eq!(shop.http.get(&url).send().await.unwrap().status(), 200);
    for header in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"] {
        let response = shop.http.get(&url).header(header, "127.0.0.1").send().await.unwrap();
        assert_eq!(response.status(), 401, "{header}");
    }
}

#[tokio::test]
async fn metrics_of_a_store_that_takes_no_writes_are_unknown_until_it_does() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("shop.db");
    let shop = Served::start(&format!("sqlite:{}", file.display()), 1, false, "0").await;
    let elsewhere = folder.path().join("elsewhere.db");
    for (from, to, expected) in [(&file, &elsewhere, 0.0), (&elsewhere, &file, 1.0)] {
        std::fs::rename(from, to).unwrap();
        let mut text = metrics_of(&shop, 0).await;
        for _ in 0..60 {
            if (value(&text, "paywright_store_up") - expected).abs() < f64::EPSILON {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            text = metrics_of(&shop, 0).await;
        }
        let is_unknown = |series: &str| value(&text, series).is_nan();
        let is_down = expected < 0.5;
        assert_eq!(is_unknown("paywright_tasks_due{kind=\"refund\"}"), is_down, "{text}");
        assert_eq!(is_unknown("paywright_books_balance_read_timestamp_seconds"), is_down, "{text}");
        assert!((value(&text, "paywright_store_up") - expected).abs() < f64::EPSILON, "{text}");
    }
}

#[test]
fn each_alert_fires_once_in_its_test_and_has_a_section_in_the_runbook() {
    let checked = promtool(&["check", "rules", "paywright.rules.yml"], None);
    assert!(checked.status.success(), "{}", printed(&checked));
    let tested = promtool(&["test", "rules", "paywright.rules.test.yml"], None);
    assert!(tested.status.success(), "{}", printed(&tested));
    let read = |name: &str| std::fs::read_to_string(monitoring(name)).unwrap();
    let (rules, tests, runbook) =
        (read("paywright.rules.yml"), read("paywright.rules.test.yml"), read("../docs/runbook.md"));
    let mut fired: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, after) in tests.match_indices("alertname: ").map(|(at, _)| tests[at + 11..].split_once('\n').unwrap()) {
        *fired.entry(name.trim_end_matches([' ', '}'])).or_default() +=
            usize::from(after.trim_start().starts_with("exp_alerts:"));
    }
    let alerts: Vec<&str> = rules.lines().filter_map(|it| it.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        assert_eq!(fired.get(alert), Some(&1), "{alert} fires once in the tests");
        assert!(runbook.contains(&format!("\n### {alert}\n")), "{alert} has a section in the runbook");
    }
    let sections = runbook.lines().filter_map(|it| it.strip_prefix("### "));
    assert_eq!(sections.filter(|it| !alerts.contains(it)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_documented_configuration_of_prometheus_is_right() {
    let guide = include_str!("../../../../docs/operations.md");
    let (_, from) = guide.split_once("```yaml\n").expect("there is an example");
    let (example, _) = from.split_once("```").unwrap();
    let folder = TempDir::new().unwrap();
    let (key, printed_key) = (folder.path().join("paywright.key"), "/etc/prometheus/paywright.key");
    assert!(example.contains(printed_key) && example.contains("[paywright.rules.yml]"), "{example}");
    std::fs::write(&key, "pwk_x").unwrap();
    let rules = monitoring("paywright.rules.yml").canonicalize().unwrap();
    let example = example.replace(printed_key, &key.display().to_string());
    let example = example.replace("paywright.rules.yml", &rules.display().to_string());
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, example).unwrap();
    let checked = promtool(&["check", "config", file.to_str().unwrap()], None);
    assert!(checked.status.success(), "{}", printed(&checked));
}
