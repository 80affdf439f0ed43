//! Authentication. `X-API-Key` identifies the application; `Authorization: Bearer` identifies the customer, by a token
//! that the shop signed (JWT, HS256) or by the token of one order.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use paywright_app::{Access, Actor, ApiKey, Scope, StoreError, TokenSubject};
use paywright_domain::id::CustomerId;
use paywright_domain::storefront::CartId;
use paywright_domain::{OrderId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::Api;
use crate::access_tokens::{AccessTokens, ApplicationAccess};
use crate::problem::Problem;
use crate::requests::record_actor;

const KEY_PREFIX: &str = "pwk_";
const ORDER_TOKEN_PREFIX: &str = "pwo_";
const CART_TOKEN_PREFIX: &str = "pwc_";
/// Minimum length of the token secret, in bytes: that of the output of HMAC-SHA256 (RFC 7518, section 3.2).
pub(crate) const SECRET_BYTES_MIN: usize = 32;

/// Text of an API key: 256 random bits. Only its holder keeps the text; the store keeps its digest.
#[derive(Debug)]
pub struct ApiKeyText(SecretString);

impl ApiKeyText {
    /// Makes a key of 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(SecretString::from(format!("{KEY_PREFIX}{}", hex::encode(bytes))))
    }

    /// Secret text, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// SHA-256 digest, which the store keeps in place of the text.
    pub fn digest(&self) -> [u8; 32] {
        digest(self.expose())
    }
}

/// SHA-256 digest of a key's text. A key of 256 random bits needs no slow hash, and since keys are looked up by digest,
/// the time of a lookup reveals nothing about a key.
fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Signs and verifies the tokens of customers, orders and carts.
pub struct Tokens {
    applications: AccessTokens,
    orders: ObjectTokens,
    carts: ObjectTokens,
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    leeway_seconds: i64,
}

/// Why a token cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokensError {
    /// The token secret has fewer than 32 bytes.
    #[error("the token secret must have at least {SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// The JWT library failed to sign.
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

/// JWT time in seconds since 1970 (RFC 7519, section 2). A fraction is dropped: our clock counts whole seconds.
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
    /// Default tolerance for clock differences when `exp` and `nbf` are checked, in seconds.
    pub const LEEWAY_SECONDS: u32 = 30;

    /// Takes the secret with which the shop signs customers' JWTs. Order and cart tokens are signed with it too; the
    /// signed bytes begin with the kind of token.
    pub fn new(secret: &SecretString) -> Result<Self, TokensError> {
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(TokensError::SecretTooShort);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        // `access` checks the times by the injected clock; no audience is required.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            applications: AccessTokens::new(bytes),
            orders: ObjectTokens::new(bytes, "order", ORDER_TOKEN_PREFIX),
            carts: ObjectTokens::new(bytes, "cart", CART_TOKEN_PREFIX),
            decoding: DecodingKey::from_secret(bytes),
            encoding: EncodingKey::from_secret(bytes),
            validation,
            leeway_seconds: Self::LEEWAY_SECONDS.into(),
        })
    }

    /// Sets the tolerance for clock differences, in seconds.
    #[must_use]
    pub fn with_leeway(self, seconds: u32) -> Self {
        Self { leeway_seconds: seconds.into(), ..self }
    }

    /// Signs a customer's JWT, valid until `expires_at`.
    pub fn customer_token(&self, customer: &CustomerId, expires_at: Timestamp) -> Result<String, TokensError> {
        let exp = NumericDate(expires_at.unix_seconds());
        let claims = Claims { sub: customer.as_str().to_owned(), exp, nbf: None };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|_| TokensError::Signing)
    }

    /// Token that gives access to one order.
    pub fn order_token(&self, order: OrderId) -> String {
        self.orders.token(order.0)
    }

    /// Token that gives access to one cart and to the order placed from it.
    pub fn cart_token(&self, cart: CartId) -> String {
        self.carts.token(cart.0)
    }

    /// Access token of an application (OAuth 2.0), valid until `access.expires_at`.
    pub(crate) fn access_token(&self, access: &ApplicationAccess) -> String {
        self.applications.token(access)
    }

    /// Access in an access token of an application; `None` if it is malformed, expired or not signed with our secret.
    pub(crate) fn application_access(&self, token: &str, now: Timestamp) -> Option<ApplicationAccess> {
        self.applications.read(token).filter(|it| now < it.expires_at)
    }

    /// Cart or order that a token gives access to; `None` for a token that we did not sign.
    pub(crate) fn subject(&self, token: &str) -> Option<TokenSubject> {
        let cart = || self.carts.read(token).map(|it| TokenSubject::Cart(CartId(it)));
        self.orders.read(token).map(|it| TokenSubject::Order(OrderId(it))).or_else(cart)
    }

    /// Orders that a bearer token gives access to; `None` if it is malformed, expired or not signed by this shop.
    pub(crate) fn access(&self, token: &str, now: Timestamp) -> Option<Access> {
        if token.starts_with(ORDER_TOKEN_PREFIX) {
            return self.orders.read(token).map(|it| Access::Order(OrderId(it)));
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // `crit` lists extensions that must be supported (RFC 7515, section 4.1.11): none is, and an empty list is
        // malformed.
        if read.header.crit.is_some() {
            return None;
        }
        let (claims, now) = (read.claims, now.unix_seconds());
        let in_time = now < claims.exp.0.saturating_add(self.leeway_seconds)
            && claims.nbf.is_none_or(|from| now >= from.0.saturating_sub(self.leeway_seconds));
        if in_time { CustomerId::new(claims.sub).ok().map(Access::Customer) } else { None }
    }
}

/// HMAC-SHA256 with the token secret, over a prefix that names the kind of token, so that a tag made for another kind
/// never verifies.
pub(crate) fn mac_of(secret: &[u8], kind: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 3)")]
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.chain_update(format!("paywright {kind} token v1:").as_bytes())
}

/// Tokens of one kind of object: its id and an HMAC-SHA256 tag of the id, so that no token has to be stored.
struct ObjectTokens {
    mac: Hmac<Sha256>,
    prefix: &'static str,
}

impl ObjectTokens {
    /// Takes the token secret, and the kind of object that the tokens are for.
    fn new(secret: &[u8], kind: &str, prefix: &'static str) -> Self {
        Self { mac: mac_of(secret, kind), prefix }
    }

    /// Token of the object with this id.
    fn token(&self, id: Uuid) -> String {
        let tag = self.mac.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        format!("{}{}_{}", self.prefix, id.as_simple(), BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// Id in a token whose tag verifies. The comparison takes constant time.
    fn read(&self, token: &str) -> Option<Uuid> {
        let (id, tag) = token.strip_prefix(self.prefix)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok()?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.mac.clone().chain_update(id.as_bytes()).verify_slice(&tag).ok().map(|()| id)
    }
}

/// Authenticates the calling application and requires `scope`.
pub(crate) async fn application(api: &Api, request: &HttpRequest, scope: Scope) -> Result<ApiKey, Problem> {
    let given = request.headers().get("x-api-key").and_then(|it| it.to_str().ok());
    let Some(text) = given else {
        let detail = "the X-API-Key header is missing: create a key with `paywright keys create`";
        return Err(Problem::unauthorized("api_key_missing", detail));
    };
    let Some(key) = key_of(api, text).await? else {
        let detail = "the X-API-Key is unknown, expired or revoked";
        return Err(Problem::unauthorized("api_key_invalid", detail));
    };
    if key.scopes.contains(&scope) {
        return Ok(key);
    }
    let detail = format!("this call requires an API key with the scope {scope}");
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
}

/// As [`application`], for a call that only an application may make: a bearer token is refused, even a valid one.
pub(crate) async fn application_alone(api: &Api, request: &HttpRequest, scope: Scope) -> Result<ApiKey, Problem> {
    let key = application(api, request, scope).await?;
    match bearer_access_or_all(api, request)? {
        Access::All => Ok(key),
        Access::Customer(_) | Access::Order(_) => {
            let detail = "this call is for applications only: send it without the Authorization header";
            Err(Problem::new(StatusCode::FORBIDDEN, "bearer_not_allowed", detail))
        }
    }
}

/// Active API key with this text, recorded as the actor of the request.
pub(crate) async fn key_of(api: &Api, text: &str) -> Result<Option<ApiKey>, StoreError> {
    key_of_digest(api, &digest(text)).await
}

/// Active API key whose text has this digest, recorded as the actor of the request.
pub(crate) async fn key_of_digest(api: &Api, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    let found = api.app.authenticate(digest).await?;
    Ok(found.inspect(|it| record_actor(Actor::ApiKey { key: it.id, key_name: it.name.clone() })))
}

/// Token of an `Authorization: Bearer` header. The scheme is case-insensitive (RFC 9110, section 11.1).
pub(crate) fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Access given by the bearer token, which is required.
pub(crate) fn bearer_access(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        let detail = "the Authorization header is missing: send `Bearer` and the token of a customer or of an order";
        return Err(Problem::unauthorized("token_missing", detail));
    };
    bearer(header).and_then(|it| api.tokens.access(it, api.app.now())).ok_or_else(|| {
        Problem::unauthorized(
            "token_invalid",
            "the bearer token is malformed, expired or not signed with this shop's secret",
        )
    })
}

/// Access given by the bearer token if there is one; otherwise that of the application, to every order.
pub(crate) fn bearer_access_or_all(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    if request.headers().contains_key(AUTHORIZATION) { bearer_access(api, request) } else { Ok(Access::All) }
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
    fn a_customers_token_gives_access_until_it_expires() {
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
    fn a_jwt_with_fractional_times_is_accepted() {
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
    fn a_jwt_with_a_critical_header_is_refused() {
        let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
        for token in [CRITICAL, CRITICAL_OF_NOTHING] {
            assert_eq!(tokens.access(token, at(NOW)), None, "{token}");
        }
    }

    #[test]
    fn the_bearer_scheme_is_case_insensitive() {
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
    fn a_token_not_signed_by_this_shop_gives_no_access() {
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
    fn an_order_token_gives_access_to_its_order_only() {
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
    fn an_api_key_is_stored_as_a_digest_and_hidden_from_debug() {
        let key = ApiKeyText::from_random([7; 32]);
        assert_eq!(key.expose().len(), KEY_PREFIX.len() + 64);
        assert!(!format!("{key:?}").contains("0707"));
        assert_eq!(key.digest(), digest(key.expose()));
    }
}
