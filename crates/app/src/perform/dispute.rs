//! Disputes, read from Stripe where an event is not conclusive.

use paywright_domain::dispute::Dispute;
use paywright_domain::{IntentId, Order};

use super::PerformError;
use crate::change::CommitContext;
use crate::{Access, App, OrderRef, UnknownStatus};

impl App {
    /// Imports each dispute of a PaymentIntent, and returns those with a status that is unknown here.
    ///
    /// The order is loaded before the disputes are read, and the commit names that version: what was read is newer than
    /// all that the order knows. If the order has changed meanwhile, the disputes are read again.
    pub(crate) async fn import_disputes(
        &self,
        intent: &IntentId,
        context: &CommitContext,
    ) -> Result<(Order, Vec<UnknownStatus>), PerformError> {
        self.retry(|_| async move {
            let found = self.find(&OrderRef::Intent(intent.clone()), &Access::All).await?;
            let unknown_intent = || PerformError::Unmatched("no order has the disputed PaymentIntent".into());
            let found = found.ok_or_else(unknown_intent)?;
            let (disputes, unknown) = self.disputes_now(intent).await?;
            let now = self.clock.now();
            let decision = found.value.disputes_read(&disputes, now);
            let decision = decision.map_err(|it| PerformError::Unmatched(it.to_string()))?;
            let context = CommitContext { cause: context.cause.clone(), ..CommitContext::default() };
            let committed = self.commit_decision(found, decision, context, now).await?;
            Ok(committed.map(|order| (order, unknown)))
        })
        .await
    }

    async fn disputes_now(&self, intent: &IntentId) -> Result<(Vec<Dispute>, Vec<UnknownStatus>), PerformError> {
        let (mut disputes, mut unknown, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = self.records.disputes_of(intent, after.as_deref()).await?;
            disputes.extend(page.items);
            unknown.extend(page.unknown);
            after = page.next;
            if after.is_none() {
                return Ok((disputes, unknown));
            }
        }
    }
}
