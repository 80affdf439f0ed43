//! Refunds: made once each, polled until they are final, and imported if they were made elsewhere.

use paywright_domain::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use paywright_domain::intent::IntentError;
use paywright_domain::refund::{Refund, RefundFailure, RefundSnapshot, RefundStatus, RefundUpdateError};
use paywright_domain::task::ProviderFailure;
use paywright_domain::{IntentId, Order, OrderId};

use super::{NextRun, PerformError};
use crate::change::{ChangeError, CommitContext};
use crate::schedule::BALANCE_SECONDS;
use crate::{Access, App, GatewayError, GetOrderError, OrderRef, ProviderRefund, UnknownStatus};

impl App {
    /// Makes a refund that Stripe does not have yet, or polls one that it has.
    pub(super) async fn see_refund_through(
        &self,
        id: OrderId,
        number: u32,
        taken: u32,
    ) -> Result<NextRun, PerformError> {
        let order = self.order_by_id(id).await?;
        let order = match order.refund_numbered(number) {
            Some(refund) if refund.provider_id.is_none() => self.confirm_before_refund(&order, refund).await?,
            Some(_) | None => order,
        };
        let Some(refund) = order.refund_numbered(number).filter(|it| !it.status.is_settled()) else {
            return Ok(NextRun::Done);
        };
        let order = if let Some(provider_id) = &refund.provider_id {
            let issued = self.gateway.refund(provider_id).await?;
            self.take_refund(&issued.snapshot, &CommitContext::from("poll", issued.request)).await?
        } else {
            // It may have been made longer ago than Stripe remembers its key, without its answer stored.
            let order = self.import_refunds(&refund.intent, &order).await?;
            match order.refund_numbered(number) {
                Some(refund) if refund.provider_id.is_none() => self.make_refund(&order, refund).await?,
                Some(_) | None => order,
            }
        };
        Ok(match order.refund_numbered(number) {
            Some(refund) if refund.status.is_settled() => NextRun::Done,
            Some(refund) if refund.provider_id.is_some() => NextRun::Again(self.refund_poll_seconds(taken)),
            Some(refund) if refund.failure == Some(RefundFailure::KeyExhausted) => {
                NextRun::Again(self.retry_seconds(refund.attempt))
            }
            Some(refund) => NextRun::Again(BALANCE_SECONDS.saturating_mul(refund.attempt.saturating_sub(1).max(1))),
            None => NextRun::Done,
        })
    }

    /// Makes a refund at Stripe. If Stripe refuses or fails, its list shows whether the refund was made all the same.
    pub(crate) async fn make_refund(&self, order: &Order, refund: &Refund) -> Result<Order, PerformError> {
        let (id, number, attempt) = (order.id, refund.number, refund.attempt);
        let order = &self.confirm_before_refund(order, refund).await?;
        let Some(refund) = order.refund_numbered(number).filter(|it| it.status == RefundStatus::Requested) else {
            return Ok(order.clone());
        };
        let key = refund.idempotency_key(id);
        let failure = match self.gateway.create_refund(&ProviderRefund::of(id, refund), &key).await {
            Ok(issued) => {
                let order = self.take_refund(&issued.snapshot, &CommitContext::from("answer", issued.request)).await?;
                if order.refund_numbered(number).is_none_or(|it| it.provider_id.is_some() || it.attempt != attempt) {
                    return Ok(order);
                }
                // Stripe remembers the key for a refund of another amount.
                ProviderFailure::KeyExhausted
            }
            Err(GatewayError::NotFound(_)) => {
                ProviderFailure::Refused(IntentError::of_code(IntentError::RESOURCE_MISSING))
            }
            Err(error) => error.failure().ok_or(error)?,
        };
        let order = self.import_refunds(&refund.intent, order).await?;
        if order.refund_numbered(number).is_some_and(|it| it.provider_id.is_some()) {
            return Ok(order);
        }
        let order = self.decide(id, |order, now| order.refund_request_failed(number, attempt, &failure, now)).await?;
        let differs = |it: &Anomaly| {
            let is_it = it.kind.refund() == Some(number);
            is_it && matches!(it.kind, AnomalyKind::Notice(NoticeKind::RefundDiffers { .. }))
        };
        match order.refund_numbered(number) {
            // The first key belongs to a refund that a restore has lost; the next one is new.
            Some(again) if attempt == 1 && again.attempt > attempt && order.anomalies.iter().any(differs) => {
                Box::pin(self.make_refund(&order, again)).await
            }
            Some(_) | None => Ok(order),
        }
    }

    /// Imports every refund that Stripe lists for a PaymentIntent, except those with a status that is unknown here.
    async fn import_refunds(&self, intent: &IntentId, order: &Order) -> Result<Order, PerformError> {
        Ok(self.read_refunds(intent, order.clone()).await?.0)
    }

    /// As [`Self::import_refunds`], and returns the refunds with a status that is unknown here.
    pub(crate) async fn read_refunds(
        &self,
        intent: &IntentId,
        order: Order,
    ) -> Result<(Order, Vec<UnknownStatus>), PerformError> {
        let (mut order, mut unknown, mut refunds, mut after) = (order, Vec::new(), Vec::new(), None);
        loop {
            let page = self.records.refunds_of(intent, after.as_deref()).await?;
            refunds.extend(page.items);
            unknown.extend(page.unknown);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // Failed refunds first: a later refund may have refunded the same money again.
        refunds.sort_by_key(|it| it.status.holds_money());
        let now = self.clock.now();
        for refund in &refunds {
            // Most are stored as they are: to read the order again for each would cost the square of their number.
            if order.update_refund(refund, now).is_ok_and(|it| it.order == order) {
                continue;
            }
            order = self.take_refund(refund, &CommitContext::from("poll", None)).await?;
        }
        Ok((order, unknown))
    }

    /// Applies a snapshot of a refund to the order of its PaymentIntent, which must be known.
    pub(crate) async fn take_refund(
        &self,
        update: &RefundSnapshot,
        context: &CommitContext,
    ) -> Result<Order, PerformError> {
        self.update_refund(update, context).await.map_err(|error| match error {
            ChangeError::Order(GetOrderError::NotFound) => {
                PerformError::Unmatched("no order has the refunded PaymentIntent".into())
            }
            ChangeError::Order(error) => error.into(),
            ChangeError::Refused(error) => PerformError::Unmatched(error.to_string()),
        })
    }

    /// Applies a snapshot of a refund to the order of its PaymentIntent.
    pub(crate) async fn update_refund(
        &self,
        update: &RefundSnapshot,
        context: &CommitContext,
    ) -> Result<Order, ChangeError<RefundUpdateError>> {
        let which = OrderRef::Intent(update.intent.clone());
        let decide =
            |order: &Order, now| Ok((order.update_refund(update, now).map_err(ChangeError::Refused)?, context.clone()));
        self.change_with_context(&which, &Access::All, decide).await
    }
}
