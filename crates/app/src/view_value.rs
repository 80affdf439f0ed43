//! Values in JSON views: amounts, times and names. With the feature `openapi`, each has the schema of its JSON form.

#[cfg(feature = "openapi")]
mod schema;

use paywright_domain::anomaly::AnomalyKind;
use paywright_domain::books::SignedMoney;
use paywright_domain::dispute::DisputeStatus;
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::{CaptureMethod, IntentStatus};
use paywright_domain::money::Percent;
use paywright_domain::operation::OperationKind;
use paywright_domain::order::{AdjustmentKind, CancelReason, PaymentState};
use paywright_domain::refund::{RefundOrigin, RefundReason, RefundStatus};
use paywright_domain::{Currency, Money, Order, Timestamp};
use serde::{Serialize, Serializer};

use crate::BreakClass;

/// Amount as a decimal in major units, like `112.00`, with the decimals of its currency.
pub struct DecimalAmount(pub Money);

impl Serialize for DecimalAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_decimal())
    }
}

/// Amount as a decimal in major units with the decimals of its currency, negative or not, like `-149.12`.
pub struct SignedDecimalAmount(pub SignedMoney);

impl Serialize for SignedDecimalAmount {
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

/// Percentage as a decimal, like `8.875`.
pub struct Percentage(pub Percent);

impl Serialize for Percentage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Time in UTC (RFC 3339).
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Day in UTC, like `2025-03-31`.
pub struct UtcDate(pub Timestamp);

impl Serialize for UtcDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = self.0.to_string();
        serializer.serialize_str(time.split_once('T').map_or(time.as_str(), |(day, _)| day))
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
    /// Time of the capture: with the payment, or by a call.
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
    /// Class of a break.
    BreakClassName: BreakClass = BreakClass::name;
    /// Type of an event.
    EventTypeName: FeedEventType = FeedEventType::name;
}

impl From<Currency> for CurrencyCode {
    fn from(currency: Currency) -> Self {
        Self(currency.code())
    }
}
