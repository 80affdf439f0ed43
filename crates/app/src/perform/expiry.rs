//! Orders that are not paid in time.

use paywright_domain::OrderId;
use paywright_domain::order::{CancelReason, OrderState};

use super::{NextRun, PerformError};
use crate::schedule::EXPIRE_AGAIN_SECONDS;
use crate::{Access, App, CancelOrderError, OrderRef};

impl App {
    /// Cancels an unpaid order. One whose payment is authorized, processing or in review is left to the shop.
    pub(super) async fn expire(&self, id: OrderId) -> Result<NextRun, PerformError> {
        use paywright_domain::order::PaymentState::{Authorized, Processing, Review};
        let order = self.order_by_id(id).await?;
        // A cancellation releases an authorization, also one that no event has reported yet: read it first.
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
