//! Whether the process lives, and whether it can serve.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::StoreError;
use serde_json::json;
use tokio::time::timeout;

use crate::Api;
use crate::problem::Problem;
use crate::reader::parse_query;

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// How long the store may take to keep what it is given.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

/// `GET /readyz`: the store takes writes, and the process is not stopping. `?verbose` adds what an operator should
/// change, to either answer: sentences without secrets.
/// Other parameters are not read.
pub(crate) async fn readyz(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let verbose = parse_query(&request)?.contains_key("verbose");
    if api.shutdown.has_begun() {
        return Err(Problem::shutting_down("the process is shutting down: send new requests to another one"));
    }
    let ready = timeout(STORE_ANSWERS, api.app.ready()).await;
    let ready =
        ready.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {STORE_ANSWERS:?}").into())));
    if let Err(error) = ready {
        let problem = Problem::from(error);
        return Err(if verbose { problem.with_sentences(&api.app.warnings()) } else { problem });
    }
    let mut body = json!({ "status": "ready" });
    if verbose && let Some(fields) = body.as_object_mut() {
        fields.insert("warnings".to_owned(), json!(api.app.warnings()));
    }
    Ok(HttpResponse::Ok().json(body))
}
