//! Endpoints of other programs, and the attempts to deliver events to them.

use std::slice::from_ref;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{
    Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch, AuditEntry, DueQueue, Endpoint, EndpointId,
    Endpoints, Lease, LeasedQueue, Position, QueueRelease, ResendOutcome, StoreError, StoredEndpoint, SubjectId,
    TroubledEndpoints, Versioned, WaitingOrders,
};
use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::attempt_search::{AttemptsFound, CountedAttempts};
use crate::audit_trail::{Entries, audited};
use crate::delivery::{
    DueQueues, DueQueuesOfEndpoint, DueRow, FillQueues, FollowEndpoints, LeaseQueues, LeasedQueueRow, MakeQueuesDue,
    ReleaseQueues, Resend, ResendRow, Waiting, WaitingRow,
};
use crate::endpoint_rows::{AttemptColumns, AttemptRow, Attempts, EndpointColumns, EndpointRow, StoredEndpointColumns};
use crate::failure::Failure;
use crate::queue::Claim;
use crate::rows::{pg_position, pg_time};
use crate::statement::{filled, statement};
use crate::{PostgresStore, readable};

/// Beginning of a statement after which an endpoint waits for earlier events. A deletion of events that goes on at the
/// same time begins again (`delete_feed_events.sql`).
macro_rules! with_head {
    () => {
        "WITH head AS (UPDATE feed_head SET deleted = deleted WHERE only_one)"
    };
}

/// Statement that stores a new endpoint.
pub(crate) struct AddEndpoint<'a> {
    columns: EndpointColumns<'a>,
    id: Uuid,
    format: &'static str,
    created_at: PgTimestamp,
    position: i64,
    entries: Entries<'a>,
}

statement!(
    AddEndpoint<'_> => (),
    concat!(
        with_head!(),
        ", added AS (INSERT INTO webhook_endpoints (url, description, format, kinds, subscriptions, updated_at, secret_generation, previous_secret_until, ",
        "secret_key_id, disabled_reason, disabled_at, failing_since, failing_told, id, version, created_at, ",
        "position) VALUES (:url, :description, :format, :kinds, :subscriptions, :updated_at, :secret_generation, :previous_secret_until, ",
        ":secret_key_id, :disabled_reason, :disabled_at, :failing_since, :failing_told, :endpoint, 1, ",
        ":created_at, :position) RETURNING id), ",
        audited!("added"),
        " SELECT FROM added",
    ),
    self {
        endpoint: SqlUuid = self.id,
        format: SqlText = self.format,
        created_at: Timestamptz = self.created_at,
        position: BigInt = self.position,
        ..EndpointColumns = self.columns,
        ..Entries = self.entries,
    }
);

/// Columns of a stored endpoint, as [`StoredEndpointColumns`] has their types.
macro_rules! columns {
    () => {
        "id, version, url, description, format, kinds, subscriptions, secret_generation, previous_secret_until, \
         secret_key_id, created_at, updated_at, disabled_reason, disabled_at, failing_since, failing_told, position"
    };
}

/// Query for endpoints in the order of their ids.
struct EndpointsAfter {
    after: Uuid,
    limit: i64,
}

statement!(
    EndpointsAfter => StoredEndpointColumns,
    concat!(
        "SELECT ",
        columns!(),
        " FROM webhook_endpoints WHERE id > :after ORDER BY id LIMIT :limit",
    ),
    self {
        after: SqlUuid = self.after,
        limit: BigInt = self.limit,
    }
);

/// Query for one endpoint.
#[derive(Clone)]
struct EndpointById(Uuid);

statement!(
    EndpointById => StoredEndpointColumns,
    concat!(
        "SELECT ",
        columns!(),
        " FROM webhook_endpoints WHERE id = :endpoint",
    ),
    self {
        endpoint: SqlUuid = self.0,
    }
);

/// End of a query for endpoints that an operator should look at: `:failing_since` is the time since when they fail,
/// `:key_ids` are the ids of the key.
macro_rules! troubled {
    () => {
        " FROM webhook_endpoints WHERE disabled_reason <> 'requested' OR (disabled_at IS NULL \
         AND (failing_since <= :failing_since::timestamptz OR secret_key_id <> ALL (:key_ids::text[])))"
    };
}

/// Query for the first endpoints that an operator should look at.
struct Troubled {
    failing_since: PgTimestamp,
    key_ids: Vec<String>,
    limit: i64,
}

statement!(
    Troubled => StoredEndpointColumns,
    concat!("SELECT ", columns!(), troubled!(), " ORDER BY id LIMIT :limit"),
    self {
        failing_since: Timestamptz = self.failing_since,
        key_ids: Array<SqlText> = self.key_ids,
        limit: BigInt = self.limit,
    }
);

/// Query for their number.
#[derive(Clone)]
struct TroubledCount {
    failing_since: PgTimestamp,
    key_ids: Vec<String>,
}

statement!(TroubledCount => BigInt, concat!("SELECT count(*)", troubled!()), self {
    failing_since: Timestamptz = self.failing_since,
    key_ids: Array<SqlText> = self.key_ids,
});

/// Statement that replaces an endpoint (`change_endpoint.sql`).
pub(crate) struct ChangeEndpoint<'a> {
    id: Uuid,
    expected: i64,
    columns: EndpointColumns<'a>,
    now: PgTimestamp,
    entries: Entries<'a>,
}

/// Text of [`ChangeEndpoint`].
const CHANGE_ENDPOINT: &str = filled!(include_str!("sql/change_endpoint.sql"), "{audited}" => audited!("changed"));

statement!(ChangeEndpoint<'_> => (), CHANGE_ENDPOINT, self {
    endpoint: SqlUuid = self.id,
    expected_version: BigInt = self.expected,
    now: Timestamptz = self.now,
    ..EndpointColumns = self.columns,
    ..Entries = self.entries,
});

/// Statement that deletes an endpoint; a foreign key deletes its queues. Attempts beyond a number that fits in the time
/// limit of a statement are deleted when they are old enough: nobody can read them meanwhile.
struct DeleteEndpoint<'a> {
    id: Uuid,
    entries: Entries<'a>,
}

statement!(
    DeleteEndpoint<'_> => (),
    concat!(
        "WITH attempts AS (DELETE FROM webhook_attempts WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
        "webhook_attempts WHERE endpoint_id = :endpoint::uuid ORDER BY at DESC LIMIT 20000))), ",
        "gone AS (DELETE FROM webhook_endpoints WHERE id = :endpoint RETURNING id), ",
        audited!("gone"),
        " SELECT FROM gone",
    ),
    self {
        endpoint: SqlUuid = self.id,
        ..Entries = self.entries,
    }
);

/// Statement that sets the position of an endpoint back.
pub(crate) struct SetBack<'a> {
    position: i64,
    id: Uuid,
    entries: Entries<'a>,
}

statement!(
    SetBack<'_> => (),
    concat!(
        with_head!(),
        ", back AS (UPDATE webhook_endpoints SET position = least(position, :position) WHERE id = :endpoint ",
        "RETURNING id), ",
        audited!("back"),
        " SELECT FROM back",
    ),
    self {
        position: BigInt = self.position,
        endpoint: SqlUuid = self.id,
        ..Entries = self.entries,
    }
);

/// Entry of the audit trail of a change, if it has one.
fn entries(entry: Option<&AuditEntry>) -> Result<Entries<'_>, StoreError> {
    Entries::of_all(entry.map(from_ref).unwrap_or_default()).map_err(|error| Failure::from(error).of_write())
}

/// Statement that stores attempts.
struct AddAttempts(Attempts);

statement!(
    AddAttempts => (),
    concat!(
        "INSERT INTO webhook_attempts (endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, ",
        "status, error, answer, outcome) SELECT it.* FROM unnest(:attempt_endpoints::uuid[], ",
        ":attempt_times::timestamptz[], :attempt_events::uuid[], :attempt_kinds::text[], ",
        ":attempt_positions::bigint[], :attempt_orders::uuid[], :attempt_numbers::bigint[], ",
        ":attempt_durations::bigint[], :attempt_statuses::bigint[], :attempt_errors::text[], ",
        ":attempt_answers::text[], :attempt_outcomes::text[]) AS it (endpoint_id, at, event_id, kind, position, ",
        "order_id, number, duration_ms, status, error, answer, outcome) WHERE (SELECT true FROM ",
        "webhook_endpoints AS endpoint WHERE endpoint.id = it.endpoint_id LIMIT 1) ON CONFLICT DO NOTHING",
    ),
    self {
        ..Attempts = self.0,
    }
);

/// Query for attempts of an endpoint, the newest first.
struct AttemptsBefore {
    endpoint: Uuid,
    at: PgTimestamp,
    event: Uuid,
    outcome: Option<&'static str>,
    limit: i64,
}

impl AttemptsBefore {
    fn of(query: &AttemptQuery) -> Self {
        let end = (PgTimestamp(i64::MAX), Uuid::max());
        let (at, event) = query.older_than.map_or(end, |(at, event)| (pg_time(at), event));
        let outcome = query.outcome.map(AttemptOutcome::name);
        Self { endpoint: query.endpoint.0, at, event, outcome, limit: i64::from(query.limit) }
    }
}

statement!(
    AttemptsBefore => AttemptColumns,
    concat!(
        "SELECT endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, status, error, answer, ",
        "outcome FROM webhook_attempts WHERE endpoint_id = :endpoint AND (at, event_id) < (:before::timestamptz, ",
        ":before_event::uuid) AND (:outcome::text IS NULL OR outcome = :outcome) ORDER BY at DESC, event_id DESC ",
        "LIMIT :limit",
    ),
    self {
        endpoint: SqlUuid = self.endpoint,
        before: Timestamptz = self.at,
        before_event: SqlUuid = self.event,
        outcome: Nullable<SqlText> = self.outcome,
        limit: BigInt = self.limit,
    }
);

/// Statement that deletes old attempts.
pub(crate) struct DeleteAttempts {
    before: PgTimestamp,
    limit: i64,
}

statement!(
    DeleteAttempts => (),
    concat!(
        "DELETE FROM webhook_attempts WHERE ctid = ANY (ARRAY(SELECT ctid FROM webhook_attempts WHERE at < ",
        ":before ORDER BY at LIMIT :limit))",
    ),
    self {
        before: Timestamptz = self.before,
        limit: BigInt = self.limit,
    }
);

#[async_trait]
impl Endpoints for PostgresStore {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let add = AddEndpoint {
            columns: EndpointColumns::of(endpoint),
            id: endpoint.id.0,
            format: endpoint.format.name(),
            created_at: pg_time(endpoint.created_at),
            position: pg_position(position),
            entries: entries(entry)?,
        };
        self.write(add).await.map(drop).map_err(Failure::of_write)
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        let row: Result<Option<EndpointRow>, Failure> = self.row(EndpointById(id.0)).await;
        row.and_then(|it| it.map(EndpointRow::restore).transpose()).map_err(Failure::of_read)
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: u16) -> Result<Vec<StoredEndpoint>, StoreError> {
        let page = EndpointsAfter { after: after.map_or(Uuid::nil(), |it| it.0), limit: i64::from(limit) };
        let rows: Result<Vec<EndpointRow>, Failure> = self.rows(page).await;
        rows.and_then(|rows| rows.into_iter().map(EndpointRow::restore).collect()).map_err(Failure::of_read)
    }

    async fn change_endpoint(
        &self,
        endpoint: &Versioned<Endpoint>,
        now: Timestamp,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let change = ChangeEndpoint {
            id: endpoint.value.id.0,
            expected: i64::from(endpoint.version.0),
            columns: EndpointColumns::of(&endpoint.value),
            now: pg_time(now),
            entries: entries(entry)?,
        };
        if self.wrote(change).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn troubled_endpoints(
        &self,
        failing_since: Timestamp,
        key_ids: &[String],
        limit: u16,
    ) -> Result<TroubledEndpoints, StoreError> {
        let (failing_since, key_ids) = (pg_time(failing_since), key_ids.to_vec());
        let count = TroubledCount { failing_since, key_ids: key_ids.clone() };
        let count: Option<i64> = self.row(count).await.map_err(Failure::of_read)?;
        if count.unwrap_or(0) == 0 {
            return Ok(TroubledEndpoints::default());
        }
        let first = Troubled { failing_since, key_ids, limit: i64::from(limit) };
        let rows: Vec<EndpointRow> = self.rows(first).await.map_err(Failure::of_read)?;
        let first = rows.into_iter().map(|it| it.restore().map(|it| it.endpoint.value));
        let first = first.collect::<Result<_, _>>().map_err(Failure::of_read)?;
        Ok(TroubledEndpoints { first, count: u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX) })
    }

    async fn waiting_orders(&self, id: EndpointId) -> Result<WaitingOrders, StoreError> {
        let row: Result<Option<WaitingRow>, Failure> = self.row(Waiting::of(id)).await;
        let row = row.and_then(|it| it.map(WaitingRow::restore).transpose()).map_err(Failure::of_read)?;
        Ok(row.unwrap_or_default())
    }

    async fn make_queues_due(
        &self,
        id: EndpointId,
        after: Option<SubjectId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Option<SubjectId>, StoreError> {
        let make = MakeQueuesDue {
            endpoint: id.0,
            after: after.map_or(Uuid::nil(), |it| it.0),
            now: pg_time(now),
            limit: i64::from(limit.max(1)),
        };
        let last: Vec<Uuid> = self.written(make).await.map_err(Failure::of_write)?;
        Ok(last.into_iter().next().map(SubjectId))
    }

    async fn delete_endpoint(&self, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, StoreError> {
        self.wrote(DeleteEndpoint { id: id.0, entries: entries(entry)? }).await
    }

    async fn set_endpoint_back(
        &self,
        id: EndpointId,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        self.wrote(SetBack { position: pg_position(position), id: id.0, entries: entries(entry)? }).await
    }

    async fn fill_queues(&self, now: Timestamp, events: u16) -> Result<bool, StoreError> {
        let now = pg_time(now);
        let followed: Vec<bool> = self.written(FollowEndpoints(now)).await.map_err(Failure::of_write)?;
        let fill = FillQueues { events: i64::from(events.max(1)), now };
        let filled: Vec<bool> = self.written(fill).await.map_err(Failure::of_write)?;
        Ok(followed.into_iter().chain(filled).any(|is_left| is_left))
    }

    async fn due_queues(
        &self,
        lease: &Lease,
        after: Option<DueQueue>,
        of: Option<EndpointId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let rows: Result<Vec<DueRow>, Failure> = match of {
            None => self.rows(DueQueues::of(lease, after)).await,
            Some(id) => self.rows(DueQueuesOfEndpoint { claim: Claim::of(lease), endpoint: id.0 }).await,
        };
        rows.and_then(|rows| rows.into_iter().map(DueRow::restore).collect()).map_err(Failure::of_read)
    }

    async fn lease_queues(&self, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, StoreError> {
        let rows: Result<Vec<LeasedQueueRow>, Failure> = self.written(LeaseQueues::of(lease, queues)).await;
        Ok(readable(rows.map_err(Failure::of_write)?.into_iter().map(LeasedQueueRow::restore)))
    }

    async fn release_queues(&self, releases: &[QueueRelease]) -> Result<(), StoreError> {
        self.write(ReleaseQueues::of(releases)).await.map(drop).map_err(Failure::of_write)
    }

    async fn resend(
        &self,
        endpoint: EndpointId,
        subject: SubjectId,
        position: Position,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<ResendOutcome, StoreError> {
        let entries = Entries::of_one(entry).map_err(|error| Failure::from(error).of_write())?;
        let resend = Resend::of(endpoint, subject, (pg_position(position), pg_time(now)), entries);
        let rows: Vec<ResendRow> = self.written(resend).await.map_err(Failure::of_write)?;
        // Without a row the endpoint was deleted.
        let row = rows.into_iter().next().ok_or(StoreError::Conflict)?;
        row.restore().map_err(Failure::of_read)
    }

    async fn add_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let add = AddAttempts(Attempts::of([attempt].into_iter()));
        self.write(add).await.map(drop).map_err(Failure::of_write)
    }

    async fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Attempt>, StoreError> {
        let rows: Result<Vec<AttemptRow>, Failure> = self.rows(AttemptsBefore::of(query)).await;
        rows.and_then(|rows| rows.into_iter().map(AttemptRow::restore).collect()).map_err(Failure::of_read)
    }

    async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, StoreError> {
        let count: Option<i64> = self.row(CountedAttempts::of(search)).await.map_err(Failure::of_read)?;
        let rows: Result<Vec<AttemptRow>, Failure> = self.rows(AttemptsFound::of(search)).await;
        let attempts = rows.and_then(|rows| rows.into_iter().map(AttemptRow::restore).collect());
        let count = count.and_then(|it| u16::try_from(it).ok()).unwrap_or_default();
        Ok(AttemptPage { attempts: attempts.map_err(Failure::of_read)?, count })
    }

    async fn delete_attempts(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        let delete = DeleteAttempts { before: pg_time(before), limit: i64::from(limit) };
        let deleted = self.write(delete).await.map_err(Failure::of_write)?;
        Ok(u16::try_from(deleted).unwrap_or(limit))
    }
}
