use std::borrow::Cow;
use std::collections::BTreeMap;

use paywright_domain::id::{CustomerId, Epoch, OrderNumber};
use paywright_domain::intent::{CaptureMethod, IntentRequest};
use paywright_domain::money::Percent;
use paywright_domain::order::{
    Adjustment, AdjustmentKind, CancelReason, Metadata, OrderData, OrderState, Payer, TaxRateDetails,
};
use paywright_domain::text::{Email, Text, TextProblem};
use paywright_domain::{Currency, IntentId, LineItem, Order, OrderId};
use uuid::Uuid;

use super::{Column, ColumnError, StoredAnomaly, StoredDispute, StoredIntent, StoredRefund, currency, text};

/// Row of the table `orders`, without the version.
#[expect(missing_docs, reason = "each field is the column of its name, and `OrderData` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder<'a> {
    pub id: Uuid,
    pub number: Cow<'a, str>,
    pub customer: Option<Cow<'a, str>>,
    pub email: Option<Cow<'a, str>>,
    pub currency: Cow<'a, str>,
    pub total: i64,
    pub capture: Cow<'a, str>,
    pub metadata: Cow<'a, str>,
    pub livemode: bool,
    pub revision: i64,
    pub attempt: i64,
    pub state: Cow<'a, str>,
    pub paid_by: Option<Cow<'a, str>>,
    pub cancel_reason: Option<Cow<'a, str>>,
    pub state_at: Option<i64>,
    pub requested_revision: Option<i64>,
    pub requested_attempt: Option<i64>,
    pub requested_epoch: Option<i64>,
    pub operations: i64,
    pub operation: Option<Cow<'a, str>>,
    pub payer: Option<Cow<'a, str>>,
    pub placed_at: i64,
    pub updated_at: i64,
}

/// Rows of the other tables that belong to an order, each in its order, and the epoch of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredParts<'a> {
    /// Rows of `order_lines`.
    pub lines: Vec<StoredLine<'a>>,
    /// Rows of `order_adjustments`.
    pub adjustments: Vec<StoredAdjustment<'a>>,
    /// Rows of `payment_intents`.
    pub intents: Vec<StoredIntent<'a>>,
    /// Rows of `refunds`.
    pub refunds: Vec<StoredRefund<'a>>,
    /// Rows of `disputes`.
    pub disputes: Vec<StoredDispute<'a>>,
    /// Rows of `anomalies`.
    pub anomalies: Vec<StoredAnomaly<'a>>,
    /// Epoch of the installation.
    pub epoch: i64,
}

impl<'a> StoredOrder<'a> {
    /// Row of an order.
    pub fn of(order: &'a Order) -> Result<Self, ColumnError> {
        let column = |name| Column("orders", name);
        let (paid_by, cancel_reason, state_at) = match &order.state {
            OrderState::Open => (None, None, None),
            OrderState::Paid { by, at } => (Some(text(by.as_str())), None, Some(at.unix_micros())),
            OrderState::Canceled { reason, at } => (None, Some(text(reason.name())), Some(at.unix_micros())),
        };
        let metadata: BTreeMap<&str, &str> =
            order.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let operation = order.operation.as_ref().map(|it| column("operation").document(it)).transpose()?;
        let payer = (order.payer != Payer::default()).then(|| column("payer").document(&order.payer)).transpose()?;
        Ok(Self {
            id: order.id.0,
            number: text(order.number.as_str()),
            customer: order.customer.as_ref().map(|it| text(it.as_str())),
            email: order.email.as_ref().map(|it| text(it.as_str())),
            currency: currency(order.total),
            total: order.total.minor(),
            capture: text(order.capture.name()),
            metadata: Cow::Owned(column("metadata").document(&metadata)?),
            livemode: order.livemode,
            revision: i64::from(order.revision),
            attempt: i64::from(order.attempt),
            state: text(order.state.name()),
            paid_by,
            cancel_reason,
            state_at,
            requested_revision: order.requested.map(|it| i64::from(it.revision)),
            requested_attempt: order.requested.map(|it| i64::from(it.attempt)),
            requested_epoch: order.requested.and_then(|it| it.epoch).map(|it| i64::from(it.0)),
            operations: i64::from(order.operations),
            operation: operation.map(Cow::Owned),
            payer: payer.map(Cow::Owned),
            placed_at: order.placed_at.unix_micros(),
            updated_at: order.updated_at.unix_micros(),
        })
    }

    /// Restores the order from all its rows.
    pub fn restore(self, parts: StoredParts<'_>) -> Result<Order, ColumnError> {
        let column = |name| Column("orders", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        let revision = column("revision").count(self.revision)?;
        let adjustments = parts.adjustments.into_iter().map(|it| it.restore(currency, revision));
        let data = OrderData {
            state: self.state()?,
            requested: self.requested()?,
            metadata: self.metadata()?,
            id: OrderId(self.id),
            number: column("number").read(OrderNumber::parse(&self.number))?,
            customer: column("customer").read(self.customer.map(CustomerId::new).transpose())?,
            email: column("email").read(self.email.map(Email::restore).transpose())?,
            payer: self.payer.map(|it| column("payer").json(&it)).transpose()?.unwrap_or_default(),
            lines: parts.lines.into_iter().map(|it| it.restore(currency)).collect::<Result<_, _>>()?,
            adjustments: adjustments.collect::<Result<_, _>>()?,
            total: column("total").money(self.total, currency)?,
            capture: column("capture").found(CaptureMethod::named(&self.capture))?,
            livemode: self.livemode,
            revision,
            attempt: column("attempt").count(self.attempt)?,
            operations: column("operations").count(self.operations)?,
            operation: self.operation.map(|it| column("operation").json(&it)).transpose()?,
            intents: parts.intents.into_iter().map(StoredIntent::restore).collect::<Result<_, _>>()?,
            refunds: parts.refunds.into_iter().map(StoredRefund::restore).collect::<Result<_, _>>()?,
            disputes: parts.disputes.into_iter().map(StoredDispute::restore).collect::<Result<_, _>>()?,
            anomalies: parts.anomalies.into_iter().map(StoredAnomaly::restore).collect::<Result<_, _>>()?,
            placed_at: column("placed_at").time(self.placed_at)?,
            updated_at: column("updated_at").time(self.updated_at)?,
            epoch: Epoch(Column("installation", "epoch").count(parts.epoch)?),
        };
        column("(row)").read(Order::restore(data))
    }

    fn state(&self) -> Result<OrderState, ColumnError> {
        let column = |name| Column("orders", name);
        let paid_by = column("paid_by").read(self.paid_by.as_deref().map(IntentId::new).transpose())?;
        let reason = self.cancel_reason.as_deref();
        let reason = reason.map(|it| column("cancel_reason").found(CancelReason::named(it))).transpose()?;
        let at = self.state_at.map(|it| column("state_at").time(it)).transpose()?;
        column("state").found(OrderState::of_parts(&self.state, paid_by, reason, at))
    }

    fn requested(&self) -> Result<Option<IntentRequest>, ColumnError> {
        let column = |name| Column("orders", name);
        let (Some(revision), Some(attempt)) = (self.requested_revision, self.requested_attempt) else {
            return Ok(None);
        };
        Ok(Some(IntentRequest {
            revision: column("requested_revision").count(revision)?,
            attempt: column("requested_attempt").count(attempt)?,
            epoch: column("requested_epoch").epoch(self.requested_epoch)?,
        }))
    }

    fn metadata(&self) -> Result<Metadata, ColumnError> {
        let column = Column("orders", "metadata");
        let texts: BTreeMap<String, String> = column.json(&self.metadata)?;
        let bounded =
            texts.into_iter().map(|(key, value)| Ok::<_, TextProblem>((Text::restore(key)?, Text::restore(value)?)));
        column.read(bounded.collect())
    }
}

/// Row of the table `order_lines`, without the order's id and the position.
#[expect(missing_docs, reason = "each field is the column of its name, and `LineItem` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine<'a> {
    pub name: Cow<'a, str>,
    pub description: Cow<'a, str>,
    pub sku: Option<Cow<'a, str>>,
    pub unit_amount: i64,
    pub quantity: i64,
}

impl<'a> StoredLine<'a> {
    /// Row of a line.
    pub fn of(line: &'a LineItem) -> Self {
        Self {
            name: text(line.name.as_str()),
            description: text(line.description.as_str()),
            sku: line.sku.as_ref().map(|it| text(it.as_str())),
            unit_amount: line.unit_amount().minor(),
            quantity: i64::from(line.quantity()),
        }
    }

    /// Restores the line, in the currency of its order.
    pub fn restore(self, currency: Currency) -> Result<LineItem, ColumnError> {
        let column = |name| Column("order_lines", name);
        let unit_amount = column("unit_amount").money(self.unit_amount, currency)?;
        let quantity = column("quantity").count(self.quantity)?;
        let mut line = column("(row)").read(LineItem::new(self.name, unit_amount, quantity))?;
        line.description = column("description").read(Text::restore(self.description))?;
        line.sku = column("sku").read(self.sku.map(Text::restore).transpose())?;
        Ok(line)
    }
}

/// Row of the table `order_adjustments`, without the order's id and the position.
#[expect(missing_docs, reason = "each field is the column of its name, and `Adjustment` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAdjustment<'a> {
    pub kind: Cow<'a, str>,
    pub label: Cow<'a, str>,
    pub amount: i64,
    pub tax_percent: Option<Cow<'a, str>>,
    pub tax_country: Option<Cow<'a, str>>,
    /// Revision of the order whose adjustment has this rate: a process of the release before replaces the adjustment and
    /// leaves these three columns as they are.
    pub tax_revision: Option<i64>,
}

impl<'a> StoredAdjustment<'a> {
    /// Row of an adjustment of `order`.
    pub fn of(order: &Order, adjustment: &'a Adjustment) -> Self {
        let rate = adjustment.tax_rate_details;
        Self {
            kind: text(adjustment.kind.name()),
            label: text(adjustment.label.as_str()),
            amount: adjustment.amount.minor(),
            tax_percent: rate.map(|it| Cow::Owned(it.percent.to_string())),
            tax_country: rate.and_then(|it| it.country).map(|it| Cow::Owned(it.to_string())),
            tax_revision: rate.map(|_| i64::from(order.revision)),
        }
    }

    /// Restores the adjustment of an order with this currency and revision.
    pub fn restore(self, currency: Currency, revision: u32) -> Result<Adjustment, ColumnError> {
        let column = |name| Column("order_adjustments", name);
        let is_of_revision = self.tax_revision == Some(i64::from(revision));
        Ok(Adjustment {
            kind: column("kind").found(AdjustmentKind::named(&self.kind))?,
            label: column("label").read(Text::restore(self.label.as_ref()))?,
            amount: column("amount").money(self.amount, currency)?,
            tax_rate_details: if is_of_revision { self.tax_rate()? } else { None },
        })
    }

    fn tax_rate(&self) -> Result<Option<TaxRateDetails>, ColumnError> {
        let column = |name| Column("order_adjustments", name);
        let Some(percent) = &self.tax_percent else { return Ok(None) };
        let country = self.tax_country.as_deref().map(str::parse).transpose();
        Ok(Some(TaxRateDetails {
            percent: column("tax_percent").read(Percent::parse(percent))?,
            country: column("tax_country").read(country)?,
        }))
    }
}
