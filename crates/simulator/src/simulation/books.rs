//! Steps of the books: a bookkeeper reads what is new at Stripe and in the orders. At the end of a run all is read anew
//! into empty books, which must be the same.

use paywright_app::{App, Bookkeeper, BooksSettings, BooksZone};
use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use paywright_stripe_twin::Method;

use super::trace::ready_value;
use super::{Loop, Simulation};
use crate::books::Violation;
use crate::books_agree::{are_repeated, categories_agree};
use crate::books_stories::BooksPlan;
use crate::invariants::Checked;
use crate::ports::ProcessPorts;
use crate::store::{INSTALLATION, MemoryStore, Tables};
use crate::stripe::{form, request};
use crate::world::{ActorId, BoxFuture, Core};

/// Age from which a fact without a movement is a break, in seconds: the default of the program.
const GRACE_SECONDS: u32 = 3600;

/// First day of the books: that on which every run begins.
const FIRST_DAY: (i32, u8, u8) = (2027, 1, 15);

/// Rate of the euro, when it is settled in US dollars.
const RATE: &str = "1.0837";

fn settings(plan: BooksPlan) -> BooksSettings {
    let (year, month, day) = FIRST_DAY;
    BooksSettings {
        zone: BooksZone::default(),
        start: Day::new(year, month, day).ok(),
        walk_seconds: plan.walk_seconds,
        grace_seconds: GRACE_SECONDS,
        shared_account: plan.shared_account,
        installation: INSTALLATION,
        livemode: false,
    }
}

impl Simulation<'_> {
    /// Sets up the account at Stripe as the plan of the books has it.
    pub(super) fn set_account_up(&self) {
        let mut core = self.world.core();
        core.books.kept.plan = self.plan.books;
        let Some(plan) = self.plan.books else { return };
        let settled = [("settlement_currency", "usd".to_owned()), ("exchange_rates.eur", RATE.to_owned())].into_iter();
        let rows = if plan.has_two_rows { "two" } else { "one" };
        let set = [("payouts", "daily".to_owned()), ("partial_capture_rows", rows.to_owned())];
        let set = set.into_iter().chain(settled.filter(|_| plan.settles_in_usd));
        let now = core.now;
        core.stripe.act("/_twin/account", form(set), now);
    }

    /// Makes the bookkeeper of a process that starts.
    pub(super) fn bookkeeper(&self, process: usize, app: &App) -> Option<Bookkeeper> {
        let ports = || ProcessPorts::bookkeeper_ports(&self.world, process);
        self.plan.books.map(|plan| Bookkeeper::new(ports(), settings(plan), app))
    }

    /// Processes whose bookkeepers are idle and have work, with the times from which they look for it.
    pub(super) fn books_work(&self, core: &Core) -> Vec<(usize, Timestamp)> {
        if self.plan.books.is_none() {
            return Vec::new();
        }
        let due = self.world.store.read(Tables::books_due);
        let idle = core
            .processes
            .iter()
            .enumerate()
            .filter(|(number, it)| it.bookkeeper.is_some() && self.is_idle(Loop::Bookkeeper, *number));
        idle.map(|(number, it)| (number, if it.is_books_woken { core.now } else { due })).collect()
    }

    /// The bookkeeper of a process takes a step; `at_once` if none of its calls waits for the scheduler.
    pub(super) fn keep_books(&mut self, process: usize, at_once: bool) {
        let world = self.world.clone();
        let step = async move {
            let is_woken = {
                let mut core = world.core();
                core.processes.get_mut(process).is_some_and(|it| std::mem::take(&mut it.is_books_woken))
            };
            let kept = world.keep(process, false, |it| -> BoxFuture<'static, _> {
                Box::pin(async move {
                    if is_woken {
                        it.wake();
                    }
                    it.keep_books().await
                })
            });
            drop(kept.await);
        };
        let actor = ActorId::try_from(self.actors.len()).unwrap_or(ActorId::MAX);
        self.world.core().unscheduled = at_once.then_some(actor);
        self.add_loop(Loop::Bookkeeper, process, Box::pin(step));
        self.world.core().unscheduled = None;
    }

    /// Compares the books with Stripe's own report, and with books that are read anew.
    pub(super) fn check_books(&mut self) -> Checked {
        let Some(plan) = self.plan.books else { return Ok(()) };
        let kept = self.world.store.read(|it| it.books.clone());
        let mut core = self.world.core();
        let now = core.now;
        let report = core.stripe.handle(&request(Method::Get, "/_twin/report", form([]), None), now, None);
        categories_agree(&kept, &report.body)?;
        let (is_late, app) = (core.books.kept.is_late, core.processes.first().and_then(|it| it.app.clone()));
        let Some(app) = app else { return Ok(()) };
        core.unscheduled = Some(core.running);
        drop(core);
        let store = self.world.store.read(MemoryStore::without_books);
        let ports = ProcessPorts::bookkeeper_ports_to(&self.world, 0, &store);
        let read = ready_value(Bookkeeper::new(ports, settings(plan), &app).reconcile(None));
        self.world.core().unscheduled = None;
        match read {
            Some(Ok(_)) => store.read(|again| are_repeated(&kept, &again.books, is_late)),
            failed => Err(Violation::of("books", format!("they cannot be read anew: {failed:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::choices::Choices;
    use crate::plan::Plan;
    use crate::simulation::{Ending, Simulation};

    #[test]
    fn the_runs_about_the_books_close_days_and_tell_breaks_and_payouts() {
        let (mut days, mut told) = (0, BTreeMap::<_, usize>::new());
        for seed in (0..60).map(|it| it * 32 + 10) {
            let plan = Plan::of(seed);
            let mut run = Simulation::new(&plan, Choices::seeded(seed));
            assert!(matches!(run.run(), Ending::AtRest), "{seed}");
            run.world.store.read(|it| {
                days += it.books.days.len();
                it.account_events().for_each(|event| *told.entry(event.kind.name()).or_default() += 1);
            });
        }
        assert!(days > 200, "{days}");
        for kind in ["books.break", "payout.paid", "payout.failed"] {
            assert!(told.get(kind).is_some_and(|it| *it > 1), "{kind}: {told:?}");
        }
    }
}
