//! Writes. Each function runs inside a savepoint of the group's transaction, which a failure rolls back.

use diesel::prelude::*;
use paywright_app::{ApiKey, Changes, Version};
use paywright_domain::{Order, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;
use crate::feed;
use crate::installation;
use crate::queue;
use crate::rows::{
    AdjustmentRow, AnomalyRow, ApiKeyRow, DisputeRow, FactRow, IdempotencyRow, IntentRow, LineRow, OrderRow, RefundRow,
    TaskRow, position, to_json,
};
use crate::schema::{
    anomalies, api_keys, disputes, facts, idempotency_records, order_adjustments, order_lines, orders, payment_intents,
    refunds, tasks,
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
    Ok(())
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
    diesel::insert_into(orders::table).values(&OrderRow::of(order, next_version(changes))?).execute(db)?;
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
    diesel::update(orders::table.find(id)).set(&OrderRow::of(order, next_version(changes))?).execute(db)?;
    if revision != i64::from(order.revision) {
        // The content of one revision never changes, so it is written once.
        diesel::delete(order_lines::table.filter(order_lines::order_id.eq(id))).execute(db)?;
        diesel::delete(order_adjustments::table.filter(order_adjustments::order_id.eq(id))).execute(db)?;
        insert_content(db, order)?;
    }
    write_payments(db, order)
}

fn insert_facts(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let cause = changes.cause.as_ref().map(to_json).transpose()?;
    for (index, fact) in changes.facts.iter().enumerate() {
        let row = FactRow {
            order_id: changes.order.id.0.as_bytes().to_vec(),
            version: next_version(changes),
            position: position(index)?,
            kind: fact.kind().to_owned(),
            payload: to_json(fact)?,
            at: changes.at.unix_micros(),
            cause: cause.clone(),
        };
        diesel::insert_into(facts::table).values(&row).execute(db)?;
    }
    Ok(())
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
        diesel::insert_into(order_lines::table).values(&LineRow::of(order.id, index, line)?).execute(db)?;
    }
    for (index, adjustment) in order.adjustments.iter().enumerate() {
        let row = AdjustmentRow::of(order.id, index, adjustment)?;
        diesel::insert_into(order_adjustments::table).values(&row).execute(db)?;
    }
    Ok(())
}

/// Writes PaymentIntents, refunds and disputes, which are updated in place and never deleted, and anomalies, which are
/// only added.
fn write_payments(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    for (index, intent) in order.intents.iter().enumerate() {
        let row = IntentRow::of(order, index, intent)?;
        let place = payment_intents::table.find((row.order_id.as_slice(), row.position));
        if diesel::update(place).set(&row).execute(db)? == 0 {
            diesel::insert_into(payment_intents::table).values(&row).execute(db)?;
        }
    }
    for refund in &order.refunds {
        let row = RefundRow::of(order.id, refund);
        let place = refunds::table.find((row.order_id.as_slice(), row.number));
        if diesel::update(place).set(&row).execute(db)? == 0 {
            diesel::insert_into(refunds::table).values(&row).execute(db)?;
        }
    }
    for (index, dispute) in order.disputes.iter().enumerate() {
        let row = DisputeRow::of(order.id, index, dispute)?;
        let place = disputes::table.find((row.order_id.as_slice(), row.position));
        if diesel::update(place).set(&row).execute(db)? == 0 {
            diesel::insert_into(disputes::table).values(&row).execute(db)?;
        }
    }
    for (index, anomaly) in order.anomalies.iter().enumerate() {
        let row = AnomalyRow::of(order.id, index, anomaly)?;
        diesel::insert_into(anomalies::table).values(&row).on_conflict_do_nothing().execute(db)?;
    }
    Ok(())
}

pub(crate) fn add_api_key(db: &mut SqliteConnection, key: &ApiKey) -> Result<(), Failure> {
    diesel::insert_into(api_keys::table).values(&ApiKeyRow::of(key)).execute(db)?;
    Ok(())
}

pub(crate) fn revoke_api_key(db: &mut SqliteConnection, id: Uuid, at: Timestamp) -> Result<bool, Failure> {
    let id = id.as_bytes().as_slice();
    let known: i64 = api_keys::table.filter(api_keys::id.eq(id)).count().get_result(db)?;
    diesel::update(api_keys::table.find(id).filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(Some(at.unix_micros())))
        .execute(db)?;
    Ok(known > 0)
}
