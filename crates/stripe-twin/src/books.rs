//! Typed views of the twin's money objects, with which a test compares another program's records.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::objects::{Dispute, Event, Intent, Refund, Snapshot};
use crate::state::Twin;

/// View of a PaymentIntent. Amounts are in the currency's wire units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentView<'a> {
    /// Id of the PaymentIntent (`pi_…`).
    pub id: &'a str,
    /// Client secret with which a browser confirms the PaymentIntent.
    pub client_secret: &'a str,
    /// Status, like `requires_capture`.
    pub status: &'a str,
    /// Amount to be paid.
    pub amount: i64,
    /// Amount received.
    pub received: i64,
    /// Amount authorized and not captured yet.
    pub capturable: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Capture method: `automatic`, `automatic_async` or `manual`.
    pub capture_method: &'a str,
    /// `last_payment_error` as JSON.
    pub last_error: Option<&'a Value>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Metadata, as written by the program that created the PaymentIntent.
    pub metadata: &'a BTreeMap<String, String>,
}

/// View of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundView<'a> {
    /// Id of the refund (`re_…`).
    pub id: &'a str,
    /// Id of the PaymentIntent whose money is refunded.
    pub intent: &'a str,
    /// Amount refunded, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Status, like `pending`.
    pub status: &'a str,
    /// Reason that the request gave.
    pub reason: Option<&'a str>,
    /// Reason of a failure, like `expired_or_canceled_card`.
    pub failure_reason: Option<&'a str>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Metadata, as written by the program that created the refund.
    pub metadata: &'a BTreeMap<String, String>,
}

/// View of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisputeView<'a> {
    /// Id of the dispute (`du_…`).
    pub id: &'a str,
    /// Id of the PaymentIntent whose payment is disputed.
    pub intent: &'a str,
    /// Disputed amount, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Status, like `needs_response`.
    pub status: &'a str,
    /// Reason that the bank gave, like `fraudulent`.
    pub reason: &'a str,
}

/// View of the object of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectView<'a> {
    /// A PaymentIntent.
    Intent(IntentView<'a>),
    /// A refund.
    Refund(RefundView<'a>),
    /// A dispute.
    Dispute(DisputeView<'a>),
    /// A charge.
    Charge {
        /// Id of the charge's PaymentIntent.
        intent: &'a str,
        /// Whether the balance transaction with the fee is known.
        has_fee: bool,
    },
    /// An object of another kind.
    Other,
}

impl Twin {
    /// Every PaymentIntent, the oldest first.
    pub fn intents(&self) -> impl Iterator<Item = IntentView<'_>> {
        self.intents.iter().map(Intent::view)
    }

    /// Every refund, the oldest first.
    pub fn refunds(&self) -> impl Iterator<Item = RefundView<'_>> {
        self.refunds.iter().map(Refund::view)
    }

    /// Every dispute, the oldest first.
    pub fn disputes(&self) -> impl Iterator<Item = DisputeView<'_>> {
        self.disputes.iter().map(Dispute::view)
    }
}

impl Intent {
    fn view(&self) -> IntentView<'_> {
        IntentView {
            id: &self.id,
            client_secret: &self.client_secret,
            status: &self.status,
            amount: self.amount,
            received: self.amount_received,
            capturable: self.amount_capturable,
            currency: &self.currency,
            capture_method: &self.capture_method,
            last_error: self.last_payment_error.as_ref(),
            created: self.created,
            metadata: &self.metadata,
        }
    }
}

impl Refund {
    fn view(&self) -> RefundView<'_> {
        RefundView {
            id: &self.id,
            intent: &self.intent,
            amount: self.amount,
            currency: &self.currency,
            status: &self.status,
            reason: self.reason.as_deref(),
            failure_reason: self.failure_reason.as_deref(),
            created: self.created,
            metadata: &self.metadata,
        }
    }
}

impl Dispute {
    fn view(&self) -> DisputeView<'_> {
        DisputeView {
            id: &self.id,
            intent: &self.intent,
            amount: self.amount,
            currency: &self.currency,
            status: &self.status,
            reason: &self.reason,
        }
    }
}

impl Snapshot {
    pub(crate) fn view(&self) -> ObjectView<'_> {
        match self {
            Self::Intent(it) => ObjectView::Intent(it.view()),
            Self::Refund(it) => ObjectView::Refund(it.view()),
            Self::Dispute(it) => ObjectView::Dispute(it.view()),
            Self::Charge(it) => ObjectView::Charge { intent: &it.intent, has_fee: it.balance_transaction.is_some() },
            Self::Customer(_) | Self::PaymentMethod(_) | Self::SetupIntent(_) | Self::Payout(_) => ObjectView::Other,
        }
    }
}

impl Event {
    /// View of the object as it was when the event was created.
    pub fn object(&self) -> ObjectView<'_> {
        self.object.view()
    }
}
