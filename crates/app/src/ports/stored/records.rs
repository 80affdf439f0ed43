use std::borrow::Cow;
use std::num::NonZeroU32;

use ipnet::IpNet;
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::{ApiKey, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, KeyUse, Scope};

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
    pub application: Option<Uuid>,
    pub name: Cow<'a, str>,
    pub digest: Cow<'a, [u8]>,
    pub scopes: Cow<'a, str>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub replaced_by: Option<Uuid>,
    pub networks: Cow<'a, str>,
    pub calls_per_minute: Option<i64>,
}

impl<'a> StoredApiKey<'a> {
    /// Row of a key.
    pub fn of(key: &'a ApiKey) -> Self {
        Self {
            id: key.id,
            // Null for a first key, as in the rows of versions that had no other ones.
            application: (key.application != key.id).then_some(key.application),
            name: text(&key.name),
            digest: Cow::Borrowed(&key.digest),
            scopes: Cow::Owned(key.scopes.iter().map(|it| it.name()).collect::<Vec<_>>().join(" ")),
            created_at: key.created_at.unix_micros(),
            expires_at: key.expires_at.map(Timestamp::unix_micros),
            revoked_at: key.revoked_at.map(Timestamp::unix_micros),
            replaced_by: key.replaced_by,
            networks: Cow::Owned(key.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
            calls_per_minute: key.calls_per_minute.map(|it| i64::from(it.get())),
        }
    }

    /// Restores the key.
    pub fn restore(self) -> Result<ApiKey, ColumnError> {
        let column = |name| Column("api_keys", name);
        Ok(ApiKey {
            id: self.id,
            application: self.application.unwrap_or(self.id),
            name: self.name.into_owned(),
            digest: column("digest").found(self.digest.as_ref().try_into().ok())?,
            scopes: column("scopes")
                .read(self.scopes.split_whitespace().map(str::parse::<Scope>).collect::<Result<_, _>>())?,
            created_at: column("created_at").time(self.created_at)?,
            expires_at: self.expires_at.map(|it| column("expires_at").time(it)).transpose()?,
            revoked_at: self.revoked_at.map(|it| column("revoked_at").time(it)).transpose()?,
            replaced_by: self.replaced_by,
            networks: column("networks")
                .read(self.networks.split_whitespace().map(str::parse::<IpNet>).collect::<Result<_, _>>())?,
            calls_per_minute: self
                .calls_per_minute
                .map(|it| column("calls_per_minute").read(u32::try_from(it).and_then(NonZeroU32::try_from)))
                .transpose()?,
        })
    }
}

/// Row of the table `api_key_uses`.
#[expect(missing_docs, reason = "each field is the column of its name, and `KeyUse` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeyUse<'a> {
    pub key_id: Uuid,
    pub scope: Cow<'a, str>,
    pub last_used: i64,
}

impl StoredKeyUse<'static> {
    /// Row of a use.
    pub fn of(used: &KeyUse) -> Self {
        Self { key_id: used.key, scope: Cow::Borrowed(used.scope.name()), last_used: used.last_used.unix_micros() }
    }
}

impl StoredKeyUse<'_> {
    /// Restores the use.
    pub fn restore(self) -> Result<KeyUse, ColumnError> {
        let column = |name| Column("api_key_uses", name);
        Ok(KeyUse {
            key: self.key_id,
            scope: column("scope").read(self.scope.parse::<Scope>())?,
            last_used: column("last_used").time(self.last_used)?,
        })
    }
}
