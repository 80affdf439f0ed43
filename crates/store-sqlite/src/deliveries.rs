//! Queues of endpoints: what is left to deliver of one subject to one endpoint.

#[cfg(test)]
mod plan;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use paywright_app::{
    Attempt, AttemptPage, AttemptQuery, AttemptSearch, AuditEntry, DueQueue, Endpoint, EndpointId, Endpoints, Lease,
    LeasedQueue, Position, QueueNext, QueueRelease, RESENDS_MAX, ResendOutcome, StoreError, StoredEndpoint, SubjectId,
    TroubledEndpoints, Versioned, WAITING_EVENTS_MAX, WAITING_ORDERS_MAX, WaitingOrders,
};
use paywright_domain::Timestamp;

use crate::SqliteStore;
use crate::audit_trail;
use crate::endpoints;
use crate::failure::Failure;
use crate::feed;
use crate::feed_rows::{EVENT_COLUMNS, EVENT_JOINS, EventColumns, bound, position};
use crate::queue::readable;
use crate::rows::{Column, to_json};
use crate::schema::{webhook_endpoints, webhook_queues};

#[async_trait]
impl Endpoints for SqliteStore {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (endpoint, entry) = (endpoint.clone(), entry.cloned());
        self.writer.run(move |db| endpoints::add(db, &endpoint, position, entry.as_ref())).await
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        self.read(move |db| endpoints::read(db, id)).await
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: u16) -> Result<Vec<StoredEndpoint>, StoreError> {
        self.read_many(move |db| endpoints::list(db, after, limit)).await
    }

    async fn change_endpoint(
        &self,
        endpoint: &Versioned<Endpoint>,
        now: Timestamp,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (endpoint, entry) = (endpoint.clone(), entry.cloned());
        self.writer.run(move |db| endpoints::change(db, &endpoint, now, entry.as_ref())).await
    }

    async fn troubled_endpoints(
        &self,
        failing_since: Timestamp,
        key_ids: &[String],
        limit: u16,
    ) -> Result<TroubledEndpoints, StoreError> {
        let key_ids = key_ids.to_vec();
        self.read(move |db| endpoints::troubled(db, failing_since, &key_ids, limit)).await
    }

    async fn waiting_orders(&self, id: EndpointId) -> Result<WaitingOrders, StoreError> {
        self.read(move |db| waiting(db, id)).await
    }

    async fn make_queues_due(
        &self,
        id: EndpointId,
        after: Option<SubjectId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Option<SubjectId>, StoreError> {
        self.writer.run(move |db| make_due(db, id, after, now, limit)).await
    }

    async fn delete_endpoint(&self, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, StoreError> {
        let entry = entry.cloned();
        self.writer.run(move |db| endpoints::delete(db, id, entry.as_ref())).await
    }

    async fn set_endpoint_back(
        &self,
        id: EndpointId,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        let entry = entry.cloned();
        self.writer.run(move |db| endpoints::set_back(db, id, position, entry.as_ref())).await
    }

    async fn fill_queues(&self, now: Timestamp, events: u16) -> Result<bool, StoreError> {
        // The usual answer needs no write.
        if !self.read(is_behind).await? {
            return Ok(false);
        }
        self.writer.run(move |db| fill(db, now, events)).await
    }

    async fn due_queues(
        &self,
        lease: &Lease,
        after: Option<DueQueue>,
        of: Option<EndpointId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let lease = *lease;
        self.read(move |db| match of {
            None => due(db, &lease, after),
            Some(id) => due_of(db, &lease, id),
        })
        .await
    }

    async fn lease_queues(&self, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, StoreError> {
        let (lease, queues) = (*lease, queues.to_vec());
        self.writer.run(move |db| self::lease(db, &lease, &queues)).await
    }

    async fn release_queues(&self, releases: &[QueueRelease]) -> Result<(), StoreError> {
        let releases = releases.to_vec();
        self.writer.run(move |db| releases.iter().try_for_each(|it| release(db, it))).await
    }

    async fn resend(
        &self,
        endpoint: EndpointId,
        subject: SubjectId,
        position: Position,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<ResendOutcome, StoreError> {
        let entry = entry.clone();
        self.writer
            .run(move |db| {
                let outcome = self::resend(db, endpoint, subject, position, now)?;
                audit_trail::add(db, Some(&entry).filter(|_| outcome == ResendOutcome::Accepted))?;
                Ok(outcome)
            })
            .await
    }

    async fn add_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        self.writer.run(move |db| endpoints::add_attempt(db, &attempt)).await
    }

    async fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Attempt>, StoreError> {
        let query = *query;
        self.read_many(move |db| endpoints::attempts(db, &query)).await
    }

    async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, StoreError> {
        let search = search.clone();
        self.read(move |db| endpoints::search_attempts(db, &search)).await
    }

    async fn delete_attempts(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.writer.run(move |db| endpoints::delete_attempts(db, before, limit)).await
    }
}

/// Whether an enabled endpoint is behind the feed.
fn is_behind(db: &mut SqliteConnection) -> Result<bool, Failure> {
    let last = bound(feed::range(db)?.last);
    let behind: Option<i64> = webhook_endpoints::table
        .filter(webhook_endpoints::disabled_at.is_null())
        .filter(webhook_endpoints::position.lt(last))
        .select(webhook_endpoints::position)
        .first(db)
        .optional()?;
    Ok(behind.is_some())
}

/// Puts the events of each endpoint's next step into its queues. A queue that has passed one of them already, or parts of it,
/// is set back before it.
const FILL: &str = "
    INSERT INTO webhook_queues (endpoint_id, order_id, done, last, next_due_at)
    SELECT endpoint.id, feed.order_id, min(feed.position) - 1, max(feed.position), ?1
    FROM webhook_endpoints AS endpoint
    CROSS JOIN feed ON feed.position > max(endpoint.position, ?2)
        AND feed.position <= max(endpoint.position, ?2) + ?3 AND feed.position <= ?4
    WHERE endpoint.id IN (
            SELECT id FROM webhook_endpoints
            WHERE disabled_at IS NULL AND position < ?4 ORDER BY position, id LIMIT ?5
        )
        AND (endpoint.kinds = '[]' OR feed.kind IN (SELECT value FROM json_each(endpoint.kinds)))
    GROUP BY endpoint.id, feed.order_id
    ON CONFLICT (endpoint_id, order_id) DO UPDATE SET
        last = max(last, excluded.last),
        part = iif(excluded.done < done + min(part, 1), 0, part),
        tries = iif(excluded.done < done + min(part, 1), 0, tries),
        next_due_at = iif(excluded.done < done + min(part, 1), excluded.next_due_at, ifnull(next_due_at, excluded.next_due_at)),
        done = min(done, excluded.done)";

/// Moves endpoints as [`FILL`] fills their queues.
const MOVE: &str = "
    UPDATE webhook_endpoints SET position = min(max(position, ?1) + ?2, ?3)
    WHERE id IN (
        SELECT id FROM webhook_endpoints
        WHERE disabled_at IS NULL AND position < ?3 ORDER BY position, id LIMIT ?4
    )";

/// Largest number of positions by which one call moves all endpoints together: placements wait for it.
const MOVED_MAX: i64 = 20_000;

fn fill(db: &mut SqliteConnection, now: Timestamp, events: u16) -> Result<bool, Failure> {
    let range = feed::range(db)?;
    let (deleted, last, events) = (bound(range.deleted), bound(range.last), i64::from(events));
    let endpoints = (MOVED_MAX / events.max(1)).max(1);
    diesel::sql_query(FILL)
        .bind::<BigInt, _>(now.unix_micros())
        .bind::<BigInt, _>(deleted)
        .bind::<BigInt, _>(events)
        .bind::<BigInt, _>(last)
        .bind::<BigInt, _>(endpoints)
        .execute(db)?;
    diesel::sql_query(MOVE)
        .bind::<BigInt, _>(deleted)
        .bind::<BigInt, _>(events)
        .bind::<BigInt, _>(last)
        .bind::<BigInt, _>(endpoints)
        .execute(db)?;
    is_behind(db)
}

/// Reads queues that are due after a place, in the order of their due times.
const DUE: &str = "
    SELECT due_at, endpoint_id, order_id FROM webhook_queues
    WHERE due_at <= ?1 AND (leased_until IS NULL OR leased_until <= ?1 OR leased_until > ?2)
        AND (due_at, endpoint_id, order_id) > (?4, ?5, ?6)
    ORDER BY due_at, endpoint_id, order_id LIMIT ?3";

/// Reads queues of one endpoint that are due, in the order of their due times.
const DUE_OF_ENDPOINT: &str = "
    SELECT due_at, endpoint_id, order_id FROM webhook_queues
    WHERE endpoint_id = ?4 AND due_at <= ?1 AND (leased_until IS NULL OR leased_until <= ?1 OR leased_until > ?2)
    ORDER BY due_at LIMIT ?3";

/// Row of [`DUE`] and [`DUE_OF_ENDPOINT`].
#[derive(QueryableByName)]
struct DueQueueRow {
    #[diesel(sql_type = BigInt)]
    due_at: i64,
    #[diesel(sql_type = Binary)]
    endpoint_id: Vec<u8>,
    #[diesel(sql_type = Binary)]
    order_id: Vec<u8>,
}

impl DueQueueRow {
    fn restore(&self) -> Result<DueQueue, Failure> {
        let column = |name| Column("webhook_queues", name);
        Ok(DueQueue {
            due_at: column("due_at").time(self.due_at)?,
            endpoint: EndpointId(column("endpoint_id").uuid(&self.endpoint_id)?),
            subject: SubjectId(column("order_id").uuid(&self.order_id)?),
        })
    }
}

fn due(db: &mut SqliteConnection, lease: &Lease, after: Option<DueQueue>) -> Result<Vec<DueQueue>, Failure> {
    let key = |it: uuid::Uuid| it.as_bytes().to_vec();
    let after = after.map(|it| (it.due_at.unix_micros(), key(it.endpoint.0), key(it.subject.0)));
    let (at, endpoint, order) = after.unwrap_or((i64::MIN, Vec::new(), Vec::new()));
    let rows: Vec<DueQueueRow> = diesel::sql_query(DUE)
        .bind::<BigInt, _>(lease.now.unix_micros())
        .bind::<BigInt, _>(lease.until_max().unix_micros())
        .bind::<BigInt, _>(i64::from(lease.limit))
        .bind::<BigInt, _>(at)
        .bind::<Binary, _>(endpoint)
        .bind::<Binary, _>(order)
        .load(db)?;
    rows.iter().map(DueQueueRow::restore).collect()
}

fn due_of(db: &mut SqliteConnection, lease: &Lease, id: EndpointId) -> Result<Vec<DueQueue>, Failure> {
    let rows: Vec<DueQueueRow> = diesel::sql_query(DUE_OF_ENDPOINT)
        .bind::<BigInt, _>(lease.now.unix_micros())
        .bind::<BigInt, _>(lease.until_max().unix_micros())
        .bind::<BigInt, _>(i64::from(lease.limit))
        .bind::<Binary, _>(id.0.as_bytes().as_slice())
        .load(db)?;
    rows.iter().map(DueQueueRow::restore).collect()
}

/// Reads the queues to lease, of those in a JSON array of keys, with the first resend of each if it is due, else with the
/// next event.
fn lease_sql() -> String {
    format!(
        "SELECT queue.endpoint_id AS endpoint_id, queue.order_id AS order_id, queue.done AS done, queue.last AS last,
             queue.resend AS resend, iif(queue.resend IS NULL, queue.tries, queue.resend_tries) AS tries,
             iif(queue.resend IS NULL, iif(feed.position = queue.done + 1, queue.part, 0), queue.resend_part) AS part,
             queue.taken AS taken, queue.due_at AS due_at, {EVENT_COLUMNS}
         FROM (
             SELECT it.*, iif(it.resend_due_at <= ?1, json_extract(it.resends, '$[0]'), NULL) AS resend
             FROM json_each(?3)
             CROSS JOIN webhook_queues AS it ON it.endpoint_id = unhex(json_each.value ->> 0)
                 AND it.order_id = unhex(json_each.value ->> 1)
             WHERE it.due_at <= ?1 AND (it.leased_until IS NULL OR it.leased_until <= ?1 OR it.leased_until > ?2)
         ) AS queue
         CROSS JOIN webhook_endpoints AS endpoint ON endpoint.id = queue.endpoint_id
         LEFT JOIN feed ON feed.position = ifnull(queue.resend, (
             SELECT next.position FROM feed AS next
             WHERE next.order_id = queue.order_id AND next.position > queue.done AND next.position <= queue.last
                 AND (endpoint.kinds = '[]' OR next.kind IN (SELECT value FROM json_each(endpoint.kinds)))
             ORDER BY next.position LIMIT 1
         ))
         {EVENT_JOINS}"
    )
}

/// Row of [`lease_sql`].
#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = Binary)]
    endpoint_id: Vec<u8>,
    #[diesel(sql_type = Binary)]
    order_id: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    resend: Option<i64>,
    #[diesel(sql_type = BigInt)]
    tries: i64,
    #[diesel(sql_type = BigInt)]
    part: i64,
    #[diesel(sql_type = BigInt)]
    taken: i64,
    #[diesel(sql_type = BigInt)]
    due_at: i64,
    #[diesel(embed)]
    event: EventColumns,
}

impl DueRow {
    fn restore(self, taken: i64) -> Result<LeasedQueue, Failure> {
        let column = |name| Column("webhook_queues", name);
        let next = self.event.restore()?;
        let at = match (self.resend, &next) {
            (Some(resend), _) => position(&column("resends"), resend)?,
            (None, Some(event)) => event.position,
            (None, None) => position(&column("last"), self.last)?,
        };
        Ok(LeasedQueue {
            endpoint: EndpointId(column("endpoint_id").uuid(&self.endpoint_id)?),
            subject: SubjectId(column("order_id").uuid(&self.order_id)?),
            taken: column("taken").count(taken)?,
            tries: column("tries").count(self.tries)?,
            part: column("part").count(self.part)?,
            done: position(&column("done"), self.done)?,
            position: at,
            next,
            is_resend: self.resend.is_some(),
        })
    }
}

fn lease(db: &mut SqliteConnection, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, Failure> {
    let keys: Vec<_> =
        queues.iter().map(|it| [it.endpoint.0.simple(), it.subject.0.simple()].map(|it| it.to_string())).collect();
    let mut due: Vec<DueRow> = diesel::sql_query(lease_sql())
        .bind::<BigInt, _>(lease.now.unix_micros())
        .bind::<BigInt, _>(lease.until_max().unix_micros())
        .bind::<Text, _>(to_json(&keys)?)
        .load(db)?;
    due.sort_by(|a, b| (a.due_at, &a.endpoint_id, &a.order_id).cmp(&(b.due_at, &b.endpoint_id, &b.order_id)));
    let take = |row: DueRow| {
        let taken = row.taken + 1;
        diesel::update(webhook_queues::table.find((row.endpoint_id.as_slice(), row.order_id.as_slice())))
            .set((
                webhook_queues::taken.eq(taken),
                webhook_queues::leased_by.eq(Some(lease.owner.as_bytes().as_slice())),
                webhook_queues::leased_until.eq(Some(lease.until.unix_micros())),
            ))
            .execute(db)?;
        row.restore(taken)
    };
    readable(due.into_iter().map(take))
}

fn resends(text: &str) -> Result<Vec<i64>, Failure> {
    Column("webhook_queues", "resends").json(text)
}

/// Columns of a queue that a release changes.
#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = webhook_queues, treat_none_as_null = true)]
struct QueueRow {
    done: i64,
    last: i64,
    resends: String,
    tries: i64,
    next_due_at: Option<i64>,
    resend_tries: i64,
    resend_due_at: Option<i64>,
    leased_by: Option<Vec<u8>>,
    leased_until: Option<i64>,
    part: i64,
    resend_part: i64,
}

fn release(db: &mut SqliteConnection, release: &QueueRelease) -> Result<(), Failure> {
    if let Some(attempt) = &release.attempt {
        endpoints::add_attempt(db, attempt)?;
    }
    let queue =
        webhook_queues::table.find((release.endpoint.0.as_bytes().as_slice(), release.subject.0.as_bytes().as_slice()));
    let held: Option<QueueRow> = queue
        .filter(webhook_queues::leased_by.eq(release.owner.as_bytes().as_slice()))
        .filter(webhook_queues::taken.eq(i64::from(release.taken)))
        .select(QueueRow::as_select())
        .first(db)
        .optional()?;
    let Some(held) = held else { return Ok(()) };
    let mut left = resends(&held.resends)?;
    let mut next = QueueRow { leased_by: None, leased_until: None, ..held };
    let (passed, part, tries, at) = match release.next {
        QueueNext::Passed { position, now } => (Some(bound(position)), Some(0), 0, now),
        QueueNext::Part { position, done, now } => {
            let before = (!release.is_resend).then(|| bound(position) - 1);
            (before, Some(i64::from(done)), 0, now)
        }
        QueueNext::Again { tries, at } => (None, None, tries, at),
    };
    // While the endpoint is disabled, its queues are due at no time.
    let is_disabled = next.next_due_at.is_none() && next.resend_due_at.is_none();
    let due = |is_any: bool| (is_any && !is_disabled).then(|| at.unix_micros());
    if release.is_resend {
        left.retain(|it| Some(*it) != passed);
        next.resends = to_json(&left)?;
        next.resend_part = part.unwrap_or(next.resend_part);
        (next.resend_due_at, next.resend_tries) = (due(!left.is_empty()), i64::from(tries));
    } else if next.done == bound(release.done) && [0, next.part].contains(&i64::from(release.part)) {
        next.done = passed.unwrap_or(next.done);
        next.part = part.unwrap_or(next.part);
        (next.next_due_at, next.tries) = (due(next.done < next.last), i64::from(tries));
    }
    if left.is_empty() && next.done >= next.last {
        diesel::delete(queue).execute(db)?;
    } else {
        diesel::update(queue).set(&next).execute(db)?;
    }
    Ok(())
}

/// Row of [`WAITING`].
#[derive(QueryableByName)]
struct WaitingRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    next_attempt_at: Option<i64>,
}

/// Reads the number of orders in the queues of an endpoint and in the next positions after its own, up to a limit, and
/// the first due time of its queues.
const WAITING: &str = "
    SELECT (SELECT count(*) FROM (
            SELECT order_id FROM (SELECT order_id FROM webhook_queues WHERE endpoint_id = ?1 LIMIT ?2)
            UNION
            SELECT feed.order_id
            FROM webhook_endpoints AS endpoint
            CROSS JOIN feed ON feed.position > endpoint.position AND feed.position <= endpoint.position + ?3
                AND feed.position <= (SELECT position FROM feed_head)
            WHERE endpoint.id = ?1
                AND (endpoint.kinds = '[]' OR feed.kind IN (SELECT value FROM json_each(endpoint.kinds)))
            LIMIT ?2
        )) AS count,
        (SELECT min(due_at) FROM webhook_queues WHERE endpoint_id = ?1) AS next_attempt_at";

fn waiting(db: &mut SqliteConnection, id: EndpointId) -> Result<WaitingOrders, Failure> {
    let row: WaitingRow = diesel::sql_query(WAITING)
        .bind::<Binary, _>(id.0.as_bytes().as_slice())
        .bind::<BigInt, _>(i64::from(WAITING_ORDERS_MAX))
        .bind::<BigInt, _>(i64::from(WAITING_EVENTS_MAX))
        .get_result(db)?;
    let column = |name| Column("webhook_queues", name);
    let next_attempt_at = row.next_attempt_at.map(|it| column("due_at").time(it)).transpose()?;
    Ok(WaitingOrders { count: column("order_id").count(row.count)?, next_attempt_at })
}

fn make_due(
    db: &mut SqliteConnection,
    id: EndpointId,
    after: Option<SubjectId>,
    now: Timestamp,
    limit: u16,
) -> Result<Option<SubjectId>, Failure> {
    let endpoint = id.0.as_bytes().as_slice();
    let of_endpoint = webhook_queues::table.filter(webhook_queues::endpoint_id.eq(endpoint));
    let after = after.map(|it| it.0.as_bytes().to_vec()).unwrap_or_default();
    let page: Vec<Vec<u8>> = of_endpoint
        .filter(webhook_queues::order_id.gt(&after))
        .order(webhook_queues::order_id)
        .limit(i64::from(limit))
        .select(webhook_queues::order_id)
        .load(db)?;
    let Some(last) = page.last() else { return Ok(None) };
    diesel::sql_query(
        "UPDATE webhook_queues SET
             tries = 0, next_due_at = min(next_due_at, ?1), resend_tries = 0, resend_due_at = min(resend_due_at, ?1)
         WHERE endpoint_id = ?2 AND order_id > ?3 AND order_id <= ?4
             AND (next_due_at > ?1 OR resend_due_at > ?1)",
    )
    .bind::<BigInt, _>(now.unix_micros())
    .bind::<Binary, _>(endpoint)
    .bind::<Binary, _>(&after)
    .bind::<Binary, _>(last)
    .execute(db)?;
    let is_full = page.len() >= usize::from(limit);
    is_full.then(|| Ok(SubjectId(Column("webhook_queues", "order_id").uuid(last)?))).transpose()
}

fn resend(
    db: &mut SqliteConnection,
    endpoint: EndpointId,
    subject: SubjectId,
    position: Position,
    now: Timestamp,
) -> Result<ResendOutcome, Failure> {
    let key = (endpoint.0.as_bytes().as_slice(), subject.0.as_bytes().as_slice());
    let found: Option<(i64, Option<i64>)> = webhook_endpoints::table
        .find(key.0)
        .select((webhook_endpoints::position, webhook_endpoints::disabled_at))
        .first(db)
        .optional()?;
    let (reached, disabled_at) = found.ok_or(Failure::StaleVersion)?;
    if position <= feed::range(db)?.deleted {
        return Ok(ResendOutcome::Deleted);
    }
    let queue = webhook_queues::table.find(key);
    let stored: Option<QueueRow> = queue.select(QueueRow::as_select()).first(db).optional()?;
    let mut waiting = stored.as_ref().map(|it| resends(&it.resends)).transpose()?.unwrap_or_default();
    if waiting.contains(&bound(position)) {
        return Ok(ResendOutcome::Accepted);
    }
    let is_left = |it: &QueueRow| it.done < it.last && it.done < bound(position);
    if reached < bound(position) || stored.as_ref().is_some_and(is_left) {
        let next_due_at = stored.and_then(|it| it.next_due_at);
        let next_attempt_at = next_due_at.map(|it| Column("webhook_queues", "next_due_at").time(it)).transpose()?;
        return Ok(ResendOutcome::StillWaits { next_attempt_at });
    }
    if waiting.len() >= RESENDS_MAX {
        return Ok(ResendOutcome::TooMany);
    }
    waiting.push(bound(position));
    let resend_due_at = stored.as_ref().and_then(|it| it.resend_due_at);
    let resend_due_at = resend_due_at.or_else(|| disabled_at.is_none().then(|| now.unix_micros()));
    let change = (webhook_queues::resends.eq(to_json(&waiting)?), webhook_queues::resend_due_at.eq(resend_due_at));
    if stored.is_none() {
        // Everything up to the endpoint's position is delivered: without a queue, nothing of it is left.
        let (endpoint, order) = (webhook_queues::endpoint_id.eq(key.0), webhook_queues::order_id.eq(key.1));
        let (done, last) = (webhook_queues::done.eq(reached), webhook_queues::last.eq(reached));
        diesel::insert_into(webhook_queues::table).values((endpoint, order, done, last, change)).execute(db)?;
    } else {
        diesel::update(queue).set(change).execute(db)?;
    }
    Ok(ResendOutcome::Accepted)
}
