//! `POST /webhooks/stripe`: webhooks of Stripe. The signature is verified over the raw bytes before they are parsed, and 200 is answered
//! only after the commit: in every other case Stripe delivers the event again.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Actor, WebhookError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::client_address::ClientAddress;
use crate::openapi::refusals::ReceiveStripeEvent;
use crate::problem::Problem;
use crate::receiving::read_body;
use crate::requests::record_actor;
use crate::{Api, metrics};

/// Maximum size of a webhook body, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Headers that are stored with an event, to distinguish its deliveries. None of them is a secret.
const STORED_HEADERS: [&str; 4] = ["stripe-signature", "user-agent", "content-type", "x-request-id"];
/// Maximum of characters that are stored of one header.
const HEADER_CHARS_MAX: usize = 500;

/// Answer to a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceivedEvent)]
pub(crate) struct ReceivedView {
    received: bool,
    /// Outcome of the event: `applied`, `ignored`, `foreign` or `parked`.
    outcome: &'static str,
}

/// Receives an event of Stripe.
///
/// The signature is verified over the raw bytes of the body.
#[utoipa::path(
    post, path = "/webhooks/stripe", tag = "Stripe", operation_id = "receiveStripeEvent",
    params(("Stripe-Signature" = String, Header, description = "Stripe's signature of the body.")),
    request_body(content = Object, description = "Event of Stripe, of at most 1 MiB."),
    responses((status = 200, description = "The event is stored.", body = ReceivedView), ReceiveStripeEvent),
)]
pub(crate) async fn stripe(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let received = receive(&api, &request, payload).await;
    received.inspect_err(|problem| metrics::webhook_refused(problem.code()))
}

async fn receive(api: &Api, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let signature = request.headers().get("stripe-signature").and_then(|it| it.to_str().ok());
    let signature = signature.ok_or_else(|| {
        Problem::bad_request(
            "webhook_signature_missing",
            "the Stripe-Signature header is missing: only webhooks signed by Stripe are accepted",
        )
    })?;
    let body = read_body(request, payload, EVENT_BYTES_MAX).await?;
    let event = api.webhooks.open(&body, signature, api.app.now());
    if matches!(event, Err(WebhookError::BadSignature(_))) {
        api.rate_limits.wrong_credentials(ClientAddress::of(request))?;
    }
    let event = event?;
    record_actor(Actor::Stripe);
    let headers = stored_headers(request.headers());
    let app = api.app.for_request();
    let status = app.take_event(event, "webhook", headers).await?;
    Ok(HttpResponse::Ok().json(ReceivedView { received: true, outcome: status.name() }))
}

fn stored_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let stored = STORED_HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.chars().take(HEADER_CHARS_MAX).collect()))
    });
    stored.collect()
}
