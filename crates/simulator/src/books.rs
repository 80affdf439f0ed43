//! Books of the run: what callers did and were answered. The invariants compare them with the store and with Stripe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paywright_app::{Lease, LeasedTask, TaskRelease};
use paywright_domain::task::TaskKey;
use paywright_domain::{IntentId, OrderId, Timestamp};
use uuid::Uuid;

use crate::feed_books::FeedBooks;
use crate::invariants::Checked;
use crate::kept_books::KeptBooks;

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the invariant: `I1` to `I7`, or one of those that the simulator adds (`docs/proof.md`).
    pub invariant: &'static str,
    /// Sentence that says how it is broken.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

impl Violation {
    pub(crate) const fn of(invariant: &'static str, detail: String) -> Self {
        Self { invariant, detail }
    }
}

/// Record of the callers' requests and of their answers.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Order of the run, once a caller has got its id.
    pub(crate) order: Option<OrderId>,
    /// Orders whose placement was answered with success.
    pub(crate) confirmed_orders: BTreeSet<OrderId>,
    /// Ids of the events whose webhooks were answered with success.
    pub(crate) acknowledged_events: BTreeSet<String>,
    /// Intent that the customer's page shows.
    pub(crate) shown: Option<IntentId>,
    /// Idempotency keys of the requests to place an order.
    pub(crate) placements: BTreeSet<String>,
    /// Idempotency keys of the requests for a refund.
    pub(crate) refunds: BTreeSet<String>,
    /// Refunds that were answered with success, by number, with the requested amount.
    pub(crate) confirmed_refunds: BTreeMap<(OrderId, u32), i64>,
    /// Number of requests to accept a payment.
    pub(crate) acceptances: usize,
    /// Number of requests to close a refund.
    pub(crate) closings: usize,
    /// Whether another program has changed an intent's amount or currency, or has had money paid for the order.
    pub(crate) changed_elsewhere: bool,
    /// Whether an event was sent that Stripe did not create.
    pub(crate) is_forged: bool,
    /// Intent that paid each order, as first observed.
    pub(crate) paid_by: BTreeMap<OrderId, IntentId>,
    /// Leases on tasks.
    pub(crate) leases: Leases,
    /// The feed, the deliveries, and what was received.
    pub(crate) feed: FeedBooks,
    /// The double-entry books.
    pub(crate) kept: KeptBooks,
    /// Violation found outside the checks: an untrue answer, or a step without progress.
    pub(crate) broken: Option<Violation>,
    /// Effects of restores from a backup; `None` before the first.
    pub(crate) restored: Option<Restored>,
}

/// Effects of restores from a backup.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// Whether a recovery was run after every restore.
    pub(crate) is_recovered: bool,
    /// Intents that had paid orders which are unpaid or missing in the backup.
    pub(crate) paid_before: BTreeMap<OrderId, IntentId>,
    /// Whether a restore lost an edit: Stripe's intent may have another amount than the order, until the next edit.
    pub(crate) is_edit_lost: bool,
    /// Whether a restore ever lost an edit.
    pub(crate) was_edit_lost: bool,
}

impl Books {
    /// Notes a violation found outside the checks.
    pub(crate) fn note(&mut self, checked: Checked) {
        if let Err(broken) = checked {
            self.broken.get_or_insert(broken);
        }
    }

    /// Whether Stripe's intent may have another amount than the order because a restore lost an edit.
    pub(crate) fn is_edit_lost(&self) -> bool {
        self.restored.as_ref().is_some_and(|it| it.is_edit_lost)
    }

    /// Whether a restore ever lost an edit.
    pub(crate) fn has_lost_an_edit(&self) -> bool {
        self.restored.as_ref().is_some_and(|it| it.was_edit_lost)
    }
}

/// Leases on tasks, as their holders see them.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: BTreeMap<(OrderId, TaskKey), (Uuid, u32, Timestamp)>,
    pub(crate) broken: Option<Violation>,
}

impl Leases {
    /// Records that a task was leased; a violation if another lease on it has not expired.
    pub(crate) fn take(&mut self, lease: &Lease, task: &LeasedTask) {
        let key = (task.order, task.task.key());
        if let Some((_, _, until)) = self.held.get(&key).filter(|(_, _, until)| *until > lease.now) {
            let detail =
                format!("{} was leased to a second worker while the first holds its lease until {until}", key.1);
            self.broken = Some(Violation::of("lease", detail));
        }
        self.held.insert(key, (lease.owner, task.taken, lease.until));
    }

    /// Drops all leases: every process is dead.
    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    /// Records that a holder releases its task.
    pub(crate) fn end(&mut self, release: &TaskRelease) {
        let key = (release.order, release.key.clone());
        if self.held.get(&key).is_some_and(|(owner, taken, _)| (*owner, *taken) == (release.owner, release.taken)) {
            self.held.remove(&key);
        }
    }
}
