//! Bodies of webhooks in Spree's format (version 1): the document of a resource as it was after the fact, with three keys
//! of the event.

use paywright_app::{EventFormat, EventPart, FeedEvent};
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::IntentStatus;
use paywright_domain::money::MoneyError;
use paywright_domain::refund::RefundStatus;
use paywright_domain::{Fact, IntentId, Money, Timestamp, variant_names};
use serde_json::{Map, Value, json};

use super::documents::{order_document, payment_document, refund_document};
use super::order::{PlatformOrder, PlatformPayment};
use crate::spree::resources::time;

/// Subscription to every event.
pub(super) const EVERY_EVENT: &str = "*";

/// Number of ids that an event of the feed has for its parts: Spree's `event_id` is a number.
const IDS_PER_POSITION: u64 = 100;

/// One of Spree's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpreeEvent {
    OrderCreate,
    OrderPlaced,
    OrderUpdate,
    OrderPaid,
    OrderCanceled,
    PaymentCreate,
    PaymentUpdate,
    PaymentPaid,
    PaymentVoided,
    RefundCreate,
}

variant_names! {
    /// Spree's name of the event.
    SpreeEvent {
        OrderCreate => "order.create",
        OrderPlaced => "order.placed",
        OrderUpdate => "order.update",
        OrderPaid => "order.paid",
        OrderCanceled => "order.canceled",
        PaymentCreate => "payment.create",
        PaymentUpdate => "payment.update",
        PaymentPaid => "payment.paid",
        PaymentVoided => "payment.voided",
        RefundCreate => "refund.create",
    }
}

impl SpreeEvent {
    /// Types of feed events that become this event.
    const fn sources(self) -> &'static [FeedEventType] {
        use FeedEventType as Feed;
        match self {
            Self::OrderCreate | Self::OrderPlaced => &[Feed::OrderPlaced],
            Self::OrderUpdate => &[Feed::OrderEdited, Feed::RefundChanged],
            Self::OrderPaid | Self::PaymentPaid => &[Feed::OrderPaid],
            Self::OrderCanceled => &[Feed::OrderCanceled],
            Self::PaymentCreate => &[Feed::IntentCreated],
            Self::PaymentUpdate => &[Feed::OrderPaid, Feed::IntentChanged],
            Self::PaymentVoided => &[Feed::IntentChanged],
            Self::RefundCreate => &[Feed::RefundChanged],
        }
    }
}

/// Whether a list of subscriptions has an event.
fn has(subscriptions: &[String], event: SpreeEvent) -> bool {
    subscriptions.iter().any(|it| it == EVERY_EVENT || it == event.name())
}

/// Types of feed events that become events of these subscriptions. Without subscriptions it is every type, which means
/// the same: an event that becomes none of them is left out.
pub(super) fn types_of(subscriptions: &[String]) -> Vec<FeedEventType> {
    let wanted: Vec<_> = SpreeEvent::ALL.into_iter().filter(|it| has(subscriptions, *it)).collect();
    let is_wanted = |kind: &FeedEventType| wanted.iter().any(|it| it.sources().contains(kind));
    FeedEventType::ALL.into_iter().filter(is_wanted).collect()
}

/// Resource that a webhook shows.
#[derive(Debug, Clone, Copy)]
enum Shown<'a> {
    Order,
    /// Payment by this PaymentIntent, with the status that the fact has, if it has one.
    Payment(&'a IntentId, Option<IntentStatus>),
    /// Refund with this number.
    Refund(u32),
}

/// Spree's events that a fact becomes, in the order in which they are sent.
fn parts_of(fact: &Fact) -> Vec<(SpreeEvent, Shown<'_>)> {
    let changed = |intent, status| Shown::Payment(intent, Some(status));
    match fact {
        Fact::OrderPlaced { .. } => {
            vec![(SpreeEvent::OrderCreate, Shown::Order), (SpreeEvent::OrderPlaced, Shown::Order)]
        }
        Fact::OrderEdited { .. } => vec![(SpreeEvent::OrderUpdate, Shown::Order)],
        Fact::OrderPaid { by, .. } => vec![
            (SpreeEvent::PaymentUpdate, Shown::Payment(by, None)),
            (SpreeEvent::PaymentPaid, Shown::Payment(by, None)),
            (SpreeEvent::OrderPaid, Shown::Order),
        ],
        Fact::OrderCanceled { .. } => vec![(SpreeEvent::OrderCanceled, Shown::Order)],
        Fact::IntentCreated { intent, .. } => vec![(SpreeEvent::PaymentCreate, Shown::Payment(intent, None))],
        Fact::IntentChanged { intent, status, .. } => match status {
            IntentStatus::Canceled => vec![(SpreeEvent::PaymentVoided, changed(intent, *status))],
            // A payment that pays its order is told by `order.paid`.
            IntentStatus::Succeeded => Vec::new(),
            IntentStatus::RequiresPaymentMethod
            | IntentStatus::RequiresConfirmation
            | IntentStatus::RequiresAction
            | IntentStatus::Processing
            | IntentStatus::RequiresCapture => vec![(SpreeEvent::PaymentUpdate, changed(intent, *status))],
        },
        Fact::RefundChanged { refund, before, status, .. } => {
            let update = (SpreeEvent::OrderUpdate, Shown::Order);
            match (*before == RefundStatus::Succeeded, *status == RefundStatus::Succeeded) {
                (false, true) => vec![(SpreeEvent::RefundCreate, Shown::Refund(*refund)), update],
                (true, false) => vec![update],
                (true, true) | (false, false) => Vec::new(),
            }
        }
        Fact::IntentRequested { .. }
        | Fact::IntentRefused { .. }
        | Fact::OperationRequested { .. }
        | Fact::OperationDropped { .. }
        | Fact::RequestFailed { .. }
        | Fact::PaymentAccepted { .. }
        | Fact::RefundClosed { .. }
        | Fact::AuthorizationEnded { .. }
        | Fact::PaymentConfirmed { .. }
        | Fact::RefundRequested { .. }
        | Fact::DisputeOpened { .. }
        | Fact::DisputeChanged { .. }
        | Fact::AnomalyFound { .. }
        | Fact::ProceedsKnown { .. } => Vec::new(),
    }
}

impl Shown<'_> {
    fn document(self, mut order: PlatformOrder) -> Result<Option<Value>, MoneyError> {
        match self {
            Self::Order => order_document(&order).map(Some),
            Self::Payment(intent, status) => {
                if order.payments.iter().all(|it| it.intent != *intent) {
                    // A snapshot has the leading payment alone, and this one is another.
                    order.payments.push(PlatformPayment {
                        intent: intent.clone(),
                        status: status.unwrap_or(IntentStatus::RequiresPaymentMethod),
                        amount: order.total,
                        received: Money::zero(order.total.currency()),
                        has_failed: false,
                        pays: false,
                        created_at: None,
                        updated_at: None,
                    });
                }
                payment_document(&order, intent.as_str())
            }
            Self::Refund(number) => refund_document(&order, number),
        }
    }
}

/// Body with the document of a resource, if there is one, and the keys of the event.
fn body(document: Option<Value>, id: u64, kind: &str, at: Timestamp) -> String {
    let mut body = match document {
        Some(Value::Object(fields)) => fields,
        Some(_) | None => Map::from_iter([("data".to_owned(), Value::Null)]),
    };
    body.insert("event_created_at".to_owned(), json!(time(at)));
    body.insert("event_id".to_owned(), json!(id));
    body.insert("event_type".to_owned(), json!(kind));
    Value::Object(body).to_string()
}

/// Webhooks in the format of Spree's version 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpreeFormat;

impl EventFormat for SpreeFormat {
    fn part(&self, event: &FeedEvent, subscriptions: &[String], from: u32) -> Option<EventPart> {
        // Spree has no events about the account.
        let told = event.of_order()?;
        let mut parts = (0..)
            .zip(parts_of(&told.recorded.fact))
            .filter(|(index, (kind, _))| *index >= from && has(subscriptions, *kind));
        let (index, (kind, shown)) = parts.next()?;
        let next = parts.next().map(|(index, _)| index);
        let document = PlatformOrder::of_snapshot(&told.snapshot.to_json())
            .map_err(|error| error.to_string())
            .and_then(|order| shown.document(order).map_err(|error| error.to_string()));
        let document = document.unwrap_or_else(|error| {
            let (position, order) = (event.position.0, told.order.to_string());
            tracing::error!(position, order, error, "a webhook in Spree's format has no data");
            None
        });
        let id = event.position.0.saturating_mul(IDS_PER_POSITION).saturating_add(u64::from(index));
        Some(EventPart {
            index,
            name: kind.name().to_owned(),
            body: body(document, id, kind.name(), told.recorded.at),
            next,
        })
    }

    fn test_body(&self, kind: &str, at: Timestamp) -> String {
        body(None, 0, kind, at)
    }
}

#[cfg(test)]
mod tests {
    use paywright_app::{EventContent, Position, Version};
    use paywright_testkit::account_event_contract::{account_at, found_break};

    use super::*;

    #[test]
    fn an_event_of_the_account_becomes_nothing() {
        let event = account_at(1_743_415_050).break_found(&found_break());
        let content = EventContent::Account { number: Version(1), event };
        let event = FeedEvent { position: Position(1), kind: FeedEventType::BooksBreak, content };
        assert_eq!(SpreeFormat.part(&event, &[EVERY_EVENT.to_owned()], 0), None);
        let every: Vec<_> = SpreeEvent::ALL.iter().map(|it| it.name().to_owned()).collect();
        assert!(types_of(&every).iter().all(|it| !it.is_of_account()));
    }
}
