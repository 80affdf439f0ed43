//! Request bodies of the shop dialect, read into domain values. All problems of a body are reported together.

use paywright_domain::id::CustomerId;
use paywright_domain::intent::CaptureMethod;
use paywright_domain::order::{Adjustment, AdjustmentKind, CancelReason, Metadata, OrderEdit, QUANTITY_MAX};
use paywright_domain::refund::{NewRefund, RefundReason};
use paywright_domain::text::{Email, Text};
use paywright_domain::{Currency, IntentId, LineItem, Money, NewOrder};
use serde_json::Value;

use crate::problem::{INVALID_ORDER, Problem};
use crate::reader::{FieldProblems, Fields, Reader, Reason, integer, string};

/// Error code for invalid fields of a capture.
pub(crate) const INVALID_CAPTURE: &str = "invalid_capture";
/// Error code for invalid fields of a refund.
pub(crate) const INVALID_REFUND: &str = "invalid_refund";

const ORDER: [&str; 7] = ["currency", "customer", "email", "line_items", "adjustments", "capture", "metadata"];
const EDIT: [&str; 4] = ["line_items", "adjustments", "email", "metadata"];
const LINE: [&str; 5] = ["name", "amount", "quantity", "description", "sku"];
const ADJUSTMENT: [&str; 3] = ["kind", "label", "amount"];

/// Reads the body of a new order.
pub(crate) fn new_order(body: &Fields) -> Result<NewOrder, Problem> {
    let mut problems = FieldProblems::default();
    let new = read_order(&mut Reader::new(body, &ORDER, &mut problems));
    problems.done(new).map_err(|it| Problem::invalid(INVALID_ORDER, it))
}

fn read_order(order: &mut Reader<'_>) -> Option<NewOrder> {
    let currency = order.required("currency", |it| Ok(string(it)?.parse::<Currency>()?));
    let customer = order.optional("customer", |it| Ok(CustomerId::new(string(it)?)?));
    let email = order.optional("email", |it| Ok(Email::new(string(it)?)?));
    let lines = order.required_list("line_items", &LINE, |it| line(it, currency));
    let adjustments = order.list("adjustments", &ADJUSTMENT, |it| adjustment(it, currency));
    let capture = order.optional("capture", |it| match string(it)? {
        "automatic" => Ok(CaptureMethod::Automatic),
        "manual" => Ok(CaptureMethod::Manual),
        _ => Err("must be automatic or manual".into()),
    });
    let metadata = metadata(order);
    Some(NewOrder {
        customer,
        email,
        lines: lines?,
        adjustments: adjustments.unwrap_or_default(),
        capture: capture.unwrap_or(CaptureMethod::Automatic),
        metadata: metadata.unwrap_or_default(),
        ..NewOrder::empty(currency?)
    })
}

/// Reads the body of an edit of an order in `currency`.
pub(crate) fn order_edit(body: &Fields, currency: Currency) -> Result<OrderEdit, Problem> {
    let mut problems = FieldProblems::default();
    let edit = read_edit(&mut Reader::new(body, &EDIT, &mut problems), currency);
    problems.done(Some(edit)).map_err(|it| Problem::invalid(INVALID_ORDER, it))
}

fn read_edit(edit: &mut Reader<'_>, currency: Currency) -> OrderEdit {
    let lines = edit.list("line_items", &LINE, |it| line(it, Some(currency)));
    let adjustments = edit.list("adjustments", &ADJUSTMENT, |it| adjustment(it, Some(currency)));
    let email = edit.optional("email", |it| Ok(Email::new(string(it)?)?));
    // Null clears the email address.
    let email = if edit.names("email") { Some(email) } else { None };
    OrderEdit { lines, adjustments, email, metadata: metadata(edit), ..OrderEdit::default() }
}

/// Reads a line item. Without a valid currency, its amount is still checked to be an integer.
fn line(line: &mut Reader<'_>, currency: Option<Currency>) -> Option<LineItem> {
    let name = line.required("name", |it| Ok(Text::<1, 250>::new(string(it)?)?));
    let amount = line.required("amount", |it| match money(it, currency)? {
        Some(amount) if amount.is_zero() => Err("must be at least 1".into()),
        amount => Ok(amount),
    });
    let quantity = line.required("quantity", |it| {
        let quantity = u32::try_from(integer(it)?).ok().filter(|it| (1..=QUANTITY_MAX).contains(it));
        Ok(quantity.ok_or_else(|| format!("must be 1 to {QUANTITY_MAX}"))?)
    });
    let description = line.optional("description", |it| Ok(Text::new(string(it)?)?));
    let sku = line.optional("sku", |it| Ok(Text::new(string(it)?)?));
    let mut item = LineItem::new(name?, amount??, quantity?).map_err(|problem| line.note_here(problem)).ok()?;
    (item.description, item.sku) = (description.unwrap_or_default(), sku);
    Some(item)
}

fn adjustment(adjustment: &mut Reader<'_>, currency: Option<Currency>) -> Option<Adjustment> {
    let kind = adjustment.required("kind", |it| {
        Ok(AdjustmentKind::named(string(it)?).ok_or("must be discount, shipping, tax or tax_included")?)
    });
    let label = adjustment.required("label", |it| Ok(Text::new(string(it)?)?));
    let amount = adjustment.required("amount", |it| money(it, currency));
    Some(Adjustment { kind: kind?, label: label?, amount: amount?? })
}

/// Reads an amount in minor units of ISO 4217; `None` without a valid currency.
fn money(value: &Value, currency: Option<Currency>) -> Result<Option<Money>, Reason> {
    let minor = integer(value)?;
    Ok(currency.map(|it| Money::new(minor, it)).transpose()?)
}

fn metadata(body: &mut Reader<'_>) -> Option<Metadata> {
    let entries = body.entries("metadata", |key, value| Ok((Text::new(key)?, Text::new(string(value)?)?)))?;
    Some(entries.into_iter().collect())
}

/// Reads an optional amount in major units; an absent one means the whole amount.
fn amount(body: &mut Reader<'_>, currency: Currency) -> Option<Money> {
    body.optional("amount", |it| Ok(Money::parse_decimal(string(it)?, currency)?))
}

/// Reads the reason of a cancellation; `requested_by_customer` by default.
pub(crate) fn cancel_reason(body: &Fields) -> Result<CancelReason, Problem> {
    let mut problems = FieldProblems::default();
    let reason = Reader::new(body, &["reason"], &mut problems).optional("reason", |it| {
        let known = CancelReason::named(string(it)?);
        Ok(known.ok_or("must be duplicate, fraudulent, requested_by_customer or abandoned")?)
    });
    let reason = reason.unwrap_or(CancelReason::RequestedByCustomer);
    problems.done(Some(reason)).map_err(|it| Problem::invalid(INVALID_ORDER, it))
}

/// Reads the amount of a capture; an absent one means all that is authorized.
pub(crate) fn capture_amount(body: &Fields, currency: Currency) -> Result<Option<Money>, Problem> {
    let mut problems = FieldProblems::default();
    let amount = amount(&mut Reader::new(body, &["amount"], &mut problems), currency);
    problems.done(Some(amount)).map_err(|it| Problem::invalid(INVALID_CAPTURE, it))
}

/// Reads the body of a refund.
pub(crate) fn new_refund(body: &Fields, currency: Currency) -> Result<NewRefund, Problem> {
    let mut problems = FieldProblems::default();
    let mut refund = Reader::new(body, &["amount", "reason", "payment_intent"], &mut problems);
    let reason = refund.optional("reason", |it| {
        Ok(RefundReason::named(string(it)?).ok_or("must be duplicate, fraudulent or requested_by_customer")?)
    });
    let intent = refund.optional("payment_intent", |it| Ok(IntentId::new(string(it)?)?));
    let amount = amount(&mut refund, currency);
    let new = NewRefund { amount, intent, reason, request: None };
    problems.done(Some(new)).map_err(|it| Problem::invalid(INVALID_REFUND, it))
}
