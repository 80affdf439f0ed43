//! Whether the process lives, and whether it can serve.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use crate::Api;
use crate::problem::Problem;

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the store answers too.
pub(crate) async fn readyz(api: Data<Api>) -> Result<HttpResponse, Problem> {
    api.app.ready().await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ready" })))
}
