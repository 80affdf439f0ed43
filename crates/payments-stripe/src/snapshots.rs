//! Conversion of Stripe's objects to the domain's snapshots. A value that the domain cannot hold is an error, never a
//! guess.

use std::fmt::Display;

use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::id::{DisputeId, RefundId};
use paywright_domain::intent::{IntentError, IntentStatus, Proceeds, SnapshotSource};
use paywright_domain::refund::{RefundReason, RefundSnapshot, RefundStatus};
use paywright_domain::{Currency, IntentId, IntentSnapshot, Money, Timestamp};
use thiserror::Error;

use crate::error::ErrorBody;
use crate::metadata::{self, Owner};
use crate::objects::{self, Expandable, PaymentIntent};

/// Why a Stripe object cannot be converted to a domain snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// The object cannot belong to an order of this installation: its currency, amount or id is one that no order has,
    /// or it names another installation. Another program on the same Stripe account may have created it.
    #[error("{0}")]
    Foreign(String),
    /// The object's status is unknown to this version: Stripe's enumerations are open ("API upgrades").
    #[error("this version of Paywright does not know the status {0}")]
    Status(String),
}

fn foreign(problem: &dyn Display) -> Unreadable {
    Unreadable::Foreign(problem.to_string())
}

fn money(wire: i64, currency: &str) -> Result<Money, Unreadable> {
    let code: Currency =
        currency.parse().map_err(|_| Unreadable::Foreign(format!("the currency {currency} is not supported")))?;
    Money::from_wire(wire, code)
        .map_err(|problem| Unreadable::Foreign(format!("the amount {wire} {currency} {problem}")))
}

/// Converts a PaymentIntent to a domain snapshot. The snapshot of another installation's intent names no order; if its
/// status is unknown too, it is [`Unreadable::Foreign`], because that installation may run a newer version.
pub(crate) fn snapshot_of(
    intent: &PaymentIntent,
    as_of: Timestamp,
    owner: Owner,
) -> Result<IntentSnapshot, Unreadable> {
    let money = |wire| money(wire, &intent.currency);
    let status = intent.status.as_str();
    let status: IntentStatus = status.parse().map_err(|_| match owner.other_installation(&intent.metadata) {
        Some(other) => of_other_installation(other),
        None => Unreadable::Status(status.to_owned()),
    })?;
    Ok(IntentSnapshot {
        intent: IntentId::new(intent.id.as_str()).map_err(|problem| foreign(&problem))?,
        order: owner.order(&intent.metadata),
        revision: metadata::revision(&intent.metadata),
        amount: money(intent.amount)?,
        status,
        received: money(intent.amount_received)?,
        capturable: money(intent.amount_capturable)?,
        last_error: intent.last_payment_error.as_ref().map(intent_error),
        livemode: intent.livemode,
        as_of,
        as_of_max: as_of,
        source: SnapshotSource::Answer,
    })
}

/// Converts the `error` of an answer, or `last_payment_error` of a PaymentIntent.
pub(crate) fn intent_error(body: &ErrorBody) -> IntentError {
    let ErrorBody { code, decline_code, message, .. } = body.clone();
    IntentError { code, decline_code, message }
}

/// Error for an object of another installation on the same Stripe account.
fn of_other_installation(other: &str) -> Unreadable {
    Unreadable::Foreign(other_installation_reason(other))
}

/// Sentence that says which installation an ignored object belongs to.
pub(crate) fn other_installation_reason(other: &str) -> String {
    format!("it belongs to the installation {other}")
}

/// Converts a Refund to a domain snapshot. `None` if its charge has no PaymentIntent; [`Unreadable::Foreign`] if it is
/// of another installation than `owner`.
pub(crate) fn refund_of(refund: &objects::Refund, owner: Owner) -> Result<Option<RefundSnapshot>, Unreadable> {
    let Some(intent) = &refund.payment_intent else { return Ok(None) };
    let metadata = refund.metadata.as_ref();
    if let Some(other) = metadata.and_then(|it| owner.other_installation(it)) {
        return Err(of_other_installation(other));
    }
    let status = refund.status.as_ref().map_or("pending", crate::RefundStatus::as_str);
    let known = RefundStatus::from_stripe(status).ok_or_else(|| Unreadable::Status(status.to_owned()))?;
    Ok(Some(RefundSnapshot {
        id: RefundId::new(refund.id.as_str()).map_err(|problem| foreign(&problem))?,
        name: metadata.and_then(metadata::refund_name),
        intent: IntentId::new(intent.id().as_str()).map_err(|problem| foreign(&problem))?,
        amount: money(refund.amount, &refund.currency)?,
        reason: refund.reason.as_ref().and_then(|it| RefundReason::named(it.as_str())),
        status: known,
        failure: refund.failure_reason.clone(),
        request: metadata.and_then(metadata::refund_request),
    }))
}

/// Gross amount and fee of a payment, from its charge's balance transaction. `None` if the charge has no balance
/// transaction yet, or if the request did not expand it.
pub(crate) fn proceeds_of(intent: &PaymentIntent) -> Result<Option<Proceeds>, Unreadable> {
    let Some(Expandable::Object(charge)) = &intent.latest_charge else { return Ok(None) };
    let Some(Expandable::Object(transaction)) = &charge.balance_transaction else { return Ok(None) };
    let money = |wire| money(wire, &transaction.currency);
    Ok(Some(Proceeds { gross: money(transaction.amount)?, fee: money(transaction.fee)? }))
}

/// Converts a Dispute to the domain's. `None` if its charge has no PaymentIntent.
pub(crate) fn dispute_of(dispute: &objects::Dispute) -> Result<Option<Dispute>, Unreadable> {
    let Some(intent) = &dispute.payment_intent else { return Ok(None) };
    let status: DisputeStatus = dispute.status.parse().map_err(|_| Unreadable::Status(dispute.status.clone()))?;
    let due_by = dispute.evidence_details.as_ref().and_then(|it| it.due_by);
    // Each withdrawal and each reinstatement is a balance transaction of its own. The dispute counts as reinstated when
    // all of the money was returned: a shortfall, even one by an exchange rate, is still with the cardholder.
    let movements = || dispute.balance_transactions.iter().map(|it| it.amount);
    let withdrawn = movements().any(|it| it < 0);
    let reinstated = movements().any(|it| it > 0) && movements().sum::<i64>() >= 0;
    Ok(Some(Dispute {
        id: DisputeId::new(dispute.id.as_str()).map_err(|problem| foreign(&problem))?,
        intent: IntentId::new(intent.id().as_str()).map_err(|problem| foreign(&problem))?,
        amount: money(dispute.amount, &dispute.currency)?,
        status,
        reason: dispute.reason.clone(),
        due_by: due_by.and_then(|it| Timestamp::from_unix_seconds(it).ok()),
        withdrawn,
        reinstated,
    }))
}
