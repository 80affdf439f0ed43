//! Why an order is as it is: what happened to it, in whole sentences, what follows from that, and what happens next by
//! itself.

use paywright_domain::{
    AnomalyKind, Fact, IntentError, IntentId, IntentStatus, Money, OperationKind, Order, OrderState, PaymentIntent,
    PaymentState, Policy, Refund, RefundOrigin, RefundStatus, Task, Timestamp,
};

use crate::{Access, App, Cause, GetOrderError, OrderRef, RecordedFact, Store, StoreError, StoredTask};

/// An order, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The order.
    pub order: Order,
    /// Why its payment stands as it does, the most telling sentence first.
    pub because: Vec<String>,
    /// What happened, the oldest first.
    pub timeline: Vec<Moment>,
    /// What will happen by itself, the next first.
    pub next: Vec<NextStep>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The name of the fact.
    pub kind: &'static str,
    /// What happened.
    pub sentence: String,
    /// What made it happen, with Stripe's names for its messages and requests.
    pub cause: Option<Cause>,
}

/// Something that will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// When.
    pub at: Timestamp,
    /// What.
    pub sentence: String,
    /// The task that does it.
    pub task: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not done the last time.
    pub error: Option<String>,
}

impl App {
    /// Explains an order.
    pub async fn explain(&self, which: &OrderRef, access: &Access) -> Result<Explanation, GetOrderError> {
        let order = self.load(which, access).await?.value;
        Ok(explain_order(&*self.store, order).await?)
    }
}

/// Explains an order by what a store has on it: all that is needed where nobody serves.
pub async fn explain_order(store: &dyn Store, order: Order) -> Result<Explanation, StoreError> {
    let facts = store.facts(order.id).await?;
    let tasks = store.tasks(order.id).await?;
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

/// The rules: each tells one thing that an order's state means, in the order in which somebody would ask.
fn because(order: &Order) -> Vec<String> {
    let mut said = vec![standing(order)];
    if let Some(operation) = &order.operation {
        let what = match &operation.kind {
            OperationKind::Edit { content } => format!("changed to {}", money(content.total)),
            OperationKind::Cancel { .. } => "canceled".to_owned(),
            OperationKind::Capture { amount } => format!("captured, {} of it", money(*amount)),
        };
        let (intent, since) = (&operation.intent, operation.since);
        said.push(format!(
            "Since {since} the payment intent {intent} is being {what}; Stripe has not confirmed it yet."
        ));
    }
    said.extend(order.anomalies.iter().map(|it| {
        let intent = it.intent.as_ref().map_or("the order", IntentId::as_str);
        let told = match it.kind {
            AnomalyKind::PaidAfterCancel { received } => {
                format!("{} came by {intent} after the order was canceled", money(received))
            }
            AnomalyKind::SecondPayment { received } => {
                format!("It was paid twice: {intent} brought {} once more", money(received))
            }
            AnomalyKind::AmountDiffers { expected, received } => {
                format!("{} came by {intent} where {} was due", money(received), money(expected))
            }
            AnomalyKind::WrongCurrency { expected, received } => {
                format!("{} came by {intent} where {} was due: another currency", money(received), money(expected))
            }
            AnomalyKind::WrongLivemode { live } => {
                let (its, ours) = if live { ("live", "test") } else { ("test", "live") };
                format!("{intent} is a {its} payment of a {ours} order")
            }
            AnomalyKind::RefundFailed { refund } => format!("Refund {refund} was not made: the money is still here"),
            AnomalyKind::RefundDelayed { refund } => format!("Refund {refund} waits for the balance at Stripe"),
            AnomalyKind::RefundDiffers { refund, requested, made } => {
                let (requested, made) = (money(requested), money(made));
                format!("Stripe has a refund of {made} under the name of refund {refund}, which is of {requested}")
            }
            AnomalyKind::PaymentNotConfirmed { told, received } => format!(
                "An event told that {} was received by {intent}, and Stripe answered that {} was",
                money(told),
                money(received)
            ),
            AnomalyKind::AuthorizationExpiring => {
                format!("What {intent} holds is released within a day if it is not captured")
            }
            AnomalyKind::PartiallyCaptured { captured, released } => {
                let (captured, released) = (money(captured), money(released));
                format!("{captured} of {intent} was captured outside of this shop, and {released} was released")
            }
            AnomalyKind::CaptureFailed => format!("Stripe would not capture {intent}"),
            AnomalyKind::IntentLost => {
                format!("Stripe does not know {intent}: is its key of the same account and mode?")
            }
            AnomalyKind::EarlyFraudWarning => format!("The bank warns that {intent} may be a fraud"),
            AnomalyKind::UnderReview => format!("Stripe holds {intent} for a review"),
            AnomalyKind::ReviewClosed => format!("The review of {intent} is over"),
            AnomalyKind::ReceiptEmailRefused => {
                "Stripe refused the e-mail address, so that it sends no receipt".to_owned()
            }
        };
        let reason = it.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let done = match it.policy {
            Policy::Tell => String::new(),
            Policy::HoldForReview if matches!(it.kind, AnomalyKind::PaymentNotConfirmed { .. }) => {
                if it.intent.as_ref().is_some_and(|it| order.is_not_confirmed(it)) {
                    "; send no goods until Stripe confirms the payment".to_owned()
                } else {
                    "; what is due has been received since".to_owned()
                }
            }
            Policy::HoldForReview
                if !matches!(it.kind, AnomalyKind::WrongLivemode { .. })
                    && it.intent.as_ref().is_some_and(|it| order.left_of(it).is_zero()) =>
            {
                "; it has gone back".to_owned()
            }
            Policy::HoldForReview => "; a person must decide, and a refund of it frees the order".to_owned(),
            Policy::Refund => {
                let of_policy = |it: &&Refund| it.intent.as_str() == intent && it.origin == RefundOrigin::Policy;
                let refund = order.refunds.iter().find(of_policy);
                refund.map_or_else(String::new, |it| format!("; it goes back by refund {} ({})", it.number, it.status))
            }
        };
        format!("{told}{reason}{done}.")
    }));
    said
}

/// How the payment stands, and why.
fn standing(order: &Order) -> String {
    match (&order.state, order.payment_state()) {
        (OrderState::Paid { by, at }, state) => {
            if !order.is_paid() {
                return format!(
                    "It counts as not paid: an event told at {at} that {by} was paid, and Stripe has not received what is due."
                );
            }
            let received = order.intent(by).map_or(order.total, |it| it.received);
            let paid = format!("It was paid: {} came by {by} at {at}", money(received));
            match state {
                PaymentState::Refunded => format!("{paid}, and all of it has gone back or is going."),
                PaymentState::PartiallyRefunded => {
                    format!("{paid}, and {} of it is still here after its refunds.", money(order.left_of(by)))
                }
                PaymentState::Disputed => format!("{paid}, and the card holder disputes it."),
                PaymentState::Paid
                | PaymentState::Unpaid
                | PaymentState::RequiresAction
                | PaymentState::Processing
                | PaymentState::Authorized
                | PaymentState::Review => format!("{paid}."),
            }
        }
        (OrderState::Canceled { reason, at }, _) => {
            format!("It is not paid: it was canceled at {at} ({}).", reason.name())
        }
        (OrderState::Open, PaymentState::Review) => "It is not paid: money came that does not fit it.".to_owned(),
        (OrderState::Open, _) => match (order.payable_intent(), order.requested) {
            (Some(intent), _) => format!("It is not paid: {}.", waiting_for(intent)),
            (None, Some(_)) => {
                "It is not paid: Stripe was asked for a payment intent, and whether it made one is not known yet."
                    .to_owned()
            }
            (None, None) if order.intents.is_empty() => {
                "It is not paid: nobody has begun to pay, no payment intent was asked for.".to_owned()
            }
            (None, None) => "It is not paid: its payment intent was given up; who pays next gets another.".to_owned(),
        },
    }
}

fn waiting_for(intent: &PaymentIntent) -> String {
    let id = &intent.id;
    match (intent.status, &intent.last_error) {
        (IntentStatus::RequiresPaymentMethod, Some(last)) => {
            format!("the last attempt by {id} failed: {}; the customer may try again", error(last))
        }
        (IntentStatus::RequiresPaymentMethod, None) => format!("{id} waits for the customer's means of payment"),
        (IntentStatus::RequiresConfirmation, _) => format!("{id} waits for the customer to confirm"),
        (IntentStatus::RequiresAction, _) => {
            format!("{id} waits for the customer, whose bank asks for more (3-D Secure, say)")
        }
        (IntentStatus::Processing, _) => format!("the bank is still processing {id}, which may take days"),
        (IntentStatus::RequiresCapture, _) => {
            format!("{id} holds {} that the shop has not captured", money(intent.capturable))
        }
        (IntentStatus::Succeeded | IntentStatus::Canceled, _) => format!("{id} has ended"),
    }
}

impl Moment {
    fn of(recorded: RecordedFact) -> Self {
        let RecordedFact { fact, at, cause, .. } = recorded;
        Self { at, kind: fact.kind(), sentence: sentence(&fact), cause }
    }
}

fn sentence(fact: &Fact) -> String {
    match fact {
        Fact::OrderPlaced { total } => format!("The order was placed, for {}.", money(*total)),
        Fact::OrderEdited { before, total, revision } => {
            format!("The order was changed from {} to {} (revision {revision}).", money(*before), money(*total))
        }
        Fact::OrderCanceled { reason } => format!("The order was canceled ({}).", reason.name()),
        Fact::OrderPaid { by, amount } => format!("The order was paid: {} by {by}.", money(*amount)),
        Fact::IntentRequested { request } => format!(
            "Stripe was about to be asked for a payment intent (revision {}, attempt {}).",
            request.revision, request.attempt
        ),
        Fact::IntentRefused { error: refusal, .. } => {
            format!("Stripe made no payment intent: {}.", error(refusal))
        }
        Fact::IntentCreated { intent, amount } => {
            format!("The payment intent {intent} became known, for {}.", money(*amount))
        }
        Fact::IntentChanged { intent, before, status, last_error } => {
            let why = last_error.as_ref().map_or_else(String::new, |it| format!(": {}", error(it)));
            if before == status {
                format!("{intent} stayed {status}{why}.")
            } else {
                format!("{intent} went from {before} to {status}{why}.")
            }
        }
        Fact::OperationRequested { operation, name, intent, amount } => {
            let amount = amount.map_or_else(String::new, |it| format!(", {}", money(it)));
            format!("Stripe was about to be asked to {name} {intent}{amount} (operation {operation}).")
        }
        Fact::OperationDropped { name, error: reason, .. } => {
            format!("The {name} was dropped: {}.", error(reason))
        }
        Fact::AuthorizationEnded { intent } => format!("The money that {intent} held was released."),
        Fact::PaymentConfirmed { intent, received } => {
            format!("Stripe confirmed that {} was received by {intent}.", money(*received))
        }
        Fact::ProceedsKnown { intent, gross, fee } => {
            format!("Of {intent}, {} came to the balance at Stripe, which keeps {}.", money(*gross), money(*fee))
        }
        Fact::RefundRequested { refund, intent, amount, origin } => {
            let whose = match origin {
                RefundOrigin::Shop => "The shop",
                RefundOrigin::Policy => "The policy on money that does not fit",
                RefundOrigin::Provider => "Somebody at Stripe",
            };
            format!("{whose} had {} of {intent} go back (refund {refund}).", money(*amount))
        }
        Fact::RefundChanged { refund, before, status, failure, provider_id } => {
            let id = provider_id.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
            let why = failure.as_ref().map_or_else(String::new, |it| format!(": {it}"));
            format!("Refund {refund}{id} went from {before} to {status}{why}.")
        }
        Fact::DisputeOpened { intent, amount, reason, status, .. } => {
            format!("The card holder disputed {} of {intent} ({reason}, {status}).", money(*amount))
        }
        Fact::DisputeChanged { dispute, before, status, withdrawn, reinstated } => {
            let moved = match (withdrawn, reinstated) {
                (_, true) => "; the money was put back",
                (true, false) => "; the money was taken",
                (false, false) => "",
            };
            if before == status {
                return format!("The dispute {} is {status}{moved}.", dispute.as_str());
            }
            format!("The dispute {} went from {before} to {status}{moved}.", dispute.as_str())
        }
        Fact::AnomalyFound { anomaly } => {
            let reason = anomaly.reason.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
            format!(
                "Found about {}: {}{reason}; policy: {}.",
                anomaly.intent.as_ref().map_or("the order", IntentId::as_str),
                anomaly.kind.name(),
                anomaly.policy.name()
            )
        }
    }
}

impl NextStep {
    fn of(stored: StoredTask, order: &Order) -> Self {
        let sentence = match &stored.task {
            Task::CreateIntent { .. } => "Stripe is asked again for the payment intent, by the same key.".to_owned(),
            Task::UpdateIntent { .. } => "Stripe is asked again to change the payment intent.".to_owned(),
            Task::CancelIntent { .. } => "Stripe is asked again to cancel the payment intent.".to_owned(),
            Task::CaptureIntent { .. } => "Stripe is asked again to capture the payment.".to_owned(),
            Task::Refund { refund } => match order.refund_numbered(*refund) {
                Some(Refund { status: RefundStatus::Requested, .. }) | None => {
                    format!("Stripe is asked for refund {refund}.")
                }
                Some(_) => format!("Stripe is asked how refund {refund} stands."),
            },
            Task::PollIntent { intent } => format!("Stripe is asked how {intent} stands, if no webhook tells before."),
            Task::ConfirmPayment { intent } => {
                format!("Stripe is asked whether it has received the payment {intent} that an event told of.")
            }
            Task::WatchAuthorization { intent } => {
                format!("A person is told that what {intent} holds will be released a day later.")
            }
            Task::ExpireOrder => "The order is given up if it is still unpaid.".to_owned(),
        };
        // Who holds it may be gone: then the next one takes it when the lease is over.
        let at = stored.leased_until.map_or(stored.due_at, |until| stored.due_at.max(until));
        Self { at, sentence, task: stored.task.key().to_string(), tries: stored.taken, error: stored.error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, dispute, placed, usd};
    use paywright_domain::{
        CancelReason, CaptureMethod, Currency, IntentPlan, IntentSnapshot, NewOrder, NewRefund, Policies,
    };

    fn seen(order: &Order, id: &str, status: IntentStatus) -> IntentSnapshot {
        let asked = IntentSnapshot::new(IntentId::new(id).unwrap(), order.id, order.total, at(2));
        let received = if status == IntentStatus::Succeeded { order.total } else { usd(0) };
        let capturable = if status == IntentStatus::RequiresCapture { order.total } else { usd(0) };
        IntentSnapshot { status, received, capturable, ..asked }
    }

    fn settled(order: &Order, update: &IntentSnapshot) -> Order {
        order.settle(update, &Policies::DEFAULT, at(3)).unwrap().order
    }

    fn issued(status: IntentStatus) -> Order {
        settled(&placed(), &seen(&placed(), "pi_1", status))
    }

    /// Each question that somebody asks of an order, and the sentence that answers it.
    #[test]
    fn each_rule_says_why() {
        let requested = match placed().request_intent(at(2)).unwrap() {
            IntentPlan::Create { decision: Some(decision), .. } => decision.order,
            plan @ (IntentPlan::Create { .. } | IntentPlan::Existing(_)) => panic!("{plan:?}"),
        };
        let mut declined = seen(&placed(), "pi_1", IntentStatus::RequiresPaymentMethod);
        declined.last_error = Some(IntentError {
            code: Some("card_declined".into()),
            decline_code: Some("stolen_card".into()),
            message: Some("Your card was declined.".into()),
        });
        let paid = issued(IntentStatus::Succeeded);
        let twice = settled(&paid, &seen(&paid, "pi_2", IntentStatus::Succeeded));
        let canceled = placed().cancel(CancelReason::Abandoned, at(2)).unwrap().order;
        let late = settled(&canceled, &seen(&canceled, "pi_1", IntentStatus::Succeeded));
        let other = IntentSnapshot { received: usd(900), ..seen(&placed(), "pi_1", IntentStatus::Succeeded) };
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
        let held = IntentSnapshot { capturable: usd(1000), ..seen(&manual, "pi_1", IntentStatus::RequiresCapture) };
        let authorised = settled(&manual, &held);
        let captured = IntentSnapshot { received: usd(400), ..seen(&manual, "pi_1", IntentStatus::Succeeded) };
        let live = IntentSnapshot { livemode: true, ..seen(&placed(), "pi_1", IntentStatus::Succeeded) };
        for (order, expected) in [
            (placed(), "nobody has begun to pay"),
            (requested, "whether it made one is not known yet"),
            (issued(IntentStatus::RequiresPaymentMethod), "pi_1 waits for the customer's means of payment"),
            (
                settled(&placed(), &declined),
                "failed: Your card was declined. (card_declined); the customer may try again",
            ),
            (issued(IntentStatus::RequiresConfirmation), "waits for the customer to confirm"),
            (issued(IntentStatus::RequiresAction), "whose bank asks for more"),
            (issued(IntentStatus::Processing), "the bank is still processing pi_1"),
            (issued(IntentStatus::RequiresCapture), "pi_1 holds 10.00 usd that the shop has not captured"),
            (issued(IntentStatus::Canceled), "its payment intent was given up; who pays next gets another"),
            (paid.clone(), "It was paid: 10.00 usd came by pi_1 at 1970-01-01T00:00:03Z."),
            (refunded(None), "and all of it has gone back or is going"),
            (refunded(Some(usd(400))), "and 6.00 usd of it is still here after its refunds"),
            (disputed, "the card holder disputes it"),
            (canceled, "It is not paid: it was canceled at 1970-01-01T00:00:02Z (abandoned)."),
            (twice, "It was paid twice: pi_2 brought 10.00 usd once more; it goes back by refund 1 (requested)."),
            (late, "10.00 usd came by pi_1 after the order was canceled; it goes back by refund 1 (requested)."),
            (settled(&placed(), &other), "9.00 usd came by pi_1 where 10.00 usd was due; a person must decide"),
            (settled(&placed(), &live), "pi_1 is a live payment of a test order"),
            (
                settled(&authorised, &captured),
                "4.00 usd of pi_1 was captured outside of this shop, and 6.00 usd was released",
            ),
            (canceling, "the payment intent pi_1 is being canceled; Stripe has not confirmed it yet"),
        ] {
            let said = because(&order).join(" ");
            assert!(said.contains(expected), "{expected:?} is not in {said:?}");
            assert!(!said.contains("stolen"), "the bank's own word is not for everybody: {said}");
        }
    }
}
