//! Clients that begin a request and do not finish it, on more connections than the program may have.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::program::{Answer, TIMEOUT, two_lines};
use crate::served::Served;

/// Limit of open files of the program: it leaves about 200 connections beside those of the store and of Stripe.
const OPEN_FILES: u32 = 512;
/// Number of simultaneous attackers of each kind.
const EACH: usize = 120;

const HALF_A_HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: sh";
const HALF_A_BODY: &[u8] = b"POST /api/v2/storefront/cart HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
    Content-Length: 500\r\n\r\n{";
const HALF_AN_EVENT: &[u8] = b"POST /webhooks/stripe HTTP/1.1\r\nHost: shop\r\nStripe-Signature: t=1,v1=00\r\n\
    Content-Length: 1000000\r\n\r\n";
const NO_SIGNATURE: &[u8] = b"POST /webhooks/stripe HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n";
const HUGE: &[u8] =
    b"POST /api/v2/storefront/cart HTTP/1.1\r\nHost: shop\r\nContent-Length: 10000000000\r\n\r\n{\"quantity\":";
const CHUNKED: &[u8] =
    b"POST /api/v1/shop/orders HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
const WHOLE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n";

/// An attack by half a request.
#[derive(Clone, Copy)]
struct Attack {
    name: &'static str,
    /// Bytes sent at once.
    first: &'static [u8],
    /// Number of bytes sent after `first`.
    more_bytes: usize,
    /// Whether the client then sends a byte every half second.
    drips: bool,
}

const ATTACKS: [Attack; 8] = [
    Attack { name: "half a head", first: HALF_A_HEAD, more_bytes: 0, drips: false },
    Attack { name: "a dripped head", first: HALF_A_HEAD, more_bytes: 0, drips: true },
    Attack { name: "half a body", first: HALF_A_BODY, more_bytes: 0, drips: false },
    Attack { name: "a dripped body", first: HALF_A_BODY, more_bytes: 0, drips: true },
    Attack { name: "900 kB of an event", first: HALF_AN_EVENT, more_bytes: 900_000, drips: false },
    Attack { name: "900 kB without a signature", first: NO_SIGNATURE, more_bytes: 900_000, drips: false },
    Attack { name: "a length of 10 GB", first: HUGE, more_bytes: 0, drips: true },
    Attack { name: "an endless chunked body", first: CHUNKED, more_bytes: 0, drips: true },
];

/// Runs an attack, and returns its name and the answer: a status, or `closed` if the connection was closed.
async fn attack(address: String, attack: Attack) -> (&'static str, String) {
    let outcome = async {
        let mut socket = TcpStream::connect(address).await.ok()?;
        socket.write_all(attack.first).await.ok()?;
        for _ in 0..attack.more_bytes / 10_000 {
            socket.write_all(&[b'x'; 10_000]).await.ok()?;
        }
        let mut answer = Vec::new();
        loop {
            match timeout(Duration::from_millis(500), socket.read_buf(&mut answer)).await {
                Ok(Ok(0) | Err(_)) => break,
                Err(_) if attack.drips => drop(socket.write_all(b"x").await),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = outcome.await.unwrap_or_default();
    let status = answer.split(' ').nth(1).map_or_else(|| "closed".to_owned(), str::to_owned);
    (attack.name, status)
}

/// Maximum of connections that one request of another client may lose to new connections of the attackers.
const DISPLACED_MAX: usize = 10;

/// Checks health and places orders until `until`, and returns the number of answers.
async fn serves_others(served: &Served, until: impl Fn() -> bool) -> usize {
    let mut answered = 0;
    while !until() {
        let health =
            answered_after_displacements(|http| http.get(format!("http://{}/healthz", served.address(0)))).await;
        assert_eq!(health.status, 200, "{health:?}");
        let key = format!("others-{answered}");
        let placed = answered_after_displacements(|http| {
            let order = http.post(format!("http://{}/api/v1/shop/orders", served.address(0)));
            let order = order.header("x-api-key", &served.key).header("idempotency-key", &key);
            order.header("content-type", "application/json").body(two_lines().to_string())
        });
        let placed = placed.await;
        assert_eq!(placed.status, 201, "{placed:?}");
        answered += 2;
        sleep(Duration::from_millis(50)).await;
    }
    answered
}

/// Sends a request on a new connection, as of a client that comes during the attack. While it sends its request, more
/// connections than the program may have can arrive: then it is closed for them, and the client tries again.
async fn answered_after_displacements(request: impl Fn(&Client) -> RequestBuilder) -> Answer {
    let mut displaced = 0;
    loop {
        let http = Client::builder().timeout(TIMEOUT).no_proxy().pool_max_idle_per_host(0).build().unwrap();
        match request(&http).send().await {
            Ok(response) => return Answer::of(response).await,
            Err(error) if error.is_timeout() || displaced == DISPLACED_MAX => {
                panic!("{displaced} times closed: {error:?}")
            }
            Err(_) => displaced += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_requests_are_ended_and_do_not_block_others() {
    let mut served = Served::start("sqlite:orders.db", 1, false, "0").await;
    served.replicas[0].0.take().unwrap().terminate();
    let process = served.serve_with_open_files(0, OPEN_FILES);
    let mut attackers = JoinSet::new();
    for kind in ATTACKS {
        for _ in 0..EACH {
            attackers.spawn(attack(served.address(0), kind));
        }
    }
    let mut told: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let left = std::sync::atomic::AtomicUsize::new(attackers.len());
    let gather = async {
        while let Some(one) = attackers.join_next().await {
            *told.entry(one.unwrap()).or_default() += 1;
            left.store(attackers.len(), std::sync::atomic::Ordering::Relaxed);
        }
    };
    let is_over = || left.load(std::sync::atomic::Ordering::Relaxed) == 0;
    let ((), answered) = tokio::join!(gather, serves_others(&served, is_over));
    println!("{} attackers, {answered} requests of others answered meanwhile", ATTACKS.len() * EACH);
    for ((kind, status), many) in &told {
        println!("{kind}: {status} {many} times");
    }
    let of = |kind, status: &str| told.get(&(kind, status.to_owned())).copied().unwrap_or_default();
    assert!(of("a length of 10 GB", "413") > 0 && of("900 kB without a signature", "400") > 0, "{told:?}");
    assert_eq!(
        told.keys().filter(|(_, it)| !["closed", "400", "401", "408", "413", "503"].contains(&it.as_str())).count(),
        0,
        "{told:?}"
    );
    assert!(!process.logged().contains("panicked"), "{}", process.logged());

    // A client that is not displaced gets an answer: all of those before may have been.
    let slow = ATTACKS.iter().filter(|it| ["half a head", "half a body"].contains(&it.name));
    for (kind, status) in futures_util::future::join_all(slow.map(|it| attack(served.address(0), *it))).await {
        assert_eq!(status, "408", "{kind}");
    }

    // A stop does not wait for half-sent requests.
    let held: Vec<_> = (0..100).map(|_| TcpStream::connect(served.address(0))).collect();
    let mut held: Vec<_> = futures_util::future::join_all(held).await.into_iter().map(Result::unwrap).collect();
    for (n, socket) in held.iter_mut().enumerate() {
        let first = [HALF_A_HEAD, HALF_A_BODY, HALF_AN_EVENT, WHOLE][n % 4];
        socket.write_all(first).await.unwrap();
    }
    assert_eq!(spawn_blocking(|| process.terminate()).await.unwrap(), Some(0));
}

#[tokio::test]
async fn the_head_of_a_second_request_has_a_deadline_too() {
    let mut served = Served::start("sqlite:orders.db", 1, false, "0").await;
    let process = served.replicas[0].0.take().unwrap();
    let mut socket = TcpStream::connect(served.address(0)).await.unwrap();
    socket.write_all(WHOLE).await.unwrap();
    let mut told = [0; 4096];
    assert!(socket.read(&mut told).await.unwrap() > 0);
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < TIMEOUT * 4, "the connection is kept although its head is dripped");
        let is_written = socket.write_all(b"G").await.is_ok();
        match timeout(Duration::from_millis(500), socket.read(&mut told)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) | Err(_) if !is_written => break,
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    drop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_do_not_delay_those_of_other_clients() {
    const CONNECTIONS: usize = 50;
    const REQUESTS: usize = 600;
    let mut served = Served::start("sqlite:orders.db", 1, false, "0").await;
    let process = served.replicas[0].0.take().unwrap();
    let path = "/api/v2/storefront/checkout/payment_methods";
    let requests = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n").repeat(REQUESTS);
    let mut sockets = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut socket = TcpStream::connect(served.address(0)).await.unwrap();
        socket.write_all(requests.as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    let answered = || process.logged().lines().filter(|it| it.contains(path)).count();
    let mut most = 0;
    for _ in 0..5 {
        let before = answered();
        let once = std::sync::atomic::AtomicBool::new(false);
        serves_others(&served, || once.swap(true, std::sync::atomic::Ordering::Relaxed)).await;
        most = most.max(answered() - before);
    }
    let all = CONNECTIONS * REQUESTS;
    println!("of {all} requests sent at once {most} were answered during one sale of others at most");
    // If each connection were answered completely before the next, a sale would wait for nearly all of them.
    assert!(most < all / 4, "{most}");
    drop(sockets);
    assert_eq!(spawn_blocking(|| process.terminate()).await.unwrap(), Some(0));
}
