//! Output of a run: a trace line for each step, the explanation of its order, and a digest of its state.

use std::fmt::Write;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use paywright_app::{Explanation, OrderRef, Orders, explain_order};

use super::{Simulation, Step};
use crate::fault::Fault;
use crate::world::ActorId;

impl Simulation<'_> {
    /// Whether an earlier run has reached the present state.
    pub(super) fn is_known(&mut self) -> bool {
        if self.choices.made().len() < self.known_choices {
            return false;
        }
        let Some(seen) = &mut self.seen else { return false };
        let core = self.world.core();
        let mut state = Digest(DefaultHasher::new());
        let pending: Vec<_> = core.pending.iter().map(|it| (it.actor, it.name, it.since < self.steps)).collect();
        let under_way: Vec<_> = core.stripe.deliveries.iter().map(|it| it.event).collect();
        let up: Vec<_> = core.processes.iter().map(|it| it.app.is_some()).collect();
        let written = self.world.store.read(|tables| {
            let twin = &core.stripe.twin;
            let money: Vec<_> = twin.intents().collect();
            let back: Vec<_> = twin.refunds().collect();
            write!(state, "{:?} {:?} {:?} {:?}", tables.orders, tables.tasks, money, back)?;
            write!(state, "{:?} {pending:?} {under_way:?} {up:?}", tables.events)?;
            write!(state, "{:?} {} {:?}", core.learned, self.faults, core.now)
        });
        written.is_ok() && !seen.insert(state.0.finish())
    }

    /// Explanation of the order, as `explain` gives it.
    pub(crate) fn explanation(&self) -> Option<Explanation> {
        let order = self.world.core().books.order?;
        let store = &self.world.store;
        let stored = ready_value(store.order(&OrderRef::Id(order)))?.ok()??;
        ready_value(explain_order(store, store, stored.value))?.ok()
    }

    pub(super) fn begin_trace_line(&mut self, step: Step) {
        if self.trace.is_none() {
            return;
        }
        let name = |actor: ActorId| {
            let index = usize::try_from(actor).unwrap_or(usize::MAX);
            self.actors.get(index).map_or("unknown actor", |it| it.name.as_str())
        };
        let core = self.world.core();
        let kind = |place: usize| {
            let delivery = core.stripe.deliveries.get(place);
            delivery.and_then(|it| core.stripe.events.get(it.event)).map_or("", |(it, _)| it.kind.as_str())
        };
        let what = match step {
            Step::Call(pending, Fault::None) => format!("{}: {}", name(pending.actor), pending.name),
            Step::Call(pending, fault) => format!("{}: {}, {fault:?}", name(pending.actor), pending.name),
            Step::Deliver(place, process) => format!("{} arrives at process {process}", kind(place)),
            Step::DeliverTwice(place, process) => {
                format!("{} arrives at process {process}, and will arrive again", kind(place))
            }
            Step::DropWebhook(place) => format!("{} is lost", kind(place)),
            Step::ArriveLate(place) => {
                let path = core.stripe.late.get(place).map(|it| it.path.as_str()).unwrap_or_default();
                format!("a request arrives late: {path}")
            }
            Step::Work(process) => format!("the worker of process {process} takes a step"),
            Step::Relay(process) => format!("the relay of process {process} takes a step"),
            Step::SendWebhooks(process) => format!("the deliverer of process {process} takes a step"),
            Step::Keep(process) => format!("the bookkeeper of process {process} takes a step"),
            Step::WriteLate(place) => {
                let name = core.late_writes.get(place).map_or("", |it| it.0);
                format!("the store performs a late write: {name}")
            }
            Step::ReceiveLate(_) => "a webhook arrives late".to_owned(),
            Step::Kill(process) => format!("process {process} is killed"),
            Step::Start(process) => format!("process {process} is started"),
            Step::AbandonCall(number) => {
                let actor = core.in_process.iter().find(|it| it.number == number).map_or(0, |it| it.actor);
                format!("the caller of {} disconnects", name(actor))
            }
            Step::PowerCut => "the power fails".to_owned(),
            Step::PassTime(seconds) => format!("{seconds} s pass"),
            Step::Backup => "a backup is taken".to_owned(),
            Step::Restore => "the backup is restored".to_owned(),
        };
        let line = format!("{:>3} {} {what}", self.steps, core.now);
        drop(core);
        self.world.core().trace_line = Some(line);
    }

    pub(super) fn finish_trace_line(&mut self) {
        if let Some(trace) = &mut self.trace
            && let Some(line) = self.world.core().trace_line.take()
        {
            trace.push(line);
        }
    }
}

/// Result of a future that never waits.
pub(super) fn ready_value<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Hasher of formatted text.
struct Digest(DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        text.hash(&mut self.0);
        Ok(())
    }
}
