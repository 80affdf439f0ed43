//! Use cases of the audit trail.

use crate::{Act, App, AuditEntry, AuditQuery, OrderRef, Orders, Publisher, StoreError};

impl App {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: String, act: Act) -> AuditEntry {
        let now = self.clock.now();
        AuditEntry::of_current_work(self.ids.audit_entry_id(now), now, subject, act)
    }

    /// Reads a page of the audit trail, the newest entries first. The subject may be the number or a PaymentIntent of an
    /// order, in place of its id.
    pub async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let subject = match &query.subject {
            Some(text) => Some(audit_subject(&*self.store.orders, text).await?),
            None => None,
        };
        self.store.audit_trail.audit_entries(&AuditQuery { subject, ..query.clone() }).await
    }
}

/// Subject of the audit trail that a text names: the id of an order, by its number or one of its PaymentIntents too, or
/// the text itself.
pub async fn audit_subject(orders: &dyn Orders, text: &str) -> Result<String, StoreError> {
    let found = match OrderRef::parse(text) {
        Ok(which @ (OrderRef::Number(_) | OrderRef::Intent(_))) => orders.order(&which).await?,
        Ok(OrderRef::Id(_)) | Err(_) => None,
    };
    Ok(found.map_or_else(|| text.to_owned(), |it| it.value.id.to_string()))
}

impl Publisher {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: String, act: Act) -> AuditEntry {
        let now = self.clock.now();
        AuditEntry::of_current_work(self.ids.audit_entry_id(now), now, subject, act)
    }
}
