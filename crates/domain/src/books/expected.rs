//! Entries of what the facts of an order expect Stripe to move.

use super::split::Split;
use super::{Account, Entry, EntryError, Posting, SalesPart, SignedMoney, Source};
use crate::dispute::Dispute;
use crate::refund::Refund;
use crate::{IntentId, Money, Order};

/// Role of the money of a PaymentIntent for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Money that paid for nothing on the order.
    Unexpected,
    /// Money that paid the order, or as much of it as was captured.
    Sale,
    /// Money of another amount than was due, which a person has accepted as the payment.
    AcceptedSale {
        /// Amount received.
        received: Money,
    },
}

impl Role {
    /// Role that the money of `intent` has at present.
    pub(super) fn of(order: &Order, intent: &IntentId) -> Self {
        let is_paid = order.paid_by().is_some_and(|it| it.id == *intent);
        match order.intent(intent).map(|it| it.received) {
            Some(received) if is_paid && order.has_accepted(intent) => Self::AcceptedSale { received },
            Some(_) if is_paid => Self::Sale,
            Some(_) | None => Self::Unexpected,
        }
    }
}

/// Direction of the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Received,
    Refunded,
}

impl Entry {
    /// Books what a PaymentIntent received, from `before` to `after` in all: the sale, if it paid the order, else money
    /// that paid for nothing on it. Of a payment of another amount that was accepted, the whole is the whole sale and the
    /// difference.
    pub fn of_payment(order: &Order, intent: &IntentId, before: Money, after: Money) -> Result<Self, EntryError> {
        Self::of_payment_as(Role::of(order, intent), order, intent, before, after)
    }

    pub(super) fn of_payment_as(
        role: Role,
        order: &Order,
        intent: &IntentId,
        before: Money,
        after: Money,
    ) -> Result<Self, EntryError> {
        if order.intent(intent).is_none() {
            return Err(EntryError::NotOfTheOrder);
        }
        let clearing = Account::Clearing(Source::Payment { intent: intent.clone() });
        let received = SignedMoney::from(after).minus(before.into())?;
        let mut postings = vec![Posting::debit(clearing, received)];
        let (parts, difference) = parts(role, Direction::Received, order, before, after)?;
        for (part, amount) in parts {
            postings.push(Posting::credit(Account::Sales(part), amount)?);
        }
        postings.push(Posting::credit(Account::PaymentDifferences, difference)?);
        Self::new(postings)
    }

    /// Books a refund that succeeded, after `before` of its PaymentIntent had been refunded. A refund that fails later is
    /// booked by the reversed entry. `None` if Stripe's id of the refund is not known yet.
    ///
    /// Of a payment of another amount that was accepted, what is above the total is refunded before the sale, and what is
    /// missing of the total with the last of the money.
    pub fn of_refund(order: &Order, refund: &Refund, before: Money) -> Result<Option<Self>, EntryError> {
        Self::of_refund_as(Role::of(order, &refund.intent), order, refund, before)
    }

    pub(super) fn of_refund_as(
        role: Role,
        order: &Order,
        refund: &Refund,
        before: Money,
    ) -> Result<Option<Self>, EntryError> {
        if order.intent(&refund.intent).is_none() {
            return Err(EntryError::NotOfTheOrder);
        }
        let Some(id) = &refund.provider_id else { return Ok(None) };
        let clearing = Account::Clearing(Source::Refund { refund: id.clone() });
        let mut postings = vec![Posting::credit(clearing, refund.amount.into())?];
        let (parts, difference) = parts(role, Direction::Refunded, order, before, before.plus(refund.amount)?)?;
        for (part, amount) in parts {
            postings.push(Posting::debit(Account::Refunds(part), amount));
        }
        postings.push(Posting::debit(Account::PaymentDifferences, difference));
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

/// Parts of what a PaymentIntent received or refunded between two amounts, and how much more that is than their sum.
fn parts(
    role: Role,
    direction: Direction,
    order: &Order,
    from: Money,
    to: Money,
) -> Result<(Vec<(SalesPart, SignedMoney)>, SignedMoney), EntryError> {
    let amount = SignedMoney::from(to).minus(from.into())?;
    let none = SignedMoney::zero(amount.currency());
    if from.currency() != order.total.currency() {
        return Ok((vec![(SalesPart::Unexpected, amount)], none));
    }
    match role {
        Role::Unexpected => Ok((vec![(SalesPart::Unexpected, amount)], none)),
        Role::Sale => Ok((Split::of(order)?.between(from, to)?, none)),
        Role::AcceptedSale { received } => {
            let of_sale = |amount| sold(direction, order.total, received, amount);
            let (from, to) = (of_sale(from)?, of_sale(to)?);
            let sale = SignedMoney::from(to).minus(from.into())?;
            Ok((Split::of(order)?.between(from, to)?, amount.minus(sale)?))
        }
    }
}

/// Amount of the sale in the first `amount` of an accepted payment of `received`: with all of the money, all of the
/// `total`. Before that a payment pays the sale first, and a refund gives back first what is above the total.
fn sold(direction: Direction, total: Money, received: Money, amount: Money) -> Result<Money, EntryError> {
    if amount == received {
        return Ok(total);
    }
    let above = received.minor().saturating_sub(total.minor()).max(0);
    let within = match direction {
        Direction::Received => amount.minor(),
        Direction::Refunded => amount.minor().saturating_sub(above).max(0),
    };
    Ok(Money::new(within.min(total.minor()), total.currency())?)
}
