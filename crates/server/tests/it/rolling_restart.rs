//! A rolling restart behind a load balancer, in which no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paywright_testkit::postgres::Database;
use tokio::task::spawn_blocking;

use crate::balancer::{Balancer, client_without_keep_alive};
use crate::program::{TIMEOUT, two_lines};
use crate::served::Served;

const CLIENTS: usize = 6;
const DRAIN: &str = "http.drain_seconds = 3";
/// Minimum number of orders placed in each stage of the restart.
const PLACEMENTS: usize = 50;

/// Counts of the clients' requests.
#[derive(Default)]
struct Load {
    placed: AtomicUsize,
    done: AtomicBool,
}

impl Load {
    /// Places orders, each with one request, and returns the failures.
    async fn place(self: Arc<Self>, url: String, key: String) -> Vec<String> {
        let (http, mut failed) = (client_without_keep_alive(), Vec::new());
        while !self.done.load(Ordering::SeqCst) {
            let request = http.post(&url).header("x-api-key", &key).header("content-type", "application/json");
            match request.body(two_lines().to_string()).send().await {
                Ok(answer) if answer.status() == 201 => drop(self.placed.fetch_add(1, Ordering::SeqCst)),
                other => failed.push(format!("{other:?}")),
            }
        }
        failed
    }

    async fn more(&self) {
        let (begun, before) = (Instant::now(), self.placed.load(Ordering::SeqCst));
        while self.placed.load(Ordering::SeqCst) < before + PLACEMENTS {
            assert!(begun.elapsed() < TIMEOUT, "too little is placed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request() {
    let database = Database::empty().await;
    let mut served = Served::start_with(&database.url(), 2, false, "0", DRAIN).await;
    let mut processes: Vec<_> = served.replicas.iter_mut().map(|it| it.0.take().unwrap()).collect();
    let (balancer, address) = Balancer::start(&served).await;
    balancer.is(0, true).await;
    balancer.is(1, true).await;
    let (load, served) = (Arc::<Load>::default(), Arc::new(served));
    let url = format!("http://{address}/api/v1/shop/orders");
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(Arc::clone(&load).place(url.clone(), served.key.clone()))).collect();
    for n in 0..2 {
        load.more().await;
        let stopping = processes.remove(0);
        assert_eq!(spawn_blocking(|| stopping.terminate()).await.unwrap(), Some(0));
        balancer.is(n, false).await;
        load.more().await;
        let serving = Arc::clone(&served);
        processes.push(spawn_blocking(move || serving.serve(n)).await.unwrap());
        balancer.is(n, true).await;
    }
    load.more().await;
    load.done.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for client in clients {
        failed.extend(client.await.unwrap());
    }
    let placed = load.placed.load(Ordering::SeqCst);
    assert_eq!(failed, Vec::<String>::new(), "beside {placed} that were placed");
    let stored = database.client().await.query_one("SELECT count(*) FROM orders", &[]).await.unwrap();
    assert_eq!(usize::try_from(stored.get::<_, i64>(0)), Ok(placed), "each was placed once");
    for backend in &balancer.backends {
        assert!(backend.connections.load(Ordering::SeqCst) > PLACEMENTS, "both took their part");
    }
}
