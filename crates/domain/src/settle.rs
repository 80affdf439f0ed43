use thiserror::Error;

use crate::{
    Anomaly, AnomalyKind, Decision, Fact, IntentSnapshot, IntentStatus, Order, OrderState, PaymentIntent, Policy, Task,
    Timestamp,
};

/// Why a snapshot is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SettleError {
    /// The intent is not one of this order's, and nothing says that it became one.
    #[error("the intent does not belong to the order")]
    NotOurs,
}

impl Order {
    /// Takes in what Stripe says of an intent. This is the only way to [`OrderState::Paid`], for the answer
    /// to a request, a webhook, a callback and a poll alike.
    ///
    /// The same snapshot may come any number of times and in any order; news that changes nothing gives a
    /// decision without facts. Money that does not fit becomes an [`Anomaly`], once for an intent.
    pub fn settle(&self, snapshot: &IntentSnapshot, now: Timestamp) -> Result<Decision, SettleError> {
        let mut decision = Decision::unchanged(self.clone());
        let known = self.intent(&snapshot.intent);
        if known.is_none() && !self.adopts(snapshot) {
            return Err(SettleError::NotOurs);
        }
        if snapshot.livemode != self.livemode {
            // A test payment says nothing about a live order: not even its status is taken in.
            decision.hold(snapshot, AnomalyKind::WrongLivemode { live: snapshot.livemode }, now);
            return Ok(decision.at(now));
        }
        let before = match known {
            Some(intent) => intent.clone(),
            None => decision.adopt(snapshot, now),
        };
        let after = before.fold(snapshot);
        if known.is_some() && after == (PaymentIntent { as_of: after.as_of, ..before.clone() }) {
            // That it is so still is no news, and not worth a write each time somebody looks.
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
        if after.status == IntentStatus::Canceled && before.status != IntentStatus::Canceled {
            // Stripe would answer the old key with the intent that has just ended.
            decision.order.data.attempt += 1;
        }
        let is_news = before.status != IntentStatus::Succeeded || after.received != before.received;
        if after.status == IntentStatus::Succeeded && is_news {
            decision.take_money(&after, now);
        }
        if let Some(place) = decision.order.data.intents.iter_mut().find(|it| it.id == after.id) {
            *place = after;
        }
        Ok(decision.at(now))
    }

    /// Whether an unknown intent is this order's all the same: its metadata, which the holder of the secret
    /// key alone can write, names the order, and there is no other intent that a customer could pay. So an
    /// intent whose answer was lost is found again by its first webhook.
    fn adopts(&self, snapshot: &IntentSnapshot) -> bool {
        snapshot.order == Some(self.id) && (snapshot.status.is_terminal() || self.payable_intent().is_none())
    }
}

impl Decision {
    /// Remembers an intent that is seen for the first time.
    fn adopt(&mut self, snapshot: &IntentSnapshot, now: Timestamp) -> PaymentIntent {
        let data = &mut self.order.data;
        let revision = snapshot.revision.unwrap_or(data.revision);
        let intent = PaymentIntent::first_seen(snapshot, revision, now);
        data.intents.push(intent.clone());
        self.facts.push(Fact::IntentCreated { intent: intent.id.clone(), amount: intent.amount });
        if let Some(request) = data.requested.take_if(|it| it.revision == revision) {
            self.finished.push(Task::CreateIntent { request }.key());
        }
        intent
    }

    /// Decides what becomes of the money that `intent` brought. Policies in their order: what is in the
    /// wrong currency waits for a person; what comes for an order that is canceled or paid goes back; what
    /// is not the total waits for a person; the rest pays the order.
    fn take_money(&mut self, intent: &PaymentIntent, now: Timestamp) {
        let (expected, received) = (self.order.total, intent.received);
        let misfit = if received.currency() == expected.currency() {
            match &self.order.state {
                OrderState::Canceled { .. } => Some(AnomalyKind::PaidAfterCancel { received }),
                OrderState::Paid { by, .. } if *by == intent.id => {
                    // It grew after it had paid the order.
                    (received != expected).then_some(AnomalyKind::AmountDiffers { expected, received })
                }
                OrderState::Paid { .. } => Some(AnomalyKind::SecondPayment { received }),
                OrderState::Open if received != expected => Some(AnomalyKind::AmountDiffers { expected, received }),
                OrderState::Open => {
                    self.order.data.state = OrderState::Paid { by: intent.id.clone(), at: now };
                    self.facts.push(Fact::OrderPaid { by: intent.id.clone(), amount: received });
                    None
                }
            }
        } else {
            Some(AnomalyKind::WrongCurrency { expected, received })
        };
        let Some(kind) = misfit else { return };
        self.record(Anomaly { intent: intent.id.clone(), kind, found_at: now });
        match kind.policy() {
            Policy::Refund => {
                self.tasks.push(Task::RefundIntent { intent: intent.id.clone(), amount: received });
            }
            Policy::HoldForReview => {}
        }
    }

    fn hold(&mut self, snapshot: &IntentSnapshot, kind: AnomalyKind, now: Timestamp) {
        self.record(Anomaly { intent: snapshot.intent.clone(), kind, found_at: now });
    }

    /// Records an anomaly, once for its intent and name.
    fn record(&mut self, anomaly: Anomaly) {
        let same = |it: &Anomaly| it.intent == anomaly.intent && it.kind.name() == anomaly.kind.name();
        if self.order.anomalies.iter().any(same) {
            return;
        }
        self.facts.push(Fact::AnomalyFound { anomaly: anomaly.clone() });
        self.order.data.anomalies.push(anomaly);
    }

    /// Dates the order if something happened to it.
    fn at(mut self, now: Timestamp) -> Self {
        if !self.facts.is_empty() {
            self.order.data.updated_at = now;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::order::tests::{at, placed, usd};
    use crate::{CancelReason, Currency, IntentId, IntentPlan, Money, OrderId, PaymentState};

    fn seen(order: &Order, id: &str, status: IntentStatus, received: Money) -> IntentSnapshot {
        let asked = IntentSnapshot::new(IntentId::new(id).unwrap(), order.id, order.total, at(300));
        IntentSnapshot { status, received, ..asked }
    }

    fn success(order: &Order, id: &str) -> IntentSnapshot {
        seen(order, id, IntentStatus::Succeeded, order.total)
    }

    fn issued() -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order asks for an intent")
        };
        let answer = seen(&requested.order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        requested.order.settle(&answer, at(201)).unwrap().order
    }

    fn anomalies(order: &Order) -> Vec<&'static str> {
        order.anomalies.iter().map(|it| it.kind.name()).collect()
    }

    #[test]
    fn the_first_answer_finishes_the_request() {
        let IntentPlan::Create { request, decision: Some(requested) } = placed().request_intent(at(200)).unwrap()
        else {
            panic!("a new order asks for an intent")
        };
        let answer = seen(&requested.order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        let decided = requested.order.settle(&answer, at(201)).unwrap();
        assert_eq!(decided.finished, [Task::CreateIntent { request }.key()]);
        assert_eq!(decided.order.requested, None);
        assert_eq!(decided.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["payment_intent.created"]);
    }

    #[test]
    fn money_of_the_total_pays_an_open_order_exactly_once() {
        let order = issued();
        let paid = order.settle(&success(&order, "pi_1"), at(301)).unwrap();
        assert_eq!(paid.order.state, OrderState::Paid { by: IntentId::new("pi_1").unwrap(), at: at(301) });
        let kinds: Vec<_> = paid.facts.iter().map(Fact::kind).collect();
        assert_eq!(kinds, ["payment_intent.changed", "order.paid"]);
        // Nor does a later look, which sees the same.
        for seen in [300, 900] {
            let as_of = at(seen);
            let again = IntentSnapshot { as_of, as_of_max: as_of, ..success(&order, "pi_1") };
            let decided = paid.order.settle(&again, at(902)).unwrap();
            assert_eq!(decided, Decision::unchanged(paid.order.clone()));
        }
    }

    #[test]
    fn an_open_intent_seen_as_it_was_is_no_news() {
        let order = issued();
        let look = seen(&order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        let later = IntentSnapshot { as_of: at(900), as_of_max: at(900), ..look };
        assert_eq!(order.settle(&later, at(901)), Ok(Decision::unchanged(order)));
    }

    #[test]
    fn a_decline_leaves_the_order_open_and_the_next_attempt_pays_it() {
        let order = issued();
        let mut declined = seen(&order, "pi_1", IntentStatus::RequiresPaymentMethod, usd(0));
        declined.last_error =
            Some(crate::IntentError { code: Some("card_declined".into()), ..crate::IntentError::default() });
        let decided = order.settle(&declined, at(301)).unwrap();
        assert_eq!(decided.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["payment_intent.changed"]);
        assert_eq!(decided.order.payment_state(), PaymentState::Unpaid);
        let paid = decided.order.settle(&success(&order, "pi_1"), at(302)).unwrap();
        assert_eq!(paid.order.payment_state(), PaymentState::Paid);
    }

    #[test]
    fn an_intent_whose_answer_was_lost_is_adopted_by_its_webhook() {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order asks for an intent")
        };
        let event = success(&requested.order, "pi_lost");
        let decided = requested.order.settle(&event, at(301)).unwrap();
        assert_eq!(decided.order.payment_state(), PaymentState::Paid);
        assert_eq!(decided.order.requested, None);
    }

    #[test]
    fn an_intent_of_another_order_is_not_taken_in() {
        let order = issued();
        let mut foreign = success(&order, "pi_other");
        foreign.order = Some(OrderId(uuid::Uuid::from_u128(8)));
        assert_eq!(order.settle(&foreign, at(301)), Err(SettleError::NotOurs));
        foreign.order = None;
        assert_eq!(order.settle(&foreign, at(301)), Err(SettleError::NotOurs));
        let second_open = seen(&order, "pi_2", IntentStatus::RequiresAction, usd(0));
        assert_eq!(order.settle(&second_open, at(301)), Err(SettleError::NotOurs));
    }

    #[test]
    fn money_after_a_cancel_goes_back_once() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap().order;
        let late = success(&canceled, "pi_1");
        let decided = canceled.settle(&late, at(301)).unwrap();
        assert_eq!(anomalies(&decided.order), ["paid_after_cancel"]);
        assert_eq!(decided.tasks, [Task::RefundIntent { intent: late.intent.clone(), amount: usd(11_500) }]);
        assert_eq!(decided.order.state.name(), "canceled");
        let again = decided.order.settle(&late, at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(decided.order));
    }

    #[test]
    fn a_second_payment_goes_back_and_the_first_stays() {
        let order = issued();
        let paid = order.settle(&success(&order, "pi_1"), at(301)).unwrap().order;
        let second = success(&order, "pi_2");
        let decided = paid.settle(&second, at(302)).unwrap();
        assert_eq!(anomalies(&decided.order), ["second_payment"]);
        assert_eq!(decided.tasks, [Task::RefundIntent { intent: second.intent, amount: usd(11_500) }]);
        assert_eq!(decided.order.state, paid.state);
    }

    #[test]
    fn money_that_does_not_fit_waits_for_a_person_and_takes_no_more() {
        let eur = Money::new(11_500, Currency::Eur).unwrap();
        for (change, expected) in [
            (IntentSnapshot { received: usd(11_499), ..success(&issued(), "pi_1") }, "amount_differs"),
            (IntentSnapshot { received: usd(11_501), ..success(&issued(), "pi_1") }, "amount_differs"),
            (IntentSnapshot { amount: eur, received: eur, ..success(&issued(), "pi_1") }, "wrong_currency"),
            (IntentSnapshot { livemode: true, ..success(&issued(), "pi_1") }, "wrong_livemode"),
        ] {
            let decided = issued().settle(&change, at(301)).unwrap();
            assert_eq!(anomalies(&decided.order), [expected]);
            assert_eq!(decided.order.payment_state(), PaymentState::Review);
            assert!(decided.tasks.is_empty());
            assert_eq!(
                decided.order.request_intent(at(302)),
                Err(crate::RequestIntentError::HeldForReview),
                "{expected}"
            );
            let again = decided.order.settle(&change, at(303)).unwrap();
            assert_eq!(again.facts, [], "{expected}");
        }
    }

    #[test]
    fn an_authorised_order_is_not_paid() {
        let order = issued();
        let held =
            IntentSnapshot { capturable: order.total, ..seen(&order, "pi_1", IntentStatus::RequiresCapture, usd(0)) };
        let decided = order.settle(&held, at(301)).unwrap();
        assert_eq!(decided.order.payment_state(), PaymentState::Authorized);
        assert_eq!(decided.order.state, OrderState::Open);
    }

    proptest! {
        /// I2 and I5 over any news: paid iff a settled intent of the amount is there, and said once.
        #[test]
        fn any_news_in_any_order_pays_once_and_only_with_the_right_money(
            news in prop::collection::vec((0_usize..7, 1_usize..3, 0_i64..3, 0_i64..60), 1..20),
        ) {
            let mut order = issued();
            let mut paid = 0;
            for (status, intent, money, time) in news {
                let status = IntentStatus::ALL[status];
                let received = if status == IntentStatus::Succeeded { usd(11_499 + money) } else { usd(0) };
                let snapshot = IntentSnapshot {
                    as_of: at(300 + time),
                    as_of_max: at(300 + time),
                    ..seen(&order, &format!("pi_{intent}"), status, received)
                };
                let Ok(decided) = order.settle(&snapshot, at(400)) else { continue };
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
