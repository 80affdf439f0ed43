//! Who calls. `X-API-Key` says which application; `Authorization: Bearer` says which customer, by a token that
//! the shop signed (JWT, HS256) or by the token of one order.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use paywright_app::{Access, Actor, ApiKey, Scope, StoreError, TokenSubject};
use paywright_domain::{CartId, CustomerId, OrderId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::Api;
use crate::problem::Problem;
use crate::requests::asked_by;

const KEY_PREFIX: &str = "pwk_";
const ORDER_TOKEN_PREFIX: &str = "pwo_";
const CART_TOKEN_PREFIX: &str = "pwc_";
/// The shortest secret that tokens are signed with, in bytes: as long as what HMAC-SHA256 gives (RFC 7518,
/// section 3.2).
pub(crate) const SECRET_BYTES_MIN: usize = 32;

/// The text of an application's key: 256 random bits, known to its holder alone.
#[derive(Debug)]
pub struct ApiKeyText(SecretString);

impl ApiKeyText {
    /// Makes a key of 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(SecretString::from(format!("{KEY_PREFIX}{}", hex::encode(bytes))))
    }

    /// The text, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What a store keeps of it.
    pub fn digest(&self) -> [u8; 32] {
        digest(self.expose())
    }
}

/// A key is random enough that a plain digest cannot be turned back; and since the digest is what is looked
/// up, how long that takes says nothing about a key.
fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Checks and makes the tokens of customers and orders.
pub struct Tokens {
    orders: NamingTokens,
    carts: NamingTokens,
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    leeway_seconds: i64,
}

/// Why there are no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokensError {
    /// The secret is too short to be safe.
    #[error("the token secret must have at least {SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// A token could not be signed.
    #[error("the token cannot be signed")]
    Signing,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: NumericDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<NumericDate>,
}

/// Seconds since 1970 (RFC 7519, section 2). A fraction is read and dropped, since our clock has whole seconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
struct NumericDate(i64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let fractional = || number.as_f64().and_then(|it| Duration::try_from_secs_f64(it).ok());
        let whole = || fractional().and_then(|it| i64::try_from(it.as_secs()).ok());
        let seconds = number.as_i64().or_else(whole);
        seconds.map(Self).ok_or_else(|| serde::de::Error::custom("must be seconds since 1970"))
    }
}

impl Tokens {
    /// Default tolerance for a clock that differs from ours, in seconds.
    pub const LEEWAY_SECONDS: u32 = 30;

    /// Takes the secret that the shop signs its customers' tokens with. Order tokens are made from it too,
    /// by a key of their own.
    pub fn new(secret: &SecretString) -> Result<Self, TokensError> {
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(TokensError::SecretTooShort);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        // Times are checked below, by our own clock; an audience is not asked for.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            orders: NamingTokens::new(bytes, "order", ORDER_TOKEN_PREFIX),
            carts: NamingTokens::new(bytes, "cart", CART_TOKEN_PREFIX),
            decoding: DecodingKey::from_secret(bytes),
            encoding: EncodingKey::from_secret(bytes),
            validation,
            leeway_seconds: Self::LEEWAY_SECONDS.into(),
        })
    }

    /// Takes another tolerance for a clock that differs from ours.
    #[must_use]
    pub fn with_leeway(self, seconds: u32) -> Self {
        Self { leeway_seconds: seconds.into(), ..self }
    }

    /// Signs a customer's token, valid until `expires_at`.
    pub fn customer_token(&self, customer: &CustomerId, expires_at: Timestamp) -> Result<String, TokensError> {
        let exp = NumericDate(expires_at.unix_seconds());
        let claims = Claims { sub: customer.as_str().to_owned(), exp, nbf: None };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|_| TokensError::Signing)
    }

    /// The token of one order.
    pub fn order_token(&self, order: OrderId) -> String {
        self.orders.token(order.0)
    }

    /// The token of one cart, and of the order that it becomes.
    pub fn cart_token(&self, cart: CartId) -> String {
        self.carts.token(cart.0)
    }

    /// What a token of a cart or of an order opens.
    pub(crate) fn subject(&self, token: &str) -> Option<TokenSubject> {
        let cart = || self.carts.read(token).map(|it| TokenSubject::Cart(CartId(it)));
        self.orders.read(token).map(|it| TokenSubject::Order(OrderId(it))).or_else(cart)
    }

    pub(crate) fn access(&self, token: &str, now: Timestamp) -> Option<Access> {
        if token.starts_with(ORDER_TOKEN_PREFIX) {
            return self.orders.read(token).map(|it| Access::Order(OrderId(it)));
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // An extension that must be understood (RFC 7515, section 4.1.11): none is, and an empty list is malformed.
        if read.header.crit.is_some() {
            return None;
        }
        let (claims, now) = (read.claims, now.unix_seconds());
        let in_time = now < claims.exp.0.saturating_add(self.leeway_seconds)
            && claims.nbf.is_none_or(|from| now >= from.0.saturating_sub(self.leeway_seconds));
        if in_time { CustomerId::new(claims.sub).ok().map(Access::Customer) } else { None }
    }
}

/// Tokens that open one thing: its id and a code that only we can make, so that nothing has to be stored.
struct NamingTokens {
    mac: Hmac<Sha256>,
    prefix: &'static str,
}

impl NamingTokens {
    /// Takes the secret that they are made with, and of which kind of thing they are.
    fn new(secret: &[u8], kind: &str, prefix: &'static str) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        // Said first what it is for, so that no code made for something else is one of these.
        mac.update(format!("paywright {kind} token v1:").as_bytes());
        Self { mac, prefix }
    }

    /// The token of the thing with this id.
    fn token(&self, id: Uuid) -> String {
        let code = self.mac.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        format!("{}{}_{}", self.prefix, id.as_simple(), BASE64_URL_SAFE_NO_PAD.encode(code))
    }

    /// The id that a token was made for. Takes the same time for every wrong code.
    fn read(&self, token: &str) -> Option<Uuid> {
        let (id, code) = token.strip_prefix(self.prefix)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok()?;
        let code = BASE64_URL_SAFE_NO_PAD.decode(code).ok()?;
        self.mac.clone().chain_update(id.as_bytes()).verify_slice(&code).ok().map(|()| id)
    }
}

/// The application that calls, if it may do what `scope` says.
pub(crate) async fn application(api: &Api, request: &HttpRequest, scope: Scope) -> Result<ApiKey, Problem> {
    let given = request.headers().get("x-api-key").and_then(|it| it.to_str().ok());
    let Some(text) = given else {
        let detail = "the X-API-Key header is missing: make a key with `paywright keys create`";
        return Err(Problem::unauthorized("api_key_missing", detail));
    };
    let Some(key) = key_of(api, text).await? else {
        let detail = "the X-API-Key is unknown, expired or revoked";
        return Err(Problem::unauthorized("api_key_invalid", detail));
    };
    if key.scopes.contains(&scope) {
        return Ok(key);
    }
    let detail = format!("this call needs a key with the scope {scope}");
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
}

/// The key with this text, if it is taken now. From here on the request is known to be its holder's.
pub(crate) async fn key_of(api: &Api, text: &str) -> Result<Option<ApiKey>, StoreError> {
    let found = api.app.authenticate(&digest(text)).await?;
    Ok(found.inspect(|it| asked_by(Actor::ApiKey { key: it.id, key_name: it.name.clone() })))
}

/// The token of an `Authorization` header of the scheme `Bearer`, which is written in any case (RFC 9110, section
/// 11.1).
pub(crate) fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whose orders may be seen, where a customer must say who it is.
pub(crate) fn customer(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        let detail = "the Authorization header is missing: Bearer and a customer's or an order's token";
        return Err(Problem::unauthorized("token_missing", detail));
    };
    bearer(header).and_then(|it| api.tokens.access(it, api.app.now())).ok_or_else(|| {
        Problem::unauthorized("token_invalid", "the bearer token is malformed, expired or not signed by this shop")
    })
}

/// Whose orders may be seen, where an application may speak for itself: a token narrows what it sees.
pub(crate) fn customer_if_any(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    if request.headers().contains_key(AUTHORIZATION) { customer(api, request) } else { Ok(Access::All) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_743_415_050;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&SecretString::from(secret)).ok().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    #[test]
    fn a_customers_token_opens_its_orders_until_it_expires() {
        let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
        let ada = CustomerId::new("cus-ada").unwrap();
        let token = tokens.customer_token(&ada, at(NOW)).unwrap();
        for (now, expected) in [
            (NOW - 1, Some(Access::Customer(ada.clone()))),
            (NOW + 29, Some(Access::Customer(ada.clone()))),
            (NOW + 30, None),
        ] {
            assert_eq!(tokens.access(&token, at(now)), expected, "{now}");
        }
        for (leeway, now, taken) in
            [(0, NOW - 1, true), (0, NOW, false), (300, NOW + 299, true), (300, NOW + 300, false)]
        {
            let tokens = self::tokens(&"s".repeat(SECRET_BYTES_MIN)).with_leeway(leeway);
            assert_eq!(tokens.access(&token, at(now)).is_some(), taken, "{leeway} {now}");
        }
    }

    // Made by PyJWT 2.15.1: `jwt.encode(claims, "s" * 32, algorithm="HS256", headers=headers)`.
    /// `{"sub": "cus-ada", "iat": NOW + 0.25, "nbf": NOW + 0.75, "exp": NOW + 600.5}`
    const FRACTIONAL: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwiaWF0IjoxNzQzNDE1MDUwLjI1LCJuYmYiOjE3NDM0MTUwNTAuNzUsImV4cCI6MTc0MzQxNTY1MC41fQ.2o1czWMnmLCINqYHKLuLNFIaVUezXhbldxyzr5L1geg";
    /// `{"sub": "cus-ada", "exp": NOW - 30.25}`
    const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1MDE5Ljc1fQ.pf4EXgM_5mEbJsStlHjQFSjxPJeSXq_018cAqgVSE_Q";
    /// `{"sub": "cus-ada", "nbf": NOW + 31.5, "exp": NOW + 600.5}`
    const NOT_YET: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwibmJmIjoxNzQzNDE1MDgxLjUsImV4cCI6MTc0MzQxNTY1MC41fQ.555K7pwrDk3ovW9MmFkVMTOm6VBQEyK1Ca84mcZymEg";
    /// The header has `"crit": ["http://shop.example/rule"], "http://shop.example/rule": true`.
    const CRITICAL: &str = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiaHR0cDovL3Nob3AuZXhhbXBsZS9ydWxlIl0sImh0dHA6Ly9zaG9wLmV4YW1wbGUvcnVsZSI6dHJ1ZSwidHlwIjoiSldUIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.Cqnd270SoMLKed3KzdjH5PxiZkgAyJfmbeLCN-arIeY";
    /// The header has `"crit": []`.
    const CRITICAL_OF_NOTHING: &str = "eyJhbGciOiJIUzI1NiIsImNyaXQiOltdLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.bwN6DbZqW_jVZHmP_zQzcwYUY45FvQnvxL9Rz3whuwo";

    #[test]
    fn a_token_of_another_library_is_taken_with_times_in_fractions_of_seconds() {
        let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
        let ada = Some(Access::Customer(CustomerId::new("cus-ada").unwrap()));
        for (token, now, expected) in [
            (FRACTIONAL, NOW - 31, &None),
            (FRACTIONAL, NOW - 30, &ada),
            (FRACTIONAL, NOW + 629, &ada),
            (FRACTIONAL, NOW + 630, &None),
            (EXPIRED, NOW, &None),
            (EXPIRED, NOW - 2, &ada),
            (NOT_YET, NOW, &None),
            (NOT_YET, NOW + 1, &ada),
        ] {
            assert_eq!(&tokens.access(token, at(now)), expected, "{token} at {now}");
        }
    }

    #[test]
    fn a_token_with_an_extension_that_must_be_understood_is_refused() {
        let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
        for token in [CRITICAL, CRITICAL_OF_NOTHING] {
            assert_eq!(tokens.access(token, at(NOW)), None, "{token}");
        }
    }

    #[test]
    fn the_scheme_bearer_is_read_in_any_case() {
        for (header, token) in [
            ("Bearer t", Some("t")),
            ("bearer t", Some("t")),
            ("BEARER  t ", Some("t")),
            ("Basic t", None),
            ("bearert", None),
            ("t", None),
        ] {
            assert_eq!(bearer(&HeaderValue::from_static(header)), token, "{header}");
        }
    }

    #[test]
    fn a_token_that_this_shop_did_not_sign_opens_nothing() {
        let ours = tokens(&"s".repeat(SECRET_BYTES_MIN));
        let theirs = tokens(&"t".repeat(SECRET_BYTES_MIN));
        let ada = CustomerId::new("cus-ada").unwrap();
        let forged = theirs.customer_token(&ada, at(NOW + 60)).unwrap();
        // {"alg":"none"} and {"sub":"cus-ada","exp":9999999999}
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
        let order = OrderId(Uuid::from_u128(7));
        for token in [forged.as_str(), unsigned, "", "x", &theirs.order_token(order)] {
            assert_eq!(ours.access(token, at(NOW)), None, "{token}");
        }
    }

    #[test]
    fn an_orders_token_opens_that_order_alone() {
        let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
        let (one, other) = (OrderId(Uuid::from_u128(7)), OrderId(Uuid::from_u128(8)));
        let token = tokens.order_token(one);
        assert_eq!(tokens.access(&token, at(NOW)), Some(Access::Order(one)));
        let moved = token.replace(&one.0.as_simple().to_string(), &other.0.as_simple().to_string());
        assert_eq!(tokens.access(&moved, at(NOW)), None);
        assert_eq!(tokens.access(&token[..token.len() - 2], at(NOW)), None);
    }

    #[test]
    fn a_short_secret_is_refused() {
        let short = SecretString::from("s".repeat(SECRET_BYTES_MIN - 1));
        assert_eq!(Tokens::new(&short).err(), Some(TokensError::SecretTooShort));
    }

    #[test]
    fn a_key_is_shown_once_and_kept_as_a_digest() {
        let key = ApiKeyText::from_random([7; 32]);
        assert_eq!(key.expose().len(), KEY_PREFIX.len() + 64);
        assert!(!format!("{key:?}").contains("0707"));
        assert_eq!(key.digest(), digest(key.expose()));
    }
}
