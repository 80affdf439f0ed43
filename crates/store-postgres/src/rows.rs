//! Conversion between rows and values, both ways. A row that Paywright could not have written is
//! [`Failure::BadRow`], never a guess.

use std::fmt::Display;

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::stored::{self, StoredFact, StoredIdempotencyRecord, StoredTaskRow};
use paywright_app::{LeasedEvent, LeasedTask, Position, Rescheduled};
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use crate::columns::row;
use crate::failure::Failure;

/// Reader of one column, as [`stored::Column`], whose errors are those of this crate.
#[derive(Clone, Copy)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str);

impl Column {
    pub(crate) fn read<T, E: Display>(self, value: Result<T, E>) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).read(value)?)
    }

    pub(crate) fn found<T>(self, value: Option<T>) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).found(value)?)
    }

    pub(crate) fn count(self, value: i64) -> Result<u32, Failure> {
        Ok(stored::Column(self.0, self.1).count(value)?)
    }

    /// Reads a position of the feed.
    pub(crate) fn position(self, value: i64) -> Result<Position, Failure> {
        self.read(u64::try_from(value).map(Position))
    }

    pub(crate) fn time(self, at: PgTimestamp) -> Result<Timestamp, Failure> {
        Ok(stored::Column(self.0, self.1).time(from_pg_micros(at.0))?)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(self, text: &str) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).json(text)?)
    }
}

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const MICROS_TO_2000: i64 = 946_684_800_000_000;

/// Microseconds since PostgreSQL's epoch.
pub(crate) const fn to_pg_micros(micros: i64) -> i64 {
    micros.saturating_sub(MICROS_TO_2000)
}

/// Microseconds since 1970.
pub(crate) const fn from_pg_micros(micros: i64) -> i64 {
    micros.saturating_add(MICROS_TO_2000)
}

/// Position of the feed as PostgreSQL stores it.
pub(crate) fn pg_position(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

pub(crate) const fn pg_time(at: Timestamp) -> PgTimestamp {
    PgTimestamp(to_pg_micros(at.unix_micros()))
}

/// JSON document of a value.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(stored::document(value)?)
}

row! {
    /// Row of a fact.
    FactRow of StoredFact {
        version as BigInt,
        kind as SqlText,
        payload as SqlText,
        at as Timestamptz,
        cause as Nullable<SqlText>,
    }
}

row! {
    /// Row of a task.
    TaskRow of StoredTaskRow {
        payload as SqlText,
        due_at as Timestamptz,
        taken as BigInt,
        leased_until as Nullable<Timestamptz>,
        error as Nullable<SqlText>,
    }
}

row! {
    /// Row of an idempotency record.
    IdempotencyRow of StoredIdempotencyRecord {
        scope as SqlUuid,
        key as SqlText,
        fingerprint as Binary,
        order_id as SqlUuid,
        answer as SqlText,
        at as Timestamptz,
    }
}

#[derive(Queryable)]
pub(crate) struct LeasedEventRow {
    id: String,
    kind: String,
    received_at: PgTimestamp,
    news: String,
    taken: i64,
}

impl LeasedEventRow {
    pub(crate) fn restore(self) -> Result<LeasedEvent, Failure> {
        let column = |name| Column("webhook_inbox", name);
        Ok(LeasedEvent {
            received_at: column("received_at").time(self.received_at)?,
            update: column("news").json(&self.news)?,
            taken: column("taken").count(self.taken)?,
            id: self.id,
            kind: self.kind,
        })
    }
}

#[derive(Queryable)]
pub(crate) struct LeasedTaskRow {
    order: Uuid,
    payload: String,
    taken: i64,
}

impl LeasedTaskRow {
    pub(crate) fn restore(self) -> Result<LeasedTask, Failure> {
        let column = |name| Column("tasks", name);
        Ok(LeasedTask {
            order: OrderId(self.order),
            task: column("payload").json(&self.payload)?,
            taken: column("taken").count(self.taken)?,
        })
    }
}

#[derive(Queryable)]
pub(crate) struct RescheduledRow {
    next: Option<PgTimestamp>,
    count: i64,
}

impl RescheduledRow {
    pub(crate) fn restore(self) -> Result<Rescheduled, Failure> {
        let next = self.next.map(|it| Column("tasks", "due_at").time(it)).transpose()?;
        Ok(Rescheduled { count: Column("tasks", "count").count(self.count)?, next })
    }
}
