//! What Stripe's events say, whichever way they come.

use paywright_app::{ProviderEvent, ProviderNews, WebhookError, Webhooks};
use paywright_domain::{AnomalyKind, IntentId, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use crate::objects::{self, Event, PaymentIntent};
use crate::snapshots::{dispute_of, order_named_by, refund_of, snapshot_of};
use crate::webhook::verify;

/// Stripe's webhooks, signed by any of the secrets in use.
#[derive(Debug, Clone)]
pub struct StripeWebhooks {
    secrets: Vec<SecretString>,
}

impl StripeWebhooks {
    /// Takes every secret that is valid now: two while one is rolled.
    pub const fn new(secrets: Vec<SecretString>) -> Self {
        Self { secrets }
    }
}

impl Webhooks for StripeWebhooks {
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError> {
        verify(body, signature, &self.secrets, now).map_err(|problem| {
            tracing::warn!(%problem, "a webhook was refused");
            WebhookError::BadSignature("see \"Verify webhook signatures\" of the payment provider")
        })?;
        let unreadable = |problem: &dyn std::fmt::Display| WebhookError::Unreadable(problem.to_string());
        let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        if json.get("object").and_then(serde_json::Value::as_str) == Some("v2.core.event") {
            return Err(WebhookError::Thin);
        }
        read_event(json)
    }
}

fn unreadable(problem: &dyn std::fmt::Display) -> WebhookError {
    WebhookError::Unreadable(problem.to_string())
}

/// Reads an event, as it was delivered or listed.
pub(crate) fn read_event(json: Value) -> Result<ProviderEvent, WebhookError> {
    let event: Event = serde_json::from_value(json).map_err(|error| unreadable(&error))?;
    let created_at = Timestamp::from_unix_seconds(event.created).map_err(|error| unreadable(&error))?;
    let news = news(&event.kind, event.data.object, created_at)?;
    Ok(ProviderEvent {
        id: event.id.to_string(),
        kind: event.kind,
        created_at,
        livemode: event.livemode,
        request: event.request.and_then(|it| it.id),
        news,
    })
}

/// What is done about each type ("Types of events"). Of payments, the intent's own events are the truth, so that most
/// of those of its charges tell nothing new.
fn news(kind: &str, object: Value, created_at: Timestamp) -> Result<ProviderNews, WebhookError> {
    match kind {
        _ if kind.starts_with("payment_intent.") => intent_news(object, created_at),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            let refund: objects::Refund = serde_json::from_value(object).map_err(|error| unreadable(&error))?;
            let read = refund_of(&refund).map_err(|problem| unreadable(&problem))?;
            Ok(read.map_or(ProviderNews::Nothing, |it| ProviderNews::Refund(Box::new(it))))
        }
        // The charge says how much went back in all, and not by which refunds; or that what it held is lost.
        "charge.refunded" | "charge.expired" => {
            Ok(intent_named_in(&object).map_or(ProviderNews::Nothing, ProviderNews::Look))
        }
        // The fee is known once the charge has its balance transaction.
        "charge.updated" | "charge.captured" if object.get("balance_transaction").is_some_and(|it| !it.is_null()) => {
            Ok(intent_named_in(&object).map_or(ProviderNews::Nothing, ProviderNews::Proceeds))
        }
        _ if kind.starts_with("charge.dispute.") => dispute_news(kind, object),
        "radar.early_fraud_warning.created" => Ok(notice(&object, AnomalyKind::EarlyFraudWarning, "fraud_type")),
        "review.opened" => Ok(notice(&object, AnomalyKind::UnderReview, "reason")),
        "review.closed" => Ok(notice(&object, AnomalyKind::ReviewClosed, "closed_reason")),
        _ => Ok(ProviderNews::Nothing),
    }
}

fn dispute_news(kind: &str, object: Value) -> Result<ProviderNews, WebhookError> {
    let dispute: objects::Dispute = serde_json::from_value(object).map_err(|error| unreadable(&error))?;
    let Some(mut read) = dispute_of(&dispute).map_err(|problem| unreadable(&problem))? else {
        return Ok(ProviderNews::Nothing);
    };
    read.withdrawn |= kind == "charge.dispute.funds_withdrawn";
    read.reinstated |= kind == "charge.dispute.funds_reinstated";
    Ok(ProviderNews::Dispute(Box::new(read)))
}

/// The intent that an object names.
fn intent_named_in(object: &Value) -> Option<IntentId> {
    object.get("payment_intent").and_then(Value::as_str).and_then(|it| IntentId::new(it).ok())
}

fn notice(object: &Value, kind: AnomalyKind, word: &str) -> ProviderNews {
    let reason = object.get(word).and_then(Value::as_str).map(|it| it.replace('\0', ""));
    intent_named_in(object).map_or(ProviderNews::Nothing, |intent| ProviderNews::Notice { intent, kind, reason })
}

/// What an event says of an intent. One that cannot be understood is an error where it names an order, and of no
/// concern where it does not: another program on the same account may use currencies that we do not.
fn intent_news(object: Value, as_of: Timestamp) -> Result<ProviderNews, WebhookError> {
    let intent: PaymentIntent =
        serde_json::from_value(object).map_err(|error| WebhookError::Unreadable(error.to_string()))?;
    match snapshot_of(&intent, as_of) {
        Ok(snapshot) => Ok(ProviderNews::Intent(Box::new(snapshot.within_second(as_of)))),
        Err(problem) if order_named_by(&intent).is_some() => Err(WebhookError::Unreadable(problem)),
        Err(problem) => {
            tracing::info!(intent = %intent.id, problem, "an event of a foreign intent");
            Ok(ProviderNews::Nothing)
        }
    }
}
