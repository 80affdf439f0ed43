//! One run: everybody who lives in the world, and the scheduler that says who goes on and what befalls them. There is
//! no runtime, no thread and no clock but the world's.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use paywright_app::{App, Explanation, OrderRef, Settings, Store, explain_order};
use paywright_domain::{OrderState, PaymentState, Timestamp};

use crate::acts::{Act, Deed, Person, VISA};
use crate::books::Violation;
use crate::choices::Choices;
use crate::invariants;
use crate::luck::{Call, Luck};
use crate::plan::Plan;
use crate::ports::Outside;
use crate::store::Tables;
use crate::stripe::Delivery;
use crate::world::{ActorId, BEGINNING_SECONDS, BoxFuture, Core, Process, Waiting, World};

/// How much time the scheduler may let pass at once, in seconds: past a retry, a request, a lease.
const PASSES: [u32; 3] = [3, 95, 185];

/// As [`PASSES`], where nobody waits for an answer: an hour, the life of an idempotency key, that of an authorisation.
/// A request or a step of a worker does not last so long: its calls have deadlines.
const LONG_PASSES: [u32; 3] = [3600, 90_000, 8 * 86_400];

/// How much time may pass by chance in all, in seconds: Stripe lists a message for 30 days.
const PASSED_SECONDS_MAX: u32 = 15 * 86_400;

/// Within how many seconds everything must come to rest once nothing goes wrong any more: longer than an authorisation
/// holds, and than a message waits in vain.
const REST_SECONDS: u32 = 12 * 86_400;

/// The most steps to that rest: a run that takes more is going round in circles.
const REST_STEPS_MAX: u32 = 6000;

/// When Stripe delivers again what was not taken, in seconds, by the number of tries.
const REDELIVERY_SECONDS: [u32; 5] = [5, 300, 1800, 7200, 18_000];

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
    Go(Waiting, Luck),
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
    mishaps: u32,
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
            core.stripe.messages_left = if plan.webhooks { plan.messages_max } else { 0 };
            core.stripe.listing_lag_seconds = plan.listing_lag_seconds;
            core.processes.resize_with(plan.processes, Process::default);
        }
        let workers = vec![None; plan.processes];
        let (actors, trace, seen) = (Vec::new(), None, None);
        Self { world, plan, choices, actors, workers, mishaps: 0, steps: 0, trace, seen, known_choices: 0 }
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
            self.take(Step::Go(waiting, Luck::Fine))?;
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
        let may_go_wrong = self.mishaps < self.plan.mishaps_max;
        let (pauses, calls): (Vec<&Waiting>, Vec<&Waiting>) =
            core.waiting.iter().partition(|it| it.call == Call::Pause);
        let nobody_waits = core.inside.is_empty() && core.stripe.late.is_empty();
        let may_go = |it: &&&Waiting| it.call != Call::LongPause || nobody_waits;
        // A pause is longer than a step of somebody else.
        let is_over = |it: &&&Waiting| it.since < self.steps || calls.is_empty();
        for waiting in calls.iter().filter(may_go).chain(pauses.iter().filter(is_over)) {
            add(Step::Go(**waiting, Luck::Fine), menu.go);
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
        if !may_go_wrong {
            return;
        }
        for waiting in &calls {
            for luck in waiting.call.mishaps() {
                add(Step::Go(**waiting, *luck), menu.mishap);
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
        let is_rung = core.processes.get(process).is_some_and(|it| it.is_rung);
        is_idle && (is_rung || self.world.store.read(Tables::next_due).is_none_or(|it| it <= core.now))
    }

    /// Takes one step, and checks what must always hold.
    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.steps += 1;
        self.world.core().steps = self.steps;
        self.say(step);
        let is_mishap = match step {
            Step::Go(waiting, luck) => {
                self.world.grant(waiting.turn, luck);
                self.poll(waiting.actor);
                luck != Luck::Fine
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
                self.pass(seconds);
                true
            }
        };
        self.mishaps += u32::from(is_mishap);
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

    fn pass(&self, seconds: u32) {
        let mut core = self.world.core();
        core.now = core.now.plus_seconds(seconds);
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

    fn start(&mut self, process: usize) {
        let settings = Settings {
            expire_after_seconds: self.plan.expires,
            // Seldom, so that waiting for a week is not a thousand walks.
            back_fill_seconds: 6 * 3600,
            ..Settings::default()
        };
        let app = App::new(Outside::ports(&self.world, process), settings);
        let mut core = self.world.core();
        let key_version = core.stripe.key_version;
        if let Some(place) = core.processes.get_mut(process) {
            *place = Process { app: Some(app), generation: place.generation + 1, is_rung: true, key_version };
        }
    }

    /// Ends a process, and whatever goes on inside it.
    fn kill(&mut self, process: usize) {
        let mut core = self.world.core();
        let app = core.processes.get_mut(process).and_then(|it| {
            it.generation += 1;
            it.app.take()
        });
        let inside: Vec<ActorId> = core.inside.iter().filter(|it| it.process == process).map(|it| it.actor).collect();
        drop(core);
        for actor in inside {
            self.poll(actor);
        }
        drop(app);
        if self.plan.menu.start == 0 {
            self.start(process);
        }
    }

    fn work(&mut self, process: usize) {
        let world = self.world.clone();
        let step = async move {
            let now = world.now();
            if let Some(process) = world.core().processes.get_mut(process) {
                process.is_rung = false;
            }
            let work = world.inside(process, false, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.in_background().run_due_tasks(now).await })
            });
            if matches!(work.await, Ok(Ok(done)) if done > 0)
                && let Some(process) = world.core().processes.get_mut(process)
            {
                process.is_rung = true;
            }
        };
        let actor = self.add(|| format!("worker {process}"), Box::pin(step));
        let is_done = self.actors.last().is_none_or(|it| it.future.is_none());
        if let Some(worker) = self.workers.get_mut(process).filter(|_| !is_done) {
            *worker = Some(actor);
        }
    }

    /// A message arrives. If it is not taken, it comes again.
    fn deliver(&mut self, place: usize, process: usize, again: bool) {
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
            let taken = world.inside(process, true, |app| -> BoxFuture<'static, _> {
                Box::pin(async move { app.take_event(event, "webhook", BTreeMap::new()).await })
            });
            // With the key its secret was changed too: the signature does not match.
            let is_taken = speaks_our_key && matches!(taken.await, Ok(Ok(_)));
            let mut core = world.core();
            if is_taken {
                core.books.told_messages.insert(id);
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

    /// Everything goes well from now on: time passes to whatever is next, until nothing is on its way.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        let end = self.world.now().plus_seconds(REST_SECONDS);
        let steps_max = self.steps + REST_STEPS_MAX;
        loop {
            self.renew();
            self.do_what_is_due(steps_max)?;
            if self.renew() {
                continue;
            }
            let unrest = {
                let core = self.world.core();
                self.world.store.read(|tables| invariants::unrest(tables, &core.stripe.twin))
            };
            let Some(unrest) = unrest else { break };
            let next = self.next_instant();
            match next {
                Some(next) if next <= end && self.steps < steps_max => self.world.core().now = next,
                Some(_) | None => return Err(unrest),
            }
        }
        let core = self.world.core();
        self.world.store.read(|tables| invariants::at_rest(tables, &core.stripe.twin, &core.books))
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
                self.take(Step::Go(waiting, Luck::Fine))?;
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
    fn pay_what_is_open(&mut self) -> Result<(), Violation> {
        let is_payable = |it: &paywright_domain::Order| {
            matches!(it.state, OrderState::Open)
                && matches!(it.payment_state(), PaymentState::Unpaid | PaymentState::RequiresAction)
        };
        let order = self.world.core().books.order;
        let Some(order) = order.filter(|it| self.is_order(*it, is_payable)) else { return Ok(()) };
        // As somebody does who comes back to the page.
        self.add_person(vec![Act::Ask, Act::At(Deed::Pay(VISA)), Act::Check, Act::Capture(None)]);
        self.go_on_undisturbed()?;
        self.come_to_rest()?;
        let is_done = |it: &paywright_domain::Order| {
            !matches!(it.state, OrderState::Open) || it.payment_state() == PaymentState::Review
        };
        if self.is_order(order, is_done) {
            return Ok(());
        }
        Err(Violation::of("I6", format!("order {order} is open, and nobody can pay it")))
    }

    fn is_order(&self, order: paywright_domain::OrderId, is_so: impl Fn(&paywright_domain::Order) -> bool) -> bool {
        self.world.store.read(|it| it.orders.get(&order).is_some_and(|it| is_so(&it.value)))
    }

    /// Whether another run was in the state that this one is in now.
    fn is_known(&mut self) -> bool {
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
            write!(state, "{:?} {} {:?}", core.learned, self.mishaps, core.now)
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

    fn say(&mut self, step: Step) {
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
            Step::Go(waiting, Luck::Fine) => format!("{}: {}", name(waiting.actor), waiting.name),
            Step::Go(waiting, luck) => format!("{}: {}, {luck:?}", name(waiting.actor), waiting.name),
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
        };
        let line = format!("{:>3} {} {what}", self.steps, core.now);
        drop(core);
        self.world.core().said = Some(line);
    }

    fn finish_saying(&mut self) {
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
