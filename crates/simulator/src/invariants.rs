//! What must hold. Some at every moment, by what the store says alone; the rest once everything has come to rest, by
//! Stripe's own books.

use std::collections::{BTreeMap, BTreeSet};

use paywright_app::EventStatus;
use paywright_domain::{
    Anomaly, AnomalyKind, Fact, IntentId, IntentStatus, Order, OrderState, PaymentIntent, Policy, RefundOrigin,
    RefundStatus, Timestamp,
};
use paywright_stripe_twin::{IntentView, RefundView, Twin};

use crate::books::{Books, Violation};
use crate::restored;
use crate::store::Tables;

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn fail(invariant: &'static str, detail: String) -> Checked {
    Err(Violation::of(invariant, detail))
}

/// Whether a customer could pay by it, or its money is held.
fn is_payable(intent: &IntentView<'_>) -> bool {
    intent.status != "succeeded" && intent.status != "canceled"
}

/// The intents that name `order`, by whomever they were made.
fn made_for<'a>(twin: &'a Twin, order: &Order) -> impl Iterator<Item = IntentView<'a>> {
    let id = order.id.to_string();
    twin.intents().filter(move |it| it.metadata.get("order_id") == Some(&id))
}

/// Whether we have made it: those of other programs name no revision.
pub(crate) fn is_ours(intent: &IntentView<'_>) -> bool {
    intent.metadata.contains_key("revision")
}

/// Whether its money has gone back, or is going.
pub(crate) fn goes_back(refund: &RefundView<'_>) -> bool {
    refund.status != "failed" && refund.status != "canceled"
}

/// Holds at every moment.
pub(crate) fn always(tables: &Tables, twin: &Twin, books: &mut Books) -> Checked {
    if let Some(broken) = books.broken.take().or_else(|| books.leases.broken.take()) {
        return Err(broken);
    }
    if tables.orders.len() > books.placements.len() {
        return fail("I7", format!("{} orders of {} placements", tables.orders.len(), books.placements.len()));
    }
    if let Some(lost) = books.told_orders.iter().find(|it| !tables.orders.contains_key(it)) {
        return fail("kept", format!("a caller was told of order {lost}, and it is not there"));
    }
    if let Some(lost) = books.told_messages.iter().find(|it| !tables.events.contains_key(*it)) {
        return fail("kept", format!("Stripe was told that message {lost} is taken, and it is not there"));
    }
    for stored in tables.orders.values() {
        let order = &stored.value;
        no_more_is_kept_than_is_due(order)?;
        paid_means_settled(order, twin, books)?;
        no_more_goes_back_than_came(order, books)?;
        facts_tell_of_each_payment_once(order, tables)?;
        one_business_action_has_one_effect(order, twin, books)?;
        everything_is_told_once(order)?;
        what_is_paid_is_what_is_due(order, books)?;
        nothing_is_of_the_other_mode(order)?;
    }
    restored::always(tables, twin, books)
}

/// I1, as far as the order knows.
fn no_more_is_kept_than_is_due(order: &Order) -> Checked {
    let kept: i64 = order.intents.iter().map(|it| it.received.minor() - order.refunded_of(&it.id)).sum();
    if kept > order.total.minor() && order.anomalies.is_empty() {
        return fail("I1", format!("{kept} is kept of {}, and nothing says so", order.total.minor()));
    }
    Ok(())
}

/// I2: the one way to be paid, and for good.
fn paid_means_settled(order: &Order, twin: &Twin, books: &mut Books) -> Checked {
    let OrderState::Paid { by, .. } = &order.state else {
        return match books.paid_by.get(&order.id) {
            Some(by) => fail("I2", format!("the order was paid by {by}, and is {}", order.state.name())),
            None => Ok(()),
        };
    };
    let has_money = |id: &IntentId| twin.intents().any(|it| it.id == id.as_str() && it.received > 0);
    let first = books.paid_by.entry(order.id).or_insert_with(|| by.clone());
    if first != by {
        if !books.is_forged || has_money(first) {
            return fail("I2", format!("the order was paid by {first}, and now by {by}"));
        }
        *first = by.clone();
    }
    let Some(intent) = order.intent(by) else { return fail("I2", format!("{by} paid, and is not known")) };
    // What an event has told is believed until Stripe has been read.
    let is_to_be_read = books.is_forged && intent.awaits_confirmation();
    if !has_money(by) && !is_to_be_read {
        return fail("I2", format!("the order is paid by {by}, and Stripe has no money of it"));
    }
    let expected = intent.capture_asked.unwrap_or(order.total);
    let has_grown = order.anomalies.iter().any(|it| it.intent.as_ref() == Some(by) && it.policy != Policy::Tell);
    if intent.status != IntentStatus::Succeeded || (intent.received != expected && !has_grown) {
        let (status, received) = (intent.status, intent.received);
        return fail("I2", format!("paid by {by}, which is {status} with {received:?} of {expected:?}"));
    }
    Ok(())
}

/// I3.
fn no_more_goes_back_than_came(order: &Order, books: &Books) -> Checked {
    for intent in &order.intents {
        let (back, came) = (order.refunded_of(&intent.id), intent.received.minor());
        if back > came {
            return fail("I3", format!("{back} goes back of {came} that came by {}", intent.id));
        }
    }
    let ours = order.refunds.iter().filter(|it| it.origin == RefundOrigin::Shop).count();
    if ours > books.refunds.len() {
        return fail("I7", format!("{ours} refunds of {} that were asked for", books.refunds.len()));
    }
    let by_policy = order.refunds.iter().filter(|it| it.origin == RefundOrigin::Policy && it.status.holds_money());
    let by_policy: Vec<_> = by_policy.collect();
    let intents: BTreeSet<_> = by_policy.iter().map(|it| &it.intent).collect();
    if intents.len() < by_policy.len() {
        return fail("I7", "a policy gave the money of one intent back twice".to_owned());
    }
    Ok(())
}

/// I5.
fn facts_tell_of_each_payment_once(order: &Order, tables: &Tables) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let paid = facts.iter().filter(|it| matches!(it.fact, Fact::OrderPaid { .. })).count();
    let expected = usize::from(matches!(order.state, OrderState::Paid { .. }));
    if paid != expected {
        return fail("I5", format!("order.paid was told {paid} times of an order that is {}", order.state.name()));
    }
    Ok(())
}

/// Whatever is edited, captured or canceled at the same time, a payment fits what is due; unless somebody else has
/// changed what the customer was asked for.
fn what_is_paid_is_what_is_due(order: &Order, books: &Books) -> Checked {
    let misfit = order
        .anomalies
        .iter()
        .find(|it| matches!(it.kind, AnomalyKind::AmountDiffers { .. } | AnomalyKind::WrongCurrency { .. }));
    match misfit.filter(|_| !books.is_meddled_with && !books.has_lost_an_edit()) {
        Some(it) => fail("due", format!("{:?} asked for something else than was due: {:?}", it.intent, it.kind)),
        None => Ok(()),
    }
}

/// An event of the other mode changes nothing, not even what a person is told.
fn nothing_is_of_the_other_mode(order: &Order) -> Checked {
    match order.anomalies.iter().find(|it| matches!(it.kind, AnomalyKind::WrongLivemode { .. })) {
        Some(it) => fail("mode", format!("an event of the other mode was taken in: {:?}", it.kind)),
        None => Ok(()),
    }
}

/// What a person should know is there once, and what follows from it happens once.
fn everything_is_told_once(order: &Order) -> Checked {
    let refund = |it: AnomalyKind| match it {
        AnomalyKind::RefundFailed { refund }
        | AnomalyKind::RefundDelayed { refund }
        | AnomalyKind::RefundDiffers { refund, .. } => Some(refund),
        AnomalyKind::PaidAfterCancel { .. }
        | AnomalyKind::SecondPayment { .. }
        | AnomalyKind::AmountDiffers { .. }
        | AnomalyKind::WrongCurrency { .. }
        | AnomalyKind::WrongLivemode { .. }
        | AnomalyKind::PaymentNotConfirmed { .. }
        | AnomalyKind::AuthorizationExpiring
        | AnomalyKind::PartiallyCaptured { .. }
        | AnomalyKind::CaptureFailed
        | AnomalyKind::IntentLost
        | AnomalyKind::EarlyFraudWarning
        | AnomalyKind::UnderReview
        | AnomalyKind::ReviewClosed
        | AnomalyKind::ReceiptEmailRefused => None,
    };
    let told: BTreeSet<_> =
        order.anomalies.iter().map(|it| (it.intent.as_ref(), it.kind.name(), refund(it.kind), &it.reason)).collect();
    if told.len() < order.anomalies.len() {
        return fail("once", "an anomaly is recorded twice".to_owned());
    }
    Ok(())
}

/// I7, by Stripe's books.
fn one_business_action_has_one_effect(order: &Order, twin: &Twin, books: &Books) -> Checked {
    let known = order.intents.iter().filter(|it| it.is_payable()).count();
    if known > 1 {
        return fail("I7", format!("the order has {known} intents that a customer could pay"));
    }
    let payable: Vec<_> = made_for(twin, order).filter(|it| is_ours(it) && is_payable(it)).map(|it| it.id).collect();
    if payable.len() > 1 {
        return fail("I7", format!("a customer could pay by any of {}", payable.join(", ")));
    }
    // A restored database that was not recovered uses its names again.
    if books.restored.as_ref().is_some_and(|it| !it.is_recovered) {
        return Ok(());
    }
    let mut names = BTreeMap::<&str, u32>::new();
    for refund in twin.refunds().filter(goes_back) {
        if let Some(name) = refund.metadata.get("refund_id") {
            let count = names.entry(name).or_default();
            *count += 1;
            if *count > 1 {
                return fail("I7", format!("refund {name} was made twice"));
            }
        }
    }
    Ok(())
}

/// What is still on its way.
#[derive(Debug)]
pub(crate) struct Unrest {
    pub(crate) what: Violation,
    /// When it began.
    pub(crate) since: Timestamp,
    /// Within how many seconds it must come to its end, once it has begun and nothing goes wrong any more.
    pub(crate) within_seconds: u32,
}

/// What a worker does is tried again every ten minutes at the latest, and held by a dead one for three.
const WORKED_SECONDS: u32 = 3600;

/// An open payment is looked at once a day in the end, an authorisation lasts a week.
const KNOWN_SECONDS: u32 = 10 * 86_400;

/// What is still on its way, if anything: while there is, there is no rest.
pub(crate) fn unrest(tables: &Tables, twin: &Twin, books: &Books) -> Option<Unrest> {
    let on_its_way = |detail: String, since, within_seconds| {
        Some(Unrest { what: Violation::of("I6", detail), since, within_seconds })
    };
    for stored in tables.orders.values() {
        let order = &stored.value;
        if let Some(request) = order.requested {
            let detail = format!("an intent was asked for, and nobody knows whether there is one: {request:?}");
            return on_its_way(detail, order.updated_at, WORKED_SECONDS);
        }
        if let Some(operation) = &order.operation {
            let detail = format!("an operation is under way: {} {}", operation.kind.name(), operation.number);
            return on_its_way(detail, operation.since, WORKED_SECONDS);
        }
        let unread = |it: &&PaymentIntent| it.awaits_confirmation() && !order.is_not_confirmed(&it.id);
        if let Some(intent) = order.intents.iter().find(unread) {
            let detail = format!("{} has succeeded by the word of an event, and Stripe was not asked", intent.id);
            return on_its_way(detail, order.updated_at, WORKED_SECONDS);
        }
        if let Some(refund) = order.refunds.iter().find(|it| it.status == RefundStatus::Requested) {
            let detail = format!("refund {} was asked for, and nobody knows whether it was made", refund.number);
            return on_its_way(detail, refund.requested_at, WORKED_SECONDS);
        }
    }
    if let Some(row) = tables.events.values().find(|it| it.event.status == EventStatus::Parked) {
        let (id, error) = (&row.event.id, &row.event.error);
        let detail = format!("message {id} ({}) waits: {error:?}", row.event.kind);
        return on_its_way(detail, row.event.received_at, KNOWN_SECONDS);
    }
    let known = tables.orders.values().try_for_each(|it| everything_is_known(&it.value, twin, books));
    known.err().map(|what| Unrest { what, since: Timestamp::EPOCH, within_seconds: KNOWN_SECONDS })
}

/// I4, by messages and answers alone: of the payments that are known, where `tells_apart` says that moments are.
pub(crate) fn told(tables: &Tables, twin: &Twin, books: &Books, tells_apart: bool) -> Checked {
    let orders = tables.orders.values().map(|it| &it.value);
    for (order, known) in orders.flat_map(|order| order.intents.iter().map(move |it| (order, it))) {
        let Some(made) = twin.intents().find(|it| it.id == known.id.as_str()) else { continue };
        if books.is_forged {
            continue;
        }
        let (id, here, there) = (made.id, known.status, made.status);
        if tells_apart && here.name() != there {
            return fail("I4", format!("{id} is {here} here and {there} at Stripe, and every message came"));
        }
        // A request that came to its deadline leaves its operation to the worker.
        if !books.is_meddled_with && order.operation.is_none() && known.amount.minor() != made.amount {
            return fail("I4", format!("{id} asks for {:?} here and {} at Stripe", known.amount, made.amount));
        }
    }
    Ok(())
}

/// I4.
fn everything_is_known(order: &Order, twin: &Twin, books: &Books) -> Checked {
    let unknown = |detail: String| fail("I4", detail);
    for made in made_for(twin, order) {
        let Some(known) = order.intents.iter().find(|it| it.id.as_str() == made.id) else {
            // What another program has made is its own until it has brought money.
            if !is_ours(&made) && is_payable(&made) {
                continue;
            }
            return unknown(format!("Stripe has {}, and its order does not know it", made.id));
        };
        if books.is_forged && order.is_not_confirmed(&known.id) && known.received.minor() == made.received {
            continue;
        }
        if known.status.name() != made.status {
            return unknown(format!("{} is {} here and {} at Stripe", made.id, known.status, made.status));
        }
        if made.status == "succeeded" && known.proceeds.is_none() {
            return unknown(format!("what came of {} on the balance is not known", made.id));
        }
        // Stripe sends no message of an amount that somebody else changes.
        if known.amount.minor() != made.amount && !books.is_meddled_with {
            return unknown(format!("{} asks for {:?} here and {} at Stripe", made.id, known.amount, made.amount));
        }
        if known.currency().code() == made.currency && known.received.minor() != made.received {
            return unknown(format!("{} brought {:?} here and {} at Stripe", made.id, known.received, made.received));
        }
    }
    for intent in &order.intents {
        let is_known_to_be_forged = books.is_forged && order.is_not_confirmed(&intent.id);
        if !is_known_to_be_forged && !twin.intents().any(|it| it.id == intent.id.as_str()) {
            return unknown(format!("{} is known here and not to Stripe", intent.id));
        }
    }
    let is_known = |intent: &str| order.intents.iter().any(|it| it.id.as_str() == intent);
    for made in twin.refunds().filter(|it| is_known(it.intent)) {
        let known = order.refunds.iter().find(|it| it.provider_id.as_ref().is_some_and(|id| id.as_str() == made.id));
        let Some(known) = known else {
            return unknown(format!("Stripe has refund {}, and its order does not know it", made.id));
        };
        if known.status.name() != made.status || known.amount.minor() != made.amount {
            return unknown(format!("refund {} is {} here and {} at Stripe", made.id, known.status, made.status));
        }
    }
    for made in twin.disputes().filter(|it| is_known(it.intent)) {
        let known = order.disputes.iter().find(|it| it.id.as_str() == made.id);
        if known.is_none_or(|it| it.status.name() != made.status) {
            return unknown(format!("dispute {} is {} at Stripe, and not here", made.id, made.status));
        }
    }
    Ok(())
}

/// Holds once nothing is on its way.
pub(crate) fn at_rest(tables: &Tables, twin: &Twin, books: &Books) -> Checked {
    for stored in tables.orders.values() {
        let order = &stored.value;
        what_is_kept_is_what_is_due(order, twin)?;
        what_is_shown_as_paid_is_paid(order, twin)?;
        if !matches!(order.state, OrderState::Open)
            && !order.is_held_for_review()
            // What the bank has in its hands cannot be given up.
            && let Some(payable) = made_for(twin, order).find(|it| is_payable(it) && it.status != "processing")
        {
            let state = order.state.name();
            return fail(
                "I1",
                format!("the order is {state}, and a customer could pay {} by {}", payable.amount, payable.id),
            );
        }
        let asked = made_for(twin, order).find(|it| is_payable(it) && is_ours(it));
        let is_other = |it: &IntentView<'_>| it.amount != order.total.minor();
        if let Some(asked) = asked.filter(|it| is_other(it) && !books.is_meddled_with && !books.is_edit_lost()) {
            return fail("due", format!("{} asks for {} of {} due", asked.id, asked.amount, order.total.minor()));
        }
        let of_order = books.told_refunds.keys().filter(|(id, _)| *id == order.id);
        let missing = of_order.map(|(_, number)| number).find(|it| order.refund_numbered(**it).is_none());
        if let Some(number) = missing {
            return fail("kept", format!("a caller was told of refund {number}, and it is not there"));
        }
    }
    restored::at_rest(tables, books)
}

/// I2: whoever forges events makes no order look paid once Stripe was asked.
fn what_is_shown_as_paid_is_paid(order: &Order, twin: &Twin) -> Checked {
    let is_it = |it: &IntentView<'_>, by: &PaymentIntent| it.id == by.id.as_str() && it.received > 0;
    match order.paid_by().filter(|_| order.is_paid()) {
        Some(by) if !twin.intents().any(|it| is_it(&it, by)) => {
            fail("I2", format!("the order is shown as paid by {}, and Stripe has no money of it", by.id))
        }
        Some(_) | None => Ok(()),
    }
}

/// I1 and I2, by Stripe's books.
fn what_is_kept_is_what_is_due(order: &Order, twin: &Twin) -> Checked {
    let refunded = |intent: &str| -> i64 {
        let of_it = twin.refunds().filter(|it| it.intent == intent && goes_back(it));
        of_it.map(|it| it.amount).sum()
    };
    let left: BTreeMap<&str, i64> =
        made_for(twin, order).map(|it| (it.id, it.received - refunded(it.id))).filter(|(_, left)| *left > 0).collect();
    let is_of = |it: &Anomaly, id: &str| it.intent.as_ref().is_some_and(|it| it.as_str() == id);
    let names = |id: &str, policy: Policy| order.anomalies.iter().any(|it| is_of(it, id) && it.policy == policy);
    let paid_by = order.paid_by().map(|it| it.id.as_str());
    for (id, left) in &left {
        let is_accounted_for = paid_by == Some(id) || names(id, Policy::HoldForReview);
        // What the bank sent back, or would not take, a person was told of.
        let came_back =
            order.anomalies.iter().any(|it| is_of(it, id) && matches!(it.kind, AnomalyKind::RefundFailed { .. }));
        let is_disputed = twin.disputes().any(|it| it.intent == *id);
        if !is_accounted_for && !came_back && !is_disputed {
            let state = order.state.name();
            return fail("I1", format!("{left} of {id} is kept of an order that is {state}, and nothing says why"));
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
        return fail("I2", format!("{} paid the whole order, and it is open", paid.id));
    }
    Ok(())
}
