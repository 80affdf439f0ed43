use paywright_domain::id::CustomerId;
use paywright_domain::order::{Metadata, OrderState};
use paywright_domain::storefront::Cart;
use paywright_domain::{Order, OrderId, Timestamp};

use super::{Session, Shopper, Storefront, StorefrontError, TokenSubject, is_completed};
use crate::{
    ATTEMPTS_MAX, Access, App, CartRef, Cursor, CursorDue, Lease, OrderQuery, OrderRef, StoreError, Version, Versioned,
    log,
};

/// Most closed carts that are skipped in the search for a customer's open cart.
const CLOSED_CARTS_SKIPPED_MAX: u32 = 20;

/// Lease of a request that creates a cart, in seconds.
const CREATION_SECONDS: u32 = 30;
/// Number of cursors that serve as locks for creating carts: customers who share one wait for each other.
const CREATION_LOCKS: u32 = 1024;

/// Cart or order of a shopper's token, as it was loaded.
#[derive(Debug)]
pub(super) enum Opened {
    /// Cart of the token; `None` if there is no such cart.
    Cart(Option<Box<Session>>),
    /// Order of the token, which was not made from a cart.
    Alone(Box<Versioned<Order>>),
}

/// Name of the cursor that is leased while a cart of `customer` is created.
fn cart_creation_lock(customer: &CustomerId) -> String {
    // FNV-1a: any hash will do, as long as every process has the same.
    let hash = customer
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("new_cart:{}", hash % CREATION_LOCKS)
}

impl Storefront {
    /// Creates a cart with `metadata`, or returns the one that the shopper has. Of a customer's parallel requests one creates it, and
    /// all return it. The token of another customer's cart, or of one that awaits its money, is ignored.
    pub async fn create_cart(&self, shopper: &Shopper, metadata: &Metadata) -> Result<Session, StorefrontError> {
        let alone = shopper.without_token();
        let (mut opened, shopper) = match self.opened(shopper).await {
            Err(StorefrontError::NoCart) => (None, &alone),
            found => match found? {
                Some(session) if session.awaits_money() => (None, &alone),
                opened => (opened, shopper),
            },
        };
        let Some(customer) = &shopper.customer else { return self.current_or_new(opened, shopper, metadata).await };
        let (name, owner) = (cart_creation_lock(customer), self.app.ids.lease_owner());
        let mut attempt = 1;
        loop {
            match self.current_of(opened.take(), shopper).await {
                Err(StorefrontError::NoCart) => {}
                found => return found,
            }
            let now = self.app.clock.now();
            let lease = Lease { owner, now, until: now.plus_seconds(CREATION_SECONDS), limit: 1 };
            if self.app.store.cursors.lease_cursor(&name, &lease, CursorDue::now(now, 0)).await?.is_some() {
                // Another request may have created the cart before it released the lease.
                let made = self.current_or_new(None, shopper, metadata).await;
                if let Err(error) = self.app.store.cursors.move_cursor(&name, owner, &Cursor::default(), now).await {
                    tracing::warn!(%error, "a cursor could not be released; its lease ends by itself");
                }
                return made;
            }
            if attempt >= ATTEMPTS_MAX {
                return Err(StoreError::Conflict.into());
            }
            self.app.pause(attempt).await;
            attempt += 1;
        }
    }

    /// Returns the shopper's open cart, where `opened` is the cart of its token, or creates one.
    async fn current_or_new(
        &self,
        opened: Option<Session>,
        shopper: &Shopper,
        metadata: &Metadata,
    ) -> Result<Session, StorefrontError> {
        match self.current_of(opened, shopper).await {
            Err(StorefrontError::NoCart) => {}
            found => return found,
        }
        let now = self.app.clock.now();
        let order = self.app.ids.order_id(now);
        let id = self.app.ids.cart_id(order, now);
        let currency = shopper.currency.unwrap_or(self.currency);
        let cart = Cart::new(id, order, shopper.customer.clone(), currency, now).with_metadata(metadata.clone())?;
        log::about_cart(&cart);
        self.carts.commit_cart(Version::NEW, &cart).await?;
        Ok(Session::loaded(Versioned { version: Version::NEW.next(), value: cart }, None))
    }

    /// Finds the shopper's open cart: the one of its token, or else, for a customer, the newest in its currency. A cart
    /// whose order is paid or canceled is not open; one that awaits its money is found by its token only, so that the
    /// customer may fill another one meanwhile.
    pub async fn current(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let opened = self.opened(shopper).await?;
        self.current_of(opened, shopper).await
    }

    /// As [`Self::current`], where `opened` is the cart of the shopper's token, as it was loaded.
    pub(super) async fn current_of(
        &self,
        opened: Option<Session>,
        shopper: &Shopper,
    ) -> Result<Session, StorefrontError> {
        if let Some(session) = opened.filter(Session::is_open) {
            return Ok(session);
        }
        let customer = shopper.customer.as_ref().ok_or(StorefrontError::NoCart)?;
        let currency = shopper.currency.unwrap_or(self.currency);
        for _ in 0..CLOSED_CARTS_SKIPPED_MAX {
            let found = self.carts.open_cart(customer, currency).await?.ok_or(StorefrontError::NoCart)?;
            let session = self.with_order(found).await?;
            if session.awaits_money() {
                return Err(StorefrontError::NoCart);
            }
            if session.is_open() {
                return Ok(session);
            }
            self.close(&session, self.app.clock.now()).await?;
        }
        Err(StorefrontError::NoCart)
    }

    /// Finds the cart of the shopper's token, open or not. It does not exist for another customer than its owner, nor,
    /// without its owner's bearer token, by a token that gives no access any more: [`StorefrontError::NoCart`].
    pub async fn opened(&self, shopper: &Shopper) -> Result<Option<Session>, StorefrontError> {
        let which = match shopper.subject {
            Some(TokenSubject::Cart(id)) => CartRef::Id(id),
            Some(TokenSubject::Order(order)) => CartRef::Order(order),
            None => return Ok(None),
        };
        let Some(found) = self.carts.cart(which).await? else { return Ok(None) };
        if found.value.is_anothers(shopper.customer.as_ref()) {
            return Err(StorefrontError::NoCart);
        }
        let order = self.order_of(&found.value).await?;
        let session = Session::loaded(found, order);
        if self.admits(shopper, &session) {
            Ok(Some(self.renewed(session).await?))
        } else {
            Err(StorefrontError::NoCart)
        }
    }

    /// Whether the shopper's token still gives access to its cart. With the bearer token of the cart's customer it always
    /// does.
    fn admits(&self, shopper: &Shopper, session: &Session) -> bool {
        let cart = &session.cart;
        let is_guests =
            cart.was_guests && !shopper.is_reissued && matches!(shopper.subject, Some(TokenSubject::Cart(_)));
        // The token is needed after the order was placed, by which the cart is not changed.
        let used_at = session.order.as_ref().map_or(cart.updated_at, |it| it.placed_at.max(cart.updated_at));
        let now = self.app.clock.now();
        let is_too_old = self.token_seconds.is_some_and(|it| now >= used_at.plus_seconds(it));
        shopper.owns(cart) || !(is_guests || is_too_old)
    }

    /// Finds the cart of the shopper's token, as [`Self::opened`], or its order, if that was not made from a cart. The
    /// order of another customer does not exist: [`StorefrontError::NoCart`].
    pub(super) async fn opened_or_alone(&self, shopper: &Shopper) -> Result<Opened, StorefrontError> {
        let id = match (self.opened(shopper).await?, shopper.subject) {
            (None, Some(TokenSubject::Order(id))) => id,
            (opened, Some(TokenSubject::Order(_) | TokenSubject::Cart(_)) | None) => {
                return Ok(Opened::Cart(opened.map(Box::new)));
            }
        };
        let found = self.app.load(&OrderRef::Id(id), &Access::Order(id)).await;
        let order = found.map_err(|error| StorefrontError::of_order(error, StorefrontError::NoCart))?;
        let of_bearer = shopper.customer.clone().map(Access::Customer);
        let is_anothers = order.value.customer.is_some() && of_bearer.is_some_and(|it| !it.permits(&order.value));
        if is_anothers { Err(StorefrontError::NoCart) } else { Ok(Opened::Alone(Box::new(order))) }
    }

    /// Finds the cart of a customer's order.
    pub async fn of_customer(&self, which: &OrderRef, customer: &CustomerId) -> Result<Session, StorefrontError> {
        let found = self.app.load(which, &Access::Customer(customer.clone())).await;
        let order = found.map_err(|error| StorefrontError::of_order(error, StorefrontError::NoCart))?;
        let cart = self.carts.cart(CartRef::Order(order.value.id)).await?.ok_or(StorefrontError::NoCart)?;
        Ok(Session::loaded(cart, Some(order)))
    }

    /// Finds the cart of the shopper's token, open or not; without a token, the customer's open cart, or that of the
    /// newest complete order if the open cart was not changed since that order was placed.
    pub(super) async fn opened_or_newest(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        match self.opened(shopper).await? {
            Some(session) => Ok(session),
            None => self.open_or_newest(shopper).await,
        }
    }

    /// As [`Self::opened_or_newest`], where the shopper has no token of a stored cart.
    pub(super) async fn open_or_newest(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let open = match self.current_of(None, shopper).await {
            Err(StorefrontError::NoCart) => return self.newest_complete(shopper).await,
            found => found?,
        };
        match self.newest_complete(shopper).await {
            Ok(complete) if complete.order.as_ref().is_some_and(|it| it.placed_at > open.cart.updated_at) => {
                Ok(complete)
            }
            Ok(_) | Err(StorefrontError::NoCart) => Ok(open),
            Err(error) => Err(error),
        }
    }

    /// Finds the newest complete order of the shopper, a customer, that was made from a cart.
    async fn newest_complete(&self, shopper: &Shopper) -> Result<Session, StorefrontError> {
        let customer = shopper.customer.as_ref().ok_or(StorefrontError::NoCart)?;
        let query = OrderQuery { customer: Some(customer.clone()), ..OrderQuery::newest(App::PAGE_MAX) };
        let newest = self.app.store.orders.orders(&query).await?.into_iter();
        let is_in = |order: &Order| shopper.currency.is_none_or(|it| it == order.total.currency());
        for order in newest.filter(|it| it.is_complete() && is_in(it)) {
            if let Some(found) = self.carts.cart(CartRef::Order(order.id)).await? {
                log::found(&OrderRef::Id(order.id), &order);
                return Ok(Session::loaded(found, None).with_order(Some(order)));
            }
        }
        Err(StorefrontError::NoCart)
    }

    /// Whether the customer has completed an order: it is complete, or was until its bank debit failed, so that it is
    /// to be paid again.
    pub async fn was_completed(&self, order: &Order) -> Result<bool, StoreError> {
        let is_unpaid = matches!(order.state, OrderState::Open) && !order.intents.is_empty();
        if order.is_complete() || !is_unpaid {
            return Ok(order.is_complete());
        }
        Ok(is_completed(order, &self.app.store.orders.facts(order.id).await?))
    }

    /// Finds the cart that an order was made from, if any.
    pub async fn cart_of(&self, order: OrderId) -> Result<Option<Cart>, StoreError> {
        Ok(self.carts.cart(CartRef::Order(order)).await?.map(|it| it.value))
    }

    async fn with_order(&self, found: Versioned<Cart>) -> Result<Session, StorefrontError> {
        let order = self.order_of(&found.value).await?;
        self.renewed(Session::loaded(found, order)).await
    }

    /// Gives the cart of a session another order, if its order was not paid in time.
    async fn renewed(&self, session: Session) -> Result<Session, StorefrontError> {
        if session.is_left() { self.with_new_order(session).await } else { Ok(session) }
    }

    /// Gives a cart whose order was not paid in time another order.
    async fn with_new_order(&self, left: Session) -> Result<Session, StorefrontError> {
        let now = self.app.clock.now();
        let id = left.cart.id;
        let cart = left.cart.for_order(self.app.ids.order_id(now), now);
        match self.carts.commit_cart(left.version, &cart).await {
            Ok(()) => Ok(Session::loaded(Versioned { version: left.version.next(), value: cart }, None)),
            // Another request has done the same.
            Err(StoreError::Conflict) => {
                let found = self.carts.cart(CartRef::Id(id)).await?.ok_or(StorefrontError::NoCart)?;
                let order = self.order_of(&found.value).await?;
                Ok(Session::loaded(found, order))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn order_of(&self, cart: &Cart) -> Result<Option<Versioned<Order>>, StoreError> {
        log::about_cart(cart);
        self.app.find(&OrderRef::Id(cart.order), &Access::All).await
    }

    /// Stores that a cart is closed. A conflict does not matter: the next read closes it.
    async fn close(&self, session: &Session, now: Timestamp) -> Result<(), StoreError> {
        match self.carts.commit_cart(session.version, &session.cart.clone().closed(now)).await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
