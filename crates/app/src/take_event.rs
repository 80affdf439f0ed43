//! The provider's messages: each is kept before it is acknowledged, in the same commit as what it changes, and what
//! cannot be taken in yet waits for the worker.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use paywright_domain::{
    Decision, Dispute, DisputeUpdateError, IntentId, Order, OrderId, RefundUpdateError, SettleError, Timestamp,
};
use tracing::Instrument;

use crate::back_fill::BACK_FILL;
use crate::change::{ChangeError, CommitContext};
use crate::perform::PerformError;
use crate::{
    Access, App, Cause, EventClosing, EventStatus, ForeignEvent, GatewayError, Lease, LeasedEvent, OrderRef,
    OtherVersion, ProviderEvent, ProviderUpdate, ReceivedEvent, SettleFromProviderError, StoreError, WorkId, log,
};

/// Why news waits that names an intent of no order.
const UNKNOWN_INTENT: &str = "no order knows its payment intent";

/// Why news is foreign whose intent names no order of this installation.
const NOT_OURS: &str = "its payment intent is not one of ours";

/// What became of news that was offered to the orders.
enum Taken {
    By(OrderId),
    /// It is about an object of another program.
    Foreign(String),
    /// Its order is not known, or not well enough.
    NotYet(String),
    /// It contradicts what is known: the provider must be asked what holds.
    ToBeRead(String),
}

impl App {
    /// Takes in a message of the provider. When this returns, it is kept, with whatever it changes: it may be
    /// acknowledged. `headers` are what came with it and may help to find out later what happened.
    pub async fn take_event(
        &self,
        event: ProviderEvent,
        via: &'static str,
        headers: BTreeMap<String, String>,
    ) -> Result<EventStatus, StoreError> {
        let now = self.clock.now();
        let received = ReceivedEvent {
            id: event.id,
            kind: event.kind,
            created_at: event.created_at,
            received_at: now,
            via,
            headers,
            update: if via == BACK_FILL { event.update } else { event.update.delivered_by_webhook() },
            status: EventStatus::Applied,
            error: None,
            order: None,
            due_at: None,
        };
        let event_id = Some(received.id.clone());
        let cause = Cause { source: via.to_owned(), event: event_id, request: event.request, ..Cause::default() };
        let context = CommitContext { cause: Some(cause), received: Some(received.clone()), idempotency: None };
        let keep = |status, error: Option<String>| ReceivedEvent { status, error, ..received.clone() };
        log::event(&received);
        if let Some(ForeignEvent { reason, intent }) = self.foreign_event(event.livemode, event.foreign) {
            if let Some(intent) = intent {
                self.foreign.add(intent);
            }
            let kept = keep(EventStatus::Foreign, Some(reason));
            self.store.record_event(&kept).await?;
            log::outcome(&kept);
            return Ok(EventStatus::Foreign);
        }
        if let Some(OtherVersion { version, expected }) = event.other_version.filter(|_| via == "webhook") {
            self.warnings.warn(format!(
                "A webhook endpoint at Stripe sends events of API version {version}. They are taken by their ids alone and \
                 read from Stripe again, which is slower: set the endpoint's version to {expected}."
            ));
        }
        let of_others = || received.update.intent().is_some_and(|it| self.foreign.contains(it));
        let foreign = || keep(EventStatus::Foreign, Some(NOT_OURS.to_owned()));
        let kept = match &received.update {
            ProviderUpdate::Nothing => keep(EventStatus::Ignored, None),
            ProviderUpdate::Look(_) | ProviderUpdate::Proceeds(_) if of_others() => foreign(),
            ProviderUpdate::Look(_) | ProviderUpdate::Proceeds(_) => {
                ReceivedEvent { due_at: Some(now), ..keep(EventStatus::Parked, None) }
            }
            update @ (ProviderUpdate::Intent(_)
            | ProviderUpdate::Refund(_)
            | ProviderUpdate::Dispute(_)
            | ProviderUpdate::Notice { .. }) => match self.offer(update, &context).await? {
                Taken::By(_) => {
                    log::outcome(&received);
                    return Ok(EventStatus::Applied);
                }
                Taken::Foreign(reason) => keep(EventStatus::Foreign, Some(reason)),
                Taken::NotYet(_) if of_others() => foreign(),
                Taken::NotYet(reason) => {
                    let due_at = now.plus_seconds(self.parked_seconds(0));
                    ReceivedEvent { due_at: Some(due_at), ..keep(EventStatus::Parked, Some(reason)) }
                }
                Taken::ToBeRead(reason) => {
                    ReceivedEvent { due_at: Some(now), ..keep(EventStatus::Parked, Some(reason)) }
                }
            },
        };
        self.store.record_event(&kept).await?;
        if kept.due_at.is_some_and(|it| it <= now) {
            self.waker.wake();
        }
        log::outcome(&kept);
        Ok(kept.status)
    }

    /// Why an event concerns no order here, if it says so by itself. One of the other mode is told to the operator:
    /// an endpoint of the other mode, or its secret, is set up for this installation.
    fn foreign_event(&self, livemode: bool, foreign: Option<ForeignEvent>) -> Option<ForeignEvent> {
        if livemode != self.settings.livemode {
            let (its, ours) = if livemode { ("live", "test") } else { ("test", "live") };
            self.warnings.warn(format!(
                "Events of Stripe's {its} mode arrive at this installation, which is in {ours} mode. They change nothing: \
                 remove the webhook endpoint of {its} mode, or its secret from the settings."
            ));
            let reason = format!("it is of {its} mode, and this installation is in {ours} mode");
            return Some(ForeignEvent { reason, intent: None });
        }
        foreign
    }

    /// Offers news to the order that it is about.
    async fn offer(&self, update: &ProviderUpdate, context: &CommitContext) -> Result<Taken, StoreError> {
        let not_yet = |reason: &dyn std::fmt::Display| Ok(Taken::NotYet(reason.to_string()));
        match update {
            ProviderUpdate::Intent(snapshot) => match self.settle(snapshot, context).await {
                Ok(order) => Ok(Taken::By(order.id)),
                Err(
                    error @ (SettleFromProviderError::Foreign | SettleFromProviderError::Settle(SettleError::NotOurs)),
                ) => Ok(Taken::Foreign(error.to_string())),
                Err(error @ SettleFromProviderError::Settle(SettleError::NotConfirmed)) => {
                    Ok(Taken::ToBeRead(error.to_string()))
                }
                Err(error @ SettleFromProviderError::UnknownOrder) => not_yet(&error),
                Err(SettleFromProviderError::Store(error)) => Err(error),
            },
            ProviderUpdate::Refund(refund) => match self.update_refund(refund, context).await {
                Ok(order) => Ok(Taken::By(order.id)),
                Err(ChangeError::NotFound) => not_yet(&UNKNOWN_INTENT),
                Err(ChangeError::Refused(error @ (RefundUpdateError::NotOurs | RefundUpdateError::AheadOfMoney))) => {
                    not_yet(&error)
                }
                Err(ChangeError::Store(error)) => Err(error),
            },
            ProviderUpdate::Dispute(dispute) => match self.update_dispute(dispute, context).await {
                Ok(order) => Ok(Taken::By(order.id)),
                Err(ChangeError::NotFound | ChangeError::Refused(DisputeUpdateError::NotOurs)) => {
                    not_yet(&UNKNOWN_INTENT)
                }
                Err(ChangeError::Refused(error @ DisputeUpdateError::ContradictsDecision)) => {
                    Ok(Taken::ToBeRead(error.to_string()))
                }
                Err(ChangeError::Store(error)) => Err(error),
            },
            ProviderUpdate::Notice { intent, kind, reason } => {
                let decide = |order: &Order, now| Some(order.notice(intent, *kind, reason.clone(), now));
                self.change_payer(intent, context, decide).await
            }
            ProviderUpdate::Look(_) | ProviderUpdate::Proceeds(_) | ProviderUpdate::Nothing => {
                not_yet(&"there is nothing in it to take in")
            }
        }
    }

    async fn update_dispute(
        &self,
        update: &Dispute,
        context: &CommitContext,
    ) -> Result<Order, ChangeError<DisputeUpdateError>> {
        let decide = |order: &Order, now| Ok((order.update_dispute(update, now)?, context.clone()));
        self.change_with_context(&[OrderRef::Intent(update.intent.clone())], &Access::All, decide).await
    }

    /// Decides on the order that an intent belongs to; nothing is decided on one that does not know it.
    async fn change_payer(
        &self,
        intent: &IntentId,
        context: &CommitContext,
        decide: impl Fn(&Order, Timestamp) -> Option<Decision> + Send + Sync,
    ) -> Result<Taken, StoreError> {
        let decide = |order: &Order, now| decide(order, now).map(|it| (it, context.clone())).ok_or(());
        match self.change_with_context(&[OrderRef::Intent(intent.clone())], &Access::All, decide).await {
            Ok(order) => Ok(Taken::By(order.id)),
            Err(ChangeError::NotFound | ChangeError::Refused(())) => Ok(Taken::NotYet(UNKNOWN_INTENT.to_owned())),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Looks again at messages that wait and are due, side by side, and says how many those were.
    pub(crate) async fn run_parked_events(&self, lease: &Lease) -> Result<usize, StoreError> {
        let events = self.store.lease_events(lease).await?;
        let mut by_intent: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in &events {
            by_intent.entry(event.update.intent()).or_default().push(event);
        }
        let look = async |event: &LeasedEvent| -> Result<(), StoreError> {
            let span = tracing::error_span!(
                "event",
                event = event.id,
                event_type = event.kind,
                order = log::LATER,
                number = log::LATER,
                intent = log::LATER,
            );
            let closing =
                WorkId::Event(event.id.clone()).scope(Box::pin(self.look_again(event))).instrument(span).await?;
            self.store.close_event(&closing).await.map(drop)
        };
        // The first look tells whether an intent is of others: the rest of its events need no look of their own then.
        let looks = join_all(by_intent.into_values().map(async |of_intent| {
            let (first, rest) = of_intent.split_at(of_intent.len().min(1));
            let looks =
                [join_all(first.iter().map(|it| look(it))).await, join_all(rest.iter().map(|it| look(it))).await];
            looks.into_iter().flatten().collect::<Result<(), StoreError>>()
        }));
        looks.await.into_iter().collect::<Result<(), StoreError>>()?;
        Ok(events.len())
    }

    async fn look_again(&self, event: &LeasedEvent) -> Result<EventClosing, StoreError> {
        let cause = Cause { source: "worker".to_owned(), event: Some(event.id.clone()), ..Cause::default() };
        let context = CommitContext { cause: Some(cause), ..CommitContext::default() };
        let later = |reason: String, seconds: u32| {
            (EventStatus::Parked, Some(reason), None, Some(self.clock.now().plus_seconds(seconds)))
        };
        let unsettled = |reason: String| {
            if Self::waited_in_vain(event.received_at, event.taken, self.clock.now()) {
                tracing::error!(reason, "an event was given up");
                return (EventStatus::GivenUp, Some(reason), None, None);
            }
            later(reason, self.parked_seconds(event.taken))
        };
        let (status, error, order, again_at) = match self.offer_again(&event.update, &context).await {
            Ok(Taken::By(order)) => (EventStatus::Applied, None, Some(order), None),
            Ok(Taken::Foreign(reason)) => (EventStatus::Foreign, Some(reason), None, None),
            Err(PerformError::Gateway(GatewayError::NotFound)) => {
                let reason = "the payment provider does not know its payment intent";
                (EventStatus::Foreign, Some(reason.to_owned()), None, None)
            }
            Ok(Taken::NotYet(reason) | Taken::ToBeRead(reason)) => unsettled(reason),
            Err(error @ (PerformError::Gateway(GatewayError::NotUnderstood(_)) | PerformError::Unmatched(_))) => {
                unsettled(error.to_string())
            }
            // Nothing was learnt of what it waits for: that a question failed is no reason to wait as long, nor to
            // give it up, however old it is.
            Err(error @ PerformError::Gateway(_)) => later(error.to_string(), self.retry_seconds(event.taken)),
            Err(PerformError::Store(error)) => return Err(error),
        };
        let (owner, id, taken) = (self.owner, event.id.clone(), event.taken);
        Ok(EventClosing { owner, id, taken, status, error, order, again_at })
    }

    /// As [`Self::offer`], with a look at the provider for what the message does not say.
    async fn offer_again(&self, update: &ProviderUpdate, context: &CommitContext) -> Result<Taken, PerformError> {
        let intent: &IntentId = match update {
            ProviderUpdate::Nothing => return Ok(self.offer(update, context).await?),
            ProviderUpdate::Intent(snapshot) => {
                return match self.offer(update, context).await? {
                    Taken::ToBeRead(_) => self.read_known_payment(&snapshot.intent, context).await,
                    taken @ (Taken::By(_) | Taken::Foreign(_) | Taken::NotYet(_)) => Ok(taken),
                };
            }
            ProviderUpdate::Proceeds(intent) if self.is_known(intent).await? => {
                return self.learn_proceeds(intent, context).await;
            }
            ProviderUpdate::Refund(refund) => &refund.intent,
            ProviderUpdate::Dispute(dispute) => &dispute.intent,
            ProviderUpdate::Notice { intent, .. } | ProviderUpdate::Look(intent) | ProviderUpdate::Proceeds(intent) => {
                intent
            }
        };
        if self.foreign.contains(intent) {
            return Ok(Taken::Foreign(NOT_OURS.to_owned()));
        }
        let foreign = |reason: String| {
            self.foreign.add(intent.clone());
            Ok(Taken::Foreign(reason))
        };
        let issued = match self.gateway.intent(intent).await {
            Ok(issued) if issued.snapshot.order.is_none() => return foreign(NOT_OURS.to_owned()),
            Err(GatewayError::Foreign(reason)) => return foreign(reason),
            issued => issued?,
        };
        let seen = CommitContext { received: None, ..context.clone() };
        let order = match self.settle(&issued.snapshot, &seen).await {
            Ok(order) => order,
            Err(SettleFromProviderError::Store(error)) => return Err(error.into()),
            Err(
                error @ (SettleFromProviderError::Foreign
                | SettleFromProviderError::UnknownOrder
                | SettleFromProviderError::Settle(SettleError::NotOurs | SettleError::NotConfirmed)),
            ) => return Ok(Taken::NotYet(error.to_string())),
        };
        match update {
            ProviderUpdate::Look(_) => {
                let (order, mut unknown) = self.read_refunds(intent, order).await?;
                let disputes = self.import_disputes(intent, &seen).await?.1;
                unknown.extend(disputes);
                Ok(unknown.first().map_or(Taken::By(order.id), |it| Taken::NotYet(it.to_string())))
            }
            ProviderUpdate::Dispute(_) => match self.offer(update, context).await? {
                Taken::ToBeRead(_) => Ok(Taken::By(self.import_disputes(intent, &seen).await?.0.id)),
                taken @ (Taken::By(_) | Taken::Foreign(_) | Taken::NotYet(_)) => Ok(taken),
            },
            ProviderUpdate::Proceeds(_) => self.learn_proceeds(intent, context).await,
            ProviderUpdate::Refund(_)
            | ProviderUpdate::Notice { .. }
            | ProviderUpdate::Intent(_)
            | ProviderUpdate::Nothing => Ok(self.offer(update, context).await?),
        }
    }

    /// Whether an order knows an intent.
    async fn is_known(&self, intent: &IntentId) -> Result<bool, StoreError> {
        Ok(self.find(&[OrderRef::Intent(intent.clone())], &Access::All).await?.is_some())
    }

    /// Reads what came of a payment on the shop's balance, unless it is known since the payment was confirmed.
    async fn learn_proceeds(&self, intent: &IntentId, context: &CommitContext) -> Result<Taken, PerformError> {
        let found = self.find(&[OrderRef::Intent(intent.clone())], &Access::All).await?;
        let Some(order) = found.map(|it| it.value) else { return Ok(Taken::NotYet(UNKNOWN_INTENT.to_owned())) };
        let has_proceeds = |order: &Order| order.intent(intent).is_some_and(|it| it.proceeds.is_some());
        if has_proceeds(&order) {
            return Ok(Taken::By(order.id));
        }
        let cause = context.cause.clone().unwrap_or_default();
        let order = self.read_payment(order.id, intent, &cause).await?.order;
        if !has_proceeds(&order) {
            return Ok(Taken::NotYet("what came of it is not known yet".to_owned()));
        }
        Ok(Taken::By(order.id))
    }

    /// Reads a payment that an order knows.
    async fn read_known_payment(&self, intent: &IntentId, context: &CommitContext) -> Result<Taken, PerformError> {
        let found = self.find(&[OrderRef::Intent(intent.clone())], &Access::All).await?;
        let Some(order) = found.map(|it| it.value) else { return Ok(Taken::NotYet(UNKNOWN_INTENT.to_owned())) };
        let cause = context.cause.clone().unwrap_or_default();
        Ok(Taken::By(self.read_payment(order.id, intent, &cause).await?.order.id))
    }
}
