use std::sync::atomic::{AtomicU64, Ordering};

use paywright_app::{Act, AuditEntry, Changes, SubjectId, Version};
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use paywright_domain::intent::IntentPlan;
use paywright_domain::money::Percent;
use paywright_domain::order::{Adjustment, AdjustmentKind, OrderEdit, Payer, TaxRateDetails};
use paywright_domain::text::{Email, Text};
use paywright_domain::{Currency, Decision, LineItem, Money, NewOrder, Order, OrderId, Task, Timestamp};
use uuid::Uuid;

/// Makes an amount in US cents.
pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd).unwrap()
}

/// Makes a time of seconds since 1970.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// Makes an entry of the audit trail with an id of its own, for a change that a test makes in passing.
pub fn audit_entry() -> AuditEntry {
    audit_entry_at(at(1_743_415_050))
}

/// Makes an entry of the audit trail with an id of its own, of the time `at`.
pub fn audit_entry_at(at: Timestamp) -> AuditEntry {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = Uuid::from_u128(u128::from(LAST.fetch_add(1, Ordering::Relaxed)));
    AuditEntry { id, at, act: Act::KeyRevoked, subject: "any".to_owned(), actor: None, address: None, request: None }
}

/// Makes the `n`th order id: a higher `n` is a newer order.
pub fn order_id(n: u32) -> OrderId {
    OrderId(Uuid::from_u128(0x0195_ead7_0000_7000_8000_0000_0000_0000 + (u128::from(n) << 64) + u128::from(n)))
}

/// Makes the subject of the `n`th order's events.
pub fn subject_of(n: u32) -> SubjectId {
    order_id(n).into()
}

/// Content of an order that uses every field: two lines, each kind of adjustment, a customer, metadata. Its total is
/// 121.85 USD.
pub fn new_order() -> NewOrder {
    let mut bone = LineItem::new("Bone", usd(300), 1).unwrap();
    bone.description = Text::new("Kaffee für Zoë ☕ – 10€").unwrap();
    bone.sku = Some(Text::new("BONE-1").unwrap());
    let adjustment = |kind, label: &str, minor| Adjustment::new(kind, Text::new(label).unwrap(), usd(minor));
    let rate = |percent, country| Some(TaxRateDetails { percent: Percent::parse(percent).unwrap(), country });
    let vat = adjustment(AdjustmentKind::Tax, "VAT", 700);
    let deposit = adjustment(AdjustmentKind::TaxIncluded, "Deposit", 25);
    NewOrder {
        customer: Some(CustomerId::new("cus-ada").unwrap()),
        email: Some(Email::new("ada@example.com").unwrap()),
        payer: Payer {
            customer: Some(ProviderCustomerId::new("cus_ada").unwrap()),
            payment_method: Some(PaymentMethodId::new("pm_card_visa").unwrap()),
        },
        lines: vec![LineItem::new("Main product 2", usd(5600), 2).unwrap(), bone],
        adjustments: vec![
            adjustment(AdjustmentKind::Discount, "Spring", 500),
            adjustment(AdjustmentKind::Shipping, "Post", 485),
            Adjustment { tax_rate_details: rate("6.25", "US".parse().ok()), ..vat },
            Adjustment { tax_rate_details: rate("0.2232", None), ..deposit },
        ],
        metadata: [(Text::new("channel").unwrap(), Text::new("web").unwrap())].into(),
        ..NewOrder::empty(Currency::Usd)
    }
}

/// Decides to place [`new_order`] as the `n`th order.
pub fn place(n: u32) -> Decision {
    Order::place(order_id(n), new_order(), at(1_743_415_050)).unwrap()
}

/// Decides to request the first intent of an order.
pub fn request_intent(order: &Order, now: Timestamp) -> Decision {
    match order.request_intent(now).unwrap() {
        IntentPlan::Create { decision: Some(decision), .. } => *decision,
        plan @ (IntentPlan::Create { .. } | IntentPlan::Existing(_)) => panic!("{plan:?}"),
    }
}

/// Edit to one line of `minor` cents.
pub fn edit_of_lines(minor: i64) -> OrderEdit {
    let lines = Some(vec![LineItem::new("Bone", usd(minor), 1).unwrap()]);
    OrderEdit { lines, adjustments: Some(Vec::new()), ..OrderEdit::default() }
}

/// Changes to commit for `decision`, with its tasks due at `due_at`. The task of the order's expiry is left out, since
/// few tests need it.
pub fn changes(expected: Version, decision: Decision, now: Timestamp, due_at: Timestamp) -> Changes {
    Changes::of(expected, decision, now, |_, task| (*task != Task::ExpireOrder).then_some(due_at))
}
