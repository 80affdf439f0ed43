//! State of the twin: its objects, its events and its saved answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::objects::{
    BalanceTransaction, Charge, Customer, Dispute, Event, Intent, PaymentMethod, Refund, SetupIntent, WebhookEndpoint,
};

/// Lifetime of an authorization, in seconds: 7 days.
pub(crate) const AUTHORIZATION_SECONDS: i64 = 7 * 24 * 3600;

/// State of the twin. Only requests change it, as they would change Stripe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Twin {
    pub(crate) intents: BTreeMap<String, Intent>,
    pub(crate) charges: BTreeMap<String, Charge>,
    pub(crate) balance_transactions: BTreeMap<String, BalanceTransaction>,
    pub(crate) refunds: BTreeMap<String, Refund>,
    pub(crate) disputes: BTreeMap<String, Dispute>,
    pub(crate) customers: BTreeMap<String, Customer>,
    pub(crate) payment_methods: BTreeMap<String, PaymentMethod>,
    pub(crate) setup_intents: BTreeMap<String, SetupIntent>,
    pub(crate) endpoints: BTreeMap<String, WebhookEndpoint>,
    /// Events, the oldest first.
    pub(crate) events: Vec<Event>,
    /// Saved answers, by idempotency key.
    pub(crate) answers: BTreeMap<String, SavedAnswer>,
    /// Number of ids drawn so far. Ids are derived from it, so that a run can be repeated.
    pub(crate) drawn: u64,
    /// Earliest time at which a key or an authorization can expire; before it there is nothing to check.
    #[serde(skip)]
    pub(crate) quiet_until: i64,
    #[serde(skip)]
    pub(crate) cause: Cause,
}

/// Request that causes the events being emitted; empty if the twin acts by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cause {
    pub(crate) request: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// Answer that is saved under an idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedAnswer {
    pub(crate) path: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request: String,
    pub(crate) at: i64,
}

impl Twin {
    /// Every event, the oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Adds an event that the present request causes.
    pub(crate) fn emit(&mut self, kind: &str, object: Value, now: i64) {
        let event = Event {
            id: self.draw("evt_"),
            kind: kind.to_owned(),
            created: now,
            object,
            idempotency_key: self.cause.idempotency_key.clone(),
            request: self.cause.request.clone(),
        };
        self.events.push(event);
    }

    /// Draws a new id: 24 characters of the digest of a counter, so that the same run gives the same ids.
    pub(crate) fn draw(&mut self, prefix: &str) -> String {
        self.drawn += 1;
        let digest = Sha256::digest(format!("twin {}", self.drawn));
        format!("{prefix}{}", hex::encode(digest).chars().take(24).collect::<String>())
    }

    /// Registered webhook endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &WebhookEndpoint> {
        self.endpoints.values()
    }

    /// Registers a webhook endpoint, or replaces the one with the same id.
    pub fn register(&mut self, endpoint: WebhookEndpoint) {
        self.endpoints.insert(endpoint.id.clone(), endpoint);
    }

    /// Schedules a check for expired keys and authorizations.
    pub(crate) fn expire_at(&mut self, time: i64) {
        self.quiet_until = self.quiet_until.min(time);
    }

    /// Schedules the expiry of an authorization made at `now`.
    pub(crate) fn watch_authorization(&mut self, now: i64) {
        self.expire_at(now + AUTHORIZATION_SECONDS);
    }
}
