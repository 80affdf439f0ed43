//! A database that stops, hangs and comes back under a running program.

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

use crate::program::{Dev, PATIENCE, Process, answer, command, two_lines};
use crate::served::{Served, free_ports};

/// What came back of a placement: its status, its code, after how many seconds to come again, the order's id.
#[derive(Debug)]
struct Told {
    status: u16,
    code: String,
    retry_after: Option<String>,
    order: Option<String>,
}

async fn place(served: &Served, key: &str) -> Told {
    let request = served.http.post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &served.key);
    let request = request.header("idempotency-key", key).header("content-type", "application/json");
    let response = request.body(two_lines().to_string()).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let text = |it: &Value| it.as_str().map(str::to_owned);
    Told {
        status,
        code: text(&body["error"]["code"]).unwrap_or_default(),
        retry_after,
        order: text(&body["data"]["id"]),
    }
}

/// Places until it is answered with an order.
async fn place_in_the_end(served: &Served, key: &str) -> String {
    let begun = Instant::now();
    loop {
        let told = place(served, key).await;
        if let Some(order) = told.order {
            return order;
        }
        assert!(begun.elapsed() < PATIENCE && told.status == 503, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_database_that_stops_or_hangs_is_said_so_and_used_again_when_it_is_back() {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let served = Served::start(&cluster.url("postgres"), 1, false, "0").await;
    let ready = served.replicas[0].1.replace("/api/v1/shop", "/readyz");
    let ready = async || served.http.get(&ready).send().await.unwrap().status().as_u16();
    let before = place_in_the_end(&served, "cart-1").await;
    assert_eq!(ready().await, 200);

    cluster.stop("fast");
    let told = place(&served, "cart-2").await;
    assert_eq!((told.status, told.retry_after.is_some()), (503, true), "{told:?}");
    assert!(told.code.starts_with("store_"), "{told:?}");
    assert_eq!(ready_in_the_end(&ready, 503).await, 503);
    cluster.start();
    let second = place_in_the_end(&served, "cart-2").await;
    assert_eq!(ready_in_the_end(&ready, 200).await, 200);

    cluster.signal("-STOP");
    let begun = Instant::now();
    let told = place(&served, "cart-3").await;
    assert_eq!((told.status, told.retry_after.is_some()), (503, true), "{told:?}");
    assert!(begun.elapsed() < PATIENCE, "it was told, and not left hanging");
    cluster.signal("-CONT");
    let third = place_in_the_end(&served, "cart-3").await;
    assert_eq!(place_in_the_end(&served, "cart-1").await, before);

    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT id::text FROM orders ORDER BY id", &[]).await.unwrap();
    let mut expected = [before, second, third];
    expected.sort();
    assert_eq!(rows.iter().map(|it| it.get::<_, String>(0)).collect::<Vec<_>>(), expected, "each key is one order");
}

/// The most bytes of a file, where the disk is full beyond: the store's log gets there first.
const ROOM_BYTES: u64 = 3 << 20;

#[tokio::test]
async fn a_disk_that_is_full_is_said_and_used_again_when_there_is_room() {
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
    assert_eq!(ready_in_the_end(&ready, 503).await, 503, "no load balancer sends orders here");
    for id in &placed {
        assert_eq!(dev.call(Method::GET, &format!("/orders/{id}"), None).await.status, 200, "what was placed is there");
    }
    dev.process.limit_files("unlimited");
    assert_eq!(ready_in_the_end(&ready, 200).await, 200, "there is room again");
    dev.place().await;
}

/// As on a disk without room: the process opens a file that is up to date without writing to it.
#[tokio::test]
async fn a_process_starts_for_reading_where_nothing_can_be_written() {
    let served = Served::start("sqlite:orders.db", 1, false, "0").await;
    let placed = place_in_the_end(&served, "cart-1").await;
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

/// What is answered once a look at the store is not shared any more with those before.
async fn ready_in_the_end(ready: &impl AsyncFn() -> u16, expected: u16) -> u16 {
    let begun = Instant::now();
    loop {
        let status = ready().await;
        if status == expected || begun.elapsed() > PATIENCE {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often the server crashes under the load.
const CRASHES: usize = 10;
/// How many callers place orders without a key, and repeat nothing.
const CALLERS: usize = 48;

/// What callers were told, by the mark that each of them put on what it asked for.
#[derive(Debug, Default)]
struct Promises {
    acknowledged: Vec<String>,
    promised: Vec<String>,
    unknown: usize,
}

/// Who believes "nothing was changed" and asks again without a key must not get a second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_that_nothing_was_changed_is_untrue_when_the_server_crashes() {
    let cluster = Arc::new(Cluster::of_one_test(&[]));
    cluster.start();
    let served = Arc::new(Served::start(&cluster.url("postgres"), 1, false, "0").await);
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (served, stop) = (Arc::clone(&served), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut told = Promises::default();
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
                        (201, _) => told.acknowledged.push(mark),
                        (503, "store_unavailable") => told.promised.push(mark),
                        (503, "store_outcome_unknown") => told.unknown += 1,
                        _ => panic!("{answered:?}"),
                    }
                }
                told
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
    let mut all = Promises::default();
    for caller in callers {
        let told = caller.await.unwrap();
        all.acknowledged.extend(told.acknowledged);
        all.promised.extend(told.promised);
        all.unknown += told.unknown;
    }
    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT metadata->>'mark' FROM orders", &[]).await.unwrap();
    let there: BTreeSet<String> = rows.iter().map(|it| it.get(0)).collect();
    let lost = all.acknowledged.iter().filter(|it| !there.contains(*it)).count();
    let untrue = all.promised.iter().filter(|it| there.contains(*it)).count();
    println!(
        "{} acknowledged, {lost} of them lost; {} told that nothing was changed, {untrue} of them untruly; {} told that \
         it is not known",
        all.acknowledged.len(),
        all.promised.len(),
        all.unknown
    );
    assert_eq!((lost, untrue), (0, 0));
    assert!(all.acknowledged.len() > CALLERS && all.promised.len() + all.unknown > 0, "the crashes met no request");
}
