//! A load balancer that checks the health of the processes behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::net::{TcpListener, TcpStream};

use crate::program::TIMEOUT;
use crate::served::Served;

const CHECK_EVERY: Duration = Duration::from_millis(200);

/// A process behind the load balancer.
pub(crate) struct Backend {
    address: String,
    /// Whether `/readyz` was 200 at the last check.
    ready: AtomicBool,
    pub(crate) connections: AtomicUsize,
}

/// A load balancer of TCP connections: round robin over the backends that are ready. It never tries another one.
pub(crate) struct Balancer {
    pub(crate) backends: Vec<Backend>,
    next: AtomicUsize,
}

impl Balancer {
    pub(crate) async fn start(served: &Served) -> (Arc<Self>, SocketAddr) {
        let address = |api: &str| api.trim_start_matches("http://").trim_end_matches("/api/v1/shop").to_owned();
        let backends = served.replicas.iter().map(|it| Backend {
            address: address(&it.1),
            ready: AtomicBool::default(),
            connections: AtomicUsize::default(),
        });
        let balancer = Arc::new(Self { backends: backends.collect(), next: AtomicUsize::default() });
        for n in 0..balancer.backends.len() {
            tokio::spawn(Arc::clone(&balancer).check(n));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = Arc::clone(&balancer);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).forward(client));
            }
        });
        (balancer, address)
    }

    async fn check(self: Arc<Self>, n: usize) {
        let backend = &self.backends[n];
        loop {
            let ready = client_without_keep_alive().get(format!("http://{}/readyz", backend.address)).send().await;
            backend.ready.store(ready.is_ok_and(|it| it.status() == 200), Ordering::SeqCst);
            tokio::time::sleep(CHECK_EVERY).await;
        }
    }

    /// Forwards a connection; drops it if no backend is ready or the chosen backend refuses it.
    async fn forward(self: Arc<Self>, mut client: TcpStream) {
        let ready: Vec<_> = self.backends.iter().filter(|it| it.ready.load(Ordering::SeqCst)).collect();
        if ready.is_empty() {
            return;
        }
        let backend = ready[self.next.fetch_add(1, Ordering::SeqCst) % ready.len()];
        backend.connections.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut server) = TcpStream::connect(&backend.address).await {
            drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
        }
    }

    /// Waits until the health checks find the `n`th process to be `ready`.
    pub(crate) async fn is(&self, n: usize, ready: bool) {
        let begun = Instant::now();
        while self.backends[n].ready.load(Ordering::SeqCst) != ready {
            assert!(begun.elapsed() < TIMEOUT, "the load balancer does not find process {n} to be ready={ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A client that opens a new connection for each request.
pub(crate) fn client_without_keep_alive() -> Client {
    Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(0).no_proxy().build().unwrap()
}
