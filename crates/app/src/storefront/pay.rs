use paywright_domain::id::{PaymentMethodId, ProviderCustomerId};
use paywright_domain::intent::RequestIntentError;
use paywright_domain::order::{OrderEdit, OrderState, Payer};
use paywright_domain::storefront::{Cart, CartError, PaymentMethodChoice};
use paywright_domain::{Money, NewOrder, Order};

use super::change::Loaded;
use super::find::Opened;
use super::saved_cards::Payable;
use super::{Session, Shopper, Storefront, StorefrontError, TokenSubject};
use crate::change::Attempt;
use crate::intent_reads::Freshness;
use crate::{
    Access, CartRef, CheckPaymentError, CreatePaymentIntentError, GatewayError, OrderPayment, OrderRef, Version,
    Versioned,
};

/// Parameters of a PaymentIntent request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentIntentParams {
    /// PaymentMethod that the customer chose.
    pub payment_method: Option<PaymentMethodChoice>,
    /// Amount that the customer was shown, as a decimal in major units; refused if it is not the amount due.
    pub amount: Option<String>,
}

impl PaymentIntentParams {
    /// Stripe's id of the PaymentMethod that the customer chose.
    fn method_id(&self) -> Option<&PaymentMethodId> {
        self.payment_method.as_ref().map(PaymentMethodChoice::id)
    }
}

/// Order that a shopper is shown, as it was loaded.
struct Shown {
    order: Order,
    /// Version of the order, where it is known.
    version: Option<Version>,
    /// Session of the order's cart, where that was loaded too.
    session: Option<Session>,
}

impl Shown {
    /// Order of a cart; [`StorefrontError::NoIntent`] where it is not placed yet.
    fn of_cart(session: Session) -> Result<Self, StorefrontError> {
        let order = session.order.clone().ok_or(StorefrontError::NoIntent)?;
        Ok(Self { order, version: session.order_version, session: Some(session) })
    }

    /// Order whose cart was not loaded.
    fn alone(found: Versioned<Order>) -> Self {
        Self { order: found.value, version: Some(found.version), session: None }
    }
}

impl Storefront {
    /// Returns the one PaymentIntent by which the shopper's cart can be paid, and creates it if there is none. The
    /// order is placed, or edited to match the cart, before the request to Stripe.
    pub async fn payment_intent(
        &self,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<OrderPayment, StorefrontError> {
        match self.opened_or_alone(shopper).await? {
            Opened::Alone(order) => self.intent_of_order(*order, shopper, params).await,
            Opened::Cart(opened) => {
                let session = self.current_of(opened.map(|it| *it), shopper).await?;
                Ok(self.intent_of_cart(session, shopper, params).await?.1)
            }
        }
    }

    /// As [`Self::payment_intent`], where the first attempt pays `session`, the shopper's open cart as it was loaded.
    /// Returns the session that is paid too.
    pub(super) async fn intent_of_cart(
        &self,
        session: Session,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<(Session, OrderPayment), StorefrontError> {
        if let Some(choice) = &params.payment_method {
            self.check_method(shopper, Payable::Cart(&session.cart), choice).await?;
        }
        let chosen_before = &session.cart.payment_method.clone();
        self.app
            .retry_with(Some(session), |session, _| async move {
                let session = match session {
                    Some(session) => session,
                    None => self.current(shopper).await?,
                };
                let tried = Box::pin(self.try_payment_intent(session, shopper, params, chosen_before.as_ref()));
                Ok((tried.await?, None))
            })
            .await
    }

    /// One attempt of [`Self::intent_of_cart`], which is outdated if the cart was changed meanwhile. If Stripe refuses the
    /// payment method of the request, the cart has the one that was `chosen_before`.
    async fn try_payment_intent(
        &self,
        session: Session,
        shopper: &Shopper,
        params: &PaymentIntentParams,
        chosen_before: Option<&PaymentMethodId>,
    ) -> Result<Attempt<(Session, OrderPayment)>, StorefrontError> {
        let Loaded { session, customer, .. } = self.prepared(session, shopper, params).await?;
        if session.order.is_none() {
            self.place(&session.cart, customer.as_ref()).await?;
        }
        // Loaded again after the order was placed: a request that changed the cart meanwhile may have seen no order. If
        // the cart was changed, the order is edited to match it.
        let Some(current) = self.unchanged(shopper, &session).await? else { return Ok(Attempt::Outdated) };
        let which = OrderRef::Id(session.cart.order);
        let created = self.app.create_payment_intent_from(current.loaded_order(), &which, &Access::All).await;
        if is_refused(&created) && session.cart.payment_method.is_some() {
            // A payment method that Stripe refused must not block the next one. The refusal was committed with the
            // order, which is loaded again.
            let kept = params.method_id().and_then(|refused| chosen_before.filter(|it| *it != refused)).cloned();
            let loaded = self.load(shopper).await?;
            self.change(loaded, shopper, |cart, _, _| Ok(cart.with_payment_method(kept.clone()))).await?;
        }
        let is_canceled = matches!(created, Err(CreatePaymentIntentError::Request(RequestIntentError::Canceled)));
        // Another request may have canceled the order to give the cart another one.
        if is_canceled && self.unchanged(shopper, &session).await?.is_none() {
            return Ok(Attempt::Outdated);
        }
        let payable = created?;
        let due = session.cart.totals().map_err(CartError::Total)?.due;
        if payable.order.payable_intent().is_some_and(|it| it.amount == due) {
            return Ok(Attempt::Done((session, payable)));
        }
        // While Stripe has not confirmed the last change, no other amount is shown. Loaded again, because the change may
        // be one that another request has made since.
        if self.unchanged(shopper, &session).await?.is_some() {
            return Err(StorefrontError::UnderWay);
        }
        Ok(Attempt::Outdated)
    }

    /// Loads the shopper's open cart; `None` if it is no longer this version of this cart.
    async fn unchanged(&self, shopper: &Shopper, session: &Session) -> Result<Option<Session>, StorefrontError> {
        let now = match self.current(shopper).await {
            // Another request cancels the cart's order before it gives the cart another one: between the two, the cart is
            // not open.
            Err(StorefrontError::NoCart) if self.is_given_up(session).await? => {
                return Err(StorefrontError::UnderWay);
            }
            found => found?,
        };
        let is_unchanged = (now.cart.id, now.version) == (session.cart.id, session.version);
        Ok(is_unchanged.then_some(now))
    }

    /// Whether the cart that was loaded as `session` is stored, with an order that is canceled.
    async fn is_given_up(&self, session: &Session) -> Result<bool, StorefrontError> {
        let Some(stored) = self.carts.cart(CartRef::Id(session.cart.id)).await? else { return Ok(false) };
        Ok(self.order_of(&stored.value).await?.is_some_and(|it| matches!(it.value.state, OrderState::Canceled { .. })))
    }

    /// Prepares the cart for its payment: its checkout is complete, its customer exists at Stripe, all its variants are
    /// available, its amount due is the one of the request, and it has the payment method of the request.
    async fn prepared(
        &self,
        session: Session,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<Loaded, StorefrontError> {
        let customer = match &session.cart.customer {
            Some(customer) => Some(self.provider_customer(customer).await?),
            None => None,
        };
        let loaded = self.load_with(session).await?.with_customer(customer);
        // The new prices are stored even if a check below fails: the customer must see them next.
        let loaded = self.change(loaded, shopper, |cart, _, _| Ok(cart)).await?;
        let cart = &loaded.session.cart;
        let missing = cart.missing_for_payment(&loaded.terms);
        if !missing.is_empty() {
            return Err(StorefrontError::NotReady(missing));
        }
        if let Some(name) = cart.unsold().next() {
            return Err(StorefrontError::Unsold(name.to_owned()));
        }
        check_amount(params, cart.totals().map_err(CartError::Total)?.due)?;
        let Some(method) = params.method_id() else { return Ok(loaded) };
        self.change(loaded, shopper, |cart, _, _| Ok(cart.with_payment_method(Some(method.clone())))).await
    }

    /// Places the order of a cart, unless another request has placed it. `customer` is its customer at Stripe, where
    /// the request has read it.
    async fn place(&self, cart: &Cart, customer: Option<&ProviderCustomerId>) -> Result<(), StorefrontError> {
        let app = &self.app;
        let payer = self.payer_known(cart, customer).await?;
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

    /// Returns the PaymentIntent of an order that was not made from a cart, as [`Self::payment_intent`].
    pub(super) async fn intent_of_order(
        &self,
        order: Versioned<Order>,
        shopper: &Shopper,
        params: &PaymentIntentParams,
    ) -> Result<OrderPayment, StorefrontError> {
        check_amount(params, order.value.total)?;
        if let Some(choice) = &params.payment_method {
            self.check_method(shopper, Payable::Order(&order.value), choice).await?;
        }
        let (which, payer) = (OrderRef::Id(order.value.id), order.value.payer.clone());
        let edit = |payer| OrderEdit { payer: Some(payer), ..OrderEdit::default() };
        let known = match params.method_id() {
            Some(method) => {
                let chosen = Payer { payment_method: Some(method.clone()), ..payer.clone() };
                self.app.edit_order_from(Some(order), &which, &Access::All, edit(chosen)).await?;
                None
            }
            None => Some(order),
        };
        let created = self.app.create_payment_intent_from(known, &which, &Access::All).await;
        if is_refused(&created) && params.payment_method.is_some() {
            self.app.edit_order(&which, &Access::All, edit(payer)).await?;
        }
        Ok(created?)
    }

    /// Finds the shopper's order, paid or not, by its id or one of its PaymentIntents, or as that of the current cart.
    async fn order_to_show(&self, shopper: &Shopper, named: Option<&str>) -> Result<Shown, StorefrontError> {
        let shown = match (self.opened_or_alone(shopper).await?, named, &shopper.customer) {
            (Opened::Alone(order), ..) => Shown::alone(*order),
            (Opened::Cart(Some(session)), ..) => Shown::of_cart(*session)?,
            (Opened::Cart(None), Some(name), Some(customer)) => {
                let which = OrderRef::parse(name).map_err(|_| StorefrontError::NoIntent)?;
                let found = self.app.load(&which, &Access::Customer(customer.clone())).await;
                Shown::alone(found.map_err(|error| StorefrontError::of_order(error, StorefrontError::NoIntent))?)
            }
            (Opened::Cart(None), _, _) => Shown::of_cart(self.open_or_newest(shopper).await?)?,
        };
        let order = &shown.order;
        let is_it = |name: &str| name == order.id.to_string() || order.intents.iter().any(|it| it.id.as_str() == name);
        if named.is_none_or(is_it) { Ok(shown) } else { Err(StorefrontError::NoIntent) }
    }

    /// Returns `order`, as it was loaded in `version`, or loads it where the version is not known.
    async fn found(&self, order: Order, version: Option<Version>) -> Result<Versioned<Order>, CheckPaymentError> {
        let which = OrderRef::Id(order.id);
        let known = version.map(|version| Versioned { version, value: order });
        Ok(self.app.known_or_loaded(known, &which, &Access::All).await?)
    }

    /// Reads the shopper's PaymentIntent from Stripe, without creating one.
    pub async fn shown_intent(&self, shopper: &Shopper, named: Option<&str>) -> Result<OrderPayment, StorefrontError> {
        let Shown { order, version, .. } = self.order_to_show(shopper, named).await?;
        let mut found = self.found(order, version).await?;
        let which = OrderRef::Id(found.value.id);
        if found.value.payable_intent().is_some() && matches!(found.value.state, OrderState::Open) {
            match self.app.create_payment_intent_from(Some(found), &which, &Access::All).await {
                Ok(payable) => return Ok(payable),
                // It was paid a moment ago, as this read has shown: the order was changed since it was loaded.
                Err(CreatePaymentIntentError::Request(RequestIntentError::Paid)) => {
                    found = self.app.load(&which, &Access::All).await.map_err(CheckPaymentError::from)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        match self.app.check_payment_of(found.clone()).await {
            Ok(checked) => {
                // The stored order shows that it is paid, and has no client secret.
                let paid_by = checked.order.paid_by().filter(|_| checked.client_secret.is_none());
                let client_secret = match paid_by {
                    Some(paid) => {
                        if checked.order != found.value {
                            found = self.app.find(&which, &Access::All).await?.ok_or(StorefrontError::NoIntent)?;
                        }
                        self.app.read_intent(&paid.id, found.version, Freshness::WithinASecond).await?.client_secret
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
        let shown = self.order_to_show(shopper, Some(named)).await?;
        match shown.order.state {
            OrderState::Open => {
                // The cart of this order, not another one that the customer has begun since.
                let holder = Shopper { subject: Some(TokenSubject::Order(shown.order.id)), ..shopper.clone() };
                let Some(session) = shown.session else { return self.payment_intent(&holder, params).await };
                let session = self.current_of(Some(session), &holder).await?;
                Ok(self.intent_of_cart(session, &holder, params).await?.1)
            }
            OrderState::Paid { .. } | OrderState::Canceled { .. } => Err(StorefrontError::NoCart),
        }
    }

    /// Checks with Stripe whether a PaymentIntent was paid. The storefront's claim that it was counts for nothing.
    pub async fn confirm_intent(&self, shopper: &Shopper, named: &str) -> Result<OrderPayment, StorefrontError> {
        let Shown { order, version, .. } = self.order_to_show(shopper, Some(named)).await?;
        if matches!(order.state, OrderState::Canceled { .. }) {
            return Err(StorefrontError::Canceled);
        }
        Ok(self.check_complete(order, version).await?)
    }

    /// Checks with Stripe whether `order`, as it was loaded in `version`, is paid or awaits its money.
    pub(super) async fn check_complete(
        &self,
        order: Order,
        version: Option<Version>,
    ) -> Result<OrderPayment, CheckPaymentError> {
        self.app.check_complete_of(self.found(order, version).await?).await
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
