use std::iter;

use paywright_domain::id::CustomerId;
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::OrderState;
use paywright_domain::storefront::Cart;
use paywright_domain::{Fact, Order};

use secrecy::SecretString;

use super::{Session, Shopper, Storefront, StorefrontError};
use crate::{Access, CompletedOrdersQuery, GatewayError, OrderRef, RecordedFact, SavedCard, StoreError};

/// Whether the customer completed the checkout of `order`, of which `facts` are stored: it is paid, its bank debit is
/// being processed, or that debit failed and the order can be paid again.
pub fn is_completed(order: &Order, facts: &[RecordedFact]) -> bool {
    let is_processing = |it: &Fact| matches!(it, Fact::IntentChanged { status: IntentStatus::Processing, .. });
    let was_processing = || facts.iter().any(|it| is_processing(&it.fact));
    order.is_complete() || (matches!(order.state, OrderState::Open) && was_processing())
}

/// Part of a customer's completed orders that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrdersPage {
    /// Number of the page; the first is 1.
    pub number: u32,
    /// Most orders of the page: 1 to [`Storefront::ORDERS_PAGE_MAX`].
    pub size: u16,
    /// Whether the oldest order comes first; otherwise the newest does.
    pub oldest_first: bool,
}

/// Page of a customer's completed orders.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountOrders {
    /// Orders of the page.
    pub orders: Vec<AccountOrder>,
    /// Number of all completed orders of the customer.
    pub total: u64,
}

/// Completed order of a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountOrder {
    /// The order.
    pub order: Order,
    /// Cart that the order was made from; `None` for an order placed by the shop.
    pub cart: Option<Cart>,
}

/// Saved card of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCard {
    /// The card.
    pub card: SavedCard,
    /// Whether the card is the customer's default.
    pub is_default: bool,
}

impl Storefront {
    /// Most orders of one [`OrdersPage`].
    pub const ORDERS_PAGE_MAX: u16 = 500;

    /// Reads a page of the orders that `customer` has completed.
    pub async fn completed_orders(
        &self,
        customer: &CustomerId,
        page: &OrdersPage,
    ) -> Result<AccountOrders, StoreError> {
        let orders = &self.app.store.orders;
        let limit = page.size.clamp(1, Self::ORDERS_PAGE_MAX);
        let offset = u64::from(page.number.saturating_sub(1)) * u64::from(limit);
        let oldest_first = page.oldest_first;
        let query = CompletedOrdersQuery { customer: customer.clone(), oldest_first, offset, limit };
        let found = orders.completed_orders(&query).await?;
        // A page that is not full is the last one, unless it is beyond the last one.
        let is_last = found.len() < usize::from(limit) && (offset == 0 || !found.is_empty());
        let total = match u64::try_from(found.len()) {
            Ok(count) if is_last => offset + count,
            Ok(_) | Err(_) => orders.count_completed_orders(customer).await?,
        };
        let mut listed = Vec::with_capacity(found.len());
        for order in found {
            let cart = self.cart_of(order.id).await?;
            listed.push(AccountOrder { order, cart });
        }
        Ok(AccountOrders { orders: listed, total })
    }

    /// Counts the orders that `customer` has completed.
    pub async fn completed_order_count(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.app.store.orders.count_completed_orders(customer).await
    }

    /// Reads an order that `customer` has completed. [`StorefrontError::NoCart`] for any other order.
    pub async fn completed_order(
        &self,
        which: &OrderRef,
        customer: &CustomerId,
    ) -> Result<AccountOrder, StorefrontError> {
        match self.app.get_order(which, &Access::Customer(customer.clone())).await {
            Ok(order) if self.was_completed(&order).await? => {
                let cart = self.cart_of(order.id).await?;
                Ok(AccountOrder { order, cart })
            }
            Ok(_) => Err(StorefrontError::NoCart),
            Err(error) => Err(StorefrontError::of_order(error, StorefrontError::NoCart)),
        }
    }

    /// Reads the saved cards of `customer`: the default first, then the older ones.
    pub async fn account_cards(&self, customer: &CustomerId) -> Result<Vec<AccountCard>, StorefrontError> {
        // The default is the newest, which comes first.
        let cards = self.saved_cards(customer).await?.into_iter().zip([true].into_iter().chain(iter::repeat(false)));
        Ok(cards.map(|(card, is_default)| AccountCard { card, is_default }).collect())
    }

    /// Reads the saved card of `customer` with Stripe's `id`, or the default one. [`StorefrontError::NoCard`] where the
    /// customer has no such card.
    pub async fn account_card(&self, customer: &CustomerId, id: Option<&str>) -> Result<AccountCard, StorefrontError> {
        let mut cards = self.account_cards(customer).await?.into_iter();
        let found = cards.find(|it| id.map_or(it.is_default, |id| it.card.id.as_str() == id));
        found.ok_or(StorefrontError::NoCard)
    }

    /// Creates an ephemeral key for an app of the order's customer, where `caller` is that customer and is known at
    /// Stripe. The token of a cart gets none: the key gives access to everything that the customer has saved.
    pub async fn ephemeral_key_of_owner(
        &self,
        order: &Order,
        caller: Option<&CustomerId>,
        version: Option<&str>,
    ) -> Result<Option<SecretString>, GatewayError> {
        let is_owner = caller.is_some() && order.customer.as_ref() == caller;
        let Some(customer) = order.payer.customer.as_ref().filter(|_| is_owner) else { return Ok(None) };
        match self.ephemeral_key(customer, version).await {
            Ok(key) => Ok(Some(key)),
            // Stripe alone knows which versions of its API it has. The intent is shown without a key.
            Err(error @ GatewayError::Refused(_)) => {
                tracing::warn!(%error, "Stripe refused to create an ephemeral key");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the completed order with `number`: the one of the shopper's token, or any of the customer's where there is
    /// no token. [`StorefrontError::NoCart`] for any other order.
    pub async fn order_status(&self, shopper: &Shopper, number: &str) -> Result<Session, StorefrontError> {
        let session = match (shopper.subject, &shopper.customer) {
            (None, Some(customer)) => {
                let which = OrderRef::parse(number).map_err(|_| StorefrontError::NoCart)?;
                self.of_customer(&which, customer).await?
            }
            (Some(_), _) | (None, None) => self.opened(shopper).await?.ok_or(StorefrontError::NoCart)?,
        };
        let is_named = session.number().as_str().eq_ignore_ascii_case(number);
        match &session.order {
            Some(order) if is_named && self.was_completed(order).await? => Ok(session),
            Some(_) | None => Err(StorefrontError::NoCart),
        }
    }
}
