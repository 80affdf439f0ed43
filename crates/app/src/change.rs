//! The first two beats of every use case, in one place: decide on what is stored, commit what was decided.

use paywright_domain::{Decision, Order, Timestamp};

use crate::{ATTEMPTS_MAX, Access, App, Changes, OrderRef, StoreError, Versioned};

/// Why an order was not changed.
pub(crate) enum ChangeError<E> {
    /// There is none, or it is somebody else's.
    NotFound,
    /// The domain refused.
    Refused(E),
    /// The store did not take it.
    Store(StoreError),
}

impl App {
    /// Decides on the order that one of `names` finds, commits the decision, and gives the order as it is
    /// then. Where another writer came first, or the store did not say whether it committed, it decides again on
    /// what is there by then, [`ATTEMPTS_MAX`] times at most. A decision that changes nothing is not committed.
    pub(crate) async fn change<E>(
        &self,
        names: &[OrderRef],
        access: &Access,
        decide: impl Fn(&Order, Timestamp) -> Result<Decision, E> + Send + Sync,
    ) -> Result<Order, ChangeError<E>> {
        let mut attempt = 1;
        loop {
            let found = self.find(names, access).await.map_err(ChangeError::Store)?;
            let Versioned { version, value: order } = found.ok_or(ChangeError::NotFound)?;
            let now = self.clock.now();
            let decision = decide(&order, now).map_err(ChangeError::Refused)?;
            if decision.order == order {
                return Ok(order);
            }
            let changed = decision.order.clone();
            match self.store.commit(Changes::of(version, decision, now, now)).await {
                Ok(()) => return Ok(changed),
                Err(error) => self.again_after(error, &mut attempt).await.map_err(ChangeError::Store)?,
            }
        }
    }

    /// Lets a use case go on with its next attempt after a commit that may go another way then, if it has one
    /// left.
    pub(crate) async fn again_after(&self, error: StoreError, attempt: &mut u32) -> Result<(), StoreError> {
        match error {
            StoreError::Conflict | StoreError::Unknown(_) if *attempt < ATTEMPTS_MAX => {
                self.clock.pause(*attempt).await;
                *attempt += 1;
                Ok(())
            }
            StoreError::Conflict | StoreError::Unknown(_) | StoreError::Unavailable(_) | StoreError::Corrupt(_) => {
                Err(error)
            }
        }
    }

    /// The order that the first of `names` to find one finds, if `access` permits to see it.
    async fn find(&self, names: &[OrderRef], access: &Access) -> Result<Option<Versioned<Order>>, StoreError> {
        for name in names {
            if let Some(found) = self.store.order(name).await? {
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
