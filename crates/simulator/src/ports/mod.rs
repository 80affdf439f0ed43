//! The use cases' ports in the simulated world. Each call waits for the scheduler first.

mod balance;
mod books;
mod feed;
mod sender;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use paywright_app::{
    ApiKey, ApiKeys, AuditEntry, AuditQuery, AuditTrail, BookkeeperPorts, Changes, Clock, CompletedOrdersQuery, Cursor,
    CursorDue, Cursors, Diagnostics, EventClosing, EventPage, GatewayError, IdempotencyKey, IdempotencyRecord, Ids,
    Inbox, Installation, Installations, IssuedIntent, IssuedRefund, KeyReplacement, KeyUse, LateTasks, Lease,
    LeasedEvent, LeasedTask, LostOrderDecision, NewIntent, OrderFilter, OrderQuery, OrderRef, OrderSearch, Orders,
    Page, PaymentGateway, Ports, ProviderRecords, ProviderRefund, PublisherPorts, ReadPayment, ReceivedEvent,
    RecordedFact, RecordedOrder, Rescheduled, StoreError, StorePorts, StoredTask, TaskQueue, TaskRelease, Versioned,
    WorkerWaker,
};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{ChargeId, CustomerId, Epoch, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError};
use paywright_domain::order::CancelReason;
use paywright_domain::refund::RefundSnapshot;
use paywright_domain::{IntentId, IntentSnapshot, Money, Order, OrderId, Timestamp};
use paywright_stripe_twin::{Params, Response};
use uuid::Uuid;

use crate::books::Violation;
use crate::fault::{Call, Fault};
use crate::store::{BOOKS_CURSOR, MemoryStore};
use crate::stripe::{Stripe, check_read, created, form, is_replayed, issued, issued_refund, proceeds};
use crate::world::World;
use feed::ScheduledFeed;
use sender::SimulatedFormat;
pub(crate) use sender::parts_of;

/// Time that a slow call takes, in seconds: longer than a lease lasts.
const SLOW_SECONDS: u32 = 200;

/// Ports of one process.
#[derive(Clone)]
pub(crate) struct ProcessPorts {
    world: World,
    process: usize,
}

impl ProcessPorts {
    /// Makes the ports of a process.
    pub(crate) fn ports(world: &World, process: usize) -> Ports {
        let outside = || Self { world: world.clone(), process };
        Ports {
            store: StorePorts::of(Arc::new(ScheduledStore { world: world.clone(), store: world.store.clone() })),
            gateway: Arc::new(outside()),
            background: Arc::new(outside()),
            records: Arc::new(outside()),
            clock: Arc::new(outside()),
            ids: Arc::new(outside()),
            waker: Arc::new(outside()),
        }
    }

    /// Makes the ports of a process to the books.
    pub(crate) fn bookkeeper_ports(world: &World, process: usize) -> BookkeeperPorts {
        let outside = || Self { world: world.clone(), process };
        let store = || ScheduledStore { world: world.clone(), store: world.store.clone() };
        BookkeeperPorts {
            books: Arc::new(store()),
            orders: Arc::new(store()),
            cursors: Arc::new(store()),
            balance: Arc::new(outside()),
            clock: Arc::new(outside()),
            ids: Arc::new(outside()),
        }
    }

    /// Makes the ports of a bookkeeper to books in another store.
    pub(crate) fn bookkeeper_ports_to(world: &World, process: usize, store: &MemoryStore) -> BookkeeperPorts {
        let store = || Arc::new(store.clone());
        BookkeeperPorts { books: store(), orders: store(), cursors: store(), ..Self::bookkeeper_ports(world, process) }
    }

    /// Makes the ports of a process to the feed and the endpoints.
    pub(crate) fn publisher_ports(world: &World, process: usize) -> PublisherPorts {
        let outside = || Self { world: world.clone(), process };
        let store = || ScheduledFeed { world: world.clone(), store: world.store.clone(), process };
        PublisherPorts {
            feed: Arc::new(store()),
            endpoints: Arc::new(store()),
            sender: Arc::new(outside()),
            spree_format: Arc::new(SimulatedFormat),
            clock: Arc::new(outside()),
            ids: Arc::new(outside()),
            waker: Arc::new(outside()),
        }
    }

    /// Waits for the scheduler before a call to Stripe; refuses a process with an old API key.
    async fn at_stripe(&self, call: Call, name: &'static str) -> Result<Fault, GatewayError> {
        let fault = self.world.turn(call, name).await;
        let mut core = self.world.core();
        if fault == Fault::Slow {
            core.pass(SLOW_SECONDS);
        }
        let ours = core.processes.get(self.process).map(|it| it.key_version);
        if ours != Some(core.stripe.key_version) {
            return Err(GatewayError::Misconfigured("the API key was rotated".to_owned()));
        }
        Ok(fault)
    }

    /// Sends Stripe a request, and records its outcome as formatted by `describe`.
    async fn call_stripe<T>(
        &self,
        call: Call,
        name: &'static str,
        send: impl FnOnce(&mut Stripe, Fault, Timestamp) -> Result<T, GatewayError> + Send,
        describe: impl Fn(&T) -> String + Send,
    ) -> Result<T, GatewayError> {
        let answer = self.at_stripe(call, name).await.and_then(|fault| {
            let mut core = self.world.core();
            let now = core.now;
            send(&mut core.stripe, fault, now)
        });
        self.world.learn(|| answer.as_ref().map_or_else(|error| format!("{error:?}"), describe));
        answer
    }

    async fn post(&self, name: &'static str, path: &str, params: Params, key: &str) -> Result<Response, GatewayError> {
        self.call_stripe(
            Call::StripeWrite,
            name,
            |stripe, fault, now| stripe.post(path, params, key, fault, now),
            short,
        )
        .await
    }

    async fn get(&self, name: &'static str, path: &str, params: Params) -> Result<Response, GatewayError> {
        self.call_stripe(Call::StripeRead, name, |stripe, fault, now| stripe.get(path, params, fault, now), short).await
    }

    /// Updates, cancels or captures a PaymentIntent. After a replayed answer the intent is read anew.
    async fn change(
        &self,
        name: &'static str,
        id: &IntentId,
        verb: &str,
        params: Params,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let requested_at = self.world.now();
        let answer = self.post(name, &format!("/v1/payment_intents/{id}{verb}"), params, key).await?;
        if is_replayed(&answer) { self.intent(id).await } else { issued(&answer, requested_at) }
    }

    /// Reads one of Stripe's lists.
    async fn list<T: Debug>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Stripe, Timestamp) -> Result<T, GatewayError> + Send,
    ) -> Result<T, GatewayError> {
        let read = |stripe: &mut Stripe, fault, now| check_read(fault).and_then(|()| read(stripe, now));
        self.call_stripe(Call::StripeRead, name, read, |it| format!("{it:?}")).await
    }
}

/// Formats an answer briefly for the trace.
fn short(answer: &Response) -> String {
    let field = |name: &str| answer.body.get(name).map(ToString::to_string).unwrap_or_default();
    let replayed = if is_replayed(answer) { " (replayed)" } else { "" };
    format!("{} {} {}{replayed}", field("id"), field("amount"), field("status"))
}

fn wire(amount: Money) -> Result<String, GatewayError> {
    let refused = |problem: paywright_domain::money::MoneyError| {
        GatewayError::Refused(IntentError { message: Some(problem.to_string()), ..IntentError::default() })
    };
    amount.to_wire().map(|it| it.to_string()).map_err(refused)
}

/// Parameters of both a new and an updated PaymentIntent.
fn content(new: &NewIntent) -> Result<[(&'static str, String); 4], GatewayError> {
    Ok([
        ("amount", wire(new.amount)?),
        ("metadata.order_id", new.order.to_string()),
        ("metadata.order_number", new.number.to_string()),
        ("metadata.revision", new.revision.to_string()),
    ])
}

#[async_trait]
impl PaymentGateway for ProcessPorts {
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        let capture = match new.capture {
            CaptureMethod::Automatic => "automatic_async",
            CaptureMethod::Manual => "manual",
        };
        let more = [("currency", new.amount.currency().code().to_owned()), ("capture_method", capture.to_owned())];
        let params = content(new)?.into_iter().chain(more).collect();
        created(&self.post("create intent", "/v1/payment_intents", params, key).await?)
    }

    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError> {
        let requested_at = self.world.now();
        let answer = self.get("read intent", &format!("/v1/payment_intents/{id}"), form([])).await?;
        issued(&answer, requested_at)
    }

    async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError> {
        let requested_at = self.world.now();
        let expand = form([("expand.0", "latest_charge.balance_transaction".to_owned())]);
        let answer = self.get("read payment", &format!("/v1/payment_intents/{id}"), expand).await?;
        Ok(ReadPayment { issued: issued(&answer, requested_at)?, proceeds: proceeds(&answer) })
    }

    async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        self.change("update intent", id, "", content(new)?.into_iter().collect(), key).await
    }

    async fn cancel_intent(
        &self,
        id: &IntentId,
        reason: CancelReason,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let params = form([("cancellation_reason", reason.name().to_owned())]);
        self.change("cancel intent", id, "/cancel", params, key).await
    }

    async fn capture_intent(
        &self,
        id: &IntentId,
        amount: Money,
        _order: &NewIntent,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let params = form([("amount_to_capture", wire(amount)?)]);
        self.change("capture intent", id, "/capture", params, key).await
    }

    async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError> {
        let params = form(
            [
                ("payment_intent", new.intent.to_string()),
                ("amount", wire(new.amount)?),
                ("metadata.refund_id", new.name.clone()),
            ]
            .into_iter()
            .chain(new.request.map(|it| ("metadata.request_digest", it.to_string()))),
        );
        issued_refund(&self.post("create refund", "/v1/refunds", params, key).await?)
    }

    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError> {
        issued_refund(&self.get("read refund", &format!("/v1/refunds/{id}"), form([])).await?)
    }
}

#[async_trait]
impl ProviderRecords for ProcessPorts {
    async fn events(&self, after: Option<&str>, since: Timestamp) -> Result<EventPage, GatewayError> {
        self.list("list events", |stripe, now| stripe.list_events(after, since, now)).await
    }

    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        self.list("list intents", |stripe, now| stripe.list_intents(after, since, now)).await
    }

    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        self.list("read the order of an intent", |stripe, _| Ok(stripe.recorded_order(intent))).await
    }

    /// Finds nothing: no simulated use case asks.
    async fn intent_of_charge(&self, _: &ChargeId) -> Result<Option<IntentId>, GatewayError> {
        Ok(None)
    }

    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        self.list("list refunds", |stripe, _| stripe.list_refunds(Err(since), after)).await
    }

    async fn refunds_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        self.list("list refunds of intent", |stripe, _| stripe.list_refunds(Ok(intent), after)).await
    }

    /// Answers an empty page: no simulated use case reads this list.
    async fn disputes(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }

    async fn disputes_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        self.list("list disputes of intent", |stripe, _| stripe.list_disputes(intent, after)).await
    }
}

#[async_trait]
impl Clock for ProcessPorts {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    async fn pause(&self, attempt: u32) {
        self.world.turn(Call::Pause, "pause").await;
        let mut core = self.world.core();
        let micros = i64::from(attempt * core.pause_millis) * 1000;
        core.now = Timestamp::from_unix_micros(core.now.unix_micros() + micros).unwrap_or(core.now);
    }
}

impl Ids for ProcessPorts {
    /// Id of the time in milliseconds, as in a UUID of version 7, and a counter.
    fn order_id(&self, now: Timestamp) -> OrderId {
        let millis = u128::try_from(now.unix_micros() / 1000).unwrap_or_default();
        let drawn = u128::from(self.world.core().draw());
        OrderId(Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | drawn))
    }

    fn random(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.world.core().draw()))
    }

    /// No spread: the scheduler decides about the order.
    fn spread(&self, _seconds: u32) -> u32 {
        0
    }
}

impl WorkerWaker for ProcessPorts {
    fn wake(&self) {
        if let Some(process) = self.world.core().processes.get_mut(self.process) {
            process.is_woken = true;
        }
    }

    /// Relays and deliverers look for work whenever the store has changed.
    fn wake_relay(&self) {}

    fn wake_deliverer(&self) {}

    fn wake_books(&self) {
        if let Some(process) = self.world.core().processes.get_mut(self.process) {
            process.is_books_woken = true;
        }
    }
}

/// Store of a process, whose calls wait for the scheduler.
struct ScheduledStore {
    world: World,
    store: MemoryStore,
}

/// Error of a store that cannot be reached.
fn down() -> StoreError {
    StoreError::Unavailable("no connection".into())
}

impl ScheduledStore {
    /// Checks that a row which a worker's step leaves unchanged is not due again immediately: the worker would find it
    /// for ever.
    fn check_progress(&self, again_at: Option<Timestamp>, what: impl FnOnce() -> String) {
        let mut core = self.world.core();
        if again_at.is_some_and(|it| it <= core.now) {
            let detail = format!("{} was left unchanged, and is due again immediately", what());
            core.books.broken = Some(Violation::of("progress", detail));
        }
    }

    async fn read<T: Debug>(
        &self,
        name: &'static str,
        read: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.world.turn(Call::Read, name).await;
        let done = if fault == Fault::None { read.await } else { Err(down()) };
        self.world.learn(|| format!("{done:?}"));
        done
    }

    async fn write<T: Debug>(
        &self,
        call: Call,
        name: &'static str,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let unknown = || {
            let mut core = self.world.core();
            let seconds = core.unknown_seconds;
            core.pass(seconds);
            StoreError::Unknown("the connection broke".into())
        };
        let done = match self.world.turn(call, name).await {
            Fault::None => write.await,
            Fault::Conflict => Err(StoreError::Conflict),
            Fault::UnknownUndone => Err(unknown()),
            Fault::UnknownDone => match write.await {
                Ok(_) => Err(unknown()),
                refused @ Err(_) => refused,
            },
            Fault::Down
            | Fault::Slow
            | Fault::LostBefore
            | Fault::LostAfter
            | Fault::Late
            | Fault::FailsBefore
            | Fault::FailsAfter
            | Fault::Busy
            | Fault::Gone
            | Fault::UnknownLate
            | Fault::InFlight => Err(down()),
        };
        self.world.learn(|| format!("{done:?}"));
        done
    }
}

#[async_trait]
impl Orders for ScheduledStore {
    /// Records the version in place of the content as what the actor has learned.
    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        let fault = self.world.turn(Call::Read, "read order").await;
        let found = if fault == Fault::None { self.store.order(which).await } else { Err(down()) };
        let state = |it: &Versioned<Order>| (it.version.0, it.value.state.name(), it.value.payment_state().name());
        self.world.learn(|| format!("{:?}", found.as_ref().map(|it| it.as_ref().map(state))));
        found
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        self.read("read orders", self.store.orders(query)).await
    }

    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        self.read("read completed orders", self.store.completed_orders(query)).await
    }

    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.read("count completed orders", self.store.count_completed_orders(customer)).await
    }

    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        self.read("search orders", self.store.search_orders(search)).await
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        self.read("count orders", self.store.count_orders(filter)).await
    }

    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.read("read facts", self.store.facts(order)).await
    }

    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.read("read idempotency record", self.store.idempotency_record(key)).await
    }

    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.write(Call::Write, "delete records", self.store.delete_idempotency_records(before, limit)).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let committed = self.write(Call::Commit, "commit", self.store.commit(changes)).await;
        self.world.core().books.feed.changes += 1;
        committed
    }
}

#[async_trait]
impl TaskQueue for ScheduledStore {
    async fn lease_tasks(&self, lease: &Lease) -> Result<Vec<LeasedTask>, StoreError> {
        let leased = self.write(Call::Write, "lease tasks", self.store.lease_tasks(lease)).await?;
        for task in &leased {
            self.world.core().books.leases.take(lease, task);
        }
        Ok(leased)
    }

    async fn release_task(&self, release: &TaskRelease) -> Result<bool, StoreError> {
        self.world.core().books.leases.end(release);
        self.check_progress(release.again_at, || format!("task {}", release.key));
        self.write(Call::Write, "release task", self.store.release_task(release)).await
    }

    async fn reschedule_tasks(&self, late: &LateTasks) -> Result<Rescheduled, StoreError> {
        self.write(Call::Write, "reschedule tasks", self.store.reschedule_tasks(late)).await
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<StoredTask>, StoreError> {
        self.read("read tasks", self.store.tasks(order)).await
    }
}

#[async_trait]
impl Inbox for ScheduledStore {
    async fn record_event(&self, event: &ReceivedEvent) -> Result<bool, StoreError> {
        self.write(Call::Write, "record event", self.store.record_event(event)).await
    }

    async fn known_events(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        self.read("read known events", self.store.known_events(ids)).await
    }

    async fn lease_events(&self, lease: &Lease) -> Result<Vec<LeasedEvent>, StoreError> {
        self.write(Call::Write, "lease events", self.store.lease_events(lease)).await
    }

    async fn close_event(&self, closing: &EventClosing) -> Result<bool, StoreError> {
        self.check_progress(closing.again_at, || format!("event {}", closing.id));
        self.write(Call::Write, "close event", self.store.close_event(closing)).await
    }

    async fn delete_events(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.write(Call::Write, "delete events", self.store.delete_events(before, limit)).await
    }
}

#[async_trait]
impl Cursors for ScheduledStore {
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError> {
        let leased = self.write(Call::Write, "lease cursor", self.store.lease_cursor(name, lease, due)).await?;
        if name == BOOKS_CURSOR && leased.is_some() {
            let mut core = self.world.core();
            let books = &mut core.books;
            let checked = books.kept.lease(lease);
            books.note(checked);
        }
        Ok(leased)
    }

    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        // The cursor of the books is none: what they have read is in their state.
        if name != BOOKS_CURSOR && self.store.read(|it| it.is_at(name, cursor)) {
            self.check_progress(Some(due_at), || format!("cursor {name}"));
        }
        if name == BOOKS_CURSOR {
            self.world.core().books.kept.release(owner);
        }
        self.write(Call::Write, "move cursor", self.store.move_cursor(name, owner, cursor, due_at)).await
    }
}

#[async_trait]
impl ApiKeys for ScheduledStore {
    async fn api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.store.api_key(digest).await
    }

    async fn add_api_key(&self, key: &ApiKey, entry: &AuditEntry) -> Result<(), StoreError> {
        self.store.add_api_key(key, entry).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys().await
    }

    async fn revoke_api_key(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.store.revoke_api_key(id, entry).await
    }

    async fn replace_api_key(&self, replacement: &KeyReplacement, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.store.replace_api_key(replacement, entries).await
    }

    async fn record_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        self.store.record_key_uses(uses).await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.store.key_uses().await
    }
}

#[async_trait]
impl AuditTrail for ScheduledStore {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.store.add_audit_entry(entry).await
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit_entries(query).await
    }
}

#[async_trait]
impl Installations for ScheduledStore {
    async fn installation(&self) -> Result<Installation, StoreError> {
        self.store.installation().await
    }

    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.store.begin_epoch(epoch).await
    }

    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError> {
        self.store.add_lost_order(order, at).await
    }

    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError> {
        self.store.lost_order(like).await
    }

    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError> {
        self.store.decide_on_lost_order(order, decision).await
    }
}

#[async_trait]
impl Diagnostics for ScheduledStore {
    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }

    fn warnings(&self) -> Vec<String> {
        self.store.warnings()
    }
}
