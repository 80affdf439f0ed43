//! Conversion between rows and the domain, both ways. A row that the domain could not have produced is
//! [`Failure::BadRow`], never a guess.

use std::collections::BTreeMap;
use std::fmt::Display;

use diesel::prelude::*;
use paywright_app::{
    ApiKey, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, LeasedEvent, ReceivedEvent, Scope, StoredTask,
};
use paywright_domain::anomaly::{Anomaly, AnomalyKind};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{CustomerId, DisputeId, Epoch, OrderNumber, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError, IntentRequest, PaymentIntent, Proceeds};
use paywright_domain::operation::Operation;
use paywright_domain::order::{Adjustment, AdjustmentKind, CancelReason, Metadata, OrderData, OrderState, Payer};
use paywright_domain::refund::{Refund, RefundFailure, RefundOrigin, RefundReason};
use paywright_domain::text::{Email, Text};
use paywright_domain::{Currency, IntentId, LineItem, Money, Order, OrderId, Timestamp};
use uuid::Uuid;

use crate::failure::Failure;
use crate::schema::{
    anomalies, api_keys, disputes, facts, idempotency_records, order_adjustments, order_lines, orders, payment_intents,
    refunds, tasks, webhook_inbox,
};

/// Reader of one column, whose errors name the table and the column.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str);

impl Column {
    pub(crate) fn bad(&self, problem: &dyn Display) -> Failure {
        Failure::BadRow { table: self.0, column: self.1, problem: problem.to_string() }
    }

    pub(crate) fn read<T, E: Display>(&self, value: Result<T, E>) -> Result<T, Failure> {
        value.map_err(|problem| self.bad(&problem))
    }

    pub(crate) fn found<T>(&self, value: Option<T>) -> Result<T, Failure> {
        value.ok_or_else(|| self.bad(&"is a value that is never written"))
    }

    pub(crate) fn uuid(&self, bytes: &[u8]) -> Result<Uuid, Failure> {
        self.read(Uuid::from_slice(bytes))
    }

    pub(crate) fn count(&self, value: i64) -> Result<u32, Failure> {
        self.read(u32::try_from(value))
    }

    pub(crate) fn epoch(&self, value: Option<i64>) -> Result<Option<Epoch>, Failure> {
        value.map(|it| self.count(it).map(Epoch)).transpose()
    }

    pub(crate) fn time(&self, micros: i64) -> Result<Timestamp, Failure> {
        self.read(Timestamp::from_unix_micros(micros))
    }

    pub(crate) fn money(&self, minor: i64, currency: Currency) -> Result<Money, Failure> {
        self.read(Money::new(minor, currency))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, Failure> {
        self.read(serde_json::from_str(text))
    }
}

/// Converts a value to the JSON of its column. These are our own plain data, for which this cannot fail; if it did,
/// nothing would be written.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Column("(any)", "payload").read(serde_json::to_string(value))
}

pub(crate) fn position(index: usize) -> Result<i64, Failure> {
    Column("(any)", "position").read(i64::try_from(index))
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = orders, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct OrderRow {
    pub(crate) id: Vec<u8>,
    number: String,
    pub(crate) version: i64,
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
    state_at: Option<i64>,
    requested_revision: Option<i64>,
    requested_attempt: Option<i64>,
    placed_at: i64,
    updated_at: i64,
    operations: i64,
    operation: Option<String>,
    payer: Option<String>,
    requested_epoch: Option<i64>,
}

impl OrderRow {
    pub(crate) fn of(order: &Order, version: i64) -> Result<Self, Failure> {
        let (paid_by, cancel_reason, state_at) = match &order.state {
            OrderState::Open => (None, None, None),
            OrderState::Paid { by, at } => (Some(by.as_str().to_owned()), None, Some(at)),
            OrderState::Canceled { reason, at } => (None, Some(reason.name().to_owned()), Some(at)),
        };
        let metadata: BTreeMap<&str, &str> =
            order.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Ok(Self {
            id: order.id.0.as_bytes().to_vec(),
            number: order.number.as_str().to_owned(),
            version,
            customer: order.customer.as_ref().map(|it| it.as_str().to_owned()),
            email: order.email.as_ref().map(|it| it.as_str().to_owned()),
            currency: order.total.currency().code().to_owned(),
            total: order.total.minor(),
            capture: order.capture.name().to_owned(),
            metadata: to_json(&metadata)?,
            livemode: order.livemode,
            revision: i64::from(order.revision),
            attempt: i64::from(order.attempt),
            state: order.state.name().to_owned(),
            paid_by,
            cancel_reason,
            state_at: state_at.map(|it| it.unix_micros()),
            requested_revision: order.requested.map(|it| i64::from(it.revision)),
            requested_attempt: order.requested.map(|it| i64::from(it.attempt)),
            placed_at: order.placed_at.unix_micros(),
            updated_at: order.updated_at.unix_micros(),
            operations: i64::from(order.operations),
            operation: order.operation.as_ref().map(to_json).transpose()?,
            payer: (order.payer != Payer::default()).then(|| to_json(&order.payer)).transpose()?,
            requested_epoch: order.requested.and_then(|it| it.epoch).map(|it| i64::from(it.0)),
        })
    }

    /// Restores an order from all its rows.
    pub(crate) fn restore(
        self,
        lines: Vec<LineRow>,
        adjustments: Vec<AdjustmentRow>,
        payments: PaymentRows,
        epoch: Epoch,
    ) -> Result<Order, Failure> {
        let column = |name| Column("orders", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        let state_at = self.state_at.map(|it| column("state_at").time(it)).transpose()?;
        let paid_by = column("paid_by").read(self.paid_by.map(IntentId::new).transpose())?;
        let cancel_reason =
            self.cancel_reason.map(|it| column("cancel_reason").found(CancelReason::named(&it))).transpose()?;
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
            .collect::<Result<Metadata, paywright_domain::text::TextProblem>>();
        let data = OrderData {
            id: OrderId(column("id").uuid(&self.id)?),
            number: column("number").read(OrderNumber::parse(&self.number))?,
            customer: column("customer").read(self.customer.map(CustomerId::new).transpose())?,
            email: column("email").read(self.email.map(Email::restore).transpose())?,
            payer: self.payer.map(|it| column("payer").json(&it)).transpose()?.unwrap_or_default(),
            lines: lines.into_iter().map(|it| it.restore(currency)).collect::<Result<_, _>>()?,
            adjustments: adjustments.into_iter().map(|it| it.restore(currency)).collect::<Result<_, _>>()?,
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
            intents: payments.intents.into_iter().map(IntentRow::restore).collect::<Result<_, _>>()?,
            refunds: payments.refunds.into_iter().map(RefundRow::restore).collect::<Result<_, _>>()?,
            disputes: payments.disputes.into_iter().map(DisputeRow::restore).collect::<Result<_, _>>()?,
            anomalies: payments.anomalies.into_iter().map(AnomalyRow::restore).collect::<Result<_, _>>()?,
            placed_at: column("placed_at").time(self.placed_at)?,
            updated_at: column("updated_at").time(self.updated_at)?,
            epoch,
        };
        column("(row)").read(Order::restore(data))
    }
}

/// Rows of an order's payments.
pub(crate) struct PaymentRows {
    pub(crate) intents: Vec<IntentRow>,
    pub(crate) refunds: Vec<RefundRow>,
    pub(crate) disputes: Vec<DisputeRow>,
    pub(crate) anomalies: Vec<AnomalyRow>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = order_lines, treat_none_as_default_value = false)]
pub(crate) struct LineRow {
    pub(crate) order_id: Vec<u8>,
    position: i64,
    name: String,
    description: String,
    sku: Option<String>,
    unit_amount: i64,
    quantity: i64,
}

impl LineRow {
    pub(crate) fn of(order: OrderId, index: usize, line: &LineItem) -> Result<Self, Failure> {
        Ok(Self {
            order_id: order.0.as_bytes().to_vec(),
            position: position(index)?,
            name: line.name.as_str().to_owned(),
            description: line.description.as_str().to_owned(),
            sku: line.sku.as_ref().map(|it| it.as_str().to_owned()),
            unit_amount: line.unit_amount().minor(),
            quantity: i64::from(line.quantity()),
        })
    }

    fn restore(self, currency: Currency) -> Result<LineItem, Failure> {
        let column = |name| Column("order_lines", name);
        let unit_amount = column("unit_amount").money(self.unit_amount, currency)?;
        let quantity = column("quantity").count(self.quantity)?;
        let mut line = column("(row)").read(LineItem::new(self.name, unit_amount, quantity))?;
        line.description = column("description").read(Text::new(self.description))?;
        line.sku = column("sku").read(self.sku.map(Text::new).transpose())?;
        Ok(line)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = order_adjustments)]
pub(crate) struct AdjustmentRow {
    pub(crate) order_id: Vec<u8>,
    position: i64,
    kind: String,
    label: String,
    amount: i64,
}

impl AdjustmentRow {
    pub(crate) fn of(order: OrderId, index: usize, adjustment: &Adjustment) -> Result<Self, Failure> {
        Ok(Self {
            order_id: order.0.as_bytes().to_vec(),
            position: position(index)?,
            kind: adjustment.kind.name().to_owned(),
            label: adjustment.label.as_str().to_owned(),
            amount: adjustment.amount.minor(),
        })
    }

    fn restore(self, currency: Currency) -> Result<Adjustment, Failure> {
        let column = |name| Column("order_adjustments", name);
        Ok(Adjustment {
            kind: column("kind").found(AdjustmentKind::named(&self.kind))?,
            label: column("label").read(Text::new(self.label))?,
            amount: column("amount").money(self.amount, currency)?,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = payment_intents, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct IntentRow {
    pub(crate) order_id: Vec<u8>,
    pub(crate) position: i64,
    provider_id: String,
    revision: i64,
    currency: String,
    amount: i64,
    status: String,
    received: i64,
    capturable: i64,
    last_error: Option<String>,
    as_of: i64,
    created_at: i64,
    capture_asked: Option<i64>,
    balance_currency: Option<String>,
    balance_gross: Option<i64>,
    balance_fee: Option<i64>,
    refunded: i64,
    confirmed_at: Option<i64>,
}

impl IntentRow {
    pub(crate) fn of(order: &Order, index: usize, intent: &PaymentIntent) -> Result<Self, Failure> {
        Ok(Self {
            order_id: order.id.0.as_bytes().to_vec(),
            position: position(index)?,
            provider_id: intent.id.as_str().to_owned(),
            revision: i64::from(intent.revision),
            currency: intent.currency().code().to_owned(),
            amount: intent.amount.minor(),
            status: intent.status.name().to_owned(),
            received: intent.received.minor(),
            capturable: intent.capturable.minor(),
            last_error: intent.last_error.as_ref().map(to_json).transpose()?,
            as_of: intent.as_of.unix_micros(),
            created_at: intent.created_at.unix_micros(),
            capture_asked: intent.capture_requested.map(Money::minor),
            balance_currency: intent.proceeds.map(|it| it.gross.currency().code().to_owned()),
            balance_gross: intent.proceeds.map(|it| it.gross.minor()),
            balance_fee: intent.proceeds.map(|it| it.fee.minor()),
            refunded: order.refunded_of(&intent.id),
            confirmed_at: intent.confirmed_at.map(Timestamp::unix_micros),
        })
    }

    fn restore(self) -> Result<PaymentIntent, Failure> {
        let column = |name| Column("payment_intents", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        let proceeds = match (&self.balance_currency, self.balance_gross, self.balance_fee) {
            (Some(balance), Some(gross), Some(fee)) => {
                let balance: Currency = column("balance_currency").read(balance.parse())?;
                let gross = column("balance_gross").money(gross, balance)?;
                Some(Proceeds { gross, fee: column("balance_fee").money(fee, balance)? })
            }
            (_, _, _) => None,
        };
        Ok(PaymentIntent {
            id: column("provider_id").read(IntentId::new(self.provider_id))?,
            revision: column("revision").count(self.revision)?,
            amount: column("amount").money(self.amount, currency)?,
            status: column("status").found(self.status.parse().ok())?,
            received: column("received").money(self.received, currency)?,
            confirmed_at: self.confirmed_at.map(|it| column("confirmed_at").time(it)).transpose()?,
            capturable: column("capturable").money(self.capturable, currency)?,
            capture_requested: self.capture_asked.map(|it| column("capture_asked").money(it, currency)).transpose()?,
            proceeds,
            last_error: match self.last_error {
                Some(text) => Some(column("last_error").json::<IntentError>(&text)?),
                None => None,
            },
            as_of: column("as_of").time(self.as_of)?,
            created_at: column("created_at").time(self.created_at)?,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = refunds, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct RefundRow {
    pub(crate) order_id: Vec<u8>,
    pub(crate) number: i64,
    intent_id: String,
    provider_id: Option<String>,
    currency: String,
    amount: i64,
    reason: Option<String>,
    origin: String,
    status: String,
    attempt: i64,
    failure: Option<String>,
    requested_at: i64,
    epoch: Option<i64>,
    request: Option<Vec<u8>>,
}

impl RefundRow {
    pub(crate) fn of(order: OrderId, refund: &Refund) -> Self {
        Self {
            order_id: order.0.as_bytes().to_vec(),
            number: i64::from(refund.number),
            intent_id: refund.intent.as_str().to_owned(),
            provider_id: refund.provider_id.as_ref().map(|it| it.as_str().to_owned()),
            currency: refund.amount.currency().code().to_owned(),
            amount: refund.amount.minor(),
            reason: refund.reason.map(|it| it.name().to_owned()),
            origin: refund.origin.name().to_owned(),
            status: refund.status.name().to_owned(),
            attempt: i64::from(refund.attempt),
            failure: refund.failure.clone().map(String::from),
            requested_at: refund.requested_at.unix_micros(),
            epoch: refund.epoch.map(|it| i64::from(it.0)),
            request: refund.request.map(|it| it.as_bytes().to_vec()),
        }
    }

    fn restore(self) -> Result<Refund, Failure> {
        let column = |name| Column("refunds", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        Ok(Refund {
            number: column("number").count(self.number)?,
            intent: column("intent_id").read(IntentId::new(self.intent_id))?,
            amount: column("amount").money(self.amount, currency)?,
            reason: self.reason.map(|it| column("reason").found(RefundReason::named(&it))).transpose()?,
            origin: column("origin").found(RefundOrigin::named(&self.origin))?,
            status: column("status").found(self.status.parse().ok())?,
            provider_id: column("provider_id").read(self.provider_id.map(RefundId::new).transpose())?,
            attempt: column("attempt").count(self.attempt)?,
            failure: self.failure.map(RefundFailure::from),
            requested_at: column("requested_at").time(self.requested_at)?,
            epoch: column("epoch").epoch(self.epoch)?,
            request: self.request.map(|it| column("request").uuid(&it)).transpose()?,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = disputes, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct DisputeRow {
    pub(crate) order_id: Vec<u8>,
    pub(crate) position: i64,
    provider_id: String,
    intent_id: String,
    currency: String,
    amount: i64,
    status: String,
    reason: String,
    due_by: Option<i64>,
    withdrawn: bool,
    reinstated: bool,
}

impl DisputeRow {
    pub(crate) fn of(order: OrderId, index: usize, dispute: &Dispute) -> Result<Self, Failure> {
        Ok(Self {
            order_id: order.0.as_bytes().to_vec(),
            position: position(index)?,
            provider_id: dispute.id.as_str().to_owned(),
            intent_id: dispute.intent.as_str().to_owned(),
            currency: dispute.amount.currency().code().to_owned(),
            amount: dispute.amount.minor(),
            status: dispute.status.name().to_owned(),
            reason: dispute.reason.clone(),
            due_by: dispute.due_by.map(Timestamp::unix_micros),
            withdrawn: dispute.withdrawn,
            reinstated: dispute.reinstated,
        })
    }

    fn restore(self) -> Result<Dispute, Failure> {
        let column = |name| Column("disputes", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        Ok(Dispute {
            id: column("provider_id").read(DisputeId::new(self.provider_id))?,
            intent: column("intent_id").read(IntentId::new(self.intent_id))?,
            amount: column("amount").money(self.amount, currency)?,
            status: column("status").found(self.status.parse().ok())?,
            reason: self.reason,
            due_by: self.due_by.map(|it| column("due_by").time(it)).transpose()?,
            withdrawn: self.withdrawn,
            reinstated: self.reinstated,
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = anomalies, treat_none_as_default_value = false)]
pub(crate) struct AnomalyRow {
    pub(crate) order_id: Vec<u8>,
    position: i64,
    provider_id: String,
    name: String,
    payload: String,
    policy: String,
    reason: Option<String>,
    found_at: i64,
}

impl AnomalyRow {
    pub(crate) fn of(order: OrderId, index: usize, anomaly: &Anomaly) -> Result<Self, Failure> {
        Ok(Self {
            order_id: order.0.as_bytes().to_vec(),
            position: position(index)?,
            // Empty if it concerns no PaymentIntent: the column is NOT NULL.
            provider_id: anomaly.intent.as_ref().map_or("", IntentId::as_str).to_owned(),
            name: anomaly.kind.name().to_owned(),
            payload: to_json(&anomaly.kind.details())?,
            policy: anomaly.kind.policy_name().to_owned(),
            reason: anomaly.reason.clone(),
            found_at: anomaly.found_at.unix_micros(),
        })
    }

    fn restore(self) -> Result<Anomaly, Failure> {
        let column = |name| Column("anomalies", name);
        let intent = (!self.provider_id.is_empty()).then(|| IntentId::new(self.provider_id));
        Ok(Anomaly {
            intent: column("provider_id").read(intent.transpose())?,
            kind: column("policy").found(AnomalyKind::restore(column("payload").json(&self.payload)?, &self.policy))?,
            reason: self.reason,
            found_at: column("found_at").time(self.found_at)?,
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = facts, treat_none_as_default_value = false)]
pub(crate) struct FactRow {
    pub(crate) order_id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) position: i64,
    pub(crate) kind: String,
    pub(crate) payload: String,
    pub(crate) at: i64,
    pub(crate) cause: Option<String>,
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
pub(crate) struct IdempotencyRow {
    scope: Vec<u8>,
    key: String,
    fingerprint: Vec<u8>,
    order_id: Vec<u8>,
    answer: String,
    at: i64,
}

impl IdempotencyRow {
    pub(crate) fn of(record: &IdempotencyRecord) -> Self {
        Self {
            scope: record.key.scope.as_bytes().to_vec(),
            key: record.key.key.clone(),
            fingerprint: record.fingerprint.to_vec(),
            order_id: record.order.0.as_bytes().to_vec(),
            answer: record.outcome.stored().into_owned(),
            at: record.at.unix_micros(),
        }
    }

    pub(crate) fn restore(self) -> Result<IdempotencyRecord, Failure> {
        let column = |name| Column("idempotency_records", name);
        Ok(IdempotencyRecord {
            key: IdempotencyKey { scope: column("scope").uuid(&self.scope)?, key: self.key },
            fingerprint: column("fingerprint").found(self.fingerprint.try_into().ok())?,
            order: OrderId(column("order_id").uuid(&self.order_id)?),
            outcome: IdempotencyOutcome::restore(self.answer),
            at: column("at").time(self.at)?,
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub(crate) struct ApiKeyRow {
    id: Vec<u8>,
    name: String,
    digest: Vec<u8>,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    pub(crate) fn of(key: &ApiKey) -> Self {
        Self {
            id: key.id.as_bytes().to_vec(),
            name: key.name.clone(),
            digest: key.digest.to_vec(),
            scopes: key.scopes.iter().map(|it| it.name()).collect::<Vec<_>>().join(" "),
            created_at: key.created_at.unix_micros(),
            expires_at: key.expires_at.map(Timestamp::unix_micros),
            revoked_at: key.revoked_at.map(Timestamp::unix_micros),
        }
    }

    pub(crate) fn restore(self) -> Result<ApiKey, Failure> {
        let column = |name| Column("api_keys", name);
        let time = |name, at: Option<i64>| at.map(|it| column(name).time(it)).transpose();
        Ok(ApiKey {
            id: column("id").uuid(&self.id)?,
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
