//! Feed: facts get their positions from the relay, and are read and deleted in the order of these.

use async_trait::async_trait;
use diesel::define_sql_function;
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use paywright_app::{
    AccountEvent, Changes, DeletedFeedEvents, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery, FeedRange,
    Lease, Position, StoreError, SubjectId, Version,
};
use paywright_domain::Timestamp;

use crate::SqliteStore;
use crate::failure::Failure;
use crate::feed_rows::{EVENT_COLUMNS, EVENT_JOINS, EventColumns, bound, kinds, position};
use crate::rows::Column;
use crate::schema::{account_events, feed, feed_head, webhook_endpoints, webhook_queues};

define_sql_function! {
    /// First of two values that is not NULL.
    #[sql_name = "coalesce"]
    fn first_of(value: Nullable<BigInt>, otherwise: BigInt) -> BigInt;
}

/// Position after those of all earlier commits. If all rows were deleted, their positions had been given: the last one is
/// that of the feed.
macro_rules! next_position {
    () => {
        first_of(
            feed::table.select(max(feed::position)).single_value(),
            feed_head::table.select(feed_head::position).single_value().assume_not_null(),
        ) + 1
    };
}

/// Stores account events at the positions that the relay will give them, after those of all earlier commits, and each
/// after the earlier ones of its subject. One whose id is stored already is left out.
pub(crate) fn append_account_events(db: &mut SqliteConnection, events: &[AccountEvent]) -> Result<(), Failure> {
    for event in events {
        let (subject, id) = (event.subject.0.as_bytes().as_slice(), event.id.as_bytes().as_slice());
        let stored = account_events::table.filter(account_events::id.eq(id)).select(account_events::number);
        if stored.first::<i64>(db).optional()?.is_some() {
            continue;
        }
        let of_subject = account_events::table.filter(account_events::subject.eq(subject));
        let last: Option<i64> = of_subject.select(max(account_events::number)).first(db)?;
        let number = last.unwrap_or_default() + 1;
        let name = (account_events::subject.eq(subject), account_events::number.eq(number));
        diesel::insert_into(account_events::table).values((name, account_events::id.eq(id))).execute(db)?;
        diesel::insert_into(feed::table)
            .values((
                feed::position.eq(next_position!()),
                feed::order_id.eq(subject),
                feed::version.eq(number),
                feed::fact_position.eq(0),
                feed::kind.eq(event.kind.name()),
                feed::at.eq(event.at.unix_micros()),
                feed::snapshot_after.eq(0),
                feed::livemode.eq(Some(event.livemode)),
                feed::view.eq(Some(event.data.as_str())),
            ))
            .execute(db)?;
    }
    Ok(())
}

/// Stores the public facts of a commit at the positions that the relay will give them, after those of all earlier commits,
/// and the snapshot with the last of these. A commit without a snapshot has no public facts.
pub(crate) fn insert_public_facts(db: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    let Some(snapshot) = &changes.snapshot else { return Ok(()) };
    let count = changes.public_facts().count();
    for (after, (index, kind)) in (0..count).rev().zip(changes.public_facts()) {
        let snapshot = (after == 0).then_some(snapshot);
        let snapshot_after = i64::try_from(after).map_err(|_| Failure::StaleVersion)?;
        diesel::insert_into(feed::table)
            .values((
                feed::position.eq(next_position!()),
                feed::order_id.eq(changes.order.id.0.as_bytes().as_slice()),
                feed::version.eq(i64::from(changes.expected.next().0)),
                feed::fact_position.eq(i64::from(index)),
                feed::kind.eq(kind.name()),
                feed::at.eq(changes.at.unix_micros()),
                feed::snapshot_after.eq(snapshot_after),
                feed::livemode.eq(snapshot.map(|it| it.livemode)),
                feed::view.eq(snapshot.map(|it| it.view.as_str())),
                feed::personal.eq(snapshot.and_then(|it| it.personal.as_deref())),
            ))
            .execute(db)?;
    }
    Ok(())
}

#[async_trait]
impl Feed for SqliteStore {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        self.read(move |db| read_unpositioned(db, limit)).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        let lease = *lease;
        self.writer.run(move |db| take(db, &lease)).await
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let new = append.clone();
        self.writer.run_with_others(move |db| self::append(db, &new)).await
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

fn read_unpositioned(db: &mut SqliteConnection, limit: u16) -> Result<Vec<EventRef>, Failure> {
    let last = feed_head::table.select(feed_head::position).single_value();
    let rows: Vec<EventKey> = feed::table
        .filter(feed::position.nullable().gt(last))
        .order(feed::position)
        .select((feed::order_id, feed::version, feed::fact_position))
        .limit(i64::from(limit))
        .load(db)?;
    rows.into_iter().map(reference).collect()
}

fn event_at(db: &mut SqliteConnection, position: i64) -> Result<Option<EventRef>, Failure> {
    let columns = (feed::order_id, feed::version, feed::fact_position);
    let row: Option<EventKey> = feed::table.find(position).select(columns).first(db).optional()?;
    row.map(reference).transpose()
}

/// Subject, version and index of an event.
type EventKey = (Vec<u8>, i64, i64);

fn reference((subject, version, index): EventKey) -> Result<EventRef, Failure> {
    let column = |name| Column("feed", name);
    let subject = SubjectId(column("order_id").uuid(&subject)?);
    let version = Version(column("version").count(version)?);
    let index = column("fact_position").read(u16::try_from(index))?;
    Ok(EventRef { subject, version, index })
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
    let Some(last) = last else { return Ok(None) };
    let count = u16::try_from(append.events.len()).map_err(|_| Failure::StaleVersion)?;
    // The rows after the last position are in the order of their commits and never change: events that begin and end as
    // they do are all of them.
    let (first, last) = (last + 1, last + i64::from(count));
    for (event, position) in [(append.events.first(), first), (append.events.last(), last)] {
        if event.is_some() && event_at(db, position)?.as_ref() != event {
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

/// Reads events of all orders, or of one.
pub(crate) fn events_sql(is_of_order: bool) -> String {
    let of_order = if is_of_order { "feed.order_id = ?5 AND" } else { "" };
    format!(
        "SELECT {EVENT_COLUMNS} FROM feed {EVENT_JOINS}
         WHERE {of_order} feed.position > ?1 AND feed.position <= min(?2, (SELECT position FROM feed_head))
             AND (?3 = '[]' OR feed.kind IN (SELECT value FROM json_each(?3)))
         ORDER BY feed.position LIMIT ?4"
    )
}

fn events(db: &mut SqliteConnection, query: &FeedQuery) -> Result<Vec<FeedEvent>, Failure> {
    let statement = diesel::sql_query(events_sql(query.order.is_some()))
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
    let (deleted, end): (i64, i64) = feed_head::table.select((feed_head::deleted, feed_head::position)).first(db)?;
    let first: Vec<(i64, Vec<u8>, i64)> = feed::table
        .filter(feed::position.gt(deleted))
        .filter(feed::position.le(end))
        .order(feed::position)
        .select((feed::position, feed::order_id, feed::at))
        .limit(i64::from(limit) + 1)
        .load(db)?;
    let behind: Option<i64> =
        webhook_endpoints::table.select(diesel::dsl::min(webhook_endpoints::position)).first(db)?;
    let mut done = DeletedFeedEvents::default();
    let mut last = deleted;
    for (position, order, at) in first {
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
        (last, done.count) = (position, done.count + 1);
    }
    if last > deleted {
        diesel::sql_query(
            "DELETE FROM account_events
             WHERE (subject, number) IN (SELECT order_id, version FROM feed WHERE position <= ?1)",
        )
        .bind::<BigInt, _>(last)
        .execute(db)?;
        diesel::delete(feed::table.filter(feed::position.le(last))).execute(db)?;
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
