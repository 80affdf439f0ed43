//! What a storefront does: fills a cart, sees what it comes to, and pays the order that it makes.
//!
//! A cart and its order are two things with two versions. The order holds the money; the cart says what the customer
//! wants. Until a payment is asked for there is no order. From then on a change of the cart is a change of the order
//! first, under all the rules that such a change has ([`App::edit_order`]), and is kept in the cart only if the order
//! takes it. So what can be paid is never other than what was agreed to; where a process dies between the two, or two
//! requests meet, the next change or payment makes the order what the cart says, and an order that is paid stays what
//! it was when it was paid.

mod account;
mod change;
mod checkout;
mod find;
mod forget;
mod pay;
mod saved_cards;

use std::sync::Arc;

use paywright_domain::{
    CancelReason, Cart, CartError, CartId, CheckoutError, ContentError, Currency, CustomerId, Money, Order, OrderId,
    OrderState, Terms, TermsProblem, Variant, VariantId,
};
use thiserror::Error;

pub use account::{AccountCard, AccountOrder, AccountOrders, OrdersPage, is_completed};
pub use checkout::{CartChange, RateChoice};
pub use pay::PaymentIntentParams;
pub use saved_cards::CardSetup;

use crate::doubt::Remembering;
use crate::{
    App, CancelOrderError, Carts, CheckPaymentError, CreatePaymentIntentError, EditOrderError, GatewayError, PriceList,
    StoreError, Version, Wallet,
};

/// The use cases of a storefront, over those of orders.
#[derive(Clone)]
pub struct Storefront {
    app: App,
    carts: Arc<dyn Carts>,
    prices: Arc<dyn PriceList>,
    wallet: Arc<dyn Wallet>,
    currency: Currency,
}

/// Cart or order that a storefront token gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenSubject {
    /// A cart, and the order that it becomes.
    Cart(CartId),
    /// An order, whatever it was made from.
    Order(OrderId),
}

/// Who shops: the holder of a token, a customer, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shopper {
    /// Cart or order that the request's token gives access to.
    pub subject: Option<TokenSubject>,
    /// Whose bearer token it has.
    pub customer: Option<CustomerId>,
    /// The currency that it asks for.
    pub currency: Option<Currency>,
}

impl Shopper {
    /// The same customer, without a token.
    fn without_token(&self) -> Self {
        Self { subject: None, ..self.clone() }
    }
}

/// A cart, with its order once that is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    version: Version,
    /// The cart.
    pub cart: Cart,
    /// Its order.
    pub order: Option<Order>,
}

impl Session {
    /// Whether its customer has nothing more to do: it is paid, or awaits its money.
    pub fn is_complete(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_complete)
    }

    /// Whether it is paid.
    pub fn is_paid(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_paid)
    }

    /// Whether the bank has its payment in its hands. It may fail, and can be paid again then.
    fn awaits_money(&self) -> bool {
        self.order.as_ref().is_some_and(Order::awaits_money)
    }

    /// Whether its order was given up.
    pub fn is_canceled(&self) -> bool {
        self.order.as_ref().is_some_and(|it| matches!(it.state, OrderState::Canceled { .. }))
    }

    fn is_open(&self) -> bool {
        self.cart.closed_at.is_none() && !self.is_paid() && !self.is_canceled()
    }

    /// Whether its order was given up because nobody paid it, and the cart was not.
    fn is_left(&self) -> bool {
        let reason = self.order.as_ref().map(|it| &it.state);
        let abandoned = matches!(reason, Some(OrderState::Canceled { reason: CancelReason::Abandoned, .. }));
        abandoned && self.cart.closed_at.is_none()
    }

    /// The number of its order.
    pub fn number(&self) -> paywright_domain::OrderNumber {
        self.order.as_ref().map_or_else(|| self.cart.number(), |it| it.number.clone())
    }
}

/// Why a storefront does not get what it asks for.
#[derive(Debug, Error)]
pub enum StorefrontError {
    /// There is no such cart, or it is done with, or it is somebody else's.
    #[error("there is no such cart")]
    NoCart,
    /// Nothing of this name is on the price list.
    #[error("there is no such variant")]
    NoVariant,
    /// There is no payment intent yet.
    #[error("there is no payment intent")]
    NoIntent,
    /// The cart does not take the change.
    #[error(transparent)]
    Cart(#[from] CartError),
    /// Something is missing for the next step.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// Something is missing before the cart can be paid: all of it.
    #[error("the checkout is not complete: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotReady(Vec<CheckoutError>),
    /// What is in the cart cannot be bought any more.
    #[error("{0} is not available")]
    Unsold(String),
    /// No order can be made of the cart.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// An amount was named that is not the one that is due.
    #[error("Amount must be {}, the amount due", .due.to_decimal())]
    NotTheAmountDue {
        /// What is due.
        due: Money,
    },
    /// The order does not take the change.
    #[error(transparent)]
    Edit(#[from] EditOrderError),
    /// The order cannot be given up.
    #[error(transparent)]
    Cancel(#[from] CancelOrderError),
    /// There is no intent to pay.
    #[error(transparent)]
    Intent(#[from] CreatePaymentIntentError),
    /// It is not paid.
    #[error(transparent)]
    Check(#[from] CheckPaymentError),
    /// The provider has not answered yet to an earlier change, which is finished or dropped without another call.
    #[error("an earlier change waits for the payment provider; try again in a moment")]
    UnderWay,
    /// The bank has the payment in its hands.
    #[error("Payment is being processed")]
    Processing,
    /// The order was given up.
    #[error("Order canceled")]
    Canceled,
    /// There is nothing to be shipped yet.
    #[error("there is nowhere to ship to yet")]
    NoShipment,
    /// The saved card is not one of this customer's.
    #[error("there is no such saved card")]
    NoCard,
    /// The terms are refused.
    #[error(transparent)]
    Terms(#[from] TermsProblem),
    /// The provider did not do it.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Storefront {
    /// The most variants of one page, and of one write.
    pub const VARIANTS_MAX: u16 = 500;

    /// Puts the storefront on its ports. `currency` is that of a cart where the customer names none.
    pub fn new(
        app: App,
        carts: Arc<dyn Carts>,
        prices: Arc<dyn PriceList>,
        wallet: Arc<dyn Wallet>,
        currency: Currency,
    ) -> Self {
        Self { app, carts, prices, wallet, currency }
    }

    /// The same use cases for one request: see [`App::for_request`].
    #[must_use]
    pub fn for_request(&self) -> Self {
        let app = self.app.for_request();
        let Some(doubt) = app.doubt.clone() else { return Self { app, ..self.clone() } };
        let carts = Arc::new(Remembering::new(Arc::clone(&self.carts), Arc::clone(&doubt)));
        let prices = Arc::new(Remembering::new(Arc::clone(&self.prices), doubt));
        Self { app, carts, prices, ..self.clone() }
    }

    /// The currency of a cart where the customer names none.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The variants of the price list after the one named, by id: [`Self::VARIANTS_MAX`] at most.
    pub async fn variants(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        self.prices.variants_after(after, limit.clamp(1, Self::VARIANTS_MAX)).await
    }

    /// One variant of the price list.
    pub async fn variant(&self, id: &VariantId) -> Result<Variant, StorefrontError> {
        let found = self.prices.variants(std::slice::from_ref(id)).await?;
        found.into_iter().next().ok_or(StorefrontError::NoVariant)
    }

    /// Puts variants on the price list, all or none. Carts have the new prices from their next change on.
    pub async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError> {
        self.prices.put_variants(variants).await
    }

    /// Takes a variant off the price list.
    pub async fn remove_variant(&self, id: &VariantId) -> Result<(), StorefrontError> {
        if self.prices.remove_variant(id).await? { Ok(()) } else { Err(StorefrontError::NoVariant) }
    }

    /// The terms of sale.
    pub async fn terms(&self) -> Result<Terms, StoreError> {
        self.prices.terms().await
    }

    /// Replaces the terms of sale. Carts have the new ones from their next change on.
    pub async fn put_terms(&self, terms: &Terms) -> Result<(), StorefrontError> {
        terms.check()?;
        Ok(self.prices.put_terms(terms).await?)
    }
}
