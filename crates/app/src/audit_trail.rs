//! Use cases of the audit trail.

use crate::{Act, App, AuditEntry, AuditQuery, Publisher, StoreError};

impl App {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: String, act: Act) -> AuditEntry {
        let now = self.clock.now();
        AuditEntry::of_current_work(self.ids.audit_entry_id(now), now, subject, act)
    }

    /// Reads a page of the audit trail, the newest entries first.
    pub async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit_trail.audit_entries(query).await
    }
}

impl Publisher {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: String, act: Act) -> AuditEntry {
        let now = self.clock.now();
        AuditEntry::of_current_work(self.ids.audit_entry_id(now), now, subject, act)
    }
}
