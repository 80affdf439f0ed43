use paywright_domain::Order;
use paywright_domain::id::ChargeId;
use thiserror::Error;

use crate::perform::PerformError;
use crate::{
    AcceptPaymentError, Access, App, CancelOrderError, CapturePaymentError, CheckPaymentError, CloseRefundError,
    CreatePaymentIntentError, EditOrderError, GatewayError, OrderRef, RefundPaymentError, StoreError,
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
    AcceptPaymentError,
    CapturePaymentError,
    CheckPaymentError,
    CloseRefundError,
    CreatePaymentIntentError,
    EditOrderError,
    PerformError,
    RefundPaymentError,
);

/// Why the order of a charge could not be read.
#[derive(Debug, Error)]
pub enum OrderOfChargeError {
    /// Stripe did not answer, or refused the question.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Finds the order that a charge has paid. Charges are not stored, so Stripe is asked. `None` if there is no such charge,
    /// or it is not of an order of this installation.
    pub async fn order_of_charge(&self, charge: &ChargeId) -> Result<Option<Order>, OrderOfChargeError> {
        let Some(intent) = self.records.intent_of_charge(charge).await? else { return Ok(None) };
        Ok(self.store.orders.order(&OrderRef::Intent(intent)).await?.map(|it| it.value))
    }

    /// Reads an order to which `access` is given.
    pub async fn get_order(&self, which: &OrderRef, access: &Access) -> Result<Order, GetOrderError> {
        Ok(self.load(which, access).await?.value)
    }
}
