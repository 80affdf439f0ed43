//! Decide and commit, the first two steps of every use case, and the one loop that repeats them.

use std::sync::atomic::{AtomicBool, Ordering};

use paywright_domain::{Decision, Fact, Order, OrderId, Timestamp};

use crate::metrics::{self, CountedFacts};
use crate::ports::inbox::ReceivedEvent;
use crate::{
    ATTEMPTS_MAX, Access, Actor, App, Cause, Changes, GetOrderError, IdempotencyRecord, OrderRef, StoreError,
    Versioned, log, traces,
};

/// Why an order was not changed, where the caller has no error type of its own for it.
pub(crate) enum ChangeError<E> {
    /// The order was not found, or the store failed.
    Order(GetOrderError),
    /// The domain refused the change.
    Refused(E),
}

impl<E> From<GetOrderError> for ChangeError<E> {
    fn from(error: GetOrderError) -> Self {
        Self::Order(error)
    }
}

impl<E> From<StoreError> for ChangeError<E> {
    fn from(error: StoreError) -> Self {
        Self::Order(error.into())
    }
}

/// Result of one attempt of [`App::retry`].
pub(crate) enum Attempt<T> {
    /// The work is done.
    Done(T),
    /// The commit failed. Another attempt follows where another writer came first, or where it is unknown whether the
    /// commit was done.
    NotCommitted(StoreError),
    /// The decision is out of date; another attempt follows at once.
    Outdated,
}

impl<T> Attempt<T> {
    /// Converts the result of the attempt.
    pub(crate) fn map<U>(self, done: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(it) => Attempt::Done(done(it)),
            Self::NotCommitted(error) => Attempt::NotCommitted(error),
            Self::Outdated => Attempt::Outdated,
        }
    }

    /// Attempt that ended with this outcome of its commit; its result is `done`.
    pub(crate) fn committed(outcome: Result<(), StoreError>, done: T) -> Self {
        match outcome {
            Ok(()) => Self::Done(done),
            Err(error) => Self::NotCommitted(error),
        }
    }
}

/// Cause, inbox event and idempotency record that are committed together with a decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommitContext {
    /// Cause of the change.
    pub(crate) cause: Option<Cause>,
    /// Event that the change applies.
    pub(crate) received: Option<ReceivedEvent>,
    /// Answer for a repeat of the request.
    pub(crate) idempotency: Option<IdempotencyRecord>,
}

impl CommitContext {
    /// Context of an update from `source`, which Stripe gave in its answer to `request`.
    pub(crate) fn from(source: &str, request: Option<String>) -> Self {
        let cause = Cause { source: source.to_owned(), request, ..Cause::default() };
        Self { cause: Some(cause), ..Self::default() }
    }
}

impl App {
    /// Runs `attempt`, with its number from 1, until it is done or fails. It is repeated only after a failed commit or
    /// an outdated decision, [`ATTEMPTS_MAX`] times at most.
    pub(crate) async fn retry<T, E: From<StoreError>, A>(&self, mut attempt: impl FnMut(u32) -> A) -> Result<T, E>
    where
        A: Future<Output = Result<Attempt<T>, E>>,
    {
        self.retry_with((), |(), number| {
            let attempt = attempt(number);
            async move { Ok((attempt.await?, ())) }
        })
        .await
    }

    /// As [`Self::retry`], but passes `state` to the first attempt, and the state that an attempt returns to the next
    /// one.
    pub(crate) async fn retry_with<S, T, E: From<StoreError>, A>(
        &self,
        mut state: S,
        mut attempt: impl FnMut(S, u32) -> A,
    ) -> Result<T, E>
    where
        A: Future<Output = Result<(Attempt<T>, S), E>>,
    {
        let mut number = 1;
        loop {
            // On the heap: the future of a use case that calls others would not fit on a stack.
            let (ended, left) = Box::pin(attempt(state, number)).await?;
            match ended {
                Attempt::Done(done) => return Ok(done),
                Attempt::NotCommitted(error) => self.again_after(error, &mut number).await?,
                Attempt::Outdated if number < ATTEMPTS_MAX => number += 1,
                Attempt::Outdated => return Err(StoreError::Conflict.into()),
            }
            state = left;
        }
    }

    /// As [`Self::change_with_context`], with no context.
    pub(crate) async fn change<E: From<GetOrderError> + From<StoreError>>(
        &self,
        which: &OrderRef,
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<Decision, E> + Send + Sync,
    ) -> Result<Order, E> {
        self.change_from(None, which, access, decide).await
    }

    /// As [`Self::change`], for a person who has decided on an order as a page has shown it: it fails with `out_of_date` if
    /// `is_shown` denies that of the order on which the decision is committed. Returns the order, and whether the decision was a
    /// repetition, which changes nothing and is done whatever the page has shown.
    pub(crate) async fn change_shown<E: From<GetOrderError> + From<StoreError>>(
        &self,
        which: &OrderRef,
        is_shown: impl Fn(&Order) -> bool + Send + Sync,
        out_of_date: impl Fn() -> E + Send + Sync,
        decide: impl Fn(&Order, Timestamp) -> Result<Decision, E> + Send + Sync,
    ) -> Result<(Order, bool), E> {
        let is_repeat = AtomicBool::new(false);
        let decide = |order: &Order, now| {
            let decision = decide(order, now)?;
            is_repeat.store(decision.facts.is_empty(), Ordering::Relaxed);
            if decision.facts.is_empty() || is_shown(order) { Ok(decision) } else { Err(out_of_date()) }
        };
        let order = self.change(which, &Access::All, decide).await?;
        Ok((order, is_repeat.into_inner()))
    }

    /// Whether a fact of an order is stored, also by a request of which it was unknown whether its commit was done.
    pub(crate) async fn has_fact(&self, order: OrderId, is_it: impl Fn(&Fact) -> bool) -> Result<bool, StoreError> {
        Ok(self.store.orders.facts(order).await?.iter().any(|it| is_it(&it.fact)))
    }

    /// As [`Self::change`], where the first attempt decides on `known`, the order `which` as its caller has loaded it.
    pub(crate) async fn change_from<E: From<GetOrderError> + From<StoreError>>(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<Decision, E> + Send + Sync,
    ) -> Result<Order, E> {
        let decide = |order: &Order, now| Ok((decide(order, now)?, CommitContext::default()));
        self.decide_and_commit(known, which, access, decide).await
    }

    /// Loads the order `which`, commits the decision of `decide`, and returns the changed order. Each further attempt
    /// loads the order and decides again.
    pub(crate) async fn change_with_context<E: From<GetOrderError> + From<StoreError>>(
        &self,
        which: &OrderRef,
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<(Decision, CommitContext), E> + Send + Sync,
    ) -> Result<Order, E> {
        self.decide_and_commit(None, which, access, decide).await
    }

    async fn decide_and_commit<E: From<GetOrderError> + From<StoreError>>(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<(Decision, CommitContext), E> + Send + Sync,
    ) -> Result<Order, E> {
        let decide = &decide;
        self.retry_with(known, |known, _| async move {
            let found = self.known_or_loaded(known, which, access).await?;
            let now = self.clock.now();
            let (decision, context) = decide(&found.value, now)?;
            Ok((self.commit_decision(found, decision, context, now).await?, None))
        })
        .await
    }

    /// Commits `decision`, made at `now` on the order `found`. A decision that changes nothing is not committed; only
    /// the event of its context is stored.
    pub(crate) async fn commit_decision(
        &self,
        found: Versioned<Order>,
        decision: Decision,
        context: CommitContext,
        now: Timestamp,
    ) -> Result<Attempt<Order>, StoreError> {
        let Versioned { version, value: order } = found;
        let CommitContext { cause, received, idempotency } = context;
        let received = received.map(|it| ReceivedEvent { order: Some(order.id), ..it });
        if decision.order == order {
            if let Some(event) = &received {
                self.store.inbox.record_event(event).await?;
            }
            return Ok(Attempt::Done(order));
        }
        let after = decision.order.clone();
        let changes = Changes { idempotency, cause, received, ..self.changes(version, decision, now) };
        Ok(Attempt::committed(self.commit(changes).await, after))
    }

    /// Commits with the actor of the work under way, logs the change, and wakes the worker if a task is due at once.
    /// Every use case commits here, so that no change is stored without its actor.
    pub(crate) async fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        changes.cause = Cause::with_actor(changes.cause, Actor::current());
        changes.record_acts(&*self.ids);
        let urgent = changes.tasks.iter().any(|it| it.due_at <= changes.at);
        let is_public = changes.snapshot.is_some();
        let (change, counted) = (log::Change::of(&changes), CountedFacts::of(&changes.facts));
        let span = traces::commit(&changes);
        changes.cause = Cause::with_trace(changes.cause, self.traces.context_of(&span));
        let committed = self.store.orders.commit(changes).await;
        traces::committed(&span, &committed);
        drop(span);
        change.log(&committed);
        metrics::committed(&counted, &committed);
        committed?;
        if urgent {
            self.waker.wake();
        }
        if is_public {
            self.waker.wake_relay();
        }
        Ok(())
    }

    /// Pauses before the next attempt after a failed commit, if the failure permits one, one is left and the request's
    /// deadline is not over; else returns the failure.
    async fn again_after(&self, error: StoreError, attempt: &mut u32) -> Result<(), StoreError> {
        match error {
            StoreError::Conflict | StoreError::Unknown(_) if *attempt < ATTEMPTS_MAX && !self.is_out_of_time() => {
                self.pause(*attempt).await;
                *attempt += 1;
                Ok(())
            }
            StoreError::Conflict | StoreError::Unknown(_) | StoreError::Unavailable(_) | StoreError::Corrupt(_) => {
                Err(match &self.doubt {
                    Some(doubt) => doubt.at_the_end(error),
                    None => error,
                })
            }
        }
    }

    /// Whether this request has waited for the store too long to make a further attempt.
    fn is_out_of_time(&self) -> bool {
        self.doubt.as_ref().is_some_and(|it| it.deadline.is_over())
    }

    /// Pauses after the `attempt`th attempt. The pause counts as waiting for the store.
    pub(crate) async fn pause(&self, attempt: u32) {
        let pause = self.clock.pause(attempt);
        match &self.doubt {
            Some(doubt) => doubt.deadline.counted(pause).await,
            None => pause.await,
        }
    }

    /// Finds the order `which`; `None` if there is none that `access` permits to see.
    pub(crate) async fn find(&self, which: &OrderRef, access: &Access) -> Result<Option<Versioned<Order>>, StoreError> {
        let found = self.store.orders.order(which).await?;
        if let Some(found) = &found {
            log::found(which, &found.value);
        }
        Ok(found.filter(|it| access.permits(&it.value)))
    }

    /// Returns `known`, the order as a caller has loaded it under the same access, or else loads it.
    pub(crate) async fn known_or_loaded(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
    ) -> Result<Versioned<Order>, GetOrderError> {
        match known {
            Some(known) => Ok(known),
            None => self.load(which, access).await,
        }
    }

    /// Loads the order with this name, if `access` permits to see it.
    pub(crate) async fn load(&self, which: &OrderRef, access: &Access) -> Result<Versioned<Order>, GetOrderError> {
        self.find(which, access).await?.ok_or(GetOrderError::NotFound)
    }
}
