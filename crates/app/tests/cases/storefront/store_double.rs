//! Store that counts its calls, and runs another request before a chosen one.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Mutex;

use async_trait::async_trait;
use paywright_app::{
    Changes, CompletedOrdersQuery, IdempotencyKey, IdempotencyRecord, OrderFilter, OrderSearch, Orders, RecordedFact,
    StoreError, StorePorts, Version, Versioned,
};
use paywright_domain::id::ProviderCustomerId;
use paywright_domain::storefront::{Cart, CartId};
use paywright_domain::{OrderId, Timestamp};

use super::*;

/// Store that counts its calls by the name of the port's method.
pub(super) struct StoreDouble {
    store: Arc<Kind>,
    calls: Mutex<BTreeMap<&'static str, u32>>,
    interruption: Mutex<Option<Interruption>>,
}

/// Another request, which runs before a call of the store.
struct Interruption {
    /// Name of the port's method.
    call: &'static str,
    /// Number of calls of it before this one.
    calls_before: u32,
    request: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl StoreDouble {
    /// Counts a call, and runs the request that comes before it.
    async fn called(&self, call: &'static str) -> &Kind {
        *self.calls.lock().unwrap().entry(call).or_default() += 1;
        let due = self.interruption.lock().unwrap().take_if(|it| {
            let is_due = it.call == call && it.calls_before == 0;
            it.calls_before = it.calls_before.saturating_sub((it.call == call).into());
            is_due
        });
        if let Some(due) = due {
            due.request.await;
        }
        &self.store
    }

    /// Runs `request` before the `n`th call, from 1 on, of the port's method `call`.
    pub(super) fn interrupt(&self, call: &'static str, n: u32, request: impl Future<Output = ()> + Send + 'static) {
        let interruption = Interruption { call, calls_before: n - 1, request: Box::pin(request) };
        *self.interruption.lock().unwrap() = Some(interruption);
    }

    /// Whether the request has run.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interruption.lock().unwrap().is_none()
    }

    /// Runs a use case, which succeeds, and lists its calls.
    pub(super) async fn during<T>(&self, use_case: impl Future<Output = Result<T, StorefrontError>>) -> String {
        self.calls.lock().unwrap().clear();
        Box::pin(use_case).await.map(drop).unwrap();
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls.iter().map(|(call, count)| format!("{call} {count}")).collect::<Vec<_>>().join(", ")
    }
}

#[async_trait]
impl Orders for StoreDouble {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        self.called("order").await.order(which).await
    }
    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        self.called("orders").await.orders(query).await
    }
    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        self.called("completed_orders").await.completed_orders(query).await
    }
    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.called("count_completed_orders").await.count_completed_orders(customer).await
    }
    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        self.called("search_orders").await.search_orders(search).await
    }
    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        self.called("count_orders").await.count_orders(filter).await
    }
    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.called("facts").await.facts(order).await
    }
    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.called("idempotency_record").await.idempotency_record(key).await
    }
    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.called("delete_idempotency_records").await.delete_idempotency_records(before, limit).await
    }
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.called("commit").await.commit(changes).await
    }
}

#[async_trait]
impl Carts for StoreDouble {
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError> {
        self.called("cart").await.cart(which).await
    }
    async fn open_cart(
        &self,
        customer: &CustomerId,
        currency: Currency,
    ) -> Result<Option<Versioned<Cart>>, StoreError> {
        self.called("open_cart").await.open_cart(customer, currency).await
    }
    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError> {
        self.called("commit_cart").await.commit_cart(expected, cart).await
    }
    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.called("left_carts").await.left_carts(after, before, limit).await
    }
    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.called("empty_guest_carts").await.empty_guest_carts(after, before, limit).await
    }
    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError> {
        self.called("remove_cart").await.remove_cart(expected, id).await
    }
    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError> {
        self.called("provider_customer").await.provider_customer(customer, livemode).await
    }
    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError> {
        self.called("keep_provider_customer").await.keep_provider_customer(customer, livemode, id).await
    }
}

#[async_trait]
impl PriceList for StoreDouble {
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError> {
        self.called("variants").await.variants(ids).await
    }
    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        self.called("variants_after").await.variants_after(after, limit).await
    }
    async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError> {
        self.called("put_variants").await.put_variants(variants).await
    }
    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError> {
        self.called("remove_variant").await.remove_variant(id).await
    }
    async fn terms(&self) -> Result<Terms, StoreError> {
        self.called("terms").await.terms().await
    }
    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError> {
        self.called("put_terms").await.put_terms(terms).await
    }
}

impl Front {
    /// Storefront of a second process on the store of this one, whose calls are observed.
    pub(super) fn observed(&self) -> (Self, Arc<StoreDouble>) {
        let (calls, interruption) = (Mutex::default(), Mutex::default());
        let store = Arc::new(StoreDouble { store: Arc::clone(&self.store), calls, interruption });
        let ports = StorePorts { orders: Arc::<StoreDouble>::clone(&store), ..self.shop.store.clone() };
        let (shop, wallet) = (self.shop.another_over(ports), self.cards.clone());
        let (carts, prices) = (Arc::<StoreDouble>::clone(&store), Arc::<StoreDouble>::clone(&store));
        let storefront = Storefront::new(shop.app.clone(), carts, prices, Arc::new(wallet.clone()), Currency::Usd);
        (Self { shop, store: Arc::clone(&self.store), storefront, cards: wallet }, store)
    }
}
