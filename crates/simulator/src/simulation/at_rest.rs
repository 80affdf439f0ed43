//! End of a run: no more faults happen, and everything under way must be finished.

use paywright_domain::order::{OrderState, PaymentState};
use paywright_domain::{Order, OrderId, Timestamp};

use super::{Loop, Simulation, Step};
use crate::acts::Act;
use crate::books::Violation;
use crate::external_actions::{ExternalAction, VISA};
use crate::fault::Fault;
use crate::invariants;
use crate::store::Tables;
use crate::world::Process;

/// Most steps until the run is at rest: a run with more steps makes no progress.
const REST_STEPS_MAX: u32 = 6000;

impl Simulation<'_> {
    /// Runs without faults: time passes to the next due time, until nothing is under way.
    pub(super) fn run_to_rest(&mut self) -> Result<(), Violation> {
        self.is_resting = true;
        self.run_without_faults()?;
        let began = self.world.now();
        let steps_max = self.steps + REST_STEPS_MAX;
        self.check_delivered_events()?;
        loop {
            self.restart_outdated();
            self.run_due(steps_max)?;
            if self.restart_outdated() {
                continue;
            }
            let unfinished = {
                let core = self.world.core();
                self.world.store.read(|tables| invariants::unfinished(tables, &core.stripe.twin, &core.books))
            };
            let Some(unfinished) = unfinished else { break };
            let next = self.next_due_time();
            let end = began.max(unfinished.since).plus_seconds(unfinished.within_seconds);
            match next {
                Some(next) if next <= end && self.steps < steps_max => {
                    self.world.core().now = next;
                }
                Some(_) | None => return Err(unfinished.what),
            }
        }
        let core = self.world.core();
        self.world.store.read(|tables| invariants::at_rest(tables, &core.stripe.twin, &core.books))
    }

    /// If every webhook was delivered, the events alone must show the status of each payment, in any order of delivery,
    /// as far as whole seconds separate their times.
    fn check_delivered_events(&mut self) -> Result<(), Violation> {
        let is_undisturbed = self.faults == 0 && self.restores == 0 && self.world.core().stripe.key_version == 0;
        if !(self.plan.webhooks && is_undisturbed) {
            return Ok(());
        }
        self.run_without_faults()?;
        while !self.world.core().stripe.deliveries.is_empty() {
            self.take(Step::Deliver(0, 0))?;
            self.run_without_faults()?;
        }
        let seconds_differ = self.plan.step_micros > 1_000_000;
        let core = self.world.core();
        self.world.store.read(|tables| {
            invariants::delivered_statuses_are_known(tables, &core.stripe.twin, &core.books, seconds_differ)
        })
    }

    /// Starts processes that are down, and restarts those with an old API key. Returns whether there were any.
    fn restart_outdated(&mut self) -> bool {
        let core = self.world.core();
        let is_current = |it: &Process| it.app.is_some() && it.key_version == core.stripe.key_version;
        let outdated = core.processes.iter().enumerate().filter(|(_, it)| !is_current(it));
        let outdated: Vec<usize> = outdated.map(|(process, _)| process).collect();
        drop(core);
        for process in &outdated {
            self.kill(*process);
            self.start(*process);
        }
        !outdated.is_empty()
    }

    fn run_due(&mut self, steps_max: u32) -> Result<(), Violation> {
        while self.steps < steps_max {
            if let Some(pending) = self.first_pending() {
                self.take(Step::Call(pending, Fault::None))?;
                continue;
            }
            let core = self.world.core();
            let due = core.stripe.deliveries.iter().position(|it| it.due_at <= core.now);
            let late = (!core.stripe.late.is_empty()).then_some(0);
            let working = (0..core.processes.len()).find(|it| self.has_work(&core, *it));
            drop(core);
            match (late, due, working) {
                (Some(place), _, _) => self.take(Step::ArriveLate(place))?,
                (None, Some(place), _) => self.take(Step::Deliver(place, place % self.plan.processes))?,
                (None, None, Some(process)) => self.take(Step::Work(process))?,
                (None, None, None) => match self.next_step_of_books().or_else(|| self.next_step_of_feed()) {
                    Some(step) => self.take(step)?,
                    None => return Ok(()),
                },
            }
        }
        Ok(())
    }

    /// Step of a relay or a deliverer that is due, or the arrival of something late.
    fn next_step_of_feed(&self) -> Option<Step> {
        let core = self.world.core();
        if !core.late_writes.is_empty() {
            return Some(Step::WriteLate(0));
        }
        if !core.books.feed.late.is_empty() {
            return Some(Step::ReceiveLate(0));
        }
        let due = self.feed_work(&core).into_iter().find(|(_, _, at)| *at <= core.now);
        due.and_then(|(name, process, _)| match name {
            Loop::Relay => Some(Step::Relay(process)),
            Loop::Deliverer => Some(Step::SendWebhooks(process)),
            Loop::Worker | Loop::Bookkeeper => None,
        })
    }

    /// Step of a bookkeeper that is due.
    fn next_step_of_books(&self) -> Option<Step> {
        let core = self.world.core();
        let due = self.books_work(&core).into_iter().find(|(_, at)| *at <= core.now);
        due.map(|(process, _)| Step::Keep(process))
    }

    /// Time at which a webhook, a row of the store or a loop of the feed is due next.
    fn next_due_time(&self) -> Option<Timestamp> {
        let core = self.world.core();
        let deliveries = core.stripe.deliveries.iter().map(|it| it.due_at);
        let feed = self.feed_work(&core).into_iter().map(|(_, _, at)| at);
        let books = self.books_work(&core).into_iter().map(|(_, at)| at);
        let due = deliveries.chain(self.world.store.read(Tables::next_due)).chain(feed).chain(books);
        due.filter(|it| *it > core.now).min()
    }

    /// Checks that an open order can be paid once all faults are over.
    pub(super) fn check_open_order_is_payable(&mut self) -> Result<(), Violation> {
        let is_payable = |it: &Order| {
            matches!(it.state, OrderState::Open)
                && matches!(it.payment_state(), PaymentState::Unpaid | PaymentState::RequiresAction)
        };
        let order = self.world.core().books.order;
        let Some(order) = order.filter(|it| self.is_order(*it, is_payable)) else { return Ok(()) };
        // As a customer who comes back to the page.
        self.add_person(vec![
            Act::CreateIntent,
            Act::External(ExternalAction::Pay(VISA)),
            Act::Check,
            Act::Capture(None),
        ]);
        self.run_without_faults()?;
        self.run_to_rest()?;
        let is_done = |it: &Order| !matches!(it.state, OrderState::Open) || it.payment_state() == PaymentState::Review;
        if self.is_order(order, is_done) {
            return Ok(());
        }
        Err(Violation::of("I6", format!("order {order} is open, and cannot be paid")))
    }

    fn is_order(&self, order: OrderId, is_so: impl Fn(&Order) -> bool) -> bool {
        self.world.store.read(|it| it.orders.get(&order).is_some_and(|it| is_so(&it.value)))
    }
}
