//! All entries that the facts of an order expect.

use std::collections::BTreeMap;

use super::{Entry, EntryError, Source};
use crate::dispute::Dispute;
use crate::id::DisputeId;
use crate::intent::IntentStatus;
use crate::refund::{Refund, RefundStatus};
use crate::{Fact, IntentId, Money, Order, Timestamp};

/// Entry that a fact of an order expects. The same facts always give the same entries, and later facts add entries
/// without changing earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Name of the entry, unique among all orders: Stripe's id of the object, and for its second and later entries their
    /// number after a colon.
    pub id: String,
    /// Time of the fact.
    pub at: Timestamp,
    /// Object that Stripe is expected to move money for.
    pub source: Source,
    /// The entry.
    pub entry: Entry,
}

/// Entries that the facts of `order` expect, in the order of the facts, the oldest first: of payments, once an answer of
/// Stripe's has confirmed them; of refunds, once Stripe has taken their amounts from the balance, and again when it has
/// returned them; of disputes likewise.
pub fn expected_by<'a>(
    order: &Order,
    facts: impl IntoIterator<Item = (Timestamp, &'a Fact)>,
) -> Result<Vec<Expected>, EntryError> {
    let mut history = History { order, entries: Vec::new(), refunded: BTreeMap::new(), numbers: BTreeMap::new() };
    for (at, fact) in facts {
        match fact {
            Fact::IntentChanged { intent, status: IntentStatus::Succeeded, .. }
            | Fact::PaymentConfirmed { intent, .. }
            | Fact::OrderPaid { by: intent, .. } => history.payment(intent, at)?,
            Fact::RefundChanged { refund, status, .. } => history.refund(*refund, *status, at)?,
            Fact::DisputeOpened { dispute, status, .. } => history.dispute(dispute, status.takes_money(), at)?,
            Fact::DisputeChanged { dispute, withdrawn, reinstated, .. } => {
                history.dispute(dispute, *withdrawn && !*reinstated, at)?;
            }
            Fact::IntentChanged { .. }
            | Fact::OrderPlaced { .. }
            | Fact::OrderEdited { .. }
            | Fact::OrderCanceled { .. }
            | Fact::IntentRequested { .. }
            | Fact::IntentRefused { .. }
            | Fact::IntentCreated { .. }
            | Fact::OperationRequested { .. }
            | Fact::OperationDropped { .. }
            | Fact::RequestFailed { .. }
            | Fact::AuthorizationEnded { .. }
            | Fact::ProceedsKnown { .. }
            | Fact::RefundRequested { .. }
            | Fact::AnomalyFound { .. } => {}
        }
    }
    Ok(history.entries)
}

struct History<'a> {
    order: &'a Order,
    entries: Vec<Expected>,
    /// Amount of each PaymentIntent that is refunded so far.
    refunded: BTreeMap<IntentId, Money>,
    /// Number of entries of each object.
    numbers: BTreeMap<String, u32>,
}

impl History<'_> {
    fn push(&mut self, source: Source, at: Timestamp, entry: Entry) {
        let object = source.to_string();
        let number = self.numbers.entry(object.clone()).or_default();
        *number = number.saturating_add(1);
        let id = if *number == 1 { object } else { format!("{object}:{number}") };
        self.entries.push(Expected { id, at, source, entry });
    }

    /// Whether the object's entries so far have not canceled out.
    fn is_booked(&self, source: &Source) -> bool {
        self.numbers.get(&source.to_string()).is_some_and(|it| it % 2 == 1)
    }

    fn payment(&mut self, intent: &IntentId, at: Timestamp) -> Result<(), EntryError> {
        let source = Source::Payment { intent: intent.clone() };
        let received =
            self.order.intent(intent).filter(|it| it.status == IntentStatus::Succeeded && !it.awaits_confirmation());
        if let Some(received) = received.map(|it| it.received).filter(|it| !it.is_zero() && !self.is_booked(&source)) {
            let zero = Money::zero(received.currency());
            let entry = Entry::of_payment(self.order, intent, zero, received)?;
            self.push(source, at, entry);
        }
        Ok(())
    }

    fn refund(&mut self, number: u32, status: RefundStatus, at: Timestamp) -> Result<(), EntryError> {
        let Some(refund) = self.order.refund_numbered(number) else { return Err(EntryError::NotOfTheOrder) };
        let Some(id) = refund.provider_id.clone() else { return Ok(()) };
        let source = Source::Refund { refund: id };
        let is_taken = match status {
            RefundStatus::Pending | RefundStatus::Succeeded => true,
            RefundStatus::Requested | RefundStatus::RequiresAction | RefundStatus::Failed | RefundStatus::Canceled => {
                false
            }
        };
        if is_taken == self.is_booked(&source) {
            return Ok(());
        }
        let before = self.refunded_before(refund);
        if is_taken {
            if let Some(entry) = Entry::of_refund(self.order, refund, before)? {
                self.refunded.insert(refund.intent.clone(), before.plus(refund.amount)?);
                self.push(source, at, entry);
            }
            return Ok(());
        }
        self.refunded.insert(refund.intent.clone(), before.minus(refund.amount)?);
        self.reverse(source, at)
    }

    fn refunded_before(&self, refund: &Refund) -> Money {
        self.refunded.get(&refund.intent).copied().unwrap_or(Money::zero(refund.amount.currency()))
    }

    fn dispute(&mut self, id: &DisputeId, is_taken: bool, at: Timestamp) -> Result<(), EntryError> {
        let is_this = |it: &&Dispute| it.id == *id;
        let Some(dispute) = self.order.disputes.iter().find(is_this) else { return Err(EntryError::NotOfTheOrder) };
        let source = Source::Dispute { dispute: id.clone() };
        // An opened dispute takes the money at once, but only what Stripe has reported of it tells that it did.
        if is_taken == self.is_booked(&source) || !dispute.withdrawn {
            return Ok(());
        }
        if is_taken {
            let entry = Entry::of_dispute(dispute)?;
            self.push(source, at, entry);
            return Ok(());
        }
        self.reverse(source, at)
    }

    /// Books the reverse of the object's last entry.
    fn reverse(&mut self, source: Source, at: Timestamp) -> Result<(), EntryError> {
        let last = self.entries.iter().rev().find(|it| it.source == source);
        if let Some(entry) = last.map(|it| it.entry.reversed()).transpose()? {
            self.push(source, at, entry);
        }
        Ok(())
    }
}
