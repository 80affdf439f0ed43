//! Restore from a backup, by the documented procedure: all processes are stopped, the backup is restored, a recovery
//! reads what Stripe has, and the processes are started again.

use paywright_app::{LostOrderDecision, PerformError, Recovery};
use paywright_domain::Timestamp;

use super::{Simulation, Step};
use crate::books::Violation;
use crate::fault::Fault;
use crate::restored;
use crate::world::{BoxFuture, Interrupted};

/// Time that the restore takes, in seconds. Requests under way have reached Stripe by then.
const RESTORE_SECONDS: u32 = 60;

/// A backup.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backup {
    /// Number of entries of the journal.
    length: usize,
    /// Time at which the backup was taken.
    at: Timestamp,
}

impl Simulation<'_> {
    pub(super) fn take_backup(&mut self) {
        self.backup = Some(Backup { length: self.world.store.backup(), at: self.world.now() });
    }

    pub(super) fn restore(&mut self) {
        let Some(backup) = self.backup else { return };
        self.restores += 1;
        for process in 0..self.plan.processes {
            self.kill(process);
        }
        self.drop_late_writes();
        let mut core = self.world.core();
        let now = core.now;
        for webhook in std::mem::take(&mut core.books.feed.late) {
            core.books.feed.receive(&webhook);
        }
        for request in std::mem::take(&mut core.stripe.late) {
            core.stripe.handle(&request, now, None);
        }
        core.pass(RESTORE_SECONDS);
        core.is_touched = true;
        let before = self.world.store.read(Clone::clone);
        self.world.store.restore(backup.length);
        let recovers = self.plan.recovers;
        let twin = &core.stripe.twin;
        let known = restored::orders_at_stripe(twin);
        let books = &mut core.books;
        self.world.store.read(|tables| restored::forget(books, &before, tables, &known, recovers));
        drop(core);
        self.finish_trace_line();
        if recovers {
            self.recover(backup.at);
        }
        self.add_person(self.plan.after.clone());
    }

    /// Runs the recovery. No other actor is scheduled meanwhile.
    fn recover(&mut self, since: Timestamp) {
        self.start(0);
        let world = self.world.clone();
        let recovery = async move {
            let recovered = world.in_process(0, false, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.recover(since, |_| Some(LostOrderDecision::Recreate)).await })
            });
            let problem = problem_of(recovered.await);
            if let Some(problem) = problem {
                world.core().books.broken = Some(Violation::of("recovery", problem));
            }
        };
        let actor = self.add(|| "recover".to_owned(), Box::pin(recovery));
        loop {
            let pending = self.world.core().pending.iter().find(|it| it.actor == actor).copied();
            let Some(pending) = pending else { break };
            self.begin_trace_line(Step::Call(pending, Fault::None));
            self.world.grant(pending.turn, Fault::None);
            self.poll(actor);
            self.finish_trace_line();
        }
        self.kill(0);
    }
}

/// Problem of a recovery that ran without faults.
fn problem_of(recovered: Result<Result<Recovery, PerformError>, Interrupted>) -> Option<String> {
    match recovered {
        Ok(Ok(recovery)) => recovery.lost.into_iter().find_map(|it| Some(format!("{}: {}", it.id, it.problem?))),
        Ok(Err(error)) => Some(error.to_string()),
        Err(Interrupted) => Some("it was interrupted".to_owned()),
    }
}
