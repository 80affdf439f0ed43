//! Real sockets of a Stripe that cannot be reached or does not answer: what callers and operators are told, and when.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paywright_app::{GatewayError, PaymentGateway, Work};
use paywright_domain::{IntentId, Timestamp};
use paywright_payments_stripe::{Client, ClientSettings, StripeGateway};
use secrecy::SecretString;

const KEY: &str = "sk_test_hush";

/// A gateway to Stripe at `base_url`, which gives a customer `customer_deadline_ms`.
fn gateway(base_url: &str, customer_deadline_ms: u64) -> StripeGateway {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::new(ClientSettings {
        base_url: base_url.to_owned(),
        attempt_timeout: Duration::from_millis(1500),
        deadline: Duration::from_millis(1500),
        customer_deadline: Duration::from_millis(customer_deadline_ms),
        backoff: Duration::from_millis(1),
        ..ClientSettings::new(SecretString::from(KEY))
    });
    StripeGateway::new(client.unwrap(), || Timestamp::EPOCH)
}

async fn read(gateway: &StripeGateway) -> GatewayError {
    gateway.intent(&IntentId::new("pi_1").unwrap()).await.unwrap_err()
}

/// The error of a read from a Stripe at `base_url` to which no connection can be made.
async fn unreachable_at(base_url: &str) -> String {
    let error = read(&gateway(base_url, 20_000)).await;
    assert!(matches!(error, GatewayError::Unreachable(_)), "{base_url}: {error:?}");
    let (shown, host) = (error.to_string(), base_url.split("//").nth(1).unwrap());
    let expected = format!("Stripe cannot be reached: GET /v1/payment_intents/pi_1: no connection to {host}: ");
    assert!(shown.starts_with(&expected), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
    shown
}

#[tokio::test]
async fn a_refused_connection_names_the_host_and_the_reason() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shown = unreachable_at(&format!("http://{free}")).await;
    assert!(shown.contains("Connection refused"), "{shown}");
}

#[tokio::test]
async fn a_name_that_is_not_found_is_named() {
    // RFC 6761: no resolver finds a name in `invalid`.
    let shown = unreachable_at("http://stripe.invalid").await;
    assert!(shown.contains("dns error"), "{shown}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    // Each attempt is a connection of its own; the thread ends with the test.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            drop(tls.complete_io(&mut stream.unwrap()));
        }
    });
    let shown = unreachable_at(&url).await;
    assert!(shown.contains("invalid peer certificate"), "{shown}");
}

/// A server that accepts connections and stays silent.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn a_customer_waits_for_a_silent_stripe_until_the_deadline_and_the_worker_for_longer() {
    let (_listener, url) = silent();
    let gateway = gateway(&url, 300);
    for customer in [gateway.clone(), gateway.for_shoppers()] {
        let begun = Instant::now();
        let error = read(&customer).await;
        assert!(matches!(error, GatewayError::Unknown(_)), "{error:?}");
        assert!(error.to_string().contains("outcome unknown after 1 attempts: the request took too long"), "{error}");
        let took = begun.elapsed();
        assert!((Duration::from_millis(300)..Duration::from_millis(1400)).contains(&took), "{took:?}");
    }
    let begun = Instant::now();
    let error = read(&gateway.in_background()).await;
    assert!(matches!(error, GatewayError::Unknown(_)), "{error:?}");
    assert!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn all_requests_to_stripe_for_one_http_request_share_its_deadline() {
    let (_listener, url) = silent();
    let gateway = gateway(&url, 300);
    let requested_at = Instant::now();
    // A customer's request uses the worker's client too, to read Stripe's lists.
    let first = Work::requested("req_1".to_owned(), requested_at, None).scope(read(&gateway.in_background())).await;
    assert!(matches!(first, GatewayError::Unknown(_)), "{first:?}");
    let second = Work::requested("req_1".to_owned(), requested_at, None).scope(read(&gateway)).await;
    let took = requested_at.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_millis(1400)).contains(&took), "{took:?}");
    // The second was not sent at all.
    assert!(matches!(second, GatewayError::Unreachable(_)), "{second:?}");
    assert!(second.to_string().ends_with("not sent, because the customer's request has waited too long already"));
}
