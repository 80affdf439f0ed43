//! What Stripe's events say, whichever way they come.

use paywright_app::{ForeignEvent, OtherVersion, ProviderEvent, ProviderUpdate, WebhookError, Webhooks};
use paywright_domain::{AnomalyKind, InstallationId, IntentId, Timestamp};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::metadata::Owner;
use crate::objects::{self, Event, PaymentIntent};
use crate::snapshots::{Unreadable, dispute_of, reason_of_stranger, refund_of, snapshot_of};
use crate::webhook::{SignatureError, TOLERANCE_SECONDS, verify};

/// Stripe's webhooks, signed by any of the secrets in use.
#[derive(Debug, Clone)]
pub struct StripeWebhooks {
    secrets: Vec<SecretString>,
    owner: Owner,
}

impl StripeWebhooks {
    /// Takes every secret that is valid now: two while one is rolled.
    pub const fn new(secrets: Vec<SecretString>) -> Self {
        Self { secrets, owner: Owner(None) }
    }

    /// The same webhooks for one installation: what another one has made is foreign.
    #[must_use]
    pub fn of_installation(self, id: InstallationId) -> Self {
        Self { owner: Owner(Some(id)), ..self }
    }
}

impl Webhooks for StripeWebhooks {
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError> {
        verify(body, signature, &self.secrets, now).map_err(|problem| {
            tracing::warn!(%problem, "a webhook was refused");
            match problem {
                // Whoever made it has the secret: the time may be told.
                SignatureError::OutsideTolerance { seconds } => {
                    WebhookError::OutsideTolerance { seconds, tolerance: TOLERANCE_SECONDS }
                }
                SignatureError::NoSecret
                | SignatureError::NoTimestamp
                | SignatureError::NoSignature
                | SignatureError::Mismatch => {
                    WebhookError::BadSignature("see \"Verify webhook signatures\" of the payment provider")
                }
            }
        })?;
        let unreadable = |problem: &dyn std::fmt::Display| WebhookError::Unreadable(problem.to_string());
        let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        if json.get("object").and_then(serde_json::Value::as_str) == Some("v2.core.event") {
            return Err(WebhookError::Thin);
        }
        read_event(json, self.owner)
    }
}

fn unreadable(problem: &dyn std::fmt::Display) -> WebhookError {
    WebhookError::Unreadable(problem.to_string())
}

/// The release trains of API versions in which the objects of payments mean what they mean in [`crate::API_VERSION`].
/// Before the first of them a partial capture is told of as a refund of the rest ("2025-03-31.basil").
const KNOWN_TRAINS: [&str; 4] = ["basil", "clover", "dahlia", "endive"];

/// The most characters of an API version that are repeated to the operator.
const VERSION_CHARS_MAX: usize = 40;

/// Reads an event, as it was delivered or listed. What is listed is rendered in the version in which it was made,
/// whichever is asked for.
pub(crate) fn read_event(json: Value, owner: Owner) -> Result<ProviderEvent, WebhookError> {
    let event: Event = serde_json::from_value(json).map_err(|error| unreadable(&error))?;
    let created_at = Timestamp::from_unix_seconds(event.created).map_err(|error| unreadable(&error))?;
    let other_version = other_version(event.api_version.as_deref());
    let said = match (&event.account, &other_version) {
        (Some(account), _) => Said::Foreign(format!("it is of the connected account {account}").into()),
        (None, other_version) => match (of_another(&event.kind, &event.data.object, owner), other_version) {
            (Some(foreign), _) => Said::Foreign(foreign),
            (None, Some(_)) => Said::Update(news_of_ids(&event.kind, &event.data.object)),
            (None, None) => said(&event.kind, event.data.object, created_at, owner)?,
        },
    };
    let (update, foreign) = match said {
        Said::Update(update) => (update, None),
        Said::Foreign(foreign) => (ProviderUpdate::Nothing, Some(foreign)),
    };
    Ok(ProviderEvent {
        id: event.id.to_string(),
        kind: event.kind,
        created_at,
        livemode: event.livemode,
        request: event.request.and_then(|it| it.id),
        update,
        foreign,
        other_version: other_version.map(|version| OtherVersion { version, expected: crate::API_VERSION }),
    })
}

/// The version, if it is not one whose meaning is known.
fn other_version(version: Option<&str>) -> Option<String> {
    let version = version.filter(|it| !it.is_empty());
    let train = version.and_then(|it| it.split_once('.')).map(|(_, train)| train);
    let is_known = train.is_some_and(|it| KNOWN_TRAINS.contains(&it));
    (!is_known).then(|| version.unwrap_or("(none)").chars().take(VERSION_CHARS_MAX).collect())
}

/// What an event says.
enum Said {
    Update(ProviderUpdate),
    /// It is of an object that no order here can have.
    Foreign(ForeignEvent),
}

/// Why an event is foreign whose object names another installation, in whichever version it is rendered.
fn of_another(kind: &str, object: &Value, owner: Owner) -> Option<ForeignEvent> {
    let reason = reason_of_stranger(owner.stranger_of(object)?);
    Some(ForeignEvent { reason, intent: intent_of(kind, object) })
}

/// What is done about each type ("Types of events"). Of payments, the intent's own events are the truth, so that most
/// of those of its charges tell nothing new.
fn said(kind: &str, object: Value, created_at: Timestamp, owner: Owner) -> Result<Said, WebhookError> {
    if kind.starts_with("payment_intent.") {
        let update = |it: &PaymentIntent| {
            let snapshot = snapshot_of(it, created_at, owner)?.within_second(created_at);
            Ok(Some(ProviderUpdate::Intent(Box::new(snapshot))))
        };
        return read(kind, object, update);
    }
    if is_refund(kind) {
        return read(kind, object, |it: &objects::Refund| {
            Ok(refund_of(it, owner)?.map(|it| ProviderUpdate::Refund(Box::new(it))))
        });
    }
    if let Some(what) = kind.strip_prefix("charge.dispute.") {
        return read(kind, object, |it: &objects::Dispute| {
            let Some(mut dispute) = dispute_of(it)? else { return Ok(None) };
            // Where the movements are told they say more: perhaps only a part was put back.
            if it.balance_transactions.is_empty() {
                dispute.withdrawn |= what == "funds_withdrawn";
                dispute.reinstated |= what == "funds_reinstated";
            }
            Ok(Some(ProviderUpdate::Dispute(Box::new(dispute))))
        });
    }
    let word = |name: &str| object.get(name).and_then(Value::as_str).map(|it| it.replace('\0', ""));
    let reason = match kind {
        "radar.early_fraud_warning.created" => word("fraud_type"),
        "review.opened" => word("reason"),
        "review.closed" => word("closed_reason"),
        _ => None,
    };
    Ok(Said::Update(match news_of_ids(kind, &object) {
        ProviderUpdate::Notice { intent, kind, .. } => ProviderUpdate::Notice { intent, kind, reason },
        update @ (ProviderUpdate::Intent(_)
        | ProviderUpdate::Refund(_)
        | ProviderUpdate::Dispute(_)
        | ProviderUpdate::Proceeds(_)
        | ProviderUpdate::Look(_)
        | ProviderUpdate::Nothing) => update,
    }))
}

fn is_refund(kind: &str) -> bool {
    ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"].contains(&kind)
}

/// Reads the object of an event. What has a status that is not known here, or another shape, is left to be read from
/// Stripe; what no order can have is of no concern, whoever made it.
fn read<T: DeserializeOwned>(
    kind: &str,
    object: Value,
    update: impl FnOnce(&T) -> Result<Option<ProviderUpdate>, Unreadable>,
) -> Result<Said, WebhookError> {
    let ids = news_of_ids(kind, &object);
    let problem = match serde_json::from_value::<T>(object) {
        Ok(object) => match update(&object) {
            Ok(update) => return Ok(Said::Update(update.unwrap_or(ProviderUpdate::Nothing))),
            Err(Unreadable::Foreign(reason)) => return Ok(Said::Foreign(reason.into())),
            Err(problem @ Unreadable::Status(_)) => problem.to_string(),
        },
        Err(_) if ids == ProviderUpdate::Nothing => {
            return Err(unreadable(&"its object has not the shape of its type"));
        }
        Err(problem) => problem.to_string(),
    };
    tracing::warn!(event_type = kind, problem, "the object of an event is read from Stripe");
    Ok(Said::Update(ids))
}

/// The intent that the object of an event is, or is of.
fn intent_of(kind: &str, object: &Value) -> Option<IntentId> {
    let name = if kind.starts_with("payment_intent.") { "id" } else { "payment_intent" };
    let id = object.get(name).and_then(|it| it.as_str().or_else(|| it.get("id").and_then(Value::as_str)));
    id.and_then(|it| IntentId::new(it).ok())
}

/// What an event says by its type and the ids in it alone.
fn news_of_ids(kind: &str, object: &Value) -> ProviderUpdate {
    let of_intent =
        |update: &dyn Fn(IntentId) -> ProviderUpdate| intent_of(kind, object).map_or(ProviderUpdate::Nothing, update);
    let notice = |kind| of_intent(&|intent| ProviderUpdate::Notice { intent, kind, reason: None });
    match kind {
        // The charge says how much went back in all, and not by which refunds; or that what it held is lost.
        "charge.refunded" | "charge.expired" => of_intent(&ProviderUpdate::Look),
        // The fee is known once the charge has its balance transaction.
        "charge.updated" | "charge.captured" if object.get("balance_transaction").is_some_and(|it| !it.is_null()) => {
            of_intent(&ProviderUpdate::Proceeds)
        }
        "radar.early_fraud_warning.created" => notice(AnomalyKind::EarlyFraudWarning),
        "review.opened" => notice(AnomalyKind::UnderReview),
        "review.closed" => notice(AnomalyKind::ReviewClosed),
        _ if kind.starts_with("payment_intent.") || kind.starts_with("charge.dispute.") || is_refund(kind) => {
            of_intent(&ProviderUpdate::Look)
        }
        _ => ProviderUpdate::Nothing,
    }
}
