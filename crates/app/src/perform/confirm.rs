//! Payments that only an event has reported, read from Stripe.

use paywright_domain::anomaly::Policies;
use paywright_domain::intent::{IntentStatus, PaymentIntent};
use paywright_domain::refund::{Refund, RefundOrigin};
use paywright_domain::{Decision, IntentId, Order, OrderId, Timestamp};
use secrecy::SecretString;

use super::{NextRun, PerformError};
use crate::change::CommitContext;
use crate::schedule::HOPELESS_SECONDS;
use crate::{Access, App, Cause, GatewayError, OrderRef, ReadPayment};

/// A payment that was read from Stripe, and its order afterwards.
pub(crate) struct PaymentReadNow {
    pub(crate) order: Order,
    /// Status at Stripe; `None` if Stripe has no such payment of the order.
    pub(crate) status: Option<IntentStatus>,
    pub(crate) client_secret: Option<SecretString>,
}

impl App {
    /// Reads a payment from Stripe and applies the answer to its order, with the proceeds on the shop's balance.
    ///
    /// The order is loaded before the payment is read, and the commit names that version: an answer that has less money
    /// than an event reported is newer than that event. If the order has changed meanwhile, the payment is read again,
    /// unless it has succeeded.
    pub(crate) async fn read_payment(
        &self,
        id: OrderId,
        intent: &IntentId,
        cause: &Cause,
    ) -> Result<PaymentReadNow, PerformError> {
        self.retry_with(None, |succeeded: Option<ReadPayment>, _| async move {
            let found = self.load(&OrderRef::Id(id), &Access::All).await?;
            let read = match succeeded {
                Some(read) => Some(read),
                None => self.payment_now(intent).await?,
            };
            let now = self.clock.now();
            let decision = decide_on_payment(&found.value, intent, read.as_ref(), self.settings.policies, now)?;
            let issued = read.as_ref().map(|it| &it.issued);
            let status = issued.filter(|it| it.snapshot.order == Some(id)).map(|it| it.snapshot.status);
            let client_secret = issued.and_then(|it| it.client_secret.clone());
            let cause = Cause { request: issued.and_then(|it| it.request.clone()), ..cause.clone() };
            let context = CommitContext { cause: Some(cause), ..CommitContext::default() };
            let committed = self.commit_decision(found, decision, context, now).await?;
            // Nothing follows a success: that answer is good for the next attempt as well.
            let succeeded = read.filter(|it| it.issued.snapshot.status == IntentStatus::Succeeded);
            Ok((committed.map(|order| PaymentReadNow { order, status, client_secret }), succeeded))
        })
        .await
    }

    /// Reads a payment; `None` if Stripe has no such payment of this installation.
    async fn payment_now(&self, intent: &IntentId) -> Result<Option<ReadPayment>, PerformError> {
        match self.gateway.payment(intent).await {
            Ok(read) => Ok(Some(read)),
            Err(GatewayError::NotFound(_) | GatewayError::Foreign(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Confirms a payment that only events have reported. One that Stripe does not confirm is read again as long as it
    /// may still bring money.
    pub(super) async fn confirm(&self, id: OrderId, intent: &IntentId, taken: u32) -> Result<NextRun, PerformError> {
        let order = self.order_by_id(id).await?;
        if !order.intent(intent).is_some_and(PaymentIntent::awaits_confirmation) {
            return Ok(NextRun::Done);
        }
        let read = self.read_payment(id, intent, &Cause::of("worker")).await?;
        let awaits = read.order.intent(intent).is_some_and(PaymentIntent::awaits_confirmation);
        Ok(match read.status {
            Some(_) if !awaits => NextRun::Done,
            Some(IntentStatus::Canceled) => NextRun::Done,
            Some(_) => NextRun::Again(self.poll_seconds(taken)),
            // Only another API key of the account can change that.
            None => NextRun::Again(HOPELESS_SECONDS),
        })
    }

    /// Confirms the payment of a refund, and the first payment of the order if the refund is for a second one, where
    /// only events have reported them: money that was not received cannot be refunded, and the only payment must not
    /// be.
    pub(super) async fn confirm_before_refund(&self, order: &Order, refund: &Refund) -> Result<Order, PerformError> {
        let first = order.paid_by().filter(|_| refund.origin == RefundOrigin::Policy);
        let both = order.intent(&refund.intent).into_iter().chain(first);
        let unread = both.filter(|it| it.awaits_confirmation()).map(|it| it.id.clone()).collect::<Vec<_>>();
        let mut order = order.clone();
        for intent in unread {
            order = self.read_payment(order.id, &intent, &Cause::of("worker")).await?.order;
        }
        Ok(order)
    }
}

/// Decides on a payment as it was read, with its proceeds; `None` where Stripe has no such payment.
fn decide_on_payment(
    order: &Order,
    intent: &IntentId,
    read: Option<&ReadPayment>,
    policies: Policies,
    now: Timestamp,
) -> Result<Decision, PerformError> {
    let snapshot = read.map(|it| &it.issued.snapshot);
    let mut decision = order
        .payment_read(intent, snapshot, &policies, now)
        .map_err(|error| PerformError::Unmatched(error.to_string()))?;
    let is_of_order = snapshot.is_some_and(|it| it.order == Some(order.id));
    if let Some(proceeds) = read.and_then(|it| it.proceeds).filter(|_| is_of_order) {
        let known = decision.order.proceeds_known(intent, proceeds, now);
        decision.order = known.order;
        decision.facts.extend(known.facts);
    }
    Ok(decision)
}
