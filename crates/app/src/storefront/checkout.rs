use paywright_domain::{CheckoutError, CheckoutStep};

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::{Access, CheckPaymentError, OrderRef};

impl Storefront {
    /// One step on in the checkout.
    pub async fn next(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        self.change(shopper, |cart, terms, now| Ok(cart.next(terms, now)?)).await
    }

    /// On in the checkout, until something is missing or `goal` is reached. At least one step, or why not.
    pub async fn advance(&self, shopper: &Shopper, goal: Option<CheckoutStep>) -> Result<Session, StorefrontError> {
        self.change(shopper, |cart, terms, now| {
            let mut cart = cart.next(terms, now)?;
            while goal.is_none_or(|goal| cart.step < goal) {
                match cart.clone().next(terms, now) {
                    Ok(further) => cart = further,
                    Err(_) => break,
                }
            }
            Ok(cart)
        })
        .await
    }

    /// To the end of the checkout, which is a payment that the provider has received, or that the bank has in its hands.
    /// Asking again for what is complete says so again.
    pub async fn complete(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let session = self.opened_or_newest(shopper).await?;
        if session.is_paid() {
            return Ok(session);
        }
        if session.is_canceled() {
            return Err(StorefrontError::Canceled);
        }
        if let Some(order) = &session.order {
            return match self.app.check_complete(&OrderRef::Id(order.id), &Access::All).await {
                Ok(checked) => Ok(Session { order: Some(checked.order), ..session }),
                Err(CheckPaymentError::NotCompleted { intent: None, .. }) => Err(CheckoutError::NotPaid.into()),
                Err(error) => Err(error.into()),
            };
        }
        // Nothing was paid: what is missing first is said.
        let (terms, now) = (self.prices.terms().await?, self.app.clock.now());
        let mut cart = session.cart;
        while cart.step < CheckoutStep::Payment {
            cart = cart.next(&terms, now)?;
        }
        Err(CheckoutError::NotPaid.into())
    }
}
