//! Closing of a failed refund: a person has given its money back in another way, or nobody is owed it any more.

use thiserror::Error;

use super::{Refund, RefundStatus};
use crate::text::Note;
use crate::{Decision, Fact, IntentId, Money, Order, Timestamp};

/// Closing of a failed refund by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClosing {
    /// Amount that went back in another way; by default that of the refund, or what is left if that is less. Zero if none of
    /// it did: nobody is owed it, or another failed refund was of the same money. It must be named if there is another one.
    pub amount: Option<Money>,
    /// Note of where the money went.
    pub note: Note,
}

/// Time and amount of a closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Closing {
    /// Time at which the refund was closed.
    pub at: Timestamp,
    /// Amount that went back in another way.
    pub amount: Money,
}

/// Why a refund is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CloseError {
    /// The order has no refund with this number.
    #[error("the order has no refund {number}")]
    NotFound {
        /// Number that was named.
        number: u32,
    },
    /// The refund has not failed: Stripe has made it, or may still make it.
    #[error("a refund can be closed once it has failed, and this one is {status}")]
    NotFailed {
        /// Status of the refund.
        status: RefundStatus,
    },
    /// The refund waits for nobody.
    #[error("refunds that were requested later make up for this one, or nothing of the payment is left")]
    MadeUpFor,
    /// Another refund of the payment has failed, too, and no amount is named: both may have been of the same money.
    #[error(
        "another refund of this payment has failed too: name the amount that went back in another way, zero if both were of the same money"
    )]
    AmountNotNamed,
    /// The amount is more than the refund's, or than what is left.
    #[error("the amount that went back in another way must be at most {}", .most.to_decimal())]
    Amount {
        /// Largest amount.
        most: Money,
    },
}

impl Order {
    /// Closes a failed refund: its money went back in another way than by Stripe, as the note says, and nobody has to act on
    /// it. Stripe still holds the money, so what is refunded and what can be refunded stay as they are. A repetition
    /// changes nothing.
    pub fn close_refund(&self, number: u32, new: &NewClosing, now: Timestamp) -> Result<Decision, CloseError> {
        let refund = self.refund_numbered(number).ok_or(CloseError::NotFound { number })?;
        let mut decision = Decision::unchanged(self.clone());
        if refund.closing.is_some() {
            return Ok(decision);
        }
        if refund.status != RefundStatus::Failed {
            return Err(CloseError::NotFailed { status: refund.status });
        }
        if !self.awaits_decision(refund) {
            return Err(CloseError::MadeUpFor);
        }
        let most = self.most_to_close(refund);
        if new.amount.is_none() && self.has_other_failed(refund) {
            return Err(CloseError::AmountNotNamed);
        }
        let amount = new.amount.unwrap_or(most);
        if most.minus(amount).is_err() {
            return Err(CloseError::Amount { most });
        }
        let (intent, provider_id) = (refund.intent.clone(), refund.provider_id.clone());
        if let Some(refund) = decision.order.data.refunds.iter_mut().find(|it| it.number == number) {
            refund.closing = Some(Closing { at: now, amount });
        }
        decision.facts.push(Fact::RefundClosed { refund: number, provider_id, intent, amount, note: new.note.clone() });
        Ok(decision.dated(now))
    }

    /// Whether a refund waits for a person: it has failed and nobody has closed it, its payment has money left, and the refunds
    /// that were requested after it do not make up for it.
    pub fn awaits_decision(&self, refund: &Refund) -> bool {
        let is_later =
            |it: &&Refund| it.intent == refund.intent && it.number > refund.number && it.status.holds_money();
        let later: i64 = self.refunds.iter().filter(is_later).map(|it| it.amount.minor()).sum();
        let is_open = refund.status == RefundStatus::Failed && refund.closing.is_none();
        is_open && !self.left_of(&refund.intent).is_zero() && later < refund.amount.minor()
    }

    /// Whether another refund of the same payment has failed, and waits for a person or was closed: it may have been of the same
    /// money.
    pub fn has_other_failed(&self, refund: &Refund) -> bool {
        let is_other = |it: &&Refund| it.intent == refund.intent && it.number != refund.number;
        let is_failed = |it: &Refund| it.status == RefundStatus::Failed && it.closing.is_some();
        self.refunds.iter().filter(is_other).any(|it| is_failed(it) || self.awaits_decision(it))
    }

    /// Largest amount of a failed refund that can have gone back in another way: not more than is left.
    pub fn most_to_close(&self, refund: &Refund) -> Money {
        let left = self.less_closed_refunds(&refund.intent, self.left_of(&refund.intent));
        if left.minus(refund.amount).is_ok() { refund.amount } else { left }
    }

    /// Amount of an intent that is left at Stripe and went back in another way, as its closed refunds say.
    pub fn closed_of(&self, intent: &IntentId) -> Money {
        let left = self.left_of(intent);
        left.minus(self.less_closed_refunds(intent, left)).unwrap_or(left)
    }

    /// Amount of an intent that `left` leaves after its closed refunds, whose money went back in another way.
    pub(crate) fn less_closed_refunds(&self, intent: &IntentId, left: Money) -> Money {
        // One that was made after all is no longer among what is left.
        let is_failed = |it: &&Refund| it.intent == *intent && it.status == RefundStatus::Failed;
        let closings = self.refunds.iter().filter(is_failed).filter_map(|it| it.closing);
        let rest = closings.into_iter().try_fold(left, |rest, it| rest.minus(it.amount));
        // Other refunds may have been made since.
        rest.unwrap_or_else(|_| Money::zero(left.currency()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{intent, of, paid, update};
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::{AnomalyKind, NoticeKind, Policies, Policy};
    use crate::id::RefundId;
    use crate::intent::IntentStatus;
    use crate::order::PaymentState;
    use crate::order::tests::{at, placed, usd};
    use crate::refund::{NewRefund, RefundError};

    fn note() -> Note {
        Note::new("sent to the customer's bank").unwrap()
    }

    fn whole() -> NewClosing {
        NewClosing { amount: None, note: note() }
    }

    /// Order of 115.00 with a refund that Stripe has reported like this.
    fn refunded(order: &Order, minor: i64, status: RefundStatus) -> Order {
        let (requested, number) = order.refund(&of(minor), at(400)).unwrap();
        let name = requested.order.refund_numbered(number).map(|it| it.name(order.id));
        let made = update(&format!("re_{number}"), name, minor, status);
        requested.order.update_refund(&made, at(410)).unwrap().order
    }

    #[test]
    fn a_failed_refund_is_closed_once_with_the_note_of_a_person() {
        let failed = refunded(&paid(), 4_000, RefundStatus::Failed);
        let closed = failed.close_refund(1, &whole(), at(500)).unwrap();
        let provider_id = RefundId::new("re_1").ok();
        let fact = Fact::RefundClosed { refund: 1, provider_id, intent: intent(), amount: usd(4_000), note: note() };
        assert_eq!((closed.facts, closed.tasks, closed.finished), (vec![fact], vec![], vec![]));
        let order = Order::restore(closed.order.data.clone()).unwrap();
        let refund = order.refund_numbered(1).unwrap();
        let closing = Some(Closing { at: at(500), amount: usd(4_000) });
        assert_eq!((refund.closing, refund.status, order.updated_at), (closing, RefundStatus::Failed, at(500)));
        let other = NewClosing { amount: Some(usd(1)), note: Note::new("another note").unwrap() };
        assert_eq!(order.close_refund(1, &other, at(600)), Ok(Decision::unchanged(order.clone())));
    }

    #[test]
    fn a_refund_that_stripe_may_make_is_not_closed() {
        for status in RefundStatus::ALL.into_iter().filter(|it| *it != RefundStatus::Failed) {
            let order = if status == RefundStatus::Requested {
                paid().refund(&of(4_000), at(400)).unwrap().0.order
            } else {
                refunded(&paid(), 4_000, status)
            };
            assert_eq!(order.close_refund(1, &whole(), at(500)), Err(CloseError::NotFailed { status }));
            assert_eq!(order.close_refund(2, &whole(), at(500)), Err(CloseError::NotFound { number: 2 }));
        }
    }

    #[test]
    fn a_closed_refund_leaves_the_money_at_stripe_and_is_not_offered_again() {
        let failed = refunded(&paid(), 4_000, RefundStatus::Failed);
        let closed = failed.close_refund(1, &whole(), at(500)).unwrap().order;
        assert_eq!((closed.left_of(&intent()), closed.payment_state()), (usd(11_500), PaymentState::Paid));
        assert_eq!((failed.closed_of(&intent()), closed.closed_of(&intent())), (usd(0), usd(4_000)));
        let all = |order: &Order| {
            order
                .refund(&NewRefund::default(), at(600))
                .map(|(it, number)| it.order.refund_numbered(number).map(|it| it.amount))
        };
        assert_eq!((all(&failed), all(&closed)), (Ok(Some(usd(11_500))), Ok(Some(usd(7_500)))));
        // An amount that is named is refunded all the same.
        assert!(closed.refund(&of(11_500), at(600)).is_ok());
        let whole = refunded(&closed, 7_500, RefundStatus::Succeeded);
        assert_eq!(all(&whole), Err(RefundError::NothingLeft));
        assert!(whole.refund(&of(4_000), at(600)).is_ok());
    }

    /// The same money was refunded twice without success, and went back by bank once.
    #[test]
    fn a_closing_says_how_much_of_a_refund_went_back() {
        let failed = refunded(&paid(), 4_000, RefundStatus::Failed);
        let twice = refunded(&failed, 4_000, RefundStatus::Failed);
        let closing = |minor| NewClosing { amount: Some(usd(minor)), note: note() };
        let most = usd(4_000);
        assert_eq!(twice.close_refund(2, &closing(4_001), at(500)), Err(CloseError::Amount { most }));
        assert_eq!(twice.close_refund(2, &whole(), at(500)), Err(CloseError::AmountNotNamed));
        let one = twice.close_refund(2, &closing(4_000), at(500)).unwrap().order;
        assert_eq!(one.close_refund(1, &whole(), at(500)), Err(CloseError::AmountNotNamed));
        assert!(one.awaits_decision(one.refund_numbered(1).unwrap()));
        let both = one.close_refund(1, &closing(0), at(510)).unwrap().order;
        assert_eq!((both.closed_of(&intent()), both.left_of(&intent())), (usd(4_000), usd(11_500)));
        assert!(both.refunds.iter().all(|it| !both.awaits_decision(it)));
        let all = refunded(&refunded(&paid(), 11_500, RefundStatus::Failed), 11_500, RefundStatus::Failed);
        let one = all.close_refund(1, &closing(11_500), at(500)).unwrap().order;
        assert_eq!(one.close_refund(2, &closing(1), at(510)), Err(CloseError::Amount { most: usd(0) }));
        assert!(one.close_refund(2, &closing(0), at(510)).is_ok());
    }

    #[test]
    fn a_refund_that_a_later_one_makes_up_for_is_not_closed() {
        let failed = refunded(&paid(), 4_000, RefundStatus::Failed);
        let again = refunded(&failed, 4_000, RefundStatus::Pending);
        assert_eq!(again.close_refund(1, &whole(), at(500)), Err(CloseError::MadeUpFor));
        let part = refunded(&failed, 3_999, RefundStatus::Pending);
        assert!(part.close_refund(1, &whole(), at(500)).is_ok());
    }

    /// A refund that was given up for one made in the dashboard, and that Stripe has made after all.
    #[test]
    fn a_closed_refund_that_was_made_after_all_is_told() {
        let requested = paid().refund(&of(11_500), at(400)).unwrap().0.order;
        let name = requested.refund_numbered(1).map(|it| it.name(requested.id));
        let elsewhere = update("re_1", None, 4_000, RefundStatus::Succeeded);
        let given_up = requested.update_refund(&elsewhere, at(410)).unwrap().order;
        let closed = given_up.close_refund(1, &whole(), at(500)).unwrap().order;
        assert_eq!(closed.closed_of(&intent()), usd(7_500));
        let returned = update("re_1", None, 4_000, RefundStatus::Failed);
        let open = closed.update_refund(&returned, at(510)).unwrap().order;
        let made = open.update_refund(&update("re_2", name, 11_500, RefundStatus::Succeeded), at(520)).unwrap().order;
        assert_eq!((made.left_of(&intent()), made.payment_state()), (usd(0), PaymentState::Refunded));
        let told = AnomalyKind::Notice(NoticeKind::ClosedRefundMade { refund: 1 });
        assert!(made.anomalies.iter().any(|it| it.kind == told), "{:?}", made.anomalies);
    }

    #[test]
    fn a_second_payment_is_no_longer_held_once_its_failed_refund_is_closed() {
        let policies = Policies { second_payment: Policy::HoldForReview, ..Policies::DEFAULT };
        let order = paid();
        let second = IntentId::new("pi_2").unwrap();
        let created = IntentSnapshot::new(second.clone(), order.id, order.total, at(320));
        let seen = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
        let held = order.settle(&seen, &policies, at(320)).unwrap().order;
        let new = NewRefund { intent: Some(second.clone()), ..NewRefund::default() };
        let (requested, number) = held.refund(&new, at(400)).unwrap();
        let name = Some(requested.order.refund_numbered(number).unwrap().name(order.id));
        let made = update("re_2", name, 11_500, RefundStatus::Failed);
        let failed = requested.order.update_refund(&super::super::RefundSnapshot { intent: second, ..made }, at(410));
        let failed = failed.unwrap().order;
        assert!(failed.is_held_for_review());
        assert!(!failed.close_refund(number, &whole(), at(500)).unwrap().order.is_held_for_review());
    }

    /// The first payment of another amount went back in cash, and a second one is held.
    #[test]
    fn a_refund_takes_the_payment_that_waits_for_a_decision() {
        let received = |order: &Order, name: &str, minor| {
            let created = IntentSnapshot::new(IntentId::new(name).unwrap(), order.id, order.total, at(300));
            let seen = IntentSnapshot { status: IntentStatus::Succeeded, received: usd(minor), ..created };
            order.settle(&seen, &Policies::DEFAULT, at(300)).unwrap().order
        };
        let failed = refunded(&received(&placed(), "pi_1", 10_000), 10_000, RefundStatus::Failed);
        let closed = failed.close_refund(1, &whole(), at(500)).unwrap().order;
        assert!(failed.is_held_for_review() && !closed.is_held_for_review());
        let held = received(&closed, "pi_2", 9_000);
        let (refund, number) = held.refund(&NewRefund::default(), at(600)).unwrap();
        let refund = refund.order.refund_numbered(number).map(|it| (it.intent.as_str().to_owned(), it.amount));
        assert_eq!(refund, Some(("pi_2".to_owned(), usd(9_000))));
    }
}
