//! Feed and endpoints of a process. Their calls wait for the scheduler, and their writes may be performed late.

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use paywright_app::{
    Attempt, AttemptPage, AttemptQuery, AttemptSearch, AuditEntry, AuditQuery, AuditTrail, DeletedFeedEvents, DueQueue,
    Endpoint, EndpointId, Endpoints, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery, FeedRange, Lease,
    LeasedQueue, Position, QueueRelease, ResendOutcome, StoreError, StoredEndpoint, SubjectId, TroubledEndpoints,
    Versioned, WaitingOrders,
};
use paywright_domain::Timestamp;

use super::down;
use crate::fault::{Call, Fault};
use crate::feed_books::FeedBooks;
use crate::store::MemoryStore;
use crate::world::World;

/// Feed and endpoints of a process, whose calls wait for the scheduler.
#[derive(Clone)]
pub(super) struct ScheduledFeed {
    pub(super) world: World,
    pub(super) store: MemoryStore,
    pub(super) process: usize,
}

impl ScheduledFeed {
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

    /// Performs a write, now or late. `write` has its own handle to the store, because it may outlive this process.
    async fn write<T: Debug + Send>(
        &self,
        name: &'static str,
        write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unknown = || {
            let mut core = self.world.core();
            let seconds = core.unknown_seconds;
            core.pass(seconds);
            StoreError::Unknown("the connection broke".into())
        };
        let done = match self.world.turn(Call::FeedWrite, name).await {
            Fault::None => write.await,
            Fault::UnknownUndone => Err(unknown()),
            Fault::UnknownDone => match write.await {
                Ok(_) => Err(unknown()),
                refused @ Err(_) => refused,
            },
            Fault::UnknownLate => {
                let late = async move { drop(write.await) };
                self.world.core().late_writes.push((name, Box::pin(late)));
                Err(unknown())
            }
            Fault::Down
            | Fault::Conflict
            | Fault::Slow
            | Fault::LostBefore
            | Fault::LostAfter
            | Fault::Late
            | Fault::FailsBefore
            | Fault::FailsAfter
            | Fault::Busy
            | Fault::Gone
            | Fault::InFlight => Err(down()),
        };
        self.world.learn(|| format!("{done:?}"));
        done
    }

    /// Records what the store has done, once it has done it.
    async fn done<T>(
        self,
        done: impl Future<Output = Result<T, StoreError>> + Send,
        record: impl FnOnce(&mut FeedBooks, &T) + Send,
    ) -> Result<T, StoreError> {
        let done = done.await?;
        let mut core = self.world.core();
        record(&mut core.books.feed, &done);
        Ok(done)
    }

    /// Records that an endpoint was stored or changed.
    fn note_endpoint(&self, id: EndpointId) {
        if let Some(stored) = self.store.read(|it| it.endpoints.endpoints.get(&id).cloned()) {
            let mut core = self.world.core();
            let books = &mut core.books.feed;
            books.add_endpoint(id, stored.position);
            books.store_generation(id, &stored.endpoint.value.secret);
        }
    }

    /// Changes an endpoint by `write`, and records its new state.
    async fn change<T>(
        self,
        id: EndpointId,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let done = write.await?;
        self.note_endpoint(id);
        Ok(done)
    }
}

#[async_trait]
impl Feed for ScheduledFeed {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        self.read("read facts without positions", self.store.unpositioned_events(limit)).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        let (it, lease) = (self.clone(), *lease);
        let leased = self.write("lease the feed", async move { it.store.lease_feed(&lease).await }).await?;
        if let Some(taken) = leased {
            let mut core = self.world.core();
            let checked = core.books.feed.lease_feed(&lease, taken);
            core.books.note(checked);
        }
        Ok(leased)
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let (it, append) = (self.clone(), append.clone());
        let write = async move {
            let appended = it.store.append_to_feed(&append);
            let appended = appended.await?;
            if let Some(last) = appended {
                let mut core = it.world.core();
                let checked = core.books.feed.append(&append, last);
                core.books.note(checked);
            }
            Ok(appended)
        };
        self.write("append to the feed", write).await
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.world.core().books.feed.release_feed(lease);
        let it = self.clone();
        self.write("release the feed", async move { it.store.release_feed(lease).await }).await
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        self.read("read the range of the feed", self.store.feed_range()).await
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        self.read("read events", self.store.feed_events(query)).await
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        let it = self.clone();
        self.write("delete events", async move { it.store.delete_feed_events(before, limit).await }).await
    }
}

#[async_trait]
impl AuditTrail for ScheduledFeed {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let (it, entry) = (self.clone(), entry.clone());
        self.write("add audit entry", async move { it.store.add_audit_entry(&entry).await }).await
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.read("read audit entries", self.store.audit_entries(query)).await
    }
}

#[async_trait]
impl Endpoints for ScheduledFeed {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (it, endpoint, entry) = (self.clone(), endpoint.clone(), entry.cloned());
        let write = async move {
            let added = it.store.add_endpoint(&endpoint, position, entry.as_ref());
            it.clone().change(endpoint.id, added).await
        };
        self.write("add endpoint", write).await
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        self.read("read endpoint", self.store.endpoint(id)).await
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: u16) -> Result<Vec<StoredEndpoint>, StoreError> {
        self.read("read endpoints", self.store.endpoints(after, limit)).await
    }

    async fn change_endpoint(
        &self,
        endpoint: &Versioned<Endpoint>,
        now: Timestamp,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (it, endpoint, entry) = (self.clone(), endpoint.clone(), entry.cloned());
        let write = async move {
            let changed = it.store.change_endpoint(&endpoint, now, entry.as_ref());
            it.clone().change(endpoint.value.id, changed).await
        };
        self.write("change endpoint", write).await
    }

    async fn troubled_endpoints(
        &self,
        failing_since: Timestamp,
        key_ids: &[String],
        limit: u16,
    ) -> Result<TroubledEndpoints, StoreError> {
        self.read("read troubled endpoints", self.store.troubled_endpoints(failing_since, key_ids, limit)).await
    }

    async fn waiting_orders(&self, id: EndpointId) -> Result<WaitingOrders, StoreError> {
        self.read("read waiting orders", self.store.waiting_orders(id)).await
    }

    async fn make_queues_due(
        &self,
        id: EndpointId,
        after: Option<SubjectId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Option<SubjectId>, StoreError> {
        let it = self.clone();
        let write = async move {
            let made = it.store.make_queues_due(id, after, now, limit);
            it.clone().done(made, |books, _| books.note_change()).await
        };
        self.write("make queues due", write).await
    }

    async fn delete_endpoint(&self, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, StoreError> {
        let (it, entry) = (self.clone(), entry.cloned());
        self.write("delete endpoint", async move { it.store.delete_endpoint(id, entry.as_ref()).await }).await
    }

    async fn set_endpoint_back(
        &self,
        id: EndpointId,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        let (it, entry) = (self.clone(), entry.cloned());
        let write = async move {
            let set = it.store.set_endpoint_back(id, position, entry.as_ref());
            // Whether a queue has passed an event is known before it is set back.
            let set = set.await?;
            let books = &mut it.world.core().books.feed;
            it.store.read(|tables| books.replay(id, tables));
            Ok(set)
        };
        self.write("set endpoint's position", write).await
    }

    async fn fill_queues(&self, now: Timestamp, events: u16) -> Result<bool, StoreError> {
        let it = self.clone();
        let write = async move {
            let filled = it.store.fill_queues(now, events);
            it.clone().done(filled, |books, _| books.note_change()).await
        };
        self.write("fill queues", write).await
    }

    async fn due_queues(
        &self,
        lease: &Lease,
        after: Option<DueQueue>,
        of: Option<EndpointId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        self.read("read due queues", self.store.due_queues(lease, after, of)).await
    }

    async fn lease_queues(&self, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, StoreError> {
        let (it, lease, queues) = (self.clone(), *lease, queues.to_vec());
        let leased = self.write("lease queues", async move { it.store.lease_queues(&lease, &queues).await }).await?;
        let mut core = self.world.core();
        let books = &mut core.books.feed;
        let checked = self.store.read(|tables| books.lease_queues(self.process, &lease, &leased, tables));
        core.books.note(checked);
        Ok(leased)
    }

    async fn release_queues(&self, releases: &[QueueRelease]) -> Result<(), StoreError> {
        self.world.core().books.feed.release_queues(releases);
        let (it, releases) = (self.clone(), releases.to_vec());
        self.write("release queues", async move { it.store.release_queues(&releases).await }).await
    }

    async fn resend(
        &self,
        endpoint: EndpointId,
        subject: SubjectId,
        position: Position,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<ResendOutcome, StoreError> {
        let (it, entry) = (self.clone(), entry.clone());
        let write = async move {
            let resent = it.store.resend(endpoint, subject, position, now, &entry);
            it.clone().done(resent, |books, _| books.resend(endpoint, position)).await
        };
        self.write("resend event", write).await
    }

    async fn add_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let (it, attempt) = (self.clone(), attempt.clone());
        self.write("add attempt", async move { it.store.add_attempt(&attempt).await }).await
    }

    async fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Attempt>, StoreError> {
        self.read("read attempts", self.store.attempts(query)).await
    }

    async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, StoreError> {
        self.read("search attempts", self.store.search_attempts(search)).await
    }

    async fn delete_attempts(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        let it = self.clone();
        self.write("delete attempts", async move { it.store.delete_attempts(before, limit).await }).await
    }
}
