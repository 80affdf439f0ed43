//! One run: everybody who lives in the world, and the scheduler that says who goes on and what befalls them. There is
//! no runtime, no thread and no clock but the world's.

mod deeds;
mod rest;
mod restore;
mod trace;

use std::collections::HashSet;
use std::task::{Context, Waker};

use paywright_domain::Timestamp;

use crate::acts::{Act, Person};
use crate::books::Violation;
use crate::choices::Choices;
use crate::fault::{Call, Fault};
use crate::invariants;
use crate::plan::Plan;
use crate::store::Tables;
use crate::world::{ActorId, BEGINNING_SECONDS, BoxFuture, Core, Process, Waiting, World};
use restore::Backup;

/// How much time the scheduler may let pass at once, in seconds: past a retry, a request, a lease.
const PASSES: [u32; 3] = [3, 95, 185];

/// As [`PASSES`], where nobody waits for an answer: an hour, the life of an idempotency key, that of an authorisation.
/// A request or a step of a worker does not last so long: its calls have deadlines.
const LONG_PASSES: [u32; 3] = [3600, 90_000, 8 * 86_400];

/// How much time may pass by chance in all, in seconds: Stripe lists a message for 30 days.
const PASSED_SECONDS_MAX: u32 = 15 * 86_400;

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Everything came to rest, and everything holds.
    Rest,
    /// It came to where another run has been.
    Known,
    /// Something does not hold.
    Broken(Violation),
}

/// What a run may do next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A call happens.
    Go(Waiting, Fault),
    /// A message arrives at a process.
    Deliver(usize, usize),
    /// A message arrives, and will arrive again.
    DeliverTwice(usize, usize),
    /// A message is lost for good.
    Lose(usize),
    /// A request arrives that nobody waits for.
    Arrive(usize),
    /// A worker takes a step.
    Work(usize),
    /// A process dies.
    Kill(usize),
    /// A process starts.
    Start(usize),
    /// A caller leaves.
    Leave(u32),
    /// Every process dies, and the store is what its journal says.
    PowerCut,
    /// Time passes.
    Pass(u32),
    /// A backup is taken.
    Backup,
    /// Every process dies, and the store is what it was when the backup was taken.
    Restore,
}

struct Actor {
    name: String,
    future: Option<BoxFuture<'static, ()>>,
}

/// States that were seen, by their digests.
pub(crate) type Seen = HashSet<u64>;

/// A run.
pub(crate) struct Simulation<'a> {
    world: World,
    plan: &'a Plan,
    pub(crate) choices: Choices,
    actors: Vec<Actor>,
    /// Who takes each process's step, while one is taken.
    workers: Vec<Option<ActorId>>,
    faults: u32,
    backup: Option<Backup>,
    restores: u32,
    pub(crate) steps: u32,
    /// What happened, a line a step, if somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
    seen: Option<&'a mut Seen>,
    /// How many choices lead to where no run has been.
    known_choices: usize,
}

impl Drop for Simulation<'_> {
    /// The world holds the processes, and they hold the world.
    fn drop(&mut self) {
        self.actors.clear();
        let processes = std::mem::take(&mut self.world.core().processes);
        drop(processes);
    }
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(plan: &'a Plan, choices: Choices) -> Self {
        let world = World::new();
        {
            let mut core = world.core();
            core.pause_millis = plan.pause_millis;
            core.unknown_seconds = plan.unknown_seconds;
            core.stripe.messages_left = if plan.webhooks { plan.messages_max } else { 0 };
            core.stripe.listing_lag_seconds = plan.listing_lag_seconds;
            core.processes.resize_with(plan.processes, Process::default);
        }
        let workers = vec![None; plan.processes];
        let (actors, trace, seen) = (Vec::new(), None, None);
        let (faults, backup, restores, steps, known_choices) = (0, None, 0, 0, 0);
        Self { world, plan, choices, actors, workers, faults, backup, restores, steps, trace, seen, known_choices }
    }

    /// Has the run tell what happens.
    pub(crate) fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// Has the run end where it comes to a state that was seen, `known` choices from its beginning or later.
    pub(crate) fn remembering(mut self, seen: &'a mut Seen, known: usize) -> Self {
        self.world.core().learned = Some(Vec::new());
        self.known_choices = known;
        self.seen = Some(seen);
        self
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Ending {
        match self.live() {
            Ok(true) => Ending::Rest,
            Ok(false) => Ending::Known,
            Err(violation) => Ending::Broken(violation),
        }
    }

    fn live(&mut self) -> Result<bool, Violation> {
        for process in 0..self.plan.processes {
            self.start(process);
        }
        self.add_person(self.plan.before.clone());
        self.go_on_undisturbed()?;
        for acts in &self.plan.people {
            self.add_person(acts.clone());
        }
        if !self.be_disturbed()? {
            return Ok(false);
        }
        self.come_to_rest()?;
        self.pay_what_is_open()?;
        Ok(true)
    }

    /// Whoever waits goes on, one after the other, and nothing else happens.
    fn go_on_undisturbed(&mut self) -> Result<(), Violation> {
        while let Some(waiting) = self.first_waiting() {
            self.take(Step::Go(waiting, Fault::None))?;
        }
        Ok(())
    }

    fn first_waiting(&self) -> Option<Waiting> {
        let core = self.world.core();
        let is_call = |it: &&Waiting| it.call != Call::Pause && it.call != Call::LongPause;
        core.waiting.iter().find(is_call).or_else(|| core.waiting.first()).copied()
    }

    /// Whatever may go wrong goes wrong by choice. Says whether nobody was here before.
    fn be_disturbed(&mut self) -> Result<bool, Violation> {
        let (mut options, mut weights) = (Vec::new(), Vec::new());
        while self.steps < self.plan.steps_max {
            self.offer(&mut options, &mut weights);
            if options.is_empty() {
                break;
            }
            let chosen = self.choices.pick(&weights);
            let Some(step) = options.get(chosen).copied() else { break };
            self.take(step)?;
            if self.is_known() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What may happen next, the most usual first.
    fn offer(&self, options: &mut Vec<Step>, weights: &mut Vec<u32>) {
        options.clear();
        weights.clear();
        let mut add = |step: Step, weight: u32| {
            if weight > 0 {
                options.push(step);
                weights.push(weight);
            }
        };
        let menu = &self.plan.menu;
        let core = self.world.core();
        let may_go_wrong = self.faults < self.plan.faults_max;
        let (pauses, calls): (Vec<&Waiting>, Vec<&Waiting>) =
            core.waiting.iter().partition(|it| it.call == Call::Pause);
        let nobody_waits = core.inside.is_empty() && core.stripe.late.is_empty();
        let may_go = |it: &&&Waiting| it.call != Call::LongPause || nobody_waits;
        // A pause is longer than a step of somebody else.
        let is_over = |it: &&&Waiting| it.since < self.steps || calls.is_empty();
        for waiting in calls.iter().filter(may_go).chain(pauses.iter().filter(is_over)) {
            add(Step::Go(**waiting, Fault::None), menu.go);
        }
        let up = |process: &usize| core.processes.get(*process).is_some_and(|it| it.app.is_some());
        let processes: Vec<usize> = (0..core.processes.len()).filter(up).collect();
        let on_their_way = core.stripe.deliveries.iter().enumerate().filter(|(_, it)| it.due_at <= core.now).take(4);
        let on_their_way: Vec<usize> = on_their_way.map(|(place, _)| place).collect();
        for delivery in &on_their_way {
            if let Some(process) = processes.get(delivery % processes.len().max(1)) {
                add(Step::Deliver(*delivery, *process), menu.deliver);
            }
        }
        for process in 0..core.processes.len() {
            if !up(&process) {
                add(Step::Start(process), menu.start);
            }
        }
        for late in 0..core.stripe.late.len() {
            add(Step::Arrive(late), menu.go);
        }
        let is_done = core.waiting.is_empty() && core.stripe.deliveries.is_empty() && core.stripe.late.is_empty();
        if is_done {
            return;
        }
        for process in &processes {
            if self.has_work(&core, *process) {
                add(Step::Work(*process), menu.work);
            }
        }
        if self.restores < self.plan.restores_max {
            match self.backup {
                None => add(Step::Backup, menu.backup),
                Some(_) => add(Step::Restore, menu.restore),
            }
        }
        if !may_go_wrong {
            return;
        }
        for waiting in &calls {
            for fault in waiting.call.faults() {
                add(Step::Go(**waiting, *fault), menu.fault);
            }
        }
        for delivery in &on_their_way {
            if let Some(process) = processes.first() {
                add(Step::DeliverTwice(*delivery, *process), menu.disturb);
            }
            add(Step::Lose(*delivery), menu.disturb);
        }
        for process in &processes {
            add(Step::Kill(*process), menu.kill);
        }
        for inside in core.inside.iter().filter(|it| it.may_be_left) {
            add(Step::Leave(inside.number), menu.leave);
        }
        add(Step::PowerCut, menu.power_cut);
        let began = Timestamp::from_unix_seconds(BEGINNING_SECONDS).unwrap_or(core.now);
        let is_early = core.now < began.plus_seconds(PASSED_SECONDS_MAX);
        let long = if nobody_waits && is_early { LONG_PASSES.as_slice() } else { &[] };
        for seconds in PASSES.iter().chain(long) {
            add(Step::Pass(*seconds), menu.pass);
        }
    }

    /// Whether a process's worker is idle and there is something for it to do.
    fn has_work(&self, core: &Core, process: usize) -> bool {
        let is_idle = self.workers.get(process).is_some_and(Option::is_none);
        let is_woken = core.processes.get(process).is_some_and(|it| it.is_woken);
        is_idle && (is_woken || self.world.store.read(Tables::next_due).is_none_or(|it| it <= core.now))
    }

    /// Takes one step, and checks what must always hold.
    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.steps += 1;
        self.world.core().steps = self.steps;
        self.say(step);
        let is_fault = match step {
            Step::Go(waiting, fault) => {
                self.world.grant(waiting.turn, fault);
                self.poll(waiting.actor);
                fault != Fault::None
            }
            Step::Deliver(place, process) => {
                self.deliver(place, process, false);
                false
            }
            Step::DeliverTwice(place, process) => {
                self.deliver(place, process, true);
                true
            }
            Step::Lose(place) => {
                self.world.core().stripe.deliveries.remove(place);
                true
            }
            Step::Arrive(place) => {
                let mut core = self.world.core();
                let (request, now) = (core.stripe.late.remove(place), core.now);
                core.stripe.handle(&request, now, None);
                core.is_touched = true;
                false
            }
            Step::Work(process) => {
                self.work(process);
                false
            }
            Step::Kill(process) => {
                self.kill(process);
                true
            }
            Step::Start(process) => {
                self.start(process);
                false
            }
            Step::Leave(number) => {
                let left = self.world.core().inside.iter().find(|it| it.number == number).copied();
                self.world.core().inside.retain(|it| it.number != number);
                if let Some(inside) = left {
                    self.poll(inside.actor);
                }
                true
            }
            Step::PowerCut => {
                for process in 0..self.plan.processes {
                    self.kill(process);
                }
                self.world.store.power_cut();
                true
            }
            Step::Pass(seconds) => {
                self.world.core().pass(seconds);
                true
            }
            Step::Backup => {
                self.take_backup();
                false
            }
            Step::Restore => {
                self.restore();
                false
            }
        };
        self.faults += u32::from(is_fault);
        self.finish_saying();
        let mut core = self.world.core();
        let micros = core.now.unix_micros() + self.plan.step_micros;
        core.now = Timestamp::from_unix_micros(micros).unwrap_or(core.now);
        if !std::mem::take(&mut core.is_touched) {
            return Ok(());
        }
        let Core { stripe, books, .. } = &mut *core;
        self.world.store.read(|tables| invariants::always(tables, &stripe.twin, books))
    }

    fn poll(&mut self, actor: ActorId) {
        self.world.core().running = actor;
        let index = usize::try_from(actor).unwrap_or(usize::MAX);
        let Some(place) = self.actors.get_mut(index) else { return };
        if let Some(mut future) = place.future.take()
            && future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
        {
            place.future = Some(future);
        } else if let Some(worker) = self.workers.iter_mut().find(|it| **it == Some(actor)) {
            *worker = None;
        }
    }

    /// Adds somebody, who begins at once.
    fn add(&mut self, name: impl FnOnce() -> String, future: BoxFuture<'static, ()>) -> ActorId {
        let name = if self.trace.is_some() { name() } else { String::new() };
        let actor = ActorId::try_from(self.actors.len()).unwrap_or(ActorId::MAX);
        self.actors.push(Actor { name, future: Some(future) });
        self.poll(actor);
        actor
    }

    fn add_person(&mut self, acts: Vec<Act>) {
        let number = self.actors.len();
        let (capture, tries) = (self.plan.capture, self.plan.tries);
        let person = Person { world: self.world.clone(), number, capture, tries };
        self.add(|| format!("person {number}"), Box::pin(person.live(acts)));
    }
}
