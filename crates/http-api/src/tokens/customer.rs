//! Customers' tokens: JWT (RFC 7519), signed with the token secret (HS256) or by an issuer with its own keys.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use paywright_domain::Timestamp;
use paywright_domain::id::CustomerId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{TokenRefusal, TokenRules};

const SECONDS_PER_HOUR: u32 = 3600;

/// Key of customers' tokens that the shop signs. Not `Debug`: it is the token secret.
pub(super) struct JwtKey {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
}

impl JwtKey {
    /// Takes a token secret.
    pub(super) fn new(secret: &[u8]) -> Self {
        let (decoding, encoding) = (DecodingKey::from_secret(secret), EncodingKey::from_secret(secret));
        Self { decoding, encoding, validation: validation(Algorithm::HS256) }
    }

    /// Signs a token with these claims; `None` if the JWT library failed.
    pub(super) fn sign(&self, claims: &Claims) -> Option<String> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding).ok()
    }

    /// Claims of a token that was signed with this key.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        read_claims(token, &self.decoding, &self.validation)
    }
}

/// Rules of the JWT library for tokens of this one algorithm.
pub(super) fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "sub"]);
    // The times are checked by the injected clock, and the audience by our rules.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

/// Claims of a token that was signed with this key.
pub(super) fn read_claims(token: &str, key: &DecodingKey, validation: &Validation) -> Option<Claims> {
    let read = jsonwebtoken::decode::<Claims>(token, key, validation).ok()?;
    // `crit` lists extensions that must be supported (RFC 7515, section 4.1.11): none is, and an empty list is
    // malformed.
    read.header.crit.is_none().then_some(read.claims)
}

/// Names that a token must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequiredNames<'a> {
    /// Required issuer; `None` for any.
    pub(super) issuer: Option<&'a String>,
    /// Audience that the token must name; `None` for any.
    pub(super) audience: Option<&'a String>,
}

/// Claims of a customer's token. Issuer and audience are of any form as long as no rule asks for them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    sub: String,
    exp: NumericDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
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

impl Claims {
    /// Claims of a token of `customer` that is issued and expires at these times, with the issuer and audience of the
    /// rules.
    pub(super) fn new(
        customer: &CustomerId,
        (issued_at, expires_at): (Timestamp, Timestamp),
        rules: &TokenRules,
    ) -> Self {
        let named = |it: &Option<String>| it.clone().map(Value::String);
        Self {
            sub: customer.as_str().to_owned(),
            exp: NumericDate(expires_at.unix_seconds()),
            nbf: None,
            iat: Some(NumericDate(issued_at.unix_seconds())),
            iss: named(&rules.issuer),
            aud: named(&rules.audience),
        }
    }

    /// Customer of the token; `None` if it is not an id of a customer.
    pub(super) fn customer(self) -> Option<CustomerId> {
        CustomerId::new(self.sub).ok()
    }

    /// Checks the times, the issuer and the audience.
    pub(super) fn check(
        &self,
        now: Timestamp,
        names: RequiredNames<'_>,
        rules: &TokenRules,
    ) -> Result<(), TokenRefusal> {
        let (seconds, leeway) = (now.unix_seconds(), i64::from(rules.leeway_seconds));
        if seconds >= self.exp.0.saturating_add(leeway) {
            return Err(TokenRefusal::Expired);
        }
        if self.nbf.is_some_and(|from| seconds < from.0.saturating_sub(leeway)) {
            return Err(TokenRefusal::NotYetValid);
        }
        if self.is_valid_too_long(now, rules) {
            return Err(TokenRefusal::ValidTooLong);
        }
        if names.issuer.is_some_and(|it| self.iss.as_ref().and_then(Value::as_str) != Some(it)) {
            return Err(TokenRefusal::Issuer);
        }
        if names.audience.is_some_and(|it| !self.is_for(it)) {
            return Err(TokenRefusal::Audience);
        }
        Ok(())
    }

    /// Whether the time from issue to expiry is longer than the rules allow. A token without a time of issue, or with one
    /// in the future, is judged by the time from now on.
    pub(super) fn is_valid_too_long(&self, now: Timestamp, rules: &TokenRules) -> bool {
        let Some(hours) = rules.customer_hours_max else { return false };
        let now = now.unix_seconds();
        let issued_at = self.iat.map_or(now, |it| it.0.min(now));
        let max = i64::from(hours) * i64::from(SECONDS_PER_HOUR) + i64::from(rules.leeway_seconds);
        self.exp.0.saturating_sub(issued_at) > max
    }

    /// Whether the token is for `audience`: `aud` is a string, or an array of strings (RFC 7519, section 4.1.3).
    fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Some(Value::Array(all)) => all.iter().any(|it| it.as_str() == Some(audience)),
            Some(one) => one.as_str() == Some(audience),
            None => false,
        }
    }
}
