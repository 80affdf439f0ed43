//! Audit trail. Entries are stored by the statements of their acts.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::stored::{ColumnError, StoredAuditEntry};
use paywright_app::{AuditEntry, AuditQuery, AuditTrail, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::columns::{row, tables};
use crate::failure::Failure;
use crate::statement::statement;

tables! {
    /// Entries that a statement stores, as one array for each column.
    Entries of StoredAuditEntry {
        audit_ids: id as SqlUuid,
        audit_times: at as Timestamptz,
        audit_acts: act as SqlText,
        audit_subjects: subject as SqlText,
        audit_actors: actor as Nullable<SqlText>,
        audit_keys: key_id as Nullable<SqlUuid>,
        audit_addresses: address as Nullable<SqlText>,
        audit_requests: request as Nullable<SqlText>,
        audit_details: details as SqlText,
    }
}

impl<'a> Entries<'a> {
    /// Entries of a statement.
    pub(crate) fn of_all(entries: &'a [AuditEntry]) -> Result<Self, ColumnError> {
        Self::of(entries.iter().map(StoredAuditEntry::of))
    }
}

impl Entries<'static> {
    /// One entry, for a statement that returns rows.
    pub(crate) fn of_one(entry: &AuditEntry) -> Result<Self, ColumnError> {
        Self::of(std::iter::once(StoredAuditEntry::of(entry).map(StoredAuditEntry::into_owned)))
    }
}

/// Values of [`Entries`] without any, for tests that run a statement by its text.
#[cfg(test)]
pub(crate) const NO_ENTRIES: &str = "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'";

/// Part of a statement that stores its [`Entries`] if `$from`, a table of at most one row, has one: that of the act.
macro_rules! audited {
    ($from:literal) => {
        concat!(
            "audited AS (INSERT INTO audit_entries (id, at, act, subject, actor, key_id, address, request, details) ",
            "SELECT it.id, it.at, it.act, it.subject, it.actor::jsonb, it.key_id, it.address, it.request, ",
            "it.details::jsonb FROM ",
            $from,
            ", unnest(:audit_ids::uuid[], :audit_times::timestamptz[], :audit_acts::text[], :audit_subjects::text[], ",
            ":audit_actors::text[], :audit_keys::uuid[], :audit_addresses::text[], :audit_requests::text[], ",
            ":audit_details::text[]) AS it (id, at, act, subject, actor, key_id, address, request, details))"
        )
    };
}
pub(crate) use audited;

/// Statement that stores entries alone.
struct AddEntries<'a>(Entries<'a>);

statement!(AddEntries<'_> => (), concat!("WITH act AS (SELECT), ", audited!("act"), " SELECT FROM act"), self {
    ..Entries = self.0,
});

row! {
    /// Row of an entry.
    EntryRow of StoredAuditEntry {
        id as SqlUuid,
        at as Timestamptz,
        act as SqlText,
        subject as SqlText,
        actor as Nullable<SqlText>,
        key_id as Nullable<SqlUuid>,
        address as Nullable<SqlText>,
        request as Nullable<SqlText>,
        details as SqlText,
    }
}

/// Beginning of a query for entries, up to the conditions of its own.
macro_rules! entries {
    () => {
        "SELECT id, at, act, subject, actor::text, key_id, address, request, details::text FROM audit_entries \
         WHERE id < :older_than::uuid "
    };
}

/// Query for the newest entries.
struct Newest {
    older_than: Uuid,
    limit: i64,
}

statement!(Newest => Untyped, concat!(entries!(), "ORDER BY id DESC LIMIT :limit"), self {
    older_than: SqlUuid = self.older_than,
    limit: BigInt = self.limit,
});

/// Query for the newest entries about a subject.
struct OfSubject {
    page: Newest,
    subject: String,
    key: Option<Uuid>,
}

statement!(
    OfSubject => Untyped,
    concat!(
        entries!(),
        "AND subject = :subject AND (:key::uuid IS NULL OR key_id = :key) ORDER BY id DESC LIMIT :limit",
    ),
    self {
        subject: SqlText = self.subject,
        key: Nullable<SqlUuid> = self.key,
        ..Newest = self.page,
    }
);

/// Query for the newest entries of an API key.
struct OfKey {
    page: Newest,
    key: Uuid,
}

statement!(OfKey => Untyped, concat!(entries!(), "AND key_id = :key ORDER BY id DESC LIMIT :limit"), self {
    key: SqlUuid = self.key,
    ..Newest = self.page,
});

#[async_trait]
impl AuditTrail for PostgresStore {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entries = Entries::of_all(std::slice::from_ref(entry)).map_err(|it| Failure::from(it).of_write())?;
        self.write(AddEntries(entries)).await.map(drop).map_err(Failure::of_write)
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let older_than = query.older_than.unwrap_or(Uuid::max());
        let page = Newest { older_than, limit: i64::from(query.limit) };
        let rows: Result<Vec<EntryRow>, Failure> = match (query.subject.clone(), query.key) {
            (Some(subject), key) => self.rows(OfSubject { page, subject, key }).await,
            (None, Some(key)) => self.rows(OfKey { page, key }).await,
            (None, None) => self.rows(page).await,
        };
        rows.and_then(|rows| rows.into_iter().map(|EntryRow(it)| Ok(it.restore()?)).collect()).map_err(Failure::of_read)
    }
}
