//! Pages of the books: statements and payouts.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{BookedPayout, BookedTransaction, ExportFormat, NoStatement, Period, Scope};
use paywright_domain::OrderId;
use paywright_domain::books::PayoutStatus;
use paywright_domain::id::PayoutId;

use super::export::FORMATS;
use super::refusal::Refusal;
use super::session::signed_in;
use super::{Frame, Section, When, day, page, signed, when, words};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reader, parse_query, string};

/// Balance transactions of a payout on the page.
const MEMBERS: u16 = 200;

#[derive(Template)]
#[template(path = "books.html")]
struct BooksPage {
    frame: Frame,
    period: String,
    /// Text of the statement; or why there is none.
    statement: Result<String, String>,
    payouts: Vec<PayoutRow>,
    /// Formats of a download, with their names for people.
    formats: [(ExportFormat, &'static str); 4],
}

#[derive(Template)]
#[template(path = "payout.html")]
struct PayoutPage {
    frame: Frame,
    payout: PayoutRow,
    trace_id: Option<String>,
    members: Vec<MemberRow>,
    has_more: bool,
}

struct PayoutRow {
    id: String,
    created: When,
    /// Day on which the bank is expected to have it.
    arrival: String,
    amount: String,
    status: String,
    class: &'static str,
    /// Content of the payout, in words.
    content: String,
}

impl PayoutRow {
    fn of(booked: &BookedPayout) -> Self {
        let payout = &booked.payout;
        let class = if payout.status == PayoutStatus::Paid {
            "ok"
        } else if matches!(payout.status, PayoutStatus::Failed | PayoutStatus::Canceled) {
            "bad"
        } else {
            "wait"
        };
        let content = match (&booked.members, payout.automatic) {
            (Some(sum), _) if sum.net == payout.amount => {
                format!("{} balance transactions, which add up to it", sum.count)
            }
            (Some(sum), _) => format!("{} balance transactions, which add up to {}", sum.count, signed(sum.net)),
            (None, true) => "not listed by Stripe yet".to_owned(),
            (None, false) => "made by hand: Stripe does not list what it contains".to_owned(),
        };
        let failure = payout.failure_code.as_ref().map(|it| format!(": {}", words(it))).unwrap_or_default();
        Self {
            id: payout.id.as_str().to_owned(),
            created: when(payout.created),
            arrival: day(payout.arrival),
            amount: signed(payout.amount),
            status: format!("{}{failure}", words(payout.status.name())),
            class,
            content,
        }
    }
}

struct MemberRow {
    id: String,
    at: When,
    category: String,
    source: String,
    order: Option<String>,
    gross: String,
    fee: String,
    net: String,
}

impl MemberRow {
    fn of(booked: &BookedTransaction, numbers: &BTreeMap<OrderId, String>) -> Self {
        let it = &booked.transaction;
        Self {
            id: it.id.as_str().to_owned(),
            at: when(it.created),
            category: words(&it.category.to_string()),
            source: it.source.to_string(),
            order: booked.order.and_then(|it| numbers.get(&it).cloned()),
            gross: signed(it.amount),
            fee: signed(it.fee),
            net: signed(it.net),
        }
    }
}

/// `GET /console/books`: the statement of a day or a month, this month by default, and the payouts of that time.
pub(super) async fn read(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::BooksRead).await?;
    let fields = parse_query(&request)?;
    let mut problems = FieldProblems::default();
    let asked = Reader::new(&fields, &["period"], &mut problems).optional("period", |it| match string(it)?.trim() {
        "" => Ok(None),
        text => Ok(Some(text.parse::<Period>()?)),
    });
    problems.done(Some(())).map_err(Problem::query)?;
    let frame = Frame::of(&api, &operator, Section::Books);
    let (zone, now) = match api.books.zone_and_time().await {
        Ok(known) => known,
        Err(NoStatement::NotBegun) => {
            let statement =
                Err("The books have not been begun: the serving processes begin them by themselves.".to_owned());
            let empty = BooksPage { frame, period: String::new(), statement, payouts: Vec::new(), formats: FORMATS };
            return Ok(page(StatusCode::OK, &empty));
        }
        Err(error) => return Err(Problem::from(error).into()),
    };
    let period = asked.flatten().unwrap_or_else(|| Period::month(zone.day_of(now)));
    let statement = match api.books.statement(period).await {
        Ok(statement) => Ok(statement.text()),
        Err(NoStatement::Books(error)) => return Err(error.into()),
        Err(none) => Err(none.to_string()),
    };
    let end = period.last().next().map_or(now, |it| zone.start_of(it));
    let payouts = api.books.payouts(zone.start_of(period.first()), end).await?;
    let payouts = payouts.iter().rev().map(PayoutRow::of).collect();
    Ok(page(StatusCode::OK, &BooksPage { frame, period: period.to_string(), statement, payouts, formats: FORMATS }))
}

/// `GET /console/books/payouts/{payout}`: a payout with what it contains, order by order.
pub(super) async fn payout(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::BooksRead).await?;
    let id = PayoutId::new(id.as_str()).map_err(|_| Refusal::NoSuch("payout"))?;
    let content = api.books.payout_page(&id, None, MEMBERS).await?.ok_or(Refusal::NoSuch("payout"))?;
    let numbers: BTreeMap<OrderId, String> =
        content.numbers.into_iter().map(|(id, it)| (id, it.as_str().to_owned())).collect();
    let shown = PayoutPage {
        frame: Frame::of(&api, &operator, Section::Books),
        payout: PayoutRow::of(&content.payout),
        trace_id: content.payout.payout.trace_id.clone(),
        members: content.members.iter().map(|it| MemberRow::of(it, &numbers)).collect(),
        has_more: content.next.is_some(),
    };
    Ok(page(StatusCode::OK, &shown))
}
