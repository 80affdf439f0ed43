//! Endpoints of outgoing webhooks: `/api/v1/shop/webhook_endpoints`.

mod body;
mod problem;
mod view;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{EndpointId, Scope, StoredEndpoint};
use utoipa::openapi::KnownFormat;
use uuid::Uuid;

use crate::Api;
use crate::auth::application_alone;
use crate::openapi::refusals;
use crate::openapi::schema::{in_path, parameters, string_in};
use crate::problem::Problem;
use crate::reader::{Fields, parse_json, parse_json_if_any, parse_query};
use crate::receiving::read_body;
use crate::requests::JSON_BYTES_WITH_KEY_MAX;
use crate::shop::success;
use crate::shop::view::Envelope;
use body::{
    AttemptsParameters, AttemptsQuery, EmptyBody, EndpointEditBody, EndpointsParameters, EndpointsQuery,
    INVALID_ENDPOINT, NewEndpointBody, ReplayBody, ResendBody, RotationBody, endpoint_edit, new_endpoint, no_fields,
    overlap_seconds, replay_after, resend_position,
};
use view::{
    AttemptView, AttemptsView, EndpointView, EndpointWithWaitingView, EndpointsView, NewSecretView, ResendView,
};

parameters! {
    /// Endpoint in the path, which [`endpoint_id`] reads.
    EndpointPath = [in_path("endpoint", "Id of the endpoint.", string_in(KnownFormat::Uuid))];
}

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
    parse_json(request, &read_body(request, payload, JSON_BYTES_WITH_KEY_MAX).await?, INVALID_ENDPOINT)
}

async fn json_body_if_any(request: &HttpRequest, payload: Payload) -> Result<Fields, Problem> {
    parse_json_if_any(request, &read_body(request, payload, JSON_BYTES_WITH_KEY_MAX).await?, INVALID_ENDPOINT)
}

fn shown(api: &Api, endpoint: &StoredEndpoint, message: &'static str) -> HttpResponse {
    success(StatusCode::OK, message, EndpointView::of(endpoint, api.app.now()))
}

/// Creates an endpoint.
///
/// Only this answer and that of a rotation have the secret.
#[utoipa::path(
    post, path = "/webhook_endpoints", tag = "Webhook endpoints", operation_id = "createWebhookEndpoint",
    request_body = NewEndpointBody,
    responses(
        (status = 201, description = "The endpoint is created.", body = Envelope<NewSecretView>),
        refusals::CreateEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
pub(crate) async fn create(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::WebhooksWrite).await?;
    let new = new_endpoint(&json_body(&request, payload).await?)?;
    let created = api.publisher.create_endpoint(new).await?;
    let view = NewSecretView::of(&created, api.app.now());
    Ok(success(StatusCode::CREATED, "Webhook endpoint created successfully", view))
}

/// Lists endpoints, oldest first.
#[utoipa::path(
    get, path = "/webhook_endpoints", tag = "Webhook endpoints", operation_id = "listWebhookEndpoints",
    params(EndpointsParameters),
    responses(
        (status = 200, description = "A page of endpoints.", body = Envelope<EndpointsView>),
        refusals::ListEndpoints,
    ),
    security(("api_key" = ["webhooks:read"])),
)]
pub(crate) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::WebhooksRead).await?;
    let EndpointsQuery { after, limit } = EndpointsQuery::read(&parse_query(&request)?)?;
    let found = api.publisher.list_endpoints(after, limit + 1).await?;
    Ok(success(StatusCode::OK, "Webhook endpoints", EndpointsView::of(&found, limit, api.app.now())))
}

/// Reads an endpoint, and what waits for it.
#[utoipa::path(
    get, path = "/webhook_endpoints/{endpoint}", tag = "Webhook endpoints", operation_id = "readWebhookEndpoint",
    params(EndpointPath),
    responses(
        (status = 200, description = "The endpoint.", body = Envelope<EndpointWithWaitingView>),
        refusals::ReadEndpoint,
    ),
    security(("api_key" = ["webhooks:read"])),
)]
pub(crate) async fn read(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksRead).await?;
    let (found, waiting) = api.publisher.endpoint_with_waiting(id).await?;
    let view = EndpointWithWaitingView::of(&found, waiting, api.app.now());
    Ok(success(StatusCode::OK, "Webhook endpoint", view))
}

/// Changes the given fields of an endpoint.
#[utoipa::path(
    patch, path = "/webhook_endpoints/{endpoint}", tag = "Webhook endpoints", operation_id = "updateWebhookEndpoint",
    params(EndpointPath),
    request_body = EndpointEditBody,
    responses(
        (status = 200, description = "The endpoint is changed.", body = Envelope<EndpointView>),
        refusals::UpdateEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Deletes an endpoint with its attempts.
#[utoipa::path(
    delete, path = "/webhook_endpoints/{endpoint}", tag = "Webhook endpoints", operation_id = "deleteWebhookEndpoint",
    params(EndpointPath),
    responses(
        (status = 204, description = "The endpoint is deleted."),
        refusals::DeleteEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
pub(crate) async fn delete(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksWrite).await?;
    api.publisher.delete_endpoint(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a new secret.
///
/// The previous one signs too for the time of the overlap.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/rotate_secret", tag = "Webhook endpoints", operation_id = "rotateWebhookSecret",
    params(EndpointPath),
    request_body = Option<RotationBody>,
    responses(
        (status = 200, description = "The endpoint with its new secret.", body = Envelope<NewSecretView>),
        refusals::RotateSecret,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Stops deliveries. The endpoint keeps its position.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/disable", tag = "Webhook endpoints", operation_id = "disableWebhookEndpoint",
    params(EndpointPath),
    request_body = Option<EmptyBody>,
    responses(
        (status = 200, description = "The endpoint is disabled.", body = Envelope<EndpointView>),
        refusals::SwitchEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Resumes deliveries after the endpoint's position, at once.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/enable", tag = "Webhook endpoints", operation_id = "enableWebhookEndpoint",
    params(EndpointPath),
    request_body = Option<EmptyBody>,
    responses(
        (status = 200, description = "The endpoint is enabled.", body = Envelope<EndpointView>),
        refusals::SwitchEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Sends a test event at once.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/test", tag = "Webhook endpoints", operation_id = "testWebhookEndpoint",
    params(EndpointPath),
    request_body = Option<EmptyBody>,
    responses(
        (status = 200, description = "The attempt, whatever its outcome.", body = Envelope<AttemptView>),
        refusals::TestEndpoint,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Sends one event again.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/resend", tag = "Webhook endpoints", operation_id = "resendEvent",
    params(EndpointPath),
    request_body = ResendBody,
    responses(
        (status = 202, description = "The event will be sent again.", body = Envelope<ResendView>),
        refusals::ResendEvent,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Sends all events after a position again.
#[utoipa::path(
    post, path = "/webhook_endpoints/{endpoint}/replay", tag = "Webhook endpoints", operation_id = "replayEvents",
    params(EndpointPath),
    request_body = ReplayBody,
    responses(
        (status = 202, description = "The events will be sent again.", body = Envelope<EndpointView>),
        refusals::ReplayEvents,
    ),
    security(("api_key" = ["webhooks:write"])),
)]
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

/// Lists attempts to deliver to an endpoint, newest first.
#[utoipa::path(
    get, path = "/webhook_endpoints/{endpoint}/attempts", tag = "Webhook endpoints", operation_id = "listWebhookAttempts",
    params(EndpointPath, AttemptsParameters),
    responses(
        (status = 200, description = "A page of attempts.", body = Envelope<AttemptsView>),
        refusals::ListAttempts,
    ),
    security(("api_key" = ["webhooks:read"])),
)]
pub(crate) async fn attempts(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named_endpoint(&api, &request, &id, Scope::WebhooksRead).await?;
    let query = AttemptsQuery::read(&parse_query(&request)?)?;
    let found = api.publisher.attempts(query.with_one_more(id)).await?;
    Ok(success(StatusCode::OK, "Attempts", AttemptsView::of(&found, query.limit)))
}
