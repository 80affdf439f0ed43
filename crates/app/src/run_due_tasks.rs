//! One step of the worker: due tasks, parked events, the back-fill and the rescheduling.

use futures_util::future::join_all;
use paywright_domain::Timestamp;
use tracing::{Instrument, Span};

use crate::perform::{NextRun, PerformError};
use crate::{App, GatewayError, Lease, LeasedTask, StoreError, TaskRelease, Work, WorkId, log, traces};

/// Largest number of tasks and of events in one step; they run concurrently.
const TASKS_AT_ONCE: u16 = 8;

/// Shortest wait before a task is due again, in seconds: a task that is due at once would be leased by each next step,
/// for ever.
const AGAIN_SECONDS_MIN: u32 = 1;

impl App {
    /// Performs one step of what is due at `now`: leases a few tasks and parked events, processes them concurrently and
    /// ends their leases, then runs the back-fill and the rescheduling if they are due. Returns the amount of work
    /// done; 0 means that nothing is due.
    ///
    /// If this process dies meanwhile, another one leases the same tasks when the leases are over.
    pub async fn run_due_tasks(&self, now: Timestamp) -> Result<usize, StoreError> {
        let lease = Lease { owner: self.owner, now, until: self.lease_until(now), limit: TASKS_AT_ONCE };
        let tasks = self.store.tasks.lease_tasks(&lease).await?;
        let done = join_all(tasks.iter().map(|it| self.run_task(it))).await;
        done.into_iter().collect::<Result<(), StoreError>>()?;
        let events = self.run_parked_events(&lease).await?;
        let back_filled = self.back_fill(&lease).await?;
        let rescheduled = self.reschedule(&lease).await?;
        Ok(tasks.len() + events + usize::from(back_filled) + usize::from(rescheduled))
    }

    async fn run_task(&self, leased: &LeasedTask) -> Result<(), StoreError> {
        let key = leased.task.key();
        let span = tracing::error_span!(
            "task", task = %key, order = %leased.order, number = log::LATER, intent = log::LATER
        );
        let id = WorkId::Task { order: leased.order, key };
        let trace = traces::task(leased);
        let work = Work::of(id).in_trace(trace.clone());
        work.scope(Box::pin(self.run_task_in_span(leased, &trace))).instrument(span).await
    }

    async fn run_task_in_span(&self, leased: &LeasedTask, trace: &Span) -> Result<(), StoreError> {
        let key = leased.task.key();
        let (next_run, error) = match self.perform(leased.order, &leased.task, leased.taken).await {
            Ok(next_run) => (next_run, None),
            Err(error) => {
                traces::task_failed(trace, &error);
                let next_run = NextRun::Again(self.retry_seconds(leased.taken));
                if matches!(&error, PerformError::Gateway(GatewayError::Busy(_) | GatewayError::InFlight)) {
                    tracing::info!(%error, "a task waits because Stripe is busy");
                } else {
                    let tries = leased.taken;
                    tracing::warn!(tries, %error, "a task failed and will be tried again");
                }
                (next_run, Some(error.to_string()))
            }
        };
        let again_at = match next_run {
            NextRun::Done => None,
            NextRun::Again(seconds) => Some(self.clock.now().plus_seconds(seconds.max(AGAIN_SECONDS_MIN))),
        };
        let release = TaskRelease { owner: self.owner, order: leased.order, key, taken: leased.taken, again_at, error };
        // Returns `false` where a commit has deleted the task, or another process has leased it since: both are fine.
        self.store.tasks.release_task(&release).await.map(drop)
    }
}
