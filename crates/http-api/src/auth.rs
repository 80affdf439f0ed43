//! Authentication. `X-API-Key` identifies the application; `Authorization: Bearer` identifies the customer, by a token
//! that the shop or its login signed (JWT) or by the token of one order.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use paywright_app::{Access, Actor, ApiKey, KeyRefusal, Scope, StoreError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::Api;
use crate::client_address::ClientAddress;
use crate::problem::Problem;
use crate::rate_limits::TooMany;
use crate::requests::record_actor;
use crate::tokens::TokenRefusal;

const KEY_PREFIX: &str = "pwk_";

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

/// SHA-256 digest of the text of a key or token. One of 256 random bits needs no slow hash, and since it is looked up by
/// digest, the time of a lookup reveals nothing about it.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Authenticates the calling application and requires `scope`.
pub(crate) async fn application(api: &Api, request: &HttpRequest, scope: Scope) -> Result<ApiKey, Problem> {
    let Some(given) = request.headers().get("x-api-key") else {
        let detail = "the X-API-Key header is missing: create a key with `paywright keys create`";
        return Err(Problem::unauthorized("api_key_missing", detail));
    };
    // Text that is not ASCII is that of no key.
    application_with(api, request, given.to_str().unwrap_or_default(), scope).await
}

/// Authenticates the application whose API key has this text, and requires `scope`.
pub(crate) async fn application_with(
    api: &Api,
    request: &HttpRequest,
    text: &str,
    scope: Scope,
) -> Result<ApiKey, Problem> {
    let key = key_of(api, request, text).await?;
    if has_scope(api, &key, scope) {
        return Ok(key);
    }
    let detail = format!("this call requires an API key with the scope {scope}");
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
}

/// As [`application`], for a call that only an application may make: a bearer token is refused, even a valid one.
pub(crate) async fn application_alone(api: &Api, request: &HttpRequest, scope: Scope) -> Result<ApiKey, Problem> {
    let key = application(api, request, scope).await?;
    match bearer_access_or_all(api, request).await? {
        Access::All => Ok(key),
        Access::Customer(_) | Access::Order(_) => {
            let detail = "this call is for applications only: send it without the Authorization header";
            Err(Problem::new(StatusCode::FORBIDDEN, "bearer_not_allowed", detail))
        }
    }
}

/// Reason for which an application is not admitted by its API key.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    /// The key is not valid.
    Key(KeyRefusal),
    /// The key may not be used from the caller's address, which may be unknown.
    Network(Option<ClientAddress>),
    /// The key has made too many calls.
    TooMany(TooMany),
    /// The store cannot be read.
    Store(StoreError),
}

impl From<StoreError> for NotAdmitted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotAdmitted> for Problem {
    fn from(reason: NotAdmitted) -> Self {
        let key = |code, refusal: KeyRefusal| Self::unauthorized(code, &refusal.to_string());
        match reason {
            NotAdmitted::Key(refusal @ KeyRefusal::Unknown) => key("api_key_invalid", refusal),
            NotAdmitted::Key(refusal @ KeyRefusal::Expired(_)) => key("api_key_expired", refusal),
            NotAdmitted::Key(refusal @ KeyRefusal::Revoked(_)) => key("api_key_revoked", refusal),
            NotAdmitted::Key(refusal @ KeyRefusal::Rotated(_)) => key("api_key_rotated", refusal),
            NotAdmitted::Network(client) => {
                let from = client.map_or_else(
                    || "an address that a proxy hides which is none of http.trusted_proxies".to_owned(),
                    |it| it.to_string(),
                );
                let detail = format!("this API key may not be used from {from}: its networks are others");
                Self::new(StatusCode::FORBIDDEN, "api_key_network_not_allowed", detail)
            }
            NotAdmitted::TooMany(too_many) => too_many.into(),
            NotAdmitted::Store(error) => error.into(),
        }
    }
}

/// Valid API key with this text, which may be used for this request; recorded as the actor of the request.
pub(crate) async fn key_of(api: &Api, request: &HttpRequest, text: &str) -> Result<ApiKey, NotAdmitted> {
    key_of_digest(api, request, &digest(text)).await
}

/// As [`key_of`], by the digest of the key's text.
pub(crate) async fn key_of_digest(api: &Api, request: &HttpRequest, digest: &[u8; 32]) -> Result<ApiKey, NotAdmitted> {
    let key = api.app.authenticate(digest).await?.map_err(NotAdmitted::Key)?;
    // Recorded for the log even if the call is refused below.
    record_actor(Actor::ApiKey { key: key.id, key_name: key.name.clone() });
    let client = ClientAddress::certain(request, &api.trusted_proxies);
    if !key.may_be_used_from(client.map(ClientAddress::ip)) {
        return Err(NotAdmitted::Network(client));
    }
    api.rate_limits.key_call(&key).map_err(NotAdmitted::TooMany)?;
    Ok(key)
}

/// Whether a key has a scope that a call requires, which counts as a use of the scope.
pub(crate) fn has_scope(api: &Api, key: &ApiKey, scope: Scope) -> bool {
    let has = key.scopes.contains(&scope);
    if has {
        api.app.note_key_use(key.id, scope);
    }
    has
}

/// Token of an `Authorization: Bearer` header. The scheme is case-insensitive (RFC 9110, section 11.1).
pub(crate) fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Access given by the bearer token, which is required.
pub(crate) async fn bearer_access(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        let detail = "the Authorization header is missing: send `Bearer` and the token of a customer or of an order";
        return Err(Problem::unauthorized("token_missing", detail));
    };
    Ok(access_by(api, header).await?)
}

/// Access given by the bearer token of an `Authorization` header.
pub(crate) async fn access_by(api: &Api, header: &HeaderValue) -> Result<Access, TokenRefusal> {
    let token = bearer(header).ok_or(TokenRefusal::Invalid)?;
    api.tokens.access(token, api.app.now()).await
}

/// Access given by the bearer token if there is one; otherwise that of the application, to every order.
pub(crate) async fn bearer_access_or_all(api: &Api, request: &HttpRequest) -> Result<Access, Problem> {
    if request.headers().contains_key(AUTHORIZATION) { bearer_access(api, request).await } else { Ok(Access::All) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_api_key_is_stored_as_a_digest_and_hidden_from_debug() {
        let key = ApiKeyText::from_random([7; 32]);
        assert_eq!(key.expose().len(), KEY_PREFIX.len() + 64);
        assert!(!format!("{key:?}").contains("0707"));
        assert_eq!(key.digest(), digest(key.expose()));
    }
}
