//! Use cases of a storefront: carts, their checkout, and the payment of their orders.
//!
//! A cart and its order are two aggregates with two versions. The order holds the money, the cart the customer's
//! choices. The order is placed when its PaymentIntent is first requested. From then on a change of the cart edits the
//! order first, under the rules of [`App::edit_order`], and is stored in the cart only if the order accepts it. So the
//! amount that can be paid is always one that was agreed to. If a process stops between the two commits, or two
//! requests meet, the next change or payment edits the order to match the cart; a paid order is not changed any more.

mod account;
mod change;
mod checkout;
mod edit;
mod find;
mod forget;
mod pay;
mod saved_cards;

use std::sync::Arc;

use paywright_domain::country::CountryCode;
use paywright_domain::id::{CustomerId, PaymentMethodId};
use paywright_domain::order::{CancelReason, ContentError, OrderState};
use paywright_domain::storefront::{Cart, CartError, CartId, CheckoutError, Terms, TermsProblem, Variant, VariantId};
use paywright_domain::{Currency, Money, Order, OrderId};
use thiserror::Error;

pub use account::{AccountCard, AccountOrder, AccountOrders, OrdersPage, is_completed};
pub use checkout::{CartChange, RateChoice};
pub use edit::CartEdit;
pub use pay::PaymentIntentParams;
pub use saved_cards::CardSetup;

use crate::doubt::Remembering;
use crate::{
    App, CancelOrderError, Carts, CheckPaymentError, CreatePaymentIntentError, EditOrderError, GatewayError,
    GetOrderError, PriceList, StoreError, Version, Versioned, Wallet,
};

/// Use cases of a storefront, on top of those of orders.
///
/// A request loads its [`Session`] once and passes it along. A commit names the versions that were loaded, and after a
/// conflict the session is loaded again. It is loaded again as well where an answer depends on a commit of another
/// request that may have come between.
#[derive(Clone)]
pub struct Storefront {
    app: App,
    carts: Arc<dyn Carts>,
    prices: Arc<dyn PriceList>,
    wallet: Arc<dyn Wallet>,
    currency: Currency,
    country: CountryCode,
    /// Age from which the token of a cart gives no access, in seconds; `None` for no limit.
    token_seconds: Option<u32>,
}

/// Cart or order that a storefront token gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenSubject {
    /// A cart, and its order.
    Cart(CartId),
    /// An order, made from a cart or not.
    Order(OrderId),
}

/// Caller of a storefront: the holder of a token, a customer, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shopper {
    /// Cart or order that the request's token gives access to.
    pub subject: Option<TokenSubject>,
    /// Whether the token was issued after its cart was assigned to a customer. The one that a guest had before gives
    /// no access any more.
    pub is_reissued: bool,
    /// Customer of the request's bearer token.
    pub customer: Option<CustomerId>,
    /// Currency of the request.
    pub currency: Option<Currency>,
}

impl Shopper {
    /// The same shopper without its token.
    fn without_token(&self) -> Self {
        Self { subject: None, ..self.clone() }
    }

    /// Whether the bearer token of the request is that of the cart's customer.
    fn owns(&self, cart: &Cart) -> bool {
        self.customer.is_some() && self.customer == cart.customer
    }
}

/// A cart, with its order once it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    version: Version,
    /// The cart.
    pub cart: Cart,
    /// Order of the cart; `None` until it is placed.
    pub order: Option<Order>,
    /// Version of `order`, where it is as the store has returned it.
    order_version: Option<Version>,
}

impl Session {
    /// Session of a cart and its order, as they were loaded.
    fn loaded(cart: Versioned<Cart>, order: Option<Versioned<Order>>) -> Self {
        let (version, cart) = (cart.version, cart.value);
        let (order_version, order) = order.map(|it| (it.version, it.value)).unzip();
        Self { version, cart, order, order_version }
    }

    /// The order, with its version, where it is as the store has returned it.
    fn loaded_order(&self) -> Option<Versioned<Order>> {
        self.order.clone().zip(self.order_version).map(|(value, version)| Versioned { version, value })
    }

    /// The same session with its order after a change. The version of a changed order is not known.
    fn with_order(self, order: Option<Order>) -> Self {
        let order_version = if order == self.order { self.order_version } else { None };
        Self { order, order_version, ..self }
    }

    /// Whether the order is complete: paid, or waiting for its money.
    pub fn is_complete(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_complete)
    }

    /// Whether the order is paid.
    pub fn is_paid(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_paid)
    }

    /// Whether the bank is processing the payment. If it fails, the order can be paid again.
    fn awaits_money(&self) -> bool {
        self.order.as_ref().is_some_and(Order::awaits_money)
    }

    /// Whether the order is canceled.
    pub fn is_canceled(&self) -> bool {
        self.order.as_ref().is_some_and(|it| matches!(it.state, OrderState::Canceled { .. }))
    }

    fn is_open(&self) -> bool {
        self.cart.closed_at.is_none() && !self.is_paid() && !self.is_canceled()
    }

    /// Whether the order was canceled because it was not paid in time, and the cart is still open.
    fn is_left(&self) -> bool {
        let reason = self.order.as_ref().map(|it| &it.state);
        let abandoned = matches!(reason, Some(OrderState::Canceled { reason: CancelReason::Abandoned, .. }));
        abandoned && self.cart.closed_at.is_none()
    }

    /// Number of the order, which the cart has before the order is placed.
    pub fn number(&self) -> paywright_domain::id::OrderNumber {
        self.order.as_ref().map_or_else(|| self.cart.number(), |it| it.number.clone())
    }
}

/// Why a request of a storefront failed.
#[derive(Debug, Error)]
pub enum StorefrontError {
    /// The cart does not exist, is closed, or belongs to another customer.
    #[error("there is no such cart")]
    NoCart,
    /// The price list has no such variant.
    #[error("there is no such variant")]
    NoVariant,
    /// The order has no PaymentIntent yet.
    #[error("there is no PaymentIntent")]
    NoIntent,
    /// The cart refuses the change.
    #[error(transparent)]
    Cart(#[from] CartError),
    /// The next step of the checkout lacks something.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// The cart cannot be paid yet; lists everything that is missing.
    #[error("the checkout is not complete: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotReady(Vec<CheckoutError>),
    /// A variant in the cart is no longer available.
    #[error("{0} is not available")]
    Unsold(String),
    /// The content of the cart cannot be an order.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The amount of the request is not the amount due.
    #[error("Amount must be {}, the amount due", .due.to_decimal())]
    NotTheAmountDue {
        /// Amount due.
        due: Money,
    },
    /// The order refuses the edit.
    #[error(transparent)]
    Edit(#[from] EditOrderError),
    /// The order cannot be canceled.
    #[error(transparent)]
    Cancel(#[from] CancelOrderError),
    /// The order has no PaymentIntent to pay.
    #[error(transparent)]
    Intent(#[from] CreatePaymentIntentError),
    /// The order is not paid.
    #[error(transparent)]
    Check(#[from] CheckPaymentError),
    /// Stripe has not answered an earlier change yet, which the worker completes or drops without another call; or another
    /// request is giving the cart another order.
    #[error("an earlier change is waiting for Stripe; try again in a moment")]
    UnderWay,
    /// The bank is processing the payment.
    #[error("Payment is being processed")]
    Processing,
    /// The order is canceled.
    #[error("Order canceled")]
    Canceled,
    /// The cart has no shipment yet.
    #[error("the cart has no shipment yet")]
    NoShipment,
    /// The customer has no such saved card.
    #[error("there is no such saved card")]
    NoCard,
    /// Stripe has no such payment method, or it is another customer's. In Stripe's words.
    #[error("No such PaymentMethod: '{0}'")]
    NoPaymentMethod(PaymentMethodId),
    /// The terms of sale are invalid.
    #[error(transparent)]
    Terms(#[from] TermsProblem),
    /// Stripe refused the request, or did not answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StorefrontError {
    /// Error of a read of an order: `missing` if there is none, otherwise the failure of the store.
    fn of_order(error: GetOrderError, missing: Self) -> Self {
        match error {
            GetOrderError::NotFound => missing,
            GetOrderError::Store(error) => error.into(),
        }
    }
}

impl Storefront {
    /// Most variants of one page, and of one write.
    pub const VARIANTS_MAX: u16 = 500;

    /// Creates the storefront on its ports. `currency` is the default currency of a cart.
    pub fn new(
        app: App,
        carts: Arc<dyn Carts>,
        prices: Arc<dyn PriceList>,
        wallet: Arc<dyn Wallet>,
        currency: Currency,
    ) -> Self {
        Self { app, carts, prices, wallet, currency, country: CountryCode::US, token_seconds: None }
    }

    /// Returns the same use cases with another default country.
    #[must_use]
    pub fn with_country(self, country: CountryCode) -> Self {
        Self { country, ..self }
    }

    /// Returns the same use cases with an age, in days, from which the token of a cart gives no access; `None` for no
    /// limit. The age counts from the last change of the cart, or the placing of its order.
    #[must_use]
    pub fn with_token_days(self, days: Option<u32>) -> Self {
        Self { token_seconds: days.map(|it| it.saturating_mul(24 * 3600)), ..self }
    }

    /// Country for which shipping rates are estimated where neither the request nor the cart has one.
    pub const fn country(&self) -> CountryCode {
        self.country
    }

    /// Returns the same use cases for one request: see [`App::for_request`].
    #[must_use]
    pub fn for_request(&self) -> Self {
        let app = self.app.for_request();
        let Some(doubt) = app.doubt.clone() else { return Self { app, ..self.clone() } };
        let carts = Arc::new(Remembering::new(Arc::clone(&self.carts), Arc::clone(&doubt)));
        let prices = Arc::new(Remembering::new(Arc::clone(&self.prices), doubt));
        Self { app, carts, prices, ..self.clone() }
    }

    /// Default currency of a cart.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Lists the variants of the price list after `after`, by id: [`Self::VARIANTS_MAX`] at most.
    pub async fn variants(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        self.prices.variants_after(after, limit.clamp(1, Self::VARIANTS_MAX)).await
    }

    /// Finds a variant of the price list.
    pub async fn variant(&self, id: &VariantId) -> Result<Variant, StorefrontError> {
        let found = self.prices.variants(std::slice::from_ref(id)).await?;
        found.into_iter().next().ok_or(StorefrontError::NoVariant)
    }

    /// Adds or replaces variants of the price list, all or none. Carts have the new prices from their next change on.
    pub async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError> {
        self.prices.put_variants(variants).await
    }

    /// Removes a variant from the price list.
    pub async fn remove_variant(&self, id: &VariantId) -> Result<(), StorefrontError> {
        if self.prices.remove_variant(id).await? { Ok(()) } else { Err(StorefrontError::NoVariant) }
    }

    /// Reads the terms of sale.
    pub async fn terms(&self) -> Result<Terms, StoreError> {
        self.prices.terms().await
    }

    /// Replaces the terms of sale. Carts have the new ones from their next change on.
    pub async fn put_terms(&self, terms: &Terms) -> Result<(), StorefrontError> {
        terms.check()?;
        Ok(self.prices.put_terms(terms).await?)
    }
}
