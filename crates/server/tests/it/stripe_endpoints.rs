//! The endpoint at Stripe by command: created, repaired, rotated under load, and watched.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paywright_testkit::postgres::Database;
use serde_json::{Value, json};

use crate::balancer::{Balancer, client_without_keep_alive};
use crate::program::{Process, TIMEOUT, answer, two_lines};
use crate::served::Served;

const CLIENTS: usize = 4;
/// Number of orders paid in each stage of a rotation.
const PAID_EACH: usize = 25;
/// Time for which one process reads an older file of the secrets.
const LATE: Duration = Duration::from_secs(3);

/// A shop whose secrets are in files: one that the commands write, and one that is copied to the second process later.
struct Shop {
    served: Arc<Served>,
    files: [PathBuf; 2],
}

impl Shop {
    async fn start(database: &Database, replicas: usize) -> Self {
        let more = "payments.back_fill_seconds = 86400";
        let mut served = Served::start_with(&database.url(), replicas, false, "0", more).await;
        served.replicas.iter_mut().for_each(|it| drop(it.0.take()));
        let files = ["secrets", "late_secrets"].map(|it| served.folder().join(it));
        Self { served: Arc::new(served), files }
    }

    fn environment(file: &str) -> [(&str, &str); 2] {
        [("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS", ""), ("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS_FILE", file)]
    }

    /// Runs a command on the first file, whatever it logs, and asserts that no secret is shown.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let before = self.secrets();
        let mut environment = Self::environment(self.files[0].to_str().unwrap()).to_vec();
        environment.push(("RUST_LOG", "trace"));
        let (done, printed, said) = self.served.run_with(arguments, &environment);
        for secret in before.union(&self.secrets()) {
            assert!(!printed.contains(secret) && !said.contains(secret), "{arguments:?} shows a secret");
        }
        let failure = said.lines().find(|it| it.starts_with("paywright: ")).unwrap_or_default();
        (done, format!("{printed}{failure}"))
    }

    fn done(&self, arguments: &[&str]) -> String {
        let (done, said) = self.run(arguments);
        assert!(done, "{arguments:?}: {said}");
        said
    }

    fn ensure(&self, url: &str) -> String {
        self.done(&["webhooks", "ensure", "--url", url])
    }

    fn secrets(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(&self.files[0]).unwrap_or_default();
        text.trim().split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }

    fn serve(&self, n: usize) -> Process {
        self.served.serve_in(n, &Self::environment(self.files[n].to_str().unwrap()))
    }

    fn copy_to_the_late_one(&self) {
        fs::copy(&self.files[0], &self.files[1]).unwrap();
    }

    /// Endpoints at the twin, those that a command has made and all others.
    async fn endpoints(&self) -> (Vec<Value>, Vec<Value>) {
        let all = self.served.listed("/v1/webhook_endpoints").await;
        all.into_iter().partition(|it| it["metadata"]["paywright"].is_string())
    }

    async fn post(&self, path: &str, form: &str) -> Value {
        let request = self.served.http.post(format!("{}{path}", self.served.twin_url)).bearer_auth("sk_test_twin");
        let answered = answer(request.body(form.to_owned())).await;
        assert_eq!(answered.status, 200, "{answered:?}");
        answered.body
    }

    async fn fault(&self, fault: Value) {
        let request = self.served.http.post(format!("{}/_twin/faults", self.served.twin_url));
        assert_eq!(answer(request.body(fault.to_string())).await.status, 200);
    }
}

const URL: &str = "http://127.0.0.1:9/webhooks/stripe";

#[tokio::test]
async fn ensure_makes_one_endpoint_with_its_secret_in_a_private_file() {
    let database = Database::empty().await;
    let shop = Shop::start(&database, 1).await;
    let (_, before) = shop.endpoints().await;
    let dry = shop.done(&["webhooks", "ensure", "--url", URL, "--dry-run"]);
    assert!(dry.starts_with("Would create an endpoint") && !shop.files[0].exists(), "{dry}");
    let said = shop.ensure(URL);
    assert!(said.starts_with("Created the endpoint we_"), "{said}");
    assert_eq!(fs::metadata(&shop.files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(shop.ensure(URL).contains("is unchanged"));
    let (ours, others) = shop.endpoints().await;
    assert_eq!((ours.len(), &others), (1, &before), "others are as they were");
    assert_eq!(ours[0]["api_version"], "2026-05-27.dahlia");
    assert_eq!(ours[0]["enabled_events"].as_array().unwrap().len(), 28);
    let path = format!("/v1/webhook_endpoints/{}", ours[0]["id"].as_str().unwrap());
    shop.post(&path, "disabled=true&enabled_events[]=*&url=http://127.0.0.1:9/old").await;
    let said = shop.ensure(URL);
    assert!(said.contains("its URL, its events, it was disabled"), "{said}");
    let (repaired, others) = shop.endpoints().await;
    assert_eq!((&repaired, &others), (&ours, &before));
    let listed = shop.done(&["webhooks", "list"]);
    assert!(listed.contains("There is no endpoint"), "endpoints of other programs are others: {listed}");
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_no_second_endpoint() {
    let database = Database::empty().await;
    let shop = Shop::start(&database, 1).await;
    for kind in ["drop_after", "truncate", "status_after"] {
        // More often than the client repeats the call, so that the command fails.
        shop.fault(json!({ "kind": kind, "path": "/v1/webhook_endpoints", "method": "POST", "times": 3 })).await;
        let (done, said) = shop.run(&["webhooks", "ensure", "--url", URL]);
        shop.served.http.delete(format!("{}/_twin/faults", shop.served.twin_url)).send().await.unwrap();
        assert!(!done || kind == "status_after", "{kind}: {said}");
        shop.ensure(URL);
        assert!(shop.ensure(URL).contains("is unchanged"), "{kind}");
        let (ours, _) = shop.endpoints().await;
        assert_eq!((ours.len(), shop.secrets().len()), (1, 1), "{kind}: {ours:?}");
        let path = format!("{}/v1/webhook_endpoints/{}", shop.served.twin_url, ours[0]["id"].as_str().unwrap());
        shop.served.http.delete(path).bearer_auth("sk_test_twin").send().await.unwrap();
        fs::remove_file(&shop.files[0]).unwrap();
    }
}

#[tokio::test]
async fn what_keeps_an_endpoint_from_being_made_is_named() {
    let database = Database::empty().await;
    let shop = Shop::start(&database, 1).await;
    let ensure = ["webhooks", "ensure", "--url", URL];
    let (done, _, said) = shop.served.run(&ensure);
    assert!(!done && said.contains("but stripe.webhook_secrets is set: set stripe.webhook_secrets_file"), "{said}");
    let (done, _, said) = shop.served.run_with(&ensure, &Shop::environment(""));
    assert!(!done && said.contains("kept in a file: set stripe.webhook_secrets_file"), "{said}");
    let (done, said) = shop.run(&["webhooks", "rotate"]);
    assert!(!done && said.contains("`paywright webhooks ensure` creates one"), "{said}");
    let (_, others) = shop.endpoints().await;
    for _ in others.len()..16 {
        shop.post("/v1/webhook_endpoints", "url=http://127.0.0.1:9/other&enabled_events[]=plan.created").await;
    }
    let (done, said) = shop.run(&ensure);
    assert!(!done && said.contains("has 16 webhook endpoints, the most that Stripe allows"), "{said}");
    assert!(!shop.files[0].exists() && shop.endpoints().await.0.is_empty());
}

#[tokio::test]
async fn drift_is_told_by_readyz_metrics_and_doctor_and_never_without_an_endpoint_of_ours() {
    let database = Database::empty().await;
    let shop = Shop::start(&database, 1).await;
    let url = format!("http://{}/webhooks/stripe", shop.served.address(0));
    let found = async |of: &str| {
        let begun = Instant::now();
        loop {
            let url = format!("http://{}/metrics", shop.served.address(0));
            let text = client_without_keep_alive().get(url).send().await.unwrap();
            let text = text.text().await.unwrap();
            let series = format!("paywright_stripe_endpoint_drift{{kind=\"{of}\"}} ");
            let value =
                text.lines().find_map(|it| it.strip_prefix(&series)).unwrap_or_else(|| panic!("{text}")).to_owned();
            if value != "NaN" {
                return value;
            }
            assert!(begun.elapsed() < TIMEOUT, "the endpoint is not checked");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let warnings = async || {
        let url = format!("http://{}/readyz?verbose", shop.served.address(0));
        let ready = answer(client_without_keep_alive().get(url)).await;
        ready.body["warnings"].to_string()
    };
    // By hand: the secret of an endpoint that no command has made.
    fs::write(&shop.files[0], &shop.served.webhook_secrets[0]).unwrap();
    let process = shop.serve(0);
    assert_eq!(found("missing").await, "0");
    assert!(!warnings().await.contains("webhook endpoint"), "no drift without an endpoint of ours");
    shop.ensure(&url);
    drop(process);
    let process = shop.serve(0);
    assert_eq!(found("disabled").await, "0");
    let doctor = shop.run(&["doctor"]).1;
    assert!(doctor.contains("ok   stripe_webhooks: the endpoint of this installation"), "{doctor}");
    let (ours, _) = shop.endpoints().await;
    let path = format!("/v1/webhook_endpoints/{}", ours[0]["id"].as_str().unwrap());
    shop.post(&path, "disabled=true").await;
    drop(process);
    let process = shop.serve(0);
    assert_eq!(found("disabled").await, "1");
    assert!(warnings().await.contains("is disabled at Stripe: run `paywright webhooks ensure`"));
    let doctor = shop.run(&["doctor"]).1;
    assert!(doctor.contains("warn stripe_webhooks: The webhook endpoint of this installation is disabled"), "{doctor}");
    drop(process);
    let delete = shop.served.http.delete(format!("{}{path}", shop.served.twin_url)).bearer_auth("sk_test_twin");
    delete.send().await.unwrap();
    let _process = shop.serve(0);
    assert_eq!(found("missing").await, "1");
}

/// Customers who pay until the end of a test.
#[derive(Default)]
struct Load {
    paid: AtomicUsize,
    done: AtomicBool,
}

impl Load {
    async fn buy(self: Arc<Self>, served: Arc<Served>, n: usize) {
        while !self.done.load(Ordering::SeqCst) {
            let api = &served.replicas[n % served.replicas.len()].1;
            let key = |it: reqwest::RequestBuilder| it.header("x-api-key", &served.key);
            let placing = key(served.http.post(format!("{api}/orders"))).header("content-type", "application/json");
            let placed = answer(placing.body(two_lines().to_string())).await.body["data"].clone();
            let order = placed["id"].as_str().unwrap_or_else(|| panic!("{placed}"));
            let intent =
                key(served.http.post(format!("{api}/orders/{order}/payment-intent"))).bearer_auth(&served.token);
            let intent = answer(intent).await.body["data"]["id"].as_str().unwrap().to_owned();
            let confirm = served.http.post(format!("{}/v1/payment_intents/{intent}/confirm", served.twin_url));
            let form = "payment_method=pm_card_visa&return_url=https://shop.example/";
            assert_eq!(answer(confirm.bearer_auth("sk_test_twin").body(form)).await.status, 200);
            self.paid.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn more(&self) {
        let (begun, before) = (Instant::now(), self.paid.load(Ordering::SeqCst));
        while self.paid.load(Ordering::SeqCst) < before + PAID_EACH {
            assert!(begun.elapsed() < TIMEOUT, "too little is paid");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn a_rotation_under_load_loses_no_event_though_one_process_reads_the_file_late() {
    let database = Database::empty().await;
    let shop = Shop::start(&database, 2).await;
    let (balancer, address) = Balancer::start(&shop.served).await;
    shop.ensure(&format!("http://{address}/webhooks/stripe"));
    shop.copy_to_the_late_one();
    let processes = [shop.serve(0), shop.serve(1)];
    for n in 0..2 {
        balancer.is(n, true).await;
    }
    let load = Arc::<Load>::default();
    let (first, served) = (shop.secrets(), Arc::clone(&shop.served));
    let commands = async |arguments: &'static [&'static str]| {
        let (served, file) = (Arc::clone(&served), shop.files[0].clone());
        let run = move || served.run_with(arguments, &Shop::environment(file.to_str().unwrap()));
        let (done, printed, said) = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(done && !printed.contains("whsec_") && !said.contains("whsec_"), "{arguments:?}: {said}");
        printed
    };
    let clients: Vec<_> = (0..CLIENTS).map(|n| tokio::spawn(Arc::clone(&load).buy(Arc::clone(&served), n))).collect();
    load.more().await;
    let begun = commands(&["webhooks", "rotate", "--overlap-hours", "0"]).await;
    assert!(begun.contains("Created the endpoint we_") && begun.contains("Kept the endpoint we_"), "{begun}");
    let both = shop.secrets();
    assert!(both.len() == 2 && both.is_superset(&first), "both are accepted");
    load.more().await;
    tokio::time::sleep(LATE).await;
    shop.copy_to_the_late_one();
    load.more().await;
    let finished = commands(&["webhooks", "rotate"]).await;
    assert!(finished.contains("Deleted the endpoint we_") && finished.contains("is finished"), "{finished}");
    let last = shop.secrets();
    assert!(last.len() == 1 && last.is_disjoint(&first), "the old secret is gone");
    load.more().await;
    shop.copy_to_the_late_one();
    load.more().await;
    load.done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }

    let paid = load.paid.load(Ordering::SeqCst);
    let db = database.client().await;
    let sent: BTreeSet<String> = {
        let wanted = |it: &&Value| paywright_payments_stripe::WEBHOOK_EVENTS.contains(&it["type"].as_str().unwrap());
        let events = served.listed("/v1/events").await;
        events.iter().filter(wanted).map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let begun = Instant::now();
    let taken = loop {
        let rows = db.query("SELECT event_id FROM webhook_inbox", &[]).await.unwrap();
        let taken: Vec<String> = rows.iter().map(|it| it.get(0)).collect();
        if taken.len() >= sent.len() {
            break taken;
        }
        assert!(begun.elapsed() < 2 * TIMEOUT, "{} of {} events were taken", taken.len(), sent.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(taken.len(), sent.len(), "none was taken twice");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), sent, "each was taken");
    let number = async |sql: &str| db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let told = number("SELECT count(*) FROM facts WHERE kind = 'order.paid'").await;
    assert_eq!(usize::try_from(told), Ok(paid), "each order was paid once");
    assert_eq!(number("SELECT count(*) FROM anomalies").await, 0);
    let refused = processes.each_ref().map(|it| it.logged().matches("a webhook was refused").count());
    // The prompt one may refuse what arrives before the file is written: it reads the file once a second at most.
    assert!(refused[1] > refused[0], "the late process refused more: {refused:?}");
    for process in &processes {
        let logged = process.logged();
        assert!(!logged.contains("event found without a webhook"), "webhooks brought every event");
        assert!(logged.contains("webhook secrets were read again"), "{logged}");
        assert!(both.union(&last).all(|it| !logged.contains(it)), "no secret is logged");
    }
    println!(
        "{paid} orders paid, {} events taken once each, {} webhooks refused by the late process",
        sent.len(),
        refused[1]
    );
}
