//! Scheduled reads of open PaymentIntents.

use paywright_domain::anomaly::NoticeKind;
use paywright_domain::{IntentId, Order, OrderId};

use super::{NextRun, PerformError};
use crate::schedule::HOPELESS_SECONDS;
use crate::{App, GatewayError};

impl App {
    /// Reads a PaymentIntent from Stripe, and settles its order by the answer.
    pub(crate) async fn refresh_intent(&self, intent: &IntentId, source: &str) -> Result<Order, PerformError> {
        let issued = self.gateway.intent(intent).await?;
        Ok(self.settle_answer(source, &issued).await?)
    }

    /// Polls a PaymentIntent, until it is final.
    pub(super) async fn poll(&self, id: OrderId, intent: &IntentId, taken: u32) -> Result<NextRun, PerformError> {
        let order = match self.refresh_intent(intent, "poll").await {
            Ok(order) => order,
            Err(PerformError::Gateway(GatewayError::NotFound(_))) => {
                self.decide(id, |order, now| order.notice(intent, NoticeKind::IntentLost, None, now)).await?;
                return Ok(NextRun::Again(HOPELESS_SECONDS));
            }
            Err(error) => return Err(error),
        };
        let is_open = order.intent(intent).is_some_and(paywright_domain::intent::PaymentIntent::is_payable);
        Ok(if is_open { NextRun::Again(self.poll_seconds(taken)) } else { NextRun::Done })
    }
}
