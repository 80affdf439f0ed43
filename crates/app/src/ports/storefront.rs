//! Ports to the storefront's tables: carts, the price list, the terms of sale, and Stripe's ids of customers.

use async_trait::async_trait;
use paywright_domain::id::{CustomerId, ProviderCustomerId};
use paywright_domain::storefront::{Cart, CartId, Terms, Variant, VariantId};
use paywright_domain::{Currency, OrderId, Timestamp};

use super::store::{StoreError, Version, Versioned};

/// Port to the price list and the terms of sale. `testkit::storefront_contract!` checks each store against these docs.
#[async_trait]
pub trait PriceList: Send + Sync {
    /// Reads the variants with these ids, in any order. Ids that are not on the list are left out.
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError>;

    /// Reads at most `limit` variants in ascending order of their ids: those after `after`, or the first ones.
    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError>;

    /// Inserts these variants, or replaces those with the same ids; all of them or none.
    async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError>;

    /// Removes a variant from the list. Returns whether it was on it.
    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError>;

    /// Reads the terms of sale; empty ones before the first were written.
    async fn terms(&self) -> Result<Terms, StoreError>;

    /// Replaces the terms of sale.
    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError>;
}

/// Reference to a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartRef {
    /// Id of the cart.
    Id(CartId),
    /// Id of the order that the cart is or will be placed as.
    Order(OrderId),
}

/// Port to the table of carts. `testkit::storefront_contract!` checks each store against these docs.
#[async_trait]
pub trait Carts: Send + Sync {
    /// Reads a cart, with the version that a commit of it must name. `None` if there is no such cart.
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError>;

    /// Reads the newest open cart of a customer in `currency`.
    async fn open_cart(&self, customer: &CustomerId, currency: Currency)
    -> Result<Option<Versioned<Cart>>, StoreError>;

    /// Writes a whole cart. [`StoreError::Conflict`] if `expected` is stale, or if another cart has the same order id.
    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError>;

    /// Reads at most `limit` open carts that were last changed before `before`, in ascending order of their ids: those
    /// after `after`, or the first ones.
    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError>;

    /// Reads carts as [`Self::left_carts`], but only those without a customer and without lines.
    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError>;

    /// Deletes a cart. [`StoreError::Conflict`] if it is not stored in the version `expected`.
    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError>;

    /// Reads Stripe's id of a customer, in live mode or in test mode. `None` if none is stored.
    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError>;

    /// Stores Stripe's id of a customer unless one is stored already, and returns the stored one: the first.
    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError>;
}
