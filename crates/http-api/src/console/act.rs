//! Acts on an order: each is the use case of the API, by a named operator.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{
    AcceptPaymentError, Access, CloseRefundError, IdempotencyKey, OrderRef, RefundPaymentError, Scope,
};
use paywright_domain::Order;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::order::{Act, Notice, Typed, named, refused, seen, shown};
use super::refusal::Refusal;
use super::see_other;
use super::session::{Operator, posted, text};
use crate::Api;
use crate::problem::Problem;
use crate::reader::Fields;
use crate::shop::{cancel_reason, capture_amount, new_acceptance, new_closing, new_refund};

/// Scope of the idempotency keys of forms: no application has this id.
const FORMS: Uuid = Uuid::from_u128(0x7061_7977_7269_8768_8000_636f_6e73_6f6c);

const REASON: &str = "reason";
const AMOUNT: &str = "amount";
const NOTE: &str = "note";
const REFUND: &str = "refund";

/// Fields of a form that the use case does not have.
struct Form {
    /// Act that the form asks for.
    act: Act,
    /// Fields that the body of the API's call has.
    fields: Fields,
    /// State of the order that the page showed.
    seen: String,
    key: String,
}

impl Form {
    fn of(act: Act, mut fields: Fields) -> Self {
        let mut take = |name| match fields.remove(name) {
            Some(Value::String(text)) => text,
            Some(_) | None => String::new(),
        };
        let (seen, key) = (take("seen"), take("key"));
        // A reason may be left open; an amount may not, because without one the use case takes all of the money.
        fields.retain(|name, value| name != REASON || value.as_str().is_none_or(|it| !it.trim().is_empty()));
        if let Some(Value::String(amount)) = fields.get_mut(AMOUNT) {
            *amount = amount.trim().to_owned();
        }
        Self { act, fields, seen, key }
    }

    /// Checks that the form has an amount. An empty one is refused as any other that is no number.
    fn has_amount(&self) -> Result<(), Problem> {
        if self.fields.contains_key(AMOUNT) {
            return Ok(());
        }
        let detail = format!("{AMOUNT} is missing");
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_refund", detail))
    }

    /// Text that was typed, for a page that asks for it again.
    fn typed(&self) -> Typed {
        let (name, of) = match self.act {
            Act::Accept => (NOTE, "payment_intent"),
            Act::Close => (NOTE, REFUND),
            Act::Refund | Act::Capture | Act::Cancel => (AMOUNT, "payment_intent"),
        };
        // As it was typed, white space included.
        let typed = |name| text(&self.fields, name).to_owned();
        Typed { act: self.act, of: typed(of), text: typed(name), amount: typed(AMOUNT) }
    }
}

/// Performs an act on the order that a page has shown: leads to the page of the order, or shows it with the reason of a refusal.
/// An act on a page that is out of date is refused, unless `is_done` says that it was done before.
async fn perform<F: Future<Output = Result<String, NotDone>>>(
    (api, operator, form): (&Api, &Operator, &Form),
    which: &OrderRef,
    is_done: impl FnOnce(&Order) -> bool,
    act: impl FnOnce(Order) -> F,
) -> Result<HttpResponse, Refusal> {
    let order = api.app.get_order(which, &Access::All).await?;
    let out_of_date = || Notice {
        class: "error",
        title: "The order has changed since this page was loaded. Nothing was done.".to_owned(),
        text: "This page shows how it stands now: look again, and repeat what is still right.".to_owned(),
        // An amount may be another one by now; a note is still right.
        typed: Some(form.typed()).filter(|it| matches!(it.act, Act::Accept | Act::Close)),
    };
    if form.seen != seen(&order) && !is_done(&order) {
        return shown(api, operator, which, StatusCode::CONFLICT, |_| Some(out_of_date())).await;
    }
    let id = order.id;
    match act(order).await {
        Ok(done) => Ok(see_other(&format!("/console/orders/{id}?done={done}#result"))),
        Err(NotDone::OutOfDate) => shown(api, operator, which, StatusCode::CONFLICT, |_| Some(out_of_date())).await,
        Err(NotDone::Refused(problem)) if problem.status().is_server_error() => Err(problem.into()),
        Err(NotDone::Refused(problem)) => {
            let (status, notice) = (problem.status(), refused(&problem, form.typed()));
            shown(api, operator, which, status, |_| Some(notice)).await
        }
    }
}

/// Reason for which an act was not done.
enum NotDone {
    /// Another act came first.
    OutOfDate,
    Refused(Problem),
}

impl<E: Into<Problem>> From<E> for NotDone {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// `POST /console/orders/{order}/refund`: refunds an amount of a payment. Sent twice, a form is one refund.
pub(super) async fn refund(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, fields) = posted(&api, &request, payload, Scope::PaymentsWrite).await?;
    let (which, form) = (named(&order)?, Form::of(Act::Refund, fields));
    if Uuid::try_parse(&form.key).is_err() {
        return Err(Refusal::OtherSession);
    }
    let key = IdempotencyKey { scope: FORMS, key: form.key.clone() };
    let request_of_form = key.digest();
    let is_done = move |order: &Order| order.refund_requested_by(request_of_form).is_some();
    let (app, fields, has_amount) = (api.app.for_request(), form.fields.clone(), form.has_amount());
    let act = |order: Order| {
        let (which, shown) = (OrderRef::Id(order.id), seen(&order));
        async move {
            has_amount?;
            let new = new_refund(&fields, order.total.currency())?;
            let text = serde_json::to_vec(&fields).unwrap_or_default();
            let fingerprint = Sha256::new_with_prefix(order.id.0.as_bytes()).chain_update(text).finalize().into();
            let request = (key, fingerprint);
            let refunded = app.refund_shown_payment(&which, &new, request, |it| seen(it) == shown).await;
            let refunded = refunded.map_err(|error| match error {
                RefundPaymentError::OutOfDate => NotDone::OutOfDate,
                error @ (RefundPaymentError::Order(_)
                | RefundPaymentError::Refused(_)
                | RefundPaymentError::KeyReused) => NotDone::Refused(error.into()),
            })?;
            Ok(format!("refund-{}", refunded.refund.number))
        }
    };
    perform((&api, &operator, &form), &which, is_done, act).await
}

/// `POST /console/orders/{order}/capture`: captures an authorized payment.
pub(super) async fn capture(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, fields) = posted(&api, &request, payload, Scope::PaymentsWrite).await?;
    let (which, form) = (named(&order)?, Form::of(Act::Capture, fields));
    let (app, fields, has_amount) = (api.app.for_request(), form.fields.clone(), form.has_amount());
    let act = |order: Order| async move {
        has_amount?;
        let amount = capture_amount(&fields, order.total.currency())?;
        app.capture_payment(&OrderRef::Id(order.id), &Access::All, amount).await?;
        Ok("capture".to_owned())
    };
    perform((&api, &operator, &form), &which, Order::is_paid, act).await
}

/// `POST /console/orders/{order}/accept`: accepts money of another amount than is due as the payment.
pub(super) async fn accept(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, fields) = posted(&api, &request, payload, Scope::PaymentsWrite).await?;
    let (which, form) = (named(&order)?, Form::of(Act::Accept, fields));
    let (app, fields, has_amount) = (api.app.for_request(), form.fields.clone(), form.has_amount());
    let act = |order: Order| {
        let (which, shown) = (OrderRef::Id(order.id), seen(&order));
        async move {
            has_amount?;
            let new = new_acceptance(&fields, order.total.currency())?;
            let accepted = app.accept_shown_payment(&which, &new, |it| seen(it) == shown).await;
            let accepted = accepted.map_err(|error| match error {
                AcceptPaymentError::OutOfDate => NotDone::OutOfDate,
                error @ (AcceptPaymentError::Order(_) | AcceptPaymentError::Refused(_)) => {
                    NotDone::Refused(error.into())
                }
            })?;
            Ok(if accepted.is_note_stored { "accept" } else { "accepted-before" }.to_owned())
        }
    };
    // Of two who accept the same money at once, the second finds it accepted: so does a form that is sent twice.
    perform((&api, &operator, &form), &which, Order::is_paid, act).await
}

/// `POST /console/orders/{order}/close`: closes a failed refund, whose money went back in another way.
pub(super) async fn close(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, fields) = posted(&api, &request, payload, Scope::PaymentsWrite).await?;
    let (which, form) = (named(&order)?, Form::of(Act::Close, fields));
    let number = text(&form.fields, REFUND).parse().unwrap_or_default();
    let (app, mut fields, has_amount) = (api.app.for_request(), form.fields.clone(), form.has_amount());
    fields.remove(REFUND);
    let act = |order: Order| {
        let (which, shown) = (OrderRef::Id(order.id), seen(&order));
        async move {
            has_amount?;
            let new = new_closing(&fields, order.total.currency())?;
            let closed = app.close_shown_refund(&which, number, &new, |it| seen(it) == shown).await;
            let closed = closed.map_err(|error| match error {
                CloseRefundError::OutOfDate => NotDone::OutOfDate,
                error @ (CloseRefundError::Order(_) | CloseRefundError::Refused(_)) => NotDone::Refused(error.into()),
            })?;
            let done = if closed.is_note_stored { "close" } else { "closed-before" };
            Ok(format!("{done}-{number}"))
        }
    };
    // Of two who close the same refund at once, the second finds it closed: so does a form that is sent twice.
    let is_done = |order: &Order| order.refund_numbered(number).is_some_and(|it| it.closing.is_some());
    perform((&api, &operator, &form), &which, is_done, act).await
}

/// `POST /console/orders/{order}/cancel`: cancels an unpaid order.
pub(super) async fn cancel(
    api: Data<Api>,
    request: HttpRequest,
    order: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (operator, fields) = posted(&api, &request, payload, Scope::OrdersWrite).await?;
    let (which, form) = (named(&order)?, Form::of(Act::Cancel, fields));
    let (app, fields) = (api.app.for_request(), form.fields.clone());
    let act = |order: Order| async move {
        let reason = cancel_reason(&fields)?;
        app.cancel_order(&OrderRef::Id(order.id), &Access::All, reason).await?;
        Ok("cancel".to_owned())
    };
    perform((&api, &operator, &form), &which, |order| order.status_name() == "canceled", act).await
}
