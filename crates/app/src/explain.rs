//! Explanation of an order for people, in whole sentences: why its payment has its status, what happened, and what the
//! worker does next.

use std::fmt;

use paywright_domain::anomaly::{Anomaly, AnomalyKind, Mismatch, NoticeKind, Policy};
use paywright_domain::intent::{IntentError, IntentStatus, PaymentIntent};
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::order::{OrderState, PaymentState};
use paywright_domain::refund::{Refund, RefundOrigin, RefundStatus};
use paywright_domain::task::{ProviderFailure, ProviderRequest};
use paywright_domain::{Fact, IntentId, Money, Order, Task, Timestamp};

use crate::{Access, App, Cause, GetOrderError, OrderRef, Orders, RecordedFact, StoreError, StoredTask, TaskQueue};

/// Explanation of an order: reasons for its state, history and next tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The order.
    pub order: Order,
    /// Reasons for the payment's status, the most important first.
    pub because: Vec<String>,
    /// Facts of the order, the oldest first.
    pub timeline: Vec<Moment>,
    /// Tasks that wait for the worker, the next one first.
    pub next: Vec<NextStep>,
}

/// A fact of an order, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Time of the commit that stored the fact.
    pub at: Timestamp,
    /// Name of the fact, such as `order.paid`.
    pub kind: &'static str,
    /// The fact in a sentence.
    pub sentence: String,
    /// Note of the person who decided it, which is for the shop's own people alone.
    pub note: Option<String>,
    /// Cause of the change, with Stripe's ids of the event and the request; `None` where none was stored.
    pub cause: Option<Cause>,
}

/// A task that the worker will perform, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// Earliest time at which the worker performs it.
    pub at: Timestamp,
    /// The task in a sentence.
    pub sentence: String,
    /// Key of the task.
    pub task: String,
    /// Number of attempts so far.
    pub tries: u32,
    /// Error of the last attempt.
    pub error: Option<String>,
}

impl App {
    /// Explains an order that the caller may see.
    pub async fn explain(&self, which: &OrderRef, access: &Access) -> Result<Explanation, GetOrderError> {
        let order = self.load(which, access).await?.value;
        Ok(explain_order(&*self.store.orders, &*self.store.tasks, order).await?)
    }
}

/// Explains an order from the store alone, so that it works where no server is running.
pub async fn explain_order(
    orders: &dyn Orders,
    tasks: &dyn TaskQueue,
    order: Order,
) -> Result<Explanation, StoreError> {
    let facts = orders.facts(order.id).await?;
    let tasks = tasks.tasks(order.id).await?;
    let because = because(&order);
    let timeline = facts.into_iter().map(Moment::of).collect();
    let next = tasks.into_iter().map(|it| NextStep::of(it, &order)).collect();
    Ok(Explanation { order, because, timeline, next })
}

fn money(amount: Money) -> String {
    format!("{} {}", amount.to_decimal(), amount.currency().code())
}

fn error(error: &IntentError) -> String {
    match (&error.code, &error.message) {
        (Some(code), Some(message)) => format!("{message} ({code})"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => "no reason was given".to_owned(),
    }
}

/// Reasons for the payment's status: its state, the operation under way, and each anomaly.
fn because(order: &Order) -> Vec<String> {
    let mut reasons = vec![payment_summary(order)];
    reasons.extend(order.operation.as_ref().map(operation_reason));
    reasons.extend(order.anomalies.iter().map(|it| anomaly_reason(order, it)));
    reasons
}

fn operation_reason(operation: &Operation) -> String {
    let what = match &operation.kind {
        OperationKind::Edit { content } => format!("change {} to {}", operation.intent, money(content.total)),
        OperationKind::Cancel { .. } => format!("cancel {}", operation.intent),
        OperationKind::Capture { amount } => format!("capture {} of {}", money(*amount), operation.intent),
    };
    format!("A request to {what} was made at {}; Stripe has not confirmed it yet.", operation.since)
}

/// An anomaly of `order` in a sentence: what differs, and what follows from it.
pub fn anomaly_reason(order: &Order, anomaly: &Anomaly) -> String {
    let end = match anomaly.kind {
        AnomalyKind::Mismatch { mismatch, policy } => consequence(order, anomaly, mismatch, policy),
        AnomalyKind::Notice(NoticeKind::RefundFailed { refund }) => closing_of(order, refund),
        AnomalyKind::Notice(_) => String::new(),
    };
    anomaly_sentence(anomaly, &end)
}

/// End of the sentence of a failed refund: whether a person has closed it.
fn closing_of(order: &Order, refund: u32) -> String {
    let closing = order.refund_numbered(refund).and_then(|it| it.closing);
    closing.map_or_else(String::new, |it| {
        format!("; it was closed at {}: {} went back in another way", it.at, money(it.amount))
    })
}

/// Sentence of an anomaly, with its reason and this end.
fn anomaly_sentence(anomaly: &Anomaly, end: &str) -> String {
    let intent = anomaly.intent.as_ref().map_or("the order", IntentId::as_str);
    let reason = anomaly.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let found = match anomaly.kind {
        AnomalyKind::Mismatch { mismatch, .. } => mismatch_of(mismatch, intent),
        AnomalyKind::Notice(notice) => notice_of(notice, intent),
    };
    format!("{found}{reason}{end}.")
}

/// Sentence of mismatched money of `intent`, without its end.
fn mismatch_of(mismatch: Mismatch, intent: &str) -> String {
    match mismatch {
        Mismatch::PaidAfterCancel { received } => {
            format!("{intent} received {} after the order was canceled", money(received))
        }
        Mismatch::SecondPayment { received } => {
            format!("The order was paid twice: {intent} received another {}", money(received))
        }
        Mismatch::AmountDiffers { expected, received } => {
            format!("{intent} received {}, but {} was due", money(received), money(expected))
        }
        Mismatch::WrongCurrency { expected, received } => {
            format!("{intent} received {} in another currency: {} was due", money(received), money(expected))
        }
        Mismatch::WrongLivemode { live } => {
            let (of_intent, of_order) = if live { ("live", "test") } else { ("test", "live") };
            format!("{intent} is in {of_intent} mode, but the order is in {of_order} mode")
        }
        Mismatch::PaymentNotConfirmed { reported, received } => {
            format!(
                "An event reported that {intent} received {}, but Stripe's API says {}",
                money(reported),
                money(received)
            )
        }
    }
}

/// Sentence of a notice about `intent`, without its end.
fn notice_of(notice: NoticeKind, intent: &str) -> String {
    match notice {
        NoticeKind::RefundFailed { refund } => format!("Refund {refund} failed: the shop still has the money"),
        NoticeKind::RefundDelayed { refund } => {
            format!("Refund {refund} is delayed until the Stripe balance covers it")
        }
        NoticeKind::RefundDiffers { refund, requested, made } => {
            let (requested, made) = (money(requested), money(made));
            format!("Refund {refund} was requested for {requested}, but Stripe refunded {made}")
        }
        NoticeKind::ClosedRefundMade { refund } => {
            format!("Stripe has made refund {refund}, which was closed: the customer may have its money twice")
        }
        NoticeKind::AuthorizationExpiring => {
            format!("The authorization of {intent} expires within a day if it is not captured")
        }
        NoticeKind::PartiallyCaptured { captured, released } => {
            let (captured, released) = (money(captured), money(released));
            format!("{captured} of {intent} was captured outside Paywright, and {released} was released")
        }
        NoticeKind::CaptureFailed => format!("Stripe refused to capture {intent}"),
        NoticeKind::IntentLost => {
            format!("Stripe has no PaymentIntent {intent}: does the API key belong to another account or mode?")
        }
        NoticeKind::EarlyFraudWarning => format!("The card issuer warns that {intent} may be fraudulent"),
        NoticeKind::UnderReview => format!("{intent} is under review at Stripe"),
        NoticeKind::ReviewClosed => format!("The review of {intent} at Stripe is closed"),
        NoticeKind::ReceiptEmailRefused => "Stripe refused the email address, so it sends no receipt".to_owned(),
    }
}

/// End of the sentence of mismatched money: consequence of the policy.
fn consequence(order: &Order, anomaly: &Anomaly, mismatch: Mismatch, policy: Policy) -> String {
    match policy {
        Policy::HoldForReview if matches!(mismatch, Mismatch::PaymentNotConfirmed { .. }) => {
            if anomaly.intent.as_ref().is_some_and(|it| order.is_not_confirmed(it)) {
                "; do not ship until Stripe confirms the payment".to_owned()
            } else {
                "; the amount due has been received since".to_owned()
            }
        }
        Policy::HoldForReview => {
            let is_held = order.anomalies_in_review().any(|it| it == anomaly);
            let is_refunded = anomaly.intent.as_ref().is_some_and(|it| order.left_of(it).is_zero());
            match anomaly.accepted_at {
                Some(at) if !is_held => format!("; a person accepted it as the payment at {at}"),
                Some(_) | None if is_refunded && !matches!(mismatch, Mismatch::WrongLivemode { .. }) => {
                    "; all of it has been refunded".to_owned()
                }
                Some(_) | None if !is_held => "; nothing of it is left to decide on".to_owned(),
                Some(_) | None => {
                    let mut acceptable = order.payments_to_accept().map(|it| Some(&it.id));
                    let is_acceptable = acceptable.any(|it| it == anomaly.intent.as_ref());
                    let or = if is_acceptable { " or accepting it" } else { "" };
                    format!("; a person must decide, and refunding all of it{or} ends the hold")
                }
            }
        }
        Policy::Refund => {
            let of_policy =
                |it: &&Refund| Some(&it.intent) == anomaly.intent.as_ref() && it.origin == RefundOrigin::Policy;
            let refund = order.refunds.iter().find(of_policy);
            refund.map_or_else(String::new, |it| {
                let (number, status) = (it.number, it.status);
                if status == RefundStatus::Failed {
                    format!("; refund {number}, which was to return it, failed{}", closing_of(order, number))
                } else {
                    format!("; refund {number} ({status}) returns it")
                }
            })
        }
    }
}

/// Whether the order is paid, and why.
fn payment_summary(order: &Order) -> String {
    match (&order.state, order.payment_state()) {
        (OrderState::Paid { by, at }, state) => {
            if !order.is_paid() {
                return format!(
                    "The order counts as not paid: an event reported at {at} that {by} was paid, but Stripe has not \
                     received the amount due."
                );
            }
            let received = order.intent(by).map_or(order.total, |it| it.received);
            let paid = format!("The order was paid: {by} received {} at {at}", money(received));
            match state {
                PaymentState::Refunded => format!("{paid}, and all of it has been refunded or is being refunded."),
                PaymentState::PartiallyRefunded => {
                    format!("{paid}, and {} is left after refunds.", money(order.left_of(by)))
                }
                PaymentState::Disputed => format!("{paid}, and the cardholder disputes it."),
                PaymentState::Paid
                | PaymentState::Unpaid
                | PaymentState::RequiresAction
                | PaymentState::Processing
                | PaymentState::Authorized
                | PaymentState::Review => format!("{paid}."),
            }
        }
        (OrderState::Canceled { reason, at }, _) => {
            format!("The order is not paid: it was canceled at {at} ({}).", reason.name())
        }
        (OrderState::Open, PaymentState::Review) => {
            "The order is not paid: money was received that does not match it.".to_owned()
        }
        (OrderState::Open, _) => match (order.payable_intent(), order.requested) {
            (Some(intent), _) => format!("The order is not paid: {}.", waiting_for(intent)),
            (None, Some(_)) => {
                "The order is not paid: a PaymentIntent was requested, and whether Stripe created it is not known yet."
                    .to_owned()
            }
            (None, None) if order.intents.is_empty() => {
                "The order is not paid: no PaymentIntent has been requested.".to_owned()
            }
            (None, None) => {
                "The order is not paid: its PaymentIntent can no longer be paid; the next payment creates another."
                    .to_owned()
            }
        },
    }
}

fn waiting_for(intent: &PaymentIntent) -> String {
    let id = &intent.id;
    match (intent.status, &intent.last_error) {
        (IntentStatus::RequiresPaymentMethod, Some(last)) => {
            format!("the last payment attempt with {id} failed: {}; the customer may try again", error(last))
        }
        (IntentStatus::RequiresPaymentMethod, None) => format!("{id} is waiting for the customer's payment method"),
        (IntentStatus::RequiresConfirmation, _) => format!("{id} is waiting for the customer to confirm the payment"),
        (IntentStatus::RequiresAction, _) => {
            format!("{id} is waiting for the customer to complete an action of the bank, such as 3-D Secure")
        }
        (IntentStatus::Processing, _) => format!("the bank is still processing {id}, which may take days"),
        (IntentStatus::RequiresCapture, _) => {
            format!("{id} has an authorization of {} that the shop has not captured", money(intent.capturable))
        }
        (IntentStatus::Succeeded | IntentStatus::Canceled, _) => format!("{id} has ended"),
    }
}

impl Moment {
    fn of(recorded: RecordedFact) -> Self {
        let RecordedFact { fact, at, cause, .. } = recorded;
        let (kind, sentence) = (fact.kind(), sentence(&fact));
        let note = if let Fact::PaymentAccepted { note, .. } | Fact::RefundClosed { note, .. } = fact {
            Some(note.to_string())
        } else {
            None
        };
        Self { at, kind, sentence, note, cause }
    }
}

fn refund_closed(refund: u32, intent: &IntentId, amount: Money) -> String {
    format!("Refund {refund} from {intent}, which had failed, was closed: {} went back in another way.", money(amount))
}

fn payment_accepted(intent: &IntentId, expected: Money, received: Money) -> String {
    format!("{} of {intent} was accepted as the payment, where {} was due.", money(received), money(expected))
}

fn sentence(fact: &Fact) -> String {
    match fact {
        Fact::OrderPlaced { total } => format!("The order was placed for {}.", money(*total)),
        Fact::OrderEdited { before, total, revision } => {
            format!("The order was edited from {} to {} (revision {revision}).", money(*before), money(*total))
        }
        Fact::OrderCanceled { reason } => format!("The order was canceled ({}).", reason.name()),
        Fact::OrderPaid { by, amount } => format!("The order was paid: {by} received {}.", money(*amount)),
        Fact::IntentRequested { request } => {
            format!("A PaymentIntent was requested (revision {}, attempt {}).", request.revision, request.attempt)
        }
        Fact::IntentRefused { error: refusal, .. } => {
            format!("Stripe created no PaymentIntent: {}.", error(refusal))
        }
        Fact::IntentCreated { intent, amount } => {
            format!("PaymentIntent {intent} was created for {}.", money(*amount))
        }
        Fact::IntentChanged { intent, before, status, last_error } => {
            let why = last_error.as_ref().map_or_else(String::new, |it| format!(": {}", error(it)));
            format!("{}{why}.", changed(intent.as_str(), before, status))
        }
        Fact::OperationRequested { operation, name, intent, amount } => {
            let amount = amount.map_or_else(String::new, |it| format!(", {}", money(it)));
            format!("Operation {operation} was requested: {name} {intent}{amount}.")
        }
        Fact::OperationDropped { operation, name, error: reason, .. } => {
            format!("Operation {operation} ({name}) was not carried out: {}.", error(reason))
        }
        Fact::RequestFailed { request, failure } => request_failed(request, failure),
        Fact::AuthorizationEnded { intent } => format!("The authorization of {intent} ended: the money was released."),
        // The note is for the shop's own people, and a customer may read this.
        Fact::PaymentAccepted { intent, expected, received, .. } => payment_accepted(intent, *expected, *received),
        Fact::PaymentConfirmed { intent, received } => {
            format!("Stripe confirmed that {intent} received {}.", money(*received))
        }
        Fact::ProceedsKnown { intent, gross, fee } => {
            format!("{intent} added {} to the Stripe balance, less a fee of {}.", money(*gross), money(*fee))
        }
        Fact::RefundRequested { refund, intent, amount, origin } => refund_requested(*refund, intent, *amount, *origin),
        Fact::RefundChanged { refund, before, status, failure, provider_id } => {
            let id = provider_id.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
            let why = failure.as_ref().map_or_else(String::new, |it| format!(": {it}"));
            format!("Refund {refund}{id} changed from {before} to {status}{why}.")
        }
        Fact::RefundClosed { refund, intent, amount, .. } => refund_closed(*refund, intent, *amount),
        Fact::DisputeOpened { intent, amount, reason, status, .. } => {
            format!("The cardholder disputed {} of {intent} ({reason}, {status}).", money(*amount))
        }
        Fact::DisputeChanged { dispute, before, status, withdrawn, reinstated } => {
            let moved = match (withdrawn, reinstated) {
                (_, true) => "; the disputed amount was returned to the Stripe balance",
                (true, false) => "; the disputed amount was withdrawn from the Stripe balance",
                (false, false) => "",
            };
            format!("{}{moved}.", changed(&format!("Dispute {}", dispute.as_str()), before, status))
        }
        Fact::AnomalyFound { anomaly } => anomaly_found(anomaly),
    }
}

fn changed<T: fmt::Display + PartialEq>(what: &str, before: &T, status: &T) -> String {
    if before == status {
        format!("{what} is still {status}")
    } else {
        format!("{what} changed from {before} to {status}")
    }
}

fn refund_requested(refund: u32, intent: &IntentId, amount: Money, origin: RefundOrigin) -> String {
    let amount = money(amount);
    match origin {
        RefundOrigin::Shop => format!("The shop refunded {amount} of {intent} (refund {refund})."),
        RefundOrigin::Policy => {
            format!("The policy on unexpected payments refunded {amount} of {intent} (refund {refund}).")
        }
        RefundOrigin::Provider => {
            format!("{amount} of {intent} was refunded at Stripe, outside Paywright (refund {refund}).")
        }
    }
}

fn anomaly_found(anomaly: &Anomaly) -> String {
    match anomaly.kind {
        AnomalyKind::Mismatch { policy, .. } => anomaly_sentence(anomaly, &format!("; policy: {}", policy.name())),
        AnomalyKind::Notice(_) => format!("Notice: {}", anomaly_sentence(anomaly, "")),
    }
}

fn request_failed(request: &ProviderRequest, failure: &ProviderFailure) -> String {
    let (what, goes_on) = match request {
        ProviderRequest::PaymentIntent(request) => {
            let (revision, attempt) = (request.revision, request.attempt);
            let what = format!("create a PaymentIntent (revision {revision}, attempt {attempt})");
            (what, "the next attempt is requested under a new key")
        }
        ProviderRequest::Operation { operation, name } => {
            let what = format!("{name} the PaymentIntent (operation {operation})");
            (what, "the operation is requested again under a new number and key")
        }
        ProviderRequest::Refund { refund } => {
            (format!("make refund {refund}"), "it is requested again under a new key")
        }
    };
    match failure {
        ProviderFailure::KeyExhausted => {
            format!("Stripe failed to {what} and repeats that answer for its idempotency key: {goes_on}.")
        }
        ProviderFailure::Refused(refusal) => format!("Stripe refused to {what}: {}; {goes_on}.", error(refusal)),
    }
}

impl NextStep {
    fn of(stored: StoredTask, order: &Order) -> Self {
        let sentence = match &stored.task {
            Task::CreateIntent { .. } => {
                "The request for the PaymentIntent is sent again, with the same idempotency key.".to_owned()
            }
            Task::UpdateIntent { .. } => "The change of the PaymentIntent is sent to Stripe again.".to_owned(),
            Task::CancelIntent { .. } => "The cancellation of the PaymentIntent is sent to Stripe again.".to_owned(),
            Task::CaptureIntent { .. } => "The capture of the payment is sent to Stripe again.".to_owned(),
            Task::Refund { refund } => match order.refund_numbered(*refund) {
                Some(Refund { status: RefundStatus::Requested, .. }) | None => {
                    format!("Refund {refund} is sent to Stripe.")
                }
                Some(_) => format!("The status of refund {refund} is read from Stripe."),
            },
            Task::PollIntent { intent } => {
                format!("The status of {intent} is read from Stripe, unless a webhook reports it earlier.")
            }
            Task::ConfirmPayment { intent } => {
                format!("{intent} is read from Stripe, to confirm the payment that an event reported.")
            }
            Task::WatchAuthorization { intent } => {
                format!("A notice is recorded: the authorization of {intent} expires a day later.")
            }
            Task::ExpireOrder if order.is_held_for_review() => {
                "The order is canceled if it is still unpaid, and no money is held for review then.".to_owned()
            }
            Task::ExpireOrder => "The order is canceled if it is still unpaid.".to_owned(),
        };
        // The owner of a lease may have died: another one leases the task when the lease is over.
        let at = stored.leased_until.map_or(stored.due_at, |until| stored.due_at.max(until));
        Self { at, sentence, task: stored.task.key().to_string(), tries: stored.taken, error: stored.error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, dispute, placed, usd};
    use paywright_domain::anomaly::Policies;
    use paywright_domain::intent::{CaptureMethod, IntentPlan};
    use paywright_domain::order::CancelReason;
    use paywright_domain::refund::NewRefund;
    use paywright_domain::{Currency, IntentSnapshot, NewOrder};

    fn snapshot(order: &Order, id: &str, status: IntentStatus) -> IntentSnapshot {
        let requested = IntentSnapshot::new(IntentId::new(id).unwrap(), order.id, order.total, at(2));
        let received = if status == IntentStatus::Succeeded { order.total } else { usd(0) };
        let capturable = if status == IntentStatus::RequiresCapture { order.total } else { usd(0) };
        IntentSnapshot { status, received, capturable, ..requested }
    }

    fn settled(order: &Order, update: &IntentSnapshot) -> Order {
        order.settle(update, &Policies::DEFAULT, at(3)).unwrap().order
    }

    fn issued(status: IntentStatus) -> Order {
        settled(&placed(), &snapshot(&placed(), "pi_1", status))
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of sentences")]
    fn each_state_of_an_order_has_its_sentence() {
        let requested = match placed().request_intent(at(2)).unwrap() {
            IntentPlan::Create { decision: Some(decision), .. } => decision.order,
            plan @ (IntentPlan::Create { .. } | IntentPlan::Existing(_)) => panic!("{plan:?}"),
        };
        let mut declined = snapshot(&placed(), "pi_1", IntentStatus::RequiresPaymentMethod);
        declined.last_error = Some(IntentError {
            code: Some("card_declined".into()),
            decline_code: Some("stolen_card".into()),
            message: Some("Your card was declined.".into()),
        });
        let paid = issued(IntentStatus::Succeeded);
        let twice = settled(&paid, &snapshot(&paid, "pi_2", IntentStatus::Succeeded));
        let canceled = placed().cancel(CancelReason::Abandoned, at(2)).unwrap().order;
        let late = settled(&canceled, &snapshot(&canceled, "pi_1", IntentStatus::Succeeded));
        let other = IntentSnapshot { received: usd(900), ..snapshot(&placed(), "pi_1", IntentStatus::Succeeded) };
        let refunded = |amount| {
            let new = NewRefund { amount, ..NewRefund::default() };
            paid.refund(&new, at(4)).unwrap().0.order
        };
        let disputed = paid.update_dispute(&dispute(), at(4)).unwrap().order;
        let canceling = issued(IntentStatus::RequiresAction).cancel(CancelReason::Duplicate, at(4)).unwrap().order;
        let manual = NewOrder {
            capture: CaptureMethod::Manual,
            lines: placed().lines.clone(),
            ..NewOrder::empty(Currency::Usd)
        };
        let manual = Order::place(placed().id, manual, at(1)).unwrap().order;
        let held = IntentSnapshot { capturable: usd(1000), ..snapshot(&manual, "pi_1", IntentStatus::RequiresCapture) };
        let authorized = settled(&manual, &held);
        let captured = IntentSnapshot { received: usd(400), ..snapshot(&manual, "pi_1", IntentStatus::Succeeded) };
        let live = IntentSnapshot { livemode: true, ..snapshot(&placed(), "pi_1", IntentStatus::Succeeded) };
        for (order, expected) in [
            (placed(), "no PaymentIntent has been requested"),
            (requested, "whether Stripe created it is not known yet"),
            (issued(IntentStatus::RequiresPaymentMethod), "pi_1 is waiting for the customer's payment method"),
            (
                settled(&placed(), &declined),
                "failed: Your card was declined. (card_declined); the customer may try again",
            ),
            (issued(IntentStatus::RequiresConfirmation), "is waiting for the customer to confirm"),
            (issued(IntentStatus::RequiresAction), "to complete an action of the bank"),
            (issued(IntentStatus::Processing), "the bank is still processing pi_1"),
            (
                issued(IntentStatus::RequiresCapture),
                "pi_1 has an authorization of 10.00 usd that the shop has not captured",
            ),
            (
                issued(IntentStatus::Canceled),
                "its PaymentIntent can no longer be paid; the next payment creates another",
            ),
            (paid.clone(), "The order was paid: pi_1 received 10.00 usd at 1970-01-01T00:00:03Z."),
            (refunded(None), "and all of it has been refunded or is being refunded"),
            (refunded(Some(usd(400))), "and 6.00 usd is left after refunds"),
            (disputed, "the cardholder disputes it"),
            (canceled, "The order is not paid: it was canceled at 1970-01-01T00:00:02Z (abandoned)."),
            (twice, "The order was paid twice: pi_2 received another 10.00 usd; refund 1 (requested) returns it."),
            (late, "pi_1 received 10.00 usd after the order was canceled; refund 1 (requested) returns it."),
            (settled(&placed(), &other), "pi_1 received 9.00 usd, but 10.00 usd was due; a person must decide"),
            (settled(&placed(), &live), "pi_1 is in live mode, but the order is in test mode"),
            (
                settled(&authorized, &captured),
                "4.00 usd of pi_1 was captured outside Paywright, and 6.00 usd was released",
            ),
            (canceling, "A request to cancel pi_1 was made at 1970-01-01T00:00:04Z; Stripe has not confirmed it yet"),
        ] {
            let text = because(&order).join(" ");
            assert!(text.contains(expected), "{expected:?} is not in {text:?}");
            assert!(!text.contains("stolen"), "the bank's decline code is not shown: {text}");
        }
    }
}
