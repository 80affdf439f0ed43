//! Shared code of the benchmarks: the built program under a closed-loop load. N connections each send the next request
//! when the last one is answered, for some seconds per row. The client does as little work as possible, because it runs
//! on the same cores.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const ORDER: &str = r#"{"currency":"usd","customer":"cus-ada","line_items":[
    {"name":"Main product 2","amount":5600,"quantity":2},{"name":"Leash","amount":1250,"quantity":1}]}"#;

/// Duration of a row in seconds: `SECONDS_A_ROW`, or 5.
pub(crate) fn seconds_a_row() -> u64 {
    std::env::var("SECONDS_A_ROW").ok().and_then(|it| it.parse().ok()).unwrap_or(5)
}

/// Runs a benchmark; with `cargo test --benches`, which only checks that it builds, does nothing.
pub(crate) fn run(benchmark: impl Future<Output = ()>) {
    if std::env::args().any(|it| it == "--bench") {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(benchmark);
    }
}

fn paywright(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paywright"));
    command.args(arguments).current_dir(folder).stderr(Stdio::null());
    // The cost of a log line for each request is part of the measurement.
    command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into()));
    command
}

/// A process that is killed when this value is dropped, and the address that it printed.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|it| it.strip_prefix("http://"));
        let address = address.expect("it says where it listens").trim_end_matches(';').to_owned();
        Self { child, address }
    }

    /// Starts a stand-in for Stripe with a delay for each answer.
    pub(crate) fn twin(latency_ms: u64) -> Self {
        Self::start(paywright(&std::env::temp_dir(), &["twin", "--port", "0", "--latency-ms", &latency_ms.to_string()]))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A shop: its settings file, an API key and a customer's token.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    pub(crate) key: String,
    pub(crate) token: String,
}

impl Shop {
    /// Creates a shop; `more` are further lines of the settings file.
    pub(crate) fn open(database: &str, twin: &str, more: &str) -> Self {
        // On the disk with the build directory, not in memory, so that commits have their real cost.
        let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = format!(
            "database.url = \"{database}\"\nstripe.api_base = \"http://{twin}\"\nstripe.secret_key = \"sk_test_x\"\n\
             stripe.endpoint_per_second = 0\nstripe.account_per_second = 0\nauth.token_secret = \"{}\"\n{more}\n",
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

    /// Runs a command with the settings of this shop, and returns what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        String::from_utf8(paywright(self.folder.path(), arguments).output().unwrap().stdout).unwrap()
    }

    /// Starts a command with the settings of this shop and these of the environment; what it prints can be read.
    pub(crate) fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
        let mut command = paywright(self.folder.path(), arguments);
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Starts the server, and returns it with the time until it accepted the first connection.
    pub(crate) fn serve(&self) -> (Server, Duration) {
        let begun = Instant::now();
        let running = Running::start(paywright(self.folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
        while std::net::TcpStream::connect(&running.address).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let head = format!(
            "host: {}\r\nx-api-key: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
            running.address, self.key, self.token
        );
        (Server { running, head, spread: Duration::ZERO }, begun.elapsed())
    }
}

/// A program under load.
pub(crate) struct Server {
    running: Running,
    /// Headers of every request.
    head: String,
    /// Period over which the connections begin, one after the other: if all began together and waited equally long for
    /// a slow answer, they would stay synchronized.
    pub(crate) spread: Duration,
}

impl Server {
    /// Starts the stand-in for Stripe as the program under load.
    pub(crate) fn twin(latency_ms: u64) -> Self {
        let running = Running::twin(latency_ms);
        let head = format!(
            "host: {}\r\nauthorization: Bearer sk_test_x\r\ncontent-type: application/x-www-form-urlencoded\r\n",
            running.address
        );
        Self { running, head, spread: Duration::from_millis(latency_ms) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.running.address
    }
    pub(crate) fn request(&self, method: &str, path: &str, more: &str, body: &str) -> Vec<u8> {
        let (head, bytes) = (&self.head, body.len());
        format!("{method} {path} HTTP/1.1\r\n{head}{more}content-length: {bytes}\r\n\r\n{body}").into_bytes()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// Resident memory in MB: current and peak.
    pub(crate) fn resident(&self) -> (f64, f64) {
        resident(self.pid())
    }

    /// Sends the requests of `make` repeatedly from `connections` connections, until the row's time is over or `make`
    /// returns `None`.
    pub(crate) async fn load(
        self: &Arc<Self>,
        connections: usize,
        seconds: u64,
        expected: u16,
        make: impl Fn(&Self, u64) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Row {
        let (counter, make) = (Arc::new(AtomicU64::new(0)), Arc::new(make));
        let ticks = ticks_of(self.pid());
        let begun = Instant::now();
        let end = begun + Duration::from_secs(seconds);
        let mut tasks = Vec::new();
        for n in 0..connections {
            let (this, counter, make) = (Arc::clone(self), Arc::clone(&counter), Arc::clone(&make));
            let wait = self.spread.mul_f64(n as f64 / connections as f64);
            let mut stream = TcpStream::connect(&self.running.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            tasks.push(tokio::spawn(async move {
                let (mut times, mut answers, mut buffer) = (Vec::new(), Vec::new(), Vec::with_capacity(8192));
                tokio::time::sleep(wait).await;
                while Instant::now() < end {
                    let Some(request) = make(&this, counter.fetch_add(1, Ordering::Relaxed)) else { break };
                    let sent = Instant::now();
                    stream.write_all(&request).await.unwrap();
                    let status = answer(&mut stream, &mut buffer).await;
                    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&buffer));
                    times.push(sent.elapsed());
                    if answers.len() < 4096 {
                        answers.push(String::from_utf8_lossy(&buffer).into_owned());
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
        let elapsed = begun.elapsed();
        times.sort();
        let count = times.len().max(1) as f64;
        let at = |share: f64| times[((count - 1.0) * share) as usize].as_secs_f64() * 1000.0;
        let cpu = (ticks_of(self.pid()) - ticks) as f64 * MICROS_A_TICK / count;
        Row { rate: count / elapsed.as_secs_f64(), count, p50: at(0.5), p99: at(0.99), cpu, answers }
    }
}

/// Resident memory of a process in MB: current and peak. Zero if it has ended.
pub(crate) fn resident(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap_or("0").trim();
        line.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    (megabytes("VmRSS:"), megabytes("VmHWM:"))
}

/// Reads one answer into `buffer`, and returns its status.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server hung up");
        let Some(end) = buffer.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap_or("0");
        let whole = end + 4 + length.parse::<usize>().unwrap();
        if buffer.len() >= whole {
            return head[9..12].parse().unwrap();
        }
    }
}

/// Measurements of a row.
pub(crate) struct Row {
    pub(crate) rate: f64,
    pub(crate) count: f64,
    /// Median latency in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of the server's CPU time for one request.
    pub(crate) cpu: f64,
    pub(crate) answers: Vec<String>,
}

impl Row {
    /// Numbers of the orders in the answers.
    pub(crate) fn numbers(&self) -> Vec<String> {
        let number = |answer: &String| {
            let start = answer.find("\"number\":\"").map(|it| it + 10)?;
            answer.get(start..start + 19).map(str::to_owned)
        };
        self.answers.iter().filter_map(number).collect()
    }
}

/// Microseconds of a tick, the kernel's unit of CPU time: 10 ms.
pub(crate) const MICROS_A_TICK: f64 = 10_000.0;

/// The CPU time of a process in ticks.
pub(crate) fn ticks_of(pid: u32) -> u64 {
    stat(pid).map_or(0, |it| it[11] + it[12])
}

/// The numbers of `/proc/PID/stat` after the name and the state, from the third field on.
pub(crate) fn stat(pid: u32) -> Option<Vec<u64>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let numbers = stat.rsplit(") ").next()?.split_whitespace().map(|it| it.parse().unwrap_or(0));
    Some(numbers.collect())
}
