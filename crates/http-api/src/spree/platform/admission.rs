//! Admission of applications: by API key, or by an access token that was given for one.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use paywright_app::Scope;

use crate::Api;
use crate::auth::{bearer, has_scope, key_of, key_of_digest};
use crate::spree::refusal::Refusal;

/// Admits an application whose API key has `scope`. The key is in `X-API-Key` or is a bearer token; an access token of
/// [`super::oauth`] is a bearer token too, and its own scope must have `scope` as well.
pub(super) async fn admit(api: &Api, request: &HttpRequest, scope: Scope) -> Result<(), Refusal> {
    let named = request.headers().get("x-api-key").and_then(|it| it.to_str().ok());
    let text =
        named.or_else(|| request.headers().get(AUTHORIZATION).and_then(bearer)).ok_or_else(Refusal::token_invalid)?;
    let (key, is_in_scope) = match api.tokens.application_access(text, api.app.now()) {
        Some(access) => (key_of_digest(api, request, &access.key).await?, access.scope.permits(scope)),
        None => (key_of(api, request, text).await?, true),
    };
    if is_in_scope && has_scope(api, &key, scope) { Ok(()) } else { Err(Refusal::not_allowed()) }
}
