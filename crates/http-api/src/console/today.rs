//! First page: what happened today and in the last days, and whether anything needs a person.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{
    Break, BreakPage, BreakQuery, Case, CountedSum, DailyTotal, RecentTotals, Scope, WorkState, cases_of,
};
use paywright_domain::books::{Day, SignedMoney};
use paywright_domain::{Currency, Order, Timestamp};
use serde::Serialize;

use super::refusal::Refusal;
use super::session::{console, signed_in};
use super::{Frame, Part, Section, When, amount, code, day, page, parts, signed, when, words};
use crate::Api;

/// Days of the plot, today included.
const DAYS: u16 = 30;
/// Most orders with cases, and most breaks, that are counted.
const CASES_MAX: u16 = 1000;
/// Time that a fact may wait for its position before the page says that it is not counted, in seconds.
const POSITION_SECONDS_MAX: u32 = 2;
/// Difference of the clocks that is said to be one, in seconds: Stripe's signatures are valid for five minutes.
const CLOCK_SECONDS_MAX: i64 = 60;

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    at: When,
    day: String,
    zone: String,
    /// Whether each event is counted.
    is_complete: bool,
    days: u16,
    currencies: Vec<OfCurrency>,
    /// Cards about the state of the work: title, address of the page with more, and lines.
    cards: Vec<Card>,
}

struct Card {
    id: &'static str,
    title: &'static str,
    link: Option<(String, &'static str)>,
    lines: Vec<Line>,
}

/// Line of a card.
struct Line {
    /// Class and text of its badge, if it has one.
    badge: Option<(&'static str, &'static str)>,
    sentence: Vec<Part>,
}

impl Line {
    fn of(badge: (&'static str, &'static str), sentence: &str) -> Self {
        Self { badge: Some(badge), sentence: parts(sentence) }
    }

    /// Line that says only how it stands.
    fn plain(sentence: &str) -> Self {
        Self { badge: None, sentence: parts(sentence) }
    }
}

/// Badges of lines: all is well, someone should look at it, someone must act.
const FINE: (&str, &str) = ("ok", "fine");
const LOOK: (&str, &str) = ("warn", "look");
const ACT: (&str, &str) = ("bad", "act");

/// Totals in one currency.
struct OfCurrency {
    code: String,
    today: Figures,
    recent: Figures,
    /// Days on which something has happened, the newest first.
    days: Vec<(String, Figures)>,
    /// Figures of the plot, as JSON for its script; `None` if nothing was paid or refunded.
    plot: Option<String>,
}

/// Figures of a day or of several, for people.
struct Figures {
    placed: i64,
    placed_amount: String,
    paid: i64,
    paid_amount: String,
    refunded: i64,
    refunded_amount: String,
    net: String,
}

impl Figures {
    fn of(total: &DailyTotal) -> Self {
        let shown = |minor| signed(SignedMoney::new(minor, total.currency));
        Self {
            placed: total.placed.count,
            placed_amount: shown(total.placed.minor),
            paid: total.paid.count,
            paid_amount: shown(total.paid.minor),
            refunded: total.refunded.count,
            refunded_amount: shown(total.refunded.minor),
            net: shown(total.net_minor()),
        }
    }
}

/// Figures of a plot: a value for each day.
#[derive(Serialize)]
struct Plot {
    currency: String,
    /// Midnight in UTC of each day's date, in seconds since 1970.
    days: Vec<i64>,
    /// Amounts in major units, as decimals.
    paid: Vec<String>,
    refunded: Vec<String>,
}

/// Totals in each currency; the one with the most orders first.
fn currencies(recent: &RecentTotals) -> Vec<OfCurrency> {
    let mut of_currencies: BTreeMap<&'static str, Vec<&DailyTotal>> = BTreeMap::new();
    for total in &recent.totals {
        of_currencies.entry(total.currency.code()).or_default().push(total);
    }
    let mut all: Vec<(i64, OfCurrency)> = of_currencies
        .into_values()
        .filter_map(|totals| {
            let currency = totals.first()?.currency;
            let sum = sum_of(&totals, recent.today, currency);
            Some((sum.placed.count, of_currency(recent.today, currency, &totals, &sum)))
        })
        .collect();
    all.sort_by_key(|(placed, _)| std::cmp::Reverse(*placed));
    all.into_iter().map(|(_, it)| it).collect()
}

fn sum_of(totals: &[&DailyTotal], today: Day, currency: Currency) -> DailyTotal {
    let mut sum = DailyTotal::empty(today, false, currency);
    for total in totals {
        sum.placed.add(total.placed);
        sum.paid.add(total.paid);
        sum.refunded.add(total.refunded);
    }
    sum
}

fn of_currency(today: Day, currency: Currency, totals: &[&DailyTotal], sum: &DailyTotal) -> OfCurrency {
    let on = |day: Day| totals.iter().find(|it| it.day == day);
    let mut days: Vec<Day> = std::iter::successors(Some(today), |it| it.previous()).take(DAYS.into()).collect();
    days.reverse();
    let amounts = |of: fn(&DailyTotal) -> CountedSum| {
        let minor = |it: &Day| on(*it).map_or(0, |it| of(it).minor);
        days.iter().map(|it| SignedMoney::new(minor(it), currency).to_decimal()).collect()
    };
    let plot = Plot {
        currency: code(currency),
        days: days.iter().map(|it| midnight(*it)).collect(),
        paid: amounts(|it| it.paid),
        refunded: amounts(|it| it.refunded),
    };
    let empty = DailyTotal::empty(today, false, currency);
    OfCurrency {
        code: code(currency),
        today: Figures::of(on(today).copied().unwrap_or(&empty)),
        recent: Figures::of(sum),
        days: totals.iter().rev().map(|it| (it.day.to_string(), Figures::of(it))).collect(),
        plot: serde_json::to_string(&plot).ok().filter(|_| (sum.paid, sum.refunded) != Default::default()),
    }
}

/// Midnight in UTC of the date of a day, in seconds since 1970.
fn midnight(day: Day) -> i64 {
    format!("{day}T00:00:00Z").parse().map_or(0, Timestamp::unix_seconds)
}

/// `2 disputes`, or `one dispute`.
fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    if count == 1 { format!("one {one}") } else { format!("{count} {many}") }
}

/// Card of what needs a person.
fn cases(orders: &[Order], breaks: &[Break]) -> Card {
    let all: Vec<Case<'_>> = orders.iter().flat_map(cases_of).collect();
    let mut lines = Vec::new();
    let disputes: Vec<_> = all
        .iter()
        .filter_map(|it| match it {
            Case::DisputeToAnswer(dispute) => Some(dispute),
            Case::Review(_) | Case::RefundFailed(_) => None,
        })
        .collect();
    if let Some(next) = disputes.iter().min_by_key(|it| (it.due_by.is_none(), it.due_by)) {
        let what = counted(disputes.len(), "dispute", "disputes");
        let until = next.due_by.map(|it| format!(" by {it}")).unwrap_or_default();
        lines.push(Line::of(ACT, &format!("Answer {what}; the next one, of {},{until}.", amount(next.amount))));
    }
    let reviews = all.iter().filter(|it| matches!(it, Case::Review(_))).count();
    if reviews > 0 {
        let what = counted(reviews, "payment is", "payments are");
        lines.push(Line::of(ACT, &format!("Decide: {what} held for review.")));
    }
    let failed = all.iter().filter(|it| matches!(it, Case::RefundFailed(_))).count();
    if failed > 0 {
        lines.push(Line::of(
            ACT,
            &format!("Refund again, or close: {}.", counted(failed, "refund failed", "refunds failed")),
        ));
    }
    if !breaks.is_empty() {
        let what = counted(breaks.len(), "break of the books is", "breaks of the books are");
        lines.push(Line::of(ACT, &format!("Explain: {what} open.")));
    }
    if lines.is_empty() {
        lines.push(Line::of(FINE, "Nothing waits for a person."));
    }
    Card { id: "cases", title: "Needs a person", link: Some(("/console/attention".into(), "Needs attention")), lines }
}

fn endpoints(state: &WorkState) -> Card {
    let backlog = &state.backlog;
    let mut lines = Vec::new();
    if backlog.endpoints_failing > 0 {
        let what = counted(backlog.endpoints_failing, "endpoint fails", "endpoints fail");
        lines.push(Line::of(ACT, &format!("Other programs miss events: {what}.")));
    }
    if backlog.endpoints_disabled > 0 {
        let what = counted(backlog.endpoints_disabled, "endpoint is", "endpoints are");
        lines.push(Line::of(LOOK, &format!("Off: {what} disabled.")));
    }
    if let Some(since) = backlog.deliveries.oldest {
        let sentence = format!("The oldest event that is not delivered is of {since}.");
        lines.push(if state.is_late_delivery(since) { Line::of(LOOK, &sentence) } else { Line::plain(&sentence) });
    }
    if lines.is_empty() {
        let accept = match backlog.endpoints_enabled {
            0 => "There is no endpoint.",
            _ => "Every endpoint accepts what is sent to it.",
        };
        lines.push(Line::of(FINE, accept));
    }
    Card { id: "endpoints", title: "Webhook endpoints", link: Some(("/console/endpoints".into(), "Events")), lines }
}

fn work(state: &WorkState, takes_orders: bool) -> Card {
    let due = state.backlog.due_tasks.iter().filter_map(|(kind, it)| it.oldest.map(|since| (since, *kind)));
    let mut lines = Vec::new();
    if !takes_orders {
        lines.push(Line::of(
            ACT,
            "The database takes no writes: no order can be placed or paid. The log has the reason.",
        ));
    }
    for (kind, failing) in &state.backlog.failing_tasks {
        let what = counted(failing.count, "task", "tasks");
        let kind = words(kind.name());
        lines.push(Line::of(LOOK, &format!("In the last attempt failed {what} \"{kind}\": the log has the reasons.")));
    }
    match due.min() {
        Some((since, kind)) => {
            let sentence = format!("The oldest task, \"{}\", has been due since {since}.", words(kind.name()));
            lines.push(if state.is_late_task(since) { Line::of(LOOK, &sentence) } else { Line::plain(&sentence) });
        }
        None => lines.push(Line::of(FINE, "No task waits.")),
    }
    Card { id: "work", title: "Tasks", link: None, lines }
}

fn stripe(state: &WorkState) -> Card {
    let mut lines: Vec<_> = state.endpoint_drift.iter().map(|it| Line::of(ACT, it)).collect();
    match state.stripe_ahead_seconds {
        None => lines.push(Line::of(LOOK, "Stripe has not answered since this process started.")),
        Some(ahead) if ahead.abs() > CLOCK_SECONDS_MAX => {
            let sentence = format!("The clock of this machine differs from Stripe's by {} seconds.", ahead.abs());
            lines.push(Line::of(ACT, &sentence));
        }
        Some(_) => lines.push(Line::of(FINE, "Stripe answers, and the clocks agree.")),
    }
    let listed =
        format!("Stripe's events were last listed to the end, or this process started, at {}.", state.back_filled_at);
    lines.push(Line::plain(&listed));
    Card { id: "stripe", title: "Stripe", link: None, lines }
}

fn books(state: &WorkState) -> Card {
    let (statement, link) = match state.closed_until {
        None => (Line::plain("No books are kept, or they have not been begun."), "/console/books".to_owned()),
        Some(until) => {
            let last = until.minus_seconds(1);
            let sentence = format!("The last statement is of the day that ended at {until}.");
            (Line::of(FINE, &sentence), format!("/console/books?period={}", day(last)))
        }
    };
    Card { id: "books", title: "Books", link: Some((link, "Statement")), lines: vec![statement] }
}

/// `GET /console/today`.
pub(super) async fn read(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::OrdersRead).await?;
    let now = api.app.now();
    let recent = console(&api)?.totals.recent(now, DAYS, api.app.livemode()).await?;
    let orders = api.monitor.orders_with_cases(CASES_MAX).await?;
    let breaks = api.books.breaks(&BreakQuery::Open(BreakPage::first(CASES_MAX))).await?;
    let state = api.monitor.state().await?;
    let takes_orders = api.app.ready().await.is_ok();
    let waits = |it: Timestamp| it.plus_seconds(POSITION_SECONDS_MAX) < state.at;
    let is_complete = recent.is_complete && !state.backlog.unpositioned_events.oldest.is_some_and(waits);
    let shown = TodayPage {
        frame: Frame::of(&api, &operator, Section::Today),
        at: when(now),
        day: recent.today.to_string(),
        zone: recent.zone.clone(),
        is_complete,
        days: DAYS,
        currencies: currencies(&recent),
        cards: vec![
            cases(&orders, &breaks),
            endpoints(&state),
            work(&state, takes_orders),
            stripe(&state),
            books(&state),
        ],
    };
    Ok(page(StatusCode::OK, &shown))
}
