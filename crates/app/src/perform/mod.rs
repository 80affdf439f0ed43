//! The third beat: doing outside what was committed. Each task ends in news that is decided on like any other,
//! or is tried again; whoever does it, a request or a worker, does the same.

mod confirm;
mod disputes;
mod refunds;

use std::convert::Infallible;

use paywright_domain::{
    CancelReason, Decision, IntentError, IntentId, IntentRequest, NoticeKind, OperationKind, Order, OrderId,
    OrderState, ProviderFailure, SettleError, Task, Timestamp,
};
use thiserror::Error;

use crate::change::ChangeError;
use crate::schedule::{EXPIRE_AGAIN_SECONDS, HOPELESS_SECONDS};
use crate::{
    Access, App, CancelOrderError, CreatePaymentIntentError, GatewayError, GetOrderError, NewIntent, OrderRef,
    SettleFromProviderError, StoreError,
};

/// Why a task was not done, this time.
#[derive(Debug, Error)]
pub enum PerformError {
    /// The provider did not do it, or did not say.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store did not take what the provider said.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the provider said fits no order.
    #[error("what the payment provider answered does not fit the order: {0}")]
    Unmatched(String),
}

/// When a task that was performed runs again, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRun {
    /// Never: the task is done.
    Done,
    /// After this many seconds.
    Again(u32),
}

/// Outcome of an operation on a PaymentIntent: the order afterwards, and the error of Stripe if it refused.
#[derive(Debug)]
pub(crate) struct OperationOutcome {
    pub(crate) order: Order,
    /// Error that Stripe answered with, if it refused the operation.
    pub(crate) refusal: Option<IntentError>,
}

impl From<SettleFromProviderError> for PerformError {
    fn from(error: SettleFromProviderError) -> Self {
        match error {
            SettleFromProviderError::Store(error) => Self::Store(error),
            SettleFromProviderError::Foreign
            | SettleFromProviderError::UnknownOrder
            | SettleFromProviderError::Settle(SettleError::NotOurs | SettleError::NotConfirmed) => {
                Self::Unmatched(error.to_string())
            }
        }
    }
}

impl From<GetOrderError> for PerformError {
    fn from(error: GetOrderError) -> Self {
        match error {
            GetOrderError::Store(error) => Self::Store(error),
            GetOrderError::NotFound => Self::Unmatched(error.to_string()),
        }
    }
}

impl App {
    /// Does a task that a worker has taken for the `taken`th time. The order decides whether there is still
    /// something to be done.
    pub(crate) async fn perform(&self, id: OrderId, task: &Task, taken: u32) -> Result<NextRun, PerformError> {
        match task {
            Task::CreateIntent { request } => {
                let order = self.order_by_id(id).await?;
                if order.requested != Some(*request) {
                    return Ok(NextRun::Done);
                }
                self.learn_of_request(&order, *request, "worker").await?;
                let is_out = self.order_by_id(id).await?.requested == Some(*request);
                Ok(if is_out { NextRun::Again(self.retry_seconds(taken)) } else { NextRun::Done })
            }
            Task::UpdateIntent { operation } | Task::CancelIntent { operation } | Task::CaptureIntent { operation } => {
                // Somebody may have done it and not heard the answer, so long ago that Stripe has forgotten the key:
                // what was done cannot be done again, and is looked at when Stripe says so.
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

    /// Reads how an intent stands, and takes that in.
    pub(crate) async fn look(&self, intent: &IntentId, source: &str) -> Result<Order, PerformError> {
        let issued = self.gateway.intent(intent).await?;
        Ok(self.settle_answer(source, &issued).await?)
    }

    async fn poll(&self, id: OrderId, intent: &IntentId, taken: u32) -> Result<NextRun, PerformError> {
        let order = match self.look(intent, "poll").await {
            Ok(order) => order,
            Err(PerformError::Gateway(GatewayError::NotFound)) => {
                self.decide(id, |order, now| order.notice(intent, NoticeKind::IntentLost, None, now)).await?;
                return Ok(NextRun::Again(HOPELESS_SECONDS));
            }
            Err(error) => return Err(error),
        };
        let is_open = order.intent(intent).is_some_and(paywright_domain::PaymentIntent::is_payable);
        Ok(if is_open { NextRun::Again(self.poll_seconds(taken)) } else { NextRun::Done })
    }

    /// Gives up an order that nobody has paid. Money that is held or on its way is for somebody else to decide on.
    async fn expire(&self, id: OrderId) -> Result<NextRun, PerformError> {
        use paywright_domain::PaymentState::{Authorized, Processing, Review};
        let order = self.order_by_id(id).await?;
        // Stripe would release what is held without a word: what nobody has told yet must be known first.
        let order = match order.payable_intent() {
            Some(intent) => self.look(&intent.id, "worker").await?,
            None => order,
        };
        if matches!(order.state, OrderState::Open) && !matches!(order.payment_state(), Authorized | Processing | Review)
        {
            match self.cancel_order(&OrderRef::Id(id), &Access::All, CancelReason::Abandoned).await {
                Ok(_) | Err(CancelOrderError::Refused(_)) => {}
                Err(CancelOrderError::Store(error)) => return Err(error.into()),
                Err(CancelOrderError::Gateway(error)) => return Err(error.into()),
                Err(error @ CancelOrderError::NotFound) => return Err(PerformError::Unmatched(error.to_string())),
            }
        }
        let order = self.order_by_id(id).await?;
        let is_open = matches!(order.state, OrderState::Open);
        Ok(if is_open { NextRun::Again(EXPIRE_AGAIN_SECONDS) } else { NextRun::Done })
    }

    /// Learns what became of an intent that was asked for, where the answer is out: what an edit or a cancellation
    /// must know first.
    pub(crate) async fn finish_request(&self, which: &OrderRef, access: &Access) -> Result<(), PerformError> {
        let order = self.load(which, access).await?.value;
        match order.requested {
            Some(request) => self.learn_of_request(&order, request, "answer").await,
            None => Ok(()),
        }
    }

    async fn learn_of_request(&self, order: &Order, request: IntentRequest, source: &str) -> Result<(), PerformError> {
        match self.perform_create_intent(order, request).await {
            Ok(issued) => {
                self.settle_answer(source, &issued).await?;
                Ok(())
            }
            // Recorded: whoever wants to pay asks anew.
            Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(_) | GatewayError::KeyExhausted(_))) => Ok(()),
            Err(CreatePaymentIntentError::Gateway(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Store(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Get(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Settle(error)) => Err(error.into()),
            Err(error @ CreatePaymentIntentError::Request(_)) => Err(PerformError::Unmatched(error.to_string())),
        }
    }

    pub(crate) async fn order_by_id(&self, id: OrderId) -> Result<Order, PerformError> {
        Ok(self.load(&OrderRef::Id(id), &Access::All).await?.value)
    }

    /// Commits what the domain decides where it cannot refuse.
    pub(crate) async fn decide(
        &self,
        id: OrderId,
        decide: impl Fn(&Order, Timestamp) -> Decision + Send + Sync,
    ) -> Result<Order, PerformError> {
        let decide = |order: &Order, now| Ok::<_, Infallible>(decide(order, now));
        self.change(&[OrderRef::Id(id)], &Access::All, decide).await.map_err(|error| match error {
            ChangeError::NotFound => GetOrderError::NotFound.into(),
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => PerformError::Store(error),
        })
    }
}
