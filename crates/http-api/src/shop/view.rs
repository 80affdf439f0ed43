//! JSON views of the shop dialect. Order-level amounts are decimals in major units, a line's amount is in minor units
//! of ISO 4217, currencies are lower case, times are RFC 3339 in UTC.

use paywright_app::view_value::{CurrencyCode, DecimalAmount, IntentStatusName, OrderStatus, PaymentStatus, Time};
use paywright_app::{Actor, Explanation, Ledger, LedgerSummaryView, LineView, Moment, NextStep, OrderPage, OrderView};
use paywright_domain::Order;
use serde::Serialize;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::openapi::schema::{reference, string};

/// Envelope of every successful answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Envelope<T> {
    /// Sentence for people.
    pub(crate) message: &'static str,
    pub(crate) data: T,
}

/// PaymentIntent with the lines of its order. Callers rely on exactly these fields.
#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
pub(crate) struct PaymentView<'a> {
    /// Stripe's id of the PaymentIntent.
    id: &'a str,
    /// Secret with which a browser confirms the PaymentIntent; null where only what is stored was read.
    client_secret: Option<&'a str>,
    amount: DecimalAmount,
    currency: CurrencyCode,
    status: IntentStatusName,
    line_items: Vec<LineView<'a>>,
}

impl<'a> PaymentView<'a> {
    /// View of the order's leading intent; `None` for an order without one.
    pub(crate) fn of(order: &'a Order, client_secret: Option<&'a str>) -> Option<Self> {
        let intent = order.leading_intent()?;
        Some(Self {
            id: intent.id.as_str(),
            client_secret,
            amount: DecimalAmount(intent.amount),
            currency: intent.amount.into(),
            status: intent.status.into(),
            line_items: order.lines.iter().map(LineView::of).collect(),
        })
    }
}

/// Explanation of the state of an order: reasons, timeline and next steps.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView<'a> {
    /// Id of the order.
    id: Uuid,
    number: &'a str,
    status: OrderStatus,
    payment_status: PaymentStatus,
    /// Reasons for the state of the payment, in sentences.
    because: &'a [String],
    /// Facts that happened, oldest first.
    timeline: Vec<MomentView<'a>>,
    /// Steps that happen without a call.
    next: Vec<NextView<'a>>,
    /// Summary of what the order has in the books. Absent without the scope `books:read`, and for a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    books: Option<LedgerSummaryView>,
}

/// Entry of the timeline of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplanationEntry)]
struct MomentView<'a> {
    at: Time,
    /// Name of the fact, like `order.paid`.
    kind: &'static str,
    /// The fact in a sentence.
    what: &'a str,
    /// Source of the cause: `webhook`, `poll`, `callback` or another; null if the actor alone was the cause.
    source: Option<&'a str>,
    /// Stripe's id of the event.
    stripe_event: Option<&'a str>,
    /// Stripe's id of the request.
    stripe_request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    actor: Option<ActorView<'a>>,
}

/// Actor who caused an entry of a timeline or of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub(super) struct ActorView<'a> {
    /// Kind of actor, like `api_key`.
    kind: &'static str,
    /// Id of the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<Uuid>,
    /// Name of the API key at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_name: Option<&'a str>,
    /// Name of the operating system's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    operator: Option<&'a str>,
}

impl<'a> ActorView<'a> {
    pub(super) fn of(actor: &'a Actor) -> Self {
        let (key, key_name) = actor.api_key().unzip();
        Self { kind: actor.kind(), key, key_name, operator: actor.operator() }
    }
}

/// Step that the worker takes next.
#[derive(Serialize, ToSchema)]
#[schema(as = NextStep)]
struct NextView<'a> {
    /// Earliest time.
    at: Time,
    /// The step in a sentence.
    what: &'a str,
    /// Key of the task.
    task: &'a str,
    /// Number of attempts so far.
    tries: u32,
    /// Error of the last attempt.
    last_error: Option<&'a str>,
}

impl<'a> ExplanationView<'a> {
    /// View for customers, without actors: API keys and operators are internal to the shop.
    pub(crate) fn without_actors(explanation: &'a Explanation) -> Self {
        let mut view = Self::of(explanation);
        view.timeline.iter_mut().for_each(|it| it.actor = None);
        view
    }

    /// View with what the order has in the books.
    pub(crate) fn with_books(explanation: &'a Explanation, ledger: &Ledger) -> Self {
        Self { books: Some(LedgerSummaryView::of(ledger)), ..Self::of(explanation) }
    }

    pub(crate) fn of(explanation: &'a Explanation) -> Self {
        let order = &explanation.order;
        let moment = |it: &'a Moment| MomentView {
            at: Time(it.at),
            kind: it.kind,
            what: &it.sentence,
            source: it.cause.as_ref().map(|it| it.source.as_str()).filter(|it| !it.is_empty()),
            stripe_event: it.cause.as_ref().and_then(|it| it.event.as_deref()),
            stripe_request: it.cause.as_ref().and_then(|it| it.request.as_deref()),
            actor: it.cause.as_ref().and_then(|it| it.actor.as_ref()).map(ActorView::of),
        };
        let next = |it: &'a NextStep| NextView {
            at: Time(it.at),
            what: &it.sentence,
            task: &it.task,
            tries: it.tries,
            last_error: it.error.as_deref(),
        };
        Self {
            id: order.id.0,
            number: order.number.as_str(),
            status: order.into(),
            payment_status: order.payment_state().into(),
            because: &explanation.because,
            timeline: explanation.timeline.iter().map(moment).collect(),
            next: explanation.next.iter().map(next).collect(),
            books: None,
        }
    }
}

/// Page of orders.
#[derive(Serialize, ToSchema)]
#[schema(as = OrdersPage)]
pub(crate) struct PageView<'a> {
    orders: Vec<OrderView<'a>>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<Uuid>,
}

impl<'a> PageView<'a> {
    pub(crate) fn of(page: &'a OrderPage) -> Self {
        Self { orders: page.orders.iter().map(OrderView::of).collect(), next_cursor: page.next.map(|it| it.0) }
    }
}

/// Answer of a placed order: the order, with the token that gives access to it as its last field.
pub(crate) enum PlacedOrder {}

impl PartialSchema for PlacedOrder {
    fn schema() -> RefOr<Schema> {
        let token = string().description(Some("Bearer token that gives access to this order."));
        AllOfBuilder::new()
            .item(reference::<OrderView<'_>>())
            .item(ObjectBuilder::new().schema_type(Type::Object).property("token", token).required("token"))
            .into()
    }
}

impl ToSchema for PlacedOrder {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        OrderView::schemas(schemas);
        schemas.push((OrderView::name().into_owned(), OrderView::schema()));
    }
}
