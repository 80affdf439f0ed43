//! `/payments`, `/line_items` and `/adjustments` of the Platform API: parts of orders, to be read.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, GetOrderError, OrderRef, Scope, TimeRange};
use paywright_domain::money::MoneyError;
use paywright_domain::{IntentId, Money};
use serde_json::Value;

use super::call::{Call, ListCall};
use super::lists::{LIST, time_range};
use super::order::{PlatformOrder, PlatformPayment};
use super::orders::{order_named, with_cart};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reader, Reason};
use crate::spree::document::{Resource, answer};
use crate::spree::pages::list_answer;
use crate::spree::params::{Params, text};
use crate::spree::refusal::Refusal;
use crate::spree::resources::PAYMENT_METHOD;

/// Filters of the list of payments.
const PAYMENT_FILTERS: [&str; 14] = [
    "order_id_eq",
    "response_code_eq",
    "number_eq",
    "payment_method_id_eq",
    "amount_gteq",
    "state_eq",
    "created_at_gteq",
    "created_at_gt",
    "created_at_lteq",
    "created_at_lt",
    "updated_at_gteq",
    "updated_at_gt",
    "updated_at_lteq",
    "updated_at_lt",
];
/// Filters of the lists of line items and of adjustments.
const ORDER_FILTERS: [&str; 2] = ["order_id_eq", "order_id"];
/// Spree's states of a payment.
const PAYMENT_STATES: [&str; 7] = ["checkout", "processing", "pending", "completed", "failed", "void", "invalid"];

/// Reads an order; `None` if there is none.
async fn find(api: &Api, which: Option<OrderRef>) -> Result<Option<PlatformOrder>, Refusal> {
    let Some(which) = which else { return Ok(None) };
    match api.app.get_order(&which, &Access::All).await {
        Ok(order) => Ok(Some(with_cart(api, &order).await?)),
        Err(GetOrderError::NotFound) => Ok(None),
        Err(error @ GetOrderError::Store(_)) => Err(Problem::from(error).into()),
    }
}

/// PaymentIntent of a payment that is named by its id (`pi_…`) or its number.
fn intent_named(text: &str) -> Option<IntentId> {
    let of_number = || text.strip_prefix('P').map(|it| format!("pi_{it}"));
    let id = if text.starts_with("pi_") { Some(text.to_owned()) } else { of_number() };
    id.and_then(|it| IntentId::new(it).ok())
}

/// Conditions on the payments of one order, all of which must hold.
struct PaymentFilter {
    /// Order of the payments; `None` if no order can have the given name.
    order: Option<OrderRef>,
    intents: Vec<Option<IntentId>>,
    payment_method: Option<String>,
    state: Option<String>,
    amount: Option<String>,
    created: TimeRange,
    updated: TimeRange,
}

impl PaymentFilter {
    fn read(filter: &mut Reader<'_>) -> Option<Self> {
        let order = filter.optional("order_id_eq", |it| Ok(order_named(&text(it)?)));
        let of_code = filter.optional("response_code_eq", |it| Ok(IntentId::new(text(it)?).ok()));
        let of_number = filter.optional("number_eq", |it| Ok(intent_named(&text(it)?)));
        let payment_method = filter.optional("payment_method_id_eq", text);
        let state = filter.optional("state_eq", |it| {
            let state = text(it)?;
            if PAYMENT_STATES.contains(&state.as_str()) { Ok(state) } else { Err(unknown_state()) }
        });
        let amount = filter.optional("amount_gteq", |it| {
            let amount = text(it)?;
            let is_decimal = amount.bytes().all(|it| it.is_ascii_digit() || it == b'.');
            if is_decimal { Ok(amount) } else { Err("must be an amount like \"19.9\"".into()) }
        });
        let (created, updated) = (time_range(filter, "created_at"), time_range(filter, "updated_at"));
        let intents: Vec<_> = of_code.into_iter().chain(of_number).collect();
        let order = match (order, intents.first()) {
            (Some(order), _) => order,
            (None, Some(intent)) => intent.clone().map(OrderRef::Intent),
            (None, None) => {
                filter.note(
                    "order_id_eq",
                    "is required, or response_code_eq or number_eq: read all payments with GET /orders?include=payments",
                );
                return None;
            }
        };
        Some(Self { order, intents, payment_method, state, amount, created, updated })
    }

    fn admits(&self, order: &PlatformOrder, payment: &PlatformPayment) -> Result<bool, Refusal> {
        let at_least = match &self.amount {
            Some(amount) => {
                let least = Money::parse_decimal(amount, payment.amount.currency());
                let least = least.map_err(|problem| Refusal::invalid("filter.amount_gteq", problem))?;
                match payment.amount.minus(least) {
                    Err(MoneyError::Negative) => false,
                    more => more.map(|_| true)?,
                }
            }
            None => true,
        };
        Ok(at_least
            && self.intents.iter().all(|it| it.as_ref() == Some(&payment.intent))
            && self.payment_method.as_ref().is_none_or(|it| it == PAYMENT_METHOD)
            && self.state.as_ref().is_none_or(|it| it == payment.state())
            && self.created.contains(payment.created_at.unwrap_or(order.placed_at))
            && self.updated.contains(payment.updated_at.unwrap_or(order.updated_at)))
    }
}

fn unknown_state() -> Reason {
    format!("must be one of {}", PAYMENT_STATES.join(", ")).into()
}

/// Notes what a list without a sort does not have.
fn check_list(params: &Params, problems: &mut FieldProblems) {
    let mut it = params.reader_of(&LIST, problems);
    if it.names("sort") {
        it.note("sort", "is not offered for this list");
    }
}

/// `GET /payments?filter[…]=`: the payments of an order, or the one of a PaymentIntent.
pub(in crate::spree) async fn payments(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = ListCall::read(&api, &request, payload, Scope::OrdersRead, "payment").await?;
    let mut problems = FieldProblems::default();
    check_list(&call.params, &mut problems);
    let filter = PaymentFilter::read(&mut call.filter.reader_of(&PAYMENT_FILTERS, &mut problems));
    let filter = problems.done(filter)?;
    let mut found = Vec::new();
    if let Some(order) = find(&api, filter.order.clone()).await? {
        for payment in &order.payments {
            if filter.admits(&order, payment)? {
                found.push(order.payment(payment)?);
            }
        }
    }
    Ok(paged(&api, &request, &call, found))
}

fn paged(api: &Api, request: &HttpRequest, call: &ListCall, found: Vec<Resource>) -> HttpResponse {
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    list_answer(api, request, call.page, &call.show, (&call.page.of(found), total))
}

/// `GET /payments/{payment}`: the payment with this id or number.
pub(in crate::spree) async fn payment(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    payment: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Call { show, .. } = Call::to_show(&api, &request, payload, Scope::OrdersRead, "payment").await?;
    let intent = intent_named(&payment).ok_or_else(Refusal::not_found)?;
    let order = find(&api, Some(OrderRef::Intent(intent.clone()))).await?.ok_or_else(Refusal::not_found)?;
    let payment = order.payments.iter().find(|it| it.intent == intent).ok_or_else(Refusal::not_found)?;
    Ok(answer(StatusCode::OK, &show.one(&order.payment(payment)?)))
}

/// Kind of the parts of an order that a list has.
#[derive(Clone, Copy)]
enum Parts {
    LineItems,
    Adjustments,
}

impl Parts {
    const fn kind(self) -> &'static str {
        match self {
            Self::LineItems => "line_item",
            Self::Adjustments => "adjustment",
        }
    }

    /// Resources of these parts, each with its order as a related resource.
    fn of(self, order: &PlatformOrder) -> Result<Vec<Resource>, MoneyError> {
        let parts = match self {
            Self::LineItems => order.line_items()?,
            Self::Adjustments => order.adjustments(),
        };
        parts.into_iter().map(|it| order.with_order(it)).collect()
    }

    async fn list(self, api: &Api, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
        let call = ListCall::read(api, request, payload, Scope::OrdersRead, self.kind()).await?;
        let mut problems = FieldProblems::default();
        check_list(&call.params, &mut problems);
        let mut filter = call.filter.reader_of(&ORDER_FILTERS, &mut problems);
        let named = |it: &Value| Ok(order_named(&text(it)?));
        let order = filter.optional("order_id_eq", named).or_else(|| filter.optional("order_id", named));
        if order.is_none() {
            filter.note("order_id_eq", "is required: these are listed for one order");
        }
        let order = problems.done(order)?;
        let found = find(api, order).await?.map(|it| self.of(&it)).transpose()?;
        Ok(paged(api, request, &call, found.unwrap_or_default()))
    }

    /// Reads a part by its id: that of its order, and its number within it.
    async fn show(self, api: &Api, request: &HttpRequest, payload: Payload, id: &str) -> Result<HttpResponse, Refusal> {
        let Call { show, .. } = Call::to_show(api, request, payload, Scope::OrdersRead, self.kind()).await?;
        let (order, _) = id.split_once('_').ok_or_else(Refusal::not_found)?;
        let order = find(api, order_named(order)).await?.ok_or_else(Refusal::not_found)?;
        let found = self.of(&order)?.into_iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)?;
        Ok(answer(StatusCode::OK, &show.one(&found)))
    }
}

/// `GET /line_items?filter[order_id_eq]=`: the line items of an order.
pub(in crate::spree) async fn line_items(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    Parts::LineItems.list(&api, &request, payload).await
}

/// `GET /line_items/{line}`: a line item.
pub(in crate::spree) async fn line_item(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    line: Path<String>,
) -> Result<HttpResponse, Refusal> {
    Parts::LineItems.show(&api, &request, payload, &line).await
}

/// `GET /adjustments?filter[order_id_eq]=`: the discounts and taxes of an order.
pub(in crate::spree) async fn adjustments(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    Parts::Adjustments.list(&api, &request, payload).await
}

/// `GET /adjustments/{adjustment}`: a discount or a tax.
pub(in crate::spree) async fn adjustment(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    adjustment: Path<String>,
) -> Result<HttpResponse, Refusal> {
    Parts::Adjustments.show(&api, &request, payload, &adjustment).await
}
