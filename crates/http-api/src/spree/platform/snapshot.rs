//! Order of the Platform API from the snapshot that an event of the feed has.

use std::collections::BTreeMap;

use paywright_domain::intent::IntentStatus;
use paywright_domain::order::Adjustment;
use paywright_domain::refund::RefundStatus;
use paywright_domain::text::Text;
use paywright_domain::{Currency, IntentId, LineItem, Money, Timestamp};
use serde::Deserialize;
use thiserror::Error;

use super::order::{PlatformOrder, PlatformPayment, PlatformRefund, PlatformStatus};

/// Snapshot of an order: `paywright_app::OrderView` as JSON.
#[derive(Deserialize)]
struct SnapshotBody {
    id: String,
    number: String,
    payment_status: String,
    amount: String,
    currency: String,
    customer: Option<String>,
    email: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    line_items: Vec<LineBody>,
    adjustments: Vec<AdjustmentBody>,
    payment_intent: Option<IntentBody>,
    refunds: Vec<RefundBody>,
    #[serde(default)]
    anomalies: Vec<AnomalyBody>,
    revision: u32,
    placed_at: String,
    updated_at: String,
    paid_at: Option<String>,
    canceled_at: Option<String>,
}

/// Line item: the amount of one, in minor units.
#[derive(Deserialize)]
struct LineBody {
    name: String,
    amount: i64,
    quantity: u32,
    description: String,
    sku: Option<String>,
}

#[derive(Deserialize)]
struct AdjustmentBody {
    kind: String,
    label: String,
    amount: i64,
}

#[derive(Deserialize)]
struct IntentBody {
    id: String,
    status: String,
    amount: String,
    amount_received: String,
    last_error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct AnomalyBody {
    payment_intent: Option<String>,
    accepted_at: Option<String>,
}

#[derive(Deserialize)]
struct RefundBody {
    number: u32,
    id: Option<String>,
    payment_intent: String,
    amount: String,
    currency: String,
    status: String,
    requested_at: String,
}

/// Why a snapshot cannot be read: it is from another version of the service.
#[derive(Debug, Error)]
#[error("the snapshot of the order cannot be read: {0}")]
pub(super) struct SnapshotError(Cause);

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn unreadable(error: impl Into<Cause>) -> SnapshotError {
    SnapshotError(error.into())
}

fn time(text: &str) -> Result<Timestamp, SnapshotError> {
    text.parse().map_err(|_| unreadable(format!("{text} is no time")))
}

impl PlatformOrder {
    /// Order as a snapshot has it. The snapshot has the PaymentIntent that paid the order, or else the last one, and
    /// nothing of the order's cart.
    pub(super) fn of_snapshot(json: &str) -> Result<Self, SnapshotError> {
        let it: SnapshotBody = serde_json::from_str(json).map_err(unreadable)?;
        let currency: Currency = it.currency.parse().map_err(unreadable)?;
        let amount = |text: &str| Money::parse_decimal(text, currency).map_err(unreadable);
        let paid_at = it.paid_at.as_deref().map(time).transpose()?;
        let canceled_at = it.canceled_at.as_deref().map(time).transpose()?;
        let status = match (paid_at, canceled_at) {
            (_, Some(at)) => PlatformStatus::Canceled(at),
            (Some(at), None) => PlatformStatus::Paid(at),
            (None, None) => PlatformStatus::Open,
        };
        let total = amount(&it.amount)?;
        let accepted = it.payment_intent.as_ref().filter(|intent| {
            let is_it = |it: &AnomalyBody| it.accepted_at.is_some() && it.payment_intent.as_ref() == Some(&intent.id);
            paid_at.is_some() && it.anomalies.iter().any(is_it)
        });
        let due = accepted.map_or(Ok(total), |intent| amount(&intent.amount_received))?;
        let payment = it.payment_intent.map(|intent| {
            Ok(PlatformPayment {
                intent: IntentId::new(intent.id).map_err(unreadable)?,
                status: IntentStatus::named(&intent.status).ok_or_else(|| unreadable("unknown status of an intent"))?,
                amount: amount(&intent.amount)?,
                received: amount(&intent.amount_received)?,
                has_failed: intent.last_error.is_some(),
                pays: paid_at.is_some(),
                created_at: None,
                updated_at: None,
            })
        });
        Ok(Self {
            id: it.id,
            number: it.number,
            status,
            awaits_money: status == PlatformStatus::Open && it.payment_status == "processing",
            is_held_for_review: it.payment_status == "review",
            email: it.email,
            customer: it.customer,
            metadata: it.metadata,
            total,
            due,
            lines: it.line_items.into_iter().map(|line| line.restore(currency)).collect::<Result<_, _>>()?,
            adjustments: it.adjustments.into_iter().map(|it| it.restore(currency)).collect::<Result<_, _>>()?,
            payments: payment.into_iter().collect::<Result<_, _>>()?,
            refunds: it.refunds.into_iter().map(RefundBody::restore).collect::<Result<_, _>>()?,
            revision: it.revision,
            placed_at: time(&it.placed_at)?,
            updated_at: time(&it.updated_at)?,
            cart: None,
        })
    }
}

impl LineBody {
    fn restore(self, currency: Currency) -> Result<LineItem, SnapshotError> {
        let amount = Money::new(self.amount, currency).map_err(unreadable)?;
        let mut line = LineItem::new(self.name, amount, self.quantity).map_err(unreadable)?;
        line.description = Text::restore(self.description).map_err(unreadable)?;
        line.sku = self.sku.map(Text::restore).transpose().map_err(unreadable)?;
        Ok(line)
    }
}

impl AdjustmentBody {
    fn restore(self, currency: Currency) -> Result<Adjustment, SnapshotError> {
        let kind = self.kind.parse().map_err(unreadable)?;
        let label = Text::restore(self.label).map_err(unreadable)?;
        // Spree's documents have no rate of an adjustment.
        Ok(Adjustment::new(kind, label, Money::new(self.amount, currency).map_err(unreadable)?))
    }
}

impl RefundBody {
    fn restore(self) -> Result<PlatformRefund, SnapshotError> {
        let currency: Currency = self.currency.parse().map_err(unreadable)?;
        Ok(PlatformRefund {
            number: self.number,
            intent: IntentId::new(self.payment_intent).map_err(unreadable)?,
            stripe_id: self.id,
            amount: Money::parse_decimal(&self.amount, currency).map_err(unreadable)?,
            status: RefundStatus::named(&self.status).ok_or_else(|| unreadable("unknown status of a refund"))?,
            requested_at: time(&self.requested_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use paywright_app::OrderView;
    use paywright_domain::anomaly::Policies;
    use paywright_domain::intent::IntentStatus;
    use paywright_domain::order::AdjustmentKind;
    use paywright_domain::refund::NewRefund;
    use paywright_domain::uuid::Uuid;
    use paywright_domain::{IntentSnapshot, NewOrder, Order, OrderId};

    use super::*;

    #[test]
    fn a_snapshot_has_the_order_of_its_version() {
        let now = Timestamp::from_unix_seconds(1_743_415_050).unwrap();
        let usd = |minor| Money::new(minor, Currency::Usd).unwrap();
        let mut line = LineItem::new("Bone", usd(300), 2).unwrap();
        line.description = Text::new("Smoked").unwrap();
        line.sku = Some(Text::new("BN-1").unwrap());
        let tax = Adjustment::new(AdjustmentKind::Tax, Text::new("Tax").unwrap(), usd(48));
        let new = NewOrder { lines: vec![line], adjustments: vec![tax], ..NewOrder::empty(Currency::Usd) };
        let new = NewOrder { email: Some(paywright_domain::text::Email::new("ada@example.com").unwrap()), ..new };
        let placed = Order::place(OrderId(Uuid::from_u128(9)), new, now).unwrap().order;
        let intent = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), placed.id, placed.total, now);
        let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: placed.total, ..intent };
        let paid = placed.clone().settle(&paid, &Policies::DEFAULT, now).unwrap().order;
        let refund = NewRefund { amount: Some(usd(100)), ..NewRefund::default() };
        let refunded = paid.clone().refund(&refund, now).unwrap().0.order;
        for order in [placed, paid, refunded] {
            let json = serde_json::to_string(&OrderView::of(&order)).unwrap();
            let mut expected = PlatformOrder::of(&order, None);
            for payment in &mut expected.payments {
                (payment.created_at, payment.updated_at) = (None, None);
            }
            assert_eq!(PlatformOrder::of_snapshot(&json).unwrap(), expected);
        }
        assert!(PlatformOrder::of_snapshot("{}").is_err());
    }
}
