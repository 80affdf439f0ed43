use paywright_domain::{CancelError, CancelReason, NotNow, Order, OrderState};
use thiserror::Error;

use crate::change::ChangeError;
use crate::perform::PerformError;
use crate::{Access, App, Changed, GatewayError, OrderRef, StoreError};

/// Why an order was not canceled.
#[derive(Debug, Error)]
pub enum CancelOrderError {
    /// There is none, or it is somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// It cannot be canceled.
    #[error(transparent)]
    Refused(CancelError),
    /// The provider did not say whether there is an intent.
    #[error(transparent)]
    Gateway(GatewayError),
    /// The store did not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<ChangeError<CancelError>> for CancelOrderError {
    fn from(error: ChangeError<CancelError>) -> Self {
        match error {
            ChangeError::NotFound => Self::NotFound,
            ChangeError::Refused(error) => Self::Refused(error),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<PerformError> for CancelOrderError {
    fn from(error: PerformError) -> Self {
        match error {
            PerformError::Gateway(error) => Self::Gateway(error),
            PerformError::Store(error) => Self::Store(error),
            PerformError::Unmatched(_) => Self::Refused(NotNow::IntentRequested.into()),
        }
    }
}

impl App {
    /// Gives up an unpaid order: its payable intent at Stripe first, so that nobody pays what is canceled. Doing it
    /// again changes nothing.
    pub async fn cancel_order(
        &self,
        which: &OrderRef,
        access: &Access,
        reason: CancelReason,
    ) -> Result<Changed, CancelOrderError> {
        let names = std::slice::from_ref(which);
        let decide = |order: &Order, now| order.cancel(reason, now);
        let decided = match self.change(names, access, decide).await {
            Err(ChangeError::Refused(CancelError::NotNow(NotNow::IntentRequested))) => {
                self.finish_request(which, access).await?;
                self.change(names, access, decide).await
            }
            decided => decided,
        };
        let order = decided?;
        let Some(number) = order.operation.as_ref().map(|it| it.number) else { return Ok(Changed::Done(order)) };
        let order = self.operate_now(order, number).await.order;
        match &order.state {
            OrderState::Canceled { .. } => Ok(Changed::Done(order)),
            OrderState::Paid { .. } => Err(CancelOrderError::Refused(CancelError::Paid)),
            OrderState::Open if order.operation.is_some() => Ok(Changed::UnderWay(order)),
            OrderState::Open => Err(CancelOrderError::Refused(NotNow::PaymentInProgress.into())),
        }
    }
}
