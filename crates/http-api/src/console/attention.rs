//! Page of what waits for a person: disputes, reviews, failed refunds, and breaks of the books.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{Break, BreakPage, BreakQuery, Case, Publisher, Scope, anomaly_reason, cases_of};
use paywright_domain::books::SignedMoney;
use paywright_domain::text::{NOTE_LEN_MAX, Note};
use paywright_domain::{Order, Timestamp};

use super::endpoints::EndpointRow;
use super::order::dashboard;
use super::refusal::Refusal;
use super::session::{Operator, posted, signed_in, text};
use super::{Frame, Part, Section, When, amount, page, parts, see_other, signed, when, words};
use crate::Api;
use crate::reader::parse_query;

/// Most orders with cases that are read, and most cases of each kind on the page.
const ORDERS_MAX: u16 = 1000;
const CASES_MAX: u16 = 100;
const SECONDS_PER_DAY: i64 = 86_400;

#[derive(Template)]
#[template(path = "attention.html")]
struct AttentionPage {
    frame: Frame,
    notice: Option<Notice>,
    groups: Vec<Group>,
    breaks: Vec<BreakRow>,
    endpoints: Vec<EndpointRow>,
    may_resolve: bool,
    note_max: usize,
    /// Whether there may be more cases than the page has.
    has_more: bool,
}

/// Cases of one kind of orders.
struct Group {
    title: &'static str,
    next_step: &'static str,
    cases: Vec<CaseRow>,
    /// Number of cases that the page leaves out.
    left_out: usize,
}

struct CaseRow {
    number: String,
    sentence: Vec<Part>,
    since: Option<When>,
    /// Time by which the shop must answer, and the days until then.
    due_by: Option<(When, String)>,
    /// Page of the object in Stripe's dashboard.
    dashboard: Option<(String, String)>,
    key: Timestamp,
}

impl CaseRow {
    fn of(order: &Order, case: Case<'_>, now: Timestamp) -> Self {
        let row = |sentence: String, since: Timestamp| Self {
            number: order.number.as_str().to_owned(),
            sentence: parts(&sentence),
            since: Some(when(since)),
            due_by: None,
            dashboard: None,
            key: since,
        };
        match case {
            Case::Review(anomaly) => row(anomaly_reason(order, anomaly), anomaly.found_at),
            Case::RefundFailed(refund) => {
                let failure = refund.failure.as_ref().map(|it| format!(": {}", it.as_str())).unwrap_or_default();
                let what = format!("Refund {} of {} failed{failure}.", refund.number, amount(refund.amount));
                row(format!("{what} The shop still has the money."), refund.requested_at)
            }
            Case::DisputeToAnswer(dispute) => {
                let what = format!("The cardholder disputed {} ({}).", amount(dispute.amount), words(&dispute.reason));
                let page = dashboard(order, "disputes", dispute.id.as_str());
                // One without a deadline comes last.
                let key = dispute.due_by.unwrap_or_else(|| now.plus_seconds(u32::MAX));
                Self {
                    since: None,
                    due_by: dispute.due_by.map(|it| (when(it), in_days(it, now))),
                    dashboard: Some((page, dispute.id.as_str().to_owned())),
                    ..row(what, key)
                }
            }
        }
    }
}

/// Days until a time, in words.
fn in_days(at: Timestamp, now: Timestamp) -> String {
    match (at.unix_seconds() - now.unix_seconds()).div_euclid(SECONDS_PER_DAY) {
        days if days < 0 => "it has passed".to_owned(),
        0 => "less than a day is left".to_owned(),
        1 => "one day is left".to_owned(),
        days => format!("{days} days are left"),
    }
}

struct BreakRow {
    id: String,
    order: Option<String>,
    class: String,
    ours: String,
    theirs: String,
    since: When,
    next_step: &'static str,
    /// Note that was typed and refused.
    typed: Option<String>,
}

impl BreakRow {
    fn of(it: &Break) -> Self {
        let shown = |amount: Option<SignedMoney>| amount.map_or_else(|| "nothing".to_owned(), signed);
        Self {
            id: it.id.clone(),
            order: it.order.map(|it| it.to_string()),
            class: words(it.class.name()),
            ours: shown(it.ours),
            theirs: shown(it.theirs),
            since: when(it.since),
            next_step: it.class.next_step(),
            typed: None,
        }
    }
}

/// Cases of all orders in the groups of the page that have any.
fn groups(orders: &[Order], now: Timestamp) -> Vec<Group> {
    let group = |title, next_step, is_in: fn(&Case<'_>) -> bool| {
        let cases = orders.iter().flat_map(|order| cases_of(order).into_iter().map(move |case| (order, case)));
        let mut cases: Vec<CaseRow> =
            cases.filter(|(_, case)| is_in(case)).map(|(order, case)| CaseRow::of(order, case, now)).collect();
        cases.sort_by_key(|it| it.key);
        let left_out = cases.len().saturating_sub(CASES_MAX.into());
        cases.truncate(CASES_MAX.into());
        Group { title, next_step, cases, left_out }
    };
    let groups = [
        group(
            "Disputes to answer",
            "answer or accept it in Stripe's Dashboard; disputed money cannot be refunded",
            |it| matches!(it, Case::DisputeToAnswer(_)),
        ),
        group(
            "Held for review",
            "open the order and refund all of the money, or accept it where only its amount differs",
            |it| matches!(it, Case::Review(_)),
        ),
        group(
            "Failed refunds",
            "open the order and refund again, or give the money back in another way and close the refund with a note",
            |it| matches!(it, Case::RefundFailed(_)),
        ),
    ];
    groups.into_iter().filter(|it| !it.cases.is_empty()).collect()
}

/// Notice of what became of a note.
struct Notice {
    class: &'static str,
    text: String,
}

/// Note that was typed for a break and refused.
struct Typed {
    id: String,
    note: String,
}

/// Answer with the page, under a notice if there is one.
async fn shown(
    api: &Api,
    operator: &Operator,
    status: StatusCode,
    notice: Option<Notice>,
    typed: Option<Typed>,
) -> Result<HttpResponse, Refusal> {
    let orders = api.monitor.orders_with_cases(ORDERS_MAX).await?;
    let breaks = api.books.breaks(&BreakQuery::Open(BreakPage::first(CASES_MAX))).await?;
    let endpoints = api.publisher.list_endpoints(None, Publisher::ENDPOINTS_MAX).await?;
    let endpoints = endpoints.iter().map(EndpointRow::of).filter(EndpointRow::is_in_trouble);
    let of_break = |it: &Break| {
        let typed = typed.as_ref().filter(|typed| typed.id == it.id).map(|typed| typed.note.clone());
        BreakRow { typed, ..BreakRow::of(it) }
    };
    let shown = AttentionPage {
        frame: Frame::of(api, operator, Section::Attention),
        notice,
        groups: groups(&orders, api.app.now()),
        breaks: breaks.iter().map(of_break).collect(),
        endpoints: endpoints.take(CASES_MAX.into()).collect(),
        may_resolve: operator.may(Scope::BooksWrite),
        note_max: NOTE_LEN_MAX,
        has_more: orders.len() >= usize::from(ORDERS_MAX) || breaks.len() >= usize::from(CASES_MAX),
    };
    Ok(page(status, &shown))
}

/// `GET /console/attention`.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::OrdersRead).await?;
    let text = match text(&parse_query(&request)?, "done") {
        "resolved" => Some("The break is resolved, with your note."),
        "before" => Some("The break was resolved before, and your note was not stored."),
        "gone" => Some("The break is gone: both sides agree now. Your note was not stored."),
        _ => None,
    };
    let notice = text.map(|it| Notice { class: "notice", text: it.to_owned() });
    shown(&api, &operator, StatusCode::OK, notice, None).await
}

/// `GET` of the address of an act: leads to the page.
pub(super) async fn of_act() -> HttpResponse {
    see_other("/console/attention")
}

/// `POST /console/attention/resolve`: resolves a break with a note.
pub(super) async fn resolve(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let (operator, form) = posted(&api, &request, payload, Scope::BooksWrite).await?;
    let (id, note) = (text(&form, "id"), text(&form, "note"));
    let note = match Note::new(note) {
        Ok(note) => note,
        Err(problem) => {
            let text = format!("The note {problem}. Nothing was changed.");
            let notice = Some(Notice { class: "error", text });
            let typed = Some(Typed { id: id.to_owned(), note: note.to_owned() });
            return shown(&api, &operator, StatusCode::UNPROCESSABLE_ENTITY, notice, typed).await;
        }
    };
    let by = operator.session.operator.as_str();
    let found = api.books.resolve(id, by, &note).await?.ok_or(Refusal::NoSuch("break"))?;
    let done = match (&found.gone_at, &found.resolution) {
        (None, Some(it)) if it.by == by && it.note == note.as_str() => "resolved",
        (None, Some(_)) => "before",
        (Some(_), _) | (None, None) => "gone",
    };
    Ok(see_other(&format!("/console/attention?done={done}#result")))
}
