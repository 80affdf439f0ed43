//! A failover, and the old primary back again, which is the first in the URL.

use std::time::{Duration, Instant};

use paywright_testkit::postgres::connect;
use paywright_testkit::{Cluster, url_of_all};

use crate::program::{Answer, PATIENCE, answer, client, two_lines};
use crate::served::Served;

async fn place(served: &Served, key: &str) -> Answer {
    // No connection of a process that was killed.
    let request = client().post(format!("{}/orders", served.replicas[0].1)).header("x-api-key", &served.key);
    let request = request.header("idempotency-key", key).header("content-type", "application/json");
    answer(request.body(two_lines().to_string())).await
}

/// Places until it is answered with an order, and gives its id.
async fn place_in_the_end(served: &Served, key: &str) -> String {
    let begun = Instant::now();
    loop {
        let told = place(served, key).await;
        if let Some(id) = told.body["data"]["id"].as_str() {
            return id.to_owned();
        }
        assert!(begun.elapsed() < PATIENCE && told.status == 503, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn orders(cluster: &Cluster) -> Vec<String> {
    let db = connect(&cluster.url("postgres")).await;
    let rows = db.query("SELECT id::text FROM orders ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|it| it.get(0)).collect()
}

/// Waits until a standby has what was placed.
async fn until_there(cluster: &Cluster, id: &str) {
    let begun = Instant::now();
    while !orders(cluster).await.iter().any(|it| it == id) {
        assert!(begun.elapsed() < PATIENCE, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn no_acknowledged_order_is_placed_again_on_a_primary_that_was_replaced() {
    let old = Cluster::of_one_test(&[]);
    old.start();
    let new = old.standby();
    let mut served = Served::start(&url_of_all(&[&old, &new], "postgres"), 1, false, "0").await;
    let before = place_in_the_end(&served, "cart-1").await;
    until_there(&new, &before).await;
    old.stop("immediate");
    new.promote();
    let after = place_in_the_end(&served, "cart-2").await;
    assert_eq!(place_in_the_end(&served, "cart-1").await, before);

    // Started again while both take writes: a person must fence one of them.
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
    // It comes to its end also where it would take the database.
    let serve = ["serve", "--bind", "192.0.2.1:1"];
    for arguments in [&serve[..], &["migrate"], &["keys", "list"], &["database", "trust-timeline"]] {
        assert!(refused(arguments).contains("both accept writes"));
    }
    // Started again while the promoted one is away.
    new.stop("fast");
    let said = refused(&serve);
    assert!(said.contains("on timeline 1, and timeline 2 was seen"), "{said}");
    assert!(said.contains("`paywright database trust-timeline`"), "{said}");
    assert_eq!(orders(&old).await, [before.as_str()], "nothing was placed on the old one");

    // The old one is fenced.
    new.start();
    old.stop("fast");
    served.replicas[0].0 = Some(served.serve(0));
    assert_eq!(place_in_the_end(&served, "cart-2").await, after, "the order that was acknowledged");

    // And comes back when the promoted one is away: the process that runs says why it takes no orders.
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
        assert!(begun.elapsed() < PATIENCE, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(names.iter().all(|it| told.contains(it)), "{told}");
    assert_eq!(place(&served, "cart-2").await.status, 503);
    assert_eq!(orders(&old).await, [before.as_str()]);

    // On purpose, the old one is the primary again; what the other had is gone, and an operator has said so.
    drop(served.replicas[0].0.take());
    let (done, _, said) = served.run(&["database", "trust-timeline"]);
    assert!(done, "{said}");
    served.replicas[0].0 = Some(served.serve(0));
    assert_eq!(place_in_the_end(&served, "cart-1").await, before);
}

#[tokio::test]
async fn a_timeline_that_cannot_be_remembered_is_said_in_one_sentence_and_can_be_done_without() {
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
