use paywright_domain::Order;
use thiserror::Error;

use crate::{Access, App, OrderRef, StoreError};

/// Why an order is not shown.
#[derive(Debug, Error)]
pub enum GetOrderError {
    /// No such order exists, or the caller has no access to it.
    #[error("there is no such order")]
    NotFound,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Reads an order to which `access` is given.
    pub async fn get_order(&self, which: &OrderRef, access: &Access) -> Result<Order, GetOrderError> {
        Ok(self.load(which, access).await?.value)
    }
}
