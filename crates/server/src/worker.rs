//! The worker: background loops that lease due tasks from the store and perform them. Every serving process has a
//! worker, and any of them may die at any time.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::{App, Bookkeeper, EndpointWatch, Publisher, Storefront, Totals, WorkerWaker};
use paywright_payments_stripe::WebhookSecrets;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::retention::{self, Keep};
use crate::world::now;
use crate::{books, key_uses, publish, stripe_endpoints};

/// Number of loops, and so of steps that run concurrently: while one waits for a slow answer, the other continues.
const LOOPS: usize = 2;

/// Pause before the store is polled again when no task was due. A wake-up ends it; tasks left by other processes are
/// found after it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause after a step that failed or a store that did not answer.
pub(crate) const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);

/// Wakes the background loops of this process.
#[derive(Debug, Default)]
pub(crate) struct WorkerSignal {
    tasks: Notify,
    pub(crate) relay: Notify,
    pub(crate) deliverer: Notify,
    pub(crate) books: Notify,
}

impl WorkerWaker for WorkerSignal {
    fn wake(&self) {
        self.tasks.notify_one();
    }

    fn wake_relay(&self) {
        self.relay.notify_one();
    }

    fn wake_deliverer(&self) {
        self.deliverer.notify_one();
    }

    fn wake_books(&self) {
        self.books.notify_one();
    }
}

/// The worker of this process.
pub(crate) struct Worker {
    loops: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Worker {
    /// Starts the worker. What is old is kept for as long as `keep` says.
    pub(crate) fn start(
        app: &App,
        storefront: &Storefront,
        (publisher, totals): (&Publisher, Totals),
        bookkeeper: Option<Bookkeeper>,
        (watch, secrets): (EndpointWatch, Arc<dyn WebhookSecrets>),
        waker: &Arc<WorkerSignal>,
        keep: Keep,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task_loop = |_| tokio::spawn(run_tasks(app.in_background(), Arc::clone(waker), stopped.clone()));
        let others = [
            tokio::spawn(publish::relay(publisher.clone(), Arc::clone(waker), stopped.clone())),
            tokio::spawn(publish::deliver(publisher.clone(), Arc::clone(waker), stopped.clone())),
            tokio::spawn(publish::count(totals, publisher.clone(), stopped.clone())),
            tokio::spawn(stripe_endpoints::keep_watching(watch, secrets, stopped.clone())),
            tokio::spawn(key_uses::record(app.in_background(), stopped.clone())),
            tokio::spawn(retention::delete_old(
                app.in_background(),
                storefront.clone(),
                publisher.clone(),
                keep,
                stopped.clone(),
            )),
        ];
        let books = bookkeeper.map(|it| tokio::spawn(books::keep(it, Arc::clone(waker), stopped.clone())));
        Self { loops: (0..LOOPS).map(task_loop).chain(others).chain(books).collect(), stop }
    }

    /// Waits until every step that has begun is complete, for at most `timeout`. A step that is cut off then is
    /// continued by another process, as after a kill.
    pub(crate) async fn stop(self, timeout: Duration) {
        self.stop.send_replace(true);
        let all_done = async {
            for each in self.loops {
                drop(each.await);
            }
        };
        if tokio::time::timeout(timeout, all_done).await.is_err() {
            tracing::warn!("the worker stopped before all tasks were complete; other processes continue them");
        }
    }
}

/// Performs due tasks until the worker is stopped.
async fn run_tasks(app: App, waker: Arc<WorkerSignal>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let step = {
            let app = app.clone();
            tokio::spawn(async move { app.run_due_tasks(now()).await })
        };
        let wait = match step.await {
            Ok(Ok(0)) => POLL_INTERVAL,
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the worker cannot use the store now");
                PAUSE_AFTER_FAILURE
            }
            // Each step is spawned, so that a panic in it does not end the worker.
            Err(error) => {
                tracing::error!(%error, "a step of the worker panicked");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = waker.tasks.notified() => {}
            () = tokio::time::sleep(wait.mul_f32(fastrand::f32().mul_add(0.5, 0.5))) => {}
            _ = stopped.changed() => {}
        }
    }
}
