//! Conversion between rows of endpoints and attempts and their values.

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{
    Attempt, AttemptOutcome, DisabledReason, Endpoint, EndpointFormat, EndpointId, EndpointState, EndpointUrl, Failing,
    SecretGeneration, SendErrorClass, StoredEndpoint, SubjectId, Version, Versioned,
};
use paywright_domain::fact::FeedEventType;
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::{Column, pg_position, pg_time};
use crate::statement::parameters;

/// Columns of an endpoint that may change.
pub(crate) struct EndpointColumns<'a> {
    endpoint: &'a Endpoint,
    url: &'a str,
    kinds: Vec<&'static str>,
    updated_at: PgTimestamp,
    secret_generation: i64,
    previous_until: Option<PgTimestamp>,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<PgTimestamp>,
    failing_since: Option<PgTimestamp>,
    failing_told: Option<i64>,
}

impl<'a> EndpointColumns<'a> {
    pub(crate) fn of(endpoint: &'a Endpoint) -> Self {
        let (disabled_reason, disabled_at) = match endpoint.state {
            EndpointState::Enabled => (None, None),
            EndpointState::Disabled { reason, at } => (Some(reason.name()), Some(pg_time(at))),
        };
        Self {
            endpoint,
            url: endpoint.url.as_str(),
            kinds: endpoint.types.iter().map(|it| it.name()).collect(),
            updated_at: pg_time(endpoint.updated_at),
            secret_generation: i64::from(endpoint.secret.current),
            previous_until: endpoint.secret.previous_until.map(pg_time),
            disabled_reason,
            disabled_at,
            failing_since: endpoint.failing.map(|it| pg_time(it.since)),
            failing_told: endpoint.failing.map(|it| i64::from(it.told)),
        }
    }
}

parameters!(self: EndpointColumns<'_> {
    url: SqlText = self.url,
    description: SqlText = self.endpoint.description,
    kinds: Array<SqlText> = self.kinds,
    subscriptions: Array<SqlText> = self.endpoint.subscriptions,
    updated_at: Timestamptz = self.updated_at,
    secret_generation: BigInt = self.secret_generation,
    previous_secret_until: Nullable<Timestamptz> = self.previous_until,
    secret_key_id: SqlText = self.endpoint.secret.key_id,
    disabled_reason: Nullable<SqlText> = self.disabled_reason,
    disabled_at: Nullable<Timestamptz> = self.disabled_at,
    failing_since: Nullable<Timestamptz> = self.failing_since,
    failing_told: Nullable<BigInt> = self.failing_told,
});

/// Columns of a stored endpoint.
pub(crate) type StoredEndpointColumns = (
    SqlUuid,
    BigInt,
    SqlText,
    SqlText,
    SqlText,
    Array<SqlText>,
    Array<SqlText>,
    BigInt,
    Nullable<Timestamptz>,
    SqlText,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<SqlText>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<BigInt>,
    BigInt,
);

#[derive(Queryable)]
pub(crate) struct EndpointRow {
    id: Uuid,
    version: i64,
    url: String,
    description: String,
    format: String,
    kinds: Vec<String>,
    subscriptions: Vec<String>,
    secret_generation: i64,
    previous_until: Option<PgTimestamp>,
    secret_key_id: String,
    created_at: PgTimestamp,
    updated_at: Option<PgTimestamp>,
    disabled_reason: Option<String>,
    disabled_at: Option<PgTimestamp>,
    failing_since: Option<PgTimestamp>,
    failing_told: Option<i64>,
    position: i64,
}

impl EndpointRow {
    pub(crate) fn restore(self) -> Result<StoredEndpoint, Failure> {
        let column = |name| Column("webhook_endpoints", name);
        let time = |name, at: Option<PgTimestamp>| at.map(|it| column(name).time(it)).transpose();
        let state = match (self.disabled_reason, time("disabled_at", self.disabled_at)?) {
            (Some(reason), Some(at)) => {
                EndpointState::Disabled { reason: column("disabled_reason").found(DisabledReason::named(&reason))?, at }
            }
            (_, _) => EndpointState::Enabled,
        };
        let failing = match (time("failing_since", self.failing_since)?, self.failing_told) {
            (Some(since), Some(told)) => {
                Some(Failing { since, told: column("failing_told").read(u8::try_from(told))? })
            }
            (_, _) => None,
        };
        let types = self.kinds.iter().map(|it| column("kinds").found(FeedEventType::named(it)));
        let value = Endpoint {
            id: EndpointId(self.id),
            url: column("url").read(EndpointUrl::restore(&self.url))?,
            description: self.description,
            format: column("format").found(EndpointFormat::named(&self.format))?,
            types: types.collect::<Result<_, _>>()?,
            subscriptions: self.subscriptions,
            secret: SecretGeneration {
                current: column("secret_generation").count(self.secret_generation)?,
                previous_until: time("previous_secret_until", self.previous_until)?,
                key_id: self.secret_key_id,
            },
            created_at: column("created_at").time(self.created_at)?,
            updated_at: column("updated_at").time(self.updated_at.unwrap_or(self.created_at))?,
            state,
            failing,
        };
        let version = Version(column("version").count(self.version)?);
        Ok(StoredEndpoint {
            endpoint: Versioned { version, value },
            position: column("position").position(self.position)?,
        })
    }
}

/// Attempts, as one array for each column.
#[derive(Default)]
pub(crate) struct Attempts {
    endpoints: Vec<Uuid>,
    at: Vec<PgTimestamp>,
    events: Vec<Uuid>,
    kinds: Vec<String>,
    positions: Vec<Option<i64>>,
    orders: Vec<Option<Uuid>>,
    numbers: Vec<i64>,
    durations: Vec<i64>,
    statuses: Vec<Option<i64>>,
    errors: Vec<Option<&'static str>>,
    answers: Vec<String>,
    outcomes: Vec<&'static str>,
}

impl Attempts {
    pub(crate) fn of<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Self {
        let mut columns = Self::default();
        for attempt in attempts {
            columns.endpoints.push(attempt.endpoint.0);
            columns.at.push(pg_time(attempt.at));
            columns.events.push(attempt.event);
            columns.kinds.push(attempt.kind.clone());
            columns.positions.push(attempt.source.map(|(position, _)| pg_position(position)));
            columns.orders.push(attempt.source.map(|(_, subject)| subject.0));
            columns.numbers.push(i64::from(attempt.number));
            columns.durations.push(i64::from(attempt.duration_ms));
            columns.statuses.push(attempt.status.map(i64::from));
            columns.errors.push(attempt.error.map(SendErrorClass::name));
            // PostgreSQL's text cannot contain U+0000, which an endpoint may answer.
            columns.answers.push(attempt.answer.replace('\0', "\u{fffd}"));
            columns.outcomes.push(attempt.outcome.name());
        }
        columns
    }
}

parameters!(self: Attempts {
    attempt_endpoints: Array<SqlUuid> = self.endpoints,
    attempt_times: Array<Timestamptz> = self.at,
    attempt_events: Array<SqlUuid> = self.events,
    attempt_kinds: Array<SqlText> = self.kinds,
    attempt_positions: Array<Nullable<BigInt>> = self.positions,
    attempt_orders: Array<Nullable<SqlUuid>> = self.orders,
    attempt_numbers: Array<BigInt> = self.numbers,
    attempt_durations: Array<BigInt> = self.durations,
    attempt_statuses: Array<Nullable<BigInt>> = self.statuses,
    attempt_errors: Array<Nullable<SqlText>> = self.errors,
    attempt_answers: Array<SqlText> = self.answers,
    attempt_outcomes: Array<SqlText> = self.outcomes,
});

/// Columns of a stored attempt.
pub(crate) type AttemptColumns = (
    SqlUuid,
    Timestamptz,
    SqlUuid,
    SqlText,
    Nullable<BigInt>,
    Nullable<SqlUuid>,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<SqlText>,
    SqlText,
    SqlText,
);

#[derive(Queryable)]
pub(crate) struct AttemptRow {
    endpoint: Uuid,
    at: PgTimestamp,
    event: Uuid,
    kind: String,
    position: Option<i64>,
    order: Option<Uuid>,
    number: i64,
    duration_ms: i64,
    status: Option<i64>,
    error: Option<String>,
    answer: String,
    outcome: String,
}

impl AttemptRow {
    pub(crate) fn restore(self) -> Result<Attempt, Failure> {
        let column = |name| Column("webhook_attempts", name);
        let position = self.position.map(|it| column("position").position(it)).transpose()?;
        Ok(Attempt {
            endpoint: EndpointId(self.endpoint),
            at: column("at").time(self.at)?,
            event: self.event,
            kind: self.kind,
            source: position.zip(self.order.map(SubjectId)),
            number: column("number").count(self.number)?,
            duration_ms: column("duration_ms").count(self.duration_ms)?,
            status: self.status.map(|it| column("status").read(u16::try_from(it))).transpose()?,
            error: self.error.map(|it| column("error").found(SendErrorClass::named(&it))).transpose()?,
            answer: self.answer,
            outcome: column("outcome").found(AttemptOutcome::named(&self.outcome))?,
        })
    }
}
