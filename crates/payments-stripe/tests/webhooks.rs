//! What is made of Stripe's events, once their signature is good.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use hmac::{Hmac, KeyInit, Mac};
use paywright_app::{ProviderEvent, ProviderNews, WebhookError, Webhooks};
use paywright_domain::{AnomalyKind, DisputeStatus, IntentStatus, RefundStatus, Timestamp};
use paywright_payments_stripe::StripeWebhooks;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "whsec_test";
const NOW: i64 = 1_743_415_050;

fn open(body: &[u8]) -> Result<ProviderEvent, WebhookError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{NOW}.").as_bytes());
    mac.update(body);
    let signature = format!("t={NOW},v1={}", hex::encode(mac.finalize().into_bytes()));
    opener().open(body, &signature, Timestamp::from_unix_seconds(NOW).unwrap())
}

fn opener() -> StripeWebhooks {
    StripeWebhooks::new(vec![SecretString::from("whsec_old"), SecretString::from(SECRET)])
}

fn event(kind: &str, object: &Value) -> Value {
    json!({ "id": "evt_1", "object": "event", "api_version": "2026-05-27.dahlia", "created": NOW - 7, "livemode": false,
        "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null }, "type": kind,
        "data": { "object": object } })
}

fn intent(change: impl FnOnce(&mut Value)) -> Value {
    let mut intent = json!({ "id": "pi_1", "object": "payment_intent", "amount": 11_200, "amount_capturable": 0,
        "amount_received": 11_200, "currency": "usd", "status": "succeeded", "livemode": false, "created": NOW - 60,
        "client_secret": "pi_1_secret_hush", "latest_charge": "ch_1",
        "metadata": { "order_id": "0195ead7-0000-7000-8000-000000000009", "revision": "3" } });
    change(&mut intent);
    intent
}

#[test]
fn an_intents_event_is_read_as_of_its_second() {
    // Odd key order, spaces, Unicode and a line break at the end: the bytes are what is signed.
    let pretty =
        format!("{:#} \n", event("payment_intent.succeeded", &intent(|it| it["description"] = json!("Zoë ☕"))));
    let opened = open(pretty.as_bytes()).unwrap();
    assert_eq!((opened.id.as_str(), opened.kind.as_str()), ("evt_1", "payment_intent.succeeded"));
    let ProviderNews::Intent(news) = opened.news else { panic!("it is about an intent") };
    assert_eq!((news.status, news.received.minor(), news.revision), (IntentStatus::Succeeded, 11_200, Some(3)));
    assert_eq!(news.order.map(|it| it.to_string()).as_deref(), Some("0195ead7-0000-7000-8000-000000000009"));
    let second = (NOW - 7) * 1_000_000;
    assert_eq!((news.as_of.unix_micros(), news.as_of_max.unix_micros()), (second, second + 999_999));
}

fn news(kind: &str, object: &Value) -> ProviderNews {
    open(event(kind, object).to_string().as_bytes()).unwrap().news
}

/// Each type of event that asks for something is understood.
#[test]
fn each_type_says_what_it_is_about() {
    let intent = || paywright_domain::IntentId::new("pi_1").unwrap();
    for kind in [
        "succeeded",
        "payment_failed",
        "processing",
        "requires_action",
        "amount_capturable_updated",
        "canceled",
        "created",
    ] {
        let read = news(&format!("payment_intent.{kind}"), &self::intent(|_| ()));
        assert!(matches!(&read, ProviderNews::Intent(it) if it.intent == intent()), "{kind}");
    }
    let refund = json!({ "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "failed",
        "payment_intent": "pi_1", "charge": "ch_1", "created": NOW, "failure_reason": "expired_or_canceled_card",
        "metadata": { "refund_id": "o:1" } });
    for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
        let ProviderNews::Refund(read) = news(kind, &refund) else { panic!("{kind}") };
        assert_eq!(
            (read.intent.clone(), read.status, read.name.as_deref()),
            (intent(), RefundStatus::Failed, Some("o:1"))
        );
        assert_eq!(read.failure.as_deref(), Some("expired_or_canceled_card"));
    }
    let dispute = |movements: Value| {
        json!({ "id": "du_1", "object": "dispute", "amount": 500, "currency": "usd", "status": "needs_response",
            "reason": "fraudulent", "payment_intent": "pi_1", "charge": "ch_1", "created": NOW,
            "evidence_details": { "due_by": NOW + 60 }, "balance_transactions": movements })
    };
    for (kind, movements, moved) in [
        ("created", json!([]), (false, false)),
        ("updated", json!([{ "amount": -500 }]), (true, false)),
        ("closed", json!([{ "amount": -500 }, { "amount": 500 }]), (true, true)),
        ("funds_withdrawn", json!([]), (true, false)),
        ("funds_reinstated", json!([]), (false, true)),
    ] {
        let ProviderNews::Dispute(read) = news(&format!("charge.dispute.{kind}"), &dispute(movements)) else {
            panic!("{kind}")
        };
        assert_eq!((read.status, read.withdrawn, read.reinstated), (DisputeStatus::NeedsResponse, moved.0, moved.1));
        assert_eq!(read.due_by.map(Timestamp::unix_seconds), Some(NOW + 60));
    }
    for kind in ["charge.refunded", "charge.expired"] {
        let read = news(kind, &json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1" }));
        assert_eq!(read, ProviderNews::Look(intent()), "{kind}");
        assert_eq!(news(kind, &json!({ "id": "ch_1", "payment_intent": null })), ProviderNews::Nothing);
    }
    for (kind, word, told) in [
        ("radar.early_fraud_warning.created", "fraud_type", AnomalyKind::EarlyFraudWarning),
        ("review.opened", "reason", AnomalyKind::UnderReview),
        ("review.closed", "closed_reason", AnomalyKind::ReviewClosed),
    ] {
        let read = news(kind, &json!({ "id": "x_1", "payment_intent": "pi_1", word: "rule" }));
        assert_eq!(read, ProviderNews::Notice { intent: intent(), kind: told, reason: Some("rule".into()) });
    }
    let charge =
        |transaction: Value| json!({ "id": "ch_1", "payment_intent": "pi_1", "balance_transaction": transaction });
    assert_eq!(news("charge.updated", &charge(json!("txn_1"))), ProviderNews::Proceeds(intent()));
    assert_eq!(news("charge.updated", &charge(Value::Null)), ProviderNews::Nothing);
    for kind in ["charge.succeeded", "customer.created", "payout.paid", "something.new"] {
        assert_eq!(news(kind, &json!({ "id": "x" })), ProviderNews::Nothing, "{kind}");
    }
}

#[test]
fn an_event_names_the_request_that_caused_it_and_its_mode() {
    let mut told = event("customer.created", &json!({ "id": "cus_1" }));
    told["request"] = json!({ "id": "req_9", "idempotency_key": "k" });
    told["livemode"] = json!(true);
    let opened = open(told.to_string().as_bytes()).unwrap();
    assert_eq!((opened.request.as_deref(), opened.livemode), (Some("req_9"), true));
    assert_eq!(opened.created_at.unix_seconds(), NOW - 7);
}

#[test]
fn what_is_not_understood_is_an_error_where_it_is_ours_and_nothing_where_it_is_not() {
    for (field, value) in [("currency", "xdr"), ("status", "requires_moonlight")] {
        let ours = event("payment_intent.succeeded", &intent(|it| it[field] = json!(value)));
        let read = open(ours.to_string().as_bytes());
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{field}: {read:?}");
        let foreign = intent(|it| {
            it[field] = json!(value);
            it["metadata"] = json!({ "order_id": "9" });
        });
        let read = open(event("payment_intent.succeeded", &foreign).to_string().as_bytes());
        assert_eq!(read.map(|it| it.news), Ok(ProviderNews::Nothing), "{field}");
    }
}

#[test]
fn what_is_no_snapshot_event_is_refused() {
    let thin = json!({ "id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded",
        "created": "2026-01-01T00:00:00Z", "related_object": { "id": "pi_1" } });
    assert_eq!(open(thin.to_string().as_bytes()), Err(WebhookError::Thin));
    for body in ["", "[]", "{}", "{\"object\":\"event\"}", "\u{feff}{}"] {
        let read = open(body.as_bytes());
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{body:?}: {read:?}");
    }
}

#[test]
fn nothing_is_read_before_the_signature_is_good() {
    for (body, signature) in [("{}", "t=1,v1=00"), ("not json", ""), ("{}", "garbage")] {
        let read = opener().open(body.as_bytes(), signature, Timestamp::from_unix_seconds(NOW).unwrap());
        assert!(matches!(read, Err(WebhookError::BadSignature(_))), "{read:?}");
    }
}
