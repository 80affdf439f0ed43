//! Invariants: those that hold after every step, and those that hold once the run is at rest, checked against the
//! twin's objects.

use std::collections::{BTreeMap, BTreeSet};

use paywright_app::{Act, AuditEntry, EventStatus};
use paywright_domain::anomaly::{Anomaly, AnomalyKind, Mismatch, NoticeKind, Policy};
use paywright_domain::intent::{IntentStatus, PaymentIntent};
use paywright_domain::order::OrderState;
use paywright_domain::refund::{RefundOrigin, RefundStatus};
use paywright_domain::{Fact, IntentId, Order, Timestamp};
use paywright_stripe_twin::{IntentView, RefundView, Twin};

use crate::acceptances;
use crate::books::{Books, Violation};
use crate::closings;
use crate::feed_books::FeedBooks;
use crate::restored;
use crate::store::Tables;

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn fail(invariant: &'static str, detail: String) -> Checked {
    Err(Violation::of(invariant, detail))
}

/// Whether a customer could pay an intent, or its money is authorized.
fn is_payable(intent: &IntentView<'_>) -> bool {
    intent.status != "succeeded" && intent.status != "canceled"
}

/// Intents at Stripe that name `order`, of Paywright and of other programs.
fn made_for<'a>(twin: &'a Twin, order: &Order) -> impl Iterator<Item = IntentView<'a>> {
    let id = order.id.to_string();
    twin.intents().filter(move |it| it.metadata.get("order_id") == Some(&id))
}

/// Whether Paywright created an intent: those of other programs name no revision.
pub(crate) fn is_ours(intent: &IntentView<'_>) -> bool {
    intent.metadata.contains_key("revision")
}

/// Whether a refund's money is refunded, or will be.
pub(crate) fn is_refunded(refund: &RefundView<'_>) -> bool {
    refund.status != "failed" && refund.status != "canceled"
}

/// Checks what must hold after every step.
pub(crate) fn always(tables: &Tables, twin: &Twin, books: &mut Books) -> Checked {
    if let Some(broken) = books.broken.take().or_else(|| books.leases.broken.take()) {
        return Err(broken);
    }
    if tables.orders.len() > books.placements.len() {
        return fail("I7", format!("{} orders for {} placements", tables.orders.len(), books.placements.len()));
    }
    if let Some(lost) = books.confirmed_orders.iter().find(|it| !tables.orders.contains_key(it)) {
        return fail(
            "kept",
            format!("the placement of order {lost} was answered with success, and the order is missing"),
        );
    }
    if let Some(lost) = books.acknowledged_events.iter().find(|it| !tables.events.contains_key(*it)) {
        return fail(
            "kept",
            format!("the webhook of event {lost} was answered with success, and the event is missing"),
        );
    }
    for stored in tables.orders.values() {
        let order = &stored.value;
        kept_money_is_due(order)?;
        paid_means_settled(order, twin, books)?;
        refunds_do_not_exceed_receipts(order, books)?;
        each_payment_is_recorded_once(order, tables)?;
        each_request_has_one_effect(order, twin, books)?;
        each_anomaly_is_recorded_once(order)?;
        payments_match_the_amount_due(order, books)?;
        no_event_of_the_other_mode_is_applied(order)?;
        decisions_on_money_are_on_record(order, tables)?;
        acceptances::always(order, tables, twin, books)?;
        closings::always(order, tables, books)?;
    }
    restored::always(tables, twin, books)
}

/// I1, by the order's own records.
fn kept_money_is_due(order: &Order) -> Checked {
    let kept: i64 = order.intents.iter().map(|it| it.received.minor() - order.refunded_of(&it.id)).sum();
    if kept > order.total.minor() && order.anomalies.is_empty() {
        return fail("I1", format!("{kept} is kept for a total of {}, and no anomaly records it", order.total.minor()));
    }
    Ok(())
}

/// I2: an order is paid by one succeeded intent, for good.
fn paid_means_settled(order: &Order, twin: &Twin, books: &mut Books) -> Checked {
    let OrderState::Paid { by, .. } = &order.state else {
        return match books.paid_by.get(&order.id) {
            Some(by) => fail("I2", format!("the order was paid by {by}, and is now {}", order.state.name())),
            None => Ok(()),
        };
    };
    let has_money = |id: &IntentId| twin.intents().any(|it| it.id == id.as_str() && it.received > 0);
    let first = books.paid_by.entry(order.id).or_insert_with(|| by.clone());
    if first != by {
        if !books.is_forged || has_money(first) {
            return fail("I2", format!("the order was paid by {first}, and is now paid by {by}"));
        }
        *first = by.clone();
    }
    let Some(intent) = order.intent(by) else {
        return fail("I2", format!("the order is paid by {by}, which is not one of its intents"));
    };
    // A payment reported by an event counts until Stripe has been read.
    let is_to_be_read = books.is_forged && intent.awaits_confirmation();
    if !has_money(by) && !is_to_be_read {
        return fail("I2", format!("the order is paid by {by}, and Stripe has no money for it"));
    }
    let expected = intent.capture_requested.unwrap_or(order.total);
    let is_mismatch = |it: &Anomaly| matches!(it.kind, AnomalyKind::Mismatch { .. });
    let has_grown = order.anomalies.iter().any(|it| it.intent.as_ref() == Some(by) && is_mismatch(it));
    if intent.status != IntentStatus::Succeeded || (intent.received != expected && !has_grown) {
        let (status, received) = (intent.status, intent.received);
        return fail("I2", format!("the order is paid by {by}, which is {status} with {received:?} of {expected:?}"));
    }
    Ok(())
}

/// I3: no more is refunded than was received; and I7 for refunds.
fn refunds_do_not_exceed_receipts(order: &Order, books: &Books) -> Checked {
    for intent in &order.intents {
        let (refunded, received) = (order.refunded_of(&intent.id), intent.received.minor());
        if refunded > received {
            return fail("I3", format!("{refunded} is refunded of {received} received by {}", intent.id));
        }
    }
    let ours = order.refunds.iter().filter(|it| it.origin == RefundOrigin::Shop).count();
    if ours > books.refunds.len() {
        return fail("I7", format!("{ours} refunds for {} requests", books.refunds.len()));
    }
    let by_policy = order.refunds.iter().filter(|it| it.origin == RefundOrigin::Policy && it.status.holds_money());
    let by_policy: Vec<_> = by_policy.collect();
    let intents: BTreeSet<_> = by_policy.iter().map(|it| &it.intent).collect();
    if intents.len() < by_policy.len() {
        return fail("I7", "a policy refunded the money of one intent twice".to_owned());
    }
    Ok(())
}

/// I5: a paid order has one `order.paid` fact, and no other order has one.
fn each_payment_is_recorded_once(order: &Order, tables: &Tables) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let paid = facts.iter().filter(|it| matches!(it.fact, Fact::OrderPaid { .. })).count();
    let expected = usize::from(matches!(order.state, OrderState::Paid { .. }));
    if paid != expected {
        return fail("I5", format!("order.paid is recorded {paid} times for an order that is {}", order.state.name()));
    }
    Ok(())
}

/// Whether a fact is a refund, a capture, an acceptance or a closing that was decided here.
fn decides_on_money(fact: &Fact) -> bool {
    if let Fact::RefundRequested { origin, .. } = fact {
        return *origin != RefundOrigin::Provider;
    }
    let is_capture = matches!(fact, Fact::OperationRequested { name, .. } if name == "capture");
    is_capture || matches!(fact, Fact::PaymentAccepted { .. } | Fact::RefundClosed { .. })
}

/// Checks that each refund, capture, acceptance and closing that was decided here has one entry in the audit trail.
fn decisions_on_money_are_on_record(order: &Order, tables: &Tables) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let decided = facts.iter().filter(|it| decides_on_money(&it.fact)).count();
    let subject = order.id.to_string();
    let is_of_money = |it: &&AuditEntry| {
        let is_one = matches!(
            it.act,
            Act::RefundRequested { .. }
                | Act::CaptureRequested { .. }
                | Act::PaymentAccepted { .. }
                | Act::RefundClosed { .. }
        );
        is_one && it.subject == subject
    };
    let recorded: Vec<_> = tables.audit.iter().filter(is_of_money).collect();
    if recorded.len() != decided {
        return fail(
            "audit",
            format!("{decided} refunds, captures, acceptances and closings, and in the audit trail: {recorded:?}"),
        );
    }
    Ok(())
}

/// Checks that no payment differs from the amount due, whatever is edited, captured or canceled at the same time;
/// unless another program has changed the intent.
fn payments_match_the_amount_due(order: &Order, books: &Books) -> Checked {
    let differs = |it: &&Anomaly| match it.kind {
        AnomalyKind::Mismatch { mismatch, .. } => {
            matches!(mismatch, Mismatch::AmountDiffers { .. } | Mismatch::WrongCurrency { .. })
        }
        AnomalyKind::Notice(_) => false,
    };
    match order.anomalies.iter().find(differs).filter(|_| !books.changed_elsewhere && !books.has_lost_an_edit()) {
        Some(it) => {
            fail("due", format!("{:?} was paid with another amount or currency than was due: {:?}", it.intent, it.kind))
        }
        None => Ok(()),
    }
}

/// Checks that an event of the other mode changes nothing, not even the anomalies.
fn no_event_of_the_other_mode_is_applied(order: &Order) -> Checked {
    let is_of_other_mode =
        |it: &&Anomaly| matches!(it.kind, AnomalyKind::Mismatch { mismatch: Mismatch::WrongLivemode { .. }, .. });
    match order.anomalies.iter().find(is_of_other_mode) {
        Some(it) => fail("mode", format!("an event of the other mode was applied: {:?}", it.kind)),
        None => Ok(()),
    }
}

/// Checks that each anomaly is recorded once, so that its policy is applied once.
fn each_anomaly_is_recorded_once(order: &Order) -> Checked {
    let distinct: BTreeSet<_> =
        order.anomalies.iter().map(|it| (it.intent.as_ref(), it.kind.name(), it.kind.refund(), &it.reason)).collect();
    if distinct.len() < order.anomalies.len() {
        return fail("once", "an anomaly is recorded twice".to_owned());
    }
    Ok(())
}

/// I7, by the order and by Stripe's objects.
fn each_request_has_one_effect(order: &Order, twin: &Twin, books: &Books) -> Checked {
    let known = order.intents.iter().filter(|it| it.is_payable()).count();
    if known > 1 {
        return fail("I7", format!("the order has {known} intents that a customer could pay"));
    }
    let payable: Vec<_> = made_for(twin, order).filter(|it| is_ours(it) && is_payable(it)).map(|it| it.id).collect();
    if payable.len() > 1 {
        return fail("I7", format!("a customer could pay any of {}", payable.join(", ")));
    }
    // A restored database that was not recovered uses names of refunds again.
    if books.restored.as_ref().is_some_and(|it| !it.is_recovered) {
        return Ok(());
    }
    let mut names = BTreeMap::<&str, u32>::new();
    for refund in twin.refunds().filter(is_refunded) {
        if let Some(name) = refund.metadata.get("refund_id") {
            let count = names.entry(name).or_default();
            *count += 1;
            if *count > 1 {
                return fail("I7", format!("refund {name} was created twice"));
            }
        }
    }
    Ok(())
}

/// Something that is still under way.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) what: Violation,
    /// Time at which it began.
    pub(crate) since: Timestamp,
    /// Seconds within which it must end, counted from its beginning or from the end of the faults.
    pub(crate) within_seconds: u32,
}

/// Limit for the worker's tasks, in seconds: they are retried every ten minutes at the latest, and a dead worker's
/// lease lasts three.
const WORKER_SECONDS: u32 = 3600;

/// Limit for reading changes at Stripe, in seconds: an open payment is polled once a day in the end, and an
/// authorization lasts a week.
const READ_SECONDS: u32 = 10 * 86_400;

/// Limit for what the books have to read, in seconds: a payment is paid out days later, and again if the bank returns it.
const BOOKS_SECONDS: u32 = 14 * 86_400;

/// Finds something that is still under way; `None` if the run is at rest.
pub(crate) fn unfinished(tables: &Tables, twin: &Twin, books: &Books) -> Option<Unfinished> {
    let under_way = |detail: String, since, within_seconds| {
        Some(Unfinished { what: Violation::of("I6", detail), since, within_seconds })
    };
    for stored in tables.orders.values() {
        let order = &stored.value;
        if let Some(request) = order.requested {
            let detail = format!("the outcome of a PaymentIntent request is unknown: {request:?}");
            return under_way(detail, order.updated_at, WORKER_SECONDS);
        }
        if let Some(operation) = &order.operation {
            let detail = format!("an operation is under way: {} {}", operation.kind.name(), operation.number);
            return under_way(detail, operation.since, WORKER_SECONDS);
        }
        let unread = |it: &&PaymentIntent| it.awaits_confirmation() && !order.is_not_confirmed(&it.id);
        if let Some(intent) = order.intents.iter().find(unread) {
            let detail = format!("an event reported {} as succeeded, and Stripe was not read", intent.id);
            return under_way(detail, order.updated_at, WORKER_SECONDS);
        }
        if let Some(refund) = order.refunds.iter().find(|it| it.status == RefundStatus::Requested) {
            let detail = format!("the outcome of refund {} is unknown", refund.number);
            return under_way(detail, refund.requested_at, WORKER_SECONDS);
        }
    }
    if let Some(row) = tables.events.values().find(|it| it.event.status == EventStatus::Parked) {
        let (id, error) = (&row.event.id, &row.event.error);
        let detail = format!("event {id} ({}) is parked: {error:?}", row.event.kind);
        return under_way(detail, row.event.received_at, READ_SECONDS);
    }
    let known = tables.orders.values().try_for_each(|it| stripe_objects_are_known(&it.value, twin, books));
    let what = known.err().or_else(|| FeedBooks::unfinished(tables));
    let what = what.map(|what| Unfinished { what, since: Timestamp::EPOCH, within_seconds: READ_SECONDS });
    let of_books = || books.kept.unfinished(tables, twin, books);
    what.or_else(|| of_books().map(|what| Unfinished { what, since: Timestamp::EPOCH, within_seconds: BOOKS_SECONDS }))
}

/// I4 by events and answers alone, for known payments. Statuses are compared if the times of any two events differ in
/// whole seconds (`seconds_differ`).
pub(crate) fn delivered_statuses_are_known(
    tables: &Tables,
    twin: &Twin,
    books: &Books,
    seconds_differ: bool,
) -> Checked {
    let orders = tables.orders.values().map(|it| &it.value);
    for (order, known) in orders.flat_map(|order| order.intents.iter().map(move |it| (order, it))) {
        let Some(made) = twin.intents().find(|it| it.id == known.id.as_str()) else { continue };
        if books.is_forged {
            continue;
        }
        let (id, here, there) = (made.id, known.status, made.status);
        if seconds_differ && here.name() != there {
            return fail("I4", format!("{id} is {here} here and {there} at Stripe, and every webhook was delivered"));
        }
        // A request that reaches its deadline leaves its operation to the worker.
        if !books.changed_elsewhere && order.operation.is_none() && known.amount.minor() != made.amount {
            return fail("I4", format!("{id} has the amount {:?} here and {} at Stripe", known.amount, made.amount));
        }
    }
    Ok(())
}

/// I4: every intent, refund and dispute at Stripe is stored with its order as it is there.
fn stripe_objects_are_known(order: &Order, twin: &Twin, books: &Books) -> Checked {
    let unknown = |detail: String| fail("I4", detail);
    for made in made_for(twin, order) {
        let Some(known) = order.intents.iter().find(|it| it.id.as_str() == made.id) else {
            // An intent of another program is ignored until money was received.
            if !is_ours(&made) && is_payable(&made) {
                continue;
            }
            return unknown(format!("Stripe has {}, which is missing in its order", made.id));
        };
        if books.is_forged && order.is_not_confirmed(&known.id) && known.received.minor() == made.received {
            continue;
        }
        if known.status.name() != made.status {
            return unknown(format!("{} is {} here and {} at Stripe", made.id, known.status, made.status));
        }
        if made.status == "succeeded" && known.proceeds.is_none() {
            return unknown(format!("the proceeds of {} are not known", made.id));
        }
        // Stripe creates no event for an amount that another program changes.
        if known.amount.minor() != made.amount && !books.changed_elsewhere {
            return unknown(format!(
                "{} has the amount {:?} here and {} at Stripe",
                made.id, known.amount, made.amount
            ));
        }
        if known.currency().code() == made.currency && known.received.minor() != made.received {
            return unknown(format!(
                "{} has received {:?} here and {} at Stripe",
                made.id, known.received, made.received
            ));
        }
    }
    for intent in &order.intents {
        let is_known_to_be_forged = books.is_forged && order.is_not_confirmed(&intent.id);
        if !is_known_to_be_forged && !twin.intents().any(|it| it.id == intent.id.as_str()) {
            return unknown(format!("{} is stored here and does not exist at Stripe", intent.id));
        }
    }
    let is_known = |intent: &str| order.intents.iter().any(|it| it.id.as_str() == intent);
    for made in twin.refunds().filter(|it| is_known(it.intent)) {
        let known = order.refunds.iter().find(|it| it.provider_id.as_ref().is_some_and(|id| id.as_str() == made.id));
        let Some(known) = known else {
            return unknown(format!("Stripe has refund {}, which is missing in its order", made.id));
        };
        if known.status.name() != made.status || known.amount.minor() != made.amount {
            return unknown(format!("refund {} is {} here and {} at Stripe", made.id, known.status, made.status));
        }
    }
    for made in twin.disputes().filter(|it| is_known(it.intent)) {
        let known = order.disputes.iter().find(|it| it.id.as_str() == made.id);
        if known.is_none_or(|it| it.status.name() != made.status) {
            return unknown(format!("dispute {} is {} at Stripe, but not here", made.id, made.status));
        }
    }
    Ok(())
}

/// Checks what must hold once the run is at rest.
pub(crate) fn at_rest(tables: &Tables, twin: &Twin, books: &Books) -> Checked {
    for stored in tables.orders.values() {
        let order = &stored.value;
        kept_money_is_accounted_for(order, twin)?;
        paid_orders_have_money_at_stripe(order, twin)?;
        if !matches!(order.state, OrderState::Open)
            && !order.is_held_for_review()
            // An intent that the bank is processing cannot be canceled.
            && let Some(payable) = made_for(twin, order).find(|it| is_payable(it) && it.status != "processing")
        {
            let state = order.state.name();
            return fail(
                "I1",
                format!("the order is {state}, and a customer could still pay {} by {}", payable.amount, payable.id),
            );
        }
        let payable = made_for(twin, order).find(|it| is_payable(it) && is_ours(it));
        let is_other = |it: &IntentView<'_>| it.amount != order.total.minor();
        if let Some(payable) = payable.filter(|it| is_other(it) && !books.changed_elsewhere && !books.is_edit_lost()) {
            let (amount, due) = (payable.amount, order.total.minor());
            return fail("due", format!("{} has the amount {amount}, and {due} is due", payable.id));
        }
        let of_order = books.confirmed_refunds.keys().filter(|(id, _)| *id == order.id);
        let missing = of_order.map(|(_, number)| number).find(|it| order.refund_numbered(**it).is_none());
        if let Some(number) = missing {
            return fail(
                "kept",
                format!("the request for refund {number} was answered with success, and the refund is missing"),
            );
        }
    }
    books.feed.at_rest(tables)?;
    restored::at_rest(tables, books)
}

/// I2: a forged event makes no order look paid once Stripe was read.
fn paid_orders_have_money_at_stripe(order: &Order, twin: &Twin) -> Checked {
    let is_it = |it: &IntentView<'_>, by: &PaymentIntent| it.id == by.id.as_str() && it.received > 0;
    match order.paid_by().filter(|_| order.is_paid()) {
        Some(by) if !twin.intents().any(|it| is_it(&it, by)) => {
            fail("I2", format!("the order is shown as paid by {}, and Stripe has no money for it", by.id))
        }
        Some(_) | None => Ok(()),
    }
}

/// I1 and I2, by Stripe's objects.
fn kept_money_is_accounted_for(order: &Order, twin: &Twin) -> Checked {
    let refunded = |intent: &str| -> i64 {
        let of_it = twin.refunds().filter(|it| it.intent == intent && is_refunded(it));
        of_it.map(|it| it.amount).sum()
    };
    let left: BTreeMap<&str, i64> =
        made_for(twin, order).map(|it| (it.id, it.received - refunded(it.id))).filter(|(_, left)| *left > 0).collect();
    let is_of = |it: &Anomaly, id: &str| it.intent.as_ref().is_some_and(|it| it.as_str() == id);
    let is_held = |it: &Anomaly| matches!(it.kind, AnomalyKind::Mismatch { policy: Policy::HoldForReview, .. });
    let paid_by = order.paid_by().map(|it| it.id.as_str());
    for (id, left) in &left {
        let is_accounted_for = paid_by == Some(id) || order.anomalies.iter().any(|it| is_of(it, id) && is_held(it));
        // A refund that the bank rejected has a notice of its own.
        let has_failed = |it: &Anomaly| matches!(it.kind, AnomalyKind::Notice(NoticeKind::RefundFailed { .. }));
        let has_failed_refund = order.anomalies.iter().any(|it| is_of(it, id) && has_failed(it));
        let is_disputed = twin.disputes().any(|it| it.intent == *id);
        if !is_accounted_for && !has_failed_refund && !is_disputed {
            let state = order.state.name();
            return fail("I1", format!("{left} of {id} is kept for an order that is {state}, and no anomaly says why"));
        }
    }
    let pays = |it: &IntentView<'_>| {
        it.status == "succeeded"
            && is_ours(it)
            && it.currency == order.total.currency().code()
            && it.received == order.total.minor()
    };
    let is_unpaid = matches!(order.state, OrderState::Open) && !order.is_held_for_review();
    if let Some(paid) = made_for(twin, order).find(pays).filter(|it| is_unpaid && left.contains_key(it.id)) {
        return fail("I2", format!("{} paid the whole order, and the order is open", paid.id));
    }
    Ok(())
}
