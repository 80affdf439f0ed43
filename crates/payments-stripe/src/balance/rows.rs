//! Conversion of balance transactions and payouts to the domain's. Stripe's enumerations are open: an unknown category
//! or type of a fee is kept, and any other unknown value is an error that names the object.

use paywright_app::{GatewayError, PayoutMember, ReportedTransaction};
use paywright_domain::books::{BalanceTransaction, Fee, Payout, ReportingCategory, Source};
use paywright_domain::id::{BalanceTransactionId, DisputeId, PayoutId, RefundId};
use paywright_domain::{IntentId, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use super::presented::{Origin, presented};
use super::{money, not_understood};
use crate::StripeId;
use crate::objects::{Expandable, PaymentIntent};
use crate::records::id_of;

/// A balance transaction in an answer. Its status and the time from which its amount is available change later, and are
/// not read.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    id: StripeId,
    pub(super) amount: i64,
    currency: String,
    fee: i64,
    net: i64,
    created: i64,
    fee_details: Vec<FeeDetail>,
    reporting_category: String,
    balance_type: String,
    description: Option<String>,
    pub(super) exchange_rate: Option<Number>,
    source: Option<Value>,
}

/// Part of a fee.
#[derive(Debug, Deserialize)]
struct FeeDetail {
    amount: i64,
    currency: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Charge, refund or dispute as the source of a balance transaction.
#[derive(Debug, Deserialize)]
struct Cause {
    currency: String,
    amount: i64,
    /// Captured part of a charge.
    amount_captured: Option<i64>,
    payment_intent: Option<Expandable<PaymentIntent>>,
}

impl Cause {
    fn intent(&self) -> Option<IntentId> {
        IntentId::new(self.payment_intent.as_ref()?.id().as_str()).ok()
    }

    fn origin(&self) -> Origin<'_> {
        Origin { currency: &self.currency, whole: self.amount, captured: self.amount_captured }
    }
}

/// Source of a row, its PaymentIntent, and the object if it was expanded and has an amount of a payment.
struct Caused {
    source: Source,
    intent: Option<IntentId>,
    object: Option<Cause>,
}

/// Converts a balance transaction whose source may be expanded.
pub(super) fn transaction_of(json: &Value) -> Result<ReportedTransaction, GatewayError> {
    let row: Row = parsed(json)?;
    let id = row.id.as_str();
    let money = |wire: i64, currency: &str| money(id, wire, currency);
    let category: ReportingCategory = row
        .reporting_category
        .parse()
        .map_err(|problem| not_understood(id, &format_args!("its category {problem}")))?;
    let fees = row.fee_details.iter().map(|it| {
        let amount = money(it.amount, &it.currency)?;
        Ok(Fee { kind: it.kind.clone(), amount })
    });
    let amount = money(row.amount, &row.currency)?;
    let Caused { source, intent, object } = caused(id, &category, row.source.as_ref())?;
    let presented = match &object {
        Some(object) => presented(&row, &category, amount.currency(), &object.origin())
            .map_err(|problem| not_understood(id, &format_args!("the amount of its source {problem}")))?,
        None => None,
    };
    let transaction = BalanceTransaction {
        id: BalanceTransactionId::new(id).map_err(|problem| not_understood(id, &problem))?,
        created: time(id, row.created)?,
        category,
        balance: row.balance_type.parse().map_err(|problem| not_understood(id, &problem))?,
        amount,
        fee: money(row.fee, &row.currency)?,
        net: money(row.net, &row.currency)?,
        fees: fees.collect::<Result<_, GatewayError>>()?,
        description: row.description.clone().unwrap_or_default(),
        source,
        presented,
    };
    Ok(ReportedTransaction { transaction, intent })
}

/// Reads the source of a balance transaction: a whole object, an id or null.
fn caused(row: &str, category: &ReportingCategory, source: Option<&Value>) -> Result<Caused, GatewayError> {
    let unlinked = |source| Caused { source, intent: None, object: None };
    let Some(source) = source else { return Ok(unlinked(Source::None)) };
    let id = source.as_str().map(str::to_owned).or_else(|| id_of(source));
    let id = id.ok_or_else(|| not_understood(row, &"its source has no id"))?;
    let kind = source.get("object").and_then(Value::as_str).unwrap_or_default();
    if !["charge", "refund", "dispute"].contains(&kind) {
        return Ok(unlinked(by_prefix(&id)));
    }
    let object = Cause::deserialize(source).map_err(|problem| not_understood(row, &problem))?;
    let intent = object.intent();
    // The reversal of a part of an authorization, and of a bank payment, may have a refund as its source. Neither is a
    // refund: both undo the charge.
    let undoes_charge =
        matches!(category, ReportingCategory::PartialCaptureReversal | ReportingCategory::ChargeFailure);
    let source = match (kind, &intent) {
        ("charge", Some(intent)) => Source::Payment { intent: intent.clone() },
        ("refund", Some(intent)) if undoes_charge => Source::Payment { intent: intent.clone() },
        _ => by_prefix(&id),
    };
    Ok(Caused { source, intent, object: Some(object) })
}

/// Source by the prefix of its id. The id of a charge does not name its PaymentIntent.
fn by_prefix(id: &str) -> Source {
    let other = || Source::Other { id: id.to_owned() };
    match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("re" | "pyr") => RefundId::new(id).map_or_else(|_| other(), |refund| Source::Refund { refund }),
        Some("du" | "dp") => DisputeId::new(id).map_or_else(|_| other(), |dispute| Source::Dispute { dispute }),
        Some("po") => PayoutId::new(id).map_or_else(|_| other(), |payout| Source::Payout { payout }),
        Some(_) | None => other(),
    }
}

/// Types of the balance transactions with which a payout takes its amount and returns it.
const OF_PAYOUT_ITSELF: [&str; 3] = ["payout", "payout_cancel", "payout_failure"];

/// Reads a balance transaction in the list of a payout; `None` for the payout's own. The return of an earlier payout, whose
/// source is that one, is a member.
pub(super) fn member_of(payout: &PayoutId, json: &Value) -> Result<Option<PayoutMember>, GatewayError> {
    let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = BalanceTransactionId::new(text("id")).map_err(|problem| not_understood(text("id"), &problem))?;
    let source = json.get("source");
    let source = source.and_then(|it| it.get("id").unwrap_or(it).as_str()).unwrap_or_default();
    let is_own = source == payout.as_str() && OF_PAYOUT_ITSELF.contains(&text("type"));
    Ok((!is_own).then(|| PayoutMember { id, transaction: transaction_of(json).ok() }))
}

/// A payout in an answer.
#[derive(Debug, Deserialize)]
struct PayoutRow {
    id: StripeId,
    amount: i64,
    currency: String,
    created: i64,
    arrival_date: i64,
    status: String,
    automatic: bool,
    reconciliation_status: String,
    balance_transaction: Option<String>,
    failure_balance_transaction: Option<String>,
    failure_code: Option<String>,
    trace_id: Option<TraceId>,
}

/// Reference of a payout at the bank.
#[derive(Debug, Deserialize)]
struct TraceId {
    value: Option<String>,
}

/// Converts a payout.
pub(super) fn payout_of(json: &Value) -> Result<Payout, GatewayError> {
    let row: PayoutRow = parsed(json)?;
    let id = row.id.as_str();
    let transaction = |it: Option<&String>| {
        it.map(|it| BalanceTransactionId::new(it).map_err(|problem| not_understood(id, &problem))).transpose()
    };
    Ok(Payout {
        id: PayoutId::new(id).map_err(|problem| not_understood(id, &problem))?,
        amount: money(id, row.amount, &row.currency)?,
        created: time(id, row.created)?,
        arrival: time(id, row.arrival_date)?,
        status: row.status.parse().map_err(|problem| not_understood(id, &problem))?,
        automatic: row.automatic,
        reconciliation: row.reconciliation_status.parse().map_err(|problem| not_understood(id, &problem))?,
        balance_transaction: transaction(row.balance_transaction.as_ref())?,
        failure_balance_transaction: transaction(row.failure_balance_transaction.as_ref())?,
        failure_code: row.failure_code.clone(),
        trace_id: row.trace_id.and_then(|it| it.value),
    })
}

/// Reads an object; its error names the object.
fn parsed<T: DeserializeOwned>(json: &Value) -> Result<T, GatewayError> {
    let id = || id_of(json).unwrap_or_else(|| "an object without an id".to_owned());
    T::deserialize(json).map_err(|problem| not_understood(&id(), &problem))
}

fn time(id: &str, seconds: i64) -> Result<Timestamp, GatewayError> {
    Timestamp::from_unix_seconds(seconds).map_err(|problem| not_understood(id, &problem))
}
