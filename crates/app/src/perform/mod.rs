//! Perform, the third step: doing outside what was committed. Each task ends in an update that is decided on like any
//! other, or is tried again. Requests and the worker perform tasks by the same code.

mod confirm;
mod dispute;
mod expiry;
mod intent;
mod operation;
mod poll;
mod refund;

use paywright_domain::intent::SettleError;
use paywright_domain::{Decision, Order, OrderId, Task, Timestamp};
use thiserror::Error;

use crate::{Access, App, GatewayError, GetOrderError, OrderRef, SettleFromProviderError, StoreError};

/// Why a task was not done this time.
#[derive(Debug, Error)]
pub enum PerformError {
    /// Stripe refused the request, or did not answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The order could not be read, or the store failed.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// Stripe's answer fits no order.
    #[error("Stripe's answer does not fit the order: {0}")]
    Unmatched(String),
}

/// Next run of a task that was performed, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRun {
    /// Never: the task is done.
    Done,
    /// After this many seconds.
    Again(u32),
}

impl From<SettleFromProviderError> for PerformError {
    fn from(error: SettleFromProviderError) -> Self {
        match error {
            SettleFromProviderError::Store(error) => error.into(),
            SettleFromProviderError::Foreign
            | SettleFromProviderError::UnknownOrder
            | SettleFromProviderError::Settle(SettleError::NotOurs | SettleError::NotConfirmed) => {
                Self::Unmatched(error.to_string())
            }
        }
    }
}

impl PerformError {
    /// Converts to the error of a use case that has loaded the order: if an answer does not fit the order, the stored
    /// order is corrupt.
    pub(crate) fn of_loaded_order<E: From<GatewayError> + From<GetOrderError> + From<StoreError>>(self) -> E {
        match self {
            Self::Gateway(error) => error.into(),
            Self::Order(error) => error.into(),
            error @ Self::Unmatched(_) => StoreError::Corrupt(Box::new(error)).into(),
        }
    }
}

impl App {
    /// Performs a task that a worker has leased for the `taken`th time. The order decides whether there is still
    /// anything to do.
    pub(crate) async fn perform(&self, id: OrderId, task: &Task, taken: u32) -> Result<NextRun, PerformError> {
        match task {
            Task::CreateIntent { request } => {
                let order = self.order_by_id(id).await?;
                if order.requested != Some(*request) {
                    return Ok(NextRun::Done);
                }
                self.settle_request(&order, *request, "worker").await?;
                let is_out = self.order_by_id(id).await?.requested == Some(*request);
                Ok(if is_out { NextRun::Again(self.retry_seconds(taken)) } else { NextRun::Done })
            }
            Task::UpdateIntent { operation } | Task::CancelIntent { operation } | Task::CaptureIntent { operation } => {
                // It may have been done so long ago that Stripe has forgotten the key, without its answer stored.
                // Stripe refuses to do it again, and the PaymentIntent is read then.
                let outcome = self.operate(id, *operation).await?;
                let is_under_way = outcome.order.operation.as_ref().is_some_and(|it| it.number == *operation);
                Ok(if is_under_way { NextRun::Again(self.retry_seconds(taken)) } else { NextRun::Done })
            }
            Task::Refund { refund } => self.see_refund_through(id, *refund, taken).await,
            Task::PollIntent { intent } => self.poll(id, intent, taken).await,
            Task::ConfirmPayment { intent } => self.confirm(id, intent, taken).await,
            Task::WatchAuthorization { intent } => {
                self.decide(id, |order, now| order.authorization_expires(intent, now)).await?;
                Ok(NextRun::Done)
            }
            Task::ExpireOrder => self.expire(id).await,
        }
    }

    pub(crate) async fn order_by_id(&self, id: OrderId) -> Result<Order, PerformError> {
        Ok(self.load(&OrderRef::Id(id), &Access::All).await?.value)
    }

    /// Commits a decision that the domain cannot refuse.
    pub(crate) async fn decide(
        &self,
        id: OrderId,
        decide: impl Fn(&Order, Timestamp) -> Decision + Send + Sync,
    ) -> Result<Order, PerformError> {
        self.change(&OrderRef::Id(id), &Access::All, |order, now| Ok(decide(order, now))).await
    }
}
