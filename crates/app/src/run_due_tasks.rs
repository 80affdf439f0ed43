//! The worker: what was committed and not done, messages that wait, and what no message has told.

use futures_util::future::join_all;
use paywright_domain::Timestamp;
use tracing::Instrument;

use crate::perform::{NextRun, PerformError};
use crate::{App, GatewayError, Lease, LeasedTask, StoreError, TaskRelease, WorkId, log};

/// How many tasks one step does at once.
const TASKS_AT_ONCE: u16 = 8;

/// How soon a task that was not done is due again at the earliest, in seconds: what is due at once and as it was would be
/// found again by the next step, for ever.
const AGAIN_SECONDS_MIN: u32 = 1;

impl App {
    /// Does what is due at `now`, one step of it: takes a few tasks and messages for itself, does them side by
    /// side, and lets go of them; walks the provider's records a little if that is due. Says how much it did; if
    /// that is nothing, nothing is due.
    ///
    /// Whatever happens to this process in between, another one takes the same tasks when the lease is over.
    pub async fn run_due_tasks(&self, now: Timestamp) -> Result<usize, StoreError> {
        let lease = Lease { owner: self.owner, now, until: self.lease_until(now), limit: TASKS_AT_ONCE };
        let tasks = self.store.lease_tasks(&lease).await?;
        let done = join_all(tasks.iter().map(|it| self.run_task(it))).await;
        done.into_iter().collect::<Result<(), StoreError>>()?;
        let events = self.run_parked_events(&lease).await?;
        let walked = self.back_fill(&lease).await?;
        let rescheduled = self.reschedule(&lease).await?;
        Ok(tasks.len() + events + usize::from(walked) + usize::from(rescheduled))
    }

    async fn run_task(&self, leased: &LeasedTask) -> Result<(), StoreError> {
        let key = leased.task.key();
        let span = tracing::error_span!(
            "task", task = %key, order = %leased.order, number = log::LATER, intent = log::LATER
        );
        let id = WorkId::Task { order: leased.order, key };
        id.scope(Box::pin(self.run_task_in_span(leased))).instrument(span).await
    }

    async fn run_task_in_span(&self, leased: &LeasedTask) -> Result<(), StoreError> {
        let key = leased.task.key();
        let (next_run, error) = match self.perform(leased.order, &leased.task, leased.taken).await {
            Ok(next_run) => (next_run, None),
            Err(error) => {
                let next_run = NextRun::Again(self.retry_seconds(leased.taken));
                if matches!(&error, PerformError::Gateway(GatewayError::Busy(_) | GatewayError::InFlight)) {
                    tracing::info!(%error, "a task waits");
                } else {
                    let tries = leased.taken;
                    tracing::warn!(tries, %error, "a task was not done");
                }
                (next_run, Some(error.to_string()))
            }
        };
        let again_at = match next_run {
            NextRun::Done => None,
            NextRun::Again(seconds) => Some(self.clock.now().plus_seconds(seconds.max(AGAIN_SECONDS_MIN))),
        };
        let release = TaskRelease { owner: self.owner, order: leased.order, key, taken: leased.taken, again_at, error };
        // One that the commit has finished, or that another has taken since, is no longer ours to release.
        self.store.release_task(&release).await.map(drop)
    }
}
