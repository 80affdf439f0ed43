use paywright_domain::{CartError, CheckoutError, CheckoutStep, Order, PaymentIntent};

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::{Access, CheckPaymentError, OrderRef};

/// A way to ship that is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateChoice {
    /// The id of the shipping rate.
    pub id: String,
    /// Whether the first rate takes its place where it does not go to the address: a wallet names the rate that it has
    /// shown for the address before.
    pub or_first: bool,
}

impl Storefront {
    /// One step on in the checkout.
    pub async fn next(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        self.check_not_processing(shopper).await?;
        self.change(shopper, |cart, terms, now| Ok(cart.next(terms, now)?)).await
    }

    /// There is no next step while the bank has the payment in its hands.
    async fn check_not_processing(&self, shopper: &Shopper) -> Result<(), StorefrontError> {
        let is_processing = self.opened(shopper).await?.is_some_and(|it| it.awaits_money());
        if is_processing { Err(StorefrontError::Processing) } else { Ok(()) }
    }

    /// On in the checkout, to `goal` or as far as nothing is missing, with a way to ship if one is named: all of it, or
    /// nothing.
    pub async fn advance(
        &self,
        shopper: &Shopper,
        goal: Option<CheckoutStep>,
        rate: Option<&RateChoice>,
    ) -> Result<Session, StorefrontError> {
        if goal.is_none() {
            self.check_not_processing(shopper).await?;
        }
        self.change(shopper, |cart, terms, now| {
            let chosen = match rate {
                Some(rate) => match cart.clone().with_shipping_rate(&rate.id, terms) {
                    Err(CartError::NoSuchShippingRate) if rate.or_first => cart,
                    chosen => chosen?,
                },
                None => cart,
            };
            chosen.advanced(goal, terms, now).map_err(StorefrontError::NotReady)
        })
        .await
    }

    /// To the end of the checkout, which is a payment that the provider has received, or that the bank has in its hands.
    /// Asking again for what is complete says so again.
    pub async fn complete(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let session = self.opened_or_newest(shopper).await?;
        // Where only an event has told of the payment, Stripe is asked below.
        let is_told = session.order.as_ref().and_then(Order::paid_by).is_some_and(PaymentIntent::awaits_confirmation);
        if session.is_paid() && !is_told {
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
        // Nothing was paid: what is missing is said.
        let missing = session.cart.missing_for_payment(&self.prices.terms().await?);
        if missing.is_empty() { Err(CheckoutError::NotPaid.into()) } else { Err(StorefrontError::NotReady(missing)) }
    }
}
