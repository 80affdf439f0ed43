use std::borrow::Cow;

use paywright_domain::anomaly::{Anomaly, AnomalyKind};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::DisputeId;
use paywright_domain::{IntentId, Timestamp};

use super::{Column, ColumnError, currency, text};

/// Row of the table `disputes`, without the order's id and the position.
#[expect(missing_docs, reason = "each field is the column of its name, and `Dispute` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDispute<'a> {
    pub provider_id: Cow<'a, str>,
    pub intent_id: Cow<'a, str>,
    pub currency: Cow<'a, str>,
    pub amount: i64,
    pub status: Cow<'a, str>,
    pub reason: Cow<'a, str>,
    pub due_by: Option<i64>,
    pub withdrawn: bool,
    pub reinstated: bool,
}

impl<'a> StoredDispute<'a> {
    /// Row of a dispute.
    pub fn of(dispute: &'a Dispute) -> Self {
        Self {
            provider_id: text(dispute.id.as_str()),
            intent_id: text(dispute.intent.as_str()),
            currency: currency(dispute.amount),
            amount: dispute.amount.minor(),
            status: text(dispute.status.name()),
            reason: text(&dispute.reason),
            due_by: dispute.due_by.map(Timestamp::unix_micros),
            withdrawn: dispute.withdrawn,
            reinstated: dispute.reinstated,
        }
    }

    /// Restores the dispute.
    pub fn restore(self) -> Result<Dispute, ColumnError> {
        let column = |name| Column("disputes", name);
        Ok(Dispute {
            id: column("provider_id").read(DisputeId::new(self.provider_id))?,
            intent: column("intent_id").read(IntentId::new(self.intent_id))?,
            amount: column("amount").money(self.amount, column("currency").read(self.currency.parse())?)?,
            status: column("status").found(self.status.parse().ok())?,
            reason: self.reason.into_owned(),
            due_by: self.due_by.map(|it| column("due_by").time(it)).transpose()?,
            withdrawn: self.withdrawn,
            reinstated: self.reinstated,
        })
    }
}

/// Row of the table `anomalies`, without the order's id and the position.
#[expect(missing_docs, reason = "each other field is the column of its name, and `Anomaly` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnomaly<'a> {
    /// Stripe's id of the PaymentIntent; empty if the anomaly concerns none, because the column is NOT NULL.
    pub provider_id: Cow<'a, str>,
    /// Name of the kind, for queries; the payload has it too.
    pub name: Cow<'a, str>,
    pub payload: Cow<'a, str>,
    pub policy: Cow<'a, str>,
    pub reason: Option<Cow<'a, str>>,
    pub found_at: i64,
    pub accepted_at: Option<i64>,
}

impl<'a> StoredAnomaly<'a> {
    /// Row of an anomaly.
    pub fn of(anomaly: &'a Anomaly) -> Result<Self, ColumnError> {
        Ok(Self {
            provider_id: text(anomaly.intent.as_ref().map_or("", IntentId::as_str)),
            name: text(anomaly.kind.name()),
            payload: Cow::Owned(Column("anomalies", "payload").document(&anomaly.kind.details())?),
            policy: text(anomaly.kind.policy_name()),
            reason: anomaly.reason.as_deref().map(text),
            found_at: anomaly.found_at.unix_micros(),
            accepted_at: anomaly.accepted_at.map(Timestamp::unix_micros),
        })
    }

    /// Restores the anomaly.
    pub fn restore(self) -> Result<Anomaly, ColumnError> {
        let column = |name| Column("anomalies", name);
        let intent = (!self.provider_id.is_empty()).then(|| IntentId::new(self.provider_id));
        Ok(Anomaly {
            intent: column("provider_id").read(intent.transpose())?,
            kind: column("policy").found(AnomalyKind::restore(column("payload").json(&self.payload)?, &self.policy))?,
            reason: self.reason.map(Cow::into_owned),
            found_at: column("found_at").time(self.found_at)?,
            accepted_at: self.accepted_at.map(|it| column("accepted_at").time(it)).transpose()?,
        })
    }
}
