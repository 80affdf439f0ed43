use paywright_domain::Order;
use paywright_domain::intent::IntentError;
use paywright_domain::operation::{EditError, NotNow, OperationKind};
use paywright_domain::order::{OrderEdit, OrderState};
use thiserror::Error;

use crate::perform::PerformError;
use crate::{Access, App, GatewayError, GetOrderError, OrderRef, Versioned};

/// Outcome of a change that may have to wait for Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The change is done.
    Done(Order),
    /// The change is committed. The worker completes or drops it when Stripe answers.
    UnderWay(Order),
}

impl Changed {
    /// Order as it is now.
    pub fn order(&self) -> &Order {
        match self {
            Self::Done(order) | Self::UnderWay(order) => order,
        }
    }
}

/// Why an order was not edited.
#[derive(Debug, Error)]
pub enum EditOrderError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses the edit.
    #[error(transparent)]
    Refused(#[from] EditError),
    /// Stripe refused the edit, e.g. for an unknown payment method.
    #[error("Stripe refused the edit")]
    Provider(IntentError),
    /// Stripe did not answer whether a PaymentIntent exists.
    #[error(transparent)]
    Gateway(GatewayError),
}

impl From<PerformError> for EditOrderError {
    fn from(error: PerformError) -> Self {
        match error {
            PerformError::Gateway(error) => Self::Gateway(error),
            PerformError::Order(error) => Self::Order(error),
            PerformError::Unmatched(_) => Self::Refused(NotNow::IntentRequested.into()),
        }
    }
}

impl App {
    /// Edits the content of an unpaid order. If a customer could pay it at this moment, the PaymentIntent is updated
    /// first; a payment received in between matches the old content or the new.
    pub async fn edit_order(
        &self,
        which: &OrderRef,
        access: &Access,
        edit: OrderEdit,
    ) -> Result<Changed, EditOrderError> {
        self.edit_order_from(None, which, access, edit).await
    }

    /// As [`Self::edit_order`], where the first attempt decides on `known`, the order as its caller has loaded it.
    pub(crate) async fn edit_order_from(
        &self,
        known: Option<Versioned<Order>>,
        which: &OrderRef,
        access: &Access,
        edit: OrderEdit,
    ) -> Result<Changed, EditOrderError> {
        let decide = |order: &Order, now| order.edit(edit.clone(), now).map_err(EditOrderError::Refused);
        let decided = match self.change_from(known, which, access, decide).await {
            Err(EditOrderError::Refused(EditError::NotNow(NotNow::IntentRequested))) => {
                self.finish_request(which, access).await?;
                self.change(which, access, decide).await
            }
            decided => decided,
        };
        let order = decided?;
        let (number, revision) = match order.operation.as_ref().map(|it| (it.number, &it.kind)) {
            Some((number, OperationKind::Edit { content })) => (number, content.revision),
            Some((_, OperationKind::Cancel { .. } | OperationKind::Capture { .. })) | None => {
                return Ok(Changed::Done(order));
            }
        };
        let outcome = self.operate_now(order, number).await;
        let order = outcome.order;
        if order.operation.as_ref().is_some_and(|it| it.number == number) {
            return Ok(Changed::UnderWay(order));
        }
        match &order.state {
            _ if order.revision >= revision => Ok(Changed::Done(order)),
            OrderState::Paid { .. } => Err(EditOrderError::Refused(EditError::Paid)),
            OrderState::Canceled { .. } => Err(EditOrderError::Refused(EditError::Canceled)),
            OrderState::Open => Err(match outcome.refusal {
                Some(error) if !error.is_unexpected_state() => EditOrderError::Provider(error),
                Some(_) | None => EditOrderError::Refused(NotNow::PaymentInProgress.into()),
            }),
        }
    }
}
