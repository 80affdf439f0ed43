//! The JSON that facts and tasks are stored and told in. Rows of this form are in databases and feeds: a change
//! that turns one of these around needs a migration, not a new expectation.
#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_domain::{
    Anomaly, AnomalyKind, CancelReason, Currency, Fact, IntentError, IntentId, IntentRequest, IntentStatus, Money,
    Task, Timestamp,
};
use serde_json::{Value, json};

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd).unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_unix_seconds(1_743_415_050).unwrap()
}

fn intent() -> IntentId {
    IntentId::new("pi_1").unwrap()
}

#[test]
fn each_fact_has_its_form() {
    let request = IntentRequest { revision: 1, attempt: 2 };
    let error = IntentError { code: Some("card_declined".into()), decline_code: None, message: Some("No.".into()) };
    let money = json!({ "minor": 11_200, "currency": "usd" });
    let error_json = json!({ "code": "card_declined", "decline_code": null, "message": "No." });
    let asked = json!({ "revision": 1, "attempt": 2 });
    let kind = AnomalyKind::AmountDiffers { expected: usd(11_200), received: usd(1) };
    for (fact, form) in [
        (Fact::OrderPlaced { total: usd(11_200) }, json!({ "kind": "order.placed", "total": money })),
        (
            Fact::OrderEdited { before: usd(1), total: usd(11_200), revision: 2 },
            json!({ "kind": "order.edited", "before": { "minor": 1, "currency": "usd" }, "total": money, "revision": 2 }),
        ),
        (
            Fact::OrderCanceled { reason: CancelReason::RequestedByCustomer },
            json!({ "kind": "order.canceled", "reason": "requested_by_customer" }),
        ),
        (
            Fact::OrderPaid { by: intent(), amount: usd(11_200) },
            json!({ "kind": "order.paid", "by": "pi_1", "amount": money }),
        ),
        (Fact::IntentRequested { request }, json!({ "kind": "payment_intent.requested", "request": asked })),
        (
            Fact::IntentRefused { request, error: error.clone() },
            json!({ "kind": "payment_intent.refused", "request": asked, "error": error_json }),
        ),
        (
            Fact::IntentCreated { intent: intent(), amount: usd(11_200) },
            json!({ "kind": "payment_intent.created", "intent": "pi_1", "amount": money }),
        ),
        (
            Fact::IntentChanged {
                intent: intent(),
                before: IntentStatus::RequiresAction,
                status: IntentStatus::RequiresPaymentMethod,
                last_error: Some(error),
            },
            json!({ "kind": "payment_intent.changed", "intent": "pi_1", "before": "requires_action",
                "status": "requires_payment_method", "last_error": error_json }),
        ),
        (
            Fact::AnomalyFound { anomaly: Anomaly { intent: intent(), kind, found_at: at() } },
            json!({ "kind": "order.anomaly", "anomaly": { "intent": "pi_1", "found_at": 1_743_415_050_000_000_i64,
                "kind": { "name": "amount_differs", "expected": money, "received": { "minor": 1, "currency": "usd" } } } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&fact).unwrap(), form);
        assert_eq!(form["kind"], fact.kind());
        assert_eq!(serde_json::from_value::<Fact>(form).unwrap(), fact);
    }
}

#[test]
fn each_task_has_its_form_and_its_key() {
    for (task, form, key) in [
        (
            Task::CreateIntent { request: IntentRequest { revision: 3, attempt: 1 } },
            json!({ "kind": "create_intent", "request": { "revision": 3, "attempt": 1 } }),
            "create_intent:3:1",
        ),
        (
            Task::RefundIntent { intent: intent(), amount: usd(500) },
            json!({ "kind": "refund_intent", "intent": "pi_1", "amount": { "minor": 500, "currency": "usd" } }),
            "refund_intent:pi_1",
        ),
    ] {
        assert_eq!(serde_json::to_value(&task).unwrap(), form);
        assert_eq!(task.key().as_str(), key);
        assert_eq!(serde_json::from_value::<Task>(form).unwrap(), task);
    }
}

#[test]
fn money_that_cannot_be_is_not_read() {
    for form in [
        json!({ "minor": -1, "currency": "usd" }),
        json!({ "minor": 1_000_000_000_000_i64, "currency": "usd" }),
        json!({ "minor": 1, "currency": "xyz" }),
        json!({ "minor": 1.5, "currency": "usd" }),
    ] {
        assert!(serde_json::from_value::<Money>(form.clone()).is_err(), "{form}");
    }
    let negative: Value = json!(-1);
    assert!(serde_json::from_value::<Timestamp>(negative).is_err());
}

#[test]
fn each_anomaly_is_stored_under_the_name_it_is_shown_by() {
    let (expected, received) = (usd(2), usd(1));
    for kind in [
        AnomalyKind::PaidAfterCancel { received },
        AnomalyKind::SecondPayment { received },
        AnomalyKind::AmountDiffers { expected, received },
        AnomalyKind::WrongCurrency { expected, received },
        AnomalyKind::WrongLivemode { live: true },
    ] {
        let form = serde_json::to_value(kind).unwrap();
        assert_eq!(form["name"], kind.name());
        assert_eq!(serde_json::from_value::<AnomalyKind>(form).unwrap(), kind);
    }
}
