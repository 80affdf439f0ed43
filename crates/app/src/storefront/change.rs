use paywright_domain::{
    CancelReason, Cart, Currency, CustomerId, Order, OrderState, Payer, Terms, Timestamp, Variant, VariantId,
};

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::change::Attempt;
use crate::{Access, Changed, OrderRef, StoreError, Version};

impl Storefront {
    /// Changes the shopper's cart as `change` says, prices it anew, and makes its order, if there is one that can be
    /// paid, the one that it says. Of an order that refuses, the cart stays as it was.
    pub async fn change(
        &self,
        shopper: &Shopper,
        change: impl Fn(Cart, &Terms, Timestamp) -> Result<Cart, StorefrontError> + Send + Sync,
    ) -> Result<Session, StorefrontError> {
        self.change_from(None, shopper, change).await
    }

    /// As [`Self::change`], where the first attempt changes `known`, the cart as it was loaded a moment ago. Another
    /// version of it in the store makes a further attempt load it again.
    pub(super) async fn change_from(
        &self,
        known: Option<Session>,
        shopper: &Shopper,
        change: impl Fn(Cart, &Terms, Timestamp) -> Result<Cart, StorefrontError> + Send + Sync,
    ) -> Result<Session, StorefrontError> {
        let change = &change;
        self.app
            .retry_with(known, |known, _| async move {
                let session = match known {
                    Some(session) => session,
                    None => self.current(shopper).await?,
                };
                let (terms, now) = (self.prices.terms().await?, self.app.clock.now());
                let changed = change(session.cart.clone(), &terms, now)?;
                let priced = self.priced(changed, &terms, now).await?;
                match self.keep(session, priced, &terms, now).await {
                    Err(StorefrontError::Store(error)) => Ok((Attempt::NotCommitted(error), None)),
                    kept => Ok((Attempt::Done(kept?), None)),
                }
            })
            .await
    }

    async fn priced(&self, cart: Cart, terms: &Terms, now: Timestamp) -> Result<Cart, StorefrontError> {
        let variants = self.variants_in(&cart).await?;
        Ok(cart.priced(&variants, terms, now)?)
    }

    async fn variants_in(&self, cart: &Cart) -> Result<Vec<Variant>, StoreError> {
        let ids: Vec<VariantId> = cart.lines.iter().map(|it| it.variant.clone()).collect();
        if ids.is_empty() { Ok(Vec::new()) } else { self.prices.variants(&ids).await }
    }

    /// Keeps what a cart has become, its order first.
    async fn keep(
        &self,
        before: Session,
        cart: Cart,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Session, StorefrontError> {
        let had_order = before.order.is_some();
        let (cart, order) = match &before.order {
            Some(order) => Box::pin(self.take_order_along(order, cart, terms, now)).await?,
            None => (cart, None),
        };
        if cart.is_as(&before.cart) {
            return Ok(Session { order, ..before });
        }
        match self.carts.commit_cart(before.version, &cart).await {
            // It may be there all the same: then it must not be done twice.
            Err(StoreError::Unknown(cause)) if self.is_kept(&cart, before.version).await? => {
                tracing::warn!(%cause, "the store did not say that it kept a cart, and it did");
            }
            committed => committed?,
        }
        let version = before.version.next();
        // Where the order was placed meanwhile, for what was in the cart before, it is made what the cart says now.
        // Whoever placed it reads the cart again after that; so one of the two finds out.
        let placed = if had_order { None } else { self.order_of(&cart).await? };
        let order = match placed {
            Some(placed) => Box::pin(self.take_order_along(&placed, cart.clone(), terms, now)).await?.1,
            None => order,
        };
        Ok(Session { version, cart, order })
    }

    async fn is_kept(&self, cart: &Cart, before: Version) -> Result<bool, StoreError> {
        let stored = self.carts.cart(crate::CartRef::Id(cart.id)).await?;
        Ok(stored.is_some_and(|it| it.version == before.next() && it.value == *cart))
    }

    /// Makes `order` what `cart` says. Where no order can be made of it, or not this one, or its checkout is not complete
    /// any more (its shipping rate is lost, say), the order is given up and the cart is for another.
    async fn take_order_along(
        &self,
        order: &Order,
        cart: Cart,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<(Cart, Option<Order>), StorefrontError> {
        let which = OrderRef::Id(order.id);
        let due = cart.totals().map(|it| it.due);
        let can_be_this = cart.missing_for_payment(terms).is_empty()
            && cart.currency == order.total.currency()
            && due.is_ok_and(|it| it.to_charge().is_ok());
        if can_be_this || !matches!(order.state, OrderState::Open) {
            let edit = cart.to_edit(self.payer_known(&cart).await?);
            let changed = self.app.edit_order(&which, &Access::All, edit).await?;
            return Ok((cart, Some(changed.order().clone())));
        }
        self.give_up(order).await?;
        Ok((cart.for_order(self.app.ids.order_id(now), now), None))
    }

    /// Gives an order up, so that nobody can pay it any more. As long as the provider has not said so, it is not.
    async fn give_up(&self, order: &Order) -> Result<(), StorefrontError> {
        match self.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await? {
            Changed::Done(_) => Ok(()),
            Changed::UnderWay(_) => Err(StorefrontError::UnderWay),
        }
    }

    /// Who pays, as far as the provider has been asked.
    pub(super) async fn payer_known(&self, cart: &Cart) -> Result<Payer, StoreError> {
        let customer = match &cart.customer {
            Some(customer) => self.carts.provider_customer(customer, self.app.settings.livemode).await?,
            None => None,
        };
        Ok(Payer { customer, payment_method: cart.payment_method.clone() })
    }

    /// Puts `quantity` more of a variant into the cart.
    pub async fn add_item(&self, shopper: &Shopper, id: &VariantId, quantity: u32) -> Result<Session, StorefrontError> {
        // A missing cart is reported before a missing variant.
        let session = self.current(shopper).await?;
        let variant = self.variant(id).await?;
        self.change_from(Some(session), shopper, |cart, _, _| Ok(cart.with_more(&variant, quantity)?)).await
    }

    /// Makes a guest's cart the shopper's, who is a customer.
    pub async fn associate(&self, guest: &Shopper, customer: &CustomerId) -> Result<Session, StorefrontError> {
        self.change(guest, |cart, _, _| Ok(cart.owned_by(customer.clone())?)).await
    }

    /// Counts the cart in another currency. What has no price in it is left out.
    pub async fn change_currency(&self, shopper: &Shopper, currency: Currency) -> Result<Session, StorefrontError> {
        let variants = self.variants_in(&self.current(shopper).await?.cart).await?;
        self.change(shopper, |cart, _, _| Ok(cart.in_currency(currency, &variants))).await
    }

    /// Takes out of the cart what cannot be bought any more, and names it.
    pub async fn drop_unsold(&self, shopper: &Shopper) -> Result<(Session, Vec<String>), StorefrontError> {
        let session = self.change(shopper, |cart, _, _| Ok(cart)).await?;
        let unsold: Vec<String> = session.cart.unsold().map(str::to_owned).collect();
        if unsold.is_empty() {
            return Ok((session, unsold));
        }
        Ok((self.change(shopper, |cart, _, _| Ok(cart.without_unsold())).await?, unsold))
    }

    /// Forgets a cart, once its order cannot be paid.
    pub async fn remove_cart(&self, shopper: &Shopper) -> Result<(), StorefrontError> {
        self.app
            .retry(|_| async move {
                let session = self.current(shopper).await?;
                if let Some(order) = &session.order {
                    self.give_up(order).await?;
                }
                Ok(Attempt::committed(self.carts.remove_cart(session.version, session.cart.id).await, ()))
            })
            .await
    }
}
