//! Tasks, stored events and cursors, which one worker at a time holds under a lease and then releases.

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{Cursor, EventClosing, LateTasks, Lease, ReceivedEvent, TaskRelease};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::{pg_time, to_json};
use crate::statement::{Binder, PreparedStatement, Text, text};

/// Columns of a stored event.
pub(crate) struct EventColumns<'a> {
    event: &'a ReceivedEvent,
    created_at: PgTimestamp,
    received_at: PgTimestamp,
    headers: String,
    news: String,
    verdict: &'static str,
    order: Option<Uuid>,
    due_at: Option<PgTimestamp>,
}

impl<'a> EventColumns<'a> {
    pub(crate) fn of(event: &'a ReceivedEvent) -> Result<Self, Failure> {
        Ok(Self {
            event,
            created_at: pg_time(event.created_at),
            received_at: pg_time(event.received_at),
            headers: to_json(&event.headers)?,
            news: to_json(&event.update)?,
            verdict: event.status.name(),
            order: event.order.map(|it| it.0),
            due_at: event.due_at.map(pg_time),
        })
    }

    pub(crate) fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Nullable<SqlText>, _>(&self.event.id)?;
        to.value::<Nullable<SqlText>, _>(&self.event.kind)?;
        to.value::<Nullable<Timestamptz>, _>(&self.created_at)?;
        to.value::<Nullable<Timestamptz>, _>(&self.received_at)?;
        to.value::<Nullable<SqlText>, _>(&self.event.via)?;
        to.value::<Nullable<SqlText>, _>(&self.headers)?;
        to.value::<Nullable<SqlText>, _>(&self.news)?;
        to.value::<Nullable<SqlText>, _>(&self.verdict)?;
        to.value::<Nullable<SqlText>, _>(&self.event.error)?;
        to.value::<Nullable<SqlUuid>, _>(&self.order)?;
        to.value::<Nullable<Timestamptz>, _>(&self.due_at)
    }

    /// Binds the same parameters as NULL, for a commit without an event.
    pub(crate) fn bind_none(to: &mut Binder<'_, '_, '_>) -> QueryResult<()> {
        let none = || &None::<&str>;
        let never = || &None::<PgTimestamp>;
        to.value::<Nullable<SqlText>, _>(none())?;
        to.value::<Nullable<SqlText>, _>(none())?;
        to.value::<Nullable<Timestamptz>, _>(never())?;
        to.value::<Nullable<Timestamptz>, _>(never())?;
        for _ in ["via", "headers", "news", "verdict", "error"] {
            to.value::<Nullable<SqlText>, _>(none())?;
        }
        to.value::<Nullable<SqlUuid>, _>(&None::<Uuid>)?;
        to.value::<Nullable<Timestamptz>, _>(never())
    }
}

/// Statement that stores an event (`record_event.sql`).
pub(crate) struct RecordEvent<'a>(pub(crate) EventColumns<'a>);

impl PreparedStatement for RecordEvent<'_> {
    type Id = RecordEvent<'static>;
    type Columns = ();

    fn text() -> &'static Text {
        text!(include_str!("sql/record_event.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        self.0.bind(to)
    }
}

/// Parameters of a lease, with PostgreSQL's timestamps.
pub(crate) struct Claim {
    pub(crate) now: PgTimestamp,
    limit: i64,
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

    /// Binds the limit, the owner and the end of the lease.
    pub(crate) fn bind_taken<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<BigInt, _>(&self.limit)?;
        to.value::<SqlUuid, _>(&self.owner)?;
        to.value::<Timestamptz, _>(&self.until)
    }
}

/// Statement that leases due tasks (`lease_tasks.sql`).
pub(crate) struct LeaseTasks(pub(crate) Claim);

impl PreparedStatement for LeaseTasks {
    type Id = Self;
    type Columns = (SqlUuid, SqlText, BigInt);

    fn text() -> &'static Text {
        text!(include_str!("sql/lease_tasks.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.0.now)?;
        to.value::<Timestamptz, _>(&self.0.until_max)?;
        self.0.bind_taken(to)
    }
}

/// Statement that leases due parked events (`lease_events.sql`).
pub(crate) struct LeaseEvents(pub(crate) Claim);

impl PreparedStatement for LeaseEvents {
    type Id = Self;
    type Columns = (SqlText, SqlText, Timestamptz, SqlText, BigInt);

    fn text() -> &'static Text {
        text!(include_str!("sql/lease_events.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.0.now)?;
        to.value::<Timestamptz, _>(&self.0.until_max)?;
        to.value::<Timestamptz, _>(&self.0.event_due_max)?;
        self.0.bind_taken(to)
    }
}

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

impl PreparedStatement for ReleaseTask<'_> {
    type Id = ReleaseTask<'static>;
    type Columns = ();

    fn text() -> &'static Text {
        text!(include_str!("sql/release_task.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.release.order.0)?;
        to.value::<SqlText, _>(&self.key)?;
        to.value::<SqlUuid, _>(&self.release.owner)?;
        to.value::<BigInt, _>(&self.taken)?;
        to.value::<Nullable<Timestamptz>, _>(&self.again_at)?;
        to.value::<Nullable<SqlText>, _>(&self.release.error)
    }
}

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

impl PreparedStatement for RescheduleTasks {
    type Id = Self;
    type Columns = (Nullable<Timestamptz>, BigInt);

    fn text() -> &'static Text {
        text!(include_str!("sql/reschedule_tasks.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.after)?;
        to.value::<BigInt, _>(&self.limit)?;
        to.value::<Array<SqlText>, _>(&self.kinds)?;
        to.value::<Array<Timestamptz>, _>(&self.due_max)?;
        to.value::<Timestamptz, _>(&self.now)
    }
}

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

impl PreparedStatement for CloseEvent<'_> {
    type Id = CloseEvent<'static>;
    type Columns = ();

    fn text() -> &'static Text {
        text!(
            "UPDATE webhook_inbox SET verdict = $1::text, error = $2::text, order_id = coalesce($3::uuid, order_id), ",
            "due_at = $4::timestamptz, leased_by = NULL, leased_until = NULL ",
            "WHERE event_id = $5::text AND leased_by = $6::uuid AND taken = $7::bigint"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.verdict)?;
        to.value::<Nullable<SqlText>, _>(&self.closing.error)?;
        to.value::<Nullable<SqlUuid>, _>(&self.order)?;
        to.value::<Nullable<Timestamptz>, _>(&self.again_at)?;
        to.value::<SqlText, _>(&self.closing.id)?;
        to.value::<SqlUuid, _>(&self.closing.owner)?;
        to.value::<BigInt, _>(&self.taken)
    }
}

/// Statement that deletes closed events, a few thousand at a time.
pub(crate) struct ForgetEvents(pub(crate) PgTimestamp);

impl PreparedStatement for ForgetEvents {
    type Id = Self;
    type Columns = ();

    fn text() -> &'static Text {
        text!(
            "DELETE FROM webhook_inbox WHERE event_id IN (SELECT event_id FROM webhook_inbox ",
            "WHERE received_at < $1 AND verdict <> 'parked' ORDER BY received_at LIMIT 5000)"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.0)
    }
}

/// Statement that leases a cursor (`lease_cursor.sql`).
pub(crate) struct LeaseCursor {
    pub(crate) name: String,
    pub(crate) claim: Claim,
    pub(crate) due_by: PgTimestamp,
    pub(crate) due_max: PgTimestamp,
}

impl PreparedStatement for LeaseCursor {
    type Id = Self;
    type Columns = Nullable<SqlText>;

    fn text() -> &'static Text {
        text!(include_str!("sql/lease_cursor.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.name)?;
        to.value::<Timestamptz, _>(&self.claim.now)?;
        to.value::<SqlUuid, _>(&self.claim.owner)?;
        to.value::<Timestamptz, _>(&self.claim.until)?;
        to.value::<Timestamptz, _>(&self.due_by)?;
        to.value::<Timestamptz, _>(&self.due_max)?;
        to.value::<Timestamptz, _>(&self.claim.until_max)
    }
}

/// Statement that moves a cursor and releases it.
pub(crate) struct MoveCursor<'a> {
    pub(crate) name: &'a str,
    pub(crate) owner: Uuid,
    pub(crate) cursor: &'a Cursor,
    pub(crate) due_at: PgTimestamp,
}

impl PreparedStatement for MoveCursor<'_> {
    type Id = MoveCursor<'static>;
    type Columns = ();

    fn text() -> &'static Text {
        text!(
            "UPDATE marks SET value = $1::text, due_at = $2::timestamptz, leased_by = NULL, leased_until = NULL ",
            "WHERE name = $3::text AND leased_by = $4::uuid"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Nullable<SqlText>, _>(&self.cursor.value)?;
        to.value::<Timestamptz, _>(&self.due_at)?;
        to.value::<SqlText, _>(&self.name)?;
        to.value::<SqlUuid, _>(&self.owner)
    }
}
