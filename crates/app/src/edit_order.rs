use paywright_domain::{EditError, Order, OrderEdit};
use thiserror::Error;

use crate::{ATTEMPTS_MAX, Access, App, Changes, GetOrderError, OrderRef, StoreError};

/// Why an order was not changed.
#[derive(Debug, Error)]
pub enum EditOrderError {
    /// It cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// It does not take the edit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Changes the content of an order that nobody can be paying.
    pub async fn edit_order(
        &self,
        which: &OrderRef,
        access: &Access,
        edit: OrderEdit,
    ) -> Result<Order, EditOrderError> {
        let mut attempt = 1;
        loop {
            let found = self.load(which, access).await?;
            let now = self.clock.now();
            let decision = found.value.edit(edit.clone(), now)?;
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
