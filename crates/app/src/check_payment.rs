use paywright_domain::{IntentStatus, Order, PaymentState};
use secrecy::SecretString;
use thiserror::Error;

use crate::{Access, App, CreatePaymentIntentError, GatewayError, GetOrderError, OrderRef, SettleFromProviderError};

/// An order that is paid, with the intent that paid it.
#[derive(Debug, Clone)]
pub struct CheckedPayment {
    /// The order.
    pub order: Order,
    /// The client secret of the intent that paid it, where the provider still gives one.
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

impl App {
    /// Takes a payment system's word that an order is paid as what it is, a hint: asks the provider, and
    /// settles by its answer.
    pub async fn check_payment(&self, which: &OrderRef, access: &Access) -> Result<CheckedPayment, CheckPaymentError> {
        let order = self.load(which, access).await?.value;
        let issued = match (order.leading_intent(), order.requested) {
            (Some(intent), _) if intent.is_payable() || order.requested.is_none() => {
                self.gateway.intent(&intent.id).await?
            }
            (_, Some(request)) => self.perform_create_intent(&order, request).await?,
            (_, None) => {
                return Err(CheckPaymentError::NotCompleted { payment: order.payment_state(), intent: None });
            }
        };
        let order = self.settle_answer("callback", &issued).await?;
        let payment = order.payment_state();
        match payment {
            PaymentState::Paid | PaymentState::PartiallyRefunded | PaymentState::Refunded | PaymentState::Disputed => {
                Ok(CheckedPayment { order, client_secret: issued.client_secret })
            }
            PaymentState::Unpaid
            | PaymentState::RequiresAction
            | PaymentState::Processing
            | PaymentState::Authorized
            | PaymentState::Review => {
                Err(CheckPaymentError::NotCompleted { payment, intent: Some(issued.snapshot.status) })
            }
        }
    }
}
