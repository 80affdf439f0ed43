//! Objects that the twin stores, and their JSON as Stripe renders it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::amount_details::AmountDetails;
use crate::card_options::CardOptions;

/// API version in which objects are rendered.
pub(crate) const API_VERSION: &str = "2026-05-27.dahlia";

/// Sets a field of a JSON object.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

pub(crate) type Metadata = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) client_secret: String,
    pub(crate) amount: i64,
    pub(crate) amount_capturable: i64,
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) capture_method: String,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) automatic_payment_methods: bool,
    pub(crate) customer: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) latest_charge: Option<String>,
    pub(crate) last_payment_error: Option<Value>,
    pub(crate) next_action: Option<Value>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) authorized_at: Option<i64>,
    pub(crate) description: Option<String>,
    pub(crate) receipt_email: Option<String>,
    pub(crate) setup_future_usage: Option<String>,
    pub(crate) return_url: Option<String>,
    #[serde(default)]
    pub(crate) card_options: CardOptions,
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) amount_details: AmountDetails,
    pub(crate) created: i64,
}

impl Intent {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.amount_capturable,
            "amount_details": self.amount_details.to_json(),
            "amount_received": self.amount_received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods":
                self.automatic_payment_methods.then(|| json!({ "allow_redirects": "always", "enabled": true })),
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            // A field of older API versions, like `source` below, for clients that still read it.
            "invoice": null,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": self.card_options.of_types(&self.payment_method_types),
            "payment_method_types": self.payment_method_types,
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": self.setup_future_usage,
            "shipping": null,
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": null,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) amount_captured: i64,
    pub(crate) amount_refunded: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) captured: bool,
    pub(crate) disputed: bool,
    pub(crate) payment_method: String,
    pub(crate) customer: Option<String>,
    pub(crate) balance_transaction: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) created: i64,
    /// Copy of the intent's metadata at the time the charge was created ("Metadata").
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Charge {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount_captured,
            "amount_refunded": self.amount_refunded,
            "balance_transaction": self.balance_transaction,
            "billing_details": {},
            "captured": self.captured,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "disputed": self.disputed,
            "failure_code": self.failure_code,
            "failure_message": self.failure_message,
            "livemode": false,
            "metadata": self.metadata,
            "outcome": null,
            "paid": self.status == "succeeded",
            "payment_intent": self.intent,
            "payment_method": self.payment_method,
            "receipt_url": null,
            "refunded": self.amount_captured > 0 && self.amount_refunded == self.amount_captured,
            "status": self.status,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BalanceTransaction {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) kind: String,
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) currency: String,
    pub(crate) created: i64,
}

impl BalanceTransaction {
    pub(crate) fn to_json(&self) -> Value {
        let details = if self.fee == 0 {
            json!([])
        } else {
            json!([{ "amount": self.fee, "application": null, "currency": self.currency,
                "description": "Stripe processing fees", "type": "stripe_fee" }])
        };
        json!({
            "id": self.id,
            "object": "balance_transaction",
            "amount": self.amount,
            "available_on": self.created,
            "created": self.created,
            "currency": self.currency,
            "description": null,
            "exchange_rate": null,
            "fee": self.fee,
            "fee_details": details,
            "net": self.amount - self.fee,
            "reporting_category": self.kind,
            "source": self.source,
            "status": "available",
            "type": self.kind,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) balance_transaction: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl Refund {
    pub(crate) fn to_json(&self) -> Value {
        let mut refund = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": self.balance_transaction,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "status": self.status,
        });
        if let Some(reason) = &self.failure_reason {
            set(&mut refund, "failure_reason", json!(reason));
        }
        refund
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    /// Amounts withdrawn from the balance (negative) and reinstated (positive) because of the dispute, in order.
    #[serde(default)]
    pub(crate) movements: Vec<i64>,
    pub(crate) created: i64,
}

impl Dispute {
    /// Time for submitting evidence: a week.
    const DUE_SECONDS: i64 = 7 * 24 * 3600;

    /// Whether the bank has not decided yet.
    pub(crate) fn is_open(&self) -> bool {
        self.status == "needs_response" || self.status == "under_review"
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": self.movements.iter().map(|it| json!({ "amount": it })).collect::<Vec<_>>(),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "evidence": {},
            "evidence_details": { "due_by": self.created + Self::DUE_SECONDS, "has_evidence": false,
                "past_due": false, "submission_count": 0 },
            "is_charge_refundable": false,
            "livemode": false,
            "metadata": {},
            "payment_intent": self.intent,
            "reason": "fraudulent",
            "status": self.status,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) deleted: bool,
    pub(crate) created: i64,
}

impl Customer {
    pub(crate) fn to_json(&self) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        json!({
            "id": self.id,
            "object": "customer",
            "created": self.created,
            "description": self.description,
            "email": self.email,
            "livemode": false,
            "metadata": self.metadata,
            "name": self.name,
            "phone": self.phone,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PaymentMethod {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) customer: Option<String>,
    pub(crate) detached: bool,
    pub(crate) created: i64,
}

impl PaymentMethod {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "payment_method",
            "billing_details": {},
            "card": { "brand": self.brand, "exp_month": 12, "exp_year": 2034, "funding": "credit",
                "last4": self.last4, "country": "US", "wallet": null },
            "created": self.created,
            "customer": self.customer,
            "livemode": false,
            "metadata": {},
            "type": "card",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SetupIntent {
    pub(crate) id: String,
    pub(crate) client_secret: String,
    pub(crate) status: String,
    pub(crate) usage: String,
    pub(crate) customer: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl SetupIntent {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "setup_intent",
            "client_secret": self.client_secret,
            "created": self.created,
            "customer": self.customer,
            "last_setup_error": null,
            "latest_attempt": null,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": null,
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "status": self.status,
            "usage": self.usage,
        })
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
    pub object: Value,
    /// Idempotency key of the request that caused the event.
    pub idempotency_key: Option<String>,
    /// Id of the request that caused the event (`req_…`); `None` if the twin acted by itself.
    pub request: Option<String>,
}

impl Event {
    /// The event as JSON, as Stripe renders it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": { "object": self.object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": self.request, "idempotency_key": self.idempotency_key },
            "type": self.kind,
        })
    }
}

/// A webhook endpoint to which events are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// Id of the endpoint (`we_…`).
    pub id: String,
    /// URL to which events are posted.
    pub url: String,
    /// Secret with which deliveries are signed (`whsec_…`).
    pub secret: String,
    /// Event types that are delivered; `*` for all.
    pub enabled_events: Vec<String>,
}

impl WebhookEndpoint {
    #[cfg(feature = "server")]
    pub(crate) fn is_enabled_for(&self, kind: &str) -> bool {
        self.enabled_events.iter().any(|it| it == "*" || it == kind)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "id": self.id, "object": "webhook_endpoint", "url": self.url, "livemode": false,
            "enabled_events": self.enabled_events, "status": "enabled" })
    }
}
