//! `POST /webhooks/stripe`. The bytes are checked before anything reads them, and a success is answered after
//! the commit alone: whatever else happens, Stripe sends the event again.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Actor, WebhookError};
use serde_json::json;

use crate::Api;
use crate::client_address::ClientAddress;
use crate::problem::Problem;
use crate::receiving::read_body;
use crate::requests::{asked_by, to_the_end};

/// The largest event that is read, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// The headers that are kept with an event: what tells one delivery from another, and no secret.
const KEPT_HEADERS: [&str; 4] = ["stripe-signature", "user-agent", "content-type", "x-request-id"];
/// The most characters of one that are kept.
const HEADER_CHARS_MAX: usize = 500;

pub(crate) async fn stripe(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let signature = request.headers().get("stripe-signature").and_then(|it| it.to_str().ok());
    let signature = signature
        .ok_or_else(|| Problem::bad_request("webhook_signature_missing", "the Stripe-Signature header is missing"))?;
    let body = read_body(&request, payload, EVENT_BYTES_MAX).await?;
    let event = api.webhooks.open(&body, signature, api.app.now());
    if matches!(event, Err(WebhookError::BadSignature(_))) {
        api.rate_limits.wrong_credentials(ClientAddress::of(&request))?;
    }
    let event = event?;
    asked_by(Actor::Stripe);
    let headers = kept(request.headers());
    let app = api.app.for_request();
    let status = to_the_end(async move { app.take_event(event, "webhook", headers).await }).await??;
    Ok(HttpResponse::Ok().json(json!({ "received": true, "outcome": status.name() })))
}

fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.chars().take(HEADER_CHARS_MAX).collect()))
    });
    kept.collect()
}
