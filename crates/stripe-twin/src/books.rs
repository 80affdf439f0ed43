//! Typed views of the twin's money objects, with which a test compares another program's records.

use std::collections::BTreeMap;

use crate::state::Twin;

/// View of a PaymentIntent. Amounts are in the currency's wire units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentView<'a> {
    /// Id of the PaymentIntent (`pi_…`).
    pub id: &'a str,
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
    /// Status, like `pending`.
    pub status: &'a str,
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
    /// Status, like `needs_response`.
    pub status: &'a str,
}

impl Twin {
    /// Every PaymentIntent, by id.
    pub fn intents(&self) -> impl Iterator<Item = IntentView<'_>> {
        self.intents.values().map(|it| IntentView {
            id: &it.id,
            status: &it.status,
            amount: it.amount,
            received: it.amount_received,
            capturable: it.amount_capturable,
            currency: &it.currency,
            capture_method: &it.capture_method,
            created: it.created,
            metadata: &it.metadata,
        })
    }

    /// Every refund, by id.
    pub fn refunds(&self) -> impl Iterator<Item = RefundView<'_>> {
        self.refunds.values().map(|it| RefundView {
            id: &it.id,
            intent: &it.intent,
            amount: it.amount,
            status: &it.status,
            created: it.created,
            metadata: &it.metadata,
        })
    }

    /// Every dispute, by id.
    pub fn disputes(&self) -> impl Iterator<Item = DisputeView<'_>> {
        self.disputes.values().map(|it| DisputeView {
            id: &it.id,
            intent: &it.intent,
            amount: it.amount,
            status: &it.status,
        })
    }
}
