//! JSON form of an event, in the feed and in webhooks.

use paywright_domain::{Fact, Money, OrderId};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::FeedEvent;
use crate::order_view::{AnomalyView, LastErrorView};

#[derive(Serialize)]
struct EventView<'a> {
    position: u64,
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    order: String,
    version: u32,
    livemode: bool,
    data: DataView<'a>,
}

/// Change and the order after it.
#[derive(Serialize)]
struct DataView<'a> {
    #[serde(flatten)]
    change: ChangeView<'a>,
    order: Option<Box<RawValue>>,
}

/// Fields of a fact beside the order itself.
#[derive(Serialize)]
#[serde(untagged)]
enum ChangeView<'a> {
    None {},
    Edited {
        amount_before: String,
        amount: String,
        currency: &'static str,
        revision: u32,
    },
    Canceled {
        reason: &'static str,
    },
    /// An amount of a PaymentIntent.
    Payment {
        payment_intent: &'a str,
        amount: String,
        currency: &'static str,
    },
    Status {
        payment_intent: &'a str,
        status_before: &'static str,
        status: &'static str,
        last_error: Option<LastErrorView<'a>>,
    },
    Intent {
        payment_intent: &'a str,
    },
    RefundRequested {
        refund: u32,
        payment_intent: &'a str,
        amount: String,
        currency: &'static str,
        origin: &'static str,
    },
    RefundChanged {
        refund: u32,
        refund_id: Option<&'a str>,
        status_before: &'static str,
        status: &'static str,
        failure: Option<&'a str>,
    },
    DisputeOpened {
        dispute: &'a str,
        payment_intent: &'a str,
        amount: String,
        currency: &'static str,
        reason: &'a str,
        status: &'static str,
    },
    DisputeChanged {
        dispute: &'a str,
        status_before: &'static str,
        status: &'static str,
        funds_withdrawn: bool,
        funds_reinstated: bool,
    },
    Anomaly {
        anomaly: AnomalyView<'a>,
    },
}

fn code(amount: Money) -> &'static str {
    amount.currency().code()
}

impl<'a> ChangeView<'a> {
    fn of(fact: &'a Fact) -> Self {
        match fact {
            Fact::OrderEdited { before, total, revision } => Self::Edited {
                amount_before: before.to_decimal(),
                amount: total.to_decimal(),
                currency: code(*total),
                revision: *revision,
            },
            Fact::OrderCanceled { reason } => Self::Canceled { reason: reason.name() },
            Fact::OrderPaid { by: intent, amount }
            | Fact::IntentCreated { intent, amount }
            | Fact::PaymentConfirmed { intent, received: amount } => {
                Self::Payment { payment_intent: intent.as_str(), amount: amount.to_decimal(), currency: code(*amount) }
            }
            Fact::IntentChanged { intent, before, status, last_error } => Self::Status {
                payment_intent: intent.as_str(),
                status_before: before.name(),
                status: status.name(),
                last_error: last_error.as_ref().map(LastErrorView::of),
            },
            Fact::AuthorizationEnded { intent } => Self::Intent { payment_intent: intent.as_str() },
            Fact::RefundRequested { refund, intent, amount, origin } => Self::RefundRequested {
                refund: *refund,
                payment_intent: intent.as_str(),
                amount: amount.to_decimal(),
                currency: code(*amount),
                origin: origin.name(),
            },
            Fact::RefundChanged { refund, provider_id, before, status, failure } => Self::RefundChanged {
                refund: *refund,
                refund_id: provider_id.as_ref().map(paywright_domain::id::RefundId::as_str),
                status_before: before.name(),
                status: status.name(),
                failure: failure.as_ref().map(paywright_domain::refund::RefundFailure::as_str),
            },
            Fact::DisputeOpened { dispute, intent, amount, reason, status } => Self::DisputeOpened {
                dispute: dispute.as_str(),
                payment_intent: intent.as_str(),
                amount: amount.to_decimal(),
                currency: code(*amount),
                reason,
                status: status.name(),
            },
            Fact::DisputeChanged { dispute, before, status, withdrawn, reinstated } => Self::DisputeChanged {
                dispute: dispute.as_str(),
                status_before: before.name(),
                status: status.name(),
                funds_withdrawn: *withdrawn,
                funds_reinstated: *reinstated,
            },
            Fact::AnomalyFound { anomaly } => Self::Anomaly { anomaly: AnomalyView::without_personal_data(anomaly) },
            Fact::OrderPlaced { .. }
            | Fact::IntentRequested { .. }
            | Fact::IntentRefused { .. }
            | Fact::OperationRequested { .. }
            | Fact::OperationDropped { .. }
            | Fact::RequestFailed { .. }
            | Fact::ProceedsKnown { .. } => Self::None {},
        }
    }
}

impl FeedEvent {
    /// The event as one JSON object: `position`, `id`, `type`, `timestamp`, `order`, `version`, `livemode`, `data`.
    pub fn to_json(&self) -> String {
        let OrderId(order) = self.order;
        let view = EventView {
            position: self.position.0,
            id: self.id().to_string(),
            kind: self.kind.name(),
            timestamp: self.recorded.at.to_string(),
            order: order.to_string(),
            version: self.recorded.version.0,
            livemode: self.snapshot.livemode,
            data: DataView {
                change: ChangeView::of(&self.recorded.fact),
                order: RawValue::from_string(self.snapshot.to_json()).ok(),
            },
        };
        // A view is plain data, for which this cannot fail.
        serde_json::to_string(&view).unwrap_or_default()
    }
}
