//! The stop of a process: first `/readyz`, then the listener, then requests and tasks under way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::program::{Answer, Process, TIMEOUT, answer, run, two_lines};
use crate::served::Served;

/// One process on a SQLite file, which drains for `seconds`.
async fn served(seconds: u32) -> (Served, Process) {
    let drain = format!("http.drain_seconds = {seconds}");
    let mut served = Served::start_with("sqlite:orders.db", 1, false, "0", &drain).await;
    let process = served.replicas[0].0.take().unwrap();
    (served, process)
}

impl Served {
    fn at(&self, path: &str) -> String {
        self.replicas[0].1.replace("/api/v1/shop", path)
    }

    /// A request to place an order, on a new connection.
    fn placement(&self) -> RequestBuilder {
        let place = fresh().post(format!("{}/orders", self.replicas[0].1)).header("x-api-key", &self.key);
        place.header("content-type", "application/json").body(two_lines().to_string())
    }

    async fn is_draining(&self) -> Answer {
        let begun = Instant::now();
        loop {
            let ready = answer(fresh().get(self.at("/readyz"))).await;
            if ready.status != 200 {
                return ready;
            }
            assert!(begun.elapsed() < TIMEOUT, "it does not say that it stops");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_closed(&self) {
        let begun = Instant::now();
        while fresh().get(self.at("/healthz")).send().await.is_ok() {
            assert!(begun.elapsed() < TIMEOUT, "it still listens");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A client without open connections.
fn fresh() -> Client {
    Client::builder().timeout(TIMEOUT).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_draining_process_serves_new_connections_until_a_second_signal() {
    // Longer than any test waits: only the second signal can end the drain.
    let (served, process) = served(300).await;
    assert_eq!(answer(fresh().get(served.at("/readyz"))).await.status, 200);
    let before = served.placement().send().await.unwrap();
    assert!(!before.headers().contains_key("connection"), "connections are kept while it serves");

    process.signal("-TERM");
    let ready = served.is_draining().await;
    assert_eq!((ready.status, ready.code()), (503, "shutting_down"));
    assert_eq!(answer(fresh().get(served.at("/healthz"))).await.status, 200);
    let placed = served.placement().send().await.unwrap();
    assert_eq!((placed.status().as_u16(), &placed.headers()["connection"]), (201, &"close".parse().unwrap()));

    process.signal("-INT");
    assert_eq!(spawn_blocking(|| process.ended()).await.unwrap(), Some(0));
    served.is_closed().await;
}

#[tokio::test]
async fn the_listener_closes_after_the_drain() {
    let (served, process) = served(1).await;
    process.signal("-TERM");
    served.is_closed().await;
    assert_eq!(spawn_blocking(|| process.ended()).await.unwrap(), Some(0));
}

/// A connection on which one request was answered.
fn kept_alive(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_up_to(&mut stream, "}");
    stream
}

fn read_up_to(stream: &mut TcpStream, end: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
}

fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn idle_and_half_sent_requests_do_not_delay_a_stop() {
    let (served, process) = served(0).await;
    let address = served.at("").replace("http://", "");
    let (idle, mut half_a_head, mut half_a_body) = (kept_alive(&address), kept_alive(&address), kept_alive(&address));
    half_a_head.write_all(b"POST /api/v1/shop/orders HTTP/1.1\r\nHost: x\r\nX-API-").unwrap();
    let head = format!(
        "POST /api/v1/shop/orders HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 500\r\nExpect: 100-continue\r\n\r\n",
        served.key
    );
    half_a_body.write_all(head.as_bytes()).unwrap();
    read_up_to(&mut half_a_body, "100 Continue\r\n\r\n");
    half_a_body.write_all(b"{\"currency\": ").unwrap();

    assert_eq!(spawn_blocking(|| process.terminate()).await.unwrap(), Some(0), "within the patience of a test");
    assert_eq!(rest(idle), "");
    assert_eq!(rest(half_a_head), "");
    let answered = rest(half_a_body);
    let (head, body) = answered.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answered}"));
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("connection: close"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], "shutting_down", "{body}");
}

#[tokio::test]
async fn the_health_command_fails_for_a_stopping_and_for_a_missing_process() {
    let (served, process) = served(300).await;
    let folder = tempfile::TempDir::new().unwrap();
    // As in a container, where the process listens on all addresses.
    let bind = served.at("").replace("http://127.0.0.1", "0.0.0.0");
    let health = || run(&["health"], &[("PAYWRIGHT__HTTP__BIND", bind.as_str())], folder.path());
    let (ready, printed, said) = health();
    assert!(ready && printed.contains("\"ready\""), "{printed}{said}");
    process.signal("-TERM");
    served.is_draining().await;
    let (ready, _, said) = health();
    assert!(!ready && said.contains("/readyz answers 503") && said.contains("shutting_down"), "{said}");
    drop(process);
    let (ready, _, said) = health();
    assert!(!ready && said.contains("no answer from http://127.0.0.1"), "{said}");
    let (ready, _, said) = run(&["health", "--bind", "here"], &[], folder.path());
    assert!(!ready && said.contains("--bind must be a host and a port, like 127.0.0.1:8080"), "{said}");
}
