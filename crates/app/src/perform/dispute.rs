//! Disputes as they stand at the provider, where an event cannot tell.

use paywright_domain::{Dispute, IntentId, Order};

use super::PerformError;
use crate::change::CommitContext;
use crate::{Access, App, Changes, OrderRef, UnknownStatus, Versioned};

impl App {
    /// Takes in how each dispute of an intent stands at the provider, and gives those that have a status that is not
    /// known here.
    ///
    /// The order is loaded before the provider is asked, and the commit names that version: what was read is newer than
    /// all that the order knows. Where the order has changed meanwhile, the disputes are read again.
    pub(crate) async fn import_disputes(
        &self,
        intent: &IntentId,
        context: &CommitContext,
    ) -> Result<(Order, Vec<UnknownStatus>), PerformError> {
        let mut attempt = 1;
        loop {
            let found = self.find(&[OrderRef::Intent(intent.clone())], &Access::All).await?;
            let unknown_intent = || PerformError::Unmatched("no order knows the disputed payment intent".into());
            let Versioned { version, value: order } = found.ok_or_else(unknown_intent)?;
            let (disputes, unknown) = self.disputes_now(intent).await?;
            let now = self.clock.now();
            let decision = order.disputes_read(&disputes, now).map_err(|it| PerformError::Unmatched(it.to_string()))?;
            if decision.order == order {
                return Ok((order, unknown));
            }
            let after = decision.order.clone();
            let changes = Changes { cause: context.cause.clone(), ..self.changes(version, decision, now) };
            match self.commit(changes).await {
                Ok(()) => return Ok((after, unknown)),
                Err(error) => self.again_after(error, &mut attempt).await?,
            }
        }
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
