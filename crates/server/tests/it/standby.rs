//! A synchronous standby that is gone: commits wait for it, but callers are answered in time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;
use serde_json::json;

use crate::program::{Answer, TIMEOUT, answer, two_lines};
use crate::served::Served;

/// Number of simultaneous callers.
const CALLERS: usize = 100;

/// Default number of connections of the process.
const CONNECTIONS: i64 = 16;

const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paywright'";
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

async fn count(cluster: &Cluster, sql: &str) -> i64 {
    connect(&cluster.url("postgres")).await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Number of the process's backends. One whose connection is closed leaves the server's list a moment later: a number
/// above the limit is counted again, and one that waits for the standby would stay.
async fn backends(cluster: &Cluster) -> i64 {
    let begun = Instant::now();
    loop {
        let counted = count(cluster, OURS).await;
        if counted <= CONNECTIONS || begun.elapsed() > Duration::from_secs(2) {
            return counted;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn set_standby(cluster: &Cluster, change: &str) {
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute(&format!("ALTER SYSTEM {change}")).await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

async fn place(served: &Served, mark: &str) -> Answer {
    let mut body = two_lines();
    body["metadata"] = json!({ "mark": mark });
    let request = served.http.post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &served.key);
    answer(request.header("content-type", "application/json").body(body.to_string())).await
}

/// Creates a cart of the Spree dialect.
async fn begin_cart(served: &Served) -> Answer {
    let base = served.replicas[0].1.strip_suffix("/api/v1/shop").unwrap();
    answer(served.http.post(format!("{base}/api/v2/storefront/cart")).header("content-type", "application/json")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn a_missing_standby_gives_true_answers_and_bounded_backends() {
    let cluster = Cluster::of_one_test(&["max_connections = 60"]);
    cluster.start();
    let served = Arc::new(Served::start(&cluster.url("postgres"), 1, false, "0").await);
    assert_eq!(place(&served, "before").await.status, 201);
    let before = begin_cart(&served).await;
    assert_eq!(before.status, 201, "{before:?}");
    set_standby(&cluster, "SET synchronous_standby_names = 'nobody'").await;
    let begun = Instant::now();
    while count(&cluster, WAITING).await == 0 {
        drop(tokio::time::timeout(Duration::from_millis(500), begin_cart(&served)).await);
        assert!(begun.elapsed() < TIMEOUT, "commits do not wait");
    }

    let callers: Vec<_> = (0..CALLERS)
        .map(|n| {
            let served = Arc::clone(&served);
            tokio::spawn(async move { (format!("mark-{n}"), place(&served, &format!("mark-{n}")).await) })
        })
        .collect();
    let in_spree = begin_cart(&served).await;
    let (mut promised, mut unknown) = (BTreeSet::new(), 0);
    let mut most = 0;
    for caller in callers {
        let (mark, told) = caller.await.unwrap();
        most = most.max(backends(&cluster).await);
        match (told.status, told.code()) {
            (503, "store_unavailable") => drop(promised.insert(mark)),
            (503, "store_outcome_unknown") => unknown += 1,
            _ => panic!("{told:?}"),
        }
    }
    assert!(count(&cluster, WAITING).await > 0, "all were answered while commits still waited");
    assert!(unknown > 0 && !promised.is_empty(), "{unknown} unknown, {} refused", promised.len());
    let spree = [in_spree, begin_cart(&served).await];
    for told in &spree {
        let sentence = told.body["error"].as_str().unwrap_or_default();
        assert!(told.status == 503 && sentence.starts_with("the database "), "{told:?}");
    }
    // Further calls are refused at once, and no statement is sent for them.
    let waiting = count(&cluster, WAITING).await;
    for n in 0..CALLERS {
        let mark = format!("late-{n}");
        let told = place(&served, &mark).await;
        assert_eq!((told.status, told.code()), (503, "store_unavailable"), "{told:?}");
        promised.insert(mark);
    }
    assert_eq!(count(&cluster, WAITING).await, waiting);
    most = most.max(backends(&cluster).await);
    assert!(most <= CONNECTIONS, "{most} backends");

    set_standby(&cluster, "RESET synchronous_standby_names").await;
    let begun = Instant::now();
    let mut told = place(&served, "after").await;
    while told.status != 201 {
        assert!(begun.elapsed() < TIMEOUT && told.status == 503, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        told = place(&served, "after-again").await;
    }
    assert_eq!(count(&cluster, WAITING).await, 0);
    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT metadata->>'mark' FROM orders", &[]).await.unwrap();
    let there: BTreeSet<String> = rows.iter().map(|it| it.get(0)).collect();
    let untrue: Vec<_> = promised.intersection(&there).collect();
    assert!(untrue.is_empty(), "told that nothing was changed, and it was: {untrue:?}");
    println!("{} were refused, {unknown} told that it is not known; at most {most} backends", promised.len());
}
