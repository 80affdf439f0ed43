//! The provider's messages: each is kept before it is acknowledged, in the same commit as what it changes, and what
//! cannot be taken in yet waits for the worker.

use std::collections::BTreeMap;

use paywright_domain::{DisputeNewsError, IntentId, Order, OrderId, RefundNewsError, SettleError};

use crate::change::{Along, ChangeError};
use crate::perform::PerformError;
use crate::{
    Access, App, Cause, EventClosing, GatewayError, Lease, LeasedEvent, OrderRef, ProviderEvent, ProviderNews,
    ReceivedEvent, SettleFromProviderError, StoreError, Verdict,
};

/// What became of news that was offered to the orders.
enum Taken {
    By(OrderId),
    /// It is about an object of another program.
    Foreign(String),
    /// Its order is not known, or not well enough.
    NotYet(String),
}

impl App {
    /// Takes in a message of the provider. When this returns, it is kept, with whatever it changes: it may be
    /// acknowledged. `headers` are what came with it and may help to find out later what happened.
    pub async fn take_event(
        &self,
        event: ProviderEvent,
        via: &'static str,
        headers: BTreeMap<String, String>,
    ) -> Result<Verdict, StoreError> {
        let now = self.clock.now();
        let received = ReceivedEvent {
            id: event.id,
            kind: event.kind,
            created_at: event.created_at,
            received_at: now,
            via,
            headers,
            news: event.news,
            verdict: Verdict::Applied,
            error: None,
            order: None,
            due_at: None,
        };
        let cause = Cause { source: via.to_owned(), event: Some(received.id.clone()), request: event.request };
        let along = Along { cause: Some(cause), received: Some(received.clone()), idempotency: None };
        let keep = |verdict, error: Option<String>| ReceivedEvent { verdict, error, ..received.clone() };
        let is_intent = matches!(received.news, ProviderNews::Intent(_));
        if event.livemode != self.settings.livemode && !is_intent {
            let kept = keep(Verdict::Foreign, Some("it is of the other mode: live or test".to_owned()));
            self.store.record_event(&kept).await?;
            return Ok(Verdict::Foreign);
        }
        let kept = match &received.news {
            ProviderNews::Nothing => keep(Verdict::Ignored, None),
            ProviderNews::Look(_) => ReceivedEvent { due_at: Some(now), ..keep(Verdict::Parked, None) },
            news @ (ProviderNews::Intent(_)
            | ProviderNews::Refund(_)
            | ProviderNews::Dispute(_)
            | ProviderNews::Notice { .. }) => match self.offer(news, &along).await? {
                Taken::By(order) => {
                    tracing::info!(event = received.id, kind = received.kind, %order, "an event was taken in");
                    return Ok(Verdict::Applied);
                }
                Taken::Foreign(reason) => keep(Verdict::Foreign, Some(reason)),
                Taken::NotYet(reason) => {
                    let due_at = self.parked_seconds(0).map(|it| now.plus_seconds(it));
                    ReceivedEvent { due_at, ..keep(Verdict::Parked, Some(reason)) }
                }
            },
        };
        self.store.record_event(&kept).await?;
        if kept.due_at.is_some_and(|it| it <= now) {
            self.bell.ring();
        }
        tracing::info!(
            event = kept.id,
            kind = kept.kind,
            verdict = kept.verdict.name(),
            reason = kept.error,
            "an event was kept"
        );
        Ok(kept.verdict)
    }

    /// Offers news to the order that it is about.
    async fn offer(&self, news: &ProviderNews, along: &Along) -> Result<Taken, StoreError> {
        let not_yet = |reason: &dyn std::fmt::Display| Ok(Taken::NotYet(reason.to_string()));
        let unknown = "no order knows its payment intent";
        match news {
            ProviderNews::Intent(snapshot) => match self.settle(snapshot, along).await {
                Ok(order) => Ok(Taken::By(order.id)),
                Err(
                    error @ (SettleFromProviderError::Foreign | SettleFromProviderError::Settle(SettleError::NotOurs)),
                ) => Ok(Taken::Foreign(error.to_string())),
                Err(error @ SettleFromProviderError::UnknownOrder) => not_yet(&error),
                Err(SettleFromProviderError::Store(error)) => Err(error),
            },
            ProviderNews::Refund(refund) => match self.refund_news(refund, along).await {
                Ok(order) => Ok(Taken::By(order.id)),
                Err(ChangeError::NotFound) => not_yet(&unknown),
                Err(ChangeError::Refused(error @ (RefundNewsError::NotOurs | RefundNewsError::AheadOfMoney))) => {
                    not_yet(&error)
                }
                Err(ChangeError::Store(error)) => Err(error),
            },
            ProviderNews::Dispute(dispute) => {
                let decide = |order: &Order, now| Ok((order.dispute_news(dispute, now)?, along.clone()));
                let names = [OrderRef::Intent(dispute.intent.clone())];
                match self.change_along(&names, &Access::All, decide).await {
                    Ok(order) => Ok(Taken::By(order.id)),
                    Err(ChangeError::NotFound | ChangeError::Refused(DisputeNewsError::NotOurs)) => not_yet(&unknown),
                    Err(ChangeError::Store(error)) => Err(error),
                }
            }
            ProviderNews::Notice { intent, kind, reason } => {
                let decide = |order: &Order, now| {
                    let noticed = order.notice(intent, *kind, reason.clone(), now);
                    Ok::<_, std::convert::Infallible>((noticed, along.clone()))
                };
                match self.change_along(&[OrderRef::Intent(intent.clone())], &Access::All, decide).await {
                    Ok(order) => Ok(Taken::By(order.id)),
                    Err(ChangeError::NotFound) => not_yet(&unknown),
                    Err(ChangeError::Refused(never)) => match never {},
                    Err(ChangeError::Store(error)) => Err(error),
                }
            }
            ProviderNews::Look(_) | ProviderNews::Nothing => not_yet(&"there is nothing in it to take in"),
        }
    }

    /// Looks again at messages that wait and are due, and says how many those were.
    pub(crate) async fn run_parked_events(&self, lease: &Lease) -> Result<usize, StoreError> {
        let events = self.store.lease_events(lease).await?;
        for event in &events {
            let closing = self.look_again(event).await?;
            self.store.close_event(&closing).await?;
        }
        Ok(events.len())
    }

    async fn look_again(&self, event: &LeasedEvent) -> Result<EventClosing, StoreError> {
        let cause = Cause { source: "worker".to_owned(), event: Some(event.id.clone()), request: None };
        let along = Along { cause: Some(cause), ..Along::default() };
        let taken = match self.offer_again(&event.news, &along).await {
            Ok(taken) => taken,
            Err(PerformError::Store(error)) => return Err(error),
            Err(PerformError::Gateway(GatewayError::NotFound)) => {
                Taken::Foreign("the payment provider does not know its payment intent".to_owned())
            }
            Err(error @ (PerformError::Gateway(_) | PerformError::Misfit(_))) => Taken::NotYet(error.to_string()),
        };
        let again_at = self.parked_seconds(event.taken).map(|it| self.clock.now().plus_seconds(it));
        let (verdict, error, order, again_at) = match taken {
            Taken::By(order) => (Verdict::Applied, None, Some(order), None),
            Taken::Foreign(reason) => (Verdict::Foreign, Some(reason), None, None),
            Taken::NotYet(reason) if again_at.is_some() => (Verdict::Parked, Some(reason), None, again_at),
            Taken::NotYet(reason) => {
                tracing::error!(event = event.id, kind = event.kind, reason, "an event waited in vain for its order");
                (Verdict::GivenUp, Some(reason), None, None)
            }
        };
        let (owner, id, taken) = (self.owner, event.id.clone(), event.taken);
        Ok(EventClosing { owner, id, taken, verdict, error, order, again_at })
    }

    /// As [`Self::offer`], with a look at the provider for what the message does not say.
    async fn offer_again(&self, news: &ProviderNews, along: &Along) -> Result<Taken, PerformError> {
        let intent: &IntentId = match news {
            ProviderNews::Intent(_) | ProviderNews::Nothing => return Ok(self.offer(news, along).await?),
            ProviderNews::Refund(refund) => &refund.intent,
            ProviderNews::Dispute(dispute) => &dispute.intent,
            ProviderNews::Notice { intent, .. } | ProviderNews::Look(intent) => intent,
        };
        let issued = self.gateway.intent(intent).await?;
        if issued.snapshot.order.is_none() {
            return Ok(Taken::Foreign("its payment intent is not one of ours".to_owned()));
        }
        let seen = Along { received: None, ..along.clone() };
        let order = match self.settle(&issued.snapshot, &seen).await {
            Ok(order) => order,
            Err(SettleFromProviderError::Store(error)) => return Err(error.into()),
            Err(
                error @ (SettleFromProviderError::Foreign
                | SettleFromProviderError::UnknownOrder
                | SettleFromProviderError::Settle(SettleError::NotOurs)),
            ) => return Ok(Taken::NotYet(error.to_string())),
        };
        match news {
            ProviderNews::Look(_) => Ok(Taken::By(self.import_refunds(intent, &order).await?.id)),
            ProviderNews::Refund(_)
            | ProviderNews::Dispute(_)
            | ProviderNews::Notice { .. }
            | ProviderNews::Intent(_)
            | ProviderNews::Nothing => Ok(self.offer(news, along).await?),
        }
    }
}
