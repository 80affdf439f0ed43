//! Processes that are killed, frozen, restarted, or have a wrong clock.

use std::time::{Duration, Instant};

use paywright_testkit::Cluster;
use tokio::task::spawn_blocking;

use crate::balancer::{Balancer, client_without_keep_alive};
use crate::customer::Customer;
use crate::report::Outcome;
use crate::shop::{Shop, pause};

const KILLS: usize = 60;
/// Durations in seconds; the second is longer than a lease of this shop's worker.
const FREEZES: [u64; 2] = [5, 25];

pub(crate) async fn kill_on_sqlite() -> Outcome {
    kill(Shop::open("sqlite:orders.db", 1, true, "").await).await
}

pub(crate) async fn kill_on_postgres() -> Outcome {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    kill(Shop::open(&cluster.url("postgres"), 2, true, "").await).await
}

/// Kills and restarts one process after the other.
async fn kill(mut shop: Shop) -> Outcome {
    shop.load().await;
    for _ in 0..KILLS {
        pause(300..=1500).await;
        let n = fastrand::usize(..shop.processes.len());
        let killed = Instant::now();
        shop.kill(n).await;
        shop.serve(n).await;
        shop.recovered(killed).await;
    }
    shop.count().await
}

pub(crate) async fn freeze() -> Outcome {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    shop.load().await;
    for seconds in FREEZES {
        pause(1000..=2000).await;
        shop.signal(1, "-STOP");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        shop.signal(1, "-CONT");
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

/// Path of libfaketime, a library that changes the clock of a process.
fn faketime() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut files = folders.map(|it| it.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|it| it.exists())?.to_str().map(str::to_owned)
}

/// Changes at Stripe while the clock was wrong must be found without webhooks, by back-fill.
pub(crate) async fn clock() -> Outcome {
    let Some(library) = faketime() else {
        return Outcome::LeftOut("libfaketime is not installed (Debian: apt-get install faketime)".to_owned());
    };
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let mut shop = Shop::open(&cluster.url("postgres"), 2, false, "").await;
    shop.load().await;
    for _ in 0..3 {
        pause(1000..=2000).await;
        shop.kill(1).await;
        let ahead =
            [("LD_PRELOAD", library.clone()), ("FAKETIME", "+2d".into()), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into())];
        shop.serve_in(1, ahead.to_vec()).await;
        pause(5000..=5000).await;
        shop.kill(1).await;
        let ended = Instant::now();
        shop.serve(1).await;
        shop.recovered(ended).await;
    }
    shop.refund_at_the_dashboard(10).await;
    shop.count().await
}

pub(crate) async fn rolling_restart() -> Outcome {
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "http.drain_seconds = 3").await;
    let (balancer, address) = Balancer::start(&shop.served).await;
    for n in 0..2 {
        balancer.is(n, true).await;
    }
    let api = format!("http://{address}/api/v1/shop");
    shop.load_by(|it| Customer { http: client_without_keep_alive(), apis: vec![api.clone()], ..it }).await;
    for n in [0, 1, 0, 1] {
        shop.placed_more().await;
        let stopping = shop.processes[n].take().expect("it runs");
        let begun = Instant::now();
        assert_eq!(spawn_blocking(|| stopping.terminate()).await.unwrap(), Some(0));
        balancer.is(n, false).await;
        shop.recovered(begun).await;
        shop.placed_more().await;
        shop.serve(n).await;
        balancer.is(n, true).await;
    }
    shop.count_failures().await
}
