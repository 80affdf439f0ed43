//! Doubt about a request's own commits: after a commit of the request, a failure must no longer say that nothing
//! changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use paywright_domain::id::{CustomerId, Epoch, ProviderCustomerId};
use paywright_domain::storefront::{Cart, CartId, Terms, Variant, VariantId};
use paywright_domain::{Currency, Order, OrderId, Timestamp};
use uuid::Uuid;

use crate::deadline::Deadline;
use crate::{
    ApiKey, ApiKeys, AuditEntry, AuditQuery, AuditTrail, CartRef, Carts, Changes, Clock, CompletedOrdersQuery, Cursor,
    CursorDue, Cursors, Diagnostics, EventClosing, IdempotencyKey, IdempotencyRecord, Inbox, Installation,
    Installations, KeyReplacement, KeyUse, LateTasks, Lease, LeasedEvent, LeasedTask, LostOrderDecision, OrderFilter,
    OrderQuery, OrderRef, OrderSearch, Orders, PriceList, ReceivedEvent, RecordedFact, Rescheduled, StoreError,
    StorePorts, StoredTask, TaskQueue, TaskRelease, Version, Versioned,
};

/// Record of whether a write of this request was committed, or ended with an unknown outcome. From then on every
/// failure of the store, and the end of the deadline, becomes [`StoreError::Unknown`], whichever step of the request it
/// ends.
pub(crate) struct Doubt {
    has_written: AtomicBool,
    pub(crate) deadline: Deadline,
}

impl Doubt {
    /// Record of a new request, which has written nothing yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { has_written: AtomicBool::new(false), deadline: Deadline::new(clock) }
    }

    /// Writes within the deadline, and records whether the write may have been committed.
    async fn write<T>(&self, write: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let written = self.read(write).await;
        if matches!(written, Ok(_) | Err(StoreError::Unknown(_))) {
            self.has_written.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Reads within the deadline.
    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let done = match self.deadline.check() {
            Ok(()) => self.deadline.counted(read).await,
            Err(error) => Err(error),
        };
        self.with_doubt(done)
    }

    /// Turns a failure of the store into [`StoreError::Unknown`] after a write. A conflict stays a conflict: it leads
    /// to another attempt.
    fn with_doubt<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.map_err(|error| match error {
            StoreError::Unavailable(cause) | StoreError::Corrupt(cause) if self.has_written.load(Ordering::Relaxed) => {
                StoreError::Unknown(cause)
            }
            error @ (StoreError::Conflict
            | StoreError::Unavailable(_)
            | StoreError::Unknown(_)
            | StoreError::Corrupt(_)) => error,
        })
    }

    /// Turns the last failure of a request that has no attempt left into the error for its caller.
    pub(crate) fn at_the_end(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Conflict if self.has_written.load(Ordering::Relaxed) => {
                StoreError::Unknown("the order was changed concurrently at every attempt".into())
            }
            error @ (StoreError::Conflict
            | StoreError::Unavailable(_)
            | StoreError::Unknown(_)
            | StoreError::Corrupt(_)) => error,
        }
    }
}

/// Ports to the store for one request.
pub(crate) fn remembering(store: &StorePorts, doubt: &Arc<Doubt>) -> StorePorts {
    let StorePorts { orders, tasks, inbox, cursors, api_keys, audit_trail, installations, diagnostics } = store;
    StorePorts {
        orders: Arc::new(Remembering::new(Arc::clone(orders), Arc::clone(doubt))),
        tasks: Arc::new(Remembering::new(Arc::clone(tasks), Arc::clone(doubt))),
        inbox: Arc::new(Remembering::new(Arc::clone(inbox), Arc::clone(doubt))),
        cursors: Arc::new(Remembering::new(Arc::clone(cursors), Arc::clone(doubt))),
        api_keys: Arc::new(Remembering::new(Arc::clone(api_keys), Arc::clone(doubt))),
        audit_trail: Arc::new(Remembering::new(Arc::clone(audit_trail), Arc::clone(doubt))),
        installations: Arc::new(Remembering::new(Arc::clone(installations), Arc::clone(doubt))),
        diagnostics: Arc::new(Remembering::new(Arc::clone(diagnostics), Arc::clone(doubt))),
    }
}

/// Port to the store for one request: applies its deadline, and records its writes.
pub(crate) struct Remembering<P: ?Sized> {
    port: Arc<P>,
    doubt: Arc<Doubt>,
}

impl<P: ?Sized> Remembering<P> {
    pub(crate) const fn new(port: Arc<P>, doubt: Arc<Doubt>) -> Self {
        Self { port, doubt }
    }
}

#[async_trait]
impl Orders for Remembering<dyn Orders> {
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        self.doubt.read(self.port.order(which)).await
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        self.doubt.read(self.port.orders(query)).await
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        self.doubt.read(self.port.completed_orders(query)).await
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.doubt.read(self.port.count_completed_orders(customer)).await
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        self.doubt.read(self.port.search_orders(search)).await
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        self.doubt.read(self.port.count_orders(filter)).await
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.doubt.read(self.port.facts(order)).await
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.doubt.read(self.port.idempotency_record(key)).await
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.doubt.read(self.port.delete_idempotency_records(before, limit)).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.doubt.write(self.port.commit(changes)).await
    }
}

#[async_trait]
impl TaskQueue for Remembering<dyn TaskQueue> {
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        self.doubt.read(self.port.lease_tasks(lease)).await
    }

    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError> {
        self.doubt.read(self.port.release_task(release)).await
    }

    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError> {
        self.doubt.read(self.port.reschedule_tasks(late)).await
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError> {
        self.doubt.read(self.port.tasks(order)).await
    }
}

#[async_trait]
impl Inbox for Remembering<dyn Inbox> {
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError> {
        self.doubt.write(self.port.record_event(event)).await
    }

    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        self.doubt.read(self.port.known_events(ids)).await
    }

    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError> {
        self.doubt.read(self.port.lease_events(lease)).await
    }

    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError> {
        self.doubt.read(self.port.close_event(closing)).await
    }

    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.doubt.read(self.port.delete_events(before, limit)).await
    }
}

#[async_trait]
impl Cursors for Remembering<dyn Cursors> {
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError> {
        self.doubt.read(self.port.lease_cursor(name, lease, due)).await
    }

    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.doubt.read(self.port.move_cursor(name, owner, cursor, due_at)).await
    }
}

#[async_trait]
impl ApiKeys for Remembering<dyn ApiKeys> {
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.doubt.read(self.port.api_key(digest)).await
    }

    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError> {
        self.doubt.write(self.port.add_api_key(key, entry)).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.doubt.read(self.port.api_keys()).await
    }

    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.doubt.write(self.port.revoke_api_key(id, entry)).await
    }

    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.doubt.write(self.port.replace_api_key(replacement, entries)).await
    }

    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        self.doubt.write(self.port.record_key_uses(uses)).await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.doubt.read(self.port.key_uses()).await
    }
}

#[async_trait]
impl AuditTrail for Remembering<dyn AuditTrail> {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.doubt.write(self.port.add_audit_entry(entry)).await
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.doubt.read(self.port.audit_entries(query)).await
    }
}

#[async_trait]
impl Installations for Remembering<dyn Installations> {
    async fn installation(&self) -> Result<Installation, StoreError> {
        self.doubt.read(self.port.installation()).await
    }

    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.doubt.write(self.port.begin_epoch(epoch)).await
    }

    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError> {
        self.doubt.write(self.port.add_lost_order(order, at)).await
    }

    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError> {
        self.doubt.read(self.port.lost_order(like)).await
    }

    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError> {
        self.doubt.write(self.port.decide_on_lost_order(order, decision)).await
    }
}

#[async_trait]
impl Diagnostics for Remembering<dyn Diagnostics> {
    async fn probe(&self) -> Result<(), StoreError> {
        self.doubt.read(self.port.probe()).await
    }

    fn warnings(&self) -> Vec<String> {
        self.port.warnings()
    }
}

#[async_trait]
impl PriceList for Remembering<dyn PriceList> {
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError> {
        self.doubt.read(self.port.variants(ids)).await
    }

    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        self.doubt.read(self.port.variants_after(after, limit)).await
    }

    async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError> {
        self.doubt.write(self.port.put_variants(variants)).await
    }

    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError> {
        self.doubt.write(self.port.remove_variant(id)).await
    }

    async fn terms(&self) -> Result<Terms, StoreError> {
        self.doubt.read(self.port.terms()).await
    }

    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError> {
        self.doubt.write(self.port.put_terms(terms)).await
    }
}

#[async_trait]
impl Carts for Remembering<dyn Carts> {
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError> {
        self.doubt.read(self.port.cart(which)).await
    }

    async fn open_cart(
        &self,
        customer: &CustomerId,
        currency: Currency,
    ) -> Result<Option<Versioned<Cart>>, StoreError> {
        self.doubt.read(self.port.open_cart(customer, currency)).await
    }

    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError> {
        self.doubt.write(self.port.commit_cart(expected, cart)).await
    }

    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.doubt.read(self.port.left_carts(after, before, limit)).await
    }

    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.doubt.read(self.port.empty_guest_carts(after, before, limit)).await
    }

    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError> {
        self.doubt.write(self.port.remove_cart(expected, id)).await
    }

    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError> {
        self.doubt.read(self.port.provider_customer(customer, livemode)).await
    }

    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError> {
        // Not counted as a write: storing Stripe's id of a customer changes nothing that a caller can see.
        self.doubt.read(self.port.keep_provider_customer(customer, livemode, id)).await
    }
}
