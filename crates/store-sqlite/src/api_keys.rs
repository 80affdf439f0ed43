//! API keys and their uses. Each write runs inside a savepoint of the group's transaction, which a failure rolls back.

use std::borrow::Cow;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use paywright_app::stored::{StoredApiKey, StoredKeyUse};
use paywright_app::{ApiKey, AuditEntry, KeyReplacement, KeyUse};
use uuid::Uuid;

use crate::audit_trail;
use crate::failure::Failure;
use crate::rows::Column;
use crate::schema::{api_key_uses, api_keys};

#[derive(Queryable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
struct ApiKeyRow<'a> {
    id: Vec<u8>,
    name: Cow<'a, str>,
    digest: Cow<'a, [u8]>,
    scopes: Cow<'a, str>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    application: Option<Vec<u8>>,
    replaced_by: Option<Vec<u8>>,
    networks: Cow<'a, str>,
    calls_per_minute: Option<i64>,
}

impl<'a> ApiKeyRow<'a> {
    fn of(key: &'a ApiKey) -> Self {
        let key = StoredApiKey::of(key);
        let bytes = |it: Uuid| it.as_bytes().to_vec();
        Self {
            id: bytes(key.id),
            name: key.name,
            digest: key.digest,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            application: key.application.map(bytes),
            replaced_by: key.replaced_by.map(bytes),
            networks: key.networks,
            calls_per_minute: key.calls_per_minute,
        }
    }

    fn restore(self) -> Result<ApiKey, Failure> {
        let id = |name, bytes: &[u8]| Column("api_keys", name).uuid(bytes);
        let stored = StoredApiKey {
            id: id("id", &self.id)?,
            application: self.application.map(|it| id("application", &it)).transpose()?,
            name: self.name,
            digest: self.digest,
            scopes: self.scopes,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            replaced_by: self.replaced_by.map(|it| id("replaced_by", &it)).transpose()?,
            networks: self.networks,
            calls_per_minute: self.calls_per_minute,
        };
        Ok(stored.restore()?)
    }
}

pub(crate) fn by_digest(db: &mut SqliteConnection, digest: &[u8; 32]) -> Result<Option<ApiKey>, Failure> {
    let found: Option<ApiKeyRow<'_>> =
        api_keys::table.filter(api_keys::digest.eq(digest.as_slice())).first(db).optional()?;
    found.map(ApiKeyRow::restore).transpose()
}

pub(crate) fn all(db: &mut SqliteConnection) -> Result<Vec<ApiKey>, Failure> {
    let rows: Vec<ApiKeyRow<'_>> =
        api_keys::table.order((api_keys::created_at.desc(), api_keys::id.desc())).load(db)?;
    rows.into_iter().map(ApiKeyRow::restore).collect()
}

pub(crate) fn add(db: &mut SqliteConnection, key: &ApiKey, entry: &AuditEntry) -> Result<(), Failure> {
    insert(db, key)?;
    audit_trail::add(db, [entry])
}

fn insert(db: &mut SqliteConnection, key: &ApiKey) -> Result<(), Failure> {
    diesel::insert_into(api_keys::table).values(&ApiKeyRow::of(key)).execute(db)?;
    Ok(())
}

pub(crate) fn revoke(db: &mut SqliteConnection, id: Uuid, entry: &AuditEntry) -> Result<bool, Failure> {
    let id = id.as_bytes().as_slice();
    let known: i64 = api_keys::table.filter(api_keys::id.eq(id)).count().get_result(db)?;
    let revoked = diesel::update(api_keys::table.find(id).filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(Some(entry.at.unix_micros())))
        .execute(db)?;
    audit_trail::add(db, (revoked > 0).then_some(entry))?;
    Ok(known > 0)
}

/// Stores the new key of a replacement and ends the old one; [`Failure::StaleVersion`] if that one cannot be replaced.
pub(crate) fn replace(
    db: &mut SqliteConnection,
    replacement: &KeyReplacement,
    entries: &[AuditEntry],
) -> Result<(), Failure> {
    let KeyReplacement { old, old_until, new } = replacement;
    let replaceable = api_keys::table.find(old.as_bytes().as_slice()).filter(api_keys::replaced_by.is_null());
    let expires_at: Option<i64> =
        replaceable.select(api_keys::expires_at).first(db).optional()?.ok_or(Failure::StaleVersion)?;
    let until = old_until.unix_micros();
    diesel::update(api_keys::table.find(old.as_bytes().as_slice()))
        .set((
            api_keys::expires_at.eq(Some(expires_at.map_or(until, |it| it.min(until)))),
            api_keys::replaced_by.eq(Some(new.id.as_bytes().as_slice())),
        ))
        .execute(db)?;
    insert(db, new)?;
    audit_trail::add(db, entries)
}

/// Stores the last uses of scopes by keys that exist.
pub(crate) fn record_uses(db: &mut SqliteConnection, uses: &[KeyUse]) -> Result<(), Failure> {
    for it in uses {
        let StoredKeyUse { key_id, scope, last_used } = StoredKeyUse::of(it);
        let key_id = key_id.as_bytes().as_slice();
        let known: i64 = api_keys::table.find(key_id).count().get_result(db)?;
        if known == 0 {
            continue;
        }
        diesel::insert_into(api_key_uses::table)
            .values((
                api_key_uses::key_id.eq(key_id),
                api_key_uses::scope.eq(scope),
                api_key_uses::last_used.eq(last_used),
            ))
            .on_conflict((api_key_uses::key_id, api_key_uses::scope))
            .do_update()
            .set(api_key_uses::last_used.eq(sql::<BigInt>("max(api_key_uses.last_used, excluded.last_used)")))
            .execute(db)?;
    }
    Ok(())
}

pub(crate) fn uses(db: &mut SqliteConnection) -> Result<Vec<KeyUse>, Failure> {
    let rows: Vec<(Vec<u8>, String, i64)> =
        api_key_uses::table.order((api_key_uses::key_id, api_key_uses::scope)).load(db)?;
    let restore = |(key, scope, last_used): (Vec<u8>, String, i64)| {
        let key_id = Column("api_key_uses", "key_id").uuid(&key)?;
        Ok(StoredKeyUse { key_id, scope: Cow::Owned(scope), last_used }.restore()?)
    };
    rows.into_iter().map(restore).collect()
}
