//! Log lines about orders. A request, a task and an event have a span each, which every line within inherits; what it is
//! about is recorded in the span as soon as it is known. Of fields with one name the innermost counts. The spans are of the
//! level of errors, so that a warning has its ids where nothing else is logged.

use paywright_domain::{Cart, Fact, IntentId, Order};
use tracing::{Span, field};

use crate::{Actor, Changes, OrderRef, ProviderUpdate, ReceivedEvent, StoreError};

/// The slot of a span's field that is recorded later.
pub(crate) const LATER: field::Empty = field::Empty;

/// Records which order the work under way is about, and by which name it was found.
pub(crate) fn found(name: &OrderRef, order: &Order) {
    let named = match name {
        OrderRef::Intent(intent) => Some(intent),
        OrderRef::Id(_) | OrderRef::Number(_) => order.leading_intent().map(|it| &it.id),
    };
    about(order, named);
}

/// Records which order the work under way is about.
pub(crate) fn about(order: &Order, intent: Option<&IntentId>) {
    let span = Span::current();
    span.record("order", field::display(order.id)).record("number", field::display(&order.number));
    if let Some(intent) = intent {
        span.record("intent", field::display(intent));
    }
}

/// Records which cart the work under way is about, by the order that it becomes.
pub(crate) fn about_cart(cart: &Cart) {
    Span::current().record("order", field::display(cart.order)).record("number", field::display(cart.number()));
}

/// Records which event is taken in, and which intent it is about, before anything is known of its order.
pub(crate) fn event(event: &ReceivedEvent) {
    let span = Span::current();
    span.record("event", &event.id).record("event_type", &event.kind);
    let intent = match &event.update {
        ProviderUpdate::Intent(snapshot) => &snapshot.intent,
        ProviderUpdate::Refund(refund) => &refund.intent,
        ProviderUpdate::Dispute(dispute) => &dispute.intent,
        ProviderUpdate::Notice { intent, .. } | ProviderUpdate::Proceeds(intent) | ProviderUpdate::Look(intent) => {
            intent
        }
        ProviderUpdate::Nothing => return,
    };
    span.record("intent", field::display(intent));
}

/// Records what became of an event.
pub(crate) fn outcome(event: &ReceivedEvent) {
    let span = Span::current();
    span.record("outcome", event.status.name());
    if let Some(reason) = &event.error {
        span.record("reason", reason);
    }
}

/// Fields that are logged of a commit. Taken before the commit, which consumes the changes.
pub(crate) struct Change {
    order: String,
    number: String,
    version: u32,
    facts: String,
    operation: Option<String>,
    intent: Option<String>,
    source: Option<String>,
    event: Option<String>,
    stripe_request: Option<String>,
    actor: Option<Actor>,
}

/// The name of the operation that a fact says was asked for.
fn operation_of(fact: &Fact) -> Option<String> {
    if let Fact::OperationRequested { name, .. } = fact { Some(name.clone()) } else { None }
}

impl Change {
    /// Records in the span what `changes` are about, and keeps what the line says of them.
    pub(crate) fn of(changes: &Changes) -> Self {
        let order = &changes.order;
        let of_fact = changes.facts.iter().find_map(|it| intent_of(order, it));
        let intent = of_fact.or_else(|| order.leading_intent().map(|it| &it.id));
        about(order, intent);
        let cause = changes.cause.clone().unwrap_or_default();
        Self {
            order: order.id.to_string(),
            number: order.number.to_string(),
            version: changes.expected.next().0,
            facts: changes.facts.iter().map(Fact::kind).collect::<Vec<_>>().join(","),
            operation: changes.facts.iter().find_map(operation_of),
            intent: intent.map(ToString::to_string),
            source: Some(cause.source).filter(|it| !it.is_empty()),
            event: cause.event,
            stripe_request: cause.request,
            actor: cause.actor,
        }
    }

    /// Logs what came of the commit: a line for each change with facts, and for each whose outcome is not known. A failure
    /// that changed nothing is logged by whoever handles it.
    pub(crate) fn log(self, committed: &Result<(), StoreError>) {
        let Self { order, number, version, facts, operation, intent, source, event, stripe_request, actor } = self;
        let operator = actor.as_ref().and_then(Actor::operator);
        let actor = actor.as_ref().map(Actor::kind);
        match committed {
            Ok(()) if facts.is_empty() => {
                tracing::debug!(
                    order,
                    number,
                    version,
                    intent,
                    source,
                    event,
                    stripe_request,
                    actor,
                    operator,
                    "order read again"
                );
            }
            Ok(()) => {
                tracing::info!(
                    order,
                    number,
                    version,
                    facts,
                    operation,
                    intent,
                    source,
                    event,
                    stripe_request,
                    actor,
                    operator,
                    "order changed"
                );
            }
            Err(StoreError::Unknown(error)) => tracing::warn!(
                order, number, version, facts, operation, intent, source, event, stripe_request, actor, operator, %error,
                "order perhaps changed"
            ),
            Err(StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Corrupt(_)) => {}
        }
    }
}

/// The intent that a fact is about.
fn intent_of<'a>(order: &'a Order, fact: &'a Fact) -> Option<&'a IntentId> {
    match fact {
        Fact::OrderPaid { by: intent, .. }
        | Fact::IntentCreated { intent, .. }
        | Fact::IntentChanged { intent, .. }
        | Fact::OperationRequested { intent, .. }
        | Fact::AuthorizationEnded { intent }
        | Fact::PaymentConfirmed { intent, .. }
        | Fact::ProceedsKnown { intent, .. }
        | Fact::RefundRequested { intent, .. }
        | Fact::DisputeOpened { intent, .. } => Some(intent),
        Fact::RefundChanged { refund, .. } => order.refund_numbered(*refund).map(|it| &it.intent),
        Fact::DisputeChanged { dispute, .. } => order.disputes.iter().find(|it| it.id == *dispute).map(|it| &it.intent),
        Fact::AnomalyFound { anomaly } => anomaly.intent.as_ref(),
        Fact::OrderPlaced { .. }
        | Fact::OrderEdited { .. }
        | Fact::OrderCanceled { .. }
        | Fact::IntentRequested { .. }
        | Fact::IntentRefused { .. }
        | Fact::OperationDropped { .. } => None,
    }
}
