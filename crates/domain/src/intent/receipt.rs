//! Email address for Stripe's receipt, which is left out once Stripe has refused it.

use crate::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use crate::intent::IntentError;
use crate::text::Email;
use crate::{Decision, Fact, Order, Timestamp};

const REFUSED: AnomalyKind = AnomalyKind::Notice(NoticeKind::ReceiptEmailRefused);

impl Order {
    /// Value of Stripe's `receipt_email` parameter: `email`, unless Stripe has refused it for this order before.
    ///
    /// It depends on stored data only. A refusal is recorded in the commit that ends the refused request or operation,
    /// so that the parameters of a request never change under its idempotency key.
    pub fn receipt_email<'a>(&self, email: Option<&'a Email>) -> Option<&'a Email> {
        let is_refused = |email: &Email| {
            let mut refused = self.anomalies.iter().filter(|it| it.kind == REFUSED);
            refused.any(|it| it.reason.as_deref() == Some(email.as_str()))
        };
        email.filter(|it| !is_refused(it))
    }

    /// Whether `error` refuses the email address that was sent, so that the request can be repeated without it.
    pub fn goes_on_without(&self, email: Option<&Email>, error: &IntentError) -> bool {
        error.is_of_email() && self.receipt_email(email).is_some()
    }
}

impl Decision {
    /// Records that Stripe refused this address. The order is not held for it.
    pub(crate) fn refuse_receipt_email(&mut self, email: &Email, found_at: Timestamp) {
        let anomaly = Anomaly::new(None, REFUSED, Some(email.as_str().to_owned()), found_at);
        self.facts.push(Fact::AnomalyFound { anomaly: anomaly.clone() });
        self.order.data.anomalies.push(anomaly);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::Policies;
    use crate::intent::{IntentPlan, IntentStatus};
    use crate::operation::OperationKind;
    use crate::order::tests::{at, edit, placed};
    use crate::order::{OrderEdit, PaymentState};
    use crate::task::ProviderFailure;

    fn email(text: &str) -> Email {
        Email::restore(text).unwrap()
    }

    fn error() -> IntentError {
        IntentError::of_code(IntentError::EMAIL_INVALID)
    }

    fn refusal() -> ProviderFailure {
        ProviderFailure::Refused(error())
    }

    fn with_email(text: &str) -> Order {
        placed().edit(OrderEdit { email: Some(Some(email(text))), ..OrderEdit::default() }, at(150)).unwrap().order
    }

    fn requested(order: &Order) -> (Order, crate::intent::IntentRequest) {
        match order.request_intent(at(200)).unwrap() {
            IntentPlan::Create { request, decision: Some(decision) } => (decision.order, request),
            plan @ (IntentPlan::Create { .. } | IntentPlan::Existing(_)) => panic!("{plan:?}"),
        }
    }

    fn sent(order: &Order) -> Option<&str> {
        order.receipt_email(order.email.as_ref()).map(Email::as_str)
    }

    #[test]
    fn a_refused_address_is_left_out_of_the_next_attempt_and_recorded_once() {
        let (order, first) = requested(&with_email("a@example,com"));
        assert_eq!(sent(&order), Some("a@example,com"));
        assert!(order.goes_on_without(order.email.as_ref(), &error()));
        let refused = order.intent_request_failed(first, &refusal(), at(201));
        let recorded: Vec<_> =
            refused.order.anomalies.iter().map(|it| (it.kind.name(), it.reason.as_deref())).collect();
        assert_eq!(recorded, [("receipt_email_refused", Some("a@example,com"))]);
        assert!(!refused.order.is_held_for_review() && refused.order.payment_state() == PaymentState::Unpaid);
        assert_eq!(refused.order.email, Some(email("a@example,com")), "the order keeps it");
        let (second, request) = requested(&refused.order);
        assert_eq!((request.attempt, sent(&second)), (first.attempt + 1, None));
        // A refusal of an address that was not sent ends the retries.
        assert!(!second.goes_on_without(second.email.as_ref(), &error()));
        assert_eq!(second.intent_request_failed(request, &refusal(), at(202)).order.anomalies.len(), 1);
    }

    #[test]
    fn another_error_keeps_the_address_and_a_new_address_is_sent() {
        let (order, request) = requested(&with_email("a@example,com"));
        let declined = IntentError::of_code("amount_too_small");
        assert!(!order.goes_on_without(order.email.as_ref(), &declined));
        assert!(
            order
                .intent_request_failed(request, &ProviderFailure::Refused(declined), at(201))
                .order
                .anomalies
                .is_empty()
        );
        let refused = order.intent_request_failed(request, &refusal(), at(201)).order;
        let better = OrderEdit { email: Some(Some(email("a@example.com"))), ..OrderEdit::default() };
        let edited = refused.edit(better, at(202)).unwrap().order;
        assert_eq!(sent(&edited), Some("a@example.com"));
        let same = refused.edit(edit(600), at(202)).unwrap().order;
        assert_eq!(sent(&same), None, "an edit of something else");
    }

    #[test]
    fn an_edit_is_repeated_without_an_address_that_stripe_refuses() {
        let (order, _) = requested(&placed());
        let seen = IntentSnapshot::new(crate::IntentId::new("pi_1").unwrap(), order.id, order.total, at(202));
        assert_eq!(seen.status, IntentStatus::RequiresPaymentMethod);
        let issued = order.settle(&seen, &Policies::DEFAULT, at(202)).unwrap().order;
        let change = OrderEdit { email: Some(Some(email("a@example,com"))), ..OrderEdit::default() };
        let editing = issued.edit(change, at(203)).unwrap().order;
        let first = editing.operation.clone().unwrap();
        let again = editing.operation_failed(first.number, &refusal(), at(204));
        let second = again.order.operation.clone().unwrap();
        assert_eq!((second.number, &second.kind), (first.number + 1, &first.kind));
        assert_eq!((again.tasks, again.finished), (vec![second.task()], vec![first.task().key()]));
        let OperationKind::Edit { content } = &second.kind else { panic!("{second:?}") };
        assert_eq!(again.order.receipt_email(content.email.as_ref()), None);
        let dropped = again.order.operation_failed(second.number, &refusal(), at(205)).order;
        assert_eq!((&dropped.operation, dropped.anomalies.len()), (&None, 1));
    }
}
