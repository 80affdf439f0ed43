use paywright_domain::Order;
use paywright_domain::intent::PaymentIntent;
use paywright_domain::storefront::{Cart, CartError, CheckoutEdit, CheckoutError, CheckoutStep, PaymentMethodChoice};

use super::change::Loaded;
use super::find::Opened;
use super::saved_cards::Payable;
use super::{PaymentIntentParams, Session, Shopper, Storefront, StorefrontError};
use crate::CheckPaymentError;

/// Shipping rate that a checkout chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateChoice {
    /// Id of the shipping rate.
    pub id: String,
    /// Whether the first rate to the address is chosen where this one does not go there: a wallet names the rate that it
    /// showed for the address before.
    pub or_first: bool,
}

/// Change of a cart that its customer should see before paying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CartChange {
    /// A line was removed, since its variant is not sold any more. Name of the variant.
    Removed(String),
    /// The checkout is not at the payment step.
    NotAtPayment,
}

impl Storefront {
    /// Edits the shopper's cart at checkout. Its payment method must not be another customer's.
    pub async fn edit_checkout(&self, shopper: &Shopper, edit: &CheckoutEdit) -> Result<Session, StorefrontError> {
        let session = self.current(shopper).await?;
        if let Some(choice) = &edit.payment_method {
            self.check_method(shopper, Payable::Cart(&session.cart), choice).await?;
        }
        let loaded = self.load_with(session).await?;
        let change = |cart: Cart, loaded: &Loaded, now| Ok(cart.edited(edit, &loaded.terms, now)?);
        Ok(self.change(loaded, shopper, change).await?.session)
    }

    /// Chooses a shipping rate for the shopper's cart. Where `shipment` is named, it must be the cart's.
    pub async fn choose_shipping_rate(
        &self,
        shopper: &Shopper,
        shipment: Option<&str>,
        rate: &str,
    ) -> Result<Session, StorefrontError> {
        let loaded = self.load(shopper).await?;
        let change = |cart: Cart, loaded: &Loaded, _| {
            let own = cart.shipment().ok_or(StorefrontError::NoShipment)?.to_string();
            if shipment.is_some_and(|it| it != own) {
                return Err(StorefrontError::NoShipment);
            }
            Ok(cart.with_shipping_rate(rate, &loaded.terms)?)
        };
        Ok(self.change(loaded, shopper, change).await?.session)
    }

    /// Takes the checkout one step further.
    pub async fn next(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let opened = self.opened(shopper).await?;
        check_not_processing(opened.as_ref())?;
        let loaded = self.load_with(self.current_of(opened, shopper).await?).await?;
        Ok(self.change(loaded, shopper, |cart, loaded, now| Ok(cart.next(&loaded.terms, now)?)).await?.session)
    }

    /// Takes the checkout to `goal`, or as far as nothing is missing, with a shipping rate if one is named. If the goal is
    /// not reached, nothing is changed.
    pub async fn advance(
        &self,
        shopper: &Shopper,
        goal: Option<CheckoutStep>,
        rate: Option<&RateChoice>,
    ) -> Result<Session, StorefrontError> {
        let opened = self.opened(shopper).await?;
        if goal.is_none() {
            check_not_processing(opened.as_ref())?;
        }
        let loaded = self.load_with(self.current_of(opened, shopper).await?).await?;
        let change = |cart: Cart, loaded: &Loaded, now| {
            let chosen = match rate {
                Some(rate) => match cart.clone().with_shipping_rate(&rate.id, &loaded.terms) {
                    Err(CartError::NoSuchShippingRate) if rate.or_first => cart,
                    chosen => chosen?,
                },
                None => cart,
            };
            chosen.advanced(goal, &loaded.terms, now).map_err(StorefrontError::NotReady)
        };
        Ok(self.change(loaded, shopper, change).await?.session)
    }

    /// Prepares the shopper's cart for its payment: prices it again and removes lines that are not sold any more. Lists
    /// what the customer should see, unless `at_any_step` a step other than the payment.
    pub async fn validate_for_payment(
        &self,
        shopper: &Shopper,
        at_any_step: bool,
    ) -> Result<(Session, Vec<CartChange>), StorefrontError> {
        let (session, unsold) = self.drop_unsold(shopper).await?;
        let mut changes: Vec<CartChange> = unsold.into_iter().map(CartChange::Removed).collect();
        if !at_any_step && session.cart.step != CheckoutStep::Payment {
            changes.push(CartChange::NotAtPayment);
        }
        Ok((session, changes))
    }

    /// Chooses a payment method and creates the PaymentIntent that it is to pay; the customer's browser confirms it.
    /// `amount` is the decimal that the customer was shown.
    pub async fn create_payment(
        &self,
        shopper: &Shopper,
        choice: Option<&PaymentMethodChoice>,
        amount: Option<String>,
    ) -> Result<Session, StorefrontError> {
        let params = PaymentIntentParams { payment_method: choice.cloned(), amount };
        match self.opened_or_alone(shopper).await? {
            Opened::Alone(order) => {
                self.intent_of_order(*order, shopper, &params).await?;
                self.current_of(None, shopper).await
            }
            Opened::Cart(opened) => {
                let session = self.current_of(opened.map(|it| *it), shopper).await?;
                let (session, payment) = self.intent_of_cart(session, shopper, &params).await?;
                Ok(session.with_order(Some(payment.order)))
            }
        }
    }

    /// Completes the checkout, which needs a payment that Stripe has received or that the bank is processing. Repeating
    /// this for a completed checkout succeeds again.
    pub async fn complete(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let session = self.opened_or_newest(shopper).await?;
        // A payment known from an event alone is read from Stripe below.
        let is_unconfirmed =
            session.order.as_ref().and_then(Order::paid_by).is_some_and(PaymentIntent::awaits_confirmation);
        if session.is_paid() && !is_unconfirmed {
            return Ok(session);
        }
        if session.is_canceled() {
            return Err(StorefrontError::Canceled);
        }
        if let Some(order) = &session.order {
            return match self.check_complete(order.clone(), session.order_version).await {
                Ok(checked) => Ok(session.with_order(Some(checked.order))),
                Err(CheckPaymentError::NotCompleted { intent: None, .. }) => Err(CheckoutError::NotPaid.into()),
                Err(error) => Err(error.into()),
            };
        }
        let missing = session.cart.missing_for_payment(&self.prices.terms().await?);
        if missing.is_empty() { Err(CheckoutError::NotPaid.into()) } else { Err(StorefrontError::NotReady(missing)) }
    }
}

/// Refuses a next step while the bank processes the payment.
fn check_not_processing(opened: Option<&Session>) -> Result<(), StorefrontError> {
    if opened.is_some_and(Session::awaits_money) { Err(StorefrontError::Processing) } else { Ok(()) }
}
