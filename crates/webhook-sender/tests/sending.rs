//! Webhooks as endpoints receive them, what is read of the answers, and the addresses that are connected to.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{
    ANSWER_BYTES_MAX, EndpointAnswer, EndpointFormat, EndpointId, EndpointUrl, OutgoingWebhook, SendError,
    SendErrorClass, SendResult, WebhookSender,
};
use paywright_domain::Timestamp;
use paywright_webhook_sender::{HttpWebhookSender, Lookup, SenderSettings};
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const ENDPOINT: EndpointId = EndpointId(Uuid::from_u128(9));
const BODY: &str = r#"{"type":"order.paid","timestamp":"2025-03-31T09:57:30Z","data":{"name":"Ünal"}}"#;

fn settings() -> SenderSettings {
    drop(rustls::crypto::ring::default_provider().install_default());
    SenderSettings {
        key: Some(SecretString::from("a key of the service with 32 bytes, or more")),
        allow_http: true,
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
        timeout: Duration::from_millis(1500),
        ..SenderSettings::default()
    }
}

fn sender() -> HttpWebhookSender {
    HttpWebhookSender::new(settings()).unwrap()
}

fn webhook(url: &str) -> OutgoingWebhook {
    // The verifiers read the clock of the machine.
    #[expect(clippy::disallowed_methods, reason = "a judge compares the timestamp with the real time")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    OutgoingWebhook {
        endpoint: ENDPOINT,
        url: EndpointUrl::parse(url).unwrap(),
        format: EndpointFormat::Standard,
        generations: vec![1],
        id: Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0001),
        at: Timestamp::from_unix_seconds(i64::try_from(now.as_secs()).unwrap()).unwrap(),
        body: BODY.into(),
        trace: None,
    }
}

fn answer(result: SendResult) -> EndpointAnswer {
    result.answer.unwrap()
}

fn class(result: SendResult) -> (SendErrorClass, String) {
    let SendError { class, message } = result.answer.unwrap_err();
    (class, message)
}

/// Server that accepts connections and answers each as `serve` says; with its URL and the number of its connections.
async fn server<F, R>(serve: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            serve(stream).await;
        }
    });
    (url, connections)
}

/// Reads a request, and writes `answer`.
async fn answer_with(stream: &mut TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        stream.read_buf(&mut request).await.unwrap();
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn the_official_verifier_accepts_a_webhook_and_while_rotating_each_of_two_secrets() {
    let server = MockServer::start().await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let sender = sender();
    let url = format!("{}/hook?shop=1", server.uri());
    answer(sender.send(&webhook(&url)).await);
    answer(sender.send(&OutgoingWebhook { generations: vec![2, 1], ..webhook(&url) }).await);
    let [first, rotating] = <[_; 2]>::try_from(server.received_requests().await.unwrap()).unwrap();

    let verify = |generation: u32, body: &[u8], request: &wiremock::Request| {
        let secret = sender.secret(ENDPOINT, generation);
        Webhook::new(secret.expose_secret()).unwrap().verify(body, &request.headers).is_ok()
    };
    assert!(verify(1, &first.body, &first));
    assert!(!verify(2, &first.body, &first) && !verify(1, b"{}", &first));
    assert!(verify(1, &rotating.body, &rotating) && verify(2, &rotating.body, &rotating));
    assert!(!verify(3, &rotating.body, &rotating));

    assert_eq!(
        (first.method.as_str(), first.url.query(), first.body.as_slice()),
        ("POST", Some("shop=1"), BODY.as_bytes())
    );
    let header = |name: &str| first.headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("webhook-id"), "0195ead7-0000-7000-8000-000000000001");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("user-agent"), concat!("Paywright/", env!("CARGO_PKG_VERSION")));
    assert!(first.headers.get("traceparent").is_none(), "no trace is exported");
    assert!(first.headers.get("x-spree-hmac-sha256").is_none(), "the format is the standard one");
    assert!(header("webhook-timestamp").bytes().all(|it| it.is_ascii_digit()));
}

#[tokio::test]
async fn a_receiver_can_continue_the_trace_of_a_webhook() {
    let server = MockServer::start().await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let url = format!("{}/hook", server.uri());
    answer(sender().send(&OutgoingWebhook { trace: parent.parse().ok(), ..webhook(&url) }).await);
    let [received] = <[_; 1]>::try_from(server.received_requests().await.unwrap()).unwrap();
    assert_eq!(received.headers.get("traceparent").unwrap(), parent);
}

#[tokio::test]
async fn statuses_and_waits_are_passed_on_and_redirects_are_not_followed() {
    let server = MockServer::start().await;
    let redirect = format!("{}/elsewhere", server.uri());
    for (status, header, wait) in [
        (200, None, None),
        (204, None, None),
        (410, None, None),
        (500, None, None),
        (429, Some(("retry-after", "120")), Some(120)),
        (503, Some(("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")), Some(0)),
        (301, Some(("location", redirect.as_str())), None),
        (307, Some(("location", redirect.as_str())), None),
        (308, Some(("location", "http://169.254.169.254/latest/meta-data")), None),
    ] {
        let mut template = ResponseTemplate::new(status);
        if let Some((name, value)) = header {
            template = template.insert_header(name, value);
        }
        server.reset().await;
        Mock::given(wiremock::matchers::any()).respond_with(template).mount(&server).await;
        let answer = answer(sender().send(&webhook(&format!("{}/hook", server.uri()))).await);
        assert_eq!(answer, EndpointAnswer { status, retry_after_seconds: wait, body: String::new() });
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn only_the_beginning_of_an_endless_answer_is_read() {
    let (url, _) = server(|mut stream| async move {
        answer_with(&mut stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let sent = answer(sender().send(&webhook(&url)).await);
    assert_eq!((sent.status, sent.body), (200, "x".repeat(ANSWER_BYTES_MAX)));
}

#[tokio::test]
async fn an_answer_that_is_not_text_is_read_all_the_same() {
    let server = MockServer::start().await;
    let template = ResponseTemplate::new(400).set_body_bytes(b"no\0\xff\xfe!".as_slice());
    Mock::given(wiremock::matchers::any()).respond_with(template).mount(&server).await;
    let sent = answer(sender().send(&webhook(&format!("{}/hook", server.uri()))).await);
    assert_eq!(sent.body, "no\u{fffd}\u{fffd}\u{fffd}!");
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_complete_answer() {
    let (url, connections) = server(|mut stream| async move {
        for _ in 0..3 {
            answer_with(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let sender = sender();
    for _ in 0..3 {
        assert_eq!(answer(sender.send(&webhook(&url)).await).body, "ok");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn attempts_without_an_answer_have_a_class() {
    let (silent, _) = server(|mut stream| async move {
        answer_with(&mut stream, "").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    })
    .await;
    let (closing, _) = server(|mut stream| async move { answer_with(&mut stream, "").await }).await;
    let (other, _) =
        server(|mut stream| async move { answer_with(&mut stream, "SSH-2.0-OpenSSH_9.2\r\n").await }).await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/hook", listener.local_addr().unwrap())
    };
    let (plain, _) = server(|mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await);
    })
    .await;
    let plain = plain.replace("http://", "https://");
    for (url, expected, sentence) in [
        (&silent, SendErrorClass::Timeout, "there was no complete answer of 127.0.0.1:"),
        (&closing, SendErrorClass::Interrupted, "broke before the answer was complete: "),
        (&other, SendErrorClass::Interrupted, "broke before the answer was complete: "),
        (&closed, SendErrorClass::Connect, "could be made: Connection refused"),
        (&plain, SendErrorClass::Tls, "TLS with 127.0.0.1:"),
    ] {
        let url = format!("{url}?token=hush");
        let sent = sender().send(&webhook(&url)).await;
        let (duration, (class, message)) = (sent.duration_ms, class(sent));
        assert_eq!(class, expected, "{url}: {message}");
        assert!(message.contains(sentence) && !message.contains("hush"), "{message}");
        assert!(class != SendErrorClass::Timeout || (1500..3000).contains(&duration), "{duration} ms");
    }
}

/// An endpoint that has answered 2xx must not get the event again, and 410 disables it, whatever becomes of the body.
#[tokio::test]
async fn the_status_decides_even_if_the_body_breaks_off_or_is_slow() {
    let (slow, _) = server(|mut stream| async move {
        answer_with(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let (short, _) = server(|mut stream| async move {
        answer_with(&mut stream, "HTTP/1.1 410 Gone\r\ncontent-length: 9\r\n\r\nshort").await;
    })
    .await;
    let slow = sender().send(&webhook(&slow)).await;
    assert!(slow.duration_ms < 3000, "{} ms", slow.duration_ms);
    let EndpointAnswer { status, body, .. } = answer(slow);
    assert!(status == 200 && body.starts_with('x'), "{status} {body}");
    let EndpointAnswer { status, body, .. } = answer(sender().send(&webhook(&short)).await);
    assert_eq!((status, body.as_str()), (410, "short"));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let mut tls = rustls::ServerConnection::new(Arc::new(config.unwrap())).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        tls.complete_io(&mut stream).is_err()
    });
    let (class, message) = class(sender().send(&webhook(&url)).await);
    assert_eq!(class, SendErrorClass::Tls, "{message}");
    assert!(message.contains("invalid peer certificate"), "{message}");
    assert!(serving.join().unwrap(), "the sender ended the handshake");
}

/// Lookup that answers with one list of addresses after the other.
#[derive(Default)]
struct Scripted(Mutex<Vec<io::Result<Vec<&'static str>>>>);

#[async_trait]
impl Lookup for Scripted {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "shop.example");
        Ok(self.0.lock().unwrap().remove(0)?.into_iter().map(|it| it.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn a_name_is_resolved_and_its_addresses_are_checked_at_each_connection() {
    let server = MockServer::start().await;
    // The answer closes its connection, so that each attempt makes one.
    let template = ResponseTemplate::new(200).insert_header("connection", "close");
    Mock::given(wiremock::matchers::any()).respond_with(template).mount(&server).await;
    let lookup = Scripted(Mutex::new(vec![
        Ok(vec!["127.0.0.1"]),
        Ok(vec!["10.0.0.1"]),
        Ok(vec!["169.254.169.254", "::ffff:10.0.0.1", "::1", "fd00::1"]),
        Ok(vec!["10.0.0.1", "127.0.0.1"]),
        Ok(vec![]),
        Err(io::Error::other("no such host")),
    ]));
    let sender = HttpWebhookSender::with_lookup(settings(), Arc::new(lookup)).unwrap();
    let url = format!("http://shop.example:{}/hook?token=hush", server.address().port());
    let send = async || sender.send(&webhook(&url)).await;
    assert_eq!(answer(send().await).status, 200);
    // The name was public, as the setting has it, and now leads to a private network.
    let (rebound, message) = class(send().await);
    assert_eq!(rebound, SendErrorClass::AddressNotAllowed);
    assert!(message.contains("it resolves to 10.0.0.1, which is neither public nor allowed"), "{message}");
    assert_eq!(class(send().await).0, SendErrorClass::AddressNotAllowed);
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "nothing else was sent");
    assert_eq!(answer(send().await).status, 200, "of several addresses the allowed one is connected to");
    for cause in ["it has no address", "no such host"] {
        let (dns, message) = class(send().await);
        assert_eq!(dns, SendErrorClass::Dns);
        assert!(message.contains(cause) && !message.contains("hush"), "{message}");
    }
}

#[tokio::test]
async fn private_addresses_and_plain_http_are_refused_before_anything_is_sent() {
    let strict = SenderSettings { allow_http: false, allowed_networks: vec![], ..settings() };
    let open = SenderSettings { allowed_networks: vec![], ..settings() };
    let (strict, open) = (HttpWebhookSender::new(strict).unwrap(), HttpWebhookSender::new(open).unwrap());
    let (here, connections) = server(|_| async {}).await;
    for (sender, url, reason) in [
        (&strict, "http://example.com/", "must begin with https://"),
        (&strict, "https://127.0.0.1/", "127.0.0.1 is neither"),
        (&open, here.as_str(), "127.0.0.1 is neither"),
        (&open, "http://169.254.169.254/x", "169.254.169.254 is neither"),
        (&open, "http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is neither"),
        (&open, "http://2130706433/", "127.0.0.1 is neither"),
        (&open, "http://0177.0.0.1/", "127.0.0.1 is neither"),
        (&open, "http://0x7f.1./", "127.0.0.1 is neither"),
        (&open, "http://localhost./", "127.0.0.1 is neither"),
    ] {
        let webhook = webhook(url);
        let refused = sender.check_url(&webhook.url).unwrap_err().to_string();
        assert!(refused.contains(reason), "{url}: {refused}");
        let (class, message) = class(sender.send(&webhook).await);
        assert_eq!(class, SendErrorClass::AddressNotAllowed, "{url}");
        assert!(message.contains(reason), "{url}: {message}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 0);
    assert!(open.check_url(&webhook("http://example.com/").url).is_ok());
    assert!(strict.check_url(&webhook("https://example.com/").url).is_ok());
    assert!(sender().check_url(&webhook(&here).url).is_ok(), "the setting allows the network");
}

#[tokio::test]
async fn nothing_is_sent_without_a_key() {
    let (url, connections) = server(|_| async {}).await;
    let sender = HttpWebhookSender::new(SenderSettings { key: None, ..settings() }).unwrap();
    assert_eq!(sender.key_id(), None);
    assert_eq!(sender.secret(ENDPOINT, 1).expose_secret(), "");
    let (_, message) = class(sender.send(&webhook(&url)).await);
    assert!(message.contains("there is no key"), "{message}");
    assert_eq!(connections.load(Ordering::Relaxed), 0);
    let short = SenderSettings { key: Some(SecretString::from("short")), ..settings() };
    let refused = HttpWebhookSender::new(short).err().unwrap().to_string();
    assert_eq!(refused, "the key must have at least 32 bytes, drawn at random (openssl rand -base64 32)");
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    const VARIABLE: &str = "PAYWRIGHT_TEST_ENDPOINT";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(url) = std::env::var(VARIABLE) {
        assert_eq!(answer(runtime.block_on(sender().send(&webhook(&url)))).status, 200);
        return;
    }
    // The environment of a process is set when it starts, so this test runs itself in another one.
    let server = runtime.block_on(MockServer::start());
    let ok = Mock::given(wiremock::matchers::any()).respond_with(ResponseTemplate::new(200)).mount(&server);
    runtime.block_on(ok);
    let proxy = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    proxy.set_nonblocking(true).unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|it| (it, proxy_url.as_str()));
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proxies_of_the_environment_are_not_used"])
        .envs(variables)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env(VARIABLE, format!("{}/hook", server.uri()))
        .output();
    let child = child.unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(proxy.accept().is_err(), "no connection was made to the proxy");
    assert_eq!(runtime.block_on(server.received_requests()).unwrap().len(), 1);
}
