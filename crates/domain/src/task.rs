use std::fmt;

use crate::{Fact, IntentId, IntentRequest, Order};

/// What a decision says: all of it is stored in one transaction, or none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// The order as it is from now on.
    pub order: Order,
    /// What happened, in this order.
    pub facts: Vec<Fact>,
    /// What must now be done outside.
    pub tasks: Vec<Task>,
    /// Which earlier tasks need not be done any more.
    pub finished: Vec<TaskKey>,
}

impl Decision {
    /// The order as it was: nothing happened yet.
    pub(crate) const fn unchanged(order: Order) -> Self {
        Self { order, facts: Vec::new(), tasks: Vec::new(), finished: Vec::new() }
    }
}

/// Something to be done outside after the commit, by an idempotency key that the task determines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
pub enum Task {
    /// Ask Stripe for an intent.
    CreateIntent {
        /// For what.
        request: IntentRequest,
    },
    /// Make an intent ask for the content that an edit gives the order.
    UpdateIntent {
        /// The number of the operation.
        operation: u32,
    },
    /// Give an intent up.
    CancelIntent {
        /// The number of the operation.
        operation: u32,
    },
    /// Take the money that an intent holds.
    CaptureIntent {
        /// The number of the operation.
        operation: u32,
    },
    /// Make a refund, and see it through until it has succeeded or failed.
    Refund {
        /// Its number.
        refund: u32,
    },
    /// Look at an intent from time to time until its end, since no webhook may come.
    PollIntent {
        /// Which.
        intent: IntentId,
    },
    /// Read a payment at Stripe that an event told of.
    ConfirmPayment {
        /// Its intent.
        intent: IntentId,
    },
    /// Tell that authorised money is about to be released.
    WatchAuthorization {
        /// By which intent it is held.
        intent: IntentId,
    },
    /// Give up an order that nobody has paid.
    ExpireOrder,
}

/// Names a task within its order. Two tasks with one key are one task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey(String);

impl TaskKey {
    /// Takes a key as a store kept it.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key as a store keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its task's kind.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or(self.as_str(), |(kind, _)| kind)
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// [`Task::CreateIntent`].
    CreateIntent,
    /// [`Task::UpdateIntent`].
    UpdateIntent,
    /// [`Task::CancelIntent`].
    CancelIntent,
    /// [`Task::CaptureIntent`].
    CaptureIntent,
    /// [`Task::Refund`].
    Refund,
    /// [`Task::PollIntent`].
    PollIntent,
    /// [`Task::ConfirmPayment`].
    ConfirmPayment,
    /// [`Task::WatchAuthorization`].
    WatchAuthorization,
    /// [`Task::ExpireOrder`].
    ExpireOrder,
}

variant_names! {
    /// The beginning of the keys of its tasks, up to the first colon.
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

impl Task {
    /// Its kind.
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

    /// What the task is called within its order: a pure function of what it does, so that deciding the same
    /// twice makes one task.
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
