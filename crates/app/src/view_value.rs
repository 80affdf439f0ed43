//! Values in JSON views: amounts, times and names. With the feature `openapi`, each has the schema of its JSON form.

use paywright_domain::anomaly::AnomalyKind;
use paywright_domain::dispute::DisputeStatus;
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::{CaptureMethod, IntentStatus};
use paywright_domain::operation::OperationKind;
use paywright_domain::order::{AdjustmentKind, CancelReason, PaymentState};
use paywright_domain::refund::{RefundOrigin, RefundReason, RefundStatus};
use paywright_domain::{Currency, Money, Order, Timestamp};
use serde::{Serialize, Serializer};

/// Amount as a decimal in major units, like `112.00`, with the decimals of its currency.
pub struct DecimalAmount(pub Money);

impl Serialize for DecimalAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_decimal())
    }
}

/// Amount as an integer in minor units of ISO 4217, like 5600 for 56.00 USD and 500 for 500 JPY.
#[derive(Serialize)]
#[serde(transparent)]
pub struct MinorAmount(i64);

impl From<Money> for MinorAmount {
    fn from(amount: Money) -> Self {
        Self(amount.minor())
    }
}

/// Time in UTC (RFC 3339).
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Defines a type for the name of a variant, from the enum and the method that gives the name.
macro_rules! names {
    ($($(#[$doc:meta])+ $Name:ident: $of:ty = $name:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Serialize)]
        #[serde(transparent)]
        pub struct $Name(&'static str);

        impl From<$of> for $Name {
            fn from(value: $of) -> Self {
                Self($name(value))
            }
        }
    )+};
}

names! {
    /// Code of the currency (ISO 4217), in lower case.
    CurrencyCode: Money = |it: Money| it.currency().code();
    /// Status of an order. Goods may be sent only when it is `paid`.
    OrderStatus: &Order = Order::status_name;
    /// State of an order's payment.
    PaymentStatus: PaymentState = PaymentState::name;
    /// When the money is captured: by the payment, or by a call.
    CaptureMethodName: CaptureMethod = CaptureMethod::name;
    /// Kind of an adjustment of an order's total.
    AdjustmentKindName: AdjustmentKind = AdjustmentKind::name;
    /// Reason of a cancellation.
    CancelReasonName: CancelReason = CancelReason::name;
    /// Status of a PaymentIntent, as Stripe names it.
    IntentStatusName: IntentStatus = IntentStatus::name;
    /// Kind of a change that waits for Stripe.
    OperationKindName: &OperationKind = OperationKind::name;
    /// Status of a refund: `requested` until Stripe has answered, later Stripe's own.
    RefundStatusName: RefundStatus = RefundStatus::name;
    /// Reason of a refund.
    RefundReasonName: RefundReason = RefundReason::name;
    /// Origin of a refund: the shop, a policy on money that does not match, or Stripe.
    RefundOriginName: RefundOrigin = RefundOrigin::name;
    /// Status of a dispute, as Stripe names it.
    DisputeStatusName: DisputeStatus = DisputeStatus::name;
    /// Treatment of what does not match an order; `tell` for a notice, on which nothing waits.
    PolicyName: AnomalyKind = AnomalyKind::policy_name;
    /// Type of an event.
    EventTypeName: FeedEventType = FeedEventType::name;
}

impl From<Currency> for CurrencyCode {
    fn from(currency: Currency) -> Self {
        Self(currency.code())
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use paywright_domain::anomaly::Policy;
    use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};
    use utoipa::openapi::{KnownFormat, RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::*;

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
        MinorAmount as "MinorAmount", "Amount in minor units of ISO 4217: 5600 for 56.00 USD, 500 for 500 JPY.":
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(0)).maximum(Some(Money::MINOR_MAX)).examples([5600]);
        Time as "Time", "Time in UTC (RFC 3339).":
            string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).examples(["2025-03-31T09:57:30Z"]);
        CurrencyCode as "CurrencyCode", "Code of a currency (ISO 4217), in lower case.":
            string().pattern(Some("^[a-z]{3}$")).examples(["usd"]);
        OrderStatus as "OrderStatus", "Status of an order. Goods may be sent only when it is `paid`.":
            one_of(["open", "paid", "canceled"]);
        PaymentStatus as "PaymentStatus", "State of an order's payment.": one_of(PaymentState::ALL.map(PaymentState::name));
        CaptureMethodName as "CaptureMethod", "When money is captured: by the payment itself, or by a call.":
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
        EventTypeName as "EventType", "Type of an event.": one_of(FeedEventType::ALL.map(FeedEventType::name));
    }
}
