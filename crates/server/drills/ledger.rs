//! What callers wanted and what they were answered, to be held against what is there afterwards.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::program::Answer;

/// What a call is to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An order with this mark in its metadata.
    Order { mark: String },
    /// The intent to pay an order by.
    Intent { order: String },
    /// That an order is known to be paid.
    Payment { order: String },
    /// A refund of so many minor units, of which the order has one at most.
    Refund { order: String, amount: i64 },
}

/// What a caller learned from the last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is done; the id of what was made.
    Done { id: String },
    /// A refusal: nothing was changed.
    NothingChanged { code: String },
    /// No answer, or one that leaves it open.
    Unknown { code: String },
}

/// A process that stops or has no store, and a Stripe that was not asked, did nothing; of all others it is open.
const NOTHING_CHANGED: [&str; 3] = ["store_unavailable", "shutting_down", "payment_provider_busy"];

impl Told {
    /// Reads an answer, if one came whole.
    pub(crate) fn by(answer: Option<&Answer>) -> Self {
        let Some(answer) = answer else { return Self::Unknown { code: "no answer".to_owned() } };
        let code = answer.code().to_owned();
        match answer.status {
            200..=299 => Self::Done { id: answer.body["data"]["id"].as_str().unwrap_or_default().to_owned() },
            400..=499 => Self::NothingChanged { code },
            502 | 503 if NOTHING_CHANGED.contains(&code.as_str()) => Self::NothingChanged { code },
            502 | 503 => Self::Unknown { code },
            _ => panic!("an answer that should never be given: {answer:?}"),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// Whether a client would see a failure: no answer, or one that says to come again.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Done { .. } => false,
            Self::NothingChanged { code } => NOTHING_CHANGED.contains(&code.as_str()),
            Self::Unknown { .. } => true,
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) wanted: Wanted,
    pub(crate) told: Told,
    /// The `Idempotency-Key` under which it was repeated until it was answered.
    pub(crate) key: Option<String>,
    pub(crate) answered: Instant,
}

impl Entry {
    /// The order that it is about, where that is known.
    fn order(&self) -> Option<&str> {
        match (&self.wanted, &self.told) {
            (Wanted::Order { .. }, Told::Done { id }) => Some(id),
            (Wanted::Order { .. }, Told::NothingChanged { .. } | Told::Unknown { .. }) => None,
            (Wanted::Intent { order } | Wanted::Payment { order } | Wanted::Refund { order, .. }, _) => Some(order),
        }
    }
}

/// All calls of a drill.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
}

impl Ledger {
    pub(crate) fn record(&self, wanted: Wanted, told: Told, key: Option<String>) {
        let entry = Entry { wanted, told, key, answered: Instant::now() };
        self.entries.lock().unwrap().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// How many calls failed for their callers.
    pub(crate) fn failures(&self) -> usize {
        self.entries.lock().unwrap().iter().filter(|it| it.told.is_failure()).count()
    }

    /// Leaves out what was answered since a moment about orders that are not `kept`.
    pub(crate) fn forget_since(&self, moment: Instant, kept: impl Fn(&str) -> bool) {
        self.entries.lock().unwrap().retain(|it| it.answered < moment || it.order().is_some_and(&kept));
    }

    /// How many calls of a kind were acknowledged so far.
    pub(crate) fn acknowledged(&self, kind: fn(&Wanted) -> bool) -> usize {
        self.entries.lock().unwrap().iter().filter(|it| it.told.is_done() && kind(&it.wanted)).count()
    }

    /// How long after `moment` the first call of a kind was acknowledged.
    pub(crate) fn acknowledged_after(&self, moment: Instant, kind: fn(&Wanted) -> bool) -> Option<Duration> {
        let entries = self.entries.lock().unwrap();
        let later = entries.iter().filter(|it| it.told.is_done() && kind(&it.wanted));
        later.filter_map(|it| it.answered.checked_duration_since(moment)).min()
    }
}

/// A placement.
pub(crate) fn placement(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Order { .. })
}

/// A payment intent: Stripe was asked for it.
pub(crate) fn intent(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Intent { .. })
}
