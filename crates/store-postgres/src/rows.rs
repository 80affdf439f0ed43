//! Conversion between rows and the domain, both ways. A row that the domain could not have produced is
//! [`Failure::BadRow`], never a guess.

use std::collections::BTreeMap;
use std::fmt::Display;

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Record, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{
    ApiKey, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, LeasedEvent, LeasedTask, Position, RecordedFact,
    Rescheduled, Scope, StoredTask, Version, Versioned,
};
use paywright_domain::anomaly::{Anomaly, AnomalyKind};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{CustomerId, DisputeId, Epoch, OrderNumber, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError, IntentRequest, PaymentIntent, Proceeds};
use paywright_domain::operation::Operation;
use paywright_domain::order::{Adjustment, AdjustmentKind, CancelReason, Metadata, OrderData, OrderState};
use paywright_domain::refund::{Refund, RefundFailure, RefundOrigin, RefundReason};
use paywright_domain::text::{Email, Text, TextProblem};
use paywright_domain::{Currency, IntentId, LineItem, Money, Order, OrderId, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;

/// Reader of one column, whose errors name the table and the column.
#[derive(Clone, Copy)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str);

impl Column {
    pub(crate) fn read<T, E: Display>(self, value: Result<T, E>) -> Result<T, Failure> {
        value.map_err(|problem| Failure::BadRow { table: self.0, column: self.1, problem: problem.to_string() })
    }

    pub(crate) fn found<T>(self, value: Option<T>) -> Result<T, Failure> {
        self.read(value.ok_or("is not a value that is ever written"))
    }

    pub(crate) fn count(self, value: i64) -> Result<u32, Failure> {
        self.read(u32::try_from(value))
    }

    /// Reads a position of the feed.
    pub(crate) fn position(self, value: i64) -> Result<Position, Failure> {
        self.read(u64::try_from(value).map(Position))
    }

    fn epoch(self, value: Option<i64>) -> Result<Option<Epoch>, Failure> {
        value.map(|it| self.count(it).map(Epoch)).transpose()
    }

    pub(crate) fn time(self, at: PgTimestamp) -> Result<Timestamp, Failure> {
        self.read(Timestamp::from_unix_micros(at.0.saturating_add(MICROS_TO_2000)))
    }

    fn money(self, minor: i64, currency: Currency) -> Result<Money, Failure> {
        self.read(Money::new(minor, currency))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(self, text: &str) -> Result<T, Failure> {
        self.read(serde_json::from_str(text))
    }
}

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const MICROS_TO_2000: i64 = 946_684_800_000_000;

/// Position of the feed as PostgreSQL stores it.
pub(crate) fn pg_position(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

pub(crate) fn pg_time(at: Timestamp) -> PgTimestamp {
    PgTimestamp(at.unix_micros().saturating_sub(MICROS_TO_2000))
}

/// Converts a value to the JSON of its column. These are our own plain data, for which this cannot fail; if it did,
/// nothing would be written.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Column("(any)", "payload").read(serde_json::to_string(value))
}

/// Columns that `order.sql` returns.
pub(crate) type OrderColumns = (
    SqlUuid,
    SqlText,
    BigInt,
    Nullable<SqlText>,
    Nullable<SqlText>,
    SqlText,
    BigInt,
    SqlText,
    SqlText,
    Bool,
    BigInt,
    BigInt,
    SqlText,
    Nullable<SqlText>,
    Nullable<SqlText>,
    Nullable<Timestamptz>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    BigInt,
    Nullable<SqlText>,
    Nullable<SqlText>,
    Timestamptz,
    Timestamptz,
    BigInt,
    Array<Record<(SqlText, SqlText, Nullable<SqlText>, BigInt, BigInt)>>,
    Array<Record<(SqlText, SqlText, BigInt)>>,
    Array<Record<IntentColumns>>,
    Array<Record<RefundColumns>>,
    Array<Record<DisputeColumns>>,
    Array<Record<(SqlText, SqlText, SqlText, Nullable<SqlText>, Timestamptz)>>,
);
type IntentColumns = (
    SqlText,
    BigInt,
    SqlText,
    BigInt,
    SqlText,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<SqlText>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<SqlText>,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
);
type RefundColumns = (
    BigInt,
    SqlText,
    Nullable<SqlText>,
    SqlText,
    BigInt,
    Nullable<SqlText>,
    SqlText,
    SqlText,
    BigInt,
    Nullable<SqlText>,
    Timestamptz,
    Nullable<BigInt>,
    Nullable<SqlUuid>,
);
type DisputeColumns = (SqlText, SqlText, SqlText, BigInt, SqlText, SqlText, Nullable<Timestamptz>, Bool, Bool);

/// Row of an order with its lines, payments, refunds, disputes and anomalies.
#[derive(Queryable)]
pub(crate) struct OrderRow {
    id: Uuid,
    number: String,
    version: i64,
    customer: Option<String>,
    email: Option<String>,
    currency: String,
    total: i64,
    capture: String,
    metadata: String,
    livemode: bool,
    revision: i64,
    attempt: i64,
    state: String,
    paid_by: Option<String>,
    cancel_reason: Option<String>,
    state_at: Option<PgTimestamp>,
    requested_revision: Option<i64>,
    requested_attempt: Option<i64>,
    requested_epoch: Option<i64>,
    operations: i64,
    operation: Option<String>,
    payer: Option<String>,
    placed_at: PgTimestamp,
    updated_at: PgTimestamp,
    epoch: i64,
    lines: Vec<LineRow>,
    adjustments: Vec<AdjustmentRow>,
    intents: Vec<IntentRow>,
    refunds: Vec<RefundRow>,
    disputes: Vec<DisputeRow>,
    anomalies: Vec<AnomalyRow>,
}

/// Columns of a line: name, description, SKU, unit amount, quantity.
type LineRow = (String, String, Option<String>, i64, i64);
/// Columns of an adjustment: kind, label, amount.
type AdjustmentRow = (String, String, i64);
/// Columns of a PaymentIntent: Stripe's id, revision, currency, amount, status, received, capturable, requested capture,
/// currency, gross and fee on the balance, last error, as of, created at, confirmed at.
type IntentRow = (
    String,
    i64,
    String,
    i64,
    String,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    PgTimestamp,
    PgTimestamp,
    Option<PgTimestamp>,
);
/// Columns of a refund: number, intent, Stripe's id, currency, amount, reason, origin, status, attempt, failure,
/// requested at, epoch, request.
type RefundRow = (
    i64,
    String,
    Option<String>,
    String,
    i64,
    Option<String>,
    String,
    String,
    i64,
    Option<String>,
    PgTimestamp,
    Option<i64>,
    Option<Uuid>,
);
/// Columns of a dispute: Stripe's id, intent, currency, amount, status, reason, due by, withdrawn, reinstated.
type DisputeRow = (String, String, String, i64, String, String, Option<PgTimestamp>, bool, bool);
/// Columns of an anomaly: Stripe's id of the intent, payload, policy, reason, found at.
type AnomalyRow = (String, String, String, Option<String>, PgTimestamp);

impl OrderRow {
    pub(crate) fn restore(self) -> Result<Versioned<Order>, Failure> {
        let column = |name| Column("orders", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        let paid_by = column("paid_by").read(self.paid_by.map(IntentId::new).transpose())?;
        let cancel_reason =
            self.cancel_reason.map(|it| column("cancel_reason").found(CancelReason::named(&it))).transpose()?;
        let state_at = self.state_at.map(|it| column("state_at").time(it)).transpose()?;
        let state = column("state").found(OrderState::of_parts(&self.state, paid_by, cancel_reason, state_at))?;
        let requested = match (self.requested_revision, self.requested_attempt) {
            (Some(revision), Some(attempt)) => Some(IntentRequest {
                revision: column("requested_revision").count(revision)?,
                attempt: column("requested_attempt").count(attempt)?,
                epoch: column("requested_epoch").epoch(self.requested_epoch)?,
            }),
            (_, _) => None,
        };
        let metadata: BTreeMap<String, String> = column("metadata").json(&self.metadata)?;
        let metadata = metadata
            .into_iter()
            .map(|(key, value)| Ok((Text::new(key)?, Text::new(value)?)))
            .collect::<Result<Metadata, TextProblem>>();
        let data = OrderData {
            id: OrderId(self.id),
            number: column("number").read(OrderNumber::parse(&self.number))?,
            customer: column("customer").read(self.customer.map(CustomerId::new).transpose())?,
            email: column("email").read(self.email.map(Email::restore).transpose())?,
            payer: self.payer.map(|it| column("payer").json(&it)).transpose()?.unwrap_or_default(),
            lines: self.lines.into_iter().map(|it| line(it, currency)).collect::<Result<_, _>>()?,
            adjustments: self.adjustments.into_iter().map(|it| adjustment(it, currency)).collect::<Result<_, _>>()?,
            total: column("total").money(self.total, currency)?,
            capture: column("capture").found(CaptureMethod::named(&self.capture))?,
            metadata: column("metadata").read(metadata)?,
            livemode: self.livemode,
            revision: column("revision").count(self.revision)?,
            attempt: column("attempt").count(self.attempt)?,
            state,
            requested,
            operations: column("operations").count(self.operations)?,
            operation: self.operation.map(|it| column("operation").json::<Operation>(&it)).transpose()?,
            intents: self.intents.into_iter().map(intent).collect::<Result<_, _>>()?,
            refunds: self.refunds.into_iter().map(refund).collect::<Result<_, _>>()?,
            disputes: self.disputes.into_iter().map(dispute).collect::<Result<_, _>>()?,
            anomalies: self.anomalies.into_iter().map(anomaly).collect::<Result<_, _>>()?,
            placed_at: column("placed_at").time(self.placed_at)?,
            updated_at: column("updated_at").time(self.updated_at)?,
            epoch: Epoch(Column("installation", "epoch").count(self.epoch)?),
        };
        let version = Version(column("version").count(self.version)?);
        Ok(Versioned { version, value: column("(row)").read(Order::restore(data))? })
    }
}

fn line((name, description, sku, unit_amount, quantity): LineRow, currency: Currency) -> Result<LineItem, Failure> {
    let column = |name| Column("order_lines", name);
    let unit_amount = column("unit_amount").money(unit_amount, currency)?;
    let mut line = column("(row)").read(LineItem::new(name, unit_amount, column("quantity").count(quantity)?))?;
    line.description = column("description").read(Text::new(description))?;
    line.sku = column("sku").read(sku.map(Text::new).transpose())?;
    Ok(line)
}

fn adjustment((kind, label, amount): AdjustmentRow, currency: Currency) -> Result<Adjustment, Failure> {
    let column = |name| Column("order_adjustments", name);
    Ok(Adjustment {
        kind: column("kind").found(AdjustmentKind::named(&kind))?,
        label: column("label").read(Text::new(label))?,
        amount: column("amount").money(amount, currency)?,
    })
}

fn intent(row: IntentRow) -> Result<PaymentIntent, Failure> {
    let (
        id,
        revision,
        currency,
        amount,
        status,
        received,
        capturable,
        requested,
        balance,
        gross,
        fee,
        error,
        as_of,
        made,
        confirmed,
    ) = row;
    let column = |name| Column("payment_intents", name);
    let currency: Currency = column("currency").read(currency.parse())?;
    let proceeds = match (balance, gross, fee) {
        (Some(balance), Some(gross), Some(fee)) => {
            let balance: Currency = column("balance_currency").read(balance.parse())?;
            let (gross, fee) =
                (column("balance_gross").money(gross, balance)?, column("balance_fee").money(fee, balance)?);
            Some(Proceeds { gross, fee })
        }
        (_, _, _) => None,
    };
    Ok(PaymentIntent {
        id: column("provider_id").read(IntentId::new(id))?,
        revision: column("revision").count(revision)?,
        amount: column("amount").money(amount, currency)?,
        status: column("status").found(status.parse().ok())?,
        received: column("received").money(received, currency)?,
        confirmed_at: confirmed.map(|it| column("confirmed_at").time(it)).transpose()?,
        capturable: column("capturable").money(capturable, currency)?,
        capture_requested: requested.map(|it| column("capture_asked").money(it, currency)).transpose()?,
        proceeds,
        last_error: error.map(|it| column("last_error").json::<IntentError>(&it)).transpose()?,
        as_of: column("as_of").time(as_of)?,
        created_at: column("created_at").time(made)?,
    })
}

fn refund(row: RefundRow) -> Result<Refund, Failure> {
    let (number, intent, provider_id, currency, amount, reason, origin, status, attempt, failure, at, epoch, request) =
        row;
    let column = |name| Column("refunds", name);
    Ok(Refund {
        number: column("number").count(number)?,
        intent: column("intent_id").read(IntentId::new(intent))?,
        amount: column("amount").money(amount, column("currency").read(currency.parse())?)?,
        reason: reason.map(|it| column("reason").found(RefundReason::named(&it))).transpose()?,
        origin: column("origin").found(RefundOrigin::named(&origin))?,
        status: column("status").found(status.parse().ok())?,
        provider_id: column("provider_id").read(provider_id.map(RefundId::new).transpose())?,
        attempt: column("attempt").count(attempt)?,
        failure: failure.map(RefundFailure::from),
        requested_at: column("requested_at").time(at)?,
        epoch: column("epoch").epoch(epoch)?,
        request,
    })
}

fn dispute(row: DisputeRow) -> Result<Dispute, Failure> {
    let (id, intent, currency, amount, status, reason, due_by, withdrawn, reinstated) = row;
    let column = |name| Column("disputes", name);
    Ok(Dispute {
        id: column("provider_id").read(DisputeId::new(id))?,
        intent: column("intent_id").read(IntentId::new(intent))?,
        amount: column("amount").money(amount, column("currency").read(currency.parse())?)?,
        status: column("status").found(status.parse().ok())?,
        reason,
        due_by: due_by.map(|it| column("due_by").time(it)).transpose()?,
        withdrawn,
        reinstated,
    })
}

fn anomaly((id, payload, policy, reason, found_at): AnomalyRow) -> Result<Anomaly, Failure> {
    let column = |name| Column("anomalies", name);
    Ok(Anomaly {
        intent: column("provider_id").read((!id.is_empty()).then(|| IntentId::new(id)).transpose())?,
        kind: column("policy").found(AnomalyKind::restore(column("payload").json(&payload)?, &policy))?,
        reason,
        found_at: column("found_at").time(found_at)?,
    })
}

#[derive(Queryable)]
pub(crate) struct FactRow {
    version: i64,
    payload: String,
    at: PgTimestamp,
    cause: Option<String>,
}

impl FactRow {
    pub(crate) fn restore(self) -> Result<RecordedFact, Failure> {
        let column = |name| Column("facts", name);
        Ok(RecordedFact {
            version: Version(column("version").count(self.version)?),
            fact: column("payload").json(&self.payload)?,
            at: column("at").time(self.at)?,
            cause: self.cause.map(|it| column("cause").json(&it)).transpose()?,
        })
    }
}

#[derive(Queryable)]
pub(crate) struct StoredTaskRow {
    payload: String,
    due_at: PgTimestamp,
    taken: i64,
    leased_until: Option<PgTimestamp>,
    error: Option<String>,
}

impl StoredTaskRow {
    pub(crate) fn restore(self) -> Result<StoredTask, Failure> {
        let column = |name| Column("tasks", name);
        Ok(StoredTask {
            task: column("payload").json(&self.payload)?,
            due_at: column("due_at").time(self.due_at)?,
            taken: column("taken").count(self.taken)?,
            leased_until: self.leased_until.map(|it| column("leased_until").time(it)).transpose()?,
            error: self.error,
        })
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

#[derive(Queryable)]
pub(crate) struct IdempotencyRow {
    fingerprint: Vec<u8>,
    order: Uuid,
    answer: String,
    at: PgTimestamp,
}

impl IdempotencyRow {
    pub(crate) fn restore(self, key: &IdempotencyKey) -> Result<IdempotencyRecord, Failure> {
        let column = |name| Column("idempotency_records", name);
        Ok(IdempotencyRecord {
            key: key.clone(),
            fingerprint: column("fingerprint").found(self.fingerprint.try_into().ok())?,
            order: OrderId(self.order),
            outcome: IdempotencyOutcome::restore(self.answer),
            at: column("at").time(self.at)?,
        })
    }
}

#[derive(Queryable)]
pub(crate) struct ApiKeyRow {
    id: Uuid,
    name: String,
    digest: Vec<u8>,
    scopes: String,
    created_at: PgTimestamp,
    expires_at: Option<PgTimestamp>,
    revoked_at: Option<PgTimestamp>,
}

impl ApiKeyRow {
    pub(crate) fn restore(self) -> Result<ApiKey, Failure> {
        let column = |name| Column("api_keys", name);
        let time = |name, at: Option<PgTimestamp>| at.map(|it| column(name).time(it)).transpose();
        Ok(ApiKey {
            id: self.id,
            name: self.name,
            digest: column("digest").found(self.digest.try_into().ok())?,
            scopes: column("scopes")
                .read(self.scopes.split_whitespace().map(str::parse::<Scope>).collect::<Result<_, _>>())?,
            created_at: column("created_at").time(self.created_at)?,
            expires_at: time("expires_at", self.expires_at)?,
            revoked_at: time("revoked_at", self.revoked_at)?,
        })
    }
}
