//! Tasks, stored events and cursors, which one worker at a time holds under a lease and then releases. Each function
//! runs inside a savepoint of the group's transaction.

use diesel::prelude::*;
use paywright_app::{
    Cursor, CursorDue, EventClosing, EventStatus, LateTasks, Lease, LeasedEvent, LeasedTask, ReceivedEvent,
    Rescheduled, TaskRelease,
};
use paywright_domain::task::TaskKey;
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::{Column, EventRow, TaskRow};
use crate::schema::{marks, tasks, webhook_inbox};

pub(crate) fn lease_tasks(db: &mut SqliteConnection, lease: &Lease) -> Result<Vec<LeasedTask>, Failure> {
    let now = lease.now.unix_micros();
    let rows: Vec<TaskRow> = tasks::table
        .filter(tasks::due_at.le(now))
        .filter(
            tasks::leased_until
                .is_null()
                .or(tasks::leased_until.le(now))
                .or(tasks::leased_until.gt(lease.until_max().unix_micros())),
        )
        .order((tasks::due_at, tasks::order_id, tasks::key))
        .limit(i64::from(lease.limit))
        .load(db)?;
    let column = |name| Column("tasks", name);
    let take = |row: TaskRow| {
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
    };
    readable(rows.into_iter().map(take))
}

/// Leased rows that can be read. The others may be of a newer version, which takes them when this lease ends; they must
/// not block the rest.
pub(crate) fn readable<T>(rows: impl Iterator<Item = Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let mut readable = Vec::new();
    for row in rows {
        match row {
            Ok(row) => readable.push(row),
            Err(error @ Failure::BadRow { .. }) => tracing::error!(%error, "a leased row cannot be read"),
            Err(error) => return Err(error),
        }
    }
    Ok(readable)
}

pub(crate) fn release_task(db: &mut SqliteConnection, release: &TaskRelease) -> Result<bool, Failure> {
    let held = tasks::table
        .find((release.order.0.as_bytes().as_slice(), release.key.as_str()))
        .filter(tasks::leased_by.eq(release.owner.as_bytes().as_slice()))
        .filter(tasks::taken.eq(i64::from(release.taken)));
    let released = match release.again_at {
        None => diesel::delete(held).execute(db)?,
        Some(again_at) => diesel::update(held)
            .set((
                tasks::due_at.eq(again_at.unix_micros()),
                tasks::error.eq(release.error.as_deref()),
                tasks::leased_by.eq(None::<Vec<u8>>),
                tasks::leased_until.eq(None::<i64>),
            ))
            .execute(db)?,
    };
    Ok(released > 0)
}

pub(crate) fn reschedule_tasks(db: &mut SqliteConnection, late: &LateTasks) -> Result<Rescheduled, Failure> {
    let page: Vec<(Vec<u8>, String, i64)> = tasks::table
        .filter(tasks::due_at.gt(late.after.unix_micros()))
        .order(tasks::due_at)
        .limit(i64::from(late.limit))
        .select((tasks::order_id, tasks::key, tasks::due_at))
        .load(db)?;
    let time = |micros| Column("tasks", "due_at").time(micros);
    let more = page.len() >= usize::from(late.limit);
    let next = page.last().filter(|_| more).map(|it| time(it.2)).transpose()?;
    let mut done = Rescheduled { count: 0, next };
    for (order, key, due_at) in page {
        let due_at = time(due_at)?;
        if late.is_late(&TaskKey::stored(key.clone()), due_at) {
            let task = tasks::table.find((order.as_slice(), key.as_str()));
            diesel::update(task).set(tasks::due_at.eq(late.now.unix_micros())).execute(db)?;
            done.count += 1;
        }
    }
    Ok(done)
}

pub(crate) fn record_event(db: &mut SqliteConnection, event: &ReceivedEvent) -> Result<bool, Failure> {
    let row = EventRow::of(event)?;
    let recorded = diesel::insert_into(webhook_inbox::table).values(&row).on_conflict_do_nothing().execute(db)?;
    Ok(recorded > 0)
}

pub(crate) fn lease_events(db: &mut SqliteConnection, lease: &Lease) -> Result<Vec<LeasedEvent>, Failure> {
    let now = lease.now.unix_micros();
    let rows: Vec<EventRow> = webhook_inbox::table
        .filter(webhook_inbox::verdict.eq(EventStatus::Parked.name()))
        .filter(webhook_inbox::due_at.le(now).or(webhook_inbox::due_at.gt(lease.event_due_max().unix_micros())))
        .filter(
            webhook_inbox::leased_until
                .is_null()
                .or(webhook_inbox::leased_until.le(now))
                .or(webhook_inbox::leased_until.gt(lease.until_max().unix_micros())),
        )
        .order((webhook_inbox::due_at, webhook_inbox::event_id))
        .limit(i64::from(lease.limit))
        .load(db)?;
    let take = |mut row: EventRow| {
        row.taken += 1;
        diesel::update(webhook_inbox::table.find(row.event_id.as_str()))
            .set((
                webhook_inbox::taken.eq(row.taken),
                webhook_inbox::leased_by.eq(Some(lease.owner.as_bytes().as_slice())),
                webhook_inbox::leased_until.eq(Some(lease.until.unix_micros())),
            ))
            .execute(db)?;
        row.restore()
    };
    readable(rows.into_iter().map(take))
}

pub(crate) fn close_event(db: &mut SqliteConnection, closing: &EventClosing) -> Result<bool, Failure> {
    let held = || {
        webhook_inbox::table
            .find(closing.id.as_str())
            .filter(webhook_inbox::leased_by.eq(closing.owner.as_bytes().as_slice()))
            .filter(webhook_inbox::taken.eq(i64::from(closing.taken)))
    };
    if let Some(order) = closing.order {
        let id = order.0.as_bytes().as_slice();
        diesel::update(held()).set(webhook_inbox::order_id.eq(Some(id))).execute(db)?;
    }
    let closed = diesel::update(held())
        .set((
            webhook_inbox::verdict.eq(closing.status.name()),
            webhook_inbox::error.eq(closing.error.as_deref()),
            webhook_inbox::due_at.eq(closing.again_at.map(Timestamp::unix_micros)),
            webhook_inbox::leased_by.eq(None::<Vec<u8>>),
            webhook_inbox::leased_until.eq(None::<i64>),
        ))
        .execute(db)?;
    Ok(closed > 0)
}

pub(crate) fn lease_cursor(
    db: &mut SqliteConnection,
    name: &str,
    lease: &Lease,
    due: CursorDue,
) -> Result<Option<Cursor>, Failure> {
    let now = lease.now.unix_micros();
    diesel::insert_into(marks::table)
        .values((marks::name.eq(name), marks::due_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(db)?;
    let free = marks::table
        .find(name)
        .filter(marks::due_at.le(due.by.unix_micros()).or(marks::due_at.gt(due.latest.unix_micros())))
        .filter(
            marks::leased_until
                .is_null()
                .or(marks::leased_until.le(now))
                .or(marks::leased_until.gt(lease.until_max().unix_micros())),
        );
    let taken = diesel::update(free)
        .set((
            marks::leased_by.eq(Some(lease.owner.as_bytes().as_slice())),
            marks::leased_until.eq(Some(lease.until.unix_micros())),
        ))
        .execute(db)?;
    if taken == 0 {
        return Ok(None);
    }
    Ok(Some(Cursor { value: marks::table.find(name).select(marks::value).first(db)? }))
}

pub(crate) fn move_cursor(
    db: &mut SqliteConnection,
    name: &str,
    owner: Uuid,
    cursor: &Cursor,
    due_at: Timestamp,
) -> Result<bool, Failure> {
    let held = marks::table.find(name).filter(marks::leased_by.eq(owner.as_bytes().as_slice()));
    let moved = diesel::update(held)
        .set((
            marks::value.eq(cursor.value.as_deref()),
            marks::due_at.eq(due_at.unix_micros()),
            marks::leased_by.eq(None::<Vec<u8>>),
            marks::leased_until.eq(None::<i64>),
        ))
        .execute(db)?;
    Ok(moved > 0)
}
