//! A shop as in production: `serve` processes on one database, with a twin for Stripe.

use std::net::TcpListener;
use std::path::Path;

use paywright_testkit::postgres::Database;
use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Dev, Process, address_of, answer, client, command, command_with_open_files, run};

/// A shop of several processes that share a database.
pub(crate) struct Served {
    pub(crate) http: Client,
    /// Each process with the address of its API; `None` after a test has killed it.
    pub(crate) replicas: Vec<(Option<Process>, String)>,
    /// The twin; `None` if it belongs to another shop.
    pub(crate) twin: Option<Process>,
    pub(crate) twin_url: String,
    pub(crate) key: String,
    pub(crate) token: String,
    pub(crate) webhook_secrets: Vec<String>,
    folder: TempDir,
    ports: Vec<u16>,
}

/// Settings with short timeouts for Stripe and a short back-fill period.
pub(crate) const SHORT_TIMEOUTS: &str = "stripe.attempt_timeout_ms = 1500\nstripe.deadline_ms = 3000\n\
    stripe.endpoint_per_second = 0\nstripe.account_per_second = 0\npayments.back_fill_seconds = 2";

/// Free ports. They are reserved together, so that none is returned twice.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|it| it.local_addr().unwrap().port()).collect()
}

impl Served {
    /// Starts the processes. With `webhooks`, the twin sends every event to each of them.
    pub(crate) async fn start(database: &str, replicas: usize, webhooks: bool, twin_latency_ms: &str) -> Self {
        Self::start_with(database, replicas, webhooks, twin_latency_ms, "").await
    }

    /// As [`Self::start`], with additional lines in the settings.
    pub(crate) async fn start_with(
        database: &str,
        replicas: usize,
        webhooks: bool,
        twin_latency_ms: &str,
        more: &str,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let twin = Process::start(command(&["twin", "--port", "0", "--latency-ms", twin_latency_ms], folder.path()));
        let twin_url = address_of(&twin);
        Self::start_at(twin_url, Some(twin), folder, database, replicas, webhooks, more).await
    }

    /// Starts another shop on the same Stripe account, with its own database and webhooks for every event.
    pub(crate) async fn beside(&self, database: &str, more: &str) -> Self {
        Self::start_at(self.twin_url.clone(), None, TempDir::new().unwrap(), database, 1, true, more).await
    }

    async fn start_at(
        twin_url: String,
        twin: Option<Process>,
        folder: TempDir,
        database: &str,
        replicas: usize,
        webhooks: bool,
        more: &str,
    ) -> Self {
        let http = client();
        let ports = free_ports(replicas);
        let mut webhook_secrets = Vec::new();
        for port in &ports {
            let events = if webhooks { "*" } else { "plan.created" };
            let form = format!("url=http://127.0.0.1:{port}/webhooks/stripe&enabled_events[]={events}");
            let register = http.post(format!("{twin_url}/v1/webhook_endpoints")).bearer_auth("sk_test_twin").body(form);
            webhook_secrets.push(answer(register).await.body["secret"].as_str().expect("a secret").to_owned());
        }
        // Tests that stop a process need no drain, because no load balancer is involved.
        let drain = if more.contains("drain_seconds") { "" } else { "http.drain_seconds = 0" };
        let settings = format!(
            "database.url = \"{database}\"\nstripe.api_base = \"{twin_url}\"\nstripe.secret_key = \"sk_test_x\"\n\
             stripe.webhook_secrets = \"{}\"\nauth.token_secret = \"{}\"\nwebhooks.secret_key = \"{}\"\n\
             webhooks.allow_http = true\nwebhooks.allowed_networks = \"127.0.0.1\"\n{drain}\n{more}\n",
            webhook_secrets.join(","),
            "s".repeat(32),
            "w".repeat(32)
        );
        std::fs::write(folder.path().join("paywright.toml"), settings).unwrap();
        let printed = |arguments: &[&str]| {
            let (done, printed, said) = run(arguments, &[], folder.path());
            assert!(done, "{arguments:?}: {said}");
            printed
        };
        let scopes = paywright_app::Scope::ALL.map(paywright_app::Scope::name);
        let scopes = scopes.iter().flat_map(|it| ["--scope", it]).collect::<Vec<_>>();
        let key = printed(&[&["keys", "create", "--name", "shop"], &scopes[..]].concat());
        let key = key.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
        let token = printed(&["token", "--customer", "cus-ada"]).trim().to_owned();
        let mut served =
            Self { http, replicas: Vec::new(), twin, twin_url, key, token, webhook_secrets, folder, ports };
        for n in 0..replicas {
            let process = served.serve(n);
            let api = format!("http://127.0.0.1:{}/api/v1/shop", served.ports[n]);
            served.replicas.push((Some(process), api));
        }
        served
    }

    /// Starts the `n`th process, or restarts it after it was killed.
    pub(crate) fn serve(&self, n: usize) -> Process {
        self.serve_in(n, &[])
    }

    /// As [`Self::serve`], with these variables in its environment.
    pub(crate) fn serve_in(&self, n: usize, environment: &[(&str, &str)]) -> Process {
        let address = format!("127.0.0.1:{}", self.ports[n]);
        let mut command = command(&["serve", "--bind", &address], self.folder.path());
        command.envs(environment.iter().copied());
        let process = Process::start(command);
        process.printed(|it| it.contains("serves at"));
        process
    }

    /// As [`Self::serve`], with JSON log lines of these levels.
    pub(crate) fn serve_logging(&self, n: usize, filter: &str) -> Process {
        let address = format!("127.0.0.1:{}", self.ports[n]);
        let mut command = command(&["serve", "--bind", &address, "--log", "json"], self.folder.path());
        command.env("RUST_LOG", filter);
        let process = Process::start(command);
        process.printed(|it| it.contains("serves at"));
        process
    }

    /// As [`Self::serve`], with a limit of open files.
    pub(crate) fn serve_with_open_files(&self, n: usize, open_files: u32) -> Process {
        let address = format!("127.0.0.1:{}", self.ports[n]);
        let process =
            Process::start(command_with_open_files(open_files, &["serve", "--bind", &address], self.folder.path()));
        process.printed(|it| it.contains("serves at"));
        process
    }

    /// The address on which the `n`th process listens.
    pub(crate) fn address(&self, n: usize) -> String {
        format!("127.0.0.1:{}", self.ports[n])
    }

    /// Working directory of the processes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Converts a shop of one process to a [`Dev`], for tests of one process.
    pub(crate) fn into_dev(mut self) -> Dev {
        let (process, api) = self.replicas.remove(0);
        Dev {
            process: process.unwrap(),
            http: self.http,
            api,
            twin: self.twin_url,
            key: self.key,
            token: self.token,
            _beside: self.twin,
        }
    }

    /// Runs a command with the settings of this shop.
    pub(crate) fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        run(arguments, &[], self.folder.path())
    }

    /// As [`Self::run`], with these variables in the environment.
    pub(crate) fn run_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String, String) {
        run(arguments, settings, self.folder.path())
    }

    /// Every intent at the twin.
    pub(crate) async fn intents(&self) -> Vec<Value> {
        self.listed("/v1/payment_intents").await
    }

    /// All objects that the twin lists under `path`.
    pub(crate) async fn listed(&self, path: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map(|it| format!("&starting_after={}", it["id"].as_str().unwrap()));
            let url = format!("{}{path}?limit=100{}", self.twin_url, after.unwrap_or_default());
            let page = answer(self.http.get(url).bearer_auth("sk_test_twin")).await.body;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] != true {
                return all;
            }
        }
    }
}

/// The store of a test of sales.
pub(crate) enum Stand {
    /// `dev`, on a SQLite file.
    Sqlite(TempDir),
    /// `serve` and a twin, on PostgreSQL.
    Postgres(Database),
}

impl Stand {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    /// PostgreSQL with an empty database, in which the program creates its schema.
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Database::empty().await)
    }

    pub(crate) async fn start(&self, webhooks: bool) -> Dev {
        match self {
            Self::Sqlite(folder) => Dev::start(folder, if webhooks { &[] } else { &["--no-webhooks"] }),
            Self::Postgres(database) => Served::start(&database.url(), 1, webhooks, "0").await.into_dev(),
        }
    }
}

/// Makes a test for each store from each of the named functions, which take a [`Stand`].
macro_rules! on_both_stores {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::served::Stand::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::served::Stand::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
