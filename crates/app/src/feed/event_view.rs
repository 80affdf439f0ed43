//! JSON form of an event, in the feed and in webhooks.

use paywright_domain::id::RefundId;
use paywright_domain::refund::{RefundFailure, RefundOrigin};
use paywright_domain::{Fact, IntentId, Money};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::order_view::{AnomalyView, LastErrorView};
use crate::view_value::{
    CancelReasonName, CurrencyCode, DecimalAmount, DisputeStatusName, EventTypeName, IntentStatusName,
    RefundOriginName, RefundStatusName, Time,
};
use crate::{EventContent, FeedEvent};

#[derive(Serialize)]
struct EventView<'a> {
    #[serde(flatten)]
    fields: EventFieldsView,
    data: EventDataView<'a>,
}

/// Content of an event: of its order, or of an object of the account.
#[derive(Serialize)]
#[serde(untagged)]
enum EventDataView<'a> {
    Order(DataView<'a>),
    Account(Option<Box<RawValue>>),
}

/// Fields that the events of all types have.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = EventFields))]
pub(crate) struct EventFieldsView {
    /// Position in the feed: 1, 2, 3 and so on, without gaps.
    position: u64,
    /// Id of the event: the `webhook-id` of its webhooks.
    id: Uuid,
    #[serde(rename = "type")]
    kind: EventTypeName,
    /// Time of the change.
    timestamp: Time,
    /// Id of the order.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    order: Option<Uuid>,
    /// Version of the order after the change; one change may be several events.
    #[cfg_attr(feature = "openapi", schema(value_type = u32))]
    version: Option<u32>,
    /// Whether it is about real money.
    livemode: bool,
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
    Edited(EditedView),
    Canceled(CanceledView),
    Payment(PaymentView<'a>),
    Accepted(AcceptedView<'a>),
    Status(StatusView<'a>),
    Intent(IntentView<'a>),
    RefundRequested(RefundRequestedView<'a>),
    RefundChanged(RefundChangedView<'a>),
    RefundClosed(RefundClosedView<'a>),
    DisputeOpened(DisputeOpenedView<'a>),
    DisputeChanged(DisputeChangedView<'a>),
    Anomaly(AnomalyFoundView<'a>),
}

/// Totals before and after an edit.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct EditedView {
    amount_before: DecimalAmount,
    amount: DecimalAmount,
    currency: CurrencyCode,
    revision: u32,
}

impl EditedView {
    fn of(before: Money, total: Money, revision: u32) -> Self {
        let (amount_before, amount) = (DecimalAmount(before), DecimalAmount(total));
        Self { amount_before, amount, currency: total.into(), revision }
    }
}

/// Cancellation of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct CanceledView {
    reason: CancelReasonName,
}

/// Amount of a PaymentIntent.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct PaymentView<'a> {
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    amount: DecimalAmount,
    currency: CurrencyCode,
}

impl<'a> PaymentView<'a> {
    fn of(intent: &'a IntentId, amount: Money) -> Self {
        Self { payment_intent: intent.as_str(), amount: DecimalAmount(amount), currency: amount.into() }
    }
}

/// Change of a PaymentIntent's status.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct StatusView<'a> {
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    status_before: IntentStatusName,
    status: IntentStatusName,
    last_error: Option<LastErrorView<'a>>,
}

/// PaymentIntent whose authorization ended.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct IntentView<'a> {
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
}

/// Request of a refund.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct RefundRequestedView<'a> {
    /// Number of the refund within its order.
    refund: u32,
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    amount: DecimalAmount,
    currency: CurrencyCode,
    origin: RefundOriginName,
}

impl<'a> RefundRequestedView<'a> {
    fn of(refund: u32, intent: &'a IntentId, amount: Money, origin: RefundOrigin) -> Self {
        let (currency, origin) = (amount.into(), origin.into());
        Self { refund, payment_intent: intent.as_str(), amount: DecimalAmount(amount), currency, origin }
    }
}

/// Money of another amount than was due, accepted as the payment.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct AcceptedView<'a> {
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    /// Amount received, which was accepted.
    amount: DecimalAmount,
    amount_due: DecimalAmount,
    currency: CurrencyCode,
}

impl<'a> AcceptedView<'a> {
    fn of(intent: &'a IntentId, expected: Money, received: Money) -> Self {
        let (amount, amount_due) = (DecimalAmount(received), DecimalAmount(expected));
        Self { payment_intent: intent.as_str(), amount, amount_due, currency: received.into() }
    }
}

/// Change of a refund's status.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct RefundChangedView<'a> {
    /// Number of the refund within its order.
    refund: u32,
    /// Stripe's id of the refund.
    refund_id: Option<&'a str>,
    status_before: RefundStatusName,
    status: RefundStatusName,
    /// Stripe's reason of a failure.
    failure: Option<&'a str>,
}

/// Failed refund that was closed.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct RefundClosedView<'a> {
    /// Number of the refund within its order.
    refund: u32,
    /// Stripe's id of the refund, if it has one.
    refund_id: Option<&'a str>,
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    /// Amount that went back in another way.
    amount: DecimalAmount,
    currency: CurrencyCode,
}

impl<'a> RefundClosedView<'a> {
    fn of(refund: u32, id: Option<&'a RefundId>, intent: &'a IntentId, amount: Money) -> Self {
        let (refund_id, currency) = (id.map(RefundId::as_str), amount.into());
        Self { refund, refund_id, payment_intent: intent.as_str(), amount: DecimalAmount(amount), currency }
    }
}

/// Dispute that was opened.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct DisputeOpenedView<'a> {
    /// Stripe's id of the dispute.
    dispute: &'a str,
    /// Id of the PaymentIntent.
    payment_intent: &'a str,
    amount: DecimalAmount,
    currency: CurrencyCode,
    /// Reason given by the cardholder, as Stripe names it.
    reason: &'a str,
    status: DisputeStatusName,
}

/// Change of a dispute's status, or of its money.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct DisputeChangedView<'a> {
    /// Stripe's id of the dispute.
    dispute: &'a str,
    status_before: DisputeStatusName,
    status: DisputeStatusName,
    funds_withdrawn: bool,
    funds_reinstated: bool,
}

/// Anomaly that was found.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct AnomalyFoundView<'a> {
    anomaly: AnomalyView<'a>,
}

impl<'a> ChangeView<'a> {
    fn of(fact: &'a Fact) -> Self {
        match fact {
            Fact::OrderEdited { before, total, revision } => Self::Edited(EditedView::of(*before, *total, *revision)),
            Fact::OrderCanceled { reason } => Self::Canceled(CanceledView { reason: (*reason).into() }),
            Fact::OrderPaid { by: intent, amount }
            | Fact::IntentCreated { intent, amount }
            | Fact::PaymentConfirmed { intent, received: amount } => Self::Payment(PaymentView::of(intent, *amount)),
            Fact::IntentChanged { intent, before, status, last_error } => Self::Status(StatusView {
                payment_intent: intent.as_str(),
                status_before: (*before).into(),
                status: (*status).into(),
                last_error: last_error.as_ref().map(LastErrorView::of),
            }),
            Fact::PaymentAccepted { intent, expected, received, .. } => {
                Self::Accepted(AcceptedView::of(intent, *expected, *received))
            }
            Fact::AuthorizationEnded { intent } => Self::Intent(IntentView { payment_intent: intent.as_str() }),
            Fact::RefundRequested { refund, intent, amount, origin } => {
                Self::RefundRequested(RefundRequestedView::of(*refund, intent, *amount, *origin))
            }
            Fact::RefundChanged { refund, provider_id, before, status, failure } => {
                Self::RefundChanged(RefundChangedView {
                    refund: *refund,
                    refund_id: provider_id.as_ref().map(RefundId::as_str),
                    status_before: (*before).into(),
                    status: (*status).into(),
                    failure: failure.as_ref().map(RefundFailure::as_str),
                })
            }
            Fact::RefundClosed { refund, provider_id, intent, amount, .. } => {
                Self::RefundClosed(RefundClosedView::of(*refund, provider_id.as_ref(), intent, *amount))
            }
            Fact::DisputeOpened { dispute, intent, amount, reason, status } => Self::DisputeOpened(DisputeOpenedView {
                dispute: dispute.as_str(),
                payment_intent: intent.as_str(),
                amount: DecimalAmount(*amount),
                currency: (*amount).into(),
                reason,
                status: (*status).into(),
            }),
            Fact::DisputeChanged { dispute, before, status, withdrawn, reinstated } => {
                Self::DisputeChanged(DisputeChangedView {
                    dispute: dispute.as_str(),
                    status_before: (*before).into(),
                    status: (*status).into(),
                    funds_withdrawn: *withdrawn,
                    funds_reinstated: *reinstated,
                })
            }
            Fact::AnomalyFound { anomaly } => {
                Self::Anomaly(AnomalyFoundView { anomaly: AnomalyView::without_personal_data(anomaly) })
            }
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
        let of_order = self.of_order();
        let view = EventView {
            fields: EventFieldsView {
                position: self.position.0,
                id: self.id(),
                kind: self.kind.into(),
                timestamp: Time(self.at()),
                order: of_order.map(|it| it.order.0),
                version: of_order.map(|it| it.recorded.version.0),
                livemode: self.livemode(),
            },
            data: match &self.content {
                EventContent::Order(it) => EventDataView::Order(DataView {
                    change: ChangeView::of(&it.recorded.fact),
                    order: RawValue::from_string(it.snapshot.to_json()).ok(),
                }),
                EventContent::Account { event, .. } => {
                    EventDataView::Account(RawValue::from_string(event.data.clone()).ok())
                }
            },
        };
        // A view is plain data, for which this cannot fail.
        serde_json::to_string(&view).unwrap_or_default()
    }
}
