//! The simulated world of a run: one clock, one Stripe, one store, a few processes, and actors whose calls wait for the
//! scheduler. Nothing in it happens without a step of the scheduler.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use paywright_app::{App, Bookkeeper, Publisher};
use paywright_domain::Timestamp;

use crate::books::Books;
use crate::fault::{Call, Fault};
use crate::store::MemoryStore;
use crate::stripe::Stripe;

/// Time at which every run begins, in seconds since 1970.
pub(crate) const BEGINNING_SECONDS: i64 = 1_800_000_000;

/// Most characters of a call's outcome that are shown in the trace.
const OUTCOME_CHARS_MAX: usize = 160;

/// Number of an actor: a customer, an operator, one step of a worker, or one webhook delivery.
pub(crate) type ActorId = u32;

/// A call that waits for the scheduler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingCall {
    pub(crate) turn: u32,
    pub(crate) actor: ActorId,
    pub(crate) call: Call,
    pub(crate) name: &'static str,
    /// Number of steps after which the call began to wait.
    pub(crate) since: u32,
}

/// Work of a caller inside a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InProcess {
    pub(crate) number: u32,
    pub(crate) actor: ActorId,
    pub(crate) process: usize,
    /// Whether the caller may disconnect; a worker has no caller.
    pub(crate) may_be_abandoned: bool,
}

/// One process of the service.
#[derive(Default)]
pub(crate) struct Process {
    /// Use cases of the process; `None` while it is down.
    pub(crate) app: Option<App>,
    /// Use cases of the feed and the endpoints.
    pub(crate) publisher: Option<Publisher>,
    /// Use cases of the books, in a run that has some.
    pub(crate) bookkeeper: Option<Bookkeeper>,
    /// Whether its bookkeeper was woken: its next step is due immediately.
    pub(crate) is_books_woken: bool,
    /// Whether an answer to the bookkeeper has told the time at Stripe.
    pub(crate) knows_time_at_stripe: bool,
    /// Number of times the process was started.
    pub(crate) generation: u32,
    /// Whether its worker was woken: a task is due immediately.
    pub(crate) is_woken: bool,
    /// Version of the Stripe API key that the process uses.
    pub(crate) key_version: u32,
    /// Last step of its relay.
    pub(crate) relayed: Looked,
    /// Last step of its deliverer.
    pub(crate) delivered: Looked,
}

/// Last time that a loop of a process looked for work, with the number of changes of the store at that time.
pub(crate) type Looked = Option<(Timestamp, u32)>;

/// State of the world that the scheduler reads and changes.
pub(crate) struct Core {
    pub(crate) now: Timestamp,
    /// Length of a pause in milliseconds, multiplied by the attempt.
    pub(crate) pause_millis: u32,
    /// Time after which the store leaves a commit's outcome unknown, in seconds.
    pub(crate) unknown_seconds: u32,
    pub(crate) stripe: Stripe,
    pub(crate) processes: Vec<Process>,
    pub(crate) pending: Vec<PendingCall>,
    /// Wakers of the pending calls.
    wakers: Vec<(u32, Waker)>,
    /// Writes to the feed and the queues that are performed after their callers have given up.
    pub(crate) late_writes: Vec<(&'static str, BoxFuture<'static, ()>)>,
    pub(crate) in_process: Vec<InProcess>,
    pub(crate) books: Books,
    /// Whether the store or Stripe may have changed since the invariants were checked.
    pub(crate) is_touched: bool,
    /// Actor that is being polled.
    pub(crate) running: ActorId,
    /// Actor whose calls happen at once, without the scheduler.
    pub(crate) unscheduled: Option<ActorId>,
    /// Number of steps taken.
    pub(crate) steps: u32,
    /// Trace line of the current step, if the run is traced.
    pub(crate) trace_line: Option<String>,
    /// Digest of what each actor has learned, if states are compared.
    pub(crate) learned: Option<Vec<u64>>,
    /// Calls that may happen, each when its actor polls it next.
    granted: Vec<(u32, Fault)>,
    turns: u32,
    drawn: u32,
}

impl Core {
    /// Draws a new number for a call, or for work inside a process.
    const fn turn(&mut self) -> u32 {
        self.turns += 1;
        self.turns
    }

    /// Digest of what the polled actor has learned, if states are compared.
    fn knowledge_of_running(&mut self) -> Option<&mut u64> {
        let actor = usize::try_from(self.running).ok()?;
        let learned = self.learned.as_mut()?;
        learned.resize(learned.len().max(actor + 1), 0);
        learned.get_mut(actor)
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, seconds: u32) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// Draws a new number for an id.
    pub(crate) const fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }
}

/// Handle to the world, shared by all actors.
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
            pending: Vec::new(),
            wakers: Vec::new(),
            late_writes: Vec::new(),
            in_process: Vec::new(),
            books: Books::default(),
            is_touched: false,
            running: 0,
            unscheduled: None,
            steps: 0,
            trace_line: None,
            learned: None,
            granted: Vec::new(),
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

    /// Waits until the scheduler lets the call happen; returns the fault that it meets.
    pub(crate) const fn turn(&self, call: Call, name: &'static str) -> Turn<'_> {
        Turn { world: self, call, name, number: None }
    }

    /// Records the outcome of a call, for the trace and for the comparison of states. `what` is only called if one of
    /// them is on.
    pub(crate) fn learn(&self, what: impl FnOnce() -> String) {
        let mut core = self.core();
        if core.trace_line.is_none() && core.learned.is_none() {
            return;
        }
        let what = what();
        if let Some(known) = core.knowledge_of_running() {
            let mut hasher = DefaultHasher::new();
            (*known, &what).hash(&mut hasher);
            *known = hasher.finish();
        }
        if let Some(trace_line) = &mut core.trace_line {
            let end = what.char_indices().nth(OUTCOME_CHARS_MAX).map(|(end, _)| end);
            let shown = end.and_then(|end| what.get(..end)).unwrap_or(&what);
            trace_line.extend([" -> ", shown, if end.is_some() { "…" } else { "" }]);
        }
    }

    /// Lets a call happen when its actor is polled next.
    pub(crate) fn grant(&self, turn: u32, fault: Fault) {
        let mut core = self.core();
        core.granted.push((turn, fault));
        // An actor with several calls at a time may poll this one later.
        core.pending.retain(|it| it.turn != turn);
        let place = core.wakers.iter().position(|it| it.0 == turn);
        let waker = place.map(|it| core.wakers.swap_remove(it).1);
        drop(core);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Runs work inside a process. The result is [`Interrupted`] if the process dies or the caller disconnects.
    pub(crate) fn in_process<'a, T>(
        &self,
        process: usize,
        may_be_abandoned: bool,
        work: impl FnOnce(App) -> BoxFuture<'a, T>,
    ) -> ProcessCall<'a, T> {
        let app = self.core().processes.get(process).and_then(|it| it.app.clone());
        self.enter(process, may_be_abandoned, app.map(work))
    }

    /// As [`Self::in_process`], with the use cases of the feed and the endpoints.
    pub(crate) fn publish<'a, T>(
        &self,
        process: usize,
        may_be_abandoned: bool,
        work: impl FnOnce(Publisher) -> BoxFuture<'a, T>,
    ) -> ProcessCall<'a, T> {
        let publisher = self.core().processes.get(process).and_then(|it| it.publisher.clone());
        self.enter(process, may_be_abandoned, publisher.map(work))
    }

    /// As [`Self::in_process`], with the use cases of the books.
    pub(crate) fn keep<'a, T>(
        &self,
        process: usize,
        may_be_abandoned: bool,
        work: impl FnOnce(Bookkeeper) -> BoxFuture<'a, T>,
    ) -> ProcessCall<'a, T> {
        let bookkeeper = self.core().processes.get(process).and_then(|it| it.bookkeeper.clone());
        self.enter(process, may_be_abandoned, bookkeeper.map(work))
    }

    fn enter<'a, T>(
        &self,
        process: usize,
        may_be_abandoned: bool,
        work: Option<BoxFuture<'a, T>>,
    ) -> ProcessCall<'a, T> {
        let mut core = self.core();
        let number = core.turn();
        let generation = core.processes.get(process).map_or(0, |it| it.generation);
        let in_process = InProcess { number, actor: core.running, process, may_be_abandoned };
        core.in_process.push(in_process);
        let learned = core.knowledge_of_running().copied();
        drop(core);
        ProcessCall { world: self.clone(), in_process, generation, learned, work }
    }
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Future of a call that waits for the scheduler.
pub(crate) struct Turn<'a> {
    world: &'a World,
    call: Call,
    name: &'static str,
    number: Option<u32>,
}

impl Future for Turn<'_> {
    type Output = Fault;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fault> {
        let mut core = self.world.core();
        let Some(turn) = self.number else {
            if core.unscheduled == Some(core.running) {
                core.is_touched |= self.call.changes_something();
                return Poll::Ready(Fault::None);
            }
            let turn = core.turn();
            let pending =
                PendingCall { turn, actor: core.running, call: self.call, name: self.name, since: core.steps };
            core.pending.push(pending);
            core.wakers.push((turn, context.waker().clone()));
            drop(core);
            self.number = Some(turn);
            return Poll::Pending;
        };
        match core.granted.iter().position(|(granted, _)| *granted == turn) {
            Some(place) => {
                let (_, fault) = core.granted.swap_remove(place);
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
            let mut core = self.world.core();
            core.pending.retain(|it| it.turn != turn);
            core.granted.retain(|it| it.0 != turn);
            core.wakers.retain(|it| it.0 != turn);
        }
    }
}

/// Error of work whose process died or whose caller disconnected: its outcome is unknown to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// Future of work inside a process.
pub(crate) struct ProcessCall<'a, T> {
    world: World,
    in_process: InProcess,
    generation: u32,
    /// Digest of what the caller had learned before the work.
    learned: Option<u64>,
    work: Option<BoxFuture<'a, T>>,
}

impl<T> Future for ProcessCall<'_, T> {
    type Output = Result<T, Interrupted>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_alive = {
            let core = self.world.core();
            let same = core.processes.get(self.in_process.process).is_some_and(|it| it.generation == self.generation);
            same && core.in_process.iter().any(|it| it.number == self.in_process.number)
        };
        if let Some(work) = self.work.as_mut().filter(|_| is_alive) {
            return work.as_mut().poll(context).map(Ok);
        }
        self.work = None;
        // Of interrupted work the caller learns only that it was interrupted.
        if let (Some(known), Some(before)) = (self.world.core().knowledge_of_running(), self.learned) {
            *known = before;
        }
        self.world.learn(|| "interrupted".to_owned());
        Poll::Ready(Err(Interrupted))
    }
}

impl<T> Drop for ProcessCall<'_, T> {
    fn drop(&mut self) {
        let number = self.in_process.number;
        self.world.core().in_process.retain(|it| it.number != number);
    }
}
