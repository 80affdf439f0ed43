//! Audit trail. Entries are stored in the transactions of their acts.

use async_trait::async_trait;
use diesel::prelude::*;
use paywright_app::stored::StoredAuditEntry;
use paywright_app::{AuditEntry, AuditQuery, AuditTrail, StoreError};
use uuid::Uuid;

use crate::SqliteStore;
use crate::columns::stored_table;
use crate::failure::Failure;

stored_table! {
    /// Row of an entry.
    EntryRow of StoredAuditEntry in audit_entries (id)
    fixed (id)
    own {}
    columns {
        id: Binary,
        at: BigInt,
        act: Text,
        subject: Text,
        actor: Nullable<Text>,
        key_id: Nullable<Binary>,
        address: Nullable<Text>,
        request: Nullable<Text>,
        details: Text,
    }
}

/// Stores entries, within the savepoint of their act; [`Failure::StaleVersion`] if there is one with the same id, which the
/// table would refuse to replace.
pub(crate) fn add<'a>(
    db: &mut SqliteConnection,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<(), Failure> {
    for entry in entries {
        let known: i64 = audit_entries::table.find(entry.id.as_bytes().as_slice()).count().get_result(db)?;
        if known > 0 {
            return Err(Failure::StaleVersion);
        }
        diesel::insert_into(audit_entries::table).values(&EntryRow::of(StoredAuditEntry::of(entry)?)).execute(db)?;
    }
    Ok(())
}

fn page(db: &mut SqliteConnection, query: &AuditQuery) -> Result<Vec<AuditEntry>, Failure> {
    let older_than = query.older_than.unwrap_or(Uuid::max());
    let mut found = audit_entries::table
        .filter(audit_entries::id.lt(older_than.as_bytes().as_slice()))
        .order(audit_entries::id.desc())
        .limit(i64::from(query.limit))
        .into_boxed();
    if let Some(subject) = &query.subject {
        found = found.filter(audit_entries::subject.eq(subject));
    }
    if let Some(key) = &query.key {
        found = found.filter(audit_entries::key_id.eq(key.as_bytes().as_slice()));
    }
    let rows: Vec<EntryRow<'static>> = found.load(db)?;
    rows.into_iter().map(|it| Ok(it.stored()?.restore()?)).collect()
}

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        self.writer.run(move |db| add(db, [&entry])).await
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| page(db, &query)).await
    }
}
