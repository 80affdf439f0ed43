use paywright_domain::{CaptureError, IntentError, Money, OperationKind, Order, OrderState};
use thiserror::Error;

use crate::change::ChangeError;
use crate::{Access, App, Changed, OrderRef, StoreError};

/// Why nothing was captured.
#[derive(Debug, Error)]
pub enum CapturePaymentError {
    /// There is no such order, or it is somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// The order takes no capture.
    #[error(transparent)]
    Refused(CaptureError),
    /// Stripe would not capture it; the authorisation is as it was.
    #[error("the payment provider refused: {}", .0.message.as_deref().or(.0.code.as_deref()).unwrap_or("no reason given"))]
    Provider(IntentError),
    /// The store did not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl App {
    /// Takes authorised money, `amount` of it or all; the rest is released. Asking again for what was taken changes
    /// nothing.
    pub async fn capture_payment(
        &self,
        which: &OrderRef,
        access: &Access,
        amount: Option<Money>,
    ) -> Result<Changed, CapturePaymentError> {
        let decided = self.change(std::slice::from_ref(which), access, |order, now| order.capture(amount, now)).await;
        let order = decided.map_err(|error| match error {
            ChangeError::NotFound => CapturePaymentError::NotFound,
            ChangeError::Refused(error) => CapturePaymentError::Refused(error),
            ChangeError::Store(error) => CapturePaymentError::Store(error),
        })?;
        let captures = |order: &Order| {
            let operation = order.operation.as_ref()?;
            match operation.kind {
                OperationKind::Capture { amount } => Some((operation.number, amount)),
                OperationKind::Edit { .. } | OperationKind::Cancel { .. } => None,
            }
        };
        let Some((number, asked)) = captures(&order) else { return Ok(Changed::Done(order)) };
        let outcome = self.operate_now(order, number).await;
        match (&outcome.order.state, outcome.refusal) {
            // It may be another capture that has paid it.
            (OrderState::Paid { .. }, _) => match outcome.order.capture(Some(asked), self.clock.now()) {
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
