use std::borrow::Cow;

use paywright_domain::IntentId;
use paywright_domain::id::RefundId;
use paywright_domain::refund::{Closing, Refund, RefundFailure, RefundOrigin, RefundReason};
use uuid::Uuid;

use super::{Column, ColumnError, currency, text};

/// Row of the table `refunds`, without the order's id.
#[expect(missing_docs, reason = "each field is the column of its name, and `Refund` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefund<'a> {
    pub number: i64,
    pub intent_id: Cow<'a, str>,
    pub provider_id: Option<Cow<'a, str>>,
    pub currency: Cow<'a, str>,
    pub amount: i64,
    pub reason: Option<Cow<'a, str>>,
    pub origin: Cow<'a, str>,
    pub status: Cow<'a, str>,
    pub attempt: i64,
    pub failure: Option<Cow<'a, str>>,
    pub requested_at: i64,
    pub epoch: Option<i64>,
    pub request: Option<Uuid>,
    pub closed_at: Option<i64>,
    pub closed_amount: Option<i64>,
}

impl<'a> StoredRefund<'a> {
    /// Row of a refund.
    pub fn of(refund: &'a Refund) -> Self {
        Self {
            number: i64::from(refund.number),
            intent_id: text(refund.intent.as_str()),
            provider_id: refund.provider_id.as_ref().map(|it| text(it.as_str())),
            currency: currency(refund.amount),
            amount: refund.amount.minor(),
            reason: refund.reason.map(|it| text(it.name())),
            origin: text(refund.origin.name()),
            status: text(refund.status.name()),
            attempt: i64::from(refund.attempt),
            failure: refund.failure.as_ref().map(|it| text(it.as_str())),
            requested_at: refund.requested_at.unix_micros(),
            epoch: refund.epoch.map(|it| i64::from(it.0)),
            request: refund.request,
            closed_at: refund.closing.map(|it| it.at.unix_micros()),
            closed_amount: refund.closing.map(|it| it.amount.minor()),
        }
    }

    /// Restores the refund.
    pub fn restore(self) -> Result<Refund, ColumnError> {
        let column = |name| Column("refunds", name);
        let currency = column("currency").read(self.currency.parse())?;
        let closing = |(at, amount)| {
            Ok(Closing { at: column("closed_at").time(at)?, amount: column("closed_amount").money(amount, currency)? })
        };
        Ok(Refund {
            number: column("number").count(self.number)?,
            intent: column("intent_id").read(IntentId::new(self.intent_id))?,
            amount: column("amount").money(self.amount, currency)?,
            reason: self.reason.map(|it| column("reason").found(RefundReason::named(&it))).transpose()?,
            origin: column("origin").found(RefundOrigin::named(&self.origin))?,
            status: column("status").found(self.status.parse().ok())?,
            provider_id: column("provider_id").read(self.provider_id.map(RefundId::new).transpose())?,
            attempt: column("attempt").count(self.attempt)?,
            failure: self.failure.map(|it| RefundFailure::from(it.into_owned())),
            requested_at: column("requested_at").time(self.requested_at)?,
            epoch: column("epoch").epoch(self.epoch)?,
            request: self.request,
            closing: self.closed_at.zip(self.closed_amount).map(closing).transpose()?,
        })
    }
}
