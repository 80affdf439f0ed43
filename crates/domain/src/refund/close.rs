//! Closing of a failed refund: a person has given its money back in another way, or nobody is owed it any more.

use thiserror::Error;

use super::{Refund, RefundStatus};
use crate::text::Note;
use crate::{Decision, Fact, IntentId, Money, Order, Timestamp};

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
}

impl Order {
    /// Closes a failed refund: its money went back in another way than by Stripe, as the note says, and nobody has to act on
    /// it. Stripe still holds the money, so what is refunded and what can be refunded stay as they are. A repetition
    /// changes nothing.
    pub fn close_refund(&self, number: u32, note: &Note, now: Timestamp) -> Result<Decision, CloseError> {
        let refund = self.refund_numbered(number).ok_or(CloseError::NotFound { number })?;
        let mut decision = Decision::unchanged(self.clone());
        if refund.closed_at.is_some() {
            return Ok(decision);
        }
        if refund.status != RefundStatus::Failed {
            return Err(CloseError::NotFailed { status: refund.status });
        }
        let (intent, amount, note) = (refund.intent.clone(), refund.amount, note.clone());
        if let Some(refund) = decision.order.data.refunds.iter_mut().find(|it| it.number == number) {
            refund.closed_at = Some(now);
        }
        decision.facts.push(Fact::RefundClosed { refund: number, intent, amount, note });
        Ok(decision.dated(now))
    }

    /// Amount of an intent that `left` leaves after its closed refunds, whose money went back in another way.
    pub(crate) fn less_closed_refunds(&self, intent: &IntentId, left: Money) -> Money {
        // One that was made after all is no longer among what is left.
        let is_closed =
            |it: &&Refund| it.intent == *intent && it.closed_at.is_some() && it.status == RefundStatus::Failed;
        let mut closed = self.refunds.iter().filter(is_closed);
        let rest = closed.try_fold(left, |rest, it| rest.minus(it.amount));
        // Each of two closed refunds may have been of the same money.
        rest.unwrap_or_else(|_| Money::zero(left.currency()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{intent, of, paid, update};
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::{AnomalyKind, NoticeKind, Policies, Policy};
    use crate::intent::IntentStatus;
    use crate::order::PaymentState;
    use crate::order::tests::{at, usd};
    use crate::refund::{NewRefund, RefundError};

    fn note() -> Note {
        Note::new("sent to the customer's bank").unwrap()
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
        let closed = failed.close_refund(1, &note(), at(500)).unwrap();
        let fact = Fact::RefundClosed { refund: 1, intent: intent(), amount: usd(4_000), note: note() };
        assert_eq!((closed.facts, closed.tasks, closed.finished), (vec![fact], vec![], vec![]));
        let order = Order::restore(closed.order.data.clone()).unwrap();
        let refund = order.refund_numbered(1).unwrap();
        assert_eq!((refund.closed_at, refund.status, order.updated_at), (Some(at(500)), RefundStatus::Failed, at(500)));
        let other = Note::new("another note").unwrap();
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
            assert_eq!(order.close_refund(1, &note(), at(500)), Err(CloseError::NotFailed { status }));
            assert_eq!(order.close_refund(2, &note(), at(500)), Err(CloseError::NotFound { number: 2 }));
        }
    }

    #[test]
    fn a_closed_refund_leaves_the_money_at_stripe_and_is_not_offered_again() {
        let failed = refunded(&paid(), 4_000, RefundStatus::Failed);
        let closed = failed.close_refund(1, &note(), at(500)).unwrap().order;
        assert_eq!((closed.left_of(&intent()), closed.payment_state()), (usd(11_500), PaymentState::Paid));
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

    /// A refund that was given up for one made in the dashboard, and that Stripe has made after all.
    #[test]
    fn a_closed_refund_that_was_made_after_all_is_told() {
        let requested = paid().refund(&of(11_500), at(400)).unwrap().0.order;
        let name = requested.refund_numbered(1).map(|it| it.name(requested.id));
        let elsewhere = update("re_1", None, 4_000, RefundStatus::Succeeded);
        let given_up = requested.update_refund(&elsewhere, at(410)).unwrap().order;
        let closed = given_up.close_refund(1, &note(), at(500)).unwrap().order;
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
        assert!(!failed.close_refund(number, &note(), at(500)).unwrap().order.is_held_for_review());
    }
}
