use thiserror::Error;

use crate::anomaly::{Anomaly, AnomalyKind, Mismatch, NoticeKind, Policies, Policy};
use crate::intent::{CaptureMethod, IntentStatus, PaymentIntent, Proceeds, SnapshotSource};
use crate::order::OrderState;
use crate::refund::{RefundOrigin, RefundReason};
use crate::{Decision, Fact, IntentId, IntentSnapshot, Money, Order, Task, Timestamp};

/// Why a snapshot of a PaymentIntent is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SettleError {
    /// The intent is not known as one of this order's, and its metadata does not make it one.
    #[error("the intent does not belong to the order")]
    NotOurs,
    /// A webhook reports a payment that Stripe did not confirm when it was read: it must be read again.
    #[error("Stripe did not confirm this payment when it was last read: it must be read again")]
    NotConfirmed,
}

impl Order {
    /// Records a snapshot of a PaymentIntent. This is the only way to [`OrderState::Paid`] by the amount that is due, for an
    /// answer to a request, a webhook, a callback and a poll alike; by another amount an order is paid by
    /// [`Order::accept_payment`] alone.
    ///
    /// Snapshots may be repeated and come in any order; one that changes nothing gives a decision without facts. Money
    /// that does not match the order becomes an [`Anomaly`], once for an intent, and is treated by `policies`.
    pub fn settle(
        &self,
        snapshot: &IntentSnapshot,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Decision, SettleError> {
        let mut decision = Decision::unchanged(self.clone());
        let known = self.intent(&snapshot.intent);
        if known.is_none() && !self.adopts(snapshot) {
            return Err(SettleError::NotOurs);
        }
        if snapshot.livemode != self.livemode {
            // A test payment does not concern a live order: not even its status is recorded.
            let mismatch = Mismatch::WrongLivemode { live: snapshot.livemode };
            decision.record_mismatch(snapshot.intent.clone(), mismatch, policies.on(mismatch), None, now);
            return Ok(decision.dated_by_facts(now));
        }
        let before = match known {
            Some(intent) => intent.clone(),
            None => decision.adopt(snapshot, now),
        };
        if snapshot.source == SnapshotSource::Webhook && self.is_not_confirmed(&snapshot.intent) {
            return Err(SettleError::NotConfirmed);
        }
        let mut after = before.fold(snapshot);
        after.confirmed_at = after.confirmed_by(snapshot, &before, self.id, now);
        let is_unchanged = known.is_some() && after == (PaymentIntent { as_of: after.as_of, ..before.clone() });
        if is_unchanged && !after.depends_on_as_of() {
            // A read that shows nothing new is not worth a commit.
            return Ok(decision);
        }
        if after.status != before.status || after.last_error != before.last_error {
            decision.facts.push(Fact::IntentChanged {
                intent: after.id.clone(),
                before: before.status,
                status: after.status,
                last_error: after.last_error.clone(),
            });
        }
        if before.awaits_confirmation() && !after.awaits_confirmation() {
            decision.facts.push(Fact::PaymentConfirmed { intent: after.id.clone(), received: after.received });
        }
        decision.watch(known, &after);
        if let Some(place) = decision.order.data.intents.iter_mut().find(|it| it.id == after.id) {
            *place = after.clone();
        }
        decision.resolve_operation(&after, now);
        // A confirmation of a known payment is no further money.
        let is_confirmed_alone = after == (PaymentIntent { confirmed_at: after.confirmed_at, ..before });
        if after.status == IntentStatus::Succeeded && !is_confirmed_alone {
            decision.apply_payment(&after, *policies, now);
        }
        decision.cancel_needless_intent(now);
        Ok(decision.dated_by_facts(now))
    }

    /// Records a notice that authorized money will be released soon, if it is neither captured nor released yet.
    pub fn authorization_expires(&self, intent: &IntentId, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        if self.intent(intent).is_some_and(|it| it.status == IntentStatus::RequiresCapture) {
            decision.record_notice(intent.clone(), NoticeKind::AuthorizationExpiring, None, now);
        }
        decision.dated_by_facts(now)
    }

    /// Records the balance transaction of a payment. The first one is kept: later changes of the balance are
    /// transactions of their own.
    pub fn proceeds_known(&self, intent: &IntentId, proceeds: Proceeds, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        let known = decision.order.data.intents.iter_mut().find(|it| it.id == *intent && it.proceeds.is_none());
        if let Some(known) = known {
            known.proceeds = Some(proceeds);
            let (gross, fee) = (proceeds.gross, proceeds.fee);
            decision.facts.push(Fact::ProceedsKnown { intent: intent.clone(), gross, fee });
        }
        decision.dated_by_facts(now)
    }

    /// Records a notice about one of the order's PaymentIntents.
    pub fn notice(&self, intent: &IntentId, kind: NoticeKind, reason: Option<String>, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        decision.record_notice(intent.clone(), kind, reason, now);
        decision.dated_by_facts(now)
    }

    /// Part of the total that a capture of `intent` has released, also where the capture was made elsewhere or the shop
    /// had requested another amount. `None` where it was no capture of an intent that was authorized for the total.
    fn released_by_capture_of(&self, intent: &PaymentIntent) -> Option<Money> {
        let is_for_the_total = self.capture == CaptureMethod::Manual && intent.amount == self.total;
        let released = self.total.minus(intent.received).ok()?;
        (is_for_the_total && !intent.received.is_zero()).then_some(released)
    }

    /// Whether an unknown intent becomes this order's: its metadata, which only a holder of the secret key can write,
    /// names the order, and the order has no other payable or requested intent. So an intent whose answer was lost is
    /// found by its first webhook. An intent that another program has made for the order is adopted once it has ended.
    fn adopts(&self, snapshot: &IntentSnapshot) -> bool {
        let is_awaited = || self.requested.is_none_or(|it| snapshot.revision >= Some(it.revision));
        let is_the_only_one = || self.payable_intent().is_none() && is_awaited();
        snapshot.order == Some(self.id) && (snapshot.status.is_terminal() || is_the_only_one())
    }
}

impl Decision {
    /// Adds an intent that is seen for the first time to the order.
    fn adopt(&mut self, snapshot: &IntentSnapshot, now: Timestamp) -> PaymentIntent {
        let data = &mut self.order.data;
        let revision = snapshot.revision.unwrap_or(data.revision);
        let intent = PaymentIntent::first_seen(snapshot, revision, now);
        data.intents.push(intent.clone());
        self.facts.push(Fact::IntentCreated { intent: intent.id.clone(), amount: intent.amount });
        if let Some(request) = data.requested.take_if(|it| snapshot.revision >= Some(it.revision)) {
            self.finished.push(Task::CreateIntent { request }.key());
        }
        intent
    }

    /// Schedules the polls of a payable intent and the notice before an authorization expires, and finishes those tasks
    /// at the intent's end.
    fn watch(&mut self, before: Option<&PaymentIntent>, after: &PaymentIntent) {
        let held = |it: &PaymentIntent| it.status == IntentStatus::RequiresCapture;
        let was_open = before.is_some_and(PaymentIntent::is_payable);
        let intent = || after.id.clone();
        if after.is_payable() && !was_open {
            self.tasks.push(Task::PollIntent { intent: intent() });
        }
        if held(after) && !before.is_some_and(held) {
            self.tasks.push(Task::WatchAuthorization { intent: intent() });
        }
        self.watch_confirmation(before, after);
        if after.status.is_terminal() && before.is_none_or(PaymentIntent::is_payable) {
            // Under the old key Stripe would answer with the intent that has just ended.
            self.order.data.attempt += 1;
            if was_open {
                self.finished.push(Task::PollIntent { intent: intent() }.key());
            }
            if before.is_some_and(held) {
                self.finished.push(Task::WatchAuthorization { intent: intent() }.key());
                if after.status == IntentStatus::Canceled {
                    self.facts.push(Fact::AuthorizationEnded { intent: intent() });
                }
            }
        }
    }

    /// Decides on the money that `intent` has received: it pays the order, or does not match it (another currency,
    /// another amount than is due, an order that is canceled or paid) and is treated by the policies. The amount due is
    /// the total, or the part of it that the shop has requested to capture, or that was captured at Stripe by another
    /// program.
    pub(crate) fn apply_payment(&mut self, intent: &PaymentIntent, policies: Policies, now: Timestamp) {
        let (expected, received) = (intent.amount_due(self.order.total), intent.received);
        let mismatch = if received.currency() == expected.currency() {
            match &self.order.state {
                OrderState::Canceled { .. } => Some(Mismatch::PaidAfterCancel { received }),
                OrderState::Paid { by, .. } if *by == intent.id => {
                    // More was received after it had paid the order.
                    (received != expected).then_some(Mismatch::AmountDiffers { expected, received })
                }
                OrderState::Paid { by, .. } if self.order.is_not_confirmed(by) && received == expected => {
                    // Stripe has no money of the intent that events reported. `order.paid` was recorded for it already.
                    self.order.data.state = OrderState::Paid { by: intent.id.clone(), at: now };
                    None
                }
                OrderState::Paid { .. } => Some(Mismatch::SecondPayment { received }),
                OrderState::Open if received == expected => {
                    self.pay_by(intent, now);
                    None
                }
                OrderState::Open => match self.order.released_by_capture_of(intent) {
                    Some(released) => {
                        self.pay_by(intent, now);
                        // The captured amount is the amount due from now on.
                        if let Some(known) = self.order.data.intents.iter_mut().find(|it| it.id == intent.id) {
                            known.capture_requested = Some(received);
                        }
                        if !released.is_zero() {
                            let kind = NoticeKind::PartiallyCaptured { captured: received, released };
                            self.record_notice(intent.id.clone(), kind, None, now);
                        }
                        None
                    }
                    None => Some(Mismatch::AmountDiffers { expected, received }),
                },
            }
        } else {
            Some(Mismatch::WrongCurrency { expected, received })
        };
        let Some(mismatch) = mismatch else { return };
        let policy = policies.on(mismatch);
        let is_new = self.record_mismatch(intent.id.clone(), mismatch, policy, None, now);
        match policy {
            Policy::Refund if is_new => {
                let is_second = matches!(mismatch, Mismatch::SecondPayment { .. });
                let reason = is_second.then_some(RefundReason::Duplicate);
                self.request_refund(intent.id.clone(), received, reason, RefundOrigin::Policy, now);
            }
            Policy::Refund | Policy::HoldForReview => {}
        }
    }

    /// Makes the order paid by the money of `intent`.
    pub(super) fn pay_by(&mut self, intent: &PaymentIntent, now: Timestamp) {
        let by = intent.id.clone();
        self.order.data.state = OrderState::Paid { by: by.clone(), at: now };
        self.facts.push(Fact::OrderPaid { by, amount: intent.received });
        self.finished.push(Task::ExpireOrder.key());
    }

    /// Records a notice, once for its intent and kind.
    pub(crate) fn record_notice(&mut self, intent: IntentId, kind: NoticeKind, reason: Option<String>, now: Timestamp) {
        self.record(intent, AnomalyKind::Notice(kind), reason, now);
    }

    /// Records money that does not match the order, once for its intent and kind. Returns whether it is new.
    pub(crate) fn record_mismatch(
        &mut self,
        intent: IntentId,
        mismatch: Mismatch,
        policy: Policy,
        reason: Option<String>,
        now: Timestamp,
    ) -> bool {
        self.record(intent, AnomalyKind::Mismatch { mismatch, policy }, reason, now)
    }

    fn record(&mut self, intent: IntentId, kind: AnomalyKind, reason: Option<String>, found_at: Timestamp) -> bool {
        let intent = Some(intent);
        if self.order.anomalies.iter().any(|it| it.intent == intent && it.kind.is_same(kind)) {
            return false;
        }
        let anomaly = Anomaly::new(intent, kind, reason, found_at);
        self.facts.push(Fact::AnomalyFound { anomaly: anomaly.clone() });
        self.order.data.anomalies.push(anomaly);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::intent::IntentPlan;
    use crate::order::tests::{at, new_order, placed, usd};
    use crate::order::{CancelReason, PaymentState};
    use crate::{Currency, IntentId, NewOrder, OrderId};

    fn seen(order: &Order, id: &str, status: IntentStatus, received: Money) -> IntentSnapshot {
        let created = IntentSnapshot::new(IntentId::new(id).unwrap(), order.id, order.total, at(300));
        IntentSnapshot { status, received, ..created }
    }

    fn success(order: &Order, id: &str) -> IntentSnapshot {
        seen(order, id, IntentStatus::Succeeded, order.total)
    }

    fn issued() -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order requests an intent")
        };
        let answer = seen(&requested.order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        requested.order.settle(&answer, &Policies::DEFAULT, at(201)).unwrap().order
    }

    fn policy_refunds(decided: &Decision) -> Vec<(IntentId, Money)> {
        let of_policy = decided.order.refunds.iter().filter(|it| it.origin == RefundOrigin::Policy);
        of_policy.map(|it| (it.intent.clone(), it.amount)).collect()
    }

    fn anomalies(order: &Order) -> Vec<&'static str> {
        order.anomalies.iter().map(|it| it.kind.name()).collect()
    }

    #[test]
    fn the_first_answer_finishes_the_request() {
        let IntentPlan::Create { request, decision: Some(requested) } = placed().request_intent(at(200)).unwrap()
        else {
            panic!("a new order requests an intent")
        };
        let answer = seen(&requested.order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        let decided = requested.order.settle(&answer, &Policies::DEFAULT, at(201)).unwrap();
        assert_eq!(decided.finished, [Task::CreateIntent { request }.key()]);
        assert_eq!(decided.tasks, [Task::PollIntent { intent: answer.intent }]);
        assert_eq!(decided.order.requested, None);
        assert_eq!(decided.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["payment_intent.created"]);
    }

    #[test]
    fn a_payment_of_the_total_pays_an_open_order_exactly_once() {
        let order = issued();
        let paid = order.settle(&success(&order, "pi_1"), &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(paid.order.state, OrderState::Paid { by: IntentId::new("pi_1").unwrap(), at: at(301) });
        let kinds: Vec<_> = paid.facts.iter().map(Fact::kind).collect();
        assert_eq!(kinds, ["payment_intent.changed", "order.paid"]);
        let poll = Task::PollIntent { intent: IntentId::new("pi_1").unwrap() };
        assert_eq!(paid.finished, [poll.key(), Task::ExpireOrder.key()], "nothing is left to be done");
        // A later read with the same result changes nothing.
        for seen in [300, 900] {
            let as_of = at(seen);
            let again = IntentSnapshot { as_of, as_of_max: as_of, ..success(&order, "pi_1") };
            let decided = paid.order.settle(&again, &Policies::DEFAULT, at(902)).unwrap();
            assert_eq!(decided, Decision::unchanged(paid.order.clone()));
        }
    }

    #[test]
    fn a_read_of_an_unchanged_open_intent_changes_nothing() {
        let order = issued();
        let read = seen(&order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        let later = IntentSnapshot { as_of: at(900), as_of_max: at(900), ..read };
        assert_eq!(order.settle(&later, &Policies::DEFAULT, at(901)), Ok(Decision::unchanged(order)));
    }

    /// Found by the simulator: a late event of the first attempt's failure hid that a second attempt was processing.
    #[test]
    fn an_unchanged_status_still_advances_as_of() {
        let at_second = |status, second| IntentSnapshot {
            as_of: at(second),
            as_of_max: at(second + 1),
            ..seen(&issued(), "pi_1", status, usd(0))
        };
        let settle =
            |order: &Order, update: &IntentSnapshot| order.settle(update, &Policies::DEFAULT, at(400)).unwrap();
        let first = settle(&issued(), &at_second(IntentStatus::Processing, 310)).order;
        let second = settle(&first, &at_second(IntentStatus::Processing, 330));
        assert_eq!((second.facts.len(), second.order.updated_at), (0, first.updated_at));
        let late = settle(&second.order, &at_second(IntentStatus::RequiresPaymentMethod, 320)).order;
        assert_eq!(late.payment_state(), PaymentState::Processing);
    }

    #[test]
    fn a_decline_leaves_the_order_open_and_the_next_attempt_pays_it() {
        let order = issued();
        let mut declined = seen(&order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        declined.last_error = Some(crate::intent::IntentError {
            code: Some("card_declined".into()),
            ..crate::intent::IntentError::default()
        });
        let decided = order.settle(&declined, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(decided.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["payment_intent.changed"]);
        assert_eq!(decided.order.payment_state(), PaymentState::Unpaid);
        let paid = decided.order.settle(&success(&order, "pi_1"), &Policies::DEFAULT, at(302)).unwrap();
        assert_eq!(paid.order.payment_state(), PaymentState::Paid);
    }

    /// Found by the simulator: it was adopted as the requested intent, and the requested one was then unknown.
    #[test]
    fn an_intent_of_another_program_does_not_finish_our_request() {
        let IntentPlan::Create { request, decision: Some(requested) } = placed().request_intent(at(200)).unwrap()
        else {
            panic!("a new order requests an intent")
        };
        let order = requested.order;
        let elsewhere =
            IntentSnapshot { revision: None, ..seen(&order, "pi_x", IntentStatus::RequiresPaymentMethod, usd(0)) };
        assert_eq!(order.settle(&elsewhere, &Policies::DEFAULT, at(201)), Err(SettleError::NotOurs));
        // The money of the other intent pays the order; the request stays pending until its own intent is known.
        let money = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..elsewhere };
        let paid = order.settle(&money, &Policies::DEFAULT, at(202)).unwrap().order;
        assert_eq!((paid.state.name(), paid.requested), ("paid", Some(request)));
        let ours = seen(&order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        let known = paid.settle(&ours, &Policies::DEFAULT, at(203)).unwrap().order;
        assert_eq!((known.intents.len(), known.requested), (2, None));
        assert_eq!(known.operation.as_ref().map(|it| it.kind.name()), Some("cancel"), "it must not be paid too");
    }

    #[test]
    fn an_intent_whose_answer_was_lost_is_adopted_by_its_webhook() {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order requests an intent")
        };
        let event = success(&requested.order, "pi_lost");
        let decided = requested.order.settle(&event, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(decided.order.payment_state(), PaymentState::Paid);
        assert_eq!(decided.order.requested, None);
    }

    #[test]
    fn a_snapshot_of_another_orders_intent_is_refused() {
        let order = issued();
        let mut foreign = success(&order, "pi_other");
        foreign.order = Some(OrderId(uuid::Uuid::from_u128(8)));
        assert_eq!(order.settle(&foreign, &Policies::DEFAULT, at(301)), Err(SettleError::NotOurs));
        foreign.order = None;
        assert_eq!(order.settle(&foreign, &Policies::DEFAULT, at(301)), Err(SettleError::NotOurs));
        let second_open = seen(&order, "pi_2", IntentStatus::RequiresAction, usd(0));
        assert_eq!(order.settle(&second_open, &Policies::DEFAULT, at(301)), Err(SettleError::NotOurs));
    }

    #[test]
    fn money_received_after_a_cancellation_is_refunded_once() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap().order;
        let late = success(&canceled, "pi_1");
        let decided = canceled.settle(&late, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(anomalies(&decided.order), ["paid_after_cancel"]);
        assert_eq!(policy_refunds(&decided), [(late.intent.clone(), usd(11_500))]);
        assert_eq!(decided.tasks, [Task::Refund { refund: 1 }]);
        assert_eq!(decided.order.state.name(), "canceled");
        let again = decided.order.settle(&late, &Policies::DEFAULT, at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(decided.order));
    }

    #[test]
    fn a_second_payment_is_refunded_and_the_first_one_kept() {
        let order = issued();
        let paid = order.settle(&success(&order, "pi_1"), &Policies::DEFAULT, at(301)).unwrap().order;
        let second = success(&order, "pi_2");
        let decided = paid.settle(&second, &Policies::DEFAULT, at(302)).unwrap();
        assert_eq!(anomalies(&decided.order), ["second_payment"]);
        assert_eq!(policy_refunds(&decided), [(second.intent, usd(11_500))]);
        assert_eq!(decided.tasks, [Task::Refund { refund: 1 }]);
        assert_eq!(decided.order.state, paid.state);
    }

    #[test]
    fn mismatched_money_holds_the_order_for_review_and_it_takes_no_other_payment() {
        let eur = Money::new(11_500, Currency::Eur).unwrap();
        for (change, expected) in [
            (IntentSnapshot { received: usd(11_499), ..success(&issued(), "pi_1") }, "amount_differs"),
            (IntentSnapshot { received: usd(11_501), ..success(&issued(), "pi_1") }, "amount_differs"),
            (IntentSnapshot { amount: eur, received: eur, ..success(&issued(), "pi_1") }, "wrong_currency"),
            (IntentSnapshot { livemode: true, ..success(&issued(), "pi_1") }, "wrong_livemode"),
        ] {
            let decided = issued().settle(&change, &Policies::DEFAULT, at(301)).unwrap();
            assert_eq!(anomalies(&decided.order), [expected]);
            assert_eq!(decided.order.payment_state(), PaymentState::Review);
            assert!(decided.tasks.is_empty());
            assert_eq!(
                decided.order.request_intent(at(302)),
                Err(crate::intent::RequestIntentError::HeldForReview),
                "{expected}"
            );
            let again = decided.order.settle(&change, &Policies::DEFAULT, at(303)).unwrap();
            assert_eq!(again.facts, [], "{expected}");
        }
    }

    #[test]
    fn an_authorized_order_is_not_paid() {
        let order = issued();
        let held =
            IntentSnapshot { capturable: order.total, ..seen(&order, "pi_1", IntentStatus::RequiresCapture, usd(0)) };
        let decided = order.settle(&held, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(decided.order.payment_state(), PaymentState::Authorized);
        assert_eq!(decided.order.state, OrderState::Open);
    }

    /// Order with manual capture and an authorized payment.
    fn authorized() -> Order {
        let manual = NewOrder { capture: CaptureMethod::Manual, ..new_order() };
        let placed = Order::place(OrderId(uuid::Uuid::from_u128(7)), manual, at(100)).unwrap().order;
        let held =
            IntentSnapshot { capturable: placed.total, ..seen(&placed, "pi_1", IntentStatus::RequiresCapture, usd(0)) };
        placed.settle(&held, &Policies::DEFAULT, at(201)).unwrap().order
    }

    #[test]
    fn a_capture_of_less_made_elsewhere_pays_the_order() {
        let captured = |minor| IntentSnapshot { received: usd(minor), ..success(&authorized(), "pi_1") };
        for requested in [None, Some(usd(3000)), Some(usd(11_500))] {
            let order = match requested {
                None => authorized(),
                Some(_) => authorized().capture(requested, at(250)).unwrap().order,
            };
            let paid = order.settle(&captured(2000), &Policies::DEFAULT, at(301)).unwrap();
            assert_eq!(paid.order.payment_state(), PaymentState::Paid, "{requested:?}");
            let kind = AnomalyKind::Notice(NoticeKind::PartiallyCaptured { captured: usd(2000), released: usd(9500) });
            assert_eq!(paid.order.anomalies.iter().map(|it| it.kind).collect::<Vec<_>>(), [kind]);
            assert_eq!(paid.order.operation, None, "{requested:?}");
            let dropped = paid.facts.iter().any(|it| it.kind() == "operation.dropped");
            assert_eq!(dropped, requested.is_some(), "a capture of another amount was not done: {:?}", paid.facts);
            let again = paid.order.settle(&captured(2000), &Policies::DEFAULT, at(302)).unwrap();
            assert_eq!(again, Decision::unchanged(paid.order.clone()));
            let elsewhere = Err(crate::operation::CaptureError::OtherAmountCaptured { captured: usd(2000) });
            assert_eq!(paid.order.capture(None, at(303)), elsewhere, "{requested:?}");
            assert_eq!(paid.order.capture(Some(usd(3000)), at(303)), elsewhere, "{requested:?}");
            assert!(paid.order.capture(Some(usd(2000)), at(303)).is_ok(), "{requested:?}");
        }
    }

    #[test]
    fn a_full_capture_made_elsewhere_pays_an_order_of_which_the_shop_captures_a_part() {
        let order = authorized().capture(Some(usd(3000)), at(250)).unwrap().order;
        let paid = order.settle(&success(&order, "pi_1"), &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!((paid.order.payment_state(), &paid.order.anomalies), (PaymentState::Paid, &vec![]));
        assert!(paid.facts.iter().any(|it| it.kind() == "operation.dropped"), "{:?}", paid.facts);
        let elsewhere = crate::operation::CaptureError::OtherAmountCaptured { captured: usd(11_500) };
        assert_eq!(paid.order.capture(Some(usd(3000)), at(302)), Err(elsewhere));
        assert!(paid.order.capture(None, at(303)).is_ok());
    }

    #[test]
    fn less_money_without_a_capture_of_the_full_authorization_is_an_amount_that_differs() {
        let other = IntentSnapshot { amount: usd(5000), received: usd(2000), ..success(&authorized(), "pi_1") };
        let decided = authorized().settle(&other, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(anomalies(&decided.order), ["amount_differs"]);
        let automatic = IntentSnapshot { received: usd(2000), ..success(&issued(), "pi_1") };
        let decided = issued().settle(&automatic, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(anomalies(&decided.order), ["amount_differs"]);
    }

    #[test]
    fn the_proceeds_of_a_payment_are_recorded_once() {
        let paid = issued().settle(&success(&issued(), "pi_1"), &Policies::DEFAULT, at(301)).unwrap().order;
        let intent = IntentId::new("pi_1").unwrap();
        let known = paid.proceeds_known(&intent, Proceeds { gross: usd(11_500), fee: usd(363) }, at(302));
        assert_eq!(known.order.paid_by().and_then(|it| it.proceeds).map(|it| it.fee), Some(usd(363)));
        assert_eq!(known.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["payment_intent.proceeds_known"]);
        let again = known.order.proceeds_known(&intent, Proceeds { gross: usd(1), fee: usd(1) }, at(303));
        assert_eq!(again, Decision::unchanged(known.order));
    }

    #[test]
    fn each_mismatch_is_treated_by_its_policy() {
        let eur = Money::new(11_500, Currency::Eur).unwrap();
        let canceled = || placed().cancel(CancelReason::Abandoned, at(200)).unwrap().order;
        let paid = || issued().settle(&success(&issued(), "pi_1"), &Policies::DEFAULT, at(301)).unwrap().order;
        let refund = Policies {
            paid_after_cancel: Policy::Refund,
            second_payment: Policy::Refund,
            amount_differs: Policy::Refund,
            wrong_currency: Policy::Refund,
        };
        let hold = Policies {
            paid_after_cancel: Policy::HoldForReview,
            second_payment: Policy::HoldForReview,
            amount_differs: Policy::HoldForReview,
            wrong_currency: Policy::HoldForReview,
        };
        for (order, update, name) in [
            (canceled(), success(&canceled(), "pi_9"), "paid_after_cancel"),
            (paid(), success(&paid(), "pi_9"), "second_payment"),
            (issued(), IntentSnapshot { received: usd(1), ..success(&issued(), "pi_1") }, "amount_differs"),
            (issued(), IntentSnapshot { amount: eur, received: eur, ..success(&issued(), "pi_1") }, "wrong_currency"),
        ] {
            let kept = order.settle(&update, &hold, at(400)).unwrap();
            assert_eq!((anomalies(&kept.order), kept.order.is_held_for_review()), (vec![name], true));
            assert_eq!(policy_refunds(&kept), []);
            let returned = order.settle(&update, &refund, at(400)).unwrap();
            assert_eq!((anomalies(&returned.order), returned.order.is_held_for_review()), (vec![name], false));
            assert_eq!(policy_refunds(&returned), [(update.intent.clone(), update.received)], "{name}");
            // The refund names its intent, and is requested once however often the snapshot is repeated.
            let again = returned.order.settle(&update, &refund, at(401)).unwrap();
            assert_eq!(again, Decision::unchanged(returned.order));
        }
    }

    #[test]
    fn an_order_held_for_review_takes_a_payment_after_the_refund() {
        let order = issued();
        let update = IntentSnapshot { received: usd(1000), ..success(&order, "pi_1") };
        let held = order.settle(&update, &Policies::DEFAULT, at(301)).unwrap().order;
        let (refunded, _) = held.refund(&crate::refund::NewRefund::default(), at(302)).unwrap();
        assert_eq!(refunded.order.payment_state(), PaymentState::Unpaid);
        let IntentPlan::Create { request, .. } = refunded.order.request_intent(at(303)).unwrap() else {
            panic!("an unpaid order takes a payment")
        };
        assert_eq!(request.attempt, 2, "under the first key Stripe would answer with the ended intent");
    }

    #[test]
    fn an_ended_authorization_leaves_the_order_unpaid_and_is_recorded() {
        let order = issued();
        let held =
            IntentSnapshot { capturable: order.total, ..seen(&order, "pi_1", IntentStatus::RequiresCapture, usd(0)) };
        let intent = held.intent.clone();
        let authorized = order.settle(&held, &Policies::DEFAULT, at(301)).unwrap();
        assert_eq!(authorized.tasks, [Task::WatchAuthorization { intent: intent.clone() }]);
        let noticed = authorized.order.authorization_expires(&intent, at(400));
        assert_eq!(anomalies(&noticed.order), ["authorization_expiring"]);
        let again = noticed.order.authorization_expires(&intent, at(401));
        assert_eq!(again, Decision::unchanged(noticed.order.clone()));
        let ended = seen(&order, "pi_1", IntentStatus::Canceled, usd(0));
        let ended = noticed.order.settle(&ended, &Policies::DEFAULT, at(500)).unwrap();
        assert_eq!(ended.order.payment_state(), PaymentState::Unpaid);
        assert!(ended.facts.contains(&Fact::AuthorizationEnded { intent: intent.clone() }));
        let tasks = [Task::PollIntent { intent: intent.clone() }.key(), Task::WatchAuthorization { intent }.key()];
        assert_eq!(ended.finished, tasks);
        assert_eq!(ended.order.authorization_expires(&held.intent, at(501)), Decision::unchanged(ended.order.clone()));
    }

    proptest! {
        /// I2 and I5 over any snapshots: paid if and only if an intent of the amount has succeeded, and recorded once.
        #[test]
        fn any_snapshots_in_any_order_pay_once_and_only_with_the_right_money(
            update in prop::collection::vec((0_usize..7, 1_usize..3, 0_i64..3, 0_i64..60), 1..20),
        ) {
            let mut order = issued();
            let mut paid = 0;
            for (status, intent, money, time) in update {
                let status = IntentStatus::ALL[status];
                let received = if status == IntentStatus::Succeeded { usd(11_499 + money) } else { usd(0) };
                let snapshot = IntentSnapshot {
                    as_of: at(300 + time),
                    as_of_max: at(300 + time),
                    ..seen(&order, &format!("pi_{intent}"), status, received)
                };
                let Ok(decided) = order.settle(&snapshot, &Policies::DEFAULT, at(400)) else { continue };
                paid += decided.facts.iter().filter(|it| matches!(it, Fact::OrderPaid { .. })).count();
                order = Order::restore(decided.order.data.clone()).map_err(|it| TestCaseError::fail(it.to_string()))?;
                let settled = order.intents.iter().any(|it| {
                    it.status == IntentStatus::Succeeded && it.received.minor() >= order.total.minor()
                });
                if let OrderState::Paid { by, .. } = &order.state {
                    let received = order.intent(by).map(|it| it.received.minor());
                    prop_assert!(received >= Some(order.total.minor()));
                    prop_assert!(received == Some(order.total.minor()) || order.is_held_for_review());
                }
                let unpaid = order.state.name() != "paid";
                prop_assert!(settled || unpaid);
            }
            prop_assert!(paid <= 1);
        }
    }
}
