//! What callers are shown. Order-level amounts are decimals in major units, a line's amount is in minor units
//! of ISO 4217, currencies are lower case, times are RFC 3339 in UTC.

use std::collections::BTreeMap;

use paywright_app::OrderPage;
use paywright_domain::{LineItem, Order, OrderState, PaymentIntent};
use serde::Serialize;

/// The envelope of every success.
#[derive(Serialize)]
pub(crate) struct Envelope<T> {
    pub(crate) message: &'static str,
    pub(crate) data: T,
}

#[derive(Serialize)]
pub(crate) struct LineView<'a> {
    name: &'a str,
    amount: i64,
    currency: &'static str,
    quantity: u32,
    description: &'a str,
}

impl<'a> LineView<'a> {
    fn of(line: &'a LineItem) -> Self {
        Self {
            name: line.name.as_str(),
            amount: line.unit_amount().minor(),
            currency: line.unit_amount().currency().code(),
            quantity: line.quantity(),
            description: line.description.as_str(),
        }
    }
}

/// A payment intent with what it is for: exactly these fields.
#[derive(Serialize)]
pub(crate) struct PaymentView<'a> {
    id: &'a str,
    client_secret: &'a str,
    amount: String,
    currency: &'static str,
    status: &'static str,
    line_items: Vec<LineView<'a>>,
}

impl<'a> PaymentView<'a> {
    /// `None` for an order without an intent.
    pub(crate) fn of(order: &'a Order, client_secret: &'a str) -> Option<Self> {
        let intent = order.leading_intent()?;
        Some(Self {
            id: intent.id.as_str(),
            client_secret,
            amount: intent.amount.to_decimal(),
            currency: intent.currency().code(),
            status: intent.status.name(),
            line_items: order.lines.iter().map(LineView::of).collect(),
        })
    }
}

#[derive(Serialize)]
pub(crate) struct OrderView<'a> {
    id: String,
    number: &'a str,
    status: &'static str,
    payment_status: &'static str,
    amount: String,
    currency: &'static str,
    customer: Option<&'a str>,
    email: Option<&'a str>,
    capture: &'static str,
    line_items: Vec<OrderLineView<'a>>,
    adjustments: Vec<AdjustmentView<'a>>,
    metadata: BTreeMap<&'a str, &'a str>,
    payment_intent: Option<IntentView<'a>>,
    anomalies: Vec<AnomalyView<'a>>,
    livemode: bool,
    revision: u32,
    cancel_reason: Option<&'static str>,
    placed_at: String,
    updated_at: String,
    paid_at: Option<String>,
    canceled_at: Option<String>,
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
    /// For the customer: never the bank's own reason, which may be that the card is stolen.
    last_error: Option<LastErrorView<'a>>,
}

#[derive(Serialize)]
struct LastErrorView<'a> {
    code: Option<&'a str>,
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct AnomalyView<'a> {
    kind: &'static str,
    payment_intent: &'a str,
    found_at: String,
}

impl<'a> IntentView<'a> {
    fn of(intent: &'a PaymentIntent) -> Self {
        Self {
            id: intent.id.as_str(),
            status: intent.status.name(),
            amount: intent.amount.to_decimal(),
            amount_received: intent.received.to_decimal(),
            last_error: intent
                .last_error
                .as_ref()
                .map(|it| LastErrorView { code: it.code.as_deref(), message: it.message.as_deref() }),
        }
    }
}

impl<'a> OrderView<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        let (paid_at, canceled_at, cancel_reason) = match &order.state {
            OrderState::Open => (None, None, None),
            OrderState::Paid { at, .. } => (Some(at.to_string()), None, None),
            OrderState::Canceled { reason, at } => (None, Some(at.to_string()), Some(reason.name())),
        };
        let line = |line: &'a LineItem| OrderLineView {
            line: LineView::of(line),
            sku: line.sku.as_ref().map(paywright_domain::Text::as_str),
        };
        Self {
            id: order.id.to_string(),
            number: order.number.as_str(),
            status: order.state.name(),
            payment_status: order.payment_state().name(),
            amount: order.total.to_decimal(),
            currency: order.total.currency().code(),
            customer: order.customer.as_ref().map(paywright_domain::CustomerId::as_str),
            email: order.email.as_ref().map(paywright_domain::Email::as_str),
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
            metadata: order.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            payment_intent: order.leading_intent().map(IntentView::of),
            anomalies: order
                .anomalies
                .iter()
                .map(|it| AnomalyView {
                    kind: it.kind.name(),
                    payment_intent: it.intent.as_str(),
                    found_at: it.found_at.to_string(),
                })
                .collect(),
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

#[derive(Serialize)]
pub(crate) struct PageView<'a> {
    orders: Vec<OrderView<'a>>,
    next_cursor: Option<String>,
}

impl<'a> PageView<'a> {
    pub(crate) fn of(page: &'a OrderPage) -> Self {
        Self {
            orders: page.orders.iter().map(OrderView::of).collect(),
            next_cursor: page.next.map(|it| it.to_string()),
        }
    }
}
