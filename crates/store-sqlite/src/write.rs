//! Writing. Each function runs inside a savepoint of the group's transaction: its failure undoes it whole.

use diesel::prelude::*;
use paywright_app::{ApiKey, Changes, Lease, LeasedTask, Version};
use paywright_domain::{Order, OrderId, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::{
    AdjustmentRow, AnomalyRow, ApiKeyRow, Column, FactRow, IdempotencyRow, IntentRow, LineRow, OrderRow, TaskRow,
    position, to_json,
};
use crate::schema::{
    anomalies, api_keys, facts, idempotency_records, order_adjustments, order_lines, orders, payment_intents, tasks,
};

pub(crate) fn changes(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let order = &changes.order;
    let id = order.id.0.as_bytes().as_slice();
    let version = i64::from(changes.expected.next().0);
    let row = OrderRow::of(order, version)?;
    if changes.expected == Version::NEW {
        diesel::insert_into(orders::table).values(&row).execute(db)?;
        insert_content(db, order)?;
    } else {
        let stored: Option<(i64, i64)> =
            orders::table.find(id).select((orders::version, orders::revision)).first(db).optional()?;
        let (stored_version, stored_revision) = stored.ok_or(Failure::StaleVersion)?;
        if stored_version != i64::from(changes.expected.0) {
            return Err(Failure::StaleVersion);
        }
        diesel::update(orders::table.find(id)).set(&row).execute(db)?;
        if stored_revision != i64::from(order.revision) {
            // The content of one revision never changes, so that it is written once.
            diesel::delete(order_lines::table.filter(order_lines::order_id.eq(id))).execute(db)?;
            diesel::delete(order_adjustments::table.filter(order_adjustments::order_id.eq(id))).execute(db)?;
            insert_content(db, order)?;
        }
        write_payments(db, order)?;
    }
    for (index, fact) in changes.facts.iter().enumerate() {
        let row = FactRow {
            order_id: id.to_vec(),
            version,
            position: position(index)?,
            kind: fact.kind().to_owned(),
            payload: to_json(fact)?,
            at: changes.at.unix_micros(),
        };
        diesel::insert_into(facts::table).values(&row).execute(db)?;
    }
    for scheduled in &changes.tasks {
        let row = TaskRow {
            order_id: id.to_vec(),
            key: scheduled.task.key().as_str().to_owned(),
            payload: to_json(&scheduled.task)?,
            due_at: scheduled.due_at.unix_micros(),
            taken: 0,
            leased_by: None,
            leased_until: None,
        };
        diesel::insert_into(tasks::table).values(&row).on_conflict_do_nothing().execute(db)?;
    }
    for key in &changes.finished {
        diesel::delete(tasks::table.find((id, key.as_str()))).execute(db)?;
    }
    if let Some(record) = &changes.idempotency {
        diesel::insert_into(idempotency_records::table).values(&IdempotencyRow::of(record)).execute(db)?;
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

/// Intents change in place and are never taken away; anomalies are only ever added.
fn write_payments(db: &mut SqliteConnection, order: &Order) -> Result<(), Failure> {
    for (index, intent) in order.intents.iter().enumerate() {
        let row = IntentRow::of(order.id, index, intent)?;
        let place = payment_intents::table.find((row.order_id.as_slice(), row.position));
        if diesel::update(place).set(&row).execute(db)? == 0 {
            diesel::insert_into(payment_intents::table).values(&row).execute(db)?;
        }
    }
    for (index, anomaly) in order.anomalies.iter().enumerate() {
        let row = AnomalyRow::of(order.id, index, anomaly)?;
        diesel::insert_into(anomalies::table).values(&row).on_conflict_do_nothing().execute(db)?;
    }
    Ok(())
}

pub(crate) fn lease_tasks(db: &mut SqliteConnection, lease: &Lease) -> Result<Vec<LeasedTask>, Failure> {
    let now = lease.now.unix_micros();
    let rows: Vec<TaskRow> = tasks::table
        .filter(tasks::due_at.le(now))
        .filter(tasks::leased_until.is_null().or(tasks::leased_until.le(now)))
        .order((tasks::due_at, tasks::order_id, tasks::key))
        .limit(i64::from(lease.limit))
        .load(db)?;
    let column = |name| Column("tasks", name);
    rows.into_iter()
        .map(|row| {
            let taken = row.taken + 1;
            diesel::update(tasks::table.find((row.order_id.as_slice(), row.key.as_str())))
                .set((
                    tasks::taken.eq(taken),
                    tasks::leased_by.eq(Some(lease.owner.as_bytes().as_slice())),
                    tasks::leased_until.eq(Some(lease.until.unix_micros())),
                ))
                .execute(db)?;
            Ok(LeasedTask {
                order: OrderId(column("order_id").uuid(&row.order_id)?),
                task: column("payload").json(&row.payload)?,
                taken: column("taken").count(taken)?,
            })
        })
        .collect()
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
