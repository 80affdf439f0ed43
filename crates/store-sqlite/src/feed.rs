//! Feed: facts get their positions from the relay, and are read and deleted in the order of these.

use async_trait::async_trait;
use diesel::IntoSql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use paywright_app::{
    Changes, DeletedFeedEvents, FactRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery, FeedRange, Lease, Position,
    StoreError, UnpositionedFact, Version,
};
use paywright_domain::{FeedEventType, OrderId, Timestamp};

use crate::SqliteStore;
use crate::failure::Failure;
use crate::feed_rows::{EVENT_COLUMNS, EventColumns, bound, kinds, position};
use crate::rows::Column;
use crate::schema::{facts, feed, feed_head, order_snapshots, unpositioned_facts, webhook_endpoints, webhook_queues};

/// Stores the snapshot of a commit, and its public facts without positions. A commit without a snapshot has none.
pub(crate) fn insert_public_facts(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let Some(snapshot) = &changes.snapshot else { return Ok(()) };
    let (order, version) = (changes.order.id.0.as_bytes().as_slice(), i64::from(changes.expected.next().0));
    diesel::insert_into(order_snapshots::table)
        .values((
            order_snapshots::order_id.eq(order),
            order_snapshots::version.eq(version),
            order_snapshots::livemode.eq(snapshot.livemode),
            order_snapshots::view.eq(snapshot.view.as_str()),
            order_snapshots::personal.eq(snapshot.personal.as_deref()),
        ))
        .execute(db)?;
    for (index, kind) in changes.public_facts() {
        diesel::insert_into(unpositioned_facts::table)
            .values((
                unpositioned_facts::order_id.eq(order),
                unpositioned_facts::version.eq(version),
                unpositioned_facts::position.eq(i64::from(index)),
                unpositioned_facts::kind.eq(kind.name()),
            ))
            .execute(db)?;
    }
    Ok(())
}

#[async_trait]
impl Feed for SqliteStore {
    async fn unpositioned_facts(&self, limit: u16) -> Result<Vec<UnpositionedFact>, StoreError> {
        self.read(move |db| read_unpositioned(db, limit)).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        let lease = *lease;
        self.writer.run(move |db| take(db, &lease)).await
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let new = append.clone();
        self.writer.run(move |db| self::append(db, &new)).await
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.writer.run(move |db| release(db, lease)).await
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        self.read(range).await
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| events(db, &query)).await
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        self.writer.run(move |db| delete(db, before, limit)).await
    }
}

fn read_unpositioned(db: &mut SqliteConnection, limit: u16) -> Result<Vec<UnpositionedFact>, Failure> {
    type Row = (Vec<u8>, i64, i64, String);
    let rows: Vec<Row> = unpositioned_facts::table
        .order((unpositioned_facts::order_id, unpositioned_facts::version, unpositioned_facts::position))
        .limit(i64::from(limit))
        .load(db)?;
    let column = |name| Column("unpositioned_facts", name);
    let fact = |(order, version, index, kind): Row| {
        let order = OrderId(column("order_id").uuid(&order)?);
        let version = Version(column("version").count(version)?);
        let index = column("position").read(u16::try_from(index))?;
        let kind = column("kind").found(FeedEventType::named(&kind))?;
        Ok(UnpositionedFact { fact: FactRef { order, version, index }, kind })
    };
    rows.into_iter().map(fact).collect()
}

fn take(db: &mut SqliteConnection, lease: &Lease) -> Result<Option<FeedLease>, Failure> {
    let now = lease.now.unix_micros();
    let free = feed_head::table.filter(
        feed_head::leased_until
            .is_null()
            .or(feed_head::leased_until.le(now))
            .or(feed_head::leased_until.gt(lease.until_max().unix_micros())),
    );
    let taken: Option<i64> = free.select(feed_head::taken).first(db).optional()?;
    let Some(taken) = taken.map(|it| it + 1) else { return Ok(None) };
    diesel::update(feed_head::table)
        .set((
            feed_head::taken.eq(taken),
            feed_head::leased_by.eq(Some(lease.owner.as_bytes().as_slice())),
            feed_head::leased_until.eq(Some(lease.until.unix_micros())),
        ))
        .execute(db)?;
    Ok(Some(FeedLease { owner: lease.owner, taken: Column("feed_head", "taken").count(taken)? }))
}

fn append(db: &mut SqliteConnection, append: &FeedAppend) -> Result<Option<Position>, Failure> {
    let last: Option<i64> = feed_head::table
        .filter(feed_head::leased_by.eq(append.lease.owner.as_bytes().as_slice()))
        .filter(feed_head::taken.eq(i64::from(append.lease.taken)))
        .select(feed_head::position)
        .first(db)
        .optional()?;
    let Some(mut last) = last else { return Ok(None) };
    for UnpositionedFact { fact, kind } in &append.facts {
        last += 1;
        let key = (fact.order.0.as_bytes().as_slice(), i64::from(fact.version.0), i64::from(fact.index));
        let removed = diesel::delete(unpositioned_facts::table.find(key)).execute(db)?;
        let row = facts::table.find(key).select((
            last.into_sql::<BigInt>(),
            facts::order_id,
            facts::version,
            facts::position,
            kind.name().into_sql::<Text>(),
            facts::at,
        ));
        let columns = (feed::position, feed::order_id, feed::version, feed::fact_position, feed::kind, feed::at);
        let added = row.insert_into(feed::table).into_columns(columns).execute(db)?;
        if (removed, added) != (1, 1) {
            return Err(Failure::StaleVersion);
        }
    }
    diesel::update(feed_head::table)
        .set((feed_head::position.eq(last), feed_head::leased_until.eq(Some(append.until.unix_micros()))))
        .execute(db)?;
    Ok(Some(position(&Column("feed_head", "position"), last)?))
}

fn release(db: &mut SqliteConnection, lease: FeedLease) -> Result<(), Failure> {
    let held = feed_head::table
        .filter(feed_head::leased_by.eq(lease.owner.as_bytes().as_slice()))
        .filter(feed_head::taken.eq(i64::from(lease.taken)));
    diesel::update(held)
        .set((feed_head::leased_by.eq(None::<Vec<u8>>), feed_head::leased_until.eq(None::<i64>)))
        .execute(db)?;
    Ok(())
}

pub(crate) fn range(db: &mut SqliteConnection) -> Result<FeedRange, Failure> {
    let (deleted, last) = feed_head::table.select((feed_head::deleted, feed_head::position)).first(db)?;
    let column = |name| Column("feed_head", name);
    Ok(FeedRange { deleted: position(&column("deleted"), deleted)?, last: position(&column("position"), last)? })
}

fn events(db: &mut SqliteConnection, query: &FeedQuery) -> Result<Vec<FeedEvent>, Failure> {
    // An order has few events, which its index finds: the plus sign keeps SQLite from walking the range instead.
    let (of_order, at) = match query.order {
        Some(_) => ("feed.order_id = ?5 AND", "+feed.position"),
        None => ("", "feed.position"),
    };
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM feed
         CROSS JOIN facts ON facts.order_id = feed.order_id AND facts.version = feed.version
             AND facts.position = feed.fact_position
         CROSS JOIN order_snapshots ON order_snapshots.order_id = feed.order_id
             AND order_snapshots.version = feed.version
         WHERE {of_order} {at} > ?1 AND {at} <= ?2
             AND (?3 = '[]' OR feed.kind IN (SELECT value FROM json_each(?3)))
         ORDER BY {at} LIMIT ?4"
    );
    let statement = diesel::sql_query(sql)
        .bind::<BigInt, _>(bound(query.after))
        .bind::<BigInt, _>(bound(query.until))
        .bind::<Text, _>(kinds(&query.types)?)
        .bind::<BigInt, _>(i64::from(query.limit));
    let rows: Vec<EventColumns> = match query.order {
        Some(order) => statement.bind::<Binary, _>(order.0.as_bytes().as_slice()).load(db)?,
        None => statement.load(db)?,
    };
    rows.into_iter().filter_map(|it| it.restore().transpose()).collect()
}

fn delete(db: &mut SqliteConnection, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, Failure> {
    let deleted: i64 = feed_head::table.select(feed_head::deleted).first(db)?;
    let first: Vec<(i64, Vec<u8>, i64, i64)> = feed::table
        .filter(feed::position.gt(deleted))
        .order(feed::position)
        .select((feed::position, feed::order_id, feed::version, feed::at))
        .limit(i64::from(limit) + 1)
        .load(db)?;
    let behind: Option<i64> =
        webhook_endpoints::table.select(diesel::dsl::min(webhook_endpoints::position)).first(db)?;
    let mut done = DeletedFeedEvents::default();
    let mut last = deleted;
    for (position, order, version, at) in first {
        if at >= before.unix_micros() {
            break;
        }
        if behind.is_some_and(|it| it < position) || is_queued(db, &order, position)? {
            done.is_held = true;
            break;
        }
        if done.count == limit {
            break;
        }
        delete_event(db, position, &order, version)?;
        (last, done.count) = (position, done.count + 1);
    }
    if last > deleted {
        diesel::update(feed_head::table).set(feed_head::deleted.eq(last)).execute(db)?;
    }
    Ok(done)
}

/// Whether a delivery of the event is left: in turn, or again on request.
fn is_queued(db: &mut SqliteConnection, order: &[u8], position: i64) -> Result<bool, Failure> {
    let queues: Vec<(i64, i64, String)> = webhook_queues::table
        .filter(webhook_queues::order_id.eq(order))
        .select((webhook_queues::done, webhook_queues::last, webhook_queues::resends))
        .load(db)?;
    for (done, last, resends) in queues {
        let resends: Vec<i64> = Column("webhook_queues", "resends").json(&resends)?;
        if (done < position && position <= last) || resends.contains(&position) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes an event, and the snapshot of its version with the last event of that.
fn delete_event(db: &mut SqliteConnection, position: i64, order: &[u8], version: i64) -> Result<(), Failure> {
    diesel::delete(feed::table.find(position)).execute(db)?;
    let other: Option<i64> = feed::table
        .filter(feed::order_id.eq(order))
        .filter(feed::version.eq(version))
        .select(feed::position)
        .first(db)
        .optional()?;
    let later: Option<i64> = unpositioned_facts::table
        .filter(unpositioned_facts::order_id.eq(order))
        .filter(unpositioned_facts::version.eq(version))
        .select(unpositioned_facts::position)
        .first(db)
        .optional()?;
    if other.is_none() && later.is_none() {
        diesel::delete(order_snapshots::table.find((order, version))).execute(db)?;
    }
    Ok(())
}
