//! Background loop that keeps the books. Every serving process has one; one of them works at a time.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::Bookkeeper;
use tokio::sync::watch;

use crate::worker::{PAUSE_AFTER_FAILURE, WorkerSignal};

/// Interval in which the loop looks whether the books are due.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Pause after a step that failed: Stripe or the store should recover first.
const PAUSE: Duration = PAUSE_AFTER_FAILURE.saturating_mul(10);

/// Keeps the books until the worker is stopped.
pub(crate) async fn keep(bookkeeper: Bookkeeper, waker: Arc<WorkerSignal>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let step = {
            let bookkeeper = bookkeeper.clone();
            tokio::spawn(async move { bookkeeper.keep_books().await })
        };
        let wait = match step.await {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) => POLL_INTERVAL,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the books cannot be kept now");
                PAUSE
            }
            // Each step is spawned, so that a panic in it does not end the loop.
            Err(error) => {
                tracing::error!(%error, "a step of the books panicked");
                PAUSE
            }
        };
        tokio::select! {
            () = waker.books.notified() => bookkeeper.wake(),
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => {}
        }
    }
}
