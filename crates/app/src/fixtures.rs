//! Sample values of unit tests: an order of ten dollars, and a dispute of its payment.

use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::id::DisputeId;
use paywright_domain::{Currency, IntentId, LineItem, Money, NewOrder, Order, OrderId, Timestamp};
use uuid::Uuid;

pub(crate) fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

pub(crate) fn placed() -> Order {
    let lines = vec![LineItem::new("Bone", usd(1000), 1).unwrap()];
    Order::place(OrderId(Uuid::nil()), NewOrder { lines, ..NewOrder::empty(Currency::Usd) }, at(1)).unwrap().order
}

/// Dispute of the whole amount of `pi_1`, which was withdrawn from the Stripe balance.
pub(crate) fn dispute() -> Dispute {
    Dispute {
        id: DisputeId::new("du_1").unwrap(),
        intent: IntentId::new("pi_1").unwrap(),
        amount: usd(1000),
        status: DisputeStatus::NeedsResponse,
        reason: "fraudulent".into(),
        due_by: None,
        withdrawn: true,
        reinstated: false,
    }
}
