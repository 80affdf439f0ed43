//! State of the twin: its objects, its events and its saved answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::body::Body;
use crate::collection::{Collection, Stored};
use crate::objects::{
    BalanceTransaction, Charge, Customer, Dispute, EphemeralKey, Event, Intent, PaymentMethod, Payout, Refund,
    SetupIntent, Snapshot, WebhookEndpoint,
};

/// Lifetime of an authorization, in seconds: 7 days.
pub(crate) const AUTHORIZATION_SECONDS: i64 = 7 * 24 * 3600;

/// Form of the state file that this version reads and writes.
#[cfg(feature = "server")]
pub(crate) const FORM: u32 = 2;

/// State of the twin. Only requests change it, as they would change Stripe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Twin {
    pub(crate) intents: Collection<Intent>,
    pub(crate) charges: Collection<Charge>,
    pub(crate) balance_transactions: Collection<BalanceTransaction>,
    #[serde(default)]
    pub(crate) payouts: Collection<Payout>,
    pub(crate) refunds: Collection<Refund>,
    pub(crate) disputes: Collection<Dispute>,
    pub(crate) customers: Collection<Customer>,
    pub(crate) ephemeral_keys: Collection<EphemeralKey>,
    pub(crate) payment_methods: Collection<PaymentMethod>,
    pub(crate) setup_intents: Collection<SetupIntent>,
    pub(crate) endpoints: Collection<WebhookEndpoint>,
    pub(crate) events: Collection<Event>,
    /// Saved answers, by idempotency key, the oldest first.
    pub(crate) answers: Collection<SavedAnswer>,
    #[serde(default)]
    pub(crate) account: Account,
    /// Number of ids drawn so far. Ids are derived from it, so that a run can be repeated.
    pub(crate) drawn: u64,
    /// Earliest time at which something happens by itself: a key or an authorization expires, or a payout changes.
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
    /// Host and port under which the client reached the twin.
    pub(crate) host: Option<String>,
    /// Time at which the request was received, in seconds since 1970.
    pub(crate) at: i64,
}

/// Answer that is saved under an idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedAnswer {
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: Arc<Body>,
    pub(crate) request: String,
    pub(crate) at: i64,
}

impl Stored for SavedAnswer {
    fn id(&self) -> &str {
        &self.key
    }
}

impl Twin {
    /// Every event, the oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    /// Position of the next event, for [`Self::events_from`].
    pub fn next_event(&self) -> u64 {
        self.events.next_number()
    }

    /// Events from a position on, the oldest first.
    pub fn events_from(&self, position: u64) -> impl Iterator<Item = &Event> {
        self.events.since_number(position)
    }

    /// Adds an event that the present request causes.
    pub(crate) fn emit(&mut self, kind: &str, object: impl Into<Snapshot>, now: i64) {
        self.emit_change(kind, None, object.into(), now);
    }

    /// Adds an event of a change, with the object before it, unless nothing has changed.
    pub(crate) fn emit_updated(
        &mut self,
        kind: &str,
        before: impl Into<Snapshot>,
        object: impl Into<Snapshot>,
        now: i64,
    ) {
        let (before, object) = (before.into(), object.into());
        if before != object {
            self.emit_change(kind, Some(before), object, now);
        }
    }

    fn emit_change(&mut self, kind: &str, previous: Option<Snapshot>, object: Snapshot, now: i64) {
        let endpoints = self.endpoints.iter().filter(|it| it.is_enabled_for(kind));
        let pending = endpoints.map(|it| it.id.clone()).collect();
        let event = Event {
            id: self.draw("evt_"),
            kind: kind.to_owned(),
            created: now,
            object,
            previous,
            idempotency_key: self.cause.idempotency_key.clone(),
            request: self.cause.request.clone(),
            pending,
        };
        self.events.insert(event);
    }

    /// Draws a new id: 24 hexadecimal digits that follow from a counter, so that the same run gives the same ids.
    pub(crate) fn draw(&mut self, prefix: &str) -> String {
        self.drawn += 1;
        let (first, second) = (mix(self.drawn), mix(!self.drawn));
        let mut id = String::with_capacity(prefix.len() + 24);
        id.push_str(prefix);
        for at in 0..12 {
            push_digit(&mut id, first >> (4 * at));
            push_digit(&mut id, second >> (4 * at));
        }
        id
    }

    /// Registered webhook endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &WebhookEndpoint> {
        self.endpoints.iter()
    }

    /// Registers a webhook endpoint, or replaces the one with the same id.
    pub fn register(&mut self, endpoint: WebhookEndpoint) {
        self.endpoints.insert(endpoint);
    }

    /// Books a movement of the balance.
    pub(crate) fn book(&mut self, row: BalanceTransaction) {
        if self.account.next_payouts.is_some() {
            self.check_at(row.created);
        }
        self.balance_transactions.insert(row);
    }

    /// Schedules a check for what happens by itself.
    pub(crate) fn check_at(&mut self, time: i64) {
        self.quiet_until = self.quiet_until.min(time);
    }

    /// Schedules the expiry of an authorization made at `now`.
    pub(crate) fn watch_authorization(&mut self, now: i64) {
        self.check_at(now + AUTHORIZATION_SECONDS);
    }
}

/// Finalizer of `SplitMix64`: each number has another result, which looks random.
fn mix(number: u64) -> u64 {
    let it = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// Adds the lowest four bits of a number as a hexadecimal digit.
fn push_digit(text: &mut String, number: u64) {
    text.push(u32::try_from(number % 16).ok().and_then(|it| char::from_digit(it, 16)).unwrap_or('0'));
}
