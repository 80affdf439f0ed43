//! Endpoints and the attempts of their deliveries.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Text};
use paywright_app::{
    Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch, AuditEntry, DisabledReason, Endpoint,
    EndpointFormat, EndpointId, EndpointState, EndpointUrl, Failing, Position, SecretGeneration, SendErrorClass,
    StoredEndpoint, SubjectId, TroubledEndpoints, Version, Versioned,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;

use crate::audit_trail;
use crate::failure::Failure;
use crate::feed_rows::{bound, kinds, position};
use crate::rows::{Column, to_json};
use crate::schema::{webhook_attempts, webhook_endpoints, webhook_queues};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false, treat_none_as_null = true)]
struct EndpointRow {
    id: Vec<u8>,
    version: i64,
    url: String,
    description: String,
    kinds: String,
    secret_generation: i64,
    previous_secret_until: Option<i64>,
    secret_key_id: String,
    created_at: i64,
    disabled_reason: Option<String>,
    disabled_at: Option<i64>,
    failing_since: Option<i64>,
    failing_told: Option<i64>,
    format: String,
    subscriptions: String,
    updated_at: Option<i64>,
}

impl EndpointRow {
    fn of(endpoint: &Endpoint, version: Version) -> Result<Self, Failure> {
        let disabled = match endpoint.state {
            EndpointState::Enabled => None,
            EndpointState::Disabled { reason, at } => Some((reason, at)),
        };
        Ok(Self {
            id: endpoint.id.0.as_bytes().to_vec(),
            version: i64::from(version.0),
            url: endpoint.url.as_str().to_owned(),
            description: endpoint.description.clone(),
            kinds: kinds(&endpoint.types)?,
            secret_generation: i64::from(endpoint.secret.current),
            previous_secret_until: endpoint.secret.previous_until.map(Timestamp::unix_micros),
            secret_key_id: endpoint.secret.key_id.clone(),
            created_at: endpoint.created_at.unix_micros(),
            disabled_reason: disabled.map(|(reason, _)| reason.name().to_owned()),
            disabled_at: disabled.map(|(_, at)| at.unix_micros()),
            failing_since: endpoint.failing.map(|it| it.since.unix_micros()),
            failing_told: endpoint.failing.map(|it| i64::from(it.told)),
            format: endpoint.format.name().to_owned(),
            subscriptions: to_json(&endpoint.subscriptions)?,
            updated_at: Some(endpoint.updated_at.unix_micros()),
        })
    }

    fn restore(self, at: i64) -> Result<StoredEndpoint, Failure> {
        let column = |name| Column("webhook_endpoints", name);
        let types: Vec<String> = column("kinds").json(&self.kinds)?;
        let types = types.iter().map(|it| column("kinds").found(FeedEventType::named(it)));
        let state = match (self.disabled_reason, self.disabled_at) {
            (Some(reason), Some(at)) => EndpointState::Disabled {
                reason: column("disabled_reason").found(DisabledReason::named(&reason))?,
                at: column("disabled_at").time(at)?,
            },
            (_, _) => EndpointState::Enabled,
        };
        let failing = match (self.failing_since, self.failing_told) {
            (Some(since), Some(told)) => Some(Failing {
                since: column("failing_since").time(since)?,
                told: column("failing_told").read(u8::try_from(told))?,
            }),
            (_, _) => None,
        };
        let secret = SecretGeneration {
            current: column("secret_generation").count(self.secret_generation)?,
            previous_until: self
                .previous_secret_until
                .map(|it| column("previous_secret_until").time(it))
                .transpose()?,
            key_id: self.secret_key_id,
        };
        let value = Endpoint {
            id: EndpointId(column("id").uuid(&self.id)?),
            url: column("url").read(EndpointUrl::restore(&self.url))?,
            description: self.description,
            format: column("format").found(EndpointFormat::named(&self.format))?,
            types: types.collect::<Result<_, _>>()?,
            subscriptions: column("subscriptions").json(&self.subscriptions)?,
            secret,
            created_at: column("created_at").time(self.created_at)?,
            updated_at: column("updated_at").time(self.updated_at.unwrap_or(self.created_at))?,
            state,
            failing,
        };
        let version = Version(column("version").count(self.version)?);
        Ok(StoredEndpoint { endpoint: Versioned { version, value }, position: position(&column("position"), at)? })
    }
}

pub(crate) fn add(
    db: &mut SqliteConnection,
    endpoint: &Endpoint,
    from: Position,
    entry: Option<&AuditEntry>,
) -> Result<(), Failure> {
    let row = EndpointRow::of(endpoint, Version::NEW.next())?;
    diesel::insert_into(webhook_endpoints::table)
        .values((&row, webhook_endpoints::position.eq(bound(from))))
        .execute(db)?;
    audit_trail::add(db, entry)
}

pub(crate) fn read(db: &mut SqliteConnection, id: EndpointId) -> Result<Option<StoredEndpoint>, Failure> {
    let found: Option<(EndpointRow, i64)> = webhook_endpoints::table
        .find(id.0.as_bytes().as_slice())
        .select((EndpointRow::as_select(), webhook_endpoints::position))
        .first(db)
        .optional()?;
    found.map(|(row, at)| row.restore(at)).transpose()
}

pub(crate) fn list(
    db: &mut SqliteConnection,
    after: Option<EndpointId>,
    limit: u16,
) -> Result<Vec<StoredEndpoint>, Failure> {
    let after = after.map(|it| it.0.as_bytes().to_vec()).unwrap_or_default();
    let rows: Vec<(EndpointRow, i64)> = webhook_endpoints::table
        .filter(webhook_endpoints::id.gt(after))
        .order(webhook_endpoints::id)
        .limit(i64::from(limit))
        .select((EndpointRow::as_select(), webhook_endpoints::position))
        .load(db)?;
    rows.into_iter().map(|(row, at)| row.restore(at)).collect()
}

pub(crate) fn troubled(
    db: &mut SqliteConnection,
    failing_since: Timestamp,
    key_ids: &[String],
    limit: u16,
) -> Result<TroubledEndpoints, Failure> {
    let is_disabled = webhook_endpoints::disabled_reason.ne(DisabledReason::Requested.name());
    let is_failing = webhook_endpoints::failing_since.le(failing_since.unix_micros());
    let is_unsigned = webhook_endpoints::secret_key_id.ne_all(key_ids.to_vec()).nullable();
    let is_troubled =
        is_disabled.or(webhook_endpoints::disabled_at.is_null().nullable().and(is_failing.or(is_unsigned)));
    let troubled = webhook_endpoints::table.filter(is_troubled);
    let count: i64 = troubled.clone().count().get_result(db)?;
    let rows: Vec<(EndpointRow, i64)> = troubled
        .order(webhook_endpoints::id)
        .limit(i64::from(limit))
        .select((EndpointRow::as_select(), webhook_endpoints::position))
        .load(db)?;
    let first = rows.into_iter().map(|(row, at)| row.restore(at).map(|it| it.endpoint.value));
    let count = Column("webhook_endpoints", "id").count(count)?;
    Ok(TroubledEndpoints { first: first.collect::<Result<_, _>>()?, count })
}

pub(crate) fn change(
    db: &mut SqliteConnection,
    endpoint: &Versioned<Endpoint>,
    now: Timestamp,
    entry: Option<&AuditEntry>,
) -> Result<(), Failure> {
    let id = endpoint.value.id.0.as_bytes().as_slice();
    let row = EndpointRow::of(&endpoint.value, endpoint.version.next())?;
    let stored = webhook_endpoints::table.find(id);
    let was_disabled: Option<Option<i64>> = stored
        .filter(webhook_endpoints::version.eq(i64::from(endpoint.version.0)))
        .select(webhook_endpoints::disabled_at)
        .first(db)
        .optional()?;
    let was_disabled = was_disabled.ok_or(Failure::StaleVersion)?.is_some();
    diesel::update(stored).set(&row).execute(db)?;
    let queues = webhook_queues::table.filter(webhook_queues::endpoint_id.eq(id));
    match (was_disabled, row.disabled_at.is_some()) {
        (false, true) => {
            let never = (webhook_queues::next_due_at.eq(None::<i64>), webhook_queues::resend_due_at.eq(None::<i64>));
            diesel::update(queues).set(never).execute(db)?;
        }
        (true, false) => {
            diesel::sql_query(
                "UPDATE webhook_queues SET
                     tries = 0, next_due_at = iif(done < last, ?1, NULL),
                     resend_tries = 0, resend_due_at = iif(resends <> '[]', ?1, NULL)
                 WHERE endpoint_id = ?2",
            )
            .bind::<BigInt, _>(now.unix_micros())
            .bind::<Binary, _>(id)
            .execute(db)?;
        }
        (false, false) | (true, true) => {}
    }
    audit_trail::add(db, entry)
}

pub(crate) fn delete(db: &mut SqliteConnection, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, Failure> {
    let id = id.0.as_bytes().as_slice();
    diesel::delete(webhook_queues::table.filter(webhook_queues::endpoint_id.eq(id))).execute(db)?;
    diesel::delete(webhook_attempts::table.filter(webhook_attempts::endpoint_id.eq(id))).execute(db)?;
    let is_deleted = diesel::delete(webhook_endpoints::table.find(id)).execute(db)? > 0;
    audit_trail::add(db, entry.filter(|_| is_deleted))?;
    Ok(is_deleted)
}

pub(crate) fn set_back(
    db: &mut SqliteConnection,
    id: EndpointId,
    to: Position,
    entry: Option<&AuditEntry>,
) -> Result<bool, Failure> {
    let moved = diesel::update(webhook_endpoints::table.find(id.0.as_bytes().as_slice()))
        .set(webhook_endpoints::position.eq(sql::<BigInt>("min(position, ").bind::<BigInt, _>(bound(to)).sql(")")))
        .execute(db)?;
    audit_trail::add(db, entry.filter(|_| moved > 0))?;
    Ok(moved > 0)
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = webhook_attempts, treat_none_as_default_value = false)]
struct AttemptRow {
    endpoint_id: Vec<u8>,
    at: i64,
    event_id: Vec<u8>,
    kind: String,
    position: Option<i64>,
    order_id: Option<Vec<u8>>,
    number: i64,
    duration_ms: i64,
    status: Option<i64>,
    error: Option<String>,
    answer: String,
    outcome: String,
}

impl AttemptRow {
    fn of(attempt: &Attempt) -> Self {
        Self {
            endpoint_id: attempt.endpoint.0.as_bytes().to_vec(),
            at: attempt.at.unix_micros(),
            event_id: attempt.event.as_bytes().to_vec(),
            kind: attempt.kind.clone(),
            position: attempt.source.map(|(position, _)| bound(position)),
            order_id: attempt.source.map(|(_, subject)| subject.0.as_bytes().to_vec()),
            number: i64::from(attempt.number),
            duration_ms: i64::from(attempt.duration_ms),
            status: attempt.status.map(i64::from),
            error: attempt.error.map(|it| it.name().to_owned()),
            answer: attempt.answer.clone(),
            outcome: attempt.outcome.name().to_owned(),
        }
    }

    fn restore(self) -> Result<Attempt, Failure> {
        let column = |name| Column("webhook_attempts", name);
        let source = match (self.position, self.order_id) {
            (Some(at), Some(subject)) => {
                Some((position(&column("position"), at)?, SubjectId(column("order_id").uuid(&subject)?)))
            }
            (_, _) => None,
        };
        Ok(Attempt {
            endpoint: EndpointId(column("endpoint_id").uuid(&self.endpoint_id)?),
            at: column("at").time(self.at)?,
            event: column("event_id").uuid(&self.event_id)?,
            kind: self.kind,
            source,
            number: column("number").count(self.number)?,
            duration_ms: column("duration_ms").count(self.duration_ms)?,
            status: self.status.map(|it| column("status").read(u16::try_from(it))).transpose()?,
            error: self.error.map(|it| column("error").found(SendErrorClass::named(&it))).transpose()?,
            answer: self.answer,
            outcome: column("outcome").found(AttemptOutcome::named(&self.outcome))?,
        })
    }
}

/// Stores an attempt, unless its endpoint was deleted. One that is stored already stays unchanged.
pub(crate) fn add_attempt(db: &mut SqliteConnection, attempt: &Attempt) -> Result<(), Failure> {
    let row = AttemptRow::of(attempt);
    let endpoint = webhook_endpoints::table.find(&row.endpoint_id).select(webhook_endpoints::version);
    if endpoint.first::<i64>(db).optional()?.is_none() {
        return Ok(());
    }
    diesel::insert_into(webhook_attempts::table).values(&row).on_conflict_do_nothing().execute(db)?;
    Ok(())
}

pub(crate) fn attempts(db: &mut SqliteConnection, query: &AttemptQuery) -> Result<Vec<Attempt>, Failure> {
    let mut statement = webhook_attempts::table
        .filter(webhook_attempts::endpoint_id.eq(query.endpoint.0.as_bytes().as_slice()))
        .order((webhook_attempts::at.desc(), webhook_attempts::event_id.desc()))
        .limit(i64::from(query.limit))
        .into_boxed();
    if let Some((at, event)) = query.older_than {
        let at = at.unix_micros();
        let before = webhook_attempts::at.lt(at).or(webhook_attempts::event_id.lt(event.as_bytes().to_vec()));
        // The index finds the time, and the rest decides among the attempts of one time.
        statement = statement.filter(webhook_attempts::at.le(at)).filter(before);
    }
    if let Some(outcome) = query.outcome {
        statement = statement.filter(webhook_attempts::outcome.eq(outcome.name()));
    }
    let rows: Vec<AttemptRow> = statement.load(db)?;
    rows.into_iter().map(AttemptRow::restore).collect()
}

pub(crate) fn search_attempts(db: &mut SqliteConnection, search: &AttemptSearch) -> Result<AttemptPage, Failure> {
    let found = || {
        let endpoints = search.endpoints.iter().map(|it| it.0.as_bytes().to_vec());
        let mut statement =
            webhook_attempts::table.filter(webhook_attempts::endpoint_id.eq_any(endpoints)).into_boxed();
        if let Some(kind) = &search.kind {
            statement = statement.filter(webhook_attempts::kind.eq(kind));
        }
        let delivered = AttemptOutcome::Delivered.name();
        statement = match search.is_delivered {
            Some(true) => statement.filter(webhook_attempts::outcome.eq(delivered)),
            Some(false) => statement.filter(webhook_attempts::outcome.ne(delivered)),
            None => statement,
        };
        statement = match search.status {
            Some(Some(status)) => statement.filter(webhook_attempts::status.eq(i64::from(status))),
            Some(None) => statement.filter(webhook_attempts::status.is_null()),
            None => statement,
        };
        if let Some(text) = &search.error_contains {
            let has_text = sql::<Bool>("instr(lower(answer), ").bind::<Text, _>(text).sql(") > 0");
            statement = statement.filter(webhook_attempts::error.is_not_null()).filter(has_text);
        }
        statement
    };
    let newest = (webhook_attempts::at.desc(), webhook_attempts::event_id.desc(), webhook_attempts::endpoint_id.asc());
    let counted: Vec<i64> = found().limit(AttemptSearch::COUNTED_MAX.into()).select(webhook_attempts::at).load(db)?;
    let rows: Vec<AttemptRow> =
        found().order(newest).offset(search.offset.into()).limit(search.limit.into()).load(db)?;
    let attempts = rows.into_iter().map(AttemptRow::restore).collect::<Result<_, _>>()?;
    Ok(AttemptPage { attempts, count: u16::try_from(counted.len()).unwrap_or(u16::MAX) })
}

pub(crate) fn delete_attempts(db: &mut SqliteConnection, before: Timestamp, limit: u16) -> Result<u16, Failure> {
    let deleted = diesel::sql_query(
        "DELETE FROM webhook_attempts WHERE (endpoint_id, at, event_id) IN (
             SELECT endpoint_id, at, event_id FROM webhook_attempts WHERE at < ? ORDER BY at LIMIT ?
         )",
    )
    .bind::<BigInt, _>(before.unix_micros())
    .bind::<BigInt, _>(i64::from(limit))
    .execute(db)?;
    Ok(u16::try_from(deleted).unwrap_or(u16::MAX))
}
