//! Acceptance of money of another amount than is due: a person decides that it pays the order all the same.

use thiserror::Error;

use crate::anomaly::{Anomaly, AnomalyKind, Mismatch, Policy};
use crate::intent::{IntentStatus, PaymentIntent};
use crate::operation::NotNow;
use crate::order::OrderState;
use crate::text::Note;
use crate::{Decision, Fact, IntentId, Money, Order, Timestamp};

/// Acceptance of money that is held for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAcceptance {
    /// PaymentIntent whose money is accepted; by default the only one whose money is held for its amount.
    pub intent: Option<IntentId>,
    /// Amount that is accepted. If it is given and is not the amount received, the acceptance is refused.
    pub amount: Option<Money>,
    /// Why the money is accepted.
    pub note: Note,
}

/// Why a payment is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AcceptError {
    /// No money of another amount than is due is held for review. Money of another currency or mode, a second payment, and
    /// money for a canceled order can be refunded, and not accepted.
    #[error("no money of another amount than is due is held for review, or none of the PaymentIntent that was named")]
    NotHeld,
    /// The money of several PaymentIntents is held for review.
    #[error("the money of several PaymentIntents is held for review: one must be named")]
    Several,
    /// The order is paid by another PaymentIntent.
    #[error("the order is paid by another PaymentIntent: refund this money instead")]
    Paid,
    /// The order is canceled.
    #[error("the order is canceled: refund the money instead")]
    Canceled,
    /// The amount is not the one that was received.
    #[error("the amount to accept must be {}, which was received", .received.to_decimal())]
    Amount {
        /// Amount received.
        received: Money,
    },
    /// The bank has taken money of the payment back, or may do so.
    #[error(
        "the payment is disputed, and the bank has taken money of it back: answer the dispute, or refund what is left"
    )]
    Disputed,
    /// Only events have reported the payment so far.
    #[error("Stripe has not confirmed the payment yet")]
    NotConfirmed,
    /// The order cannot be changed at this time.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

impl NewAcceptance {
    fn check_amount(&self, received: Money) -> Result<(), AcceptError> {
        if self.amount.is_none_or(|it| it == received) { Ok(()) } else { Err(AcceptError::Amount { received }) }
    }
}

impl Order {
    /// Accepts money that is held for review because its amount is not the one due ([`Mismatch::AmountDiffers`]), as the
    /// payment of the order. An open order becomes paid. Its total stays as it is; the difference is an entry in the books. A
    /// repetition changes nothing.
    ///
    /// If more is received later, the order is held for review again.
    pub fn accept_payment(&self, new: &NewAcceptance, now: Timestamp) -> Result<Decision, AcceptError> {
        let is_named = |it: &&Anomaly| new.intent.is_none() || it.intent == new.intent;
        let of_amount = |it: &&Anomaly| it.kind.differing_amounts().is_some();
        let mut held = self.anomalies_in_review().filter(of_amount).filter(is_named);
        let Some(anomaly) = held.next() else {
            let mut accepted = self.anomalies.iter().filter(is_named).filter(|it| self.is_accepted(it));
            let accepted = accepted.find_map(Anomaly::accepted_amount).ok_or(AcceptError::NotHeld)?;
            return new.check_amount(accepted).map(|()| Decision::unchanged(self.clone()));
        };
        if held.next().is_some() {
            return Err(AcceptError::Several);
        }
        let intent = anomaly.intent.as_ref().and_then(|it| self.intent(it)).ok_or(AcceptError::NotHeld)?;
        self.check_acceptance_of(intent)?;
        new.check_amount(intent.received)?;
        let mut decision = Decision::unchanged(self.clone());
        decision.accept(intent, new.note.clone(), now);
        Ok(decision.dated(now))
    }

    /// PaymentIntents whose money is held for review for its amount, and can be accepted now.
    pub fn payments_to_accept(&self) -> impl Iterator<Item = &PaymentIntent> {
        let held = self.anomalies_in_review().filter(|it| it.kind.differing_amounts().is_some());
        let intents = held.filter_map(|it| self.intent(it.intent.as_ref()?));
        intents.filter(|it| self.check_acceptance_of(it).is_ok())
    }

    /// Amount due for the order: its total, or the amount that a person has accepted as its payment.
    pub fn amount_due(&self) -> Money {
        let accepted = self.paid_by().filter(|it| self.has_accepted(&it.id));
        accepted.map_or(self.total, |it| it.received)
    }

    /// Whether money of `intent` was accepted, and no more was received since.
    pub(crate) fn has_accepted(&self, intent: &IntentId) -> bool {
        self.anomalies.iter().any(|it| it.intent.as_ref() == Some(intent) && self.is_accepted(it))
    }

    /// Whether the money that the anomaly is about was accepted, and no more was received since.
    pub(crate) fn is_accepted(&self, anomaly: &Anomaly) -> bool {
        let received = anomaly.intent.as_ref().and_then(|it| self.intent(it)).map(|it| it.received);
        anomaly.accepted_amount().is_some_and(|it| Some(it) == received)
    }

    fn check_acceptance_of(&self, intent: &PaymentIntent) -> Result<(), AcceptError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if *by == intent.id => {}
            OrderState::Paid { .. } => return Err(AcceptError::Paid),
            OrderState::Canceled { .. } => return Err(AcceptError::Canceled),
        }
        let is_reported_alone = intent.awaits_confirmation();
        if intent.status != IntentStatus::Succeeded || is_reported_alone {
            return Err(AcceptError::NotConfirmed);
        }
        if self.undisputed_of(&intent.id) != self.left_of(&intent.id) {
            return Err(AcceptError::Disputed);
        }
        if let Some(operation) = &self.operation {
            return Err(NotNow::OperationUnderWay(operation.kind.name()).into());
        }
        if self.requested.is_some() {
            return Err(NotNow::IntentRequested.into());
        }
        Ok(())
    }
}

impl Decision {
    /// Ends the hold for the money of `intent`, and makes an open order paid by it. From now on the amount due is that which
    /// was received.
    fn accept(&mut self, intent: &PaymentIntent, note: Note, now: Timestamp) {
        let expected = intent.amount_due(self.order.total);
        let received = intent.received;
        if let Some(known) = self.order.data.intents.iter_mut().find(|it| it.id == intent.id) {
            known.capture_requested = Some(received);
        }
        let is_of_amount =
            |it: &&mut Anomaly| it.intent.as_ref() == Some(&intent.id) && it.kind.differing_amounts().is_some();
        if let Some(anomaly) = self.order.data.anomalies.iter_mut().find(is_of_amount) {
            let mismatch = Mismatch::AmountDiffers { expected, received };
            anomaly.kind = AnomalyKind::Mismatch { mismatch, policy: Policy::HoldForReview };
            anomaly.accepted_at = Some(now);
        }
        self.facts.push(Fact::PaymentAccepted { intent: intent.id.clone(), expected, received, note });
        if matches!(self.order.state, OrderState::Open) {
            self.pay_by(intent, now);
        }
        self.cancel_needless_intent(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::Policies;
    use crate::dispute::{Dispute, DisputeStatus};
    use crate::id::DisputeId;
    use crate::intent::IntentPlan;
    use crate::operation::{CancelError, OperationKind};
    use crate::order::tests::{at, placed, usd};
    use crate::order::{CancelReason, PaymentState};
    use crate::refund::NewRefund;
    use crate::{Currency, Task};

    fn pi(name: &str) -> IntentId {
        IntentId::new(format!("pi_{name}")).unwrap()
    }

    fn acceptance() -> NewAcceptance {
        NewAcceptance { intent: None, amount: None, note: Note::new("rounding of the invoice").unwrap() }
    }

    /// Snapshot of a payment as Stripe answered it.
    fn received(order: &Order, intent: &str, received: Money) -> IntentSnapshot {
        let created = IntentSnapshot::new(pi(intent), order.id, order.total, at(300));
        IntentSnapshot { status: IntentStatus::Succeeded, received, ..created }
    }

    /// Order of 115.00 whose PaymentIntent has received this amount.
    fn paid_with(minor: i64) -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order requests an intent")
        };
        let order = requested.order;
        order.settle(&received(&order, "1", usd(minor)), &Policies::DEFAULT, at(300)).unwrap().order
    }

    #[test]
    fn money_of_another_amount_pays_the_order_once_it_is_accepted() {
        for minor in [10_000, 12_000] {
            let held = paid_with(minor);
            assert_eq!((held.is_paid(), held.payment_state()), (false, PaymentState::Review));
            let intents: Vec<_> = held.payments_to_accept().map(|it| &it.id).collect();
            assert_eq!(intents, [&pi("1")]);
            let accepted = held.accept_payment(&acceptance(), at(400)).unwrap();
            let order = Order::restore(accepted.order.data.clone()).unwrap();
            assert_eq!((order.is_paid(), order.payment_state()), (true, PaymentState::Paid));
            assert_eq!((order.total, order.is_held_for_review()), (usd(11_500), false));
            let note = acceptance().note;
            assert_eq!(
                accepted.facts,
                [
                    Fact::PaymentAccepted { intent: pi("1"), expected: usd(11_500), received: usd(minor), note },
                    Fact::OrderPaid { by: pi("1"), amount: usd(minor) },
                ]
            );
            assert_eq!((accepted.tasks, accepted.finished), (vec![], vec![Task::ExpireOrder.key()]));
            assert_eq!(order.accept_payment(&acceptance(), at(500)), Ok(Decision::unchanged(order.clone())));
            // The same snapshot again finds nothing that differs.
            let again = order.settle(&received(&order, "1", usd(minor)), &Policies::DEFAULT, at(500)).unwrap();
            assert_eq!(again, Decision::unchanged(order.clone()));
            let (refunded, _) = order.refund(&NewRefund::default(), at(600)).unwrap();
            assert_eq!(refunded.order.payment_state(), PaymentState::Refunded);
        }
    }

    #[test]
    fn an_acceptance_names_the_amount_that_was_received() {
        let held = paid_with(10_000);
        let named = |minor| NewAcceptance { amount: Some(usd(minor)), ..acceptance() };
        let received = usd(10_000);
        assert_eq!(held.accept_payment(&named(11_500), at(400)), Err(AcceptError::Amount { received }));
        let accepted = held.accept_payment(&named(10_000), at(400)).unwrap().order;
        assert_eq!(accepted.accept_payment(&named(11_500), at(500)), Err(AcceptError::Amount { received }));
        assert_eq!(accepted.accept_payment(&named(10_000), at(500)), Ok(Decision::unchanged(accepted.clone())));
    }

    #[test]
    fn only_money_of_another_amount_can_be_accepted() {
        let euros = Money::new(11_500, Currency::Eur).unwrap();
        let open = paid_with(10_000);
        let (returned, _) = open.refund(&NewRefund::default(), at(310)).unwrap();
        let paid = paid_with(11_500);
        let settle = |order: &Order, snapshot| {
            let policies = Policies { second_payment: Policy::HoldForReview, ..Policies::DEFAULT };
            order.settle(&snapshot, &policies, at(320)).unwrap().order
        };
        let in_euros = IntentSnapshot { amount: euros, ..received(&placed(), "2", euros) };
        let other_mode = IntentSnapshot { livemode: !placed().livemode, ..received(&placed(), "2", usd(10_000)) };
        for (order, what) in [
            (placed(), "nothing was received"),
            (returned.order, "all of it is refunded"),
            (paid.clone(), "the amount is the one due"),
            (settle(&paid, received(&paid, "2", usd(11_500))), "a second payment"),
            (settle(&placed(), in_euros), "another currency"),
            (settle(&placed(), other_mode), "another mode"),
        ] {
            assert_eq!(order.accept_payment(&acceptance(), at(400)), Err(AcceptError::NotHeld), "{what}");
            assert_eq!(order.payments_to_accept().count(), 0, "{what}");
        }
        let other = NewAcceptance { intent: Some(pi("2")), ..acceptance() };
        assert_eq!(open.accept_payment(&other, at(400)), Err(AcceptError::NotHeld));
        // Under the policy of a refund, the money is on its way back.
        let policies = Policies { amount_differs: Policy::Refund, ..Policies::DEFAULT };
        let sent_back = placed().settle(&received(&placed(), "2", usd(1)), &policies, at(320)).unwrap().order;
        assert_eq!(sent_back.accept_payment(&acceptance(), at(400)), Err(AcceptError::NotHeld));
    }

    #[test]
    fn money_is_accepted_once_stripe_has_confirmed_it() {
        let event = received(&placed(), "1", usd(10_000)).delivered_by_webhook();
        let reported = placed().settle(&event, &Policies::DEFAULT, at(300)).unwrap().order;
        assert_eq!(reported.accept_payment(&acceptance(), at(400)), Err(AcceptError::NotConfirmed));
        let read = received(&reported, "1", usd(10_000));
        let confirmed = reported.payment_read(&pi("1"), Some(&read), &Policies::DEFAULT, at(410)).unwrap().order;
        assert!(confirmed.accept_payment(&acceptance(), at(420)).unwrap().order.is_paid());
    }

    /// A forged event reports more than Stripe has, before an acceptance and after it.
    #[test]
    fn a_forged_report_of_more_neither_prevents_nor_undoes_an_acceptance() {
        let forge = |order: &Order, minor| {
            let event = IntentSnapshot { as_of: at(320), as_of_max: at(320), ..received(order, "1", usd(minor)) };
            let reported = order.settle(&event.delivered_by_webhook(), &Policies::DEFAULT, at(320)).unwrap().order;
            let read = IntentSnapshot { as_of: at(330), as_of_max: at(330), ..received(order, "1", usd(10_000)) };
            reported.payment_read(&pi("1"), Some(&read), &Policies::DEFAULT, at(330)).unwrap().order
        };
        for minor in [11_500, 12_000] {
            let before = forge(&paid_with(10_000), minor).accept_payment(&acceptance(), at(400)).unwrap().order;
            assert_eq!((before.is_paid(), before.is_held_for_review()), (true, false), "{minor}");
            let after = forge(&paid_with(10_000).accept_payment(&acceptance(), at(310)).unwrap().order, minor);
            assert_eq!((after.is_paid(), after.is_held_for_review()), (true, false), "{minor}");
        }
    }

    #[test]
    fn money_that_the_bank_has_taken_back_is_not_accepted_and_holds_nothing_once_it_is_lost() {
        let dispute = |status| Dispute {
            id: DisputeId::new("du_1").unwrap(),
            intent: pi("1"),
            amount: usd(10_000),
            status,
            reason: "fraudulent".into(),
            due_by: None,
            withdrawn: true,
            reinstated: status == DisputeStatus::Won,
        };
        let opened = paid_with(10_000).update_dispute(&dispute(DisputeStatus::NeedsResponse), at(350)).unwrap().order;
        assert_eq!(opened.accept_payment(&acceptance(), at(400)), Err(AcceptError::Disputed));
        assert_eq!((opened.is_held_for_review(), opened.payments_to_accept().count()), (true, 0));
        let lost = opened.update_dispute(&dispute(DisputeStatus::Lost), at(360)).unwrap().order;
        assert_eq!(lost.accept_payment(&acceptance(), at(400)), Err(AcceptError::NotHeld));
        assert_eq!(lost.payment_state(), PaymentState::Unpaid);
        let won = opened.update_dispute(&dispute(DisputeStatus::Won), at(360)).unwrap().order;
        assert!(won.is_held_for_review() && won.accept_payment(&acceptance(), at(400)).unwrap().order.is_paid());
    }

    #[test]
    fn of_several_payments_one_is_named_and_the_others_stay_held() {
        let one = paid_with(10_000);
        let both = one.settle(&received(&one, "2", usd(9_000)), &Policies::DEFAULT, at(310)).unwrap().order;
        assert_eq!(both.accept_payment(&acceptance(), at(400)), Err(AcceptError::Several));
        let second = NewAcceptance { intent: Some(pi("2")), ..acceptance() };
        let accepted = both.accept_payment(&second, at(400)).unwrap().order;
        assert_eq!(accepted.paid_by().map(|it| &it.id), Some(&pi("2")));
        let left: Vec<_> = accepted.anomalies_in_review().map(|it| it.intent.clone()).collect();
        assert_eq!(left, [Some(pi("1"))]);
        let first = NewAcceptance { intent: Some(pi("1")), ..acceptance() };
        assert_eq!(accepted.accept_payment(&first, at(500)), Err(AcceptError::Paid));
    }

    #[test]
    fn more_money_after_an_acceptance_is_held_again_and_can_be_accepted_too() {
        let accepted = paid_with(10_000).accept_payment(&acceptance(), at(400)).unwrap().order;
        let more = IntentSnapshot { as_of: at(500), as_of_max: at(500), ..received(&accepted, "1", usd(12_000)) };
        let grown = accepted.settle(&more, &Policies::DEFAULT, at(500)).unwrap().order;
        assert_eq!((grown.is_paid(), grown.is_held_for_review()), (true, true));
        let again = grown.accept_payment(&acceptance(), at(600)).unwrap();
        assert!(!again.order.is_held_for_review());
        let paid = again.facts.iter().filter(|it| matches!(it, Fact::OrderPaid { .. })).count();
        assert_eq!((again.facts.len(), paid), (1, 0), "the order was paid before");
    }

    #[test]
    fn an_intent_that_a_customer_could_still_pay_is_canceled_after_an_acceptance() {
        let created = IntentSnapshot::new(pi("2"), placed().id, placed().total, at(290));
        let issued = placed().settle(&created, &Policies::DEFAULT, at(290)).unwrap().order;
        let held = issued.settle(&received(&issued, "1", usd(10_000)), &Policies::DEFAULT, at(300)).unwrap().order;
        let accepted = held.accept_payment(&acceptance(), at(400)).unwrap();
        let operation = accepted.order.operation.as_ref().unwrap();
        assert_eq!((&operation.intent, operation.kind.name()), (&pi("2"), "cancel"));
        assert!(matches!(operation.kind, OperationKind::Cancel { reason: CancelReason::Duplicate }));
        assert_eq!(accepted.order.cancel(CancelReason::Abandoned, at(500)), Err(CancelError::Paid));
    }
}
