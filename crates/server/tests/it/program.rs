//! Helpers that start the program and call it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::{Duration, Instant};

use paywright_testkit::openapi::{Exchange, OpenApi};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Timeout of every wait in these tests, much longer than any should take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paywright"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAYWRIGHT")) {
        command.env_remove(name);
    }
    command.env("PAYWRIGHT__DATABASE__TIMELINE_FILE", timeline_file(folder));
    command
}

/// File of timelines that keeps tests away from that of an installation on this machine; none before a pooler, which has none.
fn timeline_file(folder: &Path) -> PathBuf {
    let settings = std::fs::read_to_string(folder.join("paywright.toml")).unwrap_or_default();
    if settings.contains("transaction_pooling = true") { PathBuf::new() } else { folder.join("timeline.json") }
}

/// As [`command`], with a limit of open files.
pub(crate) fn command_with_open_files(open_files: u32, arguments: &[&str], folder: &Path) -> Command {
    let limit = format!("--nofile={open_files}:{open_files}");
    let mut limited = Command::new("prlimit");
    limited.arg(limit).arg(env!("CARGO_BIN_EXE_paywright")).args(arguments).current_dir(folder).stdin(Stdio::null());
    limited.env("PAYWRIGHT__DATABASE__TIMELINE_FILE", timeline_file(folder));
    limited
}

/// Runs a command to its end, and returns whether it succeeded, its standard output and its standard error.
pub(crate) fn run(arguments: &[&str], settings: &[(&str, &str)], folder: &Path) -> (bool, String, String) {
    let mut command = command(arguments, folder);
    command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// A process that is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Locked, so that several tasks can use the process.
    lines: Mutex<mpsc::Receiver<String>>,
    logged: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Mutex::new(Self::lines_of(&mut child));
        // Read continuously, so that a full pipe never blocks the program.
        let logged = Arc::<Mutex<String>>::default();
        let (errors, log) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&logged));
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|it| log.lock().unwrap().extend([&it, "\n"]));
        });
        Self { child, lines, logged }
    }

    /// As [`Self::start`], with a standard error whose reader is closed from the beginning.
    pub(crate) fn start_with_closed_log(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = command.stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
        let lines = Mutex::new(Self::lines_of(&mut child));
        Self { child, lines, logged: Arc::default() }
    }

    /// Lines that `child` prints to standard output.
    fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
        let (send, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|it| send.send(it)));
        lines
    }

    /// Lines printed up to the first one for which `last` is true.
    pub(crate) fn printed(&self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut printed = Vec::new();
        loop {
            let line = self.lines.lock().unwrap().recv_timeout(TIMEOUT);
            let line =
                line.unwrap_or_else(|_| panic!("it prints {printed:?}, and not what is waited for: {}", self.logged()));
            let done = last(&line);
            printed.push(line);
            if done {
                return printed;
            }
        }
    }

    /// The log so far.
    pub(crate) fn logged(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Sets the maximum file size of the process, in bytes.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let id = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    }

    /// Sends SIGTERM, and returns the exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal("-TERM");
        self.ended()
    }

    /// Waits for the end of the process, and returns the exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the program does not stop")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address that a program prints when it listens.
pub(crate) fn address_of(process: &Process) -> String {
    let printed = process.printed(|it| it.contains("http://")).concat();
    printed.split_whitespace().find(|it| it.starts_with("http://")).unwrap().trim_end_matches(';').to_owned()
}

/// `paywright dev`, and the addresses and credentials that it printed.
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) http: Client,
    pub(crate) api: String,
    pub(crate) twin: String,
    pub(crate) key: String,
    pub(crate) token: String,
    /// Another process that must be kept alive with it.
    pub(crate) _beside: Option<Process>,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let replayed = response.headers().contains_key("idempotent-replayed");
        let status = response.status().as_u16();
        Self { status, replayed, body: serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default() }
    }

    /// As [`Self::of`], for an answer to `request`. One of the shop dialect must match its description.
    async fn to(request: &reqwest::Request, response: reqwest::Response) -> Self {
        let replayed = response.headers().contains_key("idempotent-replayed");
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let received = response.text().await.unwrap();
        if request.url().path().starts_with("/api/v1/shop/") {
            let query = request.url().query().map(|it| format!("?{it}")).unwrap_or_default();
            let exchange = Exchange {
                method: request.method().as_str(),
                path: &format!("{}{query}", request.url().path()),
                sent: request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default(),
                status,
                content_type: content_type.as_deref(),
                received: &received,
            };
            DESCRIPTION.check(&exchange).unwrap_or_else(|problem| panic!("{problem}"));
        }
        Self { status, replayed, body: serde_json::from_str(&received).unwrap_or_default() }
    }
}

/// Description that every answer of the shop dialect must match.
static DESCRIPTION: LazyLock<OpenApi> = LazyLock::new(|| OpenApi::new(paywright_http_api::description()));

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let (http, request) = request.build_split();
    let request = request.unwrap();
    let response = http.execute(request.try_clone().unwrap()).await.unwrap();
    Answer::to(&request, response).await
}

pub(crate) fn client() -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(TIMEOUT).no_proxy().build().unwrap()
}

impl Dev {
    pub(crate) fn start(folder: &TempDir, more: &[&str]) -> Self {
        Self::logging("info", folder, more)
    }

    pub(crate) fn logging(filter: &str, folder: &TempDir, more: &[&str]) -> Self {
        let arguments = [&["dev", "--port", "0", "--twin-port", "0"], more].concat();
        let mut command = command(&arguments, folder.path());
        command.env("RUST_LOG", filter);
        Self::of(command)
    }

    /// Starts `command`, and reads what it prints.
    pub(crate) fn of(command: Command) -> Self {
        let process = Process::start(command);
        let printed = process.printed(|it| it.contains("/payment -H"));
        let variable = |name: &str| {
            let start = format!("{name}=");
            let mut words = printed.iter().flat_map(|it| it.split_whitespace());
            words.find_map(|it| it.strip_prefix(&start)).expect("the calls name it").to_owned()
        };
        let (api, twin, key, token) = (variable("API"), variable("TWIN"), variable("KEY"), variable("TOKEN"));
        Self { process, http: client(), api, twin, key, token, _beside: None }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.api)).header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        answer(request).await
    }

    /// Places an order of two lines: 124.50.
    pub(crate) async fn place(&self) -> Value {
        let placed = self.call(Method::POST, "/orders", Some(&two_lines())).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        placed.body["data"].clone()
    }

    pub(crate) async fn intent(&self, order: &Value) -> Answer {
        let url = format!("{}/orders/{}/payment-intent", self.api, order["number"].as_str().unwrap());
        answer(self.http.post(url).header("x-api-key", &self.key).bearer_auth(&self.token)).await
    }

    /// Confirms an intent as a browser would, with a test card.
    pub(crate) async fn confirm(&self, intent: &str, card: &str) -> Answer {
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.twin);
        answer(
            self.http
                .post(url)
                .bearer_auth("sk_test_twin")
                .body(format!("payment_method={card}&return_url=https://shop.example/")),
        )
        .await
    }

    pub(crate) async fn payment(&self, order: &Value) -> Answer {
        self.call(Method::POST, &format!("/orders/{}/payment", order["id"].as_str().unwrap()), None).await
    }

    pub(crate) async fn read(&self, order: &Value) -> Value {
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        self.call(Method::GET, &path, None).await.body["data"].clone()
    }

    /// Reads an order until `expected` is true.
    pub(crate) async fn read_until(&self, order: &Value, expected: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let read = self.read(order).await;
            if expected(&read) {
                return read;
            }
            let log = || self.process.logged().lines().filter(|it| !it.contains("GET")).collect::<Vec<_>>().join("\n");
            assert!(begun.elapsed() < TIMEOUT, "the expected state is not reached: {read}\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads an order until it is paid and Stripe's fee is known: then nothing more is scheduled.
    pub(crate) async fn read_until_settled(&self, order: &Value) -> Value {
        let settled = |it: &Value| it["payment_status"] == "paid" && it["payment_intent"]["balance"].is_object();
        self.read_until(order, settled).await
    }

    /// Number of intents, and of succeeded intents, at the twin.
    pub(crate) async fn intents(&self) -> (usize, usize) {
        let url = format!("{}/v1/payment_intents?limit=100", self.twin);
        let list = answer(self.http.get(url).bearer_auth("sk_test_twin")).await.body;
        let all = list["data"].as_array().unwrap();
        (all.len(), all.iter().filter(|it| it["status"] == "succeeded").count())
    }
}

pub(crate) fn two_lines() -> Value {
    json!({ "currency": "usd", "customer": "cus-ada", "email": "ada@example.com", "line_items": [
        { "name": "Main product 2", "amount": 5600, "quantity": 2 },
        { "name": "Leash", "amount": 1250, "quantity": 1 },
    ] })
}
