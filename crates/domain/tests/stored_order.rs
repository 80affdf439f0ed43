//! JSON form of a stored order. A change that fails one of these tests needs a migration, not a new expectation.
#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use paywright_domain::money::Percent;
use paywright_domain::order::{Adjustment, AdjustmentKind, CancelReason, Payer, TaxRateDetails};
use paywright_domain::refund::NewRefund;
use paywright_domain::text::Text;
use paywright_domain::uuid::Uuid;
use paywright_domain::{Currency, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId, Timestamp};
use serde_json::{Value, json};

const NOW: i64 = 1_743_415_050_000_000;

fn now() -> Timestamp {
    Timestamp::from_unix_micros(NOW).unwrap()
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd).unwrap()
}

fn money(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "usd" })
}

fn placed() -> Order {
    let new = NewOrder { lines: vec![LineItem::new("Bone", usd(300), 2).unwrap()], ..NewOrder::empty(Currency::Usd) };
    Order::place(OrderId(Uuid::from_u128(9)), new, now()).unwrap().order
}

/// Paid twice, and partly refunded.
fn refunded() -> Order {
    let order = placed();
    let created = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, now());
    let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
    let order = order.settle(&paid, &Policies::DEFAULT, now()).unwrap().order;
    let second = IntentSnapshot { intent: IntentId::new("pi_2").unwrap(), ..paid };
    let order = order.settle(&second, &Policies::DEFAULT, now()).unwrap().order;
    order.refund(&NewRefund { amount: Some(usd(100)), ..NewRefund::default() }, now()).unwrap().0.order
}

fn restored(form: &Value) -> Order {
    serde_json::from_value(form.clone()).unwrap()
}

#[test]
fn a_placed_order_has_its_stored_form() {
    let line = json!({ "name": "Bone", "description": "", "sku": null, "unit_amount": money(300), "quantity": 2 });
    let form = json!({
        "id": "00000000-0000-0000-0000-000000000009", "number": "ORD-20250331-000009", "customer": null, "email": null,
        "payer": { "customer": null, "payment_method": null }, "lines": [line], "adjustments": [], "total": money(600),
        "capture": "automatic", "metadata": {}, "livemode": false, "revision": 1, "attempt": 1,
        "state": { "name": "open" }, "requested": null, "operations": 0, "operation": null, "intents": [],
        "refunds": [], "disputes": [], "anomalies": [], "placed_at": NOW, "updated_at": NOW, "epoch": 0,
    });
    assert_eq!(serde_json::to_value(placed()).unwrap(), form);
    assert_eq!(restored(&form), placed());
    assert_eq!(placed().payer, Payer::default());
}

#[test]
fn a_refunded_order_has_its_stored_form() {
    let order = refunded();
    let form = serde_json::to_value(&order).unwrap();
    assert_eq!(form["state"], json!({ "name": "paid", "by": "pi_1", "at": NOW }));
    let intent = json!({
        "id": "pi_1", "revision": 1, "amount": money(600), "status": "succeeded", "received": money(600),
        "confirmed_at": NOW, "capturable": money(0), "capture_requested": null, "proceeds": null, "last_error": null,
        "as_of": NOW, "created_at": NOW,
    });
    assert_eq!(form["intents"][0], intent);
    let refund = json!({
        "number": 2, "intent": "pi_1", "amount": money(100), "reason": null, "origin": "shop", "status": "requested",
        "provider_id": null, "attempt": 1, "failure": null, "requested_at": NOW, "epoch": 0, "request": null,
        "closing": null,
    });
    assert_eq!(form["refunds"][1], refund);
    let anomaly = json!({
        "intent": "pi_2", "kind": { "name": "second_payment", "received": money(600) }, "policy": "refund",
        "reason": null, "found_at": NOW,
    });
    assert_eq!(form["anomalies"], json!([anomaly]));
    assert_eq!(restored(&form), order);
    let canceled = placed().cancel(CancelReason::Abandoned, now()).unwrap().order;
    let form = serde_json::to_value(&canceled).unwrap();
    assert_eq!(form["state"], json!({ "name": "canceled", "reason": "abandoned", "at": NOW }));
    assert_eq!(restored(&form), canceled);
}

#[test]
fn a_tax_has_its_rate_and_country_and_one_of_the_version_before_has_none() {
    let adjustment = json!({ "kind": "tax", "label": "VAT", "amount": money(48) });
    let tax = Adjustment::new(AdjustmentKind::Tax, Text::new("VAT").unwrap(), usd(48));
    let details = |percent, country| TaxRateDetails { percent: Percent::parse(percent).unwrap(), country };
    for (details, form) in [
        (None, None),
        (Some(details("8.8755", None)), Some(json!({ "percent": "8.8755", "country": null }))),
        (Some(details("19", "DE".parse().ok())), Some(json!({ "percent": "19", "country": "DE" }))),
    ] {
        let mut expected = adjustment.clone();
        if let Some(form) = form {
            expected["tax_rate_details"] = form;
        }
        let tax = Adjustment { tax_rate_details: details, ..tax.clone() };
        assert_eq!(serde_json::to_value(&tax).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Adjustment>(expected).unwrap(), tax);
    }
}

#[test]
fn an_order_that_no_transition_makes_is_not_deserialized() {
    let mut form = serde_json::to_value(refunded()).unwrap();
    form["total"] = money(601);
    let refused = serde_json::from_value::<Order>(form).unwrap_err();
    assert!(refused.to_string().starts_with("the total is not the sum"), "{refused}");
}
