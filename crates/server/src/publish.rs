//! Background loops of the feed and of outgoing webhooks. Every serving process has them, and any of them may die at any
//! time.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::{DeliveryBatch, Publisher, QUEUES_AT_ONCE, StoreError, Totals, WEBHOOKS_AT_ONCE, WorkerWaker};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::worker::{PAUSE_AFTER_FAILURE, WorkerSignal};

/// Pause of the relay after a step: facts that are committed meanwhile get their positions together, which costs the
/// commits less than a transaction for each. It is a part of the time from a commit to the feed.
const RELAY_PAUSE: Duration = Duration::from_millis(10);

/// Interval in which the relay reads what other processes have committed.
const RELAY_POLL: Duration = Duration::from_millis(25);

/// Interval in which a process that is not the relay tries to become it.
const STANDBY_POLL: Duration = Duration::from_millis(500);

/// Interval in which the deliverer looks for queues that other processes have filled, or whose wait is over.
const DELIVERER_POLL: Duration = Duration::from_secs(1);

/// Pause of the daily totals after a part of the feed, if there may be more: people can wait for them, and customers
/// cannot.
const COUNT_PAUSE: Duration = Duration::from_millis(100);

/// Interval in which the process that is the relay counts new events, and that of the others, in case there is no relay.
const COUNT_POLL: Duration = Duration::from_secs(1);
const COUNT_STANDBY_POLL: Duration = Duration::from_secs(3);

/// Gives committed facts their positions in the feed, until the worker is stopped.
pub(crate) async fn relay(publisher: Publisher, waker: Arc<WorkerSignal>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let step = {
            let publisher = publisher.clone();
            tokio::spawn(async move { publisher.run_feed().await })
        };
        let wait = match step.await {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) if publisher.is_relay() => RELAY_POLL,
            Ok(Ok(false)) => STANDBY_POLL,
            failed => pause_after(&failed, "the relay of the feed"),
        };
        tokio::time::sleep(RELAY_PAUSE).await;
        tokio::select! {
            () = waker.relay.notified() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => {}
        }
    }
    // Another process goes on at once; if this fails, it does when the lease is over.
    drop(publisher.stop_feed().await);
}

/// Counts the events of the feed for the daily totals, until the worker is stopped.
pub(crate) async fn count(totals: Totals, publisher: Publisher, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let step = {
            let totals = totals.clone();
            tokio::spawn(async move { totals.count().await })
        };
        let wait = match step.await {
            Ok(Ok(true)) => COUNT_PAUSE,
            Ok(Ok(false)) if publisher.is_relay() => COUNT_POLL,
            Ok(Ok(false)) => COUNT_STANDBY_POLL,
            failed => pause_after(&failed, "the daily totals"),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Sends events to endpoints, until the worker is stopped; then waits for the answers that are under way.
pub(crate) async fn deliver(publisher: Publisher, waker: Arc<WorkerSignal>, mut stopped: watch::Receiver<bool>) {
    // Each webhook under way holds a permit.
    let permits = Arc::new(Semaphore::new(WEBHOOKS_AT_ONCE.into()));
    while !*stopped.borrow() {
        let Some(mut held) = free_permits(&permits).await else { return };
        let limit = u16::try_from(held.num_permits()).unwrap_or(1);
        let leasing = {
            let publisher = publisher.clone();
            tokio::spawn(async move { publisher.lease_deliveries(limit).await })
        };
        let step = leasing.await;
        let wait = match step {
            Ok(Ok((0, _))) => DELIVERER_POLL,
            Ok(Ok((_, batches))) => {
                for batch in batches {
                    let of_batch = held.split(batch.webhooks());
                    tokio::spawn(send(publisher.clone(), Arc::clone(&waker), of_batch, batch));
                }
                continue;
            }
            failed => pause_after(&failed, "the deliverer of webhooks"),
        };
        drop(held);
        tokio::select! {
            () = waker.deliverer.notified() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => {}
        }
    }
    drop(permits.acquire_many(WEBHOOKS_AT_ONCE.into()).await);
}

/// Permits for the next step: at least one, and at most [`QUEUES_AT_ONCE`].
async fn free_permits(permits: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let mut held = Arc::clone(permits).acquire_owned().await.ok()?;
    let more = u32::try_from(permits.available_permits()).unwrap_or(0).min(u32::from(QUEUES_AT_ONCE) - 1);
    if let Ok(more) = Arc::clone(permits).try_acquire_many_owned(more) {
        held.merge(more);
    }
    Some(held)
}

/// Sends the webhooks of a batch. Wakes the deliverer after each answer: its queue may have further events.
async fn send(
    publisher: Publisher,
    waker: Arc<WorkerSignal>,
    mut permits: Option<OwnedSemaphorePermit>,
    batch: DeliveryBatch,
) {
    // One slow answer holds one permit, not those of the whole batch.
    let answered = |count| {
        drop(permits.as_mut().and_then(|it| it.split(count)));
        waker.wake_deliverer();
    };
    if let Err(error) = publisher.deliver(batch, answered).await {
        tracing::warn!(%error, "the deliverer cannot use the store now");
        waker.wake_deliverer();
    }
}

/// Logs why a step failed, and returns the pause before the next one.
fn pause_after<T>(failed: &Result<Result<T, StoreError>, tokio::task::JoinError>, what: &str) -> Duration {
    match failed {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "{what} cannot use the store now"),
        // Each step is spawned, so that a panic in it does not end the loop.
        Err(error) => tracing::error!(%error, "a step of {what} panicked"),
    }
    PAUSE_AFTER_FAILURE
}
