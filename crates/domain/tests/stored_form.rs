//! JSON form of stored facts, tasks and operations. Databases and feeds have rows of this form: a change that fails one of
//! these tests needs a migration, not a new expectation.
#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_domain::anomaly::{Anomaly, AnomalyDetails, AnomalyKind, Mismatch, NoticeKind, Policy};
use paywright_domain::dispute::DisputeStatus;
use paywright_domain::id::{CustomerId, DisputeId, Epoch, ProviderCustomerId, RefundId};
use paywright_domain::intent::{IntentError, IntentRequest, IntentStatus};
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::order::{CancelReason, Content, Payer};
use paywright_domain::refund::{RefundFailure, RefundOrigin, RefundStatus};
use paywright_domain::task::{ProviderFailure, ProviderRequest};
use paywright_domain::text::Email;
use paywright_domain::{Currency, Fact, IntentId, LineItem, Money, Task, Timestamp};
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
fn each_fact_of_orders_and_intents_has_its_stored_form() {
    let request = IntentRequest { revision: 1, attempt: 2, epoch: None };
    let error = IntentError { code: Some("card_declined".into()), decline_code: None, message: Some("No.".into()) };
    let money = json!({ "minor": 11_200, "currency": "usd" });
    let error_json = json!({ "code": "card_declined", "decline_code": null, "message": "No." });
    let request_json = json!({ "revision": 1, "attempt": 2 });
    let mismatch = Mismatch::AmountDiffers { expected: usd(11_200), received: usd(1) };
    let kind = AnomalyKind::Mismatch { mismatch, policy: Policy::HoldForReview };
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
        (Fact::IntentRequested { request }, json!({ "kind": "payment_intent.requested", "request": request_json })),
        (
            Fact::IntentRefused { request, error: error.clone() },
            json!({ "kind": "payment_intent.refused", "request": request_json, "error": error_json }),
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
            Fact::AnomalyFound { anomaly: Anomaly::new(Some(intent()), kind, None, at()) },
            json!({ "kind": "order.anomaly", "anomaly": { "intent": "pi_1", "found_at": 1_743_415_050_000_000_i64,
                "policy": "hold_for_review", "reason": null,
                "kind": { "name": "amount_differs", "expected": money, "received": { "minor": 1, "currency": "usd" } } } }),
        ),
    ] {
        has_form(&fact, form);
    }
}

fn has_form(fact: &Fact, form: Value) {
    assert_eq!(serde_json::to_value(fact).unwrap(), form);
    assert_eq!(form.get("kind").and_then(Value::as_str), Some(fact.kind()));
    assert_eq!(serde_json::from_value::<Fact>(form).unwrap(), *fact);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of stored forms")]
fn each_fact_of_operations_refunds_and_disputes_has_its_stored_form() {
    let error = IntentError { code: Some("x".into()), ..IntentError::default() };
    let error_json = json!({ "code": "x", "decline_code": null, "message": null });
    let exhausted_json = json!({ "code": "provider_failed", "decline_code": null, "message": null });
    let money = json!({ "minor": 11_200, "currency": "usd" });
    for (fact, form) in [
        (
            Fact::OperationRequested { operation: 1, name: "edit".into(), intent: intent(), amount: Some(usd(11_200)) },
            json!({ "kind": "operation.requested", "operation": 1, "name": "edit", "intent": "pi_1", "amount": money }),
        ),
        (
            Fact::OperationDropped { operation: 1, name: "cancel".into(), error: error.clone() },
            json!({ "kind": "operation.dropped", "operation": 1, "name": "cancel", "error": error_json }),
        ),
        (
            Fact::RequestFailed {
                request: ProviderRequest::PaymentIntent(IntentRequest {
                    revision: 1,
                    attempt: 2,
                    epoch: Some(Epoch(7)),
                }),
                failure: ProviderFailure::KeyExhausted,
            },
            json!({ "kind": "payment_intent.refused", "error": exhausted_json,
                "request": { "revision": 1, "attempt": 2, "epoch": 7 } }),
        ),
        (
            Fact::RequestFailed {
                request: ProviderRequest::Operation { operation: 3, name: "capture".into() },
                failure: ProviderFailure::KeyExhausted,
            },
            json!({ "kind": "operation.dropped", "operation": 3, "name": "capture", "error": exhausted_json }),
        ),
        (
            Fact::RequestFailed {
                request: ProviderRequest::Refund { refund: 2 },
                failure: ProviderFailure::KeyExhausted,
            },
            json!({ "kind": "refund.changed", "refund": 2, "provider_id": null, "before": "requested",
                "status": "requested", "failure": "provider_failed" }),
        ),
        (
            Fact::RefundChanged {
                refund: 2,
                provider_id: None,
                before: RefundStatus::Requested,
                status: RefundStatus::Failed,
                failure: Some(RefundFailure::KeyExhausted),
            },
            json!({ "kind": "refund.changed", "refund": 2, "provider_id": null, "before": "requested",
                "status": "failed", "failure": "provider_failed" }),
        ),
        (
            Fact::RefundClosed {
                refund: 2,
                provider_id: None,
                intent: intent(),
                amount: usd(11_200),
                note: paywright_domain::text::Note::new("sent to the customer's bank").unwrap(),
            },
            json!({ "kind": "refund.closed", "refund": 2, "provider_id": null, "intent": "pi_1", "amount": money,
                "note": "sent to the customer's bank" }),
        ),
        (
            Fact::PaymentAccepted {
                intent: intent(),
                expected: usd(11_200),
                received: usd(11_200),
                note: paywright_domain::text::Note::new("rounding").unwrap(),
            },
            json!({ "kind": "payment_intent.accepted", "intent": "pi_1", "expected": money, "received": money,
                "note": "rounding" }),
        ),
        (
            Fact::AuthorizationEnded { intent: intent() },
            json!({ "kind": "payment_intent.authorization_ended", "intent": "pi_1" }),
        ),
        (
            Fact::ProceedsKnown { intent: intent(), gross: usd(11_200), fee: usd(11_200) },
            json!({ "kind": "payment_intent.proceeds_known", "intent": "pi_1", "gross": money, "fee": money }),
        ),
        (
            Fact::RefundRequested { refund: 1, intent: intent(), amount: usd(11_200), origin: RefundOrigin::Policy },
            json!({ "kind": "refund.requested", "refund": 1, "intent": "pi_1", "amount": money, "origin": "policy" }),
        ),
        (
            Fact::RefundChanged {
                refund: 1,
                provider_id: Some(RefundId::new("re_1").unwrap()),
                before: RefundStatus::Requested,
                status: RefundStatus::RequiresAction,
                failure: None,
            },
            json!({ "kind": "refund.changed", "refund": 1, "provider_id": "re_1", "before": "requested",
                "status": "requires_action", "failure": null }),
        ),
        (
            Fact::DisputeOpened {
                dispute: DisputeId::new("du_1").unwrap(),
                intent: intent(),
                amount: usd(11_200),
                reason: "fraudulent".into(),
                status: DisputeStatus::NeedsResponse,
            },
            json!({ "kind": "dispute.opened", "dispute": "du_1", "intent": "pi_1", "amount": money,
                "reason": "fraudulent", "status": "needs_response" }),
        ),
        (
            Fact::DisputeChanged {
                dispute: DisputeId::new("du_1").unwrap(),
                before: DisputeStatus::NeedsResponse,
                status: DisputeStatus::Won,
                withdrawn: true,
                reinstated: false,
            },
            json!({ "kind": "dispute.changed", "dispute": "du_1", "before": "needs_response", "status": "won",
                "withdrawn": true, "reinstated": false }),
        ),
    ] {
        has_form(&fact, form);
    }
}

#[test]
fn each_task_has_its_stored_form_and_key() {
    for (task, form, key) in [
        (
            Task::CreateIntent { request: IntentRequest { revision: 3, attempt: 1, epoch: None } },
            json!({ "kind": "create_intent", "request": { "revision": 3, "attempt": 1 } }),
            "create_intent:3:1",
        ),
        (Task::UpdateIntent { operation: 1 }, json!({ "kind": "update_intent", "operation": 1 }), "update_intent:1"),
        (Task::CancelIntent { operation: 2 }, json!({ "kind": "cancel_intent", "operation": 2 }), "cancel_intent:2"),
        (Task::CaptureIntent { operation: 3 }, json!({ "kind": "capture_intent", "operation": 3 }), "capture_intent:3"),
        (Task::Refund { refund: 4 }, json!({ "kind": "refund", "refund": 4 }), "refund:4"),
        (Task::PollIntent { intent: intent() }, json!({ "kind": "poll_intent", "intent": "pi_1" }), "poll_intent:pi_1"),
        (
            Task::WatchAuthorization { intent: intent() },
            json!({ "kind": "watch_authorization", "intent": "pi_1" }),
            "watch_authorization:pi_1",
        ),
        (Task::ExpireOrder, json!({ "kind": "expire_order" }), "expire_order"),
    ] {
        assert_eq!(serde_json::to_value(&task).unwrap(), form);
        assert_eq!(task.key().as_str(), key);
        assert_eq!(serde_json::from_value::<Task>(form).unwrap(), task);
    }
}

#[test]
fn invalid_money_is_not_deserialized() {
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
fn each_anomaly_is_stored_under_its_name() {
    let (expected, received) = (usd(2), usd(1));
    let mismatches = [
        Mismatch::PaidAfterCancel { received },
        Mismatch::SecondPayment { received },
        Mismatch::AmountDiffers { expected, received },
        Mismatch::WrongCurrency { expected, received },
        Mismatch::WrongLivemode { live: true },
        Mismatch::PaymentNotConfirmed { reported: expected, received },
    ];
    let notices = [
        NoticeKind::RefundFailed { refund: 1 },
        NoticeKind::RefundDelayed { refund: 1 },
        NoticeKind::RefundDiffers { refund: 1, requested: expected, made: received },
        NoticeKind::ClosedRefundMade { refund: 1 },
        NoticeKind::AuthorizationExpiring,
        NoticeKind::PartiallyCaptured { captured: received, released: received },
        NoticeKind::CaptureFailed,
        NoticeKind::IntentLost,
        NoticeKind::EarlyFraudWarning,
        NoticeKind::UnderReview,
        NoticeKind::ReviewClosed,
        NoticeKind::ReceiptEmailRefused,
    ];
    let mismatches = mismatches.map(AnomalyDetails::Mismatch);
    for kind in mismatches.into_iter().chain(notices.map(AnomalyDetails::Notice)) {
        let form = serde_json::to_value(kind).unwrap();
        assert_eq!(form["name"], kind.name());
        assert_eq!(serde_json::from_value::<AnomalyDetails>(form).unwrap(), kind);
    }
}

/// The order of the fields is part of the form in a SQLite database, which stores facts as text.
#[test]
fn a_mismatch_and_a_notice_have_the_same_fields_to_the_byte() {
    let mismatch = Mismatch::SecondPayment { received: usd(1) };
    let mismatch = AnomalyKind::Mismatch { mismatch, policy: Policy::Refund };
    let notice = AnomalyKind::Notice(NoticeKind::RefundFailed { refund: 2 });
    for (kind, reason, accepted_at, text) in [
        (
            mismatch,
            None,
            None,
            r#"{"intent":"pi_1","kind":{"name":"second_payment","received":{"minor":1,"currency":"usd"}},"policy":"refund","reason":null,"found_at":1743415050000000}"#,
        ),
        (
            notice,
            Some("declined".to_owned()),
            None,
            r#"{"intent":"pi_1","kind":{"name":"refund_failed","refund":2},"policy":"tell","reason":"declined","found_at":1743415050000000}"#,
        ),
        (
            mismatch,
            None,
            Some(at()),
            r#"{"intent":"pi_1","kind":{"name":"second_payment","received":{"minor":1,"currency":"usd"}},"policy":"refund","reason":null,"found_at":1743415050000000,"accepted_at":1743415050000000}"#,
        ),
    ] {
        let anomaly = Anomaly { accepted_at, ..Anomaly::new(Some(intent()), kind, reason, at()) };
        assert_eq!(serde_json::to_string(&anomaly).unwrap(), text);
        assert_eq!(serde_json::from_str::<Anomaly>(text).unwrap(), anomaly);
        let unknown = text.replace("refund\",\"reason", "hush\",\"reason").replace("tell", "hush");
        let error = serde_json::from_str::<Anomaly>(&unknown).unwrap_err().to_string();
        assert_eq!(error, "the policy of an anomaly must be `refund`, `hold_for_review` or `tell`");
    }
}

/// Stored carts and operations have addresses from before their grammar was checked.
#[test]
fn an_older_email_is_deserialized_without_the_grammar_check() {
    for text in ["x@gmail", "a@example,com"] {
        assert!(Email::new(text).is_err(), "{text}");
        assert_eq!(serde_json::from_value::<Email>(json!(text)).unwrap().as_str(), text);
    }
}

/// Facts of the version before have no policy of an anomaly.
#[test]
fn an_older_anomaly_without_policy_is_deserialized() {
    let form = json!({ "kind": "order.anomaly", "anomaly": { "intent": "pi_1", "found_at": 1_743_415_050_000_000_i64,
        "kind": { "name": "wrong_livemode", "live": true } } });
    let anomaly = Anomaly {
        intent: Some(intent()),
        kind: AnomalyKind::Mismatch { mismatch: Mismatch::WrongLivemode { live: true }, policy: Policy::HoldForReview },
        reason: None,
        found_at: at(),
        accepted_at: None,
    };
    assert_eq!(serde_json::from_value::<Fact>(form).unwrap(), Fact::AnomalyFound { anomaly });
}

#[test]
fn an_operation_has_its_stored_form() {
    let kind = OperationKind::Edit {
        content: Box::new(Content {
            customer: Some(CustomerId::new("ada").unwrap()),
            lines: vec![LineItem::new("Bone", usd(300), 2).unwrap()],
            adjustments: Vec::new(),
            email: None,
            payer: Payer { customer: Some(ProviderCustomerId::new("cus_1").unwrap()), payment_method: None },
            metadata: [(
                paywright_domain::text::Text::new("a").unwrap(),
                paywright_domain::text::Text::new("b").unwrap(),
            )]
            .into(),
            total: usd(600),
            revision: 2,
        }),
    };
    let money = |minor: i64| json!({ "minor": minor, "currency": "usd" });
    let content = json!({ "customer": "ada", "payer": { "customer": "cus_1", "payment_method": null }, "lines": [{ "name": "Bone", "description": "", "sku": null, "unit_amount": money(300),
        "quantity": 2 }], "adjustments": [], "email": null, "metadata": { "a": "b" }, "total": money(600),
        "revision": 2 });
    for (kind, form) in [
        (kind, json!({ "name": "edit", "content": content })),
        (OperationKind::Cancel { reason: CancelReason::Abandoned }, json!({ "name": "cancel", "reason": "abandoned" })),
        (OperationKind::Capture { amount: usd(5) }, json!({ "name": "capture", "amount": money(5) })),
    ] {
        let operation = Operation { number: 1, intent: intent(), kind, since: at(), epoch: None };
        let form = json!({ "number": 1, "intent": "pi_1", "kind": form, "since": 1_743_415_050_000_000_i64 });
        assert_eq!(serde_json::to_value(&operation).unwrap(), form);
        assert_eq!(serde_json::from_value::<Operation>(form).unwrap(), operation);
    }
    let older =
        json!({ "lines": [], "adjustments": [], "email": null, "metadata": {}, "total": money(600), "revision": 2 });
    let older: Content = serde_json::from_value(older).unwrap();
    assert_eq!((older.customer, older.payer), (None, Payer::default()), "stored before there were payers");
    let no_line = json!({ "name": "", "description": "", "sku": null, "unit_amount": money(0), "quantity": 0 });
    assert!(serde_json::from_value::<LineItem>(no_line).is_err(), "an invalid line is not deserialized");
}
