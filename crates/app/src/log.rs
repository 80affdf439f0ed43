//! Log lines about orders. Each request, task and event has a span, whose fields every line within it inherits. The ids
//! of the order and the PaymentIntent are recorded in the span as soon as they are known. Where nested spans have the
//! same field, the innermost one counts. The spans have the level `error`, so that warnings have their ids where only
//! warnings are logged.

use paywright_domain::storefront::Cart;
use paywright_domain::task::ProviderRequest;
use paywright_domain::{Fact, IntentId, Order};
use tracing::{Span, field};

use crate::{Actor, Changes, OrderRef, ProviderUpdate, ReceivedEvent, StoreError};

/// Empty value of a span's field that is recorded later.
pub(crate) const LATER: field::Empty = field::Empty;

/// Records the order of the current span, found by `name`, and its PaymentIntent.
pub(crate) fn found(name: &OrderRef, order: &Order) {
    let named = match name {
        OrderRef::Intent(intent) => Some(intent),
        OrderRef::Id(_) | OrderRef::Number(_) => order.leading_intent().map(|it| &it.id),
    };
    about(order, named);
}

/// Records the order and the PaymentIntent of the current span.
pub(crate) fn about(order: &Order, intent: Option<&IntentId>) {
    let span = Span::current();
    span.record("order", field::display(order.id)).record("number", field::display(&order.number));
    if let Some(intent) = intent {
        span.record("intent", field::display(intent));
    }
}

/// Records the cart of the current span, by the id and number of its order.
pub(crate) fn about_cart(cart: &Cart) {
    Span::current().record("order", field::display(cart.order)).record("number", field::display(cart.number()));
}

/// Records the event of the current span and its PaymentIntent, before its order is known.
pub(crate) fn event(event: &ReceivedEvent) {
    let span = Span::current();
    span.record("event", &event.id).record("event_type", &event.kind);
    let intent = match &event.update {
        ProviderUpdate::Intent(snapshot) => &snapshot.intent,
        ProviderUpdate::Refund(refund) => &refund.intent,
        ProviderUpdate::Dispute(dispute) => &dispute.intent,
        ProviderUpdate::Notice { intent, .. }
        | ProviderUpdate::Proceeds(intent)
        | ProviderUpdate::ReadRequired(intent) => intent,
        ProviderUpdate::Balance | ProviderUpdate::Nothing => return,
    };
    span.record("intent", field::display(intent));
}

/// Records the resulting status of an event, and its reason.
pub(crate) fn outcome(event: &ReceivedEvent) {
    let span = Span::current();
    span.record("outcome", event.status.name());
    if let Some(reason) = &event.error {
        span.record("reason", reason);
    }
}

/// Fields of a commit that are logged. They are read before the commit, which consumes the changes.
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

/// Name of the operation that a fact says was requested.
fn operation_of(fact: &Fact) -> Option<String> {
    if let Fact::OperationRequested { name, .. } = fact { Some(name.clone()) } else { None }
}

impl Change {
    /// Records the order of `changes` in the current span, and returns the fields for the log line.
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

    /// Logs the result of the commit: one line for each change with facts, and for each with an unknown outcome. A
    /// failure that changed nothing is logged where it is handled.
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
                    "order saved without a new fact"
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
                "order may have changed"
            ),
            Err(StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Corrupt(_)) => {}
        }
    }
}

/// PaymentIntent that a fact is about.
fn intent_of<'a>(order: &'a Order, fact: &'a Fact) -> Option<&'a IntentId> {
    match fact {
        Fact::OrderPaid { by: intent, .. }
        | Fact::IntentCreated { intent, .. }
        | Fact::IntentChanged { intent, .. }
        | Fact::OperationRequested { intent, .. }
        | Fact::PaymentAccepted { intent, .. }
        | Fact::RefundClosed { intent, .. }
        | Fact::AuthorizationEnded { intent }
        | Fact::PaymentConfirmed { intent, .. }
        | Fact::ProceedsKnown { intent, .. }
        | Fact::RefundRequested { intent, .. }
        | Fact::DisputeOpened { intent, .. } => Some(intent),
        Fact::RefundChanged { refund, .. } => order.refund_numbered(*refund).map(|it| &it.intent),
        Fact::DisputeChanged { dispute, .. } => order.disputes.iter().find(|it| it.id == *dispute).map(|it| &it.intent),
        Fact::AnomalyFound { anomaly } => anomaly.intent.as_ref(),
        Fact::RequestFailed { request, .. } => match request {
            ProviderRequest::PaymentIntent(_) => None,
            ProviderRequest::Operation { .. } => order.operation.as_ref().map(|it| &it.intent),
            ProviderRequest::Refund { refund } => order.refund_numbered(*refund).map(|it| &it.intent),
        },
        Fact::OrderPlaced { .. }
        | Fact::OrderEdited { .. }
        | Fact::OrderCanceled { .. }
        | Fact::IntentRequested { .. }
        | Fact::IntentRefused { .. }
        | Fact::OperationDropped { .. } => None,
    }
}
