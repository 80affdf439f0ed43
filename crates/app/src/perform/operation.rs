//! Edits, cancellations and captures of a PaymentIntent.

use paywright_domain::{IntentError, NoticeKind, OperationKind, Order, OrderId, ProviderFailure};

use super::PerformError;
use crate::{App, GatewayError, NewIntent};

/// Outcome of an operation on a PaymentIntent: the order afterwards, and the error of Stripe if it refused.
#[derive(Debug)]
pub(crate) struct OperationOutcome {
    pub(crate) order: Order,
    /// Error that Stripe answered with, if it refused the operation.
    pub(crate) refusal: Option<IntentError>,
}

impl App {
    /// Does the operation that an order's state says is under way under this number, if it still is.
    pub(crate) async fn operate(&self, id: OrderId, number: u32) -> Result<OperationOutcome, PerformError> {
        let order = self.order_by_id(id).await?;
        let Some(operation) = order.operation.clone().filter(|it| it.number == number) else {
            return Ok(OperationOutcome { order, refusal: None });
        };
        let (intent, key) = (&operation.intent, operation.idempotency_key(id));
        let answer = match &operation.kind {
            OperationKind::Edit { content } => {
                self.gateway
                    .update_intent(intent, &NewIntent::with_content(&order, content, operation.epoch), &key)
                    .await
            }
            OperationKind::Cancel { reason } => self.gateway.cancel_intent(intent, *reason, &key).await,
            OperationKind::Capture { amount } => {
                self.gateway
                    .capture_intent(intent, *amount, &NewIntent::of(&order, order.revision, operation.epoch), &key)
                    .await
            }
        };
        let is_done = |order: &Order| order.operation.as_ref().is_none_or(|it| it.number != number);
        let (order, refusal) = match answer {
            Ok(issued) => {
                let order = self.settle_answer("answer", &issued).await?;
                // A repeated answer may be of a moment that is over.
                let order = if is_done(&order) { order } else { self.look(intent, "answer").await? };
                (order, None)
            }
            Err(GatewayError::Refused(error)) => (self.look(intent, "answer").await?, Some(error)),
            Err(GatewayError::KeyExhausted(cause)) => {
                let order = self.look(intent, "answer").await?;
                if !is_done(&order) {
                    let failure = ProviderFailure::KeyExhausted;
                    self.decide(id, |order, now| order.operation_failed(number, &failure, now)).await?;
                    return Err(GatewayError::KeyExhausted(cause).into());
                }
                (order, None)
            }
            Err(
                error @ (GatewayError::NotFound
                | GatewayError::Busy(_)
                | GatewayError::InFlight
                | GatewayError::Misconfigured(_)
                | GatewayError::NotUnderstood(_)
                | GatewayError::Foreign(_)
                | GatewayError::Unknown(_)),
            ) => return Err(error.into()),
        };
        match refusal {
            Some(error) if !is_done(&order) => {
                let captures = matches!(operation.kind, OperationKind::Capture { .. });
                let failure = ProviderFailure::Refused(error.clone());
                let order = self.decide(id, |order, now| order.operation_failed(number, &failure, now)).await?;
                if let Some(again) = order.operation.as_ref().filter(|it| matches!(it.kind, OperationKind::Edit { .. }))
                {
                    // It goes on without the e-mail address, and is not refused for that again.
                    return Box::pin(self.operate(id, again.number)).await;
                }
                if captures {
                    let reason = error.code.clone().or_else(|| error.message.clone());
                    let notice =
                        |order: &Order, now| order.notice(intent, NoticeKind::CaptureFailed, reason.clone(), now);
                    self.decide(id, notice).await?;
                }
                Ok(OperationOutcome { order, refusal: Some(error) })
            }
            refusal => Ok(OperationOutcome { order, refusal }),
        }
    }

    /// Does an operation that was committed a moment ago. Whatever goes wrong is no failure of the request any
    /// more: the worker goes on with it.
    pub(crate) async fn operate_now(&self, order: Order, number: u32) -> OperationOutcome {
        self.operate(order.id, number).await.unwrap_or_else(|error| {
            tracing::warn!(operation = number, %error, "left to the worker");
            OperationOutcome { order, refusal: None }
        })
    }
}
