//! Books: `/api/v1/shop/books`, and the ledger of an order.

mod problem;
mod query;
mod view;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderValue};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, BreakView, LedgerView, PayoutView, Scope, Statement, StatementView};
use paywright_domain::id::PayoutId;

use crate::Api;
use crate::auth::application_alone;
use crate::openapi::refusals;
use crate::openapi::schema::{in_path, parameters, string};
use crate::problem::Problem;
use crate::reader::{parse_json, parse_query};
use crate::receiving::read_body;
use crate::requests::JSON_BYTES_WITH_KEY_MAX;
use crate::shop::view::Envelope;
use crate::shop::{OrderPath, order_ref, success};
use problem::{break_not_found, payout_not_found, unreadable};
use query::{
    BreaksParameters, BreaksQuery, Format, INVALID_RESOLUTION, MembersParameters, MembersQuery, NewResolution,
    PayoutsParameters, PayoutsQuery, ResolutionBody, StatementParameters, StatementQuery, cursor_of_member,
};
use view::{BreaksPage, PayoutsPage};

/// Media type of a statement as CSV.
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

parameters! {
    /// Payout in the path, which [`payout_id`] reads.
    PayoutPath = [in_path(
        "payout",
        "Stripe's id of the payout.",
        string().pattern(Some("^[0-9A-Za-z_]+$")).max_length(Some(255)),
    )];
}

/// Refuses a call before the books are begun: nothing in them would mean that nothing is wrong.
async fn has_begun(api: &Api) -> Result<(), Problem> {
    api.books.zone_and_time().await?;
    Ok(())
}

fn payout_id(text: &str) -> Result<PayoutId, Problem> {
    PayoutId::new(text).map_err(|_| {
        let detail = "the payout in the path must be Stripe's id of it (po_...)";
        Problem::bad_request("payout_id_malformed", detail)
    })
}

/// Reads the statement of a day or a month.
///
/// The statement of days that are closed never changes. As text and as CSV, it is the same as that of `paywright books
/// statement` to the byte.
#[utoipa::path(
    get, path = "/books/statement", tag = "Books", operation_id = "readStatement",
    params(StatementParameters),
    responses(
        (
            status = 200, description = "The statement.",
            content(
                (Envelope<StatementView> = "application/json"),
                (String = "text/csv; charset=utf-8"),
                (String = "text/plain; charset=utf-8"),
            ),
        ),
        refusals::ReadStatement,
    ),
    security(("api_key" = ["books:read"])),
)]
pub(crate) async fn statement(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::BooksRead).await?;
    let StatementQuery { period, format } = StatementQuery::read(&parse_query(&request)?)?;
    let statement = api.books.statement(period).await?;
    in_format(&statement, format)
}

fn in_format(statement: &Statement, format: Format) -> Result<HttpResponse, Problem> {
    Ok(match format {
        Format::Json => success(StatusCode::OK, "Statement", statement.view()),
        Format::Text => HttpResponse::Ok().content_type(ContentType::plaintext()).body(statement.text()),
        Format::Csv => HttpResponse::Ok().content_type(CSV).body(statement.csv().map_err(unreadable)?),
    })
}

/// Lists payouts, oldest first, without what they contain.
#[utoipa::path(
    get, path = "/books/payouts", tag = "Books", operation_id = "listPayouts",
    params(PayoutsParameters),
    responses(
        (status = 200, description = "A page of payouts.", body = Envelope<PayoutsPage>),
        refusals::ListPayouts,
    ),
    security(("api_key" = ["books:read"])),
)]
pub(crate) async fn payouts(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::BooksRead).await?;
    let query = PayoutsQuery::read(&parse_query(&request)?)?;
    let (zone, now) = api.books.zone_and_time().await?;
    let (from, until) = query.range(&zone, now)?;
    let found = api.books.payouts(from, until).await?;
    let page = query.page(&found)?;
    Ok(success(StatusCode::OK, "Payouts", PayoutsPage::of(page, query.limit)))
}

/// Reads a payout, with a page of the balance transactions that it contains and their orders.
#[utoipa::path(
    get, path = "/books/payouts/{payout}", tag = "Books", operation_id = "readPayout",
    params(PayoutPath, MembersParameters),
    responses(
        (status = 200, description = "The payout.", body = Envelope<PayoutView>),
        refusals::ReadPayout,
    ),
    security(("api_key" = ["books:read"])),
)]
pub(crate) async fn payout(
    api: Data<Api>,
    request: HttpRequest,
    payout: Path<String>,
) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::BooksRead).await?;
    let id = payout_id(&payout)?;
    let MembersQuery { after, limit } = MembersQuery::read(&parse_query(&request)?)?;
    has_begun(&api).await?;
    let content = api.books.payout_page(&id, after, limit).await?.ok_or_else(payout_not_found)?;
    Ok(success(StatusCode::OK, "Payout", PayoutView::with_content(&content, cursor_of_member)))
}

/// Lists breaks: what the books and Stripe say differently.
///
/// Open ones by the time at which they were first seen; of all, the latest first.
#[utoipa::path(
    get, path = "/books/breaks", tag = "Books", operation_id = "listBreaks",
    params(BreaksParameters),
    responses(
        (status = 200, description = "The breaks.", body = Envelope<BreaksPage>),
        refusals::ListBreaks,
    ),
    security(("api_key" = ["books:read"])),
)]
pub(crate) async fn breaks(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::BooksRead).await?;
    let query = BreaksQuery::read(&parse_query(&request)?)?;
    has_begun(&api).await?;
    let found = api.books.breaks(&query.with_one_more()).await?;
    Ok(success(StatusCode::OK, "Breaks", BreaksPage::of(&found, query.limit)))
}

/// Resolves a break with a note, in the name of the application.
///
/// A break that is gone or resolved already stays as it is.
#[utoipa::path(
    post, path = "/books/breaks/resolve", tag = "Books", operation_id = "resolveBreak",
    request_body = ResolutionBody,
    responses(
        (status = 200, description = "The break, which is resolved or gone.", body = Envelope<BreakView>),
        refusals::ResolveBreak,
    ),
    security(("api_key" = ["books:write"])),
)]
pub(crate) async fn resolve(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let key = application_alone(&api, &request, Scope::BooksWrite).await?;
    let body = parse_json(&request, &read_body(&request, payload, JSON_BYTES_WITH_KEY_MAX).await?, INVALID_RESOLUTION)?;
    let NewResolution { id, note } = NewResolution::read(&body)?;
    has_begun(&api).await?;
    let found = api.books.resolve(&id, &key.name, &note).await?.ok_or_else(break_not_found)?;
    Ok(success(StatusCode::OK, "Break", BreakView::of(&found)))
}

/// Reads the ledger of an order: the entries that its facts expect, and those of what Stripe moved for it.
#[utoipa::path(
    get, path = "/orders/{order}/ledger", tag = "Books", operation_id = "readLedger",
    params(OrderPath),
    responses(
        (status = 200, description = "The ledger; empty as long as nothing of the order is booked.", body = Envelope<LedgerView>),
        refusals::ReadLedger,
    ),
    security(("api_key" = ["books:read"])),
)]
pub(crate) async fn ledger(api: Data<Api>, request: HttpRequest, order: Path<String>) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::BooksRead).await?;
    let order = api.app.get_order(&order_ref(&order)?, &Access::All).await?.id;
    has_begun(&api).await?;
    let ledger = api.books.ledger(order).await?;
    Ok(success(StatusCode::OK, "Ledger", LedgerView::of(&ledger)))
}
