//! Stripe's objects as the domain sees them. What it cannot see is an error, never a guess.

use std::fmt::Display;

use paywright_domain::{
    Currency, Dispute, DisputeId, DisputeStatus, IntentError, IntentId, IntentSnapshot, IntentStatus, Money, Proceeds,
    RefundId, RefundReason, RefundSnapshot, RefundStatus, SnapshotSource, Timestamp,
};
use thiserror::Error;

use crate::error::ErrorBody;
use crate::metadata::{self, Owner};
use crate::objects::{self, Expandable, PaymentIntent};

/// Why an object cannot be read as the domain sees it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// No order can have it: it is of a currency, an amount or an id that none of ours has. Another program on the same
    /// account may have made it.
    #[error("{0}")]
    Foreign(String),
    /// Its status is newer than this program: Stripe's enumerations are open ("API upgrades").
    #[error("the status {0} is not known to this version of the program")]
    Status(String),
}

fn foreign(problem: &dyn Display) -> Unreadable {
    Unreadable::Foreign(problem.to_string())
}

fn money(wire: i64, currency: &str) -> Result<Money, Unreadable> {
    let code: Currency =
        currency.parse().map_err(|_| Unreadable::Foreign(format!("the currency {currency} is not known here")))?;
    Money::from_wire(wire, code)
        .map_err(|problem| Unreadable::Foreign(format!("the amount {wire} {currency} {problem}")))
}

/// Reads an intent as the domain sees it. What it cannot see is an error, never a guess. One of another installation than
/// `owner` names no order, and is foreign where its status is not known here: that installation may run a newer version.
pub(crate) fn snapshot_of(
    intent: &PaymentIntent,
    as_of: Timestamp,
    owner: Owner,
) -> Result<IntentSnapshot, Unreadable> {
    let money = |wire| money(wire, &intent.currency);
    let status = intent.status.as_str();
    let status: IntentStatus = status.parse().map_err(|()| match owner.stranger(&intent.metadata) {
        Some(stranger) => of_stranger(stranger),
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

pub(crate) fn intent_error(body: &ErrorBody) -> IntentError {
    let text = |it: &Option<String>| it.as_ref().map(|it| plain(it));
    IntentError { code: text(&body.code), decline_code: text(&body.decline_code), message: text(&body.message) }
}

/// Not every store can keep a NUL in a text, and no message means one.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// Why an object of another installation on the same account is of no concern.
pub(crate) fn of_stranger(stranger: &str) -> Unreadable {
    Unreadable::Foreign(reason_of_stranger(stranger))
}

/// The same, for people.
pub(crate) fn reason_of_stranger(stranger: &str) -> String {
    format!("it is of the installation {}", plain(stranger))
}

/// Reads a refund. One of a charge without an intent is of no concern, nor is one of another installation than `owner`.
pub(crate) fn refund_of(refund: &objects::Refund, owner: Owner) -> Result<Option<RefundSnapshot>, Unreadable> {
    let Some(intent) = &refund.payment_intent else { return Ok(None) };
    let notes = refund.metadata.as_ref();
    if let Some(stranger) = notes.and_then(|it| owner.stranger(it)) {
        return Err(of_stranger(stranger));
    }
    let status = refund.status.as_ref().map_or("pending", crate::RefundStatus::as_str);
    let known = RefundStatus::from_stripe(status).ok_or_else(|| Unreadable::Status(status.to_owned()))?;
    Ok(Some(RefundSnapshot {
        id: RefundId::new(refund.id.as_str()).map_err(|problem| foreign(&problem))?,
        name: notes.and_then(metadata::refund_name),
        intent: IntentId::new(intent.id().as_str()).map_err(|problem| foreign(&problem))?,
        amount: money(refund.amount, &refund.currency)?,
        reason: refund.reason.as_ref().and_then(|it| RefundReason::named(it.as_str())),
        status: known,
        failure: refund.failure_reason.as_deref().map(plain),
        request: notes.and_then(metadata::refund_request),
    }))
}

/// Reads what came of a payment; nothing where its charge has no balance transaction yet, or where that was not sent
/// whole.
pub(crate) fn proceeds_of(intent: &PaymentIntent) -> Result<Option<Proceeds>, Unreadable> {
    let Some(Expandable::Object(charge)) = &intent.latest_charge else { return Ok(None) };
    let Some(Expandable::Object(transaction)) = &charge.balance_transaction else { return Ok(None) };
    let money = |wire| money(wire, &transaction.currency);
    Ok(Some(Proceeds { gross: money(transaction.amount)?, fee: money(transaction.fee)? }))
}

/// Reads a dispute. One of a charge without an intent is of no concern.
pub(crate) fn dispute_of(dispute: &objects::Dispute) -> Result<Option<Dispute>, Unreadable> {
    let Some(intent) = &dispute.payment_intent else { return Ok(None) };
    let status: DisputeStatus = dispute.status.parse().map_err(|()| Unreadable::Status(dispute.status.clone()))?;
    let due_by = dispute.evidence_details.as_ref().and_then(|it| it.due_by);
    // Each time that money is taken or put back is a movement of its own. It is reinstated when all of it is back: what
    // is missing, if only by a rate of exchange, is still with the card holder.
    let movements = || dispute.balance_transactions.iter().map(|it| it.amount);
    let withdrawn = movements().any(|it| it < 0);
    let reinstated = movements().any(|it| it > 0) && movements().sum::<i64>() >= 0;
    Ok(Some(Dispute {
        id: DisputeId::new(dispute.id.as_str()).map_err(|problem| foreign(&problem))?,
        intent: IntentId::new(intent.id().as_str()).map_err(|problem| foreign(&problem))?,
        amount: money(dispute.amount, &dispute.currency)?,
        status,
        reason: plain(&dispute.reason),
        due_by: due_by.and_then(|it| Timestamp::from_unix_seconds(it).ok()),
        withdrawn,
        reinstated,
    }))
}
