//! A failover after which the old primary, the first host in the URL, returns.

use std::time::{Duration, Instant};

use paywright_testkit::postgres::connect;
use paywright_testkit::{Cluster, url_of_all};

use crate::program::{Answer, TIMEOUT, answer, client, two_lines};
use crate::served::Served;

async fn place(served: &Served, key: &str) -> Answer {
    // A new client, without connections to a killed process.
    let request = client().post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &served.key);
    let request = request.header("idempotency-key", key).header("content-type", "application/json");
    answer(request.body(two_lines().to_string())).await
}

/// Repeats a request to place an order until it is answered with one, and returns its id.
async fn place_with_retries(served: &Served, key: &str) -> String {
    let begun = Instant::now();
    loop {
        let told = place(served, key).await;
        if let Some(id) = told.body["data"]["id"].as_str() {
            return id.to_owned();
        }
        assert!(begun.elapsed() < TIMEOUT && told.status == 503, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn orders(cluster: &Cluster) -> Vec<String> {
    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT id::text FROM orders ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|it| it.get(0)).collect()
}

/// Waits until a standby has an order.
async fn until_replicated(cluster: &Cluster, id: &str) {
    let begun = Instant::now();
    while !orders(cluster).await.iter().any(|it| it == id) {
        assert!(begun.elapsed() < TIMEOUT, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn no_acknowledged_order_is_placed_again_on_a_replaced_primary() {
    let old = Cluster::of_one_test(&[]);
    old.start();
    let new = old.standby();
    let mut served = Served::start(&url_of_all(&[&old, &new], "postgres"), 1, false, "0").await;
    let before = place_with_retries(&served, "cart-1").await;
    until_replicated(&new, &before).await;
    old.stop("immediate");
    new.promote();
    let after = place_with_retries(&served, "cart-2").await;
    assert_eq!(place_with_retries(&served, "cart-1").await, before);

    // Started again while both accept writes: an operator must fence one of them.
    drop(served.replicas[0].0.take());
    old.start();
    let names = [&old, &new].map(|it| it.host().to_str().unwrap().to_owned());
    let refused = |arguments: &[&str]| {
        let (done, printed, said) = served.run(arguments);
        assert!(!done && printed.is_empty(), "{arguments:?}: {printed}");
        assert_eq!(said.lines().filter(|it| it.starts_with("paywright: ")).count(), 1, "{said}");
        assert!(names.iter().all(|it| said.contains(it)), "{arguments:?} names both: {said}");
        said
    };
    // The refused process ends, although one of the servers would accept its writes.
    let serve = ["serve", "--bind", "192.0.2.1:1"];
    for arguments in [&serve[..], &["migrate"], &["keys", "list"], &["database", "trust-timeline"]] {
        assert!(refused(arguments).contains("both accept writes"));
    }
    // Started again while the promoted server is down.
    new.stop("fast");
    let said = refused(&serve);
    assert!(said.contains("on timeline 1, but timeline 2 was seen"), "{said}");
    assert!(said.contains("`paywright database trust-timeline`"), "{said}");
    assert_eq!(orders(&old).await, [before.as_str()], "nothing was placed on the old one");

    // The old primary is fenced.
    new.start();
    old.stop("fast");
    served.replicas[0].0 = Some(served.serve(0));
    assert_eq!(place_with_retries(&served, "cart-2").await, after, "the order that was acknowledged");

    // It returns while the promoted server is down: the running process says why it accepts no orders.
    new.stop("fast");
    old.start();
    let ready = served.replicas[0].1.replace("/api/v1/shop", "/readyz?verbose");
    let begun = Instant::now();
    let told = loop {
        let told = answer(client().get(&ready)).await;
        let detail = told.body["error"]["detail"].as_str().unwrap_or_default().to_owned();
        if told.status == 503 && detail.contains("timeline") {
            break detail;
        }
        assert!(begun.elapsed() < TIMEOUT, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(names.iter().all(|it| told.contains(it)), "{told}");
    assert_eq!(place(&served, "cart-2").await.status, 503);
    assert_eq!(orders(&old).await, [before.as_str()]);

    // An operator trusts the old primary again; orders that only the promoted server had are lost.
    drop(served.replicas[0].0.take());
    let (done, _, said) = served.run(&["database", "trust-timeline"]);
    assert!(done, "{said}");
    served.replicas[0].0 = Some(served.serve(0));
    assert_eq!(place_with_retries(&served, "cart-1").await, before);
}

#[tokio::test]
async fn an_unwritable_timeline_file_is_refused_and_can_be_turned_off() {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let served = Served::start(&cluster.url("postgres"), 0, false, "0").await;
    let with = |file: &str| {
        let url = cluster.url("postgres");
        let settings = [("PAYWRIGHT__DATABASE__TIMELINE_FILE", file), ("PAYWRIGHT__DATABASE__URL", url.as_str())];
        served.run_with(&["keys", "list"], &settings)
    };
    let (done, _, said) = with("nowhere/timeline.json");
    assert!(!done && said.contains("nowhere/timeline.json cannot be written"), "{said}");
    let (done, _, said) = with("");
    assert!(done, "{said}");
    let (done, _, said) =
        served.run_with(&["database", "trust-timeline"], &[("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db")]);
    assert!(!done && said.contains("a SQLite file has no timeline"), "{said}");
}
