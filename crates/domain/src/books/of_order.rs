//! All entries that the facts of an order expect.

use std::collections::BTreeMap;

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
    /// number after a colon; `accepted` for that of an acceptance.
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
            | Fact::RefundClosed { .. }
            | Fact::AnomalyFound { .. } => {}
        }
    }
    Ok(history.entries)
}

struct History<'a> {
    order: &'a Order,
    entries: Vec<Expected>,
    /// Numbers of the refunds of each PaymentIntent that are booked, in the order in which they were.
    refunds: BTreeMap<IntentId, Vec<u32>>,
    /// Number of entries of each object.
    numbers: BTreeMap<String, u32>,
    /// Role of the money of PaymentIntents until it is accepted.
    before_acceptance: BTreeMap<IntentId, Role>,
    /// Entry that is booked of each object at present, the effect of later entries included.
    booked: BTreeMap<String, Entry>,
}

impl<'a> History<'a> {
    fn of<'f>(order: &'a Order, facts: impl Iterator<Item = &'f Fact>) -> Self {
        let (mut before_acceptance, mut role) = (BTreeMap::new(), Role::Unexpected);
        for fact in facts {
            if let Fact::OrderPaid { .. } = fact {
                role = Role::Sale;
            }
            if let Fact::PaymentAccepted { intent, .. } = fact {
                before_acceptance.entry(intent.clone()).or_insert(role);
            }
        }
        Self {
            order,
            entries: Vec::new(),
            refunds: BTreeMap::new(),
            numbers: BTreeMap::new(),
            before_acceptance,
            booked: BTreeMap::new(),
        }
    }

    /// Adds an entry of an object that moves its money, after which `booked` is booked of it.
    fn push(&mut self, source: Source, at: Timestamp, entry: Entry, booked: Option<Entry>) {
        let object = source.to_string();
        let number = self.numbers.entry(object.clone()).or_default();
        *number = number.saturating_add(1);
        let id = if *number == 1 { object.clone() } else { format!("{object}:{number}") };
        match booked {
            Some(booked) => self.booked.insert(object, booked),
            None => self.booked.remove(&object),
        };
        self.entries.push(Expected { id, at, source, entry });
    }

    /// Whether the object's entries so far have not canceled out.
    fn is_booked(&self, source: &Source) -> bool {
        self.booked.contains_key(&source.to_string())
    }

    fn role_of(&self, intent: &IntentId) -> Role {
        self.before_acceptance.get(intent).copied().unwrap_or_else(|| Role::of(self.order, intent))
    }

    fn payment(&mut self, intent: &IntentId, at: Timestamp) -> Result<(), EntryError> {
        let source = Source::Payment { intent: intent.clone() };
        let received =
            self.order.intent(intent).filter(|it| it.status == IntentStatus::Succeeded && !it.awaits_confirmation());
        if let Some(received) = received.map(|it| it.received).filter(|it| !it.is_zero() && !self.is_booked(&source)) {
            let zero = Money::zero(received.currency());
            let entry = Entry::of_payment_as(self.role_of(intent), self.order, intent, zero, received)?;
            self.push(source, at, entry.clone(), Some(entry));
        }
        Ok(())
    }

    /// Books what is booked of a PaymentIntent and its refunds as what they are now that its money is accepted.
    fn acceptance(&mut self, intent: &IntentId, at: Timestamp) -> Result<(), EntryError> {
        if self.before_acceptance.remove(intent).is_none() {
            return Ok(());
        }
        let (order, role) = (self.order, self.role_of(intent));
        let source = Source::Payment { intent: intent.clone() };
        let Some(received) = order.intent(intent).map(|it| it.received).filter(|_| self.is_booked(&source)) else {
            return Ok(());
        };
        let mut postings = Vec::new();
        let zero = Money::zero(received.currency());
        self.rebook(&source, Entry::of_payment_as(role, order, intent, zero, received)?, &mut postings)?;
        self.rebook_refunds(intent, &mut postings)?;
        let id = format!("{source}:accepted");
        self.entries.push(Expected { id, at, source, entry: Entry::netted(postings)? });
        Ok(())
    }

    /// Books the refunds of a PaymentIntent anew, each after those that were booked before it.
    fn rebook_refunds(&mut self, intent: &IntentId, postings: &mut Vec<Posting>) -> Result<(), EntryError> {
        let (order, role) = (self.order, self.role_of(intent));
        let mut before = None;
        for number in self.refunds.get(intent).cloned().unwrap_or_default() {
            let Some(refund) = order.refund_numbered(number) else { continue };
            let so_far = before.unwrap_or(Money::zero(refund.amount.currency()));
            let source = refund.provider_id.clone().map(|refund| Source::Refund { refund });
            if let (Some(source), Some(entry)) = (source, Entry::of_refund_as(role, order, refund, so_far)?) {
                before = Some(so_far.plus(refund.amount)?);
                self.rebook(&source, entry, postings)?;
            }
        }
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
        if !is_taken {
            return self.refund_returned(refund, source, at);
        }
        let before = self.refunded_before(refund)?;
        if let Some(entry) = Entry::of_refund_as(self.role_of(&refund.intent), self.order, refund, before)? {
            self.refunds.entry(refund.intent.clone()).or_default().push(number);
            self.push(source, at, entry.clone(), Some(entry));
        }
        Ok(())
    }

    /// Books the return of a refund. Those that were booked after it take its place: what they give back of the payment is
    /// what they would have given back without it.
    fn refund_returned(&mut self, refund: &Refund, source: Source, at: Timestamp) -> Result<(), EntryError> {
        let Some(booked) = self.booked.get(&source.to_string()).cloned() else { return Ok(()) };
        let mut postings = booked.reversed()?.into_postings();
        if let Some(numbers) = self.refunds.get_mut(&refund.intent) {
            numbers.retain(|it| *it != refund.number);
        }
        self.rebook_refunds(&refund.intent, &mut postings)?;
        self.push(source, at, Entry::netted(postings)?, None);
        Ok(())
    }

    /// Amount of the refund's PaymentIntent that is booked as refunded.
    fn refunded_before(&self, refund: &Refund) -> Result<Money, EntryError> {
        let numbers = self.refunds.get(&refund.intent).map(Vec::as_slice).unwrap_or_default();
        let booked = numbers.iter().filter_map(|it| self.order.refund_numbered(*it)).map(|it| it.amount);
        let mut sum = Money::zero(refund.amount.currency());
        for amount in booked {
            sum = sum.plus(amount)?;
        }
        Ok(sum)
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
            self.push(source, at, entry.clone(), Some(entry));
            return Ok(());
        }
        let booked = self.booked.get(&source.to_string());
        if let Some(entry) = booked.map(Entry::reversed).transpose()? {
            self.push(source, at, entry, None);
        }
        Ok(())
    }
}
