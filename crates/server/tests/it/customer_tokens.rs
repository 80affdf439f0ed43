//! Customers' tokens that an issuer signs with its own keys, made by the libraries of other languages.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Answer, Process, address_of, answer, client, command, run, two_lines};

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "pay";

/// Key set, and tokens with what must become of them.
#[derive(Deserialize)]
struct Made {
    keys: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    token: String,
    /// Code of the refusal; `None` for a token that is accepted.
    code: Option<String>,
}

/// Folder of the programs that make tokens.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/customer-tokens").join(name)
}

/// Runs a program that makes tokens.
fn made_by(mut command: Command, folder: &Path) -> Made {
    let output = command.args([ISSUER, AUDIENCE]).current_dir(folder).output().expect("scripts/test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Tokens made by `jose`.
fn made_by_jose() -> Made {
    let folder = folder("node");
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "jose is not installed: run scripts/test, or `npm ci` in {}", folder.display());
    let mut node = Command::new("node");
    node.arg("tokens.mjs");
    made_by(node, &folder)
}

/// Tokens made by `PyJWT`.
fn made_by_pyjwt() -> Made {
    let folder = folder("python");
    let interpreter = folder.join(".venv/bin/python");
    assert!(interpreter.is_file(), "its environment is missing: run scripts/test ({})", interpreter.display());
    let mut python = Command::new(interpreter);
    python.arg("tokens.py").env("PYTHONDONTWRITEBYTECODE", "1");
    made_by(python, &folder)
}

/// Address at which a key set is, for as long as the test runs.
fn published(keys: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, body) = (listener.local_addr().unwrap(), keys.to_string());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            head.take_while(|it| !it.is_empty()).for_each(drop);
            let length = body.len();
            drop(write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"));
        }
    });
    format!("http://{address}/keys")
}

/// Folder with the settings of a shop, and with these lines of the section `auth`. Nothing is at its address of Stripe.
fn settings(auth: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "[database]\nurl = \"sqlite:orders.db\"\n[stripe]\napi_base = \"http://127.0.0.1:9\"\n\
         secret_key = \"sk_test_x\"\nwebhook_secrets = \"whsec_x\"\n[http]\ndrain_seconds = 0\n\
         [auth]\ntoken_secret = \"{}\"\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n{auth}\n",
        "s".repeat(32)
    );
    std::fs::write(folder.path().join("paywright.toml"), text).unwrap();
    folder
}

/// A serving process, and an order of `cus-ada`.
struct Shop {
    process: Process,
    http: Client,
    key: String,
    order: String,
}

impl Shop {
    async fn start(folder: &TempDir) -> Self {
        let scopes = ["--scope", "orders:read", "--scope", "orders:write"];
        let arguments = [["keys", "create", "--name", "shop"].as_slice(), &scopes].concat();
        let (done, printed, said) = run(&arguments, &[], folder.path());
        assert!(done, "{said}");
        let key = printed.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
        let process = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
        let (http, orders) = (client(), format!("{}/api/v1/shop/orders", address_of(&process)));
        let place = http.post(&orders).header("x-api-key", &key).header("content-type", "application/json");
        let placed = answer(place.body(two_lines().to_string())).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        let order = format!("{orders}/{}", placed.body["data"]["id"].as_str().unwrap());
        Self { process, http, key, order }
    }

    async fn read(&self, token: &str) -> Answer {
        answer(self.http.get(&self.order).header("x-api-key", &self.key).bearer_auth(token)).await
    }

    /// Asserts that each token is accepted or refused as it must be.
    async fn judges(&self, cases: &[Case]) {
        let accepted = cases.iter().filter(|it| it.code.is_none()).count();
        assert!(accepted >= 4 && cases.len() >= 30, "{accepted} of {}", cases.len());
        for case in cases {
            let answer = self.read(&case.token).await;
            let expected = case.code.as_deref().map_or((200, ""), |code| (401, code));
            assert_eq!((answer.status, answer.code()), expected, "{}: {answer:?}", case.name);
        }
    }
}

#[tokio::test]
async fn tokens_made_by_jose_are_accepted_and_refused_by_a_key_set_in_a_file() {
    let made = made_by_jose();
    let folder = settings("jwks_file = \"keys.json\"");
    std::fs::write(folder.path().join("keys.json"), made.keys.to_string()).unwrap();
    let shop = Shop::start(&folder).await;
    shop.judges(&made.cases).await;
    let logged = shop.process.logged();
    for says in ["it is symmetric", "it is not for verifying signatures", "was read"] {
        assert!(logged.contains(says), "{says}: {logged}");
    }
    assert_eq!(shop.process.terminate(), Some(0));
}

#[tokio::test]
async fn tokens_made_by_pyjwt_are_accepted_and_refused_by_a_key_set_at_a_url() {
    let made = made_by_pyjwt();
    let folder = settings(&format!("jwks_url = \"{}\"", published(&made.keys)));
    let shop = Shop::start(&folder).await;
    shop.judges(&made.cases).await;
    let logged = shop.process.logged();
    for says in ["its RSA modulus does not have 2048 to 4096 bits", "its type is not RSA"] {
        assert!(logged.contains(says), "{says}: {logged}");
    }
    assert_eq!(shop.process.terminate(), Some(0));
}

#[tokio::test]
async fn a_key_set_that_is_not_at_its_url_is_no_fault_of_a_token() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shop = Shop::start(&settings(&format!("jwks_url = \"http://{closed}/keys?tenant=hush\""))).await;
    let made = made_by_jose();
    let answer = shop.read(&made.cases[0].token).await;
    assert_eq!((answer.status, answer.code()), (503, "token_keys_unavailable"), "{answer:?}");
    let logged = shop.process.logged();
    let line = logged.lines().find(|it| it.contains("the key set of customers' tokens cannot be read")).unwrap();
    assert!(line.contains("127.0.0.1 gave no answer: Connection refused") && line.contains("no keys yet"), "{line}");
    assert!(!logged.contains("hush"), "{logged}");
}

#[test]
fn a_start_without_the_file_of_the_key_set_is_refused() {
    for (text, says) in [
        (None, "the key set that auth.jwks_file names cannot be read: No such file"),
        (Some("{}"), "cannot be read: it is not a JWK Set"),
        (Some("{\"keys\":[{\"kty\":\"oct\",\"k\":\"aHVzaA\"}]}"), "a key set without a usable key"),
    ] {
        let folder = settings("jwks_file = \"keys.json\"");
        if let Some(text) = text {
            std::fs::write(folder.path().join("keys.json"), text).unwrap();
        }
        let (done, _, said) = run(&["serve", "--bind", "127.0.0.1:0"], &[], folder.path());
        assert!(!done && said.contains(says), "{text:?}: {said}");
        assert!(!folder.path().join("orders.db").exists(), "the database was opened");
    }
}

#[tokio::test]
async fn the_command_token_signs_only_what_the_service_accepts() {
    let made = made_by_jose();
    let sign = |folder: &TempDir| run(&["token", "--customer", "cus-ada"], &[], folder.path());
    let (done, printed, said) = sign(&settings("jwks_file = \"keys.json\""));
    assert!(!done && printed.is_empty() && said.contains("are verified by a key set"), "{said}");
    let folder = settings("jwks_file = \"keys.json\"\nhs256_issuer = \"https://shop.example\"");
    // The file is not read to sign a token.
    let (done, token, said) = sign(&folder);
    assert!(done, "{said}");
    std::fs::write(folder.path().join("keys.json"), made.keys.to_string()).unwrap();
    let shop = Shop::start(&folder).await;
    for token in [token.trim(), &made.cases[0].token] {
        assert_eq!(shop.read(token).await.status, 200);
    }
    // A token of the issuer of the key set is not signed with the secret.
    let (done, forged, said) = sign(&settings(""));
    assert!(done, "{said}");
    let answer = shop.read(forged.trim()).await;
    assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{answer:?}");
}
