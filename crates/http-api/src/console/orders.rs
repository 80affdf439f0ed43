//! Page of the orders: a search, filters, and a list.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{Access, GetOrderError, OrderPage, OrderQuery, OrderRef, OrderRefError, Scope, TimeRange};
use paywright_domain::books::Source;
use paywright_domain::id::{ChargeId, CustomerId, DisputeId, PayoutId, RefundId};
use paywright_domain::order::{OrderState, PaymentState};
use paywright_domain::{Currency, Order, OrderId, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::signed_in;
use super::{Frame, Section, When, amount, code, page, see_other, when, words};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reader, Reason, parse_query, string};

/// Orders on a page.
const PAGE: u16 = 25;
/// Longest text of a search, in characters: that of an email address.
const SEARCH_CHARS_MAX: usize = 255;

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    frame: Frame,
    asked: Asked,
    /// Title of the list.
    title: String,
    orders: Vec<OrderRow>,
    states: [&'static str; OrderState::NAMES.len()],
    currencies: Vec<String>,
    newest: Option<String>,
    older: Option<String>,
}

/// Query of the page, as its forms show it.
#[derive(Default)]
struct Asked {
    text: String,
    state: &'static str,
    currency: String,
    from: String,
    until: String,
    before: Option<OrderId>,
}

struct OrderRow {
    number: String,
    placed: When,
    total: String,
    state: &'static str,
    /// Class of the badge of the state.
    state_class: &'static str,
    payment: String,
    /// Class of the badge of the payment.
    class: &'static str,
    email: Option<String>,
    customer: Option<String>,
}

impl OrderRow {
    fn of(order: &Order) -> Self {
        Self {
            number: order.number.as_str().to_owned(),
            placed: when(order.placed_at),
            total: amount(order.total),
            state: order.status_name(),
            state_class: state_class(order),
            class: class_of(order),
            payment: payment_in_words(order),
            email: order.email.as_ref().map(|it| it.as_str().to_owned()),
            customer: order.customer.as_ref().map(|it| it.as_str().to_owned()),
        }
    }
}

/// Class of the badge of an order's state.
pub(super) fn state_class(order: &Order) -> &'static str {
    if order.is_paid() { "ok" } else { "" }
}

/// Class of the badge of an order's payment, by what it asks of a person.
pub(super) fn class_of(order: &Order) -> &'static str {
    match order.payment_state() {
        PaymentState::Review => "warn",
        PaymentState::Disputed => "bad",
        PaymentState::Authorized | PaymentState::Processing | PaymentState::RequiresAction => "wait",
        PaymentState::Paid | PaymentState::PartiallyRefunded | PaymentState::Refunded => "ok",
        PaymentState::Unpaid => "",
    }
}

/// State of an order's payment in words.
pub(super) fn payment_in_words(order: &Order) -> String {
    let payment = order.payment_state();
    let received = order.paid_by().map(|it| it.received).filter(|it| *it != order.total);
    if let (PaymentState::Paid, Some(received)) = (payment, received) {
        let (received, total) = (amount(received), amount(order.total));
        return if order.amount_due() == order.total {
            format!("paid, {received} of {total} captured")
        } else {
            format!("paid, {received} accepted for {total}")
        };
    }
    let left = || order.paid_by().map(|it| amount(order.left_of(&it.id))).unwrap_or_default();
    match payment {
        PaymentState::Unpaid => "not paid".to_owned(),
        PaymentState::Authorized => "authorized, not captured".to_owned(),
        PaymentState::PartiallyRefunded => format!("partly refunded, {} left", left()),
        PaymentState::Review => "held for review".to_owned(),
        PaymentState::RequiresAction
        | PaymentState::Processing
        | PaymentState::Paid
        | PaymentState::Refunded
        | PaymentState::Disputed => words(payment.name()),
    }
}

impl Asked {
    /// Address of a page with these filters.
    fn address(&self, before: Option<OrderId>) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let before = before.map(|it| it.to_string()).unwrap_or_default();
        let others = [
            ("state", self.state),
            ("currency", &self.currency),
            ("from", &self.from),
            ("until", &self.until),
            ("before", &before),
        ];
        let others = others.into_iter().filter(|(_, value)| !value.is_empty());
        let others: String =
            others.flat_map(|(name, value)| ["&", name, "=", &encoded(value)].map(str::to_owned)).collect();
        format!("/console/orders?q={}{others}", encoded(&self.text))
    }
}

/// First moment of a day such as `2026-11-28`, in UTC; `None` for an empty text.
fn day(value: &Value) -> Result<Option<(String, Timestamp)>, Reason> {
    let text = string(value)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let at = format!("{text}T00:00:00Z").parse().map_err(|_| "must be a day such as 2026-11-28")?;
    Ok(Some((text.to_owned(), at)))
}

/// Reads the query of the page.
fn asked(request: &HttpRequest) -> Result<(Asked, OrderQuery), Problem> {
    let fields = parse_query(request)?;
    let mut problems = FieldProblems::default();
    let mut it = Reader::new(&fields, &["q", "state", "currency", "from", "until", "before"], &mut problems);
    let text = it.optional("q", |it| {
        let text = string(it)?.trim();
        let is_short = text.chars().count() <= SEARCH_CHARS_MAX;
        Ok(is_short
            .then(|| text.to_owned())
            .ok_or_else(|| format!("must have at most {SEARCH_CHARS_MAX} characters"))?)
    });
    let text = text.unwrap_or_default();
    let state = it.optional("state", |it| {
        let text = string(it)?;
        let known = OrderState::NAMES.into_iter().find(|it| *it == text);
        if text.is_empty() { Ok(None) } else { Ok(Some(known.ok_or("must be open, paid or canceled")?)) }
    });
    let currency = it.optional("currency", |it| match string(it)?.trim() {
        "" => Ok(None),
        text => Ok(Some(text.parse::<Currency>()?)),
    });
    let (from, until) = (it.optional("from", day).flatten(), it.optional("until", day).flatten());
    let before = it.optional("before", |it| {
        Ok(OrderId(Uuid::try_parse(string(it)?).map_err(|_| "must be that of a link on the page")?))
    });
    problems.done(Some(())).map_err(Problem::query)?;
    let (state, currency) = (state.flatten(), currency.flatten());
    // The last day of the range is in it.
    let end = until.as_ref().map(|(_, at)| at.plus_seconds(86_400));
    let query = OrderQuery {
        state,
        currency,
        placed: TimeRange { from: from.as_ref().map(|it| it.1), until: end },
        older_than: before,
        ..OrderQuery::newest(PAGE)
    };
    let asked = Asked {
        text,
        state: state.unwrap_or_default(),
        currency: currency.map(code).unwrap_or_default(),
        from: from.map(|it| it.0).unwrap_or_default(),
        until: until.map(|it| it.0).unwrap_or_default(),
        before,
    };
    Ok((asked, query))
}

/// `GET /console/orders`: the order that a search names, or a list.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::OrdersRead).await?;
    let (asked, mut query) = asked(&request)?;
    if let Some(Ok(payout)) = Some(asked.text.as_str()).filter(|it| it.starts_with("po_")).map(PayoutId::new) {
        return Ok(see_other(&format!("/console/books/payouts/{payout}")));
    }
    if let Some(order) = named(&api, &asked.text).await? {
        return Ok(see_other(&format!("/console/orders/{order}")));
    }
    let text = asked.text.as_str();
    let customer = CustomerId::new(text).ok();
    let mut found = OrderPage { orders: Vec::new(), next: None };
    let mut title = "Orders, newest first".to_owned();
    let list = async |query| api.app.list_orders(query, &Access::All).await.map_err(Problem::from);
    if text.is_empty() {
        found = list(query).await?;
    } else {
        title = format!("Orders of {text}, newest first");
        // A customer may be named by an address too: then the orders are that customer's, on each page of the list.
        let by_email = OrderQuery { email: Some(text.to_owned()), ..OrderQuery::newest(1) };
        let has_email = text.contains('@') && !list(by_email).await?.orders.is_empty();
        if has_email || customer.is_some() {
            query.email = has_email.then(|| text.to_owned());
            query.customer = customer.filter(|_| !has_email);
            found = list(query).await?;
        }
    }
    let older = found.next.map(|it| asked.address(Some(it)));
    let newest = asked.before.map(|_| asked.address(None));
    let page_of_orders = OrdersPage {
        frame: Frame::of(&api, &operator, Section::Orders),
        asked,
        title,
        orders: found.orders.iter().map(OrderRow::of).collect(),
        states: OrderState::NAMES,
        currencies: Currency::ALL.iter().copied().map(code).collect(),
        newest,
        older,
    };
    Ok(page(StatusCode::OK, &page_of_orders))
}

/// Order that a text names, by itself, by its number, or by one of its PaymentIntents, charges, refunds or disputes.
async fn named(api: &Api, text: &str) -> Result<Option<OrderId>, Refusal> {
    let which = match OrderRef::parse(text) {
        Ok(which) => which,
        Err(OrderRefError::NoSuchNumber | OrderRefError::Malformed) => {
            if let Some(Ok(charge)) =
                text.get(..3).filter(|it| ["ch_", "py_"].contains(it)).map(|_| ChargeId::new(text))
            {
                return Ok(api.app.order_of_charge(&charge).await?.map(|it| it.id));
            }
            let source = match text.get(..3) {
                Some("re_" | "pyr") => RefundId::new(text).ok().map(|refund| Source::Refund { refund }),
                Some("du_" | "dp_") => DisputeId::new(text).ok().map(|dispute| Source::Dispute { dispute }),
                Some(_) | None => None,
            };
            return match source {
                Some(source) => Ok(api.books.order_of(source).await?),
                None => Ok(None),
            };
        }
    };
    match api.app.get_order(&which, &Access::All).await {
        Ok(order) => Ok(Some(order.id)),
        Err(GetOrderError::NotFound) => Ok(None),
        Err(error @ GetOrderError::Store(_)) => Err(error.into()),
    }
}
