//! Steps of processes: start, kill, a worker's step, and the arrival of a webhook.

use std::collections::BTreeMap;

use paywright_app::{App, Publisher, Settings};

use super::{Loop, Simulation};
use crate::ports::ProcessPorts;
use crate::stripe::Delivery;
use crate::world::{ActorId, BoxFuture, Process};

/// Waits of Stripe before it repeats a failed webhook, in seconds, by the number of tries.
const REDELIVERY_SECONDS: [u32; 5] = [5, 300, 1800, 7200, 18_000];

impl Simulation<'_> {
    pub(super) fn start(&mut self, process: usize) {
        let settings = Settings {
            expire_after_seconds: self.plan.expires,
            // A long period, so that a week of waiting is not a thousand walks.
            back_fill_seconds: 6 * 3600,
            ..Settings::default()
        };
        let app = App::new(ProcessPorts::ports(&self.world, process), settings);
        let publisher = Publisher::new(ProcessPorts::publisher_ports(&self.world, process)).warning_through(&app);
        let bookkeeper = self.bookkeeper(process, &app);
        let mut core = self.world.core();
        let key_version = core.stripe.key_version;
        if let Some(place) = core.processes.get_mut(process) {
            *place = Process {
                app: Some(app),
                publisher: Some(publisher),
                is_books_woken: bookkeeper.is_some(),
                bookkeeper,
                generation: place.generation + 1,
                is_woken: true,
                key_version,
                ..Process::default()
            };
        }
    }

    /// Kills a process and interrupts all work inside it.
    pub(super) fn kill(&mut self, process: usize) {
        let mut core = self.world.core();
        let killed = core.processes.get_mut(process).map(|it| {
            it.generation += 1;
            (it.publisher.take(), it.bookkeeper.take(), it.app.take())
        });
        let in_process: Vec<ActorId> =
            core.in_process.iter().filter(|it| it.process == process).map(|it| it.actor).collect();
        drop(core);
        for actor in in_process {
            self.poll(actor);
        }
        drop(killed);
        if self.plan.step_weights.start == 0 {
            self.start(process);
        }
    }

    pub(super) fn work(&mut self, process: usize) {
        let world = self.world.clone();
        let step = async move {
            let now = world.now();
            if let Some(process) = world.core().processes.get_mut(process) {
                process.is_woken = false;
            }
            let work = world.in_process(process, false, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.in_background().run_due_tasks(now).await })
            });
            if matches!(work.await, Ok(Ok(done)) if done > 0)
                && let Some(process) = world.core().processes.get_mut(process)
            {
                process.is_woken = true;
            }
        };
        self.add_loop(Loop::Worker, process, Box::pin(step));
    }

    /// Delivers a webhook. Unless it is answered with success, it is delivered again later.
    pub(super) fn deliver(&mut self, place: usize, process: usize, again: bool) {
        let mut core = self.world.core();
        let delivery = core.stripe.deliveries.remove(place);
        if again {
            core.stripe.deliveries.push(delivery.clone());
        }
        let Some((event, _)) = core.stripe.events.get(delivery.event).cloned() else { return };
        let speaks_our_key = core.processes.get(process).is_some_and(|it| it.key_version == core.stripe.key_version);
        drop(core);
        let (id, kind) = (event.id.clone(), event.kind.clone());
        let world = self.world.clone();
        let arrival = async move {
            let taken = world.in_process(process, true, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.take_event(event, "webhook", BTreeMap::new()).await })
            });
            // The webhook secret is rotated with the API key: the signature does not match.
            let is_taken = speaks_our_key && matches!(taken.await, Ok(Ok(_)));
            let mut core = world.core();
            if is_taken {
                core.books.acknowledged_events.insert(id);
                return;
            }
            let tries = usize::try_from(delivery.tries).unwrap_or(usize::MAX);
            if let Some(seconds) = REDELIVERY_SECONDS.get(tries) {
                let due_at = core.now.plus_seconds(*seconds);
                core.stripe.deliveries.push(Delivery { tries: delivery.tries + 1, due_at, ..delivery });
            }
        };
        self.add(|| format!("webhook {kind}"), Box::pin(arrival));
    }
}
