use paywright_domain::{IntentPlan, Order, RequestIntentError};
use secrecy::SecretString;
use thiserror::Error;

use crate::intent_reads::Freshness;
use crate::{ATTEMPTS_MAX, Access, App, GatewayError, GetOrderError, OrderRef, SettleFromProviderError, StoreError};

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
            let (guard, issued) = match found.value.request_intent(now)? {
                IntentPlan::Existing(intent) => {
                    (None, self.read_intent(&intent, found.version, Freshness::WithinASecond).await?)
                }
                IntentPlan::Create { request, decision } => {
                    if let Some(decision) = decision {
                        let changes = self.changes(found.version, *decision, now);
                        if let Err(error) = self.commit(changes).await {
                            self.again_after(error, &mut attempt).await?;
                            continue;
                        }
                    }
                    let guard = self.in_flight.begin(order_id, request);
                    let issued = match &guard {
                        Some(_) => self.perform_create_intent(&found.value, request).await,
                        None => Err(GatewayError::InFlight.into()),
                    };
                    match issued {
                        // Somebody else is guard the very same: what they learn will be stored.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::InFlight)) if attempt < ATTEMPTS_MAX => {
                            self.clock.pause(attempt).await;
                            attempt += 1;
                            continue;
                        }
                        // It was not made, and that is known now: the next request has another key.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::KeyExhausted(_)))
                            if attempt < ATTEMPTS_MAX =>
                        {
                            attempt += 1;
                            continue;
                        }
                        // The refusal is stored, and the next request goes without the e-mail address.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(error)))
                            if attempt < ATTEMPTS_MAX
                                && found.value.goes_on_without(found.value.email.as_ref(), &error) =>
                        {
                            attempt += 1;
                            continue;
                        }
                        issued => (guard, issued?),
                    }
                }
            };
            let order = self.settle_answer("answer", &issued).await?;
            // Now that it is stored, whoever waited for it reads it.
            drop(guard);
            if order.payable_intent().is_some_and(|it| it.id == issued.snapshot.intent) {
                // What was learned is stored. Without its secret nobody can pay it: a repeat reads it again.
                let no_secret = || GatewayError::KeyExhausted("a payment intent without its client secret".into());
                let client_secret = issued.client_secret.ok_or_else(no_secret)?;
                return Ok(PayableIntent { order, client_secret });
            }
            // It has ended meanwhile. An order that it did not pay gets another.
            order.request_intent(now)?;
            if attempt >= ATTEMPTS_MAX {
                return Err(StoreError::Conflict.into());
            }
            tracing::debug!(order = %order_id, intent = %issued.snapshot.intent, "the payment intent has ended");
            attempt += 1;
        }
    }
}
