use paywright_domain::intent::IntentError;
use paywright_domain::operation::{CaptureError, OperationKind};
use paywright_domain::order::OrderState;
use paywright_domain::{Money, Order};
use thiserror::Error;

use crate::{Access, App, Changed, GetOrderError, OrderRef};

/// Why nothing was captured.
#[derive(Debug, Error)]
pub enum CapturePaymentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses the capture.
    #[error(transparent)]
    Refused(#[from] CaptureError),
    /// Stripe refused the capture; the authorization is unchanged.
    #[error("Stripe refused the capture: {}", .0.message.as_deref().or(.0.code.as_deref()).unwrap_or("no reason given"))]
    Provider(IntentError),
}

impl App {
    /// Captures an authorized payment: `amount` of it, or all. The rest is released. A repeat changes nothing.
    pub async fn capture_payment(
        &self,
        which: &OrderRef,
        access: &Access,
        amount: Option<Money>,
    ) -> Result<Changed, CapturePaymentError> {
        let decide = |order: &Order, now| order.capture(amount, now).map_err(CapturePaymentError::Refused);
        let order = self.change(which, access, decide).await?;
        let captures = |order: &Order| {
            let operation = order.operation.as_ref()?;
            match operation.kind {
                OperationKind::Capture { amount } => Some((operation.number, amount)),
                OperationKind::Edit { .. } | OperationKind::Cancel { .. } => None,
            }
        };
        let Some((number, requested)) = captures(&order) else { return Ok(Changed::Done(order)) };
        let outcome = self.operate_now(order, number).await;
        match (&outcome.order.state, outcome.refusal) {
            // Another capture may have paid it.
            (OrderState::Paid { .. }, _) => match outcome.order.capture(Some(requested), self.clock.now()) {
                Ok(_) => Ok(Changed::Done(outcome.order)),
                Err(error) => Err(CapturePaymentError::Refused(error)),
            },
            (OrderState::Canceled { .. }, _) => Err(CapturePaymentError::Refused(CaptureError::Canceled)),
            (OrderState::Open, _) if captures(&outcome.order).is_some() => Ok(Changed::UnderWay(outcome.order)),
            (OrderState::Open, Some(error)) => Err(CapturePaymentError::Provider(error)),
            (OrderState::Open, None) => Err(CapturePaymentError::Refused(CaptureError::NotAuthorized)),
        }
    }
}
