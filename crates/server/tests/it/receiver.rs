//! Another program of the shop, which receives webhooks. It verifies each with the library of Standard Webhooks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::program::TIMEOUT;

/// A receiver of webhooks.
#[derive(Default)]
pub(crate) struct Receiver {
    /// Accepted events, in the order of their arrival, repetitions included.
    accepted: Mutex<Vec<Value>>,
    /// Secrets with which a webhook is accepted.
    pub(crate) secrets: Mutex<Vec<String>>,
    /// Number of webhooks that no secret verifies.
    pub(crate) forged: AtomicUsize,
    /// Whether a webhook is accepted whatever its signature.
    pub(crate) accepts_all: AtomicBool,
    /// Whether every webhook is answered with 503.
    pub(crate) is_down: AtomicBool,
    /// Every webhook whose number is divisible by this is not answered; 0 answers all.
    pub(crate) drops_every: AtomicUsize,
    seen: AtomicUsize,
}

impl Receiver {
    /// Starts a receiver. Returns it with its URL.
    pub(crate) async fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let receiver = Arc::<Self>::default();
        let accepting = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).answer(stream));
            }
        });
        (receiver, url)
    }

    async fn answer(self: Arc<Self>, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut headers, mut line) = (http::HeaderMap::new(), String::new());
            stream.read_line(&mut line).await.ok().filter(|it| *it > 0)?;
            loop {
                line.clear();
                stream.read_line(&mut line).await.ok()?;
                let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                let name: http::HeaderName = name.parse().ok()?;
                headers.insert(name, value.parse().ok()?);
            }
            let length = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let status = self.judge(&headers, &body)?;
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// Status of the answer; `None` drops the connection after the event was accepted.
    fn judge(&self, headers: &http::HeaderMap, body: &[u8]) -> Option<u16> {
        if self.is_down.load(Ordering::SeqCst) {
            return Some(503);
        }
        let is_verified = |it: &String| Webhook::new(it).is_ok_and(|secret| secret.verify(body, headers).is_ok());
        if !self.accepts_all.load(Ordering::SeqCst) && !self.secrets.lock().unwrap().iter().any(is_verified) {
            self.forged.fetch_add(1, Ordering::SeqCst);
            return Some(400);
        }
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(headers["webhook-id"].to_str().unwrap(), event["id"].as_str().unwrap());
        self.accepted.lock().unwrap().push(event);
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let every = self.drops_every.load(Ordering::SeqCst);
        (every == 0 || !seen.is_multiple_of(every)).then_some(204)
    }

    /// Accepted events, in the order of their arrival.
    pub(crate) fn accepted(&self) -> Vec<Value> {
        self.accepted.lock().unwrap().clone()
    }

    /// Types of the accepted events.
    pub(crate) fn types(&self) -> Vec<String> {
        self.accepted().iter().map(|it| it["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the accepted events are as expected.
    pub(crate) async fn until(&self, what: &str, expected: impl Fn(&[Value]) -> bool) {
        let begun = Instant::now();
        while !expected(&self.accepted.lock().unwrap()) {
            assert!(begun.elapsed() < TIMEOUT, "{what}: {:?}", self.types());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
