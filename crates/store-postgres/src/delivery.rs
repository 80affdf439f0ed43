//! Statements on queues: events that are left to deliver to endpoints.

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use paywright_app::{
    DueQueue, EndpointId, Lease, LeasedQueue, QueueNext, QueueRelease, RESENDS_MAX, ResendOutcome, SubjectId,
    WAITING_EVENTS_MAX, WAITING_ORDERS_MAX, WaitingOrders,
};
use uuid::Uuid;

use crate::audit_trail::{Entries, audited};
use crate::endpoint_rows::Attempts;
use crate::failure::Failure;
use crate::feed::{EventColumns, EventRow};
use crate::queue::Claim;
use crate::rows::{Column, pg_position, pg_time};
use crate::statement::{filled, statement};

/// Statement that puts events into queues (`fill_queues.sql`).
pub(crate) struct FillQueues {
    pub(crate) events: i64,
    pub(crate) now: PgTimestamp,
}

statement!(FillQueues => Bool, include_str!("sql/fill_queues.sql"), self {
    events: BigInt = self.events,
    now: Timestamptz = self.now,
});

/// Statement that makes queues due or not, as the state of their endpoint demands (`follow_endpoints.sql`).
pub(crate) struct FollowEndpoints(pub(crate) PgTimestamp);

statement!(FollowEndpoints => Bool, include_str!("sql/follow_endpoints.sql"), self {
    now: Timestamptz = self.0,
});

/// Columns of a due queue.
type DueColumns = (Timestamptz, SqlUuid, SqlUuid);

/// Query for due queues of all endpoints (`due_queues.sql`).
pub(crate) struct DueQueues {
    claim: Claim,
    after: (PgTimestamp, Uuid, Uuid),
}

impl DueQueues {
    pub(crate) fn of(lease: &Lease, after: Option<DueQueue>) -> Self {
        let start = (PgTimestamp(i64::MIN), Uuid::nil(), Uuid::nil());
        let after = after.map_or(start, |it| (pg_time(it.due_at), it.endpoint.0, it.subject.0));
        Self { claim: Claim::of(lease), after }
    }
}

statement!(DueQueues => DueColumns, include_str!("sql/due_queues.sql"), self {
    after_due_at: Timestamptz = self.after.0,
    after_endpoint: SqlUuid = self.after.1,
    after_order: SqlUuid = self.after.2,
    now: Timestamptz = self.claim.now,
    until_max: Timestamptz = self.claim.until_max,
    limit: BigInt = self.claim.limit,
});

/// Query for due queues of one endpoint (`due_queues_of_endpoint.sql`).
pub(crate) struct DueQueuesOfEndpoint {
    pub(crate) claim: Claim,
    pub(crate) endpoint: Uuid,
}

statement!(DueQueuesOfEndpoint => DueColumns, include_str!("sql/due_queues_of_endpoint.sql"), self {
    endpoint: SqlUuid = self.endpoint,
    now: Timestamptz = self.claim.now,
    until_max: Timestamptz = self.claim.until_max,
    limit: BigInt = self.claim.limit,
});

#[derive(Queryable)]
pub(crate) struct DueRow {
    due_at: PgTimestamp,
    endpoint: Uuid,
    order: Uuid,
}

impl DueRow {
    pub(crate) fn restore(self) -> Result<DueQueue, Failure> {
        Ok(DueQueue {
            due_at: Column("webhook_queues", "due_at").time(self.due_at)?,
            endpoint: EndpointId(self.endpoint),
            subject: SubjectId(self.order),
        })
    }
}

/// Statement that leases due queues (`lease_queues.sql`).
pub(crate) struct LeaseQueues {
    claim: Claim,
    endpoints: Vec<Uuid>,
    orders: Vec<Uuid>,
}

impl LeaseQueues {
    pub(crate) fn of(lease: &Lease, queues: &[DueQueue]) -> Self {
        Self {
            claim: Claim::of(lease),
            endpoints: queues.iter().map(|it| it.endpoint.0).collect(),
            orders: queues.iter().map(|it| it.subject.0).collect(),
        }
    }
}

statement!(LeaseQueues => (SqlUuid, SqlUuid, BigInt, BigInt, BigInt, BigInt, BigInt, Bool, EventColumns), include_str!("sql/lease_queues.sql"), self {
    endpoints: Array<SqlUuid> = self.endpoints,
    orders: Array<SqlUuid> = self.orders,
    now: Timestamptz = self.claim.now,
    until_max: Timestamptz = self.claim.until_max,
    owner: SqlUuid = self.claim.owner,
    until: Timestamptz = self.claim.until,
});

#[derive(Queryable)]
pub(crate) struct LeasedQueueRow {
    endpoint: Uuid,
    order: Uuid,
    taken: i64,
    tries: i64,
    part: i64,
    done: i64,
    position: i64,
    is_resend: bool,
    next: EventRow,
}

impl LeasedQueueRow {
    pub(crate) fn restore(self) -> Result<LeasedQueue, Failure> {
        let column = |name| Column("webhook_queues", name);
        Ok(LeasedQueue {
            endpoint: EndpointId(self.endpoint),
            subject: SubjectId(self.order),
            taken: column("taken").count(self.taken)?,
            tries: column("tries").count(self.tries)?,
            part: column("part").count(self.part)?,
            done: column("done").position(self.done)?,
            position: column("last").position(self.position)?,
            next: self.next.restore()?,
            is_resend: self.is_resend,
        })
    }
}

/// Statement that ends leases of queues and stores attempts (`release_queues.sql`).
#[derive(Default)]
pub(crate) struct ReleaseQueues {
    endpoints: Vec<Uuid>,
    orders: Vec<Uuid>,
    owners: Vec<Uuid>,
    taken: Vec<i64>,
    done: Vec<i64>,
    leased_part: Vec<i64>,
    passed: Vec<Option<i64>>,
    part: Vec<Option<i64>>,
    is_resend: Vec<bool>,
    tries: Vec<i64>,
    due_at: Vec<PgTimestamp>,
    attempts: Attempts,
}

impl ReleaseQueues {
    pub(crate) fn of(releases: &[QueueRelease]) -> Self {
        let attempts = Attempts::of(releases.iter().filter_map(|it| it.attempt.as_ref()));
        let mut columns = Self { attempts, ..Self::default() };
        // Every statement locks queues in this order, so that none deadlocks.
        let mut releases: Vec<_> = releases.iter().collect();
        releases.sort_by_key(|it| (it.endpoint, it.subject));
        for release in releases {
            let (passed, part, tries, due_at) = match release.next {
                QueueNext::Passed { position, now } => (Some(pg_position(position)), Some(0), 0, now),
                QueueNext::Part { position, done, now } => {
                    let before = (!release.is_resend).then(|| pg_position(position) - 1);
                    (before, Some(i64::from(done)), 0, now)
                }
                QueueNext::Again { tries, at } => (None, None, tries, at),
            };
            columns.endpoints.push(release.endpoint.0);
            columns.orders.push(release.subject.0);
            columns.owners.push(release.owner);
            columns.taken.push(i64::from(release.taken));
            columns.done.push(pg_position(release.done));
            columns.leased_part.push(i64::from(release.part));
            columns.passed.push(passed);
            columns.part.push(part);
            columns.is_resend.push(release.is_resend);
            columns.tries.push(i64::from(tries));
            columns.due_at.push(pg_time(due_at));
        }
        columns
    }
}

statement!(ReleaseQueues => (), include_str!("sql/release_queues.sql"), self {
    endpoints: Array<SqlUuid> = self.endpoints,
    orders: Array<SqlUuid> = self.orders,
    owners: Array<SqlUuid> = self.owners,
    taken: Array<BigInt> = self.taken,
    done: Array<BigInt> = self.done,
    leased_part: Array<BigInt> = self.leased_part,
    passed: Array<Nullable<BigInt>> = self.passed,
    part: Array<Nullable<BigInt>> = self.part,
    is_resend: Array<Bool> = self.is_resend,
    tries: Array<BigInt> = self.tries,
    due_at: Array<Timestamptz> = self.due_at,
    ..Attempts = self.attempts,
});

#[derive(Queryable)]
pub(crate) struct ResendRow {
    is_accepted: bool,
    still_waits: bool,
    is_deleted: bool,
    next_attempt_at: Option<PgTimestamp>,
}

impl ResendRow {
    pub(crate) fn restore(self) -> Result<ResendOutcome, Failure> {
        let column = Column("webhook_queues", "next_due_at");
        Ok(match self {
            Self { is_deleted: true, .. } => ResendOutcome::Deleted,
            Self { is_accepted: true, .. } => ResendOutcome::Accepted,
            Self { still_waits: true, next_attempt_at, .. } => {
                let next_attempt_at = next_attempt_at.map(|it| column.time(it)).transpose()?;
                ResendOutcome::StillWaits { next_attempt_at }
            }
            Self { .. } => ResendOutcome::TooMany,
        })
    }
}

/// Statement that puts an event into the resends of its queue (`resend.sql`).
pub(crate) struct Resend {
    order: Uuid,
    position: i64,
    now: PgTimestamp,
    endpoint: Uuid,
    resends_max: i64,
    entries: Entries<'static>,
}

impl Resend {
    pub(crate) fn of(
        endpoint: EndpointId,
        subject: SubjectId,
        (position, now): (i64, PgTimestamp),
        entries: Entries<'static>,
    ) -> Self {
        let resends_max = i64::try_from(RESENDS_MAX).unwrap_or(i64::MAX);
        Self { order: subject.0, position, now, endpoint: endpoint.0, resends_max, entries }
    }
}

/// Text of the statement [`Resend`].
const RESEND: &str = filled!(include_str!("sql/resend.sql"), "{audited}" => audited!("accepted"));

statement!(Resend => (Bool, Bool, Bool, Nullable<Timestamptz>), RESEND, self {
    endpoint: SqlUuid = self.endpoint,
    order: SqlUuid = self.order,
    position: BigInt = self.position,
    now: Timestamptz = self.now,
    resends_max: BigInt = self.resends_max,
    ..Entries = self.entries,
});

/// Query for what waits for an endpoint.
#[derive(Clone)]
pub(crate) struct Waiting {
    endpoint: Uuid,
    orders_max: i64,
    events_max: i64,
}

impl Waiting {
    pub(crate) fn of(endpoint: EndpointId) -> Self {
        let (orders_max, events_max) = (i64::from(WAITING_ORDERS_MAX), i64::from(WAITING_EVENTS_MAX));
        Self { endpoint: endpoint.0, orders_max, events_max }
    }
}

statement!(
    Waiting => (BigInt, Nullable<Timestamptz>),
    concat!(
        "SELECT (SELECT count(*) FROM ((SELECT order_id FROM webhook_queues WHERE endpoint_id = :endpoint::uuid LIMIT ",
        ":orders_max::bigint) UNION SELECT event.order_id FROM webhook_endpoints AS endpoint CROSS JOIN LATERAL (SELECT ",
        "feed.order_id, feed.kind FROM feed WHERE feed.position > endpoint.position ORDER BY feed.position LIMIT ",
        ":events_max::bigint) AS event WHERE endpoint.id = :endpoint AND (endpoint.kinds = '{}' OR event.kind = ",
        "ANY (endpoint.kinds)) LIMIT :orders_max) AS it), (SELECT due_at FROM webhook_queues WHERE endpoint_id = :endpoint AND ",
        "due_at > '-infinity' ORDER BY due_at LIMIT 1)",
    ),
    self {
        endpoint: SqlUuid = self.endpoint,
        orders_max: BigInt = self.orders_max,
        events_max: BigInt = self.events_max,
    }
);

#[derive(Queryable)]
pub(crate) struct WaitingRow {
    count: i64,
    next_attempt_at: Option<PgTimestamp>,
}

impl WaitingRow {
    pub(crate) fn restore(self) -> Result<WaitingOrders, Failure> {
        let column = |name| Column("webhook_queues", name);
        Ok(WaitingOrders {
            count: column("order_id").count(self.count)?,
            next_attempt_at: self.next_attempt_at.map(|it| column("due_at").time(it)).transpose()?,
        })
    }
}

/// Statement that makes the queues of an endpoint due (`make_queues_due.sql`).
pub(crate) struct MakeQueuesDue {
    pub(crate) endpoint: Uuid,
    pub(crate) after: Uuid,
    pub(crate) now: PgTimestamp,
    pub(crate) limit: i64,
}

statement!(MakeQueuesDue => SqlUuid, include_str!("sql/make_queues_due.sql"), self {
    now: Timestamptz = self.now,
    endpoint: SqlUuid = self.endpoint,
    after: SqlUuid = self.after,
    limit: BigInt = self.limit,
});
