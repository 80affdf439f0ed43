use paywright_domain::{IntentSnapshot, Order, SettleError};
use thiserror::Error;

use crate::{ATTEMPTS_MAX, App, Changes, OrderRef, StoreError, Versioned};

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

impl App {
    /// Takes in what the provider says of an intent: an answer, a webhook, a callback's look. The same news
    /// may come any number of times, in any order, from several sides at once.
    pub async fn settle_from_provider(
        &self,
        news: &IntentSnapshot,
    ) -> Result<Order, SettleFromProviderError> {
        let mut attempt = 1;
        loop {
            let Versioned { version, value: order } = self.order_of(news).await?;
            let now = self.clock.now();
            let decision = order.settle(news, now)?;
            if decision.order == order {
                return Ok(order);
            }
            let settled = decision.order.clone();
            match self.store.commit(Changes::of(version, decision, now, now)).await {
                Ok(()) => return Ok(settled),
                Err(StoreError::Conflict) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The order that ever issued the intent, or else the one that its metadata names.
    async fn order_of(
        &self,
        news: &IntentSnapshot,
    ) -> Result<Versioned<Order>, SettleFromProviderError> {
        if let Some(found) = self.store.order(&OrderRef::Intent(news.intent.clone())).await? {
            return Ok(found);
        }
        let id = news.order.ok_or(SettleFromProviderError::Foreign)?;
        self.store.order(&OrderRef::Id(id)).await?.ok_or(SettleFromProviderError::UnknownOrder)
    }
}
