//! The end of a run: nothing goes wrong any more, and everything must come to rest.

use paywright_domain::{Order, OrderId, OrderState, PaymentState, Timestamp};

use super::{Simulation, Step};
use crate::acts::{Act, ExternalAction, VISA};
use crate::books::Violation;
use crate::fault::Fault;
use crate::invariants;
use crate::store::Tables;
use crate::world::Process;

/// The most steps until everything has come to rest: a run that takes more is going round in circles.
const REST_STEPS_MAX: u32 = 6000;

impl Simulation<'_> {
    /// Everything goes well from now on: time passes to whatever is next, until nothing is on its way.
    pub(super) fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.go_on_undisturbed()?;
        let began = self.world.now();
        let steps_max = self.steps + REST_STEPS_MAX;
        self.hear_what_is_told()?;
        loop {
            self.renew();
            self.do_what_is_due(steps_max)?;
            if self.renew() {
                continue;
            }
            let unrest = {
                let core = self.world.core();
                self.world.store.read(|tables| invariants::unrest(tables, &core.stripe.twin, &core.books))
            };
            let Some(unrest) = unrest else { break };
            let next = self.next_instant();
            let end = began.max(unrest.since).plus_seconds(unrest.within_seconds);
            match next {
                Some(next) if next <= end && self.steps < steps_max => {
                    self.world.core().now = next;
                }
                Some(_) | None => return Err(unrest.what),
            }
        }
        let core = self.world.core();
        self.world.store.read(|tables| invariants::at_rest(tables, &core.stripe.twin, &core.books))
    }

    /// Where every message comes they alone tell how each payment stands, in whatever order they come; as far as
    /// Stripe's whole seconds tell the moments of any two apart.
    fn hear_what_is_told(&mut self) -> Result<(), Violation> {
        let is_undisturbed = self.faults == 0 && self.restores == 0 && self.world.core().stripe.key_version == 0;
        if !(self.plan.webhooks && is_undisturbed) {
            return Ok(());
        }
        self.go_on_undisturbed()?;
        while !self.world.core().stripe.deliveries.is_empty() {
            self.take(Step::Deliver(0, 0))?;
            self.go_on_undisturbed()?;
        }
        let tells_apart = self.plan.step_micros > 1_000_000;
        let core = self.world.core();
        self.world.store.read(|tables| invariants::told(tables, &core.stripe.twin, &core.books, tells_apart))
    }

    /// Starts what is down, and anew what asks Stripe with an old key, as whoever has rotated it does. Says whether
    /// there was anything to start.
    fn renew(&mut self) -> bool {
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

    fn do_what_is_due(&mut self, steps_max: u32) -> Result<(), Violation> {
        while self.steps < steps_max {
            if let Some(waiting) = self.first_waiting() {
                self.take(Step::Go(waiting, Fault::None))?;
                continue;
            }
            let core = self.world.core();
            let due = core.stripe.deliveries.iter().position(|it| it.due_at <= core.now);
            let late = (!core.stripe.late.is_empty()).then_some(0);
            let working = (0..core.processes.len()).find(|it| self.has_work(&core, *it));
            drop(core);
            match (late, due, working) {
                (Some(place), _, _) => self.take(Step::Arrive(place))?,
                (None, Some(place), _) => self.take(Step::Deliver(place, place % self.plan.processes))?,
                (None, None, Some(process)) => self.take(Step::Work(process))?,
                (None, None, None) => return Ok(()),
            }
        }
        Ok(())
    }

    /// When something happens next by itself.
    fn next_instant(&self) -> Option<Timestamp> {
        let core = self.world.core();
        let deliveries = core.stripe.deliveries.iter().map(|it| it.due_at);
        deliveries.chain(self.world.store.read(Tables::next_due)).filter(|it| *it > core.now).min()
    }

    /// An order that is open can be paid: whatever went wrong is over. What was asked for is asked for again.
    pub(super) fn pay_what_is_open(&mut self) -> Result<(), Violation> {
        let is_payable = |it: &Order| {
            matches!(it.state, OrderState::Open)
                && matches!(it.payment_state(), PaymentState::Unpaid | PaymentState::RequiresAction)
        };
        let order = self.world.core().books.order;
        let Some(order) = order.filter(|it| self.is_order(*it, is_payable)) else { return Ok(()) };
        // As somebody does who comes back to the page.
        self.add_person(vec![Act::Ask, Act::At(ExternalAction::Pay(VISA)), Act::Check, Act::Capture(None)]);
        self.go_on_undisturbed()?;
        self.come_to_rest()?;
        let is_done = |it: &Order| !matches!(it.state, OrderState::Open) || it.payment_state() == PaymentState::Review;
        if self.is_order(order, is_done) {
            return Ok(());
        }
        Err(Violation::of("I6", format!("order {order} is open, and nobody can pay it")))
    }

    fn is_order(&self, order: OrderId, is_so: impl Fn(&Order) -> bool) -> bool {
        self.world.store.read(|it| it.orders.get(&order).is_some_and(|it| is_so(&it.value)))
    }
}
