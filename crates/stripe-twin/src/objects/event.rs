use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    API_VERSION, Charge, Customer, Dispute, Intent, Metadata, PaymentMethod, Payout, Refund, SetupIntent, set,
};

/// An object as it was when an event was created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Snapshot {
    Intent(Box<Intent>),
    Charge(Box<Charge>),
    Refund(Box<Refund>),
    Dispute(Box<Dispute>),
    Customer(Box<Customer>),
    PaymentMethod(Box<PaymentMethod>),
    SetupIntent(Box<SetupIntent>),
    Payout(Box<Payout>),
}

macro_rules! snapshot {
    ($($kind:ident),*) => { $(impl From<&$kind> for Snapshot {
        fn from(object: &$kind) -> Self {
            Self::$kind(Box::new(object.clone()))
        }
    }

    impl From<$kind> for Snapshot {
        fn from(object: $kind) -> Self {
            Self::$kind(Box::new(object))
        }
    })* };
}

snapshot!(Intent, Charge, Refund, Dispute, Customer, PaymentMethod, SetupIntent, Payout);

impl Snapshot {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Intent(it) => it.to_json(),
            Self::Charge(it) => it.to_json(),
            Self::Refund(it) => it.to_json(),
            Self::Dispute(it) => it.to_json(),
            Self::Customer(it) => it.to_json(),
            Self::PaymentMethod(it) => it.to_json(),
            Self::SetupIntent(it) => it.to_json(),
            Self::Payout(it) => it.to_json(),
        }
    }
}

/// A Stripe event, as it is listed and delivered to webhook endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Id of the event (`evt_…`).
    pub id: String,
    /// Type of the event, like `payment_intent.succeeded`.
    pub kind: String,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// The object as it was when the event was created.
    pub(crate) object: Snapshot,
    /// The object before the change, for types that end with `.updated`, and for `charge.refunded`.
    pub(crate) previous: Option<Snapshot>,
    /// Idempotency key of the request that caused the event.
    pub idempotency_key: Option<String>,
    /// Id of the request that caused the event (`req_…`); `None` if the twin acted by itself.
    pub request: Option<String>,
    /// Ids of the webhook endpoints that have not received the event.
    #[serde(default)]
    pub(crate) pending: Vec<String>,
}

impl Event {
    /// The event as JSON, as Stripe renders it.
    pub fn to_json(&self) -> Value {
        let object = self.object.to_json();
        let mut data = Map::new();
        if let Some(previous) = &self.previous {
            data.insert("previous_attributes".to_owned(), changed(&previous.to_json(), &object));
        }
        data.insert("object".to_owned(), object);
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": data,
            "livemode": false,
            "pending_webhooks": self.pending.len(),
            "request": { "id": self.request, "idempotency_key": self.idempotency_key },
            "type": self.kind,
        })
    }
}

/// Fields of `before` that differ in `after`, with their values before; a field that is new has the value null.
fn changed(before: &Value, after: &Value) -> Value {
    let mut fields = Map::new();
    for (name, old) in before.as_object().into_iter().flatten() {
        match after.get(name) {
            Some(new) if new == old => {}
            Some(new) if old.is_object() && new.is_object() => {
                fields.insert(name.clone(), changed(old, new));
            }
            Some(_) | None => {
                fields.insert(name.clone(), old.clone());
            }
        }
    }
    let new = after.as_object().into_iter().flatten().filter(|(name, _)| before.get(name.as_str()).is_none());
    fields.extend(new.map(|(name, _)| (name.clone(), Value::Null)));
    Value::Object(fields)
}

/// A webhook endpoint to which events are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// Id of the endpoint (`we_…`).
    pub id: String,
    /// URL to which events are posted.
    pub url: String,
    /// Secret with which deliveries are signed (`whsec_…`).
    pub secret: String,
    /// API version that the endpoint was created with; `None` for that of the account. The twin renders events in one
    /// version only.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Event types that are delivered; `*` for all.
    pub enabled_events: Vec<String>,
    /// Description for people.
    pub description: Option<String>,
    /// Whether nothing is delivered to the endpoint.
    pub disabled: bool,
    /// Metadata, as written by the program that registered the endpoint.
    pub metadata: Metadata,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
}

impl WebhookEndpoint {
    /// Whether events of a type are delivered to the endpoint.
    pub(crate) fn is_enabled_for(&self, kind: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|it| it == "*" || it == kind)
    }

    /// The endpoint as JSON; Stripe shows the secret only at creation.
    pub(crate) fn to_json(&self, with_secret: bool) -> Value {
        let mut json = json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": false,
            "metadata": self.metadata,
            "status": if self.disabled { "disabled" } else { "enabled" },
            "url": self.url,
        });
        if with_secret {
            set(&mut json, "secret", json!(self.secret));
        }
        json
    }
}
