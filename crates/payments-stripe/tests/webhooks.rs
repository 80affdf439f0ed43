//! Updates that Stripe's events become, once their signature is verified.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use paywright_app::{ProviderEvent, ProviderUpdate, WebhookError, Webhooks};
use paywright_domain::Timestamp;
use paywright_domain::anomaly::NoticeKind;
use paywright_domain::dispute::DisputeStatus;
use paywright_domain::id::InstallationId;
use paywright_domain::intent::IntentStatus;
use paywright_domain::refund::RefundStatus;
use paywright_payments_stripe::{SecretSet, StripeWebhooks, WebhookSecrets};
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
fn an_intent_event_is_dated_to_its_second() {
    // Odd key order, spaces, Unicode and a line break at the end: the signature covers the raw bytes.
    let pretty =
        format!("{:#} \n", event("payment_intent.succeeded", &intent(|it| it["description"] = json!("Zoë ☕"))));
    let opened = open(pretty.as_bytes()).unwrap();
    assert_eq!((opened.id.as_str(), opened.kind.as_str()), ("evt_1", "payment_intent.succeeded"));
    let ProviderUpdate::Intent(update) = opened.update else { panic!("it is about an intent") };
    assert_eq!((update.status, update.received.minor(), update.revision), (IntentStatus::Succeeded, 11_200, Some(3)));
    assert_eq!(update.order.map(|it| it.to_string()).as_deref(), Some("0195ead7-0000-7000-8000-000000000009"));
    let second = (NOW - 7) * 1_000_000;
    assert_eq!((update.as_of.unix_micros(), update.as_of_max.unix_micros()), (second, second + 999_999));
}

fn update(kind: &str, object: &Value) -> ProviderUpdate {
    open(event(kind, object).to_string().as_bytes()).unwrap().update
}

/// Each event type that Paywright acts on is understood.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of events")]
fn each_event_type_becomes_its_update() {
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
        let read = update(&format!("payment_intent.{kind}"), &self::intent(|_| ()));
        assert!(matches!(&read, ProviderUpdate::Intent(it) if it.intent == intent()), "{kind}");
    }
    let refund = json!({ "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "failed",
        "payment_intent": "pi_1", "charge": "ch_1", "created": NOW, "failure_reason": "expired_or_canceled_card",
        "metadata": { "refund_id": "o:1" } });
    for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
        let ProviderUpdate::Refund(read) = update(kind, &refund) else { panic!("{kind}") };
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
        ("funds_reinstated", json!([{ "amount": -500 }, { "amount": 150 }]), (true, false)),
        ("updated", json!([{ "amount": -500 }, { "amount": 500 }, { "amount": -500 }]), (true, false)),
        ("funds_withdrawn", json!([]), (true, false)),
        ("funds_reinstated", json!([]), (false, true)),
    ] {
        let ProviderUpdate::Dispute(read) = update(&format!("charge.dispute.{kind}"), &dispute(movements)) else {
            panic!("{kind}")
        };
        assert_eq!((read.status, read.withdrawn, read.reinstated), (DisputeStatus::NeedsResponse, moved.0, moved.1));
        assert_eq!(read.due_by.map(Timestamp::unix_seconds), Some(NOW + 60));
    }
    for kind in ["charge.refunded", "charge.expired"] {
        let read = update(kind, &json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1" }));
        assert_eq!(read, ProviderUpdate::ReadRequired(intent()), "{kind}");
        assert_eq!(update(kind, &json!({ "id": "ch_1", "payment_intent": null })), ProviderUpdate::Nothing);
    }
    for (kind, field, notice) in [
        ("radar.early_fraud_warning.created", "fraud_type", NoticeKind::EarlyFraudWarning),
        ("review.opened", "reason", NoticeKind::UnderReview),
        ("review.closed", "closed_reason", NoticeKind::ReviewClosed),
    ] {
        let read = update(kind, &json!({ "id": "x_1", "payment_intent": "pi_1", field: "rule" }));
        assert_eq!(read, ProviderUpdate::Notice { intent: intent(), kind: notice, reason: Some("rule".into()) });
    }
    let charge =
        |transaction: Value| json!({ "id": "ch_1", "payment_intent": "pi_1", "balance_transaction": transaction });
    for kind in ["charge.updated", "charge.captured", "charge.succeeded"] {
        assert_eq!(update(kind, &charge(json!("txn_1"))), ProviderUpdate::Proceeds(intent()), "{kind}");
        assert_eq!(update(kind, &charge(Value::Null)), ProviderUpdate::Nothing, "{kind}");
    }
    for kind in ["created", "updated", "paid", "failed", "canceled", "reconciliation_completed"] {
        let payout = json!({ "id": "po_1", "object": "payout", "amount": 10_162, "status": "of a new kind" });
        assert_eq!(update(&format!("payout.{kind}"), &payout), ProviderUpdate::Balance, "{kind}");
    }
    assert_eq!(update("balance.available", &json!({ "object": "balance", "available": [] })), ProviderUpdate::Balance);
    for kind in ["charge.succeeded", "customer.created", "payouts.paid", "balance_settings.updated", "something.new"] {
        assert_eq!(update(kind, &json!({ "id": "x" })), ProviderUpdate::Nothing, "{kind}");
    }
}

#[test]
fn an_event_names_the_request_that_caused_it_and_its_mode() {
    let mut delivered = event("customer.created", &json!({ "id": "cus_1" }));
    delivered["request"] = json!({ "id": "req_9", "idempotency_key": "k" });
    delivered["livemode"] = json!(true);
    let opened = open(delivered.to_string().as_bytes()).unwrap();
    assert_eq!((opened.request.as_deref(), opened.livemode), (Some("req_9"), true));
    assert_eq!(opened.created_at.unix_seconds(), NOW - 7);
}

fn refund(change: impl FnOnce(&mut Value)) -> Value {
    let mut refund = json!({ "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "succeeded",
        "payment_intent": "pi_1", "charge": "ch_1", "created": NOW, "metadata": {} });
    change(&mut refund);
    refund
}

fn dispute(change: impl FnOnce(&mut Value)) -> Value {
    let mut dispute = json!({ "id": "du_1", "object": "dispute", "amount": 500, "currency": "usd",
        "status": "needs_response", "reason": "fraudulent", "payment_intent": "pi_1", "charge": "ch_1", "created": NOW,
        "balance_transactions": [] });
    change(&mut dispute);
    dispute
}

/// One event object of each kind, with a change applied to it.
fn objects(change: &dyn Fn(&mut Value)) -> [(&'static str, Value); 3] {
    [
        ("payment_intent.succeeded", intent(|it| change(it))),
        ("refund.updated", refund(|it| change(it))),
        ("charge.dispute.updated", dispute(|it| change(it))),
    ]
}

fn read_from_stripe() -> ProviderUpdate {
    ProviderUpdate::ReadRequired(paywright_domain::IntentId::new("pi_1").unwrap())
}

/// Stripe's enumerations are open, and a field may get another shape: the object is read from Stripe.
#[test]
fn an_object_of_unknown_status_or_shape_is_read_from_stripe() {
    for (field, value) in [("status", json!("appeal_under_moonlight")), ("amount", json!({ "value": "5.00" }))] {
        for (kind, object) in objects(&|it| it[field] = value.clone()) {
            let opened = open(event(kind, &object).to_string().as_bytes()).unwrap();
            assert_eq!((opened.update, opened.foreign), (read_from_stripe(), None), "{kind}: {field}");
        }
    }
}

#[test]
fn an_amount_that_no_order_can_have_is_foreign() {
    for (currency, amount) in [("usdc", 500), ("isk", 105), ("usd", i64::MAX)] {
        for (kind, object) in objects(&|it| {
            it["currency"] = json!(currency);
            it["amount"] = json!(amount);
        }) {
            let opened = open(event(kind, &object).to_string().as_bytes()).unwrap();
            assert_eq!(opened.update, ProviderUpdate::Nothing, "{kind}");
            assert!(opened.foreign.is_some(), "{kind}: {currency} {amount}");
        }
    }
}

#[test]
fn an_event_of_a_connected_account_is_foreign() {
    for (kind, object) in objects(&|_| ()) {
        let mut delivered = event(kind, &object);
        delivered["account"] = json!("acct_theirs");
        let opened = open(delivered.to_string().as_bytes()).unwrap();
        assert_eq!(opened.update, ProviderUpdate::Nothing, "{kind}");
        assert_eq!(
            opened.foreign.map(|it| it.reason).as_deref(),
            Some("it belongs to the connected account acct_theirs")
        );
    }
}

const OURS: &str = "0195ead7-0000-4000-8000-00000000000a";
const THEIRS: &str = "0195ead7-0000-4000-8000-00000000000b";

/// A charge has a copy of its intent's metadata ("Metadata").
#[test]
fn an_event_of_another_installation_is_foreign_in_any_version_and_status() {
    let signed = |body: &str, ours: Option<&str>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{NOW}.{body}").as_bytes());
        let signature = format!("t={NOW},v1={}", hex::encode(mac.finalize().into_bytes()));
        let opener = match ours {
            Some(id) => opener().of_installation(InstallationId(id.parse().unwrap())),
            None => opener(),
        };
        opener.open(body.as_bytes(), &signature, Timestamp::from_unix_seconds(NOW).unwrap()).unwrap()
    };
    let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "balance_transaction": "txn_1",
        "metadata": {} });
    let setup = json!({ "id": "seti_1", "object": "setup_intent", "metadata": {} });
    let mut all = objects(&|_| ()).to_vec();
    all.extend(["charge.updated", "charge.refunded", "charge.expired"].map(|kind| (kind, charge.clone())));
    all.push(("setup_intent.created", setup));
    for (kind, mut object) in all {
        let about_intent = object["object"] != "setup_intent";
        for version in ["2026-05-27.dahlia", "2024-06-20"] {
            for status in ["succeeded", "appeal_under_moonlight"] {
                object["status"] = json!(status);
                object["metadata"] = json!({ "installation_id": THEIRS });
                let mut delivered = event(kind, &object);
                delivered["api_version"] = json!(version);
                let opened = signed(&delivered.to_string(), Some(OURS));
                let foreign = opened.foreign.unwrap_or_else(|| panic!("{kind} {version} {status}"));
                assert_eq!(opened.update, ProviderUpdate::Nothing);
                assert_eq!(foreign.reason, format!("it belongs to the installation {THEIRS}"));
                assert_eq!(
                    foreign.intent.as_ref().map(paywright_domain::IntentId::as_str),
                    about_intent.then_some("pi_1"),
                    "{kind}"
                );
                let known = signed(&delivered.to_string(), Some(THEIRS)).foreign;
                assert_eq!(known, None, "{kind}: its own");
                assert_eq!(signed(&delivered.to_string(), None).foreign, None, "{kind}: the installation has no id");
                delivered["data"]["object"]["metadata"] = json!({});
                assert_eq!(signed(&delivered.to_string(), Some(OURS)).foreign, None, "{kind}: no installation named");
            }
        }
    }
}

/// Before 2025-03-31.basil Stripe reported the rest of a partial capture as a refund.
#[test]
fn an_event_of_another_api_version_is_used_by_its_type_and_ids_only() {
    for version in [json!("2024-06-20"), json!("2025-02-24.acacia"), json!("2027-03-31.freesia"), Value::Null] {
        for (kind, object) in objects(&|_| ()) {
            let mut delivered = event(kind, &object);
            delivered["api_version"] = version.clone();
            let opened = open(delivered.to_string().as_bytes()).unwrap();
            let named = version.as_str().unwrap_or("(none)");
            assert_eq!(
                (opened.update, opened.other_version.map(|it| it.version).as_deref()),
                (read_from_stripe(), Some(named)),
                "{kind}"
            );
        }
    }
    for version in ["2025-03-31.basil", "2025-09-30.clover", "2026-10-28.endive"] {
        let mut delivered = event("payment_intent.succeeded", &intent(|_| ()));
        delivered["api_version"] = json!(version);
        let opened = open(delivered.to_string().as_bytes()).unwrap();
        assert!(matches!(opened.update, ProviderUpdate::Intent(_)) && opened.other_version.is_none(), "{version}");
    }
}

#[test]
fn a_thin_or_malformed_event_is_refused() {
    let thin = json!({ "id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded",
        "created": "2026-01-01T00:00:00Z", "related_object": { "id": "pi_1" } });
    assert_eq!(open(thin.to_string().as_bytes()), Err(WebhookError::Thin));
    for body in ["", "[]", "{}", "{\"object\":\"event\"}", "\u{feff}{}"] {
        let read = open(body.as_bytes());
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{body:?}: {read:?}");
    }
}

/// PostgreSQL stores no text with the character U+0000. An event without a usable id is refused; in any other text the
/// character is replaced, so that the payment is applied.
#[test]
fn the_character_that_a_database_cannot_store_does_not_stop_a_payment() {
    let good = event("payment_intent.succeeded", &intent(|_| {}));
    for (pointer, text) in [("/id", "evt_\0"), ("/type", "payment_intent\0"), ("/id", "evt 1"), ("/id", "evt_\u{202e}")]
    {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = json!(text);
        let read = open(bad.to_string().as_bytes());
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{text:?}: {read:?}");
    }
    let failed = intent(|it| {
        it["status"] = json!("requires_payment_method");
        it["amount_received"] = json!(0);
        it["last_payment_error"] = json!({ "code": "card_declined", "message": "no\0funds" });
    });
    let read = open(event("payment_intent.payment_failed", &failed).to_string().as_bytes()).unwrap();
    let text = format!("{:?}", read.update);
    assert!(text.contains("no\u{fffd}funds") && !text.contains("\\0"), "{text}");
}

#[test]
fn the_body_is_not_read_before_the_signature_is_verified() {
    for (body, signature) in [("{}", "t=1,v1=00"), ("not json", ""), ("{}", "garbage")] {
        let read = opener().open(body.as_bytes(), signature, Timestamp::from_unix_seconds(NOW).unwrap());
        assert!(matches!(read, Err(WebhookError::BadSignature(_))), "{read:?}");
    }
}

/// Secrets that are replaced once a webhook was signed with none of them, as by a command on the file of a process.
struct Rotated;

impl WebhookSecrets for Rotated {
    fn current(&self) -> SecretSet {
        Arc::new(vec![SecretString::from("whsec_old")])
    }

    fn other_than(&self, _known: &SecretSet) -> Option<SecretSet> {
        Some(Arc::new(vec![SecretString::from(SECRET)]))
    }
}

#[test]
fn a_webhook_signed_with_a_secret_that_came_meanwhile_is_accepted() {
    let body = event("payment_intent.succeeded", &intent(|_| {})).to_string();
    let sign = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{NOW}.{body}").as_bytes());
        format!("t={NOW},v1={}", hex::encode(mac.finalize().into_bytes()))
    };
    let webhooks = StripeWebhooks::with(Arc::new(Rotated));
    let now = Timestamp::from_unix_seconds(NOW).unwrap();
    for (secret, is_accepted) in [("whsec_old", true), (SECRET, true), ("whsec_forged", false)] {
        assert_eq!(webhooks.open(body.as_bytes(), &sign(secret), now).is_ok(), is_accepted, "{secret}");
    }
}
