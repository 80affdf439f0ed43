//! The reverse proxy of `docs/operations.md`, exactly as printed there, run by nginx.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use serde_json::json;
use tempfile::TempDir;

use crate::program::{Answer, TIMEOUT, answer};
use crate::served::{Served, free_ports};

const HOST: &str = "pay.shop.example";

/// An nginx process that is killed when it is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn nginx() -> Command {
    let usual = Path::new("/usr/sbin/nginx");
    let mut nginx = Command::new(if usual.is_file() { usual } else { Path::new("nginx") });
    nginx.stdin(Stdio::null());
    nginx
}

/// The documented configuration, with the addresses and files of the test.
fn configuration(folder: &Path, port: u16, upstream: &str) -> String {
    let docs = include_str!("../../../../docs/operations.md");
    let (_, from) = docs.split_once("```nginx\n").expect("there is an example");
    let (example, _) = from.split_once("```").unwrap();
    let mut example = example.to_owned();
    for (printed, here) in [
        ("server 127.0.0.1:8080;", format!("server {upstream};")),
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port} ssl;")),
        ("/etc/ssl/pay.shop.example.pem", folder.join("cert.pem").display().to_string()),
        ("/etc/ssl/private/pay.shop.example.key", folder.join("key.pem").display().to_string()),
    ] {
        assert!(example.contains(printed), "{printed} is in the documentation: {example}");
        example = example.replace(printed, &here);
    }
    let place = folder.display();
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|it| format!("{it}_temp_path {place}/{it};")).concat();
    format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}\n{example}}}\n"
    )
}

/// A client that calls from an address of this machine.
fn client(certificate: &Certificate, from: u8, port: u16) -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().timeout(TIMEOUT).no_proxy().add_root_certificate(certificate.clone());
    let address = (Ipv4Addr::LOCALHOST, port).into();
    builder.resolve(HOST, address).local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, from))).build().unwrap()
}

#[tokio::test]
async fn the_documented_reverse_proxy_reports_each_clients_real_address() {
    let served = Served::start_with("sqlite:orders.db", 1, false, "0", "http.trusted_proxies = \"127.0.0.1\"").await;
    let folder = TempDir::new().unwrap();
    let signed = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), signed.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
    let port = free_ports(1)[0];
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, configuration(folder.path(), port, &served.address(0))).unwrap();
    let checked = nginx().arg("-t").arg("-c").arg(&file).output().expect("nginx runs: scripts/test installs it");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && !said.contains("[warn]"), "{said}");
    let _nginx = Nginx(nginx().arg("-c").arg(&file).stderr(Stdio::null()).spawn().unwrap());

    let certificate = Certificate::from_pem(signed.cert.pem().as_bytes()).unwrap();
    let url = |path: &str| format!("https://{HOST}:{port}{path}");
    let new_cart = async |http: &Client, claimed: &str| -> Answer {
        let request = http.post(url("/api/v2/storefront/cart")).header("x-forwarded-for", claimed);
        answer(request.header("content-type", "application/json").body(json!({}).to_string())).await
    };
    let (first, second) = (client(&certificate, 2, port), client(&certificate, 3, port));
    let begun = Instant::now();
    while first.get(url("/healthz")).send().await.is_err() {
        assert!(begun.elapsed() < TIMEOUT, "nginx does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut statuses = Vec::new();
    for n in 0..15 {
        // A different forged address each time.
        statuses.push(new_cart(&first, &format!("203.0.113.{n}")).await.status);
    }
    assert_eq!(statuses[..10], [201; 10], "{statuses:?}");
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    assert_eq!(new_cart(&second, "203.0.113.1").await.status, 201, "another client has its own rate");
    let begun = Instant::now();
    let mut log = String::new();
    // A line may be read after its request was answered.
    while !log.contains("client=127.0.0.3") && begun.elapsed() < TIMEOUT {
        tokio::time::sleep(Duration::from_millis(10)).await;
        log = served.replicas[0].0.as_ref().unwrap().logged();
    }
    assert!(log.contains("client=127.0.0.2") && log.contains("client=127.0.0.3"), "{log}");
    assert!(!log.contains("203.0.113."), "{log}");
}
