//! A closed-loop load on the built program: `serve` beside a `twin`, and N connections that each send the next
//! request when the last is answered, for some seconds a row.
//!
//! Each row stands beside its floor in the same run: `GET /healthz`, which costs HTTP alone. Figures of two
//! machines cannot be compared, the ratios to the floor can.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints ratios, and one that cannot run fails"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const ORDER: &str = r#"{"currency":"usd","customer":"cus-ada","line_items":[
    {"name":"Main product 2","amount":5600,"quantity":2},{"name":"Leash","amount":1250,"quantity":1}]}"#;

/// A settings file, a key and a token for a shop of its own.
struct Shop {
    folder: tempfile::TempDir,
    key: String,
    token: String,
}

fn paywright(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paywright"));
    command.args(arguments).current_dir(folder).stderr(Stdio::null());
    // Writing a line for each request is part of what a server does, though nobody reads it here.
    command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into()));
    command
}

/// Starts a program that listens, and gives the address that it prints.
fn listening(mut command: Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find_map(|it| it.strip_prefix("http://"));
    let address = address.expect("it says where it listens").trim_end_matches(';').to_owned();
    (child, address)
}

impl Shop {
    fn open(twin: &str) -> Self {
        // On the disk that the program is built on, not in memory: a commit is to cost what it costs.
        let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = format!(
            "database.url = \"sqlite:orders.db\"\nstripe.api_base = \"http://{twin}\"\n\
             stripe.secret_key = \"sk_test_x\"\nauth.token_secret = \"{}\"\n",
            "s".repeat(32)
        );
        std::fs::write(folder.path().join("paywright.toml"), settings).unwrap();
        let said = |arguments: &[&str]| {
            String::from_utf8(paywright(folder.path(), arguments).output().unwrap().stdout).unwrap()
        };
        let key = said(&["keys", "create", "--name", "load", "--scope", "orders:read", "--scope", "orders:write"]);
        let key = key.lines().find(|it| it.starts_with("pwk_")).expect("a key").to_owned();
        let token = said(&["token", "--customer", "cus-ada"]).trim().to_owned();
        Self { folder, key, token }
    }
}

/// The program under load.
struct Program {
    child: Child,
    address: String,
    key: String,
    token: String,
    ready_after: Duration,
}

impl Program {
    fn start(shop: &Shop) -> Self {
        let begun = Instant::now();
        let (child, address) = listening(paywright(shop.folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
        while std::net::TcpStream::connect(&address).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (key, token) = (shop.key.clone(), shop.token.clone());
        Self { child, address, key, token, ready_after: begun.elapsed() }
    }

    /// Resident memory in MB and CPU time in clock ticks, as the kernel has them.
    fn usage(&self) -> (f64, u64) {
        let proc = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap_or("0").trim();
        let kilobytes: f64 = resident.split_whitespace().next().unwrap_or("0").parse().unwrap_or(0.0);
        let stat = std::fs::read_to_string(format!("{proc}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        (kilobytes / 1024.0, ticks(11) + ticks(12))
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        send
    }

    fn request(&self, method: Method, path: &str, body: &'static str) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("x-api-key", &self.key)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body.as_bytes())))
            .unwrap()
    }

    /// Sends the same kind of request over and over from `connections` connections.
    async fn load(
        self: &Arc<Self>,
        connections: usize,
        seconds: u64,
        expected: StatusCode,
        make: impl Fn(&Self, u64) -> Option<Request<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Row {
        let (counter, make) = (Arc::new(AtomicU64::new(0)), Arc::new(make));
        let ticks = self.usage().1;
        let begun = Instant::now();
        let end = begun + Duration::from_secs(seconds);
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (this, counter, make) = (Arc::clone(self), Arc::clone(&counter), Arc::clone(&make));
            let mut connection = self.connect().await;
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                let mut answers = Vec::new();
                while Instant::now() < end {
                    let Some(request) = make(&this, counter.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    let sent = Instant::now();
                    let response = connection.send_request(request).await.unwrap();
                    assert_eq!(response.status(), expected);
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    times.push(sent.elapsed());
                    if answers.len() < 4096 {
                        answers.push(body);
                    }
                }
                (times, answers)
            }));
        }
        let (mut times, mut answers) = (Vec::new(), Vec::new());
        for task in tasks {
            let (some, bodies) = task.await.unwrap();
            times.extend(some);
            answers.extend(bodies);
        }
        times.sort();
        let cpu = (self.usage().1 - ticks) as f64 * 10_000.0 / times.len() as f64;
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        Row { rate, p50: at(0.5), p99: at(0.99), cpu, answers }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Row {
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of the server's CPU time for one request (its clock has ticks of 10 ms).
    cpu: f64,
    answers: Vec<Bytes>,
}

fn ids(row: &Row) -> Vec<String> {
    let id = |body: &Bytes| {
        let text = String::from_utf8_lossy(body);
        let start = text.find("\"number\":\"").map(|it| it + 10)?;
        text.get(start..start + 19).map(str::to_owned)
    };
    row.answers.iter().filter_map(id).collect()
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|it| it == "--bench") {
        return;
    }
    let seconds: u64 = std::env::var("SECONDS_A_ROW").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(run(seconds));
}

async fn run(seconds: u64) {
    let (mut twin_process, twin) = listening(paywright(&std::env::temp_dir(), &["twin", "--port", "0"]));
    let shop = Shop::open(&twin);
    let mut starts: Vec<(Duration, f64)> = (0..5)
        .map(|_| {
            let program = Program::start(&shop);
            std::thread::sleep(Duration::from_millis(300));
            (program.ready_after, program.usage().0)
        })
        .collect();
    starts.sort_by_key(|it| it.0);
    let (ready, idle) = starts[2];
    println!(
        "start to first connection, median of 5: {:.0} ms; resident when idle: {idle:.1} MB",
        ready.as_secs_f64() * 1000.0
    );
    println!(
        "{:<34} {:>5} {:>9} {:>8} {:>8} {:>9} {:>9}",
        "row", "conns", "req/s", "p50 ms", "p99 ms", "cpu us", "of floor"
    );
    let program = Arc::new(Program::start(&shop));
    for connections in [1, 16, 64] {
        let health = |it: &Program, _| Some(it.request(Method::GET, "/healthz", ""));
        let floor = program.load(connections, seconds, StatusCode::OK, health).await;
        let print = |name: &str, row: &Row| {
            println!(
                "{name:<34} {connections:>5} {:>9.0} {:>8.2} {:>8.2} {:>9.0} {:>9.2}",
                row.rate,
                row.p50,
                row.p99,
                row.cpu,
                row.rate / floor.rate
            );
        };
        print("floor: GET /healthz", &floor);
        let place = |it: &Program, _| Some(it.request(Method::POST, "/api/v1/shop/orders", ORDER));
        let placed = program.load(connections, seconds, StatusCode::CREATED, place).await;
        print("POST /orders, durable", &placed);
        let numbers = Arc::new(ids(&placed));
        let read = {
            let numbers = Arc::clone(&numbers);
            move |it: &Program, n: u64| {
                let number = &numbers[usize::try_from(n).unwrap() % numbers.len()];
                Some(it.request(Method::GET, &format!("/api/v1/shop/orders/{number}"), ""))
            }
        };
        print("GET /orders/{number}", &program.load(connections, seconds, StatusCode::OK, read).await);
        let intent = move |it: &Program, n: u64| {
            let number = numbers.get(usize::try_from(n).unwrap())?;
            Some(it.request(Method::POST, &format!("/api/v1/shop/orders/{number}/payment-intent"), ""))
        };
        print("POST payment-intent, twin at 0 ms", &program.load(connections, seconds, StatusCode::OK, intent).await);
    }
    println!("resident after all: {:.1} MB", program.usage().0);
    drop(twin_process.kill());
    drop(twin_process.wait());
}
