//! Tasks, stored events and cursors, which one worker at a time holds under a lease and then releases.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{Cursor, EventClosing, LateTasks, Lease, ReceivedEvent, TaskRelease};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::{pg_time, to_json};
use crate::statement::{parameters, statement};

/// Columns of a stored event; by default NULL in each of them, for a commit without an event.
#[derive(Default)]
pub(crate) struct EventColumns<'a> {
    id: Option<&'a str>,
    kind: Option<&'a str>,
    created_at: Option<PgTimestamp>,
    received_at: Option<PgTimestamp>,
    via: Option<&'static str>,
    headers: Option<String>,
    news: Option<String>,
    verdict: Option<&'static str>,
    error: Option<&'a str>,
    order: Option<Uuid>,
    due_at: Option<PgTimestamp>,
}

impl<'a> EventColumns<'a> {
    pub(crate) fn of(event: &'a ReceivedEvent) -> Result<Self, Failure> {
        Ok(Self {
            id: Some(&event.id),
            kind: Some(&event.kind),
            created_at: Some(pg_time(event.created_at)),
            received_at: Some(pg_time(event.received_at)),
            via: Some(event.via),
            headers: Some(to_json(&event.headers)?),
            news: Some(to_json(&event.update)?),
            verdict: Some(event.status.name()),
            error: event.error.as_deref(),
            order: event.order.map(|it| it.0),
            due_at: event.due_at.map(pg_time),
        })
    }
}

parameters!(self: EventColumns<'_> {
    event_id: Nullable<SqlText> = self.id,
    event_kind: Nullable<SqlText> = self.kind,
    event_created_at: Nullable<Timestamptz> = self.created_at,
    event_received_at: Nullable<Timestamptz> = self.received_at,
    event_via: Nullable<SqlText> = self.via,
    event_headers: Nullable<SqlText> = self.headers,
    event_news: Nullable<SqlText> = self.news,
    event_verdict: Nullable<SqlText> = self.verdict,
    event_error: Nullable<SqlText> = self.error,
    event_order_id: Nullable<SqlUuid> = self.order,
    event_due_at: Nullable<Timestamptz> = self.due_at,
});

/// Statement that stores an event (`record_event.sql`).
pub(crate) struct RecordEvent<'a>(pub(crate) EventColumns<'a>);

statement!(RecordEvent<'_> => (), include_str!("sql/record_event.sql"), self {
    ..EventColumns = self.0,
});

/// Parameters of a lease, with PostgreSQL's timestamps.
pub(crate) struct Claim {
    pub(crate) now: PgTimestamp,
    pub(crate) limit: i64,
    pub(crate) owner: Uuid,
    pub(crate) until: PgTimestamp,
    pub(crate) until_max: PgTimestamp,
    event_due_max: PgTimestamp,
}

impl Claim {
    pub(crate) fn of(lease: &Lease) -> Self {
        Self {
            now: pg_time(lease.now),
            limit: i64::from(lease.limit),
            owner: lease.owner,
            until: pg_time(lease.until),
            until_max: pg_time(lease.until_max()),
            event_due_max: pg_time(lease.event_due_max()),
        }
    }
}

/// Statement that leases due tasks (`lease_tasks.sql`).
pub(crate) struct LeaseTasks(pub(crate) Claim);

statement!(LeaseTasks => (SqlUuid, SqlText, BigInt), include_str!("sql/lease_tasks.sql"), self {
    now: Timestamptz = self.0.now,
    until_max: Timestamptz = self.0.until_max,
    limit: BigInt = self.0.limit,
    owner: SqlUuid = self.0.owner,
    until: Timestamptz = self.0.until,
});

/// Statement that leases due parked events (`lease_events.sql`).
pub(crate) struct LeaseEvents(pub(crate) Claim);

statement!(LeaseEvents => (SqlText, SqlText, Timestamptz, SqlText, BigInt), include_str!("sql/lease_events.sql"), self {
    now: Timestamptz = self.0.now,
    until_max: Timestamptz = self.0.until_max,
    event_due_max: Timestamptz = self.0.event_due_max,
    limit: BigInt = self.0.limit,
    owner: SqlUuid = self.0.owner,
    until: Timestamptz = self.0.until,
});

/// Statement that releases a task: deletes it, or sets when it is due again.
pub(crate) struct ReleaseTask<'a> {
    release: &'a TaskRelease,
    key: &'a str,
    taken: i64,
    again_at: Option<PgTimestamp>,
}

impl<'a> ReleaseTask<'a> {
    pub(crate) fn of(release: &'a TaskRelease) -> Self {
        let key = release.key.as_str();
        Self { release, key, taken: i64::from(release.taken), again_at: release.again_at.map(pg_time) }
    }
}

statement!(ReleaseTask<'_> => (), include_str!("sql/release_task.sql"), self {
    order_id: SqlUuid = self.release.order.0,
    key: SqlText = self.key,
    owner: SqlUuid = self.release.owner,
    taken: BigInt = self.taken,
    due_at: Nullable<Timestamptz> = self.again_at,
    error: Nullable<SqlText> = self.release.error,
});

/// Statement that makes overly late tasks due now (`reschedule_tasks.sql`).
pub(crate) struct RescheduleTasks {
    after: PgTimestamp,
    limit: i64,
    kinds: Vec<&'static str>,
    due_max: Vec<PgTimestamp>,
    now: PgTimestamp,
}

impl RescheduleTasks {
    pub(crate) fn of(late: &LateTasks) -> Self {
        Self {
            after: pg_time(late.after),
            limit: i64::from(late.limit),
            kinds: late.due_max.iter().map(|(kind, _)| kind.name()).collect(),
            due_max: late.due_max.iter().map(|(_, due_max)| pg_time(*due_max)).collect(),
            now: pg_time(late.now),
        }
    }
}

statement!(RescheduleTasks => (Nullable<Timestamptz>, BigInt), include_str!("sql/reschedule_tasks.sql"), self {
    after: Timestamptz = self.after,
    limit: BigInt = self.limit,
    kinds: Array<SqlText> = self.kinds,
    due_max: Array<Timestamptz> = self.due_max,
    now: Timestamptz = self.now,
});

/// Statement that stores the status of a leased event.
pub(crate) struct CloseEvent<'a> {
    closing: &'a EventClosing,
    taken: i64,
    verdict: &'static str,
    order: Option<Uuid>,
    again_at: Option<PgTimestamp>,
}

impl<'a> CloseEvent<'a> {
    pub(crate) fn of(closing: &'a EventClosing) -> Self {
        Self {
            closing,
            taken: i64::from(closing.taken),
            verdict: closing.status.name(),
            order: closing.order.map(|it| it.0),
            again_at: closing.again_at.map(pg_time),
        }
    }
}

statement!(CloseEvent<'_> => (),
    concat!(
        "UPDATE webhook_inbox SET verdict = :verdict::text, error = :error::text, ",
        "order_id = coalesce(:order_id::uuid, order_id), due_at = :due_at::timestamptz, leased_by = NULL, ",
        "leased_until = NULL ",
        "WHERE event_id = :event_id::text AND leased_by = :owner::uuid AND taken = :taken::bigint",
    ),
    self {
        verdict: SqlText = self.verdict,
        error: Nullable<SqlText> = self.closing.error,
        order_id: Nullable<SqlUuid> = self.order,
        due_at: Nullable<Timestamptz> = self.again_at,
        event_id: SqlText = self.closing.id,
        owner: SqlUuid = self.closing.owner,
        taken: BigInt = self.taken,
    }
);

/// Statement that leases a cursor (`lease_cursor.sql`).
pub(crate) struct LeaseCursor {
    pub(crate) name: String,
    pub(crate) claim: Claim,
    pub(crate) due_by: PgTimestamp,
    pub(crate) due_max: PgTimestamp,
}

statement!(LeaseCursor => Nullable<SqlText>, include_str!("sql/lease_cursor.sql"), self {
    name: SqlText = self.name,
    now: Timestamptz = self.claim.now,
    owner: SqlUuid = self.claim.owner,
    until: Timestamptz = self.claim.until,
    due_by: Timestamptz = self.due_by,
    due_max: Timestamptz = self.due_max,
    until_max: Timestamptz = self.claim.until_max,
});

/// Statement that moves a cursor and releases it.
pub(crate) struct MoveCursor<'a> {
    pub(crate) name: &'a str,
    pub(crate) owner: Uuid,
    pub(crate) cursor: &'a Cursor,
    pub(crate) due_at: PgTimestamp,
}

statement!(MoveCursor<'_> => (),
    concat!(
        "UPDATE marks SET value = :value::text, due_at = :due_at::timestamptz, leased_by = NULL, leased_until = NULL ",
        "WHERE name = :name::text AND leased_by = :owner::uuid",
    ),
    self {
        value: Nullable<SqlText> = self.cursor.value,
        due_at: Timestamptz = self.due_at,
        name: SqlText = self.name,
        owner: SqlUuid = self.owner,
    }
);
