//! All entries that the facts of an order expect.

use std::collections::{BTreeMap, BTreeSet};

use super::expected::Role;
use super::{Entry, EntryError, Posting, Source};
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
/// returned them; of disputes likewise. Where money that was booked as unexpected is accepted as the payment, an entry makes it
/// the sale, and its refunds so far refunds of the sale.
pub fn expected_by<'a>(
    order: &Order,
    facts: impl IntoIterator<Item = (Timestamp, &'a Fact)>,
) -> Result<Vec<Expected>, EntryError> {
    let facts: Vec<_> = facts.into_iter().collect();
    let mut history = History::of(order, facts.iter().map(|(_, fact)| *fact));
    for (at, fact) in facts {
        match fact {
            Fact::IntentChanged { intent, status: IntentStatus::Succeeded, .. }
            | Fact::PaymentConfirmed { intent, .. }
            | Fact::OrderPaid { by: intent, .. } => history.payment(intent, at)?,
            Fact::PaymentAccepted { intent, .. } => history.acceptance(intent, at)?,
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
    /// PaymentIntents whose money pays for nothing until it is accepted.
    unaccepted: BTreeSet<IntentId>,
    /// Entry that is booked of each object at present, the effect of acceptances included.
    booked: BTreeMap<String, Entry>,
}

impl<'a> History<'a> {
    fn of<'f>(order: &'a Order, facts: impl Iterator<Item = &'f Fact>) -> Self {
        let mut unaccepted = BTreeSet::new();
        for fact in facts.take_while(|it| !matches!(it, Fact::OrderPaid { .. })) {
            if let Fact::PaymentAccepted { intent, .. } = fact {
                unaccepted.insert(intent.clone());
            }
        }
        Self {
            order,
            entries: Vec::new(),
            refunded: BTreeMap::new(),
            numbers: BTreeMap::new(),
            unaccepted,
            booked: BTreeMap::new(),
        }
    }

    fn push(&mut self, source: Source, at: Timestamp, entry: Entry) {
        let object = source.to_string();
        let number = self.numbers.entry(object.clone()).or_default();
        *number = number.saturating_add(1);
        let id = if *number == 1 { object.clone() } else { format!("{object}:{number}") };
        self.booked.insert(object, entry.clone());
        self.entries.push(Expected { id, at, source, entry });
    }

    /// Whether the object's entries so far have not canceled out.
    fn is_booked(&self, source: &Source) -> bool {
        self.numbers.get(&source.to_string()).is_some_and(|it| it % 2 == 1)
    }

    fn role_of(&self, intent: &IntentId) -> Role {
        if self.unaccepted.contains(intent) { Role::Unexpected } else { Role::of(self.order, intent) }
    }

    fn payment(&mut self, intent: &IntentId, at: Timestamp) -> Result<(), EntryError> {
        let source = Source::Payment { intent: intent.clone() };
        let received =
            self.order.intent(intent).filter(|it| it.status == IntentStatus::Succeeded && !it.awaits_confirmation());
        if let Some(received) = received.map(|it| it.received).filter(|it| !it.is_zero() && !self.is_booked(&source)) {
            let zero = Money::zero(received.currency());
            let entry = Entry::of_payment_as(self.role_of(intent), self.order, intent, zero, received)?;
            self.push(source, at, entry);
        }
        Ok(())
    }

    /// Books what is booked of a PaymentIntent and its refunds as what they are now that its money is accepted.
    fn acceptance(&mut self, intent: &IntentId, at: Timestamp) -> Result<(), EntryError> {
        if !self.unaccepted.remove(intent) {
            return Ok(());
        }
        let (order, role) = (self.order, self.role_of(intent));
        let source = Source::Payment { intent: intent.clone() };
        let mut postings = Vec::new();
        let Some(received) = order.intent(intent).map(|it| it.received).filter(|_| self.is_booked(&source)) else {
            return Ok(());
        };
        let zero = Money::zero(received.currency());
        self.rebook(&source, Entry::of_payment_as(role, order, intent, zero, received)?, &mut postings)?;
        let mut before = zero;
        for refund in order.refunds.iter().filter(|it| it.intent == *intent) {
            let Some(refunded) = refund.provider_id.clone().map(|refund| Source::Refund { refund }) else { continue };
            if !self.is_booked(&refunded) {
                continue;
            }
            if let Some(entry) = Entry::of_refund_as(role, order, refund, before)? {
                before = before.plus(refund.amount)?;
                self.rebook(&refunded, entry, &mut postings)?;
            }
        }
        let id = format!("{source}:accepted");
        self.entries.push(Expected { id, at, source, entry: Entry::netted(postings)? });
        Ok(())
    }

    /// Adds the postings that make `entry` of what is booked of the object.
    fn rebook(&mut self, source: &Source, entry: Entry, postings: &mut Vec<Posting>) -> Result<(), EntryError> {
        if let Some(booked) = self.booked.insert(source.to_string(), entry.clone()) {
            postings.extend(booked.reversed()?.into_postings());
        }
        postings.extend(entry.into_postings());
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
            if let Some(entry) = Entry::of_refund_as(self.role_of(&refund.intent), self.order, refund, before)? {
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

    /// Books the reverse of what is booked of the object.
    fn reverse(&mut self, source: Source, at: Timestamp) -> Result<(), EntryError> {
        let booked = self.booked.get(&source.to_string());
        if let Some(entry) = booked.map(Entry::reversed).transpose()? {
            self.push(source, at, entry);
        }
        Ok(())
    }
}
