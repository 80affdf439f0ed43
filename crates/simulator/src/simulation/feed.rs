//! Steps of the feed: a relay gives facts their positions, a deliverer sends webhooks, and what was late arrives.

use std::task::{Context, Waker};

use paywright_domain::Timestamp;

use super::{Loop, Simulation};
use crate::acts::{Act, EndpointAct};
use crate::books::Violation;
use crate::store::{MemoryStore, Tables, is_enabled};
use crate::world::{BoxFuture, Core, Looked};

/// Period in which a relay and a deliverer look for work although nothing has changed, in seconds: a lease may have
/// ended.
const LOOK_SECONDS: u32 = 5;

/// Time from which a loop looks for work that is due at `due`.
fn looks_at(due: Timestamp, looked: Looked, changes: u32) -> Timestamp {
    match looked {
        Some((at, known)) if known == changes => due.max(at.plus_seconds(LOOK_SECONDS)),
        Some(_) | None => due,
    }
}

impl Simulation<'_> {
    /// Loops of the feed that have work, in all processes, with the times from which they look for it.
    pub(super) fn feed_work(&self, core: &Core) -> Vec<(Loop, usize, Timestamp)> {
        let store: &MemoryStore = &self.world.store;
        let (is_relay_due, queue_due) = store.read(|it| (it.has_work_for_relay(), it.endpoints.next_due()));
        let relays = is_relay_due.then_some((Loop::Relay, core.now));
        let due = relays.into_iter().chain(queue_due.map(|it| (Loop::Deliverer, it)));
        let mut work = Vec::new();
        for (name, due) in due {
            for (number, process) in core.processes.iter().enumerate().filter(|(_, it)| it.publisher.is_some()) {
                let looked = if name == Loop::Relay { process.relayed } else { process.delivered };
                if self.is_idle(name, number) {
                    work.push((name, number, looks_at(due, looked, core.books.feed.changes)));
                }
            }
        }
        work
    }

    /// The relay of a process takes a step.
    pub(super) fn relay(&mut self, process: usize) {
        let world = self.world.clone();
        let step = async move {
            let work = world.publish(process, false, |it| -> BoxFuture<'static, _> {
                Box::pin(async move { it.run_feed().await })
            });
            drop(work.await);
        };
        self.look(Loop::Relay, process, Box::pin(step));
    }

    /// The deliverer of a process takes a step.
    pub(super) fn send_webhooks(&mut self, process: usize) {
        let world = self.world.clone();
        let step = async move {
            let work = world.publish(process, false, |it| -> BoxFuture<'static, _> {
                Box::pin(async move { it.run_deliveries().await })
            });
            drop(work.await);
        };
        self.look(Loop::Deliverer, process, Box::pin(step));
    }

    fn look(&mut self, name: Loop, number: usize, step: BoxFuture<'static, ()>) {
        let mut core = self.world.core();
        let looked = Some((core.now, core.books.feed.changes));
        if let Some(process) = core.processes.get_mut(number) {
            match name {
                Loop::Relay => process.relayed = looked,
                Loop::Deliverer => process.delivered = looked,
                Loop::Worker | Loop::Bookkeeper => {}
            }
        }
        drop(core);
        self.add_loop(name, number, step);
    }

    /// The store performs a write whose caller has given up.
    pub(super) fn write_late(&mut self, place: usize) {
        let mut core = self.world.core();
        core.is_touched = true;
        core.books.feed.changes += 1;
        let (_, mut write) = core.late_writes.remove(place);
        drop(core);
        // The store in memory never waits.
        let _ = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// A webhook arrives whose sender has timed out.
    pub(super) fn receive_late(&mut self, place: usize) {
        let mut core = self.world.core();
        core.is_touched = true;
        let books = &mut core.books.feed;
        let webhook = books.late.remove(place);
        books.receive(&webhook);
    }

    /// Enables the endpoints that are disabled: they must get everything that they have not received.
    pub(super) fn enable_endpoints(&mut self) -> Result<(), Violation> {
        let core = self.world.core();
        let is_off = |tables: &Tables| tables.endpoints.endpoints.values().any(|it| !is_enabled(&it.endpoint.value));
        let count = if self.world.store.read(is_off) { core.books.feed.endpoints.len() } else { 0 };
        drop(core);
        if count == 0 {
            return Ok(());
        }
        self.add_person((0..count).map(|it| Act::Endpoint(EndpointAct::EnableAt(it))).collect());
        self.run_without_faults()?;
        self.run_to_rest()
    }
}
