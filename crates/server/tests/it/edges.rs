//! Bytes on a socket that no HTTP client sends, and secrets that no list of processes shows.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use paywright_stripe_twin::sign;
use tempfile::TempDir;

use crate::logs::settled_log;
use crate::program::{Dev, Process, TIMEOUT, address_of, answer, client, command, run};

/// Sends bytes, and returns all that is answered until the connection is closed.
fn exchanged(address: &str, sent: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    // The server may close the connection before it has read everything.
    drop(socket.write_all(sent));
    let mut received = Vec::new();
    drop(socket.read_to_end(&mut received));
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn malformed_http_is_refused_and_is_no_error_in_the_log() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &[]);
    let address = dev.api.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let long_head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(300_000));
    for sent in [
        &b"GARBAGE\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nzzz",
        b"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\nstripe-signature: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        long_head.as_bytes(),
    ] {
        let answer = exchanged(&address, sent);
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(80)]).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{shown:?}: {answer}");
    }
    let log = settled_log(&dev).await;
    let errors: Vec<_> = log.lines().filter(|it| it.contains(" ERROR ") || it.contains(" WARN ")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let head = b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchanged(&address, head);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("content-length: 15\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn the_webhook_secret_of_a_twin_is_not_among_its_arguments() {
    const SECRET: &str = "whsec_unseen";
    let folder = TempDir::new().unwrap();
    let shop = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", shop.local_addr().unwrap());
    let arguments = ["twin", "--port", "0", "--webhook", &url];
    let (done, _, said) = run(&arguments, &[], folder.path());
    assert!(!done && said.contains("STRIPE_TWIN_WEBHOOK_SECRET"), "{said}");
    let (done, _, said) = run(&[&arguments[..], &["--webhook-secret-file", "none"]].concat(), &[], folder.path());
    assert!(!done && said.contains("the file of the webhook secret none"), "{said}");
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();

    let mut by_variable = command(&arguments, folder.path());
    by_variable.env("STRIPE_TWIN_WEBHOOK_SECRET", SECRET);
    let by_file = command(&[&arguments[..], &["--webhook-secret-file", "secret"]].concat(), folder.path());
    for twin in [by_variable, by_file] {
        assert!(twin.get_args().all(|it| it != SECRET));
        let twin = Process::start(twin);
        let create = client().post(format!("{}/v1/payment_intents", address_of(&twin))).bearer_auth("sk_test_x");
        answer(create.body("amount=1000&currency=usd")).await;
        let (mut socket, _) = shop.accept().unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (mut received, mut part) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let length = socket.read(&mut part).unwrap();
            received.extend_from_slice(&part[..length]);
            let text = String::from_utf8(received.clone()).unwrap();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.ends_with('}')
                && serde_json::from_str::<serde_json::Value>(body).is_ok()
            {
                break (head.to_owned(), body.to_owned());
            }
            assert!(length > 0, "{text}");
        };
        let signature =
            head.lines().find_map(|it| it.to_lowercase().strip_prefix("stripe-signature: ").map(str::to_owned));
        let signature = signature.unwrap();
        let time = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(signature, sign(body.as_bytes(), SECRET, time));
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        // Further events of the twin are not waited for.
        drop(twin);
    }
}
