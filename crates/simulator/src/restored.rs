//! What must hold after a restore from a backup, beside all else: Stripe has not forgotten anything, and so nothing may
//! be done there a second time.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::{Order, OrderId, OrderState};
use paywright_stripe_twin::{IntentView, Twin};
use uuid::Uuid;

use crate::books::{Books, Restored};
use crate::invariants::{Checked, fail, goes_back, is_ours};
use crate::store::Tables;

/// The order that an intent names.
fn order_of(intent: &IntentView<'_>) -> Option<OrderId> {
    intent.metadata.get("order_id")?.parse::<Uuid>().ok().map(OrderId)
}

/// Orders that Stripe has an intent of ours for.
pub(crate) fn orders_at_stripe(twin: &Twin) -> BTreeSet<OrderId> {
    twin.intents().filter(is_ours).filter_map(|it| order_of(&it)).collect()
}

/// Strikes from the books what a restore loses: whatever was written since the backup and Stripe has not.
pub(crate) fn forget(
    books: &mut Books,
    before: &Tables,
    now: &Tables,
    at_stripe: &BTreeSet<OrderId>,
    is_recovered: bool,
) {
    let is_kept = |it: &OrderId| now.orders.contains_key(it) || (is_recovered && at_stripe.contains(it));
    books.told_orders.retain(is_kept);
    books.told_messages.retain(|it| now.events.contains_key(it));
    let has_refund = |order: &Order, number: u32| order.refund_numbered(number).is_some();
    books
        .told_refunds
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

/// Whether Stripe was told of a content of `order`, or may have been, that is not known any more.
fn is_edit_lost(order: &Order, now: &Tables) -> bool {
    let Some(restored) = now.orders.get(&order.id) else { return false };
    restored.value.revision != order.revision || restored.value.operation != order.operation
}

/// Holds at every moment after a restore.
pub(crate) fn always(tables: &Tables, twin: &Twin, books: &Books) -> Checked {
    let Some(restored) = &books.restored else { return Ok(()) };
    for ((order, number), asked) in &books.told_refunds {
        let made = tables.orders.get(order).and_then(|it| it.value.refund_numbered(*number));
        if let Some(made) = made.filter(|it| it.amount.minor() != *asked) {
            return fail("asked", format!("{asked} was asked for by refund {number}, which is of {:?}", made.amount));
        }
    }
    if !restored.is_recovered {
        return Ok(());
    }
    let mut placed = BTreeMap::<u128, OrderId>::new();
    for order in orders_at_stripe(twin) {
        if !tables.orders.contains_key(&order) {
            return fail("kept", format!("Stripe has an intent of order {order}, and it is not there"));
        }
        // The end of its id is that of its idempotency key.
        if let Some(first) = placed.insert(order.0.as_u128() << 48, order) {
            return fail("I7", format!("one placement has led to {first} and {order}, and a customer may pay both"));
        }
    }
    let mut requests = BTreeSet::new();
    for refund in twin.refunds().filter(goes_back) {
        if let Some(request) = refund.metadata.get("request_digest").filter(|it| !requests.insert(*it)) {
            return fail("I7", format!("the request {request} has given money back twice"));
        }
    }
    Ok(())
}

/// Holds once nothing is on its way.
pub(crate) fn at_rest(tables: &Tables, books: &Books) -> Checked {
    let Some(restored) = books.restored.as_ref().filter(|it| !it.was_edit_lost && !books.is_meddled_with) else {
        return Ok(());
    };
    for (order, by) in &restored.paid_before {
        let paid_by = tables.orders.get(order).and_then(|it| it.value.paid_by()).map(|it| &it.id);
        if paid_by != Some(by) {
            return fail("I2", format!("order {order} was paid by {by} before a restore, and is paid by {paid_by:?}"));
        }
    }
    Ok(())
}
