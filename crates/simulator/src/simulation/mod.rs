//! One run: the actors, and the scheduler that chooses the next step and its fault. There is no runtime, no thread and
//! no clock but the simulated one.

mod at_rest;
mod books;
mod feed;
mod processes;
mod restore;
mod trace;

use std::collections::HashSet;
use std::task::{Context, Waker};

use paywright_domain::Timestamp;

use crate::acts::{Act, EndpointAct, Person};
use crate::books::Violation;
use crate::choices::Choices;
use crate::fault::{Call, Fault};
use crate::invariants;
use crate::plan::Plan;
use crate::store::Tables;
use crate::world::{ActorId, BEGINNING_SECONDS, BoxFuture, Core, PendingCall, Process, World};
use restore::Backup;

/// Times that the scheduler may let pass in one step, in seconds: beyond a retry, a request, a lease.
const PASSES: [u32; 3] = [3, 95, 185];

/// As [`PASSES`], while no caller waits for an answer: an hour, the lifetime of an idempotency key, that of an
/// authorization. Requests and steps of a worker have deadlines and do not last so long.
const LONG_PASSES: [u32; 3] = [3600, 90_000, 8 * 86_400];

/// Most time that passes at random in one run, in seconds: Stripe lists an event for 30 days.
const PASSED_SECONDS_MAX: u32 = 15 * 86_400;

/// End of a run.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Everything under way was finished, and every invariant holds.
    AtRest,
    /// The run reached a state that an earlier run has reached.
    KnownState,
    /// An invariant is broken.
    Broken(Violation),
}

/// Steps of the scheduler.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A pending call happens, with a fault.
    Call(PendingCall, Fault),
    /// A webhook (by index) arrives at a process.
    Deliver(usize, usize),
    /// A webhook arrives at a process, and will arrive again.
    DeliverTwice(usize, usize),
    /// A webhook is lost for good.
    DropWebhook(usize),
    /// A request reaches Stripe after its caller has timed out.
    ArriveLate(usize),
    /// The worker of a process takes a step.
    Work(usize),
    /// The relay of a process takes a step.
    Relay(usize),
    /// The deliverer of a process takes a step.
    SendWebhooks(usize),
    /// The bookkeeper of a process takes a step.
    Keep(usize),
    /// The store performs a write after its caller has given up.
    WriteLate(usize),
    /// A webhook reaches its receiver after its sender has timed out.
    ReceiveLate(usize),
    /// A process is killed.
    Kill(usize),
    /// A process is started.
    Start(usize),
    /// A caller disconnects.
    AbandonCall(u32),
    /// Every process dies, and the store is rebuilt from its journal.
    PowerCut,
    /// Time passes, in seconds.
    PassTime(u32),
    /// A backup is taken.
    Backup,
    /// Every process dies, and the store returns to its state at the backup.
    Restore,
}

impl Step {
    /// Whether the step counts as a fault, of which a plan allows a limited number.
    fn is_fault(self) -> bool {
        match self {
            Self::Call(_, fault) => fault != Fault::None,
            Self::DeliverTwice(..)
            | Self::DropWebhook(_)
            | Self::Kill(_)
            | Self::AbandonCall(_)
            | Self::PowerCut
            | Self::PassTime(_) => true,
            Self::Deliver(..)
            | Self::ArriveLate(_)
            | Self::Work(_)
            | Self::Relay(_)
            | Self::SendWebhooks(_)
            | Self::Keep(_)
            | Self::WriteLate(_)
            | Self::ReceiveLate(_)
            | Self::Start(_)
            | Self::Backup
            | Self::Restore => false,
        }
    }
}

/// Steps that may happen next, with their weights.
struct Offer<'a> {
    options: &'a mut Vec<Step>,
    weights: &'a mut Vec<u32>,
}

impl Offer<'_> {
    /// Adds a step, unless its weight is 0.
    fn add(&mut self, step: Step, weight: u32) {
        if weight > 0 {
            self.options.push(step);
            self.weights.push(weight);
        }
    }
}

/// State of the world that several offers depend on.
struct Scene<'a> {
    /// Pending calls that are no short pause.
    calls: Vec<&'a PendingCall>,
    /// Pending short pauses.
    pauses: Vec<&'a PendingCall>,
    /// Running processes.
    processes: Vec<usize>,
    /// Webhooks that may arrive now: the first few by index.
    on_their_way: Vec<usize>,
    /// Whether neither a caller nor a late request is waiting.
    nobody_waits: bool,
}

impl<'a> Scene<'a> {
    fn of(core: &'a Core) -> Self {
        let (pauses, calls) = core.pending.iter().partition(|it| it.call == Call::Pause);
        let is_up = |process: &usize| core.processes.get(*process).is_some_and(|it| it.app.is_some());
        let due = core.stripe.deliveries.iter().enumerate().filter(|(_, it)| it.due_at <= core.now).take(4);
        Self {
            calls,
            pauses,
            processes: (0..core.processes.len()).filter(is_up).collect(),
            on_their_way: due.map(|(place, _)| place).collect(),
            nobody_waits: core.in_process.is_empty() && core.stripe.late.is_empty() && core.late_writes.is_empty(),
        }
    }
}

/// Loops of a process that run in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loop {
    /// Performs tasks, and processes events.
    Worker,
    /// Gives facts their positions.
    Relay,
    /// Sends webhooks.
    Deliverer,
    /// Keeps the books.
    Bookkeeper,
}

struct Actor {
    name: String,
    future: Option<BoxFuture<'static, ()>>,
}

/// Digests of the states that earlier runs have reached.
pub(crate) type Seen = HashSet<u64>;

/// One run.
pub(crate) struct Simulation<'a> {
    world: World,
    plan: &'a Plan,
    pub(crate) choices: Choices,
    actors: Vec<Actor>,
    /// Loops that are taking a step, by process, with the actor that takes it.
    busy: Vec<(Loop, usize, ActorId)>,
    faults: u32,
    backup: Option<Backup>,
    restores: u32,
    pub(crate) steps: u32,
    /// Whether no more faults happen.
    is_resting: bool,
    /// One line for each step, if the run is traced.
    pub(crate) trace: Option<Vec<String>>,
    seen: Option<&'a mut Seen>,
    /// Number of leading choices that repeat an earlier run.
    known_choices: usize,
}

impl Drop for Simulation<'_> {
    /// Breaks the cycle between the world, which holds the processes, and the processes, which hold the world.
    fn drop(&mut self) {
        self.actors.clear();
        let mut core = self.world.core();
        let processes = std::mem::take(&mut core.processes);
        let late_writes = std::mem::take(&mut core.late_writes);
        drop(core);
        drop((processes, late_writes));
    }
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(plan: &'a Plan, choices: Choices) -> Self {
        let world = World::new();
        {
            let mut core = world.core();
            core.pause_millis = plan.pause_millis;
            core.unknown_seconds = plan.unknown_seconds;
            core.stripe.webhooks_left = if plan.webhooks { plan.webhooks_max } else { 0 };
            core.stripe.listing_lag_seconds = plan.listing_lag_seconds;
            core.processes.resize_with(plan.processes, Process::default);
        }
        let (actors, busy, trace, seen) = (Vec::new(), Vec::new(), None, None);
        let (faults, backup, restores, steps, known_choices, is_resting) = (0, None, 0, 0, 0, false);
        Self {
            world,
            plan,
            choices,
            actors,
            busy,
            faults,
            backup,
            restores,
            steps,
            is_resting,
            trace,
            seen,
            known_choices,
        }
    }

    /// Turns the trace on.
    pub(crate) fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// Ends the run when it reaches a known state, after its first `known` choices.
    pub(crate) fn remembering(mut self, seen: &'a mut Seen, known: usize) -> Self {
        self.world.core().learned = Some(Vec::new());
        self.known_choices = known;
        self.seen = Some(seen);
        self
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Ending {
        match self.run_to_end() {
            Ok(true) => Ending::AtRest,
            Ok(false) => Ending::KnownState,
            Err(violation) => Ending::Broken(violation),
        }
    }

    fn run_to_end(&mut self) -> Result<bool, Violation> {
        self.set_account_up();
        for process in 0..self.plan.processes {
            self.start(process);
        }
        let endpoints = self.plan.endpoints.iter().map(|it| Act::Endpoint(EndpointAct::Create(*it)));
        self.add_person(endpoints.chain(self.plan.before.iter().copied()).collect());
        self.run_without_faults()?;
        for acts in &self.plan.people {
            self.add_person(acts.clone());
        }
        if !self.run_with_faults()? {
            return Ok(false);
        }
        self.run_to_rest()?;
        self.check_open_order_is_payable()?;
        self.enable_endpoints()?;
        self.check_books()?;
        Ok(true)
    }

    /// Lets every pending call happen in turn, without faults and without other steps.
    fn run_without_faults(&mut self) -> Result<(), Violation> {
        while let Some(pending) = self.first_pending() {
            self.take(Step::Call(pending, Fault::None))?;
        }
        Ok(())
    }

    fn first_pending(&self) -> Option<PendingCall> {
        let core = self.world.core();
        let is_call = |it: &&PendingCall| it.call != Call::Pause && it.call != Call::LongPause;
        core.pending.iter().find(is_call).or_else(|| core.pending.first()).copied()
    }

    /// Runs steps and faults by choice. Returns `false` if the run reached a known state.
    fn run_with_faults(&mut self) -> Result<bool, Violation> {
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

    /// Collects the steps that may happen next, the default one first, with their weights.
    fn offer(&self, options: &mut Vec<Step>, weights: &mut Vec<u32>) {
        options.clear();
        weights.clear();
        let mut offer = Offer { options, weights };
        let core = self.world.core();
        let scene = Scene::of(&core);
        self.offer_progress(&core, &scene, &mut offer);
        let feed_work = self.offer_feed(&core, &mut offer) | self.offer_books(&core, &mut offer);
        let is_done = core.pending.is_empty() && core.stripe.deliveries.is_empty() && core.stripe.late.is_empty();
        if is_done && !feed_work {
            return;
        }
        for process in &scene.processes {
            if self.has_work(&core, *process) {
                offer.add(Step::Work(*process), self.plan.step_weights.work);
            }
        }
        if self.restores < self.plan.restores_max {
            match self.backup {
                None => offer.add(Step::Backup, self.plan.step_weights.backup),
                Some(_) => offer.add(Step::Restore, self.plan.step_weights.restore),
            }
        }
        if self.faults < self.plan.faults_max {
            self.offer_faults(&core, &scene, &mut offer);
        }
    }

    /// Offers what happens without a fault: calls go on, webhooks and late requests arrive, processes start.
    fn offer_progress(&self, core: &Core, scene: &Scene<'_>, offer: &mut Offer<'_>) {
        let step_weights = &self.plan.step_weights;
        let may_go = |it: &&&PendingCall| it.call != Call::LongPause || scene.nobody_waits;
        // A pause is longer than one step of another actor.
        let is_over = |it: &&&PendingCall| it.since < self.steps || scene.calls.is_empty();
        for pending in scene.calls.iter().filter(may_go).chain(scene.pauses.iter().filter(is_over)) {
            offer.add(Step::Call(**pending, Fault::None), step_weights.go);
        }
        for delivery in &scene.on_their_way {
            if let Some(process) = scene.processes.get(delivery % scene.processes.len().max(1)) {
                offer.add(Step::Deliver(*delivery, *process), step_weights.deliver);
            }
        }
        for process in (0..core.processes.len()).filter(|it| !scene.processes.contains(it)) {
            offer.add(Step::Start(process), step_weights.start);
        }
        for late in 0..core.stripe.late.len() {
            offer.add(Step::ArriveLate(late), step_weights.go);
        }
    }

    /// Offers steps of relays and deliverers, and late writes and webhooks. Returns whether there are any.
    fn offer_feed(&self, core: &Core, offer: &mut Offer<'_>) -> bool {
        let step_weights = &self.plan.step_weights;
        let before = offer.options.len();
        if step_weights.relay > 0 || step_weights.send > 0 {
            for (name, process, at) in self.feed_work(core) {
                if at <= core.now {
                    match name {
                        Loop::Relay => offer.add(Step::Relay(process), step_weights.relay),
                        Loop::Deliverer => offer.add(Step::SendWebhooks(process), step_weights.send),
                        Loop::Worker | Loop::Bookkeeper => {}
                    }
                }
            }
        }
        for late in 0..core.late_writes.len() {
            offer.add(Step::WriteLate(late), step_weights.relay);
        }
        for late in 0..core.books.feed.late.len() {
            offer.add(Step::ReceiveLate(late), step_weights.send);
        }
        offer.options.len() > before
    }

    /// Offers steps of bookkeepers. Returns whether there are any.
    fn offer_books(&self, core: &Core, offer: &mut Offer<'_>) -> bool {
        let before = offer.options.len();
        for (process, _) in self.books_work(core).into_iter().filter(|(_, at)| *at <= core.now) {
            offer.add(Step::Keep(process), self.plan.step_weights.keep);
        }
        offer.options.len() > before
    }

    /// Offers faults of calls, of webhooks, of processes and of the machine, and jumps in time.
    fn offer_faults(&self, core: &Core, scene: &Scene<'_>, offer: &mut Offer<'_>) {
        let step_weights = &self.plan.step_weights;
        for pending in &scene.calls {
            for fault in pending.call.faults() {
                let weight = if *fault == Fault::Gone { step_weights.fault / 4 } else { step_weights.fault };
                offer.add(Step::Call(**pending, *fault), weight);
            }
        }
        for delivery in &scene.on_their_way {
            if let Some(process) = scene.processes.first() {
                offer.add(Step::DeliverTwice(*delivery, *process), step_weights.disturb);
            }
            offer.add(Step::DropWebhook(*delivery), step_weights.disturb);
        }
        for process in &scene.processes {
            offer.add(Step::Kill(*process), step_weights.kill);
        }
        for in_process in core.in_process.iter().filter(|it| it.may_be_abandoned) {
            offer.add(Step::AbandonCall(in_process.number), step_weights.leave);
        }
        offer.add(Step::PowerCut, step_weights.power_cut);
        let began = Timestamp::from_unix_seconds(BEGINNING_SECONDS).unwrap_or(core.now);
        let is_early = core.now < began.plus_seconds(PASSED_SECONDS_MAX);
        let long = if scene.nobody_waits && is_early { LONG_PASSES.as_slice() } else { &[] };
        for seconds in PASSES.iter().chain(long) {
            offer.add(Step::PassTime(*seconds), step_weights.pass);
        }
    }

    /// Whether a process's worker is idle and has work that is due.
    fn has_work(&self, core: &Core, process: usize) -> bool {
        let is_idle = self.is_idle(Loop::Worker, process);
        let is_woken = core.processes.get(process).is_some_and(|it| it.is_woken);
        is_idle && (is_woken || self.world.store.read(Tables::next_due).is_none_or(|it| it <= core.now))
    }

    /// Whether a loop of a process is taking no step.
    fn is_idle(&self, name: Loop, process: usize) -> bool {
        !self.busy.iter().any(|it| (it.0, it.1) == (name, process))
    }

    /// Takes one step, and checks what must always hold.
    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.steps += 1;
        self.world.core().steps = self.steps;
        self.begin_trace_line(step);
        self.apply(step);
        self.faults += u32::from(step.is_fault());
        self.finish_trace_line();
        let mut core = self.world.core();
        let micros = core.now.unix_micros() + self.plan.step_micros;
        core.now = Timestamp::from_unix_micros(micros).unwrap_or(core.now);
        if !std::mem::take(&mut core.is_touched) {
            return Ok(());
        }
        let Core { stripe, books, .. } = &mut *core;
        self.world.store.read(|tables| invariants::always(tables, &stripe.twin, books))
    }

    /// Performs the step.
    fn apply(&mut self, step: Step) {
        match step {
            Step::Call(pending, fault) => {
                self.world.grant(pending.turn, fault);
                self.poll(pending.actor);
            }
            Step::Deliver(place, process) => self.deliver(place, process, false),
            Step::DeliverTwice(place, process) => self.deliver(place, process, true),
            Step::DropWebhook(place) => drop(self.world.core().stripe.deliveries.remove(place)),
            Step::ArriveLate(place) => {
                let mut core = self.world.core();
                let (request, now) = (core.stripe.late.remove(place), core.now);
                core.stripe.handle(&request, now, None);
                core.is_touched = true;
            }
            Step::Work(process) => self.work(process),
            Step::Relay(process) => self.relay(process),
            Step::SendWebhooks(process) => self.send_webhooks(process),
            Step::Keep(process) => self.keep_books(process, self.is_resting),
            Step::WriteLate(place) => self.write_late(place),
            Step::ReceiveLate(place) => self.receive_late(place),
            Step::Kill(process) => self.kill(process),
            Step::Start(process) => self.start(process),
            Step::AbandonCall(number) => {
                let left = self.world.core().in_process.iter().find(|it| it.number == number).copied();
                self.world.core().in_process.retain(|it| it.number != number);
                if let Some(in_process) = left {
                    self.poll(in_process.actor);
                }
            }
            Step::PowerCut => {
                for process in 0..self.plan.processes {
                    self.kill(process);
                }
                self.drop_late_writes();
                self.world.store.power_cut();
            }
            Step::PassTime(seconds) => self.world.core().pass(seconds),
            Step::Backup => self.take_backup(),
            Step::Restore => self.restore(),
        }
    }

    fn poll(&mut self, actor: ActorId) {
        self.world.core().running = actor;
        let index = usize::try_from(actor).unwrap_or(usize::MAX);
        let Some(place) = self.actors.get_mut(index) else { return };
        if let Some(mut future) = place.future.take()
            && future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
        {
            place.future = Some(future);
        } else {
            self.busy.retain(|it| it.2 != actor);
        }
    }

    /// Drops the writes that the store has not performed yet: it has died.
    fn drop_late_writes(&self) {
        let late_writes = std::mem::take(&mut self.world.core().late_writes);
        drop(late_writes);
    }

    /// Adds an actor that takes a step of a loop.
    fn add_loop(&mut self, name: Loop, process: usize, step: BoxFuture<'static, ()>) {
        let actor = self.add(|| format!("{name:?} {process}").to_lowercase(), step);
        let is_done = self.actors.last().is_none_or(|it| it.future.is_none());
        if !is_done {
            self.busy.push((name, process, actor));
        }
    }

    /// Adds an actor and polls it.
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
        self.add(|| format!("person {number}"), Box::pin(person.perform(acts)));
    }
}
