//! Writes. Each commit is one statement, so it is one round trip and one transaction.

use std::borrow::Cow;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid,
};
use paywright_app::stored::{
    ColumnError, StoredAdjustment, StoredAnomaly, StoredDispute, StoredFact, StoredIdempotencyRecord, StoredIntent,
    StoredLine, StoredRefund,
};
use paywright_app::{Changes, Version};
use paywright_domain::task::TaskKey;
use paywright_domain::{Fact, Order};
use uuid::Uuid;

use crate::audit_trail::Entries;
use crate::failure::Failure;
use crate::orders::{ChangedColumns, PlacedColumns, columns_of};
use crate::parts::{Adjustments, Anomalies, Disputes, Intents, Lines, Refunds};
use crate::queue::EventColumns;
use crate::rows::{pg_time, to_json};
use crate::sql::{CHANGE, CHANGE_ALL, PLACE};
use crate::statement::{parameters, statement};

/// First commit of an order (`place.sql`).
pub(crate) struct Place<'a> {
    id: Uuid,
    placed: PlacedColumns<'a>,
    changed: ChangedColumns<'a>,
    content: Content<'a>,
    events: Events<'a>,
    idempotency: IdempotencyColumns<'a>,
}

/// Later commit of the usual kind (`change.sql`): the content is unchanged, and there are no refunds, disputes or
/// anomalies, and no entries of the audit trail.
pub(crate) struct Change<'a> {
    id: Uuid,
    expected: i64,
    edits: bool,
    columns: ChangedColumns<'a>,
    has_intents: bool,
    intents: Intents<'a>,
    events: Events<'a>,
    finished: Vec<&'a str>,
    has_event: bool,
    received: EventColumns<'a>,
}

/// Later commit of any kind (`change.sql` and `rest.sql`).
pub(crate) struct ChangeAll<'a> {
    change: Change<'a>,
    refunds: Refunds<'a>,
    disputes: Disputes<'a>,
    anomalies: Anomalies<'a>,
    idempotency: IdempotencyColumns<'a>,
    audit: Entries<'a>,
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
        let ((placed, columns), events) = (columns_of(order)?, Events::of(changes)?);
        let idempotency = IdempotencyColumns::of(changes);
        if changes.expected == Version::NEW {
            let (id, content) = (order.id.0, Content::of(order)?);
            return Ok(Self::Place(Box::new(Place { id, placed, changed: columns, content, events, idempotency })));
        }
        let edits = changes.edits_content();
        let change = Change {
            id: order.id.0,
            expected: i64::from(changes.expected.0),
            edits,
            columns,
            has_intents: !order.intents.is_empty(),
            intents: Intents::of(order.intents.iter().map(|it| StoredIntent::of(order, it)))?,
            events,
            finished: changes.finished.iter().map(TaskKey::as_str).collect(),
            has_event: changes.received.is_some(),
            received: changes.received.as_ref().map(EventColumns::of).transpose()?.unwrap_or_default(),
        };
        let all_fits = order.anomalies.is_empty() && order.refunds.is_empty() && order.disputes.is_empty();
        if !edits && all_fits && changes.idempotency.is_none() && changes.audit.is_empty() {
            return Ok(Self::Change(Box::new(change)));
        }
        Ok(Self::ChangeAll(Box::new(ChangeAll {
            change,
            refunds: Refunds::of(order.refunds.iter().map(|it| Ok(StoredRefund::of(it))))?,
            disputes: Disputes::of(order.disputes.iter().map(|it| Ok(StoredDispute::of(it))))?,
            anomalies: Anomalies::of(order.anomalies.iter().map(StoredAnomaly::of))?,
            idempotency,
            audit: Entries::of_all(&changes.audit)?,
            content: Content::of(order)?,
        })))
    }
}

statement!(Place<'_> => (), PLACE, self {
    order_id: SqlUuid = self.id,
    ..PlacedColumns = self.placed,
    ..ChangedColumns = self.changed,
    ..Content = self.content,
    ..Events = self.events,
    ..IdempotencyColumns = self.idempotency,
}, sections {
    "keyed" if self.idempotency.key.is_some(),
    "adjusted" if self.content.has_adjustments,
    "scheduled" if self.events.has_tasks(),
    "public" if self.events.is_public(),
});

statement!(Change<'_> => (), CHANGE, self {
    order_id: SqlUuid = self.id,
    expected_version: BigInt = self.expected,
    edits_content: Bool = self.edits,
    finished_tasks: Array<SqlText> = self.finished,
    ..ChangedColumns = self.columns,
    ..Intents = self.intents,
    ..Events = self.events,
    ..EventColumns = self.received,
}, sections {
    "issued" if self.has_intents,
    "scheduled" if self.events.has_tasks(),
    "public" if self.events.is_public(),
    "finished" if !self.finished.is_empty(),
    "received" if self.has_event,
});

statement!(ChangeAll<'_> => (), CHANGE_ALL, self {
    ..Change = self.change,
    ..Content = self.content,
    ..Refunds = self.refunds,
    ..Disputes = self.disputes,
    ..Anomalies = self.anomalies,
    ..IdempotencyColumns = self.idempotency,
    ..Entries = self.audit,
});

/// Lines and adjustments.
struct Content<'a> {
    lines: Lines<'a>,
    has_adjustments: bool,
    adjustments: Adjustments<'a>,
}

impl<'a> Content<'a> {
    fn of(order: &'a Order) -> Result<Self, ColumnError> {
        Ok(Self {
            lines: Lines::of(order.lines.iter().map(|it| Ok(StoredLine::of(it))))?,
            has_adjustments: !order.adjustments.is_empty(),
            adjustments: Adjustments::of(order.adjustments.iter().map(|it| Ok(StoredAdjustment::of(order, it))))?,
        })
    }
}

parameters!(self: Content<'_> {
    ..Lines = self.lines,
    ..Adjustments = self.adjustments,
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
            cause: changes.cause.as_ref().map(StoredFact::document).transpose()?,
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

impl Events<'_> {
    /// Whether tasks are scheduled.
    const fn has_tasks(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether the feed gets facts.
    const fn is_public(&self) -> bool {
        self.view.is_some()
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

/// Columns of the idempotency record in a commit; its order and its time are those of the commit.
struct IdempotencyColumns<'a> {
    scope: Option<Uuid>,
    key: Option<Cow<'a, str>>,
    fingerprint: Option<Cow<'a, [u8]>>,
    answer: Option<Cow<'a, str>>,
}

impl<'a> IdempotencyColumns<'a> {
    fn of(changes: &'a Changes) -> Self {
        match changes.idempotency.as_ref().map(StoredIdempotencyRecord::of) {
            None => Self { scope: None, key: None, fingerprint: None, answer: None },
            Some(StoredIdempotencyRecord { scope, key, fingerprint, order_id: _, answer, at: _ }) => {
                Self { scope: Some(scope), key: Some(key), fingerprint: Some(fingerprint), answer: Some(answer) }
            }
        }
    }
}

parameters!(self: IdempotencyColumns<'_> {
    idempotency_scope: Nullable<SqlUuid> = self.scope,
    idempotency_key: Nullable<SqlText> = self.key,
    idempotency_fingerprint: Nullable<Binary> = self.fingerprint,
    idempotency_answer: Nullable<SqlText> = self.answer,
});
