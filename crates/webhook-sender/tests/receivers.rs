//! The example receivers, which verify webhooks by the official libraries for Node and Python, against this sender.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot set itself up fails"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use paywright_app::{EndpointFormat, EndpointId, EndpointUrl, OutgoingWebhook, WebhookSender};
use paywright_domain::Timestamp;
use paywright_webhook_sender::{HttpWebhookSender, SenderSettings, ServiceKey, signature_header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const ENDPOINT: EndpointId = EndpointId(Uuid::from_u128(9));
const KEY: &str = "a key of the service with 32 bytes, or more";

#[tokio::test]
async fn the_receiver_in_node_stores_each_verified_event_once() {
    let folder = examples("node");
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "its packages are missing: run scripts/test, or `npm ci` in {}", folder.display());
    a_receiver_stores_each_verified_event_once(|| Command::new("node"), "receiver.mjs", &folder).await;
    both_signatures_of_a_webhook_are_verified(|| Command::new("node"), "receiver.mjs", &folder).await;
}

#[tokio::test]
async fn the_receiver_in_python_stores_each_verified_event_once() {
    let folder = examples("python");
    let python = folder.join(".venv/bin/python");
    assert!(python.is_file(), "its environment is missing: run scripts/test, or see examples/webhook-receiver");
    a_receiver_stores_each_verified_event_once(|| Command::new(&python), "receiver.py", &folder).await;
    both_signatures_of_a_webhook_are_verified(|| Command::new(&python), "receiver.py", &folder).await;
}

/// A webhook in Spree's format has Spree's signature by the newest secret, and those of Standard Webhooks.
async fn both_signatures_of_a_webhook_are_verified(program: impl Fn() -> Command, script: &str, folder: &Path) {
    let (sender, stored) = (sender(), TempDir::new().unwrap());
    let body = r#"{ "data": {"name": "Ünal"}, "event_type": "order.paid" }"#;
    let start = |file: &str, generation: u32| {
        let secret = sender.secret(ENDPOINT, generation);
        Receiver::start(EndpointFormat::Spree, program(), script, folder, &stored.path().join(file), &secret)
    };
    let mut receiver = start("events", 1);
    assert_eq!(receiver.send(&sender, 1, &[1], 0, body).await, 204);
    assert_eq!(receiver.send(&sender, 2, &[2, 1], 0, body).await, 400, "Spree's signature is by the newest secret");
    receiver.refuses_forgeries(body).await;
    receiver.format = EndpointFormat::Standard;
    assert_eq!(receiver.send(&sender, 3, &[1], 0, body).await, 400, "Spree's signature is missing");
    assert_eq!(receiver.stored(), [(id(1), serde_json::from_str::<Value>(body).unwrap())]);
    let receiver = start("later", 2);
    assert_eq!(receiver.send(&sender, 2, &[2, 1], 0, body).await, 204);
}

async fn a_receiver_stores_each_verified_event_once(program: impl Fn() -> Command, script: &str, folder: &Path) {
    let sender = sender();
    let stored = TempDir::new().unwrap();
    let start = |file: &str, generation: u32| {
        let command = program();
        let secret = sender.secret(ENDPOINT, generation);
        Receiver::start(EndpointFormat::Standard, command, script, folder, &stored.path().join(file), &secret)
    };
    let receiver = start("events", 1);
    let first = json!({ "type": "order.paid", "timestamp": "2025-03-31T09:57:30Z",
        "data": { "name": "Ünal \"Ü\" \u{2028}", "minor": 99_999_999_999_i64, "none": null, "list": [true] } });
    // The spaces are part of what is signed.
    let pretty = serde_json::to_string_pretty(&first).unwrap();
    // An event about no order.
    let second = json!({ "type": "payout.paid", "timestamp": "2025-03-31T09:58:30Z", "order": null, "version": null,
        "data": { "payout": { "id": "po_1" } } });

    assert_eq!(receiver.send(&sender, 1, &[1], 0, &pretty).await, 204);
    assert_eq!(receiver.send(&sender, 1, &[1], 60, &pretty).await, 204, "a repeat is accepted");
    assert_eq!(receiver.send(&sender, 2, &[2, 1], 0, &second.to_string()).await, 204, "the old secret still signs");
    let refused = second.to_string();
    assert_eq!(receiver.send(&sender, 3, &[2], 0, &refused).await, 400, "the old secret has ended");
    assert_eq!(receiver.send(&sender, 3, &[1], -310, &refused).await, 400, "the timestamp is too old");
    assert_eq!(receiver.send(&sender, 3, &[1], 310, &refused).await, 400, "the timestamp is too new");
    receiver.refuses_forgeries(&refused).await;
    let both = [(id(1), first.clone()), (id(2), second.clone())];
    assert_eq!(receiver.stored(), both);

    drop(receiver);
    let receiver = start("events", 2);
    assert_eq!(receiver.send(&sender, 1, &[2], 0, &pretty).await, 204);
    assert_eq!(receiver.stored(), both, "a repeat is known after a restart, and after a rotation");
    assert_eq!(receiver.send(&sender, 3, &[2, 1], 0, &second.to_string()).await, 204, "the new secret signs");
    assert_eq!(receiver.stored().len(), 3);
}

/// The function in `docs/events.md` that verifies a webhook with Python's standard library alone.
#[test]
fn the_documented_function_verifies_webhooks_without_a_library() {
    let documented =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md")).unwrap();
    let function = documented.split("```python\n").find(|it| it.contains("def is_genuine")).unwrap();
    let function = function.split("```").next().unwrap();
    let secrets = [1, 2].map(|it| ServiceKey::new(SecretString::from(KEY)).unwrap().secret(ENDPOINT.0, it));
    let (old, time, body) = (secrets[0].to_text(), now(), "{ \"name\": \"Ünal\" }");
    let signed = signature_header(&secrets, id(1), time, body);
    for (time, signature, body, expected) in [
        (time, signed.as_str(), body, "True"),
        (time, signed.split(' ').next().unwrap(), body, "True"),
        (time, signed.split(' ').next_back().unwrap(), body, "False"),
        (time, &signed, "{}", "False"),
        (time - 301, &signature_header(&secrets, id(1), time - 301, body), body, "False"),
        (time, "v1,", body, "False"),
    ] {
        let headers =
            json!({ "webhook-id": id(1), "webhook-timestamp": time.to_string(), "webhook-signature": signature });
        let call = format!("{function}\nprint(is_genuine({:?}, {headers}, {body:?}.encode()))", old.expose_secret());
        let output = Command::new("python3").args(["-c", &call]).output().expect("python3 runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(printed.trim(), expected, "{time} {signature} {body}: {errors}");
    }
}

/// A receiver's process, ended with the value.
struct Receiver {
    process: Child,
    url: String,
    file: PathBuf,
    /// Format of the webhooks that are sent to it.
    format: EndpointFormat,
    /// Output of the process, which must stay open: it prints each stored event.
    _output: BufReader<ChildStdout>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Receiver {
    fn start(
        format: EndpointFormat,
        mut command: Command,
        script: &str,
        folder: &Path,
        file: &Path,
        secret: &SecretString,
    ) -> Self {
        let mut process = command
            .arg(script)
            .current_dir(folder)
            .env("WEBHOOK_SECRET", secret.expose_secret())
            .env("EVENTS_FILE", file)
            .env("PORT", "0")
            .env("SPREE", if format == EndpointFormat::Spree { "1" } else { "" })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter runs: scripts/test installs it");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening on port ").unwrap_or_else(|| panic!("it says {line:?}"));
        Self {
            url: format!("http://127.0.0.1:{port}/webhooks"),
            process,
            file: file.to_owned(),
            format,
            _output: output,
        }
    }

    /// Sends an event, signed in so many seconds from now, and returns the status of the answer.
    async fn send(&self, sender: &HttpWebhookSender, number: u128, generations: &[u32], after: i64, body: &str) -> u16 {
        let webhook = OutgoingWebhook {
            endpoint: ENDPOINT,
            url: EndpointUrl::parse(&self.url).unwrap(),
            format: self.format,
            generations: generations.to_vec(),
            id: id(number),
            at: Timestamp::from_unix_seconds(now() + after).unwrap(),
            body: body.into(),
            trace: None,
        };
        sender.send(&webhook).await.answer.unwrap().status
    }

    /// Sends webhooks whose body, id, timestamp or signature was changed on the way, and one without headers.
    async fn refuses_forgeries(&self, body: &str) {
        let secret = ServiceKey::new(SecretString::from(KEY)).unwrap().secret(ENDPOINT.0, 1);
        let (id, time) = (id(3), now());
        let signature = signature_header(&[secret], id, time, body);
        let (id, other) = (id.to_string(), Uuid::from_u128(4).to_string());
        let tampered = body.replacen("paid", "lost", 1);
        assert_ne!(tampered, body);
        for (id, time, signature, body) in [
            (id.as_str(), time, signature.as_str(), tampered.as_str()),
            (&id, time, &signature, &format!("{body} ")),
            (&id, time, &signature, ""),
            (&other, time, &signature, body),
            (&id, time + 1, &signature, body),
            (&id, time, "v1,", body),
            (&id, time, "v1", body),
            (&id, time, "v1,!!", body),
            (&id, time, &signature.replace("v1,", "v1a,"), body),
            (&id, time, &signature.replace("v1,", "v2,"), body),
            ("", time, &signature, body),
        ] {
            let request = reqwest::Client::new()
                .post(&self.url)
                .header("webhook-id", id)
                .header("webhook-timestamp", time)
                .header("webhook-signature", signature)
                .header("content-length", body.len())
                .body(body.to_owned());
            assert_eq!(request.send().await.unwrap().status(), 400, "{id} {time} {signature} {body}");
        }
        let bare = reqwest::Client::new().post(&self.url).body(body.to_owned());
        assert_eq!(bare.send().await.unwrap().status(), 400, "a request without headers");
    }

    /// Ids and events that the receiver has stored.
    fn stored(&self) -> Vec<(Uuid, Value)> {
        let lines = std::fs::read_to_string(&self.file).unwrap();
        let stored = lines.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        stored.map(|it| (it["webhook_id"].as_str().unwrap().parse().unwrap(), it["event"].clone())).collect()
    }
}

fn sender() -> HttpWebhookSender {
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = SenderSettings {
        key: Some(SecretString::from(KEY)),
        allow_http: true,
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..SenderSettings::default()
    };
    HttpWebhookSender::new(settings).unwrap()
}

fn examples(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook-receiver").join(language)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0000 + number)
}

#[expect(clippy::disallowed_methods, reason = "receivers compare the timestamp with the real time")]
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}
