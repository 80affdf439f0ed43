//! What a storefront keeps: carts, the price list, and who its customers are at the provider.

use async_trait::async_trait;
use paywright_domain::{
    Cart, CartId, Currency, CustomerId, OrderId, ProviderCustomerId, Terms, Timestamp, Variant, VariantId,
};

use super::store::{StoreError, Version, Versioned};

/// What is sold, and on which terms. `testkit::storefront_contract!` holds every store to this page.
#[async_trait]
pub trait PriceList: Send + Sync {
    /// Reads those of these variants that there are, in any order.
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError>;

    /// Reads a page of the list by id, from the one after `after` on.
    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError>;

    /// Writes all of these over those of the same ids, or none.
    async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError>;

    /// Takes a variant off the list. Says whether it was there.
    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError>;

    /// Reads the terms of sale; none of any kind before the first were written.
    async fn terms(&self) -> Result<Terms, StoreError>;

    /// Writes the terms over those before.
    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError>;
}

/// The ways to name a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartRef {
    /// By its id.
    Id(CartId),
    /// By the order that it is to become, or has become.
    Order(OrderId),
}

/// Where carts are kept. `testkit::storefront_contract!` holds every store to this page.
#[async_trait]
pub trait Carts: Send + Sync {
    /// Reads a cart, with the version that a commit of it must name.
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError>;

    /// Reads the newest cart of a customer in `currency` that is not done with.
    async fn open_cart(&self, customer: &CustomerId, currency: Currency)
    -> Result<Option<Versioned<Cart>>, StoreError>;

    /// Writes a cart whole. [`StoreError::Conflict`] if `expected` is stale, or if its order is another cart's.
    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError>;

    /// Reads carts that are not done with and that nobody has changed since `before`, by id, from the one after `after`
    /// on.
    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError>;

    /// As [`Self::left_carts`], of guests' carts without lines alone.
    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError>;

    /// Forgets a cart. [`StoreError::Conflict`] if it is not there in the version `expected`.
    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError>;

    /// Who a customer is at the provider, for real money (`livemode`) or for tests.
    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError>;

    /// Keeps who a customer is at the provider, and gives the one that stands: the first that was kept.
    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError>;
}
