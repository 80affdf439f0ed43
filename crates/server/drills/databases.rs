//! PostgreSQL that crashes, refuses writes, hangs, or moves to another server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;

use crate::report::Outcome;
use crate::shop::{Shop, blocking, pause};

const CRASHES: usize = 30;
const UNCONFIRMED: usize = 12;
const READ_ONLY: usize = 6;
const FREEZES: [u64; 5] = [3, 8, 12, 3, 8];
const PROMOTIONS: usize = 6;

fn started(cluster: Cluster) -> Arc<Cluster> {
    cluster.start();
    Arc::new(cluster)
}

pub(crate) async fn crash() -> Outcome {
    let cluster = started(Cluster::of_one_test(&[]));
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    shop.load().await;
    for _ in 0..CRASHES {
        pause(500..=1500).await;
        blocking(&cluster, |it| it.stop("immediate")).await;
        pause(0..=1500).await;
        blocking(&cluster, Cluster::start).await;
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

/// Commits that wait for the standby when the server crashes are made, but were not answered: "nothing was changed"
/// would be untrue.
pub(crate) async fn crash_unconfirmed() -> Outcome {
    let primary = started(Cluster::of_one_test(&["wal_retrieve_retry_interval = 200ms"]));
    let standby = started(Cluster::standby_of(&primary));
    wait_for_the_standby(&primary).await;
    let mut shop = Shop::open(&primary.url("postgres"), 2, true, "").await;
    shop.load().await;
    for _ in 0..UNCONFIRMED {
        pause(500..=1500).await;
        standby.signal("-STOP");
        pause(200..=800).await;
        blocking(&primary, |it| it.stop("immediate")).await;
        standby.signal("-CONT");
        blocking(&primary, Cluster::start).await;
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

pub(crate) async fn read_only() -> Outcome {
    let cluster = started(Cluster::of_one_test(&[]));
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    shop.load().await;
    for _ in 0..READ_ONLY {
        pause(1000..=2000).await;
        for (value, hold) in [("on", 3000), ("off", 0)] {
            admin.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).await.unwrap();
            admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
            pause(hold..=hold).await;
        }
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

pub(crate) async fn freeze() -> Outcome {
    let cluster = started(Cluster::of_one_test(&[]));
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    shop.load().await;
    for seconds in FREEZES {
        pause(1000..=2000).await;
        cluster.signal("-STOP");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        cluster.signal("-CONT");
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

pub(crate) async fn promotion() -> Outcome {
    let mut primary = started(Cluster::of_one_test(&[]));
    let mut standby = started(Cluster::standby_of(&primary));
    wait_for_the_standby(&primary).await;
    let host = |it: &Cluster| it.host().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres://postgres@{},{}/postgres", host(&primary), host(&standby));
    let mut shop = Shop::open(&url, 2, true, "").await;
    shop.load().await;
    for _ in 0..PROMOTIONS {
        pause(2000..=3000).await;
        blocking(&primary, |it| it.stop("immediate")).await;
        blocking(&standby, Cluster::promote).await;
        shop.recovered(Instant::now()).await;
        std::mem::swap(&mut primary, &mut standby);
        // The crashed server returns as the standby of the promoted one.
        let leading = Arc::clone(&primary);
        blocking(&standby, move |it| it.follow(&leading)).await;
        blocking(&standby, Cluster::start).await;
        wait_for_the_standby(&primary).await;
    }
    shop.count().await
}

/// Turns on synchronous replication: from then on a commit is acknowledged when the standby has it.
async fn wait_for_the_standby(primary: &Cluster) {
    let admin = connect(&primary.url("postgres")).await;
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
        admin.batch_execute(sql).await.unwrap();
    }
    let (begun, there) = (Instant::now(), "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'");
    while admin.query_one(there, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begun.elapsed() < crate::program::TIMEOUT, "the standby does not follow: {}", primary.logged());
        pause(50..=50).await;
    }
}
