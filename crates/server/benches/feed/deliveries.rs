//! A backlog of webhooks, delivered to one receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::TASKS;
use crate::rig::{self, ORDER, Running, Shop};

/// Number of events in the backlog.
const BACKLOG: u64 = 20_000;
/// Requests in flight of the plain HTTP client.
const IN_FLIGHT: usize = 64;

pub(crate) fn head() {
    println!("\n{:<12} {:>14} {:>14} {:>7}", "store", "floor /s", "delivered /s", "ratio");
}

/// Places orders while an endpoint is disabled, enables it, and measures the rate at which it receives the events.
pub(crate) async fn measure(name: &str, database: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let received = Arc::new(AtomicU64::new(0));
    tokio::spawn(receive(listener, Arc::clone(&received)));
    let twin = Running::twin(0);
    let more = format!(
        "webhooks.secret_key = \"{}\"\nwebhooks.allow_http = true\nwebhooks.allowed_networks = \"127.0.0.1\"",
        "w".repeat(32)
    );
    let shop = Shop::open(database, &twin.address, &more);
    let id = shop.command(&["webhooks", "create", &url]).split_whitespace().next().unwrap().to_owned();
    shop.command(&["webhooks", "disable", &id]);
    let server = Arc::new(shop.serve().0);
    let make = |it: &rig::Server, n: u64| (n < BACKLOG).then(|| it.request("POST", "/api/v1/shop/orders", "", ORDER));
    server.load(TASKS, 600, 201, make).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let floor = floor(&url, &received).await;
    received.store(0, Ordering::Relaxed);
    shop.command(&["webhooks", "enable", &id]);
    let mut begun = Instant::now();
    while received.load(Ordering::Relaxed) < BACKLOG {
        if received.load(Ordering::Relaxed) == 0 {
            begun = Instant::now();
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{} arrived", received.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let delivered = BACKLOG as f64 / begun.elapsed().as_secs_f64();
    println!("{name:<12} {floor:>14.0} {delivered:>14.0} {:>7.2}", delivered / floor);
}

/// Rate at which a plain HTTP client sends requests of the same size to the receiver.
async fn floor(url: &str, received: &Arc<AtomicU64>) -> f64 {
    received.store(0, Ordering::Relaxed);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = "x".repeat(1200);
    let begun = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (client, url, body, received) = (client.clone(), url.to_owned(), body.clone(), Arc::clone(received));
            tokio::spawn(async move {
                while received.load(Ordering::Relaxed) < BACKLOG {
                    client.post(&url).body(body.clone()).send().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    received.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Accepts every webhook.
async fn receive(listener: TcpListener, received: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            let (mut stream, mut line, mut body) = (BufReader::new(stream), String::new(), Vec::new());
            loop {
                let mut length = 0;
                loop {
                    line.clear();
                    if stream.read_line(&mut line).await.ok().is_none_or(|it| it == 0) {
                        return;
                    }
                    let lower = line.to_ascii_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.trim_end().is_empty() {
                        break;
                    }
                }
                body.resize(length, 0);
                stream.read_exact(&mut body).await.unwrap();
                received.fetch_add(1, Ordering::Relaxed);
                if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                    return;
                }
            }
        });
    }
}
