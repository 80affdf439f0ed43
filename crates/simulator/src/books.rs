//! What everybody in the world has done and was told: what the invariants are held against beside the store and
//! Stripe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paywright_app::{Lease, LeasedTask, TaskRelease};
use paywright_domain::{IntentId, OrderId, TaskKey, Timestamp};
use uuid::Uuid;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` to `I7`, or one of those that the simulator adds (`docs/proof.md`).
    pub invariant: &'static str,
    /// What is not so.
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

/// What was done and told.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// The order that everybody is about, once somebody was told of it.
    pub(crate) order: Option<OrderId>,
    /// Every order that a caller was told is there.
    pub(crate) told_orders: BTreeSet<OrderId>,
    /// Every message that Stripe was told is taken.
    pub(crate) told_messages: BTreeSet<String>,
    /// The intent that a customer's page was told last.
    pub(crate) shown: Option<IntentId>,
    /// How many orders were wanted, by the keys of the requests.
    pub(crate) placements: BTreeSet<String>,
    /// How many refunds were wanted, by the keys of the requests.
    pub(crate) refunds: BTreeSet<String>,
    /// The refunds that callers were told of, by their numbers, with the amount that was asked for.
    pub(crate) told_refunds: BTreeMap<(OrderId, u32), i64>,
    /// Whether somebody else has changed what an intent asks for, or had money paid for the order.
    pub(crate) is_meddled_with: bool,
    /// Whether somebody has sent an event that Stripe has not made.
    pub(crate) is_forged: bool,
    /// What paid each order, as it was seen first.
    pub(crate) paid_by: BTreeMap<OrderId, IntentId>,
    /// Who is at which task.
    pub(crate) leases: Leases,
    /// What somebody found who was told something untrue.
    pub(crate) broken: Option<Violation>,
    /// What a restore from a backup has changed of all this; `None` before the first.
    pub(crate) restored: Option<Restored>,
}

/// What became of the books with a restore from a backup.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// Whether what Stripe has was taken in after every restore.
    pub(crate) is_recovered: bool,
    /// What had paid an order that the backup has as unpaid, or has not.
    pub(crate) paid_before: BTreeMap<OrderId, IntentId>,
    /// Whether an edit was lost: Stripe may ask for something else than the order is, until it is edited again.
    pub(crate) is_edit_lost: bool,
    /// Whether that was so at any time.
    pub(crate) was_edit_lost: bool,
}

impl Books {
    /// Whether Stripe may ask for something else than the order is, for an edit that a restore has lost.
    pub(crate) fn is_edit_lost(&self) -> bool {
        self.restored.as_ref().is_some_and(|it| it.is_edit_lost)
    }

    /// Whether that was so at any time.
    pub(crate) fn has_lost_an_edit(&self) -> bool {
        self.restored.as_ref().is_some_and(|it| it.was_edit_lost)
    }
}

/// Who is at which task, as those know who were given it.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: BTreeMap<(OrderId, TaskKey), (Uuid, u32, Timestamp)>,
    pub(crate) broken: Option<Violation>,
}

impl Leases {
    /// Somebody was given a task.
    pub(crate) fn take(&mut self, lease: &Lease, task: &LeasedTask) {
        let key = (task.order, task.task.key());
        if let Some((_, _, until)) = self.held.get(&key).filter(|(_, _, until)| *until > lease.now) {
            let detail = format!("{} was given to a second worker while the first holds it until {until}", key.1);
            self.broken = Some(Violation::of("lease", detail));
        }
        self.held.insert(key, (lease.owner, task.taken, lease.until));
    }

    /// Everybody who was given a task is dead.
    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    /// Whoever was given a task lets go of it.
    pub(crate) fn end(&mut self, release: &TaskRelease) {
        let key = (release.order, release.key.clone());
        if self.held.get(&key).is_some_and(|(owner, taken, _)| (*owner, *taken) == (release.owner, release.taken)) {
            self.held.remove(&key);
        }
    }
}
