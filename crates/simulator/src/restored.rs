//! Invariants after a restore from a backup, in addition to all others. Stripe has lost nothing, so nothing may be done
//! there a second time.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::order::OrderState;
use paywright_domain::{Order, OrderId};
use paywright_stripe_twin::{IntentView, Twin};
use uuid::Uuid;

use crate::books::{Books, Restored};
use crate::invariants::{Checked, fail, is_ours, is_refunded};
use crate::store::Tables;

/// Id of the order that an intent's metadata names.
fn order_of(intent: &IntentView<'_>) -> Option<OrderId> {
    intent.metadata.get("order_id")?.parse::<Uuid>().ok().map(OrderId)
}

/// Ids of the orders for which Stripe has an intent of ours.
pub(crate) fn orders_at_stripe(twin: &Twin) -> BTreeSet<OrderId> {
    twin.intents().filter(is_ours).filter_map(|it| order_of(&it)).collect()
}

/// Removes from the books what a restore loses: everything written since the backup that Stripe does not have.
pub(crate) fn forget(
    books: &mut Books,
    before: &Tables,
    now: &Tables,
    at_stripe: &BTreeSet<OrderId>,
    is_recovered: bool,
) {
    books.feed.forget(now);
    books.kept.forget(now);
    let is_kept = |it: &OrderId| now.orders.contains_key(it) || (is_recovered && at_stripe.contains(it));
    books.confirmed_orders.retain(is_kept);
    books.acknowledged_events.retain(|it| now.events.contains_key(it));
    let has_refund = |order: &Order, number: u32| order.refund_numbered(number).is_some();
    books
        .confirmed_refunds
        .retain(|(order, number), _| now.orders.get(order).is_some_and(|it| has_refund(&it.value, *number)));
    if books.order.as_ref().is_some_and(|it| !is_kept(it)) {
        books.order = None;
        books.shown = None;
    }
    books.leases.clear();
    let restored = books.restored.get_or_insert_with(|| Restored { is_recovered: true, ..Restored::default() });
    restored.is_recovered &= is_recovered;
    let is_paid = |it: &OrderId| now.orders.get(it).is_some_and(|it| matches!(it.value.state, OrderState::Paid { .. }));
    for (order, by) in std::mem::take(&mut books.paid_by) {
        if is_paid(&order) {
            books.paid_by.insert(order, by);
        } else if is_kept(&order) {
            restored.paid_before.insert(order, by);
        }
    }
    if before.orders.values().any(|it| is_edit_lost(&it.value, now)) {
        restored.is_edit_lost = true;
        restored.was_edit_lost = true;
    }
}

/// Whether the restore lost an edit or an operation of `order` that may have reached Stripe.
fn is_edit_lost(order: &Order, now: &Tables) -> bool {
    let Some(restored) = now.orders.get(&order.id) else { return false };
    restored.value.revision != order.revision || restored.value.operation != order.operation
}

/// Checks what must hold at every step after a restore.
pub(crate) fn always(tables: &Tables, twin: &Twin, books: &Books) -> Checked {
    let Some(restored) = &books.restored else { return Ok(()) };
    for ((order, number), requested) in &books.confirmed_refunds {
        let made = tables.orders.get(order).and_then(|it| it.value.refund_numbered(*number));
        if let Some(made) = made.filter(|it| it.amount.minor() != *requested) {
            let detail = format!("refund {number} was requested with {requested} and has {:?}", made.amount);
            return fail("requested", detail);
        }
    }
    if !restored.is_recovered {
        return Ok(());
    }
    let mut placed = BTreeMap::<u128, OrderId>::new();
    for order in orders_at_stripe(twin) {
        if !tables.orders.contains_key(&order) {
            return fail(
                "kept",
                format!("Stripe has an intent of order {order}, and the store does not have the order"),
            );
        }
        // The end of an order's id is derived from its idempotency key.
        if let Some(first) = placed.insert(order.0.as_u128() << 48, order) {
            return fail(
                "I7",
                format!("one placement created the orders {first} and {order}, and a customer may pay both"),
            );
        }
    }
    let mut requests = BTreeSet::new();
    for refund in twin.refunds().filter(is_refunded) {
        if let Some(request) = refund.metadata.get("request_digest").filter(|it| !requests.insert(*it)) {
            return fail("I7", format!("the request {request} was refunded twice"));
        }
    }
    Ok(())
}

/// Checks what must hold once the run is at rest.
pub(crate) fn at_rest(tables: &Tables, books: &Books) -> Checked {
    let Some(restored) = books.restored.as_ref().filter(|it| !it.was_edit_lost && !books.changed_elsewhere) else {
        return Ok(());
    };
    for (order, by) in &restored.paid_before {
        let paid_by = tables.orders.get(order).and_then(|it| it.value.paid_by()).map(|it| &it.id);
        if paid_by != Some(by) {
            return fail(
                "I2",
                format!("order {order} was paid by {by} before a restore, and is now paid by {paid_by:?}"),
            );
        }
    }
    Ok(())
}
