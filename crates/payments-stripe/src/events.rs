//! Conversion of Stripe's events, from a webhook or from the event list, to updates of the domain.

use std::sync::Arc;

use paywright_app::{ForeignEvent, OtherVersion, ProviderEvent, ProviderUpdate, WebhookError, Webhooks};
use paywright_domain::anomaly::NoticeKind;
use paywright_domain::id::InstallationId;
use paywright_domain::{IntentId, Timestamp};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json;
use crate::metadata::Owner;
use crate::objects::{self, Event, PaymentIntent};
use crate::snapshots::{Unreadable, dispute_of, other_installation_reason, refund_of, snapshot_of};
use crate::webhook::{SignatureError, TOLERANCE_SECONDS, verify};
use crate::webhook_secrets::{FixedSecrets, WebhookSecrets};

/// Reader of Stripe's webhooks: verifies the signature with any of the configured secrets and reads the event.
#[derive(Clone)]
pub struct StripeWebhooks {
    secrets: Arc<dyn WebhookSecrets>,
    owner: Owner,
}

impl StripeWebhooks {
    /// Makes a reader with every secret that is valid now: two while one is being rolled.
    pub fn new(secrets: Vec<SecretString>) -> Self {
        Self::with(Arc::new(FixedSecrets::new(secrets)))
    }

    /// Makes a reader whose secrets may change while it is used. A signature that matches none of them is checked again with
    /// those that the source has meanwhile.
    pub fn with(secrets: Arc<dyn WebhookSecrets>) -> Self {
        Self { secrets, owner: Owner(None) }
    }

    /// The same reader for one installation: events of objects that name another one are foreign.
    #[must_use]
    pub fn of_installation(self, id: InstallationId) -> Self {
        Self { owner: Owner(Some(id)), ..self }
    }
}

impl StripeWebhooks {
    fn verify(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<(), SignatureError> {
        let known = self.secrets.current();
        let verified = verify(body, signature, &known, now);
        if let Err(SignatureError::Mismatch | SignatureError::NoSecret) = verified
            && let Some(other) = self.secrets.other_than(&known)
        {
            return verify(body, signature, &other, now);
        }
        verified
    }
}

impl Webhooks for StripeWebhooks {
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError> {
        self.verify(body, signature, now).map_err(|problem| {
            tracing::warn!(%problem, "a webhook was refused");
            match problem {
                // The sender has the secret, so the answer may name the time difference.
                SignatureError::OutsideTolerance { seconds } => {
                    WebhookError::OutsideTolerance { seconds, tolerance: TOLERANCE_SECONDS }
                }
                SignatureError::NoSecret
                | SignatureError::NoTimestamp
                | SignatureError::NoSignature
                | SignatureError::Mismatch => {
                    WebhookError::BadSignature("see \"Verify webhook signatures\" in Stripe's documentation")
                }
            }
        })?;
        let unreadable = |problem: &dyn std::fmt::Display| WebhookError::Unreadable(problem.to_string());
        let json: Value = json::read(body).map_err(|error| unreadable(&error))?;
        if json.get("object").and_then(Value::as_str) == Some("v2.core.event") {
            return Err(WebhookError::Thin);
        }
        read_event(json, self.owner)
    }
}

fn unreadable(problem: &dyn std::fmt::Display) -> WebhookError {
    WebhookError::Unreadable(problem.to_string())
}

/// Release trains of API versions whose payment objects have the same meaning as in [`crate::API_VERSION`]. Before the
/// first of them Stripe reported a partial capture as a refund of the rest ("2025-03-31.basil").
const KNOWN_TRAINS: [&str; 4] = ["basil", "clover", "dahlia", "endive"];

/// Most characters of an unknown API version that are shown to the operator.
const VERSION_CHARS_MAX: usize = 40;

/// Reads an event from a webhook or the event list. A listed event is rendered in the API version in which it was
/// created, whichever version the request names.
pub(crate) fn read_event(json: Value, owner: Owner) -> Result<ProviderEvent, WebhookError> {
    let event: Event = serde_json::from_value(json).map_err(|error| unreadable(&error))?;
    let request = event.request.as_ref().and_then(|it| it.id.as_deref()).unwrap_or_default();
    for (name, text) in [("id", event.id.as_str()), ("type", event.kind.as_str()), ("request.id", request)] {
        if !text.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(unreadable(&format!(
                "`{name}` of the event has other characters than those of Stripe's names"
            )));
        }
    }
    let created_at = Timestamp::from_unix_seconds(event.created).map_err(|error| unreadable(&error))?;
    let other_version = other_version(event.api_version.as_deref());
    let content = match (&event.account, &other_version) {
        (Some(account), _) => EventContent::Foreign(format!("it belongs to the connected account {account}").into()),
        (None, other_version) => match (of_other_installation(&event.kind, &event.data.object, owner), other_version) {
            (Some(foreign), _) => EventContent::Foreign(foreign),
            (None, Some(_)) => EventContent::Update(update_from_ids(&event.kind, &event.data.object)),
            (None, None) => content_of(&event.kind, event.data.object, created_at, owner)?,
        },
    };
    let (update, foreign) = match content {
        EventContent::Update(update) => (update, None),
        EventContent::Foreign(foreign) => (ProviderUpdate::Nothing, Some(foreign)),
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

/// API version of an event, if it is not of a known release train.
fn other_version(version: Option<&str>) -> Option<String> {
    let version = version.filter(|it| !it.is_empty());
    let train = version.and_then(|it| it.split_once('.')).map(|(_, train)| train);
    let is_known = train.is_some_and(|it| KNOWN_TRAINS.contains(&it));
    (!is_known).then(|| version.unwrap_or("(none)").chars().take(VERSION_CHARS_MAX).collect())
}

/// Content of an event.
enum EventContent {
    Update(ProviderUpdate),
    /// The event's object cannot belong to an order of this installation.
    Foreign(ForeignEvent),
}

/// Marks an event as foreign if its object names another installation, in any API version.
fn of_other_installation(kind: &str, object: &Value, owner: Owner) -> Option<ForeignEvent> {
    let reason = other_installation_reason(owner.other_installation_of(object)?);
    Some(ForeignEvent { reason, intent: intent_of(kind, object) })
}

/// Reads the content of an event by its type ("Types of events"). The events of a PaymentIntent decide about its
/// payment; most events of its charges add nothing and are ignored.
fn content_of(kind: &str, object: Value, created_at: Timestamp, owner: Owner) -> Result<EventContent, WebhookError> {
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
    if let Some(action) = kind.strip_prefix("charge.dispute.") {
        return read(kind, object, |it: &objects::Dispute| {
            let Some(mut dispute) = dispute_of(it)? else { return Ok(None) };
            // Balance transactions outrank the type: perhaps only a part was reinstated.
            if it.balance_transactions.is_empty() {
                dispute.withdrawn |= action == "funds_withdrawn";
                dispute.reinstated |= action == "funds_reinstated";
            }
            Ok(Some(ProviderUpdate::Dispute(Box::new(dispute))))
        });
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(|it| it.replace('\0', ""));
    let reason = match kind {
        "radar.early_fraud_warning.created" => text("fraud_type"),
        "review.opened" => text("reason"),
        "review.closed" => text("closed_reason"),
        _ => None,
    };
    Ok(EventContent::Update(match update_from_ids(kind, &object) {
        ProviderUpdate::Notice { intent, kind, .. } => ProviderUpdate::Notice { intent, kind, reason },
        update @ (ProviderUpdate::Intent(_)
        | ProviderUpdate::Refund(_)
        | ProviderUpdate::Dispute(_)
        | ProviderUpdate::Proceeds(_)
        | ProviderUpdate::ReadRequired(_)
        | ProviderUpdate::Balance
        | ProviderUpdate::Nothing) => update,
    }))
}

fn is_refund(kind: &str) -> bool {
    ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"].contains(&kind)
}

/// Reads the object of an event. An object of unknown status or shape leads to a read from Stripe; an object that no
/// order can have is foreign.
fn read<T: DeserializeOwned>(
    kind: &str,
    object: Value,
    update: impl FnOnce(&T) -> Result<Option<ProviderUpdate>, Unreadable>,
) -> Result<EventContent, WebhookError> {
    let from_ids = update_from_ids(kind, &object);
    let problem = match serde_json::from_value::<T>(object) {
        Ok(object) => match update(&object) {
            Ok(update) => return Ok(EventContent::Update(update.unwrap_or(ProviderUpdate::Nothing))),
            Err(Unreadable::Foreign(reason)) => return Ok(EventContent::Foreign(reason.into())),
            Err(problem @ Unreadable::Status(_)) => problem.to_string(),
        },
        Err(_) if from_ids == ProviderUpdate::Nothing => {
            return Err(unreadable(&"the event's object does not have the fields of its type"));
        }
        Err(problem) => problem.to_string(),
    };
    tracing::warn!(
        event_type = kind,
        problem,
        "an event's object cannot be used; the object is read from Stripe instead"
    );
    Ok(EventContent::Update(from_ids))
}

/// Id of the PaymentIntent that an event's object is, or to which it belongs.
fn intent_of(kind: &str, object: &Value) -> Option<IntentId> {
    let name = if kind.starts_with("payment_intent.") { "id" } else { "payment_intent" };
    let id = object.get(name).and_then(|it| it.as_str().or_else(|| it.get("id").and_then(Value::as_str)));
    id.and_then(|it| IntentId::new(it).ok())
}

/// Update that follows from an event's type and ids alone.
fn update_from_ids(kind: &str, object: &Value) -> ProviderUpdate {
    let of_intent =
        |update: &dyn Fn(IntentId) -> ProviderUpdate| intent_of(kind, object).map_or(ProviderUpdate::Nothing, update);
    let notice = |kind| of_intent(&|intent| ProviderUpdate::Notice { intent, kind, reason: None });
    match kind {
        // The charge has the sum of its refunds but not the refunds, or says that an authorization has expired: Stripe
        // must be read.
        "charge.refunded" | "charge.expired" => of_intent(&ProviderUpdate::ReadRequired),
        // The fee is known once the charge has its balance transaction. A bank debit has it before it succeeds.
        "charge.updated" | "charge.captured" | "charge.succeeded"
            if object.get("balance_transaction").is_some_and(|it| !it.is_null()) =>
        {
            of_intent(&ProviderUpdate::Proceeds)
        }
        "radar.early_fraud_warning.created" => notice(NoticeKind::EarlyFraudWarning),
        "review.opened" => notice(NoticeKind::UnderReview),
        "review.closed" => notice(NoticeKind::ReviewClosed),
        _ if kind.starts_with("payment_intent.") || kind.starts_with("charge.dispute.") || is_refund(kind) => {
            of_intent(&ProviderUpdate::ReadRequired)
        }
        _ if kind.starts_with("payout.") || kind == "balance.available" => ProviderUpdate::Balance,
        _ => ProviderUpdate::Nothing,
    }
}
