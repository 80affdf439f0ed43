//! Orders that a restore from a backup has lost, created again from their PaymentIntents at Stripe.

use thiserror::Error;

use crate::id::{CustomerId, OrderNumber};
use crate::intent::CaptureMethod;
use crate::order::{ContentError, LineProblem};
use crate::text::Email;
use crate::{Decision, IntentSnapshot, LineItem, NewOrder, Order, OrderId, Timestamp};

/// Data of a lost order, as far as Stripe has it with the order's PaymentIntent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOrder {
    /// Id of the order, from the PaymentIntent's metadata.
    pub id: OrderId,
    /// Number of the order, from the PaymentIntent's metadata.
    pub number: OrderNumber,
    /// Customer of the order; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// Capture method of the PaymentIntent.
    pub capture: CaptureMethod,
    /// Email address for the receipt.
    pub email: Option<Email>,
}

/// Why a lost order cannot be created again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecreateError {
    /// The PaymentIntent's amount cannot be the price of a line.
    #[error("the PaymentIntent's amount cannot be the price of a line: {0}")]
    Line(#[from] LineProblem),
    /// The PaymentIntent's amount cannot be the total of an order.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl Order {
    /// Creates a lost order again, under its id and number, so that the PaymentIntent `seen` settles it. The items
    /// bought are not known any more: the order has one line of the PaymentIntent's amount, whose name says so.
    pub fn recreate(lost: LostOrder, seen: &IntentSnapshot, now: Timestamp) -> Result<Decision, RecreateError> {
        let name = format!("Order {} as it was before a restore, by {}", lost.number, seen.intent);
        let new = NewOrder {
            customer: lost.customer,
            email: lost.email,
            lines: vec![LineItem::new(name, seen.amount, 1)?],
            capture: lost.capture,
            livemode: seen.livemode,
            ..NewOrder::empty(seen.amount.currency())
        };
        let mut decision = Self::place_as(lost.id, lost.number, new, now)?;
        // The revision that the PaymentIntent was created for.
        decision.order.data.revision = seen.revision.unwrap_or(1).max(1);
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::IntentId;
    use crate::anomaly::Policies;
    use crate::id::Epoch;
    use crate::intent::{IntentPlan, IntentStatus};
    use crate::order::PaymentState;
    use crate::order::tests::{at, usd};

    fn lost() -> (LostOrder, IntentSnapshot) {
        let id = OrderId(Uuid::from_u128(9));
        let number = OrderNumber::of(id, at(100));
        let seen = IntentSnapshot {
            revision: Some(3),
            ..IntentSnapshot::new(IntentId::new("pi_1").unwrap(), id, usd(4200), at(100))
        };
        (LostOrder { id, number, customer: None, capture: CaptureMethod::Automatic, email: None }, seen)
    }

    #[test]
    fn a_recreated_order_is_paid_by_its_succeeded_intent() {
        let (lost, mut seen) = lost();
        seen.status = IntentStatus::Succeeded;
        seen.received = seen.amount;
        let order = Order::recreate(lost.clone(), &seen, at(200)).unwrap().order;
        assert_eq!((order.id, &order.number, order.total, order.revision), (lost.id, &lost.number, usd(4200), 3));
        let paid = order.settle(&seen, &Policies::DEFAULT, at(201)).unwrap().order;
        assert_eq!(paid.payment_state(), PaymentState::Paid);
        assert_eq!(paid.anomalies, []);
    }

    #[test]
    fn a_recreated_unpaid_order_is_paid_by_its_existing_intent() {
        let (lost, seen) = lost();
        let order = Order::recreate(lost, &seen, at(200)).unwrap().order.in_epoch(Epoch(7));
        let open = order.settle(&seen, &Policies::DEFAULT, at(201)).unwrap().order;
        assert_eq!(open.request_intent(at(202)), Ok(IntentPlan::Existing(seen.intent.clone())));
        let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: seen.amount, ..seen };
        let paid = open.settle(&paid, &Policies::DEFAULT, at(203)).unwrap().order;
        assert_eq!((paid.payment_state(), paid.anomalies.len()), (PaymentState::Paid, 0));
    }
}
