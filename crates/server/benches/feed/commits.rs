//! Commits of placed orders, and the time from each to its position.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paywright_app::{
    Changes, DeletedFeedEvents, Endpoints, EventRef, Feed, FeedAppend, FeedEvent, FeedLease, FeedQuery, FeedRange, Ids,
    Lease, Position, Publisher, Store, StoreError, Version,
};
use paywright_domain::{Order, OrderId, Timestamp};
use paywright_testkit::new_order;

use crate::TASKS;
use crate::world::{FreshIds, Rates, now, publisher, relay, unpublished};

pub(crate) fn head() {
    println!(
        "{:<12} {:>14} {:>14} {:>7}  {:>9} {:>9}",
        "store", "without /s", "with feed /s", "ratio", "p50 ms", "p99 ms"
    );
}

/// Compares commits without and with the feed, in turn.
pub(crate) async fn measure<S: Store + Feed + Endpoints + 'static>(
    name: &str,
    store: &Arc<S>,
    rounds: usize,
    seconds: u64,
) {
    let timed = Arc::new(Timed { store: Arc::clone(store), committed: Mutex::default(), waits: Mutex::default() });
    let publisher = publisher(Arc::<Timed<S>>::clone(&timed), Arc::<S>::clone(store));
    let mut rates = Rates::default();
    for _ in 0..rounds {
        let before = rate(&timed, None, seconds).await;
        let after = rate(&timed, Some(&publisher), seconds).await;
        rates.add(before, after);
    }
    let mut waits = std::mem::take(&mut *timed.waits.lock().unwrap());
    waits.sort();
    let wait = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{name:<12} {}  {:>9.1} {:>9.1}", rates.columns(), wait(0.5), wait(0.99));
}

/// Commits placed orders for some seconds; with the feed, runs the relay meanwhile. Returns the commits per second.
async fn rate<S: Store + Feed + 'static>(timed: &Arc<Timed<S>>, publisher: Option<&Publisher>, seconds: u64) -> f64 {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let relay = publisher.cloned().map(|publisher| relay(publisher, Arc::clone(&stop)));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (timed, stop, count) = (Arc::clone(timed), Arc::clone(&stop), Arc::clone(&count));
            let is_published = relay.is_some();
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let mut changes = placed();
                    let order = changes.order.id;
                    if !is_published {
                        changes = unpublished(changes);
                    }
                    match timed.store.commit(changes).await {
                        Ok(()) => {}
                        // The order's number is not free.
                        Err(StoreError::Conflict) => continue,
                        Err(error) => panic!("{error}"),
                    }
                    if is_published {
                        timed.committed.lock().unwrap().insert(order, Instant::now());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let rate = count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    if let Some(relay) = relay {
        relay.await.unwrap();
    }
    rate
}

fn placed() -> Changes {
    let now = now();
    let decision = Order::place(FreshIds.order_id(now), new_order(), now).unwrap();
    Changes::of(Version::NEW, decision, now, |_, _| Some(now))
}

/// A feed that measures the time from each commit to its position.
struct Timed<S> {
    store: Arc<S>,
    committed: Mutex<HashMap<OrderId, Instant>>,
    waits: Mutex<Vec<Duration>>,
}

#[async_trait]
impl<S: Feed> Feed for Timed<S> {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        self.store.unpositioned_events(limit).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        self.store.lease_feed(lease).await
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        let done = self.store.append_to_feed(append).await;
        let (mut committed, mut waits) = (self.committed.lock().unwrap(), self.waits.lock().unwrap());
        for order in append.events.iter().filter_map(|it| it.subject.order()) {
            // A commit whose caller has not noticed it yet waited for no time.
            waits.push(committed.remove(&order).map_or(Duration::ZERO, |it| it.elapsed()));
        }
        done
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.store.release_feed(lease).await
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        self.store.feed_range().await
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        self.store.feed_events(query).await
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        self.store.delete_feed_events(before, limit).await
    }
}
