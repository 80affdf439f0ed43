//! The world that a run happens in: one clock, one Stripe, one store, a few processes, and everybody who waits for the
//! scheduler to go on. Nothing in it runs by itself.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use paywright_app::App;
use paywright_domain::Timestamp;

use crate::books::Books;
use crate::fault::{Call, Fault};
use crate::store::MemoryStore;
use crate::stripe::Stripe;

/// When every run begins.
pub(crate) const BEGINNING_SECONDS: i64 = 1_800_000_000;

/// How much of what came of a call is shown, in characters.
const SAID_CHARS_MAX: usize = 160;

/// Somebody who does something by and by: a customer, an operator, a worker's step, a delivery.
pub(crate) type ActorId = u32;

/// A call that waits for its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) turn: u32,
    pub(crate) actor: ActorId,
    pub(crate) call: Call,
    pub(crate) name: &'static str,
    /// After how many steps of the run it began to wait.
    pub(crate) since: u32,
}

/// A piece of work inside a process, whose end somebody waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inside {
    pub(crate) number: u32,
    pub(crate) actor: ActorId,
    pub(crate) process: usize,
    /// Whether its caller may leave it: not so for a worker, whom nobody waits for.
    pub(crate) may_be_left: bool,
}

/// One process of the service.
#[derive(Default)]
pub(crate) struct Process {
    /// Its use cases; none while it is down.
    pub(crate) app: Option<App>,
    /// How often it was started.
    pub(crate) generation: u32,
    /// Whether there is something to be done at once.
    pub(crate) is_woken: bool,
    /// The key that it asks Stripe with.
    pub(crate) key_version: u32,
}

/// What the scheduler sees and changes.
pub(crate) struct Core {
    pub(crate) now: Timestamp,
    /// How long a pause takes, times the attempt.
    pub(crate) pause_millis: u32,
    /// How long the store takes over a commit whose outcome stays open, in seconds.
    pub(crate) unknown_seconds: u32,
    pub(crate) stripe: Stripe,
    pub(crate) processes: Vec<Process>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) inside: Vec<Inside>,
    pub(crate) books: Books,
    /// Whether anything has changed since the invariants were checked.
    pub(crate) is_touched: bool,
    /// Who is being polled.
    pub(crate) running: ActorId,
    /// How many steps were taken.
    pub(crate) steps: u32,
    /// What was said of this step, if somebody wants to read it.
    pub(crate) said: Option<String>,
    /// What each actor has learned, if states are to be told apart.
    pub(crate) learned: Option<Vec<u64>>,
    granted: Option<(u32, Fault)>,
    turns: u32,
    drawn: u32,
}

impl Core {
    /// A number for a call, or for work inside a process, that was not given before.
    const fn turn(&mut self) -> u32 {
        self.turns += 1;
        self.turns
    }

    /// What whoever is being polled has learned, if that is kept.
    fn learned_by_running(&mut self) -> Option<&mut u64> {
        let actor = usize::try_from(self.running).ok()?;
        let learned = self.learned.as_mut()?;
        learned.resize(learned.len().max(actor + 1), 0);
        learned.get_mut(actor)
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, seconds: u32) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// A number for an id that was not given before.
    pub(crate) const fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }
}

/// The world, for all who live in it.
#[derive(Clone)]
pub(crate) struct World {
    core: Arc<Mutex<Core>>,
    pub(crate) store: MemoryStore,
}

impl World {
    pub(crate) fn new() -> Self {
        let core = Core {
            now: Timestamp::from_unix_seconds(BEGINNING_SECONDS).unwrap_or(Timestamp::EPOCH),
            pause_millis: 0,
            unknown_seconds: 0,
            stripe: Stripe::default(),
            processes: Vec::new(),
            waiting: Vec::new(),
            inside: Vec::new(),
            books: Books::default(),
            is_touched: false,
            running: 0,
            steps: 0,
            said: None,
            learned: None,
            granted: None,
            turns: 0,
            drawn: 0,
        };
        Self { core: Arc::new(Mutex::new(core)), store: MemoryStore::default() }
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.core().now
    }

    /// Waits until the scheduler lets this call happen, and says how it goes.
    pub(crate) const fn turn(&self, call: Call, name: &'static str) -> Turn<'_> {
        Turn { world: self, call, name, number: None }
    }

    /// Notes what came of a call: for whoever reads the schedule, and to tell states apart. Nothing is worded where
    /// neither is wanted.
    pub(crate) fn learn(&self, what: impl FnOnce() -> String) {
        let mut core = self.core();
        if core.said.is_none() && core.learned.is_none() {
            return;
        }
        let what = what();
        if let Some(known) = core.learned_by_running() {
            let mut hasher = DefaultHasher::new();
            (*known, &what).hash(&mut hasher);
            *known = hasher.finish();
        }
        if let Some(said) = &mut core.said {
            let end = what.char_indices().nth(SAID_CHARS_MAX).map(|(end, _)| end);
            let shown = end.and_then(|end| what.get(..end)).unwrap_or(&what);
            said.extend([" -> ", shown, if end.is_some() { "…" } else { "" }]);
        }
    }

    /// Lets `call` happen, when its actor is polled next.
    pub(crate) fn grant(&self, turn: u32, fault: Fault) {
        self.core().granted = Some((turn, fault));
    }

    /// Does something in a process. Its end is not heard of if the process dies, or if the caller leaves.
    pub(crate) fn inside<'a, T>(
        &self,
        process: usize,
        may_be_left: bool,
        work: impl FnOnce(App) -> BoxFuture<'a, T>,
    ) -> Within<'a, T> {
        let mut core = self.core();
        let number = core.turn();
        let (app, generation) = core.processes.get(process).map_or((None, 0), |it| (it.app.clone(), it.generation));
        let inside = Inside { number, actor: core.running, process, may_be_left };
        core.inside.push(inside);
        let learned = core.learned_by_running().copied();
        drop(core);
        Within { world: self.clone(), inside, generation, learned, work: app.map(work) }
    }
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A call that waits for its turn.
pub(crate) struct Turn<'a> {
    world: &'a World,
    call: Call,
    name: &'static str,
    number: Option<u32>,
}

impl Future for Turn<'_> {
    type Output = Fault;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fault> {
        let mut core = self.world.core();
        let Some(turn) = self.number else {
            let turn = core.turn();
            let waiting = Waiting { turn, actor: core.running, call: self.call, name: self.name, since: core.steps };
            core.waiting.push(waiting);
            drop(core);
            self.number = Some(turn);
            return Poll::Pending;
        };
        match core.granted.take_if(|(granted, _)| *granted == turn) {
            Some((_, fault)) => {
                core.waiting.retain(|it| it.turn != turn);
                core.is_touched |= self.call.changes_something();
                drop(core);
                self.number = None;
                Poll::Ready(fault)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.number {
            self.world.core().waiting.retain(|it| it.turn != turn);
        }
    }
}

/// The process died, or the caller has left: nobody heard what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unheard;

/// Work inside a process.
pub(crate) struct Within<'a, T> {
    world: World,
    inside: Inside,
    generation: u32,
    /// What its caller had learned before it.
    learned: Option<u64>,
    work: Option<BoxFuture<'a, T>>,
}

impl<T> Future for Within<'_, T> {
    type Output = Result<T, Unheard>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_alive = {
            let core = self.world.core();
            let same = core.processes.get(self.inside.process).is_some_and(|it| it.generation == self.generation);
            same && core.inside.iter().any(|it| it.number == self.inside.number)
        };
        if let Some(work) = self.work.as_mut().filter(|_| is_alive) {
            return work.as_mut().poll(context).map(Ok);
        }
        self.work = None;
        // All that the caller has learned of it is that it was cut off.
        if let (Some(known), Some(before)) = (self.world.core().learned_by_running(), self.learned) {
            *known = before;
        }
        self.world.learn(|| "unheard".to_owned());
        Poll::Ready(Err(Unheard))
    }
}

impl<T> Drop for Within<'_, T> {
    fn drop(&mut self) {
        let number = self.inside.number;
        self.world.core().inside.retain(|it| it.number != number);
    }
}
