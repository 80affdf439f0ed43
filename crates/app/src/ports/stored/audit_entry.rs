use std::borrow::Cow;

use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::{Actor, AuditEntry};

/// Row of the table `audit_entries`.
#[expect(missing_docs, reason = "each field is the column of its name, and `AuditEntry` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAuditEntry<'a> {
    pub id: Uuid,
    pub at: i64,
    pub act: Cow<'a, str>,
    pub subject: Cow<'a, str>,
    pub actor: Option<Cow<'a, str>>,
    pub key_id: Option<Uuid>,
    pub address: Option<Cow<'a, str>>,
    pub request: Option<Cow<'a, str>>,
    pub details: Cow<'a, str>,
}

impl<'a> StoredAuditEntry<'a> {
    /// Row of an entry. The act is in its details too, whole.
    pub fn of(entry: &'a AuditEntry) -> Result<Self, ColumnError> {
        let column = |name| Column("audit_entries", name);
        let actor = entry.actor.as_ref();
        Ok(Self {
            id: entry.id,
            at: entry.at.unix_micros(),
            act: text(entry.act.name()),
            subject: text(&entry.subject),
            actor: actor.map(|it| column("actor").document(it)).transpose()?.map(Cow::Owned),
            key_id: actor.and_then(Actor::api_key).map(|(key, _)| key),
            address: entry.address.map(|it| Cow::Owned(it.to_string())),
            request: entry.request.as_deref().map(text),
            details: Cow::Owned(column("details").document(&entry.act)?),
        })
    }

    /// The same row, which borrows from no entry.
    pub fn into_owned(self) -> StoredAuditEntry<'static> {
        let owned = |it: Cow<'a, str>| Cow::Owned(it.into_owned());
        StoredAuditEntry {
            id: self.id,
            at: self.at,
            act: owned(self.act),
            subject: owned(self.subject),
            actor: self.actor.map(owned),
            key_id: self.key_id,
            address: self.address.map(owned),
            request: self.request.map(owned),
            details: owned(self.details),
        }
    }

    /// Restores the entry.
    pub fn restore(self) -> Result<AuditEntry, ColumnError> {
        let column = |name| Column("audit_entries", name);
        Ok(AuditEntry {
            id: self.id,
            at: column("at").time(self.at)?,
            act: column("details").json(&self.details)?,
            subject: self.subject.into_owned(),
            actor: self.actor.map(|it| column("actor").json(&it)).transpose()?,
            address: self.address.map(|it| column("address").read(it.parse())).transpose()?,
            request: self.request.map(Cow::into_owned),
        })
    }
}
