//! Confirmation of payments at Stripe. An event pays an order at once; the PaymentIntent is then read, and where Stripe
//! has received less than the event reported, its answer wins.

use crate::anomaly::{AnomalyKind, Mismatch, Policies};
use crate::intent::{IntentError, IntentStatus, PaymentIntent, SettleError};
use crate::order::OrderState;
use crate::refund::{Refund, RefundFailure, RefundOrigin, RefundStatus};
use crate::{Decision, IntentId, IntentSnapshot, Money, Order, Task, Timestamp};

/// Amounts of a [`Mismatch::PaymentNotConfirmed`]: reported by events, and received according to Stripe.
const fn unconfirmed(kind: AnomalyKind) -> Option<(Money, Money)> {
    match kind {
        AnomalyKind::Mismatch { mismatch: Mismatch::PaymentNotConfirmed { reported, received }, .. } => {
            Some((reported, received))
        }
        AnomalyKind::Mismatch {
            mismatch:
                Mismatch::PaidAfterCancel { .. }
                | Mismatch::SecondPayment { .. }
                | Mismatch::AmountDiffers { .. }
                | Mismatch::WrongCurrency { .. }
                | Mismatch::WrongLivemode { .. },
            ..
        }
        | AnomalyKind::Notice(_) => None,
    }
}

impl Order {
    /// Whether Stripe's last answer shows a smaller payment than an event reported.
    pub fn is_not_confirmed(&self, intent: &IntentId) -> bool {
        let of_intent = self.anomalies.iter().filter(|it| it.intent.as_ref() == Some(intent));
        of_intent.filter_map(|it| unconfirmed(it.kind)).any(|(reported, _)| self.lacks_money(intent, reported))
    }

    /// Whether a policy's refund of `intent` was dropped because no money was received, and money was received since that
    /// nobody has decided on.
    pub(crate) fn has_late_money(&self, intent: &IntentId) -> bool {
        let is_dropped = |it: &Refund| {
            let has_failed =
                it.status == RefundStatus::Failed && it.failure == Some(RefundFailure::PaymentNotConfirmed);
            it.intent == *intent && it.origin == RefundOrigin::Policy && has_failed
        };
        let pays = self.paid_by().is_some_and(|it| it.id == *intent);
        !pays && self.refunds.iter().any(is_dropped) && !self.left_to_decide_of(intent).is_zero()
    }

    /// Whether `intent` has received less than was `reported`, and less than is due of it.
    pub(crate) fn lacks_money(&self, intent: &IntentId, reported: Money) -> bool {
        self.intent(intent).is_some_and(|it| {
            let due = it.amount_due(self.total);
            it.received.minor() < reported.minor().min(due.minor())
        })
    }

    /// Records a PaymentIntent as Stripe answered it after this order was loaded; `None` where Stripe has no such
    /// intent of this order. Unlike an event the answer may lower the known amount: the commit must name the version of
    /// this order, so that nothing newer is overwritten.
    ///
    /// If Stripe has less than an event reported, the order keeps its state and is held for review by
    /// [`Mismatch::PaymentNotConfirmed`], and only what Stripe has can be refunded.
    pub fn payment_read(
        &self,
        intent: &IntentId,
        read: Option<&IntentSnapshot>,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Decision, SettleError> {
        let read = read.filter(|it| it.order == Some(self.id) && it.livemode == self.livemode);
        let mut decision = match read {
            Some(snapshot) => self.settle(snapshot, policies, now)?,
            None => Decision::unchanged(self.clone()),
        };
        let known = decision.order.intent(intent).cloned();
        if let Some(known) = known.filter(PaymentIntent::awaits_confirmation) {
            decision.correct(&known, read, *policies, now);
        }
        Ok(decision.dated_by_facts(now))
    }
}

impl Decision {
    /// Schedules a read of a payment that only events have reported, until Stripe confirms it.
    pub(crate) fn watch_confirmation(&mut self, before: Option<&PaymentIntent>, after: &PaymentIntent) {
        let task = || Task::ConfirmPayment { intent: after.id.clone() };
        let was_reported = before.is_some_and(PaymentIntent::awaits_confirmation);
        let is_more = before.is_none_or(|it| after.received.minor() > it.received.minor());
        if after.awaits_confirmation() && (is_more || !was_reported) {
            self.tasks.push(task());
        }
        if was_reported && !after.awaits_confirmation() {
            self.finished.push(task().key());
        }
    }

    /// Whether the order is paid by an event that Stripe has not confirmed. Schedules the confirmation, also for an
    /// order that was paid before confirmations were scheduled with each payment.
    pub(crate) fn waits_for_confirmation(&mut self) -> bool {
        let Some(by) = self.order.paid_by() else { return false };
        if self.order.is_not_confirmed(&by.id) {
            return true;
        }
        if !by.awaits_confirmation() {
            return false;
        }
        let intent = by.id.clone();
        let task = Task::ConfirmPayment { intent };
        if !self.tasks.contains(&task) {
            self.tasks.push(task);
        }
        true
    }

    /// Lowers the amount of a payment that only events have reported to the amount of Stripe's answer.
    fn correct(&mut self, reported: &PaymentIntent, read: Option<&IntentSnapshot>, policies: Policies, now: Timestamp) {
        let has_succeeded = |it: &&IntentSnapshot| it.status == IntentStatus::Succeeded;
        let final_answer = read.filter(has_succeeded).filter(|it| it.received.currency() == reported.currency());
        let received = final_answer.map_or(Money::zero(reported.currency()), |it| it.received);
        self.drop_refunds_beyond(&reported.id, received);
        let refunded = Money::new(self.order.refunded_of(&reported.id), reported.currency()).unwrap_or(received);
        let mut after = reported.clone();
        after.received = if refunded.minor() > received.minor() { refunded } else { received };
        if final_answer.is_some() {
            after.confirmed_at = Some(now);
            self.finished.push(Task::ConfirmPayment { intent: reported.id.clone() }.key());
        }
        if let Some(place) = self.order.data.intents.iter_mut().find(|it| it.id == reported.id) {
            *place = after.clone();
        }
        let mismatch = Mismatch::PaymentNotConfirmed { reported: reported.received, received };
        let reason = read.map_or(IntentError::RESOURCE_MISSING, |it| it.status.name());
        self.record_mismatch(reported.id.clone(), mismatch, policies.on(mismatch), Some(reason.to_owned()), now);
        match &self.order.state {
            OrderState::Paid { by, .. } if *by == reported.id => self.pay_by_another(now),
            OrderState::Open if final_answer.is_some() && refunded.is_zero() => {
                self.apply_payment(&after, policies, now);
            }
            OrderState::Open | OrderState::Paid { .. } | OrderState::Canceled { .. } => {}
        }
    }

    /// Fails requested refunds that Stripe has not reported, as far as they come to more than was received: Stripe
    /// cannot have made all of them.
    fn drop_refunds_beyond(&mut self, intent: &IntentId, received: Money) {
        while self.order.refunded_of(intent) > received.minor() {
            let Some(number) = self.unreported_refund(intent, None) else { return };
            self.move_refund(number, RefundStatus::Failed, Some(RefundFailure::PaymentNotConfirmed));
        }
    }

    /// Number of the last requested refund of `intent` that Stripe has not reported, of any origin or of `origin`.
    fn unreported_refund(&self, intent: &IntentId, origin: Option<RefundOrigin>) -> Option<u32> {
        let mut refunds = self.order.refunds.iter().rev();
        let unreported = refunds.find(|it| {
            let is_requested = it.status == RefundStatus::Requested && it.provider_id.is_none();
            it.intent == *intent && is_requested && origin.is_none_or(|origin| it.origin == origin)
        });
        unreported.map(|it| it.number)
    }

    /// Replaces a payment that only an event reported by another intent that has received the amount due, if there is
    /// one: that intent counted as a second payment until now. Its refund is sent only after the first payment is
    /// confirmed, so that a refund that was decided on can be dropped.
    fn pay_by_another(&mut self, now: Timestamp) {
        let (state, total) = (self.order.state.clone(), self.order.total);
        let OrderState::Paid { by, .. } = state else { return };
        let mut others = self.order.intents.iter().filter(|it| it.id != by && it.status == IntentStatus::Succeeded);
        let Some(other) = others.find(|it| it.received == it.amount_due(total)).cloned() else {
            return;
        };
        if let Some(number) = self.unreported_refund(&other.id, Some(RefundOrigin::Policy)) {
            self.move_refund(number, RefundStatus::Failed, Some(RefundFailure::Superseded));
        }
        if self.order.refunded_of(&other.id) == 0 {
            self.order.data.state = OrderState::Paid { by: other.id, at: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use crate::intent::{IntentPlan, RequestIntentError};
    use crate::operation::{CancelError, CaptureError, EditError, NotNow};
    use crate::order::tests::{at, edit, placed, usd};
    use crate::order::{CancelReason, PaymentState};
    use crate::refund::{NewRefund, RefundError};

    fn id(text: &str) -> IntentId {
        IntentId::new(text).unwrap()
    }

    fn seen(order: &Order, intent: &str, status: IntentStatus, received: i64) -> IntentSnapshot {
        let created = IntentSnapshot::new(id(intent), order.id, order.total, at(300));
        IntentSnapshot { status, received: usd(received), ..created }
    }

    fn issued() -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order requests an intent")
        };
        let answer = seen(&requested.order, "pi_1", IntentStatus::RequiresPaymentMethod, 0);
        requested.order.settle(&answer, &Policies::DEFAULT, at(201)).unwrap().order
    }

    fn settle(order: &Order, snapshot: &IntentSnapshot) -> Decision {
        order.settle(snapshot, &Policies::DEFAULT, at(301)).unwrap()
    }

    fn event(order: &Order, intent: &str) -> IntentSnapshot {
        seen(order, intent, IntentStatus::Succeeded, 11_500).delivered_by_webhook()
    }

    fn paid_by_event() -> Order {
        settle(&issued(), &event(&issued(), "pi_1")).order
    }

    fn read(order: &Order, intent: &str, status: IntentStatus, received: i64) -> Decision {
        let answer = seen(order, intent, status, received);
        restored(order.payment_read(&id(intent), Some(&answer), &Policies::DEFAULT, at(400)).unwrap())
    }

    /// Checks that the decision's order can be restored from its stored form.
    fn restored(decision: Decision) -> Decision {
        assert_eq!(Order::restore(decision.order.data.clone()).as_ref(), Ok(&decision.order));
        decision
    }

    fn not_confirmed(order: &Order) -> Vec<(Money, Money)> {
        order.anomalies.iter().filter_map(|it| unconfirmed(it.kind)).collect()
    }

    const fn task(intent: IntentId) -> Task {
        Task::ConfirmPayment { intent }
    }

    #[test]
    fn a_payment_reported_by_an_event_is_confirmed_later_and_one_in_an_answer_at_once() {
        let by_event = settle(&issued(), &event(&issued(), "pi_1"));
        assert_eq!((by_event.order.payment_state(), by_event.order.status_name()), (PaymentState::Paid, "paid"));
        assert_eq!(by_event.tasks, [task(id("pi_1"))]);
        assert!(by_event.order.paid_by().unwrap().awaits_confirmation());
        let by_answer = settle(&issued(), &seen(&issued(), "pi_1", IntentStatus::Succeeded, 11_500));
        assert_eq!(by_answer.tasks, []);
        assert_eq!(by_answer.order.paid_by().unwrap().confirmed_at, Some(at(301)));
    }

    #[test]
    fn an_answer_confirms_a_payment_once_whether_settled_or_read() {
        let settled = settle(&paid_by_event(), &seen(&paid_by_event(), "pi_1", IntentStatus::Succeeded, 11_500));
        let read = read(&paid_by_event(), "pi_1", IntentStatus::Succeeded, 11_500);
        for (decided, now) in [(settled, at(301)), (read, at(400))] {
            assert_eq!(decided.facts, [Fact::PaymentConfirmed { intent: id("pi_1"), received: usd(11_500) }]);
            assert_eq!(
                (decided.tasks.as_slice(), decided.finished.as_slice()),
                (&[][..], &[task(id("pi_1")).key()][..])
            );
            assert_eq!(decided.order.paid_by().unwrap().confirmed_at, Some(now));
            assert_eq!(decided.order.attempt, paid_by_event().attempt, "the intent has not ended again");
            let again = settle(&decided.order, &event(&issued(), "pi_1"));
            assert_eq!(again, Decision::unchanged(decided.order.clone()), "an event after the answer");
        }
    }

    #[test]
    fn an_older_answer_after_an_event_changes_nothing() {
        let late = settle(&paid_by_event(), &seen(&paid_by_event(), "pi_1", IntentStatus::RequiresPaymentMethod, 0));
        assert_eq!(late, Decision::unchanged(paid_by_event()));
    }

    #[test]
    fn an_order_is_held_while_stripe_has_less_than_an_event_reported() {
        use IntentStatus::{Canceled, Processing, RequiresPaymentMethod, Succeeded};
        for (status, received) in [(RequiresPaymentMethod, 0), (Processing, 0), (Canceled, 0), (Succeeded, 400)] {
            let held = read(&paid_by_event(), "pi_1", status, received);
            let order = &held.order;
            assert_eq!(not_confirmed(order), [(usd(11_500), usd(received))], "{status}");
            assert_eq!((order.status_name(), order.payment_state()), ("open", PaymentState::Review), "{status}");
            assert_eq!((order.is_paid(), order.is_complete(), order.is_held_for_review()), (false, false, true));
            assert_eq!(order.state, paid_by_event().state, "the stored state stays paid");
            let again = order.payment_read(&id("pi_1"), None, &Policies::DEFAULT, at(500)).unwrap();
            assert_eq!(again, Decision::unchanged(order.clone()), "{status}");
            // The order is paid again, without a second `order.paid`.
            let paid = read(order, "pi_1", Succeeded, 11_500);
            assert_eq!(
                (paid.order.status_name(), paid.order.payment_state()),
                ("paid", PaymentState::Paid),
                "{status}"
            );
            assert!(!paid.facts.iter().any(|it| matches!(it, Fact::OrderPaid { .. })), "{:?}", paid.facts);
            assert!(!paid.order.is_held_for_review() && !paid.order.paid_by().unwrap().awaits_confirmation());
        }
        let unknown = paid_by_event().payment_read(&id("pi_1"), None, &Policies::DEFAULT, at(400)).unwrap();
        assert_eq!(unknown.order.payment_state(), PaymentState::Review);
        assert_eq!(unknown.order.anomalies[0].reason.as_deref(), Some("resource_missing"));
    }

    #[test]
    fn a_payment_of_another_order_confirms_nothing() {
        let of_another =
            IntentSnapshot { order: None, ..seen(&paid_by_event(), "pi_1", IntentStatus::Succeeded, 11_500) };
        let held = paid_by_event().payment_read(&id("pi_1"), Some(&of_another), &Policies::DEFAULT, at(400)).unwrap();
        assert_eq!(held.order.payment_state(), PaymentState::Review);
        let settled = settle(&paid_by_event(), &of_another).order;
        assert!(settled.paid_by().unwrap().awaits_confirmation());
    }

    #[test]
    fn an_order_whose_payment_is_not_confirmed_refuses_every_change() {
        let order = read(&paid_by_event(), "pi_1", IntentStatus::RequiresPaymentMethod, 0).order;
        let held = NotNow::HeldForReview;
        assert_eq!(order.request_intent(at(500)), Err(RequestIntentError::HeldForReview));
        assert_eq!(order.edit(edit(600), at(500)), Err(EditError::NotNow(held)));
        assert_eq!(order.cancel(CancelReason::Abandoned, at(500)), Err(CancelError::NotNow(held)));
        assert_eq!(order.capture(None, at(500)), Err(CaptureError::NotNow(held)));
        assert_eq!(order.refund(&NewRefund::default(), at(500)), Err(RefundError::NothingReceived));
        assert_eq!(order.settle(&event(&order, "pi_1"), &Policies::DEFAULT, at(500)), Err(SettleError::NotConfirmed));
    }

    #[test]
    fn a_refund_of_money_that_stripe_does_not_have_fails() {
        let (refunded, number) = paid_by_event().refund(&NewRefund::default(), at(310)).unwrap();
        let held = read(&refunded.order, "pi_1", IntentStatus::RequiresPaymentMethod, 0);
        let refund = held.order.refund_numbered(number).unwrap();
        assert_eq!((refund.status, &refund.failure), (RefundStatus::Failed, &Some(RefundFailure::PaymentNotConfirmed)));
        assert!(held.finished.contains(&Task::Refund { refund: number }.key()));
        let part = NewRefund { amount: Some(usd(300)), ..NewRefund::default() };
        let (refunded, number) = paid_by_event().refund(&part, at(310)).unwrap();
        let held = read(&refunded.order, "pi_1", IntentStatus::Succeeded, 400);
        assert_eq!(held.order.refund_numbered(number).unwrap().status, RefundStatus::Requested);
        assert_eq!(held.order.left_of(&id("pi_1")), usd(100));
    }

    /// Found by the simulator: a refunded payment was refunded again when Stripe confirmed it.
    #[test]
    fn a_confirmed_payment_is_not_decided_on_again() {
        let less = seen(&issued(), "pi_1", IntentStatus::Succeeded, 400).delivered_by_webhook();
        let held = settle(&issued(), &less).order;
        let refunded = held.refund(&NewRefund::default(), at(310)).unwrap().0.order;
        let canceled = refunded.cancel(CancelReason::Abandoned, at(311)).unwrap().order;
        let confirmed = restored(read(&canceled, "pi_1", IntentStatus::Succeeded, 400));
        assert_eq!(confirmed.facts, [Fact::PaymentConfirmed { intent: id("pi_1"), received: usd(400) }]);
        assert_eq!(confirmed.order.refunds, canceled.refunds);
    }

    #[test]
    fn money_received_after_its_refund_by_a_policy_was_dropped_is_held_for_review() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap().order;
        let forged = settle(&canceled, &event(&canceled, "pi_9")).order;
        let held = restored(forged.payment_read(&id("pi_9"), None, &Policies::DEFAULT, at(400)).unwrap()).order;
        assert_eq!((held.refunds[0].status, held.payment_state()), (RefundStatus::Failed, PaymentState::Review));
        let late = read(&held, "pi_9", IntentStatus::Succeeded, 11_500).order;
        assert_eq!((late.refunds.len(), late.payment_state()), (1, PaymentState::Review));
        let refunded = late.refund(&NewRefund::default(), at(500)).unwrap().0.order;
        assert_eq!(refunded.payment_state(), PaymentState::Unpaid);
    }

    #[test]
    fn an_event_that_reports_more_than_is_due_is_corrected_by_the_answer() {
        let more = seen(&issued(), "pi_1", IntentStatus::Succeeded, 20_000).delivered_by_webhook();
        let reported = settle(&issued(), &more);
        assert_eq!(
            (reported.order.payment_state(), reported.tasks.as_slice()),
            (PaymentState::Review, &[task(id("pi_1"))][..])
        );
        let paid = read(&reported.order, "pi_1", IntentStatus::Succeeded, 11_500);
        assert_eq!((paid.order.status_name(), paid.order.payment_state()), ("paid", PaymentState::Paid));
        assert_eq!(paid.order.left_of(&id("pi_1")), usd(11_500));
        // The same where the answer comes first.
        let confirmed = settle(&issued(), &seen(&issued(), "pi_1", IntentStatus::Succeeded, 11_500)).order;
        let reported = settle(&confirmed, &more);
        assert_eq!(reported.tasks, [task(id("pi_1"))]);
        assert!(reported.order.paid_by().unwrap().awaits_confirmation());
        let paid = read(&reported.order, "pi_1", IntentStatus::Succeeded, 11_500).order;
        assert_eq!((paid.payment_state(), paid.left_of(&id("pi_1"))), (PaymentState::Paid, usd(11_500)));
    }

    #[test]
    fn a_real_payment_pays_an_order_that_a_forged_event_had_paid_by_another_intent() {
        let forged = settle(&issued(), &event(&issued(), "pi_forged"));
        assert_eq!(forged.order.paid_by().map(|it| &it.id), Some(&id("pi_forged")));
        assert_eq!(
            forged.order.operation, None,
            "the payable intent stays open until Stripe has confirmed the payment"
        );
        let answer = |order: &Order| seen(order, "pi_1", IntentStatus::Succeeded, 11_500);
        let read_nothing =
            |order: &Order| order.payment_read(&id("pi_forged"), None, &Policies::DEFAULT, at(400)).unwrap();
        let first_read = settle(&restored(read_nothing(&forged.order)).order, &answer(&forged.order));
        let second = settle(&forged.order, &answer(&forged.order)).order;
        let refund = &second.refunds[0];
        assert_eq!((&refund.intent, refund.status), (&id("pi_1"), RefundStatus::Requested));
        let then_read = read_nothing(&second);
        for decided in [first_read, then_read] {
            let order = restored(decided).order;
            assert_eq!(order.paid_by().map(|it| &it.id), Some(&id("pi_1")));
            assert_eq!((order.status_name(), order.payment_state()), ("paid", PaymentState::Paid));
            assert_eq!(order.refunded_of(&id("pi_1")), 0, "the money of the only payment stays");
        }
    }

    #[test]
    fn a_payable_intent_beside_a_payment_is_canceled_once_stripe_has_confirmed_the_payment() {
        let by_event = settle(&issued(), &event(&issued(), "pi_2"));
        assert!(by_event.tasks.contains(&task(id("pi_2"))) && by_event.order.operation.is_none());
        let confirmed = read(&by_event.order, "pi_2", IntentStatus::Succeeded, 11_500);
        assert_eq!(confirmed.order.operation.as_ref().map(|it| &it.intent), Some(&id("pi_1")));
    }
}
