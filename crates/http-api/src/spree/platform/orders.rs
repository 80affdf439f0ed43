//! `/orders` of the Platform API.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, Balance, Changed, Completion, OrderFilter, OrderRef, OrderSearch, OrderSort, Scope};
use paywright_domain::Order;
use paywright_domain::id::OrderNumber;
use paywright_domain::order::{CancelReason, OrderEdit};
use paywright_domain::text::Email;
use serde_json::Value;

use super::call::{Call, ListCall};
use super::lists::{LIST, time_range};
use super::order::PlatformOrder;
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblem, FieldProblems, Reader};
use crate::spree::document::{Show, answer};
use crate::spree::pages::list_answer;
use crate::spree::params::{Params, text};
use crate::spree::refusal::Refusal;

/// Filters of the list.
const FILTERS: [&str; 16] = [
    "state_eq",
    "number_eq",
    "email_eq",
    "payment_state_eq",
    "completed_at_gteq",
    "completed_at_gt",
    "completed_at_lteq",
    "completed_at_lt",
    "created_at_gteq",
    "created_at_gt",
    "created_at_lteq",
    "created_at_lt",
    "updated_at_gteq",
    "updated_at_gt",
    "updated_at_lteq",
    "updated_at_lt",
];

/// Order of the shop with its cart, if it has one.
pub(super) async fn with_cart(api: &Api, order: &Order) -> Result<PlatformOrder, Refusal> {
    let cart = api.storefront.cart_of(order.id).await?;
    Ok(PlatformOrder::of(order, cart.as_ref()))
}

/// Reads the filters. `None` if no order can have the number that is asked for.
fn read_filter(filter: &mut Reader<'_>) -> Option<OrderFilter> {
    let number = filter.optional("number_eq", |it| Ok(OrderNumber::parse(&text(it)?).ok()));
    let completion = filter.optional("state_eq", |it| {
        let known = match text(it)?.as_str() {
            "payment" => Ok(Completion::Open),
            "complete" => Ok(Completion::Complete),
            "canceled" => Ok(Completion::Canceled),
            _ => Err("must be payment, complete or canceled: carts without a payment are not orders here"),
        };
        Ok(known?)
    });
    let balance = filter.optional("payment_state_eq", |it| {
        let known = Balance::named(&text(it)?);
        Ok(known.ok_or("must be balance_due, paid, credit_owed or void")?)
    });
    let email = filter.optional("email_eq", text);
    let (placed, updated) = (time_range(filter, "created_at"), time_range(filter, "updated_at"));
    let completed = time_range(filter, "completed_at");
    let number = match number {
        Some(None) => return None,
        Some(number @ Some(_)) => number,
        None => None,
    };
    Some(OrderFilter { number, email, completion, balance, placed, updated, completed, has_intent: false })
}

fn read_sort(value: &Value) -> Result<OrderSort, crate::reader::Reason> {
    Ok(match text(value)?.as_str() {
        "updated_at" | "updated_at,id" => OrderSort::UpdatedAt,
        "-updated_at" | "-updated_at,-id" => OrderSort::UpdatedAtDescending,
        "id" => OrderSort::Id,
        "-id" => OrderSort::IdDescending,
        "number" => OrderSort::Number,
        "-number" => OrderSort::NumberDescending,
        _ => return Err("must be updated_at, id or number, or one of them after a minus".into()),
    })
}

/// `GET /orders?filter[…]=&sort=&page=&per_page=`: a page of the orders, the last changed first.
pub(in crate::spree) async fn list(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = ListCall::read(&api, &request, payload, Scope::OrdersRead, "order").await?;
    let (page, show) = (call.page, &call.show);
    let mut problems = FieldProblems::default();
    let sort = call.params.reader_of(&LIST, &mut problems).optional("sort", read_sort);
    let filter = read_filter(&mut call.filter.reader_of(&FILTERS, &mut problems));
    let (sort, filter) = problems.done(Some((sort.unwrap_or(OrderSort::UpdatedAtDescending), filter)))?;
    let Some(filter) = filter else { return Ok(list_answer(&api, &request, page, show, (&[], 0))) };
    let search = OrderSearch { filter, sort, offset: page.offset(), limit: page.size };
    let found = api.app.search_orders(search).await?;
    let mut shown = Vec::with_capacity(found.orders.len());
    for order in &found.orders {
        shown.push(with_cart(&api, order).await?.resource()?);
    }
    Ok(list_answer(&api, &request, page, show, (&shown, found.total)))
}

/// Order that is named by its id or its number; `None` if no order can have this name.
pub(super) fn order_named(text: &str) -> Option<OrderRef> {
    match OrderRef::parse(text) {
        Ok(which @ (OrderRef::Id(_) | OrderRef::Number(_))) => Some(which),
        Ok(OrderRef::Intent(_)) | Err(_) => None,
    }
}

/// Reads the id or the number of an order in a path.
fn named(text: &str) -> Result<OrderRef, Refusal> {
    order_named(text).ok_or_else(Refusal::not_found)
}

async fn shown(api: &Api, status: StatusCode, show: &Show, order: &Order) -> Result<HttpResponse, Refusal> {
    Ok(answer(status, &show.one(&with_cart(api, order).await?.resource()?)))
}

/// `GET /orders/{order}`: the order with this id or number.
pub(in crate::spree) async fn show(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    order: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Call { params, show } = Call::to_show(&api, &request, payload, Scope::OrdersRead, "order").await?;
    check_names(&params, &OF_ONE)?;
    let found = api.app.get_order(&named(&order)?, &Access::All).await.map_err(Problem::from)?;
    shown(&api, StatusCode::OK, &show, &found).await
}

/// Parameters of a call for one order.
const OF_ONE: [&str; 2] = ["include", "fields"];

/// Refuses parameters other than those `known`.
fn check_names(params: &Params, known: &[&str]) -> Result<(), Refusal> {
    let mut problems = FieldProblems::default();
    params.note_others(known, &mut problems);
    Ok(problems.done(Some(()))?)
}

/// Request that may change an order.
struct ChangeCall {
    params: Params,
    show: Show,
    which: OrderRef,
}

impl ChangeCall {
    /// Reads a request that may have the parameters `known`.
    async fn read(
        api: &Api,
        request: &HttpRequest,
        payload: Payload,
        order: &str,
        known: &[&str],
    ) -> Result<Self, Refusal> {
        let Call { params, show } = Call::read(api, request, payload, Scope::OrdersWrite, "order").await?;
        check_names(&params, known)?;
        Ok(Self { params, show, which: named(order)? })
    }

    /// Answers 200 for a change that is done, and 202 for one that is committed and waits for Stripe.
    async fn changed(&self, api: &Api, changed: &Changed) -> Result<HttpResponse, Refusal> {
        match changed {
            Changed::Done(order) => shown(api, StatusCode::OK, &self.show, order).await,
            Changed::UnderWay(order) => shown(api, StatusCode::ACCEPTED, &self.show, order).await,
        }
    }
}

/// Reads the edit of an order. Spree lets an application write the fields of the money and the states, too: here they
/// follow from what Stripe has received.
fn read_edit(given: &Params) -> Result<OrderEdit, Refusal> {
    let mut problems = FieldProblems::default();
    let mut edit = OrderEdit::default();
    for (name, value) in given.entries() {
        let is_empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        };
        match name {
            "email" if is_empty => edit.email = Some(None),
            "email" => {
                let email = text(value).map_err(|_| "must be a string".to_owned());
                let email = email.and_then(|it| Email::new(it).map_err(|problem| problem.to_string()));
                edit.email = problems.take("email", email).map(Some);
            }
            "public_metadata" => edit.metadata = problems.merge(given.metadata("public_metadata")),
            "private_metadata" | "internal_note" if is_empty => {}
            name => problems.note_caller_name(name, name, "cannot be written by this API"),
        }
    }
    Ok(problems.done(Some(edit))?)
}

/// `PATCH /orders/{order}`: changes the email address and the metadata of an order that is not paid.
pub(in crate::spree) async fn update(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    order: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let call = ChangeCall::read(&api, &request, payload, &order, &["order", "include", "fields"]).await?;
    let edit = read_edit(&call.params.root("order")?)?;
    let app = api.app.for_request();
    let changed = app.edit_order(&call.which, &Access::All, edit).await.map_err(Problem::from)?;
    call.changed(&api, &changed).await
}

/// `PATCH /orders/{order}/cancel`: cancels an order that is not paid, at Stripe first.
pub(in crate::spree) async fn cancel(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    order: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let call = ChangeCall::read(&api, &request, payload, &order, &OF_ONE).await?;
    let app = api.app.for_request();
    let reason = CancelReason::RequestedByCustomer;
    let changed = app.cancel_order(&call.which, &Access::All, reason).await.map_err(Problem::from)?;
    call.changed(&api, &changed).await
}

/// `PATCH /orders/{order}/approve`: answers with an order that is approved. Its payment approves an order, unless money
/// was received that does not match it: refunds end that review, and nothing else does.
pub(in crate::spree) async fn approve(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    order: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let call = ChangeCall::read(&api, &request, payload, &order, &OF_ONE).await?;
    let found = api.app.get_order(&call.which, &Access::All).await.map_err(Problem::from)?;
    let refused = if found.is_held_for_review() {
        "the order is held for review: refund the money that does not match it, or accept it if its amount alone differs"
    } else if PlatformOrder::of(&found, None).approved_at().is_none() {
        "the order is not paid: its payment approves it"
    } else {
        return call.changed(&api, &Changed::Done(found)).await;
    };
    Err(FieldProblem::new("base", refused).into())
}
