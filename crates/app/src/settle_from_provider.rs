use paywright_domain::intent::SettleError;
use paywright_domain::{IntentSnapshot, Order};
use thiserror::Error;

use crate::change::CommitContext;
use crate::{Access, App, IssuedIntent, OrderRef, StoreError, Versioned};

/// Why a snapshot was not applied to an order.
#[derive(Debug, Error)]
pub enum SettleFromProviderError {
    /// The PaymentIntent's metadata names no order: it belongs to another program on the same account.
    #[error("the PaymentIntent belongs to another program")]
    Foreign,
    /// The PaymentIntent's metadata names an order that is not stored here.
    #[error("the PaymentIntent names an order that is not stored here")]
    UnknownOrder,
    /// The order refuses the snapshot.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Settles an order by a snapshot of its PaymentIntent. The same snapshot may come any number of times, in any
    /// order, and from several sources at once.
    ///
    /// The order is the one that has the PaymentIntent, or else the one that its metadata names.
    pub async fn settle_from_provider(&self, update: &IntentSnapshot) -> Result<Order, SettleFromProviderError> {
        self.settle(update, &CommitContext::default()).await
    }

    /// Settles an order by Stripe's answer to a request of `source`.
    pub(crate) async fn settle_answer(
        &self,
        source: &str,
        issued: &IssuedIntent,
    ) -> Result<Order, SettleFromProviderError> {
        self.settle(&issued.snapshot, &CommitContext::from(source, issued.request.clone())).await
    }

    pub(crate) async fn settle(
        &self,
        update: &IntentSnapshot,
        context: &CommitContext,
    ) -> Result<Order, SettleFromProviderError> {
        self.retry(|_| async move {
            let Some(found) = self.find_order_of(update).await? else {
                let is_foreign = update.order.is_none();
                return Err(if is_foreign {
                    SettleFromProviderError::Foreign
                } else {
                    SettleFromProviderError::UnknownOrder
                });
            };
            let now = self.clock.now();
            let decision = found.value.settle(update, &self.settings.policies, now)?;
            Ok(self.commit_decision(found, decision, context.clone(), now).await?)
        })
        .await
    }

    /// Finds the order that has the PaymentIntent, or else the one that its metadata names. The order of the metadata is
    /// read first, since orders can be found by their ids in whichever database they are; only an order that has the
    /// intent is taken at its word.
    async fn find_order_of(&self, update: &IntentSnapshot) -> Result<Option<Versioned<Order>>, StoreError> {
        let named = match update.order {
            Some(id) => self.find(&OrderRef::Id(id), &Access::All).await?,
            None => None,
        };
        if named.as_ref().is_some_and(|it| it.value.intent(&update.intent).is_some()) {
            return Ok(named);
        }
        Ok(self.find(&OrderRef::Intent(update.intent.clone()), &Access::All).await?.or(named))
    }
}
