//! Writes. Each function runs inside a savepoint of the group's transaction, which a failure rolls back.

use std::borrow::Cow;

use diesel::prelude::*;
use paywright_app::stored::{
    StoredAdjustment, StoredAnomaly, StoredDispute, StoredFact, StoredIntent, StoredLine, StoredOrder, StoredRefund,
};
use paywright_app::{Changes, Version};
use paywright_domain::Order;

use crate::audit_trail;
use crate::failure::Failure;
use crate::feed;
use crate::installation;
use crate::orders::OrderRow;
use crate::parts::{AdjustmentRow, AnomalyRow, DisputeRow, FactRow, IntentRow, LineRow, RefundRow};
use crate::queue;
use crate::rows::{IdempotencyRow, TaskRow, position, to_json};
use crate::schema::{
    anomalies, disputes, facts, idempotency_records, order_adjustments, order_lines, orders, payment_intents, refunds,
    tasks,
};

/// Writes a commit to all its tables.
pub(crate) fn changes(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    if changes.expected == Version::NEW {
        insert_order(db, changes)?;
    } else {
        update_order(db, changes)?;
    }
    insert_facts(db, changes)?;
    feed::insert_public_facts(db, changes)?;
    write_tasks(db, changes)?;
    if let Some(record) = &changes.idempotency {
        diesel::insert_into(idempotency_records::table).values(&IdempotencyRow::of(record)).execute(db)?;
    }
    if let Some(event) = &changes.received {
        queue::record_event(db, event)?;
    }
    audit_trail::add(db, &changes.audit)
}

/// Version that the order has after the commit.
fn next_version(changes: &Changes) -> i64 {
    i64::from(changes.expected.next().0)
}

fn insert_order(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let order = &changes.order;
    if changes.idempotency.is_some() && installation::lost_order(db, order.id)?.is_some() {
        return Err(Failure::StaleVersion);
    }
    let row = OrderRow::of(next_version(changes), StoredOrder::of(order)?);
    diesel::insert_into(orders::table).values(&row).execute(db)?;
    insert_content(db, order)
}

fn update_order(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let order = &changes.order;
    let id = order.id.0.as_bytes().as_slice();
    let stored: Option<(i64, i64)> =
        orders::table.find(id).select((orders::version, orders::revision)).first(db).optional()?;
    let (version, revision) = stored.ok_or(Failure::StaleVersion)?;
    if version != i64::from(changes.expected.0) {
        return Err(Failure::StaleVersion);
    }
    let row = OrderRow::of(next_version(changes), StoredOrder::of(order)?);
    diesel::update(orders::table.find(id)).set(&row).execute(db)?;
    if revision != i64::from(order.revision) {
        // The content of one revision never changes, so it is written once.
        diesel::delete(order_lines::table.filter(order_lines::order_id.eq(id))).execute(db)?;
        diesel::delete(order_adjustments::table.filter(order_adjustments::order_id.eq(id))).execute(db)?;
        insert_content(db, order)?;
    }
    write_payments(db, order)
}

fn insert_facts(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let cause = changes.cause.as_ref().map(StoredFact::document).transpose()?;
    for (index, fact) in changes.facts.iter().enumerate() {
        let stored = StoredFact::of(fact, changes.expected.next(), changes.at, cause.as_deref())?;
        let row = FactRow::of(id_of(&changes.order), position(index)?, stored);
        diesel::insert_into(facts::table).values(&row).execute(db)?;
    }
    Ok(())
}

/// Id of an order as a column.
fn id_of(order: &Order) -> Cow<'_, [u8]> {
    Cow::Borrowed(order.id.0.as_bytes())
}

/// Inserts new tasks, and deletes finished ones.
fn write_tasks(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let id = changes.order.id.0.as_bytes().as_slice();
    for scheduled in &changes.tasks {
        let row = TaskRow {
            order_id: id.to_vec(),
            key: scheduled.task.key().as_str().to_owned(),
            payload: to_json(&scheduled.task)?,
            due_at: scheduled.due_at.unix_micros(),
            taken: 0,
            leased_by: None,
            leased_until: None,
            error: None,
        };
        diesel::insert_into(tasks::table).values(&row).on_conflict_do_nothing().execute(db)?;
    }
    for key in &changes.finished {
        diesel::delete(tasks::table.find((id, key.as_str()))).execute(db)?;
    }
    Ok(())
}

fn insert_content(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    for (index, line) in order.lines.iter().enumerate() {
        let row = LineRow::of(id_of(order), position(index)?, StoredLine::of(line));
        diesel::insert_into(order_lines::table).values(&row).execute(db)?;
    }
    for (index, adjustment) in order.adjustments.iter().enumerate() {
        let row = AdjustmentRow::of(id_of(order), position(index)?, StoredAdjustment::of(order, adjustment));
        diesel::insert_into(order_adjustments::table).values(&row).execute(db)?;
    }
    Ok(())
}

/// Writes PaymentIntents, refunds and disputes, which are updated in place and never deleted, and anomalies, which are
/// only added. Of many refunds, disputes and anomalies, only those that differ from the stored ones are written: an order
/// with hundreds of refunds has hundreds of commits.
fn write_payments(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    let id = order.id.0.as_bytes().as_slice();
    for (index, intent) in order.intents.iter().enumerate() {
        let index = position(index)?;
        let row = IntentRow::of(id_of(order), index, StoredIntent::of(order, intent)?);
        if diesel::update(payment_intents::table.find((id, index))).set(&row).execute(db)? == 0 {
            diesel::insert_into(payment_intents::table).values(&row).execute(db)?;
        }
    }
    write_refunds(db, order)?;
    write_disputes(db, order)?;
    write_anomalies(db, order)
}

fn write_refunds(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    let id = order.id.0.as_bytes().as_slice();
    let of_order = refunds::table.filter(refunds::order_id.eq(id)).order(refunds::number);
    let rows: Vec<RefundRow<'_>> = if order.refunds.len() > 1 { of_order.load(db)? } else { Vec::new() };
    let stored: Vec<_> = rows.into_iter().map(RefundRow::stored).collect::<Result<_, _>>()?;
    for (index, refund) in order.refunds.iter().enumerate() {
        let refunded = StoredRefund::of(refund);
        if stored.get(index) == Some(&refunded) {
            continue;
        }
        let row = RefundRow::of(id_of(order), refunded);
        if diesel::update(refunds::table.find((id, i64::from(refund.number)))).set(&row).execute(db)? == 0 {
            diesel::insert_into(refunds::table).values(&row).execute(db)?;
        }
    }
    Ok(())
}

fn write_disputes(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    let id = order.id.0.as_bytes().as_slice();
    let of_order = disputes::table.filter(disputes::order_id.eq(id)).order(disputes::position);
    let rows: Vec<DisputeRow<'_>> = if order.disputes.len() > 1 { of_order.load(db)? } else { Vec::new() };
    let stored: Vec<_> = rows.into_iter().map(DisputeRow::stored).collect::<Result<_, _>>()?;
    for (index, dispute) in order.disputes.iter().enumerate() {
        let disputed = StoredDispute::of(dispute);
        if stored.get(index) == Some(&disputed) {
            continue;
        }
        let index = position(index)?;
        let row = DisputeRow::of(id_of(order), index, disputed);
        if diesel::update(disputes::table.find((id, index))).set(&row).execute(db)? == 0 {
            diesel::insert_into(disputes::table).values(&row).execute(db)?;
        }
    }
    Ok(())
}

fn write_anomalies(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    let id = order.id.0.as_bytes().as_slice();
    let of_order = anomalies::table.filter(anomalies::order_id.eq(id));
    let stored: i64 = if order.anomalies.len() > 1 { of_order.count().get_result(db)? } else { 0 };
    let stored = usize::try_from(stored).unwrap_or_default();
    for (index, anomaly) in order.anomalies.iter().enumerate() {
        // Of a stored anomaly, nothing but its acceptance changes.
        if index < stored && anomaly.accepted_at.is_none() {
            continue;
        }
        let index = position(index)?;
        let row = AnomalyRow::of(id_of(order), index, StoredAnomaly::of(anomaly)?);
        let is_updated = anomaly.accepted_at.is_some()
            && diesel::update(anomalies::table.find((id, index))).set(&row).execute(db)? > 0;
        if !is_updated {
            diesel::insert_into(anomalies::table).values(&row).on_conflict_do_nothing().execute(db)?;
        }
    }
    Ok(())
}
