//! What the twin knows of money, for those who hold somebody's books against it: values, not JSON.

use std::collections::BTreeMap;

use crate::twin::Twin;

/// A payment intent as it stands. Amounts are in the currency's wire units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentView<'a> {
    /// `pi_…`.
    pub id: &'a str,
    /// Like `requires_capture`.
    pub status: &'a str,
    /// What it asks for.
    pub amount: i64,
    /// What it has brought.
    pub received: i64,
    /// What it holds.
    pub capturable: i64,
    /// ISO 4217, lower case.
    pub currency: &'a str,
    /// `automatic`, `automatic_async` or `manual`.
    pub capture_method: &'a str,
    /// When it was made, in seconds from 1970.
    pub created: i64,
    /// Its maker's notes.
    pub metadata: &'a BTreeMap<String, String>,
}

/// A refund as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundView<'a> {
    /// `re_…`.
    pub id: &'a str,
    /// Whose money.
    pub intent: &'a str,
    /// How much, in the currency's wire units.
    pub amount: i64,
    /// Like `pending`.
    pub status: &'a str,
    /// When it was made, in seconds from 1970.
    pub created: i64,
    /// Its maker's notes.
    pub metadata: &'a BTreeMap<String, String>,
}

/// A dispute as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisputeView<'a> {
    /// `du_…`.
    pub id: &'a str,
    /// Whose money.
    pub intent: &'a str,
    /// How much of it, in the currency's wire units.
    pub amount: i64,
    /// Like `needs_response`.
    pub status: &'a str,
}

impl Twin {
    /// Every intent.
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

    /// Every refund.
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

    /// Every dispute.
    pub fn disputes(&self) -> impl Iterator<Item = DisputeView<'_>> {
        self.disputes.values().map(|it| DisputeView {
            id: &it.id,
            intent: &it.intent,
            amount: it.amount,
            status: &it.status,
        })
    }
}
