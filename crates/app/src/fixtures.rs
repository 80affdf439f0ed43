//! An order of ten dollars, and what tests say of its money.

use paywright_domain::{
    Currency, Dispute, DisputeId, DisputeStatus, IntentId, LineItem, Money, NewOrder, Order, OrderId, Timestamp,
};
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

/// All of `pi_1` is disputed, and the money is gone.
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
