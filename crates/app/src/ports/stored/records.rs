use std::borrow::Cow;

use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::{ApiKey, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, Scope};

/// Row of the table `idempotency_records`.
#[expect(missing_docs, reason = "each field is the column of its name, and `IdempotencyRecord` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdempotencyRecord<'a> {
    pub scope: Uuid,
    pub key: Cow<'a, str>,
    pub fingerprint: Cow<'a, [u8]>,
    pub order_id: Uuid,
    pub answer: Cow<'a, str>,
    pub at: i64,
}

impl<'a> StoredIdempotencyRecord<'a> {
    /// Row of a record.
    pub fn of(record: &'a IdempotencyRecord) -> Self {
        Self {
            scope: record.key.scope,
            key: text(&record.key.key),
            fingerprint: Cow::Borrowed(&record.fingerprint),
            order_id: record.order.0,
            answer: record.outcome.stored(),
            at: record.at.unix_micros(),
        }
    }

    /// Restores the record.
    pub fn restore(self) -> Result<IdempotencyRecord, ColumnError> {
        let column = |name| Column("idempotency_records", name);
        Ok(IdempotencyRecord {
            key: IdempotencyKey { scope: self.scope, key: self.key.into_owned() },
            fingerprint: column("fingerprint").found(self.fingerprint.as_ref().try_into().ok())?,
            order: OrderId(self.order_id),
            outcome: IdempotencyOutcome::restore(self.answer.into_owned()),
            at: column("at").time(self.at)?,
        })
    }
}

/// Row of the table `api_keys`.
#[expect(missing_docs, reason = "each field is the column of its name, and `ApiKey` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiKey<'a> {
    pub id: Uuid,
    pub name: Cow<'a, str>,
    pub digest: Cow<'a, [u8]>,
    pub scopes: Cow<'a, str>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

impl<'a> StoredApiKey<'a> {
    /// Row of a key.
    pub fn of(key: &'a ApiKey) -> Self {
        Self {
            id: key.id,
            name: text(&key.name),
            digest: Cow::Borrowed(&key.digest),
            scopes: Cow::Owned(key.scopes.iter().map(|it| it.name()).collect::<Vec<_>>().join(" ")),
            created_at: key.created_at.unix_micros(),
            expires_at: key.expires_at.map(Timestamp::unix_micros),
            revoked_at: key.revoked_at.map(Timestamp::unix_micros),
        }
    }

    /// Restores the key.
    pub fn restore(self) -> Result<ApiKey, ColumnError> {
        let column = |name| Column("api_keys", name);
        Ok(ApiKey {
            id: self.id,
            name: self.name.into_owned(),
            digest: column("digest").found(self.digest.as_ref().try_into().ok())?,
            scopes: column("scopes")
                .read(self.scopes.split_whitespace().map(str::parse::<Scope>).collect::<Result<_, _>>())?,
            created_at: column("created_at").time(self.created_at)?,
            expires_at: self.expires_at.map(|it| column("expires_at").time(it)).transpose()?,
            revoked_at: self.revoked_at.map(|it| column("revoked_at").time(it)).transpose()?,
        })
    }
}
