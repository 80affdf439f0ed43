//! Ledger of callers' requests and replies, to be compared with the records afterwards.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::program::Answer;

/// The intended result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An order with this mark in its metadata.
    Order { mark: String },
    /// The payment intent of an order.
    Intent { order: String },
    /// An order that is confirmed as paid.
    Payment { order: String },
    /// A refund of `amount` minor units; an order has at most one of each amount.
    Refund { order: String, amount: i64 },
}

/// The caller's last reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Success, with the id of the object.
    Done { id: String },
    /// A refusal: nothing was changed.
    NothingChanged { code: String },
    /// No answer, or one that says that the outcome is unknown.
    Unknown { code: String },
}

/// Codes with a status of 502 or 503 that say that nothing was changed; with others the outcome is unknown.
const NOTHING_CHANGED: [&str; 3] = ["store_unavailable", "shutting_down", "payment_provider_busy"];

impl Reply {
    /// Interprets an answer; `None` if no complete answer came.
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

    /// Whether a client would see a failure: no answer, or one that says to retry.
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
    pub(crate) reply: Reply,
    /// `Idempotency-Key` under which the call was repeated until it was answered.
    pub(crate) key: Option<String>,
    pub(crate) answered: Instant,
}

impl Entry {
    /// The order of the call, if known.
    fn order(&self) -> Option<&str> {
        match (&self.wanted, &self.reply) {
            (Wanted::Order { .. }, Reply::Done { id }) => Some(id),
            (Wanted::Order { .. }, Reply::NothingChanged { .. } | Reply::Unknown { .. }) => None,
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
    pub(crate) fn record(&self, wanted: Wanted, reply: Reply, key: Option<String>) {
        let entry = Entry { wanted, reply, key, answered: Instant::now() };
        self.entries.lock().unwrap().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// Number of calls that failed for their callers.
    pub(crate) fn failures(&self) -> usize {
        self.entries.lock().unwrap().iter().filter(|it| it.reply.is_failure()).count()
    }

    /// Removes calls that were answered since `moment` and whose orders are not `kept`.
    pub(crate) fn forget_since(&self, moment: Instant, kept: impl Fn(&str) -> bool) {
        self.entries.lock().unwrap().retain(|it| it.answered < moment || it.order().is_some_and(&kept));
    }

    /// Number of acknowledged calls of a kind so far.
    pub(crate) fn acknowledged(&self, kind: fn(&Wanted) -> bool) -> usize {
        self.entries.lock().unwrap().iter().filter(|it| it.reply.is_done() && kind(&it.wanted)).count()
    }

    /// Time from `moment` to the first later acknowledgement of a call of a kind.
    pub(crate) fn acknowledged_after(&self, moment: Instant, kind: fn(&Wanted) -> bool) -> Option<Duration> {
        let entries = self.entries.lock().unwrap();
        let later = entries.iter().filter(|it| it.reply.is_done() && kind(&it.wanted));
        later.filter_map(|it| it.answered.checked_duration_since(moment)).min()
    }
}

/// Whether a call places an order.
pub(crate) fn placement(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Order { .. })
}

/// Whether a call creates a payment intent, which needs Stripe.
pub(crate) fn intent(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Intent { .. })
}
