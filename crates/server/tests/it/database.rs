//! A database that stops, hangs and comes back under a running program.

use std::process::Command;
use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;
use serde_json::Value;

use crate::program::{PATIENCE, two_lines};
use crate::served::Served;

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

fn signal_all(cluster: &Cluster, signal: &str) {
    let parent = cluster.pid().to_string();
    // The children first, so that their parent sees none of it.
    drop(Command::new("pkill").args([signal, "-P", &parent]).status());
    assert!(Command::new("kill").args([signal, &parent]).status().unwrap().success());
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
    assert_eq!(ready().await, 503);
    cluster.start();
    let second = place_in_the_end(&served, "cart-2").await;
    assert_eq!(ready().await, 200);

    signal_all(&cluster, "-STOP");
    let begun = Instant::now();
    let told = place(&served, "cart-3").await;
    assert_eq!((told.status, told.retry_after.is_some()), (503, true), "{told:?}");
    assert!(begun.elapsed() < PATIENCE, "it was told, and not left hanging");
    signal_all(&cluster, "-CONT");
    let third = place_in_the_end(&served, "cart-3").await;
    assert_eq!(place_in_the_end(&served, "cart-1").await, before);

    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT id::text FROM orders ORDER BY id", &[]).await.unwrap();
    let mut expected = [before, second, third];
    expected.sort();
    assert_eq!(rows.iter().map(|it| it.get::<_, String>(0)).collect::<Vec<_>>(), expected, "each key is one order");
}
