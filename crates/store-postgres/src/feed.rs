//! Feed of public facts and account events.

use std::borrow::Cow;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::stored::StoredFeedEvent;
use paywright_app::{
    DeletedFeedEvents, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery, FeedRange, Lease, Position,
    StoreError, SubjectId, Version,
};
use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::PostgresStore;
use crate::failure::Failure;
use crate::queue::Claim;
use crate::rows::{Column, from_pg_micros, pg_position, pg_time};
use crate::statement::statement;

/// Query for events without a position (`unpositioned_events.sql`).
pub(crate) struct UnpositionedEvents(i64);

statement!(UnpositionedEvents => (SqlUuid, BigInt, Integer),
    include_str!("sql/unpositioned_events.sql"), self {
    limit: BigInt = self.0,
});

fn unpositioned((subject, version, position): (Uuid, i64, i32)) -> Result<EventRef, Failure> {
    let column = |name| Column("unpositioned_facts", name);
    let version = Version(column("version").count(version)?);
    let index = column("position").read(u16::try_from(position))?;
    Ok(EventRef { subject: SubjectId(subject), version, index })
}

/// Statement that leases the feed: one row, or none while it is under another lease.
struct LeaseFeed(Claim);

statement!(LeaseFeed => BigInt,
    concat!(
        "UPDATE feed_head SET taken = taken + 1, leased_by = :owner::uuid, leased_until = :until::timestamptz ",
        "WHERE only_one ",
        "AND (leased_until IS NULL OR leased_until <= :now::timestamptz OR leased_until > :until_max::timestamptz) ",
        "RETURNING taken",
    ),
    self {
        owner: SqlUuid = self.0.owner,
        until: Timestamptz = self.0.until,
        now: Timestamptz = self.0.now,
        until_max: Timestamptz = self.0.until_max,
    }
);

/// Statement that gives events their positions (`append_to_feed.sql`).
pub(crate) struct AppendToFeed {
    subjects: Vec<Uuid>,
    versions: Vec<i64>,
    indexes: Vec<i32>,
    owner: Uuid,
    taken: i64,
    until: PgTimestamp,
}

impl AppendToFeed {
    fn of(append: &FeedAppend) -> Self {
        let events = &append.events;
        Self {
            subjects: events.iter().map(|it| it.subject.0).collect(),
            versions: events.iter().map(|it| i64::from(it.version.0)).collect(),
            indexes: events.iter().map(|it| i32::from(it.index)).collect(),
            owner: append.lease.owner,
            taken: i64::from(append.lease.taken),
            until: pg_time(append.until),
        }
    }
}

statement!(AppendToFeed => Nullable<BigInt>, include_str!("sql/append_to_feed.sql"), self {
    owner: SqlUuid = self.owner,
    taken: BigInt = self.taken,
    order_ids: Array<SqlUuid> = self.subjects,
    versions: Array<BigInt> = self.versions,
    indexes: Array<Integer> = self.indexes,
    until: Timestamptz = self.until,
});

/// Statement that ends the lease of the feed.
struct ReleaseFeed {
    owner: Uuid,
    taken: i64,
}

statement!(ReleaseFeed => (),
    concat!(
        "UPDATE feed_head SET leased_by = NULL, leased_until = NULL ",
        "WHERE only_one AND leased_by = :owner AND taken = :taken",
    ),
    self {
        owner: SqlUuid = self.owner,
        taken: BigInt = self.taken,
    }
);

/// Query for the range of positions.
#[derive(Clone)]
struct Range;

statement!(Range => (BigInt, BigInt), "SELECT deleted, position FROM feed_head WHERE only_one", self {});

/// Query for events of all orders.
pub(crate) struct Events {
    after: i64,
    until: i64,
    kinds: Vec<&'static str>,
    limit: i64,
}

impl Events {
    fn of(query: &FeedQuery) -> Self {
        Self {
            after: pg_position(query.after),
            until: pg_position(query.until),
            kinds: query.types.iter().map(|it| it.name()).collect(),
            limit: i64::from(query.limit),
        }
    }
}

statement!(Events => EventColumns,
    concat!(include_str!("sql/feed_events.sql"), "ORDER BY feed.position LIMIT :limit"),
    self {
        after: BigInt = self.after,
        until: BigInt = self.until,
        kinds: Array<SqlText> = self.kinds,
        limit: BigInt = self.limit,
    }
);

/// Query for events of one order.
pub(crate) struct EventsOfOrder {
    events: Events,
    order: Uuid,
}

statement!(EventsOfOrder => EventColumns,
    concat!(
        include_str!("sql/feed_events.sql"),
        "AND feed.order_id = :order_id ORDER BY feed.version, feed.fact_position LIMIT :limit",
    ),
    self {
        order_id: SqlUuid = self.order,
        ..Events = self.events,
    }
);

/// Columns of an event. A lease of a queue without a next event has NULL in all of them.
pub(crate) type EventColumns = (
    Nullable<BigInt>,
    Nullable<SqlText>,
    Nullable<SqlUuid>,
    Nullable<SqlUuid>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<SqlText>,
    Nullable<Timestamptz>,
    Nullable<SqlText>,
    Nullable<SqlText>,
    Nullable<SqlText>,
    Nullable<Bool>,
);

#[derive(Queryable)]
pub(crate) struct EventRow {
    position: Option<i64>,
    kind: Option<String>,
    event_id: Option<Uuid>,
    order: Option<Uuid>,
    version: Option<i64>,
    index: Option<i64>,
    payload: Option<String>,
    at: Option<PgTimestamp>,
    cause: Option<String>,
    view: Option<String>,
    personal: Option<String>,
    livemode: Option<bool>,
}

impl EventRow {
    /// Event of the row, if there is one.
    pub(crate) fn restore(self) -> Result<Option<FeedEvent>, Failure> {
        let event = StoredFeedEvent {
            position: self.position,
            kind: self.kind.map(Cow::Owned),
            event_id: self.event_id,
            order_id: self.order,
            version: self.version,
            fact_position: self.index,
            payload: self.payload.map(Cow::Owned),
            at: self.at.map(|it| from_pg_micros(it.0)),
            cause: self.cause.map(Cow::Owned),
            view: self.view.map(Cow::Owned),
            personal: self.personal.map(Cow::Owned),
            livemode: self.livemode,
        };
        Ok(event.restore()?)
    }
}

/// Statement that deletes the first events (`delete_feed_events.sql`).
#[derive(Clone, Copy)]
pub(crate) struct DeleteFeedEvents {
    before: PgTimestamp,
    limit: i64,
}

/// Largest number of times that a deletion of events begins, because the head of the feed was changed meanwhile.
const DELETIONS_MAX: u32 = 20;

statement!(DeleteFeedEvents => (BigInt, Bool, Bool), include_str!("sql/delete_feed_events.sql"), self {
    before: Timestamptz = self.before,
    limit: BigInt = self.limit,
});

#[async_trait]
impl Feed for PostgresStore {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        let rows: Result<Vec<_>, Failure> = self.rows(UnpositionedEvents(i64::from(limit))).await;
        rows.and_then(|rows| rows.into_iter().map(unpositioned).collect()).map_err(Failure::of_read)
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        let taken: Result<Vec<i64>, Failure> = self.written(LeaseFeed(Claim::of(lease))).await;
        let Some(taken) = taken.map_err(Failure::of_write)?.pop() else { return Ok(None) };
        let taken = Column("feed_head", "taken").count(taken).map_err(Failure::of_write)?;
        Ok(Some(FeedLease { owner: lease.owner, taken }))
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let last: Result<Vec<Option<i64>>, Failure> = self.written(AppendToFeed::of(append)).await;
        match last.map_err(Failure::of_write)?.pop() {
            None => Ok(None),
            // Another process has positioned an event that is given here.
            Some(None) => Err(StoreError::Conflict),
            Some(Some(last)) => Column("feed_head", "position").position(last).map(Some).map_err(Failure::of_write),
        }
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        let release = ReleaseFeed { owner: lease.owner, taken: i64::from(lease.taken) };
        self.write(release).await.map(drop).map_err(Failure::of_write)
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        let row: Result<Option<(i64, i64)>, Failure> = self.row(Range).await;
        let column = |name| Column("feed_head", name);
        let range = row.and_then(|row| {
            let (deleted, last) = column("(row)").found(row)?;
            Ok(FeedRange { deleted: column("deleted").position(deleted)?, last: column("position").position(last)? })
        });
        range.map_err(Failure::of_read)
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        let events = Events::of(query);
        let rows: Result<Vec<EventRow>, Failure> = match query.order {
            Some(order) => self.rows(EventsOfOrder { events, order: order.0 }).await,
            None => self.rows(events).await,
        };
        let events = rows.and_then(|rows| rows.into_iter().filter_map(|it| it.restore().transpose()).collect());
        events.map_err(Failure::of_read)
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        let delete = DeleteFeedEvents { before: pg_time(before), limit: i64::from(limit) };
        for _ in 0..DELETIONS_MAX {
            let rows: Vec<(i64, bool, bool)> = self.written(delete).await.map_err(Failure::of_write)?;
            let (count, is_held, is_latest) = rows.into_iter().next().unwrap_or_default();
            if is_latest {
                return Ok(DeletedFeedEvents { count: u16::try_from(count).unwrap_or(limit), is_held });
            }
        }
        Err(StoreError::Conflict)
    }
}
