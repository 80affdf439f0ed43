//! A database that stops, hangs and returns while the program runs.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Dev, Process, TIMEOUT, answer, command, two_lines};
use crate::served::{Served, free_ports};

/// The answer to a request to place an order.
#[derive(Debug)]
struct Placed {
    status: u16,
    code: String,
    retry_after: Option<String>,
    order: Option<String>,
}

async fn place(served: &Served, key: &str) -> Placed {
    let request = served.http.post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &served.key);
    let request = request.header("idempotency-key", key).header("content-type", "application/json");
    let response = request.body(two_lines().to_string()).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let text = |it: &Value| it.as_str().map(str::to_owned);
    Placed {
        status,
        code: text(&body["error"]["code"]).unwrap_or_default(),
        retry_after,
        order: text(&body["data"]["id"]),
    }
}

/// Repeats a request to place an order until it is answered with one.
async fn place_with_retries(served: &Served, key: &str) -> String {
    let begun = Instant::now();
    loop {
        let placed = place(served, key).await;
        if let Some(order) = placed.order {
            return order;
        }
        assert!(begun.elapsed() < TIMEOUT && placed.status == 503, "{placed:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_database_failure_is_reported_and_ends_when_the_database_is_back() {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let served = Served::start(&cluster.url("postgres"), 1, false, "0").await;
    let ready = served.replicas[0].1.replace("/api/v1/shop", "/readyz");
    let ready = async || served.http.get(&ready).send().await.unwrap().status().as_u16();
    let before = place_with_retries(&served, "cart-1").await;
    assert_eq!(ready().await, 200);

    cluster.stop("fast");
    let told = place(&served, "cart-2").await;
    assert_eq!((told.status, told.retry_after.is_some()), (503, true), "{told:?}");
    assert!(told.code.starts_with("store_"), "{told:?}");
    assert_eq!(readiness_becomes(&ready, 503).await, 503);
    cluster.start();
    let second = place_with_retries(&served, "cart-2").await;
    assert_eq!(readiness_becomes(&ready, 200).await, 200);

    cluster.signal("-STOP");
    let begun = Instant::now();
    let told = place(&served, "cart-3").await;
    assert_eq!((told.status, told.retry_after.is_some()), (503, true), "{told:?}");
    assert!(begun.elapsed() < TIMEOUT, "the caller was answered in time");
    cluster.signal("-CONT");
    let third = place_with_retries(&served, "cart-3").await;
    assert_eq!(place_with_retries(&served, "cart-1").await, before);

    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT id::text FROM orders ORDER BY id", &[]).await.unwrap();
    let mut expected = [before, second, third];
    expected.sort();
    assert_eq!(rows.iter().map(|it| it.get::<_, String>(0)).collect::<Vec<_>>(), expected, "each key is one order");
}

/// File size limit in bytes that simulates a full disk: the store's log reaches it first.
const ROOM_BYTES: u64 = 3 << 20;

#[tokio::test]
async fn a_full_disk_is_reported_and_writes_resume_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let paywright = command(&[], folder.path());
    let script = "trap '' XFSZ; exec \"$0\" dev --port 0 --twin-port 0";
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--fsize={ROOM_BYTES}:unlimited")).args(["sh", "-c", script]).arg(paywright.get_program());
    limited.current_dir(folder.path()).env_remove("RUST_LOG");
    let dev = Dev::of(limited);
    let ready = async || answer(dev.http.get(dev.api.replace("/api/v1/shop", "/readyz"))).await.status;
    assert_eq!(ready().await, 200);
    let mut placed = Vec::new();
    let refused = loop {
        let told = dev.call(Method::POST, "/orders", Some(&two_lines())).await;
        if told.status != 201 {
            break told;
        }
        placed.push(told.body["data"]["id"].as_str().unwrap().to_owned());
        assert!(placed.len() < 5_000, "the disk is never full");
    };
    assert_eq!((refused.status, refused.code()), (503, "store_unavailable"), "{refused:?}");
    assert_eq!(readiness_becomes(&ready, 503).await, 503, "not ready on a full disk");
    for id in &placed {
        assert_eq!(
            dev.call(Method::GET, &format!("/orders/{id}"), None).await.status,
            200,
            "acknowledged orders are stored"
        );
    }
    dev.process.limit_files("unlimited");
    assert_eq!(readiness_becomes(&ready, 200).await, 200, "ready when there is room again");
    dev.place().await;
}

/// Simulates a full disk: the process opens a file whose schema is up to date without writing to it.
#[tokio::test]
async fn a_process_starts_for_reading_on_a_full_disk() {
    let served = Served::start("sqlite:orders.db", 1, false, "0").await;
    let placed = place_with_retries(&served, "cart-1").await;
    let address = format!("127.0.0.1:{}", free_ports(1)[0]);
    let script = format!("trap '' XFSZ; exec \"$0\" serve --bind {address}");
    let mut limited = Command::new("prlimit");
    limited.args(["--fsize=0:0", "sh", "-c", &script]).arg(command(&[], served.folder()).get_program());
    limited.current_dir(served.folder()).env_remove("RUST_LOG");
    let process = Process::start(limited);
    process.printed(|it| it.contains("serves at"));
    let call = async |method, path: &str, body: &str| {
        let request = served.http.request(method, format!("http://{address}{path}")).header("x-api-key", &served.key);
        answer(request.header("content-type", "application/json").body(body.to_owned())).await
    };
    let refused = call(Method::POST, "/api/v1/shop/orders", &two_lines().to_string()).await;
    assert_eq!((refused.status, refused.code()), (503, "store_unavailable"), "{refused:?}");
    let read = call(Method::GET, &format!("/api/v1/shop/orders/{placed}"), "").await;
    assert_eq!((read.status, read.body["data"]["id"].as_str()), (200, Some(placed.as_str())), "{read:?}");
    let ready = call(Method::GET, "/readyz", "").await;
    assert_eq!((ready.status, ready.code()), (503, "store_unavailable"), "{ready:?}");
}

/// The status of `/readyz` once it is `expected`: earlier results are cached for a short time.
async fn readiness_becomes(ready: &impl AsyncFn() -> u16, expected: u16) -> u16 {
    let begun = Instant::now();
    loop {
        let status = ready().await;
        if status == expected || begun.elapsed() > TIMEOUT {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Number of crashes under load.
const CRASHES: usize = 10;
/// Number of callers that place orders without a key and repeat no request.
const CALLERS: usize = 48;

/// Answers to requests, each named by the mark in its order's metadata.
#[derive(Debug, Default)]
struct Answers {
    acknowledged: Vec<String>,
    /// Answered with "nothing was changed".
    unchanged: Vec<String>,
    unknown: usize,
}

/// A caller who repeats a request without a key after "nothing was changed" must not get a second order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn nothing_was_changed_is_true_even_when_the_database_crashes() {
    let cluster = Arc::new(Cluster::of_one_test(&[]));
    cluster.start();
    let served = Arc::new(Served::start(&cluster.url("postgres"), 1, false, "0").await);
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (served, stop) = (Arc::clone(&served), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut answers = Answers::default();
                for n in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let mark = format!("{caller}-{n}");
                    let mut body = two_lines();
                    body["metadata"] = serde_json::json!({ "mark": mark });
                    let request = served.http.post(format!("{}/orders", served.replicas[0].1));
                    let request = request.header("x-api-key", &served.key).header("content-type", "application/json");
                    let answered = answer(request.body(body.to_string())).await;
                    match (answered.status, answered.code()) {
                        (201, _) => answers.acknowledged.push(mark),
                        (503, "store_unavailable") => answers.unchanged.push(mark),
                        (503, "store_outcome_unknown") => answers.unknown += 1,
                        _ => panic!("{answered:?}"),
                    }
                }
                answers
            })
        })
        .collect();
    for _ in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let crashing = Arc::clone(&cluster);
        let crash = tokio::task::spawn_blocking(move || {
            crashing.stop("immediate");
            crashing.start();
        });
        crash.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    stop.store(true, Ordering::SeqCst);
    let mut all = Answers::default();
    for caller in callers {
        let answers = caller.await.unwrap();
        all.acknowledged.extend(answers.acknowledged);
        all.unchanged.extend(answers.unchanged);
        all.unknown += answers.unknown;
    }
    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT metadata->>'mark' FROM orders", &[]).await.unwrap();
    let stored: BTreeSet<String> = rows.iter().map(|it| it.get(0)).collect();
    let lost = all.acknowledged.iter().filter(|it| !stored.contains(*it)).count();
    let untrue = all.unchanged.iter().filter(|it| stored.contains(*it)).count();
    println!(
        "{} acknowledged, {lost} of them lost; {} answered with \"nothing was changed\", {untrue} of them untrue; {} \
         answered with \"outcome unknown\"",
        all.acknowledged.len(),
        all.unchanged.len(),
        all.unknown
    );
    assert_eq!((lost, untrue), (0, 0));
    assert!(
        all.acknowledged.len() > CALLERS && all.unchanged.len() + all.unknown > 0,
        "no request failed in the crashes"
    );
}
