use paywright_domain::intent::{AcceptError, NewAcceptance};
use paywright_domain::{Fact, Order};
use thiserror::Error;

use crate::{App, GetOrderError, OrderRef};

/// An accepted payment, with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedPayment {
    /// The order.
    pub order: Order,
    /// Whether the note of this request is stored; not, if the payment had been accepted with another one.
    pub is_note_stored: bool,
}

/// Why a payment was not accepted.
#[derive(Debug, Error)]
pub enum AcceptPaymentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses the acceptance.
    #[error(transparent)]
    Refused(#[from] AcceptError),
    /// The order is no longer as the caller has shown it to a person.
    #[error("the order has changed meanwhile")]
    OutOfDate,
}

impl App {
    /// Accepts money of another amount than is due, which is held for review, as the payment of its order. A repeat changes
    /// nothing. An intent that the customer could still pay is canceled at Stripe at once.
    pub async fn accept_payment(
        &self,
        which: &OrderRef,
        new: &NewAcceptance,
    ) -> Result<AcceptedPayment, AcceptPaymentError> {
        self.accept_shown_payment(which, new, |_| true).await
    }

    /// As [`Self::accept_payment`], for a person who has decided on an order as a page has shown it: it is refused with
    /// [`AcceptPaymentError::OutOfDate`] if `is_shown` denies that of the order on which the acceptance is committed.
    pub async fn accept_shown_payment(
        &self,
        which: &OrderRef,
        new: &NewAcceptance,
        is_shown: impl Fn(&Order) -> bool + Send + Sync,
    ) -> Result<AcceptedPayment, AcceptPaymentError> {
        let decide = |order: &Order, now| Ok(order.accept_payment(new, now)?);
        let (order, is_repeat) = self.change_shown(which, is_shown, || AcceptPaymentError::OutOfDate, decide).await?;
        if is_repeat {
            let is_it = |it: &Fact| matches!(it, Fact::PaymentAccepted { note, .. } if *note == new.note);
            return Ok(AcceptedPayment { is_note_stored: self.has_fact(order.id, is_it).await?, order });
        }
        let order = match order.operation.as_ref().map(|it| it.number) {
            Some(number) => self.operate_now(order, number).await.order,
            None => order,
        };
        Ok(AcceptedPayment { order, is_note_stored: true })
    }
}
