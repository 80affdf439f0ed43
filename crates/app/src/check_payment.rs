use paywright_domain::{IntentStatus, Order, PaymentState};
use secrecy::SecretString;
use thiserror::Error;

use crate::intent_reads::Freshness;
use crate::perform::PerformError;
use crate::{
    Access, App, Cause, CreatePaymentIntentError, GatewayError, GetOrderError, OrderRef, SettleFromProviderError,
    StoreError, Versioned,
};

/// An order with the intent that says most about its payment.
#[derive(Debug, Clone)]
pub struct CheckedPayment {
    /// The order.
    pub order: Order,
    /// The client secret of that intent, where the provider still gives one.
    pub client_secret: Option<SecretString>,
}

/// Why an order is not marked as paid.
#[derive(Debug, Error)]
pub enum CheckPaymentError {
    /// It cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// The provider has not received the money.
    #[error("the payment is not completed")]
    NotCompleted {
        /// How the order's payment stands.
        payment: PaymentState,
        /// How its intent stands, if there is one.
        intent: Option<IntentStatus>,
    },
    /// The provider did not say.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// What the provider said does not fit.
    #[error(transparent)]
    Settle(#[from] SettleFromProviderError),
    /// A request for an intent was out, and asking again did not tell what became of it.
    #[error(transparent)]
    Request(#[from] CreatePaymentIntentError),
}

impl From<PerformError> for CheckPaymentError {
    fn from(error: PerformError) -> Self {
        match error {
            PerformError::Gateway(error) => error.into(),
            PerformError::Store(error) => GetOrderError::Store(error).into(),
            // Of an order that was loaded a moment ago, with its intent.
            error @ PerformError::Unmatched(_) => GetOrderError::Store(StoreError::Corrupt(Box::new(error))).into(),
        }
    }
}

impl App {
    /// Takes a payment system's word that an order is paid as what it is, a hint: asks the provider, and
    /// settles by its answer.
    pub async fn check_payment(&self, which: &OrderRef, access: &Access) -> Result<CheckedPayment, CheckPaymentError> {
        let checked = self.look_at_payment(which, access).await?;
        if has_been_paid(&checked.order) { Ok(checked) } else { Err(not_completed(&checked.order)) }
    }

    /// As [`Self::check_payment`], where an order that awaits its money is good as well ([`Order::awaits_money`]).
    pub(crate) async fn check_complete(
        &self,
        which: &OrderRef,
        access: &Access,
    ) -> Result<CheckedPayment, CheckPaymentError> {
        let checked = self.look_at_payment(which, access).await?;
        let is_complete = has_been_paid(&checked.order) || checked.order.awaits_money();
        if is_complete { Ok(checked) } else { Err(not_completed(&checked.order)) }
    }

    /// Asks the provider how the payment stands, and settles by its answer.
    async fn look_at_payment(&self, which: &OrderRef, access: &Access) -> Result<CheckedPayment, CheckPaymentError> {
        let Versioned { version, value: order } = self.load(which, access).await?;
        if order.paid_by().is_some() {
            return self.confirmed(order).await;
        }
        let issued = match (order.leading_intent(), order.requested) {
            (Some(intent), _) if intent.is_payable() || order.requested.is_none() => {
                self.read_intent(&intent.id, version, Freshness::AfterTheCall).await?
            }
            (_, Some(request)) => self.perform_create_intent(&order, request).await?,
            (_, None) => {
                return Err(CheckPaymentError::NotCompleted { payment: order.payment_state(), intent: None });
            }
        };
        let order = self.settle_answer("callback", &issued).await?;
        // It may have been paid meanwhile by an event: that is not Stripe's answer.
        let CheckedPayment { order, .. } = self.confirmed(order).await?;
        Ok(CheckedPayment { order, client_secret: issued.client_secret })
    }

    /// An order as the provider's own answer has it. Where it was read since it was paid, what is stored is that answer.
    async fn confirmed(&self, order: Order) -> Result<CheckedPayment, CheckPaymentError> {
        match order.paid_by().filter(|it| it.awaits_confirmation()).map(|it| it.id.clone()) {
            Some(intent) => {
                let read = self.read_payment(order.id, &intent, &Cause::of("callback")).await?;
                Ok(CheckedPayment { order: read.order, client_secret: read.client_secret })
            }
            None => Ok(CheckedPayment { order, client_secret: None }),
        }
    }
}

/// Whether it is paid, by the provider's own answer.
fn has_been_paid(order: &Order) -> bool {
    order.paid_by().is_some_and(|it| !it.awaits_confirmation()) && is_paid_state(order.payment_state())
}

const fn is_paid_state(state: PaymentState) -> bool {
    match state {
        PaymentState::Paid | PaymentState::PartiallyRefunded | PaymentState::Refunded | PaymentState::Disputed => true,
        PaymentState::Unpaid
        | PaymentState::RequiresAction
        | PaymentState::Processing
        | PaymentState::Authorized
        | PaymentState::Review => false,
    }
}

fn not_completed(order: &Order) -> CheckPaymentError {
    let intent = order.leading_intent().map(|it| it.status);
    CheckPaymentError::NotCompleted { payment: order.payment_state(), intent }
}
