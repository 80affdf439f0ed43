use paywright_domain::Order;
use paywright_domain::operation::{CancelError, NotNow};
use paywright_domain::order::{CancelReason, OrderState};
use thiserror::Error;

use crate::perform::PerformError;
use crate::{Access, App, Changed, GatewayError, GetOrderError, OrderRef, Versioned};

/// Why an order was not canceled.
#[derive(Debug, Error)]
pub enum CancelOrderError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order cannot be canceled.
    #[error(transparent)]
    Refused(#[from] CancelError),
    /// Stripe did not answer whether a PaymentIntent exists.
    #[error(transparent)]
    Gateway(GatewayError),
}

impl From<PerformError> for CancelOrderError {
    fn from(error: PerformError) -> Self {
        match error {
            PerformError::Gateway(error) => Self::Gateway(error),
            PerformError::Order(error) => Self::Order(error),
            PerformError::Unmatched(_) => Self::Refused(NotNow::IntentRequested.into()),
        }
    }
}

impl App {
    /// Cancels an unpaid order: first its PaymentIntent at Stripe, so that a canceled order is not paid. A repeat
    /// changes nothing.
    pub async fn cancel_order(
        &self,
        which: &OrderRef,
        access: &Access,
        reason: CancelReason,
    ) -> Result<Changed, CancelOrderError> {
        self.cancel_order_from(None, which, access, reason).await
    }

    /// As [`Self::cancel_order`], where the first attempt decides on `known`, the order as its caller has loaded it.
    pub(crate) async fn cancel_order_from(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
        reason: CancelReason,
    ) -> Result<Changed, CancelOrderError> {
        let decide = |order: &Order, now| order.cancel(reason, now).map_err(CancelOrderError::Refused);
        let decided = match self.change_from(known, which, access, decide).await {
            Err(CancelOrderError::Refused(CancelError::NotNow(NotNow::IntentRequested))) => {
                self.finish_request(which, access).await?;
                self.change(which, access, decide).await
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
