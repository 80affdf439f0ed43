//! What a run tells: a line for each step, why its order is as it is, and whether another run was in the same state.

use std::fmt::Write;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use paywright_app::{Explanation, OrderRef, Store, explain_order};

use super::{Simulation, Step};
use crate::fault::Fault;
use crate::world::ActorId;

impl Simulation<'_> {
    /// Whether another run was in the state that this one is in now.
    pub(super) fn is_known(&mut self) -> bool {
        if self.choices.made().len() < self.known_choices {
            return false;
        }
        let Some(seen) = &mut self.seen else { return false };
        let core = self.world.core();
        let mut state = Digest(DefaultHasher::new());
        let waiting: Vec<_> = core.waiting.iter().map(|it| (it.actor, it.name, it.since < self.steps)).collect();
        let under_way: Vec<_> = core.stripe.deliveries.iter().map(|it| it.event).collect();
        let up: Vec<_> = core.processes.iter().map(|it| it.app.is_some()).collect();
        let written = self.world.store.read(|tables| {
            let twin = &core.stripe.twin;
            let money: Vec<_> = twin.intents().collect();
            let back: Vec<_> = twin.refunds().collect();
            write!(state, "{:?} {:?} {:?} {:?}", tables.orders, tables.tasks, money, back)?;
            write!(state, "{:?} {waiting:?} {under_way:?} {up:?}", tables.events)?;
            write!(state, "{:?} {} {:?}", core.learned, self.faults, core.now)
        });
        written.is_ok() && !seen.insert(state.0.finish())
    }

    /// Why the order is as it is, in the words of the service itself.
    pub(crate) fn explanation(&self) -> Option<Explanation> {
        let order = self.world.core().books.order?;
        let store = &self.world.store;
        let stored = at_once(store.order(&OrderRef::Id(order)))?.ok()??;
        at_once(explain_order(store, stored.value))?.ok()
    }

    pub(super) fn say(&mut self, step: Step) {
        if self.trace.is_none() {
            return;
        }
        let name = |actor: ActorId| {
            let index = usize::try_from(actor).unwrap_or(usize::MAX);
            self.actors.get(index).map_or("somebody", |it| it.name.as_str())
        };
        let core = self.world.core();
        let kind = |place: usize| {
            let delivery = core.stripe.deliveries.get(place);
            delivery.and_then(|it| core.stripe.events.get(it.event)).map_or("", |(it, _)| it.kind.as_str())
        };
        let what = match step {
            Step::Go(waiting, Fault::None) => format!("{}: {}", name(waiting.actor), waiting.name),
            Step::Go(waiting, fault) => format!("{}: {}, {fault:?}", name(waiting.actor), waiting.name),
            Step::Deliver(place, process) => format!("{} arrives at process {process}", kind(place)),
            Step::DeliverTwice(place, process) => {
                format!("{} arrives at process {process}, to come again", kind(place))
            }
            Step::Lose(place) => format!("{} is lost", kind(place)),
            Step::Arrive(place) => {
                let path = core.stripe.late.get(place).map(|it| it.path.as_str()).unwrap_or_default();
                format!("a request arrives late: {path}")
            }
            Step::Work(process) => format!("the worker of process {process} takes a step"),
            Step::Kill(process) => format!("process {process} is killed"),
            Step::Start(process) => format!("process {process} is started"),
            Step::Leave(number) => {
                let actor = core.inside.iter().find(|it| it.number == number).map_or(0, |it| it.actor);
                format!("{} leaves", name(actor))
            }
            Step::PowerCut => "the power fails".to_owned(),
            Step::Pass(seconds) => format!("{seconds} s pass"),
            Step::Backup => "a backup is taken".to_owned(),
            Step::Restore => "the backup is restored".to_owned(),
        };
        let line = format!("{:>3} {} {what}", self.steps, core.now);
        drop(core);
        self.world.core().said = Some(line);
    }

    pub(super) fn finish_saying(&mut self) {
        if let Some(trace) = &mut self.trace
            && let Some(line) = self.world.core().said.take()
        {
            trace.push(line);
        }
    }
}

/// What a future gives that waits for nobody.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// A digest of what is written to it.
struct Digest(DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        text.hash(&mut self.0);
        Ok(())
    }
}
