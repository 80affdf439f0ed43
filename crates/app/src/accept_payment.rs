use paywright_domain::Order;
use paywright_domain::intent::{AcceptError, NewAcceptance};
use thiserror::Error;

use crate::{Access, App, GetOrderError, OrderRef};

/// Why a payment was not accepted.
#[derive(Debug, Error)]
pub enum AcceptPaymentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses the acceptance.
    #[error(transparent)]
    Refused(#[from] AcceptError),
}

impl App {
    /// Accepts money of another amount than is due, which is held for review, as the payment of its order. A repeat changes
    /// nothing.
    pub async fn accept_payment(&self, which: &OrderRef, new: &NewAcceptance) -> Result<Order, AcceptPaymentError> {
        self.change(which, &Access::All, |order, now| Ok(order.accept_payment(new, now)?)).await
    }
}
