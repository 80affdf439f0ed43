//! Orders that nobody pays in time.

use paywright_domain::{CancelReason, OrderId, OrderState};

use super::{NextRun, PerformError};
use crate::schedule::EXPIRE_AGAIN_SECONDS;
use crate::{Access, App, CancelOrderError, OrderRef};

impl App {
    /// Gives up an order that nobody has paid. Money that is held or on its way is for somebody else to decide on.
    pub(super) async fn expire(&self, id: OrderId) -> Result<NextRun, PerformError> {
        use paywright_domain::PaymentState::{Authorized, Processing, Review};
        let order = self.order_by_id(id).await?;
        // Stripe would release what is held without a word: what nobody has told yet must be known first.
        let order = match order.payable_intent() {
            Some(intent) => self.refresh_intent(&intent.id, "worker").await?,
            None => order,
        };
        if matches!(order.state, OrderState::Open) && !matches!(order.payment_state(), Authorized | Processing | Review)
        {
            match self.cancel_order(&OrderRef::Id(id), &Access::All, CancelReason::Abandoned).await {
                Ok(_) | Err(CancelOrderError::Refused(_)) => {}
                Err(CancelOrderError::Order(error)) => return Err(error.into()),
                Err(CancelOrderError::Gateway(error)) => return Err(error.into()),
            }
        }
        let order = self.order_by_id(id).await?;
        let is_open = matches!(order.state, OrderState::Open);
        Ok(if is_open { NextRun::Again(EXPIRE_AGAIN_SECONDS) } else { NextRun::Done })
    }
}
