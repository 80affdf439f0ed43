use paywright_domain::{CancelError, CancelReason, Order};
use thiserror::Error;

use crate::{ATTEMPTS_MAX, Access, App, Changes, GetOrderError, OrderRef, StoreError};

/// Why an order was not canceled.
#[derive(Debug, Error)]
pub enum CancelOrderError {
    /// It cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// It cannot be canceled.
    #[error(transparent)]
    Cancel(#[from] CancelError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Gives up an order that nobody can be paying. Doing it again changes nothing.
    pub async fn cancel_order(
        &self,
        which: &OrderRef,
        access: &Access,
        reason: CancelReason,
    ) -> Result<Order, CancelOrderError> {
        let mut attempt = 1;
        loop {
            let found = self.load(which, access).await?;
            let now = self.clock.now();
            let decision = found.value.cancel(reason, now)?;
            let order = decision.order.clone();
            if decision.facts.is_empty() {
                return Ok(order);
            }
            match self.store.commit(Changes::of(found.version, decision, now, now)).await {
                Ok(()) => return Ok(order),
                Err(StoreError::Conflict) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
