//! Audit trail: `/api/v1/shop/audit_entries`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::view_value::{CurrencyCode, DecimalAmount, Time};
use paywright_app::{AuditEntry, AuditQuery, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::KnownFormat;
use uuid::Uuid;

use super::view::ActorView;
use super::{limit_parameter, page_limit, page_of, success};
use crate::Api;
use crate::auth::application_alone;
use crate::openapi::refusals;
use crate::openapi::schema::{parameters, query, string, string_in};
use crate::problem::Problem;
use crate::reader::{FieldProblems, Fields, Reader, parse_query, string as read_string};
use crate::shop::view::Envelope;

/// Longest subject that is searched for, in characters.
const SUBJECT_CHARS_MAX: usize = 100;

parameters! {
    /// Query that [`read_query`] reads.
    AuditParameters = [
        query("cursor", "`next_cursor` of an earlier answer.", string_in(KnownFormat::Uuid)),
        limit_parameter(),
        query(
            "subject",
            "Order (its id, number or PaymentIntent), API key or webhook endpoint (its id) that the acts were done to.",
            string().min_length(Some(1)).max_length(Some(SUBJECT_CHARS_MAX)),
        ),
        query("key", "Id of the API key that acted.", string_in(KnownFormat::Uuid)),
    ];
}

/// Reads the query of a page.
fn read_query(query: &Fields) -> Result<AuditQuery, Problem> {
    let mut problems = FieldProblems::default();
    let mut it = Reader::new(query, &["cursor", "limit", "subject", "key"], &mut problems);
    let older_than = it.optional("cursor", |it| {
        Ok(Uuid::try_parse(read_string(it)?).map_err(|_| "must be the next_cursor of an earlier answer")?)
    });
    let subject = it.optional("subject", |it| {
        let text = read_string(it)?;
        let is_valid = (1..=SUBJECT_CHARS_MAX).contains(&text.chars().count());
        Ok(is_valid.then(|| text.to_owned()).ok_or_else(|| format!("must have 1 to {SUBJECT_CHARS_MAX} characters"))?)
    });
    let key = it.optional("key", |it| {
        Ok(Uuid::try_parse(read_string(it)?).map_err(|_| "must be the id of an API key (a UUID)")?)
    });
    let limit = page_limit(&mut it);
    problems.done(Some(AuditQuery { older_than, subject, key, limit })).map_err(Problem::query)
}

/// Entry of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryView<'a> {
    id: Uuid,
    at: Time,
    /// Name of the act, like `refund.requested`.
    act: &'static str,
    /// Id of the order, API key or webhook endpoint that it was done to.
    subject: &'a str,
    /// The act in words.
    what: String,
    /// Amount of a refund, a capture or an accepted payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    amount: Option<DecimalAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    currency: Option<CurrencyCode>,
    /// Note of the person who accepted a payment or explained a break.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<&'a str>,
    /// Actor who did it; null if that is not known.
    actor: Option<ActorView<'a>>,
    /// Address of the client; null for commands and background work.
    address: Option<String>,
    /// `X-Request-Id` of the request; null for commands and background work.
    request_id: Option<&'a str>,
}

impl<'a> EntryView<'a> {
    fn of(entry: &'a AuditEntry) -> Self {
        let amount = entry.act.amount();
        Self {
            id: entry.id,
            at: Time(entry.at),
            act: entry.act.name(),
            subject: &entry.subject,
            what: entry.act.to_string(),
            amount: amount.map(DecimalAmount),
            currency: amount.map(Into::into),
            note: entry.act.note(),
            actor: entry.actor.as_ref().map(ActorView::of),
            address: entry.address.map(|it| it.to_string()),
            request_id: entry.request.as_deref(),
        }
    }
}

/// Page of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntriesPage)]
struct EntriesView<'a> {
    audit_entries: Vec<EntryView<'a>>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<Uuid>,
}

/// Lists the audit trail, newest first: every act that moves money, changes access, sends events again or explains a break.
#[utoipa::path(
    get, path = "/audit_entries", tag = "Audit trail", operation_id = "listAuditEntries",
    params(AuditParameters),
    responses(
        (status = 200, description = "A page of the audit trail.", body = Envelope<EntriesView>),
        refusals::ListAuditEntries,
    ),
    security(("api_key" = ["audit:read"])),
)]
pub(crate) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::AuditRead).await?;
    let page = read_query(&parse_query(&request)?)?;
    let limit = page.limit;
    let found = api.app.for_request().audit_entries(&AuditQuery { limit: limit + 1, ..page }).await?;
    let (entries, last) = page_of(&found, limit);
    let audit_entries = entries.iter().map(EntryView::of).collect();
    let view = EntriesView { audit_entries, next_cursor: last.map(|it| it.id) };
    Ok(success(StatusCode::OK, "Audit trail", view))
}
