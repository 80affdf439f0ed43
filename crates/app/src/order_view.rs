//! JSON form of an order, in answers and in events of the feed. Order-level amounts are decimals in major units, a line's
//! amount is in minor units of ISO 4217, currencies are lower case, times are RFC 3339 in UTC.

use std::collections::BTreeMap;

use paywright_domain::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::RefundId;
use paywright_domain::intent::{IntentError, PaymentIntent};
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::order::{OrderState, TaxRateDetails};
use paywright_domain::refund::{Refund, RefundFailure};
use paywright_domain::{IntentId, LineItem, Order};
use serde::Serialize;
use uuid::Uuid;

use crate::view_value::{
    AdjustmentKindName, CancelReasonName, CaptureMethodName, CurrencyCode, DecimalAmount, DisputeStatusName,
    IntentStatusName, MinorAmount, OperationKindName, OrderStatus, PaymentStatus, Percentage, PolicyName,
    RefundOriginName, RefundReasonName, RefundStatusName, Time,
};

/// Order with its payments, as answers and events show it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Order))]
pub struct OrderView<'a> {
    /// Id of the order.
    id: Uuid,
    /// Number of the order, for people.
    number: &'a str,
    status: OrderStatus,
    payment_status: PaymentStatus,
    /// Total: lines, shipping and tax on top, less discounts.
    amount: DecimalAmount,
    currency: CurrencyCode,
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = PersonalView))]
    personal: Option<PersonalView<'a>>,
    capture: CaptureMethodName,
    line_items: Vec<OrderLineView<'a>>,
    adjustments: Vec<AdjustmentView<'a>>,
    /// PaymentIntent that can be paid or was paid.
    payment_intent: Option<IntentView<'a>>,
    /// Change of the order that waits for Stripe.
    pending_change: Option<PendingView<'a>>,
    /// Refunded amount of the payment that paid the order, including refunds that are under way.
    amount_refunded: DecimalAmount,
    refunds: Vec<RefundView<'a>>,
    disputes: Vec<DisputeView<'a>>,
    /// Differences to the order, and notices for a person.
    anomalies: Vec<AnomalyView<'a>>,
    /// Whether the order is paid with real money.
    livemode: bool,
    /// Number of edits of the order's content, from 1.
    revision: u32,
    cancel_reason: Option<CancelReasonName>,
    placed_at: Time,
    updated_at: Time,
    paid_at: Option<Time>,
    canceled_at: Option<Time>,
}

/// Fields of an order that may identify a person. An event of the feed stores them apart, so that they can be erased.
#[derive(Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PersonalFields))]
pub struct PersonalView<'a> {
    /// Shop's id of the customer: the `sub` of the customer's tokens.
    customer: Option<&'a str>,
    /// Address to which Stripe sends its receipt.
    email: Option<&'a str>,
    /// Notes of the shop.
    metadata: BTreeMap<&'a str, &'a str>,
}

impl<'a> PersonalView<'a> {
    /// Personal fields of `order`.
    pub fn of(order: &'a Order) -> Self {
        Self {
            customer: order.customer.as_ref().map(paywright_domain::id::CustomerId::as_str),
            email: order.email.as_ref().map(paywright_domain::text::Email::as_str),
            metadata: order.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        }
    }
}

/// Line item of an order, with its stock-keeping unit.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = OrderLineItem))]
pub(crate) struct OrderLineView<'a> {
    #[serde(flatten)]
    line: LineView<'a>,
    /// Stock-keeping unit.
    sku: Option<&'a str>,
}

/// Adjustment of an order's total.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Adjustment))]
pub(crate) struct AdjustmentView<'a> {
    kind: AdjustmentKindName,
    label: &'a str,
    amount: MinorAmount,
    currency: CurrencyCode,
    /// Rate of a tax. Absent unless the shop or the terms of sale tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    tax_rate_details: Option<TaxRateView>,
}

/// Rate of a tax, under the names of Stripe Tax.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaxRateDetails))]
pub(crate) struct TaxRateView {
    percentage_decimal: Percentage,
    /// Country that the tax is due in (ISO 3166-1 alpha-2).
    country: Option<String>,
}

impl TaxRateView {
    fn of(rate: TaxRateDetails) -> Self {
        Self { percentage_decimal: Percentage(rate.percent), country: rate.country.map(|it| it.to_string()) }
    }
}

/// PaymentIntent of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PaymentIntent))]
pub(crate) struct IntentView<'a> {
    /// Stripe's id of the PaymentIntent.
    id: &'a str,
    status: IntentStatusName,
    amount: DecimalAmount,
    amount_received: DecimalAmount,
    amount_capturable: DecimalAmount,
    /// Time at which a read of the PaymentIntent confirmed the received amount.
    confirmed_at: Option<Time>,
    balance: Option<BalanceView>,
    /// Error to show to the customer.
    last_error: Option<LastErrorView<'a>>,
}

/// Gross amount and fee of a payment on the shop's Stripe balance.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PaymentBalance))]
pub(crate) struct BalanceView {
    currency: CurrencyCode,
    gross: DecimalAmount,
    fee: DecimalAmount,
}

/// Code and message of Stripe's error. The bank's own reason is left out: it may be that the card is stolen.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PaymentError))]
pub(crate) struct LastErrorView<'a> {
    /// Stripe's code of the error.
    code: Option<&'a str>,
    /// Stripe's sentence about the error.
    message: Option<&'a str>,
}

impl<'a> LastErrorView<'a> {
    pub(crate) fn of(error: &'a IntentError) -> Self {
        Self { code: error.code.as_deref(), message: error.message.as_deref() }
    }
}

/// Money that does not match an order, or a notice for a person.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Anomaly))]
pub(crate) struct AnomalyView<'a> {
    /// Name of the anomaly, like `second_payment`; later versions may have more.
    kind: &'static str,
    policy: PolicyName,
    /// Id of the PaymentIntent.
    payment_intent: Option<&'a str>,
    reason: Option<&'a str>,
    found_at: Time,
    /// Time at which a person accepted the money as the payment of the order; null if nobody did. Absent in events from before
    /// that could be done.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    accepted_at: Option<Time>,
}

impl<'a> AnomalyView<'a> {
    /// View of `anomaly` without a reason that names an email address.
    pub(crate) fn without_personal_data(anomaly: &'a Anomaly) -> Self {
        let is_address = anomaly.kind == AnomalyKind::Notice(NoticeKind::ReceiptEmailRefused);
        let view = Self::of(anomaly);
        Self { reason: view.reason.filter(|_| !is_address), ..view }
    }

    pub(crate) fn of(anomaly: &'a Anomaly) -> Self {
        Self {
            kind: anomaly.kind.name(),
            policy: anomaly.kind.into(),
            payment_intent: anomaly.intent.as_ref().map(IntentId::as_str),
            reason: anomaly.reason.as_deref(),
            found_at: Time(anomaly.found_at),
            accepted_at: anomaly.accepted_at.map(Time),
        }
    }
}

/// Change of the order that waits for Stripe.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PendingChange))]
pub(crate) struct PendingView<'a> {
    kind: OperationKindName,
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    /// Total after the edit, or amount to capture.
    amount: Option<DecimalAmount>,
    since: Time,
}

impl<'a> PendingView<'a> {
    fn of(operation: &'a Operation) -> Self {
        let amount = match &operation.kind {
            OperationKind::Edit { content } => Some(DecimalAmount(content.total)),
            OperationKind::Capture { amount } => Some(DecimalAmount(*amount)),
            OperationKind::Cancel { .. } => None,
        };
        Self {
            kind: (&operation.kind).into(),
            payment_intent: operation.intent.as_str(),
            amount,
            since: Time(operation.since),
        }
    }
}

/// Refund of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Refund))]
pub struct RefundView<'a> {
    /// Number of the refund within its order, from 1.
    number: u32,
    /// Stripe's id of the refund.
    id: Option<&'a str>,
    /// Id of the refunded PaymentIntent.
    payment_intent: &'a str,
    amount: DecimalAmount,
    currency: CurrencyCode,
    status: RefundStatusName,
    reason: Option<RefundReasonName>,
    origin: RefundOriginName,
    /// Stripe's reason of a failure.
    failure: Option<&'a str>,
    requested_at: Time,
    /// Time at which a person closed the failed refund; null if nobody did. Absent in events from before that could be done.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    closed_at: Option<Time>,
    /// Amount of a closed refund that went back in another way.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    closed_amount: Option<DecimalAmount>,
}

impl<'a> RefundView<'a> {
    /// View of `refund`.
    pub fn of(refund: &'a Refund) -> Self {
        Self {
            number: refund.number,
            id: refund.provider_id.as_ref().map(RefundId::as_str),
            payment_intent: refund.intent.as_str(),
            amount: DecimalAmount(refund.amount),
            currency: refund.amount.into(),
            status: refund.status.into(),
            reason: refund.reason.map(RefundReasonName::from),
            origin: refund.origin.into(),
            failure: refund.failure.as_ref().map(RefundFailure::as_str),
            requested_at: Time(refund.requested_at),
            closed_at: refund.closing.map(|it| Time(it.at)),
            closed_amount: refund.closing.map(|it| DecimalAmount(it.amount)),
        }
    }

    /// Views of the refunds of `order`, in the order of their numbers.
    pub fn all(order: &'a Order) -> Vec<Self> {
        order.refunds.iter().map(Self::of).collect()
    }
}

/// Dispute of a payment.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Dispute))]
pub(crate) struct DisputeView<'a> {
    /// Stripe's id of the dispute.
    id: &'a str,
    /// Id of the disputed PaymentIntent.
    payment_intent: &'a str,
    amount: DecimalAmount,
    currency: CurrencyCode,
    status: DisputeStatusName,
    /// Reason given by the cardholder, as Stripe names it.
    reason: &'a str,
    /// Time until which evidence can be submitted.
    due_by: Option<Time>,
    /// Whether the money was withdrawn from the shop's balance.
    funds_withdrawn: bool,
    /// Whether withdrawn money was returned.
    funds_reinstated: bool,
}

impl<'a> DisputeView<'a> {
    fn of(dispute: &'a Dispute) -> Self {
        Self {
            id: dispute.id.as_str(),
            payment_intent: dispute.intent.as_str(),
            amount: DecimalAmount(dispute.amount),
            currency: dispute.amount.into(),
            status: dispute.status.into(),
            reason: &dispute.reason,
            due_by: dispute.due_by.map(Time),
            funds_withdrawn: dispute.withdrawn,
            funds_reinstated: dispute.reinstated,
        }
    }
}

/// Line item of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = LineItem))]
pub struct LineView<'a> {
    name: &'a str,
    /// Price of one piece.
    amount: MinorAmount,
    currency: CurrencyCode,
    quantity: u32,
    description: &'a str,
}

impl<'a> LineView<'a> {
    /// View of `line`.
    pub fn of(line: &'a LineItem) -> Self {
        Self {
            name: line.name.as_str(),
            amount: line.unit_amount().into(),
            currency: line.unit_amount().into(),
            quantity: line.quantity(),
            description: line.description.as_str(),
        }
    }
}

impl<'a> IntentView<'a> {
    fn of(intent: &'a PaymentIntent) -> Self {
        Self {
            id: intent.id.as_str(),
            status: intent.status.into(),
            amount: DecimalAmount(intent.amount),
            amount_received: DecimalAmount(intent.received),
            amount_capturable: DecimalAmount(intent.capturable),
            balance: intent.proceeds.map(|it| BalanceView {
                currency: it.gross.into(),
                gross: DecimalAmount(it.gross),
                fee: DecimalAmount(it.fee),
            }),
            confirmed_at: intent.confirmed_at.map(Time),
            last_error: intent.last_error.as_ref().map(LastErrorView::of),
        }
    }
}

impl<'a> OrderView<'a> {
    /// View of `order` without its personal fields.
    pub(crate) fn without_personal_data(order: &'a Order) -> Self {
        let anomalies = order.anomalies.iter().map(AnomalyView::without_personal_data).collect();
        Self { personal: None, anomalies, ..Self::of(order) }
    }

    /// View of `order`.
    pub fn of(order: &'a Order) -> Self {
        let (paid_at, canceled_at, cancel_reason) = match &order.state {
            OrderState::Open => (None, None, None),
            OrderState::Paid { .. } if !order.is_paid() => (None, None, None),
            OrderState::Paid { at, .. } => (Some(Time(*at)), None, None),
            OrderState::Canceled { reason, at } => (None, Some(Time(*at)), Some((*reason).into())),
        };
        let line = |line: &'a LineItem| OrderLineView {
            line: LineView::of(line),
            sku: line.sku.as_ref().map(paywright_domain::text::Text::as_str),
        };
        Self {
            id: order.id.0,
            number: order.number.as_str(),
            status: order.into(),
            payment_status: order.payment_state().into(),
            amount: DecimalAmount(order.total),
            currency: order.total.into(),
            personal: Some(PersonalView::of(order)),
            capture: order.capture.into(),
            line_items: order.lines.iter().map(line).collect(),
            adjustments: order
                .adjustments
                .iter()
                .map(|it| AdjustmentView {
                    kind: it.kind.into(),
                    label: it.label.as_str(),
                    amount: it.amount.into(),
                    currency: it.amount.into(),
                    tax_rate_details: it.tax_rate_details.map(TaxRateView::of),
                })
                .collect(),
            payment_intent: order.leading_intent().map(IntentView::of),
            pending_change: order.operation.as_ref().map(PendingView::of),
            amount_refunded: refunded(order),
            refunds: RefundView::all(order),
            disputes: order.disputes.iter().map(DisputeView::of).collect(),
            anomalies: order.anomalies.iter().map(AnomalyView::of).collect(),
            livemode: order.livemode,
            revision: order.revision,
            cancel_reason,
            placed_at: Time(order.placed_at),
            updated_at: Time(order.updated_at),
            paid_at,
            canceled_at,
        }
    }
}

/// Refunded amount of the payment that paid the order, including refunds that are under way.
fn refunded(order: &Order) -> DecimalAmount {
    let refunded = order.paid_by().and_then(|it| it.received.minus(order.left_of(&it.id)).ok());
    DecimalAmount(refunded.unwrap_or_else(|| paywright_domain::Money::zero(order.total.currency())))
}
