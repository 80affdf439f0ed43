use paywright_domain::Order;
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::PaymentState;
use thiserror::Error;

use crate::intent_reads::Freshness;
use crate::perform::PerformError;
use crate::{
    Access, App, Cause, GatewayError, GetOrderError, OrderPayment, OrderRef, SettleFromProviderError, Versioned,
};

/// Why an order is not marked as paid.
#[derive(Debug, Error)]
pub enum CheckPaymentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// Stripe has not received the money.
    #[error("the payment is not completed")]
    NotCompleted {
        /// State of the order's payment.
        payment: PaymentState,
        /// Status of its PaymentIntent, if there is one.
        intent: Option<IntentStatus>,
    },
    /// Stripe gave no answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Stripe's answer does not fit the order.
    #[error(transparent)]
    Settle(#[from] SettleFromProviderError),
}

impl From<PerformError> for CheckPaymentError {
    fn from(error: PerformError) -> Self {
        error.of_loaded_order()
    }
}

impl App {
    /// Checks whether an order is paid: reads its PaymentIntent from Stripe and settles the order by the answer. The
    /// caller's claim that it was paid counts for nothing.
    pub async fn check_payment(&self, which: &OrderRef, access: &Access) -> Result<OrderPayment, CheckPaymentError> {
        self.check_payment_of(self.load(which, access).await?).await
    }

    /// As [`Self::check_payment`], of the order `found`, as its caller has loaded it.
    pub(crate) async fn check_payment_of(&self, found: Versioned<Order>) -> Result<OrderPayment, CheckPaymentError> {
        let checked = self.read_and_settle(found).await?;
        if has_been_paid(&checked.order) { Ok(checked) } else { Err(not_completed(&checked.order)) }
    }

    /// As [`Self::check_payment_of`], but accepts an order that awaits its money as well ([`Order::awaits_money`]).
    pub(crate) async fn check_complete_of(&self, found: Versioned<Order>) -> Result<OrderPayment, CheckPaymentError> {
        let checked = self.read_and_settle(found).await?;
        let is_complete = has_been_paid(&checked.order) || checked.order.awaits_money();
        if is_complete { Ok(checked) } else { Err(not_completed(&checked.order)) }
    }

    /// Reads the payment from Stripe, and settles the order by the answer.
    async fn read_and_settle(&self, found: Versioned<Order>) -> Result<OrderPayment, CheckPaymentError> {
        let Versioned { version, value: order } = found;
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
        // An event may have paid it meanwhile, which is not Stripe's answer.
        let OrderPayment { order, .. } = self.confirmed(order).await?;
        Ok(OrderPayment { order, client_secret: issued.client_secret })
    }

    /// Reads the payment of an order that only an event has paid. Of any other order the stored state is Stripe's
    /// answer.
    async fn confirmed(&self, order: Order) -> Result<OrderPayment, CheckPaymentError> {
        match order.paid_by().filter(|it| it.awaits_confirmation()).map(|it| it.id.clone()) {
            Some(intent) => {
                let read = self.read_payment(order.id, &intent, &Cause::of("callback")).await?;
                Ok(OrderPayment { order: read.order, client_secret: read.client_secret })
            }
            None => Ok(OrderPayment { order, client_secret: None }),
        }
    }
}

/// Whether an order is paid by Stripe's own answer.
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
