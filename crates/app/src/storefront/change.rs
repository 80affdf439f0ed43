use paywright_domain::id::{CustomerId, ProviderCustomerId};
use paywright_domain::order::{CancelReason, Metadata, OrderState, Payer};
use paywright_domain::storefront::{Cart, CartLine, Terms, Variant, VariantId};
use paywright_domain::{Currency, Order, Timestamp};

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::change::Attempt;
use crate::{Access, Changed, OrderRef, StoreError, Version};

/// A shopper's cart with everything that a change of it depends on, loaded once for a request or for an attempt of it.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) session: Session,
    pub(super) terms: Terms,
    /// Stripe's id of the cart's customer, where the request has read it.
    pub(super) customer: Option<ProviderCustomerId>,
    /// Variants on the price list, of those in `searched`.
    variants: Vec<Variant>,
    /// Ids of the variants that were searched for on the price list.
    searched: Vec<VariantId>,
}

impl Loaded {
    /// The same, with Stripe's id of the cart's customer.
    pub(super) fn with_customer(self, customer: Option<ProviderCustomerId>) -> Self {
        Self { customer, ..self }
    }

    /// Finds a variant of the price list, which was searched for.
    fn variant(&self, id: &VariantId) -> Result<&Variant, StorefrontError> {
        self.variants.iter().find(|it| it.id == *id).ok_or(StorefrontError::NoVariant)
    }
}

/// Ids of the variants in a cart.
fn variants_of(cart: &Cart) -> Vec<VariantId> {
    let id = |it: &CartLine| it.variant.clone();
    cart.lines.iter().map(id).collect()
}

impl Storefront {
    /// Loads the shopper's open cart for a change.
    pub(super) async fn load(&self, shopper: &Shopper) -> Result<Loaded, StorefrontError> {
        self.load_with(self.current(shopper).await?).await
    }

    /// Loads the rest that a change of a cart depends on.
    pub(super) async fn load_with(&self, session: Session) -> Result<Loaded, StorefrontError> {
        let terms = self.prices.terms().await?;
        Ok(Loaded { session, terms, customer: None, variants: Vec::new(), searched: Vec::new() })
    }

    /// Changes the shopper's cart by `change`, prices it again, and edits its open order, if there is one, to match. If
    /// the order refuses, the cart is not changed.
    ///
    /// The first attempt changes `loaded`. Another version of it in the store makes a further attempt load it again.
    pub(super) async fn change(
        &self,
        loaded: Loaded,
        shopper: &Shopper,
        change: impl Fn(Cart, &Loaded, Timestamp) -> Result<Cart, StorefrontError> + Send + Sync,
    ) -> Result<Loaded, StorefrontError> {
        self.change_by_variants(loaded, shopper, |_| Vec::new(), change).await
    }

    /// As [`Self::change`], for a change that reads variants of the price list: those that `needed` names.
    async fn change_by_variants(
        &self,
        loaded: Loaded,
        shopper: &Shopper,
        needed: impl Fn(&Cart) -> Vec<VariantId> + Send + Sync,
        change: impl Fn(Cart, &Loaded, Timestamp) -> Result<Cart, StorefrontError> + Send + Sync,
    ) -> Result<Loaded, StorefrontError> {
        let (change, needed) = (&change, &needed);
        self.app
            .retry_with(Some(loaded), |loaded, _| async move {
                let mut loaded = match loaded {
                    Some(loaded) => loaded,
                    None => self.load(shopper).await?,
                };
                let first = needed(&loaded.session.cart);
                self.search_variants(&mut loaded, first).await?;
                let now = self.app.clock.now();
                let changed = change(loaded.session.cart.clone(), &loaded, now)?;
                self.search_variants(&mut loaded, variants_of(&changed)).await?;
                let priced = changed.priced(&loaded.variants, &loaded.terms, now)?;
                match self.keep(&loaded, priced, now).await {
                    Err(StorefrontError::Store(error)) => Ok((Attempt::NotCommitted(error), None)),
                    kept => Ok((Attempt::Done(Loaded { session: kept?, ..loaded }), None)),
                }
            })
            .await
    }

    /// Reads variants of the price list, unless this request has read them.
    async fn search_variants(&self, loaded: &mut Loaded, mut ids: Vec<VariantId>) -> Result<(), StoreError> {
        ids.retain(|it| !loaded.searched.contains(it));
        if !ids.is_empty() {
            loaded.variants.extend(self.prices.variants(&ids).await?);
            loaded.searched.extend(ids);
        }
        Ok(())
    }

    /// Stores a changed cart, after the edit of its order.
    async fn keep(&self, loaded: &Loaded, cart: Cart, now: Timestamp) -> Result<Session, StorefrontError> {
        let before = &loaded.session;
        let changed =
            Session { version: before.version, cart, order: before.order.clone(), order_version: before.order_version };
        let session = Box::pin(self.update_order(loaded, changed, now)).await?;
        if session.cart.is_as(&before.cart) {
            return Ok(Session { cart: before.cart.clone(), ..session });
        }
        match self.carts.commit_cart(before.version, &session.cart).await {
            // It may be stored all the same: then the change must not be made twice.
            Err(StoreError::Unknown(cause)) if self.is_kept(&session.cart, before.version).await? => {
                tracing::warn!(%cause, "a cart was stored by a commit that the database did not confirm");
            }
            committed => committed?,
        }
        let session = Session { version: before.version.next(), ..session };
        if before.order.is_some() {
            return Ok(session);
        }
        // If the order was placed meanwhile with the former content of the cart, it is edited to match the cart. A
        // request that places an order reads the cart again afterwards, so that one of the two sees the other.
        let placed = self.order_of(&session.cart).await?;
        let (order_version, order) = placed.map(|it| (it.version, it.value)).unzip();
        let placed = Session { order, order_version, ..session.clone() };
        let updated = Box::pin(self.update_order(loaded, placed, now)).await?;
        Ok(Session { order: updated.order, order_version: updated.order_version, ..session })
    }

    async fn is_kept(&self, cart: &Cart, before: Version) -> Result<bool, StoreError> {
        let stored = self.carts.cart(crate::CartRef::Id(cart.id)).await?;
        Ok(stored.is_some_and(|it| it.version == before.next() && it.value == *cart))
    }

    /// Edits the order of `session`, if there is one, to match its changed cart. If the cart cannot be this order, or its
    /// checkout is no longer complete (e.g. its shipping rate is lost), the order is canceled and the cart gets another
    /// one.
    async fn update_order(
        &self,
        loaded: &Loaded,
        session: Session,
        now: Timestamp,
    ) -> Result<Session, StorefrontError> {
        let Some(order) = &session.order else { return Ok(session) };
        let cart = &session.cart;
        let due = cart.totals().map(|it| it.due);
        let can_be_this = cart.missing_for_payment(&loaded.terms).is_empty()
            && cart.currency == order.total.currency()
            && due.is_ok_and(|it| it.to_charge().is_ok());
        if can_be_this || !matches!(order.state, OrderState::Open) {
            let edit = cart.to_edit(self.payer_known(cart, loaded.customer.as_ref()).await?);
            let which = OrderRef::Id(order.id);
            let changed = self.app.edit_order_from(session.loaded_order(), &which, &Access::All, edit).await?;
            let order = changed.order().clone();
            return Ok(session.with_order(Some(order)));
        }
        self.give_up(&session, order).await?;
        let cart = cart.clone().for_order(self.app.ids.order_id(now), now);
        Ok(Session { cart, ..session }.with_order(None))
    }

    /// Cancels the order of a session; an error if Stripe has not confirmed yet that it cannot be paid any more.
    async fn give_up(&self, session: &Session, order: &Order) -> Result<(), StorefrontError> {
        let (known, which) = (session.loaded_order(), OrderRef::Id(order.id));
        match self.app.cancel_order_from(known, &which, &Access::All, CancelReason::Abandoned).await? {
            Changed::Done(_) => Ok(()),
            Changed::UnderWay(_) => Err(StorefrontError::UnderWay),
        }
    }

    /// Payer of a cart, with its customer at Stripe if that exists: `known`, where the request has read it.
    pub(super) async fn payer_known(
        &self,
        cart: &Cart,
        known: Option<&ProviderCustomerId>,
    ) -> Result<Payer, StoreError> {
        let customer = match (known, &cart.customer) {
            (Some(known), _) => Some(known.clone()),
            (None, Some(customer)) => self.carts.provider_customer(customer, self.app.settings.livemode).await?,
            (None, None) => None,
        };
        Ok(Payer { customer, payment_method: cart.payment_method.clone() })
    }

    /// Adds `quantity` of a variant to the cart. `metadata` replaces that of the variant's line.
    pub async fn add_item(
        &self,
        shopper: &Shopper,
        id: &VariantId,
        quantity: u32,
        metadata: Option<&Metadata>,
    ) -> Result<Session, StorefrontError> {
        // A missing cart is reported before a missing variant.
        let loaded = self.load(shopper).await?;
        let needed = |cart: &Cart| {
            let mut ids = variants_of(cart);
            if !ids.contains(id) {
                ids.push(id.clone());
            }
            ids
        };
        let add = |cart: Cart, loaded: &Loaded, _| {
            let cart = cart.with_more(loaded.variant(id)?, quantity)?;
            Ok(match metadata {
                Some(metadata) => cart.with_line_metadata(id, metadata.clone())?,
                None => cart,
            })
        };
        Ok(self.change_by_variants(loaded, shopper, needed, add).await?.session)
    }

    /// Assigns a guest's cart to a customer. From then on the token that the guest was given gives access only together
    /// with the customer's bearer token.
    pub async fn associate(&self, guest: &Shopper, customer: &CustomerId) -> Result<Session, StorefrontError> {
        // A repeat names the cart by the same token and gets the same answer, whose content only its customer is shown.
        let guest = &Shopper { is_reissued: true, ..guest.clone() };
        let loaded = self.load(guest).await?;
        Ok(self.change(loaded, guest, |cart, _, _| Ok(cart.owned_by(customer.clone())?)).await?.session)
    }

    /// Changes the currency of the cart. Variants without a price in it are removed.
    pub async fn change_currency(&self, shopper: &Shopper, currency: Currency) -> Result<Session, StorefrontError> {
        let loaded = self.load(shopper).await?;
        let change = |cart: Cart, loaded: &Loaded, _| Ok(cart.in_currency(currency, &loaded.variants));
        Ok(self.change_by_variants(loaded, shopper, variants_of, change).await?.session)
    }

    /// Removes the variants that are no longer available, and returns their names.
    pub async fn drop_unsold(&self, shopper: &Shopper) -> Result<(Session, Vec<String>), StorefrontError> {
        let loaded = self.load(shopper).await?;
        let loaded = self.change(loaded, shopper, |cart, _, _| Ok(cart)).await?;
        let unsold: Vec<String> = loaded.session.cart.unsold().map(str::to_owned).collect();
        if unsold.is_empty() {
            return Ok((loaded.session, unsold));
        }
        Ok((self.change(loaded, shopper, |cart, _, _| Ok(cart.without_unsold())).await?.session, unsold))
    }

    /// Deletes a cart, after the cancellation of its order.
    pub async fn remove_cart(&self, shopper: &Shopper) -> Result<(), StorefrontError> {
        self.app
            .retry(|_| async move {
                let session = self.current(shopper).await?;
                if let Some(order) = &session.order {
                    self.give_up(&session, order).await?;
                }
                Ok(Attempt::committed(self.carts.remove_cart(session.version, session.cart.id).await, ()))
            })
            .await
    }
}
