use paywright_domain::Order;
use thiserror::Error;

use crate::perform::PerformError;
use crate::{
    Access, App, CancelOrderError, CapturePaymentError, CheckPaymentError, CreatePaymentIntentError, EditOrderError,
    OrderRef, RefundPaymentError, StoreError,
};

/// Why an order could not be read.
///
/// The error of every use case about one order wraps this one in its variant `Order`, and has no variant of its own for
/// an order that is not found or for a failure of the store; `?` converts both.
#[derive(Debug, Error)]
pub enum GetOrderError {
    /// No such order exists, or the caller has no access to it.
    #[error("there is no such order")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

macro_rules! wrap_store_error {
    ($($error:ty),+ $(,)?) => {$(
        impl From<StoreError> for $error {
            fn from(error: StoreError) -> Self {
                Self::Order(error.into())
            }
        }
    )+};
}

wrap_store_error!(
    CancelOrderError,
    CapturePaymentError,
    CheckPaymentError,
    CreatePaymentIntentError,
    EditOrderError,
    PerformError,
    RefundPaymentError,
);

impl App {
    /// Reads an order to which `access` is given.
    pub async fn get_order(&self, which: &OrderRef, access: &Access) -> Result<Order, GetOrderError> {
        Ok(self.load(which, access).await?.value)
    }
}
