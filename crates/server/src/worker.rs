//! Who does what was committed: a few tasks of the runtime that take work from the store, each in its own time. Every
//! process that serves has them, and any of them may die at any moment.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::{App, Storefront, StorefrontError, WorkerWaker};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::world::now;

/// How many steps run side by side: so many may wait for a slow answer before the rest waits for them.
const HANDS: usize = 2;

/// How long nothing is looked for where nobody rings: what another process has left is found by then.
const LOOK: Duration = Duration::from_secs(1);

/// How long to wait after a store that did not answer.
const AFTER_TROUBLE: Duration = Duration::from_secs(3);

/// How often it is looked whether carts are to be forgotten.
const TIDY: Duration = Duration::from_secs(60);

/// Wakes the worker of this process.
#[derive(Debug, Default)]
pub(crate) struct WorkerSignal(Notify);

impl WorkerWaker for WorkerSignal {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// The worker of this process.
pub(crate) struct Worker {
    hands: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Worker {
    /// Starts it. Carts are kept for as long as `keep` says.
    pub(crate) fn start(app: &App, storefront: &Storefront, waker: &Arc<WorkerSignal>, keep: KeepCarts) -> Self {
        let (stop, stopped) = watch::channel(false);
        let hands = (0..HANDS).map(|_| tokio::spawn(work(app.in_background(), Arc::clone(waker), stopped.clone())));
        let tidying = tokio::spawn(tidy(storefront.clone(), keep, stopped.clone()));
        Self { hands: hands.chain([tidying]).collect(), stop }
    }

    /// Lets every step that has begun come to its end, for so long at most. What is cut off then is as after a kill:
    /// others go on with it.
    pub(crate) async fn stop(self, patience: Duration) {
        self.stop.send_replace(true);
        let all_done = async {
            for hand in self.hands {
                drop(hand.await);
            }
        };
        if tokio::time::timeout(patience, all_done).await.is_err() {
            tracing::warn!("some tasks are left to others");
        }
    }
}

async fn work(app: App, waker: Arc<WorkerSignal>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let step = {
            let app = app.clone();
            tokio::spawn(async move { app.run_due_tasks(now()).await })
        };
        let wait = match step.await {
            Ok(Ok(0)) => LOOK,
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the worker cannot use the store now");
                AFTER_TROUBLE
            }
            // A step of its own, so that one that breaks does not end the worker.
            Err(error) => {
                tracing::error!(%error, "a step of the worker did not come to its end");
                AFTER_TROUBLE
            }
        };
        tokio::select! {
            () = waker.0.notified() => {}
            () = tokio::time::sleep(wait.mul_f32(fastrand::f32().mul_add(0.5, 0.5))) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// How long carts that nobody changes are kept, in seconds; for ever if `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeepCarts {
    pub(crate) all: Option<u32>,
    /// Those of guests that have nothing in them.
    pub(crate) empty: Option<u32>,
}

/// Forgets carts that were left, a page of each walk at a time.
async fn tidy(storefront: Storefront, keep: KeepCarts, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let mut more = false;
        if let Some(seconds) = keep.empty {
            more |= goes_on(storefront.forget_empty_carts(seconds).await);
        }
        if let Some(seconds) = keep.all {
            more |= goes_on(storefront.forget_left_carts(seconds).await);
        }
        if more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Whether a walk has more pages.
fn goes_on(page: Result<bool, StorefrontError>) -> bool {
    page.unwrap_or_else(|error| {
        tracing::warn!(%error, "carts that were left cannot be forgotten now");
        false
    })
}
