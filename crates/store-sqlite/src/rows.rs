//! Conversion between rows and values, both ways. A row that Paywright could not have written is
//! [`Failure::BadRow`], never a guess.

use std::borrow::Cow;
use std::fmt::Display;

use diesel::prelude::*;
use paywright_app::stored::{self, StoredIdempotencyRecord, StoredTaskRow};
use paywright_app::{IdempotencyRecord, LeasedEvent, ReceivedEvent, StoredTask};
use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::failure::Failure;
use crate::schema::{idempotency_records, tasks, webhook_inbox};

/// Reader of one column, as [`stored::Column`], whose errors are those of this crate.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str);

impl Column {
    pub(crate) fn read<T, E: Display>(&self, value: Result<T, E>) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).read(value)?)
    }

    pub(crate) fn found<T>(&self, value: Option<T>) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).found(value)?)
    }

    pub(crate) fn uuid(&self, bytes: &[u8]) -> Result<Uuid, Failure> {
        self.read(Uuid::from_slice(bytes))
    }

    pub(crate) fn count(&self, value: i64) -> Result<u32, Failure> {
        Ok(stored::Column(self.0, self.1).count(value)?)
    }

    pub(crate) fn time(&self, micros: i64) -> Result<Timestamp, Failure> {
        Ok(stored::Column(self.0, self.1).time(micros)?)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, Failure> {
        Ok(stored::Column(self.0, self.1).json(text)?)
    }
}

/// JSON document of a value.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(stored::document(value)?)
}

pub(crate) fn position(index: usize) -> Result<i64, Failure> {
    Column("(any)", "position").read(i64::try_from(index))
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = tasks, treat_none_as_default_value = false)]
pub(crate) struct TaskRow {
    pub(crate) order_id: Vec<u8>,
    pub(crate) key: String,
    pub(crate) payload: String,
    pub(crate) due_at: i64,
    pub(crate) taken: i64,
    pub(crate) leased_by: Option<Vec<u8>>,
    pub(crate) leased_until: Option<i64>,
    pub(crate) error: Option<String>,
}

impl TaskRow {
    pub(crate) fn restore(self) -> Result<StoredTask, Failure> {
        let row = StoredTaskRow {
            payload: Cow::Owned(self.payload),
            due_at: self.due_at,
            taken: self.taken,
            leased_until: self.leased_until,
            error: self.error.map(Cow::Owned),
        };
        Ok(row.restore()?)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = webhook_inbox, treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    pub(crate) event_id: String,
    kind: String,
    created_at: i64,
    received_at: i64,
    via: String,
    headers: String,
    news: String,
    verdict: String,
    error: Option<String>,
    order_id: Option<Vec<u8>>,
    due_at: Option<i64>,
    pub(crate) taken: i64,
    leased_by: Option<Vec<u8>>,
    leased_until: Option<i64>,
}

impl EventRow {
    pub(crate) fn of(event: &ReceivedEvent) -> Result<Self, Failure> {
        Ok(Self {
            event_id: event.id.clone(),
            kind: event.kind.clone(),
            created_at: event.created_at.unix_micros(),
            received_at: event.received_at.unix_micros(),
            via: event.via.to_owned(),
            headers: to_json(&event.headers)?,
            news: to_json(&event.update)?,
            verdict: event.status.name().to_owned(),
            error: event.error.clone(),
            order_id: event.order.map(|it| it.0.as_bytes().to_vec()),
            due_at: event.due_at.map(Timestamp::unix_micros),
            taken: 0,
            leased_by: None,
            leased_until: None,
        })
    }

    pub(crate) fn restore(self) -> Result<LeasedEvent, Failure> {
        let column = |name| Column("webhook_inbox", name);
        Ok(LeasedEvent {
            received_at: column("received_at").time(self.received_at)?,
            update: column("news").json(&self.news)?,
            taken: column("taken").count(self.taken)?,
            id: self.event_id,
            kind: self.kind,
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = idempotency_records)]
pub(crate) struct IdempotencyRow<'a> {
    scope: Vec<u8>,
    key: Cow<'a, str>,
    fingerprint: Cow<'a, [u8]>,
    order_id: Vec<u8>,
    answer: Cow<'a, str>,
    at: i64,
}

impl<'a> IdempotencyRow<'a> {
    pub(crate) fn of(record: &'a IdempotencyRecord) -> Self {
        let StoredIdempotencyRecord { scope, key, fingerprint, order_id, answer, at } =
            StoredIdempotencyRecord::of(record);
        let (scope, order_id) = (scope.as_bytes().to_vec(), order_id.as_bytes().to_vec());
        Self { scope, key, fingerprint, order_id, answer, at }
    }

    pub(crate) fn restore(self) -> Result<IdempotencyRecord, Failure> {
        let Self { scope, key, fingerprint, order_id, answer, at } = self;
        let column = |name| Column("idempotency_records", name);
        let (scope, order_id) = (column("scope").uuid(&scope)?, column("order_id").uuid(&order_id)?);
        Ok(StoredIdempotencyRecord { scope, key, fingerprint, order_id, answer, at }.restore()?)
    }
}
