//! Liveness and readiness probes.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::StoreError;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::Api;
use crate::openapi::refusals::CheckReadiness;
use crate::problem::Problem;
use crate::reader::parse_query;

/// Answer of a probe.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthView {
    /// `ok` or `ready`.
    status: &'static str,
    /// Warnings for the operator, with the parameter `verbose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<String>>,
}

/// Says that the process is running.
///
/// 200 while the process can answer at all.
#[utoipa::path(
    get, path = "/healthz", tag = "Health", operation_id = "checkHealth",
    responses((status = 200, description = "The process is running.", body = HealthView)),
)]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(HealthView { status: "ok", warnings: None })
}

/// Time within which the store must confirm the write of a readiness check.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Says whether the process may get requests.
///
/// 200 if the store takes writes and the process is not shutting down. `verbose` adds the warnings for the operator to
/// either answer, which contain no secrets. Other parameters are ignored.
#[utoipa::path(
    get, path = "/readyz", tag = "Health", operation_id = "checkReadiness",
    params(("verbose" = Option<String>, Query, description = "Adds the warnings, whatever its value.")),
    responses((status = 200, description = "The process may get requests.", body = HealthView), CheckReadiness),
)]
pub(crate) async fn readyz(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let verbose = parse_query(&request)?.contains_key("verbose");
    if api.shutdown.has_begun() {
        return Err(Problem::shutting_down("the process is shutting down: send new requests to another process"));
    }
    let ready = timeout(STORE_TIMEOUT, api.app.ready()).await;
    let ready =
        ready.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {STORE_TIMEOUT:?}").into())));
    if let Err(error) = ready {
        let problem = Problem::from(error);
        return Err(if verbose { problem.with_sentences(&api.app.warnings()) } else { problem });
    }
    let warnings = if verbose {
        let mut warnings = api.app.warnings();
        warnings.extend(api.tokens.warning());
        // They need the store, so they are left out if it has just failed.
        let of_endpoints = timeout(STORE_TIMEOUT, api.publisher.warnings()).await;
        warnings.extend(of_endpoints.into_iter().flatten().flatten());
        let of_state = timeout(STORE_TIMEOUT, api.monitor.warnings()).await;
        warnings.extend(of_state.into_iter().flatten().flatten());
        Some(warnings)
    } else {
        None
    };
    Ok(HttpResponse::Ok().json(HealthView { status: "ready", warnings }))
}
