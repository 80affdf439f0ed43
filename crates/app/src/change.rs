//! The first two beats of every use case, in one place: decide on what is stored, commit what was decided.

use paywright_domain::{Decision, Order, Timestamp};

use crate::ports::inbox::ReceivedEvent;
use crate::{
    ATTEMPTS_MAX, Access, Actor, App, Cause, Changes, IdempotencyRecord, OrderRef, StoreError, Versioned, log,
};

/// Why an order was not changed.
pub(crate) enum ChangeError<E> {
    /// There is none, or it is somebody else's.
    NotFound,
    /// The domain refused.
    Refused(E),
    /// The store did not take it.
    Store(StoreError),
}

/// Cause, inbox event and idempotency record that are committed together with a decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommitContext {
    /// What made it happen.
    pub(crate) cause: Option<Cause>,
    /// The message that it takes in.
    pub(crate) received: Option<ReceivedEvent>,
    /// What a repeat of the request is to be told.
    pub(crate) idempotency: Option<IdempotencyRecord>,
}

impl CommitContext {
    /// News from `source`, which the provider has told in the answer to `request`.
    pub(crate) fn from(source: &str, request: Option<String>) -> Self {
        let cause = Cause { source: source.to_owned(), request, ..Cause::default() };
        Self { cause: Some(cause), ..Self::default() }
    }
}

impl App {
    /// As [`Self::change_with_context`], with no context.
    pub(crate) async fn change<E>(
        &self,
        names: &[OrderRef],
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<Decision, E> + Send + Sync,
    ) -> Result<Order, ChangeError<E>> {
        self.change_with_context(names, access, |order, now| Ok((decide(order, now)?, CommitContext::default()))).await
    }

    /// Decides on the order that one of `names` finds, commits the decision, and gives the order as it is
    /// then. Where another writer came first, or the store did not say whether it committed, it decides again on
    /// what is there by then, [`ATTEMPTS_MAX`] times at most. Of a decision that changes nothing, only the message
    /// that it takes in is kept.
    pub(crate) async fn change_with_context<E>(
        &self,
        names: &[OrderRef],
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<(Decision, CommitContext), E> + Send + Sync,
    ) -> Result<Order, ChangeError<E>> {
        let mut attempt = 1;
        loop {
            let found = self.find(names, access).await.map_err(ChangeError::Store)?;
            let Versioned { version, value: order } = found.ok_or(ChangeError::NotFound)?;
            let now = self.clock.now();
            let (decision, context) = decide(&order, now).map_err(ChangeError::Refused)?;
            let received = context.received.map(|it| ReceivedEvent { order: Some(order.id), ..it });
            if decision.order == order {
                if let Some(event) = &received {
                    self.store.record_event(event).await.map_err(ChangeError::Store)?;
                }
                return Ok(order);
            }
            let after = decision.order.clone();
            let CommitContext { idempotency, cause, .. } = context;
            let changes = Changes { idempotency, cause, received, ..self.changes(version, decision, now) };
            match self.commit(changes).await {
                Ok(()) => return Ok(after),
                Err(error) => self.again_after(error, &mut attempt).await.map_err(ChangeError::Store)?,
            }
        }
    }

    /// Commits with the actor of the work under way, logs the change, and wakes the worker if there is something to be
    /// done at once. Every use case commits here, so that none can forget who asked.
    pub(crate) async fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        changes.cause = Cause::with_actor(changes.cause, Actor::current());
        let urgent = changes.tasks.iter().any(|it| it.due_at <= changes.at);
        let change = log::Change::of(&changes);
        let committed = self.store.commit(changes).await;
        change.log(&committed);
        committed?;
        if urgent {
            self.waker.wake();
        }
        Ok(())
    }

    /// Lets a use case go on with its next attempt after a commit that may go another way then, if it has one
    /// left and its deadline is not over.
    pub(crate) async fn again_after(&self, error: StoreError, attempt: &mut u32) -> Result<(), StoreError> {
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

    /// Whether this request has waited for the store for so long that it makes no further attempt.
    fn is_out_of_time(&self) -> bool {
        self.doubt.as_ref().is_some_and(|it| it.deadline.is_over())
    }

    /// Pauses after the `attempt`th attempt at the store. That counts as waiting for it.
    pub(crate) async fn pause(&self, attempt: u32) {
        let pause = self.clock.pause(attempt);
        match &self.doubt {
            Some(doubt) => doubt.deadline.counted(pause).await,
            None => pause.await,
        }
    }

    /// The order that the first of `names` to find one finds, if `access` permits to see it.
    pub(crate) async fn find(
        &self,
        names: &[OrderRef],
        access: &Access,
    ) -> Result<Option<Versioned<Order>>, StoreError> {
        for name in names {
            if let Some(found) = self.store.order(name).await? {
                log::found(name, &found.value);
                return Ok(Some(found).filter(|it| access.permits(&it.value)));
            }
        }
        Ok(None)
    }

    /// The order with this name, if `access` permits to see it.
    pub(crate) async fn load(
        &self,
        which: &OrderRef,
        access: &Access,
    ) -> Result<Versioned<Order>, crate::GetOrderError> {
        self.find(std::slice::from_ref(which), access).await?.ok_or(crate::GetOrderError::NotFound)
    }
}
