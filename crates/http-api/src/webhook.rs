//! `POST /webhooks/stripe`. The bytes are checked before anything reads them, and a success is answered after
//! the commit alone: whatever else happens, Stripe sends the event again.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{ProviderNews, SettleFromProviderError};
use paywright_domain::SettleError;
use serde_json::json;

use crate::Api;
use crate::problem::Problem;
use crate::requests::{read_body, to_the_end};

/// The largest event that is read, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

pub(crate) async fn stripe(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let body = read_body(payload, EVENT_BYTES_MAX).await?;
    let signature = request.headers().get("stripe-signature").and_then(|it| it.to_str().ok());
    let signature = signature
        .ok_or_else(|| Problem::bad_request("webhook_signature_missing", "the Stripe-Signature header is missing"))?;
    let event = api.webhooks.open(&body, signature, api.app.now())?;
    let ProviderNews::Intent(news) = event.news else { return Ok(received("nothing to do")) };
    let app = api.app.clone();
    let intent = news.intent.clone();
    let settled = to_the_end(async move { app.settle_from_provider(&news).await }).await?;
    match settled {
        Ok(order) => {
            tracing::info!(event = event.id, kind = event.kind, order = %order.id, "an event was taken in");
            Ok(received("settled"))
        }
        // Of another program on the same account, or a second open intent that says it is ours: no money.
        Err(SettleFromProviderError::Foreign | SettleFromProviderError::Settle(SettleError::NotOurs)) => {
            tracing::info!(event = event.id, kind = event.kind, %intent, "an event of a foreign intent");
            Ok(received("not ours"))
        }
        // It names an order that is not here (yet, or any more): not to be acknowledged away.
        Err(error @ SettleFromProviderError::UnknownOrder) => {
            tracing::warn!(event = event.id, kind = event.kind, %intent, "an event of an unknown order");
            Err(error.into())
        }
        Err(error @ SettleFromProviderError::Store(_)) => Err(error.into()),
    }
}

fn received(outcome: &'static str) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "received": true, "outcome": outcome }))
}
