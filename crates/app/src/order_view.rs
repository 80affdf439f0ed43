//! JSON form of an order, in answers and in events of the feed. Order-level amounts are decimals in major units, a line's
//! amount is in minor units of ISO 4217, currencies are lower case, times are RFC 3339 in UTC.

use std::collections::BTreeMap;

use paywright_domain::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::RefundId;
use paywright_domain::intent::{IntentError, PaymentIntent};
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::order::OrderState;
use paywright_domain::refund::{Refund, RefundFailure, RefundReason};
use paywright_domain::{IntentId, LineItem, Order};
use serde::Serialize;

/// Order with its payments, as answers and events of the feed show it.
#[derive(Serialize)]
pub struct OrderView<'a> {
    id: String,
    number: &'a str,
    status: &'static str,
    payment_status: &'static str,
    amount: String,
    currency: &'static str,
    #[serde(flatten)]
    personal: Option<PersonalView<'a>>,
    capture: &'static str,
    line_items: Vec<OrderLineView<'a>>,
    adjustments: Vec<AdjustmentView<'a>>,
    payment_intent: Option<IntentView<'a>>,
    pending_change: Option<PendingView<'a>>,
    amount_refunded: String,
    refunds: Vec<RefundView<'a>>,
    disputes: Vec<DisputeView<'a>>,
    anomalies: Vec<AnomalyView<'a>>,
    livemode: bool,
    revision: u32,
    cancel_reason: Option<&'static str>,
    placed_at: String,
    updated_at: String,
    paid_at: Option<String>,
    canceled_at: Option<String>,
}

/// Fields of an order that may identify a person. An event of the feed stores them apart, so that they can be erased.
#[derive(Default, Serialize)]
pub struct PersonalView<'a> {
    customer: Option<&'a str>,
    email: Option<&'a str>,
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

#[derive(Serialize)]
struct OrderLineView<'a> {
    #[serde(flatten)]
    line: LineView<'a>,
    sku: Option<&'a str>,
}

#[derive(Serialize)]
struct AdjustmentView<'a> {
    kind: &'static str,
    label: &'a str,
    amount: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct IntentView<'a> {
    id: &'a str,
    status: &'static str,
    amount: String,
    amount_received: String,
    amount_capturable: String,
    /// Time at which a read of the PaymentIntent confirmed the received amount.
    confirmed_at: Option<String>,
    balance: Option<BalanceView>,
    /// Error to show to the customer.
    last_error: Option<LastErrorView<'a>>,
}

/// Gross amount and fee of a payment on the shop's Stripe balance.
#[derive(Serialize)]
struct BalanceView {
    currency: &'static str,
    gross: String,
    fee: String,
}

/// Code and message of Stripe's error. The bank's own reason is left out: it may be that the card is stolen.
#[derive(Serialize)]
pub(crate) struct LastErrorView<'a> {
    code: Option<&'a str>,
    message: Option<&'a str>,
}

impl<'a> LastErrorView<'a> {
    pub(crate) fn of(error: &'a IntentError) -> Self {
        Self { code: error.code.as_deref(), message: error.message.as_deref() }
    }
}

#[derive(Serialize)]
pub(crate) struct AnomalyView<'a> {
    kind: &'static str,
    policy: &'static str,
    payment_intent: Option<&'a str>,
    reason: Option<&'a str>,
    found_at: String,
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
            policy: anomaly.kind.policy_name(),
            payment_intent: anomaly.intent.as_ref().map(IntentId::as_str),
            reason: anomaly.reason.as_deref(),
            found_at: anomaly.found_at.to_string(),
        }
    }
}

/// Change of the order that waits for Stripe.
#[derive(Serialize)]
struct PendingView<'a> {
    kind: &'static str,
    payment_intent: &'a str,
    amount: Option<String>,
    since: String,
}

impl<'a> PendingView<'a> {
    fn of(operation: &'a Operation) -> Self {
        let amount = match &operation.kind {
            OperationKind::Edit { content } => Some(content.total.to_decimal()),
            OperationKind::Capture { amount } => Some(amount.to_decimal()),
            OperationKind::Cancel { .. } => None,
        };
        Self {
            kind: operation.kind.name(),
            payment_intent: operation.intent.as_str(),
            amount,
            since: operation.since.to_string(),
        }
    }
}

/// Refund of an order.
#[derive(Serialize)]
pub struct RefundView<'a> {
    number: u32,
    id: Option<&'a str>,
    payment_intent: &'a str,
    amount: String,
    currency: &'static str,
    status: &'static str,
    reason: Option<&'static str>,
    origin: &'static str,
    failure: Option<&'a str>,
    requested_at: String,
}

impl<'a> RefundView<'a> {
    /// View of `refund`.
    pub fn of(refund: &'a Refund) -> Self {
        Self {
            number: refund.number,
            id: refund.provider_id.as_ref().map(RefundId::as_str),
            payment_intent: refund.intent.as_str(),
            amount: refund.amount.to_decimal(),
            currency: refund.amount.currency().code(),
            status: refund.status.name(),
            reason: refund.reason.map(RefundReason::name),
            origin: refund.origin.name(),
            failure: refund.failure.as_ref().map(RefundFailure::as_str),
            requested_at: refund.requested_at.to_string(),
        }
    }

    /// Views of the refunds of `order`, in the order of their numbers.
    pub fn all(order: &'a Order) -> Vec<Self> {
        order.refunds.iter().map(Self::of).collect()
    }
}

#[derive(Serialize)]
struct DisputeView<'a> {
    id: &'a str,
    payment_intent: &'a str,
    amount: String,
    currency: &'static str,
    status: &'static str,
    reason: &'a str,
    due_by: Option<String>,
    funds_withdrawn: bool,
    funds_reinstated: bool,
}

impl<'a> DisputeView<'a> {
    fn of(dispute: &'a Dispute) -> Self {
        Self {
            id: dispute.id.as_str(),
            payment_intent: dispute.intent.as_str(),
            amount: dispute.amount.to_decimal(),
            currency: dispute.amount.currency().code(),
            status: dispute.status.name(),
            reason: &dispute.reason,
            due_by: dispute.due_by.map(|it| it.to_string()),
            funds_withdrawn: dispute.withdrawn,
            funds_reinstated: dispute.reinstated,
        }
    }
}

/// Line item of an order.
#[derive(Serialize)]
pub struct LineView<'a> {
    name: &'a str,
    amount: i64,
    currency: &'static str,
    quantity: u32,
    description: &'a str,
}

impl<'a> LineView<'a> {
    /// View of `line`.
    pub fn of(line: &'a LineItem) -> Self {
        Self {
            name: line.name.as_str(),
            amount: line.unit_amount().minor(),
            currency: line.unit_amount().currency().code(),
            quantity: line.quantity(),
            description: line.description.as_str(),
        }
    }
}

impl<'a> IntentView<'a> {
    fn of(intent: &'a PaymentIntent) -> Self {
        Self {
            id: intent.id.as_str(),
            status: intent.status.name(),
            amount: intent.amount.to_decimal(),
            amount_received: intent.received.to_decimal(),
            amount_capturable: intent.capturable.to_decimal(),
            balance: intent.proceeds.map(|it| BalanceView {
                currency: it.gross.currency().code(),
                gross: it.gross.to_decimal(),
                fee: it.fee.to_decimal(),
            }),
            confirmed_at: intent.confirmed_at.map(|it| it.to_string()),
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
            OrderState::Paid { at, .. } => (Some(at.to_string()), None, None),
            OrderState::Canceled { reason, at } => (None, Some(at.to_string()), Some(reason.name())),
        };
        let line = |line: &'a LineItem| OrderLineView {
            line: LineView::of(line),
            sku: line.sku.as_ref().map(paywright_domain::text::Text::as_str),
        };
        Self {
            id: order.id.to_string(),
            number: order.number.as_str(),
            status: order.status_name(),
            payment_status: order.payment_state().name(),
            amount: order.total.to_decimal(),
            currency: order.total.currency().code(),
            personal: Some(PersonalView::of(order)),
            capture: order.capture.name(),
            line_items: order.lines.iter().map(line).collect(),
            adjustments: order
                .adjustments
                .iter()
                .map(|it| AdjustmentView {
                    kind: it.kind.name(),
                    label: it.label.as_str(),
                    amount: it.amount.minor(),
                    currency: it.amount.currency().code(),
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
            placed_at: order.placed_at.to_string(),
            updated_at: order.updated_at.to_string(),
            paid_at,
            canceled_at,
        }
    }
}

/// Refunded amount of the payment that paid the order, including refunds that are under way.
fn refunded(order: &Order) -> String {
    let refunded = order.paid_by().and_then(|it| it.received.minus(order.left_of(&it.id)).ok());
    refunded.unwrap_or_else(|| paywright_domain::Money::zero(order.total.currency())).to_decimal()
}
