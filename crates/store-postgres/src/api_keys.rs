//! API keys and their uses.

use std::slice::from_ref;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Binary, Nullable, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::stored::{ColumnError, StoredApiKey, StoredKeyUse};
use paywright_app::{ApiKey, AuditEntry, KeyReplacement, KeyUse};
use uuid::Uuid;

use crate::audit_trail::{Entries, audited};
use crate::columns::{row, tables};
use crate::rows::{pg_time, to_pg_micros};
use crate::statement::{parameters, statement};

/// Columns of a key.
macro_rules! columns {
    () => {
        "id, application, name, digest, scopes, created_at, expires_at, revoked_at, replaced_by, networks, calls_per_minute"
    };
}

row! {
    /// Row of an API key.
    ApiKeyRow of StoredApiKey {
        id as SqlUuid,
        application as Nullable<SqlUuid>,
        name as SqlText,
        digest as Binary,
        scopes as SqlText,
        created_at as Timestamptz,
        expires_at as Nullable<Timestamptz>,
        revoked_at as Nullable<Timestamptz>,
        replaced_by as Nullable<SqlUuid>,
        networks as SqlText,
        calls_per_minute as Nullable<BigInt>,
    }
}

#[derive(Clone)]
pub(crate) struct ByDigest(pub(crate) Vec<u8>);

statement!(ByDigest => Untyped, concat!("SELECT ", columns!(), " FROM api_keys WHERE digest = :digest"), self {
    digest: Binary = self.0,
});

pub(crate) struct All;

statement!(All => Untyped, concat!("SELECT ", columns!(), " FROM api_keys ORDER BY created_at DESC, id DESC"), self {});

/// Columns of a key that is stored.
struct KeyColumns<'a> {
    key: StoredApiKey<'a>,
    created_at: PgTimestamp,
    expires_at: Option<PgTimestamp>,
    revoked_at: Option<PgTimestamp>,
}

impl<'a> KeyColumns<'a> {
    fn of(key: &'a ApiKey) -> Self {
        let key = StoredApiKey::of(key);
        let time = |micros| PgTimestamp(to_pg_micros(micros));
        Self {
            created_at: time(key.created_at),
            expires_at: key.expires_at.map(time),
            revoked_at: key.revoked_at.map(time),
            key,
        }
    }
}

parameters!(self: KeyColumns<'_> {
    id: SqlUuid = self.key.id,
    application: Nullable<SqlUuid> = self.key.application,
    name: SqlText = self.key.name,
    digest: Binary = self.key.digest,
    scopes: SqlText = self.key.scopes,
    created_at: Timestamptz = self.created_at,
    expires_at: Nullable<Timestamptz> = self.expires_at,
    revoked_at: Nullable<Timestamptz> = self.revoked_at,
    replaced_by: Nullable<SqlUuid> = self.key.replaced_by,
    networks: SqlText = self.key.networks,
    calls_per_minute: Nullable<BigInt> = self.key.calls_per_minute,
});

/// Values of [`KeyColumns`], in the order of the columns.
macro_rules! values {
    () => {
        ":id, :application, :name, :digest, :scopes, :created_at, :expires_at, :revoked_at, :replaced_by, :networks, \
         :calls_per_minute"
    };
}

/// Statement that stores a key.
pub(crate) struct Add<'a> {
    key: KeyColumns<'a>,
    entries: Entries<'a>,
}

impl<'a> Add<'a> {
    pub(crate) fn of(key: &'a ApiKey, entry: &'a AuditEntry) -> Result<Self, ColumnError> {
        Ok(Self { key: KeyColumns::of(key), entries: Entries::of_all(from_ref(entry))? })
    }
}

statement!(Add<'_> => (),
    concat!(
        "WITH added AS (INSERT INTO api_keys (", columns!(), ") VALUES (", values!(), ") RETURNING id), ",
        audited!("added"), " SELECT FROM added",
    ),
    self {
        ..KeyColumns = self.key,
        ..Entries = self.entries,
    }
);

/// Statement that revokes a key, unless it is revoked: returns a row if there is such a key.
pub(crate) struct Revoke<'a> {
    at: PgTimestamp,
    id: Uuid,
    entries: Entries<'a>,
}

impl<'a> Revoke<'a> {
    pub(crate) fn of(id: Uuid, entry: &'a AuditEntry) -> Result<Self, ColumnError> {
        Ok(Self { at: pg_time(entry.at), id, entries: Entries::of_all(from_ref(entry))? })
    }
}

statement!(Revoke<'_> => (),
    concat!(
        "WITH revoked AS (UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL RETURNING id), ",
        audited!("revoked"), " SELECT FROM api_keys WHERE id = :id",
    ),
    self {
        at: Timestamptz = self.at,
        id: SqlUuid = self.id,
        ..Entries = self.entries,
    }
);

/// Statement that stores the new key of a replacement and ends the old one. It writes nothing if that one cannot be
/// replaced.
pub(crate) struct Replace<'a> {
    old: Uuid,
    old_until: PgTimestamp,
    new: KeyColumns<'a>,
    entries: Entries<'a>,
}

impl<'a> Replace<'a> {
    pub(crate) fn of(replacement: &'a KeyReplacement, entries: &'a [AuditEntry]) -> Result<Self, ColumnError> {
        let KeyReplacement { old, old_until, new } = replacement;
        let entries = Entries::of_all(entries)?;
        Ok(Self { old: *old, old_until: pg_time(*old_until), new: KeyColumns::of(new), entries })
    }
}

statement!(Replace<'_> => (),
    concat!(
        "WITH old AS (UPDATE api_keys SET expires_at = least(expires_at, :old_until), replaced_by = :id ",
        "WHERE id = :old_id AND replaced_by IS NULL RETURNING id), ",
        audited!("old"),
        " INSERT INTO api_keys (", columns!(), ") SELECT ", values!(), " FROM old",
    ),
    self {
        old_id: SqlUuid = self.old,
        old_until: Timestamptz = self.old_until,
        ..KeyColumns = self.new,
        ..Entries = self.entries,
    }
);

tables! {
    /// Uses of keys, as one array for each column.
    Uses of StoredKeyUse {
        use_keys: key_id as SqlUuid,
        use_scopes: scope as SqlText,
        use_times: last_used as Timestamptz,
    }
}

/// Statement that stores the last uses of scopes by keys that exist.
pub(crate) struct RecordUses<'a>(Uses<'a>);

impl RecordUses<'static> {
    pub(crate) fn of(uses: &[KeyUse]) -> Result<Self, ColumnError> {
        Ok(Self(Uses::of(uses.iter().map(|it| Ok(StoredKeyUse::of(it))))?))
    }
}

statement!(RecordUses<'_> => (),
    concat!(
        "INSERT INTO api_key_uses (key_id, scope, last_used) SELECT it.key_id, it.scope, it.last_used ",
        "FROM unnest(:use_keys::uuid[], :use_scopes::text[], :use_times::timestamptz[]) AS it (key_id, scope, last_used) ",
        "JOIN api_keys ON api_keys.id = it.key_id ",
        "ON CONFLICT (key_id, scope) DO UPDATE SET last_used = greatest(api_key_uses.last_used, excluded.last_used)",
    ),
    self {
        ..Uses = self.0,
    }
);

row! {
    /// Row of the last use of a scope by a key.
    KeyUseRow of StoredKeyUse {
        key_id as SqlUuid,
        scope as SqlText,
        last_used as Timestamptz,
    }
}

pub(crate) struct AllUses;

statement!(AllUses => Untyped, "SELECT key_id, scope, last_used FROM api_key_uses ORDER BY key_id, scope", self {});
