use paywright_domain::{IntentSnapshot, Order, SettleError};
use thiserror::Error;

use crate::change::CommitContext;
use crate::{Access, App, GetOrderError, IssuedIntent, OrderRef, StoreError};

/// Why news was not taken in.
#[derive(Debug, Error)]
pub enum SettleFromProviderError {
    /// The intent's metadata names no order: it is of another program on the same account.
    #[error("the payment intent is not one of ours")]
    Foreign,
    /// The intent's metadata names an order that is not stored here.
    #[error("the payment intent names an order that is not known")]
    UnknownOrder,
    /// The order does not know the intent.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The store did not take it.
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
    /// Takes in what the provider says of an intent: an answer, a webhook, a callback's look. The same news
    /// may come any number of times, in any order, from several sides at once.
    ///
    /// Its order is the one that ever issued the intent, or else the one that its metadata names.
    pub async fn settle_from_provider(&self, update: &IntentSnapshot) -> Result<Order, SettleFromProviderError> {
        self.settle(update, &CommitContext::default()).await
    }

    /// Takes in what the provider has answered, for whatever was asked from `source`.
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
