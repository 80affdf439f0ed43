//! Entries of what the facts of an order expect Stripe to move.

use super::split::Split;
use super::{Account, Entry, EntryError, Posting, SalesPart, SignedMoney, Source};
use crate::dispute::Dispute;
use crate::order::OrderState;
use crate::refund::Refund;
use crate::{IntentId, Money, Order};

impl Entry {
    /// Books what a PaymentIntent received, from `before` to `after` in all: the sale, if it paid the order, else money
    /// that paid for nothing on it.
    pub fn of_payment(order: &Order, intent: &IntentId, before: Money, after: Money) -> Result<Self, EntryError> {
        if order.intent(intent).is_none() {
            return Err(EntryError::NotOfTheOrder);
        }
        let clearing = Account::Clearing(Source::Payment { intent: intent.clone() });
        let received = SignedMoney::from(after).minus(before.into())?;
        let mut postings = vec![Posting::debit(clearing, received)];
        for (part, amount) in parts(order, intent, before, after)? {
            postings.push(Posting::credit(Account::Sales(part), amount)?);
        }
        Self::new(postings)
    }

    /// Books a refund that succeeded, after `before` of its PaymentIntent had been refunded. A refund that fails later is
    /// booked by the reversed entry. `None` if Stripe's id of the refund is not known yet.
    pub fn of_refund(order: &Order, refund: &Refund, before: Money) -> Result<Option<Self>, EntryError> {
        if order.intent(&refund.intent).is_none() {
            return Err(EntryError::NotOfTheOrder);
        }
        let Some(id) = &refund.provider_id else { return Ok(None) };
        let clearing = Account::Clearing(Source::Refund { refund: id.clone() });
        let mut postings = vec![Posting::credit(clearing, refund.amount.into())?];
        for (part, amount) in parts(order, &refund.intent, before, before.plus(refund.amount)?)? {
            postings.push(Posting::debit(Account::Refunds(part), amount));
        }
        Ok(Some(Self::new(postings)?))
    }

    /// Books a dispute whose amount was withdrawn. One whose amount was reinstated is booked by the reversed entry.
    pub fn of_dispute(dispute: &Dispute) -> Result<Self, EntryError> {
        let clearing = Account::Clearing(Source::Dispute { dispute: dispute.id.clone() });
        let amount = dispute.amount.into();
        Self::new(vec![Posting::debit(Account::Disputes, amount), Posting::credit(clearing, amount)?])
    }

    /// The entry with the other sign of each posting.
    pub fn reversed(&self) -> Result<Self, EntryError> {
        let postings = self.postings().iter().map(|it| Posting::credit(it.account.clone(), it.amount));
        Self::new(postings.collect::<Result<_, _>>()?)
    }
}

/// Parts of what a PaymentIntent received or refunded between two amounts.
fn parts(
    order: &Order,
    intent: &IntentId,
    from: Money,
    to: Money,
) -> Result<Vec<(SalesPart, SignedMoney)>, EntryError> {
    let pays = match &order.state {
        OrderState::Paid { by, .. } => by == intent,
        OrderState::Open | OrderState::Canceled { .. } => false,
    };
    if pays && from.currency() == order.total.currency() {
        Ok(Split::of(order)?.between(from, to)?)
    } else {
        Ok(vec![(SalesPart::Unexpected, SignedMoney::from(to).minus(from.into())?)])
    }
}
