use paywright_domain::id::CustomerId;
use paywright_domain::order::{CancelReason, OrderState, Payer};
use paywright_domain::storefront::{Cart, Terms, Variant, VariantId};
use paywright_domain::{Currency, Order, Timestamp};

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::change::Attempt;
use crate::{Access, Changed, OrderRef, StoreError, Version};

impl Storefront {
    /// Changes the shopper's cart by `change`, prices it again, and edits its open order, if there is one, to match. If
    /// the order refuses, the cart is not changed.
    pub(super) async fn change(
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

    /// Stores a changed cart, after the edit of its order.
    async fn keep(
        &self,
        before: Session,
        cart: Cart,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Session, StorefrontError> {
        let had_order = before.order.is_some();
        let (cart, order) = match &before.order {
            Some(order) => Box::pin(self.update_order(order, cart, terms, now)).await?,
            None => (cart, None),
        };
        if cart.is_as(&before.cart) {
            return Ok(Session { order, ..before });
        }
        match self.carts.commit_cart(before.version, &cart).await {
            // It may be stored all the same: then the change must not be made twice.
            Err(StoreError::Unknown(cause)) if self.is_kept(&cart, before.version).await? => {
                tracing::warn!(%cause, "a cart was stored by a commit that the database did not confirm");
            }
            committed => committed?,
        }
        let version = before.version.next();
        // If the order was placed meanwhile with the former content of the cart, it is edited to match the cart. A
        // request that places an order reads the cart again afterwards, so that one of the two sees the other.
        let placed = if had_order { None } else { self.order_of(&cart).await? };
        let order = match placed {
            Some(placed) => Box::pin(self.update_order(&placed, cart.clone(), terms, now)).await?.1,
            None => order,
        };
        Ok(Session { version, cart, order })
    }

    async fn is_kept(&self, cart: &Cart, before: Version) -> Result<bool, StoreError> {
        let stored = self.carts.cart(crate::CartRef::Id(cart.id)).await?;
        Ok(stored.is_some_and(|it| it.version == before.next() && it.value == *cart))
    }

    /// Edits `order` to match `cart`. If the cart cannot be this order, or its checkout is no longer complete (e.g. its
    /// shipping rate is lost), the order is canceled and the cart gets another one.
    async fn update_order(
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

    /// Cancels an order; an error if Stripe has not confirmed yet that it cannot be paid any more.
    async fn give_up(&self, order: &Order) -> Result<(), StorefrontError> {
        match self.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await? {
            Changed::Done(_) => Ok(()),
            Changed::UnderWay(_) => Err(StorefrontError::UnderWay),
        }
    }

    /// Payer of a cart, with its customer at Stripe if that exists.
    pub(super) async fn payer_known(&self, cart: &Cart) -> Result<Payer, StoreError> {
        let customer = match &cart.customer {
            Some(customer) => self.carts.provider_customer(customer, self.app.settings.livemode).await?,
            None => None,
        };
        Ok(Payer { customer, payment_method: cart.payment_method.clone() })
    }

    /// Adds `quantity` of a variant to the cart.
    pub async fn add_item(&self, shopper: &Shopper, id: &VariantId, quantity: u32) -> Result<Session, StorefrontError> {
        // A missing cart is reported before a missing variant.
        let session = self.current(shopper).await?;
        let variant = self.variant(id).await?;
        self.change_from(Some(session), shopper, |cart, _, _| Ok(cart.with_more(&variant, quantity)?)).await
    }

    /// Assigns a guest's cart to a customer.
    pub async fn associate(&self, guest: &Shopper, customer: &CustomerId) -> Result<Session, StorefrontError> {
        self.change(guest, |cart, _, _| Ok(cart.owned_by(customer.clone())?)).await
    }

    /// Changes the currency of the cart. Variants without a price in it are removed.
    pub async fn change_currency(&self, shopper: &Shopper, currency: Currency) -> Result<Session, StorefrontError> {
        let variants = self.variants_in(&self.current(shopper).await?.cart).await?;
        self.change(shopper, |cart, _, _| Ok(cart.in_currency(currency, &variants))).await
    }

    /// Removes the variants that are no longer available, and returns their names.
    pub async fn drop_unsold(&self, shopper: &Shopper) -> Result<(Session, Vec<String>), StorefrontError> {
        let session = self.change(shopper, |cart, _, _| Ok(cart)).await?;
        let unsold: Vec<String> = session.cart.unsold().map(str::to_owned).collect();
        if unsold.is_empty() {
            return Ok((session, unsold));
        }
        Ok((self.change(shopper, |cart, _, _| Ok(cart.without_unsold())).await?, unsold))
    }

    /// Deletes a cart, after the cancellation of its order.
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
