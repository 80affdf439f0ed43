use std::convert::Infallible;

use paywright_domain::{IntentError, IntentPlan, IntentRequest, Order, OrderId, RequestIntentError};
use secrecy::SecretString;
use thiserror::Error;

use crate::change::ChangeError;
use crate::{
    ATTEMPTS_MAX, Access, App, Changes, GatewayError, GetOrderError, INLINE_SECONDS, IssuedIntent, NewIntent, OrderRef,
    SettleFromProviderError, StoreError,
};

/// An intent that a customer can pay, with the order it is for.
#[derive(Debug, Clone)]
pub struct PayableIntent {
    /// The order, which knows the intent.
    pub order: Order,
    /// What lets a browser pay it.
    pub client_secret: SecretString,
}

/// Why there is no intent to pay.
#[derive(Debug, Error)]
pub enum CreatePaymentIntentError {
    /// The order cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// The order takes no payment.
    #[error(transparent)]
    Request(#[from] RequestIntentError),
    /// The provider gave none.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// What the provider answered does not fit the order.
    #[error(transparent)]
    Settle(#[from] SettleFromProviderError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Gives the one intent that a customer can pay an order by, making it if there is none.
    ///
    /// That it will be made is committed before the provider is asked. So any number of callers, crashes and
    /// lost answers end in the same request with the same key, and in one intent. Of many callers at once one
    /// asks the provider, and the others wait for what it learns.
    pub async fn create_payment_intent(
        &self,
        which: &OrderRef,
        access: &Access,
    ) -> Result<PayableIntent, CreatePaymentIntentError> {
        let mut attempt = 1;
        loop {
            let found = self.load(which, access).await?;
            let order_id = found.value.id;
            let now = self.clock.now();
            let (asking, issued) = match found.value.request_intent(now)? {
                IntentPlan::Existing(intent) => (None, self.gateway.intent(&intent).await?),
                IntentPlan::Create { request, decision } => {
                    if let Some(decision) = decision {
                        let due_at = now.plus_seconds(INLINE_SECONDS);
                        let changes = Changes::of(found.version, *decision, now, due_at);
                        if let Err(error) = self.store.commit(changes).await {
                            self.again_after(error, &mut attempt).await?;
                            continue;
                        }
                    }
                    let asking = self.asked.begin(order_id, request);
                    let issued = match &asking {
                        Some(_) => self.perform_create_intent(&found.value, request).await,
                        None => Err(GatewayError::InFlight.into()),
                    };
                    match issued {
                        // Somebody else is asking the very same: what they learn will be stored.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::InFlight)) if attempt < ATTEMPTS_MAX => {
                            self.clock.pause(attempt).await;
                            attempt += 1;
                            continue;
                        }
                        issued => (asking, issued?),
                    }
                }
            };
            let order = self.settle_from_provider(&issued.snapshot).await?;
            // Now that it is stored, whoever waited for it reads it.
            drop(asking);
            if order.payable_intent().is_some_and(|it| it.id == issued.snapshot.intent) {
                return Ok(PayableIntent { order, client_secret: issued.client_secret });
            }
            // It has ended meanwhile. An order that it did not pay gets another.
            order.request_intent(now)?;
            if attempt >= ATTEMPTS_MAX {
                return Err(StoreError::Conflict.into());
            }
            tracing::info!(order = %order_id, intent = %issued.snapshot.intent, "the payment intent has ended");
            attempt += 1;
        }
    }

    /// Performs the committed task of asking for an intent. A definite refusal is committed, so that the next
    /// caller asks anew; anything less definite leaves the request out, to be repeated.
    pub(crate) async fn perform_create_intent(
        &self,
        order: &Order,
        request: IntentRequest,
    ) -> Result<IssuedIntent, CreatePaymentIntentError> {
        let key = request.idempotency_key(order.id);
        match self.gateway.create_intent(&NewIntent::of(order, request), &key).await {
            Ok(issued) => Ok(issued),
            Err(GatewayError::Refused(error)) => {
                self.commit_refusal(order.id, request, &error).await?;
                Err(GatewayError::Refused(error).into())
            }
            Err(
                error @ (GatewayError::NotFound
                | GatewayError::Busy
                | GatewayError::InFlight
                | GatewayError::Misconfigured(_)
                | GatewayError::Unknown(_)),
            ) => Err(error.into()),
        }
    }

    async fn commit_refusal(
        &self,
        order: OrderId,
        request: IntentRequest,
        error: &IntentError,
    ) -> Result<(), CreatePaymentIntentError> {
        let decide = |order: &Order, now| Ok::<_, Infallible>(order.intent_refused(request, error.clone(), now));
        match self.change(&[OrderRef::Id(order)], &Access::All, decide).await {
            Ok(_) => Ok(()),
            Err(ChangeError::NotFound) => Err(GetOrderError::NotFound.into()),
            Err(ChangeError::Refused(never)) => match never {},
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }
}
