use paywright_domain::id::PaymentMethodId;
use paywright_domain::intent::RequestIntentError;
use paywright_domain::order::{OrderEdit, OrderState, Payer};
use paywright_domain::storefront::CartError;
use paywright_domain::{Money, NewOrder, Order};

use super::{Session, Shopper, Storefront, StorefrontError, TokenSubject};
use crate::change::Attempt;
use crate::intent_reads::Freshness;
use crate::{Access, CheckPaymentError, CreatePaymentIntentError, GatewayError, OrderPayment, OrderRef, Version};

/// Parameters of a PaymentIntent request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentIntentParams {
    /// PaymentMethod that the customer chose.
    pub payment_method: Option<PaymentMethodId>,
    /// Amount that the customer was shown, as a decimal in major units; refused if it is not the amount due.
    pub amount: Option<String>,
}

impl Storefront {
    /// Returns the one PaymentIntent by which the shopper's cart can be paid, and creates it if there is none. The
    /// order is placed, or edited to match the cart, before the request to Stripe.
    pub async fn payment_intent(
        &self,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<OrderPayment, StorefrontError> {
        if let Some(order) = self.order_alone(shopper).await? {
            return self.intent_of_order(order, params).await;
        }
        self.app.retry(|_| self.try_payment_intent(shopper, params)).await
    }

    /// One attempt of [`Self::payment_intent`] for a cart, which is outdated if the cart was changed meanwhile.
    async fn try_payment_intent(
        &self,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<Attempt<OrderPayment>, StorefrontError> {
        let session = self.prepared(shopper, params).await?;
        if session.order.is_none() {
            self.place(&session).await?;
        }
        // If the cart was changed meanwhile, the order is edited to match it.
        if !self.is_unchanged(shopper, &session).await? {
            return Ok(Attempt::Outdated);
        }
        let which = OrderRef::Id(session.cart.order);
        let created = self.app.create_payment_intent(&which, &Access::All).await;
        if is_refused(&created) && session.cart.payment_method.is_some() {
            // A payment method that Stripe refused must not block the next one.
            self.change(shopper, |cart, _, _| Ok(cart.with_payment_method(None))).await?;
        }
        let is_canceled = matches!(created, Err(CreatePaymentIntentError::Request(RequestIntentError::Canceled)));
        if is_canceled && !self.is_unchanged(shopper, &session).await? {
            return Ok(Attempt::Outdated);
        }
        let payable = created?;
        let due = session.cart.totals().map_err(CartError::Total)?.due;
        if payable.order.payable_intent().is_some_and(|it| it.amount == due) {
            return Ok(Attempt::Done(payable));
        }
        // While Stripe has not confirmed the last change, no other amount is shown.
        if self.is_unchanged(shopper, &session).await? {
            return Err(StorefrontError::UnderWay);
        }
        Ok(Attempt::Outdated)
    }

    /// Whether the shopper's open cart is still this version of this cart.
    async fn is_unchanged(&self, shopper: &Shopper, session: &Session) -> Result<bool, StorefrontError> {
        let now = self.current(shopper).await?;
        Ok((now.cart.id, now.version) == (session.cart.id, session.version))
    }

    /// Prepares the cart for its payment: its checkout is complete, its customer exists at Stripe, all its variants are
    /// available, its amount due is the one of the request, and it has the payment method of the request.
    async fn prepared(&self, shopper: &Shopper, params: &PaymentIntentParams) -> Result<Session, StorefrontError> {
        let session = self.current(shopper).await?;
        if let Some(customer) = &session.cart.customer {
            self.provider_customer(customer).await?;
        }
        // The new prices are stored even if a check below fails: the customer must see them next.
        let session = self.change_from(Some(session), shopper, |cart, _, _| Ok(cart)).await?;
        let missing = session.cart.missing_for_payment(&self.prices.terms().await?);
        if !missing.is_empty() {
            return Err(StorefrontError::NotReady(missing));
        }
        if let Some(name) = session.cart.unsold().next() {
            return Err(StorefrontError::Unsold(name.to_owned()));
        }
        check_amount(params, session.cart.totals().map_err(CartError::Total)?.due)?;
        let Some(method) = &params.payment_method else { return Ok(session) };
        self.change_from(Some(session), shopper, |cart, _, _| Ok(cart.with_payment_method(Some(method.clone())))).await
    }

    /// Places the order of a cart, unless another request has placed it.
    async fn place(&self, session: &Session) -> Result<(), StorefrontError> {
        let (app, cart) = (&self.app, &session.cart);
        let payer = self.payer_known(cart).await?;
        let new = &NewOrder { livemode: app.settings.livemode, ..cart.to_order(payer) };
        app.retry(|attempt| async move {
            let now = app.clock.now();
            let number = match attempt {
                1 => cart.number(),
                _ if self.order_of(cart).await?.is_some() => return Ok(Attempt::Done(())),
                // Another order has drawn the cart's number.
                _ => app.ids.order_number(cart.order, now),
            };
            let decision = Order::place_as(cart.order, number, new.clone(), now)?;
            let changes = app.changes(Version::NEW, decision, now);
            Ok(Attempt::committed(app.commit(changes).await, ()))
        })
        .await
    }

    /// Finds the order of the shopper's token, if it was not made from a cart.
    async fn order_alone(&self, shopper: &Shopper) -> Result<Option<Order>, StorefrontError> {
        match shopper.subject {
            Some(TokenSubject::Order(id)) if self.cart_of(id).await?.is_none() => {
                let found = self.app.get_order(&OrderRef::Id(id), &Access::Order(id)).await;
                let of_bearer = shopper.customer.clone().map(Access::Customer);
                match found {
                    // For another customer than its own it does not exist.
                    Ok(order) if order.customer.is_some() && of_bearer.is_some_and(|it| !it.permits(&order)) => {
                        Err(StorefrontError::NoCart)
                    }
                    Ok(order) => Ok(Some(order)),
                    Err(error) => Err(StorefrontError::of_order(error, StorefrontError::NoCart)),
                }
            }
            Some(TokenSubject::Order(_) | TokenSubject::Cart(_)) | None => Ok(None),
        }
    }

    async fn intent_of_order(
        &self,
        order: Order,
        params: &PaymentIntentParams,
    ) -> Result<OrderPayment, StorefrontError> {
        check_amount(params, order.total)?;
        let which = OrderRef::Id(order.id);
        if let Some(method) = &params.payment_method {
            let payer = Payer { payment_method: Some(method.clone()), ..order.payer.clone() };
            let edit = OrderEdit { payer: Some(payer), ..OrderEdit::default() };
            self.app.edit_order(&which, &Access::All, edit).await?;
        }
        let created = self.app.create_payment_intent(&which, &Access::All).await;
        if is_refused(&created) && params.payment_method.is_some() {
            let edit = OrderEdit { payer: Some(order.payer.clone()), ..OrderEdit::default() };
            self.app.edit_order(&which, &Access::All, edit).await?;
        }
        Ok(created?)
    }

    /// Finds the shopper's order, paid or not, by its id or one of its PaymentIntents, or as that of the current cart.
    async fn order_to_show(&self, shopper: &Shopper, named: Option<&str>) -> Result<Order, StorefrontError> {
        let order = match (self.order_alone(shopper).await?, self.opened(shopper).await?, named, &shopper.customer) {
            (Some(order), ..) => order,
            (None, Some(session), ..) => session.order.ok_or(StorefrontError::NoIntent)?,
            (None, None, Some(name), Some(customer)) => {
                let which = OrderRef::parse(name).map_err(|_| StorefrontError::NoIntent)?;
                let found = self.app.get_order(&which, &Access::Customer(customer.clone())).await;
                found.map_err(|error| StorefrontError::of_order(error, StorefrontError::NoIntent))?
            }
            (None, None, _, _) => self.opened_or_newest(shopper).await?.order.ok_or(StorefrontError::NoIntent)?,
        };
        let is_it = |name: &str| name == order.id.to_string() || order.intents.iter().any(|it| it.id.as_str() == name);
        if named.is_none_or(is_it) { Ok(order) } else { Err(StorefrontError::NoIntent) }
    }

    /// Reads the shopper's PaymentIntent from Stripe, without creating one.
    pub async fn shown_intent(&self, shopper: &Shopper, named: Option<&str>) -> Result<OrderPayment, StorefrontError> {
        let order = self.order_to_show(shopper, named).await?;
        let which = OrderRef::Id(order.id);
        if order.payable_intent().is_some() && matches!(order.state, OrderState::Open) {
            match self.app.create_payment_intent(&which, &Access::All).await {
                Ok(payable) => return Ok(payable),
                // It was paid a moment ago, as this read has shown.
                Err(CreatePaymentIntentError::Request(RequestIntentError::Paid)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match self.app.check_payment(&which, &Access::All).await {
            Ok(checked) => {
                // The stored order shows that it is paid, and has no client secret.
                let paid_by = checked.order.paid_by().filter(|_| checked.client_secret.is_none());
                let client_secret = match paid_by {
                    Some(paid) => {
                        let stored = self.app.find(&which, &Access::All).await?.ok_or(StorefrontError::NoIntent)?;
                        self.app.read_intent(&paid.id, stored.version, Freshness::WithinASecond).await?.client_secret
                    }
                    None => checked.client_secret,
                };
                Ok(OrderPayment { order: checked.order, client_secret })
            }
            Err(CheckPaymentError::NotCompleted { .. }) => Err(StorefrontError::NoIntent),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the payment method of an existing PaymentIntent.
    pub async fn update_intent(
        &self,
        shopper: &Shopper,
        named: &str,
        params: &PaymentIntentParams,
    ) -> Result<OrderPayment, StorefrontError> {
        let order = self.order_to_show(shopper, Some(named)).await?;
        match order.state {
            OrderState::Open => {
                // The cart of this order, not another one that the customer has begun since.
                let holder = Shopper { subject: Some(TokenSubject::Order(order.id)), ..shopper.clone() };
                self.payment_intent(&holder, params).await
            }
            OrderState::Paid { .. } | OrderState::Canceled { .. } => Err(StorefrontError::NoCart),
        }
    }

    /// Checks with Stripe whether a PaymentIntent was paid. The storefront's claim that it was counts for nothing.
    pub async fn confirm_intent(&self, shopper: &Shopper, named: &str) -> Result<OrderPayment, StorefrontError> {
        let order = self.order_to_show(shopper, Some(named)).await?;
        if matches!(order.state, OrderState::Canceled { .. }) {
            return Err(StorefrontError::Canceled);
        }
        Ok(self.app.check_complete(&OrderRef::Id(order.id), &Access::All).await?)
    }
}

/// Whether Stripe has refused the request.
fn is_refused(created: &Result<OrderPayment, CreatePaymentIntentError>) -> bool {
    matches!(created, Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(_))))
}

fn check_amount(params: &PaymentIntentParams, due: Money) -> Result<(), StorefrontError> {
    let is_due = |text: &String| Money::parse_decimal(text, due.currency()) == Ok(due);
    if params.amount.as_ref().is_none_or(is_due) { Ok(()) } else { Err(StorefrontError::NotTheAmountDue { due }) }
}
