//! JSON views of the shop dialect. Order-level amounts are decimals in major units, a line's amount is in minor units
//! of ISO 4217, currencies are lower case, times are RFC 3339 in UTC.

use paywright_app::{Actor, Explanation, LineView, Moment, NextStep, OrderPage, OrderView};
use paywright_domain::Order;
use serde::Serialize;

/// Envelope of every successful answer.
#[derive(Serialize)]
pub(crate) struct Envelope<T> {
    pub(crate) message: &'static str,
    pub(crate) data: T,
}

/// PaymentIntent with the lines of its order. Callers rely on exactly these fields.
#[derive(Serialize)]
pub(crate) struct PaymentView<'a> {
    id: &'a str,
    client_secret: Option<&'a str>,
    amount: String,
    currency: &'static str,
    status: &'static str,
    line_items: Vec<LineView<'a>>,
}

impl<'a> PaymentView<'a> {
    /// View of the order's leading intent; `None` for an order without one.
    pub(crate) fn of(order: &'a Order, client_secret: Option<&'a str>) -> Option<Self> {
        let intent = order.leading_intent()?;
        Some(Self {
            id: intent.id.as_str(),
            client_secret,
            amount: intent.amount.to_decimal(),
            currency: intent.currency().code(),
            status: intent.status.name(),
            line_items: order.lines.iter().map(LineView::of).collect(),
        })
    }
}

/// Explanation of the state of an order: reasons, timeline and next steps.
#[derive(Serialize)]
pub(crate) struct ExplanationView<'a> {
    id: String,
    number: &'a str,
    status: &'static str,
    payment_status: &'static str,
    because: &'a [String],
    timeline: Vec<MomentView<'a>>,
    next: Vec<NextView<'a>>,
}

#[derive(Serialize)]
struct MomentView<'a> {
    at: String,
    kind: &'static str,
    what: &'a str,
    source: Option<&'a str>,
    stripe_event: Option<&'a str>,
    stripe_request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<ActorView<'a>>,
}

/// Actor who caused an entry of the timeline.
#[derive(Serialize)]
struct ActorView<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
}

impl<'a> ActorView<'a> {
    fn of(actor: &'a Actor) -> Self {
        let (key, key_name) = actor.api_key().unzip();
        let key = key.map(|it| it.to_string());
        Self { kind: actor.kind(), key, key_name, operator: actor.operator() }
    }
}

#[derive(Serialize)]
struct NextView<'a> {
    at: String,
    what: &'a str,
    task: &'a str,
    tries: u32,
    last_error: Option<&'a str>,
}

impl<'a> ExplanationView<'a> {
    /// View for customers, without actors: API keys and operators are internal to the shop.
    pub(crate) fn without_actors(explanation: &'a Explanation) -> Self {
        let mut view = Self::of(explanation);
        view.timeline.iter_mut().for_each(|it| it.actor = None);
        view
    }

    pub(crate) fn of(explanation: &'a Explanation) -> Self {
        let order = &explanation.order;
        let moment = |it: &'a Moment| MomentView {
            at: it.at.to_string(),
            kind: it.kind,
            what: &it.sentence,
            source: it.cause.as_ref().map(|it| it.source.as_str()).filter(|it| !it.is_empty()),
            stripe_event: it.cause.as_ref().and_then(|it| it.event.as_deref()),
            stripe_request: it.cause.as_ref().and_then(|it| it.request.as_deref()),
            actor: it.cause.as_ref().and_then(|it| it.actor.as_ref()).map(ActorView::of),
        };
        let next = |it: &'a NextStep| NextView {
            at: it.at.to_string(),
            what: &it.sentence,
            task: &it.task,
            tries: it.tries,
            last_error: it.error.as_deref(),
        };
        Self {
            id: order.id.to_string(),
            number: order.number.as_str(),
            status: order.status_name(),
            payment_status: order.payment_state().name(),
            because: &explanation.because,
            timeline: explanation.timeline.iter().map(moment).collect(),
            next: explanation.next.iter().map(next).collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PageView<'a> {
    orders: Vec<OrderView<'a>>,
    next_cursor: Option<String>,
}

impl<'a> PageView<'a> {
    pub(crate) fn of(page: &'a OrderPage) -> Self {
        Self {
            orders: page.orders.iter().map(OrderView::of).collect(),
            next_cursor: page.next.map(|it| it.to_string()),
        }
    }
}
