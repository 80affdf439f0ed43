use paywright_domain::{IntentSnapshot, Order, SettleError};
use thiserror::Error;

use crate::change::CommitContext;
use crate::{Access, App, GetOrderError, IssuedIntent, OrderRef, StoreError};

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

impl From<GetOrderError> for SettleFromProviderError {
    fn from(error: GetOrderError) -> Self {
        match error {
            GetOrderError::NotFound => Self::UnknownOrder,
            GetOrderError::Store(error) => Self::Store(error),
        }
    }
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
        let by_metadata = update.order.map(OrderRef::Id);
        let names: Vec<_> = [OrderRef::Intent(update.intent.clone())].into_iter().chain(by_metadata).collect();
        let policies = self.settings.policies;
        let decide = |order: &Order, now| Ok((order.settle(update, &policies, now)?, context.clone()));
        match self.change_with_context(&names, &Access::All, decide).await {
            Err(SettleFromProviderError::UnknownOrder) if update.order.is_none() => {
                Err(SettleFromProviderError::Foreign)
            }
            settled => settled,
        }
    }
}
