use thiserror::Error;

use crate::id::Epoch;
use crate::operation::{Operation, OperationKind};
use crate::order::OrderState;
use crate::task::{ProviderFailure, ProviderRequest};
use crate::{Decision, Fact, IntentId, Order, OrderId, Task, Timestamp};

/// Committed intention to create a PaymentIntent. With the order it determines the parameters and the idempotency key,
/// so that a repetition after a crash or a race is the same request and gets the same PaymentIntent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentRequest {
    /// Revision of the order that is to be paid.
    pub revision: u32,
    /// Attempt of the order, from 1; each request has another one.
    pub attempt: u32,
    /// Epoch in which the request was decided; `None` if it was stored before there were epochs.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub epoch: Option<Epoch>,
}

impl IntentRequest {
    /// Stripe's idempotency key of the request: `pi:{order}:{revision}:{attempt}`, and `:e{epoch}` after a restore.
    pub fn idempotency_key(self, order: OrderId) -> String {
        format!("pi:{order}:{}:{}{}", self.revision, self.attempt, Epoch::suffix(self.epoch))
    }
}

/// Next step to give a customer a PaymentIntent to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentPlan {
    /// Reads the client secret of this payable intent from Stripe.
    Existing(IntentId),
    /// Creates a PaymentIntent at Stripe.
    Create {
        /// Request to send.
        request: IntentRequest,
        /// Decision to commit before the request is sent; `None` if an earlier call has committed it and its outcome
        /// is not known yet.
        decision: Option<Box<Decision>>,
    },
}

/// Why no PaymentIntent is created for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestIntentError {
    /// The order is paid.
    #[error("the order is paid: it takes no further payment")]
    Paid,
    /// The order is canceled.
    #[error("the order is canceled: place a new order to take a payment")]
    Canceled,
    /// The order's intent is being canceled at Stripe.
    #[error("the order is being canceled")]
    BeingCanceled,
    /// The order is held for review, and must not receive more money.
    #[error("money was received that does not match the order, and a person must decide first")]
    HeldForReview,
}

impl Order {
    /// Decides which intent the customer pays: the payable one, or a new one to be created.
    pub fn request_intent(&self, now: Timestamp) -> Result<IntentPlan, RequestIntentError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(RequestIntentError::HeldForReview),
            OrderState::Paid { .. } => return Err(RequestIntentError::Paid),
            OrderState::Canceled { .. } => return Err(RequestIntentError::Canceled),
        }
        if self.is_held_for_review() {
            return Err(RequestIntentError::HeldForReview);
        }
        if let Some(Operation { kind: OperationKind::Cancel { .. }, .. }) = &self.operation {
            return Err(RequestIntentError::BeingCanceled);
        }
        if let Some(intent) = self.payable_intent() {
            return Ok(IntentPlan::Existing(intent.id.clone()));
        }
        if let Some(request) = self.requested {
            return Ok(IntentPlan::Create { request, decision: None });
        }
        let request = IntentRequest { revision: self.revision, attempt: self.attempt, epoch: Some(self.epoch) };
        let mut next = self.clone();
        next.data.requested = Some(request);
        let decision = Decision {
            facts: vec![Fact::IntentRequested { request }],
            tasks: vec![Task::CreateIntent { request }],
            ..Decision::unchanged(next)
        };
        Ok(IntentPlan::Create { request, decision: Some(Box::new(decision.dated(now))) })
    }

    /// Records that `request` has definitely failed at Stripe: the next request is a new attempt, without the email
    /// address if that was refused. The failure of a request that is no longer pending changes nothing.
    pub fn intent_request_failed(&self, request: IntentRequest, failure: &ProviderFailure, now: Timestamp) -> Decision {
        if self.requested != Some(request) {
            return Decision::unchanged(self.clone());
        }
        let mut next = self.clone();
        next.data.requested = None;
        next.data.attempt += 1;
        let finished = vec![Task::CreateIntent { request }.key()];
        let mut decision = Decision { finished, ..Decision::unchanged(next) };
        match failure {
            ProviderFailure::Refused(error) => {
                decision.facts.push(Fact::IntentRefused { request, error: error.clone() });
                if let Some(email) = self.email.as_ref().filter(|it| self.goes_on_without(Some(it), error)) {
                    decision.refuse_receipt_email(email, now);
                }
            }
            ProviderFailure::KeyExhausted => {
                let request = ProviderRequest::PaymentIntent(request);
                decision.facts.push(Fact::RequestFailed { request, failure: failure.clone() });
            }
        }
        decision.dated(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::Policies;
    use crate::intent::{IntentError, IntentStatus};
    use crate::operation::{CancelError, EditError, NotNow};
    use crate::order::CancelReason;
    use crate::order::tests::{at, edit, placed, usd};

    fn requested() -> (Order, IntentRequest) {
        match placed().request_intent(at(200)).unwrap() {
            IntentPlan::Create { request, decision: Some(decision) } => (decision.order, request),
            plan @ (IntentPlan::Create { .. } | IntentPlan::Existing(_)) => panic!("{plan:?}"),
        }
    }

    fn refusal() -> ProviderFailure {
        ProviderFailure::Refused(IntentError::default())
    }

    #[test]
    fn the_request_is_stored_with_its_task_before_stripe_is_called() {
        let (order, request) = requested();
        assert_eq!(request, IntentRequest { revision: 1, attempt: 1, epoch: Some(Epoch::FIRST) });
        assert_eq!(request.idempotency_key(order.id), format!("pi:{}:1:1", order.id));
        // A second caller repeats the same request and stores nothing.
        let again = order.request_intent(at(201));
        assert_eq!(again, Ok(IntentPlan::Create { request, decision: None }));
    }

    #[test]
    fn an_order_with_a_pending_request_cannot_be_edited_or_canceled() {
        let (order, _) = requested();
        assert_eq!(order.edit(edit(600), at(201)), Err(EditError::NotNow(NotNow::IntentRequested)));
        let canceled = order.cancel(CancelReason::Duplicate, at(201));
        assert_eq!(canceled, Err(CancelError::NotNow(NotNow::IntentRequested)));
        let seen = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(202));
        let issued = order.settle(&seen, &Policies::DEFAULT, at(202)).unwrap().order;
        assert_eq!(issued.request_intent(at(203)), Ok(IntentPlan::Existing(seen.intent)));
    }

    #[test]
    fn only_a_definite_refusal_leads_to_a_new_attempt() {
        let (order, request) = requested();
        let refused = order.intent_request_failed(request, &refusal(), at(201));
        assert_eq!((refused.order.attempt, refused.order.requested), (2, None));
        assert_eq!(refused.finished, [Task::CreateIntent { request }.key()]);
        let late = refused.order.intent_request_failed(request, &refusal(), at(202));
        assert_eq!(late, Decision::unchanged(refused.order.clone()));
        let IntentPlan::Create { request: second, .. } = refused.order.request_intent(at(203)).unwrap() else {
            panic!("a refused request is followed by another")
        };
        assert_ne!(second.idempotency_key(order.id), request.idempotency_key(order.id));
    }

    #[test]
    fn an_exhausted_key_is_followed_by_a_new_attempt_and_recorded() {
        let (order, request) = requested();
        let failed = order.intent_request_failed(request, &ProviderFailure::KeyExhausted, at(201));
        let failure = ProviderFailure::KeyExhausted;
        assert_eq!(
            failed.facts,
            [Fact::RequestFailed { request: ProviderRequest::PaymentIntent(request), failure: failure.clone() }]
        );
        assert_eq!(failed.finished, [Task::CreateIntent { request }.key()]);
        assert_eq!((failed.order.attempt, failed.order.requested), (request.attempt + 1, None));
        let again = failed.order.intent_request_failed(request, &failure, at(202));
        assert_eq!(again, Decision::unchanged(failed.order.clone()));
    }

    /// A total that is raised and lowered again is another revision: Stripe must not answer with the saved answer of
    /// the first request.
    #[test]
    fn a_total_that_returns_to_an_earlier_amount_has_a_new_idempotency_key() {
        let (order, first) = requested();
        let refused = order.intent_request_failed(first, &refusal(), at(201)).order;
        let total = refused.total;
        let up = refused.edit(edit(600), at(202)).unwrap().order;
        let lines = crate::order::tests::new_order().lines;
        let back = up
            .edit(crate::order::OrderEdit { lines: Some(lines), ..crate::order::OrderEdit::default() }, at(203))
            .unwrap()
            .order;
        assert_eq!((back.total, back.revision), (total, 3));
        let IntentPlan::Create { request, .. } = back.request_intent(at(204)).unwrap() else {
            panic!("an order without a payable intent requests one")
        };
        assert_ne!(request.idempotency_key(order.id), first.idempotency_key(order.id));
        assert_eq!(request.idempotency_key(order.id), format!("pi:{}:3:2", order.id));
    }

    #[test]
    fn a_canceled_intent_is_followed_by_a_new_attempt() {
        let (order, request) = requested();
        let mut seen = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, usd(11_500), at(202));
        seen.status = IntentStatus::Canceled;
        let ended = order.settle(&seen, &Policies::DEFAULT, at(203)).unwrap().order;
        let IntentPlan::Create { request: second, decision: Some(_) } = ended.request_intent(at(204)).unwrap() else {
            panic!("an order without a payable intent requests one")
        };
        assert_eq!(second, IntentRequest { attempt: request.attempt + 1, ..request });
    }
}
