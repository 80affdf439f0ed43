//! Whether the process lives, and whether it can serve.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::problem::Problem;

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// What may be asked of [`readyz`].
#[derive(Debug, Deserialize)]
pub(crate) struct ReadyQuery {
    /// Whether to say more than yes or no.
    verbose: Option<String>,
}

/// `GET /readyz`: the store answers too. `?verbose` adds what an operator should change: sentences without secrets.
pub(crate) async fn readyz(api: Data<Api>, query: Query<ReadyQuery>) -> Result<HttpResponse, Problem> {
    api.app.ready().await?;
    let mut body = json!({ "status": "ready" });
    if query.verbose.is_some()
        && let Some(fields) = body.as_object_mut()
    {
        fields.insert("warnings".to_owned(), json!(api.app.warnings()));
    }
    Ok(HttpResponse::Ok().json(body))
}
