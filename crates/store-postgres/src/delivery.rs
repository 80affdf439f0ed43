//! Statements on queues: events that are left to deliver to endpoints.

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use paywright_app::{
    DueQueue, EndpointId, Lease, LeasedQueue, QueueNext, QueueRelease, RESENDS_MAX, ResendOutcome, WAITING_ORDERS_MAX,
    WaitingOrders,
};
use paywright_domain::OrderId;
use uuid::Uuid;

use crate::endpoint_rows::Attempts;
use crate::failure::Failure;
use crate::feed::{EventColumns, EventRow};
use crate::queue::Claim;
use crate::rows::{Column, pg_position, pg_time};
use crate::statement::{Binder, PreparedStatement, Text, text};

/// Statement that puts events into queues (`fill_queues.sql`).
pub(crate) struct FillQueues {
    pub(crate) events: i64,
    pub(crate) now: PgTimestamp,
}

impl PreparedStatement for FillQueues {
    type Id = Self;
    type Columns = Bool;

    fn text() -> &'static Text {
        text!(include_str!("sql/fill_queues.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<BigInt, _>(&self.events)?;
        to.value::<Timestamptz, _>(&self.now)
    }
}

/// Statement that makes queues due or not, as the state of their endpoint demands (`follow_endpoints.sql`).
pub(crate) struct FollowEndpoints(pub(crate) PgTimestamp);

impl PreparedStatement for FollowEndpoints {
    type Id = Self;
    type Columns = Bool;

    fn text() -> &'static Text {
        text!(include_str!("sql/follow_endpoints.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.0)
    }
}

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
        let after = after.map_or(start, |it| (pg_time(it.due_at), it.endpoint.0, it.order.0));
        Self { claim: Claim::of(lease), after }
    }
}

impl PreparedStatement for DueQueues {
    type Id = Self;
    type Columns = DueColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/due_queues.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.after.0)?;
        to.value::<SqlUuid, _>(&self.after.1)?;
        to.value::<SqlUuid, _>(&self.after.2)?;
        to.value::<Timestamptz, _>(&self.claim.now)?;
        to.value::<Timestamptz, _>(&self.claim.until_max)?;
        to.value::<BigInt, _>(&self.claim.limit)
    }
}

/// Query for due queues of one endpoint (`due_queues_of_endpoint.sql`).
pub(crate) struct DueQueuesOfEndpoint {
    pub(crate) claim: Claim,
    pub(crate) endpoint: Uuid,
}

impl PreparedStatement for DueQueuesOfEndpoint {
    type Id = Self;
    type Columns = DueColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/due_queues_of_endpoint.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.endpoint)?;
        to.value::<Timestamptz, _>(&self.claim.now)?;
        to.value::<Timestamptz, _>(&self.claim.until_max)?;
        to.value::<BigInt, _>(&self.claim.limit)
    }
}

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
            order: OrderId(self.order),
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
            orders: queues.iter().map(|it| it.order.0).collect(),
        }
    }
}

impl PreparedStatement for LeaseQueues {
    type Id = Self;
    type Columns = (SqlUuid, SqlUuid, BigInt, BigInt, BigInt, BigInt, Bool, EventColumns);

    fn text() -> &'static Text {
        text!(include_str!("sql/lease_queues.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Array<SqlUuid>, _>(&self.endpoints)?;
        to.value::<Array<SqlUuid>, _>(&self.orders)?;
        to.value::<Timestamptz, _>(&self.claim.now)?;
        to.value::<Timestamptz, _>(&self.claim.until_max)?;
        to.value::<SqlUuid, _>(&self.claim.owner)?;
        to.value::<Timestamptz, _>(&self.claim.until)
    }
}

#[derive(Queryable)]
pub(crate) struct LeasedQueueRow {
    endpoint: Uuid,
    order: Uuid,
    taken: i64,
    tries: i64,
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
            order: OrderId(self.order),
            taken: column("taken").count(self.taken)?,
            tries: column("tries").count(self.tries)?,
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
    passed: Vec<Option<i64>>,
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
        releases.sort_by_key(|it| (it.endpoint, it.order));
        for release in releases {
            let (passed, tries, due_at) = match release.next {
                QueueNext::Passed { position, now } => (Some(pg_position(position)), 0, now),
                QueueNext::Again { tries, at } => (None, tries, at),
            };
            columns.endpoints.push(release.endpoint.0);
            columns.orders.push(release.order.0);
            columns.owners.push(release.owner);
            columns.taken.push(i64::from(release.taken));
            columns.done.push(pg_position(release.done));
            columns.passed.push(passed);
            columns.is_resend.push(release.is_resend);
            columns.tries.push(i64::from(tries));
            columns.due_at.push(pg_time(due_at));
        }
        columns
    }
}

impl PreparedStatement for ReleaseQueues {
    type Id = Self;
    type Columns = ();

    fn text() -> &'static Text {
        text!(include_str!("sql/release_queues.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Array<SqlUuid>, _>(&self.endpoints)?;
        to.value::<Array<SqlUuid>, _>(&self.orders)?;
        to.value::<Array<SqlUuid>, _>(&self.owners)?;
        to.value::<Array<BigInt>, _>(&self.taken)?;
        to.value::<Array<BigInt>, _>(&self.done)?;
        to.value::<Array<Nullable<BigInt>>, _>(&self.passed)?;
        to.value::<Array<Bool>, _>(&self.is_resend)?;
        to.value::<Array<BigInt>, _>(&self.tries)?;
        to.value::<Array<Timestamptz>, _>(&self.due_at)?;
        self.attempts.bind(to)
    }
}

#[derive(Queryable)]
pub(crate) struct ResendRow {
    is_accepted: bool,
    still_waits: bool,
    next_attempt_at: Option<PgTimestamp>,
}

impl ResendRow {
    pub(crate) fn restore(self) -> Result<ResendOutcome, Failure> {
        let column = Column("webhook_queues", "next_due_at");
        Ok(match self {
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
}

impl Resend {
    pub(crate) fn of(endpoint: EndpointId, order: OrderId, position: i64, now: PgTimestamp) -> Self {
        let resends_max = i64::try_from(RESENDS_MAX).unwrap_or(i64::MAX);
        Self { order: order.0, position, now, endpoint: endpoint.0, resends_max }
    }
}

impl PreparedStatement for Resend {
    type Id = Self;
    type Columns = (Bool, Bool, Nullable<Timestamptz>);

    fn text() -> &'static Text {
        text!(include_str!("sql/resend.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.endpoint)?;
        to.value::<SqlUuid, _>(&self.order)?;
        to.value::<BigInt, _>(&self.position)?;
        to.value::<Timestamptz, _>(&self.now)?;
        to.value::<BigInt, _>(&self.resends_max)
    }
}

/// Query for what waits for an endpoint.
#[derive(Clone)]
pub(crate) struct Waiting {
    endpoint: Uuid,
    orders_max: i64,
}

impl Waiting {
    pub(crate) fn of(endpoint: EndpointId) -> Self {
        Self { endpoint: endpoint.0, orders_max: i64::from(WAITING_ORDERS_MAX) }
    }
}

impl PreparedStatement for Waiting {
    type Id = Self;
    type Columns = (BigInt, Nullable<Timestamptz>);

    fn text() -> &'static Text {
        text!(
            "SELECT (SELECT count(*) FROM (SELECT FROM webhook_queues WHERE endpoint_id = $1::uuid LIMIT $2::bigint) AS it), ",
            "(SELECT due_at FROM webhook_queues WHERE endpoint_id = $1 AND due_at > '-infinity' ORDER BY due_at LIMIT 1)"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.endpoint)?;
        to.value::<BigInt, _>(&self.orders_max)
    }
}

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

impl PreparedStatement for MakeQueuesDue {
    type Id = Self;
    type Columns = SqlUuid;

    fn text() -> &'static Text {
        text!(include_str!("sql/make_queues_due.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Timestamptz, _>(&self.now)?;
        to.value::<SqlUuid, _>(&self.endpoint)?;
        to.value::<SqlUuid, _>(&self.after)?;
        to.value::<BigInt, _>(&self.limit)
    }
}
