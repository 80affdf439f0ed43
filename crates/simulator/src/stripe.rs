//! Stripe in the simulated world: the twin, webhooks under way, and requests that arrive late. It shares no code with
//! the client of the real Stripe; both follow the same documentation.

use paywright_app::{
    EventPage, GatewayError, IssuedIntent, IssuedRefund, Page, ProviderEvent, ProviderUpdate, RecordedOrder,
};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{DisputeId, OrderNumber, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError, Proceeds, SnapshotSource};
use paywright_domain::order::LostOrder;
use paywright_domain::refund::{RefundReason, RefundSnapshot, RefundStatus};
use paywright_domain::{Currency, IntentId, IntentSnapshot, Money, OrderId, Timestamp};
use paywright_stripe_twin::{
    DisputeView, Event, IntentView, Method, ObjectView, Params, RefundView, Request, Response, Twin,
};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::fault::Fault;

/// Number of objects on a page of a list: few, so that lists have several pages.
const PAGE: usize = 8;

/// Limit below which only the webhooks that change something by themselves are sent.
const FEW_WEBHOOKS: usize = 100;

/// API key with which the twin is called.
const API_KEY: &str = "sk_test_simulated";

/// A webhook under way.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Index of the event in [`Stripe::events`].
    pub(crate) event: usize,
    pub(crate) tries: u32,
    pub(crate) due_at: Timestamp,
}

/// Stripe in the simulated world.
#[derive(Default)]
pub(crate) struct Stripe {
    pub(crate) twin: Twin,
    /// Every event, the oldest first, with the time from which the event list has it.
    pub(crate) events: Vec<(ProviderEvent, Timestamp)>,
    /// Webhooks under way.
    pub(crate) deliveries: Vec<Delivery>,
    /// Requests whose caller has timed out, and which reach Stripe later.
    pub(crate) late: Vec<Request>,
    /// Number of webhooks that may still be sent.
    pub(crate) webhooks_left: usize,
    /// Delay with which every other event appears in the event list, in seconds.
    pub(crate) listing_lag_seconds: u32,
    /// Version of the API key that is valid.
    pub(crate) key_version: u32,
}

/// Builds a request as Paywright sends it.
pub(crate) fn request(method: Method, path: &str, params: Params, key: Option<&str>) -> Request {
    Request {
        method,
        path: path.to_owned(),
        params,
        key: Some(API_KEY.to_owned()),
        idempotency_key: key.map(str::to_owned),
        version: None,
        account: None,
        host: None,
    }
}

/// Builds the parameters of a request.
pub(crate) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Params {
    pairs.into_iter().collect()
}

impl Stripe {
    /// Handles a request and sends the webhooks of its events.
    pub(crate) fn handle(&mut self, request: &Request, now: Timestamp, fails: Option<u16>) -> Response {
        self.at_twin(now, |twin| twin.apply(request, now.unix_seconds(), fails))
    }

    /// Runs `work` at the twin and sends the webhooks of its events.
    pub(crate) fn at_twin<T>(&mut self, now: Timestamp, work: impl FnOnce(&mut Twin) -> T) -> T {
        let before = self.twin.next_event();
        let done = work(&mut self.twin);
        let caused: Vec<ProviderEvent> = self.twin.events_from(before).filter_map(read_event).collect();
        for event in caused {
            self.emit(event, now);
        }
        done
    }

    fn emit(&mut self, event: ProviderEvent, now: Timestamp) {
        let place = self.events.len();
        let lag = if place.is_multiple_of(2) { self.listing_lag_seconds } else { 0 };
        // If only few are sent, charge events are left out: they change nothing by themselves.
        let is_sent = self.webhooks_left > FEW_WEBHOOKS || !event.kind.starts_with("charge.");
        if self.webhooks_left > 0 && is_sent {
            self.webhooks_left -= 1;
            self.deliveries.push(Delivery { event: place, tries: 0, due_at: now });
        }
        self.events.push((event, now.plus_seconds(lag)));
    }

    /// Sends a `POST` request of Paywright under an idempotency key, subject to a fault.
    pub(crate) fn post(
        &mut self,
        path: &str,
        params: Params,
        key: &str,
        fault: Fault,
        now: Timestamp,
    ) -> Result<Response, GatewayError> {
        let request = request(Method::Post, path, params, Some(key));
        let lost = |what: &str| Err(GatewayError::Unknown(what.into()));
        let response = match fault {
            Fault::None | Fault::Slow => self.handle(&request, now, None),
            Fault::LostBefore => return lost("the request was lost"),
            Fault::Late => {
                self.late.push(request);
                return lost("the request timed out");
            }
            Fault::LostAfter => {
                self.handle(&request, now, None);
                return lost("the answer was lost");
            }
            Fault::FailsBefore => self.at_twin(now, |twin| twin.fail_before(&request, now.unix_seconds(), 500)),
            Fault::FailsAfter => self.handle(&request, now, Some(500)),
            Fault::InFlight => return Err(GatewayError::InFlight),
            Fault::Busy
            | Fault::Gone
            | Fault::Conflict
            | Fault::Down
            | Fault::UnknownUndone
            | Fault::UnknownDone
            | Fault::UnknownLate => {
                return Err(GatewayError::Unreachable("the connection was refused".into()));
            }
        };
        classify(response)
    }

    /// Sends a `GET` request of Paywright, subject to a fault.
    pub(crate) fn get(
        &mut self,
        path: &str,
        params: Params,
        fault: Fault,
        now: Timestamp,
    ) -> Result<Response, GatewayError> {
        check_read(fault)?;
        classify(self.handle(&request(Method::Get, path, params, None), now, None))
    }

    /// Performs an action of a customer, a bank or a person at the dashboard.
    pub(crate) fn act(&mut self, path: &str, params: Params, now: Timestamp) -> Response {
        self.handle(&request(Method::Post, path, params, None), now, None)
    }

    /// One page of the event list.
    pub(crate) fn list_events(
        &self,
        after: Option<&str>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<EventPage, GatewayError> {
        let listed: Vec<&ProviderEvent> =
            self.events.iter().filter(|(it, from)| *from <= now && it.created_at >= since).map(|(it, _)| it).collect();
        let page = page(&listed, after, |it| it.id.as_str())?;
        let events: Vec<ProviderEvent> = page.items.into_iter().cloned().collect();
        let last = events.last().map(|it| (it.id.clone(), it.created_at));
        Ok(EventPage { more: page.next.is_some(), events, last })
    }

    pub(crate) fn recorded_order(&self, intent: &IntentId) -> Option<RecordedOrder> {
        let found = self.twin.intents().find(|it| it.id == intent.as_str())?;
        let id = found.metadata.get("order_id").and_then(|it| it.parse::<Uuid>().ok()).map(OrderId)?;
        let number = OrderNumber::parse(found.metadata.get("order_number")?).ok()?;
        let capture = match found.capture_method {
            "manual" => CaptureMethod::Manual,
            _ => CaptureMethod::Automatic,
        };
        let order = LostOrder { id, number, customer: None, capture, email: None };
        Some(RecordedOrder { order, names_installation: true })
    }

    /// One page of the refunds of an intent, or of those created since a time with the newest first.
    pub(crate) fn list_refunds(
        &self,
        of: Result<&IntentId, Timestamp>,
        after: Option<&str>,
    ) -> Result<Page<RefundSnapshot>, GatewayError> {
        let is_listed = |it: &RefundView<'_>| match of {
            Ok(intent) => it.intent == intent.as_str(),
            Err(since) => it.created >= since.unix_seconds(),
        };
        let mut listed: Vec<_> = self.twin.refunds().filter(is_listed).collect();
        if of.is_err() {
            listed.sort_by_key(|it| std::cmp::Reverse((it.created, it.id)));
        }
        let found = listed.into_iter().filter_map(|it| {
            let currency = self.twin.intents().find(|intent| intent.id == it.intent)?.currency.parse().ok()?;
            Some(RefundSnapshot {
                id: RefundId::new(it.id).ok()?,
                name: it.metadata.get("refund_id").cloned(),
                intent: IntentId::new(it.intent).ok()?,
                amount: Money::from_wire(it.amount, currency).ok()?,
                reason: None,
                status: RefundStatus::from_stripe(it.status)?,
                failure: (it.status == "failed").then(|| "expired_or_canceled_card".to_owned()),
                request: it.metadata.get("request_digest").and_then(|it| it.parse().ok()),
            })
        });
        page(&found.collect::<Vec<_>>(), after, |it| it.id.as_str())
    }

    pub(crate) fn list_disputes(&self, of: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        let found = self.twin.disputes().filter(|it| it.intent == of.as_str()).filter_map(|it| {
            let currency = self.twin.intents().find(|intent| intent.id == it.intent)?.currency.parse().ok()?;
            Some(Dispute {
                id: DisputeId::new(it.id).ok()?,
                intent: of.clone(),
                amount: Money::from_wire(it.amount, currency).ok()?,
                status: it.status.parse().ok()?,
                reason: "fraudulent".to_owned(),
                due_by: None,
                withdrawn: true,
                reinstated: it.status == "won",
            })
        });
        page(&found.collect::<Vec<_>>(), after, |it| it.id.as_str())
    }

    /// One page of the intents created since a time, the newest first.
    pub(crate) fn list_intents(
        &self,
        after: Option<&str>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Page<IntentSnapshot>, GatewayError> {
        let is_listed = |it: &IntentView<'_>| it.created >= since.unix_seconds();
        let mut listed: Vec<_> = self.twin.intents().filter(is_listed).collect();
        listed.sort_by_key(|it| std::cmp::Reverse((it.created, it.id)));
        let found = listed.into_iter().filter_map(|it| {
            let currency: Currency = it.currency.parse().ok()?;
            let order = it.metadata.get("order_id").and_then(|it| it.parse::<Uuid>().ok()).map(OrderId)?;
            let amount = Money::from_wire(it.amount, currency).ok()?;
            let first = IntentSnapshot::new(IntentId::new(it.id).ok()?, order, amount, now);
            Some(IntentSnapshot {
                revision: it.metadata.get("revision").and_then(|it| it.parse().ok()),
                status: it.status.parse().ok()?,
                received: Money::from_wire(it.received, currency).ok()?,
                capturable: Money::from_wire(it.capturable, currency).ok()?,
                ..first
            })
        });
        page(&found.collect::<Vec<_>>(), after, |it| it.intent.as_str())
    }
}

/// One page of `all`, after the object `after`.
fn page<T: Clone>(all: &[T], after: Option<&str>, id: impl Fn(&T) -> &str) -> Result<Page<T>, GatewayError> {
    let from = match after {
        None => 0,
        Some(after) => {
            all.iter().position(|it| id(it) == after).ok_or_else(|| GatewayError::NotFound(after.to_owned()))? + 1
        }
    };
    let items: Vec<T> = all.iter().skip(from).take(PAGE).cloned().collect();
    let next = items.last().filter(|_| from + items.len() < all.len()).map(|it| id(it).to_owned());
    Ok(Page { next, ..Page::last(items) })
}

/// Result of a read that meets this fault.
pub(crate) fn check_read(fault: Fault) -> Result<(), GatewayError> {
    match fault {
        Fault::None | Fault::Slow => Ok(()),
        Fault::LostBefore | Fault::LostAfter | Fault::Late | Fault::FailsBefore | Fault::FailsAfter => {
            Err(GatewayError::Unknown("no answer".into()))
        }
        Fault::Busy
        | Fault::Gone
        | Fault::InFlight
        | Fault::Conflict
        | Fault::Down
        | Fault::UnknownUndone
        | Fault::UnknownDone
        | Fault::UnknownLate => Err(GatewayError::Unreachable("the connection was refused".into())),
    }
}

/// Converts an error answer to the port's error ("Errors").
fn classify(response: Response) -> Result<Response, GatewayError> {
    if response.status == 200 {
        return Ok(response);
    }
    let error = response.body.get("error");
    match response.status {
        401 => Err(GatewayError::Misconfigured("an unknown key".to_owned())),
        404 => Err(GatewayError::NotFound("Stripe answered 404".to_owned())),
        409 => Err(GatewayError::InFlight),
        429 => Err(GatewayError::Busy("Stripe answered 429".to_owned())),
        500.. => Err(GatewayError::KeyExhausted("500".into())),
        _ if error.and_then(|it| text(it, "type")) == Some("idempotency_error") => {
            Err(GatewayError::KeyExhausted("the key was first used with other parameters".into()))
        }
        _ => Err(GatewayError::Refused(error.map(read_error).unwrap_or_default())),
    }
}

fn text<'a>(json: &'a Value, field: &str) -> Option<&'a str> {
    json.get(field).and_then(Value::as_str)
}

fn number(json: &Value, field: &str) -> Option<i64> {
    json.get(field).and_then(Value::as_i64)
}

fn money(json: &Value, field: &str) -> Option<Money> {
    let currency: Currency = text(json, "currency")?.parse().ok()?;
    Money::from_wire(number(json, field)?, currency).ok()
}

fn read_error(json: &Value) -> IntentError {
    let text = |field| text(json, field).map(str::to_owned);
    IntentError { code: text("code"), decline_code: text("decline_code"), message: text("message") }
}

/// Snapshot of an intent that an event or an answer shows.
fn shown_intent(it: &IntentView<'_>, as_of: Timestamp) -> Option<IntentSnapshot> {
    let currency: Currency = it.currency.parse().ok()?;
    Some(IntentSnapshot {
        intent: IntentId::new(it.id).ok()?,
        order: it.metadata.get("order_id").and_then(|it| it.parse::<Uuid>().ok()).map(OrderId),
        revision: it.metadata.get("revision").and_then(|it| it.parse().ok()),
        amount: Money::from_wire(it.amount, currency).ok()?,
        status: it.status.parse().ok()?,
        received: Money::from_wire(it.received, currency).ok()?,
        capturable: Money::from_wire(it.capturable, currency).ok()?,
        last_error: it.last_error.map(read_error),
        livemode: false,
        as_of,
        as_of_max: as_of,
        source: SnapshotSource::Answer,
    })
}

/// Snapshot of a refund that an event or an answer shows.
fn shown_refund(it: &RefundView<'_>) -> Option<RefundSnapshot> {
    let currency: Currency = it.currency.parse().ok()?;
    Some(RefundSnapshot {
        id: RefundId::new(it.id).ok()?,
        name: it.metadata.get("refund_id").cloned(),
        intent: IntentId::new(it.intent).ok()?,
        amount: Money::from_wire(it.amount, currency).ok()?,
        reason: it.reason.and_then(RefundReason::named),
        status: RefundStatus::from_stripe(it.status)?,
        failure: it.failure_reason.map(str::to_owned),
        request: it.metadata.get("request_digest").and_then(|it| it.parse().ok()),
    })
}

/// Dispute that an event of a kind shows.
fn shown_dispute(it: &DisputeView<'_>, kind: &str) -> Option<Dispute> {
    let currency: Currency = it.currency.parse().ok()?;
    Some(Dispute {
        id: DisputeId::new(it.id).ok()?,
        intent: IntentId::new(it.intent).ok()?,
        amount: Money::from_wire(it.amount, currency).ok()?,
        status: it.status.parse().ok()?,
        reason: it.reason.to_owned(),
        due_by: None,
        withdrawn: kind == "charge.dispute.funds_withdrawn",
        reinstated: kind == "charge.dispute.funds_reinstated",
    })
}

/// Reads an event ("Types of events"); `None` if it cannot be read.
fn read_event(event: &Event) -> Option<ProviderEvent> {
    let created_at = Timestamp::from_unix_seconds(event.created).ok()?;
    let update = match event.object() {
        ObjectView::Intent(it) => {
            let snapshot = shown_intent(&it, created_at)?;
            ProviderUpdate::Intent(Box::new(snapshot.within_second(created_at)))
        }
        ObjectView::Refund(it) => ProviderUpdate::Refund(Box::new(shown_refund(&it)?)),
        ObjectView::Dispute(it) => ProviderUpdate::Dispute(Box::new(shown_dispute(&it, &event.kind)?)),
        ObjectView::Charge { intent, has_fee } => match (event.kind.as_str(), IntentId::new(intent)) {
            ("charge.refunded" | "charge.expired", Ok(intent)) => ProviderUpdate::ReadRequired(intent),
            ("charge.updated" | "charge.captured" | "charge.succeeded", Ok(intent)) if has_fee => {
                ProviderUpdate::Proceeds(intent)
            }
            (_, _) => ProviderUpdate::Nothing,
        },
        ObjectView::Other if event.kind.starts_with("payout.") => ProviderUpdate::Balance,
        ObjectView::Other => ProviderUpdate::Nothing,
    };
    Some(ProviderEvent {
        id: event.id.clone(),
        kind: event.kind.clone(),
        created_at,
        livemode: false,
        request: event.request.clone(),
        update,
        foreign: None,
        other_version: None,
    })
}

pub(crate) fn unreadable() -> GatewayError {
    GatewayError::Unknown("an answer that cannot be read".into())
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone())
}

/// Whether an answer is the saved one of an earlier request.
pub(crate) fn is_replayed(response: &Response) -> bool {
    header(response, "Idempotent-Replayed").is_some()
}

/// The PaymentIntent of an answer.
fn answered(response: &Response) -> Result<IntentView<'_>, GatewayError> {
    match response.body.object() {
        ObjectView::Intent(it) => Ok(it),
        ObjectView::Refund(_) | ObjectView::Dispute(_) | ObjectView::Charge { .. } | ObjectView::Other => {
            Err(unreadable())
        }
    }
}

/// Reads the PaymentIntent of an answer, as of `as_of`.
pub(crate) fn issued(response: &Response, as_of: Timestamp) -> Result<IssuedIntent, GatewayError> {
    let shown = answered(response)?;
    let snapshot = shown_intent(&shown, as_of).ok_or_else(unreadable)?;
    let client_secret = Some(SecretString::from(shown.client_secret));
    Ok(IssuedIntent { snapshot, client_secret, request: header(response, "Request-Id") })
}

/// Reads the PaymentIntent of a creation: a replayed answer shows it as it was within the second of its creation.
pub(crate) fn created(response: &Response) -> Result<IssuedIntent, GatewayError> {
    let created = Timestamp::from_unix_seconds(answered(response)?.created).map_err(|_| unreadable())?;
    let issued = issued(response, created)?;
    Ok(IssuedIntent { snapshot: issued.snapshot.within_second(created), ..issued })
}

/// Reads the refund of an answer.
pub(crate) fn issued_refund(response: &Response) -> Result<IssuedRefund, GatewayError> {
    let snapshot = match response.body.object() {
        ObjectView::Refund(it) => shown_refund(&it),
        ObjectView::Intent(_) | ObjectView::Dispute(_) | ObjectView::Charge { .. } | ObjectView::Other => None,
    };
    Ok(IssuedRefund { snapshot: snapshot.ok_or_else(unreadable)?, request: header(response, "Request-Id") })
}

/// Reads gross amount and fee of an answer with the charge expanded.
pub(crate) fn proceeds(response: &Response) -> Option<Proceeds> {
    let transaction = response.body.get("latest_charge")?.get("balance_transaction")?;
    Some(Proceeds { gross: money(transaction, "amount")?, fee: money(transaction, "fee")? })
}
