//! Endpoints of outgoing webhooks: `/api/v1/shop/webhook_endpoints`.

mod body;
mod problem;
mod view;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{EndpointId, Scope, StoredEndpoint};
use uuid::Uuid;

use crate::Api;
use crate::auth::application_alone;
use crate::problem::Problem;
use crate::reader::{Fields, parse_json, parse_json_if_any, parse_query};
use crate::receiving::read_body;
use crate::requests::JSON_BYTES_MAX;
use crate::shop::success;
use body::{
    AttemptsQuery, EndpointsQuery, INVALID_ENDPOINT, endpoint_edit, new_endpoint, no_fields, overlap_seconds,
    replay_after, resend_position,
};
use view::{
    AttemptView, AttemptsView, EndpointView, EndpointWithWaitingView, EndpointsView, NewSecretView, ResendView,
};

fn endpoint_id(text: &str) -> Result<EndpointId, Problem> {
    Uuid::try_parse(text).map(EndpointId).map_err(|_| {
        let detail = "the webhook endpoint in the path must be an id (a UUID)";
        Problem::bad_request("webhook_endpoint_id_malformed", detail)
    })
}

/// Authenticates a call about an endpoint. Gives the endpoint in the path.
async fn named_endpoint(api: &Api, request: &HttpRequest, id: &str, scope: Scope) -> Result<EndpointId, Problem> {
    application_alone(api, request, scope).await?;
    endpoint_id(id)
}

async fn json_body(request: &HttpRequest, payload: Payload) -> Result<Fields, Problem> {
    parse_json(request, &read_body(request, payload, JSON_BYTES_MAX).await?, INVALID_ENDPOINT)
}

async fn json_body_if_any(request: &HttpRequest, payload: Payload) -> Result<Fields, Problem> {
    parse_json_if_any(request, &read_body(request, payload, JSON_BYTES_MAX).await?, INVALID_ENDPOINT)
}

fn shown(api: &Api, endpoint: &StoredEndpoint, message: &'static str) -> HttpResponse {
    success(StatusCode::OK, message, EndpointView::of(endpoint, api.app.now()))
}

/// `POST /webhook_endpoints`: creates an endpoint. Only this answer and that of a rotation have the secret.
pub(crate) async fn create(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::WebhooksWrite).await?;
    let new = new_endpoint(&json_body(&request, payload).await?)?;
    let created = api.publisher.create_endpoint(new).await?;
    let view = NewSecretView::of(&created, api.app.now());
    Ok(success(StatusCode::CREATED, "Webhook endpoint created successfully", view))
}

/// `GET /webhook_endpoints?cursor=&limit=`: oldest endpoints first.
pub(crate) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::WebhooksRead).await?;
    let EndpointsQuery { after, limit } = EndpointsQuery::read(&parse_query(&request)?)?;
    let found = api.publisher.list_endpoints(after, limit + 1).await?;
    Ok(success(StatusCode::OK, "Webhook endpoints", EndpointsView::of(&found, limit, api.app.now())))
}

/// `GET /webhook_endpoints/{endpoint}`: one endpoint, and what waits for it.
pub(crate) async fn read(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksRead).await?;
    let (found, waiting) = api.publisher.endpoint_with_waiting(id).await?;
    let view = EndpointWithWaitingView::of(&found, waiting, api.app.now());
    Ok(success(StatusCode::OK, "Webhook endpoint", view))
}

/// `PATCH /webhook_endpoints/{endpoint}`: changes the given fields.
pub(crate) async fn update(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    let edit = endpoint_edit(&json_body(&request, payload).await?)?;
    let updated = api.publisher.update_endpoint(id, edit).await?;
    Ok(shown(&api, &updated, "Webhook endpoint updated successfully"))
}

/// `DELETE /webhook_endpoints/{endpoint}`: deletes an endpoint with its attempts.
pub(crate) async fn delete(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    api.publisher.delete_endpoint(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /webhook_endpoints/{endpoint}/rotate_secret`, with an overlap or without a body: makes a new secret.
pub(crate) async fn rotate_secret(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    let overlap = overlap_seconds(&json_body_if_any(&request, payload).await?)?;
    let rotated = api.publisher.rotate_secret(id, overlap).await?;
    let view = NewSecretView::of(&rotated, api.app.now());
    Ok(success(StatusCode::OK, "Secret rotated successfully", view))
}

/// `POST /webhook_endpoints/{endpoint}/disable`: stops deliveries. The endpoint keeps its position.
pub(crate) async fn disable(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    no_fields(&json_body_if_any(&request, payload).await?)?;
    let disabled = api.publisher.disable_endpoint(id).await?;
    Ok(shown(&api, &disabled, "Webhook endpoint disabled successfully"))
}

/// `POST /webhook_endpoints/{endpoint}/enable`: resumes deliveries after the endpoint's position, at once.
pub(crate) async fn enable(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    no_fields(&json_body_if_any(&request, payload).await?)?;
    let enabled = api.publisher.enable_endpoint(id).await?;
    Ok(shown(&api, &enabled, "Webhook endpoint enabled successfully"))
}

/// `POST /webhook_endpoints/{endpoint}/test`: sends a test event at once, and answers with the attempt.
pub(crate) async fn test(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    no_fields(&json_body_if_any(&request, payload).await?)?;
    let attempt = api.publisher.send_test_event(id).await?;
    Ok(success(StatusCode::OK, "Test event sent", AttemptView::of(&attempt)))
}

/// `POST /webhook_endpoints/{endpoint}/resend`: sends one event again.
pub(crate) async fn resend(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    let position = resend_position(&json_body(&request, payload).await?)?;
    api.publisher.resend_event(id, position).await?;
    Ok(success(StatusCode::ACCEPTED, "Accepted; the event will be sent again", ResendView { position: position.0 }))
}

/// `POST /webhook_endpoints/{endpoint}/replay`: sends all events after a position again.
pub(crate) async fn replay(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    let after = replay_after(&json_body(&request, payload).await?)?;
    let endpoint = api.publisher.replay_events(id, after).await?;
    let view = EndpointView::of(&endpoint, api.app.now());
    Ok(success(StatusCode::ACCEPTED, "Accepted; the events will be sent again", view))
}

/// `GET /webhook_endpoints/{endpoint}/attempts?cursor=&limit=&outcome=`: newest attempts first.
pub(crate) async fn attempts(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksRead).await?;
    let query = AttemptsQuery::read(&parse_query(&request)?)?;
    let found = api.publisher.attempts(query.with_one_more(id)).await?;
    Ok(success(StatusCode::OK, "Attempts", AttemptsView::of(&found, query.limit)))
}
