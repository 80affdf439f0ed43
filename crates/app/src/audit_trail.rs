//! Use cases of the audit trail.

use std::fmt::Display;

use crate::{Act, App, AuditEntry, AuditQuery, OrderRef, Orders, Publisher, StoreError};

impl App {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: impl Display, act: Act) -> AuditEntry {
        AuditEntry::of_current_work(&*self.ids, self.clock.now(), subject, act)
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

/// Subject of the audit trail that a text names: an id in any form, the number or a PaymentIntent of an order, or the text
/// itself.
pub async fn audit_subject(orders: &dyn Orders, text: &str) -> Result<String, StoreError> {
    let id = match OrderRef::parse(text.trim()) {
        Ok(which @ (OrderRef::Number(_) | OrderRef::Intent(_))) => orders.order(&which).await?.map(|it| it.value.id),
        // That of another object, too.
        Ok(OrderRef::Id(id)) => Some(id),
        Err(_) => None,
    };
    Ok(id.map_or_else(|| text.to_owned(), |it| it.to_string()))
}

impl Publisher {
    /// Entry about an act of the work that is being polled.
    pub(crate) fn audit_entry(&self, subject: impl Display, act: Act) -> AuditEntry {
        AuditEntry::of_current_work(&*self.ids, self.clock.now(), subject, act)
    }
}
