//! Page of an order: what was bought, how its payment stands, what happened, what happens next, and what a person may do.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{
    Access, Case, Cause, Explanation, Ledger, LedgerLine, Moment, NextStep, OrderRef, Scope, awaits_answer, cases_of,
};
use paywright_domain::anomaly::Anomaly;
use paywright_domain::dispute::Dispute;
use paywright_domain::intent::PaymentIntent;
use paywright_domain::operation::OperationKind;
use paywright_domain::order::{AdjustmentKind, CancelReason, OrderState};
use paywright_domain::refund::{NewRefund, Refund, RefundOrigin, RefundReason, RefundStatus};
use paywright_domain::text::NOTE_LEN_MAX;
use paywright_domain::{IntentId, LineItem, Money, Order, Timestamp};
use uuid::Uuid;

use super::orders::{class_of, payment_in_words, state_class};
use super::refusal::Refusal;
use super::session::{Operator, signed_in, text};
use super::{Frame, Part, Section, When, amount, code, page, parts, see_other, signed, when, words};
use crate::Api;
use crate::auth::digest;
use crate::problem::Problem;
use crate::reader::parse_query;

/// Most entries of the ledger on the page.
const LEDGER_MAX: usize = 100;

#[derive(Template)]
#[template(path = "order.html")]
pub(super) struct OrderPage {
    frame: Frame,
    notice: Option<Notice>,
    id: String,
    number: String,
    state: &'static str,
    state_class: &'static str,
    class: &'static str,
    payment: String,
    /// Why the payment stands as it does; the first sentence is the most important one.
    because: Vec<Vec<Part>>,
    placed: When,
    lines: Vec<Line>,
    adjustments: Vec<(String, String, String)>,
    total: String,
    intents: Vec<Intent>,
    customer: Option<String>,
    email: Option<String>,
    metadata: Vec<(String, String)>,
    acts: Acts,
    refunds: Vec<RefundRow>,
    disputes: Vec<DisputeRow>,
    anomalies: Vec<AnomalyRow>,
    timeline: Vec<MomentRow>,
    next: Vec<StepRow>,
    ledger: Vec<EntryRow>,
    has_more_ledger: bool,
}

/// Result of an act, shown once at the head of the page.
pub(super) struct Notice {
    /// Class of the notice: `notice`, or `error` if nothing was done.
    pub(super) class: &'static str,
    pub(super) title: String,
    pub(super) text: String,
    /// Text that was typed into a form that was refused.
    pub(super) typed: Option<Typed>,
}

/// Act on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Refund,
    Capture,
    Accept,
    Close,
    Cancel,
}

/// Text that was typed into a form: the amount of a refund or a capture, the note of an acceptance or of a closed refund.
pub(super) struct Typed {
    pub(super) act: Act,
    /// Payment that the form is of, or number of the refund; empty for a capture.
    pub(super) of: String,
    pub(super) text: String,
    /// Amount beside a note.
    pub(super) amount: String,
}

struct Line {
    name: String,
    description: String,
    sku: Option<String>,
    price: String,
    quantity: u32,
    amount: String,
}

impl Line {
    fn of(line: &LineItem) -> Self {
        let whole = line.unit_amount().times(line.quantity()).map(Money::to_decimal).unwrap_or_default();
        Self {
            name: line.name.as_str().to_owned(),
            description: line.description.as_str().to_owned(),
            sku: line.sku.as_ref().map(|it| it.as_str().to_owned()),
            price: line.unit_amount().to_decimal(),
            quantity: line.quantity(),
            amount: whole,
        }
    }
}

/// PaymentIntent of the order, and its money.
struct Intent {
    id: String,
    status: String,
    received: String,
    refunded: String,
    left: String,
    /// Amount of what is left that went back in another way; `None` if nothing did.
    closed: Option<String>,
    /// Page of the payment in Stripe's dashboard.
    dashboard: String,
}

impl Intent {
    fn of(order: &Order, intent: &PaymentIntent) -> Self {
        let left = order.left_of(&intent.id);
        let refunded = intent.received.minus(left).map_or_else(|_| String::new(), amount);
        Self {
            id: intent.id.as_str().to_owned(),
            status: words(intent.status.name()),
            received: amount(intent.received),
            refunded,
            left: amount(left),
            closed: Some(order.closed_of(&intent.id)).filter(|it| !it.is_zero()).map(amount),
            dashboard: dashboard(order, "payments", intent.id.as_str()),
        }
    }
}

/// Page of an object in Stripe's dashboard, which has other addresses in test mode.
pub(super) fn dashboard(order: &Order, kind: &str, id: &str) -> String {
    let mode = if order.livemode { "" } else { "test/" };
    format!("https://dashboard.stripe.com/{mode}{kind}/{id}")
}

/// Acts that the rules of the order and the role of the operator allow now.
#[derive(Default)]
struct Acts {
    refunds: Vec<RefundForm>,
    accepts: Vec<AcceptForm>,
    closings: Vec<CloseForm>,
    /// Largest number of characters of a note.
    note_max: usize,
    capture: Option<CaptureForm>,
    cancel: bool,
    /// State of the order that the page shows ([`seen`]): an act on a page that is out of date is refused.
    seen: String,
    /// Reasons of a refund and of a cancellation: name and words.
    refund_reasons: Vec<(&'static str, String)>,
    cancel_reasons: Vec<(&'static str, String)>,
    /// Whether the order allows an act that the role does not.
    lacks_role: bool,
}

/// Form of a refund of one payment.
struct RefundForm {
    /// Idempotency key of the form: sent twice, it is one refund.
    key: Uuid,
    intent: String,
    /// Whether the order has other payments, so that the form must say which one it is.
    is_one_of_many: bool,
    /// All that is left and went back in no other way; `None` if that is nothing.
    whole: Option<Amount>,
    /// Most that can be refunded.
    most: Amount,
    currency: String,
    /// Amount of closed refunds, whose money went back in another way; `None` if there are none.
    closed: Option<String>,
    /// Amount that was typed and refused.
    typed: Option<String>,
}

/// Amount for a person, and as a form sends it.
struct Amount {
    words: String,
    decimal: String,
}

impl Amount {
    fn of(money: Money) -> Self {
        Self { words: amount(money), decimal: money.to_decimal() }
    }
}

impl RefundForm {
    /// Form for a payment, if the rules of the order allow a refund of it now.
    fn of(order: &Order, intent: &PaymentIntent, is_one_of_many: bool, now: Timestamp) -> Option<Self> {
        let refunded = |amount: Option<Money>| {
            let new = NewRefund { amount, intent: Some(intent.id.clone()), reason: None, request: None };
            let (decided, number) = order.refund(&new, now).ok()?;
            Some(decided.order.refund_numbered(number)?.amount)
        };
        let most = refunded(Some(order.undisputed_of(&intent.id)))?;
        let whole = refunded(None);
        let closed = Some(order.closed_of(&intent.id)).filter(|it| !it.is_zero());
        Some(Self {
            key: Uuid::from_u128(fastrand::u128(..)),
            intent: intent.id.as_str().to_owned(),
            is_one_of_many,
            whole: whole.map(Amount::of),
            most: Amount::of(most),
            currency: code(most.currency()),
            closed: closed.map(amount),
            typed: None,
        })
    }
}

/// Form by which money of another amount than is due is accepted as the payment.
struct AcceptForm {
    intent: String,
    is_one_of_many: bool,
    received: String,
    decimal: String,
    due: String,
    /// Difference in words, like `15.00 USD less`.
    difference: String,
    /// Amount that is refunded already; `None` if nothing is.
    refunded: Option<String>,
    /// Whether it also makes the order paid.
    pays: bool,
    /// Note that was typed and refused.
    typed: Option<String>,
}

impl AcceptForm {
    fn of(order: &Order, intent: &PaymentIntent, is_one_of_many: bool) -> Self {
        let due = intent.amount_due(order.total);
        let difference = match (intent.received.minus(due), due.minus(intent.received)) {
            (Ok(more), _) => format!("{} more", amount(more)),
            (Err(_), Ok(less)) => format!("{} less", amount(less)),
            (Err(_), Err(_)) => String::new(),
        };
        Self {
            intent: intent.id.as_str().to_owned(),
            is_one_of_many,
            received: amount(intent.received),
            decimal: intent.received.to_decimal(),
            due: amount(due),
            difference,
            refunded: intent.received.minus(order.left_of(&intent.id)).ok().filter(|it| !it.is_zero()).map(amount),
            pays: matches!(order.state, OrderState::Open),
            typed: None,
        }
    }
}

/// Form by which a failed refund is closed.
struct CloseForm {
    number: u32,
    amount: String,
    /// Why it failed.
    failure: String,
    currency: String,
    /// Most that can have gone back in another way.
    most: Amount,
    /// Whether another refund of the payment has failed, which may have been of the same money.
    is_one_of_many: bool,
    /// Note and amount that were typed and refused.
    typed: Option<(String, String)>,
}

impl CloseForm {
    fn of(order: &Order, refund: &Refund) -> Self {
        Self {
            number: refund.number,
            amount: amount(refund.amount),
            failure: refund.failure.as_ref().map(|it| format!(" ({})", it.as_str())).unwrap_or_default(),
            currency: code(refund.amount.currency()),
            most: Amount::of(order.most_to_close(refund)),
            is_one_of_many: order.has_other_failed(refund),
            typed: None,
        }
    }
}

struct CaptureForm {
    whole: String,
    decimal: String,
    currency: String,
    typed: Option<String>,
}

impl Acts {
    /// Asks the domain: what it would decide now is what a form may offer.
    fn of(order: &Order, operator: &Operator, now: Timestamp) -> Self {
        let is_one_of_many = order.intents.iter().filter(|it| !it.received.is_zero()).count() > 1;
        let refunds: Vec<RefundForm> =
            order.intents.iter().filter_map(|it| RefundForm::of(order, it, is_one_of_many, now)).collect();
        let capture = order.capture(None, now).ok().filter(|it| !it.facts.is_empty());
        let capture = capture.and_then(|it| match it.order.operation.as_ref()?.kind {
            OperationKind::Capture { amount } => Some(amount),
            OperationKind::Edit { .. } | OperationKind::Cancel { .. } => None,
        });
        let capture = capture.map(|it| CaptureForm {
            whole: amount(it),
            decimal: it.to_decimal(),
            currency: code(it.currency()),
            typed: None,
        });
        let accepts: Vec<_> = order.payments_to_accept().map(|it| AcceptForm::of(order, it, is_one_of_many)).collect();
        let closings: Vec<_> = cases_of(order)
            .into_iter()
            .filter_map(|case| if let Case::RefundFailed(it) = case { Some(CloseForm::of(order, it)) } else { None })
            .collect();
        let cancel = order.cancel(CancelReason::RequestedByCustomer, now).is_ok_and(|it| !it.facts.is_empty());
        if !operator.may(Scope::PaymentsWrite) || !operator.may(Scope::OrdersWrite) {
            let has_forms = !refunds.is_empty() || !accepts.is_empty() || !closings.is_empty();
            let lacks_role = has_forms || capture.is_some() || cancel;
            return Self { lacks_role, ..Self::default() };
        }
        Self {
            refunds,
            accepts,
            closings,
            note_max: NOTE_LEN_MAX,
            capture,
            cancel,
            seen: seen(order),
            refund_reasons: RefundReason::ALL.map(|it| (it.name(), words(it.name()))).into(),
            cancel_reasons: CancelReason::ALL.map(|it| (it.name(), words(it.name()))).into(),
            lacks_role: false,
        }
    }

    /// Keeps what was typed in the form that was refused.
    fn keep(&mut self, Typed { act, of, text, amount }: Typed) {
        if act == Act::Close {
            if let Some(form) = self.closings.iter_mut().find(|it| it.number.to_string() == of) {
                form.typed = Some((text, amount));
            }
            return;
        }
        let place = match act {
            Act::Refund => self.refunds.iter_mut().find(|it| it.intent == of).map(|it| &mut it.typed),
            Act::Accept => self.accepts.iter_mut().find(|it| it.intent == of).map(|it| &mut it.typed),
            Act::Capture => self.capture.as_mut().map(|it| &mut it.typed),
            Act::Close | Act::Cancel => None,
        };
        if let Some(place) = place {
            *place = Some(text);
        }
    }
}

/// Text by which a page knows the state of the order that it shows: all that a person decides an act by. What changes by itself
/// beside that, such as Stripe's fee, makes no page out of date.
pub(super) fn seen(order: &Order) -> String {
    let (state, payment, revision) = (order.status_name(), order.payment_state().name(), order.revision);
    let left = |id: &IntentId| amount(order.left_of(id));
    let intents = order.intents.iter().map(|it| format!("{} {} {}", it.id, it.status.name(), left(&it.id)));
    let closed = order.refunds.iter().filter(|it| it.closing.is_some()).count();
    let refunds = format!("{} {closed}", order.refunds.len());
    let mut parts = vec![format!("{state} {payment} {revision} {} {refunds}", amount(order.total))];
    parts.extend(intents);
    parts.extend(order.disputes.iter().map(|it| format!("{} {} {}", it.id.as_str(), it.status, it.reinstated)));
    parts.extend(order.anomalies_in_review().map(|it| it.kind.name().to_owned()));
    parts.extend(order.operation.as_ref().map(|it| it.number.to_string()));
    hex::encode(digest(&parts.join(" "))).chars().take(16).collect()
}

struct RefundRow {
    number: u32,
    id: Option<String>,
    amount: String,
    status: String,
    class: &'static str,
    requested: When,
    by: &'static str,
    note: String,
    closed: Option<(When, String)>,
}

impl RefundRow {
    fn of(refund: &Refund) -> Self {
        let class = match refund.status {
            RefundStatus::Succeeded => "ok",
            RefundStatus::Failed if refund.closing.is_none() => "bad",
            RefundStatus::Requested | RefundStatus::Pending | RefundStatus::RequiresAction => "wait",
            RefundStatus::Failed | RefundStatus::Canceled => "",
        };
        let reason = refund.reason.map(|it| words(it.name()));
        let failure = refund.failure.as_ref().map(|it| format!("Stripe: {}", it.as_str()));
        Self {
            number: refund.number,
            id: refund.provider_id.as_ref().map(|it| it.as_str().to_owned()),
            amount: amount(refund.amount),
            status: words(refund.status.name()),
            class,
            requested: when(refund.requested_at),
            by: match refund.origin {
                RefundOrigin::Shop => "by the shop",
                RefundOrigin::Policy => "by policy",
                RefundOrigin::Provider => "at Stripe",
            },
            note: [reason, failure].into_iter().flatten().collect::<Vec<_>>().join(". "),
            closed: refund.closing.map(|it| (when(it.at), amount(it.amount))),
        }
    }
}

struct DisputeRow {
    id: String,
    amount: String,
    status: String,
    class: &'static str,
    due_by: Option<When>,
    reason: String,
    /// Page of the dispute in Stripe's dashboard.
    dashboard: String,
}

impl DisputeRow {
    fn of(order: &Order, dispute: &Dispute) -> Self {
        Self {
            id: dispute.id.as_str().to_owned(),
            amount: amount(dispute.amount),
            status: words(dispute.status.name()),
            class: match (dispute.status.is_decided(), dispute.status.takes_money()) {
                (true, false) => "ok",
                (false, false) => "warn",
                (true | false, true) => "bad",
            },
            due_by: dispute.due_by.filter(|_| awaits_answer(dispute)).map(when),
            reason: words(&dispute.reason),
            dashboard: dashboard(order, "disputes", dispute.id.as_str()),
        }
    }
}

struct AnomalyRow {
    found: When,
    kind: String,
    intent: Option<String>,
    reason: Option<String>,
    policy: String,
    accepted: Option<When>,
}

impl AnomalyRow {
    fn of(anomaly: &Anomaly) -> Self {
        Self {
            found: when(anomaly.found_at),
            kind: words(anomaly.kind.name()),
            intent: anomaly.intent.as_ref().map(|it| it.as_str().to_owned()),
            reason: anomaly.reason.clone(),
            policy: words(anomaly.kind.policy_name()),
            accepted: anomaly.accepted_at.map(when),
        }
    }
}

struct MomentRow {
    at: When,
    sentence: Vec<Part>,
    note: Option<String>,
    by: String,
}

impl MomentRow {
    fn of(moment: &Moment) -> Self {
        let by = moment.cause.as_ref().map_or_else(String::new, cause);
        Self { at: when(moment.at), sentence: parts(&moment.sentence), note: moment.note.clone(), by }
    }
}

/// Cause of a change in words, with Stripe's names of the event and the request.
fn cause(cause: &Cause) -> String {
    let actor = cause.actor.as_ref().map(|it| format!("by {it}"));
    let source = Some(words(&cause.source)).filter(|it| !it.is_empty());
    let parts = [actor, source, cause.event.clone(), cause.request.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

struct StepRow {
    at: When,
    sentence: Vec<Part>,
    trouble: Option<String>,
}

impl StepRow {
    fn of(step: &NextStep) -> Self {
        let trouble = step.error.as_ref().map(|it| format!("Tried {} times; the last time: {it}", step.tries));
        Self { at: when(step.at), sentence: parts(&step.sentence), trouble }
    }
}

/// Entry of the ledger, with the account, the debit and the credit of each posting.
struct EntryRow {
    at: When,
    name: String,
    postings: Vec<(String, String, String)>,
}

impl EntryRow {
    fn of(line: &LedgerLine) -> Self {
        let postings = line.entry.postings().iter().map(|it| {
            let shown = signed(it.amount);
            match shown.strip_prefix('-') {
                Some(credit) => (it.account.to_string(), String::new(), credit.to_owned()),
                None => (it.account.to_string(), shown, String::new()),
            }
        });
        Self { at: when(line.at), name: line.id.clone(), postings: postings.collect() }
    }
}

impl OrderPage {
    /// Page of an order with its explanation and its ledger.
    fn of(frame: Frame, operator: &Operator, explained: &Explanation, ledger: &Ledger, now: Timestamp) -> Self {
        let order = &explained.order;
        let adjustments = order.adjustments.iter().map(|it| {
            let kind = match it.kind {
                AdjustmentKind::Discount => "Discount",
                AdjustmentKind::Shipping => "Shipping",
                AdjustmentKind::Tax | AdjustmentKind::TaxIncluded => "Tax",
            };
            let sign = if it.kind == AdjustmentKind::Discount { "-" } else { "" };
            let included = if it.kind == AdjustmentKind::TaxIncluded { " (included)" } else { "" };
            let label = format!("{}{included}", it.label.as_str());
            (kind.to_owned(), label, format!("{sign}{}", it.amount.to_decimal()))
        });
        Self {
            frame,
            notice: None,
            id: order.id.to_string(),
            number: order.number.as_str().to_owned(),
            state: order.status_name(),
            state_class: state_class(order),
            class: class_of(order),
            payment: payment_in_words(order),
            because: explained.because.iter().map(|it| parts(it)).collect(),
            placed: when(order.placed_at),
            lines: order.lines.iter().map(Line::of).collect(),
            adjustments: adjustments.collect(),
            total: amount(order.total),
            intents: order.intents.iter().map(|it| Intent::of(order, it)).collect(),
            customer: order.customer.as_ref().map(|it| it.as_str().to_owned()),
            email: order.email.as_ref().map(|it| it.as_str().to_owned()),
            metadata: order.metadata.iter().map(|(name, it)| (name.as_str().into(), it.as_str().into())).collect(),
            acts: Acts::of(order, operator, now),
            refunds: order.refunds.iter().rev().map(RefundRow::of).collect(),
            disputes: order.disputes.iter().map(|it| DisputeRow::of(order, it)).collect(),
            anomalies: order.anomalies.iter().rev().map(AnomalyRow::of).collect(),
            timeline: explained.timeline.iter().rev().map(MomentRow::of).collect(),
            next: explained.next.iter().map(StepRow::of).collect(),
            ledger: ledger.lines.iter().take(LEDGER_MAX).map(EntryRow::of).collect(),
            has_more_ledger: ledger.has_more || ledger.lines.len() > LEDGER_MAX,
        }
    }
}

/// Order that the path of a page names.
pub(super) fn named(text: &str) -> Result<OrderRef, Refusal> {
    OrderRef::parse(text).map_err(|_| Refusal::NoSuch("order"))
}

/// Answer with the page of an order, under a notice if there is one.
pub(super) async fn shown(
    api: &Api,
    operator: &Operator,
    which: &OrderRef,
    status: StatusCode,
    notice: impl FnOnce(&Order) -> Option<Notice>,
) -> Result<HttpResponse, Refusal> {
    let explained = api.app.explain(which, &Access::All).await?;
    let ledger = api.books.ledger(explained.order.id).await?;
    let frame = Frame::of(api, operator, Section::Orders);
    let mut shown = OrderPage::of(frame, operator, &explained, &ledger, api.app.now());
    shown.notice = notice(&explained.order);
    if let Some(typed) = shown.notice.as_mut().and_then(|it| it.typed.take()) {
        shown.acts.keep(typed);
    }
    Ok(page(status, &shown))
}

/// `GET /console/orders/{order}`.
pub(super) async fn read(api: Data<Api>, request: HttpRequest, order: Path<String>) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::OrdersRead).await?;
    let query = parse_query(&request)?;
    let done = text(&query, "done");
    shown(&api, &operator, &named(&order)?, StatusCode::OK, |order| done_notice(order, done)).await
}

/// `GET` of the address of an act, to which a browser returns from its answer: leads to the order.
pub(super) async fn of_act(order: Path<String>) -> Result<HttpResponse, Refusal> {
    named(&order)?;
    Ok(see_other(&format!("/console/orders/{order}")))
}

/// Notice of what an act did, as it stands now: a reload of the page shows what has become of it.
fn done_notice(order: &Order, done: &str) -> Option<Notice> {
    let said = |class, title: String, text: &str| Some(Notice { class, title, text: text.to_owned(), typed: None });
    let notice = |title: String, text: &str| said("notice", title, text);
    if let Some(number) = done.strip_prefix("refund-") {
        let refund = order.refund_numbered(number.parse().ok()?)?;
        let text = match refund.status {
            RefundStatus::Succeeded => "Stripe has made it. The bank of the customer usually needs 5 to 10 days.",
            RefundStatus::Failed if refund.closing.is_some() => "Stripe could not make it, and it was closed.",
            RefundStatus::Failed => "Stripe could not make it: the shop still has the money.",
            RefundStatus::Canceled => "It was canceled: the shop still has the money.",
            RefundStatus::Requested | RefundStatus::Pending | RefundStatus::RequiresAction => {
                "It is stored and is made by itself, also after a failure of this service or of Stripe."
            }
        };
        let class = if refund.status.holds_money() { "notice" } else { "error" };
        let title = format!("Refund {}: {}, {}", refund.number, amount(refund.amount), words(refund.status.name()));
        return said(class, title, text);
    }
    if let Some((before, number)) = done.strip_prefix("close").and_then(|it| it.rsplit_once('-')) {
        let refund = order.refund_numbered(number.parse().ok()?).filter(|it| it.closing.is_some())?;
        return match before {
            "" => notice(
                format!("Refund {} of {} is closed", refund.number, amount(refund.amount)),
                "It no longer needs attention. The audit trail has the note.",
            ),
            "d-before" => notice(
                format!("Refund {} was closed before", refund.number),
                "Your note was not stored: that of the first closing stays.",
            ),
            _ => None,
        };
    }
    let waits = "The request is stored and waits for Stripe. It is repeated by itself.";
    let is_under_way = |is: fn(&OperationKind) -> bool| order.operation.as_ref().is_some_and(|it| is(&it.kind));
    match done {
        "capture" if order.is_paid() => {
            notice("The payment was captured".to_owned(), "What was not captured of the authorization is released.")
        }
        "capture" if is_under_way(|it| matches!(it, OperationKind::Capture { .. })) => {
            notice("The capture was requested".to_owned(), waits)
        }
        "accept" if order.is_paid() && !order.is_held_for_review() => notice(
            "The payment was accepted".to_owned(),
            "The order is paid. The books have the difference, and the audit trail has the note.",
        ),
        "accepted-before" if order.is_paid() && !order.is_held_for_review() => notice(
            "The payment was accepted before".to_owned(),
            "Your note was not stored: that of the first acceptance stays.",
        ),
        "cancel" if order.status_name() == "canceled" => {
            notice("The order is canceled".to_owned(), "It can no longer be paid. An authorized payment is released.")
        }
        "cancel" if is_under_way(|it| matches!(it, OperationKind::Cancel { .. })) => {
            notice("The cancellation was requested".to_owned(), waits)
        }
        _ => None,
    }
}

/// Notice of a refusal: nothing was done.
pub(super) fn refused(problem: &Problem, typed: Typed) -> Notice {
    let title = "This was refused. Nothing was changed.".to_owned();
    Notice { class: "error", title, text: problem.detail().to_owned(), typed: Some(typed) }
}
