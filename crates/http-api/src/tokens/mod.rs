//! Tokens of customers, orders and carts, and of applications. They are signed with the token secret, but for those of
//! customers that an issuer signs with its own keys. None is stored.

mod customer;
mod key_set;
mod public_keys;
mod signature;

use jsonwebtoken::Algorithm;
use paywright_app::{Access, Shopper, TokenSubject};
use paywright_domain::id::CustomerId;
use paywright_domain::storefront::CartId;
use paywright_domain::{OrderId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use self::customer::{Claims, JwtKey, RequiredNames};
pub use self::key_set::{
    KEY_SET_BYTES_MAX, KEY_SET_PAUSE_SECONDS, KeySet, KeySetError, KeySetIssuer, KeySetRead, KeySetSource,
};
use self::signature::ObjectTokens;
pub(crate) use self::signature::Signatures;
use crate::access_tokens::{AccessTokens, ApplicationAccess};
use crate::problem::Problem;

const ORDER_TOKEN_PREFIX: &str = "pwo_";
const CART_TOKEN_PREFIX: &str = "pwc_";
/// Minimum length of a token secret, in bytes: that of the output of HMAC-SHA256 (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;
const SECONDS_PER_DAY: u32 = 24 * 3600;

/// Signs and verifies the tokens of customers, orders and carts.
pub struct Tokens {
    applications: AccessTokens,
    orders: ObjectTokens,
    carts: ObjectTokens,
    /// Tokens of carts that were assigned to a customer after a guest had filled them.
    reissued_carts: ObjectTokens,
    /// Keys of customers' JWTs: the current one, which signs, and the previous one.
    keys: Vec<JwtKey>,
    rules: TokenRules,
    /// Issuer that signs customers' tokens with its own keys, if there is one.
    issuer: Option<KeySetIssuer>,
}

/// Rules that a token must meet beside its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// Tolerance for clock differences when the times of a customer's token are checked, in seconds.
    pub leeway_seconds: u32,
    /// Required issuer (`iss`) of customers' tokens that are signed with the token secret; `None` for any. Beside a key
    /// set, `None` is for none.
    pub issuer: Option<String>,
    /// Audience that customers' tokens must name (`aud`) if they are signed with the token secret; `None` for any.
    pub audience: Option<String>,
    /// Longest time for which a customer's token may be valid, in hours; `None` for no limit.
    pub customer_hours_max: Option<u32>,
    /// Age from which the token of an order gives no access, in days after the order was placed; `None` for no limit.
    pub order_days: Option<u32>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            leeway_seconds: 30,
            issuer: None,
            audience: None,
            customer_hours_max: Some(30 * 24),
            order_days: Some(Self::ORDER_DAYS),
        }
    }
}

impl TokenRules {
    /// Default age from which the token of an order or a cart gives no access, in days.
    pub const ORDER_DAYS: u32 = 90;
}

/// Why a token cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokensError {
    /// A token secret has fewer than 32 bytes.
    #[error("the token secret must have at least {SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// The token would be valid for longer than the rules allow.
    #[error("a customer's token may be valid for at most {hours_max} hours (auth.customer_token_hours_max)")]
    ValidTooLong {
        /// Longest time for which a token may be valid, in hours.
        hours_max: u32,
    },
    /// Customers' tokens are verified by a key set alone.
    #[error(
        "customers' tokens are verified by a key set (auth.jwks_url or auth.jwks_file), and one signed with the token secret \
         would be refused: get one from the issuer of auth.issuer, or set auth.hs256_issuer, another issuer for tokens that \
         are signed with the token secret"
    )]
    VerifiedByKeySet,
    /// The JWT library failed to sign.
    #[error("the token cannot be signed")]
    Signing,
}

/// Why a bearer token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum TokenRefusal {
    /// The token is malformed, or not signed with a token secret or a key of the key set.
    #[error("the bearer token is malformed, or not signed with the secret or the key that this shop accepts")]
    Invalid,
    /// The token has expired (`exp`).
    #[error("the bearer token has expired")]
    Expired,
    /// The token is not valid yet (`nbf`).
    #[error("the bearer token is not valid yet (`nbf`): the clock of its issuer may be ahead")]
    NotYetValid,
    /// The token's `sub` is not an id of a customer.
    #[error("the bearer token's `sub` must be a customer's id")]
    NoCustomer,
    /// The token is signed with the token secret or another one, and only the key set is accepted.
    #[error("the bearer token must be signed by its issuer's key set, with RS256, ES256 or EdDSA, and not with HS256")]
    SignedWithSecret,
    /// The token names a key that is not in the key set.
    #[error("the key that the bearer token names (`kid`) is not in the key set of its issuer")]
    UnknownKey,
    /// No key to verify the token with: the key set was never read, or has no usable key.
    #[error("the key set that verifies customers' tokens is not available; nothing was changed: try again later")]
    KeysUnavailable,
    /// The token is of another issuer, or names none.
    #[error("the bearer token must name the issuer (`iss`) that this service is set to accept")]
    Issuer,
    /// The token is for another audience, or names none.
    #[error("the bearer token must name the audience (`aud`) that this service is set to")]
    Audience,
    /// The token is valid for a longer time than the setting allows.
    #[error("the bearer token is valid for longer than this service allows: let it expire earlier")]
    ValidTooLong,
    /// The order of the token was placed too long ago.
    #[error("the token of an order gives no access any more when its order was placed too long ago")]
    TooOld,
}

impl TokenRefusal {
    /// Stable code of the refusal.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Invalid
            | Self::Expired
            | Self::NotYetValid
            | Self::NoCustomer
            | Self::SignedWithSecret
            | Self::UnknownKey
            | Self::Issuer
            | Self::Audience => "token_invalid",
            Self::KeysUnavailable => "token_keys_unavailable",
            Self::ValidTooLong => "token_valid_too_long",
            Self::TooOld => "token_too_old",
        }
    }

    /// Seconds after which the same token may be accepted; `None` if the token itself is at fault.
    pub(crate) fn retry_after(self) -> Option<u32> {
        (self == Self::KeysUnavailable).then_some(KEY_SET_PAUSE_SECONDS)
    }
}

impl From<TokenRefusal> for Problem {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal.retry_after() {
            Some(seconds) => Self::keys_unavailable(refusal.code(), &refusal.to_string(), seconds),
            None => Self::unauthorized(refusal.code(), &refusal.to_string()),
        }
    }
}

impl Tokens {
    /// Takes the secret with which the shop signs customers' JWTs. The other tokens are signed with it too; the signed
    /// bytes begin with the kind of token.
    pub fn new(secret: &SecretString) -> Result<Self, TokensError> {
        let bytes = checked(secret)?;
        Ok(Self {
            applications: AccessTokens::new(Signatures::new(bytes, "access")),
            orders: ObjectTokens::new(bytes, "order", ORDER_TOKEN_PREFIX),
            carts: ObjectTokens::new(bytes, "cart", CART_TOKEN_PREFIX),
            reissued_carts: ObjectTokens::new(bytes, "reissued cart", CART_TOKEN_PREFIX),
            keys: vec![JwtKey::new(bytes)],
            rules: TokenRules::default(),
            issuer: None,
        })
    }

    /// Accepts tokens that were signed with `secret` too, the one before the current secret.
    pub fn with_previous(mut self, secret: &SecretString) -> Result<Self, TokensError> {
        let bytes = checked(secret)?;
        self.applications.accept(bytes);
        for tokens in [&mut self.orders, &mut self.carts, &mut self.reissued_carts] {
            tokens.accept(bytes);
        }
        self.keys.push(JwtKey::new(bytes));
        Ok(self)
    }

    /// Sets the rules that tokens must meet.
    #[must_use]
    pub fn with_rules(self, rules: TokenRules) -> Self {
        Self { rules, ..self }
    }

    /// Accepts customers' tokens that this issuer has signed with its own keys. Those that are signed with the token secret
    /// are accepted beside them only if the rules name another issuer for them.
    #[must_use]
    pub fn with_key_set(self, issuer: KeySetIssuer) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// Warning for the operator: there is a key set, and no key of it to verify a token with.
    pub(crate) fn warning(&self) -> Option<String> {
        let missing = self.issuer.as_ref().is_some_and(|it| !it.keys.has_keys());
        missing.then(|| {
            "The key set of customers' tokens was not read yet or has no usable key: their tokens are refused. The log has the \
             reason."
                .to_owned()
        })
    }

    /// Whether customers' tokens that are signed with the token secret are accepted.
    fn accepts_own(&self) -> bool {
        let own = self.rules.issuer.as_ref();
        self.issuer.as_ref().is_none_or(|it| own.is_some_and(|own| *own != it.issuer))
    }

    /// Signs a customer's JWT, which is issued at `now` and valid until `expires_at`.
    pub fn customer_token(
        &self,
        customer: &CustomerId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, TokensError> {
        if !self.accepts_own() {
            return Err(TokensError::VerifiedByKeySet);
        }
        let claims = Claims::new(customer, (now, expires_at), &self.rules);
        match (claims.is_valid_too_long(now, &self.rules), self.rules.customer_hours_max) {
            (true, Some(hours_max)) => Err(TokensError::ValidTooLong { hours_max }),
            (_, _) => self.keys.first().and_then(|it| it.sign(&claims)).ok_or(TokensError::Signing),
        }
    }

    /// Token that gives access to one order.
    pub fn order_token(&self, order: OrderId) -> String {
        self.orders.token(order.0)
    }

    /// Token that gives access to one cart and to the order placed from it. A cart that `was_guests` before it was
    /// assigned to its customer has another one than the guest was given.
    pub fn cart_token(&self, cart: CartId, was_guests: bool) -> String {
        if was_guests { self.reissued_carts.token(cart.0) } else { self.carts.token(cart.0) }
    }

    /// Access token of an application (OAuth 2.0), valid until `access.expires_at`.
    pub(crate) fn access_token(&self, access: &ApplicationAccess) -> String {
        self.applications.token(access)
    }

    /// Access in an access token of an application; `None` if it is malformed, expired or not signed with our secret.
    pub(crate) fn application_access(&self, token: &str, now: Timestamp) -> Option<ApplicationAccess> {
        self.applications.read(token).filter(|it| now < it.expires_at)
    }

    /// Shopper who holds the token of a cart or an order; `None` for a token that we did not sign, and for that of an
    /// order that is too old.
    pub(crate) fn holder(&self, token: &str, now: Timestamp) -> Option<Shopper> {
        let held = |subject, is_reissued| Shopper { subject: Some(subject), is_reissued, ..Shopper::default() };
        let cart = |tokens: &ObjectTokens| tokens.read(token).map(|it| TokenSubject::Cart(CartId(it)));
        let order = || self.order_of(token, now).ok().map(TokenSubject::Order);
        let by_first_token = || cart(&self.carts).or_else(order).map(|it| held(it, false));
        by_first_token().or_else(|| cart(&self.reissued_carts).map(|it| held(it, true)))
    }

    /// Order of an order's token.
    fn order_of(&self, token: &str, now: Timestamp) -> Result<OrderId, TokenRefusal> {
        let order = self.orders.read(token).map(OrderId).ok_or(TokenRefusal::Invalid)?;
        let Some(days) = self.rules.order_days else { return Ok(order) };
        // An order is placed at the time in its id.
        let ends_at = order.drawn_at().map(|it| it.plus_seconds(days.saturating_mul(SECONDS_PER_DAY)));
        if ends_at.is_some_and(|it| now < it) { Ok(order) } else { Err(TokenRefusal::TooOld) }
    }

    /// Orders that a bearer token gives access to.
    pub(crate) async fn access(&self, token: &str, now: Timestamp) -> Result<Access, TokenRefusal> {
        if token.starts_with(ORDER_TOKEN_PREFIX) {
            return self.order_of(token, now).map(Access::Order);
        }
        let claims = self.customer_claims(token, now).await?;
        claims.customer().map(Access::Customer).ok_or(TokenRefusal::NoCustomer)
    }

    /// Claims of a customer's token that is signed as it must be, and meets the rules. The algorithm decides between the
    /// token secret and the key set, and each has its own issuer: no secret is a key of the set, and no key a secret.
    async fn customer_claims(&self, token: &str, now: Timestamp) -> Result<Claims, TokenRefusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenRefusal::Invalid)?;
        let (claims, names) = match &self.issuer {
            Some(it) if header.alg != Algorithm::HS256 => {
                let names = RequiredNames { issuer: Some(&it.issuer), audience: Some(&it.audience) };
                (it.keys.claims(token, &header, now).await?, names)
            }
            Some(_) if !self.accepts_own() => return Err(TokenRefusal::SignedWithSecret),
            Some(_) | None => {
                let claims = self.keys.iter().find_map(|it| it.read(token)).ok_or(TokenRefusal::Invalid)?;
                (claims, RequiredNames { issuer: self.rules.issuer.as_ref(), audience: self.rules.audience.as_ref() })
            }
        };
        claims.check(now, names, &self.rules)?;
        Ok(claims)
    }
}

/// Bytes of a token secret that is long enough.
fn checked(secret: &SecretString) -> Result<&[u8], TokensError> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < SECRET_BYTES_MIN { Err(TokensError::SecretTooShort) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
