//! Liveness and readiness probes.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::StoreError;
use serde_json::json;
use tokio::time::timeout;

use crate::Api;
use crate::problem::Problem;
use crate::reader::parse_query;

/// `GET /healthz`: 200 while the process can answer at all.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Time within which the store must confirm the write of a readiness check.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /readyz`: 200 if the store takes writes and the process is not shutting down. `?verbose` adds the warnings for
/// the operator to either answer, which contain no secrets. Other parameters are ignored.
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
    let mut body = json!({ "status": "ready" });
    if verbose && let Some(fields) = body.as_object_mut() {
        let mut warnings = api.app.warnings();
        // They need the store, so they are left out if it has just failed.
        let of_endpoints = timeout(STORE_TIMEOUT, api.publisher.warnings()).await;
        warnings.extend(of_endpoints.into_iter().flatten().flatten());
        fields.insert("warnings".to_owned(), json!(warnings));
    }
    Ok(HttpResponse::Ok().json(body))
}
