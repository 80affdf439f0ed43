//! Disputes as they stand at the provider, where an event cannot tell.

use std::sync::atomic::{AtomicBool, Ordering};

use paywright_domain::{Dispute, IntentId, Order};

use super::PerformError;
use crate::change::{Along, ChangeError};
use crate::{ATTEMPTS_MAX, Access, App, OrderRef, UnknownStatus};

impl App {
    /// Takes in how each dispute of an intent stands at the provider, and gives those that have a status that is not
    /// known here. It reads again until a read changes nothing: of two who read at the same time, the one who has read
    /// first may commit last.
    pub(crate) async fn import_disputes(
        &self,
        intent: &IntentId,
        order: Order,
        along: &Along,
    ) -> Result<(Order, Vec<UnknownStatus>), PerformError> {
        let mut order = order;
        for _ in 0..ATTEMPTS_MAX {
            let (mut unknown, mut after, mut has_changed) = (Vec::new(), None, false);
            loop {
                let page = self.records.disputes_of(intent, after.as_deref()).await?;
                for dispute in &page.items {
                    let (next, changes) = self.take_dispute_as_read(dispute, along).await?;
                    (order, has_changed) = (next, has_changed || changes);
                }
                unknown.extend(page.unknown);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if !has_changed {
                return Ok((order, unknown));
            }
        }
        Err(PerformError::Misfit("the disputes of the payment intent change whenever they are read".into()))
    }

    /// Takes in a dispute that was just read, and says whether that changed the order.
    async fn take_dispute_as_read(&self, read: &Dispute, along: &Along) -> Result<(Order, bool), PerformError> {
        let names = [OrderRef::Intent(read.intent.clone())];
        let has_changed = AtomicBool::new(false);
        let decide = |order: &Order, now| {
            let decision = order.dispute_read(read, now)?;
            has_changed.store(decision.order != *order, Ordering::Relaxed);
            Ok((decision, along.clone()))
        };
        let order = self.change_along(&names, &Access::All, decide).await.map_err(|error| match error {
            ChangeError::NotFound => PerformError::Misfit("no order knows the disputed payment intent".into()),
            ChangeError::Refused(error) => {
                let error: paywright_domain::DisputeNewsError = error;
                PerformError::Misfit(error.to_string())
            }
            ChangeError::Store(error) => PerformError::Store(error),
        })?;
        Ok((order, has_changed.into_inner()))
    }
}
