//! Decisions, the tasks that they lead to, and definite failures of the tasks' requests to Stripe.
//!
//! A program commits a [`Decision`] whole: it deletes the tasks whose keys are in [`Decision::finished`], and stores the
//! order, the facts and the new tasks. Then it performs the tasks, and decides on Stripe's answers.

mod failure;

pub(crate) use self::failure::KEY_EXHAUSTED;
pub use self::failure::{ProviderFailure, ProviderRequest};

use std::fmt;

use crate::intent::IntentRequest;
use crate::{Fact, IntentId, Order, Timestamp};

/// Result of a transition, to be stored in one transaction or not at all. If its order equals the one that was decided on,
/// there is nothing to store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// Order after the transition.
    pub order: Order,
    /// Facts that happened, in this order.
    pub facts: Vec<Fact>,
    /// Tasks to be performed after the commit.
    pub tasks: Vec<Task>,
    /// Keys of earlier tasks that are done or no longer needed.
    pub finished: Vec<TaskKey>,
}

impl Decision {
    /// Decision that changes nothing.
    pub(crate) const fn unchanged(order: Order) -> Self {
        Self { order, facts: Vec::new(), tasks: Vec::new(), finished: Vec::new() }
    }

    /// Sets the time of the order's last change. No other function sets it after the order was placed.
    pub(crate) fn dated(mut self, now: Timestamp) -> Self {
        self.order.data.updated_at = now;
        self
    }

    /// Sets the time of the order's last change if the decision has facts: a later snapshot of the same state is no
    /// change.
    pub(crate) fn dated_by_facts(self, now: Timestamp) -> Self {
        if self.facts.is_empty() { self } else { self.dated(now) }
    }
}

/// Work to be done outside after the commit. A request to Stripe has an idempotency key that follows from task and
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
pub enum Task {
    /// Creates a PaymentIntent.
    CreateIntent {
        /// Request to send.
        request: IntentRequest,
    },
    /// Updates a PaymentIntent to the content that an edit gives the order.
    UpdateIntent {
        /// Number of the operation.
        operation: u32,
    },
    /// Cancels a PaymentIntent.
    CancelIntent {
        /// Number of the operation.
        operation: u32,
    },
    /// Captures an authorized PaymentIntent.
    CaptureIntent {
        /// Number of the operation.
        operation: u32,
    },
    /// Creates a refund, and reads it until it has succeeded or failed.
    Refund {
        /// Number of the refund in its order.
        refund: u32,
    },
    /// Reads a PaymentIntent at intervals until it is terminal, in case a webhook is missed.
    PollIntent {
        /// Id of the PaymentIntent.
        intent: IntentId,
    },
    /// Reads a PaymentIntent from Stripe to confirm the payment that an event reported.
    ConfirmPayment {
        /// Id of the PaymentIntent.
        intent: IntentId,
    },
    /// Records that an authorization is about to end uncaptured.
    WatchAuthorization {
        /// Id of the authorized PaymentIntent.
        intent: IntentId,
    },
    /// Cancels an order that was not paid in time.
    ExpireOrder,
}

/// Key of a task, unique within its order. Two tasks with the same key are the same task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey(String);

impl TaskKey {
    /// Restores a key from a store.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key as a string, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the task's kind.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or(self.as_str(), |(kind, _)| kind)
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kind of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Kind of [`Task::CreateIntent`].
    CreateIntent,
    /// Kind of [`Task::UpdateIntent`].
    UpdateIntent,
    /// Kind of [`Task::CancelIntent`].
    CancelIntent,
    /// Kind of [`Task::CaptureIntent`].
    CaptureIntent,
    /// Kind of [`Task::Refund`].
    Refund,
    /// Kind of [`Task::PollIntent`].
    PollIntent,
    /// Kind of [`Task::ConfirmPayment`].
    ConfirmPayment,
    /// Kind of [`Task::WatchAuthorization`].
    WatchAuthorization,
    /// Kind of [`Task::ExpireOrder`].
    ExpireOrder,
}

variant_names! {
    /// Name of the kind: the part of a task's key before the first colon.
    TaskKind {
        CreateIntent => "create_intent",
        UpdateIntent => "update_intent",
        CancelIntent => "cancel_intent",
        CaptureIntent => "capture_intent",
        Refund => "refund",
        PollIntent => "poll_intent",
        ConfirmPayment => "confirm_payment",
        WatchAuthorization => "watch_authorization",
        ExpireOrder => "expire_order",
    }
}

parsed_by_name! { TaskKind: "a kind of task" }

impl Task {
    /// Kind of the task.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::CreateIntent { .. } => TaskKind::CreateIntent,
            Self::UpdateIntent { .. } => TaskKind::UpdateIntent,
            Self::CancelIntent { .. } => TaskKind::CancelIntent,
            Self::CaptureIntent { .. } => TaskKind::CaptureIntent,
            Self::Refund { .. } => TaskKind::Refund,
            Self::PollIntent { .. } => TaskKind::PollIntent,
            Self::ConfirmPayment { .. } => TaskKind::ConfirmPayment,
            Self::WatchAuthorization { .. } => TaskKind::WatchAuthorization,
            Self::ExpireOrder => TaskKind::ExpireOrder,
        }
    }

    /// Key of the task within its order. It follows from the task's fields, so that the same decision made twice leads
    /// to one task.
    pub fn key(&self) -> TaskKey {
        let kind = self.kind().name();
        TaskKey(match self {
            Self::CreateIntent { request } => format!("{kind}:{}:{}", request.revision, request.attempt),
            Self::UpdateIntent { operation } | Self::CancelIntent { operation } | Self::CaptureIntent { operation } => {
                format!("{kind}:{operation}")
            }
            Self::Refund { refund } => format!("{kind}:{refund}"),
            Self::PollIntent { intent } | Self::ConfirmPayment { intent } | Self::WatchAuthorization { intent } => {
                format!("{kind}:{intent}")
            }
            Self::ExpireOrder => kind.to_owned(),
        })
    }
}
