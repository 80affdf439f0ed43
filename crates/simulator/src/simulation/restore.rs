//! A restore from a backup, by the procedure in the documents: everything is stopped, the backup is put in place, what
//! Stripe has is taken in, and everything starts again.

use paywright_app::{LostOrderDecision, PerformError, Recovery};
use paywright_domain::Timestamp;

use super::{Simulation, Step};
use crate::books::Violation;
use crate::fault::Fault;
use crate::restored;
use crate::world::{BoxFuture, Unheard};

/// How long the restore takes, in seconds. What was on its way to Stripe has arrived by then.
const RESTORE_SECONDS: u32 = 60;

/// What a restore puts back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backup {
    /// How much of the journal it has.
    length: usize,
    /// When it was taken.
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
        let mut core = self.world.core();
        let now = core.now;
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
        self.finish_saying();
        if recovers {
            self.recover(backup.at);
        }
        self.add_person(self.plan.after.clone());
    }

    /// Takes in what Stripe has. Nobody else does anything meanwhile.
    fn recover(&mut self, since: Timestamp) {
        self.start(0);
        let world = self.world.clone();
        let recovery = async move {
            let recovered = world.inside(0, false, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.recover(since, |_| Some(LostOrderDecision::Recreate)).await })
            });
            let problem = problem_of(recovered.await);
            if let Some(problem) = problem {
                world.core().books.broken = Some(Violation::of("recovery", problem));
            }
        };
        let actor = self.add(|| "recover".to_owned(), Box::pin(recovery));
        loop {
            let waiting = self.world.core().waiting.iter().find(|it| it.actor == actor).copied();
            let Some(waiting) = waiting else { break };
            self.say(Step::Go(waiting, Fault::None));
            self.world.grant(waiting.turn, Fault::None);
            self.poll(actor);
            self.finish_saying();
        }
        self.kill(0);
    }
}

/// What has gone wrong with a recovery that nothing disturbed.
fn problem_of(recovered: Result<Result<Recovery, PerformError>, Unheard>) -> Option<String> {
    match recovered {
        Ok(Ok(recovery)) => recovery.lost.into_iter().find_map(|it| Some(format!("{}: {}", it.id, it.problem?))),
        Ok(Err(error)) => Some(error.to_string()),
        Err(Unheard) => Some("it did not end".to_owned()),
    }
}
