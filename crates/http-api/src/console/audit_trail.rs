//! Page of the audit trail.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{AuditEntry, AuditQuery, Scope};
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::signed_in;
use super::{Frame, Section, When, page, when};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reader, parse_query, string};
use crate::shop::page_of;

/// Entries on a page.
const PAGE: u16 = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    subject: String,
    key: String,
    is_filtered: bool,
    entries: Vec<EntryRow>,
    /// Address of the next page.
    older: Option<String>,
}

struct EntryRow {
    at: When,
    act: String,
    kind: &'static str,
    subject: String,
    /// Whether the act was done to an order.
    is_of_order: bool,
    by: String,
    address: Option<String>,
    request: Option<String>,
}

impl EntryRow {
    fn of(entry: &AuditEntry) -> Self {
        let kind = entry.act.name();
        Self {
            at: when(entry.at),
            act: entry.act.to_string(),
            kind,
            is_of_order: ["refund.", "capture.", "cancellation.", "payment_intent."]
                .iter()
                .any(|it| kind.starts_with(it)),
            subject: entry.subject.clone(),
            by: entry.actor.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string),
            address: entry.address.map(|it| it.to_string()),
            request: entry.request.clone(),
        }
    }
}

/// `GET /console/audit`: entries by subject and key, the newest first.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::AuditRead).await?;
    let fields = parse_query(&request)?;
    let mut problems = FieldProblems::default();
    let mut query = Reader::new(&fields, &["subject", "key", "before"], &mut problems);
    let id = |it: &serde_json::Value| match string(it)?.trim() {
        "" => Ok(None),
        text => Ok(Some(Uuid::try_parse(text).map_err(|_| "must be an id (a UUID)")?)),
    };
    let subject = query.optional("subject", |it| Ok(string(it)?.trim().to_owned())).unwrap_or_default();
    let (key, older_than) = (query.optional("key", id).flatten(), query.optional("before", id).flatten());
    problems.done(Some(())).map_err(Problem::query)?;
    let filter = (!subject.is_empty()).then(|| subject.clone());
    let query = AuditQuery { older_than, subject: filter, key, limit: PAGE + 1 };
    let found = api.app.audit_entries(&query).await?;
    let (shown, last) = page_of(&found, PAGE);
    let key = key.map(|it| it.to_string()).unwrap_or_default();
    let older = last.map(|it| {
        let subject = percent_encoding::utf8_percent_encode(&subject, percent_encoding::NON_ALPHANUMERIC);
        format!("/console/audit?subject={subject}&key={key}&before={}", it.id)
    });
    let is_filtered = !subject.is_empty() || !key.is_empty() || older_than.is_some();
    let entries = shown.iter().map(EntryRow::of).collect();
    let frame = Frame::of(&api, &operator, Section::AuditTrail);
    Ok(page(StatusCode::OK, &AuditPage { frame, subject, key, is_filtered, entries, older }))
}
