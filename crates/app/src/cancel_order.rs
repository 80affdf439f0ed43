use paywright_domain::{CancelError, CancelReason, Order};
use thiserror::Error;

use crate::change::ChangeError;
use crate::{Access, App, OrderRef, StoreError};

/// Why an order was not canceled.
#[derive(Debug, Error)]
pub enum CancelOrderError {
    /// There is none, or it is somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// It cannot be canceled.
    #[error(transparent)]
    Refused(CancelError),
    /// The store did not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<ChangeError<CancelError>> for CancelOrderError {
    fn from(error: ChangeError<CancelError>) -> Self {
        match error {
            ChangeError::NotFound => Self::NotFound,
            ChangeError::Refused(error) => Self::Refused(error),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl App {
    /// Gives up an order that nobody can be paying. Doing it again changes nothing.
    pub async fn cancel_order(
        &self,
        which: &OrderRef,
        access: &Access,
        reason: CancelReason,
    ) -> Result<Order, CancelOrderError> {
        let names = std::slice::from_ref(which);
        Ok(self.change(names, access, |order, now| order.cancel(reason, now)).await?)
    }
}
