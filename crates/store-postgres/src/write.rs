//! Writes. Each commit is one statement, so it is one round trip and one transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid,
};
use paywright_app::{ApiKey, Changes, Version};
use paywright_domain::id::{CustomerId, DisputeId, RefundId};
use paywright_domain::order::{CancelReason, OrderState, Payer};
use paywright_domain::refund::{RefundFailure, RefundReason};
use paywright_domain::task::TaskKey;
use paywright_domain::text::Email;
use paywright_domain::{Fact, IntentId, Money, Order, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;
use crate::queue::EventColumns;
use crate::rows::{pg_time, to_json};
use crate::statement::{parameters, statement};

/// First commit of an order (`place.sql`).
pub(crate) struct Place<'a> {
    id: Uuid,
    number: &'a str,
    currency: &'a str,
    capture: &'a str,
    livemode: bool,
    placed_at: PgTimestamp,
    columns: OrderColumns<'a>,
    content: Content<'a>,
    events: Events<'a>,
    idempotency: IdempotencyColumns<'a>,
}

/// Later commit of the usual kind (`change.sql`): the content is unchanged, and there are no refunds, disputes or
/// anomalies.
pub(crate) struct Change<'a> {
    id: Uuid,
    expected: i64,
    edits: bool,
    columns: OrderColumns<'a>,
    intents: Intents<'a>,
    events: Events<'a>,
    finished: Vec<&'a str>,
    received: EventColumns<'a>,
}

/// Later commit of any kind (`change.sql` and `rest.sql`).
pub(crate) struct ChangeAll<'a> {
    change: Change<'a>,
    refunds: Refunds<'a>,
    disputes: Disputes<'a>,
    anomalies: Anomalies<'a>,
    idempotency: IdempotencyColumns<'a>,
    content: Content<'a>,
}

/// Statement of a commit.
pub(crate) enum Commit<'a> {
    Place(Box<Place<'a>>),
    Change(Box<Change<'a>>),
    ChangeAll(Box<ChangeAll<'a>>),
}

impl<'a> Commit<'a> {
    pub(crate) fn of(changes: &'a Changes) -> Result<Self, Failure> {
        let order = &changes.order;
        let (columns, events) = (OrderColumns::of(order)?, Events::of(changes)?);
        let idempotency = IdempotencyColumns::of(changes);
        if changes.expected == Version::NEW {
            return Ok(Self::Place(Box::new(Place {
                id: order.id.0,
                number: order.number.as_str(),
                currency: order.total.currency().code(),
                capture: order.capture.name(),
                livemode: order.livemode,
                placed_at: pg_time(order.placed_at),
                columns,
                content: Content::of(order),
                events,
                idempotency,
            })));
        }
        let edits = changes.edits_content();
        let change = Change {
            id: order.id.0,
            expected: i64::from(changes.expected.0),
            edits,
            columns,
            intents: Intents::of(order)?,
            events,
            finished: changes.finished.iter().map(TaskKey::as_str).collect(),
            received: changes.received.as_ref().map(EventColumns::of).transpose()?.unwrap_or_default(),
        };
        let all_fits = order.anomalies.is_empty() && order.refunds.is_empty() && order.disputes.is_empty();
        if !edits && all_fits && changes.idempotency.is_none() {
            return Ok(Self::Change(Box::new(change)));
        }
        let (anomalies, content) = (Anomalies::of(order)?, Content::of(order));
        let (refunds, disputes) = (Refunds::of(order), Disputes::of(order));
        Ok(Self::ChangeAll(Box::new(ChangeAll { change, refunds, disputes, anomalies, idempotency, content })))
    }
}

statement!(Place<'_> => (), include_str!("sql/place.sql"), self {
    order_id: SqlUuid = self.id,
    number: SqlText = self.number,
    currency: SqlText = self.currency,
    capture: SqlText = self.capture,
    livemode: Bool = self.livemode,
    placed_at: Timestamptz = self.placed_at,
    ..OrderColumns = self.columns,
    ..Content = self.content,
    ..Events = self.events,
    ..IdempotencyColumns = self.idempotency,
});

statement!(Change<'_> => (), concat!(include_str!("sql/change.sql"), "SELECT FROM changed"), self {
    order_id: SqlUuid = self.id,
    expected_version: BigInt = self.expected,
    edits_content: Bool = self.edits,
    finished_tasks: Array<SqlText> = self.finished,
    ..OrderColumns = self.columns,
    ..Intents = self.intents,
    ..Events = self.events,
    ..EventColumns = self.received,
});

statement!(ChangeAll<'_> => (), concat!(include_str!("sql/change.sql"), include_str!("sql/rest.sql")), self {
    ..Change = self.change,
    ..Content = self.content,
    ..Refunds = self.refunds,
    ..Disputes = self.disputes,
    ..Anomalies = self.anomalies,
    ..IdempotencyColumns = self.idempotency,
});

/// Columns of an order that may change.
struct OrderColumns<'a> {
    customer: Option<&'a str>,
    email: Option<&'a str>,
    total: i64,
    metadata: String,
    revision: i64,
    attempt: i64,
    state: &'a str,
    paid_by: Option<&'a str>,
    cancel_reason: Option<&'a str>,
    state_at: Option<PgTimestamp>,
    requested_revision: Option<i64>,
    requested_attempt: Option<i64>,
    requested_epoch: Option<i64>,
    operations: i64,
    operation: Option<String>,
    updated_at: PgTimestamp,
    payer: Option<String>,
}

impl<'a> OrderColumns<'a> {
    fn of(order: &'a Order) -> Result<Self, Failure> {
        let (paid_by, cancel_reason, state_at) = match &order.state {
            OrderState::Open => (None, None, None),
            OrderState::Paid { by, at } => (Some(by), None, Some(*at)),
            OrderState::Canceled { reason, at } => (None, Some(*reason), Some(*at)),
        };
        let metadata: BTreeMap<&str, &str> =
            order.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Ok(Self {
            customer: order.customer.as_ref().map(CustomerId::as_str),
            email: order.email.as_ref().map(Email::as_str),
            total: order.total.minor(),
            metadata: to_json(&metadata)?,
            revision: i64::from(order.revision),
            attempt: i64::from(order.attempt),
            state: order.state.name(),
            paid_by: paid_by.map(IntentId::as_str),
            cancel_reason: cancel_reason.map(CancelReason::name),
            state_at: state_at.map(pg_time),
            requested_revision: order.requested.map(|it| i64::from(it.revision)),
            requested_attempt: order.requested.map(|it| i64::from(it.attempt)),
            requested_epoch: order.requested.and_then(|it| it.epoch).map(|it| i64::from(it.0)),
            operations: i64::from(order.operations),
            operation: order.operation.as_ref().map(to_json).transpose()?,
            updated_at: pg_time(order.updated_at),
            payer: (order.payer != Payer::default()).then(|| to_json(&order.payer)).transpose()?,
        })
    }
}

parameters!(self: OrderColumns<'_> {
    customer: Nullable<SqlText> = self.customer,
    email: Nullable<SqlText> = self.email,
    total: BigInt = self.total,
    metadata: SqlText = self.metadata,
    revision: BigInt = self.revision,
    attempt: BigInt = self.attempt,
    state: SqlText = self.state,
    paid_by: Nullable<SqlText> = self.paid_by,
    cancel_reason: Nullable<SqlText> = self.cancel_reason,
    state_at: Nullable<Timestamptz> = self.state_at,
    requested_revision: Nullable<BigInt> = self.requested_revision,
    requested_attempt: Nullable<BigInt> = self.requested_attempt,
    requested_epoch: Nullable<BigInt> = self.requested_epoch,
    operations: BigInt = self.operations,
    operation: Nullable<SqlText> = self.operation,
    updated_at: Timestamptz = self.updated_at,
    payer: Nullable<SqlText> = self.payer,
});

/// Lines and adjustments, as one array for each column.
struct Content<'a> {
    names: Vec<&'a str>,
    descriptions: Vec<&'a str>,
    skus: Vec<Option<&'a str>>,
    unit_amounts: Vec<i64>,
    quantities: Vec<i64>,
    kinds: Vec<&'a str>,
    labels: Vec<&'a str>,
    amounts: Vec<i64>,
}

impl<'a> Content<'a> {
    fn of(order: &'a Order) -> Self {
        let (lines, adjustments) = (&order.lines, &order.adjustments);
        Self {
            names: lines.iter().map(|it| it.name.as_str()).collect(),
            descriptions: lines.iter().map(|it| it.description.as_str()).collect(),
            skus: lines.iter().map(|it| it.sku.as_ref().map(paywright_domain::text::Text::as_str)).collect(),
            unit_amounts: lines.iter().map(|it| it.unit_amount().minor()).collect(),
            quantities: lines.iter().map(|it| i64::from(it.quantity())).collect(),
            kinds: adjustments.iter().map(|it| it.kind.name()).collect(),
            labels: adjustments.iter().map(|it| it.label.as_str()).collect(),
            amounts: adjustments.iter().map(|it| it.amount.minor()).collect(),
        }
    }
}

parameters!(self: Content<'_> {
    line_names: Array<SqlText> = self.names,
    line_descriptions: Array<SqlText> = self.descriptions,
    line_skus: Array<Nullable<SqlText>> = self.skus,
    line_unit_amounts: Array<BigInt> = self.unit_amounts,
    line_quantities: Array<BigInt> = self.quantities,
    adjustment_kinds: Array<SqlText> = self.kinds,
    adjustment_labels: Array<SqlText> = self.labels,
    adjustment_amounts: Array<BigInt> = self.amounts,
});

/// PaymentIntents, as one array for each column.
struct Intents<'a> {
    ids: Vec<&'a str>,
    revisions: Vec<i64>,
    currencies: Vec<&'a str>,
    amounts: Vec<i64>,
    statuses: Vec<&'a str>,
    received: Vec<i64>,
    capturable: Vec<i64>,
    refunded: Vec<i64>,
    capture_asked: Vec<Option<i64>>,
    balance_currencies: Vec<Option<&'a str>>,
    balance_gross: Vec<Option<i64>>,
    balance_fees: Vec<Option<i64>>,
    last_errors: Vec<Option<String>>,
    as_of: Vec<PgTimestamp>,
    created_at: Vec<PgTimestamp>,
    confirmed_at: Vec<Option<PgTimestamp>>,
}

impl<'a> Intents<'a> {
    fn of(order: &'a Order) -> Result<Self, Failure> {
        let intents = &order.intents;
        let proceeds = || intents.iter().map(|it| it.proceeds);
        Ok(Self {
            ids: intents.iter().map(|it| it.id.as_str()).collect(),
            revisions: intents.iter().map(|it| i64::from(it.revision)).collect(),
            currencies: intents.iter().map(|it| it.currency().code()).collect(),
            amounts: intents.iter().map(|it| it.amount.minor()).collect(),
            statuses: intents.iter().map(|it| it.status.name()).collect(),
            received: intents.iter().map(|it| it.received.minor()).collect(),
            capturable: intents.iter().map(|it| it.capturable.minor()).collect(),
            refunded: intents.iter().map(|it| order.refunded_of(&it.id)).collect(),
            capture_asked: intents.iter().map(|it| it.capture_requested.map(Money::minor)).collect(),
            balance_currencies: proceeds().map(|it| it.map(|it| it.gross.currency().code())).collect(),
            balance_gross: proceeds().map(|it| it.map(|it| it.gross.minor())).collect(),
            balance_fees: proceeds().map(|it| it.map(|it| it.fee.minor())).collect(),
            last_errors: intents
                .iter()
                .map(|it| it.last_error.as_ref().map(to_json).transpose())
                .collect::<Result<_, _>>()?,
            as_of: intents.iter().map(|it| pg_time(it.as_of)).collect(),
            created_at: intents.iter().map(|it| pg_time(it.created_at)).collect(),
            confirmed_at: intents.iter().map(|it| it.confirmed_at.map(pg_time)).collect(),
        })
    }
}

parameters!(self: Intents<'_> {
    intent_ids: Array<SqlText> = self.ids,
    intent_revisions: Array<BigInt> = self.revisions,
    intent_currencies: Array<SqlText> = self.currencies,
    intent_amounts: Array<BigInt> = self.amounts,
    intent_statuses: Array<SqlText> = self.statuses,
    intent_received: Array<BigInt> = self.received,
    intent_capturable: Array<BigInt> = self.capturable,
    intent_refunded: Array<BigInt> = self.refunded,
    intent_capture_asked: Array<Nullable<BigInt>> = self.capture_asked,
    intent_balance_currencies: Array<Nullable<SqlText>> = self.balance_currencies,
    intent_balance_gross: Array<Nullable<BigInt>> = self.balance_gross,
    intent_balance_fees: Array<Nullable<BigInt>> = self.balance_fees,
    intent_last_errors: Array<Nullable<SqlText>> = self.last_errors,
    intent_as_of: Array<Timestamptz> = self.as_of,
    intent_created_at: Array<Timestamptz> = self.created_at,
    intent_confirmed_at: Array<Nullable<Timestamptz>> = self.confirmed_at,
});

/// Refunds, as one array for each column.
struct Refunds<'a> {
    numbers: Vec<i64>,
    intents: Vec<&'a str>,
    provider_ids: Vec<Option<&'a str>>,
    currencies: Vec<&'a str>,
    amounts: Vec<i64>,
    reasons: Vec<Option<&'a str>>,
    origins: Vec<&'a str>,
    statuses: Vec<&'a str>,
    attempts: Vec<i64>,
    failures: Vec<Option<&'a str>>,
    requested_at: Vec<PgTimestamp>,
    epochs: Vec<Option<i64>>,
    requests: Vec<Option<Uuid>>,
}

impl<'a> Refunds<'a> {
    fn of(order: &'a Order) -> Self {
        let refunds = &order.refunds;
        Self {
            numbers: refunds.iter().map(|it| i64::from(it.number)).collect(),
            intents: refunds.iter().map(|it| it.intent.as_str()).collect(),
            provider_ids: refunds.iter().map(|it| it.provider_id.as_ref().map(RefundId::as_str)).collect(),
            currencies: refunds.iter().map(|it| it.amount.currency().code()).collect(),
            amounts: refunds.iter().map(|it| it.amount.minor()).collect(),
            reasons: refunds.iter().map(|it| it.reason.map(RefundReason::name)).collect(),
            origins: refunds.iter().map(|it| it.origin.name()).collect(),
            statuses: refunds.iter().map(|it| it.status.name()).collect(),
            attempts: refunds.iter().map(|it| i64::from(it.attempt)).collect(),
            failures: refunds.iter().map(|it| it.failure.as_ref().map(RefundFailure::as_str)).collect(),
            requested_at: refunds.iter().map(|it| pg_time(it.requested_at)).collect(),
            requests: refunds.iter().map(|it| it.request).collect(),
            epochs: refunds.iter().map(|it| it.epoch.map(|it| i64::from(it.0))).collect(),
        }
    }
}

parameters!(self: Refunds<'_> {
    refund_numbers: Array<BigInt> = self.numbers,
    refund_intents: Array<SqlText> = self.intents,
    refund_provider_ids: Array<Nullable<SqlText>> = self.provider_ids,
    refund_currencies: Array<SqlText> = self.currencies,
    refund_amounts: Array<BigInt> = self.amounts,
    refund_reasons: Array<Nullable<SqlText>> = self.reasons,
    refund_origins: Array<SqlText> = self.origins,
    refund_statuses: Array<SqlText> = self.statuses,
    refund_attempts: Array<BigInt> = self.attempts,
    refund_failures: Array<Nullable<SqlText>> = self.failures,
    refund_requested_at: Array<Timestamptz> = self.requested_at,
    refund_epochs: Array<Nullable<BigInt>> = self.epochs,
    refund_requests: Array<Nullable<SqlUuid>> = self.requests,
});

/// Disputes, as one array for each column.
struct Disputes<'a> {
    ids: Vec<&'a str>,
    intents: Vec<&'a str>,
    currencies: Vec<&'a str>,
    amounts: Vec<i64>,
    statuses: Vec<&'a str>,
    reasons: Vec<&'a str>,
    due_by: Vec<Option<PgTimestamp>>,
    withdrawn: Vec<bool>,
    reinstated: Vec<bool>,
}

impl<'a> Disputes<'a> {
    fn of(order: &'a Order) -> Self {
        let disputes = &order.disputes;
        Self {
            ids: disputes.iter().map(|it| DisputeId::as_str(&it.id)).collect(),
            intents: disputes.iter().map(|it| it.intent.as_str()).collect(),
            currencies: disputes.iter().map(|it| it.amount.currency().code()).collect(),
            amounts: disputes.iter().map(|it| it.amount.minor()).collect(),
            statuses: disputes.iter().map(|it| it.status.name()).collect(),
            reasons: disputes.iter().map(|it| it.reason.as_str()).collect(),
            due_by: disputes.iter().map(|it| it.due_by.map(pg_time)).collect(),
            withdrawn: disputes.iter().map(|it| it.withdrawn).collect(),
            reinstated: disputes.iter().map(|it| it.reinstated).collect(),
        }
    }
}

parameters!(self: Disputes<'_> {
    dispute_ids: Array<SqlText> = self.ids,
    dispute_intents: Array<SqlText> = self.intents,
    dispute_currencies: Array<SqlText> = self.currencies,
    dispute_amounts: Array<BigInt> = self.amounts,
    dispute_statuses: Array<SqlText> = self.statuses,
    dispute_reasons: Array<SqlText> = self.reasons,
    dispute_due_by: Array<Nullable<Timestamptz>> = self.due_by,
    dispute_withdrawn: Array<Bool> = self.withdrawn,
    dispute_reinstated: Array<Bool> = self.reinstated,
});

/// Anomalies, as one array for each column.
struct Anomalies<'a> {
    intents: Vec<&'a str>,
    names: Vec<&'a str>,
    payloads: Vec<String>,
    policies: Vec<&'a str>,
    reasons: Vec<Option<&'a str>>,
    found_at: Vec<PgTimestamp>,
}

impl<'a> Anomalies<'a> {
    fn of(order: &'a Order) -> Result<Self, Failure> {
        let anomalies = &order.anomalies;
        Ok(Self {
            // Empty if it concerns no PaymentIntent: the column is NOT NULL.
            intents: anomalies.iter().map(|it| it.intent.as_ref().map_or("", IntentId::as_str)).collect(),
            names: anomalies.iter().map(|it| it.kind.name()).collect(),
            payloads: anomalies.iter().map(|it| to_json(&it.kind.details())).collect::<Result<_, _>>()?,
            policies: anomalies.iter().map(|it| it.kind.policy_name()).collect(),
            reasons: anomalies.iter().map(|it| it.reason.as_deref()).collect(),
            found_at: anomalies.iter().map(|it| pg_time(it.found_at)).collect(),
        })
    }
}

parameters!(self: Anomalies<'_> {
    anomaly_intents: Array<SqlText> = self.intents,
    anomaly_names: Array<SqlText> = self.names,
    anomaly_payloads: Array<SqlText> = self.payloads,
    anomaly_policies: Array<SqlText> = self.policies,
    anomaly_reasons: Array<Nullable<SqlText>> = self.reasons,
    anomaly_found_at: Array<Timestamptz> = self.found_at,
});

/// Facts and tasks, as one array for each column, and what the feed shows of the facts.
struct Events<'a> {
    at: PgTimestamp,
    cause: Option<String>,
    kinds: Vec<&'a str>,
    facts: Vec<String>,
    keys: Vec<String>,
    tasks: Vec<String>,
    due_at: Vec<PgTimestamp>,
    public: Vec<i32>,
    view: Option<&'a str>,
    personal: Option<&'a str>,
    shown_livemode: Option<bool>,
}

impl<'a> Events<'a> {
    fn of(changes: &'a Changes) -> Result<Self, Failure> {
        let (facts, tasks) = (&changes.facts, &changes.tasks);
        let snapshot = changes.snapshot.as_ref();
        Ok(Self {
            at: pg_time(changes.at),
            cause: changes.cause.as_ref().map(to_json).transpose()?,
            kinds: facts.iter().map(Fact::kind).collect(),
            facts: facts.iter().map(to_json).collect::<Result<_, _>>()?,
            keys: tasks.iter().map(|it| it.task.key().as_str().to_owned()).collect(),
            tasks: tasks.iter().map(|it| to_json(&it.task)).collect::<Result<_, _>>()?,
            due_at: tasks.iter().map(|it| pg_time(it.due_at)).collect(),
            public: snapshot.iter().flat_map(|_| changes.public_facts()).map(|(index, _)| index.into()).collect(),
            view: snapshot.map(|it| it.view.as_str()),
            personal: snapshot.and_then(|it| it.personal.as_deref()),
            shown_livemode: snapshot.map(|it| it.livemode),
        })
    }
}

parameters!(self: Events<'_> {
    at: Timestamptz = self.at,
    cause: Nullable<SqlText> = self.cause,
    fact_kinds: Array<SqlText> = self.kinds,
    facts: Array<SqlText> = self.facts,
    task_keys: Array<SqlText> = self.keys,
    tasks: Array<SqlText> = self.tasks,
    task_due_at: Array<Timestamptz> = self.due_at,
    public_facts: Array<Integer> = self.public,
    snapshot_view: Nullable<SqlText> = self.view,
    snapshot_personal: Nullable<SqlText> = self.personal,
    snapshot_livemode: Nullable<Bool> = self.shown_livemode,
});

/// Columns of the idempotency record in a commit; its time is that of the commit.
struct IdempotencyColumns<'a> {
    scope: Option<Uuid>,
    key: Option<&'a str>,
    fingerprint: Option<&'a [u8]>,
    answer: Option<Cow<'a, str>>,
}

impl<'a> IdempotencyColumns<'a> {
    fn of(changes: &'a Changes) -> Self {
        let record = changes.idempotency.as_ref();
        Self {
            scope: record.map(|it| it.key.scope),
            key: record.map(|it| it.key.key.as_str()),
            fingerprint: record.map(|it| it.fingerprint.as_slice()),
            answer: record.map(|it| it.outcome.stored()),
        }
    }
}

parameters!(self: IdempotencyColumns<'_> {
    idempotency_scope: Nullable<SqlUuid> = self.scope,
    idempotency_key: Nullable<SqlText> = self.key,
    idempotency_fingerprint: Nullable<Binary> = self.fingerprint,
    idempotency_answer: Nullable<SqlText> = self.answer,
});

pub(crate) struct AddApiKey<'a> {
    key: &'a ApiKey,
    digest: &'a [u8],
    scopes: String,
    created_at: PgTimestamp,
    expires_at: Option<PgTimestamp>,
    revoked_at: Option<PgTimestamp>,
}

impl<'a> AddApiKey<'a> {
    pub(crate) fn of(key: &'a ApiKey) -> Self {
        Self {
            key,
            digest: &key.digest,
            scopes: key.scopes.iter().map(|it| it.name()).collect::<Vec<_>>().join(" "),
            created_at: pg_time(key.created_at),
            expires_at: key.expires_at.map(pg_time),
            revoked_at: key.revoked_at.map(pg_time),
        }
    }
}

statement!(AddApiKey<'_> => (),
    concat!(
        "INSERT INTO api_keys (id, name, digest, scopes, created_at, expires_at, revoked_at) ",
        "VALUES (:id, :name, :digest, :scopes, :created_at, :expires_at, :revoked_at)",
    ),
    self {
        id: SqlUuid = self.key.id,
        name: SqlText = self.key.name,
        digest: Binary = self.digest,
        scopes: SqlText = self.scopes,
        created_at: Timestamptz = self.created_at,
        expires_at: Nullable<Timestamptz> = self.expires_at,
        revoked_at: Nullable<Timestamptz> = self.revoked_at,
    }
);

/// Statement that revokes a key; the first revocation is kept.
pub(crate) struct RevokeApiKey {
    at: PgTimestamp,
    id: Uuid,
}

impl RevokeApiKey {
    pub(crate) fn of(id: Uuid, at: Timestamp) -> Self {
        Self { at: pg_time(at), id }
    }
}

statement!(RevokeApiKey => (), "UPDATE api_keys SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id", self {
    at: Timestamptz = self.at,
    id: SqlUuid = self.id,
});
