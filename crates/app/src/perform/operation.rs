//! Edits, cancellations and captures of a PaymentIntent.

use paywright_domain::anomaly::NoticeKind;
use paywright_domain::intent::IntentError;
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::task::ProviderFailure;
use paywright_domain::{Order, OrderId};

use super::PerformError;
use crate::{App, GatewayError, IssuedIntent, NewIntent};

/// Outcome of an operation on a PaymentIntent: the order afterwards, and the error of Stripe if it refused.
#[derive(Debug)]
pub(crate) struct OperationOutcome {
    pub(crate) order: Order,
    /// Error that Stripe answered with, if it refused the operation.
    pub(crate) refusal: Option<IntentError>,
}

impl App {
    /// Performs the operation with this number, if it is still under way in the stored order.
    pub(crate) async fn operate(&self, id: OrderId, number: u32) -> Result<OperationOutcome, PerformError> {
        let order = self.order_by_id(id).await?;
        let Some(operation) = order.operation.clone().filter(|it| it.number == number) else {
            return Ok(OperationOutcome { order, refusal: None });
        };
        let intent = &operation.intent;
        let is_done = |order: &Order| order.operation.as_ref().is_none_or(|it| it.number != number);
        let (order, refusal) = match self.send_operation(&order, &operation).await {
            Ok(issued) => {
                let order = self.settle_answer("answer", &issued).await?;
                // Stripe may have repeated its first answer, which is out of date.
                let order = if is_done(&order) { order } else { self.refresh_intent(intent, "answer").await? };
                (order, None)
            }
            Err(error) => {
                let Some(failure) = error.failure() else { return Err(error.into()) };
                let order = self.refresh_intent(intent, "answer").await?;
                match failure {
                    ProviderFailure::Refused(refusal) => (order, Some(refusal)),
                    ProviderFailure::KeyExhausted if is_done(&order) => (order, None),
                    ProviderFailure::KeyExhausted => {
                        self.decide(id, |order, now| order.operation_failed(number, &failure, now)).await?;
                        return Err(error.into());
                    }
                }
            }
        };
        match refusal {
            Some(error) if !is_done(&order) => self.commit_refused(id, &operation, error).await,
            refusal => Ok(OperationOutcome { order, refusal }),
        }
    }

    /// Sends an operation to Stripe, under the key that the stored order determines.
    async fn send_operation(&self, order: &Order, operation: &Operation) -> Result<IssuedIntent, GatewayError> {
        let (intent, epoch, key) = (&operation.intent, operation.epoch, operation.idempotency_key(order.id));
        match &operation.kind {
            OperationKind::Edit { content } => {
                self.gateway.update_intent(intent, &NewIntent::with_content(order, content, epoch), &key).await
            }
            OperationKind::Cancel { reason } => self.gateway.cancel_intent(intent, *reason, &key).await,
            OperationKind::Capture { amount } => {
                let content = NewIntent::of(order, order.revision, epoch);
                self.gateway.capture_intent(intent, *amount, &content, &key).await
            }
        }
    }

    /// Commits that Stripe has refused an operation.
    async fn commit_refused(
        &self,
        id: OrderId,
        operation: &Operation,
        error: IntentError,
    ) -> Result<OperationOutcome, PerformError> {
        let number = operation.number;
        let failure = ProviderFailure::Refused(error.clone());
        let order = self.decide(id, |order, now| order.operation_failed(number, &failure, now)).await?;
        if let Some(again) = order.operation.as_ref().filter(|it| matches!(it.kind, OperationKind::Edit { .. })) {
            // The edit goes on without the email address, which Stripe cannot refuse again.
            return Box::pin(self.operate(id, again.number)).await;
        }
        if matches!(operation.kind, OperationKind::Capture { .. }) {
            let reason = error.code.clone().or_else(|| error.message.clone());
            let notice =
                |order: &Order, now| order.notice(&operation.intent, NoticeKind::CaptureFailed, reason.clone(), now);
            self.decide(id, notice).await?;
        }
        Ok(OperationOutcome { order, refusal: Some(error) })
    }

    /// Performs an operation that was committed a moment ago. A failure is logged and left to the worker: the request
    /// has succeeded with its commit.
    pub(crate) async fn operate_now(&self, order: Order, number: u32) -> OperationOutcome {
        self.operate(order.id, number).await.unwrap_or_else(|error| {
            tracing::warn!(operation = number, %error, "an operation is left to the worker");
            OperationOutcome { order, refusal: None }
        })
    }
}
