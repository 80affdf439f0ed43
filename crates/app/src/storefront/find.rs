use paywright_domain::{Cart, Order, OrderId, Timestamp};

use super::{Opened, Session, Shopper, Storefront, StorefrontError};
use crate::{CartRef, OrderRef, StoreError, Version, Versioned};

/// How many carts of a customer that turn out to be done with are closed on the way to one that is not.
const CLOSED_ON_THE_WAY_MAX: u32 = 20;

impl Storefront {
    /// Makes a cart, or gives the one that the shopper has.
    pub async fn create_cart(
        &self,
        shopper: &Shopper,
        fill: impl Fn(Cart) -> Result<Cart, paywright_domain::CartError> + Send + Sync,
    ) -> Result<Session, StorefrontError> {
        match self.current(shopper).await {
            Err(StorefrontError::NoCart) => {}
            found => return found,
        }
        let now = self.app.clock.now();
        let (id, order) = (self.app.ids.cart_id(now), self.app.ids.order_id(now));
        let currency = shopper.currency.unwrap_or(self.currency);
        let cart = fill(Cart::new(id, order, shopper.customer.clone(), currency, now))?;
        self.carts.commit_cart(Version::NEW, &cart).await?;
        Ok(Session { version: Version::NEW.next(), cart, order: None })
    }

    /// The cart that the shopper fills: the one that its token opens, else, for a customer, the newest in its
    /// currency. One whose order is paid or canceled is none.
    pub async fn current(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        if let Some(session) = self.opened(shopper).await?.filter(Session::is_open) {
            return Ok(session);
        }
        let customer = shopper.customer.as_ref().ok_or(StorefrontError::NoCart)?;
        let currency = shopper.currency.unwrap_or(self.currency);
        for _ in 0..CLOSED_ON_THE_WAY_MAX {
            let found = self.carts.open_cart(customer, currency).await?.ok_or(StorefrontError::NoCart)?;
            let session = self.with_order(found).await?;
            if session.is_open() {
                return Ok(session);
            }
            self.close(&session, self.app.clock.now()).await?;
        }
        Err(StorefrontError::NoCart)
    }

    /// The cart that the shopper's token opens, whatever has become of it.
    pub async fn opened(&self, shopper: &Shopper) -> Result<Option<Session>, StorefrontError> {
        let which = match shopper.opened {
            Some(Opened::Cart(id)) => CartRef::Id(id),
            Some(Opened::Order(order)) => CartRef::Order(order),
            None => return Ok(None),
        };
        match self.carts.cart(which).await? {
            Some(found) => Ok(Some(self.with_order(found).await?)),
            None => Ok(None),
        }
    }

    /// The cart that an order was made from, if it was made from one.
    pub async fn cart_of(&self, order: OrderId) -> Result<Option<Cart>, StoreError> {
        Ok(self.carts.cart(CartRef::Order(order)).await?.map(|it| it.value))
    }

    async fn with_order(&self, found: Versioned<Cart>) -> Result<Session, StorefrontError> {
        let order = self.order_of(&found.value).await?;
        let session = Session { version: found.version, cart: found.value, order };
        if session.is_left() { self.found_again(session).await } else { Ok(session) }
    }

    /// A cart whose order nobody has paid in time is for another order.
    async fn found_again(&self, left: Session) -> Result<Session, StorefrontError> {
        let now = self.app.clock.now();
        let id = left.cart.id;
        let cart = left.cart.for_order(self.app.ids.order_id(now), now);
        match self.carts.commit_cart(left.version, &cart).await {
            Ok(()) => Ok(Session { version: left.version.next(), cart, order: None }),
            // Somebody else has found it.
            Err(StoreError::Conflict) => {
                let found = self.carts.cart(CartRef::Id(id)).await?.ok_or(StorefrontError::NoCart)?;
                let order = self.order_of(&found.value).await?;
                Ok(Session { version: found.version, cart: found.value, order })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn order_of(&self, cart: &Cart) -> Result<Option<Order>, StoreError> {
        Ok(self.app.store.order(&OrderRef::Id(cart.order)).await?.map(|it| it.value))
    }

    /// Remembers that a cart is done with. Whoever comes first; it is no matter if nobody does.
    async fn close(&self, session: &Session, now: Timestamp) -> Result<(), StoreError> {
        match self.carts.commit_cart(session.version, &session.cart.clone().closed(now)).await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
