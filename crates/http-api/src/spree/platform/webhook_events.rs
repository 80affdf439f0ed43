//! `/webhooks/events` of the Platform API: attempts to deliver Spree's events to subscribers.

use std::collections::BTreeMap;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Attempt, AttemptOutcome, AttemptSearch, Endpoint, EndpointId, Scope};
use serde_json::{Value, json};

use super::call::ListCall;
use super::subscribers::{LIST, all_subscribers, resource as subscriber, url_contains};
use crate::Api;
use crate::reader::{FieldProblems, Reason};
use crate::spree::document::{Relation, Resource};
use crate::spree::pages::list_answer;
use crate::spree::params::{flag, text};
use crate::spree::refusal::Refusal;
use crate::spree::resources::time;

/// Filters of the list.
const FILTERS: [&str; 5] = ["name_eq", "success_eq", "response_code_eq", "request_errors_cont", "url_cont"];

/// Resource of an attempt. As in Spree, an attempt without an answer has the code 0.
fn resource(attempt: &Attempt, endpoint: &Endpoint) -> Resource {
    let ended_at = attempt.at.unix_micros().saturating_add(i64::from(attempt.duration_ms) * 1000);
    let ended_at = paywright_domain::Timestamp::from_unix_micros(ended_at).unwrap_or(attempt.at);
    let attributes = json!({
        "name": attempt.kind,
        "url": endpoint.url.as_str(),
        "success": attempt.outcome == AttemptOutcome::Delivered,
        "response_code": attempt.status.unwrap_or_default().to_string(),
        "execution_time": attempt.duration_ms,
        "request_errors": if attempt.error.is_some() { attempt.answer.as_str() } else { "" },
        "created_at": time(attempt.at),
        "updated_at": time(ended_at),
    });
    let relations = vec![("subscriber", Relation::one(Some(subscriber(endpoint))))];
    let id = format!("{}-{}", attempt.event.as_hyphenated(), attempt.at.unix_micros());
    Resource { kind: "event", id, attributes, relations }
}

/// Reads the code of an answer; `None` for no answer.
fn response_code(value: &Value) -> Result<Option<u16>, Reason> {
    let code: u16 = text(value)?.trim().parse().map_err(|_| "must be a status of HTTP, or 0 for no answer")?;
    Ok(Some(code).filter(|it| *it > 0))
}

/// `GET /webhooks/events`: a page of the attempts, the newest first.
pub(in crate::spree) async fn list(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = ListCall::read(&api, &request, payload, Scope::WebhooksRead, "event").await?;
    let page = call.page;
    let mut problems = FieldProblems::default();
    call.params.note_others(&LIST, &mut problems);
    let mut filter = call.filter.reader_of(&FILTERS, &mut problems);
    let search = AttemptSearch {
        endpoints: Vec::new(),
        kind: filter.optional("name_eq", text),
        is_delivered: filter.optional("success_eq", flag),
        status: filter.optional("response_code_eq", response_code),
        error_contains: filter.optional("request_errors_cont", |it| Ok(text(it)?.to_lowercase())),
        offset: u32::try_from(page.offset()).unwrap_or(u32::MAX),
        limit: page.size,
    };
    let url = filter.optional("url_cont", text);
    let search = problems.done(Some(search))?;
    let found: BTreeMap<EndpointId, Endpoint> = all_subscribers(&api)
        .await?
        .into_iter()
        .map(|it| it.endpoint.value)
        .filter(|it| url.as_ref().is_none_or(|text| url_contains(it, text)))
        .map(|it| (it.id, it))
        .collect();
    let search = AttemptSearch { endpoints: found.keys().copied().collect(), ..search };
    let attempts = api.publisher.search_attempts(&search).await?;
    let of_attempt = |it: &Attempt| found.get(&it.endpoint).map(|endpoint| resource(it, endpoint));
    let shown: Vec<_> = attempts.attempts.iter().filter_map(of_attempt).collect();
    Ok(list_answer(&api, &request, page, &call.show, (&shown, attempts.count.into())))
}
