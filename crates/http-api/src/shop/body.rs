//! Request bodies of the shop dialect, read into domain values. All problems of a body are reported together.

use std::collections::BTreeMap;

use paywright_app::view_value::{AdjustmentKindName, CancelReasonName, CaptureMethodName, RefundReasonName};
use paywright_domain::id::CustomerId;
use paywright_domain::intent::{CaptureMethod, NewAcceptance};
use paywright_domain::money::Percent;
use paywright_domain::order::{
    Adjustment, AdjustmentKind, CancelReason, Metadata, OrderEdit, QUANTITY_MAX, TaxRateDetails,
};
use paywright_domain::refund::{NewClosing, NewRefund, RefundReason};
use paywright_domain::text::{Email, Note, Text};
use paywright_domain::{Currency, IntentId, LineItem, Money, NewOrder, Order};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};

use crate::openapi::schema::{
    BodyObject, Limited, body_schema, integer, list, reference, string, string_of, text, text_of,
};
use crate::problem::{INVALID_ORDER, Problem};
use crate::reader::{FieldProblems, Fields, Reader, Reason, integer as read_integer, string as read_string};

/// Error code for invalid fields of an acceptance.
pub(crate) const INVALID_ACCEPTANCE: &str = "invalid_acceptance";
/// Error code for invalid fields of a capture.
pub(crate) const INVALID_CAPTURE: &str = "invalid_capture";
/// Error code for invalid fields of a refund.
pub(crate) const INVALID_REFUND: &str = "invalid_refund";

const ORDER: [&str; 7] = ["currency", "customer", "email", "line_items", "adjustments", "capture", "metadata"];
const EDIT: [&str; 4] = ["line_items", "adjustments", "email", "metadata"];
const LINE: [&str; 5] = ["name", "amount", "quantity", "description", "sku"];
const ADJUSTMENT: [&str; 4] = ["kind", "label", "amount", "tax_rate_details"];
const TAX_RATE: [&str; 2] = ["percentage_decimal", "country"];
const ACCEPTANCE: [&str; 4] = ["anomaly", "note", "amount", "payment_intent"];
const CLOSING: [&str; 2] = ["note", "amount"];
const REFUND: [&str; 3] = ["amount", "reason", "payment_intent"];

/// Kind of the anomalies whose money can be accepted.
const ACCEPTABLE: &str = "amount_differs";
/// Amount of a capture, a refund or an acceptance, in major units.
const DECIMAL: &str = r"^[0-9]+(\.[0-9]{1,3})?$";
/// Percentage from 0 to 100.
const PERCENT: &str = r"^(100(\.0{1,4})?|0{0,2}[0-9](\.[0-9]{1,4})?|0?[0-9]{2}(\.[0-9]{1,4})?)$";

body_schema! {
    /// Body that [`new_order`] reads.
    NewOrderBody as "NewOrder" = BodyObject::of(&ORDER)
        .required("currency", currency_schema())
        .optional("customer", customer_schema())
        .optional("email", email_schema())
        .required("line_items", lines_schema())
        .optional("adjustments", adjustments_schema())
        .optional("capture", reference::<CaptureMethodName>())
        .optional("metadata", metadata_schema())
        .done();
    /// Body that [`order_edit`] reads.
    OrderEditBody as "OrderEdit" = BodyObject::of(&EDIT)
        .optional("line_items", lines_schema())
        .optional("adjustments", adjustments_schema())
        .optional("email", email_schema())
        .optional("metadata", metadata_schema())
        .done();
    /// Body that [`cancel_reason`] reads.
    CancellationBody as "Cancellation" =
        BodyObject::of(&["reason"]).optional("reason", reference::<CancelReasonName>()).done();
    /// Body that [`capture_amount`] reads.
    CaptureBody as "Capture" = BodyObject::of(&["amount"]).optional("amount", decimal_schema()).done();
    /// Body that [`new_acceptance`] reads.
    NewAcceptanceBody as "NewAcceptance" = BodyObject::of(&ACCEPTANCE)
        .required("anomaly", string().enum_values(Some([ACCEPTABLE])).description(Some("Kind of the anomaly that is accepted.")))
        .required("note", text::<Note>().description(Some("Why the money is accepted.")))
        .optional("amount", string().pattern(Some(DECIMAL)).description(Some(
            "Amount received, in major units: the acceptance is refused if it is another one.",
        )))
        .optional("payment_intent", intent_schema())
        .done();
    /// Body that [`new_closing`] reads.
    NewClosingBody as "NewClosing" = BodyObject::of(&CLOSING)
        .required("note", text::<Note>().description(Some("Where the money went.")))
        .optional("amount", string().pattern(Some(DECIMAL)).description(Some(
            "Amount that went back in another way, in major units: by default that of the refund, or what is left if that is less.",
        )))
        .done();
    /// Body that [`new_refund`] reads.
    NewRefundBody as "NewRefund" = BodyObject::of(&REFUND)
        .optional("amount", decimal_schema())
        .optional("reason", reference::<RefundReasonName>())
        .optional("payment_intent", intent_schema())
        .done();
}

fn intent_schema() -> ObjectBuilder {
    string().pattern(Some("^pi_[0-9A-Za-z_]+$")).max_length(Some(255))
}

fn currency_schema() -> ObjectBuilder {
    let letter = |it: char| format!("[{}{it}]", it.to_ascii_uppercase());
    let codes = Currency::ALL.iter().map(|it| it.code().chars().map(letter).collect::<String>());
    let what = "Code of a currency (ISO 4217) in which Stripe accepts payments, in letters of either case.";
    string().pattern(Some(format!("^({})$", codes.collect::<Vec<_>>().join("|")))).description(Some(what))
}

/// Schema of the id of a customer.
pub(super) fn customer_schema() -> ObjectBuilder {
    string().pattern(Some("^[0-9A-Za-z_.:@|-]+$")).max_length(Some(CustomerId::CHARS_MAX))
}

fn email_schema() -> ObjectBuilder {
    string_of("idn-email").max_length(Some(Email::CHARS_MAX))
}

fn decimal_schema() -> ObjectBuilder {
    string().pattern(Some(DECIMAL)).description(Some("Amount in major units; all of it if absent."))
}

/// Lines, as [`line`] reads each.
fn lines_schema() -> ArrayBuilder {
    let line = BodyObject::of(&LINE)
        .required("name", text_of(|it: &LineItem| &it.name))
        .required("amount", integer(1, Money::MINOR_MAX).description(Some("Price of one piece, in minor units.")))
        .required("quantity", integer(1, QUANTITY_MAX))
        .optional("description", text_of(|it: &LineItem| &it.description))
        .optional("sku", text_of(|it: &LineItem| &it.sku));
    list(line.done(), 1, Order::LINES_MAX)
}

/// Adjustments, as [`adjustment`] reads each.
fn adjustments_schema() -> ArrayBuilder {
    let adjustment = BodyObject::of(&ADJUSTMENT)
        .required("kind", reference::<AdjustmentKindName>())
        .required("label", text_of(|it: &Adjustment| &it.label))
        .required("amount", integer(0, Money::MINOR_MAX).description(Some("Amount in minor units.")))
        .optional("tax_rate_details", tax_rate_schema());
    list(adjustment.done(), 0, Order::ADJUSTMENTS_MAX)
}

/// Rate of a tax, as [`tax_rate_details`] reads it.
fn tax_rate_schema() -> RefOr<Schema> {
    let percent = "Percentage from 0 to 100, with at most four decimals.";
    let country = "Code of a country (ISO 3166-1 alpha-2), in letters of either case.";
    BodyObject::of(&TAX_RATE)
        .required("percentage_decimal", string().pattern(Some(PERCENT)).description(Some(percent)))
        .optional("country", string().pattern(Some("^[A-Za-z]{2}$")).description(Some(country)))
        .done()
}

/// Notes, as [`metadata`] reads them.
fn metadata_schema() -> ObjectBuilder {
    fn entry<K: Limited, V: Limited>(_: fn() -> BTreeMap<K, V>) -> (ObjectBuilder, ObjectBuilder) {
        (text::<K>(), text::<V>())
    }
    let (key, value) = entry(Metadata::new);
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::Object(key.build())))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(value.build())))))
        .max_properties(Some(Order::METADATA_MAX))
}

/// Reads the body of a new order.
pub(crate) fn new_order(body: &Fields) -> Result<NewOrder, Problem> {
    let mut problems = FieldProblems::default();
    let new = read_order(&mut Reader::new(body, &ORDER, &mut problems));
    problems.done(new).map_err(|it| Problem::invalid(INVALID_ORDER, it))
}

fn read_order(order: &mut Reader<'_>) -> Option<NewOrder> {
    let currency = order.required("currency", |it| Ok(read_string(it)?.parse::<Currency>()?));
    let customer = order.optional("customer", |it| Ok(CustomerId::new(read_string(it)?)?));
    let email = order.optional("email", |it| Ok(Email::new(read_string(it)?)?));
    let lines = order.required_list("line_items", &LINE, |it| line(it, currency));
    let adjustments = order.list("adjustments", &ADJUSTMENT, |it| adjustment(it, currency));
    let capture = order.optional("capture", |it| match read_string(it)? {
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
    let email = edit.optional("email", |it| Ok(Email::new(read_string(it)?)?));
    // Null clears the email address.
    let email = if edit.names("email") { Some(email) } else { None };
    OrderEdit { lines, adjustments, email, metadata: metadata(edit), ..OrderEdit::default() }
}

/// Reads a line item. Without a valid currency, its amount is still checked to be an integer.
fn line(line: &mut Reader<'_>, currency: Option<Currency>) -> Option<LineItem> {
    let name = line.required("name", |it| Ok(Text::<1, 250>::of_one_line(read_string(it)?)?));
    let amount = line.required("amount", |it| match money(it, currency)? {
        Some(amount) if amount.is_zero() => Err("must be at least 1".into()),
        amount => Ok(amount),
    });
    let quantity = line.required("quantity", |it| {
        let quantity = u32::try_from(read_integer(it)?).ok().filter(|it| (1..=QUANTITY_MAX).contains(it));
        Ok(quantity.ok_or_else(|| format!("must be 1 to {QUANTITY_MAX}"))?)
    });
    let description = line.optional("description", |it| Ok(Text::new(read_string(it)?)?));
    let sku = line.optional("sku", |it| Ok(Text::of_one_line(read_string(it)?)?));
    let mut item = LineItem::new(name?, amount??, quantity?).map_err(|problem| line.note_here(problem)).ok()?;
    (item.description, item.sku) = (description.unwrap_or_default(), sku);
    Some(item)
}

fn adjustment(adjustment: &mut Reader<'_>, currency: Option<Currency>) -> Option<Adjustment> {
    let kind = adjustment.required("kind", |it| {
        Ok(AdjustmentKind::named(read_string(it)?).ok_or("must be discount, shipping, tax or tax_included")?)
    });
    let label = adjustment.required("label", |it| Ok(Text::of_one_line(read_string(it)?)?));
    let amount = adjustment.required("amount", |it| money(it, currency));
    let has_rate = adjustment.get("tax_rate_details").is_some();
    if has_rate && kind.is_some_and(|it| !it.is_tax()) {
        adjustment.note("tax_rate_details", "must be absent: only tax and tax_included have a rate");
    }
    let rate = if has_rate { adjustment.object("tax_rate_details", &TAX_RATE, tax_rate_details) } else { None };
    Some(Adjustment { tax_rate_details: rate, ..Adjustment::new(kind?, label?, amount??) })
}

/// Reads the rate of a tax, under the names of Stripe Tax.
fn tax_rate_details(rate: &mut Reader<'_>) -> Option<TaxRateDetails> {
    let percent = rate.required("percentage_decimal", |it| Ok(Percent::parse(read_string(it)?)?));
    let country = rate.optional("country", |it| Ok(read_string(it)?.parse()?));
    Some(TaxRateDetails { percent: percent?, country })
}

/// Reads an amount in minor units of ISO 4217; `None` without a valid currency.
fn money(value: &Value, currency: Option<Currency>) -> Result<Option<Money>, Reason> {
    let minor = read_integer(value)?;
    Ok(currency.map(|it| Money::new(minor, it)).transpose()?)
}

fn metadata(body: &mut Reader<'_>) -> Option<Metadata> {
    let entries =
        body.entries("metadata", |key, value| Ok((Text::of_one_line(key)?, Text::new(read_string(value)?)?)))?;
    Some(entries.into_iter().collect())
}

/// Reads an optional amount in major units; an absent one means all of it.
fn amount(body: &mut Reader<'_>, currency: Currency) -> Option<Money> {
    body.optional("amount", |it| Ok(Money::parse_decimal(read_string(it)?, currency)?))
}

/// Reads the reason of a cancellation; `requested_by_customer` by default.
pub(crate) fn cancel_reason(body: &Fields) -> Result<CancelReason, Problem> {
    let mut problems = FieldProblems::default();
    let reason = Reader::new(body, &["reason"], &mut problems).optional("reason", |it| {
        let known = CancelReason::named(read_string(it)?);
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

/// Reads the body of an acceptance.
pub(crate) fn new_acceptance(body: &Fields, currency: Currency) -> Result<NewAcceptance, Problem> {
    let mut problems = FieldProblems::default();
    let mut acceptance = Reader::new(body, &ACCEPTANCE, &mut problems);
    acceptance.required("anomaly", |it| {
        let problem = "must be amount_differs: other money that does not match its order can only be refunded";
        if read_string(it)? == ACCEPTABLE { Ok(()) } else { Err(problem.into()) }
    });
    let note = acceptance.required("note", |it| Ok(Note::new(read_string(it)?)?));
    let intent = acceptance.optional("payment_intent", |it| Ok(IntentId::new(read_string(it)?)?));
    let amount = amount(&mut acceptance, currency);
    let new = note.map(|note| NewAcceptance { intent, amount, note });
    problems.done(new).map_err(|it| Problem::invalid(INVALID_ACCEPTANCE, it))
}

/// Reads the body by which a failed refund is closed.
pub(crate) fn new_closing(body: &Fields, currency: Currency) -> Result<NewClosing, Problem> {
    let mut problems = FieldProblems::default();
    let mut closing = Reader::new(body, &CLOSING, &mut problems);
    let note = closing.required("note", |it| Ok(Note::new(read_string(it)?)?));
    let amount = amount(&mut closing, currency);
    problems.done(note.map(|note| NewClosing { amount, note })).map_err(|it| Problem::invalid(INVALID_REFUND, it))
}

/// Reads the body of a refund.
pub(crate) fn new_refund(body: &Fields, currency: Currency) -> Result<NewRefund, Problem> {
    let mut problems = FieldProblems::default();
    let mut refund = Reader::new(body, &REFUND, &mut problems);
    let reason = refund.optional("reason", |it| {
        Ok(RefundReason::named(read_string(it)?).ok_or("must be duplicate, fraudulent or requested_by_customer")?)
    });
    let intent = refund.optional("payment_intent", |it| Ok(IntentId::new(read_string(it)?)?));
    let amount = amount(&mut refund, currency);
    let new = NewRefund { amount, intent, reason, request: None };
    problems.done(Some(new)).map_err(|it| Problem::invalid(INVALID_REFUND, it))
}
