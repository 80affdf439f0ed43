//! Customers' tokens that an issuer signs with its own keys, by a key set from a scripted source.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use async_trait::async_trait;
use futures_util::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use paywright_domain::id::CustomerId;
use paywright_http_api::{
    KeySet, KeySetError, KeySetIssuer, KeySetRead, KeySetSource, TokenRules, Tokens, TokensError,
};
use paywright_testkit::{MockGateway, at};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{Answer, NOW, ORDERS, Service};

const ISSUER: &str = "https://login.example";
const OWN_ISSUER: &str = "https://shop.example";
/// Beginning of a private key of Ed25519 in PKCS #8 (RFC 8410), before its 32 bytes.
const PKCS8: &str = "302e020100300506032b657004220420";

/// Key of Ed25519 number `n`, whose id is `key-{n}`.
fn key(n: u8) -> EncodingKey {
    EncodingKey::from_ed_der(&[hex(PKCS8), vec![n; 32]].concat())
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Key set with these keys.
fn set_of(keys: &[u8]) -> Vec<u8> {
    let shown = |n: &u8| {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key(*n), Algorithm::EdDSA).unwrap()).unwrap();
        jwk["kid"] = json!(format!("key-{n}"));
        jwk
    };
    json!({ "keys": keys.iter().map(shown).collect::<Vec<_>>() }).to_string().into_bytes()
}

/// Token of `cus-ada` by key number `n`, with these claims too.
fn signed_with(n: u8, more: &Value) -> String {
    let header = Header { kid: Some(format!("key-{n}")), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims(more), &key(n)).unwrap()
}

fn signed(n: u8) -> String {
    signed_with(n, &json!({}))
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({ "sub": "cus-ada", "iss": ISSUER, "aud": "pay", "exp": NOW + 100_000 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// Source whose text a test sets, and whose reads it counts.
struct Scripted {
    text: Mutex<Option<Vec<u8>>>,
    reads: AtomicUsize,
    /// Each read takes a permit of it.
    gate: Semaphore,
}

#[async_trait]
impl KeySetSource for Scripted {
    async fn read(&self) -> Result<Vec<u8>, KeySetError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let text = self.text.lock().unwrap().clone();
        text.ok_or_else(|| KeySetError::Unavailable("the login does not answer".into()))
    }
}

impl Scripted {
    fn set(&self, text: Option<Vec<u8>>) {
        *self.text.lock().unwrap() = text;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

/// Service whose customers' tokens are verified by a key set, and an order of `cus-ada`.
struct Shop {
    service: Service,
    source: Arc<Scripted>,
    keys: Arc<KeySet>,
    path: String,
}

impl Shop {
    async fn open(keys: Option<&[u8]>, own_issuer: Option<&str>) -> Self {
        let mut service = Service::with(MockGateway::new()).await;
        let path = format!("{ORDERS}/{}", service.placed().await["id"].as_str().unwrap());
        let (text, gate) = (Mutex::new(keys.map(set_of)), Semaphore::new(1000));
        let source = Arc::new(Scripted { text, reads: AtomicUsize::new(0), gate });
        let keys = Arc::new(KeySet::new(Arc::<Scripted>::clone(&source)));
        service.api.tokens = Arc::new(tokens(&keys, own_issuer));
        Self { service, source, keys, path }
    }

    async fn read(&self, bearer: &str) -> Answer {
        let bearer = format!("Bearer {bearer}");
        let headers = [("x-api-key", self.service.key.as_str()), ("authorization", bearer.as_str())];
        self.service.send(Method::GET, &self.path, &headers, b"").await
    }

    /// Status and code of a read of the order.
    async fn answered(&self, bearer: &str) -> (u16, String) {
        let answer = self.read(bearer).await;
        (answer.status, answer.code().to_owned())
    }

    async fn refresh(&self) -> Result<KeySetRead, KeySetError> {
        self.keys.refresh(self.service.api.app.now()).await
    }
}

fn tokens(keys: &Arc<KeySet>, own_issuer: Option<&str>) -> Tokens {
    let issuer = KeySetIssuer { issuer: ISSUER.into(), audience: "pay".into(), keys: Arc::clone(keys) };
    let rules =
        TokenRules { issuer: own_issuer.map(str::to_owned), audience: Some("pay".into()), ..TokenRules::default() };
    Tokens::new(&SecretString::from("s".repeat(32))).unwrap().with_rules(rules).with_key_set(issuer)
}

fn accepted() -> (u16, String) {
    (200, String::new())
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

#[actix_web::test]
async fn a_token_by_a_key_of_the_set_meets_the_rules_of_all_customers_tokens() {
    let shop = Shop::open(Some(&[1, 2]), None).await;
    for (more, expected) in [
        (json!({}), accepted()),
        (json!({ "aud": ["other", "pay"] }), accepted()),
        (json!({ "nbf": NOW + 30 }), accepted()),
        (json!({ "nbf": NOW + 31 }), refused("token_invalid")),
        (json!({ "exp": NOW - 29 }), accepted()),
        (json!({ "exp": NOW - 30 }), refused("token_invalid")),
        (json!({ "exp": null }), refused("token_invalid")),
        (json!({ "iat": NOW, "exp": NOW + 721 * 3600 }), refused("token_valid_too_long")),
        (json!({ "iss": OWN_ISSUER }), refused("token_invalid")),
        (json!({ "iss": null }), refused("token_invalid")),
        (json!({ "aud": "other" }), refused("token_invalid")),
        (json!({ "aud": null }), refused("token_invalid")),
        (json!({ "sub": "two words" }), refused("token_invalid")),
        (json!({ "sub": null }), refused("token_invalid")),
        (json!({ "sub": "cus-eve" }), (404, "order_not_found".to_owned())),
    ] {
        assert_eq!(shop.answered(&signed_with(2, &more)).await, expected, "{more}");
    }
    // Signed by one key of the set in the name of another.
    let header = Header { kid: Some("key-1".into()), ..Header::new(Algorithm::EdDSA) };
    let misnamed = jsonwebtoken::encode(&header, &claims(&json!({})), &key(2)).unwrap();
    assert_eq!(shop.answered(&misnamed).await, refused("token_invalid"));
    // The Spree dialect reads the same tokens.
    let bearer = format!("Bearer {}", signed(1));
    let headers = [("authorization", bearer.as_str())];
    let listed = shop.service.send(Method::GET, "/api/v2/storefront/account/orders", &headers, b"").await;
    assert_eq!(listed.status, 200);
    assert_eq!(shop.source.reads(), 1, "all of these needed one read");
}

#[actix_web::test]
async fn the_secret_signs_tokens_of_its_own_issuer_alone_and_of_none_without_one() {
    let own = |issuer: &str| {
        let secret = EncodingKey::from_secret("s".repeat(32).as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims(&json!({ "iss": issuer })), &secret).unwrap()
    };
    for (own_issuer, issuer, expected) in [
        (None, ISSUER, refused("token_invalid")),
        (None, OWN_ISSUER, refused("token_invalid")),
        (Some(OWN_ISSUER), OWN_ISSUER, accepted()),
        (Some(OWN_ISSUER), ISSUER, refused("token_invalid")),
        // One issuer never has both.
        (Some(ISSUER), ISSUER, refused("token_invalid")),
    ] {
        let shop = Shop::open(Some(&[1]), own_issuer).await;
        assert_eq!(shop.answered(&own(issuer)).await, expected, "{own_issuer:?} {issuer}");
        assert_eq!(shop.source.reads(), 0, "the secret needs no key set");
        assert_eq!(shop.answered(&signed(1)).await, accepted());
        let of_own_issuer = signed_with(1, &json!({ "iss": OWN_ISSUER }));
        assert_eq!(shop.answered(&of_own_issuer).await, refused("token_invalid"));
        let ada = CustomerId::new("cus-ada").unwrap();
        let made = shop.service.api.tokens.customer_token(&ada, at(NOW), at(NOW + 60));
        if own_issuer == Some(OWN_ISSUER) {
            assert_eq!(shop.answered(&made.unwrap()).await, accepted());
        } else {
            assert_eq!(made, Err(TokensError::VerifiedByKeySet));
        }
    }
}

#[actix_web::test]
async fn tokens_follow_a_rotation_of_the_keys() {
    let shop = Shop::open(Some(&[1]), None).await;
    assert_eq!(shop.refresh().await.unwrap(), KeySetRead::Read { keys: 1 });
    assert_eq!(shop.answered(&signed(1)).await, accepted());
    // A second key appears. A token that names it lets the set be read, when the last read is a minute old.
    shop.source.set(Some(set_of(&[1, 2])));
    shop.service.clock.advance_seconds(59);
    assert_eq!(shop.answered(&signed(2)).await, refused("token_invalid"));
    assert_eq!(shop.source.reads(), 1);
    shop.service.clock.advance_seconds(1);
    assert_eq!(shop.answered(&signed(2)).await, accepted());
    assert_eq!(shop.answered(&signed(1)).await, accepted());
    assert_eq!(shop.source.reads(), 2);
    // The first is removed. No token asks for that, so the background read finds it.
    shop.source.set(Some(set_of(&[2])));
    shop.service.clock.advance_seconds(900);
    assert_eq!(shop.answered(&signed(1)).await, accepted());
    assert_eq!(shop.refresh().await.unwrap(), KeySetRead::Read { keys: 1 });
    assert_eq!(shop.answered(&signed(1)).await, refused("token_invalid"));
    assert_eq!(shop.answered(&signed(2)).await, accepted());
}

#[actix_web::test]
async fn unknown_keys_cause_one_read_a_minute_also_after_failures() {
    let shop = Shop::open(Some(&[1]), None).await;
    shop.refresh().await.unwrap();
    for text in [Some(set_of(&[1])), None, Some(b"<html>".to_vec()), Some(vec![b' '; 300_000])] {
        shop.source.set(text.clone());
        shop.service.clock.advance_seconds(60);
        let before = shop.source.reads();
        for n in 2..30 {
            assert_eq!(shop.answered(&signed(n)).await, refused("token_invalid"));
        }
        assert_eq!(shop.source.reads(), before + 1, "{:?}", text.map(|it| it.len()));
        assert_eq!(shop.answered(&signed(1)).await, accepted(), "the keys that were read last stay");
    }
    // A clock that is set back does not stop the reads.
    shop.service.clock.set_back_seconds(3600);
    let before = shop.source.reads();
    assert_eq!(shop.answered(&signed(2)).await, refused("token_invalid"));
    assert_eq!(shop.source.reads(), before + 1);
}

#[actix_web::test]
async fn algorithms_outside_the_set_are_refused_without_a_read() {
    let shop = Shop::open(Some(&[1]), Some(OWN_ISSUER)).await;
    shop.refresh().await.unwrap();
    shop.service.clock.advance_seconds(60);
    let secret = EncodingKey::from_secret(set_of(&[1]).as_slice());
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let header = Header { kid: Some("key-9".into()), ..Header::new(algorithm) };
        let token = jsonwebtoken::encode(&header, &claims(&json!({})), &secret).unwrap();
        assert_eq!(shop.answered(&token).await, refused("token_invalid"), "{algorithm:?}");
    }
    assert_eq!(shop.source.reads(), 1);
}

#[actix_web::test]
async fn concurrent_tokens_of_an_unknown_key_wait_for_one_read() {
    let shop = Shop::open(Some(&[1]), None).await;
    shop.refresh().await.unwrap();
    shop.service.clock.advance_seconds(60);
    shop.source.set(Some(set_of(&[1, 2])));
    let gate = shop.source.gate.forget_permits(1000);
    let bearer = signed(2);
    let calls = join_all((0..20).map(|_| shop.answered(&bearer)));
    // Opened when the read has begun, and others have had the time to begin one.
    let open = async {
        while shop.source.reads() < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        shop.source.gate.add_permits(gate);
    };
    let (answers, ()) = tokio::join!(calls, open);
    assert!(answers.iter().all(|it| *it == accepted()), "{answers:?}");
    assert_eq!(shop.source.reads(), 2);
}

#[actix_web::test]
async fn a_client_that_disconnects_does_not_end_the_read() {
    let shop = Shop::open(Some(&[1]), None).await;
    let gate = shop.source.gate.forget_permits(1000);
    let bearer = signed(1);
    tokio::select! {
        biased;
        answer = shop.answered(&bearer) => panic!("{answer:?}"),
        () = async { while shop.source.reads() < 1 { tokio::task::yield_now().await; } } => {}
    }
    shop.source.gate.add_permits(gate);
    assert_eq!(shop.answered(&bearer).await, accepted());
    assert_eq!(shop.source.reads(), 1);
}

#[actix_web::test]
async fn without_any_key_a_token_is_not_at_fault() {
    let shop = Shop::open(None, None).await;
    for keys in [None, Some([].as_slice())] {
        shop.source.set(keys.map(set_of));
        let answer = shop.read(&signed(1)).await;
        assert_eq!((answer.status, answer.code()), (503, "token_keys_unavailable"), "{keys:?}");
        assert_eq!(answer.headers.get("retry-after").unwrap(), "60");
        let bearer = format!("Bearer {}", signed(1));
        let headers = [("authorization", bearer.as_str())];
        let listed = shop.service.send(Method::GET, "/api/v2/storefront/account/orders", &headers, b"").await;
        assert_eq!(listed.status, 503, "{listed:?}");
        // Tokens that need no key set are read as ever.
        assert_eq!(shop.answered("nonsense").await, refused("token_invalid"));
        let order = shop.service.placed().await;
        assert_eq!(shop.answered(order["token"].as_str().unwrap()).await, (404, "order_not_found".into()));
        shop.service.clock.advance_seconds(60);
    }
    shop.source.set(Some(set_of(&[1])));
    assert_eq!(shop.answered(&signed(1)).await, accepted());
}
