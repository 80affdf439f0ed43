//! Orders that a restore from a backup has lost, made again of what Stripe knows of their payments.

use thiserror::Error;

use crate::{
    CaptureMethod, ContentError, CustomerId, Decision, Email, IntentSnapshot, LineItem, LineProblem, NewOrder, Order,
    OrderId, OrderNumber, Timestamp,
};

/// What Stripe knows of a lost order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOrder {
    /// Its id, from the metadata of its payment.
    pub id: OrderId,
    /// Its number, from there too.
    pub number: OrderNumber,
    /// Customer whose order it was.
    pub customer: Option<CustomerId>,
    /// When its money was to move.
    pub capture: CaptureMethod,
    /// Where its receipt went.
    pub email: Option<Email>,
}

/// Why a lost order cannot be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecreateError {
    /// Its payment asks for nothing.
    #[error("its payment cannot be the price of anything: {0}")]
    Line(#[from] LineProblem),
    /// No order can be of that amount.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl Order {
    /// Makes a lost order again, under its id and number, so that its payment `seen` settles it. What was bought is not
    /// known any more: it has one line that says so, of the payment's amount.
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
        // The revision that the payment was made for.
        decision.order.data.revision = seen.revision.unwrap_or(1).max(1);
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::order::tests::{at, usd};
    use crate::{Epoch, IntentId, IntentPlan, IntentStatus, PaymentState, Policies};

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
    fn a_lost_order_is_settled_by_its_payment() {
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
    fn an_unpaid_lost_order_is_paid_by_the_intent_that_its_customer_has() {
        let (lost, seen) = lost();
        let order = Order::recreate(lost, &seen, at(200)).unwrap().order.in_epoch(Epoch(7));
        let open = order.settle(&seen, &Policies::DEFAULT, at(201)).unwrap().order;
        assert_eq!(open.request_intent(at(202)), Ok(IntentPlan::Existing(seen.intent.clone())));
        let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: seen.amount, ..seen };
        let paid = open.settle(&paid, &Policies::DEFAULT, at(203)).unwrap().order;
        assert_eq!((paid.payment_state(), paid.anomalies.len()), (PaymentState::Paid, 0));
    }
}
