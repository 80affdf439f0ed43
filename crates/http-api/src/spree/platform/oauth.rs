//! `POST /spree_oauth/token`: the client credentials grant of OAuth 2.0 (RFC 6749, section 4.4). The client is an API key:
//! `client_id` is the key's id and `client_secret` its text.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::prelude::{BASE64_STANDARD, Engine};
use paywright_app::ApiKey;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Api;
use crate::access_tokens::{AccessScope, ApplicationAccess};
use crate::auth::{NotAdmitted, key_of};
use crate::reader::{Fields, parse};
use crate::receiving::read_body;
use crate::spree::refusal::Refusal;

/// Validity of an access token, in seconds.
const EXPIRES_IN: u32 = 7200;
/// Maximum size of a request for a token, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Error answer of OAuth 2.0 (RFC 6749, section 5.2).
struct OauthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl OauthError {
    const fn of(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    /// The same for an unknown, expired or revoked key and for the id of another one.
    const INVALID_CLIENT: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        description: "client_id must be the id of an active API key, and client_secret its text (pwk_...): create one with \
                      `paywright keys create`",
    };
    const NOT_READ: Self = Self::of(
        "invalid_request",
        "the body must be a form or a JSON object, with that Content-Type and without a repeated name",
    );
    const NO_GRANT: Self = Self::of("invalid_request", "grant_type is missing: it must be client_credentials");
    const TWO_METHODS: Self = Self::of(
        "invalid_request",
        "the client's credentials must be in the body or in the Authorization header, not in both",
    );
    const NO_PASSWORDS: Self = Self::of(
        "unsupported_grant_type",
        "grant_type must be client_credentials: there are no passwords in this API, since the shop's own login issues \
         customers' bearer tokens (JWT, HS256)",
    );
    const INVALID_SCOPE: Self = Self::of("invalid_scope", "scope must be admin, or read, write or both");

    const EMPTY_SCOPE: Self =
        Self::of("invalid_scope", "the API key has no scope of this kind: see `paywright keys list`");

    fn answer(&self, by_header: bool) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED && by_header {
            answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"spree_oauth\""));
        }
        plain(answer, &json!({ "error": self.error, "error_description": self.description }))
    }
}

/// JSON that no cache may store (RFC 6749, section 5.1).
fn plain(mut answer: actix_web::HttpResponseBuilder, body: &Value) -> HttpResponse {
    answer
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .body(body.to_string())
}

/// Reads the body: a form, or a JSON object, by its `Content-Type`. A parameter that is repeated is refused.
fn read_fields(request: &HttpRequest, body: &[u8]) -> Option<Fields> {
    let media_type = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" | "application/vnd.api+json" => match parse(body) {
            Ok(Value::Object(fields)) => Some(fields),
            Ok(_) | Err(_) => None,
        },
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(body).ok()?;
            let pairs = Query::<Vec<(String, String)>>::from_query(text).ok()?.into_inner();
            let count = pairs.len();
            let fields: Fields = pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
            (fields.len() == count).then_some(fields)
        }
        _ => None,
    }
}

/// Id and secret of a Basic `Authorization` header, each form-encoded (RFC 6749, section 2.3.1).
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, text) = header.to_str().ok()?.split_once(' ')?;
    let text = BASE64_STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    let decoded = |it: &str| percent_decode_str(it).decode_utf8().ok().map(Cow::into_owned);
    Some((decoded(id)?, decoded(secret)?))
}

/// Reads the scope that the client requests, and returns it as the answer names it: clients compare the two. All that the
/// key has is the default.
fn read_scope(fields: &Fields) -> Result<(AccessScope, String), OauthError> {
    let text = match fields.get("scope") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(OauthError::INVALID_SCOPE),
    };
    let names: Vec<&str> = if text.trim().is_empty() { vec!["admin"] } else { text.split_whitespace().collect() };
    let scope = names.iter().try_fold(AccessScope::default(), |scope, name| match *name {
        "admin" => Ok(AccessScope { read: true, write: true }),
        "read" => Ok(AccessScope { read: true, ..scope }),
        "write" => Ok(AccessScope { write: true, ..scope }),
        _ => Err(OauthError::INVALID_SCOPE),
    })?;
    Ok((scope, names.join(" ")))
}

/// API key of the client; `None` if the credentials are missing or not those of a valid key.
async fn client(
    api: &Api,
    request: &HttpRequest,
    header: Option<(String, String)>,
    fields: &Fields,
) -> Result<Option<ApiKey>, Refusal> {
    let of_body = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let credentials = header.or_else(|| Some((of_body("client_id")?, of_body("client_secret")?)));
    let Some((id, secret)) = credentials else { return Ok(None) };
    match key_of(api, request, &secret).await {
        Ok(key) => Ok(Some(key).filter(|it| Uuid::try_parse(&id).is_ok_and(|id| id == it.id))),
        Err(NotAdmitted::Key(_)) => Ok(None),
        Err(reason @ (NotAdmitted::Network(_) | NotAdmitted::TooMany(_) | NotAdmitted::Store(_))) => Err(reason.into()),
    }
}

/// `POST /spree_oauth/token`: gives an application an access token for the Platform API.
pub(in crate::spree) async fn token(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let body = read_body(&request, payload, BODY_BYTES_MAX).await?;
    let header = request.headers().get(AUTHORIZATION);
    let refused = |error: &OauthError| Ok(error.answer(header.is_some()));
    let Some(fields) = read_fields(&request, &body) else { return refused(&OauthError::NOT_READ) };
    match fields.get("grant_type") {
        Some(Value::String(grant)) if grant == "client_credentials" => {}
        None => return refused(&OauthError::NO_GRANT),
        Some(_) => return refused(&OauthError::NO_PASSWORDS),
    }
    if header.is_some() && fields.contains_key("client_secret") {
        return refused(&OauthError::TWO_METHODS);
    }
    let (scope, name) = match read_scope(&fields) {
        Ok(read) => read,
        Err(error) => return refused(&error),
    };
    let by_header = match header {
        Some(header) => match basic(header) {
            Some(credentials) => Some(credentials),
            None => return refused(&OauthError::INVALID_CLIENT),
        },
        None => None,
    };
    let Some(key) = client(&api, &request, by_header, &fields).await? else {
        return refused(&OauthError::INVALID_CLIENT);
    };
    if !key.scopes.iter().any(|it| scope.permits(*it)) {
        return refused(&OauthError::EMPTY_SCOPE);
    }
    let now = api.app.now();
    let until = now.plus_seconds(EXPIRES_IN);
    let expires_at = key.expires_at.map_or(until, |it| it.min(until));
    let access = ApplicationAccess { key: key.digest, scope, expires_at };
    let body = json!({
        "access_token": api.tokens.access_token(&access), "token_type": "Bearer",
        "expires_in": expires_at.unix_seconds() - now.unix_seconds(),
        "scope": name, "created_at": now.unix_seconds(),
    });
    Ok(plain(HttpResponse::Ok(), &body))
}
