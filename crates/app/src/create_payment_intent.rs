use paywright_domain::Order;
use paywright_domain::intent::{IntentPlan, RequestIntentError};
use secrecy::SecretString;
use thiserror::Error;

use crate::change::Attempt;
use crate::intent_reads::Freshness;
use crate::perform::PerformError;
use crate::{Access, App, GatewayError, GetOrderError, IssuedIntent, OrderRef, SettleFromProviderError, Versioned};

/// An order, with the client secret of its PaymentIntent.
#[derive(Debug, Clone)]
pub struct OrderPayment {
    /// The order.
    pub order: Order,
    /// Client secret with which a browser confirms the PaymentIntent, or reads it once it is paid. Always present while
    /// the order is to be paid; `None` where Stripe returned none.
    pub client_secret: Option<SecretString>,
}

/// Why an order has no PaymentIntent to pay.
#[derive(Debug, Error)]
pub enum CreatePaymentIntentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order accepts no payment.
    #[error(transparent)]
    Request(#[from] RequestIntentError),
    /// Stripe returned no PaymentIntent.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Stripe's answer does not fit the order.
    #[error(transparent)]
    Settle(#[from] SettleFromProviderError),
}

impl From<PerformError> for CreatePaymentIntentError {
    fn from(error: PerformError) -> Self {
        error.of_loaded_order()
    }
}

impl App {
    /// Returns the one PaymentIntent by which a customer can pay an order, and creates it if there is none.
    ///
    /// The request is committed before it is sent to Stripe. So any number of callers, crashes and lost answers lead to
    /// the same request with the same key, and to one PaymentIntent. Of many callers at once one sends the request, and
    /// the others wait for its answer.
    pub async fn create_payment_intent(
        &self,
        which: &OrderRef,
        access: &Access,
    ) -> Result<OrderPayment, CreatePaymentIntentError> {
        self.create_payment_intent_from(None, which, access).await
    }

    /// As [`Self::create_payment_intent`], where the first attempt decides on `known`, the order as its caller has
    /// loaded it.
    pub(crate) async fn create_payment_intent_from(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
    ) -> Result<OrderPayment, CreatePaymentIntentError> {
        self.retry_with(known, |known, attempt| async move {
            let found = self.known_or_loaded(known, which, access).await?;
            Ok((self.try_create_payment_intent(found, attempt).await?, None))
        })
        .await
    }

    async fn try_create_payment_intent(
        &self,
        found: Versioned<Order>,
        attempt: u32,
    ) -> Result<Attempt<OrderPayment>, CreatePaymentIntentError> {
        let now = self.clock.now();
        let (guard, issued) = match found.value.request_intent(now)? {
            IntentPlan::Existing(intent) => {
                (None, self.read_intent(&intent, found.version, Freshness::WithinASecond).await?)
            }
            IntentPlan::Create { request, decision } => {
                if let Some(decision) = decision {
                    let changes = self.changes(found.version, *decision, now);
                    if let Err(error) = self.commit(changes).await {
                        return Ok(Attempt::NotCommitted(error));
                    }
                }
                match self.send_request(&found.value, request, attempt).await? {
                    Some((guard, issued)) => (Some(guard), issued),
                    None => return Ok(Attempt::Outdated),
                }
            }
        };
        let order = self.settle_answer("answer", &issued).await?;
        // The answer is stored: those who wait for it can load it.
        drop(guard);
        if order.payable_intent().is_some_and(|it| it.id == issued.snapshot.intent) {
            return Ok(Attempt::Done(payable(order, issued)?));
        }
        // The PaymentIntent has ended meanwhile. An order that it did not pay gets another one.
        order.request_intent(now)?;
        tracing::debug!(order = %order.id, intent = %issued.snapshot.intent, "the PaymentIntent has ended");
        Ok(Attempt::Outdated)
    }
}

/// An order whose PaymentIntent a browser can confirm. Fails without the client secret, which a repeat reads again.
fn payable(order: Order, issued: IssuedIntent) -> Result<OrderPayment, GatewayError> {
    let no_secret = || GatewayError::KeyExhausted("a PaymentIntent without its client secret".into());
    Ok(OrderPayment { order, client_secret: Some(issued.client_secret.ok_or_else(no_secret)?) })
}
