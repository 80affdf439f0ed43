//! Schemas of the values, under the names that the description of the API has for them.

use std::borrow::Cow;

use paywright_domain::Money;
use paywright_domain::anomaly::Policy;
use paywright_domain::dispute::DisputeStatus;
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::{CaptureMethod, IntentStatus};
use paywright_domain::order::{AdjustmentKind, CancelReason, PaymentState};
use paywright_domain::refund::{RefundOrigin, RefundReason, RefundStatus};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{
    AdjustmentKindName, BreakClassName, CancelReasonName, CaptureMethodName, CurrencyCode, DecimalAmount,
    DisputeStatusName, EventTypeName, IntentStatusName, MinorAmount, OperationKindName, OrderStatus, PaymentStatus,
    Percentage, PolicyName, RefundOriginName, RefundReasonName, RefundStatusName, SignedDecimalAmount, Time, UtcDate,
};
use crate::BreakClass;

/// Gives a value its name among the schemas, its description and its schema.
macro_rules! schemas {
    ($($Value:ident as $name:literal, $description:literal: $schema:expr;)+) => {$(
        impl PartialSchema for $Value {
            fn schema() -> RefOr<Schema> {
                let schema: Object = $schema.description(Some($description)).build();
                RefOr::T(Schema::Object(schema))
            }
        }

        impl ToSchema for $Value {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    )+};
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn one_of<const N: usize>(names: [&'static str; N]) -> ObjectBuilder {
    string().enum_values(Some(names))
}

schemas! {
    DecimalAmount as "DecimalAmount", "Amount as a decimal in major units, with the decimals of its currency.":
        string().pattern(Some(r"^[0-9]+(\.[0-9]{1,3})?$")).examples(["112.00"]);
    SignedDecimalAmount as "SignedDecimalAmount",
        "Amount as a decimal in major units, with the decimals of its currency; negative or not.":
        string().pattern(Some(r"^-?[0-9]+(\.[0-9]{1,3})?$")).examples(["-149.12"]);
    MinorAmount as "MinorAmount", "Amount in minor units of ISO 4217: 5600 for 56.00 USD, 500 for 500 JPY.":
        ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0)).maximum(Some(Money::MINOR_MAX)).examples([5600]);
    Percentage as "Percentage", "Percentage as a decimal, from 0 to 100, with at most four decimals.":
        string().pattern(Some(r"^[0-9]{1,3}(\.[0-9]{1,4})?$")).examples(["8.875"]);
    Time as "Time", "Time in UTC (RFC 3339).":
        string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).examples(["2025-03-31T09:57:30Z"]);
    UtcDate as "Date", "Day in UTC.":
        string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).examples(["2025-03-31"]);
    CurrencyCode as "CurrencyCode", "Code of a currency (ISO 4217), in lower case.":
        string().pattern(Some("^[a-z]{3}$")).examples(["usd"]);
    OrderStatus as "OrderStatus", "Status of an order. Goods may be sent only when it is `paid`.":
        one_of(["open", "paid", "canceled"]);
    PaymentStatus as "PaymentStatus", "State of an order's payment.": one_of(PaymentState::ALL.map(PaymentState::name));
    CaptureMethodName as "CaptureMethod", "Time of the capture: with the payment, or by a call.":
        one_of(CaptureMethod::ALL.map(CaptureMethod::name));
    AdjustmentKindName as "AdjustmentKind", "Kind of an adjustment; `tax` is on top, `tax_included` in the prices.":
        one_of(AdjustmentKind::ALL.map(AdjustmentKind::name));
    CancelReasonName as "CancelReason", "Reason of a cancellation.":
        one_of(CancelReason::ALL.map(CancelReason::name));
    IntentStatusName as "PaymentIntentStatus", "Status of a PaymentIntent, as Stripe names it.":
        one_of(IntentStatus::ALL.map(IntentStatus::name));
    OperationKindName as "PendingChangeKind", "Kind of a change that waits for Stripe.":
        one_of(["edit", "cancel", "capture"]);
    RefundStatusName as "RefundStatus", "Status of a refund: `requested` until Stripe has answered, then Stripe's own.":
        one_of(RefundStatus::ALL.map(RefundStatus::name));
    RefundReasonName as "RefundReason", "Reason of a refund.": one_of(RefundReason::ALL.map(RefundReason::name));
    RefundOriginName as "RefundOrigin",
        "Origin of a refund: `shop`, `policy` (money that does not match the order), or `provider` (Stripe).":
        one_of(RefundOrigin::ALL.map(RefundOrigin::name));
    DisputeStatusName as "DisputeStatus", "Status of a dispute, as Stripe names it.":
        one_of(DisputeStatus::ALL.map(DisputeStatus::name));
    PolicyName as "AnomalyPolicy", "Treatment of an anomaly; `tell` for a notice, on which nothing waits.":
        one_of([Policy::Refund.name(), Policy::HoldForReview.name(), "tell"]);
    BreakClassName as "BreakClass", "Class of a break.": one_of(BreakClass::ALL.map(BreakClass::name));
    EventTypeName as "EventType", "Type of an event.": one_of(FeedEventType::ALL.map(FeedEventType::name));
}
